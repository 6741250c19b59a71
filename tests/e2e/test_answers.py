"""What a call is told about a hash that is known already, whatever else could be said: paid, in flight, marked by hand, somebody else's."""

import csv
import json
import os
import shutil
import subprocess
import time
import unittest

import harness
import terminal
from harness import BUSY, DATABASE, FAILED, OK, REFUSED, UNAVAILABLE, UNKNOWN, USAGE


class Known(harness.World):
    """The database is asked about the hash before anything else is checked that could refuse."""

    def expired_invoice(self, *more):
        invoice = self.invoice("100sat", "--expiry", "5s", *more)
        return invoice, time.monotonic() + 5.3

    def refused(self, code, error, *args, **more):
        outcome = self.expect(code, *args, "--json", **more)
        self.assertEqual(outcome.error()["code"], error)
        return outcome.error()

    def batch(self, code, invoices, *more, **others):
        text = "".join(json.dumps({"invoice": invoice}) + "\n" for invoice in invoices)
        outcome = self.expect(code, "send", "--batch", "-", "--yes", *more, text=text, **others)
        return {result["line"]: result for result in map(json.loads, outcome.out.splitlines())}, outcome.err

    def wait_for(self, moment):
        time.sleep(max(0, moment - time.monotonic()))

    def test_what_has_expired_is_not_called_safe_to_pay(self):
        invoice, over = self.expired_invoice("--fail", "INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS")
        held, _ = self.expired_invoice("--hold", "forever")
        self.assertIn("it is safe to pay again", self.expect(FAILED, "send", invoice, "--yes").out)
        hash_of = {text: self.decode(text)["payment_hash"] for text in (invoice, held)}
        self.assertIn("It may be paid again.", self.ok("show", hash_of[invoice]).out)
        self.expect(UNKNOWN, "send", held, "--yes", "--wait", "1s")
        self.expect(UNKNOWN, "cancel", hash_of[held])
        self.ok("simulate", "release", hash_of[held], "--fail", "TEMPORARY_NODE_FAILURE")
        self.wait_for(over)
        for seen in (self.ok("show", hash_of[invoice]), self.expect(FAILED, "resume", hash_of[held])):
            self.assertIn("The invoice has expired: ask the payee for a new one.", seen.out)
            self.assertNotIn("paid again", seen.out)
            self.assertNotIn("safe to pay", seen.out)

    def test_an_expired_invoice_that_is_in_flight(self):
        invoice, over = self.expired_invoice("--hold", "forever")
        self.expect(UNKNOWN, "send", invoice, "--yes", "--wait", "0")
        self.wait_for(over)
        self.refused(REFUSED, "in_flight", "send", invoice, "--yes")
        self.expect(REFUSED, "send", invoice, "--dry-run")
        self.expect(UNKNOWN, "send", invoice, "--yes", "--idempotent", "--wait", "0")
        self.expect(UNKNOWN, "send", invoice, "--dry-run", "--idempotent")
        results, _ = self.batch(REFUSED, [invoice])
        self.assertEqual(results[1]["error"]["code"], "in_flight")
        process = self.popen("send", invoice, "--yes", "--idempotent", "--json")
        time.sleep(0.3)
        self.ok("simulate", "release", self.hash_of(invoice))
        out, _ = process.communicate(timeout=30)
        self.assertEqual((process.returncode, json.loads(out)["joined"], json.loads(out)["paid_before"]), (OK, True, False))
        self.assertEqual(len(self.ledger(self.hash_of(invoice))), 1)

    def test_an_expired_invoice_that_is_paid(self):
        invoice, over = self.expired_invoice()
        payment_hash = self.hash_of(invoice)
        preimage = self.ok("send", invoice, "--yes", "--json").json()["payment_preimage"]
        self.wait_for(over)
        for step in ("stored", "deleted"):
            with self.subTest(step):
                self.assertEqual(self.refused(REFUSED, "already_paid", "send", invoice, "--yes")["payment_hash"], payment_hash)
                self.expect(REFUSED, "send", invoice, "--dry-run")
                again = self.ok("send", invoice, "--yes", "--idempotent", "--json").json()
                self.assertEqual((again["payment_preimage"], again["paid_before"]), (preimage, True))
                self.ok("send", invoice, "--dry-run", "--idempotent")
                results, err = self.batch(OK, [invoice], "--idempotent")
                self.assertEqual((results[1]["payment"]["payment_preimage"], results[1]["paid_before"]), (preimage, True))
                self.assertIn("1 line: 1 paid before", err)
            self.run_it("delete", payment_hash, "--yes")
        fresh = self.invoice("100sat", "--expiry", "1s")
        time.sleep(1.3)
        self.refused(USAGE, "invoice_expired", "send", fresh, "--yes")

    def test_limits_come_after_the_database(self):
        invoice = self.invoice("100sat")
        self.ok("send", invoice, "--yes")
        for limits in (["--cltv-limit", "1"], ["--amt", "7sat"]):
            self.refused(REFUSED, "already_paid", "send", invoice, "--yes", *limits)
            self.refused(USAGE, "usage", "send", self.invoice("100sat"), "--yes", *limits)
        open_amount = self.invoice("any")
        self.ok("send", open_amount, "--yes", "--amt", "50sat")
        self.refused(REFUSED, "already_paid", "send", open_amount, "--yes")
        self.refused(REFUSED, "parameters_differ", "send", open_amount, "--yes", "--idempotent")

    def test_a_switch_that_is_away(self):
        flying, paid = self.invoice("100sat", "--hold", "forever"), self.invoice("100sat")
        self.expect(UNKNOWN, "send", flying, "--yes", "--wait", "0")
        self.ok("send", paid, "--yes")
        for away in ("cln:" + os.path.join(self.folder, "nobody"), "sim:" + os.path.join(self.folder, "nothing.sim")):
            env = {"PAYTOWER_SWITCH": away}
            outcome = self.expect(UNKNOWN, "send", flying, "--yes", "--json", env=env)
            self.assertEqual(outcome.json()["status"], "IN_FLIGHT")
            self.expect(UNKNOWN, "send", flying, "--dry-run", env=env)
            self.expect(UNKNOWN, "send", flying, "--yes", "--idempotent", "--wait", "1s", env=env)
            self.refused(REFUSED, "already_paid", "send", paid, "--yes", env=env)
            self.ok("send", paid, "--yes", "--idempotent", env=env)
            self.expect(UNAVAILABLE, "send", self.invoice("9sat"), "--yes", env=env)
            results, err = self.batch(UNKNOWN, [flying, paid, self.invoice("9sat"), "lnbc1nonsense"], "--idempotent", env=env)
            self.assertEqual({line: result["exit_code"] for line, result in results.items()}, {1: 4, 2: 0, 3: 7, 4: 2})
            self.assertIn("4 lines: 1 paid before, 1 in flight, 1 refused, 1 not begun", err)

    def test_an_address_that_leads_nowhere(self):
        """A new hash: a bad call. A known hash: its status is still shown."""
        flying, paid = self.invoice("100sat", "--hold", "forever"), self.invoice("100sat")
        self.expect(UNKNOWN, "send", flying, "--yes", "--wait", "0")
        self.ok("send", paid, "--yes")
        env = {"PAYTOWER_SWITCH": "sim::memory:"}
        outcome = self.expect(UNKNOWN, "send", flying, "--yes", "--json", env=env)
        self.assertEqual(outcome.json()["status"], "IN_FLIGHT")
        self.assertIn("is not a file name", outcome.err)
        self.expect(UNKNOWN, "send", flying, "--dry-run", env=env)
        self.expect(UNKNOWN, "send", flying, "--yes", "--idempotent", "--wait", "1s", env=env)
        self.refused(REFUSED, "already_paid", "send", paid, "--yes", env=env)
        self.refused(USAGE, "usage", "send", self.invoice("9sat"), "--yes", env=env)
        for address in ("sim::memory:", "sim:nowhere", "lnd:nowhere/"):
            nowhere = {"PAYTOWER_SWITCH": address}
            outcome = self.expect(UNKNOWN, "resume", self.hash_of(flying), env=nowhere)
            self.assertRegex(outcome.err, "warning: the node cannot be asked: .*\nhint: paytower config\n")
            self.assertIn("Do not pay again", outcome.out)
            self.ok("resume", self.hash_of(paid), env=nowhere)
            self.expect(UNKNOWN, "cancel", self.hash_of(flying), env=nowhere)
        self.assertTrue(self.ok("show", self.hash_of(flying), "--json").json()["cancel_requested"])
        results, _ = self.batch(UNKNOWN, [flying, paid, self.invoice("9sat")], "--idempotent", env=env)
        self.assertEqual({line: result["exit_code"] for line, result in results.items()}, {1: 4, 2: 0, 3: 2})

    def test_a_simulated_network_that_is_not_there(self):
        path = os.path.join(self.folder, "n.sim")
        for place, made in ((path, harness.OK), ("/nowhere/n.sim", UNAVAILABLE)):
            named = ["--switch", "sim:" + place]
            for call in (["simulate", "ledger"], ["simulate", "invoice", "--amt", "1sat"], ["send", self.invoice("100sat"), "--yes"]):
                self.assertEqual(self.expect(UNAVAILABLE, *named, *call).err,
                                 f"paytower: there is no simulated network {place}\nhint: paytower {' '.join(named)} simulate network --out {place}\n")
            outcome = self.expect(made, "simulate", "network", "--out", place)
        self.assertEqual(outcome.err, "paytower: the folder of /nowhere/n.sim does not exist\nhint: mkdir -p /nowhere/\n")

    def test_no_switch_named(self):
        invoice = self.invoice("100sat")
        self.ok("send", invoice, "--yes")
        del self.env["PAYTOWER_SWITCH"]
        self.refused(REFUSED, "already_paid", "send", invoice, "--yes")
        self.ok("send", invoice, "--yes", "--idempotent")


