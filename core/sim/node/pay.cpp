// sendpay, waitsendpay and delpay.
#include <algorithm>

#include <fmt/core.h>

#include "core/base/limits.h"
#include "core/invoice/bolt11/invoice.h"
#include "core/sim/node/turn.h"

namespace paytower::sim {

namespace {

constexpr std::array<ParamSpec, 6> hop_specs{
    {{"id", true}, {"channel", true}, {"delay", true}, {"amount_msat", true}, {"direction"}, {"style"}}};

Hop read_hop(const nlohmann::json& given, const PublicKey& from) {
  if (!given.is_object()) throw CallError(RpcCode::invalid_params, "route: each hop must be an object");
  const Params fields(given, hop_specs);
  Hop hop;
  hop.node = *fields.key("id");
  hop.channel = *fields.channel("channel");
  hop.delay = *fields.u32("delay");
  hop.amount = *fields.msat("amount_msat");
  // BOLT 7: direction 0 starts at the node with the lower key. The real node works it out as well, and ignores the
  // member.
  hop.direction = from < hop.node ? 0 : 1;
  return hop;
}

Route read_route(const Params& params, const PublicKey& own) {
  const auto& given = *params.raw("route");
  if (!given.is_array()) throw CallError(RpcCode::invalid_params, "route must be an array");
  Route route;
  PublicKey from = own;
  for (const auto& element : given) {
    if (route.hops.size() >= limits::max_hops) throw CallError(RpcCode::invalid_params, "route: too many hops");
    route.hops.push_back(read_hop(element, from));
    from = route.hops.back().node;
  }
  return route;
}

/// What all parts of a hash must agree on, in the node's words.
void check_amounts(const Params& params, const Handover& handover, std::optional<Msat> asked) {
  if (handover.route.hops.empty()) {
    if (!asked) throw CallError(RpcCode::invalid_params, "Self-payment requires amount_msat");
    return;
  }
  const Msat last = handover.route.delivered();
  const auto in_msat = [](Msat amount) { return fmt::format("{}msat", amount.value()); };
  if (handover.key.part != 0 && !asked) throw CallError(RpcCode::invalid_params, "Must specify msatoshi with partid");
  if (handover.key.part != 0 && last > *asked) {
    throw CallError(RpcCode::invalid_params,
                    fmt::format("Final amount {} is greater than {}, despite MPP", in_msat(last), in_msat(*asked)));
  }
  if (handover.key.part != 0 && !params.has("payment_secret"))
    throw CallError(RpcCode::invalid_params, "partid requires payment_secret");
  if (handover.key.part == 0 && asked && *asked != last) {
    throw CallError(
        RpcCode::invalid_params,
        fmt::format("Do not specify msatoshi ({}) without partid: if you do, it must be exactly the final amount ({})",
                    in_msat(*asked), in_msat(last)));
  }
}

Handover read_handover(LedgerTx& tx, const Params& params) {
  const auto own = tx.node(own_node);
  if (!own) throw SwitchError("there is no simulated network in this file");
  Handover handover;
  handover.route = read_route(params, own->key);
  handover.key.hash = *params.hash("payment_hash");
  handover.key.part = params.u32("partid").value_or(0);
  const auto asked = params.msat("amount_msat");
  handover.amount = asked.value_or(handover.route.delivered());
  check_amounts(params, handover, asked);
  const auto group = params.u64("groupid");
  handover.key.id = AttemptId{group ? *group : group_above(tx, handover.key.hash)};
  handover.label = params.text("label").value_or("");
  if (handover.label.size() > limits::max_label_bytes) params.refuse("label", "is too long");
  handover.payment_secret = params.secret("payment_secret");
  if (const auto metadata = params.text("payment_metadata")) {
    handover.metadata = bytes_from_hex(*metadata);
    if (!handover.metadata || handover.metadata->size() > limits::max_metadata_bytes)
      params.refuse("payment_metadata", "should be a hex value");
  }
  handover.invoice = params.text("bolt11").value_or("");
  if (handover.invoice.size() > limits::max_invoice_chars) params.refuse("bolt11", "is too long");
  return handover;
}

/// The data of a 204 that leaves no row.
Json local_error_data(LedgerTx& tx, const Handover& handover, bool no_peer) {
  const auto code = no_peer ? FailureCode::unknown_next_peer : FailureCode::temporary_channel_failure;
  Json data;
  data["erring_index"] = 0;
  data["failcode"] = static_cast<std::uint32_t>(code);
  data["failcodename"] = fmt::format("WIRE_{}", failure_name(code));
  data["erring_node"] = tx.node(own_node)->key.hex();
  if (!no_peer) {
    data["erring_channel"] = handover.route.hops.front().channel.text();
    data["erring_direction"] = handover.route.hops.front().direction;
  }
  return data;
}

CallError not_sent_error(LedgerTx& tx, const Handover* handover, const SendResult& result) {
  if (result.code != static_cast<int>(RpcCode::try_other_route) || handover == nullptr) {
    return CallError(static_cast<RpcCode>(result.code), result.failure.message);
  }
  const bool no_peer = result.failure.message == "No connection to first peer found";
  const std::string words = no_peer
                                ? result.failure.message
                                : fmt::format("failed: WIRE_TEMPORARY_CHANNEL_FAILURE ({})", result.failure.message);
  return CallError(RpcCode::try_other_route, words, local_error_data(tx, *handover, no_peer));
}

/// What happens to the HTLC, as far as a fault says it.
SendOptions options_of(const ActiveFaults& met) {
  SendOptions options;
  options.orphan = met.has(FaultKind::orphan);
  if (const Fault* fail = met.find(FaultKind::fail)) options.fail = fail->fail;
  options.stall.ns = met.value(FaultKind::stall).value_or(0);
  return options;
}

Json pending_json(const Row& row) {
  Json json;
  json["message"] = "Monitor status with listpays or waitsendpay";
  json.update(row_json(row, true));
  return json;
}

}  // namespace

bool RpcNode::is_fence(const RpcCall& call) {
  const Method* method = find(call.method);
  if (call.method != "sendpay") return false;
  try {
    const auto& route = *Params(call.params, method->params).raw("route");
    if (!route.is_array() || route.empty() || !route.front().is_object()) return false;
    return Params(route.front(), hop_specs).msat("amount_msat") == Msat::of(Msat::max_value);
  } catch (const CallError&) {
    return false;
  }
}

CallReply send_answer(LedgerTx& tx, const Handover* handover, const SendResult& result) {
  switch (result.kind) {
    case SendResult::Kind::pending: return replied(pending_json(*result.row));
    case SendResult::Kind::complete: return replied(row_json(*result.row));
    case SendResult::Kind::busy:
    case SendResult::Kind::exists:
      return reply_of(CallError(static_cast<RpcCode>(result.code), result.failure.message));
    case SendResult::Kind::not_sent: break;
  }
  return reply_of(not_sent_error(tx, handover, result));
}

RpcOutcome RpcNode::sendpay(Turn& turn, const Params& params) {
  const Handover handover = read_handover(turn.tx, params);
  const AttemptKey& key = handover.key;
  if (handover.route.hops.empty()) {
    throw CallError(RpcCode::destination_failed,
                    fmt::format("Unknown invoice {}", key.hash.hex()));  // a payment to the node itself
  }
  if (handover.route.total_amount() == Msat::of(Msat::max_value)) return fence(turn, handover);
  if (const Fault* hold = turn.met.find(FaultKind::hold)) {
    turn.engine.hold_back(handover, UnixNs{turn.engine.now().value + hold->value}, hold->height);
    RpcWait wait;
    wait.kind = RpcWait::Kind::late_send;
    wait.key = key;
    return wait;
  }
  const SendResult sent = turn.engine.send(handover, options_of(turn.met));
  if (!sent.by_channel) return send_answer(turn.tx, &handover, sent);
  turn.engine.add_refused_row(handover, sent.failure);
  return replied(pending_json(*turn.tx.row(key)));
}

/// An amount that no channel holds: the row is made and fails at once, unless something of the hash is in the way.
RpcOutcome RpcNode::fence(Turn& turn, const Handover& handover) {
  const AttemptKey& key = handover.key;
  SendResult tried = turn.engine.send(handover);
  const bool orphan = turn.met.has(FaultKind::orphan_fence);
  CallReply reply;
  if (tried.by_channel && !turn.met.has(FaultKind::refuse_fence)) {
    // The label is its own: a row that fails in this way is a fence for anyone who knows the attempt.
    if (orphan || handover.label == fence_label(handover.label)) {
      turn.engine.fence(handover, orphan);
    } else {
      turn.engine.add_refused_row(handover, tried.failure);
    }
    reply = replied(pending_json(*turn.tx.row(key)));
  } else {
    if (tried.by_channel) tried.failure.message = "First peer not ready";
    reply = send_answer(turn.tx, &handover, tried);
  }
  return reply;
}

std::optional<CallReply> payment_answer(LedgerTx& tx, const AttemptKey& key, bool live) {
  const auto row = tx.row(key);
  if (!row) {
    return reply_of(CallError(RpcCode::unknown_payment,
                              fmt::format("Never attempted payment part {} for '{}'", key.part, key.hash.hex())));
  }
  switch (row->state) {
    case RowState::pending: return std::nullopt;
    case RowState::complete: return replied(row_json(*row));
    case RowState::failed: break;
  }
  return reply_of(payment_error(tx, *row, live));
}

RpcOutcome RpcNode::waitsendpay(Turn& turn, const Params& params) {
  RpcWait wait;
  wait.kind = RpcWait::Kind::payment;
  wait.key.hash = *params.hash("payment_hash");
  wait.key.part = params.u32("partid").value_or(0);
  const auto group = params.u64("groupid");
  // Without a group the node takes the highest one, which may not be the newest (cln/README 4).
  wait.key.id = AttemptId{group ? *group : group_above(turn.tx, wait.key.hash) - 1};
  if (const auto timeout = params.u32("timeout"))
    wait.deadline = MonoNs{turn.moment.mono.value + std::int64_t{*timeout} * ns_per_second};
  auto reply = payment_answer(turn.tx, wait.key, false);
  if (!reply) return wait;
  return *reply;
}

std::optional<RpcOutcome> RpcNode::settle(LedgerTx& tx, const RpcWait& wait, const RpcMoment& moment) {
  switch (wait.kind) {
    case RpcWait::Kind::late_send: {
      const auto late =
          std::find_if(late_.begin(), late_.end(), [&](const LateSend& sent) { return sent.key == wait.key; });
      if (late == late_.end()) return std::nullopt;
      return send_answer(tx, nullptr, late->result);
    }
    case RpcWait::Kind::payment: {
      if (auto reply = payment_answer(tx, wait.key, true)) return *reply;
      if (!wait.deadline || moment.mono < *wait.deadline) return std::nullopt;
      return reply_of(CallError(RpcCode::in_progress, "Timed out while waiting"));
    }
    case RpcWait::Kind::counter: break;
  }
  const auto value = static_cast<std::uint64_t>(tx.number(wait.counter));
  if (value < wait.value) return std::nullopt;
  Json json{{"subsystem", wait.subsystem}, {wait.index, value}};
  if (wait.counter == Number::payments_created) {
    const auto rows = tx.rows_after(value - 1, 1);
    if (!rows.empty() && rows.front().created_index == value) {
      const Row& row = rows.front();
      json["sendpays"] = Json{{"status", "pending"},
                              {"partid", row.key.part},
                              {"groupid", row.key.id.value},
                              {"payment_hash", row.key.hash.hex()}};
    }
  }
  return replied(std::move(json));
}

RpcOutcome RpcNode::delpay(Turn& turn, const Params& params) {
  const PaymentHash hash = *params.hash("payment_hash");
  const auto status = params.text("status");
  if (*status == "pending") params.refuse("status", "Cannot delete pending status");
  if (*status != "complete" && *status != "failed") params.refuse("status", "should be an invoice status");
  const auto part = params.u32("partid");
  const auto group = params.u64("groupid");
  if (part.has_value() != group.has_value())
    throw CallError(RpcCode::invalid_params, "Must set both partid and groupid, or neither");
  const std::vector<Row> rows = turn.tx.rows_of(hash);
  if (rows.empty())
    throw CallError(RpcCode::unknown_payment, fmt::format("Unknown payment with payment_hash: {}", hash.hex()));
  std::optional<std::string> other;  // the status of a row that must stay
  Json deleted = Json::array();
  for (const Row& row : rows) {
    if (group && (row.key.id.value != *group || row.key.part != *part)) continue;
    const Json json = row_json(row);
    if (json["status"] != *status) {
      other = json["status"].get<std::string>();
      continue;
    }
    deleted.push_back(json);
    turn.tx.remove_row(row.created_index);
  }
  if (deleted.empty() && !other)
    throw CallError(RpcCode::unknown_payment, "No payment for that payment_hash with that partid and groupid");
  if (deleted.empty()) {
    throw CallError(RpcCode::unknown_payment,
                    fmt::format("Payment with hash {} has {} status but it different from the one provided {}",
                                hash.hex(), *other, *status));
  }
  // The node does not count it when it deletes a hash as a whole (cln/README 8).
  if (group) turn.tx.set_number(Number::payments_deleted, turn.tx.number(Number::payments_deleted) + 1);
  return replied(Json{{"payments", std::move(deleted)}});
}

}  // namespace paytower::sim
