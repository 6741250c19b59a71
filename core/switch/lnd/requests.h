// What we ask lnd, in the form of its REST gateway. Pure: the same attempt makes the same bytes. The last byte of a
// body is its closing brace, so a request without its last byte is not a request.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/driver/ports.h"
#include "core/switch/lnd/record.h"

namespace paytower::lnd {

struct Request {
  std::string method;
  std::string target;
  std::string body{};  ///< empty for GET
};

[[nodiscard]] Request state_request();
[[nodiscard]] Request node_info_request();
/// A stream of one payment. Its first line is the state now.
[[nodiscard]] Request track_request(const PaymentHash& hash);
/// A stream of all payments: first every one that has not ended, then every change.
[[nodiscard]] Request track_all_request();
[[nodiscard]] Request channels_request();
/// The newest payments of all users, at most `most`.
[[nodiscard]] Request newest_payments_request(std::size_t most);
/// The payments of all users after `after`, oldest first, at most max_page.
[[nodiscard]] Request payments_request(std::uint64_t after);

/// A reserve of blocks that may come while the HTLC travels. lnd's own pathfinder does not add it.
inline constexpr std::uint32_t final_cltv_reserve = 3;
/// lnd's default for --max-cltv-expiry: lnd refuses a question above its own limit.
inline constexpr std::uint32_t usual_max_cltv = 2'016;

/// The channels of ours that a route may begin with. Nothing: any. An empty list: none is left.
[[nodiscard]] std::optional<std::vector<ShortChannelId>> first_channels(const RouteQuestion& question,
                                                                        std::span<const OwnChannel> own);
/// One route for the whole amount: lnd does not know the parts of the question. The reserve is within the question's
/// limit of blocks. lnd takes an excluded channel for the pair of its nodes, so it excludes its parallel ones too.
/// `own`: our channels; instead of those among them that are excluded, the others are named (first_channels). Empty:
/// not known.
[[nodiscard]] Request routes_request(const RouteQuestion& question, std::span<const OwnChannel> own = {});

/// Makes nothing. Whether the macaroon may send payments shows in the words of the refusal.
[[nodiscard]] Request empty_send_request();

/// What a request to pay needs besides the attempt.
struct SendTerms {
  Mark mark{};                        ///< goes into the last hop
  std::uint32_t total_time_lock = 0;  ///< the block height at which the first HTLC expires
  bool skip_temp_err = false;  ///< the record stays open when this part fails (lnd/README 9); needs a payment secret
};
/// SendToRouteV2. REQUIRES: the route is not empty, and does not begin before block 0. lnd drops the metadata of an
/// invoice here, so an invoice with metadata must not be paid this way.
[[nodiscard]] Request send_request(const Handover& handover, const SendTerms& terms);

/// Makes an attempt of 1 msat that fails inside lnd: its only hop is a channel that does not exist.
struct FenceTerms {
  PaymentHash hash;
  PublicKey node;            ///< any node; nothing is sent to it
  std::uint32_t expiry = 0;  ///< any block height that is not in the past
  Mark mark{};
};
/// Makes a record that keeps the hash busy, if there is none or a failed one, until it is released or lnd restarts
/// (lnd/README 7).
[[nodiscard]] Request fence_request(const FenceTerms& terms);
/// Ends a record in which nothing is live: that of a fence, or one that skip_temp_err left open (lnd/README 8).
[[nodiscard]] Request release_request(const FenceTerms& terms);

}  // namespace paytower::lnd
