// A clock for tests with sockets: time passes when somebody waits.
#pragma once

#include <algorithm>

#include "core/driver/ports.h"

namespace paytower::test {

class TestClock final : public Clock {
 public:
  UnixNs wall() override { return UnixNs{1'795'392'676 * ns_per_second + at}; }
  MonoNs mono() override { return MonoNs{at}; }
  void sleep_until(MonoNs until) override { at = std::max(at, until.value); }
  int stop_signal() override { return 0; }
  std::int64_t at = 0;
};

}  // namespace paytower::test
