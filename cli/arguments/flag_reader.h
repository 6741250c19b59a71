// The flags of one call as values: strict, and every refusal names its flag.
#pragma once

#include <array>
#include <charconv>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/arguments/raw_call.h"
#include "cli/input/amount.h"
#include "cli/input/hash.h"
#include "cli/input/time.h"
#include "cli/output/refuse.h"
#include "cli/output/text.h"

namespace paytower::cli {

/// The value, or out with the refusal, which then names the flag.
template <typename T> [[nodiscard]] T value_of(Result<T> result, std::string_view flag) {
  if (result) return std::move(*result);
  refuse(Errc::usage, "--" + std::string(flag) + ": " + result.error().message, result.error().hint);
}

[[nodiscard]] inline std::string quoted(std::string_view text) { return in_quotes(text); }

/// Reads the flags of one call. Every getter refuses what it does not understand, and names the flag.
class FlagReader {
 public:
  FlagReader(const RawCall& call, UnixNs now) : call_(call), now_(now) {}

  [[nodiscard]] bool flag(std::string_view name) const { return call_.has(name); }

  [[nodiscard]] std::optional<std::string> text(std::string_view name) const {
    const std::string* value = call_.value(name);
    if (value == nullptr) return std::nullopt;
    return *value;
  }
  [[nodiscard]] std::optional<Msat> amount(std::string_view name) const {
    const std::string* value = call_.value(name);
    if (value == nullptr) return std::nullopt;
    return value_of(parse_amount(*value), name);
  }
  [[nodiscard]] std::optional<std::int64_t> duration(std::string_view name) const {
    const std::string* value = call_.value(name);
    if (value == nullptr) return std::nullopt;
    return value_of(parse_duration(*value), name);
  }
  [[nodiscard]] std::optional<UnixNs> time(std::string_view name) const {
    const std::string* value = call_.value(name);
    if (value == nullptr) return std::nullopt;
    return value_of(parse_time(*value, now_), name);
  }
  /// "forever" is nothing.
  [[nodiscard]] std::optional<std::int64_t> wait(std::optional<std::int64_t> standard) const {
    const std::string* value = call_.value("wait");
    if (value == nullptr) return standard;
    if (*value == "forever") return std::nullopt;
    return value_of(parse_duration(*value), "wait");
  }
  /// Digits without sign or leading zero, from `least` to `most`.
  [[nodiscard]] std::optional<std::uint64_t> whole(std::string_view name, std::uint64_t least,
                                                   std::uint64_t most) const {
    const std::string* value = call_.value(name);
    if (value == nullptr) return std::nullopt;
    std::uint64_t number = 0;
    const char* end = value->data() + value->size();
    const auto [stop, errc] = std::from_chars(value->data(), end, number);
    const bool zeros = value->size() > 1 && value->front() == '0';
    if (errc != std::errc{} || stop != end || zeros || number < least || number > most) {
      refuse(Errc::usage, "--" + std::string(name) + ": " + quoted(*value) + " is no whole number from " +
                              std::to_string(least) + " to " + std::to_string(most));
    }
    return number;
  }
  [[nodiscard]] std::uint32_t whole32(std::string_view name, std::uint32_t least, std::uint32_t most,
                                      std::uint32_t standard) const {
    return static_cast<std::uint32_t>(whole(name, least, most).value_or(standard));
  }

  [[nodiscard]] std::optional<std::uint32_t> maybe_whole32(std::string_view name, std::uint32_t least,
                                                           std::uint32_t most) const {
    const auto number = whole(name, least, most);
    return number ? std::optional(static_cast<std::uint32_t>(*number)) : std::nullopt;
  }

  template <typename T> [[nodiscard]] std::optional<T> bytes(std::string_view name, const char* what) const {
    const std::string* value = call_.value(name);
    if (value == nullptr) return std::nullopt;
    const auto bytes = T::from_hex_text(*value);
    if (!bytes)
      refuse(Errc::usage,
             "--" + std::string(name) + " is no " + what + " (" + std::to_string(2 * T::size) + " hex digits)");
    return T{*bytes};
  }

  /// The only positional argument.
  [[nodiscard]] const std::string& word(const char* what) const {
    const std::string name(call_.command->name);
    const std::size_t count = call_.words.size();
    if (count == 0) refuse(Errc::usage, name + " needs " + what, help());
    if (count > 1) refuse(Errc::usage, name + " takes " + what + ", not " + std::to_string(count) + " words", help());
    if (call_.words.front().empty()) refuse(Errc::usage, name + " needs " + what + ", not an empty word", help());
    return call_.words.front();
  }
  [[nodiscard]] HashArgument hash() const { return value_of(parse_hash(word("a payment hash"))); }
  [[nodiscard]] std::vector<HashArgument> hashes() const {
    std::vector<HashArgument> list;
    for (const std::string& word : call_.words) list.push_back(value_of(parse_hash(word)));
    return list;
  }
  [[nodiscard]] const std::vector<std::string>& words() const { return call_.words; }
  [[nodiscard]] const std::vector<std::string>& values(std::string_view name) const {
    static const std::vector<std::string> none;
    const auto found = call_.flags.find(name);
    return found == call_.flags.end() ? none : found->second;
  }

  /// One of `names`, by position; refuses anything else.
  template <std::size_t N>
  [[nodiscard]] std::optional<std::size_t> choice(std::string_view name,
                                                  const std::array<std::string_view, N>& names) const {
    const std::string* value = call_.value(name);
    if (value == nullptr) return std::nullopt;
    for (std::size_t i = 0; i < N; ++i) {
      if (*value == names[i]) return i;
    }
    std::string list;
    for (const std::string_view known : names) (list += list.empty() ? "" : ", ") += known;
    refuse(Errc::usage, "--" + std::string(name) + ": " + quoted(*value) + " is none of " + list);
  }

  /// Refuses the flags that need another one which is missing.
  void need(std::initializer_list<std::string_view> flags, std::string_view condition) const {
    for (const std::string_view name : flags) {
      if (flag(name))
        refuse(Errc::usage, "--" + std::string(name) + " goes only with " + std::string(condition), help());
    }
  }
  void exclude(std::string_view a, std::string_view b) const {
    if (flag(a) && flag(b))
      refuse(Errc::usage, "--" + std::string(a) + " and --" + std::string(b) + " exclude each other", help());
  }

  [[nodiscard]] std::string help() const { return "paytower " + std::string(call_.command->name) + " --help"; }

 private:
  const RawCall& call_;
  UnixNs now_;
};

}  // namespace paytower::cli
