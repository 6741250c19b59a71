// Goal: every cell of the decision table (lnd/README 11) decides as the table says: what lnd shows of a hash, for each
// state that our attempt can be in. Method: one named row for each cell, through the real interpret(), decide() and
// apply(), with the result as text.
#include <doctest/doctest.h>

#include <initializer_list>
#include <string>

#include "core/driver/item.h"
#include "core/switch/lnd/conclusions.h"
#include "tests/lnd_switch/sights.h"

using namespace paytower;
using namespace paytower::test;
using State = lnd::Htlc::State;
using Status = lnd::Record::Status;

namespace {

/// The state of our only attempt at the time of the look.
enum class Ours {
  not_recorded,  ///< a new try: nothing is stored of it
  refused,       ///< its answer says that it was not sent
  live,          ///< its answer can still come
  lost,          ///< the answer is lost, and its time is not over
  late,          ///< its time is over
  barred,        ///< late, and a fence of this process was held after every copy
  too_high,      ///< the chain is above its expiry
  seen,          ///< lnd has shown its HTLC before
};

const char* name_of(Ours ours) {
  switch (ours) {
    case Ours::not_recorded: return "not recorded";
    case Ours::refused: return "refused";
    case Ours::live: return "live";
    case Ours::lost: return "lost";
    case Ours::late: return "late";
    case Ours::barred: return "barred";
    case Ours::too_high: return "too high";
    case Ours::seen: return "seen before";
  }
  return "?";
}

UnixNs clock_of(Ours ours) {
  switch (ours) {
    case Ours::not_recorded:
    case Ours::refused:
    case Ours::live:
    case Ours::lost: return after(5);
    case Ours::late: return after(41);
    case Ours::barred: return after(45);
    case Ours::seen: return after(100);
    case Ours::too_high: return next_day;
  }
  return {};
}

Payment payment_of(Ours ours) {
  Payment payment = recorded_payment({});
  if (ours == Ours::not_recorded) {
    payment.index.value = 0;
    return payment;
  }
  payment.attempts.push_back(handed_over(first_id));
  if (ours == Ours::seen) payment.attempts.back().accepted = after(2);
  return payment;
}

/// lnd has answered the only copy with "not sent": ends the attempt.
void refuse(Payment& payment) {
  Item item;
  item.payment = payment;
  item.handovers.push_back({key_of(first_id), true, 1, MonoNs{1}});
  const Failure failure{FailureCode::local_refusal, {}, {}, {}, "payment is in transition"};
  on(item, DispatchAnswer{key_of(first_id), DispatchAnswer::Kind::not_sent, failure}, ItemContext{MonoNs{2}, after(4)});
  REQUIRE(item.backlog.size() == 1);
  CHECK(decided(payment, item.backlog.front()) == "LOCAL_REFUSAL, look");
}

using View = std::function<std::optional<Record>(UnixNs clock)>;

std::string decided_at(Ours ours, const View& view) {
  Payment payment = payment_of(ours);
  Sight sight = sight_at(clock_of(ours), view(clock_of(ours)));
  if (ours == Ours::refused) refuse(payment);
  if (ours == Ours::live) sight.waiting.push_back(key_of(first_id));
  if (ours == Ours::barred) sight.fenced.push_back(key_of(first_id));
  if (ours == Ours::too_high) sight.height = expiry_height + lnd::height_margin + 1;
  return looked(payment, sight);
}

struct Cell {
  std::initializer_list<Ours> ours;
  const char* decided;
};

/// One row for each cell. Every state of our attempt must have one.
void check(const char* shown, const View& view, std::initializer_list<Cell> cells) {
  std::size_t rows = 0;
  for (const Cell& cell : cells) {
    for (const Ours ours : cell.ours) {
      const std::string name = std::string(shown) + ", " + name_of(ours);
      CAPTURE(name);
      CHECK(decided_at(ours, view) == cell.decided);
      ++rows;
    }
  }
  CHECK(rows == 8);
}

View shows(Record record) {
  return [record](UnixNs) { return std::optional(record); };
}

using enum Ours;

constexpr const char* paid_by_them = "record theirs, SUCCEEDED";
constexpr UnixNs before_us = after(-1);
constexpr UnixNs behind_us = grace_ends;
constexpr UnixNs too_new = after(40, 1);

}  // namespace

TEST_CASE("lnd table: no record") {
  check("no record", [](UnixNs) { return std::nullopt; },
        {{{not_recorded, refused}, "ask routes"},
         {{live, lost}, "look later"},
         {{late}, "prove dead"},
         {{barred, too_high}, "NOT_EXECUTED, look"},
         {{seen}, "leave"}});
}

