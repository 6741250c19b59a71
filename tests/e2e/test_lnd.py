"""Goal: with an lnd as its switch paytower pays once or never, says no more than is known, and ends whatever can end, also where lnd, the
network and paytower itself are lost, killed or frozen at any step. Method: the program against doubles of lnd (tests/lndnode) as they were
measured; their ledgers are the judge. A hand-over's 40 seconds pass by the double's clock."""

import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import time
import unittest

import harness
from beside_lnd import LEFT, LONG, PATIENCE, SEND, TRACK, BesideLnd

import invoice as bolt11  # of tests/lndnode

LANES = [f"L{n}" for n in range(3)]
IN_LANES = {
    "network": "regtest", "height": 400, "own": "A", "nodes": {name: {} for name in ("A", "P", *LANES)},
    "channels": [{"id": f"{410 + n}x{side}x0", "between": list(ends), "capacity": 1_000_000, "balances": [950_000, 50_000]}
                 for n, lane in enumerate(LANES) for side, ends in enumerate((("A", lane), (lane, "P")), 1)],
}
WHOLE = 2_000_000_000  # msat: more than two of the lanes carry


class Ways(BesideLnd):
    """What a user meets if lnd has no trouble."""

    def test_paid_and_never_again(self):
        invoice, payment_hash = self.made()
        paid = self.ok("send", invoice, "--yes", "--json").json()
        self.assertEqual((paid["status"], paid["fee_msat"], len(paid["htlcs"])), ("SUCCEEDED", 1000, 1))
        self.assertEqual(hashlib.sha256(bytes.fromhex(paid["payment_preimage"])).hexdigest(), payment_hash)
        self.expect(harness.REFUSED, "send", invoice, "--yes")
        self.ok("send", invoice, "--yes", "--idempotent")
        self.assert_paid(payment_hash, 50_000, 1)

    def test_a_dry_run_does_nothing(self):
        invoice, payment_hash = self.made()
        self.ok("send", invoice, "--dry-run")
        self.assertEqual((self.htlcs(payment_hash), self.peer("payments")["payments"]), ([], []))
        self.assertFalse(os.path.exists(self.db))

    def test_held_and_settled_late(self):
        invoice, payment_hash = self.made(hold=True)
        self.wait_until(lambda: self.run_it("send", invoice, "--yes", *LONG, "--wait", "0").code == harness.UNKNOWN)
        self.assertEqual(self.states(payment_hash), ["held"])
        self.expect(harness.UNKNOWN, "resume", payment_hash, "--wait", "2s")
        self.expect(harness.REFUSED, "send", invoice, "--yes")
        waiting = self.popen("resume", payment_hash)
        self.wait_until(lambda: waiting.poll() is None)
        self.peer("settle", hash=payment_hash)
        self.assertEqual(waiting.wait(20), harness.OK)
        waiting.communicate()
        self.assert_paid(payment_hash, 50_000, 1)

    def test_given_back_by_its_payee(self):
        invoice, payment_hash = self.send_held()
        self.peer("cancel", hash=payment_hash)
        self.expect(harness.FAILED, "resume", payment_hash)
        self.assertEqual(self.judge(payment_hash, 50_000), "FAILED")
        self.assertEqual(self.peer("payments")["payments"][0]["status"], "FAILED")

    def test_failed_on_the_way_and_tried_on_another(self):
        invoice, payment_hash = self.made(amount_msat=5_000_000)
        self.peer("balance", chan="361x1x0", node="B", msat=0)
        paid = self.ok("send", invoice, "--yes", "--json").json()
        self.assertEqual([htlc["status"] for htlc in paid["htlcs"]], ["FAILED", "SUCCEEDED"])
        self.assertEqual([len(htlc["route"]["hops"]) for htlc in paid["htlcs"]], [2, 3])
        self.assert_paid(payment_hash, 5_000_000, 2)

    def test_no_way_is_left(self):
        invoice, payment_hash = self.made()
        for chan in ("361x1x0", "359x1x0"):
            self.peer("balance", chan=chan, node="B", msat=0)
        self.expect(harness.FAILED, "send", invoice, "--yes")
        self.assertEqual(self.judge(payment_hash, 50_000), "FAILED")

    def test_what_lnd_remembers_fails_no_payment(self):
        for start in ("B", "C"):
            self.peer("dislike", start=start, end="D")
        for amount, more, questions in ((15_000, (), 2), (15_000, ("--no-memory",), 1), (19_999_000, (), 2), (50_000_000, (), 4)):
            with self.subTest(amount, more=more):
                invoice, payment_hash = self.made(amount_msat=amount)
                before = self.questions()
                self.ok("send", invoice, "--yes", *more)
                self.assertEqual(self.questions() - before, questions)
                self.assert_paid(payment_hash, amount, 1)

    def test_an_lnd_that_starts_has_not_said_that_there_is_no_route(self):
        for status, code, message in ((500, 2, "wallet locked, unlock it to enable full RPC access"),
                                      (500, 2, "the RPC server is in the process of starting up, but not yet ready to accept calls")):
            invoice, payment_hash = self.made()
            faults = [self.fault(do="status", path="/v1/graph/routes", nth=n + 1, status=status, code=code, message=message) for n in range(3)]
            self.ok("send", invoice, "--yes")
            for fault in faults:
                self.peer("disarm", fault=fault)
            self.assert_paid(payment_hash, 50_000, 1)

    def questions(self):
        return len(self.peer("requests", path="/v1/graph/routes")["requests"])

    def test_a_batch_of_thirty(self):
        made = [self.made(amount_msat=1_000 * (n + 1)) for n in range(30)]
        lines = "".join(json.dumps({"invoice": invoice}) + "\n" for invoice, _ in made)
        for _ in range(2):
            rows = self.ok("send", "--batch", "-", "--yes", "--idempotent", text=lines).out.splitlines()
            self.assertEqual([json.loads(row)["payment"]["status"] for row in rows], ["SUCCEEDED"] * 30)
        ledger = self.peer("ledger")["ledger"]
        self.assertEqual(sorted(row["hash"] for row in ledger), sorted(payment_hash for _, payment_hash in made))
        self.assertEqual({row["state"] for row in ledger}, {"settled"})

    def test_what_lnd_cannot_do_is_refused(self):
        tiny, tiny_hash = self.made(amount_msat=1)
        for how in ("--yes", "--dry-run"):
            self.expect(harness.USAGE, "send", tiny, how)
            self.expect(harness.USAGE, "send", self.with_metadata(), how)
        self.expect(harness.USAGE, "send", self.made(node="A")[0], "--yes")
        self.assertEqual((self.htlcs(tiny_hash), self.peer("payments")["payments"]), ([], []))
        two, two_hash = self.made(amount_msat=2)
        self.peer("policy", chan="358x1x0", node="A", min=1)
        self.peer("policy", chan="361x1x0", node="B", min=1)
        self.ok("send", two, "--yes")
        self.assert_paid(two_hash, 2, 1)

    def with_metadata(self):
        """An invoice whose payee wants its metadata back."""
        secret, real = hashlib.sha256(b"lndnode:D").digest(), bolt11.number
        metadata = bolt11.tagged("m", bolt11.words_of(b"\x01\xfa\xfa\xf0"))
        try:
            bolt11.number = lambda value, *size: real(value, *size) + (metadata if size else [])
            return bolt11.encode("regtest", secret, os.urandom(32), os.urandom(32), 50_000, int(time.time()))
        finally:
            bolt11.number = real

    def test_cancel(self):
        invoice, payment_hash = self.send_held()
        self.expect(harness.UNKNOWN, "cancel", payment_hash)
        self.peer("settle", hash=payment_hash)
        self.ok("resume", payment_hash)
        self.assert_paid(payment_hash, 50_000, 1)

    def test_cancel_ends_what_was_lost(self):
        invoice, payment_hash = self.send_lost()
        self.expect(harness.UNKNOWN, "cancel", payment_hash)
        self.expect(harness.UNKNOWN, "resume", payment_hash, "--wait", "1s")
        self.pass_time()
        self.expect(harness.FAILED, "resume", payment_hash)
        self.assertEqual((self.judge(payment_hash, 50_000), self.states(payment_hash)), ("FAILED", []))

    def test_a_folder_names_it_all(self):
        with open(os.path.join(self.peer.folder, "lnd.conf"), "w", encoding="utf-8") as file:
            file.write(f"[Application Options]\nrestlisten=127.0.0.1:{self.peer.port}\n")
        for name in ("PAYTOWER_TLS_CERT", "PAYTOWER_MACAROON"):
            del self.env[name]
        self.env["PAYTOWER_SWITCH"] = "lnd:" + self.peer.folder
        invoice, payment_hash = self.made()
        self.ok("send", invoice, "--yes")
        self.assertEqual(self.htlcs(payment_hash)[0]["user"]["root_key"], "7")  # the root key of paytower.macaroon, not of admin.macaroon

    def test_a_new_certificate_is_read(self):
        self.peer("restart", certificate=True)
        invoice, payment_hash = self.made()
        self.ok("send", invoice, "--yes")
        self.assert_paid(payment_hash, 50_000, 1)

    def test_both_stores_say_the_same(self):
        self.use(self.lnd("--store", "sql"))
        invoice, payment_hash = self.made()
        self.ok("send", invoice, "--yes")
        _, held_hash = self.send_held()
        self.peer("cancel", hash=held_hash)
        self.expect(harness.FAILED, "resume", held_hash)
        self.assert_paid(payment_hash, 50_000, 1)

    def test_secrets_stay_inside(self):
        """No macaroon, payment secret or invoice is in the output, the log, or the command line."""
        invoice, payment_hash = self.made(hold=True)
        with open(self.env["PAYTOWER_MACAROON"], "rb") as file:
            macaroon = file.read()
        process = self.popen("-vv", "send", "-", "--yes", stdin=subprocess.PIPE)
        process.stdin.write(invoice)
        process.stdin.close()
        self.wait_for(payment_hash, "held")
        with open(f"/proc/{process.pid}/cmdline", "rb") as file:
            seen = file.read().decode()
        self.peer("settle", hash=payment_hash)
        seen += process.stdout.read() + process.stderr.read()
        self.assertEqual(process.wait(20), harness.OK)
        process.stdout.close()
        process.stderr.close()
        self.assertIn("attempt_registered", seen)
        secret = self.decode(invoice)["payment_secret"] if "payment_secret" in self.decode(invoice) else None
        for word in filter(None, (macaroon.hex(), macaroon.hex().upper(), invoice, secret, macaroon[-32:].hex())):
            self.assertNotIn(word, seen)