class Joined(harness.World):
    """--idempotent joins what somebody else has begun, and begins nothing of its own then."""

    def test_the_joined_try_fails(self):
        invoice = self.invoice("100sat", "--hold", "2s", "--fail", "INCORRECT_OR_UNKNOWN_PAYMENT_DETAILSx1")
        payment_hash = self.hash_of(invoice)
        first = self.popen("send", invoice, "--yes")
        self.wait_until(lambda: self.ledger(payment_hash))
        second = self.popen("send", invoice, "--yes", "--idempotent", "--json")
        self.assertIn("safe to pay again", first.communicate(timeout=30)[0])
        out, _ = second.communicate(timeout=30)
        self.assertEqual((first.returncode, second.returncode), (FAILED, FAILED))
        self.assertTrue(json.loads(out)["joined"])
        self.assertEqual(len(self.ledger(payment_hash)), 1)

    def test_a_hash_twice_in_a_batch(self):
        line = json.dumps({"invoice": self.invoice("100sat", "--hold", "1s", "--fail", "INCORRECT_OR_UNKNOWN_PAYMENT_DETAILSx1")}) + "\n"
        outcome = self.expect(FAILED, "send", "--batch", "-", "--yes", "--idempotent", text=line * 2)
        self.assertEqual([json.loads(result)["joined"] for result in outcome.out.splitlines()], [False, True])
        self.assertEqual(len(self.ledger()), 1)


