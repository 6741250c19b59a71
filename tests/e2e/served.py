"""A simulated node that is served with faults, and the judgement over what was paid: the network's own ledger."""

import json
import os
import socket
import subprocess

import harness
from relay import Relay


class Served(harness.World):
    def setUp(self):
        super().setUp()
        self.socket = os.path.join(self.folder, "lightning-rpc")
        self.server = None
        self.addCleanup(self.stop)
        self.seen = {}

    # --- the server ---

    def serve(self):
        """Not in setUp: start() serves, when the faults are known."""

    def start(self, faults=None):
        self.stop()
        more = ["--faults", faults] if faults else []
        self.server = self.popen("simulate", "serve", "--socket", self.socket, *more, stdout=subprocess.DEVNULL)
        self.switch = self.env["PAYTOWER_SWITCH"] = "cln:" + self.socket
        self.assertIn("serving", self.server.stderr.readline())

    def stop(self):
        if self.server:
            self.server.terminate()
            self.server.communicate()
            self.server = None

    def kill_server(self):
        self.server.kill()
        self.server.communicate()
        self.server = None

    def step(self, *args, **more):
        """Runs one command: it must not crash, hang, or fail as a bad call."""
        outcome = self.run_it(*args, timeout=60, **more)
        self.assertNotIn(outcome.code, (harness.INTERNAL, harness.USAGE), outcome)
        self.assertGreaterEqual(outcome.code, 0, outcome)
        return outcome

    def second_database(self):
        """Makes a copy of the database; returns the environment that uses it."""
        copy = os.path.join(self.folder, "copy.db")
        if os.path.exists(copy):
            for end in ("", "-wal", "-shm", ".lock", ".spool"):
                if os.path.exists(copy + end):
                    os.unlink(copy + end)
        self.ok("backup", copy)
        return {"PAYTOWER_DB": copy}

    def layers(self):
        """The node's layers, asked from the node itself and not through a relay."""
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(self.socket)
            line.sendall(b'{"jsonrpc":"2.0","id":"x","method":"askrene-listlayers","params":{}}\n\n')
            text = b""
            while not text.endswith(b"\n\n"):
                text += line.recv(65_536)
        return json.loads(text)["result"]["layers"]

    # --- the judgement ---

    @staticmethod
    def own_ids(payment):
        return {htlc["attempt_id"] for one in [payment, *payment["tries"]] for htlc in one["htlcs"] if htlc["origin"] == "own"}

    def judge_ledger(self, rows, own, fault, amount):
        """R2: what has settled plus what is locked is never more than `amount` (msat), at any time. `own`: our attempt ids."""
        ours = [row for row in rows if row["attempt_id"] in own]
        for newest in ours:
            at = int(newest["created_ns"])
            together = [row["amt_msat"] for row in ours if int(row["created_ns"]) <= at
                        and (row["state"] == "settled" or row["resolved_ns"] is None or int(row["resolved_ns"]) > at)]
            self.assertLessEqual(sum(together), amount, (fault, rows))

    def judge(self, payment_hash, fault, erased=False, env=None):
        """Checks the rules for one payment. `erased`: the node was made to forget something of it. Returns its status, None if it is not recorded."""
        shown = self.run_it("show", payment_hash, "--json", env=env)
        rows = sorted(self.ledger(payment_hash), key=lambda row: int(row["created_ns"]))
        # Nothing is stored, or the process was killed while it made the database.
        if shown.code in (harness.NOT_FOUND, harness.DATABASE):
            self.seen["nothing recorded"] = self.seen.get("nothing recorded", 0) + 1
            self.assertEqual([row for row in rows if not self.somebody_elses(fault)], [], fault)
            return None
        payment = shown.json()
        status = payment["status"]
        self.judge_ledger(rows, self.own_ids(payment), fault, payment["value_msat"])
        settled = any(row["state"] == "settled" for row in rows)
        if status == "SUCCEEDED":
            self.assertTrue(settled, (fault, rows))
        if status == "FAILED":
            self.assertFalse(any(row["state"] in ("settled", "held") for row in rows), (fault, rows))
        if status == "UNKNOWN":
            self.assertTrue(erased, (fault, payment))
        if erased and settled:
            self.assertIn(status, ("SUCCEEDED", "UNKNOWN", "IN_FLIGHT"), (fault, payment))
        self.seen[status] = self.seen.get(status, 0) + 1
        return status

    @staticmethod
    def somebody_elses(fault):
        return "foreign" in fault

    def heal_and_judge(self, payment_hash, fault, erased=False, wait="6s"):
        self.start()
        self.step("resume", "--wait", wait)
        self.step("resume", "--wait", wait)
        return self.judge(payment_hash, fault, erased)

    def report(self, what):
        print(f"{what}: {sum(self.seen.values())} faults, " + ", ".join(f"{count} {status}" for status, count in sorted(self.seen.items())))


class Relayed(Served):
    """A served network with a relay in front, which records what is asked."""

    def start(self, faults=None):
        super().start(faults)
        path = os.path.join(self.folder, "relay")
        if os.path.exists(path):
            os.unlink(path)
        self.relay = Relay(path, self.socket)
        self.addCleanup(self.relay.close)
        self.switch = self.env["PAYTOWER_SWITCH"] = "cln:" + path
