// The node's JSON as our types. What is missing, of the wrong type or out of range reads as nothing, never as a zero.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/driver/ports.h"
#include "core/payment/look.h"
#include "core/switch/cln/evidence.h"

namespace paytower::cln {

/// Nothing if `object` is not an object or has no such member.
[[nodiscard]] const nlohmann::json* member(const nlohmann::json& object, const char* key);
/// Counters, indexes, heights: nothing above 2^63 - 1. No database holds more, the node's own neither.
[[nodiscard]] std::optional<std::uint64_t> number(const nlohmann::json& object, const char* key);
/// The group of a row: all 64 bits, whoever chose it.
[[nodiscard]] std::optional<AttemptId> group(const nlohmann::json& object, const char* key);
[[nodiscard]] std::optional<std::string> text(const nlohmann::json& object, const char* key);
/// A whole number, or a string of one that ends in "msat". Nothing above all bitcoin.
[[nodiscard]] std::optional<Msat> amount(const nlohmann::json& object, const char* key);
[[nodiscard]] std::optional<ShortChannelId> channel(const nlohmann::json& object, const char* key);

/// 2 * N hex digits as one of the fixed byte strings.
template <typename T> [[nodiscard]] std::optional<T> bytes(const nlohmann::json& object, const char* key) {
  const auto digits = text(object, key);
  return digits ? T::from_hex_text(*digits) : std::nullopt;
}

/// A row of listsendpays, or the row in an answer of sendpay or waitsendpay.
struct Record {
  PaymentHash hash;
  SwitchRow row;
  std::uint64_t created_index = 0;  ///< 0 if the node does not say
  std::uint64_t updated_index = 0;  ///< of its end; 0 while pending
  std::optional<UnixNs> created;
  std::string invoice;
};

/// Nothing if it names no payment hash or no group. An unknown state reads as pending: that keeps the hash closed and
/// concludes nothing. A missing partid reads as 0.
[[nodiscard]] std::optional<Record> read_record(const nlohmann::json& row);

/// The array `key` of a result. Nothing if there is none, or if it has more than `most` elements.
[[nodiscard]] const nlohmann::json* list(const nlohmann::json& result, const char* key, std::size_t most);

/// One of our own channels, as listpeerchannels shows it.
struct OwnChannel {
  PublicKey peer;
  ShortChannelId channel;
  std::uint8_t direction = 0;  ///< our direction
  bool usable = false;         ///< a running channeld owns it and its peer is connected (cln/README 7)
  Msat spendable;
};
/// Leaves out channels without a short channel id.
[[nodiscard]] std::vector<OwnChannel> read_own_channels(const nlohmann::json& result);

/// "SCID/DIRECTION"
[[nodiscard]] std::optional<ChannelDirection> channel_and_direction(const nlohmann::json& object, const char* key);

/// The answer of getroute. Nothing if any hop is incomplete, if there are none, or more than limits::max_hops.
[[nodiscard]] std::optional<Route> read_route(const nlohmann::json& result);

/// The answer of getroutes, as the same kind of route. It tells what goes into each hop; newer nodes also tell what
/// comes out. None if one of them cannot be read, or if there are more than `most`.
[[nodiscard]] std::vector<Route> read_routes_answer(const nlohmann::json& result, std::size_t most);

/// What a channel can hold, as listchannels says for either direction.
[[nodiscard]] std::optional<Msat> read_capacity(const nlohmann::json& result);

/// An outgoing entry of listhtlcs.
struct HtlcEntry {
  PaymentHash hash;
  OutgoingHtlc htlc;
};
/// Nothing for incoming ones. If an entry cannot be read, the whole list cannot be used: `broken` is set.
[[nodiscard]] std::optional<HtlcEntry> read_htlc(const nlohmann::json& entry, bool& broken);

struct DebitEntry {
  PaymentHash hash;
  Debit debit;
};
/// Nothing for what is not a payment of ours: credits, fees of forwards, moves without a payment hash. `broken` as
/// above.
[[nodiscard]] std::optional<DebitEntry> read_debit(const nlohmann::json& entry, bool& broken);

}  // namespace paytower::cln
