// Goal: after any error of the database nothing more is written and nothing is claimed (R10), and what was acknowledged
// is there, whenever the process dies (R1). Method: the log's n-th write or sync fails, for every n; a full disk; a
// COMMIT that does not happen; SIGKILL at any time.
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "db/sqlite/transaction.h"
#include "tests/store/fixture.h"
#include "tests/vfs/fault_vfs.h"

using namespace paytower;
using namespace paytower::test;

namespace {

/// A store on the file system that fails.
struct FaultyStore {
  explicit FaultyStore(const std::string& path)
      : connection(value_of(db::Connection::open(path, db::OpenMode::read_write, db::payment_file(), on_faulty()))),
        lock(connection.real_path(), db::default_lock_timeout_ns),
        store(value_of(db::SqlitePaymentStore::open(connection, lock))) {}

  static db::OpenOptions on_faulty() {
    (void)FaultDisk::instance();
    db::OpenOptions options;
    options.vfs = FaultDisk::name;
    return options;
  }

  db::Connection connection;
  db::WriteLock lock;
  db::SqlitePaymentStore store;
};

std::vector<Write> settle(std::uint64_t number) {
  return {SettleAttempt{first_attempt(number), preimage_of(number), after(50)},
          Succeed{preimage_of(number), after(50)}};
}

/// Checks that every later write of this process is refused, even if the disk would accept it.
void check_broken(db::Connection& connection, db::SqlitePaymentStore& store) {
  CHECK(connection.broken());
  Payment other;
  other.request = request_of(700);
  const std::vector<Write> writes = {InitPayment{}};
  const PaymentWrites entry{&other, writes};
  CHECK_THROWS_AS((void)store.commit(std::span(&entry, 1)), StoreError);
  CHECK_FALSE(store.find(request_of(700).hash).value().payment);
}

}  // namespace

TEST_CASE(
    "each write and each sync of a commit fails once: no claim, no further write, and the file is one of the two") {
  int failures = 0;
  for (const int code : {SQLITE_IOERR_WRITE, SQLITE_FULL, SQLITE_IOERR_FSYNC}) {
    for (std::uint64_t call = 1;; ++call) {
      CAPTURE(code);
      CAPTURE(call);
      REQUIRE(call < 100);
      const TempFolder folder;
      Payment payment = Store(folder.file("p")).in_flight(1);
      bool thrown = false;
      {
        FaultyStore faulty(folder.file("p"));
        DiskFault fault;
        fault.kind = DiskFault::Kind::error;
        fault.at = call;
        fault.calls = {DiskCall::write, DiskCall::sync};
        fault.code = code;
        fault.log_only = true;
        FaultDisk::instance().arm(fault);
        const std::vector<Write> writes = settle(1);
        const PaymentWrites entry{&payment, writes};
        try {
          const auto results = faulty.store.commit(std::span(&entry, 1));
          REQUIRE(results.size() == 1);
          CHECK(results.front());
        } catch (const StoreError&) {
          thrown = true;
          faulty.store.spool(first_attempt(1), preimage_of(1));
        }
        CHECK(thrown == FaultDisk::instance().struck());
        FaultDisk::instance().disarm();
        if (thrown) check_broken(faulty.connection, faulty.store);
      }
      FaultDisk::instance().forget();
      Store next(folder.file("p"));
      const auto stored = next.store.load(payment.index).value();
      REQUIRE(stored);
      const bool before = stored->status() == PaymentStatus::in_flight && stored->has_open_attempt();
      const bool settled = stored->status() == PaymentStatus::succeeded && !stored->has_open_attempt();
      CHECK((before || settled));
      if (!thrown) CHECK(settled);
      CHECK(value_of(next.admin.check()).problems.empty());
      // The next run gets the preimage from the spool, whatever the file says.
      CHECK(value_of(next.store.take_in_spool(after(60))).left.empty());
      CHECK(next.store.load(payment.index).value()->status() == PaymentStatus::succeeded);
      if (!thrown) break;
      ++failures;
    }
  }
  CHECK(failures >= 20);
}

TEST_CASE("a COMMIT that does not happen") {
  const TempFolder folder;
  Store store(folder.file("p"));
  Payment payment = store.in_flight(1);
  sqlite3_commit_hook(
      store.connection.database().getHandle(), [](void*) { return 1; }, nullptr);
  const std::vector<Write> writes = settle(1);
  const PaymentWrites entry{&payment, writes};
  CHECK_THROWS_AS((void)store.store.commit(std::span(&entry, 1)), StoreError);
  sqlite3_commit_hook(store.connection.database().getHandle(), nullptr, nullptr);
  check_broken(store.connection, store.store);
  CHECK(Store(folder.file("p")).store.load(payment.index).value()->has_open_attempt());
}

