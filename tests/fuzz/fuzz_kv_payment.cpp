// The input is one payment's bucket: a byte for the version, then the copy as raw_bytes() writes it, taken as far as it can
// be read. It is decoded; every record must come out with its raw bytes, and nothing may be thrown.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <span>
#include <utility>

#include "db/lnd/kv_payments.h"

namespace {

using namespace paytower;
using namespace paytower::db::lnd;

using Input = std::span<const std::uint8_t>;

std::uint64_t number(Input& input, std::size_t size) {
  std::uint64_t value = 0;
  for (; size > 0 && !input.empty(); --size, input = input.subspan(1)) value = value << 8 | input.front();
  return value;
}

Bytes run(Input& input) {
  const std::uint64_t size = number(input, 4) % 4096;
  const Input taken = input.first(std::min<std::size_t>(static_cast<std::size_t>(size), input.size()));
  input = input.subspan(taken.size());
  return {taken.begin(), taken.end()};
}

/// Keys ascend in a bucket: one that does not ends it.
BucketEntry entry(Input& input, bool is_bucket, std::size_t depth) {
  BucketEntry out;
  out.is_bucket = is_bucket;
  out.key = run(input);
  if (!is_bucket) {
    out.value = run(input);
    return out;
  }
  out.sequence = number(input, 8);
  while (!input.empty()) {
    const std::uint64_t kind = number(input, 1);
    if (kind > 1 || depth == max_bucket_depth) break;
    BucketEntry inside = entry(input, kind == 1, depth + 1);
    if (!out.entries.empty() && inside.key <= out.entries.back().key) break;
    out.entries.push_back(std::move(inside));
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  const auto version = static_cast<std::uint32_t>(first_bucket_version + number(input, 1) % (newest_version - first_bucket_version + 1));
  const bool is_bucket = number(input, 1) == 1;
  BucketCopy copy;
  copy.top = entry(input, is_bucket, 1);
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
