#include "core/driver/loop.h"

#include <algorithm>

#include "core/payment/channel_update.h"

namespace paytower {

namespace {

constexpr std::int64_t reconnect_ns = 250 * ns_per_ms;
constexpr std::int64_t orphan_patience_ns = 60 * ns_per_second;  ///< a living node ends such a record in 30 s

}  // namespace

void Driver::Impl::receive(const IdentityAnswer& answer) {
  identifying = false;
  identity = answer;
  ever_identified = true;
  copy_checked = false;
  ports.node.newest_own(ports.store.trace_at(answer.key));
  const bool restarted = !answer.run.empty() && !last_run.empty() && answer.run != last_run;
  if (!answer.run.empty()) last_run = answer.run;
  for (const auto& item : items) {
    if (item->done) continue;
    if (restarted) trace(*item, "the switch was restarted");
    check_identity(*item);
  }
}

void Driver::Impl::check_identity(Item& item) {
  const auto refusal = wrong_switch(item.payment, identity->key);
  if (!refusal) return;
  // Something of a recorded payment may be in flight: that another switch was named says nothing about it.
  const bool elsewhere = refusal->code == Errc::other_switch || item.payment.index.value != 0;
  finish(item, elsewhere ? DriveEnd::other_switch : DriveEnd::refused, *refusal);
}

void Driver::Impl::receive(const NewestOwnAnswer& answer) {
  refuse_old_copy(ports.store, answer);
  copy_checked = true;
  for (const LookAnswer& early : std::exchange(early_looks, {})) receive(early);
}

void Driver::Impl::receive(const LookAnswer& answer) {
  if (!copy_checked) return early_looks.push_back(answer);
  looks.erase(answer.look.hash);
  const auto entry = hashes.find(answer.look.hash);
  if (entry == hashes.end()) return;
  for (Item* item : entry->second.items) {
    if (item->done || !item->looking) continue;
    item->looking = false;
    if (item->look_outdated) {
      item->look_outdated = false;
      if (item->unanswered.empty()) want_look(*item, mono());
      continue;
    }
    conclude(*item, answer.look);
  }
}

void Driver::Impl::conclude(Item& item, const LookResult& look) {
  LookFinding finding = interpret(item.payment, look, hashes[look.hash].knowledge);
  for (const std::string& warning : finding.warnings) {
    if (item.warned.insert(warning).second) ports.observer.warn(look.hash, warning);
  }
  if (finding.alarm) throw RefusalError(refusal_of(item.payment, *finding.alarm));
  item.marks = look.now;
  item.blocker = finding.blocker;
  ++item.idle_looks;
  prove_orphans(item, finding);
  for (Event& event : finding.events) {
    warn_erased(item, event);
    take_over_payee(item, event);
    item.backlog.push_back(std::move(event));
  }
}

/// What is recorded of a payment by another user says whom they paid, so that --idempotent can compare.
void Driver::Impl::take_over_payee(Item& item, const Event& event) {
  const auto* paid = std::get_if<HashPaid>(&event);
  if (paid != nullptr && paid->destination && item.payment.index.value == 0)
    item.payment.request.demand.destination = *paid->destination;
}

void Driver::Impl::prove_orphans(Item& item, LookFinding& finding) {
  std::map<AttemptId, MonoNs> seen;
  for (const AttemptId id : finding.orphans) {
    const auto earlier = item.orphans.find(id);
    seen[id] = earlier == item.orphans.end() ? mono() : earlier->second;
    if (item.look_asked < plus(seen[id], orphan_patience_ns)) continue;
    for (Event& event : finding.events) {
      if (const auto* pending = std::get_if<Pending>(&event); pending && pending->id == id) event = Orphaned{id};
    }
  }
  item.orphans = std::move(seen);
}

void Driver::Impl::warn_erased(Item& item, const Event& event) {
  const auto* missing = std::get_if<NotFound>(&event);
  if (!missing || missing->evidence != Evidence::unknown) return;
  ports.observer.warn(item.payment.request.hash,
                      "the switch has no record of attempt " + std::to_string(missing->id.value) +
                          ", and its lists do not tell whether it paid: nothing was concluded and nothing was sent; "
                          "ask the payee, then say paytower resolve " +
                          item.payment.request.hash.hex() + " --write-off (or --assume-failed)");
}

void Driver::Impl::receive(const RouteAnswer& answer) {
  const auto found = by_ticket.find(answer.ticket);
  if (found == by_ticket.end() || found->second->done || !found->second->asking) return;
  Item& item = *found->second;
  item.asking = false;
  auto judged = judge_answer(answer, item.payment, item.excluded);
  if (auto* route = std::get_if<Route>(&judged)) return ready(item, std::move(*route));
  // M1: that there is no route is said only by a question without advice.
  if (answer.advised && item.advised) return ask_for_route(item, nullptr);
  if (answer.route) trace(item, "the switch's route breaks a limit or uses what was excluded: refused");
  item.backlog.push_back(std::move(std::get<NoRoute>(judged)));
}

Item* Driver::Impl::item_of(const AttemptKey& key) {
  const auto entry = hashes.find(key.hash);
  if (entry == hashes.end()) return nullptr;
  for (Item* item : entry->second.items) {
    if (!item->done && item->payment.find(key.id)) return item;
  }
  return nullptr;
}

void Driver::Impl::receive(const DispatchAnswer& answer) {
  Item* item = item_of(answer.key);
  if (!item) return;
  item->unanswered.erase(answer.key.id);
  item->answered_once = true;
  switch (answer.kind) {
    case DispatchAnswer::Kind::accepted: {
      Attempt& attempt = *item->payment.find(answer.key.id);
      if (!attempt.accepted) attempt.accepted = now();
      trace(*item, "attempt " + std::to_string(answer.key.id.value) + " accepted");
      item->backlog.push_back(Accepted{answer.key.id});
      return;
    }
    case DispatchAnswer::Kind::not_sent: {
      const bool only_copy = item->drawn.count(answer.key.id) != 0 && item->copies[answer.key.id] == 1;
      item->backlog.push_back(NotSent{answer.key.id, answer.failure, only_copy});
      return;
    }
    case DispatchAnswer::Kind::look: want_look(*item, plus(mono(), item->idle_looks == 0 ? 0 : pause(*item))); return;
  }
}

void Driver::Impl::receive(const QueryAnswer& answer) {
  Item* item = item_of(answer.key);
  if (!item) return;
  item->querying.erase(answer.key.id);
  switch (answer.kind) {
    case QueryAnswer::Kind::settled: item->backlog.push_back(Settled{answer.key.id, answer.preimage}); return;
    case QueryAnswer::Kind::failed:
      take_policy(*item, answer);
      item->backlog.push_back(Failed{answer.key.id, answer.failure});
      return;
    case QueryAnswer::Kind::look: want_look(*item, plus(mono(), item->idle_looks == 0 ? 0 : pause(*item))); return;
  }
}

/// M4: used at once, for this payment.
void Driver::Impl::take_policy(Item& item, const QueryAnswer& answer) {
  const Attempt* attempt = item.payment.find(answer.key.id);
  if (attempt == nullptr || answer.message.empty()) return;
  const auto told = policy_told_by(answer.message, answer.failure, attempt->route);
  if (!told) return;
  auto& known = item.policies;
  known.erase(std::remove_if(known.begin(), known.end(),
                             [&](const ChannelPolicy& one) { return one.channel == told->channel; }),
              known.end());
  known.push_back(*told);
}

void Driver::Impl::receive(const FenceAnswer& answer) {
  Item* item = item_of(answer.key);
  if (!item) return;
  item->unanswered.erase(answer.key.id);
  if (answer.kind == FenceAnswer::Kind::fenced) return item->backlog.push_back(Fenced{answer.key.id});
  // The payment has its end already. While somebody's complete record stands in the way, no fence takes and no HTLC of
  // ours is made either: a later run asks again.
  if (item->payment.ended_for_good()) return close(*item);
  want_look(*item, plus(mono(), item->idle_looks == 0 ? 0 : pause(*item)));
}

void Driver::Impl::receive(const Disconnected& lost) {
  identity.reset();
  identifying = false;
  identify_at = plus(mono(), reconnect_ns);
  copy_checked = false;
  looks.clear();
  early_looks.clear();
  for (const auto& item : items) {
    if (item->done) continue;
    item->looking = item->asking = false;
    item->unanswered.clear();
    item->querying.clear();
    want_look(*item, mono());
    const bool recorded = item->payment.index.value != 0;
    if (recorded && (ever_identified || lost.reached)) continue;
    if (lost.reached && now() < item->payment.request.deadline) continue;
    const Error error{Errc::switch_unavailable, lost.why, {}};
    finish(*item, DriveEnd::unavailable, error);
  }
}

}  // namespace paytower
