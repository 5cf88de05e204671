#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""Clients that die, sleep, or write on without their lease: they block nobody for longer than the lease, no byte of theirs lands on what is
somebody else's by then, and who comes back learns what it lost."""
import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from checks import KIB, MIB, check_pattern, equal, ok  # noqa: E402
from cluster import MDS  # noqa: E402
from lab import Lab  # noqa: E402
from locker import Locker  # noqa: E402
from proc import wait_until  # noqa: E402
from tap import main  # noqa: E402

LIMIT_SECONDS = 200
LEASE = 10
SOON = 8  # seconds: who is told to come again does so within these
SIZE, UNIT = 4 * MIB, 64 * KIB

TAKE = "locktool n/{name} W 0 0; truncate -s 0 n/{name}; iotool fill {seed} 0 {size} n/{name} --fsync; echo E {name}-taken >$EVENTS"


def fenced(lab):
    """How often each data server has refused I/O under a handle that is fenced."""
    return [int(sum(lab.server.metrics(f"ds{i}")["nacre_ds_fenced_total"].values())) for i in range(len(lab.server.addresses))]


def written(lab):
    return [int(sum(lab.server.metrics(f"ds{i}")["nacre_ds_written_bytes_total"].values())) for i in range(len(lab.server.addresses))]


def unit_on(lab, client, name, server):
    """Makes n/NAME; where in it a unit lies that data server number SERVER has."""
    before = written(lab)
    client.run(f"iotool fill 1 0 {UNIT} n/{name} --fsync")
    return 0 if written(lab)[server] > before[server] else UNIT


def writes_on(lab, client):
    """CLIENT loses the metadata server, and writes on at both data servers under layouts that it has. Its writers, each of a file: who is
    refused by one data server has no layout any more to try another with."""
    offsets = [unit_on(lab, client, f"cut{i}", i) for i in range(2)]
    writers = [Locker(client, f"cut{i}", "w 0 0 put x", f"over {offset}").wait() for i, offset in enumerate(offsets)]
    for writer in writers:
        writer.release()
    before = written(lab)
    wait_until("both data servers are written to", lambda: all(n > b + 10 * UNIT for n, b in zip(written(lab), before)))
    lab.network.cut("away", f"ip saddr {client.address} ip daddr {MDS}", f"ip saddr {MDS} ip daddr {client.address}")
    before = written(lab)
    wait_until("they are still", lambda: all(n > b + 10 * UNIT for n, b in zip(written(lab), before)))
    ok(True, "a client that the metadata server cannot hear writes on at both data servers")
    return writers


def test_they_are_in_nobody_s_way():
    with Lab(data_servers=2, clients=4, stripe_unit=UNIT, stripe_count=2, memory_mib=512, lease_seconds=LEASE) as lab:
        dead, asleep, cut, taker = lab.clients
        for client in lab.clients:
            client.mount()
        Locker(dead, "dead", f"w 0 0 dirty {SIZE}").wait()
        sleeper = Locker(asleep, "asleep", f"w 0 0 dirty {SIZE}", "put stale").wait()
        writers = writes_on(lab, cut)
        before = fenced(lab)
        os.killpg(dead.process.pid, signal.SIGKILL)
        os.kill(asleep.process.pid, signal.SIGSTOP)  # the guest's processors; its processes, which they trace, take no signals
        start = time.monotonic()
        names = {"dead": "died", "asleep": "sleeps", "cut0": "is cut off", "cut1": "is cut off"}
        steps = [taker.spawn(TAKE.format(name=name, seed=seed, size=SIZE)) for seed, name in enumerate(names, 10)]
        for (name, what), step in zip(names.items(), steps):
            step.wait(4 * LEASE, check=False)
            took = time.monotonic() - start
            ok(step.status == 0 and took < LEASE * 9 / 8 + SOON, f"a file of a client that {what} is locked, cut and written after the lease ({took:.1f} s)", step.errors())
        wait_until("both data servers refuse who writes on", lambda: all(n > b for n, b in zip(fenced(lab), before)))
        ok(True, "who writes on is refused by every data server")
        for seed, name in enumerate(names, 10):
            check_pattern(taker, seed, SIZE, f"n/{name}", f"{name}: all bytes are those of who took it")
        os.kill(asleep.process.pid, signal.SIGCONT)
        lab.network.heal("away")
        equal(sleeper.release().wait(120).end(), ["ok", "ok", "EIO"], "who wakes up learns that its lock is lost, before it writes")
        equal([writer.wait(120).end() for writer in writers], [["ok", "ok", "EIO"]] * 2, "and so does who was cut off")
        asleep.run("echo anew >n/anew", 60)
        cut.run("sync; echo anew >n/anew2", 60)
        taker.drop_caches()
        for seed, name in enumerate(names, 10):
            check_pattern(taker, seed, SIZE, f"n/{name}", f"{name}: and nothing of before came later")
        for client in (asleep, cut, taker):
            client.umount()
        lab.server.down()
        lab.server.fsck()
        ok(True, "the store is clean")


main(test_they_are_in_nobody_s_way)
