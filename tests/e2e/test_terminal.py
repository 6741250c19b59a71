"""Goal: on a terminal of any width and kind nothing is garbled: lines fit, colours are on status words alone, the progress line
is gone at the end. Method: a real pseudo-terminal, and a screen that reports every control sequence that it does not know."""

import json
import os
import re
import signal
import unittest

import harness
import terminal
from harness import World

WIDE = "caf\u00e9 \u4f60\u597d \U0001f600 e\u0301 \x1b[31mred \u202e"
WIDTHS = (40, 60, 80, 120)


def examples_of(text):
    """As a shell joins them: without the backslashes at the ends of lines."""
    lines = text.split("Examples:\n")[1].split("\n\n")[0]
    return [" ".join(line.split()) for line in lines.replace("\\\n", " ").splitlines()]


class Terminal(World):
    def history(self):
        self.ok("send", self.invoice("1234567sat"), "--yes", "--label", WIDE, "--fee-limit", "10000sat")
        self.run_it("send", self.invoice("100sat", "--fail", "INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS"), "--yes")
        self.expect(harness.UNKNOWN, "send", self.invoice("250sat", "--hold", "forever"), "--yes", "--wait", "1s")

    def see(self, *args, code=0, **how):
        seen = terminal.run(self, *args, **how)
        self.assertEqual(seen.code, code, seen.text)
        self.assertEqual(seen.screen.strange, [], seen.raw)
        return seen

    def assert_fits(self, seen):
        self.assertEqual(seen.screen.overflowed, [], seen.text)

    def test_tables_fit_every_width(self):
        self.history()
        newest = self.payments()
        for columns in WIDTHS:
            with self.subTest(columns=columns):
                listed = self.see("list", columns=columns)
                self.assert_fits(listed)
                for payment in newest:
                    self.assertIn(payment["payment_hash"][:12], listed.text)
                    self.assertIn(payment["status"], listed.text)
                self.assertIn("ago", listed.text)
                self.assert_fits(self.see("config", columns=columns))
                self.assert_fits(self.see("stats", columns=columns))
                for payment in newest:
                    shown = self.see("show", payment["payment_hash"], "--omit-hops", columns=columns)
                    facts = shown.text.split("\n\n")[0]
                    self.assertIn(payment["payment_hash"], "".join(line[14:] for line in facts.splitlines()))
        self.assertIn("1,234,567 sat", self.see("list", columns=120).text)

    def test_the_header_is_a_table_where_there_is_room_and_blocks_where_there_is_not(self):
        self.history()
        self.assertRegex(self.see("list", columns=120).text, r"INDEX +HASH +STATUS +AMOUNT +FEE +ATTEMPTS +CREATED +AGE")
        self.assertRegex(self.see("list", columns=80).text, r"INDEX +HASH +STATUS +AMOUNT +FEE +AGE +LABEL")
        self.assertNotIn("CREATED", self.see("list", columns=80).text)
        self.assertRegex(self.see("list", columns=40).text, r"(?m)^HASH +[0-9a-f]{12}$")

    def test_help_fits_every_width_and_its_examples_can_be_copied(self):
        commands = [command["name"] for command in json.loads(self.ok("help", "--json").out)["commands"]]
        self.assertGreater(len(commands), 14)
        for columns in (*WIDTHS, 200):
            for command in ["", *commands]:
                with self.subTest(columns=columns, command=command):
                    seen = self.see("help", *command.split(), columns=columns)
                    self.assert_fits(seen)
                    self.assertLessEqual(max(len(line.rstrip()) for line in seen.text.splitlines()), 120)
                    self.assertEqual(examples_of(seen.text), examples_of(self.see("help", *command.split(), columns=120).text))
        in_a_pipe = self.ok("help", "send").out.splitlines()
        self.assertLessEqual(max(map(len, in_a_pipe)), 80)
        self.assertGreater(max(map(len, in_a_pipe)), 70)

    def test_strangers_words_stay_words(self):
        self.history()
        first = self.payments()[0]
        shown = self.see("show", first["payment_hash"], columns=120)
        self.assertIn("caf\u00e9 \u4f60 \u597d".replace(" \u597d", "\u597d"), shown.text)
        self.assertIn("\\x1b[31mred \\u{202e}", shown.text)

    def test_colour_is_on_status_words_alone_and_only_where_it_is_welcome(self):
        self.history()
        seen = self.see("list")
        self.assertIn("\x1b[32mSUCCEEDED\x1b[0m", seen.raw)
        self.assertIn("\x1b[31mFAILED\x1b[0m", seen.raw)
        self.assertEqual(seen.raw.count("\x1b["), 6)
        for how in ({"term": "dumb"}, {"env": {"NO_COLOR": "1"}}, {"term": ""}):
            self.assertNotIn("\x1b", self.see("list", **how).raw)
        self.assertNotIn("\x1b", self.see("list", "--color", "never").raw)
        self.assertNotIn("\x1b", self.see("list", "--json").raw)
        piped = self.ok("show", self.payments()[0]["payment_hash"])
        self.assertNotIn("\x1b", piped.out)
        self.assertNotIn("ago", piped.out)

    def test_a_question_and_its_answer(self):
        invoice = self.invoice("250sat", "--description", WIDE)
        refused = self.see("send", invoice, code=harness.NOT_CONFIRMED, answer="n\n")
        self.assertIn("[y/N]", refused.text)
        self.assertIn("hint: paytower send INVOICE --dry-run", refused.text)
        open_amount = self.ok("simulate", "invoice", "--amt", "any").out.strip()
        refused = self.see("send", open_amount, "--amt", "5sat", "--label", "for tea", code=harness.NOT_CONFIRMED, answer="n\n", columns=200)
        self.assertIn("hint: paytower send INVOICE --amt 5sat --label 'for tea' --dry-run", refused.text)
        self.assertIn("Paid 250 sat", self.see("send", invoice, answer="y\n").text)

    def test_whoever_says_no_is_told_where_to_look(self):
        path = self.batch(2)
        self.assertIn(f"hint: paytower send --batch {path} --dry-run", self.see("send", "--batch", path, code=harness.NOT_CONFIRMED, answer="n\n", columns=200).text)
        self.ok("send", self.invoice("250sat"), "--yes")
        paid = self.payments()[0]["payment_hash"]
        self.assertIn(f"hint: paytower show {paid}", self.see("delete", paid, code=harness.NOT_CONFIRMED, answer="n\n", columns=200).text)
        for said in (["--all", "--include-non-failed"], ["--all", "--include-non-failed", "--older-than", "0"]):
            everything = self.see("delete", *said, code=harness.NOT_CONFIRMED, answer="n\n", columns=200)
            self.assertIn(f"hint: paytower delete {' '.join(said)} --dry-run", everything.text)
        self.expect(harness.UNKNOWN, "send", self.invoice("100sat", "--hold", "forever"), "--yes", "--wait", "0")
        held = next(payment["payment_hash"] for payment in self.payments() if payment["status"] == "IN_FLIGHT")
        decided = self.see("resolve", held, "--write-off", code=harness.NOT_CONFIRMED, answer="no\n", columns=200)
        self.assertIn(f"hint: paytower show {held}", decided.text)

    def test_a_signal_at_the_question_is_told_and_leaves_nothing(self):
        path = self.batch(2)
        for call in ([self.invoice("250sat")], ["--batch", path]):
            for which in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                with self.subTest(call=call, which=which):
                    seen = self.see("send", *call, code=128 + which, answer=which, columns=200)
                    self.assertRegex(seen.text, r"\[y/N\]\npaytower: interrupted; nothing was sent and nothing was recorded\n$")
        told = self.see("send", self.invoice("250sat"), "--json", code=130, answer=signal.SIGINT, columns=400).text
        self.assertEqual(json.loads(told.splitlines()[-1])["error"]["code"], "interrupted")
        self.assertFalse(os.path.exists(self.db))
        self.assertEqual(self.ledger(), [])
        self.ok("send", self.invoice("250sat"), "--yes")
        self.see("delete", "--all", "--include-non-failed", code=130, answer=signal.SIGINT)
        self.assertEqual(len(self.payments()), 1)

    def test_a_list_of_nothing_says_so_to_a_person_alone(self):
        self.ok("send", self.invoice("100sat"), "--yes")
        self.ok("delete", "--all", "--include-non-failed", "--forget", "--yes")
        self.assertEqual(self.see("list").text.strip(), "no payments")
        self.ok("send", self.invoice("100sat"), "--yes")
        self.assertEqual(self.see("list", "--status", "failed").text.strip(), "no payment matches these filters")
        self.assertEqual(self.see("list", "--search", "nobody wrote this").text.strip(), "no payment matches these filters")
        self.assertEqual(self.see("list", "--guards").text.strip(), "no blocked hashes")
        self.assertEqual(self.see("list", "--quarantine").text.strip(), "no unreadable records")
        self.assertNotIn("no payment", self.see("list").text)
        for flags in (("--quiet",), ("--json",), ("--format", "csv"), ("--format", "tsv"), ("--format", "ndjson")):
            self.assertNotIn("no payment", self.see("list", "--status", "failed", *flags).text)
        self.assertEqual(self.see("list", "--status", "failed", stdout_pipe=True).text, "")

    def test_a_held_payment_is_told_in_whole_words(self):
        self.expect(harness.UNKNOWN, "send", self.invoice("100sat", "--hold", "forever"), "--yes", "--wait", "0")
        held = self.payments()[0]["payment_hash"]
        words = "If the payee or a node on the way holds it, only waiting helps: it ends by itself, at the latest with its time lock."
        for command in (("show", held), ("resume", held, "--wait", "1s"), ("resume", "--wait", "1s"), ("cancel", held)):
            code = 0 if command[0] == "show" else harness.UNKNOWN
            seen = self.see(*command, columns=40, code=code).text
            self.assertIn(words, re.sub(r"\s+", " ", seen))
            self.assertEqual("cancel only stops" in re.sub(r"\s+", " ", seen), command[0] != "cancel")

    def batch(self, count):
        path = os.path.join(self.folder, "batch.ndjson")
        with open(path, "w", encoding="utf-8") as file:
            for _ in range(count):
                file.write(json.dumps({"invoice": self.invoice("100sat", "--hold", "100ms")}) + "\n")
        return path

    def test_a_batch_shows_its_progress_and_wipes_it(self):
        for columns, term in ((80, "xterm"), (40, "dumb")):
            path = self.batch(20)
            seen = self.see("send", "--batch", path, "--yes", "--parallel", "1", columns=columns, term=term, stdout_pipe=True)
            self.assert_fits(seen)
            self.assertEqual(len(seen.out.splitlines()), 20)
            self.assertRegex(seen.raw, r"\r\d+ paid, 0 failed, \d+ in flight")
            if columns == 80:
                self.assertRegex(seen.raw, r"in flight, \d+ left")
            self.assertNotIn("failed, ", seen.text.split("20 lines")[0])
            self.assertIn("20 lines: 20 paid", seen.text)
            self.assertNotIn("\x1b", seen.raw)

    def test_resume_shows_its_progress_and_wipes_it(self):
        for _ in range(3):
            self.expect(harness.UNKNOWN, "send", self.invoice("100sat", "--hold", "forever"), "--yes", "--wait", "0")
        hashes = [payment["payment_hash"] for payment in self.payments()]
        self.expect(harness.UNKNOWN, "resume", "--wait", "1s")
        for payment_hash in hashes:
            self.ok("simulate", "release", payment_hash)
        for _ in range(2):
            self.expect(harness.UNKNOWN, "send", self.invoice("100sat", "--hold", "8s"), "--yes", "--wait", "0")
        seen = self.see("resume", stdout_pipe=True, columns=40)
        self.assert_fits(seen)
        self.assertRegex(seen.raw, r"\r3 paid, 0 failed, 2 in flight")
        self.assertEqual(seen.text.strip(), "")
        self.assertIn("5 resolved (5 paid, 0 failed), 0 still in flight", seen.out)

    def test_no_progress_without_a_terminal_or_when_quiet(self):
        path = self.batch(12)
        self.assertNotIn("\r", self.ok("send", "--batch", path, "--yes", "--parallel", "1").err)
        for flag in ("--quiet", "--json"):
            seen = self.see("send", "--batch", path, "--yes", "--idempotent", flag, stdout_pipe=True)
            self.assertNotIn(" paid, 0 failed", seen.raw)

    def test_a_held_payment_says_what_it_waits_for_and_wipes_it(self):
        for columns in WIDTHS:
            with self.subTest(columns=columns):
                seen = self.see("send", self.invoice("100sat", "--hold", "4s"), "--yes", columns=columns, stdout_pipe=True)
                self.assert_fits(seen)
                self.assertRegex(seen.raw, r"\rIn flight \d+ s: attempt 1 of \d+, \d hops?")
                if columns >= 80:
                    self.assertRegex(seen.raw, r"hops?, waits until \d\d:\d\d:\d\dZ \(Ctrl-C is safe\)")
                self.assertEqual(seen.text.strip(), "")
                self.assertTrue(seen.out.startswith("Paid 100 sat"), seen.out)
        self.expect(harness.UNKNOWN, "send", self.invoice("100sat", "--hold", "forever"), "--yes", "--wait", "0")
        resumed = self.see("resume", "--wait", "2s", code=harness.UNKNOWN)
        self.assertRegex(resumed.raw, r"\rIn flight \d+ s: attempt 1 of \d+")
        self.assertNotIn("attempt 1 of", resumed.text)

    def test_a_held_payment_is_silent_where_nobody_reads_the_line(self):
        for flags in (("--quiet",), ("--json",)):
            seen = self.see("send", self.invoice("100sat", "--hold", "2s"), "--yes", *flags)
            self.assertNotIn("attempt 1 of", seen.raw)
        self.assertEqual(self.ok("send", self.invoice("100sat", "--hold", "2s"), "--yes").err, "")

    def test_a_terminal_without_a_width(self):
        self.history()
        self.assertIn("HASH", terminal.run(self, "list", columns=0).raw)


if __name__ == "__main__":
    unittest.main()
