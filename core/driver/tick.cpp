#include "core/driver/loop.h"

#include <algorithm>

#include "core/base/hash.h"
#include "core/driver/attempt_id.h"
#include "core/payment/look.h"

namespace paytower {

namespace {

constexpr unsigned most_refusals = 8;  ///< then a payment is left to the next run

}  // namespace

void Driver::Impl::settle() {
  commit_was_busy = false;
  while (!commit_was_busy) {
    decide_all();
    if (tick.empty()) return;
    commit();
    tick.clear();
  }
}

void Driver::Impl::decide_all() {
  for (std::size_t i = 0; i < items.size(); ++i) {
    Item& item = *items[i];
    while (!item.done && !item.backlog.empty()) {
      Event cause = std::move(item.backlog.front());
      item.backlog.pop_front();
      Decision decision = decide(item.payment, TimedEvent{now_for(item.payment), cause});
      warn_wrong_preimage(item, decision);
      if (!decision.writes.empty()) {
        tick.push_back(Decided{&item, std::move(cause), std::move(decision)});
        break;
      }
      perform(item, decision);
    }
  }
}

void Driver::Impl::commit() {
  std::vector<PaymentWrites> writes;
  writes.reserve(tick.size());
  for (const Decided& pending : tick) writes.push_back(PaymentWrites{&pending.item->payment, pending.decision.writes});
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
    if (!pending.stored) save_proof(*pending.item, pending.cause);
  }
  for (const auto& item : items) {
    for (const Event& event : item->backlog) save_proof(*item, event);
  }
  for (const SwitchEvent& answer : answers) save_proof(answer);
  for (const LookAnswer& early : early_looks) save_proof(early);
  tick.clear();
  answers.clear();
}

void Driver::Impl::save_proof(const SwitchEvent& answer) {
  if (const auto* told = std::get_if<QueryAnswer>(&answer); told && told->kind == QueryAnswer::Kind::settled) {
    if (const Item* item = item_of(told->key)) save_proof(*item, Settled{told->key.id, told->preimage});
    return;
  }
  const auto* looked = std::get_if<LookAnswer>(&answer);
  if (!looked) return;
  const auto entry = hashes.find(looked->look.hash);
  if (entry == hashes.end()) return;
  for (const Item* item : entry->second.items) {
    for (const SwitchRow& row : looked->look.rows) {
      if (row.state != RowState::complete || !row.preimage) continue;
      const bool own = item->payment.find(row.id) != nullptr;
      save_proof(*item, own ? Event(Settled{row.id, *row.preimage}) : Event(HashPaid{*row.preimage, row.id, {}, {}}));
    }
  }
}

void Driver::Impl::save_proof(const Item& item, const Event& event) {
  const PaymentHash& hash = item.payment.request.hash;
  if (item.payment.proof() || item.payment.index.value == 0) return;
  if (const auto* settled = std::get_if<Settled>(&event); settled && proves(settled->preimage, hash)) {
    ports.store.spool(hash, settled->id, settled->preimage);
    ports.observer.warn(hash, "paid, but the database could not store it; preimage " + settled->preimage.hex());
  } else if (const auto* paid = std::get_if<HashPaid>(&event); paid && proves(paid->preimage, hash)) {
    ports.observer.warn(hash, "paid by another user of the node, but the database could not store it; preimage " +
                                  paid->preimage.hex());
  }
}

void Driver::Impl::accepted_by_store(Decided& pending, const Stored& stored) {
  Item& item = *pending.item;
  item.payment.index = stored.index;
  for (const Write& write : pending.decision.writes) {
    apply(item.payment, write);
    learn(item.payment, write);
    if (const auto* made = std::get_if<RegisterAttempt>(&write)) {
      hashes[item.payment.request.hash].knowledge.known_ids.push_back(*made->attempt.id);
    }
  }
  item.idle_looks = 0;
  item.held = false;
  item.refusals = 0;
  ports.observer.changed(item.payment);
  if (const auto* paid = std::get_if<HashPaid>(&pending.cause); paid && item.handed_over) {
    ports.observer.warn(item.payment.request.hash,
                        "another user of the node paid this hash: " + std::to_string(paid->amount.value()) +
                            " msat and " + std::to_string(paid->fee.value()) + " msat of fees are theirs");
  }
  perform(item, pending.decision);
}

