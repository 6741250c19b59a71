// The whole thing from one seed: driver, store on a real file behind a disk that fails, a network with faults, a virtual
// clock. First everything goes wrong, at rates that the seed draws too, and the ledger judges; then the faults stop, and every
// payment must end. Any number of these may run side by side: each run has a folder of its own.
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/soak/run.h"

using namespace paytower;
using namespace paytower::test;

namespace {

constexpr std::uint64_t most_payments = 1'000;   // of one run

struct Plan {
  std::uint64_t first = 1;
  std::uint64_t last = 20;
  std::uint64_t fresh = 0;                       ///< so many seeds of today instead
  std::uint64_t payments = 100;
};

bool number(std::string_view text, std::uint64_t& out) {
  const auto read = std::from_chars(text.data(), text.data() + text.size(), out);
  return read.ec == std::errc() && read.ptr == text.data() + text.size();
}

bool read_seeds(std::string_view text, Plan& plan) {
  const std::size_t dots = text.find("..");
  if (dots == std::string_view::npos) return number(text, plan.first) && number(text, plan.last);
  return number(text.substr(0, dots), plan.first) && number(text.substr(dots + 2), plan.last) && plan.first <= plan.last;
}

bool read_options(int count, char** words, Plan& plan) {
  for (int i = 1; i < count; i += 2) {
    if (i + 1 == count) return false;
    const std::string_view name = words[i];
    const char* const value = words[i + 1];
    bool good = false;
    if (name == "--seeds") good = read_seeds(value, plan);
    if (name == "--fresh") good = number(value, plan.fresh) && plan.fresh > 0;
    if (name == "--payments") good = number(value, plan.payments) && plan.payments > 0 && plan.payments <= most_payments;
    if (name == "--folder") good = ::setenv("TMPDIR", value, 1) == 0;
    if (!good) return false;
  }
  return true;
}

/// True when no rule was broken.
bool run_seed(std::uint64_t seed, const Plan& plan) {
  const auto name = std::to_string(seed);
  std::printf("seed %s\n", name.c_str());
  std::fflush(stdout);
  std::vector<std::string> broken;
  try {
    Run run(seed, plan.payments);
    broken = run.play();
    const Tally& tally = run.tally();
    std::printf("seeds %s..%s payments %zu paid %zu failed %zu unknown %zu without record %zu disk faults %ju deaths %ju network faults %ju words %ju trace %s\n",
                name.c_str(), name.c_str(), tally.payments, tally.paid, tally.failed, tally.unknown, tally.deleted, std::uintmax_t{tally.disk_faults},
                std::uintmax_t{tally.deaths}, std::uintmax_t{tally.network_faults}, std::uintmax_t{tally.words}, run.trace_hash().c_str());
  } catch (const std::exception& error) {
    broken.emplace_back(error.what());
  }
  for (const std::string& line : broken) std::printf("BROKEN %s\n", line.c_str());
  std::printf("reproduce: soak --seeds %s..%s --payments %ju\n", name.c_str(), name.c_str(), std::uintmax_t{plan.payments});
  return broken.empty();
}

}  // namespace

int main(int count, char** words) {
  Plan plan;
  if (!read_options(count, words, plan)) {
    std::fputs("usage: soak [--seeds A..B | --fresh N] [--payments N] [--folder PATH]\n", stderr);
    return 2;
  }
  bool good = true;
  std::random_device today;
  if (plan.fresh > 0) {
    for (std::uint64_t i = 0; i < plan.fresh; ++i) good &= run_seed(today(), plan);
  } else {
    for (std::uint64_t i = 0; i <= plan.last - plan.first; ++i) good &= run_seed(plan.first + i, plan);
  }
  return good ? 0 : 1;
}
