// Routes that an operator gives: the JSON of lncli `queryroutes` and `buildroute`, and of Core Lightning `getroutes`
// and `getroute`.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/payment/route.h"

namespace paytower::cli {

struct RoutesContext {
  PublicKey own_node;  ///< where every route begins: gives the first channel its direction
  std::uint32_t final_cltv_delta =
      18;  ///< lnd's heights are absolute: they are rebased so that the last hop gets this many blocks
  std::optional<Msat>
      amount{};  ///< what the payee asks: several routes of getroutes that carry less each are parts of it
};

/// All routes of the document, in its order: each is tried for the whole amount, so parts of it are refused. A usage
/// refusal names the route and the hop, and what is wrong there. Amounts must fit together along the way; whether a
/// route keeps to the payment's limits is check_route's business.
[[nodiscard]] Result<std::vector<Route>> parse_routes(std::string_view text, const RoutesContext& context);

}  // namespace paytower::cli
