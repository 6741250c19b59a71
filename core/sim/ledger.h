// The port to the place where a simulated network is kept: db/sim keeps it in a file.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/sim/records.h"

namespace paytower::sim {

inline constexpr std::size_t records_at_once = 256;  ///< read by a loop over a whole list

/// Single values of a network. The numbers are stored: never renumber. Older files also have 6 and 13.
enum class Number : std::uint8_t {
  height = 1,          ///< of the chain
  latency_ns = 2,      ///< from sending to the result, if nobody holds the HTLC
  time_offset_ns = 3,  ///< network time = wall clock + offset
  frozen_time_ns = 4,  ///< network time, while time_is_frozen
  time_is_frozen = 5,
  payments_created = 7,  ///< the four marks of the view (R5)
  htlcs_created = 8,
  htlcs_deleted = 9,
  movements_created = 10,
  next_flight = 11,  ///< the highest id given so far, likewise below
  next_oracle = 12,
  next_request = 14,
  invoices_made = 15,
  seed = 16,
  graph_version = 17,     ///< changes with every new channel or policy
  store_generation = 18,  ///< changes when the node gets a new store
  payments_updated = 19,  ///< other counters of the node, part of the view like the four marks
  payments_deleted = 20,
  htlcs_updated = 21,
  most_htlcs = 22,  ///< how many HTLCs one of our channels holds at once; 0: any number
};

/// False: stop here.
template <typename T> using Visitor = std::function<bool(const T&)>;

/// What can be read and written in one transaction. References must not outlive it.
/// As long as there is no network, nothing is found and numbers are 0.
class LedgerTx {
 public:
  virtual ~LedgerTx() = default;

  [[nodiscard]] virtual std::int64_t number(Number which) = 0;
  virtual void set_number(Number which, std::int64_t value) = 0;

  // The truth.
  virtual void add_node(const Node& node) = 0;
  [[nodiscard]] virtual std::optional<Node> node(NodeIndex index) = 0;
  [[nodiscard]] virtual std::optional<Node> node_by_key(const PublicKey& key) = 0;
  [[nodiscard]] virtual std::optional<Node> node_by_name(std::string_view name) = 0;
  /// In order of their index.
  virtual void each_node(const Visitor<Node>& visit) = 0;

  virtual void add_channel(const Channel& channel) = 0;
  [[nodiscard]] virtual std::optional<Channel> channel(ShortChannelId id) = 0;
  virtual void set_balances(ShortChannelId id, const std::array<Msat, 2>& balances) = 0;
  virtual void set_policy(ChannelDirection which, const Policy& policy) = 0;
  /// In order of their id.
  virtual void each_channel(const Visitor<Channel>& visit) = 0;
  virtual void each_channel_of(NodeIndex node, const Visitor<Channel>& visit) = 0;

  /// Adds it, or replaces the one with this hash.
  virtual void put_invoice(const Invoice& invoice) = 0;
  [[nodiscard]] virtual std::optional<Invoice> invoice(const PaymentHash& hash) = 0;

  /// The caller gives the id (Number::next_flight). Replaces the flight with this id.
  virtual void put_flight(const Flight& flight) = 0;
  virtual void remove_flight(std::uint64_t id) = 0;
  /// By id.
  [[nodiscard]] virtual std::vector<Flight> flights_of(const PaymentHash& hash) = 0;
  /// Those that are due at `now` or before, by due time and id, at most `limit`.
  [[nodiscard]] virtual std::vector<Flight> flights_due(UnixNs now, std::size_t limit) = 0;
  [[nodiscard]] virtual std::optional<UnixNs> next_due() = 0;

  /// Appends the newest state of the entry with this id. Nothing that was appended is ever changed.
  virtual void append_oracle(const OracleEntry& entry) = 0;
  /// The newest state of each entry with an id above `after`, by id, at most `limit`; of one hash or of all.
  [[nodiscard]] virtual std::vector<OracleEntry> oracle_after(const std::optional<PaymentHash>& hash,
                                                              std::uint64_t after, std::size_t limit) = 0;

  // The view.
  /// Replaces the row with this created_index.
  virtual void put_row(const Row& row) = 0;
  [[nodiscard]] virtual std::optional<Row> row(const AttemptKey& key) = 0;
  /// By created_index.
  [[nodiscard]] virtual std::vector<Row> rows_of(const PaymentHash& hash) = 0;
  /// By created_index, above `after`, at most `limit`.
  [[nodiscard]] virtual std::vector<Row> rows_after(std::uint64_t after, std::size_t limit) = 0;
  virtual void remove_row(std::uint64_t created_index) = 0;

  /// Replaces the entry with this created_index.
  virtual void put_htlc(const Htlc& htlc) = 0;
  [[nodiscard]] virtual std::vector<Htlc> htlcs_of(const PaymentHash& hash) = 0;
  [[nodiscard]] virtual std::vector<Htlc> htlcs_after(std::uint64_t after, std::size_t limit) = 0;
  virtual void finish_htlc(std::uint64_t created_index) = 0;
  virtual void remove_htlc(std::uint64_t created_index) = 0;

  virtual void add_movement(const Movement& movement) = 0;
  [[nodiscard]] virtual std::vector<Movement> movements_of(const PaymentHash& hash) = 0;
  [[nodiscard]] virtual std::vector<Movement> movements_after(std::uint64_t after, std::size_t limit) = 0;

  /// Copies rows, HTLCs, movements and their counters under a name. Replaces an earlier copy of that name.
  virtual void save_view(std::string_view name) = 0;
  /// False if there is no such copy. Otherwise the view is as it was then.
  [[nodiscard]] virtual bool restore_view(std::string_view name) = 0;
  /// An empty view with all counters at 0.
  virtual void clear_view() = 0;

  // Requests in the node's buffers.
  virtual void put_request(const HeldRequest& request) = 0;
  virtual void remove_request(std::uint64_t id) = 0;
  [[nodiscard]] virtual std::vector<HeldRequest> held_requests() = 0;
};

/// The place where a network is kept. One thread at a time; any number of processes, each with its own object.
class Ledger {
 public:
  virtual ~Ledger() = default;
  /// Runs `work` in one transaction: when this returns, all of it is durable; if it throws, none of it is. Waits for
  /// other writers. Throws SwitchError if the network cannot be read or written.
  virtual void write(const std::function<void(LedgerTx&)>& work) = 0;
  /// Runs `work` on one consistent state. `work` must not write.
  virtual void read(const std::function<void(LedgerTx&)>& work) = 0;
  /// Grows by exactly one with each write() of this object, and changes when somebody else has written.
  [[nodiscard]] virtual std::uint64_t change_counter() = 0;
};

}  // namespace paytower::sim
