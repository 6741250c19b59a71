// A flag, described once: the reading of a call, --help (and with it completion and the check of the manual), `config`,
// the config file and the environment all look here.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "core/base/error.h"
#include "core/base/msat.h"
#include "core/base/types.h"

namespace paytower::cli {

/// One value that a flag was given, still as text.
struct Value {
  std::string_view flag;  ///< its long name, for refusals
  std::string_view text;
  UnixNs now{};  ///< an age counts back from here
};

/// Reads the value of a flag strictly into the options of its command, or throws a usage refusal.
struct Into {
  void (*store)(void* options, const Value& value) = nullptr;
  const void* owner = nullptr;  ///< identifies the type of the options
};

/// The default of a flag: a text that is read as if it had been given, or, where it depends on more than the call,
/// words that are only shown.
struct Standard {
  constexpr Standard() = default;
  constexpr Standard(const char* as_given) : text(as_given) {}        // NOLINT(google-explicit-constructor)
  constexpr Standard(std::string (*in_words)()) : words(in_words) {}  // NOLINT(google-explicit-constructor)
  [[nodiscard]] std::string shown() const { return words != nullptr ? words() : std::string(text); }

  std::string_view text{};
  std::string (*words)() = nullptr;
};

/// Traits of a flag.
namespace is {
inline constexpr unsigned configurable = 1;    ///< may stand in the config file
inline constexpr unsigned in_environment = 2;  ///< "tls-cert" is $PAYTOWER_TLS_CERT there
inline constexpr unsigned repeatable = 4;
inline constexpr unsigned of_the_call = 8;      ///< of send: no line of a batch may have it
inline constexpr unsigned of_one_payment = 16;  ///< of send: does not go beside --batch
inline constexpr unsigned in_file_alone = 32;   ///< no flag at all: a line of the config file
}  // namespace is

struct Flag {
  /// `names`: the long one, without dashes, and behind a comma the letter ("quiet,q"). This one takes nothing.
  constexpr Flag(std::string_view names, std::string_view says, Into goes, unsigned all_traits = 0)
      : name(names.substr(0, names.find(','))), letter(name.size() < names.size() ? names.back() : '\0'), help(says),
        into(goes), traits(all_traits) {}
  constexpr Flag(std::string_view names, std::string_view takes, std::string_view says, Into goes,
                 unsigned all_traits = 0, std::string_view other_way = {})
      : Flag(names, takes, says, goes, Standard(), all_traits, other_way) {}
  constexpr Flag(std::string_view names, std::string_view takes, std::string_view says, Into goes, Standard stands,
                 unsigned all_traits = 0, std::string_view other_way = {})
      : Flag(names, says, goes, all_traits) {
    value = takes, standard = stands, rival = other_way;
  }
  [[nodiscard]] constexpr bool has(unsigned trait) const { return (traits & trait) != 0; }

  std::string_view name;     ///< long, without dashes
  char letter;               ///< short form, 0 = none
  std::string_view value{};  ///< what it takes ("PATH"); empty = it takes nothing
  std::string_view help;     ///< "{}" in it stands for the default, "{kinds}" for the kinds of switch
  Into into;
  Standard standard{};
  unsigned traits;
  std::string_view rival{};  ///< a flag that says the same in another way: one of the two is given
};

/// "--name: why".
[[noreturn]] void refuse_value(const Value& value, const std::string& why, const std::string& hint = {});
/// The value, or throws the refusal with the name of the flag.
template <typename T> [[nodiscard]] T value_of(Result<T> result, const Value& value) {
  if (!result) refuse_value(value, result.error().message, result.error().hint);
  return std::move(*result);
}

[[nodiscard]] Msat read_amount(const Value& value);
/// An amount that is paid or asked for: with 0 the refusal says `why`.
[[nodiscard]] Msat read_amount_above_0(const Value& value, const char* why);
[[nodiscard]] std::int64_t read_duration(const Value& value);
[[nodiscard]] UnixNs read_time(const Value& value);
/// The words of a program that is run without a shell.
[[nodiscard]] std::vector<std::string> read_program(const Value& value);
/// "forever" is nothing.
[[nodiscard]] std::optional<std::int64_t> read_wait(const Value& value);
/// Digits without sign or leading zero, from `least` to `most`.
[[nodiscard]] std::uint64_t read_whole(const Value& value, std::uint64_t least, std::uint64_t most);
/// The position among `words`.
[[nodiscard]] std::size_t read_choice(const Value& value, std::span<const std::string_view> words);
[[noreturn]] void refuse_bytes(const Value& value, const char* what, std::size_t size);
template <typename T> [[nodiscard]] T read_bytes(const Value& value, const char* what) {
  const auto bytes = T::from_hex_text(value.text);
  if (!bytes) refuse_bytes(value, what, T::size);
  return T{*bytes};
}

template <typename Options> inline constexpr char owner_of = 0;

namespace into {

template <auto Member> struct Target;
template <typename Options_, typename Type_, Type_ Options_::*Member> struct Target<Member> {
  using Options = Options_;
  using Type = Type_;
};
template <typename T> struct Plain { using Type = T; };
template <typename T> struct Plain<std::optional<T>> { using Type = T; };
template <auto Member> using Options = typename Target<Member>::Options;
template <auto Member> using Type = typename Plain<typename Target<Member>::Type>::Type;

/// The member gets what `Read` makes of the value.
template <auto Member, auto Read>
constexpr Into member{
    [](void* options, const Value& value) { static_cast<Options<Member>*>(options)->*Member = Read(value); },
    &owner_of<Options<Member>>};

inline bool read_on(const Value& /*value*/) { return true; }
inline std::string read_text(const Value& value) { return std::string(value.text); }
template <typename T, std::uint64_t Least, std::uint64_t Most> T read_number(const Value& value) {
  return static_cast<T>(read_whole(value, Least, Most));
}
template <typename T, const auto& Words> T read_word(const Value& value) {
  return static_cast<T>(read_choice(value, Words));
}

/// Stored nowhere: read_call itself asks whether the flag is there.
inline constexpr Into nothing{};

template <auto Member> constexpr Into on = member<Member, read_on>;
template <auto Member> constexpr Into text = member<Member, read_text>;
template <auto Member> constexpr Into amount = member<Member, read_amount>;
template <auto Member> constexpr Into duration = member<Member, read_duration>;
template <auto Member> constexpr Into wait = member<Member, read_wait>;
template <auto Member> constexpr Into time = member<Member, read_time>;
template <auto Member> constexpr Into program = member<Member, read_program>;
template <auto Member, std::uint64_t Least, std::uint64_t Most>
constexpr Into whole = member<Member, read_number<Type<Member>, Least, Most>>;
/// One of `Words`; the enumerators stand in the same order.
template <auto Member, const auto& Words> constexpr Into choice = member<Member, read_word<Type<Member>, Words>>;

template <typename Function> struct First;
template <typename Options_> struct First<void (*)(Options_&, const Value&)> { using Options = Options_; };

/// What a function of the command makes of the value: void(Options&, const Value&).
template <auto Function>
constexpr Into by{[](void* options, const Value& value) {
                    Function(*static_cast<typename First<decltype(Function)>::Options*>(options), value);
                  },
                  &owner_of<typename First<decltype(Function)>::Options>};

}  // namespace into

}  // namespace paytower::cli
