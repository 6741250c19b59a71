// lnd's answers as our types. Nothing is concluded here. An answer that cannot be read as a whole is refused:
// Errc::switch_unavailable, with words for people.
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

/// A longer answer is refused without reading it (R16).
inline constexpr std::size_t max_answer_bytes = 16U << 20U;
/// Payments in one page.
inline constexpr std::size_t max_page = 1'000;
inline constexpr std::size_t max_channels = 100'000;

/// How far lnd has got with its start.
enum class ServerState {
  no_wallet,
  locked,
  starting,
  rpc_active,  ///< calls are really answered; links may still be down
  active,
};
/// GET /v1/state
[[nodiscard]] Result<ServerState> read_state(std::string_view body);

/// GET /v1/getinfo
[[nodiscard]] Result<NodeInfo> read_node_info(std::string_view body);

/// What lnd says instead of an answer: {code, message, details}, and in streams with "error" around it. The gateway's
/// own errors never have "error" around them.
struct RestError {
  std::uint32_t code = 0;  ///< gRPC's code
  std::string message;     ///< untrusted text
  bool wrapped = false;
};
/// Nothing for any other text.
[[nodiscard]] std::optional<RestError> read_error(std::string_view body);

/// lnd's record of a hash, and what comes with it.
struct PaymentShown {
  PaymentHash hash;
  Record record;
  std::string invoice;      ///< the BOLT 11 text; empty without one
  std::uint64_t index = 0;  ///< payment_index: not every store of lnd's makes it unique or growing
};

/// One line of a stream of payments: {"result": ...} or {"error": ...}. An unknown status is refused.
using StreamLine = std::variant<PaymentShown, RestError>;
[[nodiscard]] Result<StreamLine> read_stream_line(std::string_view line);

/// The answer of SendToRouteV2.
[[nodiscard]] Result<Htlc> read_attempt(std::string_view body);

/// GET /v1/payments
struct PaymentsPage {
  std::vector<PaymentShown> payments;
  std::uint64_t last_index = 0;  ///< where the next page begins; 0 for an empty page
  std::size_t rows = 0;          ///< including those that could not be read
};
/// A payment that cannot be read is left out: it may be of a kind that we do not use.
[[nodiscard]] Result<PaymentsPage> read_payments(std::string_view body);

/// QueryRoutes. Delays count from `height`. Directions follow from the keys, beginning with `own`. Refused: a blinded
/// route, and one whose last hop gets something else than its channel carries.
[[nodiscard]] Result<std::vector<Route>> read_routes(std::string_view body, const PublicKey& own, std::uint32_t height);

/// GET /v1/channels
[[nodiscard]] Result<std::vector<OwnChannel>> read_channels(std::string_view body);

}  // namespace paytower::lnd
