"""Goal: many payments over one connection to a node, none lost and none crossed; and only a node of ours is spoken to."""

import hashlib
import json
import os
import pwd
import re
import shutil
import subprocess
import threading
import time
import unittest

import harness
from harness import World

NOBODY = 65534
MANY = 150 if harness.SANITIZED else 500  # each one is a few processes, which a sanitizer makes slow to start
PARALLEL = "483"  # --parallel of one call: as many HTLCs as a channel direction holds
MOST_RESIDENT_KIB = 40 * 1024  # limit for paytower with this many open payments: twice what it needs


class Node(World):
    def start(self, *more, **how):
        path = os.path.join(self.folder, "lightning-rpc")
        server = self.server = self.popen("simulate", "serve", "--socket", path, *more, stdout=subprocess.DEVNULL, **how)
        self.addCleanup(server.communicate)
        self.addCleanup(server.terminate)
        self.assertIn("serving", server.stderr.readline())
        self.switch = self.env["PAYTOWER_SWITCH"] = "cln:" + path

    def run_measured(self, *args):
        """The outcome, and the most memory that the process ever had resident (VmHWM, in KiB)."""
        process = self.popen(*args)
        peak = [0]

        def watch():
            while process.returncode is None:
                try:
                    with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
                        peak[0] = max([peak[0], *(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))])
                except (FileNotFoundError, ProcessLookupError):
                    return
                time.sleep(0.005)

        watcher = threading.Thread(target=watch)
        watcher.start()
        out, err = process.communicate(timeout=400)
        watcher.join()
        return harness.Outcome(process.returncode, out, err), peak[0]

    def invoices(self, *more):
        """Invoice and payment hash by number; number n asks for n sat."""
        made = {}
        for number in range(1, MANY + 1):
            invoice = self.ok("simulate", "invoice", "--amt", f"{number}sat", "--json", *more).json()
            made[number] = (invoice["payment_request"], invoice["payment_hash"])
        return made

    def batch(self, invoices):
        path = os.path.join(self.folder, "batch.ndjson")
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(json.dumps({"invoice": invoice}) + "\n" for invoice, _ in invoices)
        return path

    def leave_open(self, invoices):
        """Leaves all of them held at their payees, with no paytower running: more than one call may have open at once."""
        for some in range(0, MANY, MANY // 2):
            batch = self.batch(list(invoices.values())[some:some + MANY // 2])
            sender = self.popen("send", "--batch", batch, "--yes", "--parallel", PARALLEL, stdout=subprocess.DEVNULL)
            self.wait_until(lambda: sum(row["state"] == "held" for row in self.ledger()) == some + MANY // 2, 60)
            self.kill(sender)

    def release_all(self, invoices):
        for _, payment_hash in invoices.values():
            self.ok("simulate", "release", payment_hash)

    def assert_none_lost_none_crossed(self, payments, invoices):
        by_hash = {payment["payment_hash"]: payment for payment in payments}
        self.assertEqual(len(by_hash), MANY)
        for number, (_, payment_hash) in invoices.items():
            payment = by_hash[payment_hash]
            self.assertEqual(payment["value_msat"], 1000 * number)
            self.assertEqual([htlc["status"] for htlc in payment["htlcs"]], ["SUCCEEDED"])
            self.assertEqual(hashlib.sha256(bytes.fromhex(payment["payment_preimage"])).hexdigest(), payment["payment_hash"])
        ledger = self.ledger()
        self.assertEqual(len(ledger), MANY)
        self.assertEqual({row["state"] for row in ledger}, {"settled"})

    def assert_bounded(self, peak):
        print(f"peak resident memory: {peak} KiB")
        if not harness.SANITIZED:
            self.assertGreater(peak, 0)
            self.assertLess(peak, MOST_RESIDENT_KIB)

    def test_many_payments_answered_in_random_order(self):
        invoices = self.invoices()
        batch = self.batch(invoices.values())
        self.start("--faults", "shuffle=20@*,seed=3")
        outcome, peak = self.run_measured("send", "--batch", batch, "--yes", "--parallel", PARALLEL)
        self.assertEqual(outcome.code, harness.OK, outcome.err)
        results = [json.loads(line) for line in outcome.out.splitlines()]
        self.assertEqual(sorted(result["line"] for result in results), sorted(invoices))
        for result in results:
            self.assertEqual(result["payment"]["payment_hash"], invoices[result["line"]][1])
        self.assert_none_lost_none_crossed([result["payment"] for result in results], invoices)
        self.assert_bounded(peak)

    def test_many_open_payments_resumed_over_one_connection(self):
        invoices = self.invoices("--hold", "forever")
        self.start()
        self.leave_open(invoices)
        self.server.terminate()
        self.server.wait()
        self.start("--faults", "shuffle=20@*,seed=5")
        self.release_all(invoices)
        outcome, peak = self.run_measured("resume", "--wait", "6m", "--json")
        self.assertEqual(outcome.code, harness.OK, outcome.err)
        self.assertEqual(outcome.json()["succeeded"], MANY)
        self.assert_none_lost_none_crossed(self.payments(), invoices)
        self.assert_bounded(peak)

    def test_many_open_payments_settle_while_they_are_waited_for(self):
        invoices = self.invoices("--hold", "forever")
        self.start("--faults", "shuffle=20@*,seed=8")
        self.leave_open(invoices)
        waiting = threading.Thread(target=lambda: self.release_all(invoices))
        waiting.start()
        outcome, peak = self.run_measured("resume", "--wait", "6m", "--json")
        waiting.join()
        self.assertEqual(outcome.code, harness.OK, outcome.err)
        self.assertEqual(outcome.json()["succeeded"], MANY)
        self.assert_none_lost_none_crossed(self.payments(), invoices)
        self.assert_bounded(peak)

    def assert_shows_the_nodes_user(self, command):
        """A program of that name stands in for the node."""
        node = os.path.join(self.folder, "lightningd")
        shutil.copy("/bin/sleep", node)
        with subprocess.Popen([node, "60"], user=NOBODY) as process:
            self.addCleanup(process.kill)
            shown = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
            process.kill()
        self.assertIn(pwd.getpwuid(NOBODY).pw_name, shown.stdout.split())

    @unittest.skipUnless(os.geteuid() == 0, "only root can start somebody else's node")
    def test_somebody_elses_socket(self):
        for name in [self.folder, *(os.path.join(self.folder, file) for file in os.listdir(self.folder))]:
            os.chown(name, NOBODY, NOBODY)
        invoice = self.invoice()
        for name in [self.folder, *(os.path.join(self.folder, file) for file in os.listdir(self.folder))]:
            os.chown(name, NOBODY, NOBODY)
        self.start(user=NOBODY, group=NOBODY)
        refused = self.expect(harness.UNAVAILABLE, "send", invoice, "--yes")
        self.assertIn("--node-user", refused.err)
        self.expect(harness.UNAVAILABLE, "send", invoice, "--yes", "--node-user", "1")
        unknown = self.expect(harness.USAGE, "send", invoice, "--yes", "--node-user", "no such user")
        self.assert_shows_the_nodes_user(re.search("^hint: (ps .*)$", unknown.err, re.M)[1])
        self.ok("send", invoice, "--yes", "--node-user", str(NOBODY))


if __name__ == "__main__":
    unittest.main()
