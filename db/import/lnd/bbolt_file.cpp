// Opens a bbolt file, checks its meta pages and freelist, and reads pages.
#include "db/import/lnd/bbolt_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/core.h>

#include "core/base/refuse.h"
#include "core/base/require.h"
#include "db/import/lnd/little_endian.h"

namespace paytower::db::lnd {

namespace {

constexpr std::uint16_t branch_flag = 0x01, meta_flag = 0x04, freelist_flag = 0x10;
constexpr std::uint32_t bbolt_magic = 0xED0CDAED, bbolt_magic_reversed = 0xEDDA0CED, bbolt_version = 2;
constexpr std::uint64_t freelist_not_stored = ~0ULL;
constexpr std::size_t meta_bytes = 80, checksum_from = 16, checksum_at = 72;  // in a meta page
constexpr std::uint64_t block_bytes = 4'096;
constexpr std::size_t cached_blocks = 256;
constexpr std::string_view damaged_hint = "stop lnd (lncli stop), copy the file again, and name the copy";
constexpr const char* stop_lnd = "stop lnd first: lncli stop";

std::uint64_t fnv1a(std::span<const std::uint8_t> data) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const std::uint8_t byte : data) hash = (hash ^ byte) * 0x100000001b3ULL;
  return hash;
}

constexpr const char* not_a_meta = "not a bbolt meta page";

bool page_size_allowed(std::uint64_t bytes) {
  return bytes >= min_page_bytes && bytes <= max_page_bytes && (bytes & (bytes - 1)) == 0;
}

/// A meta page, or why it does not count. Magic, version and checksum are checked first: if the checksum is right, the
/// rest is what bbolt wrote.
struct MetaReading {
  std::optional<Meta> meta;
  std::string flaw;
};

MetaReading read_meta(std::span<const std::uint8_t> page, std::uint64_t number) {
  const auto flawed = [](std::string why) { return MetaReading{std::nullopt, std::move(why)}; };
  const auto magic = little<std::uint32_t>(page, 16);
  if (magic == bbolt_magic_reversed) return flawed("made by a machine with the other byte order");
  if (magic != bbolt_magic) return flawed(not_a_meta);
  if (little<std::uint32_t>(page, 20) != bbolt_version)
    return flawed(fmt::format("bbolt version {}", little<std::uint32_t>(page, 20)));
  if (fnv1a(page.subspan(checksum_from, checksum_at - checksum_from)) != little<std::uint64_t>(page, checksum_at))
    return flawed("wrong checksum");
  if (little<std::uint64_t>(page, 0) != number || little<std::uint16_t>(page, 8) != meta_flag)
    return flawed("wrong page header");
  Meta meta;
  meta.page_bytes = little<std::uint32_t>(page, 24);
  meta.root_page = little<std::uint64_t>(page, 32);
  meta.root_sequence = little<std::uint64_t>(page, 40);
  const auto freelist = little<std::uint64_t>(page, 48);
  if (freelist != freelist_not_stored) meta.freelist_page = freelist;
  meta.high_water = little<std::uint64_t>(page, 56);
  meta.txid = little<std::uint64_t>(page, 64);
  if (!page_size_allowed(meta.page_bytes)) return flawed(fmt::format("page size {}", meta.page_bytes));
  return {meta, {}};
}

[[noreturn]] void refuse_system(const std::string& path, const char* doing, int error) {
  refuse(Errc::usage, fmt::format("{}: cannot {}: {}", path, doing, std::strerror(error)),
         fmt::format("ls -l {}", path));
}

}  // namespace

BboltFile::BboltFile(std::string path) : path_(std::move(path)), cache_(cached_blocks) {
  // Non-blocking, because somebody may have put a pipe there.
  file_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (file_ < 0) refuse_system(path_, "open it", errno);
  try {
    struct stat seen {};
    if (::fstat(file_, &seen) != 0) refuse_system(path_, "look at it", errno);
    if (!S_ISREG(seen.st_mode)) refuse("is not a regular file", where_it_is);
    lock();
    // Again: what was written before we had the lock does not count as a change.
    if (::fstat(file_, &seen) != 0) refuse_system(path_, "look at it", errno);
    file_bytes_ = static_cast<std::uint64_t>(seen.st_size);
    changed_s_ = seen.st_mtim.tv_sec;
    changed_ns_ = seen.st_mtim.tv_nsec;
    choose_meta();
    metas_ = metas_on_disk();
  } catch (...) {
    ::close(file_);
    throw;
  }
}

BboltFile::~BboltFile() { ::close(file_); }

