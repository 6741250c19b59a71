// Network graphs as lncli and lightning-cli print them. The file is a stranger's: everything is bounded and checked.
#include "cli/input/graph.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "core/invoice/bolt11/invoice.h"

namespace paytower::cli {

namespace {

using nlohmann::json;

constexpr std::uint64_t msat_per_sat = 1'000;
constexpr std::string_view msat_suffix = "msat";

/// A fault of the document and its place. Caught in read_graph.
class Malformed : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Decimal digits only, below 2^64.
std::optional<std::uint64_t> digits(std::string_view text) {
  if (text.empty() || text.size() > 20) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    if (__builtin_mul_overflow(value, std::uint64_t{10}, &value)) return std::nullopt;
    if (__builtin_add_overflow(value, static_cast<std::uint64_t>(c - '0'), &value)) return std::nullopt;
  }
  return value;
}

/// An object of the document, with its place for messages: "edges[3]".
class Entry {
 public:
  Entry(const json& value, std::string place) : value_(value), place_(std::move(place)) {
    if (!value.is_object()) throw Malformed(fmt::format("{} is not an object", place_));
  }

  [[noreturn]] void wrong(const char* member, const char* what) const {
    throw Malformed(fmt::format("{}.{} {}", place_, member, what));
  }

  /// nullptr for a member that is missing or null.
  [[nodiscard]] const json* find(const char* member) const {
    const auto found = value_.find(member);
    return found == value_.end() || found->is_null() ? nullptr : &*found;
  }

  [[nodiscard]] const std::string& text(const char* member) const {
    const json* found = find(member);
    if (!found || !found->is_string()) wrong(member, "is not a text");
    return found->get_ref<const std::string&>();
  }

  /// A number, or its digits as text (lnd writes both), with "msat" behind them where Core Lightning has it.
  [[nodiscard]] std::optional<std::uint64_t> maybe_number(const char* member) const {
    const json* found = find(member);
    if (!found) return std::nullopt;
    if (found->is_number_unsigned()) return found->get<std::uint64_t>();
    if (!found->is_string()) wrong(member, "is not a whole number");
    std::string_view text = found->get_ref<const std::string&>();
    if (text.size() > msat_suffix.size() && text.substr(text.size() - msat_suffix.size()) == msat_suffix)
      text.remove_suffix(msat_suffix.size());
    const auto value = digits(text);
    if (!value) wrong(member, "is not a whole number");
    return value;
  }

  [[nodiscard]] std::uint64_t number(const char* member, std::uint64_t max) const {
    const auto value = maybe_number(member);
    if (!value) wrong(member, "is missing");
    if (*value > max) wrong(member, "is too large");
    return *value;
  }

  [[nodiscard]] bool flag(const char* member, bool missing) const {
    const json* found = find(member);
    if (!found) return missing;
    if (!found->is_boolean()) wrong(member, "is neither true nor false");
    return found->get<bool>();
  }

  [[nodiscard]] const std::string& place() const { return place_; }

 private:
  const json& value_;
  std::string place_;
};

/// Collects channels and knows which keys were checked.
class Reader {
 public:
  sim::ImportedGraph read_lnd(const json& document) {
    if (const auto nodes = document.find("nodes"); nodes != document.end()) {
      each(*nodes, "nodes", [this](const Entry& node) { graph_.nodes.push_back({key(node, "pub_key"), alias(node)}); });
    }
    each(document.at("edges"), "edges", [this](const Entry& edge) { read_edge(edge); });
    return take();
  }

  sim::ImportedGraph read_cln(const json& document) {
    each(document.at("channels"), "channels", [this](const Entry& direction) { read_direction(direction); });
    return take();
  }

 private:
  template <typename Visit> void each(const json& list, const char* name, Visit visit) {
    if (!list.is_array()) throw Malformed(fmt::format("{} is not a list", name));
    if (list.size() > sim::max_channels) throw Malformed(fmt::format("{} has too many entries", name));
    std::size_t at = 0;
    for (const json& value : list) visit(Entry(value, fmt::format("{}[{}]", name, at++)));
  }

  PublicKey key(const Entry& entry, const char* member) {
    const auto value = PublicKey::from_hex_text(entry.text(member));
    if (!value) entry.wrong(member, "is not a public key");
    if (checked_keys_.count(*value) == 0) {
      if (!valid_public_key(*value)) entry.wrong(member, "is not a public key");
      checked_keys_.insert(*value);
    }
    return *value;
  }

  static std::string alias(const Entry& node) { return node.find("alias") ? node.text("alias") : std::string(); }

  static Msat amount(const Entry& entry, const char* member, std::uint64_t unit) {
    return Msat::of(entry.number(member, Msat::max_value / unit) * unit);
  }

  static ShortChannelId channel_id(const Entry& entry, const char* member) {
    const json* found = entry.find(member);
    if (found && found->is_number_unsigned()) return ShortChannelId{found->get<std::uint64_t>()};
    const auto id = ShortChannelId::parse(entry.text(member));
    if (!id) entry.wrong(member, "is not a short channel id");
    return *id;
  }

