// A bbolt file, opened to be read: its lock, its two metas, and bytes of it that were checked to be there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/bytes.h"

namespace paytower::db::lnd {

/// Bounds on a file that may be hostile (R16). A file beyond one is refused, never read into a larger buffer.
inline constexpr std::uint32_t min_page_bytes = 1'024;
inline constexpr std::uint32_t max_page_bytes = 65'536;
inline constexpr std::uint64_t max_pages =
    1ULL << 27;  ///< 512 GiB of 4 KiB pages; a set of pages takes a bit each, so 16 MiB
inline constexpr std::size_t max_key_bytes = 32'768;  ///< bbolt's own bound
inline constexpr std::size_t max_tree_depth =
    64;  ///< pages from a bucket's root to a leaf; 16 reach further than any file
inline constexpr std::size_t max_bucket_depth = 16;  ///< buckets within buckets; lnd nests four

/// The hint of a file that is not lnd's.
inline constexpr const char* where_it_is = "name lnd's folder: paytower migrate --from-lnd ~/.lnd";

/// A run of bytes of the file. Whoever makes one has checked that it lies inside.
struct Extent {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

/// What the two meta pages say: the valid one with the larger transaction id counts.
struct Meta {
  std::uint32_t page_bytes = 0;  ///< a power of two, min_page_bytes to max_page_bytes
  std::uint64_t root_page = 0;   ///< of the bucket that holds all buckets
  std::uint64_t root_sequence = 0;
  std::optional<std::uint64_t> freelist_page;  ///< nothing: the free pages are not stored (NoFreelistSync)
  std::uint64_t high_water = 0;                ///< every page number in use is below it
  std::uint64_t txid = 0;
};

/// A branch or leaf page with its overflow pages as one run of bytes, header checked.
struct Page {
  Extent extent;  ///< the header included
  std::uint64_t id = 0;
  std::uint64_t pages = 1;  ///< itself and its overflow
  bool leaf = false;
  std::uint16_t count = 0;  ///< elements
};

/// Reads with pread into memory of its own (no mapping: a file that shrinks below the reader is an error, not a signal)
/// and holds a shared flock as long as it lives, so no lnd writes meanwhile. Never writes. Takes about 1 MiB whatever
/// the file has. For one thread.
class BboltFile {
 public:
  /// Follows links. Throws RefusalError: busy when another process holds the file exclusively (a running lnd); usage
  /// for whatever cannot be a readable bbolt file: missing, no regular file, no lock to be had, neither meta valid,
  /// truncated.
  explicit BboltFile(std::string path);
  ~BboltFile();
  BboltFile(const BboltFile&) = delete;
  BboltFile& operator=(const BboltFile&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const Meta& meta() const { return meta_; }
  [[nodiscard]] std::uint64_t file_bytes() const { return file_bytes_; }

  /// Copies bytes of the file. REQUIRES: at.size == out.size(). Throws RefusalError (usage) for bytes outside the file
  /// or a read that fails.
  void read(Extent at, std::span<std::uint8_t> out) const;
  /// The first `at_most` bytes of a run.
  [[nodiscard]] Bytes bytes(Extent at, std::size_t at_most) const;

  /// The branch or leaf page of this number. Throws RefusalError (usage) for a number outside 2 to high_water - 1,
  /// another number in its header, flags that are not branch or leaf alone, an overflow past high_water, more elements
  /// than fit.
  [[nodiscard]] Page page(std::uint64_t id) const;

  /// Throws RefusalError (busy) when size, time of change or the metas are not what they were at open: a writer that
  /// knows no flock (a network file system) was at work, and nothing that was read counts.
  void check_unchanged() const;

  /// A refusal (usage) about this file: "<path>: <what>". For readers of what stands in it. Without a `hint`, the one
  /// for a damaged file.
  [[noreturn]] void refuse(const std::string& what, const std::string& hint = {}) const;

 private:
  struct Block {
    std::uint64_t number = 0;
    std::size_t size = 0;  ///< 0: nothing cached
    std::vector<std::uint8_t> bytes;
  };
  void lock() const;
  void choose_meta();
  [[nodiscard]] Bytes metas_on_disk() const;
  [[nodiscard]] const Block& block(std::uint64_t number) const;

  std::string path_;
  int file_ = -1;
  std::uint64_t file_bytes_ = 0;
  std::int64_t changed_s_ = 0;  ///< st_mtim at open
  std::int64_t changed_ns_ = 0;
  Meta meta_;
  Bytes metas_;                       ///< both, as they were at open
  mutable std::vector<Block> cache_;  ///< direct mapped
};

/// The pages that one walk has met, one bit each. A page belongs to one place: that ends cycles, shared subtrees and
/// overlapping overflow, and bounds a walk by the file's size. The metas, the freelist and the free pages are taken
/// from the start, so a tree that reaches a free page is refused too.
class PageSet {
 public:
  /// Reads the freelist. Throws RefusalError (usage) when it is not ascending or names pages that are not there. `file`
  /// must outlive the set.
  explicit PageSet(const BboltFile& file);

  /// Throws RefusalError (usage) when one of the page's numbers was claimed before.
  void claim(const Page& page);

 private:
  void claim(std::uint64_t first, std::uint64_t count);
  void claim_freelist(std::uint64_t id);

  const BboltFile& file_;
  std::vector<std::uint64_t> bits_;
};

}  // namespace paytower::db::lnd
