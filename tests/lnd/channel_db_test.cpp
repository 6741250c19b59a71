// Goal: only what is lnd's channel.db, of a version and shape that can be read, is read; records come raw and whole.
// Method: vectors 4, 13, 14 and 20 as files.
#include <doctest/doctest.h>

#include "tests/lnd/lnd_fixture.h"

using namespace paytower;
using namespace paytower::db::lnd;
using namespace paytower::test;

namespace {

/// A file with these plain values, each in a bucket of its own; without a key, only the bucket.
struct Value {
  std::string bucket, key;
  Bytes value;
};
std::string file_of(const TempFolder& folder, const std::vector<Value>& values) {
  const std::string path = folder.file("db");
  BboltWriter writer(path);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i == 0 || values[i].bucket != values[i - 1].bucket) writer.begin(values[i].bucket);
    if (!values[i].key.empty()) writer.put(values[i].key, values[i].value);
    if (i + 1 == values.size() || values[i].bucket != values[i + 1].bucket) writer.end(i);
  }
  writer.commit();
  return path;
}

std::string refused(const std::vector<Value>& values, const OpenChannelDb& options = {}) {
  const TempFolder folder;
  const std::string path = file_of(folder, values);
  const Error error = refusal_of([&] { (void)ChannelDb::open(path, options); });
  CHECK(error.code == Errc::usage);
  return error.message + "|" + error.hint;
}

}  // namespace

TEST_CASE("vector 13: the same content in versions 3 to 8 reads the same") {
  const TempFolder folder;
  const std::string path = folder.file("db");
  for (std::uint32_t version = 3; version <= 8; ++version) {
    write_legacy(path, {{}, version, 20, 25});
    const ChannelDb database = ChannelDb::open(path);
    CHECK(database.version() == version);
    CHECK(database.legacy());
    CHECK(database.payment_sequence() == 25);
    CHECK_FALSE(database.attempt_id_sequence());
    CHECK(database.source_node()->span()[1] == 0xAA);
    const auto records = all(database.legacy_payments());
    REQUIRE(records.size() == 20);
    for (std::uint64_t i = 1; i <= 20; ++i) CHECK(records[i - 1].value == record_of(i));
    const auto statuses = all(database.legacy_statuses());
    REQUIRE(statuses.size() == 1);
    CHECK(statuses[0].key == filled(32, 4));
    CHECK(statuses[0].value == Bytes{1});
    KvPayments none(database);
    CHECK_FALSE(none.next());
  }
}

TEST_CASE("vector 13: each version that is not read has words of its own") {
  const Value source{"graph-node", "source", node_key(0xAA)};
  CHECK(says(refused({source, {"metadata", "other", {1}}}), "does not say its version"));
  CHECK(says(refused({source, {"metadata", "dbp", be32(36)}}), "has version 36; 35 is the newest"));
  CHECK(says(refused({source, {"metadata", "dbp", be32(0xFFFFFFFF)}}), "has version 4294967295; 35 is the newest"));
  CHECK(says(refused({source, {"metadata", "dbp", {0, 0, 8}}}), "not 4 bytes long"));
  CHECK(says(refused({source, {"metadata", "dbp", be64(8)}}), "not 4 bytes long"));
  CHECK(says(refused({source, {"metadata", "dbp", filled(9, 0)}}), "not 4 bytes long"));
  CHECK(says(refused({source, {"metadata", "dbp", {}}}), "not 4 bytes long"));
  CHECK(says(refused({source, {"metadata", "data-migration-tombstone", {1}}, {"metadata", "dbp", be32(33)}}),
             "tombstone"));
}

