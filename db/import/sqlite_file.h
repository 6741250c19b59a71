// An SQLite file of lnd's, opened to be read: nothing is written to it, and nothing is left beside it.
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
#include <fmt/core.h>

#include "db/import/lnd/bucket_copy.h"

namespace paytower::db {

/// A folder in TMPDIR that nobody else can look into; it is removed with its content.
class PrivateFolder {
 public:
  /// `why` as in "cannot make a folder for <why>". Refuses (database).
  explicit PrivateFolder(const std::string& why);
  ~PrivateFolder();
  PrivateFolder(const PrivateFolder&) = delete;
  PrivateFolder& operator=(const PrivateFolder&) = delete;

  [[nodiscard]] std::string file() const { return fmt::format("{}/staged", path_); }

 private:
  std::string path_;
};

/// Whether the file begins like an SQLite file. False if it cannot be read.
[[nodiscard]] bool is_sqlite(const std::string& path);

/// Bounds, because the file may be hostile (R16): no value, and no statement of its schema, may be larger.
inline constexpr int max_sqlite_value_bytes = 4 << 20;

/// Opened read-only and immutable under a shared lock of our own, so that SQLite makes no log and no index beside it.
/// Views, triggers and functions in its schema do nothing. If there is a log (lnd was killed), a private copy of both
/// is read.
class LndSqlite {
 public:
  /// Refuses: busy if a running lnd holds it; usage for anything that is not a readable SQLite file; database if there
  /// is no room for the copy.
  explicit LndSqlite(std::string path);
  ~LndSqlite();
  LndSqlite(const LndSqlite&) = delete;
  LndSqlite& operator=(const LndSqlite&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] SQLite::Database& database() const { return *database_; }
  /// Its log contained something that the file itself does not have.
  [[nodiscard]] bool had_log() const { return copy_ != nullptr; }

  /// True if there is a table with this name and these columns, each of them stored. Refuses (usage) for a view, a
  /// virtual table, or a column that is computed or missing. False if nothing has the name.
  [[nodiscard]] bool has_table(std::string_view name, std::initializer_list<std::string_view> columns) const;
  void need_table(std::string_view name, std::initializer_list<std::string_view> columns) const;
  [[nodiscard]] bool has_rows(const std::string& table) const;
  /// A statement that finds its rows by an index: without lnd's indexes an import could take for ever. Refuses
  /// (usage) if the statement would walk whole tables.
  [[nodiscard]] SQLite::Statement indexed(const std::string& sql) const;
  /// Runs `work`, and turns SQLite's errors about the file into refusals (usage).
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

/// A row that is being copied: values within the bound of one payment (lnd::max_copy_bytes).
class RowCopy {
 public:
  explicit RowCopy(Bytes identifier);

  [[nodiscard]] lnd::BucketCopy take() { return std::move(copy_); }
  [[nodiscard]] lnd::BucketEntry& top() { return copy_.top; }
  /// A bucket below `parent`. The reference is valid until the next one is added.
  [[nodiscard]] lnd::BucketEntry& bucket(lnd::BucketEntry& parent, std::string_view name);
  [[nodiscard]] lnd::BucketEntry& numbered(lnd::BucketEntry& parent, std::uint64_t number);
  /// `count` columns of the statement, from `first` on, as one row (sql_rows.h).
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
