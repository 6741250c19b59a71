"""The program is hardened as Debian's are: a position independent executable, all relocations read-only once it runs, stack
protectors, and checked copies. Read from the binary, which nothing else could get wrong."""
import os
import subprocess
import unittest

BINARY = os.environ["PAYTOWER_BINARY"]


def readelf(*flags):
    return subprocess.run(["readelf", "--wide", *flags, BINARY], check=True, capture_output=True, text=True).stdout


class Hardening(unittest.TestCase):
    def test_position_independent(self):
        self.assertRegex(readelf("--file-header"), r"Type:\s+DYN")
        self.assertIn("PIE", readelf("--dynamic"))

    def test_relocations_are_read_only_and_bound_at_the_start(self):
        self.assertIn("GNU_RELRO", readelf("--program-headers"))
        self.assertRegex(readelf("--dynamic"), r"FLAGS.*(NOW|BIND_NOW)")

    def test_no_stack_that_can_be_executed(self):
        stack = [line for line in readelf("--program-headers").splitlines() if "GNU_STACK" in line]
        self.assertEqual(len(stack), 1)
        self.assertNotIn("RWE", stack[0])

    def test_stack_protector_and_library_assertions(self):
        symbols = readelf("--syms")  # libstdc++.a uses neither of them itself
        self.assertIn("__stack_chk_fail", symbols)
        self.assertIn("__glibcxx_assert_fail", symbols)

    def test_copies_are_checked(self):
        if os.environ.get("PAYTOWER_UNOPTIMISED"):
            self.skipTest("_FORTIFY_SOURCE needs an optimised build")
        self.assertRegex(readelf("--dyn-syms"), r"__(mem|str|read|pread|vsn|sn|f?printf)[a-z]*_chk")


if __name__ == "__main__":
    unittest.main()