class OtherUsers(harness.World):
    """Another user of the same node is another database on the same network."""

    def setUp(self):
        super().setUp()
        self.theirs = os.path.join(self.folder, "theirs.db")

    def test_who_paid_it(self):
        plain, again = self.invoice("100sat"), self.invoice("100sat")
        for invoice in (plain, again):
            self.ok("--db", self.theirs, "send", invoice, "--yes")
        for _ in range(2):
            self.assertEqual(self.expect(REFUSED, "send", plain, "--yes", "--json").error()["code"], "already_paid")
            outcome = self.ok("send", again, "--yes", "--idempotent", "--json")
            self.assertTrue(outcome.json()["paid_before"])
            self.assertEqual(outcome.json()["htlcs"][0]["origin"], "foreign")
            self.assertIn("another user of this node paid this hash", outcome.err)
        self.assertEqual(len(self.ledger(self.hash_of(again))), 1)

    def test_they_paid_another_amount(self):
        invoice = self.invoice("any")
        self.ok("--db", self.theirs, "send", invoice, "--yes", "--amt", "70sat")
        for _ in range(2):
            outcome = self.expect(REFUSED, "send", invoice, "--yes", "--idempotent", "--amt", "50sat", "--json")
            self.assertEqual(outcome.error()["code"], "parameters_differ")

    def test_their_htlc_is_in_flight(self):
        invoice = self.invoice("100sat", "--hold", "forever")
        payment_hash = self.hash_of(invoice)
        self.expect(UNKNOWN, "--db", self.theirs, "send", invoice, "--yes", "--wait", "0")
        outcome = self.expect(REFUSED, "send", invoice, "--yes")
        self.assertIn("another user of the node", outcome.err)
        self.assertNotIn("paytower resume", outcome.err)  # resume knows of no such payment
        self.assertIn(payment_hash, outcome.err)
        hint = outcome.err.split("hint: ")[1].split()
        if hint[0] == "paytower":
            self.ok(*hint[1:])


