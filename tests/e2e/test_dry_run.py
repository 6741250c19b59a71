"""Goal: a dry run says what send says, and does nothing. Method: for every state of a hash the dry run and then the send itself, with
the same arguments; behind each dry run the files are what they were, byte for byte, and so are the node's layers and its ledger."""

import fcntl
import hashlib
import json
import os
import sqlite3
import time
import unittest

import harness
from harness import BUSY, DATABASE, FAILED, OK, REFUSED, UNAVAILABLE, UNKNOWN, USAGE
from served import Relayed


class SameAsSend(harness.World):
    """Each test makes one state, and says which exit codes it covers."""

    def files(self):
        """The content of all files of paytower, without the simulated network's. SQLite's shared memory (-shm) is not one of them,
        and a missing log counts as an empty one, because another program may have removed it."""
        found = {}
        for name in sorted(os.listdir(self.folder)):
            path = os.path.join(self.folder, name)
            if name.startswith("network.sim") or name.endswith("-shm") or not os.path.isfile(path):
                continue
            if name.endswith("-wal") and os.path.getsize(path) == 0:
                continue
            with open(path, "rb") as file:
                found[name] = hashlib.sha256(file.read()).hexdigest()
        return found

    def dry(self, code, *args, **more):
        before, ledger = self.files(), self.ledger()
        outcome = self.expect(code, "send", *args, "--dry-run", **more)
        self.assertEqual((self.files(), self.ledger()), (before, ledger))
        return outcome

    def same(self, code, *args, error=None, **more):
        """Checks that --dry-run answers as send does. `error`: the code of a refusal, whose message must be the same too; the hint may
        differ, as nothing was stored."""
        planned = self.dry(code, *args, "--json", **more)
        text = self.dry(code, *args, **more)
        sent = self.expect(code, "send", *args, "--yes", "--json", **more)
        if error:
            self.assertEqual(sent.error()["code"], error)
            self.assertEqual({**planned.error(), "hint": None}, {**sent.error(), "hint": None})
            self.assertEqual(text.out, "")
            if planned.out:
                self.assertEqual((planned.json()["refusal"], planned.json()["exit_code"]), (error, code))
        else:
            self.assertEqual(planned.json()["exit_code"], code)
            self.assertTrue(text.out.endswith(" Nothing was sent or stored.\n"), text)
        return planned, sent

    def both(self, code, idempotent_code, *args, error=None, **more):
        """Checks it without and with --idempotent, which refuses less."""
        self.same(code, *args, error=error, **more)
        self.same(idempotent_code, *args, "--idempotent", error=error if idempotent_code == code else None, **more)

    def in_flight(self, *more):
        invoice = self.invoice("100sat", "--hold", "forever", *more)
        self.expect(UNKNOWN, "send", invoice, "--yes", "--wait", "0")
        return invoice

    def released(self, invoice):
        """Releases what is held, and waits for its end in the network's ledger."""
        self.ok("simulate", "release", self.hash_of(invoice))
        self.wait_until(lambda: not self.held_now(invoice))

    def held_now(self, invoice):
        return any(row["state"] not in ("settled", "failed") for row in self.ledger(self.hash_of(invoice)))

    def by_hand(self, word, invoice):
        switch = self.env.pop("PAYTOWER_SWITCH")
        self.ok("resolve", self.hash_of(invoice), word, "--yes")
        self.env["PAYTOWER_SWITCH"] = switch

    def sql(self, *statement):
        with sqlite3.connect(self.db) as database:
            database.execute(*statement)
        database.close()

    # --- nothing is known of the hash ---

    def test_new(self):
        planned, sent = self.same(OK, self.invoice("300sat"))
        self.assertEqual(sum(route["total_fees_msat"] for route in planned.json()["routes"]), sent.json()["fee_msat"])

    def test_new_and_no_database(self):
        self.dry(OK, self.invoice("300sat"))
        self.assertEqual([name for name in os.listdir(self.folder) if name.startswith("payments.db")], [])

    def test_expired(self):
        invoice = self.invoice("100sat", "--expiry", "1s")
        time.sleep(1.3)
        self.both(USAGE, USAGE, invoice, error="invoice_expired")

    def test_limits(self):
        self.same(USAGE, self.invoice("100sat"), "--cltv-limit", "1", error="usage")
        self.same(USAGE, self.invoice("100sat"), "--amt", "7sat", error="usage")
        self.same(USAGE, self.invoice("any"), error="usage")

    def test_no_route(self):
        self.same(FAILED, self.invoice("1000sat", "--node", "n9"), "--fee-limit", "0sat")
        self.same(FAILED, "--dest", "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798", "--payment-hash", "11" * 32,
                  "--payment-secret", "22" * 32, "--amt", "1000sat")
        self.same(FAILED, self.invoice("100000000sat"))

    def test_to_ourselves(self):
        self.same(USAGE, "--dest", self.own_key(), "--payment-hash", "11" * 32, "--payment-secret", "22" * 32, "--amt", "5sat",
                  error="self_payment")

    def test_routes_of_the_call(self):
        invoice = self.invoice("100sat")
        path = os.path.join(self.folder, "routes.json")
        hops = self.dry(OK, invoice, "--json").json()["routes"][0]["hops"]
        nodes = [self.own_key(), *(hop["pub_key"] for hop in hops)]
        route = [{"id": hop["pub_key"], "channel": hop["scid"], "direction": int(nodes[i] > nodes[i + 1]), "delay": hop["delay"],
                  "amount_msat": hop["amt_to_forward_msat"] + hop["fee_msat"]} for i, hop in enumerate(hops)]
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"route": route}, file)
        self.same(USAGE, self.invoice("200sat"), "--routes", path, error="usage")
        self.same(OK, invoice, "--routes", path)

    # --- the database knows it ---

    def test_paid(self):
        invoice = self.invoice("100sat")
        self.ok("send", invoice, "--yes")
        for _ in ("stored", "deleted"):
            self.both(REFUSED, OK, invoice, error="already_paid")
            self.run_it("delete", self.hash_of(invoice), "--yes")

    def test_paid_with_other_parameters(self):
        invoice = self.invoice("any")
        self.ok("send", invoice, "--yes", "--amt", "50sat")
        self.same(REFUSED, invoice, "--amt", "70sat", error="already_paid")
        self.same(REFUSED, invoice, "--amt", "70sat", "--idempotent", error="parameters_differ")

    def test_in_flight(self):
        self.both(REFUSED, UNKNOWN, self.in_flight(), "--wait", "1s", error="in_flight")

    def test_in_flight_and_settled_at_the_node_since(self):
        invoice = self.in_flight()
        self.released(invoice)
        self.dry(REFUSED, invoice)
        said = self.dry(OK, invoice, "--idempotent")
        self.assertIn("Is paid already", said.out)
        self.same(OK, invoice, "--idempotent")

    def test_in_flight_and_failed_at_the_node_since(self):
        invoice = self.in_flight("--fail", "INCORRECT_OR_UNKNOWN_PAYMENT_DETAILSx1")
        self.released(invoice)
        self.same(FAILED, invoice, "--idempotent")

    def test_in_flight_and_the_node_away(self):
        invoice = self.in_flight()
        for away in ("cln:" + os.path.join(self.folder, "nobody"), "sim:" + os.path.join(self.folder, "nothing.sim"), "sim::memory:"):
            self.both(UNKNOWN, UNKNOWN, invoice, "--wait", "1s", env={"PAYTOWER_SWITCH": away})

    def test_failed(self):
        invoice = self.invoice("100sat", "--fail", "INCORRECT_OR_UNKNOWN_PAYMENT_DETAILSx1")
        self.expect(FAILED, "send", invoice, "--yes")
        self.dry(OK, invoice, "--idempotent")
        self.same(OK, invoice)

    def test_written_off(self):
        invoice = self.in_flight()
        self.by_hand("--write-off", invoice)
        self.both(REFUSED, REFUSED, invoice, error="already_ended")

    def test_marked_as_failed_by_hand(self):
        invoice = self.in_flight()
        self.by_hand("--assume-failed", invoice)
        self.both(REFUSED, REFUSED, invoice, error="in_flight")

    def test_every_guard(self):
        self.ok("send", self.invoice("1sat"), "--yes")
        for kind, error in ((1, "guarded"), (2, "already_paid"), (4, "guarded")):
            for released in (None,) if kind == 2 else (None, 1):
                with self.subTest(kind=kind, released=released):
                    invoice = self.invoice("100sat")
                    self.sql("INSERT INTO hash_guards (payment_hash, kind, since_ns, released_ns) VALUES (?, ?, 1, ?)",
                             (bytes.fromhex(self.hash_of(invoice)), kind, released))
                    if released:
                        self.same(OK, invoice)
                    else:
                        self.both(REFUSED, REFUSED, invoice, error=error)

    def test_the_database_cannot_be_used(self):
        with open(self.db, "wb") as file:
            file.write(b"no database" * 1_000)
        self.same(DATABASE, self.invoice("100sat"), error="database")

    def test_a_row_that_cannot_be_read(self):
        invoice = self.in_flight()
        with sqlite3.connect(self.db) as database:
            (trigger,) = database.execute("SELECT sql FROM sqlite_schema WHERE name = 'attempts_immutable'").fetchone()
            database.execute("DROP TRIGGER attempts_immutable")
            database.execute("UPDATE attempts SET route = x'ffff'")
            database.execute(trigger)
        database.close()
        self.both(DATABASE, DATABASE, invoice, error="database")

    # --- the switch says it ---

    def test_the_node_away(self):
        for away in ("cln:" + os.path.join(self.folder, "nobody"), "sim:" + os.path.join(self.folder, "nothing.sim")):
            self.same(UNAVAILABLE, self.invoice("9sat"), "--wait", "1s", error="switch_unavailable", env={"PAYTOWER_SWITCH": away})
        self.same(USAGE, self.invoice("9sat"), error="usage", env={"PAYTOWER_SWITCH": "sim::memory:"})
        invoice = self.invoice("9sat")
        del self.env["PAYTOWER_SWITCH"]
        before = self.files()
        self.expect(USAGE, "send", invoice, "--dry-run")
        self.expect(USAGE, "send", invoice, "--yes")
        self.assertEqual(self.files(), before)

    def test_another_user_paid(self):
        theirs = os.path.join(self.folder, "network.sim.theirs")
        invoices = [self.invoice("100sat") for _ in range(2)]
        for invoice in invoices:
            self.ok("--db", theirs, "send", invoice, "--yes")
        planned, sent = self.same(REFUSED, invoices[0], error="already_paid")
        # A send stores what the node shows, so that it can be shown; a dry run stores nothing, and sends to the node.
        self.assertEqual(planned.error()["hint"].split()[-3:], ["simulate", "ledger", self.hash_of(invoices[0])])
        self.assertEqual(sent.error()["hint"].split()[-2:], ["show", self.hash_of(invoices[0])])
        self.same(OK, invoices[1], "--idempotent")
        other = self.invoice("any")
        self.ok("--db", theirs, "send", other, "--yes", "--amt", "70sat")
        self.same(REFUSED, other, "--idempotent", "--amt", "50sat", error="parameters_differ")

    def test_another_user_pays(self):
        theirs = os.path.join(self.folder, "network.sim.theirs")
        invoice = self.invoice("100sat", "--hold", "forever")
        self.expect(UNKNOWN, "--db", theirs, "send", invoice, "--yes", "--wait", "0")
        self.both(REFUSED, REFUSED, invoice, error="in_flight")

    def test_an_old_copy(self):
        self.ok("send", self.invoice("5sat"), "--yes")
        copy = os.path.join(self.folder, "network.sim.copy")
        self.ok("backup", copy)
        self.in_flight()
        for name in os.listdir(self.folder):
            if name.startswith("payments.db"):
                os.remove(os.path.join(self.folder, name))
        os.rename(copy, self.db)
        self.same(DATABASE, self.invoice("7sat"), error="database_old_copy")

    # --- another process is at work ---

    def test_what_another_process_drives(self):
        """It does not disturb the other process. Without its lock, all it knows is that the payment is in flight."""
        invoice = self.invoice("100sat", "--hold", "forever")
        process = self.send_in_background(invoice)
        before = self.files()
        for _ in range(3):
            self.assertEqual(self.expect(REFUSED, "send", invoice, "--dry-run", "--json").error()["code"], "in_flight")
            self.expect(UNKNOWN, "send", invoice, "--dry-run", "--idempotent")
        self.assertEqual(self.files(), before)
        self.expect(BUSY, "send", invoice, "--yes")
        self.ok("simulate", "release", self.hash_of(invoice))
        out, _ = process.communicate(timeout=30)
        self.assertEqual(process.returncode, OK, out)
        self.assert_paid_once(self.hash_of(invoice))

    def test_a_lock_is_no_obstacle(self):
        """It takes no lock either: a dry run that hangs keeps nobody from paying."""
        invoice = self.invoice("100sat")
        self.ok("send", self.invoice("1sat"), "--yes")
        with open(self.db + ".lock", "rb+") as lock:
            fcntl.lockf(lock, fcntl.LOCK_EX)
            self.dry(OK, invoice)


