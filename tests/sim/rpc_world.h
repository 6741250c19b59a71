// The small network of world.h behind Core Lightning's commands, without a socket.
#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/sim/node/node.h"
#include "tests/sim/world.h"

namespace paytower::sim::test {

/// The node's answer, for CHECKs.
struct Said {
  bool answered = false;
  bool waits = false;
  bool breaks = false;
  int code = 0;  ///< 0 with a result
  std::string message{};
  Json body{};  ///< result, or error
};

class RpcWorld {
 public:
  explicit RpcWorld(RpcTraits traits = {}) : node_(Faults(std::move(traits))) {}

  World& world() { return world_; }
  RpcNode& node() { return node_; }

  Said call(const std::string& method, const nlohmann::json& params = nlohmann::json::object(),
            const ActiveFaults& met = {}) {
    RpcCall made;
    made.method = method;
    made.params = params;
    return call(made, met);
  }
  Said call(const RpcCall& made, const ActiveFaults& met = {}) {
    std::optional<RpcOutcome> outcome;
    world_.ledger().write([&](LedgerTx& tx) {
      node_.advance(tx, world_.clock().wall());
      outcome = node_.execute(tx, made, moment(), met);
      node_.advance(tx, world_.clock().wall());
    });
    return said(std::move(*outcome));
  }
  /// Lets time pass, then asks for the answer to the last request that waits.
  Said later(std::int64_t ns) {
    world_.clock().pass(ns);
    std::optional<RpcOutcome> outcome;
    world_.ledger().write([&](LedgerTx& tx) {
      node_.advance(tx, world_.clock().wall());
      outcome = node_.settle(tx, wait_, moment());
      node_.forget_late();
    });
    if (!outcome) return Said{false, true, false, 0, {}, {}};
    return said(std::move(*outcome));
  }

  /// Parameters of a sendpay over the cheapest route for `msat`.
  nlohmann::json sendpay(const MadeInvoice& invoice, std::uint64_t group, std::uint64_t msat = 100'000 * sat) {
    const Route route = world_.route(world_.question(invoice, msat)).routes.at(0);
    nlohmann::json hops = nlohmann::json::array();
    for (const Hop& hop : route.hops) {
      hops.push_back({{"id", hop.node.hex()},
                      {"channel", hop.channel.text()},
                      {"direction", hop.direction},
                      {"amount_msat", hop.amount.value()},
                      {"delay", hop.delay},
                      {"style", "tlv"}});
    }
    return {{"route", hops},
            {"payment_hash", invoice.hash.hex()},
            {"groupid", group},
            {"partid", 0},
            {"payment_secret", world_.admin().invoice(invoice.hash)->secret.hex()},
            {"label", "paytower:00:" + std::to_string(group)}};
  }
  /// Parameters of a fence: one hop with all the money there is, over a channel of the node.
  nlohmann::json fence(const MadeInvoice& invoice, std::uint64_t group) {
    nlohmann::json params = sendpay(invoice, group);
    params["route"] = nlohmann::json::array({params["route"][0]});
    params["route"][0]["amount_msat"] = Msat::max_value;
    params["label"] = "paytower:00:" + std::to_string(group) + ":fence";
    return params;
  }
  /// Parameters of a part that delivers `msat` of `total`.
  nlohmann::json part(const MadeInvoice& invoice, std::uint64_t group, std::uint32_t number, std::uint64_t msat,
                      std::uint64_t total = 100'000 * sat) {
    nlohmann::json params = sendpay(invoice, group, msat);
    params["partid"] = number;
    params["amount_msat"] = total;
    params["label"] = "paytower:00:" + std::to_string(group) + ":" + std::to_string(number);
    return params;
  }
  /// Parameters of a part's fence: over a channel of the node to its peer, then over a channel that does not exist.
  nlohmann::json part_fence(const MadeInvoice& invoice, std::uint64_t group, std::uint32_t number, std::uint64_t msat,
                            std::uint64_t total = 100'000 * sat) {
    nlohmann::json params = part(invoice, group, number, msat, total);
    nlohmann::json hop = params["route"].back();
    hop["channel"] = "1x1x1";
    params["route"] = nlohmann::json::array({params["route"][0], hop});
    params["route"][0]["amount_msat"] = Msat::max_value;
    params["label"] = params["label"].get<std::string>() + ":fence";
    return params;
  }
  Said waitsendpay(const MadeInvoice& invoice, std::uint64_t group, std::uint32_t timeout = 30,
                   std::uint32_t number = 0) {
    return call("waitsendpay",
                {{"payment_hash", invoice.hash.hex()}, {"groupid", group}, {"partid", number}, {"timeout", timeout}});
  }
  /// waitsendpay, with enough time for an HTLC that nobody holds.
  Said outcome(const MadeInvoice& invoice, std::uint64_t group) {
    const Said first = waitsendpay(invoice, group);
    return first.waits ? later(ns_per_second) : first;
  }
  Json rows(const MadeInvoice& invoice) {
    return call("listsendpays", {{"payment_hash", invoice.hash.hex()}}).body["payments"];
  }

 private:
  RpcMoment moment() { return RpcMoment{world_.clock().wall(), world_.clock().mono()}; }

  Said said(RpcOutcome outcome) {
    Said said;
    if (const auto* wait = std::get_if<RpcWait>(&outcome)) {
      wait_ = *wait;
      said.waits = true;
    } else if (const auto* silence = std::get_if<RpcSilence>(&outcome)) {
      said.breaks = silence->disconnect;
    } else {
      const auto& reply = std::get<CallReply>(outcome);
      said.answered = true;
      said.body = reply.body;
      if (reply.failed) {
        said.code = reply.body["code"];
        said.message = reply.body["message"];
      }
    }
    return said;
  }

  World world_;
  RpcNode node_;
  RpcWait wait_;
};

}  // namespace paytower::sim::test
