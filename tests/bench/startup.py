"""What starting up costs: the CPU time of `paytower list` on a small database beside that of `paytower --version`, in one
run, turn by turn, so that a noisy machine disturbs both alike. Prints the medians and their ratio, and where hyperfine is
installed (Debian has it) its table of whole processes: wall clock, user and system time.

    PAYTOWER_BINARY=build/gcc/paytower python3 tests/bench/startup.py
"""

import json
import os
import resource
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile

BINARY = os.environ["PAYTOWER_BINARY"]
ROUNDS = 200
PAYMENTS = 20


def cpu_of_children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def cpu_ms(env, *args):
    before = cpu_of_children()
    subprocess.run([BINARY, *args], env=env, check=True, stdout=subprocess.DEVNULL)
    return 1000 * (cpu_of_children() - before)


def whole_processes(env, some_hash):
    commands = [["--version"], ["list"], ["list", "--json"], ["show", some_hash], ["stats"], ["check"], ["resume"],
                ["list", "--status", "failed"], ["list", "--count-total-payments", "--max-payments", "1", "--json"]]
    report = env["PAYTOWER_DB"] + ".hyperfine.json"
    subprocess.run(["hyperfine", "--shell=none", "--warmup", "5", "--runs", "100", "--style", "none", "--export-json", report,
                    *[shlex.join([BINARY, *command]) for command in commands]], env=env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(report, encoding="utf-8") as file:
        results = json.load(file)["results"]
    print(f"{'hyperfine, 100 runs each':<58}{'wall ms':>9}{'user ms':>9}{'system ms':>11}")
    for command, result in zip(commands, results):
        shown = " ".join(word[:8] if word == some_hash else word for word in command)
        print(f"paytower {shown:<49}{1000 * result['median']:>9.2f}{1000 * result['user']:>9.2f}{1000 * result['system']:>11.2f}")


def main():
    with tempfile.TemporaryDirectory(prefix="paytower-bench-") as folder:
        env = {"PATH": os.environ["PATH"], "HOME": folder, "PAYTOWER_CONFIG": "none", "PAYTOWER_DB": folder + "/payments.db",
               "PAYTOWER_SWITCH": f"sim:{folder}/network.sim"}
        run = lambda *args: subprocess.run([BINARY, *args], env=env, check=True, capture_output=True, text=True).stdout
        run("simulate", "network", "--out", folder + "/network.sim", "--seed", "7")
        for _ in range(PAYMENTS):
            run("send", run("simulate", "invoice", "--amt", "100sat").strip(), "--yes")
        samples = {"--version": [], "list": []}
        for _ in range(ROUNDS):
            for command, times in samples.items():
                times.append(cpu_ms(env, command))
        medians = {command: statistics.median(times) for command, times in samples.items()}
        for command, median in medians.items():
            print(f"{command:>10}  {median:6.2f} ms CPU (median of {ROUNDS})")
        print(f"{'ratio':>10}  {medians['list'] / medians['--version']:6.2f}")
        if shutil.which("hyperfine"):
            whole_processes(env, json.loads(run("list", "--json", "--max-payments", "1"))["payments"][0]["payment_hash"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
