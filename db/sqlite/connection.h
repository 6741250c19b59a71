// One open SQLite file, checked and configured so that money can depend on it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <SQLiteCpp/Database.h>

#include "core/base/error.h"
#include "core/base/types.h"
#include "db/sqlite/statement.h"

namespace paytower::db {

enum class OpenMode {
  read_only,   ///< the file must exist; nothing is written
  read_write,  ///< the file must exist
  create,      ///< as read_write, and it is made if it is missing
};

/// What kind of file it is: payments, or a simulated network. Kinds are constants that outlive every connection.
struct FileKind {
  std::string_view what;             ///< for people: "a payment database"
  std::uint32_t application_id = 0;  ///< PRAGMA application_id
  int schema_version = 0;            ///< PRAGMA user_version that this program reads and writes
  std::string_view older_hint;       ///< the command that upgrades an older file; may be empty
  /// Fills an empty file up to schema_version, inside the transaction that also sets application_id and user_version:
  /// after a crash there is no such file, or a complete one. `real_path`: for other files that belong to it.
  void (*make)(SQLite::Database& database, const std::string& real_path) = nullptr;
  /// SQL functions that the schema's triggers call; runs at every open. nullptr: none.
  void (*register_functions)(SQLite::Database& database) = nullptr;
  /// Whether the schema is the one that `make` makes: asked before anything is written. nullptr: not asked.
  bool (*as_made)(SQLite::Database& database) = nullptr;
};

inline constexpr int busy_timeout_ms = 5'000;  ///< SQLite's own wait for a file that another process locks
inline constexpr std::int64_t default_lock_timeout_ns = 30 * ns_per_second;

struct OpenOptions {
  /// How long to wait for the write lock: to make a file that is not there, or until another process has made it.
  std::int64_t lock_timeout_ns = default_lock_timeout_ns;
  /// For `migrate`: the caller handles the schema version; with read_only, any journal mode too.
  bool any_version = false;
  /// For migrations: some are as large as the database, so temporary tables, and what may have to be undone, go into
  /// files.
  bool large_statements = false;
  std::string vfs;  ///< an SQLite VFS by name; empty: the default one (tests inject faults here)
};

/// An SQLite file after checks: its real path, one hard link, on the same mount as its folder, not on a network file
/// system (otherwise other processes would see a different WAL, and miss what is in flight). WAL, synchronous=FULL, no
/// automatic checkpoints: the holder of the write lock writes and makes checkpoints (locks.h).
///
/// R11: only SQLite opens and closes the file, its -wal and its -shm; everything else here uses stat. A connection is
/// used by one thread. Statements are prepared once and belong to the connection.
class Connection {
 public:
  /// Refused: usage (`:memory:`, an empty name, `file:`), database (missing, not a database, another application's, a
  /// folder, several hard links, a network file system, not writable, an unreadable folder), schema_older, schema_newer
  /// (the file is not touched), busy (the write lock, or somebody else's lock, was not free in time).
  [[nodiscard]] static Result<Connection> open(const std::string& path, OpenMode mode, const FileKind& kind,
                                               const OpenOptions& options = {});
  ~Connection();
  Connection(Connection&& other) noexcept;  // only until something refers to it
  Connection& operator=(Connection&&) = delete;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  [[nodiscard]] SQLite::Database& database() { return *database_; }
  /// Absolute, without symbolic links. Lock file and spool are beside it.
  [[nodiscard]] const std::string& real_path() const { return real_path_; }
  [[nodiscard]] bool writable() const { return mode_ != OpenMode::read_only; }
  /// True if this very connection made the file.
  [[nodiscard]] bool made() const { return made_; }
  [[nodiscard]] int schema_version() const { return schema_version_; }
  /// For people: what is allowed, but deserves a warning (a FUSE file system).
  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }

  /// The statement for this SQL text, prepared when it is first used and then kept, so no text is prepared twice. Each
  /// text can be in use only once at a time.
  [[nodiscard]] Query prepared(std::string_view sql);

  /// Changes whenever another connection has committed something (PRAGMA data_version).
  [[nodiscard]] std::uint64_t data_version();
  /// How many bytes the write-ahead log had after this connection's last commit; 0 before the first one.
  [[nodiscard]] std::int64_t wal_bytes_written() const { return log_->bytes; }
  /// For checkpoints: how long the log was when it was last copied back; 0 once it is used from its start again.
  void note_checkpoint() { log_->checkpointed = log_->bytes; }
  [[nodiscard]] std::int64_t checkpointed_wal_bytes() const { return log_->checkpointed; }

  /// R10, for write_tx: from now on every write_tx on this connection throws StoreError.
  void mark_broken() { broken_ = true; }
  [[nodiscard]] bool broken() const { return broken_; }

 private:
  /// Lengths of the log, of which SQLite's hook tells.
  struct Log {
    std::int64_t bytes = 0;
    std::int64_t checkpointed = 0;
  };

  Connection(const std::string& path, OpenMode mode, const FileKind& kind, const OpenOptions& options);
  static int note_commit(void* log, sqlite3*, const char*, int pages);
  void open_existing(const FileKind& kind, const OpenOptions& options);
  void open_unfinished(const FileKind& kind, const OpenOptions& options);
  void make_file(const FileKind& kind, const OpenOptions& options);
  [[nodiscard]] bool unfinished();
  void refuse_orphaned_log();
  void refuse_odd_files_beside() const;
  void sync_folder();
  void wait_for_maker(const OpenOptions& options) const;
  void publish_new(const FileKind& kind, const OpenOptions& options);
  void fill(SQLite::Database& database, const FileKind& kind);
  void open_handle(const std::string& path, int flags, const std::string& vfs);
  void configure(const OpenOptions& options);
  void sync_log();
  void check_identity(const FileKind& kind, const OpenOptions& options);

  std::string real_path_;
  OpenMode mode_;
  bool made_ = false;
  bool broken_ = false;
  int schema_version_ = 0;
  std::unique_ptr<Log> log_ = std::make_unique<Log>();
  std::vector<std::string> warnings_;
  std::optional<SQLite::Database> database_;  // before the statements, which must be destroyed first
  std::map<std::string, SQLite::Statement, std::less<>> statements_;
};

/// Several reads that see one state of the file. Ends with the object. Keep it short: it holds back checkpoints.
class ReadTransaction {
 public:
  explicit ReadTransaction(Connection& connection);
  ~ReadTransaction();
  ReadTransaction(const ReadTransaction&) = delete;
  ReadTransaction& operator=(const ReadTransaction&) = delete;

 private:
  Connection& connection_;
  bool began_ = false;  // false if a transaction was already open
};

/// Errc::usage for a name that a database must not have: `:memory:`, an empty name, and `file:`.
[[nodiscard]] Result<std::monostate> check_database_name(const std::string& path);

}  // namespace paytower::db
