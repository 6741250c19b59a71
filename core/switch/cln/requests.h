// The parameters of what we ask the node. Pure: the same attempt makes the same text every time (R4).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/driver/ports.h"
#include "core/switch/cln/reading.h"

namespace paytower::cln {

/// How long one waitsendpay stays at the node.
inline constexpr std::int64_t wait_seconds = 16;
/// How long we wait for its answer: a lost answer costs no more than this.
inline constexpr std::int64_t wait_patience_ns = 30 * ns_per_second;
/// After this many of them the driver looks again: every 48 s while a payment is pending.
inline constexpr unsigned waits_a_look = 3;
inline constexpr std::uint64_t list_page = 1'000;

/// REQUIRES: the route is not empty.
[[nodiscard]] nlohmann::json sendpay_params(const Handover& handover);

/// A sendpay that makes a row with the attempt's ids, but never an HTLC: it sends all bitcoin over one named channel,
/// which channeld refuses by itself. A part above 0 keeps its amount, total, payee and payment secret, because the node
/// compares those among parts. Its second hop is invented, so that a part that goes to a peer can be fenced too, and so
/// that a fence does not need the attempt's own channels. `secret`: a random one, for an attempt without a part number.
[[nodiscard]] nlohmann::json fence_params(const Handover& fence, const OwnChannel& over, const PaymentSecret& secret);

[[nodiscard]] nlohmann::json waitsendpay_params(const AttemptKey& key, std::int64_t timeout_seconds);
[[nodiscard]] nlohmann::json listsendpays_params(const PaymentHash& hash);
[[nodiscard]] nlohmann::json page_params(std::uint64_t start, std::uint64_t limit = list_page);
[[nodiscard]] nlohmann::json counter_params(const char* subsystem, const char* index);

struct RouteParams {
  PublicKey to;
  Msat amount;
  std::uint32_t final_delay = 0;
  std::uint32_t risk_factor = 10;
  std::size_t max_hops = 0;
};
/// "SCID/DIRECTION"
[[nodiscard]] std::string channel_name(const ChannelDirection& channel);
[[nodiscard]] nlohmann::json getroute_params(const RouteParams& asked,
                                             std::span<const ChannelDirection> without_channels,
                                             std::span<const PublicKey> without_nodes);
/// Starts from our own channels as they are now. `layers`: ours; an empty name is left out.
[[nodiscard]] nlohmann::json getroutes_params(const PublicKey& from, const PublicKey& to, Msat amount, Msat fee_limit,
                                              std::uint32_t final_delay, std::uint32_t cltv_limit,
                                              std::uint32_t max_parts, std::span<const std::string> layers);
/// `inform`: "constrained" says that the channel takes at most one msat less.
[[nodiscard]] nlohmann::json inform_params(const std::string& layer, const ChannelDirection& channel, Msat amount,
                                           const char* inform);

}  // namespace paytower::cln
