#include "core/switch/cln/layered_route.h"

#include <array>
#include <utility>

#include "core/switch/cln/advice_layer.h"
#include "core/switch/cln/conclusions.h"
#include "core/switch/cln/reading.h"
#include "core/switch/cln/requests.h"

namespace paytower::cln {

namespace {

using nlohmann::json;

}  // namespace

void LayeredRoute::start() {
  if (question_.without_channels.empty() && question_.without_nodes.empty() && question_.policies.empty()) return ask();
  layer_ = question_layer_name(question_.store, question_.now, client_.fresh_name());
  client_.call("askrene-create-layer", json{{"layer", layer_}, {"persistent", false}},
               [self = shared_from_this()](const RpcReply& reply) {
                 if (!reply.result) return self->done_(std::nullopt, reply.error);
                 self->exclude();
               });
}

void LayeredRoute::exclude() {
  if (client_.lacks("askrene-update-channel")) {
    question_.without_channels.clear();
    question_.policies.clear();
  }
  if (client_.lacks("askrene-disable-node")) question_.without_nodes.clear();
  open_ = question_.without_channels.size() + question_.without_nodes.size() + question_.policies.size();
  if (open_ == 0) return ask();
  for (const ChannelDirection& channel : question_.without_channels) {
    exclude_one("askrene-update-channel",
                json{{"layer", layer_}, {"short_channel_id_dir", channel_name(channel)}, {"enabled", false}});
  }
  for (const ChannelPolicy& told : question_.policies) {
    exclude_one("askrene-update-channel",
                json{{"layer", layer_},
                     {"short_channel_id_dir", channel_name(told.channel)},
                     {"enabled", !told.disabled},
                     {"fee_base_msat", told.forwarding.fee_base_msat},
                     {"fee_proportional_millionths", told.forwarding.fee_proportional_millionths},
                     {"cltv_expiry_delta", told.forwarding.cltv_delta},
                     {"htlc_minimum_msat", told.htlc_min.value()},
                     {"htlc_maximum_msat", told.htlc_max.value()}});
  }
  for (const PublicKey& node : question_.without_nodes)
    exclude_one("askrene-disable-node", json{{"layer", layer_}, {"node", node.hex()}});
}

void LayeredRoute::exclude_one(const std::string& method, const json& params) {
  client_.call(method, params, [self = shared_from_this(), method](const RpcReply& reply) {
    if (no_such_method(reply)) self->client_.note_lacking(method);
    if (--self->open_ == 0) self->ask();
  });
}

void LayeredRoute::ask() {
  const std::array<std::string, 2> layers{question_.advice, layer_};
  client_.call("getroutes",
               getroutes_params(question_.from, question_.to, question_.amount, question_.fee_limit,
                                question_.final_delay, question_.cltv_limit, layers),
               [self = shared_from_this()](const RpcReply& reply) { self->end(reply); });
}

void LayeredRoute::end(const RpcReply& reply) {
  if (!layer_.empty()) client_.call("askrene-remove-layer", json{{"layer", layer_}}, [](const RpcReply& /*reply*/) {});
  done_(reply.result ? read_routes_answer(*reply.result) : std::nullopt, reply.error);
}

}  // namespace paytower::cln
