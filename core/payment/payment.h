// A payment as facts. Its status is worked out from them and not stored.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/hash.h"
#include "core/base/msat.h"
#include "core/base/types.h"
#include "core/payment/failure.h"
#include "core/payment/failure_detail.h"
#include "core/payment/route.h"

namespace paytower {

/// The switch that an attempt went to (R6).
struct SwitchKey {
  PublicKey node;
  std::string network;  ///< "bitcoin", "testnet", "signet", "regtest", "simnet"
  auto operator<=>(const SwitchKey&) const = default;
};

/// Names an attempt wherever it is spoken of. All attempts of a round share the id (R12).
struct AttemptKey {
  PaymentHash hash;
  AttemptId id;
  std::uint32_t part = 0;  ///< 1, 2, 3, ... over all rounds of the payment; 0: made before there were parts
  auto operator<=>(const AttemptKey&) const = default;
};

/// How far the switch's lists had got before an attempt was sent (R5). Only the adapter that made these bytes reads
/// them; everyone else stores them and gives them back. At most 96 bytes, the first of which says the form; empty:
/// none.
using Marks = Bytes;

enum class PaymentStatus { initiated, in_flight, succeeded, failed, unknown };
/// "INITIATED", "IN_FLIGHT", "SUCCEEDED", "FAILED", "UNKNOWN"
[[nodiscard]] std::string_view status_name(PaymentStatus status);

/// Why a payment ended without proof. Values are stored.
enum class EndNote : std::uint8_t { written_off = 1, preimage_lost = 2 };
/// "WRITTEN_OFF", "PREIMAGE_LOST"
[[nodiscard]] std::string_view end_note_name(EndNote note);

/// Where a payment's record comes from. Values are stored.
enum class Provenance : std::uint8_t { native = 0, lnd_legacy = 1, lnd_kv = 2 };
/// "native", "lnd_legacy", "lnd_kv"
[[nodiscard]] std::string_view provenance_name(Provenance provenance);

/// Whose HTLC it is: ours, another user's of the same node, or one of another node's history. Values are stored.
enum class AttemptOrigin : std::uint8_t { own = 0, foreign = 1, imported = 2 };
[[nodiscard]] std::string_view origin_name(AttemptOrigin origin);

/// How an attempt ended. The values are stored. `closed` is an end without proof: by the operator (then the attempt is
/// on the watch list, and what the switch says later replaces this end), or because the preimage is lost.
enum class AttemptOutcome : std::uint8_t { settled = 1, failed = 2, closed = 3 };

/// One HTLC given to the switch under one attempt id, or a record of somebody else's.
struct Attempt {
  std::int64_t row = 0;         ///< the key in our store; 0 before it is stored
  std::optional<AttemptId> id;  ///< always present for origin own
  std::uint32_t part = 0;
  AttemptOrigin origin = AttemptOrigin::own;
  std::optional<SwitchKey> switch_key;  ///< always present for origin own
  /// The run of the switch's process that every copy of it went to; empty where that cannot be told.
  std::string switch_run{};
  Marks marks{};
  Route route{};  ///< exactly what was handed over; empty for foreign ones and records without one; imported: delays
                  ///< count from height 0, channel 0 is unknown
  /// What the HTLC is locked to, where it is not the payment's hash (imported AMP).
  std::optional<PaymentHash> htlc_hash{};
  Msat amount;  ///< delivered to the payee
  Msat fee;
  UnixNs registered{};                             ///< 0 in an imported record that does not say
  std::optional<std::uint32_t> total_time_lock{};  ///< block height of the first HTLC's expiry: of an own attempt where
                                                   ///< the hand-over names it, of an imported one where the record does
  /// What total_time_lock probably is, of an own attempt without one: by the highest height that was known at a
  /// hand-over. A slow node counts from a later one. For people; it proves nothing.
  std::optional<std::uint32_t> expected_time_lock{};
  /// When it was handed over again, to another run of the switch or at a later height; nothing: never.
  std::optional<UnixNs> moved{};
  /// By the switch's own clock: from then on no copy of the request is accepted. Nothing where the switch has no such
  /// limit.
  std::optional<UnixNs> dies_at{};
  std::optional<UnixNs> accepted{};
  std::optional<UnixNs> resolved{};
  std::optional<AttemptOutcome> outcome{};  ///< nothing: no outcome yet
  std::optional<Preimage> preimage{};       ///< present exactly when settled
  std::optional<Failure> failure{};         ///< present exactly when failed or closed

