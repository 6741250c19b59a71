// From the words of a call to its exit code.
#pragma once

#include <span>
#include <string>

namespace paytower::cli {

/// Runs one call. `arguments` without the program's name. Throws nothing.
[[nodiscard]] int run_call(std::span<const std::string> arguments) noexcept;

}  // namespace paytower::cli
