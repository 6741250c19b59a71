// BOLT 11 invoices: reading, checking and writing them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/base/msat.h"
#include "core/base/types.h"
#include "core/invoice/bolt11/address.h"
#include "core/invoice/route_hint.h"

namespace paytower {

inline constexpr std::uint64_t default_invoice_expiry_s = 3'600;
inline constexpr std::uint32_t default_min_final_cltv = 18;

/// A field that BOLT 11 does not define, a second one of a kind that has no second, or a fallback of a version that
/// nobody knows: kept as it stands.
struct InvoiceExtra {
  std::uint8_t tag = 0;  ///< 0 to 31
  Bytes words;           ///< five bits each
  auto operator<=>(const InvoiceExtra&) const = default;
};

/// What an invoice says (BOLT 11, "Data Part"). Amounts in msat, times in seconds since 1970 UTC.
struct Invoice {
  std::string network;          ///< "bitcoin", "testnet", "signet", "regtest", "simnet"
  std::optional<Msat> amount;   ///< nothing: the payer chooses
  std::uint64_t timestamp = 0;  ///< when it was made; 35 bits
  PaymentHash payment_hash;
  PaymentSecret payment_secret;
  PublicKey payee;                                  ///< recovered from the signature, or from field n
  bool payee_named = false;                         ///< field n is present
  std::optional<std::string> description;           ///< the payee's bytes, not checked to be UTF-8, never printed raw
  std::optional<Sha256Digest> description_hash;     ///< of a description that is told elsewhere
  std::uint64_t expiry = default_invoice_expiry_s;  ///< seconds after timestamp; UINT64_MAX for whatever is larger
  std::uint64_t min_final_cltv = default_min_final_cltv;  ///< blocks that the last HTLC must leave; UINT64_MAX as above
  std::vector<RouteHint> route_hints;                     ///< from decode_invoice: every key is a point on the curve
  std::vector<Fallback> fallbacks;                        ///< most preferred first; fallback_address() writes them
  Bytes features;                                         ///< big-endian bit field without leading zero bytes
  std::optional<Bytes> metadata;                          ///< goes into the onion as it is (payment_metadata, field m)
  std::vector<InvoiceExtra> extras;                       ///< in their order
  std::array<std::uint8_t, 64> signature{};               ///< r, s
  std::uint8_t recovery_id = 0;                           ///< 0 to 3
};

/// Reads and checks an invoice: checksum, fields, features, signature. `lightning:` before it is fine. Usage refusal
/// with one sentence otherwise. Input is hostile. Source: BOLT 11, "Payment Encoding", as of 2025, and its test
/// vectors.
[[nodiscard]] Result<Invoice> decode_invoice(std::string_view text);

/// The same for an invoice that was paid with before: what BOLT 11 only refuses since 2025 (fields of a wrong length,
/// leading zeros, description and hash both or neither, hints over nobody's key) is skipped or kept, as it was then.
[[nodiscard]] Result<Invoice> decode_recorded_invoice(std::string_view text);

/// The route hints of an invoice that was accepted before, by these rules or by the older ones: its signature, which
/// costs more than all the rest, is not checked again. Nothing for a text that is not an invoice.
[[nodiscard]] std::vector<RouteHint> route_hints_of(std::string_view verified);
/// Its description, likewise: the payee's bytes. Nothing where it only carries the hash of one.
[[nodiscard]] std::optional<std::string> description_in(std::string_view verified);

/// Signs and writes an invoice. payee, signature and recovery_id of `fields` are not read; the payee is the key's.
/// Usage refusal for what cannot be written: an unknown network, an amount of 0, fields too long, no description or
/// two, a fallback that is no address, a hint over nobody's key, extras that would be read as something else or be
/// refused, an invalid key. What it writes, decode_invoice reads back, unless `features` has compulsory bits that
/// nobody knows. Source: BOLT 11, the writer's requirements.
[[nodiscard]] Result<std::string> encode_invoice(const Invoice& fields,
                                                 const std::array<std::uint8_t, 32>& private_key);

/// Whether its payee takes a payment in parts (BOLT 9, basic_mpp).
[[nodiscard]] bool takes_parts(const Invoice& invoice);

/// Nothing for a private key outside the group.
[[nodiscard]] std::optional<PublicKey> public_key_of(const std::array<std::uint8_t, 32>& private_key);
/// True for the compressed form of a point on secp256k1.
[[nodiscard]] bool valid_public_key(const PublicKey& key);

/// Whether an invoice for this network can be paid by a switch on a chain of this name: all testnets have one prefix in
/// BOLT 11.
[[nodiscard]] bool pays_on(std::string_view invoice_network, std::string_view chain);

/// Seconds since 1970 UTC; UINT64_MAX for an expiry beyond all time, which never comes.
[[nodiscard]] std::uint64_t expiry_time(const Invoice& invoice);
[[nodiscard]] bool expired(const Invoice& invoice, std::uint64_t now_seconds);

/// What keeps everybody from paying an invoice that reads well, whatever the limits of the call.
enum class NotPayable {
  expired,
  final_cltv_too_large,  ///< the payee wants more blocks than an HTLC of ours may have
};
[[nodiscard]] std::optional<NotPayable> not_payable(const Invoice& invoice, std::uint64_t now_seconds);
/// Stable, e.g. "expired".
[[nodiscard]] std::string_view not_payable_name(NotPayable why);

}  // namespace paytower
