"""Goal: what README's section on security says of other local users, of secrets and of hostile words holds. Method: real files with
every mode and trick, hostile umasks, /proc of a running paytower, and a search for secrets in all that it prints.

Where else: tests/store (links, FIFOs, hard links, mounts at the database, the lock and the spool), test_serve.py (the socket),
test_bad_input.py and test_terminal.py (escape sequences on a terminal)."""

import json
import os
import re
import sqlite3
import stat
import tempfile
import unittest

from harness import DATABASE, SANITIZED, USAGE, World

NOBODY = 65534
EVIL = "rent\x1b[2J\x1b]0;owned\x07\x9b31m\u202e\u2066\r\nPaid 1 btc\x00"
FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class Process(World):
    """A paytower that waits, seen from outside."""

    def test_leaves_no_core(self):
        paytower = self.send_in_background(self.invoice("250sat", "--hold", "forever"), "--wait", "forever")
        with open(f"/proc/{paytower.pid}/limits", encoding="utf-8") as limits:
            line = next(line for line in limits if line.startswith("Max core file size"))
        self.kill(paytower)
        self.assertEqual(line.split()[4:6], ["0", "0"])

    @unittest.skipIf(SANITIZED, "the leak checker attaches to its own process")
    def test_is_not_dumpable(self):
        """The kernel gives /proc/PID of such a process to root, whoever runs it, so no other process of the user can attach."""
        user = os.geteuid() or NOBODY
        if user == NOBODY:
            for path in [self.folder, *(os.path.join(self.folder, name) for name in os.listdir(self.folder))]:
                os.chown(path, NOBODY, NOBODY)
        path = os.path.join(self.folder, "lightning-rpc")
        server = self.popen("simulate", "serve", "--socket", path, user=user)
        self.wait_until(lambda: os.path.exists(path) or server.poll() is not None)
        with open(f"/proc/{server.pid}/status", encoding="utf-8") as status:
            owner = int(next(line for line in status if line.startswith("Uid:")).split()[1])
        maps = os.stat(f"/proc/{server.pid}/mem").st_uid
        self.kill(server)
        self.assertEqual((owner, maps), (user, 0))


class Config(World):
    def test_a_config_file_that_others_can_write(self):
        config = os.path.join(self.folder, "config")
        with open(config, "w", encoding="utf-8") as file:
            file.write("timeout = 30s\n")
        link = os.path.join(self.folder, "link")
        os.symlink(config, link)
        for mode, code in ((0o600, 0), (0o644, 0), (0o664, USAGE), (0o646, USAGE), (0o666, USAGE)):
            os.chmod(config, mode)
            for name in (config, link):
                outcome = self.expect(code, "config", env={"PAYTOWER_CONFIG": name})
                if code == USAGE:
                    self.assertIn(f"chmod go-w {name}", outcome.err)
                    self.assertEqual(outcome.out, "")
        self.ok("config", "--config", "none", env={"PAYTOWER_CONFIG": config})
        self.ok("config", env={"PAYTOWER_CONFIG": "/dev/null"})

    @unittest.skipIf(os.geteuid() != 0, "only root gives files away")
    def test_a_config_file_of_another_user(self):
        config = os.path.join(self.folder, "config")
        with open(config, "w", encoding="utf-8") as file:
            file.write("timeout = 30s\n")
        os.chown(config, NOBODY, NOBODY)
        self.assertIn("belongs to another user", self.expect(USAGE, "config", env={"PAYTOWER_CONFIG": config}).err)
        self.ok("config", "--config", "none", env={"PAYTOWER_CONFIG": config})


