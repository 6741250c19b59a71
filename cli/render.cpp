#include "cli/render.h"

#include <utility>

namespace paytower::cli {

namespace {

Json failure_json(const std::optional<Failure>& failure) {
  if (!failure) return {};
  Json json;
  json["code"] = failure_name(failure->code);
  json["failure_source_index"] = failure->source_index ? Json(*failure->source_index) : Json();
  json["chan_id"] = failure->channel ? id_json(failure->channel->channel.value) : Json();
  json["message"] = failure->message;
  return json;
}

Json hop_json(const Route& route, std::size_t i, Msat delivered, bool imported) {
  // Our hops carry what travels on a channel; lnd's names say what a node forwards: the amount on the next channel, and the
  // payee what is delivered (in a migrated record less than its HTLC carries: the whole fee fell to the last hop).
  const Hop& hop = route.hops[i];
  const Msat onward = i + 1 < route.hops.size() ? route.hops[i + 1].amount : delivered;
  const bool known = hop.channel.value != 0;    // a migrated record names neither channels nor delays
  Json json;
  json["chan_id"] = known ? id_json(hop.channel.value) : Json();
  json["scid"] = known ? Json(hop.channel.text()) : Json();
  json["pub_key"] = hop.node.hex();
  json["amt_to_forward_msat"] = msat_json(onward);
  json["fee_msat"] = msat_json(checked_sub(hop.amount, onward).value_or(Msat{}));
  // An imported route counts its delays from height 0: they are heights.
  json["delay"] = known && !imported ? Json(hop.delay) : Json();
  json["expiry"] = known && imported ? Json(hop.delay) : Json();
  return json;
}

Json route_totals_json(Msat total, Msat fees) {
  Json json;
  json["total_time_lock"] = nullptr;
  json["total_amt_msat"] = msat_json(total);
  json["total_fees_msat"] = msat_json(fees);
  json["hops"] = Json::array();
  return json;
}

Json hops_json(const Route& route, Msat delivered, bool omit_hops, bool imported = false) {
  Json json = route_totals_json(route.total_amount(), checked_sub(route.total_amount(), delivered).value_or(Msat{}));
  for (std::size_t i = 0; !omit_hops && i < route.hops.size(); ++i) json["hops"].push_back(hop_json(route, i, delivered, imported));
  return json;
}

/// Null where no route is known. With hops left out the store may not even have read it; what was handed over is known still.
Json attempt_route_json(const Attempt& attempt, bool omit_hops) {
  if (omit_hops && attempt.origin == AttemptOrigin::own) {
    return route_totals_json(checked_add(attempt.amount, attempt.fee).value_or(attempt.amount), attempt.fee);
  }
  if (attempt.route.hops.empty()) return {};
  const bool imported = attempt.origin == AttemptOrigin::imported;
  Json json = hops_json(attempt.route, imported ? attempt.amount : attempt.route.delivered(), omit_hops, imported);
  if (attempt.total_time_lock) json["total_time_lock"] = *attempt.total_time_lock;
  return json;
}

/// A time that an imported record does not say is stored as 0.
Json said_time_json(const std::optional<UnixNs>& time, bool imported) {
  return imported && time == UnixNs{} ? Json() : time_json(time);
}

Json attempt_json(const Attempt& attempt, bool omit_hops) {
  Json json;
  json["attempt_id"] = attempt.id ? id_json(attempt.id->value) : Json();
  json["part"] = attempt.part;
  json["origin"] = origin_name(attempt.origin);
  json["status"] = htlc_status(attempt);
  const bool imported = attempt.origin == AttemptOrigin::imported;
  json["attempt_time_ns"] = said_time_json(attempt.registered, imported);
  json["accepted_time_ns"] = time_json(attempt.accepted);
  json["resolve_time_ns"] = said_time_json(attempt.resolved, imported);
  json["preimage"] = hex_json(attempt.preimage);
  json["failure"] = failure_json(attempt.failure);
  json["route"] = attempt_route_json(attempt, omit_hops);
  return json;
}

std::string reason_of(const Payment& payment) {
  return payment.fail_reason && !payment.proof() ? std::string(reason_name(*payment.fail_reason)) : "FAILURE_REASON_NONE";
}

/// What the payment costs: of the settled attempt, or of the one under way; nothing when neither is there.
Json fee_json(const Payment& payment) {
  const Attempt* attempt = payment.settled_attempt();
  for (const Attempt& other : payment.attempts) {
    if (attempt == nullptr && other.open()) attempt = &other;
  }
  return attempt != nullptr ? msat_json(attempt->fee) : Json(0);
}

}  // namespace

std::string dump(const Json& document) { return document.dump(-1, ' ', true, Json::error_handler_t::replace); }

Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }
Json id_json(std::uint64_t id) { return std::to_string(id); }
Json time_json(UnixNs time) { return std::to_string(time.value); }
Json time_json(const std::optional<UnixNs>& time) { return time ? time_json(*time) : Json(); }
Json msat_json(Msat amount) { return amount.value(); }