TEST_CASE("lnd table: a failed record without our mark") {
  check("made before ours", shows(record_of(Status::failed, {}, before_us)),
        {{{not_recorded, refused}, "ask routes"},
         {{live, lost}, "look later"},
         {{late}, "prove dead"},
         {{barred, too_high}, "NOT_EXECUTED, look"},
         {{seen}, "leave"}});
  for (const UnixNs made : {created, after(1), behind_us}) {
    check("made when ours could", shows(record_of(Status::failed, {}, made)),
          {{{not_recorded, refused}, "ask routes"},
           {{live, lost}, "look later"},
           {{late}, "prove dead"},
           {{barred, too_high, seen}, "ERASED, look"}});
  }
  check("made behind ours", shows(record_of(Status::failed, {foreign_htlc(State::failed)}, too_new)),
        {{{not_recorded, refused}, "ask routes"},
         {{live, lost}, "look later"},
         {{late}, "prove dead"},
         {{barred, too_high}, "NOT_EXECUTED, look"},
         {{seen}, "leave"}});
}

TEST_CASE("lnd table: our mark failed") {
  // If the try has no attempt yet, the mark is that of an earlier try.
  const auto failed_of = [](Ours ours) {
    return own_htlc(State::failed, key_of(ours == not_recorded ? earlier_id : first_id));
  };
  const char* const failed = "TEMPORARY_CHANNEL_FAILURE, look";
  for (const Ours ours : {live, lost, late, barred, too_high, seen}) {
    CAPTURE(name_of(ours));
    const Htlc htlc = failed_of(ours);
    CHECK(decided_at(ours, shows(record_of(Status::failed, {htlc}))) == failed);
    // lnd keeps the record open, although nothing in it can still happen: it is released after the write.
    CHECK(decided_at(ours, shows(record_of(Status::in_flight, {htlc}))) == failed + std::string(", release"));
    const Record beside_live = record_of(Status::in_flight, {htlc, foreign_htlc(State::in_flight)});
    CHECK(decided_at(ours, shows(beside_live)) == failed + std::string(", look later (another user)"));
    const Record beside_failed = record_of(Status::in_flight, {htlc, foreign_htlc(State::failed)});
    CHECK(decided_at(ours, shows(beside_failed)) == failed + std::string(", look later (unfinished)"));
  }
  CHECK(decided_at(not_recorded, shows(record_of(Status::failed, {failed_of(not_recorded)}))) == "ask routes");
  CHECK(decided_at(not_recorded, shows(record_of(Status::in_flight, {failed_of(not_recorded)}))) == "release");
  // lnd has said that it was not sent, so the attempt has ended either way.
  CHECK(decided_at(refused, shows(record_of(Status::failed, {failed_of(refused)}))) == "ask routes");
}

TEST_CASE("lnd table: our mark in flight") {
  const View live_one = shows(record_of(Status::in_flight, {own_htlc(State::in_flight)}));
  const View earlier = shows(record_of(Status::in_flight, {own_htlc(State::in_flight, key_of(earlier_id))}));
  CHECK(decided_at(not_recorded, earlier) == "refuse in_flight, leave (ours, closed by hand)");
  // lnd contradicts its own answer: nothing is sent and nothing ends, and we wait for its end.
  CHECK(decided_at(refused, live_one) == "look later (ours, closed by hand)");
  for (const Ours ours : {live, lost, late, barred, too_high}) {
    CAPTURE(name_of(ours));
    CHECK(decided_at(ours, live_one) == "seen, ask for the end");
  }
  CHECK(decided_at(seen, live_one) == "ask for the end");
}

TEST_CASE("lnd table: paid by our mark") {
  for (const Status status : {Status::succeeded, Status::in_flight}) {
    const View paid = shows(record_of(status, {own_htlc(State::settled)}));
    for (const Ours ours : {refused, live, lost, late, barred, too_high, seen}) {
      CAPTURE(name_of(ours));
      CHECK(decided_at(ours, paid) == "settled, SUCCEEDED, leave");
    }
    const View earlier = shows(record_of(status, {own_htlc(State::settled, key_of(earlier_id))}));
    CHECK(decided_at(not_recorded, earlier) ==
          "refuse already_paid, record it, " + std::string(paid_by_them) + ", leave");
  }
  Payment given_up = recorded_payment({own_attempt(first_id, Shape::failed)});
  given_up.fail_reason = FailureReason::timeout;
  CHECK(looked(given_up, sight_at(next_day, record_of(Status::succeeded, {own_htlc(State::settled)}))) ==
        "settled, late SUCCEEDED, leave");
}

