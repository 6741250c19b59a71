// Writes lnd's payment, attempt and route records byte by byte.
#include "tests/lnd/kv_bytes.h"

namespace paytower::test {

namespace {

Bytes be16(std::uint32_t value) { return {static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)}; }
Bytes big_size(std::uint32_t value) {
  if (value < 0xFD) return {static_cast<std::uint8_t>(value)};
  if (value < 0x10000) return joined({{0xFD}, be16(value)});
  return joined({{0xFE}, be32(value)});
}

}  // namespace

Bytes preimage_of(std::uint8_t fill) { return filled(32, fill); }

Bytes hash_of_preimage(std::uint8_t fill) {
  const auto digest = sha256(preimage_of(fill));
  return {digest.bytes.begin(), digest.bytes.end()};
}

Bytes creation_info(const Bytes& hash, std::uint64_t value, std::uint64_t time, const std::string& request,
                    const Bytes& tlv) {
  return joined(
      {hash, be64(value), be64(time), be32(static_cast<std::uint32_t>(request.size())), bytes_of(request), tlv});
}

Bytes hop_tail(bool legacy, const std::vector<std::pair<std::uint64_t, Bytes>>& records) {
  Bytes out = joined({{static_cast<std::uint8_t>(legacy ? 1 : 0)}, be32(static_cast<std::uint32_t>(records.size()))});
  for (const auto& [type, value] : records) out = joined({out, be64(type), var(value)});
  return out;
}

Bytes route_bytes(std::uint32_t time_lock, std::uint64_t amount, const std::vector<HopBytes>& hops) {
  Bytes out =
      joined({be32(time_lock), be64(amount), var(node_key(0xAA)), be32(static_cast<std::uint32_t>(hops.size()))});
  for (const HopBytes& hop : hops) {
    out = joined({out, var(node_key(hop.node)), be64(hop.channel), be32(hop.time_lock), be64(hop.amount), hop.tail});
  }
  return out;
}

Bytes session_key() { return filled(32, 0x77); }

Bytes plain_route(bool tails) {
  const Bytes tail = tails ? hop_tail(true) : Bytes{};
  return route_bytes(700'080, 1012, {{0xB1, 0x0A, 700'040, 1000, tail}, {0xB2, 0x0B, 700'040, 1000, tail}});
}

Bytes settle_info(std::uint8_t preimage, std::uint64_t time) { return joined({preimage_of(preimage), be64(time)}); }

Bytes fail_info(std::uint64_t time, const Bytes& message, std::uint8_t kind, std::uint32_t source) {
  return joined({be64(time), var(message), {kind}, be32(source)});
}

Bytes tlv(std::uint32_t type, const Bytes& value) {
  return joined({big_size(type), big_size(static_cast<std::uint32_t>(value.size())), value});
}

Bytes flat_key(const std::string& kind, std::uint64_t id) { return joined({bytes_of(kind), be64(id)}); }

void write_payment(BboltWriter& writer, const Bytes& hash, std::uint64_t sequence, const Bytes& creation,
                   const Bytes& fail, const std::function<void(BboltWriter&)>& attempts) {
  writer.begin(hash);
  writer.put("payment-creation-info", creation);
  if (!fail.empty()) writer.put("payment-fail-info", fail);
  writer.begin("payment-htlcs-bucket");
  attempts(writer);
  writer.end();
  writer.put("payment-sequence-key", be64(sequence));
  writer.end();
}

}  // namespace paytower::test
