// Turns the bytes that both worlds have into the core's types and back.
#include "tests/model/world.h"

#include "core/base/hash.h"
#include "tests/lifecycle/states.h"
#include "tests/model/invariants.h"

namespace paytower::model {

namespace {

Failure of(FailureCode code, std::optional<std::uint32_t> source = {}) { return Failure{code, source, {}, {}, {}}; }

}  // namespace

std::optional<unsigned> newest(const std::array<StoredTry, most_tries>& tries) {
  std::optional<std::pair<int, unsigned>> best;
  for (unsigned slot = 0; slot < most_tries; ++slot) {
    const StoredTry& one = tries[slot];
    if (one.stand != RowStand::stored) continue;
    const int rank = one.proof != Proof::none ? 3 : !ended(one) ? 2 : one.note != 0 ? 1 : 0;
    best = std::max(best, std::optional(std::pair(rank, slot)));
  }
  if (!best) return std::nullopt;
  return best->second;
}

std::optional<std::string> two_live(const std::array<StoredTry, most_tries>& tries) {
  const auto live = [](const StoredTry& one) { return one.stand == RowStand::stored && one.fail == 0; };
  if (std::count_if(tries.begin(), tries.end(), live) > 1) return "R2: two live payments of one hash";
  return std::nullopt;
}

SwitchKey switch_key() { return SwitchKey{test::node_key(9), "regtest"}; }

StoreId store_name() {
  StoreId id;
  id.bytes.fill(3);
  return id;
}

Msat fee_limit() { return Msat::of(5'000); }

Route part_route(unsigned units, unsigned fee) {
  Route part = test::part_route(units * unit_msat);
  part.hops.front().amount = Msat::of(units * unit_msat + fee);
  return part;
}

Failure refused() { return of(FailureCode::local_refusal); }
Failure failed_on_the_way() { return of(FailureCode::temporary_channel_failure, 1); }
Failure failed_for_good() { return of(FailureCode::incorrect_or_unknown_payment_details, 2); }
Failure given_back() { return of(FailureCode::mpp_timeout, 2); }

const char* outcome_name(Outcome outcome) {
  constexpr std::array<const char*, 9> names = {
      "", "open", "settled", "failed", "assumed failed", "written off", "preimage lost", "given back", "never sent"};
  return names[static_cast<std::size_t>(outcome)];
}

Outcome outcome_of(const Attempt& attempt) {
  if (attempt.open()) return Outcome::open;
  if (*attempt.outcome == AttemptOutcome::settled) return Outcome::settled;
  const FailureCode code = attempt.failure->code;
  if (*attempt.outcome == AttemptOutcome::failed) {
    if (code == FailureCode::mpp_timeout) return Outcome::given_back;
    return code == FailureCode::local_refusal ? Outcome::never_sent : Outcome::failed;
  }
  if (code == FailureCode::assumed_failed) return Outcome::assumed_failed;
  return code == FailureCode::written_off ? Outcome::written_off : Outcome::preimage_lost;
}

void set_outcome(Attempt& attempt, Outcome outcome) {
  if (outcome == Outcome::open) return;
  attempt.resolved = test::created;
  const auto ends = [&attempt](AttemptOutcome how, const Failure& failure) {
    attempt.outcome = how;
    attempt.failure = failure;
  };
  switch (outcome) {
    case Outcome::settled:
      attempt.outcome = AttemptOutcome::settled;
      attempt.preimage = test::right_preimage();
      return;
    case Outcome::failed: return ends(AttemptOutcome::failed, failed_on_the_way());
    case Outcome::given_back: return ends(AttemptOutcome::failed, given_back());
    case Outcome::never_sent: return ends(AttemptOutcome::failed, refused());
    case Outcome::assumed_failed: return ends(AttemptOutcome::closed, of(FailureCode::assumed_failed));
    case Outcome::written_off: return ends(AttemptOutcome::closed, of(FailureCode::written_off));
    case Outcome::preimage_lost: return ends(AttemptOutcome::closed, of(FailureCode::preimage_lost));
    case Outcome::open:
    case Outcome::absent: return;
  }
}

Payment new_payment(unsigned attempts, unsigned parts, bool secret) {
  static const Payment fresh = test::fresh_payment();
  Payment payment = fresh;
  payment.request.max_attempts = attempts;
  payment.request.max_parts = parts;
  if (secret) payment.request.payment_secret.emplace();
  return payment;
}

Attempt foreign_attempt(AttemptId id) {
  Attempt foreign = test::foreign_attempt();
  foreign.id = id;
  return foreign;
}

std::uint8_t reason_byte(const std::optional<FailureReason>& reason) {
  return reason ? static_cast<std::uint8_t>(1 + static_cast<unsigned>(*reason)) : std::uint8_t{0};
}

void read_row(const StoredTry& row, unsigned slot, std::uint8_t known_stop, Payment& payment) {
  payment.index.value = slot + 1;
  if (known_stop != 0) payment.stop_reason = static_cast<FailureReason>(known_stop - 1);
  if (row.fail != 0) payment.fail_reason = static_cast<FailureReason>(row.fail - 1);
  if (row.proof == Proof::preimage) payment.preimage = test::right_preimage();
  if (row.proof == Proof::late) payment.late_preimage = test::right_preimage();
  if (row.note != 0) payment.end_note = static_cast<EndNote>(row.note);
  if (ended(row)) payment.ended = test::created;
}

void write_row(const Payment& payment, StoredTry& row) {
  row.stand = RowStand::stored;
  row.stop = reason_byte(payment.stop_reason);
  row.fail = reason_byte(payment.fail_reason);
  row.proof = payment.preimage ? Proof::preimage : payment.late_preimage ? Proof::late : Proof::none;
  row.note = payment.end_note ? static_cast<std::uint8_t>(*payment.end_note) : std::uint8_t{0};
  for (const Attempt& attempt : payment.attempts) {
    if (attempt.origin == AttemptOrigin::foreign) row.foreign = 1;
  }
}

}  // namespace paytower::model
