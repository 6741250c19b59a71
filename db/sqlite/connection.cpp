#include "db/sqlite/connection.h"

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <SQLiteCpp/Exception.h>

#include "core/base/refuse.h"
#include "db/sqlite/file_copy.h"
#include "db/sqlite/locks.h"
#include "db/sqlite/own_files.h"
#include "db/sqlite/transaction.h"

namespace paytower::db {

namespace {

constexpr int busy_timeout_ms = 5'000;
constexpr int cache_kib = 16 * 1'024;
constexpr int page_bytes = 4'096;

std::string why() { return std::strerror(errno); }

/// The folder's real path and the file's name in it. A link as last part is followed when it leads to something.
std::string resolve(const std::string& path) {
  char buffer[PATH_MAX];
  if (::realpath(path.c_str(), buffer) != nullptr) return buffer;
  if (errno != ENOENT) refuse(Errc::database, "cannot use the database " + path + ": " + why());
  // What is there now and is no link was made by another process since: it is the file itself.
  struct stat link {};
  if (::lstat(path.c_str(), &link) == 0 && S_ISLNK(link.st_mode))
    refuse(Errc::database, "the database " + path + " is a link that leads nowhere");
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  if (name.empty() || ::realpath(folder.c_str(), buffer) == nullptr) {
    refuse(Errc::database, "the folder of the database " + path + " does not exist", "mkdir -p " + folder);
  }
  return std::string(buffer) == "/" ? "/" + name : std::string(buffer) + "/" + name;
}

std::string folder_of(const std::string& real_path) {
  const std::size_t slash = real_path.rfind('/');
  return slash == 0 ? "/" : real_path.substr(0, slash);
}

/// Locks and shared memory do not reach over these.
bool network_file_system(long magic) {
  constexpr long nfs = 0x6969, smb = 0x517B, smb2 = static_cast<long>(0xFE534D42), cifs = static_cast<long>(0xFF534D42),
                 ncp = 0x564C, afs = 0x5346414F, coda = 0x73757245, ceph = 0x00C36400, ocfs2 = 0x7461636F,
                 v9fs = 0x01021997;
  for (const long known : {nfs, smb, smb2, cifs, ncp, afs, coda, ceph, ocfs2, v9fs}) {
    if ((magic & 0xFFFFFFFFL) == (known & 0xFFFFFFFFL)) return true;
  }
  return false;
}

void check_place(const std::string& real_path, std::vector<std::string>& warnings) {
  constexpr long fuse = 0x65735546;
  struct statfs place {};
  if (::statfs(folder_of(real_path).c_str(), &place) != 0)
    refuse(Errc::database, "cannot look at the folder of " + real_path + ": " + why());
  if (network_file_system(static_cast<long>(place.f_type))) {
    refuse(Errc::database, real_path + " is on a network file system, where locks cannot be trusted; use a local disk");
  }
  struct stat folder {};
  const bool others_replace_files =
      ::stat(folder_of(real_path).c_str(), &folder) == 0 && (folder.st_mode & (S_IWOTH | S_ISVTX)) == S_IWOTH;
  if (others_replace_files)
    warnings.push_back("everybody can write into the folder of " + real_path +
                       ", and put another database there: chmod o-w it");
  if (static_cast<long>(place.f_type) == fuse)
    warnings.push_back(real_path + " is on a FUSE file system: its locks and syncs are as good as its program");
}

/// What tells two mounts apart, also of one file system: a bind-mounted file has the device of its folder. Kernels
/// before 5.8 do not say it: then the device stands in.
std::uint64_t mount_of(const std::string& path) {
  struct statx seen {};
  if (::statx(AT_FDCWD, path.c_str(), 0, STATX_MNT_ID, &seen) != 0)
    refuse(Errc::database, "cannot look at " + path + ": " + why());
  if ((seen.stx_mask & STATX_MNT_ID) != 0) return seen.stx_mnt_id;
  return std::uint64_t{seen.stx_dev_major} << 32 | seen.stx_dev_minor;
}

void check_file(const std::string& real_path, const FileKind& kind) {
  struct stat file {};
  if (::stat(real_path.c_str(), &file) != 0) {
    if (errno == ENOENT) refuse(Errc::database, "there is no database " + real_path);
    refuse(Errc::database, "cannot look at " + real_path + ": " + why());
  }
  if (S_ISDIR(file.st_mode)) refuse(Errc::database, real_path + " is a folder, not " + std::string(kind.what));
  if (!S_ISREG(file.st_mode)) refuse(Errc::database, real_path + " is not a regular file");
  if (file.st_nlink != 1) {
    refuse(Errc::database,
           real_path + " has " + std::to_string(file.st_nlink) +
               " names (hard links): under another name its log would be missed",
           "find / -samefile " + real_path);
  }
  if (mount_of(real_path) != mount_of(folder_of(real_path))) {
    refuse(Errc::database, real_path + " is mounted from somewhere else: its log would be missed");
  }
}

int note_wal(void* connection, sqlite3*, const char*, int pages) {
  constexpr std::int64_t frame_header_bytes = 24;
  static_cast<Connection*>(connection)->note_commit(pages * (page_bytes + frame_header_bytes));
  return SQLITE_OK;
}

/// Where SQLite keeps what a statement or savepoint may have to undo. In a file it does so beyond 64 KiB, which one
/// payment passes, and from then on every statement writes to that file: in memory, then, since what we write in one
/// savepoint is small. A migration's statement may be as large as the database, so that its memory needs the file.
/// (SQLITE_CONFIG_STMTJRNL_SPILL cannot say this: beyond 128 KiB SQLite writes the journal in one piece of that size,
/// its VFS cuts it to 17 bits of length, and the commit fails as on a full disk.)
std::int64_t temp_store(const OpenOptions& options) {
  constexpr std::int64_t file = 1;
  constexpr std::int64_t memory = 2;
  return options.large_statements ? file : memory;
}

/// Once, before SQLite is used: nobody asks how much memory it has, and counting costs a mutex at every allocation.
void do_not_count_memory() {
  static const int once = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  (void)once;  // too late when a program that embeds us has used SQLite before: slower, not wrong
}

}  // namespace

void check_database_name(const std::string& path) {
  if (path.empty()) refuse(Errc::usage, "the name of the database is empty", "paytower --db payments.db list");
  if (path == ":memory:" || path.rfind("file:", 0) == 0)
    refuse(Errc::usage, "\"" + path + "\" is no name of a file", "paytower --db payments.db list");
}

Error as_ours(const SQLite::Exception& error, std::string_view doing) {
  const int code = error.getErrorCode() & 0xFF;
  if (code == SQLITE_BUSY || code == SQLITE_LOCKED) {
    return Error{Errc::busy,
                 "cannot " + std::string(doing) + ": another program holds the database; nothing was changed"};
  }
  throw StoreError("cannot " + std::string(doing) + ": " + error.what());
}

Connection::Connection(const std::string& path, OpenMode mode, const FileKind& kind, const OpenOptions& options)
    : mode_(mode) {
  check_database_name(path);
  real_path_ = resolve(path);
  check_place(real_path_, warnings_);
  try {
    struct stat seen {};
    const bool there = ::stat(real_path_.c_str(), &seen) == 0;
    if (!there && mode == OpenMode::create) {
      make_file(kind, options);
    } else {
      if (!there) wait_for_maker(options);
      open_existing(kind, options);
    }
  } catch (const SQLite::Exception& error) {
    const int code = error.getErrorCode() & 0xFF;
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED) refuse(as_ours(error, "open " + real_path_));
    if (code == SQLITE_NOTADB)
      refuse(Errc::database, real_path_ + " is not " + std::string(kind.what) + "; it was not changed");
    if ((code == SQLITE_CANTOPEN || code == SQLITE_READONLY) && !writable() &&
        ::access(folder_of(real_path_).c_str(), W_OK) != 0) {
      refuse(Errc::database,
             "cannot open " + real_path_ + ": its folder is read-only and its log " + real_path_ + "-wal is not there",
             "cp " + real_path_ + " elsewhere");
    }
    refuse(Errc::database, "cannot open " + real_path_ + ": " + error.what());
  }
}

