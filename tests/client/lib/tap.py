# SPDX-License-Identifier: Apache-2.0
"""`ok NAME` and `not ok NAME` lines, and the exit status of a test program."""
import os
import sys
import time
import traceback

from proc import LabError

LONG = os.environ.get("NACRE_TEST_LONG") == "1"
_failed = 0
_start = time.monotonic()


def ok(condition, name, detail=""):
    """One result. DETAIL (what was seen) is printed when it failed. The condition, as a bool."""
    global _failed
    print(f"{'ok' if condition else 'not ok'} {name}", flush=True)
    if not condition:
        _failed += 1
        note(detail)
    return bool(condition)


def equal(seen, wanted, name):
    return ok(seen == wanted, name, f"seen {seen!r}, wanted {wanted!r}")


def note(text):
    for line in str(text).splitlines():
        print(f"#  {line}", flush=True)


def main(*tests):
    """Run each test function; an exception in one is its failure, not the end. Exits 0 when all was well."""
    only = sys.argv[1:]
    for test in tests:
        name = test.__name__.removeprefix("test_")
        if only and name not in only:
            continue
        print(f"# {name}", flush=True)
        start = time.monotonic()
        try:
            test()
        except LabError as error:
            ok(False, name, error)
        except Exception:
            ok(False, name, traceback.format_exc())
        note(f"{name}: {time.monotonic() - start:.1f} s")
    sys.exit(1 if _failed else 0)
