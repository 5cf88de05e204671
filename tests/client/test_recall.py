#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""Layouts are taken back from stock clients that hold dirty pages, write, read, or sleep; nobody waits for them and every byte is right."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import contextlib  # noqa: E402
import json  # noqa: E402

from checks import KIB, MIB, check_pattern, check_pnfs, equal, note, ok, write_pattern  # noqa: E402
from lab import Lab  # noqa: E402
from net import BRIDGE  # noqa: E402
from proc import wait_until  # noqa: E402
from tap import main  # noqa: E402

LIMIT_SECONDS = 600
SIZE = 96 * MIB
ELSEWHERE = "192.0.2.61"

# Takes access away and gives it back: each time others' layouts are recalled.
SHAKE = "for i in $(seq {times}); do chmod 600 n/{name}; chmod 666 n/{name}; sleep {pause}; done"


@contextlib.contextmanager
def cluster(**options):
    with Lab(data_servers=4, stripe_unit=64 * KIB, stripe_count=4, **options) as lab:
        for client in lab.clients:
            client.mount()
        yield lab, *lab.clients


def counted(lab, name):
    return int(sum(lab.server.metrics("mds")[name].values()))


def recalls(lab):
    return counted(lab, "nacre_layout_recalls_total"), counted(lab, "nacre_layouts_revoked_total")


def timed(client, script, timeout=120):
    start = time.monotonic()
    client.run(script, timeout)
    return time.monotonic() - start


def test_held_and_idle():
    """The client has forgotten a layout that it does not use: no LAYOUTRETURN follows, and the next one is asked for by the open."""
    with cluster() as (lab, one, two):
        write_pattern(one, 1, 4 * MIB, "n/f", "--fsync")
        seconds = timed(two, "truncate -s 1M n/f")
        ok(seconds < 2, "a cut does not wait for the holder", f"{seconds:.2f} s")
        equal(recalls(lab), (1, 0), "one recall, nothing revoked")
        check_pattern(one, 1, 1 * MIB, "n/f", "the holder sees the shorter file")
        write_pattern(one, 2, 4 * MIB, "n/f", "--fsync")
        check_pattern(two, 2, 4 * MIB, "n/f", "and writes it again through a new layout")
        equal(recalls(lab), (1, 0), "without another recall")


def shaken(lab, one, two, name, how):
    """ONE writes n/NAME in the way HOW while TWO has its layout recalled again and again."""
    one.run(f": >n/{name}; chmod 666 n/{name}")
    before, writing = recalls(lab), one.spawn(f"iotool fill 5 0 {SIZE} n/{name} {how} --events $EVENTS")
    one.wait_event(lambda e: e.startswith(f"n/{name} bytes"), 60)
    shaking = two.spawn(SHAKE.format(times=30, name=name, pause=0.1))
    took = time.monotonic()
    writing.wait(300)
    took = time.monotonic() - took
    shaking.wait(120)
    after = recalls(lab)
    ok(after[0] > before[0], f"{name}: recalled while being written", f"{before} {after}")
    equal(after[1], before[1], f"{name}: nothing had to be revoked")
    note(f"{name}: {after[0] - before[0]} recalls in {took:.1f} s of writing")
    check_pattern(two, 5, SIZE, f"n/{name}", f"{name}: the other client reads every byte")
    one.drop_caches()
    check_pattern(one, 5, SIZE, f"n/{name}", f"{name}: the writer reads every byte back")
    ok(took < 60, f"{name}: the writer is not held up", f"{took:.1f} s")


def test_recalled_while_writing():
    with cluster() as (lab, one, two):
        shaken(lab, one, two, "buffered", "--block 64K --fsync")
        shaken(lab, one, two, "direct", "--block 1M --direct")
        shaken(lab, one, two, "mapped", "--mmap")
        check_pnfs(one, "through data servers, when there was no recall", writes=True)


def test_dirty_pages():
    """Pages that were written under a layout, sent or not, committed or not, when it is recalled."""
    with cluster() as (lab, one, two):
        for seed, delay in ((1, 0), (2, 0.3), (3, 1), (4, 3)):
            one.run(f": >n/d{seed}; chmod 666 n/d{seed}")
            holding = one.spawn(f"exec 5<>n/d{seed}; iotool fill {seed} 0 {SIZE} fd:5; sleep {delay}; echo E written{seed} >$EVENTS; sleep 4; sync n/d{seed}; exec 5>&-")
            one.wait_event(lambda e, s=seed: e == f"written{s}", 120)
            two.run(f"chmod 600 n/d{seed}")
            holding.wait(120)
            check_pattern(two, seed, SIZE, f"n/d{seed}", f"{delay} s after write(2): the other client reads every byte")
            one.drop_caches()
            check_pattern(one, seed, SIZE, f"n/d{seed}", f"{delay} s after write(2): and so does the writer")
        equal(recalls(lab)[1], 0, "nothing had to be revoked")


