// Goal: a held payment says since when it is out and until when its money can be locked. Method: tables.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "cli/output/open_text.h"

using namespace paytower;
using namespace paytower::cli;

namespace {

constexpr UnixNs time_at(std::int64_t seconds) { return UnixNs{(1'764'000'000 + seconds) * ns_per_second}; }

/// An HTLC that was handed over at `seconds`, with this many blocks of time lock.
Attempt htlc(std::int64_t seconds, std::uint32_t blocks) {
  Attempt attempt;
  attempt.id = AttemptId{7};
  attempt.registered = time_at(seconds);
  attempt.route.hops.resize(1);
  attempt.route.hops.front().delay = blocks;
  return attempt;
}

Payment held() {
  Payment payment;
  payment.index = PaymentIndex{1};
  payment.request.created = time_at(0);
  payment.attempts = {htlc(1, 46), htlc(5, 40)};
  return payment;
}

}  // namespace

TEST_CASE("an open payment says since when, and for how long at most") {
  Payment payment = held();
  CHECK(*in_flight_since(payment, time_at(181)) == "since 2025-11-24T16:00:01Z (3 min ago)");
  CHECK(*locked_until(payment, time_at(1)) == "for at most 47 blocks, until about 2025-11-24T23:50:01Z (in 7 h)");
  payment.attempts.front().expected_time_lock = 812'345;
  CHECK(*locked_until(payment, time_at(1)) == "probably until block 812,345, about 2025-11-24T23:50:01Z (in 7 h)");
  // Handed over again an hour later: the delays count from then on.
  payment.attempts.front().moved = time_at(3'600);
  CHECK(*locked_until(payment, time_at(1)) == "probably until block 812,345, about 2025-11-25T00:50:00Z (in 8 h)");
  payment.attempts.front().moved.reset();
  // The height is known for certain where the hand-over names it.
  payment.attempts.front().total_time_lock = 812'345;
  CHECK(*locked_until(payment, time_at(1)) == "until block 812,345 at the latest, about 2025-11-24T23:40:01Z (in 7 h)");
  CHECK(open_facts(payment, time_at(61)).find("  in flight     since ") == 0);
  CHECK(open_facts(payment, time_at(61)).find("\n  money locked  until block 812,345 ") != std::string::npos);
}

TEST_CASE("a held payment says that only waiting helps, and what cancel does") {
  Payment payment = held();
  CHECK(
      held_words(payment, time_at(60)) ==
      "If the payee or a node on the way holds it, only waiting helps: it ends by itself, at the latest with its time "
      "lock. A later resume collects the result. cancel only stops further attempts.\n");
  payment.stop_reason = FailureReason::canceled;
  CHECK(held_words(payment, time_at(60)).find("collects the result.\n") != std::string::npos);
  for (Attempt& attempt : payment.attempts) attempt.outcome = AttemptOutcome::failed;
  CHECK(held_words(payment, time_at(60)).empty());
}

TEST_CASE("behind its time lock a payment no longer promises an end by it, and says where to look") {
  Payment payment = held();
  const UnixNs end = time_at(1 + 47 * 600);
  const UnixNs behind{end.value + 1};
  CHECK(held_words(payment, end).find("at the latest with its time lock") != std::string::npos);
  CHECK(locked_until(payment, end)->find("over by now") == std::string::npos);
  const std::string words = held_words(payment, behind);
  CHECK(words.find("at the latest") == std::string::npos);
  for (const char* part : {"should be over by now", "closes the channel", "ends on the chain",
                           "lightning-cli listpeerchannels", "lncli pendingchannels", "Never pay it again before",
                           "collects the result. cancel only stops further attempts.\n"})
    CHECK(words.find(part) != std::string::npos);
  CHECK(*locked_until(payment, UnixNs{end.value + 33 * 3'600 * ns_per_second}) ==
        "for at most 47 blocks, until about 2025-11-24T23:50:01Z (33 h ago): it should be over by now");
  // It lasts as long as the last part.
  payment.attempts.push_back(htlc(1, 47));
  CHECK(held_words(payment, behind).find("at the latest with its time lock") != std::string::npos);
}

TEST_CASE("what has no open HTLC of ours locks nothing") {
  Payment payment = held();
  for (Attempt& attempt : payment.attempts) attempt.outcome = AttemptOutcome::failed;
  CHECK_FALSE(in_flight_since(payment, time_at(61)));
  CHECK_FALSE(locked_until(payment, time_at(61)));
  CHECK(open_facts(payment, time_at(61)).empty());
  payment = held();
  for (Attempt& attempt : payment.attempts) attempt.origin = AttemptOrigin::imported;
  CHECK_FALSE(locked_until(payment, time_at(61)));
}

TEST_CASE("an HTLC that the node does not show locks nothing, and another part's does") {
  Payment payment = held();
  payment.attempts.back().part = 1;
  std::vector<AttemptKey> unseen{payment.key(payment.attempts.front())};
  CHECK(locked_until(payment, time_at(1), unseen)->find("for at most 41 blocks, ") == 0);
  unseen.push_back(payment.key(payment.attempts.back()));
  CHECK_FALSE(locked_until(payment, time_at(1), unseen));
  CHECK(open_facts(payment, time_at(61), unseen) == "  in flight     " + *in_flight_since(payment, time_at(61)) + "\n");
}

TEST_CASE("a row that has been open for more than an hour is marked") {
  Payment payment = held();
  CHECK(age_cell(payment, time_at(3'600)) == "60 min ago");
  CHECK(age_cell(payment, time_at(3'601)) == "open for 60 min");
  CHECK(age_cell(payment, time_at(3 * 86'400)) == "open for 3 d");
  payment.fail_reason = FailureReason::timeout;
  for (Attempt& attempt : payment.attempts) attempt.outcome = AttemptOutcome::failed;
  CHECK(age_cell(payment, time_at(3 * 86'400)) == "3 d ago");
  payment.request.created = UnixNs{};
  CHECK(age_cell(payment, time_at(0)) == "-");
}
