// The statements behind the simulated network's ledger port.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/sim/ledger.h"
#include "db/sqlite/connection.h"

namespace paytower::db {

/// One for each connection; `begin` comes before each transaction and `store_changes` after it. Channels and nodes that
/// a transaction has read stay in memory until its end, because the payments of one tick use the same few.
class SimLedgerTx final : public sim::LedgerTx {
 public:
  explicit SimLedgerTx(Connection& connection) : connection_(connection) {}

  /// Reads all numbers (sim::Number: height, counters, ...) and forgets what the last transaction read. Every
  /// transaction needs some, and there are few.
  void begin();
  /// Writes the numbers and balances that have changed. REQUIRES: inside the transaction of `begin`.
  void store_changes();

  std::int64_t number(sim::Number which) override;
  void set_number(sim::Number which, std::int64_t value) override;

  void add_node(const sim::Node& node) override;
  std::optional<sim::Node> node(sim::NodeIndex index) override;
  std::optional<sim::Node> node_by_key(const PublicKey& key) override;
  std::optional<sim::Node> node_by_name(std::string_view name) override;
  void each_node(const sim::Visitor<sim::Node>& visit) override;

  void add_channel(const sim::Channel& channel) override;
  std::optional<sim::Channel> channel(ShortChannelId id) override;
  void set_balances(ShortChannelId id, const std::array<Msat, 2>& balances) override;
  void set_policy(ChannelDirection which, const sim::Policy& policy) override;
  void each_channel(const sim::Visitor<sim::Channel>& visit) override;
  void each_channel_of(sim::NodeIndex node, const sim::Visitor<sim::Channel>& visit) override;

  void put_invoice(const sim::Invoice& invoice) override;
  std::optional<sim::Invoice> invoice(const PaymentHash& hash) override;

  void put_flight(const sim::Flight& flight) override;
  void remove_flight(std::uint64_t id) override;
  std::vector<sim::Flight> flights_of(const PaymentHash& hash) override;
  std::vector<sim::Flight> flights_due(UnixNs now, std::size_t limit) override;
  std::optional<UnixNs> next_due() override;

  void append_oracle(const sim::OracleEntry& entry) override;
  std::vector<sim::OracleEntry> oracle_after(const std::optional<PaymentHash>& hash, std::uint64_t after,
                                             std::size_t limit) override;

  void put_row(const sim::Row& row) override;
  std::optional<sim::Row> row(const AttemptKey& key) override;
  std::vector<sim::Row> rows_of(const PaymentHash& hash) override;
  std::vector<sim::Row> rows_after(std::uint64_t after, std::size_t limit) override;
  void remove_row(std::uint64_t created_index) override;

  void put_htlc(const sim::Htlc& htlc) override;
  std::vector<sim::Htlc> htlcs_of(const PaymentHash& hash) override;
  std::vector<sim::Htlc> htlcs_after(std::uint64_t after, std::size_t limit) override;
  void finish_htlc(std::uint64_t created_index) override;
  void remove_htlc(std::uint64_t created_index) override;

  void add_movement(const sim::Movement& movement) override;
  std::vector<sim::Movement> movements_of(const PaymentHash& hash) override;
  std::vector<sim::Movement> movements_after(std::uint64_t after, std::size_t limit) override;

  void save_view(std::string_view name) override;
  bool restore_view(std::string_view name) override;
  void clear_view() override;

  void put_request(const sim::HeldRequest& request) override;
  void remove_request(std::uint64_t id) override;
  std::vector<sim::HeldRequest> held_requests() override;

 private:
  static constexpr std::size_t number_count = 32;
  static constexpr std::size_t max_kept = 1'024;  ///< how many channels, and how many nodes, stay in memory

  struct KeptChannel {
    sim::Channel channel;
    bool changed = false;  ///< the balances are newer than those in the file
  };
  struct ByKey {
    std::size_t operator()(const PublicKey& key) const;
  };

  void store_balances();
  void forget_channels();
  std::optional<sim::Node> keep(std::optional<sim::Node> node);

  Connection& connection_;
  std::array<std::int64_t, number_count> numbers_{};
  std::array<bool, number_count> changed_{};
  std::unordered_map<std::uint64_t, KeptChannel> channels_;  ///< by their id
  std::unordered_map<sim::NodeIndex, sim::Node> nodes_;
  std::unordered_map<PublicKey, sim::NodeIndex, ByKey> node_of_key_;
};

}  // namespace paytower::db
