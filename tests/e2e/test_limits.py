"""Goal: what the config file allows is not exceeded, by no flag, no batch and no two processes at once, and what is refused sends
nothing; a batch tells what it comes to before it pays. Method: real calls, judged by the network's ledger."""

import json
import os
import time
import unittest

import harness
import terminal
from harness import World


class Limits(World):
    def limit(self, *lines):
        path = os.path.join(self.folder, "config")
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        os.chmod(path, 0o600)
        self.env["PAYTOWER_CONFIG"] = path

    def refused(self, *args):
        error = self.expect(harness.REFUSED, "send", *args, "--yes", "--json").error()
        self.assertEqual((error["code"], error["exit_code"]), ("policy", 5))
        self.assertIn("nothing was sent", error["message"])
        return error["message"]

    def test_one_payment(self):
        self.limit("max-amount = 1000sat")
        self.ok("send", self.invoice("1000sat"), "--yes")
        self.assertIn("max-amount", self.refused(self.invoice("1001sat")))
        self.assertIn("max-amount", self.refused(self.invoice("any"), "--amt", "1001sat"))
        self.expect(harness.REFUSED, "send", self.invoice("1001sat"), "--dry-run")
        self.assertEqual(len(self.ledger()), 1)
        self.assertEqual(len(self.payments()), 1)

    def test_what_is_paid_is_told_as_paid(self):
        invoice = self.invoice("2000sat")
        self.ok("send", invoice, "--yes")
        self.limit("max-amount = 1000sat")
        error = self.expect(harness.REFUSED, "send", invoice, "--yes", "--json").error()
        self.assertEqual(error["code"], "already_paid")
        self.ok("send", invoice, "--yes", "--idempotent")

    def test_fees(self):
        self.limit("max-fee-ppm = 2000")
        self.assertIn("max-fee-ppm", self.refused(self.invoice("1000sat"), "--fee-limit", "2001msat"))
        self.assertIn("max-fee-ppm", self.refused(self.invoice("1000sat"), "--fee-limit-percent", "0.21"))
        paid = self.ok("send", self.invoice("1000sat"), "--yes", "--json").json()
        self.assertEqual(paid["fee_limit_msat"], 2_000)
        paid = self.ok("send", self.invoice("1000sat"), "--yes", "--json", "--fee-limit", "1999msat").json()
        self.assertEqual(paid["fee_limit_msat"], 1_999)

    def test_a_day(self):
        self.limit("max-day = 1000sat")
        self.ok("send", self.invoice("400sat"), "--yes")
        self.expect(harness.UNKNOWN, "send", self.invoice("300sat", "--hold", "forever"), "--yes", "--wait", "1s")
        self.expect(harness.FAILED, "send", self.invoice("300sat", "--fail", "INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS"), "--yes")
        self.assertIn("allows 1,000 sat in 24 hours, 700 sat are paid or under way, this payment is 301.5 sat", self.refused(self.invoice("301.5sat")))
        self.expect(harness.REFUSED, "send", self.invoice("301sat"), "--dry-run")
        self.ok("send", self.invoice("300sat"), "--yes")
        self.refused(self.invoice("1sat"))
        # What was paid and deleted was paid.
        self.ok("delete", "--all", "--include-non-failed", "--yes")
        self.refused(self.invoice("1sat"))

    def test_what_is_called_failed_by_hand_may_still_be_paid(self):
        self.limit("max-day = 1000sat")
        held = self.invoice("900sat", "--hold", "forever")
        self.expect(harness.UNKNOWN, "send", held, "--yes", "--wait", "1s")
        switch = self.env.pop("PAYTOWER_SWITCH")
        self.ok("resolve", self.hash_of_with(held, switch), "--assume-failed", "--yes")
        self.env["PAYTOWER_SWITCH"] = switch
        self.refused(self.invoice("101sat"))
        self.ok("send", self.invoice("100sat"), "--yes")

    def hash_of_with(self, invoice, switch):
        return self.ok("decode", invoice, "--json", env={"PAYTOWER_SWITCH": switch}).json()["payment_hash"]

    def test_no_flag_raises_them(self):
        self.limit("max-amount = 10sat")
        self.expect(harness.USAGE, "send", self.invoice("100sat"), "--yes", "--max-amount", "1000sat")
        self.assertNotIn("max-amount", self.ok("send", "--help").out)
        self.assertRegex(self.ok("config").out, r"(?m)^max-amount +.*line 1 +10sat$")
        self.limit("max-amount = 10")
        self.assertIn("line 1", self.expect(harness.USAGE, "send", self.invoice("5sat"), "--yes").err)

    def test_many_processes_never_pass_the_day_together(self):
        self.limit("max-day = 1000sat")
        invoices = [self.invoice("300sat") for _ in range(8)]
        processes = [self.popen("send", invoice, "--yes", "--lock-timeout", "30s") for invoice in invoices]
        for process in processes:
            process.communicate(timeout=60)
        codes = sorted(process.returncode for process in processes)
        self.assertEqual(codes, [0, 0, 0, 5, 5, 5, 5, 5])
        self.assertEqual([row["state"] for row in self.ledger()], ["settled"] * 3)

    # --- batches ---

    def write_batch(self, lines):
        path = os.path.join(self.folder, "batch.ndjson")
        with open(path, "w", encoding="utf-8") as file:
            file.writelines((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
        return path

    def test_a_batch_keeps_to_the_day(self):
        self.limit("max-day = 1000sat")
        path = self.write_batch([{"invoice": self.invoice("300sat")} for _ in range(6)])
        results = [json.loads(line) for line in self.expect(harness.REFUSED, "send", "--batch", path, "--yes").out.splitlines()]
        self.assertEqual(sorted(result["exit_code"] for result in results), [0, 0, 0, 5, 5, 5])
        self.assertEqual({result["error"]["code"] for result in results if result["error"]}, {"policy"})
        self.assertEqual(len(self.ledger()), 3)

    def test_a_batch_that_comes_to_too_much_sends_nothing(self):
        path = self.write_batch([{"invoice": self.invoice("300sat")} for _ in range(4)])
        for flags, words in ((("--max-total", "1199sat"), "the lines come to 1,200 sat, --max-total allows 1,199 sat; nothing was sent"),
                             (("--max-fee-total", "19sat"), "the fee limits of the lines come to 20 sat, --max-fee-total allows 19 sat; nothing was sent")):
            error = self.expect(harness.REFUSED, "send", "--batch", path, "--yes", "--json", *flags).error()
            self.assertEqual((error["code"], error["message"]), ("policy", words))
            self.assertEqual(error["hint"], f"paytower send --batch {path} --dry-run")
        self.assertEqual(self.ledger(), [])
        self.ok("send", "--batch", path, "--yes", "--max-total", "1200sat", "--max-fee-total", "20sat")
        # What is paid already counts nothing.
        self.ok("send", "--batch", path, "--yes", "--idempotent", "--max-total", "1sat")
        self.expect(harness.USAGE, "send", "--batch", "-", "--yes", "--max-total", "1sat")
        self.expect(harness.USAGE, "send", self.invoice("1sat"), "--yes", "--max-total", "1sat")

    def test_a_rehearsed_batch(self):
        paid, held, fresh = self.invoice("10sat"), self.invoice("20sat", "--hold", "forever"), self.invoice("300sat")
        self.ok("send", paid, "--yes")
        self.expect(harness.UNKNOWN, "send", held, "--yes", "--wait", "1s")
        path = self.write_batch(["no json", {"invoice": paid}, {"invoice": held}, {"invoice": fresh}, {"invoice": fresh},
                                 {"invoice": self.invoice("400sat"), "fee_limit": "0sat", "max_parts": 1}])
        before = self.ledger()
        outcome = self.expect(harness.UNKNOWN, "send", "--batch", path, "--dry-run", "--idempotent")
        *lines, sums = [json.loads(line) for line in outcome.out.splitlines()]
        self.assertEqual([line["line"] for line in lines], [1, 2, 3, 4, 5, 6])
        self.assertEqual([line["exit_code"] for line in lines], [2, 0, 4, 0, 0, 3])
        self.assertEqual([(line["paid_before"], line["in_flight"], line["doubled"]) for line in lines],
                         [(False, False, False), (True, False, False), (False, True, False), (False, False, False), (False, False, True),
                          (False, False, False)])
        self.assertGreater(lines[3]["fee_msat"], 0)
        self.assertIn("--fee-limit allows 0 sat", lines[5]["would_fail"])
        self.assertEqual({name: sums[name] for name in ("lines", "would_pay", "would_fail", "paid_before", "in_flight", "doubled", "expired", "refused")},
                         {"lines": 6, "would_pay": 2, "would_fail": 1, "paid_before": 1, "in_flight": 1, "doubled": 1, "expired": 0, "refused": 1})
        self.assertEqual((sums["value_msat"], sums["fee_limit_msat"], sums["fee_msat"]), (700_000, 5_000, lines[3]["fee_msat"]))
        self.assertIn("Nothing was sent or stored.", outcome.err)
        self.assertIn("2 payments of 700 sat together, fees at most 5 sat; 1 paid before, 1 in flight, 1 of a hash that an earlier line pays, "
                      "1 refused; 1 would fail.", outcome.err)
        again = self.expect(harness.REFUSED, "send", "--batch", path, "--dry-run")
        *lines, sums = [json.loads(line) for line in again.out.splitlines()]
        self.assertEqual([line["exit_code"] for line in lines], [2, 5, 5, 0, 5, 3])
        for name, which in (("paid_before", 2), ("in_flight", 3), ("doubled", 5)):
            self.assertEqual(([line["line"] for line in lines if line[name]], sums[name]), ([which], 1))
        self.assertEqual([line["error"]["payment_hash"] for line in lines if line["error"]], [None, *(self.hash_of(one) for one in (paid, held, fresh))])
        self.assertEqual(self.ledger(), before)
        self.assertEqual(len(self.payments()), 2)

    def test_a_line_that_is_refused_is_in_nobodys_way(self):
        """The second line of a hash is doubled only where the first one would be paid."""
        self.limit("max-amount = 500sat")
        fresh, large, old = self.invoice("300sat"), self.invoice("700sat"), self.invoice("200sat", "--expiry", "1s")
        time.sleep(1.1)
        path = self.write_batch([{"invoice": fresh, "amt": "3sat"}, {"invoice": fresh}, {"invoice": fresh}, {"invoice": large}, {"invoice": large},
                                 {"invoice": old}, {"invoice": old}])
        *lines, sums = [json.loads(line) for line in self.expect(harness.REFUSED, "send", "--batch", path, "--dry-run").out.splitlines()]
        self.assertEqual([line["doubled"] for line in lines], [False, False, True, False, False, False, False])
        self.assertEqual([line["error"] and line["error"]["code"] for line in lines],
                         ["usage", None, "in_flight", "policy", "policy", "invoice_expired", "invoice_expired"])
        self.assertEqual((sums["would_pay"], sums["doubled"], sums["expired"], sums["refused"]), (1, 1, 2, 3))
        self.assertNotIn("being paid", lines[2]["error"]["message"])
        self.assertTrue(all(line["error"]["payment_hash"] == line["payment_hash"] for line in lines if line["error"]))

    def test_a_rehearsed_line_is_told_as_the_sums_count_it(self):
        held = self.invoice("20sat", "--hold", "forever")
        self.expect(harness.UNKNOWN, "send", held, "--yes", "--wait", "1s")
        path = self.write_batch([{"invoice": held}, {"invoice": held}])
        *lines, sums = [json.loads(line) for line in self.expect(harness.UNKNOWN, "send", "--batch", path, "--dry-run", "--idempotent").out.splitlines()]
        self.assertEqual([(line["exit_code"], line["in_flight"], line["doubled"]) for line in lines], [(4, True, False), (4, False, True)])
        self.assertEqual((sums["in_flight"], sums["doubled"]), (1, 1))

    def test_a_rehearsal_keeps_to_the_totals(self):
        """As the call itself would be refused, its rehearsal is."""
        path = self.write_batch([{"invoice": self.invoice("100sat")} for _ in range(3)])
        for flag, value in (("--max-total", "200sat"), ("--max-fee-total", "1sat")):
            with self.subTest(flag):
                outcome = self.expect(harness.REFUSED, "send", "--batch", path, "--dry-run", flag, value)
                self.assertEqual(json.loads(outcome.out.splitlines()[-1])["exit_code"], harness.REFUSED)
                self.assertIn(f"{flag} allows", outcome.err)
        self.ok("send", "--batch", path, "--dry-run", "--max-total", "300sat", "--max-fee-total", "15sat")

    def test_what_the_node_knows_counts_in_the_sums(self):
        """A new database does not know what the node has paid; the driver finds out."""
        path = self.write_batch([{"invoice": self.invoice("100sat")} for _ in range(2)])
        self.ok("send", "--batch", path, "--yes")
        new = {"PAYTOWER_DB": self.db + ".new"}
        for flags, code in (([], harness.REFUSED), (["--idempotent"], harness.OK)):
            with self.subTest(flags):
                outcome = self.expect(code, "send", "--batch", path, "--dry-run", *flags, env=new)
                *lines, sums = [json.loads(line) for line in outcome.out.splitlines()]
                self.assertEqual((sums["would_pay"], sums["paid_before"], sums["value_msat"]), (0, 2, 0))
                self.assertEqual([line["paid_before"] for line in lines], [True, True])

    def test_a_rehearsal_leaves_no_database(self):
        path = self.write_batch([{"invoice": self.invoice("10sat")}])
        self.ok("send", "--batch", path, "--dry-run")
        self.assertFalse(os.path.exists(self.db))

    def test_a_terminal_is_asked_about_the_sums(self):
        path = self.write_batch([{"invoice": self.invoice("300sat")} for _ in range(3)] + ["no json"])
        seen = terminal.run(self, "send", "--batch", path, answer="n\n")
        self.assertEqual(seen.code, harness.NOT_CONFIRMED)
        self.assertIn("Pay 3 payments of 900 sat together, fees at most 15 sat; 1 refused? [y/N]", seen.text)
        self.assertFalse(os.path.exists(self.db))
        seen = terminal.run(self, "send", "--batch", path, answer="y\n", stdout_pipe=True)
        self.assertEqual(seen.code, harness.USAGE)
        self.assertEqual(len(self.ledger()), 3)
        self.expect(harness.NOT_CONFIRMED, "send", "--batch", path)


if __name__ == "__main__":
    unittest.main()
