// The buckets of a bbolt file, and a cursor over a bucket. Keys and values are given out as copies of bounded size.
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

/// The place of a key: a plain value, or the header (and inline page) of a nested bucket.
struct Found {
  bool is_bucket = false;
  Extent value;
};

/// One bucket: a tree of pages, or one leaf page inside its parent's value. A small value that can be copied; its file
/// must outlive it.
class Bucket {
 public:
  /// The bucket that contains all others.
  [[nodiscard]] static Bucket root(const BboltFile& file);
  /// The nested bucket whose value is at `value`. Refuses (usage) if the value is not a bucket, if an inline page has a
  /// wrong header, or if nesting is deeper than max_bucket_depth. `depth`: in how many buckets it is.
  [[nodiscard]] static Bucket nested(const BboltFile& file, Extent value, std::size_t depth);

  [[nodiscard]] const BboltFile& file() const { return *file_; }
  /// The last number that NextSequence has given out.
  [[nodiscard]] std::uint64_t sequence() const { return sequence_; }
  [[nodiscard]] bool is_inline() const { return root_page_ == 0; }
  [[nodiscard]] std::size_t depth() const { return depth_; }
  /// The first page of the bucket. Refuses (usage), see BboltFile::page.
  [[nodiscard]] Page first_page() const;

  /// Looks up a key on one path from the root to a leaf, whose pages are checked. Refuses (usage) for damage.
  [[nodiscard]] std::optional<Found> find(std::span<const std::uint8_t> key) const;
  [[nodiscard]] std::optional<Found> find(std::string_view key) const;
  /// The nested bucket with this name. Nothing if there is no such name. Refuses (usage) if it is a plain value.
  [[nodiscard]] std::optional<Bucket> bucket(std::string_view name) const;
  /// The first `at_most` bytes of a plain value. Nothing if there is no such key. Refuses (usage) for a bucket.
  [[nodiscard]] std::optional<Bytes> value(std::string_view key, std::size_t at_most) const;

 private:
  const BboltFile* file_ = nullptr;
  std::uint64_t root_page_ = 0;  ///< 0: inline
  Page inline_page_;
  std::uint64_t sequence_ = 0;
  std::size_t depth_ = 0;
};

/// The elements of a page in order. Each is checked before it is shown: inside the page, packed without gaps, keys of 1
/// to max_key_bytes bytes and strictly ascending.
class PageElements {
 public:
  PageElements(const BboltFile& file, const Page& page);

  /// Goes to the next element. False after the last one. Refuses (usage) for damage.
  [[nodiscard]] bool next();
  /// REQUIRES: the last next() was true.
  [[nodiscard]] const Bytes& key() const { return key_; }
  [[nodiscard]] bool is_bucket() const { return bucket_; }      ///< in a leaf
  [[nodiscard]] Extent value() const { return value_; }         ///< in a leaf
  [[nodiscard]] std::uint64_t child() const { return child_; }  ///< in a branch: a page number
  [[nodiscard]] const Page& page() const { return page_; }

 private:
  void place(std::uint64_t element, std::uint64_t pos, std::uint64_t key_bytes, std::uint64_t value_bytes);
  [[noreturn]] void damaged(const char* what) const;

  const BboltFile* file_;
  Page page_;
  std::size_t index_ = 0;
  std::uint64_t data_ = 0;  ///< where the next key must begin, counted from the start of the page
  Bytes key_;
  Bytes before_;  ///< the key before this one, to check the order
  bool bucket_ = false;
  Extent value_;
  std::uint64_t child_ = 0;
};

/// All keys of a bucket in order. In memory are only the pages on the way to the current key: at most max_tree_depth
/// positions, and the keys that bound them. Every page is claimed in `pages`; one PageSet is used for all cursors of a
/// walk, so nothing is walked twice. File and set must outlive the cursor.
class Cursor {
 public:
  Cursor(const Bucket& bucket, PageSet& pages);

  /// Goes to the first key, then to each next one. False at the end. Refuses (usage) for damage: then the whole file is
  /// refused, because nothing after the damage can be trusted.
  [[nodiscard]] bool next();

  /// REQUIRES for all of these: the last next() returned true.
  [[nodiscard]] const Bytes& key() const;
  [[nodiscard]] bool is_bucket() const;
  [[nodiscard]] std::uint64_t value_bytes() const;
  /// The first `at_most` bytes of the value; for a bucket, of its header and inline page.
  [[nodiscard]] Bytes value(std::size_t at_most) const;
  /// REQUIRES: is_bucket().
  [[nodiscard]] Bucket bucket() const;

 private:
  struct Level {
    PageElements elements;
    Bytes next_key;  ///< in a branch: the key of the next element
    std::uint64_t next_child = 0;
    bool has_next = false;
    std::optional<Bytes> least;  ///< keys below this page are not smaller than this
    std::optional<Bytes> limit;  ///< and are smaller than this
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
