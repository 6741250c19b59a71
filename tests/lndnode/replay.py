"""A recorded conversation, said again to the peer: the same requests, and answers that must be the same but for what chance and time make."""

import ast
import base64
import hashlib
import http.client
import json
import os
import queue
import re
import socket
import ssl
import threading
import time

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "lndnode")
KEYS = {"A": "027b144f81231223f59f7e8f57270515eca23a2ce214fb55142d1031fc5d8cab49", "D": "022ce884ff248c0365ea119a3d93aaa7f1977bc3ad32bf6e3b5c5f25d8ba3e4371",
        "B": "03f0f2ce79e5ba35996456cd4ec9df0c2100f92bc1cce85eb3ae0a7356a32d2cd4", "C": "02418a143ce165c2c79f5e3a0ee8e82965bda37375efc15ad0dac418492f3a1a7a"}
CHANCE = {"attempt_id", "attempt_time_ns", "resolve_time_ns", "creation_time_ns", "creation_date", "payment_index", "first_index_offset",
          "last_index_offset", "signature", "timestamp", "onion_sha_256", "success_prob", "payment_request", "local_balance", "remote_balance",
          "total_satoshis_sent", "num_updates", "lifetime", "uptime", "commit_fee", "commit_weight", "channel_point", "htlc_index", "push_amount_sat",
          "block_hash", "best_header_timestamp", "last_update", "chan_point", "balance", "macaroon", "destination",
          "initiator", "timestamp_ns"}
FIRST_INDEX = 197  # the number of the next HTLC in our channel when 13_htlcevents was recorded
STREAMS = ("/v2/router/track", "/v2/router/send", "/v2/router/payments", "/v2/router/htlcevents")


