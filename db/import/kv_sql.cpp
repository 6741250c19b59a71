// channel.sqlite: lnd's key-value tree in one SQLite table (--db.backend=sqlite).
#include <deque>

#include <fmt/core.h>

#include "core/base/error.h"
#include "db/import/lnd/channel_db.h"
#include "db/import/lnd/kv_payments.h"
#include "db/import/sources.h"
#include "db/import/sqlite_file.h"

namespace paytower::db {

namespace {

constexpr std::string_view metadata = "metadata", version_key = "dbp", tombstone = "data-migration-tombstone";
constexpr std::string_view graph_node = "graph-node", source_key = "source", legacy_payments = "payments";

/// The row of a bucket: its value is NULL. Its entries name it as their parent.
struct KvBucket {
  std::int64_t id = 0;
  std::uint64_t sequence = 0;
};

/// The table, read by its two unique indexes.
class KvTable {
 public:
  explicit KvTable(const LndSqlite& file)
      : file_(file), top_(file.indexed("SELECT id, coalesce(sequence, 0) FROM channeldb_kv WHERE parent_id IS NULL AND "
                                       "key = ?1 AND value IS NULL")),
        value_(file.indexed("SELECT value FROM channeldb_kv WHERE parent_id = ?1 AND key = ?2 AND value IS NOT NULL")) {
  }

  [[nodiscard]] std::optional<KvBucket> top(std::string_view name) {
    return file_.reading([&]() -> std::optional<KvBucket> {
      top_.reset();
      top_.bind(1, name.data(), static_cast<int>(name.size()));
      if (!top_.executeStep()) return std::nullopt;
      return KvBucket{top_.getColumn(0).getInt64(), static_cast<std::uint64_t>(top_.getColumn(1).getInt64())};
    });
  }
  [[nodiscard]] std::optional<Bytes> value(const KvBucket& bucket, std::string_view key) {
    return file_.reading([&]() -> std::optional<Bytes> {
      value_.reset();
      value_.bind(1, bucket.id);
      value_.bind(2, key.data(), static_cast<int>(key.size()));
      if (!value_.executeStep()) return std::nullopt;
      const SQLite::Column column = value_.getColumn(0);
      const auto* const data = static_cast<const std::uint8_t*>(column.getBlob());
      return Bytes(data, data + column.getBytes());
    });
  }

 private:
  const LndSqlite& file_;
  SQLite::Statement top_;
  SQLite::Statement value_;
};

/// The entries of buckets, with one statement for each depth.
class KvWalk {
 public:
  explicit KvWalk(const LndSqlite& file) : file_(file) {}

  /// All that is in the bucket of a row, within the bounds of a copy. `row`: a statement of entries(), at that row.
  void copy(SQLite::Statement& row, lnd::BucketEntry& entry, std::size_t depth) {
    entry.key = bytes_in(row, 0);
    entry.is_bucket = row.getColumn(1).isNull();
    charge(entry.key.size());
    if (!entry.is_bucket) {
      const auto* const data = static_cast<const std::uint8_t*>(row.getColumn(1).getBlob());
      const auto size = static_cast<std::size_t>(row.getColumn(1).getBytes());
      entry.value.assign(data, data + std::min(size, left_));
      return charge(size);
    }
    entry.sequence = static_cast<std::uint64_t>(row.getColumn(3).getInt64());
    if (depth == lnd::max_bucket_depth) file_.refuse(fmt::format("a bucket lies in more than {} others", depth));
    SQLite::Statement& inside = entries(row.getColumn(2).getInt64(), depth);
    while (complete_ && inside.executeStep()) {
      copy(inside, entry.entries.emplace_back(), depth + 1);
      const std::size_t count = entry.entries.size();
      if (count > 1 && entry.entries[count - 2].key >= entry.entries[count - 1].key) refuse_order();
    }
    inside.reset();
  }

  /// Key, value, id and sequence of a bucket's entries, in the order of keys.
  [[nodiscard]] SQLite::Statement& entries(std::int64_t parent, std::size_t depth) {
    while (statements_.size() <= depth) {
      statements_.push_back(file_.indexed(
          "SELECT key, value, id, coalesce(sequence, 0) FROM channeldb_kv WHERE parent_id = ?1 ORDER BY key"));
    }
    SQLite::Statement& statement = statements_[depth];
    statement.reset();
    statement.bind(1, parent);
    return statement;
  }

  /// From its unique index. A table without it could have a key twice, or another order.
  [[noreturn]] void refuse_order() const { file_.refuse("has keys out of order"); }

  void begin() {
    left_ = lnd::max_copy_bytes;
    complete_ = true;
  }
  [[nodiscard]] bool complete() const { return complete_; }

 private:
  static Bytes bytes_in(SQLite::Statement& row, int column) {
    const auto* const data = static_cast<const std::uint8_t*>(row.getColumn(column).getBlob());
    return {data, data + row.getColumn(column).getBytes()};
  }
  void charge(std::size_t bytes) {
    complete_ = complete_ && bytes + lnd::entry_cost <= left_;
    if (complete_) left_ -= bytes + lnd::entry_cost;
  }

