// The new policy that a failing node sends along with its failure: the failure message of BOLT 4, with the
// channel_update of BOLT 7 inside (M4).
#pragma once

#include <array>
#include <optional>
#include <span>

#include "core/base/bytes.h"
#include "core/base/types.h"
#include "core/payment/failure.h"
#include "core/payment/policy.h"
#include "core/payment/route.h"

namespace paytower {

/// A channel_update as it comes in a failure message: with its message type or, from older nodes, without it. Nothing
/// when it is cut off, when it asks for more blocks than any route may have, or names an amount above all bitcoin. If
/// `signer` is given, it must have signed the update.
[[nodiscard]] std::optional<ChannelPolicy> read_channel_update(std::span<const std::uint8_t> update,
                                                               const std::optional<PublicKey>& signer);

/// What the failing node of `route` asks for its next channel from now on. Nothing unless the message has a code that
/// carries a policy, the same code as `failure`, is about that very channel and direction, and is signed by the node at
/// that place of the route.
[[nodiscard]] std::optional<ChannelPolicy> policy_told_by(std::span<const std::uint8_t> message, const Failure& failure,
                                                          const Route& route);

/// The message that a node with this key sends: for simulated networks. `htlc_amount` and `expiry` are those of the
/// HTLC that it does not forward. Nothing for a code without a channel_update, or for a bad key.
struct FailedForward {
  FailureCode code = FailureCode::fee_insufficient;
  Msat htlc_amount;
  std::uint32_t expiry = 0;
};
[[nodiscard]] std::optional<Bytes> failure_message(const FailedForward& what, const ChannelPolicy& policy,
                                                   const std::array<std::uint8_t, 32>& key);

}  // namespace paytower
