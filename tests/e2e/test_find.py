"""Goal: a reader that has seen enough of what happened is not told so. Method: pipes that close early, and a full disk."""

import re
import subprocess
import unittest

import harness
from harness import World


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
