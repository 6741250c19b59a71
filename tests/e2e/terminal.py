"""A pseudo-terminal of a given width, and what stands on its screen after a program has written to it."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
import unicodedata

import harness


def width_of(char):
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


class Screen:
    """The plainest terminal there is: it knows carriage return, line feed and colours, and reports everything else as strange."""

    def __init__(self, columns):
        self.columns, self.lines, self.column, self.strange, self.overflowed = columns, [[]], 0, [], []

    def feed(self, text):
        at = 0
        while at < len(text):
            char = text[at]
            if char == "\x1b":
                end = text.find("m", at)
                if text[at:at + 2] != "\x1b[" or end < 0 or not text[at + 2:end].replace(";", "").isdigit():
                    self.strange.append(text[at:at + 8])
                    end = at
                at = end + 1
                continue
            at += 1
            if char == "\r":
                self.column = 0
            elif char == "\n":
                self.lines.append([])
                self.column = 0
            elif ord(char) < 32 or ord(char) == 127:
                self.strange.append(char)
            else:
                self.put(char)

    def put(self, char):
        line = self.lines[-1]
        width = width_of(char)
        if width == 0:
            return
        if self.column + width > self.columns:
            self.overflowed.append("".join(line))
        line.extend(" " * (self.column + width - len(line)))
        line[self.column] = char
        for extra in range(1, width):
            line[self.column + extra] = ""
        self.column += width

    def text(self):
        return "\n".join("".join(line).rstrip() for line in self.lines)


class Seen:
    """The result of a run: what it wrote to the terminal, and to a pipe if stdout was one."""

    def __init__(self, code, raw, columns, out=""):
        self.code, self.raw, self.out = code, raw, out
        self.screen = Screen(columns)
        self.screen.feed(raw.replace("\r\n", "\n"))
        self.text = self.screen.text()


def run(world, *args, columns=80, term="xterm", env=None, answer=None, stdout_pipe=False, timeout=60):
    """Runs paytower on a pseudo-terminal: stdin, stderr, and stdout unless it is a pipe. `answer` to its question: a text, or a signal."""
    main, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    variables = {**world.env, "TERM": term, **(env or {})}
    process = subprocess.Popen([harness.BINARY, *args], stdin=side, stderr=side, stdout=subprocess.PIPE if stdout_pipe else side,
                               env=variables, cwd=world.folder, start_new_session=True)
    os.close(side)
    raw, out = b"", b""
    end = time.monotonic() + timeout
    sources = [main] + ([process.stdout.fileno()] if stdout_pipe else [])
    while sources:
        if time.monotonic() > end:
            process.kill()
            raise AssertionError(f"no end of {args}: {raw!r}")
        ready, _, _ = select.select(sources, [], [], 0.2)
        for source in ready:
            try:
                data = os.read(source, 65536)
            except OSError:  # the other side is closed
                data = b""
            if not data:
                sources.remove(source)
            elif source == main:
                raw += data
            else:
                out += data
        if answer is not None and raw.endswith((b"[y/N] ", b"to confirm: ")):
            process.send_signal(answer) if isinstance(answer, signal.Signals) else os.write(main, answer.encode())
            answer = None
    os.close(main)
    code = process.wait(timeout=timeout)
    if process.stdout:
        process.stdout.close()
    return Seen(code, raw.decode("utf-8", "replace"), columns, out.decode())