class Parts(BesideLnd):
    """Payments in parts, over more than one channel."""

    def setUp(self):
        super().setUp()
        self.use(self.lnd("--mpp-timeout", "4", network=IN_LANES))

    def hold(self):
        invoice, payment_hash = self.made(amount_msat=WHOLE, node="P", hold=True)
        self.send_until(invoice, hash=payment_hash, state="held", count=3)
        self.assertEqual(sum(row["amount_msat"] for row in self.htlcs(payment_hash)), WHOLE)
        return payment_hash

    def refused(self, invoice, *more):
        """Why this payment fails, in words and as JSON."""
        said = self.expect(harness.FAILED, "send", invoice, "--yes", *more).out
        return said, self.expect(harness.FAILED, "send", invoice, "--yes", "--json", *more).json()["failure_detail"]

    def test_more_parts_than_may_be_open(self):
        invoice, payment_hash = self.made(amount_msat=WHOLE, node="P")
        said, detail = self.refused(invoice, "--max-parts", "2")
        self.assertRegex(said, "^Not paid: the amount goes through in 5 parts, and --max-parts allows 2. Nothing is in flight")
        self.assertEqual(detail["code"], "more_parts")
        self.assertEqual(self.htlcs(payment_hash), [])
        self.ok("send", invoice, "--yes", "--wait", "90s")  # as it was said
        self.assert_paid(payment_hash, WHOLE, 5)

    def test_one_part_where_the_network_wants_more(self):
        """Our channel holds enough, and each of two ways behind it carries less than the amount."""
        half = {"capacity": 3_000_000, "balances": [2_900_000, 100_000]}
        self.use(self.lnd(network={"network": "regtest", "height": 400, "own": "A", "nodes": {name: {} for name in "ABCP"}, "channels": [
            {"id": "410x1x0", "between": ["A", "B"], "capacity": 9_000_000, "balances": [8_000_000, 1_000_000]},
            {"id": "411x1x0", "between": ["B", "P"], **half}, {"id": "412x1x0", "between": ["B", "C"], **half},
            {"id": "413x1x0", "between": ["C", "P"], **half}]}))
        invoice, payment_hash = self.made(amount_msat=4_000_000_000, node="P")
        said, detail = self.refused(invoice, "--max-parts", "1")
        self.assertRegex(said, "^Not paid: no single channel or path carries 4,000,000 sat in one part, and --max-parts allows 1; together our channels "
                         "can send 7,910,000 sat. Nothing is in flight")
        self.assertEqual(detail["code"], "amount_in_one_part")
        self.assertEqual(self.htlcs(payment_hash), [])
        self.ok("send", invoice, "--yes", "--wait", "90s")
        self.assert_paid(payment_hash, 4_000_000_000)

    def test_no_way_for_any_part(self):
        """Nothing goes through, so no limit of parts is in the way, and lnd's own words are told."""
        invoice, _ = self.made(amount_msat=WHOLE, node="P")
        for lane in LANES:
            self.peer("peer", node=lane, online=False)
        for more in ((), ("--max-parts", "1")):
            self.assertEqual(self.refused(invoice, *more)[1]["code"], "no_channel")
        self.use(self.lnd())
        invoice, _ = self.made(amount_msat=1_000_000_000)
        for chan, node in (("361x1x0", "B"), ("360x1x0", "C")):
            self.peer("policy", chan=chan, node=node, disabled=True)
        for more in ((), ("--max-parts", "1")):
            said, detail = self.refused(invoice, *more)
            self.assertEqual(detail["code"], "unexplained")
            self.assertRegex(said, "^Not paid: the node finds no route: unable to find a path to destination. ")

    def test_parallel_channels_to_one_peer(self):
        """lnd takes an excluded channel for the pair of its nodes."""
        sides = {"capacity": 1_000_000, "balances": [950_000, 50_000]}
        self.use(self.lnd(network={"network": "regtest", "height": 400, "own": "A", "nodes": {name: {} for name in "ABP"}, "channels": [
            {"id": "410x1x0", "between": ["A", "B"], **sides}, {"id": "410x2x0", "between": ["A", "B"], **sides},
            {"id": "411x1x0", "between": ["B", "P"], "capacity": 9_000_000, "balances": [8_000_000, 1_000_000]}]}))
        invoice, payment_hash = self.made(amount_msat=1_500_000_000, node="P")
        self.ok("send", invoice, "--yes", "--wait", "90s")
        self.assertGreater(len(self.states(payment_hash)), 1)
        self.assert_paid(payment_hash, 1_500_000_000)

    def test_held_and_settled(self):
        payment_hash = self.hold()
        self.peer("settle", hash=payment_hash)
        self.ok("resume", payment_hash)
        self.assert_paid(payment_hash, WHOLE)

    def test_held_and_given_back(self):
        payment_hash = self.hold()
        self.peer("cancel", hash=payment_hash)
        self.expect(harness.FAILED, "resume", payment_hash)
        self.assertEqual(self.judge(payment_hash, WHOLE), "FAILED")
        self.assertEqual(self.peer("payments")["payments"][0]["status"], "FAILED")  # its record was ended

    def test_a_part_that_fails_is_replaced(self):
        self.peer("hop", node="L1", code="TEMPORARY_CHANNEL_FAILURE")
        invoice, payment_hash = self.made(amount_msat=1_500_000_000, node="P")
        self.ok("send", invoice, "--yes", "--wait", "90s")
        self.assertIn("failed", self.states(payment_hash))
        self.assert_paid(payment_hash, 1_500_000_000)

    def test_a_part_that_is_lost_gives_the_round_back(self):
        invoice, payment_hash = self.made(amount_msat=WHOLE, node="P")
        self.send_until(invoice, fault=self.fault(do="drop", path=SEND, hash=payment_hash, nth=2))
        self.wait_for(payment_hash, "failed", count=2)
        self.pass_time()
        self.ok("resume", payment_hash, "--wait", "90s")
        self.assert_paid(payment_hash, WHOLE)

    def test_a_part_that_is_lost_is_told_among_the_others(self):
        self.use(self.lnd("--mpp-timeout", "300", network=IN_LANES))
        invoice, payment_hash = self.made(amount_msat=WHOLE, node="P")
        self.send_until(invoice, fault=self.fault(do="drop", path=SEND, hash=payment_hash, nth=2))
        self.wait_for(payment_hash, "held", count=2)
        for page in (self.expect(harness.UNKNOWN, "resume", payment_hash, "--wait", "2s"), self.ok("show", payment_hash)):
            self.assertRegex(page.out, r"In flight: \d parts have no result yet: no reply to part \d has come; the node can start it until 20")
            self.assertRegex(page.out + page.err, f"paytower resume {payment_hash}")

    def test_a_part_whose_answer_is_lost_costs_nothing(self):
        for do in ("lost", "cut"):
            invoice, payment_hash = self.made(amount_msat=1_500_000_000, node="P")
            self.fault(do=do, path=SEND, hash=payment_hash, nth=2, bytes=50)
            self.ok("send", invoice, "--yes")
            self.assert_paid(payment_hash, 1_500_000_000)
            for n in range(3):
                self.peer("balance", chan=f"{410 + n}x1x0", node="A", msat=950_000_000)
                self.peer("balance", chan=f"{410 + n}x2x0", node=f"L{n}", msat=950_000_000)

    def test_killed_among_the_parts(self):
        invoice, payment_hash = self.made(amount_msat=WHOLE, node="P")
        fault = self.fault(do="pause", path=SEND, hash=payment_hash, nth=2, moment="received")
        process = self.popen("send", invoice, "--yes", *LONG)
        self.peer("wait", fault=fault, seconds=PATIENCE)
        self.kill(process)
        self.pass_time()
        self.peer("release", fault=fault)
        self.ok("resume", payment_hash, "--wait", "90s")
        self.assert_paid(payment_hash, WHOLE)


