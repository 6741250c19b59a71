// Goal: SQLite itself refuses what must never be stored, whoever writes. Method: raw SQL against the schema, each case
// with recursive_triggers on and off and as INSERT OR REPLACE. So that every rule has a case, each trigger is then
// removed in turn and some case must notice; and every CHECK of the schema must have refused something.
#include <doctest/doctest.h>

#include <set>
#include <string>
#include <vector>

#include <sqlite3.h>

#include <SQLiteCpp/SQLiteCpp.h>

#include "db/payments/store.h"
#include "migrations/migrations.h"

using namespace paytower;

namespace {

// Some rows to work on. Hashes and preimages are single bytes, repeated. Payments:
//   1 in flight (own attempt 11)
//   2 paid (21)
//   3 failed (31)
//   4 unknown, preimage lost (41)
//   5 initiated
//   6 marked as failed by hand (61, watched)
//   7 stopped, attempt failed (71)
//   8 imported, paid, with duplicate 9
//  10 in flight, attempt accepted (101)
//  11 failed, settled later (111, failed before; 112 settled): late_preimage
//  12 failed (121 settled late, not stored yet)
//  13 imported AMP, paid (131, of its own hash)
//  14 imported AMP, failed
const char* const rows = R"sql(
INSERT INTO store_meta (id, store_id, created_ns) VALUES (1, zeroblob(16), 1);
INSERT INTO schema_migrations (version, name, sha256, applied_ns) VALUES (2, '0002', zeroblob(32), 1);
INSERT INTO switches (id, node, network) VALUES (1, zeroblob(33), 'regtest');
INSERT INTO operator_words (id, at_ns, word, payment_hash, speaker) VALUES (1, 1, 4, NULL, 'alice');
INSERT INTO quarantine (id, source, reason, record, at_ns) VALUES (1, 'payments', 'cut', x'00', 1);
INSERT INTO import_sources (pub_key, first_ns) VALUES (zeroblob(33), 1);
INSERT INTO hash_guards (payment_hash, kind, since_ns) VALUES (h(50), 1, 1), (h(52), 2, 1), (h(54), 4, 1);
INSERT INTO hash_guards (payment_hash, kind, since_ns, preimage) VALUES (h(53), 3, 1, h(153));
)sql";

std::string payment(int index, int hash, const std::string& more_columns = "", const std::string& more_values = "") {
  return "INSERT INTO payments (payment_index, payment_hash, amount_msat, created_ns, deadline_ns, destination, "
         "fee_limit_msat, cltv_limit, "
         "final_cltv_delta, max_attempts" +
         more_columns + ") VALUES (" + std::to_string(index) + ", h(" + std::to_string(hash) +
         "), 3000, 1, 2, zeroblob(33), 10, 2016, 18, 20" + more_values + ");";
}

std::string attempt(int row, int payment_index, int id, const std::string& more_columns = "",
                    const std::string& more_values = "") {
  return "INSERT INTO attempts (attempt_row, payment_index, attempt_id, switch_id, amount_msat, fee_msat, "
         "registered_ns, route" +
         more_columns + ") VALUES (" + std::to_string(row) + ", " + std::to_string(payment_index) + ", " +
         std::to_string(id) + ", 1, 1000, 1, 1, zeroblob(20)" + more_values + ");";
}

/// An attempt of so much, in part `part` of round `id`.
std::string part(int row, int payment_index, int id, int part, int amount_msat, int fee_msat) {
  return "INSERT INTO attempts (attempt_row, payment_index, attempt_id, part, switch_id, amount_msat, fee_msat, "
         "registered_ns) VALUES (" +
         std::to_string(row) + ", " + std::to_string(payment_index) + ", " + std::to_string(id) + ", " +
         std::to_string(part) + ", 1, " + std::to_string(amount_msat) + ", " + std::to_string(fee_msat) + ", 1);";
}

std::string base() {
  std::string sql = rows;
  for (const int index : {1, 2, 3, 4, 5, 6, 7, 10, 11, 12}) sql += payment(index, index);
  sql += payment(8, 8, ", provenance, preimage, ended_ns", ", 1, h(108), 1");
  sql += payment(9, 8, ", provenance, preimage, ended_ns, duplicate_of", ", 1, h(108), 1, 8");
  for (const int index : {1, 2, 3, 4, 6, 7, 10, 11, 12}) sql += attempt(index * 10 + 1, index, index * 10 + 1);
  sql += payment(13, 13, ", provenance, preimage, ended_ns, amp", ", 2, h(231), 1, 1");
  sql += payment(14, 14, ", provenance, fail_reason, ended_ns, amp", ", 2, 1, 1, 1");
  sql += attempt(131, 13, 131, ", origin, htlc_hash, outcome, preimage, resolved_ns", ", 2, h(131), 1, h(231), 1");
  sql += "INSERT INTO imported_raw (payment_index, what, data) VALUES (8, 'record', x'00');";
  sql += R"sql(
UPDATE attempts SET outcome = 1, preimage = h(102), resolved_ns = 2 WHERE attempt_id = 21;
UPDATE payments SET preimage = h(102), ended_ns = 2 WHERE payment_index = 2;
UPDATE attempts SET outcome = 2, failure_code = 4103, failure_source = 1, failure_channel = 7, failure_direction = 1, failure_node = zeroblob(33),
  failure_message = 'no', resolved_ns = 2 WHERE attempt_id IN (31, 71, 111, 121);
UPDATE payments SET fail_reason = 1, ended_ns = 2 WHERE payment_index = 3;
UPDATE attempts SET outcome = 3, failure_code = 65543, resolved_ns = 2 WHERE attempt_id = 41;
UPDATE payments SET end_note = 2, ended_ns = 2 WHERE payment_index = 4;
UPDATE attempts SET outcome = 3, failure_code = 65541, resolved_ns = 2 WHERE attempt_id = 61;
UPDATE payments SET fail_reason = 2, ended_ns = 2 WHERE payment_index = 6;
UPDATE payments SET stop_reason = 5 WHERE payment_index = 7;
UPDATE attempts SET accepted_ns = 2 WHERE attempt_id = 101;
)sql";
  sql += attempt(1112, 11, 112, ", part", ", 1");
  sql += R"sql(
UPDATE attempts SET outcome = 2, failure_code = 4103, resolved_ns = 2 WHERE attempt_id = 112;
UPDATE payments SET fail_reason = 1, ended_ns = 2 WHERE payment_index = 11;
UPDATE attempts SET outcome = 1, preimage = h(111), failure_code = NULL WHERE attempt_id = 112;
UPDATE payments SET late_preimage = h(111) WHERE payment_index = 11;
UPDATE payments SET fail_reason = 1, ended_ns = 2 WHERE payment_index = 12;
)sql";
  return sql;
}

struct Case {
  std::string sql;
  std::string refusal;  ///< how the message begins; empty: it must be stored
};

