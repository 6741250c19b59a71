#include "db/payments/text_search.h"

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <new>
#include <span>

#include "core/base/bytes.h"
#include "core/invoice/bolt11/invoice.h"

namespace paytower::db {

namespace {

constexpr std::size_t fewest_digits = 6;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

/// The bytes of a value; empty for NULL.
std::string_view bytes_of(sqlite3_value* value) {
  const auto* data = static_cast<const char*>(sqlite3_value_blob(value));
  const auto size = static_cast<std::size_t>(sqlite3_value_bytes(value));
  return data == nullptr ? std::string_view() : std::string_view(data, size);
}

bool holds(std::string_view text, std::string_view wanted) {
  const auto same = [](char c, char low) { return lower(c) == low; };
  return std::search(text.begin(), text.end(), wanted.begin(), wanted.end(), same) != text.end();
}

bool are_digits(std::string_view text) {
  const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return text.size() >= fewest_digits && std::all_of(text.begin(), text.end(), is_digit);
}

/// Whether the bytes begin with these hex digits.
bool begins(std::string_view bytes, std::string_view digits) {
  static constexpr std::string_view alphabet = "0123456789abcdef";
  if (digits.size() > 2 * bytes.size()) return false;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    const auto byte = static_cast<std::uint8_t>(bytes[i / 2]);
    if (alphabet[i % 2 == 0 ? byte >> 4 : byte & 15] != digits[i]) return false;
  }
  return true;
}

/// The value of each letter of bech32; 255 for what is none.
constexpr std::array<std::uint8_t, 256> letter_values() {
  constexpr std::string_view letters = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
  std::array<std::uint8_t, 256> values{};
  values.fill(255);
  for (std::size_t i = 0; i < letters.size(); ++i) {
    values[static_cast<std::uint8_t>(letters[i])] = static_cast<std::uint8_t>(i);
    if (letters[i] >= 'a') values[static_cast<std::uint8_t>(letters[i] - 32)] = static_cast<std::uint8_t>(i);
  }
  return values;
}

std::uint8_t letter_value(char c) {
  static constexpr std::array<std::uint8_t, 256> values = letter_values();
  return values[static_cast<std::uint8_t>(c)];
}

std::string bytes_in(std::string_view letters) {
  std::string bytes;
  unsigned bits = 0;
  unsigned held = 0;
  for (const char c : letters) {
    held = held << 5 | letter_value(c);
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes += static_cast<char>(held >> bits & 255);
  }
  return bytes;
}

/// False where no field of descriptions in the invoice holds the text. Looks at these fields alone: the whole invoice,
/// checksum and all, is read only where one of them does.
bool may_describe(std::string_view invoice, std::string_view wanted) {
  constexpr std::size_t timestamp = 7;
  constexpr std::size_t behind = 104 + 6;  // signature and checksum
  constexpr std::uint8_t description = 13;
  std::string_view rest = invoice.substr(invoice.rfind('1') + 1);
  if (rest.size() < timestamp + behind) return false;
  rest = rest.substr(timestamp, rest.size() - timestamp - behind);
  while (rest.size() >= 3) {
    const std::size_t size = letter_value(rest[1]) * 32U + letter_value(rest[2]);
    if (size > rest.size() - 3) return false;
    if (letter_value(rest[0]) == description && holds(bytes_in(rest.substr(3, size)), wanted)) return true;
    rest.remove_prefix(3 + size);
  }
  return false;
}

bool says(std::string_view wanted, std::span<sqlite3_value* const> payment) {
  if (holds(bytes_of(payment[0]), wanted)) return true;
  if (are_digits(wanted) && (begins(bytes_of(payment[2]), wanted) || begins(bytes_of(payment[3]), wanted))) return true;
  const std::string_view invoice = bytes_of(payment[1]);
  if (!may_describe(invoice, wanted)) return false;
  const auto description = description_in(invoice);
  return description && holds(*description, wanted);
}

void sql_says(sqlite3_context* context, int, sqlite3_value** values) noexcept {
  try {
    sqlite3_result_int(context, says(bytes_of(values[0]), std::span(values + 1, 4)) ? 1 : 0);
  } catch (const std::bad_alloc&) {
    sqlite3_result_error_nomem(context);
  }
}

}  // namespace

void register_says(SQLite::Database& database) {
  sqlite3_create_function(database.getHandle(), "says", 5, SQLITE_UTF8 | SQLITE_DETERMINISTIC, nullptr, sql_says,
                          nullptr, nullptr);
}

std::string lower_case(std::string_view text) {
  std::string low(text);
  std::transform(low.begin(), low.end(), low.begin(), lower);
  return low;
}

std::string glob_of(std::string_view pattern) {
  std::string glob;
  for (const char c : pattern) {
    if (c == '[') {
      glob += "[[]";
    } else {
      glob += c;
    }
  }
  return glob;
}

}  // namespace paytower::db
