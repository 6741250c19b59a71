"""Goal: the peer does what README.md promises a test: faults, moments, restarts, macaroons, HTTP. Method: each is asked for and looked at, over
REST and in the ledger."""

import base64
import email.utils
import http.client
import json
import os
import re
import shutil
import socket
import ssl
import struct
import tempfile
import threading
import time
import unittest

import control
import macaroon
import running

SEND, TRACK = "/v2/router/route/send", "/v2/router/track/"


def b64(text):
    return base64.b64encode(bytes.fromhex(text)).decode()


class Steering(unittest.TestCase):
    args = ()

    def setUp(self):
        folder = tempfile.mkdtemp(prefix="paytower-peer-")
        self.addCleanup(shutil.rmtree, folder)
        self.peer = running.RunningPeer(folder, *self.args)
        self.addCleanup(self.peer.close)

    def order(self, made, part=None, total=None, skip=False, mark="00" * 16, delta=83):
        amount = part or 50_000
        _, body = self.peer.ask("POST", f"/v1/graph/routes/{made['payee']}/0", {"amt_msat": str(amount), "final_cltv_delta": delta})
        route = json.loads(body)["routes"][0]
        route["hops"][-1]["mpp_record"] = {"payment_addr": b64(made["payment_addr"]), "total_amt_msat": str(total or amount)}
        route["hops"][-1]["custom_records"] = {"5564161": b64(mark)}
        return {"payment_hash": b64(made["hash"]), "route": route, "skip_temp_err": skip}

    def send(self, order, **more):
        status, body = self.peer.ask("POST", SEND, order, **more)
        return status, json.loads(body)

    def begin(self, order):
        """Starts a hand-over without waiting for it; the answer is added to the returned list."""
        answers = []

        def ask():
            try:
                answers.append(self.send(order))
            except (OSError, http.client.HTTPException, ssl.SSLError) as error:
                answers.append(type(error).__name__)
        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        return answers, thread

    def look(self, made):
        """The first message of the stream, or the error."""
        connection = self.peer.connect()
        connection.request("GET", TRACK + base64.urlsafe_b64encode(bytes.fromhex(made["hash"])).decode(), None, {"Grpc-Metadata-macaroon": self.peer.macaroon})
        answer = connection.getresponse()
        line = json.loads(answer.readline())
        connection.close()
        return line["result"] if answer.status == 200 else line["error"]["message"]

    def states(self, made):
        return [row["state"] for row in self.peer("ledger", hash=made["hash"])["ledger"]]


class Commands(Steering):
    def test_the_readme_has_all_of_them(self):
        with open(os.path.join(running.HERE, "README.md"), encoding="utf-8") as file:
            table = file.read().split("## Commands")[1].split("## Faults")[0]
        named = {word for row in re.findall(r"^\| (`[^|]*) \|", table, re.M) for word in re.findall(r"`(\w+)`", row)}
        self.assertEqual(named - {"kill", "stop"}, {name[3:] for name in dir(control.Control) if name.startswith("do_")})

    def test_what_is_refused(self):
        for cmd, given in (("nothing", {}), ("fault", {"do": "what"}), ("settle", {"hash": "00" * 32}), ("mine", {"blocks": "x"})):
            with self.assertRaises(running.Refusal, msg=cmd):
                self.peer(cmd, **given)
        self.assertEqual(self.peer("mine", blocks=3)["height"], 370)