class FullDisk(harness.World):
    """Where there is no room, every command says that room is needed, and where."""

    def setUp(self):
        super().setUp()
        self.disk = os.path.join(self.folder, "disk")
        os.mkdir(self.disk)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", self.disk], check=False, stderr=subprocess.DEVNULL).returncode:
            self.skipTest("only root can make a small disk")
        self.addCleanup(subprocess.run, ["umount", "-l", self.disk], check=True)
        self.env["PAYTOWER_DB"] = os.path.join(self.disk, "payments.db")

    def fill(self):
        with open(os.path.join(self.disk, "fill"), "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(1024))
            except OSError:
                pass

    def empty(self):
        os.unlink(os.path.join(self.disk, "fill"))

    def full(self, *args, then="run the same again"):
        outcome = self.expect(DATABASE, *args)
        self.assertEqual(outcome.err.splitlines()[-1], f"hint: df -h {self.disk}  # make room there, then {then}", args)
        return outcome

    def test_what_was_paid_is_known_and_the_way_out_is_named(self):
        paid, held, new = (self.invoice("100sat", *how) for how in ([], ["--hold", "forever"], []))
        self.ok("send", paid, "--yes")
        self.expect(UNKNOWN, "send", held, "--yes", "--wait", "0")
        payment_hash = self.hash_of(held)
        self.fill()
        self.assertIn("already paid", self.expect(REFUSED, "send", paid, "--yes").err)
        self.assertIn("already in flight", self.expect(REFUSED, "send", held, "--yes").err)
        self.full("send", new, "--yes")
        self.ok("simulate", "release", payment_hash)
        self.assertIn("paid, but the database could not store it", self.full("resume", payment_hash).err)
        for call in (["send", held, "--yes"], ["send", new, "--yes"], ["resume", payment_hash], ["label", payment_hash, "text"], ["cancel", held]):
            self.assertIn(f"payment {payment_hash} is paid, its preimage stays in {self.disk}/payments.db.spool: ", self.full(*call).err)
        self.full("backup", os.path.join(self.disk, "copy.db"))
        self.full("--db", os.path.join(self.disk, "new.db"), "send", self.invoice("100sat"), "--yes")
        self.empty()
        self.assertIn("stored now", self.ok("resume", payment_hash).err)
        self.assert_paid_once(payment_hash)

    def test_without_its_log_and_without_its_index(self):
        invoice = self.invoice("100sat")
        self.ok("send", invoice, "--yes")
        subprocess.run(["sqlite3", self.env["PAYTOWER_DB"], "PRAGMA wal_checkpoint(TRUNCATE)"], check=True, stdout=subprocess.DEVNULL)
        self.fill()
        for call in (["list"], ["resume"], ["send", invoice, "--yes"]):
            self.full(*call)
        self.empty()
        self.ok("list")

    def test_a_new_database_that_the_disk_has_no_room_for(self):
        self.fill()
        with open(os.path.join(self.disk, "fill"), "r+b") as file:
            file.truncate(os.path.getsize(file.name) - 40 * 1024)  # the spool alone needs more
        self.assertIn("No space left on device", self.full("send", self.invoice("100sat"), "--yes").err)

    def test_a_payment_that_gets_its_htlc_is_resumed(self):
        invoice = self.invoice("100sat", "--hold", "3s")
        process = self.send_in_background(invoice)
        self.fill()
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, DATABASE, err)
        self.assertIn("an HTLC that this call has sent may be in flight", err)
        self.assertEqual(err.splitlines()[-1], f"hint: df -h {self.disk}  # make room there, then paytower resume")
        self.empty()
        self.ok("resume")
        self.assert_paid_once(self.hash_of(invoice))


