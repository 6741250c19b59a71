"""Goal: a command is back when its --wait is over, also when what it waits for is the database; and it says so."""

import fcntl
import os
import shutil
import sqlite3
import struct
import subprocess
import time
import unittest

import harness
from harness import World


class WriteLock(World):
    def hold_write_lock(self):
        """Locks byte 0 of the lock file, as another paytower does."""
        # pylint: disable=consider-using-with
        file = open(self.db + ".lock", "r+b")
        self.addCleanup(file.close)
        fcntl.fcntl(file, 37, struct.pack("hhqqixxxx", fcntl.F_WRLCK, 0, 0, 1, 0))  # F_OFD_SETLK

    def timed(self, code, *args):
        begin = time.monotonic()
        outcome = self.expect(code, *args)
        return outcome, time.monotonic() - begin

    def assert_the_hint_finds_us(self, outcome, path):
        command = f"fuser -v {path}"
        self.assertIn(f"hint: {command}\n", outcome.err)
        if shutil.which("fuser"):
            found = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
            self.assertIn(str(os.getpid()), found.stdout.split())

    def test_send_and_resume(self):
        open_one = self.invoice("10sat", "--hold", "forever")
        self.expect(harness.UNKNOWN, "send", open_one, "--yes", "--wait", "0")
        self.hold_write_lock()
        outcome, seconds = self.timed(harness.BUSY, "send", self.invoice(), "--yes", "--wait", "2s")
        self.assertLess(seconds, 4)
        self.assertIn("holds the write lock of the database", outcome.err)
        self.assert_the_hint_finds_us(outcome, self.db + ".lock")
        _, seconds = self.timed(harness.BUSY, "send", self.invoice(), "--yes", "--wait", "0")
        self.assertLess(seconds, 3)
        self.ok("simulate", "release", self.hash_of(open_one))
        outcome, seconds = self.timed(harness.UNKNOWN, "resume", "--wait", "2s", self.hash_of(open_one))
        self.assertLess(seconds, 4)
        self.assertIn("holds the write lock of the database", outcome.err)
        self.assertIn("preimage", outcome.err)

    def test_resume_of_all_says_why_nothing_is_stored(self):
        calls = [self.invoice("10sat", "--hold", "2s", "--fail", "INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS") for _ in range(2)]
        for invoice in calls:
            self.expect(harness.UNKNOWN, "send", invoice, "--yes", "--wait", "0")
        self.hold_write_lock()
        outcome = self.expect(harness.UNKNOWN, "resume", "--wait", "4s")
        self.assertEqual(outcome.err.count("holds the write lock of the database"), 1, outcome)
        self.assertEqual([row["state"] for invoice in calls for row in self.ledger(self.hash_of(invoice))], ["failed", "failed"])

    def test_another_program(self):
        self.ok("send", self.invoice(), "--yes")
        shell = sqlite3.connect(self.db, isolation_level=None)
        self.addCleanup(shell.close)
        shell.execute("BEGIN IMMEDIATE")
        outcome, seconds = self.timed(harness.BUSY, "send", self.invoice(), "--yes", "--wait", "2s")
        self.assertLess(seconds, 4)
        self.assertIn("another program is writing to the database", outcome.err)
        self.assert_the_hint_finds_us(outcome, self.db)
        shell.execute("COMMIT")
        shell.execute("PRAGMA locking_mode = EXCLUSIVE")
        shell.execute("BEGIN EXCLUSIVE")
        outcome = self.expect(harness.BUSY, "list")
        self.assertIn("another program holds the database", outcome.err)
        self.assert_the_hint_finds_us(outcome, self.db)


if __name__ == "__main__":
    unittest.main()
