"""Goal: a settled single-attempt payment costs two durable commits in the payments database, and each stands where R1 wants
it; nothing else is synced; a full disk is told with what it means for the money. Method: strace counts every call that syncs, by
the file that it names, and lets writes fail."""

import collections
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
        command = ["strace", "-f", "-y", "-o", trace, "-e", "trace=fdatasync,fsync,sync_file_range,msync,syncfs,sync,write,pwrite64,ftruncate", harness.BINARY, "send",
                   self.invoice(), "--yes"]
        done = subprocess.run(command, env=env, cwd=self.folder, capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(trace, encoding="utf-8", errors="replace") as lines:
            return lines.read().splitlines()

    def syncs(self, lines):
        """The names of the synced files, in order. Leaves out the simulated network's own file, and the folder, which SQLite syncs
        once for each log that it opens (the database's and the network's)."""
        found = [re.search(r"(?:fsync|fdatasync|sync_file_range|msync|syncfs)\((?:\d+<([^>]*)>)?", line) for line in lines]
        names = [os.path.basename(match.group(1) or "unknown") for match in found if match]
        self.assertLessEqual(names.count(os.path.basename(self.folder)), 2)
        return [name for name in names if not name.startswith("network.sim") and name != os.path.basename(self.folder)]

    def test_two_commits(self):
        self.ok("send", self.invoice(), "--yes")  # the database exists from here on
        lines = self.trace_send()
        report = next(i for i, line in enumerate(lines) if re.search(r"write\(1<", line))
        print(f"syncs of a settled send: {self.syncs(lines)}")
        # First what an earlier process may have left unsynced in the log, then the two commits; nothing after the report.
        self.assertEqual(self.syncs(lines), ["payments.db-wal"] * 3)
        self.assertEqual(self.syncs(lines[report:]), [])

    def test_the_first_two_commits_of_an_empty_log(self):
        self.ok("send", self.invoice(), "--yes")
        subprocess.run(["sqlite3", self.db, "PRAGMA wal_checkpoint(TRUNCATE)"], check=True, capture_output=True)
        # The header of the log, and the two commits.
        self.assertEqual(self.syncs(self.trace_send()), ["payments.db-wal"] * 3)

    def test_the_log_is_brought_back_when_it_is_large(self):
        wal = self.db + "-wal"
        for _ in range(60):
            before = os.path.getsize(wal) if os.path.exists(wal) else 0
            self.ok("send", self.invoice(), "--yes", "--quiet")
            if os.path.getsize(wal) < before:
                self.assertGreater(before, 900_000)
                return
        self.fail(f"the log has {os.path.getsize(wal)} bytes")

    def test_nothing_is_said_before_it_is_stored(self):
        lines = self.trace_send()
        first_word = next(i for i, line in enumerate(lines) if re.search(r"write\(1<", line))
        last_commit = max(i for i, line in enumerate(lines[:first_word]) if re.search(r"f(data)?sync\(\d+<[^>]*payments\.db-wal>", line))
        wrote_after = [line for line in lines[last_commit:first_word] if re.search(r"pwrite64\(\d+<[^>]*payments\.db-wal>", line)]
        self.assertEqual(wrote_after, [])


class FullDisk(World):
    """Each write to the database's log fails once. The error says whether an HTLC may be out, and the network's ledger agrees."""

    def test_it_says_whether_money_may_have_moved(self):
        self.ok("send", self.invoice(), "--yes")
        said = collections.Counter()
        for n in range(1, 200):
            invoice = self.invoice()
            payment_hash = self.hash_of(invoice)
            command = ["strace", "-f", "-o", os.devnull, "-P", self.db + "-wal", "-e", f"inject=pwrite64:error=ENOSPC:when={n}+", harness.BINARY, "send", invoice, "--yes"]
            done = subprocess.run(command, env=self.env, cwd=self.folder, capture_output=True, text=True, timeout=120)
            if done.returncode == harness.OK:
                break
            with self.subTest(write=n):
                self.assertEqual(done.returncode, harness.DATABASE, done)
                self.assertIn("database or disk is full", done.stderr)
                moved = bool(self.ledger(payment_hash))
                self.assertEqual("this call has sent no HTLC" in done.stderr, not moved, done)
                self.assertEqual("an HTLC that this call has sent may be in flight" in done.stderr, moved, done)
                self.assertIn("hint: paytower " + ("resume" if moved else "check"), done.stderr)
                said[moved] += 1
                self.assertIn(self.run_it("resume", "--all").code, (harness.OK, harness.FAILED))
                self.assertLessEqual(len([row for row in self.ledger(payment_hash) if row["state"] == "settled"]), 1)
        print(f"a full disk: nothing sent {said[False]}, perhaps in flight {said[True]}")
        self.assertGreater(said[False], 0)
        self.assertGreater(said[True], 0)


if __name__ == "__main__":
    unittest.main()
