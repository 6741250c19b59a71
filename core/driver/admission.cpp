// Who may be driven: locks, reads and asks the lifecycle, and says in words why not.
#include "core/driver/admission.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "core/base/amount_text.h"
#include "core/base/hash.h"
#include "core/base/limits.h"
#include "core/driver/loop.h"
#include "core/invoice/bolt11/invoice.h"

namespace paytower {

namespace {

bool same_parameters(const PaymentRequest& wanted, const PaymentRequest& stored) {
  return wanted.demand.amount == stored.demand.amount && wanted.demand.destination == stored.demand.destination &&
         wanted.payment_secret == stored.payment_secret;
}

/// A guard knows less than a payment. What it does not know does not count as different.
bool same_parameters(const PaymentRequest& wanted, const Guard& guard) {
  if (guard.amount && *guard.amount != wanted.demand.amount) return false;
  if (guard.destination && *guard.destination != wanted.demand.destination) return false;
  if (!guard.payment_secret_hash) return true;
  return wanted.payment_secret && sha256(wanted.payment_secret->bytes) == *guard.payment_secret_hash;
}

DriveResult ended(const PaymentHash& hash, Payment payment) {
  DriveResult result;
  result.hash = hash;
  result.end = DriveEnd::ended;
  result.payment = std::move(payment);
  return result;
}

/// The payment was deleted: this is what its guard still knows.
DriveResult paid_by_guard(const Admission& next, const Guard& guard) {
  Payment paid;
  paid.request = *next.request;
  paid.preimage = guard.preimage;
  paid.ended = guard.since;
  DriveResult result = ended(next.hash, std::move(paid));
  result.paid_before = true;
  return result;
}

/// What --idempotent does with a hash that is known already.
Judgement judge_again(const Admission& next, const HashState& state) {
  Judgement judgement;
  if (state.guard) {
    if (!state.guard->preimage) return judgement;
    const bool same = same_parameters(*next.request, *state.guard);
    judgement.result = same ? paid_by_guard(next, *state.guard) : differ_result(next.hash);
    return judgement;
  }
  if (!state.payment) return judgement;
  const Payment& payment = *state.payment;
  const PaymentStatus status = payment.status();
  const bool over = status == PaymentStatus::failed || status == PaymentStatus::unknown;
  // If a try ended while we waited for it, we report it instead of joining it: its first caller has just been told that
  // the hash may be paid again.
  const bool joined = next.ended_before && payment.index != *next.ended_before;
  if (over && !joined) return judgement;
  if (!same_parameters(*next.request, payment.request) || !foreign_amount_agrees(payment)) {
    judgement.result = differ_result(next.hash);
  } else if (over || status == PaymentStatus::succeeded) {
    judgement.result = ended(next.hash, payment);
    judgement.result->joined = joined;
    judgement.result->paid_before = status == PaymentStatus::succeeded;
  } else if (payment.provenance == Provenance::native) {
    judgement.join = true;
  }
  return judgement;
}

/// What the lifecycle says to a new try, before the switch is asked.
std::optional<DriveResult> refused_by_lifecycle(const Admission& next, const HashState& state) {
  Payment fresh;
  fresh.request = *next.request;
  const auto why = decide(fresh, TimedEvent{next.request->created, created_beside(state)}).refusal;
  const bool set_id = (state.payment && state.payment->amp) || (state.guard && state.guard->amp);
  if (!why && !set_id) return std::nullopt;
  DriveResult result;
  result.hash = next.hash;
  result.end = DriveEnd::refused;
  // The guard of a hash may be released one day, but a set id is never payable.
  if (set_id && why.value_or(Errc::guarded) == Errc::guarded) {
    result.error =
        Error{Errc::already_ended, "this is the set id of an AMP payment, not a payment hash; nothing was sent",
              fmt::format("paytower show {}", next.hash.hex())};
  } else {
    result.error = refusal(*why, next.hash);
  }
  if (state.payment && !state.payment->ended_for_good()) result.payment = state.payment;
  return result;
}

/// Why a switch with these capabilities cannot pay what is asked for; nothing if it can.
std::optional<Error> beyond(const PaymentRequest& request, const Capabilities& capabilities) {
  if (request.metadata && !capabilities.metadata) {
    return Error{Errc::usage,
                 "the invoice has metadata that its payee wants back, and this kind of node drops it; nothing was sent",
                 {}};
  }
  if (request.demand.amount >= capabilities.min_amount) return std::nullopt;
  return Error{Errc::usage,
               fmt::format("payments of less than {} cannot be made safe with this kind of node; nothing was sent",
                           sat_text(capabilities.min_amount)),
               {}};
}

}  // namespace

Created created_beside(const HashState& state) {
  Created created;
  if (state.payment) created.previous = state.payment->status();
  if (state.guard) created.guard = state.guard->kind;
  return created;
}

PaymentIndex ended_try(const HashState& state) {
  return state.payment && state.payment->ended_for_good() ? state.payment->index : PaymentIndex{};
}

bool foreign_amount_agrees(const Payment& payment) {
  const Attempt* settled = payment.settled_attempt();
  if (settled == nullptr || settled->origin != AttemptOrigin::foreign || settled->amount == Msat{}) return true;
  return settled->amount == payment.request.demand.amount;
}

DriveResult differ_result(const PaymentHash& hash) {
  DriveResult result;
  result.hash = hash;
  result.end = DriveEnd::refused;
  result.error = refusal(Errc::parameters_differ, hash);
  return result;
}

Admission admission_of(Submission wanted) {
  Admission next;
  next.hash = wanted.request.hash;
  next.request = std::move(wanted.request);
  next.idempotent = wanted.idempotent;
  next.tag = wanted.tag;
  next.objection = std::move(wanted.objection);
  next.ended_before = wanted.ended_before;
  return next;
}

Judgement judge_request(const Admission& next, const HashState& state) {
  Judgement judgement;
  if (next.idempotent) judgement = judge_again(next, state);
  if (!judgement.join && !judgement.result) judgement.result = refused_by_lifecycle(next, state);
  return judgement;
}

DriveResult busy_result(const Admission& waiting, PaymentStore& store) {
  const auto state = store.find(waiting.hash);
  const bool open = state && state->payment && !state->payment->ended_for_good();  // only for the hint
  DriveResult result;
  result.hash = waiting.hash;
  result.end = DriveEnd::busy;
  result.error = Error{Errc::busy, "another paytower is working on this payment; this call sent nothing",
                       open ? fmt::format("paytower resume {} --lock-timeout 1m", waiting.hash.hex()) : std::string()};
  return result;
}

DriveResult not_begun_result(const Admission& waiting) {
  DriveResult result = refused_result(
      waiting, Error{Errc::switch_unavailable, "there was no time left to begin this payment; nothing was sent", {}});
  result.end = DriveEnd::unavailable;
  return result;
}

DriveResult refused_result(const Admission& next, Error why) {
  DriveResult result;
  result.hash = next.hash;
  result.end = DriveEnd::refused;
  result.error = std::move(why);
  return result;
}

DriveResult twice_result(const Admission& next) {
  return refused_result(
      next,
      Error{Errc::in_flight, "this very call works on this payment hash already; nothing was sent for it a second time",
            fmt::format("paytower show {}", next.hash.hex())});
}

DriveResult unreadable_result(const Admission& next, Error why) {
  if (next.index) why.message = fmt::format("payment {}: {}", next.index->value, why.message);
  return refused_result(next, std::move(why));
}

std::string_view still_pending_text(Movement movement) {
  switch (movement) {
    case Movement::some: return "the node still works on its HTLC: if it settles";
    case Movement::none: return "the node still lists it as pending, but shows no HTLC of it: if it settles after all";
    case Movement::untold: break;
  }
  return "the node still lists it as pending: if it settles";
}

Error blocked_by(const Payment& payment, const WhyOpen& why, bool watched) {
  const Blocker blocker = why.blocker;
  const std::string hash = payment.request.hash.hex();
  if (blocker == Blocker::closed_by_hand && !watched) {
    return {Errc::in_flight,
            "the node keeps a pending record of an earlier try of this payment for which it never made an HTLC, and "
            "refuses every payment of the hash as long as it has it; nothing was sent. To remove it at Core Lightning, "
            "stop the node and delete the row from its table `payments`; at lnd, close the channel of that HTLC",
            {}};
  }
  if (blocker == Blocker::closed_by_hand) {
    return {Errc::in_flight,
            fmt::format("an earlier try of this payment was marked as failed by hand, and {}, you have paid; nothing "
                        "was sent",
                        still_pending_text(why.movement)),
            fmt::format("paytower resume {}", hash)};
  }
  if (blocker == Blocker::other_check) {
    return {
        Errc::in_flight,
        "a paytower with another database is checking this payment hash at the node; nothing was sent. Try again in "
        "two minutes",
        {}};
  }
  if (blocker == Blocker::unfinished) {
    return {Errc::in_flight,
            "the node has an unfinished record of this payment hash that is not ours, and its owner may still go on "
            "with it; nothing was sent. It ends with its owner, or when the node restarts",
            {}};
  }
  return {Errc::in_flight,
          "another user of the node, or a paytower database that was lost, has an HTLC of this payment hash in flight; "
          "nothing was sent. Try again when that HTLC has ended",
          {}};
}

std::optional<Error> wrong_switch(const Payment& payment, const SwitchKey& here) {
  const auto elsewhere = std::find_if(payment.attempts.begin(), payment.attempts.end(), [&](const Attempt& a) {
    return (a.open() || a.watched()) && a.switch_key && *a.switch_key != here;
  });
  const std::string hash = payment.request.hash.hex();
  if (elsewhere != payment.attempts.end()) {
    return Error{
        Errc::other_switch,
        fmt::format("its open attempt belongs to node {} ({}), which --switch has to name; this is {} ({})",
                    elsewhere->switch_key->node.hex(), elsewhere->switch_key->network, here.node.hex(), here.network),
        fmt::format("paytower show {}", hash)};
  }
  return std::nullopt;
}

std::optional<Error> unfit(const PaymentRequest& request, const IdentityAnswer& there, bool recorded) {
  const SwitchKey& here = there.key;
  if (!request.network.empty() && !pays_on(request.network, here.network)) {
    return Error{
        Errc::wrong_network,
        fmt::format("the invoice is for {}, the switch is on {}; nothing was sent", request.network, here.network),
        {},
        request.hash};
  }
  if (request.demand.destination == here.node)
    return Error{Errc::self_payment, "the payee is the paying node itself; nothing was sent", {}, request.hash};
  return recorded ? std::nullopt : beyond(request, there.capabilities);
}

Handover handover(const Payment& payment, const Attempt& attempt, const StoreId& store, bool fence) {
  const PaymentRequest& request = payment.request;
  Handover out;
  out.key = payment.key(attempt);
  out.label = attempt_label(store, *attempt.id, fence);
  out.route = attempt.route;
  out.amount = request.demand.amount;
  out.payment_secret = request.payment_secret;
  out.metadata = request.metadata;
  out.invoice = request.invoice;
  out.dies_at = attempt.dies_at;
  out.total_time_lock = attempt.total_time_lock;
  if (!request.invoice.empty()) out.description = description_in(request.invoice).value_or("");
  return out;
}

// Read one by one, and now: another process may have stored the attempt since the switch was asked. It did so before it
// sent it (R1).
std::optional<Error> old_copy(PaymentStore& store, const NewestOwnAnswer& seen) {
  for (const AttemptId id : seen.ids) {
    const auto known = store.accounts_for(id);
    if (!known) return known.error();
    if (*known) continue;
    const ErrorKind& kind = kind_of(Errc::database_old_copy);
    return Error{Errc::database_old_copy, std::string(kind.words), std::string(kind.next_step)};
  }
  return std::nullopt;
}

std::optional<Marks> first_marks(const Payment& payment) {
  for (const Attempt& attempt : payment.attempts) {
    if (attempt.origin == AttemptOrigin::own) return attempt.marks;
  }
  return std::nullopt;
}

// --- the driver's admission: lock, read, ask the lifecycle ---

void Driver::Impl::admit() {
  const std::size_t room = std::min(options.max_parallel, limits::max_payment_locks);
  take_from_feed(room);
  make_room(room);
  for (std::size_t waiting = queue.size(); waiting > 0 && drives.size() < room; --waiting) {
    Admission next = std::move(queue.front());
    queue.pop_front();
    if (next.retry_at && mono() < *next.retry_at) {
      queue.push_back(std::move(next));
      continue;
    }
    admit_one(std::move(next));
  }
}

/// Payments that the switch is known to work on can wait without a place. So others get a turn; they may have ended at
/// the switch long ago. When everyone has had a turn, the longest held ones make room for those that gave up their
/// place.
void Driver::Impl::make_room(std::size_t room) {
  std::size_t waiting = 0;
  bool anybody_new = false;
  for (const Admission& next : queue) {
    if (next.retry_at) continue;
    ++waiting;
    anybody_new = anybody_new || !next.had_turn;
  }
  std::size_t free = room - std::min(room, drives.size());
  bool moved = false;
  for (const auto& drive : drives) {
    if (free >= waiting) break;
    if (drive->done || !drive->adopted || !drive->held || !at_rest(drive->item)) continue;
    if (!anybody_new && mono() < plus(drive->since, turn_ns)) continue;
    give_place_up(*drive);
    moved = true;
    ++free;
  }
  if (moved) sweep();
}

void Driver::Impl::give_place_up(Drive& drive) {
  Admission again;
  again.hash = drive.item.payment.request.hash;
  again.index = drive.item.payment.index;
  again.tag = drive.tag;
  again.had_turn = true;
  queue.push_back(std::move(again));
  drive.done = true;
}

/// Payments that wait for a lock count too, so the queue never holds more than there is room for. While our channels
/// are full, nobody new is taken.
void Driver::Impl::take_from_feed(std::size_t room) {
  while (feed && !told_to_leave && drives.size() + queue.size() < room && !any_waits_for_channel()) {
    auto wanted = feed->next();
    if (!wanted) return;
    queue.push_back(admission_of(std::move(*wanted)));
  }
}

void Driver::Impl::admit_one(Admission next) {
  if (next.index) {
    const auto stored = ports.store.load(*next.index);
    if (!stored) return deliver(next.tag, unreadable_result(next, stored.error()));
    if (!*stored) return;  // deleted meanwhile
    next.hash = (*stored)->request.hash;
  }
  if (!hold(next)) return wait_for_lock(std::move(next));
  // A row that cannot be read stays as it is, and does not block the others (R14).
  if (auto unreadable = admit_held(next)) {
    deliver(next.tag, unreadable_result(next, *std::move(unreadable)));
    release(next.hash);
  }
}

/// Read after locking: only now the facts cannot change below us (R11).
std::optional<Error> Driver::Impl::admit_held(Admission& next) {
  auto state = ports.store.find(next.hash);
  if (!state) return state.error();
  remember(next.hash, *state);
  if (!next.index) {
    admit_request(next, *state);
    return std::nullopt;
  }
  auto stored = ports.store.load(*next.index);
  if (!stored) return stored.error();
  if (!*stored) {  // deleted before it was locked
    release(next.hash);
  } else if (Drive* drive = admit_stored(**std::move(stored), next.tag)) {
    drive->adopted = true;
  }
  return std::nullopt;
}

bool Driver::Impl::hold(const Admission& next) {
  const auto known = hashes.find(next.hash);
  if (known != hashes.end()) {
    if (!next.index) return false;
    ++known->second.users;
    return true;
  }
  if (!ports.locks.try_lock(next.hash)) return false;
  hashes[next.hash].users = 1;
  return true;
}

void Driver::Impl::remember(const PaymentHash& hash, const HashState& state) {
  hashes[hash].knowledge = state.knowledge;
  highest = std::max(highest, state.highest_id);
}

void Driver::Impl::release(const PaymentHash& hash) {
  const auto entry = hashes.find(hash);
  if (entry == hashes.end() || --entry->second.users > 0) return;
  ports.locks.unlock(hash);
  hashes.erase(entry);
}

void Driver::Impl::wait_for_lock(Admission next) {
  if (next.idempotent && !next.ended_before) {
    const auto state = ports.store.find(next.hash);
    if (!state) return deliver(next.tag, unreadable_result(next, state.error()));
    next.ended_before = ended_try(*state);
  }
  if (!next.idempotent && hashes.count(next.hash) != 0) return deliver(next.tag, twice_result(next));
  const bool patient = next.idempotent || mono() < plus(start, options.lock_timeout_ns);
  const bool leave = ports.clock.stop_signal() != 0 || (limit() && mono() >= *limit());
  if (!patient || leave || options.wait_ns == 0) return deliver(next.tag, busy_result(next, ports.store));
  next.retry_at = plus(mono(), store_poll_ns / 5);
  queue.push_back(std::move(next));
}

Drive* Driver::Impl::admit_stored(Payment payment, std::uint64_t tag) {
  const bool work_left = payment.has_open_attempt() || payment.has_watched_attempt() || !payment.ended_for_good();
  if (payment.provenance != Provenance::native || !work_left) {
    refuse_admission(payment, payment.provenance == Provenance::native ? DriveEnd::ended : DriveEnd::not_driven, tag);
    return nullptr;
  }
  Drive& drive = take_up(std::move(payment), tag);
  want_look(drive.item, mono());
  if (identity) check_identity(drive);
  return &drive;
}

void Driver::Impl::refuse_admission(const Payment& payment, DriveEnd end, std::uint64_t tag) {
  DriveResult result;
  result.hash = payment.request.hash;
  result.end = end;
  result.payment = payment;
  deliver(tag, std::move(result));
  release(payment.request.hash);
}

void Driver::Impl::admit_request(Admission& next, HashState& state) {
  Judgement judgement = judge_request(next, state);
  if (judgement.join) {
    Drive* joined = admit_stored(std::move(*state.payment), next.tag);
    if (joined) joined->joined = true;
    return;
  }
  if (!judgement.result && next.objection) judgement.result = refused_result(next, *next.objection);
  if (judgement.result) {
    deliver(next.tag, *std::move(judgement.result));
    return release(next.hash);
  }
  Payment fresh;
  fresh.request = std::move(*next.request);
  Drive& drive = take_up(std::move(fresh), next.tag);
  drive.idempotent = next.idempotent;
  drive.earlier_watched = state.payment && state.payment->has_watched_attempt();
  drive.wanted_payee = drive.item.payment.request.demand.destination;
  drive.item.backlog.push_back(created_beside(state));
  if (identity) check_identity(drive);
}

Drive& Driver::Impl::take_up(Payment payment, std::uint64_t tag) {
  auto drive = std::make_unique<Drive>();
  drive->item.payment = std::move(payment);
  drive->ticket = next_ticket++;
  drive->tag = tag;
  drive->since = mono();
  forget_full_channels(*drive);  // those of an earlier process
  by_ticket[drive->ticket] = drive.get();
  hashes[drive->item.payment.request.hash].drives.push_back(drive.get());
  drives.push_back(std::move(drive));
  return *drives.back();
}

}  // namespace paytower
