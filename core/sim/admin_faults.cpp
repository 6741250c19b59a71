// The half of SimAdmin that spoils things on purpose.
#include <algorithm>
#include <utility>

#include "core/sim/admin_act.h"

namespace paytower::sim {

namespace {

constexpr std::size_t page = 256;

bool matches(const Erasure& what, const AttemptKey& key) {
  return (!what.hash || key.hash == *what.hash) && (!what.attempt || key.id == *what.attempt);
}

/// Rows that ended and match; their keys.
std::vector<AttemptKey> erase_rows(LedgerTx& tx, const Erasure& what) {
  std::vector<AttemptKey> erased;
  std::uint64_t after = 0;
  for (;;) {
    const std::vector<Row> rows =
        what.hash ? (after == 0 ? tx.rows_of(*what.hash) : std::vector<Row>{}) : tx.rows_after(after, page);
    if (rows.empty()) return erased;
    after = rows.back().created_index;
    for (const Row& row : rows) {
      const bool old = !what.ended_before || (row.completed && *row.completed < *what.ended_before);
      if (row.state == RowState::pending || !old || !matches(what, row.key)) continue;
      tx.remove_row(row.created_index);
      erased.push_back(row.key);
    }
  }
}

/// Finished HTLCs of the erased attempts (`rows`, sorted); without an age, also those of attempts whose rows went
/// before.
std::size_t erase_htlcs(LedgerTx& tx, const Erasure& what, const std::vector<AttemptKey>& rows) {
  std::size_t erased = 0;
  std::uint64_t after = 0;
  for (;;) {
    const std::vector<Htlc> htlcs =
        what.hash ? (after == 0 ? tx.htlcs_of(*what.hash) : std::vector<Htlc>{}) : tx.htlcs_after(after, page);
    if (htlcs.empty()) return erased;
    after = htlcs.back().created_index;
    for (const Htlc& htlc : htlcs) {
      const bool went_now = std::binary_search(rows.begin(), rows.end(), htlc.key);
      const bool went_before = !what.ended_before && matches(what, htlc.key) && !tx.row(htlc.key);
      if (!htlc.finished || (!went_now && !went_before)) continue;
      tx.remove_htlc(htlc.created_index);
      ++erased;
    }
  }
}

}  // namespace

std::uint64_t SimAdmin::add_fault(Fault fault) {
  act([&](LedgerTx& tx, Engine&) {
    const std::int64_t id = tx.number(Number::next_fault) + 1;
    tx.set_number(Number::next_fault, id);
    fault.id = static_cast<std::uint64_t>(id);
    tx.put_fault(fault);
  });
  return fault.id;
}

void SimAdmin::remove_fault(std::uint64_t id) {
  act([&](LedgerTx& tx, Engine&) { tx.remove_fault(id); });
}

std::vector<Fault> SimAdmin::faults() {
  std::vector<Fault> all;
  ledger_.read([&](LedgerTx& tx) { all = tx.faults(); });
  return all;
}

std::size_t SimAdmin::erase(const Erasure& what) {
  std::size_t rows = 0;
  act([&](LedgerTx& tx, Engine&) {
    std::vector<AttemptKey> erased = erase_rows(tx, what);
    std::sort(erased.begin(), erased.end());
    rows = erased.size();
    if (!what.htlcs_too) return;
    const std::size_t htlcs = erase_htlcs(tx, what, erased);
    if (what.move_counter)
      tx.set_number(Number::htlcs_deleted, tx.number(Number::htlcs_deleted) + static_cast<std::int64_t>(htlcs));
  });
  return rows;
}

void SimAdmin::add_orphan_row(const AttemptKey& key, std::string_view label, Msat amount) {
  act([&](LedgerTx& tx, Engine& engine) {
    const auto invoice = tx.invoice(key.hash);
    const auto payee = invoice ? tx.node(invoice->payee) : std::nullopt;
    engine.add_orphan_row(key, label, amount, payee ? payee->key : PublicKey{});
  });
}

Result<AttemptId> SimAdmin::foreign(const PaymentHash& hash, ForeignAct what, std::string_view label,
                                    std::uint64_t group) {
  std::optional<Result<AttemptId>> done;
  act([&](LedgerTx&, Engine& engine) { done = engine.foreign(hash, what, label, group); });
  return *done;
}

void SimAdmin::save_copy(std::string_view name) {
  act([&](LedgerTx& tx, Engine&) { tx.save_view(name); });
}

bool SimAdmin::restore_copy(std::string_view name) {
  bool restored = false;
  act([&](LedgerTx&, Engine& engine) { restored = engine.restore(name); });
  return restored;
}

void SimAdmin::new_store() {
  act([](LedgerTx& tx, Engine&) {
    tx.clear_view();
    tx.set_number(Number::store_generation, tx.number(Number::store_generation) + 1);
  });
}

void SimAdmin::set_unreachable(std::optional<UnixNs> until) {
  act([&](LedgerTx& tx, Engine&) {
    tx.set_number(Number::unreachable_until_ns, until ? until->value : Hold::forever);
  });
}

void SimAdmin::set_reachable() {
  act([](LedgerTx& tx, Engine&) { tx.set_number(Number::unreachable_until_ns, 0); });
}

}  // namespace paytower::sim
