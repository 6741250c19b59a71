// What tests can do to a simulated network by hand, in addition to SimAdmin. Every call is one transaction.
#pragma once

#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

#include "core/sim/admin.h"
#include "core/sim/erasure.h"
#include "core/sim/path_finder.h"

namespace paytower::sim {

class TestAdmin : public SimAdmin {
 public:
  using SimAdmin::SimAdmin;

  // --- time and chain: three inputs that do not follow each other ---
  void set_height(std::uint32_t height) { set(Number::height, height); }
  void set_latency(std::int64_t ns) { set(Number::latency_ns, ns); }
  /// Network time = wall clock + offset (0 when a network is made).
  void set_time_offset(std::int64_t ns) { set(Number::time_offset_ns, ns); }
  /// Network time stands still at `at`.
  void freeze_time(UnixNs at) {
    set(Number::frozen_time_ns, at.value);
    set(Number::time_is_frozen, 1);
  }
  [[nodiscard]] UnixNs now() {
    return read<UnixNs>([&](LedgerTx& tx) { return network_time(tx, clock_.wall()); });
  }

  // --- the graph ---
  /// False for a channel that is not there.
  bool set_policy(ChannelDirection which, const Policy& policy) {
    if (!channel(which.channel)) return false;
    change_graph([&](LedgerTx& tx) { tx.set_policy(which, policy); });
    return true;
  }
  /// Moves money inside the channel: `side0` gets what is given of the part that is not under way, the other side the
  /// rest.
  bool set_balance(ShortChannelId id, Msat side0) {
    bool found = false;
    act([&](LedgerTx& tx, Engine&) {
      const auto channel = tx.channel(id);
      found = channel.has_value();
      if (!found) return;
      const std::uint64_t both = channel->balances[0].value() + channel->balances[1].value();
      const std::uint64_t first = std::min(side0.value(), both);
      tx.set_balances(id, {Msat::of(first), Msat::of(both - first)});
    });
    return found;
  }
  [[nodiscard]] std::optional<Channel> channel(ShortChannelId id) {
    return read<std::optional<Channel>>([&](LedgerTx& tx) { return tx.channel(id); });
  }
  [[nodiscard]] std::vector<Channel> channels() {
    std::vector<Channel> all;
    ledger_.read(
        [&](LedgerTx& tx) { tx.each_channel([&](const Channel& channel) { return all.push_back(channel), true; }); });
    return all;
  }
  [[nodiscard]] std::optional<Node> node(std::string_view name_or_key) {
    return read<std::optional<Node>>([&](LedgerTx& tx) {
      const auto found = tx.node_by_name(name_or_key);
      const auto key = found ? std::nullopt : PublicKey::from_hex_text(name_or_key);
      return key ? tx.node_by_key(*key) : found;
    });
  }
  void add_node(const Node& node) {
    change_graph([&](LedgerTx& tx) { tx.add_node(node); });
  }
  void add_channel(const Channel& channel) {
    change_graph([&](LedgerTx& tx) { tx.add_channel(channel); });
  }
  [[nodiscard]] std::optional<Invoice> invoice(const PaymentHash& hash) {
    return read<std::optional<Invoice>>([&](LedgerTx& tx) { return tx.invoice(hash); });
  }
  /// False for an unknown hash.
  bool set_behaviour(const PaymentHash& hash, PayeeBehaviour behaviour) {
    auto found = invoice(hash);
    if (!found) return false;
    found->behaviour = behaviour;
    act([&](LedgerTx& tx, Engine&) { tx.put_invoice(*found); });
    return true;
  }

  // --- the node ---
  std::size_t erase(const Erasure& what) {
    std::size_t rows = 0;
    act([&](LedgerTx& tx, Engine&) { rows = sim::erase(tx, what); });
    return rows;
  }
  /// A row that stays pending for ever, without HTLC.
  void add_orphan_row(const Handover& handover) {
    act([&](LedgerTx&, Engine& engine) { engine.add_orphan_row(handover); });
  }
  /// Another user of the node acts on the hash of an invoice now; `group` 0 = one above all others.
  [[nodiscard]] Result<AttemptId> foreign(const PaymentHash& hash, ForeignAct what, std::string_view label,
                                          std::uint64_t group = 0) {
    std::optional<Result<AttemptId>> done;
    act([&](LedgerTx&, Engine& engine) { done = engine.foreign(hash, what, label, group); });
    return *done;
  }
  /// Another user of the node pays the hash in two parts, and hands over this many of them. False if the node or the
  /// network refuses.
  bool foreign_set(const PaymentHash& hash, std::string_view label, std::uint32_t handed_over) {
    bool sent = false;
    act([&](LedgerTx& tx, Engine& engine) {
      const auto invoice = tx.invoice(hash);
      Handover handover;
      handover.key = AttemptKey{hash, AttemptId{group_above(tx, hash)}, 1};
      handover.label = label;
      handover.amount = *invoice->amount;
      handover.payment_secret = invoice->secret;
      RouteQuestion question;
      question.demand.destination = tx.node(invoice->payee)->key;
      question.demand.final_cltv_delta = invoice->final_cltv_delta;
      question.demand.fee_limit = Msat::of(Msat::max_value);
      const std::uint64_t half = handover.amount.value() / 2;
      for (; handover.key.part <= handed_over; ++handover.key.part) {
        question.demand.amount = Msat::of(handover.key.part == 1 ? half : handover.amount.value() - half);
        auto route = find_route(Graph::load(tx), own_balances(tx), question);
        if (!route) return;
        handover.route = std::move(*route);
        if (engine.send(handover, SendOptions{true}).kind != SendResult::Kind::pending) return;
        sent = true;
      }
    });
    return sent;
  }
  void save_copy(std::string_view name) {
    act([&](LedgerTx& tx, Engine&) { tx.save_view(name); });
  }
  /// False if there is no such copy.
  bool restore_copy(std::string_view name) {
    bool restored = false;
    act([&](LedgerTx&, Engine& engine) { restored = engine.restore(name); });
    return restored;
  }
  void new_store() {
    act([](LedgerTx&, Engine& engine) { engine.new_store(); });
  }

 private:
  template <typename T, typename Work> T read(Work work) {
    T found{};
    ledger_.read([&](LedgerTx& tx) { found = work(tx); });
    return found;
  }
  void set(Number which, std::int64_t value) {
    act([&](LedgerTx& tx, Engine&) { tx.set_number(which, value); });
  }
  template <typename Work> void change_graph(Work work) {
    ledger_.write([&](LedgerTx& tx) {
      work(tx);
      tx.set_number(Number::graph_version, tx.number(Number::graph_version) + 1);
    });
  }
};

}  // namespace paytower::sim
