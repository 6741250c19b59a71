// Encrypts and decrypts marks with a key made from the store's id.
#include "core/switch/lnd/mark.h"

#include <sodium.h>

#include <algorithm>
#include <memory>
#include <span>
#include <string_view>

#include "core/base/hash.h"
#include "core/base/number.h"
#include "core/base/require.h"
#include "core/driver/attempt_id.h"
#include "core/switch/rest/openssl.h"

namespace paytower::lnd {

namespace {

using Key = std::array<std::uint8_t, 16>;

// The block is {first bytes of the store id, attempt id, part, kind}, with big-endian numbers.
constexpr std::size_t store_bytes = 5;
constexpr std::size_t part_at = store_bytes + 8;
constexpr std::size_t kind_at = part_at + 2;

using namespace std::string_view_literals;
constexpr std::string_view key_domain = "paytower lnd mark\0"sv;

void write_number(std::span<std::uint8_t> out, std::uint64_t value) {
  for (std::size_t i = out.size(); i > 0; --i, value >>= 8U) out[i - 1] = static_cast<std::uint8_t>(value);
}

/// AES-128 of one block. Fails only if the library is out of memory or has no AES.
Mark transform(const Mark& block, const Key& key, bool encrypt) {
  const auto freed = [](EVP_CIPHER_CTX* one) { EVP_CIPHER_CTX_free(one); };
  const std::unique_ptr<EVP_CIPHER_CTX, decltype(freed)> context(EVP_CIPHER_CTX_new(), freed);
  require(context != nullptr, "OpenSSL has memory");
  Mark out{};
  int written = 0;
  const bool done =
      EVP_CipherInit_ex(context.get(), EVP_aes_128_ecb(), nullptr, key.data(), nullptr, encrypt ? 1 : 0) == 1 &&
      EVP_CIPHER_CTX_set_padding(context.get(), 0) == 1 &&
      EVP_CipherUpdate(context.get(), out.data(), &written, block.data(), static_cast<int>(block.size())) == 1;
  require(done && written == static_cast<int>(out.size()), "OpenSSL has AES-128");
  return out;
}

}  // namespace

MarkCipher::MarkCipher(const StoreId& store) : store_(store) {
  Bytes seed(key_domain.begin(), key_domain.end());
  seed.insert(seed.end(), store.bytes.begin(), store.bytes.end());
  const Sha256Digest digest = sha256(seed);
  std::copy_n(digest.bytes.begin(), key_.size(), key_.begin());
}

MarkCipher::~MarkCipher() { sodium_memzero(key_.data(), key_.size()); }

Mark MarkCipher::make(const MarkParts& parts) const {
  require(parts.part <= most_marked_part, "the part can be marked");
  require(parts.id.value < end_of_ids, "the attempt's id is below 2^62");
  Mark block{};
  const std::span<std::uint8_t> out(block);
  std::copy_n(store_.bytes.begin(), store_bytes, block.begin());
  write_number(out.subspan(store_bytes, 8), parts.id.value);
  write_number(out.subspan(part_at, 2), parts.part);
  block[kind_at] = static_cast<std::uint8_t>(parts.kind);
  return transform(block, key_, true);
}

std::optional<MarkParts> MarkCipher::read(const Mark& mark) const {
  const Mark block = transform(mark, key_, false);
  const std::span<const std::uint8_t> in(block);
  MarkParts parts;
  parts.id.value = big_endian(in.subspan(store_bytes, 8));
  parts.part = static_cast<std::uint32_t>(big_endian(in.subspan(part_at, 2)));
  const std::uint8_t kind = block[kind_at];
  const bool ours = std::equal(block.begin(), block.begin() + store_bytes, store_.bytes.begin());
  if (!ours || kind < 1 || kind > 3 || parts.id.value >= end_of_ids) return std::nullopt;
  parts.kind = static_cast<MarkKind>(kind);
  return parts;
}

}  // namespace paytower::lnd
