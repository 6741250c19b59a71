// What forwarding nodes and the payee check, and the failures they send.
#include "core/sim/forwarding.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/core.h>

#include "core/payment/channel_update.h"
#include "core/sim/graph.h"

namespace paytower::sim {

namespace {

constexpr std::string_view unknown_code_words = "failure code ";

Msat sum(Msat a, Msat b) { return checked_add(a, b).value_or(Msat::of(Msat::max_value)); }
Msat difference(Msat a, Msat b) { return checked_sub(a, b).value_or(Msat{}); }

bool fails_now(const Invoice& invoice, std::uint32_t at_hop, std::size_t hops) {
  if (!invoice.fail) return false;
  if (invoice.fail->times && invoice.attempts >= *invoice.fail->times) return false;
  const auto last = static_cast<std::uint32_t>(hops);
  return at_hop == std::min(invoice.fail->hop.value_or(last), last);
}

/// Why a forwarding node (BOLT 4, "Forwarding HTLCs") refuses to send `out` on after it has received `in`.
std::optional<FailureCode> forwarding_refusal(const Channel& channel, const Hop& in, const Hop& out) {
  const Policy& policy = channel.policies[out.direction];
  if (policy.disabled) return FailureCode::channel_disabled;
  if (out.amount < policy.htlc_min) return FailureCode::amount_below_minimum;
  const auto wanted = carried_before(forwarding(policy), Carried{out.amount, out.delay});
  if (!wanted || in.amount < wanted->amount) return FailureCode::fee_insufficient;
  if (in.delay < wanted->delay) return FailureCode::incorrect_cltv_expiry;
  if (out.delay < blocks_too_soon) return FailureCode::expiry_too_soon;
  if (out.delay > blocks_too_far) return FailureCode::expiry_too_far;
  if (out.amount > policy.htlc_max || out.amount > channel.balances[out.direction])
    return FailureCode::temporary_channel_failure;
  return std::nullopt;
}

/// BOLT 4 allows a payee to say little more than this about a payment that it does not want. It checks what the parts
/// are meant to add up to, not what they do add up to: a payer who sends too much has paid too much.
bool payee_takes(LedgerTx& tx, const Handover& handover, const std::optional<Invoice>& invoice, UnixNs now) {
  const Hop& last = handover.route.hops.back();
  if (!invoice) return false;
  const auto payee = tx.node(invoice->payee);
  if (!payee || payee->key != last.node) return false;
  if (handover.payment_secret != invoice->secret) return false;
  if (last.delay < invoice->final_cltv_delta) return false;
  if (invoice->behaviour == PayeeBehaviour::settles_twice) return true;
  if (invoice->paid || now >= invoice->expires) return false;
  if (!invoice->amount) return true;
  return handover.amount >= *invoice->amount && handover.amount.value() <= invoice->amount->value() * 2;
}

/// Parts of the same payment that wait at the payee, and whether a complete one is there already.
struct Waiting {
  Msat sum;
  std::optional<Msat> total;  ///< as the waiting parts say it
  bool complete = false;
};

Waiting waiting_at_payee(LedgerTx& tx, const PaymentHash& hash) {
  Waiting waiting;
  for (const Flight& flight : tx.flights_of(hash)) {
    if (flight.incomplete) {
      waiting.sum = sum(waiting.sum, flight.route.delivered());
      waiting.total = flight.total;
    }
    if (!flight.incomplete && flight.end.settles) waiting.complete = true;
  }
  return waiting;
}

void arrive(LedgerTx& tx, Forwarding& forwarding, const Handover& handover, const std::optional<Invoice>& invoice,
            UnixNs now) {
  const auto payee = static_cast<std::uint32_t>(handover.route.hops.size());
  const auto fail = [&](FailureCode code) { forwarding.end.failure = failure_at(handover.route, payee, code); };
  if (!payee_takes(tx, handover, invoice, now)) return fail(FailureCode::incorrect_or_unknown_payment_details);
  const Waiting waiting = waiting_at_payee(tx, handover.key.hash);
  const bool late = waiting.complete || invoice->paid;
  const bool greedy = late && invoice->behaviour == PayeeBehaviour::settles_twice;
  if (late && !greedy) return fail(FailureCode::incorrect_or_unknown_payment_details);
  if (waiting.total && *waiting.total != handover.amount) {
    forwarding.breaks_set = true;
    return fail(FailureCode::final_incorrect_htlc_amount);
  }
  if (!greedy && sum(waiting.sum, handover.route.delivered()) < handover.amount) {
    forwarding.incomplete = true;
    return fail(FailureCode::mpp_timeout);
  }
  forwarding.end.settles = true;
  forwarding.hold = invoice->hold;
}

/// Node `at_hop` forwards the HTLC over its next channel and locks the amount there. Returns the failure with which it
/// refuses; nullopt if it has forwarded.
std::optional<Failure> forward(LedgerTx& tx, const Route& route, std::uint32_t at_hop) {
  const Hop& in = route.hops[at_hop - 1];
  const Hop& out = route.hops[at_hop];
  const auto channel = tx.channel(out.channel);
  const auto here = tx.node_by_key(in.node);
  const bool known = channel && here && out.direction <= 1 && channel->nodes[out.direction] == here->index;
  if (!known) return failure_at(route, at_hop, FailureCode::unknown_next_peer);
  if (const auto code = forwarding_refusal(*channel, in, out)) return failure_at(route, at_hop, *code);
  const auto next = tx.node(channel->nodes[1 - out.direction]);
  if (!next || next->key != out.node) {
    // The onion was made for a different node than the one at the end of this channel, which cannot read it.
    return failure_at(route, at_hop, FailureCode::invalid_onion_hmac);
  }
  lock_money(tx, out, *channel);
  return std::nullopt;
}

}  // namespace

Failure failure_at(const Route& route, std::uint32_t source, FailureCode code, std::string message) {
  Failure failure;
  failure.code = code;
  failure.source_index = source;
  failure.message = std::move(message);
  const std::size_t hop = std::min<std::size_t>(source, route.hops.size() - 1);
  failure.channel = ChannelDirection{route.hops[hop].channel, route.hops[hop].direction};
  if (source > 0) failure.node = route.hops[source - 1].node;
  return failure;
}

Failure wire_failure_at(const Route& route, std::uint32_t source, std::uint32_t wire_code) {
  const FailureCode code = failure_from_wire(wire_code);
  std::string message =
      code == FailureCode::unknown_code ? fmt::format("{}{}", unknown_code_words, wire_code) : std::string();
  return failure_at(route, source, code, std::move(message));
}

std::uint32_t wire_code_of(const Failure& failure) {
  const auto code = static_cast<std::uint32_t>(failure.code);
  if (code < 0x10000) return code;
  std::uint32_t named = 0;
  const std::string& words = failure.message;
  const bool has_number = failure.code == FailureCode::unknown_code && words.rfind(unknown_code_words, 0) == 0;
  if (has_number) std::from_chars(words.data() + unknown_code_words.size(), words.data() + words.size(), named);
  return named != 0 ? named : static_cast<std::uint32_t>(FailureCode::temporary_channel_failure);
}

std::optional<Bytes> told_policy(LedgerTx& tx, const Failure& failure, Msat amount) {
  const auto channel =
      failure.channel && failure.channel->direction <= 1 ? tx.channel(failure.channel->channel) : std::nullopt;
  const auto node = channel ? tx.node(channel->nodes[failure.channel->direction]) : std::nullopt;
  if (!node || !node->secret || node->key != failure.node) return std::nullopt;
  const Policy& policy = channel->policies[failure.channel->direction];
  ChannelPolicy told;
  told.channel = *failure.channel;
  told.forwarding = forwarding(policy);
  told.htlc_min = policy.htlc_min;
  told.htlc_max = policy.htlc_max;
  told.disabled = policy.disabled;
  told.timestamp = static_cast<std::uint32_t>(tx.number(Number::height));
  return failure_message(FailedForward{failure.code, amount, told.timestamp}, told, node->secret->bytes);
}

void lock_money(LedgerTx& tx, const Hop& hop, const Channel& channel) {
  auto balances = channel.balances;
  balances[hop.direction] = difference(balances[hop.direction], hop.amount);
  tx.set_balances(hop.channel, balances);
}

void settle_money(LedgerTx& tx, const Hop& hop) {
  const auto channel = tx.channel(hop.channel);
  if (!channel) return;
  auto balances = channel->balances;
  balances[1 - hop.direction] = sum(balances[1 - hop.direction], hop.amount);
  tx.set_balances(hop.channel, balances);
}

void give_back(LedgerTx& tx, const Hop& hop) {
  const auto channel = tx.channel(hop.channel);
  if (!channel) return;
  auto balances = channel->balances;
  balances[hop.direction] = sum(balances[hop.direction], hop.amount);
  tx.set_balances(hop.channel, balances);
}

Forwarding forward_along(LedgerTx& tx, const Handover& handover, const std::optional<Invoice>& invoice, UnixNs now) {
  const Route& route = handover.route;
  const auto payee = static_cast<std::uint32_t>(route.hops.size());
  Forwarding forwarding;
  for (std::uint32_t at_hop = 0;; ++at_hop) {
    forwarding.at_hop = at_hop;
    if (invoice && fails_now(*invoice, at_hop, payee)) {
      forwarding.end.failure = wire_failure_at(route, at_hop, invoice->fail->wire_code);
      forwarding.hold = invoice->hold;
      return forwarding;
    }
    if (at_hop == payee) break;
    if (at_hop == 0) {
      if (const auto first = tx.channel(route.hops[0].channel)) lock_money(tx, route.hops[0], *first);
    } else if ((forwarding.end.failure = forward(tx, route, at_hop))) {
      return forwarding;
    }
    forwarding.reserved_hops = at_hop + 1;
  }
  arrive(tx, forwarding, handover, invoice, now);
  return forwarding;
}

}  // namespace paytower::sim
