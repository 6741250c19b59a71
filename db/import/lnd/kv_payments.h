// The payments of lnd's key-value layouts, versions 9 to 35, one after the other.
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

/// All records of `payments-root-bucket`, in the order of payment hashes (not of sequence numbers: that is how lnd
/// keeps them). A hash's duplicates come right after it, in the order of sequence numbers. Only one payment is in
/// memory at a time: at most about 32 MiB for the largest that max_copy_bytes allows, a few KiB for any that lnd has
/// made. The database must outlive the stream.
class KvPayments {
 public:
  /// A legacy database has none, nor has one without the bucket.
  explicit KvPayments(const ChannelDb& database);
  ~KvPayments();
  KvPayments(const KvPayments&) = delete;
  KvPayments& operator=(const KvPayments&) = delete;

  /// Nothing at the end. A record that cannot be decoded becomes an entry with the reason (R14). Refuses (usage) only
  /// if the structure of the file is damaged.
  [[nodiscard]] std::optional<KvRecord> next();

 private:
  struct Walk;
  std::unique_ptr<Walk> walk_;
};

/// Decodes the copy of one top-level bucket as in `version`: the payment, then its duplicates. Never throws because of
/// the content. For KvPayments, tests and fuzzing. Overwrites the session keys in the copy with zeros.
[[nodiscard]] std::vector<KvRecord> decode_payment(BucketCopy& copy, std::uint32_t version);

/// The payment in bytes that were kept of a record (KvRecord::raw) of `hash`, whatever its version was. Nothing if none
/// fits.
[[nodiscard]] std::optional<KvPayment> decode_kept_payment(std::span<const std::uint8_t> raw, const PaymentHash& hash);

}  // namespace paytower::db::lnd
