// Buckets of a bbolt file, and a cursor over one. Keys and values are handed out as copies with a bound.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/base/bytes.h"
#include "db/import/lnd/bbolt_file.h"

namespace paytower::db::lnd {

class Bucket;

/// A key's place: a plain value, or the header (and inline page) of a nested bucket.
struct Found {
  bool is_bucket = false;
  Extent value;
};

/// One bucket: a tree of pages, or one leaf page that stands inline in its parent's value. A small value, copied
/// freely; its file must outlive it.
class Bucket {
 public:
  /// The bucket that holds all others.
  [[nodiscard]] static Bucket root(const BboltFile& file);
  /// The nested bucket whose value stands at `value`. Throws RefusalError (usage) for a value that is no bucket, an
  /// inline page with a wrong header, and nesting beyond max_bucket_depth. `depth`: how many buckets it lies in.
  [[nodiscard]] static Bucket nested(const BboltFile& file, Extent value, std::size_t depth);

  [[nodiscard]] const BboltFile& file() const { return *file_; }
  /// NextSequence has handed out this number last.
  [[nodiscard]] std::uint64_t sequence() const { return sequence_; }
  [[nodiscard]] bool is_inline() const { return root_page_ == 0; }
  [[nodiscard]] std::size_t depth() const { return depth_; }
  /// The page that the bucket starts with. Throws RefusalError (usage), see BboltFile::page.
  [[nodiscard]] Page first_page() const;

  /// Looks a key up on one path from the root to a leaf, whose pages are checked. Throws RefusalError (usage) for
  /// damage.
  [[nodiscard]] std::optional<Found> find(std::span<const std::uint8_t> key) const;
  [[nodiscard]] std::optional<Found> find(std::string_view key) const;
  /// The nested bucket of this name. Nothing when the name is missing; throws RefusalError (usage) when it is a plain
  /// value.
  [[nodiscard]] std::optional<Bucket> bucket(std::string_view name) const;
  /// The first `at_most` bytes of a plain value. Nothing when the key is missing; throws RefusalError (usage) for a
  /// bucket.
  [[nodiscard]] std::optional<Bytes> value(std::string_view key, std::size_t at_most) const;

 private:
  const BboltFile* file_ = nullptr;
  std::uint64_t root_page_ = 0;  ///< 0: inline
  Page inline_page_;
  std::uint64_t sequence_ = 0;
  std::size_t depth_ = 0;
};

/// The elements of one page in order, each checked before it is shown: inside the page, packed without a gap, keys 1 to
/// max_key_bytes and strictly ascending.
class PageElements {
 public:
  PageElements(const BboltFile& file, const Page& page);

  /// Steps to the next element; false behind the last. Throws RefusalError (usage) for damage.
  [[nodiscard]] bool next();
  /// REQUIRES: the last next() was true.
  [[nodiscard]] const Bytes& key() const { return key_; }
  [[nodiscard]] bool is_bucket() const { return bucket_; }      ///< of a leaf
  [[nodiscard]] Extent value() const { return value_; }         ///< of a leaf
  [[nodiscard]] std::uint64_t child() const { return child_; }  ///< of a branch: page number
  [[nodiscard]] const Page& page() const { return page_; }

 private:
  void place(std::uint64_t element, std::uint64_t pos, std::uint64_t key_bytes, std::uint64_t value_bytes);
  [[noreturn]] void damaged(const char* what) const;

  const BboltFile* file_;
  Page page_;
  std::size_t index_ = 0;
  std::uint64_t data_ = 0;  ///< where the next key must begin, from the page's start
  Bytes key_;
  Bytes before_;  ///< the key before, for the order
  bool bucket_ = false;
  Extent value_;
  std::uint64_t child_ = 0;
};

/// All keys of a bucket in order, with the stack of pages that lead to the present one and nothing else in memory: at
/// most max_tree_depth pages' positions and the keys that bound them. Every page is claimed in `pages`; one PageSet
/// serves all cursors of one walk, so nothing is walked twice. File and set must outlive the cursor.
class Cursor {
 public:
  Cursor(const Bucket& bucket, PageSet& pages);

  /// Steps to the first, then to each next key; false at the end. Throws RefusalError (usage) for damage: the file is
  /// refused as a whole, nothing behind the damage can be trusted.
  [[nodiscard]] bool next();

  /// REQUIRES for all of these: the last next() was true.
  [[nodiscard]] const Bytes& key() const;
  [[nodiscard]] bool is_bucket() const;
  [[nodiscard]] std::uint64_t value_bytes() const;
  /// The first `at_most` bytes of the value; of a bucket its header and inline page.
  [[nodiscard]] Bytes value(std::size_t at_most) const;
  /// REQUIRES: is_bucket().
  [[nodiscard]] Bucket bucket() const;

 private:
  struct Level {
    PageElements elements;
    Bytes next_key;  ///< a branch: key of the element behind the present one
    std::uint64_t next_child = 0;
    bool has_next = false;
    std::optional<Bytes> least;  ///< keys below this page are at least this
    std::optional<Bytes> limit;  ///< and below this
  };
  [[nodiscard]] const Level& present() const;
  void push(const Page& page, std::optional<Bytes> least, std::optional<Bytes> limit);
  [[nodiscard]] bool step_branch();
  void read_ahead(Level& level) const;
  void check_bounds(const Level& level) const;

  Bucket bucket_;
  PageSet& pages_;
  std::vector<Level> stack_;
  bool started_ = false;
};

}  // namespace paytower::db::lnd
