// Walks the pages of a bucket, and checks each element.
#include "db/import/lnd/bbolt_bucket.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include <fmt/core.h>

#include "core/base/require.h"
#include "db/import/lnd/little_endian.h"

namespace paytower::db::lnd {

namespace {

constexpr std::uint64_t bucket_header_bytes = 16;
constexpr std::uint32_t bucket_flag = 0x01;

bool same_bytes(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}
bool precedes(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) {
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end());
}

/// Pages have numbers; an inline page is named by its place in the file.
std::string name_of(const Page& page) {
  return page.id != 0 ? fmt::format("page {}", page.id)
                      : fmt::format("the inline bucket at byte {}", page.extent.offset);
}

Bytes key_of(std::string_view name) { return {name.begin(), name.end()}; }

}  // namespace

Bucket Bucket::root(const BboltFile& file) {
  Bucket bucket;
  bucket.file_ = &file;
  bucket.root_page_ = file.meta().root_page;
  bucket.sequence_ = file.meta().root_sequence;
  return bucket;
}

Bucket Bucket::nested(const BboltFile& file, Extent value, std::size_t depth) {
  const std::string name = fmt::format("the bucket at byte {}", value.offset);
  if (depth > max_bucket_depth) file.refuse(fmt::format("{} lies in more than {} others", name, max_bucket_depth));
  if (value.size < bucket_header_bytes) file.refuse(fmt::format("{} has a header of {} bytes", name, value.size));
  const Bytes head = file.bytes(value, bucket_header_bytes + page_header_bytes);
  Bucket bucket;
  bucket.file_ = &file;
  bucket.root_page_ = little<std::uint64_t>(head, 0);
  bucket.sequence_ = little<std::uint64_t>(head, 8);
  bucket.depth_ = depth;
  if (!bucket.is_inline()) {
    if (value.size != bucket_header_bytes)
      file.refuse(fmt::format("{} has both a page and something behind its header", name));
    return bucket;
  }
  if (value.size < bucket_header_bytes + page_header_bytes)
    file.refuse(fmt::format("{} is inline and has no page", name));
  const std::span<const std::uint8_t> page = std::span<const std::uint8_t>(head).subspan(bucket_header_bytes);
  if (little<std::uint64_t>(page, 0) != 0 || little<std::uint16_t>(page, 8) != leaf_flag ||
      little<std::uint32_t>(page, 12) != 0) {
    file.refuse(fmt::format("{} has an inline page that is no leaf", name));
  }
  bucket.inline_page_.extent = {value.offset + bucket_header_bytes, value.size - bucket_header_bytes};
  bucket.inline_page_.leaf = true;
  bucket.inline_page_.count = little<std::uint16_t>(page, 10);
  if (page_header_bytes + bucket.inline_page_.count * element_bytes > bucket.inline_page_.extent.size) {
    file.refuse(fmt::format("{} has an inline page with more elements than fit", name));
  }
  return bucket;
}

Page Bucket::first_page() const { return is_inline() ? inline_page_ : file_->page(root_page_); }

std::optional<Found> Bucket::find(std::span<const std::uint8_t> key) const {
  Page page = first_page();
  for (std::size_t depth = 0; depth < max_tree_depth; ++depth) {
    PageElements elements(*file_, page);
    if (page.leaf) {
      while (elements.next()) {
        if (same_bytes(elements.key(), key)) return Found{elements.is_bucket(), elements.value()};
        if (precedes(key, elements.key())) break;
      }
      return std::nullopt;
    }
    // The last child that does not begin after the key; the first child if all do.
    std::uint64_t child = 0;
    while (elements.next()) {
      if (child != 0 && precedes(key, elements.key())) break;
      child = elements.child();
    }
    page = file_->page(child);
  }
  file_->refuse(fmt::format("a bucket's tree is deeper than {} pages", max_tree_depth));
}

std::optional<Found> Bucket::find(std::string_view key) const {
  return find(std::span<const std::uint8_t>(key_of(key)));
}

std::optional<Bucket> Bucket::bucket(std::string_view name) const {
  const auto found = find(name);
  if (!found) return std::nullopt;
  if (!found->is_bucket) file_->refuse(fmt::format("`{}` is a plain value, lnd has a bucket there", name));
  return nested(*file_, found->value, depth_ + 1);
}

std::optional<Bytes> Bucket::value(std::string_view key, std::size_t at_most) const {
  const auto found = find(key);
  if (!found) return std::nullopt;
  if (found->is_bucket) file_->refuse(fmt::format("`{}` is a bucket, lnd has a plain value there", key));
  return file_->bytes(found->value, at_most);
}

PageElements::PageElements(const BboltFile& file, const Page& page)
    : file_(&file), page_(page), data_(page_header_bytes + page.count * element_bytes) {}

