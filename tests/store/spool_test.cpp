// Goal: a preimage that the database could not store is not lost, and only preimages that are ours and prove something
// are taken in (R10). Method: round trips, damaged and foreign entries, and files that are not spools.
#include <filesystem>
#include <fstream>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "db/payments/spool.h"
#include "tests/store/fixture.h"

using namespace paytower;
using namespace paytower::test;

namespace {

std::string spool_text(const TempFolder& folder) {
  std::ifstream file(folder.file("p.spool"), std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

bool empty_spool(const TempFolder& folder) {
  const std::string text = spool_text(folder);
  return text.size() == 65'536 && text.find_first_not_of('\0') == std::string::npos;
}

}  // namespace

TEST_CASE("a spooled preimage is stored by the next run, and the spool is empty again") {
  const TempFolder folder;
  PaymentIndex open;
  PaymentIndex given_up;
  {
    Store store(folder.file("p"));
    CHECK(empty_spool(folder));
    open = store.in_flight(1).index;
    given_up = store.assumed_failed(2).index;
    store.store.spool(first_attempt(1), preimage_of(1));
    store.store.spool(first_attempt(2), preimage_of(2));
    store.store.spool(first_attempt(2), preimage_of(2));  // twice, as after two failed commits
    CHECK_FALSE(empty_spool(folder));
  }
  Store next(folder.file("p"), db::OpenMode::read_write);
  const db::SpoolReport report = value_of(next.store.take_in_spool(after(99)));
  CHECK(report.settled == std::vector{request_of(1).hash, request_of(2).hash});
  CHECK(report.left.empty());
  CHECK(next.store.load(open).value()->preimage == preimage_of(1));
  CHECK(next.store.load(open).value()->ended == after(99));
  CHECK(next.store.load(given_up).value()->late_preimage == preimage_of(2));
  CHECK(empty_spool(folder));
  CHECK(value_of(next.store.take_in_spool(after(100))).settled.empty());
}

TEST_CASE("what is not ours or does not prove stays where it is, and hinders nothing") {
  const TempFolder folder;
  Store store(folder.file("p"));
  store.in_flight(1);
  store.in_flight(2);
  store.store.spool(own_key(1, 999), preimage_of(1));                           // no attempt of ours
  store.store.spool(first_attempt(1), preimage_of(7));                          // does not prove
  store.store.spool(own_key(2, first_attempt(1).id.value), preimage_of(2));     // another hash's attempt
  store.store.spool(own_key(1, first_attempt(1).id.value, 3), preimage_of(1));  // a part that is not there
  store.store.spool(first_attempt(2), preimage_of(2));
  const auto report = value_of(store.store.take_in_spool(after(9)));
  CHECK(report.settled == std::vector{request_of(2).hash});
  CHECK(report.left.size() == 4);
  CHECK(db::read_spool(folder.file("p")).entries.size() == 4);
  CHECK(store.store.find(request_of(1).hash).value().payment->status() == PaymentStatus::in_flight);
}

TEST_CASE("a torn entry is not taken, and its place not used again") {
  const TempFolder folder;
  Store store(folder.file("p"));
  store.in_flight(1);
  store.store.spool(first_attempt(1), preimage_of(1));
  {
    std::fstream file(folder.file("p.spool"), std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(60);
    file.put('x');
  }
  CHECK(value_of(store.store.take_in_spool(after(9))).settled.empty());
  store.store.spool(first_attempt(1), preimage_of(1));
  CHECK(value_of(store.store.take_in_spool(after(9))).settled.size() == 1);
  CHECK_FALSE(empty_spool(folder));
}

TEST_CASE("the spool has room for 512 and then says nothing") {
  const TempFolder folder;
  Store store(folder.file("p"));
  for (std::uint64_t number = 1; number <= 520; ++number)
    store.store.spool(own_key(number, number), preimage_of(number));
  CHECK(db::read_spool(folder.file("p")).entries.size() == 512);
  CHECK(std::filesystem::file_size(folder.file("p.spool")) == 65'536);
}

TEST_CASE("a spool that is none is neither read nor written") {
  const TempFolder folder;
  Store store(folder.file("p"));
  store.in_flight(1);
  const std::string path = folder.file("p.spool");
  std::ofstream(folder.file("target"), std::ios::binary) << std::string(65'536, '\0');
  REQUIRE(::chmod(folder.file("target").c_str(), 0600) == 0);
  SUBCASE("a link") {
    std::filesystem::remove(path);
    std::filesystem::create_symlink(folder.file("target"), path);
  }
  SUBCASE("of two names") {
    std::filesystem::remove(path);
    std::filesystem::create_hard_link(folder.file("target"), path);
  }
  SUBCASE("for others to read") { REQUIRE(::chmod(path.c_str(), 0644) == 0); }
  SUBCASE("of another size") { std::filesystem::resize_file(path, 70'000); }
  SUBCASE("a folder") {
    std::filesystem::remove(path);
    std::filesystem::create_directory(path);
  }
  SUBCASE("a FIFO") {
    std::filesystem::remove(path);
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  }
  const auto size = [&] { return !std::filesystem::is_regular_file(path) ? 0 : std::filesystem::file_size(path); };
  const auto before = size();
  store.store.spool(first_attempt(1), preimage_of(1));
  CHECK(size() == before);
  CHECK(std::filesystem::file_size(folder.file("target")) == 65'536);
  const auto report = value_of(store.store.take_in_spool(after(9)));
  CHECK(report.settled.empty());
  CHECK_FALSE(report.left.empty());
  store.in_flight(2);
}

TEST_CASE("a copy without a spool gets one, a begun one is completed") {
  const TempFolder folder;
  Store store(folder.file("p"));
  store.in_flight(1);
  SUBCASE("none") { std::filesystem::remove(folder.file("p.spool")); }
  SUBCASE("empty") { std::filesystem::resize_file(folder.file("p.spool"), 0); }
  SUBCASE("half") { std::filesystem::resize_file(folder.file("p.spool"), 30'000); }
  CHECK(value_of(store.store.take_in_spool(after(9))).left.empty());
  CHECK(empty_spool(folder));
  store.store.spool(first_attempt(1), preimage_of(1));
  CHECK(value_of(store.store.take_in_spool(after(9))).settled.size() == 1);
}

TEST_CASE("processes that spool at the same time use different places") {
  const TempFolder folder;
  { const Store made(folder.file("p")); }
  std::vector<pid_t> children;
  for (std::uint64_t child_number = 0; child_number < 8; ++child_number) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      for (std::uint64_t i = 0; i < 20; ++i) {
        const std::uint64_t number = child_number * 20 + i + 1;
        if (!db::put_in_spool(folder.file("p"), {own_key(number, number), preimage_of(number)})) ::_exit(1);
      }
      ::_exit(0);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(status == 0);
  }
  CHECK(db::read_spool(folder.file("p")).entries.size() == 160);
}
