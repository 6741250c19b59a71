// libFuzzer target for the rows of one payment of lnd's native SQL tables, in the form of raw_bytes(). They are decoded
// as a payment and as a duplicate. The result must keep all of them and decode again from what was kept, and nothing
// may be thrown.
#include <cstdint>
#include <cstdlib>

#include "db/import/lnd/kv_payments.h"
#include "db/import/lnd/sql_rows.h"
#include "tests/fuzz/bucket_input.h"

namespace {

using namespace paytower;
using namespace paytower::db::lnd;

void check(const KvRecord& record) {
  const Bytes whole = record.whole();
  const auto top = parse_raw(whole);
  if (!top || raw_bytes(*top) != whole) std::abort();
  const auto* payment = std::get_if<KvPayment>(&record.what);
  if (payment == nullptr) return;
  if (payment->sequence != record.sequence || !record.hash) std::abort();
  (void)payment->status();
  for (const KvAttempt& attempt : payment->attempts) (void)core_route(attempt.route, 0);
  if (!decode_kept_sql_payment(whole, *record.hash)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  if (fuzz::number(input, 1) != 1) input = fuzz::Input(data, size);
  BucketCopy copy;
  copy.top = fuzz::entry(input, true, 1, false);
  check(decode_sql_payment(copy));
  check(decode_sql_duplicate(copy, 7));
  (void)parse_raw(fuzz::Input(data, size));
  (void)decode_kept_payment(fuzz::Input(data, size), PaymentHash{});
  return 0;
}
