#include "tests/support/memory_ledger.h"

#include <algorithm>
#include <unordered_map>

namespace paytower::sim {

namespace {

constexpr std::array view_counters = {Number::payments_created,  Number::htlcs_created,    Number::htlcs_deleted,
                                      Number::movements_created, Number::payments_updated, Number::payments_deleted,
                                      Number::htlcs_updated};

template <typename Map>
auto value_or_nothing(const Map& map, const typename Map::key_type& key) -> std::optional<typename Map::mapped_type> {
  const auto found = map.find(key);
  if (found == map.end()) return std::nullopt;
  return found->second;
}

template <typename T>
std::vector<T> above(const std::map<std::uint64_t, T>& map, std::uint64_t after, std::size_t limit) {
  std::vector<T> found;
  for (auto at = map.upper_bound(after); at != map.end() && found.size() < limit; ++at) found.push_back(at->second);
  return found;
}

template <typename T> using ByHash = std::map<PaymentHash, std::map<std::uint64_t, T>>;

template <typename T> std::vector<T> values_of(const ByHash<T>& map, const PaymentHash& hash) {
  std::vector<T> found;
  const auto of_hash = map.find(hash);
  if (of_hash == map.end()) return found;
  for (const auto& [id, value] : of_hash->second) found.push_back(value);
  return found;
}

/// What the node remembers: every record is found by its index, and by hash through a list of indexes.
struct View {
  std::map<std::uint64_t, Row> rows;
  std::map<std::uint64_t, Htlc> htlcs;
  std::map<std::uint64_t, Movement> movements;
  std::map<AttemptKey, std::uint64_t> row_of;
  std::map<PaymentHash, std::set<std::uint64_t>> rows_by_hash;
  std::map<PaymentHash, std::set<std::uint64_t>> htlcs_by_hash;
  std::map<PaymentHash, std::set<std::uint64_t>> movements_by_hash;
  std::array<std::int64_t, view_counters.size()> counters{};
};

template <typename T>
std::vector<T> picked(const std::map<std::uint64_t, T>& map,
                      const std::map<PaymentHash, std::set<std::uint64_t>>& index, const PaymentHash& hash) {
  std::vector<T> found;
  const auto of_hash = index.find(hash);
  if (of_hash == index.end()) return found;
  for (const std::uint64_t id : of_hash->second) found.push_back(map.at(id));
  return found;
}

}  // namespace

class MemoryLedger::Tx final : public LedgerTx {
 public:
  std::int64_t number(Number which) override {
    const auto found = numbers_.find(which);
    return found == numbers_.end() ? 0 : found->second;
  }
  void set_number(Number which, std::int64_t value) override { numbers_[which] = value; }

  void add_node(const Node& node) override {
    nodes_[node.index] = node;
    node_by_key_[node.key] = node.index;
    node_by_name_[node.name] = node.index;
  }
  std::optional<Node> node(NodeIndex index) override { return value_or_nothing(nodes_, index); }
  std::optional<Node> node_by_key(const PublicKey& key) override {
    const auto index = value_or_nothing(node_by_key_, key);
    return index ? node(*index) : std::nullopt;
  }
  std::optional<Node> node_by_name(std::string_view name) override {
    const auto index = value_or_nothing(node_by_name_, std::string(name));
    return index ? node(*index) : std::nullopt;
  }
  void each_node(const Visitor<Node>& visit) override {
    for (const auto& [index, node] : nodes_) {
      if (!visit(node)) return;
    }
  }

  void add_channel(const Channel& channel) override { channels_[channel.id] = channel; }
  std::optional<Channel> channel(ShortChannelId id) override { return value_or_nothing(channels_, id); }
  void set_balances(ShortChannelId id, const std::array<Msat, 2>& balances) override {
    channels_.at(id).balances = balances;
  }
  void set_policy(ChannelDirection which, const Policy& policy) override {
    channels_.at(which.channel).policies.at(which.direction) = policy;
  }
  void each_channel(const Visitor<Channel>& visit) override {
    for (const auto& [id, channel] : channels_) {
      if (!visit(channel)) return;
    }
  }
  void each_channel_of(NodeIndex node, const Visitor<Channel>& visit) override {
    for (const auto& [id, channel] : channels_) {
      if ((channel.nodes[0] == node || channel.nodes[1] == node) && !visit(channel)) return;
    }
  }

  void put_invoice(const Invoice& invoice) override { invoices_[invoice.hash] = invoice; }
  std::optional<Invoice> invoice(const PaymentHash& hash) override { return value_or_nothing(invoices_, hash); }

  void put_flight(const Flight& flight) override {
    remove_flight(flight.id);
    flight_hash_[flight.id] = flight.key.hash;
    flights_[flight.key.hash][flight.id] = flight;
    if (flight.due) due_.emplace(*flight.due, flight.id);
  }
  void remove_flight(std::uint64_t id) override {
    const auto known = flight_hash_.find(id);
    if (known == flight_hash_.end()) return;
    auto of_hash = flights_.find(known->second);
    const Flight& flight = of_hash->second.at(id);
    if (flight.due) due_.erase({*flight.due, id});
    of_hash->second.erase(id);
    if (of_hash->second.empty()) flights_.erase(of_hash);
    flight_hash_.erase(known);
  }
  std::vector<Flight> flights_of(const PaymentHash& hash) override { return values_of(flights_, hash); }
  std::vector<Flight> flights_due(UnixNs now, std::size_t limit) override {
    std::vector<Flight> found;
    for (const auto& [due, id] : due_) {
      if (due > now || found.size() >= limit) break;
      found.push_back(flights_.at(flight_hash_.at(id)).at(id));
    }
    return found;
  }
  std::optional<UnixNs> next_due() override {
    if (due_.empty()) return std::nullopt;
    return due_.begin()->first;
  }

