// The policy that a failing node sends along with its failure: BOLT 4's failure message, and BOLT 7's channel_update
// inside it (M4).
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

/// A channel_update as it stands in a failure message: with its message type or, as older nodes send it, without.
/// Nothing for what is cut off, asks for more time than any route may take, or speaks of amounts above all bitcoin. A
/// `signer` must have signed it.
[[nodiscard]] std::optional<ChannelPolicy> read_channel_update(std::span<const std::uint8_t> update,
                                                               const std::optional<PublicKey>& signer);

/// What the failing node of `route` asks from now on for the channel behind it. Nothing unless the message is of a code
/// that carries a policy, the same as `failure` names, speaks of that very channel and direction, and is signed by the
/// node that the route has there.
[[nodiscard]] std::optional<ChannelPolicy> policy_told_by(std::span<const std::uint8_t> message, const Failure& failure,
                                                          const Route& route);

/// The message that a node with this key sends: for simulated networks. `htlc_amount` and `expiry` are of the HTLC that
/// it does not forward. Nothing for a code without a channel_update, and for a bad key.
struct FailedForward {
  FailureCode code = FailureCode::fee_insufficient;
  Msat htlc_amount;
  std::uint32_t expiry = 0;
};
[[nodiscard]] std::optional<Bytes> failure_message(const FailedForward& what, const ChannelPolicy& policy,
                                                   const std::array<std::uint8_t, 32>& key);

}  // namespace paytower
