"""Goal: the manual knows every flag that the program knows. Method: each --flag of each command's help is looked up in the page."""

import os
import re
import subprocess
import unittest

import harness

PAGE = os.path.join(os.path.dirname(__file__), "..", "..", "man", "paytower.1")
COMMANDS = ["send", "resume", "list", "show", "cancel", "resolve", "delete", "migrate", "backup", "check", "stats", "config", "decode",
            "simulate network", "simulate invoice", "simulate release", "simulate ledger", "simulate serve"]


class Manual(unittest.TestCase):
    def test_every_flag_of_the_help_is_in_the_manual(self):
        with open(PAGE, encoding="utf-8") as file:
            known = set(re.findall(r"Fl -([a-z][a-z-]+)", file.read()))
        seen = set()
        for command in COMMANDS:
            done = subprocess.run([harness.BINARY, *command.split(), "--help"], capture_output=True, text=True, check=True)
            flags = set(re.findall(r"--([a-z][a-z-]+)", done.stdout))
            self.assertTrue(flags, command)
            seen |= flags
        self.assertGreater(len(seen), 30)
        self.assertEqual(sorted(seen - known), [])


if __name__ == "__main__":
    unittest.main()
