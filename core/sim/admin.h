// What the people who run a simulated network may do with it: make it, make invoices, release holds, read what really
// happened, and spoil things on purpose. Every call is one durable transaction.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/driver/ports.h"
#include "core/sim/ledger.h"
#include "core/sim/network.h"

namespace paytower::sim {

inline constexpr std::int64_t default_invoice_expiry_ns = 3'600 * ns_per_second;

struct InvoiceParams {
  std::optional<Msat> amount;  ///< nothing: any
  std::string node{};          ///< a node's name or key in hex; empty: one several hops away, another each time
  std::int64_t expiry_ns = default_invoice_expiry_ns;  ///< rounded down to seconds, as BOLT 11 counts
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

/// Reads "CODE[@HOP][xN]": CODE is a BOLT 4 name of either case, or the wire code, decimal or 0x hex. Usage refusal
/// otherwise.
[[nodiscard]] Result<FailSpec> parse_fail_spec(std::string_view text);

/// What is to be forgotten, and how thoroughly (cln/README 5 and 8: delpay, autoclean, a restart that forgets HTLCs).
struct Erasure {
  std::optional<PaymentHash> hash{};     ///< only this hash
  std::optional<AttemptId> attempt{};    ///< only this attempt
  std::optional<UnixNs> ended_before{};  ///< only rows that ended before this network time
  bool htlcs_too = false;    ///< finished HTLCs of the same attempts leave their list, and htlcs_deleted moves
  bool move_counter = true;  ///< with htlcs_too: false hides the deletion (a node that breaks its word)
};

class SimAdmin {
 public:
  /// Both must outlive this.
  SimAdmin(Ledger& ledger, Clock& clock);

  /// Makes the network in an empty ledger. Usage refusal when there is one already or the numbers make no network.
  [[nodiscard]] Result<NetworkSummary> create_network(const NetworkParams& params);
  [[nodiscard]] Result<MadeInvoice> make_invoice(const InvoiceParams& params);
  /// Ends the hold of the hash's HTLCs, and of the invoice itself; they settle, or fail with `fail` at the payee.
  /// Returns how many were held. With none held, the next HTLC is not held, and the first one fails where `fail` says
  /// so. not_found for a hash that this network does not know.
  [[nodiscard]] Result<std::size_t> release(const PaymentHash& hash, std::optional<std::uint32_t> fail_wire_code);
  /// What really happened, brought up to date first: the newest state of each HTLC and fence, in order of creation.
  void ledger(const std::optional<PaymentHash>& hash, const Visitor<OracleEntry>& visit);

  // --- time and chain: three inputs that do not follow each other ---
  void set_height(std::uint32_t height);
  [[nodiscard]] std::uint32_t height();
  void set_latency(std::int64_t ns);
  /// Network time = wall clock + offset (0 when a network is made).
  void set_time_offset(std::int64_t ns);
  /// Network time stands still at `at`; nothing lets it follow the wall clock again.
  void freeze_time(std::optional<UnixNs> at);
  [[nodiscard]] UnixNs now();
  /// Does all that is due. Every poll of a switch does it as well.
  void advance();

  // --- the graph ---
  /// False for a channel that is not there.
  bool set_policy(ChannelDirection which, const Policy& policy);
  /// Moves money inside the channel: `side0` gets what is given of the part that is not under way, the other side the
  /// rest.
  bool set_balance(ShortChannelId id, Msat side0);
  [[nodiscard]] std::optional<Channel> channel(ShortChannelId id);
  [[nodiscard]] std::vector<Channel> channels();
  [[nodiscard]] std::optional<Node> node(std::string_view name_or_key);
  void add_node(const Node& node);
  void add_channel(const Channel& channel);
  [[nodiscard]] std::optional<Invoice> invoice(const PaymentHash& hash);
  /// False for a hash that is not there.
  bool set_behaviour(const PaymentHash& hash, PayeeBehaviour behaviour);

  // --- faults ---
  /// Returns its id.
  std::uint64_t add_fault(Fault fault);
  void remove_fault(std::uint64_t id);
  [[nodiscard]] std::vector<Fault> faults();
  /// Returns how many rows went. Pending rows stay, as with delpay.
  std::size_t erase(const Erasure& what);
  /// A row that stays pending for ever, without HTLC.
  void add_orphan_row(const AttemptKey& key, std::string_view label, Msat amount);
  /// Another user of the node acts on the hash of an invoice now; `group` 0 = one above all others. Returns its attempt
  /// id, or why not: not_found for an unknown hash, in_flight or already_paid where the node refuses,
  /// switch_unavailable else.
  [[nodiscard]] Result<AttemptId> foreign(const PaymentHash& hash, ForeignAct act, std::string_view label,
                                          std::uint64_t group = 0);
  void save_copy(std::string_view name);
  /// The node starts again from an old copy of its store: rows, HTLC list, movements and counters as they were; what is
  /// under way goes on. False when there is no such copy.
  bool restore_copy(std::string_view name);
  /// The same node id with a new, empty store.
  void new_store();
  /// Nobody answers until this network time; nothing = for ever.
  void set_unreachable(std::optional<UnixNs> until);
  void set_reachable();

 private:
  template <typename Work> void act(Work work);
  static Result<Node> find_payee(LedgerTx& tx, const std::string& name);
  Result<Node> next_payee(LedgerTx& tx);
  static std::vector<RouteHint> hints_to(LedgerTx& tx, const Node& payee);

  Ledger& ledger_;
  Clock& clock_;
  std::int64_t payees_version_ = -1;  ///< Number::graph_version for which payees_ was worked out
  std::vector<NodeIndex> payees_;     ///< who makes invoices when nobody is named
};

}  // namespace paytower::sim
