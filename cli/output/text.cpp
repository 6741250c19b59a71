// Making a stranger's text harmless, and amounts and times for people.
#include "cli/output/text.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <utility>

#include <fmt/core.h>

namespace paytower::cli {

namespace {

/// One character of UTF-8, or one byte that is not part of any.
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

using Range = std::pair<char32_t, char32_t>;

template <std::size_t N> bool in_any(const std::array<Range, N>& ranges, char32_t code) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [code](const Range& range) { return code >= range.first && code <= range.second; });
}

/// After Unicode's East Asian Width and general category Mn, as far as terminals agree.
std::size_t columns_of_character(const Character& character) {
  static constexpr std::array<Range, 10> over_the_last{{{0x0300, 0x036F},
                                                        {0x0483, 0x0489},
                                                        {0x0591, 0x05BD},
                                                        {0x064B, 0x065F},
                                                        {0x0E34, 0x0E3A},
                                                        {0x1AB0, 0x1AFF},
                                                        {0x1DC0, 0x1DFF},
                                                        {0x20D0, 0x20F0},
                                                        {0x302A, 0x302D},
                                                        {0xFE20, 0xFE2F}}};
  static constexpr std::array<Range, 14> wide{{{0x1100, 0x115F},
                                               {0x231A, 0x231B},
                                               {0x23E9, 0x23EC},
                                               {0x2E80, 0x303E},
                                               {0x3041, 0x33FF},
                                               {0x3400, 0x4DBF},
                                               {0x4E00, 0xA4CF},
                                               {0xA960, 0xA97C},
                                               {0xAC00, 0xD7A3},
                                               {0xF900, 0xFAFF},
                                               {0xFE30, 0xFE6F},
                                               {0xFF00, 0xFF60},
                                               {0xFFE0, 0xFFE6},
                                               {0x20000, 0x3FFFD}}};
  static constexpr std::array<Range, 4> pictures{
      {{0x1F300, 0x1F64F}, {0x1F680, 0x1F6FF}, {0x1F7E0, 0x1F7EB}, {0x1F900, 0x1FAFF}}};
  if (!character.valid || character.code < 0x300) return 1;
  if (in_any(over_the_last, character.code)) return 0;
  return in_any(wide, character.code) || in_any(pictures, character.code) ? 2 : 1;
}

/// Characters that control the terminal, turn the direction of reading, or are invisible.
bool harmful(char32_t code) {
  static constexpr std::array<Range, 15> ranges{{
      {0x0000, 0x001F},
      {0x007F, 0x009F},  // C0, DEL, C1
      {0x00AD, 0x00AD},
      {0x061C, 0x061C},  // soft hyphen, Arabic letter mark
      {0x115F, 0x1160},
      {0x180B, 0x180F},  // Hangul fillers, Mongolian selectors
      {0x200B, 0x200F},
      {0x2028, 0x202E},  // zero width, separators, bidi embeddings
      {0x2060, 0x206F},
      {0x3164, 0x3164},  // invisible operators, bidi isolates
      {0xFE00, 0xFE0F},
      {0xFEFF, 0xFEFF},  // variation selectors, byte order mark
      {0xFFA0, 0xFFA0},
      {0xFFF0, 0xFFFB},    // filler, interlinear marks
      {0xE0000, 0xE0FFF},  // tags
  }};
  return in_any(ranges, code) || (code & 0xFFFE) == 0xFFFE;
}

void append_escaped(std::string& out, const Character& character, std::string_view text) {
  if (!character.valid) {
    out += fmt::format("\\x{:02x}", static_cast<std::uint8_t>(text.front()));
  } else if (!harmful(character.code)) {
    out += text.substr(0, character.bytes);
  } else if (character.code == U'\n') {
    out += "\\n";
  } else if (character.code == U'\t') {
    out += "\\t";
  } else if (character.code < 0x80) {
    out += fmt::format("\\x{:02x}", static_cast<std::uint32_t>(character.code));
  } else {
    out += fmt::format("\\u{{{:x}}}", static_cast<std::uint32_t>(character.code));
  }
}

bool is_letter_or_digit(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_hex_digit(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

/// Letters and digits at the beginning of the text.
std::size_t word_size(std::string_view text) {
  return static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), is_letter_or_digit) - text.begin());
}

