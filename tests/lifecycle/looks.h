// A look as the tests of looks begin with it, and what is found in it.
#pragma once

#include "core/switch/cln/evidence.h"
#include "tests/lifecycle/states.h"

namespace paytower::test {

inline StoreId our_store() {
  StoreId id;
  id.bytes.fill(3);
  return id;
}

/// A look that shows a quiet hash; nothing was erased.
inline cln::NodeLists empty_look() {
  cln::NodeLists look;
  look.hash = fresh_payment().request.hash;
  look.now = cln::Counters{12, 12, 0, 12};
  look.htlcs.emplace();
  look.debits.emplace();
  return look;
}

/// The first event of this kind, or nullptr.
template <typename T> const T* some(const LookFinding& finding) {
  for (const Event& event : finding.events) {
    if (const T* found = std::get_if<T>(&event)) return found;
  }
  return nullptr;
}

}  // namespace paytower::test
