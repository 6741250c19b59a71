"""Goal: whatever a node answers to a hand-over or to the question for its result, only the answers on the allow-list fail the
attempt; each ends with the right exit code; none crashes or hangs. Method: a scripted node, one odd answer, one row each."""

import json
import os
import threading
import unittest

import harness
from listener import hang_up
from odd_node import PAYEE, OddNode

OTHER = "somebody else's"
HASH = OddNode.payment_hash()
FINAL = 0x400F  # incorrect_or_unknown_payment_details


# --- what the node does instead of a plain answer: run it or not, and then say something else ---


def says(text, run):
    def act(node, connection, request):
        if run:
            node.execute(request)
        node.say(connection, text(request) if callable(text) else text)
    return act


def ends(text, run):
    """The connection ends after this text."""
    def act(node, connection, request):
        says(text, run)(node, connection, request)
        hang_up(connection)
    return act


def error(code, message="words", run=False, data=None):
    def act(node, connection, request):
        if run:
            node.execute(request)
        node.answer(connection, request, node.error(code, message, data))
    return act


def doctored(change):
    """The true answer, changed by `change`."""
    def act(node, connection, request):
        answer = node.execute(request)
        node.say(connection, change(json.dumps({"jsonrpc": "2.0", "id": request["id"], **answer})))
    return act


def late(seconds):
    def act(node, connection, request):
        answer = node.execute(request)
        threading.Timer(seconds, lambda: node.answer(connection, request, answer)).start()
    return act


def with_row(code, message, **row):
    """A refusal, together with a row that is the reason for it."""
    def act(node, connection, request):
        params = request["params"]
        own = row.get("own", True)
        node.add_row(HASH, params["groupid"] if own else 5, params["label"] if own else OTHER, row.get("status", "pending"),
                     node.preimage if row.get("status") == "complete" else None, row.get("part", params["partid"] if own else 0))
        node.answer(connection, request, node.error(code, message))
    return act


def failed(code, failcode=None, index=1):
    """The attempt fails, with the error that waitsendpay gives."""
    def act(node, connection, request):
        row = node.row(request["params"])
        node.end(row, "failed")
        blame = node.blame(row, failcode, index) if failcode else {}
        node.answer(connection, request, node.error(code, "failed", {**row, **blame}))
    return act


TWICE = doctored(lambda text: text + "\n\n" + text + "\n\n")
HALF = ends('{"jsonrpc":"2.0","id":"', True)
WRONG_ID = doctored(lambda text: json.dumps({**json.loads(text), "id": "0123456789abcdef"}) + "\n\n")
BIG = doctored(lambda text: text[:-2] + ',"padding":"' + "x" * 2_000_000 + '"}}\n\n')
DEEP = says(lambda request: '{"jsonrpc":"2.0","id":"' + request["id"] + '","result":' + "[" * 10_000 + "]" * 10_000 + "}\n\n", True)

OK, FAILED, OPEN = ("SUCCEEDED", harness.OK), ("FAILED", harness.FAILED), ("IN_FLIGHT", harness.UNKNOWN)

# name, what the node does, status and exit code, number of ids under which it got hand-overs
TO_SENDPAY = [
    ("the answer twice", TWICE, OK, 1),
    ("EOF, not executed", ends("", False), OK, 1),
    ("EOF, executed", ends("", True), OK, 1),
    ("half a JSON line", HALF, OK, 1),
    ("wrong id", WRONG_ID, OK, 1),
    *((f"{code}, not executed", error(code), OK, 1) for code in (-1, -3, -4, -5)),
    *((f"{code}, executed", error(code, run=True), OK, 1) for code in (-1, -3, -4, -5)),
    ("200, another group, only copy: not sent", with_row(200, "Payment with groupid=5 still in progress", own=False), OPEN, 1),
    ("201, pending with another amount", with_row(201, "Already pending with amount 1msat (not 2msat)"), OK, 1),
    ("201, pending to another payee", with_row(201, "Already pending to 02ab"), OK, 1),
    ("201, succeeded with another amount", with_row(201, "Already succeeded with amount 1msat (not 2msat)", own=False, status="complete"), OK, 1),
    ("201, succeeded to another payee", with_row(201, "Already succeeded to 02ab", own=False, status="complete"), OK, 1),
    ("201, another part succeeded", with_row(201, "Already succeeded other parts", own=False, status="complete", part=1), OK, 1),
    ("201, these ids have failed", with_row(201, "There already is a payment with payment_hash", status="failed"), OK, 2),
    ("201, and nothing is there", error(201, "There already is a payment with payment_hash"), OK, 1),
    ("202", error(202), OK, 1),
    ("203, only copy: not sent", error(203, "Unknown invoice"), OK, 2),
    ("204 without a row, only copy: not sent", error(204, "First peer not ready", data={"erring_index": 0, "erring_channel": "111x0x0", "erring_direction": 0}), OK, 2),
    ("204 with a row", error(204, run=True, data={"created_index": 1, "payment_hash": HASH}), OK, 1),
    ("208", error(208, run=True), OK, 1),
    ("209", error(209, run=True), OK, 1),
    ("-32602, only copy: not sent", error(-32602), OK, 2),
    ("an answer of 2 MB", BIG, OK, 1),
    ("10 s of silence", late(10), OK, 1),
    ("nested 10,000 deep", DEEP, OK, 1),
    ("no JSON", ends("<html>\n\n", True), OK, 1),
]

