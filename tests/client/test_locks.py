#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""flock, fcntl and open-file-description locks between two stock clients: who is in whose way, who waits, and what a lock survives."""
import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from checks import equal, note, ok  # noqa: E402
from lab import Lab  # noqa: E402
from locker import Locker, tool  # noqa: E402
from proc import wait_until  # noqa: E402
from tap import main  # noqa: E402

LIMIT_SECONDS = 500
LEASE = 45
SHORT_LEASE = 15  # where it has to run out
SOON = 5  # seconds: a waiter that nobody calls asks again after up to 30


def counted(lab, name):
    return int(sum(lab.server.metrics("mds")[name].values()))


def ranges(one, two):
    holder = Locker(one, "f", "w 100 50", "w 1000 0 u 110 20", "w 110 20 u 1000 0", "r 120 10", "w 120 10").wait()
    equal(tool(two, "f", "w 149 1 r 99 2 w 0 100 u 0 100 w 150 0 u 0 0 t 0 0"), "denied denied ok ok ok ok w:100:50".split(), "what overlaps is denied, what is beside it is not")
    holder.release().wait()
    equal(tool(two, "f", "t 0 110 w 110 20 t 110 1000 t 5000 1"), "w:100:10 ok w:130:20 w:1000:0".split(), "a part is unlocked; up to the end of file")
    holder.release().wait()
    equal(tool(two, "f", "t 0 0 w 150 0"), "w:100:50 ok".split(), "the parts grow together again")
    holder.release().wait()
    reader = Locker(two, "f", "t 100 1 t 120 1 t 130 20 w 120 10 r 120 10", "u 0 0").wait()
    holder.release().wait()
    reader.release().wait()
    equal(holder.end(), "ok ok ok ok ok ok denied".split(), "an upgrade is denied while another reads")
    equal(reader.end(), "w:100:20 r:120:10 w:130:20 denied ok ok".split(), "a downgrade in the middle lets readers in")
    equal(tool(two, "f", "t 0 0"), ["free"], "a process that ends has no locks")


def kinds(one, two):
    holder = Locker(one, "k", "x", "s", "n ofd w 10 10", "w 30 10 u 0 0").wait()
    equal(tool(two, "k", "s x ofd w 5 1"), "denied denied denied".split(), "flock: exclusive")
    holder.release().wait()
    equal(tool(two, "k", "s x n s"), "ok denied ok ok".split(), "flock: shared; an upgrade is denied")
    holder.release().wait()
    equal(tool(two, "k", "w 0 11 w 0 10 ofd w 15 1 t 10 10"), "denied ok denied w:10:10".split(), "a lock of an open file is in the way of both kinds")
    holder.release().wait()
    equal(tool(two, "k", "w 0 0"), ["ok"], "and is unlocked")
    holder.end()


def waiting(lab, one, two):
    for what, held, wanted in (("fcntl", "w 0 100", "W 50 1"), ("fcntl for reading", "w 0 100", "R 0 0"), ("flock", "x", "X"), ("an open file's", "ofd w 0 0", "ofd W 0 10")):
        holder = Locker(one, "w", held).wait()
        called = counted(lab, "nacre_lock_notifications_total")
        waiter = Locker(two, "w", wanted)
        wait_until("somebody waits", lambda: counted(lab, "nacre_lock_waiters") == 1)
        start = time.monotonic()
        holder.release()
        waiter.wait()
        took = time.monotonic() - start
        ok(took < SOON, f"{what}: who waits is called", f"{took:.2f} s")
        equal(counted(lab, "nacre_lock_notifications_total") - called, 1, f"{what}: by one CB_NOTIFY_LOCK")
        note(f"{what}: {took:.2f} s from release to grant")
        waiter.end()


