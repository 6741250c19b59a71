// Goal: R5 and R9 for a round of several parts. HTLCs carry no part: each attempt is known by what it sends over our
// channel, whatever its siblings do. Each case is one line of the rules.
#include <doctest/doctest.h>

#include "tests/lifecycle/looks.h"

using namespace paytower;
using namespace paytower::test;

namespace {

/// A payment whose parts 1 and 2 send 150,250 and 100,250 msat over our channel.
Payment two_parts(Shape one = Shape::open, Shape two = Shape::open) {
  Payment payment = fresh_payment();
  payment.index.value = 1;
  payment.request.max_parts = 3;
  payment.request.payment_secret.emplace();
  payment.attempts = {part_attempt(first_id, 1, 150'000, one), part_attempt(first_id, 2, 100'000, two)};
  return payment;
}

SwitchRow row(RowState state, std::uint32_t part, bool fence = false) {
  SwitchRow made;
  made.id = first_id;
  made.part = part;
  made.state = state;
  made.label = attempt_label(our_store(), first_id, fence);
  if (state == RowState::complete) made.preimage = right_preimage();
  if (state == RowState::failed) made.failure = Failure{FailureCode::temporary_channel_failure, 1, {}, {}, {}};
  return made;
}

cln::OutgoingHtlc htlc(std::uint64_t index, bool finished, std::uint64_t msat) {
  return cln::OutgoingHtlc{index, finished, Msat::of(msat)};
}

LookFinding see(const Payment& payment, const cln::NodeLists& look) {
  StoreKnowledge knowledge{our_store(), {}, AttemptId{100}};
  for (const Attempt& attempt : payment.attempts) knowledge.known.push_back(payment.key(attempt));
  return interpret(payment, look, knowledge);
}

/// The evidence about part 2, which has no row.
Evidence evidence_of_second(const Payment& payment, const cln::NodeLists& look) {
  const LookFinding finding = see(payment, look);
  const auto* missing = some<NotFound>(finding);
  REQUIRE(missing);
  CHECK(missing->key == key_of(first_id, 2));
  return missing->evidence;
}

}  // namespace