std::string htlc_status(const Attempt& attempt) {
  if (!attempt.outcome) return "IN_FLIGHT";
  switch (*attempt.outcome) {
    case AttemptOutcome::settled: return "SUCCEEDED";
    case AttemptOutcome::failed: return "FAILED";
    case AttemptOutcome::closed: return "UNKNOWN";
  }
  return "UNKNOWN";
}

Json route_json(const Route& route, bool omit_hops) { return hops_json(route, route.delivered(), omit_hops); }

Json payment_json(PaymentView view) {
  const Payment& payment = *view.payment;
  const PaymentRequest& request = payment.request;
  const PaymentStatus status = payment.status();
  const bool has_reason = status != PaymentStatus::unknown;
  Json json;
  json["payment_hash"] = request.hash.hex();
  json["payment_index"] = payment.index.value == 0 ? Json() : id_json(static_cast<std::uint64_t>(payment.index.value));
  json["status"] = status_name(status);
  json["definitive"] = payment.definitive();
  json["end_note"] = payment.end_note && !payment.proof() ? Json(end_note_name(*payment.end_note)) : Json();
  json["failure_reason"] = has_reason ? Json(reason_of(payment)) : Json();
  json["value_msat"] = msat_json(request.demand.amount);
  json["fee_msat"] = fee_json(payment);
  json["fee_limit_msat"] = payment.provenance == Provenance::native ? msat_json(request.demand.fee_limit) : Json();
  json["payment_preimage"] = hex_json(payment.proof());
  json["payment_request"] = text_or_null(request.invoice);
  json["destination"] = request.demand.destination == PublicKey{} ? Json() : Json(request.demand.destination.hex());
  json["label"] = text_or_null(request.label);
  json["creation_time_ns"] = said_time_json(request.created, payment.provenance != Provenance::native);
  json["deadline_ns"] = payment.provenance == Provenance::native ? time_json(request.deadline) : Json();
  json["cancel_requested"] = payment.stop_reason == FailureReason::canceled;
  json["provenance"] = provenance_name(payment.provenance);
  json["htlcs"] = Json::array();
  for (const Attempt& attempt : payment.attempts) json["htlcs"].push_back(attempt_json(attempt, view.omit_hops));
  json["duplicate_of"] = payment.duplicate_of ? id_json(static_cast<std::uint64_t>(payment.duplicate_of->value)) : Json();
  json["duplicates"] = std::move(view.duplicates);
  json["tries"] = std::move(view.tries);
  return json;
}

Json payment_json(const Payment& payment) { return payment_json(PaymentView{&payment}); }

Json guard_json(const Guard& guard) {
  Json json;
  json["payment_hash"] = guard.hash.hex();
  json["kind"] = guard_kind_name(guard.kind);
  json["value_msat"] = guard.amount ? msat_json(*guard.amount) : Json();
  json["payment_preimage"] = hex_json(guard.preimage);
  json["destination"] = hex_json(guard.destination);
  json["since_ns"] = time_json(guard.since);
  return json;
}

}  // namespace paytower::cli
