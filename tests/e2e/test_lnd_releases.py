"""Goal: what real lnd releases wrote is read as lnd itself reads it, field by field. Method: each file of tests/data/lnd/releases
beside lnd's own reading of it as JSON; whatever differs by design is named here and nowhere else."""

import csv
import gzip
import io
import json
import os
import unittest

import harness
from harness import OK
from test_migrate import QUARANTINED

RELEASES = os.path.join(os.path.dirname(__file__), "..", "data", "lnd", "releases")
REASONS = ["TIMEOUT", "NO_ROUTE", "ERROR", "INCORRECT_PAYMENT_DETAILS", "INSUFFICIENT_BALANCE", "CANCELED"]
STATUS = {"Succeeded": "SUCCEEDED", "Failed": "FAILED", "In Flight": "IN_FLIGHT", "Initiated": "INITIATED"}
AMP = "ec6663208ec267776a2d1c6a6ac53c431d83dcec7a730d16ce3f1b4ee0a048f6"
GO_ZERO = -6795364578871345152  # its zero time in nanoseconds, as far as 64 bits hold them


def text(number):
    """As JSON has 64-bit numbers; what lnd did not record is null."""
    return None if number in (None, 0, GO_ZERO) else str(number)


class Releases(harness.World):
    maxDiff = None

    def unpack(self, name, folder=None):
        path = os.path.join(folder or self.folder, name)
        with gzip.open(os.path.join(RELEASES, name + ".gz")) as packed, open(path, "wb") as file:
            file.write(packed.read())
        return path

    def lnds_reading(self, name):
        with gzip.open(os.path.join(RELEASES, name + ".json.gz")) as file:
            return json.load(file)

    def imported(self, path, *more):
        outcome = self.run_it("migrate", "--from-lnd", path, "--json", *more)
        self.assertIn(outcome.code, (OK, QUARANTINED), outcome)
        report = outcome.json()
        self.assertEqual(report["read"], report["migrated"] + report["duplicates"] + len(report["quarantined"]))
        return report

    # --- field by field ---

    def same_hop(self, theirs, ours):
        self.assertEqual(ours["pub_key"], theirs["key"])
        self.assertEqual(ours["chan_id"], text(theirs["chan"]))

    def same_attempt(self, theirs, ours):
        self.assertEqual(ours["attempt_id"], text(theirs["id"]))
        self.assertEqual(ours["attempt_time_ns"], text(theirs["time"]))
        self.assertEqual(ours["status"], {"settled": "SUCCEEDED", "failed": "FAILED", "open": "IN_FLIGHT"}[theirs["outcome"]])
        self.assertEqual(ours["preimage"], theirs.get("preimage"))
        self.assertEqual(ours["resolve_time_ns"], text(theirs.get("res_time")))
        route, known = ours["route"], theirs["route"]
        if not known["hops"]:
            self.assertIsNone(route)
            return
        self.assertEqual((route["total_time_lock"], route["total_amt_msat"], route["total_fees_msat"]), (known["tl"], known["amt"], known["fees"]))
        self.assertEqual(len(route["hops"]), len(known["hops"]))
        for hop, other in zip(known["hops"], route["hops"]):
            self.same_hop(hop, other)

    def same_payment(self, theirs, ours):
        self.assertEqual((ours["payment_index"], ours["payment_hash"]), (str(theirs["seq"]), theirs["hash"]))
        self.assertEqual((ours["value_msat"], ours["creation_time_ns"]), (theirs["value"], text(theirs["created"])))
        attempts = theirs["attempts"] or []
        # Until 0.17 lnd called a payment without an attempt "In Flight".
        status = "INITIATED" if theirs["status"] == "In Flight" and not attempts else STATUS[theirs["status"]]
        # Here one settled part proves the payment, whatever else is still open.
        if any(attempt["outcome"] == "settled" for attempt in attempts):
            status = "SUCCEEDED"
        self.assertEqual(ours["status"], status)
        reason = REASONS[theirs["failure"]] if status == "FAILED" else "NONE"
        self.assertEqual(ours["failure_reason"], "FAILURE_REASON_" + reason)
        request = bytes.fromhex(theirs["payreq"])
        plain = all(0x20 <= byte < 0x7F for byte in request)  # anything else is kept raw and not shown
        self.assertEqual(ours["payment_request"], request.decode() if request and plain else None)
        # Attempts are in the order of their ids.
        self.assertEqual(len(ours["htlcs"]), len(attempts))
        for attempt, other in zip(attempts, ours["htlcs"]):
            self.same_attempt(attempt, other)
        settled = [attempt for attempt in attempts if attempt["outcome"] == "settled"]
        if settled:
            self.assertEqual(ours["fee_msat"], sum(attempt["route"]["fees"] for attempt in settled))
            self.assertEqual(ours["payment_preimage"], settled[0]["preimage"])

    def compare(self, name, path=None, aside=()):
        report = self.imported(path or self.unpack(name))
        theirs = [payment for payment in self.lnds_reading(os.path.splitext(name)[0]) if payment["hash"] not in aside]
        ours = {row["payment_index"]: row for row in self.payments()}
        self.assertEqual(sorted(ours, key=int), [str(payment["seq"]) for payment in sorted(theirs, key=lambda one: one["seq"])])
        for payment in theirs:
            with self.subTest(index=payment["seq"]):
                self.same_payment(payment, ours[str(payment["seq"])])
        self.assertEqual([one["payment_hash"] for one in report["quarantined"]], list(aside))
        self.every_form_says_the_same_fee(ours.values())
        self.ok("check")
        return report

    def every_form_says_the_same_fee(self, rows):
        table = list(csv.DictReader(io.StringIO(self.ok("list", "--max-payments", "0", "--format", "csv").out)))
        self.assertEqual({row["index"]: row["fee_msat"] for row in table}, {row["payment_index"]: str(row["fee_msat"]) for row in rows})
        stats = self.ok("stats", "--format", "json").json()
        paid = [row["fee_msat"] for row in rows if row["status"] == "SUCCEEDED" and row["duplicate_of"] is None]
        self.assertEqual(stats["fee_msat"]["sum"], sum(paid))

    # --- a file each ---

    def test_0_8_2_keeps_an_empty_bucket_of_old_payments(self):
        self.assertEqual(self.compare("channel-v0.8.2.db")["notes"], [])

    def test_0_8_2_upgraded_by_lnd_to_0_21_2(self):
        self.compare("channel-v0.8.2-upgraded-to-v0.21.2.db")

    def test_0_10_4(self):
        self.compare("channel-v0.10.4.db")

    def test_0_12_1(self):
        self.compare("channel-v0.12.1.db", aside=[AMP])

    def test_0_15_5(self):
        self.compare("channel-v0.15.5.db", aside=[AMP])

    def test_0_18_5(self):
        self.compare("channel-v0.18.5.db", aside=[AMP])

    def test_0_21_2(self):
        self.compare("channel-v0.21.2.db", aside=[AMP])

    def test_0_21_2_without_a_payment(self):
        self.assertEqual(self.imported(self.unpack("channel-fresh-v0.21.2.db"))["read"], 0)

    def test_0_21_2_key_value_in_sqlite(self):
        self.compare("channel-kv-v0.21.2.sqlite", aside=[AMP])

    def test_0_21_2_native_sql(self):
        self.compare("lnd-native-v0.21.2.sqlite", aside=[AMP])

    def test_0_21_2_moved_to_native_sql(self):
        """Its duplicates, for which lnd has neither number nor route any more, come behind all others."""
        name = "lnd-native-migrated-from-kv-v0.21.2"
        self.imported(self.unpack(name + ".sqlite"))
        theirs = {payment["seq"]: payment for payment in self.lnds_reading(name)}
        old = {payment["seq"]: payment for payment in self.lnds_reading("channel-v0.21.2")}
        rows = self.payments()
        for row in rows:
            with self.subTest(index=row["payment_index"]):
                if row["duplicate_of"] is None:
                    self.same_payment(theirs[int(row["payment_index"])], row)
        duplicates = [row for row in rows if row["duplicate_of"] is not None]
        self.assertEqual([(row["payment_index"], row["value_msat"], row["creation_time_ns"], row["payment_preimage"]) for row in duplicates],
                         [(str(39 + i), old[seq]["value"], str(old[seq]["created"]), old[seq]["attempts"][0]["preimage"]) for i, seq in enumerate((500000, 500001))])
        self.assertEqual({row["duplicate_of"] for row in duplicates}, {"31"})

    def test_0_20_1_never_wrote_its_version(self):
        self.compare("channel-v0.20.1.db", aside=[AMP])
        os.unlink(self.db)
        notes = self.imported(self.unpack("channel-v0.20.1.db"))["notes"]
        self.assertEqual(len(notes), 1)
        self.assertIn("read as 33, as lnd does", notes[0])
        text_form = self.run_it("migrate", "--from-lnd", os.path.join(self.folder, "channel-v0.20.1.db"), "--dry-run")
        self.assertIn("Note: the file does not say its version", text_form.out)


if __name__ == "__main__":
    unittest.main()
