"""Goal: lnd takes what we ask, and we read what it answers. Method: our own requests are put to the double of lnd, and its answers to our own
readers; the double's ledger tells what truly became of each."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "lndnode"))
import running  # noqa: E402

ATTEMPT, FENCE, RELEASE = 1, 2, 3


class Words:
    """The readers and writers, as a process: a command with its fields."""

    def __init__(self):
        self.process = subprocess.Popen([os.environ["PAYTOWER_LND_WORDS"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, cmd, **given):
        self.process.stdin.write(json.dumps({"cmd": cmd, **given}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise AssertionError(answer["error"])
        return answer["ok"]

    def close(self):
        self.process.stdin.close()
        self.process.wait(5)
        self.process.stdout.close()


class Double(unittest.TestCase):
    args = ()

    def setUp(self):
        folder = tempfile.mkdtemp(prefix="paytower-words-")
        self.addCleanup(shutil.rmtree, folder)
        self.peer = running.RunningPeer(folder, *self.args)
        self.addCleanup(self.peer.close)
        self.words = Words()
        self.addCleanup(self.words.close)
        self.macaroon = self.peer.read_macaroon("paytower.macaroon")  # the least one
        self.node = self.words("read_node", answer=self.ask("node_info")[1])

    def put(self, request, **more):
        return self.peer.ask(request["method"], request["target"], request["body"] or None, **{"macaroon": self.macaroon, **more})

    def ask(self, cmd, **given):
        return self.put(self.words(cmd, **given))

    def routes(self, made, **given):
        return self.ask("routes", payee=made["payee"], **{"amount": 50_000, "fee_limit": 5_000, "final": 80, **given})

    def order(self, made, amount=50_000, **given):
        _, routes = self.routes(made, amount=amount)
        return self.words("send", hash=made["hash"], secret=made["payment_addr"], routes=routes, own=self.node["key"], height=self.node["height"],
                          **{"total": amount, "id": 7, **given})

    def meaning(self, answer, number=7, **given):
        return self.words("read_answer", status=answer[0], answer=answer[1], id=number, **given)

    def look(self, made):
        """The first line of a stream that may never end."""
        request = self.words("track", hash=made["hash"])
        connection = self.peer.connect()
        connection.request(request["method"], request["target"], headers={"Grpc-Metadata-macaroon": self.macaroon})
        answer = connection.getresponse()
        line = answer.readline().decode()
        connection.close()
        return self.words("read_look", status=answer.status, answer=line, hash=made["hash"])

    def fence(self, made, release=False):
        kind = RELEASE if release else FENCE
        request = self.words("fence", hash=made["hash"], node=made["payee"], expiry=self.node["height"] + 100, id=7, release=release)
        return self.meaning(self.put(request), kind=kind)

    def in_ledger(self, made):
        return self.peer("ledger", hash=made["hash"])["ledger"]

    def invoice(self, **given):
        return self.peer("invoice", **{"node": "D", "amount_msat": 50_000, **given})

    # --- the node ---

    def test_node(self):
        self.assertTrue(self.words("read_state", answer=self.ask("state")[1]))
        self.assertEqual(self.node, {"key": self.peer.info["own"], "network": "regtest", "height": 367})
        channels = self.words("read_channels", answer=self.ask("channels")[1])
        self.assertEqual([(active, out) for _, active, out in channels], [(True, [])] * len(channels))
        self.assertGreater(len(channels), 0)

    # --- routes ---

    def route(self, answer):
        self.assertEqual(answer[0], 200, answer[1])
        return self.words("route", routes=answer[1], own=self.node["key"], height=self.node["height"])

    def test_routes(self):
        made = self.invoice()
        short = self.route(self.routes(made))
        self.assertEqual(len(short), 2)
        self.assertEqual(short[-1][2:], [made["payee"], 50_000, 83])
        around = self.route(self.routes(made, without=[short[1][:2]]))
        self.assertEqual(len(around), 3)
        self.assertEqual(self.route(self.routes(made, without=[[short[1][0], 1 - short[1][1]]])), short)  # the other direction
        self.assertEqual(self.route(self.routes(made, first=[short[0][0]])), short)
        for given in ({"without_nodes": [short[0][2]]}, {"fee_limit": 0}, {"cltv_limit": 100}, {"first": [short[1][0]]}):
            with self.subTest(given):
                self.assertEqual(self.routes(made, **given)[0], 500)

    def test_hint(self):
        made = self.invoice()
        hidden = "02" + "11" * 32
        told = self.ask("routes", payee=hidden, amount=50_000, fee_limit=5_000, final=80, hints=[{"node": made["payee"], "channel": 99}])
        route = self.route(told)
        self.assertEqual([route[-1][0], route[-1][2]], [99, hidden])
        self.assertEqual(route[-1][1], int(made["payee"] > hidden))

    # --- hand-overs ---

    def test_settled(self):
        made = self.invoice()
        meaning = self.meaning(self.put(self.order(made)))
        self.assertEqual([meaning["word"], meaning["preimage"]], ["settled", made["preimage"]])
        self.assertEqual(self.look(made), {"status": "SUCCEEDED", "value": 50_000, "marks": [[7, 0, ATTEMPT]]})
        one, = self.in_ledger(made)
        self.assertEqual([one["amount_msat"], one["sent_msat"], one["total_msat"], one["state"]], [50_000, 51_000, 50_000, "settled"])
        again = self.meaning(self.put(self.order(made)))
        self.assertEqual([again["word"], again["code"], again["source"]], ["not_sent", "LOCAL_REFUSAL", None])

    def test_failed(self):
        made = self.invoice()
        self.peer("hop", node="B", code="TEMPORARY_CHANNEL_FAILURE", times=1, hash=made["hash"])
        meaning = self.meaning(self.put(self.order(made)))
        self.assertEqual([meaning["word"], meaning["code"], meaning["source"]], ["failed", "TEMPORARY_CHANNEL_FAILURE", 1])
        self.assertEqual(self.look(made)["status"], "FAILED")
        self.assertEqual(self.meaning(self.put(self.order(made, id=8)), 8)["word"], "settled")

    def test_parts(self):
        made = self.invoice(amount_msat=100_000, hold=True)
        for part in (1, 2):
            with self.assertRaises(OSError):  # no answer while the payee holds
                self.put(self.order(made, amount=50_000, total=100_000, part=part, skip=True), timeout=1)
        self.assertEqual(self.look(made), {"status": "IN_FLIGHT", "value": 100_000, "marks": [[7, 1, ATTEMPT], [7, 2, ATTEMPT]]})
        channels = self.words("read_channels", answer=self.ask("channels")[1])
        self.assertEqual(sum((out for _, _, out in channels), []), [made["hash"]] * 2)
        self.assertEqual(sorted(one["amount_msat"] for one in self.in_ledger(made)), [50_000, 50_000])

    def test_cut(self):
        """Without its last byte no body is executed."""
        for request in (self.order(self.invoice()), self.words("fence", hash="11" * 32, node=self.node["key"], expiry=467, id=7)):
            status, answer = self.put({**request, "body": request["body"][:-1]})
            self.assertEqual(status, 400)
            self.assertEqual(self.meaning((status, answer))["word"], "not_sent")
        self.assertEqual(self.peer("payments")["payments"], [])

    # --- the fence ---

    def test_fence(self):
        made = self.invoice()
        self.assertEqual(self.look(made), "none")
        order = self.order(made)
        stands = self.fence(made)
        self.assertEqual([stands["word"], stands["code"], stands["source"]], ["failed", "UNKNOWN_NEXT_PEER", 0])
        self.assertEqual(self.look(made), {"status": "IN_FLIGHT", "value": 1, "marks": [[7, 0, FENCE]]})
        self.assertEqual(self.meaning(self.put(order))["word"], "not_sent")  # refused: the record has no room
        self.assertEqual(self.fence(made, release=True)["word"], "failed")
        shown = self.look(made)
        self.assertEqual([shown["status"], shown["marks"]], ["FAILED", [[7, 0, FENCE], [7, 0, RELEASE]]])
        self.assertFalse(any(one["left"] for one in self.in_ledger(made)))
        self.assertEqual(self.meaning(self.put(order))["word"], "settled")
        self.assertEqual(self.fence(made)["word"], "not_sent")  # paid

    # --- lists and macaroons ---

    def test_page(self):
        made = self.invoice()
        self.put(self.order(made))
        page = self.words("read_page", answer=self.ask("payments", after=0)[1])
        self.assertEqual([page["rows"], page["hashes"]], [1, [made["hash"]]])
        self.assertEqual(self.words("read_page", answer=self.ask("payments", after=page["last"])[1])["rows"], 0)

    def test_limited_macaroon(self):
        made = self.invoice()
        now = time.time_ns()
        late = self.words("limit", macaroon=self.macaroon, until=now - 10**9)
        refused = self.put(self.order(made), macaroon=late)
        self.assertEqual(refused[0], 500)
        self.assertIn("macaroon has expired", refused[1])
        self.assertEqual(self.meaning(refused)["word"], "not_sent")
        self.assertEqual(self.look(made), "none")
        # A later limit does not widen an earlier one.
        self.assertEqual(self.put(self.order(made), macaroon=self.words("limit", macaroon=late, until=now + 10**12))[0], 500)
        good = self.words("limit", macaroon=self.macaroon, until=now + 60 * 10**9)
        self.assertEqual(self.meaning(self.put(self.order(made), macaroon=good))["word"], "settled")


class DoubleOnSql(Double):
    args = ("--store", "sql")


if __name__ == "__main__":
    unittest.main()
