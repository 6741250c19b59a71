"""Goal: a machine's clock that cannot be right is named; nothing begins by it, and what is open is still collected."""

import json
import shutil
import subprocess
import unittest

import harness
from harness import BINARY, World

FAKETIME = shutil.which("faketime")


@unittest.skipIf(FAKETIME is None or harness.SANITIZED, "needs faketime, which a sanitizer does not bear")
class Clock(World):
    def at(self, clock, code, *args):
        done = subprocess.run([FAKETIME, clock, BINARY, *args], env=self.env, cwd=self.folder, text=True, stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=60)
        outcome = harness.Outcome(done.returncode, done.stdout, done.stderr)
        self.assertEqual(outcome.code, code, outcome)
        return outcome

    def test_send_and_batch_refuse_a_clock_before_the_release_or_beyond_the_ids(self):
        for clock in ("1970-01-01 00:02:00", "2026-11-29 23:00:00", "2060-01-01 00:00:00"):
            invoice = self.at(clock, harness.OK, "simulate", "invoice", "--amt", "10sat").out.strip()
            error = self.at(clock, harness.USAGE, "send", invoice, "--yes", "--json").error()
            self.assertEqual(error["code"], "clock")
            self.assertIn("clock", error["message"])
            with open(self.folder + "/batch", "w", encoding="utf-8") as file:
                file.write(json.dumps({"invoice": invoice}) + "\n")
            line = json.loads(self.at(clock, harness.USAGE, "send", "--batch", "batch", "--yes").out)
            self.assertEqual((line["exit_code"], line["error"]["code"]), (harness.USAGE, "clock"))
            self.assertEqual(self.ledger(), [])
        self.assertEqual(self.payments(), [])

    def test_resume_collects_by_such_a_clock(self):
        for clock in ("1970-01-01 00:02:00", "2060-01-01 00:00:00"):
            invoice = self.invoice("10sat", "--hold", "1s")
            self.expect(harness.UNKNOWN, "send", invoice, "--yes", "--wait", "0")
            self.wait_until(lambda: not self.held())
            self.at(clock, harness.OK, "resume", "--wait", "10s")
            paid = self.ok("show", self.hash_of(invoice), "--json").json()
            self.assertEqual(paid["status"], "SUCCEEDED")
            self.assertGreaterEqual(int(paid["htlcs"][0]["resolve_time_ns"]), int(paid["creation_time_ns"]))

    def test_a_clock_behind_the_newest_payment_is_said_aloud_and_no_dead_end(self):
        later, next_one = [self.at("2027-03-01 00:00:00", harness.OK, "simulate", "invoice", "--amt", "10sat").out.strip() for _ in range(2)]
        first = json.loads(self.at("2027-03-01 00:00:01", harness.OK, "send", later, "--yes", "--json").out)
        second = self.at("2027-02-01 00:00:00", harness.OK, "send", next_one, "--yes", "--json", "--quiet")
        self.assertIn("more than a day before payment 1 was made", json.loads(second.err.splitlines()[0])["warning"]["message"])
        self.assertGreater(int(json.loads(second.out)["htlcs"][0]["attempt_id"]), int(first["htlcs"][0]["attempt_id"]))
        self.assertIn("warning: the clock", self.at("2027-02-01 00:00:00", harness.OK, "resume", "--quiet").err)
        self.assertEqual(self.at("2027-03-01 00:00:00", harness.OK, "resume", "--quiet").err, "")


if __name__ == "__main__":
    unittest.main()
