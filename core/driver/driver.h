// The one loop that acts: it asks the switch, decides, commits once a tick, and only then does what was decided (R1).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
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
  std::optional<std::int64_t> wait_ns;           ///< how long run() may take; nothing: no limit; 0: send and leave
  bool use_memory = true;                        ///< M6: use what other payments have met
  bool collect_only = false;                     ///< --no-retry: look and wait, send nothing
  std::int64_t look_pause_ns = 250 * ns_per_ms;  ///< the pause of LookLater
  std::size_t max_parallel = 1'000;              ///< payments driven at once (at most limits::max_payment_locks)
  UnixNs clock_from{INT64_MIN};                  ///< with an earlier clock nothing new begins (release_date)
  std::int64_t lock_timeout_ns = 0;              ///< how long to wait for a payment that another paytower is working on
};

enum class DriveEnd {
  ended,         ///< the payment has ended: see its status
  open,          ///< something may be in flight, or more could be tried: run resume
  refused,       ///< see error; this call sent nothing of this hash
  busy,          ///< another paytower is working on it
  unavailable,   ///< the switch was not reached, and nothing was ever sent or recorded
  other_switch,  ///< its open attempts belong to another switch
  not_driven,    ///< imported: it belongs to another node's switch
};

struct DriveResult {
  std::uint64_t tag = 0;  ///< of the submission; 0 for an adopted row
  PaymentHash hash;       ///< all zero if the row could not be read
  DriveEnd end = DriveEnd::open;
  std::optional<Payment> payment;  ///< as it is stored; nothing if nothing is stored
  std::optional<Error> error;      ///< with refused, busy and unavailable; with open: why we left early
  bool handed_over = false;        ///< this call sent an HTLC of the hash
  bool joined = false;             ///< --idempotent: this call joined a try that somebody else had begun
  bool paid_before = false;        ///< it was already paid, not by this call
  WhyOpen why_open;                ///< while it is open or pending_at_switch: as the last look of this call showed it
  bool pending_at_switch = false;  ///< marked as failed by the operator, but the switch still calls it pending
};

/// "the node still works on its HTLC: if it settles": of what was marked as failed by hand. For people.
[[nodiscard]] std::string_view still_pending_text(Movement movement);

/// A new try, asked for by send.
struct Submission {
  PaymentRequest request;
  /// An open payment with the same parameters is joined, not refused; a paid one ends at once with its old preimage.
  bool idempotent = false;
  std::uint64_t tag = 0;  ///< the caller's own number, given back with the result
  /// Why no new try may begin (an expired invoice, a limit). Said only if the database does not know the hash: if a
  /// hash that is paid or in flight were called expired, a script would pay it by other means.
  std::optional<Error> objection{};
  /// The newest ended try that the caller has seen before; 0 for none. If a different try is over by then, this call
  /// had joined it.
  std::optional<PaymentIndex> ended_before{};
};

/// Brings payments while others are driven (send --batch), so that memory holds only those being driven.
class DriveFeed {
 public:
  virtual ~DriveFeed() = default;
  /// The next one, asked for while there is room. Nothing if none is there yet, or none is left. Must not block.
  [[nodiscard]] virtual std::optional<Submission> next() = 0;
  /// No more will come.
  [[nodiscard]] virtual bool over() const = 0;
  /// A payment has ended for this process. Called in the order in which they end.
  virtual void ended(DriveResult result) = 0;
};

/// Drives any number of payments until they end, --wait is over, or a signal comes. Owns only its own bookkeeping.
class Driver {
 public:
  Driver(DriverPorts ports, DriverOptions options);
  ~Driver();
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

  void submit(Submission wanted);
  /// An open payment of the store (resume).
  void adopt(PaymentIndex index);

  /// Throws StoreError (R10) and SwitchError. An alarm (an old copy, an attempt that was doubled, a store that refuses
  /// to be read) ends the run, and is all that is told. Results come in order of completion.
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
