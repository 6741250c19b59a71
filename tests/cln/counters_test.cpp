// Goal: the node's counters come back from the marks that they were stored as, and nothing else is taken for them.
#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "core/switch/cln/counters.h"

using namespace paytower;
using cln::Counters;

namespace {

Marks bytes_of(std::string_view text) { return {text.begin(), text.end()}; }

}  // namespace

TEST_CASE("counters: each set of them comes back, and its text is the stored form") {
  constexpr std::uint64_t most = INT64_MAX;
  const std::optional<std::uint64_t> values[] = {std::nullopt, 0, 7, most};
  for (const auto& payments : values) {
    for (const auto& made : values) {
      for (const auto& deleted : values) {
        for (const auto& moved : values) {
          const Counters counters{payments, made, deleted, moved};
          const Marks marks = cln::marks_of(counters);
          CHECK(marks.size() <= 96);
          CHECK(cln::counters_of(marks) == counters);
        }
      }
    }
  }
  CHECK(cln::marks_of({4, 40, {}, 20}) == bytes_of("1,4,40,,20"));
  CHECK(cln::marks_of({}) == bytes_of("1,,,,"));
  CHECK(cln::marks_of({most, most, most, most}).size() == 81);
}

TEST_CASE("counters: bytes that were not written by it give none") {
  CHECK(cln::counters_of(bytes_of("1,4,40,3,20")) == Counters{4, 40, 3, 20});
  for (const std::string_view text : {"",
                                      "1",
                                      "1,",
                                      "1,4,40,3",
                                      "1,4,40,3,20,",
                                      "1,4,40,3,20,5",
                                      "2,4,40,3,20",
                                      "4,40,3,20",
                                      "1,4,40,3,20 ",
                                      " 1,4,40,3,20",
                                      "1,04,40,3,20",
                                      "1,+4,40,3,20",
                                      "1,-4,40,3,20",
                                      "1, 4,40,3,20",
                                      "1,4,4x0,3,20",
                                      "1,4;40,3,20",
                                      "1,0x4,40,3,20",
                                      "1,4.0,40,3,20",
                                      "14,40,3,20",
                                      "1,9223372036854775808,40,3,20",
                                      "1,18446744073709551616,40,3,20",
                                      "1,4,40,3,99999999999999999999999999999999"}) {
    CAPTURE(text);
    CHECK(cln::counters_of(bytes_of(text)) == Counters{});
  }
  for (std::size_t size = 0; size < 200; ++size) CHECK(cln::counters_of(Marks(size, 0)) == Counters{});
  CHECK(cln::counters_of(Marks(1'000'000, '1')) == Counters{});
  Marks with_nul = bytes_of("1,4,40,3,20");
  with_nul.push_back(0);
  CHECK(cln::counters_of(with_nul) == Counters{});
}

TEST_CASE("counters: every byte of the marks counts") {
  const Marks good = cln::marks_of({4, 40, 3, 20});
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (unsigned value = 0; value < 256; ++value) {
      Marks bad = good;
      bad[at] = static_cast<std::uint8_t>(value);
      const Counters read = cln::counters_of(bad);
      CHECK((read == Counters{} || cln::marks_of(read) == bad));
    }
  }
}
