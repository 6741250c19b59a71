// Reads the node's JSON: rows, channels, routes, HTLCs, money movements.
#include "core/switch/cln/reading.h"

#include "core/base/limits.h"
#include "core/base/number.h"

namespace paytower::cln {

namespace {

using nlohmann::json;

std::optional<UnixNs> seconds(const json& object, const char* key) {
  const auto value = number(object, key);
  constexpr std::uint64_t most = static_cast<std::uint64_t>(INT64_MAX / ns_per_second);
  if (!value || *value > most) return std::nullopt;
  return UnixNs{static_cast<std::int64_t>(*value) * ns_per_second};
}

}  // namespace

const json* member(const json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

std::optional<std::uint64_t> number(const json& object, const char* key) {
  const json* value = member(object, key);
  if (value == nullptr || !value->is_number_unsigned()) return std::nullopt;
  const auto found = value->get<std::uint64_t>();
  return found <= INT64_MAX ? std::optional(found) : std::nullopt;
}

std::optional<AttemptId> group(const json& object, const char* key) {
  const json* value = member(object, key);
  if (value == nullptr || !value->is_number_unsigned()) return std::nullopt;
  return AttemptId{value->get<std::uint64_t>()};
}

std::optional<std::string> text(const json& object, const char* key) {
  const json* value = member(object, key);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return value->get<std::string>();
}

std::optional<Msat> amount(const json& object, const char* key) {
  std::optional<std::uint64_t> msat = number(object, key);
  if (!msat) {
    constexpr std::string_view unit = "msat";
    const auto words = text(object, key);
    if (!words || words->size() <= unit.size() || std::string_view(*words).substr(words->size() - unit.size()) != unit)
      return std::nullopt;
    msat = whole_number(std::string_view(*words).substr(0, words->size() - unit.size()));
  }
  return msat ? Msat::from(*msat) : std::nullopt;
}

std::optional<ShortChannelId> channel(const json& object, const char* key) {
  const auto words = text(object, key);
  return words ? ShortChannelId::parse(*words) : std::nullopt;
}

std::optional<Record> read_record(const json& row) {
  const auto hash = bytes<PaymentHash>(row, "payment_hash");
  const auto id = group(row, "groupid");
  const bool has_part = member(row, "partid") != nullptr;
  const auto part = has_part ? number(row, "partid") : 0;
  if (!hash || !id || !part || *part > UINT32_MAX) return std::nullopt;
  Record record;
  record.hash = *hash;
  record.row.id = *id;
  record.row.part = static_cast<std::uint32_t>(*part);
  record.row.label = text(row, "label").value_or("");
  record.row.preimage = bytes<Preimage>(row, "payment_preimage");
  record.row.amount = amount(row, "amount_msat");
  record.row.amount_sent = amount(row, "amount_sent_msat");
  const auto status = text(row, "status");
  if (status == "failed") record.row.state = RowState::failed;
  if (status == "complete") record.row.state = RowState::complete;
  record.created_index = number(row, "created_index").value_or(0);
  record.updated_index = number(row, "updated_index").value_or(0);
  record.created = seconds(row, "created_at");
  record.row.destination = bytes<PublicKey>(row, "destination");
  record.invoice = text(row, "bolt11").value_or("");
  if (record.invoice.size() > limits::max_invoice_chars) record.invoice.clear();
  return record;
}

const json* list(const json& result, const char* key, std::size_t most) {
  const json* found = member(result, key);
  return found != nullptr && found->is_array() && found->size() <= most ? found : nullptr;
}

std::vector<OwnChannel> read_own_channels(const json& result) {
  constexpr std::size_t most_channels = 100'000;
  std::vector<OwnChannel> channels;
  const json* entries = list(result, "channels", most_channels);
  if (entries == nullptr) return channels;
  for (const json& entry : *entries) {
    const auto peer = bytes<PublicKey>(entry, "peer_id");
    const auto scid = channel(entry, "short_channel_id");
    const auto direction = number(entry, "direction");
    if (!peer || !scid || !direction || *direction > 1) continue;
    const json* connected = member(entry, "peer_connected");
    OwnChannel own;
    own.peer = *peer;
    own.channel = *scid;
    own.direction = static_cast<std::uint8_t>(*direction);
    own.usable = text(entry, "owner") == "channeld" && text(entry, "state") == "CHANNELD_NORMAL" &&
                 connected != nullptr && *connected == true;
    own.spendable = amount(entry, "spendable_msat").value_or(Msat{});
    channels.push_back(own);
  }
  return channels;
}

std::optional<Route> read_route(const json& result) {
  const json* hops = list(result, "route", limits::max_hops);
  if (hops == nullptr || hops->empty()) return std::nullopt;
  Route route;
  for (const json& entry : *hops) {
    const auto node = bytes<PublicKey>(entry, "id");
    const auto scid = channel(entry, "channel");
    const auto direction = number(entry, "direction");
    const auto carried = amount(entry, "amount_msat");
    const auto delay = number(entry, "delay");
    if (!node || !scid || !direction || *direction > 1 || !carried || !delay || *delay > limits::max_cltv_delta)
      return std::nullopt;
    route.hops.push_back(
        Hop{*scid, static_cast<std::uint8_t>(*direction), *node, *carried, static_cast<std::uint32_t>(*delay)});
  }
  return route;
}

std::optional<ChannelDirection> channel_and_direction(const json& object, const char* key) {
  const auto words = text(object, key);
  if (!words || words->size() < 3) return std::nullopt;
  const std::string_view end = std::string_view(*words).substr(words->size() - 2);
  const auto scid = ShortChannelId::parse(std::string_view(*words).substr(0, words->size() - 2));
  if (!scid || (end != "/0" && end != "/1")) return std::nullopt;
  return ChannelDirection{*scid, static_cast<std::uint8_t>(end == "/1" ? 1 : 0)};
}

namespace {

std::optional<Route> read_one_of_routes(const json& one) {
  const json* path = list(one, "path", limits::max_hops);
  if (path == nullptr || path->empty()) return std::nullopt;
  // First what comes out of the last hop, then, going backwards, what goes into the hop after it.
  auto out = amount(one, "amount_msat");
  auto delay = number(one, "final_cltv");
  Route route;
  for (std::size_t i = path->size(); i > 0; --i) {
    const json& entry = (*path)[i - 1];
    const bool newer = member(entry, "node_id_out") != nullptr;
    const auto node = bytes<PublicKey>(entry, newer ? "node_id_out" : "next_node_id");
    const auto channel = channel_and_direction(entry, "short_channel_id_dir");
    if (newer) out = amount(entry, "amount_out_msat");
    if (newer) delay = number(entry, "cltv_out");
    if (!node || !channel || !out || !delay || *delay > limits::max_cltv_delta) return std::nullopt;
    route.hops.insert(route.hops.begin(),
                      Hop{channel->channel, channel->direction, *node, *out, static_cast<std::uint32_t>(*delay)});
    out = amount(entry, "amount_msat");
    delay = number(entry, "delay");
  }
  return route;
}

}  // namespace

std::vector<Route> read_routes_answer(const json& result, std::size_t most) {
  const json* entries = list(result, "routes", most);
  if (entries == nullptr) return {};
  std::vector<Route> routes;
  for (const json& entry : *entries) {
    auto route = read_one_of_routes(entry);
    if (!route) return {};
    routes.push_back(std::move(*route));
  }
  return routes;
}

std::optional<Msat> read_capacity(const json& result) {
  const json* channels = list(result, "channels", 2);  // one for each direction
  return channels == nullptr || channels->empty() ? std::nullopt : amount(channels->front(), "amount_msat");
}

std::optional<HtlcEntry> read_htlc(const json& entry, bool& broken) {
  const auto direction = text(entry, "direction");
  const auto state = text(entry, "state");
  const auto index = number(entry, "created_index");
  const auto hash = bytes<PaymentHash>(entry, "payment_hash");
  if (!direction || !state || !index || !hash) {
    broken = true;
    return std::nullopt;
  }
  if (*direction == "in") return std::nullopt;
  return HtlcEntry{*hash, OutgoingHtlc{*index, *state == "RCVD_REMOVE_ACK_REVOCATION", amount(entry, "amount_msat")}};
}

std::optional<DebitEntry> read_debit(const json& entry, bool& broken) {
  const auto index = number(entry, "created_index");
  const auto debit = amount(entry, "debit_msat");
  if (!index || !debit) {
    broken = true;
    return std::nullopt;
  }
  const auto hash = bytes<PaymentHash>(entry, "payment_hash");
  if (!hash || debit->value() == 0 || text(entry, "primary_tag") == "routed") return std::nullopt;
  DebitEntry read;
  read.hash = *hash;
  read.debit.index = *index;
  read.debit.id = group(entry, "group_id").value_or(AttemptId{});
  const std::uint64_t part = number(entry, "part_id").value_or(0);
  if (part > UINT32_MAX) broken = true;
  read.debit.part = static_cast<std::uint32_t>(part);
  return read;
}

}  // namespace paytower::cln
