// What the people who run a simulated network can do: make it, make invoices, release holds, and read what really
// happened. Every call is one durable transaction.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/driver/ports.h"
#include "core/sim/engine.h"
#include "core/sim/ledger.h"
#include "core/sim/network.h"

namespace paytower::sim {

inline constexpr std::int64_t default_invoice_expiry_ns = 3'600 * ns_per_second;

struct InvoiceParams {
  std::optional<Msat> amount;  ///< nothing: any amount
  std::string node{};  ///< a node's name, or its key in hex; empty: one several hops away, a different one each time
  std::int64_t expiry_ns = default_invoice_expiry_ns;  ///< rounded down to seconds, as in BOLT 11
  std::string description{};
  Hold hold{};
  std::optional<FailSpec> fail{};
  PayeeBehaviour behaviour = PayeeBehaviour::honest;
};

struct MadeInvoice {
  PaymentHash hash;
  std::string text;  ///< BOLT 11
  NodeIndex payee = 0;
};

/// Reads "CODE[@HOP][xN]": CODE is a BOLT 4 name in upper or lower case, or the wire code, decimal or hex with 0x.
/// Otherwise a usage refusal.
[[nodiscard]] Result<FailSpec> parse_fail_spec(std::string_view text);

class SimAdmin {
 public:
  /// Both must outlive this.
  SimAdmin(Ledger& ledger, Clock& clock);

  /// Makes the network in an empty ledger. A usage refusal if there is one already, or if no network can be made with
  /// these numbers.
  [[nodiscard]] Result<NetworkSummary> create_network(const NetworkParams& params);
  [[nodiscard]] Result<MadeInvoice> make_invoice(const InvoiceParams& params);
  /// Ends the hold of the hash's HTLCs and of the invoice itself: they settle, or fail with `fail` at the payee.
  /// Returns how many were held. If none was held, the next HTLC will not be held, and will fail if `fail` is given.
  /// not_found for a hash that this network does not know; already_paid for `fail` once the payee has given its
  /// preimage.
  [[nodiscard]] Result<std::size_t> release(const PaymentHash& hash, std::optional<std::uint32_t> fail_wire_code);
  /// What really happened, after everything due is done: the newest state of each HTLC and fence, in order of creation.
  void ledger(const std::optional<PaymentHash>& hash, const Visitor<OracleEntry>& visit);

  /// Does everything that is due.
  void advance();

 protected:
  /// First everything due is done, then the act. What the act makes due happens when somebody looks next, so that a
  /// node that is being served sees it end.
  void act(const std::function<void(LedgerTx&, Engine&)>& work);

  Ledger& ledger_;
  Clock& clock_;

 private:
  static Result<Node> find_payee(LedgerTx& tx, const std::string& name);
  Result<Node> next_payee(LedgerTx& tx);
  static std::vector<RouteHint> hints_to(LedgerTx& tx, const Node& payee);

  std::int64_t payees_version_ = -1;  ///< the Number::graph_version for which payees_ was worked out
  std::vector<NodeIndex> payees_;     ///< who makes an invoice if no node is named
};

}  // namespace paytower::sim
