"""Goal: what happened is found again: a list says what it leaves out, and shows what a payment was for. Method: histories of known
payments, listed at a terminal of every width and into pipes that close early."""

import re
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
                process = self.popen(*args)
                process.stdout.close()
                process.stdout = None
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


if __name__ == "__main__":
    unittest.main()
