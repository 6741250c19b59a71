#include "migrations/legacy_record.h"

#include <algorithm>

namespace paytower::migrations {

namespace {

using Span = std::span<const std::uint8_t>;

constexpr std::size_t max_note_bytes = 1'024;
constexpr std::size_t max_request_bytes = 4'096;
constexpr std::size_t max_time_bytes = 300;
constexpr std::size_t index_bytes = 24;

/// Leaves the reading of one record.
struct Flaw {
  std::string reason;
};

/// Takes a record apart from its front. Throws Flaw.
class Reader {
 public:
  explicit Reader(Span data) : rest_(data) {}

  Span take(std::size_t count, std::string_view field) {
    if (count > rest_.size()) throw Flaw{"record truncated in " + std::string(field)};
    const Span taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }

  std::uint64_t big_endian(std::size_t bytes, std::string_view field) {
    std::uint64_t value = 0;
    for (const std::uint8_t byte : take(bytes, field)) value = value << 8 | byte;
    return value;
  }

  /// CompactSize length and as many bytes.
  Span counted(std::size_t limit, std::string_view field) {
    const std::uint64_t length = compact_size(field);
    if (length > limit)
      throw Flaw{std::string(field) + " of " + std::to_string(length) + " bytes, " + std::to_string(limit) +
                 " are the most"};
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
    if (value < least) throw Flaw{std::string(field) + ": its length is not in the shortest form"};
    return value;
  }

  Span rest_;
};

/// Go's binary time: an instant, and a zone that does not change it.
struct GoTime {
  std::int64_t seconds = 0;  ///< since year 1
  std::uint32_t nanoseconds = 0;
  [[nodiscard]] bool zero() const { return seconds == 0 && nanoseconds == 0; }
};

GoTime read_time(Reader& in, std::string_view field) {
  Reader bytes(in.counted(max_time_bytes, field));
  const std::size_t size = bytes.left();
  if (size == 0) throw Flaw{std::string(field) + " of 0 bytes"};
  const std::uint64_t version = bytes.big_endian(1, field);
  if (version != 1 && version != 2) throw Flaw{std::string(field) + " in the unknown form " + std::to_string(version)};
  if (size != (version == 1 ? 15 : 16)) throw Flaw{std::string(field) + " of " + std::to_string(size) + " bytes"};
  GoTime time;
  time.seconds = static_cast<std::int64_t>(bytes.big_endian(8, field));
  time.nanoseconds = static_cast<std::uint32_t>(bytes.big_endian(4, field));
  if (time.nanoseconds > 999'999'999) throw Flaw{std::string(field) + " with more than 999999999 nanoseconds"};
  return time;
}

std::int64_t unix_ns(const GoTime& time) {
  constexpr std::int64_t year_1 = -62'135'596'800;
  constexpr std::int64_t most_seconds = 9'223'372'035;  // so that any nanoseconds still fit
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
  if (hops > in.left() / PublicKey::size)
    throw Flaw{"record truncated in path: it says " + std::to_string(hops) + " hops"};
  return in.take(static_cast<std::size_t>(hops) * PublicKey::size, "path");
}

/// The record's parts as they lie, before anything is judged.
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
    throw Flaw{"path of " + std::to_string(record.hops()) + " hops, " + std::to_string(max_legacy_hops) +
               " are the most"};
  for (std::size_t i = 0; i < record.hops(); ++i) {
    const std::uint8_t prefix = record.path[i * PublicKey::size];
    if (prefix != 2 && prefix != 3) throw Flaw{"path: hop " + std::to_string(i + 1) + " is no public key"};
  }
}

/// What a preimage slot may not be: then it is no preimage of this payment, and what was paid is the invoice's hash.
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
    if (in.left() > 0) throw Flaw{std::to_string(in.left()) + " bytes behind the preimage"};
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
