"""Goal: whoever else uses the node, whatever it forgets, and whoever sits in between, the payment is made at most once and is
called paid or failed only when it is. Method: as test_faults, with the network's own ledger as the judge."""

import itertools
import json
import os
import signal
import socket
import subprocess
import threading
import time
import unittest

import harness
from listener import Listener, hang_up, received
from served import Served
from test_serve import Client

# Every Nth case is tried. All of them take a quarter of an hour.
STEP = int(os.environ.get("PAYTOWER_FAULT_STEP", "1"))
ACTS = ("pay", "hold", "fail", "complete")
FAILS_ONCE = ("--fail", "temporary_channel_failure@1x1")


class Forwarder(Listener):
    """A program between paytower and the node, such as socat: it accepts everything at once, and may pass it on later."""

    def __init__(self, path, node):
        self.node = node
        self.holding = False                 # keeps what it was given, even when its client has gone
        self.kept = []
        super().__init__(path)

    def talk(self, client):
        node = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            node.connect(self.node)
        except OSError:
            node.close()
            client.close()
            return
        back = threading.Thread(target=self.copy, args=(node, client), daemon=True)
        back.start()
        while block := received(client):
            if self.holding:
                self.kept.append(block)
            elif not self.put(node, block):
                break
        hang_up(node)
        hang_up(client)
        back.join()
        node.close()
        client.close()

    def copy(self, node, client):
        while (block := received(node)) and self.put(client, block):
            pass
        hang_up(client)

    def deliver(self):
        """Passes on what was kept, to the run of the node that listens by now."""
        self.holding = False
        late = Client(self.node)
        for block in self.kept:
            late.socket.sendall(block)
        self.kept = []
        return late

    @staticmethod
    def put(end, block):
        try:
            end.sendall(block)
            return True
        except OSError:
            return False


class NodeUsers(Served):
    def rpc(self, method, params):
        client = Client(self.socket)
        try:
            return client.result(method, params)
        finally:
            client.close()

    def settle_unseen(self, payment_hash):
        """Ends the hold while no paytower runs, and waits until the money has gone."""
        self.ok("simulate", "release", payment_hash)
        self.wait_until(lambda: all(row["state"] != "held" for row in self.ledger(payment_hash)))

    def send_and_die(self, invoice):
        self.kill(self.send_in_background(invoice))


