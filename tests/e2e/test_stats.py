"""Goal: `stats` tells the same history in every form, and its Prometheus text is one that a collector takes.
Method: payments on the simulated network, counted by hand; a strict reader of the exposition format."""

import json
import os
import re
import unittest

import harness
from harness import World

METRIC = re.compile(r'^(paytower_[a-z_]+)(\{[a-z]+="(?:[^"\\\n]|\\.)*"\})? (-?[0-9]+(?:\.[0-9]+)?)$')


def read_exposition(text):
    """Returns {(name, labels): value}; fails on anything that the format does not allow."""
    samples, described, typed = {}, set(), set()
    assert text.endswith("\n")
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            name = line.split(" ", 3)[2]
            assert name not in described, line
            described.add(name)
            continue
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert kind == "gauge" and name in described and name not in typed, line
            typed.add(name)
            continue
        match = METRIC.match(line)
        assert match, line
        name, labels, value = match.groups()
        assert name in typed, f"{line}: no TYPE before it"
        assert (name, labels) not in samples, f"twice: {line}"
        samples[(name, labels)] = value
    return samples


class Stats(World):
    def history(self):
        for _ in range(3):
            self.ok("send", self.invoice("250sat"), "--yes")
        failing = self.invoice("100sat", "--fail", "INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS")
        self.expect(harness.FAILED, "send", failing, "--yes")
        held = self.invoice("100sat", "--hold", "forever")
        self.expect(harness.UNKNOWN, "send", held, "--yes", "--wait", "1s")

    def test_the_same_history_in_every_form(self):
        self.history()
        stats = self.ok("stats", "--json").json()
        self.assertEqual(stats, self.ok("stats", "--format", "json").json())
        self.assertEqual(stats["payments"], 5)
        self.assertEqual(stats["by_status"], {"SUCCEEDED": 3, "FAILED": 1, "UNKNOWN": 0, "IN_FLIGHT": 1, "INITIATED": 0})
        self.assertEqual(stats["success_ppm"], 750_000)
        self.assertEqual(stats["amount_msat"], 750_000)
        paid = self.payments("--status", "succeeded")
        fees = sorted(payment["fee_msat"] for payment in paid)
        self.assertEqual((stats["fee_msat"]["sum"], stats["fee_msat"]["max"]), (sum(fees), fees[-1]))
        self.assertEqual(stats["attempts"], sum(len(payment["htlcs"]) for payment in self.payments()))
        self.assertEqual(stats["failures_by_code"]["INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS"], 1)
        self.assertEqual(stats["settle_us"]["count"], 3)
        self.assertEqual((stats["paid_in_parts"], stats["parts_per_payment"]["count"], stats["parts_per_payment"]["max"]), (0, 3, 1))
        self.assertGreater(stats["bytes"]["invoices"], 5 * 100)
        self.assertEqual(stats["bytes"]["file"], os.path.getsize(self.db))
        samples = read_exposition(self.ok("stats", "--format", "prom").out)
        for status, count in stats["by_status"].items():
            self.assertEqual(samples[("paytower_payments", f'{{status="{status}"}}')], str(count))
        self.assertEqual(samples[("paytower_fees_msat", None)], str(sum(fees)))
        self.assertEqual(samples[("paytower_success_ratio", None)], "0.750000")
        self.assertEqual(samples[("paytower_payments_in_parts", None)], "0")
        table = self.ok("stats").out
        for words in ("5 payments", "SUCCEEDED  3  ####", "75.0 %", "750 sat", "INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS"):
            self.assertIn(words, table)
        self.assertTrue(all(len(line) <= 80 for line in table.splitlines()))

    def test_what_is_open_now(self):
        self.history()
        stats = self.ok("stats", "--json", "--until", "1h").json()  # of this moment, whatever the span
        at_switch, nowhere = stats["open"]
        held = self.payments("--status", "open")[0]
        self.assertEqual((at_switch["payments"], at_switch["network"]), (1, "regtest"))
        self.assertEqual(at_switch["amount_msat"], 100_000 + held["fee_msat"])
        self.assertEqual(at_switch["oldest_ns"], held["htlcs"][0]["attempt_time_ns"])
        self.assertEqual((nowhere["node"], nowhere["payments"], nowhere["oldest_ns"]), (None, 0, None))
        samples = read_exposition(self.ok("stats", "--format", "prom").out)
        label = f'{{switch="{at_switch["node"]}/regtest"}}'
        self.assertEqual((samples[("paytower_open_payments", label)], samples[("paytower_open_msat", label)]), ("1", str(at_switch["amount_msat"])))
        self.assertLess(int(samples[("paytower_open_oldest_seconds", label)]), 600)
        self.assertEqual(samples[("paytower_open_payments", '{switch="none"}')], "0")
        self.assertRegex(self.ok("stats").out, r"Open now\n  1 payment of 100\S* sat on regtest\n    oldest ")
        self.ok("simulate", "release", held["payment_hash"])
        self.ok("resume")
        samples = read_exposition(self.ok("stats", "--format", "prom").out)
        for name in ("payments", "msat", "oldest_seconds"):
            self.assertEqual(samples[("paytower_open_" + name, label)], "0")
        self.assertNotIn("Open now", self.ok("stats").out)

    def test_the_dashboard_names_metrics_that_exist(self):
        self.history()
        self.expect(harness.FAILED, "send", self.invoice("100sat", "--fail", "TEMPORARY_CHANNEL_FAILURE@1"), "--yes", "--max-attempts", "1")
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "cli", "grafana", "paytower.json"), encoding="utf-8") as file:
            dashboard = json.load(file)
        known = {name for name, _ in read_exposition(self.ok("stats", "--format", "prom").out)}
        labels = {(name, label) for name, found in read_exposition(self.ok("stats", "--format", "prom").out) for label in re.findall(r"([a-z]+)=", found or "")}
        charted = set()
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                names = set(re.findall(r"paytower_[a-z_]+", target["expr"]))
                self.assertTrue(names and names <= known, target["expr"])
                for label in re.findall(r"{{([a-z]+)}}", target["legendFormat"]):
                    self.assertIn((*names, label), labels, target)
                charted |= names
        self.assertGreaterEqual(charted, {name for name in known if name.startswith("paytower_open_")})
        self.assertEqual(len({panel["id"] for panel in dashboard["panels"]}), len(dashboard["panels"]))

    def test_a_span(self):
        self.history()
        self.assertEqual(self.ok("stats", "--since", "1h", "--json").json()["payments"], 5)
        self.assertEqual(self.ok("stats", "--until", "1h", "--json").json()["payments"], 0)
        created = sorted(int(payment["creation_time_ns"]) for payment in self.payments())
        until = self.ok("stats", "--until", str(created[-1] // 10**9 + 1), "--json").json()
        self.assertEqual(until["payments"], 5)

    def test_no_database(self):
        self.expect(harness.DATABASE, "stats")
        del self.env["PAYTOWER_DB"]
        self.assertEqual(self.ok("stats", "--json").json()["payments"], 0)
        read_exposition(self.ok("stats", "--format", "prom").out)

    def test_bad_input(self):
        for args in (["--format", "xml"], ["--json", "--format", "prom"], ["--since", "tomorrow"], ["extra"]):
            self.expect(harness.USAGE, "stats", *args)


if __name__ == "__main__":
    unittest.main()
