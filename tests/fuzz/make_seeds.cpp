// Writes seeds for the fuzz targets: a small channel.db of every shape and layout, payments as raw bytes, and texts.
#include <filesystem>
#include <fstream>
#include <iostream>

#include "db/import/lnd/kv_payments.h"
#include "db/import/sources.h"
#include "tests/fuzz/text_seeds.h"
#include "tests/lnd/kv_bytes.h"
#include "tests/migrations/legacy_maker.h"
#include "tests/migrations/many_records.h"

using namespace paytower;
using namespace paytower::test;

namespace {

Bytes old_attempt(bool tails) { return joined({be64(42), session_key(), plain_route(tails)}); }

Bytes rich_attempt(std::uint32_t version) {
  const Bytes records = hop_tail(
      false,
      {{8, filled(33, 5)}, {10, {1, 2}}, {12, node_key(9)}, {14, filled(66, 6)}, {16, {7}}, {18, {9}}, {70'000, {7}}});
  const Bytes info =
      joined({session_key(),
              route_bytes(700'000, 1000, {{0xB1, 1, 699'000, 990, hop_tail(true)}, {0xB2, 2, 699'000, 990, records}}),
              be64(5)});
  return version < 23 ? info : joined({info, hash_of_preimage(1), tlv(0, {9}), tlv(65'536, {1})});
}

void old_form(BboltWriter& writer, std::uint64_t sequence, std::uint32_t version) {
  writer.put("payment-attempt-info", old_attempt(version >= 10));
  writer.put("payment-creation-info", creation_info(hash_of_preimage(1), 1000, 1'600'000'000, "lnbc"));
  writer.put("payment-sequence-key", be64(sequence));
  writer.put("payment-settle-info", preimage_of(1));
}

void attempts(BboltWriter& writer, std::uint32_t version) {
  if (version >= 23) {
    for (const std::uint64_t id : {1U, 2U, 3U}) writer.put(flat_key("ai", id), rich_attempt(version));
    writer.put(flat_key("fi", 1), fail_info(5, {0x10, 0x07}, 3, 2));
    writer.put(flat_key("si", 2), settle_info(1, 5));
    return;
  }
  writer.begin(be64(1));
  writer.put("htlc-attempt-info", rich_attempt(version));
  writer.put("htlc-settle-info", settle_info(1, 5));
  writer.end();
}

void payment(BboltWriter& writer, std::uint32_t version) {
  writer.begin(hash_of_preimage(1));
  if (version < 13) writer.put("payment-attempt-info", old_attempt(version >= 10));
  writer.put("payment-creation-info",
             creation_info(hash_of_preimage(1), 1000, 5, "lnbc", version < 23 ? Bytes{} : tlv(65'536, {1})));
  writer.begin("payment-duplicate-bucket");
  writer.begin(be64(9));
  old_form(writer, 9, version);
  writer.end();
  writer.end();
  writer.put("payment-fail-info", {1});
  if (version >= 13) {
    writer.begin("payment-htlcs-bucket");
    attempts(writer, version);
    writer.end();
  }
  writer.put("payment-sequence-key", be64(7));
  writer.end();
}

void write_file(const std::string& path, const Bytes& bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

/// Writes a file's payment in the form that fuzz_kv_payment reads.
void write_raw(const std::string& from, const std::string& to, std::uint32_t version) {
  const db::lnd::ChannelDb database = db::lnd::ChannelDb::open(from);
  db::lnd::PageSet pages(database.file());
  db::lnd::Cursor cursor(*database.payment_buckets(), pages);
  if (!cursor.next()) return;
  const Bytes raw = joined({{static_cast<std::uint8_t>(version - db::lnd::first_bucket_version)},
                            db::lnd::raw_bytes(db::lnd::copy_entry(cursor, pages).top)});
  write_file(to, raw);
}

/// Writes small SQLite files of lnd, and the rows of the first payment.
void write_sqlite(const std::string& files, const std::string& rows) {
  make_many_sql(files + "native", 3, 512);
  make_many_kv_sql(files + "key-value", 3, 512);
  const auto source = db::open_lnd_source(files + "native", {});
  const auto first = source->records()->next();
  if (first) write_file(rows + "native", first->whole());
}

void write_records(const std::string& folder) {
  LegacyFields fields;
  fields.preimage = numbered_preimage(1);
  write_file(folder + "typical", legacy_record(fields));
  fields.v04 = true;
  write_file(folder + "v04", legacy_record(fields));
  fields = {};
  fields.preimage = numbered_preimage(2);
  fields.memo = "memo";
  fields.request = std::string(300, 'l');
  fields.hops = 20;
  fields.settled = go_time(1'600'000'000, 5);
  write_file(folder + "full", legacy_record(fields));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: fuzz_seeds FOLDER\n";
    return 2;
  }
  const std::string bbolt = std::string(argv[1]) + "/bbolt/", kv = std::string(argv[1]) + "/kv_payment/",
                    legacy = std::string(argv[1]) + "/legacy_record/";
  const std::string sqlite = std::string(argv[1]) + "/lnd_sqlite/", rows = std::string(argv[1]) + "/sql_rows/";
  for (const std::string& folder : {sqlite, rows}) std::filesystem::create_directories(folder);
  for (const char* file : {"native", "key-value"}) std::filesystem::remove(sqlite + file);
  write_sqlite(sqlite, rows);
  std::filesystem::create_directories(bbolt);
  std::filesystem::create_directories(kv);
  std::filesystem::create_directories(legacy);
  write_text_seeds(argv[1]);
  write_records(legacy);
  for (const std::size_t elements : {2U, 4U, 100U}) {
    for (const bool inline_small : {true, false}) {
      BboltOptions options;
      options.page_bytes = 1024;
      options.max_elements = elements;
      options.inline_small = inline_small;
      options.store_freelist = inline_small;
      options.free_pages = 1;
      const std::string shape = std::to_string(elements) + (inline_small ? "i" : "p");
      write_legacy(bbolt + "legacy-" + shape, {options, 8, 12, {}});
      for (const std::uint32_t version : {9U, 10U, 13U, 23U}) {
        const std::string name = "v" + std::to_string(version) + "-" + shape;
        write_kv(
            bbolt + name, version, [&](BboltWriter& writer) { payment(writer, version); }, options);
        write_raw(bbolt + name, kv + name, version);
      }
    }
  }
  return 0;
}
