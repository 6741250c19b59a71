// Makes bbolt files for tests: right ones of any shape and size, and bytes to spoil in them. Written from the format's
// description, apart from the reader, so that one mistake does not hide in both.
#pragma once

#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bytes.h"

namespace paytower::test {

struct BboltOptions {
  std::uint32_t page_bytes = 4096;
  std::uint64_t first_txid = 2;  ///< of the first commit; odd or even, it says which meta page the commit uses
  bool store_freelist = true;
  std::uint64_t free_pages = 0;       ///< pages left unused before the first commit's tree, on the freelist
  std::size_t max_elements = 0xFFFE;  ///< in a page; small numbers make deep trees of few records
  std::size_t least_elements = 1;     ///< a page that would have fewer gets overflow pages instead; bbolt: 2
  bool inline_small = true;       ///< small buckets without nested ones are inside their parent's value, as in bbolt
  std::uint64_t extra_bytes = 0;  ///< after the last page
};

/// Streams buckets to a file, keys in ascending order, in memory only the open pages and the first key of each full
/// one: a million records take a few MiB. A commit closes the tree; what is begun after it is the next commit's tree.
class BboltWriter {
 public:
  explicit BboltWriter(const std::string& path, BboltOptions options = {});

  /// Opens a bucket inside the one that is open. Throws std::logic_error for a key that does not ascend.
  void begin(std::string_view name);
  void begin(const Bytes& name);
  /// Writes a plain value into the open bucket.
  void put(std::string_view key, const Bytes& value);
  void put(const Bytes& key, const Bytes& value);
  /// Writes a leaf element as it is: for bucket values that bbolt never writes.
  void put_element(const Bytes& key, std::uint32_t flags, const Bytes& value);
  /// Closes the open bucket, and stores its sequence.
  void end(std::uint64_t sequence = 0);
  /// Writes the root, the freelist and one meta; the file is complete after it.
  void commit();

  [[nodiscard]] std::uint64_t high_water() const { return next_page_; }
  [[nodiscard]] std::uint64_t root_page() const { return root_page_; }  ///< of the last commit

 private:
  struct Element {
    std::uint32_t flags = 0;
    Bytes key;
    Bytes value;
  };
  struct Child {
    Bytes first_key;
    std::uint64_t page = 0;
  };
  struct Open {
    Bytes name;
    Bytes last_key;
    std::vector<Element> leaf;
    std::size_t leaf_bytes = 0;
    bool nests = false;
    std::vector<Child> leaves;
  };
  void flush_leaf(Open& open);
  [[nodiscard]] std::uint64_t close_tree(Open& open);
  [[nodiscard]] std::uint64_t write_branches(std::vector<Child> level);
  std::uint64_t write_page(Bytes page);
  void write_meta(std::uint64_t txid, std::uint64_t root, std::uint64_t freelist, std::uint64_t high_water);
  void write_at(std::uint64_t offset, const Bytes& bytes);

  BboltOptions options_;
  std::ofstream file_;
  std::vector<Open> open_;
  std::uint64_t next_page_ = 4;
  std::uint64_t root_page_ = 3;
  std::uint64_t txid_;
  std::vector<std::uint64_t> free_;
};

/// FNV-1a, 64 bits.
[[nodiscard]] std::uint64_t fnv1a(const Bytes& bytes, std::size_t from, std::size_t to);
[[nodiscard]] Bytes bytes_of(std::string_view text);
/// Big-endian, as lnd writes its numbers.
[[nodiscard]] Bytes be64(std::uint64_t value);
[[nodiscard]] Bytes be32(std::uint32_t value);
[[nodiscard]] Bytes joined(std::initializer_list<Bytes> parts);

/// A file's bytes in memory, to be damaged. Numbers are little-endian, as in bbolt.
struct FileImage {
  Bytes bytes;
  std::uint32_t page_bytes = 4096;

  [[nodiscard]] static FileImage load(const std::string& path, std::uint32_t page_bytes = 4096);
  void save(const std::string& path) const;
  [[nodiscard]] std::uint64_t get(std::uint64_t offset, std::size_t size) const;
  void set(std::uint64_t offset, std::size_t size, std::uint64_t value);
  [[nodiscard]] std::uint64_t page(std::uint64_t id) const { return id * page_bytes; }  ///< offset of its header
  [[nodiscard]] std::uint64_t element(std::uint64_t id, std::size_t index) const { return page(id) + 16 + index * 16; }
  /// Makes the checksum of a meta page right again.
  void seal(std::uint64_t meta_page);
  /// The offset of the first `text`; throws std::logic_error if there is none.
  [[nodiscard]] std::uint64_t find(std::string_view text) const;
};

}  // namespace paytower::test
