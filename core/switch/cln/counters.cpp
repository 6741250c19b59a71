// Counters to marks and back, one text for each.
#include "core/switch/cln/counters.h"

#include <array>
#include <charconv>
#include <string>
#include <string_view>
#include <system_error>

#include <fmt/core.h>

namespace paytower::cln {

namespace {

using Counter = std::optional<std::uint64_t>;

constexpr char form = '1';
constexpr std::uint64_t max_counter = INT64_MAX;  // number() reads nothing larger from the node
constexpr std::array in_order = {&Counters::payments_created, &Counters::htlcs_created, &Counters::htlcs_deleted,
                                 &Counters::movements_created};

void put(Marks& marks, const Counter& counter) {
  marks.push_back(',');
  if (!counter) return;
  const std::string digits = fmt::format("{}", *counter);
  marks.insert(marks.end(), digits.begin(), digits.end());
}

/// Cuts ",<decimal or nothing>" off the front. False if it is not there.
bool take(std::string_view& text, Counter& counter) {
  if (!text.starts_with(',')) return false;
  text.remove_prefix(1);
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error == std::errc::result_out_of_range || value > max_counter) return false;
  if (error == std::errc{}) counter = value;
  text.remove_prefix(static_cast<std::size_t>(rest - text.data()));
  return true;
}

}  // namespace

Marks marks_of(const Counters& counters) {
  Marks marks{form};
  for (const auto counter : in_order) put(marks, counters.*counter);
  return marks;
}

Counters counters_of(const Marks& marks) {
  const std::string written(marks.begin(), marks.end());
  std::string_view text = written;
  if (!text.starts_with(form)) return {};
  text.remove_prefix(1);
  Counters counters;
  for (const auto counter : in_order) {
    if (!take(text, counters.*counter)) return {};
  }
  // Only one text for each: no needless digits in front, and nothing after it.
  return text.empty() && marks_of(counters) == marks ? counters : Counters{};
}

}  // namespace paytower::cln
