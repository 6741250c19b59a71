// Asks getroutes for routes, and puts what to avoid into a layer that lives as long as the question.
#include "core/switch/cln/layered_route.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/switch/cln/advice_layer.h"
#include "core/switch/cln/conclusions.h"
#include "core/switch/cln/reading.h"
#include "core/switch/cln/requests.h"

namespace paytower::cln {

namespace {

using nlohmann::json;

/// Reservations in a layer came together with biases of nodes (25.12), and a node that has them lists biases for each
/// layer.
bool offers_reservations(const json& made) {
  const json* layers = list(made, "layers", 1);
  return layers != nullptr && !layers->empty() && member(layers->front(), "node_biases") != nullptr;
}

/// What is left beside `occupied`, in the node's terms: one msat less is the maximum.
Msat constraint(Msat below, Msat occupied) {
  return std::max(checked_sub(below, occupied).value_or(Msat{}), Msat::of(1));
}

}  // namespace

bool LayeredRoute::needs_a_layer() const {
  return !question_.without_channels.empty() || !question_.without_nodes.empty() || !question_.policies.empty() ||
         !question_.bounds.empty() || !question_.reservable.empty();
}

void LayeredRoute::start() {
  if (!needs_a_layer()) return ask();
  layer_ = question_layer_name(question_.store, question_.now, client_.fresh_name());
  client_.call("askrene-create-layer", json{{"layer", layer_}, {"persistent", false}},
               [self = shared_from_this()](const RpcReply& reply) {
                 if (!reply.result) return self->done_({}, reply.error);
                 self->fill_layer(offers_reservations(*reply.result));
               });
}

void LayeredRoute::fill_layer(bool takes_reservations) {
  for (const ChannelDirection& channel : question_.without_channels) {
    tell("askrene-update-channel",
         json{{"layer", layer_}, {"short_channel_id_dir", channel_name(channel)}, {"enabled", false}});
  }
  for (const ChannelPolicy& told : question_.policies) tell_policy(told);
  for (const PublicKey& node : question_.without_nodes)
    tell("askrene-disable-node", json{{"layer", layer_}, {"node", node.hex()}});
  tell_bounds(takes_reservations);
  takes_reservations ? reserve_occupied() : bound_occupied();
  if (open_ == 0) ask();
}

void LayeredRoute::tell_policy(const ChannelPolicy& told) {
  tell("askrene-update-channel", json{{"layer", layer_},
                                      {"short_channel_id_dir", channel_name(told.channel)},
                                      {"enabled", !told.disabled},
                                      {"fee_base_msat", told.forwarding.fee_base_msat},
                                      {"fee_proportional_millionths", told.forwarding.fee_proportional_millionths},
                                      {"cltv_expiry_delta", told.forwarding.cltv_delta},
                                      {"htlc_minimum_msat", told.htlc_min.value()},
                                      {"htlc_maximum_msat", told.htlc_max.value()}});
}

/// The node subtracts reservations from what the bounds leave; we subtract everything else.
void LayeredRoute::tell_bounds(bool takes_reservations) {
  for (const ChannelBound& bound : question_.bounds) {
    const auto load = question_.occupied.find(bound.channel);
    const bool reserved = takes_reservations && question_.reservable.count(bound.channel) != 0;
    const Msat occupied = reserved || load == question_.occupied.end() ? Msat{} : load->second;
    tell("askrene-inform-channel",
         inform_params(layer_, bound.channel, constraint(bound.below, occupied), "constrained"));
  }
}

void LayeredRoute::reserve_occupied() {
  if (question_.reservable.empty()) return;
  json path = json::array();
  for (const auto& [channel, amount] : question_.reservable) {
    path.push_back(
        json{{"short_channel_id_dir", channel_name(channel)}, {"amount_msat", amount.value()}, {"layer", layer_}});
  }
  tell("askrene-reserve", json{{"path", std::move(path)}});
}

void LayeredRoute::bound_occupied() {
  for (const auto& [channel, amount] : question_.reservable) bound_by_capacity(channel, amount);
}

/// A channel that is not announced has no capacity that the node could tell us.
void LayeredRoute::bound_by_capacity(const ChannelDirection& channel, Msat occupied) {
  ++open_;
  client_.call("listchannels", json{{"short_channel_id", channel.channel.text()}},
               [self = shared_from_this(), channel, occupied](const RpcReply& reply) {
                 if (const auto capacity = reply.result ? read_capacity(*reply.result) : std::nullopt) {
                   const Msat below = checked_add(*capacity, Msat::of(1)).value_or(*capacity);
                   self->tell("askrene-inform-channel",
                              inform_params(self->layer_, channel, constraint(below, occupied), "constrained"));
                 }
                 self->answered();
               });
}

void LayeredRoute::tell(const std::string& method, const json& params) {
  if (client_.lacks(method)) return;
  ++open_;
  client_.call(method, params, [self = shared_from_this(), method](const RpcReply& reply) {
    if (no_such_method(reply)) self->client_.note_lacking(method);
    self->answered();
  });
}

void LayeredRoute::answered() {
  if (--open_ == 0) ask();
}

void LayeredRoute::ask() {
  const std::array<std::string, 2> layers{question_.advice, layer_};
  client_.call("getroutes",
               getroutes_params(question_.from, question_.to, question_.amount, question_.fee_limit,
                                question_.final_delay, question_.cltv_limit, question_.max_parts, layers),
               [self = shared_from_this()](const RpcReply& reply) { self->end(reply); });
}

void LayeredRoute::end(const RpcReply& reply) {
  const auto tell = [self = shared_from_this(), error = reply.error,
                     routes = reply.result ? read_routes_answer(*reply.result, question_.max_parts)
                                           : std::vector<Route>{}] { self->done_(routes, error); };
  if (layer_.empty()) return tell();
  const bool waits = question_.leaves_nothing;
  client_.call("askrene-remove-layer", json{{"layer", layer_}}, [tell, waits](const RpcReply& /*reply*/) {
    if (waits) tell();
  });
  if (!waits) tell();
}

}  // namespace paytower::cln