class Files(World):
    def modes(self):
        found = {}
        for name in sorted(os.listdir(self.folder)):
            if name.startswith("payments") or name.startswith("copy"):
                found[name] = stat.S_IMODE(os.lstat(os.path.join(self.folder, name)).st_mode)
        return found

    def test_hostile_umasks(self):
        for umask in (0o000, 0o077, 0o777):
            with self.subTest(oct(umask)):
                for name in os.listdir(self.folder):
                    if name.startswith("payments") or name.startswith("copy"):
                        os.unlink(os.path.join(self.folder, name))
                invoice = self.invoice("250sat")
                before = os.umask(umask)
                try:
                    self.ok("send", invoice, "--yes")
                    self.ok("backup", os.path.join(self.folder, "copy.db"))
                    self.ok("list")
                finally:
                    os.umask(before)
                modes = self.modes()
                self.assertGreaterEqual(set(modes), {"copy.db", "payments.db", "payments.db.lock", "payments.db.spool"})
                self.assertEqual(set(modes.values()), {0o600}, modes)

    def test_wide_modes_are_named_or_mended(self):
        self.ok("send", self.invoice("250sat"), "--yes")
        for name in ("payments.db", "payments.db.lock", "payments.db.spool"):
            with self.subTest(name):
                path = os.path.join(self.folder, name)
                os.chmod(path, 0o620)
                seen = self.run_it("check")
                mended = stat.S_IMODE(os.stat(path).st_mode) == 0o600
                self.assertTrue(mended or name in seen.out + seen.err, seen)
                if not mended:
                    self.assertEqual(seen.code, DATABASE, seen)
                    self.assertIn(f"problem: {path} can be written by its group: chmod 600 it", seen.out)
                    self.assertIn("the payments are sound, but others have access to 1 file of the database", seen.err)
                    self.assertIn(f"hint: chmod 600 {path}", seen.err)
                os.chmod(path, 0o600)
                self.ok("check")

    def test_wide_modes_are_mended_by_what_writes(self):
        self.ok("send", self.invoice("250sat"), "--yes")
        names = ("payments.db", "payments.db-wal", "payments.db.lock", "payments.db.spool")
        for name in names:
            os.chmod(os.path.join(self.folder, name), 0o666)
        self.ok("list")
        said = self.ok("send", self.invoice("250sat"), "--yes").err
        for name in names:
            self.assertIn(f"{name} was open to others", said)
        self.assertEqual(set(self.modes().values()), {0o600})
        self.assertEqual(self.ok("send", self.invoice("250sat"), "--yes").err, "")

    def test_a_folder_for_everybody_is_warned_about(self):
        os.chmod(self.folder, 0o777)
        self.assertIn("everybody can write into the folder", self.ok("send", self.invoice("250sat"), "--yes").err)
        self.assertIn("everybody can write into the folder", self.ok("list").err)
        os.chmod(self.folder, 0o1777)  # like /tmp: nobody can replace another user's file
        self.assertEqual(self.ok("list").err, "")

    def trap(self, kind, path, victim):
        if os.path.lexists(path):
            os.unlink(path)
        {"link": lambda: os.symlink(victim, path), "dangling": lambda: os.symlink(victim + ".none", path), "fifo": lambda: os.mkfifo(path, 0o600),
         "folder": lambda: os.mkdir(path, 0o700), "hard link": lambda: os.link(victim, path)}[kind]()

    def test_traps_beside_the_database(self):
        """Nothing is written where a link leads, nothing hangs, and `check` or a refusal names the file in the way."""
        self.ok("send", self.invoice("250sat"), "--yes")
        for end in ("-wal", "-shm", "-journal", ".lock", ".spool"):
            for kind in ("link", "dangling", "fifo", "folder", "hard link"):
                with self.subTest(end=end, kind=kind), tempfile.TemporaryDirectory(dir=self.folder) as folder:
                    database, victim = os.path.join(folder, "p.db"), os.path.join(folder, "victim")
                    self.ok("backup", database)
                    # Each copy uses a network of its own: on the same network, the next copy would count as an old copy of this one.
                    self.switch = self.file_switch = self.env["PAYTOWER_SWITCH"] = "sim:" + os.path.join(folder, "network.sim")
                    self.ok("simulate", "network", "--out", os.path.join(folder, "network.sim"), "--seed", "8")
                    with open(victim, "w", encoding="utf-8") as file:
                        file.write("precious")
                    os.chmod(victim, 0o600)
                    self.trap(kind, database + end, victim)
                    environment = {"PAYTOWER_DB": database}
                    invoice = self.invoice("250sat")
                    sent = self.run_it("send", invoice, "--yes", env=environment, timeout=30)
                    checked = self.expect(DATABASE, "check", env=environment, timeout=30)
                    self.run_it("list", env=environment, timeout=30)
                    if end == ".spool":
                        self.assertEqual(sent.code, 0, sent)  # pays, and warns that there is no place for a preimage
                    else:
                        self.assertEqual(sent.code, DATABASE, sent)
                        self.assertEqual(self.ledger(self.hash_of(invoice)), [])
                    self.assertIn(end, sent.err)
                    self.assertIn("p.db" + end, checked.out + checked.err)
                    with open(victim, encoding="utf-8") as file:
                        self.assertEqual(file.read(), "precious")
                    self.assertEqual(os.stat(victim).st_size, 8)
                    self.assertFalse(os.path.exists(victim + ".none"))

    def test_traps_where_a_database_is_to_be_made(self):
        for end in ("-wal", "-shm", "-journal", ".lock", ".spool"):
            for kind in ("link", "dangling", "fifo", "folder", "hard link"):
                with self.subTest(end=end, kind=kind), tempfile.TemporaryDirectory(dir=self.folder) as folder:
                    database, victim = os.path.join(folder, "p.db"), os.path.join(folder, "victim")
                    with open(victim, "w", encoding="utf-8") as file:
                        file.write("precious")
                    os.chmod(victim, 0o600)
                    self.trap(kind, database + end, victim)
                    invoice = self.invoice("250sat")
                    sent = self.expect(DATABASE, "send", invoice, "--yes", env={"PAYTOWER_DB": database}, timeout=30)
                    self.assertIn(end, sent.err)
                    self.assertEqual(self.ledger(self.hash_of(invoice)), [])
                    with open(victim, encoding="utf-8") as file:
                        self.assertEqual(file.read(), "precious")
                    self.assertFalse(os.path.exists(victim + ".none"))

    def test_a_fresh_copy_checks_clean(self):
        self.ok("send", self.invoice("250sat"), "--yes")
        copy = os.path.join(self.folder, "copy.db")
        self.ok("backup", copy)
        self.ok("check", env={"PAYTOWER_DB": copy})

    def test_a_backup_that_cannot_be_made_names_what_helps(self):
        self.ok("send", self.invoice("250sat"), "--yes")
        copy = os.path.join(self.folder, "copy.db")
        self.ok("backup", copy)
        self.ok("backup", copy + ".2")
        self.assertIn(f"hint: paytower backup {copy}.3\n", self.expect(USAGE, "backup", copy).err)
        away = os.path.join(self.folder, "not", "there")
        self.assertIn(f"hint: mkdir -p {away}\n", self.expect(DATABASE, "backup", os.path.join(away, "copy.db")).err)

    def test_a_backup_goes_nowhere_through_a_link(self):
        self.ok("send", self.invoice("250sat"), "--yes")
        target = os.path.join(self.folder, "target")
        link = os.path.join(self.folder, "copy.db")
        os.symlink(target, link)
        refused = self.run_it("backup", link)
        self.assertEqual(refused.code, USAGE, refused)
        self.assertFalse(os.path.lexists(target))

    @unittest.skipIf(os.geteuid() != 0, "only root can give a file away")
    def test_a_lock_of_somebody_else_is_refused(self):
        self.ok("send", self.invoice("250sat"), "--yes")
        os.chown(self.db + ".lock", NOBODY, NOBODY)
        for command in (["send", self.invoice("250sat"), "--yes"], ["check"]):
            refused = self.expect(DATABASE, *command)
            self.assertIn(".lock", refused.out + refused.err)

    @unittest.skipIf(os.geteuid() != 0, "only root can give a file away")
    def test_a_spool_of_somebody_else_is_named_and_not_used(self):
        self.ok("send", self.invoice("250sat"), "--yes")
        os.chown(self.db + ".spool", NOBODY, NOBODY)
        self.assertIn(".spool", self.ok("send", self.invoice("250sat"), "--yes").err)
        self.assertIn(".spool", self.expect(DATABASE, "check").out)

    @unittest.skipIf(os.geteuid() != 0, "only root can run as another user")
    def test_what_root_makes_beside_somebodys_database_is_that_ones(self):
        self.ok("send", self.invoice("250sat"), "--yes")
        os.unlink(self.db + ".lock")
        os.unlink(self.db + ".spool")
        for path in [self.folder, *(os.path.join(self.folder, name) for name in os.listdir(self.folder))]:
            os.chown(path, NOBODY, NOBODY)
        self.ok("send", self.invoice("250sat"), "--yes")
        self.assertEqual({os.stat(os.path.join(self.folder, name)).st_uid for name in os.listdir(self.folder)}, {NOBODY})
        self.ok("send", self.invoice("250sat"), "--yes", user=NOBODY)


