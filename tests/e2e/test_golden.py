"""Goal: what paytower prints, and how it exits, changes only on purpose. Method: each file of tests/golden is one case: a named
beginning, a command, what is typed, and what stdout, stderr and the exit code must be. `--update` writes the files anew.

A case is a few lines `name: value`, then three parts:

    begin: paid                 a beginning below; the command runs in its folder
    command: show $HASH --json  $HASH, $PREFIX, $INVOICE (a fresh one), $NEW (a hash that nobody knows),
                                $ANY, $FAILING, $HELD (fresh invoices), $AGAIN (that of $HASH)
    terminal: 80                stdin, stderr and stdout are one terminal of this width; stdout then holds all; else pipes
    stdin: n                    one line, typed at the question or piped
    exit: 0
    --- stdout
    --- stderr

What varies is replaced by these rules, in this order, before it is compared:
  the test's folder             DIR
  an invoice                    INVOICE
  33 bytes of hex, 32 bytes     NODE, HEX32
  the hash's first 12 digits    HEX6
  a time in RFC 3339            TIME
  "3 s ago", "in 59 s"          AGE
  a took-time: 1.2 s, 52 ms     TOOK
  17 to 19 digits               N   (attempt ids, times in ns, channel ids)
  "settle_us" and "bytes"       {...}, and sizes in bytes, kB and MB in words: SIZE
  two spaces or more            two spaces (columns move with the above)
"""

import glob
import os
import re
import shutil
import sqlite3
import sys
import tempfile
import unittest

import harness
import legacy
import terminal
from harness import World

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden")
UPDATE = "--update" in sys.argv

