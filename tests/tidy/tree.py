# SPDX-License-Identifier: Apache-2.0
"""The files of a source tree, read once."""
import os
import re

SKIPPED = {".git", "build", "__pycache__", "corpus", ".cache"}
BINARY = (".gz", ".xz", ".pcap", ".png", ".bin", ".pyc", ".o")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


class Source:
    """One text file. `folder` is the top folder it lies in, empty at the top."""

    def __init__(self, root, path):
        self.path = path
        with open(os.path.join(root, path), "rb") as f:
            self.bytes = f.read()
        self.text = self.bytes.decode("utf-8", "replace")
        self.lines = self.text.split("\n")
        if self.lines[-1] == "":
            self.lines.pop()
        self.folder = path.split("/")[0] if "/" in path else ""
        self.name = path.split("/")[-1]
        self.is_c = path.endswith((".c", ".h"))
        self.is_script = path.endswith((".py", ".sh")) or self.text.startswith("#!")

    def includes(self):
        """(line number, True for "quotes", path) of each #include."""
        for number, line in enumerate(self.lines, 1):
            found = INCLUDE.match(line)
            if found:
                yield number, found[1] == '"', found[2]

    def functions(self):
        """(line number, length in lines) of each C function: its brace stands alone in the first column."""
        start = None
        for number, line in enumerate(self.lines, 1):
            if line == "{":
                start = number
            elif line.startswith("}") and start:
                yield start - 1, number - start + 2
                start = None

    def python_functions(self):
        """The same for Python, from one `def` to the last line that is indented deeper."""
        for number, line in enumerate(self.lines, 1):
            found = re.match(r"( *)def ", line)
            if not found:
                continue
            last = number
            for at in range(number, len(self.lines)):
                inner = self.lines[at]
                if inner.strip() and not inner.startswith(found[1] + " ") and not inner.startswith(found[1] + ")"):
                    break
                if inner.strip():
                    last = at + 1
            yield number, last - number + 1


def read(root):
    """All text files under ROOT but for what is built."""
    sources = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(d for d in folders if d not in SKIPPED)
        for name in sorted(set(names) - SKIPPED):  # .git is a file in a work tree of its own
            path = os.path.relpath(os.path.join(folder, name), root)
            if not name.endswith(BINARY) and not os.path.islink(os.path.join(root, path)):
                sources.append(Source(root, path))
    return sources