class Faults(Steering):
    def test_lost_with_and_without_its_work(self):
        for do, states in (("drop", []), ("lost", ["settled"])):
            made = self.peer("invoice")
            order = self.order(made)
            self.peer("fault", do=do, path=SEND)
            with self.assertRaises((OSError, http.client.HTTPException)):
                self.send(order)
            self.assertEqual(self.states(made), states)

    def test_what_answers_can_be(self):
        made = self.peer("invoice")
        self.send(self.order(made))
        ask = ("GET", "/v1/payments?include_incomplete=true")
        whole = self.peer.ask(*ask)
        self.peer("fault", do="big", path="/v1/payments")
        self.assertGreater(len(self.peer.ask(*ask)[1]), 2_000_000)
        self.peer("fault", do="slow", path="/v1/payments", pause=0)
        self.assertEqual(self.peer.ask(*ask), whole)
        self.peer("fault", do="status", path="/v1/payments", status=503, message="later")
        self.assertEqual(self.peer.ask(*ask), (503, '{"code":2,"message":"later","details":[]}'))
        for fault in ({"do": "cut"}, {"do": "garbage"}):
            self.peer("fault", path="/v1/payments", **fault)
            with self.assertRaises((OSError, http.client.HTTPException), msg=fault):
                self.peer.ask(*ask)
        self.peer("fault", do="garbage", what="html", path="/v1/payments", nth=2)
        self.assertEqual(self.peer.ask(*ask), whole)
        self.assertEqual(self.peer.ask(*ask), (502, "<html>Bad Gateway</html>"))

    def test_frozen_and_late(self):
        self.peer("fault", do="frozen", path="/v1/getinfo")
        with self.assertRaises(TimeoutError):
            self.peer.ask("GET", "/v1/getinfo", timeout=0.3)
        self.peer("fault", do="late", path="/v1/getinfo", seconds=0.3)
        began = time.monotonic()
        self.assertEqual(self.peer.ask("GET", "/v1/getinfo")[0], 200)
        self.assertGreater(time.monotonic() - began, 0.3)

    def test_a_late_copy_runs_into_the_barrier(self):
        made = self.peer("invoice")
        order = self.order(made)
        fault = self.peer("fault", do="pause", path=SEND, moment="accepted")["fault"]
        answers, thread = self.begin(order)
        self.peer("wait", fault=fault)
        self.peer("foreign", hash=made["hash"], act="fence")
        self.peer("release", fault=fault)
        thread.join(5)
        self.assertEqual(answers[0][0], 500)
        self.assertIn("attempted value exceeds payment amount: attempted=50000 mSAT, payment amount=1 mSAT", answers[0][1]["message"])
        self.assertEqual((self.look(made)["value_msat"], self.look(made)["status"]), ("1", "IN_FLIGHT"))
        self.peer("foreign", hash=made["hash"], act="release")
        self.assertEqual(self.look(made)["status"], "FAILED")
        self.assertEqual(self.send(order)[1]["status"], "SUCCEEDED")

    def test_the_write_lock_stalls_what_has_passed_its_check(self):
        made = self.peer("invoice")
        order = self.order(made)
        self.peer("lock")
        answers, thread = self.begin(order)
        self.peer("wait", path=SEND)
        time.sleep(0.05)
        self.assertEqual(self.look(made), "payment isn't initiated")
        self.peer("unlock")
        thread.join(5)
        self.assertEqual(answers[0][1]["status"], "SUCCEEDED")


    def test_connections_that_wait_are_lost(self):
        made = self.peer("invoice", hold=True)
        answers, thread = self.begin(self.order(made))
        self.peer("wait", hash=made["hash"], state="held")
        self.assertEqual(self.peer("break", path=SEND)["lost"], 1)
        thread.join(5)
        self.assertEqual(type(answers[0]), str)
        self.peer("settle", hash=made["hash"])
        self.assertEqual(self.look(made)["status"], "SUCCEEDED")


class FaultsOfSql(Faults):
    args = ("--store", "sql")


