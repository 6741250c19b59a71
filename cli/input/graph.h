// Exported Lightning graphs: lncli `describegraph` and Core Lightning `listchannels` JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "core/base/error.h"
#include "core/sim/network.h"

namespace paytower::cli {

/// Reads either kind: one has "edges", the other "channels". Channels without a policy in either direction, and
/// channels of a node with itself, are left out; anything malformed is a usage refusal that names the place.
[[nodiscard]] Result<sim::ImportedGraph> read_graph(const nlohmann::json& document);

}  // namespace paytower::cli