/// What must be refused, and similar things that must not.
std::vector<Case> cases() {
  std::vector<Case> all;
  const auto no = [&all](std::string sql, std::string refusal) { all.push_back({std::move(sql), std::move(refusal)}); };
  const auto yes = [&all](std::string sql) { all.push_back({std::move(sql), ""}); };
  const auto check = [&](std::string sql) { no(std::move(sql), "CHECK constraint failed"); };

  // --- InitPayment ---
  yes(payment(20, 20));
  yes(payment(20, 3));  // again after FAILED
  yes(payment(20, 6));  // again after it was marked as failed by hand
  no(payment(20, 1), "in_flight");
  no(payment(20, 5), "in_flight");
  no(payment(20, 2), "already_paid");
  no(payment(20, 8), "already_paid");   // imported
  no(payment(20, 11), "already_paid");  // paid late
  no(payment(20, 4), "already_ended");
  no(payment(20, 50), "guarded");
  no(payment(20, 52), "already_paid");
  no(payment(20, 53), "already_paid");
  no(payment(20, 54), "guarded");
  no(payment(1, 20), "conflict");
  no(payment(20, 20, ", stop_reason", ", 1"), "conflict");
  no(payment(20, 20, ", fail_reason, ended_ns", ", 1, 1"), "conflict");
  no(payment(20, 20, ", preimage, ended_ns", ", h(120), 1"), "conflict");
  no(payment(20, 20, ", end_note, ended_ns", ", 1, 1"), "conflict");
  no(payment(20, 20, ", fail_reason, late_preimage, ended_ns", ", 1, h(120), 1"), "conflict");
  // Imported payments come with their end. One that would make a hash live a second time is refused.
  yes(payment(20, 20, ", provenance, preimage, ended_ns", ", 1, h(120), 1"));
  yes(payment(20, 20, ", provenance", ", 2"));
  yes(payment(20, 1, ", provenance, fail_reason, ended_ns", ", 2, 1, 1"));
  no(payment(20, 1, ", provenance", ", 2"), "in_flight");
  no(payment(20, 2, ", provenance, preimage, ended_ns", ", 1, h(102), 1"), "in_flight");
  yes(payment(20, 2, ", provenance, preimage, ended_ns, duplicate_of", ", 1, h(102), 1, 2"));
  no(payment(20, 20, ", provenance, duplicate_of", ", 1, 999") + "SELECT 1", "FOREIGN KEY constraint failed");
  yes(payment(20, 20, ", provenance, preimage, ended_ns, duplicate_of", ", 1, h(120), 1, 8"));

  // The set id of an AMP payment is no hash that could be paid.
  no(payment(20, 14), "already_ended");
  no(payment(20, 20, ", amp", ", 1"), "conflict");
  no(payment(20, 20, ", provenance, amp", ", 1, 1"), "conflict");
  no(payment(20, 20, ", provenance, amp", ", 2, 2"), "conflict");
  no("UPDATE payments SET amp = 0 WHERE payment_index = 13", "conflict");
  no("DELETE FROM payments WHERE payment_index = 13;" + payment(20, 13), "already_ended");
  no("DELETE FROM payments WHERE payment_index = 14;" + payment(20, 14), "already_ended");
  no("UPDATE attempts SET htlc_hash = h(1) WHERE attempt_id = 131", "conflict");
  no("UPDATE attempts SET htlc_hash = NULL WHERE attempt_id = 131", "conflict");
  // What version 2 stored as plain payments.
  const std::string plain = payment(20, 20, ", provenance", ", 2") + attempt(900, 20, 900, ", origin", ", 2");
  yes(plain +
      "UPDATE payments SET amp = 1 WHERE payment_index = 20; UPDATE attempts SET htlc_hash = h(1) WHERE "
      "attempt_id = 900");
  no(plain + "UPDATE attempts SET htlc_hash = h(1) WHERE attempt_id = 900", "conflict");
  no("UPDATE payments SET amp = 1 WHERE payment_index = 2", "conflict");
  no("UPDATE payments SET amp = 1 WHERE payment_index = 8", "conflict");
  no(plain + "UPDATE payments SET amp = 2 WHERE payment_index = 20", "conflict");
  no("UPDATE OR REPLACE payments SET amp = NULL WHERE payment_index = 13", "conflict");
  no(attempt(900, 8, 900, ", origin, htlc_hash", ", 2, h(1)"), "conflict");
  yes(attempt(900, 13, 900, ", origin, part, htlc_hash", ", 2, 1, h(1)"));
  no(attempt(900, 13, 900, ", origin, part, htlc_hash", ", 2, 1, zeroblob(31)"), "conflict");
  const std::string proven = ", 1, 1, h(1), 1";
  no(attempt(900, 13, 900, ", htlc_hash, origin, outcome, preimage, resolved_ns", ", h(1)" + proven), "conflict");
  no(attempt(900, 13, 900, ", origin, outcome, preimage, resolved_ns", proven) +
         "UPDATE attempts SET htlc_hash = h(1) WHERE attempt_row = 900",
     "conflict");
  no(attempt(900, 13, 900, ", origin", ", 2") + "UPDATE attempts SET htlc_hash = x'00' WHERE attempt_row = 900",
     "conflict");

  // --- what is asked for never changes ---
  for (const char* column : {"payment_hash = h(77)",
                             "amount_msat = 1",
                             "created_ns = 5",
                             "deadline_ns = 99",
                             "provenance = 1",
                             "duplicate_of = 3",
                             "destination = NULL",
                             "fee_limit_msat = 9",
                             "cltv_limit = 9",
                             "final_cltv_delta = 9",
                             "max_attempts = 1000",
                             "max_parts = 2",
                             "payment_secret = zeroblob(32)",
                             "metadata = x'00'",
                             "invoice = 'x'",
                             "network = 'x'",
                             "label = 'x'",
                             "outgoing_channels = zeroblob(8)",
                             "candidate_routes = zeroblob(9)",
                             "payment_index = 77"}) {
    no(std::string("UPDATE payments SET ") + column + " WHERE payment_index = 5", "conflict");
    no(std::string("UPDATE OR REPLACE payments SET ") + column + " WHERE payment_index = 5", "conflict");
  }

  // --- a label changes at any time, and is bounded ---
  yes("UPDATE payments SET new_label = 'x' WHERE payment_index = 5");
  yes("UPDATE payments SET new_label = '' WHERE payment_index = 5");
  yes("UPDATE payments SET new_label = hex(zeroblob(512)) WHERE payment_index = 5");
  no("UPDATE payments SET new_label = hex(zeroblob(513)) WHERE payment_index = 5", "conflict");
  no("UPDATE payments SET new_label = NULL WHERE payment_index = 5", "conflict");
  no(payment(20, 20, ", new_label", ", 'x'"), "conflict");

  // --- why it failed is said once, beside the reason ---
  yes("UPDATE payments SET stop_reason = 1, failure_detail = '{}' WHERE payment_index = 1");
  yes("UPDATE payments SET fail_reason = 1, ended_ns = 1, failure_detail = '{}' WHERE payment_index = 5");
  yes("UPDATE payments SET failure_detail = '{}' WHERE payment_index = 7");  // stopped before
  yes("UPDATE payments SET failure_detail = NULL WHERE payment_index = 3");
  no("UPDATE payments SET failure_detail = '{}' WHERE payment_index = 3", "conflict");  // failed before
  no("UPDATE payments SET failure_detail = '{}' WHERE payment_index = 1", "conflict");  // no reason
  no("UPDATE payments SET stop_reason = 1 WHERE payment_index = 1;"
     "UPDATE attempts SET outcome = 1, preimage = h(101), resolved_ns = 3 WHERE attempt_id = 11;"
     "UPDATE payments SET preimage = h(101), ended_ns = 3 WHERE payment_index = 1;"
     "UPDATE payments SET failure_detail = '{}' WHERE payment_index = 1",
     "conflict");  // paid
  no("UPDATE payments SET stop_reason = 1, failure_detail = '{}' WHERE payment_index = 1;"
     "UPDATE payments SET failure_detail = NULL WHERE payment_index = 1",
     "conflict");
  no("UPDATE payments SET stop_reason = 1, failure_detail = '' WHERE payment_index = 1", "conflict");
  yes("UPDATE payments SET stop_reason = 1, failure_detail = hex(zeroblob(4096)) WHERE payment_index = 1");
  no("UPDATE payments SET stop_reason = 1, failure_detail = hex(zeroblob(4097)) WHERE payment_index = 1", "conflict");
  no(payment(20, 20, ", failure_detail", ", '{}'"), "conflict");
  no(payment(20, 20, ", provenance, fail_reason, ended_ns, failure_detail", ", 1, 1, 1, '{}'"), "conflict");

  // --- facts of a payment ---
  yes("UPDATE payments SET stop_reason = 1 WHERE payment_index = 1");
  no("UPDATE payments SET stop_reason = 1 WHERE payment_index = 7", "conflict");
  no("UPDATE payments SET stop_reason = NULL WHERE payment_index = 7", "conflict");
  no("UPDATE payments SET stop_reason = 1 WHERE payment_index = 2", "already_succeeded");
  no("UPDATE payments SET stop_reason = 1 WHERE payment_index = 3", "already_failed");
  no("UPDATE payments SET stop_reason = 1 WHERE payment_index = 4", "already_ended");
  no("UPDATE payments SET stop_reason = 1 WHERE payment_index = 11", "already_succeeded");
  yes("UPDATE payments SET fail_reason = 1, ended_ns = 3 WHERE payment_index = 5");
  yes("UPDATE payments SET fail_reason = 5, ended_ns = 3 WHERE payment_index = 7");
  no("UPDATE payments SET fail_reason = 1, ended_ns = 3 WHERE payment_index = 1", "in_flight");
  no("UPDATE payments SET fail_reason = 1 WHERE payment_index = 2", "already_succeeded");
  no("UPDATE payments SET fail_reason = 1 WHERE payment_index = 4", "already_ended");
  no("UPDATE payments SET fail_reason = 0 WHERE payment_index = 3", "conflict");
  no("UPDATE payments SET fail_reason = NULL, ended_ns = NULL WHERE payment_index = 3", "conflict");
  // After an attempt has settled, and before its payment has.
  no("UPDATE attempts SET outcome = 1, preimage = h(101), resolved_ns = 3 WHERE attempt_id = 11; UPDATE payments SET "
     "fail_reason = 1, ended_ns = 3 WHERE payment_index = 1",
     "already_succeeded");
  yes("UPDATE attempts SET outcome = 1, preimage = h(101), resolved_ns = 3 WHERE attempt_id = 11; UPDATE payments SET "
      "preimage = h(101), ended_ns = 3 WHERE payment_index = 1");
  no("UPDATE attempts SET outcome = 1, preimage = h(101), resolved_ns = 3 WHERE attempt_id = 11; UPDATE payments SET "
     "preimage = h(102), ended_ns = 3 WHERE payment_index = 1",
     "conflict");
  no("UPDATE payments SET preimage = h(101), ended_ns = 3 WHERE payment_index = 1", "conflict");
  no("UPDATE payments SET preimage = h(103) WHERE payment_index = 3", "already_failed");
  no("UPDATE payments SET preimage = NULL, ended_ns = NULL WHERE payment_index = 2", "conflict");
  no("UPDATE payments SET preimage = h(1) WHERE payment_index = 2", "conflict");
  no("UPDATE payments SET ended_ns = 9 WHERE payment_index = 2", "conflict");
  // R8: while another part is open, after an unknown end, after a failure, after a decision by hand.
  yes(attempt(900, 1, 900, ", part", ", 1") +
      "UPDATE attempts SET outcome = 1, preimage = h(101), resolved_ns = 3 WHERE attempt_id = 11; UPDATE payments SET "
      "preimage = h(101), ended_ns = 3 WHERE payment_index = 1");
  yes("UPDATE attempts SET outcome = 1, preimage = h(104), failure_code = NULL WHERE attempt_id = 41; UPDATE payments "
      "SET preimage = h(104) WHERE payment_index = 4");
  yes("UPDATE attempts SET outcome = 1, preimage = h(106), failure_code = NULL WHERE attempt_id = 61; UPDATE payments "
      "SET late_preimage = h(106) WHERE payment_index = 6");
  yes("UPDATE attempts SET outcome = 1, preimage = h(112), failure_code = NULL, failure_source = NULL, failure_channel "
      "= NULL, failure_direction = NULL, failure_node = NULL, "
      "failure_message = NULL WHERE attempt_id = 121; UPDATE payments SET late_preimage = h(112) WHERE payment_index = "
      "12");
  no("UPDATE payments SET late_preimage = h(112) WHERE payment_index = 12", "conflict");
  no("UPDATE payments SET late_preimage = NULL WHERE payment_index = 11", "conflict");
  // Somebody else's attempt carries a settlement too.
  yes(attempt(900, 5, 5, ", origin, outcome, preimage, resolved_ns", ", 1, 1, h(105), 3") +
      "UPDATE payments SET preimage = h(105), ended_ns = 3 WHERE payment_index = 5");
  // An end without proof: of a payment that is over, and of one that failed and about which more is known now.
  yes("UPDATE payments SET end_note = 1, ended_ns = 3 WHERE payment_index = 7");
  yes("UPDATE payments SET end_note = 2 WHERE payment_index = 6");
  no("UPDATE payments SET end_note = 1, ended_ns = 3 WHERE payment_index = 1", "in_flight");
  no("UPDATE payments SET end_note = 1 WHERE payment_index = 2", "already_succeeded");
  no("UPDATE payments SET end_note = 1 WHERE payment_index = 11", "already_succeeded");
  no("UPDATE payments SET end_note = 1 WHERE payment_index = 4", "conflict");
  no("UPDATE payments SET end_note = NULL, ended_ns = NULL WHERE payment_index = 4", "conflict");

  // --- deleting payments ---
  for (const int index : {1, 5, 7, 10})
    no("DELETE FROM payments WHERE payment_index = " + std::to_string(index), "in_flight");
  no("DELETE FROM payments WHERE payment_index = 6", "in_flight");  // watched
  for (const int index : {2, 3, 4, 8, 9, 11, 12})
    yes("DELETE FROM payments WHERE payment_index = " + std::to_string(index));
  no("DELETE FROM payments WHERE payment_index = 2;" + payment(20, 2), "already_paid");
  no("DELETE FROM payments WHERE payment_index = 11;" + payment(20, 11), "already_paid");
  no("DELETE FROM payments WHERE payment_index = 4;" + payment(20, 4), "guarded");
  yes("DELETE FROM payments WHERE payment_index = 3;" + payment(20, 3));
  no("DELETE FROM payments WHERE payment_index IN (8, 9);" + payment(20, 8), "already_paid");
  // A paid payment with an open part stays until that part ends.
  no(attempt(900, 1, 900, ", part", ", 1") +
         "UPDATE attempts SET outcome = 1, preimage = h(101), resolved_ns = 3 WHERE attempt_id = 11; UPDATE payments "
         "SET preimage = h(101), ended_ns = 3 WHERE payment_index = 1; "
         "DELETE FROM payments WHERE payment_index = 1",
     "in_flight");

  // --- RegisterAttempt ---
  yes(attempt(900, 5, 900));
  yes(attempt(900, 1, 900, ", part", ", 1"));
  no(attempt(900, 1, 900), "in_flight");
  no(attempt(900, 999, 900), "not_initiated");
  no(attempt(900, 8, 900), "not_initiated");  // another node's payment
  no(attempt(900, 2, 900), "already_succeeded");
  no(attempt(900, 11, 900), "already_succeeded");
  no(attempt(900, 3, 900), "already_failed");
  no(attempt(900, 4, 900), "already_ended");
  no(attempt(900, 7, 900), "stopped");
  no(attempt(900, 5, 11), "conflict");  // R12
  no(attempt(11, 5, 900), "conflict");
  // Parts of one round share its id, and the round is one payment's.
  yes(part(900, 5, 900, 1, 1500, 5) + part(901, 5, 900, 2, 1500, 5));
  no(part(900, 5, 900, 1, 1500, 5) + part(901, 5, 900, 1, 1500, 5), "in_flight");
  no(part(900, 5, 11, 1, 1500, 5), "conflict");
  no(part(900, 5, 900, 1, 1500, 5) + part(901, 1, 900, 2, 1000, 1), "conflict");
  no(part(900, 5, 900, 0, 1500, 5) + part(901, 5, 900, 1, 1500, 5), "conflict");
  no(part(900, 5, 900, 1, 1500, 5) + part(901, 5, 900, 0, 1500, 5), "conflict");
  // R2: what may still pay is no more than the payment, and its fees no more than their limit; what has failed counts
  // no more.
  no(part(900, 5, 900, 1, 1500, 5) + part(901, 5, 900, 2, 1501, 5), "conflict");
  no(part(900, 5, 900, 1, 1500, 5) + part(901, 5, 900, 2, 1500, 6), "conflict");
  no(part(900, 5, 900, 1, 3001, 5), "conflict");
  no(part(900, 5, 900, 1, 1500, 11), "conflict");
  no(part(900, 5, 900, 1, 1500, 5) + part(901, 5, 900, 2, 1500, 5) + part(902, 5, 900, 3, 1, 0), "conflict");
  for (const char* outcome : {"outcome = 2, failure_code = 4103", "outcome = 3, failure_code = 65541"}) {
    yes(part(900, 5, 900, 1, 1500, 5) + part(901, 5, 900, 2, 1500, 5) + "UPDATE attempts SET " + outcome +
        ", resolved_ns = 2 WHERE attempt_row = 901;" + part(902, 5, 900, 3, 1500, 5));
  }
  no(attempt(900, 5, 900, ", outcome, resolved_ns, failure_code", ", 2, 3, 1"), "conflict");
  no(attempt(900, 5, 900, ", accepted_ns", ", 3"), "conflict");
  no("UPDATE attempts SET outcome = 1, preimage = h(105), resolved_ns = 3, failure_code = NULL WHERE attempt_id = 11;" +
         attempt(900, 1, 900, ", part", ", 1"),
     "already_succeeded");
  // A newer try of a hash whose earlier try is paid late.
  no(payment(20, 12) +
         "UPDATE attempts SET outcome = 1, preimage = h(112), failure_code = NULL, failure_source = NULL, "
         "failure_channel = NULL, failure_direction = NULL, failure_node = NULL, "
         "failure_message = NULL WHERE attempt_id = 121; UPDATE payments SET late_preimage = h(112) WHERE "
         "payment_index = 12;" +
         attempt(900, 20, 900),
     "already_paid");
  // With OR REPLACE, NULL becomes the column's default, and rows in conflict with it are replaced.
  for (const int hash : {1, 2, 20}) no(payment(20, hash, ", provenance", ", NULL"), "conflict");
  no(attempt(900, 1, 900, ", part", ", NULL"), "conflict");
  no(attempt(900, 2, 900, ", origin", ", NULL"), "conflict");
  no("UPDATE store_meta SET deleted_up_to = 9; UPDATE OR REPLACE store_meta SET deleted_up_to = NULL", "conflict");
  // Others' attempts: any id, several of one id, none.
  yes(attempt(900, 2, 21, ", origin, outcome, preimage, resolved_ns", ", 1, 1, h(102), 3"));
  yes(attempt(900, 8, -1, ", origin, outcome, preimage, resolved_ns", ", 2, 1, h(108), 3"));
  no(payment(20, 20, ", provenance", ", 1") + attempt(900, 20, 1, ", origin", ", 2") +
         attempt(901, 20, 2, ", origin", ", 2"),
     "in_flight");
  no(attempt(900, 999, 900, ", origin, outcome, preimage, resolved_ns", ", 1, 1, h(102), 3"), "not_initiated");
  no(attempt(11, 2, 900, ", origin, outcome, preimage, resolved_ns", ", 1, 1, h(102), 3"), "conflict");

  // --- what was handed over never changes ---
  for (const char* column :
       {"attempt_row = 900", "payment_index = 5", "attempt_id = 900", "part = 1", "origin = 2", "switch_id = NULL",
        "mark_payments_created = 1", "mark_htlcs_created = 1", "mark_htlcs_deleted = 1", "mark_movements_created = 1",
        "marks = x'01'", "marks = NULL", "dies_at_ns = 1", "dies_at_ns = NULL", "total_time_lock = 1",
        "route = zeroblob(9)", "amount_msat = 1", "fee_msat = 0", "registered_ns = 9"}) {
    no(std::string("UPDATE attempts SET ") + column + " WHERE attempt_id = 11", "conflict");
    no(std::string("UPDATE OR REPLACE attempts SET ") + column + " WHERE attempt_id = 11", "conflict");
  }
  yes("UPDATE attempts SET accepted_ns = 3 WHERE attempt_id = 11");
  no("UPDATE attempts SET accepted_ns = 3 WHERE attempt_id = 101", "conflict");
  no("UPDATE attempts SET accepted_ns = NULL WHERE attempt_id = 101", "conflict");
  yes("UPDATE attempts SET switch_run = '1:2:x' WHERE attempt_id = 11");
  yes("UPDATE attempts SET switch_run = NULL WHERE attempt_id = 11");
  no("UPDATE attempts SET switch_run = '1:2:x' WHERE outcome = 1", "conflict");
  yes("UPDATE attempts SET expected_time_lock = 9, moved_ns = 3 WHERE attempt_id = 11");
  yes("UPDATE attempts SET moved_ns = 3 WHERE attempt_id = 11");
  no("UPDATE attempts SET expected_time_lock = 9 WHERE attempt_id = 11", "conflict");
  no("UPDATE attempts SET expected_time_lock = 0, moved_ns = 3 WHERE attempt_id = 11", "conflict");
  no("UPDATE attempts SET expected_time_lock = 4294967296, moved_ns = 3 WHERE attempt_id = 11", "conflict");
  no("UPDATE attempts SET expected_time_lock = 9, moved_ns = 3 WHERE attempt_id = 11;"
     "UPDATE attempts SET expected_time_lock = NULL, moved_ns = 4 WHERE attempt_id = 11",
     "conflict");
  no("UPDATE attempts SET expected_time_lock = 9, moved_ns = 3 WHERE attempt_id = 11;"
     "UPDATE attempts SET expected_time_lock = 8, moved_ns = 4 WHERE attempt_id = 11",
     "conflict");
  no(attempt(900, 5, 900, ", total_time_lock", ", 9") + "UPDATE attempts SET moved_ns = 3 WHERE attempt_row = 900",
     "conflict");
  no("UPDATE attempts SET expected_time_lock = 9, moved_ns = 3 WHERE outcome = 1", "conflict");
  no("UPDATE attempts SET expected_time_lock = 9, moved_ns = 3 WHERE outcome = 2", "conflict");
  no(payment(20, 20, ", provenance", ", 2") + attempt(900, 20, 1, ", origin", ", 2") +
         "UPDATE attempts SET expected_time_lock = 9, moved_ns = 3 WHERE attempt_row = 900",
     "conflict");

  // --- how an attempt ends ---
  const std::string failed = "outcome = 2, failure_code = 1, resolved_ns = 3";
  const std::string settled =
      "outcome = 1, preimage = h(100), resolved_ns = 3, failure_code = NULL, failure_source = NULL, failure_channel = "
      "NULL, failure_direction = NULL, failure_node = NULL, failure_message = NULL";
  const std::string open =
      "outcome = NULL, preimage = NULL, resolved_ns = NULL, failure_code = NULL, failure_source = NULL, "
      "failure_channel = NULL, failure_direction = NULL, failure_node = NULL, failure_message = NULL";
  const auto set = [](const std::string& what, int id) {
    return "UPDATE attempts SET " + what + " WHERE attempt_id = " + std::to_string(id);
  };
  yes(set(failed, 11));
  yes(set(settled, 11));
  yes(set("outcome = 3, failure_code = 65541, resolved_ns = 3", 11));
  yes(set(settled, 31));  // R8
  yes(set(settled, 61));
  yes(set(settled, 41));
  yes(set(failed, 61));  // the switch's answer replaces the operator's decision
  yes(set("outcome = 3, failure_code = 65543, resolved_ns = 3", 61));
  for (const int id : {21, 31, 41, 61}) no(set(open, id), "conflict");
  no(set(failed, 21), "conflict");
  no(set("outcome = 3, failure_code = 65541, preimage = NULL", 21), "conflict");
  no(set("preimage = h(9)", 21), "conflict");
  no(set("resolved_ns = 9", 21), "conflict");
  no(set("resolved_ns = 9", 31), "conflict");
  no(set("failure_message = 'other'", 31), "conflict");
  no(set("failure_code = 5", 31), "conflict");
  no(set("failure_source = 5", 31), "conflict");
  no(set("failure_channel = 5", 31), "conflict");
  no(set("failure_direction = 0", 31), "conflict");
  no(set("failure_node = NULL", 31), "conflict");
  no(set("outcome = 3, failure_code = 65541", 31), "conflict");
  no(set("outcome = 3, failure_code = 65542", 61), "conflict");

  // --- deleting attempts ---
  no("DELETE FROM attempts WHERE attempt_id = 11", "in_flight");
  no("DELETE FROM attempts WHERE attempt_id = 61", "in_flight");
  no("DELETE FROM attempts WHERE attempt_id = 21", "conflict");
  no("DELETE FROM attempts WHERE attempt_id = 41", "conflict");
  no("DELETE FROM attempts WHERE attempt_id = 71", "in_flight");  // failed, its payment goes on
  yes("DELETE FROM attempts WHERE attempt_id = 31");
  yes("DELETE FROM attempts WHERE attempt_id = 111");
  no("DELETE FROM attempts WHERE attempt_id = 31; DELETE FROM payments WHERE payment_index = 2; UPDATE store_meta SET "
     "deleted_up_to = 30",
     "conflict");

  // --- guards ---
  const std::string says_failed =
      "INSERT INTO operator_words (at_ns, word, payment_hash, speaker) SELECT 1, 1, payment_hash, 'alice' FROM "
      "hash_guards;";
  const std::string says_forget =
      "INSERT INTO operator_words (at_ns, word, payment_hash, speaker) SELECT 1, 3, payment_hash, 'alice' FROM "
      "hash_guards;";
  no("INSERT INTO hash_guards (payment_hash, kind, since_ns) VALUES (h(53), 1, 1)", "guarded");
  no("UPDATE hash_guards SET payment_hash = h(77) WHERE kind = 1", "conflict");
  no("UPDATE hash_guards SET preimage = h(77) WHERE kind = 3", "conflict");
  no("UPDATE hash_guards SET kind = 1 WHERE kind = 3", "already_paid");
  no("UPDATE hash_guards SET kind = 4 WHERE kind = 2", "already_paid");
  yes("UPDATE hash_guards SET kind = 4 WHERE kind = 1");
  no("UPDATE hash_guards SET released_ns = 5 WHERE kind = 1", "conflict");
  yes(says_failed + "UPDATE hash_guards SET released_ns = 5 WHERE kind IN (1, 4)");
  yes(says_failed + "UPDATE hash_guards SET released_ns = 5 WHERE kind = 1;" + payment(20, 50));
  check(says_failed + "UPDATE hash_guards SET released_ns = 5 WHERE kind = 3");
  check(says_failed + "UPDATE hash_guards SET released_ns = 5 WHERE kind = 2");
  no("DELETE FROM hash_guards WHERE kind = 3", "conflict");
  no(says_failed + "DELETE FROM hash_guards WHERE kind = 3", "conflict");
  yes(says_forget + "DELETE FROM hash_guards WHERE kind = 3;" + payment(20, 53));
  // A set id is never payable, whatever the operator says.
  const std::string set_id =
      "INSERT INTO hash_guards (payment_hash, kind, since_ns, amp) VALUES (h(20), 4, 1, 1), (h(14), 1, 1, 1);" +
      says_failed + says_forget;
  no(set_id + payment(20, 20), "already_ended");
  no(set_id + "UPDATE hash_guards SET released_ns = 5 WHERE payment_hash = h(20)", "conflict");
  no(set_id + "UPDATE hash_guards SET amp = 0 WHERE payment_hash = h(20)", "conflict");
  no(set_id + "DELETE FROM hash_guards WHERE payment_hash = h(20)", "already_ended");
  yes(set_id + "DELETE FROM hash_guards WHERE payment_hash = h(14)");  // its payment says the same
  no(set_id + "UPDATE OR REPLACE hash_guards SET amp = NULL WHERE payment_hash = h(20)", "conflict");
  no("UPDATE hash_guards SET amp = 2 WHERE payment_hash = h(50)", "conflict");
  no("INSERT INTO hash_guards (payment_hash, kind, since_ns, amp) VALUES (h(60), 1, 1, 2)", "conflict");
  no("INSERT INTO hash_guards (payment_hash, kind, since_ns, amp, released_ns) VALUES (h(60), 1, 1, 1, 2)", "conflict");
  for (const int index : {13, 14}) {
    const std::string deleted = "DELETE FROM payments WHERE payment_index = " + std::to_string(index) + ";";
    const std::string guard = "INSERT INTO hash_guards (payment_hash, kind, since_ns) VALUES (h(" +
                              std::to_string(index) + "), 1, 1);" + says_failed +
                              "UPDATE hash_guards SET released_ns = 5 WHERE kind = 1;";
    no(deleted + says_forget + "DELETE FROM hash_guards WHERE amp = 1", "already_ended");
    no(deleted + says_failed + "UPDATE hash_guards SET released_ns = 5 WHERE amp = 1", "conflict");
    no(guard + deleted + payment(20, index), "already_ended");
  }
  // A guard of what was in flight at an import is dropped when a later import has its end, and not before.
  const auto guard_of = [](int hash) {
    return "INSERT INTO hash_guards (payment_hash, kind, since_ns) VALUES (h(" + std::to_string(hash) + "), 1, 1);";
  };
  const auto drop = [](int hash) {
    return "DELETE FROM hash_guards WHERE payment_hash = h(" + std::to_string(hash) + ")";
  };
  yes(guard_of(14) + drop(14));
  no(drop(50), "conflict");
  no(guard_of(8) + drop(8), "conflict");  // a legacy status beside a paid record
  no(guard_of(3) + drop(3), "conflict");  // of our own
  no(guard_of(20) + payment(20, 20, ", provenance", ", 2") + drop(20), "conflict");             // not ended
  no(guard_of(13) + attempt(900, 13, 900, ", origin, part", ", 2, 1") + drop(13), "conflict");  // a part is open
  check("INSERT INTO hash_guards (payment_hash, kind, since_ns) VALUES (zeroblob(31), 1, 1)");
  check("INSERT INTO hash_guards (payment_hash, kind, since_ns) VALUES (h(60), 5, 1)");
  check("INSERT INTO hash_guards (payment_hash, kind, since_ns) VALUES (h(60), 3, 1)");
  check("INSERT INTO hash_guards (payment_hash, kind, since_ns, amount_msat) VALUES (h(60), 1, 1, -1)");
  check("INSERT INTO hash_guards (payment_hash, kind, since_ns, preimage) VALUES (h(60), 1, 1, zeroblob(31))");
  check("INSERT INTO hash_guards (payment_hash, kind, since_ns, destination) VALUES (h(60), 1, 1, zeroblob(32))");
  check(
      "INSERT INTO hash_guards (payment_hash, kind, since_ns, payment_secret_hash) VALUES (h(60), 1, 1, zeroblob(31))");

  // --- words, quarantine, history, the store itself ---
  no("INSERT INTO operator_words (id, at_ns, word, payment_hash, speaker) VALUES (1, 1, 3, h(53), 'mallory')",
     "conflict");
  no("UPDATE operator_words SET word = 3", "conflict");
  no("DELETE FROM operator_words", "conflict");
  check("INSERT INTO operator_words (at_ns, word, payment_hash, speaker) VALUES (1, 6, h(1), 'alice')");
  check("INSERT INTO operator_words (at_ns, word, payment_hash, speaker) VALUES (1, 3, NULL, 'alice')");
  check("INSERT INTO operator_words (at_ns, word, payment_hash, speaker) VALUES (1, 3, x'00', 'alice')");
  no("INSERT INTO quarantine (id, source, reason, record, at_ns) VALUES (1, 'x', 'x', x'', 1)", "conflict");
  no("UPDATE quarantine SET record = x''", "conflict");
  no("UPDATE import_sources SET first_ns = 2", "conflict");
  no("INSERT INTO payments_out_of_order (payment_index, created_ns) VALUES (8, 77777)", "conflict");
  no("INSERT INTO payments_out_of_order (payment_index, created_ns) VALUES (999, 1)", "conflict");
  no("INSERT INTO payments_out_of_order (payment_index, created_ns) SELECT payment_index, created_ns FROM payments "
     "WHERE payment_index = 8;"
     "UPDATE payments_out_of_order SET created_ns = 5",
     "conflict");
  no("INSERT INTO payments_out_of_order (payment_index, created_ns) SELECT payment_index, created_ns FROM payments "
     "WHERE payment_index = 8;"
     "DELETE FROM payments_out_of_order",
     "conflict");
  no(payment(30, 30) + payment(20, 20) + "DELETE FROM payments_out_of_order WHERE payment_index = 20", "conflict");
  check("INSERT INTO import_sources (pub_key, first_ns) VALUES (zeroblob(32), 1)");
  no("UPDATE imported_raw SET data = x''", "conflict");
  check("INSERT INTO imported_raw (payment_index, what, data) VALUES (8, '', x'')");
  no("INSERT INTO imported_raw (payment_index, what, data) VALUES (999, 'x', x''); SELECT 1",
     "FOREIGN KEY constraint failed");
  no("UPDATE sqlite_sequence SET seq = 9223372036854775807 WHERE name = 'payments';" + payment(20, 20), "conflict");
  no("DELETE FROM quarantine", "conflict");
  check("INSERT INTO quarantine (source, reason, record, at_ns, payment_hash) VALUES ('x', 'x', x'', 1, x'00')");
  no("INSERT INTO schema_migrations (version, name, sha256, applied_ns) VALUES (2, 'x', zeroblob(32), 1)", "conflict");
  no("UPDATE schema_migrations SET name = 'x'", "conflict");
  no("DELETE FROM schema_migrations", "conflict");
  check("INSERT INTO schema_migrations (version, name, sha256, applied_ns) VALUES (3, 'x', x'00', 1)");
  no("INSERT INTO store_meta (id, store_id, created_ns) VALUES (1, zeroblob(16), 5)", "conflict");
  no("UPDATE store_meta SET store_id = h(1)", "conflict");
  no("UPDATE store_meta SET created_ns = 2", "conflict");
  no("UPDATE store_meta SET deleted_up_to = 9; UPDATE store_meta SET deleted_up_to = 8", "conflict");
  no("DELETE FROM store_meta", "conflict");
  check("INSERT INTO fresh_meta (id, store_id, created_ns) VALUES (2, zeroblob(16), 1)");
  check("INSERT INTO fresh_meta (id, store_id, created_ns) VALUES (1, zeroblob(15), 1)");
  check("INSERT INTO fresh_meta (id, store_id, created_ns, deleted_up_to) VALUES (1, zeroblob(16), 1, -1)");
  no("INSERT INTO switches (id, node, network) VALUES (1, zeroblob(33), 'bitcoin')", "conflict");
  no("INSERT INTO switches (node, network) VALUES (zeroblob(33), 'regtest')", "conflict");
  no("UPDATE switches SET network = 'bitcoin'", "conflict");
  no("DELETE FROM switches; SELECT 1", "FOREIGN KEY constraint failed");
  check("INSERT INTO switches (node, network) VALUES (zeroblob(32), 'regtest')");

  // --- shapes of a payment ---
  const auto payment_with = [&](const std::string& column, const std::string& value) {
    return payment(20, 20, ", " + column, ", " + value);
  };
  const auto import_with = [&](const std::string& columns, const std::string& values) {
    return payment(20, 20, ", provenance, " + columns, ", 1, " + values);
  };
  const auto changed_payment = [](const std::string& column, const std::string& value) {
    std::string columns =
        "payment_index, payment_hash, amount_msat, created_ns, deadline_ns, destination, fee_limit_msat, cltv_limit, "
        "final_cltv_delta, max_attempts";
    std::vector<std::string> values = {"20", "h(20)", "1000", "1", "2", "zeroblob(33)", "10", "2016", "18", "20"};
    const std::vector<std::string> names = {"payment_index",    "payment_hash", "amount_msat",    "created_ns",
                                            "deadline_ns",      "destination",  "fee_limit_msat", "cltv_limit",
                                            "final_cltv_delta", "max_attempts"};
    std::string list;
    for (std::size_t i = 0; i < names.size(); ++i)
      list += (i == 0 ? "" : ", ") + (names[i] == column ? value : values[i]);
    return "INSERT INTO payments (" + columns + ") VALUES (" + list + ")";
  };
  check(changed_payment("payment_index", "0"));
  check(changed_payment("payment_hash", "zeroblob(31)"));
  for (const char* amount : {"amount_msat", "fee_limit_msat"}) {
    check(changed_payment(amount, "-1"));
    check(changed_payment(amount, "2100000000000000001"));
    yes(changed_payment(amount, "2100000000000000000"));
  }
  for (const char* count : {"cltv_limit", "final_cltv_delta", "max_attempts"}) {
    check(changed_payment(count, "-1"));
    check(changed_payment(count, "4294967296"));
    check(changed_payment(count, "NULL"));
  }
  check(changed_payment("deadline_ns", "NULL"));
  check(changed_payment("fee_limit_msat", "NULL"));
  check(changed_payment("destination", "zeroblob(32)"));
  check(changed_payment("destination", "NULL"));
  for (const char* parts : {"1", "100"}) yes(payment_with("max_parts", parts));
  for (const char* parts : {"0", "101"}) no(payment_with("max_parts", parts), "conflict");
  check(payment_with("provenance", "3"));
  check(payment_with("payment_secret", "zeroblob(31)"));
  check(payment_with("metadata", "zeroblob(640)"));
  check(payment_with("invoice", "''"));
  check(payment_with("invoice", "replace(hex(zeroblob(32769)), '0', 'x')"));
  check(payment_with("network", "''"));
  check(payment_with("label", "''"));
  check(payment_with("label", "replace(hex(zeroblob(513)), '0', 'x')"));
  check(payment_with("outgoing_channels", "zeroblob(9)"));
  check(payment_with("outgoing_channels", "zeroblob(0)"));
  check(payment_with("candidate_routes", "zeroblob(5)"));
  check(import_with("stop_reason", "6"));
  check(import_with("fail_reason, ended_ns", "6, 1"));
  check(import_with("preimage, ended_ns", "zeroblob(31), 1"));
  check(import_with("late_preimage, fail_reason, ended_ns", "zeroblob(31), 1, 1"));
  check(import_with("end_note, ended_ns", "3, 1"));
  check(import_with("preimage, fail_reason, ended_ns", "h(1), 1, 1"));
  check(import_with("late_preimage", "h(1)"));
  check(import_with("ended_ns", "1"));
  check(import_with("fail_reason", "1"));
  check(import_with("preimage, ended_ns, duplicate_of", "h(1), 1, 20"));
  no(changed_payment("amount_msat", "1.5"), "cannot store REAL");
  no(changed_payment("payment_hash", "'text'"), "cannot store TEXT");

  // --- shapes of an attempt ---
  const auto attempt_with = [](const std::string& column, const std::string& value) {
    const std::vector<std::string> names = {"attempt_row",
                                            "payment_index",
                                            "attempt_id",
                                            "part",
                                            "switch_id",
                                            "amount_msat",
                                            "fee_msat",
                                            "registered_ns",
                                            "route",
                                            "origin",
                                            "mark_payments_created",
                                            "mark_htlcs_created",
                                            "mark_htlcs_deleted",
                                            "mark_movements_created",
                                            "total_time_lock",
                                            "switch_run",
                                            "marks",
                                            "dies_at_ns",
                                            "expected_time_lock",
                                            "moved_ns"};
    const std::vector<std::string> values = {"900",          "5",    "900",  "0",   "1", "1000", "1",    "1",
                                             "zeroblob(20)", "0",    "1",    "1",   "1", "1",    "NULL", "NULL",
                                             "NULL",         "NULL", "NULL", "NULL"};
    std::string columns;
    std::string list;
    for (std::size_t i = 0; i < names.size(); ++i) {
      columns += (i == 0 ? "" : ", ") + names[i];
      list += (i == 0 ? "" : ", ") + (names[i] == column ? value : values[i]);
    }
    return "INSERT INTO attempts (" + columns + ") VALUES (" + list + ")";
  };
  yes(attempt_with("", ""));
  check(attempt_with("attempt_id", "NULL"));
  check(attempt_with("attempt_id", "0"));
  check(attempt_with("attempt_id", "4611686018427387904"));
  yes(attempt_with("attempt_id", "4611686018427387903"));
  check(attempt_with("part", "-1"));
  check(attempt_with("origin", "3"));
  check(attempt_with("origin", "1"));
  check(attempt_with("switch_id", "NULL"));
  for (const char* mark :
       {"mark_payments_created", "mark_htlcs_created", "mark_htlcs_deleted", "mark_movements_created"})
    check(attempt_with(mark, "-1"));
  yes(attempt_with("marks", "zeroblob(1)"));
  yes(attempt_with("marks", "zeroblob(96)"));
  no(attempt_with("marks", "zeroblob(0)"), "conflict");
  no(attempt_with("marks", "zeroblob(97)"), "conflict");
  no(attempt_with("marks", "'text'"), "cannot store TEXT");
  no(attempt(900, 2, 21, ", origin, outcome, preimage, resolved_ns, marks", ", 1, 1, h(102), 3, x'01'"), "conflict");
  no(attempt(900, 13, 900, ", origin, part, marks", ", 2, 1, x'01'"), "conflict");
  no(attempt(900, 5, 900, ", origin, marks", ", NULL, x'01'"), "conflict");
  yes(attempt_with("expected_time_lock", "1"));
  yes(attempt_with("expected_time_lock", "4294967295"));
  no(attempt_with("expected_time_lock", "0"), "conflict");
  no(attempt_with("expected_time_lock", "4294967296"), "conflict");
  no(attempt_with("moved_ns", "1"), "conflict");
  no(attempt(900, 5, 900, ", total_time_lock, expected_time_lock", ", 9, 9"), "conflict");
  no(attempt(900, 13, 900, ", origin, part, expected_time_lock", ", 2, 1, 1"), "conflict");
  yes(attempt_with("dies_at_ns", "-1"));
  yes(attempt_with("total_time_lock", "4294967295"));
  no(attempt(900, 2, 21, ", origin, outcome, preimage, resolved_ns, dies_at_ns", ", 1, 1, h(102), 3, 1"), "conflict");
  no(attempt(900, 13, 900, ", origin, part, dies_at_ns", ", 2, 1, 1"), "conflict");
  no(attempt(900, 5, 900, ", origin, dies_at_ns", ", NULL, 1"), "conflict");
  check(attempt_with("route", "x'00'"));
  yes(attempt_with("route", "NULL"));  // adopted from the switch
  check(attempt_with("amount_msat", "-1"));
  check(attempt_with("switch_run", "''"));
  check(attempt_with("total_time_lock", "-1"));
  check(attempt_with("fee_msat", "-1"));
  check(set("outcome = 4, failure_code = 1, resolved_ns = 3", 11));
  check(set("outcome = 2, resolved_ns = 3", 11));
  check(set("outcome = 3, resolved_ns = 3", 11));
  check(set("outcome = 2, failure_code = 1", 11));
  check(set("resolved_ns = 3", 11));
  check(set("failure_code = 1", 11));
  check(set("preimage = h(101)", 11));
  check(set("outcome = 1, resolved_ns = 3", 11));
  check(set("outcome = 1, resolved_ns = 3, preimage = zeroblob(31)", 11));
  check(set("outcome = 1, resolved_ns = 3, preimage = h(101), failure_code = 1", 11));
  check(set("outcome = 1, resolved_ns = 3, preimage = h(101), failure_message = 'x'", 11));
  check(set("outcome = 2, resolved_ns = 3, failure_code = -1", 11));
  check(set(failed + ", failure_source = -1", 11));
  check(set(failed + ", failure_channel = 1", 11));
  check(set(failed + ", failure_channel = 1, failure_direction = 2", 11));
  check(set(failed + ", failure_node = zeroblob(32)", 11));
  check(set(failed + ", failure_message = ''", 11));
  return all;
}