def crowd(lab, one, two):
    """Who locks and unlocks all the time is not always there first; and a lock is a border for data, too."""
    start = time.monotonic()
    steps = [client.spawn("locktool n/c pass 100") for client in (one, two)]
    for step in steps:
        step.wait(120)
    note(f"200 times the lock in {time.monotonic() - start:.1f} s")
    start = time.monotonic()
    steps = [client.spawn("locktool n/n add 40") for client in (one, two) for _ in range(2)]
    for step in steps:
        step.wait(200)
    took = time.monotonic() - start
    equal([int(client.run("cat n/n")) for client in (one, two)], [160, 160], "four processes on two clients count under a lock and lose nothing")
    note(f"160 times lock, read, write, unlock in {took:.1f} s")
    equal(counted(lab, "nacre_locks"), 0, "nothing is locked any more")


def test_two_clients():
    with Lab(data_servers=2) as lab:
        one, two = lab.clients
        for client in lab.clients:
            client.mount()
        ranges(one, two)
        kinds(one, two)
        waiting(lab, one, two)
        crowd(lab, one, two)


def test_holders_are_gone():
    """One client dies, one is cut off and comes back when its lock is somebody else's."""
    with Lab(data_servers=1, clients=3, memory_mib=512, lease_seconds=SHORT_LEASE) as lab:
        one, two, three = lab.clients
        for client in lab.clients:
            client.mount()
        Locker(one, "f", "w 0 100").wait()
        holder = Locker(three, "g", "w 0 0 put before", "put stale").wait()
        waiters = [Locker(two, "f", "W 0 0"), Locker(two, "g", "W 0 0 put theirs")]
        wait_until("two wait", lambda: counted(lab, "nacre_lock_waiters") == 2)
        os.killpg(one.process.pid, signal.SIGKILL)
        lab.network.cut_off(three.address)
        start = time.monotonic()
        for waiter, whose in zip(waiters, ("died", "is cut off")):
            waiter.wait(SHORT_LEASE + 30)
            took = time.monotonic() - start
            ok(SHORT_LEASE / 3 < took < SHORT_LEASE * 9 / 8 + SOON, f"a lock of a client that {whose} is free when its lease has run out", f"{took:.1f} s")
        equal([waiter.end() for waiter in waiters], [["ok"], ["ok", "ok"]], "and who waited has it")
        lab.network.join(three.address)
        equal(holder.release().wait(200).end(), ["ok", "ok", "EIO"], "who comes back learns that he has lost it, before he writes")
        equal([client.run("cat n/g") for client in (two, three)], ["theirs"] * 2, "so nothing of his is there")


def test_mds_restart():
    with Lab(data_servers=1) as lab:
        one, two = lab.clients
        for client in lab.clients:
            client.mount()
        holder, other = Locker(one, "f", "w 0 100 r 200 100").wait(), Locker(two, "f", "w 300 10 r 400 10").wait()
        waiter = Locker(two, "f", "W 50 100")
        wait_until("somebody waits", lambda: counted(lab, "nacre_lock_waiters") == 1)
        lab.server.kill("mds")
        lab.server.restart("mds")
        start = time.monotonic()
        noticing = one.spawn("ls n")  # now, not at its next renewal
        equal(tool(two, "f", "t 0 150 w 0 1 t 200 100 w 299 1"), "w:0:100 denied r:200:100 denied".split(), "locks are there after a restart of the metadata server")
        noticing.wait()
        equal(tool(one, "f", "t 300 10 w 400 1 r 400 1"), "w:300:10 denied ok".split(), "those of both clients")
        took = time.monotonic() - start
        ok(took < LEASE / 2, "which nobody waits for once all have reclaimed", f"{took:.1f} s")
        start = time.monotonic()
        equal(holder.end(), ["ok", "ok"], "who had locks gives them up")
        waiter.wait()
        took = time.monotonic() - start
        ok(took < 35, "who waited when it went down has its lock", f"{took:.1f} s")
        equal(waiter.end() + other.end(), ["ok"] * 3, "without an error")


main(test_two_clients, test_holders_are_gone, test_mds_restart)