def test_cut_under_a_writer():
    """Cuts and writes race; what is written after the last cut is there, and nothing of before a cut comes back beyond it."""
    with cluster() as (lab, one, two):
        one.run(": >n/f; chmod 666 n/f")
        writing = one.spawn("for i in $(seq 6); do iotool fill 7 0 16M n/f --fsync; done")
        cutting = two.spawn("for i in $(seq 20); do truncate -s $((i * 100000)) n/f; sleep 0.15; done")
        cutting.wait(120)
        writing.wait(120)
        write_pattern(one, 7, 16 * MIB, "n/f", "--fsync")
        check_pattern(two, 7, 16 * MIB, "n/f", "written once more, all of it is there")
        two.run("truncate -s 1M n/f; truncate -s 16M n/f")
        equal(two.run("tail -c +1048577 n/f | tr -d '\\0' | wc -c; wc -c <n/f").split(), ["0", str(16 * MIB)], "a file that was cut and made longer has zeros there")
        equal(one.run("tail -c +1048577 n/f | tr -d '\\0' | wc -c; wc -c <n/f").split(), ["0", str(16 * MIB)], "for the one who wrote it too")
        note(f"recalled, revoked: {recalls(lab)}")


def test_deleted_by_another():
    with cluster() as (lab, one, two):
        one.run("mkdir n/d; for i in $(seq 200); do iotool fill 1 0 64K n/d/$i; done", 120)
        seconds = timed(two, "rm -r n/d")
        note(f"200 files whose layouts the other client holds, deleted in {seconds:.2f} s")
        one.run("mkdir n/e; for i in $(seq 50); do iotool fill 2 0 64K n/e/$i --fsync; done", 120)
        check_pattern(two, 2, 64 * KIB, "n/e/50", "new files after that")
        one.run("exec 5>n/open; iotool fill 3 0 1M fd:5; rm n/open; iotool fill 3 0 2M fd:5; exec 5>&-")
        held = one.spawn("exec 5<>n/held; iotool fill 4 0 1M fd:5; echo E held >$EVENTS; until [ -e out/gone ]; do sleep 0.1; done; iotool fill 4 0 3M fd:5; iotool check 4 0 3M fd:5; exec 5>&-")
        one.wait_event(lambda e: e == "held")
        two.run("rm n/held")
        one.write("gone", "")
        held.wait(60, check=False)
        ok(held.status == 0, "a file that is open when the other client deletes it is written and read on", held.output() + held.errors())


def being_recalled(lab, path):
    """Layouts of a file that holders were asked for and have not given back."""
    file = json.loads(lab.server.command("file", "show", path, "--dir", lab.server.folder, "--json"))
    return sum(layout["recalled"] for layout in file["layouts"])


def move(lab, name, before, now):
    """The data server is stopped, and started where nobody has looked for it yet."""
    lab.network.ip("address", "add", f"{now}/24", "dev", BRIDGE)
    path = os.path.join(lab.server.folder, f"{name}.yaml")
    with open(path, encoding="ascii") as f:
        text = f.read()
    with open(path, "w", encoding="ascii") as f:
        f.write(text.replace(before, now))
    lab.server.restart(name)


def test_data_server_that_moves():
    """Its layouts are taken back, and clients find it where it is now."""
    with cluster() as (lab, one, two):
        write_pattern(one, 1, SIZE, "n/f", "--fsync")
        check_pattern(two, 1, SIZE, "n/f", "read by the other client")
        writing = one.spawn(f"iotool fill 2 0 {SIZE} n/g --fsync --events $EVENTS")
        one.wait_event(lambda e: e.startswith("n/g bytes"), 60)
        move(lab, "ds1", "192.0.2.12", ELSEWHERE)
        writing.wait(300)
        ok(recalls(lab)[0] > 0, "layouts were called back", recalls(lab))
        for seed, name in ((1, "f"), (2, "g")):
            for client in (one, two):
                client.drop_caches()
                check_pattern(client, seed, SIZE, f"n/{name}", f"{client.name} {name}: every byte is read")
        write_pattern(two, 3, SIZE, "n/h", "--fsync")
        check_pattern(one, 3, SIZE, "n/h", "what is written after the move is read by the other")
        ok(lab.network.connections(ELSEWHERE), "clients have connections to where it is now")
        wait_until("the layouts of before are back", lambda: not any(being_recalled(lab, path) for path in ("/f", "/g")), 60)
        equal(recalls(lab)[1], 0, "every recall was answered, nothing had to be revoked")


main(test_data_server_that_moves, test_held_and_idle, test_recalled_while_writing, test_dirty_pages, test_cut_under_a_writer, test_deleted_by_another)