Connection::~Connection() = default;

void Connection::open_existing(const FileKind& kind, const OpenOptions& options) {
  check_file(real_path_, kind);
  if (::access(real_path_.c_str(), R_OK) != 0) refuse(Errc::database, "cannot read " + real_path_ + ": " + why());
  if (writable() && ::access(real_path_.c_str(), W_OK) != 0)
    refuse(Errc::database, "cannot write to " + real_path_ + ": " + why());
  if (writable() && ::access(folder_of(real_path_).c_str(), W_OK) != 0) {
    refuse(Errc::database, "cannot write into the folder of " + real_path_ + ", where its log belongs: " + why());
  }
  refuse_odd_files_beside();
  if (writable()) {
    for (const std::string& path : take_from_others(real_path_))
      warnings_.push_back(path + " was open to others; its mode is 600 now");
  }
  const OwnFilesOnly files;
  open_handle(real_path_, writable() ? SQLite::OPEN_READWRITE : SQLite::OPEN_READONLY, options.vfs);
  if (unfinished()) return open_unfinished(kind, options);
  check_identity(kind, options);
  configure(options);
  sync_log();
  if (kind.register_functions != nullptr) kind.register_functions(*database_);
}

/// Nothing in it yet, or not yet in WAL mode: another process makes it at this moment, or one died while it did.
bool Connection::unfinished() {
  const bool blank = database_->execAndGet("PRAGMA application_id").getInt() == 0 &&
                     database_->execAndGet("PRAGMA user_version").getInt() == 0 &&
                     database_->execAndGet("SELECT count(*) FROM sqlite_master").getInt() == 0;
  return blank || database_->execAndGet("PRAGMA journal_mode").getString() != "wal";
}

