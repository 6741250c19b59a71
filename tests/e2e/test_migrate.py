"""Goal: an upgrade that a person or a script can trust: told before, backed up, complete or not at all, and afterwards the
migrated payments are like any other. Method: version 1 databases and lnd's own files through the program, also killed."""

import fcntl
import hashlib
import os
import random
import resource
import shutil
import signal
import sqlite3
import time
import unittest

import harness
import legacy
from harness import BUSY, DATABASE, OK, REFUSED, USAGE

QUARANTINED = 12
LND = os.path.join(os.path.dirname(__file__), "..", "data", "lnd")
KILLS = int(os.environ.get("PAYTOWER_MIGRATE_KILLS", "25"))


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def dump(path):
    """All that a database holds, except times and the random name that the migration adds."""
    database = sqlite3.connect(path)
    queries = {
        "payments": "SELECT * FROM payments ORDER BY payment_index",
        "out_of_order": "SELECT * FROM payments_out_of_order ORDER BY payment_index",
        "attempts": "SELECT * FROM attempts ORDER BY attempt_row",
        "guards": "SELECT payment_hash, kind, amount_msat, preimage FROM hash_guards ORDER BY payment_hash",
        "quarantine": "SELECT id, source, sequence, payment_hash, reason, record FROM quarantine ORDER BY id",
        "raw": "SELECT * FROM imported_raw ORDER BY id",
        "sources": "SELECT pub_key FROM import_sources",
        "counters": "SELECT * FROM sqlite_sequence ORDER BY name",
        "schema": "SELECT type, name, sql FROM sqlite_schema ORDER BY name",
        "history": "SELECT version, name, sha256 FROM schema_migrations",
    }
    rows = {name: database.execute(sql).fetchall() for name, sql in queries.items()}
    database.close()
    return rows


