// Erases rows and HTLCs from what a node remembers.
#include "core/sim/erasure.h"

#include <algorithm>
#include <vector>

namespace paytower::sim {

namespace {

bool matches(const Erasure& what, const AttemptKey& key) {
  return (!what.hash || key.hash == *what.hash) && (!what.attempt || key.id == *what.attempt) &&
         (!what.part || key.part == *what.part);
}

/// The keys of rows that have ended and match.
std::vector<AttemptKey> erase_rows(LedgerTx& tx, const Erasure& what) {
  std::vector<AttemptKey> erased;
  std::uint64_t after = 0;
  for (;;) {
    const std::vector<Row> rows =
        what.hash ? (after == 0 ? tx.rows_of(*what.hash) : std::vector<Row>{}) : tx.rows_after(after, records_at_once);
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

/// Removes the finished HTLCs of the erased attempts (`rows`, sorted). Without `ended_before`, also those of attempts
/// whose rows were erased earlier. Returns how many.
std::size_t erase_htlcs(LedgerTx& tx, const Erasure& what, const std::vector<AttemptKey>& rows) {
  std::size_t erased = 0;
  std::uint64_t after = 0;
  for (;;) {
    const std::vector<Htlc> htlcs = what.hash ? (after == 0 ? tx.htlcs_of(*what.hash) : std::vector<Htlc>{})
                                              : tx.htlcs_after(after, records_at_once);
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

std::size_t erase(LedgerTx& tx, const Erasure& what) {
  std::vector<AttemptKey> erased = erase_rows(tx, what);
  std::sort(erased.begin(), erased.end());
  if (!what.htlcs_too) return erased.size();
  const std::size_t htlcs = erase_htlcs(tx, what, erased);
  if (what.move_counter)
    tx.set_number(Number::htlcs_deleted, tx.number(Number::htlcs_deleted) + static_cast<std::int64_t>(htlcs));
  return erased.size();
}

}  // namespace paytower::sim
