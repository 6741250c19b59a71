"""Goal: after a migration payments are like any other for every command, and what may be paid or in flight stays refused until
the operator speaks. Method: a migrated version 1 database and an import of lnd's own file, each command on it, and the views
of paytower-schema.5 beside what `list` says."""

import csv
import io
import json
import os
import subprocess
import unittest

import harness
import legacy
import manual
from harness import NOT_FOUND, OK, REFUSED
from test_migrate import LND, QUARANTINED

IN_FLIGHT, COMPLETED, BOTH = bytes([4]) * 32, bytes([5]) * 32, legacy.payment_hash(legacy.preimage(2))


class Migrated(harness.World):
    """Payments 1 to 8: 1, 3, 5, 6 and 7 have the same hash and different contents; 2, 4 and 8 have their own."""

    def setUp(self):
        super().setUp()
        one = legacy.preimage(1)
        records = [(1, legacy.record(one, seconds=1_558_000_000)), (2, legacy.record(legacy.preimage(2), value=5, fee=0, hops=1)),
                   (3, legacy.record(one, value=7, fee=3)), (4, legacy.record(legacy.preimage(4), hops=0)),
                   (5, legacy.record(one, value=9, hops=3)), (6, legacy.record(one, value=11, seconds=1_559_000_000)),
                   (7, legacy.record(one, value=13)), (8, legacy.record(legacy.preimage(8), value=2_000_000, fee=10))]
        legacy.make(self.db, records, [(IN_FLIGHT, 1), (COMPLETED, 2), (BOTH, 1), (legacy.payment_hash(legacy.preimage(4)), 2)], counter=500)
        self.ok("migrate")

    def hash(self, number):
        return legacy.payment_hash(legacy.preimage(number)).hex()

    def send_to(self, payment_hash, *more):
        return self.run_it("send", "--dest", self.decode(self.invoice())["destination"], "--payment-hash", payment_hash, "--payment-secret", "11" * 32, "--amt", "1sat",
                           "--yes", "--json", *more)

    # --- looking ---

    def test_vector_5_five_records_of_one_hash(self):
        shown = self.ok("show", self.hash(1), "--json").json()
        self.assertEqual((shown["payment_index"], shown["value_msat"], shown["fee_msat"]), ("1", 1_000_000, 1234))
        self.assertEqual([(one["payment_index"], one["value_msat"], one["fee_msat"], one["duplicate_of"]) for one in shown["duplicates"]],
                         [("3", 7, 3, "1"), ("5", 9, 1234, "1"), ("6", 11, 1234, "1"), ("7", 13, 1234, "1")])
        self.assertEqual([len(one["htlcs"][0]["route"]["hops"]) for one in shown["duplicates"]], [2, 3, 2, 2])
        refused = self.send_to(self.hash(1))
        self.assertEqual((refused.code, refused.error()["code"]), (REFUSED, "already_paid"))

    def test_vector_6_list_is_in_the_order_of_the_sequence(self):
        self.assertEqual([(row["payment_index"], row["duplicate_of"]) for row in self.payments()],
                         [("1", None), ("2", None), ("3", "1"), ("4", None), ("5", "1"), ("6", "1"), ("7", "1"), ("8", None)])

    def test_list_in_every_form_says_the_same(self):
        rows = self.payments()
        self.assertEqual({(row["status"], row["definitive"], row["provenance"]) for row in rows}, {("SUCCEEDED", True, "lnd_legacy")})
        table = list(csv.reader(io.StringIO(self.ok("list", "--max-payments", "0", "--format", "csv").out)))
        self.assertEqual([row[:6] for row in table[1:]],
                         [[row["payment_index"], row["payment_hash"], row["status"], str(row["value_msat"]), str(row["fee_msat"]), "1"] for row in rows])
        lines = [json.loads(line) for line in self.ok("list", "--max-payments", "0", "--format", "ndjson").out.splitlines()]
        self.assertEqual(lines, rows)
        self.assertEqual(self.payments("--status", "SUCCEEDED"), rows)
        self.assertEqual(self.payments("--since", "2019-05-20T00:00:00Z"), [row for row in rows if row["payment_index"] == "6"])

    def test_stats_check_and_backup(self):
        self.ok("check")
        stats = self.ok("stats", "--format", "json").json()
        self.assertEqual((stats["payments"], stats["duplicates"], stats["by_status"]["SUCCEEDED"], stats["bad_rows"]), (4, 4, 4, 0))
        self.assertEqual((stats["amount_msat"], stats["fee_msat"]["sum"]), (1_000_000 + 5 + 1_000_000 + 2_000_000, 1234 + 0 + 1234 + 10))
        copy = os.path.join(self.folder, "copy.db")
        self.ok("backup", copy)
        rows = self.payments()
        self.env["PAYTOWER_DB"] = copy
        self.assertEqual(self.payments(), rows)

    # --- paying ---

    def test_vectors_10_to_12_guards_are_refused_until_somebody_speaks(self):
        for payment_hash, code in ((IN_FLIGHT, "guarded"), (COMPLETED, "already_paid"), (BOTH, "guarded")):
            outcome = self.send_to(payment_hash.hex())
            self.assertEqual((outcome.code, outcome.error()["code"]), (REFUSED, code), outcome)
        self.env.pop("PAYTOWER_SWITCH")
        self.ok("resolve", IN_FLIGHT.hex(), "--assume-failed", "--yes")
        self.expect(REFUSED, "resolve", COMPLETED.hex(), "--assume-failed", "--yes")
        self.ok("resolve", BOTH.hex(), "--assume-failed", "--yes")
        self.env["PAYTOWER_SWITCH"] = self.switch
        # The decision was about the second HTLC that the status spoke of: the record beside it stays paid.
        self.assertEqual(self.send_to(BOTH.hex()).error()["code"], "already_paid")
        # Now it is tried: nobody has an invoice of this hash, so that it fails, and that is a payment like any other.
        outcome = self.send_to(IN_FLIGHT.hex())
        self.assertNotIn(outcome.code, (OK, REFUSED), outcome)
        self.assertEqual(self.send_to(COMPLETED.hex()).code, REFUSED)

    def test_what_is_paid_is_answered_when_asked_idempotently(self):
        outcome = self.send_to(self.hash(8), "--idempotent")
        self.assertEqual(outcome.code, REFUSED, outcome)  # destination, amount and secret of the old payment are not these

    def test_vector_8_new_payments_go_on_behind_the_counter(self):
        self.ok("send", self.invoice(), "--yes")
        self.assertEqual(self.payments()[-1]["payment_index"], "501")
        self.ok("resume")
        self.assertEqual({row["status"] for row in self.payments()}, {"SUCCEEDED"})

    # --- deleting ---

    def test_delete_leaves_guards(self):
        self.expect(OK, "delete", self.hash(1), "--dry-run", "--json")
        self.assertEqual(self.ok("delete", self.hash(1), "--yes", "--json").json()["deleted"], 5)
        self.assertEqual([row["payment_index"] for row in self.payments()], ["2", "4", "8"])
        self.assertEqual(self.send_to(self.hash(1)).error()["code"], "already_paid")
        guard = self.ok("show", self.hash(1), "--json").json()
        self.assertEqual((guard["kind"], guard["payment_preimage"]), ("paid_deleted", legacy.preimage(1).hex()))
        self.assertEqual(self.ok("delete", "--all", "--include-non-failed", "--older-than", "30d", "--yes", "--json").json()["deleted"], 3)
        self.assertEqual(self.payments(), [])
        for number in (1, 2, 4, 8):
            self.assertEqual(self.send_to(self.hash(number)).code, REFUSED)
        self.ok("check")

    def test_forget_drops_the_guard_too(self):
        self.ok("delete", self.hash(8), "--forget", "--yes")
        self.expect(NOT_FOUND, "show", self.hash(8))
        self.assertNotIn(self.send_to(self.hash(8)).code, (OK, REFUSED))

    # --- the manual ---

    def test_the_views_and_queries_of_the_schema_page(self):
        views, *queries = manual.literals(manual.section(manual.source("paytower-schema.5"), "EXAMPLES"))
        other = os.path.join(self.folder, "lnd.db")
        self.expect(QUARANTINED, "--db", other, "migrate", "--from-lnd", os.path.join(LND, "v9ctl.db"))
        for path in (self.db, other):
            for query in queries:
                self.rows(path, views + query)
            seen = self.rows(path, views + "SELECT payment_index, hash, status, amount_msat, fee_msat, attempts FROM payment ORDER BY payment_index")
            listed = self.ok("--db", path, "list", "--json", "--max-payments", "0").json()["payments"]
            self.assertEqual([(row["payment_index"], row["hash"], row["status"], row["amount_msat"], row["attempts"]) for row in seen],
                             [(int(row["payment_index"]), row["payment_hash"], row["status"], row["value_msat"], len(row["htlcs"])) for row in listed])
            self.assertEqual([row["fee_msat"] for row in seen if row["status"] == "SUCCEEDED"], [row["fee_msat"] for row in listed if row["status"] == "SUCCEEDED"])

    def rows(self, path, script):
        done = subprocess.run(["sqlite3", "-readonly", "-bail", "-json", path], input=script, capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, ""), script)
        return json.loads(done.stdout.replace("]\n[", ",")) if done.stdout.strip() else []