bool PageElements::next() {
  if (index_ == page_.count) {
    if (page_.id == 0 && data_ != page_.extent.size) damaged("has bytes behind its last value");
    return false;
  }
  const std::uint64_t at = page_header_bytes + index_ * element_bytes;
  std::array<std::uint8_t, element_bytes> head{};
  file_->read({page_.extent.offset + at, head.size()}, head);
  ++index_;
  if (!page_.leaf) {
    child_ = little<std::uint64_t>(head, 8);
    place(at, little<std::uint32_t>(head, 0), little<std::uint32_t>(head, 4), 0);
    return true;
  }
  const auto flags = little<std::uint32_t>(head, 0);
  if (flags > bucket_flag) damaged("has an element with unknown flags");
  bucket_ = flags == bucket_flag;
  if (bucket_ && page_.id == 0) damaged("holds a bucket, which an inline bucket never does");
  place(at, little<std::uint32_t>(head, 4), little<std::uint32_t>(head, 8), little<std::uint32_t>(head, 12));
  return true;
}

void PageElements::place(std::uint64_t element, std::uint64_t pos, std::uint64_t key_bytes, std::uint64_t value_bytes) {
  // bbolt packs keys and values without gaps, so any other place means damage.
  if (element + pos != data_) damaged("has an element whose key is not where the one before ends");
  if (key_bytes == 0 || key_bytes > max_key_bytes) damaged("has a key of no or too many bytes");
  if (key_bytes + value_bytes > page_.extent.size - data_) damaged("has an element that reaches past its end");
  std::swap(before_, key_);
  key_.resize(static_cast<std::size_t>(key_bytes));
  file_->read({page_.extent.offset + data_, key_bytes}, key_);
  if (!before_.empty() && !(before_ < key_)) damaged("has keys out of order");
  value_ = {page_.extent.offset + data_ + key_bytes, value_bytes};
  data_ += key_bytes + value_bytes;
}

void PageElements::damaged(const char* what) const {
  file_->refuse(fmt::format("{}, element {}: it {}", name_of(page_), index_, what));
}

Cursor::Cursor(const Bucket& bucket, PageSet& pages) : bucket_(bucket), pages_(pages) {}

bool Cursor::next() {
  if (!started_) {
    started_ = true;
    push(bucket_.first_page(), std::nullopt, std::nullopt);
  }
  while (!stack_.empty()) {
    Level& level = stack_.back();
    if (!level.elements.page().leaf) {
      if (!step_branch()) stack_.pop_back();
    } else if (level.elements.next()) {
      check_bounds(level);
      return true;
    } else {
      stack_.pop_back();
    }
  }
  return false;
}

bool Cursor::step_branch() {
  Level& level = stack_.back();
  if (!level.has_next) return false;
  const std::uint64_t child = level.next_child;
  Bytes least = std::move(level.next_key);
  read_ahead(level);
  std::optional<Bytes> limit = level.has_next ? level.next_key : level.limit;
  push(bucket_.file().page(child), std::move(least), std::move(limit));
  return true;
}

void Cursor::push(const Page& page, std::optional<Bytes> least, std::optional<Bytes> limit) {
  const BboltFile& file = bucket_.file();
  if (stack_.size() == max_tree_depth)
    file.refuse(fmt::format("a bucket's tree is deeper than {} pages", max_tree_depth));
  if (page.id != 0) pages_.claim(page);
  stack_.push_back(Level{PageElements(file, page), {}, 0, false, std::move(least), std::move(limit)});
  if (!page.leaf) read_ahead(stack_.back());
}

void Cursor::read_ahead(Level& level) const {
  level.has_next = level.elements.next();
  if (!level.has_next) return;
  check_bounds(level);
  level.next_key = level.elements.key();
  level.next_child = level.elements.child();
}

void Cursor::check_bounds(const Level& level) const {
  const Bytes& key = level.elements.key();
  if ((level.least && key < *level.least) || (level.limit && key >= *level.limit)) {
    bucket_.file().refuse(
        fmt::format("{} has a key outside the range that its parent page gives it", name_of(level.elements.page())));
  }
}

const Cursor::Level& Cursor::present() const {
  require(!stack_.empty(), "the last next() was true");
  return stack_.back();
}

const Bytes& Cursor::key() const { return present().elements.key(); }
bool Cursor::is_bucket() const { return present().elements.is_bucket(); }
std::uint64_t Cursor::value_bytes() const { return present().elements.value().size; }
Bytes Cursor::value(std::size_t at_most) const { return bucket_.file().bytes(present().elements.value(), at_most); }
Bucket Cursor::bucket() const {
  require(is_bucket(), "the key leads to a bucket");
  return Bucket::nested(bucket_.file(), present().elements.value(), bucket_.depth() + 1);
}

}  // namespace paytower::db::lnd
