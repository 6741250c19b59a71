"""Goal: delete never makes a hash payable again and never touches what is open; a dry run tells exactly what will happen;
cancel is a durable word from any process."""

import sqlite3
import unittest

import harness
from harness import World


class Delete(World):
    def setUp(self):
        super().setUp()
        self.paid = self.invoice("100sat")
        self.ok("send", self.paid, "--yes")
        self.failed = self.invoice("100sat", "--fail", "INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS")
        self.expect(harness.FAILED, "send", self.failed, "--yes")
        self.open = self.invoice("100sat", "--hold", "forever")
        self.expect(harness.UNKNOWN, "send", self.open, "--yes", "--wait", "0")

    def counts(self, *args):
        outcome = self.ok(*args, "--json").json()
        return {k: v for k, v in outcome.items() if k != "dry_run"}

    def test_open_payments_stay(self):
        self.expect(harness.REFUSED, "delete", self.hash_of(self.open), "--yes")
        outcome = self.ok("delete", "--all", "--include-non-failed", "--yes", "--json").json()
        self.assertEqual(outcome["deleted"], 2)
        self.assertEqual([p["payment_hash"] for p in self.payments()], [self.hash_of(self.open)])

    def test_dry_run_counts_what_is_then_deleted(self):
        for extra in (["--all"], ["--all", "--failed-htlcs-only"], ["--all", "--include-non-failed"], [self.hash_of(self.paid)]):
            with self.subTest(args=extra):
                before = self.payments()
                known = {p["payment_hash"] for p in before}
                if extra[0] not in ("--all",) and extra[0] not in known:
                    continue
                planned = self.counts("delete", *extra, "--dry-run")
                self.assertEqual(self.payments(), before)
                self.assertEqual(self.counts("delete", *extra, "--yes"), planned)

    def test_a_deleted_paid_hash_is_still_refused(self):
        payment_hash = self.hash_of(self.paid)
        preimage = self.ok("show", payment_hash, "--json").json()["payment_preimage"]
        self.ok("delete", payment_hash, "--yes")
        self.assertNotIn(payment_hash, [p["payment_hash"] for p in self.payments()])
        refused = self.expect(harness.REFUSED, "send", self.paid, "--yes", "--json")
        self.assertEqual(refused.error()["code"], "already_paid")
        again = self.ok("send", self.paid, "--yes", "--idempotent", "--json").json()
        self.assertEqual(again["payment_preimage"], preimage)
        self.ok("show", payment_hash)
        self.assertEqual(len(self.ledger(payment_hash)), 1)
        # Only --forget makes it payable again; the payee then refuses a second payment by itself.
        self.ok("delete", payment_hash, "--forget", "--yes")
        self.expect(harness.NOT_FOUND, "show", payment_hash)

    def test_no_question_without_a_terminal(self):
        for said in ("--all --include-non-failed --older-than 0", f"{self.hash_of(self.paid)} --forget"):
            refused = self.expect(harness.NOT_CONFIRMED, "delete", *said.split())
            self.assertIn(f"hint: paytower delete {said} --dry-run\n", refused.err)
        self.assertEqual(len(self.payments()), 3)

    def test_a_selector_is_needed(self):
        self.expect(harness.USAGE, "delete", "--yes")


class Cancel(World):
    def test_cancel_stops_further_attempts_of_a_running_send(self):
        # The first attempt fails after a hold; without the cancel a second one would follow.
        invoice = self.invoice("100sat", "--hold", "forever")
        payment_hash = self.hash_of(invoice)
        process = self.send_in_background(invoice)
        self.expect(harness.UNKNOWN, "cancel", payment_hash)
        self.assertTrue(self.ok("show", payment_hash, "--json").json()["cancel_requested"])
        self.ok("simulate", "release", payment_hash, "--fail", "TEMPORARY_NODE_FAILURE")
        process.communicate(timeout=30)
        self.assertEqual(process.returncode, harness.FAILED)
        shown = self.ok("show", payment_hash, "--json").json()
        self.assertEqual((shown["status"], shown["failure_reason"]), ("FAILED", "FAILURE_REASON_CANCELED"))
        self.assertEqual(len(shown["htlcs"]), 1)
        self.assertEqual([row["state"] for row in self.ledger(payment_hash)], ["failed"])

    def test_cancel_of_what_ended_is_refused(self):
        invoice = self.invoice()
        self.ok("send", invoice, "--yes")
        self.expect(harness.REFUSED, "cancel", self.hash_of(invoice))

    def test_a_cancelled_payment_that_settles_is_paid(self):
        invoice = self.invoice("100sat", "--hold", "forever")
        payment_hash = self.hash_of(invoice)
        self.kill(self.send_in_background(invoice))
        self.expect(harness.UNKNOWN, "cancel", payment_hash)
        self.ok("simulate", "release", payment_hash)
        self.ok("resume", payment_hash)
        self.assert_paid_once(payment_hash)

    def test_dry_run_changes_nothing(self):
        invoice = self.invoice("100sat", "--hold", "forever")
        payment_hash = self.hash_of(invoice)
        self.kill(self.send_in_background(invoice))
        self.run_it("cancel", payment_hash, "--dry-run")
        self.assertFalse(self.ok("show", payment_hash, "--json").json()["cancel_requested"])


