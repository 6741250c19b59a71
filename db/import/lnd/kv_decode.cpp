// Decodes the bucket of one payment, copied into memory.
#include <algorithm>
#include <string_view>
#include <utility>

#include <fmt/core.h>

#include "db/import/lnd/kv_codec.h"
#include "db/import/lnd/kv_payments.h"

namespace paytower::db::lnd {

namespace {

constexpr std::string_view sequence_key = "payment-sequence-key", creation_info = "payment-creation-info";
constexpr std::string_view attempt_info = "payment-attempt-info", settle_info = "payment-settle-info",
                           fail_info = "payment-fail-info";
constexpr std::string_view htlcs_bucket = "payment-htlcs-bucket", duplicates_bucket = "payment-duplicate-bucket";
constexpr std::string_view htlc_attempt_info = "htlc-attempt-info", htlc_settle_info = "htlc-settle-info",
                           htlc_fail_info = "htlc-fail-info";
constexpr std::string_view flat_attempt = "ai", flat_settle = "si", flat_fail = "fi";
constexpr std::size_t flat_key_bytes = 2 + 8;

std::string name_of(const BucketEntry& entry) { return {entry.key.begin(), entry.key.end()}; }

/// A key so that a person can read it: lnd's own keys are text, others are shown as hex.
std::string shown(const BucketEntry& entry) {
  const std::string name = name_of(entry);
  const bool text = std::all_of(name.begin(), name.end(), [](char c) { return (c >= 'a' && c <= 'z') || c == '-'; });
  return text ? name.substr(0, 64) : to_hex(entry.key).substr(0, 64);
}

/// The id in a key such as "ai" plus an id; empty for other keys.
std::string_view flat_kind(const BucketEntry& entry) {
  if (entry.key.size() != flat_key_bytes) return {};
  for (const std::string_view kind : {flat_attempt, flat_settle, flat_fail}) {
    if (entry.key[0] == static_cast<std::uint8_t>(kind[0]) && entry.key[1] == static_cast<std::uint8_t>(kind[1]))
      return kind;
  }
  return {};
}

/// Removes what is used, so that what nobody knows stays and is noticed: an unknown key may be a known one with a
/// flipped bit, and what is then missing may be that the money is gone.
class Keys {
 public:
  explicit Keys(const BucketEntry& bucket) : bucket_(bucket) {
    if (!bucket.is_bucket) throw Undecodable("a plain value where lnd has a bucket");
  }
  [[nodiscard]] const BucketEntry* optional(std::string_view name, bool is_bucket = false) {
    const BucketEntry* found = bucket_.find(name);
    if (found == nullptr) return nullptr;
    if (found->is_bucket != is_bucket)
      throw Undecodable(fmt::format("{}{}", name, is_bucket ? " is no bucket" : " is a bucket"));
    ++taken_;
    return found;
  }
  [[nodiscard]] const BucketEntry& required(std::string_view name) {
    const BucketEntry* found = optional(name);
    if (found == nullptr) throw Undecodable(fmt::format("{} is missing", name));
    return *found;
  }
  void finish(std::initializer_list<std::string_view> known) const {
    if (taken_ == bucket_.entries.size()) return;
    for (const BucketEntry& entry : bucket_.entries) {
      if (std::find(known.begin(), known.end(), name_of(entry)) == known.end())
        throw Undecodable(fmt::format("unknown key {}", shown(entry)));
    }
  }

