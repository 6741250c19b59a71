// What lnd shows, as plain data. What follows from it is not said here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/msat.h"
#include "core/base/types.h"
#include "core/payment/failure.h"
#include "core/switch/lnd/mark.h"

namespace paytower::lnd {

/// One attempt in lnd's record of a hash (lnrpc.HTLCAttempt).
struct Htlc {
  enum class State { in_flight, settled, failed };

  std::uint64_t attempt_id = 0;  ///< lnd's own counter
  State state = State::in_flight;
  UnixNs attempt_time;               ///< lnd's clock; 0 if it does not say
  std::optional<Mark> mark;          ///< in the last hop, whoever made it
  std::optional<Preimage> preimage;  ///< not checked yet; nothing for 64 zeros, which lnd sends if it has none
  std::optional<Failure> failure;    ///< present exactly when failed
  Msat amount;                       ///< what the last hop delivers
  Msat sent;                         ///< the same with fees: what left the node
  std::optional<PublicKey> destination;
  std::optional<ShortChannelId> first_channel;
  std::uint32_t total_time_lock = 0;  ///< height of the first HTLC's expiry; 0 when it does not say
  Bytes failure_message;              ///< BOLT 4's failure message, made from what lnd tells; empty without one
};

/// lnd's only record of a hash (lnrpc.Payment): lnd/README 4.
struct Record {
  enum class Status { in_flight, succeeded, failed };

  Status status = Status::in_flight;  ///< this alone decides: an in_flight record is busy even without a live HTLC
  /// lnd has given up (failure_reason): it takes no further HTLC, and ends when those in flight have ended.
  bool failing = false;
  Msat value;                        ///< how much all its HTLCs together may be
  UnixNs created;                    ///< creation_time_ns: every InitPayment sets it anew; 0 if lnd does not say
  std::optional<Preimage> preimage;  ///< as in Htlc
  std::vector<Htlc> htlcs;           ///< lnd may erase failed ones at any time; never those in another state
};

/// One of the node's own channels.
struct OwnChannel {
  ShortChannelId id;
  PublicKey peer;
  bool active = false;
  Msat spendable;  ///< the balance without the reserve that we must keep
  /// What it carries away. An HTLC that the peer has not confirmed is in no list.
  std::vector<PaymentHash> pending_out;
};

struct NodeInfo {
  PublicKey key;
  std::string network;  ///< as in SwitchKey: "mainnet" in lnd is "bitcoin" here
  std::uint32_t height = 0;
  bool synced = false;  ///< to the chain: the height counts only then
  std::string version;
};

}  // namespace paytower::lnd
