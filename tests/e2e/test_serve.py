"""Goal: `simulate serve` behaves on its socket as a Core Lightning node does, and each fault of --faults is seen there.

Method: the program itself, real sockets, requests as lightning-cli and other clients write them.
"""

import json
import os
import random
import select
import signal
import socket
import stat
import time
import unittest

import harness

PATIENCE = 20  # seconds until an answer counts as missing
ALL_MONEY = 2_100_000_000_000_000_000


class Client:
    """One connection."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(PATIENCE)
        try:
            self.socket.connect(path)
        except OSError:
            self.socket.close()
            raise
        self.buffer = b""
        self.ids = 0

    def write(self, text):
        self.socket.sendall(text.encode())

    def ask(self, method, params=None, **more):
        """Writes a request and returns its id."""
        self.ids += 1
        request = {"jsonrpc": "2.0", "id": self.ids, "method": method, "params": params if params is not None else {}, **more}
        self.write(json.dumps(request))
        return request["id"]

    def raw(self):
        """The next answer's own bytes; b"" at the end of the connection."""
        while b"\n\n" not in self.buffer:
            block = self.socket.recv(1 << 20)
            if not block:
                rest, self.buffer = self.buffer, b""
                return rest
            self.buffer += block
        answer, self.buffer = self.buffer.split(b"\n\n", 1)
        return answer

    def read(self):
        return json.loads(self.raw())

    def call(self, method, params=None, **more):
        asked = self.ask(method, params, **more)
        answer = self.read()
        assert answer["id"] == asked, answer
        return answer

    def result(self, method, params=None):
        answer = self.call(method, params)
        assert "result" in answer, answer
        return answer["result"]

    def error(self, method, params=None):
        answer = self.call(method, params)
        assert "error" in answer, answer
        return answer["error"]

    def silent(self):
        """True if nothing has come. Ask only after a later request on another connection was answered."""
        return not self.buffer and not select.select([self.socket], [], [], 0)[0]

    def ended(self):
        try:
            return self.raw() == b""
        except ConnectionResetError:
            return True

    def close(self):
        self.socket.close()


class Serve(harness.World):
    def setUp(self):
        super().setUp()
        self.socket_path = os.path.join(self.folder, "lightning-rpc")
        self.server = None
        self.addCleanup(self.stop_server)

    def start(self, faults=None):
        args = ["simulate", "serve", "--socket", self.socket_path] + (["--faults", faults] if faults else [])
        self.server = self.popen(*args)
        line = self.server.stderr.readline()
        self.assertTrue(line.startswith("serving sim:"), line)
        self.assertIn(self.socket_path, line)
        return self.client()

    def client(self):
        client = Client(self.socket_path)
        self.addCleanup(client.close)
        return client

    def stop_server(self):
        if self.server and self.server.poll() is None:
            self.server.kill()
        if self.server:
            self.server.communicate()

    def terminate(self):
        self.server.send_signal(signal.SIGTERM)
        self.server.communicate(timeout=PATIENCE)
        return self.server.returncode

    # --- payments over the socket ---

    def prepare(self, client, *more):
        """Parameters of a sendpay for a fresh invoice."""
        invoice = self.invoice("250sat", *more)
        facts = client.result("decode", [invoice])
        route = client.result("getroute", {"id": facts["payee"], "amount_msat": facts["amount_msat"], "riskfactor": 10,
                                           "cltv": facts["min_final_cltv_expiry"]})["route"]
        return {"route": route, "payment_hash": facts["payment_hash"], "payment_secret": facts["payment_secret"], "bolt11": invoice,
                "partid": 0, "groupid": 1, "label": "paytower:test:1"}

    def fence(self, params):
        hop = dict(params["route"][0], amount_msat=ALL_MONEY)
        return {**params, "route": [hop], "label": params["label"] + ":fence"}

    def rows(self, client, params):
        return client.result("listsendpays", {"payment_hash": params["payment_hash"]})["payments"]

    def query(self, client, params, timeout=PATIENCE):
        return client.call("waitsendpay", {"payment_hash": params["payment_hash"], "partid": 0, "groupid": params["groupid"], "timeout": timeout})

    def settled(self, params):
        return [row["state"] for row in self.ledger(params["payment_hash"])].count("settled")


