// The one reader for JSON that comes from outside: files, sockets, standard input.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "core/base/error.h"

namespace paytower {

struct JsonRules {
  std::size_t max_bytes = 0;  ///< REQUIRED: a longer text is refused unread
  /// Keys whose value may be a number with a fraction (probabilities): it is read as null. Everywhere else a float is
  /// an error, because an amount must never pass through a double.
  std::span<const std::string_view> ignored_floats{};
};

/// Reads exactly one JSON document. Refused with Errc::usage and the place: text that is not JSON, anything after the
/// document, nesting deeper than limits::max_json_depth, floats, whole numbers beyond 64 bits, and keys that come twice
/// in an object. Messages may quote keys of the text, which is untrusted.
[[nodiscard]] Result<nlohmann::json> read_json(std::string_view text, const JsonRules& rules);

}  // namespace paytower
