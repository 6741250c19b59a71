"""How the cost of each command grows with the history: one database of each size, made at bulk speed, every item measured as a
whole process. Prints one table, a column a size.

    PAYTOWER_BINARY=build/paytower PAYTOWER_GENERATE=build/tests/paytower_generate \
        python3 tests/bench/scale.py [FOLDER [SIZE...]]

FOLDER holds the databases while it runs (1 KB a payment and as much again for what is deleted; /dev/shm shows the CPU's part),
SIZE is a number of payments (default: 10 thousand to 10 million). Times are wall clock, the median of five.
"""

import json
import os
import re
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

BINARY = os.environ["PAYTOWER_BINARY"]
GENERATE = os.environ["PAYTOWER_GENERATE"]
ROUNDS = 5
EPOCH = 1_600_000_000
SPACING = 3  # seconds between payments, as the generator has it
DELETED_AT_ONCE = 5_000_000
LONGEST_WAIT = "60s"


def when(number):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(EPOCH + number * SPACING))


class World:
    """A database of `size` payments, the last three of which are open, and a simulated network that has no record of them."""

    def __init__(self, folder, size):
        self.size = size
        self.database = os.path.join(folder, f"payments-{size}.db")
        self.network = os.path.join(folder, f"network-{size}.sim")
        self.env = {"PATH": os.environ["PATH"], "HOME": folder, "PAYTOWER_CONFIG": "none", "PAYTOWER_DB": self.database,
                    "PAYTOWER_SWITCH": "sim:" + self.network}
        told = self.run("simulate", "network", "--out", self.network, "--seed", "7")
        node = re.search(r"[0-9a-f]{66}", told.stderr + told.stdout).group()
        start = time.monotonic()
        subprocess.run([GENERATE, self.database, str(size), node], check=True)
        self.loading = size / (time.monotonic() - start)

    def run(self, *args, check=True):
        return subprocess.run([BINARY, *args], env=self.env, check=check, capture_output=True, text=True)

    def ms(self, *args, rounds=ROUNDS, check=True):
        samples = []
        for _ in range(rounds):
            start = time.monotonic()
            self.run(*args, check=check)
            samples.append(1000 * (time.monotonic() - start))
        return statistics.median(samples)

    def measured(self, *args, out=subprocess.DEVNULL):
        """Runs the program. Returns seconds, and the peak of memory in MiB."""
        start = time.monotonic()
        child = subprocess.Popen([BINARY, *args], env=self.env, stdout=out, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        assert child.returncode == 0, args
        return time.monotonic() - start, usage.ru_maxrss / 1024

    def first_dispatch_ms(self):
        """Seconds from the start of `resume` until it hands over the first open attempt."""
        samples = []
        for _ in range(ROUNDS):
            start = time.monotonic()
            child = subprocess.Popen([BINARY, "-vv", "resume", "--wait", "0"], env=self.env, stdout=subprocess.DEVNULL,
                                     stderr=subprocess.PIPE, text=True)
            for line in child.stderr:
                if "hand over" in line:
                    samples.append(1000 * (time.monotonic() - start))
                    break
            child.stderr.read()
            child.wait()
        assert len(samples) == ROUNDS
        return statistics.median(samples)

    def rows(self):
        return int(json.loads(self.run("--json", "list", "--max-payments", "1", "--count-total-payments").stdout)["total_num_payments"])


def delete(world):
    """Deletes half of the payments (of five million at most). The first run is killed halfway; the second runs while others read and pay."""
    bound = max(world.size - DELETED_AT_ONCE, world.size // 2)
    # --older-than counts back from now: the oldest `size - bound` payments go, and `bound` stay.
    age = f"{int(time.time()) - (EPOCH + (world.size - bound) * SPACING)}s"
    command = ["delete", "--all", "--include-non-failed", "--older-than", age, "--yes"]
    before = world.rows()
    child = subprocess.Popen([BINARY, *command], env=world.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(world.size / 2_000_000)
    child.send_signal(signal.SIGKILL)
    child.wait()
    after_kill = world.rows()
    stop = threading.Event()
    waits = []

    def others():
        while not stop.is_set():
            invoice = world.run("simulate", "invoice", "--amt", "100sat").stdout.strip()
            for args in (["list"], ["send", invoice, "--yes"]):
                start = time.monotonic()
                world.run(*args)
                waits.append(1000 * (time.monotonic() - start))

    beside = threading.Thread(target=others)
    beside.start()
    seconds, peak = world.measured(*command)
    stop.set()
    beside.join()
    assert before >= after_kill > world.rows() - len(waits)
    return {
        "delete: payments a second": (after_kill - world.rows() + len(waits) // 2) / seconds,
        "delete: peak MiB": peak,
        "delete: longest other command, ms": max(waits),
        "delete: gone before the kill": before - after_kill,
    }


class Row(dict):
    """Prints each figure at once, so that the ones measured are not lost if a run of half an hour is stopped."""

    def __setitem__(self, name, value):
        print(f"{name:<40}{value:>14,.1f}", file=sys.stderr, flush=True)
        super().__setitem__(name, value)


def measure(folder, size):
    world = World(folder, size)
    row = Row()
    row["load: payments a second"] = world.loading
    row["file: bytes a payment"] = os.stat(world.database).st_size / size
    row["--version (for comparison), ms"] = world.ms("--version")
    row["resume, 3 open: first hand-over, ms"] = world.first_dispatch_ms()
    forwards = "--paginate-forwards"
    middle = when(size // 2)
    pages = {"first page": [forwards], "last page": [], "middle page": ["--index-offset", str(size // 2)]}
    for status in ("succeeded", "failed", "unknown", "open"):
        pages["--status " + status] = ["--status", status]
    pages["--label"] = ["--label", "label 500"]
    pages["--label of nobody"] = ["--label", "nobody"]
    pages["--since the middle"] = ["--since", middle]
    pages["--until the middle, forwards"] = ["--until", middle, forwards]
    pages["--since the middle, forwards"] = ["--since", middle, forwards]
    pages["--until the middle"] = ["--until", middle]
    for name, args in pages.items():
        row[f"list {name}, ms"] = world.ms("list", *args)
    some_hash = world.run("list", "--index-offset", str(size // 2), "--max-payments", "1", "--format", "tsv").stdout.split("\t")[1]
    row["show, 8 digits, ms"] = world.ms("show", some_hash[:8])
    row["show of nothing, ms"] = world.ms("show", "00000000000", check=False)
    row["--count-total-payments, ms"] = world.ms("--json", "list", "--max-payments", "1", "--count-total-payments")
    seconds, peak = world.measured("list", "--max-payments", "0", "--omit-hops", "--format", "ndjson")
    row["ndjson stream: payments a second"] = size / seconds
    row["ndjson stream: peak MiB"] = peak
    row.update(delete(world))
    for name in os.listdir(folder):
        os.unlink(os.path.join(folder, name))
    return row


def main():
    base = sys.argv[1] if len(sys.argv) > 1 else None
    sizes = [int(size) for size in sys.argv[2:]] or [10_000, 100_000, 1_000_000, 10_000_000]
    columns = []
    folder = tempfile.mkdtemp(prefix="paytower-scale-", dir=base)
    try:
        for size in sizes:
            columns.append(measure(folder, size))
            print(f"{size:,} done", file=sys.stderr, flush=True)
    finally:
        shutil.rmtree(folder)
        print(f"{'payments':<40}" + "".join(f"{size:>14,}" for size in sizes[:len(columns)]))
        for name in columns[0] if columns else []:
            print(f"{name:<40}" + "".join(f"{column[name]:>14,.1f}" for column in columns))
    return 0


if __name__ == "__main__":
    sys.exit(main())