class Restarts(Steering):
    def killed_at(self, moment, hold=False):
        made = self.peer("invoice", hold=hold)
        order = self.order(made)
        runs = self.peer("info")["runs"]
        self.peer("fault", do="kill", path=SEND, moment=moment)
        answers, thread = self.begin(order)
        thread.join(5)
        self.assertEqual(type(answers[0]), str, answers)
        self.peer("wait", runs=runs + 1)
        time.sleep(0.1)
        return made

    def test_killed_at_each_moment(self):
        self.assertEqual(self.look(self.killed_at("accepted")), "payment isn't initiated")
        for moment in ("initiated", "registered"):
            payment = self.look(self.killed_at(moment))
            self.assertEqual((payment["status"], payment["failure_reason"], payment["htlcs"]), ("FAILED", "FAILURE_REASON_NO_ROUTE", []), moment)
        for moment in ("sent", "resolved"):
            self.assertEqual(self.look(self.killed_at(moment))["status"], "SUCCEEDED", moment)

    def test_an_orphan_ends_with_its_channel_alone(self):
        made = self.killed_at("circuit")
        self.assertEqual(self.states(made), ["orphan"])
        self.peer("restart", how="stop")
        self.peer("mine", blocks=200)
        self.assertEqual(self.look(made)["status"], "IN_FLIGHT")
        self.assertEqual(self.peer.ask("DELETE", "/v1/payment?payment_hash=" + b64(made["hash"]).replace("+", "%2B").replace("/", "%2F"))[0], 500)
        self.assertEqual(json.loads(self.peer.ask("GET", "/v1/channels")[1])["channels"][0]["pending_htlcs"], [])
        self.peer("close", chan="358x1x0")
        self.assertEqual(self.look(made)["status"], "IN_FLIGHT")
        self.peer("restart")
        self.assertEqual(self.look(made)["status"], "FAILED")

    def test_a_held_one_outlives_restarts(self):
        made = self.peer("invoice", hold=True)
        answers, thread = self.begin(self.order(made))
        self.peer("wait", hash=made["hash"], state="held")
        self.peer("restart", how="stop")
        thread.join(5)
        self.assertEqual(answers[0][1]["message"], "htlcswitch shutting down")
        self.peer("restart", how="kill")
        self.peer("settle", hash=made["hash"])
        self.peer("wait", hash=made["hash"], status="SUCCEEDED")

    def test_half_a_set_and_a_restart(self):
        made = self.peer("invoice", amount_msat=100_000)
        order = self.order(made, 50_000, 100_000, skip=True)
        self.begin(order)
        self.peer("wait", hash=made["hash"], state="held")
        self.peer("restart")
        payment = self.look(made)
        self.assertEqual((payment["status"], payment["failure_reason"]), ("IN_FLIGHT", "FAILURE_REASON_NO_ROUTE"))
        self.assertEqual(self.send(order)[1]["message"], "payment has failure reason")
        self.peer("mpp_timeout", hash=made["hash"])
        self.peer("wait", hash=made["hash"], status="FAILED")

    def test_how_it_starts(self):
        self.peer("restart", wait=False, down=0.2, phases={"WAITING_TO_START": 0.4, "LOCKED": 0.4, "UNLOCKED": 0.4, "RPC_ACTIVE": 0.4})
        seen = []
        end = time.monotonic() + 10
        while time.monotonic() < end and "SERVER_ACTIVE" not in seen:
            try:
                state = json.loads(self.peer.ask("GET", "/v1/state")[1])["state"]
                words = self.peer.ask("GET", "/v1/getinfo")[1]
                if state == "LOCKED" and '"LOCKED"' in self.peer.ask("GET", "/v1/state")[1]:
                    self.assertIn("wallet locked", words)
            except ConnectionRefusedError:
                state = "refused"
            except (OSError, http.client.HTTPException):
                continue
            seen += [] if state in seen else [state]
        self.assertEqual(seen[-5:], ["WAITING_TO_START", "LOCKED", "UNLOCKED", "RPC_ACTIVE", "SERVER_ACTIVE"])

    def test_an_old_copy_of_its_records(self):
        self.peer("snapshot")
        made = self.peer("invoice")
        self.send(self.order(made))
        self.peer("restore")
        self.assertEqual(self.look(made), "payment isn't initiated")


