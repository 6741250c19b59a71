#include <utility>

#include "cli/commands.h"
#include "cli/dry_run.h"
#include "cli/outcome.h"
#include "cli/refuse.h"
#include "cli/request.h"
#include "cli/text.h"
#include "core/driver_admission.h"
#include "core/lifecycle.h"
#include "core/limits.h"

namespace paytower::cli {

namespace {

constexpr std::size_t description_columns = 100;

void confirm(Session& session, const SendOptions& options, const PaymentRequest& request) {
  const RouteDemand& demand = request.demand;
  if (!session.output.can_ask()) {
    refuse(Errc::not_confirmed, "paying needs a yes, and there is no terminal to ask at: add --yes; nothing was sent");
  }
  std::string question = "Pay " + sat_text(demand.amount) + " to " + demand.destination.hex();
  question += ", fee at most " + sat_text(demand.fee_limit);
  const std::string text = description_of(options);
  if (!text.empty()) question += ",\nfor \"" + printable_cut(text, description_columns) + "\"";
  if (!ask_yes(question + "?")) refuse(Errc::not_confirmed, "not confirmed; nothing was sent");
}

/// Nobody is asked about a payment that the database refuses anyway. (The driver says the same again, under its lock.)
void refuse_known(Session& session, const SendOptions& options, const PaymentRequest& request) {
  const auto database = options.idempotent ? nullptr : open_if_there(session);
  if (!database) return;
  Payment payment;
  payment.request = request;
  const HashState state = database->store.find(request.hash);
  Created created;
  if (state.payment) created.previous = state.payment->status();
  if (state.guard) created.guard = state.guard->kind;
  const auto refusal = decide(payment, Event{session.clock.wall(), created}).refusal;
  if (refusal) throw RefusalError(refusal_of(payment, *refusal));
}

/// What the switch must say before anything is asked or stored: the chain, and its own key for the first hop of --routes.
void check_with_switch(PaymentRequest& request, const SendOptions& options, Session& session, Switch& node) {
  const IdentityAnswer identity = identify(session, node, question_patience(options.wait_ns));
  (void)value_of(check_switch(request, identity.key));
  if (!options.routes) return;
  const std::string text = value_of(read_input(*options.routes, limits::max_input_file_bytes));
  request.candidates = value_of(read_routes(text, request, identity.key));
}

}  // namespace

ExitCode run(const SendOptions& options, Session& session) {
  PaymentRequest request = value_of(make_request(options, session.clock.wall()));  // bad input needs no switch to be refused
  const auto handle = open_switch(session);
  const MonoNs start = session.clock.mono();
  check_with_switch(request, options, session, handle->node());
  const std::int64_t spent = session.clock.mono().value - start.value;
  if (options.dry_run) return dry_run_send(options, std::move(request), session, handle->node());
  if (!options.yes) {
    refuse_known(session, options, request);
    confirm(session, options, request);
    // The answer may have taken a while: the limits in time begin now, and the invoice may be over.
    PaymentRequest later = value_of(make_request(options, session.clock.wall()));
    later.candidates = std::move(request.candidates);
    request = std::move(later);
  }

  const auto database = create_database(session);
  const SignalGuard signals;
  ConsoleObserver observer(session.output, options.inflight_updates);
  DriverOptions how;
  how.wait_ns = remaining_wait(options.wait_ns, spent);
  how.lock_timeout_ns = session.global.lock_timeout_ns.value_or(0);
  const PaymentHash hash = request.hash;
  Driver driver(driver_ports(session, *database, handle->node(), observer), how);
  driver.submit({std::move(request), options.idempotent});
  const auto results = drive(driver, *database, {hash});
  if (results.empty()) throw std::logic_error("the driver told nothing about the payment");
  const ExitCode code = report_one(session, observer, results.front());
  session.output.flush();
  database->store.checkpoint_if_due();
  return code;
}

}  // namespace paytower::cli
