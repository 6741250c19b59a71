// Goal: vector 22: a file made to harm ends in a refusal that says where, in bounded time and memory, whichever way the
// damage is met. Method: one small tree, spoiled in one place at a time.
#include <filesystem>

#include <doctest/doctest.h>

#include "tests/lnd/lnd_fixture.h"
#include "tests/lnd/walk.h"

using namespace paytower;
using namespace paytower::db::lnd;
using namespace paytower::test;

namespace {

constexpr std::uint32_t page_bytes = 1024;

/// Twenty payments in leaves of three under two levels of branches, in pages of 1 KiB.
struct Tree {
  TempFolder folder;
  std::string path = folder.file("db");
  FileImage image;
  std::uint64_t root = 0, branch = 0, second_branch = 0, leaf = 0, second_leaf = 0, high_water = 0;

  Tree() {
    BboltOptions options;
    options.page_bytes = page_bytes;
    options.max_elements = 3;
    options.free_pages = 2;
    write_legacy(path, {options, 8, 20, {}});
    image = FileImage::load(path, page_bytes);
    const BboltFile file(path);
    high_water = file.meta().high_water;
    root = Bucket::root(file).bucket("payments")->first_page().id;
    branch = child(root, 0);
    second_branch = child(root, 1);
    leaf = child(branch, 0);
    second_leaf = child(branch, 1);
    REQUIRE(file.page(leaf).leaf);
    REQUIRE(file.page(leaf).count == 3);
  }
  [[nodiscard]] std::uint64_t child(std::uint64_t page, std::size_t index) const {
    return image.get(image.element(page, index) + 8, 8);
  }
  void set_child(std::uint64_t page, std::size_t index, std::uint64_t to) {
    image.set(image.element(page, index) + 8, 8, to);
  }
  /// The offset of a leaf element's key.
  [[nodiscard]] std::uint64_t key_at(std::uint64_t page, std::size_t index) const {
    return image.element(page, index) + image.get(image.element(page, index) + 4, 4);
  }
  /// Checks that a walk refuses the file as it is now, with these words.
  void refused(const std::string& words) const {
    image.save(path);
    const Error error = refusal_of([&] { (void)walk_file(path); });
    CAPTURE(error.message);
    CHECK(error.code == Errc::usage);
    CHECK(error.message.find(words) != std::string::npos);
  }
};

/// Makes a file whose bucket `payments` has what `fill` writes.
std::string file_with(const TempFolder& folder, const std::function<void(BboltWriter&)>& fill) {
  const std::string path = folder.file("db");
  BboltWriter writer(path);
  writer.begin("metadata");
  writer.put("dbp", be32(8));
  writer.end();
  writer.begin("payments");
  fill(writer);
  writer.end();
  writer.commit();
  return path;
}

void payments_refused(const std::function<void(BboltWriter&)>& fill, const std::string& words) {
  const TempFolder folder;
  const std::string path = file_with(folder, fill);
  const Error error = refusal_of([&] { (void)all(ChannelDb::open(path).legacy_payments()); });
  CAPTURE(error.message);
  CHECK(error.code == Errc::usage);
  CHECK(error.message.find(words) != std::string::npos);
}

Bytes le64(std::uint64_t value) {
  Bytes out = be64(value);
  return {out.rbegin(), out.rend()};
}

/// A bucket's value: header, then an inline page's header with these fields.
Bytes inline_bucket(std::uint64_t id, std::uint16_t flags, std::uint16_t count, std::uint8_t overflow) {
  return joined({le64(0), le64(0), le64(id), le16(flags), le16(count), {overflow, 0, 0, 0}});
}

}  // namespace

TEST_CASE("the tree of these tests is right before it is spoiled") {
  const Tree tree;
  CHECK(walk_file(tree.path) > 40);
}

TEST_CASE("vector 22: a branch that is its own child") {
  Tree tree;
  tree.set_child(tree.branch, 1, tree.branch);
  tree.refused("reached twice");
}

TEST_CASE("vector 22: a branch whose child is the root above it") {
  Tree tree;
  tree.set_child(tree.branch, 0, tree.root);
  tree.refused("reached twice");
}

TEST_CASE("vector 22: a child shared by two branches") {
  Tree tree;
  tree.set_child(tree.second_branch, 0, tree.leaf);
  tree.refused("reached twice");
}