TEST_CASE("lnd table: paid by somebody else") {
  const auto paid = [](UnixNs made) {
    return shows(record_of(Status::succeeded, {foreign_htlc(State::settled)}, made));
  };
  const std::string theirs = paid_by_them;
  CHECK(decided_at(not_recorded, paid(before_us)) == "refuse already_paid, record it, " + theirs + ", leave");
  CHECK(decided_at(refused, paid(before_us)) == theirs + ", leave");
  for (const UnixNs made : {before_us, after(1), too_new}) {
    CHECK(decided_at(live, paid(made)) == theirs + ", look later");
    CHECK(decided_at(lost, paid(made)) == theirs + ", look later");
    CHECK(decided_at(late, paid(made)) == theirs + ", prove dead");
    CHECK(decided_at(barred, paid(made)) == theirs + ", NOT_EXECUTED, leave");
    CHECK(decided_at(too_high, paid(made)) == theirs + ", NOT_EXECUTED, leave");
  }
  CHECK(decided_at(seen, paid(after(1))) == theirs + ", ERASED, leave");
  CHECK(decided_at(seen, paid(too_new)) == theirs + ", leave");
}

TEST_CASE("lnd table: called paid without a proof") {
  Htlc lie = foreign_htlc(State::settled);
  lie.preimage = wrong_preimage();
  Htlc bare = foreign_htlc(State::settled);
  bare.preimage.reset();
  for (const Record& record : {record_of(Status::succeeded, {lie}), record_of(Status::succeeded, {bare}),
                               record_of(Status::succeeded), record_of(Status::in_flight, {lie})}) {
    check("without a proof", shows(record),
          {{{not_recorded}, "refuse in_flight, leave"},
           {{refused, live, lost, late, barred, too_high, seen}, "look later"}});
  }
  Htlc ours = own_htlc(State::settled);
  ours.preimage = wrong_preimage();
  for (const Ours state : {refused, live, lost, late, barred, too_high, seen})
    CHECK(decided_at(state, shows(record_of(Status::succeeded, {ours}))) == "look later");
}

TEST_CASE("lnd table: somebody else's HTLC in flight") {
  check("made when ours could", shows(record_of(Status::in_flight, {foreign_htlc(State::in_flight)})),
        {{{not_recorded}, "refuse in_flight, leave (another user)"},
         {{refused, live, lost, late}, "look later (another user)"},
         {{barred, too_high}, "NOT_EXECUTED, look, look later (another user)"},
         {{seen}, "look later (another user)"}});
  check("made behind ours", shows(record_of(Status::in_flight, {foreign_htlc(State::in_flight)}, too_new)),
        {{{not_recorded}, "refuse in_flight, leave (another user)"},
         {{refused, live, lost, late}, "look later (another user)"},
         {{barred, too_high}, "NOT_EXECUTED, look, look later (another user)"},
         {{seen}, "leave, look later (another user)"}});
}

