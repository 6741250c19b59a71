"""Goal: what `list` exports is read back by others as it was. Method: hostile labels and descriptions through Python's csv and json
modules."""

import csv
import io
import json
import unittest

import harness
from harness import World

HEADER = ["index", "hash", "status", "value_msat", "fee_msat", "attempts", "created", "label", "parts", "destination", "description", "preimage",
          "ended", "failure_reason", "fee_final", "definitive"]
LABELS = ['rent, "May"', "two\nlines\r", "=1+1", "+49", "-1", "@SUM(A1)", "caf\u00e9", "\x1b[31m", "", ",", '"', "a;=1+1", "\uff1d1"]
SHOWN = ['rent, "May"', "two\\nlines\\x0d", "'=1+1", "'+49", "'-1", "'@SUM(A1)", "caf\u00e9", "\\x1b[31m", "", ",", '"', "a;'=1+1", "'\uff1d1"]


class Export(World):
    def history(self):
        for label in LABELS:
            said = ["--description=" + label] if label else []
            self.ok("send", self.invoice("100sat", *said), "--yes", *(["--label=" + label] if label else []))

    def raw(self, *args):
        process = self.popen("list", "--max-payments", "0", *args)
        out = process.stdout.buffer.read().decode()  # line ends are not translated
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0)
        return out

    def test_csv_ndjson_and_tsv_say_the_same(self):
        self.history()
        text = self.raw("--format", "csv")
        self.assertEqual(text.count("\r\n"), len(LABELS) + 1)
        self.assertEqual(text.replace("\r\n", "").count("\n"), 0)
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
        self.assertEqual(rows[0], HEADER)
        self.assertEqual([row[7] for row in rows[1:]], SHOWN)
        objects = [json.loads(line) for line in self.raw("--format", "ndjson").splitlines()]
        self.assertEqual([item["label"] or "" for item in objects], LABELS)
        for row, item in zip(rows[1:], objects):
            self.assertEqual(row[:6], [item["payment_index"], item["payment_hash"], item["status"], str(item["value_msat"]),
                                       str(item["fee_msat"]), str(len(item["htlcs"]))])
            self.assertEqual(row[8:10], [str(item["parts"]), item["destination"]])
            self.assertEqual(row[10], row[7])
            self.assertEqual((row[11], row[13]), (item["payment_preimage"], ""))
            self.assertRegex(row[12], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
            self.assertGreaterEqual(row[12], row[6])
            self.assertEqual(row[14:], ["true", "true"])
        tsv = [line.split("\t") for line in self.raw("--format", "tsv").splitlines()]
        self.assertEqual(tsv, [row[:7] + row[8:9] for row in rows[1:]])

    def test_what_is_not_there_is_empty(self):
        self.expect(harness.FAILED, "send", self.invoice("100sat", "--fail", "INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS"), "--yes")
        self.expect(harness.UNKNOWN, "send", self.invoice("100sat", "--hold", "forever"), "--yes", "--wait", "0")
        failed, held = csv.DictReader(io.StringIO(self.raw("--format", "csv"), newline=""))
        self.assertEqual((failed["status"], failed["preimage"], failed["failure_reason"], failed["description"]),
                         ("FAILED", "", "FAILURE_REASON_INCORRECT_PAYMENT_DETAILS", ""))
        self.assertTrue(failed["ended"])
        self.assertEqual((held["status"], held["preimage"], held["ended"], held["failure_reason"]), ("IN_FLIGHT", "", "", ""))
        self.assertEqual([(row["fee_final"], row["definitive"]) for row in (failed, held)], [("true", "true"), ("false", "false")])
        self.assertEqual(held["fee_msat"], str(self.payments()[1]["fee_msat"]))
        self.assertEqual(held["destination"], self.payments()[1]["destination"])

    def test_an_empty_export_has_its_header(self):
        self.ok("simulate", "ledger")
        self.expect(harness.UNKNOWN, "send", self.invoice("100sat", "--hold", "forever"), "--yes", "--wait", "0")
        self.assertEqual(self.raw("--format", "csv", "--status", "failed"), ",".join(HEADER) + "\r\n")
        self.assertEqual(self.raw("--format", "csv", "--guards").count("\r\n"), 1)
        self.assertEqual(self.raw("--format", "csv", "--quarantine"), "id,source,sequence,hash,reason\r\n")


if __name__ == "__main__":
    unittest.main()
