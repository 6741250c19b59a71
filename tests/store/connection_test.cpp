// Goal: no process works on a file whose log it would miss, on a file that is not a database of ours, or with settings
// that could lose a commit. Method: real files of every wrong kind, other processes, and a mount of its own.
#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "db/payments/migrator.h"
#include "tests/store/fixture.h"

using namespace paytower;
using namespace paytower::test;
using db::Connection;
using db::OpenMode;

namespace {

/// The refusal of opening `path`, or nothing.
std::optional<Error> refusal(const std::string& path, OpenMode mode) {
  const auto opened = Connection::open(path, mode, db::payment_file());
  if (opened) return std::nullopt;
  return opened.error();
}

void check_refused(const std::string& path, Errc code) {
  for (const OpenMode mode : {OpenMode::read_only, OpenMode::read_write, OpenMode::create}) {
    CAPTURE(path);
    CAPTURE(static_cast<int>(mode));
    const auto refused = refusal(path, mode);
    REQUIRE(refused);
    CHECK(refused->code == code);
  }
}

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void write_file(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

mode_t mode_of(const std::string& path) {
  struct stat seen {};
  REQUIRE(::lstat(path.c_str(), &seen) == 0);
  return seen.st_mode & 07777;
}

std::int64_t pragma(Connection& connection, const std::string& name) {
  return connection.database().execAndGet("PRAGMA " + name).getInt64();
}

}  // namespace

TEST_CASE("a new database: settings, files and their modes") {
  const TempFolder folder;
  const mode_t before = ::umask(0);
  Store store(folder.file("payments.db"));
  ::umask(before);
  CHECK(store.connection.made());
  CHECK(store.connection.real_path() == std::filesystem::canonical(folder.file("payments.db")).string());
  store.initiated(1);
  for (const char* end : {"", "-wal", "-shm", ".lock", ".spool"}) {
    CAPTURE(end);
    CHECK(mode_of(folder.file("payments.db") + end) == 0600);
  }
  CHECK(std::filesystem::file_size(folder.file("payments.db.spool")) == 65'536);
  CHECK(store.connection.database().execAndGet("PRAGMA journal_mode").getString() == "wal");
  CHECK(pragma(store.connection, "synchronous") == 2);
  CHECK(pragma(store.connection, "foreign_keys") == 1);
  CHECK(pragma(store.connection, "recursive_triggers") == 1);
  CHECK(pragma(store.connection, "trusted_schema") == 0);
  CHECK(pragma(store.connection, "cell_size_check") == 1);
  CHECK(pragma(store.connection, "wal_autocheckpoint") == 0);
  CHECK(pragma(store.connection, "cache_size") == -16'384);
  CHECK(pragma(store.connection, "busy_timeout") == 5'000);
  CHECK(pragma(store.connection, "auto_vacuum") == 2);
  CHECK(pragma(store.connection, "user_version") == db::newest_schema());
  CHECK(pragma(store.connection, "application_id") == 0x50617954);
  CHECK(store.connection.database()
            .execAndGet("SELECT count(*) FROM schema_migrations WHERE version = 2 AND name = '0002_payment_buckets'")
            .getInt() == 1);
}

TEST_CASE("the log stays when the last connection leaves, and the next one sees what is in it") {
  const TempFolder folder;
  { Store(folder.file("p")).initiated(1); }
  CHECK(std::filesystem::file_size(folder.file("p-wal")) > 0);
  Store again(folder.file("p"), OpenMode::read_only);
  CHECK(again.store.load(PaymentIndex{1}).value());
  CHECK_FALSE(again.connection.made());
}

TEST_CASE("names that are none") {
  check_refused("", Errc::usage);
  check_refused(":memory:", Errc::usage);
  check_refused("file:payments.db", Errc::usage);
  check_refused("file:payments.db?mode=memory", Errc::usage);
}

TEST_CASE("what is no database is refused and stays as it is") {
  const TempFolder folder;
  check_refused(folder.path(), Errc::database);
  check_refused(folder.file("no/such/folder/p"), Errc::database);
  check_refused(folder.file("p/"), Errc::database);
  write_file(folder.file("text"),
             "Dear diary,\nthis is no database, but a text of some length, as one might name it by mistake.\n");
  const std::string text = contents(folder.file("text"));
  check_refused(folder.file("text"), Errc::database);
  CHECK(contents(folder.file("text")) == text);
  std::filesystem::create_symlink(folder.file("nowhere"), folder.file("dangling"));
  check_refused(folder.file("dangling"), Errc::database);
  CHECK_FALSE(std::filesystem::exists(folder.file("nowhere")));
  REQUIRE(::mkfifo(folder.file("fifo").c_str(), 0600) == 0);
  check_refused(folder.file("fifo"), Errc::database);
  for (const OpenMode mode : {OpenMode::read_only, OpenMode::read_write}) {
    CHECK(refusal(folder.file("missing"), mode)->code == Errc::database);
    CHECK_FALSE(std::filesystem::exists(folder.file("missing")));
    write_file(folder.file("empty"), "");
    CHECK(refusal(folder.file("empty"), mode)->code == Errc::database);
  }
}

TEST_CASE("another application's database is refused and stays as it is") {
  const TempFolder folder;
  for (const char* mode : {"DELETE", "WAL"}) {
    const std::string path = folder.file(mode);
    {
      SQLite::Database other(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
      other.execAndGet(std::string("PRAGMA journal_mode = ") + mode);
      other.exec("CREATE TABLE songs (title TEXT)");
    }
    const std::string before = contents(path);
    check_refused(path, Errc::database);
    CHECK(contents(path) == before);
  }
}

TEST_CASE("a hard link, under either name") {
  const TempFolder folder;
  { Store(folder.file("p")).initiated(1); }
  std::filesystem::create_hard_link(folder.file("p"), folder.file("q"));
  check_refused(folder.file("p"), Errc::database);
  check_refused(folder.file("q"), Errc::database);
  std::filesystem::remove(folder.file("q"));
  CHECK_FALSE(refusal(folder.file("p"), OpenMode::read_write));
}

TEST_CASE("a symbolic link leads to the one lock and log beside the real file") {
  const TempFolder folder;
  std::filesystem::create_directory(folder.file("real"));
  std::filesystem::create_directory(folder.file("elsewhere"));
  Store direct(folder.file("real/p"));
  std::filesystem::create_symlink(folder.file("real/p"), folder.file("elsewhere/link"));
  Store linked(folder.file("elsewhere/link"), OpenMode::read_write, 0);
  CHECK(linked.connection.real_path() == direct.connection.real_path());
  direct.initiated(1);
  CHECK(linked.store.load(PaymentIndex{1}).value());
  const auto held = direct.lock.acquire();
  REQUIRE(held);
  Payment other;
  other.request = request_of(2);
  CHECK(linked.write(other, {InitPayment{}}).error().code == Errc::busy);
  CHECK(std::filesystem::is_empty(folder.file("elsewhere")) == false);
  CHECK(std::distance(std::filesystem::directory_iterator(folder.file("elsewhere")), {}) == 1);
}

TEST_CASE("a file that is mounted from elsewhere is refused") {
  const TempFolder folder;
  { Store(folder.file("p")).initiated(1); }
  std::filesystem::create_directory(folder.file("other"));
  write_file(folder.file("other/p"), "");
  const int status = in_child([&] {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount(folder.file("p").c_str(), folder.file("other/p").c_str(), nullptr, MS_BIND, nullptr) != 0) {
      ::_exit(42);
    }
    const auto refused = refusal(folder.file("other/p"), OpenMode::read_write);
    return refused && refused->code == Errc::database && refused->message.find("mounted") != std::string::npos;
  });
  if (WIFEXITED(status) && WEXITSTATUS(status) == 42) {
    MESSAGE("no right to mount: not tried");
    return;
  }
  CHECK(status == 0);
}

TEST_CASE("without the right to write") {
  const TempFolder folder;
  { Store(folder.file("p")).initiated(1); }
  REQUIRE(::chmod(folder.path().c_str(), 0755) == 0);
  const auto as_nobody = [&](const std::function<bool()>& work) {
    return in_child([&] {
      if (::geteuid() == 0 && ::setuid(65'534) != 0) ::_exit(42);
      return work();
    });
  };
  for (const char* end : {"", "-wal", "-shm", ".lock", ".spool"})
    REQUIRE(::chmod((folder.file("p") + end).c_str(), 0444) == 0);
  REQUIRE(::chmod(folder.path().c_str(), 0555) == 0);
  // The log and its index are there: SQLite can read without writing.
  CHECK(as_nobody([&] {
          return Store(folder.file("p"), OpenMode::read_only).store.load(PaymentIndex{1}).value().has_value();
        }) == 0);
  CHECK(as_nobody([&] { return refusal(folder.file("p"), OpenMode::read_write)->code == Errc::database; }) == 0);
  CHECK(as_nobody([&] { return refusal(folder.file("new"), OpenMode::create)->code == Errc::database; }) == 0);
  // Without them it cannot, and says what is missing.
  REQUIRE(::chmod(folder.path().c_str(), 0755) == 0);
  std::filesystem::remove(folder.file("p-shm"));
  std::filesystem::remove(folder.file("p-wal"));
  REQUIRE(::chmod(folder.path().c_str(), 0555) == 0);
  CHECK(as_nobody([&] {
          const auto refused = refusal(folder.file("p"), OpenMode::read_only);
          return refused && refused->code == Errc::database && refused->message.find("read-only") != std::string::npos;
        }) == 0);
  REQUIRE(::chmod(folder.path().c_str(), 0700) == 0);
}

TEST_CASE("older and newer schemas are refused and not touched") {
  const TempFolder folder;
  { Store(folder.file("p")).initiated(1); }
  for (const int version : {0, 1, 2, 3, 99}) {
    CAPTURE(version);
    {
      const auto database = raw(folder.file("p"));
      database->exec("PRAGMA user_version = " + std::to_string(version));
      database->execAndGet("PRAGMA wal_checkpoint(TRUNCATE)");
    }
    const std::string before = contents(folder.file("p"));
    check_refused(folder.file("p"), version < db::newest_schema() ? Errc::schema_older : Errc::schema_newer);
    if (version < db::newest_schema())
      CHECK(refusal(folder.file("p"), OpenMode::read_only)->hint == "paytower migrate");
    CHECK(contents(folder.file("p")) == before);
    db::OpenOptions any;
    any.any_version = true;
    CHECK(Connection::open(folder.file("p"), OpenMode::read_only, db::payment_file(), any)->schema_version() ==
          version);
  }
}

TEST_CASE("a statement of any size can be undone, and done") {
  const TempFolder folder;
  { Store(folder.file("p")).initiated(1); }
  for (const bool migrating : {false, true}) {
    CAPTURE(migrating);
    db::OpenOptions options;
    options.large_statements = migrating;
    Connection connection =
        value_of(Connection::open(folder.file("p"), OpenMode::read_write, db::payment_file(), options));
    SQLite::Database& database = connection.database();
    database.exec(
        "CREATE TABLE big (data BLOB); INSERT INTO big SELECT randomblob(4000) FROM (WITH RECURSIVE n(i) AS "
        "(SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) SELECT i FROM n)");
    database.exec(
        "BEGIN IMMEDIATE; SAVEPOINT step; UPDATE big SET data = zeroblob(4000); ROLLBACK TO step; RELEASE step; "
        "COMMIT");
    CHECK(database.execAndGet("SELECT count(*) FROM big WHERE data = zeroblob(4000)").getInt() == 0);
    database.exec("BEGIN IMMEDIATE; SAVEPOINT step; UPDATE big SET data = zeroblob(4000); RELEASE step; COMMIT");
    CHECK(database.execAndGet("SELECT count(*) FROM big WHERE data = zeroblob(4000)").getInt() == 5'000);
    database.exec("BEGIN IMMEDIATE; DROP TABLE big; COMMIT");
  }
}

TEST_CASE("an abandoned beginning is completed") {
  const TempFolder folder;
  SUBCASE("an empty file") { write_file(folder.file("p"), ""); }
  SUBCASE("a file without a table") {
    SQLite::Database begun(folder.file("p"), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    begun.exec("PRAGMA page_size = 4096");
    begun.exec("VACUUM");
  }
  SUBCASE("complete, but not in WAL mode") {
    { Store(folder.file("p")).initiated(7); }
    SQLite::Database begun(folder.file("p"), SQLite::OPEN_READWRITE);
    CHECK(begun.execAndGet("PRAGMA journal_mode = DELETE").getString() == "delete");
  }
  Store store(folder.file("p"));
  store.initiated(1);
  CHECK(store.connection.database().execAndGet("PRAGMA journal_mode").getString() == "wal");
  CHECK(mode_of(folder.file("p")) == 0600);
}

TEST_CASE("the log of a database that is gone is not thrown away") {
  const TempFolder folder;
  { Store(folder.file("p")).initiated(1); }
  std::filesystem::remove(folder.file("p"));
  const auto refused = refusal(folder.file("p"), OpenMode::create);
  REQUIRE(refused);
  CHECK(refused->code == Errc::database);
  CHECK(std::filesystem::file_size(folder.file("p-wal")) > 0);
  CHECK_FALSE(std::filesystem::exists(folder.file("p")));
}

TEST_CASE("many make the same database at once: one makes it, all use it") {
  for (int round = 0; round < 20; ++round) {
    const TempFolder folder;
    std::vector<pid_t> children;
    for (std::uint64_t number = 1; number <= 8; ++number) {
      const pid_t child = ::fork();
      REQUIRE(child >= 0);
      if (child == 0) {
        try {
          Store store(folder.file("p"));
          Payment payment;
          payment.request = request_of(number);
          const std::vector<Write> writes = {InitPayment{}};
          const PaymentWrites entry{&payment, writes};
          ::_exit(store.store.commit(std::span(&entry, 1)).front() ? 0 : 1);
        } catch (const RefusalError& error) {
          ::write(2, error.what(), std::string(error.what()).size());
          ::_exit(2);
        } catch (...) {
          ::_exit(3);
        }
      }
      children.push_back(child);
    }
    for (const pid_t child : children) {
      int status = 0;
      ::waitpid(child, &status, 0);
      CHECK(status == 0);
    }
    Store store(folder.file("p"), OpenMode::read_only);
    CHECK(value_of(store.query.count({})) == 8);
  }
}

TEST_CASE("killed while the database is made: the next one makes it") {
  for (int round = 0; round < 25; ++round) {
    CAPTURE(round);
    const TempFolder folder;
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      try {
        const Store store(folder.file("p"));
      } catch (...) {}
      ::pause();
    }
    std::this_thread::sleep_for(std::chrono::microseconds(300 * round));
    kill_child(child);
    Store store(folder.file("p"));
    store.initiated(1);
    CHECK(value_of(store.admin.check()).problems.empty());
  }
}

TEST_CASE("an unfinished file that nobody makes any more is no database to a reader") {
  const TempFolder folder;
  write_file(folder.file("p"), "");
  CHECK(refusal(folder.file("p"), OpenMode::read_only)->message.find("is not a payment database") != std::string::npos);
}

TEST_CASE("the data version moves with other connections' commits only") {
  const TempFolder folder;
  Store mine(folder.file("p"));
  Store other(folder.file("p"));
  const auto before = value_of(mine.store.change_counter());
  mine.initiated(1);
  CHECK(value_of(mine.store.change_counter()) == before);
  other.initiated(2);
  CHECK(value_of(mine.store.change_counter()) != before);
}

TEST_CASE("a foreign program's lock is busy, not an error of the database") {
  const TempFolder folder;
  Store store(folder.file("p"));
  sqlite3_busy_timeout(store.connection.database().getHandle(), 50);
  const auto other = raw(folder.file("p"));
  other->exec("BEGIN IMMEDIATE");
  Payment payment;
  payment.request = request_of(1);
  CHECK(store.write(payment, {InitPayment{}}).error().code == Errc::busy);
  other->exec("ROLLBACK");
  CHECK(store.write(payment, {InitPayment{}}));
}