class Words(World):
    def heard(self, *args, **more):
        outcome = self.run_it(*args, **more)
        for text in (outcome.out, outcome.err):
            self.assertIsNone(FORBIDDEN.search(text), (args, text))
        return outcome

    def test_nothing_that_is_printed_has_control_characters(self):
        """Whatever text comes from outside: invoices, labels, names of files, settings and commands, lines of a batch."""
        described = self.ok("simulate", "invoice", "--amt", "250sat", "--description", EVIL.replace("\x00", "")).out.strip()
        evil = EVIL.replace("\x00", "")
        for more in ([], ["--json"], ["-vv"]):
            self.heard("decode", described, *more)
            self.heard("list", "--label", evil, *more)
            self.heard("list", "--status", evil, *more)
            self.heard("show", evil, *more)
            self.heard("send", evil, "--yes", *more)
            self.heard("send", described, "--yes", "--amt", evil, *more)
            self.heard(evil, *more)
            self.heard("list", "--" + evil, *more)
            self.heard("--db", os.path.join(self.folder, evil.replace("/", "")), "list", *more)
            self.heard("--switch", evil, "resume", *more)
            self.heard("--switch", "cln:" + evil, "resume", *more)
            self.heard("--config", evil, "list", *more)
            self.heard("backup", evil, *more)
            self.heard("migrate", "--from-lnd", evil, *more)
            self.heard("send", described, "--yes", "--routes", evil, *more)
            self.heard("config", env={"PAYTOWER_WAIT": evil, "PAYTOWER_DB": evil}, *more)
        self.heard("send", described, "--yes", "--label", evil, "-vv")
        for command in (["list"], ["list", "--format", "csv"], ["list", "--format", "tsv"], ["list", "--format", "ndjson"], ["stats"],
                        ["show", self.hash_of(described)], ["check"]):
            self.heard(*command)
            self.heard(*command, "-vv")

    def test_batches_and_configuration(self):
        batch = "\n".join([json.dumps({"invoice": EVIL, "label": EVIL}), json.dumps({EVIL: 1}), EVIL]) + "\n"
        self.heard("send", "--batch", "-", "--yes", text=batch)
        path = os.path.join(self.folder, "config")
        for line in ("switch = " + EVIL, EVIL.replace("\n", " ") + " = 1", EVIL):
            with open(path, "w", encoding="utf-8") as file:
                file.write(line + "\n")
            self.heard("list", "--config", path, env={"PAYTOWER_CONFIG": path})
            self.heard("config", env={"PAYTOWER_CONFIG": path})


