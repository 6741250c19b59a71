// HTLCs from the first channel to their end, and the rows that our node keeps of them.
#include "core/sim/engine.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "core/base/limits.h"
#include "core/sim/forwarding.h"

namespace paytower::sim {

namespace {

constexpr std::string_view fence_suffix = ":fence";

// Core Lightning's error codes for sendpay.
constexpr int code_busy = 200;
constexpr int code_exists = 201;
constexpr int code_bad_route = 203;
constexpr int code_try_other_route = 204;
constexpr int code_invalid_params = -32602;

UnixNs later(UnixNs at, std::int64_t ns) {
  std::int64_t value = 0;
  if (__builtin_add_overflow(at.value, ns, &value)) value = INT64_MAX;
  return UnixNs{value};
}

/// When our node hears of an end that is due at `due`.
std::optional<UnixNs> kept_back(const std::optional<UnixNs>& due, const Hold& stall) {
  if (!due || stall.ns == Hold::forever) return std::nullopt;
  return later(*due, stall.ns);
}

/// The parts of a set do not end at the same moment: how much later than the first one the n-th is heard of.
std::int64_t behind_first(std::int64_t n) { return std::min(n * answer_gap_ns, answers_span_ns); }

/// Fails as `fail` says, whatever the invoice says.
std::optional<Invoice> told_to_fail(std::optional<Invoice> invoice, const std::optional<FailSpec>& fail) {
  if (invoice && fail) invoice->fail = fail;
  return invoice;
}

OracleEntry entry_of(const Flight& flight) {
  OracleEntry entry;
  entry.id = flight.oracle_id;
  entry.hash = flight.key.hash;
  entry.attempt = flight.key.id;
  entry.part = flight.key.part;
  entry.amount = flight.route.delivered();
  entry.amount_sent = flight.route.total_amount();
  entry.foreign = flight.foreign;
  entry.created = flight.created;
  return entry;
}

Failure local_failure(std::string message) {
  Failure failure;
  failure.code = FailureCode::local_refusal;
  failure.source_index = 0;
  failure.message = std::move(message);
  return failure;
}

SendResult refusal(SendResult::Kind kind, int code, std::string message) {
  SendResult result;
  result.kind = kind;
  result.code = code;
  result.failure = local_failure(std::move(message));
  return result;
}

SendResult found(SendResult::Kind kind, Row row) {
  SendResult result;
  result.kind = kind;
  result.row = std::move(row);
  return result;
}

std::string in_msat(Msat amount) { return fmt::format("{}msat", amount.value()); }

/// How the amounts or the payee of the route differ from those of the row: "with amount ...", "to ...". Nothing: they
/// do not.
std::optional<std::string> other_money(const Row& row, const Route& route) {
  if (row.amount != route.delivered())
    return fmt::format("with amount {} (not {})", in_msat(row.amount), in_msat(route.delivered()));
  if (row.destination != route.hops.back().node) return fmt::format("to {}", row.destination.hex());
  return std::nullopt;
}

std::string exists_text(const AttemptKey& key) {
  return fmt::format(
      "There already is a payment with payment_hash={}, groupid={}, partid={}. Either change the partid, or wait for "
      "the payment to complete and start a new group.",
      key.hash.hex(), key.id.value, key.part);
}

UnixNs time_of(const HeldRequest& request, UnixNs now) { return request.min_height != 0 ? now : request.not_before; }

Preimage shown_preimage(const Invoice& invoice) {
  Preimage preimage = invoice.preimage;
  if (invoice.behaviour == PayeeBehaviour::wrong_preimage)
    preimage.bytes[0] = static_cast<std::uint8_t>(preimage.bytes[0] ^ 1U);
  return preimage;
}

}  // namespace

void write_end(Row& row, UnixNs at, bool settled, const std::optional<Failure>& failure,
               const std::optional<Invoice>& invoice) {
  row.completed = at;
  row.state = settled ? RowState::complete : RowState::failed;
  row.preimage.reset();
  row.failure = settled ? std::nullopt : failure;
  if (settled && invoice && invoice->behaviour != PayeeBehaviour::complete_without_preimage)
    row.preimage = shown_preimage(*invoice);
}

UnixNs network_time(LedgerTx& tx, UnixNs wall) {
  if (tx.number(Number::time_is_frozen) != 0) return UnixNs{tx.number(Number::frozen_time_ns)};
  return later(wall, tx.number(Number::time_offset_ns));
}

std::optional<UnixNs> next_event(LedgerTx& tx) {
  std::optional<UnixNs> next = tx.next_due();
  const std::int64_t height = tx.number(Number::height);
  for (const HeldRequest& request : tx.held_requests()) {
    if (request.min_height <= height && (!next || request.not_before < *next)) next = request.not_before;
  }
  return next;
}

std::string fence_label(std::string_view label) {
  const bool already =
      label.size() >= fence_suffix.size() && label.substr(label.size() - fence_suffix.size()) == fence_suffix;
  return fmt::format("{}{}", label, already ? "" : fence_suffix);
}

std::uint64_t Engine::next(Number counter) {
  const std::int64_t value = tx_.number(counter) + 1;
  tx_.set_number(counter, value);
  return static_cast<std::uint64_t>(value);
}

Progress Engine::take_progress() { return std::exchange(progress_, {}); }

// --- time ---

void Engine::advance() {
  const UnixNs present = now_;
  for (;;) {
    UnixNs stop = present;
    std::optional<HeldRequest> request;
    for (HeldRequest& held : tx_.held_requests()) {
      const bool ready = held.not_before <= present && held.min_height <= tx_.number(Number::height);
      if (!ready || (request && time_of(held, present) >= time_of(*request, present))) continue;
      request = std::move(held);
    }
    if (request) stop = time_of(*request, present);
    const std::vector<Flight> due = tx_.flights_due(stop, records_at_once);
    for (const Flight& flight : due) {
      now_ = std::max(flight.due.value_or(present), flight.created);
      if (!flight.incomplete) {
        end(flight);
        continue;
      }
      end_set(flight.key.hash, now_, FailureCode::mpp_timeout);
      break;  // its other parts are here as they were before
    }
    if (!due.empty()) continue;
    if (!request) break;
    now_ = stop;
    tx_.remove_request(request->id);
    progress_.late.push_back(LateSend{request->handover.key, send(request->handover)});
  }
  now_ = present;
}

std::optional<UnixNs> Engine::due_after(const Hold& hold) {
  if (hold.ns == Hold::forever) return std::nullopt;
  return later(later(now_, tx_.number(Number::latency_ns)), hold.ns);
}

void Engine::hold_back(const Handover& handover, UnixNs not_before, std::uint32_t min_height) {
  tx_.put_request(HeldRequest{next(Number::next_request), handover, not_before, min_height});
}

// --- hand-overs ---

/// Core Lightning's check_progress: row by row in order of creation (cln/README 5), with its messages. Nothing: the
/// attempt may be sent.
std::optional<SendResult> Engine::earlier_rows(const Handover& handover) {
  using Kind = SendResult::Kind;
  const AttemptKey& key = handover.key;
  bool complete = false;
  std::uint64_t pending_msat = 0;
  for (Row& row : tx_.rows_of(key.hash)) {
    const bool same_part = row.key.part == key.part;
    const auto difference = other_money(row, handover.route);
    if (row.state == RowState::complete) {
      complete = true;
      if (!same_part) continue;
      if (difference) return refusal(Kind::exists, code_exists, fmt::format("Already succeeded {}", *difference));
      return found(Kind::complete, std::move(row));
    }
    if (row.state == RowState::pending) {
      if (row.key.id != key.id) {
        return refusal(Kind::busy, code_busy,
                       fmt::format("Payment with groupid={} still in progress, cannot retry before that completes.",
                                   row.key.id.value));
      }
      if ((row.key.part == 0) != (key.part == 0)) {
        const std::string manner = row.key.part != 0 ? "parallel" : "non-parallel";
        return refusal(Kind::busy, code_busy, fmt::format("Already have {} payment in progress", manner));
      }
      if (same_part && difference)
        return refusal(Kind::exists, code_exists, fmt::format("Already pending {}", *difference));
      if (same_part) return found(Kind::pending, std::move(row));
      if (row.total != handover.amount) {
        return refusal(Kind::not_sent, code_invalid_params,
                       fmt::format("msatoshi was previously {}, now {}", in_msat(row.total), in_msat(handover.amount)));
      }
      pending_msat += row.amount.value();
    }
    if (same_part && row.key.id == key.id) return refusal(Kind::exists, code_exists, exists_text(key));
  }
  if (complete) return refusal(Kind::exists, code_exists, "Already succeeded other parts");
  if (pending_msat != 0 && pending_msat >= handover.amount.value()) {
    return refusal(
        Kind::busy, code_busy,
        fmt::format("Already have {}msat of {} payments in progress", pending_msat, in_msat(handover.amount)));
  }
  return std::nullopt;
}

bool Engine::is_full(ShortChannelId channel) {
  std::int64_t room = tx_.number(Number::most_htlcs);
  if (room == 0) return false;
  for (std::uint64_t after = 0;;) {
    const std::vector<Htlc> page = tx_.htlcs_after(after, limits::max_rows_per_look);
    if (page.empty()) return false;
    after = page.back().created_index;
    for (const Htlc& htlc : page) {
      if (htlc.finished || htlc.channel != channel) continue;
      if (--room == 0) return true;
    }
  }
}

/// Why our own node refuses to use the first channel.
std::optional<Engine::LocalRefusal> Engine::local_check(const Route& route) {
  const auto by_node = [](const char* why) { return LocalRefusal{local_failure(why), false}; };
  const auto by_channel = [](const char* why) { return LocalRefusal{local_failure(why), true}; };
  const Hop& first = route.hops.front();
  const auto channel = tx_.channel(first.channel);
  const bool ours = channel && first.direction <= 1 && channel->nodes[first.direction] == own_node;
  if (!ours) return by_node("No connection to first peer found");
  const auto peer = tx_.node(channel->nodes[1 - first.direction]);
  if (!peer || peer->key != first.node) return by_node("No connection to first peer found");
  const Policy& policy = channel->policies[first.direction];
  if (policy.disabled) return by_node("First peer not ready");
  if (first.amount < policy.htlc_min) return by_channel("HTLC too small for the first channel");
  if (first.amount > policy.htlc_max) return by_channel("HTLC too large for the first channel");
  if (first.amount > channel->balances[first.direction])
    return by_channel("Capacity exceeded: the first channel holds too little");
  if (is_full(first.channel)) return by_channel("WIRE_TEMPORARY_CHANNEL_FAILURE: Too many HTLCs");
  return std::nullopt;
}

SendResult Engine::send(const Handover& handover, const SendOptions& options) {
  using Kind = SendResult::Kind;
  const Route& route = handover.route;
  if (route.hops.empty()) return refusal(Kind::not_sent, code_bad_route, "The route is empty");
  if (route.hops.size() > limits::max_hops)
    return refusal(Kind::not_sent, code_invalid_params, "The route is too long");
  if (auto earlier = earlier_rows(handover)) return std::move(*earlier);
  if (auto refused = local_check(route)) {
    SendResult result;
    result.code = code_try_other_route;
    result.failure = std::move(refused->failure);
    result.by_channel = refused->by_channel;
    return result;
  }
  SendResult result;
  result.kind = Kind::pending;
  result.row = add_row(handover, RowState::pending, handover.label, std::nullopt);
  if (!options.orphan) launch(handover, options);
  return result;
}

Row Engine::add_row(const Handover& handover, RowState state, std::string_view label,
                    const std::optional<Failure>& failure) {
  Row row;
  row.created_index = next(Number::payments_created);
  row.key = handover.key;
  row.state = state;
  row.label = std::string(label);
  if (!handover.route.hops.empty()) row.destination = handover.route.hops.back().node;
  row.amount = handover.route.delivered();
  row.amount_sent = handover.route.total_amount();
  row.total = handover.amount;
  row.invoice = handover.invoice;
  row.created = now_;
  if (state == RowState::failed) row.completed = now_;
  row.failure = failure;
  if (state == RowState::failed) row.updated_index = next(Number::payments_updated);
  tx_.put_row(row);
  return row;
}

void Engine::add_refused_row(const Handover& handover, const Failure& failure) {
  add_row(handover, RowState::failed, handover.label, failure);
}

void Engine::launch(const Handover& handover, const SendOptions& options) {
  auto invoice = tx_.invoice(handover.key.hash);
  const Forwarding forwarding = forward_along(tx_, handover, told_to_fail(invoice, options.fail), now_);
  Flight flight;
  flight.id = next(Number::next_flight);
  flight.key = handover.key;
  flight.htlc_index = next(Number::htlcs_created);
  flight.oracle_id = next(Number::next_oracle);
  flight.route = handover.route;
  flight.reserved_hops = forwarding.reserved_hops;
  flight.at_hop = forwarding.at_hop;
  flight.total = handover.amount;
  flight.incomplete = forwarding.incomplete;
  flight.foreign = options.foreign;
  flight.created = now_;
  flight.stall = options.stall;
  flight.end = forwarding.end;
  const auto due = due_after(forwarding.hold);
  flight.due = forwarding.incomplete ? set_deadline(flight.key.hash) : kept_back(due, flight.stall);
  if (options.act == ForeignAct::hold) flight.due.reset();
  if (options.act == ForeignAct::fail || options.act == ForeignAct::complete) flight.due = now_;
  if (options.act == ForeignAct::fail)
    flight.end = FlightEnd{false, failure_at(flight.route, flight.at_hop, FailureCode::temporary_node_failure)};
  tx_.put_flight(flight);
  const auto others_due = due ? std::optional(later(*due, behind_first(1))) : due;
  if (flight.end.settles) end_set(flight.key.hash, others_due, std::nullopt);
  if (forwarding.breaks_set) end_set(flight.key.hash, others_due, flight.end.failure->code);

  const Hop& first = handover.route.hops.front();
  const auto height = static_cast<std::uint32_t>(tx_.number(Number::height));
  tx_.put_htlc(Htlc{flight.htlc_index, flight.key, first.channel, first.amount, height + 1 + first.delay, false});
  tx_.append_oracle(entry_of(flight));
  if (invoice) {
    ++invoice->attempts;
    tx_.put_invoice(*invoice);
  }
}

/// The time-out counts from the first part of a set: later parts do not change it.
UnixNs Engine::set_deadline(const PaymentHash& hash) {
  for (const Flight& part : tx_.flights_of(hash)) {
    if (part.incomplete && part.due) return *part.due;
  }
  return later(now_, incomplete_set_ns);
}

/// The parts that wait at the payee settle, or fail with `code`, one after the other.
void Engine::end_set(const PaymentHash& hash, const std::optional<UnixNs>& first,
                     const std::optional<FailureCode>& code) {
  std::int64_t ended = 0;
  for (Flight& part : tx_.flights_of(hash)) {
    if (!part.incomplete) continue;
    part.incomplete = false;
    part.end = FlightEnd{!code, std::nullopt};
    if (code) part.end.failure = failure_at(part.route, part.at_hop, *code);
    part.due = kept_back(first ? std::optional(later(*first, behind_first(ended++))) : first, part.stall);
    tx_.put_flight(part);
  }
}

void Engine::restart_payee(const PaymentHash& hash) {
  for (Flight& part : tx_.flights_of(hash)) {
    if (!part.incomplete) continue;
    part.due = later(now_, incomplete_set_ns);
    tx_.put_flight(part);
  }
}

void Engine::fence(const Handover& handover, bool orphan) {
  const std::string label = fence_label(handover.label);
  if (orphan) {
    add_row(handover, RowState::pending, label, std::nullopt);
    return;
  }
  add_row(handover, RowState::failed, label, local_failure("Capacity exceeded: this HTLC is a fence"));
  OracleEntry entry;
  entry.id = next(Number::next_oracle);
  entry.hash = handover.key.hash;
  entry.attempt = handover.key.id;
  entry.part = handover.key.part;
  entry.created = now_;
  entry.resolved = now_;
  entry.state = OracleState::fenced;
  tx_.append_oracle(entry);
}

void Engine::add_orphan_row(const Handover& handover) {
  add_row(handover, RowState::pending, handover.label, std::nullopt);
}

// --- ends ---

void Engine::end(const Flight& flight) {
  for (std::uint32_t i = 0; i < flight.reserved_hops; ++i) {
    if (flight.end.settles) {
      settle_money(tx_, flight.route.hops[i]);
    } else {
      give_back(tx_, flight.route.hops[i]);
    }
  }
  auto invoice = tx_.invoice(flight.key.hash);
  if (flight.end.settles && invoice && !invoice->paid) {
    invoice->paid = true;
    tx_.put_invoice(*invoice);
  }
  end_row(flight, invoice);
  finish_htlc(flight.key, flight.htlc_index);
  if (flight.end.settles) debit(flight.key, flight.route.total_amount());

  OracleEntry entry = entry_of(flight);
  entry.resolved = now_;
  entry.state = flight.end.settles ? OracleState::settled : OracleState::failed;
  tx_.append_oracle(entry);
  tx_.remove_flight(flight.id);
  progress_.ended.push_back(flight.key);
}

/// The row may be gone, or may be from an older copy of the store. A settlement is always written, a failure only once.
void Engine::end_row(const Flight& flight, const std::optional<Invoice>& invoice) {
  auto row = tx_.row(flight.key);
  if (!row || (row->state != RowState::pending && !flight.end.settles)) return;
  write_end(*row, now_, flight.end.settles, flight.end.failure, invoice);
  row->updated_index = next(Number::payments_updated);
  tx_.put_row(*row);
}

/// The entry with this index, if it still belongs to this attempt; without an index, every entry of the attempt.
void Engine::finish_htlc(const AttemptKey& key, std::optional<std::uint64_t> index) {
  for (const Htlc& htlc : tx_.htlcs_of(key.hash)) {
    if (htlc.key != key || htlc.finished || (index && htlc.created_index != *index)) continue;
    tx_.finish_htlc(htlc.created_index);
    next(Number::htlcs_updated);
  }
}

void Engine::debit(const AttemptKey& key, Msat amount) {
  tx_.add_movement(Movement{next(Number::movements_created), key, amount, now_});
}

bool Engine::payee_has_settled(const Invoice& invoice) {
  const std::vector<Flight> flights = tx_.flights_of(invoice.hash);
  return invoice.paid && std::any_of(flights.begin(), flights.end(),
                                     [](const Flight& flight) { return flight.stall.ns != 0 && flight.end.settles; });
}

std::size_t Engine::release(Invoice& invoice, const std::optional<std::uint32_t>& fail_wire_code) {
  const UnixNs unheld = later(now_, tx_.number(Number::latency_ns));
  std::size_t released = 0;
  for (Flight& flight : tx_.flights_of(invoice.hash)) {
    const bool held = !flight.incomplete && (!flight.due || *flight.due > unheld);
    if (!held && flight.stall.ns == 0) continue;
    flight.stall = Hold{};
    if (held) flight.due = later(now_, behind_first(static_cast<std::int64_t>(released)));
    ++released;
    if (held && fail_wire_code)
      flight.end = FlightEnd{false, wire_failure_at(flight.route, flight.at_hop, *fail_wire_code)};
    tx_.put_flight(flight);
  }
  invoice.hold = Hold{};
  if (released == 0 && fail_wire_code) invoice.fail = FailSpec{*fail_wire_code, std::nullopt, invoice.attempts + 1};
  tx_.put_invoice(invoice);
  return released;
}

}  // namespace paytower::sim
