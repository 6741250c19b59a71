// Goal: what is concluded from a look (R5, R9, R12) is exactly what its lists prove. Each case is one line of the
// rules.
#include <doctest/doctest.h>

#include "tests/lifecycle/looks.h"

using namespace paytower;
using namespace paytower::test;

namespace {

StoreKnowledge knowledge() {
  return StoreKnowledge{our_store(), {key_of(first_id), key_of(second_id)}, AttemptId{100}};
}

Payment with(Shape shape) {
  Payment payment = fresh_payment();
  payment.index.value = 1;
  payment.attempts.push_back(own_attempt(first_id, shape));
  return payment;
}

SwitchRow row(RowState state, std::string label, AttemptId id = first_id) {
  SwitchRow made;
  made.id = id;
  made.state = state;
  made.label = std::move(label);
  if (state == RowState::complete) made.preimage = right_preimage();
  if (state == RowState::failed) made.failure = Failure{FailureCode::temporary_channel_failure, 1, {}, {}, {}};
  return made;
}

std::string ours(AttemptId id = first_id, bool fence = false) { return attempt_label(our_store(), id, fence); }

template <typename T> const T* only(const LookFinding& finding) {
  REQUIRE(finding.events.size() == 1);
  return std::get_if<T>(&finding.events.front());
}

}  // namespace

TEST_CASE("look: nothing at all is quiet, with and without ended attempts") {
  CHECK(only<Quiet>(interpret(fresh_payment(), empty_look(), knowledge())));
  cln::NodeLists look = empty_look();
  look.rows.push_back(row(RowState::failed, ours()));
  CHECK(only<Quiet>(interpret(with(Shape::failed), look, knowledge())));
}

TEST_CASE("look: whose HTLC it is that keeps the hash busy") {
  cln::NodeLists look = empty_look();
  look.rows = {row(RowState::pending, ours())};
  // Marked as failed by hand: an attempt of this try, then one of an earlier try.
  CHECK(interpret(with(Shape::assumed_failed), look, knowledge()).why_open.blocker == Blocker::closed_by_hand);
  LookFinding finding = interpret(fresh_payment(), look, knowledge());
  CHECK(only<HashBusy>(finding));
  CHECK(finding.why_open.blocker == Blocker::closed_by_hand);
  // Whether an HTLC of it is seen makes other words, and nothing else.
  CHECK(finding.why_open.movement == Movement::none);
  look.htlcs->push_back(cln::OutgoingHtlc{12, false});
  finding = interpret(fresh_payment(), look, knowledge());
  CHECK(only<HashBusy>(finding));
  CHECK(finding.why_open.blocker == Blocker::closed_by_hand);
  CHECK(finding.why_open.movement == Movement::some);
  look.htlcs->clear();
  look.rows = {row(RowState::pending, "another wallet", AttemptId{77})};
  finding = interpret(fresh_payment(), look, knowledge());
  CHECK(only<HashBusy>(finding));
  CHECK(finding.why_open.blocker == Blocker::other_user);
  CHECK(interpret(with(Shape::open), empty_look(), knowledge()).why_open.blocker == Blocker::none);
}

