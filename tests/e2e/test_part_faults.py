"""Goal: whatever stops, loses or fails one part of a payment, and whatever an operator decides then, the payee gets the amount once or
never, and no word says more than is known. Method: a node is told what to do with which part; the network's own ledger is the judge."""

import hashlib
import time
import unittest

import harness
from lanes import LANE, TIMEOUT_OF_SETS, Lanes
from served import Served

CODES = {"SUCCEEDED": harness.OK, "FAILED": harness.FAILED, "IN_FLIGHT": harness.UNKNOWN, "UNKNOWN": harness.UNKNOWN}


class PartFaults(Lanes, Served):
    network_args = ["--nodes", "40", "--channels", "39"]
    lanes = 37

    def setUp(self):
        super().setUp()
        self.given = 0

    def three_lanes(self):
        """Flags for three lanes that no other payment uses, so that payments which are open at once go in three parts each."""
        first, self.given = self.given + 1, self.given + 3
        return [word for lane in range(first, first + 3) for word in ("--outgoing-chan-id", f"{100 + lane}x1x0")]

    def heal(self):
        """Starts the node again, without faults."""
        if harness.OVER_SOCKET:
            return self.start()
        self.stop()
        self.switch = self.env["PAYTOWER_SWITCH"] = self.file_switch

    def shown(self, payment_hash):
        return self.ok("show", payment_hash, "--json").json()

    def parts(self, payment_hash):
        """The states of the parts in the network's ledger, such as {"held": 2, "failed": 1}."""
        states = [row["state"] for row in self.ledger(payment_hash)]
        return {state: states.count(state) for state in set(states)}

    def judge_parts(self, invoice, assumed=False):
        """Checks the rules that hold at any moment. `assumed`: it was marked as failed by hand. Returns what `show` prints."""
        decoded = self.decode(invoice)
        payment_hash = decoded["payment_hash"]
        rows = sorted(self.ledger(payment_hash), key=lambda row: int(row["created_ns"]))
        shown = self.shown(payment_hash)
        self.judge_ledger(rows, self.own_ids(shown), payment_hash, int(decoded["value_msat"]))
        if shown["status"] == "FAILED" and not assumed:
            self.assertLessEqual({row["state"] for row in rows}, {"failed", "fenced"})
        if shown["status"] == "SUCCEEDED":
            self.assertIn("settled", {row["state"] for row in rows})
            self.assertEqual(hashlib.sha256(bytes.fromhex(shown["payment_preimage"])).hexdigest(), payment_hash)
        return shown

    def send_until(self, invoice, until, *more):
        """Sends, and kills the process when the parts are in these states."""
        process = self.popen("send", invoice, "--yes", *self.three_lanes(), *more)
        payment_hash = self.hash_of(invoice)
        self.wait_until(lambda: self.parts(payment_hash) == until)
        if "settled" in until:
            self.wait_until(lambda: self.shown(payment_hash)["status"] == "SUCCEEDED")
        self.kill(process)


class Stand:
    """How far a payment in three parts has got when somebody decides. `faults`: of its parts; `until`: the states of its parts in
    the network; `release`: how the payee ends it, None: by giving up its set; `end`: the status in the end if nothing more may be
    sent."""

    def __init__(self, faults, until, end, release=None, invoice=(), send=()):
        self.faults, self.until, self.end = faults, until, end
        self.release, self.invoice, self.send = release, invoice, send


HELD = ("--hold", "forever")
REFUSE = ("--fail", "TEMPORARY_NODE_FAILURE")
STANDS = {
    "all are held, and settle": Stand("", {"held": 3}, "SUCCEEDED", release=(), invoice=HELD),
    "all are held, and fail": Stand("", {"held": 3}, "FAILED", release=REFUSE, invoice=HELD),
    "all have settled, unheard of": Stand("stall=forever@sendpay", {"held": 3}, "SUCCEEDED", release=()),
    "one has no answer": Stand("drop-reply@sendpay#2", {"held": 3}, "SUCCEEDED", release=(), invoice=HELD),
    "one was not sent": Stand("ignore@sendpay#2", {"held": 2}, "FAILED"),
    "only one was sent": Stand("ignore@sendpay#1,ignore@sendpay#3", {"held": 1}, "FAILED"),
    "one has failed": Stand("fail=TEMPORARY_NODE_FAILURE@sendpay#2", {"held": 2, "failed": 1}, "FAILED", send=("--max-attempts", "3")),
    "one has failed for good": Stand("fail=INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS@sendpay#2", {"held": 2, "failed": 1}, "FAILED"),
    "one is stuck, one was not sent": Stand("stall=forever@sendpay#1,ignore@sendpay#2", {"held": 2}, "FAILED", release=()),
    "one is an orphan": Stand("orphan@sendpay#2", {"held": 2}, "IN_FLIGHT"),
}


