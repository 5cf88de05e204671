# SPDX-License-Identifier: Apache-2.0
"""What a demonstration prints: headings, lines with a bar that moves, amounts; colours on a terminal."""
import os
import sys
import time

MB = 1000 * 1000
COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ
BAR = 32


def paint(code, text):
    return f"\033[{code}m{text}\033[0m" if COLOUR else text


def bold(text):
    return paint("1", text)


def good(text):
    return paint("32", text)


def dim(text):
    return paint("2", text)


def bar(part):
    """A bar of BAR cells, in eighths."""
    eighths = round(max(0.0, min(1.0, part)) * BAR * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (" ▏▎▍▌▋▊▉"[rest] if rest else "")).ljust(BAR, "·" if not COLOUR else " ")


class Line:
    """One line of output that shows progress while it is under way (on a terminal) and a result at its end."""

    def __init__(self, title):
        self.title, self.start, self.shown = title, time.monotonic(), 0.0
        self.progress(0)

    def progress(self, part, text=""):
        now = time.monotonic()
        if COLOUR and (now - self.shown > 0.1 or part >= 1):
            self.shown = now
            print(f"\r\033[K  {self.title:<44} {paint('36', bar(part))} {part * 100:3.0f} % {text}", end="", flush=True)

    def done(self, text):
        print(("\r\033[K" if COLOUR else "") + f"  {self.title:<44} {text}", flush=True)

    @property
    def seconds(self):
        return time.monotonic() - self.start


def heading(text):
    print(f"\n{bold(text)}", flush=True)


def amount(n):
    return f"{n / MB / 1000:.2f} GB" if n >= 1000 * MB else f"{n / MB:.1f} MB" if n >= MB else f"{n / 1000:.1f} kB"
