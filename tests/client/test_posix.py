#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""The same operations on the mount and on a local file system give the same answers; deletes free space."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import subprocess  # noqa: E402

from checks import GIB, MIB, Stored, check_pattern, equal, note, ok, write_pattern  # noqa: E402
from lab import Lab, LabError  # noqa: E402
from proc import TOOLS, wait_until  # noqa: E402
from tap import LONG, main  # noqa: E402

LIMIT_SECONDS = 400
SEEDS = range(1, 41 if LONG else 7)
OPERATIONS = 400 if LONG else 200


def reference(folder, seed):
    """What posixops prints on this machine's own file system."""
    path = os.path.join(folder, f"local-{seed}")
    return subprocess.run([os.path.join(TOOLS, "posixops"), str(seed), str(OPERATIONS), path], stdout=subprocess.PIPE, check=True, text=True).stdout


def test_random_operations():
    with Lab(data_servers=4, stripe_unit=64 << 10, stripe_count=4, clients=1) as lab:
        client = lab.clients[0]
        client.mount()
        for seed in SEEDS:
            wanted, seen = reference(lab.folder, seed).splitlines(), client.run(f"posixops {seed} {OPERATIONS} n/{seed}").splitlines()
            first = next((f"wanted: {w}\nseen:   {s}" for w, s in zip(wanted, seen) if w != s), f"{len(seen)} lines, wanted {len(wanted)}")
            ok(seen == wanted, f"seed {seed}: {OPERATIONS} operations answer as a local file system does", first)


def test_truncate_and_extend():
    with Lab(data_servers=4, stripe_unit=MIB, stripe_count=4) as lab:
        one, two = lab.clients
        one.mount()
        two.mount()
        write_pattern(one, 1, 9 * MIB, "n/t", "--fsync")
        one.run("truncate -s 2500001 n/t; truncate -s 9M n/t")
        check = two.spawn("[ $(wc -c <n/t) = 9437184 ]; iotool check 1 0 2500001 n/t; tail -c +2500002 n/t | cmp -n 6937183 - /dev/zero")
        check.wait(check=False)
        ok(check.status == 0, "truncated and extended: no old bytes, zeros after the cut", check.output() + check.errors())
        one.run("truncate -s 0 n/t; iotool fill 2 5000000 1000 n/t --fsync")
        check = two.spawn("[ $(wc -c <n/t) = 5001000 ]; head -c 5000000 n/t | cmp -n 5000000 - /dev/zero; iotool check 2 5000000 1000 n/t")
        check.wait(check=False)
        ok(check.status == 0, "sparse: the hole is zeros, the written part is there", check.output() + check.errors())
        one.run("rm -f n/a; for i in 1 2 3; do head -c 700000 /dev/zero | tr '\\0' $i >>n/a; done")
        equal(two.run("for i in 1 2 3; do tail -c +$(((i-1)*700000+1)) n/a | head -c 700000 | tr -d $i | wc -c; done; stat -c %s n/a").split(),
              ["0", "0", "0", "2100000"], "appended: each part is whole")


def test_unlinked_file_stays_readable():
    with Lab(data_servers=4, stripe_unit=MIB, stripe_count=4, clients=2) as lab:
        one, two = lab.clients
        one.mount()
        two.mount()
        write_pattern(one, 3, 6 * MIB, "n/u", "--fsync")
        holder = one.spawn("exec 5<n/u; mkfifo /tmp/go; echo E open >$EVENTS; read -r go </tmp/go; echo 3 >/proc/sys/vm/drop_caches; iotool check 3 0 6M fd:5")
        one.wait_event(lambda e: e == "open")
        two.run("rm n/u; ! ls n/u 2>/dev/null")
        one.run("echo go >/tmp/go")
        holder.wait(check=False)
        ok(holder.status == 0, "removed by another client while open here: still readable, whole", holder.output() + holder.errors())


def test_delete_frees_space():
    with Lab(data_servers=4, stripe_unit=MIB, stripe_count=4, clients=1) as lab:
        client = lab.clients[0]
        client.mount()
        stored = Stored(lab)
        write_pattern(client, 4, GIB // 4, "n/d", "--fsync")
        ok(min(stored.growth()) > 60 * MIB, "256 MiB lie on four data servers", stored.growth())
        client.run("rm n/d")
        try:
            wait_until("space comes back", lambda: max(stored.growth()) < MIB, 60, 0.1)
        except LabError as error:
            note(error)
        ok(max(stored.growth()) < MIB, "removed: every data server has its space back", stored.growth())
        check_statfs(client)


def check_statfs(client):
    total, free = (int(n) for n in client.run("stat -f -c '%b %f' n").split())
    ok(0 < free <= total, "statfs: free is not above total", f"{free} of {total}")


main(test_random_operations, test_truncate_and_extend, test_unlinked_file_stays_readable, test_delete_frees_space)