/// Where the first beginning of an invoice in a word ends; 0 when it has none.
std::size_t invoice_prefix_in(std::string_view word) {
  static constexpr std::array<std::string_view, 3> prefixes{"lnbc", "lntb",
                                                            "lnsb"};  // lnbcrt and lntbs begin like these
  const auto same = [](char given, char lower) {
    return given == lower || (given >= 'A' && given <= 'Z' && given + 32 == lower);
  };
  std::size_t end = 0;
  for (const std::string_view prefix : prefixes) {
    const auto found = std::search(word.begin(), word.end(), prefix.begin(), prefix.end(), same);
    if (found == word.end()) continue;
    const std::size_t behind = static_cast<std::size_t>(found - word.begin()) + prefix.size();
    end = end == 0 ? behind : std::min(end, behind);
  }
  return end;
}

}  // namespace

std::string without_invoices(std::string_view text) {
  constexpr std::size_t least = 12;  // a cut invoice of less holds its amount and time, no secret
  std::string out;
  while (!text.empty()) {
    const std::size_t size = word_size(text);
    const std::string_view word = text.substr(0, size);
    const std::size_t prefix = invoice_prefix_in(word);
    out += prefix != 0 && size - prefix >= least ? fmt::format("{}...", word.substr(0, prefix)) : std::string(word);
    if (size < text.size()) out += text[size];
    text.remove_prefix(std::min(size + 1, text.size()));
  }
  return out;
}

std::string in_quotes(std::string_view text) {
  constexpr std::size_t most = 80;
  constexpr std::size_t secret_digits = 64;
  constexpr std::size_t shown_digits = 8;
  std::string out;
  std::size_t digits = 0;  // at the end of `out`
  for (const char c : text) {
    digits = is_hex_digit(c) ? digits + 1 : 0;
    out += c;
    if (digits == secret_digits) {
      out.resize(out.size() - secret_digits + shown_digits);
      out += "...";
      digits = 0;
    }
    if (out.size() >= most + secret_digits) break;
  }
  return fmt::format("\"{}\"", without_invoices(std::string_view(out).substr(0, most)));
}

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
  std::size_t columns = 0;
  while (!text.empty()) {
    const Character character = next_character(text);
    columns += columns_of_character(character);
    text.remove_prefix(character.bytes);
  }
  return columns;
}

std::size_t bytes_within(std::string_view text, std::size_t columns) {
  std::size_t bytes = 0;
  std::size_t used = 0;
  while (bytes < text.size()) {
    const Character character = next_character(text.substr(bytes));
    used += columns_of_character(character);
    if (used > columns && bytes > 0) break;
    bytes += character.bytes;
  }
  return bytes;
}

std::string printable_cut(std::string_view text, std::size_t columns) {
  std::string shown = printable(text);
  if (columns_of(shown) <= columns) return shown;
  if (columns <= 3) return std::string(columns, '.');
  return fmt::format("{}...", shown.substr(0, bytes_within(shown, columns - 3)));
}

std::string time_text(UnixNs time) {
  namespace chrono = std::chrono;
  const std::int64_t seconds = time.value / ns_per_second - (time.value % ns_per_second < 0 ? 1 : 0);
  const chrono::sys_seconds point{chrono::seconds{seconds}};
  const auto midnight = chrono::floor<chrono::days>(point);
  const chrono::year_month_day date{midnight};
  const chrono::hh_mm_ss clock{point - midnight};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count());
}

std::string relative_time(UnixNs time, UnixNs now) {
  const bool past = time <= now;
  const std::uint64_t apart = past ? static_cast<std::uint64_t>(now.value) - static_cast<std::uint64_t>(time.value)
                                   : static_cast<std::uint64_t>(time.value) - static_cast<std::uint64_t>(now.value);
  const std::uint64_t seconds = apart / static_cast<std::uint64_t>(ns_per_second);
  std::string text;
  if (seconds < 100) {
    text = fmt::format("{} s", seconds);
  } else if (seconds < 100 * 60) {
    text = fmt::format("{} min", seconds / 60);
  } else if (seconds < 48 * 3'600) {
    text = fmt::format("{} h", seconds / 3'600);
  } else {
    text = fmt::format("{} d", grouped(seconds / 86'400));
  }
  return past ? fmt::format("{} ago", text) : fmt::format("in {}", text);
}

}  // namespace paytower::cli
