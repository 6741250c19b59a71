// Reads lnd's JSON: state, node, payments, routes, channels, errors.
#include "core/switch/lnd/reading.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/core.h>

#include "core/base/json.h"
#include "core/base/limits.h"
#include "core/switch/lnd/failures.h"
#include "core/switch/lnd/fields.h"

namespace paytower::lnd {

namespace {

using nlohmann::json;

/// Hops of anybody's payment; an onion of lnd holds 27.
constexpr std::size_t most_hops_shown = 64;
constexpr std::size_t most_pending_htlcs = 2 * limits::max_batch_parallel;

Error unusable(std::string_view what) {
  return Error{Errc::switch_unavailable, fmt::format("lnd's answer to {} cannot be used", what)};
}

/// The text as JSON. null, which lnd never sends as a message, if it is not JSON or breaks a bound.
json document(std::string_view body) {
  constexpr std::array<std::string_view, 1> floats = {"success_prob"};
  auto read = read_json(body, JsonRules{max_answer_bytes, floats});
  return read ? std::move(*read) : json();
}

/// If lnd does not have the bytes, it sends 64 zeros, or nothing.
std::optional<Preimage> real(const std::optional<Preimage>& preimage) {
  return preimage == Preimage{} ? std::nullopt : preimage;
}

std::optional<Mark> mark_in(Fields& last_hop) {
  const json* records = last_hop.message("custom_records");
  if (records == nullptr) return std::nullopt;
  Fields fields(*records);
  const Bytes record = fields.bytes(fmt::format("{}", mark_record_type).c_str());
  if (!fields.good()) last_hop.refuse();
  Mark mark{};
  if (record.size() != mark.size()) return std::nullopt;
  std::copy(record.begin(), record.end(), mark.begin());
  return mark;
}

/// True if all of the route could be read.
bool take_route(const json& route, Htlc& htlc) {
  Fields fields(route);
  htlc.total_time_lock = fields.number32("total_time_lock");
  htlc.sent = fields.amount("total_amt_msat");
  const json& hops = fields.list("hops", most_hops_shown);
  if (hops.empty()) return fields.good();
  Fields first(hops.front());
  htlc.first_channel = first.channel("chan_id");
  Fields last(hops.back());
  htlc.amount = last.amount("amt_to_forward_msat");
  htlc.destination = last.hex<PublicKey>("pub_key");
  htlc.mark = mark_in(last);
  return fields.good() && first.good() && last.good();
}

/// IN_FLIGHT is lnd's zero, so it is also what a missing field means.
std::optional<Htlc::State> htlc_state(const std::string& status) {
  if (status == "FAILED") return Htlc::State::failed;
  if (status == "SUCCEEDED") return Htlc::State::settled;
  if (status == "IN_FLIGHT" || status.empty()) return Htlc::State::in_flight;
  return std::nullopt;
}

void take_failure(Fields& fields, Htlc& htlc) {
  const json* failure = fields.message("failure");
  htlc.failure = failure != nullptr ? read_failure(*failure) : Failure{};
  if (failure != nullptr) htlc.failure_message = failure_message(*failure);
}

std::optional<Htlc> htlc_of(const json& attempt) {
  Fields fields(attempt);
  const auto state = htlc_state(fields.text("status"));
  if (!state) return std::nullopt;
  Htlc htlc;
  htlc.attempt_id = fields.number("attempt_id", UINT64_MAX);
  htlc.state = *state;
  htlc.attempt_time = fields.time("attempt_time_ns");
  htlc.preimage = real(fields.fixed<Preimage>("preimage"));
  if (htlc.state == Htlc::State::failed) take_failure(fields, htlc);
  const json* route = fields.message("route");
  if (route != nullptr && !take_route(*route, htlc)) return std::nullopt;
  return fields.good() ? std::optional(std::move(htlc)) : std::nullopt;
}

/// INITIATED is a record without HTLCs. lnd calls it IN_FLIGHT unless asked otherwise.
std::optional<Record::Status> record_status(const std::string& status) {
  if (status == "SUCCEEDED") return Record::Status::succeeded;
  if (status == "FAILED") return Record::Status::failed;
  if (status == "IN_FLIGHT" || status == "INITIATED") return Record::Status::in_flight;
  return std::nullopt;
}

std::optional<std::vector<Htlc>> htlcs_of(const json& attempts) {
  std::vector<Htlc> htlcs;
  for (const json& attempt : attempts) {
    auto htlc = htlc_of(attempt);
    if (!htlc) return std::nullopt;
    htlcs.push_back(std::move(*htlc));
  }
  return htlcs;
}

std::optional<PaymentShown> payment_of(const json& payment) {
  Fields fields(payment);
  const auto hash = fields.hex<PaymentHash>("payment_hash");
  const auto status = record_status(fields.text("status"));
  auto htlcs = htlcs_of(fields.list("htlcs", limits::max_rows_per_look));
  PaymentShown shown;
  shown.record.value = fields.amount("value_msat");
  shown.record.created = fields.time("creation_time_ns");
  shown.record.preimage = real(fields.hex<Preimage>("payment_preimage"));
  shown.invoice = fields.text("payment_request");
  if (shown.invoice.size() > limits::max_invoice_chars) shown.invoice.clear();
  shown.index = fields.number("payment_index", UINT64_MAX);
  const std::string reason = fields.text("failure_reason");
  shown.record.failing = !reason.empty() && reason != "FAILURE_REASON_NONE";
  if (!hash || !status || !htlcs || !fields.good()) return std::nullopt;
  shown.hash = *hash;
  shown.record.status = *status;
  shown.record.htlcs = std::move(*htlcs);
  return shown;
}

std::optional<RestError> error_of(const json& error, bool wrapped) {
  Fields fields(error);
  RestError read{fields.number32("code"), fields.text("message"), wrapped};
  // Any other message would read as one whose code is zero, which is not an error.
  return fields.good() && read.code != 0 ? std::optional(std::move(read)) : std::nullopt;
}

std::optional<RestError> error_in(const json& answer) {
  Fields fields(answer);
  const json* wrapped = fields.message("error");
  if (!fields.good() || fields.message("result") != nullptr) return std::nullopt;
  return wrapped != nullptr ? error_of(*wrapped, true) : error_of(answer, false);
}

/// The HTLC on the channel that leads to a hop.
struct Incoming {
  PublicKey from;
  Msat amount;
  std::uint32_t expiry = 0;
};

std::optional<Hop> hop_of(Fields& fields, const Incoming& in, std::uint32_t height) {
  const auto node = fields.hex<PublicKey>("pub_key");
  const bool blinded = !fields.bytes("encrypted_data").empty();
  if (!node || blinded || in.expiry < height || in.expiry - height > limits::max_cltv_delta) return std::nullopt;
  return Hop{fields.channel("chan_id"), static_cast<std::uint8_t>(in.from < *node ? 0 : 1), *node, in.amount,
             in.expiry - height};
}

std::optional<Route> route_of(const json& answer, const PublicKey& own, std::uint32_t height) {
  Fields whole(answer);
  Incoming in{own, whole.amount("total_amt_msat"), whole.number32("total_time_lock")};
  const json& hops = whole.list("hops", limits::max_hops);
  Route route;
  for (const json& entry : hops) {
    Fields fields(entry);
    const auto hop = hop_of(fields, in, height);
    const Incoming out{hop ? hop->node : own, fields.amount("amt_to_forward_msat"), fields.number32("expiry")};
    if (!hop || !fields.good() || out.amount > in.amount || out.expiry > in.expiry) return std::nullopt;
    route.hops.push_back(*hop);
    if (route.hops.size() == hops.size() && (out.amount != in.amount || out.expiry != in.expiry)) return std::nullopt;
    in = out;
  }
  if (route.hops.empty() || !whole.good()) return std::nullopt;
  return route;
}

Msat spendable(Fields& fields) {
  constexpr std::uint64_t most_sat = Msat::max_value / 1'000;
  const std::uint64_t balance = fields.number("local_balance", most_sat);
  const std::uint64_t reserve = fields.number("local_chan_reserve_sat", most_sat);
  return Msat::of((balance - std::min(balance, reserve)) * 1'000);
}

std::optional<OwnChannel> channel_of(const json& entry) {
  Fields fields(entry);
  OwnChannel channel;
  channel.id = fields.channel("chan_id");
  const auto peer = fields.hex<PublicKey>("remote_pubkey");
  if (!peer) return std::nullopt;
  channel.peer = *peer;
  channel.spendable = spendable(fields);
  channel.active = fields.flag("active");
  for (const json& pending : fields.list("pending_htlcs", most_pending_htlcs)) {
    Fields htlc(pending);
    const bool out = !htlc.flag("incoming");
    const auto hash = htlc.fixed<PaymentHash>("hash_lock");
    if (!hash || !htlc.good()) return std::nullopt;
    if (out) channel.pending_out.push_back(*hash);
  }
  return fields.good() ? std::optional(std::move(channel)) : std::nullopt;
}

std::string network_in(Fields& fields) {
  const json& chains = fields.list("chains", 8);
  if (chains.empty()) return {};
  Fields chain(chains.front());
  std::string network = chain.text("network");
  if (!chain.good()) fields.refuse();
  return network == "mainnet" ? "bitcoin" : network;
}

}  // namespace

Result<ServerState> read_state(std::string_view body) {
  const json answer = document(body);
  Fields fields(answer);
  const std::string state = fields.text("state");
  if (state == "SERVER_ACTIVE") return ServerState::active;
  if (state == "RPC_ACTIVE") return ServerState::rpc_active;
  if (state == "UNLOCKED" || state == "WAITING_TO_START") return ServerState::starting;
  if (state == "LOCKED") return ServerState::locked;
  if (state == "NON_EXISTING") return ServerState::no_wallet;
  return unusable("state");
}

Result<NodeInfo> read_node_info(std::string_view body) {
  const json answer = document(body);
  Fields fields(answer);
  const auto key = fields.hex<PublicKey>("identity_pubkey");
  NodeInfo info;
  info.network = network_in(fields);
  info.height = fields.number32("block_height");
  info.synced = fields.flag("synced_to_chain");
  info.version = fields.text("version");
  if (!key || info.network.empty() || !fields.good()) return unusable("getinfo");
  info.key = *key;
  return info;
}

std::optional<RestError> read_error(std::string_view body) { return error_in(document(body)); }

Result<StreamLine> read_stream_line(std::string_view line) {
  const json message = document(line);
  if (auto error = error_in(message)) return StreamLine(std::move(*error));
  Fields fields(message);
  const json* result = fields.message("error") == nullptr ? fields.message("result") : nullptr;
  auto shown = result != nullptr ? payment_of(*result) : std::nullopt;
  if (!shown) return unusable("track");
  return StreamLine(std::move(*shown));
}

Result<Htlc> read_attempt(std::string_view body) {
  const json answer = document(body);
  // Only its status tells an attempt from an empty message.
  if (!answer.is_object() || !answer.contains("status")) return unusable("send");
  auto htlc = htlc_of(answer);
  if (!htlc) return unusable("send");
  return std::move(*htlc);
}

Result<PaymentsPage> read_payments(std::string_view body) {
  const json answer = document(body);
  Fields fields(answer);
  const json& rows = fields.list("payments", max_page);
  PaymentsPage page;
  page.last_index = fields.number("last_index_offset", UINT64_MAX);
  page.rows = rows.size();
  if (!fields.good()) return unusable("payments");
  for (const json& row : rows) {
    if (auto shown = payment_of(row)) page.payments.push_back(std::move(*shown));
  }
  return page;
}

Result<std::vector<Route>> read_routes(std::string_view body, const PublicKey& own, std::uint32_t height) {
  const json answer = document(body);
  Fields fields(answer);
  std::vector<Route> routes;
  for (const json& entry : fields.list("routes", limits::max_candidate_routes)) {
    auto route = route_of(entry, own, height);
    if (!route) return unusable("routes");
    routes.push_back(std::move(*route));
  }
  if (!fields.good()) return unusable("routes");
  return routes;
}

Result<std::vector<OwnChannel>> read_channels(std::string_view body) {
  const json answer = document(body);
  Fields fields(answer);
  std::vector<OwnChannel> channels;
  for (const json& entry : fields.list("channels", max_channels)) {
    auto channel = channel_of(entry);
    if (!channel) return unusable("channels");
    channels.push_back(std::move(*channel));
  }
  if (!fields.good()) return unusable("channels");
  return channels;
}

}  // namespace paytower::lnd