class Away(BesideLnd):
    """lnd is not there, not ready, another node, or refuses us. Exit 7 if nothing was sent, 4 if something may be in flight."""

    def refused(self, code, *words, env=None):
        invoice, payment_hash = self.made()
        outcome = self.expect(code, "send", invoice, "--yes", "--wait", "2s" if code == harness.UNAVAILABLE else "60s", env=env)
        told = self.run_it("show", payment_hash, env=env).out
        for word in words:
            self.assertIn(word, outcome.err + told)
        self.assertEqual(self.htlcs(payment_hash), [])

    def test_nobody_listens(self):
        self.peer("down")
        self.refused(harness.UNAVAILABLE)

    def test_not_ready(self):
        for state in ("WAITING_TO_START", "LOCKED", "UNLOCKED", "RPC_ACTIVE", "NON_EXISTING"):
            with self.subTest(state):
                self.peer("state", state=state)
                self.refused(harness.UNAVAILABLE, *{"LOCKED": ("wallet is locked", "hint: lncli unlock"), "NON_EXISTING": ("no wallet yet", "hint: lncli create")}.get(
                    state, ("lnd is starting", "hint: lncli state")))

    def test_a_certificate_that_is_not_its_own(self):
        other = self.lnd()
        self.refused(harness.UNAVAILABLE, "certificate", env={"PAYTOWER_TLS_CERT": other.cert})

    def test_macaroons(self):
        self.refused(harness.USAGE, "my.macaroon", env={"PAYTOWER_MACAROON": os.path.join(self.folder, "my.macaroon")})
        for code, file, given in ((harness.UNAVAILABLE, "wallet.macaroon", {"uris": ["/lnrpc.Lightning/WalletBalance"]}),
                                  (harness.UNAVAILABLE, "readonly.macaroon", {"permissions": [["info", "read"], ["offchain", "read"]]})):
            with self.subTest(file):
                self.peer("bake", file=file, root="9", **given)
                self.refused(code, "permission denied", file, env=self.at(self.peer, file))
        self.peer("delete_root", root="7")
        self.refused(harness.UNAVAILABLE, "root key", "paytower.macaroon")

    def test_the_hint_makes_a_macaroon_that_pays(self):
        invoice, payment_hash = self.send_held()
        self.peer("bake", file="readonly.macaroon", permissions=[["info", "read"], ["offchain", "read"]])
        self.peer("bake", file="wallet.macaroon", uris=["/lnrpc.Lightning/WalletBalance"])
        for file in ("readonly.macaroon", "wallet.macaroon"):
            with self.subTest(file):
                given = self.at(self.peer, file)
                for code, outcome in ((harness.UNAVAILABLE, self.run_it("send", self.made()[0], "--yes", env=given)),
                                      (harness.UNAVAILABLE, self.run_it("resume", env=given)),
                                      (harness.UNKNOWN, self.run_it("resume", payment_hash, env=given))):
                    self.assertEqual(outcome.code, code, outcome)
                    hint = outcome.err.rstrip().rsplit("hint: ", 1)[1].split()
                    self.assertEqual(hint[:2], ["lncli", "bakemacaroon"])
                self.peer("bake", file="baked.macaroon", root=hint[hint.index("--root_key_id") + 1], uris=[word[4:] for word in hint if word.startswith("uri:")])
                self.ok("send", self.made()[0], "--yes", env=self.at(self.peer, "baked.macaroon"))

    def test_gone_while_an_htlc_is_out(self):
        invoice, payment_hash = self.send_held()
        for away, back in (("down", "up"), ("state", "state")):
            with self.subTest(away):
                self.peer(away, **({"state": "LOCKED"} if away == "state" else {}))
                resumed = self.expect(harness.UNKNOWN, "resume", payment_hash, "--wait", "1s")
                self.assertIn("cannot be asked", resumed.err)
                self.assertIn("In flight", resumed.out)
                self.expect(harness.UNAVAILABLE, "resume", "--wait", "1s")
                self.expect(harness.UNKNOWN, "send", invoice, "--yes", *LONG, "--wait", "1s")
                self.peer(back, **({"state": "SERVER_ACTIVE"} if back == "state" else {}))
        self.peer("settle", hash=payment_hash)
        self.ok("resume", "--all")
        self.assert_paid(payment_hash, 50_000, 1)

    def test_another_node_at_its_address(self):
        """R6: another node is not shown open payments, and does not pay them."""
        invoice, payment_hash = self.send_held()
        self.peer("identity", pubkey=self.peer.info["nodes"]["C"])
        asked = len(self.peer("requests", path=TRACK)["requests"])
        self.assertIn(self.run_it("resume", payment_hash, "--wait", "2s").code, (harness.UNKNOWN, harness.UNAVAILABLE))
        # With one run of cron a node, each passes over the other's: it is told, and is no failure of this run.
        passed_over = self.ok("resume", "--json", "--wait", "2s")
        self.assertEqual(passed_over.json()["other_switch"], 1)
        self.assertIn(f"belongs to node {self.peer.info['nodes']['A']} (regtest), which --switch has to name", passed_over.err)
        self.assertEqual(len(self.peer("requests", path=TRACK)["requests"]), asked)
        self.peer("identity")
        self.peer("cancel", hash=payment_hash)
        self.expect(harness.FAILED, "resume", payment_hash)


