// What `list --search` looks into, as a function that SQL calls.
#include "db/payments/text_search.h"

#include <sqlite3.h>

#include <algorithm>
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

bool says(std::string_view wanted, std::span<sqlite3_value* const> payment) {
  if (holds(bytes_of(payment[0]), wanted)) return true;
  if (are_digits(wanted) && (begins(bytes_of(payment[2]), wanted) || begins(bytes_of(payment[3]), wanted))) return true;
  const auto description = description_in(bytes_of(payment[1]));
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
