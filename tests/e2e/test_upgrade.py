"""Goal: the upgrade script of paytower-migrate.1 can be copied as it stands. Method: it is taken from the page and run on version 1
databases: one that migrates, one that is up to date, one with an unreadable record, and one whose check fails afterwards."""

import hashlib
import json
import os
import shutil
import sqlite3
import stat
import subprocess
import unittest

import harness
import legacy
import manual
from harness import DATABASE

SCRIPT, FROM_LND = manual.literals(manual.section(manual.source("paytower-migrate.1"), "EXAMPLES"))
LND = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "lnd")


class Upgrade(harness.World):
    def setUp(self):
        super().setUp()
        self.env["PATH"] = os.path.dirname(os.path.abspath(harness.BINARY)) + ":" + self.env["PATH"]
        self.env.pop("PAYTOWER_DB")
        self.env.pop("PAYTOWER_SWITCH")
        data = os.path.join(self.folder, ".local", "share", "paytower")
        os.makedirs(data, 0o700)
        self.db = os.path.join(data, "payments.db")
        self.script = os.path.join(self.folder, "upgrade.sh")
        with open(self.script, "w", encoding="utf-8") as file:
            file.write(SCRIPT)

    def legacy(self, *more):
        records = [(1, legacy.record(legacy.preimage(1))), (2, legacy.record(legacy.preimage(2), value=5)), *more]
        legacy.make(self.db, records)

    def upgrade(self):
        return subprocess.run(["sh", self.script], env=self.env, cwd=self.folder, capture_output=True, text=True, timeout=120)

    def version(self, path):
        database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        version = database.execute("PRAGMA user_version").fetchone()[0]
        database.close()
        return version

    def test_what_has_no_old_records_is_not_said_to_have_none(self):
        """From version 2 on no record has to be read: "0 payments" would look as if all of them were lost."""
        kept = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "schema", "version2.db")
        shutil.copy(kept, self.db)
        os.chmod(self.db, 0o600)
        with sqlite3.connect(self.db) as database:
            before = database.execute("SELECT count(*) FROM payments").fetchone()[0]
        told = self.run_it("migrate")
        self.assertIn("Every payment is kept as it is.\n", told.out)
        self.assertNotIn("0 payments", told.out)
        self.assertEqual(len(self.payments()), before)

    def test_it_is_a_script_with_all_its_steps(self):
        self.assertTrue(SCRIPT.startswith("#!/bin/sh\n"))
        for step in ("migrate --status", "migrate --dry-run", "migrate --backup", "check", "roll back"):
            self.assertIn(step, SCRIPT)

    def test_an_upgrade(self):
        self.legacy()
        done = self.upgrade()
        self.assertEqual(done.returncode, 0, done)
        self.assertEqual((self.version(self.db), self.version(self.db + ".before-upgrade")), (5, 1))
        with open(os.path.join(self.folder, "report.json"), encoding="utf-8") as file:
            report = json.load(file)
        self.assertEqual((report["migrated"], report["quarantined"], report["dry_run"]), (2, [], True))
        for number in (1, 2):
            self.assertIn(legacy.payment_hash(legacy.preimage(number)).hex(), done.stdout)

        before = os.stat(self.db).st_mtime_ns
        again = self.upgrade()
        self.assertEqual(again.returncode, 0, again)
        self.assertEqual(os.stat(self.db).st_mtime_ns, before)

    def test_an_upgrade_with_a_record_set_aside(self):
        self.legacy((3, b"cut off"))
        done = self.upgrade()
        self.assertEqual(done.returncode, 0, done)
        self.assertEqual(self.version(self.db), 5)
        self.assertEqual(len(self.ok("--db", self.db, "list", "--quarantine", "--json").json()["quarantined"]), 1)

    def test_no_upgrade_when_the_dry_run_says_no(self):
        legacy.make(self.db, [(1, legacy.record(legacy.preimage(1)))], source=None)
        done = self.upgrade()
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(self.version(self.db), 1)
        self.assertFalse(os.path.exists(self.db + ".before-upgrade"))

    def test_the_way_back(self):
        """`check` finds a fault after the migration (here, modes that are too wide)."""
        self.legacy()
        folder = os.path.join(self.folder, "bin")
        os.mkdir(folder)
        with open(os.path.join(folder, "paytower"), "w", encoding="utf-8") as file:
            file.write(f'#!/bin/sh\ncase " $* " in *" check "*) chmod 644 "{self.db}" ;; esac\nexec {harness.BINARY} "$@"\n')
        os.chmod(os.path.join(folder, "paytower"), 0o755)
        self.env["PATH"] = folder + ":" + self.env["PATH"]
        database = sqlite3.connect(self.db)
        rows = database.execute("SELECT sequence, record FROM outgoing_payments ORDER BY sequence").fetchall()
        database.close()

        done = self.upgrade()
        self.assertEqual(done.returncode, DATABASE, done)
        self.assertEqual(self.version(self.db), 1)
        self.assertEqual(stat.S_IMODE(os.stat(self.db).st_mode), 0o600)
        database = sqlite3.connect(self.db)
        self.assertEqual(database.execute("SELECT sequence, record FROM outgoing_payments ORDER BY sequence").fetchall(), rows)
        self.assertEqual(database.execute("PRAGMA integrity_check").fetchone()[0], "ok")
        database.close()
        self.assertFalse(os.path.exists(self.db + ".back"))
        with open(self.db, "rb") as now, open(self.db + ".before-upgrade", "rb") as copy:
            self.assertEqual(hashlib.sha256(now.read()).digest(), hashlib.sha256(copy.read()).digest())

        # Once more, with the real program.
        os.unlink(os.path.join(folder, "paytower"))
        os.unlink(self.db + ".before-upgrade")
        self.assertEqual(self.upgrade().returncode, 0)
        self.assertEqual(self.version(self.db), 5)

    def test_from_lnd(self):
        folder = os.path.join(self.folder, ".lnd", "data", "graph", "mainnet")
        os.makedirs(folder)
        shutil.copy(os.path.join(LND, "v8.db"), os.path.join(folder, "channel.db"))
        for _ in range(2):
            done = subprocess.run(["sh", "-c", FROM_LND], env=self.env, cwd=self.folder, capture_output=True, text=True, timeout=120)
            self.assertEqual(done.returncode, 0, done)
        self.assertEqual(len(self.ok("--db", "lnd.db", "list", "--json").json()["payments"]), 3)


if __name__ == "__main__":
    unittest.main()
