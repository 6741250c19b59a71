"""Goal: what `list` exports is read back by others as it was. Method: hostile labels through Python's csv and json modules."""

import csv
import io
import json
import unittest

import harness
from harness import World

HEADER = ["index", "hash", "status", "value_msat", "fee_msat", "attempts", "created", "label", "parts"]
LABELS = ['rent, "May"', "two\nlines\r", "=1+1", "+49", "-1", "@SUM(A1)", "caf\u00e9", "\x1b[31m", "", ",", '"']
SHOWN = ['rent, "May"', "two\\nlines\\x0d", "'=1+1", "'+49", "'-1", "'@SUM(A1)", "caf\u00e9", "\\x1b[31m", "", ",", '"']


class Export(World):
    def history(self):
        for label in LABELS:
            self.ok("send", self.invoice("100sat"), "--yes", *(["--label=" + label] if label else []))

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
            self.assertEqual(row[8], str(item["parts"]))
        tsv = [line.split("\t") for line in self.raw("--format", "tsv").splitlines()]
        self.assertEqual(tsv, [row[:7] + row[8:] for row in rows[1:]])

    def test_an_empty_export_has_its_header(self):
        self.ok("simulate", "ledger")
        self.expect(harness.UNKNOWN, "send", self.invoice("100sat", "--hold", "forever"), "--yes", "--wait", "0")
        self.assertEqual(self.raw("--format", "csv", "--status", "failed"), ",".join(HEADER) + "\r\n")
        self.assertEqual(self.raw("--format", "csv", "--guards").count("\r\n"), 1)
        self.assertEqual(self.raw("--format", "csv", "--quarantine"), "id,source,sequence,hash,reason\r\n")


if __name__ == "__main__":
    unittest.main()