TEST_CASE("look: what another user paid is the sum of its parts, and nothing where the switch does not say it of all") {
  cln::NodeLists look = empty_look();
  for (std::uint32_t part = 1; part <= 3; ++part) {
    SwitchRow theirs = row(RowState::complete, "another wallet", AttemptId{77});
    theirs.part = part;
    theirs.amount = Msat::of(part * 1'000);
    theirs.amount_sent = Msat::of(part * 1'000 + 7);
    look.rows.push_back(theirs);
  }
  const LookFinding finding = interpret(fresh_payment(), look, knowledge());
  REQUIRE(only<HashPaid>(finding));
  CHECK(only<HashPaid>(finding)->amount == Msat::of(6'000));
  CHECK(only<HashPaid>(finding)->fee == Msat::of(21));
  look.rows.back().amount.reset();
  CHECK(some<HashPaid>(interpret(fresh_payment(), look, knowledge()))->amount == Msat{});
}

TEST_CASE("look: our row decides about our attempt") {
  cln::NodeLists look = empty_look();
  look.rows = {row(RowState::pending, ours())};
  CHECK(only<Pending>(interpret(with(Shape::open), look, knowledge())));
  look.rows = {row(RowState::complete, ours())};
  REQUIRE(only<Settled>(interpret(with(Shape::open), look, knowledge())));
  CHECK(some<Settled>(interpret(with(Shape::failed), look, knowledge())));          // R8: whatever was stored before
  CHECK(some<Settled>(interpret(with(Shape::assumed_failed), look, knowledge())));  // the watch list
  look.rows = {row(RowState::failed, ours())};
  CHECK(only<Failed>(interpret(with(Shape::open), look, knowledge())));
  CHECK(some<Failed>(interpret(with(Shape::assumed_failed), look, knowledge())));
}

TEST_CASE("look: a row that stays pending without any HTLC is an orphan: said, not concluded") {
  cln::NodeLists look = empty_look();
  look.rows.push_back(row(RowState::pending, ours()));
  CHECK(interpret(with(Shape::open), look, knowledge()).warnings.empty());
  look.rows.front().lingers = true;
  const LookFinding orphan = interpret(with(Shape::open), look, knowledge());
  CHECK(only<Pending>(orphan));
  REQUIRE(orphan.warnings.size() == 1);
  CHECK(orphan.warnings.front().find("never ends and blocks the hash") != std::string::npos);
  CHECK(orphan.why_open.all_without_htlc == std::vector<AttemptKey>{*orphan.why_open.without_htlc});
  look.htlcs->push_back(cln::OutgoingHtlc{12, false});
  CHECK(interpret(with(Shape::open), look, knowledge()).warnings.empty());
  look.htlcs.reset();
  CHECK(interpret(with(Shape::open), look, knowledge()).warnings.empty());
}

TEST_CASE("look: a pending row without an HTLC is suspected only when the run of the node that had it is over") {
  Payment payment = with(Shape::open);
  payment.attempts.front().switch_run = "7:100:boot";
  cln::NodeLists look = empty_look();
  look.rows.push_back(row(RowState::pending, ours()));
  look.run = "8:200:boot";
  bool suspected = false;
  SUBCASE("another run") { suspected = true; }
  SUBCASE("the same run: it has its own time-out") { look.run = payment.attempts.front().switch_run; }
  SUBCASE("behind a forwarder now") { look.run.clear(); }
  SUBCASE("behind a forwarder then") { payment.attempts.front().switch_run.clear(); }
  SUBCASE("an HTLC of the hash") { look.htlcs->push_back(cln::OutgoingHtlc{12, false}); }
  SUBCASE("an HTLC that has ended") { look.htlcs->push_back(cln::OutgoingHtlc{12, true}); }
  SUBCASE("HTLCs were erased") { look.now.htlcs_deleted = 1; }
  SUBCASE("no list of HTLCs") { look.htlcs.reset(); }
  SUBCASE("our fence, not the attempt") { look.rows.front().label = ours(first_id, true); }
  const LookFinding finding = interpret(payment, look, knowledge());
  CHECK(finding.orphans.size() == (suspected ? 1U : 0U));
  CHECK_FALSE(some<Orphaned>(finding));  // one look proves nothing
}

TEST_CASE("look: behind the proof the row still stands there: the hash is wedged, and said to be") {
  cln::NodeLists look = empty_look();
  look.rows.push_back(row(RowState::pending, ours()));
  Payment payment = with(Shape::failed);
  payment.attempts.front().failure = Failure{FailureCode::local_refusal, {}, {}, {}, {}};
  const LookFinding finding = interpret(payment, look, knowledge());
  CHECK(only<HashBusy>(finding));
  REQUIRE(finding.warnings.size() == 1);
  CHECK(finding.warnings.front().find("refuses every payment of this hash") != std::string::npos);
}

TEST_CASE("look: R7, a complete row without a proof concludes nothing and is not quiet") {
  cln::NodeLists look = empty_look();
  look.rows = {row(RowState::complete, ours())};
  look.rows.front().preimage = wrong_preimage();
  for (const Shape shape : {Shape::open, Shape::failed}) {
    const auto finding = interpret(with(shape), look, knowledge());
    CHECK(only<HashBusy>(finding));
    CHECK(finding.warnings.size() == 1);
  }
  look.rows.front().preimage.reset();
  look.rows.front().label = "somebody";
  look.rows.front().id = AttemptId{5};
  CHECK(only<HashBusy>(interpret(with(Shape::failed), look, knowledge())));
}

TEST_CASE("look: R5, a missing record with untouched lists means not executed so far") {
  const auto finding = interpret(with(Shape::open), empty_look(), knowledge());
  const auto* found = only<NotFound>(finding);
  REQUIRE(found);
  CHECK(found->evidence == Evidence::nothing_since_mark);
  CHECK_FALSE(found->fenced);
}

TEST_CASE("look: R5, HTLCs older than the mark say nothing about this attempt") {
  cln::NodeLists look = empty_look();
  look.htlcs->push_back(cln::OutgoingHtlc{10, true});
  look.debits->push_back(cln::Debit{10, AttemptId{5}, 0});
  CHECK(only<NotFound>(interpret(with(Shape::open), look, knowledge()))->evidence == Evidence::nothing_since_mark);
}

TEST_CASE("look: R5, a finished HTLC since the mark: the debit decides") {
  cln::NodeLists look = empty_look();
  look.htlcs->push_back(cln::OutgoingHtlc{11, true});
  CHECK(only<NotFound>(interpret(with(Shape::open), look, knowledge()))->evidence == Evidence::finished_no_debit);
  look.debits->push_back(cln::Debit{11, first_id, 0});
  const auto settled = interpret(with(Shape::open), look, knowledge());
  REQUIRE(some<SettledPreimageLost>(settled));
  CHECK(some<SettledPreimageLost>(settled)->key == key_of(first_id));
  look.debits.reset();
  CHECK(only<NotFound>(interpret(with(Shape::open), look, knowledge()))->evidence == Evidence::unknown);
}

TEST_CASE("look: R5, erased or missing lists prove nothing") {
  cln::NodeLists look = empty_look();
  look.now.htlcs_deleted = 1;
  CHECK(only<NotFound>(interpret(with(Shape::open), look, knowledge()))->evidence == Evidence::unknown);
  look = empty_look();
  look.htlcs.reset();
  CHECK(only<NotFound>(interpret(with(Shape::open), look, knowledge()))->evidence == Evidence::unknown);
  Payment unmarked = with(Shape::open);
  unmarked.attempts.front().marks = Marks{};
  CHECK(only<NotFound>(interpret(unmarked, empty_look(), knowledge()))->evidence == Evidence::unknown);
}

TEST_CASE("look: R5, an HTLC still moving without a row is waited for") {
  cln::NodeLists look = empty_look();
  look.htlcs->push_back(cln::OutgoingHtlc{11, false});
  const auto finding = interpret(with(Shape::open), look, knowledge());
  REQUIRE(some<NotFound>(finding));
  CHECK(some<NotFound>(finding)->evidence == Evidence::not_yet);
  CHECK(some<HashBusy>(finding));
  CHECK(only<HashBusy>(interpret(with(Shape::failed), look, knowledge())));
}

TEST_CASE("look: R5, a fence row confirms only together with the evidence behind it") {
  cln::NodeLists look = empty_look();
  look.rows = {row(RowState::failed, ours(first_id, true))};
  const auto fenced = interpret(with(Shape::open), look, knowledge());
  REQUIRE(only<NotFound>(fenced));
  CHECK(only<NotFound>(fenced)->fenced);
  CHECK(only<NotFound>(fenced)->evidence == Evidence::nothing_since_mark);
  look.htlcs->push_back(cln::OutgoingHtlc{11, true});
  look.debits->push_back(cln::Debit{11, first_id, 0});
  CHECK(some<SettledPreimageLost>(interpret(with(Shape::open), look, knowledge())));  // paid, erased, then fenced
  look = empty_look();
  look.rows = {row(RowState::pending, ours(first_id, true))};
  const auto half_way = interpret(with(Shape::open), look, knowledge());
  CHECK(some<NotFound>(half_way)->evidence == Evidence::not_yet);
}

TEST_CASE("look: R5, marks above the switch's counters raise the alarm and conclude nothing") {
  for (int which = 0; which < 4; ++which) {
    cln::NodeLists look = empty_look();
    std::optional<std::uint64_t>* counters[] = {&look.now.payments_created, &look.now.htlcs_created,
                                                &look.now.htlcs_deleted, &look.now.movements_created};
    Payment payment = with(Shape::open);
    payment.attempts.front().marks = cln::marks_of({10, 10, 1, 10});
    look.now.htlcs_deleted = 1;
    *counters[which] = which == 2 ? 0U : 9U;
    const auto finding = interpret(payment, look, knowledge());
    CHECK(finding.alarm == Errc::switch_old_copy);
    CHECK(finding.events.empty());
  }
}

TEST_CASE("look: R12, an attempt of our store that we do not have means an old copy of the database") {
  cln::NodeLists look = empty_look();
  look.rows = {row(RowState::failed, ours(AttemptId{5000}), AttemptId{5000})};
  CHECK(interpret(fresh_payment(), look, knowledge()).alarm == Errc::database_old_copy);
  look.rows = {row(RowState::failed, ours(AttemptId{50}), AttemptId{50})};  // deleted on purpose
  CHECK_FALSE(interpret(fresh_payment(), look, knowledge()).alarm);
  StoreId another;
  another.bytes.fill(4);
  look.rows = {row(RowState::failed, attempt_label(another, AttemptId{5000}), AttemptId{5000})};
  CHECK_FALSE(interpret(fresh_payment(), look, knowledge()).alarm);
}

TEST_CASE("look: R9, other users of the node") {
  cln::NodeLists look = empty_look();
  look.rows = {row(RowState::pending, "another wallet", AttemptId{5})};
  CHECK(only<HashBusy>(interpret(fresh_payment(), look, knowledge())));
  CHECK(only<HashBusy>(interpret(with(Shape::failed), look, knowledge())));
  look.rows = {row(RowState::complete, "another wallet", AttemptId{5})};
  CHECK(only<HashPaid>(interpret(with(Shape::failed), look, knowledge())));
  look.rows = {row(RowState::failed, "another wallet", AttemptId{5})};
  CHECK(only<Quiet>(interpret(with(Shape::failed), look, knowledge())));
}

TEST_CASE("look: without a record of ours, another attempt's row is decided on first") {
  cln::NodeLists look = empty_look();
  SUBCASE("pending: waited for, neither handed over again nor fenced") {
    look.rows = {row(RowState::pending, "somebody", AttemptId{5})};
    SUBCASE("its HTLC is not listed yet") {}
    SUBCASE("an HTLC ended") { look.htlcs->push_back({11, true}); }
    const LookFinding finding = interpret(with(Shape::open), look, knowledge());
    REQUIRE(some<NotFound>(finding));
    CHECK(some<NotFound>(finding)->evidence == Evidence::not_yet);
    CHECK(some<HashBusy>(finding));
  }
  SUBCASE("complete without proof: likewise") {
    look.rows = {row(RowState::complete, "somebody", AttemptId{5})};
    look.rows[0].preimage = wrong_preimage();
    const LookFinding finding = interpret(with(Shape::open), look, knowledge());
    REQUIRE(some<NotFound>(finding));
    CHECK(some<NotFound>(finding)->evidence == Evidence::not_yet);
  }
  SUBCASE("complete: paid, before anything else is said") {
    look.rows = {row(RowState::complete, "somebody", AttemptId{5})};
    const LookFinding finding = interpret(with(Shape::open), look, knowledge());
    REQUIRE(finding.events.size() == 2);
    CHECK(std::holds_alternative<HashPaid>(finding.events[0]));
    CHECK(std::holds_alternative<NotFound>(finding.events[1]));
  }
  SUBCASE("complete beside our own complete row: ours carries the payment") {
    look.rows = {row(RowState::complete, "somebody", AttemptId{5}), row(RowState::complete, ours())};
    const LookFinding finding = interpret(with(Shape::open), look, knowledge());
    REQUIRE(finding.events.size() == 2);
    CHECK(std::holds_alternative<Settled>(finding.events[0]));
    CHECK(std::holds_alternative<HashPaid>(finding.events[1]));
  }
  SUBCASE("failed: in nobody's way") {
    look.rows = {row(RowState::failed, "somebody", AttemptId{5})};
    CHECK(only<NotFound>(interpret(with(Shape::open), look, knowledge()))->evidence == Evidence::nothing_since_mark);
  }
  SUBCASE("pending beside our fence: the id is dead whatever becomes of the other") {
    look.rows = {row(RowState::failed, ours(first_id, true)), row(RowState::pending, "somebody", AttemptId{5})};
    const LookFinding finding = interpret(with(Shape::open), look, knowledge());
    REQUIRE(some<NotFound>(finding));
    CHECK(some<NotFound>(finding)->evidence == Evidence::nothing_since_mark);
    CHECK(some<NotFound>(finding)->fenced);
  }
}

TEST_CASE("look: a row with our id but another's label is not our attempt") {
  cln::NodeLists look = empty_look();
  look.rows = {row(RowState::failed, "another wallet")};
  const auto finding = interpret(with(Shape::open), look, knowledge());
  REQUIRE(only<NotFound>(finding));
}

TEST_CASE("look: R9, money of the hash that left by nobody's row forbids FAILED") {
  cln::NodeLists look = empty_look();
  look.debits->push_back(cln::Debit{11, AttemptId{5}, 0});
  const auto finding = interpret(with(Shape::failed), look, knowledge());
  REQUIRE(only<SettledPreimageLost>(finding));
  CHECK_FALSE(only<SettledPreimageLost>(finding)->key);
  // The look was read during the payment: the preimage will come with the next look.
  look.rows = {row(RowState::pending, "another wallet", AttemptId{5})};
  CHECK(only<HashBusy>(interpret(with(Shape::failed), look, knowledge())));
}

TEST_CASE("labels: what was written is read, and nothing else") {
  for (const bool fence : {false, true}) {
    const auto parts = parse_attempt_label(ours(AttemptId{4711}, fence));
    REQUIRE(parts);
    CHECK(parts->store == our_store());
    CHECK(parts->id == AttemptId{4711});
    CHECK(parts->fence == fence);
  }
  for (const char* text :
       {"", "paytower:", "paytower:00:1", "rent",
        "paytower:03030303030303030303030303030303:", "paytower:03030303030303030303030303030303:01",
        "paytower:03030303030303030303030303030303:1x", "paytower:03030303030303030303030303030303:-1"}) {
    CHECK_FALSE(parse_attempt_label(text));
  }
}