TEST_CASE("vector 22: two children of a branch exchanged") {
  Tree tree;
  tree.set_child(tree.branch, 0, tree.second_leaf);
  tree.set_child(tree.branch, 1, tree.leaf);
  tree.refused("outside the range");
}

TEST_CASE("vector 22: child pages that cannot be") {
  for (const std::uint64_t page : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1} << 40, ~std::uint64_t{0}}) {
    Tree tree;
    tree.set_child(tree.branch, 1, page);
    tree.refused("page " + std::to_string(page) + " is referred to");
  }
  Tree tree;
  tree.set_child(tree.branch, 1, tree.high_water);
  tree.refused("page " + std::to_string(tree.high_water) + " is referred to");
}

TEST_CASE("vector 22: a child that is free, and one that is the freelist") {
  Tree tree;
  // Page 4 is free; a page that once was a leaf keeps its content.
  for (std::size_t i = 0; i < page_bytes; ++i)
    tree.image.bytes[tree.image.page(4) + i] = tree.image.bytes[tree.image.page(tree.leaf) + i];
  tree.image.set(tree.image.page(4), 8, 4);
  tree.set_child(tree.branch, 0, 4);
  tree.refused("page 4 is reached twice, or is free and in use");

  Tree other;
  other.set_child(other.branch, 0, other.high_water - 1);
  other.refused("flags 16");
}

TEST_CASE("vector 22: overflow past the last page, and over a neighbour") {
  Tree tree;
  tree.image.set(tree.image.page(tree.leaf) + 12, 4, 0xFFFFFFFF);
  tree.refused("overflows past");
  tree.image.set(tree.image.page(tree.leaf) + 12, 4, tree.high_water - tree.leaf);
  tree.refused("overflows past");
  tree.image.set(tree.image.page(tree.leaf) + 12, 4, 1);
  tree.refused("reached twice");
}

TEST_CASE("vector 22: page headers that are not what they should be") {
  const auto spoiled = [](std::size_t offset, std::size_t size, std::uint64_t value, const std::string& words) {
    CAPTURE(words);
    Tree tree;
    tree.image.set(tree.image.page(tree.leaf) + offset, size, value);
    tree.refused(words);
  };
  spoiled(0, 8, 9999, "calls itself 9999");
  spoiled(8, 2, 3, "flags 3");
  spoiled(8, 2, 0, "flags 0");
  spoiled(8, 2, 4, "flags 4");
  spoiled(8, 2, 0x8002, "flags 32770");
  spoiled(10, 2, 64, "more than fit");
  spoiled(10, 2, 0xFFFF, "more than fit");
  spoiled(10, 2, 2, "is not where the one before ends");
  Tree tree;
  tree.image.set(tree.image.page(tree.branch) + 10, 2, 0);
  tree.refused("a branch without children");
}

TEST_CASE("vector 22: elements that point where they must not") {
  const auto spoiled = [](std::size_t field, std::uint64_t value, const std::string& words) {
    CAPTURE(value);
    Tree tree;
    tree.image.set(tree.image.element(tree.leaf, 1) + field, 4, value);
    tree.refused(words);
  };
  spoiled(4, 0, "not where");   // pos: the element itself
  spoiled(4, 16, "not where");  // into the table
  spoiled(4, 0xFFFFFFFF, "not where");
  spoiled(8, 0, "a key of no or too many");
  spoiled(8, 32769, "a key of no or too many");
  spoiled(8, 0xFFFFFFFF, "a key of no or too many");
  spoiled(12, 0xFFFFFFFF, "reaches past its end");
  spoiled(12, 1024, "reaches past its end");
  spoiled(12, 5, "not where");  // the next key is not there
  spoiled(0, 2, "unknown flags");
  spoiled(0, 0xFFFFFFFF, "unknown flags");
}

TEST_CASE("vector 22: keys out of order, twice, and outside what the branch says") {
  Tree tree;
  tree.image.bytes[tree.key_at(tree.leaf, 1) + 7] = 3;
  tree.refused("keys out of order");
  tree.image.bytes[tree.key_at(tree.leaf, 1) + 7] = 1;
  tree.refused("keys out of order");
  tree.image.bytes[tree.key_at(tree.leaf, 1) + 7] = 2;
  tree.image.bytes[tree.key_at(tree.leaf, 2) + 7] = 4;
  tree.refused("outside the range");
  tree.image.bytes[tree.key_at(tree.leaf, 2) + 7] = 3;
  tree.image.bytes[tree.key_at(tree.leaf, 0) + 7] = 0;
  tree.refused("outside the range");
}

