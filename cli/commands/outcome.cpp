// The end of a `send` or `resume` of one payment: what is printed, and the exit code.
#include "cli/commands/outcome.h"

#include <algorithm>

#include <fmt/core.h>

#include "cli/output/live_text.h"
#include "cli/output/render.h"
#include "cli/output/render_text.h"
#include "cli/output/table.h"
#include "core/base/refuse.h"

namespace paytower::cli {

namespace {

constexpr std::int64_t longest_question_ns = 10 * ns_per_second;
constexpr std::int64_t shortest_question_ns = 1 * ns_per_second;

/// Why a payment was left early.
std::string why_left(const Error& error) {
  if (error.code != Errc::switch_unavailable) return error.message;
  return fmt::format("the node cannot be asked: {}", error.message);
}

void print_outcome(Session& session, const DriveResult& result, ReportStyle style) {
  WhyOpen why_open = result.why_open;
  why_open.unasked = result.error && result.error->code == Errc::switch_unavailable;
  print_payment(session, *result.payment, style.sent ? &result : nullptr, why_open);
}

/// Something of the payment may be in flight.
ExitCode report_open(Session& session, const DriveResult& result, ReportStyle style) {
  const Payment& payment = *result.payment;
  if (const int signal = session.clock.stop_signal(); signal != 0)
    return session.output.fail(interrupted_report(signal, payment));
  if (!style.silent) print_outcome(session, result, style);
  const bool helped = result.error && !result.error->hint.empty();
  session.output.hint(helped ? result.error->hint : next_command(payment, result.why_open));
  return ExitCode::outcome_unknown;
}

ExitCode report_ended(Session& session, const ConsoleObserver& observer, const DriveResult& result, ReportStyle style) {
  const Payment& payment = *result.payment;
  const PaymentHash& hash = payment.request.hash;
  if (const auto foreign = foreign_settlement(payment); foreign && !observer.warned(hash))
    session.output.warn(*foreign, hash);
  if (!style.silent) print_outcome(session, result, style);
  if (!style.silent && payment.status() == PaymentStatus::failed)
    session.output.hint(fmt::format("paytower show {}", hash.hex()));
  if (!result.pending_at_switch) return exit_code_of(payment);
  session.output.warn(still_pending_words(result.why_open), hash);
  return ExitCode::outcome_unknown;
}

ExitCode report_error(Session& session, const DriveResult& result, Errc standard) {
  const int signal = session.clock.stop_signal();
  if (signal != 0 && !result.payment) return session.output.fail(interrupted_report(signal, std::nullopt));
  const Error error = result.error.value_or(Error{standard, std::string(code_name(standard))});
  return session.output.fail(report_of(with_node_hint(session, with_next_step(error, {}), result.hash), result.hash));
}

}  // namespace

std::string still_pending_words(const WhyOpen& why) {
  return fmt::format("marked as failed by hand, NOT confirmed: {}, you have paid", still_pending_text(why.movement));
}

std::int64_t question_patience(const std::optional<std::int64_t>& wait_ns) {
  return std::clamp(wait_ns.value_or(longest_question_ns), shortest_question_ns, longest_question_ns);
}

std::optional<std::int64_t> remaining_wait(const std::optional<std::int64_t>& wait_ns, std::int64_t spent_ns) {
  if (!wait_ns || *wait_ns == 0) return wait_ns;
  return std::max<std::int64_t>(*wait_ns - spent_ns, ns_per_ms);
}

Error with_node_hint(const Session& session, Error error, const PaymentHash& hash) {
  const bool theirs = error.code == Errc::in_flight || error.code == Errc::still_at_switch;
  if (!theirs || !error.hint.empty() || !session.global.switch_address) return error;
  error.hint = fmt::format("{}{}", session.global.switch_address->kind->inquiry, hash.hex());
  return error;
}

ConsoleObserver::Words waiting_words(Session& session, const std::optional<std::int64_t>& wait_ns) {
  std::optional<UnixNs> leaves;
  if (wait_ns) leaves = UnixNs{session.clock.wall().value + *wait_ns};
  return [&session, leaves](std::span<const Payment* const> now, std::size_t columns) {
    return now.empty() ? std::string() : waiting_text(*now.front(), session.clock.wall(), leaves, columns);
  };
}

std::optional<Error> over_limits(Session& session, Database* database, const SpendingLimits& allowed,
                                 const PaymentRequest& wanted) {
  if (auto over = over_limit(allowed, wanted)) return over;
  if (!allowed.max_day) return std::nullopt;
  const Msat spent = database != nullptr ? value_of(database->store.spent_in_day(session.clock.wall())) : Msat{};
  return over_day(allowed, wanted, spent);
}

void tell_spooled(OnEnd& on_end, Database& database) {
  for (const PaymentHash& hash : database.paid_from_spool) {
    const HashState state = value_of(database.store.find(hash));
    if (state.payment) on_end.changed(*state.payment);
  }
}

DriverPorts driver_ports(Session& session, Database& database, Switch& node, Observer& observer) {
  return DriverPorts{node, database.store, database.payment_locks, session.clock, session.randomness, observer};
}

DriveResult as_stored(PaymentStore& store, const PaymentHash& hash, const std::string& why) {
  DriveResult result;
  result.hash = hash;
  const HashState state = value_of(store.find(hash));
  if (state.payment && !state.payment->ended_for_good()) {
    result.end = DriveEnd::open;
    result.payment = state.payment;
    result.error = Error{Errc::switch_unavailable, why};
    return result;
  }
  result.end = DriveEnd::unavailable;
  result.error = Error{Errc::switch_unavailable, why};
  return result;
}

DriveResult open_if_recorded(DriveResult result) {
  const bool open = result.payment && result.payment->index.value != 0 && !result.payment->ended_for_good();
  if (result.end == DriveEnd::unavailable && open) result.end = DriveEnd::open;
  return result;
}

std::vector<DriveResult> drive(Driver& driver, PaymentStore& store, const std::vector<PaymentHash>& hashes) {
  try {
    return value_of(driver.run());
  } catch (const SwitchError& error) {
    std::vector<DriveResult> results;
    results.reserve(hashes.size());
    for (const PaymentHash& hash : hashes) results.push_back(as_stored(store, hash, error.what()));
    return results;
  }
}

void warn_of_overpayment(Session& session, Database& database, const PaymentRequest& wanted) {
  const auto history = value_of(database.query.history(wanted.hash, true));
  if (!history || std::any_of(history->tries.begin(), history->tries.end(),
                              [](const Payment& one) { return one.proof() || !one.ended_for_good(); }))
    return;  // no new try begins
  Payment next;
  next.request = wanted;
  next.attempts.emplace_back().amount = wanted.demand.amount;
  if (const Msat more = possible_overpayment(next, history->tries); more > Msat{})
    session.output.warn(overpayment_text(more), wanted.hash);
}

void print_payment(Session& session, const Payment& payment, const DriveResult* sent, const WhyOpen& why_open) {
  if (session.output.json()) {
    PaymentView view{&payment};
    view.sent = sent;
    return session.output.line(payment_text(view));
  }
  session.output.result(for_reader(session.output, outcome_text(payment, why_open)));
  if (sent != nullptr && sent->paid_before) session.output.note("it was paid before; nothing was sent now");
}

ExitCode report_one(Session& session, const ConsoleObserver& observer, const DriveResult& result, ReportStyle style) {
  switch (result.end) {
    case DriveEnd::ended:
      if (result.payment) return report_ended(session, observer, result, style);
      return report_error(session, result, Errc::not_found);
    case DriveEnd::open:
      if (result.error) session.output.warn(why_left(*result.error), result.hash);
      if (result.payment) return report_open(session, result, style);
      return report_error(session, result, Errc::internal);
    case DriveEnd::unavailable:
      if (result.payment && result.handed_over) return report_open(session, result, style);
      return report_error(session, result, Errc::switch_unavailable);
    case DriveEnd::other_switch:
      if (!result.payment) return report_error(session, result, Errc::other_switch);
      if (result.error) session.output.warn(result.error->message, result.hash);
      return report_open(session, result, style);
    case DriveEnd::not_driven:
      if (!result.payment) return report_error(session, result, Errc::not_found);
      if (!style.silent) print_payment(session, *result.payment);
      return exit_code_of(*result.payment);
    case DriveEnd::refused: return report_error(session, result, Errc::internal);
    case DriveEnd::busy: return report_error(session, result, Errc::busy);
  }
  return report_error(session, result, Errc::internal);
}

}  // namespace paytower::cli