class Secrets(World):
    """The payment secret lets its holder probe the payee, and a preimage proves the payment: neither is in a log or an error."""

    def secret_of(self, invoice):
        database = sqlite3.connect(f"file:{self.db}?mode=ro", uri=True)
        try:
            found = database.execute("SELECT payment_secret FROM payments WHERE payment_hash = ?", (bytes.fromhex(self.hash_of(invoice)),)).fetchone()
        finally:
            database.close()
        return found[0].hex()

    def test_no_payment_secret_in_what_is_printed(self):
        for how in ([], ["--json"]):
            for asked in (["--hold", "forever"], ["--fail", "TEMPORARY_CHANNEL_FAILURE@1"], ["--fail", "INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS"], []):
                invoice = self.invoice("250sat", *asked)
                runs = [self.run_it("send", invoice, "--yes", "--wait", "1s", "-vv", *how), self.run_it("send", invoice, "--yes", *how),
                        self.run_it("show", self.hash_of(invoice), "-vv"), self.run_it("resume", self.hash_of(invoice), "--wait", "1s", "-vv", *how)]
                secret = self.secret_of(invoice)
                self.assertEqual(len(secret), 64)
                for run in runs:
                    self.assertNotIn(secret, run.out + run.err)
                    self.assertNotIn(invoice, run.err)

    def test_a_bad_payment_secret_is_not_repeated(self):
        secret = "5e" * 31 + "zz"
        run = self.run_it("send", "--dest", "02" + "11" * 32, "--payment-hash", "22" * 32, "--payment-secret", secret, "--amt", "1sat", "--yes")
        self.assertEqual(run.code, USAGE)
        self.assertNotIn(secret, run.out + run.err)

    def test_no_preimage_in_a_log(self):
        for how in ([], ["--json"]):
            paid = self.ok("send", self.invoice("250sat"), "--yes", "-vv", *how)
            preimage = re.search(r'preimage"?[ :"]+([0-9a-f]{64})', paid.out).group(1)
            self.assertNotIn(preimage, paid.err)


if __name__ == "__main__":
    unittest.main()
