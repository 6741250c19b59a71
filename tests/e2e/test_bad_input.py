"""Goal: bad input of every kind gives one clear error, the exit code of the table, and no change."""

import hashlib
import json
import os
import pty
import stat
import subprocess
import time
import unittest

import harness
from harness import World

# Invoices signed by a key of their own, of October 2025, valid for 300 years: c = 65536, c = 65535, all numbers as large as they can be
# written, and one for simnet.
TOO_MANY_BLOCKS = ("lnbcrt2500n1p5ww7qqpp5qyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqssp5qgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgp"
    "qyqszqgpqdq2vdhkven9v5xq8f2qheqqcqyzqqq9qrsgq8qj609wgdl9zyue9rqc2qsg03qe6jw9hc3hwcxqhkr0rrj5pkg7554ftpm6agnkk545fc24d3fm"
    "7p0vlf6z73pfukfzjeyq48wtmy9gpeffxkk")
MOST_BLOCKS = ("lnbcrt2500n1p5ww7qqpp5qyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqssp5qgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgp"
    "qyqszqgpqdq2vdhkven9v5xq8f2qheqqcqyplll9qrsgqzu6mt4dsnhktmcnr9qaa3ussfx2838xy6uk4putswhqw26ktdkxr4m2hpchd9nkzdyk9rz9p9q7"
    "3ywp9z0yelgke64usv2ve4jnawdcpfv98pg")
LARGEST = ("lnbcrt210000001p5ww7qqpp5qyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqssp5qgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqsz"
    "qgpqyqszqgpqdq2vdhkven9v5xqd0llllllllllllcqd0llllllllllll9qrsgqz5q0mdp07eutpp5ce2tgl433vdp3wszm2j6msmnzm08cnc3tuyxrh0guz"
    "4wqldcjtl4kjeyp3m6xg0hxhutuvnctvqk6u6s3ne03zfqq6lsfdu")
SIMNET = ("lnsb2500n1p5ww7qqpp5qyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqssp5qgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqy"
    "qszqgpqdq2vdhkven9v5xq8f2qheqq9qrsgqdq5twk250kr3c74gkasac6mj0s3frm2p2afs2lffccay0gk2uaek7uwafjy6nw56tgvlxxyyzjvwwy9v0tqd"
    "sm6yngd4qeyzttkkk8spllhc3y")


