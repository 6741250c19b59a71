#include "cli/commands/dry_run.h"

#include <utility>

#include "cli/commands/outcome.h"
#include "cli/output/failure_text.h"
#include "cli/output/refuse.h"
#include "cli/output/render.h"
#include "cli/output/render_text.h"
#include "cli/output/text.h"
#include "core/driver/admission.h"
#include "core/driver/route_session.h"
#include "core/payment/lifecycle.h"
#include "core/payment/look.h"

namespace paytower::cli {

namespace {

Forecast refused(Errc why) {
  return Forecast{exit_code_of(why), why, {}, {}, "Would be refused: " + std::string(code_name(why)) + "."};
}

/// What the switch shows of the hash; nothing when it is quiet.
std::optional<Forecast> by_look(const Payment& payment, const Shown& shown, const StoreKnowledge& knowledge) {
  const LookFinding finding = interpret(payment, shown, knowledge);
  if (finding.alarm) return refused(*finding.alarm);
  for (const Event& event : finding.events) {
    if (std::holds_alternative<HashPaid>(event) || std::holds_alternative<SettledPreimageLost>(event))
      return refused(Errc::already_paid);
    if (std::holds_alternative<HashBusy>(event)) return refused(Errc::in_flight);
  }
  return std::nullopt;
}

RouteAnswer ask_route(Session& session, Switch& node, const RouteQuestion& question, std::int64_t patience_ns) {
  node.ask_route(question);
  const MonoNs until{session.clock.mono().value + patience_ns};
  while (session.clock.mono() < until && session.clock.stop_signal() == 0) {
    for (SwitchEvent& event : node.poll(until)) {
      if (const auto* lost = std::get_if<Disconnected>(&event))
        refuse(Errc::switch_unavailable, lost->why + "; nothing was done");
      auto* answer = std::get_if<RouteAnswer>(&event);
      if (answer != nullptr && answer->ticket == question.ticket) return std::move(*answer);
    }
  }
  refuse(Errc::switch_unavailable, "the switch gave no route in time; nothing was done");
}

Forecast by_routes(std::vector<Route> routes) {
  Msat amount;
  Msat fees;
  for (const Route& route : routes) {
    amount = checked_add(amount, route.delivered()).value_or(amount);
    fees = checked_add(fees, route.fees()).value_or(fees);
  }
  const std::string way = routes.size() == 1 ? "over " + counted(routes.front().hops.size(), "hop")
                                             : "in " + std::to_string(routes.size()) + " parts";
  std::string words = "Would pay " + sat_text(amount) + " " + way + ", fee " + sat_text(fees) + ".";
  return Forecast{ExitCode::ok, {}, std::move(routes), {}, std::move(words)};
}

/// The payment that a send would record.
Forecast without_route(Payment payment, const NoRoute& why) {
  apply(payment, FailPayment{why.reason, payment.request.created, why.detail});
  std::string words = "Would fail: " + why_not_paid(payment) + ".";
  return Forecast{ExitCode::payment_failed, {}, {}, std::move(payment), std::move(words)};
}

std::shared_ptr<const MissionControl> remembered(const SendOptions& options, Database* database) {
  if (database == nullptr || options.no_memory) return nullptr;
  auto memory = std::make_shared<MissionControl>();
  memory->learn_all(database->store.recent_results(MissionControl::results_to_load));
  return memory->empty() ? nullptr : memory;
}

Forecast foresee(const SendOptions& options, const Payment& payment, const HashState& state, Database* database,
                 Session& session, Switch& node) {
  const std::int64_t patience = question_patience(options.wait_ns);
  if (database != nullptr) check_copy(session, *database, node, patience);
  const auto shown = look(session, node, payment, patience);
  if (auto forecast = by_look(payment, *shown, state.knowledge)) return *std::move(forecast);
  QuestionContext context{1, remembered(options, database), state.knowledge.store, session.clock.wall()};
  const NextRoutes next = next_routes(payment, UINT32_MAX, context);
  if (const auto* route = std::get_if<Route>(&next)) return by_routes({*route});
  if (const auto* nothing = std::get_if<NothingLeft>(&next))
    return without_route(payment, NoRoute{FailureReason::no_route, nothing->detail});
  const auto& question = std::get<RouteQuestion>(next);
  RouteAnswer answer = ask_route(session, node, question, patience);
  if (answer.routes.empty() && answer.advised) {
    context.memory = nullptr;
    answer = ask_route(session, node, std::get<RouteQuestion>(next_routes(payment, UINT32_MAX, context)), patience);
  }
  auto judged = judge_answer(answer, payment, Exclusions{question.excluded_channels, question.excluded_nodes, {}});
  if (auto* routes = std::get_if<std::vector<Route>>(&judged)) return by_routes(std::move(*routes));
  return without_route(payment, std::get<NoRoute>(judged));
}

}  // namespace

Forecast forecast_of(const DriveResult& known) {
  if (known.end == DriveEnd::open) {
    return Forecast{ExitCode::outcome_unknown,
                    {},
                    {},
                    {},
                    "Is in flight already, and the switch cannot be asked what became of it."};
  }
  if (known.error) return refused(known.error->code);
  if (known.payment && known.payment->proof())
    return Forecast{ExitCode::ok, {}, {}, {}, "Is paid already, with the same parameters."};
  return Forecast{known.payment ? exit_code_of(*known.payment) : ExitCode::internal, {}, {}, {}, "Has ended already."};
}

Forecast forecast_of_join() {
  return Forecast{
      ExitCode::outcome_unknown, {}, {}, {}, "Is open already, with the same parameters: send would join it."};
}

ExitCode tell_dry_run(Session& session, const Forecast& forecast) {
  if (!session.output.json()) {
    session.output.result(forecast.words + " Nothing was sent or stored.\n");
    return forecast.code;
  }
  Json json;
  json["dry_run"] = true;
  json["exit_code"] = number(forecast.code);
  json["refusal"] = forecast.refusal ? Json(code_name(*forecast.refusal)) : Json();
  json["failure_reason"] = forecast.failed ? Json(reason_name(*forecast.failed->fail_reason)) : Json();
  json["failure_detail"] = forecast.failed ? failure_detail_json(*forecast.failed) : Json();
  json["route"] = forecast.routes.empty() ? Json() : route_json(forecast.routes.front());
  json["routes"] = Json::array();
  for (const Route& route : forecast.routes) json["routes"].push_back(route_json(route));
  session.output.result(dump(json) + "\n");
  return forecast.code;
}

ExitCode dry_run_send(const SendOptions& options, PaymentRequest request, const HashState& state, Database* database,
                      Session& session, Switch& node) {
  Payment payment;
  payment.request = std::move(request);
  return tell_dry_run(session, foresee(options, payment, state, database, session, node));
}

}  // namespace paytower::cli
