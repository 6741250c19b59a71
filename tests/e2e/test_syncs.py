"""Goal: a settled single-attempt payment costs two durable commits in the payments database, and each stands where R1 wants
it. Method: strace counts fdatasync of payments.db-wal between the first statement and the report."""

import os
import re
import subprocess
import unittest

import harness
from harness import World


class Syncs(World):
    def trace_send(self):
        trace = os.path.join(self.folder, "trace")
        env = {**self.env, "ASAN_OPTIONS": "detect_leaks=0"}
        command = ["strace", "-f", "-y", "-o", trace, "-e", "trace=fdatasync,fsync,write,pwrite64,ftruncate", harness.BINARY, "send",
                   self.invoice(), "--yes"]
        done = subprocess.run(command, env=env, cwd=self.folder, capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(trace, encoding="utf-8", errors="replace") as lines:
            return lines.read().splitlines()

    def test_two_commits(self):
        self.ok("send", self.invoice(), "--yes")  # the database exists from here on
        lines = self.trace_send()
        report = next(i for i, line in enumerate(lines) if re.search(r"write\(1<", line))
        wal_syncs = [i for i, line in enumerate(lines) if re.search(r"f(data)?sync\(\d+<[^>]*payments\.db-wal>", line)]
        db_syncs = [i for i, line in enumerate(lines) if re.search(r"f(data)?sync\(\d+<[^>]*payments\.db>", line)]
        before = [i for i in wal_syncs if i < report]
        header = 1 if any(re.search(r"pwrite64\(\d+<[^>]*payments\.db-wal>.*, 32, 0\)", line) for line in lines[:report]) else 0
        print(f"fdatasync of payments.db-wal before the report: {len(before)}, of them {header} for the header of a truncated WAL; "
              f"after the report: {len(wal_syncs) - len(before)} of the WAL and {len([i for i in db_syncs if i > report])} of the database "
              "(the closing checkpoint)")
        self.assertEqual(len(before) - header, 2)
        self.assertEqual([i for i in db_syncs if i < report], [])

    def test_nothing_is_said_before_it_is_stored(self):
        lines = self.trace_send()
        first_word = next(i for i, line in enumerate(lines) if re.search(r"write\(1<", line))
        last_commit = max(i for i, line in enumerate(lines[:first_word]) if re.search(r"f(data)?sync\(\d+<[^>]*payments\.db-wal>", line))
        wrote_after = [line for line in lines[last_commit:first_word] if re.search(r"pwrite64\(\d+<[^>]*payments\.db-wal>", line)]
        self.assertEqual(wrote_after, [])


if __name__ == "__main__":
    unittest.main()
