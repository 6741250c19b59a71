// Makes records again of what a switch shows and a restored database does not have (R12).
#include "core/driver/restored.h"

#include <algorithm>
#include <map>
#include <set>

#include "core/base/hash.h"
#include "core/base/limits.h"
#include "core/driver/attempt_id.h"
#include "core/invoice/bolt11/invoice.h"

namespace paytower {

namespace {

Msat fee_of(const SwitchRow& row) {
  const Msat amount = row.amount.value_or(Msat{});
  return row.amount_sent ? checked_sub(*row.amount_sent, amount).value_or(Msat{}) : Msat{};
}

/// The rows of one round: its parts.
using Round = std::vector<const OwnRow*>;

Msat sum_of(const Round& round, Msat (*what)(const SwitchRow&)) {
  Msat sum;
  for (const OwnRow* own : round) sum = checked_add(sum, what(own->row)).value_or(Msat::of(Msat::max_value));
  return sum;
}

Msat amount_of(const SwitchRow& row) { return row.amount.value_or(Msat{}); }

/// No row says what the payment asks for. The invoice may; parts that failed leave no row to adopt.
PaymentRequest request_of(const Round& round, const SwitchKey& switch_key) {
  const OwnRow& own = *round.front();
  PaymentRequest request;
  request.hash = own.hash;
  request.demand.destination = own.row.destination.value_or(PublicKey{});
  request.demand.amount = sum_of(round, amount_of);
  request.demand.fee_limit = sum_of(round, fee_of);  // nobody knows any more what the limit was
  request.max_parts = static_cast<std::uint32_t>(std::min<std::size_t>(round.size(), limits::max_parts));
  request.invoice = own.invoice;
  request.network = switch_key.network;
  request.created = own.created;
  for (const OwnRow* part : round) request.created = std::min(request.created, part->created);
  request.deadline = request.created;
  if (const auto invoice = own.invoice.empty() ? Result<Invoice>(Error{}) : decode_recorded_invoice(own.invoice)) {
    request.payment_secret = invoice->payment_secret;
    request.metadata = invoice->metadata;
    if (own.row.part != 0) request.demand.amount = std::max(request.demand.amount, invoice->amount.value_or(Msat{}));
  }
  return request;
}

Attempt attempt_of(const OwnRow& own, const SwitchKey& switch_key) {
  Attempt attempt;
  attempt.id = own.row.id;
  attempt.part = own.row.part;
  attempt.switch_key = switch_key;
  attempt.amount = amount_of(own.row);
  attempt.fee = fee_of(own.row);
  attempt.registered = own.created;
  return attempt;
}

/// Every part is stored as open before the first one settles: once there is a proof, the store takes no more attempts.
Adoption adopt(const Round& round, const SwitchKey& switch_key, UnixNs now) {
  Adoption adoption;
  adoption.payment.request = request_of(round, switch_key);
  adoption.writes.push_back(InitPayment{});
  for (const OwnRow* own : round) adoption.writes.push_back(RegisterAttempt{attempt_of(*own, switch_key)});
  const OwnRow& first = *round.front();
  if (first.row.state != RowState::complete) return adoption;
  for (const OwnRow* own : round) {
    if (own->row.state != RowState::complete) continue;
    adoption.writes.push_back(
        SettleAttempt{AttemptKey{own->hash, own->row.id, own->row.part}, *own->row.preimage, now});
  }
  adoption.writes.push_back(Succeed{*first.row.preimage, now});
  return adoption;
}

/// Pending rows and proven ones. A complete row without its proof cannot be recorded; the next look will see it.
bool adoptable(const OwnRow& own) {
  if (own.row.state == RowState::pending) return true;
  return own.row.state == RowState::complete && own.row.preimage && proves(*own.row.preimage, own.hash);
}

/// Part 0 is a payment in one part. It shares its id with no other attempt.
bool fits(const Round& round, const OwnRow& own) {
  const auto beside = [&own](const OwnRow* other) {
    return other->row.id == own.row.id && other->row.part != own.row.part && other->row.part != 0 && own.row.part != 0;
  };
  return std::all_of(round.begin(), round.end(), beside);
}

}  // namespace

AdoptionPlan plan_adoption(std::span<const OwnRow> rows, std::span<const PaymentHash> known, const StoreId& store,
                           const SwitchKey& switch_key, UnixNs now) {
  AdoptionPlan plan;
  const std::set<PaymentHash> left(known.begin(), known.end());
  std::map<PaymentHash, Round> rounds;
  std::vector<PaymentHash> order;
  // A paid row of a hash comes before a pending one: a hash is adopted once, with the parts of that row's round.
  for (const RowState wanted : {RowState::complete, RowState::pending}) {
    for (const OwnRow& own : rows) {
      const auto label = parse_attempt_label(own.row.label);
      if (!label || label->store != store || label->id != own.row.id || label->id.value >= end_of_ids) continue;
      plan.highest = std::max(plan.highest, label->id);
      if (label->fence || own.row.state != wanted || !adoptable(own) || left.count(own.hash) != 0) continue;
      Round& round = rounds[own.hash];
      if (round.empty()) order.push_back(own.hash);
      if (fits(round, own)) round.push_back(&own);
    }
  }
  for (const PaymentHash& hash : order) plan.adoptions.push_back(adopt(rounds[hash], switch_key, now));
  return plan;
}

}  // namespace paytower
