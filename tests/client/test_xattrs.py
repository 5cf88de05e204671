#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""Extended attributes (NFSv4.2): setfattr, getfattr, cp and tar keep them; the other client sees them."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

from checks import equal, ok  # noqa: E402
from lab import Lab  # noqa: E402
from tap import main  # noqa: E402

VALUES = "getfattr -d -e hex --absolute-names {0} | grep -v '^#' | sort"


def set_and_get(one, two):
    one.run("mkdir n/d; echo text >n/f; setfattr -n user.a -v one n/f; setfattr -n user.empty n/f; setfattr -n user.dir -v d n/d")
    equal(two.run("getfattr --only-values -n user.a n/f; echo; getfattr --only-values -n user.dir n/d").split(), ["one", "d"], "set by one client, read by the other")
    one.run("setfattr -n user.a -v two n/f; setfattr -x user.empty n/f")
    equal(two.run("sleep 3.5; cat n/f >/dev/null; getfattr -d n/f").split()[3:], ['user.a="two"'], "replaced and removed")
    errors = [two.run(f"LC_ALL=C {command} 2>&1 || true").strip().rsplit(": ", 1)[-1] for command in (
        "getfattr -n user.none n/f", "setfattr -x user.none n/f", "head -c 65537 /dev/zero >/tmp/v; setfattr -n user.v -v \"0x$(od -An -v -tx1 /tmp/v | tr -d ' \\n')\" n/f")]
    equal(errors, ["No such attribute", "No such attribute", "Argument list too long"], "what is not there, what is too long")


def large_and_many(one, two):
    one.run("touch n/many; for i in $(seq 100); do setfattr -n user.number-$i -v $i n/many; done", 60)
    equal(two.run("getfattr -d n/many | grep -c ^user.number-").strip(), "100", "a hundred of them")
    one.run("setfattr -n user.long -v \"0x$(head -c 60000 /dev/urandom | tee /tmp/long | od -An -v -tx1 | tr -d ' \\n')\" n/f")
    equal(two.run("getfattr --only-values -n user.long n/f | sha256sum").split()[0], one.run("sha256sum /tmp/long").split()[0], "60,000 bytes come back")


def copies(one, two):
    wanted = one.run(VALUES.format("n/f"))
    one.run("cp -a --preserve=xattr n/f n/copy; cp -a --preserve=xattr n/d n/dcopy; tar c --xattrs -C n f | tar x --xattrs -C n/d")
    equal(two.run(VALUES.format("n/copy")), wanted, "cp -a takes them along")
    equal(two.run(VALUES.format("n/d/f")), wanted, "so does tar")
    ok("user.dir=0x64" in two.run(VALUES.format("n/dcopy")), "of directories, too")


def test_xattrs():
    with Lab(data_servers=2) as lab:
        one, two = lab.clients
        for client in lab.clients:
            client.mount()
        set_and_get(one, two)
        large_and_many(one, two)
        copies(one, two)


main(test_xattrs)
