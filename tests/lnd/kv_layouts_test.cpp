// Goal: each layout that lnd gave its payments from version 9 on reads to the same facts. Method: one payment written
// in every layout, and each extension by itself.
#include <algorithm>

#include <doctest/doctest.h>

#include "tests/lnd/kv_bytes.h"
#include "tests/lnd/lnd_fixture.h"

using namespace paytower;
using namespace paytower::db::lnd;
using namespace paytower::test;

namespace {

constexpr std::uint64_t second = 1'600'000'000;
constexpr std::uint64_t ns = 1'600'000'000'123'456'789;

using Fill = std::function<void(BboltWriter&)>;

std::vector<KvRecord> read(std::uint32_t version, const Fill& payments) {
  const TempFolder folder;
  write_kv(folder.file("db"), version, payments);
  return all_payments(folder.file("db"));
}

/// The payment that is read from a file of version 23 or later with these attempt entries.
KvPayment flat(const Fill& attempts, const Bytes& creation = creation_info(hash_of_preimage(1), 1000, ns),
               const Bytes& fail = {}, std::uint32_t version = 35) {
  const auto records = read(
      version, [&](BboltWriter& writer) { write_payment(writer, hash_of_preimage(1), 7, creation, fail, attempts); });
  REQUIRE(records.size() == 1);
  return payment_in(records[0]);
}

Bytes attempt_of(const Bytes& route, const Bytes& behind = {}) {
  return joined({session_key(), route, be64(ns), behind});
}

KvHop hop_with(const std::vector<std::pair<std::uint64_t, Bytes>>& records) {
  const Bytes route = route_bytes(700'000, 1000, {{0xB1, 1, 700'000, 1000, hop_tail(false, records)}});
  return flat([&](BboltWriter& writer) { writer.put(flat_key("ai", 5), attempt_of(route)); })
      .attempts.at(0)
      .route.hops.at(0);
}