class Others(BesideLnd):
    """Other users of the same lnd."""

    def test_paid_by_lnd_itself(self):
        invoice, payment_hash = self.made()
        self.peer("pay", payment_request=invoice)
        self.expect(harness.REFUSED, "send", invoice, "--yes")
        self.ok("send", invoice, "--yes", "--idempotent")
        self.assertEqual(self.htlcs(payment_hash), [])

    def test_in_flight_by_another(self):
        invoice, payment_hash = self.made(hold=True)
        self.peer("pay", payment_request=invoice, wait=False)
        self.wait_for(payment_hash, "held")
        self.expect(harness.REFUSED, "send", invoice, "--yes")
        self.peer("settle", hash=payment_hash)
        self.ok("send", invoice, "--yes", "--idempotent")
        self.assertEqual(self.htlcs(payment_hash), [])

    def test_an_unfinished_record_and_a_fence_of_theirs(self):
        invoice, payment_hash = self.made()
        self.peer("foreign", hash=payment_hash, act="fence")
        self.expect(harness.REFUSED, "send", invoice, "--yes")
        self.pass_time(LEFT)
        self.ok("send", invoice, "--yes")  # its owner has gone
        self.assert_paid(payment_hash, 50_000, 1)

    def test_they_pay_while_ours_is_lost(self):
        invoice, payment_hash = self.send_lost()
        self.peer("pay", payment_request=invoice)
        self.ok("resume", payment_hash, "--wait", "5s")
        self.pass_time()
        self.ok("resume", "--wait", "5s")
        self.assertEqual((self.judge(payment_hash, 50_000), self.htlcs(payment_hash)), ("SUCCEEDED", []))

    def test_they_hold_it_while_ours_is_lost(self):
        invoice, payment_hash = self.made(hold=True)
        self.send_until(invoice, fault=self.fault(do="drop", path=SEND, hash=payment_hash))
        self.peer("pay", payment_request=invoice, wait=False)
        self.wait_for(payment_hash, "held")
        for _ in range(2):
            told = self.expect(harness.UNKNOWN, "resume", payment_hash, "--wait", "3s")
            self.assertRegex(told.out, "another user of the node is paying .* nobody can tell whether attempt .* was sent")
            self.assertIn(payment_hash + ": another user", self.expect(harness.UNKNOWN, "resume", "--wait", "3s").err)
            self.pass_time()
        self.peer("settle", hash=payment_hash)
        self.ok("resume", payment_hash)
        self.assertEqual((self.judge(payment_hash, 50_000), self.htlcs(payment_hash)), ("SUCCEEDED", []))

    def test_they_check_it_while_ours_is_lost(self):
        invoice, payment_hash = self.send_lost()
        self.peer("foreign", hash=payment_hash, act="fence")
        told = self.expect(harness.UNKNOWN, "resume", payment_hash, "--wait", "3s")
        self.assertIn("a paytower with another database is checking", told.out)
        self.pass_time(LEFT)
        self.ok("resume", payment_hash)
        self.assert_paid(payment_hash, 50_000, 2)

    def test_short_runs_make_one_fence(self):
        """A fence that an earlier run has left is held, and no other one is added."""
        invoice, payment_hash = self.send_lost()
        self.pass_time()
        for _ in range(3):
            self.expect(harness.UNKNOWN, "resume", payment_hash, "--wait", "1s")
            self.assertEqual(len(self.htlcs(payment_hash, fences=True)), 1)
        self.ok("resume", payment_hash)
        self.assert_paid(payment_hash, 50_000, 2)

    def test_they_end_our_fence(self):
        """A fence that somebody else has ended proves nothing: another one is made, and that one is a proof."""
        invoice, payment_hash = self.send_lost()
        self.pass_time()
        process = self.popen("resume", payment_hash)
        self.wait_until(lambda: self.htlcs(payment_hash, fences=True))
        self.peer("foreign", hash=payment_hash, act="release")
        process.communicate(timeout=30)
        self.assertGreaterEqual(len([row for row in self.htlcs(payment_hash, fences=True)]), 2)
        self.assert_paid(payment_hash, 50_000, 2)

    def test_they_delete_the_record(self):
        """lnd had the HTLC, but its record is gone. lnd cannot tell whether it was paid, so a decision by hand ends it."""
        ends = {}
        for name, act, word in (("paid", "settle", "--write-off"), ("failed", "cancel", "--assume-failed")):
            invoice, payment_hash = self.send_held()
            self.peer(act, hash=payment_hash)
            ends[name] = (payment_hash, invoice, word)
        self.wait_until(lambda: all(row["status"] in ("SUCCEEDED", "FAILED") for row in self.peer("payments")["payments"]))
        self.peer("delete_all")
        self.pass_time()
        for name, (payment_hash, invoice, word) in ends.items():
            with self.subTest(name):
                told = self.expect(harness.UNKNOWN, "resume", payment_hash, "--wait", "4s")
                self.assertRegex(told.out, "Unknown: the node has no record of attempt .* may have been paid")
                self.assertIn(f"hint: paytower resolve {payment_hash} --write-off", told.err)
                self.assertIn(f"paytower resolve {payment_hash} --write-off (or --assume-failed)", self.ok("show", payment_hash).out)
                self.expect(harness.REFUSED, "send", invoice, "--yes")
                self.ok("resolve", payment_hash, word, "--yes")
        self.expect(harness.REFUSED, "send", ends["paid"][1], "--yes")

    def test_a_second_database(self):
        """Both databases pay the same invoice: the money moves once, and both say that it is paid."""
        second = self.own(self.peer, "second")
        invoice, payment_hash = self.send_held()
        self.expect(harness.REFUSED, "send", invoice, "--yes", env=second)
        self.peer("settle", hash=payment_hash)
        self.ok("send", invoice, "--yes", "--idempotent", env=second)
        self.ok("resume", payment_hash)
        self.assertEqual(self.states(payment_hash), ["settled"])

    def test_an_old_copy_of_the_database(self):
        """R12: lnd shows attempts of ours that the old copy does not have. That stops everything, until `resolve --restored` has
        recorded them."""
        self.ok("send", self.made()[0], "--yes")
        copy = os.path.join(self.folder, "copy.db")
        self.ok("backup", copy)
        invoice, payment_hash = self.send_held()
        old = {"PAYTOWER_DB": copy}
        outcome = self.expect(harness.DATABASE, "send", self.made()[0], "--yes", env=old)
        self.assertIn("resolve --restored", outcome.err)
        self.ok("resolve", "--restored", "--yes", env=old)
        self.expect(harness.REFUSED, "send", invoice, "--yes", env=old)
        self.peer("settle", hash=payment_hash)
        self.ok("resume", env=old)
        self.assert_paid(payment_hash, 50_000, 1, env=old)

    def test_the_operators_word_comes_before_the_end_of_its_time(self):
        """`resolve` is refused at once, as `resume` would find, and does not watch lnd for a minute first."""
        invoice, payment_hash = self.send_lost()
        begun = time.monotonic()
        refused = self.expect(harness.REFUSED, "resolve", payment_hash, "--assume-failed", "--yes")
        self.assertLess(time.monotonic() - begun, 30)
        self.assertIn("may still start", refused.err)
        self.pass_time()
        self.ok("resume", payment_hash)

    def test_whether_it_keeps_time_is_told_by_its_own_words_alone(self):
        """Only if lnd keeps a macaroon's time limit is its passing a proof. An answer that does not show this is asked for again: after
        garbage an HTLC went out without a limit, and a lost one blocked its hash for a day."""
        odd = ({"do": "status", "status": 500, "code": 2, "message": "something else"}, {"do": "status", "status": 200, "code": 2, "message": "odd"},
               {"do": "garbage", "what": "json"}, {"do": "garbage", "what": "empty"}, {"do": "garbage", "what": "html"})
        for given in odd:
            with self.subTest(**given):
                before = len(self.peer("requests", path="/v1/getinfo")["requests"])
                self.fault(path="/v1/getinfo", nth=2, **given)
                invoice, payment_hash = self.made()
                self.ok("send", invoice, "--yes")
                self.assertGreaterEqual(len(self.peer("requests", path="/v1/getinfo")["requests"]) - before, 3)
                self.assert_paid(payment_hash, 50_000, 1)
        with sqlite3.connect(self.db) as database:
            self.assertEqual(database.execute("SELECT count(*), count(dies_at_ns) FROM attempts").fetchall(), [(len(odd), len(odd))])

    def test_the_operators_words(self):
        for word, after in (("--assume-failed", "FAILED"), ("--write-off", "UNKNOWN")):
            with self.subTest(word):
                invoice, payment_hash = self.send_lost()
                self.pass_time()
                self.ok("resolve", payment_hash, word, "--yes")
                self.assertEqual(self.ok("show", payment_hash, "--json").json()["status"], after)
        _, held_hash = self.send_held()
        self.expect(harness.REFUSED, "resolve", held_hash, "--write-off", "--yes")  # lnd shows it
        self.peer("settle", hash=held_hash)
        self.ok("resume", held_hash)

    def test_assumed_failed_and_settled_after_all(self):
        """R8: the late success wins over the decision by hand."""
        invoice, payment_hash = self.made(hold=True)
        fault = self.fault(do="pause", path=SEND, hash=payment_hash, moment="accepted")
        self.send_until(invoice, fault=fault)
        self.pass_time()
        self.ok("resolve", payment_hash, "--assume-failed", "--yes")
        self.peer("release", fault=fault)
        self.wait_for(payment_hash, "held")
        self.peer("settle", hash=payment_hash)
        self.wait_until(lambda: self.peer("payments")["payments"][0]["status"] == "SUCCEEDED")
        self.run_it("resume")
        self.assert_paid(payment_hash, 50_000)