class MarkedByHand(harness.World):
    """`resolve --assume-failed` is a decision by hand; every command keeps saying that the node has not confirmed it."""

    def test_while_the_node_still_works_on_it(self):
        invoice = self.invoice("100sat", "--hold", "forever")
        payment_hash = self.hash_of(invoice)
        self.expect(UNKNOWN, "send", invoice, "--yes", "--wait", "0")
        refused = self.expect(REFUSED, "resolve", payment_hash, "--assume-failed", "--yes")  # the node contradicts
        self.assertIn("paytower resume " + payment_hash, refused.err)
        switch = self.env.pop("PAYTOWER_SWITCH")
        said = self.ok("resolve", payment_hash, "--assume-failed", "--yes")
        self.env["PAYTOWER_SWITCH"] = switch
        self.assertIn("NOT confirmed", said.out)
        shown = self.ok("show", payment_hash).out
        self.assertIn("NOT confirmed: if its HTLC settles, you have paid", shown)
        self.assertNotIn("It may be paid again", shown)
        for columns in (200, 80, 40):
            self.assertRegex(terminal.run(self, "list", columns=columns).text, r"\bFAILED, not confirmed\b")
        self.assertEqual(self.ok("list").out.split("\t")[2], "FAILED")
        row, = csv.DictReader(self.ok("list", "--format", "csv").out.splitlines())
        self.assertEqual((row["status"], row["definitive"]), ("FAILED", "false"))
        for quiet in ([], ["--quiet"]):
            outcome = self.expect(UNKNOWN, "resume", *quiet)
            self.assertIn("NOT confirmed", outcome.err)
            self.assertIn("NOT confirmed", self.expect(UNKNOWN, "resume", payment_hash, *quiet).err)
        self.assertIn("1 marked as failed by hand and still in flight", self.expect(UNKNOWN, "resume").out)
        self.assertEqual(self.expect(UNKNOWN, "resume", "--json").json()["assumed_failed_in_flight"], 1)
        self.assertEqual(self.ok("stats", "--json").json()["assumed_failed"], 1)
        self.assertIn("Marked failed by hand 1", self.ok("stats").out)
        self.assertIn("paytower_payments_assumed_failed 1", self.ok("stats", "--format", "prom").out)
        again = self.expect(REFUSED, "send", invoice, "--yes")
        self.assertIn("marked as failed by hand", again.err)
        self.assertIn("paytower resume " + payment_hash, again.err)
        self.ok("simulate", "release", payment_hash)
        self.ok("resume")
        self.assert_paid_once(payment_hash)
        self.assertNotIn("confirmed", terminal.run(self, "list").text)
        self.assertEqual(self.ok("stats", "--json").json()["assumed_failed"], 0)

    def test_a_new_try_says_what_the_word_may_cost(self):
        word, batch = (self.invoice("100sat", "--hold", "forever") for _ in range(2))
        for invoice in (word, batch):
            payment_hash = self.hash_of(invoice)
            self.expect(UNKNOWN, "send", invoice, "--yes", "--wait", "0")
            switch = self.env.pop("PAYTOWER_SWITCH")
            self.ok("resolve", payment_hash, "--assume-failed", "--yes")
            self.env["PAYTOWER_SWITCH"] = switch
            self.assertEqual(self.ok("show", payment_hash, "--json").json()["overpayment_msat"], 0)
            self.ok("simulate", "release", payment_hash, "--fail", "TEMPORARY_NODE_FAILURE")
        cost = "if its HTLC settles as well, the payee gets up to 100 sat too much"
        self.assertIn(cost, self.run_it("send", word, "--yes", "--wait", "0").err)
        path = os.path.join(self.folder, "batch.jsonl")
        with open(path, "w", encoding="utf-8") as file:
            file.write(json.dumps({"invoice": batch}) + "\n" + json.dumps({"invoice": self.invoice("5sat")}) + "\n")
        self.assertEqual(self.run_it("send", "--batch", path, "--yes", "--wait", "1s").err.count("the payee gets up to"), 1)
        payment_hash = self.hash_of(word)
        self.assertIn("Warning: an attempt was marked as failed by hand, NOT confirmed: " + cost, self.ok("show", payment_hash).out)
        self.assertEqual(self.ok("show", payment_hash, "--json").json()["overpayment_msat"], 100_000)
        self.run_it("resume", "--wait", "1s")  # the node says that it failed
        self.assertEqual(self.ok("show", payment_hash, "--json").json()["overpayment_msat"], 0)
        self.assertNotIn("too much", self.ok("show", payment_hash).out)

    def test_with_the_node_gone(self):
        invoice = self.invoice("100sat", "--hold", "forever")
        payment_hash = self.hash_of(invoice)
        self.expect(UNKNOWN, "send", invoice, "--yes", "--wait", "0")
        gone = {"PAYTOWER_SWITCH": "cln:" + os.path.join(self.folder, "nobody")}
        outcome = self.ok("resolve", payment_hash, "--write-off", "--yes", env=gone)
        self.assertIn("your decision is stored without its answer", outcome.err)
        self.assertEqual(self.ok("show", payment_hash, "--json").json()["status"], "UNKNOWN")


