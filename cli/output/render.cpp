// Payments as JSON: the one shape that every command prints.
#include "cli/output/render.h"

#include <fmt/core.h>

#include "cli/output/failure_text.h"
#include "core/invoice/bolt11/invoice.h"

namespace paytower::cli {

namespace {

void write_failure(JsonWriter& out, const std::optional<Failure>& failure) {
  if (!failure) return out.null();
  out.begin_object();
  out.key("code").text(failure_name(failure->code));
  out.key("wire_code").maybe_number(wire_code(failure->code));
  out.key("failure_source_index").maybe_number(failure->source_index);
  out.key("chan_id");
  failure->channel ? out.id(failure->channel->channel.value) : out.null();
  out.key("message").text(failure->message);
  out.end_object();
}

/// The hops of an imported route count their delays from height 0, so that they are heights; what its record did not
/// say, a blinded path's middle or all heights of an old one, is 0 there.
void write_imported_hop(JsonWriter& out, const Route& route, std::size_t i, Msat delivered) {
  const Hop& hop = route.hops[i];
  const bool last = i + 1 == route.hops.size();
  const Msat onward = last ? delivered : route.hops[i + 1].amount;
  const std::uint32_t expiry = last ? hop.delay : route.hops[i + 1].delay;
  const bool known = hop.channel.value != 0;
  out.begin_object();
  out.key("chan_id");
  known ? out.id(hop.channel.value) : out.null();
  out.key("scid").maybe_text(known ? hop.channel.text() : "");
  out.key("pub_key").hex(hop.node);
  out.key("amt_to_forward_msat");
  onward == Msat{} ? out.null() : out.msat(onward);
  out.key("fee_msat");
  onward == Msat{} || hop.amount == Msat{} ? out.null() : out.msat(checked_sub(hop.amount, onward).value_or(Msat{}));
  out.key("delay").null();
  out.key("expiry").maybe_number(expiry == 0 ? std::nullopt : std::optional(expiry));
  out.end_object();
}

void write_hop(JsonWriter& out, const Route& route, std::size_t i, Msat delivered) {
  // Our hops carry what travels on a channel; lnd's names say what a node forwards: the amount on the next channel, and
  // the payee what is delivered.
  const Hop& hop = route.hops[i];
  const Msat onward = i + 1 < route.hops.size() ? route.hops[i + 1].amount : delivered;
  out.begin_object();
  out.key("chan_id").id(hop.channel.value);
  out.key("scid").text(hop.channel.text());
  out.key("pub_key").hex(hop.node);
  out.key("amt_to_forward_msat").msat(onward);
  out.key("fee_msat").msat(checked_sub(hop.amount, onward).value_or(Msat{}));
  out.key("delay").number(hop.delay);
  out.key("expiry").null();
  out.end_object();
}

/// How much of a route is shown, and how it is meant.
struct RouteShape {
  Msat total;
  Msat fees;
  Msat delivered;
  std::optional<std::uint32_t> total_time_lock{};
  bool imported = false;
  bool omit_hops = false;
};

void write_route(JsonWriter& out, const Route& route, const RouteShape& shape) {
  out.begin_object();
  out.key("total_time_lock").maybe_number(shape.total_time_lock);
  out.key("total_amt_msat").msat(shape.total);
  out.key("total_fees_msat").msat(shape.fees);
  out.key("hops").begin_array();
  for (std::size_t i = 0; !shape.omit_hops && i < route.hops.size(); ++i) {
    shape.imported ? write_imported_hop(out.element(), route, i, shape.delivered)
                   : write_hop(out.element(), route, i, shape.delivered);
  }
  out.end_array();
  out.end_object();
}

RouteShape shape_of(const Route& route, Msat delivered, bool omit_hops) {
  return RouteShape{route.total_amount(),
                    checked_sub(route.total_amount(), delivered).value_or(Msat{}),
                    delivered,
                    {},
                    false,
                    omit_hops};
}

/// Null where no route is known. Without hops the store may not have read the route; what was sent is still known.
void write_attempt_route(JsonWriter& out, const Attempt& attempt, bool omit_hops) {
  if (omit_hops && attempt.origin == AttemptOrigin::own) {
    const Msat total = checked_add(attempt.amount, attempt.fee).value_or(attempt.amount);
    return write_route(out, attempt.route,
                       RouteShape{total, attempt.fee, attempt.amount, attempt.total_time_lock, false, omit_hops});
  }
  if (attempt.route.hops.empty()) return out.null();
  const bool imported = attempt.origin == AttemptOrigin::imported;
  RouteShape shape = shape_of(attempt.route, imported ? attempt.amount : attempt.route.delivered(), omit_hops);
  shape.imported = imported;
  shape.total_time_lock = attempt.total_time_lock;
  write_route(out, attempt.route, shape);
}

/// A time that an imported record does not say is stored as 0.
std::optional<UnixNs> said(const std::optional<UnixNs>& time, bool imported) {
  return imported && time == UnixNs{} ? std::nullopt : time;
}

void write_attempt(JsonWriter& out, const Attempt& attempt, bool omit_hops) {
  const bool imported = attempt.origin == AttemptOrigin::imported;
  out.begin_object();
  out.key("attempt_id");
  attempt.id ? out.id(attempt.id->value) : out.null();
  out.key("part").number(attempt.part);
  out.key("origin").text(origin_name(attempt.origin));
  out.key("htlc_hash").maybe_hex(attempt.htlc_hash);
  out.key("status").text(htlc_status(attempt));
  out.key("attempt_time_ns").maybe_time(said(attempt.registered, imported));
  out.key("accepted_time_ns").maybe_time(attempt.accepted);
  out.key("resolve_time_ns").maybe_time(said(attempt.resolved, imported));
  out.key("locked_until_height")
      .maybe_number(attempt.total_time_lock ? attempt.total_time_lock : attempt.expected_time_lock);
  out.key("preimage").maybe_hex(attempt.preimage);
  write_failure(out.key("failure"), attempt.failure);
  write_attempt_route(out.key("route"), attempt, omit_hops);
  out.end_object();
}

std::string_view reason_of(const Payment& payment) {
  if (payment.status() == PaymentStatus::unknown) return {};
  return payment.fail_reason && !payment.proof() ? reason_name(*payment.fail_reason) : "FAILURE_REASON_NONE";
}

/// Other payments of the hash, each with nothing below it.
void write_others(JsonWriter& out, std::span<const Payment> payments, bool omit_hops) {
  out.begin_array();
  for (const Payment& payment : payments) write_payment(out.element(), PaymentView{&payment, omit_hops, {}, {}, "[]"});
  out.end_array();
}

}  // namespace

void write_payment(JsonWriter& out, const PaymentView& view) {
  const Payment& payment = *view.payment;
  const PaymentRequest& request = payment.request;
  const bool native = payment.provenance == Provenance::native;
  out.begin_object();
  out.key("payment_hash").hex(request.hash);
  out.key("payment_index");
  payment.index.value == 0 ? out.null() : out.id(static_cast<std::uint64_t>(payment.index.value));
  out.key("status").text(status_name(payment.status()));
  out.key("definitive").boolean(payment.definitive());
  out.key("end_note").maybe_text(payment.end_note && !payment.proof() ? end_note_name(*payment.end_note) : "");
  out.key("failure_reason").maybe_text(reason_of(payment));
  write_failure_detail(out.key("failure_detail"), payment);
  out.key("value_msat").msat(request.demand.amount);
  out.key("fee_msat").msat(fee_of(payment));
  out.key("fee_final").boolean(fee_final(payment));
  out.key("parts").number(parts_of(payment));
  out.key("fee_limit_msat");
  native ? out.msat(request.demand.fee_limit) : out.null();
  out.key("payment_preimage").maybe_hex(payment.proof());
  out.key("payment_request").maybe_text(request.invoice);
  out.key("destination");
  request.demand.destination == PublicKey{} ? out.null() : out.hex(request.demand.destination);
  out.key("label").maybe_text(request.label);
  out.key("description").maybe_text(description_of(payment));
  out.key("creation_time_ns").maybe_time(said(request.created, !native));
  out.key("deadline_ns").maybe_time(native ? std::optional(request.deadline) : std::nullopt);
  out.key("cancel_requested").boolean(payment.stop_reason == FailureReason::canceled);
  out.key("provenance").text(provenance_name(payment.provenance));
  out.key("amp").boolean(payment.amp);
  out.key("htlcs").begin_array();
  for (const Attempt& attempt : payment.attempts) write_attempt(out.element(), attempt, view.omit_hops);
  out.end_array();
  out.key("duplicate_of");
  payment.duplicate_of ? out.id(static_cast<std::uint64_t>(payment.duplicate_of->value)) : out.null();
  write_others(out.key("duplicates"), view.duplicates, view.omit_hops);
  write_others(out.key("tries"), view.tries, view.omit_hops);
  out.key("imported_raw").json(view.imported_raw);
  if (view.overpayment) out.key("overpayment_msat").msat(*view.overpayment);
  if (view.sent != nullptr) {
    out.key("joined").boolean(view.sent->joined);
    out.key("paid_before").boolean(view.sent->paid_before);
  }
  out.end_object();
}

std::string payment_text(const PaymentView& view) {
  std::string text;
  JsonWriter writer(text);
  write_payment(writer, view);
  return text;
}

void write_failure_detail(JsonWriter& out, const Payment& payment) {
  const auto detail = payment.why_failed();
  if (!detail) return out.null();
  out.begin_object();
  out.key("code").text(detail_name(detail->code));
  out.key("message").text(detail_text(*detail, payment));
  out.key("fee_msat");
  detail->fee ? out.msat(*detail->fee) : out.null();
  out.key("delay").maybe_number(detail->delay);
  out.key("switch_message").maybe_text(detail->words);
  out.end_object();
}

void write_route(JsonWriter& out, const Route& route) {
  write_route(out, route, shape_of(route, route.delivered(), false));
}

Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }
Json id_json(std::uint64_t id) { return fmt::format("{}", id); }
Json time_json(UnixNs time) { return fmt::format("{}", time.value); }
Json time_json(const std::optional<UnixNs>& time) { return time ? time_json(*time) : Json(); }
Json msat_json(Msat amount) { return amount.value(); }