  const LndSqlite& file_;
  std::deque<SQLite::Statement> statements_;  // a statement must not move while others are added
  std::size_t left_ = lnd::max_copy_bytes;
  bool complete_ = true;
};

class KvSqlRecords : public lnd::RecordStream {
 public:
  KvSqlRecords(const LndSqlite& file, const std::optional<KvBucket>& payments, std::uint32_t version)
      : file_(file), version_(version), walk_(file) {
    if (payments) hashes_ = &walk_.entries(payments->id, 0);
  }

  std::optional<lnd::KvRecord> next() override {
    return file_.reading([this]() -> std::optional<lnd::KvRecord> {
      if (ready_.empty()) {
        if (hashes_ == nullptr || !hashes_->executeStep()) {
          hashes_ = nullptr;
          return std::nullopt;
        }
        lnd::BucketCopy copy;
        walk_.begin();
        walk_.copy(*hashes_, copy.top, 1);
        if (!last_.empty() && copy.top.key <= last_) walk_.refuse_order();
        last_ = copy.top.key;
        copy.complete = walk_.complete();
        for (lnd::KvRecord& record : lnd::decode_payment(copy, version_)) ready_.push_back(std::move(record));
      }
      lnd::KvRecord record = std::move(ready_.front());
      ready_.pop_front();
      return record;
    });
  }

 private:
  const LndSqlite& file_;
  std::uint32_t version_;
  KvWalk walk_;
  SQLite::Statement* hashes_ = nullptr;
  Bytes last_;  // the last hash that was given out
  std::deque<lnd::KvRecord> ready_;
};

class KvSqlSource : public lnd::Source {
 public:
  explicit KvSqlSource(std::unique_ptr<LndSqlite> file) : file_(std::move(file)) {
    file_->need_table("channeldb_kv", {"key", "value", "parent_id", "id", "sequence"});
    KvTable table(*file_);
    read_version(table);
    read_source_node(table);
    payments_ = table.top(lnd::payments_root_bucket);
    if (file_->had_log())
      notes_.emplace_back(
          "lnd was not stopped cleanly: its database was read together with its log, from a copy of both");
  }

  std::optional<PublicKey> source_node() const override { return source_node_; }
  std::uint64_t payment_sequence() const override { return payments_ ? payments_->sequence : 0; }
  std::unique_ptr<lnd::RecordStream> records() const override {
    return file_->reading([this] { return std::make_unique<KvSqlRecords>(*file_, payments_, version_); });
  }
  std::vector<std::string> notes() const override { return notes_; }
  void check_unchanged() const override { file_->check_unchanged(); }
  const char* records_name() const override { return "lnd payments-root-bucket"; }
  const char* raw_name() const override { return "lnd payment"; }

 private:
  void read_version(KvTable& table) {
    const auto about = table.top(metadata);
    if (!about) file_->refuse("is not lnd's channel.sqlite: its bucket `metadata` is missing", lnd::where_it_is);
    if (table.value(*about, tombstone)) {
      file_->refuse("carries lnd's tombstone: its content was moved to another database, which has what happened since",
                    "name lnd's folder, or the database that it was moved to: lnd.sqlite, or that of lnd's PostgreSQL");
    }
    const auto stored = table.value(*about, version_key);
    if (stored && stored->size() != 4) file_->refuse("has a version (`metadata/dbp`) that is not 4 bytes long");
    for (const std::uint8_t byte : stored.value_or(Bytes{})) version_ = version_ << 8 | byte;
    if (!stored) {
      if (!table.top(lnd::payments_root_bucket) || !table.top(lnd::payments_index_bucket)) {
        file_->refuse("does not say its version (no `metadata/dbp`), and paytower does not guess what is in it",
                      lnd::start_lnd_once);
      }
      version_ = lnd::unsaid_version;
      notes_.push_back(lnd::unsaid_version_note());
    }
    // lnd had kept its payments in buckets for years when it first used SQLite for them.
    if (version_ < lnd::first_bucket_version)
      file_->refuse(fmt::format("has version {}, and no lnd kept that in SQLite", version_));
    if (version_ > lnd::newest_version) {
      file_->refuse(fmt::format("has version {}; {}"
                                " is the newest that can be read",
                                version_, lnd::newest_version),
                    lnd::newer_paytower);
    }
    KvWalk walk(*file_);
    const auto old = table.top(legacy_payments);
    if (old && file_->reading([&] { return walk.entries(old->id, 0).executeStep(); })) {
      file_->refuse(fmt::format("has version {} and still records in `payments`, which version 9 removed", version_),
                    lnd::start_lnd_on_a_copy);
    }
  }

  void read_source_node(KvTable& table) {
    const auto node = table.top(graph_node);
    const auto key = node ? table.value(*node, source_key) : std::nullopt;
    if (!key) return;
    source_node_ = PublicKey::from_span(*key);
    if (!source_node_ || (key->front() != 2 && key->front() != 3))
      file_->refuse("`graph-node/source` is not a public key of 33 bytes that begins with 02 or 03");
  }

  std::unique_ptr<LndSqlite> file_;
  std::uint32_t version_ = 0;
  std::optional<PublicKey> source_node_;
  std::optional<KvBucket> payments_;
  std::vector<std::string> notes_;
};

}  // namespace

std::unique_ptr<lnd::Source> key_value_sql_source(std::unique_ptr<LndSqlite> file) {
  return std::make_unique<KvSqlSource>(std::move(file));
}

}  // namespace paytower::db
