// The parameters of what we ask the node. Pure: one hand-over makes the same text every time (R4).
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
/// How long its answer is waited for: a lost one costs no more than this.
inline constexpr std::int64_t wait_patience_ns = 30 * ns_per_second;
/// So many of them follow each other before the driver looks again: every 48 s of a pending payment.
inline constexpr unsigned waits_a_look = 3;
inline constexpr std::uint64_t list_page = 1'000;

/// REQUIRES: the route is not empty.
[[nodiscard]] nlohmann::json sendpay_params(const Handover& handover);

/// A sendpay that makes a row at the attempt's ids and never an HTLC: all bitcoin over one named channel, which
/// channeld refuses by itself. A part behind 0 keeps its amount, its total, its payee and its payment secret, which the
/// node compares among parts; its second hop is invented, so that a part to a peer can be fenced, and a fence does not
/// depend on the attempt's own channels. `secret`: any random one, for an attempt without a part's number.
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
/// From our own channels as they stand. `layers`: ours; an empty name is passed over.
[[nodiscard]] nlohmann::json getroutes_params(const PublicKey& from, const PublicKey& to, Msat amount, Msat fee_limit,
                                              std::uint32_t final_delay, std::uint32_t cltv_limit,
                                              std::uint32_t max_parts, std::span<const std::string> layers);
/// `inform`: "constrained" says that the channel takes at most one msat less.
[[nodiscard]] nlohmann::json inform_params(const std::string& layer, const ChannelDirection& channel, Msat amount,
                                           const char* inform);

}  // namespace paytower::cln
