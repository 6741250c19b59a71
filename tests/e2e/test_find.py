"""Goal: what happened is found again: a list says what it leaves out, and shows what a payment was for. Method: histories of known
payments, listed at a terminal of every width and into pipes that close early, searched, named by their invoices, and labelled anew."""

import os
import re
import sqlite3
import subprocess
import unittest

import harness
import legacy
import terminal
from harness import World

HOSTILE = "caf\u00e9 \u4f60\u597d \x1b[31mred\u202e"


class Cut(World):
    """What a list at a terminal says behind its rows."""

    def history(self, count, *more):
        for _ in range(count):
            self.ok("send", self.invoice("100sat"), "--yes", *more)

    def last_line(self, *args):
        return terminal.run(self, "list", *args, columns=120).text.splitlines()[-1]

    def test_a_cut_list_says_how_much_there_is_and_how_to_see_it(self):
        self.history(5)
        self.history(2, "--label", "rent")
        self.assertEqual(self.last_line("--max-payments", "3"), "3 of 7, --max-payments 0 for all")
        self.assertEqual(self.last_line("--max-payments", "1", "--label", "rent"), "1 of 2, --max-payments 0 for all")
        self.assertEqual(self.last_line("--max-payments", "2", "--status", "succeeded"), "2 of 7, --max-payments 0 for all")
        self.assertEqual(self.last_line("--max-payments", "2", "--since", "1h"), "2 of 7, --max-payments 0 for all")
        self.assertEqual(self.last_line("--max-payments", "2", "--index-offset", "4"), "2 of 3, --max-payments 0 for all")
        self.assertEqual(self.last_line("--max-payments", "2", "--paginate-forwards", "--index-offset", "4"), "2 of 3, --max-payments 0 for all")

    def test_a_whole_list_says_nothing(self):
        self.history(3)
        for args in (["--max-payments", "3"], ["--max-payments", "0"], [], ["--max-payments", "2", "--index-offset", "3"],
                     ["--max-payments", "2", "--paginate-forwards", "--index-offset", "1"]):
            self.assertNotIn(" for all", self.last_line(*args), args)

    def test_it_is_for_people_alone(self):
        self.history(3)
        piped = self.ok("list", "--max-payments", "1")
        self.assertEqual(piped.err, "")
        self.assertEqual(len(piped.out.splitlines()), 1)
        seen = terminal.run(self, "list", "--max-payments", "1", stdout_pipe=True)
        self.assertEqual(seen.raw, "")
        for quiet in ("--quiet", "--json"):
            self.assertNotIn(" for all", terminal.run(self, "list", "--max-payments", "1", quiet).text)

    def test_guards_too(self):
        hashes = []
        for _ in range(3):
            invoice = self.invoice("100sat")
            self.ok("send", invoice, "--yes")
            hashes.append(self.hash_of(invoice))
        self.ok("delete", *hashes, "--yes")
        self.assertEqual(self.last_line("--guards", "--max-payments", "2"), "2 of 3, --max-payments 0 for all")
        self.assertNotIn(" for all", self.last_line("--guards", "--max-payments", "3"))
        self.assertEqual(len(self.ok("list", "--guards", "--max-payments", "2").out.splitlines()), 2)
        invoice = self.invoice("3700sat")
        self.ok("send", invoice, "--yes")
        self.ok("delete", invoice, "--yes")
        self.assertRegex(terminal.run(self, "list", "--guards", columns=140).text, r" 3,700 sat  ")
        self.assertIn("\t3700sat\t", self.ok("list", "--guards").out)
        self.expect(harness.USAGE, "list", "--guards", "--index-offset", "1")


