// Why a payment was not paid, and how an attempt failed, in sentences.
#include "cli/output/failure_text.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "cli/output/render_text.h"
#include "cli/output/text.h"
#include "core/base/require.h"
#include "core/invoice/bolt11/invoice.h"
#include "core/payment/lifecycle.h"

namespace paytower::cli {

namespace {

constexpr std::size_t words_columns = 200;
constexpr std::size_t most_excluded = 5;  ///< named in one sentence

/// Ends that no node on the way has told, or not so that we could read it. Their codes are for scripts.
constexpr std::array ends_in_words = {
    std::pair{FailureCode::not_executed, std::string_view("the node never started it")},
    std::pair{FailureCode::erased, std::string_view("the node has erased why it failed")},
    std::pair{FailureCode::fenced, std::string_view("called off before the node started it")},
    std::pair{FailureCode::unreadable, std::string_view("an answer that nobody could read")},
    std::pair{FailureCode::no_debit, std::string_view("it ended without payment, and its record is gone")},
};

/// Empty for a code that speaks for itself.
std::string_view words_of(FailureCode code) {
  for (const auto& [known, words] : ends_in_words) {
    if (known == code) return words;
  }
  return {};
}

std::string_view words_or_name(FailureCode code) {
  const std::string_view words = words_of(code);
  return words.empty() ? failure_name(code) : words;
}

/// " with TEMPORARY_CHANNEL_FAILURE at hop 2", ": the node never started it"
std::string with_failure(const Failure& failure) {
  return fmt::format("{}{}", words_of(failure.code).empty() ? " with " : ": ", failure_place(failure));
}

/// A sentence of the node, inside one of ours: that one has a full stop of its own.
std::string node_words(std::string_view words) {
  const auto last = words.find_last_not_of(". \n");
  return printable_cut(words.substr(0, last == std::string_view::npos ? 0 : last + 1), words_columns);
}

std::string fee_limit_text(const FailureDetail& detail, const RouteDemand& demand) {
  std::string text = fmt::format("the cheapest route costs {}, --fee-limit allows {}",
                                 sat_text(detail.fee.value_or(Msat{})), sat_text(demand.fee_limit));
  if (detail.delay.value_or(0) > demand.cltv_limit) {
    text += fmt::format("; it also locks the amount for {}, --cltv-limit allows {}", counted(*detail.delay, "block"),
                        demand.cltv_limit);
  }
  return text;
}

bool gave_back(const Attempt& attempt) { return attempt.failure->code == FailureCode::mpp_timeout; }

/// The failure to name: the last one, or what kept the last set incomplete. What the payee then gives back tells
/// nothing. Or nullptr.
const Attempt* cause_of(const Payment& payment) {
  const Attempt* const last = payment.last_failure();
  if (last == nullptr || !gave_back(*last)) return last;
  const Attempt* cause = nullptr;
  for (const Attempt& attempt : payment.attempts) {
    if (attempt.outcome != AttemptOutcome::failed || !attempt.failure || gave_back(attempt)) continue;
    if (attempt.id != last->id || attempt.origin != last->origin) continue;
    if (cause == nullptr || !(attempt.resolved < cause->resolved)) cause = &attempt;
  }
  return cause == nullptr ? last : cause;
}

/// "; the payee seems to be offline": the node before it found nobody at the other end of their channel.
std::string_view offline_text(const Payment& payment) {
  const Attempt* last = cause_of(payment);
  if (last == nullptr || !last->failure || last->failure->code != FailureCode::unknown_next_peer) return {};
  const std::size_t hops = last->route.hops.size();
  const bool before_payee = hops > 0 && last->failure->source_index == hops - 1;
  return before_payee ? "; the payee seems to be offline" : "";
}

/// The payee itself said no. REQUIRES: a failed attempt.
bool by_payee(const Attempt& attempt) {
  const std::size_t hops = attempt.route.hops.size();
  return hops > 0 && attempt.failure->source_index == hops;
}

/// Why it had to go in one piece: the payee wants that, or --max-parts, or --max-attempts, which bounds the parts too.
std::string no_parts_text(const Payment& payment) {
  if (payment.request.max_parts > 1) {
    const std::uint32_t allowed = payment.request.max_attempts;
    if (payment.own_attempts() + 1 < allowed) return {};
    return allowed == 1 ? ", and --max-attempts allows 1" : ", and --max-attempts leaves 1";
  }
  if (payment.request.invoice.empty())
    return "; an invoice says whether the payee takes parts, for --dest --max-parts does";
  const auto invoice = decode_invoice(payment.request.invoice);
  if (!invoice) return {};
  return takes_parts(*invoice) ? ", and --max-parts allows 1" : ", and the payee takes no parts";
}

/// REQUIRES: an attempt that the payee gave back, and nothing that tells why its set stayed incomplete.
std::string given_back_text(const Attempt& attempt) {
  return fmt::format(
      "the payee gave the last set of parts back, because the rest of the amount did not arrive in time ({})",
      failure_place(*attempt.failure));
}

/// REQUIRES: the cause of a set that the payee gave back.
std::string kept_incomplete_text(const Attempt& cause, const Payment& payment) {
  return fmt::format("a part of the last set failed{}, and the payee gave the others back{}",
                     with_failure(*cause.failure), offline_text(payment));
}

std::string used_up_text(const Payment& payment) {
  const std::uint32_t allowed = payment.request.max_attempts;
  std::string text = allowed == 1 ? "the one attempt that --max-attempts allows has failed"
                                  : fmt::format("all {} attempts that --max-attempts allows have failed", allowed);
  const std::uint32_t made = attempts_made(payment);
  if (made != payment.own_attempts())
    text += fmt::format(" ({} in all: a set of parts that the payee gave back counts once)", made);
  const Attempt* const cause = cause_of(payment);
  if (cause == nullptr) return text;
  if (gave_back(*cause)) return text + "; " + given_back_text(*cause);
  if (cause != payment.last_failure()) return fmt::format("{}; {}", text, kept_incomplete_text(*cause, payment));
  text += (allowed == 1 ? "" : ", the last one") + with_failure(*cause->failure);
  return text.append(offline_text(payment));
}

std::string attempts_failed_text(const Payment& payment) {
  const Attempt* const cause = cause_of(payment);
  if (cause == nullptr) return "the attempts failed";
  if (gave_back(*cause)) return given_back_text(*cause);
  if (cause != payment.last_failure()) return kept_incomplete_text(*cause, payment);
  return fmt::format("{}{}{}", by_payee(*cause) ? "the payee refused the last attempt" : "the last attempt failed",
                     with_failure(*cause->failure), offline_text(payment));
}

std::string named_channel(const FailureDetail& detail) {
  return fmt::format("channel {}, which --outgoing-chan-id names,",
                     detail.channel ? detail.channel->text() : std::string("-"));
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
    const std::string by = fmt::format(" ({}{})", words_or_name(failure.code),
                                       known ? fmt::format(" by {}", attempt.route.hops[source - 1].node.hex()) : "");
    const auto add = [&](const std::string& what) {
      if (std::find(named.begin(), named.end(), what + by) == named.end()) named.push_back(what + by);
    };
    for (const PublicKey& node : verdict.exclude_nodes) add(fmt::format("node {}", node.hex()));
    for (const ChannelDirection& channel : verdict.exclude_channels)
      add(fmt::format("{}/{}", channel.channel.text(), channel.direction));
  }
  std::string text;
  for (std::size_t i = 0; i < std::min(named.size(), most_excluded); ++i) text += (i == 0 ? ": " : ", ") + named[i];
  if (named.size() > most_excluded) text += fmt::format(" and {} more", named.size() - most_excluded);
  return text;
}

/// "; it had to go in one part, and the payee takes no parts": else parts could have gone over what is left of the
/// routes.
std::string one_part_text(const Payment& payment) {
  const std::string why = no_parts_text(payment);
  return why.empty() ? why : "; it had to go in one part" + why;
}

std::string held_text(const FailureDetail& detail) {
  return detail.held ? fmt::format("; together our channels can send {}", sat_text(*detail.held)) : "";
}

/// Attempts bound the parts too.
std::string more_parts_text(const FailureDetail& detail, const Payment& payment) {
  const std::uint32_t needed = detail.parts.value_or(0);
  const std::uint32_t parts = payment.request.max_parts;
  return fmt::format("the amount goes through in {}, and {}", counted(needed, "part"),
                     needed > parts ? fmt::format("--max-parts allows {}", parts)
                                    : fmt::format("--max-attempts allows {}", payment.request.max_attempts));
}

std::string no_route_text(const Payment& payment) {
  const std::uint32_t attempts = attempts_made(payment);
  return attempts == 0 ? "no route" : fmt::format("no route left after {}", counted(attempts, "attempt"));
}

std::string reason_text(const Payment& payment) {
  const std::uint32_t attempts = attempts_made(payment);
  const std::string after = attempts == 0 ? "" : fmt::format(" after {}", counted(attempts, "attempt"));
  switch (*payment.fail_reason) {
    case FailureReason::timeout: return fmt::format("time ran out{}", after);
    case FailureReason::no_route: return no_route_text(payment);
    case FailureReason::error: return fmt::format("it failed for good{}", after);
    case FailureReason::incorrect_payment_details:
      // BOLT 4 has one code for all three. The last one befalls what was held on its way while blocks came.
      return "the payee does not know this payment, or not with this amount, or too few blocks were left when it came";
    case FailureReason::insufficient_balance: return "our channels hold too little";
    case FailureReason::canceled: return fmt::format("canceled{}", after);
  }
  return fmt::format("it failed{}", after);
}

}  // namespace

