// Goal: vector 21: every shape that bbolt gives a bucket is read whole, in order, byte for byte. Method: the same
// records in files of each shape, walked and looked up.
#include <set>

#include <doctest/doctest.h>

#include "tests/lnd/lnd_fixture.h"

using namespace paytower;
using namespace paytower::db::lnd;
using namespace paytower::test;

namespace {

/// How many levels of branch pages there are above the leftmost leaf.
std::size_t branch_levels(const BboltFile& file, Page page) {
  std::size_t levels = 0;
  for (; !page.leaf; ++levels) {
    PageElements elements(file, page);
    REQUIRE(elements.next());
    page = file.page(elements.child());
  }
  return levels;
}

Bucket payments_of(const BboltFile& file) { return *Bucket::root(file).bucket("payments"); }

/// Reads everything back and compares; the levels of branch pages of `payments`.
std::size_t check_records(const std::string& path, std::uint64_t records) {
  const ChannelDb database = ChannelDb::open(path);
  CHECK(database.payment_sequence() == records);
  RawStream stream = database.legacy_payments();
  for (std::uint64_t i = 1; i <= records; ++i) {
    const auto entry = stream.next();
    REQUIRE(entry);
    REQUIRE(entry->key == be64(i));
    REQUIRE(entry->value == record_of(i));
    REQUIRE(entry->complete);
    REQUIRE_FALSE(entry->is_bucket);
  }
  CHECK_FALSE(stream.next());
  CHECK_FALSE(stream.next());
  const Bucket payments = payments_of(database.file());
  for (std::uint64_t i = 1; i <= records; i += 1 + records / 50) {
    const auto found = payments.find(be64(i));
    REQUIRE(found);
    CHECK(database.file().bytes(found->value, 4096) == record_of(i));
  }
  for (const std::uint64_t absent : {std::uint64_t{0}, records + 1, ~std::uint64_t{0}})
    CHECK_FALSE(payments.find(be64(absent)));
  return branch_levels(database.file(), payments.first_page());
}

std::size_t written_and_read(const std::string& path, const LegacyFile& what) {
  write_legacy(path, what);
  return check_records(path, what.records);
}

BboltOptions pages_of(std::uint32_t bytes) {
  BboltOptions options;
  options.page_bytes = bytes;
  return options;
}

}  // namespace

TEST_CASE("vector 21: payments inline in the root page, and the same in a leaf of their own") {
  const TempFolder folder;
  const std::string path = folder.file("db");
  BboltOptions options;
  CHECK(written_and_read(path, {options, 8, 3, {}}) == 0);
  CHECK(payments_of(BboltFile(path)).is_inline());
  options.inline_small = false;
  CHECK(written_and_read(path, {options, 8, 3, {}}) == 0);
  CHECK_FALSE(payments_of(BboltFile(path)).is_inline());
  CHECK(written_and_read(path, {options, 8, 15, {}}) == 0);
}

TEST_CASE("vector 21: an empty bucket, inline and with a page of its own, keeps its sequence") {
  const TempFolder folder;
  const std::string path = folder.file("db");
  BboltOptions options;
  for (const bool inline_small : {true, false}) {
    options.inline_small = inline_small;
    write_legacy(path, {options, 8, 0, 7});
    const ChannelDb database = ChannelDb::open(path);
    CHECK(database.payment_sequence() == 7);
    CHECK(all(database.legacy_payments()).empty());
  }
}