class Words(World):
    """What a payment was for."""

    def history(self):
        self.ok("send", self.invoice("100sat", "--description", "a coffee"), "--yes")
        self.ok("send", self.invoice("100sat", "--description", "a room"), "--yes", "--label", "rent, May")
        self.ok("send", self.invoice("100sat", "--description", HOSTILE), "--yes")

    def listed(self, columns):
        seen = terminal.run(self, "list", columns=columns)
        self.assertEqual((seen.screen.strange, seen.screen.overflowed), ([], []), seen.text)
        return seen.text

    def test_the_label_or_else_the_description_stands_in_the_list(self):
        self.history()
        for columns in (80, 120, 200):
            text = self.listed(columns)
            lines = text.splitlines()
            self.assertTrue(lines[0].endswith("LABEL"), text)
            self.assertTrue(lines[1].endswith('  "a coffee"'), text)
            self.assertTrue(lines[2].endswith("  rent, May"), text)
        self.assertIn("\\x1b[31mred\\u{202e}", self.listed(200).splitlines()[3])

    def test_it_takes_the_room_that_is_left(self):
        self.ok("send", self.invoice("100sat"), "--yes", "--label", "x" * 100)
        wide, narrow = self.listed(200), self.listed(112)
        self.assertIn("x" * 57 + "...", wide)
        self.assertRegex(narrow.splitlines()[1], r" x{5,30}\.\.\.$")
        self.assertEqual(len(narrow.splitlines()[1]), 112)
        self.assertRegex(self.listed(60), r"(?m)^INDEX +HASH +STATUS +AMOUNT")
        self.assertIn("LABEL", self.listed(40))

    def test_no_column_where_nobody_said_anything(self):
        legacy.make(self.db, [(1, legacy.record(legacy.preimage(1)))])
        self.ok("migrate")
        self.assertNotIn("LABEL", self.listed(120))

    def test_show_has_the_description(self):
        self.history()
        first, second, third = [row["payment_hash"] for row in self.payments()]
        self.assertRegex(self.ok("show", first).out, r"(?m)^description +a coffee$")
        both = self.ok("show", second).out
        self.assertRegex(both, r"(?m)^label +rent, May\ndescription +a room$")
        self.assertIn("\\x1b[31mred\\u{202e}", self.ok("show", third).out)
        self.assertEqual(self.ok("show", third, "--json").json()["description"], HOSTILE)
        self.assertEqual([row["description"] for row in self.payments()], ["a coffee", "a room", HOSTILE])


class Reader(World):
    """`list | head`."""

    def test_a_reader_that_leaves_hears_nothing_and_breaks_nothing(self):
        self.ok("send", self.invoice("100sat"), "--yes")
        for args in (["list"], ["list", "--json"], ["list", "--format", "csv"], ["show", self.payments()[0]["payment_hash"]], ["stats"],
                     ["help"]):
            with self.subTest(args[0]):
                reader, writer = os.pipe()
                os.close(reader)  # before the program begins: it may be done before anybody has left
                process = self.popen(*args, stdout=writer)
                os.close(writer)
                _, err = process.communicate(timeout=30)
                self.assertEqual((process.returncode, err), (harness.INTERNAL, ""))

    def test_head_gets_its_lines(self):
        for _ in range(3):
            self.ok("send", self.invoice("100sat"), "--yes")
        done = subprocess.run(["sh", "-c", '"$0" list --max-payments 0 | head -n 1', harness.BINARY], env=self.env, capture_output=True, text=True,
                              timeout=60, check=True)
        self.assertEqual(done.stderr, "")
        self.assertTrue(re.fullmatch(r"1\t[0-9a-f]{64}\t.*\n", done.stdout), done.stdout)

    def test_a_full_disk_is_told(self):
        self.ok("send", self.invoice("100sat"), "--yes")
        with open("/dev/full", "w", encoding="ascii") as full:
            process = self.popen("list", stdout=full)
            _, err = process.communicate(timeout=30)
        self.assertEqual(process.returncode, harness.INTERNAL)
        self.assertIn("cannot write to stdout", err)


