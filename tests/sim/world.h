// A small simulated network with known numbers, and what the tests do with it.
//
//   n0 --A-- n1 --B-- n2 --C-- n3
//     \--D-- n4 --E-- n3
//
// n1 over B: 1000 msat + 100 ppm, delta 40. n2 over C: 500 msat + 1000 ppm, delta 30. n4 over E: 400,000 msat + 0 ppm,
// delta 10: this way costs more.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/invoice/bolt11/invoice.h"
#include "core/sim/graph.h"
#include "core/sim/network.h"
#include "core/sim/node/pipe.h"
#include "core/sim/path_finder.h"
#include "core/switch/cln/switch.h"
#include "tests/support/lists.h"
#include "tests/support/test_admin.h"
#include "tests/support/test_ledger.h"

namespace paytower::sim::test {

using paytower::test::TempFolder;
using paytower::test::TestLedger;

/// Time passes only while somebody sleeps.
class FakeClock final : public Clock {
 public:
  UnixNs wall() override { return UnixNs{wall_}; }
  MonoNs mono() override { return MonoNs{mono_}; }
  void sleep_until(MonoNs until) override {
    if (signal_) return;
    const std::int64_t pause = std::max<std::int64_t>(until.value - mono_, 0);
    mono_ += pause;
    wall_ += pause;
  }
  int stop_signal() override { return signal_; }

  void pass(std::int64_t ns) {
    mono_ += ns;
    wall_ += ns;
  }
  void set_wall(std::int64_t ns) { wall_ = ns; }
  void raise(int signal) { signal_ = signal; }

 private:
  std::int64_t wall_ = 1'700'000'000 * ns_per_second;
  std::int64_t mono_ = 5 * ns_per_second;
  int signal_ = 0;
};

class SeededBytes final : public Randomness {
 public:
  void fill(std::span<std::uint8_t> out) override {
    for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>(numbers_.below(256));
  }

