"""Goal: any number of processes on one database make one HTLC. Method: eight sends of one invoice and four resumes started
together, many rounds."""

import os
import unittest

import harness
from harness import World

ROUNDS = int(os.environ.get("PAYTOWER_RACE_ROUNDS", "50"))


class Race(World):
    def test_eight_sends_and_four_resumes(self):
        # A resume without a database fails, so there is one from the start.
        self.ok("send", self.invoice("1sat"), "--yes")
        for round_number in range(ROUNDS):
            with self.subTest(round=round_number):
                invoice = self.invoice("100sat")
                payment_hash = self.hash_of(invoice)
                commands = [["send", invoice, "--yes"]] * 8 + [["resume"]] * 4
                processes = [self.popen(*command) for command in commands]
                outcomes = []
                for process in processes:
                    out, err = process.communicate(timeout=120)
                    outcomes.append(harness.Outcome(process.returncode, out, err))
                sends, resumes = outcomes[:8], outcomes[8:]
                codes = sorted(outcome.code for outcome in sends)
                self.assertEqual(codes.count(0), 1, sends)
                self.assertTrue(set(codes[1:]) <= {harness.REFUSED, harness.BUSY}, sends)
                self.assertTrue({outcome.code for outcome in resumes} <= {harness.OK, harness.UNKNOWN, harness.BUSY}, resumes)
                for outcome in outcomes:
                    self.assertNotIn("locked", outcome.err)
                self.assertEqual(len(self.ledger(payment_hash)), 1)
                self.assert_paid_once(payment_hash)
        self.assertEqual(self.integrity(), "ok")
        print(f"{ROUNDS} rounds of 8 sends and 4 resumes: one HTLC each")


if __name__ == "__main__":
    unittest.main()