class AnotherUser(NodeUsers):
    """Another user of the node pays the same hash, or tries to."""

    def test_another_user_between_our_failure_and_our_next_try(self):
        occasions = ["end:1", "end:2", "getroutes:2", "after-getroutes:2", "sendpay:2", "after-sendpay:1", "after-sendpay:2"]
        for method, most in (("listsendpays", 6), ("wait", 12), ("waitsendpay", 3), ("listhtlcs", 2), ("listchannelmoves", 2)):
            occasions += [f"{after}{method}:{n}" for n in range(1, most + 1) for after in ("", "after-")]
        for occasion, act in list(itertools.product(occasions, ACTS))[::STEP]:
            fault = f"foreign-{act}@{occasion}"
            with self.subTest(fault=fault):
                invoice = self.invoice("100sat", *FAILS_ONCE)
                payment_hash = self.hash_of(invoice)
                self.start(fault)
                self.step("send", invoice, "--yes", "--wait", "1s")
                if act == "hold":
                    self.step("resume", "--wait", "1s")
                    self.judge(payment_hash, fault)
                    self.run_it("simulate", "release", payment_hash)
                self.heal_and_judge(payment_hash, fault)
                self.assertNotEqual(self.run_it("send", invoice, "--yes", "--wait", "2s").code, harness.INTERNAL)
                self.judge(payment_hash, fault)
        self.report("another user")

    def test_another_user_pays_while_a_look_is_under_way(self):
        """The rows were read before the payment, the money movements after it. That must not look like a lost preimage."""
        for place, act in itertools.product(("after-listsendpays:1", "listhtlcs:1", "after-listhtlcs:1", "listchannelmoves:1"), ("complete", "pay")):
            with self.subTest(place=place, act=act):
                invoice = self.invoice("100sat", *FAILS_ONCE, "--hold", "1s")
                payment_hash = self.hash_of(invoice)
                self.start()
                self.send_and_die(invoice)
                self.wait_until(lambda: [row["state"] for row in self.ledger(payment_hash)] == ["failed"])
                self.start(f"foreign-{act}@{place}")
                self.step("resume", "--wait", "6s")
                self.assertEqual(self.judge(payment_hash, place), "SUCCEEDED")
        self.report("looks")

    def test_a_hand_over_that_is_refused_for_anothers_payment_has_failed(self):
        """Nobody has written another copy of it (R3), so it is not left open beside the other's success."""
        invoice = self.invoice("100sat")
        self.start("foreign-pay@sendpay:1")
        self.ok("send", invoice, "--yes")
        payment = self.assert_paid_once(self.hash_of(invoice))
        self.assertEqual([(htlc["origin"], htlc["status"]) for htlc in payment["htlcs"]], [("own", "FAILED"), ("foreign", "SUCCEEDED")])
        self.assertEqual(payment["htlcs"][0]["failure"]["code"], "LOCAL_REFUSAL")

    def test_an_attempt_beside_anothers_payment_is_closed_by_the_operators_word(self):
        """Its answer is lost. As long as the node has the other user's complete record, it refuses our fence: only `resolve` ends our
        attempt (R17)."""
        for word in ("--assume-failed", "--write-off"):
            for named in (True, False):
                with self.subTest(word=word, named=named):
                    invoice = self.invoice("100sat")
                    payment_hash = self.hash_of(invoice)
                    self.start("foreign-pay@sendpay:1,close=0@sendpay:1")
                    self.step("send", invoice, "--yes", "--wait", "2s")
                    self.step("resume", "--wait", "2s")
                    own = [htlc for htlc in self.assert_paid_once(payment_hash)["htlcs"] if htlc["origin"] == "own"]
                    self.assertEqual([htlc["status"] for htlc in own], ["IN_FLIGHT"])
                    if not named:
                        del self.env["PAYTOWER_SWITCH"]
                    self.ok("resolve", payment_hash, word, "--yes")
                    own = [htlc for htlc in self.assert_paid_once(payment_hash)["htlcs"] if htlc["origin"] == "own"]
                    self.assertNotEqual([htlc["status"] for htlc in own], ["IN_FLIGHT"])
                    self.expect(harness.REFUSED, "resolve", payment_hash, word, "--yes")
                    self.env["PAYTOWER_SWITCH"] = self.switch
                    self.expect(harness.REFUSED, "send", invoice, "--yes")
                    self.ok("resume")
                    self.assert_paid_once(payment_hash)

    def test_two_unrelated_databases_pay_one_invoice(self):
        other = {"PAYTOWER_DB": os.path.join(self.folder, "other.db")}
        self.start()
        for more in [(), FAILS_ONCE, ("--hold", "100ms")] * 3:
            invoice = self.invoice("100sat", *more)
            payment_hash = self.hash_of(invoice)
            both = [self.popen("send", invoice, "--yes", env=env) for env in ({}, other)]
            outcomes = [(process.communicate(timeout=60), process.returncode)[1] for process in both]
            self.assertTrue(set(outcomes) <= {harness.OK, harness.REFUSED}, outcomes)
            self.assertIn(harness.OK, outcomes)
            self.assertEqual([row["state"] for row in self.ledger(payment_hash)].count("settled"), 1)


