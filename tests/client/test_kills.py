#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""kill -9 and restart of the metadata server and of every data server, again and again, under random I/O and builds: every byte is right,
nothing hangs, the store is clean. The order and the pauses are of a seed that is printed ($NACRE_TEST_SEED repeats them); $NACRE_TEST_KILLS:
how often each server is killed."""
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from checks import KIB, note, ok  # noqa: E402
from lab import Lab  # noqa: E402
from load import ModelFile, Project, seed, stop  # noqa: E402
from tap import LONG, main  # noqa: E402

LIMIT_SECONDS = 400
LONG_LIMIT_SECONDS = 3600
TIMES = int(os.environ.get("NACRE_TEST_KILLS") or (20 if LONG else 1))
LEASE = 45
AWAY_MOST = 3  # seconds


def rounds(dice, names):
    """Lists of servers that are killed together: each of NAMES once a round, one in four with another."""
    for _ in range(TIMES):
        left = dice.sample(names, len(names))
        while left:
            together = 2 if len(left) > 1 and dice.random() < 0.25 else 1
            yield left[:together]
            left = left[together:]


def kill_and_restart(lab, dice, names):
    for name in names:
        lab.server.kill(name)
    time.sleep(dice.uniform(0, AWAY_MOST))
    for name in sorted(names, key=lab.server.names.index):  # a data server is back when the metadata server has it
        lab.server.restart(name)


def test_all_of_them():
    number = seed()
    note(f"seed {number}, every server {TIMES} times")
    dice = random.Random(number)
    with Lab(data_servers=3, stripe_unit=64 * KIB, stripe_count=3) as lab:
        one, two = lab.clients
        for client in lab.clients:
            client.mount()
        files = [ModelFile(client, f"{client.name[:2]}-{i}", dice.randrange(1 << 32)) for client in lab.clients for i in range(2)]
        project = Project(one, "project", number, parts=12 if LONG else 4)
        for file in files:
            file.wait_more(60)
        slowest = 0
        for count, names in enumerate(rounds(dice, lab.server.names), 1):
            note(f"{count}: {' and '.join(names)}")
            kill_and_restart(lab, dice, names)
            start = time.monotonic()
            for file in files:
                file.wait_more(LEASE + 15)
            took = time.monotonic() - start
            slowest = max(slowest, took)
            note(f"{count}: all go on after {took:.1f} s")
            time.sleep(dice.uniform(0, 2))
        ok(True, f"after each of {count} kills all go on within the lease, {slowest:.1f} s at most")
        stop(lab.clients)
        for file in files:
            file.check(two if file.client is one else one, LEASE + AWAY_MOST + 5)
        project.check()
        for client in lab.clients:
            client.umount()
        lab.server.down()
        note(lab.server.fsck())
        ok(True, "the store is clean")


main(test_all_of_them)