class Many(harness.World):
    def test_vector_25_all_of_many_once_in_order_and_as_they_were_made(self):
        made = []
        for i in range(1, 3_001):
            preimage = legacy.preimage(i - 37 if i % 100 == 0 else i)
            made.append((i, legacy.payment_hash(preimage).hex(), i * 10, i % 50, legacy.record(preimage, value=i * 10, fee=i % 50, hops=i % 4)))
        legacy.make(self.db, [(row[0], row[4]) for row in made], [(legacy.preimage(-i), 1) for i in range(1, 31)])
        report = self.ok("migrate", "--json").json()
        self.assertEqual((report["read"], report["migrated"], report["duplicates"], len(report["guards"])), (3_000, 2_970, 30, 30))
        offset, seen = "0", []
        while True:
            page = self.ok("list", "--json", "--paginate-forwards", "--index-offset", offset, "--max-payments", "700").json()
            if not page["payments"]:
                break
            self.assertEqual(page["first_index_offset"], page["payments"][0]["payment_index"])
            seen += page["payments"]
            offset = page["last_index_offset"]
        self.assertEqual([(int(row["payment_index"]), row["payment_hash"], row["value_msat"], row["fee_msat"]) for row in seen], [row[:4] for row in made])
        first = {}
        self.assertEqual([row["duplicate_of"] for row in seen], [str(first[row[1]]) if first.setdefault(row[1], row[0]) != row[0] else None for row in made])


if __name__ == "__main__":
    unittest.main()
