// Reads and writes channel_update messages inside failure messages (BOLT 4, BOLT 7).
#include "core/payment/channel_update.h"

#include <algorithm>

#include "core/base/hash.h"
#include "core/base/limits.h"
#include "core/base/number.h"
#include "core/invoice/bolt11/signature.h"

namespace paytower {

namespace {

constexpr std::uint16_t channel_update_type = 258;
constexpr std::size_t signature_bytes = 64;
constexpr std::size_t chain_hash_bytes = 32;
constexpr std::size_t least_update_bytes = 128;  ///< without the type, and without the largest HTLC
constexpr std::uint8_t has_htlc_max = 1;
constexpr std::uint8_t direction_bit = 1;
constexpr std::uint8_t disabled_bit = 2;

/// Big-endian numbers, in order. Reading past the end gives zeros, and `good` becomes false.
class UpdateReader {
 public:
  explicit UpdateReader(std::span<const std::uint8_t> data) : data_(data) {}
  std::uint64_t number(std::size_t bytes) { return big_endian(take(bytes)); }
  std::span<const std::uint8_t> take(std::size_t bytes) {
    good = good && bytes <= data_.size();
    if (!good) return {};
    const auto taken = data_.first(bytes);
    data_ = data_.subspan(bytes);
    return taken;
  }
  bool good = true;

 private:
  std::span<const std::uint8_t> data_;
};

/// How many bytes come between the code and the length of the update. Nothing for a code without an update, or whose
/// update says nothing new (TEMPORARY_CHANNEL_FAILURE).
std::optional<std::size_t> bytes_before_update(FailureCode code) {
  if (code == FailureCode::amount_below_minimum || code == FailureCode::fee_insufficient) return 8;
  if (code == FailureCode::incorrect_cltv_expiry) return 4;
  if (code == FailureCode::channel_disabled) return 2;
  if (code == FailureCode::expiry_too_soon) return 0;
  return std::nullopt;
}

Sha256Digest signed_digest(std::span<const std::uint8_t> behind_signature) {
  const Sha256Digest once = sha256(behind_signature);
  return sha256(once.bytes);
}

std::optional<ChannelPolicy> read_body(std::span<const std::uint8_t> body, const std::optional<PublicKey>& signer) {
  UpdateReader in(body);
  const auto signature = in.take(signature_bytes);
  (void)in.take(chain_hash_bytes);
  ChannelPolicy policy;
  policy.channel.channel.value = in.number(8);
  policy.timestamp = static_cast<std::uint32_t>(in.number(4));
  const std::uint64_t message_flags = in.number(1);
  const std::uint64_t channel_flags = in.number(1);
  policy.channel.direction = channel_flags & direction_bit;
  policy.disabled = (channel_flags & disabled_bit) != 0;
  policy.forwarding.cltv_delta = static_cast<std::uint32_t>(in.number(2));
  const auto htlc_min = Msat::from(in.number(8));
  policy.forwarding.fee_base_msat = static_cast<std::uint32_t>(in.number(4));
  policy.forwarding.fee_proportional_millionths = static_cast<std::uint32_t>(in.number(4));
  if ((message_flags & has_htlc_max) != 0) policy.htlc_max = Msat::of(in.number(8));
  if (!in.good || !htlc_min || policy.forwarding.cltv_delta > limits::max_cltv_delta) return std::nullopt;
  policy.htlc_min = *htlc_min;
  if (!signer) return policy;
  secp::RecoverableSignature parsed;
  std::copy(signature.begin(), signature.end(), parsed.bytes.begin());
  if (!secp::verify(signed_digest(body.subspan(signature_bytes)), parsed, *signer)) return std::nullopt;
  return policy;
}

}  // namespace

std::optional<ChannelPolicy> read_channel_update(std::span<const std::uint8_t> update,
                                                 const std::optional<PublicKey>& signer) {
  const bool typed = update.size() >= least_update_bytes + 2 && (update[0] << 8U | update[1]) == channel_update_type;
  if (typed) {
    // Once in 65,536 times a signature begins with the same two bytes.
    if (auto policy = read_body(update.subspan(2), signer)) return policy;
  }
  return read_body(update, signer);
}

std::optional<ChannelPolicy> policy_told_by(std::span<const std::uint8_t> message, const Failure& failure,
                                            const Route& route) {
  if (!failure.source_index || *failure.source_index == 0 || *failure.source_index >= route.hops.size())
    return std::nullopt;
  UpdateReader in(message);
  const FailureCode code = failure_from_wire(static_cast<std::uint32_t>(in.number(2)));
  const auto before = bytes_before_update(code);
  if (code != failure.code || !before) return std::nullopt;
  (void)in.take(*before);
  const auto update = in.take(static_cast<std::size_t>(in.number(2)));
  if (!in.good) return std::nullopt;
  const Hop& meant = route.hops[*failure.source_index];
  const auto policy = read_channel_update(update, route.hops[*failure.source_index - 1].node);
  if (!policy || policy->channel != ChannelDirection{meant.channel, meant.direction}) return std::nullopt;
  return policy;
}

std::optional<Bytes> failure_message(const FailedForward& what, const ChannelPolicy& policy,
                                     const std::array<std::uint8_t, 32>& key) {
  const auto before = bytes_before_update(what.code);
  if (!before) return std::nullopt;
  Bytes behind(chain_hash_bytes, 0);  // a chain hash of zeros: no chain has it
  put_big_endian(behind, policy.channel.channel.value, 8);
  put_big_endian(behind, policy.timestamp, 4);
  put_big_endian(behind, has_htlc_max, 1);
  put_big_endian(behind, policy.channel.direction | (policy.disabled ? disabled_bit : 0U), 1);
  put_big_endian(behind, policy.forwarding.cltv_delta, 2);
  put_big_endian(behind, policy.htlc_min.value(), 8);
  put_big_endian(behind, policy.forwarding.fee_base_msat, 4);
  put_big_endian(behind, policy.forwarding.fee_proportional_millionths, 4);
  put_big_endian(behind, policy.htlc_max.value(), 8);
  const auto signature = secp::sign(signed_digest(behind), key);
  if (!signature) return std::nullopt;
  Bytes message;
  put_big_endian(message, static_cast<std::uint32_t>(what.code), 2);
  if (*before == 8) put_big_endian(message, what.htlc_amount.value(), 8);
  if (*before == 4) put_big_endian(message, what.expiry, 4);
  if (*before == 2) put_big_endian(message, 0, 2);
  put_big_endian(message, 2 + signature_bytes + behind.size(), 2);
  put_big_endian(message, channel_update_type, 2);
  message.insert(message.end(), signature->bytes.begin(), signature->bytes.end());
  message.insert(message.end(), behind.begin(), behind.end());
  return message;
}

}  // namespace paytower
