// Opens a database file after many checks, makes a new one, and configures the connection.
#include "db/sqlite/connection.h"

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <fmt/core.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <SQLiteCpp/Exception.h>

#include "core/base/refuse.h"
#include "db/sqlite/file_copy.h"
#include "db/sqlite/locks.h"
#include "db/sqlite/own_files.h"
#include "db/sqlite/reading.h"
#include "db/sqlite/room.h"
#include "db/sqlite/transaction.h"

namespace paytower::db {

namespace {

constexpr int cache_kib = 16 * 1'024;
constexpr int page_bytes = 4'096;

std::string why() { return std::strerror(errno); }

/// The real path of the folder, and the file's name in it. If the last part is a link, it is followed, provided that it
/// leads to something.
std::string resolve(const std::string& path) {
  char buffer[PATH_MAX];
  if (::realpath(path.c_str(), buffer) != nullptr) return buffer;
  if (errno != ENOENT) refuse(Errc::database, fmt::format("cannot use the database {}: {}", path, why()));
  // What is there now and is not a link was made by another process in between: it is the file itself.
  struct stat link {};
  if (::lstat(path.c_str(), &link) == 0 && S_ISLNK(link.st_mode))
    refuse(Errc::database, fmt::format("the database {} is a link that leads nowhere", path));
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  if (name.empty() || ::realpath(folder.c_str(), buffer) == nullptr) {
    refuse(Errc::database, fmt::format("the folder of {} does not exist", path), fmt::format("mkdir -p {}", folder));
  }
  return std::string(buffer) == "/" ? fmt::format("/{}", name) : fmt::format("{}/{}", buffer, name);
}

/// Locks and shared memory do not work across these file systems.
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
    refuse(Errc::database, fmt::format("cannot look at the folder of {}: {}", real_path, why()));
  if (network_file_system(static_cast<long>(place.f_type))) {
    refuse(Errc::database,
           fmt::format("{} is on a network file system, where locks cannot be trusted; use a local disk", real_path));
  }
  struct stat folder {};
  const bool others_replace_files =
      ::stat(folder_of(real_path).c_str(), &folder) == 0 && (folder.st_mode & (S_IWOTH | S_ISVTX)) == S_IWOTH;
  if (others_replace_files)
    warnings.push_back(fmt::format(
        "everybody can write into the folder of {}, and put another database there: chmod o-w it", real_path));
  if (static_cast<long>(place.f_type) == fuse)
    warnings.push_back(
        fmt::format("{} is on a FUSE file system: its locks and syncs are as good as its program", real_path));
}

/// What tells two mounts apart, even of the same file system: a bind-mounted file has the same device as its folder.
/// Kernels before 5.8 do not tell it; then the device is used.
std::uint64_t mount_of(const std::string& path) {
  struct statx seen {};
  if (::statx(AT_FDCWD, path.c_str(), 0, STATX_MNT_ID, &seen) != 0)
    refuse(Errc::database, fmt::format("cannot look at {}: {}", path, why()));
  if ((seen.stx_mask & STATX_MNT_ID) != 0) return seen.stx_mnt_id;
  return std::uint64_t{seen.stx_dev_major} << 32 | seen.stx_dev_minor;
}

void check_file(const std::string& real_path, const FileKind& kind) {
  struct stat file {};
  if (::stat(real_path.c_str(), &file) != 0) {
    if (errno == ENOENT) refuse(Errc::database, fmt::format("there is no database {}", real_path));
    refuse(Errc::database, fmt::format("cannot look at {}: {}", real_path, why()));
  }
  if (S_ISDIR(file.st_mode)) refuse(Errc::database, fmt::format("{} is a folder, not {}", real_path, kind.what));
  if (!S_ISREG(file.st_mode)) refuse(Errc::database, fmt::format("{} is not a regular file", real_path));
  if (file.st_nlink != 1) {
    refuse(Errc::database,
           fmt::format("{} has {} names (hard links): under another name its log would not be found", real_path,
                       file.st_nlink),
           fmt::format("find / -samefile {}", real_path));
  }
  if (mount_of(real_path) != mount_of(folder_of(real_path))) {
    refuse(Errc::database, fmt::format("{} is mounted from somewhere else: its log would not be found", real_path));
  }
}

/// Where SQLite keeps what a statement or savepoint may have to undo. Above 64 KiB it uses a file, and from then on
/// every statement writes to that file. One payment is already more than that. So keep it in memory: what we write in
/// one savepoint is small. But a statement of a migration may be as large as the database, so its memory needs the
/// file. (SQLITE_CONFIG_STMTJRNL_SPILL is no solution: above 128 KiB SQLite writes the journal in one piece of that
/// size, its VFS cuts the size to 17 bits, and the commit fails as if the disk were full.)
std::int64_t temp_store(const OpenOptions& options) {
  constexpr std::int64_t file = 1;
  constexpr std::int64_t memory = 2;
  return options.large_statements ? file : memory;
}

/// Once, before SQLite is used: nobody asks how much memory it uses, and counting that costs a mutex at each
/// allocation.
void do_not_count_memory() {
  static const int once = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  (void)once;  // too late if a program that contains us has used SQLite before: slower, but not wrong
}

}  // namespace

