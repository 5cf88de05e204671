#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""Times, modes and sizes that are set after writing stay, for the writer and for others: cp -p, tar, install, truncate."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

from checks import ok  # noqa: E402
from lab import Lab  # noqa: E402
from tap import main  # noqa: E402

LIMIT_SECONDS = 200

MAKE = """
mkdir -p /tmp/s
for i in $(seq 1 24); do head -c $((i*30000)) /dev/urandom >/tmp/s/f$i; chmod $((i%2))755 /tmp/s/f$i; touch -d 2001-01-$((i%28+1)) /tmp/s/f$i; done
"""
COMPARE = "cd {0}; stat -c '%n %Y %a %s' *"


def test_copies_keep_times_and_modes():
    with Lab(data_servers=3, stripe_unit=64 << 10) as lab:
        one, two = lab.clients
        one.mount()
        two.mount()
        one.run(MAKE, 300)
        one.run("chmod u+s /tmp/s/f2 /tmp/s/f9")
        wanted = one.run(COMPARE.format("/tmp/s"))
        one.run("cp -a /tmp/s n/s", 300)
        ok(one.run(COMPARE.format("n/s")) == wanted, "cp -a, seen by the client that copied")
        ok(two.run(COMPARE.format("n/s")) == wanted, "and by another")
        one.run("tar c -C /tmp s | tar xp -C n --transform s,s,t,", 300)
        ok(two.run(COMPARE.format("n/t")) == wanted, "tar, seen by another")
        one.run("sync; echo 3 >/proc/sys/vm/drop_caches")
        ok(one.run(COMPARE.format("n/s")) == wanted and one.run(COMPARE.format("n/t")) == wanted, "and later, without caches")
        one.run("install -m 4755 /tmp/s/f20 n/suid")
        ok(two.run("stat -c %a n/suid").strip() == "4755", "install of a set-uid program")
        before = two.run("stat -c %Y n/s/f24")
        one.run("printf x | dd of=n/s/f24 bs=1 seek=100000 conv=notrunc 2>/dev/null")
        ok(two.run("echo 3 >/proc/sys/vm/drop_caches; stat -c %Y n/s/f24") != before, "a later write moves the time")


def test_truncated_stays_truncated():
    with Lab(data_servers=3, stripe_unit=64 << 10) as lab:
        one, two = lab.clients
        one.mount()
        two.mount()
        one.run("exec 5<>n/f; head -c 3000000 /dev/urandom >&5; truncate -s 1000000 n/f; exec 5>&-")
        ok(two.run("stat -c %s n/f").strip() == "1000000", "written, cut, closed: the size of the cut")
        one.run("sync; sleep 1; echo 3 >/proc/sys/vm/drop_caches")
        ok(one.run("stat -c %s n/f").strip() == "1000000" and two.run("wc -c <n/f").strip() == "1000000", "and later")


main(test_copies_keep_times_and_modes, test_truncated_stays_truncated)
