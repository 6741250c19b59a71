// Signatures on secp256k1, by libsecp256k1.
#include "core/invoice/bolt11/signature.h"

#include <secp256k1.h>
#include <secp256k1_recovery.h>

#include "core/invoice/bolt11/invoice.h"

namespace paytower {

namespace {

/// Made when it is first used: a context costs 1.7 ms, and most commands need none.
secp256k1_context* context() {
  static secp256k1_context* const made = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
  return made;
}

PublicKey serialized(const secp256k1_pubkey& point) {
  PublicKey key;
  std::size_t size = PublicKey::size;
  secp256k1_ec_pubkey_serialize(context(), key.bytes.data(), &size, &point, SECP256K1_EC_COMPRESSED);
  return key;
}

bool parse(const PublicKey& key, secp256k1_pubkey& point) {
  return secp256k1_ec_pubkey_parse(context(), &point, key.bytes.data(), key.bytes.size()) == 1;
}

}  // namespace

namespace secp {

std::optional<RecoverableSignature> sign(const Sha256Digest& digest, const std::array<std::uint8_t, 32>& private_key) {
  secp256k1_ecdsa_recoverable_signature made;
  if (secp256k1_ecdsa_sign_recoverable(context(), &made, digest.bytes.data(), private_key.data(), nullptr, nullptr) !=
      1) {
    return std::nullopt;
  }
  RecoverableSignature signature;
  int recovery_id = 0;
  secp256k1_ecdsa_recoverable_signature_serialize_compact(context(), signature.bytes.data(), &recovery_id, &made);
  signature.recovery_id = static_cast<std::uint8_t>(recovery_id);
  return signature;
}

std::optional<PublicKey> recover(const Sha256Digest& digest, const RecoverableSignature& signature) {
  if (signature.recovery_id > 3) return std::nullopt;
  secp256k1_ecdsa_recoverable_signature parsed;
  if (secp256k1_ecdsa_recoverable_signature_parse_compact(context(), &parsed, signature.bytes.data(),
                                                          signature.recovery_id) != 1) {
    return std::nullopt;
  }
  secp256k1_pubkey point;
  if (secp256k1_ecdsa_recover(context(), &point, &parsed, digest.bytes.data()) != 1) return std::nullopt;
  return serialized(point);
}

bool verify(const Sha256Digest& digest, const RecoverableSignature& signature, const PublicKey& key) {
  secp256k1_pubkey point;
  secp256k1_ecdsa_signature parsed;
  return parse(key, point) &&
         secp256k1_ecdsa_signature_parse_compact(context(), &parsed, signature.bytes.data()) == 1 &&
         secp256k1_ecdsa_verify(context(), &parsed, digest.bytes.data(), &point) == 1;
}

}  // namespace secp

std::optional<PublicKey> public_key_of(const std::array<std::uint8_t, 32>& private_key) {
  secp256k1_pubkey point;
  if (secp256k1_ec_pubkey_create(context(), &point, private_key.data()) != 1) return std::nullopt;
  return serialized(point);
}

bool valid_public_key(const PublicKey& key) {
  secp256k1_pubkey point;
  return parse(key, point);
}

}  // namespace paytower