TEST_CASE("lnd table: a record of somebody else's without a live HTLC") {
  Record other_amount = record_of(Status::in_flight);
  other_amount.value = Msat::of(249'999);
  const Record their_tries = record_of(Status::in_flight, {foreign_htlc(State::failed)});
  const Record mixed =
      record_of(Status::in_flight, {own_htlc(State::failed, key_of(earlier_id)), foreign_htlc(State::failed)});
  for (const Record& record : {other_amount, their_tries, mixed}) {
    check("unfinished", shows(record),
          {{{not_recorded}, "refuse in_flight, leave (unfinished)"},
           {{refused, live, lost, late}, "look later (unfinished)"},
           {{barred, too_high}, "NOT_EXECUTED, look, look later (unfinished)"},
           {{seen}, "look later (unfinished)"}});
  }
  check("empty, made before ours", shows(record_of(Status::in_flight, {}, before_us)),
        {{{not_recorded}, "refuse in_flight, leave (unfinished)"},
         {{refused, live, lost, late}, "look later (unfinished)"},
         {{barred, too_high}, "NOT_EXECUTED, look, look later (unfinished)"},
         {{seen}, "leave, look later (unfinished)"}});
}

TEST_CASE("lnd table: a record of ours without a live HTLC") {
  // A refused attempt cannot have made it: lnd says all these refusals before it makes a record.
  check("empty, made when ours could", shows(record_of(Status::in_flight)),
        {{{not_recorded}, "refuse in_flight, leave (unfinished)"},
         {{refused}, "look later (unfinished)"},
         {{live, lost}, "look later"},
         {{late}, "prove dead"},
         {{barred, too_high}, "NOT_EXECUTED, look, release"},
         {{seen}, "look later"}});
  check("of an earlier round", shows(record_of(Status::in_flight, {own_htlc(State::failed, key_of(earlier_id))})),
        {{{not_recorded, refused}, "release"},
         {{live, lost}, "look later"},
         {{late}, "prove dead"},
         {{barred, too_high}, "NOT_EXECUTED, look, release"},
         {{seen}, "look later"}});
}

TEST_CASE("lnd table: our fence") {
  check("our fence", shows(fence_record(our_store, after(42))),
        {{{not_recorded, refused}, "release"},
         {{live, lost}, "look later"},
         {{late}, "prove dead"},
         {{barred, too_high}, "NOT_EXECUTED, look, release"},
         {{seen}, "leave"}});
}

TEST_CASE("lnd table: another database's fence") {
  check("it stands", [](UnixNs clock) { return fence_record(other_store, UnixNs{clock.value - ns_per_second}); },
        {{{not_recorded}, "refuse in_flight, leave (another check)"},
         {{refused, live, lost}, "look later (another check)"},
         {{late}, "prove dead, look later (another check)"},
         {{barred, too_high}, "NOT_EXECUTED, look, look later (another check)"},
         {{seen}, "leave, look later (another check)"}});
  const auto left = [](UnixNs clock) {
    return fence_record(other_store, UnixNs{clock.value - lnd::fence_left_ns - 1});
  };
  check("it was left behind", left,
        {{{not_recorded, refused}, "release"},
         {{live, lost}, "look later"},
         {{late}, "prove dead"},
         {{barred, too_high}, "NOT_EXECUTED, look, release"},
         {{seen}, "leave"}});
}

TEST_CASE("lnd table: no answer, or none that tells of the hash") {
  struct Row {
    const char* name;
    int status;
    const char* body;
  };
  for (const Row& row :
       {Row{"an error of lnd's", 500, R"({"error":{"code":2,"message":"wallet locked"}})"},
        Row{"a wrong path", 404, R"({"code":5,"message":"Not Found","details":[]})"}, Row{"the connection ends", 0, ""},
        Row{"garbage", 200, "<html>"}, Row{"half a line", 200, R"({"result":{"status":"FAILED")"}}) {
    CAPTURE(row.name);
    CHECK(std::holds_alternative<lnd::NothingKnown>(lnd::conclude_track(row.status, row.body, key_of(first_id).hash)));
  }
  Item item;
  item.payment = payment_of(lost);
  item.handovers.push_back({key_of(first_id), true, 1, MonoNs{1}});
  on(item, Disconnected{"EOF", false}, ItemContext{MonoNs{2}, after(5)});
  CHECK(item.backlog.empty());  // nothing is concluded
  CHECK(std::holds_alternative<LookWanted>(item.look));
  for (const Ours ours : {not_recorded, lost, late}) {
    Payment payment = payment_of(ours);
    CHECK(decided(payment, Unreachable{}) == "leave");
  }
}

TEST_CASE("lnd table: a record of which nothing can be said") {
  for (const Ours ours : {not_recorded, refused, live, lost, late, barred, too_high, seen}) {
    CAPTURE(name_of(ours));
    Payment payment = payment_of(ours);
    Sight sight = sight_at(clock_of(ours));
    sight.unreadable = true;
    if (ours == refused) refuse(payment);
    if (ours == live) sight.waiting.push_back(key_of(first_id));
    if (ours == barred) sight.fenced.push_back(key_of(first_id));
    if (ours == too_high) sight.height = expiry_height + lnd::height_margin + 1;
    CHECK(looked(payment, sight) ==
          (ours == not_recorded ? "refuse in_flight, leave (unfinished)" : "look later (unfinished)"));
  }
}

TEST_CASE("lnd table: a mark of our store that our database does not know") {
  for (const State state : {State::in_flight, State::settled, State::failed}) {
    const Status status = state == State::in_flight ? Status::in_flight
                          : state == State::failed  ? Status::failed
                                                    : Status::succeeded;
    check("an unknown attempt", shows(record_of(status, {own_htlc(state, key_of(AttemptId{5'000}))})),
          {{{not_recorded, refused, live, lost, late, barred, too_high, seen}, "alarm database_old_copy"}});
    check("an unknown part", shows(record_of(status, {own_htlc(state, key_of(first_id, 9))})),
          {{{not_recorded, refused, live, lost, late, barred, too_high, seen}, "alarm database_old_copy"}});
  }
  Payment deleted = payment_of(lost);
  CHECK(looked(deleted,
               sight_at(after(5), record_of(Status::failed, {own_htlc(State::failed, key_of(AttemptId{50}))}))) ==
        "look later");
}
