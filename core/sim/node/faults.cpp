#include "core/sim/node/faults.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace paytower::sim {

namespace {

constexpr std::size_t most_items = 256;
constexpr std::uint64_t most_bytes = std::uint64_t{64} << 20;  ///< of big= and deep=

Error refuse(std::string why) {
  return Error{Errc::usage, "--faults: " + std::move(why), "paytower simulate serve --help"};
}

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [stop, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || problem != std::errc() || stop != text.data() + text.size()) return std::nullopt;
  return value;
}

/// "0", or digits and one of ms, s, m, h.
std::optional<std::int64_t> duration(std::string_view text) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto count = number(text.substr(0, digits));
  const std::string_view unit = text.substr(digits);
  if (!count || *count > 1'000'000) return std::nullopt;
  if (unit.empty() && *count == 0) return 0;
  const std::array<std::pair<std::string_view, std::int64_t>, 4> units{
      {{"ms", ns_per_ms}, {"s", ns_per_second}, {"m", 60 * ns_per_second}, {"h", 3'600 * ns_per_second}}};
  for (const auto& [name, ns] : units) {
    if (name == unit) return static_cast<std::int64_t>(*count) * ns;
  }
  return std::nullopt;
}

std::optional<int> error_code(std::string_view text) {
  const bool negative = !text.empty() && text[0] == '-';
  const auto value = number(text.substr(negative ? 1 : 0));
  if (!value || *value > 100'000) return std::nullopt;
  return negative ? -static_cast<int>(*value) : static_cast<int>(*value);
}

RpcOrder order_of(FaultKind kind, std::string_view text = {}) {
  RpcOrder order;
  order.fault.kind = kind;
  order.fault.text = std::string(text);
  return order;
}

RpcOrder foreign(ForeignAct act) {
  RpcOrder order = order_of(FaultKind::foreign, "another user of the node");
  order.fault.act = act;
  return order;
}

RpcOrder plain(RpcOrder::Kind kind, std::string_view text = {}) {
  RpcOrder order;
  order.kind = kind;
  order.fault.text = std::string(text);
  return order;
}

RpcOrder payee(PayeeBehaviour behaviour) {
  RpcOrder order = plain(RpcOrder::Kind::behaviour);
  order.behaviour = behaviour;
  return order;
}

/// "DUR" or "DUR/HEIGHT"
std::optional<RpcOrder> hold(std::string_view value) {
  const std::size_t slash = value.find('/');
  const auto delay = duration(value.substr(0, slash));
  const auto height =
      slash == std::string_view::npos ? std::optional<std::uint64_t>(0) : number(value.substr(slash + 1));
  if (!delay || !height || *height > UINT32_MAX) return std::nullopt;
  RpcOrder order = order_of(FaultKind::hold_request);
  order.fault.delay_ns = *delay;
  order.fault.height = static_cast<std::uint32_t>(*height);
  return order;
}

/// What is done to the node; nothing for other kinds, or for a value that makes no sense.
std::optional<RpcOrder> node_order(std::string_view kind, std::string_view value) {
  if (kind == "hold") return hold(value);
  if (kind == "save" && !value.empty()) return plain(RpcOrder::Kind::save_copy, value);
  if (kind == "restore" && !value.empty()) return order_of(FaultKind::restore_copy, value);
  if (!value.empty()) return std::nullopt;
  if (kind == "orphan") return order_of(FaultKind::orphan_row);
  if (kind == "refuse-fence") return order_of(FaultKind::refuse_fence);
  if (kind == "orphan-fence") return order_of(FaultKind::orphan_fence);
  if (kind == "forget") return order_of(FaultKind::erase_rows);
  if (kind == "forget-all") return plain(RpcOrder::Kind::forget_all);
  if (kind == "new-store") return plain(RpcOrder::Kind::new_store);
  if (kind == "foreign-pay") return foreign(ForeignAct::pay);
  if (kind == "foreign-hold") return foreign(ForeignAct::hold);
  if (kind == "foreign-fail") return foreign(ForeignAct::fail);
  if (kind == "foreign-complete") return foreign(ForeignAct::complete);
  if (kind == "settles-twice") return payee(PayeeBehaviour::settles_twice);
  if (kind == "wrong-preimage") return payee(PayeeBehaviour::wrong_preimage);
  if (kind == "no-preimage") return payee(PayeeBehaviour::complete_without_preimage);
  return std::nullopt;
}

/// What is done on the wire. False: no such kind, no such value, or `after` makes no sense with it.
bool wire_strike(std::string_view kind, std::string_view value, bool after, RpcStrikes& strikes) {
  const auto put = [](auto& field, auto what) {
    field = what;
    return true;
  };
  const auto ns = duration(value);
  const auto count = number(value);
  const bool size = count.value_or(most_bytes + 1) <= most_bytes;
  if (kind == "restart" && value.empty()) return put(after ? strikes.restart_after : strikes.restart_before, true);
  if (kind == "die" && value.empty()) return put(after ? strikes.die_after : strikes.die_before, true);
  if (kind == "break" && value.empty()) return put(after ? strikes.break_after : strikes.break_before, true);
  if (kind == "refuse" && ns) return put(after ? strikes.refuse_after : strikes.refuse_before, *ns);
  if (kind == "error" && error_code(value))
    return put(after ? strikes.error_after : strikes.error_before, *error_code(value));
  if (after) return false;
  if (kind == "unread" && ns) return put(strikes.unread_ns, *ns);
  if (kind == "late" && ns) return put(strikes.late_ns, *ns);
  if (kind == "close" && size) return put(strikes.cut, *count);
  if (kind == "big" && size) return put(strikes.big, *count);
  if (kind == "deep" && size) return put(strikes.deep, *count);
  if (kind == "shuffle" && size && *count > 0) return put(strikes.shuffle, *count);
  if (!value.empty()) return false;
  if (kind == "ignore") return put(strikes.ignore, true);
  if (kind == "drop-reply") return put(strikes.drop_reply, true);
  if (kind == "garbage") return put(strikes.garbage, true);
  if (kind == "wrong-id") return put(strikes.wrong_id, true);
  if (kind == "twice") return put(strikes.twice, true);
  return false;
}

template <typename T> void take(std::optional<T>& into, const std::optional<T>& from) {
  if (from) into = from;
}

void add(RpcStrikes& into, const RpcStrikes& more) {
  take(into.unread_ns, more.unread_ns);
  into.ignore |= more.ignore;
  into.drop_reply |= more.drop_reply;
  into.break_before |= more.break_before;
  into.break_after |= more.break_after;
  take(into.cut, more.cut);
  into.late_ns = std::max(into.late_ns, more.late_ns);
  into.garbage |= more.garbage;
  take(into.big, more.big);
  take(into.deep, more.deep);
  into.wrong_id |= more.wrong_id;
  into.twice |= more.twice;
  take(into.error_before, more.error_before);
  take(into.error_after, more.error_after);
  into.shuffle = std::max(into.shuffle, more.shuffle);
  into.restart_before |= more.restart_before;
  into.restart_after |= more.restart_after;
  into.die_before |= more.die_before;
  into.die_after |= more.die_after;
  take(into.refuse_before, more.refuse_before);
  take(into.refuse_after, more.refuse_after);
  into.orders.before.insert(into.orders.before.end(), more.orders.before.begin(), more.orders.before.end());
  into.orders.after.insert(into.orders.after.end(), more.orders.after.begin(), more.orders.after.end());
}

}  // namespace

bool RpcFaults::read_setting(std::string_view name, std::string_view value) {
  const auto put = [](auto& field, auto what) {
    field = what;
    return true;
  };
  if (name == "lightningd" && value.empty()) return put(poses_as_lightningd_, true);
  if (name == "forwarder" && value.empty()) return put(behind_forwarder_, true);
  const auto count = number(value);
  if (name == "seed" && count) return put(numbers_, SeededNumbers(*count));
  if (name == "lag" && count && *count <= UINT32_MAX)
    return put(traits_.lag_blocks, static_cast<std::uint32_t>(*count));
  if (name != "without" || value.empty()) return false;
  while (!value.empty()) {
    const std::size_t plus = std::min(value.find('+'), value.size());
    traits_.without.emplace_back(value.substr(0, plus));
    value.remove_prefix(std::min(plus + 1, value.size()));
  }
  return true;
}

Result<std::monostate> RpcFaults::read_occasion(std::string_view text, Item& item) const {
  constexpr std::string_view behind = "after-";
  item.after = text.substr(0, behind.size()) == behind;
  if (item.after) text.remove_prefix(behind.size());
  const std::size_t mark = text.find_first_of(":~");
  item.occasion = std::string(text.substr(0, mark));
  if (item.occasion.empty()) return refuse("@ wants a method behind it, or fence, connect, end, *");
  if (mark == std::string_view::npos) return std::monostate{};
  std::string_view count = text.substr(mark + 1);
  if (text[mark] == '~') {
    const auto one_in = number(count);
    if (!one_in || *one_in == 0 || *one_in > UINT32_MAX) return refuse("~K wants a whole number from 1 up");
    item.one_in = static_cast<std::uint32_t>(*one_in);
    return std::monostate{};
  }
  const std::size_t x = count.find('x');
  const auto first = number(count.substr(0, x));
  const auto times = x == std::string_view::npos ? std::optional<std::uint64_t>(1) : number(count.substr(x + 1));
  if (!first || *first == 0 || *first > UINT32_MAX || !times || *times > UINT32_MAX)
    return refuse(":NxM wants whole numbers from 1 up");
  item.first = static_cast<std::uint32_t>(*first);
  item.times = static_cast<std::uint32_t>(*times);
  return std::monostate{};
}

Result<std::monostate> RpcFaults::read_item(std::string_view text) {
  const std::size_t at = text.rfind('@');
  const std::string_view what = text.substr(0, at);
  const std::size_t equals = std::min(what.find('='), what.size());
  const std::string_view name = what.substr(0, equals);
  const std::string_view value = what.substr(std::min(equals + 1, what.size()));
  const auto unknown = [&] {
    return refuse("\"" + std::string(text) + "\" is no fault (KIND[=VALUE]@METHOD, such as drop-reply@sendpay:2)");
  };
  if (at == std::string_view::npos) {
    if (!read_setting(name, value)) return unknown();
    return std::monostate{};
  }
  Item item;
  if (auto read = read_occasion(text.substr(at + 1), item); !read) return read.error();
  if (name == "lose-result" && value.empty() && !item.after && item.occasion == "end") {
    item.strikes.orders.before.push_back(order_of(FaultKind::erase_rows));
  } else if (auto order = node_order(name, value)) {
    const bool alters_request =
        order->fault.kind == FaultKind::hold_request || order->fault.kind == FaultKind::orphan_row ||
        order->fault.kind == FaultKind::refuse_fence || order->fault.kind == FaultKind::orphan_fence;
    if (item.after && order->kind == RpcOrder::Kind::fault && alters_request) return unknown();
    (item.after ? item.strikes.orders.after : item.strikes.orders.before).push_back(std::move(*order));
  } else if (!wire_strike(name, value, item.after, item.strikes)) {
    return unknown();
  }
  items_.push_back(std::move(item));
  return std::monostate{};
}

Result<RpcFaults> RpcFaults::parse(std::string_view spec) {
  RpcFaults faults;
  while (!spec.empty()) {
    const std::size_t comma = std::min(spec.find(','), spec.size());
    if (auto read = faults.read_item(spec.substr(0, comma)); !read) return read.error();
    if (faults.items_.size() > most_items) return refuse("too many faults");
    spec.remove_prefix(std::min(comma + 1, spec.size()));
  }
  return faults;
}

RpcStrikes RpcFaults::strike(std::string_view occasion) {
  RpcStrikes struck;
  const bool is_method = occasion != "connect" && occasion != "end";
  for (Item& item : items_) {
    if (item.occasion != occasion && !(item.occasion == "*" && is_method)) continue;
    ++item.seen;
    const bool counted = item.one_in == 0 && item.seen >= item.first && item.seen - item.first < item.times;
    const bool drawn = item.one_in != 0 && numbers_.below(item.one_in) == 0;
    if (counted || drawn) add(struck, item.strikes);
  }
  return struck;
}

}  // namespace paytower::sim
