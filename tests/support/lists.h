// What a Core Lightning node showed, as its adapter hands it on.
#pragma once

#include <memory>
#include <utility>

#include "core/driver/ports.h"
#include "core/switch/cln/evidence.h"

namespace paytower::test {

inline LookAnswer answer_of(cln::NodeLists lists) {
  return LookAnswer{lists.hash, std::make_shared<cln::NodeLists>(std::move(lists))};
}

/// REQUIRES: the answer is of such a node.
inline const cln::NodeLists& lists_of(const LookAnswer& answer) {
  return dynamic_cast<const cln::NodeLists&>(*answer.shown);
}

}  // namespace paytower::test
