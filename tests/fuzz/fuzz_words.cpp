// libFuzzer target for values on a command line: amounts, percents, durations, times, hashes, and what is pasted as an
// invoice. Invariants: what is read is within its range, its shortest text is read back the same, and no error message
// contains a secret.
#include "cli/input/amount.h"
#include "cli/input/hash.h"
#include "cli/input/payable_text.h"
#include "cli/input/time.h"
#include "cli/output/text.h"
#include "tests/fuzz/fuzz.h"

using namespace paytower;
using namespace paytower::cli;
using namespace paytower::test;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text = text_of(bytes, size);
  if (const auto amount = parse_amount(text)) {
    const auto again = parse_amount(amount_text(*amount));
    must(again && *again == *amount);
  }
  if (const auto percent = parse_percent(text)) {
    must(percent->units <= Percent::max_units);
    must(percent->of(Msat::of(Msat::max_value)).value() <= Msat::max_value);
  }
  if (const auto duration = parse_duration(text)) {
    must(*duration >= 0 && *duration <= 100 * std::int64_t{366} * 24 * 3'600 * ns_per_second);
    const auto again = parse_duration(std::to_string(*duration / ns_per_ms) + "ms");
    must(again && *again == *duration);
  }
  const UnixNs now{1'700'000'000'000'000'000};
  if (const auto time = parse_time(text, now)) {
    // A long age reaches back before 1970, which no timestamp of ours does.
    const auto again = parse_time(time_text(*time), now);
    must(time->value < 0 || (again && again->value / ns_per_second == time->value / ns_per_second));
  }
  if (const auto hash = parse_hash(text)) {
    must(hash->digits.size() >= 6 && hash->digits.size() <= 64);
    must(hash->whole.has_value() == (hash->digits.size() == 64));
  }
  const auto payable = payable_text(text);
  must(payable ? !payable->empty() && payable->find_first_of(" \t\r\n") == std::string::npos
               : !payable.error().message.empty());
  const std::string shown = without_invoices(text);
  must(without_invoices(shown) == shown && in_quotes(text).size() <= 200);
  return 0;
}