OF_ANSWERS = [("lost", {}), ("lost", {"reset": True}), ("late", {"seconds": 0.5}), ("cut", {"bytes": 5}), ("cut", {"bytes": 400}),
              ("garbage", {"what": "http"}), ("garbage", {"what": "json"}), ("garbage", {"what": "empty"}), ("garbage", {"what": "html"}), ("big", {}),
              ("status", {"status": 500, "message": "something went wrong"}), ("status", {"status": 503, "message": "later"}),
              ("status", {"status": 200, "message": "x"}), ("slow", {"pause": 0.0005})]
OF_REQUESTS = [("drop", {}), ("frozen", {})]
UNREADABLE_ROUTES = ['{"routes":"none"}', '{"routes":[{"hops":[]}]}', '{"routes":[{"total_amt_msat":true,"hops":7}]}', '{"routes":[7]}', "[]"]
ASKED_BEFORE = ["/v1/state", "/v1/getinfo", "/v2/router/payments", "/v1/payments", "/v1/graph/routes"]


class Faults(BesideLnd):
    """Every fault at every step. Then the faults end, time passes, and each payment is paid once."""

    def setUp(self):
        super().setUp()
        self.ok("send", self.made()[0], "--yes")  # the database is there

    def stand(self, faults, before=None):
        """Makes one payment for each fault: [(the fault, its hash, its invoice, its number)]. `before`: a fault that each of them
        meets first."""
        stands = []
        for do, given in faults:
            invoice, payment_hash = self.made()
            first = before and self.fault(hash=payment_hash, **before)
            stands.append(((do, given), payment_hash, invoice, (first, self.fault(do=do, hash=payment_hash, **given))))
        return stands

    def send_each(self, stands, meets=1):
        """Sends all at once, until each has met its fault and had a second for what follows. Returns their exit codes, None if we
        ended it."""
        processes = [self.popen("send", invoice, "--yes", *LONG) for _, _, invoice, _ in stands]
        for _, _, _, faults in stands:
            self.peer("wait", fault=faults[meets], seconds=PATIENCE)
        end = time.monotonic() + 1
        self.wait_until(lambda: time.monotonic() > end or all(process.poll() is not None for process in processes))
        codes = []
        for process in processes:
            left = process.poll() is None
            process.kill()
            _, err = process.communicate()
            codes.append(None if left else process.returncode)
            self.assertIn(codes[-1], (None, harness.OK, harness.UNKNOWN, harness.UNAVAILABLE, harness.REFUSED), err)
        return codes

    def heal(self, stands, attempts):
        for fault, payment_hash, _, _ in stands:
            with self.subTest(fault, when="under the fault"):
                self.judge(payment_hash, 50_000)
        self.peer("disarm")
        self.pass_time()
        self.ok("resume", "--all")
        for fault, payment_hash, _, _ in stands:
            with self.subTest(fault, when="afterwards"):
                self.assert_paid(payment_hash, 50_000, attempts(fault))

    def test_of_the_hand_over(self):
        stands = self.stand([(do, {"path": SEND, **given}) for do, given in OF_ANSWERS + OF_REQUESTS])
        self.send_each(stands)
        self.heal(stands, lambda fault: 2 if fault[0] in ("drop", "frozen") else 1)

    def test_of_the_look_before_it(self):
        """Nothing was sent before the look: the payment is paid, or not begun. A record that nobody can read may be somebody's payment."""
        stands = self.stand([(do, {"path": TRACK, **given}) for do, given in OF_ANSWERS + OF_REQUESTS])
        codes = self.send_each(stands)
        for (fault, payment_hash, _, _), code in zip(stands, codes):
            with self.subTest(fault):
                status = self.judge(payment_hash, 50_000)
                if code is not None:  # a process that we ended may have got anywhere
                    self.assertEqual(code == harness.OK, status == "SUCCEEDED")
                self.assertNotEqual(code, harness.UNKNOWN)

    def test_of_the_look_behind_a_lost_answer(self):
        stands = self.stand([(do, {"path": TRACK, "nth": 2, **given}) for do, given in OF_ANSWERS + OF_REQUESTS], {"do": "lost", "path": SEND})
        self.send_each(stands)
        self.heal(stands, lambda fault: 1)

    def fenced(self, nth):
        """A hand-over is lost, and its fence (`nth` 1) or the release (2) meets a fault."""
        stands = self.stand([(do, {"path": SEND, "fence": True, "nth": nth, **given}) for do, given in OF_ANSWERS + OF_REQUESTS],
                            {"do": "drop", "path": SEND, "fence": False})
        self.send_each(stands, meets=0)
        self.pass_time()
        process = self.popen("resume", "--all")
        for _, _, _, faults in stands:
            self.peer("wait", fault=faults[1], seconds=PATIENCE)
        time.sleep(1)
        self.kill(process)
        self.heal(stands, lambda fault: None)

    def test_of_the_fence(self):
        self.fenced(1)

    def test_of_the_release(self):
        self.fenced(2)

    def test_of_what_is_asked_before(self):
        """Nothing was sent yet: the payment is paid, or not begun."""
        for path in ASKED_BEFORE:
            for do, given in OF_ANSWERS[:1] + OF_ANSWERS[4:8] + OF_ANSWERS[10:11] + OF_REQUESTS:
                with self.subTest(path, do=do, **given):
                    invoice, payment_hash = self.made()
                    fault = self.fault(do=do, path=path, **given)
                    outcome = self.run_it("send", invoice, "--yes", "--wait", "1s" if do == "frozen" else "20s")
                    self.assertEqual(self.peer("faults")["faults"][0]["met"], 1)
                    self.peer("disarm", fault=fault)
                    self.assertIn(outcome.code, (harness.OK, harness.UNAVAILABLE), outcome)
                    self.assertEqual(self.judge(payment_hash, 50_000), "SUCCEEDED" if outcome.code == harness.OK else None)

    def test_of_every_answer_about_routes(self):
        """Nothing is handed over, so the payment has failed when its time is over, or is not recorded where lnd was away at that moment. Either
        way the reason is told, not the time alone. Each case has an lnd of its own, and they run side by side."""
        unreadable, gone = "its answer to a question for routes cannot be read", r"[^\n]*(?:closed|connection|answer)[^\n]*?"
        cases = [("garbage", {"what": "json"}, unreadable), ("garbage", {"what": "html"}, "lnd answers with status 502"), ("garbage", {"what": "http"}, gone),
                 ("cut", {"bytes": 400}, gone), ("lost", {}, gone), ("big", {"bytes": 17 << 20}, gone),
                 *(("status", {"status": 200, "body": body}, unreadable) for body in UNREADABLE_ROUTES)]

        def send(number):
            peer = self.lnd()
            env, (invoice, payment_hash) = self.own(peer, f"of{number}"), self.made(peer=peer)
            do, given, _ = cases[number]
            self.fault(peer, do=do, path="/v1/graph/routes", times=100_000, **given)
            return peer, env, invoice, payment_hash, self.run_it("send", invoice, "--yes", "--timeout", "5s", env=env)

        for (do, given, why), (peer, env, invoice, payment_hash, sent) in zip(cases, self.side_by_side(send, range(len(cases)))):
            with self.subTest(do, given=str(given)[:60]):
                if sent.code == harness.UNAVAILABLE:
                    self.assertRegex(sent.err, f"^paytower: {why}(; nothing was recorded and nothing was sent)?\n")
                else:
                    self.assertEqual(sent.code, harness.FAILED, sent)
                    self.assertRegex(sent.out, f"^Not paid: time ran out before the node gave routes: {why}. Nothing is in flight; it is safe to pay again.\n")
                self.assertEqual(self.judge(payment_hash, 50_000, peer, env), None if sent.code == harness.UNAVAILABLE else "FAILED")
                self.assertEqual(self.htlcs(payment_hash, peer), [])
                self.assertGreater(peer("faults")["faults"][0]["met"], 1)
                peer("disarm")
                self.ok("send", invoice, "--yes", env=env)
                self.assertEqual(self.judge(payment_hash, 50_000, peer, env), "SUCCEEDED")

    def test_of_every_answer_about_routes_as_json(self):
        invoice, _ = self.made()
        self.fault(do="garbage", what="json", path="/v1/graph/routes", times=100_000)
        sent = self.expect(harness.FAILED, "send", invoice, "--yes", "--json", "--timeout", "2s").json()
        self.assertEqual(sent["failure_reason"], "FAILURE_REASON_TIMEOUT")
        self.assertEqual((sent["failure_detail"]["code"], sent["failure_detail"]["switch_message"]),
                         ("no_answer", "its answer to a question for routes cannot be read"))