class Parts(Steering):
    refused = "payment has failure reason"

    def test_the_same_part_three_times_is_three_htlcs(self):
        made = self.peer("invoice", amount_msat=30_000, hold=True)
        order = self.order(made, 10_000, 30_000, skip=True)
        asked = [self.begin(order) for _ in range(3)]
        self.peer("wait", hash=made["hash"], state="held", count=3)
        self.assertIn("attempted=40000 mSAT", self.send(order)[1]["message"])
        self.peer("settle", hash=made["hash"])
        for answers, thread in asked:
            thread.join(5)
            self.assertEqual(answers[0][1]["status"], "SUCCEEDED")

    def test_one_msat_passes_the_barrier(self):
        made = self.peer("invoice", amount_msat=30_000)
        self.peer("foreign", hash=made["hash"], act="fence")
        order = self.order(made, 1_000, 30_000)
        for hop in order["route"]["hops"]:
            hop["amt_to_forward_msat"] = "1"
        order["route"]["total_amt_msat"] = "1001"
        answer = self.send(order)[1]
        self.assertEqual(answer["failure"]["code"], "AMOUNT_BELOW_MINIMUM")
        self.assertEqual(self.look(made)["status"], "FAILED")

    def test_a_barrier_on_a_gap_proves_nothing(self):
        made = self.peer("invoice")
        order = self.order(made, skip=True)
        self.peer("hop", node="B", code="UNKNOWN_NEXT_PEER")
        self.assertEqual(self.send(order)[1]["status"], "FAILED")
        self.assertEqual(self.peer("foreign", hash=made["hash"], act="fence")["code"], "UNKNOWN_NEXT_PEER")
        gap = self.look(made)
        self.assertEqual((gap["status"], gap["value_msat"], len(gap["htlcs"])), ("IN_FLIGHT", "50000", 2))
        self.assertEqual(self.send(order)[1]["status"], "SUCCEEDED")

    def test_a_failed_part_beside_a_live_one(self):
        for skip, words in ((True, None), (False, self.refused)):
            made = self.peer("invoice", amount_msat=100_000)
            order = self.order(made, 50_000, 100_000, skip=skip)
            self.begin(order)
            self.peer("wait", hash=made["hash"], state="held")
            self.peer("hop", node="B", code="TEMPORARY_CHANNEL_FAILURE", hash=made["hash"])
            self.assertEqual(self.send(order)[1]["failure"]["code"], "TEMPORARY_CHANNEL_FAILURE")
            self.assertEqual(self.send(order)[1].get("message"), words)
            self.assertEqual(self.states(made).count("settled"), 0 if words else 2)

    def test_a_hundred_and_twenty_held_at_once(self):
        made = [self.peer("invoice", hold=True) for _ in range(120)]
        first = self.order(made[0])
        asked = []
        for one in made:
            order = json.loads(json.dumps(first))
            order["payment_hash"] = b64(one["hash"])
            order["route"]["hops"][-1]["mpp_record"]["payment_addr"] = b64(one["payment_addr"])
            asked.append(self.begin(order))
        self.peer("wait", state="held", count=120, seconds=20)
        self.assertEqual(self.peer.ask("GET", "/v1/getinfo")[0], 200)
        for one in made:
            self.peer("settle", hash=one["hash"])
        for answers, thread in asked:
            thread.join(10)
            self.assertEqual(answers[0][1]["status"], "SUCCEEDED")


class PartsOfSql(Parts):
    args = ("--store", "sql")
    refused = "failed to register attempt: htlc attempt not registrable: payment has failure reason"


