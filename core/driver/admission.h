// What stands before the drive: who may be driven, joined or refused, and the words for it. Pure.
#pragma once

#include <optional>

#include "core/driver/driver.h"
#include "core/driver/ports.h"

namespace paytower {

/// A payment that waits for its turn or its lock: a new request, or a row of the store.
struct Admission {
  PaymentHash hash;
  std::optional<PaymentRequest> request;  ///< send
  std::optional<PaymentIndex> index;      ///< resume
  bool idempotent = false;
  std::uint64_t tag = 0;
  std::optional<Error> objection;  ///< see Submission
  std::optional<PaymentIndex>
      ended_before;                ///< see Submission; set at the latest when its lock was held by somebody else
  std::optional<MonoNs> retry_at;  ///< its lock was held; try again then
  bool had_turn = false;           ///< it gave its place up while the switch still worked on it
};

[[nodiscard]] Admission admission_of(Submission wanted);

/// What the database alone says to a request. Neither set: it knows nothing against a new try.
struct Judgement {
  bool join = false;                  ///< drive the open payment instead of making a new one
  std::optional<DriveResult> result;  ///< paid, in flight, guarded or ended; or known with other parameters
};

[[nodiscard]] Judgement judge_request(const Admission& next, const HashState& state);
/// The newest try of the hash, if it is over; 0 otherwise.
[[nodiscard]] PaymentIndex ended_try(const HashState& state);
/// The amounts of another user who paid the hash are those of the request, as far as the switch told them.
[[nodiscard]] bool foreign_amount_agrees(const Payment& payment);
[[nodiscard]] DriveResult differ_result(const PaymentHash& hash);

/// A new try of a hash of which the store knows this.
[[nodiscard]] Created created_beside(const HashState& state);

[[nodiscard]] DriveResult busy_result(const Admission& waiting);
/// There was no time left to begin it.
[[nodiscard]] DriveResult not_begun_result(const Admission& waiting);
[[nodiscard]] DriveResult refused_result(const Admission& next, Error why);
/// This process drives the hash already (a batch that names it twice).
[[nodiscard]] DriveResult twice_result(const Admission& next);
/// A row of the hash cannot be read (`why`, Errc::database): it was left alone.
[[nodiscard]] DriveResult unreadable_result(const Admission& next, Error why);

/// in_flight, when a look shows whose HTLC it is. Without a hint where only the node itself can tell more. `watched`:
/// an earlier try was marked as failed by hand, so that resume asks about it.
[[nodiscard]] Error blocked_by(const Payment& payment, Blocker blocker, bool watched);

/// R6: nothing when what is open of `payment` may be shown to this switch.
[[nodiscard]] std::optional<Error> wrong_switch(const Payment& payment, const SwitchKey& key);

/// Nothing when this switch may be asked to pay this: its chain, that the payee is somebody else, and what its kind can
/// do. `recorded`: what its kind can do was asked before it was.
[[nodiscard]] std::optional<Error> unfit(const PaymentRequest& request, const IdentityAnswer& there,
                                         bool recorded = false);

/// The hand-over of an attempt, equal at every repetition (R4); a fence carries the fence's label.
[[nodiscard]] Handover handover(const Payment& payment, const Attempt& attempt, const StoreId& store, bool fence);

/// R12: database_old_copy when the switch shows an attempt of the store that it does not have.
[[nodiscard]] std::optional<Error> old_copy(PaymentStore& store, const NewestOwnAnswer& seen);

/// The marks of the first own attempt: how far back a look has to reach. Nothing when none was ever handed over.
[[nodiscard]] std::optional<Marks> first_marks(const Payment& payment);

}  // namespace paytower
