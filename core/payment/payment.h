// A payment as facts. Its status is derived from them and stored nowhere.
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

/// Names an attempt wherever it is spoken of. Its round's attempts share the id (R12).
struct AttemptKey {
  PaymentHash hash;
  AttemptId id;
  std::uint32_t part = 0;  ///< 1, 2, 3, ... over all rounds of the payment; 0: made before there were parts
  auto operator<=>(const AttemptKey&) const = default;
};

/// How far the switch's lists had got before a hand-over (R5). Bytes that its adapter made: everybody else stores them
/// and hands them back unread. At most 96, the first of which says the form; empty: none.
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

/// How an attempt ended. Values are stored. `closed` is an end without proof: by the operator's word (then it is on the
/// watch list and a later word of the switch replaces it) or because the preimage is lost.
enum class AttemptOutcome : std::uint8_t { settled = 1, failed = 2, closed = 3 };

/// One HTLC handed to the switch under one attempt id, or a record of somebody else's.
struct Attempt {
  std::int64_t row = 0;         ///< our store's key, 0 before it is stored
  std::optional<AttemptId> id;  ///< always present for origin own
  std::uint32_t part = 0;
  AttemptOrigin origin = AttemptOrigin::own;
  std::optional<SwitchKey> switch_key;  ///< always present for origin own
  std::string
      switch_run{};  ///< the run of the switch's process that every copy of it went to; empty where that cannot be told
  Marks marks{};
  Route route{};  ///< exactly what was handed over; empty for foreign ones and records without one; imported: delays
                  ///< count from height 0, channel 0 is unknown
  std::optional<PaymentHash>
      htlc_hash{};  ///< what the HTLC is locked to, where it is not the payment's hash (imported AMP)
  Msat amount;      ///< delivered to the payee
  Msat fee;
  UnixNs registered{};                             ///< 0 in an imported record that does not say
  std::optional<std::uint32_t> total_time_lock{};  ///< block height of the first HTLC's expiry: of an own attempt where
                                                   ///< the hand-over names it, of an imported one where the record does
  /// By the switch's own clock: no copy of the hand-over is taken any more. Nothing where the switch has no such limit.
  std::optional<UnixNs> dies_at{};
  std::optional<UnixNs> accepted{};
  std::optional<UnixNs> resolved{};
  std::optional<AttemptOutcome> outcome{};  ///< nothing = unresolved
  std::optional<Preimage> preimage{};       ///< present exactly when settled
  std::optional<Failure> failure{};         ///< present exactly when failed or closed

  [[nodiscard]] bool open() const { return !outcome.has_value(); }
  /// Closed by the operator's word, and the switch has not confirmed it: asked about by every resume (R8). An imported
  /// one is not: only a later import of lnd's file tells of it.
  [[nodiscard]] bool watched() const;
  /// An own attempt whose hand-over is bound to time and height, because the switch cannot tell a copy of it from
  /// another. What such a switch erases it does not count, so that whether it has shown the attempt must be stored.
  [[nodiscard]] bool dies() const { return origin == AttemptOrigin::own && total_time_lock.has_value(); }
};

/// What a payment is asked to be: immutable once stored.
struct PaymentRequest {
  PaymentHash hash;
  RouteDemand demand;  ///< destination, amount, limits
  std::optional<PaymentSecret> payment_secret;
  std::optional<Bytes> metadata;  ///< BOLT 11 field m
  std::string invoice;            ///< the BOLT 11 text, empty without one
  std::string network;            ///< of the invoice; empty = any
  std::string label;
  std::uint32_t max_attempts = 20;
  std::uint32_t max_parts = 1;    ///< parts at most that may be open at once
  UnixNs created{};               ///< 0 in an imported record that does not say
  UnixNs deadline{};              ///< no new attempt from here on: the earlier of --timeout and the invoice's expiry
  std::vector<Route> candidates;  ///< --routes, in order; empty = ask the switch
};

/// "attempt 17"; "attempt 17, part 2" beside others. For people.
[[nodiscard]] std::string name_of(const AttemptKey& key);

/// A try to pay a hash: one row of `payments`, with its attempts.
struct Payment {
  PaymentIndex index;  ///< 0 = not recorded yet
  PaymentRequest request;
  Provenance provenance = Provenance::native;
  bool amp = false;  ///< imported: the hash is an AMP set id, which no preimage proves; each HTLC has its own
  std::optional<PaymentIndex> duplicate_of;
  std::optional<Preimage> preimage;
  std::optional<Preimage> late_preimage;  ///< a preimage that came after `fail_reason` (R8)
  std::optional<FailureReason> fail_reason;
  std::optional<FailureReason> stop_reason;  ///< stop wish: no new attempt, results still collected
  std::optional<EndNote> end_note;
  std::optional<UnixNs> ended;
  std::optional<FailureDetail>
      failure_detail;  ///< of fail_reason or stop_reason; known to the process that met it, and stored nowhere
  std::vector<Attempt> attempts;  ///< in order of registration