std::string_view htlc_status(const Attempt& attempt) {
  if (!attempt.outcome) return "IN_FLIGHT";
  switch (*attempt.outcome) {
    case AttemptOutcome::settled: return "SUCCEEDED";
    case AttemptOutcome::failed: return "FAILED";
    case AttemptOutcome::closed: return "UNKNOWN";
  }
  return "UNKNOWN";
}

std::string description_of(const Payment& payment) {
  if (payment.request.invoice.empty()) return {};
  return description_in(payment.request.invoice).value_or("");
}

Msat fee_of(const Payment& payment) {
  if (const auto settled = settlement_of(payment)) return settled->fee;
  Msat fee;
  for (const Attempt& attempt : payment.attempts) {
    if (attempt.open()) fee = checked_add(fee, attempt.fee).value_or(Msat::of(Msat::max_value));
  }
  return fee;
}

Json guard_json(const Guard& guard) {
  Json json;
  json["payment_hash"] = guard.hash.hex();
  json["kind"] = guard_kind_name(guard.kind);
  json["value_msat"] = guard.amount ? msat_json(*guard.amount) : Json();
  json["payment_preimage"] = hex_json(guard.preimage);
  json["destination"] = hex_json(guard.destination);
  json["since_ns"] = time_json(guard.since);
  json["amp"] = guard.amp;
  return json;
}

}  // namespace paytower::cli
