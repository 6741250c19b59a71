// `cancel`: no new attempts of a payment, also in other processes.
#include <array>
#include <utility>

#include <fmt/core.h>

#include "cli/commands/commands.h"
#include "cli/commands/operator_decision.h"
#include "cli/commands/outcome.h"
#include "cli/output/render.h"
#include "cli/output/render_text.h"
#include "cli/output/table.h"
#include "core/base/refuse.h"

namespace paytower::cli {

namespace {

struct CancelOptions {
  HashArgument hash;
  bool dry_run = false;
};

constexpr auto cancel_flags = std::to_array<Flag>({
    {"dry-run,n", "say what would happen; nothing is stored", into::on<&CancelOptions::dry_run>},
});

void take(CancelOptions& cancel, const Given& given) { cancel.hash = given.hash(); }

constexpr std::int64_t look_wait_ns = 5 * ns_per_second;

Payment stored_payment(Database& database, const CancelOptions& options, const PaymentHash& hash) {
  HashState state = value_of(database.store.find(hash));
  if (state.payment) return *std::move(state.payment);
  if (state.guard) {
    refuse(Errc::already_ended, "this payment was deleted: there is nothing to cancel, and its hash stays blocked",
           fmt::format("paytower show {}", hash.hex()));
  }
  refuse(no_such_payment(options.hash));
}

/// Says FAILED where the switch confirms that nothing is in flight. Without a switch, or when another process works on
/// the payment, only the stop is stored.
Payment after_look(Session& session, Database& database, Payment payment) {
  if (payment.ended_for_good() || payment.has_open_attempt() || !session.global.switch_address) return payment;
  const SignalGuard signals;
  const auto unasked = [&session](std::string_view why) {
    session.output.note(fmt::format("the switch cannot be asked: {}", why));
  };
  ConsoleObserver observer(session.output, false);
  const auto handle = open_switch(session);
  if (!handle) {
    if (!is_out_of_reach(session, handle.error())) refuse(handle.error());
    unasked(handle.error().message);
    return payment;
  }
  DriverOptions how;
  how.wait_ns = look_wait_ns;
  how.collect_only = true;
  Driver driver(driver_ports(session, database, (*handle)->node(), observer), how);
  driver.adopt(payment.index);
  try {
    (void)value_of(driver.run());
  } catch (const SwitchError& error) {
    unasked(error.what());
  }
  auto now = value_of(database.store.load(payment.index));
  return now ? *std::move(now) : std::move(payment);
}

/// 0 when the cancel has ended it, 4 while something is open.
ExitCode code_of(const Payment& payment) {
  if (payment.status() == PaymentStatus::failed) return ExitCode::ok;
  return exit_code_of(payment);
}

std::string words(const Payment& payment) {
  if (payment.status() == PaymentStatus::failed)
    return fmt::format("Canceled. Nothing is in flight{}\n", again_words(payment, SystemClock().wall()));
  if (!payment.ended_for_good()) return fmt::format("No further attempts. {}", outcome_text(payment));
  return outcome_text(payment);
}

ExitCode report(Session& session, const Payment& payment) {
  session.output.result(session.output.json() ? fmt::format("{}\n", payment_text(PaymentView{&payment}))
                                              : for_reader(session.output, words(payment)));
  if (!payment.ended_for_good()) session.output.hint(next_command(payment));
  return code_of(payment);
}

ExitCode dry_run(Session& session, const Payment& payment) {
  const Decision decision = decide(payment, TimedEvent{session.clock.wall(), CancelRequested{}});
  if (decision.refusal) refuse(refusal_of_decision(payment, *decision.refusal));
  const bool over = payment.attempts.empty();
  const ExitCode code = over ? ExitCode::ok : ExitCode::outcome_unknown;
  if (session.output.json()) {
    std::string json;
    JsonWriter out(json);
    out.begin_object();
    out.key("dry_run").boolean(true);
    out.key("exit_code").number(code);
    write_payment(out.key("payment"), PaymentView{&payment});
    out.end_object();
    session.output.line(json);
  } else {
    session.output.result(
        over ? "Would be canceled: nothing was ever in flight. Nothing was changed.\n"
             : "Would get no further attempts; what is in flight stays in flight. Nothing was changed.\n");
  }
  return code;
}

ExitCode run(const CancelOptions& options, Session& session) {
  const auto database = open_database(session, options.dry_run ? db::OpenMode::read_only : db::OpenMode::read_write);
  const PaymentHash hash = find_hash(session, database.get(), options.hash, true);
  session.output.speak_of(hash);
  if (!database) refuse(no_such_payment(options.hash));
  Payment payment = stored_payment(*database, options, hash);
  if (options.dry_run) return dry_run(session, payment);
  auto stopped = store_decision(session, *database, std::move(payment), CancelRequested{});
  if (!stopped) refuse(stopped.error());
  (void)value_of(database->admin.record_decision(db::OperatorDecision::cancel, hash,
                                                 db::Operator{user_name(), session.clock.wall()}));
  const ExitCode code = report(session, after_look(session, *database, *std::move(stopped)));
  session.output.flush();
  database->store.checkpoint_if_due();
  return code;
}

}  // namespace

constexpr Command cancel_command = command<CancelOptions, take, run>({
    .name = "cancel",
    .words = "HASH|INVOICE",
    .summary = "Stop a payment: no further attempts",
    .about = "Stops new attempts, also in other running paytowers; stays after a restart. Results of what is in flight "
             "are still collected: exit 4 while something is open, 0 when the payment is over.",
    .flags = cancel_flags,
    .examples = "  paytower cancel 3f9c0d12ab8e",
    .asks_switch = true,
});

}  // namespace paytower::cli
