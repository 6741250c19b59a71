"""Goal: what the program knows, its manual knows, and nothing else. Method: the flags of every command's help, and their defaults,
beside those of its page, in both directions; every reference and every long option named anywhere in the pages exists."""

import json
import os
import re
import subprocess
import unittest

import harness
import manual

# Other programs' pages, which the manual may refer to.
OTHER_PROGRAMS = {"jq": 1, "sqlite3": 1, "systemctl": 1, "systemd.timer": 5, "crontab": 5, "cp": 1}


def helped(*command):
    done = subprocess.run([harness.BINARY, *command, "--help"], capture_output=True, text=True, check=True)
    return done.stdout


def flags_of(text):
    """The long and the short names in the list of options of a --help."""
    return set(re.findall(r"^  (?:-\w, |    )--([a-z][a-z0-9-]+)", text, re.M)), set(re.findall(r"^  -(\w), --", text, re.M))


def defaults_of(text):
    """For each long name in a --help, the numbers in its default."""
    entries = re.findall(r"^  (?:-\w, |    )--([a-z][a-z0-9-]+)(.*(?:\n {32}.*)*)", text, re.M)
    found = {name: re.search(r"\(default: ([^)]*)\)", " ".join(entry.split())) for name, entry in entries}
    return {name: numbers(default.group(1)) for name, default in found.items() if default and numbers(default.group(1))}


def numbers(text):
    """5sat, 60s, 0.5."""
    return re.findall(r"\b\d\w*(?:\.\d+)?", text)


def entry_of(text, flag):
    """The lines of an option's entry; empty if it has none."""
    found = re.search(rf"^\.It Fl (?:.* Fl )?-{flag}(?![\w-]).*\n((?:(?!\.It |\.El).*\n)*)", text, re.M)
    return found.group(1) if found else ""


def long_flags(text):
    return set(re.findall(r"Fl -([a-z][a-z0-9-]+)", text))


def described(text):
    """The options that have an entry: long and short names."""
    entries = "\n".join(re.findall(r"^\.It Fl .*$", text, re.M))
    return long_flags(entries), set(re.findall(r"Fl (\w) ,", entries))


COMMANDS = re.findall(r"^  ([a-z]+(?: [a-z]+)?)  +\S", helped().split("Global options")[0], re.M)
GLOBALS, GLOBAL_LETTERS = flags_of(helped().split("Global options")[1])


def page_of(command):
    return manual.source(f"paytower-{command.split()[0]}.1")


def part_of(command):
    """The text that lists a command's options: its page, or its section in the page of its group."""
    text = page_of(command)
    return manual.subsections(text)[command] if " " in command else text


