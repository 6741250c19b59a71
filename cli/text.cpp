#include "cli/text.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

namespace paytower::cli {

namespace {

/// One character of UTF-8, or one byte that is none.
struct Character {
  std::size_t bytes = 1;
  char32_t code = 0;
  bool valid = false;
};

Character next_character(std::string_view text) {
  const auto at = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t first = at(0);
  if (first < 0x80) return {1, first, true};
  const std::size_t bytes = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < bytes) return {};
  char32_t code = first & (0xFFU >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((at(i) & 0xC0U) != 0x80) return {};
    code = code << 6 | (at(i) & 0x3FU);
  }
  static constexpr std::array<char32_t, 5> smallest{0, 0, 0x80, 0x800, 0x10000};
  if (code < smallest[bytes] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return {};
  return {bytes, code, true};
}

/// Characters that steer the terminal, turn the direction of reading, or show nothing.
bool harmful(char32_t code) {
  static constexpr std::array<std::pair<char32_t, char32_t>, 15> ranges{{
      {0x0000, 0x001F}, {0x007F, 0x009F},               // C0, DEL, C1
      {0x00AD, 0x00AD}, {0x061C, 0x061C},               // soft hyphen, Arabic letter mark
      {0x115F, 0x1160}, {0x180B, 0x180F},               // Hangul fillers, Mongolian selectors
      {0x200B, 0x200F}, {0x2028, 0x202E},               // zero width, separators, bidi embeddings
      {0x2060, 0x206F}, {0x3164, 0x3164},               // invisible operators, bidi isolates
      {0xFE00, 0xFE0F}, {0xFEFF, 0xFEFF},               // variation selectors, byte order mark
      {0xFFA0, 0xFFA0}, {0xFFF0, 0xFFFB},               // filler, interlinear marks
      {0xE0000, 0xE0FFF},                               // tags
  }};
  return std::any_of(ranges.begin(), ranges.end(), [code](const auto& range) { return code >= range.first && code <= range.second; }) ||
         (code & 0xFFFE) == 0xFFFE;
}

std::string hex(std::uint32_t value, std::size_t width) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (; value != 0 || text.size() < width; value >>= 4) text.insert(text.begin(), digits[value & 0xF]);
  return text;
}

void append_escaped(std::string& out, const Character& character, std::string_view text) {
  if (!character.valid) {
    out += "\\x" + hex(static_cast<std::uint8_t>(text.front()), 2);
  } else if (!harmful(character.code)) {
    out += text.substr(0, character.bytes);
  } else if (character.code == U'\n') {
    out += "\\n";
  } else if (character.code == U'\t') {
    out += "\\t";
  } else if (character.code < 0x80) {
    out += "\\x" + hex(static_cast<std::uint32_t>(character.code), 2);
  } else {
    out += "\\u{" + hex(static_cast<std::uint32_t>(character.code), 1) + "}";
  }
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Character character = next_character(text);
    append_escaped(out, character, text);
    text.remove_prefix(character.bytes);
  }
  return out;
}

std::size_t columns_of(std::string_view text) {
  const auto begins = [](char c) { return (static_cast<std::uint8_t>(c) & 0xC0U) != 0x80; };
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins));
}

std::string printable_cut(std::string_view text, std::size_t columns) {
  std::string shown = printable(text);
  if (columns_of(shown) <= columns) return shown;
  std::size_t end = 0;
  for (std::size_t column = 0; column + 3 < columns; ++column) end += next_character(std::string_view(shown).substr(end)).bytes;
  return shown.substr(0, end) + "...";
}

std::string grouped(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, ",");
  return text;
}

std::string sat_text(Msat amount) {
  std::string text = grouped(amount.value() / 1000);
  if (const std::uint64_t rest = amount.value() % 1000; rest != 0) {
    std::string digits = std::to_string(1000 + rest).substr(1);
    digits.erase(digits.find_last_not_of('0') + 1);
    text += "." + digits;
  }
  return text + " sat";
}

std::string shell_word(std::string_view text) {
  const auto plain = [](char c) {
    const bool letter_or_digit = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return letter_or_digit || std::string_view("@%+=:,./_-").find(c) != std::string_view::npos;
  };
  if (!text.empty() && std::all_of(text.begin(), text.end(), plain)) return std::string(text);
  std::string word = "'";
  for (const char c : text) {
    if (c == '\'') {
      word += "'\\''";
    } else {
      word += c;
    }
  }
  return word + "'";
}

}  // namespace paytower::cli
