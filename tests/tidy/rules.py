# SPDX-License-Identifier: Apache-2.0
"""What the tree promises about itself. A rule takes the sources and yields `file:line: what is wrong`."""
import os
import re
from collections import Counter

# --- floors: what a folder may include besides itself (docs/ARCHITECTURE.md)
BELOW_NFS4 = {"rpc", "base", "include"}
PROGRAM = {"nfs4", "s3tier"} | BELOW_NFS4
FLOORS = {
    "include": set(),
    "base": {"include"},
    "rpc": {"base", "include"},
    "s3tier": {"base", "include"},
    "nfs4": BELOW_NFS4,
    "mds": PROGRAM,
    "ds": PROGRAM,
    "cli": {"base", "include", "s3tier"},
}
# The command checks what it writes with the schemas of the daemons that read it.
CROSSINGS = {("cli", path) for path in ("mds/conf.h", "ds/conf.h", "mds/ns/export.h", "mds/tier/repo_conf.h")}
# Inside a program: op is above the others and the store below them.
ROOMS_ABOVE = {"op": (), "store": ("op", "state", "ns", "pnfs", "tier", "fleet")}
FOLDERS = ("include", "base", "rpc", "nfs4", "mds", "ds", "s3tier", "cli", "tests", "bench", "ansible", "docs")
DAEMONS = ("base", "rpc", "nfs4", "mds", "ds", "s3tier")

# --- front doors: a library's headers, and the files that may include them
DOORS = (
    ("libevent", r"event2/|event\.h|evhttp\.h|evutil\.h", r"base/(loop\w*\.[ch]|admin\.c|env_real\.c)"),
    ("liburing", r"liburing|linux/io_uring\.h", r"base/disk_uring\.c"),
    ("krb5", r"gssapi|krb5|com_err\.h", r"rpc/gss\w*\.[ch]"),
    ("openssl", r"openssl/", r"rpc/tls\w*\.[ch]|base/(sha256|digest)\.c"),
    ("libtirpc", r"rpc/|rpcsvc/|netconfig\.h|tirpc/", r"rpc/.*"),
    ("what rpcgen makes", r"ctl\.h", r"(mds|ds|tests)/.*"),
    ("libcurl", r"curl/", r"s3tier/http\.c"),
    ("expat", r"expat", r"s3tier/xml\.c"),
    ("RocksDB", r"rocksdb/", r"mds/store/.*"),
    ("libcyaml", r"cyaml/|yaml\.h", r"base/conf\w*\.c"),
    ("cmocka", r"cmocka", r"tests/.*"),
)

LICENSE = "SPDX-License-Identifier: Apache-2.0"
FILE_LINES, TEST_LINES, FUNCTION_LINES, COLUMNS, README_LINES, ROOM_FILES = 500, 600, 70, 110, 20, 10


def floors(sources):
    """Includes go downwards only; mds/ and ds/ meet in include/ alone."""
    for s in sources:
        allowed = FLOORS.get(s.folder)
        for line, quoted, path in s.includes() if s.is_c and allowed is not None else ():
            target = path.split("/")[0]
            if quoted and target != s.folder and target not in allowed and (s.folder, path) not in CROSSINGS:
                yield f"{s.path}:{line}: {s.folder}/ may not use {path}"


def rooms(sources):
    """Inside mds/ and ds/: operations on top, the store at the bottom."""
    for s in sources:
        parts = s.path.split("/")
        if not s.is_c or s.folder not in ("mds", "ds") or len(parts) < 3 or parts[1] == "op":
            continue
        above = ROOMS_ABOVE.get(parts[1], ("op",))
        for line, quoted, path in s.includes():
            target = path.split("/")
            upwards = len(target) == 3 and target[0] == s.folder and target[1] in above
            to_the_top = len(target) == 2 and target[0] == s.folder and parts[1] == "store"
            if quoted and (upwards or to_the_top):
                yield f"{s.path}:{line}: {s.folder}/{parts[1]}/ may not use {path}"


