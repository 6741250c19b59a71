"""Goal: a migration that is killed at any sync, write, cut or renaming leaves the old database or the new one, and run again it
ends as if nothing had been. Method: strace injects SIGKILL at the n-th call, every sync of a small migration (backup
included), of an import from lnd and of one that adds to an earlier import; and every PAYTOWER_KILL_STEP-th other call."""

import collections
import glob
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
        """The folder as it was before the first try: the database of the template, if there is one, and nothing beside it."""
        for path in glob.glob(self.db + "*"):
            os.unlink(path)
        if os.path.exists(self.template):
            shutil.copy(self.template, self.db)

    def strace(self, calls, inject, args):
        command = ["strace", "-f", "-o", self.trace, "-e", "trace=" + ",".join(calls), *inject, harness.BINARY, *args]
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
        """`check_killed` looks at what the killed run left. Returns what an undisturbed run makes."""
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

    def test_a_version_1_database_and_its_backup(self):
        records = [(i, legacy.record(legacy.preimage(i % 35), value=i)) for i in range(1, 41)] + [(60, b"cut")]
        legacy.make(self.template, records, [(legacy.preimage(-i), i % 3) for i in range(1, 9)])
        before = records_of(self.template)

        def check_killed(expected):
            version = sqlite3.connect(self.db)
            at = version.execute("PRAGMA user_version").fetchone()[0]
            version.close()
            if at == 1:
                self.assertEqual(records_of(self.db), before)
            else:
                self.assertEqual(dump(self.db), expected)
            backups = [path for path in glob.glob(self.db + ".v1.bak*") if "partial" not in path]
            self.assertLessEqual(len(backups), 1)
            for backup in backups:
                self.assertEqual(records_of(backup), before)
            self.assertTrue(at == 1 or backups, "migrated without a backup")

        self.kill_everywhere(("migrate",), check_killed)

    def test_a_new_database_from_lnd(self):
        def check_killed(expected):
            if os.path.exists(self.db):
                self.assertEqual(dump(self.db), expected)

        for name in ("v8.db", "v9ctl.db"):
            self.kill_everywhere(("migrate", "--from-lnd", os.path.join(LND, name)), check_killed)

    def test_adding_to_an_earlier_import(self):
        source = os.path.join(LND, "v8big.db")
        self.ok("migrate", "--from-lnd", source)
        # As if lnd had gone on since: what follows payment 40 is not there yet, and no guard says that it was deleted.
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
        earlier = dump(self.template)

        def check_killed(expected):
            self.assertIn(dump(self.db), (earlier, expected))

        self.kill_everywhere(("migrate", "--from-lnd", source), check_killed)


if __name__ == "__main__":
    unittest.main()