  [[nodiscard]] bool open() const { return !outcome.has_value(); }
  /// Closed by the operator, and the switch has not confirmed it: every resume asks about it (R8). Not for an imported
  /// attempt: only a later import of lnd's file tells about that one.
  [[nodiscard]] bool watched() const;
  /// An own attempt whose request is limited by time and height, because the switch cannot tell two copies of it apart.
  /// Such a switch does not count what it erases. So it must be stored whether it has ever shown the attempt.
  [[nodiscard]] bool dies() const { return origin == AttemptOrigin::own && total_time_lock.has_value(); }
};

/// What a payment is asked to be. Never changes once it is stored.
struct PaymentRequest {
  PaymentHash hash;
  RouteDemand demand;  ///< destination, amount, limits
  std::optional<PaymentSecret> payment_secret;
  std::optional<Bytes> metadata;  ///< BOLT 11 field m
  std::string invoice;            ///< the BOLT 11 text, empty without one
  std::string network;            ///< of the invoice; empty = any
  std::string label;
  std::uint32_t max_attempts = 20;
  std::uint32_t max_parts = 1;  ///< how many parts may be open at once
  UnixNs created{};             ///< 0 in an imported record without a time
  UnixNs deadline{};  ///< no new attempt from here on: --timeout or the expiry of the invoice, whichever comes first
  std::vector<Route> candidates;  ///< --routes, in this order; empty: ask the switch
};

/// One try to pay a hash: a row of `payments`, with its attempts.
struct Payment {
  PaymentIndex index;  ///< 0 = not recorded yet
  PaymentRequest request;
  Provenance provenance = Provenance::native;
  bool amp = false;  ///< imported: the hash is an AMP set id, which no preimage proves; each HTLC has its own hash
  std::optional<PaymentIndex> duplicate_of;
  std::optional<Preimage> preimage;
  std::optional<Preimage> late_preimage;  ///< came after `fail_reason` (R8)
  std::optional<FailureReason> fail_reason;
  std::optional<FailureReason> stop_reason;  ///< stop wish: no new attempt, but results are still collected
  std::optional<EndNote> end_note;
  std::optional<UnixNs> ended;
  /// Of fail_reason or stop_reason, as the process that met it saw it.
  std::optional<FailureDetail> failure_detail;
  std::vector<Attempt> attempts;  ///< in order of registration

