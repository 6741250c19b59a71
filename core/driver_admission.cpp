#include "core/driver_admission.h"

#include <algorithm>
#include <utility>

#include "core/hash.h"

namespace paytower {

namespace {

bool same_parameters(const PaymentRequest& wanted, const PaymentRequest& stored) {
  return wanted.demand.amount == stored.demand.amount && wanted.demand.destination == stored.demand.destination &&
         wanted.payment_secret == stored.payment_secret;
}

/// A guard keeps less than a payment: what it does not know does not differ.
bool same_parameters(const PaymentRequest& wanted, const Guard& guard) {
  if (guard.amount && *guard.amount != wanted.demand.amount) return false;
  if (guard.destination && *guard.destination != wanted.demand.destination) return false;
  if (!guard.payment_secret_hash) return true;
  return wanted.payment_secret && sha256(wanted.payment_secret->bytes) == *guard.payment_secret_hash;
}

DriveResult differ(const PaymentHash& hash) {
  DriveResult result;
  result.hash = hash;
  result.end = DriveEnd::refused;
  result.error = Error{Errc::parameters_differ,
                       "this hash is known with another amount, destination or payment secret; nothing was changed",
                       "paytower show " + hash.hex()};
  return result;
}

DriveResult ended(const PaymentHash& hash, Payment payment) {
  DriveResult result;
  result.hash = hash;
  result.end = DriveEnd::ended;
  result.payment = std::move(payment);
  return result;
}

}  // namespace

Judgement judge_request(const Admission& next, const HashState& state) {
  Judgement judgement;
  if (!next.idempotent) return judgement;
  if (state.guard && state.guard->preimage) {
    if (!same_parameters(*next.request, *state.guard)) {
      judgement.result = differ(next.hash);
      return judgement;
    }
    Payment paid;  // the record is deleted: what the guard kept of it
    paid.request = *next.request;
    paid.preimage = state.guard->preimage;
    paid.ended = state.guard->since;
    judgement.result = ended(next.hash, std::move(paid));
    return judgement;
  }
  if (!state.payment || state.guard) return judgement;
  const PaymentStatus status = state.payment->status();
  if (status == PaymentStatus::failed || status == PaymentStatus::unknown) return judgement;
  if (!same_parameters(*next.request, state.payment->request)) {
    judgement.result = differ(next.hash);
  } else if (status == PaymentStatus::succeeded) {
    judgement.result = ended(next.hash, *state.payment);
  } else if (state.payment->provenance == Provenance::native) {
    judgement.join = true;
  }
  return judgement;
}

DriveResult busy_result(const Admission& waiting) {
  DriveResult result;
  result.hash = waiting.hash;
  result.end = DriveEnd::busy;
  result.error = Error{Errc::busy, "another paytower is driving this payment; this call handed nothing over",
                       "paytower show " + waiting.hash.hex()};
  return result;
}

DriveResult unreadable_result(const Admission& next, const Error& why) {
  DriveResult result;
  result.hash = next.hash;
  result.end = DriveEnd::refused;
  result.error = why;
  if (next.index) result.error->message = "payment " + std::to_string(next.index->value) + ": " + why.message;
  return result;
}

Error refusal_of(const Payment& payment, Errc why) {
  const std::string hash = payment.request.hash.hex();
  const std::string show = "paytower show " + hash;
  switch (why) {
    case Errc::already_paid: return {why, "this payment hash is already paid; nothing was sent", show};
    case Errc::in_flight:
      return {why, "this payment hash is already in flight; nothing was sent and nothing was changed", "paytower resume " + hash};
    case Errc::guarded:
      return {why, "this payment hash may be in flight, or was written off; nothing was sent", show};
    case Errc::already_ended:
      return {why, "this payment ended without proof of its outcome and is not payable; nothing was sent", show};
    case Errc::already_succeeded: return {why, "this payment has succeeded; nothing was changed", show};
    case Errc::already_failed: return {why, "this payment has failed already; nothing was changed", show};
    case Errc::not_found: return {why, "there is no such payment", "paytower list"};
    case Errc::database_old_copy:
      return {why,
              "the switch shows attempts of this database that are not in it: this is an old copy of the database; nothing was sent and "
              "nothing was changed",
              "paytower resolve --restored"};
    case Errc::switch_old_copy:
      return {why,
              "the switch's counters stand below those stored with an attempt: the node was restored from an old copy; nothing was sent "
              "and nothing was changed",
              show};
    case Errc::usage:
    case Errc::invoice_expired:
    case Errc::wrong_network:
    case Errc::self_payment:
    case Errc::not_initiated:
    case Errc::stopped:
    case Errc::parameters_differ:
    case Errc::still_at_switch:
    case Errc::busy:
    case Errc::switch_unavailable:
    case Errc::other_switch:
    case Errc::ambiguous:
    case Errc::not_confirmed:
    case Errc::database:
    case Errc::schema_older:
    case Errc::schema_newer:
    case Errc::conflict:
    case Errc::internal: break;
  }
  return {why, std::string("refused: ") + std::string(code_name(why)) + "; nothing was sent", show};
}

std::optional<Error> wrong_switch(const Payment& payment, const SwitchKey& here) {
  const auto elsewhere = std::find_if(payment.attempts.begin(), payment.attempts.end(), [&](const Attempt& a) {
    return (a.open() || a.watched()) && a.switch_key && *a.switch_key != here;
  });
  const std::string hash = payment.request.hash.hex();
  if (elsewhere != payment.attempts.end()) {
    return Error{Errc::other_switch,
                 "its open attempt belongs to node " + elsewhere->switch_key->node.hex() + " (" + elsewhere->switch_key->network +
                     "); this is " + here.node.hex() + " (" + here.network + ")",
                 "paytower show " + hash};
  }
  const std::string& network = payment.request.network;
  if (!network.empty() && network != here.network) {
    return Error{Errc::wrong_network, "the invoice is for " + network + ", the switch is on " + here.network + "; nothing was sent", {}};
  }
  if (payment.request.demand.destination == here.node) {
    return Error{Errc::self_payment, "the payee is the paying node itself; nothing was sent", {}};
  }
  return std::nullopt;
}

Handover handover(const Payment& payment, const Attempt& attempt, const StoreId& store, bool fence) {
  const PaymentRequest& request = payment.request;
  Handover out;
  out.key = key(payment, attempt);
  out.label = attempt_label(store, *attempt.id, fence);
  out.route = attempt.route;
  out.amount = request.demand.amount;
  out.payment_secret = request.payment_secret;
  out.metadata = request.metadata;
  out.invoice = request.invoice;
  return out;
}

AttemptKey key(const Payment& payment, const Attempt& attempt) { return AttemptKey{payment.request.hash, *attempt.id, attempt.part}; }

std::optional<Marks> oldest_marks(const Payment& payment) {
  for (const Attempt& attempt : payment.attempts) {
    if (attempt.origin == AttemptOrigin::own) return attempt.marks;
  }
  return std::nullopt;
}

}  // namespace paytower