RULES = [
    (r"(\r[^\r\n]*\(Ctrl-C is safe\))+\r *\r", ""),  # the live line, which a busy machine sees
    (r"lnbcrt[0-9a-z]{50,}", "INVOICE"),
    (r"\b0[23][0-9a-f]{64}\b", "NODE"),
    (r"\b[0-9a-f]{64}\b", "HEX32"),
    (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
    (r"\b(in )?\d[\d,]* (s|min|h|d)( ago)\b|\bin \d+ (s|min|h|d)\b", "AGE"),
    (r"\b\d+\.\d s\b|\b\d+ ms\b", "TOOK"),
    (r"\b\d{17,19}\b", "N"),
    (r'"(settle_us|bytes)":\{[^}]*\}', r'"\1":{...}'),
    (r"\b[\d,]+ (bytes|kB|MB)\b", "SIZE"),
    (r"(?<=\S)  +", "  "),
]


class Golden(World):
    network_args = ["--seed", "7"]

    # --- beginnings ---

    def begin_empty(self):
        """A network, and no database yet."""
        self.hash = "ab" * 32

    def begin_paid(self):
        self.hash = self.send(harness.OK, self.invoice("250sat"), "--label", "rent")

    def begin_failed(self):
        self.hash = self.send(harness.FAILED, self.invoice("250sat", "--fail", "INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS"))

    def begin_pending(self):
        self.hash = self.send(harness.UNKNOWN, self.invoice("250sat", "--hold", "forever"), "--wait", "1s")

    def begin_busy(self):
        invoice = self.invoice("250sat", "--hold", "forever")
        process = self.send_in_background(invoice, "--wait", "forever")
        self.addCleanup(self.kill, process)
        self.hash = self.hash_of(invoice)

    def begin_unknown(self):
        self.begin_pending()
        switch = self.env.pop("PAYTOWER_SWITCH")
        self.ok("resolve", self.hash, "--write-off", "--yes")
        self.env["PAYTOWER_SWITCH"] = switch

    def begin_guard(self):
        self.from_template("paid")
        self.ok("delete", self.hash, "--yes")

    def begin_no_switch(self):
        """An open payment, and no switch named."""
        self.from_template("pending")
        del self.env["PAYTOWER_SWITCH"]

    def begin_default(self):
        """No database is named, and there is none."""
        self.hash = "ab" * 32
        del self.env["PAYTOWER_DB"]

    def config_file(self, text):
        self.from_template("paid")
        self.env["PAYTOWER_CONFIG"] = os.path.join(self.folder, "config")
        with open(self.env["PAYTOWER_CONFIG"], "w", encoding="utf-8") as file:
            file.write(text)

    def begin_config(self):
        self.config_file("# for tests\nfee-limit = 7sat\nquiet\n")

    def begin_bad_config(self):
        self.config_file("# for tests\n\nfee-limt = 7sat\n")

    def begin_bad_config_value(self):
        self.config_file("max-attempts = many\n")

    def begin_old_schema(self, status=2):
        """A database of version 1 with one completed payment."""
        proof = legacy.preimage(1)
        self.hash = legacy.payment_hash(proof).hex()
        legacy.make(self.db, [(1, legacy.record(proof))], [(bytes.fromhex(self.hash), status)])

    def begin_old_schema_damaged(self):
        self.begin_old_schema(status=3)

    def begin_newer_schema(self):
        self.from_template("paid")
        with sqlite3.connect(self.db) as database:
            database.execute("PRAGMA user_version = 99")

    def begin_not_a_database(self):
        self.hash = "ab" * 32
        with open(self.db, "w", encoding="utf-8") as file:
            file.write("nothing of the kind\n" * 100)

    def send(self, code, invoice, *more):
        self.expect(code, "send", invoice, "--yes", *more)
        return self.hash_of(invoice)

    templates = {}

    def from_template(self, name):
        """A beginning that needs payments is made once, and copied while nobody has its files open."""
        if name not in self.templates:
            getattr(self, "begin_" + name)()
            folder = tempfile.mkdtemp(prefix="paytower-golden-")
            shutil.copytree(self.folder, folder, dirs_exist_ok=True)
            self.templates[name] = (folder, self.hash)
            return
        folder, self.hash = self.templates[name]
        shutil.copytree(folder, self.folder, dirs_exist_ok=True)

    @classmethod
    def tearDownClass(cls):
        for folder, _ in cls.templates.values():
            shutil.rmtree(folder, ignore_errors=True)

    # --- one case ---

    def words(self, command):
        known = {"$HASH": lambda: self.hash, "$PREFIX": lambda: self.hash[:8], "$NEW": lambda: "cd" * 32,
                 "$INVOICE": lambda: self.invoice("250sat", "--switch", self.file_switch), "$ANY": lambda: self.invoice("any"),
                 "$FAILING": lambda: self.invoice("250sat", "--fail", "INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS"),
                 "$HELD": lambda: self.invoice("250sat", "--hold", "forever"),
                 "$AGAIN": lambda: self.ok("show", self.hash, "--json").json()["payment_request"]}
        return [known[word]() if word in known else word for word in command.split()]

    def plain(self, text):
        text = text.replace(self.folder, "DIR")
        if len(self.hash) == 64:
            text = re.sub(rf"\b{self.hash[:12]}\b|\b{self.hash[:8]}\b", "HEX6", text)
        for rule, instead in RULES:
            text = re.sub(rule, instead, text)
        return text

    def play(self, case):
        begin = case["begin"].replace("-", "_")
        if begin in ("paid", "failed", "pending", "unknown"):
            self.from_template(begin)
        else:
            getattr(self, "begin_" + begin)()
        words = self.words(case["command"])
        stdin = case.get("stdin")
        if "terminal" in case:
            seen = terminal.run(self, *words, columns=int(case["terminal"]), answer=stdin + "\n" if stdin is not None else None)
            return seen.code, self.plain(seen.raw.replace("\r\n", "\n")), ""
        outcome = self.run_it(*words, text=stdin + "\n" if stdin is not None else None)
        return outcome.code, self.plain(outcome.out), self.plain(outcome.err)


def read_case(path):
    with open(path, encoding="utf-8") as file:
        head, _, parts = file.read().partition("--- stdout\n")
    case = dict(line.split(": ", 1) for line in head.splitlines() if line and not line.startswith("#"))
    case["stdout"], _, case["stderr"] = parts.partition("--- stderr\n")
    return case


def write_case(path, case, code, out, err):
    with open(path, "w", encoding="utf-8") as file:
        for name in ("begin", "command", "terminal", "stdin"):
            if name in case:
                file.write(f"{name}: {case[name]}\n")
        file.write(f"exit: {code}\n--- stdout\n{visible(out)}--- stderr\n{visible(err)}")


def visible(text):
    """Writes control characters as text, so that the files stay text, and marks a last line without a newline."""
    text = text.replace("\x1b", "\\e").replace("\r", "\\r")
    return text if not text or text.endswith("\n") else text + "\\c\n"


def add_case(path):
    def test(self):
        case = read_case(path)
        code, out, err = self.play(case)
        if UPDATE:
            return write_case(path, case, code, out, err)
        self.maxDiff = None
        self.assertEqual((visible(out), visible(err)), (case["stdout"], case["stderr"]), f"{case['command']} ({case['begin']})")
        self.assertEqual(code, int(case["exit"]))

    setattr(Golden, "test_" + os.path.basename(path)[:-4].replace("-", "_"), test)


CASES = sorted(glob.glob(os.path.join(FOLDER, "*.txt")))
for name in CASES:
    add_case(name)


class Complete(unittest.TestCase):
    def test_every_command_has_cases(self):
        known = {read_case(path)["command"].split()[0] for path in CASES}
        for command in ("send", "resume", "list", "show", "label", "cancel", "resolve", "delete", "migrate", "backup", "check", "stats", "decode",
                        "simulate", "config", "help"):
            self.assertIn(command, known)

    def test_every_error_names_the_command_to_run_next(self):
        for path in CASES:
            case = read_case(path)
            heard = case["stdout" if "terminal" in case else "stderr"]
            if int(case["exit"]) in (2, 5, 6, 7, 8, 9, 10):
                with self.subTest(os.path.basename(path)):
                    self.assertRegex(heard, r'(?m)^hint: paytower |"hint":"paytower ')


if __name__ == "__main__":
    sys.argv = [argument for argument in sys.argv if argument != "--update"]
    unittest.main()
