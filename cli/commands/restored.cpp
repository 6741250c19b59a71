// `resolve --restored`: take over what the node shows of a database that came from a backup.
#include "cli/commands/restored.h"

#include <algorithm>
#include <vector>

#include <fmt/core.h>

#include "cli/commands/operator_decision.h"
#include "cli/output/render.h"
#include "cli/output/render_text.h"
#include "core/base/refuse.h"
#include "core/driver/restored.h"

namespace paytower::cli {

namespace {

constexpr std::int64_t patience_ns = 10 * ns_per_second;
constexpr std::size_t adoptions_a_commit = 100;

std::vector<PaymentHash> known_hashes(Database& database, const std::vector<OwnRow>& rows) {
  std::vector<PaymentHash> known;
  for (const OwnRow& row : rows) {
    const HashState state = value_of(database.store.find(row.hash));
    if (state.payment || state.guard) known.push_back(row.hash);
  }
  return known;
}

/// A hash that another process has recorded meanwhile is refused; the others are adopted all the same.
std::uint64_t adopt(Database& database, const std::vector<Adoption>& adoptions) {
  std::uint64_t adopted = 0;
  for (std::size_t at = 0; at < adoptions.size(); at += adoptions_a_commit) {
    std::vector<PaymentWrites> tick;
    const std::size_t end = std::min(adoptions.size(), at + adoptions_a_commit);
    for (std::size_t i = at; i < end; ++i) tick.push_back({&adoptions[i].payment, adoptions[i].writes});
    for (const auto& result : database.store.commit(tick)) {
      if (!result && result.error().code == Errc::busy) refuse(result.error());
      if (result) ++adopted;
    }
  }
  return adopted;
}

void print(Session& session, std::uint64_t adopted, const IdentityAnswer& identity) {
  if (session.output.json()) {
    Json json;
    json["restored"] = true;
    json["adopted"] = adopted;
    json["node"] = identity.key.node.hex();
    return session.output.line(dump(json));
  }
  session.output.line(fmt::format("The database is in use again: {} taken over from what the switch shows.",
                                  counted(adopted, "payment")));
  session.output.hint("paytower resume");
}

}  // namespace

ExitCode resolve_restored(bool yes, Session& session) {
  const auto handle = value_of(open_switch(session));
  const IdentityAnswer identity = value_of(identify(session, handle->node(), patience_ns));
  const auto database = open_database(session, db::OpenMode::read_write);
  if (!database) refuse(Errc::not_found, "there is no database here");
  if (!yes) {
    confirm_decision(session,
                     fmt::format("This database was restored from an old backup. What node {}\nshows of it is taken "
                                 "over: what is pending stays unpayable, what is complete counts as paid.",
                                 identity.key.node.hex()),
                     "restored", "paytower list --status open");
  }
  const UnixNs now = session.clock.wall();
  const StoreId& store = database->store.store_id();
  const auto rows = value_of(own_rows(session, handle->node(), store, patience_ns));
  const AdoptionPlan plan = plan_adoption(rows, known_hashes(*database, rows), store, identity.key, now);
  const std::uint64_t adopted = adopt(*database, plan.adoptions);
  // Last: a crash before this leaves the alarm standing, and the same command goes on.
  (void)value_of(database->admin.accept_ids_up_to(plan.highest));
  const db::Operator by{user_name(), now};
  (void)value_of(database->admin.record_decision(db::OperatorDecision::restored, std::nullopt, by));
  (void)value_of(database->admin.accept_ids_up_to(plan.highest));
  print(session, adopted, identity);
  session.output.flush();
  database->store.checkpoint_if_due();
  return ExitCode::ok;
}

}  // namespace paytower::cli
