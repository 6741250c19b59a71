// Whether a list holds a value.
#pragma once

#include <algorithm>

namespace paytower {

template <typename List, typename Value> [[nodiscard]] bool contains(const List& list, const Value& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

}  // namespace paytower
