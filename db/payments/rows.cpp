#include "db/payments/rows.h"

#include <algorithm>

#include "core/base/hash.h"
#include "core/base/limits.h"

namespace paytower::db {

namespace {

void put_big_endian(Bytes& out, std::uint64_t value, int bytes) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) out.push_back(static_cast<std::uint8_t>(value >> shift));
}

std::uint64_t take_big_endian(std::span<const std::uint8_t>& in, std::size_t bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes; ++i) value = value << 8 | in[i];
  in = in.subspan(bytes);
  return value;
}

std::vector<ShortChannelId> decode_channels(const std::optional<Bytes>& stored) {
  std::vector<ShortChannelId> channels;
  if (!stored) return channels;
  std::span<const std::uint8_t> rest(*stored);
  while (rest.size() >= 8) channels.push_back(ShortChannelId{take_big_endian(rest, 8)});
  return channels;
}

std::vector<Route> decode_routes(const std::optional<Bytes>& stored) {
  std::vector<Route> routes;
  if (!stored) return routes;
  std::span<const std::uint8_t> rest(*stored);
  while (!rest.empty()) {
    const std::size_t size = rest.size() < 4 ? rest.size() + 1 : take_big_endian(rest, 4);
    if (size > rest.size()) throw BadValue("candidate routes that are cut off");
    auto route = decode_route(rest.first(size));
    if (!route) throw BadValue("a candidate route that is none");
    routes.push_back(std::move(*route));
    rest = rest.subspan(size);
  }
  return routes;
}

template <typename Enum> std::optional<Enum> maybe_enum(Query& row, std::uint64_t max) {
  const auto value = row.maybe_number(max);
  if (!value) return std::nullopt;
  return static_cast<Enum>(*value);
}

std::uint32_t number32(Query& row) { return static_cast<std::uint32_t>(row.number(UINT32_MAX)); }
/// A limit that only native payments have; the schema sees to it that they do.
std::uint32_t limit32(Query& row) { return static_cast<std::uint32_t>(row.maybe_number(UINT32_MAX).value_or(0)); }

Marks read_marks(Query& row) {
  Marks marks;
  marks.payments_created = row.maybe_number(INT64_MAX);
  marks.htlcs_created = row.maybe_number(INT64_MAX);
  marks.htlcs_deleted = row.maybe_number(INT64_MAX);
  marks.movements_created = row.maybe_number(INT64_MAX);
  return marks;
}

std::optional<Failure> read_failure(Query& row) {
  const auto code = row.maybe_number(UINT32_MAX);
  Failure failure;
  if (const auto source = row.maybe_number(UINT32_MAX)) failure.source_index = static_cast<std::uint32_t>(*source);
  const auto channel = row.maybe_bits();
  const auto direction = row.maybe_number(1);
  if (channel && direction)
    failure.channel = ChannelDirection{ShortChannelId{*channel}, static_cast<std::uint8_t>(*direction)};
  failure.node = row.maybe_fixed<PublicKey>();
  failure.message = row.text();
  if (!code) return std::nullopt;
  failure.code = static_cast<FailureCode>(*code);
  return failure;
}

Route read_route(Query& row, bool omit_hops) {
  if (omit_hops) {
    row.skip();
    return {};
  }
  const auto stored = row.maybe_blob();
  if (!stored) return {};
  auto route = decode_route(*stored);
  if (!route) throw BadValue("a route that is none");
  return std::move(*route);
}

}  // namespace

Payment read_payment(Query& row) {
  Payment payment;
  PaymentRequest& request = payment.request;
  payment.index.value = row.integer();
  request.hash = row.fixed<PaymentHash>();
  request.demand.amount = row.msat();
  request.created = row.time();
  request.deadline = row.maybe_time().value_or(UnixNs{});
  payment.provenance = static_cast<Provenance>(row.number(2));
  if (const auto first = row.maybe_integer()) payment.duplicate_of = PaymentIndex{*first};
  request.demand.destination = row.maybe_fixed<PublicKey>().value_or(PublicKey{});
  request.demand.fee_limit = Msat::of(row.maybe_number(Msat::max_value).value_or(0));
  request.demand.cltv_limit = limit32(row);
  request.demand.final_cltv_delta = limit32(row);
  request.max_attempts = limit32(row);
  request.payment_secret = row.maybe_fixed<PaymentSecret>();
  request.metadata = row.maybe_blob();
  request.invoice = row.text();
  request.network = row.text();
  request.label = row.text();
  request.demand.outgoing_channels = decode_channels(row.maybe_blob());
  request.candidates = decode_routes(row.maybe_blob());
  payment.stop_reason = maybe_enum<FailureReason>(row, 5);
  payment.fail_reason = maybe_enum<FailureReason>(row, 5);
  payment.preimage = row.maybe_fixed<Preimage>();
  payment.late_preimage = row.maybe_fixed<Preimage>();
  payment.end_note = maybe_enum<EndNote>(row, 2);
  payment.ended = row.maybe_time();
  payment.amp = row.number(1) == 1;
  return payment;
}

