"""What is remembered of the network, in three tables: what a failed attempt costs as failures pile up, what memory is worth, and
where the attempts go.

    PAYTOWER_BINARY=build/paytower [PAYTOWER_OLD=OTHER] python3 tests/bench/mission.py [FOLDER [SEEDS [PAYMENTS]]]

The first: CPU of a batch of payments that fail, with 100, 1,000 and 10,000 failures in the database before, and of one twice as
long. The others: 20 networks of 50 nodes whose channels are unbalanced, 500 payments on each, one after the other: what share is
paid, with how many attempts and at which fee, with memory, with --no-memory, and by PAYTOWER_OLD, another build. Each way begins
from the same copy of the network and pays the same invoices.

After every 50 payments a fifth of the others' channels has another balance, drawn anew from the seed, as other people's payments
leave it, and our own channels are as full as in the beginning: 500 payments are twice what they hold, and behind an empty channel
every way fails alike. So memory is also measured where part of it has become wrong. Counts repeat with the seed as far as they do
not hang on the hour: what a build remembers for seconds depends on how many payments it makes in them.
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
GROUP, MOVED = 50, 0.2  # payments between two changes of the network, and the share of channels that each changes


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
        """Sends the invoices in one run; returns its CPU time in seconds."""
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


def others(ledger):
    return ledger.execute("SELECT scid, capacity_msat FROM channels WHERE node0 <> 0 AND node1 <> 0 ORDER BY scid").fetchall()


def unbalance(ledger, rng, channels):
    """Puts most of the money of each channel on one side, as in the real network."""
    for channel, capacity in channels:
        first = int(capacity * rng.betavariate(0.2, 0.2))
        ledger.execute("UPDATE channels SET balance0_msat = ?, balance1_msat = ? WHERE scid = ?", (first, capacity - first, channel))


def pay(place, invoices, seed, flags, binary):
    """Pays with one set of flags. Returns {hash: (paid, attempts, fee in msat)}."""
    rng = random.Random(f"{seed} moves")  # the same moves for each set of flags
    with contextlib.closing(sqlite3.connect(place.network)) as ledger:
        own = ledger.execute("SELECT balance0_msat, balance1_msat, scid FROM channels WHERE node0 = 0 OR node1 = 0").fetchall()
    for at in range(0, len(invoices), GROUP):
        place.batch(invoices[at:at + GROUP], "--parallel", "1", *flags, binary=binary)
        with contextlib.closing(sqlite3.connect(place.network)) as ledger, ledger:
            unbalance(ledger, rng, [one for one in others(ledger) if rng.random() < MOVED])
            ledger.executemany("UPDATE channels SET balance0_msat = ?, balance1_msat = ? WHERE scid = ?", own)
    with contextlib.closing(sqlite3.connect(place.database)) as database:
        rows = database.execute("SELECT payment_hash, preimage IS NOT NULL, count(attempt_row), total(fee_msat * (outcome = 1)) "
                                "FROM payments LEFT JOIN (SELECT payment_index, attempt_row, fee_msat, outcome FROM attempts) "
                                "USING (payment_index) GROUP BY payment_index").fetchall()
    return {payment: (paid, attempts, fee) for payment, paid, attempts, fee in rows}


def worth(folder, seeds, payments):
    """Pays the same invoices with each set of flags. Returns {name: {(seed, hash): (paid, attempts, fee in msat)}}."""
    ways = [("with memory", BINARY, ()), ("--no-memory", BINARY, ("--no-memory",))] + ([("the build before", OLD, ())] if OLD else [])
    results = {name: {} for name, _, _ in ways}
    for seed in range(1, seeds + 1):
        rng = random.Random(seed)
        place = Place(folder, f"seed{seed}")
        place.run("simulate", "network", "--out", place.network, "--seed", str(seed), "--nodes", str(NODES), "--channels", str(CHANNELS))
        with contextlib.closing(sqlite3.connect(place.network)) as ledger, ledger:
            unbalance(ledger, rng, others(ledger))
            ledger.execute("UPDATE numbers SET value = 100000 WHERE which = 2")  # an HTLC takes 0.1 ms
        drawn = [(int(10 ** rng.uniform(3.5, 6.2)), rng.randrange(1, NODES)) for _ in range(payments)]
        invoices = [place.run("simulate", "invoice", "--amt", f"{amount}sat", "--node", f"n{node}") for amount, node in drawn]
        for number, (name, binary, flags) in enumerate(ways):
            other = place.copied(f"seed{seed}-way{number}")
            results[name].update({(seed, payment): result for payment, result in pay(other, invoices, seed, flags, binary).items()})
            for end in ("", "-wal", "-shm", ".lock", ".spool"):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(other.database + end)
            os.unlink(other.network)
        os.unlink(place.network)
        print(f"seed {seed} of {seeds}", file=sys.stderr, flush=True)
    return results


def mean(values):
    return sum(values) / len(values) if values else 0


def show_worth(results):
    every = sorted({payment for result in results.values() for payment in result})
    nothing = (0, 0, 0)
    of = {name: [result.get(payment, nothing) for payment in every] for name, result in results.items()}
    paying = [sum(ways) for ways in zip(*([paid for paid, _, _ in result] for result in of.values()))]
    print("\n| way | payments | paid | attempts a payment | of a paid one | of one that failed | fee of a paid one, sat |"
          "\n|---|---|---|---|---|---|---|")
    for name, result in of.items():
        paid = [one for one in result if one[0]]
        failed = [one for one in result if not one[0]]
        attempts = [mean([one[1] for one in some]) for some in (result, paid, failed)]
        print(f"| {name} | {len(result):,} | {100 * len(paid) / max(len(result), 1):.1f} % | {attempts[0]:.2f} | {attempts[1]:.2f} "
              f"| {attempts[2]:.2f} | {mean([one[2] for one in paid]) / 1000:.1f} |", flush=True)
    print("\n| payments x attempts of one | paid by every way | fee of these, sat | paid, and not by every way "
          "| failed, and paid by another way | paid by no way | all |\n|---|---|---|---|---|---|---|")
    for name, result in of.items():
        kinds = [[], [], [], []]
        for one, by in zip(result, paying):
            kinds[0 if by == len(of) else 1 if one[0] else 2 if by else 3].append(one)
        cells = [f"{len(kind):,} x {mean([one[1] for one in kind]):.2f}" for kind in [*kinds, result]]
        cells.insert(1, f"{mean([one[2] for one in kinds[0]]) / 1000:.1f}")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


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
        show_worth(worth(folder, seeds, payments))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
