"""Goal: every hint helps in the state in which it is printed. Method: payments are brought into every state that the simulated
network can make; in each of them every command runs; each hint that it prints is typed as it stands, and so are the hints of that.
None may end in a usage error or in "not found", none may come back without progress, and none may make a hash payable that was not.
Where a hint can only wait for others, they do their part, and then it has to lead on."""

import itertools
import json
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import unittest

import harness
import legacy
from harness import NOT_FOUND, UNKNOWN, USAGE, World

DEEPEST = 3
FAILING = "INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS"

# $HASH and $INVOICE are those of the state's payment, $COPY is a path that does not exist yet.
COMMANDS = [
    "show $HASH", "show $PREFIX", "show", "show zz", "show " + "cd" * 32, "list", "list --status open", "list --guards", "list --quarantine", "ls --status paid",
    "list --since never", "list --json", "list --search nothing", "label $HASH tea", "label $PREFIX tea", "label " + "cd" * 32 + " tea", "label $HASH",
    "stats", "stats --since never", "check", "config", "config --json", "backup $COPY", "backup payments.db", "decode $INVOICE", "decode lnbc1", "decode",
    "cancel $HASH", "cancel $HASH --dry-run", "cancel $PREFIX", "cancel " + "cd" * 32,
    "resume", "resume $HASH", "resume --no-retry", "resume $PREFIX", "resume " + "cd" * 32, "resume --json", "resume --warn-after 0",
    "resume --node-user nobody-of-this-name",
    "resolve", "resolve $HASH", "resolve $HASH --assume-failed", "resolve $HASH --assume-failed --yes", "resolve $HASH --write-off", "resolve $HASH --write-off --yes",
    "resolve " + "cd" * 32 + " --write-off --yes", "resolve --restored", "resolve --restored --yes",
    "delete", "delete $HASH", "delete $HASH --yes", "delete $HASH --yes --json", "delete $HASH --forget", "delete $HASH --failed-htlcs-only --yes", "delete --all --yes",
    "delete --all --include-non-failed --yes", "delete --all --include-non-failed --older-than 0", "delete --all --dry-run", "delete " + "cd" * 32 + " --yes",
    "send $INVOICE --yes", "send $INVOICE", "send $INVOICE --yes --idempotent", "send $INVOICE --dry-run", "send $INVOICE --yes --amt 1sat", "send $INVOICE --yes --json",
    "send $INVOICE --yes --max-fee 5", "send $INVOICE --yes --on-end", "send $EXPIRED --yes", "send", "send lnbc1 --yes",
    "send --dest $US --payment-hash " + "11" * 32 + " --payment-secret " + "11" * 32 + " --amt 5sat --yes",
    "send --dest $PAYEE --payment-hash $HASH --payment-secret " + "11" * 32 + " --amt 7sat --yes --idempotent",
    "send --batch $BATCH --yes", "send --batch $BATCH", "send --batch $BATCH --dry-run", "send --batch $BATCH --yes --max-total 1msat",
    "send --batch missing.ndjson --yes",
    "migrate", "migrate --status", "migrate --dry-run", "migrate --from-lnd missing.db", "help pay", "help nothing", "help", "pay $INVOICE", "trackpayment $HASH",
    "lsit", "backup", "simulate", "simulate release $HASH", "simulate release " + "cd" * 32, "simulate ledger $HASH", "simulate invoice", "simulate network --out network.sim", "simulate serve", "--version",
]

# Hints that only read, and cannot take a protection away.
READERS = ("show", "list", "config", "check", "stats", "decode", "--version")

# What a person puts in for a word in capitals.
PLACEHOLDERS = {"INVOICE": "$INVOICE", "HASH": "$HASH", "FILE": "missing.json", "CHANNEL_DB": "missing.db", "ADDR": "$SWITCH",
                "1m": "1s"}  # how long another paytower is waited for, which does not end here


