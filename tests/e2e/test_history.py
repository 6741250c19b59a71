"""Goal: whoever has a database of any version gets to this one, years later too. Method: a committed file of each version, its
checksum, all steps in series beside all at once, and what came out beside what came out when the step was new."""

import glob
import hashlib
import json
import os
import shutil
import sqlite3
import unittest

import harness
from harness import OK, REFUSED
from test_migrate import QUARANTINED, dump

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "schema")
NEWEST = 5
RELEASED = 5  # the newest released version: from here down, each one has a file and its steps are frozen


def plain(rows):
    """The rows as JSON has them: bytes in hex."""
    return json.loads(json.dumps(rows, default=lambda value: value.hex()))


class History(harness.World):
    network_args = ["--seed", "2026"]  # not the seed of the files: that network's invoices are paid already
    def put(self, version):
        for path in glob.glob(self.db + "*"):
            os.unlink(path)
        shutil.copy(os.path.join(DATA, f"version{version}.db"), self.db)
        os.chmod(self.db, 0o600)

    def content(self):
        """All rows except the schema's, which other tests compare."""
        rows = dump(self.db)
        del rows["schema"], rows["history"]
        return plain(rows)

    def schema(self, path):
        rows = dump(path)
        return rows["schema"], rows["history"]

    def test_the_files_are_what_they_were(self):
        with open(os.path.join(DATA, "SHA256SUMS"), encoding="utf-8") as file:
            sums = dict(reversed(line.split()) for line in file)
        self.assertEqual(sorted(sums), [f"version{version}.db" for version in range(1, RELEASED + 1)])
        for name, checksum in sums.items():
            with open(os.path.join(DATA, name), "rb") as file:
                self.assertEqual(hashlib.sha256(file.read()).hexdigest(), checksum, name)
        for version in range(1, RELEASED + 1):
            self.put(version)
            status = self.run_it("migrate", "--status", "--json").json()
            self.assertEqual((status["version"], status["latest"]), (version, NEWEST))

    def test_all_steps_in_series_end_like_all_at_once(self):
        for version in range(1, RELEASED + 1):
            self.put(version)
            self.expect(QUARANTINED if version == 1 else OK, "migrate", "--backup", "none")
            at_once = dump(self.db)
            self.put(version)
            for step in range(version + 1, NEWEST + 1):
                report = self.run_it("migrate", "--to", str(step), "--json").json()
                self.assertEqual((report["from_version"], report["to_version"]), (step - 1, step))
                self.assertEqual([one["version"] for one in report["applied"]], [step])
            self.assertEqual(dump(self.db), at_once)
            self.assertEqual(self.ok("migrate", "--status", "--json").json()["pending"], [])
            self.ok("check")

    def test_version_1_becomes_what_it_always_became(self):
        self.put(1)
        report = self.expect(QUARANTINED, "migrate", "--to", "2", "--json").json()
        self.assertEqual((report["read"], report["migrated"], report["duplicates"], len(report["quarantined"]), len(report["guards"])), (10, 5, 1, 4, 6))
        with open(os.path.join(DATA, "version1.migrated.json"), encoding="utf-8") as file:
            self.assertEqual(self.content(), json.load(file))

    def test_migrated_and_kept_databases_have_the_schema_and_history_of_a_new_one(self):
        new = os.path.join(self.folder, "new.db")
        self.ok("--db", new, "send", self.invoice(), "--yes")
        for version in range(1, RELEASED + 1):
            self.put(version)
            self.assertIn(self.run_it("migrate").code, (OK, QUARANTINED))
            schema, history = self.schema(self.db)
            self.assertEqual(schema, self.schema(new)[0])
            self.assertEqual(history, self.schema(new)[1][-len(history):])

    def test_each_step_makes_the_schema_of_the_file_that_was_kept_of_its_version(self):
        for version in range(2, RELEASED + 1):
            self.put(version)
            kept, history = self.schema(self.db)
            self.put(version - 1)
            self.assertIn(self.run_it("migrate", "--to", str(version), "--backup", "none").code, (OK, QUARANTINED))
            schema, made = self.schema(self.db)
            self.assertEqual(schema, kept)
            self.assertEqual(made[-1], history[-1])  # the checksum of the step, too

    def test_what_was_stored_before_there_were_parts_goes_in_one_piece(self):
        self.put(2)
        self.ok("migrate")
        database = sqlite3.connect(self.db)
        self.assertEqual(database.execute("SELECT DISTINCT max_parts FROM payments").fetchall(), [(1,)])
        with self.assertRaisesRegex(sqlite3.IntegrityError, "what a payment was asked to be does not change"):
            database.execute("UPDATE payments SET max_parts = 2")
        database.close()

    def test_version_2_works(self):
        self.works(2)

    def test_version_3_works(self):
        self.works(3)

    def test_version_4_works(self):
        self.works(4)
        self.assertEqual([row["label"] for row in self.payments() if int(row["payment_index"]) in (13, 21, 29, 34, 36)],
                         ["from lnd", "rent, November", None, "paid at the second try", "held, and cancelled"])

    def test_version_5_works(self):
        self.works(5)
        rows = {int(row["payment_index"]): row for row in self.payments()}
        self.assertEqual([rows[index]["failure_detail"]["code"] for index in (38, 39)], ["fee_limit", "attempts_used_up"])
        self.assertEqual([rows[index]["htlcs"][0]["locked_until_height"] for index in (36, 40, 42)], [None, 800_139, 800_139])

    def works(self, version):
        self.put(version)
        self.ok("migrate")
        statuses = {row["status"] for row in self.payments()}
        self.assertEqual(statuses, {"SUCCEEDED", "FAILED", "IN_FLIGHT", "UNKNOWN"})
        for row in self.payments():
            shown = self.ok("show", row["payment_hash"], "--json").json()
            rows = [shown, *shown["duplicates"], *shown["tries"]]
            self.assertIn(row["payment_index"], [one["payment_index"] for one in rows])
        self.assertEqual(len(self.ok("list", "--quarantine", "--json").json()["quarantined"]), 4)
        paid = next(row for row in self.payments() if row["payment_index"] == "21")
        self.assertEqual(self.run_it("send", "--dest", paid["destination"], "--payment-hash", paid["payment_hash"], "--payment-secret", "11" * 32, "--amt", "250sat",
                                     "--yes").code, REFUSED)
        self.ok("send", self.invoice(), "--yes")
        self.ok("check")


if __name__ == "__main__":
    unittest.main()
