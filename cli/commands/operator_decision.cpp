// Asking for an operator's decision, and storing it although others write at the same time.
#include "cli/commands/operator_decision.h"

#include <array>
#include <utility>

#include <fmt/core.h>

#include "core/base/refuse.h"

namespace paytower::cli {

namespace {

constexpr int most_tries = 5;

}  // namespace

Error refusal_of_decision(const Payment& payment, Errc why) {
  return Error{why, fmt::format("the payment has ended ({}); nothing was changed", status_name(payment.status())),
               fmt::format("paytower show {}", payment.request.hash.hex())};
}

void confirm_decision(const Session& session, const std::string& consequence, const std::string& expected,
                      const std::string& look) {
  if (!session.output.can_ask()) {
    refuse(Errc::not_confirmed,
           "this needs a confirmation, and there is no terminal to ask at: add --yes; nothing was changed");
  }
  const auto answer = ask_line(fmt::format("{}\nType {} to confirm: ", consequence, expected));
  if (answer != expected) refuse(Errc::not_confirmed, "not confirmed; nothing was changed", look);
}

Result<Payment> store_decision(Session& session, Database& database, Payment payment, const Event& word) {
  Error last{Errc::conflict, "the payment kept changing; nothing was changed",
             fmt::format("paytower show {}", payment.request.hash.hex())};
  for (int tries = 0; tries < most_tries; ++tries) {
    const Decision decision = decide(payment, TimedEvent{session.clock.wall(), word});
    if (decision.refusal) return refusal_of_decision(payment, *decision.refusal);
    if (decision.writes.empty()) return payment;
    const std::array<PaymentWrites, 1> tick{{{&payment, decision.writes}}};
    const auto results = database.store.commit(tick);
    const bool stored = static_cast<bool>(results.at(0));
    if (!stored && results.at(0).error().code == Errc::busy) return results.at(0).error();
    auto now = value_of(database.store.load(payment.index));
    if (!now) return Error{Errc::not_found, "the payment was deleted meanwhile"};
    if (stored) return *std::move(now);
    last = results.at(0).error();
    payment = *std::move(now);
  }
  return last;
}

}  // namespace paytower::cli