class Walk(World):
    totals = {"states": 0, "calls": 0, "messages": set(), "hints": set()}

    def setUp(self):
        super().setUp()
        self.env["PAYTOWER_CONFIG"] = os.path.join(self.folder, "config")
        with open(self.env["PAYTOWER_CONFIG"], "w", encoding="utf-8") as file:
            file.write("wait = 0\n")
        self.text = self.hash = None
        self.others_act = None  # what the world does when a hint can only wait
        self.alive = False      # another process holds the files: nothing is put back

    # --- the states ---

    def use(self, amount="250sat", *more):
        self.text = self.invoice(amount, *more)
        self.hash = self.hash_of(self.text)
        return self.text

    def state_none_by_default(self):
        self.use()
        del self.env["PAYTOWER_DB"]

    def state_none_where_one_is_named(self):
        self.use()

    def state_paid(self):
        self.ok("send", self.use(), "--yes", "--wait", "1m")

    def state_failed(self):
        self.expect(harness.FAILED, "send", self.use("250sat", "--fail", FAILING), "--yes", "--wait", "1m")

    def state_failed_without_a_route(self):
        self.expect(harness.FAILED, "send", self.use("1btc"), "--yes", "--wait", "1m")

    def state_held(self):
        self.expect(UNKNOWN, "send", self.use("250sat", "--hold", "forever"), "--yes", "--wait", "1s")
        self.others_act = lambda: self.run_it("simulate", "release", self.hash)

    def state_held_and_fails_in_the_end(self):
        self.state_held()
        self.others_act = lambda: self.run_it("simulate", "release", self.hash, "--fail", FAILING)

    def state_settled_and_not_collected(self):
        self.state_held()
        self.ok("simulate", "release", self.hash)

    def state_cancelled_while_held(self):
        self.state_held()
        self.expect(UNKNOWN, "cancel", self.hash)

    def state_cancelled_and_ended(self):
        self.state_cancelled_while_held()
        self.ok("simulate", "release", self.hash, "--fail", FAILING)
        self.expect(harness.FAILED, "resume", self.hash, "--wait", "1m")
        self.others_act = None

    def without_switch(self, *args):
        switch = self.env.pop("PAYTOWER_SWITCH")
        self.ok(*args)
        self.env["PAYTOWER_SWITCH"] = switch

    def state_assumed_failed_and_watched(self):
        self.state_held()
        self.without_switch("resolve", self.hash, "--assume-failed", "--yes")

    def state_written_off(self):
        self.state_held()
        self.without_switch("resolve", self.hash, "--write-off", "--yes")

    def state_deleted_with_a_guard(self):
        self.state_paid()
        self.ok("delete", self.hash, "--yes")

    def state_deleted_and_forgotten(self):
        self.state_paid()
        self.ok("delete", self.hash, "--yes", "--forget")

    def state_busy(self):
        self.use("250sat", "--hold", "forever")
        process = self.send_in_background(self.text, "--wait", "forever")
        self.addCleanup(self.kill, process)
        self.alive = True

    def state_other_switch(self):
        self.state_held()
        self.ok("simulate", "network", "--out", os.path.join(self.folder, "other.sim"), "--seed", "8")
        self.env["PAYTOWER_SWITCH"] = "sim:" + os.path.join(self.folder, "other.sim")
        self.others_act = self.right_switch

    def right_switch(self):
        self.env["PAYTOWER_SWITCH"] = "sim:" + self.net
        if self.held(self.hash):
            self.ok("simulate", "release", self.hash)

    def state_switch_away(self):
        self.state_held()
        os.rename(self.net, self.net + ".away")
        self.others_act = self.switch_comes_back

    def state_paid_and_switch_away(self):
        self.state_paid()
        os.rename(self.net, self.net + ".away")

    def switch_comes_back(self):
        if os.path.exists(self.net + ".away"):
            os.rename(self.net + ".away", self.net)
        self.run_it("simulate", "release", self.hash)

    def state_no_switch_named(self):
        self.state_held()
        switch = self.env.pop("PAYTOWER_SWITCH")

        def name_it():
            self.env["PAYTOWER_SWITCH"] = switch
            self.run_it("simulate", "release", self.hash)
        self.others_act = name_it

    def old_schema(self, status, damaged=False):
        self.use()
        proof = legacy.preimage(1)
        self.hash = legacy.payment_hash(proof).hex()
        record = legacy.record(proof)
        legacy.make(self.db, [(1, record[:-5] if damaged else record)], [(bytes.fromhex(self.hash), status)])

    def state_old_schema(self):
        self.old_schema(2)

    def state_imported_and_paid(self):
        self.old_schema(2)
        self.ok("migrate")

    def state_imported_in_flight(self):
        self.old_schema(1)
        self.run_it("migrate")

    def state_imported_and_failed(self):
        self.old_schema(3)
        self.run_it("migrate")

    def state_quarantined(self):
        self.old_schema(2, damaged=True)
        self.expect(12, "migrate")

    def state_newer_schema(self):
        self.state_paid()
        with sqlite3.connect(self.db) as database:
            database.execute("PRAGMA user_version = 99")

    def state_not_a_database(self):
        self.use()
        with open(self.db, "w", encoding="utf-8") as file:
            file.write("nothing of the kind\n" * 100)

    def state_database_is_an_old_copy(self):
        self.state_paid()
        copy = os.path.join(self.folder, "copy.db")
        self.ok("backup", copy)
        self.state_held()
        for name in (self.db, self.db + "-wal", self.db + "-shm"):
            if os.path.exists(name):
                os.remove(name)
        os.rename(copy, self.db)

    def state_node_is_an_old_copy(self):
        self.state_paid()
        shutil.copy(self.net, self.net + ".old")
        self.state_held()
        os.replace(self.net + ".old", self.net)

    def state_config_with_a_mistake(self):
        self.state_paid()
        with open(self.env["PAYTOWER_CONFIG"], "w", encoding="utf-8") as file:
            file.write("wait = 0\nfee-limt = 7sat\n")

    def state_over_the_operators_limit(self):
        self.state_failed()
        with open(self.env["PAYTOWER_CONFIG"], "a", encoding="utf-8") as file:
            file.write("max-amount = 1sat\n")

    def state_held_and_the_address_leads_nowhere(self):
        self.state_held()
        self.env["PAYTOWER_SWITCH"] = "lnd:" + os.path.join(self.folder, "nowhere")
        self.others_act = self.right_switch

    def state_two_hashes_begin_alike(self):
        """Imported, since nobody chooses the hash of a payment."""
        self.use()
        numbers = {}
        for number in itertools.count():
            self.hash = legacy.payment_hash(legacy.preimage(number)).hex()
            if numbers.setdefault(self.hash[:6], number) != number:
                break
        proofs = [legacy.preimage(numbers[self.hash[:6]]), legacy.preimage(number)]
        legacy.make(self.db, list(enumerate(map(legacy.record, proofs), 1)), [(legacy.payment_hash(proof), 2) for proof in proofs])
        self.ok("migrate")

    def state_database_in_the_hands_of_a_shell(self):
        self.state_held()
        with open(self.env["PAYTOWER_CONFIG"], "a", encoding="utf-8") as file:
            file.write("lock-timeout = 0s\n")
        # In a process of its own: whoever copies the file here would drop the locks of this one.
        # pylint: disable=consider-using-with
        shell = subprocess.Popen(["sqlite3", self.db], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.kill, shell)
        shell.stdin.write("BEGIN IMMEDIATE;\n.print held\n")
        shell.stdin.flush()
        self.assertEqual(shell.stdout.readline(), "held\n")
        self.alive = True

    def state_an_empty_variable(self):
        self.state_paid()
        self.env["PAYTOWER_DB"] = ""

    # --- the walk ---

    def words(self, command):
        known = {"$HASH": self.hash, "$PREFIX": self.hash[:6], "$INVOICE": self.text, "$COPY": os.path.join(self.folder, "copy-of-it.db"), "$BATCH": self.batch,
                 "$EXPIRED": self.expired, "$SWITCH": self.file_switch, "$PAYEE": self.payee, "$US": self.us}
        return [known.get(word, word) for word in command]

    def payable(self):
        """Whether a send of the state's hash would send anything; not after a failure that is certain."""
        seen = self.run_it("send", "--dest", self.payee, "--payment-hash", self.hash, "--payment-secret", "11" * 32, "--amt", "250sat", "--dry-run", "--json")
        return seen.code == 0 and bool(seen.json()["route"]) and not self.certainly_failed()

    def certainly_failed(self):
        shown = self.run_it("show", self.hash, "--json")
        return shown.code == 0 and shown.json().get("status") == "FAILED" and shown.json()["definitive"]

    def hints_of(self, outcome):
        """Calls of paytower that a person would copy."""
        text = outcome.out + "\n" + outcome.err
        told = re.findall(r"^hint: (.*)$|^Next: (.*?)(?:, and .*)?$|^  or  (.*)$", text, re.M)
        told = ["".join(parts) for parts in told]
        told += [json.loads(line)["error"]["hint"] or "" for line in outcome.err.splitlines() if line.startswith('{"error"')]
        self.totals["messages"].update(re.sub(r"[0-9a-f]{6,}|\d+", "N", line) for line in outcome.err.splitlines())
        return [hint for hint in told if hint.startswith("paytower ")]

    def follow(self, hint, path, translated=False):
        """Runs one hint, and what it hints at in its turn. `translated`: it is the very call that was typed, in our words, so that it may
        be refused as that would be."""
        self.totals["hints"].add(re.sub(r"[0-9a-f]{64}", "HASH", hint.replace(self.folder, "DIR")))
        self.totals["calls"] += 1
        words = self.words([PLACEHOLDERS.get(word, word) for word in shlex.split(hint)[1:]])
        reads = words[0] in READERS or "--help" in words
        before = reads or self.payable()
        outcome = self.run_it(*words)
        trail = " -> ".join([*path, hint])
        if translated:
            self.assertNotRegex(outcome.err, "unknown (command|option)|unexpected word", trail)
        else:
            self.assertNotIn(outcome.code, (USAGE, NOT_FOUND), f"{trail}\n{outcome}")
        self.assertFalse(not before and self.payable(), f"{trail}: payable now")
        again = self.hints_of(outcome)
        if hint in path + again:
            return self.others_do_their_part(hint, words, trail, outcome)
        for next_hint in again:
            if len(path) < DEEPEST:
                self.follow(next_hint, [*path, hint])

    def others_do_their_part(self, hint, words, trail, outcome):
        if self.alive:
            return
        self.assertIsNotNone(self.others_act, f"{trail}: the same again\n{outcome}")
        self.others_act()
        outcome = self.run_it(*words)
        self.assertNotIn(hint, self.hints_of(outcome), f"{trail}: the same again, though the others did their part\n{outcome}")

    def keep(self):
        self.kept = self.folder + "-kept"
        shutil.copytree(self.folder, self.kept)
        self.addCleanup(shutil.rmtree, self.kept, ignore_errors=True)
        self.kept_env = dict(self.env)

    def put_back(self):
        self.env.clear()
        self.env.update(self.kept_env)
        if self.alive:
            return
        shutil.rmtree(self.folder)
        shutil.copytree(self.kept, self.folder)

    def walk(self, state):
        self.expired = self.invoice("250sat", "--expiry", "1s")
        self.payee, self.us = self.decode(self.expired)["destination"], self.own_key()
        self.batch = os.path.join(self.folder, "batch.ndjson")
        getattr(self, state)()
        with open(self.batch, "w", encoding="utf-8") as file:
            file.write(json.dumps({"invoice": self.text}) + "\n")
        self.totals["states"] += 1
        self.keep()
        for command in COMMANDS:
            if self.alive and command.startswith("simulate release"):
                continue
            with self.subTest(state=state, command=command):
                self.put_back()
                self.totals["calls"] += 1
                outcome = self.run_it(*self.words(command.split()))
                for hint in self.hints_of(outcome):
                    self.follow(hint, [], translated="here it is" in outcome.err)

    @classmethod
    def tearDownClass(cls):
        told = {name: value if isinstance(value, int) else len(value) for name, value in cls.totals.items()}
        print("walked: {states} states, {calls} calls, {messages} messages, {hints} hints".format(**told), flush=True)


class Commands(World):
    def test_every_command_is_walked(self):
        for command in self.ok("help", "--json").json()["commands"]:
            name = command["name"]
            self.assertTrue(any(call == name or call.startswith(name + " ") for call in COMMANDS), name)


for name in [name for name in dir(Walk) if name.startswith("state_")]:
    setattr(Walk, "test_" + name[len("state_"):], lambda self, name=name: self.walk(name))


if __name__ == "__main__":
    unittest.main()