void BboltFile::lock() const {
  int result = 0;
  do result = ::flock(file_, LOCK_SH | LOCK_NB);
  while (result != 0 && errno == EINTR);
  if (result == 0) return;
  if (errno == EWOULDBLOCK) {
    paytower::refuse(
        Errc::busy,
        fmt::format("{} is locked by a running lnd (or another program that writes it); nothing was read", path_),
        stop_lnd);
  }
  paytower::refuse(Errc::usage, fmt::format("{}: cannot lock it: {}", path_, std::strerror(errno)),
                   "stop lnd, copy the file to a local disk, and name the copy");
}

void BboltFile::choose_meta() {
  if (file_bytes_ < 2ULL * min_page_bytes)
    refuse(fmt::format("is not a bbolt file: {} bytes", file_bytes_), where_it_is);
  const auto meta_at = [&](std::uint64_t offset, std::uint64_t number) {
    if (offset + meta_bytes > file_bytes_) return MetaReading{std::nullopt, "behind the end of the file"};
    return read_meta(bytes({offset, meta_bytes}, meta_bytes), number);
  };
  const MetaReading first = meta_at(0, 0);
  MetaReading second;
  if (first.meta) {
    second = meta_at(first.meta->page_bytes, 1);
    if (second.meta && second.meta->page_bytes != first.meta->page_bytes)
      refuse("its two meta pages name different page sizes");
  } else {
    for (std::uint64_t size = min_page_bytes; size <= max_page_bytes && !second.meta; size *= 2) {
      second = meta_at(size, 1);
      if (second.meta && second.meta->page_bytes != size) second.meta.reset();
    }
  }
  if (!first.meta && !second.meta)
    refuse(fmt::format("is not a bbolt file: meta page 0: {}; no valid meta page 1 at any page size", first.flaw),
           first.flaw == not_a_meta ? where_it_is : "");
  const bool use_second = second.meta && (!first.meta || second.meta->txid > first.meta->txid);
  meta_ = use_second ? *second.meta : *first.meta;
  if (meta_.high_water < 3 || meta_.high_water > max_pages)
    refuse(fmt::format("high water mark {} is not possible", meta_.high_water));
  if (meta_.high_water * meta_.page_bytes > file_bytes_) {
    refuse(fmt::format("is cut short: {} pages of {} bytes are in use, the file has {} bytes", meta_.high_water,
                       meta_.page_bytes, file_bytes_));
  }
  if (meta_.root_page < 2 || meta_.root_page >= meta_.high_water)
    refuse(fmt::format("root page {} is not there", meta_.root_page));
}

