// The one loop that acts: asks the switch, decides, commits once a tick, and only then does what was decided (R1).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/driver/ports.h"
#include "core/payment/look.h"
#include "core/payment/payment.h"

namespace paytower {

struct DriverPorts {
  Switch& node;
  PaymentStore& store;
  PaymentLocks& locks;
  Clock& clock;
  Randomness& randomness;
  Observer& observer;
};

struct DriverOptions {
  std::optional<std::int64_t> wait_ns;           ///< how long run() stays; nothing = for ever; 0 = hand over and leave
  bool use_memory = true;                        ///< M6: what other payments met is weighed in
  bool collect_only = false;                     ///< --no-retry: look and wait, hand nothing over
  std::int64_t look_pause_ns = 250 * ns_per_ms;  ///< LookLater
  std::size_t max_parallel = 1'000;              ///< payments driven at once (at most limits::max_payment_locks)
  UnixNs clock_from{INT64_MIN};                  ///< by an earlier clock nothing new begins (release_date)
  std::int64_t lock_timeout_ns = 0;              ///< how long a payment that another paytower drives is waited for
};

enum class DriveEnd {
  ended,         ///< the payment has an end: see its status
  open,          ///< something may be in flight, or more could be tried: run resume
  refused,       ///< see error; nothing of this hash was handed over by this call
  busy,          ///< another paytower drives it
  unavailable,   ///< the switch was not reached and nothing was ever handed over or recorded
  other_switch,  ///< its open attempts belong to another switch
  not_driven,    ///< imported: another node's switch owns it
};

struct DriveResult {
  std::uint64_t tag = 0;  ///< of the submission; 0 for an adopted row
  PaymentHash hash;       ///< all zero when the row that was to be adopted cannot be read
  DriveEnd end = DriveEnd::open;
  std::optional<Payment> payment;  ///< as stored; nothing when nothing of it is stored
  std::optional<Error> error;      ///< with refused, busy, unavailable; with open: why it was left early
  bool handed_over = false;        ///< this call handed an HTLC of the hash over
  bool joined = false;             ///< --idempotent: the try that this call attached to was begun by somebody else
  bool paid_before = false;        ///< it was paid without this call's doing
  Blocker awaits = Blocker::none;  ///< open, and nothing of ours is in flight: what has to end first at the switch
  bool pending_at_switch = false;  ///< FAILED by the operator's word, and the switch still works on its HTLC
};

/// A new try that is wanted (send).
struct Submission {
  PaymentRequest request;
  bool idempotent = false;  ///< an open payment with the same parameters is joined instead of refused, a
                            ///< paid one ends at once with its old preimage
  std::uint64_t tag = 0;    ///< the caller's own, comes back with the result
  /// Why no new try may begin (an invoice that is over, a limit). Said only when the database knows nothing of the
  /// hash: to call a hash that is paid or in flight expired would make a script pay it by other means.
  std::optional<Error> objection{};
  /// The newest try that the caller has seen ended before; 0 for none. A try that is over by then and is not this one
  /// was joined.
  std::optional<PaymentIndex> ended_before{};
};

/// Payments that come while others are driven (send --batch), so that memory holds only what is driven now.
class DriveFeed {
 public:
  virtual ~DriveFeed() = default;
  /// The next one, asked for while there is room; nothing when none is there yet, or none is left. Must not block.
  [[nodiscard]] virtual std::optional<Submission> next() = 0;
  /// No further one will come.
  [[nodiscard]] virtual bool over() const = 0;
  /// A payment's end for this process, in order of completion.
  virtual void ended(DriveResult result) = 0;
};

/// Drives any number of payments until they end, --wait is over, or a signal comes. Owns nothing but its own
/// bookkeeping.
class Driver {
 public:
  Driver(DriverPorts ports, DriverOptions options);
  ~Driver();
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

  void submit(Submission wanted);
  /// An open payment of the store (resume).
  void adopt(PaymentIndex index);

  /// Throws StoreError (R10) and SwitchError. An alarm (an old copy, an attempt that was doubled) ends the run, and is
  /// all that is told. Results come in order of completion.
  [[nodiscard]] Result<std::vector<DriveResult>> run();
  /// As run(), with what `feed` brings; every result goes to it, and the alarm is returned. Leaves when the feed is
  /// over and everything has ended, when
  /// --wait is over or a signal came: then nothing further is taken from the feed. A hash that comes again while it is
  /// driven is refused (Errc::in_flight), or waits for the first one if it is idempotent.
  [[nodiscard]] std::optional<Error> run(DriveFeed& feed);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace paytower
