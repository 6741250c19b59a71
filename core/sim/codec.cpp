// Writes and reads failures and held requests as bytes.
#include "core/sim/codec.h"

#include <cstdint>
#include <string>
#include <utility>

#include "core/base/number.h"
#include "core/payment/route.h"

namespace paytower::sim {

namespace {

constexpr std::uint8_t failure_version = 1;
constexpr std::uint8_t handover_version = 1;

/// Appends big-endian numbers, and strings with their length in front.
class Writer {
 public:
  void number(std::uint64_t value, int bytes) { put_big_endian(out_, value, bytes); }
  void raw(std::span<const std::uint8_t> data) { out_.insert(out_.end(), data.begin(), data.end()); }
  void blob(std::span<const std::uint8_t> data) {
    number(data.size(), 4);
    raw(data);
  }
  void text(const std::string& value) {
    number(value.size(), 4);
    out_.insert(out_.end(), value.begin(), value.end());
  }
  [[nodiscard]] Bytes take() && { return std::move(out_); }

 private:
  Bytes out_;
};

/// Reads what Writer wrote. Once something is missing, everything reads as zero and ok() is false.
class Reader {
 public:
  explicit Reader(std::span<const std::uint8_t> data) : rest_(data) {}

  std::uint64_t number(int bytes) { return big_endian(take(static_cast<std::size_t>(bytes))); }
  template <typename Fixed> Fixed fixed() { return Fixed::from_span(take(Fixed::size)).value_or(Fixed{}); }
  std::span<const std::uint8_t> blob() { return take(number(4)); }
  std::string text() {
    const auto data = blob();
    return std::string(data.begin(), data.end());
  }
  [[nodiscard]] bool complete() const { return ok_ && rest_.empty(); }

 private:
  std::span<const std::uint8_t> take(std::size_t count) {
    if (!ok_ || count > rest_.size()) {
      ok_ = false;
      return {};
    }
    const auto taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }

  std::span<const std::uint8_t> rest_;
  bool ok_ = true;
};

constexpr std::uint64_t has_source = 1;
constexpr std::uint64_t has_channel = 2;
constexpr std::uint64_t has_node = 4;
constexpr std::uint64_t has_secret = 1;
constexpr std::uint64_t has_metadata = 2;

}  // namespace

Bytes encode_failure(const Failure& failure) {
  Writer out;
  out.number(failure_version, 1);
  out.number(static_cast<std::uint32_t>(failure.code), 4);
  out.number(
      (failure.source_index ? has_source : 0) | (failure.channel ? has_channel : 0) | (failure.node ? has_node : 0), 1);
  if (failure.source_index) out.number(*failure.source_index, 4);
  if (failure.channel) {
    out.number(failure.channel->channel.value, 8);
    out.number(failure.channel->direction, 1);
  }
  if (failure.node) out.raw(failure.node->span());
  out.text(failure.message);
  return std::move(out).take();
}

std::optional<Failure> decode_failure(std::span<const std::uint8_t> data) {
  Reader in(data);
  if (in.number(1) != failure_version) return std::nullopt;
  Failure failure;
  failure.code = static_cast<FailureCode>(in.number(4));
  const std::uint64_t flags = in.number(1);
  if (flags & has_source) failure.source_index = static_cast<std::uint32_t>(in.number(4));
  if (flags & has_channel) {
    const ShortChannelId channel{in.number(8)};
    failure.channel = ChannelDirection{channel, static_cast<std::uint8_t>(in.number(1))};
  }
  if (flags & has_node) failure.node = in.fixed<PublicKey>();
  failure.message = in.text();
  if (!in.complete()) return std::nullopt;
  return failure;
}

Bytes encode_handover(const Handover& handover) {
  Writer out;
  out.number(handover_version, 1);
  out.raw(handover.key.hash.span());
  out.number(handover.key.id.value, 8);
  out.number(handover.key.part, 4);
  out.text(handover.label);
  out.blob(encode_route(handover.route));
  out.number(handover.amount.value(), 8);
  out.number((handover.payment_secret ? has_secret : 0) | (handover.metadata ? has_metadata : 0), 1);
  if (handover.payment_secret) out.raw(handover.payment_secret->span());
  if (handover.metadata) out.blob(*handover.metadata);
  out.text(handover.invoice);
  return std::move(out).take();
}

std::optional<Handover> decode_handover(std::span<const std::uint8_t> data) {
  Reader in(data);
  if (in.number(1) != handover_version) return std::nullopt;
  Handover handover;
  handover.key.hash = in.fixed<PaymentHash>();
  handover.key.id = AttemptId{in.number(8)};
  handover.key.part = static_cast<std::uint32_t>(in.number(4));
  handover.label = in.text();
  const auto route = decode_route(in.blob());
  const auto amount = Msat::from(in.number(8));
  const std::uint64_t flags = in.number(1);
  if (flags & has_secret) handover.payment_secret = in.fixed<PaymentSecret>();
  if (flags & has_metadata) {
    const auto metadata = in.blob();
    handover.metadata = Bytes(metadata.begin(), metadata.end());
  }
  handover.invoice = in.text();
  if (!in.complete() || !route || !amount) return std::nullopt;
  handover.route = *route;
  handover.amount = *amount;
  return handover;
}

}  // namespace paytower::sim