def doors(sources):
    """A library has one front door; nothing else includes its headers."""
    for s in sources:
        tested = re.sub(r"^tests/unit/(.*)/test_", r"\1/", s.path)  # the door's own test may look behind it
        for line, quoted, path in s.includes() if s.is_c else ():
            for library, headers, who in DOORS:
                if re.match(headers, path) and not quoted and not any(re.fullmatch(who, p) for p in (s.path, tested)):
                    yield f"{s.path}:{line}: <{path}>: the front door of {library} is {who}"


def quotes(sources):
    """Headers of this tree are named from its top, in quotes, and are there."""
    paths = {s.path for s in sources}
    for s in sources:
        for line, quoted, path in s.includes() if s.is_c else ():
            if quoted and path not in paths:
                yield f"{s.path}:{line}: no {path} (write the path from the top of the tree)"
            if not quoted and path in paths and not path.startswith("rpc/"):
                yield f"{s.path}:{line}: <{path}> is this tree's: write it in quotes"


def readmes(sources):
    """A README.md of at most 20 lines in each top folder, and in each with more than ten C files but below tests/unit."""
    lines = {s.path: len(s.lines) for s in sources}
    rooms_of = Counter(os.path.dirname(s.path) for s in sources if s.is_c and not s.path.startswith("tests/unit/"))
    large = {folder for folder, files in rooms_of.items() if files > ROOM_FILES}
    for folder in sorted({s.folder for s in sources} & set(FOLDERS) | large):
        length = lines.get(f"{folder}/README.md")
        if length is None:
            yield f"{folder}/README.md is missing"
        elif not 0 < length <= README_LINES:
            yield f"{folder}/README.md: {length} lines, allowed: {README_LINES}"


def mirror(sources):
    """tests/unit/base/test_x.c or test_x_more.c tests base/x.c or base/x.h; include/ is tested from unit/base."""
    paths = {s.path for s in sources}
    for s in sources:
        found = re.fullmatch(r"tests/unit/(.+)/test_(\w+)\.c", s.path)
        if not found:
            if re.fullmatch(r"tests/unit/(.+/)?test_.*", s.path):
                yield f"{s.path}: not tests/unit/FOLDER/test_NAME.c"
            continue
        words = found[2].split("_")
        names = ["_".join(words[:n]) for n in range(1, len(words) + 1)]
        folders = [found[1], "include"] if found[1] == "base" else [found[1]]
        if not any(f"{folder}/{name}.{end}" in paths for folder in folders for name in names for end in "ch"):
            yield f"{s.path}: tests nothing that is called {found[1]}/{found[2]}.c"


def scenarios(sources):
    """A scenario tells its behaviour in its second line."""
    for s in sources:
        if s.path.startswith("tests/scenario/") and s.path.endswith(".c"):
            if len(s.lines) < 2 or not s.lines[1].startswith("/* "):
                yield f"{s.path}:2: a comment is missing: which behaviour, which section of which RFC"


def sizes(sources):
    """Files of at most 500 lines (a unit test, which follows one file whatever it holds, 600), functions of at most 70."""
    for s in sources:
        if not s.is_c and not s.is_script:
            continue
        allowed = TEST_LINES if s.path.startswith("tests/unit/") else FILE_LINES
        if len(s.lines) > allowed:
            yield f"{s.path}: {len(s.lines)} lines, allowed: {allowed}"
        for line, length in s.functions() if s.is_c else s.python_functions():
            if length > FUNCTION_LINES:
                yield f"{s.path}:{line}: a function of {length} lines, allowed: {FUNCTION_LINES}"


def columns(sources):
    """C within 110 columns, but for text that would have to be cut."""
    for s in sources:
        for number, line in enumerate(s.lines, 1) if s.is_c else ():
            if len(line) > COLUMNS and '"' not in line:
                yield f"{s.path}:{number}: {len(line)} columns, allowed: {COLUMNS}"


def whitespace(sources):
    """No tabs, no blanks at the end of a line, one newline at the end of a file."""
    for s in sources:
        if s.name in ("LICENSE", "Makefile"):
            continue
        for number, line in enumerate(s.lines, 1):
            if "\t" in line:
                yield f"{s.path}:{number}: a tab"
            if line != line.rstrip() and "\t" not in line:
                yield f"{s.path}:{number}: blanks at the end"
        if s.bytes and (not s.bytes.endswith(b"\n") or s.bytes.endswith(b"\n\n")):
            yield f"{s.path}: ends without a newline, or with more than one"


