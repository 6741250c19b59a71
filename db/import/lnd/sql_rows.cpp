// Decodes copies of rows from lnd's native SQL tables, and the times that Go prints.
#include "db/import/lnd/sql_rows.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <string>
#include <utility>

#include <fmt/core.h>

#include "core/base/number.h"
#include "db/import/lnd/kv_codec.h"

namespace paytower::db::lnd {

namespace {

constexpr std::int64_t bolt11_intent = 0;
constexpr std::int64_t settled_type = 1, failed_type = 2;

/// The columns of a row, each with its type.
class Row {
 public:
  Row(const BucketEntry& row, std::string_view table, SqlColumns names) : table_(table), names_(names) {
    if (row.is_bucket) fail("is no row");
    std::span<const std::uint8_t> rest(row.value);
    for (std::size_t i = 0; i < names.size(); ++i) take_cell(rest, cells_[i]);
    if (!rest.empty()) fail("its row is longer than its columns");
  }

  [[nodiscard]] std::int64_t integer(std::string_view name) const { return required(maybe_integer(name), name); }
  [[nodiscard]] std::optional<std::int64_t> maybe_integer(std::string_view name) const {
    const auto bytes = column(name, 'i');
    if (!bytes) return std::nullopt;
    return static_cast<std::int64_t>(big_endian(*bytes));
  }
  [[nodiscard]] std::uint32_t number32(std::string_view name) const {
    const std::int64_t value = integer(name);
    if (value < 0 || value > UINT32_MAX) fail(fmt::format("{} is {}", name, value));
    return static_cast<std::uint32_t>(value);
  }
  [[nodiscard]] Msat msat(std::string_view name) const { return checked(integer(name), name); }
  [[nodiscard]] std::optional<Msat> maybe_msat(std::string_view name) const {
    const auto value = maybe_integer(name);
    if (!value) return std::nullopt;
    return checked(*value, name);
  }
  [[nodiscard]] std::string_view text(std::string_view name) const {
    const auto bytes = column(name, 't');
    if (!bytes) fail(fmt::format("{} is missing", name));
    return {reinterpret_cast<const char*>(bytes->data()), bytes->size()};
  }
  [[nodiscard]] std::optional<std::string_view> maybe_text(std::string_view name) const {
    if (cell(name).type == 'n') return std::nullopt;
    return text(name);
  }
  [[nodiscard]] std::optional<UnixNs> time(std::string_view name) const { return decode_go_time(text(name)); }
  [[nodiscard]] std::optional<std::span<const std::uint8_t>> maybe_blob(std::string_view name) const {
    return column(name, 'b');
  }
  template <typename Fixed> [[nodiscard]] std::optional<Fixed> maybe_fixed(std::string_view name) const {
    const auto bytes = maybe_blob(name);
    if (!bytes) return std::nullopt;
    const auto value = Fixed::from_span(*bytes);
    if (!value) fail(fmt::format("{} has {} bytes", name, bytes->size()));
    return value;
  }
  template <typename Fixed> [[nodiscard]] Fixed fixed(std::string_view name) const {
    return required(maybe_fixed<Fixed>(name), name);
  }
  [[nodiscard]] std::optional<PublicKey> maybe_key(std::string_view name) const {
    const auto key = maybe_fixed<PublicKey>(name);
    if (key && key->bytes[0] != 2 && key->bytes[0] != 3) fail(fmt::format("{} is no public key", name));
    return key;
  }
  [[nodiscard]] PublicKey key(std::string_view name) const { return required(maybe_key(name), name); }

  [[nodiscard]] bool has(std::string_view name) const { return cell(name).type != 'n'; }
  [[noreturn]] void fail(const std::string& why) const { throw Undecodable(fmt::format("{}: {}", table_, why)); }

 private:
  struct Cell {
    char type = 'n';
    std::span<const std::uint8_t> bytes;
  };

