"""Goal: whatever goes wrong between paytower and the node, and at whichever step, the payment is made at most once, and is
called paid or failed only when it is. Method: one fault a payment, at the hand-over, at the question for the result or at the
fence; then two resumes on a healthy server; the network's own ledger is the judge."""

import os
import subprocess
import time
import unittest

import harness
from served import Served

# What goes wrong on the wire or in the node, before or after the execution of a request.
WIRE = ["ignore", "drop-reply", "late=3s", "unread=1s", "break", "close=0", "close=20", "garbage", "wrong-id", "twice",
        "big=3000000", "deep=10000", "restart", "refuse=1s", "die"]
ERRORS = ["error=-1", "error=-3", "error=-4", "error=-5", "error=-32600", "error=-32601", "error=-32602", "error=200", "error=201",
          "error=202", "error=203", "error=204", "error=205", "error=208", "error=209"]
BEHIND = ["break", "restart", "die", "refuse=1s", "error=-1", "error=200", "error=201", "error=208"]
NODE = ["hold=1s", "hold=4s", "orphan", "foreign-pay", "foreign-hold", "foreign-fail", "foreign-complete", "forget",
        "settles-twice", "wrong-preimage", "no-preimage"]
# A node gives these answers only if they are true. After a request that was executed they would be lies, which nobody can see through.
FALSE_WORDS = {"waitsendpay": {"error=202", "error=203", "error=204", "error=209"}}

# Faults that remove the records which tell how an attempt ended.
ERASING = ("forget", "lose-result")


# Every Nth fault is tried. All of them take about eight minutes, most of it spent waiting for what never comes.
STEP = int(os.environ.get("PAYTOWER_FAULT_STEP", "1"))


def specs(method):
    lies = FALSE_WORDS.get(method, set())
    for fault in WIRE + [e for e in ERRORS if e not in lies]:
        yield f"{fault}@{method}:1"
    for fault in BEHIND:
        yield f"{fault}@after-{method}:1"


class Faults(Served):
    # --- the campaign ---

    def disturb(self, method, faults, *hold):
        for fault in faults[::STEP]:
            with self.subTest(fault=fault):
                invoice = self.invoice("100sat", *hold)
                self.start(fault)
                self.step("send", invoice, "--yes", "--wait", "2s")
                self.heal_and_judge(self.hash_of(invoice), fault, fault.startswith(ERASING))
        self.report(method)

    def test_at_the_hand_over(self):
        self.disturb("hand-over", [*specs("sendpay"), *(f"{fault}@sendpay:1" for fault in NODE), *(f"{fault}@after-sendpay:1" for fault in NODE[3:])])

    def test_at_the_question_for_the_result(self):
        self.disturb("question", [*specs("waitsendpay"), "forget@waitsendpay:1", "lose-result@end:1", "foreign-hold@waitsendpay:1", "restart@end:1"],
                     "--hold", "300ms")

    def test_a_node_that_dies_under_a_waiting_send(self):
        self.start()
        invoice = self.invoice("100sat", "--hold", "forever")
        waiting = self.popen("send", invoice, "--yes", "--wait", "4s")
        while not self.ledger(self.hash_of(invoice)):
            time.sleep(0.05)
        self.kill_server()
        out, err = waiting.communicate(timeout=30)
        self.assertEqual(waiting.returncode, harness.UNKNOWN)
        again = self.expect(harness.UNKNOWN, "send", invoice, "--yes")
        for said, warned in ((out, err), (again.out, again.err)):
            self.assertIn("In flight, as far as is known: the node cannot be asked whether there is a result by now. Do not pay again.", said)
            self.assertNotIn("only waiting helps", said)
            self.assertIn("warning: the node cannot be asked: ", warned)

    def test_at_the_look(self):
        methods = ("getinfo", "wait", "listsendpays", "listhtlcs", "listchannelmoves", "getroutes")
        self.disturb("look", [f"{fault}@{method}:1" for method in methods for fault in ("ignore", "break", "garbage", "error=-32601", "big=3000000")])

    def test_at_the_fence(self):
        faults = [*specs("fence"), "orphan-fence@fence:1", "refuse-fence@fence:1", "foreign-pay@fence:1", "foreign-hold@fence:1", "foreign-fail@after-fence:1",
                  "forget@after-fence:1", "hold=2s@sendpay:1"]
        for fault in faults[::STEP]:
            with self.subTest(fault=fault):
                invoice = self.invoice("100sat")
                # The hand-over is lost and its deadline passes, so the next run fences it.
                self.start("ignore@sendpay:1" if "sendpay" not in fault else fault)
                self.step("send", invoice, "--yes", "--timeout", "1s", "--wait", "1s")
                self.start(fault)
                self.step("resume", "--wait", "3s")
                self.heal_and_judge(self.hash_of(invoice), fault, fault.startswith(ERASING))
        self.report("fence")

    def test_a_late_request_after_the_fence(self):
        """The first request waits in a buffer, is fenced, and is executed only then."""
        invoice = self.invoice("100sat")
        self.start("unread=4s@sendpay:1")
        self.step("send", invoice, "--yes", "--timeout", "1s", "--wait", "1s")
        self.step("resume", "--wait", "2s")
        self.wait_until(lambda: self.run_it("resume", "--wait", "1s").code != harness.UNKNOWN, 15)
        self.judge(self.hash_of(invoice), "unread")
        self.assertLessEqual(len(self.ledger(self.hash_of(invoice))), 2)

    def test_a_node_from_an_old_copy(self):
        invoice = self.invoice("100sat", "--hold", "forever")
        self.start("save=old@getinfo:1,restore=old@getinfo:2")
        self.step("send", self.invoice("100sat"), "--yes")
        self.assertEqual(self.step("send", invoice, "--yes", "--wait", "2s").code in (harness.UNKNOWN, harness.DATABASE), True)
        self.judge(self.hash_of(invoice), "restore")

    def test_killed_clients_and_servers(self):
        for moment in range(12):
            with self.subTest(moment=moment):
                invoice = self.invoice("100sat", "--hold", "50ms")
                self.start()
                client = self.popen("send", invoice, "--yes")
                try:
                    client.wait(0.01 * moment)
                except subprocess.TimeoutExpired:
                    pass
                if moment % 2:
                    self.kill_server()
                self.kill(client)
                self.heal_and_judge(self.hash_of(invoice), "kill")
        self.report("killed")


if __name__ == "__main__":
    unittest.main()
