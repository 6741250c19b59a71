// Turns rows into payments and attempts, and checks every preimage (R7).
#include "db/payments/rows.h"

#include <algorithm>

#include <fmt/core.h>

#include "core/base/hash.h"
#include "core/base/limits.h"
#include "core/base/number.h"
#include "db/payments/stored_detail.h"

namespace paytower::db {

namespace {

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

std::uint32_t number32(Query& value) { return static_cast<std::uint32_t>(value.number(UINT32_MAX)); }
std::optional<std::uint32_t> maybe_number32(Query& value) {
  const auto number = value.maybe_number(UINT32_MAX);
  if (!number) return std::nullopt;
  return static_cast<std::uint32_t>(*number);
}
/// A limit that only native payments have. The schema makes sure that they have it.
std::uint32_t limit32(Query& value) { return maybe_number32(value).value_or(0); }

std::optional<Failure> read_failure(const AttemptColumns& row) {
  const auto code = row[AttemptColumn::failure_code].maybe_number(UINT32_MAX);
  if (!code) return std::nullopt;
  Failure failure;
  failure.code = static_cast<FailureCode>(*code);
  if (const auto source = maybe_number32(row[AttemptColumn::failure_source])) failure.source_index = *source;
  const auto channel = row[AttemptColumn::failure_channel].maybe_bits();
  const auto direction = row[AttemptColumn::failure_direction].maybe_number(1);
  if (channel && direction)
    failure.channel = ChannelDirection{ShortChannelId{*channel}, static_cast<std::uint8_t>(*direction)};
  failure.node = row[AttemptColumn::failure_node].maybe_fixed<PublicKey>();
  failure.message = row[AttemptColumn::failure_message].text();
  return failure;
}

Route read_route(Query& value) {
  const auto stored = value.maybe_blob();
  if (!stored) return {};
  auto route = decode_route(*stored);
  if (!route) throw BadValue("a route that is none");
  return std::move(*route);
}

}  // namespace

Payment read_payment(const PaymentColumns& row) {
  using enum PaymentColumn;
  Payment payment;
  PaymentRequest& request = payment.request;
  payment.index.value = row[payment_index].integer();
  request.hash = row[payment_hash].fixed<PaymentHash>();
  request.demand.amount = row[amount_msat].msat();
  request.created = row[created_ns].time();
  request.deadline = row[deadline_ns].maybe_time().value_or(UnixNs{});
  payment.provenance = static_cast<Provenance>(row[provenance].number(2));
  if (const auto first = row[duplicate_of].maybe_integer()) payment.duplicate_of = PaymentIndex{*first};
  request.demand.destination = row[destination].maybe_fixed<PublicKey>().value_or(PublicKey{});
  request.demand.fee_limit = Msat::of(row[fee_limit_msat].maybe_number(Msat::max_value).value_or(0));
  request.demand.cltv_limit = limit32(row[cltv_limit]);
  request.demand.final_cltv_delta = limit32(row[final_cltv_delta]);
  request.max_attempts = limit32(row[max_attempts]);
  request.max_parts = number32(row[max_parts]);
  request.payment_secret = row[payment_secret].maybe_fixed<PaymentSecret>();
  request.metadata = row[metadata].maybe_blob();
  request.invoice = row[invoice].text();
  request.network = row[network].text();
  request.label = row[shown_label].text();  // the last one that was said
  request.demand.outgoing_channels = decode_channels(row[outgoing_channels].maybe_blob());
  request.candidates = decode_routes(row[candidate_routes].maybe_blob());
  payment.stop_reason = maybe_enum<FailureReason>(row[stop_reason], 5);
  payment.fail_reason = maybe_enum<FailureReason>(row[fail_reason], 5);
  payment.preimage = row[preimage].maybe_fixed<Preimage>();
  payment.late_preimage = row[late_preimage].maybe_fixed<Preimage>();
  payment.end_note = maybe_enum<EndNote>(row[end_note], 2);
  payment.ended = row[ended_ns].maybe_time();
  payment.amp = row[amp].number(1) == 1;
  payment.failure_detail = decode_detail(row[failure_detail].text());
  return payment;
}

AttemptRow read_attempt(const AttemptColumns& row, bool omit_hops) {
  using enum AttemptColumn;
  AttemptRow read;
  Attempt& attempt = read.attempt;
  read.payment.value = row[payment_index].integer();
  attempt.row = row[attempt_row].integer();
  if (const auto id = row[attempt_id].maybe_bits()) attempt.id = AttemptId{*id};
  attempt.part = number32(row[part]);
  attempt.origin = static_cast<AttemptOrigin>(row[origin].number(2));
  if (const auto key = row[node].maybe_fixed<PublicKey>()) attempt.switch_key = SwitchKey{*key, row[network].text()};
  attempt.marks = row[marks].maybe_blob().value_or(Marks{});
  if (!omit_hops) attempt.route = read_route(row[route]);
  attempt.amount = row[amount_msat].msat();
  attempt.fee = row[fee_msat].msat();
  attempt.registered = row[registered_ns].time();
  attempt.total_time_lock = maybe_number32(row[total_time_lock]);
  attempt.dies_at = row[dies_at_ns].maybe_time();
  attempt.expected_time_lock = maybe_number32(row[expected_time_lock]);
  attempt.moved = row[moved_ns].maybe_time();
  attempt.accepted = row[accepted_ns].maybe_time();
  attempt.resolved = row[resolved_ns].maybe_time();
  attempt.outcome = maybe_enum<AttemptOutcome>(row[outcome], 3);
  attempt.preimage = row[preimage].maybe_fixed<Preimage>();
  attempt.failure = read_failure(row);
  attempt.switch_run = row[switch_run].text();
  attempt.htlc_hash = row[htlc_hash].maybe_fixed<PaymentHash>();
  return read;
}

namespace {

/// A set id has no preimage: each settled HTLC proves its own hash, and the payment's preimage is one of theirs.
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
    // Most settled attempts have the preimage that was just checked.
    if (attempt.preimage != payment.proof()) check(attempt.preimage);
  }
}

std::optional<Payment> load_payment(Connection& connection, PaymentIndex index, bool omit_hops) {
  std::optional<Payment> payment;
  {
    Query row =
        connection.prepared(fmt::format("SELECT {} FROM payments p WHERE p.payment_index = ?1", select_payment()));
    row.bind(index);
    if (!row.step()) return std::nullopt;
    payment = read_payment(PaymentColumns(row));
  }
  Query row = connection.prepared(fmt::format(
      "SELECT {}"
      " FROM attempts a LEFT JOIN switches s ON s.id = a.switch_id WHERE a.payment_index = ?1 ORDER BY a.attempt_row",
      select_attempt()));
  row.bind(index);
  while (row.step()) payment->attempts.push_back(read_attempt(AttemptColumns(row), omit_hops).attempt);
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
