#include "cli/dry_run.h"

#include <utility>

#include "cli/outcome.h"
#include "cli/refuse.h"
#include "cli/render.h"
#include "cli/render_text.h"
#include "cli/text.h"
#include "core/driver_admission.h"
#include "core/lifecycle.h"
#include "core/look.h"
#include "core/route_session.h"

namespace paytower::cli {

namespace {

/// What a send of this call would come to.
struct Forecast {
  ExitCode code = ExitCode::ok;
  std::optional<Errc> refusal{};
  std::optional<Route> route{};
  std::string words{};
};

Forecast refused(Errc why) {
  return Forecast{exit_code_of(why), why, {}, "Would be refused: " + std::string(code_name(why)) + "."};
}

/// What the database alone says; nothing when it has no objection.
std::optional<Forecast> by_store(const Payment& payment, const HashState& state, bool idempotent, UnixNs now) {
  Admission admission;
  admission.hash = payment.request.hash;
  admission.request = payment.request;
  admission.idempotent = idempotent;
  const Judgement judgement = judge_request(admission, state);
  if (judgement.result && judgement.result->error) return refused(judgement.result->error->code);
  if (judgement.result) return Forecast{ExitCode::ok, {}, {}, "Is paid already, with the same parameters."};
  if (judgement.join) return Forecast{ExitCode::outcome_unknown, {}, {}, "Is open already, with the same parameters: send would join it."};
  Created created;
  if (state.payment) created.previous = state.payment->status();
  if (state.guard) created.guard = state.guard->kind;
  const Decision decision = decide(payment, Event{now, created});
  if (decision.refusal) return refused(*decision.refusal);
  return std::nullopt;
}

/// What the switch shows of the hash; nothing when it is quiet.
std::optional<Forecast> by_look(const Payment& payment, const LookResult& look, const StoreKnowledge& knowledge) {
  const LookFinding finding = interpret(payment, look, knowledge);
  if (finding.alarm) return refused(*finding.alarm);
  for (const Happening& event : finding.events) {
    if (std::holds_alternative<HashPaid>(event) || std::holds_alternative<SettledPreimageLost>(event)) return refused(Errc::already_paid);
    if (std::holds_alternative<HashBusy>(event)) return refused(Errc::in_flight);
  }
  return std::nullopt;
}

std::optional<Route> ask_route(Session& session, Switch& node, const RouteQuestion& question, const Payment& payment,
                               std::int64_t patience_ns) {
  const Exclusions excluded{question.excluded_channels, question.excluded_nodes};
  node.ask_route(question);
  const MonoNs until{session.clock.mono().value + patience_ns};
  while (session.clock.mono() < until && session.clock.stop_signal() == 0) {
    for (SwitchEvent& event : node.poll(until)) {
      if (const auto* lost = std::get_if<Disconnected>(&event)) refuse(Errc::switch_unavailable, lost->why + "; nothing was done");
      const auto* answer = std::get_if<RouteAnswer>(&event);
      if (answer == nullptr || answer->ticket != question.ticket) continue;
      if (!answer->route || !acceptable(*answer->route, payment, excluded)) return std::nullopt;
      return answer->route;
    }
  }
  refuse(Errc::switch_unavailable, "the switch gave no route in time; nothing was done");
}

Forecast by_route(std::optional<Route> route) {
  if (!route) return Forecast{ExitCode::payment_failed, {}, {}, "Would fail: no route."};
  std::string words = "Would pay " + sat_text(route->delivered()) + " over " + counted(route->hops.size(), "hop");
  words += ", fee " + sat_text(route->fees()) + ".";
  return Forecast{ExitCode::ok, {}, std::move(route), std::move(words)};
}

Forecast foresee(const SendOptions& options, const Payment& payment, Session& session, Switch& node) {
  const auto database = open_if_there(session);
  const UnixNs now = session.clock.wall();
  const std::int64_t patience = question_patience(options.wait_ns);
  const HashState state = database ? database->store.find(payment.request.hash) : HashState{};
  if (auto forecast = by_store(payment, state, options.idempotent, now)) return *std::move(forecast);
  const LookResult seen = look(session, node, payment.request.hash, std::nullopt, patience);
  if (auto forecast = by_look(payment, seen, state.knowledge)) return *std::move(forecast);
  const auto others = database ? database->store.recent_failures(UnixNs{now.value - node_memory_ns}) : std::vector<RecentFailure>{};
  const NextRoute next = next_route(payment, others, now, 1);
  if (const auto* route = std::get_if<Route>(&next)) return by_route(*route);
  if (const auto* question = std::get_if<RouteQuestion>(&next)) return by_route(ask_route(session, node, *question, payment, patience));
  return by_route(std::nullopt);
}

}  // namespace

ExitCode dry_run_send(const SendOptions& options, PaymentRequest request, Session& session, Switch& node) {
  Payment payment;
  payment.request = std::move(request);
  const Forecast forecast = foresee(options, payment, session, node);
  if (!session.output.json()) {
    session.output.result(forecast.words + " Nothing was sent or stored.\n");
    return forecast.code;
  }
  Json json;
  json["dry_run"] = true;
  json["exit_code"] = number(forecast.code);
  json["refusal"] = forecast.refusal ? Json(code_name(*forecast.refusal)) : Json();
  json["route"] = forecast.route ? route_json(*forecast.route) : Json();
  session.output.result(dump(json) + "\n");
  return forecast.code;
}

}  // namespace paytower::cli
