#include "core/driver/restored.h"

#include <algorithm>
#include <set>

#include "core/base/hash.h"
#include "core/driver/attempt_id.h"
#include "core/invoice/bolt11/invoice.h"

namespace paytower {

namespace {

Msat fee_of(const SwitchRow& row) {
  const Msat amount = row.amount.value_or(Msat{});
  return row.amount_sent ? checked_sub(*row.amount_sent, amount).value_or(Msat{}) : Msat{};
}

PaymentRequest request_of(const OwnRow& own, const SwitchKey& switch_key) {
  PaymentRequest request;
  request.hash = own.hash;
  request.demand.destination = own.row.destination.value_or(PublicKey{});
  request.demand.amount = own.row.amount.value_or(Msat{});
  request.demand.fee_limit = fee_of(own.row);  // what the limit was, nobody knows any more
  request.invoice = own.invoice;
  request.network = switch_key.network;
  request.created = own.created;
  request.deadline = own.created;
  if (const auto invoice = own.invoice.empty() ? Result<Invoice>(Error{}) : decode_recorded_invoice(own.invoice)) {
    request.payment_secret = invoice->payment_secret;
    request.metadata = invoice->metadata;
  }
  return request;
}

Attempt attempt_of(const OwnRow& own, const SwitchKey& switch_key) {
  Attempt attempt;
  attempt.id = own.row.id;
  attempt.part = own.row.part;
  attempt.switch_key = switch_key;
  attempt.amount = own.row.amount.value_or(Msat{});
  attempt.fee = fee_of(own.row);
  attempt.registered = own.created;
  return attempt;
}

Adoption adopt(const OwnRow& own, const SwitchKey& switch_key, UnixNs now) {
  Adoption adoption;
  adoption.payment.request = request_of(own, switch_key);
  adoption.writes.push_back(InitPayment{});
  adoption.writes.push_back(RegisterAttempt{attempt_of(own, switch_key)});
  if (own.row.state == RowState::complete) {
    adoption.writes.push_back(SettleAttempt{AttemptKey{own.hash, own.row.id, own.row.part}, *own.row.preimage, now});
    adoption.writes.push_back(Succeed{*own.row.preimage, now});
  }
  return adoption;
}

/// Pending rows and proven ones. Of a complete row without its proof nothing can be recorded; the next look meets it.
bool adoptable(const OwnRow& own) {
  if (own.row.state == RowState::pending) return true;
  return own.row.state == RowState::complete && own.row.preimage && proves(*own.row.preimage, own.hash);
}

}  // namespace

AdoptionPlan plan_adoption(std::span<const OwnRow> rows, std::span<const PaymentHash> known, const StoreId& store,
                           const SwitchKey& switch_key, UnixNs now) {
  AdoptionPlan plan;
  std::set<PaymentHash> done(known.begin(), known.end());
  // A paid row of a hash before a pending one: a hash is adopted once.
  for (const RowState wanted : {RowState::complete, RowState::pending}) {
    for (const OwnRow& own : rows) {
      const auto label = parse_attempt_label(own.row.label);
      if (!label || label->store != store || label->id != own.row.id || label->id.value >= end_of_ids) continue;
      plan.highest = std::max(plan.highest, label->id);
      if (label->fence || own.row.state != wanted || !adoptable(own) || done.count(own.hash) != 0) continue;
      done.insert(own.hash);
      plan.adoptions.push_back(adopt(own, switch_key, now));
    }
  }
  return plan;
}

}  // namespace paytower