class Healthy(Serve):
    def test_a_payment(self):
        client = self.start()
        params = self.prepare(client)
        sent = client.result("sendpay", params)
        self.assertEqual(sent["status"], "pending")
        ended = self.query(client, params)["result"]
        self.assertEqual(ended["status"], "complete")
        self.assertEqual(len(ended["payment_preimage"]), 64)
        self.assertEqual(self.settled(params), 1)

    def test_getroutes_and_its_layers(self):
        client = self.start()
        facts = client.result("decode", [self.invoice("250sat")])
        own = client.result("getinfo")["id"]
        plain = client.result("getroute", {"id": facts["payee"], "amount_msat": 250_000, "riskfactor": 10, "cltv": 18})["route"]
        asked = {"source": own, "destination": facts["payee"], "amount_msat": 250_000, "layers": ["auto.localchans", "auto.sourcefree"],
                 "maxfee_msat": 100_000, "final_cltv": 18, "maxparts": 1}
        (route,) = client.result("getroutes", asked)["routes"]
        self.assertEqual([hop["next_node_id"] for hop in route["path"]], [hop["id"] for hop in plain])
        # The amount that goes into a hop is what came out of the hop before.
        self.assertEqual([hop["amount_msat"] for hop in route["path"]], [plain[0]["amount_msat"], *(hop["amount_msat"] for hop in plain[:-1])])
        self.assertEqual([hop["delay"] for hop in route["path"]], [plain[0]["delay"], *(hop["delay"] for hop in plain[:-1])])
        first = route["path"][0]["short_channel_id_dir"]
        client.result("askrene-create-layer", {"layer": "mine", "persistent": False})
        self.assertEqual(client.error("askrene-create-layer", {"layer": "mine"})["code"], -32602)
        client.result("askrene-update-channel", {"layer": "mine", "short_channel_id_dir": first, "enabled": False})
        client.result("askrene-disable-node", {"layer": "mine", "node": plain[0]["id"]})
        (other,) = client.result("getroutes", {**asked, "layers": [*asked["layers"], "mine"]})["routes"]
        self.assertNotIn(first, [hop["short_channel_id_dir"] for hop in other["path"]])
        self.assertNotIn(plain[0]["id"], [hop["next_node_id"] for hop in other["path"]])
        client.result("askrene-remove-layer", {"layer": "mine"})
        self.assertEqual(client.error("getroutes", {**asked, "layers": ["mine"]})["code"], -32602)
        self.assertEqual(client.error("getroutes", {**asked, "maxfee_msat": 0})["code"], 206)
        self.assertEqual(client.error("getroutes", {**asked, "maxdelay": 18})["code"], 206)
        self.assertEqual(client.error("getroutes", {**asked, "destination": "02" * 33}),
                         {"code": 205, "message": "Unknown destination node " + "02" * 33})

    def test_send_takes_what_getroutes_answers(self):
        """With the names of 25.09, with those of 26.06, and with both; and as parts, which --routes refuses."""
        client = self.start()
        own = client.result("getinfo")["id"]
        path = os.path.join(self.folder, "routes.json")

        def renamed(answer, keep_old):
            (route,) = answer["routes"]
            ends = [*((hop["amount_msat"], hop["delay"]) for hop in route["path"][1:]), (route["amount_msat"], route["final_cltv"])]
            nodes = [own, *(hop["next_node_id"] for hop in route["path"])]
            hops = []
            for i, hop in enumerate(route["path"]):
                new = {"short_channel_id_dir": hop["short_channel_id_dir"], "node_id_in": nodes[i], "node_id_out": nodes[i + 1],
                       "amount_in_msat": hop["amount_msat"], "amount_out_msat": ends[i][0], "cltv_in": hop["delay"], "cltv_out": ends[i][1]}
                hops.append({**new, **hop} if keep_old else new)
            return {**answer, "routes": [{**route, "path": hops}]}

        def send(invoice, document):
            with open(path, "w", encoding="ascii") as file:
                json.dump(document, file)
            return self.run_it("send", invoice, "--yes", "--routes", path, "--json")

        for change in (lambda answer: answer, lambda answer: renamed(answer, False), lambda answer: renamed(answer, True)):
            invoice = self.invoice("250sat")
            facts = client.result("decode", [invoice])
            plain = client.result("getroute", {"id": facts["payee"], "amount_msat": 250_000, "riskfactor": 10, "cltv": 18})["route"]
            asked = {"source": own, "destination": facts["payee"], "amount_msat": 250_000, "layers": ["auto.localchans", "auto.sourcefree"],
                     "maxfee_msat": 100_000, "final_cltv": 18, "maxparts": 1}
            answer = client.result("getroutes", asked)
            paid = send(invoice, change(answer))
            self.assertEqual(paid.code, harness.OK, paid)
            self.assertEqual(int(paid.json()["fee_msat"]), plain[0]["amount_msat"] - 250_000)
        halves = [{**answer["routes"][0], "amount_msat": 125_000}, {**answer["routes"][0], "amount_msat": 125_000}]
        refused = send(self.invoice("250sat"), {**answer, "routes": halves})
        self.assertEqual(refused.code, harness.USAGE, refused)
        self.assertIn("parts of the payment", refused.error()["message"])

    def test_as_lightning_cli_writes(self):
        client = self.start()
        # lightning-cli first asks for notifications, and does not wait for the answer; its ids are strings.
        client.write('{ "jsonrpc" : "2.0", "method" : "notifications", "id" : "cli:notifications#1", "params" : { "enable" : true } }')
        client.write('{ "jsonrpc" : "2.0", "method" : "getinfo", "id" : "cli:getinfo#1", "params" : [ ], "filter" : { "id" : true } }')
        answers = {answer["id"]: answer["result"] for answer in (client.read(), client.read())}
        self.assertEqual(answers["cli:notifications#1"], {})
        self.assertEqual(list(answers["cli:getinfo#1"]), ["id"])

    def test_array_object_and_unknown(self):
        client = self.start()
        zeros = "00" * 32
        by_name = client.error("waitsendpay", {"payment_hash": zeros, "timeout": 1, "partid": 0, "groupid": 5})
        self.assertEqual(by_name, client.error("waitsendpay", [zeros, 1, 0, 5]))
        self.assertEqual(by_name["code"], 208)
        self.assertEqual(client.error("getinfo", [1])["message"], "too many parameters: got 1, expected 0")
        self.assertEqual(client.error("getInfo")["code"], -32601)

    def test_two_clients_and_a_slow_request_between_fast_ones(self):
        first = self.start()
        second = self.client()
        params = self.prepare(first, "--hold", "forever")
        first.result("sendpay", params)
        slow = first.ask("waitsendpay", {"payment_hash": params["payment_hash"], "partid": 0, "groupid": 1})
        self.assertEqual(second.result("sendpay", params)["created_index"], 1)
        self.assertIn("id", first.result("getinfo"))
        self.assertEqual(self.rows(second, params)[0]["status"], "pending")
        self.ok("simulate", "release", params["payment_hash"])
        answer = first.read()
        self.assertEqual(answer["id"], slow)
        self.assertEqual(answer["result"]["status"], "complete")

    def test_waitsendpay_gives_up_in_time(self):
        client = self.start()
        params = self.prepare(client, "--hold", "forever")
        client.result("sendpay", params)
        self.assertEqual(self.query(client, params, timeout=1)["error"], {"code": 200, "message": "Timed out while waiting"})

    def test_200_requests_at_once(self):
        client = self.start()
        client.write("".join(json.dumps({"jsonrpc": "2.0", "id": f"n{i}", "method": "getinfo", "params": {}}) for i in range(200)))
        self.assertEqual({client.read()["id"] for _ in range(200)}, {f"n{i}" for i in range(200)})

    def peak_memory(self):
        """KiB"""
        with open(f"/proc/{self.server.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))

    @unittest.skipIf(harness.SANITIZED, "a sanitizer keeps what was freed")
    def test_many_requests_of_a_client_that_reads_late(self):
        client = self.start()
        other = self.client()
        other.result("listchannels")
        before = self.peak_memory()
        requests = "".join(json.dumps({"jsonrpc": "2.0", "id": i, "method": "listchannels", "params": {}}) for i in range(2_000)).encode()
        client.socket.setblocking(False)
        written = 0
        while written < len(requests):  # until the server reads no more, or all is there
            if not select.select([], [client.socket], [], 0.5)[1]:
                break
            written += client.socket.send(requests[written:written + 4096])
        self.assertIn("id", other.result("getinfo"))
        client.socket.settimeout(PATIENCE)
        seen = [client.read()["id"] for _ in range(10)]
        self.assertEqual(seen, list(range(10)))
        self.assertLess(self.peak_memory() - before, 40_000)  # the answers together have 100 MB

    def test_a_request_without_its_last_byte_does_nothing(self):
        client = self.start()
        params = self.prepare(client)
        other = self.client()
        other.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "sendpay", "params": params})[:-1])
        other.close()
        self.assertEqual(self.rows(client, params), [])

    def test_a_request_whose_client_goes_is_executed(self):
        client = self.start()
        params = self.prepare(client)
        other = self.client()
        other.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "sendpay", "params": params}))
        other.close()
        self.wait_until(lambda: self.rows(client, params))
        self.assertEqual(self.query(client, params)["result"]["status"], "complete")

    def test_garbage_ends_the_talk_and_no_other(self):
        client = self.start()
        other = self.client()
        other.write('{"jsonrpc":"2.0","id":1,"method":"getinfo","params":{}}garbage')
        self.assertEqual(other.read()["error"]["code"], -32600)
        other.write('{"jsonrpc":"2.0","id":2,"method":"getinfo","params":{}}')
        self.assertIn("id", client.result("getinfo"))
        self.assertTrue(other.silent())

    def test_stop(self):
        client = self.start()
        self.assertEqual(client.result("stop"), {"result": "Shutdown complete"})
        self.assertTrue(client.ended())
        self.server.communicate(timeout=PATIENCE)
        self.assertEqual(self.server.returncode, 0)
        self.assertFalse(os.path.exists(self.socket_path))