class Decisions(PartFaults):
    """All stands at once, one decision about each, and how they end."""

    def stand_all(self, *more):
        self.invoices = {name: self.invoice_of(3, *stand.invoice) for name, stand in STANDS.items()}
        self.hashes = {name: self.hash_of(invoice) for name, invoice in self.invoices.items()}
        self.start(",".join(fault.replace("@sendpay", "@sendpay/" + self.hashes[name])
                            for name, stand in STANDS.items() for fault in stand.faults.split(",") if fault))
        self.each("sent", lambda name, stand: self.send_until(self.invoices[name], stand.until, *stand.send, *more))
        self.sent = time.time()
        self.heal()

    def each(self, step, work):
        for name, stand in STANDS.items():
            with self.subTest(name, step=step):
                work(name, stand)

    def each_is(self, step, code, *call):
        """Makes the same call for each stand. `code`: its exit code, or a function of the stand."""
        self.each(step, lambda name, stand: self.expect(code(stand) if callable(code) else code, call[0], self.hashes[name], *call[1:]))

    def end_all(self):
        """Lets each payee end its set; nobody sends anything."""
        for name, stand in STANDS.items():
            if stand.release is not None:
                self.ok("simulate", "release", self.hashes[name], *stand.release)
        self.pass_time(TIMEOUT_OF_SETS)
        self.run_it("resume", "--wait", "4s")

    def judge_all(self, step, expected, assumed=False):
        """Judges all payments. `expected`: gives the status for a stand."""
        def judge(name, stand):
            shown = self.judge_parts(self.invoices[name], assumed)
            self.assertEqual(shown["status"], expected(stand))
            if shown["status"] == "SUCCEEDED":
                self.assert_paid_exactly(self.invoices[name], 3)
            if shown["status"] != "IN_FLIGHT":
                wedged = assumed and stand.end == "IN_FLIGHT"
                self.expect(harness.UNKNOWN if wedged else CODES[shown["status"]], "resume", self.hashes[name], "--wait", "1s")
        self.each(step, judge)

    def decide_without_the_node(self, word):
        """While the node can be asked, `resolve` is refused if the node says otherwise. Without the node it is done."""
        self.each_is("refused", harness.REFUSED, "resolve", word, "--yes")
        address = self.env.pop("PAYTOWER_SWITCH")
        self.each_is("decided", harness.OK, "resolve", word, "--yes")
        self.env["PAYTOWER_SWITCH"] = address

    def send_again(self, code):
        self.each("again", lambda name, stand: self.expect(code(stand), "send", self.invoices[name], "--yes"))

    def test_cancel(self):
        self.stand_all()
        self.each_is("canceled", harness.UNKNOWN, "cancel")
        self.expect(harness.UNKNOWN, "resume", "--wait", "2s")
        self.judge_all("canceled", lambda stand: "IN_FLIGHT")
        self.end_all()
        self.judge_all("ended", lambda stand: stand.end)
        reasons = {payment["failure_reason"] for payment in self.payments("--status", "FAILED")}
        # Some may have failed for good already: the first reason wins.
        self.assertLessEqual(reasons, {"FAILURE_REASON_CANCELED", "FAILURE_REASON_INCORRECT_PAYMENT_DETAILS"})

    def test_deadline(self):
        self.stand_all("--timeout", "1s")
        self.wait_until(lambda: time.time() > self.sent + 1)
        self.expect(harness.UNKNOWN, "resume", "--wait", "2s")
        self.judge_all("too late", lambda stand: "IN_FLIGHT")
        self.end_all()
        self.judge_all("ended", lambda stand: stand.end)
        reasons = {payment["failure_reason"] for payment in self.payments("--status", "FAILED")}
        self.assertLessEqual(reasons, {"FAILURE_REASON_TIMEOUT", "FAILURE_REASON_INCORRECT_PAYMENT_DETAILS"})

    def test_assume_failed(self):
        self.stand_all()
        self.decide_without_the_node("--assume-failed")
        self.expect(harness.UNKNOWN, "resume", "--wait", "2s")
        self.each("assumed", lambda name, _: self.judge_parts(self.invoices[name], True))
        self.send_again(lambda stand: harness.REFUSED)  # the node still has it
        self.end_all()
        self.judge_all("ended", lambda stand: stand.end if stand.end == "SUCCEEDED" else "FAILED", True)
        self.send_again(lambda stand: harness.OK if stand.end == "FAILED" else harness.REFUSED)
        self.each("sums", lambda name, stand: self.assertEqual(self.settled(self.hashes[name])[0], 0 if stand.end == "IN_FLIGHT" else 1_250_000_000))

    def test_write_off(self):
        self.stand_all()
        self.decide_without_the_node("--write-off")
        self.run_it("resume", "--wait", "2s")
        self.judge_all("written off", lambda stand: "UNKNOWN")
        self.end_all()
        self.judge_all("ended", lambda stand: "SUCCEEDED" if stand.end == "SUCCEEDED" else "UNKNOWN")
        self.send_again(lambda stand: harness.REFUSED)


