// One HTLC's way along its route: who lets it pass, and who says what where it ends.
#pragma once

#include <optional>

#include "core/sim/ledger.h"

namespace paytower::sim {

/// Forwarding nodes and the payee of a simulated network want at least so many blocks, and accept at most so many.
inline constexpr std::uint32_t blocks_too_soon = 3;
inline constexpr std::uint32_t blocks_too_far = 2'016;
/// A payee gives up on a set of parts that is not complete after this time (BOLT 4: at least 60 s).
inline constexpr std::int64_t incomplete_set_ns = 60 * ns_per_second;
/// The parts of one set end so far apart, and all of them within this time (measured with Core Lightning).
inline constexpr std::int64_t answer_gap_ns = 2 * ns_per_ms;
inline constexpr std::int64_t answers_span_ns = 40 * ns_per_ms;

struct Forwarding {
  std::uint32_t reserved_hops = 0;  ///< channels that now hold the money, from ours on
  std::uint32_t at_hop = 0;         ///< 0 = our node, route.hops.size() = the payee
  FlightEnd end{};
  bool incomplete = false;  ///< at the payee, and more parts must come
  bool breaks_set = false;  ///< it fails, and the parts that wait at the payee fail with it
  Hold hold{};              ///< how long it stays where it is
};

/// Locks the money hop by hop until a node refuses or the payee has it. `invoice` is the one of the hash, if there is
/// any. REQUIRES: the first channel was checked (see Engine). Changes balances, nothing else.
[[nodiscard]] Forwarding forward_along(LedgerTx& tx, const Handover& handover, const std::optional<Invoice>& invoice,
                                       UnixNs now);

/// A failure as the node `source` of the route reports it (0 = ours): with the channel that it would send on over, or,
/// for the payee, the last one.
[[nodiscard]] Failure failure_at(const Route& route, std::uint32_t source, FailureCode code, std::string message = {});
/// The same for a code of the wire that may be none of BOLT 4's.
[[nodiscard]] Failure wire_failure_at(const Route& route, std::uint32_t source, std::uint32_t wire_code);

/// The inverse: the code on the wire, with 0x1007 (temporary channel failure) for refusals of our own node.
[[nodiscard]] std::uint32_t wire_code_of(const Failure& failure);

/// M4: the failure as its node words it, where that carries the node's policy of now, signed by it. Nothing for other
/// codes, and for nodes whose key nobody has.
[[nodiscard]] std::optional<Bytes> told_policy(LedgerTx& tx, const Failure& failure, Msat amount);

/// The money of one channel of a route: locked by the sending side, then moved over, or given back.
void lock_money(LedgerTx& tx, const Hop& hop, const Channel& channel);
void settle_money(LedgerTx& tx, const Hop& hop);
void give_back(LedgerTx& tx, const Hop& hop);

}  // namespace paytower::sim