class Macaroons(Steering):
    def limited(self, at, name="paytower.macaroon"):
        whole = int(at)
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{int((at - whole) * 1e6):06d}Z"
        return macaroon.constrained(bytes.fromhex(self.peer.read_macaroon(name)), "time-before " + text).hex()

    def test_a_time_limit(self):
        self.assertEqual(self.peer.ask("GET", "/v1/getinfo", macaroon=self.limited(time.time() + 30))[0], 200)
        status, body = self.peer.ask("GET", "/v1/getinfo", macaroon=self.limited(time.time() - 1))
        self.assertEqual(status, 500)
        self.assertRegex(body, r'^{"code":2,"message":"caveat \\"time-before [0-9TZ:.-]+\\" not satisfied: macaroon has expired","details":\[\]}$')

    def test_the_limit_is_lnds_clock_and_is_looked_at_once(self):
        made = self.peer("invoice", hold=True)
        order, limited = self.order(made), self.limited(time.time() + 30)
        threading.Thread(target=lambda: self.peer.ask("POST", SEND, order, macaroon=limited), daemon=True).start()
        self.peer("wait", hash=made["hash"], state="held")
        self.peer("clock", add=60)
        self.assertIn("macaroon has expired", self.peer.ask("POST", SEND, order, macaroon=limited)[1])
        self.peer("settle", hash=made["hash"])
        self.peer("wait", hash=made["hash"], status="SUCCEEDED")

    def test_the_least_one(self):
        least = self.peer.read_macaroon("paytower.macaroon")
        self.assertEqual(len(bytes.fromhex(least)), 293)
        for method, path, status in (("GET", "/v1/getinfo", 200), ("GET", "/v1/channels", 200), ("GET", "/v1/payments", 200), ("POST", "/v2/router/route", 500),
                                     ("DELETE", "/v1/payment", 500), ("POST", "/v2/router/send", 500)):
            answer = self.peer.ask(method, path, "{}" if method == "POST" else None, macaroon=least)
            self.assertEqual(answer[0], status, path)
            self.assertEqual("permission denied" in answer[1], status == 500, answer)
        self.assertIn("no routes provided", self.peer.ask("POST", SEND, "{}", macaroon=least)[1])

    def test_its_root_key_is_deleted(self):
        least = self.peer.read_macaroon("paytower.macaroon")
        self.assertEqual(self.peer.ask("DELETE", "/v1/macaroon/7"), (200, '{"deleted":true}'))
        self.assertIn("root key with id 7 doesn't exist", self.peer.ask("GET", "/v1/getinfo", macaroon=least)[1])

    def test_another_signature(self):
        other = bytearray(bytes.fromhex(self.peer.macaroon))
        other[-1] ^= 1
        self.assertIn("signature mismatch", self.peer.ask("GET", "/v1/getinfo", macaroon=other.hex())[1])


