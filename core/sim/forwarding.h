// The way of one HTLC along its route: which node lets it pass, and which failure comes from where.
#pragma once

#include <optional>

#include "core/sim/ledger.h"

namespace paytower::sim {

/// How many blocks the forwarding nodes and the payee of a simulated network need at least, and accept at most.
inline constexpr std::uint32_t blocks_too_soon = 3;
inline constexpr std::uint32_t blocks_too_far = 2'016;
/// A payee gives up an incomplete set of parts after this time (BOLT 4: at least 60 s).
inline constexpr std::int64_t incomplete_set_ns = 60 * ns_per_second;
/// How far apart the parts of one set end, and the time in which all of them do (measured with Core Lightning).
inline constexpr std::int64_t answer_gap_ns = 2 * ns_per_ms;
inline constexpr std::int64_t answers_span_ns = 40 * ns_per_ms;

struct Forwarding {
  std::uint32_t reserved_hops = 0;  ///< how many channels hold the money now, from ours on
  std::uint32_t at_hop = 0;         ///< 0 = our node, route.hops.size() = the payee
  FlightEnd end{};
  bool incomplete = false;  ///< it is at the payee, and more parts have to come
  bool breaks_set = false;  ///< it fails, and so do the parts that wait at the payee
  Hold hold{};              ///< how long it stays where it is
};

/// Locks the money hop by hop, until a node refuses or the payee has it. `invoice`: the one of this hash, if there is
/// one. REQUIRES: the first channel was checked (see Engine). Changes balances and nothing else.
[[nodiscard]] Forwarding forward_along(LedgerTx& tx, const Handover& handover, const std::optional<Invoice>& invoice,
                                       UnixNs now);

/// A failure as node `source` of the route (0 = ours) reports it: with the channel over which it would have forwarded,
/// or, for the payee, the last channel.
[[nodiscard]] Failure failure_at(const Route& route, std::uint32_t source, FailureCode code, std::string message = {});
/// The same for a wire code that BOLT 4 may not define.
[[nodiscard]] Failure wire_failure_at(const Route& route, std::uint32_t source, std::uint32_t wire_code);

/// The inverse: the wire code. For refusals of our own node it is 0x1007 (temporary channel failure).
[[nodiscard]] std::uint32_t wire_code_of(const Failure& failure);

/// M4: the failure message of the node, if its code carries the node's present policy, signed by it. Nothing for other
/// codes, and for nodes whose key nobody has.
[[nodiscard]] std::optional<Bytes> told_policy(LedgerTx& tx, const Failure& failure, Msat amount);

/// The money of one channel of a route: locked by the sender, then moved over or given back.
void lock_money(LedgerTx& tx, const Hop& hop, const Channel& channel);
void settle_money(LedgerTx& tx, const Hop& hop);
void give_back(LedgerTx& tx, const Hop& hop);

}  // namespace paytower::sim