/// An empty database with the schema and the rows above; fresh_meta is store_meta without a row in it.
class Schema {
 public:
  explicit Schema(bool recursive_triggers) : database_(":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE) {
    db::payment_file().register_functions(database_);
    database_.createFunction(
        "h", 1, true, nullptr,
        [](sqlite3_context* context, int, sqlite3_value** values) {
          const std::string bytes(32, static_cast<char>(sqlite3_value_int(values[0])));
          sqlite3_result_blob(context, bytes.data(), 32, SQLITE_TRANSIENT);
        },
        nullptr, nullptr, nullptr);
    database_.exec("PRAGMA foreign_keys = ON");
    database_.exec(std::string("PRAGMA recursive_triggers = ") + (recursive_triggers ? "ON" : "OFF"));
    migrations::StepContext context{1};
    for (const migrations::Step& step : migrations::steps()) migrations::run(database_, step, context);
    std::string meta = database_.execAndGet("SELECT sql FROM sqlite_master WHERE name = 'store_meta'").getString();
    database_.exec(meta.replace(meta.find("store_meta"), 10, "fresh_meta"));
    database_.exec(base());
  }

  /// The message with which `sql` is refused; empty if it is accepted. Undoes it.
  std::string message(const std::string& sql) {
    database_.exec("SAVEPOINT attempt");
    std::string said;
    try {
      database_.exec(sql);
    } catch (const SQLite::Exception& error) {
      said = error.what();
    }
    database_.exec("ROLLBACK TO attempt");
    database_.exec("RELEASE attempt");
    return said;
  }