AttemptRow read_attempt(Query& row, bool omit_hops) {
  AttemptRow read;
  Attempt& attempt = read.attempt;
  read.payment.value = row.integer();
  attempt.row = row.integer();
  if (const auto id = row.maybe_bits()) attempt.id = AttemptId{*id};
  attempt.part = number32(row);
  attempt.origin = static_cast<AttemptOrigin>(row.number(2));
  const auto node = row.maybe_fixed<PublicKey>();
  std::string network = row.text();
  if (node) attempt.switch_key = SwitchKey{*node, std::move(network)};
  attempt.marks = read_marks(row);
  attempt.route = read_route(row, omit_hops);
  attempt.amount = row.msat();
  attempt.fee = row.msat();
  attempt.registered = row.time();
  if (const auto height = row.maybe_number(UINT32_MAX)) attempt.total_time_lock = static_cast<std::uint32_t>(*height);
  attempt.accepted = row.maybe_time();
  attempt.resolved = row.maybe_time();
  attempt.outcome = maybe_enum<AttemptOutcome>(row, 3);
  attempt.preimage = row.maybe_fixed<Preimage>();
  attempt.failure = read_failure(row);
  attempt.switch_run = row.text();
  attempt.htlc_hash = row.maybe_fixed<PaymentHash>();
  return read;
}

namespace {

/// A set id has no preimage: each settled HTLC proves its own hash, and the payment's is one of theirs.
void check_amp_proofs(const Payment& payment) {
  bool found = !payment.proof();
  for (const Attempt& attempt : payment.attempts) {
    if (!attempt.preimage) continue;
    if (!proves(*attempt.preimage, attempt.htlc_hash.value_or(payment.request.hash)))
      throw BadValue("a preimage that does not hash to its HTLC's hash");
    found = found || attempt.preimage == payment.proof();
  }
  if (!found) throw BadValue("a preimage of none of its HTLCs");
}

}  // namespace

void check_proofs(const Payment& payment) {
  if (payment.amp) return check_amp_proofs(payment);
  const auto check = [&payment](const std::optional<Preimage>& preimage) {
    if (preimage && !proves(*preimage, payment.request.hash))
      throw BadValue("a preimage that does not hash to the payment hash");
  };
  check(payment.preimage);
  check(payment.late_preimage);
  for (const Attempt& attempt : payment.attempts) {
    // Most settled attempts carry the very preimage that was just checked.
    if (attempt.preimage != payment.proof()) check(attempt.preimage);
  }
}

std::optional<Payment> load_payment(Connection& connection, PaymentIndex index, bool omit_hops) {
  std::optional<Payment> payment;
  {
    Query row = connection.prepared("SELECT " PAYTOWER_PAYMENT_COLUMNS " FROM payments p WHERE p.payment_index = ?1");
    row.bind(index);
    if (!row.step()) return std::nullopt;
    payment = read_payment(row);
  }
  Query row = connection.prepared(
      "SELECT " PAYTOWER_ATTEMPT_COLUMNS
      " FROM attempts a LEFT JOIN switches s ON s.id = a.switch_id WHERE a.payment_index = ?1 ORDER BY a.attempt_row");
  row.bind(index);
  while (row.step()) payment->attempts.push_back(read_attempt(row, omit_hops).attempt);
  check_proofs(*payment);
  return payment;
}

std::optional<Bytes> encode_channels(const std::vector<ShortChannelId>& channels) {
  if (channels.empty()) return std::nullopt;
  Bytes out;
  for (const ShortChannelId channel : channels) put_big_endian(out, channel.value, 8);
  return out;
}

std::optional<Bytes> encode_routes(const std::vector<Route>& routes) {
  if (routes.empty()) return std::nullopt;
  Bytes out;
  for (const Route& route : routes) {
    const Bytes one = encode_route(route);
    put_big_endian(out, one.size(), 4);
    out.insert(out.end(), one.begin(), one.end());
  }
  return out;
}

}  // namespace paytower::db
