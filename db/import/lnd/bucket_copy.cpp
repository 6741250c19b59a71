// Copies buckets into memory, and turns copies into bytes and back.
#include "db/import/lnd/bucket_copy.h"

#include <algorithm>
#include <span>

#include "core/base/number.h"

namespace paytower::db::lnd {

namespace {

/// How much may still be copied.
class Budget {
 public:
  [[nodiscard]] std::size_t left() const { return left_; }
  [[nodiscard]] bool complete() const { return complete_; }
  /// False if `bytes` and one entry are more than what is left.
  [[nodiscard]] bool take(std::uint64_t bytes) {
    complete_ = complete_ && bytes + entry_cost <= left_;
    if (complete_) left_ -= static_cast<std::size_t>(bytes) + entry_cost;
    return complete_;
  }

 private:
  std::size_t left_ = max_copy_bytes;
  bool complete_ = true;
};

/// The recursion is at most max_bucket_depth deep: Cursor::bucket() checks that.
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

void put(Bytes& out, const Bytes& bytes) {
  put_big_endian(out, bytes.size(), 4);
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void append_raw(Bytes& out, const BucketEntry& entry) {
  out.push_back(entry.is_bucket ? 1 : 0);
  put(out, entry.key);
  if (!entry.is_bucket) return put(out, entry.value);
  put_big_endian(out, entry.sequence, 8);
  for (const BucketEntry& inside : entry.entries) append_raw(out, inside);
  out.push_back(2);
}

/// Takes entries from the front. False if the bytes are not entries.
class RawParser {
 public:
  explicit RawParser(std::span<const std::uint8_t> bytes) : rest_(bytes) {}

  [[nodiscard]] bool entry(BucketEntry& out, std::size_t depth) {
    std::uint64_t kind = 0;
    if (depth > max_bucket_depth || !number(kind, 1) || kind > 1 || !bytes(out.key)) return false;
    out.is_bucket = kind == 1;
    if (!out.is_bucket) return bytes(out.value);
    if (!number(out.sequence, 8)) return false;
    while (!rest_.empty() && rest_.front() != 2) {
      if (!entry(out.entries.emplace_back(), depth + 1)) return false;
    }
    return number(kind, 1);
  }
  [[nodiscard]] bool done() const { return rest_.empty(); }

 private:
  bool number(std::uint64_t& value, std::size_t size) {
    if (rest_.size() < size) return false;
    value = take_big_endian(rest_, size);
    return true;
  }
  bool bytes(Bytes& out) {
    std::uint64_t size = 0;
    if (!number(size, 4) || size > rest_.size()) return false;
    out.assign(rest_.begin(), rest_.begin() + static_cast<std::ptrdiff_t>(size));
    rest_ = rest_.subspan(static_cast<std::size_t>(size));
    return true;
  }

  std::span<const std::uint8_t> rest_;
};

}  // namespace

const BucketEntry* BucketEntry::find(std::string_view name) const {
  const auto named = [&](const BucketEntry& entry) {
    return std::equal(entry.key.begin(), entry.key.end(), name.begin(), name.end(),
                      [](std::uint8_t a, char b) { return a == static_cast<std::uint8_t>(b); });
  };
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

std::optional<BucketEntry> parse_raw(std::span<const std::uint8_t> bytes) {
  RawParser parser(bytes);
  BucketEntry top;
  if (!parser.entry(top, 0) || !parser.done()) return std::nullopt;
  return top;
}

}  // namespace paytower::db::lnd