 private:
  SeededNumbers numbers_{1};
};

inline ShortChannelId scid(std::uint32_t number) {
  return ShortChannelId{std::uint64_t{700'000} << 40 | std::uint64_t{number} << 16};
}
inline const ShortChannelId chan_a = scid(1), chan_b = scid(2), chan_c = scid(3), chan_d = scid(4), chan_e = scid(5);
inline constexpr std::uint64_t sat = 1'000;
inline constexpr std::uint64_t capacity = 1'000'000 * sat;

inline PublicKey key_of(NodeIndex node) { return *public_key_of(node_secret(7, node).bytes); }

inline Policy policy(std::uint32_t base, std::uint32_t ppm, std::uint32_t delta) {
  Policy made;
  made.fee_base_msat = base;
  made.fee_proportional_millionths = ppm;
  made.cltv_delta = delta;
  made.htlc_max = Msat::of(capacity);
  return made;
}

/// A channel whose `from` side asks for `out` and holds `balance`.
inline Channel channel_between(ShortChannelId id, NodeIndex from, NodeIndex to, const Policy& out,
                               std::uint64_t balance) {
  Channel made;
  made.id = id;
  made.capacity = Msat::of(capacity);
  const std::uint8_t side = key_of(from) < key_of(to) ? 0 : 1;
  made.nodes[side] = from;
  made.nodes[1 - side] = to;
  made.policies[side] = out;
  made.policies[1 - side] = policy(1, 1, 14);
  made.balances[side] = Msat::of(balance);
  made.balances[1 - side] = Msat::of(capacity - balance);
  return made;
}

inline void build_small_network(Ledger& ledger) {
  ledger.write([](LedgerTx& tx) {
    for (NodeIndex i = 0; i < 5; ++i) tx.add_node(Node{i, "n" + std::to_string(i), key_of(i), node_secret(7, i)});
    tx.add_channel(channel_between(chan_a, 0, 1, policy(0, 0, 0), 800'000 * sat));
    tx.add_channel(channel_between(chan_b, 1, 2, policy(1'000, 100, 40), 500'000 * sat));
    tx.add_channel(channel_between(chan_c, 2, 3, policy(500, 1'000, 30), 500'000 * sat));
    tx.add_channel(channel_between(chan_d, 0, 4, policy(0, 0, 0), 800'000 * sat));
    tx.add_channel(channel_between(chan_e, 4, 3, policy(400'000, 0, 10), 500'000 * sat));
    tx.set_number(Number::height, 800'000);
    tx.set_number(Number::latency_ns, default_latency_ns);
    tx.set_number(Number::graph_version, 1);
  });
}

/// The network with a user, its invoices and its attempts. Each test gets a fresh one.
class World {
 public:
  World() {
    build_small_network(ledger_);
    restart();
  }

  FakeClock& clock() { return clock_; }
  Ledger& ledger() { return ledger_; }
  TestAdmin& admin() { return admin_; }
  cln::ClnSwitch& node() { return *node_; }
  cln::ClnSwitch another_client(Randomness& ids) {
    return cln::ClnSwitch(pipe_.transport(), std::nullopt, clock_, pipe_, ids);
  }
  Faults& faults() { return pipe_.faults(); }
  /// Starts a new process, connected: it knows nothing of what the old one had asked.
  void restart() {
    node_.emplace(pipe_.transport(), std::nullopt, clock_, pipe_, request_ids_);
    connect();
  }
  void connect() {
    node_->identify();
    (void)one<IdentityAnswer>();
  }

  MadeInvoice invoice(std::uint64_t msat = 100'000 * sat, Hold hold = {}, const char* fail = nullptr,
                      PayeeBehaviour behaviour = PayeeBehaviour::honest) {
    InvoiceParams params;
    if (msat != 0) params.amount = Msat::of(msat);
    params.node = "n3";
    params.hold = hold;
    params.behaviour = behaviour;
    if (fail) params.fail = *parse_fail_spec(fail);
    return *admin_.make_invoice(params);
  }

  RouteQuestion question(const MadeInvoice& made, std::uint64_t msat = 100'000 * sat) {
    RouteQuestion asked;
    asked.ticket = 77;
    asked.demand.destination = key_of(made.payee);
    asked.demand.amount = Msat::of(msat);
    asked.demand.fee_limit = Msat::of(1'000'000);
    return asked;
  }

  /// The path finder's answer.
  RouteAnswer route(const RouteQuestion& asked) {
    RouteAnswer answer;
    ledger_.read([&](LedgerTx& tx) {
      answer.ticket = asked.ticket;
      if (auto found = find_route(Graph::load(tx), own_balances(tx), asked)) answer.routes.push_back(std::move(*found));
    });
    return answer;
  }

  Handover handover(const MadeInvoice& made, std::uint64_t id, std::uint64_t msat = 100'000 * sat) {
    Handover given;
    given.key = AttemptKey{made.hash, AttemptId{id}, 0};
    given.label = attempt_label(StoreId{}, given.key.id);
    given.route = route(question(made, msat)).routes.at(0);
    given.amount = Msat::of(msat);
    given.payment_secret = admin_.invoice(made.hash)->secret;
    given.invoice = made.text;
    return given;
  }

  DispatchAnswer dispatch(const Handover& given) {
    node_->dispatch(given);
    return one<DispatchAnswer>();
  }
  FenceAnswer fence(const Handover& given) {
    node_->fence(given);
    return one<FenceAnswer>();
  }
  cln::NodeLists look(const PaymentHash& hash) {
    const Marks from = cln::marks_of({0, 0, 0, 0});
    node_->look(hash, std::span(&from, 1));
    return paytower::test::lists_of(one<LookAnswer>());
  }
  QueryAnswer query(const AttemptKey& key) {
    node_->query(key);
    return one<QueryAnswer>();
  }
  /// Hands over and waits for the end.
  QueryAnswer pay(const Handover& given) {
    REQUIRE(dispatch(given).kind == DispatchAnswer::Kind::accepted);
    return query(given.key);
  }

  std::vector<SwitchEvent> poll(std::int64_t ns = 10 * ns_per_second) {
    return node_->poll(MonoNs{clock_.mono().value + ns});
  }

  /// The one event that comes, which must be of this kind.
  template <typename Event> Event one() {
    const std::vector<SwitchEvent> events = poll();
    REQUIRE(events.size() == 1);
    REQUIRE(std::holds_alternative<Event>(events[0]));
    return std::get<Event>(events[0]);
  }

  std::vector<OracleEntry> oracle(const std::optional<PaymentHash>& hash = std::nullopt) {
    std::vector<OracleEntry> entries;
    admin_.ledger(hash, [&](const OracleEntry& entry) {
      entries.push_back(entry);
      return true;
    });
    return entries;
  }
  std::size_t count(OracleState state) {
    const auto entries = oracle();
    return static_cast<std::size_t>(
        std::count_if(entries.begin(), entries.end(), [&](const OracleEntry& entry) { return entry.state == state; }));
  }

  /// What `from` can spend on a channel.
  std::uint64_t balance(ShortChannelId id, NodeIndex from) {
    const Channel channel = *admin_.channel(id);
    return channel.balances[channel.nodes[0] == from ? 0 : 1].value();
  }
  std::uint64_t under_way(ShortChannelId id) {
    const Channel channel = *admin_.channel(id);
    return channel.capacity.value() - channel.balances[0].value() - channel.balances[1].value();
  }
  /// The direction in which `from` sends.
  ChannelDirection direction(ShortChannelId id, NodeIndex from) {
    return ChannelDirection{id, static_cast<std::uint8_t>(admin_.channel(id)->nodes[0] == from ? 0 : 1)};
  }
  Policy policy_of(ShortChannelId id, NodeIndex from) {
    return admin_.channel(id)->policies[direction(id, from).direction];
  }

  /// Adds a fault that strikes once, at the next such occasion.
  void fault(FaultKind kind, const char* occasion, bool after = false) {
    faults().add({.kind = kind, .occasion = occasion, .after = after, .times = 1});
  }

 private:
  FakeClock clock_;
  TestLedger ledger_;
  TestAdmin admin_{ledger_, clock_};
  PipeNode pipe_{ledger_, clock_, "the small network"};
  SeededBytes request_ids_;
  std::optional<cln::ClnSwitch> node_;
};

}  // namespace paytower::sim::test
