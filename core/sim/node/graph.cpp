// What the node knows about channels, and the routes that it finds.
#include <algorithm>

#include "core/base/limits.h"
#include "core/sim/node/turn.h"
#include "core/sim/path_finder.h"

namespace paytower::sim {

namespace {

constexpr std::uint32_t default_final_cltv = 9;     ///< the default of getroute
constexpr std::uint64_t most_channels = 1'000'000;  ///< of one answer

/// "SCID/DIRECTION" or a node's key.
void read_exclusions(const Params& params, RouteQuestion& question) {
  for (const std::string& text : params.texts("exclude").value_or(std::vector<std::string>{})) {
    if (const auto key = PublicKey::from_hex_text(text)) {
      question.excluded_nodes.push_back(*key);
      continue;
    }
    const std::size_t slash = text.find('/');
    const auto channel = slash == std::string::npos ? std::nullopt : ShortChannelId::parse(text.substr(0, slash));
    const std::string direction = slash == std::string::npos ? "" : text.substr(slash + 1);
    if (!channel || (direction != "0" && direction != "1"))
      params.refuse("exclude", "should be short_channel_id_dir or node_id");
    question.excluded_channels.push_back(
        ChannelDirection{*channel, static_cast<std::uint8_t>(direction == "1" ? 1 : 0)});
    if (question.excluded_channels.size() > limits::max_exclusions) params.refuse("exclude", "is too long");
  }
}

Json policy_json(const Policy& policy) {
  Json json;
  json["htlc_minimum_msat"] = policy.htlc_min.value();
  json["htlc_maximum_msat"] = policy.htlc_max.value();
  json["cltv_expiry_delta"] = policy.cltv_delta;
  json["fee_base_msat"] = policy.fee_base_msat;
  json["fee_proportional_millionths"] = policy.fee_proportional_millionths;
  return json;
}

Json flights_json(LedgerTx& tx, const Channel& channel) {
  Json list = Json::array();
  for (std::uint64_t after = 0;;) {
    const std::vector<Htlc> htlcs = tx.htlcs_after(after, limits::max_rows_per_look);
    if (htlcs.empty()) return list;
    after = htlcs.back().created_index;
    for (const Htlc& htlc : htlcs) {
      if (htlc.finished || htlc.channel != channel.id) continue;
      list.push_back(Json{{"direction", "out"},
                          {"id", htlc.created_index - 1},
                          {"amount_msat", htlc.amount.value()},
                          {"expiry", htlc.expiry},
                          {"payment_hash", htlc.key.hash.hex()},
                          {"state", "SENT_ADD_ACK_REVOCATION"}});
    }
  }
}

Json own_channel_json(LedgerTx& tx, const Channel& channel) {
  const std::uint8_t side = channel.nodes[0] == own_node ? 0 : 1;
  const Policy& ours = channel.policies[side];
  const Policy& theirs = channel.policies[1 - side];
  Json json;
  json["peer_id"] = tx.node(channel.nodes[1 - side])->key.hex();
  json["peer_connected"] = !ours.disabled;
  json["reestablished"] = !ours.disabled;
  json["updates"] = Json{{"local", policy_json(ours)}, {"remote", policy_json(theirs)}};
  json["state"] = "CHANNELD_NORMAL";
  if (!ours.disabled) json["owner"] = "channeld";  // a channel without an owner cannot be used (cln/README 7)
  json["short_channel_id"] = channel.id.text();
  json["direction"] = side;
  json["channel_id"] = channel_id_text(channel.id);
  json["private"] = !channel.announced;
  json["opener"] = "local";
  json["to_us_msat"] = channel.balances[side].value();
  json["total_msat"] = channel.capacity.value();
  json["fee_base_msat"] = ours.fee_base_msat;
  json["fee_proportional_millionths"] = ours.fee_proportional_millionths;
  json["spendable_msat"] = channel.balances[side].value();
  json["receivable_msat"] = channel.balances[1 - side].value();
  json["minimum_htlc_out_msat"] = ours.htlc_min.value();
  json["maximum_htlc_out_msat"] = ours.htlc_max.value();
  const std::int64_t most = tx.number(Number::most_htlcs);
  json["max_accepted_htlcs"] = most == 0 ? limits::max_batch_parallel : most;
  json["status"] = Json::array({"CHANNELD_NORMAL:Channel ready for use."});
  json["htlcs"] = flights_json(tx, channel);
  return json;
}

Json direction_json(const Channel& channel, std::uint8_t side, const std::array<PublicKey, 2>& keys) {
  const Policy& policy = channel.policies[side];
  Json json;
  json["source"] = keys[side].hex();
  json["destination"] = keys[1 - side].hex();
  json["short_channel_id"] = channel.id.text();
  json["direction"] = side;
  json["public"] = channel.announced;
  json["amount_msat"] = channel.capacity.value();
  json["message_flags"] = 1;
  json["channel_flags"] = side + (policy.disabled ? 2 : 0);
  json["active"] = !policy.disabled;
  json["last_update"] = 0;
  json["base_fee_millisatoshi"] = policy.fee_base_msat;
  json["fee_per_millionth"] = policy.fee_proportional_millionths;
  json["delay"] = policy.cltv_delta;
  json["htlc_minimum_msat"] = policy.htlc_min.value();
  json["htlc_maximum_msat"] = policy.htlc_max.value();
  json["features"] = "";
  return json;
}

}  // namespace

const Graph& RpcNode::graph(LedgerTx& tx) {
  const std::int64_t version = tx.number(Number::graph_version);
  if (!graph_ || graph_version_ != version) graph_ = Graph::load(tx);
  graph_version_ = version;
  return *graph_;
}

RpcOutcome RpcNode::getroute(Turn& turn, const Params& params) {
  RouteQuestion question;
  question.demand.destination = *params.key("id");
  question.demand.amount = *params.msat("amount_msat");
  question.demand.final_cltv_delta = params.u32("cltv").value_or(default_final_cltv);
  question.demand.fee_limit = Msat::of(Msat::max_value);
  question.demand.cltv_limit = highest_delay;
  read_exclusions(params, question);
  const auto most_hops = params.u32("maxhops").value_or(limits::max_hops);
  const auto own = turn.tx.node(own_node);
  const auto from = params.key("fromid");
  if (from && *from != own->key) params.refuse("fromid", "only routes from this node are found here");
  Json hops = Json::array();
  if (question.demand.destination == own->key) return replied(Json{{"route", std::move(hops)}});
  if (!graph(turn.tx).find(question.demand.destination)) {
    throw CallError(RpcCode::invalid_params, unknown_payee_words(question.demand.destination));
  }
  const auto route = find_route(graph(turn.tx), own_balances(turn.tx), question);
  if (!route || route->hops.size() > most_hops) throw CallError(RpcCode::route_not_found, no_route_words);
  for (const Hop& hop : route->hops) {
    hops.push_back(Json{{"id", hop.node.hex()},
                        {"channel", hop.channel.text()},
                        {"direction", hop.direction},
                        {"amount_msat", hop.amount.value()},
                        {"delay", hop.delay},
                        {"style", "tlv"}});
  }
  return replied(Json{{"route", std::move(hops)}});
}

RpcOutcome RpcNode::listchannels(Turn& turn, const Params& params) {
  const auto id = params.channel("short_channel_id");
  const auto source = params.key("source");
  const auto destination = params.key("destination");
  if ((id ? 1 : 0) + (source ? 1 : 0) + (destination ? 1 : 0) > 1) {
    throw CallError(RpcCode::invalid_params, "Can only specify one of `short_channel_id`, `source` or `destination`");
  }
  std::vector<Channel> channels;
  turn.tx.each_channel([&](const Channel& channel) {
    if (channel.announced && (!id || channel.id == *id)) channels.push_back(channel);
    return channels.size() < most_channels;
  });
  Json list = Json::array();
  for (const Channel& channel : channels) {
    const std::array<PublicKey, 2> keys{turn.tx.node(channel.nodes[0])->key, turn.tx.node(channel.nodes[1])->key};
    for (const std::uint8_t side : {std::uint8_t{0}, std::uint8_t{1}}) {
      if ((source && keys[side] != *source) || (destination && keys[1 - side] != *destination)) continue;
      list.push_back(direction_json(channel, side, keys));
    }
  }
  return replied(Json{{"channels", std::move(list)}});
}

RpcOutcome RpcNode::listpeerchannels(Turn& turn, const Params& params) {
  const auto peer = params.key("id");
  const auto id = params.channel("short_channel_id");
  std::vector<Channel> channels;
  turn.tx.each_channel_of(own_node, [&](const Channel& channel) { return channels.push_back(channel), true; });
  Json list = Json::array();
  for (const Channel& channel : channels) {
    Json json = own_channel_json(turn.tx, channel);
    if ((peer && json["peer_id"] != peer->hex()) || (id && channel.id != *id)) continue;
    list.push_back(std::move(json));
  }
  return replied(Json{{"channels", std::move(list)}});
}

}  // namespace paytower::sim
