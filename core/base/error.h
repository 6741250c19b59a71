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

/// Why something was not done. Each says whether a caller may pay the hash again: (again) or (not).
/// `code_name` is the stable `code` of error JSON; the exit code is cli/output/exit_code.h's business.
enum class Errc {
  usage,               ///< bad flags, amount, invoice or input file; nothing was written (fix the call)
  invoice_expired,     ///< as usage
  wrong_network,       ///< the invoice is for another chain than the switch; as usage
  self_payment,        ///< the payee is the node itself; as usage
  clock,               ///< the machine's clock cannot be right; nothing was written (set the clock)
  already_paid,        ///< the hash is paid: here, as a guard, or at the switch (not)
  in_flight,           ///< the hash is open here or at the switch (not)
  not_initiated,       ///< RegisterAttempt for a hash that InitPayment never saw
  already_succeeded,   ///< RegisterAttempt, Fail, cancel: the payment has succeeded (not)
  already_failed,      ///< RegisterAttempt, Success, cancel: the payment has failed (again)
  already_ended,       ///< cancel, resolve: the payment has ended without proof (not)
  stopped,             ///< RegisterAttempt after a stop wish (not)
  guarded,             ///< a guard says that the hash may be in flight or was written off (not)
  parameters_differ,   ///< --idempotent: same hash, another amount, destination or payment secret (not)
  still_at_switch,     ///< resolve: the switch still shows the HTLC (not)
  busy,                ///< another paytower drives the payment, or holds the write lock (same call later)
  switch_unavailable,  ///< no connection, and nothing of this hash was handed over (same call later)
  other_switch,        ///< R6: the open attempt belongs to another node or network (not)
  not_found,           ///< no such payment
  ambiguous,           ///< a hash prefix of several payments
  not_confirmed,       ///< the answer was no, or there was nobody to ask
  database,            ///< cannot open, corrupt, failed commit: no claim about what was stored (not)
  schema_older,        ///< run `paytower migrate`
  schema_newer,        ///< made by a newer paytower; not touched
  database_old_copy,   ///< R12: the switch shows attempts of our store that this database does not have (not)
  switch_old_copy,     ///< R5: the node was restored from an old copy (not)
  attempt_doubled,     ///< the switch shows two HTLCs of one attempt: more may be paid than was asked for (not)
  attempt_id_taken,    ///< RegisterAttempt: the drawn id is stored already; draw again (the driver does)
  conflict,            ///< a compare-and-set found another value: the facts changed below us
  internal,            ///< a bug, or stdout not writable
};

/// Stable snake_case name, e.g. "already_paid".
[[nodiscard]] std::string_view code_name(Errc code);

/// One refusal, ready to be shown: `message` says what happened and what was not changed, `hint` is a command to copy
/// or empty. Neither holds an invoice or a secret.
struct Error {
  Errc code = Errc::internal;
  std::string message;
  std::string hint{};
  std::optional<PaymentHash> payment_hash{};  ///< which payment it is about, where whoever refuses knows
};

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

/// A refusal that leaves through the stack: caught in main, and by whoever can say more.
class RefusalError : public std::runtime_error {
 public:
  explicit RefusalError(Error error) : std::runtime_error(error.message), error_(std::move(error)) {}
  [[nodiscard]] const Error& error() const { return error_; }

 private:
  Error error_;
};

/// R10: the database could not do what was asked, and what it stored is not known. After it: no act, no further write.
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
