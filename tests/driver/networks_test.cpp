// Goal: a payment succeeds if the network can carry it, in at most 16 parts, although a payer knows only its own
// balances; and the payee never gets more than the amount. Method: seeded networks with unbalanced channels, and the
// maximum flow over what each side really holds, computed independently of the driver; the network's ledger decides.
#include <cstdlib>
#include <map>

#include "tests/driver/sim_world.h"
#include "tests/sim/max_flow.h"

using namespace paytower;
using namespace paytower::test;
using sim::test::Fees;
using sim::test::MaxFlow;

namespace {

constexpr std::uint32_t most_parts = 16;
constexpr std::uint32_t most_attempts = 84;
constexpr std::int64_t deadline_s = 60;           ///< all three are the defaults of `send`
constexpr std::uint64_t least_flow = 10'000'000;  ///< msat; below it, fees are a large share of the amount

/// How many networks: PAYTOWER_NETWORKS, or 8.
std::uint64_t networks() {
  const char* const told = std::getenv("PAYTOWER_NETWORKS");
  return told != nullptr ? std::strtoull(told, nullptr, 10) : 8;
}

/// Divides each channel's money anew, and draws the terms of each direction.
void unbalance(SimWorld& world, sim::SeededNumbers& numbers, Fees fees) {
  for (const sim::Channel& channel : world.admin.channels()) {
    for (std::uint8_t side = 0; side < 2; ++side) {
      sim::Policy policy = channel.policies[side];
      sim::test::draw_terms(numbers, fees, policy);
      REQUIRE(world.admin.set_policy(ChannelDirection{channel.id, side}, policy));
    }
    REQUIRE(world.admin.set_balance(channel.id, Msat::of(numbers.below(channel.capacity.value()))));
  }
}

/// What could reach the payee now, by everybody's balances.
std::uint64_t flow_to(SimWorld& world, sim::NodeIndex payee, std::size_t nodes) {
  MaxFlow flow(nodes);
  for (const sim::Channel& channel : world.admin.channels()) {
    for (std::uint8_t side = 0; side < 2; ++side) {
      if (!channel.policies[side].disabled)
        flow.add(channel.nodes[side], channel.nodes[1 - side], channel.balances[side].value());
    }
  }
  return flow.run(payee);
}

PaymentRequest request_for(SimWorld& world, sim::NodeIndex payee, std::uint64_t amount) {
  sim::InvoiceParams params;
  params.amount = Msat::of(amount);
  params.node = "n" + std::to_string(payee);
  PaymentRequest request = world.invoice(params);
  request.demand.fee_limit = Msat::of(amount / 20);
  request.max_parts = most_parts;
  request.max_attempts = most_attempts;
  request.deadline = UnixNs{world.clock.wall().value + deadline_s * ns_per_second};
  return request;
}

struct Score {
  std::uint64_t asked = 0;
  std::uint64_t paid = 0;
  std::uint64_t in_parts = 0;
  std::uint64_t parts = 0;
  std::uint64_t attempts = 0;
  std::uint64_t rounds = 0;
  std::uint64_t moments = 0;  ///< at which the ledger was read
  std::map<std::string, std::uint64_t> not_paid{};
};

/// What was on its way to the payee at a moment, or had settled.
std::uint64_t live_at(const std::vector<sim::OracleEntry>& entries, UnixNs when) {
  std::uint64_t sum = 0;
  for (const sim::OracleEntry& entry : entries) {
    const bool gone = entry.state != sim::OracleState::settled && entry.resolved && *entry.resolved <= when;
    if (entry.created <= when && !gone) sum += entry.amount.value();
  }
  return sum;
}

/// R2, by what really happened: checked at the end, and at each moment at which an HTLC was made.
void judge(SimWorld& world, const Payment& payment, std::uint64_t amount, std::uint64_t& moments) {
  std::uint64_t settled = 0;
  bool held = false;
  const std::vector<sim::OracleEntry> entries = world.oracle(payment.request.hash);
  for (const sim::OracleEntry& entry : entries) {
    if (entry.state == sim::OracleState::settled) settled += entry.amount.value();
    held = held || entry.state == sim::OracleState::held;
    CHECK(live_at(entries, entry.created) <= amount);
  }
  moments += entries.size();
  CHECK_FALSE(held);
  CHECK(settled == (payment.status() == PaymentStatus::succeeded ? amount : 0));
}

std::string why_not(const Payment& payment) {
  std::string why(reason_name(*payment.fail_reason));
  if (payment.failure_detail) why += " " + std::string(detail_name(payment.failure_detail->code));
  return why + (payment.own_attempts() >= most_attempts ? ", all attempts made" : "");
}

void pay(SimWorld& world, Score& score, sim::NodeIndex payee, std::uint64_t amount) {
  CAPTURE(payee);
  CAPTURE(amount);
  const DriveResult result = world.send(request_for(world, payee, amount), 1'800 * ns_per_second);
  REQUIRE(result.end == DriveEnd::ended);
  const Payment& payment = *result.payment;
  judge(world, payment, amount, score.moments);
  ++score.asked;
  score.attempts += payment.own_attempts();
  if (payment.status() != PaymentStatus::succeeded) {
    ++score.not_paid[why_not(payment)];
    return;
  }
  ++score.paid;
  std::uint64_t settled = 0;
  std::vector<std::uint64_t> ids;
  for (const Attempt& attempt : payment.attempts) {
    settled += attempt.outcome == AttemptOutcome::settled ? 1U : 0U;
    if (attempt.id && (ids.empty() || ids.back() != attempt.id->value)) ids.push_back(attempt.id->value);
  }
  CHECK(settled <= most_parts);
  score.parts += settled;
  score.in_parts += settled > 1 ? 1U : 0U;
  score.rounds += ids.size();
}

/// Four payments in each network, to four payees if there are as many. Each amount depends on what the network can
/// carry by then.
void pay_over(std::map<int, Score>& scores, std::uint64_t seed, Fees fees) {
  sim::SeededNumbers numbers(seed);
  const sim::NetworkParams params = sim::test::draw_size(numbers, seed);
  SimWorld world(params);
  unbalance(world, numbers, fees);
  sim::NodeIndex payee = static_cast<sim::NodeIndex>(numbers.below(params.nodes));
  for (const int percent : {25, 60, 90, 100}) {
    payee = payee % (params.nodes - 1) + 1;
    const std::uint64_t most = flow_to(world, payee, params.nodes);
    if (most < least_flow || (percent == 100 && fees == Fees::small)) continue;
    CAPTURE(percent);
    pay(world, scores[percent], payee,
        most / 100 * static_cast<std::uint64_t>(percent) + (percent == 100 ? most % 100 : 0));
  }
}

void tell(const std::string& fees, const std::map<int, Score>& scores) {
  for (const auto& [percent, score] : scores) {
    MESSAGE(percent << " % of the maximum flow, " << fees << ": " << score.paid << " of " << score.asked << " paid, "
                    << score.in_parts << " in parts (" << score.parts << " parts in all), " << score.attempts
                    << " attempts, " << score.rounds << " rounds of the paid, " << score.moments << " moments judged");
    for (const auto& [why, count] : score.not_paid) MESSAGE("  not paid: " << count << " " << why);
  }
}

}  // namespace

TEST_CASE("networks: what they can carry is paid in at most 16 parts, and never more than the amount") {
  std::map<int, Score> free;
  std::map<int, Score> charged;
  for (std::uint64_t seed = 1; seed <= networks(); ++seed) {
    CAPTURE(seed);
    pay_over(seed % 2 == 0 ? free : charged, seed, seed % 2 == 0 ? Fees::none : Fees::small);
  }
  tell("no fees", free);
  tell("fees", charged);
  for (const auto* scores : {&free, &charged}) {
    for (const auto& [percent, score] : *scores) {
      if (percent == 25) CHECK(score.paid == score.asked);
      if (percent == 60) CHECK(score.paid * 10 >= score.asked * 8);  // the driver has to learn what others hold
    }
  }
}
