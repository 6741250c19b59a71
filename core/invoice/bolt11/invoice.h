// BOLT 11 invoices: read, check and write them.
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

/// A field that BOLT 11 does not define, a second one where only one is allowed, or a fallback of an unknown version:
/// kept as it is.
struct InvoiceExtra {
  std::uint8_t tag = 0;  ///< 0 to 31
  Bytes words;           ///< of five bits each
  auto operator<=>(const InvoiceExtra&) const = default;
};

/// What an invoice says (BOLT 11, "Data Part"). Amounts in msat, times in seconds since 1970 UTC.
struct Invoice {
  std::string network;          ///< "bitcoin", "testnet", "signet", "regtest", "simnet"
  std::optional<Msat> amount;   ///< nothing: the payer chooses the amount
  std::uint64_t timestamp = 0;  ///< when it was made, in seconds since 1970 UTC; 35 bits
  PaymentHash payment_hash;
  PaymentSecret payment_secret;
  PublicKey payee;                                  ///< from the signature, or from field n
  bool payee_named = false;                         ///< there is a field n
  std::optional<std::string> description;           ///< the payee's bytes: maybe not UTF-8, never printed as they are
  std::optional<Sha256Digest> description_hash;     ///< of a description that is given elsewhere
  std::uint64_t expiry = default_invoice_expiry_s;  ///< in seconds after timestamp; UINT64_MAX for anything larger
  /// How many blocks the last HTLC must leave; UINT64_MAX as above.
  std::uint64_t min_final_cltv = default_min_final_cltv;
  std::vector<RouteHint> route_hints;        ///< from decode_invoice: every key is a point on the curve
  std::vector<Fallback> fallbacks;           ///< the most preferred one first; fallback_address() writes them
  Bytes features;                            ///< a big-endian bit field without leading zero bytes
  std::optional<Bytes> metadata;             ///< goes into the onion unchanged (payment_metadata, field m)
  std::vector<InvoiceExtra> extras;          ///< in the order in which they came
  std::array<std::uint8_t, 64> signature{};  ///< r, s
  std::uint8_t recovery_id = 0;              ///< 0 to 3
};

/// Reads an invoice and checks its checksum, fields, features and signature. It may begin with `lightning:`. Otherwise
/// a usage refusal in one sentence. The input is hostile. Source: BOLT 11, "Payment Encoding", as of 2025, and its test
/// vectors.
[[nodiscard]] Result<Invoice> decode_invoice(std::string_view text);

/// The same for an invoice that was paid before. What BOLT 11 only refuses since 2025 (fields of a wrong length,
/// leading zeros, both or neither of description and hash, hints with an invalid key) is skipped or kept, as it was
/// then.
[[nodiscard]] Result<Invoice> decode_recorded_invoice(std::string_view text);

/// The route hints of an invoice that was accepted before, by these rules or the older ones. The signature, which costs
/// more than all the rest, is not checked again. Nothing for a text that is not an invoice.
[[nodiscard]] std::vector<RouteHint> route_hints_of(std::string_view verified);
/// Its description: the payee's bytes. Nothing if it only carries the hash of one. Lists ask this of every payment, so
/// that only this field is read, and not the checksum.
[[nodiscard]] std::optional<std::string> description_in(std::string_view verified);

/// Signs and writes an invoice. payee, signature and recovery_id of `fields` are ignored; the payee is the owner of the
/// key. A usage refusal for what cannot be written: an unknown network, an amount of 0, fields that are too long, no
/// description or two, a fallback that is not an address, a hint with an invalid key, extras that would be refused or
/// read as something else, an invalid private key. decode_invoice can read what this writes, unless `features` has
/// compulsory bits that nobody knows. Source: BOLT 11, the requirements for writers.
[[nodiscard]] Result<std::string> encode_invoice(const Invoice& fields,
                                                 const std::array<std::uint8_t, 32>& private_key);

/// Whether the payee accepts a payment in several parts (BOLT 9, basic_mpp).
[[nodiscard]] bool takes_parts(const Invoice& invoice);

/// Nothing for a private key outside the group.
[[nodiscard]] std::optional<PublicKey> public_key_of(const std::array<std::uint8_t, 32>& private_key);
/// True for the compressed form of a point on secp256k1.
[[nodiscard]] bool valid_public_key(const PublicKey& key);

/// Whether an invoice for this network can be paid by a switch on a chain with this name: in BOLT 11 all testnets share
/// one prefix.
[[nodiscard]] bool pays_on(std::string_view invoice_network, std::string_view chain);

/// In seconds since 1970 UTC. UINT64_MAX for an expiry so large that it never comes.
[[nodiscard]] std::uint64_t expiry_time(const Invoice& invoice);
[[nodiscard]] bool expired(const Invoice& invoice, std::uint64_t now_seconds);

/// Why nobody can pay a valid invoice, whatever limits are set for the call.
enum class NotPayable {
  expired,
  final_cltv_too_large,  ///< the payee asks for more blocks than an HTLC of ours may have
};
[[nodiscard]] std::optional<NotPayable> not_payable(const Invoice& invoice, std::uint64_t now_seconds);
/// A stable name, such as "expired".
[[nodiscard]] std::string_view not_payable_name(NotPayable why);

}  // namespace paytower
