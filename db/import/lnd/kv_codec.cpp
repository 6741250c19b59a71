// Decodes the serialized parts of lnd's payments.
#include "db/import/lnd/kv_codec.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <fmt/core.h>

namespace paytower::db::lnd {

namespace {

constexpr std::size_t max_hop_record_bytes = 1'300;  // lnd's own limit: the payload of an onion
constexpr std::size_t hop_record_head = 8 + 1;
constexpr std::int64_t zero_time_seconds = -62'135'596'800;  // Go's zero time, year 1
constexpr std::uint64_t first_custom_type = 65'536;
constexpr std::uint64_t first_hop_amount_type = 0;
enum HopType : std::uint64_t {
  mpp = 8,
  encrypted_data = 10,
  blinding_point = 12,
  amp = 14,
  metadata = 16,
  total_amount = 18
};

std::optional<UnixNs> time_ns(ByteReader& reader) {
  const auto ns = reader.number<std::int64_t>();
  if (ns == 0) return std::nullopt;
  return UnixNs{ns};
}

std::optional<UnixNs> time_seconds(ByteReader& reader) {
  const auto seconds = reader.number<std::int64_t>();
  if (seconds == zero_time_seconds) return std::nullopt;
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max() / ns_per_second;
  if (seconds > most || seconds < -most) reader.fail("a time is not within the years 1678 to 2262");
  return UnixNs{seconds * ns_per_second};
}

/// BOLT 1: types ascending, each once.
std::vector<TlvRecord> tlv_stream(ByteReader& reader) {
  std::vector<TlvRecord> records;
  while (reader.left() > 0) {
    TlvRecord record;
    record.type = reader.big_size();
    if (!records.empty() && record.type <= records.back().type) reader.fail("its TLV types do not ascend");
    const auto value = reader.take(reader.big_size());
    record.value.assign(value.begin(), value.end());
    records.push_back(std::move(record));
  }
  return records;
}

void check_custom(const std::vector<TlvRecord>& records, const ByteReader& reader) {
  if (!records.empty() && records.front().type < first_custom_type)
    reader.fail(fmt::format("TLV type {} is unknown", records.front().type));
}

void place_record(KvHop& hop, TlvRecord record) {
  ByteReader value(record.value, fmt::format("hop record {}", record.type));
  const auto blinded = [&]() -> BlindedHop& { return hop.blinded ? *hop.blinded : hop.blinded.emplace(); };
  switch (record.type) {
    case mpp: {
      hop.mpp.emplace();
      hop.mpp->address = value.fixed<PaymentSecret>();
      hop.mpp->total = checked_msat(value.truncated(8), value);
      break;
    }
    case amp: {
      hop.amp.emplace();
      hop.amp->root_share = value.fixed<decltype(AmpRecord::root_share)>();
      hop.amp->set_id = value.fixed<decltype(AmpRecord::set_id)>();
      hop.amp->child_index = static_cast<std::uint32_t>(value.truncated(4));
      break;
    }
    case blinding_point: blinded().blinding_point = value.point(); break;
    case total_amount: blinded().total_amount = checked_msat(value.truncated(8), value); break;
    case encrypted_data: blinded().encrypted_data = std::move(record.value); return;
    case metadata: hop.metadata = std::move(record.value); return;
    default: hop.records.push_back(std::move(record)); return;
  }
  value.finish();
}

/// lnd writes them from a map, in no particular order.
void decode_hop_tail(ByteReader& reader, KvHop& hop) {
  const auto legacy = reader.number<std::uint8_t>();
  if (legacy > 1) reader.fail("a hop's payload is neither legacy nor TLV");
  hop.legacy_payload = legacy == 1;
  const auto count = reader.number<std::uint32_t>();
  if (count > reader.left() / hop_record_head)
    reader.fail(fmt::format("a hop has {} records, more than there are bytes for", count));
  std::vector<TlvRecord> records(count);
  for (TlvRecord& record : records) {
    record.type = reader.number<std::uint64_t>();
    record.value = reader.var_bytes(max_hop_record_bytes);
  }
  std::sort(records.begin(), records.end());
  const auto same_type = [](const TlvRecord& a, const TlvRecord& b) { return a.type == b.type; };
  if (std::adjacent_find(records.begin(), records.end(), same_type) != records.end())
    reader.fail("a hop has a record twice");
  for (TlvRecord& record : records) place_record(hop, std::move(record));
}

Failure core_failure(KvFailKind kind, std::span<const std::uint8_t> message, std::uint32_t source_index) {
  Failure failure;
  switch (kind) {
    case KvFailKind::unknown: failure.code = FailureCode::unknown_code; break;
    case KvFailKind::unreadable: failure.code = FailureCode::unreadable; break;
    case KvFailKind::internal: failure.code = FailureCode::local_refusal; break;
    case KvFailKind::message:
      // A code without a name keeps its number.
      failure.code = static_cast<FailureCode>(message[0] << 8 | message[1]);
      break;
  }
  // For a failure without a message lnd usually knows no source, and writes 0.
  if (kind == KvFailKind::message || source_index != 0) failure.source_index = source_index;
  return failure;
}

}  // namespace

KvLayout layout_of(std::uint32_t version, bool duplicate) {
  return {version >= 10, version >= 13 && !duplicate, version >= 23 && !duplicate};
}

void decode_creation_info(std::span<const std::uint8_t> bytes, const KvLayout& layout, KvPayment& payment) {
  ByteReader reader(bytes, "creation info");
  payment.hash = reader.fixed<PaymentHash>();
  payment.value = reader.msat();
  payment.created = layout.parts ? time_ns(reader) : time_seconds(reader);
  const auto size = reader.number<std::uint32_t>();
  if (size > max_request_bytes) reader.fail(fmt::format("a payment request of {} bytes", size));
  const auto request = reader.take(size);
  payment.payment_request.assign(request.begin(), request.end());
  if (layout.parts) payment.first_hop_records = tlv_stream(reader);
  check_custom(payment.first_hop_records, reader);
  reader.finish();
}

KvRoute decode_kv_route(ByteReader& reader, const KvLayout& layout) {
  KvRoute route;
  route.total_time_lock = reader.number<std::uint32_t>();
  route.total_amount = reader.msat();
  route.source = reader.var_point();
  const auto count = reader.number<std::uint32_t>();
  if (count > max_kv_hops) reader.fail(fmt::format("a route of {} hops, {} are the most", count, max_kv_hops));
  route.hops.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    KvHop hop;
    hop.node = reader.var_point();
    hop.channel.value = reader.number<std::uint64_t>();
    hop.outgoing_time_lock = reader.number<std::uint32_t>();
    hop.amount_to_forward = reader.msat();
    if (layout.hop_tail) decode_hop_tail(reader, hop);
    route.hops.push_back(std::move(hop));
  }
  return route;
}

