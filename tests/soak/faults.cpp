// What goes wrong: the disk under the database, and the network, its node and its other users.
#include "tests/soak/run.h"

namespace paytower::test {

void Run::arm_disk() {
  using Kind = DiskFault::Kind;
  DiskFault fault;
  fault.seed = random_();
  fault.at = 1 + below(any_of(*this, std::array<std::uint64_t, 3>{20, 80, 400}));
  fault.unsynced = static_cast<Unsynced>(below(4));
  if (percent(kills_)) {
    fault.kind = percent(50) ? Kind::kill_before : Kind::kill_after;
    if (percent(25)) {
      fault.calls = {DiskCall::handover};
      fault.at = 1 + below(12);
    }
  } else if (percent(errors_)) {
    fault.kind = percent(30) ? Kind::lasting_error : Kind::error;
    switch (below(5)) {
      case 0:
        fault.calls = {DiskCall::write,  DiskCall::sync, DiskCall::truncate,
                       DiskCall::remove, DiskCall::open, DiskCall::lock};
        break;
      case 1:
        fault.calls = {DiskCall::sync};
        fault.code = SQLITE_IOERR_FSYNC;
        break;
      case 2:
        fault.calls = {DiskCall::write, DiskCall::truncate};
        fault.code = SQLITE_FULL;
        break;
      case 3:
        fault.kind = Kind::error;
        fault.calls = {DiskCall::lock};
        fault.code = SQLITE_BUSY;
        break;  // a lasting one would make the test wait
      case 4:
        fault.kind = Kind::error;
        fault.at = 1 + below(12);
        fault.calls = {DiskCall::handover};
        break;
    }
  }
  world_.disk.arm(fault);
}

void Run::spoil_network(const PaymentHash& hash) {
  using sim::FaultKind;
  struct Kind {
    FaultKind kind;
    const char* occasion;
    bool after = false;
  };
  static constexpr Kind kinds[] = {
      {FaultKind::ignore, "sendpay"},
      {FaultKind::drop_reply, "sendpay"},
      {FaultKind::ignore, "listsendpays"},
      {FaultKind::drop_reply, "listsendpays"},
      {FaultKind::drop_reply, "waitsendpay"},
      {FaultKind::ignore, "fence"},
      {FaultKind::drop_reply, "fence"},
      {FaultKind::break_off, "sendpay"},
      {FaultKind::break_off, "sendpay", true},
      {FaultKind::break_off, "fence", true},
      {FaultKind::break_off, "listsendpays", true},
      {FaultKind::refuse_fence, "fence"},
      {FaultKind::refuse, "listsendpays"},
      {FaultKind::refuse, "sendpay"},
      {FaultKind::foreign_pay, "sendpay"},
      {FaultKind::foreign_pay, "listsendpays", true},
      {FaultKind::foreign_pay, "end"},
      {FaultKind::foreign_pay, "fence"},
      {FaultKind::hold, "sendpay"},
      {FaultKind::hold, "sendpay"},
      {FaultKind::lose_result, "end"},
      {FaultKind::forget, "listsendpays"},
      {FaultKind::orphan, "sendpay"},
      {FaultKind::orphan, "sendpay"},
      {FaultKind::fail, "sendpay"},
      {FaultKind::stall, "sendpay"},
      {FaultKind::restart_payee, "sendpay", true},
      {FaultKind::restart_payee, "waitsendpay"},
      {FaultKind::orphan_fence, "fence"},
  };
  static constexpr std::array<FaultKind, 4> others = {FaultKind::foreign_pay, FaultKind::foreign_hold,
                                                      FaultKind::foreign_fail, FaultKind::foreign_complete};
  const Kind& chosen = kinds[below(std::size(kinds))];
  const bool forgets = chosen.kind == FaultKind::lose_result || chosen.kind == FaultKind::forget;
  const bool orphan = chosen.kind == FaultKind::orphan || chosen.kind == FaultKind::orphan_fence;
  // One id makes one HTLC only while its record exists. A node that forgets a record while a copy of the request is in
  // a buffer breaks the switch's contract, and no client can repair that.
  if (forgets ? memory_ == Memory::late_copies : chosen.kind == FaultKind::hold && memory_ != Memory::late_copies)
    return;
  if (orphan && !orphans_) return;
  sim::Fault fault;
  fault.kind = chosen.kind;
  fault.occasion = chosen.occasion;
  fault.after = chosen.after;
  fault.hash = hash;
  fault.skip = static_cast<std::uint32_t>(below(3));
  fault.times = static_cast<std::uint32_t>(1 + below(3));
  fault.value = static_cast<std::int64_t>(below(chosen.kind == FaultKind::refuse ? 30 : 200)) * ns_per_second;
  const bool of_all = fault.occasion == "listsendpays" || percent(50);
  if (!of_all) fault.part = static_cast<std::uint32_t>(1 + below(5));
  if (chosen.kind == FaultKind::fail) {
    static constexpr std::array<const char*, 4> ways = {"TEMPORARY_CHANNEL_FAILURE@1", "TEMPORARY_NODE_FAILURE@2",
                                                        "PERMANENT_CHANNEL_FAILURE@0",
                                                        "INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS"};
    fault.fail = *sim::parse_fail_spec(ways[below(ways.size())]);
  }
  if (chosen.kind == FaultKind::stall && percent(20)) fault.value = sim::Hold::forever;
  const FaultKind act = others[below(others.size())];
  if (chosen.kind == FaultKind::foreign_pay) fault.kind = act;
  fault.text = another;
  if (orphan) excused_.insert(hash);
  const bool holds = fault.kind == FaultKind::foreign_hold || fault.value == sim::Hold::forever;
  if (holds) held_.push_back(hash);
  if (fault.value == sim::Hold::forever) stalled_.insert(hash);
  world_.node.faults().add(fault);
  ++tally_.network_faults;
}

/// Erases records, as delpay and autoclean do. If HTLCs are erased from their list too, nobody can tell what became of
/// any open attempt, so all open payments may need a decision by hand.
void Run::erase_records() {
  sim::Erasure what;
  what.hash = somebody();
  if (percent(50)) what.part = static_cast<std::uint32_t>(1 + below(4));
  what.htlcs_too = memory_ == Memory::erased_lists && percent(50);
  if (what.htlcs_too) excused_.insert(open_.begin(), open_.end());
  if (world_.admin.erase(what) > 0) ++tally_.network_faults;
}

/// Another user pays the hash in two parts: both, or only one, for which the payee waits in vain.
void Run::pay_as_another() {
  if (world_.admin.foreign_set(somebody(), another, static_cast<std::uint32_t>(1 + below(2)))) ++tally_.network_faults;
}

}  // namespace paytower::test
