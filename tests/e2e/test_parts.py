"""Goal: a payment above every single path is paid in parts, to the msat, and told so everywhere; what stops it between its parts
leaves nothing behind. Method: lanes of which each holds too little; the network's own ledger is the judge."""

import json
import os
import unittest

import harness
from lanes import LANE, SAT, Lanes


class Paid(Lanes):
    def test_two_three_and_sixteen_parts(self):
        for parts in (2, 3, 16):
            with self.subTest(parts=parts):
                self.build(self.lanes)
                invoice = self.invoice_of(parts)
                dry = self.ok("send", invoice, "--dry-run")
                self.assertRegex(dry.out, rf"^Would pay .* sat in {parts} parts, fee .* sat\. Nothing was sent or stored\.")
                planned = self.ok("send", invoice, "--dry-run", "--json").json()
                self.assertEqual(len(planned["routes"]), parts)
                self.assertEqual(sum(int(route["hops"][-1]["amt_to_forward_msat"]) for route in planned["routes"]), int(self.decode(invoice)["value_msat"]))
                self.assertEqual(self.ledger(self.hash_of(invoice)), [])
                sent = self.ok("send", invoice, "--yes")
                self.assertRegex(sent.out, rf"^Paid .* in {parts} parts, {parts} attempts")
                shown = self.assert_paid_exactly(invoice, parts)
                self.assertEqual(sorted(htlc["part"] for htlc in shown["htlcs"]), list(range(1, parts + 1)))
                self.assertEqual(len({htlc["attempt_id"] for htlc in shown["htlcs"]}), 1)
                self.assertEqual(len({htlc["route"]["total_amt_msat"] for htlc in shown["htlcs"]}), parts)  # R5
        self.assertEqual([row["parts"] for row in self.payments()], [2, 3, 16])
        self.assertEqual(self.ok("stats", "--json").json()["paid_in_parts"], 3)
        self.assertIn("parts         16", self.ok("show", shown["payment_hash"]).out)
        self.ok("check")

    def test_one_part_where_one_is_allowed(self):
        invoice = self.invoice_of(2)
        refused = self.expect(harness.FAILED, "send", invoice, "--yes", "--max-parts", "1")
        self.assertIn("no single channel or path carries 750,000 sat in one part, and --max-parts allows 1; together our channels can send 8,500,000 sat", refused.out)
        self.assertEqual(self.ledger(), [])
        self.ok("send", invoice, "--yes")  # the same invoice, with parts
        self.assert_paid_exactly(invoice, 2)

    def test_more_than_all_channels_hold(self):
        invoice = self.invoice(f"{LANE * self.lanes + 1}sat", "--node", "n2")
        refused = self.expect(harness.FAILED, "send", invoice, "--yes", "--json").json()
        self.assertEqual((refused["failure_reason"], refused["failure_detail"]["code"]), ("FAILURE_REASON_INSUFFICIENT_BALANCE", "no_balance"))
        self.assertIn("together they can send 8,500,000 sat", refused["failure_detail"]["message"])
        self.assertEqual(self.ledger(), [])

    def test_more_parts_than_allowed(self):
        for invoice, most in ((self.invoice_of(3), "2"), (self.invoice_of(17), "16")):
            with self.subTest(most=most):
                self.expect(harness.FAILED, "send", invoice, "--yes", "--max-parts", most)
                self.assert_not_paid(invoice)
        self.assertEqual(self.ledger(), [])

    def test_lanes_that_are_full_of_what_they_get(self):
        """Every lane but one is filled to its last msat, and no channel is asked for more than it has."""
        invoice = self.invoice_of(16)
        shown = self.ok("send", invoice, "--yes", "--json").json()
        self.assertEqual(len(shown["htlcs"]), 16)  # no part was refused
        self.assert_paid_exactly(invoice, 16)

    def test_what_the_payer_cannot_know_is_learned(self):
        """Some of the lanes lead to nodes that have no balance towards the payee."""
        poor = [scid for scid, in self.network("SELECT scid FROM channels WHERE scid >> 40 BETWEEN 201 AND 206")]
        for scid in poor:
            first = self.network("SELECT node0 = 2 FROM channels WHERE scid = ?", scid)[0][0]
            balances = (4 * LANE * SAT, 0) if first else (0, 4 * LANE * SAT)
            self.network("UPDATE channels SET balance0_msat = ?, balance1_msat = ? WHERE scid = ?", *balances, scid)
        invoice = self.invoice_of(10)
        self.ok("send", invoice, "--yes")
        self.assert_paid_exactly(invoice)