class Manual(unittest.TestCase):
    def commands(self):
        found = [command for command in COMMANDS if command != "help"]
        self.assertGreater(len(found), 14)
        return found

    def test_each_command_has_a_page_and_each_page_a_command(self):
        groups = {command.split()[0] for command in self.commands()}
        pages = {name[len("paytower-"):-len(".1")] for name in manual.names() if name.startswith("paytower-") and name.endswith(".1")}
        self.assertEqual(pages, groups)

    def test_the_foot_of_each_page_names_this_version(self):
        version = subprocess.run([harness.BINARY, "--version"], capture_output=True, text=True, check=True).stdout.strip()
        for name in manual.names():
            self.assertEqual(re.findall(r"^\.Os (.*)$", manual.source(name), re.M), [version], name)
        with open(os.path.join(manual.FOLDER, "..", "README.md"), encoding="utf-8") as file:
            self.assertIn(f"This is version {version.split()[1]},", file.read())

    def test_the_flags_of_each_help_are_those_of_its_page(self):
        for command in self.commands():
            with self.subTest(command):
                self.assertEqual(described(part_of(command)), flags_of(helped(*command.split()).split("\nOptions:\n")[-1]))

    def test_help_as_json_has_the_same_commands_flags_and_defaults(self):
        def of(flags):
            return {flag["name"] for flag in flags}, {flag["letter"] for flag in flags} - {None}
        document = json.loads(subprocess.run([harness.BINARY, "--help", "--json"], capture_output=True, text=True, check=True).stdout)
        self.assertEqual([command["name"] for command in document["commands"]], self.commands())
        self.assertEqual(of(document["global_flags"]), (GLOBALS, GLOBAL_LETTERS))
        for command in document["commands"]:
            text = helped(*command["name"].split()).split("\nOptions:\n")[-1]
            self.assertEqual(of(command["flags"]), flags_of(text), command["name"])
            shown = {flag["name"]: numbers(flag["default"] or "") for flag in command["flags"]}
            for name, default in defaults_of(text).items():
                self.assertEqual(shown[name][:1] or default[:1], default[:1], name)
            alone = json.loads(subprocess.run([harness.BINARY, "help", *command["name"].split(), "--json"], capture_output=True, text=True, check=True).stdout)
            self.assertEqual(alone["commands"], [command])
        self.assertEqual([one["exit_code"] for one in document["exit_codes"]], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 129, 130, 143])

    def test_the_defaults_of_each_help_are_those_of_its_page(self):
        compared = 0
        pages = [(part_of(command), helped(*command.split()).split("\nOptions:\n")[-1]) for command in self.commands()]
        for page, text in pages + [(manual.source("paytower.1"), helped().split("Global options")[1])]:
            told = {flag for flag in described(page)[0] if re.search(r"^Default: \d", entry_of(page, flag), re.M)}
            self.assertEqual(told - set(defaults_of(text)), set())
            for flag, default in defaults_of(text).items():
                with self.subTest(flag):
                    entry = entry_of(page, flag)
                    sentence = re.search(r"^Default: .*", entry, re.M)
                    self.assertIsNotNone(sentence)
                    self.assertEqual(numbers(sentence.group(0))[0], default[0])
                    self.assertLessEqual(set(default), set(numbers(entry)))
                    compared += 1
        self.assertGreater(compared, 12)

    def test_the_synopsis_of_each_page_has_the_same_flags(self):
        for group in {command.split()[0] for command in self.commands()}:
            with self.subTest(group):
                synopsis = manual.section(page_of(group), "SYNOPSIS")
                shown = long_flags(synopsis) - GLOBALS
                letters = {letter for cluster in re.findall(r"Fl (\w+)\b(?! -)", synopsis) for letter in cluster}
                known = described(page_of(group))[0] - GLOBALS
                helps = "".join(helped(*c.split()) for c in self.commands() if c.split()[0] == group)
                shown |= {name for letter, name in re.findall(r"-(\w), --([a-z0-9-]+)", helps) if letter in letters}
                if "Op Ar options" in synopsis:
                    self.assertLessEqual(shown, known)
                else:
                    self.assertEqual(shown, known)

    def test_the_overview_describes_the_global_options_alone(self):
        self.assertEqual(described(manual.source("paytower.1")), (GLOBALS, GLOBAL_LETTERS))

    def test_no_page_speaks_of_an_option_that_does_not_exist(self):
        known = GLOBALS.union(*(flags_of(helped(*command.split()))[0] for command in self.commands()))
        for name in manual.names():
            text = manual.source(name)
            spoken = long_flags(text)
            for block in manual.literals(text):
                for line in re.sub(r"\\\n", " ", block).splitlines():
                    if re.search(r"\b(paytower|run) ", line):
                        spoken |= set(re.findall(r"\s--([a-z][a-z0-9-]+)", line))
            self.assertEqual(sorted(spoken - known), [], name)

    def test_every_reference_leads_somewhere(self):
        pages = set(manual.names())
        for name in pages:
            for title, number in re.findall(r"^\.(?:It )?Xr (\S+) (\d)", manual.source(name), re.M):
                if OTHER_PROGRAMS.get(title) != int(number):
                    self.assertIn(f"{title}.{number}", pages, name)

    def test_every_page_is_in_the_overview_and_is_linted_and_installed(self):
        overview = manual.source("paytower.1")
        with open(os.path.join(manual.FOLDER, "..", "CMakeLists.txt"), encoding="utf-8") as file:
            installed = set(re.search(r"set\(PAYTOWER_MANUAL\s+(.*?)\)", file.read(), re.S).group(1).split())
        self.assertEqual(installed, set(manual.names()))
        for name in installed - {"paytower.1"}:
            title, number = name.rsplit(".", 1)
            self.assertIn(f".Xr {title} {number}", overview)

    def test_exit_codes(self):
        """The overview has all of them; the other pages have no others."""
        def codes(name):
            text = manual.section(manual.source(name), "EXIT STATUS")
            return {int(code) for line in re.findall(r"^\.It ([\d ,]+)$", text, re.M) for code in re.findall(r"\d+", line)}
        everything = codes("paytower.1")
        self.assertEqual(everything, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 129, 130, 143})
        for name in manual.names():
            self.assertLessEqual(codes(name), everything, name)


if __name__ == "__main__":
    unittest.main()
