// "Did you mean": the nearest known word.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace paytower::cli {

/// The candidate that needs the fewest edits (insert, delete, change, swap of neighbours); empty when even that one
/// needs too many for its length. Of equal ones the first.
[[nodiscard]] std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

/// "; did you mean list?" for the end of a message; empty when nothing is near.
[[nodiscard]] std::string did_you_mean(std::string_view near);

}  // namespace paytower::cli
