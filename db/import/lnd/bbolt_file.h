// A bbolt file that is opened to be read: its lock, its two meta pages, and bytes that were checked to be inside the
// file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/bytes.h"

namespace paytower::db::lnd {

/// Bounds, because the file may be hostile (R16). A file beyond one of them is refused.
inline constexpr std::uint32_t min_page_bytes = 1'024;
inline constexpr std::uint32_t max_page_bytes = 65'536;
/// 512 GiB in pages of 4 KiB. A set of pages takes one bit for each, so 16 MiB.
inline constexpr std::uint64_t max_pages = 1ULL << 27;
inline constexpr std::size_t max_key_bytes = 32'768;  ///< bbolt's own limit
/// How many pages a path from a bucket's root to a leaf may have; 16 is enough for any file.
inline constexpr std::size_t max_tree_depth = 64;
inline constexpr std::size_t max_bucket_depth = 16;  ///< buckets inside buckets; lnd has four levels

/// The hint for a file that is not lnd's.
inline constexpr const char* where_it_is = "name lnd's folder: paytower migrate --from-lnd ~/.lnd";

// A page: its header, then its elements.
inline constexpr std::uint16_t leaf_flag = 0x02;  ///< of a page of keys and values
inline constexpr std::uint64_t page_header_bytes = 16;
inline constexpr std::uint64_t element_bytes = 16;

/// A range of bytes in the file. Whoever makes one has checked that it is inside.
struct Extent {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

/// What the two meta pages say: of the valid ones, the one with the larger transaction id counts.
struct Meta {
  std::uint32_t page_bytes = 0;  ///< a power of two, min_page_bytes to max_page_bytes
  std::uint64_t root_page = 0;   ///< of the bucket that contains all buckets
  std::uint64_t root_sequence = 0;
  std::optional<std::uint64_t> freelist_page;  ///< nothing: the free pages are not stored (NoFreelistSync)
  std::uint64_t high_water = 0;                ///< every page number in use is below this
  std::uint64_t txid = 0;
};

/// A branch or leaf page with its overflow pages as one range of bytes; the header is checked.
struct Page {
  Extent extent;  ///< with the header
  std::uint64_t id = 0;
  std::uint64_t pages = 1;  ///< this page and its overflow
  bool leaf = false;
  std::uint16_t count = 0;  ///< how many elements it has
};

/// Reads with pread into its own memory (not mapped: if the file gets shorter meanwhile, that is an error and not a
/// signal), and holds a shared flock as long as it lives, so no lnd can write. Never writes. Takes about 1 MiB,
/// whatever the file's size. For one thread.
class BboltFile {
 public:
  /// Follows links. Refuses: busy if another process holds the file exclusively (a running lnd); usage for everything
  /// that cannot be a readable bbolt file: missing, not a regular file, cannot be locked, no valid meta page, cut
  /// short.
  explicit BboltFile(std::string path);
  ~BboltFile();
  BboltFile(const BboltFile&) = delete;
  BboltFile& operator=(const BboltFile&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const Meta& meta() const { return meta_; }
  [[nodiscard]] std::uint64_t file_bytes() const { return file_bytes_; }

  /// Copies bytes of the file. REQUIRES: at.size == out.size(). Refuses (usage) for bytes outside the file, or if
  /// reading fails.
  void read(Extent at, std::span<std::uint8_t> out) const;
  /// The first `at_most` bytes of a range.
  [[nodiscard]] Bytes bytes(Extent at, std::size_t at_most) const;

  /// The branch or leaf page with this number. Refuses (usage) for a number outside 2 to high_water - 1, another number
  /// in the header, flags other than branch or leaf alone, an overflow beyond high_water, or more elements than fit.
  [[nodiscard]] Page page(std::uint64_t id) const;

  /// Refuses (busy) if size, time of change or meta pages are not as they were at the opening: then a writer without
  /// flock (on a network file system) was at work, and nothing that was read counts.
  void check_unchanged() const;

  /// A refusal (usage) about this file: "<path>: <what>". For readers of its content. Without a `hint`, the one for a
  /// damaged file is used.
  [[noreturn]] void refuse(const std::string& what, const std::string& hint = {}) const;

 private:
  struct Block {
    std::uint64_t number = 0;
    std::size_t size = 0;  ///< 0: nothing is cached
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
  Bytes metas_;                       ///< both, as they were at the opening
  mutable std::vector<Block> cache_;  ///< direct mapped
};

/// The pages that a walk has met, one bit for each. A page belongs to one place only. This stops cycles, shared
/// subtrees and overlapping overflow pages, and bounds a walk by the file's size. Meta pages, freelist and free pages
/// are in the set from the start, so a tree that uses a free page is refused too.
class PageSet {
 public:
  /// Reads the freelist. Refuses (usage) if it is not ascending or names pages that do not exist. `file` must outlive
  /// the set.
  explicit PageSet(const BboltFile& file);

  /// Refuses (usage) if one of the page's numbers was claimed before.
  void claim(const Page& page);

 private:
  void claim(std::uint64_t first, std::uint64_t count);
  void claim_freelist(std::uint64_t id);

  const BboltFile& file_;
  std::vector<std::uint64_t> bits_;
};

}  // namespace paytower::db::lnd