TEST_CASE("vector 22: branch keys out of order, and outside what the page above says") {
  Tree tree;
  const auto key_of_branch = [&](std::uint64_t page, std::size_t index) {
    return tree.image.element(page, index) + tree.image.get(tree.image.element(page, index), 4);
  };
  tree.image.bytes[key_of_branch(tree.branch, 2) + 7] = 1;
  tree.refused("keys out of order");
  tree.image.bytes[key_of_branch(tree.branch, 2) + 7] = 200;
  tree.refused("outside the range");
}

TEST_CASE("vector 22: a chain of branches with one child each, deeper than any tree") {
  const TempFolder folder;
  const std::string path = folder.file("db");
  BboltOptions options;
  options.page_bytes = page_bytes;
  options.free_pages = 70;
  options.store_freelist = false;
  options.inline_small = false;
  write_legacy(path, {options, 8, 3, {}});
  FileImage image = FileImage::load(path, page_bytes);
  const std::uint64_t leaf = Bucket::root(BboltFile(path)).bucket("payments")->first_page().id;
  const auto make_branch = [&](std::uint64_t id, std::uint64_t child) {
    image.set(image.page(id), 8, id);
    image.set(image.page(id) + 8, 2, 1);
    image.set(image.page(id) + 10, 2, 1);
    image.set(image.element(id, 0), 4, 16);
    image.set(image.element(id, 0) + 4, 4, 8);
    image.set(image.element(id, 0) + 8, 8, child);
    image.bytes[image.element(id, 0) + 16 + 7] = 1;
  };
  // A chain of branches through the free pages from 4 on; the last one leads to the leaf.
  const auto chain = [&](std::uint64_t branches) {
    for (std::uint64_t i = 0; i < branches; ++i) make_branch(4 + i, i + 1 == branches ? leaf : 5 + i);
    const std::uint64_t value = image.find("payments") + 8;
    image.set(value, 8, 4);
    image.save(path);
  };
  chain(max_tree_depth - 1);
  CHECK(all(ChannelDb::open(path).legacy_payments()).size() == 3);
  CHECK(Bucket::root(BboltFile(path)).bucket("payments")->find(be64(1)).has_value());
  chain(max_tree_depth);
  CHECK(refusal_of([&] { (void)all(ChannelDb::open(path).legacy_payments()); }).message.find("deeper than 64") !=
        std::string::npos);
  const BboltFile file(path);
  CHECK(refusal_of([&] {
          (void)Bucket::root(file).bucket("payments")->find(be64(1));
        }).message.find("deeper than 64") != std::string::npos);
}

TEST_CASE("a look-up in a cycle of branches ends") {
  Tree tree;
  tree.set_child(tree.branch, 0, tree.root);
  tree.image.save(tree.path);
  const BboltFile file(tree.path);
  CHECK(refusal_of([&] {
          (void)Bucket::root(file).bucket("payments")->find(be64(1));
        }).message.find("deeper than 64") != std::string::npos);
}

TEST_CASE("vector 22: bucket values that are none") {
  const auto bucket_of = [](const Bytes& value) {
    return [value](BboltWriter& writer) { writer.put_element(be64(1), 1, value); };
  };
  payments_refused(bucket_of(Bytes{}), "a header of 0 bytes");
  payments_refused(bucket_of(filled(15, 0)), "a header of 15 bytes");
  payments_refused(bucket_of(filled(16, 0)), "is inline and has no page");
  payments_refused(bucket_of(filled(31, 0)), "is inline and has no page");
  payments_refused(bucket_of(inline_bucket(1, 2, 0, 0)), "an inline page that is no leaf");
  payments_refused(bucket_of(inline_bucket(0, 1, 0, 0)), "an inline page that is no leaf");
  payments_refused(bucket_of(inline_bucket(0, 3, 0, 0)), "an inline page that is no leaf");
  payments_refused(bucket_of(inline_bucket(0, 2, 0, 1)), "an inline page that is no leaf");
  payments_refused(bucket_of(inline_bucket(0, 2, 1, 0)), "more elements than fit");
  payments_refused(bucket_of(inline_bucket(0, 2, 0xFFFF, 0)), "more elements than fit");
  payments_refused(bucket_of(joined({inline_bucket(0, 2, 0, 0), {0}})), "bytes behind its last value");
  payments_refused(bucket_of(joined({le64(4), le64(0), {0}})), "both a page and something behind");
  payments_refused(bucket_of(joined({le64(1), le64(0)})), "page 1 is referred to");
}

