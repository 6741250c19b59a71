// Goal: the right meta page is used. A file that cannot be read, or is being written, is refused, with a different
// message for each case. Method: files of real bbolt, files made here, damaged copies of both, and other processes that
// hold locks.
#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lnd/lnd_fixture.h"

using namespace paytower;
using namespace paytower::db::lnd;
using namespace paytower::test;

namespace {

/// What another process gets when it asks for this lock now.
bool others_get(const std::string& path, int how) {
  const pid_t child = ::fork();
  if (child == 0) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    ::_exit(file >= 0 && ::flock(file, how | LOCK_NB) == 0 ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/// A lock held by an open file description of its own, as another process's is.
class Held {
 public:
  Held(const std::string& path, int how) : file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    REQUIRE(::flock(file_, how | LOCK_NB) == 0);
  }
  ~Held() { ::close(file_); }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;

 private:
  int file_;
};

std::string why(const std::string& path) {
  const Error error = refusal_of([&] { const BboltFile file(path); });
  CHECK(error.code == Errc::usage);
  CHECK(error.message.find(path) == 0);
  return error.message;
}

}  // namespace

TEST_CASE("example A1: the meta pages of a file of real bbolt") {
  const BboltFile file(example("v8.db"));
  CHECK(file.meta().page_bytes == 4096);
  CHECK(file.meta().root_page == 5);
  CHECK(file.meta().freelist_page == 6);
  CHECK(file.meta().high_water == 7);
  CHECK(file.meta().txid == 2);
  CHECK(file.file_bytes() == 32768);
  CHECK(file.page(5).leaf);
  CHECK(file.page(5).count == 4);
}

TEST_CASE("example A1: with meta page 0 damaged, page 1 leads to the commit before") {
  const TempFolder folder;
  FileImage image = FileImage::load(example("v8.db"));
  CHECK(image.get(72, 8) == 0x38c10c382f8aff2d);
  CHECK(fnv1a(image.bytes, 16, 72) == 0x38c10c382f8aff2d);
  image.bytes[40] ^= 1;
  image.save(folder.file("damaged"));
  const BboltFile file(folder.file("damaged"));
  CHECK(file.meta().txid == 1);
  CHECK(file.meta().root_page == 3);
  CHECK(file.meta().high_water == 4);
}

TEST_CASE("FNV-1a as the checksum has it") {
  CHECK(fnv1a({}, 0, 0) == 0xcbf29ce484222325);
  CHECK(fnv1a(bytes_of("a"), 0, 1) == 0xaf63dc4c8601ec8c);
  CHECK(fnv1a(bytes_of("foobar"), 0, 6) == 0x85944171f73967e8);
}

TEST_CASE("vector 21: two commits of either parity, and one meta page damaged, at every page size") {
  const TempFolder folder;
  const std::string path = folder.file("db");
  for (const std::uint32_t page_bytes : {1024U, 2048U, 4096U, 8192U, 16384U, 32768U, 65536U}) {
    for (const std::uint64_t txid : {2U, 3U}) {
      CAPTURE(page_bytes);
      CAPTURE(txid);
      BboltOptions options;
      options.page_bytes = page_bytes;
      options.first_txid = txid;
      BboltWriter writer(path, options);
      write_legacy(writer, {options, 8, 3, {}});
      write_legacy(writer, {options, 8, 5, {}});
      CHECK(BboltFile(path).meta().page_bytes == page_bytes);
      CHECK(BboltFile(path).meta().txid == txid + 1);
      CHECK(all(ChannelDb::open(path).legacy_payments()).size() == 5);

      FileImage image = FileImage::load(path, page_bytes);
      const std::uint64_t newer = (txid + 1) % 2;
      image.bytes[image.page(newer) + 33] ^= 0x40;
      image.save(path);
      CHECK(BboltFile(path).meta().txid == txid);
      CHECK(all(ChannelDb::open(path).legacy_payments()).size() == 3);

      image.bytes[image.page(1 - newer) + 16] ^= 0x40;
      image.save(path);
      CHECK(says(why(path), "is not a bbolt file"));
    }
  }
}

TEST_CASE("a meta page counts only when all of it is right") {
  const TempFolder folder;
  const std::string path = folder.file("db");
  const auto spoiled = [&](std::uint64_t offset, std::size_t size, std::uint64_t value, bool sealed) {
    FileImage image = FileImage::load(example("v8.db"));
    for (const std::uint64_t meta : {0U, 1U}) {
      image.set(image.page(meta) + offset, size, value);
      if (sealed) image.seal(meta);
    }
    image.save(path);
    return why(path);
  };
  CHECK(says(spoiled(16, 4, 0xEDDA0CED, true), "other byte order"));
  CHECK(says(spoiled(16, 4, 0, true), "not a bbolt meta page"));
  CHECK(says(spoiled(20, 4, 1, true), "bbolt version 1"));
  CHECK(says(spoiled(72, 8, 0, false), "wrong checksum"));
  CHECK(says(spoiled(24, 4, 512, true), "page size 512"));
  CHECK(says(spoiled(24, 4, 131072, true), "page size 131072"));
  CHECK(says(spoiled(24, 4, 5000, true), "page size 5000"));
  CHECK(says(spoiled(8, 2, 2, true), "wrong page header"));
  CHECK(says(spoiled(32, 8, 1, true), "root page 1 is not there"));
  CHECK(says(spoiled(32, 8, 7, true), "root page 7 is not there"));
  CHECK(says(spoiled(56, 8, 2, true), "high water mark 2"));
  CHECK(says(spoiled(56, 8, ~0ULL, true), "high water mark"));
  CHECK(says(spoiled(56, 8, 1ULL << 62, true), "high water mark"));
  CHECK(says(spoiled(56, 8, 9, true), "is cut short"));
}

TEST_CASE("two valid meta pages that name different page sizes are refused") {
  const TempFolder folder;
  const std::string path = folder.file("db");
  FileImage image = FileImage::load(example("v8.db"));
  image.set(image.page(1) + 24, 4, 8192);
  image.seal(1);
  image.save(path);
  CHECK(says(why(path), "different page sizes"));
}

TEST_CASE("what is no bbolt file is refused") {
  const TempFolder folder;
  CHECK(says(why(folder.file("missing")), "cannot open it: No such file"));
  CHECK(says(why(folder.path()), "not a regular file"));
  REQUIRE(::mkfifo(folder.file("pipe").c_str(), 0600) == 0);
  CHECK(says(why(folder.file("pipe")), "not a regular file"));
  std::ofstream(folder.file("empty")).flush();
  CHECK(says(why(folder.file("empty")), "is not a bbolt file: 0 bytes"));
  std::ofstream(folder.file("text")) << std::string(100'000, 'x');
  CHECK(says(why(folder.file("text")), "is not a bbolt file"));
}

TEST_CASE("a link to the file and a folder that cannot be written are fine") {
  const TempFolder folder;
  std::filesystem::create_directory(folder.file("closed"));
  std::filesystem::copy(example("v8.db"), folder.file("closed/channel.db"));
  std::filesystem::permissions(folder.file("closed/channel.db"), std::filesystem::perms::owner_read);
  std::filesystem::permissions(folder.file("closed"),
                               std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
  std::filesystem::create_symlink(folder.file("closed/channel.db"), folder.file("link"));
  CHECK(BboltFile(folder.file("link")).meta().txid == 2);
  std::filesystem::permissions(folder.file("closed"), std::filesystem::perms::owner_all);
}

TEST_CASE("vector 24: a writer's lock is busy, a reader's is fine, ours keeps writers out as long as we read") {
  const TempFolder folder;
  const std::string path = folder.file("channel.db");
  std::filesystem::copy(example("v8.db"), path);
  {
    const Held lnd(path, LOCK_EX);
    const Error error = refusal_of([&] { (void)ChannelDb::open(path); });
    CHECK(error.code == Errc::busy);
    CHECK(says(error.message, "lnd"));
    CHECK(says(error.hint, "stop lnd"));
  }
  {
    const Held reader(path, LOCK_SH);
    CHECK(ChannelDb::open(path).version() == 8);
  }
  {
    const ChannelDb ours = ChannelDb::open(path);
    CHECK(others_get(path, LOCK_SH));
    CHECK_FALSE(others_get(path, LOCK_EX));
  }
  CHECK(others_get(path, LOCK_EX));
  CHECK_FALSE(refusal_of([&] { const BboltFile refused(folder.file("no")); }).message.empty());
}

TEST_CASE("a refused file is not left locked") {
  const TempFolder folder;
  const std::string path = folder.file("text");
  std::ofstream(path) << std::string(100'000, 'x');
  CHECK(says(why(path), "is not a bbolt file"));
  CHECK(others_get(path, LOCK_EX));
}

TEST_CASE("the source keeps its bytes and its times, and a change under the reader is noticed") {
  const TempFolder folder;
  const std::string path = folder.file("channel.db");
  std::filesystem::copy(example("v9.db"), path);
  const FileImage before = FileImage::load(path);
  const auto time = std::filesystem::last_write_time(path);
  const ChannelDb database = ChannelDb::open(path);
  for (KvPayments payments(database); payments.next();) {}
  database.file().check_unchanged();
  CHECK(FileImage::load(path).bytes == before.bytes);
  CHECK(std::filesystem::last_write_time(path) == time);

  // A writer that takes no lock is noticed once by the time of change, and once by what it has written.
  std::filesystem::last_write_time(path, time + std::chrono::seconds(1));
  CHECK(refusal_of([&] { database.file().check_unchanged(); }).code == Errc::busy);
  FileImage after = before;
  after.set(64, 8, 77);
  after.save(path);
  std::filesystem::last_write_time(path, time);
  CHECK(refusal_of([&] { database.file().check_unchanged(); }).code == Errc::busy);
  before.save(path);
  std::filesystem::last_write_time(path, time);
  database.file().check_unchanged();
}

TEST_CASE("a file that is cut while it is read ends in a refusal") {
  const TempFolder folder;
  const std::string path = folder.file("channel.db");
  write_legacy(path, {{}, 8, 400, {}});
  const ChannelDb database = ChannelDb::open(path);
  RawStream payments = database.legacy_payments();
  REQUIRE(payments.next());
  std::filesystem::resize_file(path, 5 * 4096);
  CHECK(says(refusal_of([&] {
               while (payments.next()) {}
             }).message,
             "became shorter"));
  CHECK_FALSE(payments.next());
}
