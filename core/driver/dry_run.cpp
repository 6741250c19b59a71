// The ports of a dry run: questions go through, writes stay in memory, acts are not done.
#include "core/driver/dry_run.h"

#include <algorithm>
#include <memory>

#include "core/payment/lifecycle.h"
#include "core/payment/look.h"

namespace paytower {

namespace {

/// A look as it would be if the record in the way had been released.
class AfterRelease final : public Shown {
 public:
  explicit AfterRelease(std::shared_ptr<const Shown> before) : before_(std::move(before)) {}

  [[nodiscard]] LookResult about(const StoreId& store, std::span<const Asked> attempts) const override {
    LookResult look = before_->about(store, attempts);
    look.to_release = false;
    return look;
  }

 private:
  std::shared_ptr<const Shown> before_;
};

}  // namespace

// --- the store ---

DryStore::DryStore(PaymentStore* below, Clock& clock, Randomness& randomness) : below_(below), clock_(clock) {
  if (below_ == nullptr) randomness.fill(made_up_.bytes);
}

std::vector<Result<Stored>> DryStore::commit(std::span<const PaymentWrites> tick) {
  std::vector<Result<Stored>> results;
  results.reserve(tick.size());
  for (const PaymentWrites& entry : tick) results.push_back(take(entry));
  return results;
}

Result<Stored> DryStore::take(const PaymentWrites& entry) {
  std::vector<Route> routes;
  for (const Write& write : entry.writes) {
    if (const auto* made = std::get_if<RegisterAttempt>(&write)) routes.push_back(made->attempt.route);
  }
  if (!routes.empty()) {
    planned_ = std::move(routes);
    return Error{Errc::not_confirmed, "a dry run records no attempt; nothing was sent"};
  }
  Payment after = *entry.payment;
  for (const Write& write : entry.writes) apply(after, write);
  if (after.index.value == 0) after.index = PaymentIndex{INT64_MAX - static_cast<std::int64_t>(taken_.size())};
  taken_.push_back(std::move(after));
  return Stored{taken_.back().index};
}

Result<HashState> DryStore::find(const PaymentHash& hash) {
  if (below_ != nullptr) return below_->find(hash);
  HashState nothing;
  nothing.knowledge.store = made_up_;
  return nothing;
}

Result<std::optional<Payment>> DryStore::load(PaymentIndex index) {
  const auto taken =
      std::find_if(taken_.rbegin(), taken_.rend(), [&](const Payment& one) { return one.index == index; });
  if (taken != taken_.rend()) return std::optional(*taken);
  return below_ != nullptr ? below_->load(index) : std::optional<Payment>();
}

Result<std::vector<PaymentIndex>> DryStore::fetch_in_flight(PaymentIndex after, std::size_t limit) {
  if (below_ != nullptr) return below_->fetch_in_flight(after, limit);
  return std::vector<PaymentIndex>{};
}

Result<std::vector<PastResult>> DryStore::recent_results(std::size_t most) {
  if (below_ != nullptr) return below_->recent_results(most);
  return std::vector<PastResult>{};
}

Result<StoreTrace> DryStore::trace_at(const SwitchKey& here) {
  if (below_ != nullptr) return below_->trace_at(here);
  return StoreTrace{made_up_, clock_.wall()};
}

Result<bool> DryStore::accounts_for(AttemptId id) {
  if (below_ != nullptr) return below_->accounts_for(id);
  return false;
}

Result<std::uint64_t> DryStore::change_counter() {
  if (below_ != nullptr) return below_->change_counter();
  return std::uint64_t{0};
}

/// Nothing is lost: the process that really works on the payment gets the preimage too.
void DryStore::spool(const AttemptKey&, const Preimage&) noexcept {}

// --- the switch ---

void DrySwitch::ask_route(const RouteQuestion& question) {
  RouteQuestion asked = question;
  asked.leaves_nothing = true;
  node_.ask_route(asked);
}

void DrySwitch::release(const PaymentHash& hash, const StoreId&) {
  released_.insert(hash);
  told_.push_back(ReleaseAnswer{hash});
}

std::vector<SwitchEvent> DrySwitch::poll(MonoNs until) {
  if (!told_.empty()) return std::exchange(told_, {});
  std::vector<SwitchEvent> events = node_.poll(until);
  for (SwitchEvent& event : events) {
    auto* look = std::get_if<LookAnswer>(&event);
    if (look != nullptr && released_.count(look->hash) != 0)
      look->shown = std::make_shared<AfterRelease>(std::move(look->shown));
  }
  return events;
}

}  // namespace paytower
