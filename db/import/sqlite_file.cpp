// Opens lnd's SQLite files read-only under a lock of our own, or a private copy of file and log.
#include "db/import/sqlite_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

#include <fcntl.h>
#include <fmt/core.h>
#include <sqlite3.h>
#include <unistd.h>

#include "core/base/number.h"
#include "core/base/refuse.h"

namespace paytower::db {

namespace {

// Where SQLite locks a file: one byte each for PENDING and RESERVED, then the range that all readers share.
constexpr off_t pending_byte = 0x40000000, shared_first = pending_byte + 2, shared_size = 510;
constexpr std::size_t copy_block = 1 << 20;
constexpr std::size_t usual_entries = 4, usual_row_bytes = 192;
constexpr std::string_view sqlite_magic{"SQLite format 3\0", 16};
constexpr const char* stop_lnd = "stop lnd first: lncli stop";

bool leads_to_bytes(const std::string& path) {
  struct stat seen {};
  return ::stat(path.c_str(), &seen) == 0 && seen.st_size > 0;
}

/// A path as a URI: ? and # have a meaning for SQLite, and so does what comes after two slashes (a host).
std::string uri_of(const std::string& path, const char* query) {
  std::string uri = path.rfind('/', 0) == 0 ? "file://" : "file:";
  for (const char letter : path) {
    const bool plain = letter != '%' && letter != '?' && letter != '#';
    uri += plain ? std::string(1, letter) : letter == '%' ? "%25" : letter == '?' ? "%3f" : "%23";
  }
  return uri + query;
}

void copy_file(int from, const std::string& path) {
  const int to = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  bool good = to >= 0;
  std::string block(copy_block, '\0');
  for (off_t at = 0; good;) {
    const ssize_t got = ::pread(from, block.data(), block.size(), at);
    if (got < 0 && errno == EINTR) continue;
    if (got == 0) break;
    good = got > 0 && ::write(to, block.data(), static_cast<std::size_t>(got)) == got;
    at += got;
  }
  const int error = errno;
  if (to >= 0) ::close(to);
  if (!good)
    paytower::refuse(Errc::database, fmt::format("cannot copy lnd's database to {}: {}", path, std::strerror(error)),
                     "TMPDIR=FOLDER paytower ...");
}

std::array<char, 8> name_of(std::uint64_t number) {
  std::array<char, 8> name{};
  for (std::size_t i = 0; i < name.size(); ++i) name[i] = static_cast<char>(number >> (8 * (7 - i)));
  return name;
}

/// A column of a row in the form of sql_rows.h. Of a value that is too large, only the beginning.
void append_cell(Bytes& out, const SQLite::Column& value, std::size_t most) {
  const int type = value.getType();
  if (type == SQLITE_NULL) {
    out.push_back('n');
  } else if (type == SQLITE_INTEGER) {
    out.push_back('i');
    put_big_endian(out, static_cast<std::uint64_t>(value.getInt64()), 8);
  } else if (type == SQLITE_FLOAT) {
    const double number = value.getDouble();
    std::uint64_t bits = 0;
    std::memcpy(&bits, &number, sizeof bits);
    out.push_back('r');
    put_big_endian(out, bits, 8);
  } else {
    const auto* const data = static_cast<const std::uint8_t*>(value.getBlob());
    const std::size_t size = std::min(static_cast<std::size_t>(value.getBytes()), most);
    out.push_back(type == SQLITE_TEXT ? 't' : 'b');
    put_big_endian(out, size, 4);
    out.insert(out.end(), data, data + size);
    // Beyond the bound, the row cannot be complete; one byte too many says so.
    if (size < static_cast<std::size_t>(value.getBytes())) out.resize(most + 1);
  }
}

void set_limits(SQLite::Database& database) {
  sqlite3* const handle = database.getHandle();
  sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, max_sqlite_value_bytes);
  sqlite3_limit(handle, SQLITE_LIMIT_ATTACHED, 0);
  for (const int off : {SQLITE_DBCONFIG_ENABLE_TRIGGER, SQLITE_DBCONFIG_ENABLE_VIEW, SQLITE_DBCONFIG_TRUSTED_SCHEMA})
    sqlite3_db_config(handle, off, 0, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
}

}  // namespace

PrivateFolder::PrivateFolder(const std::string& why) {
  std::error_code trouble;
  path_ = (std::filesystem::temp_directory_path(trouble) / "paytower-XXXXXX").string();
  if (trouble || ::mkdtemp(path_.data()) == nullptr)
    paytower::refuse(Errc::database, fmt::format("cannot make a folder for {}: {}", why, path_),
                     "TMPDIR=FOLDER paytower ...");
}

PrivateFolder::~PrivateFolder() {
  for (const char* end : {"", "-wal", "-shm", "-journal"}) ::unlink((file() + end).c_str());
  ::rmdir(path_.c_str());
}

bool is_sqlite(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (file < 0) return false;
  std::array<char, sqlite_magic.size()> head{};
  const ssize_t got = ::pread(file, head.data(), head.size(), 0);
  ::close(file);
  return got == static_cast<ssize_t>(head.size()) && std::equal(head.begin(), head.end(), sqlite_magic.begin());
}

LndSqlite::LndSqlite(std::string path) : path_(std::move(path)) {
  file_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (file_ < 0)
    paytower::refuse(Errc::usage, fmt::format("{}: cannot open it: {}", path_, std::strerror(errno)),
                     fmt::format("ls -l {}", path_));
  try {
    lock();
    if (::fstat(file_, &seen_) != 0 || !S_ISREG(seen_.st_mode)) refuse("is not a regular file");
    if (!log_beside().empty()) copy_with_log();
    open(copy_ ? uri_of(copy_->file(), "?mode=rw") : uri_of(path_, "?mode=ro&immutable=1"));
  } catch (...) {
    ::close(file_);
    throw;
  }
}

LndSqlite::~LndSqlite() {
  database_.reset();
  ::close(file_);
}

/// A process that has the file open in WAL mode holds one of SQLite's locks all the time. Our lock keeps out writers of
/// the other mode.
void LndSqlite::lock() {
  struct flock wanted {};
  wanted.l_type = F_WRLCK;
  wanted.l_whence = SEEK_SET;
  wanted.l_start = pending_byte;
  wanted.l_len = shared_first + shared_size - pending_byte;
  if (::fcntl(file_, F_OFD_GETLK, &wanted) != 0)
    refuse("cannot be locked", "stop lnd, copy the file to a local disk, and name the copy");
  if (wanted.l_type != F_UNLCK) refuse_running();
  struct flock ours {};
  ours.l_type = F_RDLCK;
  ours.l_whence = SEEK_SET;
  ours.l_start = shared_first;
  ours.l_len = shared_size;
  if (::fcntl(file_, F_OFD_SETLK, &ours) != 0) refuse_running();
}

void LndSqlite::refuse_running() const {
  paytower::refuse(Errc::busy, fmt::format("{} is held by a running lnd (or another program); nothing was read", path_),
                   stop_lnd);
}

/// "-wal" or "-journal", if such a file exists and is not empty.
std::string LndSqlite::log_beside() const {
  for (const char* end : {"-wal", "-journal"}) {
    if (leads_to_bytes(path_ + end)) return end;
  }
  return {};
}

void LndSqlite::copy_with_log() {
  copy_ = std::make_unique<PrivateFolder>("a copy of lnd's database and its log");
  copy_file(file_, copy_->file());
  const std::string end = log_beside();
  const int log = ::open((path_ + end).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (log < 0)
    paytower::refuse(Errc::usage, fmt::format("{}{}: cannot open it: {}", path_, end, std::strerror(errno)),
                     fmt::format("ls -l {}{}", path_, end));
  try {
    copy_file(log, copy_->file() + end);
  } catch (...) {
    ::close(log);
    throw;
  }
  ::close(log);
}

void LndSqlite::open(const std::string& uri) {
  reading([&] {
    database_ = std::make_unique<SQLite::Database>(
        uri, (copy_ ? SQLite::OPEN_READWRITE : SQLite::OPEN_READONLY) | SQLite::OPEN_URI | SQLite::OPEN_NOMUTEX);
    set_limits(*database_);
    for (const char* pragma :
         {"PRAGMA cell_size_check = ON", "PRAGMA mmap_size = 0", "PRAGMA cache_size = -8192", "PRAGMA query_only = ON"})
      database_->exec(pragma);
    database_->exec("BEGIN");
    (void)database_->execAndGet("SELECT count(*) FROM sqlite_schema").getInt64();
  });
}

bool LndSqlite::has_table(std::string_view name, std::initializer_list<std::string_view> columns) const {
  return reading([&] {
    SQLite::Statement schema(*database_, "SELECT type, sql FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE");
    schema.bind(1, std::string(name));
    if (!schema.executeStep()) return false;
    const std::string sql = schema.getColumn(1).getString();
    if (schema.getColumn(0).getString() != "table" || sql.rfind("CREATE VIRTUAL", 0) == 0)
      refuse(fmt::format("has no table `{}` but something else of that name", name));
    SQLite::Statement stored(*database_, "SELECT 1 FROM pragma_table_xinfo(?1) WHERE name = ?2 AND hidden = 0");
    for (const std::string_view column : columns) {
      stored.bind(1, std::string(name));
      stored.bind(2, std::string(column));
      if (!stored.executeStep()) refuse(fmt::format("has a table `{}` that is not lnd's: no column {}", name, column));
      stored.reset();
    }
    return true;
  });
}

void LndSqlite::need_table(std::string_view name, std::initializer_list<std::string_view> columns) const {
  if (!has_table(name, columns)) refuse(fmt::format("has no table `{}`", name));
}

bool LndSqlite::has_rows(const std::string& table) const {
  return reading(
      [&] { return database_->execAndGet(fmt::format("SELECT EXISTS (SELECT 1 FROM {})", table)).getInt() != 0; });
}

SQLite::Statement LndSqlite::indexed(const std::string& sql) const {
  return reading([&] {
    SQLite::Statement plan(*database_, fmt::format("EXPLAIN QUERY PLAN {}", sql));
    while (plan.executeStep()) {
      const std::string step = plan.getColumn(3).getString();
      if (step.rfind("SCAN", 0) == 0 || step.find("AUTOMATIC") != std::string::npos)
        refuse(fmt::format("lacks an index that lnd makes: {}", step));
    }
    return SQLite::Statement(*database_, sql);
  });
}

void LndSqlite::check_unchanged() const {
  struct stat now {};
  const bool same = ::fstat(file_, &now) == 0 && now.st_size == seen_.st_size &&
                    now.st_mtim.tv_sec == seen_.st_mtim.tv_sec && now.st_mtim.tv_nsec == seen_.st_mtim.tv_nsec;
  if (!same || (!copy_ && !log_beside().empty())) {
    paytower::refuse(Errc::busy,
                     fmt::format("{} was written to while it was read; nothing that was read counts", path_), stop_lnd);
  }
}

void LndSqlite::refuse(const std::string& what, const std::string& hint) const {
  paytower::refuse(Errc::usage, fmt::format("{}: {}", path_, what),
                   hint.empty() ? "stop lnd (lncli stop), copy the file again with its -wal, and name the copy" : hint);
}

void LndSqlite::refuse_damage(const SQLite::Exception& error) const {
  const int code = error.getErrorCode() & 0xFF;
  // SQLite also says "out of memory" if a damaged schema asks for too much.
  if (code == SQLITE_FULL || code == SQLITE_INTERRUPT) throw error;
  refuse(fmt::format("cannot be read: {}", error.what()));
}

RowCopy::RowCopy(Bytes identifier) {
  copy_.top.is_bucket = true;
  copy_.top.key = std::move(identifier);
}

void RowCopy::charge(std::size_t bytes) {
  copy_.complete = copy_.complete && bytes + lnd::entry_cost <= left_;
  if (copy_.complete) left_ -= bytes + lnd::entry_cost;
}

lnd::BucketEntry& RowCopy::bucket(lnd::BucketEntry& parent, std::string_view name) {
  charge(name.size());
  lnd::BucketEntry& entry = parent.entries.emplace_back();
  entry.key.assign(name.begin(), name.end());
  entry.is_bucket = true;
  entry.entries.reserve(usual_entries);
  return entry;
}

lnd::BucketEntry& RowCopy::numbered(lnd::BucketEntry& parent, std::uint64_t number) {
  const auto name = name_of(number);
  return bucket(parent, {name.data(), name.size()});
}

void RowCopy::row(lnd::BucketEntry& parent, std::string_view name, SQLite::Statement& statement, int first,
                  std::size_t count) {
  Bytes stored;
  stored.reserve(usual_row_bytes);
  for (std::size_t i = 0; i < count; ++i) append_cell(stored, statement.getColumn(first + static_cast<int>(i)), left_);
  charge(name.size() + stored.size());
  lnd::BucketEntry& entry = parent.entries.emplace_back();
  entry.key.assign(name.begin(), name.end());
  entry.value = std::move(stored);
}

void RowCopy::numbered_row(lnd::BucketEntry& parent, std::uint64_t number, SQLite::Statement& statement, int first,
                           std::size_t count) {
  const auto name = name_of(number);
  row(parent, {name.data(), name.size()}, statement, first, count);
}

}  // namespace paytower::db
