"""Goal: paytower-json.5 and the program agree. Method: every shape that the page describes is printed by a real run, and its
members are exactly those of the page: none unnamed, none missing."""

import gzip
import hashlib
import json
import os
import re
import subprocess
import unittest

import harness
import legacy
import manual
from harness import DATABASE, FAILED, REFUSED, UNKNOWN, USAGE

PAGE = manual.source("paytower-json.5")
SHAPES = {title: set(manual.variables(text)) for part in ("SHAPES", "ERRORS AND WARNINGS") for title, text in manual.subsections(manual.section(PAGE, part)).items()}
QUARANTINED = 12

# The shape of the objects in a member.
MAPS = {"by_status", "failed_by_reason", "failures_by_code"}  # of names to counts
ONLY_SOME = {"payment": {"joined", "paid_before", "overpayment_msat"}, "guard": {"released_ns"}, "distribution": {"sum", "overall"}}  # as the page says
INSIDE = {
    "payment": {"failure_detail": "failure detail", "htlcs": "attempt", "duplicates": "payment", "tries": "payment", "imported_raw": "imported record"},
    "imported record": {"first_hop_custom_records": "custom record", "htlcs": "imported attempt"},
    "imported attempt": {"first_hop_custom_records": "custom record", "hops": "imported hop"},
    "imported hop": {"custom_records": "custom record"},
    "attempt": {"failure": "failure", "route": "route"},
    "route": {"hops": "hop"},
    "dry run of send": {"failure_detail": "failure detail", "route": "route", "routes": "route"},
    "dry run of cancel": {"payment": "payment"},
    "batch line": {"error": "error", "payment": "payment"},
    "dry run of a batch line": {"error": "error"},
    "resume": {"payments": "payment"},
    "list": {"payments": "payment", "bad_rows": "bad row"},
    "list of guards": {"guards": "guard"},
    "list of quarantined records": {"quarantined": "quarantined record"},
    "delete": {"skipped": "skipped payment"},
    "migrate": {"applied": "step", "quarantined": "record set aside", "guards": "new guard"},
    "status of migrate": {"pending": "step"},
    "check": {"open": "open attempts"},
    "decode": {"route_hints": "hint hop"},
    "stats": {"attempts_per_payment": "distribution", "parts_per_payment": "distribution", "fee_msat": "distribution", "fee_ppm": "distribution", "settle_us": "distribution",
              "failures_by_channel": "failing channel", "open": "open at a switch", "bytes": "bytes"},
    "config": {"settings": "setting"},
    "help": {"commands": "command", "global_flags": "flag", "exit_codes": "exit code"},
    "command": {"flags": "flag"},
}


