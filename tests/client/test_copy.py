#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""cp by the servers of what takes longer than one request: it goes on in the background, and can be killed."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from checks import MIB, equal, file_sha256, note, ok, pattern_sha256, write_pattern  # noqa: E402
from lab import Lab  # noqa: E402
from proc import wait_until  # noqa: E402
from tap import LONG, main  # noqa: E402

LIMIT_SECONDS = 300
SIZE = (1024 if LONG else 256) * MIB  # for seconds also on a machine that does nothing else


def metric(lab, name):
    return sum(lab.server.metrics("mds")[name].values())


def test_in_the_background():
    """Source and target are striped differently, so that the bytes go through the metadata server, and slowly."""
    with Lab(data_servers=2, clients=1) as lab:
        one, = lab.clients
        one.mount()
        one.run("mkdir n/d && setfattr -n user.nacre.layout -v unit=4K n/d")
        write_pattern(one, 1, SIZE, "n/f")
        before, start = one.mountstats(), time.monotonic()
        one.run("cp n/f n/d/copy", 140)
        after = one.mountstats()
        note(f"{SIZE >> 20} MiB in {time.monotonic() - start:.1f} s, COPY {after.count('COPY') - before.count('COPY')}, "
             f"in the background {metric(lab, 'nacre_copies_total'):.0f}")
        equal(file_sha256(one, "n/d/copy"), pattern_sha256(1, SIZE), "cp copies all of it")
        ok(metric(lab, "nacre_copies_total") > 0, "in the background")
        equal(after.count("COPY") - before.count("COPY") + after.count("COMMIT") - before.count("COMMIT"), 1, "with one COPY, and no COMMIT")
        equal(metric(lab, "nacre_copies"), 0, "which the client has been told of")
        killed(lab, one)
        restarted(lab, one)


def killed(lab, one):
    before = one.mountstats().count("OFFLOAD_CANCEL")
    step = one.spawn("cp n/f n/d/killed & echo $! >/mnt/out/pid; wait $! || true")
    wait_until("a copy in the background", lambda: metric(lab, "nacre_copies") == 1, 60)
    one.run("kill -TERM $(cat /mnt/out/pid)")
    step.wait(30)
    wait_until("it is cancelled", lambda: metric(lab, "nacre_copies") == 0, 30)
    equal(one.mountstats().count("OFFLOAD_CANCEL") - before, 1, "cp that is killed cancels its copy")
    size = int(one.run("stat -c %s n/d/killed"))
    ok(size < SIZE, "before all was copied", size)


def restarted(lab, one):
    """The copy is forgotten with the restart; the client begins anew."""
    step = one.spawn("cp n/f n/d/again")
    wait_until("a copy in the background", lambda: metric(lab, "nacre_copies") == 1, 60)
    lab.server.kill("mds")
    lab.server.restart("mds")
    step.wait(140)
    equal(file_sha256(one, "n/d/again"), pattern_sha256(1, SIZE), "a copy survives a restart of the metadata server")


main(test_in_the_background)
