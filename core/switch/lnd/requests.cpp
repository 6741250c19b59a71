// The requests to lnd's REST gateway, as paths and JSON.
#include "core/switch/lnd/requests.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "core/base/limits.h"
#include "core/base/require.h"
#include "core/switch/lnd/fields.h"
#include "core/switch/lnd/reading.h"

namespace paytower::lnd {

namespace {

using nlohmann::json;

constexpr std::uint64_t invented_channel = 1;
constexpr std::uint64_t fence_msat = 1;  ///< the smallest total that lnd takes
constexpr std::uint8_t fence_secret_byte = 0xFE;

/// The way in which protobuf's JSON writes 64 bits.
std::string number(std::uint64_t value) { return fmt::format("{}", value); }

Request get(std::string target) { return Request{"GET", std::move(target)}; }
Request post(std::string target, const json& body) { return Request{"POST", std::move(target), body.dump()}; }

// --- QueryRoutes ---

/// The channel of a hint, in the direction of the hint.
ChannelDirection hinted_channel(const RouteHint& hint, std::size_t i, const PublicKey& payee) {
  const PublicKey& to = i + 1 < hint.size() ? hint[i + 1].node : payee;
  return ChannelDirection{hint[i].channel, static_cast<std::uint8_t>(hint[i].node < to ? 0 : 1)};
}

/// What our open parts send over a channel.
std::uint64_t occupied(const RouteQuestion& question, const ChannelDirection& channel) {
  std::uint64_t sum = 0;
  for (const Route& route : question.beside) {
    for (const Hop& hop : route.hops) {
      if (hop.channel == channel.channel && hop.direction == channel.direction) sum += hop.amount.value();
    }
  }
  return sum;
}

/// Includes channels with a bound that the whole amount would break: only one route is asked for, and it carries at
/// least the amount.
std::vector<ChannelDirection> excluded(const RouteQuestion& question) {
  std::vector<ChannelDirection> channels = question.excluded_channels;
  for (const ChannelBound& bound : question.bounds) {
    if (occupied(question, bound.channel) + question.demand.amount.value() >= bound.below.value())
      channels.push_back(bound.channel);
  }
  return channels;
}

json edges_json(const std::vector<ChannelDirection>& channels) {
  json edges = json::array();
  for (const ChannelDirection& channel : channels)
    edges.push_back({{"channel_id", number(channel.channel.value)}, {"direction_reverse", channel.direction == 1}});
  return edges;
}

json hint_json(const RouteHint& hint) {
  json hops = json::array();
  for (const HintHop& hop : hint) {
    hops.push_back({{"node_id", hop.node.hex()},
                    {"chan_id", number(hop.channel.value)},
                    {"fee_base_msat", hop.fee_base_msat},
                    {"fee_proportional_millionths", hop.fee_proportional_millionths},
                    {"cltv_expiry_delta", hop.cltv_expiry_delta}});
  }
  return json{{"hop_hints", std::move(hops)}};
}

/// Leaves out hints over an excluded channel: lnd ignores exclusions of channels that are not in its graph.
json hints_json(const RouteQuestion& question, const std::vector<ChannelDirection>& without) {
  json hints = json::array();
  for (const RouteHint& hint : question.hints) {
    bool usable = !hint.empty();
    for (std::size_t i = 0; i < hint.size(); ++i) {
      const auto channel = hinted_channel(hint, i, question.demand.destination);
      usable = usable && std::find(without.begin(), without.end(), channel) == without.end();
    }
    if (usable) hints.push_back(hint_json(hint));
  }
  return hints;
}

json nodes_json(const std::vector<PublicKey>& nodes) {
  json keys = json::array();
  for (const PublicKey& node : nodes) keys.push_back(to_base64(node.bytes));
  return keys;
}

json channels_json(const std::vector<ShortChannelId>& channels) {
  json ids = json::array();
  for (const ShortChannelId& channel : channels) ids.push_back(number(channel.value));
  return ids;
}

// --- SendToRouteV2 ---

json mpp_json(const PaymentSecret& secret, Msat total) {
  return json{{"payment_addr", to_base64(secret.bytes)}, {"total_amt_msat", number(total.value())}};
}

json mark_json(const Mark& mark) { return json{{fmt::format("{}", mark_record_type), to_base64(mark)}}; }

/// What the node at the end of a channel is told: the amount and the expiry for the next channel.
json hop_json(const Hop& hop, const Hop& next, std::uint32_t height) {
  return json{{"chan_id", number(hop.channel.value)},
              {"pub_key", hop.node.hex()},
              {"amt_to_forward_msat", number(next.amount.value())},
              {"fee_msat", number(checked_sub(hop.amount, next.amount).value_or(Msat{}).value())},
              {"expiry", height + next.delay},
              {"tlv_payload", true}};
}

json route_json(const Handover& handover, const SendTerms& terms) {
  const auto& hops = handover.route.hops;
  const std::uint32_t height = terms.total_time_lock - hops.front().delay;
  json told = json::array();
  for (std::size_t i = 0; i < hops.size(); ++i)
    told.push_back(hop_json(hops[i], hops[std::min(i + 1, hops.size() - 1)], height));
  json& last = told.back();
  last["custom_records"] = mark_json(terms.mark);
  if (handover.payment_secret) last["mpp_record"] = mpp_json(*handover.payment_secret, handover.amount);
  if (handover.metadata) last["metadata"] = to_base64(*handover.metadata);
  return json{{"total_time_lock", terms.total_time_lock},
              {"total_amt_msat", number(handover.route.total_amount().value())},
              {"total_fees_msat", number(handover.route.fees().value())},
              {"hops", std::move(told)}};
}

Request send_route(const PaymentHash& hash, json route, bool skip_temp_err) {
  return post(
      "/v2/router/route/send",
      json{{"payment_hash", to_base64(hash.bytes)}, {"route", std::move(route)}, {"skip_temp_err", skip_temp_err}});
}

/// Not the payment secret of any payee, so no part of a payment can join this record.
json fence_route(const FenceTerms& terms) {
  PaymentSecret secret;
  secret.bytes.fill(fence_secret_byte);
  const json hop{{"chan_id", number(invented_channel)},
                 {"pub_key", terms.node.hex()},
                 {"amt_to_forward_msat", number(fence_msat)},
                 {"expiry", terms.expiry},
                 {"tlv_payload", true},
                 {"mpp_record", mpp_json(secret, Msat::of(fence_msat))},
                 {"custom_records", mark_json(terms.mark)}};
  return json{{"total_time_lock", terms.expiry}, {"total_amt_msat", number(fence_msat)}, {"hops", json::array({hop})}};
}

}  // namespace

Request state_request() { return get("/v1/state"); }

Request node_info_request() { return get("/v1/getinfo"); }

Request track_request(const PaymentHash& hash) {
  return get(fmt::format("/v2/router/track/{}", to_base64_url(hash.bytes)));
}

Request track_all_request() { return get("/v2/router/payments"); }

Request channels_request() { return get("/v1/channels"); }

Request payments_request(std::uint64_t after) {
  return get(fmt::format("/v1/payments?include_incomplete=true&index_offset={}&max_payments={}", after, max_page));
}

Request newest_payments_request(std::size_t most) {
  return get(fmt::format("/v1/payments?include_incomplete=true&reversed=true&max_payments={}", most));
}

std::optional<std::vector<ShortChannelId>> first_channels(const RouteQuestion& question,
                                                          std::span<const OwnChannel> own) {
  const auto without = excluded(question);
  const auto is_out = [&](const ShortChannelId& id) {
    return std::any_of(without.begin(), without.end(), [&](const auto& channel) { return channel.channel == id; });
  };
  const auto& wanted = question.demand.outgoing_channels;
  if (std::none_of(own.begin(), own.end(), [&](const OwnChannel& one) { return is_out(one.id); }))
    return wanted.empty() ? std::nullopt : std::optional(wanted);
  std::vector<ShortChannelId> left;
  for (const OwnChannel& one : own) {
    const bool named = wanted.empty() || std::find(wanted.begin(), wanted.end(), one.id) != wanted.end();
    if (named && !is_out(one.id)) left.push_back(one.id);
  }
  return left;
}

Request routes_request(const RouteQuestion& question, std::span<const OwnChannel> own) {
  const RouteDemand& demand = question.demand;
  auto without = excluded(question);
  const auto first = first_channels(question, own).value_or(std::vector<ShortChannelId>{});
  without.erase(std::remove_if(without.begin(), without.end(),
                               [&](const ChannelDirection& channel) {
                                 return std::any_of(own.begin(), own.end(),
                                                    [&](const OwnChannel& one) { return one.id == channel.channel; });
                               }),
                without.end());
  // lnd uses only 16 bits of it, whatever is sent.
  const std::uint32_t final_delta =
      std::min(demand.final_cltv_delta, limits::max_cltv_delta - final_cltv_reserve) + final_cltv_reserve;
  json body{{"amt_msat", number(demand.amount.value())},
            {"final_cltv_delta", final_delta},
            {"fee_limit", {{"fixed_msat", number(demand.fee_limit.value())}}},
            {"ignored_edges", edges_json(without)},
            {"ignored_nodes", nodes_json(question.excluded_nodes)},
            {"outgoing_chan_ids", channels_json(first)},
            {"route_hints", hints_json(question, without)},
            {"use_mission_control", question.advised}};
  // If this is missing, lnd's own limit holds.
  if (demand.cltv_limit < usual_max_cltv) body["cltv_limit"] = std::max<std::uint32_t>(demand.cltv_limit, 1);
  return post(fmt::format("/v1/graph/routes/{}/0", demand.destination.hex()), body);
}

Request send_request(const Handover& handover, const SendTerms& terms) {
  require(!handover.route.hops.empty(), "the route has a hop");
  require(terms.total_time_lock >= handover.route.total_delay(), "the route begins at a block");
  return send_route(handover.key.hash, route_json(handover, terms), terms.skip_temp_err);
}

Request empty_send_request() { return post("/v2/router/route/send", json::object()); }

Request fence_request(const FenceTerms& terms) { return send_route(terms.hash, fence_route(terms), true); }

Request release_request(const FenceTerms& terms) { return send_route(terms.hash, fence_route(terms), false); }

}  // namespace paytower::lnd
