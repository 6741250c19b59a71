// Before a payment is driven: may it be driven, joined or must it be refused, and in which words. Pure.
#pragma once

#include <optional>

#include "core/driver/driver.h"
#include "core/driver/ports.h"

namespace paytower {

/// A payment that waits for its turn or for its lock: a new request, or a row of the store.
struct Admission {
  PaymentHash hash;
  std::optional<PaymentRequest> request;  ///< set by send
  std::optional<PaymentIndex> index;      ///< set by resume
  bool idempotent = false;
  std::uint64_t tag = 0;
  std::optional<Error> objection;  ///< see Submission
  /// The newest ended try that was known before this call waited (Submission::ended_before). With `idempotent`, the
  /// driver reads it from the store when somebody else holds the lock, if the caller gave none.
  std::optional<PaymentIndex> ended_before;
  std::optional<MonoNs> retry_at;  ///< somebody else held the lock; try again then
  bool had_turn = false;           ///< it gave up its place while the switch was still working on it
};

[[nodiscard]] Admission admission_of(Submission wanted);

/// What the database alone says about a request. If neither is set, nothing speaks against a new try.
struct Judgement {
  bool join = false;                  ///< drive the open payment instead of making a new one
  std::optional<DriveResult> result;  ///< paid, in flight, guarded or ended, or known with other parameters
};

[[nodiscard]] Judgement judge_request(const Admission& next, const HashState& state);
/// The newest try of the hash if it is over, else 0.
[[nodiscard]] PaymentIndex ended_try(const HashState& state);
/// If another user paid the hash, the amounts are those of the request, as far as the switch says them.
[[nodiscard]] bool foreign_amount_agrees(const Payment& payment);
[[nodiscard]] DriveResult differ_result(const PaymentHash& hash);

/// The event of a new try of a hash, with what the store knows of the hash.
[[nodiscard]] Created created_beside(const HashState& state);

/// `store`: a payment that is recorded by now can be waited for.
[[nodiscard]] DriveResult busy_result(const Admission& waiting, PaymentStore& store);
/// There was no time left to begin the payment.
[[nodiscard]] DriveResult not_begun_result(const Admission& waiting);
[[nodiscard]] DriveResult refused_result(const Admission& next, Error why);
/// This process is driving the hash already (a batch that names it twice).
[[nodiscard]] DriveResult twice_result(const Admission& next);
/// A row of the hash cannot be read (`why`, Errc::database) and was left alone.
[[nodiscard]] DriveResult unreadable_result(const Admission& next, Error why);

/// in_flight, after a look has shown whose HTLC it is. No hint if only the node itself can tell more. `watched`: an
/// earlier try was marked as failed by hand, so resume asks about it.
[[nodiscard]] Error blocked_by(const Payment& payment, const WhyOpen& why, bool watched);

/// R6: nothing when what is open of `payment` may be shown to this switch.
[[nodiscard]] std::optional<Error> wrong_switch(const Payment& payment, const SwitchKey& key);

/// Why this switch must not be asked to pay this: another chain, the payee is our own node, or the switch cannot do
/// what the payment needs. Nothing if it may. `recorded`: the payment is stored already, so what the switch can do was
/// checked before.
[[nodiscard]] std::optional<Error> unfit(const PaymentRequest& request, const IdentityAnswer& there,
                                         bool recorded = false);

/// The request for an attempt, the same each time it is repeated (R4). A fence carries the fence's label.
[[nodiscard]] Handover handover(const Payment& payment, const Attempt& attempt, const StoreId& store, bool fence);

/// R12: database_old_copy if the switch shows an attempt of this store that the store does not have. Else why the store
/// cannot be asked, or nothing.
[[nodiscard]] std::optional<Error> old_copy(PaymentStore& store, const NewestOwnAnswer& seen);

/// The marks of the first own attempt: a look must reach back to there. Nothing if no attempt was ever sent.
[[nodiscard]] std::optional<Marks> first_marks(const Payment& payment);

}  // namespace paytower
