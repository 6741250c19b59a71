// Every shape of payment that the store accepts, up to two own attempts and a foreign one, or two parts of one round
// with a part of a later one, and every event in every variant.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "core/base/hash.h"
#include "core/payment/lifecycle.h"
#include "core/switch/cln/counters.h"

namespace paytower::test {

inline Preimage right_preimage() {
  Preimage preimage;
  preimage.bytes.fill(7);
  return preimage;
}
inline Preimage wrong_preimage() {
  Preimage preimage;
  preimage.bytes.fill(8);
  return preimage;
}

inline PublicKey node_key(std::uint8_t n) {
  PublicKey key;
  key.bytes.fill(n);
  key.bytes[0] = 2;
  return key;
}

[[nodiscard]] inline ChannelDirection forward_of(std::uint64_t n) { return ChannelDirection{ShortChannelId{n}, 0}; }

inline constexpr UnixNs created{1'700'000'000'000'000'000};
inline constexpr UnixNs before_deadline{created.value + ns_per_second};
inline constexpr UnixNs deadline{created.value + 60 * ns_per_second};
inline constexpr UnixNs past_deadline{deadline.value};
inline constexpr UnixNs set_too_old{created.value + 20 * ns_per_second};  ///< from then on no part is added
inline constexpr AttemptId first_id{1001};
inline constexpr AttemptId second_id{1002};
inline constexpr AttemptId unknown_id{999};

/// The key of an attempt of the payment that all these tests use; part 0: in one piece.
inline AttemptKey key_of(AttemptId id, std::uint32_t part = 0) {
  static const PaymentHash hash = hash_of(right_preimage());
  return AttemptKey{hash, id, part};
}

inline Route simple_route(std::uint64_t channel = 1) {
  Route route;
  route.hops.push_back(Hop{ShortChannelId{channel}, 0, node_key(1), Msat::of(250'500), 40});
  route.hops.push_back(Hop{ShortChannelId{channel + 1}, 1, node_key(2), Msat::of(250'000), 18});
  return route;
}

/// A part of the payment: its fee is 250 msat.
inline Route part_route(std::uint64_t msat, std::uint64_t channel = 1) {
  Route route = simple_route(channel);
  route.hops[0].amount = Msat::of(msat + 250);
  route.hops[1].amount = Msat::of(msat);
  return route;
}

inline Payment fresh_payment() {
  Payment payment;
  payment.request.hash = hash_of(right_preimage());
  payment.request.demand.destination = node_key(2);
  payment.request.demand.amount = Msat::of(250'000);
  payment.request.demand.fee_limit = Msat::of(5'000);
  payment.request.created = created;
  payment.request.deadline = deadline;
  payment.request.max_attempts = 3;
  return payment;
}

enum class Shape { open, settled, failed, assumed_failed, written_off, preimage_lost };
inline const std::vector<Shape> shapes = {Shape::open,           Shape::settled,     Shape::failed,
                                          Shape::assumed_failed, Shape::written_off, Shape::preimage_lost};

inline Attempt own_attempt(AttemptId id, Shape shape) {
  Attempt attempt;
  attempt.id = id;
  attempt.switch_key = SwitchKey{node_key(9), "regtest"};
  attempt.marks = cln::marks_of({10, 10, 0, 10});
  attempt.route = simple_route();
  attempt.amount = attempt.route.delivered();
  attempt.fee = attempt.route.fees();
  attempt.registered = created;
  if (shape == Shape::open) return attempt;
  attempt.resolved = created;
  Failure failure;
  switch (shape) {
    case Shape::open: break;
    case Shape::settled:
      attempt.outcome = AttemptOutcome::settled;
      attempt.preimage = right_preimage();
      return attempt;
    case Shape::failed:
      attempt.outcome = AttemptOutcome::failed;
      failure.code = FailureCode::temporary_channel_failure;
      failure.source_index = 1;
      break;
    case Shape::assumed_failed: failure.code = FailureCode::assumed_failed; break;
    case Shape::written_off: failure.code = FailureCode::written_off; break;
    case Shape::preimage_lost: failure.code = FailureCode::preimage_lost; break;
  }
  if (!attempt.outcome) attempt.outcome = AttemptOutcome::closed;
  attempt.failure = failure;
  return attempt;
}

inline Attempt part_attempt(AttemptId round, std::uint32_t part, std::uint64_t msat, Shape shape) {
  Attempt attempt = own_attempt(round, shape);
  attempt.part = part;
  attempt.route = part_route(msat);
  attempt.amount = attempt.route.delivered();
  attempt.fee = attempt.route.fees();
  return attempt;
}

inline Attempt foreign_attempt() {
  Attempt attempt;
  attempt.id = AttemptId{5};
  attempt.origin = AttemptOrigin::foreign;
  attempt.outcome = AttemptOutcome::settled;
  attempt.preimage = right_preimage();
  attempt.registered = attempt.resolved.emplace(created);
  return attempt;
}

/// True if the store's constraints and triggers accept the payment.
inline bool storable(const Payment& payment) {
  bool open = false;
  bool settled = false;
  std::optional<AttemptId> round;
  std::vector<std::uint32_t> open_parts;
  for (const Attempt& attempt : payment.attempts) {
    settled = settled || attempt.outcome == AttemptOutcome::settled;
    if (!attempt.open()) continue;
    const bool twice = std::find(open_parts.begin(), open_parts.end(), attempt.part) != open_parts.end();
    if (twice || (round && round != attempt.id)) return false;
    open = true;
    round = attempt.id;
    open_parts.push_back(attempt.part);
  }
  if (payment.index.value == 0) {
    return payment.attempts.empty() && !payment.stop_reason && !payment.fail_reason && !payment.end_note &&
           !payment.proof();
  }
  if (payment.preimage && payment.fail_reason) return false;
  if (payment.late_preimage && !payment.fail_reason) return false;
  if (static_cast<bool>(payment.proof()) != settled) return false;
  if (payment.fail_reason && open) return false;
  if (payment.end_note && open && !payment.proof()) return false;
  return true;
}

/// All storable payments of the space described above.
inline std::vector<Payment> all_payments() {
  std::vector<std::vector<Attempt>> attempt_sets = {{}};
  for (const Shape one : shapes) {
    attempt_sets.push_back({own_attempt(first_id, one)});
    for (const Shape two : shapes) attempt_sets.push_back({own_attempt(first_id, one), own_attempt(second_id, two)});
  }
  const std::size_t own_only = attempt_sets.size();
  for (std::size_t i = 0; i < own_only; ++i) {
    auto with_foreign = attempt_sets[i];
    with_foreign.push_back(foreign_attempt());
    attempt_sets.push_back(std::move(with_foreign));
  }
  for (const Shape one : shapes) {
    for (const Shape two : shapes) {
      const std::vector<Attempt> set = {part_attempt(first_id, 1, 150'000, one),
                                        part_attempt(first_id, 2, 100'000, two)};
      attempt_sets.push_back(set);
      for (const Shape later : {Shape::open, Shape::failed}) {
        attempt_sets.push_back(set);
        attempt_sets.back().push_back(part_attempt(second_id, 3, 250'000, later));
      }
    }
  }
  std::vector<Payment> payments;
  for (const auto& attempts : attempt_sets) {
    for (int bits = 0; bits < 64; ++bits) {
      Payment payment = fresh_payment();
      payment.attempts = attempts;
      if (!attempts.empty() && attempts.front().part != 0) {
        payment.request.max_parts = 3;
        payment.request.max_attempts = 5;
        payment.request.payment_secret.emplace();
      }
      payment.index.value = (bits & 1) ? 1 : 0;
      if (bits & 2) payment.stop_reason = FailureReason::canceled;
      if (bits & 4) payment.fail_reason = FailureReason::no_route;
      if (bits & 8) payment.end_note = EndNote::written_off;
      if (bits & 16) payment.preimage = right_preimage();
      if (bits & 32) payment.late_preimage = right_preimage();
      if (payment.ended_for_good()) payment.ended = created;
      if (storable(payment)) payments.push_back(std::move(payment));
    }
  }
  return payments;
}

inline std::vector<Event> all_events() {
  std::vector<Event> all;
  for (const std::optional<PaymentStatus> previous :
       {std::optional<PaymentStatus>{}, std::optional{PaymentStatus::initiated},
        std::optional{PaymentStatus::in_flight}, std::optional{PaymentStatus::succeeded},
        std::optional{PaymentStatus::failed}, std::optional{PaymentStatus::unknown}}) {
    all.push_back(Created{previous, std::nullopt});
    for (const GuardKind guard :
         {GuardKind::in_flight, GuardKind::paid_without_record, GuardKind::paid_deleted, GuardKind::written_off}) {
      all.push_back(Created{previous, guard});
    }
  }
  all.push_back(Quiet{});
  const auto ready = [](AttemptId round, std::vector<PlannedPart> parts) {
    return RoutesReady{round, std::move(parts), SwitchKey{node_key(9), "regtest"}, cln::marks_of({20, 20, 0, 20})};
  };
  all.push_back(ready(AttemptId{2000}, {{1, simple_route(50)}}));
  Route dear = simple_route(60);
  dear.hops.front().amount = Msat::of(260'000);
  all.push_back(ready(AttemptId{2000}, {{1, dear}}));
  all.push_back(ready(AttemptId{2000}, {{4, part_route(130'000, 50)}, {5, part_route(120'000, 60)}}));
  all.push_back(ready(AttemptId{2000}, {{4, part_route(130'000, 50)}, {5, part_route(130'000, 60)}}));
  for (const AttemptId round : {first_id, AttemptId{2000}}) {
    for (const std::uint64_t msat : {150'000U, 100'000U, 250'000U})
      all.push_back(ready(round, {{4, part_route(msat)}}));
  }
  all.push_back(OnlyOrphans{first_id});
  all.push_back(NoRoute{FailureReason::no_route});
  all.push_back(NoRoute{FailureReason::insufficient_balance});
  Failure passing{FailureCode::temporary_channel_failure, 1, {}, {}, {}};
  Failure final{FailureCode::incorrect_or_unknown_payment_details, 2, {}, {}, {}};
  const Failure given_back{FailureCode::mpp_timeout, 2, {}, {}, {}};
  for (const AttemptKey& key : {key_of(first_id), key_of(second_id), key_of(unknown_id), key_of(first_id, 1),
                                key_of(first_id, 2), key_of(second_id, 3)}) {
    all.push_back(Accepted{key});
    all.push_back(NotSent{key, passing, true});
    all.push_back(NotSent{key, passing, false});
    all.push_back(Settled{key, right_preimage()});
    all.push_back(Settled{key, wrong_preimage()});
    all.push_back(Failed{key, passing});
    all.push_back(Failed{key, final});
    all.push_back(Failed{key, given_back});
    all.push_back(Pending{key});
    for (const Evidence evidence :
         {Evidence::nothing_since_mark, Evidence::finished_no_debit, Evidence::not_yet, Evidence::unknown}) {
      all.push_back(NotFound{key, evidence, false});
      all.push_back(NotFound{key, evidence, true});
    }
    all.push_back(Fenced{key});
    all.push_back(Orphaned{key});
    all.push_back(SettledPreimageLost{key});
  }
  all.push_back(SettledPreimageLost{});
  all.push_back(HashBusy{});
  all.push_back(HashPaid{right_preimage(), AttemptId{77}, Msat::of(250'000), Msat::of(9)});
  all.push_back(HashPaid{wrong_preimage(), AttemptId{77}, Msat::of(250'000), Msat::of(9)});
  all.push_back(Unreachable{});
  all.push_back(DeadlinePassed{});
  all.push_back(CancelRequested{});
  all.push_back(OperatorAssumesFailed{});
  all.push_back(OperatorWritesOff{});
  return all;
}

}  // namespace paytower::test