void Driver::Impl::learn(const Payment& payment, const Write& write) {
  if (!memory) return;
  const auto* settled = std::get_if<SettleAttempt>(&write);
  const auto* failed = std::get_if<FailAttempt>(&write);
  if (settled == nullptr && failed == nullptr) return;
  const Attempt* attempt = payment.find(settled != nullptr ? settled->id : failed->id);
  if (attempt == nullptr || !attempt->resolved) return;
  memory->learn(PastResult{*attempt->resolved, attempt->route, attempt->failure});
}

void Driver::Impl::refused_by_store(Decided& pending, const Error& why) {
  Item& item = *pending.item;
  if (why.code == Errc::busy) {
    commit_was_busy = true;
    busy_why = why;
    if (item.payment.index.value == 0) return finish(item, DriveEnd::busy, why);
    item.backlog.push_front(std::move(pending.cause));  // what was learned is stored as soon as the lock is free
    return;
  }
  if (auto* taken = std::get_if<RouteReady>(&pending.cause); taken && why.code == Errc::attempt_id_taken)
    return draw_again(item, std::move(*taken), why);
  if (item.payment.index.value == 0) return finish(item, DriveEnd::refused, why);
  ports.observer.trace(item.payment.request.hash, "the store refused: " + why.message);
  if (++item.refusals > most_refusals) {
    ports.observer.warn(item.payment.request.hash,
                        "the store refuses what the switch tells (" + why.message + "): left as it is");
    return close(item);
  }
  item.backlog.push_front(std::move(pending.cause));
  reload(item);
}

void Driver::Impl::draw_again(Item& item, RouteReady taken, const Error& why) {
  item.drawn.erase(taken.id);  // it is another's: its answers mean nothing here (R3)
  if (++item.refusals > most_refusals) {
    if (item.payment.index.value == 0) return finish(item, DriveEnd::busy, why);
    return close(item);
  }
  highest = std::max(highest, ports.store.find(item.payment.request.hash).highest_id);
  const auto drawn = draw_attempt_id(now(), ports.randomness, highest);
  if (!drawn) return refuse_clock(item, drawn.error());
  highest = taken.id = *drawn;
  item.drawn.insert(highest);
  item.backlog.push_front(std::move(taken));
}

std::optional<Payment> Driver::Impl::load_again(Item& item) {
  try {
    return ports.store.load(item.payment.index);
  } catch (const RefusalError& error) {
    if (error.error().code != Errc::database) throw;
    finish(item, DriveEnd::open, error.error());
    return std::nullopt;
  }
}

void Driver::Impl::reload(Item& item) {
  auto stored = load_again(item);
  if (item.done) return;
  if (!stored) return finish(item, DriveEnd::ended, std::nullopt);
  auto detail = std::move(item.payment.failure_detail);
  item.payment = std::move(*stored);
  item.payment.failure_detail = std::move(detail);
  drop_all_but_proofs(item.backlog);
  if (item.payment.ended_for_good() && !item.payment.has_open_attempt())
    return finish(item, DriveEnd::ended, std::nullopt);
  want_look(item, mono());
}

void Driver::Impl::drop_all_but_proofs(std::deque<Event>& backlog) {
  std::deque<Event> proofs;
  for (Event& event : backlog) {
    if (std::holds_alternative<Settled>(event) || std::holds_alternative<HashPaid>(event))
      proofs.push_back(std::move(event));
  }
  backlog = std::move(proofs);
}

void Driver::Impl::warn_wrong_preimage(Item& item, const Decision& decision) {
  if (!decision.wrong_preimage) return;
  ports.observer.warn(item.payment.request.hash, "the switch gave a preimage for attempt " +
                                                     std::to_string(decision.wrong_preimage->value) +
                                                     " that does not hash to the payment hash: nothing was concluded");
}

}  // namespace paytower
