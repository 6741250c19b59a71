// What the lines of a batch come to before anything is sent: for the question, --max-total, and send --batch --dry-run.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "cli/commands/outcome.h"
#include "cli/commands/send_options.h"
#include "cli/input/lines.h"
#include "core/driver/admission.h"

namespace paytower::cli {

/// The lines, each counted once, and what those that would be paid come to.
struct BatchSums {
  std::uint64_t lines = 0;
  std::uint64_t would_pay = 0;
  std::uint64_t paid_before = 0;
  std::uint64_t in_flight = 0;
  std::uint64_t doubled = 0;  ///< an earlier line would pay the hash
  std::uint64_t expired = 0;
  std::uint64_t refused = 0;  ///< for another reason
  Msat amount{};
  Msat fee_limits{};  ///< the worst that the fees can come to

  /// "3 payments of 750 sat together, fees at most 15 sat; 1 paid before, 1 expired".
  [[nodiscard]] std::string text() const;
};

/// One line, as the database and the line itself tell.
struct LineForecast {
  std::uint64_t line = 0;
  std::optional<Submission> wanted{};  ///< nothing for a line that cannot be read
  std::optional<Error> error{};        ///< why it would be refused
  bool joins = false;                  ///< --idempotent: waits for the end of what is in flight
  std::uint64_t BatchSums::*counts_as = &BatchSums::would_pay;

  void refuse(Error why);
  [[nodiscard]] bool would_pay() const { return counts_as == &BatchSums::would_pay; }
};

class Forecaster {
 public:
  /// `database` is null where there is none yet. It must outlive this, as the rest.
  Forecaster(const BatchOptions& options, Session& session, Database* database, const Result<IdentityAnswer>& reached);

  [[nodiscard]] LineForecast judge(const InputLine& line);
  /// The driver has found more about this line: it would not be begun.
  void recount(LineForecast& line, std::uint64_t BatchSums::*as);
  [[nodiscard]] const BatchSums& sums() const { return sums_; }

 private:
  void judge_by_store(LineForecast& line) const;
  [[nodiscard]] std::optional<Error> objection(const Submission& wanted) const;
  void count(const LineForecast& line);

  const BatchOptions& options_;
  Session& session_;
  Database* database_;
  const Result<IdentityAnswer>& reached_;
  std::set<PaymentHash> begun_;  ///< of the lines that would be paid, or wait for their end
  Msat spent_;                   ///< of the day, with the lines that would be paid
  BatchSums sums_;
};

/// A line as what it asks for, with what the line itself, the switch, and the limits of one payment have against it. A
/// refusal for one that is too long, no JSON, or no invoice.
[[nodiscard]] Result<Submission> read_batch_line(const BatchOptions& options, Session& session, const InputLine& line,
                                                 const Result<IdentityAnswer>& reached);

/// What has begun of the sums that --max-total and --max-fee-total bound.
class BatchTotals {
 public:
  /// Errc::policy where this one goes over them; it is not added then.
  [[nodiscard]] std::optional<Error> add(const BatchOptions& options, const PaymentRequest& request);

 private:
  Msat amount_;
  Msat fee_limits_;
};

/// Where nobody can be asked, and the call needs an answer (exit 10); a maximum of what is read only once (2).
void refuse_unasked(const BatchOptions& options, const Session& session);

/// Refuses what goes over --max-total or --max-fee-total (Errc::policy), and asks where there is no --yes. Nothing is
/// read where neither is wanted.
void confirm_batch(const BatchOptions& options, Session& session, Database* database,
                   const Result<IdentityAnswer>& reached);

/// send --batch --dry-run: a JSON line for each line, and one with the sums. `node` is null where the switch is away.
[[nodiscard]] ExitCode rehearse_batch(const BatchOptions& options, Session& session, LineReader lines,
                                      Database* database, Switch* node, const Result<IdentityAnswer>& reached);

}  // namespace paytower::cli
