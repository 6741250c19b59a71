"""Goal: M1 to M6 as a user meets them: another payment's failure fails no payment, amounts count, a new policy is used, and the
memory can be seen and put aside. Method: small networks whose channels are written by hand, over the file or over a socket."""

import contextlib
import json
import os
import sqlite3
import unittest

import harness
from harness import World

SAT = 1_000


def scid(block):
    return (block << 40) | (1 << 16)


class Mission(World):
    def build(self, *channels):
        """Replaces all channels by these: (block, from, to, {"cap", "ours": spendable by `from`, "fee": (base, ppm), "delta",
        "private"}), in sat."""
        with contextlib.closing(sqlite3.connect(self.net)) as network, network:
            keys = dict(network.execute("SELECT node, pub_key FROM nodes"))
            network.execute("DELETE FROM channels")
            for block, start, end, more in channels:
                capacity = more.get("cap", 10_000_000) * SAT
                spendable = more.get("ours", more.get("cap", 10_000_000) // 2) * SAT
                sides = [(start, spendable), (end, capacity - spendable)]
                base, ppm = more.get("fee", (1_000, 10))
                policy = [(0, base, ppm, more.get("delta", 40), 1, capacity)] * 2
                if keys[start] > keys[end]:
                    sides.reverse()
                network.execute("INSERT INTO channels VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                                (scid(block), sides[0][0], sides[1][0], capacity, sides[0][1], sides[1][1], 0 if more.get("private") else 1,
                                 *policy[0], *policy[1]))
            network.execute("UPDATE numbers SET value = value + 1 WHERE which = 17")  # the graph's version

    @contextlib.contextmanager
    def changed(self):
        """Opens the network's file to change policies. Failures take time: the node only keeps the policy of a failure that is
        newer than the question for it."""
        with contextlib.closing(sqlite3.connect(self.net)) as network, network:
            network.execute("UPDATE numbers SET value = 1000000000 WHERE which = 2")
            yield network

    def raise_fees(self, where, factor=3):
        with self.changed() as network:
            network.execute(f"UPDATE channels SET fee_base0_msat = fee_base0_msat * ?, fee_base1_msat = fee_base1_msat * ? WHERE {where}",
                            (factor, factor))

    def batch(self, invoices, *more):
        path = os.path.join(self.folder, "batch.ndjson")
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(json.dumps({"invoice": invoice}) + "\n" for invoice in invoices)
        return self.run_it("send", "--batch", path, "--yes", *more)

    def paid(self, invoices):
        states = {one["payment_hash"]: one["status"] for one in self.payments()}
        return sum(states.get(self.hash_of(invoice)) == "SUCCEEDED" for invoice in invoices)

    def test_one_refused_and_forty_good_to_the_same_payee(self):
        self.build((100, 0, 1, {}), (101, 1, 2, {}), (102, 2, 3, {}))
        refused = self.invoice("10sat", "--node", "n3", "--fail", "INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS")
        good = [self.invoice("10sat", "--node", "n3") for _ in range(40)]
        outcome = self.batch([refused, *good], "--parallel", "8")
        self.assertEqual(outcome.code, harness.FAILED, outcome.err)
        self.assertEqual(self.paid(good), 40)
        self.assertEqual(self.paid([refused]), 0)

    def test_one_too_large_for_any_channel_and_forty_small(self):
        self.build((100, 0, 1, {"cap": 20_000_000}), (101, 1, 2, {"cap": 20_000_000, "ours": 1_000_000}), (102, 2, 3, {"cap": 20_000_000}))
        large = self.invoice("2000000sat", "--node", "n3")
        small = [self.invoice("1000sat", "--node", "n3") for _ in range(40)]
        outcome = self.batch([large, *small], "--parallel", "8")
        self.assertEqual(outcome.code, harness.FAILED, outcome.err)
        self.assertEqual(self.paid(small), 40)

    def test_a_channel_that_failed_much_carries_little_at_once(self):
        self.build((100, 0, 1, {}), (101, 1, 2, {"ours": 100_000}))
        self.expect(harness.FAILED, "send", self.invoice("1000000sat", "--node", "n2"), "--yes")
        shown = self.ok("send", self.invoice("10000sat", "--node", "n2"), "--yes", "--json").json()
        self.assertEqual((shown["status"], len(shown["htlcs"])), ("SUCCEEDED", 1))

    def full_at(self, htlcs):
        with contextlib.closing(sqlite3.connect(self.net)) as network, network:
            network.execute("INSERT OR REPLACE INTO numbers VALUES(22, ?)", (htlcs,))

    def test_more_at_once_than_our_channel_holds(self):
        self.build((100, 0, 1, {}), (101, 1, 2, {}))
        self.full_at(5)
        many = [self.invoice("10sat", "--node", "n2", "--hold", "100ms") for _ in range(40)]
        outcome = self.batch(many, "--parallel", "40")
        self.assertEqual(outcome.code, harness.OK, outcome.err)
        self.assertEqual(self.paid(many), 40)
        codes = [htlc["failure"]["code"] for one in self.payments() for htlc in one["htlcs"] if htlc["failure"]]
        self.assertEqual(set(codes), {"CHANNEL_FULL"})
        # They take turns: on a slow machine some are tried again before there is room, after pauses that double.
        self.assertLess(len(codes), 40 * 10)

    def test_a_full_channel_is_gone_round(self):
        self.build((100, 0, 1, {}), (101, 1, 3, {}), (102, 0, 2, {}), (103, 2, 3, {"fee": (2_000, 10)}))
        self.full_at(1)
        held = self.invoice("10sat", "--node", "n3", "--hold", "forever")
        self.expect(harness.UNKNOWN, "send", held, "--yes", "--wait", "0")
        paid = self.ok("send", self.invoice("10sat", "--node", "n3"), "--yes", "--json").json()
        self.assertEqual([htlc["failure"]["code"] if htlc["failure"] else None for htlc in paid["htlcs"]], ["CHANNEL_FULL", None])

    def test_anothers_htlcs_fill_the_channel(self):
        """Nobody reports when another user's HTLC ends: the payment tries again until its own deadline."""
        self.build((100, 0, 1, {}), (101, 1, 2, {}))
        self.full_at(1)
        held = self.invoice("10sat", "--node", "n2", "--hold", "2s")
        self.expect(harness.UNKNOWN, "send", held, "--yes", "--wait", "0")
        self.ok("send", self.invoice("10sat", "--node", "n2"), "--yes")
        self.ok("resume")
        held = self.invoice("10sat", "--node", "n2", "--hold", "forever")
        self.expect(harness.UNKNOWN, "send", held, "--yes", "--wait", "0")
        late = self.expect(harness.FAILED, "send", self.invoice("10sat", "--node", "n2"), "--yes", "--timeout", "2s", "--json").json()
        self.assertEqual(late["failure_reason"], "FAILURE_REASON_TIMEOUT")
        left = self.expect(harness.UNKNOWN, "send", self.invoice("10sat", "--node", "n2"), "--yes", "--wait", "1s", "--json").json()
        self.assertEqual(left["htlcs"][0]["failure"]["code"], "CHANNEL_FULL")

    def test_a_hub_that_failed_once_is_tried_for_another_payee(self):
        self.build((100, 0, 1, {}), (101, 1, 2, {}), (102, 1, 3, {}))
        self.expect(harness.FAILED, "send", self.invoice("10sat", "--node", "n2", "--fail", "TEMPORARY_NODE_FAILURE@1x1"), "--yes")
        self.ok("send", self.invoice("10sat", "--node", "n3"), "--yes")

    def test_what_failed_for_another_payment_is_avoided_where_there_is_another_way(self):
        """The cheap route has no liquidity. One payment finds that out; the next ones avoid it at once, except with --no-memory."""
        self.build((100, 0, 1, {}), (101, 1, 3, {"ours": 100}), (102, 0, 2, {}), (103, 2, 3, {"fee": (5_000, 10)}))
        first = self.ok("send", self.invoice("10000sat", "--node", "n3"), "--yes", "--json", "--fee-limit", "100sat").json()
        self.assertEqual(len(first["htlcs"]), 2)
        second = self.ok("send", self.invoice("10000sat", "--node", "n3"), "--yes", "--json", "--fee-limit", "100sat").json()
        self.assertEqual(len(second["htlcs"]), 1)
        third = self.ok("send", self.invoice("10000sat", "--node", "n3"), "--yes", "--json", "--fee-limit", "100sat", "--no-memory").json()
        self.assertEqual(len(third["htlcs"]), 2)  # the payment's own failure is excluded all the same

    def test_a_line_of_a_batch_has_no_memory_of_its_own(self):
        path = os.path.join(self.folder, "batch.ndjson")
        with open(path, "w", encoding="utf-8") as file:
            file.write(json.dumps({"invoice": self.invoice("10sat"), "no_memory": True}) + "\n")
        self.expect(harness.USAGE, "send", "--batch", path, "--yes")
        self.assertEqual(self.batch([self.invoice("10sat")], "--no-memory").code, harness.OK)

    def test_deleting_the_history_deletes_the_advice(self):
        self.build((100, 0, 1, {}), (101, 1, 3, {"ours": 100}), (102, 0, 2, {}), (103, 2, 3, {"fee": (5_000, 10)}))
        self.ok("send", self.invoice("10000sat", "--node", "n3"), "--yes", "--fee-limit", "100sat")
        self.ok("delete", "--all", "--include-non-failed", "--yes")
        again = self.ok("send", self.invoice("10000sat", "--node", "n3"), "--yes", "--json", "--fee-limit", "100sat").json()
        self.assertEqual(len(again["htlcs"]), 2)

    def test_a_private_hop_that_raised_its_fee_is_paid_what_it_asks(self):
        self.build((100, 0, 1, {}), (101, 1, 2, {}), (102, 2, 3, {"private": True, "fee": (500, 50), "delta": 30}))
        invoice = self.invoice("100000sat", "--node", "n3")
        self.raise_fees("announced = 0")
        paid = self.ok("send", invoice, "--yes", "--json").json()
        self.assertEqual([htlc["failure"]["code"] if htlc["failure"] else None for htlc in paid["htlcs"]], ["FEE_INSUFFICIENT", None])

    def test_a_private_hop_that_asks_more_than_the_limit_is_not_paid(self):
        self.build((100, 0, 1, {}), (101, 1, 2, {}), (102, 2, 3, {"private": True, "fee": (500, 50), "delta": 30}))
        invoice = self.invoice("100000sat", "--node", "n3")
        self.raise_fees("announced = 0", 10_000)
        failed = self.expect(harness.FAILED, "send", invoice, "--yes", "--json").json()
        self.assertEqual(len(failed["htlcs"]), 1)
        self.assertEqual(failed["failure_detail"]["code"], "fee_limit")

    def test_a_private_hop_that_wants_more_time_is_given_it(self):
        self.build((100, 0, 1, {}), (101, 1, 2, {}), (102, 2, 3, {"private": True, "fee": (500, 50), "delta": 30}))
        invoice = self.invoice("100000sat", "--node", "n3")
        with self.changed() as network:
            network.execute("UPDATE channels SET cltv_delta0 = 90, cltv_delta1 = 90 WHERE announced = 0")
        self.assertEqual(len(self.ok("send", invoice, "--yes", "--json").json()["htlcs"]), 2)

    def test_why_there_is_no_route_names_what_was_excluded_and_by_whom(self):
        self.build((100, 0, 1, {}), (101, 1, 2, {"ours": 100}))
        invoice = self.invoice("10000sat", "--node", "n2")
        named = r"101x1x0/[01] \(TEMPORARY_CHANNEL_FAILURE by 0[23][0-9a-f]{64}\)"
        self.assertRegex(self.expect(harness.FAILED, "send", invoice, "--yes").out, named)
        another = self.invoice("10000sat", "--node", "n2")
        detail = self.expect(harness.FAILED, "send", another, "--yes", "--json").json()["failure_detail"]
        self.assertEqual(detail["code"], "excluded")
        self.assertRegex(detail["message"], named)


if __name__ == "__main__":
    unittest.main()