class Sockets(Serve):
    def test_nobody_else_gets_in(self):
        self.start()
        for name in (self.socket_path, self.socket_path + ".lock"):
            self.assertEqual(stat.S_IMODE(os.stat(name).st_mode), 0o600, name)

    def test_no_window_of_wider_access(self):
        """bind() makes the file. With this umask it would be open to everybody, unless the program narrows it first."""
        before = os.umask(0)
        try:
            self.start()
        finally:
            os.umask(before)
        self.assertEqual(stat.S_IMODE(os.stat(self.socket_path).st_mode), 0o600)

    def test_a_second_server_is_refused(self):
        client = self.start()
        refused = self.run_it("simulate", "serve", "--socket", self.socket_path)
        self.assertEqual(refused.code, harness.BUSY)
        self.assertIn("id", client.result("getinfo"))
        self.assertIn("id", self.client().result("getinfo"))

    def test_of_many_servers_that_start_at_once_one_serves(self):
        servers = [self.popen("simulate", "serve", "--socket", self.socket_path) for _ in range(6)]
        try:
            self.wait_until(lambda: sum(server.poll() is None for server in servers) == 1)
            self.assertIn("id", self.client().result("getinfo"))
        finally:
            for server in servers:
                if server.poll() is None:
                    server.kill()
                server.communicate()
        self.assertEqual(sorted(server.returncode for server in servers)[1:], [harness.BUSY] * 5)

    def test_somebody_elses_listening_socket_stays(self):
        other = socket.socket(socket.AF_UNIX)
        self.addCleanup(other.close)
        other.bind(self.socket_path)
        other.listen()
        self.expect(harness.BUSY, "simulate", "serve", "--socket", self.socket_path)
        self.assertTrue(os.path.exists(self.socket_path))

    def test_a_stale_socket_is_replaced(self):
        self.start()
        self.server.kill()
        self.server.communicate()
        self.assertTrue(os.path.exists(self.socket_path))
        with self.assertRaises(ConnectionRefusedError):
            Client(self.socket_path)
        self.assertIn("id", self.start().result("getinfo"))

    def test_what_is_no_socket_is_left_alone(self):
        with open(self.socket_path, "w", encoding="ascii") as file:
            file.write("mine")
        self.expect(harness.USAGE, "simulate", "serve", "--socket", self.socket_path)
        with open(self.socket_path, encoding="ascii") as file:
            self.assertEqual(file.read(), "mine")

    def test_bad_calls(self):
        self.expect(harness.USAGE, "simulate", "serve")
        self.expect(harness.USAGE, "simulate", "serve", "--socket", "x" * 200)
        self.expect(harness.USAGE, "simulate", "serve", "--socket", self.socket_path, "--faults", "nonsense")
        self.assertFalse(os.path.exists(self.socket_path))

    def test_sigterm_loses_nothing(self):
        client = self.start()
        params = self.prepare(client, "--hold", "forever")
        client.result("sendpay", params)
        client.ask("waitsendpay", {"payment_hash": params["payment_hash"], "partid": 0, "groupid": 1})
        self.assertEqual(self.terminate(), 0)
        self.assertTrue(client.ended())
        self.assertFalse(os.path.exists(self.socket_path))
        again = self.start()
        self.assertEqual(self.rows(again, params)[0]["status"], "pending")
        self.ok("simulate", "release", params["payment_hash"])
        self.assertEqual(self.query(again, params)["result"]["status"], "complete")

    def test_a_killed_server_kept_what_it_answered(self):
        client = self.start()
        params = self.prepare(client)
        client.result("sendpay", params)
        self.server.kill()
        self.server.communicate()
        again = self.start()
        self.assertEqual(self.query(again, params)["result"]["status"], "complete")
        self.assertEqual(self.settled(params), 1)


