// Opens a channel.db, finds its version, and reads the records of its oldest layout.
#include "db/import/lnd/channel_db.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include <fmt/core.h>

#include "core/base/refuse.h"
#include "db/import/lnd/bucket_copy.h"

namespace paytower::db::lnd {

namespace {

constexpr std::string_view metadata_bucket = "metadata", version_key = "dbp", tombstone = "data-migration-tombstone";
constexpr std::string_view legacy_payments_name = "payments", legacy_statuses_name = "payment-status";
constexpr std::string_view graph_node = "graph-node", source_key = "source", attempt_ids = "next-payment-id-key";

}  // namespace

std::string unsaid_version_note() {
  return fmt::format(
      "the file does not say its version (no `metadata/dbp`): read as {}, as lnd does; lnd 0.19.2 to 0.21.1, 0.20.2 "
      "and 0.20.3 never wrote it in a new file",
      unsaid_version);
}

struct RawStream::Walk {
  explicit Walk(const Bucket& bucket) : pages(bucket.file()), cursor(bucket, pages) {}
  PageSet pages;
  Cursor cursor;
};

RawStream::RawStream(const std::optional<Bucket>& bucket) : walk_(bucket ? std::make_unique<Walk>(*bucket) : nullptr) {}
RawStream::RawStream(RawStream&&) noexcept = default;
RawStream::~RawStream() = default;

std::optional<RawEntry> RawStream::next() {
  if (!walk_) return std::nullopt;
  // Taken out while working: if it throws, the stream is done.
  std::unique_ptr<Walk> walk = std::move(walk_);
  if (!walk->cursor.next()) return std::nullopt;
  RawEntry entry;
  entry.key = walk->cursor.key();
  entry.is_bucket = walk->cursor.is_bucket();
  if (entry.is_bucket) {
    const BucketCopy copy = copy_entry(walk->cursor, walk->pages);
    entry.value = raw_bytes(copy.top);
    entry.complete = copy.complete && entry.value.size() <= max_record_bytes;
    if (!entry.complete) entry.value.resize(std::min(entry.value.size(), max_record_bytes));
  } else {
    entry.value = walk->cursor.value(max_record_bytes);
    entry.complete = walk->cursor.value_bytes() <= max_record_bytes;
  }
  walk_ = std::move(walk);
  return entry;
}

ChannelDb::ChannelDb(std::unique_ptr<BboltFile> file) : file_(std::move(file)) {}

ChannelDb ChannelDb::open(const std::string& path, const OpenChannelDb& options) {
  ChannelDb database(std::make_unique<BboltFile>(path));
  database.read_version(options);
  database.check_layout();
  database.read_source_node();
  return database;
}

std::optional<Bucket> ChannelDb::top(std::string_view name) const { return Bucket::root(*file_).bucket(name); }

void ChannelDb::read_version(const OpenChannelDb& options) {
  const auto about = top(metadata_bucket);
  if (!about) {
    // Made before versions existed; or the file belongs to another program, or is another file of lnd's (wallet.db,
    // macaroons.db, ...).
    if (!top(legacy_payments_name) && !top(graph_node))
      file_->refuse("is a bbolt file, but not lnd's channel.db: none of its buckets is there", where_it_is);
  } else {
    if (about->find(tombstone))
      file_->refuse("carries lnd's tombstone: its content was moved to another database, which has what happened since",
                    "name lnd's folder, or the database that it was moved to: channel.sqlite or lnd.sqlite");
    const auto stored = about->value(version_key, 8);
    if (stored && stored->size() != 4) file_->refuse("has a version (`metadata/dbp`) that is not 4 bytes long");
    if (!stored) version_ = version_without_key();
    for (const std::uint8_t byte : stored.value_or(Bytes{})) version_ = version_ << 8 | byte;
  }
  if (version_ > newest_version) {
    file_->refuse(fmt::format("has version {}; {} is the newest that can be read", version_, newest_version),
                  newer_paytower);
  }
  if (version_ < oldest_marked_version && !options.assume_v04) {
    refuse(Errc::usage,
           fmt::format("{} has version {}, which lnd 0.4 wrote, and before it others whose records look alike and "
                       "mean something else",
                       file_->path(), version_),
           "if lnd 0.4 wrote all of it: --assume-v04; else start lnd 0.5 or later on a copy once, stop it, and "
           "import the copy");
  }
}

/// As lnd reads such a file: the buckets of payments and of their index came at that time, and nothing about payments
/// has changed after them.
std::uint32_t ChannelDb::version_without_key() {
  if (!top(payments_root_bucket) || !top(payments_index_bucket)) {
    file_->refuse("does not say its version (no `metadata/dbp`), and paytower does not guess what is in it",
                  start_lnd_once);
  }
  notes_.push_back(unsaid_version_note());
  return unsaid_version;
}

void ChannelDb::check_layout() const {
  if (legacy()) {
    if (top(payments_root_bucket))
      file_->refuse(fmt::format("has version {} and a `payments-root-bucket`, which came with version 9", version_),
                    start_lnd_on_a_copy);
    return;
  }
  // A node that was first started with lnd 0.7.0 to 0.8.2 keeps an empty one for ever: these made it, and nothing
  // removes it.
  for (const std::string_view old : {legacy_payments_name, legacy_statuses_name}) {
    const auto bucket = top(old);
    if (bucket && RawStream(bucket).next()) {
      file_->refuse(fmt::format("has version {} and still records in `{}`, which version 9 removed", version_, old),
                    start_lnd_on_a_copy);
    }
  }
}

void ChannelDb::read_source_node() {
  const auto node = top(graph_node);
  if (!node) return;
  const auto key = node->value(source_key, PublicKey::size + 1);
  if (!key) return;
  source_node_ = PublicKey::from_span(*key);
  if (!source_node_ || (key->front() != 2 && key->front() != 3)) {
    file_->refuse("`graph-node/source` is not a public key of 33 bytes that begins with 02 or 03");
  }
}

std::uint64_t ChannelDb::payment_sequence() const {
  const auto payments = top(legacy() ? legacy_payments_name : payments_root_bucket);
  return payments ? payments->sequence() : 0;
}

std::optional<std::uint64_t> ChannelDb::attempt_id_sequence() const {
  const auto ids = top(attempt_ids);
  if (!ids) return std::nullopt;
  return ids->sequence();
}

std::optional<Bucket> ChannelDb::payment_buckets() const {
  if (legacy()) return std::nullopt;
  return top(payments_root_bucket);
}

RawStream ChannelDb::legacy_payments() const { return RawStream(legacy() ? top(legacy_payments_name) : std::nullopt); }
RawStream ChannelDb::legacy_statuses() const { return RawStream(legacy() ? top(legacy_statuses_name) : std::nullopt); }

}  // namespace paytower::db::lnd