 private:
  const BucketEntry& bucket_;
  std::size_t taken_ = 0;
};

void settle_or_fail(KvAttempt& attempt, const BucketEntry* settle, const BucketEntry* fail, const KvLayout& layout,
                    const PaymentHash& hash) {
  if (settle != nullptr) attempt.settle = decode_settle_info(settle->value, layout, attempt.hash.value_or(hash));
  if (fail != nullptr) attempt.fail = decode_fail_info(fail->value);
  if (attempt.settle && attempt.fail) throw Undecodable("an attempt is both settled and failed");
}

std::optional<std::uint64_t> id_of(std::span<const std::uint8_t> bytes) {
  ByteReader reader(bytes, "attempt id");
  const auto id = reader.number<std::uint64_t>();
  reader.finish();
  if (id == 0) return std::nullopt;
  return id;
}

/// Versions 13 to 22: each attempt has a bucket.
std::vector<KvAttempt> nested_attempts(const BucketEntry& htlcs, const KvLayout& layout, const PaymentHash& hash) {
  std::vector<KvAttempt> attempts;
  for (const BucketEntry& one : htlcs.entries) {
    Keys keys(one);
    KvAttempt& attempt = attempts.emplace_back();
    attempt.id = id_of(one.key);
    decode_attempt_info(keys.required(htlc_attempt_info).value, layout, attempt);
    const BucketEntry* const settle = keys.optional(htlc_settle_info);
    settle_or_fail(attempt, settle, keys.optional(htlc_fail_info), layout, hash);
    keys.finish({htlc_attempt_info, htlc_settle_info, htlc_fail_info});
  }
  return attempts;
}

/// From version 23 on: all infos are side by side, `ai` before `fi` before `si`, each followed by the id.
std::vector<KvAttempt> flat_attempts(const BucketEntry& htlcs, const KvLayout& layout, const PaymentHash& hash) {
  std::vector<KvAttempt> attempts;
  const auto by_id = [](const KvAttempt& attempt, const std::optional<std::uint64_t>& id) { return attempt.id < id; };
  for (const BucketEntry& entry : htlcs.entries) {
    const std::string_view kind = flat_kind(entry);
    if (kind.empty() || entry.is_bucket)
      throw Undecodable(fmt::format("unknown key {} among the attempts", shown(entry)));
    const auto id = id_of(std::span<const std::uint8_t>(entry.key).subspan(2));
    if (kind == flat_attempt) {
      attempts.emplace_back().id = id;
      decode_attempt_info(entry.value, layout, attempts.back());
      continue;
    }
    const auto attempt = std::lower_bound(attempts.begin(), attempts.end(), id, by_id);
    if (attempt == attempts.end() || attempt->id != id) throw Undecodable("the result of an attempt that is not there");
    settle_or_fail(*attempt, kind == flat_settle ? &entry : nullptr, kind == flat_fail ? &entry : nullptr, layout,
                   hash);
  }
  return attempts;
}

/// Versions 9 to 12, and duplicates in all versions: only the last attempt is kept, and its end is that of the payment.
std::vector<KvAttempt> single_attempt(Keys& keys, const KvPayment& payment, const KvLayout& layout) {
  const BucketEntry* const info = keys.optional(attempt_info);
  const BucketEntry* const settle = keys.optional(settle_info);
  if (info == nullptr && settle != nullptr) throw Undecodable("settled without an attempt");
  if (info == nullptr) return {};
  std::vector<KvAttempt> attempts(1);
  decode_attempt_info(info->value, layout, attempts.front());
  settle_or_fail(attempts.front(), settle, nullptr, layout, payment.hash);
  if (settle == nullptr && payment.fail_reason) attempts.front().fail.emplace();
  return attempts;
}

KvPayment decode_one(const BucketEntry& bucket, const PaymentHash& hash, const KvLayout& layout) {
  Keys keys(bucket);
  KvPayment payment;
  ByteReader sequence(keys.required(sequence_key).value, "sequence");
  payment.sequence = sequence.number<std::uint64_t>();
  sequence.finish();
  decode_creation_info(keys.required(creation_info).value, layout, payment);
  if (payment.hash != hash) throw Undecodable("the creation info names another payment hash than the bucket");
  if (const BucketEntry* const fail = keys.optional(fail_info)) payment.fail_reason = decode_reason(fail->value);
  if (!layout.parts) {
    payment.attempts = single_attempt(keys, payment, layout);
    keys.finish({sequence_key, creation_info, fail_info, attempt_info, settle_info});
    return payment;
  }
  if (const BucketEntry* const htlcs = keys.optional(htlcs_bucket, true)) {
    payment.attempts = layout.flat ? flat_attempts(*htlcs, layout, hash) : nested_attempts(*htlcs, layout, hash);
  }
  keys.finish({sequence_key, creation_info, fail_info, htlcs_bucket});
  return payment;
}

bool holds_settlement(const BucketEntry& entry) {
  const std::string name = name_of(entry);
  if (name == settle_info || name == htlc_settle_info || flat_kind(entry) == flat_settle) return true;
  return std::any_of(entry.entries.begin(), entry.entries.end(), holds_settlement);
}

/// A session key decrypts the failure in an onion. Nobody needs it any more.
void forget_session_keys(BucketEntry& entry) {
  const std::string name = name_of(entry);
  std::size_t from = entry.value.size();
  if (name == attempt_info) from = 8;
  if (name == htlc_attempt_info || flat_kind(entry) == flat_attempt) from = 0;
  for (std::size_t i = from; i < entry.value.size() && i < from + session_key_bytes; ++i) entry.value[i] = 0;
  for (BucketEntry& inside : entry.entries) forget_session_keys(inside);
}

/// Eight bytes, big-endian. Nothing for any other length.
std::optional<std::uint64_t> sequence_in(std::span<const std::uint8_t> bytes) {
  if (bytes.size() != 8) return std::nullopt;
  return ByteReader(bytes, "sequence").number<std::uint64_t>();
}

std::optional<std::uint64_t> readable_sequence(const BucketEntry& bucket) {
  const BucketEntry* const found = bucket.find(sequence_key);
  return found == nullptr ? std::nullopt : sequence_in(found->value);
}

KvRecord record_of(const BucketEntry& bucket, const std::optional<PaymentHash>& hash, std::uint32_t version,
                   bool duplicate, bool complete) {
  KvRecord record;
  record.hash = hash;
  record.sequence = readable_sequence(bucket);
  if (duplicate && !record.sequence) record.sequence = sequence_in(bucket.key);
  record.duplicate = duplicate;
  record.raw = raw_bytes(bucket);
  record.raw_complete = complete;
  try {
    if (!hash) throw Undecodable("its name is no payment hash");
    if (!complete) throw Undecodable(fmt::format("it holds more than {} bytes", max_copy_bytes));
    KvPayment payment = decode_one(bucket, *hash, layout_of(version, duplicate));
    if (duplicate && sequence_in(bucket.key) != payment.sequence)
      throw Undecodable("a duplicate's name is not its sequence");
    record.what = std::move(payment);
  } catch (const Undecodable& why) {
    record.what = KvUnreadable{why.what(), holds_settlement(bucket)};
  }
  return record;
}

}  // namespace

std::vector<KvRecord> decode_payment(BucketCopy& copy, std::uint32_t version) {
  BucketEntry& top = copy.top;
  forget_session_keys(top);
  const auto hash = PaymentHash::from_span(top.key);
  // Each duplicate is a record of its own. What is incomplete, or is not a bucket of duplicates, stays with the first
  // record.
  std::vector<BucketEntry> duplicates;
  const auto found = std::find_if(top.entries.begin(), top.entries.end(),
                                  [](const BucketEntry& entry) { return name_of(entry) == duplicates_bucket; });
  if (copy.complete && found != top.entries.end() && found->is_bucket) {
    duplicates = std::move(found->entries);
    top.entries.erase(found);
  }
  std::vector<KvRecord> records;
  records.push_back(record_of(top, hash, version, false, copy.complete));
  for (const BucketEntry& duplicate : duplicates) records.push_back(record_of(duplicate, hash, version, true, true));
  return records;
}

std::optional<KvPayment> decode_kept_payment(std::span<const std::uint8_t> raw, const PaymentHash& hash) {
  const auto top = parse_raw(raw);
  if (!top) return std::nullopt;
  // No layout fits the bytes of another one: keys, nesting and lengths differ.
  for (const std::uint32_t version : {newest_version, 13U, 10U, first_bucket_version}) {
    try {
      return decode_one(*top, hash, layout_of(version, false));
    } catch (const Undecodable&) {
      // Then try the next older one.
    }
  }
  return std::nullopt;
}

}  // namespace paytower::db::lnd