  void take_cell(std::span<const std::uint8_t>& rest, Cell& cell) const {
    const auto take = [&](std::size_t size) {
      if (size > rest.size()) fail("its row ends too early");
      const auto taken = rest.first(size);
      rest = rest.subspan(size);
      return taken;
    };
    cell.type = static_cast<char>(take(1)[0]);
    switch (cell.type) {
      case 'n': return;
      case 'i':
      case 'r': cell.bytes = take(8); return;
      case 't':
      case 'b': cell.bytes = take(static_cast<std::size_t>(big_endian(take(4)))); return;
      default: fail("a column of no type");
    }
  }
  [[nodiscard]] const Cell& cell(std::string_view name) const {
    return cells_[static_cast<std::size_t>(std::find(names_.begin(), names_.end(), name) - names_.begin())];
  }
  [[nodiscard]] std::optional<std::span<const std::uint8_t>> column(std::string_view name, char type) const {
    const Cell& found = cell(name);
    if (found.type == 'n') return std::nullopt;
    if (found.type != type) fail(fmt::format("{} is of another type", name));
    return found.bytes;
  }
  template <typename Value> [[nodiscard]] Value required(std::optional<Value> value, std::string_view name) const {
    if (!value) fail(fmt::format("{} is missing", name));
    return *value;
  }
  [[nodiscard]] Msat checked(std::int64_t value, std::string_view name) const {
    const auto amount = value < 0 ? std::nullopt : Msat::from(static_cast<std::uint64_t>(value));
    if (!amount) fail(fmt::format("{} of {} is more than all bitcoin", name, value));
    return *amount;
  }