def lines_of(name):
    with open(os.path.join(DATA, name + ".jsonl"), encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def body_of(line):
    try:
        return json.loads(line["raw"].split("\r\n\r\n", 1)[1])
    except (ValueError, IndexError):
        return {}


def sent(lines):
    return [(line, body_of(line)) for line in lines if line["dir"] == "req" and line["path"] == "/v2/router/route/send" and body_of(line).get("route")]


def first_channel(lines):
    """Our own channel, whose id changed: it was closed and opened again between two recordings."""
    firsts = [body["route"]["hops"][0]["chan_id"] for _, body in sent(lines) if len(body["route"].get("hops", [])) > 1]
    return max(set(firsts), key=firsts.count) if firsts else "393625162809344"


def network(height, lines, first=None):
    """The four nodes and the channels of the recordings. `first`: our own channel, where it is not the one that most hand-overs begin with."""
    def channel(scid, ends, sat, theirs):
        return {"id": scid, "between": ends, "capacity": sat, "balances": theirs, "next_htlc": FIRST_INDEX}
    return {"network": "simnet", "height": height, "own": "A", "nodes": {name: {"pubkey": key} for name, key in KEYS.items()},
            "channels": [channel(first or first_channel(lines), ["A", "B"], 10_000_000, [5_996_530, 4_000_000]),
                         channel("394724674437120", ["B", "C"], 10_000_000, [5_996_530, 4_000_000]),
                         channel("395824186064896", ["C", "D"], 10_000_000, [5_996_530, 4_000_000]),
                         channel("396923697692672", ["B", "D"], 3_000_000, [1_996_530, 1_000_000])]}


def parsed(raw):
    return [json.loads(line) for line in raw.splitlines() if line]


def digest(payment):
    """What a recording's notes say of a payment."""
    attempts = [(one["attempt_id"], one["status"], *((one["failure"]["code"], one["failure"]["failure_source_index"]) if one["failure"] else (None, None)))
                for one in payment["htlcs"]]
    return {"status": payment["status"], "reason": payment["failure_reason"], "value": payment["value_msat"], "idx": payment["payment_index"],
            "htlcs": attempts}


def briefly(status, body):
    """What a recording's notes say of an answer to a hand-over."""
    if status != 200:
        return f"{status} {body}"
    one = json.loads(body)
    failure = one["failure"] or {"code": "", "failure_source_index": ""}
    return (f"200 attempt {one['attempt_id']} {one['status']} {failure['code']} src={failure['failure_source_index']} "
            f"pre={'yes' if one['preimage'] else 'no'}")


class Asking:
    """One request whose answer is still coming, line by line."""

    def __init__(self, peer, line, macaroon, body):
        self.peer, self.line, self.body, self.lines = peer, line, body, queue.Queue()
        self.headers = {"Grpc-Metadata-macaroon": macaroon} if "MACAROON" in line["raw"] else {}
        threading.Thread(target=self.ask, daemon=True).start()

    def ask(self):
        connection = self.connection = self.peer.connect(20)
        try:
            connection.request(self.line["method"], self.line["path"], self.body, self.headers)
            answer = connection.getresponse()
            streams = answer.getheader("Transfer-Encoding") == "chunked" and self.line["path"].startswith(STREAMS)
            for data in iter(answer.readline, b"") if streams else [answer.read()]:
                self.lines.put((answer.status, data.decode()))
        except (OSError, http.client.HTTPException, ssl.SSLError) as error:
            self.lines.put((None, type(error).__name__))
        finally:
            connection.close()

    def hang_up(self):
        """The client has waited long enough."""
        self.connection.sock.shutdown(socket.SHUT_RDWR)


class Replay:
    """Replays one recording. `hooks`: (how a note begins, what to do then). `check`: a test case. `skip`: request -> why its answer is not compared.
    `compared`: the numbers of the lines whose answers or notes were found to be the same; `left`: of those that were not compared, and why."""

    def __init__(self, check, peer, name, hooks=(), skip=None):
        self.check, self.peer, self.name, self.hooks, self.skip = check, peer, name, hooks, skip
        self.twins = False  # requests that have to be under way at the same time
        self.texts, self.under_way, self.macaroon = {}, {}, peer.macaroon
        self.lines, self.n, self.text = lines_of(name), 0, ""
        self.compared, self.left, self.answers = set(), {}, []

    def run(self):
        self.invoices_from_before(self.lines)
        for self.n, line in enumerate(self.lines):
            if line["dir"] == "note":
                self.note(line["text"])
            elif line["dir"] == "req":
                (self.own if line["conn"][0] in "AE" else self.payee)(line, self.lines[self.n + 1:])
            elif line["conn"] in self.under_way:
                self.answered(line)

    # --- accounts ---

    def comparable(self, notes):
        """The numbers of lnd's answers, with those of the notes."""
        return {n for n, line in enumerate(self.lines)
                if line["dir"] == "res" and line["conn"][0] in "AE" or notes and line["dir"] == "note"}

    def told(self, got, chance="^$", n=None):
        """Compares a note with what was seen here. `chance`: what is different each time."""
        n = self.n if n is None else n
        self.check.assertEqual(re.sub(chance, "*", got), re.sub(chance, "*", self.lines[n]["text"]), f"{self.name}, line {n + 1}")
        self.compared.add(n)

    def digests(self, pairs):
        """Compares a note that lists digests of payments."""
        text = self.lines[self.n]["text"]
        found = ast.literal_eval(text[text.index("["):].replace("null", "None"))
        recorded = [one[1] if isinstance(one, list) else one for one in found]
        self.check.assertEqual([self.without_numbers(one) for one in pairs], [self.without_numbers(one) for one in recorded], self.text)
        self.compared.add(self.n)

    @staticmethod
    def without_numbers(one):
        return {**one, "idx": "", "htlcs": [tuple(attempt[1:]) for attempt in one["htlcs"]]}

    def leave(self, why, n=None):
        self.left[self.n if n is None else n] = why

    def invoices_from_before(self, lines):
        """Makes the invoices that are older than the recording. The preimages are in the payments that paid them."""
        made = {json.loads(line["raw"]).get("payment_addr") for line in lines if line["dir"] == "res" and '"payment_addr":"' in line["raw"]
                and line["conn"][0] not in "AE"}
        for line in lines:
            for answer in parsed(line["raw"]) if line["dir"] == "res" and '"SUCCEEDED"' in line["raw"] and "attempt_id" in line["raw"][:15] else ():
                mpp = answer["route"]["hops"][-1]["mpp_record"]
                if answer["status"] == "SUCCEEDED" and mpp["payment_addr"] not in made:
                    made.add(mpp["payment_addr"])
                    self.peer("invoice", node=answer["route"]["hops"][-1]["pub_key"], amount_msat=int(mpp["total_amt_msat"]),
                              preimage=hexed(answer["preimage"]), payment_addr=hexed(mpp["payment_addr"]))

    def note(self, text):
        self.text = text
        for begins, act in self.hooks:
            if text.startswith(begins):
                act(self)

    def payee(self, line, rest):
        given = json.loads(line["raw"].split("\r\n\r\n", 1)[1] or "{}")
        if line["path"] in ("/v1/invoices", "/v2/invoices/hodl"):
            answer = json.loads(next(one["raw"] for one in rest if one["dir"] == "res" and one["conn"] == line["conn"]))
            made = self.peer("invoice", node=line["conn"][0], amount_msat=int(given["value_msat"]), hold="hash" in given,
                             preimage=hexed(given.get("r_preimage")), hash=hexed(given.get("hash")), payment_addr=hexed(answer["payment_addr"]),
                             expiry=int(given["expiry"]))
            self.texts[answer["payment_request"]] = made["payment_request"]
        elif line["path"] == "/v2/invoices/settle":
            preimage = bytes.fromhex(hexed(given["preimage"]))
            self.peer("settle", hash=hashlib.sha256(preimage).hexdigest(), preimage=preimage.hex())
        elif line["path"] == "/v2/invoices/cancel":
            self.peer("cancel", hash=hexed(given["payment_hash"]))

    def own(self, line, rest):
        self.note(line["conn"] + " ")
        body = line["raw"].split("\r\n\r\n", 1)[1] or None
        for recorded, made in self.texts.items():
            body = body and body.replace(recorded, made)
            line = {**line, "path": line["path"].replace(recorded, made)}
        if self.skip and self.skip(line):
            return
        asked = len(self.peer("requests")["requests"])
        asking = self.under_way[line["conn"]] = Asking(self.peer, line, self.macaroon, body)
        if not rest or rest[0].get("conn") != line["conn"] or rest[0]["dir"] != "res":
            self.wait_until_it_is_on_its_way(asking, asked)

    def wait_until_it_is_on_its_way(self, asking, asked):
        """Waits until the request has gone as far as it can before what comes next in the recording, or has its answer. On a busy machine
        that takes seconds."""
        end, on_its_way = time.monotonic() + 20, ("sent", "resolved", "attempt_failed", "recorded")
        while asking.lines.empty() and time.monotonic() < end:
            new = self.peer("requests")["requests"][asked:]
            there = any(one["reached"] in on_its_way or one["reached"] == "accepted" and one["method"] == "GET" for one in new)
            if there and (self.twins or all(row["state"] != "forwarded" for row in self.peer("ledger")["ledger"])):
                break
            time.sleep(0.005)
        time.sleep(0.02)

    def answered(self, line):
        self.note("<" + line["conn"] + " ")
        asking = self.under_way[line["conn"]]
        where = f"{self.name} {line['t_ms']} {asking.line['method']} {asking.line['path'][:60]} {(asking.body or '')[:400]}"
        for expected in parsed(line["raw"]):
            try:
                status, text = asking.lines.get(timeout=20)
            except queue.Empty:
                self.check.fail(f"no answer: {where}\nrecorded {line['raw'][:400]}")
            self.check.assertEqual(status, line["status"], f"{where}\n{text[:500]}\nrecorded {line['raw'][:500]}")
            self.compare(expected, json.loads(text), where)
            self.answers.append((status, text))
            self.compared.add(self.n)

    def compare(self, recorded, got, where):
        if isinstance(recorded, dict):
            self.check.assertIsInstance(got, dict, where)
            self.check.assertEqual(list(got), list(recorded), where)
            for name in recorded:
                if name not in CHANCE:
                    self.compare(recorded[name], got[name], f"{where} .{name}")
                elif got[name] is not None and recorded[name] is not None and name != "success_prob":
                    self.check.assertIs(type(got[name]), type(recorded[name]), f"{where} .{name}")
        elif isinstance(recorded, list):
            self.check.assertEqual(len(got), len(recorded), f"{where}\n{json.dumps(got)[:900]}\nrecorded {json.dumps(recorded)[:900]}")
            for one, other in zip(recorded, got):
                self.compare(one, other, where)
        else:
            self.check.assertEqual(got, recorded, where)


def hexed(text):
    return base64.b64decode(text).hex() if text else None
