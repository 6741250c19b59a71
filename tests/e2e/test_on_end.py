"""Goal: a program is told of each end once, with the payment on its stdin and nothing else of ours, and whatever it does changes no
result and holds up no payment. Method: scripts that write down what they got, fail, hang, or are missing."""

import json
import os
import signal
import unittest

import harness
from harness import World


class OnEnd(World):
    def script(self, body, name="told"):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\ncd '{self.folder}'\n{body}\n")
        os.chmod(path, 0o700)
        return path

    def recorder(self):
        """Appends what it reads, a line a payment."""
        return self.script("line=$(cat); printf '%s\\n' \"$line\" >> ends.ndjson")

    def told(self):
        path = os.path.join(self.folder, "ends.ndjson")
        if not os.path.exists(path):
            return []
        with open(path, encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def batch(self, count, *more):
        path = os.path.join(self.folder, "batch.ndjson")
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(json.dumps({"invoice": self.invoice("100sat", *more)}) + "\n" for _ in range(count))
        return path

    def test_paid_and_failed_are_told_once(self):
        program = self.recorder()
        paid = self.ok("send", self.invoice("250sat"), "--yes", "--json", "--on-end", program).json()
        self.expect(harness.FAILED, "send", self.invoice("250sat", "--fail", "INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS"), "--yes", "--on-end", program)
        self.assertEqual([end["status"] for end in self.told()], ["SUCCEEDED", "FAILED"])
        self.assertEqual(self.told()[0]["payment_preimage"], paid["payment_preimage"])
        # What did not end by this call is not told.
        self.expect(harness.REFUSED, "send", paid["payment_request"], "--yes", "--on-end", program)
        self.ok("send", paid["payment_request"], "--yes", "--idempotent", "--on-end", program)
        self.ok("send", self.invoice("250sat"), "--dry-run", "--on-end", program)
        self.expect(harness.UNKNOWN, "send", self.invoice("250sat", "--hold", "forever"), "--yes", "--wait", "1s", "--on-end", program)
        self.assertEqual(len(self.told()), 2)

    def test_a_resume_tells_what_it_collects(self):
        held = self.invoice("250sat", "--hold", "forever")
        self.expect(harness.UNKNOWN, "send", held, "--yes", "--wait", "0")
        self.ok("simulate", "release", self.hash_of(held))
        path = os.path.join(self.folder, "config")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"on-end = {self.recorder()}\n")
        os.chmod(path, 0o600)
        self.ok("resume", env={"PAYTOWER_CONFIG": path})
        self.assertEqual([end["payment_hash"] for end in self.told()], [self.hash_of(held)])

    def test_a_batch_tells_each_line(self):
        results = self.ok("send", "--batch", self.batch(30), "--yes", "--on-end", self.recorder()).out.splitlines()
        hashes = sorted(json.loads(line)["payment"]["payment_hash"] for line in results)
        self.assertEqual(sorted(end["payment_hash"] for end in self.told()), hashes)

    def test_parts_are_told_when_the_last_has_ended(self):
        self.ok("send", self.invoice("4000000sat"), "--yes", "--fee-limit", "100000sat", "--on-end", self.recorder())
        self.assertEqual([(end["status"], end["fee_final"]) for end in self.told()], [("SUCCEEDED", True)])

    def test_its_words_its_streams_and_its_descriptors(self):
        program = self.script("printf '%s|' \"$#\" \"$@\" > words; ls -l /proc/self/fd > descriptors; cat > /dev/null; echo to nobody")
        outcome = self.ok("send", self.invoice("250sat"), "--yes", "--json", "--on-end", f"  {program} --a  *  $HOME ")
        self.assertEqual(len(outcome.out.splitlines()), 1)
        self.assertNotIn("to nobody", outcome.out + outcome.err)
        with open(os.path.join(self.folder, "words"), encoding="utf-8") as file:
            self.assertEqual(file.read(), "3|--a|*|$HOME|")
        with open(os.path.join(self.folder, "descriptors"), encoding="utf-8") as file:
            listed = file.read()
        for ours in ("payments.db", "network.sim", "socket:"):
            self.assertNotIn(ours, listed)

    def test_words_that_cannot_be_run_are_refused(self):
        invoice = self.invoice("250sat")
        for words in ("relative/path", "program", "'/bin/true'", "/bin/sh -c \"true\"", " ", "/bin/true" + " x" * 32):
            self.expect(harness.USAGE, "send", invoice, "--yes", "--on-end", words)
        self.assertEqual(self.ledger(), [])

    def test_its_failure_is_a_warning(self):
        for program, words in ((self.script("exit 3"), "ended with status 3"), (self.script("kill -9 $$", "killed"), "ended by signal 9"),
                               ("/nowhere/at/all", "cannot run /nowhere/at/all: No such file or directory")):
            with self.subTest(program):
                outcome = self.ok("send", self.invoice("250sat"), "--yes", "--on-end", program)
                self.assertIn(words, outcome.err)
                told = self.ok("send", self.invoice("250sat"), "--yes", "--json", "--on-end", program)
                self.assertIn(words, json.loads(told.err)["warning"]["message"])

    def test_payments_do_not_wait_for_it_and_eight_run_at_once(self):
        program = self.script("cat > /dev/null; echo x >> begun; while [ ! -e go ]; do sleep 0.1; done")
        process = self.popen("send", "--batch", self.batch(20), "--yes", "--on-end", program)
        results = [json.loads(process.stdout.readline()) for _ in range(20)]  # all, while none of the programs has ended
        self.assertEqual({result["exit_code"] for result in results}, {0})
        begun = os.path.join(self.folder, "begun")

        def count():
            if not os.path.exists(begun):
                return 0
            with open(begun, encoding="utf-8") as file:
                return len(file.readlines())
        self.wait_until(lambda: count() == 8)
        with open(os.path.join(self.folder, "go"), "w", encoding="utf-8"):
            pass
        _, err = process.communicate(timeout=60)
        self.assertEqual((process.returncode, count()), (harness.OK, 20), err)

    def test_a_signal_waits_a_second_for_it(self):
        program = self.script("cat > /dev/null; echo x > begun; sleep 600")
        process = self.popen("send", self.invoice("250sat"), "--yes", "--on-end", program)
        self.wait_until(lambda: os.path.exists(os.path.join(self.folder, "begun")))
        self.assertIn("Paid 250 sat", process.stdout.readline())  # before the program has ended
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=20)
        self.assertEqual(process.returncode, harness.OK)
        self.assertIn("had not ended when this command left, and was killed", err)

    def test_one_that_hangs_is_killed_with_its_children(self):
        program = self.script("cat > /dev/null; sleep 600 & echo $! > child; wait")
        outcome = self.ok("send", self.invoice("250sat"), "--yes", "--on-end", program, timeout=120)
        self.assertRegex(outcome.err, "ran for longer than 30 s and was killed|had not ended when this command left, and was killed")
        with open(os.path.join(self.folder, "child"), encoding="utf-8") as file:
            child = int(file.read())

        def gone():
            try:
                with open(f"/proc/{child}/stat", encoding="utf-8") as file:
                    return file.read().split()[2] == "Z"
            except FileNotFoundError:
                return True
        self.wait_until(gone)


if __name__ == "__main__":
    unittest.main()