/// Whoever makes the file holds the write lock: once that is free, the file is made or abandoned. Without a lock file
/// nobody does.
void Connection::wait_for_maker(const OpenOptions& options) const {
  struct stat lock_file {};
  if (::lstat((real_path_ + ".lock").c_str(), &lock_file) != 0 || ::access(folder_of(real_path_).c_str(), W_OK) != 0)
    return;
  WriteLock lock(real_path_, options.lock_timeout_ns);
  const auto held = lock.acquire();
  if (!held) refuse(held.error());
}

void Connection::open_unfinished(const FileKind& kind, const OpenOptions& options) {
  const bool foreign = database_->execAndGet("SELECT count(*) FROM sqlite_master").getInt() != 0;
  if (foreign) check_identity(kind, options);
  database_.reset();
  if (mode_ == OpenMode::create || (foreign && writable())) return make_file(kind, options);
  wait_for_maker(options);
  open_handle(real_path_, writable() ? SQLite::OPEN_READWRITE : SQLite::OPEN_READONLY, options.vfs);
  check_identity(kind, options);
  configure(options);
  sync_log();
  if (kind.register_functions != nullptr) kind.register_functions(*database_);
}

/// Under the write lock: of two that make it, the second finds it made.
void Connection::make_file(const FileKind& kind, const OpenOptions& options) {
  if (::access(folder_of(real_path_).c_str(), W_OK) != 0) {
    refuse(Errc::database, "cannot make " + real_path_ + ": its folder is not writable: " + why());
  }
  WriteLock lock(real_path_, options.lock_timeout_ns);
  auto held = lock.acquire();
  if (!held) refuse(held.error());
  refuse_orphaned_log();
  refuse_odd_files_beside();
  const OwnFilesOnly files;
  struct stat seen {};
  if (::lstat(real_path_.c_str(), &seen) != 0) publish_new(kind, options);
  open_handle(real_path_, SQLite::OPEN_READWRITE, options.vfs);
  if (kind.register_functions != nullptr) kind.register_functions(*database_);
  const bool empty = database_->execAndGet("SELECT count(*) FROM sqlite_master").getInt() == 0;
  if (empty && ::chmod(real_path_.c_str(), 0600) != 0)
    refuse(Errc::database, "cannot take " + real_path_ + " for ourselves: " + why());
  if (empty) fill(*database_, kind);
  check_identity(kind, options);
  database_->execAndGet("PRAGMA journal_mode = WAL");
  configure(options);
  sync_log();
  if (empty) sync_folder();
}

