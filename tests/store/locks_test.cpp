// Goal: at most one process writes, and at most one drives a payment (R11, R15). Method: other processes that hold,
// die, and replace the lock file.
#include <chrono>
#include <filesystem>
#include <fstream>

#include <sys/wait.h>
#include <unistd.h>

#include "core/base/limits.h"
#include "db/payments/payment_locks.h"
#include "tests/store/fixture.h"

using namespace paytower;
using namespace paytower::test;

namespace {

PaymentHash hash_with(std::uint8_t first, std::uint8_t last) {
  PaymentHash hash;
  hash.bytes.front() = first;
  hash.bytes.back() = last;
  return hash;
}

}  // namespace

TEST_CASE("a payment's lock keeps others out, and dies with its process") {
  const TempFolder folder;
  const std::string path = folder.file("p");
  const PaymentHash hash = hash_with(1, 1);
  db::FilePaymentLocks mine(path);
  const pid_t child = start_child([&] {
    auto* theirs = new db::FilePaymentLocks(path);
    if (!theirs->try_lock(hash)) ::_exit(1);
  });
  CHECK_FALSE(mine.try_lock(hash));
  CHECK(mine.try_lock(hash_with(2, 1)));
  kill_child(child);
  CHECK(mine.try_lock(hash));
  CHECK(in_child([&] { return !db::FilePaymentLocks(path).try_lock(hash); }) == 0);
  mine.unlock(hash);
  CHECK(in_child([&] { return db::FilePaymentLocks(path).try_lock(hash); }) == 0);
}

TEST_CASE("a payment is locked once within a process too") {
  const TempFolder folder;
  db::FilePaymentLocks locks(folder.file("p"));
  CHECK(locks.try_lock(hash_with(1, 1)));
  CHECK_FALSE(locks.try_lock(hash_with(1, 1)));
  db::FilePaymentLocks other(folder.file("p"));
  CHECK_FALSE(other.try_lock(hash_with(1, 1)));
  locks.unlock(hash_with(1, 1));
  locks.unlock(hash_with(1, 1));  // not held any more: does nothing
  CHECK(other.try_lock(hash_with(1, 1)));
}

TEST_CASE("hashes that share a byte share its lock until the last one goes") {
  const TempFolder folder;
  const PaymentHash one = hash_with(3, 1);
  const PaymentHash two = hash_with(3, 2);
  REQUIRE(db::lock_byte(one) == db::lock_byte(two));
  db::FilePaymentLocks locks(folder.file("p"));
  db::FilePaymentLocks other(folder.file("p"));
  CHECK(locks.try_lock(one));
  CHECK(locks.try_lock(two));
  locks.unlock(one);
  CHECK_FALSE(other.try_lock(one));
  locks.unlock(two);
  CHECK(other.try_lock(one));
  CHECK_FALSE(locks.try_lock(two));
}

TEST_CASE("lock bytes: from 2^62 up, and far from the end of what a file may be") {
  PaymentHash last;
  last.bytes.fill(255);
  CHECK(db::lock_byte(PaymentHash{}) == std::int64_t{1} << 62);
  CHECK(db::lock_byte(last) == (std::int64_t{1} << 62) + (std::int64_t{1} << 56) - 1);
}

TEST_CASE("no more than the most locks at once") {
  const TempFolder folder;
  db::FilePaymentLocks locks(folder.file("p"));
  const auto hash = [](std::size_t number) { return hash_of(preimage_of(number)); };
  for (std::size_t i = 0; i < limits::max_payment_locks; ++i) REQUIRE(locks.try_lock(hash(i)));
  CHECK_FALSE(locks.try_lock(hash(limits::max_payment_locks)));
  locks.unlock(hash(0));
  CHECK(locks.try_lock(hash(limits::max_payment_locks)));
}

TEST_CASE("the write lock waits for its time and no longer") {
  const TempFolder folder;
  db::WriteLock mine(folder.file("p"), 200 * ns_per_ms);
  const pid_t child = start_child([&] {
    auto* theirs = new db::WriteLock(folder.file("p"), 0);
    static auto held = theirs->acquire();
    if (!held) ::_exit(1);
  });
  const auto start = std::chrono::steady_clock::now();
  const auto refused = mine.acquire();
  const auto waited = std::chrono::steady_clock::now() - start;
  CHECK(refused.error().code == Errc::busy);
  CHECK(waited >= std::chrono::milliseconds(200));
  CHECK(waited < std::chrono::seconds(2));
  CHECK_FALSE(mine.try_acquire());
  kill_child(child);
  auto held = mine.acquire();
  CHECK(held);
  CHECK_THROWS_AS((void)mine.acquire(), std::logic_error);
}

