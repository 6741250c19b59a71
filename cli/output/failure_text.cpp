#include "cli/output/failure_text.h"

#include <algorithm>
#include <vector>

#include "cli/output/render_text.h"
#include "cli/output/text.h"
#include "core/base/require.h"
#include "core/payment/lifecycle.h"

namespace paytower::cli {

namespace {

constexpr std::size_t words_columns = 200;
constexpr std::size_t most_excluded = 5;  ///< named in one sentence

std::string fee_limit_text(const FailureDetail& detail, const RouteDemand& demand) {
  std::string text = "the cheapest route costs " + sat_text(detail.fee.value_or(Msat{})) + ", --fee-limit allows " +
                     sat_text(demand.fee_limit);
  if (detail.delay.value_or(0) > demand.cltv_limit) {
    text += "; it also locks the amount for " + counted(*detail.delay, "block") + ", --cltv-limit allows " +
            std::to_string(demand.cltv_limit);
  }
  return text;
}

std::string used_up_text(const Payment& payment) {
  const std::uint32_t allowed = payment.request.max_attempts;
  std::string text = allowed == 1
                         ? "the one attempt that --max-attempts allows has failed"
                         : "all " + std::to_string(allowed) + " attempts that --max-attempts allows have failed";
  if (const Attempt* last = payment.last_failure()) {
    text += (allowed == 1 ? " with " : ", the last one with ") + failure_place(*last->failure);
  }
  return text;
}

std::string named_channel(const FailureDetail& detail) {
  return "channel " + (detail.channel ? detail.channel->text() : std::string("-")) +
         ", which --outgoing-chan-id names,";
}

/// ": 800000x1x1/0 (TEMPORARY_CHANNEL_FAILURE by 02ab...)": what the payment's own failures exclude, and who said so
/// (M6).
std::string excluded_text(const Payment& payment) {
  std::vector<std::string> named;
  for (const Attempt& attempt : payment.attempts) {
    if (attempt.outcome != AttemptOutcome::failed || !attempt.failure) continue;
    const Failure& failure = *attempt.failure;
    const Verdict verdict = judge(failure, attempt.route);
    const auto source = failure.source_index.value_or(0);
    const bool known = source > 0 && source <= attempt.route.hops.size();
    const std::string by = std::string(" (") + std::string(failure_name(failure.code)) +
                           (known ? " by " + attempt.route.hops[source - 1].node.hex() : "") + ")";
    const auto add = [&](const std::string& what) {
      if (std::find(named.begin(), named.end(), what + by) == named.end()) named.push_back(what + by);
    };
    for (const PublicKey& node : verdict.exclude_nodes) add("node " + node.hex());
    for (const ChannelDirection& channel : verdict.exclude_channels)
      add(channel.channel.text() + "/" + std::to_string(channel.direction));
  }
  std::string text;
  for (std::size_t i = 0; i < std::min(named.size(), most_excluded); ++i) text += (i == 0 ? ": " : ", ") + named[i];
  if (named.size() > most_excluded) text += " and " + std::to_string(named.size() - most_excluded) + " more";
  return text;
}

/// Attempts bound the parts too.
std::string more_parts_text(const FailureDetail& detail, const Payment& payment) {
  const std::uint32_t needed = detail.parts.value_or(0);
  const std::uint32_t parts = payment.request.max_parts;
  return "the amount goes through in " + counted(needed, "part") + ", and " +
         (needed > parts ? "--max-parts allows " + std::to_string(parts)
                         : "--max-attempts allows " + std::to_string(payment.request.max_attempts));
}

std::string no_route_text(const Payment& payment) {
  const std::uint32_t attempts = payment.own_attempts();
  return attempts == 0 ? "no route" : "no route left after " + counted(attempts, "attempt");
}

std::string reason_text(const Payment& payment) {
  const std::uint32_t attempts = payment.own_attempts();
  const std::string after = attempts == 0 ? "" : " after " + counted(attempts, "attempt");
  switch (*payment.fail_reason) {
    case FailureReason::timeout: return "time ran out" + after;
    case FailureReason::no_route: return no_route_text(payment);
    case FailureReason::error: return "it failed for good" + after;
    case FailureReason::incorrect_payment_details:
      return "the payee does not know this payment, or not with this amount";
    case FailureReason::insufficient_balance: return "our channels hold too little";
    case FailureReason::canceled: return "canceled" + after;
  }
  return "it failed" + after;
}

}  // namespace

std::string failure_place(const Failure& failure) {
  std::string text(failure_name(failure.code));
  if (text == failure_name(FailureCode::unknown_code) && wire_code(failure.code))
    text += " " + std::to_string(*wire_code(failure.code));
  if (failure.source_index)
    text += *failure.source_index == 0 ? " at our node" : " at hop " + std::to_string(*failure.source_index);
  if (failure.channel) text += " (" + failure.channel->channel.text() + ")";
  return text;
}

std::string detail_text(const FailureDetail& detail, const Payment& payment) {
  const RouteDemand& demand = payment.request.demand;
  switch (detail.code) {
    case DetailCode::unexplained: return "the node finds no route: " + printable_cut(detail.words, words_columns);
    case DetailCode::fee_limit: return fee_limit_text(detail, demand);
    case DetailCode::cltv_limit:
      return "the route that was found locks the amount for " + counted(detail.delay.value_or(0), "block") +
             ", --cltv-limit allows " + std::to_string(demand.cltv_limit);
    case DetailCode::attempts_used_up: return used_up_text(payment);
    case DetailCode::given_routes: return "none of the routes that --routes gives is left";
    case DetailCode::outgoing_channel_unknown:
      return "our node has no channel " + (detail.channel ? detail.channel->text() : std::string("-")) +
             ", which --outgoing-chan-id names";
    case DetailCode::outgoing_channel_unusable:
      return named_channel(detail) + " cannot be used now: it is not ready, or its peer is away";
    case DetailCode::outgoing_channel_balance:
      return named_channel(detail) + " holds too little: it can send " + sat_text(detail.held.value_or(Msat{}));
    case DetailCode::outgoing_channel_no_route:
      return "there are routes, but none begins with a channel that --outgoing-chan-id names";
    case DetailCode::no_channel: return "our node has no channel that can be used now";
    case DetailCode::no_balance:
      return "our channels hold too little: together they can send " + sat_text(detail.held.value_or(Msat{}));
    case DetailCode::amount_in_one_part: {
      const std::string held = detail.held ? "; together our channels can send " + sat_text(*detail.held) : "";
      return "no single channel or path carries " + sat_text(demand.amount) + " in one part" + held;
    }
    case DetailCode::more_parts: return more_parts_text(detail, payment);
    case DetailCode::payee_unknown:
      return "the network does not know the payee: no public channel leads to it, and no route hint that is known";
    case DetailCode::excluded:
      return "every other route uses a channel or a node that has failed before" + excluded_text(payment);
    case DetailCode::attempts_failed: {
      const Attempt* last = payment.last_failure();
      return last == nullptr ? "the attempts failed" : "the last attempt failed with " + failure_place(*last->failure);
    }
  }
  return "no route";
}

std::string why_not_paid(const Payment& payment) {
  require(payment.fail_reason.has_value(), "the payment has failed");
  const auto detail = payment.why_failed();
  if (!detail) return reason_text(payment);
  const std::string text = detail_text(*detail, payment);
  const bool whole = payment.own_attempts() == 0 || detail->code == DetailCode::attempts_used_up;
  if (whole) return text;
  const bool found_none =
      *payment.fail_reason == FailureReason::no_route || *payment.fail_reason == FailureReason::insufficient_balance;
  return (found_none ? no_route_text(payment) : reason_text(payment)) + ": " + text;
}

}  // namespace paytower::cli
