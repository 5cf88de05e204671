#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""Files that S3 has are released by their owner and read again: the same bytes, the same times, and meanwhile the data servers have their room back."""
import os
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

from bucket import Bucket  # noqa: E402
from checks import equal, note, ok  # noqa: E402
from lab import Lab  # noqa: E402
from tap import main  # noqa: E402

MIB = 1 << 20
SIZES = {"small": 1000, "unit": MIB, "big": 9 * MIB + 777, "open": 3 * MIB + 1, "written": 2 * MIB}
WHERE = "n/data/train"
OWNER = "setpriv --reuid 1000 --regid 1000 --clear-groups"
SHOW = f"cd {WHERE} && md5sum * && stat -c '%n %s %y %z' *"


class States:
    """user.nacre.state under a name of its own for each time."""

    def __init__(self, client):
        self.client, self.count = client, 0

    def of(self, name):
        self.count += 1
        return self.client.run(f"getfattr --only-values -n 'user.nacre.state;{self.count}' {WHERE}/{name}").strip()

    def wait(self, name, wanted):
        for _ in range(100):
            if self.of(name) == wanted:
                return
            time.sleep(0.1)
        equal(self.of(name), wanted, f"{name}: its state")


def stored(lab):
    """Bytes on the data servers' disks."""
    return sum(used for _, used in lab.server.stored_bytes())


def release(client, name, who=OWNER):
    return client.run(f"LC_ALL=C {who} setfattr -n user.nacre.hsm -v release {WHERE}/{name} 2>&1 || true").strip()


def released(lab, one, two):
    states = States(two)
    one.run(SHOW)
    for name in SIZES:
        states.wait(name, "exists archived")
    before, full = one.run(SHOW), stored(lab)
    ok(full >= sum(SIZES.values()) - len(SIZES), f"what was read is here: {full} bytes")
    one.drop_caches()
    equal([release(one, name) for name in SIZES], [""] * len(SIZES), "the owner releases all")
    equal({states.of(name) for name in SIZES}, {"exists archived released"}, "their state says so")
    ok(stored(lab) < MIB // 2, f"the data servers have their room back: {stored(lab)} bytes left")
    equal(set(two.run(f"stat -c %b {WHERE}/*").split()) & {"0"}, set(), "none looks like a hole")
    equal(two.run(SHOW), before, "the other client reads the same bytes, and sees the same times")
    equal(one.run(SHOW), before, "so does the one that had them before")


def restored(lab, one, two):
    one.run(f"{OWNER} setfattr -n user.nacre.hsm -v release {WHERE}/big && {OWNER} setfattr -n user.nacre.hsm -v restore {WHERE}/big")
    States(two).wait("big", "exists archived")
    ok(stored(lab) >= SIZES["big"], "what is restored is here before anybody reads it")


def changed_while_cold(bucket, one, two):
    """It is not sent as long as some of it is in S3 only: the object must not become another while units of it are fetched."""
    states, name, key = States(two), "../out/cold", f"s:{bucket.name}/q/cold"
    bucket.rclone("copyto", f"s:{bucket.name}/p/unit", key)
    bucket.link("/data/out", "q", name="out", uid=1000, gid=1000, export="new,changed,deleted", export_delay=0)
    before = bucket.rclone("md5sum", key)
    one.run(f"printf new | dd bs=1 seek=500000 conv=notrunc of={WHERE}/{name} 2>/dev/null && sync {WHERE}/{name}")
    states.wait(name, "exists archived")
    after = bucket.rclone("md5sum", key)
    ok(after != before and after.split()[0] == one.run(f"md5sum {WHERE}/{name}").split()[0], "what is written to a cold file is in the bucket, whole")


def in_use(one, two):
    """By a client that has it open and goes on reading, and writing."""
    states = States(two)
    states.wait("open", "exists archived")
    holder = one.spawn(f"exec 5<>{WHERE}/open; md5sum <&5 >/tmp/before; mkfifo /tmp/go; echo E open >$EVENTS; read -r go </tmp/go; "
                       "echo 3 >/proc/sys/vm/drop_caches; md5sum </proc/self/fd/5 | cmp - /tmp/before; printf new | dd bs=1 seek=1500000 conv=notrunc of=/proc/self/fd/5 2>/dev/null")
    one.wait_event(lambda e: e == "open")
    equal(release(two, "open"), "", "one that another client has open is released")
    one.run("echo go >/tmp/go")
    holder.wait()
    equal(two.run(f"dd if={WHERE}/open bs=1 skip=1499999 count=5 2>/dev/null | od -An -c").split()[1:4], list("new"), "its holder reads the same, and writes")
    ok("setfattr" in release(two, "open") and "dirty" in states.of("open"), "then it is changed, and stays")


def refused(one):
    def error(*args):
        return release(*args).rsplit(": ", 1)[-1]

    one.run(f"echo more >>{WHERE}/written")
    equal(error(one, "written"), "Operation not permitted", "what S3 does not have stays")
    equal(error(one, "big", "setpriv --reuid 1001 --regid 1001 --clear-groups"), "Permission denied", "who may not write it may not release it")
    one.run(f"{OWNER} setfattr -n user.nacre.hsm -v pin {WHERE}/big")
    equal(error(one, "big"), "Operation not permitted", "nor is what is pinned released")
    one.run(f"{OWNER} setfattr -n user.nacre.hsm -v unpin {WHERE}/big")
    equal(one.run(f"getfattr -d {WHERE}/*"), "", "nothing of it is listed")


def crashes(lab, one, two):
    wanted = two.run(f"md5sum {WHERE}/big {WHERE}/unit")
    States(two).wait("big", "exists archived")
    equal([release(one, name) for name in ("big", "unit")], ["", ""], "released")
    for server in ("ds0", "mds", "ds1"):
        lab.server.kill(server)
        lab.server.restart(server)
    one.drop_caches()
    equal(one.run(f"md5sum {WHERE}/big {WHERE}/unit", 120), wanted, "after kill -9 of all servers they are read as before")


def test_release():
    with Lab(data_servers=2, stripe_unit=MIB, clients=2, lease_seconds=10) as lab, Bucket(lab) as bucket, tempfile.TemporaryDirectory() as folder:
        one, two = lab.clients
        for name, size in SIZES.items():
            with open(os.path.join(folder, name), "wb") as f:
                f.write(os.urandom(size))
        bucket.rclone("copy", folder, f"s:{bucket.name}/p")
        bucket.link("/data/train", "p", uid=1000, gid=1000)
        one.mount()
        two.mount()
        for step in (lambda: released(lab, one, two), lambda: restored(lab, one, two), lambda: in_use(one, two), lambda: refused(one), lambda: changed_while_cold(bucket, one, two), lambda: crashes(lab, one, two)):
            began = time.monotonic()
            step()
            note(f"{time.monotonic() - began:.1f} s")
        one.umount()
        two.umount()
        lab.server.down()
        note(lab.server.fsck())


main(test_release)
