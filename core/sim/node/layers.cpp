// getroutes, and the layers that tell it what to keep away from and what is known of channels (the node's askrene
// plugin).
#include <algorithm>

#include "core/base/limits.h"
#include "core/sim/node/turn.h"
#include "core/sim/path_finder.h"

namespace paytower::sim {

namespace {

constexpr std::size_t most_layers = 1'000;
constexpr std::size_t longest_layer_name = 256;
constexpr std::uint32_t highest_delay = 2'016;

bool automatic(const std::string& name) { return name == "auto.localchans" || name == "auto.sourcefree"; }

ChannelDirection channel_of(const Params& params, std::string_view name) {
  const std::string text = params.text(name).value_or("");
  const std::size_t slash = text.find('/');
  const auto channel = slash == std::string::npos ? std::nullopt : ShortChannelId::parse(text.substr(0, slash));
  const std::string direction = slash == std::string::npos ? "" : text.substr(slash + 1);
  if (!channel || (direction != "0" && direction != "1")) params.refuse(name, "should be a short_channel_id_dir");
  return ChannelDirection{*channel, static_cast<std::uint8_t>(direction == "1" ? 1 : 0)};
}

/// What goes into each hop, as the node tells it: what left the one before.
Json path_json(const Route& route) {
  Json path = Json::array();
  const Hop* before = &route.hops.front();
  for (const Hop& hop : route.hops) {
    path.push_back(Json{{"short_channel_id_dir", hop.channel.text() + "/" + std::to_string(hop.direction)},
                        {"next_node_id", hop.node.hex()},
                        {"amount_msat", before->amount.value()},
                        {"delay", before->delay}});
    before = &hop;
  }
  return path;
}

}  // namespace

RpcNode::Layer& RpcNode::layer(const Params& params) {
  const auto found = layers_.find(*params.text("layer"));
  if (found == layers_.end()) params.refuse("layer", "unknown layer");
  return found->second;
}

RpcOutcome RpcNode::create_layer(Turn& /*turn*/, const Params& params) {
  const std::string name = *params.text("layer");
  if (name.empty() || name.size() > longest_layer_name || automatic(name))
    params.refuse("layer", "is no name for a layer");
  if (params.boolean("persistent").value_or(false)) params.refuse("persistent", "nothing is stored here");
  if (layers_.size() >= most_layers || !layers_.emplace(name, Layer{}).second)
    params.refuse("layer", "exists, or there are too many");
  return result_of(Json{{"layers", Json::array({Json{{"layer", name}, {"persistent", false}}})}});
}

RpcOutcome RpcNode::update_channel(Turn& /*turn*/, const Params& params) {
  Layer& chosen = layer(params);
  const ChannelDirection channel = channel_of(params, "short_channel_id_dir");
  const bool enabled = params.boolean("enabled").value_or(true);
  if (chosen.channels.size() + chosen.policies.size() >= limits::max_exclusions) params.refuse("layer", "is full");
  if (!enabled) {
    chosen.channels.push_back(channel);
    return result_of(Json::object());
  }
  const auto base = params.msat("fee_base_msat");
  const auto proportional = params.u32("fee_proportional_millionths");
  const auto delta = params.u32("cltv_expiry_delta");
  const auto least = params.msat("htlc_minimum_msat");
  const auto most = params.msat("htlc_maximum_msat");
  if (!base || base->value() > UINT32_MAX || !proportional || !delta || !least || !most)
    params.refuse("enabled", "an update of a channel that stays enabled is whole here");
  ChannelPolicy policy;
  policy.channel = channel;
  policy.forwarding = ForwardingPolicy{static_cast<std::uint32_t>(base->value()), *proportional, *delta};
  policy.htlc_min = *least;
  policy.htlc_max = *most;
  chosen.policies.push_back(policy);
  return result_of(Json::object());
}

RpcOutcome RpcNode::list_layers(Turn& /*turn*/, const Params& params) {
  const auto wanted = params.text("layer");
  if (wanted) (void)layer(params);
  Json list = Json::array();
  for (const auto& [name, one] : layers_) {
    if (wanted && name != *wanted) continue;
    Json constraints = Json::array();
    one.constraints->each([&](const ChannelDirection& channel, const ChannelBounds& known) {
      const std::string text = channel.channel.text() + "/" + std::to_string(channel.direction);
      if (known.carried) {
        constraints.push_back(Json{{"short_channel_id_dir", text},
                                   {"timestamp", seconds_of(known.carried_at)},
                                   {"minimum_msat", known.carried->value()}});
      }
      if (known.failed) {
        constraints.push_back(Json{{"short_channel_id_dir", text},
                                   {"timestamp", seconds_of(known.failed_at)},
                                   {"maximum_msat", known.failed->value() - 1}});
      }
    });
    list.push_back(Json{{"layer", name}, {"persistent", false}, {"constraints", std::move(constraints)}});
  }
  return result_of(Json{{"layers", std::move(list)}});
}

RpcOutcome RpcNode::inform_channel(Turn& turn, const Params& params) {
  Layer& chosen = layer(params);
  Lesson lesson;
  lesson.channel = channel_of(params, "short_channel_id_dir");
  lesson.amount = *params.msat("amount_msat");
  lesson.at = turn.moment.wall;
  const auto how = params.text("inform");
  if (how == "unconstrained") {
    lesson.kind = Lesson::Kind::unconstrained;
  } else if (how == "succeeded") {
    lesson.kind = Lesson::Kind::succeeded;
  } else if (how != "constrained" || lesson.amount == Msat{}) {
    params.refuse("inform", "should be constrained/unconstrained/succeeded");
  }
  chosen.constraints->learn(lesson);
  return result_of(Json{{"constraints", Json::array()}});
}

RpcOutcome RpcNode::age_layer(Turn& /*turn*/, const Params& params) {
  Layer& chosen = layer(params);
  const std::uint64_t cutoff = *params.u64("cutoff");
  if (cutoff > static_cast<std::uint64_t>(INT64_MAX / ns_per_second)) params.refuse("cutoff", "should be a time");
  const std::size_t before = chosen.constraints->size();
  chosen.constraints->forget_before(UnixNs{static_cast<std::int64_t>(cutoff) * ns_per_second});
  return result_of(Json{{"layer", *params.text("layer")}, {"num_removed", before - chosen.constraints->size()}});
}

RpcOutcome RpcNode::disable_node(Turn& /*turn*/, const Params& params) {
  Layer& chosen = layer(params);
  const PublicKey node = *params.key("node");
  if (chosen.nodes.size() >= limits::max_exclusions) params.refuse("layer", "is full");
  chosen.nodes.push_back(node);
  return result_of(Json::object());
}

RpcOutcome RpcNode::remove_layer(Turn& /*turn*/, const Params& params) {
  (void)layer(params);
  layers_.erase(*params.text("layer"));
  return result_of(Json::object());
}

RpcOutcome RpcNode::getroutes(Turn& turn, const Params& params) {
  RouteQuestion question;
  question.demand.destination = *params.key("destination");
  question.demand.amount = *params.msat("amount_msat");
  question.demand.final_cltv_delta = *params.u32("final_cltv");
  question.demand.fee_limit = *params.msat("maxfee_msat");
  question.demand.cltv_limit = params.u32("maxdelay").value_or(highest_delay);
  if (question.demand.cltv_limit > highest_delay) params.refuse("maxdelay", "maximum delay allowed is 2016");
  question.now = turn.moment.wall;
  const auto own = turn.tx.node(own_node);
  if (*params.key("source") != own->key) params.refuse("source", "only routes from this node are found here");
  const auto layers = *params.texts("layers");
  for (const std::string& name : layers) {
    if (automatic(name)) continue;
    const auto found = layers_.find(name);
    if (found == layers_.end()) params.refuse("layers", "unknown layer");
    const Layer& one = found->second;
    question.excluded_channels.insert(question.excluded_channels.end(), one.channels.begin(), one.channels.end());
    question.excluded_nodes.insert(question.excluded_nodes.end(), one.nodes.begin(), one.nodes.end());
    question.policies.insert(question.policies.end(), one.policies.begin(), one.policies.end());
    if (!one.constraints->empty()) question.memory = one.constraints;  // of several, the last one named counts
  }
  if (!graph(turn.tx).find(question.demand.destination)) {
    throw CallError(RpcCode::route_not_found, "Unknown destination node " + question.demand.destination.hex());
  }
  const auto found = find_route(graph(turn.tx), own_balances(turn.tx), question);
  if (!found) {
    question.demand.fee_limit = Msat::of(Msat::max_value);
    const bool dear = find_route(graph(turn.tx), own_balances(turn.tx), question).has_value();
    question.demand.cltv_limit = highest_delay;
    if (dear || find_route(graph(turn.tx), own_balances(turn.tx), question)) {
      throw CallError(RpcCode::route_too_expensive,
                      std::string("Could not find route without excessive ") + (dear ? "cost" : "delays"));
    }
    throw CallError(RpcCode::route_not_found, no_route_words);
  }
  constexpr std::uint64_t likely = 990'000;
  const Json route{{"probability_ppm", likely},
                   {"amount_msat", question.demand.amount.value()},
                   {"final_cltv", question.demand.final_cltv_delta},
                   {"path", path_json(*found)}};
  return result_of(Json{{"probability_ppm", likely}, {"routes", Json::array({route})}});
}

}  // namespace paytower::sim
