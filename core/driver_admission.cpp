#include "core/driver_admission.h"

#include <algorithm>
#include <utility>

#include "core/bolt11/invoice.h"
#include "core/driver_loop.h"
#include "core/hash.h"
#include "core/limits.h"

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

Admission admission_of(Submission wanted) {
  Admission next;
  next.hash = wanted.request.hash;
  next.request = std::move(wanted.request);
  next.idempotent = wanted.idempotent;
  next.tag = wanted.tag;
  return next;
}

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

DriveResult twice_result(const Admission& next) {
  DriveResult result;
  result.hash = next.hash;
  result.end = DriveEnd::refused;
  result.error = Error{Errc::in_flight, "this payment hash is being paid by this very call; nothing more was sent", "paytower show " + next.hash.hex()};
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
  if (!request.invoice.empty()) out.description = description_in(request.invoice).value_or("");
  return out;
}

AttemptKey key(const Payment& payment, const Attempt& attempt) { return AttemptKey{payment.request.hash, *attempt.id, attempt.part}; }

std::optional<Marks> oldest_marks(const Payment& payment) {
  for (const Attempt& attempt : payment.attempts) {
    if (attempt.origin == AttemptOrigin::own) return attempt.marks;
  }
  return std::nullopt;
}

std::optional<Marks> earlier(const std::optional<Marks>& a, const std::optional<Marks>& b) {
  if (!a || !b) return a ? a : b;
  const auto least = [](const std::optional<std::uint64_t>& x, const std::optional<std::uint64_t>& y) {
    if (!x || !y) return x ? x : y;
    return std::optional(std::min(*x, *y));
  };
  return Marks{least(a->payments_created, b->payments_created), least(a->htlcs_created, b->htlcs_created),
               least(a->htlcs_deleted, b->htlcs_deleted), least(a->movements_created, b->movements_created)};
}

// --- the driver's door: lock, read, ask the lifecycle ---

void Driver::Impl::admit() {
  const std::size_t room = std::min(options.max_parallel, limits::max_payment_locks);
  take_from_feed(room);
  for (std::size_t waiting = queue.size(); waiting > 0 && items.size() < room; --waiting) {
    Admission next = std::move(queue.front());
    queue.pop_front();
    if (next.retry_at && mono() < *next.retry_at) {
      queue.push_back(std::move(next));
      continue;
    }
    admit_one(std::move(next));
  }
}

/// What waits for a lock counts as well: the queue never holds more than there is room for.
void Driver::Impl::take_from_feed(std::size_t room) {
  while (feed && !told_to_leave && items.size() + queue.size() < room) {
    auto wanted = feed->next();
    if (!wanted) return;
    queue.push_back(admission_of(std::move(*wanted)));
  }
}

void Driver::Impl::admit_one(Admission next) {
  bool held = false;
  try {
    if (next.index) {
      const auto stored = ports.store.load(*next.index);
      if (!stored) return;  // deleted meanwhile
      next.hash = stored->request.hash;
    }
    held = hold(next);
    if (!held) return wait_for_lock(std::move(next));
    // Read after locking: only now the facts cannot change below us (R11).
    HashState state = ports.store.find(next.hash);
    remember(next.hash, state);
    if (!next.index) return admit_request(next, state);
    auto stored = ports.store.load(*next.index);
    if (!stored) return release(next.hash);  // deleted before it was locked
    admit_stored(std::move(*stored), next.tag);
  } catch (const RefusalError& error) {
    // A row that cannot be read stays as it is, and is in nobody's way (R14).
    if (error.error().code != Errc::database) throw;
    deliver(next.tag, unreadable_result(next, error.error()));
    if (held) release(next.hash);
  }
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
  HashEntry& entry = hashes[hash];
  entry.knowledge = state.knowledge;
  entry.highest = std::max(entry.highest, state.highest_id);
}

void Driver::Impl::release(const PaymentHash& hash) {
  const auto entry = hashes.find(hash);
  if (entry == hashes.end() || --entry->second.users > 0) return;
  ports.locks.unlock(hash);
  hashes.erase(entry);
}

void Driver::Impl::wait_for_lock(Admission next) {
  if (!next.idempotent && hashes.count(next.hash) != 0) return deliver(next.tag, twice_result(next));
  const bool patient = next.idempotent || mono() < plus(start, options.lock_timeout_ns);
  const bool leave = ports.clock.stop_signal() != 0 || (limit() && mono() >= *limit());
  if (!patient || leave || options.wait_ns == 0) return deliver(next.tag, busy_result(next));
  next.retry_at = plus(mono(), store_poll_ns / 5);
  queue.push_back(std::move(next));
}

void Driver::Impl::admit_stored(Payment payment, std::uint64_t tag) {
  if (payment.provenance != Provenance::native) return refuse_at_door(payment, DriveEnd::not_driven, tag);
  const bool work_left = payment.has_open_attempt() || payment.has_watched_attempt() || !payment.ended_for_good();
  if (!work_left) return refuse_at_door(payment, DriveEnd::ended, tag);
  Item& item = drive(std::move(payment), tag);
  item.look_at = mono();
  if (identity) check_identity(item);
}

void Driver::Impl::refuse_at_door(const Payment& payment, DriveEnd end, std::uint64_t tag) {
  DriveResult result;
  result.hash = payment.request.hash;
  result.end = end;
  result.payment = payment;
  deliver(tag, std::move(result));
  release(payment.request.hash);
}

void Driver::Impl::admit_request(Admission& next, HashState& state) {
  const Judgement judgement = judge_request(next, state);
  if (judgement.join) return admit_stored(std::move(*state.payment), next.tag);
  if (judgement.result) {
    deliver(next.tag, *judgement.result);
    return release(next.hash);
  }
  Payment fresh;
  fresh.request = std::move(*next.request);
  Item& item = drive(std::move(fresh), next.tag);
  Created created;
  if (state.payment) created.previous = state.payment->status();
  if (state.guard) created.guard = state.guard->kind;
  item.backlog.push_back(created);
  if (identity) check_identity(item);
}

Item& Driver::Impl::drive(Payment payment, std::uint64_t tag) {
  auto item = std::make_unique<Item>();
  item->payment = std::move(payment);
  item->ticket = next_ticket++;
  item->tag = tag;
  by_ticket[item->ticket] = item.get();
  hashes[item->payment.request.hash].items.push_back(item.get());
  items.push_back(std::move(item));
  return *items.back();
}

}  // namespace paytower