class Search(World):
    """Patterns, and words anywhere."""

    def history(self):
        self.ok("send", self.invoice("100sat", "--description", "a Coffee at Joe's"), "--yes", "--label", "payroll 1")
        self.ok("send", self.invoice("200sat", "--description", "a room"), "--yes", "--label", "payroll 12")
        self.ok("send", self.invoice("1000sat"), "--yes", "--label", "rent [May]")
        self.ok("send", self.invoice("100sat", "--description", HOSTILE), "--yes")
        self.expect(harness.FAILED, "send", self.invoice("300sat", "--fail", "INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS"), "--yes", "--label", "payroll 2")

    def found(self, *args):
        return [int(row["payment_index"]) for row in self.payments(*args)]

    def test_a_label_with_stars_and_question_marks(self):
        self.history()
        for pattern, expected in (("payroll*", [1, 2, 5]), ("payroll ?", [1, 5]), ("payroll 1*", [1, 2]), ("*[May]", [3]), ("*[a-z]*", []),
                                  ("*", [1, 2, 3, 5]), ("?", []), ("Payroll*", []), ("payroll 1", [1]), ("*oll*1?", [2]), ("rent [May]", [3])):
            self.assertEqual(self.found("--label", pattern), expected, pattern)

    def test_words_in_label_or_description(self):
        self.history()
        for text, expected in (("coffee", [1]), ("COFFEE", [1]), ("joe's", [1]), ("a room", [2]), ("PAYROLL", [1, 2, 5]), ("[may]", [3]),
                               ("caf\u00e9", [4]), ("\x1b[31m", [4]), ("nobody", []), ("a*room", []), ("%", [])):
            self.assertEqual(self.found("--search", text), expected, text)

    def test_amounts(self):
        self.history()
        for text, expected in (("100sat", [1, 4]), ("100 sat", [1, 4]), ("1000sat", [3]), ("1,000 sat", [3]), ("1000", [3]), ("0.00001btc", [3]),
                               ("100000", [1, 4]), ("100000msat", [1, 4]), ("10sat", [])):
            self.assertEqual(self.found("--search", text), expected, text)

    def test_hash_and_payee(self):
        self.history()
        rows = self.payments()
        first = rows[0]["payment_hash"]
        for text in (first, first[:6], first[:20].upper()):
            self.assertEqual(self.found("--search", text), [1], text)
        self.assertEqual(self.found("--search", first[:5]), [])  # too short to mean a hash
        self.assertEqual(self.found("--search", first[1:30]), [])
        payee = rows[0]["destination"]
        self.assertEqual(self.found("--search", payee), [int(row["payment_index"]) for row in rows if row["destination"] == payee])
        self.assertEqual(self.found("--search", "lnbcrt"), [])

    def test_together_with_other_conditions_and_page_by_page(self):
        self.history()
        self.assertEqual(self.found("--search", "payroll", "--status", "succeeded"), [1, 2])
        self.assertEqual(self.found("--search", "payroll", "--label", "*2"), [2, 5])
        self.assertEqual(self.found("--search", "payroll", "--label", "payroll 2"), [5])
        self.assertEqual(self.found("--search", "payroll", "--since", "1h"), [1, 2, 5])
        self.assertEqual(self.found("--search", "payroll", "--until", "1h"), [])
        page = self.ok("list", "--search", "payroll", "--max-payments", "2", "--json").json()
        self.assertEqual(([row["label"] for row in page["payments"]], page["first_index_offset"]), (["payroll 12", "payroll 2"], "2"))
        page = self.ok("list", "--search", "payroll", "--max-payments", "2", "--index-offset", "2", "--json").json()
        self.assertEqual([row["label"] for row in page["payments"]], ["payroll 1"])
        page = self.ok("list", "--search", "payroll", "--max-payments", "1", "--paginate-forwards", "--index-offset", "1", "--json").json()
        self.assertEqual([row["label"] for row in page["payments"]], ["payroll 12"])
        seen = terminal.run(self, "list", "--search", "payroll", "--max-payments", "2", columns=120)
        self.assertEqual(seen.text.splitlines()[-1], "2 of more, --max-payments 0 for all")
        self.assertNotIn(" for all", terminal.run(self, "list", "--search", "payroll", "--max-payments", "3", columns=120).text)

    def test_far_apart_in_a_sparse_history(self):
        """Indexes far apart: what is between them is skipped, and nothing twice or never."""
        invoices = [self.invoice("100sat") for _ in range(4)]
        for number, (invoice, gap) in enumerate(zip(invoices, (0, 19_998, 60_000, 2 ** 62))):
            if gap:
                with sqlite3.connect(self.db) as database:
                    database.execute("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'payments'", (gap,))
                database.close()
            self.ok("send", invoice, "--yes", "--label", f"far {number}")
        self.assertEqual(self.found("--search", "far"), [1, 19_999, 60_001, 2 ** 62 + 1])
        self.assertEqual(self.found("--label", "far ?", "--paginate-forwards"), [1, 19_999, 60_001, 2 ** 62 + 1])
        for size in ("1", "2", "3"):
            for way in ([], ["--paginate-forwards"]):
                seen, offset = [], "0"
                while True:
                    page = self.ok("list", "--search", "far", "--max-payments", size, "--index-offset", offset, "--json", *way).json()
                    rows = [row["label"] for row in page["payments"]]
                    if not rows:
                        break
                    seen = seen + rows if way else rows + seen
                    offset = page["last_index_offset" if way else "first_index_offset"]
                    if offset == "0":
                        break
                self.assertEqual(seen, ["far 0", "far 1", "far 2", "far 3"], (size, way))

    def test_what_cannot_be_searched_for(self):
        self.expect(harness.USAGE, "list", "--search", "")
        self.expect(harness.USAGE, "list", "--search", "x" * 1025)
        self.expect(harness.USAGE, "list", "--search", "x", "--guards")


