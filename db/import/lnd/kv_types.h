// A payment as in lnd's key-value layouts (database versions 9 to 35). Facts as they are stored; nothing is judged.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/base/hash.h"
#include "core/base/msat.h"
#include "core/base/types.h"
#include "core/payment/failure.h"
#include "core/payment/payment.h"
#include "core/payment/route.h"
#include "db/import/lnd/bucket_copy.h"

namespace paytower::db::lnd {

/// A type and its bytes: a custom record, or one that has no field of its own here.
struct TlvRecord {
  std::uint64_t type = 0;
  Bytes value;
  auto operator<=>(const TlvRecord&) const = default;
};

/// Record 8 of a final hop: which invoice it is for, and how much all parts are together.
struct MppRecord {
  PaymentSecret address;
  Msat total;
  auto operator<=>(const MppRecord&) const = default;
};

/// Record 14 of a final hop.
struct AmpRecord {
  FixedBytes<32, struct AmpRootShareTag> root_share;
  FixedBytes<32, struct AmpSetIdTag> set_id;
  std::uint32_t child_index = 0;
  auto operator<=>(const AmpRecord&) const = default;
};

/// What a hop of a blinded path was given. Kept as bytes.
struct BlindedHop {
  Bytes encrypted_data;                     ///< record 10, may be empty
  std::optional<PublicKey> blinding_point;  ///< record 12, of the introduction node
  std::optional<Msat> total_amount;         ///< record 18, for the final hop
  auto operator<=>(const BlindedHop&) const = default;
};

/// One hop as lnd describes it: the channel that leads to `node`, and what `node` was told to forward.
struct KvHop {
  PublicKey node;
  ShortChannelId channel;                ///< 0: not in the record (migrated from a legacy record)
  std::uint32_t outgoing_time_lock = 0;  ///< block height; 0 as for the channel
  Msat amount_to_forward;                ///< for the last hop: what the payee gets
  bool legacy_payload = true;            ///< versions below 10 do not say, so: true
  std::optional<MppRecord> mpp;
  std::optional<AmpRecord> amp;
  std::optional<BlindedHop> blinded;  ///< set if any of the records 10, 12, 18 is there
  std::optional<Bytes> metadata;      ///< record 16
  std::vector<TlvRecord> records;     ///< all others, in order of their types
  auto operator<=>(const KvHop&) const = default;
};

/// Amounts and absolute time locks. Delays in core's Route count from a height, which lnd does not store.
struct KvRoute {
  std::uint32_t total_time_lock = 0;  ///< the block height at which the first HTLC expires
  Msat total_amount;                  ///< what left the node
  PublicKey source;
  std::vector<KvHop> hops;  ///< may be empty; at most max_kv_hops
  auto operator<=>(const KvRoute&) const = default;

  /// total_amount less what the last hop forwards. Zero without hops, or if the route claims to deliver more.
  [[nodiscard]] Msat fees() const;
};
inline constexpr std::size_t max_request_bytes = 65'536;  ///< of a payment request as lnd keeps it
inline constexpr std::size_t max_kv_hops = 64;            ///< an onion holds 27 hops of the smallest size

/// The route in core's form, with delays above `height`. Nothing if it has no hops, more than limits::max_hops, or a
/// time lock below `height`. Directions follow from the node keys (BOLT 7); a channel id of 0 stays 0.
[[nodiscard]] std::optional<Route> core_route(const KvRoute& route, std::uint32_t height);

/// How lnd learned that an HTLC failed. The values are lnd's.
enum class KvFailKind : std::uint8_t { unknown = 0, unreadable = 1, internal = 2, message = 3 };

struct KvSettle {
  Preimage preimage;
  std::optional<UnixNs> at;  ///< nothing: not stored
  /// Whether SHA256(preimage) is the hash of the attempt or, if the attempt has none, of the payment. If false, it is
  /// not settled for us (R7).
  bool proves = false;
};

struct KvFail {
  std::optional<UnixNs> at;  ///< nothing: not stored
  KvFailKind kind = KvFailKind::unknown;
  /// lnd's "unreadable" and "internal" become core's `unreadable` and `local_refusal`; a message keeps its wire code,
  /// with a name or without; unknown becomes unknown_code. Without a message, a source_index of 0 says nothing and is
  /// not set.
  Failure failure;
  Bytes wire_message;  ///< BOLT 4 failure message, with the code first; empty without one
};

/// One HTLC. If neither settled nor failed: unresolved.
struct KvAttempt {
  /// Lnd's number at its own switch; nothing for 0, which migrated legacy records have.
  std::optional<std::uint64_t> id;
  KvRoute route;
  std::optional<UnixNs> registered;          ///< nothing: not stored
  std::optional<PaymentHash> hash;           ///< of this HTLC, if it is stored (with AMP it is not the payment's)
  std::optional<Msat> first_hop_amount;      ///< 0.19: what the first channel carried, if that is different
  std::vector<TlvRecord> first_hop_records;  ///< 0.19: custom records for the first peer
  std::optional<KvSettle> settle;
  std::optional<KvFail> fail;

  /// What reached the payee: the amount of the last hop, or the whole amount of a route without hops.
  [[nodiscard]] Msat delivered() const;
  [[nodiscard]] bool open() const { return !settle && !fail; }
};

/// The payment in the bucket of a hash, or one of its duplicates.
struct KvPayment {
  PaymentHash hash;  ///< with AMP: the set id, which no preimage proves
  std::uint64_t sequence = 0;
  Msat value;
  std::optional<UnixNs> created;             ///< whole seconds in versions below 13; nothing: zero time, not stored
  std::string payment_request;               ///< untrusted text, may be empty
  bool other_intent = false;                 ///< native SQL: it was requested by something other than a BOLT 11 invoice
  std::vector<TlvRecord> first_hop_records;  ///< 0.19, from the creation info
  std::vector<KvAttempt> attempts;           ///< in order of their ids
  std::optional<FailureReason> fail_reason;  ///< may be set while attempts are open: then no new one was to be made

  /// lnd's rule (decidePaymentStatus there): any open attempt, or a failed one without a reason, means in_flight; a
  /// settled one means succeeded, whatever the reason; then the reason counts, then initiated. `proves` is not used.
  [[nodiscard]] PaymentStatus status() const;
};

/// What is known about a record that cannot be decoded.
struct KvUnreadable {
  std::string reason;    ///< for people: where and why; no secrets
  bool settled = false;  ///< it contains a settlement, right or wrong: the hash may be paid
};

/// One record of the file; each is accounted for (R14).
struct KvRecord {
  std::optional<PaymentHash> hash;        ///< the name of the bucket; nothing if it is not 32 bytes long
  std::optional<std::uint64_t> sequence;  ///< nothing if it cannot be read
  bool duplicate = false;                 ///< a later record of `hash`; comes right after the first one
  std::variant<KvPayment, KvUnreadable> what;
  /// The record byte for byte (raw_bytes of its copy, with zeros for session keys), so that a caller can quarantine any
  /// record. The first record of a hash does not include its duplicates.
  Bytes raw;
  bool raw_complete = true;  ///< false: it is larger than max_copy_bytes, and `raw` is only the beginning
  /// If `raw` is empty, it can be made from this: few records need their bytes, and making these from rows takes longer
  /// than reading the rows.
  BucketEntry rows;
  [[nodiscard]] Bytes whole() const { return raw.empty() ? raw_bytes(rows) : raw; }
};

}  // namespace paytower::db::lnd