TEST_CASE("a disk that takes no more: the spool still does") {
  const TempFolder folder;
  Payment payment = Store(folder.file("p")).in_flight(1);
  const auto fill_disk = [&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const auto size = std::filesystem::file_size(folder.file("p-wal"));
    const struct rlimit limit { size + 5'000, size + 5'000 };
    return ::setrlimit(RLIMIT_FSIZE, &limit) == 0;
  };
  const int status = in_child([&] {
    Store store(folder.file("p"));
    if (!fill_disk()) return false;
    const std::vector<Write> writes = settle(1);
    const PaymentWrites entry{&payment, writes};
    try {
      (void)store.store.commit(std::span(&entry, 1));
      return false;
    } catch (const StoreError&) {
      store.store.spool(first_attempt(1), preimage_of(1));
      return store.connection.broken();
    }
  });
  CHECK(status == 0);
  // As long as there is no room, each run says what is known.
  const int again = in_child([&] {
    Store store(folder.file("p"));
    if (!fill_disk()) return false;
    try {
      (void)store.store.take_in_spool(after(60));
      return false;
    } catch (const StoreError& error) {
      const std::string known = "payment " + payment.request.hash.hex() + " is paid, its preimage stays in ";
      return std::string(error.what()).find(known) == 0;
    }
  });
  CHECK(again == 0);
  Store next(folder.file("p"));
  CHECK(next.store.load(payment.index).value()->has_open_attempt());
  CHECK(value_of(next.store.take_in_spool(after(60))).settled.size() == 1);
  CHECK(next.store.load(payment.index).value()->status() == PaymentStatus::succeeded);
}

TEST_CASE("a transaction that ends by itself inside a batch") {
  const TempFolder folder;
  Store store(folder.file("p"));
  store.initiated(1);
  SUBCASE("between the entries") {
    CHECK_THROWS_AS(
        (void)db::write_tx(store.connection, store.lock, [&] { store.connection.database().exec("ROLLBACK"); }),
        StoreError);
  }
  SUBCASE("inside an entry that is refused") {
    CHECK_THROWS_AS((void)db::write_tx(store.connection, store.lock,
                                       [&] {
                                         (void)db::in_savepoint(store.connection, [&] {
                                           store.connection.database().exec("ROLLBACK");
                                           refuse(Errc::conflict, "no");
                                         });
                                       }),
                    StoreError);
  }
  check_broken(store.connection, store.store);
}

TEST_CASE("what leaves a write_tx undoes it, and the connection goes on") {
  const TempFolder folder;
  Store store(folder.file("p"));
  const auto insert = [&] {
    store.connection.database().exec(
        "INSERT INTO operator_words (at_ns, word, payment_hash, speaker) VALUES (1, 4, NULL, 'a')");
  };
  const auto rows = [&] {
    return store.connection.database().execAndGet("SELECT count(*) FROM operator_words").getInt();
  };
  const auto done = db::write_tx(store.connection, store.lock, [&] {
    insert();
    refuse(Errc::guarded, "no");
  });
  CHECK(done.error().code == Errc::guarded);
  CHECK_THROWS_AS((void)db::write_tx(store.connection, store.lock,
                                     [&] {
                                       insert();
                                       throw std::bad_alloc();
                                     }),
                  std::bad_alloc);
  const auto inserted = db::write_tx(store.connection, store.lock, [&] {
    insert();
    store.connection.database().exec("DELETE FROM operator_words");
  });
  CHECK(inserted.error().code == Errc::conflict);
  CHECK(rows() == 0);
  CHECK_FALSE(store.connection.broken());
  const auto value = db::write_tx(store.connection, store.lock, [&] {
    insert();
    return 42;
  });
  CHECK(*value == 42);
  CHECK(rows() == 1);
  // A syntax error is not a constraint: it is a bug, and nobody knows what else is wrong.
  CHECK_THROWS_AS((void)db::write_tx(store.connection, store.lock,
                                     [&] { store.connection.database().exec("INSERT INTO nothing VALUES (1)"); }),
                  StoreError);
  CHECK(store.connection.broken());
}

TEST_CASE("a read-only connection writes nothing") {
  const TempFolder folder;
  { Store(folder.file("p")).initiated(1); }
  Store reader(folder.file("p"), db::OpenMode::read_only);
  Payment payment;
  payment.request = request_of(2);
  const std::vector<Write> writes = {InitPayment{}};
  const PaymentWrites entry{&payment, writes};
  CHECK_THROWS_AS((void)reader.store.commit(std::span(&entry, 1)), StoreError);
  CHECK(value_of(reader.query.count({})) == 1);
}

TEST_CASE("killed at any time: what was acknowledged is there, and the rest is whole") {
  std::mt19937_64 random(1);
  std::uint64_t acknowledged_in_all = 0;
  for (int round = 0; round < 25; ++round) {
    CAPTURE(round);
    const TempFolder folder;
    { const Store made(folder.file("p")); }
    std::array<int, 2> tell{};
    REQUIRE(::pipe(tell.data()) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      ::close(tell[0]);
      try {
        Store store(folder.file("p"));
        for (std::uint64_t number = 1;; ++number) {
          store.paid(number);
          if (::write(tell[1], &number, sizeof(number)) != sizeof(number)) ::_exit(1);
          if (number % 7 == 0) store.store.checkpoint_if_due();
        }
      } catch (...) {
        ::_exit(1);
      }
    }
    ::close(tell[1]);
    std::this_thread::sleep_for(std::chrono::microseconds(2'000 + random() % 40'000));
    kill_child(child);
    std::uint64_t acknowledged = 0;
    while (::read(tell[0], &acknowledged, sizeof(acknowledged)) == sizeof(acknowledged)) {}
    ::close(tell[0]);
    acknowledged_in_all += acknowledged;
    Store next(folder.file("p"));
    db::PaymentFilter paid;
    paid.statuses = {PaymentStatus::succeeded};
    const auto count = value_of(next.query.count(paid));
    CHECK(count >= acknowledged);
    CHECK(count <= acknowledged + 1);
    CHECK(value_of(next.query.count({})) <= acknowledged + 1);
    CHECK(value_of(next.admin.check()).problems.empty());
    next.paid(100'000);
  }
  CHECK(acknowledged_in_all > 0);
}
