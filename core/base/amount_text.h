// Numbers and amounts as people read them.
#pragma once

#include <cstdint>
#include <string>

#include "core/base/msat.h"

namespace paytower {

/// "1,234,567".
[[nodiscard]] std::string grouped(std::uint64_t number);

/// "1,000 sat", "1.012 sat".
[[nodiscard]] std::string sat_text(Msat amount);

}  // namespace paytower