class Migrate(harness.World):
    def setUp(self):
        super().setUp()
        for end in ("", "-wal", "-shm", ".lock", ".spool"):
            if os.path.exists(self.db + end):
                os.unlink(self.db + end)

    def legacy(self, records=None, statuses=(), **more):
        if records is None:
            first = legacy.record(legacy.preimage(1))
            records = [(1, first), (2, legacy.record(legacy.preimage(2), value=5, fee=0, hops=1)), (3, legacy.record(legacy.preimage(1), value=7))]
        legacy.make(self.db, records, statuses, **more)

    def hash(self, number):
        return legacy.payment_hash(legacy.preimage(number)).hex()

    def copies(self):
        return sorted(name for name in os.listdir(self.folder) if ".bak" in name)

    # --- before ---

    def test_other_commands_refuse_an_older_database_and_say_how_on(self):
        for wal in (True, False):
            self.legacy(wal=wal)
            before = digest(self.db)
            for call in (["list"], ["show", "ab" * 32], ["check"], ["delete", "--all", "--yes"], ["send", self.invoice(), "--yes"], ["resume"]):
                outcome = self.expect(DATABASE, *call)
                self.assertIn("paytower migrate", outcome.err, call)
            self.assertEqual(digest(self.db), before)
            for end in ("", "-wal", "-shm"):
                if os.path.exists(self.db + end):
                    os.unlink(self.db + end)

    def test_status(self):
        self.legacy()
        status = self.expect(DATABASE, "migrate", "--status", "--json").json()
        self.assertEqual(status, {"version": 1, "latest": 5, "pending": [{"version": 2, "name": "0002_payment_buckets"}, {"version": 3, "name": "0003_parts_and_marks"},
                                                                        {"version": 4, "name": "0004_labels"}, {"version": 5, "name": "0005_locks_and_reasons"}],
                                  "quarantined": 0})
        self.ok("migrate")
        self.assertEqual(self.ok("migrate", "--status", "--json").json(), {"version": 5, "latest": 5, "pending": [], "quarantined": 0})

    def test_a_dry_run_changes_no_byte_and_reports_the_same(self):
        self.legacy(statuses=[(bytes([4]) * 32, 1)])
        before = digest(self.db)
        tried = self.ok("migrate", "--dry-run", "--json").json()
        self.assertEqual(digest(self.db), before)
        self.assertEqual(self.copies(), [])
        done = self.ok("migrate", "--json").json()
        self.assertTrue(tried.pop("dry_run"))
        self.assertFalse(done.pop("dry_run"))
        self.assertEqual(tried.pop("backup_path"), None)
        self.assertEqual(done.pop("backup_path"), self.db + ".v1.bak")
        self.assertEqual(tried, done)

    def test_a_dry_run_leaves_log_and_index_alone_also_after_a_crash(self):
        """The records are in the log, because their writer was killed before a checkpoint."""
        self.legacy(statuses=[(bytes([4]) * 32, 1)])
        database = sqlite3.connect(self.db)
        database.execute("PRAGMA wal_autocheckpoint = 0")
        with database:
            database.execute("INSERT INTO outgoing_payments (sequence, record) VALUES (9, ?)", (legacy.record(legacy.preimage(9)),))
        crashed = {}
        for end in ("", "-wal", "-shm"):
            with open(self.db + end, "rb") as file:
                crashed[end] = file.read()
        database.close()
        for end, content in crashed.items():
            with open(self.db + end, "wb") as file:
                file.write(content)
        os.chmod(self.db, 0o600)
        names = ("", "-wal")
        before = [digest(self.db + end) for end in names]
        temporary = os.path.join(self.folder, "temporary")
        os.mkdir(temporary)
        report = self.ok("migrate", "--dry-run", "--json", env={"TMPDIR": temporary}).json()
        self.assertEqual(report["read"], 4)
        self.assertEqual([digest(self.db + end) for end in names], before)
        shared = digest(self.db + "-shm")   # SQLite makes the index again after a crash; from then on it stays the same too
        self.ok("migrate", "--dry-run", "--json", env={"TMPDIR": temporary})
        self.assertEqual([digest(self.db + end) for end in names] + [digest(self.db + "-shm")], before + [shared])
        self.assertEqual(os.listdir(temporary), [])
        self.assertEqual(self.ok("migrate", "--json").json()["read"], 4)

    def test_a_dry_run_of_adding_leaves_the_database_and_lnds_file_alone(self):
        source = os.path.join(self.folder, "channel.db")
        shutil.copy(os.path.join(LND, "v8.db"), source)
        self.ok("migrate", "--from-lnd", source)
        files = [source] + [self.db + end for end in ("", "-wal", "-shm") if os.path.exists(self.db + end)]
        before = [digest(name) for name in files], os.stat(source).st_mtime_ns
        there = sorted(os.listdir(self.folder))
        temporary = os.path.join(self.folder, "temporary")
        os.mkdir(temporary)
        self.assertEqual(self.ok("migrate", "--from-lnd", source, "--dry-run", "--json", env={"TMPDIR": temporary}).json()["read"], 0)
        self.assertEqual(os.listdir(temporary), [])
        os.rmdir(temporary)
        self.assertEqual(sorted(os.listdir(self.folder)), there)
        self.assertEqual(([digest(name) for name in files], os.stat(source).st_mtime_ns), before)

    def test_a_newer_database_is_not_touched(self):
        self.legacy()
        database = sqlite3.connect(self.db)
        database.execute("PRAGMA user_version = 9")
        database.close()
        before = digest(self.db)
        outcome = self.expect(DATABASE, "migrate", "--json")
        self.assertEqual(outcome.error()["code"], "schema_newer")
        self.expect(DATABASE, "migrate", "--status")
        self.assertEqual(digest(self.db), before)

    def test_a_missing_database(self):
        self.expect(DATABASE, "migrate")
        del self.env["PAYTOWER_DB"]
        outcome = self.ok("migrate", "--json", env={"XDG_DATA_HOME": self.folder})
        self.assertEqual((outcome.json()["applied"], outcome.json()["read"]), ([], 0))

    def test_bad_calls(self):
        self.legacy()
        for call in (["--to", "6"], ["--to", "x"], ["--status", "--strict"], ["--assume-v04"], ["--from-lnd", "x", "--to", "2"], ["--backup", ""], ["word"]):
            self.expect(USAGE, "migrate", *call)

    # --- the report ---

    def test_the_report_and_its_exit_code(self):
        cut = legacy.record(legacy.preimage(4))[:-9]
        self.legacy([(1, legacy.record(legacy.preimage(1))), (17, cut), (18, legacy.record(legacy.preimage(1)))],
                    [(bytes([4]) * 32, 1), (bytes([5]) * 32, 2)])
        outcome = self.expect(QUARANTINED, "migrate", "--json")
        report = outcome.json()
        self.assertEqual(list(report), ["from_version", "to_version", "applied", "backup_path", "read", "migrated", "duplicates", "quarantined", "guards", "guards_resolved", "notes", "dry_run"])
        self.assertEqual(report["quarantined"], [{"sequence": "17", "payment_hash": None, "reason": "record truncated in preimage"}])
        self.assertEqual(report["guards"], [{"payment_hash": "04" * 32, "kind": "in_flight"}, {"payment_hash": "05" * 32, "kind": "paid_without_record"}])
        self.assertEqual((report["read"], report["migrated"], report["duplicates"]), (3, 1, 1))
        self.assertEqual(outcome.error()["code"], "quarantined")
        kept = self.ok("list", "--quarantine", "--json").json()["quarantined"]
        self.assertEqual(bytes.fromhex(kept[0]["record"]), cut)
        again = self.ok("migrate", "--json").json()
        self.assertEqual((again["applied"], again["read"], again["backup_path"]), ([], 0, None))

    def test_vector_16_the_zone_of_the_process_does_not_matter(self):
        records = [(i, legacy.record(legacy.preimage(i), created=legacy.go_time(1_558_000_000 + i, i, zone))) for i, zone in enumerate((-1, 0, 840, -720, 345), 1)]
        seen = []
        for zone in ("UTC", "Asia/Kathmandu", "<+14>-14", "<-12>12"):
            for end in ("", "-wal", "-shm"):
                if os.path.exists(self.db + end):
                    os.unlink(self.db + end)
            self.legacy(records)
            self.ok("migrate", "--backup", "none", env={"TZ": zone})
            seen.append(dump(self.db)["payments"])
        self.assertEqual([row[3] for row in seen[0]], [(1_558_000_000 + i) * 1_000_000_000 + i for i in range(1, 6)])
        self.assertEqual(seen[1:], seen[:1] * 3)

    def test_strict_changes_nothing(self):
        for wal in (True, False):
            for end in ("", "-wal", "-shm"):
                if os.path.exists(self.db + end):
                    os.unlink(self.db + end)
            self.legacy([(1, b"")], wal=wal)
            before = digest(self.db)
            for how in ([], ["--dry-run"]):
                self.assertIn("record truncated in memo", self.expect(DATABASE, "migrate", "--strict", *how).err)
                self.assertEqual(digest(self.db), before)
                self.assertEqual(self.copies(), [])

    def test_an_import_into_an_older_or_newer_database_does_not_touch_it(self):
        for version, code in ((1, "schema_older"), (9, "schema_newer")):
            if os.path.exists(self.db):
                os.unlink(self.db)
            self.legacy(wal=False)
            database = sqlite3.connect(self.db)
            database.execute(f"PRAGMA user_version = {version}")
            database.close()
            before = digest(self.db)
            for how in ([], ["--dry-run"]):
                outcome = self.expect(DATABASE, "migrate", "--from-lnd", os.path.join(LND, "v8.db"), "--json", *how)
                self.assertEqual(outcome.error()["code"], code)
                self.assertEqual(digest(self.db), before)

    def test_vector_4_no_source_node(self):
        self.legacy(source=None)
        before = digest(self.db)
        self.assertIn("graph-node/source", self.expect(USAGE, "migrate", "--backup", "none").err)
        self.assertEqual(digest(self.db), before)

    # --- backups ---

    def test_backup_names(self):
        self.legacy()
        for name in (self.db + ".v1.bak", self.db + ".v1.bak.1"):
            with open(name, "w", encoding="utf-8") as file:
                file.write("mine")
        self.expect(USAGE, "migrate", "--backup", self.db + ".v1.bak")
        self.assertEqual(self.ok("migrate", "--json").json()["backup_path"], self.db + ".v1.bak.2")
        backup = sqlite3.connect(self.db + ".v1.bak.2")
        self.assertEqual(backup.execute("SELECT count(*) FROM outgoing_payments").fetchone(), (3,))
        backup.close()
        self.assertEqual(os.stat(self.db + ".v1.bak.2").st_mode & 0o777, 0o600)

    def test_the_backup_is_a_way_back(self):
        self.legacy()
        self.ok("migrate")
        first = dump(self.db)
        for end in ("-wal", "-shm"):
            if os.path.exists(self.db + end):
                os.unlink(self.db + end)
        shutil.copy(self.db + ".v1.bak", self.db)
        self.expect(DATABASE, "list")
        self.ok("migrate", "--backup", "none")
        self.assertEqual(dump(self.db), first)

    def test_no_backup(self):
        self.legacy()
        self.ok("migrate", "--backup", "none")
        self.assertEqual(self.copies(), [])

    # --- afterwards ---

    def test_migrated_payments_are_like_any_other(self):
        self.legacy(statuses=[(bytes([4]) * 32, 1)])
        self.ok("migrate")
        rows = self.payments()
        self.assertEqual([(row["payment_index"], row["duplicate_of"], row["value_msat"], row["fee_msat"]) for row in rows],
                         [("1", None, 1_000_000, 1234), ("2", None, 5, 0), ("3", "1", 7, 1234)])
        shown = self.ok("show", self.hash(1), "--json").json()
        self.assertEqual(shown["provenance"], "lnd_legacy")
        self.assertEqual(shown["payment_preimage"], legacy.preimage(1).hex())
        self.assertEqual([one["payment_index"] for one in shown["duplicates"]], ["3"])
        attempt = shown["htlcs"][0]
        self.assertIsNone(attempt["attempt_id"])
        self.assertEqual(attempt["route"]["total_fees_msat"], 1234)
        self.assertEqual(attempt["route"]["total_time_lock"], 576_123)
        self.assertEqual([hop["fee_msat"] for hop in attempt["route"]["hops"]], [0, 1234])
        self.assertEqual([hop["chan_id"] for hop in attempt["route"]["hops"]], [None, None])
        self.ok("check")
        self.assertEqual(self.ok("show", "04" * 32, "--json").json()["kind"], "in_flight")

    def send_to(self, payment_hash):
        return self.run_it("send", "--dest", self.decode(self.invoice())["destination"], "--payment-hash", payment_hash, "--payment-secret", "11" * 32, "--amt", "1sat",
                           "--yes", "--json")

    def test_paid_and_guarded_hashes_are_refused_also_after_delete(self):
        self.legacy(statuses=[(bytes([4]) * 32, 1), (bytes([5]) * 32, 2)])
        self.ok("migrate")
        for payment_hash, code in ((self.hash(1), "already_paid"), (self.hash(2), "already_paid"), ("04" * 32, "guarded"), ("05" * 32, "already_paid")):
            outcome = self.send_to(payment_hash)
            self.assertEqual(outcome.code, REFUSED, outcome)
            self.assertIn(outcome.error()["code"], (code, "in_flight"), outcome)
        self.assertEqual(self.ok("delete", self.hash(1), "--yes", "--json").json()["deleted"], 2)
        self.assertEqual(self.send_to(self.hash(1)).code, REFUSED)
        self.assertEqual(len(self.payments()), 1)

    def test_vector_8_new_payments_go_on_behind_the_counter(self):
        self.legacy(counter=500)
        self.ok("migrate")
        self.ok("send", self.invoice(), "--yes")
        self.assertEqual(self.payments()[-1]["payment_index"], "501")

    # --- together and in trouble ---

    def test_vector_24_a_second_one_at_the_same_time_is_busy(self):
        self.legacy([(i, legacy.record(legacy.preimage(i))) for i in range(1, 30_000)])
        with open(os.path.join(self.folder, "first"), "w", encoding="utf-8") as said:
            first = self.popen("migrate", "--backup", "none", stdout=said, stderr=said)
        self.addCleanup(first.wait)
        self.addCleanup(first.kill)         # before that: one that never ends is not waited for
        codes = []
        end = time.monotonic() + 120
        while first.poll() is None:
            self.assertLess(time.monotonic(), end, "the first migration does not end")
            outcome = self.run_it("migrate", "--backup", "none")
            self.assertIn(outcome.code, (OK, BUSY), outcome)
            codes.append(outcome.code)
        self.assertIn(first.returncode, (OK, BUSY))
        codes.append(first.returncode)      # whichever came first
        self.assertIn(BUSY, codes)
        self.assertIn(OK, codes)
        self.assertEqual(len(dump(self.db)["payments"]), 29_999)

    def test_vector_24_two_imports_at_the_same_time(self):
        """With or without waiting, every import but one finds the database being made, or complete."""
        source = os.path.join(LND, "v8big.db")
        for wait in ("0s", "30s"):
            if os.path.exists(self.db):
                os.unlink(self.db)
            both = [self.popen("migrate", "--from-lnd", source, "--lock-timeout", wait) for _ in range(4)]
            said = [one.communicate(timeout=60) for one in both]
            codes = [one.returncode for one in both]
            self.assertIn(OK, codes, said)
            self.assertLessEqual(set(codes), {OK, BUSY}, said)
            self.assertEqual(len(dump(self.db)["payments"]), 63)

    def many(self):
        records = [(i, legacy.record(legacy.preimage(i % 1_900), value=i)) for i in range(1, 2_000)]
        return records + [(3_000, b"cut")], [(legacy.preimage(-i), 1) for i in range(1, 50)]

    def test_vector_23_killed_at_any_moment_the_rerun_ends_the_same(self):
        records, statuses = self.many()
        self.legacy(records, statuses)
        template = self.db + ".template"
        shutil.copy(self.db, template)
        start = time.monotonic()
        self.expect(QUARANTINED, "migrate", "--backup", "none")
        whole = time.monotonic() - start
        expected = dump(self.db)
        chance = random.Random(7)
        for _ in range(KILLS):
            for end in ("", "-wal", "-shm"):
                if os.path.exists(self.db + end):
                    os.unlink(self.db + end)
            shutil.copy(template, self.db)
            process = self.popen("migrate")
            time.sleep(chance.uniform(0, whole * 1.2))
            self.kill(process)
            self.assertEqual(self.integrity(), "ok")
            self.assertIn(self.run_it("migrate").code, (OK, QUARANTINED))
            self.assertEqual(dump(self.db), expected)

    def test_interrupted(self):
        """Each signal comes at moments from the first look at the records to the end. The database is then the old one or the new one."""
        self.legacy([(i, legacy.record(legacy.preimage(i))) for i in range(1, 30_000)])
        template = self.db + ".template"
        shutil.copy(self.db, template)
        start = time.monotonic()
        self.ok("migrate", "--backup", "none")
        whole = time.monotonic() - start
        expected = dump(self.db)
        interrupted = 0
        for part, (which, code) in enumerate(((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)) * 3):
            for end in ("", "-wal", "-shm"):
                if os.path.exists(self.db + end):
                    os.unlink(self.db + end)
            shutil.copy(template, self.db)
            process = self.popen("migrate")
            time.sleep(whole * (0.1 + part / 10))
            process.send_signal(which)
            out, err = process.communicate(timeout=60)
            # Until paytower handles signals, one ends it like any program. Or it was done before the signal came.
            self.assertIn(process.returncode, (code, -which, OK), (out, err))
            if process.returncode == code:
                interrupted += 1
                self.expect(DATABASE, "migrate", "--status")
                self.assertIn("nothing was changed", err)
            self.assertEqual(self.integrity(), "ok")
            self.ok("migrate", "--backup", "none")
            self.assertEqual(dump(self.db), expected)
            self.assertEqual([name for name in os.listdir(self.folder) if "partial" in name], [])
        self.assertGreater(interrupted, 0)

    def test_an_interrupted_import(self):
        source = os.path.join(LND, "v8big.db")
        self.ok("migrate", "--from-lnd", source)
        expected = dump(self.db)
        for which in (signal.SIGINT, signal.SIGTERM):
            for delay in (0, 0.01, 0.02, 0.04):
                for end in ("", "-wal", "-shm"):
                    if os.path.exists(self.db + end):
                        os.unlink(self.db + end)
                process = self.popen("migrate", "--from-lnd", source)
                time.sleep(delay)
                process.send_signal(which)
                process.communicate(timeout=60)
                self.assertIn(process.returncode, (128 + which, -which, OK))
                if process.returncode == 128 + which:
                    self.assertFalse(os.path.exists(self.db))
                self.ok("migrate", "--from-lnd", source)
                self.assertEqual(dump(self.db), expected)
                self.assertEqual([name for name in os.listdir(self.folder) if "partial" in name], [])

    def test_no_space(self):
        records, statuses = self.many()
        self.legacy(records, statuses)

        def little_space(limit):
            def prepare():
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            return prepare

        for limit in (100_000, 600_000, 700_000, 1_000_000):
            self.expect(DATABASE, "migrate", preexec_fn=little_space(limit))
            self.assertEqual(self.copies() if limit < 600_000 else [], [])
            self.assertEqual(self.integrity(), "ok")
            self.expect(DATABASE, "migrate", "--status")
        self.expect(QUARANTINED, "migrate")

    def test_no_space_for_a_dry_run(self):
        records, statuses = self.many()
        self.legacy(records, statuses, wal=False)
        before = digest(self.db)
        temporary = os.path.join(self.folder, "temporary")
        os.mkdir(temporary)

        def little_space():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

        # A small migration stays in memory and needs no file. A larger one does.
        self.assertIn(self.run_it("migrate", "--dry-run", env={"TMPDIR": temporary}, preexec_fn=little_space).code, (DATABASE, QUARANTINED))
        self.ok("migrate", "--from-lnd", os.path.join(LND, "v8big.db"), "--db", os.path.join(self.folder, "other.db"))
        self.expect(DATABASE, "migrate", "--from-lnd", os.path.join(LND, "v8big.db"), "--db", os.path.join(self.folder, "other.db"), "--dry-run",
                    env={"TMPDIR": temporary}, preexec_fn=little_space)
        self.assertEqual(os.listdir(temporary), [])
        self.assertEqual(digest(self.db), before)

    def test_no_space_for_an_import(self):
        source = os.path.join(LND, "v8big.db")
        self.ok("migrate", "--from-lnd", source)
        expected = dump(self.db)
        size = os.path.getsize(self.db)
        for end in ("", "-wal", "-shm"):
            if os.path.exists(self.db + end):
                os.unlink(self.db + end)

        def little_space(limit):
            def prepare():
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            return prepare

        for limit in (0, 4096, size // 2, size - 1):
            self.expect(DATABASE, "migrate", "--from-lnd", source, preexec_fn=little_space(limit))
            self.assertFalse(os.path.exists(self.db))
            self.assertEqual([name for name in os.listdir(self.folder) if "partial" in name], [])
        self.ok("migrate", "--from-lnd", source)
        self.assertEqual(dump(self.db), expected)

    # --- lnd ---

    def test_vectors_1_and_23_from_lnd_and_again(self):
        source = os.path.join(LND, "v8.db")
        before = digest(source)
        tried = self.ok("migrate", "--from-lnd", source, "--dry-run", "--json").json()
        self.assertFalse(os.path.exists(self.db))
        done = self.ok("migrate", "--from-lnd", source, "--json").json()
        self.assertEqual({**tried, "dry_run": False}, done)
        self.assertEqual((done["read"], done["migrated"], done["duplicates"]), (3, 2, 1))
        self.assertEqual(digest(source), before)
        self.assertEqual(self.ok("migrate", "--from-lnd", source, "--json").json()["read"], 0)
        self.assertEqual(os.stat(self.db).st_mode & 0o777, 0o600)
        self.ok("check")
        self.ok("send", self.invoice(), "--yes")
        outcome = self.expect(REFUSED, "migrate", "--from-lnd", source, "--json")
        self.assertIn("--db", outcome.error()["hint"])

    def test_in_flight_at_lnd_is_history_and_never_driven(self):
        self.expect(QUARANTINED, "migrate", "--from-lnd", os.path.join(LND, "v9ctl.db"))
        self.assertEqual(self.send_to("e1" * 32).code, REFUSED)
        self.assertEqual(self.ok("show", "e1" * 32, "--json").json()["htlcs"][0]["attempt_id"], "42")
        self.assertEqual(self.ok("resume", "--json").json()["still_in_flight"], 0)

    def test_vector_24_a_running_lnd_is_busy_and_other_files_are_refused(self):
        source = os.path.join(self.folder, "channel.db")
        shutil.copy(os.path.join(LND, "v8.db"), source)
        for how in ([], ["--dry-run"], ["--strict"]):
            with open(source, "rb") as lnd:
                fcntl.flock(lnd, fcntl.LOCK_EX)
                outcome = self.expect(BUSY, "migrate", "--from-lnd", source, *how, "--json")
            self.assertEqual(outcome.error()["code"], "busy")
            self.assertIn("lnd", outcome.error()["message"])
            self.assertFalse(os.path.exists(self.db))
        with open(source, "rb") as reader:
            fcntl.flock(reader, fcntl.LOCK_SH)
            self.ok("migrate", "--from-lnd", source, "--dry-run")
        with open(source, "wb") as file:
            file.write(b"x" * 9000)
        self.expect(USAGE, "migrate", "--from-lnd", source)
        self.expect(USAGE, "migrate", "--from-lnd", source + ".none")

    def test_vector_23_a_killed_import_leaves_nothing_or_all(self):
        source = os.path.join(LND, "v8big.db")
        start = time.monotonic()
        self.ok("migrate", "--from-lnd", source)
        whole = time.monotonic() - start
        expected = dump(self.db)
        chance = random.Random(11)
        for _ in range(KILLS):
            for end in ("", "-wal", "-shm", ".spool"):
                if os.path.exists(self.db + end):
                    os.unlink(self.db + end)
            process = self.popen("migrate", "--from-lnd", source)
            time.sleep(chance.uniform(0, whole * 1.2))
            self.kill(process)
            if os.path.exists(self.db):
                self.assertEqual(dump(self.db), expected)
            self.ok("migrate", "--from-lnd", source)
            self.assertEqual(dump(self.db), expected)
            self.assertEqual([name for name in os.listdir(self.folder) if "partial" in name], [])


if __name__ == "__main__":
    unittest.main()
