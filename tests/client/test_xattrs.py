#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""Extended attributes (NFSv4.2): setfattr, getfattr, cp and tar keep them, the other client sees them; the one that says how
files are striped."""
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

from checks import KIB, MIB, Stored, check_pattern, equal, ok, write_pattern  # noqa: E402
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


def layouts(lab, one, two):
    show = "getfattr --only-values -n user.nacre.layout"
    one.run("mkdir n/l; setfattr -n user.nacre.layout -v unit=64K,width=2 n/l; mkdir n/l/sub; touch n/empty; setfattr -n user.nacre.layout -v unit=128K,width=3 n/empty")
    equal(two.run(f"{show} n/l/sub; echo; {show} n/empty").split(), ["unit=64K,width=2", "unit=128K,width=3"], "layouts: of a directory, handed on, and of an empty file")
    for path, unit, width in (("n/l/sub/f", 64, 2), ("n/empty", 128, 3)):
        stored = Stored(lab)
        write_pattern(one, 5, 4 * MIB, path, "--fsync")
        stored.check_shares(4 * MIB, unit * KIB, width, f"{path}: {width} data servers hold it")
        check_pattern(two, 5, 4 * MIB, path, f"{path}: read by the other client")
    holder = one.spawn("exec 5<>n/open; mkfifo /tmp/go; echo E open >$EVENTS; read -r go </tmp/go; iotool fill 6 0 2M fd:5 --fsync")
    one.wait_event(lambda e: e == "open")
    two.run("setfattr -n user.nacre.layout -v unit=256K,width=1 n/open")
    one.run("echo go >/tmp/go")
    holder.wait()
    check_pattern(two, 6, 2 * MIB, "n/open", "what one client has open is shaped anew by another, and written right")
    errors = [two.run(f"LC_ALL=C setfattr -n user.nacre.{what} 2>&1 || true").strip().rsplit(": ", 1)[-1] for what in ("layout -v width=2 n/open", "layout -v wide n/l", "x -v y n/l")]
    equal(errors, ["Operation not permitted", "Invalid argument", "Operation not permitted"], "data keeps its layout; nonsense is refused")
    equal(two.run("getfattr -d n/l n/empty"), "", "never listed")
    if lab.kernel == "6.1":  # its libraries are this machine's
        shutil.copy(lab.server.nacre, one.path("nacre"))
        nacre = "/mnt/out/nacre"
        equal(one.run(f"{nacre} layout set --stripe-unit 2M --stripe-count 4 n/l; {nacre} layout get n/l; {nacre} layout get n/d").splitlines(), ["unit=2M,width=4", "as configured"], "nacre layout")


def test_xattrs():
    with Lab(data_servers=4, stripe_unit=MIB) as lab:
        one, two = lab.clients
        for client in lab.clients:
            client.mount()
        set_and_get(one, two)
        large_and_many(one, two)
        copies(one, two)
        layouts(lab, one, two)


main(test_xattrs)
