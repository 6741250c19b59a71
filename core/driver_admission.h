// What stands before the drive: who may be driven, joined or refused, and the words for it. Pure.
#pragma once

#include <optional>

#include "core/driver.h"
#include "core/ports.h"

namespace paytower {

/// A payment that waits for its turn or its lock: a new request, or a row of the store.
struct Admission {
  PaymentHash hash;
  std::optional<PaymentRequest> request;     ///< send
  std::optional<PaymentIndex> index;         ///< resume
  bool idempotent = false;
  std::uint64_t tag = 0;
  std::optional<MonoNs> retry_at;            ///< its lock was held; try again then
};

[[nodiscard]] Admission admission_of(Submission wanted);

/// What --idempotent makes of a hash that is known already. Neither set: the lifecycle decides.
struct Judgement {
  bool join = false;                         ///< drive the open payment instead of making a new one
  std::optional<DriveResult> result;         ///< it is paid with the same parameters, or they differ
};

[[nodiscard]] Judgement judge_request(const Admission& next, const HashState& state);

[[nodiscard]] DriveResult busy_result(const Admission& waiting);
/// This process drives the hash already (a batch that names it twice).
[[nodiscard]] DriveResult twice_result(const Admission& next);
/// A row of the hash cannot be read (`why`, Errc::database): it was left alone.
[[nodiscard]] DriveResult unreadable_result(const Admission& next, const Error& why);

/// A refusal in words, with a command to run next.
[[nodiscard]] Error refusal_of(const Payment& payment, Errc why);

/// R6: nothing when `payment` may be shown to this switch.
[[nodiscard]] std::optional<Error> wrong_switch(const Payment& payment, const SwitchKey& key);

/// The hand-over of an attempt, equal at every repetition (R4); a fence carries the fence's label.
[[nodiscard]] Handover handover(const Payment& payment, const Attempt& attempt, const StoreId& store, bool fence);

[[nodiscard]] AttemptKey key(const Payment& payment, const Attempt& attempt);

/// The marks of the first own attempt: how far back a look has to reach. Nothing when none was ever handed over.
[[nodiscard]] std::optional<Marks> oldest_marks(const Payment& payment);
/// The marks that reach back as far as either; a counter that one of them lacks is the other's.
[[nodiscard]] std::optional<Marks> earlier(const std::optional<Marks>& a, const std::optional<Marks>& b);

}  // namespace paytower
