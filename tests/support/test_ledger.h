// A simulated network as the program keeps it, in a file that goes with the object.
#pragma once

#include <unistd.h>

#include <memory>

#include "db/sim/ledger.h"
#include "tests/driver/temp_folder.h"

namespace paytower::test {

/// In the machine's memory, where that has a folder. On SQLite's own VFS, whatever the default is: the disk that fails
/// under a test's database is not the network's, which lives on when the process and its machine die.
class TestLedger final : public sim::Ledger {
 public:
  void write(const std::function<void(sim::LedgerTx&)>& work) override { kept_->write(work); }
  void read(const std::function<void(sim::LedgerTx&)>& work) override { kept_->read(work); }
  [[nodiscard]] std::uint64_t change_counter() override { return kept_->change_counter(); }

 private:
  TempFolder folder_{::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : std::filesystem::temp_directory_path()};
  std::unique_ptr<sim::Ledger> kept_ = db::create_sim_ledger(folder_.file("network.sim"), "unix");
};

}  // namespace paytower::test
