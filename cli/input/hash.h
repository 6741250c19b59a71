// Payment hashes on the command line: whole, or as a prefix that the store makes unique.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/base/types.h"

namespace paytower::cli {

struct HashArgument {
  std::string digits;                ///< 6 to 64 hex digits, lower case
  std::optional<PaymentHash> whole;  ///< set when all 64 are there
};

/// Of a hash: so many are typed to confirm what cannot be undone.
inline constexpr std::size_t typed_digits = 8;

/// 64 hex digits of either case, or a prefix of at least 6.
[[nodiscard]] Result<HashArgument> parse_hash(std::string_view text);

}  // namespace paytower::cli
