// getroutes, and the layers that tell it what to avoid and what is known about channels (the node's askrene plugin).
#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "core/base/limits.h"
#include "core/sim/flow.h"
#include "core/sim/node/turn.h"

namespace paytower::sim {

namespace {

constexpr std::size_t most_layers = 1'000;
constexpr std::size_t longest_layer_name = 256;
constexpr std::uint32_t usual_parts = 100;  ///< the node's default for maxparts
constexpr std::size_t most_reservations = 10'000;
constexpr std::array<ParamSpec, 3> reserved_specs{{{"short_channel_id_dir", true}, {"amount_msat", true}, {"layer"}}};

bool automatic(const std::string& name) { return name == "auto.localchans" || name == "auto.sourcefree"; }

ChannelDirection channel_of(const Params& params, std::string_view name) {
  const std::string text = params.text(name).value_or("");
  const std::size_t slash = text.find('/');
  const auto channel = slash == std::string::npos ? std::nullopt : ShortChannelId::parse(text.substr(0, slash));
  const std::string direction = slash == std::string::npos ? "" : text.substr(slash + 1);
  if (!channel || (direction != "0" && direction != "1")) params.refuse(name, "should be a short_channel_id_dir");
  return ChannelDirection{*channel, static_cast<std::uint8_t>(direction == "1" ? 1 : 0)};
}

std::string text_of(const ChannelDirection& channel) {
  return fmt::format("{}/{}", channel.channel.text(), channel.direction);
}

/// What a direction can carry at all.
Msat most_over(LedgerTx& tx, const ChannelDirection& direction) {
  const auto channel = tx.channel(direction.channel);
  if (!channel) return Msat{};
  const bool ours = channel->nodes[direction.direction] == own_node;
  return ours ? channel->balances[direction.direction] : channel->capacity;
}

/// One route, if no more are wanted.
std::optional<std::vector<Route>> find_set(const Graph& graph, const OwnBalances& balances,
                                           const RouteQuestion& question, std::uint32_t most, const Room& left) {
  if (most > 1) return find_routes(graph, balances, question, most, left);
  auto route = find_route(graph, balances, question, left);
  if (!route) return std::nullopt;
  return std::vector<Route>{std::move(*route)};
}

/// What goes into each hop, as the node tells it: what left the hop before.
Json path_json(const Route& route) {
  Json path = Json::array();
  const Hop* before = &route.hops.front();
  for (const Hop& hop : route.hops) {
    path.push_back(Json{{"short_channel_id_dir", text_of(ChannelDirection{hop.channel, hop.direction})},
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
  if (found == layers_.end()) params.refuse("layer", "Unknown layer");
  return found->second;
}

RpcOutcome RpcNode::create_layer(Turn& /*turn*/, const Params& params) {
  const std::string name = *params.text("layer");
  if (name.empty() || name.size() > longest_layer_name || automatic(name))
    params.refuse("layer", "is no name for a layer");
  if (params.boolean("persistent").value_or(false)) params.refuse("persistent", "nothing is stored here");
  if (layers_.size() >= most_layers || !layers_.emplace(name, Layer{}).second)
    params.refuse("layer", "exists, or there are too many");
  return replied(Json{{"layers", Json::array({Json{{"layer", name}, {"persistent", false}}})}});
}

RpcOutcome RpcNode::update_channel(Turn& /*turn*/, const Params& params) {
  Layer& chosen = layer(params);
  const ChannelDirection channel = channel_of(params, "short_channel_id_dir");
  const bool enabled = params.boolean("enabled").value_or(true);
  if (chosen.channels.size() + chosen.policies.size() >= limits::max_exclusions) params.refuse("layer", "is full");
  if (!enabled) {
    chosen.channels.push_back(channel);
    return replied(Json::object());
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
  return replied(Json::object());
}

RpcOutcome RpcNode::list_layers(Turn& /*turn*/, const Params& params) {
  const auto wanted = params.text("layer");
  if (wanted) (void)layer(params);
  Json list = Json::array();
  for (const auto& [name, one] : layers_) {
    if (wanted && name != *wanted) continue;
    Json constraints = Json::array();
    one.constraints->each([&](const ChannelDirection& channel, const ChannelBounds& known) {
      const std::string text = text_of(channel);
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
  return replied(Json{{"layers", std::move(list)}});
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
  Json made = Json::array();
  if (lesson.kind == Lesson::Kind::constrained) {
    made.push_back(Json{{"layer", *params.text("layer")},
                        {"short_channel_id_dir", text_of(lesson.channel)},
                        {"timestamp", seconds_of(lesson.at)},
                        {"maximum_msat", lesson.amount.value() - 1}});
  }
  return replied(Json{{"constraints", std::move(made)}});
}

RpcOutcome RpcNode::age_layer(Turn& /*turn*/, const Params& params) {
  Layer& chosen = layer(params);
  const std::uint64_t cutoff = *params.u64("cutoff");
  if (cutoff > static_cast<std::uint64_t>(INT64_MAX / ns_per_second)) params.refuse("cutoff", "should be a time");
  const std::size_t before = chosen.constraints->size();
  chosen.constraints->forget_before(UnixNs{static_cast<std::int64_t>(cutoff) * ns_per_second});
  return replied(Json{{"layer", *params.text("layer")}, {"num_removed", before - chosen.constraints->size()}});
}

RpcOutcome RpcNode::disable_node(Turn& /*turn*/, const Params& params) {
  Layer& chosen = layer(params);
  const PublicKey node = *params.key("node");
  if (chosen.nodes.size() >= limits::max_exclusions) params.refuse("layer", "is full");
  chosen.nodes.push_back(node);
  return replied(Json::object());
}

RpcOutcome RpcNode::remove_layer(Turn& /*turn*/, const Params& params) {
  (void)layer(params);
  const std::string name = *params.text("layer");
  layers_.erase(name);
  std::erase_if(reservations_, [&name](const Reservation& one) { return one.layer == name; });
  return replied(Json::object());
}

std::vector<RpcNode::Reservation> RpcNode::read_reservations(const Params& params) const {
  const auto& path = *params.raw("path");
  if (!path.is_array()) params.refuse("path", "should be an array");
  std::vector<Reservation> read;
  for (const auto& element : path) {
    if (!element.is_object()) params.refuse("path", "should be an array of objects");
    const Params fields(element, reserved_specs);
    Reservation one;
    one.channel = channel_of(fields, "short_channel_id_dir");
    one.amount = *fields.msat("amount_msat");
    one.layer = fields.text("layer").value_or("");
    if (!one.layer.empty() && layers_.count(one.layer) == 0) fields.refuse("layer", "Unknown layer");
    read.push_back(std::move(one));
  }
  return read;
}

RpcOutcome RpcNode::reserve(Turn& turn, const Params& params) {
  std::vector<Reservation> made = read_reservations(params);
  if (reservations_.size() + made.size() > most_reservations) params.refuse("path", "there are too many reservations");
  ++reserve_commands_;
  for (Reservation& one : made) {
    one.since = turn.moment.mono;
    one.command = reserve_commands_;
    reservations_.push_back(std::move(one));
  }
  return replied(Json::object());
}

/// Takes back one hop after the other. If one is unknown, those before it stay taken back.
RpcOutcome RpcNode::unreserve(Turn& /*turn*/, const Params& params) {
  for (const Reservation& one : read_reservations(params)) {
    const auto found = std::find_if(reservations_.begin(), reservations_.end(), [&one](const Reservation& known) {
      return known.channel == one.channel && known.amount == one.amount && known.layer == one.layer;
    });
    if (found == reservations_.end())
      throw CallError(RpcCode::invalid_params, fmt::format("Unknown reservation for {}", text_of(one.channel)));
    reservations_.erase(found);
  }
  return replied(Json::object());
}

/// Reservations in layers are not shown.
RpcOutcome RpcNode::list_reservations(Turn& turn, const Params& /*params*/) {
  Json list = Json::array();
  for (const Reservation& one : reservations_) {
    if (!one.layer.empty()) continue;
    list.push_back(Json{{"short_channel_id_dir", text_of(one.channel)},
                        {"amount_msat", one.amount.value()},
                        {"age_in_seconds", (turn.moment.mono.value - one.since.value) / ns_per_second},
                        {"command_id", fmt::format("\"askrene-reserve#{}\"", one.command)}});
  }
  return replied(Json{{"reservations", std::move(list)}});
}

Room RpcNode::room(LedgerTx& tx, const std::vector<std::string>& layers, bool limits) const {
  Room left;
  for (const std::string& name : layers) {
    const auto found = layers_.find(name);
    if (!limits || found == layers_.end()) continue;
    found->second.constraints->each([&](const ChannelDirection& channel, const ChannelBounds& known) {
      if (!known.failed) return;
      const Msat most = Msat::of(known.failed->value() - 1);
      const auto place = left.emplace(channel, most).first;
      place->second = std::min(place->second, most);
    });
  }
  for (const Reservation& one : reservations_) {
    if (!one.layer.empty() && std::find(layers.begin(), layers.end(), one.layer) == layers.end()) continue;
    const auto place = left.emplace(one.channel, Msat::of(Msat::max_value)).first;
    const Msat now = std::min(place->second, most_over(tx, one.channel));
    place->second = checked_sub(now, one.amount).value_or(Msat{});
  }
  return left;
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
    if (!one.constraints->empty()) question.memory = one.constraints;  // of several, the last one counts
  }
  if (!graph(turn.tx).find(question.demand.destination)) {
    throw CallError(RpcCode::route_not_found,
                    fmt::format("Unknown destination node {}", question.demand.destination.hex()));
  }
  const std::uint32_t most = params.u32("maxparts").value_or(usual_parts);
  if (most == 0) params.refuse("maxparts", "should be at least 1");
  const OwnBalances balances = own_balances(turn.tx);
  // With several parts, an amount that a layer says a channel did not carry bounds what all routes together send over
  // it, as in the real node. With one part it is only advice (M1), and not used here.
  const Room left = room(turn.tx, layers, most > 1);
  const Graph& known = graph(turn.tx);
  const auto find = [&] { return find_set(known, balances, question, most, left); };
  const auto found = find();
  if (!found) {
    question.demand.fee_limit = Msat::of(Msat::max_value);
    const bool dear = find().has_value();
    const bool limited = std::exchange(question.demand.cltv_limit, highest_delay) < highest_delay;
    if (dear || (limited && find())) {
      throw CallError(RpcCode::route_too_expensive,
                      fmt::format("Could not find route without excessive {}", dear ? "cost" : "delays"));
    }
    throw CallError(RpcCode::route_not_found, no_route_words);
  }
  constexpr std::uint64_t likely = 990'000;
  Json routes = Json::array();
  for (const Route& route : *found) {
    routes.push_back(Json{{"probability_ppm", likely},
                          {"amount_msat", route.delivered().value()},
                          {"final_cltv", question.demand.final_cltv_delta},
                          {"path", path_json(route)}});
  }
  return replied(Json{{"probability_ppm", likely}, {"routes", std::move(routes)}});
}

}  // namespace paytower::sim