TEST_CASE("each refusal of a file says the next step") {
  const Value source{"graph-node", "source", node_key(0xAA)};
  CHECK(says(refused({source, {"metadata", "other", {1}}}),
             "|start lnd 0.21.2 or later on it once, stop it (lncli stop)"));
  CHECK(says(refused({source, {"metadata", "dbp", be32(36)}}), "|a newer paytower"));
  CHECK(says(refused({source, {"metadata", "dbp", {0, 0, 8}}}), "|stop lnd (lncli stop), copy the file again"));
  CHECK(says(refused({source, {"metadata", "data-migration-tombstone", {1}}}), "channel.sqlite or lnd.sqlite"));
  CHECK(says(refused({{"metadata", "dbp", be32(9)}, {"payments", "12345678", {1}}}), "|start lnd on a copy once"));
  CHECK(says(refused({{"macaroons", "key", {1}}}), "|name lnd's folder: paytower migrate --from-lnd"));
  CHECK(says(refused({source, {"metadata", "dbp", be32(1)}}), "start lnd 0.5 or later on a copy once"));
}

TEST_CASE("vector 13: buckets of another version than the file says are refused") {
  const Value nine{"metadata", "dbp", be32(9)};
  CHECK(says(refused({nine, {"payments", "12345678", {1}}}), "has version 9 and still records in `payments`"));
  CHECK(says(refused({nine, {"payment-status", "h", {1}}}), "has version 9 and still records in `payment-status`"));
  CHECK(says(refused({nine, {"payments", "12345678", {1}}, {"payments-root-bucket", "", {}}}),
             "still records in `payments`"));
  CHECK(says(refused({{"metadata", "dbp", be32(8)}, {"payments-root-bucket", "", {}}}),
             "has version 8 and a `payments-root-bucket`"));
}

TEST_CASE("vector 13: the empty bucket that lnd 0.7.0 to 0.8.2 left behind is no record") {
  const TempFolder folder;
  const ChannelDb database = ChannelDb::open(
      file_of(folder, {{"metadata", "dbp", be32(11)}, {"payments", "", {}}, {"payments-root-bucket", "", {}}}));
  CHECK(database.version() == 11);
  CHECK(database.notes().empty());
  CHECK(database.payment_buckets());
}

TEST_CASE("vector 13: a version that lnd never wrote is 33 where the newer buckets are, and that is told") {
  const Value key{"metadata", "other", {1}};
  const TempFolder folder;
  const ChannelDb database =
      ChannelDb::open(file_of(folder, {key, {"payments-index-bucket", "", {}}, {"payments-root-bucket", "", {}}}));
  CHECK(database.version() == 33);
  REQUIRE(database.notes().size() == 1);
  CHECK(says(database.notes()[0], "does not say its version (no `metadata/dbp`): read as 33"));
  CHECK(says(refused({key, {"payments-root-bucket", "", {}}}), "does not say its version"));
  CHECK(says(refused({key, {"payments-index-bucket", "", {}}}), "does not say its version"));
  CHECK(says(refused({{"payments-index-bucket", "", {}}, {"payments-root-bucket", "", {}}}), "not lnd's channel.db"));
}

TEST_CASE("vector 14: versions 0 to 2 only when somebody says that lnd 0.4 wrote them") {
  for (std::uint32_t version = 0; version <= 2; ++version) {
    const TempFolder folder;
    const std::string path = folder.file("db");
    write_legacy(path, {{}, version, 3, {}});
    const Error error = refusal_of([&] { (void)ChannelDb::open(path); });
    CHECK(error.code == Errc::usage);
    CHECK(says(error.message, "has version " + std::to_string(version)));
    CHECK(says(error.hint, "--assume-v04"));
    const ChannelDb database = ChannelDb::open(path, {.assume_v04 = true});
    CHECK(database.version() == version);
    CHECK(all(database.legacy_payments()).size() == 3);
  }
}

TEST_CASE("a database from before versions existed is version 0, another program's is not lnd's") {
  const Value payment{"payments", "12345678", {1}};
  CHECK(says(refused({payment}), "has version 0"));
  const TempFolder folder;
  CHECK(ChannelDb::open(file_of(folder, {payment}), {.assume_v04 = true}).version() == 0);
  CHECK(says(refused({}), "not lnd's channel.db"));
  CHECK(says(refused({{"macaroons", "key", {1}}}, {.assume_v04 = true}), "not lnd's channel.db"));
}