class BadInput(World):
    def snapshot(self):
        """The contents of all files in the folder, except SQLite's transient ones."""
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

    def test_what_is_not_an_invoice_is_named(self):
        for pasted, word in {
            "hello": "not an invoice (must start with lnbc, lntb, lntbs, lnbcrt or lnsb)",
            "lno1qgsqvgnwgcg35z6ee2h3yczraddm72xrfua9uve2rlrm9deu7xyfzrc": "BOLT 12 offer",
            "lightning:LNURL1DP68GURN8GHJ7ETCV9KHQMR99E3K7MF0D3H82UNVWQHHSM9CXLQ": "LNURL",
            "satoshi@example.com": "Lightning address",
            "\u20bfsatoshi@example.com": "BIP 353",
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4": "on-chain address",
            "bitcoin:bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4?amount=1": "without lightning=",
            "02" + 64 * "a": "node id",
            64 * "a": "payment hash",
            " \n": "no invoice in it",
        }.items():
            with self.subTest(pasted=pasted):
                self.assertIn(word, self.refused(harness.USAGE, "decode", pasted).err)
                self.assertIn(word, self.refused(harness.USAGE, "send", pasted, "--yes").err)
                line = json.dumps({"invoice": pasted})
                said = json.loads(self.expect(harness.USAGE, "send", "--batch", "-", "--yes", text=line).out)
                self.assertIn(word, said["error"]["message"])

    def test_what_stands_around_an_invoice(self):
        bare = self.invoice()
        uri = "bitcoin:bcrt1qxycnzvf3xycnzvf3xycnzvf3xycnzvf3?amount=0.0000025&lightning="
        around = [bare + "\r\n", " \t\n" + bare, "lightning:" + bare, "LIGHTNING://" + bare, uri + bare, uri.upper() + bare.upper(), uri + bare.replace("1", "%31")]
        for pasted in around:
            with self.subTest(pasted=pasted):
                self.assertEqual(self.ok("decode", pasted, "--json").json()["payment_request"].lower(), bare)
        for pasted in around:
            self.ok("send", pasted, "--yes", "--idempotent")
        self.assertEqual([payment["payment_request"] for payment in self.payments()], [bare])
        second, third = self.invoice(), self.invoice()
        lines = [json.dumps({"invoice": " lightning:" + second + "\r\n"}), json.dumps({"invoice": uri + third.upper()})]
        self.ok("send", "--batch", "-", "--yes", text="\n".join(lines))
        self.assertEqual([payment["payment_request"].lower() for payment in self.payments()], [bare, second, third])

    def test_decode_says_payable_when_send_would_try(self):
        expired = self.invoice("250sat", "--expiry", "1s")
        time.sleep(2.1)
        for invoice, reason in ((expired, "expired"), (TOO_MANY_BLOCKS, "final_cltv_too_large"), (LARGEST, "final_cltv_too_large"),
                                (MOST_BLOCKS, None), (self.invoice(), None)):
            with self.subTest(reason=reason):
                said = self.decode(invoice)
                self.assertEqual((said["payable"], said["not_payable_reason"]), (reason is None, reason))
                if reason:
                    self.refused(harness.USAGE, "send", invoice, "--yes", "--cltv-limit", "65535")
                else:
                    self.assertIn(self.run_it("send", invoice, "--yes", "--cltv-limit", "65535").code, (harness.OK, harness.FAILED))
        self.assertIn("yes, with --cltv-limit 65535 or more", self.ok("decode", MOST_BLOCKS).out)
        self.refused(harness.USAGE, "send", MOST_BLOCKS, "--yes")

    def test_no_number_of_an_invoice_is_rounded_by_a_reader(self):
        said = self.ok("decode", LARGEST, "--json")

        def numbers(value):
            for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
                yield from numbers(one)
            if isinstance(value, int):
                yield value

        self.assertLess(max(numbers(said.json())), 2**53)
        self.assertEqual((said.json()["value_msat"], said.json()["final_cltv_delta"]), ("2100000000000000000", "18446744073709551615"))

    def test_simnet(self):
        self.assertEqual(self.decode(SIMNET)["network"], "simnet")
        self.assertIn("is for simnet", self.refused(harness.USAGE, "send", SIMNET, "--yes").err)

    def test_an_invoice_from_stdin(self):
        invoice = self.invoice()
        self.assertEqual(self.ok("decode", "-", "--json", text=invoice + "\n").json()["payment_request"], invoice)
        self.refused(harness.USAGE, "decode", "-", text="")
        self.refused(harness.USAGE, "decode", "-", text=70_000 * " ")
        self.assertIn("line end inside", self.refused(harness.USAGE, "decode", "-", text=invoice + "\n" + invoice).err)
        self.assertIn("--yes", self.refused(harness.NOT_CONFIRMED, "send", "-", text=invoice).err)
        self.refused(harness.USAGE, "send", "-", "--yes", "--routes", "-", text=invoice)
        self.assertEqual(self.ledger(), [])
        self.ok("send", "-", "--dry-run", text=invoice)
        self.ok("send", "-", "--yes", text="lightning:" + invoice + "\r\n")
        self.assert_paid_once(self.hash_of(invoice))

    def test_no_error_repeats_an_invoice_or_its_secret(self):
        """Whatever is passed in place of what: cron's mails and logs must not let others pay or probe in the payee's name."""
        expired = self.invoice("250sat", "--expiry", "1s")
        invoice, secret = self.invoice(), 64 * "c"
        path = os.path.join(self.folder, "odd")
        with open(path, "w", encoding="ascii") as file:
            file.write(f'{invoice} = 1\n')
        time.sleep(2.1)
        for args in (["send", expired, "--yes"], [invoice], ["list", invoice], ["decode", "--" + invoice], ["help", invoice], ["show", invoice],
                     ["delete", invoice, "--yes"], ["send", invoice, "--yes", "--amt", invoice], ["send", invoice, "--yes", "--timeout", invoice],
                     ["send", invoice, "--yes", "--outgoing-chan-id", invoice], ["send", invoice, "--yes", "--max-attempts", invoice], ["send", invoice, "--yes", "--max-parts", invoice],
                     ["send", invoice, "--yes", "--routes", invoice], ["send", "--yes", "--batch", invoice], ["list", "--status", invoice],
                     ["list", "--format", invoice], ["list", "--since", invoice], ["list", "--switch", invoice], ["list", "--db", invoice],
                     ["list", "--config", path], ["migrate", "--from-lnd", invoice], ["send", invoice + invoice, "--yes"],
                     ["decode", invoice + "b"], ["send", invoice, "--yes", "--amt", "250sat"], ["list", secret], ["list", "--status", secret],
                     ["send", "--yes", "--amt", secret, self.invoice("any")]):
            for more in ([], ["--json"]):
                with self.subTest(args=args[:2], more=more):
                    outcome = self.run_it(*args, *more)
                    self.assertNotEqual(outcome.code, 0)
                    for one in (expired, invoice):
                        self.assertNotIn(one[:30], outcome.out + outcome.err)
                        self.assertNotIn(one[-30:], outcome.out + outcome.err)
                    self.assertNotIn(secret, outcome.err)
        lines = [json.dumps({invoice: 1}), json.dumps({"invoice": expired}), json.dumps({"invoice": invoice, "routes": invoice}),
                 json.dumps({"invoice": invoice, "amt": invoice}), f'{{"invoice":{{"{invoice}":1.5}}}}', invoice]
        said = self.expect(harness.USAGE, "send", "--batch", "-", "--yes", text="\n".join(lines))
        self.assertEqual(len(said.out.splitlines()), len(lines))
        for one in (expired, invoice):
            self.assertNotIn(one[:30], said.out + said.err)

    def test_errors_name_the_payment_that_they_are_about(self):
        def named(code, payment_hash, *args, **more):
            error = self.expect(code, *args, "--json", **more).error()
            self.assertEqual(error["payment_hash"], payment_hash, error)

        expired, good, free = self.invoice("250sat", "--expiry", "1s"), self.invoice(), self.invoice("any")
        time.sleep(2.1)
        named(harness.USAGE, self.hash_of(expired), "send", expired, "--yes")
        named(harness.USAGE, self.hash_of(good), "send", good, "--yes", "--cltv-limit", "1")
        named(harness.USAGE, self.hash_of(good), "send", good, "--yes", "--amt", "1sat")
        named(harness.USAGE, self.hash_of(free), "send", free, "--yes")
        named(harness.NOT_CONFIRMED, self.hash_of(good), "send", good)
        named(harness.UNAVAILABLE, self.hash_of(good), "send", good, "--yes", "--switch", "cln:" + os.path.join(self.folder, "none"))
        named(harness.DATABASE, self.hash_of(good), "send", good, "--yes", "--db", self.folder)
        routes = os.path.join(self.folder, "routes.json")
        with open(routes, "w", encoding="ascii") as file:
            file.write("{}")
        named(harness.USAGE, self.hash_of(good), "send", good, "--yes", "--routes", routes)
        mainnet = ("lnbc1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdpl2pkx2"
                   "ctnv5sxxmmwwd5kgetjypeh2ursdae8g6twvus8g6rfwvs8qun0dfjkxaq9qrsgq357wnc5r2ueh7ck6q93dj32dlqnls087fxdwk8qakdyafkq3yap9us6v52vjj"
                   "srvywa6rt52cm9r9zqt8r2t7mlcwspyetp5h2tztugp9lfyql")
        named(harness.USAGE, "0001020304050607080900010203040506070809000102030405060708090102", "send", mainnet, "--yes", "--amt", "1sat")
        self.ok("send", self.invoice(), "--yes")
        new = 64 * "d"
        for args in (["show", new], ["cancel", new], ["resolve", new, "--write-off", "--yes"], ["resume", new], ["delete", new, "--yes"]):
            named(harness.NOT_FOUND, new, *args)

    def test_expired(self):
        invoice = self.invoice("250sat", "--expiry", "1s")
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
        for flag in ("--fee-limit", "--fee-limit-percent", "--cltv-limit", "--max-attempts", "--max-parts", "--timeout", "--wait"):
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

    def test_where_an_lnd_is(self):
        """A refusal says how the place was understood and which flag helps, and nothing of the macaroon's content."""
        invoice = self.invoice()
        folder = os.path.join(self.folder, "lnd")
        network = os.path.join(folder, "data", "chain", "bitcoin", "regtest")
        os.makedirs(network)

        def said(place, *flags):
            outcome = self.refused(harness.USAGE, "send", invoice, "--yes", "--switch", "lnd:" + place, *flags)
            self.assertIn("hint: paytower --switch ", outcome.err)
            return outcome.err

        self.assertIn("lnd:localhost:8080 is read as HOST:PORT: name its certificate with --tls-cert and its macaroon with --macaroon", said("localhost:8080"))
        self.assertIn("lnd:localhost is read as lnd's folder, as it is not HOST:PORT", said("localhost"))
        self.assertIn(f"cannot read lnd's certificate {folder}/tls.cert: No such file or directory; name another with --tls-cert",
                      said(folder, "--macaroon", __file__))
        with open(os.path.join(folder, "tls.cert"), "w", encoding="ascii"):
            pass
        self.assertIn(f"cannot read lnd's macaroon {network}/admin.macaroon: No such file", said(folder))
        os.makedirs(os.path.join(network, "..", "mainnet"))
        self.assertIn("holds several networks; name lnd's macaroon with --macaroon", said(folder))
        secret = "0201036c6e64" + "5a" * 100
        for outcome in (self.expect(harness.USAGE, "config", "--macaroon", secret), self.expect(harness.USAGE, "config", env={"PAYTOWER_MACAROON": secret})):
            self.assertIn("name the file", outcome.err)
            self.assertNotIn("5a5a", outcome.out + outcome.err)
        self.assertRegex(self.ok("config", "--macaroon", "x.macaroon").out, r"macaroon +--macaroon +x\.macaroon\n")
        self.assertIn("--macaroon goes only with --switch lnd:", self.refused(harness.USAGE, "send", invoice, "--macaroon", "x").err)

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
            for bad in ("", ":memory:", "file:x.db", "~/payments.db"):
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
            # Root may write anyway, so the call runs without that capability.
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
