"""For tests: folders with a database and doubles of lnd (tests/lndnode), and the judgement over what was paid: the double's ledger."""

import concurrent.futures
import hashlib
import os
import signal
import sys

import harness

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "lndnode"))
import running  # noqa: E402

SEND, TRACK = "/v2/router/route/send", "/v2/router/track/"
LIFE = 42  # seconds: the time of a hand-over, its grace, and a little
LEFT = 130  # until anybody may end another's fence
RUNNING = {"registered", "circuit", "queued", "signed", "forwarded", "held"}
NOWHERE = 1  # the channel of a fence
PATIENCE = 120.0  # seconds: as long as a busy machine may take
LONG = ("--timeout", "10m")  # of a payment that a later resume goes on with, however busy the machine is


class BesideLnd(harness.World):
    def setUp(self):
        super().setUp()
        self.started = 0
        self.peer = self.lnd()
        self.use(self.peer)

    def lnd(self, *args, network=None):
        """Starts another lnd, which knows nothing of the others."""
        self.started += 1
        folder = os.path.join(self.folder, f"lnd{self.started}")
        os.mkdir(folder)
        peer = running.RunningPeer(folder, *args, network=network)
        self.addCleanup(peer.close)
        return peer

    @staticmethod
    def at(peer, macaroon="paytower.macaroon"):
        """The environment that names this lnd."""
        return {"PAYTOWER_SWITCH": "lnd:" + peer.address, "PAYTOWER_TLS_CERT": peer.cert, "PAYTOWER_MACAROON": peer.macaroon_path(macaroon)}

    def use(self, peer):
        self.peer = peer
        self.env.update(self.at(peer))

    def own(self, peer, name):
        """The environment of another database that uses this lnd."""
        return {**self.at(peer), "PAYTOWER_DB": os.path.join(self.folder, name + ".db")}

    # --- steps ---

    def made(self, amount_msat=50_000, peer=None, **more):
        """Makes an invoice of the network; returns its text and its hash."""
        made = (peer or self.peer)("invoice", amount_msat=amount_msat, **more)
        return made["payment_request"], made["hash"]

    def side_by_side(self, work, things):
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            return list(pool.map(work, things))

    def pass_time(self, seconds=LIFE, peer=None):
        (peer or self.peer)("clock", add=seconds)

    def fault(self, peer=None, **given):
        return (peer or self.peer)("fault", **given)["fault"]

    def htlcs(self, payment_hash, peer=None, fences=False):
        """The HTLCs that paytower made at lnd; with `fences`, its fences instead."""
        rows = (peer or self.peer)("ledger", hash=payment_hash)["ledger"]
        return [row for row in rows if "root_key" in row["user"] and (row["chan"] == NOWHERE) == fences]

    def states(self, payment_hash, peer=None):
        return [row["state"] for row in self.htlcs(payment_hash, peer)]

    def wait_for(self, payment_hash, state, count=1, peer=None, seconds=PATIENCE):
        (peer or self.peer)("wait", hash=payment_hash, state=state, count=count, seconds=seconds)

    def send_until(self, invoice, *more, env=None, **until):
        """Sends until lnd has reached the state `until` (`wait` of tests/lndnode), then terminates the send: like exit 4, the
        outcome is open."""
        process = self.popen("send", invoice, "--yes", *(() if "--timeout" in more else LONG), *more, env=env)
        try:
            self.peer("wait", seconds=PATIENCE, **until)
        finally:
            process.terminate()
            _, err = process.communicate()
        self.assertEqual(process.returncode, 128 + signal.SIGTERM, err)

    def send_held(self, amount_msat=50_000, **more):
        """Makes a payment that its payee holds."""
        invoice, payment_hash = self.made(amount_msat, hold=True, **more)
        self.send_until(invoice, hash=payment_hash, state="held")
        return invoice, payment_hash

    def send_lost(self):
        """Makes a payment whose hand-over was lost before lnd had it."""
        invoice, payment_hash = self.made()
        self.send_until(invoice, fault=self.fault(do="drop", path=SEND, hash=payment_hash))
        return invoice, payment_hash

    # --- the judgement ---

    def judge(self, payment_hash, amount, peer=None, env=None):
        """Checks the rules that hold at any moment. Returns the payment's status, None if it is not recorded."""
        shown = self.run_it("show", payment_hash, "--json", env=env)
        rows = self.htlcs(payment_hash, peer)
        self.judge_amount(rows, amount)
        if shown.code in (harness.NOT_FOUND, harness.DATABASE):
            self.assertEqual(rows, [])
            return None
        payment = shown.json()
        states = {row["state"] for row in rows}
        if payment["status"] == "FAILED":
            self.assertLessEqual(states, {"failed"}, rows)
        if payment["status"] == "SUCCEEDED":
            self.assertIn("settled", {row["state"] for row in (peer or self.peer)("ledger", hash=payment_hash)["ledger"]})
            self.assertEqual(hashlib.sha256(bytes.fromhex(payment["payment_preimage"])).hexdigest(), payment_hash)
        return payment["status"]

    def judge_amount(self, rows, amount):
        """R2: at each moment at which an HTLC is made, what has settled or may still settle is at most the amount."""
        for newest in rows:
            at = newest["moments"]["registered"]
            together = [row["amount_msat"] for row in rows if row["moments"]["registered"] <= at and "orphan" not in row["moments"]
                        and row["moments"].get("failed", at + 1) > at]
            self.assertLessEqual(sum(together), amount, rows)

    def assert_paid(self, payment_hash, amount, attempts=None, peer=None, env=None):
        self.assertEqual(self.judge(payment_hash, amount, peer, env), "SUCCEEDED")
        settled = [row["amount_msat"] for row in self.htlcs(payment_hash, peer) if row["state"] == "settled"]
        self.assertEqual(sum(settled), amount)
        if attempts is not None:
            self.assertEqual(len(self.ok("show", payment_hash, "--json", env=env).json()["htlcs"]), attempts)
