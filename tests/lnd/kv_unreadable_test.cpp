// Goal: R14: a record that cannot be decoded is given out raw with the reason, and the records around it are read. What
// is not understood is never skipped, because it may say that the money is gone. Method: one payment between two good
// ones, damaged in one place at a time.
#include <algorithm>

#include <doctest/doctest.h>

#include "tests/lnd/kv_bytes.h"
#include "tests/lnd/lnd_fixture.h"

using namespace paytower;
using namespace paytower::db::lnd;
using namespace paytower::test;

namespace {

constexpr std::uint64_t created_ns = 1'600'000'000'123'456'789;
const Bytes spoiled_name = filled(32, 0x50);

Bytes creation() { return creation_info(spoiled_name, 1000, created_ns, "lnbc"); }
Bytes attempt() { return joined({session_key(), plain_route(true), be64(created_ns)}); }

void good(BboltWriter& writer, std::uint8_t name) {
  write_payment(writer, filled(32, name), name, creation_info(filled(32, name), 1000, created_ns), {},
                [](BboltWriter& out) { out.put(flat_key("ai", 1), attempt()); });
}

/// The record that is read of what `spoil` writes between two good payments.
KvRecord between(std::uint32_t version, const std::function<void(BboltWriter&)>& spoil) {
  const TempFolder folder;
  write_kv(folder.file("db"), version, [&](BboltWriter& writer) {
    if (version >= 23) good(writer, 0x10);
    spoil(writer);
    if (version >= 23) good(writer, 0xF0);
  });
  const auto records = all_payments(folder.file("db"));
  if (version < 23) return records.at(0);
  REQUIRE(records.size() == 3);
  CHECK(payment_in(records[0]).sequence == 0x10);
  CHECK(payment_in(records[2]).sequence == 0xF0);
  return records[1];
}

bool says(const KvRecord& record, const std::string& words) {
  const KvUnreadable& unreadable = unreadable_in(record);
  INFO(unreadable.reason);
  CHECK_FALSE(record.raw.empty());
  CHECK(record.raw_complete);
  return unreadable.reason.find(words) != std::string::npos;
}

/// A payment of version 35 with these attempts.
KvRecord with(const std::function<void(BboltWriter&)>& attempts, const Bytes& info = creation(),
              const Bytes& fail = {}) {
  return between(35, [&](BboltWriter& writer) { write_payment(writer, spoiled_name, 5, info, fail, attempts); });
}
KvRecord with_attempt(const Bytes& value) {
  return with([&](BboltWriter& writer) { writer.put(flat_key("ai", 1), value); });
}
KvRecord with_route(const Bytes& route) { return with_attempt(joined({session_key(), route, be64(created_ns)})); }
KvRecord with_record(std::uint64_t type, const Bytes& value) {
  return with_route(route_bytes(1, 1000, {{0xB1, 1, 1, 1000, hop_tail(false, {{type, value}})}}));
}
KvRecord with_end(const std::string& kind, const Bytes& value) {
  return with([&](BboltWriter& writer) {
    writer.put(flat_key("ai", 1), attempt());
    writer.put(flat_key(kind, 1), value);
  });
}
void nothing(BboltWriter&) {}

Bytes cut(const Bytes& bytes, std::size_t size) {
  return {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)};
}

}  // namespace

TEST_CASE("a value or an odd name among the payments") {
  const KvRecord value = between(35, [](BboltWriter& writer) { writer.put(spoiled_name, {1, 2, 3}); });
  CHECK(says(value, "a plain value where lnd has a bucket"));
  CHECK(value.hash->hex() == to_hex(spoiled_name));
  CHECK(to_hex(value.raw) ==
        "00"
        "00000020" +
            to_hex(spoiled_name) +
            "00000003"
            "010203");
  const KvRecord name = between(35, [](BboltWriter& writer) {
    writer.begin(filled(31, 0x50));
    writer.put("payment-sequence-key", be64(5));
    writer.end(9);
  });
  CHECK(says(name, "no payment hash"));
  CHECK_FALSE(name.hash);
  CHECK(name.sequence == 5);
  CHECK(to_hex(name.raw) ==
        "01"
        "0000001f" +
            to_hex(filled(31, 0x50)) +
            "0000000000000009"
            "00"
            "00000014" +
            to_hex(bytes_of("payment-sequence-key")) +
            "00000008"
            "0000000000000005"
            "02");
}

