// Executes Core Lightning's commands, and does what faults do to the node.
#include "core/sim/node/node.h"

#include <algorithm>

#include <fmt/core.h>

#include "core/invoice/bolt11/invoice.h"
#include "core/sim/erasure.h"
#include "core/sim/network.h"
#include "core/sim/node/turn.h"

namespace paytower::sim {

namespace {

constexpr std::string_view version = "v25.09.3-simulated";
constexpr int most_ends_by_faults = 8;

Json invoice_json(const paytower::Invoice& invoice) {
  const auto hex = [](std::span<const std::uint8_t> bytes) { return to_hex(bytes); };
  Json json;
  json["type"] = "bolt11 invoice";
  json["currency"] = invoice.network == "bitcoin"   ? "bc"
                     : invoice.network == "testnet" ? "tb"
                     : invoice.network == "signet"  ? "tbs"
                     : invoice.network == "simnet"  ? "sb"
                                                    : "bcrt";
  json["created_at"] = invoice.timestamp;
  json["expiry"] = invoice.expiry;
  json["payee"] = invoice.payee.hex();
  if (invoice.amount) json["amount_msat"] = invoice.amount->value();
  if (invoice.description) json["description"] = *invoice.description;
  if (invoice.description_hash) json["description_hash"] = invoice.description_hash->hex();
  json["min_final_cltv_expiry"] = invoice.min_final_cltv;
  json["payment_secret"] = invoice.payment_secret.hex();
  json["features"] = hex(invoice.features);
  if (invoice.metadata) json["payment_metadata"] = hex(*invoice.metadata);
  for (const RouteHint& hint : invoice.route_hints) {
    Json route = Json::array();
    for (const HintHop& hop : hint) {
      route.push_back(Json{{"pubkey", hop.node.hex()},
                           {"short_channel_id", hop.channel.text()},
                           {"fee_base_msat", hop.fee_base_msat},
                           {"fee_proportional_millionths", hop.fee_proportional_millionths},
                           {"cltv_expiry_delta", hop.cltv_expiry_delta}});
    }
    json["routes"].push_back(std::move(route));
  }
  json["payment_hash"] = invoice.payment_hash.hex();
  json["signature"] = hex(invoice.signature);
  json["valid"] = true;
  return json;
}

}  // namespace

RpcNode::Method::Method(std::string_view all, RpcOutcome (RpcNode::*does)(Turn&, const Params&), bool may_write)
    : usage(all), name(all.substr(0, all.find(' '))), run(does), writes(may_write) {
  for (all.remove_prefix(name.size()); !all.empty(); all.remove_prefix(std::min(all.size(), all.find(' ')))) {
    all.remove_prefix(1);
    const std::string_view word = all.substr(0, all.find(' '));
    const bool optional = word.front() == '[';
    params.push_back({optional ? word.substr(1, word.size() - 2) : word, !optional});
  }
}

const std::vector<RpcNode::Method>& RpcNode::methods() {
  static const std::vector<Method> table = {
      {"getinfo", &RpcNode::getinfo},
      {"help [command]", &RpcNode::help},
      {"notifications enable", &RpcNode::notifications},
      {"stop", &RpcNode::stop},
      {"invoice amount_msat label description [expiry] [fallbacks] [preimage] [exposeprivatechannels] [cltv] "
       "[deschashonly]",
       &RpcNode::invoice, true},
      {"decode string", &RpcNode::decode},
      {"sendpay route payment_hash [label] [amount_msat] [bolt11] [payment_secret] [partid] [localinvreqid] [groupid] "
       "[payment_metadata] [description]",
       &RpcNode::sendpay, true},
      {"waitsendpay payment_hash [timeout] [partid] [groupid]", &RpcNode::waitsendpay},
      {"delpay payment_hash status [partid] [groupid]", &RpcNode::delpay, true},
      {"listsendpays [bolt11] [payment_hash] [status] [index] [start] [limit]", &RpcNode::listsendpays},
      {"listhtlcs [id] [index] [start] [limit]", &RpcNode::listhtlcs},
      {"listchannelmoves [index] [start] [limit]", &RpcNode::listchannelmoves},
      {"wait subsystem indexname nextvalue", &RpcNode::wait},
      {"getroute id amount_msat riskfactor [cltv] [fromid] [fuzzpercent] [exclude] [maxhops]", &RpcNode::getroute},
      {"getroutes source destination amount_msat layers maxfee_msat final_cltv [maxdelay] [maxparts]",
       &RpcNode::getroutes},
      {"askrene-create-layer layer [persistent]", &RpcNode::create_layer},
      {"askrene-update-channel layer short_channel_id_dir [enabled] [htlc_minimum_msat] [htlc_maximum_msat] "
       "[fee_base_msat] [fee_proportional_millionths] [cltv_expiry_delta]",
       &RpcNode::update_channel},
      {"askrene-disable-node layer node", &RpcNode::disable_node},
      {"askrene-listlayers [layer]", &RpcNode::list_layers},
      {"askrene-inform-channel layer short_channel_id_dir amount_msat inform", &RpcNode::inform_channel},
      {"askrene-age layer cutoff", &RpcNode::age_layer},
      {"askrene-remove-layer layer", &RpcNode::remove_layer},
      {"askrene-reserve path", &RpcNode::reserve},
      {"askrene-unreserve path", &RpcNode::unreserve},
      {"askrene-listreservations", &RpcNode::list_reservations},
      {"listchannels [short_channel_id] [source] [destination]", &RpcNode::listchannels},
      {"listpeerchannels [id] [short_channel_id]", &RpcNode::listpeerchannels},
  };
  return table;
}

const RpcNode::Method* RpcNode::find(std::string_view name) {
  for (const Method& method : methods()) {
    if (method.name == name) return &method;
  }
  return nullptr;
}

bool RpcNode::may_write(const RpcCall& call) {
  const Method* method = find(call.method);
  return method && method->writes;
}

std::optional<PaymentHash> RpcNode::hash_of(const RpcCall& call) {
  const Method* method = find(call.method);
  if (!method) return std::nullopt;
  try {
    return Params(call.params, method->params).hash("payment_hash");
  } catch (const CallError&) {
    return std::nullopt;  // the answer will say so
  }
}

std::optional<std::uint32_t> RpcNode::part_of(const RpcCall& call) {
  const Method* method = find(call.method);
  const auto is_part = [](const ParamSpec& spec) { return spec.name == "partid"; };
  if (!method || std::none_of(method->params.begin(), method->params.end(), is_part)) return std::nullopt;
  try {
    return Params(call.params, method->params).u32("partid").value_or(0);
  } catch (const CallError&) {
    return std::nullopt;  // the answer will say so
  }
}

void RpcNode::advance(LedgerTx& tx, UnixNs wall) {
  const ActiveFaults none;
  Turn turn(tx, RpcMoment{wall, {}}, none);
  turn.engine.advance();
  // A fault may make something else end.
  for (int round = 0; round < most_ends_by_faults; ++round) {
    const Progress progress = turn.engine.take_progress();
    late_.insert(late_.end(), progress.late.begin(), progress.late.end());
    for (const AttemptKey& key : progress.ended) {
      for (const Fault& fault : faults_.at("end", key.hash, key.part).all) spoil(turn, fault, key.hash, key);
    }
  }
}

void RpcNode::spoil(Turn& turn, const Fault& fault, const PaymentHash& hash, const std::optional<AttemptKey>& ended) {
  const auto foreign = [&](ForeignAct act) {
    const std::string_view label = fault.text.empty() ? "another user of the node" : std::string_view(fault.text);
    // A refusal is an answer too: the node keeps the other user away from a hash that is in flight.
    (void)turn.engine.foreign(hash, act, label, fault.group);
  };
  const auto behave = [&](PayeeBehaviour behaviour) {
    auto invoice = turn.tx.invoice(hash);
    if (!invoice) return;
    invoice->behaviour = behaviour;
    turn.tx.put_invoice(*invoice);
  };
  Erasure what;
  switch (fault.kind) {
    case FaultKind::forget: what.hash = hash; return (void)erase(turn.tx, what);
    case FaultKind::lose_result:
      if (!ended) return;
      what.hash = ended->hash;
      what.attempt = ended->id;
      what.part = ended->part;
      return (void)erase(turn.tx, what);
    case FaultKind::forget_all: what.htlcs_too = true; return (void)erase(turn.tx, what);
    case FaultKind::new_store: return turn.engine.new_store();
    case FaultKind::save: return turn.tx.save_view(fault.text);
    case FaultKind::restore: return (void)turn.engine.restore(fault.text);
    case FaultKind::foreign_pay: return foreign(ForeignAct::pay);
    case FaultKind::foreign_hold: return foreign(ForeignAct::hold);
    case FaultKind::foreign_fail: return foreign(ForeignAct::fail);
    case FaultKind::foreign_complete: return foreign(ForeignAct::complete);
    case FaultKind::settles_twice: return behave(PayeeBehaviour::settles_twice);
    case FaultKind::wrong_preimage: return behave(PayeeBehaviour::wrong_preimage);
    case FaultKind::no_preimage: return behave(PayeeBehaviour::complete_without_preimage);
    case FaultKind::restart_payee: return turn.engine.restart_payee(hash);
    // Faults that change the request are looked up where it is executed; those of the connection by the code that
    // serves it.
    case FaultKind::hold:
    case FaultKind::orphan:
    case FaultKind::fail:
    case FaultKind::stall:
    case FaultKind::orphan_fence:
    case FaultKind::refuse_fence:
    case FaultKind::unread:
    case FaultKind::ignore:
    case FaultKind::drop_reply:
    case FaultKind::late:
    case FaultKind::break_off:
    case FaultKind::close:
    case FaultKind::garbage:
    case FaultKind::wrong_id:
    case FaultKind::twice:
    case FaultKind::big:
    case FaultKind::deep:
    case FaultKind::error:
    case FaultKind::shuffle:
    case FaultKind::restart:
    case FaultKind::refuse:
    case FaultKind::die: return;
  }
}

RpcOutcome RpcNode::execute(LedgerTx& tx, const RpcCall& call, const RpcMoment& moment, const ActiveFaults& met) {
  Turn turn(tx, moment, met);
  last_hash_ = hash_of(call).value_or(last_hash_);
  const auto spoil_all = [&](bool after) {
    for (const Fault& fault : met.all) {
      if (fault.after == after) spoil(turn, fault, last_hash_, std::nullopt);
    }
  };
  spoil_all(false);
  if (met.has(FaultKind::break_off)) return RpcSilence{true};
  if (met.has(FaultKind::error)) return CallReply{};
  if (!met.executes()) return RpcSilence{};
  RpcOutcome outcome = RpcSilence{};
  try {
    const Method* method = find(call.method);
    const auto& without = faults_.traits().without;
    const bool hidden = std::find(without.begin(), without.end(), call.method) != without.end();
    if (!method || hidden) throw CallError(RpcCode::method_not_found, fmt::format("Unknown command '{}'", call.method));
    outcome = (this->*method->run)(turn, Params(call.params, method->params));
  } catch (const CallError& error) {
    outcome = reply_of(error);
  }
  spoil_all(true);
  return outcome;
}

// --- the node itself ---

RpcOutcome RpcNode::getinfo(Turn& turn, const Params& /*params*/) {
  const auto own = turn.tx.node(own_node);
  if (!own) throw SwitchError("there is no simulated network in this file");
  std::uint32_t channels = 0;
  turn.tx.each_channel_of(own_node, [&](const Channel&) { return ++channels, true; });
  const auto height = static_cast<std::uint32_t>(turn.tx.number(Number::height));
  Json json;
  json["id"] = own->key.hex();
  json["alias"] = own->name;
  json["color"] = own->key.hex().substr(2, 6);
  json["num_peers"] = channels;
  json["num_pending_channels"] = 0;
  json["num_active_channels"] = channels;
  json["num_inactive_channels"] = 0;
  json["address"] = Json::array();
  json["binding"] = Json::array();
  json["version"] = version;
  json["blockheight"] = height - std::min(height, faults_.traits().lag_blocks);
  json["network"] = network_name;
  json["fees_collected_msat"] = 0;
  json["lightning-dir"] = "simulated";
  json["our_features"] =
      Json{{"init", "0898880a8a59a1"}, {"node", "8898880a8a59a1"}, {"channel", ""}, {"invoice", "02000002024100"}};
  if (faults_.traits().lag_blocks != 0) json["warning_lightningd_sync"] = "Still loading latest blocks from bitcoind.";
  return replied(std::move(json));
}

RpcOutcome RpcNode::help(Turn& /*turn*/, const Params& params) {
  const auto wanted = params.text("command");
  Json list = Json::array();
  for (const Method& method : methods()) {
    if (wanted && *wanted != method.name) continue;
    list.push_back(Json{{"command", method.usage}});
  }
  if (list.empty()) throw CallError(RpcCode::method_not_found, fmt::format("Unknown command '{}'", *wanted));
  return replied(Json{{"help", std::move(list)}, {"format-hint", "simple"}});
}

/// There is nothing to notify about.
RpcOutcome RpcNode::notifications(Turn& /*turn*/, const Params& params) {
  (void)params.boolean("enable");
  return replied(Json::object());
}

RpcOutcome RpcNode::stop(Turn& /*turn*/, const Params& /*params*/) {
  stop_asked_ = true;
  return replied(Json{{"result", "Shutdown complete"}});
}

/// A simulated network has no second node that could be asked for an invoice, so this one lets another node make it.
RpcOutcome RpcNode::invoice(Turn& turn, const Params& params) {
  InvoiceParams wanted;
  if (params.text("amount_msat") != "any") wanted.amount = params.msat("amount_msat");
  wanted.description = params.text("description").value_or("");
  const auto expiry = params.u32("expiry");
  if (expiry) wanted.expiry_ns = std::int64_t{*expiry} * ns_per_second;
  OpenLedger ledger(turn.tx);
  StoppedClock clock(turn.moment.wall);
  const auto made = SimAdmin(ledger, clock).make_invoice(wanted);
  if (!made) throw CallError(RpcCode::invalid_params, made.error().message);
  const auto kept = turn.tx.invoice(made->hash);
  Json json;
  json["payment_hash"] = made->hash.hex();
  json["expires_at"] = seconds_of(kept->expires);
  json["bolt11"] = made->text;
  json["payment_secret"] = kept->secret.hex();
  json["created_index"] = turn.tx.number(Number::invoices_made);
  return replied(std::move(json));
}

RpcOutcome RpcNode::decode(Turn& /*turn*/, const Params& params) {
  const auto decoded = decode_invoice(*params.text("string"));
  if (!decoded) params.refuse("string", "Bad bech32 string");
  return replied(invoice_json(*decoded));
}

}  // namespace paytower::sim