TEST_CASE("vector 21: one, two and three levels of branch pages") {
  const TempFolder folder;
  const std::string path = folder.file("db");
  CHECK(written_and_read(path, {{}, 8, 300, {}}) == 1);
  CHECK(written_and_read(path, {{}, 8, 50'000, {}}) == 2);
  CHECK(written_and_read(path, {pages_of(1024), 8, 50'000, {}}) == 3);
}

TEST_CASE("vector 21: a tree as deep as pages of two elements make it") {
  const TempFolder folder;
  const std::string path = folder.file("db");
  BboltOptions options = pages_of(1024);
  options.max_elements = 2;
  CHECK(written_and_read(path, {options, 8, 1000, {}}) == 9);
}

TEST_CASE("vector 21: page sizes") {
  const TempFolder folder;
  for (const std::uint32_t bytes : {1024U, 4096U, 16384U, 65536U}) {
    CAPTURE(bytes);
    (void)written_and_read(folder.file("db"), {pages_of(bytes), 8, 700, {}});
  }
}

TEST_CASE("vector 21: values over several pages, alone and with neighbours") {
  const TempFolder folder;
  const std::string path = folder.file("db");
  BboltWriter writer(path, pages_of(1024));
  const std::vector<std::size_t> sizes = {4096, 3, 100'000, 1, 1024, 992, 991, 500'000, 0};
  writer.begin("graph-node");
  writer.end();
  writer.begin("metadata");
  writer.put("dbp", be32(8));
  writer.end();
  writer.begin("payments");
  for (std::size_t i = 0; i < sizes.size(); ++i) writer.put(be64(i), filled(sizes[i], static_cast<std::uint8_t>(i)));
  writer.end(9);
  writer.commit();
  const auto entries = all(ChannelDb::open(path).legacy_payments());
  REQUIRE(entries.size() == sizes.size());
  for (std::size_t i = 0; i < sizes.size(); ++i)
    CHECK(entries[i].value == filled(sizes[i], static_cast<std::uint8_t>(i)));
}

TEST_CASE("vector 21: a small record shares its overflowing page with a large one, as bbolt does") {
  const TempFolder folder;
  const std::string path = folder.file("db");
  BboltOptions options = pages_of(1024);
  options.least_elements = 2;
  BboltWriter writer(path, options);
  writer.begin("metadata");
  writer.put("dbp", be32(8));
  writer.end();
  writer.begin("payments");
  for (std::uint64_t i = 0; i < 6; ++i)
    writer.put(be64(i), filled(i % 2 == 0 ? 50 : 4096, static_cast<std::uint8_t>(i)));
  writer.end(2);
  writer.commit();
  const ChannelDb database = ChannelDb::open(path);
  PageElements root(database.file(), payments_of(database.file()).first_page());
  REQUIRE(root.next());
  CHECK(database.file().page(root.child()).count == 2);
  CHECK(database.file().page(root.child()).pages == 5);
  const auto entries = all(database.legacy_payments());
  REQUIRE(entries.size() == 6);
  for (std::uint64_t i = 0; i < 6; ++i)
    CHECK(entries[i].value == filled(i % 2 == 0 ? 50 : 4096, static_cast<std::uint8_t>(i)));
}

TEST_CASE(
    "vector 21: the freelist stored, not stored, long enough for its second form, and free pages among those in use") {
  const TempFolder folder;
  const std::string path = folder.file("db");
  for (const std::uint64_t free : {0U, 1U, 200U, 0xFFFEU, 0xFFFFU}) {
    CAPTURE(free);
    BboltOptions options = pages_of(1024);
    options.free_pages = free;
    (void)written_and_read(path, {options, 8, 40, {}});
    options.store_freelist = false;
    (void)written_and_read(path, {options, 8, 40, {}});
  }
  BboltOptions options = pages_of(1024);
  options.free_pages = 0xFFFF;
  write_legacy(path, {options, 8, 40, {}});
  const FileImage image = FileImage::load(path, 1024);
  const std::uint64_t freelist = *BboltFile(path).meta().freelist_page;
  CHECK(image.get(image.page(freelist) + 10, 2) == 0xFFFF);
  CHECK(image.get(image.page(freelist) + 16, 8) == 0xFFFF);
}

TEST_CASE("vector 21: a file longer than its high water mark") {
  const TempFolder folder;
  BboltOptions options;
  options.extra_bytes = 1'000'001;
  (void)written_and_read(folder.file("db"), {options, 8, 40, {}});
}

TEST_CASE("vector 21: empty leaves that deletions left are passed over") {
  const TempFolder folder;
  const std::string path = folder.file("db");
  BboltOptions options = pages_of(1024);
  options.max_elements = 5;
  write_legacy(path, {options, 8, 40, {}});
  std::set<Bytes> kept;
  {
    const BboltFile file(path);
    const Page root = payments_of(file).first_page();
    REQUIRE_FALSE(root.leaf);
    PageElements top(file, root);
    REQUIRE(top.next());
    PageElements lower(file, file.page(top.child()));
    REQUIRE(lower.next());
    REQUIRE(lower.next());
    const std::uint64_t leaf = lower.child();
    REQUIRE(file.page(leaf).leaf);
    PageElements gone(file, file.page(leaf));
    while (gone.next()) kept.insert(gone.key());
    FileImage image = FileImage::load(path, 1024);
    image.set(image.page(leaf) + 10, 2, 0);
    image.save(path);
  }
  const auto entries = all(ChannelDb::open(path).legacy_payments());
  CHECK(kept.size() == 5);
  CHECK(entries.size() == 35);
  for (const RawEntry& entry : entries) CHECK(kept.count(entry.key) == 0);
}

TEST_CASE("keys of 1 and of 32768 bytes, and one that begins like another") {
  const TempFolder folder;
  const std::string path = folder.file("db");
  BboltWriter writer(path, pages_of(1024));
  writer.begin("metadata");
  writer.put("dbp", be32(8));
  writer.end();
  writer.begin("payments");
  const std::vector<Bytes> keys = {{0},  {1}, {1, 0}, {1, 0, 0}, filled(max_key_bytes, 2), filled(max_key_bytes, 3),
                                   {255}};
  for (const Bytes& key : keys) writer.put(key, {});
  writer.end();
  writer.commit();
  const ChannelDb database = ChannelDb::open(path);
  const auto entries = all(database.legacy_payments());
  REQUIRE(entries.size() == keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    CHECK(entries[i].key == keys[i]);
    CHECK(payments_of(database.file()).find(keys[i]).has_value());
  }
}

TEST_CASE("a record larger than is kept is handed out cut, and said to be") {
  const TempFolder folder;
  const std::string path = folder.file("db");
  BboltWriter writer(path);
  writer.begin("metadata");
  writer.put("dbp", be32(8));
  writer.end();
  writer.begin("payments");
  writer.put(be64(1), filled(max_record_bytes, 1));
  writer.put(be64(2), filled(max_record_bytes + 1, 2));
  writer.put(be64(3), filled(10, 3));
  writer.end();
  writer.commit();
  const auto entries = all(ChannelDb::open(path).legacy_payments());
  REQUIRE(entries.size() == 3);
  CHECK(entries[0].complete);
  CHECK(entries[0].value.size() == max_record_bytes);
  CHECK_FALSE(entries[1].complete);
  CHECK(entries[1].value.size() == max_record_bytes);
  CHECK(entries[2].value == filled(10, 3));
}