class Http(Steering):
    def test_the_date_is_lnds_clock(self):
        self.peer("clock", shift=-1000)
        connection = self.peer.connect()
        connection.request("GET", "/v1/state")
        answer = connection.getresponse()
        at = email.utils.parsedate_to_datetime(answer.getheader("Date")).timestamp()
        connection.close()
        self.assertAlmostEqual(at, time.time() - 1000, delta=3)

    def wire(self):
        raw = socket.create_connection(("127.0.0.1", self.peer.port), 5)
        return ssl.create_default_context(cafile=self.peer.cert).wrap_socket(raw, server_hostname="localhost")

    def test_pipelined_requests_are_answered_in_order(self):
        with self.wire() as wire:
            wire.sendall(b"GET /v1/state HTTP/1.1\r\nHost: x\r\n\r\n" * 5)
            got = b""
            while got.count(b"SERVER_ACTIVE") < 5:
                got += wire.recv(1 << 16)
        self.assertEqual(got.count(b"HTTP/1.1 200 OK"), 5)

    def test_all_but_the_last_byte_is_nothing(self):
        made = self.peer("invoice")
        body = json.dumps(self.order(made)).encode()
        head = f"POST {SEND} HTTP/1.1\r\nHost: x\r\nGrpc-Metadata-macaroon: {self.peer.macaroon}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        with self.wire() as wire:
            wire.sendall(head + body[:-1])
            time.sleep(0.1)
        self.assertEqual(self.look(made), "payment isn't initiated")
        with self.wire() as wire:
            wire.sendall(head + body)
        self.peer("wait", hash=made["hash"], status="SUCCEEDED")

    def test_a_new_certificate(self):
        with open(self.peer.cert, encoding="utf-8") as file:
            old = file.read()
        self.peer("restart", certificate=True)
        with self.assertRaises(ssl.SSLCertVerificationError):
            ssl.create_default_context(cadata=old).wrap_socket(socket.create_connection(("127.0.0.1", self.peer.port), 5), server_hostname="localhost")
        self.assertEqual(self.peer.ask("GET", "/v1/state")[0], 200)

    def test_no_http(self):
        with self.wire() as wire:
            wire.sendall(b"what\r\n\r\n")
            self.assertIn(b"400 Bad Request", wire.recv(1000))

    def test_another_certificate_is_refused(self):
        with self.assertRaises(ssl.SSLCertVerificationError):
            context = ssl.create_default_context()
            connection = http.client.HTTPSConnection("127.0.0.1", self.peer.port, context=context)
            self.addCleanup(connection.close)
            connection.request("GET", "/v1/state")

    def test_nobody_listens(self):
        self.peer("down")
        with self.assertRaises(ConnectionRefusedError):
            self.peer.ask("GET", "/v1/state")
        self.peer("up")
        self.assertEqual(self.peer.ask("GET", "/v1/state")[0], 200)

    def test_all_changes_of_all_payments(self):
        connection = self.peer.connect()
        connection.request("GET", "/v2/router/payments", None, {"Grpc-Metadata-macaroon": self.peer.macaroon})
        self.peer("wait", path="/v2/router/payments")
        made = self.peer("invoice")
        threading.Thread(target=self.send, args=(self.order(made, mark="ab" * 16),), daemon=True).start()
        answer = connection.getresponse()
        seen = [json.loads(answer.readline())["result"] for _ in range(3)]
        connection.close()
        self.assertEqual([(one["status"], len(one["htlcs"])) for one in seen], [("IN_FLIGHT", 0), ("IN_FLIGHT", 1), ("SUCCEEDED", 1)])
        self.assertEqual(seen[1]["htlcs"][0]["route"]["hops"][-1]["custom_records"], {"5564161": b64("ab" * 16)})