Result<std::monostate> check_database_name(const std::string& path) {
  constexpr const char* right = "paytower --db payments.db list";
  if (path.empty()) return Error{Errc::usage, "the name of the database is empty", right};
  if (path == ":memory:" || path.rfind("file:", 0) == 0)
    return Error{Errc::usage, fmt::format("\"{}\" is not a file name", path), right};
  return std::monostate{};
}

Result<Connection> Connection::open(const std::string& path, OpenMode mode, const FileKind& kind,
                                    const OpenOptions& options) {
  return result_of([&] { return Connection(path, mode, kind, options); });
}

Connection::Connection(const std::string& path, OpenMode mode, const FileKind& kind, const OpenOptions& options)
    : mode_(mode) {
  (void)value_of(check_database_name(path));
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
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED) {
      Error busy = as_ours(error, fmt::format("open {}", real_path_));
      busy.hint = who_has(real_path_);
      refuse(std::move(busy));
    }
    if (code == SQLITE_NOTADB)
      refuse(Errc::database, fmt::format("{} is not {}; it was not changed", real_path_, kind.what));
    if ((code == SQLITE_CANTOPEN || code == SQLITE_READONLY) && !writable() &&
        ::access(folder_of(real_path_).c_str(), W_OK) != 0) {
      refuse(Errc::database,
             fmt::format("cannot open {}: its folder is read-only and its log {}-wal is not there", real_path_,
                         real_path_),
             fmt::format("cp {} elsewhere", real_path_));
    }
    refuse(Errc::database, fmt::format("cannot open {}: {}", real_path_, error.what()), room_hint(real_path_));
  }
}

Connection::~Connection() = default;
Connection::Connection(Connection&& other) noexcept = default;

void Connection::open_existing(const FileKind& kind, const OpenOptions& options) {
  check_file(real_path_, kind);
  if (::access(real_path_.c_str(), R_OK) != 0)
    refuse(Errc::database, fmt::format("cannot read {}: {}", real_path_, why()));
  if (writable() && ::access(real_path_.c_str(), W_OK) != 0)
    refuse(Errc::database, fmt::format("cannot write to {}: {}", real_path_, why()));
  if (writable() && ::access(folder_of(real_path_).c_str(), W_OK) != 0) {
    refuse(Errc::database,
           fmt::format("cannot write into the folder of {}, where its log belongs: {}", real_path_, why()));
  }
  refuse_odd_files_beside();
  if (writable()) {
    for (const std::string& path : take_from_others(real_path_))
      warnings_.push_back(fmt::format("{} was open to others; its mode is 600 now", path));
  }
  const OwnFilesOnly files;
  open_handle(real_path_, writable() ? SQLite::OPEN_READWRITE : SQLite::OPEN_READONLY, options.vfs);
  if (unfinished()) return open_unfinished(kind, options);
  check_identity(kind, options);
  configure(options);
  sync_log();
  if (kind.register_functions != nullptr) kind.register_functions(*database_);
}

/// It is empty, or not in WAL mode yet: another process is making it now, or has died while making it.
bool Connection::unfinished() {
  const bool blank = database_->execAndGet("PRAGMA application_id").getInt() == 0 &&
                     database_->execAndGet("PRAGMA user_version").getInt() == 0 &&
                     database_->execAndGet("SELECT count(*) FROM sqlite_master").getInt() == 0;
  return blank || database_->execAndGet("PRAGMA journal_mode").getString() != "wal";
}

