// Goal: whichever byte is wrong, and wherever the file ends, reading gives content or a refusal, within bounds. Method:
// every byte of small files is flipped (nonzero ones in three ways), every length is tried; and some files are large
// where a small one is expected.
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <new>

#include <doctest/doctest.h>

#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include "tests/lnd/kv_bytes.h"
#include "tests/lnd/lnd_fixture.h"
#include "tests/lnd/walk.h"

using namespace paytower;
using namespace paytower::db::lnd;
using namespace paytower::test;

namespace {

std::atomic<std::size_t> live_bytes{0};
std::atomic<std::size_t> peak_bytes{0};

}  // namespace

// Counts every allocation of this program, so that the bound on memory is tested itself, and not by the size of the
// process.
void* operator new(std::size_t size) {
  void* const got = std::malloc(size > 0 ? size : 1);
  if (got == nullptr) throw std::bad_alloc();
  const std::size_t live = live_bytes += malloc_usable_size(got);
  for (std::size_t peak = peak_bytes; live > peak && !peak_bytes.compare_exchange_weak(peak, live);) {}
  return got;
}
void operator delete(void* memory) noexcept {
  if (memory != nullptr) live_bytes -= malloc_usable_size(memory);
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }

namespace {

/// How much `act` had allocated at its peak.
std::size_t peak_of(const std::function<void()>& act) {
  const std::size_t before = live_bytes;
  peak_bytes = before;
  act();
  return peak_bytes - before;
}
constexpr std::size_t mib = 1 << 20;

struct Tally {
  std::size_t read = 0;
  std::size_t refused = 0;
};

void walk_once(const std::string& path, Tally& tally) {
  try {
    (void)walk_file(path);
    ++tally.read;
  } catch (const RefusalError& refused) {
    if (refused.error().code != Errc::usage) throw;
    ++tally.refused;
  }
}

/// Flips every nonzero byte three times: its lowest bit, its highest bit, all bits. Zeros are mostly padding: only
/// their lowest bit is flipped, and only at multiples of `step`.
Tally flip_everywhere(const std::string& path, std::size_t step = 1) {
  Tally tally;
  const FileImage image = FileImage::load(path);
  const int file = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  REQUIRE(file >= 0);
  const auto write = [&](std::size_t at, int byte) {
    const auto value = static_cast<std::uint8_t>(byte);
    REQUIRE(::pwrite(file, &value, 1, static_cast<off_t>(at)) == 1);
  };
  for (std::size_t at = 0; at < image.bytes.size(); ++at) {
    if (image.bytes[at] == 0 && at % step != 0) continue;
    for (const int mask : {0x01, 0x80, 0xFF}) {
      if (image.bytes[at] == 0 && mask != 0x01) continue;
      write(at, image.bytes[at] ^ mask);
      walk_once(path, tally);
    }
    write(at, image.bytes[at]);
  }
  ::close(file);
  return tally;
}

/// A file that ends at its high water mark refuses every shorter length.
void cut_everywhere(const std::string& path) {
  const FileImage image = FileImage::load(path);
  for (std::size_t size = image.bytes.size(); size > 0; --size) {
    std::filesystem::resize_file(path, size - 1);
    Tally tally;
    walk_once(path, tally);
    if (tally.refused != 1) FAIL("a file of " << size - 1 << " bytes was read");
  }
}

BboltOptions small_pages() {
  BboltOptions options;
  options.page_bytes = 1024;
  options.inline_small = false;
  return options;
}

/// A payment with a failed, a settled and an open attempt, as far as the layout has them, and with two duplicates.
void write_layout(const std::string& path, std::uint32_t version) {
  const bool tails = version >= 10;
  const bool one_attempt = version < 13;
  const Bytes hash = hash_of_preimage(1);
  const auto old_form = [&](BboltWriter& writer, std::uint64_t sequence) {
    writer.put("payment-attempt-info", joined({be64(0), session_key(), plain_route(tails)}));
    writer.put("payment-creation-info", creation_info(hash, 1000, 1'600'000'000, "lnbc"));
    writer.put("payment-sequence-key", be64(sequence));
    writer.put("payment-settle-info", preimage_of(1));
  };
  const Bytes info = joined({session_key(), plain_route(tails), be64(5)});
  const auto attempts_in_buckets = [&](BboltWriter& writer) {
    for (const std::uint64_t id : {1U, 2U, 3U}) {
      writer.begin(be64(id));
      writer.put("htlc-attempt-info", info);
      if (id == 1) writer.put("htlc-fail-info", fail_info(5, {0x10, 0x07}, 3, 2));
      if (id == 2) writer.put("htlc-settle-info", settle_info(1, 5));
      writer.end();
    }
  };
  const auto attempts_side_by_side = [&](BboltWriter& writer) {
    for (const std::uint64_t id : {1U, 2U, 3U}) writer.put(flat_key("ai", id), info);
    writer.put(flat_key("fi", 1), fail_info(5, {0x10, 0x07}, 3, 2));
    writer.put(flat_key("si", 2), settle_info(1, 5));
  };
  write_kv(
      path, version,
      [&](BboltWriter& writer) {
        writer.begin(hash);
        if (one_attempt) writer.put("payment-attempt-info", joined({be64(9), session_key(), plain_route(tails)}));
        writer.put("payment-creation-info", creation_info(hash, 1000, 1'600'000'000, "lnbc"));
        writer.begin("payment-duplicate-bucket");
        for (const std::uint64_t sequence : {8U, 9U}) {
          writer.begin(be64(sequence));
          old_form(writer, sequence);
          writer.end();
        }
        writer.end();
        if (!one_attempt) {
          writer.begin("payment-htlcs-bucket");
          version < 23 ? attempts_in_buckets(writer) : attempts_side_by_side(writer);
          writer.end();
        }
        writer.put("payment-sequence-key", be64(7));
        if (one_attempt) writer.put("payment-settle-info", preimage_of(1));
        writer.end();
        // A failed payment without an attempt.
        writer.begin(filled(32, 0xF0));
        writer.put("payment-creation-info", creation_info(filled(32, 0xF0), 1000, 1'600'000'000));
        writer.put("payment-fail-info", {1});
        writer.put("payment-sequence-key", be64(10));
        writer.end();
      },
      small_pages());
}

/// A payment with a bit of everything that version 35 has.
void write_rich(const std::string& path) {
  const Bytes rich = route_bytes(
      700'000, 1000,
      {{0xB1, 1, 700'000, 1000, hop_tail(false, {{8, filled(33, 5)}, {10, {1}}, {12, node_key(9)}, {70'000, {7}}})}});
  write_kv(
      path, 35,
      [&](BboltWriter& writer) {
        const Bytes info = joined({session_key(), rich, be64(5), hash_of_preimage(1), tlv(0, {9}), tlv(65'536, {1})});
        write_payment(writer, hash_of_preimage(1), 7,
                      creation_info(hash_of_preimage(1), 1000, 5, "lnbc", tlv(65'536, {1})), {1},
                      [&](BboltWriter& out) {
                        for (const std::uint64_t id : {1U, 2U, 3U}) out.put(flat_key("ai", id), info);
                        out.put(flat_key("fi", 1), fail_info(5, {0x10, 0x07}, 3, 2));
                        out.put(flat_key("si", 2), settle_info(1, 5));
                      });
      },
      small_pages());
}

}  // namespace

TEST_CASE("damage: every byte of a legacy file") {
  const TempFolder folder;
  BboltOptions options = small_pages();
  options.max_elements = 3;
  options.free_pages = 1;
  write_legacy(folder.file("db"), {options, 8, 10, {}});
  Tally tally;
  CHECK(peak_of([&] { tally = flip_everywhere(folder.file("db")); }) < 64 * mib);
  MESSAGE(tally.read << " read, " << tally.refused << " refused");
  CHECK(tally.read > 1000);
  CHECK(tally.refused > 500);
}

TEST_CASE("damage: every byte of a legacy file with inline buckets") {
  const TempFolder folder;
  BboltOptions options = small_pages();
  options.inline_small = true;
  write_legacy(folder.file("db"), {options, 8, 1, {}});
  CHECK(flip_everywhere(folder.file("db")).refused > 100);
}

TEST_CASE("damage: every byte of a version 35 file") {
  const TempFolder folder;
  write_rich(folder.file("db"));
  Tally tally;
  CHECK(peak_of([&] { tally = flip_everywhere(folder.file("db")); }) < 64 * mib);
  MESSAGE(tally.read << " read, " << tally.refused << " refused");
  CHECK(tally.read > 1000);
  CHECK(tally.refused > 500);
}

TEST_CASE("damage: every byte of the layouts before, their attempts and duplicates") {
  // The last version of each layout; 9 and 10 differ in what follows each hop.
  for (const std::uint32_t version : {9U, 12U, 22U, 23U}) {
    CAPTURE(version);
    const TempFolder folder;
    write_layout(folder.file("db"), version);
    const auto whole = all_payments(folder.file("db"));
    REQUIRE(whole.size() == 4);
    for (const KvRecord& record : whole) (void)payment_in(record);
    Tally tally;
    const std::size_t peak = peak_of([&] { tally = flip_everywhere(folder.file("db"), 4); });
    MESSAGE(version << ": " << tally.read << " read, " << tally.refused << " refused, at most " << peak / 1024
                    << " KiB");
    CHECK(tally.read > 1000);
    CHECK(tally.refused > 500);
    CHECK(peak < 64 * mib);
  }
}

TEST_CASE("damage: the layouts before, cut at every length") {
  for (const std::uint32_t version : {9U, 12U, 22U, 23U}) {
    const TempFolder folder;
    write_layout(folder.file("db"), version);
    CHECK(peak_of([&] { cut_everywhere(folder.file("db")); }) < 64 * mib);
  }
}

TEST_CASE("damage: a file of real bbolt, the pages in use") {
  const TempFolder folder;
  FileImage image = FileImage::load(example("v9.db"));
  image.bytes.resize(BboltFile(example("v9.db")).meta().high_water * 4096);
  image.save(folder.file("db"));
  const Tally tally = flip_everywhere(folder.file("db"), 16);
  MESSAGE(tally.read << " read, " << tally.refused << " refused");
  CHECK(tally.refused > 200);
}

TEST_CASE("damage: cut at every length") {
  const TempFolder folder;
  write_rich(folder.file("kv"));
  cut_everywhere(folder.file("kv"));
  BboltOptions options = small_pages();
  options.max_elements = 3;
  write_legacy(folder.file("legacy"), {options, 8, 10, {}});
  cut_everywhere(folder.file("legacy"));
}

TEST_CASE("memory: a hundred thousand records take what three take") {
  const TempFolder folder;
  const std::string path = folder.file("db");
  write_legacy(path, {{}, 8, 100'000, {}});
  std::size_t records = 0;
  const std::size_t peak = peak_of([&] {
    const ChannelDb database = ChannelDb::open(path);
    for (RawStream stream = database.legacy_payments(); stream.next();) ++records;
  });
  CHECK(records == 100'000);
  CHECK(peak < 2 * mib);
}

TEST_CASE("memory: twenty thousand key-value payments take what three take") {
  const TempFolder folder;
  const std::string path = folder.file("db");
  write_kv(path, 35, [](BboltWriter& writer) {
    const Bytes info = joined({session_key(), plain_route(true), be64(5)});
    for (std::uint32_t i = 0; i < 20'000; ++i) {
      const Bytes hash = joined({be32(i), filled(28, 1)});
      write_payment(writer, hash, i, creation_info(hash, 1000, 5), {},
                    [&](BboltWriter& out) { out.put(flat_key("ai", 1), info); });
    }
  });
  std::size_t records = 0;
  const std::size_t peak = peak_of([&] {
    const ChannelDb database = ChannelDb::open(path);
    for (KvPayments stream(database); stream.next();) ++records;
  });
  CHECK(records == 20'000);
  CHECK(peak < 2 * mib);
}

TEST_CASE("memory: the payments that grow most when they are decoded") {
  const TempFolder folder;
  const std::string path = folder.file("db");
  const auto measured = [&](const std::function<void(BboltWriter&)>& attempts) {
    write_kv(path, 35, [&](BboltWriter& writer) {
      write_payment(writer, filled(32, 1), 1, creation_info(filled(32, 1), 1, 1), {}, attempts);
    });
    bool readable = false;
    const std::size_t peak = peak_of([&] {
      const ChannelDb database = ChannelDb::open(path);
      KvPayments stream(database);
      const auto record = stream.next();
      readable = record && std::holds_alternative<KvPayment>(record->what);
    });
    CHECK(readable);
    const std::size_t kib = peak / 1024;
    MESSAGE(kib << " KiB");
    return peak;
  };
  // The most records, the most hops, the most attempts that fit into max_copy_bytes.
  const std::size_t room = max_copy_bytes - 1024;
  Bytes records = joined({session_key(), plain_route(true), be64(5), filled(32, 1)});
  for (std::uint32_t type = 65'536; records.size() + 6 < room; ++type) {
    const Bytes record = tlv(type, {});
    records.insert(records.end(), record.begin(), record.end());
  }
  CHECK(measured([&](BboltWriter& out) { out.put(flat_key("ai", 1), records); }) < 48 * mib);
  Bytes hop_records = joined({{0}, be32(static_cast<std::uint32_t>((room - 256) / 10))});
  for (std::uint64_t i = 0; i < (room - 256) / 10; ++i) {
    const Bytes record = joined({be64(70'000 + i), {1, 1}});
    hop_records.insert(hop_records.end(), record.begin(), record.end());
  }
  const Bytes wide = joined({session_key(), route_bytes(1, 1, {{0xB1, 1, 1, 1, hop_records}}), be64(5)});
  CHECK(measured([&](BboltWriter& out) { out.put(flat_key("ai", 1), wide); }) < 48 * mib);
  const Bytes hops = joined(
      {session_key(), route_bytes(1, 1, std::vector<HopBytes>(max_kv_hops, {0xB1, 1, 1, 1, hop_tail(true)})), be64(5)});
  CHECK(measured([&](BboltWriter& out) {
          for (std::uint64_t id = 1; id <= room / (hops.size() + entry_cost + 10); ++id)
            out.put(flat_key("ai", id), hops);
        }) < 48 * mib);
  const Bytes bare = joined({session_key(), route_bytes(1, 1, {}), be64(5)});
  CHECK(measured([&](BboltWriter& out) {
          for (std::uint64_t id = 1; id <= room / (bare.size() + entry_cost + 10); ++id)
            out.put(flat_key("ai", id), bare);
        }) < 48 * mib);
}

TEST_CASE("memory: a bucket of a million empty values, and a value of 256 MiB, stay small") {
  const TempFolder folder;
  const std::string path = folder.file("db");
  write_kv(path, 35, [](BboltWriter& writer) {
    writer.begin(filled(32, 1));
    for (std::uint32_t i = 0; i < 1'000'000; ++i) writer.put(be32(i), {});
    writer.end();
  });
  CHECK(peak_of([&] { CHECK(all_payments(path).size() == 1); }) < 16 * mib);

  // One leaf that says it has a value of 256 MiB in 65536 more pages, which are holes in the file.
  BboltOptions options;
  options.store_freelist = false;
  options.inline_small = false;
  write_legacy(path, {options, 8, 1, {}});
  FileImage image = FileImage::load(path);
  const std::uint64_t leaf = 1 + BboltFile(path).meta().high_water;
  const std::uint64_t pages = 65'537;
  image.set(image.find("payments") + 8, 8, leaf);
  image.bytes.resize((leaf + 1) * 4096);
  image.set(image.page(leaf), 8, leaf);
  image.set(image.page(leaf) + 8, 2, 2);
  image.set(image.page(leaf) + 10, 2, 1);
  image.set(image.page(leaf) + 12, 4, pages - 1);
  image.set(image.element(leaf, 0) + 4, 4, 16);
  image.set(image.element(leaf, 0) + 8, 4, 8);
  image.set(image.element(leaf, 0) + 12, 4, 256 * mib);
  image.set(56, 8, leaf + pages);
  image.seal(0);
  image.save(path);
  std::filesystem::resize_file(path, (leaf + pages) * 4096);
  const std::size_t peak = peak_of([&] {
    const auto entries = all(ChannelDb::open(path).legacy_payments());
    CHECK(entries.size() == 1);
    CHECK_FALSE(entries[0].complete);
  });
  CHECK(peak < 4 * mib);
}

TEST_CASE("memory: as many pages as are allowed, and one more") {
  const TempFolder folder;
  const std::string path = folder.file("db");
  BboltOptions options = small_pages();
  options.store_freelist = false;
  write_legacy(path, {options, 8, 3, {}});
  FileImage image = FileImage::load(path, 1024);
  const auto with_pages = [&](std::uint64_t pages) {
    image.set(56, 8, pages);
    image.seal(0);
    image.save(path);
    std::filesystem::resize_file(path, pages * 1024);
  };
  with_pages(max_pages);
  CHECK(peak_of([&] { CHECK(all(ChannelDb::open(path).legacy_payments()).size() == 3); }) < 20 * mib);
  with_pages(max_pages + 1);
  CHECK(refusal_of([&] { (void)ChannelDb::open(path); }).message.find("high water mark") != std::string::npos);
}
