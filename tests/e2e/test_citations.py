"""Goal: what the READMEs say is there, and what sources cite stands in the READMEs; includes between rooms go down only. Method:
pure reading, no program is run. Rules (R1, M1), sections ("db/README 4"), paths and `file:function` are looked up; the table of rooms in
core/README.md is compared with every #include."""

import os
import re
import unittest

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
TOP = ("core", "db", "migrations", "cli", "man", "tests", ".ci")
PRODUCT = ("core", "db", "migrations", "cli")
UNREAD = {"data", "golden", "__pycache__"}  # recorded bytes and printed texts cite nothing
TEXT = (".cpp", ".h", ".in", ".py", ".sh", ".sql", ".md", ".txt", ".zsh", ".fish", ".1", ".5", ".7")
NUMBERED = {"core": "core/README.md", "cln": "core/switch/cln/README.md", "lnd": "core/switch/lnd/README.md", "db": "db/README.md"}
FILE_NAME = re.compile(r"[\w@.-]+\.(cpp|h|py|sh|sql|md|txt|in|fish|zsh|[1578])")


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def files_below(folder):
    for place, folders, names in os.walk(os.path.join(ROOT, folder)):
        folders[:] = sorted(set(folders) - UNREAD)
        for name in sorted(names):
            yield os.path.relpath(os.path.join(place, name), ROOT)


ALL_FILES = ["README.md", "CMakeLists.txt"] + [path for top in TOP for path in files_below(top)]
READMES = [path for path in ALL_FILES if os.path.basename(path) == "README.md"]
NAMES = {os.path.basename(path) for path in ALL_FILES}


def texts():
    """Every file that people read, with its comments as running text, because a citation may continue on the next line."""
    for path in ALL_FILES:
        if path.endswith(TEXT) or "." not in os.path.basename(path):
            yield path, re.sub(r"\s*\n[ \t]*(?:///?|#|--|\.\\\")?[ \t]*", " ", read(path))


def exists(path, beside):
    """True for a path of the repository, or one beside the README that names it. A room may be a file with its header."""
    for base in ("", os.path.dirname(beside)):
        whole = os.path.join(ROOT, base, path)
        if os.path.exists(whole) or os.path.exists(whole + ".h"):
            return True
    return "/" not in path and path in NAMES


def is_path(word):
    if "/" not in word:
        return bool(FILE_NAME.fullmatch(word))
    return bool(re.fullmatch(r"[\w@.-]+(/[\w@.-]+)*/?", word)) and (word.split("/")[0] in TOP or bool(FILE_NAME.fullmatch(os.path.basename(word))))


def defines(text, function):
    """A definition has a type before its name and a brace after its parameters; a call has neither."""
    before = r"(?:^|\n)[ \t]*(?:template <[^\n]*> )?(?:\[\[nodiscard\]\] )?[\w:<>,]+[\w:<>&*, ]*[ &*]"
    return re.search(before + r"(?:\w+::)*" + re.escape(function) + r"\([^;{]*\)[^;{}]*\{", text) is not None


class Citations(unittest.TestCase):
    def test_the_rules_are_all_there(self):
        self.assertEqual(re.findall(r"^- \*\*([RM]\d+) ", read("core/README.md"), re.M), [f"R{n}" for n in range(1, 18)] + [f"M{n}" for n in range(1, 8)])

    def test_every_cited_rule_exists(self):
        rules = set(re.findall(r"^- \*\*([RM]\d+) ", read("core/README.md"), re.M))
        cited = 0
        for path, text in texts():
            for rule in re.findall(r"\b[RM]\d{1,2}\b", text):
                self.assertIn(rule, rules, path)
                cited += 1
        self.assertGreater(cited, 250)

    def test_sections_are_numbered_in_a_row_and_every_cited_one_exists(self):
        last = {}
        for short, path in NUMBERED.items():
            numbers = [int(number) for number in re.findall(r"^## (\d+)\. ", read(path), re.M)]
            self.assertEqual(numbers, list(range(1, len(numbers) + 1)), path)
            last[short] = len(numbers)
        cited = 0
        for path, text in texts():
            for short, numbers in re.findall(r"\b(\w+)/README (\d+(?:(?:, | and | to )\d+)*)", text):
                for number in re.findall(r"\d+", numbers):
                    self.assertIn(short, last, f"{path} cites {short}/README {number}, which has no numbered sections")
                    self.assertTrue(1 <= int(number) <= last[short], f"{path} cites {short}/README {number}")
                    cited += 1
        self.assertGreater(cited, 10)

    def test_every_cited_page_exists(self):
        for path, text in texts():
            for name in re.findall(r"\b[A-Z]{3,}\.md\b", text):
                self.assertEqual(name, "README.md", path)
            for name in re.findall(r"\b((?:core|db|tests|cli|man|migrations)/[\w/-]*README\.md)", text):
                self.assertTrue(os.path.exists(os.path.join(ROOT, name)), f"{path} names {name}")