/// The process that makes the file holds the write lock. Once that is free, the file is made or was given up. Without a
/// lock file nobody is making it.
void Connection::wait_for_maker(const OpenOptions& options) const {
  struct stat lock_file {};
  if (::lstat(fmt::format("{}.lock", real_path_).c_str(), &lock_file) != 0 ||
      ::access(folder_of(real_path_).c_str(), W_OK) != 0)
    return;
  WriteLock lock(real_path_, options.lock_timeout_ns);
  (void)value_of(lock.acquire());
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

/// Under the write lock: if two processes want to make it, the second one finds it made.
void Connection::make_file(const FileKind& kind, const OpenOptions& options) {
  if (::access(folder_of(real_path_).c_str(), W_OK) != 0) {
    refuse(Errc::database, fmt::format("cannot make {}: its folder is not writable: {}", real_path_, why()));
  }
  WriteLock lock(real_path_, options.lock_timeout_ns);
  const auto held = value_of(lock.acquire());
  refuse_orphaned_log();
  refuse_odd_files_beside();
  const OwnFilesOnly files;
  struct stat seen {};
  if (::lstat(real_path_.c_str(), &seen) != 0) publish_new(kind, options);
  open_handle(real_path_, SQLite::OPEN_READWRITE, options.vfs);
  if (kind.register_functions != nullptr) kind.register_functions(*database_);
  const bool empty = database_->execAndGet("SELECT count(*) FROM sqlite_master").getInt() == 0;
  if (empty && ::chmod(real_path_.c_str(), 0600) != 0)
    refuse(Errc::database, fmt::format("cannot take {} for ourselves: {}", real_path_, why()));
  if (empty) fill(*database_, kind);
  check_identity(kind, options);
  database_->execAndGet("PRAGMA journal_mode = WAL");
  configure(options);
  sync_log();
  if (empty) sync_folder();
}

/// Made under another name, closed, synced, and only then renamed: if this process dies at any moment, there is no
/// database or a complete one.
void Connection::publish_new(const FileKind& kind, const OpenOptions& options) {
  PartialFile partial(own_partial_name(real_path_));
  open_handle(partial.path(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, options.vfs);
  int ignored = 0;
  sqlite3_db_config(database_->getHandle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0,
                    &ignored);  // so that its log is removed with it
  if (kind.register_functions != nullptr) kind.register_functions(*database_);
  fill(*database_, kind);
  database_->execAndGet("PRAGMA journal_mode = WAL");
  database_.reset();
  partial.publish(real_path_);
}

/// The schema is made in one transaction while the file is not in WAL mode yet. So an empty file that was there already
/// is first empty, then complete, then in WAL mode, and never anything else.
void Connection::fill(SQLite::Database& database, const FileKind& kind) {
  database.exec(fmt::format("PRAGMA page_size = {}", page_bytes));
  database.exec("PRAGMA auto_vacuum = INCREMENTAL");
  database.exec("PRAGMA synchronous = FULL");
  private_tx(database, SQLite::TransactionBehavior::EXCLUSIVE, [&] {
    kind.make(database, real_path_);
    database.exec(fmt::format("PRAGMA application_id = {}", static_cast<std::int32_t>(kind.application_id)));
    database.exec(fmt::format("PRAGMA user_version = {}", kind.schema_version));
  });
  made_ = true;
}

/// SQLite would write into anything that has one of these names, would wait for ever on a FIFO, and would undo the
/// database with somebody else's journal.
void Connection::refuse_odd_files_beside() const {
  for (const char* end : {"-wal", "-shm", "-journal"}) {
    const std::string path = real_path_ + end;
    if (!path_belongs_beside(real_path_, path)) {
      refuse(Errc::database,
             fmt::format("{} is not a regular file with one name that belongs to you or to the owner of the database",
                         path),
             fmt::format("ls -l {}", path));
    }
  }
}

/// A log without its database contains payments: making a new database would throw them away.
void Connection::refuse_orphaned_log() {
  struct stat file {};
  struct stat log {};
  const bool empty = ::stat(real_path_.c_str(), &file) != 0 || file.st_size == 0;
  if (empty && ::lstat(fmt::format("{}-wal", real_path_).c_str(), &log) == 0 && log.st_size > 0) {
    refuse(Errc::database,
           fmt::format("{}-wal is the log of a database that is gone; nothing was made beside it", real_path_),
           fmt::format("ls -l {}*", real_path_));
  }
}

void Connection::sync_folder() {
  const int folder = ::open(folder_of(real_path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = folder >= 0 && ::fsync(folder) == 0;
  if (folder >= 0) ::close(folder);
  if (!synced) refuse(Errc::database, fmt::format("cannot sync the folder of {}: {}", real_path_, why()));
}

void Connection::open_handle(const std::string& path, int flags, const std::string& vfs) {
  do_not_count_memory();
  // A connection belongs to one thread, so no mutex is needed around every column that is read.
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
    const std::string pragma = fmt::format("PRAGMA {}", setting.name);
    database_->exec(fmt::format("{} = {}", pragma, setting.value));
    SQLite::Statement read(*database_, pragma);
    const bool same = !read.executeStep() || read.getColumn(0).getInt64() == setting.value;
    if (!same) refuse(Errc::database, fmt::format("SQLite does not take {} = {}", pragma, setting.value));
  }
  const bool only_looking = options.any_version && !writable();
  if (!only_looking && database_->execAndGet("PRAGMA journal_mode").getString() != "wal") {
    refuse(Errc::database, fmt::format("{} is not in WAL mode", real_path_),
           fmt::format("sqlite3 {} 'PRAGMA journal_mode=WAL'", real_path_));
  }
  sqlite3_wal_hook(database_->getHandle(), note_commit, log_.get());
}

/// R1 for commits of others: if a process was killed between the write of its commit and the sync, we can read a commit
/// that a power cut takes away again. Nothing may be done about such an attempt before it is durable. Commits of living
/// processes are synced before anybody can see them, and from our first read on nobody recovers a log without us
/// noticing.
void Connection::sync_log() {
  if (!writable()) return;
  sqlite3_file* log = nullptr;
  const int found =
      sqlite3_file_control(database_->getHandle(), "main", SQLITE_FCNTL_JOURNAL_POINTER, static_cast<void*>(&log));
  if (found != SQLITE_OK || log == nullptr || log->pMethods == nullptr) return;
  sqlite3_int64 size = 0;
  if (log->pMethods->xFileSize(log, &size) == SQLITE_OK && size == 0) return;
  if (log->pMethods->xSync(log, SQLITE_SYNC_NORMAL) != SQLITE_OK)
    refuse(Errc::database, fmt::format("cannot sync the log of {}", real_path_));
}

void Connection::check_identity(const FileKind& kind, const OpenOptions& options) {
  const auto id = static_cast<std::uint32_t>(database_->execAndGet("PRAGMA application_id").getInt64());
  if (id != kind.application_id)
    refuse(Errc::database, fmt::format("{} is not {}; it was not changed", real_path_, kind.what));
  schema_version_ = database_->execAndGet("PRAGMA user_version").getInt();
  if (options.any_version) return;
  if (schema_version_ == kind.schema_version) {
    if (!writable() || kind.as_made == nullptr || kind.as_made(*database_)) return;
    refuse(Errc::database,
           fmt::format("{} does not have the tables, indexes and triggers that paytower made, so it could not refuse "
                       "what must not be stored; nothing was written",
                       real_path_),
           "paytower check");
  }
  if (schema_version_ < kind.schema_version) {
    refuse(Errc::schema_older,
           fmt::format("{} has schema version {} and needs an upgrade to version {}", real_path_, schema_version_,
                       kind.schema_version),
           std::string(kind.older_hint));
  }
  refuse(Errc::schema_newer, fmt::format("{} has schema version {}, made by a newer paytower; it was not touched",
                                         real_path_, schema_version_));
}

int Connection::note_commit(void* log, sqlite3*, const char*, int pages) {
  constexpr std::int64_t frame_header_bytes = 24;
  auto& lengths = *static_cast<Log*>(log);
  const std::int64_t bytes = pages * (page_bytes + frame_header_bytes);
  if (bytes < lengths.bytes) lengths.checkpointed = 0;
  lengths.bytes = bytes;
  return SQLITE_OK;
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
    // It has written nothing, and what it has read stays read.
  }
}

}  // namespace paytower::db
