// libFuzzer target for one payment's bucket: a byte for the version, then a copy in the form of raw_bytes(), as far as
// it can be read. It is decoded; every record must keep its raw bytes, and nothing may be thrown.
#include <cstdint>
#include <cstdlib>

#include "db/import/lnd/kv_payments.h"
#include "tests/fuzz/bucket_input.h"

namespace {

using namespace paytower;
using namespace paytower::db::lnd;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const auto version = static_cast<std::uint32_t>(first_bucket_version +
                                                  fuzz::number(input, 1) % (newest_version - first_bucket_version + 1));
  const bool is_bucket = fuzz::number(input, 1) == 1;
  BucketCopy copy;
  copy.top = fuzz::entry(input, is_bucket, 1, true);
  const auto records = decode_payment(copy, version);
  if (records.empty()) std::abort();
  for (const KvRecord& record : records) {
    if (record.raw.empty()) std::abort();
    const auto* payment = std::get_if<KvPayment>(&record.what);
    if (payment == nullptr) continue;
    if (payment->sequence != record.sequence || payment->hash != record.hash) std::abort();
    (void)payment->status();
    for (const KvAttempt& attempt : payment->attempts) (void)core_route(attempt.route, 700'000);
  }
  return 0;
}