  std::string_view table_;
  SqlColumns names_;
  std::array<Cell, sql_columns::most + 1> cells_;  // one more: for a name that does not exist
};

/// The rows below an entry; nullptr if there are none.
const BucketEntry* below(const BucketEntry& entry, std::string_view name) {
  const BucketEntry* found = entry.find(name);
  if (found != nullptr && !found->is_bucket) throw Undecodable(fmt::format("{} is a row", name));
  return found;
}

const BucketEntry& needed(const BucketEntry& entry, std::string_view name) {
  const BucketEntry* found = entry.find(name);
  if (found == nullptr) throw Undecodable(fmt::format("the row of {} is missing", name));
  return *found;
}

constexpr std::array<std::string_view, 1> value_column = {"value"};

std::vector<TlvRecord> tlv_rows(const BucketEntry* rows) {
  std::vector<TlvRecord> records;
  if (rows == nullptr) return records;
  for (const BucketEntry& entry : rows->entries) {
    const auto value = Row(entry, "custom records", value_column).maybe_blob("value");
    if (entry.key.size() != 8 || !value) throw Undecodable("a custom record is no blob");
    records.push_back({big_endian(entry.key), Bytes(value->begin(), value->end())});
  }
  std::sort(records.begin(), records.end());
  const auto same_type = [](const TlvRecord& a, const TlvRecord& b) { return a.type == b.type; };
  if (std::adjacent_find(records.begin(), records.end(), same_type) != records.end())
    throw Undecodable("a custom record stands there twice");
  return records;
}

ShortChannelId decode_scid(const Row& row) {
  const auto id = whole_number(row.text("scid"));
  if (!id) row.fail("scid is no number");
  return ShortChannelId{*id};
}

KvHop decode_hop(const BucketEntry& entry, const BucketEntry* records) {
  const Row row(entry, "payment_route_hops", sql_columns::hop);
  KvHop hop;
  hop.node = row.key("pub_key");
  hop.channel = decode_scid(row);
  hop.outgoing_time_lock = row.number32("outgoing_time_lock");
  hop.amount_to_forward = row.msat("amt_to_forward");
  hop.legacy_payload = false;  // the tables do not say
  if (const auto bytes = row.maybe_blob("meta_data")) hop.metadata = Bytes(bytes->begin(), bytes->end());
  if (const auto address = row.maybe_fixed<PaymentSecret>("payment_addr"))
    hop.mpp = MppRecord{*address, row.msat("total_msat")};
  if (const auto share = row.maybe_fixed<decltype(AmpRecord::root_share)>("root_share")) {
    // lnd stores these 32 bits with a sign.
    const std::int64_t child = row.integer("child_index");
    if (child < INT32_MIN || child > UINT32_MAX) row.fail(fmt::format("child_index is {}", child));
    hop.amp = AmpRecord{*share, row.fixed<decltype(AmpRecord::set_id)>("set_id"), static_cast<std::uint32_t>(child)};
  }
  if (const auto data = row.maybe_blob("encrypted_data")) {
    hop.blinded = BlindedHop{Bytes(data->begin(), data->end()), row.maybe_key("blinding_point"),
                             row.maybe_msat("blinded_path_total_amt")};
  }
  hop.records = tlv_rows(records);
  return hop;
}

/// The rows that belong to the row with this number.
const BucketEntry* of_number(const BucketEntry* all, const Bytes& number) {
  if (all == nullptr) return nullptr;
  const auto found = std::find_if(all->entries.begin(), all->entries.end(),
                                  [&](const BucketEntry& entry) { return entry.key == number; });
  return found == all->entries.end() ? nullptr : &*found;
}

KvRoute decode_route(const BucketEntry& entry, const Row& attempt) {
  KvRoute route;
  route.total_time_lock = attempt.number32("route_total_time_lock");
  route.total_amount = attempt.msat("route_total_amount");
  route.source = attempt.key("route_source_key");
  const BucketEntry* const hops = below(entry, sql_names::hops);
  const BucketEntry* const records = below(entry, sql_names::hop_records);
  if (hops == nullptr) return route;
  if (hops->entries.size() > max_kv_hops)
    attempt.fail(fmt::format("a route of {} hops, {} are the most", hops->entries.size(), max_kv_hops));
  for (const BucketEntry& hop : hops->entries) {
    if (hop.key.size() != 8 || big_endian(hop.key) != route.hops.size()) attempt.fail("a hop is missing");
    route.hops.push_back(decode_hop(hop, of_number(records, hop.key)));
  }
  return route;
}

void decode_resolution(const BucketEntry& entry, KvAttempt& attempt, const PaymentHash& hash) {
  const Row row(entry, "payment_htlc_attempt_resolutions", sql_columns::resolution);
  const std::int64_t type = row.integer("resolution_type");
  const auto at = row.time("resolution_time");
  const auto preimage = row.maybe_fixed<Preimage>("settle_preimage");
  if (type == settled_type) {
    if (!preimage) row.fail("settled without a preimage");
    attempt.settle = KvSettle{*preimage, at, proves(*preimage, hash)};
    return;
  }
  if (type != failed_type) row.fail(fmt::format("resolution_type is {}", type));
  if (preimage) row.fail("failed with a preimage");
  const auto message = row.maybe_blob("failure_msg");
  const std::int64_t kind = row.maybe_integer("htlc_fail_reason").value_or(0);
  const std::int64_t source = row.maybe_integer("failure_source_index").value_or(0);
  if (kind < 0 || source < 0 || source > UINT32_MAX) row.fail("a negative failure");
  attempt.fail =
      kv_fail(at, static_cast<std::uint64_t>(kind), message ? Bytes(message->begin(), message->end()) : Bytes(),
              static_cast<std::uint32_t>(source));
}

KvAttempt decode_attempt(const BucketEntry& entry) {
  const Row row(needed(entry, sql_names::attempt), "payment_htlc_attempts", sql_columns::attempt);
  KvAttempt attempt;
  const std::uint64_t id = big_endian(entry.key);
  if (id != 0) attempt.id = id;
  attempt.registered = row.time("attempt_time");
  attempt.hash = row.fixed<PaymentHash>("payment_hash");
  attempt.route = decode_route(entry, row);
  const Msat first = row.msat("first_hop_amount_msat");
  if (first != Msat{} && first != attempt.route.total_amount) attempt.first_hop_amount = first;
  attempt.first_hop_records = tlv_rows(below(entry, sql_names::first_hop_records));
  if (const BucketEntry* const resolution = entry.find(sql_names::resolution))
    decode_resolution(*resolution, attempt, *attempt.hash);
  return attempt;
}

std::optional<FailureReason> decode_reason_of(const Row& row) {
  const auto reason = row.maybe_integer("fail_reason");
  if (!reason) return std::nullopt;
  if (*reason < 0 || *reason > static_cast<std::int64_t>(FailureReason::canceled))
    row.fail(fmt::format("failure reason {}", *reason));
  return static_cast<FailureReason>(*reason);
}

std::uint64_t decode_id(const Row& row) {
  const std::int64_t id = row.integer("id");
  if (id < 1) row.fail(fmt::format("id is {}", id));
  return static_cast<std::uint64_t>(id);
}

KvPayment decode_rows(const BucketEntry& top) {
  const Row row(needed(top, sql_names::payment), sql_names::payment, sql_columns::payment);
  KvPayment payment;
  payment.sequence = decode_id(row);
  payment.hash = row.fixed<PaymentHash>("payment_identifier");
  payment.value = row.msat("amount_msat");
  payment.created = row.time("created_at");
  payment.fail_reason = decode_reason_of(row);
  if (const BucketEntry* const intent = top.find(sql_names::intent)) {
    const Row wish(*intent, sql_names::intent, sql_columns::intent);
    const auto payload = wish.maybe_blob("intent_payload");
    if (wish.integer("intent_type") != bolt11_intent) {
      payment.other_intent = true;  // kept raw: there is no column for what it asks for
    } else if (payload) {
      if (payload->size() > max_request_bytes) wish.fail(fmt::format("a payment request of {} bytes", payload->size()));
      payment.payment_request.assign(payload->begin(), payload->end());
    }
  }
  payment.first_hop_records = tlv_rows(below(top, sql_names::first_hop_records));
  if (const BucketEntry* const attempts = below(top, sql_names::attempts)) {
    for (const BucketEntry& attempt : attempts->entries) payment.attempts.push_back(decode_attempt(attempt));
  }
  return payment;
}

/// The table has no attempts of a duplicate. A settled duplicate had one; its amount and preimage are known.
KvPayment decode_duplicate(const BucketEntry& top, const PaymentHash& hash, std::uint64_t sequence) {
  const Row row(needed(top, sql_names::duplicate), sql_names::duplicate, sql_columns::duplicate);
  KvPayment payment;
  payment.hash = hash;
  payment.sequence = sequence;
  payment.value = row.msat("amount_msat");
  payment.created = row.time("created_at");
  payment.fail_reason = decode_reason_of(row);
  if (const auto preimage = row.maybe_fixed<Preimage>("settle_preimage")) {
    KvAttempt& attempt = payment.attempts.emplace_back();
    attempt.route.total_amount = payment.value;
    const auto at = row.maybe_text("settle_time");
    attempt.settle = KvSettle{*preimage, at ? decode_go_time(*at) : std::nullopt, proves(*preimage, hash)};
  }
  if (payment.attempts.empty() && !payment.fail_reason) row.fail("neither failed nor settled");
  return payment;
}

/// True if the row holds a settlement, whether its preimage is right or wrong. True as well if the row cannot be
/// decoded: it may hold one.
bool holds_preimage(const BucketEntry& entry, std::string_view table, SqlColumns columns) {
  try {
    return Row(entry, table, columns).has("settle_preimage");
  } catch (const Undecodable&) {
    return true;
  }
}

bool holds_preimage(const BucketEntry& top) {
  if (const BucketEntry* row = top.find(sql_names::duplicate);
      row != nullptr && holds_preimage(*row, sql_names::duplicate, sql_columns::duplicate))
    return true;
  const BucketEntry* const attempts = top.find(sql_names::attempts);
  return attempts != nullptr &&
         std::any_of(attempts->entries.begin(), attempts->entries.end(), [](const BucketEntry& attempt) {
           const BucketEntry* const row = attempt.find(sql_names::resolution);
           return row != nullptr && holds_preimage(*row, sql_names::resolution, sql_columns::resolution);
         });
}

template <typename Decode> KvRecord record_of(BucketCopy& copy, Decode decode) {
  KvRecord record;
  record.hash = PaymentHash::from_span(copy.top.key);
  record.raw_complete = copy.complete;
  try {
    if (!record.hash) throw Undecodable(fmt::format("its identifier has {} bytes", copy.top.key.size()));
    if (!copy.complete) throw Undecodable(fmt::format("it holds more than {} bytes", max_copy_bytes));
    record.what = decode(*record.hash);
  } catch (const Undecodable& why) {
    record.what = KvUnreadable{why.what(), holds_preimage(copy.top)};
  }
  record.rows = std::move(copy.top);
  return record;
}

std::optional<std::uint64_t> id_in(const BucketEntry& top) {
  try {
    const auto id = Row(needed(top, sql_names::payment), sql_names::payment, sql_columns::payment).maybe_integer("id");
    if (id) return static_cast<std::uint64_t>(*id);
  } catch (const Undecodable&) {
    // Then there is no id that could be told.
  }
  return std::nullopt;
}

/// Takes text apart from the front. Each function throws Undecodable if something else is there.
class TimeText {
 public:
  explicit TimeText(std::string_view text) : rest_(text), whole_(text) {}

