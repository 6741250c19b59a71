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
  } else if (percent(errors_)) {
    fault.kind = percent(30) ? Kind::lasting_error : Kind::error;
    switch (below(4)) {
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
        break;  // a lasting one would be waited for
    }
  }
  world_.disk.arm(fault);
}

void Run::spoil_network(const PaymentHash& hash) {
  using sim::FaultKind;
  using sim::Step;
  struct Kind {
    FaultKind kind;
    Step step;
  };
  static constexpr Kind kinds[] = {
      {FaultKind::lose_reply, Step::before_dispatch},
      {FaultKind::lose_reply, Step::after_dispatch},
      {FaultKind::lose_reply, Step::before_look},
      {FaultKind::lose_reply, Step::after_look},
      {FaultKind::lose_reply, Step::query},
      {FaultKind::lose_reply, Step::before_fence},
      {FaultKind::lose_reply, Step::after_fence},
      {FaultKind::disconnect, Step::before_dispatch},
      {FaultKind::disconnect, Step::after_dispatch},
      {FaultKind::disconnect, Step::after_fence},
      {FaultKind::disconnect, Step::after_look},
      {FaultKind::refuse_fence, Step::before_fence},
      {FaultKind::unreachable, Step::before_look},
      {FaultKind::unreachable, Step::before_dispatch},
      {FaultKind::foreign, Step::before_dispatch},
      {FaultKind::foreign, Step::after_look},
      {FaultKind::foreign, Step::resolve},
      {FaultKind::foreign, Step::before_fence},
      {FaultKind::hold_request, Step::before_dispatch},
      {FaultKind::hold_request, Step::before_dispatch},
      {FaultKind::lose_result, Step::resolve},
      {FaultKind::erase_rows, Step::before_look},
      {FaultKind::orphan_row, Step::before_dispatch},
      {FaultKind::orphan_fence, Step::before_fence},
  };
  const Kind& chosen = kinds[below(std::size(kinds))];
  const bool forgets = chosen.kind == FaultKind::lose_result || chosen.kind == FaultKind::erase_rows;
  const bool orphan = chosen.kind == FaultKind::orphan_row || chosen.kind == FaultKind::orphan_fence;
  // One id makes one HTLC only while its record lives: a node that forgets a record with a copy of its request in a
  // buffer breaks the switch's contract, which no client can mend.
  if (forgets ? memory_ == Memory::late_copies
              : chosen.kind == FaultKind::hold_request && memory_ != Memory::late_copies)
    return;
  if (orphan && !orphans_) return;
  sim::Fault fault;
  fault.kind = chosen.kind;
  fault.step = chosen.step;
  fault.hash = hash;
  fault.skip = static_cast<std::uint32_t>(below(3));
  fault.times = static_cast<std::uint32_t>(1 + below(3));
  fault.delay_ns = static_cast<std::int64_t>(below(chosen.kind == FaultKind::unreachable ? 30 : 200)) * ns_per_second;
  fault.act = static_cast<sim::ForeignAct>(1 + below(4));
  fault.text = fault.kind == FaultKind::foreign ? "another wallet" : "";
  if (orphan) excused_.insert(hash);
  if (fault.kind == FaultKind::foreign && fault.act == sim::ForeignAct::hold) held_.push_back(hash);
  world_.admin.add_fault(fault);
  ++tally_.network_faults;
}

/// delpay and autoclean; with the list of HTLCs, nobody can tell any more what became of an attempt, of any hash.
void Run::erase_records() {
  sim::Erasure what;
  what.hash = somebody();
  what.htlcs_too = memory_ == Memory::erased_lists && percent(50);
  if (what.htlcs_too) excused_.insert(open_.begin(), open_.end());
  if (world_.admin.erase(what) > 0) ++tally_.network_faults;
}

}  // namespace paytower::test