TEST_CASE("a missing creation info, a missing or odd sequence") {
  CHECK(says(between(35,
                     [](BboltWriter& writer) {
                       writer.begin(spoiled_name);
                       writer.put("payment-sequence-key", be64(5));
                       writer.end();
                     }),
             "payment-creation-info is missing"));
  CHECK(says(between(35,
                     [](BboltWriter& writer) {
                       writer.begin(spoiled_name);
                       writer.put("payment-creation-info", creation());
                       writer.end();
                     }),
             "payment-sequence-key is missing"));
  for (const Bytes& sequence : {Bytes{}, filled(7, 1), filled(9, 1)}) {
    const KvRecord record = between(35, [&](BboltWriter& writer) {
      writer.begin(spoiled_name);
      writer.put("payment-creation-info", creation());
      writer.put("payment-sequence-key", sequence);
      writer.end();
    });
    CHECK(says(record, "sequence"));
    CHECK_FALSE(record.sequence);
  }
}

TEST_CASE("creation infos that are none") {
  for (std::size_t size = 0; size < creation().size(); ++size)
    CHECK(says(with(nothing, cut(creation(), size)), "creation info"));
  CHECK(says(with(nothing, creation_info(filled(32, 0x51), 1, created_ns)), "another payment hash"));
  CHECK(says(with(nothing, creation_info(spoiled_name, Msat::max_value + 1, created_ns)), "more than all bitcoin"));
  CHECK(says(with(nothing, creation_info(spoiled_name, ~std::uint64_t{0}, created_ns)), "more than all bitcoin"));
  CHECK(says(with(nothing, joined({spoiled_name, be64(1), be64(created_ns), be32(0xFFFFFFFF)})),
             "a payment request of 4294967295 bytes"));
  CHECK(says(with(nothing, joined({creation(), tlv(65'535, {})})), "TLV type 65535"));
  CHECK(says(with(nothing, joined({creation(), tlv(65'537, {}), tlv(65'536, {})})), "do not ascend"));
  CHECK(says(with(nothing, joined({creation(), tlv(65'536, {}), tlv(65'536, {})})), "do not ascend"));
  CHECK(says(with(nothing, joined({creation(), {0xFD, 0x00, 0x01}})), "shortest form"));
}

TEST_CASE("failure reasons that lnd does not have") {
  CHECK(says(with(nothing, creation(), {6}), "failure reason 6"));
  CHECK(says(with(nothing, creation(), {255}), "failure reason 255"));
  CHECK(says(with(nothing, creation(), {1, 0}), "too many"));
}

TEST_CASE("an attempt cut anywhere, or with something behind it") {
  const Bytes whole = attempt();
  for (std::size_t size = 0; size < whole.size(); ++size) CHECK(says(with_attempt(cut(whole, size)), "attempt info"));
  for (std::size_t more = 1; more < 32; ++more)
    CHECK(says(with_attempt(joined({whole, filled(more, 1)})), "ends too early"));
  const Bytes hashed = joined({whole, spoiled_name});
  CHECK(says(with_attempt(joined({hashed, {0}})), "ends too early"));
  CHECK(says(with_attempt(joined({hashed, tlv(1, {})})), "TLV type 1"));
  CHECK(says(with_attempt(joined({hashed, tlv(0, {})})), "first hop amount"));
  CHECK(says(with_attempt(joined({hashed, tlv(0, {1, 2})})), "first hop amount"));
  CHECK(says(with_attempt(joined({hashed, tlv(0, {0xFD, 0, 1})})), "shortest form"));
  CHECK(says(with_attempt(joined({hashed, tlv(0, joined({{0xFF}, filled(8, 0xFF)}))})), "more than all bitcoin"));
}

TEST_CASE("routes that cannot be") {
  const HopBytes hop{0xB1, 1, 1, 1000, hop_tail(true)};
  CHECK(payment_in(with_route(route_bytes(1, 1000, std::vector<HopBytes>(max_kv_hops, hop))))
            .attempts[0]
            .route.hops.size() == max_kv_hops);
  CHECK(says(with_route(route_bytes(1, 1000, std::vector<HopBytes>(max_kv_hops + 1, hop))), "a route of 65 hops"));
  CHECK(says(with_route(joined({be32(1), be64(1), var(node_key(1)), be32(0xFFFFFFFF)})), "a route of 4294967295 hops"));
  CHECK(says(with_route(joined({be32(1), be64(Msat::max_value + 1), var(node_key(1)), be32(0)})),
             "more than all bitcoin"));
  CHECK(says(with_route(joined({be32(1), be64(1), var(filled(32, 2)), be32(0)})), "not 33 bytes"));
  CHECK(says(with_route(joined({be32(1), be64(1), var(filled(33, 4)), be32(0)})), "does not begin with 02 or 03"));
  CHECK(says(with_route(joined({be32(1), be64(1), {0xFD, 33, 0}, node_key(1), be32(0)})), "shortest form"));
  CHECK(says(with_route(route_bytes(1, 1000, {{0xB1, 1, 1, Msat::max_value + 1, hop_tail(true)}})),
             "more than all bitcoin"));
  CHECK(says(with_route(route_bytes(1, 1000, {{0xB1, 1, 1, 1000, {}}})), "attempt info"));
}

TEST_CASE("hop records that cannot be") {
  const auto tail = [](const Bytes& bytes) { return with_route(route_bytes(1, 1000, {{0xB1, 1, 1, 1000, bytes}})); };
  CHECK(says(tail(joined({{2}, be32(0)})), "neither legacy nor TLV"));
  CHECK(says(tail(joined({{0}, be32(0xFFFFFFFF)})), "4294967295 records"));
  CHECK(says(tail(hop_tail(false, {{70'000, {1}}, {70'000, {2}}})), "a record twice"));
  CHECK(says(with_record(70'000, filled(1301, 1)), "1301 bytes"));
  CHECK(says(with_record(8, filled(31, 1)), "hop record 8"));
  CHECK(says(with_record(8, joined({filled(32, 1), {0}})), "leading zeros"));
  CHECK(says(with_record(8, joined({filled(32, 1), filled(9, 1)})), "too long"));
  CHECK(says(with_record(8, joined({filled(32, 1), filled(8, 0xFF)})), "more than all bitcoin"));
  CHECK(says(with_record(14, filled(63, 1)), "hop record 14"));
  CHECK(says(with_record(14, joined({filled(64, 1), filled(5, 1)})), "too long"));
  CHECK(says(with_record(12, filled(33, 4)), "does not begin with 02 or 03"));
  CHECK(says(with_record(12, {}), "ends too early"));
  CHECK(says(with_record(12, joined({node_key(1), {0}})), "too many"));
  CHECK(says(with_record(18, filled(9, 1)), "too long"));
}

TEST_CASE("results that are none, and those of attempts that are not there") {
  for (const std::size_t size : {0U, 31U, 32U, 39U, 41U}) {
    const KvRecord record = with_end("si", filled(size, 1));
    CHECK(says(record, "settle info"));
    CHECK(unreadable_in(record).settled);
  }
  const Bytes message = fail_info(1, {0x10, 0x07, 0x01}, 3, 2);
  for (std::size_t size = 0; size < message.size(); ++size)
    CHECK(says(with_end("fi", cut(message, size)), "fail info"));
  CHECK(says(with_end("fi", joined({message, {0}})), "too many"));
  CHECK(says(with_end("fi", fail_info(1, {}, 4, 0)), "an HTLC failure of kind 4"));
  CHECK(says(with_end("fi", fail_info(1, {0x10}, 3, 0)), "without a code"));
  CHECK(says(with([](BboltWriter& writer) { writer.put(flat_key("si", 2), settle_info(1, 0)); }),
             "an attempt that is not there"));
  CHECK(says(with([](BboltWriter& writer) {
               writer.put(flat_key("ai", 3), attempt());
               writer.put(flat_key("fi", 2), filled(14, 0));
             }),
             "an attempt that is not there"));
  const KvRecord both = with([](BboltWriter& writer) {
    writer.put(flat_key("ai", 1), attempt());
    writer.put(flat_key("fi", 1), filled(14, 0));
    writer.put(flat_key("si", 1), settle_info(1, 0));
  });
  CHECK(says(both, "both settled and failed"));
  CHECK(unreadable_in(both).settled);
}

TEST_CASE("unknown keys are not passed over, in the payment, among the attempts, in an attempt's bucket") {
  CHECK(says(between(35,
                     [](BboltWriter& writer) {
                       writer.begin(spoiled_name);
                       writer.put("payment-creation-info", creation());
                       writer.put("payment-fail-jnfo", {1});
                       writer.put("payment-sequence-key", be64(5));
                       writer.end();
                     }),
             "unknown key payment-fail-jnfo"));
  CHECK(says(with([](BboltWriter& writer) { writer.put(flat_key("bi", 1), {}); }), "among the attempts"));
  CHECK(says(with([](BboltWriter& writer) { writer.put("ai1234567", attempt()); }), "among the attempts"));
  CHECK(says(with([](BboltWriter& writer) {
               writer.begin(flat_key("ai", 1));
               writer.end();
             }),
             "among the attempts"));
  const auto nested = [](const Bytes& name, const std::function<void(BboltWriter&)>& inside) {
    return between(13, [&](BboltWriter& writer) {
      write_payment(writer, spoiled_name, 5, creation(), {}, [&](BboltWriter& out) {
        out.begin(name);
        inside(out);
        out.end();
      });
    });
  };
  CHECK(says(nested(be64(1), [](BboltWriter&) {}), "htlc-attempt-info is missing"));
  CHECK(says(nested(filled(7, 1), [](BboltWriter& out) { out.put("htlc-attempt-info", attempt()); }), "attempt id"));
  CHECK(says(nested(be64(1),
                    [](BboltWriter& out) {
                      out.put("htlc-attempt-info", attempt());
                      out.put("htlc-zzz", {});
                    }),
             "unknown key htlc-zzz"));
}

TEST_CASE("keys of another version's layout are unknown keys") {
  const auto old_in_new = between(35, [](BboltWriter& writer) {
    writer.begin(spoiled_name);
    writer.put("payment-attempt-info", joined({be64(1), attempt()}));
    writer.put("payment-creation-info", creation());
    writer.put("payment-sequence-key", be64(5));
    writer.put("payment-settle-info", preimage_of(1));
    writer.end();
  });
  CHECK(says(old_in_new, "unknown key payment-attempt-info"));
  CHECK(unreadable_in(old_in_new).settled);
  const auto new_in_old = between(9, [](BboltWriter& writer) {
    write_payment(writer, spoiled_name, 5, creation_info(spoiled_name, 1, 1), {}, [](BboltWriter&) {});
  });
  CHECK(says(new_in_old, "unknown key payment-htlcs-bucket"));
  CHECK_FALSE(unreadable_in(new_in_old).settled);
}

TEST_CASE("a bucket where a value belongs, and a value where a bucket belongs") {
  CHECK(says(between(35,
                     [](BboltWriter& writer) {
                       writer.begin(spoiled_name);
                       writer.put("payment-creation-info", creation());
                       writer.put("payment-htlcs-bucket", {});
                       writer.put("payment-sequence-key", be64(5));
                       writer.end();
                     }),
             "payment-htlcs-bucket is no bucket"));
  CHECK(says(between(35,
                     [](BboltWriter& writer) {
                       writer.begin(spoiled_name);
                       writer.begin("payment-creation-info");
                       writer.end();
                       writer.put("payment-sequence-key", be64(5));
                       writer.end();
                     }),
             "payment-creation-info is a bucket"));
}

TEST_CASE("version 9: settled without an attempt is unreadable, and said to be settled") {
  const KvRecord record = between(9, [](BboltWriter& writer) {
    writer.begin(hash_of_preimage(1));
    writer.put("payment-creation-info", creation_info(hash_of_preimage(1), 1, 1));
    writer.put("payment-sequence-key", be64(5));
    writer.put("payment-settle-info", preimage_of(1));
    writer.end();
  });
  CHECK(says(record, "settled without an attempt"));
  CHECK(unreadable_in(record).settled);
}

TEST_CASE("a spoiled duplicate hides neither its first record nor the next duplicate") {
  const TempFolder folder;
  write_kv(folder.file("db"), 9, [](BboltWriter& writer) {
    const Bytes hash = hash_of_preimage(1);
    const auto put = [&](std::uint64_t sequence, std::uint64_t value) {
      writer.put("payment-creation-info", creation_info(hash, value, 1));
      writer.put("payment-sequence-key", be64(sequence));
    };
    writer.begin(hash);
    writer.put("payment-creation-info", creation_info(hash, 1, 1));
    writer.begin("payment-duplicate-bucket");
    writer.put(be64(1), {7});
    writer.begin(be64(2));
    put(2, ~std::uint64_t{0});
    writer.end();
    writer.begin(be64(3));
    put(4, 1);
    writer.end();
    writer.begin(be64(5));
    put(5, 1);
    writer.end();
    writer.end();
    writer.put("payment-sequence-key", be64(1));
    writer.end();
  });
  const auto records = all_payments(folder.file("db"));
  REQUIRE(records.size() == 5);
  CHECK(payment_in(records[0]).sequence == 1);
  CHECK(says(records[1], "a plain value"));
  CHECK(records[1].sequence == 1);
  CHECK(says(records[2], "more than all bitcoin"));
  CHECK(records[2].sequence == 2);
  CHECK(says(records[3], "a duplicate's name is not its sequence"));
  CHECK(payment_in(records[4]).sequence == 5);
  for (std::size_t i = 1; i < 5; ++i) CHECK(records[i].duplicate);
}

TEST_CASE("a payment larger than is copied comes as far as it goes") {
  const TempFolder folder;
  write_kv(folder.file("db"), 35, [](BboltWriter& writer) {
    write_payment(writer, spoiled_name, 5, creation(), {}, [](BboltWriter& out) {
      for (std::uint64_t id = 1; id <= 12'000; ++id) out.put(flat_key("ai", id), attempt());
    });
    good(writer, 0xF0);
  });
  const auto records = all_payments(folder.file("db"));
  REQUIRE(records.size() == 2);
  CHECK(unreadable_in(records[0]).reason.find("more than 2097152 bytes") != std::string::npos);
  CHECK_FALSE(records[0].raw_complete);
  CHECK(records[0].raw.size() > max_copy_bytes / 2);
  CHECK(payment_in(records[1]).sequence == 0xF0);
}

TEST_CASE("damage of the file's structure inside one payment refuses the file") {
  const TempFolder folder;
  const std::string path = folder.file("db");
  BboltOptions options;
  options.inline_small = false;
  write_kv(
      path, 35, [](BboltWriter& writer) { good(writer, 0x10); }, options);
  FileImage image = FileImage::load(path);
  image.set(image.find("payment-htlcs-bucket") + 20, 8, 1);
  image.save(path);
  CHECK(refusal_of([&] { (void)all_payments(path); }).code == Errc::usage);
}
