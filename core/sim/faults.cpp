#include "core/sim/faults.h"

#include <algorithm>

namespace paytower::sim {

std::size_t erase_ended_rows(LedgerTx& tx, const PaymentHash& hash, const std::optional<AttemptKey>& only) {
  std::size_t erased = 0;
  for (const Row& row : tx.rows_of(hash)) {
    if (row.state == RowState::pending || (only && row.key != *only)) continue;
    tx.remove_row(row.created_index);
    ++erased;
  }
  return erased;
}

void FaultRunner::load() {
  if (!faults_) faults_ = tx_.faults();
}

Strikes FaultRunner::strike(Step step, const PaymentHash& hash) {
  load();
  Strikes strikes;
  if (faults_->empty()) return strikes;
  std::vector<Fault> struck;
  for (Fault& fault : *faults_) {
    if (fault.step != step || fault.times == 0 || (fault.hash && *fault.hash != hash)) continue;
    if (fault.skip > 0) {
      --fault.skip;
    } else {
      --fault.times;
      struck.push_back(fault);
    }
    if (fault.times == 0) {
      tx_.remove_fault(fault.id);
    } else {
      tx_.put_fault(fault);
    }
  }
  faults_->erase(std::remove_if(faults_->begin(), faults_->end(), [](const Fault& fault) { return fault.times == 0; }),
                 faults_->end());
  for (const Fault& fault : struck) apply(fault, hash, strikes);
  return strikes;
}

void FaultRunner::apply(const Fault& fault, const PaymentHash& hash, Strikes& strikes) {
  switch (fault.kind) {
    case FaultKind::hold_request: strikes.hold = fault; break;
    case FaultKind::lose_reply: strikes.silent = true; break;
    case FaultKind::disconnect: strikes.disconnect = true; break;
    case FaultKind::lose_result: strikes.lose_result = true; break;
    case FaultKind::erase_rows: erase_ended_rows(tx_, hash, std::nullopt); break;
    case FaultKind::orphan_row: strikes.orphan_row = true; break;
    case FaultKind::refuse_fence: strikes.refuse_fence = true; break;
    case FaultKind::orphan_fence: strikes.orphan_fence = true; break;
    case FaultKind::foreign: {
      // A refusal is an answer too: the node keeps the other user from a hash that is in flight.
      [[maybe_unused]] const auto done = engine_.foreign(hash, fault.act, fault.text, fault.group);
      break;
    }
    case FaultKind::restore_copy: {
      [[maybe_unused]] const bool restored = engine_.restore(fault.text);
      break;
    }
    case FaultKind::unreachable: {
      const bool for_ever = fault.delay_ns == Hold::forever;
      tx_.set_number(Number::unreachable_until_ns, for_ever ? Hold::forever : engine_.now().value + fault.delay_ns);
      strikes.disconnect = true;
      break;
    }
  }
}

Progress FaultRunner::advance() {
  engine_.advance();
  Progress progress = engine_.take_progress();
  for (std::size_t i = 0; i < progress.ended.size(); ++i) {
    const AttemptKey key = progress.ended[i];
    if (strike(Step::resolve, key.hash).lose_result) erase_ended_rows(tx_, key.hash, key);
    const Progress more = engine_.take_progress();  // a foreign act may have ended something else
    progress.ended.insert(progress.ended.end(), more.ended.begin(), more.ended.end());
    progress.late.insert(progress.late.end(), more.late.begin(), more.late.end());
  }
  return progress;
}

}  // namespace paytower::sim
