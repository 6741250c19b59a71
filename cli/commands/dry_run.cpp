// What `send --dry-run` tells: the routes it would take, or why it would not pay.
#include "cli/commands/dry_run.h"

#include <string>

#include <fmt/core.h>

#include "cli/commands/outcome.h"
#include "cli/output/failure_text.h"
#include "cli/output/render.h"
#include "cli/output/render_text.h"
#include "cli/output/text.h"
#include "core/base/refuse.h"

namespace paytower::cli {

namespace {

std::string words_of(const std::vector<Route>& planned) {
  Msat amount;
  for (const Route& route : planned) amount = checked_add(amount, route.delivered()).value_or(amount);
  const std::string way = planned.size() == 1 ? fmt::format("over {}", counted(planned.front().hops.size(), "hop"))
                                              : fmt::format("in {} parts", planned.size());
  return fmt::format("Would pay {} {}, fee {}.", sat_text(amount), way, sat_text(fees_of(planned)));
}

std::string words_of(const DriveResult& result) {
  const Payment& payment = *result.payment;
  switch (payment.status()) {
    case PaymentStatus::succeeded: return "Is paid already, with the same parameters.";
    case PaymentStatus::failed: return fmt::format("Would fail: {}.", why_not_paid(payment));
    case PaymentStatus::unknown: return "Has ended already.";
    case PaymentStatus::initiated:
    case PaymentStatus::in_flight: break;
  }
  if (result.joined) return "Is open already, with the same parameters: send would join it.";
  const std::string who = blocker_text(result.why_open.blocker);
  if (!who.empty() && !payment.has_open_attempt()) return fmt::format("Would wait: {}.", who);
  return "Is in flight already, and the switch cannot be asked what became of it.";
}

std::string forecast_json(const DriveResult& result, const std::vector<Route>& planned, ExitCode code) {
  const bool refused = is_refusal(result, planned);
  const bool failed = result.payment && result.payment->fail_reason;
  std::string json;
  JsonWriter out(json);
  out.begin_object();
  out.key("dry_run").boolean(true);
  out.key("exit_code").number(code);
  out.key("refusal").maybe_text(refused && result.error ? code_name(result.error->code) : "");
  out.key("failure_reason").maybe_text(failed ? reason_name(*result.payment->fail_reason) : "");
  out.key("failure_detail");
  failed ? write_failure_detail(out, *result.payment) : out.null();
  out.key("route");
  planned.empty() ? out.null() : write_route(out, planned.front());
  out.key("routes").begin_array();
  for (const Route& route : planned) write_route(out.element(), route);
  out.end_array();
  out.end_object();
  return json;
}

/// What only the node knows to be paid cannot be shown here: nothing was stored. The hint asks the node.
DriveResult with_inquiry(Session& session, DriveResult result) {
  const bool paid = result.error && result.error->code == Errc::already_paid;
  if (!paid || !session.global.switch_address) return result;
  const auto database = open_if_there(session);
  const HashState state = database ? value_of(database->store.find(result.hash)) : HashState{};
  if (!state.payment && !state.guard)
    result.error->hint = fmt::format("{}{}", session.global.switch_address->kind->inquiry, result.hash.hex());
  return result;
}

}  // namespace

bool is_refusal(const DriveResult& result, const std::vector<Route>& planned) {
  const bool told = result.end == DriveEnd::refused || result.end == DriveEnd::busy || !result.payment;
  return planned.empty() && told;
}

Msat fees_of(const std::vector<Route>& planned) {
  Msat fees;
  for (const Route& route : planned) fees = checked_add(fees, route.fees()).value_or(fees);
  return fees;
}

ExitCode tell_dry_run(Session& session, const ConsoleObserver& observer, const DriveResult& told,
                      const std::vector<Route>& planned) {
  const DriveResult result = with_inquiry(session, told);
  ExitCode code = ExitCode::ok;
  if (is_refusal(result, planned)) {
    code = report_one(session, observer, result);
    if (!session.output.json()) return code;
  } else if (planned.empty()) {
    code = exit_code_of(*result.payment);
  }
  if (session.output.json()) {
    session.output.line(forecast_json(result, planned, code));
  } else {
    session.output.line(
        fmt::format("{} Nothing was sent or stored.", planned.empty() ? words_of(result) : words_of(planned)));
  }
  return code;
}

}  // namespace paytower::cli
