#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the metadata server under load, five times: every file that was acknowledged is there, the store is clean."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from checks import MIB, check_pattern, equal, note, ok, write_pattern  # noqa: E402
from lab import Lab, LabError  # noqa: E402
from tap import LONG, main  # noqa: E402

LIMIT_SECONDS = 900
LONG_LIMIT_SECONDS = 2400
KILLS = 15 if LONG else 5


def acknowledged(client):
    counts = [int(e.split()[1]) for e in client.events if e.startswith("acknowledged ")]
    return max(counts, default=0)


def wait_more(client, more, timeout=150):
    """Wait until MORE files than now are acknowledged."""
    wanted = acknowledged(client) + more
    client.pump(lambda: acknowledged(client) >= wanted, timeout, f"{wanted} files acknowledged (there are {acknowledged(client)})")


def test_killed_under_load():
    with Lab(data_servers=2, stripe_unit=MIB, stripe_count=2) as lab:
        one, two = lab.clients
        one.mount()
        two.mount()
        load = one.spawn("ackload write n/load 1000000 $EVENTS")
        big = one.spawn("iotool fill 9 0 256M n/big --fsync")
        for number in range(1, KILLS + 1):
            # Not always at the same place of a round of 20.
            wait_more(one, 60 + 17 * number)
            lab.server.kill("mds")
            lab.server.restart("mds")
            wait_more(one, 40)
            ok(load.status is None, f"kill {number}: the load goes on after the restart ({acknowledged(one)} files)", load.errors())
        big.wait(200, check=False)
        equal(big.status, 0, "a large file written meanwhile ends well")
        load.kill()
        load.wait(60, check=False)
        two.write("names", load.output())
        step = two.spawn("ackload check n/load <out/names")
        step.wait(300, check=False)
        note(step.output())
        ok(step.status == 0 and load.output().count("\n") >= acknowledged(one) > 0, "every acknowledged file is there, whole", step.output())
        check_pattern(two, 9, 256 * MIB, "n/big", "the large file is whole")
        unknown = int(two.run("ls n/load | wc -l")) - load.output().count("\n")
        ok(unknown in (0, 1), "no file that nobody made (one may have been under way)", unknown)
        clean_store(lab)


def test_names_survive():
    """Renames, links and removals that were answered before the kill are as they were answered."""
    with Lab(data_servers=1, clients=2) as lab:
        one, two = lab.clients
        one.mount()
        write_pattern(one, 1, MIB, "n/a", "--fsync")
        one.run("mkdir n/d n/gone; ln n/a n/d/hard; ln -s a n/soft; mv n/a n/d/moved; rmdir n/gone; chmod 640 n/d/moved; chown 7:8 n/d/moved; truncate -s 5000 n/d/hard")
        lab.server.kill("mds")
        lab.server.restart("mds")
        two.mount()
        equal(two.run("ls n n/d; stat -c '%s %h %a %u:%g' n/d/moved; readlink n/soft").split(),
              ["n:", "d", "soft", "n/d:", "hard", "moved", "5000", "2", "640", "7:8", "a"], "names, links, sizes and modes are as they were answered")
        check_pattern(two, 1, 5000, "n/d/hard", "and so are the bytes")
        clean_store(lab)


def clean_store(lab):
    for client in lab.clients:
        client.umount()
    lab.server.down()
    try:
        note(lab.server.fsck())
        ok(True, "nacre-mds --fsck finds the store clean")
    except LabError as error:
        ok(False, "nacre-mds --fsck finds the store clean", error)


main(test_killed_under_load, test_names_survive)
