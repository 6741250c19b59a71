// What the two halves of SimLedgerTx share.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/sim/ledger.h"
#include "db/sqlite/statement.h"

namespace paytower::db::sim_sql {

inline constexpr std::uint64_t max_u32 = 0xFFFFFFFF;
inline constexpr std::uint64_t max_i64 = INT64_MAX;

/// The same 64 bits, as SQLite's INTEGER holds them, and back.
[[nodiscard]] inline std::int64_t bits(std::uint64_t value) { return static_cast<std::int64_t>(value); }
[[nodiscard]] inline std::uint64_t from_bits(std::int64_t value) { return static_cast<std::uint64_t>(value); }

[[nodiscard]] inline std::uint32_t u32(Query& query) { return static_cast<std::uint32_t>(query.number(max_u32)); }

// The rows of a query with these values, each read by `read`.

template <typename T, typename... Values>
[[nodiscard]] std::vector<T> all(Query query, T (*read)(Query&), const Values&... values) {
  query.bind(values...);
  std::vector<T> found;
  while (query.step()) found.push_back(read(query));
  return found;
}

/// The first row, or nothing.
template <typename T, typename... Values>
[[nodiscard]] std::optional<T> one(Query query, T (*read)(Query&), const Values&... values) {
  query.bind(values...);
  if (!query.step()) return std::nullopt;
  return read(query);
}

/// Row by row, until the visitor returns false.
template <typename T, typename... Values>
void each(Query query, T (*read)(Query&), const sim::Visitor<T>& visit, const Values&... values) {
  query.bind(values...);
  while (query.step()) {
    if (!visit(read(query))) return;
  }
}

}  // namespace paytower::db::sim_sql
