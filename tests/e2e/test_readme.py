"""Goal: a newcomer can follow the README. Method: its shell blocks (readme.py says which) run as they stand, one after the other, in
an empty home folder with this program in the PATH; and its crontab line as cron runs it."""

import csv
import json
import os
import re
import subprocess
import unittest

import harness
import manual
import readme

FOLDER = os.path.dirname(os.path.abspath(harness.BINARY))


class Readme(harness.World):
    def setUp(self):
        super().setUp()
        self.home = os.path.join(self.folder, "home")
        os.mkdir(self.home)
        self.bare = {"HOME": self.home, "PATH": FOLDER + ":/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}

    def shell(self, text, **variables):
        return subprocess.run(["sh", "-eu"], input=text, env={**self.bare, **variables}, cwd=self.home, capture_output=True, text=True, timeout=300)

    def test_every_block_says_what_it_is(self):
        for kind, _ in readme.blocks():
            self.assertIn(kind, readme.KINDS)
        self.assertGreaterEqual(sum(kind == "sh" for kind, _ in readme.blocks()), 4)

    def test_the_session(self):
        done = self.shell(readme.script("sh"))
        self.assertEqual(done.returncode, 0, done)
        self.assertIn("Paid 250 sat", done.stdout)
        self.assertIn("exit 4: in flight", done.stdout)
        self.assertIn("1 resolved (1 paid, 0 failed), 0 still in flight", done.stdout)
        self.assertIn("The database is sound.", done.stdout)
        with open(os.path.join(self.home, "payments.csv"), encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual([int(row["value_msat"]) for row in rows], [250000, 1000000, 100000, 100000, 100000])
        self.assertEqual({row["status"] for row in rows}, {"SUCCEEDED"})
        with open(os.path.join(self.home, "payroll-1.json"), encoding="utf-8") as file:
            self.assertEqual([payment["label"] for payment in json.load(file)["payments"]], ["payroll 1"])

    def test_the_crontab_line(self):
        """What cron gives a command: sh, HOME, a short PATH, and nothing else."""
        commands = readme.crontab()
        self.assertEqual(len(commands), 1)
        place = os.path.join(self.home, "pay")
        os.mkdir(place, 0o700)
        named = {"PAYTOWER_DB": place + "/payments.db", "PAYTOWER_SWITCH": f"sim:{place}/network.sim"}
        start = ("paytower simulate network --out pay/network.sim >/dev/null\n"
                 "invoice=$(paytower simulate invoice --amt 250sat --hold 1s)\n"
                 "paytower send \"$invoice\" --yes --wait 0 >/dev/null 2>&1 || [ $? = 4 ]\n")
        self.assertEqual(self.shell(start, **named).returncode, 0)
        command = commands[0].replace("/var/lib/paytower/clightning", place)
        self.assertIn(place, command)
        done = subprocess.run(["env", "-i", "HOME=" + self.home, "PATH=" + FOLDER + ":/usr/bin:/bin", "SHELL=/bin/sh", "LOGNAME=op", "/bin/sh", "-c", command],
                              capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL, cwd="/", start_new_session=True)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        listed = self.shell("paytower list --json", **named)
        self.assertEqual([payment["status"] for payment in json.loads(listed.stdout)["payments"]], ["SUCCEEDED"])

    def test_the_configuration_file(self):
        text = next(text for kind, text in readme.blocks() if kind == "" and text.startswith("db = "))
        folder = os.path.join(self.home, ".config", "paytower")
        os.makedirs(folder)
        with open(os.path.join(folder, "config"), "w", encoding="utf-8") as file:
            file.write(re.sub("/var/lib/paytower/clightning/", self.home + "/", text))
        done = self.shell("paytower list; echo $?")
        self.assertIn(self.home + "/payments.db", done.stderr)  # the database is looked for where the config file says

    def test_every_command_is_in_the_table_and_exit_codes_are_those_of_the_manual(self):
        with open(readme.PATH, encoding="utf-8") as file:
            text = file.read()
        self.assertIn("| 130, 143, 129 |", text)
        table = {int(code) for row in re.findall(r"^\| ([\d, ]+) \|", text, re.M) for code in row.split(",")}
        page = manual.section(manual.source("paytower.1"), "EXIT STATUS")
        self.assertEqual(table, {int(code) for line in re.findall(r"^\.It ([\d ,]+)$", page, re.M) for code in re.findall(r"\d+", line)})
        for name in manual.names():
            if name.endswith(".1") and name != "paytower.1":
                command = name[len("paytower-"):-len(".1")]
                self.assertRegex(text, rf"(?m)^\|.*`{command}\b", command)


if __name__ == "__main__":
    unittest.main()