TEST_CASE("vector 22: a bucket inside an inline bucket") {
  // One element with the bucket flag: pos 16, a key of one byte, a value of 16 bytes.
  const Bytes element = {1, 0, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0, 16, 0, 0, 0};
  const Bytes value = joined({inline_bucket(0, 2, 1, 0), element, {'k'}, filled(16, 0)});
  payments_refused([&](BboltWriter& writer) { writer.put_element(be64(1), 1, value); },
                   "which an inline bucket never does");
}

TEST_CASE("vector 22: a bucket whose page is the page that it stands in") {
  const TempFolder folder;
  const std::string path = folder.file("db");
  BboltOptions options;
  options.inline_small = false;
  write_legacy(path, {options, 8, 3, {}});
  FileImage image = FileImage::load(path);
  image.set(image.find("payments") + 8, 8, BboltFile(path).meta().root_page);
  image.save(path);
  // The keys of the root bucket are read as payments. The buckets among them lead back to pages that were walked.
  const Error error = refusal_of([&] { (void)all(ChannelDb::open(path).legacy_payments()); });
  CHECK(error.message.find("reached twice") != std::string::npos);
}

TEST_CASE("vector 22: 200 buckets, each in the one before") {
  payments_refused(
      [](BboltWriter& writer) {
        for (int i = 0; i < 200; ++i) writer.begin("b");
        for (int i = 0; i < 200; ++i) writer.end();
      },
      "lies in more than 16 others");
}

TEST_CASE("buckets nested as deep as is allowed are read") {
  const TempFolder folder;
  const std::string path = file_with(folder, [](BboltWriter& writer) {
    for (std::size_t i = 0; i + 1 < max_bucket_depth; ++i) writer.begin("b");
    for (std::size_t i = 0; i + 1 < max_bucket_depth; ++i) writer.end();
  });
  const auto entries = all(ChannelDb::open(path).legacy_payments());
  REQUIRE(entries.size() == 1);
  CHECK(entries[0].is_bucket);
  CHECK(entries[0].complete);
}

TEST_CASE("vector 22: a file cut at every page") {
  const Tree tree;
  for (std::uint64_t pages = 0; pages < tree.high_water; ++pages) {
    CAPTURE(pages);
    std::filesystem::resize_file(tree.path, pages * page_bytes);
    CHECK(refusal_of([&] { (void)walk_file(tree.path); }).code == Errc::usage);
    tree.image.save(tree.path);
  }
  CHECK(walk_file(tree.path) > 40);
}

TEST_CASE("freelists that cannot be") {
  const auto spoiled = [](std::size_t offset, std::size_t size, std::uint64_t value, const std::string& words) {
    CAPTURE(words);
    Tree tree;
    const std::uint64_t freelist = tree.high_water - 1;
    REQUIRE(tree.image.get(tree.image.page(freelist) + 8, 2) == 16);
    REQUIRE(tree.image.get(tree.image.page(freelist) + 10, 2) == 2);
    tree.image.set(tree.image.page(freelist) + offset, size, value);
    tree.refused(words);
  };
  spoiled(0, 8, 3, "not the freelist");
  spoiled(8, 2, 2, "not the freelist");
  spoiled(12, 4, 1, "the freelist overflows");
  spoiled(10, 2, 127, "more pages than it has room for");
  spoiled(10, 2, 0xFFFF, "page");
  spoiled(16, 8, 0, "out of order or range");
  spoiled(16, 8, 5, "out of order or range");
  spoiled(24, 8, ~std::uint64_t{0}, "out of order or range");
  Tree tree;
  tree.image.set(tree.image.page(tree.high_water - 1) + 24, 8, tree.leaf);
  tree.refused("free and in use");
  for (const std::uint64_t page : {std::uint64_t{1}, tree.high_water}) {
    Tree other;
    const std::uint64_t meta = BboltFile(other.path).meta().txid % 2;
    other.image.set(other.image.page(meta) + 48, 8, page);
    other.image.seal(meta);
    other.refused("freelist page " + std::to_string(page) + " is not there");
  }
}
