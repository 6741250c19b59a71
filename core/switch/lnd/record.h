// What lnd shows, as plain data. Nothing here says what follows from it.
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
  UnixNs attempt_time;               ///< lnd's clock; 0 when it does not say
  std::optional<Mark> mark;          ///< of the last hop, whoever made it
  std::optional<Preimage> preimage;  ///< not yet checked; nothing for 64 zeros, which lnd says where it has none
  std::optional<Failure> failure;    ///< present exactly when failed
  Msat amount;                       ///< what the last hop delivers
  Msat sent;                         ///< the same with fees: what left the node
  std::optional<PublicKey> destination;
  std::optional<ShortChannelId> first_channel;
  std::uint32_t total_time_lock = 0;  ///< height of the first HTLC's expiry; 0 when it does not say
  Bytes failure_message;              ///< BOLT 4's failure message, made of what lnd tells of it; empty without
};

/// lnd's one record of a hash (lnrpc.Payment): lnd/README 4.
struct Record {
  enum class Status { in_flight, succeeded, failed };

  Status status = Status::in_flight;  ///< alone decides: an in_flight record without a live HTLC is busy all the same
  /// lnd has given it up (failure_reason): it takes no further HTLC, and ends with those that are in flight.
  bool failing = false;
  Msat value;                        ///< what all its HTLCs together may come to
  UnixNs created;                    ///< creation_time_ns: new at every InitPayment; 0 when it does not say
  std::optional<Preimage> preimage;  ///< as in Htlc
  std::vector<Htlc> htlcs;           ///< lnd erases failed ones at will; never those of other states
};

/// One of the node's own channels.
struct OwnChannel {
  ShortChannelId id;
  PublicKey peer;
  bool active = false;
  Msat spendable;  ///< the balance without the reserve that we must keep
  std::vector<PaymentHash>
      pending_out;  ///< what it carries away. An HTLC that the peer has not confirmed is in no list
};

struct NodeInfo {
  PublicKey key;
  std::string network;  ///< as in SwitchKey: lnd's "mainnet" is "bitcoin"
  std::uint32_t height = 0;
  bool synced = false;  ///< to the chain: only then does the height count
  std::string version;
};

}  // namespace paytower::lnd
