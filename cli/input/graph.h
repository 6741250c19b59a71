// Exported Lightning graphs: lncli `describegraph` and Core Lightning `listchannels` JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "core/base/error.h"
#include "core/sim/network.h"

namespace paytower::cli {

/// Reads either kind, told apart by its members ("edges" or "channels"). Channels that cannot be used (half a policy is
/// enough, none is not) and self-channels are left out; anything malformed is a usage refusal that names the place.
[[nodiscard]] Result<sim::ImportedGraph> read_graph(const nlohmann::json& document);

}  // namespace paytower::cli
