#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""Two clients under mixed load for an hour: what every daemon has of memory and descriptors stays what it was when it had warmed up.
$NACRE_TEST_SOAK_SECONDS: another length (300 tells something)."""
import os
import random
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import stats  # noqa: E402
from checks import KIB, MIB, equal, note, ok  # noqa: E402
from lab import Lab  # noqa: E402
from load import ModelFile, Project, seed, stop  # noqa: E402
from tap import main  # noqa: E402

LIMIT_SECONDS = 4500  # $NACRE_TEST_SOAK_SECONDS may ask for the hour without --long too
LONG_LIMIT_SECONDS = 4500
LONG_ONLY = True
SECONDS = int(os.environ.get("NACRE_TEST_SOAK_SECONDS") or 3600)
WARM_UP = min(600, SECONDS / 3)  # caches fill
EVERY = max(1, SECONDS / 360)    # a sample
MEMORY_SLACK, DESCRIPTOR_SLACK = 24 * MIB, 24  # tables that double, files of the store that come and go

COUNTED = 5

# Names that come and go; files that are read and written again; locks that change hands between the clients.
CHURN = """while ! [ -e out/stop ]; do
        rm -rf n/{name}; mkdir n/{name}
        posixops $RANDOM 60 n/{name}/p >/dev/null
        for i in $(seq 40); do iotool fill $i 0 $((i * 5000)) n/{name}/$i; done
        for i in $(seq 40); do iotool check $i 0 $((i * 5000)) n/{name}/$i; mv n/{name}/$i n/{name}/x$i; done
        locktool n/shared add {counted}
        echo E {name} churned >$EVENTS
done"""


class Samples:
    """Memory and descriptors of the daemons, over the time. What is in the metadata server's log is in its memory too, until the log is
    full (32 MiB) and another one is begun: on a slow machine not within the hour."""

    def __init__(self, server):
        self.server, self.start = server, time.monotonic()
        self.rows = []  # (seconds, {name: (bytes, descriptors)}, bytes of the log)

    def take(self):
        self.rows.append((time.monotonic() - self.start, {name: self._of_now(name) for name in self.server.names}, self._log_bytes()))

    def _of_now(self, name):
        """Descriptors but those of objects, which a data server keeps open while it has room, and counts; and of its 256 folders."""
        pid = self.server.pid(name)
        objects = int(sum(self.server.metrics(name).get("nacre_ds_objects_open", {}).values()))
        return stats.own_memory_bytes([pid]), stats.descriptors(pid) - objects

    def _log_bytes(self):
        return stats.tree_bytes(os.path.join(self.server.folder, "mds"), ".log")[0]

    def of(self, name, what, begin, end):
        """Medians are not moved by a compaction of the store."""
        return statistics.median(values[name][what] for seconds, values, _ in self.rows if begin <= seconds <= end)

    def longest_log(self, end):
        return max(log for seconds, _, log in self.rows if seconds <= end)

    def check(self, name):
        tenth = (SECONDS - WARM_UP) / 5
        before, after = ((self.of(name, 0, *when), self.of(name, 1, *when)) for when in ((WARM_UP, WARM_UP + tenth), (SECONDS - tenth, SECONDS + EVERY)))
        slope = (after[0] - before[0]) / (SECONDS - WARM_UP - tenth) * 3600
        note(f"{name}: {before[0] / MIB:.1f} MiB and {before[1]:.0f} descriptors when warm, {after[0] / MIB:.1f} MiB and {after[1]:.0f} at the end, "
             f"{slope / MIB:+.1f} MiB an hour")
        logged = self.longest_log(SECONDS + EVERY) - self.longest_log(WARM_UP) if name == "mds" else 0
        if logged:
            note(f"{name}: its log is {logged / MIB:.1f} MiB longer than it ever was before it was warm")
        ok(after[0] <= before[0] + max(MEMORY_SLACK, before[0] / 10) + logged, f"{name}: its memory stays what it was", (before, after))
        ok(after[1] <= before[1] + DESCRIPTOR_SLACK, f"{name}: no descriptor is lost", (before, after))


def test_soak():
    number = seed()
    note(f"seed {number}, {SECONDS} s")
    dice = random.Random(number)
    with Lab(data_servers=2, stripe_unit=64 * KIB, stripe_count=2, memory_mib=768) as lab:
        for client in lab.clients:
            client.mount()
        lab.clients[0].run("echo 0 >n/shared")
        files = [ModelFile(client, f"m{i}", dice.randrange(1 << 32), most=4 << 20) for i, client in enumerate(lab.clients)]
        projects = [Project(client, f"p{i}", number) for i, client in enumerate(lab.clients)]
        churns = [client.spawn(CHURN.format(name=f"d{i}", counted=COUNTED)) for i, client in enumerate(lab.clients)]
        samples = Samples(lab.server)
        while time.monotonic() - samples.start < SECONDS:
            time.sleep(EVERY)
            samples.take()
            for client in lab.clients:
                client.catch_up()
        for file in files:
            file.wait_more(60)
        stop(lab.clients)
        for i, file in enumerate(files):
            file.check(lab.clients[1 - i], 60)
        for project in projects:
            project.check()
        for i, churn in enumerate(churns):
            churn.wait(300, check=False)
            ok(churn.status == 0, f"d{i}: files made, checked, renamed, locked, deleted", churn.output()[-1000:] + churn.errors()[-1000:])
        rounds = [client.events.count(f"d{i} churned") for i, client in enumerate(lab.clients)]
        equal(int(lab.clients[0].run("cat n/shared")), COUNTED * sum(rounds), f"what {rounds[0]} and {rounds[1]} rounds counted under a lock is all there")
        for name in lab.server.names:
            samples.check(name)


main(test_soak)
