// Goal: durations and times mean one thing only. Method: tables of borders, and printed values read back as themselves.
#include <doctest/doctest.h>
#include <rapidcheck.h>

#include "cli/input/time.h"
#include "cli/output/text.h"

using namespace paytower;
using namespace paytower::cli;

TEST_CASE("durations") {
  CHECK(*parse_duration("0") == 0);
  CHECK(*parse_duration("0s") == 0);
  CHECK(*parse_duration("1ms") == 1'000'000);
  CHECK(*parse_duration("60s") == 60 * ns_per_second);
  CHECK(*parse_duration("5m") == 300 * ns_per_second);
  CHECK(*parse_duration("36h") == 36LL * 3600 * ns_per_second);
  CHECK(*parse_duration("90d") == 90LL * 86'400 * ns_per_second);
  CHECK(*parse_duration("2w") == 14LL * 86'400 * ns_per_second);
  CHECK(*parse_duration("36525d") == 36'525LL * 86'400 * ns_per_second);
  for (const char* text : {"", "5", "60", "s", "-1s", "+1s", "1.5h", "1 s", " 1s", "1s ", "05s", "1S", "1min", "1y",
                           "1h30m", "36526d", "99999999999999999999s", "1e3s"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_duration(text));
  }
}

TEST_CASE("durations in every unit") {
  CHECK(rc::check("parse_duration reads what was written in ms", [] {
    const std::int64_t ms = *rc::gen::inRange<std::int64_t>(0, 3'155'760'000'000);
    RC_ASSERT(*parse_duration(std::to_string(ms) + "ms") == ms * ns_per_ms);
  }));
}

TEST_CASE("times") {
  const UnixNs now{1'700'000'000 * ns_per_second};
  CHECK(parse_time("0", now)->value == 0);
  CHECK(parse_time("1764000000", now)->value == 1'764'000'000 * ns_per_second);
  CHECK(parse_time("1970-01-01T00:00:00Z", now)->value == 0);
  CHECK(parse_time("2000-02-29T12:34:56Z", now)->value == 951'827'696 * ns_per_second);
  CHECK(parse_time("2000-02-29 12:34:56.5+01:30", now)->value == (951'827'696 - 5400) * ns_per_second + 500'000'000);
  CHECK(parse_time("2000-02-29T12:34:56.123456789-00:30", now)->value ==
        (951'827'696 + 1800) * ns_per_second + 123'456'789);
  CHECK(parse_time("1h", now)->value == now.value - 3600 * ns_per_second);
  CHECK(parse_time("1970-01-01", now)->value == 0);
  CHECK(parse_time("2023-11-14", now)->value == parse_time("2023-11-14T00:00:00Z", now)->value);
  CHECK(parse_time("today", now)->value == parse_time("2023-11-14", now)->value);
  CHECK(parse_time("yesterday", now)->value == parse_time("2023-11-13", now)->value);
  CHECK(parse_time("today", UnixNs{1'699'920'000 * ns_per_second})->value == 1'699'920'000 * ns_per_second);
  for (const char* text : {"",
                           "Yesterday",
                           "tomorrow",
                           "1700000000000",
                           "-1",
                           "2001-02-29T00:00:00Z",
                           "2000-13-01T00:00:00Z",
                           "2000-01-01T24:00:00Z",
                           "2000-01-01T00:60:00Z",
                           "2000-01-01T00:00:60Z",
                           "2000-01-01T00:00:00",
                           "2000-01-01T00:00:00.Z",
                           "2000-01-01T00:00:00.1234567890Z",
                           "2000-1-01T00:00:00Z",
                           "2000-01-01T00:00:00+1:00",
                           "2000-01-01T00:00:00Zx",
                           "2001-02-29",
                           "2000-1-1",
                           "2000-01-01 ",
                           "20000101x",
                           "1969-12-31",
                           "2262-01-01",
                           "1969-12-31T23:59:59Z",
                           "9999-01-01T00:00:00Z"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_time(text, now));
  }
}

TEST_CASE("times for people") {
  CHECK(time_text(UnixNs{0}) == "1970-01-01T00:00:00Z");
  CHECK(time_text(UnixNs{951'827'696 * ns_per_second + 999'999'999}) == "2000-02-29T12:34:56Z");
  CHECK(time_text(UnixNs{-1}) == "1969-12-31T23:59:59Z");
  CHECK(rc::check("parse_time(time_text(t)) is t without its fraction", [] {
    const UnixNs time{*rc::gen::inRange<std::int64_t>(0, 9'000'000'000) * ns_per_second + 123};
    RC_ASSERT(parse_time(time_text(time), UnixNs{})->value == time.value - 123);
  }));
}