class Between(Lanes):
    """What happens while parts are held."""

    def held_in_parts(self, parts=3, *more):
        invoice = self.invoice_of(parts, "--hold", "forever")
        self.expect(harness.UNKNOWN, "send", invoice, "--yes", "--wait", "0", *more)
        self.wait_until(lambda: self.count(self.hash_of(invoice), "held") == parts)
        return invoice, self.hash_of(invoice)

    def test_wait_0_and_resume(self):
        invoice, payment_hash = self.held_in_parts()
        shown = self.ok("show", payment_hash, "--json").json()
        self.assertEqual((shown["status"], shown["parts"], shown["fee_final"]), ("IN_FLIGHT", 3, False))
        refused = self.expect(harness.REFUSED, "send", invoice, "--yes", "--json")
        self.assertEqual(refused.error()["code"], "in_flight")
        self.expect(harness.UNKNOWN, "resume", "--wait", "0")
        self.ok("simulate", "release", payment_hash)
        self.ok("send", invoice, "--yes", "--idempotent")  # joins
        self.assert_paid_exactly(invoice, 3)
        again = self.ok("send", invoice, "--yes", "--idempotent", "--json").json()
        self.assertEqual(again["status"], "SUCCEEDED")
        self.assertEqual(self.expect(harness.REFUSED, "send", invoice, "--yes", "--json").error()["code"], "already_paid")
        self.assert_paid_exactly(invoice, 3)

    def test_killed_and_resumed(self):
        invoice = self.invoice_of(3, "--hold", "forever")
        process = self.popen("send", invoice, "--yes")
        self.wait_until(lambda: self.count(self.hash_of(invoice), "held") == 3)
        self.kill(process)
        self.ok("simulate", "release", self.hash_of(invoice))
        self.ok("resume")
        self.assert_paid_exactly(invoice, 3)

    def test_the_deadline_passes(self):
        invoice, payment_hash = self.held_in_parts(3, "--timeout", "8s")
        self.expect(harness.UNKNOWN, "resume", "--wait", "10s")
        self.assertEqual(self.count(payment_hash, "held"), 3)
        self.ok("simulate", "release", payment_hash, "--fail", "TEMPORARY_NODE_FAILURE")
        self.expect(harness.FAILED, "resume", payment_hash, "--wait", "5s")
        self.assertEqual(self.assert_not_paid(invoice)["failure_reason"], "FAILURE_REASON_TIMEOUT")
        self.assertEqual(len(self.ledger(payment_hash)), 3)

    def test_cancel(self):
        for word, end, code in (("--fail=TEMPORARY_NODE_FAILURE", "FAILED", harness.FAILED), (None, "SUCCEEDED", harness.OK)):
            with self.subTest(end=end):
                invoice, payment_hash = self.held_in_parts()
                self.expect(harness.UNKNOWN, "cancel", payment_hash)
                self.ok("simulate", "release", payment_hash, *([word] if word else []))
                self.expect(code, "resume", payment_hash, "--wait", "5s")
                if end == "FAILED":
                    self.assertEqual(self.assert_not_paid(invoice)["failure_reason"], "FAILURE_REASON_CANCELED")
                    self.assertEqual(len(self.ledger(payment_hash)), 3)
                else:
                    self.assert_paid_exactly(invoice, 3)

    def test_the_operators_words(self):
        for word, status in (("--assume-failed", "FAILED"), ("--write-off", "UNKNOWN")):
            with self.subTest(word=word):
                self.build(self.lanes)
                invoice, payment_hash = self.held_in_parts()
                self.assertEqual(self.expect(harness.REFUSED, "resolve", payment_hash, word, "--yes", "--json").error()["code"], "still_at_switch")
                address = self.env.pop("PAYTOWER_SWITCH")
                self.ok("resolve", payment_hash, word, "--yes")
                self.env["PAYTOWER_SWITCH"] = address
                self.assertEqual(self.ok("show", payment_hash, "--json").json()["status"], status)
                # The switch still has the HTLCs: nothing may be added.
                self.expect(harness.REFUSED, "send", invoice, "--yes")
                self.assertEqual(len(self.ledger(payment_hash)), 3)
                self.ok("simulate", "release", payment_hash)
                self.ok("resume", payment_hash, "--wait", "5s")
                self.assert_paid_exactly(invoice, 3)
                self.expect(harness.REFUSED, "send", invoice, "--yes")

    def test_all_fail_for_good(self):
        invoice, payment_hash = self.held_in_parts()
        self.ok("simulate", "release", payment_hash, "--fail", "INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS")
        self.ok("resume", "--wait", "5s")  # all open parts have ended
        self.assertEqual(self.assert_not_paid(invoice)["failure_reason"], "FAILURE_REASON_INCORRECT_PAYMENT_DETAILS")
        self.assertEqual(len(self.ledger(payment_hash)), 3)


class Batch(Lanes):
    def test_parts_beside_one_piece(self):
        invoices = [self.invoice_of(parts) for parts in (3, 1, 2, 1, 4)] + [self.invoice("100sat", "--node", "n2") for _ in range(10)]
        path = os.path.join(self.folder, "batch.ndjson")
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(json.dumps({"invoice": invoice}) + "\n" for invoice in invoices)
        results = [json.loads(line) for line in self.ok("send", "--batch", path, "--yes").out.splitlines()]
        self.assertEqual([result["exit_code"] for result in results], [0] * 15)
        for invoice in invoices:
            self.assert_paid_exactly(invoice)
        again = [json.loads(line) for line in self.ok("send", "--batch", path, "--yes", "--idempotent").out.splitlines()]
        self.assertEqual([result["paid_before"] for result in again], [True] * 15)
        for invoice in invoices:
            self.assert_paid_exactly(invoice)


if __name__ == "__main__":
    unittest.main()
