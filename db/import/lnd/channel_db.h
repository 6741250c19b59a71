// lnd's channel.db as a place that payments are read from: which version it is, and the records of its oldest layout.
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
inline constexpr std::uint32_t first_bucket_version =
    9;                                               ///< from here on a bucket for each payment hash (kv_payments.h)
inline constexpr std::uint32_t newest_version = 35;  ///< lnd 0.21
/// lnd 0.19.2 to 0.21.1, 0.20.2 and 0.20.3 never wrote the version of a database that they made; this is the one they
/// had.
inline constexpr std::uint32_t unsaid_version = 33;
inline constexpr std::string_view payments_root_bucket = "payments-root-bucket";
inline constexpr std::string_view payments_index_bucket = "payments-index-bucket";
// Hints, the same for whatever file lnd keeps its buckets in.
inline constexpr const char* start_lnd_once =
    "start lnd 0.21.2 or later on it once, stop it (lncli stop), and import again";
inline constexpr const char* start_lnd_on_a_copy =
    "start lnd on a copy once and stop it (lncli stop): it tells what it makes of them";
inline constexpr const char* newer_paytower = "a newer paytower reads what a newer lnd wrote: paytower --version";
[[nodiscard]] std::string unsaid_version_note();
inline constexpr std::size_t max_record_bytes = 1 << 20;  ///< of one raw record; no lnd wrote a hundredth of it

struct OpenChannelDb {
  /// Reads versions 0 to 2 as lnd 0.4 wrote them. Nothing in such a file tells 0.4 from what came before it, and before
  /// it the preimage's place holds the payment hash: the operator has to say it.
  bool assume_v04 = false;
};

/// One entry of a legacy bucket, byte for byte. What it means is the business of the migration step that has the codec.
struct RawEntry {
  Bytes key;
  /// The value's bytes, at most max_record_bytes. Of a nested bucket, where lnd never wrote one, raw_bytes() of its
  /// copy.
  Bytes value;
  bool is_bucket = false;
  bool complete = true;  ///< false: there is more than `value` holds
};

/// Entries in key order, one in memory at a time. The database must outlive the stream. A stream that ended or threw is
/// done.
class RawStream {
 public:
  /// `bucket` nothing: an empty stream.
  explicit RawStream(const std::optional<Bucket>& bucket);
  RawStream(RawStream&&) noexcept;
  RawStream& operator=(RawStream&&) = delete;
  ~RawStream();

  /// Nothing at the end. Throws RefusalError (usage) for damage of the file's structure.
  [[nodiscard]] std::optional<RawEntry> next();

 private:
  struct Walk;
  std::unique_ptr<Walk> walk_;
};

/// An open channel.db. Movable; streams and buckets taken from it stay good, as the file itself does not move.
class ChannelDb {
 public:
  /// Throws RefusalError. busy: lnd runs. usage, each with words of its own: not a bbolt file, not lnd's channel.db,
  /// the tombstone of a database that moved elsewhere, no `dbp` key and none of the buckets that tell the version, a
  /// version not 4 bytes long, above newest_version, below oldest_marked_version without assume_v04; buckets of another
  /// version than `dbp` says, with anything in them; a `graph-node/source` that is no public key.
  [[nodiscard]] static ChannelDb open(const std::string& path, const OpenChannelDb& options = {});

  [[nodiscard]] const BboltFile& file() const { return *file_; }
  /// `metadata/dbp`; 0 for a database from before versions existed.
  [[nodiscard]] std::uint32_t version() const { return version_; }
  /// What was concluded about the file and not read from it, in words.
  [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }
  /// Below first_bucket_version: payments are records of `payments`, statuses stand in `payment-status`.
  [[nodiscard]] bool legacy() const { return version_ < first_bucket_version; }
  /// The node's own key, `graph-node/source`. Nothing when the node never set it; then there should be no payments.
  [[nodiscard]] const std::optional<PublicKey>& source_node() const { return source_node_; }

  /// The payment sequence: the number handed out last by the bucket of payments, whichever layout has it; 0 without
  /// one. May be below the largest number in use (lnd's DeleteAllPayments reset it).
  [[nodiscard]] std::uint64_t payment_sequence() const;
  /// Sequence of `next-payment-id-key`: every attempt id of this node's switch is at most this. Nothing without that
  /// bucket.
  [[nodiscard]] std::optional<std::uint64_t> attempt_id_sequence() const;

  /// Legacy: the serialized outgoing payments, key = 8 bytes big-endian sequence (as lnd wrote them; any key may be
  /// met). Empty for newer layouts. Each call starts at the beginning, with its own memory of the pages it has met.
  [[nodiscard]] RawStream legacy_payments() const;
  /// Legacy: payment hash -> one byte (0 grounded, 1 in flight, 2 completed), as stored. Empty for newer layouts.
  [[nodiscard]] RawStream legacy_statuses() const;
  /// `payments-root-bucket`, see kv_payments.h. Nothing in legacy layouts, and before the first payment.
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