  [[nodiscard]] PaymentStatus status() const;
  /// No attempt can follow: succeeded, failed or unknown.
  [[nodiscard]] bool ended_for_good() const;
  [[nodiscard]] bool has_open_attempt() const;
  [[nodiscard]] bool has_watched_attempt() const;
  /// Own attempts so far, the count that --max-attempts bounds over all rounds and resumes together. A set that the
  /// payee gave back because it stayed incomplete counts once.
  [[nodiscard]] std::uint32_t own_attempts() const;
  /// R2: what own attempts that have paid, or may still pay, leave of the amount.
  [[nodiscard]] Msat missing() const;
  /// And of the fee limit.
  [[nodiscard]] Msat fee_left() const;
  /// HTLCs that may follow now: --max-parts less what is open, and no more than --max-attempts leaves. A payment
  /// without a secret has one part alone.
  [[nodiscard]] std::uint32_t parts_left() const;
  /// The number of the next part: they count over all rounds. A payment without a secret has one part alone, which the
  /// switch takes only without a number.
  [[nodiscard]] std::uint32_t next_part() const;
  /// The round of the own attempts that are open.
  [[nodiscard]] std::optional<AttemptId> open_round() const;
  /// True for SUCCEEDED, and for FAILED by the switch's own word, a fence, or because nothing was handed over.
  [[nodiscard]] bool definitive() const;
  /// Why it failed, in finer words than fail_reason: as this process met it, else what the stored facts tell. Nothing
  /// for a payment that has not failed, or whose reason says it all.
  [[nodiscard]] std::optional<FailureDetail> why_failed() const;
  /// The failed attempt that ended last, or nullptr.
  [[nodiscard]] const Attempt* last_failure() const;
  /// Whichever preimage proves the payment, or nothing.
  [[nodiscard]] const std::optional<Preimage>& proof() const { return preimage ? preimage : late_preimage; }
  /// Of an own attempt. REQUIRES: attempt.id.
  [[nodiscard]] AttemptKey key(const Attempt& attempt) const { return {request.hash, *attempt.id, attempt.part}; }
  /// The own attempt of this key, or nullptr.
  [[nodiscard]] const Attempt* find(const AttemptKey& key) const;
  [[nodiscard]] Attempt* find(const AttemptKey& key);
  /// The settled attempt, own before foreign, or nullptr.
  [[nodiscard]] const Attempt* settled_attempt() const;
};

/// What a payment has cost: all its settled parts together. Another user's only where none of ours settled.
struct Settlement {
  const Attempt* first = nullptr;  ///< the first of them; belongs to the payment
  Msat amount;                     ///< what reached the payee
  Msat fee;
};
/// Nothing where no attempt settled.
[[nodiscard]] std::optional<Settlement> settlement_of(const Payment& payment);
/// How many HTLCs carry the payment: its settled parts and those under way; another user's only where none of ours
/// settled.
[[nodiscard]] std::uint32_t parts_of(const Payment& payment);
/// Nothing is added to what it cost: it has ended, and no part of it is under way.
[[nodiscard]] bool fee_final(const Payment& payment);

/// R2: by how much the payee could get more than `payment` asks for, by it and by the other tries of its hash, where
/// the operator has closed attempts that the switch may still pay; 0 where there is no such attempt.
[[nodiscard]] Msat possible_overpayment(const Payment& payment, std::span<const Payment> others);

/// Why a hash may not be paid although no payment of it is stored. Values are stored.
enum class GuardKind : std::uint8_t { in_flight = 1, paid_without_record = 2, paid_deleted = 3, written_off = 4 };
/// "in_flight", "paid_without_record", "paid_deleted", "written_off"
[[nodiscard]] std::string_view guard_kind_name(GuardKind kind);

/// R13: what stays of a hash whose record is gone or never was.
struct Guard {
  PaymentHash hash;
  GuardKind kind = GuardKind::in_flight;
  std::optional<Msat> amount;
  std::optional<Preimage> preimage;
  std::optional<PublicKey> destination;
  std::optional<Sha256Digest> payment_secret_hash;  ///< for --idempotent: same parameters, without keeping the secret
  UnixNs since{};
  bool amp = false;  ///< the hash is the set id of an imported AMP payment: never payable
};

/// "paytower:<store id>:<attempt id>", and the same with ":fence" behind it: how a row at the switch names its maker
/// (R12).
[[nodiscard]] std::string attempt_label(const StoreId& store, AttemptId id, bool fence = false);

struct LabelParts {
  StoreId store;
  AttemptId id;
  bool fence = false;
};
/// Nothing for a label that attempt_label did not write.
[[nodiscard]] std::optional<LabelParts> parse_attempt_label(std::string_view label);

}  // namespace paytower
