// Reads the fields of a message one by one.
#include "core/switch/lnd/fields.h"

#include <sodium.h>

#include "core/base/number.h"

namespace paytower::lnd {

namespace {

using nlohmann::json;

std::string encode(std::span<const std::uint8_t> bytes, int variant) {
  std::string text(sodium_base64_encoded_len(bytes.size(), variant), '\0');
  sodium_bin2base64(text.data(), text.size(), bytes.data(), bytes.size(), variant);
  text.pop_back();  // the terminator, which the length includes
  return text;
}

std::optional<std::uint64_t> number_in(const json& value) {
  if (value.is_number_unsigned()) return value.get<std::uint64_t>();
  if (value.is_string()) return whole_number(value.get_ref<const std::string&>());
  return std::nullopt;
}

}  // namespace

std::string to_base64(std::span<const std::uint8_t> bytes) { return encode(bytes, sodium_base64_VARIANT_ORIGINAL); }

std::string to_base64_url(std::span<const std::uint8_t> bytes) { return encode(bytes, sodium_base64_VARIANT_URLSAFE); }

std::optional<Bytes> from_base64(std::string_view text) {
  Bytes data(text.size() / 4 * 3 + 3);
  std::size_t size = 0;
  const int failed = sodium_base642bin(data.data(), data.size(), text.data(), text.size(), nullptr, &size, nullptr,
                                       sodium_base64_VARIANT_ORIGINAL);
  if (failed != 0) return std::nullopt;
  data.resize(size);
  return data;
}

const json* Fields::find(const char* key) const {
  if (!message_.is_object()) return nullptr;
  const auto found = message_.find(key);
  return found == message_.end() || found->is_null() ? nullptr : &*found;
}

std::uint64_t Fields::number(const char* key, std::uint64_t most) {
  const json* value = find(key);
  if (value == nullptr) return 0;
  const auto found = known(number_in(*value));
  if (found && *found <= most) return *found;
  refuse();
  return 0;
}

Msat Fields::amount(const char* key) { return known(Msat::from(number(key))).value_or(Msat{}); }

bool Fields::flag(const char* key) {
  const json* value = find(key);
  if (value == nullptr) return false;
  if (!value->is_boolean()) refuse();
  return value->is_boolean() && value->get<bool>();
}

std::string Fields::text(const char* key) {
  const json* value = find(key);
  if (value == nullptr) return {};
  if (value->is_string()) return value->get<std::string>();
  refuse();
  return {};
}

Bytes Fields::bytes(const char* key) { return known(from_base64(text(key))).value_or(Bytes{}); }

const json* Fields::message(const char* key) {
  const json* value = find(key);
  if (value == nullptr || value->is_object()) return value;
  refuse();
  return nullptr;
}

const json& Fields::list(const char* key, std::size_t most) {
  static const json none = json::array();
  const json* value = find(key);
  if (value == nullptr) return none;
  if (value->is_array() && value->size() <= most) return *value;
  refuse();
  return none;
}

}  // namespace paytower::lnd
