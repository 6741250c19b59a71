// What we ask lnd, as its REST gateway takes it. Pure: the same hand-over makes the same bytes. The last byte of a body
// is the brace that closes it, so that a request without its last byte is none.
#pragma once

#include <cstdint>
#include <string>

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
/// A stream of one payment: its first line is the state now.
[[nodiscard]] Request track_request(const PaymentHash& hash);
/// A stream of all payments: first each that has not ended, then every change.
[[nodiscard]] Request track_all_request();
[[nodiscard]] Request channels_request();
/// The newest of everybody's payments, at most `most`.
[[nodiscard]] Request newest_payments_request(std::size_t most);
/// Everybody's payments behind `after`, oldest first, at most max_page.
[[nodiscard]] Request payments_request(std::uint64_t after);

/// lnd's own pathfinder adds no such reserve: blocks that may come while the HTLC travels.
inline constexpr std::uint32_t final_cltv_reserve = 3;
/// lnd's own --max-cltv-expiry, unless the operator has set another: a question above its own is refused.
inline constexpr std::uint32_t usual_max_cltv = 2'016;

/// One route for all that is asked for: the question's parts are not known to lnd. The reserve stands within the
/// question's limit of blocks. An excluded channel excludes its parallel ones too: lnd excludes pairs of nodes.
[[nodiscard]] Request routes_request(const RouteQuestion& question);

/// Makes nothing, and is refused in other words where the macaroon may hand over than where it may not.
[[nodiscard]] Request empty_send_request();

/// What a hand-over needs beside itself.
struct SendTerms {
  Mark mark{};                        ///< stands in the last hop
  std::uint32_t total_time_lock = 0;  ///< the block height at which the first HTLC expires
  bool skip_temp_err = false;         ///< the record stays open when this part fails (lnd/README 9): needs a payment
                                      ///< secret
};
/// SendToRouteV2. REQUIRES: the route is not empty, and does not begin before block 0. lnd drops the metadata of an
/// invoice here, so whoever wants it must not be paid this way.
[[nodiscard]] Request send_request(const Handover& handover, const SendTerms& terms);

/// A request that makes an attempt of 1 msat, which fails inside lnd: its only hop is a channel that does not exist.
struct FenceTerms {
  PaymentHash hash;
  PublicKey node;            ///< any; nothing is sent to it
  std::uint32_t expiry = 0;  ///< any block height that is not past
  Mark mark{};
};
/// Makes a record that keeps the hash busy, where there is none or a failed one, until it is released or lnd starts
/// again (lnd/README 7).
[[nodiscard]] Request fence_request(const FenceTerms& terms);
/// Ends a record that nothing is live in: a fence's, or one that skip_temp_err has left open (lnd/README 8).
[[nodiscard]] Request release_request(const FenceTerms& terms);

}  // namespace paytower::lnd
