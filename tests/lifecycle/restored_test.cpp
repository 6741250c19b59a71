// Goal: what the switch shows of our store becomes records again, and nothing is invented.
#include <doctest/doctest.h>

#include "core/driver/restored.h"
#include "tests/lifecycle/states.h"

using namespace paytower;
using namespace paytower::test;

namespace {

StoreId store() {
  StoreId id;
  id.bytes.fill(3);
  return id;
}
const SwitchKey here{node_key(9), "regtest"};

OwnRow own_row(RowState state, std::uint64_t id, bool fence = false) {
  OwnRow own;
  own.hash = hash_of(right_preimage());
  own.row.id = AttemptId{id};
  own.row.state = state;
  own.row.label = attempt_label(store(), AttemptId{id}, fence);
  own.row.amount = Msat::of(1'000);
  own.row.amount_sent = Msat::of(1'010);
  own.row.destination = node_key(2);
  own.created = created;
  if (state == RowState::complete) own.row.preimage = right_preimage();
  return own;
}

/// A part of round 7: 300 msat, 3 msat of fee.
OwnRow part_row(RowState state, std::uint32_t part) {
  OwnRow own = own_row(state, 7);
  own.row.part = part;
  own.row.amount = Msat::of(300);
  own.row.amount_sent = Msat::of(303);
  return own;
}

Payment applied(const Adoption& adoption) {
  Payment payment = adoption.payment;
  payment.index.value = 1;
  for (const Write& write : adoption.writes) apply(payment, write);
  return payment;
}

AdoptionPlan plan(std::vector<OwnRow> rows, std::vector<PaymentHash> known = {}) {
  return plan_adoption(rows, known, store(), here, before_deadline);
}

}  // namespace

TEST_CASE("restored: a pending row becomes an open payment that gets no new attempt") {
  const auto made = plan({own_row(RowState::pending, 7)});
  REQUIRE(made.adoptions.size() == 1);
  const Payment payment = applied(made.adoptions.front());
  CHECK(payment.status() == PaymentStatus::in_flight);
  CHECK(payment.attempts.front().fee == Msat::of(10));
  CHECK(payment.attempts.front().route.hops.empty());
  CHECK(payment.attempts.front().marks == Marks{});
  CHECK(payment.request.deadline <= before_deadline);
  CHECK(made.highest == AttemptId{7});
}

TEST_CASE("restored: an invoice that would be refused today still gives its secret") {
  // The example of BOLT 11 with fields of other lengths, which readers skipped until 2025.
  OwnRow own = own_row(RowState::pending, 7);
  own.invoice =
      "lnbc25m1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdq5vdhkven9v5sxyetpdeessp5zyg3zyg3zyg3zyg3"
      "zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygs9q5sqqqqqqqqqqqqqqqqsgq2qrqqqfppnqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqppnqqqqqqqq"
      "qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqpp4qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqhpnqqqqqqqqqq"
      "qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqhp4qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqspnqqqqqqqqqqqq"
      "qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqsp4qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqnp5qqqqqqqqqqqqqq"
      "qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqnpkqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqz599y53s3ujmcfjp5"
      "xrdap68qxymkqphwsexhmhr8wdz5usdzkzrse33chw6dlp3jhuhge9ley7j2ayx36kawe7kmgg8sv5ugdyusdcqzn8z9x";
  const auto made = plan({own});
  REQUIRE(made.adoptions.size() == 1);
  PaymentSecret ones;
  ones.bytes.fill(0x11);
  CHECK(made.adoptions.front().payment.request.payment_secret == ones);
}

TEST_CASE("restored: a paid row wins over a pending one, and is recorded with its proof") {
  const auto made = plan({own_row(RowState::pending, 7), own_row(RowState::complete, 8)});
  REQUIRE(made.adoptions.size() == 1);
  CHECK(applied(made.adoptions.front()).status() == PaymentStatus::succeeded);
  CHECK(made.highest == AttemptId{8});
}

TEST_CASE("restored: the rows of a round become one payment in parts") {
  const auto made = plan({part_row(RowState::pending, 1), part_row(RowState::failed, 2), part_row(RowState::pending, 3),
                          own_row(RowState::pending, 8)});
  REQUIRE(made.adoptions.size() == 1);
  const Payment payment = applied(made.adoptions.front());
  CHECK(payment.status() == PaymentStatus::in_flight);
  REQUIRE(payment.attempts.size() == 2);
  CHECK(payment.attempts[0].part == 1);
  CHECK(payment.attempts[1].part == 3);
  CHECK(payment.attempts[1].id == AttemptId{7});
  CHECK(payment.request.demand.amount == Msat::of(600));
  CHECK(payment.request.demand.fee_limit == Msat::of(6));
  CHECK(payment.request.max_parts == 2);
  CHECK(made.highest == AttemptId{8});
}

TEST_CASE("restored: parts beside a settled one stay open, and every part is registered before the proof") {
  const auto made =
      plan({part_row(RowState::pending, 1), part_row(RowState::complete, 2), part_row(RowState::complete, 3)});
  REQUIRE(made.adoptions.size() == 1);
  const Payment payment = applied(made.adoptions.front());
  CHECK(payment.status() == PaymentStatus::succeeded);
  CHECK(payment.has_open_attempt());
  CHECK(settlement_of(payment)->amount == Msat::of(600));
  CHECK(settlement_of(payment)->fee == Msat::of(6));
  const auto& writes = made.adoptions.front().writes;
  REQUIRE(writes.size() == 7);
  for (std::size_t i = 1; i <= 3; ++i) CHECK(std::holds_alternative<RegisterAttempt>(writes[i]));
  CHECK(std::holds_alternative<Succeed>(writes.back()));
}

TEST_CASE("restored: an older round, a part twice, and part 0 beside numbered ones are no parts of a round") {
  const auto parts_of_plan = [](std::vector<OwnRow> rows) {
    std::vector<std::uint32_t> parts;
    for (const Attempt& attempt : applied(plan(std::move(rows)).adoptions.at(0)).attempts)
      parts.push_back(attempt.part);
    return parts;
  };
  using Parts = std::vector<std::uint32_t>;
  OwnRow other_round = own_row(RowState::pending, 6);
  other_round.row.part = 9;
  CHECK(parts_of_plan({other_round, part_row(RowState::complete, 1), part_row(RowState::pending, 2)}) == Parts{1, 2});
  CHECK(parts_of_plan({part_row(RowState::pending, 1), part_row(RowState::pending, 1)}) == Parts{1});
  CHECK(parts_of_plan({part_row(RowState::pending, 0), part_row(RowState::pending, 1)}) == Parts{0});
  CHECK(parts_of_plan({part_row(RowState::pending, 1), part_row(RowState::pending, 0)}) == Parts{1});
}

TEST_CASE("restored: known hashes, failed rows, fences, other stores and unproven rows are not adopted") {
  CHECK(plan({own_row(RowState::pending, 7)}, {hash_of(right_preimage())}).adoptions.empty());
  CHECK(plan({own_row(RowState::failed, 7)}).adoptions.empty());
  CHECK(plan({own_row(RowState::failed, 7)}).highest == AttemptId{7});
  CHECK(plan({own_row(RowState::failed, 7, true)}).adoptions.empty());
  OwnRow unproven = own_row(RowState::complete, 7);
  unproven.row.preimage = wrong_preimage();
  CHECK(plan({unproven}).adoptions.empty());
  OwnRow foreign = own_row(RowState::pending, 7);
  StoreId other;
  foreign.row.label = attempt_label(other, AttemptId{7});
  CHECK(plan({foreign}).adoptions.empty());
  CHECK(plan({foreign}).highest == AttemptId{});
}
