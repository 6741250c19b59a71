// Reads macaroons of version 2, and adds a time limit to them.
#include "core/switch/lnd/macaroon.h"

#include <fmt/core.h>
#include <sodium.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <utility>

#include "core/base/bytes.h"
#include "core/base/require.h"

namespace paytower::lnd {

namespace {

constexpr std::uint8_t version = 2;
constexpr std::size_t signature_bytes = crypto_auth_hmacsha256_BYTES;

/// The fields of the binary form; in a section they come in this order.
constexpr std::uint8_t end_of_section = 0;
constexpr std::uint8_t location = 1;
constexpr std::uint8_t identifier = 2;
constexpr std::uint8_t verification = 4;
constexpr std::uint8_t signature = 6;

std::span<const std::uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

/// Goes through the form field by field. Never reads past the end; `good` tells whether all went well.
class Walker {
 public:
  explicit Walker(std::span<const std::uint8_t> data) : data_(data) {}

  std::uint8_t byte() {
    if (at_ >= data_.size()) good = false;
    return good ? data_[at_++] : end_of_section;
  }
  /// A length, and that many bytes.
  std::span<const std::uint8_t> value() {
    const std::size_t size = length();
    if (size > data_.size() - at_) good = false;
    if (!good) return {};
    at_ += size;
    return data_.subspan(at_ - size, size);
  }
  [[nodiscard]] std::size_t at() const { return at_; }
  [[nodiscard]] bool done() const { return at_ == data_.size(); }
  bool good = true;

 private:
  /// Seven bits in each byte, the lowest first. Two bytes are enough for any macaroon here.
  std::size_t length() {
    const std::uint8_t low = byte();
    if (low < 0x80) return low;
    const std::uint8_t high = byte();
    if (high >= 0x80) good = false;
    return static_cast<std::size_t>(high) << 7U | (low & 0x7FU);
  }

  std::span<const std::uint8_t> data_;
  std::size_t at_ = 0;
};

/// Reads one section, from after its first field's type to its end. False if it has no identifier, or a field that does
/// not belong there.
bool skip_section(Walker& walker, std::uint8_t first) {
  bool named = false;
  std::uint8_t before = end_of_section;
  for (std::uint8_t field = first; walker.good && field != end_of_section; field = walker.byte()) {
    if (field <= before || (field != location && field != identifier && field != verification)) return false;
    named = named || field == identifier;
    before = field;
    (void)walker.value();
  }
  return walker.good && named;
}

struct Parts {
  std::size_t body = 0;  ///< how many bytes the body has
  std::span<const std::uint8_t> signature;
};

std::optional<Parts> parts_of(std::span<const std::uint8_t> file) {
  Walker walker(file);
  if (file.size() > Macaroon::max_bytes || walker.byte() != version || !skip_section(walker, walker.byte()))
    return std::nullopt;
  Parts parts;
  for (parts.body = walker.at(); walker.good; parts.body = walker.at()) {
    const std::uint8_t field = walker.byte();
    if (field == end_of_section) break;
    if (!skip_section(walker, field)) return std::nullopt;
  }
  if (walker.byte() != signature) return std::nullopt;
  parts.signature = walker.value();
  if (!walker.good || !walker.done() || parts.signature.size() != signature_bytes) return std::nullopt;
  return parts;
}

/// Hex text, as `lncli bakemacaroon` prints it.
bool is_hex_text(std::span<const std::uint8_t> file) {
  return !file.empty() && std::all_of(file.begin(), file.end(), [](std::uint8_t byte) {
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F') ||
           byte == '\n' || byte == '\r' || byte == ' ';
  });
}

Error refusal(std::span<const std::uint8_t> file) {
  if (is_hex_text(file))
    return Error{Errc::usage, "the macaroon file holds hex text, but lnd's binary form is needed",
                 "xxd -r -p FILE NEW_FILE"};
  return Error{Errc::usage, "the macaroon file holds no macaroon of version 2, as lnd writes them"};
}

SecretBytes copy_of(std::span<const std::uint8_t> bytes) {
  SecretBytes copy(bytes.size());
  copy.append(bytes);
  return copy;
}

}  // namespace

SecretBytes& SecretBytes::operator=(SecretBytes&& other) noexcept {
  if (this == &other) return *this;
  wipe();
  bytes_ = std::move(other.bytes_);
  other.bytes_.clear();
  return *this;
}

void SecretBytes::append(std::span<const std::uint8_t> more) {
  require(more.size() <= room(), "the secret has room");
  bytes_.insert(bytes_.end(), more.begin(), more.end());
}

void SecretBytes::wipe() noexcept {
  if (!bytes_.empty()) sodium_memzero(bytes_.data(), bytes_.size());
  bytes_.clear();
}

std::string time_before_caveat(UnixNs until) {
  using namespace std::chrono;
  require(until.value >= 0, "the time is not before 1970");
  const sys_time<microseconds> at{microseconds(until.value / 1'000)};
  const auto day = floor<days>(at);
  const year_month_day date(day);
  const hh_mm_ss<microseconds> time(at - day);
  return fmt::format("time-before {:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), time.hours().count(),
                     time.minutes().count(), time.seconds().count(), time.subseconds().count());
}

Result<Macaroon> Macaroon::read(std::span<const std::uint8_t> file) {
  const auto parts = parts_of(file);
  if (!parts) return refusal(file);
  return Macaroon(copy_of(file.first(parts->body)), copy_of(parts->signature));
}

Macaroon Macaroon::limited(UnixNs until) const {
  const std::string caveat = time_before_caveat(until);
  const std::array<std::uint8_t, 2> head = {identifier, static_cast<std::uint8_t>(caveat.size())};
  const std::array<std::uint8_t, 1> end = {end_of_section};
  SecretBytes body(body_.span().size() + head.size() + caveat.size() + end.size());
  body.append(body_.span());
  body.append(head);
  body.append(bytes_of(caveat));
  body.append(end);
  std::array<std::uint8_t, signature_bytes> chained{};
  crypto_auth_hmacsha256(chained.data(), bytes_of(caveat).data(), caveat.size(), signature_.span().data());
  SecretBytes signed_by = copy_of(chained);
  sodium_memzero(chained.data(), chained.size());
  return Macaroon(std::move(body), std::move(signed_by));
}

SecretBytes Macaroon::binary() const {
  const std::array<std::uint8_t, 3> end = {end_of_section, signature, signature_bytes};
  SecretBytes file(body_.span().size() + end.size() + signature_.span().size());
  file.append(body_.span());
  file.append(end);
  file.append(signature_.span());
  return file;
}

std::string Macaroon::hex() const {
  const SecretBytes file = binary();
  std::string digits;
  digits.reserve(2 * file.span().size());
  append_hex(digits, file.span());
  return digits;
}

}  // namespace paytower::lnd
