// Which of lnd's files has its payments.
#include "db/import/sources.h"

#include <array>
#include <filesystem>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "core/base/refuse.h"
#include "db/import/lnd/channel_db.h"
#include "db/import/lnd/kv_payments.h"
#include "db/import/sqlite_file.h"

namespace paytower::db {

namespace {

namespace fs = std::filesystem;

constexpr const char* native_name = "lnd.sqlite";
constexpr const char* key_value_name = "channel.sqlite";
constexpr const char* bbolt_name = "channel.db";
constexpr std::array networks = {"mainnet", "testnet", "testnet4", "signet", "regtest", "simnet"};

[[noreturn]] void refuse(std::string message, std::string hint) {
  paytower::refuse(Errc::usage, std::move(message), std::move(hint));
}

std::string import_of(const std::string& path) { return fmt::format("paytower migrate --from-lnd {}", path); }

class BboltRecords : public lnd::RecordStream {
 public:
  explicit BboltRecords(const lnd::ChannelDb& database) : payments_(database) {}
  std::optional<lnd::KvRecord> next() override { return payments_.next(); }

 private:
  lnd::KvPayments payments_;
};

/// channel.db.
class BboltSource : public lnd::Source {
 public:
  explicit BboltSource(lnd::ChannelDb database) : database_(std::move(database)) {}

  std::optional<PublicKey> source_node() const override { return database_.source_node(); }
  std::uint64_t payment_sequence() const override { return database_.payment_sequence(); }
  std::unique_ptr<lnd::RecordStream> records() const override { return std::make_unique<BboltRecords>(database_); }
  std::vector<std::string> notes() const override { return database_.notes(); }
  void check_unchanged() const override { database_.file().check_unchanged(); }
  const lnd::ChannelDb* legacy() const override { return database_.legacy() ? &database_ : nullptr; }
  const char* records_name() const override { return "lnd payments-root-bucket"; }
  const char* raw_name() const override { return "lnd payment"; }

 private:
  lnd::ChannelDb database_;
};

bool is_there(const fs::path& path) {
  std::error_code trouble;
  return fs::exists(path, trouble);
}

/// lnd keeps its databases in data/graph/<network> inside its folder.
std::vector<std::string> databases_below(const fs::path& folder) {
  std::vector<fs::path> places = {folder};
  for (const fs::path& graph : {folder / "data" / "graph", folder / "graph", folder}) {
    for (const char* network : networks) places.push_back(graph / network);
  }
  std::vector<std::string> found;
  for (const fs::path& place : places) {
    for (const char* name : {native_name, key_value_name, bbolt_name}) {
      if (!is_there(place / name)) continue;
      found.push_back((place / name).string());
    }
  }
  return found;
}

/// The lnd.sqlite beside a key-value file, if the payments have moved there.
std::optional<std::string> moved_to(const std::string& path) {
  const std::string native = (fs::path(path).parent_path() / native_name).string();
  if (fs::path(path).filename() == native_name || !is_there(native) || !is_sqlite(native)) return std::nullopt;
  if (!has_native_payments(LndSqlite(native))) return std::nullopt;
  return native;
}

/// The file of one folder that has the payments: lnd.sqlite only if they have moved there.
std::string find_in_folder(const std::string& folder) {
  const std::vector<std::string> found = databases_below(folder);
  if (found.empty())
    refuse(fmt::format("{}: no database of lnd's is in this folder ({}, {} or {})", folder, bbolt_name, key_value_name,
                       native_name),
           lnd::where_it_is);
  std::vector<std::string> right;
  std::string last_place;
  for (const std::string& path : found) {
    const std::string place = fs::path(path).parent_path().string();
    if (place == last_place) continue;
    if (fs::path(path).filename() == native_name && !(is_sqlite(path) && has_native_payments(LndSqlite(path))))
      continue;
    last_place = place;
    right.push_back(path);
  }
  if (right.size() == 1) return right.front();
  if (right.empty())
    refuse(fmt::format("{}: lnd's payments are in none of its files here", folder),
           "start lnd once on it, stop it (lncli stop), and import again");
  std::string names;
  for (const std::string& path : right) names += (names.empty() ? "" : ", ") + path;
  refuse(fmt::format("{}: lnd has payments of several networks here: {}", folder, names), import_of(right.front()));
}

void refuse_postgres(const std::string& path) {
  bool named = path.rfind("postgres://", 0) == 0 || path.rfind("postgresql://", 0) == 0;
  for (const char* word : {"dbname=", "host=", "hostaddr=", "user=", "password=", "service="})
    named = named || (path.find(word) != std::string::npos && !is_there(path));
  // The name may contain a password, so it is not repeated.
  if (named) {
    refuse("PostgreSQL is not read: only files of lnd's are",
           "with lnd stopped, copy its tables payments, payment_* and migration_tracker into an SQLite file with lnd's "
           "own schema, and name that file");
  }
}

/// Follows a link: what counts is what is beside the file itself (its log, the database to which its payments have
/// moved).
std::string file_behind(const std::string& path) {
  std::error_code trouble;
  if (!fs::is_symlink(path, trouble)) return path;
  const fs::path file = fs::canonical(path, trouble);
  return trouble ? path : file.string();
}

}  // namespace

std::unique_ptr<lnd::Source> open_lnd_source(const std::string& named, const OpenLndSource& options) {
  refuse_postgres(named);
  std::error_code trouble;
  const std::string path = file_behind(fs::is_directory(named, trouble) ? find_in_folder(named) : named);
  if (const auto native = moved_to(path)) {
    refuse(fmt::format("{}: lnd has moved its payments to {}; what is left here is an old copy", path, *native),
           import_of(*native));
  }
  if (!is_sqlite(path)) return std::make_unique<BboltSource>(lnd::ChannelDb::open(path, {options.assume_v04}));
  auto file = std::make_unique<LndSqlite>(path);
  if (has_native_payments(*file)) return native_sql_source(std::move(file));
  if (file->has_table("channeldb_kv", {})) return key_value_sql_source(std::move(file));
  if (file->has_table("migration_tracker", {})) {
    file->refuse("has lnd's tables, but its payments have not moved to them",
                 "name the channel.sqlite or channel.db beside it");
  }
  file->refuse("is an SQLite file, but not one in which lnd keeps payments", lnd::where_it_is);
}

}  // namespace paytower::db
