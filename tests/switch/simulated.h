// What the two worlds of a simulated network share: its payees, its other users and its ledger.
#pragma once

#include <doctest/doctest.h>

#include <string>

#include "tests/sim/world.h"
#include "tests/switch/suite.h"

namespace paytower::test {

class SimulatedWorld : public World {
 public:
  Bill bill(PayeeWill will) override {
    sim::InvoiceParams params;
    params.amount = Msat::of(100'000 * sim::test::sat);
    params.node = "n3";
    params.description = "of the contract";
    if (will == PayeeWill::holds) params.hold = sim::Hold{sim::Hold::forever};
    if (will == PayeeWill::refuses) params.fail = *sim::parse_fail_spec("INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS");
    const auto made = admin().make_invoice(params);
    REQUIRE(made);
    return bill_of(made->text);
  }
  void let_go(const PaymentHash& hash) override { REQUIRE(admin().release(hash, {})); }
  void another_user_pays(const Bill& bill) override {
    REQUIRE(admin().foreign(bill.hash, sim::ForeignAct::hold, "another user"));
  }
  Truth truth(const PaymentHash& hash) override {
    Truth truth;
    admin().ledger(hash, [&truth](const sim::OracleEntry& entry) {
      if (entry.state == sim::OracleState::held) ++truth.under_way;
      if (entry.state == sim::OracleState::failed) ++truth.failed;
      if (entry.state != sim::OracleState::settled) return true;
      ++truth.settled;
      truth.reached = Msat::of(truth.reached.value() + entry.amount.value());
      return true;
    });
    return truth;
  }
  /// Copies of a hand-over have no time limit here.
  void outlive_handovers() override {}

 protected:
  virtual sim::TestAdmin& admin() = 0;
  [[nodiscard]] static std::size_t held_back(sim::Ledger& ledger) {
    std::size_t count = 0;
    ledger.read([&](sim::LedgerTx& tx) { count = tx.held_requests().size(); });
    return count;
  }
};

}  // namespace paytower::test
