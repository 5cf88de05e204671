# SPDX-License-Identifier: Apache-2.0
"""fsstress of xfstests: two clients, each with four processes that do anything to anything, two in a folder of the client's own and two in
one that they share. Then both must see the same tree, remove it, and leave no object behind."""
import guests
from outcome import Result
from proc import LabError, wait_until

STRESS_SECONDS = 600
AFTERWARDS_SECONDS = 3600  # to look at it all, and to remove it: thousands of files, each of a layout or two
SHARED = "$SUITE/ltp/fsstress -d $HERE/{folder} -p 2 -l 0 -n 1000 -s {seed} --duration={seconds} >/tmp/{folder}.log 2>&1 & pids=\"$pids $!\"\n"
WAIT = "failed=0; for pid in $pids; do wait $pid || failed=$?; done; cat /tmp/*.log | tail -5; exit $failed\n"
TREE = "echo 3 >/proc/sys/vm/drop_caches; find . | wc -l; find . -printf '%P %y %m %U %G %s %n %l\\n' | sort | sha256sum; find . -type f -print0 | sort -z | xargs -0r head -q -c 1M | sha256sum"  # sparse: tens of GB
RUNS = guests.RUNS


def result(test, good, detail):
    return Result(test, "passed" if good else "failed", detail)


def stress(place, seconds, seed):
    scripts = [SHARED.format(folder="shared", seed=10 * seed + i, seconds=seconds) + SHARED.format(folder=f"own{i}", seed=10 * seed + 5 + i, seconds=seconds) + WAIT
               for i in range(place.count)]
    ends = place.parallel(scripts, seconds + 300)
    return result("stress", all(status == 0 for status, _ in ends), ends)


def told(server):
    """Say how much the storm was."""
    if server.kind == "nacre":
        done = {op: server.operations(op) for op in ("open", "create", "remove", "rename", "setattr", "layoutget")}
        done["write"] = sum(server.operations("write", name) for name in server.names)
        stored = sum(used for _, used in server.stored_bytes())
        print(f"#  operations: {done}; {stored >> 20} MiB stored", flush=True)


def afterwards(lab, place):
    """What must be true when the storm is over."""
    seen = place.parallel([TREE] * place.count, AFTERWARDS_SECONDS)
    print(f"#  {seen[0][1].partition(chr(10))[0]} names, read by each client", flush=True)
    yield result("same-tree", seen[0][0] == 0 and len(set(seen)) == 1, seen)
    ends = place.parallel(["rm -rf $HERE/* && ls -A $HERE"], AFTERWARDS_SECONDS)
    yield result("remove", ends == [(0, "")], ends)
    consoles = "".join(client.console() for client in lab.clients)
    bad = [line for line in consoles.splitlines() if any(word in line for word in ("BUG", "WARNING", "Oops", "blocked for more than", "Call Trace"))]
    yield result("kernel-is-content", not bad, bad[:5])
    for client in lab.clients:
        client.umount()
    if lab.server.kind == "nacre":
        yield from store(lab)


def store(lab):
    try:
        wait_until("the objects are gone", lambda: max(size for size, _ in lab.server.stored_bytes()) < 1 << 20, 120, 1)
        yield result("space-comes-back", True, "")
    except LabError as error:
        yield result("space-comes-back", False, f"{error}: {lab.server.stored_bytes()}")
    lab.server.command("dev", "down", "--dir", lab.server.folder)
    try:
        yield result("fsck", True, lab.server.fsck())
    except LabError as error:
        yield result("fsck", False, str(error))


def results(suite, run, chosen):
    """CHOSEN: how many seconds, which seed."""
    seconds, seed = [*map(int, chosen), *(STRESS_SECONDS, 1)[len(chosen):]]
    with guests.place(run, suite, ["ltp/fsstress"], 2) as place:
        yield stress(place, seconds, seed)
        if place.lab:
            told(place.lab.server)
            yield from afterwards(place.lab, place)
