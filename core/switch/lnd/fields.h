// The fields of lnd's messages as its gateway writes protobuf: 64-bit numbers are strings, bytes are base64, and what
// is absent or null is zero.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "core/base/bytes.h"
#include "core/base/msat.h"
#include "core/base/types.h"

namespace paytower::lnd {

/// Standard base64 with padding, as lnd reads and writes bytes in a message.
[[nodiscard]] std::string to_base64(std::span<const std::uint8_t> bytes);
/// The alphabet that is allowed in a path, with padding.
[[nodiscard]] std::string to_base64_url(std::span<const std::uint8_t> bytes);
/// Nothing for text that to_base64 would not write.
[[nodiscard]] std::optional<Bytes> from_base64(std::string_view text);

/// Reads one message field by field. Never throws. What has the wrong type or is out of range reads as zero, and from
/// then on good() is false. The message must outlive this.
class Fields {
 public:
  explicit Fields(const nlohmann::json& message) : message_(message), good_(message.is_object()) {}

  [[nodiscard]] bool good() const { return good_; }
  /// For errors that the caller finds itself.
  void refuse() { good_ = false; }

  /// A number, or a string of one.
  [[nodiscard]] std::uint64_t number(const char* key, std::uint64_t most = INT64_MAX);
  [[nodiscard]] std::uint32_t number32(const char* key, std::uint32_t most = UINT32_MAX) {
    return static_cast<std::uint32_t>(number(key, most));
  }
  /// An error above all bitcoin.
  [[nodiscard]] Msat amount(const char* key);
  [[nodiscard]] UnixNs time(const char* key) { return UnixNs{static_cast<std::int64_t>(number(key))}; }
  [[nodiscard]] ShortChannelId channel(const char* key) { return ShortChannelId{number(key, UINT64_MAX)}; }
  [[nodiscard]] bool flag(const char* key);
  [[nodiscard]] std::string text(const char* key);
  [[nodiscard]] Bytes bytes(const char* key);

  /// Hex digits. Nothing if the field is empty; an error if it has another size.
  template <typename T> [[nodiscard]] std::optional<T> hex(const char* key) {
    const std::string digits = text(key);
    if (digits.empty()) return std::nullopt;
    return known(T::from_hex_text(digits));
  }
  /// The same in base64.
  template <typename T> [[nodiscard]] std::optional<T> fixed(const char* key) {
    const Bytes data = bytes(key);
    if (data.empty()) return std::nullopt;
    return known(T::from_span(data));
  }

  /// nullptr if there is none.
  [[nodiscard]] const nlohmann::json* message(const char* key);
  /// An error if it has more than `most` elements. Empty if there is none.
  [[nodiscard]] const nlohmann::json& list(const char* key, std::size_t most);

 private:
  [[nodiscard]] const nlohmann::json* find(const char* key) const;
  template <typename T> T known(T value) {
    if (!value) refuse();
    return value;
  }

  const nlohmann::json& message_;
  bool good_;
};

}  // namespace paytower::lnd