TEST_CASE("parts: a sibling's HTLC is none of the part that was never sent") {
  cln::NodeLists look = empty_look();
  look.rows = {row(RowState::pending, 1)};
  look.htlcs->push_back(htlc(11, false, 150'250));
  CHECK(evidence_of_second(two_parts(), look) == Evidence::nothing_since_mark);
  look.rows = {row(RowState::failed, 1)};
  look.htlcs->back().finished = true;
  CHECK(evidence_of_second(two_parts(Shape::failed), look) == Evidence::nothing_since_mark);
}

TEST_CASE("parts: an HTLC of its own amount is the part's, and its debit decides") {
  cln::NodeLists look = empty_look();
  look.rows = {row(RowState::failed, 1)};
  look.htlcs = {htlc(11, true, 150'250), htlc(12, false, 100'250)};
  CHECK(evidence_of_second(two_parts(Shape::failed), look) == Evidence::not_yet);
  look.htlcs->back().finished = true;
  CHECK(evidence_of_second(two_parts(Shape::failed), look) == Evidence::finished_no_debit);
  look.debits->push_back(cln::Debit{12, first_id, 2});
  const LookFinding settled = see(two_parts(Shape::failed), look);
  REQUIRE(some<SettledPreimageLost>(settled));
  CHECK(some<SettledPreimageLost>(settled)->key == key_of(first_id, 2));
  look.debits->back().part = 1;  // the debit is part 1's, which we believe to have failed
  CHECK(evidence_of_second(two_parts(Shape::failed), look) == Evidence::finished_no_debit);
}

TEST_CASE("parts: an HTLC that no row accounts for is waited for, whatever it carries") {
  cln::NodeLists look = empty_look();
  look.rows = {row(RowState::pending, 1)};
  look.htlcs = {htlc(11, false, 150'250), htlc(12, false, 77'000)};
  CHECK(evidence_of_second(two_parts(), look) == Evidence::not_yet);
  look.htlcs = {htlc(11, false, 150'250), htlc(12, false, 150'250)};
  CHECK(evidence_of_second(two_parts(), look) == Evidence::not_yet);
  look.htlcs = {cln::OutgoingHtlc{11, false}, cln::OutgoingHtlc{12, false}};  // amounts are not told
  CHECK(evidence_of_second(two_parts(), look) == Evidence::not_yet);
}

TEST_CASE("parts: attempts of the same amount are one signature") {
  Payment payment = two_parts(Shape::failed);
  payment.attempts[0].route = payment.attempts[1].route;
  cln::NodeLists look = empty_look();
  look.rows = {row(RowState::failed, 1)};
  look.htlcs = {htlc(11, true, 100'250)};
  CHECK(evidence_of_second(payment, look) == Evidence::not_yet);  // it may be the first one's
  look.htlcs->push_back(htlc(12, true, 100'250));
  CHECK(evidence_of_second(payment, look) == Evidence::finished_no_debit);
  look.htlcs->clear();
  CHECK(evidence_of_second(payment, look) == Evidence::nothing_since_mark);  // no HTLC of it at all
}

TEST_CASE("parts: a settled part is told before one that failed beside it") {
  cln::NodeLists look = empty_look();
  look.rows = {row(RowState::failed, 1), row(RowState::complete, 2)};
  const LookFinding finding = see(two_parts(), look);
  REQUIRE(finding.events.size() >= 2);
  CHECK(std::holds_alternative<Settled>(finding.events[0]));
  CHECK(std::holds_alternative<Failed>(finding.events[1]));
}

TEST_CASE("parts: an orphan beside live parts is suspected by its own amount") {
  Payment payment = two_parts();
  for (Attempt& attempt : payment.attempts) attempt.switch_run = "7:100:boot";
  cln::NodeLists look = empty_look();
  look.run = "8:200:boot";
  look.rows = {row(RowState::pending, 1), row(RowState::pending, 2)};
  look.htlcs = {htlc(11, false, 150'250)};
  const LookFinding finding = see(payment, look);
  REQUIRE(finding.orphans.size() == 1);
  CHECK(finding.orphans.front() == key_of(first_id, 2));
}

TEST_CASE("parts: beside orphans of one round the same round may go on, unless they are all of the payment") {
  const Failure never_sent{FailureCode::local_refusal, {}, {}, {}, {}};
  Payment payment = two_parts(Shape::failed, Shape::failed);
  payment.attempts[1].failure = never_sent;
  cln::NodeLists look = empty_look();
  look.rows = {row(RowState::failed, 1), row(RowState::pending, 2)};
  const LookFinding beside = see(payment, look);
  REQUIRE(some<OnlyOrphans>(beside));
  CHECK(some<OnlyOrphans>(beside)->round == first_id);
  CHECK_FALSE(some<Quiet>(beside));
  bool goes_on = false;
  SUBCASE("an HTLC still moves") { look.htlcs = {htlc(11, false, 1)}; }
  SUBCASE("nobody knows of HTLCs") { look.htlcs.reset(); }
  SUBCASE("they are the whole payment") {
    payment.attempts[0].failure = never_sent;
    look.rows[0].state = RowState::pending;
  }
  SUBCASE("somebody else's attempt is pending") {
    look.rows.push_back(row(RowState::pending, 9));
    look.rows.back().label = "somebody";
  }
  SUBCASE("one was closed by hand, not proven") {
    payment.attempts[1] = part_attempt(first_id, 2, 100'000, Shape::assumed_failed);
  }
  SUBCASE("the row of another part failed only") { goes_on = true; }
  CHECK(static_cast<bool>(some<OnlyOrphans>(see(payment, look))) == goes_on);
  if (!goes_on) CHECK(some<HashBusy>(see(payment, look)));
}
