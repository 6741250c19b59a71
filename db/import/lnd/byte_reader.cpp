// Takes numbers and lengths from the front of bytes.
#include "db/import/lnd/byte_reader.h"

#include <fmt/core.h>

#include "core/base/number.h"
#include "db/import/lnd/little_endian.h"

namespace paytower::db::lnd {

std::span<const std::uint8_t> ByteReader::take(std::uint64_t size) {
  if (size > rest_.size()) fail("it ends too early");
  const auto taken = rest_.first(static_cast<std::size_t>(size));
  rest_ = rest_.subspan(taken.size());
  return taken;
}

Msat ByteReader::msat() { return checked_msat(number<std::uint64_t>(), *this); }

std::uint64_t ByteReader::truncated(std::size_t size) {
  if (rest_.size() > size) fail("a number is too long");
  if (!rest_.empty() && rest_.front() == 0) fail("a number has leading zeros");
  return big_endian(take(rest_.size()));
}

std::uint64_t ByteReader::compact_size() {
  const auto first = number<std::uint8_t>();
  if (first < 0xFD) return first;
  if (first == 0xFD) return shortest(first, little<std::uint16_t>(take(2), 0));
  if (first == 0xFE) return shortest(first, little<std::uint32_t>(take(4), 0));
  return shortest(first, little<std::uint64_t>(take(8), 0));
}

std::uint64_t ByteReader::big_size() {
  const auto first = number<std::uint8_t>();
  if (first < 0xFD) return first;
  if (first == 0xFD) return shortest(first, number<std::uint16_t>());
  if (first == 0xFE) return shortest(first, number<std::uint32_t>());
  return shortest(first, number<std::uint64_t>());
}

std::uint64_t ByteReader::shortest(std::uint8_t first, std::uint64_t value) const {
  const std::uint64_t least = first == 0xFD ? 0xFD : first == 0xFE ? 0x1'0000 : 0x1'0000'0000;
  if (value < least) fail("a length is not in its shortest form");
  return value;
}

Bytes ByteReader::var_bytes(std::size_t at_most) {
  const std::uint64_t size = compact_size();
  if (size > at_most) fail(fmt::format("a field has {} bytes, {} are the most", size, at_most));
  const auto taken = take(size);
  return {taken.begin(), taken.end()};
}

PublicKey ByteReader::point() {
  const auto key = fixed<PublicKey>();
  if (key.bytes[0] != 2 && key.bytes[0] != 3) fail("a public key does not begin with 02 or 03");
  return key;
}

PublicKey ByteReader::var_point() {
  if (compact_size() != PublicKey::size) fail("a public key is not 33 bytes long");
  return point();
}

void ByteReader::finish() const {
  if (!rest_.empty()) fail(fmt::format("there are {} bytes too many", rest_.size()));
}

void ByteReader::fail(const std::string& why) const { throw Undecodable(fmt::format("{}: {}", what_, why)); }

Msat checked_msat(std::uint64_t value, const ByteReader& reader) {
  const auto amount = Msat::from(value);
  if (!amount) reader.fail(fmt::format("an amount of {} msat is more than all bitcoin", value));
  return *amount;
}

}  // namespace paytower::db::lnd
