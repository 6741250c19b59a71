"""Goal: a payment without a route says why: the one limit, channel or balance that is in the way, with its number; the same words
from `send` and its dry run, over the network's file and over a node's socket, whether the node has getroute or only getroutes.
Method: networks of a few channels, one thing in the way each."""

import os
import re
import sqlite3
import unittest

import harness
from harness import FAILED
from relay import Relay
from served import Served

SAT = 1_000
CAPACITY = 10_000_000 * SAT


def scid(block):
    return block << 40 | 1 << 16


def text_of(block):
    return f"{block}x1x0"


class NoRoute(Served):
    def build(self, *channels):
        """Replaces all channels by these: (block, from, to, options). `from` has `balance`; the other options are `base`, `delta`,
        `most`, `disabled` and `public`."""
        with sqlite3.connect(self.net) as network:
            keys = dict(network.execute("SELECT node, pub_key FROM nodes"))
            network.execute("DELETE FROM channels")
            for block, near, far, how in channels:
                sides = sorted((near, far), key=lambda node: keys[node])
                mine = how.get("balance", CAPACITY // 2)
                balances = [mine if node == near else CAPACITY - mine for node in sides]
                policy = [how.get("disabled", 0), how.get("base", 0), 0, how.get("delta", 40), 1, how.get("most", CAPACITY)]
                row = [scid(block), *sides, CAPACITY, *balances, how.get("public", 1), *policy, *policy]
                network.execute(f"INSERT INTO channels VALUES ({','.join('?' * len(row))})", row)
        network.close()

    def chain(self, first=None, second=None):
        self.build((100, 0, 1, first or {}), (101, 1, 2, second or {}))

    def faces(self, older=True):
        """Runs over the network's file, over a node, and over an older node that has no getroutes."""
        self.switch = self.env["PAYTOWER_SWITCH"] = self.file_switch
        yield "file"
        for faults in (None, "without=getroutes")[:1 + older]:
            self.start(faults)
            yield faults or "node"
            self.stop()
        self.switch = self.env["PAYTOWER_SWITCH"] = self.file_switch

    def said(self, outcome):
        match = re.fullmatch(r"(?:Would fail|Not paid): (.*)\. (?:Nothing was sent or stored|Nothing is in flight; it is safe to pay again)\.\n(?:  payment hash  [0-9a-f]{64}\n)?", outcome.out)
        self.assertTrue(match, outcome)
        return match[1]

    def check(self, code, sentence, *call, reason="NO_ROUTE", parts="1", older=True):
        """Checks why there is no route, in each of these ways. `sentence`: a pattern that must match all of the message."""
        call = (*call, "--max-parts", parts)
        seen = set()
        for face in self.faces(older):
            with self.subTest(code=code, face=face):
                dry = self.expect(FAILED, "send", *call, "--dry-run")
                sent = self.expect(FAILED, "send", *call, "--yes")
                self.assertRegex(self.said(sent), f"^{sentence}$")
                self.assertEqual(self.said(dry), self.said(sent))
                seen.add(self.said(sent))
                payment = self.expect(FAILED, "send", *call, "--yes", "--json").json()
                self.assertEqual(payment["failure_reason"], "FAILURE_REASON_" + reason)
                self.assertEqual((payment["failure_detail"]["code"], payment["failure_detail"]["message"]), (code, self.said(sent)))
                shown = self.ok("show", payment["payment_hash"], "--json").json()  # another process, later
                self.assertEqual(shown["failure_detail"], payment["failure_detail"])
                self.assertIn(self.said(sent), self.ok("show", payment["payment_hash"]).out)
                planned = self.expect(FAILED, "send", *call, "--dry-run", "--json").json()
                self.assertEqual({name: planned[name] for name in ("failure_reason", "failure_detail")},
                                 {name: payment[name] for name in ("failure_reason", "failure_detail")})
        self.assertEqual(len(seen), 1)

    def test_limits(self):
        self.chain({}, {"base": 12_500, "delta": 144})
        invoice = self.invoice("1000sat", "--node", "n2")
        self.check("fee_limit", r"the cheapest route costs 12\.5 sat, --fee-limit allows 10 sat", invoice, "--fee-limit", "10sat")
        self.check("cltv_limit", r"the route that was found locks the amount for 162 blocks, --cltv-limit allows 100", invoice,
                   "--fee-limit", "13sat", "--cltv-limit", "100")
        self.check("fee_limit", r"the cheapest route costs 12\.5 sat, --fee-limit allows 1 sat; it also locks the amount for 162 blocks, --cltv-limit allows 100",
                   invoice, "--fee-limit", "1sat", "--cltv-limit", "100")
        payment = self.expect(FAILED, "send", invoice, "--yes", "--json", "--fee-limit", "10sat").json()
        self.assertEqual((payment["failure_detail"]["fee_msat"], payment["failure_detail"]["delay"]), (12_500, 162))

    def test_limits_behind_a_route_hint(self):
        self.build((100, 0, 1, {}), (101, 1, 2, {}), (102, 2, 3, {"base": 12_500, "public": 0}))
        invoice = self.invoice("1000sat", "--node", "n3")
        self.check("fee_limit", r"the cheapest route costs 12\.5 sat, --fee-limit allows 10 sat", invoice, "--fee-limit", "10sat")

    def test_balances(self):
        self.build((100, 0, 1, {}), (101, 0, 1, {}))
        self.check("amount_in_one_part", "no single channel or path carries 8,000,000 sat in one part, and --max-parts allows 1; together our channels can send 10,000,000 sat",
                   self.invoice("8000000sat", "--node", "n1"))
        self.check("no_balance", "our channels hold too little: together they can send 10,000,000 sat", self.invoice("10000001sat", "--node", "n1"),
                   reason="INSUFFICIENT_BALANCE")

        self.check("amount_in_one_part", "no single channel or path carries 8,000,000 sat in one part, and --max-attempts allows 1; together our channels can send 10,000,000 sat",
                   self.invoice("8000000sat", "--node", "n1"), "--max-attempts", "1", parts="16")

    def test_a_path_that_carries_less(self):
        self.chain({}, {"most": 1_000_000 * SAT})
        self.check("amount_in_one_part", "no single channel or path carries 2,000,000 sat in one part, and --max-parts allows 1; together our channels can send 5,000,000 sat",
                   self.invoice("2000000sat", "--node", "n2"))

    def test_paths_that_carry_less_also_in_parts(self):
        self.build((100, 0, 1, {}), (101, 0, 1, {}), (102, 0, 1, {}), (103, 1, 2, {"balance": CAPACITY}))
        invoice = self.invoice("12000000sat", "--node", "n2")
        for parts in ("16", "100"):  # an older node gives a route for each part alone, and knows nothing of their sum
            self.check("amount_in_parts", "no set of paths to the payee carries 12,000,000 sat, in parts neither; together our channels can send 15,000,000 sat",
                       invoice, parts=parts, older=False)

    def test_outgoing_channels(self):
        self.build((100, 0, 1, {}), (101, 0, 2, {"balance": 500 * SAT}), (102, 0, 3, {"disabled": 1}), (103, 1, 4, {}))
        invoice = self.invoice("1000sat", "--node", "n4")
        named = "which --outgoing-chan-id names"
        self.check("outgoing_channel_unknown", f"our node has no channel 7x1x0, {named}", invoice, "--outgoing-chan-id", "7x1x0")
        self.check("outgoing_channel_unusable", f"channel {text_of(102)}, {named}, cannot be used now: .*", invoice, "--outgoing-chan-id", text_of(102))
        self.check("outgoing_channel_balance", f"channel {text_of(101)}, {named}, holds too little: it can send 500 sat", invoice,
                   "--outgoing-chan-id", text_of(101), reason="INSUFFICIENT_BALANCE")
        self.check("outgoing_channel_no_route", "there are routes, but none begins with a channel that --outgoing-chan-id names",
                   self.invoice("100sat", "--node", "n4"), "--outgoing-chan-id", text_of(101))

    def test_nobody_knows_the_payee(self):
        self.chain()
        stranger = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
        self.check("payee_unknown", "the network does not know the payee: .*",
                   "--dest", stranger, "--payment-hash", "11" * 32, "--payment-secret", "22" * 32, "--amt", "1000sat")

    def test_no_channel_to_use(self):
        self.chain({"disabled": 1})
        self.check("no_channel", "our node has no channel that can be used now", self.invoice("1000sat", "--node", "n2"))

    def test_no_way_at_all(self):
        self.build((100, 0, 1, {}), (101, 2, 3, {}))
        invoice = self.invoice("1000sat", "--node", "n3")
        self.check("unexplained", "the node finds no route: Could not find a route", invoice)

    # --- behind failed attempts ---

    def test_what_failed_before(self):
        for number, face in enumerate(self.faces()):
            with self.subTest(face=face):
                self.env["PAYTOWER_DB"] = os.path.join(self.folder, f"{number}.db")
                self.chain()
                invoice = self.invoice("1000sat", "--node", "n2", "--fail", "TEMPORARY_CHANNEL_FAILURE@1")
                sent = self.expect(FAILED, "send", invoice, "--yes")
                self.assertRegex(self.said(sent), r"^no route left after 1 attempt: every other route uses a channel or a node that has failed "
                                 r"before: 101x1x0/[01] \(TEMPORARY_CHANNEL_FAILURE by 0[23][0-9a-f]{64}\)$")
                one = self.invoice("1000sat", "--node", "n2", "--fail", "TEMPORARY_CHANNEL_FAILURE@1")
                self.assertRegex(self.said(self.expect(FAILED, "send", one, "--yes", "--max-parts", "1")),
                                 r"has failed before: .*\); it had to go in one part, and --max-parts allows 1$")
                shown = self.ok("show", self.hash_of(invoice), "--json").json()
                self.assertEqual(shown["failure_detail"]["code"], "excluded")
                self.assertEqual("no route left after 1 attempt: " + shown["failure_detail"]["message"], self.said(sent))
                self.assertIn(shown["failure_detail"]["message"], self.ok("show", self.hash_of(invoice)).out)
                self.ok("send", self.invoice("1000sat", "--node", "n2"), "--yes")  # M1: another payment may still use what failed

    def test_attempts_used_up(self):
        self.build((100, 0, 1, {}), (101, 1, 2, {}), (102, 0, 3, {}), (103, 3, 2, {}))
        for number, face in enumerate(self.faces()):
            with self.subTest(face=face):
                self.env["PAYTOWER_DB"] = os.path.join(self.folder, f"{number}.db")
                invoice = self.invoice("1000sat", "--node", "n2", "--fail", "TEMPORARY_CHANNEL_FAILURE@1")
                sent = self.expect(FAILED, "send", invoice, "--yes", "--max-attempts", "1")
                self.assertRegex(self.said(sent), r"^the one attempt that --max-attempts allows has failed with TEMPORARY_CHANNEL_FAILURE at hop 1")
                shown = self.ok("show", self.hash_of(invoice), "--json").json()
                self.assertEqual((shown["failure_detail"]["code"], shown["failure_detail"]["message"]), ("attempts_used_up", self.said(sent)))

    # --- how much is asked for it ---

    def test_the_reason_costs_few_questions(self):
        self.chain({}, {"most": 1_000_000 * SAT})
        invoice = self.invoice("2000000sat", "--node", "n2")
        for faults, asked in ((None, ["getroutes", "getroutes", "listpeerchannels", "getroutes"]),
                              ("without=getroutes", ["getroutes", "getroute", "listpeerchannels", "getroute"])):
            with self.subTest(faults=faults):
                self.start(faults)
                path = os.path.join(self.folder, "relay")
                relay = Relay(path, self.socket)
                self.switch = self.env["PAYTOWER_SWITCH"] = "cln:" + path
                self.expect(FAILED, "send", invoice, "--yes", "--max-parts", "1")
                relay.close()
                os.unlink(path)
                self.assertEqual([method for method in relay.methods() if method not in ("getinfo", "wait", "listsendpays")], asked)


if __name__ == "__main__":
    unittest.main()