/// What plain_route() says.
void check_route(const KvRoute& route) {
  CHECK(route.total_time_lock == 700'080);
  CHECK(route.total_amount.value() == 1012);
  CHECK(route.fees().value() == 12);
  REQUIRE(route.hops.size() == 2);
  CHECK(route.hops[0].channel.value == 10);
  CHECK(route.hops[0].outgoing_time_lock == 700'040);
  CHECK(route.hops[1].channel.value == 11);
  CHECK(route.hops[1].amount_to_forward.value() == 1000);
  CHECK(route.hops[1].legacy_payload);
}

void put_old_form(BboltWriter& writer, const Bytes& hash, std::uint64_t sequence, std::uint64_t id, bool tails,
                  std::uint8_t preimage) {
  writer.put("payment-attempt-info", joined({be64(id), session_key(), plain_route(tails)}));
  writer.put("payment-creation-info", creation_info(hash, 1000, second, "lnbc"));
  writer.put("payment-sequence-key", be64(sequence));
  writer.put("payment-settle-info", preimage_of(preimage));
}

}  // namespace

TEST_CASE("versions 9 to 12: one attempt at the payment, times in seconds, from 10 on records behind each hop") {
  for (const std::uint32_t version : {9U, 10U, 11U, 12U}) {
    CAPTURE(version);
    const auto records = read(version, [&](BboltWriter& writer) {
      writer.begin(hash_of_preimage(1));
      put_old_form(writer, hash_of_preimage(1), 7, 99, version >= 10, 1);
      writer.end();
    });
    REQUIRE(records.size() == 1);
    const KvPayment& payment = payment_in(records[0]);
    CHECK(payment.sequence == 7);
    CHECK(payment.created == UnixNs{static_cast<std::int64_t>(second) * ns_per_second});
    CHECK(payment.payment_request == "lnbc");
    CHECK(payment.status() == PaymentStatus::succeeded);
    REQUIRE(payment.attempts.size() == 1);
    CHECK(payment.attempts[0].id == 99);
    CHECK(payment.attempts[0].settle->proves);
    check_route(payment.attempts[0].route);
  }
}

TEST_CASE("versions 9 to 12: the attempt of a failed payment is failed, how is not recorded") {
  const auto records = read(9, [&](BboltWriter& writer) {
    writer.begin(hash_of_preimage(1));
    writer.put("payment-attempt-info", joined({be64(1), session_key(), plain_route(false)}));
    writer.put("payment-creation-info", creation_info(hash_of_preimage(1), 1000, second));
    writer.put("payment-fail-info", {0});
    writer.put("payment-sequence-key", be64(1));
    writer.end();
  });
  const KvPayment& payment = payment_in(records.at(0));
  CHECK(payment.status() == PaymentStatus::failed);
  CHECK(payment.fail_reason == FailureReason::timeout);
  REQUIRE(payment.attempts.at(0).fail);
  CHECK(payment.attempts[0].fail->kind == KvFailKind::unknown);
  CHECK(payment.attempts[0].fail->failure.code == FailureCode::unknown_code);
}

TEST_CASE("versions 13 to 22: a bucket for each attempt; 23 to 35: their parts side by side") {
  const Bytes message = {0x10, 0x07, 0x01, 0x02};  // temporary_channel_failure
  const Bytes info = attempt_of(plain_route(true));
  for (const std::uint32_t version : {13U, 16U, 22U, 23U, 24U, 35U}) {
    CAPTURE(version);
    const auto records = read(version, [&](BboltWriter& writer) {
      write_payment(writer, hash_of_preimage(1), 7, creation_info(hash_of_preimage(1), 1000, ns, "lnbc"), {},
                    [&](BboltWriter& out) {
                      if (version < 23) {
                        const auto attempt = [&](std::uint64_t id, const std::string& key, const Bytes& end) {
                          out.begin(be64(id));
                          out.put("htlc-attempt-info", info);
                          if (!key.empty()) out.put(key, end);
                          out.end();
                        };
                        attempt(0x0100, "htlc-fail-info", fail_info(ns + 1, message, 3, 2));
                        attempt(0x0101, "htlc-settle-info", settle_info(1, ns + 2));
                        attempt(0x0200, "", {});
                        return;
                      }
                      for (const std::uint64_t id : {0x0100U, 0x0101U, 0x0200U}) out.put(flat_key("ai", id), info);
                      out.put(flat_key("fi", 0x0100), fail_info(ns + 1, message, 3, 2));
                      out.put(flat_key("si", 0x0101), settle_info(1, ns + 2));
                    });
    });
    REQUIRE(records.size() == 1);
    const KvPayment& payment = payment_in(records[0]);
    CHECK(payment.created == UnixNs{static_cast<std::int64_t>(ns)});
    CHECK(payment.status() == PaymentStatus::in_flight);
    REQUIRE(payment.attempts.size() == 3);
    for (const KvAttempt& attempt : payment.attempts) {
      check_route(attempt.route);
      CHECK(attempt.registered == UnixNs{static_cast<std::int64_t>(ns)});
      CHECK_FALSE(attempt.hash);
    }
    const KvAttempt& failed = payment.attempts[0];
    CHECK(failed.id == 0x0100);
    REQUIRE(failed.fail);
    CHECK(failed.fail->at == UnixNs{static_cast<std::int64_t>(ns + 1)});
    CHECK(failed.fail->kind == KvFailKind::message);
    CHECK(failed.fail->failure.code == FailureCode::temporary_channel_failure);
    CHECK(failed.fail->failure.source_index == 2);
    CHECK(failed.fail->wire_message == message);
    const KvAttempt& settled = payment.attempts[1];
    CHECK(settled.id == 0x0101);
    CHECK(settled.settle->proves);
    CHECK(settled.settle->at == UnixNs{static_cast<std::int64_t>(ns + 2)});
    CHECK(payment.attempts[2].id == 0x0200);
    CHECK(payment.attempts[2].open());
  }
}

TEST_CASE("a payment without attempts, with the bucket for them and without, and with each reason") {
  for (const bool bucket : {true, false}) {
    for (int reason = -1; reason <= 5; ++reason) {
      const auto records = read(35, [&](BboltWriter& writer) {
        writer.begin(hash_of_preimage(1));
        writer.put("payment-creation-info", creation_info(hash_of_preimage(1), 0, 0));
        if (reason >= 0) writer.put("payment-fail-info", {static_cast<std::uint8_t>(reason)});
        if (bucket) writer.begin("payment-htlcs-bucket");
        if (bucket) writer.end();
        writer.put("payment-sequence-key", be64(1));
        writer.end();
      });
      const KvPayment& payment = payment_in(records.at(0));
      CHECK(payment.attempts.empty());
      CHECK_FALSE(payment.created);
      CHECK(payment.value == Msat{});
      CHECK(payment.status() == (reason < 0 ? PaymentStatus::initiated : PaymentStatus::failed));
      if (reason >= 0) CHECK(static_cast<int>(*payment.fail_reason) == reason);
    }
  }
}

TEST_CASE("status follows lnd's table") {
  const Bytes info = attempt_of(plain_route(true));
  const auto status = [&](bool open, bool settled, bool failed, bool reason) {
    return flat(
               [&](BboltWriter& writer) {
                 for (std::uint64_t id = 1; id <= 3; ++id) {
                   if ((id == 1 && open) || (id == 2 && settled) || (id == 3 && failed))
                     writer.put(flat_key("ai", id), info);
                 }
                 if (failed) writer.put(flat_key("fi", 3), fail_info(0, {}, 0, 0));
                 if (settled) writer.put(flat_key("si", 2), settle_info(1, 0));
               },
               creation_info(hash_of_preimage(1), 1000, ns), reason ? Bytes{1} : Bytes{})
        .status();
  };
  for (const bool settled : {false, true}) {
    for (const bool failed : {false, true}) {
      for (const bool reason : {false, true}) {
        CHECK(status(true, settled, failed, reason) == PaymentStatus::in_flight);
        if (settled) CHECK(status(false, true, failed, reason) == PaymentStatus::succeeded);
      }
    }
  }
  CHECK(status(false, false, true, true) == PaymentStatus::failed);
  CHECK(status(false, false, false, true) == PaymentStatus::failed);
  CHECK(status(false, false, true, false) == PaymentStatus::in_flight);
  CHECK(status(false, false, false, false) == PaymentStatus::initiated);
}

TEST_CASE("HTLC failures of each kind") {
  const auto failure = [](const Bytes& info) {
    return *flat([&](BboltWriter& writer) {
              writer.put(flat_key("ai", 1), attempt_of(plain_route(true)));
              writer.put(flat_key("fi", 1), info);
            })
                .attempts.at(0)
                .fail;
  };
  const KvFail migrated = failure(filled(14, 0));
  CHECK_FALSE(migrated.at);
  CHECK(migrated.failure.code == FailureCode::unknown_code);
  CHECK_FALSE(migrated.failure.source_index);
  CHECK(failure(fail_info(1, {}, 1, 0)).failure.code == FailureCode::unreadable);
  CHECK(failure(fail_info(1, {}, 2, 0)).failure.code == FailureCode::local_refusal);
  const KvFail details = failure(fail_info(1, joined({{0x40, 0x0F}, be64(1000), be32(700'000)}), 3, 4));
  CHECK(details.failure.code == FailureCode::incorrect_or_unknown_payment_details);
  CHECK(details.failure.source_index == 4);
  CHECK(details.wire_message.size() == 14);
  CHECK(failure(fail_info(1, {0x12, 0x34}, 3, 0)).failure.code == static_cast<FailureCode>(0x1234));
}

TEST_CASE("attempt id 0 is no id, and comes before the others") {
  const KvPayment payment = flat([](BboltWriter& writer) {
    for (const std::uint64_t id : {std::uint64_t{0}, std::uint64_t{1}, ~std::uint64_t{0}})
      writer.put(flat_key("ai", id), attempt_of(plain_route(true)));
    writer.put(flat_key("si", 0), settle_info(1, 0));
  });
  REQUIRE(payment.attempts.size() == 3);
  CHECK_FALSE(payment.attempts[0].id);
  CHECK(payment.attempts[0].settle);
  CHECK_FALSE(payment.attempts[0].settle->at);
  CHECK(payment.attempts[1].id == 1);
  CHECK(payment.attempts[2].id == ~std::uint64_t{0});
}

TEST_CASE("hop records: MPP, AMP, blinded, metadata, custom and unknown ones, in any order") {
  const KvHop hop = hop_with({{70'000, {7}},
                              {8, joined({filled(32, 5), {0x03, 0xE8}})},
                              {16, {1, 2, 3}},
                              {14, joined({filled(32, 6), filled(32, 7), {0x01, 0x00}})},
                              {65'536, {}},
                              {3, {9}}});
  CHECK_FALSE(hop.legacy_payload);
  REQUIRE(hop.mpp);
  CHECK(hop.mpp->address.hex() == to_hex(filled(32, 5)));
  CHECK(hop.mpp->total.value() == 1000);
  REQUIRE(hop.amp);
  CHECK(hop.amp->root_share.hex() == to_hex(filled(32, 6)));
  CHECK(hop.amp->set_id.hex() == to_hex(filled(32, 7)));
  CHECK(hop.amp->child_index == 256);
  CHECK(hop.metadata == Bytes{1, 2, 3});
  CHECK_FALSE(hop.blinded);
  CHECK(hop.records == std::vector<TlvRecord>{{3, {9}}, {65'536, {}}, {70'000, {7}}});

  CHECK(hop_with({{8, filled(32, 5)}}).mpp->total == Msat{});
  CHECK(hop_with({{14, filled(64, 5)}}).amp->child_index == 0);
  const KvHop blinded = hop_with({{18, {0x05}}, {12, node_key(9)}, {10, filled(1300, 8)}});
  REQUIRE(blinded.blinded);
  CHECK(blinded.blinded->encrypted_data == filled(1300, 8));
  CHECK(blinded.blinded->blinding_point->span()[1] == 9);
  CHECK(blinded.blinded->total_amount->value() == 5);
  CHECK(blinded.records.empty());
}

TEST_CASE("behind the attempt: a hash since 0.13, first-hop records since 0.19") {
  const auto attempt = [](const Bytes& behind) {
    return flat([&](BboltWriter& writer) { writer.put(flat_key("ai", 1), attempt_of(plain_route(true), behind)); })
        .attempts.at(0);
  };
  CHECK_FALSE(attempt({}).hash);
  CHECK(attempt(hash_of_preimage(2)).hash->hex() == to_hex(hash_of_preimage(2)));
  const KvAttempt full =
      attempt(joined({hash_of_preimage(2), tlv(0, {0xFD, 0x10, 0x00}), tlv(65'536, {1}), tlv(65'537, {})}));
  CHECK(full.first_hop_amount->value() == 0x1000);
  CHECK(full.first_hop_records == std::vector<TlvRecord>{{65'536, {1}}, {65'537, {}}});
  CHECK_FALSE(attempt(joined({hash_of_preimage(2), tlv(0, {0})})).first_hop_amount);
}

TEST_CASE("behind the creation info: custom records since 0.19") {
  const KvPayment payment = flat([](BboltWriter&) {}, creation_info(hash_of_preimage(1), 1000, ns, "lnbc",
                                                                    joined({tlv(65'536, {1, 2}), tlv(65'540, {3})})));
  CHECK(payment.first_hop_records == std::vector<TlvRecord>{{65'536, {1, 2}}, {65'540, {3}}});
  CHECK(payment.payment_request == "lnbc");
}

TEST_CASE("AMP: each attempt is proved by its own hash, the payment's name by none") {
  const Bytes set_id = filled(32, 0x5E);
  const auto records = read(35, [&](BboltWriter& writer) {
    write_payment(writer, set_id, 7, creation_info(set_id, 2000, ns), {}, [&](BboltWriter& out) {
      for (std::uint8_t part = 1; part <= 2; ++part)
        out.put(flat_key("ai", part), attempt_of(plain_route(true), hash_of_preimage(part)));
      for (std::uint8_t part = 1; part <= 2; ++part) out.put(flat_key("si", part), settle_info(part, ns));
    });
  });
  const KvPayment& payment = payment_in(records.at(0));
  REQUIRE(payment.attempts.size() == 2);
  for (const KvAttempt& attempt : payment.attempts) CHECK(attempt.settle->proves);
}

TEST_CASE("duplicates follow the first record of their hash, in the old form in every version") {
  for (const std::uint32_t version : {9U, 10U, 13U, 23U, 35U}) {
    CAPTURE(version);
    const auto records = read(version, [&](BboltWriter& writer) {
      writer.begin(hash_of_preimage(1));
      if (version < 13)
        writer.put("payment-attempt-info", joined({be64(0), session_key(), plain_route(version >= 10)}));
      writer.put("payment-creation-info", creation_info(hash_of_preimage(1), 1000, version < 13 ? second : ns));
      writer.begin("payment-duplicate-bucket");
      for (const std::uint64_t sequence : {3U, 9U}) {
        writer.begin(be64(sequence));
        put_old_form(writer, hash_of_preimage(1), sequence, 0, version >= 10, 1);
        writer.end();
      }
      writer.end();
      if (version >= 13) {
        writer.begin("payment-htlcs-bucket");
        writer.end();
      }
      writer.put("payment-sequence-key", be64(1));
      if (version < 13) writer.put("payment-settle-info", preimage_of(1));
      writer.end();
    });
    REQUIRE(records.size() == 3);
    const std::vector<std::uint64_t> sequences = {1, 3, 9};
    for (std::size_t i = 0; i < 3; ++i) {
      CHECK(records[i].duplicate == (i > 0));
      CHECK(records[i].hash->hex() == to_hex(hash_of_preimage(1)));
      CHECK(payment_in(records[i]).sequence == sequences[i]);
    }
    for (std::size_t i = 1; i < 3; ++i) {
      CHECK(payment_in(records[i]).created == UnixNs{static_cast<std::int64_t>(second) * ns_per_second});
      CHECK(payment_in(records[i]).attempts.at(0).settle->proves);
      check_route(payment_in(records[i]).attempts.at(0).route);
    }
    // Raw bytes of each record alone.
    CHECK(std::search(records[0].raw.begin(), records[0].raw.end(), records[1].raw.begin() + 20,
                      records[1].raw.end()) == records[0].raw.end());
  }
}

TEST_CASE("session keys are handed out by no layout") {
  const Bytes key = session_key();
  const auto without = [&](const std::vector<KvRecord>& records) {
    for (const KvRecord& record : records)
      CHECK(std::search(record.raw.begin(), record.raw.end(), key.begin(), key.end()) == record.raw.end());
    return records.size();
  };
  CHECK(without(read(9, [&](BboltWriter& writer) {
          writer.begin(hash_of_preimage(1));
          put_old_form(writer, hash_of_preimage(1), 7, 99, false, 1);
          writer.end();
        })) == 1);
  for (const std::uint32_t version : {13U, 23U}) {
    CHECK(without(read(version, [&](BboltWriter& writer) {
            write_payment(writer, hash_of_preimage(1), 7, creation_info(hash_of_preimage(1), 1000, ns), {},
                          [&](BboltWriter& out) {
                            if (version == 23) return out.put(flat_key("ai", 1), attempt_of(plain_route(true)));
                            out.begin(be64(1));
                            out.put("htlc-attempt-info", attempt_of(plain_route(true)));
                            out.end();
                          });
            // Cut inside the key, so that the payment is unreadable.
            writer.begin(filled(32, 0xFE));
            writer.put("payment-attempt-info", joined({be64(1), filled(31, 0x77)}));
            writer.end();
          })) == 2);
  }
}

TEST_CASE("times: zero time, before 1970, and what nanoseconds cannot hold") {
  const auto created = [](std::uint64_t time) {
    const auto records = read(9, [&](BboltWriter& writer) {
      writer.begin(hash_of_preimage(1));
      writer.put("payment-creation-info", creation_info(hash_of_preimage(1), 1000, time));
      writer.put("payment-sequence-key", be64(1));
      writer.end();
    });
    return records.at(0);
  };
  CHECK_FALSE(payment_in(created(static_cast<std::uint64_t>(std::int64_t{-62'135'596'800}))).created);
  CHECK(payment_in(created(~std::uint64_t{0})).created == UnixNs{-ns_per_second});
  CHECK(payment_in(created(0)).created == UnixNs{0});
  CHECK(unreadable_in(created(1ULL << 40)).reason.find("a time") != std::string::npos);
}

TEST_CASE("core's route: amounts, delays and directions of each channel") {
  const KvPayment payment =
      flat([](BboltWriter& writer) { writer.put(flat_key("ai", 1), attempt_of(plain_route(true))); });
  KvRoute stored = payment.attempts[0].route;
  const auto route = core_route(stored, 700'000);
  REQUIRE(route);
  REQUIRE(route->hops.size() == 2);
  CHECK(route->hops[0].amount.value() == 1012);
  CHECK(route->hops[0].delay == 80);
  CHECK(route->hops[0].direction == 0);  // aa.. sends to b1..
  CHECK(route->hops[1].amount.value() == 1000);
  CHECK(route->hops[1].delay == 40);
  CHECK(route->fees().value() == 12);
  stored.source.bytes[0] = 3;
  CHECK(core_route(stored, 700'000)->hops[0].direction == 1);
  stored.hops.resize(21, stored.hops[0]);
  CHECK_FALSE(core_route(stored, 0));
  stored.hops.clear();
  CHECK_FALSE(core_route(stored, 0));
}
