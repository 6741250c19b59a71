// Reads SPECs, counts occasions, and says which faults strike.
#include "core/sim/node/faults.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include <fmt/core.h>

#include "core/sim/admin.h"

namespace paytower::sim {

namespace {

constexpr std::size_t most_items = 256;
constexpr std::uint64_t most_bytes = std::uint64_t{64} << 20;  ///< for big= and deep=

/// What comes after "KIND=".
enum class Value : std::uint8_t { none, duration, size, count, code, name, hold, stall, fail };

/// On which occasions a fault can strike.
enum class When : std::uint8_t { before, around, end };

struct KindWord {
  std::string_view word;
  FaultKind kind;
  When when = When::before;
  Value value = Value::none;
};

constexpr std::array kind_words = {
    KindWord{"unread", FaultKind::unread, When::before, Value::duration},
    KindWord{"ignore", FaultKind::ignore},
    KindWord{"drop-reply", FaultKind::drop_reply},
    KindWord{"late", FaultKind::late, When::before, Value::duration},
    KindWord{"break", FaultKind::break_off, When::around},
    KindWord{"close", FaultKind::close, When::before, Value::size},
    KindWord{"garbage", FaultKind::garbage},
    KindWord{"wrong-id", FaultKind::wrong_id},
    KindWord{"twice", FaultKind::twice},
    KindWord{"big", FaultKind::big, When::before, Value::size},
    KindWord{"deep", FaultKind::deep, When::before, Value::size},
    KindWord{"error", FaultKind::error, When::around, Value::code},
    KindWord{"shuffle", FaultKind::shuffle, When::before, Value::count},
    KindWord{"restart", FaultKind::restart, When::around},
    KindWord{"refuse", FaultKind::refuse, When::around, Value::duration},
    KindWord{"die", FaultKind::die, When::around},
    KindWord{"hold", FaultKind::hold, When::before, Value::hold},
    KindWord{"orphan", FaultKind::orphan},
    KindWord{"fail", FaultKind::fail, When::before, Value::fail},
    KindWord{"stall", FaultKind::stall, When::before, Value::stall},
    KindWord{"orphan-fence", FaultKind::orphan_fence},
    KindWord{"refuse-fence", FaultKind::refuse_fence},
    KindWord{"forget", FaultKind::forget, When::around},
    KindWord{"lose-result", FaultKind::lose_result, When::end},
    KindWord{"forget-all", FaultKind::forget_all, When::around},
    KindWord{"new-store", FaultKind::new_store, When::around},
    KindWord{"save", FaultKind::save, When::around, Value::name},
    KindWord{"restore", FaultKind::restore, When::around, Value::name},
    KindWord{"foreign-pay", FaultKind::foreign_pay, When::around},
    KindWord{"foreign-hold", FaultKind::foreign_hold, When::around},
    KindWord{"foreign-fail", FaultKind::foreign_fail, When::around},
    KindWord{"foreign-complete", FaultKind::foreign_complete, When::around},
    KindWord{"settles-twice", FaultKind::settles_twice, When::around},
    KindWord{"wrong-preimage", FaultKind::wrong_preimage, When::around},
    KindWord{"no-preimage", FaultKind::no_preimage, When::around},
    KindWord{"restart-payee", FaultKind::restart_payee, When::around},
};

Error no_fault(std::string_view why) {
  return Error{Errc::usage, fmt::format("--faults: {}", why), "paytower simulate serve --help"};
}

std::optional<std::uint64_t> number(std::string_view text, std::uint64_t most = UINT64_MAX) {
  std::uint64_t value = 0;
  const auto [stop, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || problem != std::errc() || stop != text.data() + text.size() || value > most) return std::nullopt;
  return value;
}

/// A whole number, at least 1.
std::optional<std::uint32_t> counted(std::string_view text) {
  const auto value = number(text, UINT32_MAX);
  if (!value || *value == 0) return std::nullopt;
  return static_cast<std::uint32_t>(*value);
}

/// "0", or digits with one of ms, s, m, h.
std::optional<std::int64_t> duration(std::string_view text) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto count = number(text.substr(0, digits), 1'000'000);
  const std::string_view unit = text.substr(digits);
  if (!count) return std::nullopt;
  if (unit.empty() && *count == 0) return 0;
  const std::array<std::pair<std::string_view, std::int64_t>, 4> units{
      {{"ms", ns_per_ms}, {"s", ns_per_second}, {"m", 60 * ns_per_second}, {"h", 3'600 * ns_per_second}}};
  for (const auto& [name, ns] : units) {
    if (name == unit) return static_cast<std::int64_t>(*count) * ns;
  }
  return std::nullopt;
}

std::optional<std::int64_t> error_code(std::string_view text) {
  const bool negative = !text.empty() && text[0] == '-';
  const auto value = number(text.substr(negative ? 1 : 0), 100'000);
  if (!value) return std::nullopt;
  return negative ? -static_cast<std::int64_t>(*value) : static_cast<std::int64_t>(*value);
}

bool put(std::int64_t& into, const auto& read) {
  if (read) into = static_cast<std::int64_t>(*read);
  return read.has_value();
}

bool read_value(Value wanted, std::string_view text, Fault& fault) {
  switch (wanted) {
    case Value::none: return text.empty();
    case Value::duration: return put(fault.value, duration(text));
    case Value::size: return put(fault.value, number(text, most_bytes));
    case Value::count: return put(fault.value, counted(text)) && fault.value <= static_cast<std::int64_t>(most_bytes);
    case Value::code: return put(fault.value, error_code(text));
    case Value::name: fault.text = text; return !text.empty();
    case Value::stall: fault.value = Hold::forever; return text == "forever" || put(fault.value, duration(text));
    case Value::fail: {
      const auto read = parse_fail_spec(text);
      if (read) fault.fail = *read;
      return fault.fail && !fault.fail->times;  // how often is said after the occasion
    }
    case Value::hold: break;
  }
  const std::size_t slash = text.find('/');
  const auto height = slash == std::string_view::npos ? 0 : number(text.substr(slash + 1), UINT32_MAX);
  fault.height = static_cast<std::uint32_t>(height.value_or(0));
  return height && put(fault.value, duration(text.substr(0, slash)));
}

/// "OCCASION[/HASH][#PART]"
Result<std::monostate> read_meant(std::string_view text, Fault& fault) {
  const std::size_t sharp = std::min(text.find('#'), text.size());
  const std::size_t slash = std::min(text.find('/'), sharp);
  fault.occasion = text.substr(0, slash);
  if (fault.occasion.empty()) return no_fault("@ needs a method after it, or fence, connect, end, *");
  if (slash < sharp) {
    fault.hash = PaymentHash::from_hex_text(text.substr(slash + 1, sharp - slash - 1));
    if (!fault.hash) return no_fault("/HASH needs the 64 hex digits of a payment hash");
  }
  if (sharp == text.size()) return std::monostate{};
  const auto part = number(text.substr(sharp + 1), UINT32_MAX);
  if (!part) return no_fault("#PART needs the number of a part");
  fault.part = static_cast<std::uint32_t>(*part);
  return std::monostate{};
}

/// "[after-]OCCASION[/HASH][#PART][:N[xM]|~K]"
Result<std::monostate> read_occasion(std::string_view text, Fault& fault) {
  constexpr std::string_view behind = "after-";
  fault.after = text.starts_with(behind);
  if (fault.after) text.remove_prefix(behind.size());
  const std::size_t mark = std::min(text.find_first_of(":~"), text.size());
  if (auto read = read_meant(text.substr(0, mark), fault); !read) return read;
  if (mark == text.size()) return std::monostate{};
  const std::string_view count = text.substr(mark + 1);
  if (text[mark] == '~') {
    fault.one_in = counted(count).value_or(0);
    return fault.one_in == 0 ? Result<std::monostate>(no_fault("~K needs a whole number from 1 up")) : std::monostate{};
  }
  const std::size_t x = count.find('x');
  const auto first = counted(count.substr(0, x));
  const auto times = x == std::string_view::npos ? 1 : counted(count.substr(x + 1));
  if (!first || !times) return no_fault(":NxM needs whole numbers from 1 up");
  fault.skip = *first - 1;
  fault.times = *times;
  return std::monostate{};
}

}  // namespace

const Fault* ActiveFaults::find(FaultKind kind, bool after) const {
  const auto found = std::find_if(all.rbegin(), all.rend(),
                                  [&](const Fault& fault) { return fault.kind == kind && fault.after == after; });
  return found == all.rend() ? nullptr : &*found;
}

std::optional<std::int64_t> ActiveFaults::value(FaultKind kind, bool after) const {
  const Fault* const fault = find(kind, after);
  return fault ? std::optional(fault->value) : std::nullopt;
}

bool ActiveFaults::executes() const {
  return std::none_of(all.begin(), all.end(), [](const Fault& fault) {
    const FaultKind kind = fault.kind;
    return kind == FaultKind::ignore ||
           (!fault.after && (kind == FaultKind::break_off || kind == FaultKind::error || kind == FaultKind::restart ||
                             kind == FaultKind::refuse || kind == FaultKind::die));
  });
}

bool Faults::read_setting(std::string_view name, std::string_view value) {
  const auto set = [](auto& field, auto what) {
    field = what;
    return true;
  };
  if (name == "lightningd" && value.empty()) return set(poses_as_lightningd_, true);
  if (name == "forwarder" && value.empty()) return set(behind_forwarder_, true);
  const auto count = number(value);
  if (name == "seed" && count) return set(numbers_, SeededNumbers(*count));
  if (name == "lag" && count && *count <= UINT32_MAX)
    return set(traits_.lag_blocks, static_cast<std::uint32_t>(*count));
  if (name != "without" || value.empty()) return false;
  while (!value.empty()) {
    const std::size_t plus = std::min(value.find('+'), value.size());
    traits_.without.emplace_back(value.substr(0, plus));
    value.remove_prefix(std::min(plus + 1, value.size()));
  }
  return true;
}

Result<std::monostate> Faults::read_item(std::string_view text) {
  const std::size_t at = text.rfind('@');
  const std::string_view what = text.substr(0, at);
  const std::size_t equals = std::min(what.find('='), what.size());
  const std::string_view name = what.substr(0, equals);
  const std::string_view value = what.substr(std::min(equals + 1, what.size()));
  const auto unknown = [&] {
    return no_fault(fmt::format("\"{}\" is not a fault (KIND[=VALUE]@METHOD, such as drop-reply@sendpay:2)", text));
  };
  if (at == std::string_view::npos) {
    if (!read_setting(name, value)) return unknown();
    return std::monostate{};
  }
  Fault fault;
  if (auto read = read_occasion(text.substr(at + 1), fault); !read) return read.error();
  const auto word =
      std::find_if(kind_words.begin(), kind_words.end(), [&](const KindWord& entry) { return entry.word == name; });
  if (word == kind_words.end() || !read_value(word->value, value, fault)) return unknown();
  if ((fault.after && word->when != When::around) || (word->when == When::end && fault.occasion != "end"))
    return unknown();
  fault.kind = word->kind;
  add(std::move(fault));
  return std::monostate{};
}

Result<Faults> Faults::parse(std::string_view spec) {
  Faults faults;
  while (!spec.empty()) {
    const std::size_t comma = std::min(spec.find(','), spec.size());
    if (auto read = faults.read_item(spec.substr(0, comma)); !read) return read.error();
    if (faults.faults_.size() > most_items) return no_fault("too many faults");
    spec.remove_prefix(std::min(comma + 1, spec.size()));
  }
  return faults;
}

ActiveFaults Faults::at(std::string_view occasion, const std::optional<PaymentHash>& hash,
                        const std::optional<std::uint32_t>& part) {
  ActiveFaults active;
  const bool is_method = occasion != "connect" && occasion != "end";
  for (Fault& fault : faults_) {
    if (fault.occasion != occasion && !(fault.occasion == "*" && is_method)) continue;
    if ((fault.hash && fault.hash != hash) || (fault.part && fault.part != part)) continue;
    if (fault.one_in != 0 && numbers_.below(fault.one_in) != 0) continue;
    if (fault.skip > 0) {
      --fault.skip;
      continue;
    }
    if (fault.times != Fault::always) --fault.times;
    active.all.push_back(fault);
  }
  std::erase_if(faults_, [](const Fault& fault) { return fault.times == 0; });
  return active;
}

}  // namespace paytower::sim
