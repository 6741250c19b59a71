"""The README's code blocks. What stands behind ``` says who can run one:
  sh          anybody who has paytower: run by test_readme.py, and by bare_root.sh
  sh build    installs packages, builds, installs: run by bare_root.sh
  sh tests    the test command itself: run by CI
  sh node     needs a Lightning node
  (nothing)   no shell: a line of a crontab, of a configuration file, a picture
Run as a script, it prints the blocks of the kinds that are named, as one script."""

import os
import re
import sys

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "README.md")
KINDS = ("sh", "sh build", "sh tests", "sh node", "")


def blocks():
    """Pairs of kind and text, in order."""
    with open(PATH, encoding="utf-8") as file:
        return re.findall(r"^```([^\n]*)\n(.*?)^```$", file.read(), re.M | re.S)


def script(*kinds):
    return "".join(text for kind, text in blocks() if kind in kinds)


def crontab():
    """The commands of the README's crontab lines."""
    return re.findall(r"^(?:\S+ ){5}((?:[A-Z_]+=\S+ )*paytower .*)$", script(""), re.M)


if __name__ == "__main__":
    if sys.argv[1:] == ["--crontab"]:
        print("\n".join(crontab()))
    else:
        print(script(*sys.argv[1:]), end="")
