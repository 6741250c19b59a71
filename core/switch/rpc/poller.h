// How a switch with a socket waits: the system's part, so that tests can run on a clock of their own.
#pragma once

#include "core/base/types.h"

namespace paytower {

class Poller {
 public:
  virtual ~Poller() = default;
  /// Returns when `descriptor` can be read (or written to, with `write`), when `until` has come, or when a signal
  /// arrived. True only in the first case. A negative descriptor never becomes ready.
  virtual bool wait(int descriptor, bool write, MonoNs until) = 0;
};

}  // namespace paytower
