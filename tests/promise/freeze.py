"""Writes down what a new release promises: PAYTOWER_BINARY=build/gcc/paytower python3 tests/promise/freeze.py 1.1

Once for each release, and never for one that is out: a file that exists is not written again, and no test writes any. The line that
it prints goes into FROZEN of tests/e2e/test_promise.py."""

import hashlib
import os
import re
import subprocess
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(FOLDER, "..", "e2e"))

import promise  # noqa: E402


def main():
    if len(sys.argv) != 2 or not re.fullmatch(r"\d+\.\d+", sys.argv[1]):
        sys.exit(__doc__)
    release = sys.argv[1]
    built = subprocess.run([os.environ["PAYTOWER_BINARY"], "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if built != f"paytower {release}.0":
        sys.exit(f"this is {built}, not {release}.0: nothing was written")
    path = os.path.join(FOLDER, release + ".txt")
    if os.path.exists(path):
        sys.exit(f"{path} is there: what was promised is not written again")
    text = "".join(line + "\n" for line in sorted(promise.lines(promise.collect())))
    with open(path, "x", encoding="utf-8") as file:
        file.write(text)
    print(f'"{release}": "{hashlib.sha256(text.encode()).hexdigest()}",')


main()