TO_WAITSENDPAY = [
    ("the answer twice", TWICE, OK, 1),
    ("EOF", ends("", False), OK, 1),
    ("half a JSON line", HALF, OK, 1),
    ("wrong id: known to be paid after half a minute", WRONG_ID, OK, 1),
    *((f"{code}", error(code), OK, 1) for code in (-1, -3, -4, -5)),
    ("200", error(200, "Timed out while waiting"), OK, 1),
    *((f"201 {text}", error(201, text), OK, 1) for text in ("Already pending with amount", "Already pending to", "Already succeeded with amount",
                                                           "Already succeeded to", "Already succeeded other parts", "There already is a payment")),
    ("202: failed", failed(202), OK, 2),
    ("203 by the payee: failed for good", failed(203, FINAL, 2), FAILED, 1),
    ("204: failed", failed(204, 0x1007), OK, 2),
    ("209: failed", failed(209), OK, 2),
    ("202 of another attempt", error(202, data={"payment_hash": HASH, "groupid": 5, "label": OTHER}), OK, 1),
    ("203 of nobody", error(203), OK, 1),
    ("204 of nobody", error(204), OK, 1),
    ("208, not found", error(208), OK, 1),
    ("an answer of 2 MB", BIG, OK, 1),
    ("10 s of silence", late(10), OK, 1),
    ("nested 10,000 deep", DEEP, OK, 1),
    ("no JSON", ends("<html>\n\n", False), OK, 1),
]


class OddAnswers(harness.World):
    def setUp(self):
        super().setUp()
        self.node = None
        self.addCleanup(self.stop)

    def stop(self):
        if self.node:
            self.node.close()
            os.unlink(self.node.path)
            self.node = None

    def pay(self, number, method, act, wait):
        self.stop()
        self.node = OddNode(os.path.join(self.folder, "lightning-rpc"))
        self.node.odd[(method, 1)] = act
        self.db = self.env["PAYTOWER_DB"] = os.path.join(self.folder, f"{method}{number}.db")
        self.switch = self.env["PAYTOWER_SWITCH"] = "cln:" + self.node.path
        return self.run_it("send", "--dest", PAYEE, "--payment-hash", HASH, "--payment-secret", "77" * 32, "--amt", "100sat", "--yes", "--json",
                           "--wait", wait, timeout=120)

    def check(self, method, table):
        self.assertEqual(len({name for name, *_ in table}), len(table))
        for number, (name, act, (status, code), ids) in enumerate(table):
            with self.subTest(method=method, answer=name):
                outcome = self.pay(number, method, act, "50s" if (status, code) != OPEN else "2s")
                self.assertEqual(outcome.code, code, outcome)
                payment = outcome.json()
                self.assertEqual(payment["status"], status)
                sent = [params for params in self.node.asked("sendpay") if not params["label"].endswith(":fence")]
                self.assertEqual(len({params["groupid"] for params in sent}), ids, sent)
                rounds = sorted({params["groupid"] for params in sent})
                for params in sent:  # one piece each: part numbers count over all rounds
                    self.assertEqual((params["payment_hash"], params["partid"], params["amount_msat"]),
                                     (HASH, 1 + rounds.index(params["groupid"]), 100_000))
                    twins = [other for other in sent if other["groupid"] == params["groupid"]]
                    self.assertEqual(twins, [params] * len(twins))  # the same attempt is handed over again with the same parameters
                if any(row["label"] == OTHER for row in self.node.rows):
                    self.assertEqual(len(sent), 1)  # the other attempt's row comes first: ours is not handed over again
                # An answer that is on no list fails no attempt. While another payment of the hash is awaited, there is no next id.
                own = [htlc for htlc in payment["htlcs"] if htlc["origin"] == "own"]
                refused = name == "200, another group, only copy: not sent"
                self.assertEqual(sum(htlc["status"] == "FAILED" for htlc in own), ids - 1 if status == "SUCCEEDED" else 1 if status == "FAILED" or refused else 0)
                self.assertLessEqual(sum(row["status"] == "complete" for row in self.node.rows), 1)
                self.assertEqual(self.run_it("show", HASH, "--json").json()["status"], status)

    def test_to_the_hand_over(self):
        self.check("sendpay", TO_SENDPAY)

    def test_to_the_question_for_the_result(self):
        self.check("waitsendpay", TO_WAITSENDPAY)


if __name__ == "__main__":
    unittest.main()
