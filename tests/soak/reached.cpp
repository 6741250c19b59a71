// Which situations the payments of a run went through: a fault that no payment meets proves nothing.
#include <algorithm>
#include <optional>

#include "tests/soak/run.h"

namespace paytower::test {

namespace {

bool own(const Attempt& attempt) { return attempt.origin == AttemptOrigin::own; }

/// True if there are two own attempts for which this holds.
template <typename Holds> bool any_two(const Payment& payment, Holds holds) {
  for (const Attempt& one : payment.attempts) {
    for (const Attempt& other : payment.attempts) {
      if (&one != &other && own(one) && own(other) && holds(one, other)) return true;
    }
  }
  return false;
}

bool has_code(const Payment& payment, FailureCode code) {
  return std::any_of(payment.attempts.begin(), payment.attempts.end(),
                     [code](const Attempt& a) { return own(a) && a.failure && a.failure->code == code; });
}

bool has_outcome(const Payment& payment, AttemptOrigin origin, AttemptOutcome outcome) {
  return std::any_of(payment.attempts.begin(), payment.attempts.end(),
                     [&](const Attempt& a) { return a.origin == origin && a.outcome == outcome; });
}

bool failed(const Attempt& attempt) { return attempt.outcome == AttemptOutcome::failed; }

/// True if this part was added to the round while the other one had not failed.
bool replaces(const Attempt& part, const Attempt& other) {
  return part.id == other.id && part.registered > other.registered &&
         !(failed(other) && other.resolved <= part.registered);
}

}  // namespace

void Run::reach(const Payment& payment, Met what, bool reached) {
  if (reached) met_[payment.request.hash].set(static_cast<std::size_t>(what));
}

void Run::listen(const Payment& payment) {
  const bool in_parts = any_two(payment, [](const Attempt& a, const Attempt& b) { return a.id == b.id; });
  if (!in_parts) return;
  const bool open = payment.has_open_attempt();
  reach(payment, Met::in_parts, true);
  reach(payment, Met::replaced, any_two(payment, replaces));
  reach(payment, Met::later_round, any_two(payment, [](const Attempt& a, const Attempt& b) { return a.id != b.id; }));
  reach(payment, Met::given_back, has_code(payment, FailureCode::mpp_timeout));
  reach(payment, Met::fenced, has_code(payment, FailureCode::fenced));
  reach(payment, Met::proof_beside, payment.proof() && open);
  reach(payment, Met::lost_preimage, has_code(payment, FailureCode::preimage_lost));
  reach(payment, Met::stopped_beside, payment.stop_reason && open);
  reach(payment, Met::closed, has_outcome(payment, AttemptOrigin::own, AttemptOutcome::closed));
  reach(payment, Met::theirs, has_outcome(payment, AttemptOrigin::foreign, AttemptOutcome::settled));
}

/// Looks for rounds of which only some parts have reached the network.
void Run::look_for_halves() {
  (void)world_.process([&](Process& process) {
    for (const PaymentHash& hash : open_) {
      const auto payment = process.store.find(hash).value().payment;
      const auto round = payment ? payment->open_round() : std::nullopt;
      if (!round) continue;
      const auto entries = world_.oracle(hash);
      const auto heard = [&](const Attempt& attempt) {
        return std::any_of(entries.begin(), entries.end(), [&](const auto& entry) {
          return entry.attempt == *attempt.id && entry.part == attempt.part;
        });
      };
      reach(*payment, Met::half_handed_over, any_two(*payment, [&](const Attempt& a, const Attempt& b) {
        return a.id == round && b.id == round && heard(a) && !heard(b);
      }));
    }
  });
}

}  // namespace paytower::test
