"""Goal: none of the 25 vectors of the migration loses its test. Method: the numbers in the names of the tests."""

import glob
import os
import re
import unittest

TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
NUMBERS = re.compile(r"vectors?[ _]([0-9]+(?:(?:, |,_| to |_to_| and |_and_)[0-9]+)*)")


def numbers(words):
    """"10, 11, 12", "14, 17 to 20" as numbers."""
    out = set()
    parts = re.split(r"(, | to |_to_| and |_and_)", words)
    for i in range(0, len(parts), 2):
        first = int(parts[i - 2]) if i > 0 and "to" in parts[i - 1] else int(parts[i])
        out.update(range(first, int(parts[i]) + 1))
    return out


def named_tests():
    """For each number, the names of its tests."""
    found = {}
    for pattern, name in (("lnd/*_test.cpp", r'TEST_CASE\("([^"]*)"\)'), ("migrations/*_test.cpp", r'TEST_CASE\("([^"]*)"\)'),
                          ("e2e/test_migrate*.py", r"def (test_\w*)\(")):
        for path in glob.glob(os.path.join(TESTS, pattern)):
            with open(path, encoding="utf-8") as file:
                for test in re.findall(name, file.read()):
                    for words in NUMBERS.findall(test):
                        for number in numbers(words):
                            found.setdefault(number, []).append(f"{os.path.relpath(path, TESTS)}: {test}")
    return found


class Vectors(unittest.TestCase):
    def test_each_has_a_test(self):
        found = named_tests()
        self.assertEqual(sorted(found), list(range(1, 26)))
        for number in sorted(found):
            for test in found[number]:
                print(f"{number:2}  {test}")

    def test_numbers_of_names(self):
        self.assertEqual(numbers("14, 17 to 20"), {14, 17, 18, 19, 20})
        self.assertEqual(numbers("10_to_12"), {10, 11, 12})
        self.assertEqual(numbers("9, 11 and 20"), {9, 11, 20})


if __name__ == "__main__":
    unittest.main()
