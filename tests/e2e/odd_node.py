"""A Core Lightning node in a few lines, which says what a test tells it to say."""

import copy
import hashlib
import json
import threading
import time

from listener import Listener, hang_up, received, whole_requests

OWN = "033a04b3" + "11" * 29
PEERS = [f"02{10 + n:02d}" + "22" * 31 for n in range(8)]
PAYEE = "023143413c747bd89fc08ad2a4e39a970ba39c2d0eda011af9590a7e0d5a897c47"
ROUTES = 4


class OddNode(Listener):
    """A node that keeps rows, HTLCs and money like a real one. `odd`: (method, which call) -> what it does instead of answering."""

    def __init__(self, path):
        self.lock = threading.RLock()
        self.odd = {}
        self.seen = {}
        self.requests = []
        self.rows = []
        self.htlcs = []
        self.debits = []
        self.connections = []
        super().__init__(path)

    def close(self):
        super().close()
        for one in self.connections:
            hang_up(one)
            one.close()

    # --- talking ---

    def talk(self, connection):
        self.connections.append(connection)
        buffer = ""
        while block := received(connection):
            requests, buffer = whole_requests(buffer + block.decode())
            for request in requests:
                with self.lock:
                    self.take(connection, request)

    def take(self, connection, request):
        method = request["method"]
        self.seen[method] = self.seen.get(method, 0) + 1
        self.requests.append(request)
        odd = self.odd.get((method, self.seen[method]))
        if odd:
            return odd(self, connection, request)
        return self.answer(connection, request, self.execute(request))

    @staticmethod
    def say(connection, text):
        try:
            connection.sendall(text.encode())
        except OSError:
            pass  # the client has gone

    def answer(self, connection, request, what):
        self.say(connection, json.dumps({"jsonrpc": "2.0", "id": request["id"], **what}) + "\n\n")

    def execute(self, request):
        known = getattr(self, request["method"].replace("-", "_"), None)  # an older one: no getroutes, no layers
        return known(request["params"]) if known else self.error(-32601, f"Unknown command '{request['method']}'")

    def asked(self, method):
        return [request["params"] for request in self.requests if request["method"] == method]

    # --- the node ---

    def getinfo(self, params):
        return {"result": {"id": OWN, "network": "regtest", "blockheight": 118}}

    def wait(self, params):
        counts = {"sendpays": len(self.rows), "htlcs": len(self.htlcs), "channelmoves": len(self.debits)}
        count = 0 if params["indexname"] == "deleted" else counts[params["subsystem"]]
        return {"result": {"subsystem": params["subsystem"], params["indexname"]: count}}

    def listsendpays(self, params):
        if "payment_hash" not in params:  # the newest rows of all hashes
            return {"result": {"payments": self.rows[params["start"] - 1:][:params["limit"]]}}
        return {"result": {"payments": [row for row in self.rows if row["payment_hash"] == params["payment_hash"]]}}

    def listhtlcs(self, params):
        return {"result": {"htlcs": self.htlcs[params["start"] - 1:]}}

    def listchannelmoves(self, params):
        return {"result": {"channelmoves": self.debits[params["start"] - 1:]}}

    def listpeerchannels(self, params):
        return {"result": {"channels": [
            {"peer_id": PEERS[n], "peer_connected": True, "state": "CHANNELD_NORMAL", "owner": "channeld", "short_channel_id": f"111x{n}x0",
             "direction": 0, "spendable_msat": 900_000_000} for n in range(ROUTES)]}}

    def getroute(self, params):
        """A different route each time, as far as the exclusions allow."""
        excluded = set(params.get("exclude", []))
        for n in range(ROUTES):
            names = {f"111x{n}x0/0", f"112x{n}x0/0", PEERS[n]}
            if not names & excluded:
                amount, delay = params["amount_msat"], params["cltv"]
                return {"result": {"route": [
                    {"id": PEERS[n], "channel": f"111x{n}x0", "direction": 0, "amount_msat": amount + 10, "delay": delay + 6},
                    {"id": PAYEE, "channel": f"112x{n}x0", "direction": 0, "amount_msat": amount, "delay": delay}]}}
        return self.error(205, "Could not find a route")

    @staticmethod
    def error(code, message, data=None):
        return {"error": {"code": code, "message": message, **({"data": data} if data else {})}}

    def row(self, params):
        for row in self.rows:
            if (row["payment_hash"], row["groupid"], row.get("partid", 0)) == (params["payment_hash"], params["groupid"], params["partid"]):
                return row
        return None

    def add_row(self, payment_hash, group, label, status="pending", preimage=None, part=0, amount=100_000):
        row = {"created_index": len(self.rows) + 1, "id": len(self.rows) + 1, "payment_hash": payment_hash, "groupid": group, "partid": part,
               "destination": PAYEE, "amount_msat": amount, "amount_sent_msat": amount + 10, "created_at": int(time.time()), "status": status,
               "label": label}
        if status != "pending":
            row["updated_index"] = len(self.rows) + 1
        if preimage:
            row["payment_preimage"] = preimage
        self.rows.append(row)
        return row

    def sendpay(self, params):
        row = self.row(params)
        if row and row["status"] == "failed":
            return self.error(201, "There already is a payment with payment_hash=" + params["payment_hash"])
        others = [one for one in self.rows if one is not row and one["payment_hash"] == params["payment_hash"]]
        for one in others:
            if not row and one["status"] == "complete":
                return {"result": copy.deepcopy(one)}
            if not row and one["status"] == "pending":
                return self.error(200, f"Payment with groupid={one['groupid']} still in progress")
        if not row:
            row = self.add_row(params["payment_hash"], params["groupid"], params["label"], part=params["partid"])
            self.htlcs.append({"created_index": len(self.htlcs) + 1, "direction": "out", "state": "SENT_ADD_ACK_REVOCATION",
                               "payment_hash": params["payment_hash"], "amount_msat": params["route"][0]["amount_msat"]})
        more = {"message": "Monitor status with listpays or waitsendpay"} if row["status"] == "pending" else {}
        return {"result": {**more, **copy.deepcopy(row)}}

    def waitsendpay(self, params):
        row = self.row(params)
        if not row:
            return self.error(208, f"Never attempted payment part {params['partid']}")
        if row["status"] == "failed":
            return self.error(204, "failed: WIRE_TEMPORARY_CHANNEL_FAILURE (reply from remote)", {**row, **self.blame(row, 0x1007)})
        self.end(row, "complete")
        return {"result": row}

    def end(self, row, status):
        if row["status"] != "pending":
            return
        row["status"] = status
        row["updated_index"] = len(self.rows)
        for htlc in self.htlcs:
            htlc["state"] = "RCVD_REMOVE_ACK_REVOCATION"
        if status == "complete":
            row["payment_preimage"] = self.preimage
            self.debits.append({"created_index": len(self.debits) + 1, "debit_msat": row["amount_sent_msat"], "credit_msat": 0, "primary_tag": "invoice",
                                "payment_hash": row["payment_hash"], "group_id": row["groupid"], "part_id": row["partid"]})

    def blame(self, row, failcode, index=1):
        n = 0
        return {"erring_index": index, "failcode": failcode, "erring_node": PEERS[n] if index == 1 else PAYEE,
                "erring_channel": f"112x{n}x0", "erring_direction": 0}

    # --- a payment to ask for ---

    preimage = "5a" * 32

    @classmethod
    def payment_hash(cls):
        return hashlib.sha256(bytes.fromhex(cls.preimage)).hexdigest()
