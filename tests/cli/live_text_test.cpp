// Goal: the live line tells how long it has lasted and never a wrong time left, and is as wide as it may be. Method:
// tables.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "cli/output/live_text.h"

using namespace paytower;
using namespace paytower::cli;

namespace {

Payment held(std::uint32_t hops, std::uint32_t parts = 1) {
  Payment payment;
  payment.index = PaymentIndex{1};
  payment.request.created = UnixNs{100 * ns_per_second};
  for (std::uint32_t part = 1; part <= parts; ++part) {
    Attempt& attempt = payment.attempts.emplace_back();
    attempt.id = AttemptId{7};
    attempt.part = part;
    attempt.registered = UnixNs{101 * ns_per_second};
    attempt.route.hops.resize(hops);
  }
  return payment;
}

constexpr UnixNs at(std::int64_t seconds) { return UnixNs{seconds * ns_per_second}; }
constexpr MonoNs tick(std::int64_t ms) { return MonoNs{ms * ns_per_ms}; }

}  // namespace

TEST_CASE("ages are said in two steps") {
  CHECK(age_text(0) == "0 s");
  CHECK(age_text(59 * ns_per_second) == "59 s");
  CHECK(age_text(310 * ns_per_second) == "5 min 10 s");
  CHECK(age_text(27'600 * ns_per_second) == "7 h 40 min");
  CHECK(age_text(273'600 * ns_per_second) == "3 d 4 h");
}

TEST_CASE("a held payment says since when, which attempt, and how long it is waited for") {
  CHECK(waiting_text(held(3), at(113), at(46'161), 120) ==
        "In flight 12 s: attempt 1 of 20, 3 hops, waits until 12:49:21Z (Ctrl-C is safe)");
  CHECK(waiting_text(held(1), at(113), std::nullopt, 120) ==
        "In flight 12 s: attempt 1 of 20, 1 hop, waits for its end (Ctrl-C is safe)");
  CHECK(waiting_text(held(3, 2), at(113), std::nullopt, 120).find("In flight 12 s: attempt 2 of 20, 2 parts, ") == 0);
  Payment payment;
  payment.request.created = at(100);
  CHECK(waiting_text(payment, at(103), std::nullopt, 30) == "Looking for a route 3 s");
  // A clock that was set back.
  CHECK(waiting_text(payment, at(50), std::nullopt, 30) == "Looking for a route 0 s");
  payment = held(3);
  payment.attempts.front().outcome = AttemptOutcome::failed;
  CHECK(waiting_text(payment, at(110), std::nullopt, 30) == "Nothing in flight 10 s: 1 of 20 attempts made");
}

TEST_CASE("a narrow line loses its last words first, and whole ones") {
  CHECK(waiting_text(held(3), at(113), at(46'161), 39) == "In flight 12 s: attempt 1 of 20, 3 hops");
  CHECK(waiting_text(held(3), at(113), at(46'161), 38) == "In flight 12 s: attempt 1 of 20");
  CHECK(waiting_text(held(3), at(113), at(46'161), 62) ==
        "In flight 12 s: attempt 1 of 20, 3 hops, waits until 12:49:21Z");
}

TEST_CASE("the time left is told by the last seconds, and only where there is something to tell") {
  Pace pace;
  CHECK_FALSE(pace.time_for(599));
  for (int i = 0; i <= 8; ++i) pace.saw(tick(i * 250), static_cast<std::uint64_t>(i) * 100);
  CHECK(*pace.per_second() == doctest::Approx(400));
  CHECK(*pace.time_for(599) == doctest::Approx(1.4975e9));
  CHECK(*pace.time_for(100'000) == doctest::Approx(250e9));
  // All that is left is held: nothing has ended for longer than the window.
  for (int i = 9; i <= 60; ++i) pace.saw(tick(i * 250), 800);
  CHECK_FALSE(pace.time_for(599));
}

TEST_CASE("a batch says how its payments stand") {
  RunCounts counts;
  counts.paid = 1'201;
  counts.failed = 1;
  counts.in_flight = 3;
  Pace pace;
  CHECK(counts_text(counts, pace, 80) == "1,201 paid, 1 failed, 3 in flight (Ctrl-C is safe)");
  counts.left = 584;
  counts.awaited = 587;
  for (int i = 0; i <= 8; ++i) pace.saw(tick(i * 250), static_cast<std::uint64_t>(i) * 11);
  CHECK(counts_text(counts, pace, 100) ==
        "1,201 paid, 1 failed, 3 in flight, 584 left, 44/s, about 13 s to go (Ctrl-C is safe)");
  CHECK(counts_text(counts, pace, 39) == "1,201 paid, 1 failed, 3 in flight");
  // What is in flight has to end too.
  counts.in_flight = 216;
  counts.awaited = 800;
  CHECK(counts_text(counts, pace, 100).find("584 left, 44/s, about 18 s to go") != std::string::npos);
  counts.in_flight = 3;
  counts.left = 0;
  CHECK(counts_text(counts, pace, 100).find("to go") == std::string::npos);
  counts.refused = 2;
  CHECK(counts_text(counts, pace, 50).find("1 failed, 2 refused, 3 in flight") != std::string::npos);
}
