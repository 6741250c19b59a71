// How a switch with a socket waits. The system does it, and tests do it on a clock of their own.
#pragma once

#include "core/base/types.h"

namespace paytower {

class Poller {
 public:
  virtual ~Poller() = default;
  /// Returns when `descriptor` can be read (or written, with `write`), at `until`, or when a signal arrives. True only
  /// in the first case. A negative descriptor is never ready.
  virtual bool wait(int descriptor, bool write, MonoNs until) = 0;
};

}  // namespace paytower
