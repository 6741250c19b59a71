// Routes as lncli and lightning-cli print them, read within bounds.
#include "cli/input/routes.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "core/base/amount_text.h"
#include "core/base/json.h"
#include "core/base/limits.h"
#include "core/base/number.h"

namespace paytower::cli {

namespace {

using nlohmann::json;

/// A fault in the document; stays inside this file.
struct Fault {
  std::string what;
};

[[noreturn]] void fail(const std::string& where, const std::string& what) {
  throw Fault{fmt::format("{}: {}", where, what)};
}

const json& member(const json& object, const char* key, const std::string& where) {
  if (!object.is_object()) fail(where, "not an object");
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) fail(where, fmt::format("\"{}\" is missing", key));
  return *found;
}

/// A whole number, or the same in a string (lnd), with `suffix` behind it where that is a unit ("123msat", old Core
/// Lightning).
std::uint64_t number_in(const json& object, const char* key, const std::string& where, std::string_view suffix = {}) {
  const json& value = member(object, key, where);
  if (value.is_number_unsigned()) return value.get<std::uint64_t>();
  if (value.is_string()) {
    std::string_view text = value.get_ref<const std::string&>();
    const bool has_unit =
        !suffix.empty() && text.size() > suffix.size() && text.substr(text.size() - suffix.size()) == suffix;
    if (has_unit) text.remove_suffix(suffix.size());
    if (const auto number = paytower::whole_number(text)) return *number;
  }
  fail(where, fmt::format("\"{}\" is not a whole number", key));
}

Msat amount(const json& object, const char* key, const std::string& where) {
  const auto value = Msat::from(number_in(object, key, where, "msat"));
  if (!value) fail(where, fmt::format("\"{}\" is more than 21 million btc", key));
  return *value;
}

Msat sum(Msat a, Msat b, const std::string& where) {
  const auto value = checked_add(a, b);
  if (!value) fail(where, "more than 21 million btc");
  return *value;
}

std::uint32_t blocks(std::uint64_t value, const std::string& where) {
  if (value > limits::max_cltv_delta) fail(where, fmt::format("a delay of {} blocks", value));
  return static_cast<std::uint32_t>(value);
}

PublicKey node_key(const json& object, const char* key, const std::string& where) {
  const json& value = member(object, key, where);
  const auto node = value.is_string() ? PublicKey::from_hex_text(value.get_ref<const std::string&>()) : std::nullopt;
  if (!node || (node->bytes[0] != 2 && node->bytes[0] != 3))
    fail(where, fmt::format("\"{}\" is not a node key (66 hex digits)", key));
  return *node;
}

ShortChannelId channel_id(const json& object, const char* key, const std::string& where) {
  const json& value = member(object, key, where);
  if (value.is_number_unsigned()) return ShortChannelId{value.get<std::uint64_t>()};
  if (value.is_string()) {
    if (const auto id = ShortChannelId::parse(value.get_ref<const std::string&>())) return *id;
  }
  fail(where, fmt::format("\"{}\" is not a channel id", key));
}

const json& hops_of(const json& route, const char* key, const std::string& where) {
  const json& hops = member(route, key, where);
  if (!hops.is_array() || hops.empty()) fail(where, fmt::format("\"{}\" holds no hops", key));
  if (hops.size() > limits::max_hops) {
    fail(where, fmt::format("{} hops; {} are the most", hops.size(), limits::max_hops));
  }
  return hops;
}

std::string hop_place(const std::string& where, std::size_t i) { return fmt::format("{}, hop {}", where, i + 1); }

/// BOLT 7: direction 0 = the node with the lower key sends.
std::uint8_t direction_between(const PublicKey& from, const PublicKey& to, const std::string& where) {
  if (from == to) fail(where, "leads from a node to itself");
  return from < to ? 0 : 1;
}

/// "800000x1x1/0": a channel, and the direction in which it is used.
ChannelDirection channel_and_direction(const json& object, const char* key, const std::string& where) {
  const json& value = member(object, key, where);
  const std::string_view text =
      value.is_string() ? std::string_view(value.get_ref<const std::string&>()) : std::string_view();
  const bool has_direction =
      text.size() > 2 && text[text.size() - 2] == '/' && (text.back() == '0' || text.back() == '1');
  const auto id = has_direction ? ShortChannelId::parse(text.substr(0, text.size() - 2)) : std::nullopt;
  if (!id) fail(where, fmt::format("\"{}\" is not a channel with its direction (800000x1x1/0)", key));
  return ChannelDirection{*id, static_cast<std::uint8_t>(text.back() - '0')};
}

void require_direction(std::uint64_t given, const Hop& hop, std::size_t i, const std::string& where) {
  if (given == hop.direction) return;
  fail(where, fmt::format("the direction does not fit{}",
                          i == 0 ? ": the route does not begin at this node" : " the two nodes"));
}

/// Along the way amount and delay fall or stay equal: each forwarder keeps some or nothing.
void require_no_rise(const Route& route, const Hop& next, const std::string& where) {
  if (route.hops.empty()) return;
  if (next.amount > route.hops.back().amount) fail(where, "the amount rises on the way");
  if (next.delay > route.hops.back().delay) fail(where, "the delay rises on the way");
}

// lnd names what hop i sends *on* (amount, absolute expiry), and what it keeps of it. The channel to hop i carries what
// the hop before it sent on; the first one carries the route's total.
Route read_lnd_route(const json& object, const std::string& where, const RoutesContext& context) {
  const json& hops = hops_of(object, "hops", where);
  const std::uint64_t final_expiry = number_in(hops.back(), "expiry", hop_place(where, hops.size() - 1));
  std::uint64_t expiry = number_in(object, "total_time_lock", where);
  Msat incoming = amount(object, "total_amt_msat", where);
  PublicKey from = context.own_node;
  Route route;
  for (std::size_t i = 0; i < hops.size(); ++i) {
    const std::string place = hop_place(where, i);
    Hop hop;
    hop.channel = channel_id(hops[i], "chan_id", place);
    hop.node = node_key(hops[i], "pub_key", place);
    hop.direction = direction_between(from, hop.node, place);
    hop.amount = incoming;
    if (expiry < final_expiry) fail(place, "expires before the payee's HTLC");
    hop.delay = blocks(std::uint64_t{blocks(expiry - final_expiry, place)} + context.final_cltv_delta, place);
    const Msat onward = amount(hops[i], "amt_to_forward_msat", place);
    if (sum(onward, amount(hops[i], "fee_msat", place), place) != incoming) fail(place, "the amounts do not add up");
    expiry = number_in(hops[i], "expiry", place);
    incoming = onward;
    from = hop.node;
    require_no_rise(route, hop, place);
    route.hops.push_back(hop);
  }
  // The payee forwards nothing and asks no fee, so what it "forwards" is what it receives.
  if (incoming != route.delivered()) fail(where, "the last hop asks a fee");
  return route;
}

Route read_cln_route(const json& hops, const std::string& where, const RoutesContext& context) {
  PublicKey from = context.own_node;
  Route route;
  for (std::size_t i = 0; i < hops.size(); ++i) {
    const std::string place = hop_place(where, i);
    Hop hop;
    hop.channel = channel_id(hops[i], "channel", place);
    hop.node = node_key(hops[i], "id", place);
    hop.direction = direction_between(from, hop.node, place);
    require_direction(number_in(hops[i], "direction", place), hop, i, place);
    hop.amount = amount(hops[i], "amount_msat", place);
    hop.delay = blocks(number_in(hops[i], "delay", place), place);
    from = hop.node;
    require_no_rise(route, hop, place);
    route.hops.push_back(hop);
  }
  return route;
}

/// What a hop of getroutes says of one end of its channel, under the names of either version.
struct ChannelEnd {
  Msat amount;
  std::uint32_t delay = 0;
  auto operator<=>(const ChannelEnd&) const = default;
};

/// A value that two members name must be the same in both.
template <typename T> void require_same(const T& one, const T& other, const char* what, const std::string& where) {
  if (!(one == other)) fail(where, fmt::format("it says two different {}", what));
}

// A hop of getroutes has two ends. What goes into it is what the node before its channel must get ("amount_in_msat";
// "amount_msat" and "delay" in Core Lightning 25 and where it allows deprecated names); what comes out is what the HTLC
// on the channel carries
// ("amount_out_msat"). Where only the first is told, an HTLC carries what goes into the hop behind it, the last one the
// route's own.
Hop read_layered_hop(const json& entry, ChannelEnd& end, const std::string& where) {
  if (!entry.is_object()) fail(where, "not an object");
  const bool newer = entry.contains("node_id_out");
  const bool older = entry.contains("next_node_id") || !newer;
  const ChannelDirection channel = channel_and_direction(entry, "short_channel_id_dir", where);
  const PublicKey node = node_key(entry, newer ? "node_id_out" : "next_node_id", where);
  const Hop hop{channel.channel, channel.direction, node, end.amount, end.delay};
  const auto read_end = [&](const char* amount_key, const char* delay_key) {
    return ChannelEnd{amount(entry, amount_key, where), blocks(number_in(entry, delay_key, where), where)};
  };
  if (newer) {
    require_same(read_end("amount_out_msat", "cltv_out"), end, "ends of the channel", where);
    end = read_end("amount_in_msat", "cltv_in");
  }
  if (!older) return hop;
  const ChannelEnd in = read_end("amount_msat", "delay");
  if (newer) require_same(in, end, "beginnings of the channel", where);
  if (newer) require_same(node_key(entry, "next_node_id", where), node, "nodes", where);
  end = in;
  return hop;
}

Route read_layered_route(const json& object, const std::string& where, const RoutesContext& context) {
  const json& path = hops_of(object, "path", where);
  ChannelEnd end{amount(object, "amount_msat", where), blocks(number_in(object, "final_cltv", where), where)};
  std::vector<Hop> hops(path.size());
  for (std::size_t i = path.size(); i > 0; --i)
    hops[i - 1] = read_layered_hop(path[i - 1], end, hop_place(where, i - 1));
  PublicKey from = context.own_node;
  Route route;
  for (std::size_t i = 0; i < hops.size(); ++i) {
    const std::string place = hop_place(where, i);
    if (path[i].contains("node_id_in") && node_key(path[i], "node_id_in", place) != from) {
      fail(place, i == 0 ? "the route does not begin at this node" : "it does not begin where the hop before it ends");
    }
    const std::uint8_t given = std::exchange(hops[i].direction, direction_between(from, hops[i].node, place));
    require_direction(given, hops[i], i, place);
    require_no_rise(route, hops[i], place);
    from = hops[i].node;
    route.hops.push_back(hops[i]);
  }
  return route;
}

/// getroutes splits an amount over several routes: paid one after the other they would pay the payee too little.
void refuse_parts(const std::vector<Route>& routes, const RoutesContext& context) {
  if (routes.size() < 2 || !context.amount) return;
  const bool parts = std::all_of(routes.begin(), routes.end(),
                                 [&](const Route& route) { return route.delivered() < *context.amount; });
  if (!parts) return;
  throw Fault{
      fmt::format("the {} routes are parts of the payment, each carries less than its {}; paytower takes --routes "
                  "for one part only: ask getroutes with maxparts=1",
                  routes.size(), sat_text(*context.amount))};
}

std::vector<Route> read_document(const json& document, const RoutesContext& context) {
  if (document.is_object() && document.contains("route")) {
    const json& route = document["route"];
    if (route.is_object()) return {read_lnd_route(route, "the route", context)};  // lncli buildroute
    return {read_cln_route(hops_of(document, "route", "the route"), "the route", context)};
  }
  if (!document.is_object() || !document.contains("routes")) {
    throw Fault{
        "neither lncli queryroutes or Core Lightning getroutes JSON (\"routes\") nor lncli buildroute or Core "
        "Lightning getroute JSON (\"route\")"};
  }
  const json& list = document["routes"];
  if (!list.is_array() || list.empty()) throw Fault{"it holds no route"};
  if (list.size() > limits::max_candidate_routes) {
    throw Fault{fmt::format("{} routes; {} are the most", list.size(), limits::max_candidate_routes)};
  }
  std::vector<Route> routes;
  bool layered = false;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string where = fmt::format("route {}", i + 1);
    const bool has_path = list[i].is_object() && list[i].contains("path");
    layered = layered || has_path;
    routes.push_back(has_path ? read_layered_route(list[i], where, context) : read_lnd_route(list[i], where, context));
  }
  if (layered) refuse_parts(routes, context);
  return routes;
}

}  // namespace

Result<std::vector<Route>> parse_routes(std::string_view text, const RoutesContext& context) {
  static constexpr std::array<std::string_view, 1> probabilities{"success_prob"};
  const auto document = read_json(text, {limits::max_input_file_bytes, probabilities});
  if (!document) return Error{Errc::usage, fmt::format("routes: {}", document.error().message)};
  try {
    return read_document(*document, context);
  } catch (const Fault& fault) {
    return Error{Errc::usage, fmt::format("routes: {}", fault.what)};
  }
}

}  // namespace paytower::cli