void decode_attempt_info(std::span<const std::uint8_t> bytes, const KvLayout& layout, KvAttempt& attempt) {
  ByteReader reader(bytes, "attempt info");
  if (!layout.parts) {
    const auto id = reader.number<std::uint64_t>();
    if (id != 0) attempt.id = id;
  }
  (void)reader.take(session_key_bytes);
  attempt.route = decode_kv_route(reader, layout);
  if (layout.parts) {
    attempt.registered = time_ns(reader);
    if (reader.left() > 0) attempt.hash = reader.fixed<PaymentHash>();
    std::vector<TlvRecord> records = tlv_stream(reader);
    if (!records.empty() && records.front().type == first_hop_amount_type) {
      ByteReader amount(records.front().value, "first hop amount");
      const Msat stored = checked_msat(amount.big_size(), amount);
      amount.finish();
      if (stored != Msat{}) attempt.first_hop_amount = stored;
      records.erase(records.begin());
    }
    check_custom(records, reader);
    attempt.first_hop_records = std::move(records);
  }
  reader.finish();
}

KvSettle decode_settle_info(std::span<const std::uint8_t> bytes, const KvLayout& layout, const PaymentHash& hash) {
  ByteReader reader(bytes, "settle info");
  KvSettle settle;
  settle.preimage = reader.fixed<Preimage>();
  if (layout.parts) settle.at = time_ns(reader);
  reader.finish();
  settle.proves = proves(settle.preimage, hash);
  return settle;
}

KvFail kv_fail(std::optional<UnixNs> at, std::uint64_t kind, Bytes wire_message, std::uint32_t source_index) {
  if (kind > static_cast<std::uint64_t>(KvFailKind::message))
    throw Undecodable(fmt::format("fail info: an HTLC failure of kind {}", kind));
  KvFail fail;
  fail.at = at;
  fail.kind = static_cast<KvFailKind>(kind);
  fail.wire_message = std::move(wire_message);
  if (fail.kind == KvFailKind::message && fail.wire_message.size() < 2)
    throw Undecodable("fail info: a failure message without a code");
  fail.failure = core_failure(fail.kind, fail.wire_message, source_index);
  return fail;
}

KvFail decode_fail_info(std::span<const std::uint8_t> bytes) {
  ByteReader reader(bytes, "fail info");
  const auto at = time_ns(reader);
  Bytes message = reader.var_bytes(reader.left());
  const auto kind = reader.number<std::uint8_t>();
  const auto source_index = reader.number<std::uint32_t>();
  reader.finish();
  return kv_fail(at, kind, std::move(message), source_index);
}

FailureReason decode_reason(std::span<const std::uint8_t> bytes) {
  ByteReader reader(bytes, "payment fail info");
  const auto reason = reader.number<std::uint8_t>();
  if (reason > static_cast<std::uint8_t>(FailureReason::canceled))
    reader.fail(fmt::format("failure reason {}", reason));
  reader.finish();
  return static_cast<FailureReason>(reason);
}

}  // namespace paytower::db::lnd
