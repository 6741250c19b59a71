// A SQLite file of lnd's, opened to be read: nothing is written to it, and nothing is left beside it.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include <sys/stat.h>

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Statement.h>

#include "db/import/lnd/bucket_copy.h"

namespace paytower::db {

/// A folder in TMPDIR that nobody else can look into; it goes with what is in it.
class PrivateFolder {
 public:
  /// `why` as in "cannot make a folder for <why>". Throws RefusalError (database).
  explicit PrivateFolder(const std::string& why);
  ~PrivateFolder();
  PrivateFolder(const PrivateFolder&) = delete;
  PrivateFolder& operator=(const PrivateFolder&) = delete;

  [[nodiscard]] std::string file() const { return path_ + "/staged"; }

 private:
  std::string path_;
};

/// Whether the file begins as SQLite's do. False for what cannot be read.
[[nodiscard]] bool is_sqlite(const std::string& path);

/// Bounds on a file that may be hostile (R16): no value and no statement of its schema is larger.
inline constexpr int max_sqlite_value_bytes = 4 << 20;

/// Opened read-only and immutable under a shared lock of our own, so that SQLite makes no log and no index beside it;
/// views, triggers and functions in its schema do nothing. What stands in a log (lnd was killed) is read from a private
/// copy of both.
class LndSqlite {
 public:
  /// Throws RefusalError: busy when a running lnd holds it; usage for whatever is no readable SQLite file; database
  /// when there is no room for the copy.
  explicit LndSqlite(std::string path);
  ~LndSqlite();
  LndSqlite(const LndSqlite&) = delete;
  LndSqlite& operator=(const LndSqlite&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] SQLite::Database& database() const { return *database_; }
  /// Its log had something that the file itself lacks.
  [[nodiscard]] bool had_log() const { return copy_ != nullptr; }

  /// A table of this name with these columns, each stored as it is. Throws RefusalError (usage) for a view, a virtual
  /// table, or a column that is computed or missing; false when nothing has the name.
  [[nodiscard]] bool has_table(std::string_view name, std::initializer_list<std::string_view> columns) const;
  void need_table(std::string_view name, std::initializer_list<std::string_view> columns) const;
  [[nodiscard]] bool has_rows(const std::string& table) const;
  /// A statement that finds its rows by an index: a file without lnd's indexes could make an import take for ever.
  /// Throws RefusalError (usage) when it would walk whole tables.
  [[nodiscard]] SQLite::Statement indexed(const std::string& sql) const;
  /// `work`, with SQLite's errors about the file as refusals (usage).
  template <typename Work> auto reading(Work work) const {
    try {
      return work();
    } catch (const SQLite::Exception& error) {
      refuse_damage(error);
    }
  }

  void check_unchanged() const;
  /// A refusal (usage) about this file: "<path>: <what>".
  [[noreturn]] void refuse(const std::string& what, const std::string& hint = {}) const;

 private:
  void lock();
  void copy_with_log();
  void open(const std::string& uri);
  [[nodiscard]] std::string log_beside() const;
  [[noreturn]] void refuse_damage(const SQLite::Exception& error) const;
  [[noreturn]] void refuse_running() const;

  std::string path_;
  int file_ = -1;
  struct stat seen_ {};
  std::unique_ptr<PrivateFolder> copy_;
  std::unique_ptr<SQLite::Database> database_;
};

/// A row being copied: values within one payment's bound (lnd::max_copy_bytes).
class RowCopy {
 public:
  explicit RowCopy(Bytes identifier);

  [[nodiscard]] lnd::BucketCopy take() { return std::move(copy_); }
  [[nodiscard]] lnd::BucketEntry& top() { return copy_.top; }
  /// A bucket below `parent`. The reference is good until the next one.
  [[nodiscard]] lnd::BucketEntry& bucket(lnd::BucketEntry& parent, std::string_view name);
  [[nodiscard]] lnd::BucketEntry& numbered(lnd::BucketEntry& parent, std::uint64_t number);
  /// `count` columns of the statement, from `first`, as one row (sql_rows.h).
  void row(lnd::BucketEntry& parent, std::string_view name, SQLite::Statement& statement, int first, std::size_t count);
  void numbered_row(lnd::BucketEntry& parent, std::uint64_t number, SQLite::Statement& statement, int first,
                    std::size_t count);
  [[nodiscard]] bool complete() const { return copy_.complete; }

 private:
  void charge(std::size_t bytes);

  lnd::BucketCopy copy_;
  std::size_t left_ = lnd::max_copy_bytes;
};

}  // namespace paytower::db