  SQLite::Database& database() { return database_; }

  std::vector<std::string> column(const std::string& sql) {
    std::vector<std::string> values;
    SQLite::Statement statement(database_, sql);
    while (statement.executeStep()) values.push_back(statement.getColumn(0).getString());
    return values;
  }

 private:
  SQLite::Database database_;
};

bool as_expected(const Case& wanted, const std::string& message) {
  return wanted.refusal.empty() ? message.empty() : message.rfind(wanted.refusal, 0) == 0;
}

/// Turns the last INSERT of the case into INSERT OR REPLACE: it must be refused all the same.
std::string with_replace(std::string sql) {
  const std::size_t at = sql.rfind("INSERT INTO");
  if (at != std::string::npos) sql.replace(at, 11, "INSERT OR REPLACE INTO");
  return sql;
}

/// The expressions of all CHECKs in a CREATE TABLE.
std::vector<std::string> checks_in(const std::string& sql) {
  std::vector<std::string> found;
  for (std::size_t at = sql.find("CHECK ("); at != std::string::npos; at = sql.find("CHECK (", at + 1)) {
    const std::size_t start = at + 7;
    std::size_t end = start;
    for (int depth = 1; depth > 0; ++end) depth += sql[end] == '(' ? 1 : sql[end] == ')' ? -1 : 0;
    found.push_back(sql.substr(start, end - 1 - start));
  }
  return found;
}

}  // namespace

