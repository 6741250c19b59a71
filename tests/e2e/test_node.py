"""Goal: many payments over one connection to a node, none lost and none crossed; and only a node of ours is spoken to."""

import json
import os
import subprocess
import unittest

import harness
from harness import World

NOBODY = 65534


class Node(World):
    def start(self, *more, **how):
        path = os.path.join(self.folder, "lightning-rpc")
        server = self.popen("simulate", "serve", "--socket", path, *more, stdout=subprocess.DEVNULL, **how)
        self.addCleanup(server.communicate)
        self.addCleanup(server.terminate)
        self.assertIn("serving", server.stderr.readline())
        self.switch = self.env["PAYTOWER_SWITCH"] = "cln:" + path

    def test_many_payments_answered_in_random_order(self):
        invoices = {number: self.invoice(f"{number + 1}sat") for number in range(1, 151)}
        hashes = {number: self.hash_of(invoice) for number, invoice in invoices.items()}
        batch = os.path.join(self.folder, "batch.ndjson")
        with open(batch, "w", encoding="utf-8") as file:
            file.writelines(json.dumps({"invoice": invoice}) + "\n" for invoice in invoices.values())
        self.start("--faults", "shuffle=20@*,seed=3")
        outcome = self.ok("send", "--batch", batch, "--yes", "--parallel", "150")
        results = [json.loads(line) for line in outcome.out.splitlines()]
        self.assertEqual(sorted(result["line"] for result in results), sorted(invoices))
        for result in results:
            payment = result["payment"]
            self.assertEqual(payment["payment_hash"], hashes[result["line"]])
            self.assertEqual(payment["value_msat"], 1000 * (result["line"] + 1))
            self.assertEqual([htlc["status"] for htlc in payment["htlcs"]], ["SUCCEEDED"])
        self.assertEqual(len({result["payment"]["payment_preimage"] for result in results}), len(results))
        for payment_hash in hashes.values():
            self.assertEqual([row["state"] for row in self.ledger(payment_hash)], ["settled"])

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
        self.expect(harness.USAGE, "send", invoice, "--yes", "--node-user", "no such user")
        self.ok("send", invoice, "--yes", "--node-user", str(NOBODY))


if __name__ == "__main__":
    unittest.main()
