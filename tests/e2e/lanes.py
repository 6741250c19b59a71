"""A network in which an invoice needs parts: lanes beside each other from our node to one payee, none of which carries it alone."""

import contextlib
import os
import sqlite3

import harness

SAT = 1_000
LANE = 500_000  # sat of ours in each lane
TIMEOUT_OF_SETS = 61  # seconds of the network's time


def scid(block):
    return block << 40 | 1 << 16


class Lanes(harness.World):
    """A network of lanes: n0 is our node and n2 the payee; lane i goes from n0 over the node n(i+2), by the channels 100+i and 200+i."""

    network_args = ["--nodes", "20", "--channels", "19"]
    lanes = 17

    def setUp(self):
        super().setUp()
        self.build(self.lanes)

    def network(self, statement, *values):
        with contextlib.closing(sqlite3.connect(self.net, timeout=20)) as network, network:
            return network.execute(statement, values).fetchall()

    def build(self, lanes, beyond=None):
        """Replaces all channels by `lanes` lanes. `beyond`: what the node in the middle can send on to the payee, in sat."""
        keys = dict(self.network("SELECT node, pub_key FROM nodes"))
        self.network("DELETE FROM channels")
        for lane in range(1, lanes + 1):
            self.add_channel(keys, 100 + lane, 0, lane + 2, LANE)
            self.add_channel(keys, 200 + lane, lane + 2, 2, 4 * LANE if beyond is None else beyond)
        self.network("UPDATE numbers SET value = value + 1 WHERE which = 17")  # the graph's version
        self.network("UPDATE numbers SET value = 2000000 WHERE which = 2")  # 2 ms from the hand-over to the end

    def add_channel(self, keys, block, near, far, ours):
        sides = sorted(((near, ours), (far, 4 * LANE - ours)), key=lambda side: keys[side[0]])
        policy = (0, 1_000, 10, 40, 1, 4 * LANE * SAT)
        values = (scid(block), sides[0][0], sides[1][0], 4 * LANE * SAT, sides[0][1] * SAT, sides[1][1] * SAT, 1, *policy, *policy)
        self.network(f"INSERT INTO channels VALUES ({','.join('?' * len(values))})", *values)

    def pass_time(self, seconds):
        """Moves only the network's clock: its payees have waited that long."""
        self.network("INSERT INTO numbers VALUES (3, ?1) ON CONFLICT DO UPDATE SET value = value + ?1", seconds * 1_000_000_000)

    def invoice_of(self, parts, *more):
        """An invoice that needs this many parts, because fewer lanes cannot carry it."""
        return self.invoice(f"{LANE * parts - LANE // 2}sat", "--node", "n2", *more)

    # --- the judgement ---

    def settled(self, payment_hash):
        """What the payee received, in msat, and in how many parts."""
        rows = [row["amt_msat"] for row in self.ledger(payment_hash) if row["state"] == "settled"]
        return sum(map(int, rows)), len(rows)

    def assert_paid_exactly(self, invoice, parts=None):
        decoded = self.decode(invoice)
        payment_hash = decoded["payment_hash"]
        got, settled = self.settled(payment_hash)
        self.assertEqual(got, int(decoded["value_msat"]))
        self.assertFalse(self.held(payment_hash))
        shown = self.ok("show", payment_hash, "--json").json()
        self.assertEqual((shown["status"], shown["parts"], shown["fee_final"]), ("SUCCEEDED", settled, True))
        ours = [htlc for htlc in shown["htlcs"] if htlc["status"] == "SUCCEEDED"]
        self.assertEqual(len(ours), settled)
        self.assertEqual(sum(int(htlc["route"]["total_fees_msat"]) for htlc in ours), int(shown["fee_msat"]))
        self.assertEqual(sum(int(htlc["route"]["total_amt_msat"]) for htlc in ours), got + int(shown["fee_msat"]))
        if parts is not None:
            self.assertEqual(settled, parts)
        return shown

    def assert_not_paid(self, invoice):
        payment_hash = self.hash_of(invoice)
        states = {row["state"] for row in self.ledger(payment_hash)}
        self.assertLessEqual(states, {"failed", "fenced"})
        shown = self.ok("show", payment_hash, "--json").json()
        self.assertEqual(shown["status"], "FAILED")
        return shown

    def states(self, payment_hash):
        return sorted((row["part"], row["state"]) for row in self.ledger(payment_hash))

    def count(self, payment_hash, state):
        return [row["state"] for row in self.ledger(payment_hash)].count(state)
