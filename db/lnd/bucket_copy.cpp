#include "db/lnd/bucket_copy.h"

#include <algorithm>
#include <span>

namespace paytower::db::lnd {

namespace {

/// What may still be copied.
class Budget {
 public:
  [[nodiscard]] std::size_t left() const { return left_; }
  [[nodiscard]] bool complete() const { return complete_; }
  /// False when `bytes` and one entry are more than is left.
  [[nodiscard]] bool take(std::uint64_t bytes) {
    complete_ = complete_ && bytes + entry_cost <= left_;
    if (complete_) left_ -= static_cast<std::size_t>(bytes) + entry_cost;
    return complete_;
  }

 private:
  std::size_t left_ = max_copy_bytes;
  bool complete_ = true;
};

/// Recursion no deeper than max_bucket_depth, which Cursor::bucket() holds.
BucketEntry copy_at(const Cursor& at, PageSet& pages, Budget& budget) {
  BucketEntry entry;
  entry.is_bucket = at.is_bucket();
  const bool fits = budget.take(at.key().size() + (entry.is_bucket ? 0 : at.value_bytes()));
  entry.key = at.key();
  if (!entry.is_bucket) {
    entry.value = at.value(fits ? static_cast<std::size_t>(at.value_bytes()) : budget.left());
    return entry;
  }
  const Bucket bucket = at.bucket();
  entry.sequence = bucket.sequence();
  Cursor inside(bucket, pages);
  while (budget.complete() && inside.next()) entry.entries.push_back(copy_at(inside, pages, budget));
  return entry;
}

void put(Bytes& out, std::uint64_t value, std::size_t size) {
  for (std::size_t i = size; i > 0; --i) out.push_back(static_cast<std::uint8_t>(value >> (8 * (i - 1))));
}

void put(Bytes& out, const Bytes& bytes) {
  put(out, bytes.size(), 4);
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void append_raw(Bytes& out, const BucketEntry& entry) {
  out.push_back(entry.is_bucket ? 1 : 0);
  put(out, entry.key);
  if (!entry.is_bucket) return put(out, entry.value);
  put(out, entry.sequence, 8);
  for (const BucketEntry& inside : entry.entries) append_raw(out, inside);
  out.push_back(2);
}

}  // namespace

const BucketEntry* BucketEntry::find(std::string_view name) const {
  const auto named = [&](const BucketEntry& entry) { return std::equal(entry.key.begin(), entry.key.end(), name.begin(), name.end(),
                                                                                   [](std::uint8_t a, char b) { return a == static_cast<std::uint8_t>(b); }); };
  const auto found = std::find_if(entries.begin(), entries.end(), named);
  return found == entries.end() ? nullptr : &*found;
}

BucketCopy copy_entry(const Cursor& at, PageSet& pages) {
  Budget budget;
  BucketCopy copy;
  copy.top = copy_at(at, pages, budget);
  copy.complete = budget.complete();
  return copy;
}

Bytes raw_bytes(const BucketEntry& entry) {
  Bytes out;
  append_raw(out, entry);
  return out;
}

}  // namespace paytower::db::lnd
