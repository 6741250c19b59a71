// libFuzzer target for --routes: lncli's queryroutes and buildroute, Core Lightning's getroutes and getroute.
// Invariants: bounds, amounts and delays that never rise, and a route that the store can keep.
#include "cli/input/routes.h"
#include "core/base/limits.h"
#include "tests/fuzz/fuzz.h"

using namespace paytower;
using namespace paytower::test;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  cli::RoutesContext context;
  context.own_node = *PublicKey::from_hex_text("02500000000000000000000000000000000000000000000000000000000000000a");
  context.amount = Msat::of(250'000);
  const auto routes = cli::parse_routes(text_of(bytes, size), context);
  if (!routes) {
    must(!routes.error().message.empty());
    return 0;
  }
  must(routes->size() <= limits::max_candidate_routes);
  for (const Route& route : *routes) {
    must(!route.hops.empty() && route.hops.size() <= limits::max_hops);
    for (std::size_t i = 1; i < route.hops.size(); ++i) {
      must(route.hops[i].amount <= route.hops[i - 1].amount && route.hops[i].delay <= route.hops[i - 1].delay);
    }
    must(decode_route(encode_route(route)) == route);
  }
  return 0;
}
