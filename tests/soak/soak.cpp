// The whole program from one seed: driver, store on a real file on a failing disk, a network with faults, a virtual
// clock. First everything goes wrong, at rates that are drawn from the seed too, and the ledger decides whether a rule
// was broken; then the faults stop, and every payment must end. Any number of these may run at the same time, each in a
// folder of its own.
#include <array>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/hash.h"
#include "tests/soak/run.h"

using namespace paytower;
using namespace paytower::test;

namespace {

constexpr std::uint64_t most_payments = 1'000;  // of one run

struct Plan {
  std::uint64_t first = 1;
  std::uint64_t last = 20;
  std::uint64_t fresh = 0;  ///< if set, this many new random seeds instead
  std::uint64_t payments = 100;
};

bool number(std::string_view text, std::uint64_t& out) {
  const auto read = std::from_chars(text.data(), text.data() + text.size(), out);
  return read.ec == std::errc() && read.ptr == text.data() + text.size();
}

bool read_seeds(std::string_view text, Plan& plan) {
  const std::size_t dots = text.find("..");
  if (dots == std::string_view::npos) return number(text, plan.first) && number(text, plan.last);
  return number(text.substr(0, dots), plan.first) && number(text.substr(dots + 2), plan.last) &&
         plan.first <= plan.last;
}

bool read_options(int count, char** words, Plan& plan) {
  for (int i = 1; i < count; i += 2) {
    if (i + 1 == count) return false;
    const std::string_view name = words[i];
    const char* const value = words[i + 1];
    bool good = false;
    if (name == "--seeds") good = read_seeds(value, plan);
    if (name == "--fresh") good = number(value, plan.fresh) && plan.fresh > 0;
    if (name == "--payments")
      good = number(value, plan.payments) && plan.payments > 0 && plan.payments <= most_payments;
    if (name == "--folder") good = ::setenv("TMPDIR", value, 1) == 0;
    if (!good) return false;
  }
  return true;
}

volatile std::sig_atomic_t told_to_leave = 0;

void print(const Tally& tally, const std::string& trace) {
  std::printf(
      " payments %zu paid %zu failed %zu unknown %zu without record %zu disk faults %ju deaths %ju network faults %ju "
      "words %ju trace %s\n",
      tally.payments, tally.paid, tally.failed, tally.unknown, tally.deleted, std::uintmax_t{tally.disk_faults},
      std::uintmax_t{tally.deaths}, std::uintmax_t{tally.network_faults}, std::uintmax_t{tally.words}, trace.c_str());
}

/// Prints which situations were reached: a zero means that the soak does not test that one.
void print_reached(const Tally& tally) {
  static constexpr std::array<const char*, met_count> names = {
      "in parts",       "part replaced",     "later round",         "given back by the payee",
      "fenced",         "proof beside open", "preimage lost",       "stopped beside open",
      "closed by word", "half handed over",  "paid by another user"};
  std::printf("parts:");
  for (std::size_t i = 0; i < met_count; ++i) std::printf(" %s %ju,", names[i], std::uintmax_t{tally.met[i]});
  std::printf(" paid in parts %zu, HTLCs of these %ju, most that settled one %ju\n", tally.paid_in_parts,
              std::uintmax_t{tally.parts}, std::uintmax_t{tally.most_parts});
}

void print_reproduce(const std::string& first, const std::string& last, const Plan& plan) {
  std::printf("reproduce: soak --seeds %s..%s --payments %ju\n", first.c_str(), last.c_str(),
              std::uintmax_t{plan.payments});
  std::fflush(stdout);
}

/// Runs seeds one after the other, and adds up their tallies.
class Campaign {
 public:
  explicit Campaign(const Plan& plan) : plan_(plan) {}

  void run(std::uint64_t seed) {
    const std::string name = std::to_string(seed);
    std::printf("seed %s", name.c_str());  // printed before the run, so that a crash shows its seed
    std::fflush(stdout);
    std::vector<std::string> broken;
    try {
      Run run(seed, plan_.payments);
      broken = run.play();
      print(run.tally(), run.trace_hash());
      total_ += run.tally();
      traces_ += run.trace_hash();
    } catch (const std::exception& error) {
      broken.emplace_back(error.what());
    }
    for (const std::string& line : broken) std::printf("BROKEN %s\n", line.c_str());
    if (!broken.empty()) print_reproduce(name, name, plan_);
    broken_ += broken.empty() ? 0U : 1U;
    if (first_.empty()) first_ = name;
    last_ = name;
  }
  /// True when no seed broke a rule.
  [[nodiscard]] bool finish() const {
    const auto* const bytes = reinterpret_cast<const std::uint8_t*>(traces_.data());
    std::printf("seeds %s..%s broken %zu", first_.c_str(), last_.c_str(), broken_);
    print(total_, sha256({bytes, traces_.size()}).hex());
    print_reached(total_);
    print_reproduce(first_, last_, plan_);
    return broken_ == 0;
  }

 private:
  const Plan& plan_;
  Tally total_;
  std::string traces_;
  std::string first_;
  std::string last_;
  std::size_t broken_ = 0;
};

}  // namespace

int main(int count, char** words) {
  Plan plan;
  if (!read_options(count, words, plan)) {
    std::fputs("usage: soak [--seeds A..B | --fresh N] [--payments N] [--folder PATH]\n", stderr);
    return 2;
  }
  // A long campaign may be stopped: the current seed is finished, and the sum is printed.
  for (const int signal : {SIGINT, SIGTERM}) std::signal(signal, [](int) { told_to_leave = 1; });
  bool good = true;
  std::random_device today;
  for (std::uint64_t i = 0; i < plan.fresh && told_to_leave == 0; ++i) {
    Campaign one(plan);
    one.run(today());
    good &= one.finish();
  }
  if (plan.fresh > 0) return good ? 0 : 1;
  Campaign campaign(plan);
  for (std::uint64_t i = 0; i <= plan.last - plan.first && told_to_leave == 0; ++i) campaign.run(plan.first + i);
  return campaign.finish() ? 0 : 1;
}
