"""Goal: what a real Core Lightning node was measured to answer about payments in parts, the simulated one answers too.

Method: its recorded talks (v26.06.6), request by request, on a network of the same four nodes. Only what HTLCs came to is told to
the simulated node, by faults and holds; every other word must be the recorded one.
"""

import json
import os
import re
import sqlite3
import unittest

import test_serve

DATA = os.path.join(os.path.dirname(__file__), os.pardir, "data", "cln_parts")
OWN = "0238c456e623a44f808461b16e69ce36fe274dfd956e939fad2e6d48eba372c8d5"
CHANNELS = {"111x1x0": ("A", "B"), "119x1x0": ("A", "B"), "111x4x0": ("B", "D"), "111x2x0": ("B", "C"), "111x3x0": ("C", "D")}
FIELDS = ("status", "partid", "groupid", "label", "amount_msat", "amount_sent_msat", "destination", "message")
CAPACITY = 10_000_000_000
POLICY = (0, 1_000, 10, 6, 0, CAPACITY // 100 * 99)  # as the recorded nodes had it


def number(channel):
    block, transaction, output = map(int, channel.split("x"))
    return block << 40 | transaction << 16 | output


def words_of(answer):
    """The parts of an answer that must be the same."""
    if "error" in answer:
        error = answer["error"]
        data = {key: value for key, value in (error.get("data") or {}).items() if key in ("erring_index", "failcode", *FIELDS)}
        data.pop("status", None)  # a row as it was loaded may have another status
        data.pop("destination", None)
        local = data.get("erring_index") == 0  # versions differ in the words of a refusal by their own channel
        return error["code"], re.sub(r" \(.*", "", error["message"]) if local else error["message"], data
    result = answer["result"]
    if "payments" in result:
        return [words_of({"result": row}) for row in result["payments"]]
    return {key: result[key] for key in FIELDS if key in result}


class Recorded(test_serve.Serve):
    network_args = ["--nodes", "3", "--channels", "3"]

    def talk(self, name):
        with open(os.path.join(DATA, name), encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def found(self, talk, name):
        """The values of this name in all requests and answers, by payment hash."""
        found = {}
        for line in talk:
            for place in (line.get("params", {}), line.get("result", {}), *line.get("result", {}).get("payments", [])):
                if name in place:
                    found.setdefault(place["payment_hash"], place[name])
        return found

    def build(self, talk, hold_ms):
        """Builds the four nodes, and the invoices that the recording is about."""
        keys = {"A": OWN}
        for line in talk:
            for hop in line.get("params", {}).get("route", []):
                if hop["channel"] in CHANNELS:
                    keys[CHANNELS[hop["channel"]][1]] = hop["id"]
        nodes = sorted(keys)
        preimages = self.found(talk, "payment_preimage")
        with sqlite3.connect(self.net) as database:
            database.execute("DELETE FROM channels")
            database.execute("DELETE FROM nodes")
            database.executemany("INSERT INTO nodes VALUES (?, ?, ?, NULL)", [(nodes.index(name), name, bytes.fromhex(keys[name])) for name in nodes])
            for channel, ends in CHANNELS.items():
                first, second = sorted(ends, key=keys.get)
                values = (number(channel), nodes.index(first), nodes.index(second), CAPACITY, CAPACITY // 2, CAPACITY // 2, 1, *POLICY, *POLICY)
                database.execute(f"INSERT INTO channels VALUES ({', '.join('?' * len(values))})", values)
            for payment_hash, secret in self.found(talk, "payment_secret").items():
                values = (bytes.fromhex(payment_hash), bytes.fromhex(preimages.get(payment_hash, "00" * 32)), bytes.fromhex(secret), nodes.index("D"), hold_ms * 1_000_000)
                database.execute("INSERT INTO invoices (payment_hash, preimage, payment_secret, payee, hold_ns, amount_msat, expires_ns, final_cltv_delta, manners,"
                                 " attempts, paid, bolt11) VALUES (?, ?, ?, ?, ?, 100000, 1 << 62, 10, 0, 0, 0, '')", values)
        database.close()

    def compare(self, name, faults, hold_ms, released=None):
        talk = self.talk(name)
        hashes = list(self.found(talk, "payment_secret"))
        self.build(talk, hold_ms)
        client = self.start(",".join(fault.format(*hashes) for fault in faults))
        compared = 0
        for line in talk:
            if "note" in line:
                if released and released in line["note"]:
                    self.ok("simulate", "release", hashes[0])
                continue
            answer = client.call(line["method"], line["params"])
            self.assertEqual(words_of(answer), words_of(line), json.dumps(line)[:2_000])
            compared += 1
        return compared

    def test_one_piece(self):
        faults = [f"fail=INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS@sendpay/{{1}}#{part}:1" for part in (0, 1, 2)]
        self.assertEqual(self.compare("10_one_piece.jsonl", faults, hold_ms=1_300), 27)

    def test_sums(self):
        self.assertEqual(self.compare("11_sums.jsonl", ["fail=TEMPORARY_CHANNEL_FAILURE@2@sendpay/{0}#2:1"], hold_ms=400), 26)

    def test_one_settled_one_pending(self):
        self.assertEqual(self.compare("13_one_settled.jsonl", ["stall=forever@sendpay/{0}#2:1"], hold_ms=100, released="C runs again"), 21)

    def test_fences(self):
        self.assertEqual(self.compare("14_fences.jsonl", [], hold_ms=150), 23)

    def test_delpay(self):
        self.assertEqual(self.compare("15_delpay.jsonl", ["fail=TEMPORARY_CHANNEL_FAILURE@2@sendpay/{0}#2:1"], hold_ms=150), 20)


if __name__ == "__main__":
    unittest.main()