class LeavesNothing(Relayed):
    """A dry run leaves nothing at the node, whatever it asks."""

    def test_no_layer_and_no_act(self):
        self.start()
        channel = self.ok("send", self.invoice("100sat"), "--dry-run", "--json").json()["routes"][0]["hops"][0]["scid"]
        for advised in (False, True):
            if advised:  # now with what the store remembers, which needs a layer of its own
                self.ok("send", self.invoice("100sat", "--fail", "TEMPORARY_CHANNEL_FAILURE@1x1"), "--yes")
                self.ok("send", self.invoice("100sat"), "--yes")
            for more in ((), ("--outgoing-chan-id", channel)):
                with self.subTest(advised=advised, more=more):
                    before = self.layers()
                    self.relay.forget()
                    self.ok("send", self.invoice("100sat"), "--dry-run", *more)
                    self.assertEqual(self.layers(), before)
                    asked = self.relay.methods()
                    self.assertEqual(asked.count("askrene-create-layer"), asked.count("askrene-remove-layer"))
                    self.assertEqual(asked.count("askrene-create-layer"), len(more) // 2 + (1 if advised else 0))
                    self.assertEqual([one for one in asked if one in ("sendpay", "waitsendpay", "askrene-listlayers", "delpay")], [])

    def test_a_connection_that_breaks(self):
        """A new connection is made, as with send."""
        self.start("break@getroutes:1")
        self.ok("send", self.invoice("100sat"), "--dry-run")
        self.assertEqual((self.relay.connections, self.relay.methods().count("sendpay")), (2, 0))


if __name__ == "__main__":
    unittest.main()
