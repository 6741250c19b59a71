"""The manual pages as text: sections, literal blocks, flags."""

import os
import re

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "man")


def source(name):
    with open(os.path.join(FOLDER, name), encoding="utf-8") as file:
        return file.read()


def names():
    return sorted(name for name in os.listdir(FOLDER) if re.search(r"\.[1-8]$", name))


def section(text, title):
    """The lines of one .Sh."""
    found = re.search(rf"^\.Sh {re.escape(title)}\n(.*?)(?=^\.Sh |\Z)", text, re.M | re.S)
    return found.group(1) if found else ""


def subsections(text):
    """Title to lines, of every .Ss."""
    return dict(re.findall(r"^\.Ss (.*?)\n(.*?)(?=^\.Ss |\Z)", text, re.M | re.S))


def literals(text):
    """What a reader copies: the literal blocks, without roff's escapes."""
    blocks = re.findall(r"^\.Bd -literal[^\n]*\n(.*?)^\.Ed$", text, re.M | re.S)
    return [block.replace("\\&", "").replace("\\-", "-").replace("\\e", "\\") for block in blocks]


def variables(text):
    """The names that .It Va defines."""
    return [name for line in re.findall(r"^\.It Va (.*)$", text, re.M) for name in line.split(" , ")]