TEST_CASE("whoever waits for the write lock shows it, and work in many pieces lets it go first") {
  const TempFolder folder;
  db::WriteLock mine(folder.file("p"), 0);
  db::LockFile watcher(folder.file("p"));
  REQUIRE(watcher.try_lock(7));
  CHECK_FALSE(watcher.others_wait());
  auto held = mine.try_acquire();
  REQUIRE(held);
  const pid_t child = start_child([&] {
    static db::LockFile waiting(folder.file("p"));
    if (!waiting.try_lock(8)) ::_exit(1);
    waiting.show_waiting(true);
  });
  CHECK(watcher.others_wait());
  held.reset();
  mine.give_way();  // ends although the other one still shows its sign
  CHECK(mine.try_acquire());
  kill_child(child);
  CHECK_FALSE(watcher.others_wait());
  // A process that has waited in vain leaves no sign.
  const auto again = mine.try_acquire();
  REQUIRE(again);
  db::WriteLock other(folder.file("p"), 0);
  CHECK_FALSE(other.acquire());
  CHECK_FALSE(watcher.others_wait());
}

TEST_CASE("write lock and payment locks do not meet") {
  const TempFolder folder;
  db::WriteLock write(folder.file("p"), 0);
  db::FilePaymentLocks payments(folder.file("p"));
  const auto held = write.acquire();
  CHECK(payments.try_lock(PaymentHash{}));
}

TEST_CASE("a lock file that was replaced: the new one counts, and old locks mean nothing") {
  const TempFolder folder;
  db::FilePaymentLocks locks(folder.file("p"));
  CHECK(locks.try_lock(hash_with(1, 1)));
  locks.unlock(hash_with(1, 1));
  std::filesystem::remove(folder.file("p.lock"));
  // Nothing was held, so the next lock is taken in a new file, where others see it.
  CHECK(locks.try_lock(hash_with(1, 1)));
  db::FilePaymentLocks other(folder.file("p"));
  CHECK_FALSE(other.try_lock(hash_with(1, 1)));
  // A lock is held in the removed file, where it keeps nobody out any more.
  std::filesystem::remove(folder.file("p.lock"));
  CHECK_THROWS_AS((void)locks.try_lock(hash_with(2, 1)), StoreError);
}

TEST_CASE("a lock file that is none") {
  const TempFolder folder;
  db::FilePaymentLocks locks(folder.file("p"));
  std::ofstream(folder.file("target")) << "";
  SUBCASE("a link") { std::filesystem::create_symlink(folder.file("target"), folder.file("p.lock")); }
  SUBCASE("a second name") { std::filesystem::create_hard_link(folder.file("target"), folder.file("p.lock")); }
  SUBCASE("a folder") { std::filesystem::create_directory(folder.file("p.lock")); }
  CHECK_THROWS_AS((void)locks.try_lock(hash_with(1, 1)), StoreError);
}

TEST_CASE("many write at once: nothing is lost, nothing is mixed") {
  const TempFolder folder;
  { const Store made(folder.file("p")); }
  constexpr std::uint64_t writers = 4;
  constexpr std::uint64_t each = 50;
  std::vector<pid_t> children;
  for (std::uint64_t writer = 0; writer < writers; ++writer) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      try {
        Store store(folder.file("p"), db::OpenMode::read_write);
        for (std::uint64_t i = 0; i < each; ++i) store.paid(1 + writer * each + i);
        store.store.checkpoint_if_due();
        ::_exit(0);
      } catch (...) {
        ::_exit(1);
      }
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(status == 0);
  }
  Store store(folder.file("p"), db::OpenMode::read_only);
  db::PaymentFilter paid;
  paid.statuses = {PaymentStatus::succeeded};
  CHECK(value_of(store.query.count(paid)) == writers * each);
  CHECK(value_of(store.admin.check()).problems.empty());
}
