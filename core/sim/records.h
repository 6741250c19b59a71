// What a simulated network consists of: the records that its ledger keeps.
//
// There are two worlds. The *truth* is what really happens between the nodes: channels and balances, invoices, flights
// (HTLCs under way), and the oracle's list, which only grows. The *view* is what our node remembers of it: rows, its
// list of outgoing HTLCs, money movements, and counters. Faults spoil the view (erasures, old copies, orphan rows) but
// never the truth, so a test can always ask what really happened.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/msat.h"
#include "core/base/types.h"
#include "core/driver/ports.h"
#include "core/payment/failure.h"
#include "core/payment/look.h"
#include "core/payment/payment.h"
#include "core/payment/route.h"

namespace paytower::sim {

// --- the truth ---

/// The private key of a simulated node. Not worth anything: each can be computed from the network's seed.
using NodeSecret = FixedBytes<32, struct NodeSecretTag>;

/// The position of a node in its network. 0 is our own node.
using NodeIndex = std::uint32_t;
inline constexpr NodeIndex own_node = 0;

struct Node {
  NodeIndex index = 0;
  std::string name;  ///< "n0" (our own), "n1" ...; for imported ones: their alias, or their key in hex
  PublicKey key;
  std::optional<NodeSecret> secret;  ///< nothing for imported nodes: they cannot sign invoices
};

/// What one side of a channel demands for forwarding over it (BOLT 7 channel_update).
struct Policy {
  bool disabled = false;
  std::uint32_t fee_base_msat = 0;
  std::uint32_t fee_proportional_millionths = 0;
  std::uint32_t cltv_delta = 0;
  Msat htlc_min = Msat::of(1);
  Msat htlc_max;
  bool operator==(const Policy&) const = default;
};

/// A channel. Side 0 is the node with the lower key; direction d means that side d sends (BOLT 7).
struct Channel {
  ShortChannelId id;
  std::array<NodeIndex, 2> nodes{};
  Msat capacity;
  std::array<Policy, 2> policies{};
  std::array<Msat, 2> balances{};  ///< what each side can spend; the rest of the capacity is under way
  bool announced = true;           ///< false: only a route hint leads over it
};

/// How long a payee keeps an HTLC before it answers.
struct Hold {
  static constexpr std::int64_t forever = -1;
  std::int64_t ns = 0;  ///< `forever`: until a release
  auto operator<=>(const Hold&) const = default;
};

/// Which attempts fail, with which code and where (`--fail CODE[@HOP][xN]`).
struct FailSpec {
  std::uint32_t wire_code = 0;  ///< BOLT 4 failure code as on the wire
  /// 1 = the first peer, ...; nothing or too large = the payee; 0 = our node, after the HTLC has left.
  std::optional<std::uint32_t> hop;
  std::optional<std::uint32_t> times;  ///< how many attempts fail, from the first on; nothing: all
  auto operator<=>(const FailSpec&) const = default;
};

/// A payee, or a node of ours, that breaks the rules.
enum class PayeeBehaviour : std::uint8_t {
  honest = 0,
  settles_twice = 1,              ///< accepts every HTLC of a hash that is paid already
  wrong_preimage = 2,             ///< the row is complete with 32 bytes that do not hash to the payment hash
  complete_without_preimage = 3,  ///< the row is complete and shows no preimage
};

struct Invoice {
  PaymentHash hash;
  Preimage preimage;
  PaymentSecret secret;
  std::optional<Msat> amount;  ///< nothing: any
  NodeIndex payee = 0;
  UnixNs expires{};
  std::uint32_t final_cltv_delta = 18;
  Hold hold{};
  std::optional<FailSpec> fail{};
  PayeeBehaviour behaviour = PayeeBehaviour::honest;
  std::uint32_t attempts = 0;  ///< HTLCs of the hash so far; FailSpec::times counts them
  bool paid = false;
  std::string text{};  ///< BOLT 11
};

/// How a flight will end, unless a release says otherwise.
struct FlightEnd {
  bool settles = false;
  std::optional<Failure> failure{};  ///< set unless it settles
  auto operator<=>(const FlightEnd&) const = default;
};

/// An HTLC under way. Its money is reserved on every channel that it has passed.
struct Flight {
  std::uint64_t id = 0;  ///< given by the ledger, never reused
  AttemptKey key;
  std::uint64_t htlc_index = 0;  ///< its entry in the node's list of outgoing HTLCs
  std::uint64_t oracle_id = 0;
  Route route;
  std::uint32_t reserved_hops = 0;  ///< how many channels of the route hold its money, from the first on
  std::uint32_t at_hop = 0;         ///< where it waits; hops.size() is the payee
  Msat total;                       ///< over all parts, as the request says
  bool incomplete = false;          ///< waits at the payee for other parts, until `due` at the latest
  bool foreign = false;             ///< another user of the node sent it
  UnixNs created{};
  std::optional<UnixNs> due{};  ///< nothing: held until a release
  Hold stall{};                 ///< how long its end is held back on the way to us
  FlightEnd end{};
};

enum class OracleState : std::uint8_t { held = 1, settled = 2, failed = 3, fenced = 4 };
/// "held", "settled", "failed", "fenced"
[[nodiscard]] std::string_view oracle_state_name(OracleState state);

/// What really happened to one HTLC (or fence). Kept for ever, whatever is erased from the view.
struct OracleEntry {
  std::uint64_t id = 0;  ///< one for each HTLC or fence, growing
  PaymentHash hash;
  AttemptId attempt;
  std::uint32_t part = 0;
  Msat amount;           ///< delivered or to be delivered, without fees; 0 for a fence
  Msat amount_sent;      ///< with fees
  bool foreign = false;  ///< another user of the node sent it
  UnixNs created{};
  std::optional<UnixNs> resolved{};
  OracleState state = OracleState::held;
};

// --- the view ---

/// What our node remembers of one request to pay (a row of Core Lightning's listsendpays).
struct Row {
  std::uint64_t created_index = 0;  ///< given by the ledger from Number::payments_created; 0 before that
  AttemptKey key;
  RowState state = RowState::pending;
  std::string label;
  PublicKey destination;
  Msat amount;          ///< delivered
  Msat amount_sent;     ///< with fees
  Msat total;           ///< over all parts
  std::string invoice;  ///< BOLT 11 text, empty without one
  UnixNs created{};
  std::uint64_t updated_index = 0;  ///< given from Number::payments_updated when it ended; 0 before that
  std::optional<UnixNs> completed{};
  std::optional<Preimage> preimage{};
  std::optional<Failure> failure{};
};

struct Htlc {
  std::uint64_t created_index = 0;  ///< given by the ledger from Number::htlcs_created
  AttemptKey key;
  ShortChannelId channel;  ///< our own channel that carries it
  Msat amount;
  std::uint32_t expiry = 0;  ///< as a height of the chain
  bool finished = false;
};

struct Movement {
  std::uint64_t index = 0;  ///< given by the ledger from Number::movements_created
  AttemptKey key;
  Msat amount;  ///< what left the node for good
  UnixNs at{};
};

// --- what spoils it ---

/// What another user of our node does with a hash.
enum class ForeignAct : std::uint8_t {
  pay = 1,       ///< sends an HTLC over the cheapest route, like any payment
  hold = 2,      ///< has an HTLC that stays pending (until it is released, or for ever)
  fail = 3,      ///< had an HTLC that failed
  complete = 4,  ///< had an HTLC that settled
};

/// A request to pay that was received but not executed yet (a fault of the node).
struct HeldRequest {
  std::uint64_t id = 0;  ///< given by the ledger
  Handover handover;
  UnixNs not_before{};
  std::uint32_t min_height = 0;
};

}  // namespace paytower::sim
