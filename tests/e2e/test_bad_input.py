"""Goal: bad input of every kind gives one clear error, the exit code of the table, and no change."""

import hashlib
import os
import pty
import stat
import subprocess
import unittest

import harness
from harness import World


class BadInput(World):
    def snapshot(self):
        """Contents of everything in the folder but SQLite's transient files."""
        seen = {}
        for name in sorted(os.listdir(self.folder)):
            path = os.path.join(self.folder, name)
            if os.path.isfile(path) and not name.endswith(("-shm", "-wal", ".lock")):
                with open(path, "rb") as data:
                    seen[name] = hashlib.sha256(data.read()).hexdigest()
        return seen

    def refused(self, code, *args, **more):
        before = self.snapshot()
        outcome = self.expect(code, *args, **more)
        self.assertEqual(outcome.out, "", "an error leaves stdout empty")
        errors = [line for line in outcome.err.splitlines() if line.startswith("paytower: ")]
        self.assertEqual(len(errors), 1, outcome.err)
        self.assertLess(len(errors[0]), 600)
        self.assertEqual({k: v for k, v in self.snapshot().items() if k != "network.sim"},
                         {k: v for k, v in before.items() if k != "network.sim"})
        as_json = self.run_it(*args, "--json", **more)
        self.assertEqual(as_json.code, code)
        self.assertEqual(as_json.out, "")
        self.assertEqual(as_json.error()["exit_code"], code)
        return outcome

    def test_invoices(self):
        good = self.invoice()
        middle = len(good) // 2
        flipped = good[:middle] + ("q" if good[middle] != "q" else "p") + good[middle + 1:]
        for name, bad in {
            "empty": "", "text": "hello", "flipped": flipped, "cut": good[:-1], "mixed case": good[:20] + good[20:].upper(),
            "mainnet": "lnbc2500u1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdq5xysxxatsyp3k7enxv4jsxqzpusp5zyg3zyg3z"
                       "yg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygs9qrsgquk0rl77nj30yxdy8j9vdx85fkpmdla2087ne0xh8nhedh8w27kyke0lp53ut35"
                       "3s06fv3qfegext0eh0ymjpf39tuven09sam30g4vgpfna3rh",
        }.items():
            with self.subTest(invoice=name):
                self.refused(harness.USAGE, "send", bad, "--yes")

    def test_expired(self):
        invoice = self.invoice("250sat", "--expiry", "1s")
        import time
        time.sleep(2.1)
        self.assertIn("expired", self.refused(harness.USAGE, "send", invoice, "--yes").err)

    def test_amounts(self):
        self.refused(harness.USAGE, "send", self.invoice("any"), "--yes")
        self.refused(harness.USAGE, "send", self.invoice(), "--yes", "--amt", "250sat")
        amountless = self.invoice("any")
        for amount in ("250", "-1sat", "+1sat", "1.0005sat", "01sat", "1e3sat", "21000001btc", "99999999999999999999999sat", "sat", "",
                       "1 sat", "1sats", "0x10sat", "٣sat", "0sat"):
            with self.subTest(amount=amount):
                self.refused(harness.USAGE, "send", amountless, "--yes", "--amt", amount)
        for flag in ("--fee-limit", "--fee-limit-percent", "--cltv-limit", "--max-attempts", "--timeout", "--wait"):
            for value in ("-5", "99999999999999999999999", "x", ""):
                with self.subTest(flag=flag, value=value):
                    self.refused(harness.USAGE, "send", self.invoice(), "--yes", flag + "=" + value)

    def test_unknown_words(self):
        self.assertIn("resume", self.refused(harness.USAGE, "resum").err)
        self.assertIn("--fee-limit", self.refused(harness.USAGE, "send", self.invoice(), "--fee-limt", "1sat").err)
        self.refused(harness.USAGE)

    def test_switches(self):
        for bad in ("", "sim", "sim:", "lnd:/x", "sim:" + self.folder, "sim:" + os.path.join(self.folder, "missing")):
            with self.subTest(switch=bad):
                self.assertIn(self.run_it("send", self.invoice(), "--yes", env={"PAYTOWER_SWITCH": "sim:" + self.net}, timeout=30).code, (0,))
                outcome = self.run_it("send", self.invoice(), "--yes", "--switch", bad)
                self.assertIn(outcome.code, (harness.USAGE, harness.UNAVAILABLE))
        invoice = self.invoice()
        outcome = self.expect(harness.USAGE, "send", invoice, "--yes", env={"PAYTOWER_SWITCH": ""})
        self.assertIn("--switch", outcome.err)

    def test_databases(self):
        text = os.path.join(self.folder, "text.db")
        with open(text, "w", encoding="ascii") as file:
            file.write("not a database, but long enough to be looked at " * 100)
        missing = os.path.join(self.folder, "no", "such", "folder", "p.db")
        invoice = self.invoice()
        for command in (["list"], ["send", invoice, "--yes"], ["resume"]):
            for name, bad in {"directory": self.folder, "text": text, "missing folder": missing}.items():
                with self.subTest(command=command[0], database=name):
                    self.refused(harness.DATABASE, *command, "--db", bad)
            for bad in ("", ":memory:", "file:x.db"):
                with self.subTest(command=command[0], database=bad):
                    self.refused(harness.USAGE, *command, "--db=" + bad)
        self.refused(harness.DATABASE, "list", "--db", os.path.join(self.folder, "none.db"))
        self.assertEqual(self.ledger(), [])

    def test_second_name_of_a_database(self):
        self.ok("send", self.invoice(), "--yes")
        os.link(self.db, self.db + ".link")
        self.refused(harness.DATABASE, "send", self.invoice(), "--yes")

    @unittest.skipIf(os.geteuid() == 0 and not os.path.exists("/usr/bin/setpriv"), "root writes everywhere")
    def test_read_only_database(self):
        self.ok("send", self.invoice(), "--yes")
        os.chmod(self.db, stat.S_IRUSR)
        invoice = self.invoice()
        if os.geteuid() == 0:
            # Root may write anyway: the capability is dropped for the call.
            prefix = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search",
                      harness.BINARY]
        else:
            prefix = [harness.BINARY]
        done = subprocess.run([*prefix, "send", invoice, "--yes"], env=self.env, capture_output=True, text=True, cwd=self.folder,
                              stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, harness.DATABASE, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertEqual(self.ledger(self.hash_of(invoice)), [])

    def test_no_terminal(self):
        invoice = self.invoice()
        self.refused(harness.NOT_CONFIRMED, "send", invoice)
        self.assertEqual(self.ledger(), [])

    def test_terminal_escapes_from_invoices(self):
        evil = "rent\x1b[2J\x1b]0;owned\x07\u202e\x9b31m\r\nPaid 1 btc"
        invoice = self.invoice("250sat", "--description", evil)
        for args in (["decode", invoice], ["send", invoice, "--yes"], ["show", self.hash_of(invoice)], ["list"],
                     ["send", self.invoice("250sat", "--description", evil), "--yes", "--label", evil]):
            outcome = self.run_it(*args)
            for forbidden in ("\x1b", "\x07", "\u202e", "\x9b", "\r"):
                self.assertNotIn(forbidden, outcome.out + outcome.err, args)

    def test_escapes_on_a_real_terminal(self):
        evil = "rent\x1b[2J\x1b]0;owned\x07"
        invoice = self.invoice("250sat", "--description", evil)
        parent, child = pty.openpty()
        process = self.popen("send", invoice, stdin=child, stdout=child, stderr=child)
        os.close(child)
        os.write(parent, b"n\n")
        seen = b""
        while True:
            try:
                data = os.read(parent, 4096)
            except OSError:
                break
            if not data:
                break
            seen += data
        process.wait(timeout=20)
        self.assertEqual(process.returncode, harness.NOT_CONFIRMED, seen)
        self.assertNotIn(b"\x1b[2J", seen)
        self.assertNotIn(b"\x1b]0;", seen)
        self.assertIn(b"[y/N]", seen)
        self.assertEqual(self.ledger(), [])

    def test_routes_files(self):
        for text in ("", "{", "[]", "{}", '{"routes":[]}', '{"route":[{"id":"02"}]}', '{"a":' * 100 + "1" + "}" * 100,
                     '{"routes":[{"total_time_lock":1.5}]}'):
            with self.subTest(text=text[:30]):
                path = os.path.join(self.folder, "routes.json")
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)
                self.refused(harness.USAGE, "send", self.invoice(), "--yes", "--routes", path)


if __name__ == "__main__":
    unittest.main()
