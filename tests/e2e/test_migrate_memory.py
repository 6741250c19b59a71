"""Goal: a migration or an import of any size stays within 64 MiB, and so does its dry run. Method: files of PAYTOWER_MIGRATE_MANY
records (100,000), each by the program itself; the kernel says how much memory it had at most. SQLite's caches fill up to some
100,000 records; whoever looks for a slow growth gives it a million."""

import os
import subprocess
import tempfile
import unittest

import harness
from harness import OK

MAKE = os.environ["PAYTOWER_MAKE_MANY"]
MANY = int(os.environ.get("PAYTOWER_MIGRATE_MANY", "100000"))
BOUND_KIB = 64 * 1024


class Memory(harness.World):
    def setUp(self):
        super().setUp()
        self.source = os.path.join(self.folder, "channel.db")

    def measure(self, what, *args):
        with tempfile.TemporaryFile(dir=self.folder) as err:
            child = subprocess.Popen([harness.BINARY, *args, "--json"], env=self.env, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err)
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            err.seek(0)
            self.assertEqual(child.returncode, OK, (what, err.read()))
        print(f"{what}: {usage.ru_maxrss / 1024:.1f} MiB of {MANY} records")
        self.assertLess(usage.ru_maxrss, BOUND_KIB, what)

    def make(self, kind, path, count):
        subprocess.run([MAKE, kind, path, str(count)], check=True)

    def check_all_there(self):
        counted = self.ok("stats", "--format", "json").json()
        self.assertEqual(counted["payments"] + counted["duplicates"], MANY)

    def test_a_version_1_database(self):
        self.make("version1", self.db, MANY)
        os.chmod(self.db, 0o600)
        self.measure("version 1, dry run", "migrate", "--dry-run")
        self.measure("version 1, with backup", "migrate")
        self.check_all_there()

    def imports(self, kind):
        self.make(kind, self.source, MANY // 10)
        call = ("migrate", "--from-lnd", self.source)
        self.measure(f"{kind}, a tenth", *call)
        os.unlink(self.source)
        self.make(kind, self.source, MANY)
        self.measure(f"{kind}, dry run of adding", *call, "--dry-run")
        self.measure(f"{kind}, adding the rest", *call)
        self.check_all_there()
        for end in ("", "-wal", "-shm"):
            if os.path.exists(self.db + end):
                os.unlink(self.db + end)
        self.measure(f"{kind}, dry run", *call, "--dry-run")
        self.measure(f"{kind}, new database", *call)
        self.check_all_there()

    def test_from_lnd_of_version_8(self):
        self.imports("legacy")

    def test_from_lnd_of_version_35(self):
        self.imports("kv")

    def test_from_lnd_of_native_sql(self):
        self.imports("sql")


if __name__ == "__main__":
    unittest.main()
