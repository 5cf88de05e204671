#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""A data server dies while a file is being written: the client goes on, the data is right, striping comes back."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from checks import GIB, MIB, Stored, check_pattern, check_pnfs, ok, write_pattern  # noqa: E402
from lab import Lab  # noqa: E402
from tap import LONG, main  # noqa: E402

LIMIT_SECONDS = 500
LONG_LIMIT_SECONDS = 900
SIZE = GIB


def wait_bytes(client, path, wanted, timeout=200):
    client.wait_event(lambda e: e.startswith(f"{path} bytes ") and int(e.split()[2]) >= wanted, timeout)


def test_killed_while_writing():
    with Lab(data_servers=4, stripe_unit=MIB, stripe_count=4) as lab:
        one, two = lab.clients
        one.mount()
        two.mount()
        writing = one.spawn(f"iotool fill 1 0 {SIZE} n/f --fsync --events $EVENTS")
        wait_bytes(one, "n/f", SIZE // 4)
        ok(writing.status is None, "the write is under way")
        lab.server.kill("ds1")
        # Nobody else has the units of this data server, so their writes wait at the metadata server; the client, once its
        # memory is full of them, waits too. Nothing may fail meanwhile, and other files go on.
        one.run("sleep 8", 60)
        ok(writing.status is None, "no error reaches the writer while the data server is away")
        two.run("mkdir n/d && rmdir n/d", 60)
        lab.server.restart("ds1")
        writing.wait(300)
        ok(writing.status == 0, "write and fsync succeed")
        check_pattern(two, 1, SIZE, "n/f", "the other client reads every byte")
        one.drop_caches()
        check_pattern(one, 1, SIZE, "n/f", "the writer reads every byte back from the servers")
        striping_resumes(lab, one)


def striping_resumes(lab, client):
    """Linux leaves a device that failed alone for 120 s, in --long we wait for that; a new mount forgets it at once."""
    if LONG:
        client.run("sleep 125", 200)
    else:
        client.umount()
        client.mount()
    stored = Stored(lab)
    write_pattern(client, 2, 256 * MIB, "n/g", "--fsync")
    stored.check_shares(256 * MIB, MIB, 4, "after its return the data server takes its share of new files")
    check_pnfs(client, "pNFS writes again", writes=True)


def test_killed_while_reading():
    with Lab(data_servers=4, stripe_unit=MIB, stripe_count=4) as lab:
        one, two = lab.clients
        one.mount()
        two.mount()
        write_pattern(one, 3, SIZE // 2, "n/f", "--fsync")
        reading = two.spawn(f"iotool check 3 0 {SIZE // 2} n/f --events $EVENTS")
        wait_bytes(two, "n/f", SIZE // 16)
        lab.server.kill("ds2")
        ok(reading.status is None, "a data server died under the reader")
        lab.server.restart("ds2")
        reading.wait(300, check=False)
        ok(reading.status == 0, "the read goes through, every byte right", reading.output() + reading.errors())


def test_restarted_between():
    """A clean restart while nobody looks: sessions are made anew, nothing is lost."""
    with Lab(data_servers=2, stripe_unit=MIB, stripe_count=2) as lab:
        one, two = lab.clients
        one.mount()
        two.mount()
        write_pattern(one, 4, 32 * MIB, "n/f", "--fsync")
        for name in ("ds0", "ds1"):
            lab.server.restart(name)
        check_pattern(two, 4, 32 * MIB, "n/f", "read after both data servers were restarted")
        write_pattern(one, 5, 32 * MIB, "n/f", "--fsync")
        check_pattern(two, 5, 32 * MIB, "n/f", "written again after the restart, read by the other client")


main(test_killed_while_writing, test_killed_while_reading, test_restarted_between)
