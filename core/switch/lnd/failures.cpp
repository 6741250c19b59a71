// lnd's failures as ours, and back into the bytes of BOLT 4.
#include "core/switch/lnd/failures.h"

#include <array>
#include <optional>
#include <utility>

#include "core/base/number.h"
#include "core/switch/lnd/fields.h"

namespace paytower::lnd {

namespace {

using nlohmann::json;

constexpr std::string_view unreadable_name = "UNREADABLE_FAILURE";

/// Names that differ from those of BOLT 4.
constexpr std::array own_names = {
    std::pair{std::string_view("INCORRECT_PAYMENT_AMOUNT"), FailureCode::incorrect_or_unknown_payment_details},
    std::pair{std::string_view("FINAL_EXPIRY_TOO_SOON"), FailureCode::incorrect_or_unknown_payment_details},
    std::pair{std::string_view("INTERNAL_FAILURE"), FailureCode::local_refusal},
    std::pair{std::string_view("UNKNOWN_FAILURE"), FailureCode::unknown_code},
    std::pair{unreadable_name, FailureCode::unreadable},
};

void append(Bytes& bytes, const Bytes& more) { bytes.insert(bytes.end(), more.begin(), more.end()); }

/// BOLT 7's channel_update with its type. Empty if a field does not have the size that it has on the wire.
Bytes channel_update(const json& update) {
  constexpr std::uint64_t type = 258;
  constexpr std::size_t most_extra = 0x7FFF;
  constexpr std::uint64_t has_htlc_max = 1;
  Fields fields(update);
  const Bytes signature = fields.bytes("signature");
  const Bytes chain = fields.bytes("chain_hash");
  const Bytes extra = fields.bytes("extra_opaque_data");
  const std::uint64_t message_flags = fields.number("message_flags", UINT8_MAX);
  if (signature.size() != 64 || chain.size() != 32 || extra.size() > most_extra) return {};
  Bytes bytes;
  put_big_endian(bytes, type, 2);
  append(bytes, signature);
  append(bytes, chain);
  put_big_endian(bytes, fields.channel("chan_id").value, 8);
  put_big_endian(bytes, fields.number32("timestamp"), 4);
  put_big_endian(bytes, message_flags, 1);
  put_big_endian(bytes, fields.number("channel_flags", UINT8_MAX), 1);
  put_big_endian(bytes, fields.number("time_lock_delta", UINT16_MAX), 2);
  put_big_endian(bytes, fields.number("htlc_minimum_msat", UINT64_MAX), 8);
  put_big_endian(bytes, fields.number32("base_fee"), 4);
  put_big_endian(bytes, fields.number32("fee_rate"), 4);
  if ((message_flags & has_htlc_max) != 0) put_big_endian(bytes, fields.number("htlc_maximum_msat", UINT64_MAX), 8);
  append(bytes, extra);
  return fields.good() ? bytes : Bytes{};
}

/// What comes between the code and the length of the update. Nothing for a code without an update.
std::optional<Bytes> before_update(FailureCode code, Fields& fields) {
  Bytes bytes;
  if (code == FailureCode::temporary_channel_failure || code == FailureCode::expiry_too_soon) return bytes;
  if (code == FailureCode::amount_below_minimum || code == FailureCode::fee_insufficient)
    put_big_endian(bytes, fields.number("htlc_msat", UINT64_MAX), 8);
  if (code == FailureCode::incorrect_cltv_expiry) put_big_endian(bytes, fields.number32("cltv_expiry"), 4);
  if (code == FailureCode::channel_disabled) put_big_endian(bytes, fields.number("flags", UINT16_MAX), 2);
  if (bytes.empty()) return std::nullopt;
  return bytes;
}

}  // namespace

FailureCode failure_code(std::string_view name) {
  for (const auto& [known, code] : own_names) {
    if (known == name) return code;
  }
  const auto code = failure_from_name(name);
  // Our own names, for failures that no onion carries, must not come from lnd.
  return code && wire_code(*code) ? *code : FailureCode::unknown_code;
}

Failure read_failure(const json& failure) {
  Fields fields(failure);
  const std::string name = fields.text("code");
  const std::uint32_t source = fields.number32("failure_source_index");
  Failure read;
  read.code = failure_code(name);
  const bool says_where =
      read.code != FailureCode::unreadable && (source != 0 || read.code != FailureCode::unknown_code);
  if (fields.good() && says_where) read.source_index = source;
  return read;
}

Bytes failure_message(const json& failure) {
  Fields fields(failure);
  const FailureCode code = failure_code(fields.text("code"));
  const auto before = before_update(code, fields);
  const json* told = fields.message("channel_update");
  if (!before || told == nullptr || !fields.good()) return {};
  const Bytes update = channel_update(*told);
  if (update.empty()) return {};
  Bytes bytes;
  put_big_endian(bytes, static_cast<std::uint32_t>(code), 2);
  append(bytes, *before);
  put_big_endian(bytes, update.size(), 2);
  append(bytes, update);
  return bytes;
}

}  // namespace paytower::lnd
