# SPDX-License-Identifier: Apache-2.0
"""cthon04, the Connectathon tests. A test is one of its groups; special and lock, whose scripts stop at the first failure, tell by what
they printed last which part it was."""
import guests
from outcome import Result

GROUPS = {"basic": "-b -f", "general": "-g -f", "special": "-s -f", "lock": "-l -f"}
GROUP_SECONDS = 900
FILES = ["runtests", "tests.init", "domount.c", "getopt.c", "tests.h", "unixdos.h", *GROUPS]
RUNS = guests.RUNS
OLD_C = 'CFLAGS="$CFLAGS -std=gnu89"\n'  # general compiles its programs anew, which newer compilers (6.12's guests have gcc 14) refuse


def results(suite, run, chosen):
    with guests.place(run, suite, FILES) as place:
        for client in place.lab.clients if place.lab else ():
            with open(client.path("suite/tests.init"), "a", encoding="ascii") as f:
                f.write(OLD_C)
        for group, options in GROUPS.items():
            if chosen and group not in chosen:
                continue
            (status, output), = place.parallel([f"cd $SUITE; NFSTESTDIR=$HERE/{group} timeout {GROUP_SECONDS} ./runtests {options} 2>&1"], GROUP_SECONDS + 60)
            good = status == 0 and "All tests completed" in output
            yield Result(group, "passed" if good else "failed", f"exit status {status}: {output[-600:]}")
