// What the failure of an attempt means for the next route, and whether it ends the payment.
#include <algorithm>

#include "core/payment/lifecycle.h"

namespace paytower {

namespace {

/// The channel over which node `index` of the route (0 = ours) forwards. Nothing for the payee.
std::optional<ChannelDirection> channel_after(const Route& route, std::size_t index) {
  if (index >= route.hops.size()) return std::nullopt;
  return ChannelDirection{route.hops[index].channel, route.hops[index].direction};
}

std::optional<PublicKey> node_at(const Route& route, std::size_t index) {
  if (index == 0 || index > route.hops.size()) return std::nullopt;
  return route.hops[index - 1].node;
}

Verdict final_verdict(FailureReason reason) {
  Verdict verdict;
  verdict.final_reason = reason;
  return verdict;
}

/// The payee itself refused. That blames nobody on the way: every hop has carried the amount (M2).
Verdict judge_payee(const Failure& failure, const Route& route) {
  constexpr std::uint32_t permanent = 0x4000;
  Verdict verdict;
  verdict.carried = route.hops.size();
  const FailureCode code = failure.code;
  if (code == FailureCode::incorrect_or_unknown_payment_details) {
    verdict.final_reason = FailureReason::incorrect_payment_details;
    return verdict;
  }
  if (code == FailureCode::mpp_timeout || code == FailureCode::final_incorrect_cltv_expiry ||
      code == FailureCode::final_incorrect_htlc_amount)
    return verdict;
  if ((static_cast<std::uint32_t>(failure.code) & permanent) != 0) {
    verdict.final_reason = FailureReason::error;
    return verdict;
  }
  // Any other code from the payee may be the fault of the last channel.
  if (const auto channel = channel_after(route, route.hops.size() - 1)) verdict.exclude_channels.push_back(*channel);
  verdict.lasting = true;
  verdict.carried = 0;
  return verdict;
}

/// Nobody knows who failed it. With a single channel there is nothing to avoid; otherwise every channel but ours is
/// suspect.
Verdict judge_unreadable(const Route& route) {
  if (route.hops.size() < 2) return final_verdict(FailureReason::error);
  Verdict verdict;
  verdict.lasting = true;
  for (std::size_t i = 1; i < route.hops.size(); ++i) verdict.exclude_channels.push_back(*channel_after(route, i));
  return verdict;
}

Verdict exclude_channel(const std::optional<ChannelDirection>& channel, std::size_t carried, bool lasting) {
  Verdict verdict;
  if (channel) verdict.exclude_channels.push_back(*channel);
  verdict.lasting = lasting;
  verdict.carried = carried;
  return verdict;
}

Verdict exclude_node(const std::optional<PublicKey>& node, const std::optional<ChannelDirection>& channel) {
  if (!node) return exclude_channel(channel, 0, true);
  Verdict verdict;
  verdict.exclude_nodes.push_back(*node);
  return verdict;
}

}  // namespace

Verdict judge(const Failure& failure, const Route& route) {
  const std::size_t payee = route.hops.size();
  if (payee == 0) return {};
  const bool details = failure.code == FailureCode::incorrect_or_unknown_payment_details;
  const std::size_t source = failure.source_index ? *failure.source_index : (details ? payee : 0);
  if (source >= payee && failure.code != FailureCode::unreadable) return judge_payee(failure, route);

  // A channel that is not on the route says nothing about the route. Then the next channel of the failing node is
  // meant.
  const bool on_route = failure.channel && std::any_of(route.hops.begin(), route.hops.end(), [&](const Hop& hop) {
                          return hop.channel == failure.channel->channel && hop.direction == failure.channel->direction;
                        });
  const auto channel = on_route ? failure.channel : channel_after(route, source);
  const auto node = node_at(route, source);
  switch (failure.code) {
    case FailureCode::unreadable: return judge_unreadable(route);
    case FailureCode::fenced:
    case FailureCode::no_debit:
    case FailureCode::not_executed:
    case FailureCode::erased:
    case FailureCode::assumed_failed:
    case FailureCode::written_off:
    case FailureCode::preimage_lost: return {};
    case FailureCode::temporary_channel_failure: return exclude_channel(channel, source, false);
    case FailureCode::permanent_channel_failure:
    case FailureCode::required_channel_feature_missing:
    case FailureCode::unknown_next_peer:
    case FailureCode::invalid_onion_version:
    case FailureCode::invalid_onion_hmac:
    case FailureCode::invalid_onion_key:
    case FailureCode::invalid_onion_blinding: return exclude_channel(channel, source, true);
    case FailureCode::channel_full: return exclude_channel(channel, 0, true);
    case FailureCode::local_refusal:
      if (!failure.source_index && !failure.channel)
        return {};  // it never reached the node, so nothing can be learned from it
      return exclude_channel(channel, 0, false);
    case FailureCode::amount_below_minimum:
    case FailureCode::fee_insufficient:
    case FailureCode::incorrect_cltv_expiry:
    case FailureCode::expiry_too_soon:
    case FailureCode::channel_disabled: {
      Verdict verdict = exclude_channel(channel, source, true);
      verdict.policy = true;
      verdict.policy_node = node;
      return verdict;
    }
    case FailureCode::invalid_realm:
    case FailureCode::temporary_node_failure:
    case FailureCode::permanent_node_failure:
    case FailureCode::required_node_feature_missing:
    case FailureCode::incorrect_or_unknown_payment_details:  // only a payee may say this, so the node lies
    case FailureCode::final_incorrect_cltv_expiry:
    case FailureCode::final_incorrect_htlc_amount:
    case FailureCode::expiry_too_far:
    case FailureCode::invalid_onion_payload:
    case FailureCode::mpp_timeout:
    case FailureCode::unknown_code:
    case FailureCode::unknown_permanent: return exclude_node(node, channel);
  }
  return exclude_node(node, channel);
}

}  // namespace paytower