  [[nodiscard]] PaymentStatus status() const;
  /// No further attempt can follow: succeeded, failed or unknown.
  [[nodiscard]] bool ended_for_good() const;
  [[nodiscard]] bool has_open_attempt() const;
  [[nodiscard]] bool has_watched_attempt() const;
  /// How many own attempts there were: --max-attempts limits them over all rounds and resumes. A set that the payee
  /// gave back because it stayed incomplete counts once.
  [[nodiscard]] std::uint32_t own_attempts() const;
  /// R2: the amount, less what own attempts have paid or may still pay.
  [[nodiscard]] Msat missing() const;
  /// The same for the fee limit.
  [[nodiscard]] Msat fee_left() const;
  /// How many HTLCs may follow now: --max-parts less the open ones, and no more than --max-attempts leaves. A payment
  /// without a secret has only one part.
  [[nodiscard]] std::uint32_t parts_left() const;
  /// The number of the next part; it counts over all rounds. A payment without a secret has only one part, which the
  /// switch takes only without a number.
  [[nodiscard]] std::uint32_t next_part() const;
  /// The round of the open own attempts.
  [[nodiscard]] std::optional<AttemptId> open_round() const;
  /// True for SUCCEEDED. True for FAILED when the switch said so, or a fence proved it, or nothing was ever sent.
  [[nodiscard]] bool definitive() const;
  /// Why it failed, in finer words than fail_reason: failure_detail, or else as the attempts tell. Nothing for a
  /// payment that has not failed, or whose reason says it all.
  [[nodiscard]] std::optional<FailureDetail> why_failed() const;
  /// The failed attempt that ended last, or nullptr.
  [[nodiscard]] const Attempt* last_failure() const;
  /// The preimage that proves the payment, or nothing.
  [[nodiscard]] const std::optional<Preimage>& proof() const { return preimage ? preimage : late_preimage; }
  /// The key of an own attempt. REQUIRES: attempt.id.
  [[nodiscard]] AttemptKey key(const Attempt& attempt) const { return {request.hash, *attempt.id, attempt.part}; }
  /// The own attempt with this key, or nullptr.
  [[nodiscard]] const Attempt* find(const AttemptKey& key) const;
  [[nodiscard]] Attempt* find(const AttemptKey& key);
  /// The settled attempt, an own one before a foreign one, or nullptr.
  [[nodiscard]] const Attempt* settled_attempt() const;
};

/// What a payment has cost: all its settled parts together. Another user's parts count only if none of ours settled.
struct Settlement {
  const Attempt* first = nullptr;  ///< the first settled part; belongs to the payment
  Msat amount;                     ///< what reached the payee
  Msat fee;
};
/// Nothing if no attempt has settled.
[[nodiscard]] std::optional<Settlement> settlement_of(const Payment& payment);
/// How many HTLCs carry the payment: settled parts and parts under way. Another user's count only if none of ours
/// settled.
[[nodiscard]] std::uint32_t parts_of(const Payment& payment);
/// The attempt is one of several that its round is made of. A retry in one piece has the next part's number too, but a
/// round of its own.
[[nodiscard]] bool is_one_of_several(const Payment& payment, const Attempt& attempt);
/// For people: "attempt 17", or "attempt 17, part 2" where it is one of several.
[[nodiscard]] std::string name_of(const Payment& payment, const AttemptKey& key);
/// The cost is final: the payment has ended, and no part of it is under way.
[[nodiscard]] bool fee_final(const Payment& payment);

/// R2: how much more than `payment` asks for the payee could get, from it and from the other tries of its hash, because
/// the operator has closed attempts that the switch may still pay. 0 if there is no such attempt.
[[nodiscard]] Msat possible_overpayment(const Payment& payment, std::span<const Payment> others);

/// Why a hash must not be paid although no payment of it is stored. The values are stored.
enum class GuardKind : std::uint8_t { in_flight = 1, paid_without_record = 2, paid_deleted = 3, written_off = 4 };
/// "in_flight", "paid_without_record", "paid_deleted", "written_off"
[[nodiscard]] std::string_view guard_kind_name(GuardKind kind);

/// R13: what stays of a hash whose payment was deleted or was never stored.
struct Guard {
  PaymentHash hash;
  GuardKind kind = GuardKind::in_flight;
  std::optional<Msat> amount;
  std::optional<Preimage> preimage;
  std::optional<PublicKey> destination;
  /// So that --idempotent can compare the parameters without keeping the secret.
  std::optional<Sha256Digest> payment_secret_hash;
  UnixNs since{};
  bool amp = false;  ///< the hash is the set id of an imported AMP payment: never payable
};

/// "paytower:<store id>:<attempt id>", with ":fence" at the end for a fence: how a record at the switch names its maker
/// (R12).
[[nodiscard]] std::string attempt_label(const StoreId& store, AttemptId id, bool fence = false);

struct LabelParts {
  StoreId store;
  AttemptId id;
  bool fence = false;
};
/// Nothing for a label that attempt_label did not make.
[[nodiscard]] std::optional<LabelParts> parse_attempt_label(std::string_view label);

}  // namespace paytower
