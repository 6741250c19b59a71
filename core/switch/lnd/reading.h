// lnd's answers as our types. Nothing here concludes anything. An answer that cannot be read as a whole is refused:
// Errc::switch_unavailable, in words for people.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/error.h"
#include "core/payment/route.h"
#include "core/switch/lnd/record.h"

namespace paytower::lnd {

/// A longer answer is refused unread (R16).
inline constexpr std::size_t max_answer_bytes = 16U << 20U;
/// Payments in one page.
inline constexpr std::size_t max_page = 1'000;
inline constexpr std::size_t max_channels = 100'000;

/// How far lnd has come with its start.
enum class ServerState {
  no_wallet,
  locked,
  starting,
  rpc_active,  ///< calls are answered, and truly; links may still be down
  active,
};
/// GET /v1/state
[[nodiscard]] Result<ServerState> read_state(std::string_view body);

/// GET /v1/getinfo
[[nodiscard]] Result<NodeInfo> read_node_info(std::string_view body);

/// What lnd says instead of an answer: {code, message, details}, of streams with "error" around it. The gateway's own
/// errors never have that wrapper.
struct RestError {
  std::uint32_t code = 0;  ///< gRPC's
  std::string message;     ///< untrusted text
  bool wrapped = false;
};
/// Nothing for any other text.
[[nodiscard]] std::optional<RestError> read_error(std::string_view body);

/// lnd's record of a hash, with what it says beside it.
struct PaymentShown {
  PaymentHash hash;
  Record record;
  std::string invoice;      ///< BOLT 11 text, empty without one
  std::uint64_t index = 0;  ///< payment_index: neither unique nor growing with every store of lnd's
};

/// One line of a stream of payments: {"result": ...} or {"error": ...}. A status that is not known is refused.
using StreamLine = std::variant<PaymentShown, RestError>;
[[nodiscard]] Result<StreamLine> read_stream_line(std::string_view line);

/// The answer of SendToRouteV2.
[[nodiscard]] Result<Htlc> read_attempt(std::string_view body);

/// GET /v1/payments
struct PaymentsPage {
  std::vector<PaymentShown> payments;
  std::uint64_t last_index = 0;  ///< where the next page begins; 0 for an empty page
  std::size_t rows = 0;          ///< with those that could not be read
};
/// A payment that cannot be read is left out: it may be of a kind that is not ours.
[[nodiscard]] Result<PaymentsPage> read_payments(std::string_view body);

/// QueryRoutes. Delays count from `height`, directions follow from the keys, which begin with `own`. A route is refused
/// that is blinded, or whose last hop gets other than what its channel carries.
[[nodiscard]] Result<std::vector<Route>> read_routes(std::string_view body, const PublicKey& own, std::uint32_t height);

/// GET /v1/channels
[[nodiscard]] Result<std::vector<OwnChannel>> read_channels(std::string_view body);

}  // namespace paytower::lnd
