# SPDX-License-Identifier: Apache-2.0
"""What a suite said of each of its tests, beside the list of what is expected to fail.

A line of SUITE.expected: `TEST [NAME=VALUE]...: why`. TEST may hold * and ?; with conditions it counts only for runs that are
described by all of them (minor=2, delegations=yes, kernel=6.1 …)."""
import collections
import fnmatch
import os
import sys

Result = collections.namedtuple("Result", "test status detail")  # status: passed, warned, failed, omitted
Line = collections.namedtuple("Line", "test conditions reason")


def read_expected(path):
    """The lines of an expected list; of one that is not there, none."""
    lines = []
    if os.path.exists(path):
        with open(path, encoding="utf-8") as f:
            for number, text in enumerate(f, 1):
                head, colon, reason = text.strip().partition(": ")
                if not text.strip() or text.startswith("#"):
                    continue
                if not colon or not reason:
                    sys.exit(f"{path}:{number}: not `TEST [NAME=VALUE]...: why`")
                words = head.split()
                lines.append(Line(words[0], dict(w.split("=", 1) for w in words[1:]), reason))
    return lines


def expectation(lines, test, run):
    """The reason why TEST may fail in the run that RUN describes; None: it has to pass."""
    for line in lines:
        if fnmatch.fnmatchcase(test, line.test) and all(run.get(name) == value for name, value in line.conditions.items()):
            return line.reason
    return None


def report(results, lines, run):
    """Print what failed, and what was expected to and did not; whether nothing failed unexpectedly."""
    count = collections.Counter()
    for r in results:
        reason = expectation(lines, r.test, run)
        what = r.status if r.status != "failed" or reason is None else "expected"
        count[what] += 1
        if what == "failed":
            print(f"not ok {r.test}: {r.detail}", flush=True)
        elif what == "expected":
            print(f"expected {r.test}: {r.detail}\n#  {reason}", flush=True)
        elif what == "warned":
            print(f"#  warns: {r.test}: {r.detail}", flush=True)
        elif what == "passed" and reason is not None:
            print(f"#  passes now: {r.test} ({reason})", flush=True)
    print(f"{' '.join(f'{k}={v}' for k, v in run.items())}: {count['passed'] + count['warned']} passed, {count['failed']} failed, "
          f"{count['expected']} failed as expected, {count['omitted']} not run by the suite", flush=True)
    return bool(results) and not count["failed"]
