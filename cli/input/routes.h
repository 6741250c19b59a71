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

/// All routes of the document, in its order. Each is tried for the whole amount, so routes that carry only a part are
/// refused. A usage refusal names the route, the hop, and the fault. Amounts must fit together along the way;
/// check_route compares them with the payment's limits.
[[nodiscard]] Result<std::vector<Route>> parse_routes(std::string_view text, const RoutesContext& context);

}  // namespace paytower::cli
