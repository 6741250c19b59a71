"""Goal: a person may press Ctrl-C at any time: within a second the command is gone, says what is in flight, and a later
resume ends it."""

import json
import os
import signal
import subprocess
import time
import unittest

import harness
from harness import World
from served import Relayed


class Signals(World):
    def interrupted(self, which, code):
        invoice = self.invoice("250sat", "--hold", "forever")
        payment_hash = self.hash_of(invoice)
        process = self.send_in_background(invoice)
        begin = time.monotonic()
        process.send_signal(which)
        out, err = process.communicate(timeout=10)
        taken = time.monotonic() - begin
        self.assertEqual(process.returncode, code, err)
        self.assertLess(taken, 1.0 if not harness.SANITIZED else 3.0)
        self.assertIn("resume", err + out)
        self.assertIn(payment_hash, err + out)
        row = [p for p in self.payments() if p["payment_hash"] == payment_hash][0]
        self.assertEqual(row["status"], "IN_FLIGHT")
        self.expect(harness.UNKNOWN, "resume", payment_hash, "--wait", "300ms")
        self.ok("simulate", "release", payment_hash)
        self.ok("resume", payment_hash)
        self.assert_paid_once(payment_hash)

    def test_sigint(self):
        self.interrupted(signal.SIGINT, 130)

    def test_sigterm(self):
        self.interrupted(signal.SIGTERM, 143)

    def test_sighup(self):
        self.interrupted(signal.SIGHUP, 129)

    def test_resume_is_interrupted_too(self):
        invoice = self.invoice("250sat", "--hold", "forever")
        self.kill(self.send_in_background(invoice))
        process = self.popen("resume")
        time.sleep(0.4)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
        self.assertEqual(process.returncode, 130)

    def test_closed_stdout(self):
        """A reader that left is exit 1, never a crash, and the payment is made and stored."""
        invoice = self.invoice()
        process = self.popen("send", invoice, "--yes")
        process.stdout.close()
        process.stdout = None
        _, err = process.communicate(timeout=30)
        self.assertEqual(process.returncode, harness.INTERNAL, err)
        self.assert_paid_once(self.hash_of(invoice))

    def to_full(self, *args):
        """The hint of a call whose stdout takes nothing."""
        with open("/dev/full", "w", encoding="ascii") as full:
            process = self.popen(*args, stdout=full)
            _, err = process.communicate(timeout=30)
        self.assertEqual(process.returncode, harness.INTERNAL, err)
        self.assertIn("cannot write to stdout", err)
        return err.splitlines()[-1]

    def test_full_stdout(self):
        invoice, failing, held = self.invoice(), self.invoice("250sat", "--fail", "INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS"), self.invoice("9sat", "--hold", "forever")
        for one in (invoice, failing, held):
            self.assertEqual(self.to_full("send", one, "--yes", "--wait", "2s"), f"hint: paytower show {self.hash_of(one)}")
        self.assert_paid_once(self.hash_of(invoice))
        self.assertEqual([payment["status"] for payment in self.payments()], ["SUCCEEDED", "FAILED", "IN_FLIGHT"])
        hash_of_held = self.hash_of(held)
        for call in (["resume", hash_of_held[:8], "--wait", "0"], ["cancel", held]):
            self.assertEqual(self.to_full(*call), f"hint: paytower show {hash_of_held}")
        for call in (["send", self.invoice(), "--dry-run"], ["resume", "--wait", "0"], ["list"]):
            self.assertEqual(self.to_full(*call), "hint: paytower list")  # nothing is stored, or it is about many

    def test_wait_is_kept(self):
        for wait, bound in (("0", 2.0), ("500ms", 1.5), ("2s", 3.0)):
            with self.subTest(wait=wait):
                invoice = self.invoice("250sat", "--hold", "forever")
                begin = time.monotonic()
                self.expect(harness.UNKNOWN, "send", invoice, "--yes", "--wait", wait)
                self.assertLess(time.monotonic() - begin, bound + (5.0 if harness.SANITIZED else 0))


class Unanswered(Relayed):
    def test_before_anything_has_begun(self):
        """While the node is asked for routes: of one payment, and of a batch whose lines were all read."""
        path = os.path.join(self.folder, "batch.ndjson")
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(json.dumps({"invoice": self.invoice("100sat")}) + "\n" for _ in range(3))
        self.start("ignore@getroutes")
        for call, words in (([self.invoice("100sat")], "interrupted; nothing was sent and nothing was recorded\n"),
                            (["--batch", path], "interrupted behind line 3: 3 not begun; the same call with --idempotent sends the rest")):
            with self.subTest(call):
                self.relay.forget()
                process = self.popen("send", *call, "--yes")
                self.wait_until(lambda: "getroutes" in self.relay.methods())
                process.send_signal(signal.SIGINT)
                _, err = process.communicate(timeout=10)
                self.assertIn(words, err)
                self.assertEqual(process.returncode, 130)
        self.assertEqual(self.payments(), [])


if __name__ == "__main__":
    unittest.main()