/// Under another name, closed, synced, and only then in its place: whenever this process dies, there is no database or
/// a whole one.
void Connection::publish_new(const FileKind& kind, const OpenOptions& options) {
  PartialFile partial(own_partial_name(real_path_));
  open_handle(partial.path(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, options.vfs);
  int ignored = 0;
  sqlite3_db_config(database_->getHandle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0,
                    &ignored);  // so that its log goes with it
  if (kind.register_functions != nullptr) kind.register_functions(*database_);
  fill(*database_, kind);
  database_->execAndGet("PRAGMA journal_mode = WAL");
  database_.reset();
  partial.publish(real_path_);
}

/// The schema in one transaction while the file is in no WAL mode yet, so that it is empty, then complete, then in WAL
/// mode, and nothing else at any instant: an empty file that stood there already is filled in its place.
void Connection::fill(SQLite::Database& database, const FileKind& kind) {
  database.exec("PRAGMA page_size = " + std::to_string(page_bytes));
  database.exec("PRAGMA auto_vacuum = INCREMENTAL");
  database.exec("PRAGMA synchronous = FULL");
  private_tx(database, SQLite::TransactionBehavior::EXCLUSIVE, [&] {
    kind.make(database, real_path_);
    database.exec("PRAGMA application_id = " + std::to_string(static_cast<std::int32_t>(kind.application_id)));
    database.exec("PRAGMA user_version = " + std::to_string(kind.schema_version));
  });
  made_ = true;
}

/// SQLite writes into whatever stands there under these names, waits for ever for the other end of a FIFO, and would
/// undo the database with somebody else's journal.
void Connection::refuse_odd_files_beside() const {
  for (const char* end : {"-wal", "-shm", "-journal"}) {
    const std::string path = real_path_ + end;
    if (!path_belongs_beside(real_path_, path)) {
      refuse(Errc::database,
             path + " is not a regular file of one name that belongs to you or to the owner of the database",
             "ls -l " + path);
    }
  }
}

/// A log without its database holds payments: making a new database would throw them away.
void Connection::refuse_orphaned_log() {
  struct stat file {};
  struct stat log {};
  const bool empty = ::stat(real_path_.c_str(), &file) != 0 || file.st_size == 0;
  if (empty && ::lstat((real_path_ + "-wal").c_str(), &log) == 0 && log.st_size > 0) {
    refuse(Errc::database, real_path_ + "-wal is the log of a database that is gone; nothing was made beside it",
           "ls -l " + real_path_ + "*");
  }
}

void Connection::sync_folder() {
  const int folder = ::open(folder_of(real_path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = folder >= 0 && ::fsync(folder) == 0;
  if (folder >= 0) ::close(folder);
  if (!synced) refuse(Errc::database, "cannot sync the folder of " + real_path_ + ": " + why());
}

void Connection::open_handle(const std::string& path, int flags, const std::string& vfs) {
  do_not_count_memory();
  // A connection is one thread's: without a mutex around every column that is read.
  database_.emplace(path, flags | SQLite::OPEN_NOFOLLOW | SQLite::OPEN_NOMUTEX, busy_timeout_ms, vfs);
  int ignored = 0;
  sqlite3_db_config(database_->getHandle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, &ignored);
  sqlite3_db_config(database_->getHandle(), SQLITE_DBCONFIG_DEFENSIVE, 1, &ignored);
}

void Connection::configure(const OpenOptions& options) {
  struct Setting {
    const char* name;
    std::int64_t value;
  };
  const Setting settings[] = {{"synchronous", 2},    {"foreign_keys", 1},        {"recursive_triggers", 1},
                              {"trusted_schema", 0}, {"cell_size_check", 1},     {"wal_autocheckpoint", 0},
                              {"mmap_size", 0},      {"cache_size", -cache_kib}, {"temp_store", temp_store(options)}};
  for (const Setting& setting : settings) {
    const std::string pragma = std::string("PRAGMA ") + setting.name;
    database_->exec(pragma + " = " + std::to_string(setting.value));
    SQLite::Statement read(*database_, pragma);
    const bool same = !read.executeStep() || read.getColumn(0).getInt64() == setting.value;
    if (!same) refuse(Errc::database, "SQLite does not take " + pragma + " = " + std::to_string(setting.value));
  }
  const bool only_looking = options.any_version && !writable();
  if (!only_looking && database_->execAndGet("PRAGMA journal_mode").getString() != "wal") {
    refuse(Errc::database, real_path_ + " is not in WAL mode", "sqlite3 " + real_path_ + " 'PRAGMA journal_mode=WAL'");
  }
  sqlite3_wal_hook(database_->getHandle(), note_wal, this);
}

/// R1 for what others committed: a process that was killed between the write of its commit and the sync leaves a commit
/// that we read, and that a power cut takes away again. Nothing may be done about such an attempt before it is durable.
/// Commits of processes that live are synced before anybody sees them, and from our first read on nobody recovers a log
/// behind us.
void Connection::sync_log() {
  if (!writable()) return;
  sqlite3_file* log = nullptr;
  const int found =
      sqlite3_file_control(database_->getHandle(), "main", SQLITE_FCNTL_JOURNAL_POINTER, static_cast<void*>(&log));
  if (found != SQLITE_OK || log == nullptr || log->pMethods == nullptr) return;
  sqlite3_int64 size = 0;
  if (log->pMethods->xFileSize(log, &size) == SQLITE_OK && size == 0) return;
  if (log->pMethods->xSync(log, SQLITE_SYNC_NORMAL) != SQLITE_OK)
    refuse(Errc::database, "cannot sync the log of " + real_path_);
}

void Connection::check_identity(const FileKind& kind, const OpenOptions& options) {
  const auto id = static_cast<std::uint32_t>(database_->execAndGet("PRAGMA application_id").getInt64());
  if (id != kind.application_id)
    refuse(Errc::database, real_path_ + " is not " + std::string(kind.what) + "; it was not changed");
  schema_version_ = database_->execAndGet("PRAGMA user_version").getInt();
  if (options.any_version) return;
  if (schema_version_ == kind.schema_version) {
    if (!writable() || kind.as_made == nullptr || kind.as_made(*database_)) return;
    refuse(Errc::database,
           real_path_ +
               " has not the tables, indexes and triggers that paytower made, so that it would take what must not be "
               "stored; nothing was written",
           "paytower check");
  }
  if (schema_version_ < kind.schema_version) {
    refuse(Errc::schema_older,
           real_path_ + " has schema version " + std::to_string(schema_version_) + ", this paytower works with " +
               std::to_string(kind.schema_version),
           std::string(kind.older_hint));
  }
  refuse(Errc::schema_newer, real_path_ + " has schema version " + std::to_string(schema_version_) +
                                 ", made by a newer paytower; it was not touched");
}

void Connection::note_commit(std::int64_t wal_bytes) {
  if (wal_bytes < wal_bytes_) checkpointed_wal_bytes_ = 0;
  wal_bytes_ = wal_bytes;
}

Query Connection::prepared(std::string_view sql) {
  auto known = statements_.find(sql);
  if (known == statements_.end()) {
    std::string text(sql);
    known = statements_.try_emplace(text, *database_, text).first;
  }
  return Query(known->second);
}

std::uint64_t Connection::data_version() {
  Query query = prepared("PRAGMA data_version");
  query.step();
  return static_cast<std::uint64_t>(query.integer());
}

ReadTransaction::ReadTransaction(Connection& connection) : connection_(connection) {
  began_ = sqlite3_get_autocommit(connection.database().getHandle()) != 0;
  if (began_) connection.prepared("BEGIN").run();
}

ReadTransaction::~ReadTransaction() {
  if (!began_) return;
  try {
    connection_.prepared("COMMIT").run();
  } catch (const std::exception&) {
    // It wrote nothing, and what it read was read.
  }
}

}  // namespace paytower::db
