// The numbered steps of the payment database's schema, embedded in the program. Frozen once released.
#pragma once

#include <span>
#include <string_view>

namespace paytower::migrations {

struct Step {
  int version;               ///< the schema version that the step leads to
  std::string_view name;     ///< of its file
  std::string_view sql;      ///< run as a whole, inside a transaction of the caller's
};

/// In order of their versions. A new database runs them all.
[[nodiscard]] std::span<const Step> steps();

/// The version that this program reads and writes.
inline constexpr int newest_version = 2;

}  // namespace paytower::migrations
