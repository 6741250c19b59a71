// Reads lnd's serialized outgoing payments, byte by byte.
#include "migrations/legacy_record.h"

#include <algorithm>

#include <fmt/core.h>

namespace paytower::migrations {

namespace {

using Span = std::span<const std::uint8_t>;

constexpr std::size_t max_note_bytes = 1'024;
constexpr std::size_t max_request_bytes = 4'096;
constexpr std::size_t max_time_bytes = 300;
constexpr std::size_t index_bytes = 24;

/// Thrown to stop reading a record.
struct Flaw {
  std::string reason;
};

/// Takes a record apart from the front. Throws Flaw.
class Reader {
 public:
  explicit Reader(Span data) : rest_(data) {}

  Span take(std::size_t count, std::string_view field) {
    if (count > rest_.size()) throw Flaw{fmt::format("record truncated in {}", field)};
    const Span taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }

  std::uint64_t big_endian(std::size_t bytes, std::string_view field) {
    std::uint64_t value = 0;
    for (const std::uint8_t byte : take(bytes, field)) value = value << 8 | byte;
    return value;
  }

  /// A CompactSize length, and as many bytes.
  Span counted(std::size_t limit, std::string_view field) {
    const std::uint64_t length = compact_size(field);
    if (length > limit) throw Flaw{fmt::format("{} of {} bytes, {} are the most", field, length, limit)};
    return take(static_cast<std::size_t>(length), field);
  }

  [[nodiscard]] std::size_t left() const { return rest_.size(); }

 private:
  std::uint64_t compact_size(std::string_view field) {
    const std::uint64_t first = big_endian(1, field);
    if (first < 0xfd) return first;
    const std::size_t bytes = first == 0xfd ? 2 : first == 0xfe ? 4 : 8;
    std::uint64_t value = 0;
    const Span taken = take(bytes, field);
    for (std::size_t i = bytes; i > 0; --i) value = value << 8 | taken[i - 1];
    const std::uint64_t least = bytes == 2 ? 0xfd : bytes == 4 ? 0x10000 : 0x100000000ULL;
    if (value < least) throw Flaw{fmt::format("{}: its length is not in the shortest form", field)};
    return value;
  }

