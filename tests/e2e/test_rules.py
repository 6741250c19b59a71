"""Goal: tests/README.md names tests that exist, for every rule. Method: each file and each quoted name of its table is looked for."""

import os
import re
import unittest

TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")


def read(path):
    with open(os.path.join(TESTS, path), encoding="utf-8") as file:
        return file.read()


class Rules(unittest.TestCase):
    def rows(self):
        return re.findall(r"^\| ([RM]\d+) [^|]+\| (.*) \|$", read("README.md"), re.M)

    def test_every_rule_has_its_row(self):
        self.assertEqual([rule for rule, _ in self.rows()], [f"R{n}" for n in range(1, 18)] + [f"M{n}" for n in range(1, 8)])

    def test_every_named_test_exists(self):
        for rule, tests in self.rows():
            for entry in tests.split("; "):
                files = re.findall(r"`([^`]+)`", entry)
                self.assertTrue(files, entry)
                texts = [re.sub(r"TEST_CASE\(\s+", "TEST_CASE(", read(path)) for path in files]  # a long name begins its own line
                for name in re.findall(r'"([^"]+)"', entry):
                    with self.subTest(rule=rule, name=name):
                        defined = f"def {name}(" if name.startswith("test_") else f'TEST_CASE("{name}")'
                        self.assertTrue(any(defined in text for text in texts), f"{name} is not in {files}")

    def test_every_folder_is_described(self):
        described = set(re.findall(r"`([a-z0-9_]+)/`", read("README.md").split("## Rings")[0]))
        there = {name for name in os.listdir(TESTS) if os.path.isdir(os.path.join(TESTS, name)) and not name.startswith((".", "_"))}
        self.assertEqual(described, there)


if __name__ == "__main__":
    unittest.main()
