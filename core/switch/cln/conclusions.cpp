// Reads the node's answers to sendpay, waitsendpay, listsendpays and to fences.
#include "core/switch/cln/conclusions.h"

#include <algorithm>
#include <set>

#include "core/base/limits.h"
#include "core/payment/failure_detail.h"

namespace paytower::cln {

namespace {

using nlohmann::json;

// Core Lightning's error codes (common/jsonrpc_errors.h there), as far as something follows from them.
constexpr std::int64_t pay_in_progress = 200;
constexpr std::int64_t pay_row_exists = 201;
constexpr std::int64_t pay_unparseable_onion = 202;
constexpr std::int64_t pay_destination_perm_fail = 203;
constexpr std::int64_t pay_try_other_route = 204;
constexpr std::int64_t pay_no_such_payment = 208;
constexpr std::int64_t pay_unspecified_error = 209;
constexpr std::int64_t invalid_request = -32600;

/// A refusal by our own node, with no other node to blame.
Failure refusal(const RpcError& error) {
  return Failure{FailureCode::local_refusal, 0, {}, {}, kept_words(error.message)};
}

/// Another payment of the hash is in the way: no node and no channel is to blame.
Failure taken(std::string words) { return Failure{FailureCode::local_refusal, {}, {}, {}, std::move(words)}; }

/// channeld's own words, for the number of HTLCs, or the sum of those that are dust. Only used to know when to try
/// again.
bool is_full(const std::string& words) {
  return words.find("Too many HTLCs") != std::string::npos || words.find("HTLC too dusty") != std::string::npos;
}

/// erring_index and the fields that come with it. Index 0 is our own node, whatever wire code it uses.
Failure failure_of(const RpcError& error) {
  Failure failure;
  failure.message = kept_words(error.message);
  if (error.code == pay_unparseable_onion) {
    failure.code = FailureCode::unreadable;
    return failure;
  }
  const auto index = number(error.data, "erring_index");
  if (index && *index <= limits::max_hops) failure.source_index = static_cast<std::uint32_t>(*index);
  if (const auto code = number(error.data, "failcode"); code && *code <= UINT32_MAX)
    failure.code = failure_from_wire(static_cast<std::uint32_t>(*code));
  if (failure.source_index == 0U && error.code == pay_try_other_route)
    failure.code = is_full(failure.message) ? FailureCode::channel_full : FailureCode::local_refusal;
  // The node says 203 only for a permanent failure by the payee: never to be tried again, even if the code has no name.
  if (failure.code == FailureCode::unknown_code && error.code == pay_destination_perm_fail)
    failure.code = FailureCode::unknown_permanent;
  const auto scid = channel(error.data, "erring_channel");
  const auto direction = number(error.data, "erring_direction");
  if (scid && direction && *direction <= 1)
    failure.channel = ChannelDirection{*scid, static_cast<std::uint8_t>(*direction)};
  failure.node = bytes<PublicKey>(error.data, "erring_node");
  return failure;
}

/// The failure message from the onion (`raw_message`, hex), decoded. Empty if it is missing, not hex, or longer than an
/// onion's payload can be.
Bytes raw_message(const json& data) {
  constexpr std::size_t most_digits = 2 * 65'536;
  const auto digits = text(data, "raw_message");
  if (!digits || digits->size() > most_digits) return {};
  return bytes_from_hex(*digits).value_or(Bytes{});
}

bool tells_of_a_row(const json& data) {
  return member(data, "created_index") != nullptr || member(data, "payment_hash") != nullptr;
}

SendpayMeaning conclude_sendpay_error(const RpcError& error) {
  switch (error.code) {
    case pay_in_progress: return {SendpayWord::busy, {}, taken(kept_words(error.message))};
    case pay_row_exists: return {SendpayWord::exists, {}, {}};
    case pay_destination_perm_fail: return {SendpayWord::not_sent, {}, failure_of(error)};
    case pay_try_other_route:
      if (tells_of_a_row(error.data)) return {};
      return {SendpayWord::no_row, {}, failure_of(error)};
    case invalid_request:
    case method_not_found:
    case invalid_params: return {SendpayWord::no_row, {}, refusal(error)};
    default: return {};
  }
}

bool same_ids(const Record& record, const AttemptKey& key) {
  return record.hash == key.hash && record.row.id == key.id && record.row.part == key.part;
}

}  // namespace

SendpayMeaning conclude_sendpay(const RpcReply& reply) {
  if (reply.error) return conclude_sendpay_error(*reply.error);
  if (!reply.result) return {};
  auto record = read_record(*reply.result);
  if (!record) return {};
  const auto status = text(*reply.result, "status");
  if (status == "complete") return {SendpayWord::complete, std::move(record), {}};
  if (status == "pending" && member(*reply.result, "message") != nullptr)
    return {SendpayWord::pending, std::move(record), {}};
  return {};
}

WaitMeaning conclude_waitsendpay(const RpcReply& reply) {
  if (reply.result) {
    auto record = read_record(*reply.result);
    if (!record || record->row.state != RowState::complete || !record->row.preimage) return {};
    return {WaitWord::settled, std::move(record), {}};
  }
  if (!reply.error) return {};
  switch (reply.error->code) {
    case pay_in_progress: return {WaitWord::pending, {}, {}};
    case pay_unparseable_onion:
    case pay_destination_perm_fail:
    case pay_try_other_route:
      return {WaitWord::failed, read_record(reply.error->data), failure_of(*reply.error),
              raw_message(reply.error->data)};
    case pay_no_such_payment: return {WaitWord::no_row, {}, {}};
    case pay_unspecified_error: return {WaitWord::failed, read_record(reply.error->data), {}};
    default: return {};
  }
}

std::optional<std::vector<Record>> conclude_listsendpays(const RpcReply& reply, const PaymentHash& hash) {
  if (!reply.result) return std::nullopt;
  const json* rows = list(*reply.result, "payments", limits::max_rows_per_look);
  if (rows == nullptr) return std::nullopt;
  std::vector<Record> records;
  for (const json& row : *rows) {
    auto record = read_record(row);
    if (!record) {
      record = Record{};
      record->hash = hash;
    }
    if (record->hash == hash) records.push_back(std::move(*record));
  }
  return records;
}

DispatchAnswer dispatch_answer(const SendpayMeaning& meaning, const Handover& handover) {
  DispatchAnswer answer;
  answer.key = handover.key;
  switch (meaning.word) {
    case SendpayWord::pending:
      if (same_ids(*meaning.record, handover.key) && meaning.record->row.label == handover.label)
        answer.kind = DispatchAnswer::Kind::accepted;
      return answer;
    case SendpayWord::complete:
      // A row with the ids of this very attempt, which an earlier copy has made: a look shows it.
      if (meaning.record->hash != handover.key.hash || meaning.record->row.id == handover.key.id) return answer;
      answer.kind = DispatchAnswer::Kind::not_sent;
      answer.failure = taken("another payment of this hash is complete");
      return answer;
    case SendpayWord::busy:
    case SendpayWord::no_row:
    case SendpayWord::not_sent:
      answer.kind = DispatchAnswer::Kind::not_sent;
      answer.failure = meaning.failure;
      return answer;
    case SendpayWord::exists:
    case SendpayWord::unknown: return answer;
  }
  return answer;
}

bool fence_stands(const SendpayMeaning& meaning, const Handover& fence) {
  return meaning.word == SendpayWord::pending && same_ids(*meaning.record, fence.key) &&
         meaning.record->row.label == fence.label;
}

bool bars(std::span<const Record> rows, const AttemptKey& key) {
  const bool there = std::any_of(rows.begin(), rows.end(), [&](const Record& record) { return same_ids(record, key); });
  return !there && std::any_of(rows.begin(), rows.end(), [&](const Record& record) {
    return record.hash == key.hash && record.row.id == key.id && record.row.state == RowState::complete;
  });
}

bool is_attempt_row(const Record& record, const AttemptKey& key) {
  const auto label = parse_attempt_label(record.row.label);
  return same_ids(record, key) && label && !label->fence && label->id == key.id;
}

const Record* newest_failure(std::span<const Record> records, std::uint32_t part) {
  const Record* newest = nullptr;
  for (const Record& record : records) {
    if (record.row.part != part || record.row.state != RowState::failed) continue;
    if (record.updated_index == 0) return nullptr;
    if (newest == nullptr || record.updated_index > newest->updated_index) newest = &record;
  }
  return newest;
}

std::vector<AttemptKey> explained_failures(std::span<const Record> records, std::size_t most) {
  std::vector<const Record*> newest_first;
  std::set<std::uint32_t> done;  // parts that are done with
  for (const Record& record : records) {
    if (record.row.state != RowState::failed) continue;
    newest_first.push_back(&record);
    if (record.updated_index == 0) done.insert(record.row.part);
  }
  std::stable_sort(newest_first.begin(), newest_first.end(),
                   [](const Record* one, const Record* other) { return one->updated_index > other->updated_index; });
  std::vector<AttemptKey> keys;
  for (const Record* record : newest_first) {
    const AttemptKey key{record->hash, record->row.id, record->row.part};
    if (done.insert(key.part).second && is_attempt_row(*record, key) && keys.size() < most) keys.push_back(key);
  }
  return keys;
}

}  // namespace paytower::cln
