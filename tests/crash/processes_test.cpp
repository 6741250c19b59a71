// Goal: two processes that write and checkpoint at the same instant lose no commit (R11, R15). Method: two children are
// forked again and again and work at once; and a mutant of them that loses SQLite's locks, which must lose a commit.
#include <array>
#include <functional>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/crash/points.h"

using namespace paytower;
using namespace paytower::test;

namespace {

/// A child process that exits with 0 if `work` returns true.
pid_t child(const std::function<bool()>& work) {
  const pid_t started = fork();
  if (started != 0) return started;
  bool well = false;
  try {
    well = work();
  } catch (...) {}
  _exit(well ? 0 : 1);
}

bool ended_well(pid_t one) {
  int ended = -1;
  return waitpid(one, &ended, 0) == one && ended == 0;
}

void init_payment(Process& process, const PaymentRequest& request) {
  Payment fresh;
  fresh.request = request;
  const std::vector<Write> init = {InitPayment{}};
  const PaymentWrites writes{&fresh, init};
  if (!process.store.commit(std::span(&writes, 1)).front()) throw StoreError("refused");
}

/// What is wrong with the file after two children wrote `expected` payments; empty = nothing.
std::string fault_of(CrashWorld& world, int expected) {
  try {
    Process process(world.path);
    auto& database = process.connection.database();
    const std::string sound = database.execAndGet("PRAGMA integrity_check").getString();
    if (sound != "ok") return "integrity_check: " + sound;
    const int count = database.execAndGet("SELECT count(*) FROM payments").getInt();
    return count == expected ? "" : std::to_string(count) + " payments of " + std::to_string(expected);
  } catch (const std::exception& error) {
    return error.what();
  }
}

void say(int to) {
  const char byte = 1;
  if (::write(to, &byte, 1) != 1) _exit(2);
}

void hear(int from) {
  char byte = 0;
  if (::read(from, &byte, 1) != 1) _exit(2);
}

}  // namespace

TEST_CASE("crash: two processes write and checkpoint at the same instant") {
  constexpr int rounds = 20;
  constexpr int payments_each = 5;
  for (int round = 0; round < rounds; ++round) {
    CrashWorld world(static_cast<std::uint64_t>(round + 1));
    make_database(world);
    for (int i = 0; i < 2 * payments_each; ++i) world.invoice();
    // Each child is a process with its own connections, and its own copy of our network, which ends with it.
    const auto writer = [&](int which) {
      return child([&, which] {
        bool all = true;
        for (int i = 0; i < payments_each; ++i) {
          all &= world.process([&](Process& process) {
            init_payment(process, world.requests[static_cast<std::size_t>(which * payments_each + i)]);
            auto held = process.write_lock.acquire();
            if (!held) throw StoreError("busy");
            sqlite3_wal_checkpoint_v2(process.connection.database().getHandle(), nullptr, SQLITE_CHECKPOINT_TRUNCATE,
                                      nullptr, nullptr);
          });
        }
        return all;
      });
    };
    const pid_t first = writer(0);
    const pid_t second = writer(1);
    CHECK(ended_well(first));
    CHECK(ended_well(second));
    CHECK(fault_of(world, 2 * payments_each) == "");
  }
}

TEST_CASE("crash mutants: a process that opens and closes a file of the database loses its locks") {
  // Without the write lock, and with a descriptor of its own on the -shm file: what R11 and R15 forbid.
  std::array<int, 2> to_second{};
  std::array<int, 2> to_first{};
  REQUIRE(::pipe(to_second.data()) == 0);
  REQUIRE(::pipe(to_first.data()) == 0);
  CrashWorld world;
  make_database(world);
  world.invoice();
  const auto insert = [&](Process& process, const char* word) {
    process.connection.database().exec("BEGIN IMMEDIATE");
    process.connection.database().exec(
        std::string("INSERT INTO operator_words (at_ns, word, payment_hash, speaker) VALUES (1, 4, NULL, '") + word +
        "')");
  };
  const pid_t first = child([&] {
    Process process(world.path);
    insert(process, "first");
    ::close(::open((world.path + "-shm").c_str(), O_RDWR | O_CLOEXEC));
    say(to_second[1]);
    hear(to_first[0]);
    process.connection.database().exec("COMMIT");
    return true;
  });
  const pid_t second = child([&] {
    hear(to_second[0]);
    Process process(world.path);
    insert(process, "second");
    process.connection.database().exec("COMMIT");
    say(to_first[1]);
    return true;
  });
  const bool both_well = static_cast<int>(ended_well(first)) + static_cast<int>(ended_well(second)) == 2;
  for (const int end : {to_second[0], to_second[1], to_first[0], to_first[1]}) ::close(end);
  // Either a commit vanishes, or the log's index is cut off while the first process uses it, which kills that process.
  // The checks above see both.
  Process process(world.path);
  const bool both_stored =
      process.connection.database().execAndGet("SELECT count(*) FROM operator_words").getInt() == 2;
  CHECK_FALSE((both_well && both_stored));
}
