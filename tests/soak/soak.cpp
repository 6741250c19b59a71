// The whole thing from one seed: driver, store on a real file behind a disk that fails, a network with faults, a virtual
// clock. First everything goes wrong, at rates that the seed draws too, and the ledger judges after every process; then the
// faults stop, and every payment must end.
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <random>
#include <string>
#include <string_view>

#include "core/hash.h"
#include "tests/crash/crash_world.h"

using namespace paytower;
using namespace paytower::test;

namespace {

constexpr std::uint64_t most_payments = 1'000;   // of one run: each is looked at after every process

struct Plan {
  std::uint64_t first = 1;
  std::uint64_t last = 20;
  std::uint64_t fresh = 0;                       ///< so many seeds of today instead
  std::uint64_t payments = 30;
};

class Soak {
 public:
  Soak(std::uint64_t seed, std::uint64_t payments) : random_(seed), payments_(payments), world_(seed) {
    kills_ = below(60);
    errors_ = below(40);
    network_ = below(60);
    shells_ = below(50);
  }

  /// Every broken rule is a line.
  std::vector<std::string> run() {
    note("make", world_.process([](Process&) {}));
    const std::uint64_t most_steps = payments_ * 4;
    for (std::uint64_t i = 0; i < most_steps && world_.requests.size() < payments_ && broken_.empty(); ++i) step();
    if (broken_.empty()) calm();
    return broken_;
  }
  [[nodiscard]] std::string trace_hash() const {
    const auto* const bytes = reinterpret_cast<const std::uint8_t*>(world_.trace.data());
    return sha256({bytes, world_.trace.size()}).hex();
  }
  [[nodiscard]] std::size_t payments() const { return world_.requests.size(); }
  [[nodiscard]] std::uint64_t struck() const { return struck_; }

 private:
  // Only the engine's own numbers are used: the standard distributions differ from library to library.
  std::uint64_t below(std::uint64_t end) { return random_() % end; }
  bool percent(std::uint64_t chance) { return below(100) < chance; }

  void step() {
    if (percent(network_)) spoil_network();
    if (percent(25)) world_.pass(static_cast<std::int64_t>(below(120)));
    world_.shell_between_steps = percent(shells_);
    arm_disk();
    const std::uint64_t what = below(10);
    if (what < 5) {
      note("send", send_some());
    } else if (what < 8) {
      note("resume", world_.resume(static_cast<std::int64_t>(below(30))));
    } else if (!world_.requests.empty()) {
      const PaymentHash hash = world_.requests[below(world_.requests.size())].hash;
      if (what == 8) note("cancel", world_.cancel(hash));
      if (what == 9) (void)world_.admin.release(hash, percent(50) ? std::optional<std::uint32_t>(0x4000 | 15) : std::nullopt);
    }
    world_.shell_between_steps = false;
    judge();
  }

  bool send_some() {
    std::vector<PaymentRequest> wanted;
    const std::uint64_t count = std::min(1 + below(8), payments_ - world_.requests.size());
    for (std::uint64_t i = 0; i < count; ++i) {
      sim::InvoiceParams params;
      if (percent(20)) params.fail = *sim::parse_fail_spec(percent(50) ? "TEMPORARY_CHANNEL_FAILUREx1" : "INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS");
      if (percent(20)) params.hold.ns = percent(50) ? sim::Hold::forever : static_cast<std::int64_t>(below(90)) * ns_per_second;
      PaymentRequest& request = (world_.invoice(params), world_.requests.back());
      if (percent(20)) request.deadline = UnixNs{world_.clock.wall().value + static_cast<std::int64_t>(1 + below(60)) * ns_per_second};
      wanted.push_back(request);
    }
    return world_.send_all(wanted, static_cast<std::int64_t>(below(20)));
  }

