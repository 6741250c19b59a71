// send --dry-run: ports that store, lock and send nothing. The driver does the same as in a real send, and ends where
// the first attempt would be recorded (R1).
#pragma once

#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "core/driver/driver.h"
#include "core/driver/ports.h"

namespace paytower {

/// Reads from the real store. Writes are kept in memory, so that the driver can go on, except new attempts: their
/// commit is refused (Errc::not_confirmed), which ends the run. `below` is nullptr if the database does not exist yet.
class DryStore final : public PaymentStore {
 public:
  DryStore(PaymentStore* below, Clock& clock, Randomness& randomness);

  [[nodiscard]] std::vector<Result<Stored>> commit(std::span<const PaymentWrites> tick) override;
  [[nodiscard]] Result<HashState> find(const PaymentHash& hash) override;
  [[nodiscard]] Result<std::optional<Payment>> load(PaymentIndex index) override;
  [[nodiscard]] Result<std::vector<PaymentIndex>> fetch_in_flight(PaymentIndex after, std::size_t limit) override;
  [[nodiscard]] Result<std::vector<PastResult>> recent_results(std::size_t most) override;
  [[nodiscard]] Result<StoreTrace> trace_at(const SwitchKey& here) override;
  [[nodiscard]] Result<bool> accounts_for(AttemptId id) override;
  [[nodiscard]] Result<std::uint64_t> change_counter() override;
  void spool(const AttemptKey& key, const Preimage& preimage) noexcept override;

  /// The routes of the attempts that were refused, one for each part.
  [[nodiscard]] const std::vector<Route>& planned() const { return planned_; }

 private:
  [[nodiscard]] Result<Stored> take(const PaymentWrites& entry);

  PaymentStore* below_;
  Clock& clock_;
  StoreId made_up_{};             ///< for a database that does not exist yet
  std::vector<Payment> taken_{};  ///< payments as they would be stored now, the newest last
  std::vector<Route> planned_{};
};

/// Passes questions to the real switch, in a form that leaves nothing there, and drops hand-overs and fences. A release
/// is dropped too, but counts as done.
class DrySwitch final : public Switch {
 public:
  explicit DrySwitch(Switch& node) : node_(node) {}

  void identify() override { node_.identify(); }
  void look(const PaymentHash& hash, std::span<const Marks> since) override { node_.look(hash, since); }
  void ask_route(const RouteQuestion& question) override;
  void dispatch(const Handover&) override {}
  void query(const AttemptKey& key) override { node_.query(key); }
  void fence(const Handover&) override {}
  void release(const PaymentHash& hash, const StoreId& store) override;
  [[nodiscard]] std::optional<HandoverTerms> terms() const override { return node_.terms(); }
  [[nodiscard]] std::uint32_t base_height() const override { return node_.base_height(); }
  void list_own(const StoreId& store) override { node_.list_own(store); }
  void newest_own(const StoreTrace& trace) override { node_.newest_own(trace); }
  [[nodiscard]] std::vector<SwitchEvent> poll(MonoNs until) override;

 private:
  Switch& node_;
  std::set<PaymentHash> released_;
  std::vector<SwitchEvent> told_;
};

/// All ports of a dry run. The arguments must outlive it; `stored` is nullptr if there is no database yet.
class DryRun {
 public:
  DryRun(Switch& node, PaymentStore* stored, Clock& clock, Randomness& randomness, Observer& observer)
      : clock_(clock), randomness_(randomness), store_(stored, clock, randomness), node_(node), observer_(observer) {}

  [[nodiscard]] DriverPorts ports() { return {node_, store_, locks_, clock_, randomness_, observer_}; }
  [[nodiscard]] const std::vector<Route>& planned() const { return store_.planned(); }

 private:
  /// No lock is needed (R11): a dry run changes nothing, and must not make a process that really pays wait.
  class NoLocks final : public PaymentLocks {
   public:
    bool try_lock(const PaymentHash&) override { return true; }
    void unlock(const PaymentHash&) override {}
  };
  /// Reports warnings, but no changes of payments: none of them was really stored.
  class Warnings final : public Observer {
   public:
    explicit Warnings(Observer& observer) : observer_(observer) {}
    void warn(const PaymentHash& hash, std::string_view message) override { observer_.warn(hash, message); }
    void trace(const PaymentHash& hash, std::string_view message) override { observer_.trace(hash, message); }

   private:
    Observer& observer_;
  };

  Clock& clock_;
  Randomness& randomness_;
  DryStore store_;
  DrySwitch node_;
  NoLocks locks_;
  Warnings observer_;
};

}  // namespace paytower
