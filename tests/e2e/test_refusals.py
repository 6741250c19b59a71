"""Goal: there is one way to say no (db/README 8): what leaves core and db is a Result, or StoreError, or SwitchError. Method: pure
reading, no program is run. The headers of db that others include are read for exceptions, and every `catch` for what it names."""

import os
import re
import unittest

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
INSIDE = ("RefusalError", "BadValue", "Undecodable", "MigrationStopped", "SQLite::Exception")  # these do not leave db
ENDS_THE_PROCESS = {"cli/dispatch.cpp", "cli/commands/batch.cpp"}  # R10: the second one throws it on


def sources():
    for top in ("core", "db", "migrations", "cli"):
        for place, _, names in os.walk(os.path.join(ROOT, top)):
            for name in sorted(names):
                if name.endswith((".cpp", ".h", ".in")):
                    path = os.path.relpath(os.path.join(place, name), ROOT)
                    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
                        yield path, file.read()


SOURCES = dict(sources())


def caught(tops):
    """What every `catch` below these folders names: (path, type)."""
    for path, text in SOURCES.items():
        if path.startswith(tops):
            for name in re.findall(r"\bcatch \((?:const )?([\w:]+|\.\.\.)", text):
                yield path, name


class OneWayToSayNo(unittest.TestCase):
    def test_public_headers_of_db_name_no_exception_from_inside(self):
        public = set()
        for path, text in SOURCES.items():
            if path.startswith(("core/", "cli/")):
                public.update(re.findall(r'#include "(db/[^"]+)"', text))
        self.assertGreater(len(public), 8)
        for header in sorted(public):
            for name in INSIDE:
                with self.subTest(header, exception=name):
                    self.assertNotIn(name, SOURCES[header])

    def test_nobody_outside_catches_what_is_thrown_inside(self):
        seen = list(caught(("core/", "cli/")))
        self.assertGreater(len(seen), 20)
        for path, name in seen:
            with self.subTest(path, exception=name):
                self.assertFalse(name.startswith(("db::", "SQLite::")) or name in INSIDE[1:], "it does not leave db")

    def test_a_refusal_becomes_a_result_in_one_place(self):
        self.assertEqual([path for path, name in caught(("core/", "db/", "migrations/")) if name.endswith("RefusalError")], ["core/base/refuse.h"])

    def test_refusals_are_thrown_by_one_family(self):
        family = {"core/base/error.h", "core/base/refuse.h"}
        named = {path for path, text in SOURCES.items() if path.startswith(("core/", "db/", "migrations/")) and "RefusalError" in text}
        self.assertEqual(named, family, "refuse() and result_of() know the exception, and nobody else speaks of it")

    def test_one_place_of_cli_catches_refusals(self):
        named = {path for path, text in SOURCES.items() if path.startswith("cli/") and path.endswith(".cpp") and "RefusalError" in text}
        self.assertEqual(named, {"cli/dispatch.cpp"}, "a refusal that is no end of the call is a Result")

    def test_an_error_of_the_database_ends_the_process(self):
        self.assertEqual({path for path, name in caught(("core/", "cli/")) if name.endswith("StoreError")}, ENDS_THE_PROCESS)


if __name__ == "__main__":
    unittest.main()