class Paths(unittest.TestCase):
    def test_every_path_in_a_readme_exists(self):
        found = 0
        for readme in READMES:
            for quoted in re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", read(readme), flags=re.M | re.S)):
                for word in quoted.split():
                    path = word.split(":")[0] if re.fullmatch(r"[\w./-]+\.(cpp|h):\w+", word) else word
                    if not is_path(path) or "NAME" in path:
                        continue
                    found += 1
                    with self.subTest(readme=readme):
                        self.assertTrue(exists(path, readme), f"{readme}: {path} does not exist")
        self.assertGreater(found, 200)

    def test_every_named_function_is_defined_in_its_file(self):
        found = []
        for readme in READMES:
            for path, function in re.findall(r"`([\w./-]+\.(?:cpp|h)):(\w+)`", read(readme)):
                found.append((readme, path))
                with self.subTest(readme=readme, function=function):
                    self.assertTrue(defines(read(path), function), f"{readme}: {path} does not define {function}")
        self.assertGreater(sum(readme == "core/README.md" for readme, _ in found), 60)
        self.assertGreater(len(found), 100)


def room_of(path):
    return os.path.dirname(path)


def circles(arrows):
    """The rooms that can be reached from themselves."""
    def reached(room, seen):
        for target in arrows.get(room, ()):
            if target not in seen:
                seen.add(target)
                reached(target, seen)
        return seen
    return sorted(room for room in arrows if room in reached(room, set()))


class Arrows(unittest.TestCase):
    def setUp(self):
        table = read("core/README.md").split("\n## 6. ")[1].split("\n## ")[0]
        self.named = {room: set(re.findall(r"`([^`]+)`", may)) for room, may in re.findall(r"^\| `([\w/]+)` \| [^|]* \| ?([^|]*)\|$", table, re.M)}
        self.order = list(self.named)
        self.includes = []
        for path in (path for top in PRODUCT for path in files_below(top) if path.endswith((".cpp", ".h", ".in"))):
            for target in re.findall(r'^\s*#\s*include "([^"]+)"', read(path), re.M):
                self.includes.append((path, target))

    def test_the_table_has_every_room_and_leads_down(self):
        self.assertEqual(set(self.order), {room_of(path) for path, _ in self.includes} | {room_of(target) for _, target in self.includes})
        for position, room in enumerate(self.order):
            for below in self.named[room]:
                self.assertIn(below, self.order[:position], f"{room} may include {below}, which stands below it in the table")

    def test_includes_go_only_where_the_table_lets_them(self):
        allowed = {}
        for room in self.order:
            allowed[room] = {room} | self.named[room] | set().union(*(allowed[below] for below in self.named[room]))
        arrows, upward = {}, 0
        for path, target in self.includes:
            self.assertTrue(os.path.exists(os.path.join(ROOT, target)), f"{path} includes {target}")
            here, there = room_of(path), room_of(target)
            if here != there:
                arrows.setdefault(here, set()).add(there)
                upward += self.order.index(there) > self.order.index(here)
            with self.subTest(path):
                self.assertIn(there, allowed[here], f"{path} includes {target}: {here} may not include {there} (core/README 6)")
        print(f"{len(self.includes)} includes, {sum(map(len, arrows.values()))} arrows between {len(self.order)} rooms, "
              f"{upward} upward, {len(circles(arrows))} rooms in circles")
        self.assertEqual((upward, circles(arrows)), (0, []))


if __name__ == "__main__":
    unittest.main()