class Invoice(World):
    """An invoice names its payment."""

    def test_every_command_that_takes_a_hash_takes_it(self):
        failing = self.invoice("300sat", "--fail", "INCORRECT_OR_UNKNOWN_PAYMENT_DETAILSx1")
        self.expect(harness.FAILED, "send", failing, "--yes")
        self.ok("send", self.invoice("100sat"), "--yes")
        self.ok("send", failing, "--yes")
        payment_hash = self.hash_of(failing)
        for name in (failing, failing.upper(), "lightning:" + failing, f"bitcoin:?lightning={failing}", payment_hash, payment_hash[:8]):
            rows = self.ok("list", name, "--json").json()["payments"]
            self.assertEqual([(row["payment_index"], row["status"]) for row in rows], [("1", "FAILED"), ("3", "SUCCEEDED")], name)
            self.assertEqual(self.ok("show", name, "--json").json()["payment_index"], "3")
        self.assertEqual([row.split("\t")[0] for row in self.ok("list", failing, "--status", "failed").out.splitlines()], ["1"])
        self.assertEqual(self.ok("list", failing, "--max-payments", "1").out.split("\t")[0], "3")
        held = self.invoice("100sat", "--hold", "forever")
        self.expect(harness.UNKNOWN, "send", held, "--yes", "--wait", "0")
        self.expect(harness.UNKNOWN, "cancel", held)
        self.assertTrue(self.ok("show", held, "--json").json()["cancel_requested"])
        self.ok("label", held, "held")
        self.assertEqual(self.ok("show", held, "--json").json()["label"], "held")
        uri = "bitcoin:?lightning=" + held
        self.assertEqual([row["state"] for row in self.ledger(uri)], ["held"])
        self.expect(harness.UNKNOWN, "resume", "lightning:" + held, "--wait", "0")
        self.expect(harness.REFUSED, "delete", held, "--yes")
        self.expect(harness.REFUSED, "resolve", uri, "--assume-failed", "--yes")
        self.ok("simulate", "release", held)
        self.ok("resume", held, failing)
        self.ok("delete", uri, failing, "--yes")
        self.assertEqual(len(self.payments()), 1)

    def test_an_expired_one_too(self):
        self.ok("send", self.invoice("200sat"), "--yes")
        invoice = self.invoice("100sat", "--expiry", "3s")
        self.run_it("send", invoice, "--yes")  # a slow machine comes too late, and nothing is recorded
        self.wait_until(lambda: not self.decode(invoice)["payable"])
        recorded = any(payment["payment_request"] == invoice for payment in self.payments())
        self.expect(harness.OK if recorded else harness.NOT_FOUND, "list", invoice)

    def test_what_is_not_known(self):
        self.ok("send", self.invoice("100sat"), "--yes")
        fresh = self.invoice("100sat")
        for command in (["list"], ["show"], ["cancel"], ["resume"], ["resolve", "--write-off", "--yes"], ["delete", "--yes"]):
            outcome = self.expect(harness.NOT_FOUND, *command, fresh, "--json")
            self.assertEqual(outcome.error()["payment_hash"], self.hash_of(fresh))
            self.assertNotIn(fresh, outcome.err)
            outcome = self.expect(harness.USAGE, *command, fresh[:-1])
            self.assertNotIn(fresh[:-1], outcome.err)
            self.assertIn("offer", self.expect(harness.USAGE, *command, "lno1pqps7sjqpgtyzm3qv4uxzmtsd3jjqer9wd3hy6tsw35k7msjzfpy7nz5yqcnygrfdej82um5wf5k2uckyypwa3eyt44h6txtxquqh7lz5djge4afgfjn7k4rgrkuag0jsd5xvxg").err)
            self.expect(harness.USAGE, *command, "rent")
        self.expect(harness.USAGE, "list", fresh, fresh)
        self.expect(harness.USAGE, "list", "--guards", fresh)

    def test_a_deleted_one_leads_to_its_guard(self):
        invoice = self.invoice("100sat")
        self.ok("send", invoice, "--yes")
        self.ok("delete", self.hash_of(invoice), "--yes")
        listed = self.ok("list", invoice)
        self.assertEqual(listed.out, "")
        self.assertRegex(listed.err, r"^hint: paytower .*show " + self.hash_of(invoice))
        self.assertIn("blocked", self.ok("show", invoice).out)


