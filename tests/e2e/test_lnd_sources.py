"""Goal: whatever file or folder of lnd's is named, the one that has the payments is read, nothing is written to it or left beside
it, a stale copy is never taken for it, and a refusal says the next step. Method: the files of real releases, put into folders as
lnd has them, locked, cut, and rebuilt with what a hostile hand would put there."""

import collections
import hashlib
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import unittest

import harness
import test_lnd_releases
from harness import BUSY, OK, REFUSED, USAGE
from test_migrate import QUARANTINED

NATIVE, MOVED, KEY_VALUE, BBOLT = "lnd-native-v0.21.2.sqlite", "lnd-native-migrated-from-kv-v0.21.2.sqlite", "channel-kv-v0.21.2.sqlite", "channel-v0.21.2.db"


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def beside(path):
    """The names of the file and of what SQLite would leave beside it."""
    if not os.path.isfile(path):
        return []
    return sorted(name for name in os.listdir(os.path.dirname(path)) if name.startswith(os.path.basename(path)))


class Sources(harness.World):
    unpack = test_lnd_releases.Releases.unpack

    def setUp(self):
        super().setUp()
        self.lnd = os.path.join(self.folder, "lnd")
        self.network = os.path.join(self.lnd, "data", "graph", "mainnet")
        os.makedirs(self.network)

    def place(self, example, name, network=None):
        path = self.unpack(example, self.folder)
        to = os.path.join(network or self.network, name)
        shutil.move(path, to)
        return to

    def taken(self, path, *more):
        before, files = os.path.isfile(path) and digest(path), beside(path)
        outcome = self.run_it("migrate", "--from-lnd", path, "--json", *more)
        self.assertEqual((os.path.isfile(path) and digest(path), beside(path)), (before, files))
        self.assertIn(outcome.code, (OK, QUARANTINED), outcome)
        return outcome.json()

    def refused(self, path, message, hint, code=USAGE):
        before = beside(path)
        error = self.expect(code, "migrate", "--from-lnd", path, "--json").error()
        self.assertIn(message, error["message"])
        self.assertIn(hint, error["hint"])
        self.assertNotIn("--help", error["hint"])
        self.assertFalse(os.path.exists(self.db))
        self.assertEqual(beside(path), before)
        return error

    # --- which file ---

    def test_a_folder_with_bbolt(self):
        self.place(BBOLT, "channel.db")
        for named in (self.lnd, self.network, os.path.join(self.lnd, "data"), self.network + "/"):
            self.assertEqual(self.taken(named)["read"], 40, named)
            os.unlink(self.db)

    def test_a_folder_with_key_value_sqlite(self):
        self.place(KEY_VALUE, "channel.sqlite")
        self.assertEqual(self.taken(self.lnd)["read"], 38)

    def test_a_folder_whose_payments_have_moved(self):
        self.place(MOVED, "lnd.sqlite")
        self.place(KEY_VALUE, "channel.sqlite")
        self.assertEqual(self.taken(self.lnd)["read"], 40)

    def test_a_folder_whose_payments_have_not_moved(self):
        """lnd 0.20 has an lnd.sqlite for invoices and its graph; payments are still in the other file."""
        native = self.place(MOVED, "lnd.sqlite")
        database = sqlite3.connect(native)
        database.execute("DELETE FROM migration_tracker WHERE version >= 14")
        database.commit()
        database.close()
        key_value = self.place(KEY_VALUE, "channel.sqlite")
        self.assertEqual(self.taken(self.lnd)["read"], 38)
        os.unlink(self.db)
        self.assertEqual(self.taken(key_value)["read"], 38)
        os.unlink(self.db)
        self.refused(native, "its payments have not moved", "channel.sqlite or channel.db")

    def test_the_stale_copy_beside_a_migrated_database_is_refused(self):
        native = self.place(MOVED, "lnd.sqlite")
        for example, name in ((KEY_VALUE, "channel.sqlite"), (BBOLT, "channel.db")):
            error = self.refused(self.place(example, name), "lnd has moved its payments to " + native, "paytower migrate --from-lnd " + native)
            self.assertEqual(error["code"], "usage")
        self.assertEqual(self.taken(native)["read"], 40)

    def test_a_link_stands_for_the_file_and_what_lies_beside_it(self):
        native, link = self.place(MOVED, "lnd.sqlite"), os.path.join(self.folder, "link.db")
        os.symlink(self.place(BBOLT, "channel.db"), link)
        self.refused(link, "lnd has moved its payments to " + native, "paytower migrate --from-lnd " + native)
        os.unlink(link)
        os.symlink(native, link)
        process = self.open_elsewhere(native, "wal")
        process.kill()
        process.wait()
        self.taken(link)
        self.assertIn(4243, [row["value_msat"] for row in self.payments()])

    def test_two_networks(self):
        self.place(BBOLT, "channel.db")
        testnet = os.path.join(self.lnd, "data", "graph", "testnet")
        os.makedirs(testnet)
        self.place(KEY_VALUE, "channel.sqlite", testnet)
        self.refused(self.lnd, "several networks", os.path.join(self.network, "channel.db"))
        self.assertEqual(self.taken(testnet)["read"], 38)

    def test_what_is_not_lnds(self):
        self.refused(self.lnd, "no database of lnd's", "migrate --from-lnd ~/.lnd")
        for dsn in ("postgres://lnd:secret@localhost:5432/lnd", "host=/run/postgresql dbname=lnd password=secret", "user=lnd password=secret"):
            error = self.refused(dsn, "PostgreSQL is not read", "into an SQLite file")
            self.assertNotIn("secret", error["message"] + error["hint"])
        other = os.path.join(self.folder, "other.db")
        sqlite3.connect(other).executescript("CREATE TABLE t (a); INSERT INTO t VALUES (1)")
        self.refused(other, "not one in which lnd keeps payments", "migrate --from-lnd ~/.lnd")
        self.refused(os.path.join(self.folder, "missing.db"), "cannot open it", "ls -l")

    # --- a running lnd, and one that was killed ---

    def open_elsewhere(self, path, mode):
        """Starts another process that has the file open as lnd does."""
        code = ("import sqlite3, sys; d = sqlite3.connect(sys.argv[1], isolation_level=None); d.execute('PRAGMA journal_mode = ' + sys.argv[2]);"
                "d.execute('PRAGMA wal_autocheckpoint = 0'); d.execute('BEGIN IMMEDIATE');"
                "d.execute(\"UPDATE payments SET amount_msat = 4243 WHERE amount_msat = 4242\"); d.execute('COMMIT') if sys.argv[2] == 'wal' else None;"
                "print('held', flush=True); sys.stdin.read()")
        process = subprocess.Popen([sys.executable, "-c", code, path, mode], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stdin.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline().strip(), "held")
        return process

    def test_a_running_lnd_is_not_read(self):
        native = self.place(NATIVE, "lnd.sqlite")
        for mode in ("wal", "delete"):
            process = self.open_elsewhere(native, mode)
            self.refused(native, "running lnd", "lncli stop", BUSY)
            process.stdin.close()
            process.wait()
        self.assertEqual(self.taken(native)["read"], 38)

    def test_what_a_killed_lnd_left_in_its_log_counts(self):
        native = self.place(NATIVE, "lnd.sqlite")
        process = self.open_elsewhere(native, "wal")
        process.kill()
        process.wait()
        self.assertTrue(os.path.getsize(native + "-wal"))
        before = {name: digest(os.path.join(self.network, name)) for name in os.listdir(self.network)}
        report = self.taken(native)
        self.assertEqual({name: digest(os.path.join(self.network, name)) for name in os.listdir(self.network)}, before)
        self.assertIn("lnd was not stopped cleanly", report["notes"][0])
        self.assertIn(4243, [row["value_msat"] for row in self.payments()])

    def test_a_half_done_transaction_of_a_killed_lnd_is_none(self):
        native = self.place(NATIVE, "lnd.sqlite")
        code = ("import sqlite3, sys, os; d = sqlite3.connect(sys.argv[1], isolation_level=None); d.execute('PRAGMA cache_size = 2'); d.execute('PRAGMA cache_spill = 1');"
                "d.execute('BEGIN'); d.execute('UPDATE payments SET amount_msat = 1'); d.execute('UPDATE payment_route_hops SET amt_to_forward = 1');"
                "print('half', flush=True); os.kill(os.getpid(), 9)")
        subprocess.run([sys.executable, "-c", code, native], check=False, stdout=subprocess.DEVNULL)
        self.assertTrue(os.path.getsize(native + "-journal"))
        self.taken(native)
        self.assertIn(250_000_000, [row["value_msat"] for row in self.payments()])

    def test_a_clean_file_in_wal_mode_in_a_folder_that_cannot_be_written(self):
        native = self.place(NATIVE, "lnd.sqlite")
        database = sqlite3.connect(native)
        database.execute("PRAGMA journal_mode = wal")
        database.close()
        os.chmod(native, 0o400)
        os.chmod(self.network, 0o500)
        self.addCleanup(os.chmod, self.network, 0o700)
        self.assertEqual(self.taken(native)["read"], 38)
        self.assertEqual(os.listdir(self.network), ["lnd.sqlite"])

    # --- hostile files ---

    def altered(self, example, *statements):
        path = self.unpack(example)
        database = sqlite3.connect(path)
        database.execute("PRAGMA legacy_alter_table = ON")
        for statement in statements:
            database.execute(statement)
        database.commit()
        database.close()
        return path

    def test_views_and_computed_columns_are_no_tables(self):
        rename = "ALTER TABLE payments RENAME TO kept"
        self.refused(self.altered(NATIVE, rename, "CREATE VIEW payments AS SELECT * FROM kept"), "something else of that name", "lncli stop")
        self.refused(self.altered(NATIVE, rename, "CREATE VIRTUAL TABLE payments USING fts5(id)"), "something else of that name", "lncli stop")
        self.refused(self.altered(NATIVE, "ALTER TABLE payment_duplicates RENAME COLUMN settle_time TO other",
                                  "ALTER TABLE payment_duplicates ADD COLUMN settle_time TEXT GENERATED ALWAYS AS (created_at) VIRTUAL"),
                     "no column settle_time", "lncli stop")
        self.refused(self.altered(KEY_VALUE, "ALTER TABLE channeldb_kv RENAME TO kept", "CREATE VIEW channeldb_kv AS SELECT * FROM kept"),
                     "something else of that name", "lncli stop")

    def test_without_its_indexes_an_import_would_take_for_ever(self):
        self.refused(self.altered(NATIVE, "DROP INDEX idx_htlc_payment_id", "DROP INDEX idx_htlc_payment_id_attempt_time"), "lacks an index", "lncli stop")
        self.refused(self.altered(KEY_VALUE, "DROP INDEX channeldb_kv_up", "DROP INDEX channeldb_kv_p"), "lacks an index", "lncli stop")

    def test_keys_in_an_order_of_their_own(self):
        path = self.altered(KEY_VALUE, "CREATE TABLE kv2 (key BLOB NOT NULL, value BLOB, parent_id BIGINT, id INTEGER PRIMARY KEY, sequence BIGINT)",
                            "INSERT INTO kv2 SELECT key, value, parent_id, id, sequence FROM channeldb_kv",
                            "INSERT INTO kv2 SELECT key, value, parent_id, id + 100000, sequence FROM channeldb_kv WHERE key = CAST('payment-creation-info' AS BLOB)",
                            "DROP TABLE channeldb_kv", "ALTER TABLE kv2 RENAME TO channeldb_kv", "CREATE INDEX up ON channeldb_kv (parent_id, key) WHERE parent_id IS NOT NULL",
                            "CREATE INDEX unp ON channeldb_kv (key) WHERE parent_id IS NULL")
        self.refused(path, "keys out of order", "lncli stop")

    def test_a_path_with_signs_of_a_uri(self):
        odd = os.path.join(self.folder, "odd #1?x%41")
        os.mkdir(odd)
        self.assertEqual(self.taken(self.place(NATIVE, "lnd.sqlite", odd))["read"], 38)
        os.unlink(self.db)
        self.assertEqual(self.taken("/" + os.path.join(odd, "lnd.sqlite"))["read"], 38)

    def test_a_trigger_does_nothing_and_one_bad_row_hides_no_other(self):
        path = self.altered(NATIVE, "UPDATE payments SET created_at = 'yesterday' WHERE id = 1", "UPDATE payments SET amount_msat = -1 WHERE id = 2",
                            "UPDATE payments SET amount_msat = 'x' WHERE id = 3", "UPDATE payments SET payment_identifier = x'00' WHERE id = 4",
                            "UPDATE payment_route_hops SET pub_key = NULL WHERE htlc_attempt_index = 1005",
                            "CREATE TRIGGER t AFTER UPDATE ON payments BEGIN DELETE FROM payments; END")
        report = self.taken(path)
        self.assertEqual(report["read"], 38)
        reasons = {one["sequence"]: one["reason"] for one in report["quarantined"]}
        for sequence, reason in (("1", "a time of 9 letters"), ("2", "amount_msat of -1"), ("3", "amount_msat is of another type"), ("4", "identifier has 1 bytes"),
                                 ("5", "pub_key is missing")):
            self.assertIn(reason, reasons[sequence])
        guards = {one["payment_hash"]: one["kind"] for one in report["guards"]}
        self.assertEqual(guards["d9ef22145e86a797a0bc16d2a2b6c076d16ef5998b8dc4e232471ddad74483f0"], "paid_without_record")

    def test_an_attempt_of_no_payment_is_set_aside_and_guarded(self):
        path = self.altered(NATIVE, "PRAGMA foreign_keys = OFF", "DELETE FROM payments WHERE id IN (1, 12)")
        report = self.taken(path)
        self.assertEqual([one["reason"] for one in report["quarantined"]].count("an attempt of a payment that is not there"), 2)
        guards = {one["payment_hash"]: one["kind"] for one in report["guards"]}
        self.assertEqual(guards["d9ef22145e86a797a0bc16d2a2b6c076d16ef5998b8dc4e232471ddad74483f0"], "paid_without_record")
        self.assertEqual(guards["574ac10fc27b590f62f7b8e0ceec1c9e1f2378ebc8e917a2a24a1dca05ffd4d3"], "in_flight")

    def test_a_value_beyond_all_bounds(self):
        path = self.altered(NATIVE, "UPDATE payment_intents SET intent_payload = zeroblob(100000) WHERE payment_id = 1",
                            "UPDATE payment_intents SET intent_payload = zeroblob(3000000) WHERE payment_id = 5")
        report = self.taken(path)
        self.assertEqual([one["sequence"] for one in report["quarantined"][:2]], ["1", "5"])
        os.unlink(self.db)
        self.refused(self.altered(NATIVE, "UPDATE payment_intents SET intent_payload = zeroblob(9000000) WHERE payment_id = 1"), "cannot be read", "lncli stop")

    def test_a_file_cut_anywhere_is_refused_or_read_in_part_and_never_a_crash(self):
        for example in (NATIVE, KEY_VALUE):
            path = self.unpack(example)
            with open(path, "rb") as file:
                whole = file.read()
            for size in list(range(0, 4096, 512)) + list(range(4096, len(whole), 3 * 4096)):
                with open(path, "wb") as file:
                    file.write(whole[:size])
                outcome = self.run_it("migrate", "--from-lnd", path, "--json", "--dry-run")
                self.assertIn(outcome.code, (USAGE, OK, QUARANTINED), (example, size, outcome))
                self.assertEqual(sorted(name for name in os.listdir(self.folder) if name.startswith(example)), [example])

    def test_bits_that_have_turned(self):
        """A few bytes of each file are changed, the same ones in each run. It is read, read in part or refused, and not changed."""
        dice = random.Random(17)
        codes = collections.Counter()
        for example, rounds in ((NATIVE, 60), (KEY_VALUE, 40)):
            path = self.unpack(example)
            with open(path, "rb") as file:
                whole = file.read()
            for turn in range(rounds):
                changed = bytearray(whole)
                for _ in range(dice.randint(1, 8)):
                    # Half of the bytes are in page headers, where damage does most.
                    at = dice.randrange(len(whole)) if dice.random() < 0.5 else dice.randrange(len(whole) // 4096) * 4096 + dice.randrange(120)
                    changed[at] = dice.randrange(256)
                with open(path, "wb") as file:
                    file.write(changed)
                before = digest(path)
                outcome = self.run_it("migrate", "--from-lnd", path, "--json", "--dry-run")
                self.assertIn(outcome.code, (USAGE, OK, QUARANTINED), (example, turn, outcome))
                if outcome.code != USAGE:
                    report = outcome.json()
                    self.assertEqual(report["read"], report["migrated"] + report["duplicates"] + len(report["quarantined"]))
                self.assertEqual((digest(path), beside(path)), (before, [example]))
                codes[outcome.code] += 1
        self.assertGreater(codes[USAGE], 5)
        self.assertGreater(codes[OK] + codes[QUARANTINED], 5)

    # --- what is made ---

    def test_the_database_has_the_schema_of_a_new_one(self):
        """An import drops triggers and indexes while it adds rows; afterwards all of them are back."""
        new = os.path.join(self.folder, "new.db")
        self.ok("--db", new, "send", self.invoice(), "--yes")
        schemas = []
        for path in (new, self.db):
            if path == self.db:
                self.taken(self.unpack(NATIVE))
            database = sqlite3.connect(path)
            schemas.append(database.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name").fetchall())
            database.close()
        self.assertEqual(schemas[0], schemas[1])

    # --- beside an earlier import ---

    def test_payments_of_an_earlier_import_are_known_by_their_hashes(self):
        self.taken(self.unpack(BBOLT))
        before = self.payments()
        report = self.taken(self.unpack(MOVED))
        self.assertEqual((report["migrated"], report["duplicates"]), (0, 0))
        self.assertEqual(self.payments(), before)

    def test_what_has_happened_since_is_added(self):
        self.taken(self.unpack(BBOLT))
        known = {row["payment_hash"]: row for row in self.payments()}
        new = "11" * 32
        path = self.altered(MOVED, "INSERT INTO payments (id, amount_msat, created_at, payment_identifier, fail_reason)"
                            f" VALUES (40, 5, '2024-01-01 00:00:00 +0000 UTC', x'{new}', 1)")
        report = self.taken(path)
        self.assertEqual((report["migrated"], report["duplicates"]), (1, 0))
        rows = {row["payment_hash"]: row for row in self.payments()}
        self.assertEqual(rows.pop(new)["payment_index"], "500002")
        self.assertEqual(rows, known)
        self.assertEqual(self.taken(path)["read"], 0)

    # --- decisions by hand ---

    def send_to(self, payment_hash):
        to = self.decode(self.invoice())["destination"]
        return self.run_it("send", "--dest", to, "--payment-secret", "11" * 32, "--amt", "1sat", "--yes", "--json", "--payment-hash", payment_hash)

    def open_payments(self):
        return [row for row in self.payments() if row["status"] in ("IN_FLIGHT", "INITIATED")]

    def test_the_operators_word_ends_what_lnd_had_open_and_releases_its_guard(self):
        """R17: lnd's machine is gone. One `resolve` is enough, and `send` then does what `show` says."""
        self.taken(self.unpack(BBOLT))
        opened = self.open_payments()
        self.assertEqual(len(opened), 6)
        self.env.pop("PAYTOWER_SWITCH")
        for row in opened:
            self.ok("resolve", row["payment_hash"], "--assume-failed", "--yes")
        self.env["PAYTOWER_SWITCH"] = self.switch
        self.ok("check")
        self.ok("resume")
        for row in opened:
            payment_hash = row["payment_hash"]
            with self.subTest(payment_hash):
                shown = self.ok("show", payment_hash, "--json").json()
                was_open = [htlc for htlc in row["htlcs"] if htlc["status"] == "IN_FLIGHT"]
                self.assertEqual((shown["status"], shown["definitive"]), ("FAILED", not was_open))
                page = self.ok("show", payment_hash).out
                sent = self.send_to(payment_hash)
                if row["amp"]:
                    self.assertIn("cannot be paid", page)
                    self.assertEqual((sent.code, sent.error()["code"]), (REFUSED, "already_ended"))
                    continue
                self.assertIn("marked as failed by hand, NOT confirmed" if was_open else "It may be paid again", page)
                self.assertNotIn("paytower resume", page)
                self.assertNotEqual(sent.code, REFUSED, sent)
        self.ok("check")

    def test_what_is_written_off_is_never_payable(self):
        self.taken(self.unpack(BBOLT))
        for row in self.open_payments():
            self.ok("resolve", row["payment_hash"], "--write-off", "--yes")
            self.assertEqual(self.ok("show", row["payment_hash"], "--json").json()["status"], "UNKNOWN")
            self.assertEqual(self.send_to(row["payment_hash"]).code, REFUSED)
        self.ok("check")

    def test_an_open_part_beside_a_paid_one_is_closed_by_the_word(self):
        self.taken(self.unpack(BBOLT))
        row = next(row for row in self.payments() if row["status"] == "SUCCEEDED" and any(htlc["status"] == "IN_FLIGHT" for htlc in row["htlcs"]))
        self.ok("resolve", row["payment_hash"], "--assume-failed", "--yes")
        self.assertEqual(self.ok("show", row["payment_hash"], "--json").json()["status"], "SUCCEEDED")
        self.assertEqual(self.send_to(row["payment_hash"]).error()["code"], "already_paid")
        self.ok("check")

    def test_what_lnd_proves_later_wins_over_the_word(self):
        """R8, also with an attempt that was made after the copy. And a failure confirms a decision by hand."""
        preimages = {i: hashlib.sha256(b"later %d" % i).digest() for i in (12, 13, 14, 15)}
        names = {i: hashlib.sha256(preimages[i]).hexdigest() for i in preimages}
        renamed = [statement for i in preimages for statement in
                   (f"UPDATE payments SET payment_identifier = x'{names[i]}' WHERE id = {i}",
                    f"UPDATE payment_htlc_attempts SET payment_hash = x'{names[i]}' WHERE payment_id = {i}")]
        self.taken(self.altered(NATIVE, *renamed))
        for i, word in ((12, "--assume-failed"), (14, "--write-off"), (15, "--assume-failed"), (13, "--assume-failed")):
            self.ok("resolve", names[i], word, "--yes")
        row = "(attempt_index, resolution_time, resolution_type, settle_preimage) VALUES"
        settled = [f"INSERT INTO payment_htlc_attempt_resolutions {row} ((SELECT attempt_index FROM payment_htlc_attempts WHERE payment_id = {i}),"
                   f" '2024-01-01 00:00:00 +0000 UTC', 1, x'{preimages[i].hex()}')" for i in (12, 14)]
        new = ["INSERT INTO payment_htlc_attempts (attempt_index, payment_id, session_key, attempt_time, payment_hash, first_hop_amount_msat, route_total_time_lock,"
               f" route_total_amount, route_source_key) SELECT 77777, payment_id, x'77', attempt_time, payment_hash, first_hop_amount_msat, route_total_time_lock,"
               " route_total_amount, route_source_key FROM payment_htlc_attempts WHERE payment_id = 15",
               f"INSERT INTO payment_htlc_attempt_resolutions {row} (77777, '2024-01-01 00:00:00 +0000 UTC', 1, x'{preimages[15].hex()}')"]
        self.taken(self.altered(NATIVE, *renamed, *settled, *new))
        for i in (12, 14, 15):
            shown = self.ok("show", names[i], "--json").json()
            self.assertEqual((shown["status"], shown["payment_preimage"]), ("SUCCEEDED", preimages[i].hex()))
            self.assertEqual(self.send_to(names[i]).error()["code"], "guarded" if i == 14 else "already_paid")  # what was written off keeps its guard
        self.assertEqual(self.ok("show", names[13], "--json").json()["status"], "FAILED")
        self.ok("check")

    def test_what_lnd_says_has_failed_confirms_the_word(self):
        self.taken(self.unpack(NATIVE))
        row = next(row for row in self.open_payments() if row["payment_index"] == "12")
        self.ok("resolve", row["payment_hash"], "--assume-failed", "--yes")
        self.expect(REFUSED, "delete", row["payment_hash"], "--yes")
        self.taken(self.altered(NATIVE, "INSERT INTO payment_htlc_attempt_resolutions (attempt_index, resolution_time, resolution_type, failure_source_index,"
                                " htlc_fail_reason, failure_msg) VALUES (1012, '2024-01-01 00:00:00 +0000 UTC', 2, 1, 3, x'1007')",
                                "UPDATE payments SET fail_reason = 0 WHERE id = 12"))
        shown = self.ok("show", row["payment_hash"], "--json").json()
        self.assertEqual((shown["status"], shown["definitive"]), ("FAILED", True))
        self.ok("delete", row["payment_hash"], "--yes")
        self.ok("check")

    def test_a_failed_amp_payment_is_not_called_payable(self):
        self.taken(self.unpack(BBOLT))
        row = next(row for row in self.payments() if row["amp"] and row["status"] == "FAILED")
        self.assertNotIn("paid again", self.ok("show", row["payment_hash"]).out)
        for more in ([], ["--dry-run"]):
            to = self.decode(self.invoice())["destination"]
            refused = self.expect(REFUSED, "send", "--dest", to, "--payment-secret", "11" * 32, "--amt", "1sat", "--yes", "--json", "--payment-hash", row["payment_hash"], *more)
            if not more:
                self.assertEqual((refused.error()["code"], refused.error()["hint"].split()[-2:]), ("already_ended", ["show", row["payment_hash"]]))

    # --- set ids ---

    def guards(self):
        return {guard["payment_hash"]: guard for guard in self.ok("list", "--guards", "--json").json()["guards"]}

    def another_database(self, path=None):
        self.db = self.env["PAYTOWER_DB"] = path or self.db + ".next"

    def amp_payments(self):
        return {row["status"]: row["payment_hash"] for row in self.payments() if row["amp"]}

    def never_payable(self, set_id):
        """No command of an operator makes it payable."""
        for word in ("--assume-failed", "--write-off"):
            self.run_it("resolve", set_id, word, "--yes")
        said = self.expect(REFUSED, "resolve", set_id, "--assume-failed", "--yes", "--json").error()
        self.assertIn("set id of an AMP payment", said["message"])
        for target in ("cancel", "resume"):
            self.assertEqual(self.run_it(target, set_id).code, REFUSED)
        said = self.expect(REFUSED, "delete", set_id, "--forget", "--yes", "--json").error()
        self.assertIn("set id of an AMP payment", said["message"])
        self.ok("delete", "--all", "--include-non-failed", "--forget", "--yes")
        self.assertIn(set_id, self.guards())
        sent = self.send_to(set_id)
        self.assertEqual(sent.code, REFUSED)
        self.assertIn(sent.error()["code"], ("already_ended", "already_paid"))
        self.assertEqual(self.run_it("show", set_id).code, 0)
        self.ok("check")

    def test_a_set_id_is_never_payable_after_its_payment_is_deleted(self):
        for source, again in ((BBOLT, NATIVE), (NATIVE, NATIVE)):
            with self.subTest(source):
                self.taken(self.unpack(source))
                amp = self.amp_payments()
                self.ok("delete", amp["FAILED"], "--yes")
                guard = self.guards()[amp["FAILED"]]
                self.assertEqual((guard["kind"], guard["amp"]), ("written_off", True))
                self.assertEqual(self.ok("show", amp["FAILED"], "--json").json()["amp"], True)
                page = self.ok("show", amp["FAILED"]).out
                self.assertIn("set id of an AMP payment, not a payment hash", page)
                sent = self.send_to(amp["FAILED"])
                self.assertEqual((sent.code, sent.error()["code"]), (REFUSED, "already_ended"))
                self.assertIn("set id of an AMP payment", sent.error()["message"])
                said = self.expect(REFUSED, "resolve", amp["FAILED"], "--assume-failed", "--yes", "--json").error()
                self.assertEqual(said["code"], "already_ended")
                self.taken(os.path.join(self.folder, source))
                self.assertNotIn(amp["FAILED"], {row["payment_hash"] for row in self.payments()})
                self.never_payable(amp["FAILED"])
                self.another_database()

    def test_a_set_id_that_was_paid_or_ended_by_hand_is_never_payable(self):
        self.taken(self.unpack(BBOLT))
        amp = self.amp_payments()
        self.ok("resolve", amp["IN_FLIGHT"], "--write-off", "--yes")
        self.ok("delete", amp["SUCCEEDED"], "--yes")
        self.assertEqual((self.guards()[amp["SUCCEEDED"]]["kind"], self.guards()[amp["SUCCEEDED"]]["amp"]), ("paid_without_record", True))
        said = self.expect(REFUSED, "delete", amp["SUCCEEDED"], "--forget", "--yes", "--json").error()
        self.assertIn("set id of an AMP payment", said["message"])
        self.assertEqual(self.send_to(amp["SUCCEEDED"]).error()["code"], "already_paid")
        self.assertEqual(self.send_to(amp["IN_FLIGHT"]).code, REFUSED)

    def test_a_guard_of_a_set_id_survives_a_copy_and_an_import_of_lnds_sql(self):
        self.taken(self.unpack(BBOLT))
        amp = self.amp_payments()
        self.ok("delete", amp["FAILED"], "--yes")
        copy = os.path.join(self.folder, "copy.db")
        self.ok("backup", copy)
        self.taken(self.unpack(MOVED))
        self.assertNotIn(amp["FAILED"], {row["payment_hash"] for row in self.payments()})
        self.never_payable(amp["FAILED"])
        self.another_database(copy)
        self.never_payable(amp["FAILED"])

    def test_the_set_id_of_an_amp_payment_that_is_set_aside_is_never_payable(self):
        self.taken(self.unpack(NATIVE))
        amp = self.amp_payments()
        self.another_database()
        spoiled = "UPDATE payment_htlc_attempt_resolutions SET settle_preimage = x'{}' WHERE attempt_index IN (SELECT attempt_index FROM payment_htlc_attempts" \
                  " WHERE payment_id = (SELECT id FROM payments WHERE payment_identifier = x'{}'))".format("55" * 32, amp["SUCCEEDED"])
        report = self.taken(self.altered(NATIVE, spoiled))
        self.assertEqual([one["payment_hash"] for one in report["quarantined"]], [amp["SUCCEEDED"]])
        self.assertEqual((self.guards()[amp["SUCCEEDED"]]["kind"], self.guards()[amp["SUCCEEDED"]]["amp"]), ("paid_without_record", True))
        self.expect(REFUSED, "delete", amp["SUCCEEDED"], "--forget", "--yes")
        self.assertEqual(self.send_to(amp["SUCCEEDED"]).error()["code"], "already_paid")

    def as_an_older_paytower_stored_it(self, *set_ids):
        """Before it knew of set ids: plain payments."""
        database = sqlite3.connect(self.db)
        triggers = database.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            database.execute(f"DROP TRIGGER {name}")
        for set_id in set_ids:
            which = "(SELECT payment_index FROM payments WHERE payment_hash = x'%s')" % set_id
            database.execute(f"UPDATE attempts SET htlc_hash = NULL WHERE payment_index IN {which}")
            database.execute(f"UPDATE payments SET amp = 0 WHERE payment_index IN {which}")
        for _, sql in triggers:
            database.execute(sql)
        database.commit()
        database.close()

    def test_what_an_older_paytower_took_for_a_hash_is_marked_by_a_later_import(self):
        """A failed one would be payable, and an open one could never end, because its preimage does not prove a set id."""
        self.taken(self.unpack(NATIVE))
        amp = self.amp_payments()
        self.as_an_older_paytower_stored_it(amp["FAILED"], amp["IN_FLIGHT"])
        index, preimage = 24, b"\x24" * 32
        own_hash = hashlib.sha256(preimage).hexdigest()
        attempt = f"(SELECT attempt_index FROM payment_htlc_attempts WHERE payment_id = {index})"
        self.taken(self.altered(NATIVE, f"UPDATE payment_htlc_attempts SET payment_hash = x'{own_hash}' WHERE payment_id = {index}",
                                "INSERT INTO payment_htlc_attempt_resolutions (attempt_index, resolution_time, resolution_type, settle_preimage)"
                                f" VALUES ({attempt}, '2024-01-01 00:00:00 +0000 UTC', 1, x'{preimage.hex()}')"))
        self.ok("check")
        shown = self.ok("show", amp["IN_FLIGHT"], "--json").json()
        self.assertEqual((shown["status"], shown["amp"], shown["htlcs"][0]["htlc_hash"]), ("SUCCEEDED", True, own_hash))
        self.assertEqual(self.send_to(amp["FAILED"]).error()["code"], "already_ended")
        self.ok("delete", amp["FAILED"], "--yes")
        self.never_payable(amp["FAILED"])

    def test_guards_of_what_has_ended_since_go(self):
        self.taken(self.unpack(BBOLT))
        guards = lambda: {guard["payment_hash"]: guard["kind"] for guard in self.ok("list", "--guards", "--json").json()["guards"]}
        before = guards()
        failed, open_still = ("574ac10fc27b590f62f7b8e0ceec1c9e1f2378ebc8e917a2a24a1dca05ffd4d3", "8d11aeb4958ea299d175709fc8ab42c0a27119b2e3ab0ef757b0390d68498511")
        self.assertEqual((before[failed], before[open_still]), ("in_flight", "in_flight"))
        path = self.altered(MOVED, "INSERT INTO payment_htlc_attempt_resolutions (attempt_index, resolution_time, resolution_type, failure_source_index,"
                            " htlc_fail_reason, failure_msg) VALUES (1012, '2024-01-01 00:00:00 +0000 UTC', 2, 1, 3, x'1007')",
                            f"UPDATE payments SET fail_reason = 0 WHERE payment_identifier IN (x'{failed}', x'{open_still}')")
        report = self.taken(path)
        self.assertEqual(report["guards_resolved"], 1)
        after = guards()
        self.assertNotIn(failed, after)
        del before[failed]
        self.assertEqual(after, before)
        self.assertEqual(self.ok("show", failed, "--json").json()["status"], "FAILED")
        self.assertEqual(self.ok("show", open_still, "--json").json()["status"], "IN_FLIGHT")
        to = self.decode(self.invoice())["destination"]
        send = ["send", "--dest", to, "--payment-secret", "11" * 32, "--amt", "1sat", "--yes", "--json", "--payment-hash"]
        self.assertEqual(self.expect(REFUSED, *send, open_still).error()["code"], "guarded")
        self.assertNotEqual(self.run_it(*send, failed).code, REFUSED)  # lnd says that it failed: payable again
        self.ok("check")

    def test_an_amp_payment_that_an_older_paytower_set_aside(self):
        """Its guard stays: the set id is no hash, and paid."""
        self.taken(self.unpack(BBOLT))
        amp = test_lnd_releases.AMP
        database = sqlite3.connect(self.db)
        triggers = database.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            database.execute(f"DROP TRIGGER {name}")
        index = database.execute("SELECT payment_index FROM payments WHERE payment_hash = ?", (bytes.fromhex(amp),)).fetchone()[0]
        for table in ("attempts", "imported_raw", "payments"):
            database.execute(f"DELETE FROM {table} WHERE payment_index = ?", (index,))
        database.execute("INSERT INTO hash_guards (payment_hash, kind, since_ns) VALUES (?, 2, 1)", (bytes.fromhex(amp),))
        for _, sql in triggers:
            database.execute(sql)
        database.commit()
        database.close()
        report = self.taken(os.path.join(self.folder, BBOLT))
        self.assertEqual((report["read"], report["migrated"]), (1, 1))
        self.assertEqual(self.ok("show", amp, "--json").json()["status"], "SUCCEEDED")
        self.ok("check")


if __name__ == "__main__":
    unittest.main()