TEST_CASE("every rule of the schema, with recursive_triggers on and off, and against INSERT OR REPLACE") {
  for (const bool recursive : {true, false}) {
    Schema schema(recursive);
    for (const Case& one : cases()) {
      for (const std::string& sql : {one.sql, with_replace(one.sql)}) {
        const std::string message = schema.message(sql);
        CAPTURE(recursive);
        CAPTURE(sql);
        CAPTURE(message);
        CHECK(as_expected(one, message));
      }
    }
  }
}

TEST_CASE("no trigger and no unique index without a case that notices its absence") {
  Schema names(true);
  std::vector<std::string> rules = names.column("SELECT name FROM sqlite_master WHERE type = 'trigger' ORDER BY name");
  CHECK(rules.size() > 30);
  for (const std::string& name : rules) {
    Schema schema(true);
    schema.database().exec("DROP TRIGGER " + name);
    bool noticed = false;
    for (const Case& one : cases())
      noticed = noticed || !as_expected(one, schema.message(one.sql)) ||
                !as_expected(one, schema.message(with_replace(one.sql)));
    CAPTURE(name);
    CHECK(noticed);
  }
}

TEST_CASE("unique indexes hold by themselves, where a trigger stood before them") {
  Schema schema(false);
  for (const std::string& trigger : schema.column("SELECT name FROM sqlite_master WHERE type = 'trigger'"))
    schema.database().exec("DROP TRIGGER " + trigger);
  CHECK(schema.message(payment(20, 1)).rfind("UNIQUE constraint failed: payments.payment_hash, payments.live", 0) == 0);
  CHECK(schema.message(payment(20, 2)).rfind("UNIQUE constraint failed", 0) == 0);
  CHECK(schema.message(payment(20, 3)).empty());
  CHECK(schema.message(attempt(900, 1, 900))
            .rfind("UNIQUE constraint failed: attempts.payment_index, attempts.part", 0) == 0);
  CHECK(schema.message(attempt(900, 5, 11)).rfind("UNIQUE constraint failed: attempts.attempt_id", 0) == 0);
  CHECK(schema.message("INSERT INTO switches (node, network) VALUES (zeroblob(33), 'regtest')")
            .rfind("UNIQUE constraint failed", 0) == 0);
  CHECK(schema.message("INSERT INTO hash_guards (payment_hash, kind, since_ns) VALUES (h(50), 1, 1)")
            .rfind("UNIQUE constraint failed", 0) == 0);
}

