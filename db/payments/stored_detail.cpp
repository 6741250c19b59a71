// One column of JSON for what only some failed payments have, and only people read.
#include "db/payments/stored_detail.h"

#include <cstdint>

#include <nlohmann/json.hpp>

namespace paytower::db {

namespace {

using nlohmann::json;

std::optional<std::uint64_t> stored_number(const json& stored, const char* key, std::uint64_t most) {
  const auto found = stored.find(key);
  if (found == stored.end() || !found->is_number_unsigned()) return std::nullopt;
  const auto number = found->get<std::uint64_t>();
  return number <= most ? std::optional(number) : std::nullopt;
}

std::optional<std::uint32_t> stored_number32(const json& stored, const char* key) {
  const auto number = stored_number(stored, key, UINT32_MAX);
  return number ? std::optional(static_cast<std::uint32_t>(*number)) : std::nullopt;
}

std::optional<Msat> stored_msat(const json& stored, const char* key) {
  const auto number = stored_number(stored, key, Msat::max_value);
  return number ? std::optional(Msat::of(*number)) : std::nullopt;
}

std::string stored_text(const json& stored, const char* key) {
  const auto found = stored.find(key);
  return found != stored.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

std::optional<std::string> encode_detail(const std::optional<FailureDetail>& detail) {
  if (!detail || *detail == FailureDetail{}) return std::nullopt;
  json stored = {{"code", detail_name(detail->code)}};
  if (detail->fee) stored["fee_msat"] = detail->fee->value();
  if (detail->delay) stored["delay"] = *detail->delay;
  if (detail->held) stored["held_msat"] = detail->held->value();
  if (detail->channel) stored["scid"] = detail->channel->text();
  if (detail->parts) stored["parts"] = *detail->parts;
  if (!detail->words.empty()) stored["switch_message"] = detail->words;
  return stored.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::optional<FailureDetail> decode_detail(const std::string& stored) {
  if (stored.empty()) return std::nullopt;
  const json read = json::parse(stored, nullptr, false);
  if (!read.is_object()) return std::nullopt;
  FailureDetail detail = detail_of(detail_code(stored_text(read, "code")));
  detail.fee = stored_msat(read, "fee_msat");
  detail.delay = stored_number32(read, "delay");
  detail.held = stored_msat(read, "held_msat");
  detail.channel = ShortChannelId::parse(stored_text(read, "scid"));
  detail.parts = stored_number32(read, "parts");
  detail.words = stored_text(read, "switch_message");
  return detail;
}

}  // namespace paytower::db
