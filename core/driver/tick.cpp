// One turn of the loop: decide for all payments, commit once, then act.
#include "core/driver/loop.h"

#include <algorithm>

#include <fmt/core.h>

#include "core/base/amount_text.h"
#include "core/base/hash.h"
#include "core/driver/attempt_id.h"
#include "core/payment/look.h"

namespace paytower {

namespace {

constexpr unsigned most_refusals = 8;  ///< then the payment is left to the next run

/// The channel of ours in which an HTLC has ended; nothing if none has. What our node refused itself made no HTLC.
std::optional<ShortChannelId> freed_channel(const Payment& payment, const Write& write) {
  const auto* settled = std::get_if<SettleAttempt>(&write);
  const auto* failed = std::get_if<FailAttempt>(&write);
  const bool refused = failed != nullptr && (failed->failure.code == FailureCode::channel_full ||
                                             failed->failure.code == FailureCode::local_refusal);
  if ((settled == nullptr && failed == nullptr) || refused) return std::nullopt;
  const Attempt* attempt = payment.find(settled != nullptr ? settled->key : failed->key);
  if (attempt == nullptr || attempt->route.hops.empty()) return std::nullopt;
  return attempt->route.hops.front().channel;
}

/// Time alone is not why a payment has failed for which the switch never gave routes. `unheard`: Drive::unheard.
void explain_silence(Decision& decision, const Payment& payment, const std::string& unheard) {
  if (unheard.empty() || payment.own_attempts() > 0 || payment.failure_detail) return;
  FailureDetail silence = detail_of(DetailCode::no_answer);
  silence.words = kept_words(unheard);
  for (Write& write : decision.writes) {
    if (auto* stop = std::get_if<SetStop>(&write); stop && stop->reason == FailureReason::timeout)
      stop->detail = silence;
    if (auto* end = std::get_if<FailPayment>(&write); end && end->reason == FailureReason::timeout)
      end->detail = silence;
  }
}

}  // namespace

void Driver::Impl::settle() {
  commit_was_busy = false;
  while (!commit_was_busy) {
    decide_all();
    if (tick.empty() || alarm) return;
    commit();
    tick.clear();
  }
}

void Driver::Impl::decide_all() {
  for (std::size_t i = 0; i < drives.size(); ++i) {
    Drive& drive = *drives[i];
    Item& item = drive.item;
    while (!alarm && !drive.done && !item.backlog.empty()) {
      Event cause = std::move(item.backlog.front());
      item.backlog.erase(item.backlog.begin());
      const ItemContext at = context();
      Decision decision = decide(item.payment, TimedEvent{time_for(item.payment, at), cause});
      leave_unmoved(item, decision, at);
      warn_wrong_preimage(item, decision);
      explain_silence(decision, item.payment, drive.unheard);
      if (!decision.writes.empty()) {
        tick.push_back(Decided{&drive, std::move(cause), std::move(decision)});
        break;
      }
      act(drive, decision);
    }
  }
}

void Driver::Impl::commit() {
  std::vector<PaymentWrites> writes;
  writes.reserve(tick.size());
  for (const Decided& pending : tick)
    writes.push_back(PaymentWrites{&pending.drive->item.payment, pending.decision.writes});
  const std::vector<Result<Stored>> stored = ports.store.commit(writes);
  for (std::size_t i = 0; i < tick.size(); ++i) tick[i].stored = static_cast<bool>(stored[i]);
  for (std::size_t i = 0; i < tick.size(); ++i) {
    if (stored[i]) {
      accepted_by_store(tick[i], *stored[i]);
    } else {
      refused_by_store(tick[i], stored[i].error());
    }
  }
}

void Driver::Impl::save_proofs() {
  for (const Decided& pending : tick) {
    if (!pending.stored) save_proof(pending.drive->item, pending.cause);
  }
  for (const auto& drive : drives) {
    for (const Event& event : drive->item.backlog) save_proof(drive->item, event);
  }
  for (const SwitchEvent& answer : answers) save_proof(answer);
  for (const LookAnswer& early : early_looks) save_proof(early);
  tick.clear();
  answers.clear();
}

void Driver::Impl::save_proof(const SwitchEvent& answer) {
  if (const auto* told = std::get_if<QueryAnswer>(&answer); told && told->kind == QueryAnswer::Kind::settled) {
    if (const Drive* drive = drive_of(told->key)) save_proof(drive->item, Settled{told->key, told->preimage});
    return;
  }
  const auto* looked = std::get_if<LookAnswer>(&answer);
  if (!looked) return;
  const auto entry = hashes.find(looked->hash);
  if (entry == hashes.end()) return;
  const std::vector<SwitchRow> rows = looked->shown->about({}, {}).rows;
  for (const Drive* drive : entry->second.drives) {
    for (const SwitchRow& row : rows) {
      if (row.state != RowState::complete || !row.preimage) continue;
      const AttemptKey key{looked->hash, row.id, row.part};
      const bool own = drive->item.payment.find(key) != nullptr;
      save_proof(drive->item,
                 own ? Event(Settled{key, *row.preimage}) : Event(HashPaid{*row.preimage, row.id, {}, {}}));
    }
  }
}

void Driver::Impl::save_proof(const Item& item, const Event& event) {
  const PaymentHash& hash = item.payment.request.hash;
  if (item.payment.proof() || item.payment.index.value == 0) return;
  if (const auto* settled = std::get_if<Settled>(&event); settled && proves(settled->preimage, hash)) {
    ports.store.spool(settled->key, settled->preimage);
    ports.observer.warn(hash,
                        fmt::format("paid, but the database could not store it; preimage {}", settled->preimage.hex()));
  } else if (const auto* paid = std::get_if<HashPaid>(&event); paid && proves(paid->preimage, hash)) {
    ports.observer.warn(
        hash, fmt::format("paid by another user of the node, but the database could not store it; preimage {}",
                          paid->preimage.hex()));
  }
}

void Driver::Impl::accepted_by_store(Decided& pending, const Stored& stored) {
  Drive& drive = *pending.drive;
  const Payment& payment = drive.item.payment;
  on_stored(drive.item, stored.index, pending.decision, mono());
  for (const Write& write : pending.decision.writes) {
    learn(payment, write);
    if (const auto channel = freed_channel(payment, write)) channel_freed(*channel);
    if (const auto* made = std::get_if<RegisterAttempt>(&write))
      hashes[payment.request.hash].knowledge.known.push_back(payment.key(made->attempt));
  }
  drive.held = false;
  drive.refusals = 0;
  ports.observer.changed(payment);
  if (const auto* paid = std::get_if<HashPaid>(&pending.cause); paid && drive.handed_over) {
    ports.observer.warn(payment.request.hash,
                        fmt::format("another user of the node paid this hash: {} and {} of fees are theirs",
                                    sat_text(paid->amount), sat_text(paid->fee)));
  }
  act(drive, pending.decision);
}

void Driver::Impl::learn(const Payment& payment, const Write& write) {
  if (!memory) return;
  const auto* settled = std::get_if<SettleAttempt>(&write);
  const auto* failed = std::get_if<FailAttempt>(&write);
  if (settled == nullptr && failed == nullptr) return;
  const Attempt* attempt = payment.find(settled != nullptr ? settled->key : failed->key);
  if (attempt == nullptr || !attempt->resolved) return;
  memory->learn(PastResult{*attempt->resolved, attempt->route, attempt->failure});
}

void Driver::Impl::refused_by_store(Decided& pending, const Error& why) {
  Drive& drive = *pending.drive;
  Item& item = drive.item;
  const bool recorded = item.payment.index.value != 0;
  if (why.code == Errc::busy) {
    commit_was_busy = true;
    busy_why = why;
    if (!recorded) return finish(drive, DriveEnd::busy, why);
    item.backlog.insert(item.backlog.begin(), std::move(pending.cause));  // stored as soon as the lock is free
    return;
  }
  if (auto* taken = std::get_if<RoutesReady>(&pending.cause); taken && why.code == Errc::attempt_id_taken)
    return draw_again(drive, std::move(*taken), why);
  if (!recorded) return finish(drive, DriveEnd::refused, why);
  ports.observer.trace(item.payment.request.hash, fmt::format("the database refused: {}", why.message));
  if (++drive.refusals > most_refusals) {
    ports.observer.warn(
        item.payment.request.hash,
        fmt::format("the database refuses what the switch says ({}); nothing was changed", why.message));
    return close(drive);
  }
  item.backlog.insert(item.backlog.begin(), std::move(pending.cause));
  reload(drive);
}

void Driver::Impl::draw_again(Drive& drive, RoutesReady taken, const Error& why) {
  const Payment& payment = drive.item.payment;
  if (++drive.refusals > most_refusals) {
    if (payment.index.value == 0) return finish(drive, DriveEnd::busy, why);
    return close(drive);
  }
  const auto state = ports.store.find(payment.request.hash);
  if (!state) return finish(drive, payment.index.value == 0 ? DriveEnd::refused : DriveEnd::open, state.error());
  highest = std::max(highest, state->highest_id);
  const auto drawn = draw_attempt_id(now(), ports.randomness, highest);
  if (!drawn) return fulfil(drive, RefuseClock{drawn.error()});
  highest = *drawn;
  take_other_id(drive.item, std::move(taken), *drawn);
}

std::optional<Payment> Driver::Impl::load_again(Drive& drive) {
  auto stored = ports.store.load(drive.item.payment.index);
  if (stored) return *std::move(stored);
  finish(drive, DriveEnd::open, stored.error());
  return std::nullopt;
}

void Driver::Impl::reload(Drive& drive) {
  auto stored = load_again(drive);
  if (drive.done) return;
  if (!stored) return finish(drive, DriveEnd::ended, std::nullopt);
  fulfil_all(drive, on_reload(drive.item, std::move(*stored), context()));
}

void Driver::Impl::warn_wrong_preimage(const Item& item, const Decision& decision) {
  if (!decision.wrong_preimage) return;
  ports.observer.warn(
      item.payment.request.hash,
      fmt::format("the switch gave a preimage for {} that does not hash to the payment hash: nothing was concluded",
                  name_of(item.payment, *decision.wrong_preimage)));
}

}  // namespace paytower