  Span rest_;
};

/// Go's binary time: a moment, and a zone that does not change it.
struct GoTime {
  std::int64_t seconds = 0;  ///< since the year 1
  std::uint32_t nanoseconds = 0;
  [[nodiscard]] bool zero() const { return seconds == 0 && nanoseconds == 0; }
};

GoTime read_time(Reader& in, std::string_view field) {
  Reader bytes(in.counted(max_time_bytes, field));
  const std::size_t size = bytes.left();
  if (size == 0) throw Flaw{fmt::format("{} of 0 bytes", field)};
  const std::uint64_t version = bytes.big_endian(1, field);
  if (version != 1 && version != 2) throw Flaw{fmt::format("{} in the unknown form {}", field, version)};
  if (size != (version == 1 ? 15 : 16)) throw Flaw{fmt::format("{} of {} bytes", field, size)};
  GoTime time;
  time.seconds = static_cast<std::int64_t>(bytes.big_endian(8, field));
  time.nanoseconds = static_cast<std::uint32_t>(bytes.big_endian(4, field));
  if (time.nanoseconds > 999'999'999) throw Flaw{fmt::format("{} with more than 999999999 nanoseconds", field)};
  return time;
}

std::int64_t unix_ns(const GoTime& time) {
  constexpr std::int64_t year_1 = -62'135'596'800;
  constexpr std::int64_t most_seconds = 9'223'372'035;  // so that any number of nanoseconds still fits
  if (time.zero()) return 0;
  if (time.seconds < -most_seconds - year_1 || time.seconds > most_seconds - year_1)
    throw Flaw{"creation date outside the years 1678 to 2262"};
  return (time.seconds + year_1) * 1'000'000'000 + time.nanoseconds;
}

bool all_zero(Span bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

Span read_path(Reader& in) {
  const std::uint64_t hops = in.big_endian(4, "path length");
  if (hops > in.left() / PublicKey::size) throw Flaw{fmt::format("record truncated in path: it says {} hops", hops)};
  return in.take(static_cast<std::size_t>(hops) * PublicKey::size, "path");
}

/// The parts of the record as they are, before anything is checked.
struct Parts {
  LegacyRecord record;
  GoTime created;
};

Parts read_parts(Reader& in) {
  Parts parts;
  LegacyRecord& record = parts.record;
  record.memo = in.counted(max_note_bytes, "memo");
  record.receipt = in.counted(max_note_bytes, "receipt");
  const Span request = in.counted(max_request_bytes, "payment request");
  record.payment_request = std::string_view(reinterpret_cast<const char*>(request.data()), request.size());
  parts.created = read_time(in, "creation date");
  const GoTime settled = read_time(in, "settle date");
  const Span terms_preimage = in.take(32, "invoice preimage");
  record.value_msat = in.big_endian(8, "value");
  const Span rest = in.take(1, "state");
  const Span add_index = in.take(8, "add index");
  const Span settle_index = in.take(8, "settle index");
  const Span amount_paid = in.take(8, "amount paid");
  record.fee_msat = in.big_endian(8, "fee");
  record.path = read_path(in);
  record.time_lock = static_cast<std::uint32_t>(in.big_endian(4, "time lock"));
  record.preimage = *Preimage::from_span(in.take(32, "preimage"));
  record.has_more = !record.memo.empty() || !record.receipt.empty() || !settled.zero() || !all_zero(terms_preimage) ||
                    !all_zero(rest) || !all_zero(add_index) || !all_zero(settle_index) || !all_zero(amount_paid);
  return parts;
}

void check_amounts(const LegacyRecord& record) {
  if (record.value_msat > max_legacy_msat) throw Flaw{"value above 21 million btc"};
  if (record.fee_msat > max_legacy_msat) throw Flaw{"fee above 21 million btc"};
  if (record.value_msat + record.fee_msat > max_legacy_msat) throw Flaw{"value and fee together above 21 million btc"};
}

void check_path(const LegacyRecord& record) {
  if (record.hops() > max_legacy_hops)
    throw Flaw{fmt::format("path of {} hops, {} are the most", record.hops(), max_legacy_hops)};
  for (std::size_t i = 0; i < record.hops(); ++i) {
    const std::uint8_t prefix = record.path[i * PublicKey::size];
    if (prefix != 2 && prefix != 3) throw Flaw{fmt::format("path: hop {} is no public key", i + 1)};
  }
}

/// Refuses a preimage that cannot be this payment's: all zeros, or one that does not match the invoice. If there is an
/// invoice, `hash` becomes the invoice's hash: that is the one that was paid.
void check_preimage(const LegacyRecord& record, std::optional<PaymentHash>& hash) {
  const auto invoiced = invoice_payment_hash(record.payment_request);
  const bool zero = all_zero(record.preimage.span());
  const bool other = invoiced && *invoiced != *hash;
  if (invoiced) hash = invoiced;
  if (zero) throw Flaw{"preimage of zeros"};
  if (other)
    throw Flaw{record.preimage.bytes == invoiced->bytes ? "preimage: the payment hash stands in its place"
                                                        : "preimage does not hash to the payment hash of the invoice"};
}

}  // namespace

std::variant<LegacyRecord, LegacyFlaw> read_legacy_record(std::span<const std::uint8_t> data) {
  std::optional<PaymentHash> hash;
  try {
    Reader in(data);
    Parts parts = read_parts(in);
    hash = hash_of(parts.record.preimage);
    check_preimage(parts.record, hash);
    if (in.left() > 0) throw Flaw{fmt::format("{} bytes behind the preimage", in.left())};
    check_amounts(parts.record);
    check_path(parts.record);
    parts.record.created_ns = unix_ns(parts.created);
    return parts.record;
  } catch (Flaw& flaw) {
    return LegacyFlaw{std::move(flaw.reason), hash};
  }
}

std::optional<Bytes> widen_v04_record(std::span<const std::uint8_t> data) {
  try {
    Reader in(data);
    (void)in.counted(max_note_bytes, "memo");
    (void)in.counted(max_note_bytes, "receipt");
    (void)in.counted(max_request_bytes, "payment request");
    (void)in.counted(max_time_bytes, "creation date");
    (void)in.counted(max_time_bytes, "settle date");
    (void)in.take(32 + 8 + 1, "state");
    const std::size_t behind_state = data.size() - in.left();
    Bytes wide(data.begin(), data.begin() + static_cast<std::ptrdiff_t>(behind_state));
    wide.resize(wide.size() + index_bytes);
    wide.insert(wide.end(), data.begin() + static_cast<std::ptrdiff_t>(behind_state), data.end());
    return wide;
  } catch (const Flaw&) {
    return std::nullopt;
  }
}

}  // namespace paytower::migrations
