"""Goal: what real lnd releases wrote is read as lnd itself reads it, field by field. Method: each file of tests/data/lnd/releases
beside lnd's own reading of it as JSON; whatever differs by design is named here and nowhere else."""

import csv
import gzip
import hashlib
import io
import json
import os
import unittest

import harness
from harness import OK, REFUSED
from test_migrate import QUARANTINED

RELEASES = os.path.join(os.path.dirname(__file__), "..", "data", "lnd", "releases")
REASONS = ["TIMEOUT", "NO_ROUTE", "ERROR", "INCORRECT_PAYMENT_DETAILS", "INSUFFICIENT_BALANCE", "CANCELED"]
STATUS = {"Succeeded": "SUCCEEDED", "Failed": "FAILED", "In Flight": "IN_FLIGHT", "Initiated": "INITIATED"}
KEYSEND = "5482373484"
AMP = "ec6663208ec267776a2d1c6a6ac53c431d83dcec7a730d16ce3f1b4ee0a048f6"
GO_ZERO = -6795364578871345152  # its zero time in nanoseconds, as far as 64 bits hold them


def text(number):
    """64-bit numbers as JSON has them; null for what lnd did not record."""
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

    def same_hops(self, theirs, ours):
        self.assertEqual(len(ours["hops"]), len(theirs["hops"]))
        arriving = theirs["amt"]
        for hop, other in zip(theirs["hops"], ours["hops"]):
            self.assertEqual((other["pub_key"], other["chan_id"]), (hop["key"], text(hop["chan"])))
            self.assertIsNone(other["delay"])
            # lnd writes 0 for what is not known between the hops of a blinded path: that is null here, and so is the fee on either side of
            # it.
            self.assertEqual(other["amt_to_forward_msat"], hop["amt"] or None)
            self.assertEqual(other["fee_msat"], arriving - hop["amt"] if arriving and hop["amt"] else None)
            # lnd gives the end of a blinded path an expiry, although the path hides it.
            blinded_end = hop is theirs["hops"][-1] and len(theirs["hops"]) > 1 and "enc" in hop
            self.assertEqual(other["expiry"], None if blinded_end else hop["tl"] or None)
            arriving = hop["amt"]

    def same_failure(self, theirs, ours):
        """lnd's reasons: 0 unknown, 1 unreadable, 2 internal, 3 a message with a code of the wire. Before 0.9 it kept none."""
        if theirs["outcome"] != "failed":
            self.assertIsNone(ours)
            return
        reason = theirs.get("fail_reason", 0)
        if reason != 3:
            self.assertEqual((ours["code"], ours["wire_code"]), (["UNKNOWN_CODE", "UNREADABLE", "LOCAL_REFUSAL"][reason], None))
            self.assertEqual(ours["failure_source_index"], theirs.get("fail_idx") or None)
            return
        self.assertEqual((ours["wire_code"], ours["failure_source_index"]), (theirs["fail_code"], theirs.get("fail_idx", 0)))
        # lnd calls 0x8001 invalid_realm, which in BOLT 4 is 0x4001; the number tells.
        self.assertEqual(ours["code"] == "UNKNOWN_CODE", theirs["fail_code"] in (17, 0x8001))

    def same_attempt(self, theirs, ours, payment_hash):
        self.assertEqual(ours["htlc_hash"], None if theirs.get("hash", payment_hash) == payment_hash else theirs["hash"])
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
        self.same_hops(known, route)
        self.same_failure(theirs, ours["failure"])

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
        plain = all(0x20 <= byte < 0x7F for byte in request)  # any other text is kept raw, and not shown
        self.assertEqual(ours["payment_request"], request.decode() if request and plain else None)
        # Attempts are in the order of their ids.
        self.assertEqual(len(ours["htlcs"]), len(attempts))
        for attempt, other in zip(attempts, ours["htlcs"]):
            self.same_attempt(attempt, other, theirs["hash"])
        self.assertEqual(ours["amp"], any(attempt.get("hash", theirs["hash"]) != theirs["hash"] for attempt in attempts))
        settled = [attempt for attempt in attempts if attempt["outcome"] == "settled"]
        if settled:
            self.assertEqual(ours["fee_msat"], sum(attempt["route"]["fees"] for attempt in settled))
            self.assertEqual(ours["payment_preimage"], settled[0]["preimage"])

    # --- what has no column ---

    def same_records(self, theirs, ours):
        theirs = theirs or {}
        self.assertEqual([record["type"] for record in ours], sorted(theirs, key=int))
        for record in ours:
            if record["type"] == KEYSEND:
                self.assertEqual((record["name"], record["value"], record["text"]), ("keysend_preimage", None, None))
            else:
                self.assertEqual(record["value"], theirs[record["type"]])

    def same_raw(self, theirs, raw):
        self.assertEqual(raw["payment_request"], theirs["payreq"] or None)
        self.same_records(theirs.get("first_hop_recs"), raw["first_hop_custom_records"])
        self.assertEqual(len(raw["htlcs"]), len(theirs["attempts"] or []))
        for attempt, kept in zip(theirs["attempts"] or [], raw["htlcs"]):
            route = attempt["route"]
            self.assertEqual((kept["attempt_id"], kept["first_hop_amt_msat"]), (text(attempt["id"]), route.get("first_hop_amt")))
            self.same_records(route.get("first_hop_recs"), kept["first_hop_custom_records"])
            self.assertEqual(kept["failure_message"], attempt.get("fail_wire"))
            for hop, other in zip(route["hops"], kept["hops"]):
                self.same_records(hop.get("custom"), other["custom_records"])
                self.assertEqual((other["metadata"], other["encrypted_data"], other["blinding_point"]), (hop.get("meta"), hop.get("enc"), hop.get("blind")))
                self.assertEqual((other["total_amt_msat"], other["expiry"]), (hop.get("total_amt", hop.get("mpp_total")), hop["tl"] or None))
                self.assertEqual(other["amp_child_index"], hop.get("amp_child", 0) if "amp_set" in hop else None)

    def every_extra_is_kept(self, theirs):
        """`show` prints everything that lnd's own reading has and no column holds, except secrets."""
        extra = {"custom", "meta", "enc", "amp_set"}
        for payment in theirs:
            attempts = payment["attempts"] or []
            hops = [hop for attempt in attempts for hop in attempt["route"]["hops"]]
            routes = [attempt["route"] for attempt in attempts]
            needed = (any(extra & set(hop) for hop in hops) or any({"first_hop_amt", "first_hop_recs"} & set(route) for route in routes) or "first_hop_recs" in payment
                      or any(len(attempt.get("fail_wire", "")) > 4 for attempt in attempts))
            outcome = self.ok("show", payment["hash"], "--json")
            shown = outcome.json()
            if shown["payment_index"] != str(payment["seq"]):
                continue  # a duplicate
            with self.subTest(index=payment["seq"]):
                self.assertIn(len(shown["imported_raw"]), (1,) if needed else (0, 1))
                for raw in shown["imported_raw"]:
                    self.same_raw(payment, raw)
                # A keysend payment's preimage is shown only as the proof of payment. No other secret is shown.
                for attempt in attempts:
                    self.assertNotIn(attempt["session"], outcome.out)
                for hop in hops:
                    for secret in ("mpp_addr", "amp_root"):
                        self.assertTrue(secret not in hop or hop[secret] not in outcome.out)

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
        self.every_extra_is_kept(theirs)
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
        self.compare("channel-v0.12.1.db", aside=[AMP])  # its attempts have no hashes of their own yet

    def test_0_15_5(self):
        self.compare("channel-v0.15.5.db")

    def test_0_18_5(self):
        self.compare("channel-v0.18.5.db")

    def test_0_21_2(self):
        self.compare("channel-v0.21.2.db")

    def test_0_21_2_without_a_payment(self):
        self.assertEqual(self.imported(self.unpack("channel-fresh-v0.21.2.db"))["read"], 0)

    def test_0_21_2_key_value_in_sqlite(self):
        self.compare("channel-kv-v0.21.2.sqlite")

    def test_0_21_2_native_sql(self):
        self.compare("lnd-native-v0.21.2.sqlite")

    def test_0_21_2_moved_to_native_sql(self):
        """lnd no longer has numbers or routes of its duplicates: they come after all other payments."""
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

    def test_failure_codes_without_a_name_keep_their_number(self):
        self.imported(self.unpack("channel-failure-codes-v0.21.2.db"))
        failures = [(htlc["failure"]["code"], htlc["failure"]["wire_code"], htlc["failure"]["failure_source_index"])
                    for row in self.payments() for htlc in row["htlcs"] if htlc["failure"]]
        self.assertEqual(sorted(failures, key=str), [("UNKNOWN_CODE", 17, 2), ("UNKNOWN_CODE", 0x8001, 2), ("UNKNOWN_CODE", None, 2),
                                                     ("UNKNOWN_NEXT_PEER", 0x400A, 2)])

    def test_an_amp_payment_is_paid_and_its_set_id_never_payable(self):
        self.imported(self.unpack("channel-v0.21.2.db"))
        row = next(row for row in self.payments() if row["payment_hash"] == AMP)
        for htlc in row["htlcs"]:
            self.assertEqual(hashlib.sha256(bytes.fromhex(htlc["preimage"])).hexdigest(), htlc["htlc_hash"])
        failed = next(row for row in self.payments() if row["amp"] and row["status"] == "FAILED")["payment_hash"]
        to = self.decode(self.invoice())["destination"]
        send = ["send", "--dest", to, "--payment-secret", "11" * 32, "--amt", "1sat", "--yes", "--json", "--payment-hash"]
        self.assertEqual(self.expect(REFUSED, *send, AMP).error()["code"], "already_paid")
        self.assertEqual(self.expect(REFUSED, *send, failed).error()["code"], "already_ended")
        self.ok("delete", AMP, failed, "--yes")
        self.assertEqual(self.expect(REFUSED, *send, AMP).error()["code"], "already_paid")
        self.assertEqual(self.expect(REFUSED, *send, failed).error()["code"], "already_ended")
        self.ok("check")
        self.assertEqual(self.imported(os.path.join(self.folder, "channel-v0.21.2.db"))["read"], 0)

    def test_0_20_1_never_wrote_its_version(self):
        self.compare("channel-v0.20.1.db")
        os.unlink(self.db)
        notes = self.imported(self.unpack("channel-v0.20.1.db"))["notes"]
        self.assertEqual(len(notes), 1)
        self.assertIn("read as 33, as lnd does", notes[0])
        text_form = self.run_it("migrate", "--from-lnd", os.path.join(self.folder, "channel-v0.20.1.db"), "--dry-run")
        self.assertIn("Note: the file does not say its version", text_form.out)


if __name__ == "__main__":
    unittest.main()
