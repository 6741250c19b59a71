// What the switch says: every answer ends here and is passed on to its payment.
#include "core/driver/loop.h"

#include <algorithm>

#include <fmt/core.h>

#include "core/payment/channel_update.h"

namespace paytower {

namespace {

constexpr std::int64_t reconnect_ns = 250 * ns_per_ms;

}  // namespace

void Driver::Impl::receive(const IdentityAnswer& answer) {
  identifying = false;
  identity = answer;
  ever_identified = true;
  copy_checked = false;
  const auto trace_here = read(ports.store.trace_at(answer.key));
  if (!trace_here) return;
  ports.node.newest_own(*trace_here);
  const bool restarted = !answer.run.empty() && !last_run.empty() && answer.run != last_run;
  if (!answer.run.empty()) last_run = answer.run;
  for (const auto& drive : drives) {
    if (drive->done) continue;
    if (restarted) trace(drive->item, "the switch was restarted");
    check_identity(*drive);
  }
}

void Driver::Impl::check_identity(Drive& drive) {
  const Payment& payment = drive.item.payment;
  const bool recorded = payment.index.value != 0;
  auto why = wrong_switch(payment, identity->key);
  if (!why) why = unfit(payment.request, *identity, recorded);
  if (!why) return;
  // Something of a recorded payment may be in flight. That the operator named another switch says nothing about it.
  finish(drive, recorded ? DriveEnd::other_switch : DriveEnd::refused, *why);
}

void Driver::Impl::receive(const NewestOwnAnswer& answer) {
  alarm = old_copy(ports.store, answer);
  if (alarm) return;
  copy_checked = true;
  for (const LookAnswer& early : std::exchange(early_looks, {})) {
    if (!alarm) receive(early);
    if (alarm) early_looks.push_back(early);  // its proofs are saved
  }
}

void Driver::Impl::receive(const LookAnswer& answer) {
  if (!copy_checked) return early_looks.push_back(answer);
  looks.erase(answer.hash);
  const auto entry = hashes.find(answer.hash);
  if (entry == hashes.end()) return;
  for (Drive* drive : entry->second.drives) {
    if (drive->done) continue;
    const auto asked = look_came(drive->item, context());
    if (asked && !alarm) conclude(*drive, *answer.shown, *asked);
  }
}

void Driver::Impl::conclude(Drive& drive, const Shown& shown, MonoNs asked) {
  Item& item = drive.item;
  const PaymentHash& hash = item.payment.request.hash;
  LookFinding finding = interpret(item.payment, shown, hashes[hash].knowledge);
  for (const std::string& warning : finding.warnings) {
    if (drive.warned.insert(warning).second) ports.observer.warn(hash, warning);
  }
  if (finding.alarm) {
    alarm = refusal(*finding.alarm, hash);
    return;
  }
  drive.why_open = finding.why_open;
  for (const Event& event : finding.events) warn_erased(item, event);
  on(item, std::move(finding), asked, context());
}

void Driver::Impl::warn_erased(const Item& item, const Event& event) {
  const auto* missing = std::get_if<NotFound>(&event);
  if (!missing || missing->evidence != Evidence::unknown) return;
  const Attempt* attempt = item.payment.find(missing->key);
  const bool seen = attempt != nullptr && attempt->dies();
  const std::string why = seen
                              ? fmt::format(
                                    "the switch had {}, and its record is gone: somebody deleted it, or the node was "
                                    "restored from an old backup. It may have been paid",
                                    name_of(item.payment, missing->key))
                              : fmt::format("the switch has no record of {}, and its lists do not tell whether it paid",
                                            name_of(item.payment, missing->key));
  ports.observer.warn(item.payment.request.hash,
                      fmt::format("{}: nothing was concluded and nothing was sent; ask the payee whether it was paid, "
                                  "then run paytower resolve {} --write-off (or --assume-failed)",
                                  why, item.payment.request.hash.hex()));
}

void Driver::Impl::receive(const RouteAnswer& answer) {
  const auto found = by_ticket.find(answer.ticket);
  if (found == by_ticket.end() || found->second->done) return;
  Drive& drive = *found->second;
  const bool awaited = drive.item.route.has_value();
  drive.unheard.clear();
  Wishes wishes = on(drive.item, answer);
  if (awaited && !answer.routes.empty() && wishes.empty())
    trace(drive.item, "the switch's route breaks a limit or uses what was excluded: refused");
  fulfil_all(drive, std::move(wishes));
}

Drive* Driver::Impl::drive_of(const AttemptKey& key) {
  const auto entry = hashes.find(key.hash);
  if (entry == hashes.end()) return nullptr;
  for (Drive* drive : entry->second.drives) {
    if (!drive->done && drive->item.payment.find(key)) return drive;
  }
  return nullptr;
}

void Driver::Impl::receive(const DispatchAnswer& answer) {
  Drive* drive = drive_of(answer.key);
  if (!drive) return;
  drive->answered_once = true;
  if (answer.kind == DispatchAnswer::Kind::accepted)
    trace(drive->item, fmt::format("{} accepted", name_of(drive->item.payment, answer.key)));
  on(drive->item, answer, context());
}

void Driver::Impl::receive(const QueryAnswer& answer) {
  Drive* drive = drive_of(answer.key);
  if (!drive) return;
  if (answer.kind == QueryAnswer::Kind::failed) take_policy(*drive, answer);
  on(drive->item, answer, context());
}

/// M4: the new policy is used at once, for this payment.
void Driver::Impl::take_policy(Drive& drive, const QueryAnswer& answer) {
  const Attempt* attempt = drive.item.payment.find(answer.key);
  if (attempt == nullptr || answer.message.empty()) return;
  const auto told = policy_told_by(answer.message, answer.failure, attempt->route);
  if (!told) return;
  auto& known = drive.policies;
  known.erase(std::remove_if(known.begin(), known.end(),
                             [&](const ChannelPolicy& one) { return one.channel == told->channel; }),
              known.end());
  known.push_back(*told);
}

void Driver::Impl::receive(const FenceAnswer& answer) {
  if (Drive* drive = drive_of(answer.key)) fulfil_all(*drive, on(drive->item, answer, context()));
}

void Driver::Impl::receive(const ReleaseAnswer& answer) {
  const auto entry = hashes.find(answer.hash);
  if (entry == hashes.end()) return;
  for (Drive* drive : entry->second.drives) {
    if (!drive->done) on(drive->item, answer, context());
  }
}

void Driver::Impl::receive(const Disconnected& lost) {
  identity.reset();
  identifying = false;
  lost_why = lost.why;
  lost_hint = lost.hint;
  identify_at = plus(mono(), reconnect_ns);
  copy_checked = false;
  looks.clear();
  early_looks.clear();
  for (const auto& drive : drives) {
    if (drive->done) continue;
    if (drive->item.route) drive->unheard = lost.why;
    on(drive->item, lost, context());
    const PaymentRequest& request = drive->item.payment.request;
    const bool recorded = drive->item.payment.index.value != 0;
    if (recorded && (ever_identified || lost.reached)) continue;
    if (lost.reached && now() < request.deadline) continue;
    finish(*drive, DriveEnd::unavailable, Error{Errc::switch_unavailable, lost.why, lost.hint});
  }
}

}  // namespace paytower
