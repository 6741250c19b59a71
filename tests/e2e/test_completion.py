"""Goal: the three shells complete what the program has, and completing harms nothing. Method: completion is really run in bash,
zsh and fish; the flags it offers are those of --help (which test_manual.py compares with the manual)."""

import os
import re
import subprocess
import unittest

import harness

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPTS = os.path.join(HERE, "..", "..", "cli", "completion")

BASH = """
. "$SCRIPT"
COMP_LINE=$LINE COMP_POINT=${#LINE}
# As readline cuts a line: at blanks, and at = and : as words of their own.
read -ra cut <<<"${LINE//:/ : }"
COMP_WORDS=()
for word in "${cut[@]}"; do
  if [[ $word == --*=* ]]; then COMP_WORDS+=("${word%%=*}" = "${word#*=}"); else COMP_WORDS+=("$word"); fi
done
[[ $LINE == *' ' ]] && COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_paytower paytower
printf '%s\\n' "${COMPREPLY[@]}"
"""


class Completion(harness.World):
    def setUp(self):
        super().setUp()
        self.env["PATH"] = os.path.dirname(os.path.abspath(harness.BINARY)) + ":" + self.env["PATH"]
        self.env["LC_ALL"] = "C.UTF-8"

    def shell(self, command, **variables):
        done = subprocess.run(command, env={**self.env, **variables}, cwd=self.folder, capture_output=True, text=True, timeout=60,
                              stdin=subprocess.DEVNULL, start_new_session=True)
        self.assertEqual(done.stderr, "", command)
        return done.stdout

    def in_bash(self, line):
        out = self.shell(["bash", "--norc", "-c", BASH], SCRIPT=os.path.join(SCRIPTS, "paytower"), LINE=line)
        return set(out.split())

    def in_fish(self, line):
        script = f"source {os.path.join(SCRIPTS, 'paytower.fish')}; complete -C $LINE"
        out = self.shell(["fish", "--no-config", "-c", script], LINE=line)
        return {row.split("\t")[0] for row in out.splitlines() if row}

    def in_zsh(self, line):
        return set(self.shell(["zsh", "-f", os.path.join(HERE, "complete.zsh"), SCRIPTS, line]).split())

    def offered(self, line):
        """What is offered, which must be the same in all three shells. bash and zsh leave out what is before the last = or :."""
        found = {name: getattr(self, "in_" + name)(line) for name in ("bash", "fish", "zsh")}
        cut = max(line.rfind("="), line.rfind(":"), line.rfind(" ")) + 1
        head = line[line.rfind(" ") + 1:cut]
        found["fish"] = {word[len(head):] if head and word.startswith(head) else word for word in found["fish"]}
        self.assertEqual(found["bash"], found["fish"], line)
        self.assertEqual(found["bash"], found["zsh"], line)
        return found["bash"]

    def help(self, *command):
        return subprocess.run([harness.BINARY, *command, "--help"], capture_output=True, text=True, check=True).stdout

    def test_commands(self):
        listed = re.findall(r"^  ([a-z]+(?: [a-z]+)?)  +\S", self.help().split("Global options")[0], re.M)
        self.assertGreater(len(listed), 14)
        self.assertEqual(self.offered("paytower "), {name.split()[0] for name in listed})
        self.assertEqual(self.offered("paytower simulate "), {name.split()[1] for name in listed if " " in name})
        self.assertEqual(self.offered("paytower re"), {"resume", "resolve"})
        self.assertEqual(self.offered("paytower --json --db x re"), {"resume", "resolve"})
        self.assertEqual(self.offered("paytower help re"), {"resume", "resolve"})

    def test_flags_of_every_command(self):
        top = self.help()
        for command in re.findall(r"^  ([a-z]+(?: [a-z]+)?)  +\S", top.split("Global options")[0], re.M):
            if command == "help":
                continue
            text = self.help(*command.split()).split("\nOptions:\n")[-1] + top
            flags = {"--" + name for name in re.findall(r"^  (?:-\w, |    )--([a-z][a-z0-9-]+)", text, re.M)}
            self.assertEqual(self.in_bash(f"paytower {command} --"), flags, command)
        self.assertEqual(self.offered("paytower send --payment"), {"--payment-hash", "--payment-secret"})
        self.assertEqual(self.offered("paytower simulate network --o"), {"--out"})
        self.assertEqual(self.offered("paytower send -- --"), set())

    def test_words_that_a_flag_takes(self):
        """The offered words are those that the program lists when it refuses another one."""
        for call in ("list --color ", "list --format ", "stats --format ", "list --status "):
            done = subprocess.run([harness.BINARY, *call.split(), "none-of-them"], capture_output=True, text=True, env=self.env, check=False)
            self.assertEqual(done.returncode, 2)
            words = re.search(r"is (?:none|not one) of (.*)$", done.stderr, re.M).group(1).split(", ")
            self.assertGreater(len(words), 2)
            self.assertEqual(self.offered("paytower " + call), set(words), call)

    def test_values(self):
        self.assertEqual(self.offered("paytower list --format="), {"table", "tsv", "csv", "ndjson"})
        self.assertEqual(self.offered("paytower ls --status s"), {"succeeded"})
        self.assertEqual(self.offered("paytower resume --wait "), {"forever"})
        kinds = set(re.findall(r"\b[a-z]+:(?=[A-Z])", self.help()))
        self.assertLessEqual({"sim:", "cln:"}, kinds)
        self.assertEqual(self.offered("paytower --switch "), kinds)
        self.assertEqual(self.offered("paytower send --label "), set())
        formats = set(re.search(r"--format FORMAT +(.*?) \(", self.help("list")).group(1).replace(" or ", ", ").split(", "))
        self.assertEqual(self.offered("paytower list --format "), formats)

    def test_file_names(self):
        for name in ("routes.json", "routes.old", "other"):
            open(os.path.join(self.folder, name), "w", encoding="utf-8").close()
        routes = {"routes.json", "routes.old"}
        self.assertEqual(self.offered("paytower send --routes ro"), routes)
        self.assertEqual(self.offered("paytower send --routes=ro"), routes)
        self.assertEqual(self.offered("paytower migrate --backup n"), {"none"} | {name for name in os.listdir(self.folder) if name.startswith("n")})
        self.assertEqual(self.offered("paytower backup ro"), routes)
        self.assertEqual(self.offered("paytower --switch sim:ro"), routes)

    def test_hashes(self):
        paid, held = self.invoice(), self.invoice("100sat", "--hold", "forever")
        self.ok("send", paid, "--yes")
        self.expect(harness.UNKNOWN, "send", held, "--yes", "--wait", "0")
        paid, held = self.hash_of(paid), self.hash_of(held)
        self.assertEqual(self.offered("paytower show "), {paid, held})
        self.assertEqual(self.offered("paytower show " + paid[:6]), {paid})
        self.assertEqual(self.offered("paytower cancel "), {held})
        self.assertEqual(self.offered("paytower resume --no-retry "), {held})
        self.assertEqual(self.offered("paytower --db elsewhere.db show "), set())
        self.env.pop("PAYTOWER_DB")
        self.assertEqual(self.offered("paytower show "), set())
        self.assertEqual(self.offered("paytower --db payments.db delete "), {paid, held})

    def test_silent_without_a_database_and_with_a_bad_one(self):
        before = set(os.listdir(self.folder))
        self.assertEqual(self.offered("paytower show "), set())
        with open(self.db, "wb") as file:
            file.write(b"no database" * 100)
        os.chmod(self.db, 0o600)
        self.assertEqual(self.offered("paytower resume "), set())
        self.env.pop("PAYTOWER_DB")
        self.assertEqual(self.offered("paytower show "), set())
        made = set(os.listdir(self.folder)) - before - {"payments.db"}
        self.assertEqual({name for name in made if not name.startswith((".config", ".local", ".cache"))}, set())
        self.assertFalse(os.path.exists(os.path.join(self.folder, ".local", "share", "paytower")))

    def test_silent_without_the_program(self):
        self.env["PATH"] = "/usr/bin:/bin"
        self.assertEqual(self.offered("paytower "), set())


if __name__ == "__main__":
    unittest.main()
