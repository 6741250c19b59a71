// A payment as lnd's key-value layouts (database versions 9 to 35) have it. Facts as they are stored; nothing is
// judged.
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

/// A type and its bytes: a custom record, or one that has no place of its own here.
struct TlvRecord {
  std::uint64_t type = 0;
  Bytes value;
  auto operator<=>(const TlvRecord&) const = default;
};

/// Record 8 of a final hop: which invoice it is for and what all parts add up to.
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
  std::optional<Msat> total_amount;         ///< record 18, of the final hop
  auto operator<=>(const BlindedHop&) const = default;
};

/// One hop in lnd's words: the channel that leads to `node`, and what `node` was told to pass on.
struct KvHop {
  PublicKey node;
  ShortChannelId channel;                ///< 0: the record has none (migrated from a legacy record)
  std::uint32_t outgoing_time_lock = 0;  ///< block height; 0 as above
  Msat amount_to_forward;                ///< of the last hop: what the payee gets
  bool legacy_payload = true;            ///< versions below 10 do not say: true
  std::optional<MppRecord> mpp;
  std::optional<AmpRecord> amp;
  std::optional<BlindedHop> blinded;  ///< present when any of records 10, 12, 18 is
  std::optional<Bytes> metadata;      ///< record 16
  std::vector<TlvRecord> records;     ///< all others, ascending by type
  auto operator<=>(const KvHop&) const = default;
};

/// Amounts and absolute time locks; core's Route counts delays from a height, which lnd does not store.
struct KvRoute {
  std::uint32_t total_time_lock = 0;  ///< block height at which the first HTLC expires
  Msat total_amount;                  ///< what left the node
  PublicKey source;
  std::vector<KvHop> hops;  ///< may be empty, at most max_kv_hops
  auto operator<=>(const KvRoute&) const = default;

  /// total_amount less what the last hop forwards; zero without hops, or where the route claims to deliver more.
  [[nodiscard]] Msat fees() const;
};
inline constexpr std::size_t max_kv_hops = 64;  ///< an onion holds 27 of the smallest

/// The route as core has it, with delays above `height`. Nothing when it has no hops, more than limits::max_hops, or a
/// time lock below `height`. Directions follow from the node keys (BOLT 7); a channel id of 0 stays 0.
[[nodiscard]] std::optional<Route> core_route(const KvRoute& route, std::uint32_t height);

/// lnd's word for how it learned of an HTLC's failure. Values are lnd's.
enum class KvFailKind : std::uint8_t { unknown = 0, unreadable = 1, internal = 2, message = 3 };

struct KvSettle {
  Preimage preimage;
  std::optional<UnixNs> at;  ///< nothing: not recorded
  /// SHA256(preimage) is the attempt's hash, or the payment's where the attempt has none. False is not settled for us
  /// (R7).
  bool proves = false;
};

struct KvFail {
  std::optional<UnixNs> at;  ///< nothing: not recorded
  KvFailKind kind = KvFailKind::unknown;
  /// unreadable and internal as core's `unreadable` and `local_refusal`; message by its wire code, with a name or
  /// without; unknown as unknown_code. Without a message a source_index of 0 says nothing, and is not set.
  Failure failure;
  Bytes wire_message;  ///< BOLT 4 failure message, code first; empty without one
};

/// One HTLC. Neither settled nor failed: unresolved.
struct KvAttempt {
  std::optional<std::uint64_t> id;  ///< lnd's number at its own switch; nothing for 0 (migrated legacy records have 0)
  KvRoute route;
  std::optional<UnixNs> registered;          ///< nothing: not recorded
  std::optional<PaymentHash> hash;           ///< of this HTLC, where it is stored (AMP: another one than the payment's)
  std::optional<Msat> first_hop_amount;      ///< 0.19: what the first channel carried, where it differs
  std::vector<TlvRecord> first_hop_records;  ///< 0.19: custom records to the first peer
  std::optional<KvSettle> settle;
  std::optional<KvFail> fail;

  /// What reached the payee: the last hop's amount, the whole amount of a route without hops.
  [[nodiscard]] Msat delivered() const;
  [[nodiscard]] bool open() const { return !settle && !fail; }
};

/// The payment of one hash bucket, or one of its duplicates.
struct KvPayment {
  PaymentHash hash;  ///< AMP: the set id, which no preimage proves
  std::uint64_t sequence = 0;
  Msat value;
  std::optional<UnixNs> created;             ///< versions below 13 have whole seconds; nothing: zero time, not recorded
  std::string payment_request;               ///< untrusted text, may be empty
  bool other_intent = false;                 ///< native SQL: it was asked for by something else than a BOLT 11 invoice
  std::vector<TlvRecord> first_hop_records;  ///< 0.19, of the creation info
  std::vector<KvAttempt> attempts;           ///< ascending by id
  std::optional<FailureReason> fail_reason;  ///< may be set while attempts are open: then no new one was to be made

  /// lnd's rule (its decidePaymentStatus): any open attempt or a reason-less failure is in_flight, a settled one
  /// succeeded whatever the reason, then the reason, then initiated. `proves` is not asked.
  [[nodiscard]] PaymentStatus status() const;
};

/// What a record said that could not be decoded, as far as it goes.
struct KvUnreadable {
  std::string reason;    ///< where and why, for people; no secrets
  bool settled = false;  ///< it holds a settlement, right or wrong: the hash may be paid
};

/// One record of the file, in all ways accounted for (R14).
struct KvRecord {
  std::optional<PaymentHash> hash;        ///< the bucket's name; nothing when it is not 32 bytes long
  std::optional<std::uint64_t> sequence;  ///< nothing when it cannot be read
  bool duplicate = false;                 ///< later record of `hash`; comes right behind the first
  std::variant<KvPayment, KvUnreadable> what;
  /// The record byte for byte (raw_bytes of its copy, session keys zeroed), so that a caller may quarantine any record.
  /// The first record of a hash does not include its duplicates.
  Bytes raw;
  bool raw_complete = true;  ///< false: beyond max_copy_bytes, `raw` is what came first
  /// What `raw` is made of where it is empty: few records need their bytes, and making them of rows takes longer than
  /// to read those.
  BucketEntry rows;
  [[nodiscard]] Bytes whole() const { return raw.empty() ? raw_bytes(rows) : raw; }
};

}  // namespace paytower::db::lnd