class LateCopies(BesideLnd):
    """A client has gone, and the copy of its hand-over comes at the worst moments."""

    def lose(self, moment, hold=False):
        """Kills a client while its copy waits at `moment`."""
        invoice, payment_hash = self.made(hold=hold)
        fault = self.fault(do="pause", path=SEND, hash=payment_hash, fence=False, moment=moment)
        process = self.popen("send", invoice, "--yes", *LONG)
        self.peer("wait", fault=fault, seconds=PATIENCE)
        self.kill(process)
        return payment_hash, fault

    def test_after_its_time(self):
        payment_hash, fault = self.lose("received")
        self.pass_time()
        self.ok("resume", payment_hash)
        self.peer("release", fault=fault)
        time.sleep(0.2)
        self.assert_paid(payment_hash, 50_000, 2)

    def test_before_its_time(self):
        payment_hash, fault = self.lose("received")
        self.expect(harness.UNKNOWN, "resume", payment_hash, "--wait", "1s")
        self.peer("release", fault=fault)
        self.ok("resume", payment_hash)
        self.assert_paid(payment_hash, 50_000, 1)

    def test_between_the_look_and_the_fence(self):
        for hold in (False, True):
            with self.subTest(hold=hold):
                payment_hash, late = self.lose("accepted", hold)
                self.pass_time()
                fence = self.fault(do="pause", path=SEND, hash=payment_hash, fence=True, moment="received")
                process = self.popen("resume", payment_hash, "--wait", "5s" if hold else "60s")
                self.peer("wait", fault=fence, seconds=PATIENCE)
                self.peer("release", fault=late)
                self.wait_for(payment_hash, "held" if hold else "settled")
                self.peer("release", fault=fence)
                process.communicate(timeout=30)
                if not hold:
                    self.assertEqual(process.returncode, harness.OK)
                if hold:
                    self.peer("settle", hash=payment_hash)
                    self.ok("resume", payment_hash)
                self.assert_paid(payment_hash, 50_000, 1)

    def test_behind_the_fence(self):
        """lnd refuses it there."""
        self.assert_paid(self.comes_behind_the_fence("accepted"), 50_000, 2)

    def test_with_a_record_and_no_htlc(self):
        """The copy waits between lnd's two writes. A fence would join that record, so the record is ended first."""
        self.assert_paid(self.comes_behind_the_fence("initiated"), 50_000)

    def comes_behind_the_fence(self, waits):
        """The copy waits at this moment, and goes on when the fence has been written."""
        payment_hash, late = self.lose(waits)
        self.pass_time()
        process = self.popen("resume", payment_hash)
        self.wait_until(lambda: self.htlcs(payment_hash, fences=True))
        self.peer("release", fault=late)
        process.communicate(timeout=30)
        self.assertEqual(process.returncode, harness.OK)
        return payment_hash

    def test_behind_lnds_database(self):
        """Another writer holds lnd's database for longer than the hand-over is valid: the fence waits after the copy."""
        invoice, payment_hash = self.made()
        self.peer("lock")
        process = self.popen("send", invoice, "--yes", *LONG)
        self.peer("wait", path=SEND, seconds=PATIENCE)
        time.sleep(0.1)
        self.kill(process)
        self.pass_time()
        process = self.popen("resume", payment_hash)
        self.peer("wait", path=SEND, count=2, seconds=PATIENCE)
        self.peer("unlock")
        process.communicate(timeout=30)
        self.assertEqual(process.returncode, harness.OK)
        self.assert_paid(payment_hash, 50_000, 1)