  /// The channel of this id between these keys: a new one, or the one of its other direction.
  sim::ImportedChannel& channel(const Entry& entry, ShortChannelId id, const PublicKey& a, const PublicKey& b,
                                Msat capacity) {
    const auto [at, fresh] = channels_.try_emplace(id);
    sim::ImportedChannel& found = at->second;
    if (fresh) {
      found.id = id;
      found.nodes = {std::min(a, b), std::max(a, b)};
      found.capacity = capacity;
    } else if (found.nodes[0] != std::min(a, b) || found.nodes[1] != std::max(a, b) || found.capacity != capacity) {
      throw Malformed(fmt::format("{} contradicts an earlier entry of the same channel", entry.place()));
    }
    return found;
  }

  void set_policy(const Entry& entry, sim::ImportedChannel& channel, std::size_t side, sim::Policy policy) {
    if (channel.policies[side]) throw Malformed(fmt::format("{} comes twice", entry.place()));
    if (policy.htlc_max.value() == 0 || policy.htlc_max > channel.capacity) policy.htlc_max = channel.capacity;
    channel.policies[side] = policy;
  }

  void read_edge(const Entry& edge) {
    const PublicKey node1 = key(edge, "node1_pub");
    const PublicKey node2 = key(edge, "node2_pub");
    const ShortChannelId id = channel_id(edge, "channel_id");
    if (channels_.count(id) != 0) throw Malformed(fmt::format("{} comes twice", edge.place()));
    sim::ImportedChannel& made = channel(edge, id, node1, node2, amount(edge, "capacity", msat_per_sat));
    for (const char* member : {"node1_policy", "node2_policy"}) {
      const json* policy = edge.find(member);
      if (!policy) continue;
      const bool first = std::string_view(member) == "node1_policy";
      const PublicKey& sender = first ? node1 : node2;
      set_policy(edge, made, sender == made.nodes[0] ? 0 : 1,
                 lnd_policy(Entry(*policy, fmt::format("{}.{}", edge.place(), member))));
      if (node1 == node2) break;  // left out below
    }
  }

  static sim::Policy lnd_policy(const Entry& entry) {
    sim::Policy policy;
    policy.disabled = entry.flag("disabled", false);
    policy.fee_base_msat = static_cast<std::uint32_t>(entry.number("fee_base_msat", UINT32_MAX));
    policy.fee_proportional_millionths = static_cast<std::uint32_t>(entry.number("fee_rate_milli_msat", UINT32_MAX));
    policy.cltv_delta = static_cast<std::uint32_t>(entry.number("time_lock_delta", UINT16_MAX));
    policy.htlc_min = amount(entry, "min_htlc", 1);
    if (entry.find("max_htlc_msat")) policy.htlc_max = amount(entry, "max_htlc_msat", 1);
    return policy;
  }

  void read_direction(const Entry& entry) {
    const PublicKey source = key(entry, "source");
    const PublicKey destination = key(entry, "destination");
    const Msat capacity =
        entry.find("amount_msat") ? amount(entry, "amount_msat", 1) : amount(entry, "satoshis", msat_per_sat);
    sim::ImportedChannel& made = channel(entry, channel_id(entry, "short_channel_id"), source, destination, capacity);
    sim::Policy policy;
    policy.disabled = !entry.flag("active", true);
    policy.fee_base_msat = static_cast<std::uint32_t>(entry.number("base_fee_millisatoshi", UINT32_MAX));
    policy.fee_proportional_millionths = static_cast<std::uint32_t>(entry.number("fee_per_millionth", UINT32_MAX));
    policy.cltv_delta = static_cast<std::uint32_t>(entry.number("delay", UINT16_MAX));
    policy.htlc_min = amount(entry, "htlc_minimum_msat", 1);
    if (entry.find("htlc_maximum_msat")) policy.htlc_max = amount(entry, "htlc_maximum_msat", 1);
    set_policy(entry, made, source == made.nodes[0] ? 0 : 1, policy);
  }

  sim::ImportedGraph take() {
    for (auto& [id, channel] : channels_) {
      const bool usable = channel.policies[0].has_value() || channel.policies[1].has_value();
      if (usable && channel.nodes[0] != channel.nodes[1] && channel.capacity.value() != 0)
        graph_.channels.push_back(channel);
    }
    return std::move(graph_);
  }

  sim::ImportedGraph graph_;
  std::map<ShortChannelId, sim::ImportedChannel> channels_;
  std::set<PublicKey> checked_keys_;
};

Error no_graph(std::string_view why) {
  return Error{Errc::usage,
               fmt::format("this is not a graph of lncli describegraph or lightning-cli listchannels: {}", why)};
}

}  // namespace

Result<sim::ImportedGraph> read_graph(const nlohmann::json& document) {
  try {
    if (!document.is_object()) return no_graph("it is not an object");
    if (document.contains("edges")) return Reader().read_lnd(document);
    if (document.contains("channels")) return Reader().read_cln(document);
  } catch (const Malformed& error) {
    return no_graph(error.what());
  }
  return no_graph("it has neither edges nor channels");
}

}  // namespace paytower::cli
