// Visits every bucket, key and payment of a file.
#include "tests/lnd/walk.h"

#include "db/import/lnd/kv_payments.h"

namespace paytower::test {

namespace {

using namespace db::lnd;

std::size_t walk(const Bucket& bucket, PageSet& pages) {
  std::size_t keys = 0;
  for (Cursor cursor(bucket, pages); cursor.next(); ++keys) {
    (void)cursor.value(1024);
    // What a walk reaches, find must reach too.
    if (!bucket.find(cursor.key())) bucket.file().refuse("a key is walked to and not found");
    if (cursor.is_bucket()) keys += walk(cursor.bucket(), pages);
  }
  return keys;
}

std::size_t drain(RawStream stream) {
  std::size_t entries = 0;
  while (stream.next()) ++entries;
  return entries;
}

}  // namespace

std::size_t walk_file(const std::string& path) {
  const ChannelDb database = ChannelDb::open(path, {.assume_v04 = true});
  (void)database.payment_sequence();
  (void)database.attempt_id_sequence();
  std::size_t met = drain(database.legacy_payments()) + drain(database.legacy_statuses());
  for (KvPayments payments(database); auto record = payments.next();) {
    ++met;
    const auto* payment = std::get_if<KvPayment>(&record->what);
    if (payment == nullptr) continue;
    (void)payment->status();
    for (const KvAttempt& attempt : payment->attempts) (void)core_route(attempt.route, 0);
  }
  PageSet pages(database.file());
  return met + walk(Bucket::root(database.file()), pages);
}

}  // namespace paytower::test