MOMENTS = ["received", "accepted", "initiated", "registered", "circuit", "sent", "resolved", "attempt_failed", "recorded"]


class Kills(BesideLnd):
    """lnd, or paytower, dies at each step. Each case has an lnd of its own, and they run side by side."""

    def each(self, stands, work):
        """Runs `work(peer, stand, env)` for each stand. It returns a check to be made when all are done."""
        peers = self.side_by_side(lambda stand: self.lnd(), stands)
        done = self.side_by_side(lambda given: work(given[0], given[1], self.own(given[0], f"of{peers.index(given[0])}")), list(zip(peers, stands)))
        for stand, problem in zip(stands, done):
            with self.subTest(stand):
                self.assertIsNone(problem)

    def kill_lnd(self, fence):
        def work(peer, stand, env):
            how, moment = stand
            invoice, payment_hash = self.made(peer=peer)
            if fence:
                self.fault(peer, do="drop", path=SEND, hash=payment_hash, fence=False)
            self.fault(peer, do=how, path=SEND, fence=fence, moment=moment, down=0.2)
            self.run_it("send", invoice, "--yes", *LONG, "--wait", "3s" if fence else "6s", env=env)
            if fence:
                self.pass_time(peer=peer)
                self.run_it("resume", "--wait", "6s", env=env)
            self.judge(payment_hash, 50_000, peer, env)
            self.pass_time(peer=peer)
            self.run_it("resume", "--wait", "12s", env=env)
            status, states = self.judge(payment_hash, 50_000, peer, env), self.states(payment_hash, peer)
            if "orphan" in states:  # lnd calls it in flight for ever, until its channel is closed
                peer("close", chan="358x1x0", how="cooperative")
                peer("restart", how="stop")
                ended = self.run_it("resume", payment_hash, "--wait", "12s", env=env)
                return None if (status, ended.code) == ("IN_FLIGHT", harness.FAILED) else (status, ended)
            return None if status == "SUCCEEDED" and states.count("settled") == 1 else (status, states)
        return work

    def test_lnd_at_each_moment_of_a_hand_over(self):
        self.each([("kill", moment) for moment in MOMENTS if moment != "attempt_failed"] + [("stop", "registered"), ("stop", "sent")], self.kill_lnd(False))

    def test_lnd_at_each_moment_of_a_fence(self):
        self.each([("kill", moment) for moment in ("received", "accepted", "initiated", "registered", "attempt_failed", "recorded")], self.kill_lnd(True))

    def test_what_lnd_never_sent_is_named_with_the_way_out(self):
        invoice, payment_hash = self.made()
        self.fault(do="kill", path=SEND, moment="circuit", down=0.2)
        self.run_it("send", invoice, "--yes", *LONG, "--wait", "5s")
        self.assertEqual(self.states(payment_hash), ["orphan"])
        refused = self.expect(harness.REFUSED, "resolve", payment_hash, "--assume-failed", "--yes")
        self.assertIn("wait for its outcome", refused.err)
        self.pass_time(LEFT)
        told = self.expect(harness.UNKNOWN, "resume", payment_hash, "--wait", "3s")
        self.assertRegex(told.out, "pending, but shows no HTLC of it: it was probably never sent, and may never end by itself. Do not pay")
        self.assertIn("close channel 358x1x0", told.err)
        self.peer("close", chan="358x1x0", how="cooperative")
        told = self.expect(harness.UNKNOWN, "resume", payment_hash, "--wait", "3s")
        self.assertIn("the channel that it would leave by is not open any more", told.out)
        self.assertIn("channel 358x1x0 is not open any more", told.err)
        self.assertIn("restart it when the close has 6 confirmations", told.err)
        self.peer("restart", how="stop")
        self.expect(harness.FAILED, "resume", payment_hash, "--wait", "12s")

    def test_the_client_at_each_step(self):
        steps = [(path, 1) for path in ASKED_BEFORE] + [(TRACK, 1)] + [(SEND, moment) for moment in MOMENTS if moment != "attempt_failed"]
        hashes = []
        for path, moment in steps:
            invoice, payment_hash = self.made()
            fault = self.fault(do="pause", path=path, moment=moment if path == SEND else "received")
            process = self.popen("send", invoice, "--yes", *LONG)
            self.peer("wait", fault=fault, seconds=PATIENCE)
            self.kill(process)
            self.peer("disarm")
            hashes.append(((path, moment), payment_hash, invoice))
        self.pass_time()
        self.run_it("resume")
        for step, payment_hash, invoice in hashes:
            with self.subTest(step):
                if self.judge(payment_hash, 50_000) is None:
                    self.ok("send", invoice, "--yes")
                self.assert_paid(payment_hash, 50_000)

    def test_the_client_at_each_step_of_the_proof(self):
        """The client is killed in the fence, while it is held, in the last look, and in the release."""
        def lost():
            invoice, payment_hash = self.made()
            fault = self.fault(do="drop", path=SEND, hash=payment_hash, fence=False)
            self.send_until(invoice, fault=fault)
            self.peer("disarm", fault=fault)
            return payment_hash
        hashes = []
        for step in ("fence", "answered", "hold", "last look", "release"):
            payment_hash = lost()
            self.pass_time()
            seen = {"fence": {"path": SEND, "fence": True}, "answered": {"path": SEND, "fence": True, "moment": "recorded"},
                    "last look": {"path": TRACK, "nth": 4}, "release": {"path": SEND, "fence": True, "nth": 2}}.get(step)
            fault = seen and self.fault(do="pause", hash=payment_hash, **seen)
            process = self.popen("resume", payment_hash)
            if fault:
                self.peer("wait", fault=fault, seconds=PATIENCE)
            else:
                self.wait_until(lambda: self.htlcs(payment_hash, fences=True))
                time.sleep(0.3)
            self.kill(process)
            self.peer("disarm")
            self.judge(payment_hash, 50_000)
            hashes.append((step, payment_hash))
        self.ok("resume")
        for step, payment_hash in hashes:
            with self.subTest(step):
                self.assert_paid(payment_hash, 50_000, 2)

    def test_the_client_stands_still_beyond_the_time(self):
        """SIGSTOP before the commit, and while the answer is on its way: the hand-over keeps the time limit that it was given."""
        for path, moment in (("/v1/graph/routes", "received"), (SEND, "received"), (SEND, "registered")):
            with self.subTest(path, moment=moment):
                invoice, payment_hash = self.made()
                fault = self.fault(do="pause", path=path, moment=moment)
                process = self.popen("send", invoice, "--yes", *LONG)
                self.peer("wait", fault=fault, seconds=PATIENCE)
                process.send_signal(signal.SIGSTOP)
                self.pass_time()
                self.peer("disarm")
                time.sleep(0.1)
                process.send_signal(signal.SIGCONT)
                process.communicate(timeout=PATIENCE)
                self.assertEqual(process.returncode, harness.OK)
                self.assert_paid(payment_hash, 50_000)


class TheClock(BesideLnd):
    def test_lost_and_waited_for(self):
        """The only test with the real 40 seconds: one send waits through all of it by itself."""
        invoice, payment_hash = self.made()
        self.fault(do="drop", path=SEND, hash=payment_hash)
        began = time.monotonic()
        self.ok("send", invoice, "--yes", "--timeout", "2m")
        self.assertGreater(time.monotonic() - began, 40)
        self.assert_paid(payment_hash, 50_000, 2)


if __name__ == "__main__":
    unittest.main()