TEST_CASE("a plain value where lnd has a bucket is refused, and a bucket where it has a value") {
  const TempFolder folder;
  const std::string path = folder.file("db");
  {
    BboltWriter writer(path);
    writer.put("metadata", be32(8));
    writer.commit();
    CHECK(says(refusal_of([&] { (void)ChannelDb::open(path); }).message, "`metadata` is a plain value"));
  }
  BboltWriter writer(path);
  writer.begin("metadata");
  writer.begin("dbp");
  writer.end();
  writer.end();
  writer.commit();
  CHECK(says(refusal_of([&] { (void)ChannelDb::open(path); }).message, "`dbp` is a bucket"));
}

TEST_CASE("vector 4: the source node is read when it is there, and refused when it is no public key") {
  const Value version{"metadata", "dbp", be32(8)};
  const TempFolder folder;
  CHECK_FALSE(ChannelDb::open(file_of(folder, {version})).source_node());
  CHECK_FALSE(ChannelDb::open(file_of(folder, {{"graph-node", "other", {1}}, version})).source_node());
  CHECK(ChannelDb::open(file_of(folder, {{"graph-node", "source", node_key(7)}, version})).source_node()->span()[32] ==
        7);
  Bytes prefix_5 = node_key(7);
  prefix_5[0] = 5;
  for (const Bytes& wrong : {filled(32, 2), filled(34, 2), filled(5, 2), prefix_5, Bytes{}}) {
    CHECK(says(refused({{"graph-node", "source", wrong}, version}), "`graph-node/source` is not a public key"));
  }
}

TEST_CASE("vector 20: odd keys, an empty value, and a bucket among the payments are handed out as they are") {
  const TempFolder folder;
  const std::string path = folder.file("db");
  BboltWriter writer(path);
  writer.begin("an-unknown-bucket");
  writer.put("x", {1});
  writer.end();
  writer.begin("metadata");
  writer.put("dbp", be32(8));
  writer.end();
  writer.begin("payments");

  writer.put(be64(6), {});
  writer.begin(be64(7));
  writer.put("k", {9});
  writer.end(3);
  writer.put(joined({be64(8), {0}}), filled(200, 2));
  writer.put(be64(9), filled(200, 3));
  writer.put(Bytes{0, 0, 0, 5}, filled(200, 1));
  writer.end(9);
  writer.begin("zzz-another");
  writer.end();
  writer.commit();
  const auto entries = all(ChannelDb::open(path).legacy_payments());
  // Keys are ordered by bytes: 00000005 comes after keys that begin with five zero bytes.
  REQUIRE(entries.size() == 5);
  CHECK(entries[0].key == be64(6));
  CHECK(entries[0].value.empty());
  CHECK(entries[0].complete);
  CHECK(entries[1].key == be64(7));
  CHECK(entries[1].is_bucket);
  CHECK(to_hex(entries[1].value) ==
        "01"
        "00000008"
        "0000000000000007"
        "0000000000000003"
        "00"
        "00000001"
        "6b"
        "00000001"
        "09"
        "02");
  CHECK(entries[2].key.size() == 9);
  CHECK(entries[3].key == be64(9));
  CHECK(entries[4].key == Bytes{0, 0, 0, 5});
}

TEST_CASE("vector 3: no bucket of payments, and none of statuses") {
  const TempFolder folder;
  const ChannelDb legacy = ChannelDb::open(file_of(folder, {{"metadata", "dbp", be32(5)}}));
  CHECK(legacy.payment_sequence() == 0);
  CHECK(all(legacy.legacy_payments()).empty());
  CHECK(all(legacy.legacy_statuses()).empty());
  const TempFolder other;
  const ChannelDb newer = ChannelDb::open(file_of(other, {{"metadata", "dbp", be32(35)}}));
  CHECK(newer.payment_sequence() == 0);
  KvPayments none(newer);
  CHECK_FALSE(none.next());
  CHECK(all(newer.legacy_payments()).empty());
}

TEST_CASE("the sequence of attempt ids") {
  const TempFolder folder;
  const std::string path = folder.file("db");
  write_kv(path, 23, [](BboltWriter&) {});
  const ChannelDb database = ChannelDb::open(path);
  CHECK(database.attempt_id_sequence() == 3000);
  CHECK(database.payment_sequence() == 1000);
  CHECK_FALSE(database.legacy());
}
