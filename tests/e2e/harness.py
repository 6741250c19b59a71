"""A folder with a database and a simulated network, and the paytower binary run in it as a user would."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
import unittest

BINARY = os.environ["PAYTOWER_BINARY"]
SANITIZED = os.environ.get("PAYTOWER_SANITIZED") == "1"
OVER_SOCKET = os.environ.get("PAYTOWER_OVER_SOCKET") == "1"  # pay through `simulate serve` instead of the file

OK, INTERNAL, USAGE, FAILED, UNKNOWN, REFUSED, BUSY, UNAVAILABLE, DATABASE, NOT_FOUND, NOT_CONFIRMED = range(11)


class Outcome:
    """What one run printed and how it ended."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def json(self):
        return json.loads(self.out)

    def error(self):
        return json.loads(self.err.strip().splitlines()[-1])["error"]

    def __repr__(self):
        return f"exit {self.code}\nstdout: {self.out}\nstderr: {self.err}"


class World(unittest.TestCase):
    """Each test has its own folder, database and network."""

    network_args = ["--seed", "7"]

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="paytower-test-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.db = os.path.join(self.folder, "payments.db")
        self.net = os.path.join(self.folder, "network.sim")
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": self.folder,
            "TZ": "UTC",
            "PAYTOWER_DB": self.db,
            "PAYTOWER_CONFIG": "none",
        }
        self.switch = self.file_switch = "sim:" + self.net
        self.env["PAYTOWER_SWITCH"] = self.switch
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]
        self.ok("simulate", "network", "--out", self.net, *self.network_args)
        if OVER_SOCKET:
            self.serve()

    def serve(self):
        """Serves the network on a socket, as a node would be. `simulate` still works on the file."""
        path = os.path.join(self.folder, "lightning-rpc")
        server = self.popen("simulate", "serve", "--socket", path, stdout=subprocess.DEVNULL)
        self.addCleanup(server.stderr.close)
        self.addCleanup(server.wait)
        self.addCleanup(server.terminate)
        self.assertIn("serving", server.stderr.readline())
        self.switch = self.env["PAYTOWER_SWITCH"] = "cln:" + path

    # --- running ---

    def popen(self, *args, env=None, **more):
        more.setdefault("stdin", subprocess.DEVNULL)
        more.setdefault("stdout", subprocess.PIPE)
        more.setdefault("stderr", subprocess.PIPE)
        more.setdefault("start_new_session", True)  # no controlling terminal
        variables = {**self.env, **(env or {})}
        if args[:1] == ("simulate",) and self.switch != self.file_switch:
            variables["PAYTOWER_SWITCH"] = self.file_switch
        return subprocess.Popen([BINARY, *args], env=variables, cwd=self.folder, text=True, errors="replace", **more)

    def run_it(self, *args, env=None, timeout=120, text=None, **more):
        if text is not None:
            more["stdin"] = subprocess.PIPE
        process = self.popen(*args, env=env, **more)
        out, err = process.communicate(text, timeout=timeout)
        return Outcome(process.returncode, out, err)

    def expect(self, code, *args, **more):
        outcome = self.run_it(*args, **more)
        self.assertEqual(outcome.code, code, f"{' '.join(args)[:300]}\n{outcome}")
        return outcome

    def ok(self, *args, **more):
        return self.expect(OK, *args, **more)

    # --- the usual steps ---

    def own_key(self):
        with sqlite3.connect(self.net) as network:
            ((key,),) = network.execute("SELECT pub_key FROM nodes WHERE node = 0")
        network.close()
        return key.hex()

    def invoice(self, amount="250sat", *more):
        return self.ok("simulate", "invoice", "--amt", amount, *more).out.strip()

    def decode(self, invoice):
        return self.ok("decode", invoice, "--json").json()

    def hash_of(self, invoice):
        return self.decode(invoice)["payment_hash"]

    def payments(self, *more):
        return self.ok("list", "--json", "--max-payments", "0", *more).json()["payments"]

    def ledger(self, payment_hash=None):
        args = ["simulate", "ledger"] + ([payment_hash] if payment_hash else [])
        return [json.loads(line) for line in self.ok(*args).out.splitlines()]

    def wait_until(self, what, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if what():
                return
            time.sleep(0.02)
        self.fail("waited in vain")

    def held(self, payment_hash=None):
        return any(row["state"] == "held" for row in self.ledger(payment_hash))

    def send_in_background(self, invoice, *more):
        """Returns when the payment's HTLC is held, or the process has ended."""
        process = self.popen("send", invoice, "--yes", *more)
        payment_hash = self.hash_of(invoice)
        self.wait_until(lambda: self.held(payment_hash) or process.poll() is not None)
        return process

    def kill(self, process):
        process.send_signal(signal.SIGKILL)
        process.communicate()

    def integrity(self):
        done = subprocess.run(["sqlite3", self.db, "PRAGMA integrity_check"], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def assert_paid_once(self, payment_hash):
        states = [row["state"] for row in self.ledger(payment_hash)]
        self.assertEqual(states.count("settled"), 1, states)
        self.assertNotIn("held", states)
        shown = self.ok("show", payment_hash, "--json").json()
        self.assertEqual(shown["status"], "SUCCEEDED")
        return shown


if __name__ == "__main__":
    unittest.main()
