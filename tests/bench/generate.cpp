// Fills a payment database with a history through the store itself, so it holds what paytower would have stored.
//
//   paytower_generate DATABASE COUNT [NODE]
//
// Every 10th payment has failed, every 1000th has ended unknown, and the last 3 are open: handed over to NODE (a public
// key), which has no record of them.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "core/base/refuse.h"
#include "core/payment/lifecycle.h"
#include "core/switch/cln/counters.h"
#include "db/payments/store.h"
#include "db/sqlite/connection.h"
#include "db/sqlite/locks.h"
#include "tests/support/made_payment.h"

using namespace paytower;
using namespace paytower::test;

namespace {

constexpr std::size_t together = 10'000;
constexpr std::int64_t spacing_ns = 3 * ns_per_second;
constexpr UnixNs epoch{1'600'000'000'000'000'000};
constexpr std::uint64_t left_open = 3;

PaymentRequest request_of(std::uint64_t number) {
  PaymentRequest request = invoiced(UnixNs{epoch.value + static_cast<std::int64_t>(number) * spacing_ns}, number, 60);
  request.demand.destination = key_of(static_cast<std::uint8_t>(3 + number % 40));
  request.demand.amount = Msat::of(1'000 + number % 1'000'000'000);
  if (number % 100 == 0) request.label = "label " + std::to_string(number % 1'000);
  return request;
}

Attempt attempt_of(const PaymentRequest& request, std::uint64_t number) {
  Attempt attempt;
  attempt.id = AttemptId{(std::uint64_t{1} << 50) + number};
  attempt.switch_key = SwitchKey{key_of(2), "regtest"};
  attempt.marks = cln::marks_of({number, number, 0, number});
  const Msat amount = request.demand.amount;
  attempt.route.hops.push_back(
      Hop{ShortChannelId{880'000'000'000'001}, 0, key_of(4), Msat::of(amount.value() + 2'000), 60});
  attempt.route.hops.push_back(
      Hop{ShortChannelId{880'000'000'000'002}, 1, key_of(5), Msat::of(amount.value() + 1'000), 40});
  attempt.route.hops.push_back(Hop{ShortChannelId{880'000'000'000'003}, 0, request.demand.destination, amount, 18});
  attempt.amount = amount;
  attempt.fee = attempt.route.fees();
  attempt.registered = request.created;
  return attempt;
}

/// Leaves the attempt open, as if the process had been killed just before the hand-over.
void leave_open(Payment& payment, Attempt& attempt, const PublicKey& node) {
  payment.request.deadline = UnixNs{INT64_MAX};
  attempt.switch_key = SwitchKey{node, "regtest"};
  attempt.marks = cln::marks_of({0, 0, 0, 0});
}

/// The writes that end the payment, after its first commit.
std::vector<Write> end_of(const Payment& payment, std::uint64_t number) {
  const AttemptKey key = payment.key(payment.attempts.front());
  const UnixNs at{payment.request.created.value + ns_per_second};
  if (number % 1'000 == 1)
    return {CloseAttempt{key, Failure{FailureCode::preimage_lost, 0, {}, {}, {}}, at},
            EndUnknown{EndNote::preimage_lost, at}};
  if (number % 10 == 0) {
    const Failure failure{
        FailureCode::temporary_channel_failure, 1, ChannelDirection{ShortChannelId{880'000'000'000'002}, 1}, {}, {}};
    return {FailAttempt{key, failure, at}, FailPayment{FailureReason::no_route, at}};
  }
  const Preimage proof = preimage_of(number);
  return {SettleAttempt{key, proof, at}, Succeed{proof, at}};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const std::uint64_t count = std::strtoull(argv[2], nullptr, 10);
  const std::uint64_t ended = count - std::min(count, left_open);
  const PublicKey node = (argc > 3 ? PublicKey::from_hex_text(argv[3]) : std::nullopt).value_or(key_of(2));
  db::Connection connection = value_of(db::Connection::open(argv[1], db::OpenMode::create, db::payment_file()));
  db::WriteLock lock(connection.real_path(), db::default_lock_timeout_ns);
  db::SqlitePaymentStore store = value_of(db::SqlitePaymentStore::open(connection, lock));
  connection.database().exec("PRAGMA synchronous = OFF");  // no real payments are at stake
  connection.database().exec(
      "PRAGMA cache_size = -1000000");  // hashes are random: their whole index should stay in memory
  std::vector<Payment> payments;
  std::vector<std::vector<Write>> writes;
  std::vector<PaymentWrites> tick;
  const auto commit = [&] {
    tick.clear();
    for (std::size_t i = 0; i < payments.size(); ++i) tick.push_back(PaymentWrites{&payments[i], writes[i]});
    const auto stored = store.commit(tick);
    for (std::size_t i = 0; i < payments.size(); ++i) {
      if (!stored[i]) {
        std::fprintf(stderr, "%s\n", stored[i].error().message.c_str());
        std::exit(1);
      }
      payments[i].index = stored[i]->index;
      for (const Write& write : writes[i]) apply(payments[i], write);
    }
  };
  for (std::uint64_t first = 1; first <= count; first += together) {
    payments.clear();
    writes.clear();
    for (std::uint64_t number = first; number < first + together && number <= count; ++number) {
      Payment& payment = payments.emplace_back();
      payment.request = request_of(number);
      Attempt attempt = attempt_of(payment.request, number);
      if (number > ended) leave_open(payment, attempt, node);
      writes.push_back({InitPayment{}, RegisterAttempt{std::move(attempt)}});
    }
    commit();
    while (!payments.empty() && first + payments.size() - 1 > ended) {
      payments.pop_back();
      writes.pop_back();
    }
    for (std::size_t i = 0; i < payments.size(); ++i) writes[i] = end_of(payments[i], first + i);
    commit();
  }
  store.checkpoint_if_due();
  return 0;
}
