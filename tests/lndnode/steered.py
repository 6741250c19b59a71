"""Replays of recordings in which the moment decides: kills, clients that go away, races, a frozen lnd. The outcomes that chance made at the real lnd
are brought about here on purpose, each by a pause or an end at that moment of the work which makes it so."""

import ast
import base64
import json
import signal
import socket
import ssl
import struct
import time

import replay

SEND = "/v2/router/route/send"
REST = 60  # seconds that a restarted lnd would wait before it takes up its open payments; the command `resume` ends them


def body_of(line):
    return line["raw"].split("\r\n\r\n", 1)[1]


def hash_of(body):
    return base64.b64decode(json.loads(body)["payment_hash"]).hex()


def payee_paid(peer, payment_hash):
    return "SETTLED" in [one["state"] for one in peer("invoice_state", hash=payment_hash)["invoices"]]


def make_invoice(peer, body, preimage=None):
    """The invoice that this hand-over pays."""
    mpp = json.loads(body)["route"]["hops"][-1]["mpp_record"]
    peer("invoice", amount_msat=int(mpp["total_amt_msat"]), payment_addr=base64.b64decode(mpp["payment_addr"]).hex(), preimage=preimage,
         hash=None if preimage else hash_of(body))


def for_another(peer, body, msat=None):
    """The same hand-over for a fresh invoice of D."""
    order = json.loads(body)
    last = order["route"]["hops"][-1]
    made = peer("invoice", amount_msat=msat or int(last["amt_to_forward_msat"]))
    order["payment_hash"] = base64.b64encode(bytes.fromhex(made["hash"])).decode()
    last["mpp_record"]["payment_addr"] = base64.b64encode(bytes.fromhex(made["payment_addr"])).decode()
    return json.dumps(order)


def as_for(text, body, recorded):
    """An answer about the hand-over `body`, as if it were about the recorded one."""
    def names(order):
        mpp = json.loads(order)["route"]["hops"][-1]["mpp_record"]
        return hash_of(order), mpp["payment_addr"]

    for mine, its in zip(names(body), names(recorded)):
        text = text.replace(mine, its)
    return text


def look(peer, payment_hash):
    """The first message of a track stream: (status, text)."""
    name = base64.urlsafe_b64encode(bytes.fromhex(payment_hash)).decode()
    connection = peer.connect()
    connection.request("GET", "/v2/router/track/" + name, headers={"Grpc-Metadata-macaroon": peer.macaroon})
    answer = connection.getresponse()
    text = answer.readline().decode()
    connection.close()
    return answer.status, text


def digest_of(seen):
    return replay.digest(json.loads(seen[1])["result"])


def orphans(peer):
    """Makes the 13 orphans anew that 08b_kill_right_after_write left in lnd: their hand-overs, lnd killed before it signed them. Returns their hashes."""
    lines = replay.lines_of("08b_kill_right_after_write")
    wanted = ast.literal_eval(lines[-1]["text"].partition(": ")[2])
    bodies = {hash_of(body_of(line)): body_of(line) for line, _ in replay.sent(lines)}
    for payment_hash in wanted:
        make_invoice(peer, bodies[payment_hash])
        killed(peer, bodies[payment_hash], "circuit")
    return wanted


def killed(peer, body, moment, **restart):
    """Hands over, and kills lnd at that moment. Returns what the client sees of it."""
    runs = peer("info")["runs"]
    peer("fault", do="kill", moment=moment, path=SEND, down=0.01, **restart)
    try:
        answer = peer.ask("POST", SEND, body)[0]
    except OSError:  # http.client.RemoteDisconnected is one of them
        answer = "EOFError"
    peer("wait", seconds=60, runs=runs + 1)
    return answer


class Client:
    """A client of its own, that can go away in each way."""

    def __init__(self, peer, body=None, method="POST", path=SEND):
        context = ssl.create_default_context(cafile=peer.cert)
        self.socket = context.wrap_socket(socket.create_connection(("127.0.0.1", peer.port), timeout=20), server_hostname="localhost")
        self.file, self.macaroon = None, peer.macaroon
        self.request = self.request_of(body, method, path)

    def request_of(self, body, method="POST", path=SEND):
        return (f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nGrpc-Metadata-macaroon: {self.macaroon}\r\n"
                f"Content-Length: {len(body or '')}\r\n\r\n{body or ''}").encode()

    def write(self, data=None):
        self.socket.sendall(self.request if data is None else data)
        return self

    def answer(self):
        """The next answer of this connection: (status, head, body). Of a stream the first message."""
        self.file = self.file or self.socket.makefile("rb")
        status = int(self.file.readline().split()[1])
        head = dict(line.decode().rstrip().split(": ", 1) for line in iter(self.file.readline, b"\r\n"))
        size = head.get("Content-Length") or int(self.file.readline(), 16)
        return status, head, self.file.read(int(size)).decode()

    def message(self):
        """The next message of a stream."""
        self.file.readline()
        return self.file.read(int(self.file.readline(), 16)).decode()

    def go(self, how):
        if self.file:
            self.file.close()
        if how == "rst":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if how == "shutdown":
            socket.socket.shutdown(self.socket, socket.SHUT_RDWR)
        self.socket.close()