class Others(Steering):
    def test_another_user_pays_and_deletes(self):
        made = self.peer("invoice")
        order = self.order(made)
        self.assertEqual(self.peer("pay", payment_request=made["payment_request"])["status"], "SUCCEEDED")
        self.assertEqual(self.send(order), (409, {"code": 6, "message": "invoice is already paid", "details": []}))
        self.assertEqual(self.peer("ledger")["ledger"][0]["user"], {"other": True})
        self.peer("delete", hash=made["hash"])
        self.assertEqual(self.send(order)[1]["failure"]["code"], "INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS")
        self.peer("fill", count=300, status="FAILED")
        self.assertEqual(self.peer("delete_all", failed_payments_only=True)["deleted"], 301)

    def test_another_user_joins(self):
        made = self.peer("invoice", amount_msat=100_000)
        self.peer("join", payment_request=made["payment_request"], amount_msat=40_000)
        self.peer("wait", hash=made["hash"], state="held")
        self.assertEqual(self.send(self.order(made, 60_000, 100_000))[1]["status"], "SUCCEEDED")
        self.assertEqual(self.states(made), ["settled", "settled"])

    def test_another_node_behind_the_same_address(self):
        self.peer("identity", pubkey="02" + "11" * 32)
        self.assertIn('"identity_pubkey":"021111', self.peer.ask("GET", "/v1/getinfo")[1])

    def test_a_queue_behind_a_stalled_one(self):
        self.peer("stall", chan="358x1x0")
        first, second = self.peer("invoice"), self.peer("invoice")
        order = [self.order(one) for one in (first, second)]
        asked = []
        for one, made, state in ((order[0], first, "signed"), (order[1], second, "queued")):
            asked.append(self.begin(one))
            self.peer("wait", hash=made["hash"], state=state)
        self.assertEqual(json.loads(self.peer.ask("GET", "/v1/channels")[1])["channels"][0]["pending_htlcs"], [])
        self.peer("stall", chan="358x1x0", on=False)
        for answers, thread in asked:
            thread.join(5)
            self.assertEqual(answers[0][1]["status"], "SUCCEEDED")

    def test_a_stalled_link_is_given_up(self):
        folder = tempfile.mkdtemp(prefix="paytower-peer-")
        self.addCleanup(shutil.rmtree, folder)
        self.peer.close()
        self.peer = running.RunningPeer(folder, "--mailbox", "2")
        self.addCleanup(self.peer.close)
        first, second = self.peer("invoice"), self.peer("invoice")
        orders = self.order(first), self.order(second)
        self.peer("stall", chan="358x1x0")
        self.begin(orders[0])
        self.peer("wait", hash=first["hash"], state="signed")
        failure = self.send(orders[1])[1]["failure"]
        self.assertEqual((failure["code"], failure["failure_source_index"]), ("TEMPORARY_CHANNEL_FAILURE", 0))
        self.assertEqual(self.look(first)["status"], "IN_FLIGHT")
        self.assertFalse(json.loads(self.peer.ask("GET", "/v1/channels")[1])["channels"][0]["active"])

    def test_a_payee_behind_a_private_channel(self):
        network = {"network": "regtest", "height": 100, "own": "A", "nodes": {"A": {}, "B": {}, "P": {}},
                   "channels": [{"id": "90x1x0", "between": ["A", "B"], "capacity": 1_000_000, "balances": [900_000, 100_000]},
                                {"id": "91x1x0", "between": ["B", "P"], "capacity": 1_000_000, "balances": [900_000, 100_000], "private": True}]}
        folder = tempfile.mkdtemp(prefix="paytower-peer-")
        self.addCleanup(shutil.rmtree, folder)
        peer = running.RunningPeer(folder, network=network)
        self.addCleanup(peer.close)
        made = peer("invoice", node="P", amount_msat=2_000_000, hints=[[["B", "91x1x0"]]])
        hint = json.loads(peer.ask("GET", "/v1/payreq/" + made["payment_request"])[1])["route_hints"]
        path = f"/v1/graph/routes/{made['payee']}/0"
        self.assertEqual(peer.ask("POST", path, {"amt_msat": "2000000"})[0], 500)
        self.assertEqual(peer.ask("POST", path, {"amt_msat": "2000000", "route_hints": hint})[0], 200)



class Silence(Steering):
    """What clients, other users and restarts do to the peer is no fault of its own, and it says nothing of it."""

    def setUp(self):
        self.errors = tempfile.TemporaryFile("w+")
        self.addCleanup(self.errors.close)
        folder = tempfile.mkdtemp(prefix="paytower-peer-")
        self.addCleanup(shutil.rmtree, folder)
        self.peer = running.RunningPeer(folder, errors=self.errors)
        self.addCleanup(self.peer.close)

    def written(self):
        self.peer.close()
        self.errors.seek(0)
        return self.errors.read()

    def test_streams_whose_client_resets(self):
        made = self.peer("invoice", hold=True)
        self.begin(self.order(made))
        self.peer("wait", hash=made["hash"], state="held")
        for path in ("/v2/router/payments", TRACK + base64.urlsafe_b64encode(bytes.fromhex(made["hash"])).decode()):
            connection = self.peer.connect()
            connection.request("GET", path, None, {"Grpc-Metadata-macaroon": self.peer.macaroon})
            connection.getresponse().readline()
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.sock.close()
        self.peer("settle", hash=made["hash"])
        self.peer("wait", hash=made["hash"], status="SUCCEEDED")
        self.assertEqual(self.written(), "")

    def test_another_user_that_is_refused(self):
        made = self.peer("invoice", hold=True)
        self.peer("join", payment_request=made["payment_request"], amount_msat=50_000)
        self.peer("wait", hash=made["hash"], state="held")
        self.peer("join", payment_request=made["payment_request"], amount_msat=50_000)  # more than the payee asks for
        self.peer("pay", payment_request=self.peer("invoice")["payment_request"])
        self.assertEqual(self.written(), "")


if __name__ == "__main__":
    unittest.main()
