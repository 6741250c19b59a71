"""Goal: resume for cron: one bad row stops nobody, a held HTLC mails nobody, every open try of a named hash is taken up."""

import json
import sqlite3
import unittest

import harness
from harness import World


class Resume(World):
    def held_payment(self):
        invoice = self.invoice("100sat", "--hold", "forever")
        self.expect(harness.UNKNOWN, "send", invoice, "--yes", "--wait", "0")
        return self.hash_of(invoice)

    def damage(self, payment_hash):
        """Damages the route of the payment's attempts, as a failing disk would, past the trigger that forbids it."""
        with sqlite3.connect(self.db) as database:
            (trigger,) = database.execute("SELECT sql FROM sqlite_schema WHERE name = 'attempts_immutable'").fetchone()
            database.execute("DROP TRIGGER attempts_immutable")
            database.execute(
                "UPDATE attempts SET route = x'ffff' WHERE payment_index IN (SELECT payment_index FROM payments WHERE payment_hash = ?)",
                (bytes.fromhex(payment_hash),),
            )
            database.execute(trigger)
        database.close()

    def test_one_unreadable_row_stops_nobody(self):
        broken, whole = self.held_payment(), self.held_payment()
        self.damage(broken)
        self.ok("simulate", "release", whole)
        outcome = self.expect(harness.DATABASE, "resume", "--wait", "3s", "--json")
        self.assertEqual(outcome.out, "")
        error = outcome.error()
        self.assertEqual(error["code"], "database")
        self.assertIn("payment 1", error["message"])
        self.assertIn("1 paid", error["message"])
        self.assert_paid_once(whole)
        self.expect(harness.DATABASE, "resume", broken)
        listed = self.expect(harness.DATABASE, "list", "--json").json()
        self.assertEqual([row["payment_hash"] for row in listed["payments"]], [whole])
        self.assertEqual(len(listed["bad_rows"]), 1)
        self.assertEqual([row["state"] for row in self.ledger(broken)], ["held"])

    def test_quiet_says_nothing_of_a_held_htlc(self):
        self.held_payment()
        outcome = self.expect(harness.UNKNOWN, "resume", "--quiet", "--wait", "1s")
        self.assertEqual((outcome.out, outcome.err), ("", ""))

    def test_what_has_been_open_for_long_is_told_also_when_quiet(self):
        payment_hash = self.held_payment()
        young = self.expect(harness.UNKNOWN, "resume", "--quiet", "--wait", "1s", "--warn-after", "1h")
        self.assertEqual((young.out, young.err), ("", ""))
        old = self.expect(harness.UNKNOWN, "resume", "--quiet", "--wait", "1s", "--warn-after", "1ms")
        self.assertEqual(old.out, "")
        self.assertRegex(old.err, rf"^warning: 100 sat open for [\da-z ]+, locked probably until block [\d,]+, about \S+ \(in \d+ \w+\); "
                                  rf"never pay it by other means \({payment_hash}\)\n$")
        told = self.expect(harness.UNKNOWN, "resume", payment_hash, "--json", "--wait", "1s", "--warn-after", "1ms")
        self.assertEqual(json.loads(told.err)["warning"]["payment_hash"], payment_hash)
        # With the node away, and while another paytower has it.
        away = self.expect(harness.UNAVAILABLE, "resume", "--quiet", "--warn-after", "1ms", env={"PAYTOWER_SWITCH": "cln:/nowhere"})
        self.assertIn("100 sat open for", away.err)
        loud = self.expect(harness.UNAVAILABLE, "resume", env={"PAYTOWER_SWITCH": "cln:/nowhere"})
        self.assertIn("; 1 payment open: do not pay it by other means\nhint: paytower config\n", loud.err)
        other = self.popen("resume", "--wait", "forever", "--lock-timeout", "30s")  # whoever comes first
        self.wait_until(lambda: self.run_it("resume", "--quiet", "--wait", "1s").code == harness.BUSY)
        for args in (("resume",), ("resume", payment_hash)):
            busy = self.expect(harness.UNKNOWN, *args, "--quiet", "--wait", "1s", "--warn-after", "1ms")
            self.assertIn("100 sat open for", busy.err)
        self.kill(other)
        self.ok("simulate", "release", payment_hash)
        ended = self.ok("resume", "--quiet", "--warn-after", "1ms")
        self.assertEqual((ended.out, ended.err), ("", ""))

    def test_a_named_hash_means_all_its_open_tries(self):
        payment_hash = self.held_payment()
        address = self.env.pop("PAYTOWER_SWITCH")  # resolve is called while the switch cannot be reached
        self.ok("resolve", payment_hash, "--assume-failed", "--yes")
        self.env["PAYTOWER_SWITCH"] = address
        self.assertEqual(self.ok("show", payment_hash, "--json").json()["status"], "FAILED")
        self.ok("simulate", "release", payment_hash)
        # The try is on the watch list: resume by its hash asks about it, and stores its late success.
        self.ok("resume", payment_hash, "--wait", "3s")
        self.assert_paid_once(payment_hash)


if __name__ == "__main__":
    unittest.main()
