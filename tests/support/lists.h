// The lists of a Core Lightning node in a look, for tests of its adapter.
#pragma once

#include <memory>
#include <utility>

#include "core/driver/ports.h"
#include "core/switch/cln/evidence.h"

namespace paytower::test {

inline LookAnswer answer_of(cln::NodeLists lists) {
  return LookAnswer{lists.hash, std::make_shared<cln::NodeLists>(std::move(lists))};
}

/// REQUIRES: the answer is from a Core Lightning node.
inline const cln::NodeLists& lists_of(const LookAnswer& answer) {
  return dynamic_cast<const cln::NodeLists&>(*answer.shown);
}

}  // namespace paytower::test
