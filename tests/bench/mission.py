"""What is remembered of the network, in two tables: what a failed attempt costs as failures pile up, and what memory is worth.

    PAYTOWER_BINARY=build/paytower [PAYTOWER_OLD=OTHER] python3 tests/bench/mission.py [FOLDER [SEEDS [PAYMENTS]]]

The first: CPU of a batch of payments that fail, with 100, 1,000 and 10,000 failures in the database before, and of one twice as
long. The second: networks of 50 nodes whose channels are unbalanced, 500 payments each over 20 seeds, one after the other: what
share is paid, with how many attempts and at which fee, with memory, with --no-memory, and by PAYTOWER_OLD, another build. Each way
begins from the same copy of the network. Counts repeat with the seed; CPU is that of one process.
"""

import contextlib
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile

BINARY = os.environ["PAYTOWER_BINARY"]
OLD = os.environ.get("PAYTOWER_OLD")
NODES, CHANNELS = 50, 150


class Place:
    def __init__(self, folder, name):
        self.folder = folder
        self.network = os.path.join(folder, name + ".sim")
        self.database = os.path.join(folder, name + ".db")

    def env(self):
        return {"PATH": os.environ["PATH"], "HOME": self.folder, "PAYTOWER_CONFIG": "none", "PAYTOWER_DB": self.database,
                "PAYTOWER_SWITCH": "sim:" + self.network}

    def run(self, *args):
        return subprocess.run([BINARY, *args], env=self.env(), capture_output=True, text=True, check=True).stdout.strip()

    def copied(self, name):
        other = Place(self.folder, name)
        shutil.copy(self.network, other.network)
        return other

    def batch(self, invoices, *more, binary=BINARY):
        """Seconds of CPU of one run over all lines."""
        path = os.path.join(self.folder, "batch.ndjson")
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(json.dumps({"invoice": invoice}) + "\n" for invoice in invoices)
        child = subprocess.Popen([binary, "send", "--batch", path, "--yes", "--wait", "forever", *more], env=self.env(),
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, _, usage = os.wait4(child.pid, 0)
        return usage.ru_utime + usage.ru_stime

    def count(self, sql):
        with contextlib.closing(sqlite3.connect(self.database)) as database:
            return database.execute(sql).fetchone()[0] or 0


def failing(folder, history, payments, counter=[0]):
    counter[0] += 1
    place = Place(folder, f"failing{counter[0]}")
    place.run("simulate", "network", "--out", place.network, "--seed", "7")
    bad = ("--fail", "TEMPORARY_CHANNEL_FAILURE@1")
    first = [place.run("simulate", "invoice", "--amt", "100sat", *bad) for _ in range(max(history // 20, 1))]
    place.batch(first, "--max-attempts", "20")
    known = place.count("SELECT count(*) FROM attempts WHERE outcome = 2")
    measured = [place.run("simulate", "invoice", "--amt", "100sat", *bad) for _ in range(payments)]
    seconds = place.batch(measured)
    made = place.count("SELECT count(*) FROM attempts WHERE outcome = 2") - known
    return known, seconds, made


def unbalance(network, rng):
    """Most of the money of a channel stands on one side, as on the real network."""
    with contextlib.closing(sqlite3.connect(network)) as ledger, ledger:
        own = ledger.execute("SELECT scid, capacity_msat FROM channels WHERE node0 <> 0 AND node1 <> 0").fetchall()
        for channel, capacity in own:
            share = rng.betavariate(0.2, 0.2)
            ledger.execute("UPDATE channels SET balance0_msat = ?, balance1_msat = ? WHERE scid = ?",
                           (int(capacity * share), capacity - int(capacity * share), channel))
        ledger.execute("UPDATE numbers SET value = 100000 WHERE which = 2")  # an HTLC takes 0.1 ms


def worth(folder, seeds, payments):
    ways = [("with memory", BINARY, ()), ("--no-memory", BINARY, ("--no-memory",))] + ([("before", OLD, ())] if OLD else [])
    sums = {name: [0, 0, 0, 0] for name, _, _ in ways}  # payments, paid, attempts, fees
    for seed in range(1, seeds + 1):
        rng = random.Random(seed)
        place = Place(folder, f"seed{seed}")
        place.run("simulate", "network", "--out", place.network, "--seed", str(seed), "--nodes", str(NODES), "--channels", str(CHANNELS))
        unbalance(place.network, rng)
        invoices = [place.run("simulate", "invoice", "--amt", f"{int(10 ** rng.uniform(3.5, 6.2))}sat", "--node", f"n{rng.randrange(1, NODES)}")
                    for _ in range(payments)]
        for name, binary, flags in ways:
            other = place.copied(f"seed{seed}-way{len(name)}")
            other.batch(invoices, "--parallel", "1", *flags, binary=binary)
            add = (len(invoices), other.count("SELECT count(*) FROM payments WHERE preimage IS NOT NULL"),
                   other.count("SELECT count(*) FROM attempts"), other.count("SELECT sum(fee_msat) FROM attempts WHERE outcome = 1"))
            sums[name] = [a + b for a, b in zip(sums[name], add)]
            for end in ("", "-wal", "-shm", ".lock", ".spool"):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(other.database + end)
            os.unlink(other.network)
        os.unlink(place.network)
    return sums


def main():
    folder = tempfile.mkdtemp(dir=sys.argv[1] if len(sys.argv) > 1 else None)
    seeds = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    payments = int(sys.argv[3]) if len(sys.argv) > 3 else 500
    try:
        print("| failures before | payments that fail | failed attempts | CPU, s | CPU a failed attempt, us |\n|---|---|---|---|---|")
        sizes = ((100, 50), (1_000, 50), (10_000, 50), (100, 100), (100, 200)) if payments >= 100 else ((100, 5),)
        for history, count in sizes:
            known, seconds, made = failing(folder, history, count)
            print(f"| {known:,} | {count} | {made:,} | {seconds:.2f} | {1e6 * seconds / max(made, 1):,.0f} |", flush=True)
        print("\n| way | payments | paid | attempts a payment | fee of a paid one, sat |\n|---|---|---|---|---|")
        for name, (count, paid, attempts, fees) in worth(folder, seeds, payments).items():
            print(f"| {name} | {count:,} | {100 * paid / count:.1f} % | {attempts / count:.2f} | {fees / 1000 / max(paid, 1):.1f} |", flush=True)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
