#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the metadata server and of data servers while a directory of a bucket is imported, read, written, renamed, removed and
released: nothing is lost, no object is ever one that its file was not, and the queue goes on. All of it is of a seed that is printed
($NACRE_TEST_SEED repeats it); $NACRE_TEST_KILLS: how often."""
import hashlib
import os
import random
import shutil
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

from bucket import Bucket, sums_seen  # noqa: E402
from checks import KIB, MIB, equal, note, ok  # noqa: E402
from lab import Lab  # noqa: E402
from load import seed  # noqa: E402
from proc import wait_until  # noqa: E402
from tap import LONG, main  # noqa: E402

LIMIT_SECONDS = 300
LONG_LIMIT_SECONDS = 3600
TIMES = int(os.environ.get("NACRE_TEST_KILLS") or (50 if LONG else 4))
LEASE = 10
WHERE = "n/data/train"
EACH = 10  # rounds from one look at all of it to the next


class Truth:
    """What is at each name, and what has ever been: MD5 sums."""

    def __init__(self, dice):
        self.dice, self.now, self.ever = dice, {}, {}

    def put(self, name, value):
        self.now[name] = value
        self.ever.setdefault(name, set()).add(value)

    def rename(self, name, other):
        self.put(other, self.now.pop(name))

    def pick(self, count):
        names = sorted(self.now)
        return self.dice.sample(names, min(count, len(names)))


def write(path, size):
    """SIZE bytes that no other file has; their MD5."""
    data = os.urandom(size)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)
    return hashlib.md5(data).hexdigest()


def size_of(dice):
    return dice.choice((0, dice.randrange(1, 200), dice.randrange(200 * KIB), dice.randrange(MIB, 3 * MIB), dice.randrange(9 * MIB, 20 * MIB)))


def others_put(bucket, folder, truth, count):
    """An independent tool puts new objects into the bucket."""
    came = {f"came/r{count}/{i}": size_of(truth.dice) for i in range(3)}
    for name, size in came.items():
        truth.put(name, write(os.path.join(folder, name), size))
    bucket.rclone("copy", folder, f"s:{bucket.name}/p")
    shutil.rmtree(folder)
    return list(came)


def is_still(name, truth):
    return f"[ $(md5sum <{name} | cut -c1-32) = {truth.now[name]} ] || {{ echo {name} is another file; exit 1; }}"


def user_does(client, truth, count, came):
    """What the client does in this round, as a script that does all of it or fails."""
    dice, known = truth.dice, truth.pick(9)
    known = [name for name in known if name not in came]
    changed, moved, gone, read, released = known[:2], known[2:3], known[3:4], known[4:7], known[7:]
    made = [f"made/r{count}/{i}" for i in range(3)]
    # A sweep takes a directory that is empty here and gone there: also one that ls has seen and not opened yet.
    lines = [f"cd {WHERE}; mkdir -p made/r{count}; ls -R >/dev/null || ls -R >/dev/null"]
    for i, name in enumerate(made + changed):
        source = f"r{count}.{i}"
        truth.put(name, write(client.path(source), size_of(dice)))
        lines.append(f"cp /mnt/out/{source} {name}; rm /mnt/out/{source}")
    for name in moved:
        lines.append(f"mv {name} made/r{count}/moved")
        truth.rename(name, f"made/r{count}/moved")
    for name in gone:
        lines.append(f"rm {name}")
        del truth.now[name]
    for name in read:
        lines.append(is_still(name, truth))
    for name in released:
        lines.append(f"setfattr -n user.nacre.hsm -v release {name} 2>/dev/null || true")
    for name in came:  # as soon as it is seen
        lines.append(f"until [ -e {name} ]; do ls came >/dev/null 2>&1 || true; sleep 0.1; done; {is_still(name, truth)}")
    lines[1:] = dice.sample(lines[1:], len(lines) - 1)
    return "\n".join(lines)


def kill_and_restart(lab, dice):
    names = dice.sample(lab.server.names, 2 if dice.random() < 0.25 else 1)
    time.sleep(dice.uniform(0, 2.5))
    for name in names:
        lab.server.kill(name)
    time.sleep(dice.uniform(0, 1))
    for name in sorted(names, key=lab.server.names.index):
        lab.server.restart(name)
    return names


def torn(bucket, truth):
    return {name: value for name, value in bucket.sums("p").items() if value not in truth.ever.get(name, ())}


def look_at_all(bucket, client, truth, count):
    wait_until("all is in S3", lambda: bucket.pending() == 0, 90, 0.2)
    equal(differences(bucket.sums("p"), truth.now), {}, f"after {count} kills the bucket has {len(truth.now)} objects, each its file")
    equal(differences(sums_seen(client, WHERE), truth.now), {}, "and the client reads the same")


def differences(seen, wanted):
    return {name: (seen.get(name), wanted.get(name)) for name in seen.keys() | wanted.keys() if seen.get(name) != wanted.get(name)}


def test_kills():
    number = seed()
    note(f"seed {number}, {TIMES} kills")
    dice = random.Random(number)
    truth = Truth(dice)
    with Lab(data_servers=2, clients=1, stripe_unit=MIB, lease_seconds=LEASE) as lab, Bucket(lab) as bucket:
        client, folder = lab.clients[0], os.path.join(lab.folder, "bucket")
        came = others_put(bucket, folder, truth, 0)
        bucket.link("/data/train", "p", export="new,changed,deleted", export_delay=0, delete_grace=0, sweep_interval=2)
        client.mount(options="acdirmin=0,acdirmax=0")  # what others put into the bucket is waited for
        for count in range(1, TIMES + 1):
            step = client.spawn(user_does(client, truth, count, came))
            names = kill_and_restart(lab, dice)
            began = time.monotonic()
            step.wait(60 + LEASE)
            ok(True, f"{count}: {' and '.join(names)}, all goes on after {time.monotonic() - began:.1f} s")
            equal(torn(bucket, truth), {}, f"{count}: no object is one that its file never was")
            if count % EACH == 0 or count == TIMES:
                look_at_all(bucket, client, truth, count)
            came = others_put(bucket, folder, truth, count)
        client.umount()
        lab.server.down()
        note(lab.server.fsck())


main(test_kills)
