// What our node shows about itself, what its other users do, and how it restarts from an old copy.
#include <algorithm>
#include <utility>

#include "core/sim/engine.h"
#include "core/sim/path_finder.h"

namespace paytower::sim {

namespace {}  // namespace

std::uint64_t group_above(LedgerTx& tx, const PaymentHash& hash) {
  constexpr std::uint64_t highest = INT64_MAX - 1;
  std::uint64_t group = 1;
  for (const Row& row : tx.rows_of(hash)) group = std::max(group, std::min(row.key.id.value, highest) + 1);
  return group;
}

Result<AttemptId> Engine::foreign(const PaymentHash& hash, ForeignAct act, std::string_view label,
                                  std::uint64_t group) {
  const auto invoice = tx_.invoice(hash);
  const auto payee = invoice ? tx_.node(invoice->payee) : std::nullopt;
  if (!payee) return Error{Errc::not_found, "the simulated network has no invoice with this payment hash"};
  if (group == 0) group = group_above(tx_, hash);
  RouteQuestion question;
  question.demand.destination = payee->key;
  question.demand.amount = invoice->amount.value_or(Msat::of(1'000));
  question.demand.final_cltv_delta = invoice->final_cltv_delta;
  question.demand.fee_limit = Msat::of(Msat::max_value);
  auto route = find_route(Graph::load(tx_), own_balances(tx_), question);
  if (!route) return Error{Errc::switch_unavailable, "the other user of the node finds no route"};
  Handover handover;
  handover.key = AttemptKey{hash, AttemptId{group}, 0};
  handover.label = std::string(label);
  handover.route = std::move(*route);
  handover.amount = question.demand.amount;
  handover.payment_secret = invoice->secret;
  handover.invoice = invoice->text;
  const SendResult sent = send(handover, SendOptions{true, act});
  switch (sent.kind) {
    case SendResult::Kind::pending: break;
    case SendResult::Kind::busy: return Error{Errc::in_flight, sent.failure.message};
    case SendResult::Kind::complete:
    case SendResult::Kind::exists: return Error{Errc::already_paid, sent.failure.message};
    case SendResult::Kind::not_sent: return Error{Errc::switch_unavailable, sent.failure.message};
  }
  advance();
  return handover.key.id;
}

bool Engine::restore(std::string_view name) {
  if (!tx_.restore_view(name)) return false;
  std::uint64_t after = 0;
  for (;;) {
    const std::vector<Row> rows = tx_.rows_after(after, records_at_once);
    if (rows.empty()) return true;
    after = rows.back().created_index;
    for (const Row& row : rows) {
      if (row.state == RowState::pending) catch_up_row(row);
    }
  }
}

void Engine::new_store() {
  tx_.clear_view();
  next(Number::store_generation);
}

/// A restored node hears from its peers and from the chain how its old HTLCs ended. Orphan rows have no HTLC.
void Engine::catch_up_row(Row row) {
  const auto flights = tx_.flights_of(row.key.hash);
  if (std::any_of(flights.begin(), flights.end(), [&](const Flight& flight) { return flight.key == row.key; })) return;
  std::optional<OracleEntry> ended;
  std::uint64_t after = 0;
  for (auto entries = tx_.oracle_after(row.key.hash, after, records_at_once); !entries.empty();
       entries = tx_.oracle_after(row.key.hash, after, records_at_once)) {
    after = entries.back().id;
    for (const OracleEntry& entry : entries) {
      const bool same = entry.attempt == row.key.id && entry.part == row.key.part;
      if (same && entry.state != OracleState::held && entry.state != OracleState::fenced) ended = entry;
    }
  }
  if (!ended) return;
  const bool settled = ended->state == OracleState::settled;
  Failure failure;
  failure.code = FailureCode::permanent_channel_failure;
  failure.source_index = 0;
  write_end(row, now_, settled, failure, tx_.invoice(row.key.hash));
  row.updated_index = next(Number::payments_updated);
  tx_.put_row(row);
  finish_htlc(row.key, std::nullopt);
  if (settled) debit(row.key, row.amount_sent);
  progress_.ended.push_back(row.key);
}

}  // namespace paytower::sim