def licenses(sources):
    """The licence in the first line of each C file, in one of the first two of each script."""
    for s in sources:
        if s.is_c and s.lines[:1] != [f"/* {LICENSE} */"]:
            yield f"{s.path}:1: not /* {LICENSE} */"
        if s.is_script and not s.is_c and not any(LICENSE in line for line in s.lines[:2]):
            yield f"{s.path}:1: no {LICENSE}"


TABLES = ("mds/ops.c", "ds/ops.c")
SHOWN = re.compile(r"(?:(scenario|unit|client)\b ?)?(.*)")


def names_tests(text):
    """(kind, name) of each test in a row's fourth cell: `scenario a, b, unit nfs4.test_c, client (E2)`."""
    kind = ""
    for item in filter(None, re.sub(r"\([^)]*\)", "", text).split(",")):
        found = SHOWN.fullmatch(item.strip())
        kind = found[1] or kind
        yield kind, found[2].strip()


def operations(sources):
    """Each operation that a server has is a row of docs/RFC8881.md, and names tests that are there."""
    texts = {s.path: s for s in sources}
    docs = texts.get("docs/RFC8881.md")
    if docs is None:
        return
    rows = {}
    for number, line in enumerate(docs.lines, 1):
        cells = line.split("|")
        if len(cells) < 6 or not re.fullmatch(r"[A-Z_]+(, [A-Z_]+)*", cells[1].strip()):
            continue
        rows.update((name, number) for name in cells[1].strip().split(", "))
        tests = list(names_tests(cells[4]))
        if not tests:
            yield f"docs/RFC8881.md:{number}: names no test"
        for kind, name in tests:
            path = {"scenario": f"tests/scenario/{name}.c", "unit": f"tests/unit/{name.replace('.', '/')}.c",
                    "client": f"tests/client/test_{name}.py" if name else "tests/client/run"}.get(kind, "")
            folder = path.removesuffix(".c") + "/"
            if path not in texts and not any(other.startswith(folder) for other in texts):
                yield f"docs/RFC8881.md:{number}: no test is called {kind} {name}"
    for s in filter(None, map(texts.get, TABLES)):
        for number, line in enumerate(s.lines, 1):
            found = re.match(r"\s*\[OP_(\w+)\] =", line)
            if found and found[1] not in rows:
                yield f"{s.path}:{number}: {found[1]} is no row of docs/RFC8881.md"


# Written so that this file does not hold them.
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b|^\s*#\s*if 0\b")
HOUSE_PATH = re.compile(r"(?<![\w.}/)*-])/(work|home|Users|root/\w+|var/tmp/\w+)/")
UNBOUNDED = re.compile(r"(?<![\w.>])(sprintf|vsprintf|gets|strtok|atoi|atol|rand|alloca|tmpnam)\s*\(")
SLEEP = re.compile(r"(?<![\w.>])(sleep|usleep|nanosleep|clock_nanosleep)\s*\(")


def words(sources):
    """Nothing unfinished, and no path of the machine it was written on."""
    for s in sources:
        for number, line in enumerate(s.lines, 1):
            for found in filter(None, (UNFINISHED.search(line), HOUSE_PATH.search(line))):
                yield f"{s.path}:{number}: '{found[0].strip()}'"


def calls(sources):
    """Outside tests: no C function that forgets a size or an error; no daemon that sleeps."""
    for s in sources:
        for number, line in enumerate(s.lines, 1) if s.is_c and s.folder in (*DAEMONS, "cli") else ():
            code = re.sub(r'"(\\.|[^"\\])*"', '""', line)
            if re.match(r"\s*(/?\*|//)", code):
                continue
            found = UNBOUNDED.search(code) or (SLEEP.search(code) if s.folder in DAEMONS else None)
            if found:
                yield f"{s.path}:{number}: {found[1]}()"


ALL = (floors, rooms, doors, quotes, readmes, mirror, scenarios, sizes, columns, whitespace, licenses, words, calls,
       operations)
