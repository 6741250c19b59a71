// A payment, as people name it on the command line: by its hash, or by the invoice that was paid.
#pragma once

#include <string_view>

#include "cli/input/hash.h"

namespace paytower::cli {

/// 64 hex digits, the first 6 or more of them, or a BOLT 11 invoice, also one that is expired or stands in a URI.
/// Throws a usage refusal.
[[nodiscard]] HashArgument named_payment(std::string_view text);

}  // namespace paytower::cli
