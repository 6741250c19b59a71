// The parameters of each question to the node.
#include "core/switch/cln/requests.h"

#include <algorithm>

#include <fmt/core.h>

#include "core/base/require.h"

namespace paytower::cln {

namespace {

using nlohmann::json;

constexpr std::uint32_t highest_maxdelay = 2'016;  ///< the largest that getroutes accepts
/// "1x1x1", a channel that is on no chain.
constexpr ShortChannelId invented_channel{(std::uint64_t{1} << 40U) | (std::uint64_t{1} << 16U) | 1U};

json hop_json(const Hop& hop) {
  return json{{"id", hop.node.hex()},
              {"channel", hop.channel.text()},
              {"direction", hop.direction},
              {"amount_msat", hop.amount.value()},
              {"delay", hop.delay}};
}

json ids(const AttemptKey& key) {
  return json{{"payment_hash", key.hash.hex()}, {"partid", key.part}, {"groupid", key.id.value}};
}

}  // namespace

json sendpay_params(const Handover& handover) {
  require(!handover.route.hops.empty(), "the route has a hop");
  json params = ids(handover.key);
  json route = json::array();
  for (const Hop& hop : handover.route.hops) route.push_back(hop_json(hop));
  params["route"] = std::move(route);
  params["label"] = handover.label;
  params["amount_msat"] = handover.amount.value();
  if (!handover.invoice.empty()) params["bolt11"] = handover.invoice;
  if (!handover.description.empty()) params["description"] = handover.description;
  if (handover.payment_secret) params["payment_secret"] = handover.payment_secret->hex();
  if (handover.metadata) params["payment_metadata"] = to_hex(*handover.metadata);
  return params;
}

json fence_params(const Handover& fence, const OwnChannel& over, const PaymentSecret& secret) {
  require(!fence.route.hops.empty(), "the route has a hop");
  // The fence's HTLC never leaves our own channeld, so no other node checks these delays.
  constexpr std::uint32_t some_delay = 10;
  constexpr std::uint32_t more_delay = 16;
  json params = ids(fence.key);
  params["label"] = fence.label;
  json route = json::array();
  if (fence.key.part == 0) {
    params["payment_secret"] = secret.hex();
    route.push_back(hop_json(Hop{over.channel, over.direction, over.peer, Msat::of(Msat::max_value), some_delay}));
  } else {
    params["payment_secret"] = fence.payment_secret.value_or(secret).hex();
    params["amount_msat"] = fence.amount.value();
    const Hop& last = fence.route.hops.back();
    route.push_back(hop_json(Hop{over.channel, over.direction, over.peer, Msat::of(Msat::max_value), more_delay}));
    route.push_back(hop_json(Hop{invented_channel, 0, last.node, last.amount, some_delay}));
  }
  params["route"] = std::move(route);
  return params;
}

json waitsendpay_params(const AttemptKey& key, std::int64_t timeout_seconds) {
  json params = ids(key);
  params["timeout"] = timeout_seconds;
  return params;
}

json listsendpays_params(const PaymentHash& hash) { return json{{"payment_hash", hash.hex()}}; }

json page_params(std::uint64_t start, std::uint64_t limit) {
  return json{{"index", "created"}, {"start", start}, {"limit", limit}};
}

json counter_params(const char* subsystem, const char* index) {
  return json{{"subsystem", subsystem}, {"indexname", index}, {"nextvalue", 0}};
}

std::string channel_name(const ChannelDirection& channel) {
  return fmt::format("{}/{}", channel.channel.text(), channel.direction);
}

json getroute_params(const RouteParams& asked, std::span<const ChannelDirection> without_channels,
                     std::span<const PublicKey> without_nodes) {
  json params{{"id", asked.to.hex()},
              {"amount_msat", asked.amount.value()},
              {"riskfactor", asked.risk_factor},
              {"cltv", asked.final_delay},
              {"fuzzpercent", 0},
              {"maxhops", asked.max_hops}};
  json exclude = json::array();
  for (const ChannelDirection& channel : without_channels) exclude.push_back(channel_name(channel));
  for (const PublicKey& node : without_nodes) exclude.push_back(node.hex());
  if (!exclude.empty()) params["exclude"] = std::move(exclude);
  return params;
}

json getroutes_params(const PublicKey& from, const PublicKey& to, Msat amount, Msat fee_limit,
                      std::uint32_t final_delay, std::uint32_t cltv_limit, std::uint32_t max_parts,
                      std::span<const std::string> ours) {
  json layers =
      // What our own channels hold; and we pay no fee to ourselves.
      json::array({"auto.localchans", "auto.sourcefree"});
  for (const std::string& layer : ours) {
    if (!layer.empty()) layers.push_back(layer);
  }
  return json{{"source", from.hex()},
              {"destination", to.hex()},
              {"amount_msat", amount.value()},
              {"layers", std::move(layers)},
              {"maxfee_msat", fee_limit.value()},
              {"final_cltv", final_delay},
              {"maxdelay", std::min(cltv_limit, highest_maxdelay)},
              {"maxparts", max_parts}};
}

json inform_params(const std::string& layer, const ChannelDirection& channel, Msat amount, const char* inform) {
  return json{{"layer", layer},
              {"short_channel_id_dir", channel_name(channel)},
              {"amount_msat", amount.value()},
              {"inform", inform}};
}

}  // namespace paytower::cln
