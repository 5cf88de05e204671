#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""fallocate, holes punched into a file, lseek's SEEK_DATA and SEEK_HOLE, and cp by the servers, on striped files; a disk that is full."""
import contextlib
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from checks import MIB, check_pattern, equal, note, ok, write_pattern  # noqa: E402
from lab import Lab  # noqa: E402
from proc import run, wait_until  # noqa: E402
from tap import main  # noqa: E402

LIMIT_SECONDS = 120
# Where data begin and end, from the front, a line each: lseek with SEEK_DATA (3) and SEEK_HOLE (4). Every guest has perl.
WALK = """perl -e '
open(F, "<", $ARGV[0]) or die; $size = -s F; $at = 0;
while ($at < $size && defined($data = sysseek(F, $at, 3))) { $data += 0; $at = sysseek(F, $data, 4); print "$data $at\\n"; }
' """


def test_holes_and_room():
    with Lab(data_servers=3, clients=2, stripe_unit=64 << 10) as lab:
        one, two = lab.clients
        one.mount()
        two.mount()
        write_pattern(one, 1, 4 * MIB, "n/f")
        punch = f"fallocate -p -o {MIB + 1000} -l {2 * MIB} %s"
        one.run("cp n/f /tmp/f && " + punch % "n/f" + " && " + punch % "/tmp/f")
        ok(one.status("cmp n/f /tmp/f") == 0, "a hole punched into a striped file reads as in a local one")
        mine = int(one.run("stat -c %b n/f")) * 512
        ok(2 * MIB - 65536 < mine < 2 * MIB + 262144, "who punched it sees the space used fall at once", mine)
        two.run("cp n/f /tmp/f2")
        equal(two.run("openssl dgst -sha256 -r /tmp/f2").split()[0], one.run("openssl dgst -sha256 -r /tmp/f").split()[0], "and for another client")
        equal(two.run("stat -c %s n/f").strip(), str(4 * MIB), "the size stays")
        blocks = int(two.run("stat -c %b n/f")) * 512
        ok(2 * MIB - 65536 < blocks < 2 * MIB + 262144, "the space used is what is left", blocks)
        walked = [[int(n) for n in line.split()] for line in two.run(WALK + "n/f").splitlines()]
        note(f"data: {walked}")
        ok(len(walked) == 2 and walked[0][0] == 0 and MIB + 1000 <= walked[0][1] <= MIB + 8192
           and 3 * MIB - 8192 <= walked[1][0] <= 3 * MIB + 1000 and walked[1][1] == 4 * MIB, "lseek finds the hole where it is", walked)
        one.run("fallocate -l 8M n/g")
        equal(two.run("stat -c %s n/g").strip(), str(8 * MIB), "fallocate makes a file as long as asked")
        blocks = int(two.run("stat -c %b n/g")) * 512
        ok(blocks >= 8 * MIB, "and takes the room", blocks)
        equal(two.run(WALK + "n/g"), "", "which is all one hole")
        ok(two.status(f"cmp -n {8 * MIB} n/g /dev/zero") == 0, "and reads as zeros")
        ok(one.status("fallocate -l 1P n/h") != 0 and two.run("stat -c %s n/h").strip() == "0", "more than there is is refused, and changes nothing")
        write_pattern(one, 2, 5 * MIB + 77, "n/d")
        one.run("dd if=/dev/zero of=n/s bs=64K count=48 oflag=sync status=none")
        blocks = int(two.run("stat -c %b n/s")) * 512
        ok(3 * MIB <= blocks < 3 * MIB + 262144, "synchronous writes take the space they take", blocks)
        before = one.mountstats()
        one.run("cp n/d n/copy")
        after = one.mountstats()
        check_pattern(two, 2, 5 * MIB + 77, "n/copy", "cp copies a striped file")
        ok(after.count("COPY") > before.count("COPY") and after.pnfs_writes == before.pnfs_writes and after.count("WRITE") == before.count("WRITE"),
           "and the servers do it", after.count("COPY"))
        ok(one.status("cp --reflink=always n/f n/clone 2>/tmp/said") != 0 and "failed to clone" in one.run("cat /tmp/said"), "cp --reflink=always says that it cannot",
           one.run("cat /tmp/said"))
        stats = one.mountstats()
        ok(stats.count("ALLOCATE") >= 1 and stats.count("DEALLOCATE") >= 1, "the client used ALLOCATE and DEALLOCATE")
        ok(two.mountstats().count("SEEK") >= 3, "and SEEK")


@contextlib.contextmanager
def small_disk(mib):
    with tempfile.TemporaryDirectory() as folder:
        run("mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", folder)
        try:
            yield folder
        finally:
            run("umount", folder)


def available(client):
    """In KiB."""
    return int(client.run("df --output=avail n | tail -n 1"))


def stored(lab):
    return sum(used for _, used in lab.server.stored_bytes())


def fill(client, name):
    return client.run(f"dd if=/dev/zero of=n/{name} bs=1M conv=fsync status=none 2>&1 | head -n 1", timeout=LIMIT_SECONDS)


def test_full_disk():
    """The metadata server's store is on it too."""
    with small_disk(192) as disk, Lab(data_servers=2, clients=1, folder=disk) as lab:
        client, = lab.clients
        client.mount()
        said, made = fill(client, "f"), stored(lab)
        ok("No space left on device" in said and made > 100 * MIB, "who fills the disk is told so", (said, made))
        wait_until("df says so too", lambda: available(client) < 2048)
        ok(client.status("dd if=/dev/zero of=n/f bs=1M count=8 conv=fsync,notrunc status=none") == 0, "what is there can be written over")
        note(f"the metadata server: {lab.server.health('mds')}")  # it looks at its disk now
        ok(client.status("dd if=/dev/zero of=n/new bs=8K count=1 oflag=sync 2>/dev/null") != 0, "what is new has no room")
        client.run("rm n/*")
        equal(client.run("ls n"), "", "what is there can be removed")
        wait_until("all of it goes", lambda: stored(lab) < MIB)
        wait_until("df says so", lambda: available(client) > made // 1024)
        said, again = fill(client, "g"), stored(lab)
        ok("No space left on device" in said and abs(again - made) < 8 * MIB, "and there is as much room as before", (said, made, again))


main(test_holes_and_room, test_full_disk)