class OnePart(PartFaults):
    """One part meets a fault while the payment is sent, and later runs go on with what is left."""

    def begin(self, fault, lanes=37):
        self.build(lanes)
        self.given = 0
        self.start(fault)
        return self.invoice_of(3)

    def killed_with(self, fault, until):
        invoice = self.begin(fault)
        self.send_until(invoice, until)
        return invoice

    def send_with(self, fault, *more):
        """Sends with this fault. Returns the invoice and the outcome."""
        invoice = self.begin(fault)
        return invoice, self.run_it("send", invoice, "--yes", *self.three_lanes(), *more)

    def paid_in_the_end(self, faults, *more):
        for fault in faults:
            with self.subTest(fault):
                invoice, sent = self.send_with(fault, *more)
                self.assertEqual(sent.code, CODES[self.judge_parts(invoice)["status"]])
                self.heal()
                self.ok("resume", self.hash_of(invoice), "--wait", "10s")
                self.assert_paid_exactly(invoice, 3)

    def test_lost_at_the_hand_over(self):
        self.paid_in_the_end((f"{what}@sendpay#2:1" for what in ("ignore", "break", "restart")))

    def test_answer_lost_late_or_garbage(self):
        self.paid_in_the_end((f"{what}sendpay#2:1" for what in ("drop-reply@", "late=300ms@", "garbage@", "close=20@", "wrong-id@", "twice@",
                                                                "break@after-", "restart@after-", "error=-1@after-")))

    def test_killed_node(self):
        self.paid_in_the_end(("die@sendpay#2", "die@after-sendpay#2"), "--wait", "2s")

    def test_fails_at_each_hop(self):
        """Our own node is hop 0. The part is replaced over another lane while the others are held."""
        for fault in ("error=204", "fail=TEMPORARY_CHANNEL_FAILURE@1", "fail=TEMPORARY_CHANNEL_FAILURE@2"):
            with self.subTest(fault):
                invoice = self.begin(fault + "@sendpay#2:1")
                self.ok("send", invoice, "--yes")
                shown = self.assert_paid_exactly(invoice)
                self.assertEqual([htlc["status"] for htlc in shown["htlcs"]].count("FAILED"), 1)

    def test_fails_for_good(self):
        """The payee gives the other parts back when it gives up the set. Until then the outcome is open."""
        invoice = self.killed_with("fail=INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS@sendpay#2", {"held": 2, "failed": 1})
        self.expect(harness.UNKNOWN, "resume", self.hash_of(invoice), "--wait", "2s")
        self.assertEqual(self.judge_parts(invoice)["status"], "IN_FLIGHT")
        self.heal()
        self.pass_time(TIMEOUT_OF_SETS)
        self.expect(harness.FAILED, "resume", self.hash_of(invoice), "--wait", "5s")
        self.assertEqual(self.assert_not_paid(invoice)["failure_reason"], "FAILURE_REASON_INCORRECT_PAYMENT_DETAILS")
        self.assertEqual(self.parts(self.hash_of(invoice)), {"failed": 3})

    def test_payee_gives_the_set_back(self):
        """When all open parts have ended, a new round pays."""
        invoice = self.killed_with("ignore@sendpay#2", {"held": 2})
        self.heal()
        self.pass_time(TIMEOUT_OF_SETS)
        self.ok("resume", self.hash_of(invoice), "--wait", "10s")
        shown = self.assert_paid_exactly(invoice, 3)
        self.assertEqual(len({htlc["attempt_id"] for htlc in shown["htlcs"]}), 2)
        self.assertEqual(self.parts(self.hash_of(invoice)), {"failed": 2, "fenced": 1, "settled": 3})

    def test_half_sent_and_killed(self):
        """Another process hands over only the parts that the node never had: the same round becomes complete."""
        for fault, until in (("ignore@sendpay#3", 2), ("ignore@sendpay#1,ignore@sendpay#2", 1)):
            with self.subTest(fault):
                invoice = self.killed_with(fault, {"held": until})
                self.heal()
                self.ok("resume", self.hash_of(invoice), "--wait", "20s")
                shown = self.assert_paid_exactly(invoice, 3)
                self.assertEqual(len({htlc["attempt_id"] for htlc in shown["htlcs"]}), 1)
                self.assertEqual(len(self.ledger(self.hash_of(invoice))), 3)

    def test_executed_after_a_cancel(self):
        """A cancel does not stop a part that the node has already: the set becomes complete, and is paid."""
        invoice = self.killed_with("hold=1s@sendpay#2", {"held": 2})
        self.expect(harness.UNKNOWN, "cancel", self.hash_of(invoice))
        self.wait_until(lambda: self.parts(self.hash_of(invoice)) == {"settled": 3})
        self.ok("resume", self.hash_of(invoice), "--wait", "5s")
        self.assert_paid_exactly(invoice, 3)

    def test_settled_beside_stuck_ones(self):
        """The first proof means paid: no decision by hand takes that back, and the fee is final when no part is open."""
        for word in ("cancel", "--assume-failed", "--write-off"):
            with self.subTest(word):
                invoice = self.killed_with("stall=forever@sendpay#2,stall=forever@sendpay#3", {"settled": 1, "held": 2})
                payment_hash = self.hash_of(invoice)
                self.heal()
                if word == "cancel":
                    self.expect(harness.REFUSED, "cancel", payment_hash)
                else:
                    self.expect(harness.REFUSED, "resolve", payment_hash, word, "--yes")
                    address = self.env.pop("PAYTOWER_SWITCH")
                    self.ok("resolve", payment_hash, word, "--yes")
                    self.env["PAYTOWER_SWITCH"] = address
                self.assertEqual(self.judge_parts(invoice)["status"], "SUCCEEDED")
                self.ok("simulate", "release", payment_hash)
                self.ok("resume", payment_hash, "--wait", "5s")
                self.assert_paid_exactly(invoice, 3)
                self.expect(harness.REFUSED, "send", invoice, "--yes")

    def test_another_user_between_the_parts(self):
        """Their payment fails while ours is under way; if theirs came first, ours waits. In any case it is paid once."""
        for fault, status in (("foreign-pay@sendpay#2:1", "SUCCEEDED"), ("foreign-fail@sendpay#1:1", "SUCCEEDED"),
                              ("foreign-complete@sendpay#1:1", "SUCCEEDED"), ("foreign-hold@sendpay#1:1", "IN_FLIGHT")):
            with self.subTest(fault):
                invoice = self.begin(fault, 36)
                keys = dict(self.network("SELECT node, pub_key FROM nodes"))
                self.add_channel(keys, 137, 0, 39, 4 * LANE)  # for the other user, who pays in one piece
                self.add_channel(keys, 237, 39, 2, 4 * LANE)
                self.network("UPDATE numbers SET value = value + 1 WHERE which = 17")
                sent = self.run_it("send", invoice, "--yes", *self.three_lanes(), "--wait", "3s")
                self.assertEqual(sent.code, CODES[status])
                self.assertEqual(self.judge_parts(invoice)["status"], status)
                self.assertEqual(self.settled(self.hash_of(invoice))[0], 1_250_000_000 if status == "SUCCEEDED" else 0)
                theirs = [row for row in self.ledger(self.hash_of(invoice)) if row["part"] == 0]
                self.assertEqual(len(theirs), 0 if "#2" in fault else 1)


if __name__ == "__main__":
    unittest.main()