class Resolve(World):
    def test_assume_failed_is_watched_and_a_late_success_is_stored(self):
        invoice = self.invoice("100sat", "--hold", "forever")
        payment_hash = self.hash_of(invoice)
        self.kill(self.send_in_background(invoice))
        # While the switch still shows the HTLC, --assume-failed is refused; without a switch nothing contradicts it.
        self.expect(harness.REFUSED, "resolve", payment_hash, "--assume-failed", "--yes")
        del self.env["PAYTOWER_SWITCH"]
        self.ok("resolve", payment_hash, "--assume-failed", "--yes")
        shown = self.ok("show", payment_hash, "--json").json()
        self.assertEqual((shown["status"], shown["definitive"]), ("FAILED", False))
        self.env["PAYTOWER_SWITCH"] = self.switch
        self.expect(harness.REFUSED, "delete", payment_hash, "--yes")  # the watch list is not deletable
        self.ok("simulate", "release", payment_hash)
        decided, _ = self.times()
        self.ok("resume")
        self.assertEqual(self.assert_paid_once(payment_hash)["status"], "SUCCEEDED")
        ended, resolved = self.times()
        self.assertEqual(ended, decided)
        self.assertGreater(resolved, ended)  # paytower-schema(5)
        self.expect(harness.REFUSED, "send", invoice, "--yes")

    def times(self):
        """When the only payment ended, and when its attempt did."""
        with sqlite3.connect(f"file:{self.db}?mode=ro", uri=True) as database:
            return database.execute("SELECT ended_ns, resolved_ns FROM payments JOIN attempts USING (payment_index)").fetchone()

    def test_write_off_is_never_payable(self):
        invoice = self.invoice("100sat", "--hold", "forever")
        payment_hash = self.hash_of(invoice)
        self.kill(self.send_in_background(invoice))
        del self.env["PAYTOWER_SWITCH"]
        self.ok("resolve", payment_hash, "--write-off", "--yes")
        self.env["PAYTOWER_SWITCH"] = self.switch
        shown = self.ok("show", payment_hash, "--json").json()
        self.assertEqual((shown["status"], shown["end_note"], shown["failure_reason"]), ("UNKNOWN", "WRITTEN_OFF", None))
        self.assertIn(self.run_it("send", invoice, "--yes").code, (harness.REFUSED,))
        # A late proof still wins (R8).
        self.ok("simulate", "release", payment_hash)
        self.ok("resume")
        self.assert_paid_once(payment_hash)

    def test_backup_and_old_copy(self):
        held = self.invoice("100sat", "--hold", "forever")
        self.kill(self.send_in_background(held))
        copy = self.db + ".copy"
        self.ok("backup", copy)
        self.expect(harness.USAGE, "backup", copy)  # never overwrites
        # The original goes on: one more payment that the copy does not know.
        later = self.invoice("100sat", "--fail", "TEMPORARY_NODE_FAILURE")
        self.expect(harness.FAILED, "send", later, "--yes")
        self.assertEqual(len(self.ok("list", "--json", "--db", copy).json()["payments"]), 1)
        refused = self.expect(harness.DATABASE, "send", later, "--yes", "--db", copy, "--json")
        self.assertEqual(refused.error()["code"], "database_old_copy")
        self.ok("resolve", "--restored", "--yes", "--db", copy)
        self.expect(harness.FAILED, "send", later, "--yes", "--db", copy)
        self.ok("simulate", "release", self.hash_of(held))
        self.ok("resume", "--db", copy)
        self.assertEqual(len([r for r in self.ledger(self.hash_of(held)) if r["state"] == "settled"]), 1)


if __name__ == "__main__":
    unittest.main()
