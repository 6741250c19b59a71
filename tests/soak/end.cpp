// The faults stop. Every payment must end by itself; a decision by hand is needed only if the node has lost what would
// tell how it ended.
#include <algorithm>

#include "tests/soak/run.h"

namespace paytower::test {

namespace {

constexpr int most_runs = 20;

std::string name_of(const Payment& payment) {
  return payment.request.hash.hex().substr(0, 12) + " " + std::string(status_name(payment.status()));
}

/// True if `resume` would go on with it for ever.
bool goes_on(const Payment& payment) { return !payment.ended_for_good() || payment.has_open_attempt(); }

}  // namespace

std::vector<Payment> Run::unfinished() {
  std::vector<Payment> found;
  const bool read = world_.process([&](Process& process) {
    PaymentIndex after{0};
    for (;;) {
      const auto page = value_of(process.store.fetch_in_flight(after, 1'000));
      if (page.empty()) return;
      for (const PaymentIndex index : page) {
        Payment payment = *process.store.load(index).value();
        if (goes_on(payment)) found.push_back(std::move(payment));
      }
      after = page.back();
    }
  });
  if (!read) broken("a sound disk, and the database cannot be read");
  return found;
}

void Run::calm() {
  world_.disk.disarm();
  world_.beside = nullptr;
  world_.node.faults().clear();
  if (restored_) {
    old_node();
  } else {
    end_all();
  }
  use_words();
  check_ends();
  count_ends();
  for (std::string& line : world_.judge()) broken("at the end: " + std::move(line));
}

/// Releases everything that is held, and resumes until nothing changes any more.
void Run::end_all() {
  for (const PaymentRequest& request : world_.requests) (void)world_.admin.release(request.hash, std::nullopt);
  world_.pass(600);
  for (int run = 0; run < most_runs && broken_.empty(); ++run) {
    note("resume", world_.resume(60));
    send_the_rest();
    const auto open = unfinished();
    if (std::all_of(open.begin(), open.end(),
                    [&](const Payment& payment) { return run > 2 && may_need_a_decision(payment); }))
      return;
    world_.pass(60);
  }
}

/// Sends what was never stored, because its process died before, and what was deleted as failed.
void Run::send_the_rest() {
  std::vector<PaymentRequest> missing;
  const bool read = world_.process([&](Process& process) {
    for (PaymentRequest& request : world_.requests) {
      const HashState state = process.store.find(request.hash).value();
      if (!state.payment && !state.guard) missing.push_back(request);
    }
  });
  if (!read) broken("a sound disk, and the database cannot be read");
  if (!missing.empty()) note("the rest", world_.send_all(missing, 60));
}

/// The node starts again from an old copy, or with a new store, and its buffers are lost. Open payments must stay as
/// they are: nothing is handed over.
void Run::old_node() {
  world_.ledger.write([](sim::LedgerTx& tx) {
    for (const sim::HeldRequest& request : tx.held_requests()) tx.remove_request(request.id);
  });
  if (percent(50)) {
    (void)world_.admin.restore_copy("the first day");
  } else {
    world_.admin.new_store();
  }
  const auto made = [&] {
    std::size_t ours = 0;
    world_.admin.ledger(std::nullopt, [&](const sim::OracleEntry& entry) {
      ours += entry.foreign ? 0U : 1U;
      return true;
    });
    return ours;
  };
  world_.pass(600);
  const std::size_t before = made();
  for (int run = 0; run < 3; ++run) {
    note("resume", world_.resume(60));
    world_.pass(60);
  }
  if (made() != before) broken("R5: an HTLC or a fence was made at a node that was restored from an old copy");
  for (const PaymentRequest& request : world_.requests) excused_.insert(request.hash);
}

/// True if only the operator can end it (R17), because of what was done to it; or if it is paid and
/// beside_anothers_payment().
bool Run::may_need_a_decision(const Payment& payment) {
  return excused_.contains(payment.request.hash) || beside_anothers_payment(payment);
}

/// Paid by another user of the node while our own request was lost. The switch refuses to fence our attempt as long as
/// it has their complete record, and it accepts no HTLC of ours either: each resume asks once and leaves. That ends
/// when the node erases the record, or by a decision by hand; the payment itself has ended.
bool Run::beside_anothers_payment(const Payment& payment) {
  if (payment.status() != PaymentStatus::succeeded) return false;
  bool theirs = false;
  std::set<AttemptId> made;
  world_.ledger.read([&](sim::LedgerTx& tx) {
    for (const sim::Row& row : tx.rows_of(payment.request.hash)) {
      if (row.state == RowState::complete && !payment.find(row.key)) theirs = true;
    }
  });
  for (const auto& entry : world_.oracle(payment.request.hash)) {
    if (!entry.foreign) made.insert(entry.attempt);
  }
  return theirs && std::none_of(payment.attempts.begin(), payment.attempts.end(), [&](const Attempt& attempt) {
           return attempt.open() && attempt.id && made.contains(*attempt.id);
         });
}

void Run::use_words() {
  for (const Payment& payment : unfinished()) {
    if (!may_need_a_decision(payment)) {
      broken("R17: no end comes by itself: " + name_of(payment) +
             "; last said: " + world_.last_warnings[payment.request.hash]);
      continue;
    }
    ++tally_.words;
    careful_decision(payment.request.hash);
  }
}

void Run::check_ends() {
  for (const Payment& payment : unfinished()) broken("R17: the operator's word does not end " + name_of(payment));
}

/// A payment without a record was deleted, or (old_node) never sent.
void Run::count_ends() {
  const bool read = world_.process([&](Process& process) {
    for (const PaymentRequest& request : world_.requests) {
      const HashState state = process.store.find(request.hash).value();
      if (!state.payment) {
        ++tally_.deleted;
        continue;
      }
      count_end(*state.payment);
    }
  });
  if (!read) broken("a sound disk, and the database cannot be read");
  for (const auto& [hash, met] : met_) {
    for (std::size_t i = 0; i < met_count; ++i) tally_.met[i] += met[i] ? 1U : 0U;
  }
}

void Run::count_end(const Payment& payment) {
  const PaymentStatus status = payment.status();
  tally_.paid += status == PaymentStatus::succeeded ? 1U : 0U;
  tally_.failed += status == PaymentStatus::failed ? 1U : 0U;
  tally_.unknown += status == PaymentStatus::unknown ? 1U : 0U;
  const auto met = met_.find(payment.request.hash);
  if (met == met_.end() || !met->second[static_cast<std::size_t>(Met::in_parts)]) return;
  std::uint64_t settled = 0;
  for (const Attempt& attempt : payment.attempts) {
    tally_.parts += attempt.origin == AttemptOrigin::own ? 1U : 0U;
    settled += attempt.origin == AttemptOrigin::own && attempt.outcome == AttemptOutcome::settled ? 1U : 0U;
  }
  tally_.paid_in_parts += settled > 1 ? 1U : 0U;
  tally_.most_parts = std::max(tally_.most_parts, settled);
}

}  // namespace paytower::test
