// The payments of lnd's key-value layouts, versions 9 to 35, as a stream.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "db/import/lnd/bucket_copy.h"
#include "db/import/lnd/channel_db.h"
#include "db/import/lnd/kv_types.h"

namespace paytower::db::lnd {

/// All records of `payments-root-bucket`, ordered by payment hash (not by sequence: lnd files them so), each hash's
/// duplicates right behind it, ordered by sequence. One payment in memory at a time, at most about 32 MiB for the
/// largest that max_copy_bytes admits and a few KiB for any that lnd made. The database must outlive the stream.
class KvPayments {
 public:
  /// A legacy database, and one without the bucket, has none.
  explicit KvPayments(const ChannelDb& database);
  ~KvPayments();
  KvPayments(const KvPayments&) = delete;
  KvPayments& operator=(const KvPayments&) = delete;

  /// Nothing at the end. A record that cannot be decoded is an entry with its reason (R14). Throws RefusalError (usage)
  /// only for damage of the file's structure.
  [[nodiscard]] std::optional<KvRecord> next();

 private:
  struct Walk;
  std::unique_ptr<Walk> walk_;
};

/// Decodes the copy of one top-level bucket entry as `version` has it: the payment, then its duplicates. Never throws
/// for content; for tests and fuzzing, and for KvPayments. The copy's session keys are zeroed in place.
[[nodiscard]] std::vector<KvRecord> decode_payment(BucketCopy& copy, std::uint32_t version);

/// The payment of bytes that were kept of a record (KvRecord::raw) of `hash`, whatever its version was. Nothing where
/// none fits.
[[nodiscard]] std::optional<KvPayment> decode_kept_payment(std::span<const std::uint8_t> raw, const PaymentHash& hash);

}  // namespace paytower::db::lnd