const BboltFile::Block& BboltFile::block(std::uint64_t number) const {
  Block& cached = cache_[number % cached_blocks];
  if (cached.size > 0 && cached.number == number) return cached;
  cached.size = 0;
  cached.number = number;
  cached.bytes.resize(block_bytes);
  const std::size_t wanted = static_cast<std::size_t>(std::min(block_bytes, file_bytes_ - number * block_bytes));
  std::size_t have = 0;
  while (have < wanted) {
    const ssize_t got =
        ::pread(file_, cached.bytes.data() + have, wanted - have, static_cast<off_t>(number * block_bytes + have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) refuse_system(path_, "read it", errno);
    if (got == 0) refuse("became shorter while it was read");
    have += static_cast<std::size_t>(got);
  }
  cached.size = wanted;
  return cached;
}

void BboltFile::read(Extent at, std::span<std::uint8_t> out) const {
  require(at.size == out.size(), "as much room as bytes wanted");
  if (at.offset > file_bytes_ || at.size > file_bytes_ - at.offset) refuse("bytes behind its end are referred to");
  std::size_t done = 0;
  while (done < out.size()) {
    const std::uint64_t offset = at.offset + done;
    const Block& from = block(offset / block_bytes);
    const std::size_t skip = static_cast<std::size_t>(offset % block_bytes);
    const std::size_t some = std::min(from.size - skip, out.size() - done);
    std::memcpy(out.data() + done, from.bytes.data() + skip, some);
    done += some;
  }
}

Bytes BboltFile::bytes(Extent at, std::size_t at_most) const {
  Bytes out(static_cast<std::size_t>(std::min<std::uint64_t>(at.size, at_most)));
  read({at.offset, out.size()}, out);
  return out;
}

Page BboltFile::page(std::uint64_t id) const {
  const std::string name = fmt::format("page {}", id);
  if (id < 2 || id >= meta_.high_water)
    refuse(fmt::format("{} is referred to; the file uses 2 to {}", name, meta_.high_water - 1));
  std::array<std::uint8_t, page_header_bytes> header{};
  const std::uint64_t offset = id * meta_.page_bytes;
  read({offset, header.size()}, header);
  if (little<std::uint64_t>(header, 0) != id)
    refuse(fmt::format("{} calls itself {}", name, little<std::uint64_t>(header, 0)));
  const auto flags = little<std::uint16_t>(header, 8);
  if (flags != branch_flag && flags != leaf_flag)
    refuse(fmt::format("{} has flags {}, not those of a branch or a leaf", name, flags));
  Page page;
  page.id = id;
  page.leaf = flags == leaf_flag;
  page.count = little<std::uint16_t>(header, 10);
  page.pages = 1ULL + little<std::uint32_t>(header, 12);
  if (page.pages > meta_.high_water - id) refuse(fmt::format("{} overflows past the last page in use", name));
  page.extent = {offset, page.pages * meta_.page_bytes};
  if (page_header_bytes + page.count * element_bytes > page.extent.size)
    refuse(fmt::format("{} has {} elements, more than fit", name, page.count));
  if (!page.leaf && page.count == 0) refuse(fmt::format("{} is a branch without children", name));
  return page;
}

Bytes BboltFile::metas_on_disk() const {
  Bytes metas(2 * meta_bytes);
  for (std::size_t i = 0; i < 2; ++i) {
    const ssize_t got =
        ::pread(file_, metas.data() + i * meta_bytes, meta_bytes, static_cast<off_t>(i * meta_.page_bytes));
    if (got != static_cast<ssize_t>(meta_bytes)) refuse("its meta pages can no longer be read");
  }
  return metas;
}

void BboltFile::check_unchanged() const {
  struct stat seen {};
  if (::fstat(file_, &seen) != 0) refuse_system(path_, "look at it", errno);
  const bool same = static_cast<std::uint64_t>(seen.st_size) == file_bytes_ && seen.st_mtim.tv_sec == changed_s_ &&
                    seen.st_mtim.tv_nsec == changed_ns_;
  if (same && metas_on_disk() == metas_) return;
  paytower::refuse(Errc::busy, fmt::format("{} changed while it was read; nothing that was read counts", path_),
                   stop_lnd);
}

void BboltFile::refuse(const std::string& what, const std::string& hint) const {
  paytower::refuse(Errc::usage, fmt::format("{}: {}", path_, what), hint.empty() ? std::string(damaged_hint) : hint);
}

PageSet::PageSet(const BboltFile& file) : file_(file), bits_((file.meta().high_water + 63) / 64) {
  claim(0, 2);
  if (file.meta().freelist_page) claim_freelist(*file.meta().freelist_page);
}

void PageSet::claim(const Page& page) { claim(page.id, page.pages); }

void PageSet::claim(std::uint64_t first, std::uint64_t count) {
  for (std::uint64_t id = first; id < first + count; ++id) {
    std::uint64_t& word = bits_.at(static_cast<std::size_t>(id / 64));
    const std::uint64_t bit = 1ULL << (id % 64);
    if ((word & bit) != 0) file_.refuse(fmt::format("page {} is reached twice, or is free and in use", id));
    word |= bit;
  }
}

void PageSet::claim_freelist(std::uint64_t id) {
  const Meta& meta = file_.meta();
  if (id < 2 || id >= meta.high_water) file_.refuse(fmt::format("freelist page {} is not there", id));
  const std::uint64_t offset = id * meta.page_bytes;
  const Bytes header = file_.bytes({offset, page_header_bytes + 8}, page_header_bytes + 8);
  if (little<std::uint64_t>(header, 0) != id || little<std::uint16_t>(header, 8) != freelist_flag) {
    file_.refuse(fmt::format("page {} is not the freelist that the meta page says it is", id));
  }
  const std::uint64_t pages = 1ULL + little<std::uint32_t>(header, 12);
  if (pages > meta.high_water - id) file_.refuse("the freelist overflows past the last page in use");
  claim(id, pages);
  // 0xFFFF: the number does not fit into the field, so it is written before the list.
  std::uint64_t count = little<std::uint16_t>(header, 10);
  std::uint64_t at = offset + page_header_bytes;
  if (count == 0xFFFF) {
    count = little<std::uint64_t>(header, page_header_bytes);
    at += 8;
  }
  if (count > (offset + pages * meta.page_bytes - at) / 8)
    file_.refuse("the freelist names more pages than it has room for");
  std::uint64_t before = 1;
  std::array<std::uint8_t, 8> entry{};
  for (std::uint64_t i = 0; i < count; ++i, at += 8) {
    file_.read({at, entry.size()}, entry);
    const auto free = little<std::uint64_t>(entry, 0);
    if (free <= before || free >= meta.high_water)
      file_.refuse(fmt::format("the freelist names page {} out of order or range", free));
    claim(free, 1);
    before = free;
  }
}

}  // namespace paytower::db::lnd
