"""Goal: a migration that is killed at any sync, write, cut or renaming, or whose call fails there, leaves the old database or the
new one, and run again it ends as if nothing had been. Method: strace injects SIGKILL, or an error, at the n-th call, every
sync of a small migration (backup included), of an import from lnd and of one that adds to an earlier import; and every
PAYTOWER_KILL_STEP-th other call."""

import collections
import glob
import gzip
import os
import re
import shutil
import sqlite3
import subprocess
import unittest

import harness
import legacy
from harness import OK
from test_migrate import LND, QUARANTINED, dump

SYNCS = ("fdatasync", "fsync")
OTHERS = ("pwrite64", "write", "ftruncate", "fallocate", "unlink", "rename", "renameat2", "fcntl")
STEP = int(os.environ.get("PAYTOWER_KILL_STEP", "1"))
LAST = 16


def records_of(path):
    database = sqlite3.connect(path)
    rows = database.execute("SELECT sequence, record FROM outgoing_payments ORDER BY sequence").fetchall()
    statuses = database.execute("SELECT payment_hash, status FROM payment_statuses ORDER BY 1").fetchall()
    sound = database.execute("PRAGMA integrity_check").fetchone()[0]
    database.close()
    return rows, statuses, sound


class Kill(harness.World):
    def setUp(self):
        super().setUp()
        self.template = os.path.join(self.folder, "template")
        self.trace = os.path.join(self.folder, "trace")

    def start_over(self):
        """Makes the folder as it was before the first try: with the template's database, if there is one, and nothing else."""
        for path in glob.glob(self.db + "*"):
            os.unlink(path)
        if os.path.exists(self.template):
            shutil.copy(self.template, self.db)

    def strace(self, calls, inject, args):
        command = ["strace", "-f", "-y", "-o", self.trace, "-e", "trace=" + ",".join(calls), *inject, harness.BINARY, *args]
        done = subprocess.run(command, env=self.env, cwd=self.folder, capture_output=True, text=True, timeout=120)
        with open(self.trace, encoding="utf-8", errors="replace") as lines:
            return done, lines.read()

    def calls_of(self, *args):
        """How often an undisturbed run makes each of the calls."""
        self.start_over()
        done, trace = self.strace(SYNCS + OTHERS, [], args)
        self.assertIn(done.returncode, (OK, QUARANTINED), done.stderr)
        return collections.Counter(re.findall(r"^\d+ +(\w+)\(", trace, re.M))

    def kill_everywhere(self, args, check_killed):
        """Kills the run at each call. `check_killed` looks at what is left. Returns what an undisturbed run makes."""
        counted = self.calls_of(*args)
        expected = dump(self.db)
        self.assertGreater(sum(counted[call] for call in SYNCS), 1, counted)
        tried = collections.Counter()
        for call in SYNCS + OTHERS:
            for n in range(1, counted[call] + 1, 1 if call in SYNCS else STEP):
                with self.subTest(call=call, n=n):
                    self.start_over()
                    _, trace = self.strace((call,), ["-e", f"inject={call}:signal=KILL:when={n}"], args)
                    self.assertIn("killed by SIGKILL", trace)
                    check_killed(expected)
                    self.assertIn(self.run_it(*args).code, (OK, QUARANTINED))
                    self.assertEqual(dump(self.db), expected)
                    self.assertEqual(self.integrity(), "ok")
                    self.assertEqual(glob.glob(self.db + "*partial*"), [])
                    tried[call] += 1
        syncs = sum(tried[call] for call in SYNCS)
        self.assertEqual(syncs, sum(counted[call] for call in SYNCS))
        print(f"{' '.join(args)}: killed at each of {syncs} syncs and at {sum(tried.values()) - syncs} of "
              f"{sum(counted[call] for call in OTHERS)} other calls: each rerun ended the same")

    def harmless(self, trace):
        """True if nothing depended on the sync that failed: SQLite's own, of the folder of a journal, whose failure it ignores; or
        one of a checkpoint, if the log was synced after its last write and was kept."""
        before = trace[:trace.index("(INJECTED)")].splitlines()
        failed, before = before[-1], before[:-1]
        if re.search(r" fdatasync\(\d+<" + re.escape(self.folder) + ">", failed):
            return True
        log = re.escape(self.db + "-wal") + ">"
        written = max((i for i, line in enumerate(before) if re.search(r" pwrite64\(\d+<" + log, line)), default=None)
        synced = [i for i, line in enumerate(before) if re.search(r" fdatasync\(\d+<" + log + r"\) += 0", line)]
        return written is not None and any(i > written for i in synced) and os.path.getsize(self.db + "-wal") > 0

    def fail_everywhere(self, args, check_failed):
        """As `kill_everywhere`, but the call fails. A run that exits with 0 has made everything; `check_failed` looks at what the
        others left."""
        counted = self.calls_of(*args)
        expected = dump(self.db)
        tried, survived = collections.Counter(), collections.Counter()
        for call in SYNCS + OTHERS:
            error = "ENOSPC" if call in ("pwrite64", "fallocate") else "EIO"
            # Always tries the last calls, which decide about the exit code. The check afterwards reads the file, which writes a shared
            # index.
            last = range(max(1, counted[call] - LAST + 1), counted[call] + 1)
            for n in sorted({*range(1, counted[call] + 1, 1 if call in SYNCS else STEP), *last}):
                with self.subTest(call=call, n=n):
                    self.start_over()
                    done, trace = self.strace({call, "pwrite64", "fdatasync"}, ["-e", f"inject={call}:error={error}:when={n}"], args)
                    self.assertIn("(INJECTED)", trace)
                    self.assertGreaterEqual(done.returncode, 0, trace)
                    if done.returncode in (OK, QUARANTINED):
                        self.assertTrue(call not in SYNCS or self.harmless(trace), "what was not synced was said to be done")
                        self.assertEqual(dump(self.db), expected)
                        survived[call] += 1
                    else:
                        check_failed(expected)
                    self.assertIn(self.run_it(*args).code, (OK, QUARANTINED))
                    self.assertEqual(dump(self.db), expected)
                    self.assertEqual(self.integrity(), "ok")
                    self.assertEqual(glob.glob(self.db + "*partial*"), [])
                    tried[call] += 1
        print(f"{' '.join(args)}: failed at {sum(tried.values())} calls, was done all the same at {dict(survived)}: each rerun ended the same")

    def a_version_1_database(self):
        """Returns what the template holds."""
        records = [(i, legacy.record(legacy.preimage(i % 35), value=i)) for i in range(1, 41)] + [(60, b"cut")]
        legacy.make(self.template, records, [(legacy.preimage(-i), i % 3) for i in range(1, 9)])
        return records_of(self.template)

    def old_or_new(self, before, expected):
        """Returns the version: a database of version 1 holds what it held before, any other one what is expected."""
        database = sqlite3.connect(self.db)
        at = database.execute("PRAGMA user_version").fetchone()[0]
        database.close()
        self.assertEqual(records_of(self.db) if at == 1 else dump(self.db), before if at == 1 else expected)
        return at

    def none_or_new(self, expected):
        if os.path.exists(self.db):
            self.assertEqual(dump(self.db), expected)

    def test_a_version_1_database_and_its_backup(self):
        before = self.a_version_1_database()

        def check_killed(expected):
            at = self.old_or_new(before, expected)
            backups = [path for path in glob.glob(self.db + ".v1.bak*") if "partial" not in path]
            self.assertLessEqual(len(backups), 1)
            for backup in backups:
                self.assertEqual(records_of(backup), before)
            self.assertTrue(at == 1 or backups, "migrated without a backup")

        self.kill_everywhere(("migrate",), check_killed)

    def test_a_new_database_from_lnd(self):
        for name in ("v8.db", "v9ctl.db"):
            self.kill_everywhere(("migrate", "--from-lnd", os.path.join(LND, name)), self.none_or_new)

    def test_a_new_database_from_lnds_sql(self):
        source = self.native("lnd-native-v0.21.2.sqlite")
        before = os.stat(source).st_mtime_ns
        self.kill_everywhere(("migrate", "--from-lnd", source), self.none_or_new)
        self.assertEqual((os.stat(source).st_mtime_ns, glob.glob(source + "?*")), (before, []))

    def test_adding_lnds_sql_to_an_earlier_import_of_its_buckets(self):
        self.assertEqual(self.run_it("migrate", "--from-lnd", self.native("channel-v0.21.2.db")).code, OK)
        database = sqlite3.connect(self.db)
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()
        shutil.copy(self.db, self.template)
        earlier = dump(self.template)
        source = self.native("lnd-native-migrated-from-kv-v0.21.2.sqlite")
        since = sqlite3.connect(source)
        since.execute("INSERT INTO payments (id, amount_msat, created_at, payment_identifier, fail_reason) VALUES (40, 5, '2024-01-01 00:00:00 +0000 UTC', zeroblob(32), 1)")
        since.commit()
        since.close()

        def check_killed(expected):
            self.assertIn(dump(self.db), (earlier, expected))

        self.kill_everywhere(("migrate", "--from-lnd", source), check_killed)

    def native(self, name):
        path = os.path.join(self.folder, name)
        with gzip.open(os.path.join(LND, "releases", name + ".gz")) as packed, open(path, "wb") as file:
            file.write(packed.read())
        return path

    def an_earlier_import(self):
        """The template is an import of lnd's file as it was at payment 40. Returns lnd's file, and what the template holds."""
        source = os.path.join(LND, "v8big.db")
        self.ok("migrate", "--from-lnd", source)
        # As if lnd had gone on since: payments after 40 are missing, and no guard says that they were deleted.
        database = sqlite3.connect(self.db)
        triggers = database.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            database.execute(f"DROP TRIGGER {name}")
        for table in ("attempts", "payments"):
            database.execute(f"DELETE FROM {table} WHERE payment_index > 40")
        for _, sql in triggers:
            database.execute(sql)
        database.commit()
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()
        shutil.copy(self.db, self.template)
        return source, dump(self.template)

    def test_adding_to_an_earlier_import(self):
        source, earlier = self.an_earlier_import()

        def check_killed(expected):
            self.assertIn(dump(self.db), (earlier, expected))

        self.kill_everywhere(("migrate", "--from-lnd", source), check_killed)

    # --- a call that fails ---

    def test_vector_23_a_call_fails_under_a_version_1_database_and_its_backup(self):
        before = self.a_version_1_database()
        self.fail_everywhere(("migrate",), lambda expected: self.old_or_new(before, expected))

    def test_vector_23_a_call_fails_under_an_import(self):
        for source in (os.path.join(LND, "v8.db"), self.native("lnd-native-v0.21.2.sqlite")):
            self.fail_everywhere(("migrate", "--from-lnd", source), self.none_or_new)

    def test_vector_23_a_call_fails_under_adding_to_an_earlier_import(self):
        source, earlier = self.an_earlier_import()
        self.fail_everywhere(("migrate", "--from-lnd", source), lambda expected: self.assertIn(dump(self.db), (earlier, expected)))


if __name__ == "__main__":
    unittest.main()