class Steered(replay.Replay):
    """A recording whose requests are said one by one, by a test that knows what each line is."""

    def result(self, n, status, text):
        """Compares an answer with line n."""
        self.check.assertEqual(status, self.lines[n]["status"], f"{self.name}, line {n + 1}: {text[:300]}")
        self.compare(json.loads(self.lines[n]["raw"]), json.loads(text), f"{self.name}, line {n + 1}")
        self.compared.add(n)

    def paused(self, fault):
        """Waits until that fault holds a request."""
        end = time.monotonic() + 20
        while not any(one["fault"] == fault and one["waiting"] for one in self.peer("faults")["faults"]):
            self.check.assertLess(time.monotonic(), end, "no request came to the pause")
            time.sleep(0.002)

    def pause(self, body, moment, fence=False):
        return self.peer("fault", do="pause", moment=moment, path=SEND, hash=hash_of(body), fence=fence)["fault"]

    def preimages(self):
        """The preimages of what was paid in the recording."""
        found = {}
        for line in self.lines:
            for one in replay.parsed(line["raw"]) if line["dir"] == "res" and line["conn"][0] in "AE" else ():
                payment = one.get("result") or {}
                if payment.get("status") == "SUCCEEDED":
                    found[payment["payment_hash"]] = payment["payment_preimage"]
        return found

    # --- lnd is killed ---

    MOMENTS = {("404", "404"): "accepted", ("IN_FLIGHT []", "FAILED []"): "initiated", ("FAILED []", "FAILED []"): "registered",
               ("IN_FLIGHT ['IN_FLIGHT']", "IN_FLIGHT ['IN_FLIGHT']"): "circuit",
               ("IN_FLIGHT ['IN_FLIGHT']", "SUCCEEDED ['SUCCEEDED']"): "sent", ("SUCCEEDED ['SUCCEEDED']", "SUCCEEDED ['SUCCEEDED']"): "sent"}

    @staticmethod
    def outcome(line):
        """What the line of a look says, in short."""
        if line["status"] == 404:
            return "404"
        payment = json.loads(line["raw"])["result"]
        return f"{payment['status']} {[one['status'] for one in payment['htlcs']]}"

    @staticmethod
    def told_of(seen):
        """A look in the words of that recording's notes."""
        if seen[0] != 200:
            return f"{seen[0]} {seen[1]}"[:40]
        one = digest_of(seen)
        return str((one["status"], [attempt[1:] for attempt in one["htlcs"]]))

    def kill_one(self, n, number, preimages):
        """Six lines: a hand-over, a look after lnd's restart and one later, and a note that sums it up. Returns the end and the payee's state."""
        body, first, later = body_of(self.lines[n]), self.outcome(self.lines[n + 2]), self.outcome(self.lines[n + 4])
        payment_hash = hash_of(body)
        make_invoice(self.peer, body, preimages.get(payment_hash))
        answer = killed(self.peer, body, self.MOMENTS[first, later], resume=0 if first == later else REST)
        if first == later == "SUCCEEDED ['SUCCEEDED']":
            self.peer("wait", seconds=60, hash=payment_hash, status="SUCCEEDED")
        seen = look(self.peer, payment_hash)
        self.result(n + 2, *seen)
        self.peer("resume")
        if later != "404" and not later.startswith("IN_FLIGHT"):
            self.peer("wait", seconds=60, hash=payment_hash, status=later.split()[0])
        at_last = look(self.peer, payment_hash)
        self.result(n + 4, *at_last)
        payee, out = "SETTLED" if payee_paid(self.peer, payment_hash) else "OPEN", self.pending(payment_hash)
        orphan = " ORPHAN" if later.startswith("IN_FLIGHT") and payee == "OPEN" and not out else ""
        self.told(f"{number}: killed at 0.0 ms, answer {answer}; after restart {self.told_of(seen)}; later {self.told_of(at_last)}; "
                  f"A HTLCs {out}; D {payee}{orphan}", r"killed at [0-9.]+ ms", n + 5)
        return f"answer={answer} final={self.told_of(at_last)} payee={payee}", payment_hash if orphan else None

    def pending(self, payment_hash):
        """The HTLCs of this hash that lnd's list of channels shows."""
        channels = json.loads(self.peer.ask("GET", "/v1/channels")[1])["channels"]
        lock = base64.b64encode(bytes.fromhex(payment_hash)).decode()
        return [one["expiration_height"] for channel in channels for one in channel["pending_htlcs"] if one["hash_lock"] == lock]

    # --- another request overtakes ---

    def race(self, original, fence, kind, frozen=False):
        """A hand-over and the fence against it at the same time. `kind`: what they meet, see `kind_of`. Returns both answers, and the look between them."""
        pauses = {"first": ("sent", ["received"]), "second": ("received", []), "between": ("received", ["registered"]),
                  "joined": ("initiated", ["received"]), "joined between": ("initiated", ["received", "registered"])}
        at, fenced_at = pauses[kind]
        held, barriers = self.pause(original, at), [self.pause(original, moment, fence=True) for moment in fenced_at]
        clients = [Client(self.peer, original), Client(self.peer, fence)]
        if frozen:
            self.peer.process.send_signal(signal.SIGSTOP)
        for client in clients:
            client.write()
        if frozen:
            self.peer.process.send_signal(signal.SIGCONT)
        self.paused(held)
        if "received" in fenced_at:
            self.paused(barriers[0])
            self.peer("release", fault=barriers[0])
        if "registered" in fenced_at:  # the original comes while the fence's own attempt is open
            self.paused(barriers[-1])
            self.peer("release", fault=held)
            mine = clients[0].answer()
            self.peer("release", fault=barriers[-1])
            others = clients[1].answer()
            between = look(self.peer, hash_of(original))
        else:
            others = clients[1].answer()
            between = look(self.peer, hash_of(original))
            self.peer("release", fault=held)
            mine = clients[0].answer()
        self.peer("disarm")
        for client in clients:
            client.go("close")
        return mine, others, between

    @staticmethod
    def kind_of(original, fence):
        """Which of the ways it was, from the two answers."""
        if "SUCCEEDED" in original:
            return "joined" if "FAILED" in fence else "first"
        return "second" if "exceeds payment amount" in original else "between"
