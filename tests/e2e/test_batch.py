"""Goal: send --batch pays every line once, reports every line once, and can be stopped and run again at any point."""

import json
import os
import shlex
import signal
import subprocess
import unittest

import harness
from harness import World


def payment_secret(invoice):
    """Of a BOLT 11 invoice, in hex: the field of type 16. `decode` does not show it."""
    groups = ["qpzry9x8gf2tvdw0s3jn54khce6mua7l".index(letter) for letter in invoice[invoice.rindex("1") + 1:]][7:]
    while groups[0] != 16:
        groups = groups[3 + 32 * groups[1] + groups[2]:]
    bits = "".join(f"{group:05b}" for group in groups[3:3 + 52])
    return f"{int(bits[:256], 2):064x}"


class Batch(World):
    def write_batch(self, lines, name="batch.ndjson"):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            for line in lines:
                file.write((line if isinstance(line, str) else json.dumps(line)) + "\n")
        return path

    def batch(self, code, lines, *more, **how):
        outcome = self.expect(code, "send", "--batch", self.write_batch(lines), "--yes", *more, **how)
        results = [json.loads(line) for line in outcome.out.splitlines()]
        return {result["line"]: result for result in results}, outcome

    def test_every_line_is_paid_once_and_a_second_run_pays_nothing(self):
        invoices = [self.invoice("100sat") for _ in range(30)]
        lines = [{"invoice": invoice, "label": f"no {i}"} for i, invoice in enumerate(invoices)]
        results, outcome = self.batch(harness.OK, lines, "--parallel", "7")
        self.assertEqual(sorted(results), list(range(1, 31)))
        self.assertIn("30 lines: 30 paid", outcome.err)
        for result in results.values():
            self.assertEqual((result["exit_code"], result["error"]), (0, None))
            self.assertEqual(result["payment"]["status"], "SUCCEEDED")
            self.assertEqual(result["payment"]["label"], f"no {result['line'] - 1}")
        again, _ = self.batch(harness.OK, lines, "--idempotent")
        self.assertEqual([again[n]["payment"]["payment_preimage"] for n in sorted(again)],
                         [results[n]["payment"]["payment_preimage"] for n in sorted(results)])
        refused, outcome = self.batch(harness.REFUSED, lines)
        self.assertTrue(all(result["error"]["code"] == "already_paid" for result in refused.values()))
        self.assertIn("30 lines: 30 paid before", outcome.err)
        for invoice in invoices:
            self.assert_paid_once(self.hash_of(invoice))

    def test_bad_lines_do_not_stop_the_others(self):
        good, failing = self.invoice("100sat"), self.invoice("100sat", "--fail", "INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS")
        any_amount = self.invoice("any")
        lines = [
            "not json",                                           # 1
            {"invoice": good},                                    # 2
            {"invoice": good[:-3] + "qqq"},                       # 3
            {"invoice": self.invoice(), "fee_limt": "5sat"},      # 4
            {"invoice": self.invoice(), "amt": 5},                # 5
            {"invoice": any_amount, "amt": "77sat"},              # 6
            "",                                                   # 7: blank, no result
            {"invoice": failing},                                 # 8
            {"invoice": self.invoice(), "wait": "5s"},            # 9
            "[1]",                                                # 10
            {"invoice": self.invoice(), "fee_limit": "0sat", "max_parts": 1},  # 11
            json.dumps({"invoice": self.invoice(), "label": "x" * 70_000}),  # 12
            {"invoice": self.invoice(), "routes": "-"},           # 13
        ]
        results, _ = self.batch(harness.FAILED, lines)
        codes = {line: result["exit_code"] for line, result in results.items()}
        self.assertEqual(codes, {1: 2, 2: 0, 3: 2, 4: 2, 5: 2, 6: 0, 8: 3, 9: 2, 10: 2, 11: 3, 12: 2, 13: 2})
        self.assertIn("fee_limit", results[4]["error"]["message"])
        self.assertIn("unit", results[5]["error"]["message"])
        self.assertEqual(results[6]["payment"]["value_msat"], 77_000)
        self.assertTrue(all(results[n]["payment"] is None for n in (1, 3, 4, 5, 9, 10, 12, 13)))

    def test_explicit_hashes(self):
        invoices = [self.invoice("100sat") for _ in range(3)]
        lines = [{"dest": self.decode(invoice)["destination"], "payment_hash": self.hash_of(invoice), "payment_secret": payment_secret(invoice), "amt": "100sat"}
                 for invoice in invoices]
        unknown = {**lines[0], "payment_hash": "77" * 32}
        results, _ = self.batch(harness.FAILED, [*lines, unknown, {"dest": lines[0]["dest"]}, {**lines[0], "payment_hash": "77"}])
        self.assertEqual({line: result["exit_code"] for line, result in results.items()}, {1: 0, 2: 0, 3: 0, 4: 3, 5: 2, 6: 2})
        self.assertEqual(results[4]["payment"]["failure_reason"], "FAILURE_REASON_INCORRECT_PAYMENT_DETAILS")
        for invoice in invoices:
            self.assert_paid_once(self.hash_of(invoice))

    def test_its_memory_does_not_grow_with_the_file(self):
        """Payments that are made and end, and lines that are refused: 200 lines, and twenty times as many."""
        dest = self.decode(self.invoice())["destination"]
        line = {"dest": dest, "payment_secret": "11" * 32, "amt": "1sat"}
        peaks = []
        for count in (200, 4_000):
            lines = [json.dumps({**line, "payment_hash": f"{count:032x}{number:032x}"}) if number % 2 else "x" * 1000 for number in range(count)]
            process = self.popen("send", "--batch", self.write_batch(lines), "--yes", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            with process.stdout:
                results = sum(1 for _ in process.stdout)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            self.assertEqual((results, process.returncode), (count, harness.FAILED))
            peaks.append(usage.ru_maxrss)
        print(f"peak resident memory: {peaks} KiB")
        if not harness.SANITIZED:
            self.assertLess(peaks[1] - peaks[0], 20 * 1024)  # SQLite's cache fills up to 16 MiB

    def test_flags_of_the_call_are_the_lines_defaults(self):
        lines = [{"invoice": self.invoice("1000sat")}, {"invoice": self.invoice("1000sat"), "fee_limit": "1msat"},
                 {"invoice": self.invoice("1000sat"), "max_attempts": 3, "fee_limit_percent": None}]
        results, _ = self.batch(harness.FAILED, lines, "--fee-limit", "77sat")
        limits = {line: result["payment"]["fee_limit_msat"] for line, result in results.items()}
        self.assertEqual(limits, {1: 77_000, 2: 1, 3: 77_000})
        # --max-parts is only a limit: a payee that takes no parts is paid in one piece.
        results, _ = self.batch(harness.USAGE, [{"invoice": self.invoice(), "max_parts": 0}, {"invoice": self.invoice(), "max_parts": 1}, {"invoice": self.invoice()}],
                                "--max-parts", "100")
        self.assertEqual({line: result["exit_code"] for line, result in results.items()}, {1: harness.USAGE, 2: 0, 3: 0})
        self.assertIn('--max-parts: "0" is not a whole number from 1 to 100', results[1]["error"]["message"])
        results, _ = self.batch(harness.USAGE, [{"invoice": self.invoice(), "fee_limit": "1sat"}], "--fee-limit-percent", "1")
        self.assertIn("exclude each other", results[1]["error"]["message"])

    def test_a_hash_twice(self):
        invoice = self.invoice("100sat", "--hold", "1s")
        results, outcome = self.batch(harness.REFUSED, [{"invoice": invoice}, {"invoice": invoice}])
        self.assertEqual({line: result["exit_code"] for line, result in results.items()}, {1: 0, 2: 5})
        self.assertEqual(results[2]["error"]["code"], "in_flight")
        self.assertIn("2 lines: 1 paid now, 1 refused", outcome.err)  # nothing is in flight any more
        invoice = self.invoice("100sat", "--hold", "1s")
        results, _ = self.batch(harness.OK, [{"invoice": invoice}, {"invoice": invoice}], "--idempotent")
        self.assertEqual(results[1]["payment"]["payment_preimage"], results[2]["payment"]["payment_preimage"])
        self.assert_paid_once(self.hash_of(invoice))

    def test_the_closing_line_tells_what_is_refused_because_it_is_known(self):
        """As with --idempotent, and as the dry run does; the exit code stays that of a refusal."""
        paid, held = self.invoice("100sat"), self.invoice("100sat", "--hold", "forever")
        lines = [{"invoice": paid}, {"invoice": held}]
        self.batch(harness.UNKNOWN, lines, "--wait", "1s")
        for flags, code in (([], harness.REFUSED), (["--idempotent"], harness.UNKNOWN)):
            results, outcome = self.batch(code, [*lines, {"invoice": "lnbc1"}], "--wait", "1s", *flags)
            self.assertEqual(results[2]["exit_code"], code)
            self.assertIn("3 lines: 1 paid before, 1 in flight, 1 refused", outcome.err)

    def test_stdin_is_paid_line_by_line(self):
        process = self.popen("send", "--batch", "-", "--yes", stdin=subprocess.PIPE)
        for number in range(1, 4):
            process.stdin.write(json.dumps({"invoice": self.invoice("100sat")}) + "\n")
            process.stdin.flush()
            self.assertEqual(json.loads(process.stdout.readline())["line"], number)  # before the next line is written
        out, _ = process.communicate(timeout=30)
        self.assertEqual((process.returncode, out), (harness.OK, ""))

    def test_a_signal_stops_taking_lines_and_a_rerun_goes_on(self):
        lines = [{"invoice": self.invoice("100sat", "--hold", "300ms")} for _ in range(40)]
        path = self.write_batch(lines)
        process = self.popen("send", "--batch", path, "--yes", "--parallel", "3", "--max-total", "9999sat")
        json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130)
        self.assertRegex(err, r"interrupted behind line \d+: \d+ paid now, .*\d+ not begun; the same call with --idempotent sends the rest, and pays nothing twice")
        self.assertIn(f"hint: paytower send --batch {path} --parallel 3 --max-total 9999sat --yes --idempotent\n", err)
        self.assertLess(len(out.splitlines()), 20)
        self.run_it("resume", "--wait", "10s")
        results, _ = self.batch(harness.OK, lines, "--idempotent")
        self.assertEqual(len(results), 40)
        for line in lines:
            self.assert_paid_once(self.hash_of(line["invoice"]))

    def interrupted_with_one_in_flight(self, lines, *flags):
        process = self.popen("send", "--batch", self.write_batch(lines, "two words.ndjson"), "--yes", "--json", *flags)
        self.wait_until(self.held)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130, err)
        return json.loads(err)["error"]

    def test_whoever_stops_a_batch_is_told_how_to_send_the_rest(self):
        """Within the limits of the call that was stopped; what is in flight is joined, and nothing is paid twice."""
        held, fresh = self.invoice("100sat", "--hold", "forever"), self.invoice("100sat")
        error = self.interrupted_with_one_in_flight([{"invoice": held}, {"invoice": fresh}], "--parallel", "1", "--fee-limit", "77sat", "--no-memory")
        self.assertEqual(error["message"], "interrupted behind line 1: 1 in flight, 1 not begun; the same call with --idempotent sends the rest, and pays nothing twice")
        words = shlex.split(error["hint"])
        self.assertEqual(words, ["paytower", "send", "--fee-limit", "77sat", "--no-memory", "--batch", os.path.join(self.folder, "two words.ndjson"), "--parallel", "1",
                                 "--yes", "--idempotent"])
        self.ok("simulate", "release", self.hash_of(held))
        results = [json.loads(line) for line in self.ok(*words[1:]).out.splitlines()]
        self.assertEqual([result["payment"]["fee_limit_msat"] for result in results], [77_000, 77_000])
        for invoice in (held, fresh):
            self.assert_paid_once(self.hash_of(invoice))

    def test_where_all_has_begun_resume_is_the_way_on(self):
        error = self.interrupted_with_one_in_flight([{"invoice": self.invoice("100sat", "--hold", "forever")}])
        self.assertEqual((error["message"], error["hint"]), ("interrupted behind line 1: 1 in flight", "paytower resume"))

    def test_killed_anywhere_and_run_again(self):
        lines = [{"invoice": self.invoice("100sat", "--hold", "20ms")} for _ in range(25)]
        path = self.write_batch(lines)
        for results_seen in (0, 3, 9):
            process = self.popen("send", "--batch", path, "--yes", "--idempotent", "--parallel", "5")
            for _ in range(results_seen):
                process.stdout.readline()
            self.kill(process)
        self.run_it("resume", "--wait", "10s")
        results, _ = self.batch(harness.OK, lines, "--idempotent")
        self.assertEqual(sorted(results), list(range(1, 26)))
        for line in lines:
            self.assert_paid_once(self.hash_of(line["invoice"]))
        self.assertEqual(self.integrity(), "ok")

    def test_held_payments_are_exit_4_and_the_others_end(self):
        held, free = self.invoice("100sat", "--hold", "forever"), self.invoice("100sat")
        results, _ = self.batch(harness.UNKNOWN, [{"invoice": held}, {"invoice": free}], "--wait", "2s")
        self.assertEqual({line: result["exit_code"] for line, result in results.items()}, {1: 4, 2: 0})
        self.assertEqual(results[1]["payment"]["status"], "IN_FLIGHT")

    def test_a_reader_that_leaves_stops_new_payments_only(self):
        lines = [{"invoice": self.invoice("100sat", "--hold", "200ms")} for _ in range(20)]
        process = self.popen("send", "--batch", self.write_batch(lines), "--yes", "--parallel", "2")
        process.stdout.readline()
        process.stdout.close()
        process.wait(timeout=30)
        process.stderr.read()
        self.assertEqual(process.returncode, harness.INTERNAL)
        listed = self.payments()
        self.assertLess(len(listed), 20)
        self.assertTrue(all(row["status"] == "SUCCEEDED" for row in listed))

    def test_usage(self):
        path = self.write_batch([])
        self.ok("send", "--batch", path, "--yes")
        self.expect(harness.NOT_CONFIRMED, "send", "--batch", path)
        for args in (["--batch", path + ".missing"], ["--batch", path, "--amt", "5sat"], ["--batch", path, "--parallel", "484"],
                     ["--batch", path, "--parallel", "0"], [self.invoice(), "--batch", path], [self.invoice(), "--parallel", "5"], ["--batch", self.folder]):
            self.expect(harness.USAGE, "send", *args, "--yes")


if __name__ == "__main__":
    unittest.main()
