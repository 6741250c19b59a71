// Streams the payments of a bucket file.
#include "db/import/lnd/kv_payments.h"

#include <algorithm>
#include <utility>

namespace paytower::db::lnd {

struct KvPayments::Walk {
  Walk(const Bucket& payments, std::uint32_t of_version)
      : pages(payments.file()), cursor(payments, pages), version(of_version) {}
  PageSet pages;
  Cursor cursor;
  std::uint32_t version;
  std::vector<KvRecord> ready;  ///< of the hash at the cursor; the next one is the last
};

KvPayments::KvPayments(const ChannelDb& database) {
  if (database.legacy()) return;
  if (const auto payments = database.payment_buckets()) walk_ = std::make_unique<Walk>(*payments, database.version());
}

KvPayments::~KvPayments() = default;

std::optional<KvRecord> KvPayments::next() {
  if (!walk_) return std::nullopt;
  // Taken out while working: if it throws, the stream is done.
  std::unique_ptr<Walk> walk = std::move(walk_);
  if (walk->ready.empty()) {
    if (!walk->cursor.next()) return std::nullopt;
    BucketCopy copy = copy_entry(walk->cursor, walk->pages);
    walk->ready = decode_payment(copy, walk->version);
    std::reverse(walk->ready.begin(), walk->ready.end());
  }
  std::optional<KvRecord> record = std::move(walk->ready.back());
  walk->ready.pop_back();
  walk_ = std::move(walk);
  return record;
}

}  // namespace paytower::db::lnd