class Together(Serve):
    """Many requests at once, and a server that ends at any moment."""

    def fill(self, client, count):
        """Prepares `count` payments, asking each kind of question for all of them at once. Returns the parameters of their sendpay."""
        def many(calls):
            client.write("".join(json.dumps({"jsonrpc": "2.0", "id": f"{method} {i}", "method": method, "params": params})
                                 for i, (method, params) in enumerate(calls)))
            answers = {}
            for _ in calls:
                answer = client.read()
                self.assertNotIn(answer["id"], answers)
                answers[answer["id"]] = answer
            return [answers[f"{method} {i}"]["result"] for i, (method, _) in enumerate(calls)]

        invoices = many([("invoice", [1_000 + i, f"label {i}", "test"]) for i in range(count)])
        facts = many([("decode", [made["bolt11"]]) for made in invoices])
        routes = many([("getroute", {"id": fact["payee"], "amount_msat": fact["amount_msat"], "riskfactor": 10, "cltv": 18}) for fact in facts])
        payments = [{"route": found["route"], "payment_hash": fact["payment_hash"], "payment_secret": fact["payment_secret"], "partid": 0,
                     "groupid": i + 1, "label": f"paytower:test:{i + 1}"} for i, (found, fact) in enumerate(zip(routes, facts))]
        return payments, many

    def test_500_payments_answered_in_random_order(self):
        client = self.start("seed=5,shuffle=40@*")
        payments, many = self.fill(client, 500)
        sent = many([("sendpay", payment) for payment in payments])
        self.assertEqual([row["payment_hash"] for row in sent], [payment["payment_hash"] for payment in payments])
        ended = many([("waitsendpay", {"payment_hash": payment["payment_hash"], "groupid": payment["groupid"], "partid": 0, "timeout": 60})
                      for payment in payments])
        for payment, row in zip(payments, ended):
            self.assertEqual((row["payment_hash"], row["groupid"], row["status"]), (payment["payment_hash"], payment["groupid"], "complete"))
        states = [row["state"] for row in self.ledger()]
        self.assertEqual(states, ["settled"] * 500)

    def test_killed_at_any_moment(self):
        """What was answered is kept. When the same attempts are sent again, each hash settles once."""
        client = self.start()
        payments, _ = self.fill(client, 60)
        random_numbers = random.Random(4)
        left = list(payments)
        while left:
            batch, left = left[:10], left[10:]
            for payment in batch:
                client.ask("sendpay", payment)
            time.sleep(random_numbers.random() * 0.01)
            self.server.kill()
            self.server.communicate()
            answered = self.answered_before_the_end(client)
            client = self.start()
            for payment_hash in answered:
                self.assertEqual(len(self.rows(client, {"payment_hash": payment_hash})), 1)
            for payment in batch:
                self.assertIn(client.result("sendpay", payment)["status"], ("pending", "complete"))
                self.assertEqual(self.query(client, payment)["result"]["status"], "complete")
        entries = self.ledger()
        self.assertEqual([row["state"] for row in entries], ["settled"] * len(payments))
        self.assertEqual(len({row["payment_hash"] for row in entries}), len(payments))

    def answered_before_the_end(self, client):
        hashes = []
        while True:
            try:
                raw = client.raw()
            except ConnectionResetError:
                return hashes
            if not raw:
                return hashes
            try:
                hashes.append(json.loads(raw)["result"]["payment_hash"])
            except json.JSONDecodeError:
                return hashes  # cut off in the middle


