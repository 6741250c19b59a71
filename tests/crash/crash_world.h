// The real store on a disk that fails, the real driver, and a simulated network that lives on when the process dies.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "core/driver/driver.h"
#include "core/sim/node/pipe.h"
#include "tests/driver/harness.h"
#include "tests/driver/temp_folder.h"
#include "tests/support/opened.h"
#include "tests/support/test_admin.h"
#include "tests/support/test_ledger.h"
#include "tests/vfs/fault_vfs.h"

namespace paytower::test {

/// Thrown out of a switch or clock that a dead process would use.
struct Killed {};

/// A paytower with a known bug, for the tests of the tests.
enum class Mutant : std::uint8_t {
  none,
  no_sync,             ///< on a disk whose syncs say yes and do nothing
  synchronous_normal,  ///< commits do not wait for the disk
  hands_over_first,    ///< the switch hears of an attempt before it is recorded
  hands_over_second,   ///< the same of all parts of a round but the first
  splits_rounds,       ///< the first part of a round is stored before the others
  claims,              ///< what the database could not store counts as stored
};

using Process = Opened;

class CrashWorld final : private Observer {
 public:
  explicit CrashWorld(std::uint64_t seed = 5);
  ~CrashWorld() override;

  // --- the network ---
  PaymentRequest invoice(sim::InvoiceParams params = {});
  std::vector<sim::OracleEntry> oracle(const PaymentHash& hash);
  /// Moves money inside our own channels, until our side of each has what `ours` says for it.
  void hold_in_each(const std::function<Msat()>& ours);
  /// Lets time pass; HTLCs that end meanwhile meet their faults.
  void pass(std::int64_t seconds) {
    clock.sleep_until(MonoNs{clock.mono().value + seconds * ns_per_second});
    node.turn();
  }

  /// Later processes have this bug, until the next call.
  void become(Mutant mutant);

  // --- one process each: false when it died, or left with an error of the store ---
  bool process(const std::function<void(Process&)>& work);
  bool send(const PaymentRequest& request, std::int64_t wait_seconds = 5);
  bool send_all(const std::vector<PaymentRequest>& wanted, std::int64_t wait_seconds = 5);
  bool resume(std::int64_t wait_seconds = 5);
  bool cancel(const PaymentHash& hash);
  /// `resolve` without a switch: OperatorAssumesFailed or OperatorWritesOff.
  bool say(const PaymentHash& hash, const Event& word);
  bool remove(const PaymentHash& hash);
  bool remove_all();
  /// What an operator's sqlite3 shell does: opens an ordinary connection, runs a SELECT, and closes, which may make a
  /// checkpoint.
  void operator_shell();
  /// After a kill, starts the machine again with what the fault has left on the disk. Does nothing without a kill.
  void power_on();
  /// Resumes, and sends again what was never stored, until nothing is open. False if that does not come to an end.
  bool to_the_end(const std::vector<PaymentRequest>& wanted);

  // --- judgement ---
  /// Checks R1, R2, R7, R8, R9, R10, R13, that nothing that was reported is forgotten, and that the file is sound. A
  /// line for each broken rule.
  [[nodiscard]] std::vector<std::string> judge();
  /// The same for these hashes alone; `whole`: also checks the file. Hashes that are over are removed from `hashes`:
  /// ended, no attempt open, and nothing under way in the network.
  [[nodiscard]] std::vector<std::string> judge(std::vector<PaymentHash>& hashes, bool whole);
  [[nodiscard]] PaymentStatus status(const PaymentHash& hash);

  FaultDisk& disk = FaultDisk::instance();
  TempFolder folder;
  std::string path = folder.file("payments.db");
  VirtualClock clock;
  SeededRandomness randomness;
  TestLedger ledger;
  sim::TestAdmin admin{ledger, clock};
  sim::PipeNode node{ledger, clock, "the simulated network"};
  std::vector<PaymentRequest> requests;  ///< of all invoices made
  bool shell_between_steps = false;
  std::function<void(const Payment&)> listener;  ///< gets every change that is reported
  std::function<void()> beside;      ///< what others do between any two steps; not called again while it runs
  std::vector<std::string> trouble;  ///< broken rules seen on the way
  std::map<PaymentHash, std::string> last_warnings;  ///< the last warning about each payment
  std::string trace;                                 ///< a line for every change that was reported

 private:
  class WatchedSwitch;
  class MortalTransport;
  class MutantStore;
  void changed(const Payment& payment) override;
  void warn(const PaymentHash& hash, std::string_view message) override;
  void check_spooled(Process& process);
  void doubt(const char* what, const std::exception& error);
  bool drive(Process& process, std::int64_t wait_seconds, const std::function<void(Driver&)>& feed);
  /// True if the node still shows this attempt as a record of its own.
  [[nodiscard]] bool still_shown(const AttemptKey& key);
  [[nodiscard]] const PaymentRequest& request_of(const PaymentHash& hash) const;
  /// True if the hash is over: ended, and nothing is under way.
  bool judge_hash(Process& process, const PaymentHash& hash, std::vector<std::string>& broken);

  std::map<PaymentHash, PaymentStatus> told_;
  std::set<PaymentHash> removed_;
  std::set<PaymentHash> spooled_;  ///< R10: the next run must take them in
  bool somebody_beside_ = false;
  Mutant mutant_ = Mutant::none;
  std::string spool_at_kill_;
  SeededRandomness request_ids_{1};
};

}  // namespace paytower::test