  void append_oracle(const OracleEntry& entry) override {
    oracle_[entry.id] = entry;
    oracle_by_hash_[entry.hash].insert(entry.id);
  }
  std::vector<OracleEntry> oracle_after(const std::optional<PaymentHash>& hash, std::uint64_t after,
                                        std::size_t limit) override {
    if (!hash) return above(oracle_, after, limit);
    std::vector<OracleEntry> found;
    for (const OracleEntry& entry : picked(oracle_, oracle_by_hash_, *hash)) {
      if (entry.id > after && found.size() < limit) found.push_back(entry);
    }
    return found;
  }

  void put_row(const Row& row) override {
    view_.rows[row.created_index] = row;
    view_.row_of[row.key] = row.created_index;
    view_.rows_by_hash[row.key.hash].insert(row.created_index);
  }
  std::optional<Row> row(const AttemptKey& key) override {
    const auto index = value_or_nothing(view_.row_of, key);
    return index ? value_or_nothing(view_.rows, *index) : std::nullopt;
  }
  std::vector<Row> rows_of(const PaymentHash& hash) override { return picked(view_.rows, view_.rows_by_hash, hash); }
  std::vector<Row> rows_after(std::uint64_t after, std::size_t limit) override {
    return above(view_.rows, after, limit);
  }
  void remove_row(std::uint64_t created_index) override {
    const auto row = view_.rows.find(created_index);
    if (row == view_.rows.end()) return;
    view_.row_of.erase(row->second.key);
    view_.rows_by_hash[row->second.key.hash].erase(created_index);
    view_.rows.erase(row);
  }

  void put_htlc(const Htlc& htlc) override {
    view_.htlcs[htlc.created_index] = htlc;
    view_.htlcs_by_hash[htlc.key.hash].insert(htlc.created_index);
  }
  std::vector<Htlc> htlcs_of(const PaymentHash& hash) override {
    return picked(view_.htlcs, view_.htlcs_by_hash, hash);
  }
  std::vector<Htlc> htlcs_after(std::uint64_t after, std::size_t limit) override {
    return above(view_.htlcs, after, limit);
  }
  void finish_htlc(std::uint64_t created_index) override { view_.htlcs.at(created_index).finished = true; }
  void remove_htlc(std::uint64_t created_index) override {
    const auto htlc = view_.htlcs.find(created_index);
    if (htlc == view_.htlcs.end()) return;
    view_.htlcs_by_hash[htlc->second.key.hash].erase(created_index);
    view_.htlcs.erase(htlc);
  }

  void add_movement(const Movement& movement) override {
    view_.movements[movement.index] = movement;
    view_.movements_by_hash[movement.key.hash].insert(movement.index);
  }
  std::vector<Movement> movements_of(const PaymentHash& hash) override {
    return picked(view_.movements, view_.movements_by_hash, hash);
  }
  std::vector<Movement> movements_after(std::uint64_t after, std::size_t limit) override {
    return above(view_.movements, after, limit);
  }

  void save_view(std::string_view name) override {
    for (std::size_t i = 0; i < view_counters.size(); ++i) view_.counters[i] = number(view_counters[i]);
    copies_[std::string(name)] = view_;
  }
  bool restore_view(std::string_view name) override {
    const auto copy = copies_.find(std::string(name));
    if (copy == copies_.end()) return false;
    use(copy->second);
    return true;
  }
  void clear_view() override { use(View{}); }

  void put_fault(const Fault& fault) override { faults_[fault.id] = fault; }
  void remove_fault(std::uint64_t id) override { faults_.erase(id); }
  std::vector<Fault> faults() override { return above(faults_, 0, faults_.size()); }
  void put_request(const HeldRequest& request) override { requests_[request.id] = request; }
  void remove_request(std::uint64_t id) override { requests_.erase(id); }
  std::vector<HeldRequest> held_requests() override { return above(requests_, 0, requests_.size()); }

 private:
  void use(const View& view) {
    view_ = view;
    for (std::size_t i = 0; i < view_counters.size(); ++i) set_number(view_counters[i], view_.counters[i]);
  }

  std::map<Number, std::int64_t> numbers_;
  std::map<NodeIndex, Node> nodes_;
  std::map<PublicKey, NodeIndex> node_by_key_;
  std::map<std::string, NodeIndex> node_by_name_;
  std::map<ShortChannelId, Channel> channels_;
  std::map<PaymentHash, Invoice> invoices_;
  ByHash<Flight> flights_;
  std::unordered_map<std::uint64_t, PaymentHash> flight_hash_;
  std::set<std::pair<UnixNs, std::uint64_t>> due_;
  std::map<std::uint64_t, OracleEntry> oracle_;
  std::map<PaymentHash, std::set<std::uint64_t>> oracle_by_hash_;
  View view_;
  std::map<std::string, View> copies_;
  std::map<std::uint64_t, Fault> faults_;
  std::map<std::uint64_t, HeldRequest> requests_;
};

MemoryLedger::MemoryLedger() : tx_(std::make_unique<Tx>()) {}
MemoryLedger::~MemoryLedger() = default;

void MemoryLedger::write(const std::function<void(LedgerTx&)>& work) {
  ++writes_;
  work(*tx_);
}

void MemoryLedger::read(const std::function<void(LedgerTx&)>& work) { work(*tx_); }

std::uint64_t MemoryLedger::change_counter() { return writes_; }

}  // namespace paytower::sim
