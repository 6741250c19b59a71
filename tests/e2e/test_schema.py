"""Goal: paytower-schema.5 tells the truth. Method: its tables and columns beside those of a database that the program made, and
its queries run on one with payments of every status, beside what `list` says of them."""

import json
import subprocess
import unittest

import harness
import manual

PAGE = manual.source("paytower-schema.5")


class Schema(harness.World):
    def sqlite(self, script):
        """Runs the statements in a read-only shell, as the manual page does. One list of rows for each statement."""
        return subprocess.run(["sqlite3", "-readonly", "-bail", "-json", self.db], input=script, capture_output=True, text=True, timeout=60)

    def rows(self, script):
        done = self.sqlite(script)
        self.assertEqual((done.returncode, done.stderr), (0, ""), script)
        return json.loads(done.stdout) if done.stdout.strip() else []

    def payments_of_every_status(self):
        paid = self.invoice("250sat")
        self.ok("send", paid, "--yes", "--label", "rent")
        self.expect(harness.FAILED, "send", self.invoice("1000sat", "--fail", "INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS"), "--yes")
        self.ok("send", self.invoice("300sat", "--fail", "TEMPORARY_CHANNEL_FAILURE@2x1"), "--yes")
        self.expect(harness.UNKNOWN, "send", self.invoice("400sat", "--hold", "forever"), "--yes", "--wait", "0")
        lost = self.invoice("500sat", "--hold", "forever")
        self.expect(harness.UNKNOWN, "send", lost, "--yes", "--wait", "0")
        lost = self.hash_of(lost)
        switch = self.env.pop("PAYTOWER_SWITCH")  # with a switch --write-off would be refused, because it shows the HTLC
        self.ok("resolve", lost, "--write-off", "--yes")
        self.env["PAYTOWER_SWITCH"] = switch
        gone = self.invoice("600sat")
        self.ok("send", gone, "--yes")
        self.ok("delete", self.hash_of(gone), "--yes")
        return self.hash_of(paid)

    def test_tables_and_columns(self):
        self.ok("send", self.invoice(), "--yes")
        stored = {}
        tables = self.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'")
        for table in tables:
            columns = self.rows(f"PRAGMA table_xinfo({table['name']})")
            stored[table["name"]] = [column["name"] for column in columns]
        self.assertIn("payments", stored)
        described = {name: manual.variables(text) for name, text in manual.subsections(manual.section(PAGE, "TABLES")).items()}
        self.assertEqual({name: sorted(columns) for name, columns in described.items()}, {name: sorted(columns) for name, columns in stored.items()})
        self.assertEqual(self.rows("SELECT name FROM sqlite_master WHERE type = 'view'"), [])

    def test_named_indexes_and_numbers(self):
        self.ok("send", self.invoice(), "--yes")
        for name in ("payments_one_live", "attempts_one_open"):
            self.assertIn(name, PAGE)
            self.assertEqual(len(self.rows(f"SELECT 1 FROM sqlite_master WHERE type = 'index' AND name = '{name}'")), 1)
        number = self.rows("PRAGMA application_id")[0]["application_id"]
        self.assertIn(f"{number} (0x{number:08x})", PAGE)
        version = self.rows("PRAGMA user_version")[0]["user_version"]
        self.assertIn(f"describes version {version} of its schema", PAGE)

    def test_every_query_runs_and_the_views_say_what_list_says(self):
        paid = self.payments_of_every_status()
        views, *queries = manual.literals(manual.section(PAGE, "EXAMPLES"))
        self.assertGreater(len(queries), 7)
        answered = 0
        for query in queries:
            query = query.replace("0" * 64, paid)
            for statement in query.split(";\n\n"):
                answered += bool(self.rows(views + statement))
        self.assertGreaterEqual(answered, len(queries), "a query of the page found nothing")

        expected = [(int(p["payment_index"]), p["payment_hash"], p["status"], p["value_msat"], len(p["htlcs"]), p["label"]) for p in self.payments()]
        self.assertEqual({row[2] for row in expected}, {"SUCCEEDED", "FAILED", "IN_FLIGHT", "UNKNOWN"})
        seen = self.rows(views + "SELECT * FROM payment ORDER BY payment_index")
        self.assertEqual([tuple(row[key] for key in ("payment_index", "hash", "status", "amount_msat", "attempts", "label")) for row in seen], expected)
        fees = {p["payment_hash"]: p["fee_msat"] for p in self.payments() if p["status"] == "SUCCEEDED"}
        self.assertEqual({row["hash"]: row["fee_msat"] for row in seen if row["status"] == "SUCCEEDED"}, fees)

    def test_what_is_said_to_be_fast_uses_an_index(self):
        self.ok("send", self.invoice(), "--yes")
        conditions = {
            "payments": ["payment_hash = x'00'", "payment_index = 1", "created_ns > 1", "shown_label = 'rent'", "duplicate_of = 1", "ended_ns IS NULL",
                         "fail_reason IS NOT NULL AND late_preimage IS NULL", "end_note IS NOT NULL"],
            "attempts": ["payment_index = 1", "origin = 0 AND attempt_id = 1", "outcome = 2 AND resolved_ns > 1"],
        }
        said = manual.section(PAGE, "INDEXES")
        for table, list_of in conditions.items():
            for condition in list_of:
                self.assertIn(condition.split()[0], said)
                plan = self.sqlite(f"EXPLAIN QUERY PLAN SELECT * FROM {table} WHERE {condition}")
                self.assertRegex(plan.stdout, "USING (INDEX|INTEGER PRIMARY KEY)", condition)
        self.assertRegex(self.sqlite("EXPLAIN QUERY PLAN SELECT * FROM payments WHERE amount_msat > 1").stdout, "SCAN payments\n")

    def test_a_shell_as_the_page_opens_it_cannot_write(self):
        self.ok("send", self.invoice(), "--yes")
        done = self.sqlite("DELETE FROM attempts")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("readonly", done.stderr)


if __name__ == "__main__":
    unittest.main()
