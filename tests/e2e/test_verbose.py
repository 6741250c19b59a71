"""Goal: -v tells each change of state once, in logfmt or JSON, and never a secret.
Method: the log of real payments; every secret of theirs, read from the database and the result, is searched in it."""

import json
import re
import sqlite3
import unittest

import harness
from harness import World
from lanes import Lanes

FIELD = re.compile(r'([a-z_]+)=("(?:[^"\\]|\\.)*"|[^ "=]+)')


def read_logfmt(text):
    lines = []
    for line in text.splitlines():
        if not line.startswith("time="):
            continue
        fields = {name: json.loads(value) if value.startswith('"') else value for name, value in FIELD.findall(line)}
        assert " ".join(f"{name}={value}" for name, value in FIELD.findall(line)) == line, line
        lines.append(fields)
    return lines


class Verbose(World):
    def secrets_of(self, invoice, payment):
        with sqlite3.connect(f"file:{self.db}?mode=ro", uri=True) as database:
            rows = database.execute("SELECT payment_secret, preimage FROM payments").fetchall()
        found = {value.hex() for row in rows for value in row if value is not None}
        self.assertGreaterEqual(len(found), 1)
        if payment["payment_preimage"]:
            self.assertIn(payment["payment_preimage"], found)
        return found | {invoice}

    def test_a_paid_payment(self):
        invoice = self.invoice("250sat", "--fail", "TEMPORARY_CHANNEL_FAILURE@1x1")
        outcome = self.ok("send", invoice, "--yes", "-v")
        payment = self.payments()[0]
        log = read_logfmt(outcome.err)
        self.assertEqual([line["event"] for line in log],
                         ["payment_created", "attempt_registered", "attempt_failed", "attempt_registered", "attempt_settled", "payment_ended"])
        self.assertEqual({line["payment"] for line in log}, {payment["payment_hash"][:12]})
        attempts = [htlc["attempt_id"] for htlc in payment["htlcs"]]
        self.assertEqual([line["attempt"] for line in log if "attempt" in line], [attempts[0], attempts[0], attempts[1], attempts[1]])
        self.assertEqual([line["part"] for line in log if "attempt" in line], [str(htlc["part"]) for htlc in payment["htlcs"] for _ in range(2)])
        self.assertEqual(log[2]["code"], "TEMPORARY_CHANNEL_FAILURE")
        self.assertEqual(log[-1]["status"], "SUCCEEDED")
        for secret in self.secrets_of(invoice, payment):
            self.assertNotIn(secret, outcome.err)

    def test_json_and_steps_hold_no_secret_either(self):
        invoice = self.invoice()
        outcome = self.ok("send", invoice, "--yes", "-vv", "--json")
        log = [json.loads(line)["log"] for line in outcome.err.splitlines()]
        self.assertIn("step", {line["event"] for line in log})
        self.assertEqual(log[-1]["event"], "payment_ended")
        for secret in self.secrets_of(invoice, outcome.json()):
            self.assertNotIn(secret, outcome.err)

    def test_resume_tells_only_what_is_new(self):
        invoice = self.invoice("250sat", "--hold", "forever")
        self.expect(harness.UNKNOWN, "send", invoice, "--yes", "--wait", "1s")
        self.ok("simulate", "release", self.hash_of(invoice))
        log = read_logfmt(self.ok("resume", "-v").err)
        self.assertEqual([line["event"] for line in log], ["attempt_settled", "payment_ended"])

    def test_silent_without_it(self):
        self.assertEqual(read_logfmt(self.ok("send", self.invoice(), "--yes").err), [])


class OfParts(Lanes):
    def test_each_change_once(self):
        """Parts that settle behind the first proof are changes of a payment that has ended."""
        log = read_logfmt(self.ok("send", self.invoice_of(3), "--yes", "-v").err)
        told = [(line["event"], line.get("part")) for line in log]
        self.assertEqual(sorted(told, key=str), sorted(
            [("payment_created", None), ("payment_ended", None)] +
            [(event, str(part)) for event in ("attempt_registered", "attempt_settled") for part in (1, 2, 3)], key=str))


if __name__ == "__main__":
    unittest.main()
