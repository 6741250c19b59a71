// What an imported record holds and no column has a place for, as JSON (paytower-json(5), "imported record").
#pragma once

#include <span>

#include "cli/output/render.h"
#include "db/import/raw.h"

namespace paytower::cli {

/// An array. The keysend preimage, payment secrets and AMP root shares stay where they are.
[[nodiscard]] Json imported_raw_json(std::span<const db::ImportedRaw> all);

}  // namespace paytower::cli