  [[nodiscard]] bool empty() const { return rest_.empty(); }
  [[nodiscard]] bool take(char letter) {
    if (rest_.empty() || rest_.front() != letter) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void need(char letter) {
    if (!take(letter)) fail();
  }
  [[nodiscard]] int number(std::size_t digits, int most) {
    int value = 0;
    for (std::size_t i = 0; i < digits; ++i) value = value * 10 + digit();
    if (value > most) fail();
    return value;
  }
  [[nodiscard]] std::int64_t fraction_ns() {
    std::int64_t value = 0;
    std::size_t digits = 0;
    while (!rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9') {
      if (++digits > 9) fail();
      value = value * 10 + digit();
    }
    if (digits == 0) fail();
    for (; digits < 9; ++digits) value *= 10;
    return value;
  }
  /// Letters, digits and signs up to a space: the name of the zone, or the monotonic reading.
  void skip_word() {
    std::size_t letters = 0;
    while (!rest_.empty() && rest_.front() != ' ') {
      const char letter = rest_.front();
      const bool fits = (letter >= 'A' && letter <= 'Z') || (letter >= 'a' && letter <= 'z') ||
                        (letter >= '0' && letter <= '9') || letter == '+' || letter == '-' || letter == '.' ||
                        letter == '=' || letter == ':';
      if (!fits) fail();
      rest_.remove_prefix(1);
      ++letters;
    }
    if (letters == 0) fail();
  }
  [[noreturn]] void fail() const {
    throw Undecodable(fmt::format("a time of {} letters that Go does not print", whole_.size()));
  }

 private:
  int digit() {
    if (rest_.empty() || rest_.front() < '0' || rest_.front() > '9') fail();
    const int value = rest_.front() - '0';
    rest_.remove_prefix(1);
    return value;
  }

  std::string_view rest_, whole_;
};

/// Seconds east of Greenwich: "+0200" or "+02:00", after the sign was taken.
std::int64_t zone_seconds(TimeText& text, bool west) {
  const int hours = text.number(2, 15);
  (void)text.take(':');
  const int minutes = text.number(2, 59);
  const std::int64_t seconds = hours * 3'600 + minutes * 60;
  return west ? -seconds : seconds;
}

}  // namespace

std::optional<UnixNs> decode_go_time(std::string_view from) {
  constexpr std::size_t most_letters = 128;
  TimeText text(from);
  if (from.size() > most_letters) text.fail();
  const int year = text.number(4, 9'999);
  text.need('-');
  const auto month = static_cast<unsigned>(text.number(2, 12));
  text.need('-');
  const auto day = static_cast<unsigned>(text.number(2, 31));
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month), std::chrono::day(day)};
  if (!date.ok()) text.fail();
  if (!text.take('T')) text.need(' ');
  std::int64_t seconds = text.number(2, 23) * std::int64_t{3'600};
  text.need(':');
  seconds += text.number(2, 59) * std::int64_t{60};
  text.need(':');
  seconds += text.number(2, 59);
  const std::int64_t fraction = text.take('.') ? text.fraction_ns() : 0;
  const bool space = text.take(' ');
  if (const bool west = text.take('-'); west || text.take('+')) {
    seconds -= zone_seconds(text, west);
    // The name of the zone, and the reading of the monotonic clock.
    for (int words = 0; words < 2 && text.take(' '); ++words) text.skip_word();
  } else if (space || !text.take('Z')) {
    if (!text.empty()) text.fail();
  }
  if (!text.empty()) text.fail();
  // Go's zero time, in whatever zone it was printed.
  if (year == 1 || (year == 0 && month == 12)) return std::nullopt;
  if (year < 1678 || year > 2261) text.fail();
  seconds += std::chrono::sys_days(date).time_since_epoch().count() * std::int64_t{86'400};
  if (seconds == 0 && fraction == 0) return std::nullopt;
  return UnixNs{seconds * ns_per_second + fraction};
}

KvRecord decode_sql_payment(BucketCopy copy) {
  const auto sequence = id_in(copy.top);
  KvRecord record = record_of(copy, [&](const PaymentHash&) { return decode_rows(copy.top); });
  record.sequence = sequence;
  return record;
}

KvRecord decode_sql_duplicate(BucketCopy copy, std::uint64_t sequence) {
  KvRecord record =
      record_of(copy, [&](const PaymentHash& hash) { return decode_duplicate(copy.top, hash, sequence); });
  record.sequence = sequence;
  record.duplicate = true;
  return record;
}

std::optional<KvPayment> decode_kept_sql_payment(std::span<const std::uint8_t> raw, const PaymentHash& hash) {
  const auto top = parse_raw(raw);
  if (!top) return std::nullopt;
  try {
    return top->find(sql_names::duplicate) != nullptr ? decode_duplicate(*top, hash, 0) : decode_rows(*top);
  } catch (const Undecodable&) {
    return std::nullopt;
  }
}

KvRecord sql_orphan(BucketCopy copy, const std::optional<PaymentHash>& hash, std::string_view why, bool settled) {
  KvRecord record;
  record.hash = hash;
  record.raw_complete = copy.complete;
  record.what = KvUnreadable{std::string(why), settled};
  record.rows = std::move(copy.top);
  return record;
}

}  // namespace paytower::db::lnd
