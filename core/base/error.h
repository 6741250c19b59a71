// Refusals and faults. A refusal is a value (Result) with a stable name; trouble with the disk or the switch is thrown.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "core/base/types.h"

namespace paytower {

/// Why something was not done: the first column of core/base/error_codes.inc, which says all about each.
enum class Errc {
#define ERROR_CODE(name, exit_code, next_step, words) name,
#include "core/base/error_codes.inc"
#undef ERROR_CODE
};

/// A line of that table.
struct ErrorKind {
  std::string_view name;  ///< stable snake_case, e.g. "already_paid"
  int exit_code;
  std::string_view next_step;
  std::string_view words;
};
[[nodiscard]] const ErrorKind& kind_of(Errc code);
[[nodiscard]] inline std::string_view code_name(Errc code) { return kind_of(code).name; }

/// One refusal, ready to be shown: `message` says what happened and what was not changed, `hint` is a command to copy,
/// or empty. Neither contains an invoice or a secret.
struct Error {
  Errc code = Errc::internal;
  std::string message;
  std::string hint{};
  std::optional<PaymentHash> payment_hash{};  ///< which payment it is about, where that is known
};

/// The refusal of what was asked, because it makes no sense.
[[nodiscard]] inline Error usage(std::string message, std::string hint = {}) {
  return Error{Errc::usage, std::move(message), std::move(hint)};
}
/// The refusal of a payment in the table's words, with the table's next step.
[[nodiscard]] Error refusal(Errc code, const PaymentHash& hash);
/// The command that an error of this kind asks for; empty where there is none, or it is about a payment. `command`:
/// what was called, or empty.
[[nodiscard]] std::string next_step(Errc code, std::string_view command);

/// One word of a POSIX shell, for hints: as it is where that is safe, in single quotes otherwise.
[[nodiscard]] std::string shell_word(std::string_view text);

/// The refusal, which now names its payment.
[[nodiscard]] inline Error about(Error error, const PaymentHash& hash) {
  error.payment_hash = hash;
  return error;
}

/// A value or a refusal. Use `if (!result) return result.error();`.
template <typename T> class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] explicit operator bool() const { return state_.index() == 0; }
  /// REQUIRES: *this is a value (throws std::bad_variant_access otherwise).
  [[nodiscard]] T& value() & { return std::get<0>(state_); }
  [[nodiscard]] const T& value() const& { return std::get<0>(state_); }
  [[nodiscard]] T&& value() && { return std::get<0>(std::move(state_)); }
  [[nodiscard]] T& operator*() & { return value(); }
  [[nodiscard]] const T& operator*() const& { return value(); }
  [[nodiscard]] T&& operator*() && { return std::move(*this).value(); }
  [[nodiscard]] T* operator->() { return &value(); }
  [[nodiscard]] const T* operator->() const { return &value(); }
  /// REQUIRES: *this is a refusal.
  [[nodiscard]] const Error& error() const { return std::get<1>(state_); }

 private:
  std::variant<T, Error> state_;
};

/// A refusal as an exception: caught in main, and by callers that can say more.
class RefusalError : public std::runtime_error {
 public:
  explicit RefusalError(Error error) : std::runtime_error(error.message), error_(std::move(error)) {}
  [[nodiscard]] const Error& error() const { return error_; }

 private:
  Error error_;
};

/// R10: the database failed, and what it stored is not known. After it: nothing is sent, nothing more is written.
class StoreError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The switch cannot be talked to (cannot open, not a network file, protocol broken). Says nothing about any HTLC.
class SwitchError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace paytower