class TwoDatabases(NodeUsers):
    """An old copy of the database is used beside the original."""

    def judge_both(self, invoice, copy, what):
        """Judges the HTLCs of both databases together. A database that said FAILED was right: none of its own attempts paid, and it
        does not pay again what the other one has paid since."""
        payment_hash = self.hash_of(invoice)
        own, amount = set(), 0
        for env in ({}, copy):
            self.step("send", invoice, "--yes", "--wait", "2s", env=env)
            shown = self.run_it("show", payment_hash, "--json", env=env)
            if shown.code != harness.OK:
                continue
            payment = shown.json()
            mine = self.own_ids(payment)
            own |= mine
            amount = payment["value_msat"]
            states = [row["state"] for row in self.ledger(payment_hash) if row["attempt_id"] in mine]
            if payment["status"] == "SUCCEEDED":
                self.assertIn("settled", [row["state"] for row in self.ledger(payment_hash)], what)
            if payment["status"] == "FAILED":
                self.assertFalse({"settled", "held"} & set(states), (what, states))
            self.assertNotEqual(payment["status"], "UNKNOWN", what)
            self.seen[payment["status"]] = self.seen.get(payment["status"], 0) + 1
        self.judge_ledger(self.ledger(payment_hash), own, what, amount)
        self.assertLessEqual(sum(row["amt_msat"] for row in self.ledger(payment_hash) if row["state"] == "settled"), amount, what)

    def both(self, copy, first, second=None):
        """Runs a command in both databases at once: the same one, or one each."""
        processes = [self.popen(*first), self.popen(*(second or first), env=copy)]
        for process in processes:
            out, err = process.communicate(timeout=60)
            self.assertNotIn(process.returncode, (harness.INTERNAL, harness.USAGE), out + err)
            self.assertGreaterEqual(process.returncode, 0, out + err)

    def test_a_stale_copy_notices_what_it_does_not_know(self):
        self.start()
        self.ok("send", self.invoice("100sat"), "--yes")
        copy = self.second_database()
        paid, failed, open_one = self.invoice("100sat"), self.invoice("100sat", "--fail", "incorrect_or_unknown_payment_details"), self.invoice("100sat", "--hold", "forever")
        self.ok("send", paid, "--yes")
        self.expect(harness.FAILED, "send", failed, "--yes")
        self.expect(harness.UNKNOWN, "send", open_one, "--yes", "--wait", "1s")
        for invoice in (paid, failed, open_one):
            refused = self.expect(harness.DATABASE, "send", invoice, "--yes", env=copy)
            self.assertIn("old backup", refused.err)
        self.ok("resolve", "--restored", "--yes", env=copy)
        self.expect(harness.REFUSED, "send", paid, "--yes", env=copy)
        self.expect(harness.REFUSED, "send", open_one, "--yes", env=copy)
        self.settle_unseen(self.hash_of(open_one))
        for env in ({}, copy):
            self.ok("resume", env=env)
            for invoice in (paid, open_one):
                self.assertEqual(self.ok("show", self.hash_of(invoice), "--json", env=env).json()["status"], "SUCCEEDED")
        for invoice in (paid, open_one):
            self.assertEqual([row["state"] for row in self.ledger(self.hash_of(invoice))], ["settled"])

    def test_both_databases_drive_one_open_payment(self):
        for faults, more in [(None, ()), ("ignore@sendpay:1", ()), ("drop-reply@sendpay:1", ()), ("unread=1s@sendpay:1", ()), ("hold=1s@sendpay:1", ()),
                             ("after-break", FAILS_ONCE), ("ignore@sendpay:1", FAILS_ONCE), ("restart@after-sendpay:1", FAILS_ONCE)]:
            with self.subTest(faults=faults, more=more):
                invoice = self.invoice("100sat", *more, "--hold", "100ms")
                self.start("break@after-sendpay:1" if faults == "after-break" else faults)
                self.step("send", invoice, "--yes", "--wait", "300ms")
                copy = self.second_database()
                self.both(copy, ["resume", "--wait", "4s"])
                self.both(copy, ["resume", "--wait", "4s"])
                self.judge_both(invoice, copy, str(faults))
        self.report("two databases")

    def test_one_database_gives_up_what_the_other_goes_on_with(self):
        for moment in range(0, 12, max(1, STEP // 2)):
            with self.subTest(moment=moment):
                invoice = self.invoice("100sat")
                payment_hash = self.hash_of(invoice)
                self.start("ignore@sendpay:1" if moment % 2 else f"unread={100 * moment}ms@sendpay:1" if moment else None)
                self.step("send", invoice, "--yes", "--wait", "200ms")
                copy = self.second_database()
                self.run_it("cancel", payment_hash)
                self.both(copy, ["resume", "--wait", "4s"])
                self.both(copy, ["resume", "--wait", "4s"])
                self.judge_both(invoice, copy, f"cancel {moment}")
        self.report("given up in one database")

    def test_copies_made_while_a_send_is_on_its_way(self):
        for moment in range(0, 20, max(1, STEP // 2)):
            with self.subTest(moment=moment):
                invoice = self.invoice("100sat", *FAILS_ONCE, "--hold", "50ms")
                self.start()
                # Each time a new database: if both sent the payment again, each would rightly take the other's attempts for those of a
                # copy.
                self.env["PAYTOWER_DB"] = os.path.join(self.folder, f"moment-{moment}.db")
                self.ok("send", self.invoice("100sat"), "--yes")  # the database is made
                client = self.popen("send", invoice, "--yes")
                try:
                    client.wait(0.01 * moment)
                except subprocess.TimeoutExpired:
                    pass
                copy = self.second_database()
                if moment % 2:
                    self.kill(client)
                else:
                    client.communicate(timeout=60)
                self.both(copy, ["resume", "--wait", "4s"])
                self.both(copy, ["send", invoice, "--yes", "--wait", "4s"])
                self.judge_both(invoice, copy, f"copy {moment}")
        self.report("copies of a send under way")


class ForgetfulNode(NodeUsers):
    """A node that forgets records."""

    def test_settled_then_erased(self):
        """The node forgets one row, the whole hash, or, in a restart, the HTLCs too."""
        for what, older in itertools.product(("row", "hash", "everything"), (None, "without=listchannelmoves", "without=listchannelmoves+listhtlcs")):
            with self.subTest(what=what, older=older):
                invoice = self.invoice("100sat", "--hold", "forever")
                payment_hash = self.hash_of(invoice)
                self.start(older)
                self.send_and_die(invoice)
                group = self.ok("show", payment_hash, "--json").json()["htlcs"][0]["attempt_id"]
                self.settle_unseen(payment_hash)
                if what == "everything":
                    self.start("forget-all@help:1" + (f",{older}" if older else ""))
                    self.rpc("help", [])
                else:
                    one = {"partid": 1, "groupid": int(group)} if what == "row" else {}
                    self.rpc("delpay", {"payment_hash": payment_hash, "status": "complete", **one})
                for _ in range(2):
                    self.step("resume", "--wait", "1s")
                    status = self.judge(payment_hash, what, erased=True)
                self.assertEqual(status, "UNKNOWN" if older is None else "IN_FLIGHT")
                self.assertIn(self.run_it("send", invoice, "--yes", "--wait", "1s").code, (harness.REFUSED, harness.UNKNOWN))
                # cancel does not make it payable either.
                self.run_it("cancel", payment_hash)
                self.step("resume", "--wait", "2s")
                self.assertEqual(self.judge(payment_hash, what, erased=True), status)
                self.assertEqual([row["state"] for row in self.ledger(payment_hash)], ["settled"])

    def test_a_restart_that_forgets_all_results(self):
        occasions = [f"{after}{method}:{n}" for method, most in (("listsendpays", 2), ("waitsendpay", 1), ("listhtlcs", 1), ("sendpay", 1), ("end", 1))
                     for n in range(1, most + 1) for after in ("", "after-")]
        for fault, more in list(itertools.product(("forget-all", "forget"), ((), FAILS_ONCE, ("--hold", "300ms"))))[::max(1, STEP // 3)]:
            for occasion in occasions[::max(1, STEP // 3)]:
                spec = f"{fault}@{occasion},restart@{occasion}"
                if occasion.startswith(("end", "after-end")):
                    spec = f"{fault}@{occasion}"
                with self.subTest(spec=spec, more=more):
                    invoice = self.invoice("100sat", *more)
                    self.start(spec)
                    self.step("send", invoice, "--yes", "--wait", "2s")
                    self.heal_and_judge(self.hash_of(invoice), spec, erased=True)
        self.report("forgotten")

    def pay_before_the_fault(self, name, faults):
        """Pays once, with a new database each time, because the node's counters have changed. A payment that needs a second HTLC meets
        the fault itself, and is then told the truth."""
        for n in range(4):
            self.db = self.env["PAYTOWER_DB"] = os.path.join(self.folder, f"{name}.{n}.db")
            self.start(faults)
            invoice = self.invoice("100sat")
            first = self.run_it("send", invoice, "--yes")
            if first.code == harness.OK:
                return
            # An HTLC of before has ended first, and the fault undoes the end of this one: a copy that is exactly as old as the first mark
            # of a database cannot be told from the node itself.
            if first.code == harness.FAILED and [row["state"] for row in self.ledger(self.hash_of(invoice))] == ["settled", "failed"]:
                continue
            self.assertEqual(first.code, harness.DATABASE, first)
            self.assertIn("old backup", first.err)
        self.fail("each payment needs a second HTLC")

    def test_a_node_from_an_older_copy_of_itself(self):
        occasions = ["after-sendpay:2", "waitsendpay:2", "after-waitsendpay:2", "end:2", "fence:1", "after-fence:1"]
        for occasion in occasions:
            with self.subTest(occasion=occasion):
                self.pay_before_the_fault(occasion, f"save=old@getinfo:1,restore=old@{occasion}" + (",ignore@sendpay:2" if "fence" in occasion else ""))
                invoice = self.invoice("100sat", "--hold", "200ms")
                self.step("send", invoice, "--yes", "--wait", "2s", *(["--timeout", "1s"] if "fence" in occasion else []))
                payment_hash = self.hash_of(invoice)
                for _ in range(2):
                    self.step("resume", "--wait", "2s")
                    self.judge(payment_hash, f"restore@{occasion}")
                if self.ok("show", payment_hash, "--json").json()["status"] == "IN_FLIGHT":
                    refused = self.expect(harness.DATABASE, "resume", "--wait", "1s")
                    self.assertIn("old backup", refused.err)
                    self.assertLessEqual(len(self.ledger(payment_hash)), 1)
        self.report("restored")


class OddNode(NodeUsers):
    """Nodes and payees that behave oddly."""

    def test_a_hostile_payee(self):
        occasions = ("sendpay:1", "after-sendpay:1", "waitsendpay:1", "after-waitsendpay:1", "listhtlcs:1")
        for behaviour, occasion in list(itertools.product(("settles-twice", "wrong-preimage", "no-preimage"), occasions))[::max(1, STEP // 3)]:
            fault = f"{behaviour}@{occasion}"
            with self.subTest(fault=fault):
                invoice = self.invoice("100sat", "--hold", "200ms")
                payment_hash = self.hash_of(invoice)
                self.start(fault + ",drop-reply@sendpay:1")
                self.step("send", invoice, "--yes", "--wait", "2s")
                status = self.heal_and_judge(payment_hash, fault, wait="1s")
                if behaviour != "settles-twice" and occasion in ("sendpay:1", "after-sendpay:1"):
                    self.assertEqual(status, "IN_FLIGHT")
                self.assertIn(self.run_it("send", invoice, "--yes").code, (harness.REFUSED, harness.UNKNOWN))
                self.assertLessEqual(len(self.ledger(payment_hash)), 1)
        self.report("hostile payees")

    def test_a_lagging_height(self):
        for lag in (1, 144, 10_000_000):
            with self.subTest(lag=lag):
                invoice = self.invoice("100sat")
                self.start(f"lag={lag}")
                self.ok("send", invoice, "--yes")
                self.assert_paid_once(self.hash_of(invoice))
                lost = self.invoice("100sat")
                self.start(f"lag={lag},drop-reply@sendpay:1,break@waitsendpay:1")
                self.step("send", lost, "--yes", "--wait", "1s")
                self.heal_and_judge(self.hash_of(lost), f"lag={lag}")
                self.assert_paid_once(self.hash_of(lost))

    def test_an_older_node(self):
        olders = ("without=listchannelmoves", "without=listhtlcs", "without=listchannelmoves+listhtlcs", "without=wait+listchannelmoves")
        faults = ("ignore@sendpay:1", "drop-reply@sendpay:1", "break@after-sendpay:1", "die@sendpay:1", "die@after-sendpay:1", "restart@waitsendpay:1",
                  "unread=1s@sendpay:1", "forget@end:1", "orphan@sendpay:1", "foreign-pay@sendpay:1", "error=200@after-sendpay:1", "hold=1s@sendpay:1")
        for older, fault in list(itertools.product(olders, faults))[::max(1, STEP // 3)]:
            with self.subTest(older=older, fault=fault):
                invoice = self.invoice("100sat")
                payment_hash = self.hash_of(invoice)
                self.start(f"{older},{fault}")
                self.step("send", invoice, "--yes", "--wait", "1s")
                for _ in range(2):
                    self.start(older)
                    self.step("resume", "--wait", "2s")
                status = self.judge(payment_hash, fault, erased="forget" in fault)
                # If the node has a record of it, or shows its HTLC, the list of money movements is not needed.
                if older == "without=listchannelmoves" and "orphan" not in fault and "forget" not in fault:
                    self.assertEqual(status, "SUCCEEDED")
        self.report("older nodes")

    def test_a_newer_node_without_getroute(self):
        for more, fault in (((), ""), (FAILS_ONCE, ""), (("--fail", "temporary_channel_failure@0x1"), ""), ((), ",error=-1@getroutes:1"),
                            (FAILS_ONCE, ",error=-1@askrene-disable-node,error=-1@askrene-update-channel"), ((), ",break@getroutes:1")):
            with self.subTest(more=more, fault=fault):
                invoice = self.invoice("100sat", *more)
                self.start("without=getroute" + fault)
                forget = ("--no-memory", "--max-parts", "1") if "askrene" in fault else ()  # advice, or smaller parts, would avoid the failing channel
                outcome = self.step("send", invoice, "--yes", "--wait", "10s", *forget)
                # Excluded channels are not used, even if the node ignores the exclusions.
                self.assertEqual(outcome.code, harness.FAILED if "askrene" in fault else harness.OK, outcome)
                self.judge(self.hash_of(invoice), fault)
        self.report("getroutes")


class Forwarded(NodeUsers):
    """A forwarder between paytower and the node."""

    def test_a_forwarder_in_between(self):
        path = os.path.join(self.folder, "forwarded")
        for fault in (None, "lightningd", "drop-reply@sendpay:1", "break@after-sendpay:1", "restart@after-sendpay:1", "die@sendpay:1", "orphan@sendpay:1"):
            with self.subTest(fault=fault):
                invoice = self.invoice("100sat")
                self.start(fault)
                forwarder = Forwarder(path, self.socket)
                self.switch = self.env["PAYTOWER_SWITCH"] = "cln:" + path
                self.step("send", invoice, "--yes", "--wait", "1s")
                self.start()
                self.switch = self.env["PAYTOWER_SWITCH"] = "cln:" + path
                self.step("resume", "--wait", "4s")
                self.step("resume", "--wait", "4s")
                self.judge(self.hash_of(invoice), str(fault))
                forwarder.close()
                os.unlink(path)
        self.report("forwarded")

    def test_a_forwarder_whose_connections_outlive_the_node(self):
        for fault in ("restart@sendpay:1", "restart@after-sendpay:1", "refuse=1s@sendpay:1", "refuse=1s@after-sendpay:1", "restart@listsendpays:1",
                      "restart@getroute:1", "refuse=1s@getinfo:1"):
            with self.subTest(fault=fault):
                invoice = self.invoice("100sat")
                self.start(f"forwarder,{fault}")
                self.step("send", invoice, "--yes", "--wait", "3s")
                status = self.heal_and_judge(self.hash_of(invoice), fault)
                self.assertIn(status, ("SUCCEEDED", None))
        self.report("behind a forwarder")

    def test_a_forwarder_that_keeps_a_request_over_a_restart_of_the_node(self):
        """Behind a forwarder a restart of the node proves nothing: the old request reaches the new run."""
        path = os.path.join(self.folder, "forwarded")
        for give_up in (False, True):
            with self.subTest(give_up=give_up):
                invoice = self.invoice("100sat")
                self.start("lightningd")
                forwarder = Forwarder(path, self.socket)
                self.switch = self.env["PAYTOWER_SWITCH"] = "cln:" + path
                client = self.popen("send", invoice, "--yes", "--wait", "3s", *(["--timeout", "1s"] if give_up else []))
                self.wait_until(lambda: self.attempts(invoice) == 1)
                forwarder.holding = True
                client.communicate(timeout=60)
                self.kill_server()
                self.start("lightningd")
                forwarder.holding = False
                self.step("resume", "--wait", "4s")
                late = forwarder.deliver()
                asked = late.ask("getinfo")
                while late.read()["id"] != asked:  # questions that were kept may be answered first
                    pass
                late.close()
                self.step("resume", "--wait", "4s")
                self.judge(self.hash_of(invoice), "kept")
                forwarder.close()
                os.unlink(path)

    def attempts(self, invoice):
        shown = self.run_it("show", self.hash_of(invoice), "--json")
        return len(json.loads(shown.out)["htlcs"]) if shown.code == harness.OK else 0


class Orphans(NodeUsers):
    """The node was killed after it wrote a record and before it made the HTLC."""

    def test_an_orphan_is_proven_by_another_run_of_the_node(self):
        invoice = self.invoice("100sat")
        payment_hash = self.hash_of(invoice)
        self.start("lightningd,orphan@sendpay:1,die@after-sendpay:1")
        self.expect(harness.UNKNOWN, "send", invoice, "--yes", "--wait", "2s")
        self.server.communicate()
        self.server = None
        self.start("lightningd")
        self.expect(harness.UNKNOWN, "resume", "--wait", "3s")  # one look proves nothing
        self.assertEqual(self.ok("show", payment_hash, "--json").json()["htlcs"][0]["status"], "IN_FLIGHT")
        proven = self.expect(harness.UNKNOWN, "resume")  # like a cron job
        self.assertIn("this record never ends", proven.err)
        self.assertIn("its record of that one never ends", self.ok("show", payment_hash).out)
        payment = self.ok("show", payment_hash, "--json").json()
        self.assertEqual([htlc["status"] for htlc in payment["htlcs"]], ["FAILED"])
        self.assertEqual(payment["status"], "IN_FLIGHT")  # the node shows the row for ever
        self.assertEqual(self.ledger(payment_hash), [])
        self.expect(harness.REFUSED, "send", invoice, "--yes")
        # R17: `resolve` works with the node named too, and says what still blocks the hash there; its hints do not lead in a circle.
        said = self.ok("resolve", payment_hash, "--assume-failed", "--yes")
        self.assertIn("asked again in 60 s", said.err)
        self.assertIn("refuses every payment of the hash", said.err)
        again = self.expect(harness.REFUSED, "send", invoice, "--yes")
        self.assertIn("for which it never made an HTLC", again.err)
        self.assertNotIn("paytower resume", again.err)
        self.assertEqual(self.ledger(payment_hash), [])

    def test_the_operators_word_on_an_orphan_that_is_still_open(self):
        invoice = self.invoice("100sat")
        payment_hash = self.hash_of(invoice)
        self.start("lightningd,orphan@sendpay:1")
        self.expect(harness.UNKNOWN, "send", invoice, "--yes", "--wait", "1s")
        said = self.ok("resolve", payment_hash, "--assume-failed", "--yes")
        self.assertIn("NOT confirmed", said.out)
        self.assertIn("refuses every payment of the hash", said.err)
        self.assertIn("NOT confirmed", self.expect(harness.UNKNOWN, "resume", "--quiet").err)
        # The node lists it and shows no HTLC of it: it is not called at work on one. A new try does not ask for HTLCs.
        for call in (("resume",), ("resume", payment_hash)):
            self.assertIn("the node still lists it as pending, but shows no HTLC of it: if it settles after all, you have paid",
                          self.expect(harness.UNKNOWN, *call).err)
        self.assertIn("the node still lists it as pending: if it settles, you have paid", self.expect(harness.REFUSED, "send", invoice, "--yes").err)

    def test_ctrl_c_between_the_looks_of_a_decision_stores_nothing(self):
        """At the second look, with a node that does not answer; the wait before it ends with Ctrl-C at once."""
        invoice = self.invoice("100sat")
        payment_hash = self.hash_of(invoice)
        self.start("lightningd,orphan@sendpay:1")
        self.expect(harness.UNKNOWN, "send", invoice, "--yes", "--wait", "1s")
        decided = self.popen("resolve", payment_hash, "--assume-failed", "--yes", stderr=subprocess.PIPE)
        self.addCleanup(decided.kill)
        self.assertIn("asked again in 60 s", decided.stderr.readline())
        self.server.send_signal(signal.SIGSTOP)
        try:
            time.sleep(61)
            decided.send_signal(signal.SIGINT)
            _, told = decided.communicate(timeout=20)
        finally:
            self.server.send_signal(signal.SIGCONT)
        self.assertIn("interrupted; nothing was sent and nothing was recorded", told)
        self.assertNotIn("decision is stored", told)
        self.assertEqual(decided.returncode, 130)
        self.assertEqual(self.ok("show", payment_hash, "--json").json()["htlcs"][0]["status"], "IN_FLIGHT")


class Answers(NodeUsers):
    """Answers that cannot be used."""

    def test_a_first_answer_that_cannot_be_read_is_asked_for_again(self):
        for fault in ("garbage", "close=20", "break", "error=-1", "deep=10000"):
            with self.subTest(fault=fault):
                invoice = self.invoice("100sat")
                self.start(f"{fault}@getinfo:1")
                self.ok("send", invoice, "--yes", "--wait", "20s")
                self.assert_paid_once(self.hash_of(invoice))
        self.start("garbage@getinfo")
        lost = self.expect(harness.UNAVAILABLE, "send", self.invoice("100sat"), "--yes", "--wait", "2s")
        self.assertIn("nothing was done", lost.err)
        self.expect(harness.UNAVAILABLE, "send", self.invoice("100sat"), "--yes", "--timeout", "1s")


class Kills(NodeUsers):
    """kill -9."""

    def test_a_server_killed_at_every_request(self):
        methods = (("getinfo", 1), ("wait", 10), ("listsendpays", 5), ("getroute", 2), ("sendpay", 2), ("waitsendpay", 3), ("listhtlcs", 2), ("listchannelmoves", 2))
        faults = [f"die@{after}{method}:{n}" for method, most in methods for n in range(1, most + 1) for after in ("", "after-")]
        for fault in faults[::max(1, STEP // 2)]:
            with self.subTest(fault=fault):
                invoice = self.invoice("100sat", *FAILS_ONCE)
                self.start(fault)
                self.step("send", invoice, "--yes", "--wait", "1s")
                status = self.heal_and_judge(self.hash_of(invoice), fault)
                self.assertIn(status, ("SUCCEEDED", None))
        self.report("server killed")

    def test_clients_killed_at_any_moment_of_a_retry(self):
        for moment in range(0, 60, STEP):
            with self.subTest(moment=moment):
                invoice = self.invoice("100sat", *FAILS_ONCE, "--hold", "30ms")
                self.start()
                client = self.popen("send", invoice, "--yes")
                try:
                    client.wait(0.004 * moment)
                except subprocess.TimeoutExpired:
                    pass
                self.kill(client)
                status = self.heal_and_judge(self.hash_of(invoice), "kill")
                self.assertIn(status, ("SUCCEEDED", None))
        self.report("client killed")


if __name__ == "__main__":
    unittest.main()
