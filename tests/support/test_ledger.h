// A simulated network as the program keeps it, in a file that is removed with the object.
#pragma once

#include <unistd.h>

#include <memory>

#include "core/base/refuse.h"
#include "db/sim/ledger.h"
#include "tests/driver/temp_folder.h"

namespace paytower::test {

/// In memory, if the machine has a folder for that. Always on SQLite's own VFS, whatever the default is: the failing
/// disk belongs to the test's database, not to the network, which goes on when the process and its machine die.
class TestLedger final : public sim::Ledger {
 public:
  void write(const std::function<void(sim::LedgerTx&)>& work) override { kept_->write(work); }
  void read(const std::function<void(sim::LedgerTx&)>& work) override { kept_->read(work); }
  [[nodiscard]] std::uint64_t change_counter() override { return kept_->change_counter(); }

 private:
  TempFolder folder_{::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : std::filesystem::temp_directory_path()};
  std::unique_ptr<sim::Ledger> kept_ = value_of(db::create_sim_ledger(folder_.file("network.sim"), "unix"));
};

}  // namespace paytower::test
