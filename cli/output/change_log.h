// The log of -v: one line on stderr for each change of state.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/output/output.h"
#include "core/payment/payment.h"

namespace paytower::cli {

/// Names with their values, in order. Names are ours; a value may be anything.
using LogFields = std::vector<std::pair<std::string_view, std::string>>;

/// "time=... event=... payment=3f9c0d12ab8e attempt=4711": logfmt, values in quotes where they hold more than plain
/// characters. All ASCII, one line without its end.
[[nodiscard]] std::string logfmt_line(const LogFields& fields);
/// {"log":{...}} with every value as a string, for --json.
[[nodiscard]] std::string log_json_line(const LogFields& fields);

/// Logs what is new in a payment since it was last seen, or since the program began, once that is on the disk. It names
/// payments by the first 12 digits of their hash and attempts by their id. It never logs what can pay or prove: no
/// preimage, no payment secret, no invoice; and no text of strangers.
class ChangeLog {
 public:
  explicit ChangeLog(Output& output) : output_(output) {}

  void changed(const Payment& payment);
  /// A step of the driver, for -vv.
  void step(const PaymentHash& hash, std::string_view what);

 private:
  /// What was logged of a payment and its attempts.
  struct Told {
    bool created = false;
    bool stopped = false;
    bool ended = false;
    std::vector<bool> attempts{};  ///< in their order: whether the end was told
  };

  void tell(const Payment& payment, std::string_view event, LogFields more);
  void tell_attempt(const Payment& payment, std::size_t position, Told& told);
  void tell_end(const Payment& payment, Told& told);
  void write(const LogFields& fields);

  Output& output_;
  std::map<PaymentIndex, Told> told_;  ///< of payments that have not ended, or have open parts
};

}  // namespace paytower::cli
