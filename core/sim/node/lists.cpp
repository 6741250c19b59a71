// What the node remembers, as it prints it: rows, HTLCs, movements and counters.
#include <algorithm>
#include <cstdio>

#include <fmt/core.h>

#include "core/base/number.h"
#include "core/invoice/bolt11/invoice.h"
#include "core/sim/forwarding.h"
#include "core/sim/node/turn.h"

namespace paytower::sim {

namespace {

constexpr std::size_t read_at_once = 1'000;       ///< records of the ledger
constexpr std::uint64_t most_listed = 1'000'000;  ///< entries of one answer
constexpr std::size_t onion_reply_bytes = 292;    ///< BOLT 4, an error packet

std::string_view state_name(RowState state) {
  switch (state) {
    case RowState::pending: return "pending";
    case RowState::complete: return "complete";
    case RowState::failed: return "failed";
  }
  return "failed";
}

/// All rows of the same hash and part show the newest failure among them.
std::optional<Failure> overwritten_failure(LedgerTx& tx, const Row& row) {
  Row newest = row;
  for (const Row& other : tx.rows_of(row.key.hash)) {
    const bool same = other.state == RowState::failed && other.key.part == row.key.part && other.failure;
    if (same && other.updated_index > newest.updated_index) newest = other;
  }
  return newest.failure;
}

/// The bytes that came with the onion, for codes without a channel_update (see told_policy).
std::optional<std::string> raw_message(std::uint32_t code, Msat amount, std::int64_t height) {
  constexpr std::uint32_t has_update = 0x1000;
  constexpr std::uint32_t bad_onion = 0x8000;
  const auto known = static_cast<FailureCode>(code);
  const bool more = (code & has_update) != 0 || (code & bad_onion) != 0 ||
                    known == FailureCode::final_incorrect_cltv_expiry ||
                    known == FailureCode::final_incorrect_htlc_amount || known == FailureCode::invalid_onion_payload;
  if (more) return std::nullopt;
  Bytes bytes;
  put_big_endian(bytes, code, 2);
  if (known == FailureCode::incorrect_or_unknown_payment_details) {
    put_big_endian(bytes, amount.value(), 8);
    put_big_endian(bytes, static_cast<std::uint64_t>(height), 4);
  }
  return to_hex(bytes);
}

/// erring_index, failcode, failcodename, erring_node, erring_channel, erring_direction
void add_failure(Json& data, const Failure& failure, std::uint32_t code, bool named) {
  data["erring_index"] = failure.source_index.value_or(0);
  data["failcode"] = code;
  if (named) data["failcodename"] = fmt::format("WIRE_{}", failure_name(failure_from_wire(code)));
  if (failure.node) data["erring_node"] = failure.node->hex();
  if (failure.channel) {
    data["erring_channel"] = failure.channel->channel.text();
    data["erring_direction"] = failure.channel->direction;
  }
}

/// How much of a movement the payee did not get. Known without the row, which may have been erased.
Msat fees_of(LedgerTx& tx, const Movement& movement) {
  std::uint64_t after = 0;
  for (auto entries = tx.oracle_after(movement.key.hash, after, read_at_once); !entries.empty();
       entries = tx.oracle_after(movement.key.hash, after, read_at_once)) {
    after = entries.back().id;
    for (const OracleEntry& entry : entries) {
      const bool same = entry.attempt == movement.key.id && entry.part == movement.key.part;
      if (same && entry.state == OracleState::settled && entry.amount_sent == movement.amount)
        return checked_sub(entry.amount_sent, entry.amount).value_or(Msat{});
    }
  }
  return Msat{};
}

/// Which part of a list is asked for.
struct Range {
  std::uint64_t after = 0;  ///< the index
  std::uint64_t limit = most_listed;
  bool by_update = false;  ///< updated_index instead of created_index
};

/// `updates`: this list can also be asked for by its last changes.
Range read_range(const Params& params, bool updates = false) {
  Range range;
  const auto index = params.text("index");
  range.by_update = index == "updated" && updates;
  if (index && *index != "created" && !range.by_update)
    params.refuse("index", updates ? "should be 'created' or 'updated'" : "should be 'created'");
  const auto start = params.u64("start");
  if (start && !index) throw CallError(RpcCode::invalid_params, "Can only specify {start} with {index}");
  range.after = start.value_or(0) == 0 ? 0 : *start - 1;
  const auto limit = params.u32("limit");
  if (limit && !index) throw CallError(RpcCode::invalid_params, "Can only specify {limit} with {index}");
  if (limit) range.limit = *limit;
  return range;
}

/// Reads a list of the ledger page by page. `next(after, limit)` gives records with a created_index.
template <typename Next, typename Index, typename Visit>
void each_in(Range range, Next next, Index index_of, Visit visit) {
  while (range.limit > 0) {
    const auto records = next(range.after, std::min<std::uint64_t>(range.limit, read_at_once));
    if (records.empty()) return;
    for (const auto& record : records) {
      range.after = index_of(record);
      if (visit(record)) --range.limit;
    }
  }
}

/// Rows of one hash or of all, in the order of the range's index and from its start on. `filtered`: some will be left
/// out later, so the limit cannot be applied here.
std::vector<Row> rows_asked(LedgerTx& tx, const std::optional<PaymentHash>& hash, const Range& range, bool filtered) {
  std::vector<Row> rows;
  if (hash) {
    rows = tx.rows_of(*hash);
  } else {
    const bool whole_page = !range.by_update && !filtered;
    const Range all{range.by_update ? 0 : range.after, whole_page ? range.limit : most_listed};
    const auto next = [&](std::uint64_t after, std::uint64_t limit) { return tx.rows_after(after, limit); };
    each_in(
        all, next, [](const Row& row) { return row.created_index; },
        [&](const Row& row) { return rows.push_back(row), true; });
  }
  const auto index = [&range](const Row& row) { return range.by_update ? row.updated_index : row.created_index; };
  rows.erase(std::remove_if(rows.begin(), rows.end(), [&](const Row& row) { return index(row) <= range.after; }),
             rows.end());
  std::sort(rows.begin(), rows.end(), [&](const Row& a, const Row& b) { return index(a) < index(b); });
  return rows;
}

std::optional<PaymentHash> hash_asked(const Params& params) {
  if (params.has("bolt11") && params.has("payment_hash")) {
    throw CallError(RpcCode::invalid_params, "Can only specify one of {bolt11} or {payment_hash}");
  }
  if (const auto text = params.text("bolt11")) {
    const auto decoded = decode_invoice(*text);
    if (!decoded) params.refuse("bolt11", fmt::format("Invalid bolt11: {}", decoded.error().message));
    return decoded->payment_hash;
  }
  return params.hash("payment_hash");
}

struct WaitIndex {
  std::string_view subsystem;
  std::string_view index;
  std::optional<Number> counter;  ///< nothing: always 0 here
};

constexpr std::array wait_indexes = {
    WaitIndex{"sendpays", "created", Number::payments_created},
    WaitIndex{"sendpays", "updated", Number::payments_updated},
    WaitIndex{"sendpays", "deleted", Number::payments_deleted},
    WaitIndex{"htlcs", "created", Number::htlcs_created},
    WaitIndex{"htlcs", "updated", Number::htlcs_updated},
    WaitIndex{"htlcs", "deleted", Number::htlcs_deleted},
    WaitIndex{"channelmoves", "created", Number::movements_created},
    WaitIndex{"channelmoves", "updated", std::nullopt},
    WaitIndex{"channelmoves", "deleted", std::nullopt},
};

}  // namespace

std::string channel_id_text(ShortChannelId id) {
  std::array<char, 65> text{};
  std::snprintf(text.data(), text.size(), "%064llx", static_cast<unsigned long long>(id.value));
  return std::string(text.data());
}

Json row_json(const Row& row, bool pending) {
  const RowState state = pending ? RowState::pending : row.state;
  Json json;
  json["created_index"] = row.created_index;
  json["id"] = row.created_index;
  json["payment_hash"] = row.key.hash.hex();
  json["groupid"] = row.key.id.value;
  if (row.key.part != 0) json["partid"] = row.key.part;
  if (state != RowState::pending && row.updated_index != 0) json["updated_index"] = row.updated_index;
  json["destination"] = row.destination.hex();
  json["amount_msat"] = row.amount.value();
  json["amount_sent_msat"] = row.amount_sent.value();
  json["created_at"] = seconds_of(row.created);
  if (state != RowState::pending && row.completed) json["completed_at"] = seconds_of(*row.completed);
  json["status"] = state_name(state);
  if (state == RowState::complete && row.preimage) json["payment_preimage"] = row.preimage->hex();
  if (!row.label.empty()) json["label"] = row.label;
  if (!row.invoice.empty()) json["bolt11"] = row.invoice;
  if (state == RowState::failed && row.failure && row.failure->code == FailureCode::unreadable) {
    json["erroronion"] = to_hex(Bytes(onion_reply_bytes, 0));
  }
  return json;
}

CallError payment_error(LedgerTx& tx, const Row& row, bool live) {
  constexpr std::uint32_t permanent = 0x4000;
  constexpr std::uint32_t bad_onion = 0x8000;
  const std::optional<Failure> failure = live ? row.failure : overwritten_failure(tx, row);
  Json data = row_json(row, live);
  if (!failure) return CallError(RpcCode::no_details, "Payment failure reason unknown", std::move(data));
  if (failure->code == FailureCode::unreadable) {
    data["onionreply"] = to_hex(Bytes(onion_reply_bytes, 0));
    return CallError(RpcCode::unreadable_onion, "Malformed error reply", std::move(data));
  }
  const std::uint32_t code = wire_code_of(*failure);
  const bool named = failure_from_wire(code) != FailureCode::unknown_code;
  const std::string name =
      named ? fmt::format("WIRE_{}", failure_name(failure_from_wire(code))) : fmt::format("UNKNOWN {}", code);
  const bool local = failure->code == FailureCode::local_refusal || failure->source_index.value_or(0) == 0;
  add_failure(data, *failure, code, named);
  if (local) {
    const auto own = tx.node(own_node);
    if (own) data["erring_node"] = own->key.hex();
    return CallError(RpcCode::try_other_route, fmt::format("failed: {} ({})", name, failure->message), std::move(data));
  }
  auto raw = live ? raw_message(code, row.amount, tx.number(Number::height)) : std::nullopt;
  if (const auto told = live ? told_policy(tx, *failure, row.amount) : std::nullopt) raw = to_hex(*told);
  if (raw) data["raw_message"] = *raw;
  const bool final_word = (code & permanent) != 0 && (code & bad_onion) == 0 && failure->node == row.destination;
  return CallError(final_word ? RpcCode::destination_failed : RpcCode::try_other_route,
                   fmt::format("failed: {} (reply from remote)", name), std::move(data));
}

RpcOutcome RpcNode::listsendpays(Turn& turn, const Params& params) {
  const auto hash = hash_asked(params);
  const auto status = params.text("status");
  if (status && *status != "pending" && *status != "complete" && *status != "failed")
    params.refuse("status", "should be an invoice status");
  const Range range = read_range(params, true);
  Json list = Json::array();
  for (const Row& row : rows_asked(turn.tx, hash, range, status.has_value())) {
    if (list.size() >= range.limit) break;
    if (!status || *status == state_name(row.state)) list.push_back(row_json(row));
  }
  return replied(Json{{"payments", std::move(list)}});
}

RpcOutcome RpcNode::listhtlcs(Turn& turn, const Params& params) {
  const auto channel = params.text("id");
  const Range range = read_range(params);
  Json list = Json::array();
  const auto next = [&](std::uint64_t after, std::uint64_t limit) { return turn.tx.htlcs_after(after, limit); };
  each_in(
      range, next, [](const Htlc& htlc) { return htlc.created_index; },
      [&](const Htlc& htlc) {
        if (channel && *channel != htlc.channel.text() && *channel != channel_id_text(htlc.channel)) return false;
        Json json;
        json["created_index"] = htlc.created_index;
        json["short_channel_id"] = htlc.channel.text();
        json["id"] = htlc.created_index - 1;
        json["expiry"] = htlc.expiry;
        json["direction"] = "out";
        json["amount_msat"] = htlc.amount.value();
        json["payment_hash"] = htlc.key.hash.hex();
        json["state"] = htlc.finished ? "RCVD_REMOVE_ACK_REVOCATION" : "SENT_ADD_ACK_REVOCATION";
        list.push_back(std::move(json));
        return true;
      });
  return replied(Json{{"htlcs", std::move(list)}});
}

RpcOutcome RpcNode::listchannelmoves(Turn& turn, const Params& params) {
  const Range range = read_range(params);
  Json list = Json::array();
  const auto next = [&](std::uint64_t after, std::uint64_t limit) { return turn.tx.movements_after(after, limit); };
  each_in(
      range, next, [](const Movement& movement) { return movement.index; },
      [&](const Movement& movement) {
        ShortChannelId channel;
        for (const Htlc& htlc : turn.tx.htlcs_of(movement.key.hash)) {
          if (htlc.key == movement.key && htlc.amount == movement.amount) channel = htlc.channel;
        }
        Json json;
        json["created_index"] = movement.index;
        json["account_id"] = channel_id_text(channel);
        json["credit_msat"] = 0;
        json["debit_msat"] = movement.amount.value();
        json["timestamp"] = seconds_of(movement.at);
        json["primary_tag"] = "invoice";
        json["payment_hash"] = movement.key.hash.hex();
        json["part_id"] = movement.key.part;
        json["group_id"] = movement.key.id.value;
        json["fees_msat"] = fees_of(turn.tx, movement).value();
        list.push_back(std::move(json));
        return true;
      });
  return replied(Json{{"channelmoves", std::move(list)}});
}

RpcOutcome RpcNode::wait(Turn& turn, const Params& params) {
  const std::string subsystem = *params.text("subsystem");
  const std::string index = *params.text("indexname");
  const std::uint64_t value = *params.u64("nextvalue");
  const auto& without = faults_.traits().without;
  const bool hidden = std::find(without.begin(), without.end(), fmt::format("list{}", subsystem)) != without.end();
  const auto known = std::find_if(wait_indexes.begin(), wait_indexes.end(),
                                  [&](const WaitIndex& entry) { return entry.subsystem == subsystem; });
  if (known == wait_indexes.end() || hidden) params.refuse("subsystem", "unknown subsystem");
  const auto counter = std::find_if(wait_indexes.begin(), wait_indexes.end(), [&](const WaitIndex& entry) {
    return entry.subsystem == subsystem && entry.index == index;
  });
  if (counter == wait_indexes.end()) params.refuse("indexname", "should be 'created', 'updated' or 'deleted'");
  const std::uint64_t present = counter->counter ? static_cast<std::uint64_t>(turn.tx.number(*counter->counter)) : 0;
  if (present >= value) return replied(Json{{"subsystem", subsystem}, {index, present}});
  if (!counter->counter) return RpcSilence{};  // it never changes
  RpcWait wait;
  wait.kind = RpcWait::Kind::counter;
  wait.counter = *counter->counter;
  wait.value = value;
  wait.subsystem = subsystem;
  wait.index = index;
  return wait;
}

}  // namespace paytower::sim
