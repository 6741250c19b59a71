// The serialized parts of lnd's newer payments, put together by the format's description for tests.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/hash.h"
#include "tests/lnd/channel_db_files.h"

namespace paytower::test {

/// A preimage of 32 times `fill`, and its payment hash.
[[nodiscard]] Bytes preimage_of(std::uint8_t fill);
[[nodiscard]] Bytes hash_of_preimage(std::uint8_t fill);

[[nodiscard]] Bytes creation_info(const Bytes& hash, std::uint64_t value, std::uint64_t time,
                                  const std::string& request = "", const Bytes& tlv = {});

struct HopBytes {
  std::uint8_t node = 0xB1;
  std::uint64_t channel = 0;
  std::uint32_t time_lock = 0;
  std::uint64_t amount = 0;
  Bytes tail;  ///< from version 10
};
/// u8 legacy, u32 count, then each record.
[[nodiscard]] Bytes hop_tail(bool legacy, const std::vector<std::pair<std::uint64_t, Bytes>>& records = {});
[[nodiscard]] Bytes route_bytes(std::uint32_t time_lock, std::uint64_t amount, const std::vector<HopBytes>& hops);
/// 32 times 77.
[[nodiscard]] Bytes session_key();
/// Two hops of plain legacy payloads, 1012 msat in, 1000 msat out. `tails`: version 10 and later.
[[nodiscard]] Bytes plain_route(bool tails);

[[nodiscard]] Bytes settle_info(std::uint8_t preimage, std::uint64_t time);
[[nodiscard]] Bytes fail_info(std::uint64_t time, const Bytes& message, std::uint8_t kind, std::uint32_t source);
/// One TLV: type and length as BigSize of one byte or five.
[[nodiscard]] Bytes tlv(std::uint32_t type, const Bytes& value);
/// A key such as "ai" followed by an id.
[[nodiscard]] Bytes flat_key(const std::string& kind, std::uint64_t id);

/// Writes the bucket of `hash`, with sequence and creation info in their places and `attempts` between them; no fail
/// info if `fail` is empty.
void write_payment(BboltWriter& writer, const Bytes& hash, std::uint64_t sequence, const Bytes& creation,
                   const Bytes& fail, const std::function<void(BboltWriter&)>& attempts);

}  // namespace paytower::test