class Shapes(harness.World):
    seen = set()
    ran = 0

    def compare(self, shape, value):
        if isinstance(value, list):
            for one in value:
                self.compare(shape, one)
            return
        if not isinstance(value, dict):
            return
        named = SHAPES[shape] - (ONLY_SOME.get(shape, set()) - set(value))
        self.assertEqual(sorted(value), sorted(named), shape)
        self.seen.add(shape)
        for member, content in value.items():
            if member in MAPS:
                self.assertTrue(all(isinstance(count, int) for count in content.values()))
                continue
            inner = INSIDE.get(shape, {}).get(member)
            holds_objects = isinstance(content, dict) or (isinstance(content, list) and any(isinstance(one, (dict, list)) for one in content))
            if holds_objects:
                self.assertIsNotNone(inner, f"{shape}.{member} holds something that the page does not describe")
                self.compare(inner, content)

    def printed(self, shape, code, *args, **more):
        outcome = self.expect(code, *args, "--json", **more)
        self.assertTrue(outcome.out.isascii())
        lines = outcome.out.splitlines()
        self.assertEqual(len(lines), 1, outcome)
        document = json.loads(lines[0])
        self.compare(shape, document)
        return document

    def refused(self, code, *args, **more):
        outcome = self.expect(code, *args, "--json", **more)
        self.assertEqual(outcome.out, "")
        error = json.loads(outcome.err.splitlines()[-1])
        self.assertEqual(list(error), ["error"])
        self.compare("error", error["error"])
        return error["error"]

    def sqlite(self, path, sql):
        subprocess.run(["sqlite3", path, sql], check=True, timeout=60)

    def test_a_payment_in_three_parts(self):
        self.ok("send", self.invoice("5sat"), "--yes")
        preimage = b"\x07" * 32
        payment_hash = hashlib.sha256(preimage).hexdigest()
        proof, row = f"x'{preimage.hex()}'", "(SELECT max(payment_index) FROM payments)"
        self.sqlite(self.db, f"""
            INSERT INTO payments (payment_hash, amount_msat, created_ns, deadline_ns, destination, fee_limit_msat, cltv_limit, final_cltv_delta, max_attempts, max_parts)
            VALUES (x'{payment_hash}', 600000, 1700000000000000000, 1700000060000000000, zeroblob(33), 1000, 2016, 18, 84, 16);
            INSERT INTO attempts (payment_index, attempt_id, part, switch_id, amount_msat, fee_msat, registered_ns)
            SELECT {row}, 4711, value, 1, value * 100000, value, 1700000000000000000 FROM generate_series(1, 3);
            UPDATE attempts SET outcome = 1, preimage = {proof}, resolved_ns = 1700000001000000000 WHERE attempt_id = 4711 AND part <> 2;
            UPDATE payments SET preimage = {proof}, ended_ns = 1700000001000000000 WHERE payment_index = {row};""")
        shown = self.printed("payment", 0, "show", payment_hash)
        self.assertEqual([(htlc["attempt_id"], htlc["part"], htlc["status"]) for htlc in shown["htlcs"]],
                         [("4711", 1, "SUCCEEDED"), ("4711", 2, "IN_FLIGHT"), ("4711", 3, "SUCCEEDED")])
        self.assertEqual((shown["status"], shown["fee_msat"], shown["fee_final"], shown["parts"]), ("SUCCEEDED", 4, False, 3))
        page = self.ok("show", payment_hash).out
        self.assertRegex(page, r"(?m)^fee +0\.004 sat so far \(limit 1 sat\)$")
        self.assertRegex(page, r"(?m)^parts +3$")
        self.assertRegex(page, r"(?m)^ATTEMPT +PART +ORIGIN")
        stats = self.printed("stats", 0, "stats")
        self.assertEqual((stats["attempts"], stats["paid_in_parts"], stats["parts_per_payment"]["max"]), (4, 1, 2))
        self.assertRegex(self.ok("stats").out, r"(?m)^  in several parts +1$")
        self.sqlite(self.db, f"UPDATE attempts SET outcome = 1, preimage = {proof}, resolved_ns = 1700000002000000000 WHERE attempt_id = 4711 AND part = 2")
        listed = self.printed("list", 0, "list")["payments"][-1]
        self.assertEqual((listed["fee_msat"], listed["fee_final"], listed["parts"]), (6, True, 3))
        self.assertEqual(self.ok("list", "--format", "csv").out.splitlines()[-1],
                         f"2,{payment_hash},SUCCEEDED,600000,6,3,2023-11-14T22:13:20Z,,3,,,{preimage.hex()},2023-11-14T22:13:21Z,,true,true")
        self.assertNotIn("so far", self.ok("show", payment_hash).out)
        self.ok("check")

    def test_payments(self):
        paid = self.invoice("250sat", "--fail", "TEMPORARY_CHANNEL_FAILURE@2x1")
        self.printed("dry run of send", 0, "send", paid, "--dry-run")
        payment = self.printed("payment", 0, "send", paid, "--yes", "--label", "rent")
        self.assertTrue(any(htlc["failure"] for htlc in payment["htlcs"]))
        self.refused(REFUSED, "send", paid, "--yes")
        failing = self.invoice("300sat", "--fail", "INCORRECT_OR_UNKNOWN_PAYMENT_DETAILSx1")
        self.printed("payment", FAILED, "send", failing, "--yes")
        self.printed("payment", 0, "send", failing, "--yes")
        self.assertEqual(len(self.printed("payment", 0, "show", self.hash_of(failing))["tries"]), 1)
        dear = self.invoice("1000sat", "--node", "n9")
        self.printed("dry run of send", FAILED, "send", dear, "--dry-run", "--fee-limit", "0sat")
        self.printed("payment", FAILED, "send", dear, "--yes", "--fee-limit", "0sat")
        held = self.invoice("400sat", "--hold", "forever")
        hash_held = self.hash_of(held)
        self.printed("payment", UNKNOWN, "send", held, "--yes", "--wait", "0")
        self.printed("resume", UNKNOWN, "resume", "--wait", "0")
        self.printed("dry run of cancel", UNKNOWN, "cancel", hash_held, "--dry-run")
        self.printed("payment", UNKNOWN, "cancel", hash_held)
        self.assertEqual(self.refused(REFUSED, "delete", hash_held, "--yes")["code"], "in_flight")
        self.assertEqual(len(self.printed("check", 0, "check")["open"]), 1)
        self.assertEqual(len(self.printed("delete", 0, "delete", "--all", "--include-non-failed", "--dry-run")["skipped"]), 1)
        self.printed("simulate release", 0, "simulate", "release", hash_held)
        self.printed("payment", 0, "resume", hash_held)
        self.printed("list", 0, "list", "--count-total-payments")
        self.assertTrue(self.printed("stats", 0, "stats")["failures_by_channel"])
        for row in self.ledger():
            self.compare("simulate ledger", row)

        gone = self.hash_of(paid)
        self.printed("delete", 0, "delete", gone, "--yes")
        self.printed("guard", 0, "show", gone)
        self.assertEqual(len(self.printed("list of guards", 0, "list", "--guards")["guards"]), 1)
        self.printed("backup", 0, "backup", os.path.join(self.folder, "copy.db"))
        self.printed("resolve of a restored database", 0, "resolve", "--restored", "--yes")

    def test_a_rehearsed_batch(self):
        lines = ["no json", json.dumps({"invoice": self.invoice("100sat")})]
        *out, sums = self.expect(USAGE, "send", "--batch", "-", "--dry-run", "--json", text="\n".join(lines)).out.splitlines()
        self.assertEqual(len(out), 2)
        for line in out:
            self.compare("dry run of a batch line", json.loads(line))
        self.compare("dry run of a batch", json.loads(sums))

    def test_a_batch(self):
        lines = [json.dumps({"invoice": self.invoice("100sat")}), json.dumps({"invoice": "lnbc1"})]
        out = self.expect(USAGE, "send", "--batch", "-", "--yes", "--json", text="\n".join(lines)).out.splitlines()
        self.assertEqual(len(out), 2)
        for line in out:
            self.compare("batch line", json.loads(line))

    def test_invoices_networks_and_the_version(self):
        # BOLT 11's example with two route hints and a fallback address.
        vectors = os.path.join(os.path.dirname(__file__), "..", "data", "bolt11", "spec_vectors.json")
        with open(vectors, encoding="utf-8") as file:
            hinted = [text for text in re.findall(r'"(ln[a-z0-9]{200,})"', file.read()) if self.hints(text)]
        self.assertTrue(hinted)
        self.printed("decode", 0, "decode", hinted[0])
        self.printed("simulate invoice", 0, "simulate", "invoice", "--amt", "any")
        self.printed("simulate network", 0, "simulate", "network", "--out", os.path.join(self.folder, "second.sim"))
        self.printed("version", 0, "--version")
        self.printed("config", 0, "config")
        self.printed("help", 0, "help")

    def hints(self, invoice):
        outcome = self.run_it("decode", invoice, "--json")
        return outcome.code == 0 and outcome.json()["route_hints"]

    def test_migrate(self):
        records = [(1, legacy.record(legacy.preimage(1))), (2, b"cut off"), (3, legacy.record(legacy.preimage(1), value=7))]
        legacy.make(self.db, records, [(legacy.payment_hash(legacy.preimage(9)), 1)])
        self.printed("status of migrate", DATABASE, "migrate", "--status")
        self.assertEqual(self.refused(DATABASE, "list")["code"], "schema_older")
        report = self.printed("migrate", QUARANTINED, "migrate")
        self.assertTrue(report["quarantined"] and report["guards"] and report["applied"])
        self.printed("list of quarantined records", 0, "list", "--quarantine")
        shown = self.printed("payment", 0, "show", legacy.payment_hash(legacy.preimage(1)).hex())
        self.assertEqual(len(shown["duplicates"]), 1)

    def test_what_is_kept_raw_of_an_import(self):
        packed = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "lnd", "releases", "channel-v0.21.2.db.gz")
        path = os.path.join(self.folder, "channel.db")
        with gzip.open(packed) as file, open(path, "wb") as out:
            out.write(file.read())
        os.unlink(self.db) if os.path.exists(self.db) else None
        self.ok("migrate", "--from-lnd", path)
        with_more = [self.printed("payment", 0, "show", row["payment_hash"])["imported_raw"] for row in self.payments() if row["duplicate_of"] is None]
        self.assertGreater(sum(len(raw) for raw in with_more), 5)

    def test_a_warning(self):
        self.expect(UNKNOWN, "send", self.invoice("400sat", "--hold", "forever"), "--yes", "--wait", "0")
        other = os.path.join(self.folder, "other.sim")
        self.ok("simulate", "network", "--out", other, "--seed", "8")
        outcome = self.run_it("resume", "--json", env={"PAYTOWER_SWITCH": "sim:" + other})
        warning = json.loads(outcome.err.splitlines()[0])
        self.assertEqual(list(warning), ["warning"])
        self.compare("warning", warning["warning"])

    def test_a_row_that_cannot_be_read(self):
        self.ok("send", self.invoice(), "--yes")
        self.sqlite(self.db, "PRAGMA writable_schema = ON; DROP TRIGGER attempts_immutable; UPDATE attempts SET route = x'0909'")
        document = self.expect(DATABASE, "list", "--json").json()
        self.compare("list", document)
        self.assertEqual(len(document["bad_rows"]), 1)

    def run(self, result=None):
        type(self).ran += 1
        return super().run(result)

    @classmethod
    def tearDownClass(cls):
        """If all tests ran, every shape of the page was printed by one of them."""
        missing = sorted(set(SHAPES) - cls.seen)
        if cls.ran == sum(name.startswith("test_") for name in dir(cls)) and missing:
            raise AssertionError(f"no run printed {missing}")


class Names(unittest.TestCase):
    def test_every_shape_that_is_referred_to_exists(self):
        inner = {shape for members in INSIDE.values() for shape in members.values()}
        self.assertEqual(inner - set(SHAPES), set())
        self.assertEqual(set(INSIDE) - set(SHAPES), set())

    def test_every_error_code_is_named(self):
        source = os.path.join(os.path.dirname(__file__), "..", "..", "core", "base", "error_codes.inc")
        with open(source, encoding="utf-8") as file:
            table = dict(re.findall(r"^ERROR_CODE\((\w+), (\d+),", file.read(), re.M))
        codes = set(table)
        self.assertGreater(len(codes), 20)
        for name, number in table.items():
            self.assertRegex(manual.source("paytower.1"), rf"(?m)^\.It {number}$", name)
        text = " ".join(manual.section(PAGE, "ERRORS AND WARNINGS").split())
        named = set(re.search(r"Stable: (.*?)\. \.It", text).group(1).split(", "))
        self.assertEqual(named, codes | {"quarantined", "interrupted"})


if __name__ == "__main__":
    unittest.main()
