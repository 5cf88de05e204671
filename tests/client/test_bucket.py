#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""A bucket of small and large objects, linked, read through the mount, all of it changed, exported, released by watermark and read again:
at each step an independent tool, or the sums of what it should be, agree. $NACRE_TEST_BUCKET: how many, 5000+2x512 is 5,000 small
files and two of 512 MiB."""
import hashlib
import os
import re
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

from bucket import Bucket, sums_seen  # noqa: E402
from checks import MIB, equal, note, ok  # noqa: E402
from lab import SCRATCH, Lab  # noqa: E402
from proc import wait_until  # noqa: E402
from tap import LONG, main  # noqa: E402

LIMIT_SECONDS = 200
LONG_LIMIT_SECONDS = 5400
SMALL, BIG, BIG_MIB = map(int, re.split("[+x]", os.environ.get("NACRE_TEST_BUCKET") or ("20000+10x1024" if LONG else "300+3x40")))
A_DIRECTORY, SMALL_BYTES = 500, 20_000
PATIENCE = 120 + SMALL // 20 + BIG * BIG_MIB // 5  # seconds for each step: it is to end, not to be fast
SERVER_MIB = (BIG * BIG_MIB + SMALL * SMALL_BYTES // MIB) // 2
DISK_MIB = 160 + 2 * SERVER_MIB
BUCKET_GIB = 3 * BIG * BIG_MIB // 1024  # each object twice, and room
HIGH, LOW = 15, 5  # per cent: less than a data server's part of the bucket
WHERE = "n/data/train"


def names():
    return [f"small/d{i // A_DIRECTORY:03}/f{i:05}" for i in range(SMALL)] + [f"big/b{i}" for i in range(BIG)]


def fill(folder):
    random = os.urandom(SMALL_BYTES)
    for i, name in enumerate(names()):
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            if name.startswith("small"):
                f.write(b"%d" % i * (i % 7 > 0) + random[:i * 7919 % SMALL_BYTES if i % 17 else 0])
            else:
                for _ in range(BIG_MIB):
                    f.write(os.urandom(MIB))


def places():
    """Where large files are written: in their first unit, across two, at their end."""
    return 5, MIB * (BIG_MIB // 2) - 3, BIG_MIB * MIB - 4


def change(client, folder):
    """The same by the client and to the source: each file becomes another one."""
    client.run(f"""cd {WHERE}; for d in small/*; do for f in $d/*; do echo more >>$f; done; done
                   for f in big/*; do for at in {' '.join(map(str, places()))}; do
                       printf changed | dd of=$f bs=1 seek=$at conv=notrunc 2>/dev/null; done; done; sync""", PATIENCE)
    for name in names():
        with open(os.path.join(folder, name), "r+b") as f:
            for at in places() if name.startswith("big") else (None,):
                f.seek(*((0, 2) if at is None else (at, 0)))
                f.write(b"more\n" if at is None else b"changed")


def sums(folder):
    found = {}
    for name in names():
        with open(os.path.join(folder, name), "rb") as f:
            found[name] = hashlib.file_digest(f, "md5").hexdigest()
    return found


def same(seen, wanted, what):
    differ = [name for name in sorted(seen.keys() | wanted.keys()) if seen.get(name) != wanted.get(name)]
    ok(not differ, f"{len(wanted)} files: {what}", f"{len(differ)} differ: {differ[:10]}")


def used(lab):
    """Per cent of each data server's disk."""
    return [100 * size / MIB / DISK_MIB for _, size in lab.server.stored_bytes()]


def releases(lab):
    return int(lab.server.metrics("mds")["nacre_tier_released_files_total"][""])


class Stopwatch:
    def __init__(self):
        self.at = time.monotonic()

    def tell(self, what):
        now = time.monotonic()
        note(f"{what}: {now - self.at:.1f} s")
        self.at = now


def test_bucket():
    with Lab(data_servers=2, clients=1, marks=(HIGH, LOW), disk_mib=DISK_MIB) as lab, \
            Bucket(lab, disk_gib=BUCKET_GIB if BUCKET_GIB > 3 else 0) as bucket, \
            tempfile.TemporaryDirectory(dir=SCRATCH, prefix=f"nacre-bucket-{os.getpid()}-") as folder:
        client, watch = lab.clients[0], Stopwatch()
        fill(folder)
        bucket.rclone("copy", "--transfers", "16", folder, f"s:{bucket.name}/p", timeout=PATIENCE)
        watch.tell("made and put into the bucket")
        bucket.link("/data/train", "p", export="new,changed,deleted", export_delay=1)
        client.mount()
        client.read_ahead()
        equal(int(client.run(f"find {WHERE} -type f | wc -l", PATIENCE)), SMALL + BIG, "all names")
        watch.tell("names")
        same(sums_seen(client, WHERE, PATIENCE), sums(folder), "what is read is the source")
        watch.tell("read, all of it cold")
        note(f"{releases(lab)} were released meanwhile, the disks are full by {used(lab)} %")
        change(client, folder)
        watch.tell("all changed")
        wait_until("all is in S3", lambda: bucket.pending() == 0, PATIENCE, 0.5)
        watch.tell("exported")
        wanted = sums(folder)
        same(bucket.sums("p", PATIENCE), wanted, "what rclone reads is what was written")
        watch.tell("rclone has read it")
        wait_until("room is made", lambda: max(used(lab)) < HIGH, PATIENCE, 0.5)
        ok(releases(lab) > 0, f"files are released by themselves above {HIGH} %")
        watch.tell(f"{releases(lab)} releases in all, the disks are full by {used(lab)} %")
        same(sums_seen(client, WHERE, PATIENCE), wanted, "read again they are the same")
        watch.tell("read again")
        same(bucket.sums("p", PATIENCE), wanted, "and still are in the bucket")
        equal(bucket.pending(), 0, "nothing was sent again")
        client.umount()
        lab.server.down()


main(test_bucket)