class Label(World):
    """A label that changes."""

    def paid(self, *more):
        invoice = self.invoice("100sat")
        self.ok("send", invoice, "--yes", *more)
        return invoice

    def stored(self, payment_hash):
        with sqlite3.connect(f"file:{self.db}?mode=ro", uri=True) as database:
            rows = database.execute("SELECT label, new_label FROM payments WHERE payment_hash = ? ORDER BY payment_index", (bytes.fromhex(payment_hash),))
            return rows.fetchall()

    def test_it_changes_what_is_shown_and_not_what_was_asked(self):
        invoice = self.paid("--label", "rent")
        payment_hash = self.hash_of(invoice)
        before = self.ok("show", payment_hash, "--json").json()
        done = self.ok("label", payment_hash[:8], "rent, May")
        self.assertEqual(done.out, f"Label: rent, May\n  payment hash  {payment_hash}\n")
        self.assertEqual(self.ok("show", payment_hash, "--json").json(), {**before, "label": "rent, May"})
        self.assertEqual(self.stored(payment_hash), [("rent", "rent, May")])
        self.assertEqual([row["label"] for row in self.payments()], ["rent, May"])
        self.assertIn(",\"rent, May\",", self.ok("list", "--format", "csv").out)
        self.assertEqual(len(self.payments("--label", "rent, May")), 1)
        self.assertEqual(self.payments("--label", "rent"), [])
        self.assertEqual(len(self.payments("--label", "rent, *")), 1)
        self.assertEqual(len(self.payments("--search", "may")), 1)
        self.ok("check")

    def test_empty_removes_it_and_json_prints_the_payment(self):
        invoice = self.paid("--label", "rent")
        payment_hash = self.hash_of(invoice)
        removed = self.ok("label", payment_hash, "", "--json").json()
        self.assertEqual((removed["payment_hash"], removed["status"], removed["label"]), (payment_hash, "SUCCEEDED", None))
        self.assertEqual(self.ok("label", payment_hash, "").out, f"No label any more\n  payment hash  {payment_hash}\n")
        self.assertEqual(self.payments("--label", "rent"), [])
        self.assertEqual(self.payments("--label", "*"), [])
        self.assertNotIn("label", self.ok("show", payment_hash).out)
        self.assertEqual(self.stored(payment_hash), [("rent", "")])
        self.assertEqual(self.ok("label", payment_hash, "again", "--json").json()["label"], "again")

    def test_all_tries_have_it_and_the_next_one_its_own(self):
        failing = self.invoice("300sat", "--fail", "INCORRECT_OR_UNKNOWN_PAYMENT_DETAILSx2")
        for label in ("one", "two"):
            self.expect(harness.FAILED, "send", failing, "--yes", "--label", label)
        self.ok("label", failing, "both")
        self.ok("send", failing, "--yes", "--label", "three")
        self.assertEqual([row["label"] for row in self.payments()], ["both", "both", "three"])

    def test_while_another_process_drives_it_and_without_a_switch(self):
        invoice = self.invoice("100sat", "--hold", "forever")
        process = self.send_in_background(invoice, "--label", "held", "--wait", "forever")
        switch = self.env.pop("PAYTOWER_SWITCH")
        shown = self.ok("label", invoice, "still held", "--json").json()
        self.assertEqual((shown["status"], shown["label"]), ("IN_FLIGHT", "still held"))
        self.env["PAYTOWER_SWITCH"] = switch
        self.ok("simulate", "release", self.hash_of(invoice))
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, harness.OK)
        after = self.ok("show", invoice, "--json").json()
        self.assertEqual((after["status"], after["label"]), ("SUCCEEDED", "still held"))
        self.assert_paid_once(self.hash_of(invoice))

    def test_what_may_be_paid_does_not_depend_on_it(self):
        invoice = self.paid("--label", "rent")
        self.ok("label", invoice, "something else")
        self.expect(harness.REFUSED, "send", invoice, "--yes")
        again = self.ok("send", invoice, "--yes", "--idempotent", "--label", "a third one", "--json").json()
        self.assertEqual((again["status"], again["label"], again["paid_before"]), ("SUCCEEDED", "something else", True))
        self.assert_paid_once(self.hash_of(invoice))
        self.ok("delete", self.hash_of(invoice), "--yes")
        self.expect(harness.REFUSED, "send", invoice, "--yes")
        refused = self.expect(harness.REFUSED, "label", invoice, "gone", "--json").error()
        self.assertEqual(refused["code"], "already_ended")

    def test_strangers_words_stay_words(self):
        invoice = self.paid()
        self.ok("label", invoice, HOSTILE)
        self.assertIn("\\x1b[31mred\\u{202e}", self.ok("label", invoice, HOSTILE).out)
        self.assertEqual(self.ok("show", invoice, "--json").json()["label"], HOSTILE)
        self.ok("label", invoice, "--", "-5 % agreed")
        self.assertEqual(self.ok("show", invoice, "--json").json()["label"], "-5 % agreed")

    def test_bad_calls(self):
        invoice = self.paid()
        self.expect(harness.USAGE, "label", invoice)
        self.expect(harness.USAGE, "label", invoice, "rent", "May")
        self.expect(harness.USAGE, "label", invoice, "x" * 1025)
        self.ok("label", invoice, "x" * 1024)
        self.expect(harness.USAGE, "label", "rent", invoice)
        self.expect(harness.NOT_FOUND, "label", self.invoice("100sat"), "rent")
        self.assertEqual([row["label"] for row in self.payments()], ["x" * 1024])

    def test_the_schema_keeps_the_request_and_bounds_the_note(self):
        payment_hash = self.hash_of(self.paid("--label", "rent"))
        database = sqlite3.connect(self.db)
        for change, why in (("label = 'other'", "what a payment was asked to be does not change"), ("new_label = NULL", "at most 1024 bytes"),
                            ("new_label = hex(zeroblob(513))", "at most 1024 bytes")):
            with self.assertRaisesRegex(sqlite3.IntegrityError, why):
                database.execute(f"UPDATE payments SET {change}")
        with self.assertRaisesRegex(sqlite3.IntegrityError, "a new payment has the label of its request"):
            database.execute("INSERT INTO payments (payment_hash, amount_msat, created_ns, provenance, fail_reason, ended_ns, new_label) "
                             "VALUES (randomblob(32), 1, 1, 2, 1, 1, 'x')")
        database.close()
        self.assertEqual(self.stored(payment_hash), [("rent", None)])


if __name__ == "__main__":
    unittest.main()