class Faults(Serve):
    def test_reply_dropped(self):
        client = self.start("drop-reply@sendpay:1")
        params = self.prepare(client)
        client.ask("sendpay", params)
        self.assertEqual(self.rows(client, params)[0]["groupid"], 1)  # nothing was answered before this
        self.assertEqual(client.result("sendpay", params)["created_index"], 1)

    def test_ignored(self):
        client = self.start("ignore@sendpay:1")
        params = self.prepare(client)
        client.ask("sendpay", params)
        self.assertEqual(self.rows(client, params), [])

    def test_unread_for_a_time_and_executed_when_its_client_has_gone(self):
        client = self.start("unread=1s@sendpay:1")
        params = self.prepare(client)
        other = self.client()
        other.ask("sendpay", params)
        other.ask("getinfo")
        self.assertEqual(self.rows(client, params), [])
        other.close()
        self.wait_until(lambda: self.rows(client, params))
        self.assertEqual(self.query(client, params)["result"]["status"], "complete")

    def test_held_request_outlives_the_server(self):
        client = self.start("hold=1s@sendpay:1")
        params = self.prepare(client)
        client.ask("sendpay", params)
        self.assertEqual(self.rows(client, params), [])
        self.server.kill()
        self.server.communicate()
        again = self.start()
        self.wait_until(lambda: self.rows(again, params))

    def test_held_request_is_answered_late(self):
        client = self.start("hold=200ms@sendpay:1")
        params = self.prepare(client)
        self.assertEqual(client.result("sendpay", params)["status"], "pending")

    def test_connection_broken_before_and_after(self):
        client = self.start("break@sendpay:1,break@after-sendpay:2")
        params = self.prepare(client)
        client.ask("sendpay", params)
        self.assertTrue(client.ended())
        client = self.client()
        self.assertEqual(self.rows(client, params), [])
        client.ask("sendpay", params)
        self.assertTrue(client.ended())
        self.assertEqual(len(self.rows(self.client(), params)), 1)

    def test_closed_after_some_bytes(self):
        client = self.start("close=25@getinfo:1,close=0@getinfo:2")
        client.ask("getinfo")
        self.assertEqual(client.raw(), b'{"jsonrpc":"2.0","id":1,"')
        client = self.client()
        client.ask("getinfo")
        self.assertEqual(client.raw(), b"")

    def test_late(self):
        client = self.start("late=300ms@getinfo:1")
        first = client.ask("getinfo")
        second = client.ask("getinfo")
        self.assertEqual([client.read()["id"], client.read()["id"]], [second, first])

    def test_garbage_and_wrong_id_and_twice(self):
        client = self.start("garbage@getinfo:1,wrong-id@getinfo:2,twice@getinfo:3")
        client.ask("getinfo")
        with self.assertRaises(json.JSONDecodeError):
            client.read()
        asked = client.ask("getinfo")
        self.assertNotEqual(client.read()["id"], asked)
        asked = client.ask("getinfo")
        self.assertEqual([client.read()["id"], client.read()["id"]], [asked, asked])

    def test_big_and_deep(self):
        client = self.start("big=2000000@getinfo:1,deep=10000@getinfo:2")
        client.ask("getinfo")
        self.assertEqual(len(client.raw()), 2_000_000 - 2)
        client.ask("getinfo")
        self.assertIn(b"[" * 10_000, client.raw())

    def test_error_codes(self):
        client = self.start("error=-1@sendpay:1,error=208@after-sendpay:2")
        params = self.prepare(client)
        self.assertEqual(client.error("sendpay", params)["code"], -1)
        self.assertEqual(self.rows(client, params), [])
        self.assertEqual(client.error("sendpay", params)["code"], 208)
        self.assertEqual(len(self.rows(client, params)), 1)

    def test_random_order_by_seed(self):
        def order(seed):
            client = self.start(f"seed={seed},shuffle=50@getinfo")
            client.write("".join(json.dumps({"jsonrpc": "2.0", "id": i, "method": "getinfo", "params": {}}) for i in range(50)))
            ids = [client.read()["id"] for _ in range(50)]
            self.terminate()
            self.assertEqual(sorted(ids), list(range(50)))
            return ids

        first = order(3)
        self.assertNotEqual(first, list(range(50)))
        self.assertEqual(first, order(3))
        self.assertNotEqual(first, order(4))

    def test_restart_keeps_the_process_and_breaks_everything(self):
        client = self.start("restart@after-sendpay:1")
        other = self.client()
        self.assertIn("id", other.result("getinfo"))
        params = self.prepare(client)
        client.ask("sendpay", params)
        self.assertTrue(client.ended())
        self.assertTrue(other.ended())
        self.assertIsNone(self.server.poll())
        self.assertEqual(len(self.rows(self.client(), params)), 1)

    def test_refused_connections(self):
        client = self.start("refuse=1s@sendpay:1")
        params = self.prepare(client)
        client.ask("sendpay", params)
        self.assertTrue(client.ended())
        with self.assertRaises(ConnectionRefusedError):
            Client(self.socket_path)
        self.wait_until(self.lets_in)
        self.assertEqual(stat.S_IMODE(os.stat(self.socket_path).st_mode), 0o600)
        self.assertEqual(self.rows(self.client(), params), [])

    def lets_in(self):
        try:
            Client(self.socket_path).close()
            return True
        except ConnectionRefusedError:
            return False

    def test_dies_before_and_after(self):
        for spec, rows in (("die@sendpay:1", 0), ("die@after-sendpay:1", 1)):
            client = self.start(spec)
            params = self.prepare(client)
            client.ask("sendpay", params)
            self.assertTrue(client.ended())
            self.server.communicate(timeout=PATIENCE)
            self.assertEqual(self.server.returncode, -signal.SIGKILL)
            again = self.start()
            self.assertEqual(len(self.rows(again, params)), rows, spec)
            self.assertEqual(self.terminate(), 0)

    def test_forgotten_results(self):
        client = self.start("lose-result@end:1,forget@listsendpays:3")
        params = self.prepare(client)
        client.result("sendpay", params)
        # Ask the ledger afterwards: reading it also lets the network go on, and an end that the server did not bring about meets none of
        # its faults.
        self.wait_until(lambda: self.query(client, params).get("error", {}).get("code") == 208)
        self.assertEqual(self.settled(params), 1)
        self.assertEqual(self.rows(client, params), [])
        self.assertEqual(len(client.result("listhtlcs")["htlcs"]), 1)
        self.assertEqual(len(client.result("listchannelmoves")["channelmoves"]), 1)
        second = self.prepare(client)
        client.result("sendpay", second)
        self.query(client, second)
        self.assertEqual(len(self.rows(client, second)), 1)
        self.assertEqual(self.rows(client, second), [])

    def test_orphan_rows_and_fences(self):
        client = self.start("orphan@sendpay:1,orphan-fence@fence:2,refuse-fence@fence:1")
        params = self.prepare(client)
        self.assertEqual(client.result("sendpay", params)["status"], "pending")
        self.assertEqual(client.result("listhtlcs")["htlcs"], [])
        self.assertEqual(self.query(client, params, timeout=1)["error"]["code"], 200)
        other = self.prepare(client)
        self.assertEqual(client.error("sendpay", self.fence(other))["code"], 204)
        self.assertEqual(client.result("sendpay", self.fence(other))["status"], "pending")
        self.assertEqual(client.error("sendpay", {**other, "groupid": 2})["code"], 200)
        self.assertEqual(self.ledger(), [])

    def test_a_fence(self):
        client = self.start()
        params = self.prepare(client)
        client.result("sendpay", self.fence(params))
        self.assertEqual(self.query(client, params)["error"]["code"], 204)
        self.assertEqual(client.error("sendpay", params)["code"], 201)
        self.assertEqual([row["state"] for row in self.ledger(params["payment_hash"])], ["fenced"])

    def part(self, params, number, amount):
        """A part with this amount of the 250 sat, over the same channels."""
        route = [{**hop, "amount_msat": hop["amount_msat"] - 250_000 + amount} for hop in params["route"]]
        return {**params, "route": route, "amount_msat": 250_000, "partid": number, "label": f"{params['label']}:{number}"}

    def test_parts_each_with_its_own_fate(self):
        client = self.start("fail=TEMPORARY_CHANNEL_FAILURE@1@sendpay#2,stall=forever@sendpay#3,lose-result@end#1")
        params = self.prepare(client)
        for number, amount in ((1, 100_000), (2, 150_000)):
            self.assertEqual(client.result("sendpay", self.part(params, number, amount))["partid"], number)
        asked = {"payment_hash": params["payment_hash"], "groupid": 1, "timeout": PATIENCE}
        failed = client.error("waitsendpay", {**asked, "partid": 2})
        self.assertEqual((failed["code"], failed["data"]["erring_index"]), (204, 1))
        self.assertEqual(client.result("sendpay", self.part(params, 3, 150_000))["partid"], 3)
        self.wait_until(lambda: [row["partid"] for row in self.rows(client, params)] == [2, 3])
        self.assertEqual([row["status"] for row in self.rows(client, params)], ["failed", "pending"])
        self.assertEqual([move["part_id"] for move in client.result("listchannelmoves")["channelmoves"]], [1])
        self.assertEqual(client.error("sendpay", {**self.part(params, 4, 1), "partid": 3})["code"], 201)
        self.ok("simulate", "release", params["payment_hash"])
        self.assertEqual(client.result("waitsendpay", {**asked, "partid": 3})["status"], "complete")
        ended = [(row["part"], row["amt_msat"], row["state"]) for row in self.ledger(params["payment_hash"])]
        self.assertEqual(ended, [(1, 100_000, "settled"), (2, 150_000, "failed"), (3, 150_000, "settled")])

    def test_restored_from_an_older_state(self):
        client = self.start("save=old@getinfo:1,restore=old@getinfo:2")
        client.result("getinfo")
        params = self.prepare(client)
        client.result("sendpay", params)
        self.query(client, params)
        client.result("getinfo")
        self.assertEqual(self.rows(client, params), [])
        self.assertEqual(client.result("wait", ["sendpays", "created", 0])["created"], 0)

    def test_another_user_of_the_node(self):
        client = self.start("foreign-complete@sendpay:1,foreign-hold@after-listsendpays:1")
        params = {**self.prepare(client), "groupid": 9}
        sent = client.result("sendpay", params)
        self.assertEqual(sent["status"], "complete")
        self.assertEqual(sent["label"], "another user of the node")
        other = {**self.prepare(client), "groupid": 9}
        self.assertEqual(self.rows(client, other), [])
        self.assertEqual(client.error("sendpay", other)["code"], 200)

    def test_hostile_payees(self):
        client = self.start("wrong-preimage@sendpay:1,no-preimage@sendpay:2,settles-twice@sendpay:3")
        first, second, third = (self.prepare(client) for _ in range(3))
        client.result("sendpay", first)
        self.assertEqual(self.query(client, first)["result"]["status"], "complete")
        client.result("sendpay", second)
        self.assertNotIn("payment_preimage", self.query(client, second)["result"])
        client.result("sendpay", third)
        self.query(client, third)
        client.result("delpay", {"payment_hash": third["payment_hash"], "status": "complete"})
        client.result("sendpay", {**third, "groupid": 2})
        self.assertEqual(self.query(client, {**third, "groupid": 2})["result"]["status"], "complete")
        self.assertEqual(self.settled(third), 2)

    def test_an_older_and_a_lagging_node(self):
        client = self.start("lag=10,without=listchannelmoves")
        info = client.result("getinfo")
        self.assertEqual(info["blockheight"], 799_990)
        self.assertIn("warning_lightningd_sync", info)
        self.assertEqual(client.error("listchannelmoves")["code"], -32601)
        self.assertEqual(client.error("wait", ["channelmoves", "created", 0])["code"], -32602)

    def test_a_forwarder_in_between(self):
        client = self.start("forwarder,lightningd,restart@after-sendpay:1,refuse=300ms@getinfo:2")
        with open(f"/proc/{self.server.pid}/comm", encoding="ascii") as file:
            self.assertNotEqual(file.read().strip(), "lightningd")
        client.result("getinfo")
        params = self.prepare(client, "--hold", "100ms")
        client.ask("sendpay", params)
        asked = client.ask("listsendpays", {"payment_hash": params["payment_hash"]})
        answer = client.read()  # the first one was lost, and the connection is still there
        while answer["id"] != asked:
            answer = client.read()
        self.assertEqual(len(answer["result"]["payments"]), 1)
        client.ask("getinfo")  # refused: nobody ever answers it
        late = client.ask("decode", [params["bolt11"]])
        self.assertEqual(client.read()["id"], late)
        self.assertEqual(self.client().call("getinfo")["result"]["network"], "regtest")

    def test_the_name_of_the_process(self):
        self.start("lightningd")
        with open(f"/proc/{self.server.pid}/comm", encoding="ascii") as file:
            self.assertEqual(file.read().strip(), "lightningd")


if __name__ == "__main__":
    unittest.main()
