// lnd's channel.db as a source of payments: its version, and the records of its oldest layout.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/types.h"
#include "db/import/lnd/bbolt_bucket.h"
#include "db/import/lnd/bbolt_file.h"

namespace paytower::db::lnd {

inline constexpr std::uint32_t oldest_marked_version = 3;  ///< below it only with OpenChannelDb::assume_v04
/// From this version on there is a bucket for each payment hash (kv_payments.h).
inline constexpr std::uint32_t first_bucket_version = 9;
inline constexpr std::uint32_t newest_version = 35;  ///< lnd 0.21
/// lnd 0.19.2 to 0.21.1, 0.20.2 and 0.20.3 never wrote the version of a database that they made; this is the one they
/// had.
inline constexpr std::uint32_t unsaid_version = 33;
inline constexpr std::string_view payments_root_bucket = "payments-root-bucket";
inline constexpr std::string_view payments_index_bucket = "payments-index-bucket";
// Hints that are the same for every kind of file in which lnd keeps its buckets.
inline constexpr const char* start_lnd_once =
    "start lnd 0.21.2 or later on it once, stop it (lncli stop), and import again";
inline constexpr const char* start_lnd_on_a_copy =
    "start lnd on a copy once and stop it (lncli stop): it tells what it makes of them";
inline constexpr const char* newer_paytower = "a newer paytower reads what a newer lnd wrote: paytower --version";
[[nodiscard]] std::string unsaid_version_note();
/// Of one raw record; no lnd has ever written a hundredth of this.
inline constexpr std::size_t max_record_bytes = 1 << 20;

struct OpenChannelDb {
  /// Reads versions 0 to 2 as lnd 0.4 wrote them. Such a file does not show whether 0.4 wrote it or an older lnd, and
  /// before 0.4 the payment hash was in the preimage's place: so the operator has to say it.
  bool assume_v04 = false;
};

/// One entry of a legacy bucket, byte for byte. What it means is decided by the migration step that can read it.
struct RawEntry {
  Bytes key;
  /// The value's bytes, at most max_record_bytes. Of a nested bucket, where lnd never wrote one, raw_bytes() of its
  /// copy.
  Bytes value;
  bool is_bucket = false;
  bool complete = true;  ///< false: there is more than what `value` holds
};

/// The entries in the order of keys, one in memory at a time. The database must outlive the stream. A stream that has
/// ended or thrown is done.
class RawStream {
 public:
  /// Without a `bucket` it is an empty stream.
  explicit RawStream(const std::optional<Bucket>& bucket);
  RawStream(RawStream&&) noexcept;
  RawStream& operator=(RawStream&&) = delete;
  ~RawStream();

  /// Nothing at the end. Refuses (usage) if the structure of the file is damaged.
  [[nodiscard]] std::optional<RawEntry> next();

 private:
  struct Walk;
  std::unique_ptr<Walk> walk_;
};

/// An open channel.db. It can be moved, and streams and buckets from it stay valid, because the file object itself does
/// not move.
class ChannelDb {
 public:
  /// Refuses: busy if lnd is running; usage, with different words for each: not a bbolt file; not lnd's channel.db; the
  /// tombstone of a database that moved elsewhere; no `dbp` key, and none of the buckets that would tell the version; a
  /// version that is not 4 bytes long, above newest_version, or below oldest_marked_version without assume_v04;
  /// non-empty buckets of another version than `dbp` says; a `graph-node/source` that is not a public key.
  [[nodiscard]] static ChannelDb open(const std::string& path, const OpenChannelDb& options = {});

  [[nodiscard]] const BboltFile& file() const { return *file_; }
  /// `metadata/dbp`; 0 for a database made before versions existed.
  [[nodiscard]] std::uint32_t version() const { return version_; }
  /// In words: what was concluded about the file, because it could not be read from it.
  [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }
  /// Below first_bucket_version: payments are records in `payments`, and statuses are in `payment-status`.
  [[nodiscard]] bool legacy() const { return version_ < first_bucket_version; }
  /// The node's own key, `graph-node/source`. Nothing if the node never set it; then there should be no payments.
  [[nodiscard]] const std::optional<PublicKey>& source_node() const { return source_node_; }

  /// The payment sequence: the last number that the bucket of payments has given out, in either layout; 0 without one.
  /// It may be below the largest number in use, because lnd's DeleteAllPayments reset it.
  [[nodiscard]] std::uint64_t payment_sequence() const;
  /// The sequence of `next-payment-id-key`: no attempt id of this node's switch is larger. Nothing without that bucket.
  [[nodiscard]] std::optional<std::uint64_t> attempt_id_sequence() const;

  /// Legacy layout: the serialized outgoing payments; the key is the sequence in 8 bytes, big-endian (as lnd wrote it;
  /// other keys may occur). Empty for newer layouts. Each call starts at the beginning, with its own memory of the
  /// pages it has met.
  [[nodiscard]] RawStream legacy_payments() const;
  /// Legacy layout: payment hash -> one byte (0 grounded, 1 in flight, 2 completed), as stored. Empty for newer
  /// layouts.
  [[nodiscard]] RawStream legacy_statuses() const;
  /// `payments-root-bucket`, see kv_payments.h. Nothing in legacy layouts, or before the first payment.
  [[nodiscard]] std::optional<Bucket> payment_buckets() const;

 private:
  explicit ChannelDb(std::unique_ptr<BboltFile> file);
  void read_version(const OpenChannelDb& options);
  [[nodiscard]] std::uint32_t version_without_key();
  void check_layout() const;
  void read_source_node();
  [[nodiscard]] std::optional<Bucket> top(std::string_view name) const;

  std::unique_ptr<BboltFile> file_;
  std::uint32_t version_ = 0;
  std::vector<std::string> notes_;
  std::optional<PublicKey> source_node_;
};

}  // namespace paytower::db::lnd
