// The tests of this executable run on a file, in a folder of its own that goes with the ledger.
#include "tests/sim/file_ledger.h"
#include "tests/sim/world.h"

namespace {

using namespace paytower;

/// A ledger in a file, and the file's end.
class TemporaryLedger final : public sim::Ledger {
 public:
  void write(const std::function<void(sim::LedgerTx&)>& work) override { kept_->write(work); }
  void read(const std::function<void(sim::LedgerTx&)>& work) override { kept_->read(work); }
  std::uint64_t change_counter() override { return kept_->change_counter(); }

 private:
  sim::test::Folder folder_;
  std::unique_ptr<sim::Ledger> kept_ = db::create_sim_ledger(folder_.file());
};

}  // namespace

std::unique_ptr<paytower::sim::Ledger> paytower::sim::test::make_ledger() {
  return std::make_unique<TemporaryLedger>();
}