  void spoil_network() {
    struct Kind {
      sim::FaultKind kind;
      sim::Step step;
    };
    static constexpr Kind kinds[] = {
        {sim::FaultKind::hold_request, sim::Step::before_dispatch}, {sim::FaultKind::lose_reply, sim::Step::before_dispatch},
        {sim::FaultKind::lose_reply, sim::Step::after_dispatch},    {sim::FaultKind::lose_reply, sim::Step::after_look},
        {sim::FaultKind::disconnect, sim::Step::before_dispatch},   {sim::FaultKind::disconnect, sim::Step::after_dispatch},
        {sim::FaultKind::lose_result, sim::Step::resolve},          {sim::FaultKind::erase_rows, sim::Step::before_look},
        {sim::FaultKind::refuse_fence, sim::Step::before_fence},    {sim::FaultKind::lose_reply, sim::Step::after_fence},
        {sim::FaultKind::foreign, sim::Step::before_dispatch},      {sim::FaultKind::unreachable, sim::Step::before_look},
        {sim::FaultKind::lose_reply, sim::Step::query},
    };
    const Kind& chosen = kinds[below(std::size(kinds))];
    sim::Fault fault;
    fault.kind = chosen.kind;
    fault.step = chosen.step;
    fault.skip = static_cast<std::uint32_t>(below(4));
    fault.delay_ns = static_cast<std::int64_t>(below(200)) * ns_per_second;
    fault.text = fault.kind == sim::FaultKind::foreign ? "another wallet" : "";
    world_.admin.add_fault(fault);
  }

  void arm_disk() {
    DiskFault fault;
    fault.seed = random_();
    fault.at = 1 + below(80);
    fault.unsynced = static_cast<Unsynced>(below(4));
    if (percent(kills_)) {
      fault.kind = percent(50) ? DiskFault::Kind::kill_before : DiskFault::Kind::kill_after;
    } else if (percent(errors_)) {
      fault.kind = DiskFault::Kind::error;
      const std::uint64_t which = below(3);
      if (which == 0) fault.calls = {DiskCall::write, DiskCall::sync, DiskCall::truncate, DiskCall::remove, DiskCall::open, DiskCall::lock};
      if (which == 1) fault.calls = {DiskCall::write, DiskCall::truncate}, fault.code = SQLITE_FULL;
      if (which == 2) fault.calls = {DiskCall::lock}, fault.code = SQLITE_BUSY;
    }
    world_.disk.arm(fault);
  }

  void judge() {
    struck_ += world_.disk.struck() ? 1U : 0U;
    world_.power_on();
    for (std::string& line : world_.judge()) broken_.push_back(std::move(line));
  }

  /// The faults stop.
  void calm() {
    for (const sim::Fault& fault : world_.admin.faults()) world_.admin.remove_fault(fault.id);
    world_.admin.set_reachable();
    for (const PaymentRequest& request : world_.requests) (void)world_.admin.release(request.hash, std::nullopt);
    world_.pass(600);
    if (!world_.to_the_end(world_.requests)) {
      broken_.emplace_back("R17: a payment does not end; last said: " + world_.last_warning);
    }
    for (std::string& line : world_.judge()) broken_.push_back("at the end: " + std::move(line));
  }

  void note(const char* what, bool well) { world_.trace += std::string(what) + (well ? " +" : " -") + std::to_string(world_.disk.counted()) + "\n"; }

  std::mt19937_64 random_;
  std::uint64_t payments_;
  CrashWorld world_;
  std::uint64_t kills_ = 0;
  std::uint64_t errors_ = 0;
  std::uint64_t network_ = 0;
  std::uint64_t shells_ = 0;
  std::uint64_t struck_ = 0;
  std::vector<std::string> broken_;
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
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  std::vector<std::string> broken;
  try {
    Soak soak(seed, plan.payments);
    broken = soak.run();
    std::printf("seeds %llu..%llu payments %zu disk faults %llu trace %s\n", static_cast<unsigned long long>(seed), static_cast<unsigned long long>(seed),
                soak.payments(), static_cast<unsigned long long>(soak.struck()), soak.trace_hash().c_str());
  } catch (const std::exception& error) {
    broken.emplace_back(error.what());
  }
  for (const std::string& line : broken) std::printf("BROKEN %s\n", line.c_str());
  std::printf("reproduce: soak --seeds %llu..%llu --payments %llu\n", static_cast<unsigned long long>(seed), static_cast<unsigned long long>(seed),
              static_cast<unsigned long long>(plan.payments));
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