class NextSteps(harness.World):
    """The next step that an answer names never takes protection away, and leads out of every dead end."""

    def test_a_deleted_payment(self):
        invoice = self.invoice("100sat")
        self.ok("send", invoice, "--yes")
        self.ok("delete", self.hash_of(invoice), "--yes")
        shown = self.ok("show", self.hash_of(invoice)).out
        self.assertIn("the hash stays blocked", shown)
        for verb in ("--forget", "--write-off", "--assume-failed", "Next:"):
            self.assertNotIn(verb, shown)


class OldCopy(harness.World):
    """R12: every command that asks the switch notices that the database was restored from a backup."""

    def test_every_command_that_asks_the_switch(self):
        settled = self.invoice("5sat")
        self.ok("send", settled, "--yes")
        copy = os.path.join(self.folder, "copy.db")
        self.ok("backup", copy)
        lost = self.invoice("100sat", "--hold", "forever")
        self.expect(UNKNOWN, "send", lost, "--yes", "--wait", "0")
        for name in os.listdir(self.folder):
            if name.startswith("payments.db"):
                os.remove(os.path.join(self.folder, name))
        shutil.move(copy, self.db)
        other = self.invoice("7sat")
        line = json.dumps({"invoice": other}) + "\n"
        for args, more in (
            (["send", other, "--yes"], {}),
            (["send", other, "--dry-run"], {}),
            (["send", "--batch", "-", "--yes"], {"text": line}),
            (["resume"], {}),
            (["resume", "--quiet"], {}),
        ):
            outcome = self.expect(DATABASE, *args, **more)
            self.assertIn("that the database does not have", outcome.err)
            self.assertIn("paytower resolve --restored", outcome.err)
        self.ok("list")
        self.ok("check")
        self.assertEqual(self.ledger(self.hash_of(other)), [])
        self.ok("resolve", "--restored", "--yes")
        self.ok("send", other, "--yes")
        self.expect(UNKNOWN, "resume", "--wait", "0")
        self.ok("simulate", "release", self.hash_of(lost))
        self.ok("resume")
        self.assert_paid_once(self.hash_of(lost))

    def test_nothing_open_and_the_node_away(self):
        self.ok("send", self.invoice("5sat"), "--yes")
        outcome = self.ok("resume", "--quiet", env={"PAYTOWER_SWITCH": "cln:" + os.path.join(self.folder, "nobody")})
        self.assertEqual((outcome.out, outcome.err), ("", ""))


class Quiet(harness.World):
    def test_another_paytower_is_at_work(self):
        process = self.send_in_background(self.invoice("100sat", "--hold", "forever"))
        outcome = self.expect(BUSY, "resume", "--quiet")
        self.assertEqual((outcome.out, outcome.err), ("", ""))
        self.assertNotEqual(self.expect(BUSY, "resume").err, "")
        process.terminate()
        process.communicate(timeout=30)


if __name__ == "__main__":
    unittest.main()
