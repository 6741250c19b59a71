"""Goal: every 1.x keeps what the releases before it promised (man/paytower.7, "WHAT EVERY 1.x KEEPS"). Method: what this program prints in
every state of a payment, reduced to lines, beside the lines of each release in tests/promise: none may be missing, and new ones may
come. Changes of every kind are planted into what it printed, to see each of them found. Nothing here writes those files."""

import copy
import hashlib
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import unittest

import harness
import manual
import promise

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "promise")
FROZEN = {
    "1.0": "6e17a26340221409c5101efc06b1234f1664060f0b209332b603655c5866aa67",
    "1.1": "ea9d093309839d523a009ac43facee0efd2a788199c170ffac082e760969f7d7",
}


def version():
    return subprocess.run([harness.BINARY, "--version"], capture_output=True, text=True, check=True).stdout.split()[1].split(".")


def frozen(release):
    with open(os.path.join(FOLDER, release + ".txt"), encoding="utf-8") as file:
        return set(file.read().splitlines())


class Promise(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.seen = promise.collect()
        cls.lines = promise.lines(cls.seen)

    # --- what was promised ---

    def test_nothing_that_was_promised_is_missing(self):
        for release in FROZEN:
            if release.split(".")[0] == version()[0]:
                with self.subTest(release):
                    self.assertEqual(promise.missing(frozen(release), self.lines), [])
                    for line in sorted(self.lines - frozen(release)):
                        print(f"new since {release}: {line}", file=sys.stderr)

    def test_the_files_are_what_they_were(self):
        self.assertEqual({name for name in os.listdir(FOLDER) if name.endswith(".txt")}, {release + ".txt" for release in FROZEN})
        for release, checksum in FROZEN.items():
            with open(os.path.join(FOLDER, release + ".txt"), "rb") as file:
                self.assertEqual(hashlib.sha256(file.read()).hexdigest(), checksum, release)

    def test_this_release_has_its_file(self):
        self.assertIn(".".join(version()[:2]), FROZEN)

    # --- whether enough is looked at ---

    def test_every_member_was_seen_with_something_in_it(self):
        self.assertEqual([line for line in sorted(self.lines) if re.match(r"json .*: (null|list|list\|null)$", line)], [])

    def test_every_command_and_every_state_was_seen(self):
        known = self.help(self.seen)
        silent = {"simulate serve"}  # it prints nothing but that it serves
        printed = {place for place, _, _ in self.seen.documents}
        for command in known["commands"]:
            if command["name"] not in silent:
                self.assertTrue(any(re.match(rf"{command['name']}( |$)", place) for place in printed), command["name"])
        for line in ("document help: help", "document --version: version", *(f"word payment.status: {status}" for status in (
                "INITIATED", "IN_FLIGHT", "SUCCEEDED", "FAILED", "UNKNOWN")), *(f"word attempt.origin: {origin}" for origin in (
                "own", "foreign", "imported")), "json payment.tries: list of payment", "json payment.duplicates: list of payment"):
            self.assertIn(line, self.lines)
        self.assertGreater(max(document["parts"] for _, shape, document in self.seen.documents if shape == "payment"), 1)

    def test_every_shape_of_the_manual_was_seen(self):
        page = manual.source("paytower-json.5")
        for part in ("SHAPES", "ERRORS AND WARNINGS"):
            for shape, text in manual.subsections(manual.section(page, part)).items():
                for member in manual.variables(text):
                    name = f"json {shape}.{member}"
                    self.assertTrue(any(line.startswith((name + ":", name + " of ")) for line in self.lines), name)

    # --- whether a broken promise would be found ---

    def broken(self, change, *lost):
        """Changes what was seen, and says which lines that must lose."""
        seen = copy.deepcopy(self.seen)
        change(seen)
        self.assertEqual(promise.missing(self.lines, promise.lines(seen)), sorted(lost))

    def everywhere(self, seen, shape, change):
        """Does it to each object of this shape, wherever it stands."""
        def walk(name, value):
            if isinstance(value, list):
                for one in value:
                    walk(name, one)
            if not isinstance(value, dict):
                return
            for member, content in value.items():
                inner = promise.INSIDE.get(name, {}).get(member)
                if inner:
                    walk(inner, content)
            if name == shape:
                change(value)
        for _, name, document in seen.documents:
            walk(name, document)

    def help(self, seen):
        return next(document for _, shape, document in seen.documents if shape == "help")

    def command(self, seen, name):
        return next(command for command in self.help(seen)["commands"] if command["name"] == name)

    def flag(self, seen, command, name):
        return next(flag for flag in self.command(seen, command)["flags"] if flag["name"] == name)

    def test_a_member_that_is_gone(self):
        self.broken(lambda seen: self.everywhere(seen, "hop", lambda hop: hop.pop("scid")), "json hop.scid: null|string")
        self.broken(lambda seen: self.everywhere(seen, "failure", lambda failure: failure.update(erring_channel=failure.pop("chan_id"))),
                    "json failure.chan_id: null|string")

    def test_a_member_that_is_there_sometimes(self):
        def forget(seen):
            for place, shape, document in seen.documents:
                if place == "label":
                    del document["parts"]
        self.broken(forget, "json payment.parts: integer")

        def forget_once(seen):
            del next(document for place, _, document in seen.documents if place == "send")["joined"]
        self.broken(forget_once, "json payment.joined of send: boolean")

    def test_a_member_of_another_type(self):
        self.broken(lambda seen: self.everywhere(seen, "payment", lambda payment: payment.update(value_msat=str(payment["value_msat"]))),
                    "json payment.value_msat: integer")
        self.broken(lambda seen: self.everywhere(seen, "attempt", lambda attempt: attempt.update(attempt_id={"id": attempt["attempt_id"]})),
                    "json attempt.attempt_id: null|string")
        self.broken(lambda seen: self.everywhere(seen, "stats", lambda stats: stats["by_status"].update(FAILED="1")),
                    "json stats.by_status: map of integer")

    def test_a_null_where_there_was_none(self):
        def forget(payment):
            payment["fee_msat"] = payment["fee_msat"] or None
        self.broken(lambda seen: self.everywhere(seen, "payment", forget), "json payment.fee_msat: integer")

    def test_a_word_that_is_another(self):
        def rename(payment):
            payment["status"] = payment["status"].replace("SUCCEEDED", "PAID")
        self.broken(lambda seen: self.everywhere(seen, "payment", rename), "word payment.status: SUCCEEDED")

    def test_a_command_that_prints_another_document(self):
        def rename(seen):
            seen.documents = [(place, shape, {"payment": document} if place == "label" else document) for place, shape, document in seen.documents]
        with self.assertRaises(AssertionError):
            self.broken(rename)

    def test_a_command_line_that_is_another(self):
        self.broken(lambda seen: self.help(seen)["commands"].remove(self.command(seen, "label")),
                    "command label", *(f"command label: {argument}" for argument in ("HASH in place 1", "INVOICE in place 1", "TEXT in place 2")))
        self.broken(lambda seen: self.command(seen, "list").update(alias=None), "command list: also ls", "json command.alias: null|string")
        self.broken(lambda seen: self.command(seen, "show").update(arguments="HASH"), "command show: INVOICE in place 1")
        self.broken(lambda seen: self.command(seen, "resume").update(arguments="HASH|INVOICE"), "command resume: place 1 may be empty",
                    "command resume: as many as you like in place 1")

    def test_a_flag_that_is_another(self):
        def change(**how):
            return lambda seen: self.flag(seen, "send", "wait").update(how)
        name = "flag send --wait"
        self.broken(lambda seen: self.command(seen, "label")["flags"].append({**self.flag(seen, "send", "wait"), "name": "later"}))
        self.broken(change(name="stay"), *(line for line in self.lines if line == name or line.startswith(name + ":")))
        self.broken(change(default="4m"), name + ": default 5m")
        self.broken(change(value="DUR|0"), name + ": takes forever")
        self.broken(change(config_file=False), name + ": in the configuration file")
        self.broken(lambda seen: self.flag(seen, "send", "yes").update(letter="Y"), "flag send --yes: -y")
        self.broken(lambda seen: self.flag(seen, "send", "yes").update(value="WHEN"), "flag send --yes: takes nothing")
        self.broken(lambda seen: self.flag(seen, "send", "outgoing-chan-id").update(repeatable=False),
                    "flag send --outgoing-chan-id: may be repeated")
        self.broken(lambda seen: seen.choices.discard(("list --format", "csv")), "flag list --format: takes csv")

        def unset(seen):
            next(flag for flag in self.help(seen)["global_flags"] if flag["name"] == "db")["environment"] = None
        self.broken(unset, "flag (all) --db: PAYTOWER_DB")

    def test_a_setting_that_is_gone(self):
        self.broken(lambda seen: self.everywhere(seen, "setting", lambda setting: setting.update(name=setting["name"].replace("max-day", "max-24h"))),
                    "setting max-day")

    def test_an_exit_code_that_is_another(self):
        self.broken(lambda seen: seen.errors.symmetric_difference_update({("policy", 5), ("policy", 2)}), "error policy: exit 5")
        self.broken(lambda seen: self.help(seen)["exit_codes"].pop(), "exit code 143")

    def test_columns_that_have_moved(self):
        def change(seen):
            header = seen.columns["list --format csv"]
            header[7:9] = reversed(header[7:9])
        self.broken(change, "column 08 of list --format csv: label", "column 09 of list --format csv: parts")
        self.broken(lambda seen: seen.columns["list --format tsv"].pop(), "column 08 of list --format tsv: parts")

    def test_a_metric_that_is_another(self):
        def rename(old, new):
            return lambda seen: setattr(seen, "metrics", seen.metrics.replace(old, new))
        self.broken(rename("paytower_open_msat", "paytower_open_sat"), "metric paytower_open_msat by switch: gauge")
        self.broken(rename("{reason=", "{why="), "metric paytower_payments_failed by reason: gauge")
        self.broken(rename("paytower_attempts gauge", "paytower_attempts counter"), "metric paytower_attempts: gauge")

    def test_a_table_that_is_another(self):
        def change(old, *new):
            return lambda seen: setattr(seen, "schema", [row for row in seen.schema if row != old] + list(new))
        column = ("payments", "amount_msat", "INTEGER, not null")
        self.broken(change(column), "database payments.amount_msat: INTEGER, not null")
        self.broken(change(column, ("payments", "amount_msat", "TEXT, not null")), "database payments.amount_msat: INTEGER, not null")

    def test_what_is_new_breaks_nothing(self):
        def add(seen):
            self.everywhere(seen, "payment", lambda payment: payment.update(new_member=[1], new_text=None))
            seen.documents.append(("forecast", "backup", {"path": "somewhere"}))
            self.command(seen, "label")["flags"].append({**self.flag(seen, "send", "wait"), "name": "later"})
            seen.errors.add(("too_late", 14))
            seen.columns["list --format csv"].append("note")
            seen.metrics += "# TYPE paytower_new gauge\npaytower_new 1\n"
            seen.schema.append(("payments", "new", "TEXT"))
            self.everywhere(seen, "payment", lambda payment: payment.setdefault("joined", False))
        self.broken(add)


class Newer(harness.World):
    """A database of a newer paytower."""

    def test_every_command_refuses_it_and_touches_nothing(self):
        invoice = self.invoice()
        self.ok("send", invoice, "--yes")
        known = self.hash_of(invoice)
        kept = os.path.join(self.folder, "kept.db")
        self.ok("backup", kept)
        database = sqlite3.connect(kept)
        database.execute("PRAGMA user_version = 99")
        database.close()
        with open(kept, "rb") as file:
            before = file.read()
        shutil.copy(kept, self.db)
        for end in ("-wal", "-shm"):
            if os.path.exists(self.db + end):
                os.unlink(self.db + end)
        calls = [["send", invoice, "--yes"], ["send", invoice, "--dry-run"], ["resume"], ["list"], ["show", known], ["label", known, "rent"],
                 ["cancel", known], ["resolve", known, "--write-off", "--yes"], ["resolve", "--restored", "--yes"], ["delete", known, "--yes"],
                 ["migrate"], ["backup", os.path.join(self.folder, "copy.db")], ["check"], ["stats"]]
        for call in calls:
            with self.subTest(call[0]):
                self.assertEqual(self.expect(harness.DATABASE, *call, "--json").error()["code"], "schema_newer")
                with open(self.db, "rb") as file:
                    self.assertEqual(file.read(), before)
        status = self.expect(harness.DATABASE, "migrate", "--status", "--json").json()
        self.assertEqual((status["version"], status["pending"]), (99, []))


if __name__ == "__main__":
    unittest.main()
