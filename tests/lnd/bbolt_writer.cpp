// Writes pages, buckets and trees of a bbolt file byte by byte.
#include "tests/lnd/bbolt_writer.h"

#include <algorithm>
#include <iterator>
#include <stdexcept>
#include <utility>

namespace paytower::test {

namespace {

constexpr std::uint16_t branch_flag = 1, leaf_flag = 2, meta_flag = 4, freelist_flag = 16;
constexpr std::size_t header_bytes = 16, element_bytes = 16, meta_end = 72;
constexpr std::uint64_t no_freelist = ~0ULL;

void put_le(Bytes& out, std::uint64_t value, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

void set_le(Bytes& out, std::size_t at, std::uint64_t value, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) out.at(at + i) = static_cast<std::uint8_t>(value >> (8 * i));
}

void append(Bytes& out, const Bytes& more) { out.insert(out.end(), more.begin(), more.end()); }

Bytes header(std::uint64_t id, std::uint16_t flags, std::size_t count) {
  Bytes out;
  put_le(out, id, 8);
  put_le(out, flags, 2);
  put_le(out, count, 2);
  put_le(out, 0, 4);
  return out;
}

/// Header, element table, then the keys and values in the table's order. The header's id and overflow come later.
template <typename Elements> Bytes leaf_page(const Elements& elements) {
  Bytes page = header(0, leaf_flag, elements.size());
  std::size_t data = header_bytes + elements.size() * element_bytes;
  for (const auto& element : elements) {
    put_le(page, element.flags, 4);
    put_le(page, data - (page.size() - 4), 4);
    put_le(page, element.key.size(), 4);
    put_le(page, element.value.size(), 4);
    data += element.key.size() + element.value.size();
  }
  for (const auto& element : elements) {
    append(page, element.key);
    append(page, element.value);
  }
  return page;
}

}  // namespace

BboltWriter::BboltWriter(const std::string& path, BboltOptions options)
    : options_(options), file_(path, std::ios::binary | std::ios::trunc), txid_(options.first_txid) {
  if (!file_) throw std::runtime_error("cannot make " + path);
  open_.emplace_back();
  Bytes freelist = header(2, freelist_flag, 0);
  freelist.resize(options_.page_bytes);
  Bytes root = header(3, leaf_flag, 0);
  root.resize(options_.page_bytes);
  write_at(2ULL * options_.page_bytes, freelist);
  write_at(3ULL * options_.page_bytes, root);
  write_meta(0, 3, 2, 4);
  write_meta(1, 3, 2, 4);
  for (std::uint64_t i = 0; i < options_.free_pages; ++i) free_.push_back(next_page_++);
}

void BboltWriter::begin(std::string_view name) { begin(bytes_of(name)); }

void BboltWriter::begin(const Bytes& name) {
  open_.emplace_back();
  open_.back().name = name;
}

void BboltWriter::put(std::string_view key, const Bytes& value) { put_element(bytes_of(key), 0, value); }
void BboltWriter::put(const Bytes& key, const Bytes& value) { put_element(key, 0, value); }

void BboltWriter::put_element(const Bytes& key, std::uint32_t flags, const Bytes& value) {
  Open& open = open_.back();
  if (key <= open.last_key && !open.last_key.empty()) throw std::logic_error("keys must ascend: " + to_hex(key));
  const std::size_t size = element_bytes + key.size() + value.size();
  const bool full =
      header_bytes + open.leaf_bytes + size > options_.page_bytes || open.leaf.size() >= options_.max_elements;
  if (open.leaf.size() >= options_.least_elements && full) flush_leaf(open);
  open.leaf.push_back({flags, key, value});
  open.nests = open.nests || flags == 1;
  open.leaf_bytes += size;
  open.last_key = key;
}

void BboltWriter::end(std::uint64_t sequence) {
  if (open_.size() < 2) throw std::logic_error("no bucket is open");
  Open closed = std::move(open_.back());
  open_.pop_back();
  Bytes value;
  const bool fits =
      closed.leaves.empty() && !closed.nests && header_bytes + closed.leaf_bytes <= options_.page_bytes / 4;
  put_le(value, fits && options_.inline_small ? 0 : close_tree(closed), 8);
  put_le(value, sequence, 8);
  if (fits && options_.inline_small) append(value, leaf_page(closed.leaf));
  put_element(closed.name, 1, value);
}

void BboltWriter::commit() {
  if (open_.size() != 1) throw std::logic_error("a bucket is still open");
  root_page_ = close_tree(open_.back());
  open_.back() = Open{};
  std::uint64_t freelist = no_freelist;
  if (options_.store_freelist) {
    const std::size_t entries = free_.size() + (free_.size() >= 0xFFFF ? 1 : 0);
    Bytes page = header(0, freelist_flag, std::min<std::size_t>(free_.size(), 0xFFFF));
    if (entries != free_.size()) put_le(page, free_.size(), 8);
    for (const std::uint64_t id : free_) put_le(page, id, 8);
    freelist = write_page(std::move(page));
  }
  file_.seekp(0, std::ios::end);
  const auto end = static_cast<std::uint64_t>(file_.tellp());
  const std::uint64_t wanted = next_page_ * options_.page_bytes + options_.extra_bytes;
  if (end < wanted) write_at(wanted - 1, Bytes(1));
  file_.flush();
  write_meta(txid_++, root_page_, freelist, next_page_);
  file_.flush();
  if (!file_) throw std::runtime_error("cannot write the file");
}

void BboltWriter::flush_leaf(Open& open) {
  if (open.leaf.empty()) return;
  Child child{open.leaf.front().key, 0};
  child.page = write_page(leaf_page(open.leaf));
  open.leaves.push_back(std::move(child));
  open.leaf.clear();
  open.leaf_bytes = 0;
}

std::uint64_t BboltWriter::close_tree(Open& open) {
  if (open.leaves.empty() && open.leaf.empty()) return write_page(header(0, leaf_flag, 0));
  flush_leaf(open);
  return write_branches(std::move(open.leaves));
}

std::uint64_t BboltWriter::write_branches(std::vector<Child> level) {
  while (level.size() > 1) {
    std::vector<Child> above;
    for (std::size_t at = 0; at < level.size();) {
      std::size_t size = header_bytes, to = at;
      while (to < level.size() && to - at < std::max<std::size_t>(2, options_.max_elements)) {
        size += element_bytes + level[to].first_key.size();
        if (size > options_.page_bytes && to - at >= 2) break;
        ++to;
      }
      Bytes page = header(0, branch_flag, to - at);
      std::size_t data = header_bytes + (to - at) * element_bytes;
      for (std::size_t i = at; i < to; ++i) {
        put_le(page, data - page.size(), 4);
        put_le(page, level[i].first_key.size(), 4);
        put_le(page, level[i].page, 8);
        data += level[i].first_key.size();
      }
      for (std::size_t i = at; i < to; ++i) append(page, level[i].first_key);
      above.push_back({level[at].first_key, write_page(std::move(page))});
      at = to;
    }
    level = std::move(above);
  }
  return level.front().page;
}

std::uint64_t BboltWriter::write_page(Bytes page) {
  const std::uint64_t id = next_page_;
  const std::uint64_t pages = (page.size() + options_.page_bytes - 1) / options_.page_bytes;
  set_le(page, 0, id, 8);
  set_le(page, 12, pages - 1, 4);
  page.resize(pages * options_.page_bytes);
  write_at(id * options_.page_bytes, page);
  next_page_ += pages;
  return id;
}

void BboltWriter::write_meta(std::uint64_t txid, std::uint64_t root, std::uint64_t freelist, std::uint64_t high_water) {
  Bytes page = header(txid % 2, meta_flag, 0);
  put_le(page, 0xED0CDAED, 4);
  put_le(page, 2, 4);
  put_le(page, options_.page_bytes, 4);
  put_le(page, 0, 4);
  for (const std::uint64_t value : {root, std::uint64_t{0}, freelist, high_water, txid}) put_le(page, value, 8);
  put_le(page, fnv1a(page, header_bytes, meta_end), 8);
  page.resize(options_.page_bytes);
  write_at(txid % 2 * options_.page_bytes, page);
}

void BboltWriter::write_at(std::uint64_t offset, const Bytes& bytes) {
  file_.seekp(static_cast<std::streamoff>(offset));
  file_.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

std::uint64_t fnv1a(const Bytes& bytes, std::size_t from, std::size_t to) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (std::size_t i = from; i < to; ++i) hash = (hash ^ bytes.at(i)) * 0x100000001b3ULL;
  return hash;
}

Bytes bytes_of(std::string_view text) { return {text.begin(), text.end()}; }

Bytes be64(std::uint64_t value) {
  Bytes out(8);
  for (std::size_t i = 0; i < 8; ++i) out[7 - i] = static_cast<std::uint8_t>(value >> (8 * i));
  return out;
}

Bytes be32(std::uint32_t value) {
  Bytes out(4);
  for (std::size_t i = 0; i < 4; ++i) out[3 - i] = static_cast<std::uint8_t>(value >> (8 * i));
  return out;
}

Bytes joined(std::initializer_list<Bytes> parts) {
  Bytes out;
  for (const Bytes& part : parts) append(out, part);
  return out;
}

FileImage FileImage::load(const std::string& path, std::uint32_t page_bytes) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  return {Bytes(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()), page_bytes};
}

void FileImage::save(const std::string& path) const {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

std::uint64_t FileImage::get(std::uint64_t offset, std::size_t size) const {
  std::uint64_t value = 0;
  for (std::size_t i = size; i > 0; --i) value = value << 8 | bytes.at(offset + i - 1);
  return value;
}

void FileImage::set(std::uint64_t offset, std::size_t size, std::uint64_t value) { set_le(bytes, offset, value, size); }

void FileImage::seal(std::uint64_t meta_page) {
  set(page(meta_page) + meta_end, 8, fnv1a(bytes, page(meta_page) + header_bytes, page(meta_page) + meta_end));
}

std::uint64_t FileImage::find(std::string_view text) const {
  const auto found =
      std::search(bytes.begin(), bytes.end(), text.begin(), text.end(),
                  [](std::uint8_t byte, char character) { return byte == static_cast<std::uint8_t>(character); });
  if (found == bytes.end()) throw std::logic_error("the file does not hold " + std::string(text));
  return static_cast<std::uint64_t>(found - bytes.begin());
}

}  // namespace paytower::test