TEST_CASE("no CHECK without a case that meets it") {
  Schema schema(true);
  std::set<std::string> met;
  const std::string prefix = "CHECK constraint failed: ";
  for (const Case& one : cases()) {
    const std::string message = schema.message(one.sql);
    if (message.rfind(prefix, 0) == 0) met.insert(message.substr(prefix.size()));
  }
  std::size_t all = 0;
  for (const std::string& table :
       schema.column("SELECT sql FROM sqlite_master WHERE type = 'table' AND sql LIKE '%CHECK%'")) {
    for (const std::string& check : checks_in(table)) {
      CAPTURE(check);
      CHECK(met.count(check) == 1);
      ++all;
    }
  }
  CHECK(all > 60);
}

TEST_CASE("a deleted paid payment leaves its hash, amount, preimage, payee and the hash of its secret") {
  Schema schema(true);
  schema.database().exec(payment(20, 20, ", payment_secret", ", h(7)") + attempt(900, 20, 900) +
                         "UPDATE attempts SET outcome = 1, preimage = h(120), resolved_ns = 3 WHERE attempt_id = 900; "
                         "UPDATE payments SET preimage = h(120), ended_ns = 3 WHERE payment_index = 20; DELETE FROM "
                         "payments WHERE payment_index = 20");
  CHECK(schema.database()
            .execAndGet("SELECT count(*) FROM hash_guards WHERE payment_hash = h(20) AND kind = 3 AND amount_msat = "
                        "3000 AND preimage = h(120) "
                        "AND destination = zeroblob(33) AND payment_secret_hash = sha256(h(7)) AND since_ns = 3 AND "
                        "released_ns IS NULL")
            .getInt() == 1);
  CHECK(schema.database().execAndGet("SELECT count(*) FROM attempts WHERE attempt_id = 900").getInt() == 0);
  CHECK(schema.database().execAndGet("SELECT deleted_up_to FROM store_meta").getInt() == 900);
  // An existing guard, even a released one, becomes that of a paid hash; a guard of a paid hash never becomes weaker.
  schema.database().exec(
      "INSERT INTO hash_guards (payment_hash, kind, since_ns) VALUES (h(2), 1, 1), (h(4), 1, 1); "
      "INSERT INTO operator_words (at_ns, word, payment_hash, speaker) VALUES (1, 1, h(2), 'alice'), (1, 1, h(4), "
      "'alice'); "
      "UPDATE hash_guards SET released_ns = 1 WHERE payment_hash IN (h(2), h(4)); DELETE FROM payments WHERE "
      "payment_index IN (2, 4)");
  CHECK(schema.database()
            .execAndGet(
                "SELECT kind FROM hash_guards WHERE payment_hash = h(2) AND released_ns IS NULL AND preimage = h(102)")
            .getInt() == 3);
  CHECK(schema.database()
            .execAndGet("SELECT kind FROM hash_guards WHERE payment_hash = h(4) AND released_ns IS NULL")
            .getInt() == 4);
}

