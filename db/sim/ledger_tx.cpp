// Numbers, and the truth: nodes, channels, invoices, flights, oracle.
#include "db/sim/ledger_tx.h"
#include "core/base/require.h"

#include <cstring>
#include <utility>

#include "core/payment/route.h"
#include "core/sim/codec.h"
#include "db/sim/ledger_sql.h"
#include "db/sqlite/transaction.h"

namespace paytower::db {

using namespace sim_sql;

namespace {

std::optional<std::uint32_t> maybe_u32(Query& query) {
  const auto value = query.maybe_number(max_u32);
  if (!value) return std::nullopt;
  return static_cast<std::uint32_t>(*value);
}

sim::Node read_node(Query& query) {
  sim::Node node;
  node.index = u32(query);
  node.name = query.text();
  node.key = query.fixed<PublicKey>();
  node.secret = query.maybe_fixed<sim::NodeSecret>();
  return node;
}

sim::Policy read_policy(Query& query) {
  sim::Policy policy;
  policy.disabled = query.integer() != 0;
  policy.fee_base_msat = u32(query);
  policy.fee_proportional_millionths = u32(query);
  policy.cltv_delta = u32(query);
  policy.htlc_min = query.msat();
  policy.htlc_max = query.msat();
  return policy;
}

sim::Channel read_channel(Query& query) {
  sim::Channel channel;
  channel.id = ShortChannelId{from_bits(query.integer())};
  channel.nodes = {u32(query), u32(query)};
  channel.capacity = query.msat();
  channel.balances = {query.msat(), query.msat()};
  channel.announced = query.integer() != 0;
  channel.policies = {read_policy(query), read_policy(query)};
  return channel;
}

sim::Flight read_flight(Query& query) {
  sim::Flight flight;
  flight.id = query.number(max_i64);
  flight.key.hash = query.fixed<PaymentHash>();
  flight.key.id = AttemptId{from_bits(query.integer())};
  flight.key.part = u32(query);
  flight.htlc_index = query.number(max_i64);
  flight.oracle_id = query.number(max_i64);
  auto route = decode_route(query.maybe_blob().value_or(Bytes{}));
  if (!route) throw BadValue("a flight without route");
  flight.route = std::move(*route);
  flight.reserved_hops = u32(query);
  flight.at_hop = u32(query);
  const std::size_t hops = flight.route.hops.size();
  if (hops == 0 || flight.reserved_hops > hops || flight.at_hop > hops)
    throw BadValue("a flight that is not on its route");
  flight.total = query.msat();
  flight.incomplete = query.integer() != 0;
  flight.foreign = query.integer() != 0;
  flight.created = query.time();
  flight.due = query.maybe_time();
  flight.stall = sim::Hold{query.integer()};
  flight.end.settles = query.integer() != 0;
  if (const auto failure = query.maybe_blob()) flight.end.failure = sim::decode_failure(*failure);
  return flight;
}

sim::OracleEntry read_oracle(Query& query) {
  sim::OracleEntry entry;
  entry.id = query.number(max_i64);
  entry.state = static_cast<sim::OracleState>(query.number(4));
  entry.hash = query.fixed<PaymentHash>();
  entry.attempt = AttemptId{from_bits(query.integer())};
  entry.part = u32(query);
  entry.amount = query.msat();
  entry.amount_sent = query.msat();
  entry.foreign = query.integer() != 0;
  entry.created = query.time();
  entry.resolved = query.maybe_time();
  return entry;
}

}  // namespace

// --- numbers ---

void SimLedgerTx::begin() {
  numbers_.fill(0);
  changed_.fill(false);
  channels_.clear();
  nodes_.clear();
  node_of_key_.clear();
  Query query = connection_.prepared("SELECT which, value FROM numbers");
  while (query.step()) {
    const auto which = static_cast<std::size_t>(query.number(number_count - 1));
    numbers_[which] = query.integer();
  }
}

void SimLedgerTx::store_changes() {
  require(in_transaction(connection_.database()), "the transaction of begin() is open");
  store_balances();
  for (std::size_t which = 0; which < number_count; ++which) {
    if (!changed_[which]) continue;
    connection_
        .prepared(
            "INSERT INTO numbers (which, value) VALUES (?1, ?2) ON CONFLICT (which) DO UPDATE SET value = "
            "excluded.value")
        .bind(bits(which), numbers_[which])
        .run();
    changed_[which] = false;
  }
}

std::int64_t SimLedgerTx::number(sim::Number which) { return numbers_.at(static_cast<std::size_t>(which)); }

void SimLedgerTx::set_number(sim::Number which, std::int64_t value) {
  numbers_.at(static_cast<std::size_t>(which)) = value;
  changed_.at(static_cast<std::size_t>(which)) = true;
}

// --- nodes and channels ---

std::size_t SimLedgerTx::ByKey::operator()(const PublicKey& key) const {
  // The x coordinate of a key is as good as random, so its last bytes can serve as a hash.
  std::size_t hash = 0;
  std::memcpy(&hash, key.bytes.data() + key.bytes.size() - sizeof(hash), sizeof(hash));
  return hash;
}

void SimLedgerTx::add_node(const sim::Node& node) {
  connection_.prepared("INSERT INTO nodes (node, name, pub_key, secret) VALUES (?1, ?2, ?3, ?4)")
      .bind(node.index, node.name, node.key, node.secret)
      .run();
}

/// Nodes are never changed or removed, so what was read once stays true.
std::optional<sim::Node> SimLedgerTx::keep(std::optional<sim::Node> node) {
  if (node && nodes_.size() < max_kept) {
    nodes_.emplace(node->index, *node);
    node_of_key_.emplace(node->key, node->index);
  }
  return node;
}

std::optional<sim::Node> SimLedgerTx::node(sim::NodeIndex index) {
  if (const auto kept = nodes_.find(index); kept != nodes_.end()) return kept->second;
  return keep(
      one(connection_.prepared("SELECT node, name, pub_key, secret FROM nodes WHERE node = ?1"), read_node, index));
}

std::optional<sim::Node> SimLedgerTx::node_by_key(const PublicKey& key) {
  if (const auto kept = node_of_key_.find(key); kept != node_of_key_.end()) return nodes_.at(kept->second);
  return keep(
      one(connection_.prepared("SELECT node, name, pub_key, secret FROM nodes WHERE pub_key = ?1"), read_node, key));
}

std::optional<sim::Node> SimLedgerTx::node_by_name(std::string_view name) {
  return one(connection_.prepared("SELECT node, name, pub_key, secret FROM nodes WHERE name = ?1"), read_node, name);
}

void SimLedgerTx::each_node(const sim::Visitor<sim::Node>& visit) {
  each(connection_.prepared("SELECT node, name, pub_key, secret FROM nodes ORDER BY node"), read_node, visit);
}

#define CHANNEL_COLUMNS                                                                \
  "scid, node0, node1, capacity_msat, balance0_msat, balance1_msat, announced, "       \
  "disabled0, fee_base0_msat, fee_ppm0, cltv_delta0, htlc_min0_msat, htlc_max0_msat, " \
  "disabled1, fee_base1_msat, fee_ppm1, cltv_delta1, htlc_min1_msat, htlc_max1_msat"

void SimLedgerTx::add_channel(const sim::Channel& channel) {
  const sim::Policy& a = channel.policies[0];
  const sim::Policy& b = channel.policies[1];
  connection_
      .prepared("INSERT INTO channels (" CHANNEL_COLUMNS
                ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)")
      .bind(bits(channel.id.value), channel.nodes[0], channel.nodes[1], channel.capacity, channel.balances[0],
            channel.balances[1], channel.announced, a.disabled, a.fee_base_msat, a.fee_proportional_millionths,
            a.cltv_delta, a.htlc_min, a.htlc_max, b.disabled, b.fee_base_msat, b.fee_proportional_millionths,
            b.cltv_delta, b.htlc_min, b.htlc_max)
      .run();
}

std::optional<sim::Channel> SimLedgerTx::channel(ShortChannelId id) {
  if (const auto kept = channels_.find(id.value); kept != channels_.end()) return kept->second.channel;
  auto channel = one(connection_.prepared("SELECT " CHANNEL_COLUMNS " FROM channels WHERE scid = ?1"), read_channel,
                     bits(id.value));
  if (channel) {
    if (channels_.size() == max_kept) forget_channels();
    channels_.emplace(id.value, KeptChannel{*channel});
  }
  return channel;
}

void SimLedgerTx::set_balances(ShortChannelId id, const std::array<Msat, 2>& balances) {
  if (!channel(id)) return;
  KeptChannel& kept = channels_.at(id.value);
  kept.channel.balances = balances;
  kept.changed = true;
}

void SimLedgerTx::store_balances() {
  for (auto& [id, kept] : channels_) {
    if (!std::exchange(kept.changed, false)) continue;
    connection_.prepared("UPDATE channels SET balance0_msat = ?2, balance1_msat = ?3 WHERE scid = ?1")
        .bind(bits(id), kept.channel.balances[0], kept.channel.balances[1])
        .run();
  }
}

void SimLedgerTx::forget_channels() {
  store_balances();
  channels_.clear();
}

void SimLedgerTx::set_policy(ChannelDirection which, const sim::Policy& policy) {
  forget_channels();
  const char* sql = which.direction == 0 ? "UPDATE channels SET disabled0 = ?2, fee_base0_msat = ?3, fee_ppm0 = ?4, "
                                           "cltv_delta0 = ?5, htlc_min0_msat = ?6, "
                                           "htlc_max0_msat = ?7 WHERE scid = ?1"
                                         : "UPDATE channels SET disabled1 = ?2, fee_base1_msat = ?3, fee_ppm1 = ?4, "
                                           "cltv_delta1 = ?5, htlc_min1_msat = ?6, "
                                           "htlc_max1_msat = ?7 WHERE scid = ?1";
  connection_.prepared(sql)
      .bind(bits(which.channel.value), policy.disabled, policy.fee_base_msat, policy.fee_proportional_millionths,
            policy.cltv_delta, policy.htlc_min, policy.htlc_max)
      .run();
}

void SimLedgerTx::each_channel(const sim::Visitor<sim::Channel>& visit) {
  store_balances();
  each(connection_.prepared("SELECT " CHANNEL_COLUMNS " FROM channels ORDER BY scid"), read_channel, visit);
}

void SimLedgerTx::each_channel_of(sim::NodeIndex node, const sim::Visitor<sim::Channel>& visit) {
  store_balances();
  each(connection_.prepared("SELECT " CHANNEL_COLUMNS " FROM channels WHERE node0 = ?1 OR node1 = ?1 ORDER BY scid"),
       read_channel, visit, node);
}

// --- invoices ---

void SimLedgerTx::put_invoice(const sim::Invoice& invoice) {
  const auto fail = invoice.fail.value_or(sim::FailSpec{});
  std::optional<std::int64_t> code;
  if (invoice.fail) code = fail.wire_code;
  connection_
      .prepared(
          "INSERT OR REPLACE INTO invoices (payment_hash, preimage, payment_secret, amount_msat, payee, expires_ns, "
          "final_cltv_delta, "
          "hold_ns, fail_code, fail_hop, fail_times, manners, attempts, paid, bolt11) "
          "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)")
      .bind(invoice.hash, invoice.preimage, invoice.secret, invoice.amount, invoice.payee, invoice.expires,
            invoice.final_cltv_delta, invoice.hold.ns, code, fail.hop, fail.times, static_cast<int>(invoice.behaviour),
            invoice.attempts, invoice.paid, invoice.text)
      .run();
}

std::optional<sim::Invoice> SimLedgerTx::invoice(const PaymentHash& hash) {
  Query query = connection_.prepared(
      "SELECT preimage, payment_secret, amount_msat, payee, expires_ns, final_cltv_delta, hold_ns, fail_code, "
      "fail_hop, fail_times, "
      "manners, attempts, paid, bolt11 FROM invoices WHERE payment_hash = ?1");
  query.bind(hash);
  if (!query.step()) return std::nullopt;
  sim::Invoice invoice;
  invoice.hash = hash;
  invoice.preimage = query.fixed<Preimage>();
  invoice.secret = query.fixed<PaymentSecret>();
  if (const auto amount = query.maybe_number(Msat::max_value)) invoice.amount = Msat::of(*amount);
  invoice.payee = u32(query);
  invoice.expires = query.time();
  invoice.final_cltv_delta = u32(query);
  invoice.hold = sim::Hold{query.integer()};
  const auto code = maybe_u32(query);
  const auto hop = maybe_u32(query);
  const auto times = maybe_u32(query);
  if (code) invoice.fail = sim::FailSpec{*code, hop, times};
  invoice.behaviour = static_cast<sim::PayeeBehaviour>(query.number(3));
  invoice.attempts = u32(query);
  invoice.paid = query.integer() != 0;
  invoice.text = query.text();
  return invoice;
}

// --- flights and oracle ---

#define FLIGHT_COLUMNS                                                                                                 \
  "flight, payment_hash, attempt_id, part, htlc_index, oracle, route, reserved_hops, at_hop, total_msat, incomplete, " \
  "is_foreign, created_ns, due_ns, stall_ns, settles, failure"

void SimLedgerTx::put_flight(const sim::Flight& flight) {
  const auto failure = flight.end.failure ? std::optional(sim::encode_failure(*flight.end.failure)) : std::nullopt;
  connection_
      .prepared("INSERT OR REPLACE INTO flights (" FLIGHT_COLUMNS
                ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)")
      .bind(bits(flight.id), flight.key.hash, bits(flight.key.id.value), flight.key.part, bits(flight.htlc_index),
            bits(flight.oracle_id), encode_route(flight.route), flight.reserved_hops, flight.at_hop, flight.total,
            flight.incomplete, flight.foreign, flight.created, flight.due, flight.stall.ns, flight.end.settles, failure)
      .run();
}

void SimLedgerTx::remove_flight(std::uint64_t id) {
  connection_.prepared("DELETE FROM flights WHERE flight = ?1").bind(bits(id)).run();
}

std::vector<sim::Flight> SimLedgerTx::flights_of(const PaymentHash& hash) {
  return all(connection_.prepared("SELECT " FLIGHT_COLUMNS " FROM flights WHERE payment_hash = ?1 ORDER BY flight"),
             read_flight, hash);
}

std::vector<sim::Flight> SimLedgerTx::flights_due(UnixNs now, std::size_t limit) {
  return all(connection_.prepared("SELECT " FLIGHT_COLUMNS
                                  " FROM flights WHERE due_ns <= ?1 ORDER BY due_ns, flight LIMIT ?2"),
             read_flight, now, bits(limit));
}

std::optional<UnixNs> SimLedgerTx::next_due() {
  Query query = connection_.prepared("SELECT due_ns FROM flights WHERE due_ns IS NOT NULL ORDER BY due_ns LIMIT 1");
  if (!query.step()) return std::nullopt;
  return query.time();
}

#define ORACLE_COLUMNS \
  "entry, state, payment_hash, attempt_id, part, amount_msat, amount_sent_msat, is_foreign, created_ns, resolved_ns"

void SimLedgerTx::append_oracle(const sim::OracleEntry& entry) {
  connection_.prepared("INSERT INTO oracle (" ORACLE_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")
      .bind(bits(entry.id), static_cast<int>(entry.state), entry.hash, bits(entry.attempt.value), entry.part,
            entry.amount, entry.amount_sent, entry.foreign, entry.created, entry.resolved)
      .run();
}

std::vector<sim::OracleEntry> SimLedgerTx::oracle_after(const std::optional<PaymentHash>& hash, std::uint64_t after,
                                                        std::size_t limit) {
  // An entry's end has a higher state than its start, which is 1.
  if (hash) {
    return all(
        connection_.prepared("SELECT " ORACLE_COLUMNS
                             " FROM oracle AS o WHERE payment_hash = ?1 AND entry > ?2 AND (state <> 1 OR NOT EXISTS "
                             "(SELECT 1 FROM oracle WHERE entry = o.entry AND state <> 1)) ORDER BY entry LIMIT ?3"),
        read_oracle, *hash, bits(after), bits(limit));
  }
  return all(
      connection_.prepared("SELECT " ORACLE_COLUMNS " FROM oracle AS o WHERE entry > ?1 AND (state <> 1 OR NOT EXISTS "
                           "(SELECT 1 FROM oracle WHERE entry = o.entry AND state <> 1)) ORDER BY entry LIMIT ?2"),
      read_oracle, bits(after), bits(limit));
}

}  // namespace paytower::db