std::string failure_place(const Failure& failure) {
  if (const std::string_view words = words_of(failure.code); !words.empty()) return std::string(words);
  std::string text(failure_name(failure.code));
  if (text == failure_name(FailureCode::unknown_code) && wire_code(failure.code))
    text += fmt::format(" {}", *wire_code(failure.code));
  if (failure.source_index)
    text += *failure.source_index == 0 ? " at our node" : fmt::format(" at hop {}", *failure.source_index);
  if (failure.channel) text += fmt::format(" ({})", failure.channel->channel.text());
  return text;
}

std::string detail_text(const FailureDetail& detail, const Payment& payment) {
  const RouteDemand& demand = payment.request.demand;
  switch (detail.code) {
    case DetailCode::unexplained: return fmt::format("the node finds no route: {}", node_words(detail.words));
    case DetailCode::fee_limit: return fee_limit_text(detail, demand);
    case DetailCode::cltv_limit:
      return fmt::format("the route that was found locks the amount for {}, --cltv-limit allows {}",
                         counted(detail.delay.value_or(0), "block"), demand.cltv_limit);
    case DetailCode::attempts_used_up: return used_up_text(payment);
    case DetailCode::given_routes: return "none of the routes that --routes gives is left";
    case DetailCode::outgoing_channel_unknown:
      return fmt::format("our node has no channel {}, which --outgoing-chan-id names",
                         detail.channel ? detail.channel->text() : std::string("-"));
    case DetailCode::outgoing_channel_unusable:
      return fmt::format("{} cannot be used now: it is not ready, or its peer is away", named_channel(detail));
    case DetailCode::outgoing_channel_balance:
      return fmt::format("{} holds too little: it can send {}", named_channel(detail),
                         sat_text(detail.held.value_or(Msat{})));
    case DetailCode::outgoing_channel_no_route:
      return "there are routes, but none begins with a channel that --outgoing-chan-id names";
    case DetailCode::no_channel: return "our node has no channel that can be used now";
    case DetailCode::no_balance:
      return fmt::format("our channels hold too little: together they can send {}",
                         sat_text(detail.held.value_or(Msat{})));
    case DetailCode::amount_in_one_part:
      return fmt::format("no single channel or path carries {} in one part{}{}", sat_text(demand.amount),
                         no_parts_text(payment), held_text(detail));
    case DetailCode::amount_in_parts:
      return fmt::format("no set of paths to the payee carries {}, in parts neither{}", sat_text(demand.amount),
                         held_text(detail));
    case DetailCode::more_parts: return more_parts_text(detail, payment);
    case DetailCode::payee_unknown:
      return "the network does not know the payee: no public channel leads to it, and no route hint that is known";
    case DetailCode::excluded:
      return fmt::format("every other route uses a channel or a node that has failed before{}{}{}",
                         excluded_text(payment), offline_text(payment), one_part_text(payment));
    case DetailCode::no_answer:
      return fmt::format("time ran out before the node gave routes: {}", node_words(detail.words));
    case DetailCode::attempts_failed: return attempts_failed_text(payment);
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
  return fmt::format("{}: {}", found_none ? no_route_text(payment) : reason_text(payment), text);
}

}  // namespace paytower::cli