TEST_CASE(
    "what is stored more than ten seconds behind the newest, or under a smaller index, is noted, and forgotten with "
    "its payment") {
  Schema schema(true);
  constexpr std::int64_t newest = 1'700'000'000'000'000'000;
  const auto made = [&](int index, std::int64_t created) {
    std::string sql = payment(index, index);
    const std::string given = "3000, 1, 2";
    sql.replace(sql.find(given), given.size(), "3000, " + std::to_string(created) + ", 2");
    schema.database().exec(sql);
    return schema.database()
               .execAndGet("SELECT count(*) FROM payments_out_of_order WHERE payment_index = " + std::to_string(index) +
                           " AND created_ns = " + std::to_string(created))
               .getInt() == 1;
  };
  CHECK_FALSE(made(30, newest));
  CHECK_FALSE(made(31, newest - 10'000'000'000));
  CHECK(made(32, newest - 10'000'000'001));
  CHECK_FALSE(made(33, newest));
  CHECK(made(29, newest));
  CHECK(made(34, INT64_MIN));
  CHECK_FALSE(made(35, INT64_MAX));
  CHECK(made(36, newest));
  schema.database().exec(
      "UPDATE payments SET fail_reason = 1, ended_ns = 3 WHERE payment_index = 32; DELETE FROM payments WHERE "
      "payment_index = 32");
  CHECK(schema.database().execAndGet("SELECT count(*) FROM payments_out_of_order WHERE payment_index = 32").getInt() ==
        0);
}

TEST_CASE("without paytower's function nothing paid is deleted") {
  Schema schema(true);
  sqlite3_create_function(schema.database().getHandle(), "sha256", 1, SQLITE_UTF8, nullptr, nullptr, nullptr, nullptr);
  CHECK(schema.message("DELETE FROM payments WHERE payment_index = 2").find("no such function") != std::string::npos);
}

TEST_CASE("indexes of payments are never given twice") {
  Schema schema(true);
  const std::string insert =
      "INSERT INTO payments (payment_hash, amount_msat, created_ns, deadline_ns, destination, fee_limit_msat, "
      "cltv_limit, final_cltv_delta, max_attempts, "
      "provenance, fail_reason, ended_ns) VALUES (h(20), 1, 1, 1, zeroblob(33), 1, 1, 1, 1, 1, 1, 1)";
  schema.database().exec(insert);
  const auto first = schema.database().getLastInsertRowid();
  schema.database().exec("DELETE FROM payments WHERE payment_index = " + std::to_string(first));
  schema.database().exec(insert);
  CHECK(schema.database().getLastInsertRowid() == first + 1);
}
