"""Goal: whatever kills a send, and wherever, the payment is made exactly once. Method: the process is killed at each of its
system calls that write, sync, cut or lock (strace injects SIGKILL at the n-th), then resumed like a cron job would."""

import os
import re
import subprocess
import unittest

import harness
from harness import World
from lanes import TIMEOUT_OF_SETS, Lanes

CALLS = "pwrite64,write,fdatasync,fsync,ftruncate,fcntl,unlink,fallocate,pwritev,rename,renameat2"
STEP = int(os.environ.get("PAYTOWER_KILL_STEP", "1"))


class Kill(World):
    def strace(self, extra, *args):
        trace = os.path.join(self.folder, "trace")
        command = ["strace", "-f", "-o", trace, "-e", "trace=" + CALLS, *extra, harness.BINARY, *args]
        env = {**self.env, "ASAN_OPTIONS": "detect_leaks=0"}  # the leak checker cannot run under a tracer
        done = subprocess.run(command, env=env, cwd=self.folder, capture_output=True, text=True, timeout=120)
        with open(trace, encoding="utf-8", errors="replace") as lines:
            return done, lines.read()

    def pay_killed_at(self, n, invoice):
        self.strace(["-e", f"inject={CALLS}:signal=KILL:when={n}"], "send", invoice, "--yes")

    def test_every_step_of_send(self):
        # How many such calls an undisturbed send makes (waiting for locks may add some).
        done, trace = self.strace([], "send", self.invoice(), "--yes")
        self.assertEqual(done.returncode, 0, done.stderr)
        calls = len(re.findall(r"^\d+ +(?:%s)\(" % CALLS.replace(",", "|"), trace, re.M))
        self.assertGreater(calls, 20)
        points = range(1, calls + 1, STEP)
        for n in points:
            with self.subTest(call=n):
                invoice = self.invoice()
                payment_hash = self.hash_of(invoice)
                self.pay_killed_at(n, invoice)
                known = self.run_it("show", payment_hash, "--json")
                if known.code == harness.NOT_FOUND:
                    # Killed before the payment was recorded: nothing may have been handed over, and the operator sends again.
                    self.assertEqual(self.ledger(payment_hash), [])
                    self.ok("send", invoice, "--yes")
                else:
                    self.ok("resume", "--json")
                self.assert_paid_once(payment_hash)
        print(f"killed at {len(points)} of {calls} system calls: each payment settled exactly once")
        self.assertEqual(self.integrity(), "ok")

    def test_every_step_of_making_the_database(self):
        """A first send that is killed leaves no database, or a complete one."""
        _, trace = self.strace([], "send", self.invoice(), "--yes")
        end = next(i for i, line in enumerate(trace.splitlines()) if "rename" in line) + 10
        whole = 0
        for n in range(1, end, STEP):
            with self.subTest(call=n):
                self.env["PAYTOWER_DB"] = self.db = os.path.join(self.folder, f"{n}", "payments.db")
                os.mkdir(os.path.dirname(self.db))
                invoice = self.invoice()
                self.pay_killed_at(n, invoice)
                if os.path.exists(self.db):
                    whole += 1
                    self.assertGreater(os.path.getsize(self.db), 0)
                    self.ok("check")
                else:
                    self.assertIn("there is no database", self.expect(harness.DATABASE, "list").err)
                if self.run_it("show", self.hash_of(invoice)).code != harness.OK:
                    self.ok("send", invoice, "--yes")
                else:
                    self.ok("resume")
                self.assert_paid_once(self.hash_of(invoice))
                self.ok("check")
                left = [name for name in os.listdir(os.path.dirname(self.db)) if "partial" in name]
                self.assertEqual(left, [])
        self.assertGreater(whole, 0)

    def test_every_step_of_resume(self):
        invoice = self.invoice()
        first = True
        n = 1
        while True:
            invoice = self.invoice("250sat", "--hold", "200ms")
            payment_hash = self.hash_of(invoice)
            self.kill(self.send_in_background(invoice))
            done, trace = self.strace(["-e", f"inject={CALLS}:signal=KILL:when={n}"], "resume")
            killed = "killed by SIGKILL" in trace
            self.ok("resume")
            self.assert_paid_once(payment_hash)
            if not killed:
                break
            first = False
            n += max(STEP, 3)
        self.assertFalse(first)
        self.assertEqual(self.integrity(), "ok")


class KillOfParts(Kill, Lanes):
    """The same for a payment in three parts, of which only some may have been handed over."""

    test_every_step_of_making_the_database = None
    test_every_step_of_resume = None

    def test_every_step_of_send(self):
        done, trace = self.strace([], "send", self.invoice_of(3), "--yes")
        self.assertEqual(done.returncode, 0, done.stderr)
        calls = len(re.findall(r"^\d+ +(?:%s)\(" % CALLS.replace(",", "|"), trace, re.M))
        self.assertGreater(calls, 20)
        points = range(1, calls + 1, STEP)
        ends = {"SUCCEEDED": 0, "FAILED": 0}
        half_sent = 0
        for n in points:
            with self.subTest(call=n):
                self.build(self.lanes)
                invoice = self.invoice_of(3)
                payment_hash = self.hash_of(invoice)
                self.pay_killed_at(n, invoice)
                half_sent += len(self.ledger(payment_hash)) in (1, 2)
                if self.run_it("show", payment_hash, "--json").code == harness.NOT_FOUND:
                    self.assertEqual(self.ledger(payment_hash), [])
                    self.ok("send", invoice, "--yes")
                else:
                    self.finish(payment_hash)
                status = self.ok("show", payment_hash, "--json").json()["status"]
                ends[status] += 1
                self.assert_paid_exactly(invoice) if status == "SUCCEEDED" else self.assert_not_paid(invoice)
        print(f"killed at {len(points)} of {calls} system calls, {half_sent} times between the parts: {ends}")
        self.assertEqual(self.integrity(), "ok")

    def finish(self, payment_hash):
        """Resumes as cron does, until the payee gives up its incomplete set."""
        for _ in range(3):
            self.run_it("resume", "--wait", "8s")
            if self.ok("show", payment_hash, "--json").json()["status"] != "IN_FLIGHT":
                return
            self.pass_time(TIMEOUT_OF_SETS)


if __name__ == "__main__":
    unittest.main()
