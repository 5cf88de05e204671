#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""Stock clients are given delegations of what they read again and again, give them back when another client is in want of the file, and never show old bytes."""
import contextlib
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from checks import MIB, check_pattern, equal, note, ok, write_pattern  # noqa: E402
from lab import Lab  # noqa: E402
from tap import main  # noqa: E402

LIMIT_SECONDS = 500
LEASE = 15  # seconds, where it has to run out

READ_AGAIN = "for i in 1 2 3; do cat {0} >/dev/null; done"


@contextlib.contextmanager
def cluster(**options):
    with Lab(data_servers=2, delegations=True, **options) as lab:
        for client in lab.clients:
            client.mount()
        yield lab, *lab.clients


def counted(lab, name):
    return int(sum(lab.server.metrics("mds")[name].values()))


def held(lab):
    return counted(lab, "nacre_delegations")


def given(lab):
    return counted(lab, "nacre_delegations_granted_total")


def called_back(lab):
    return counted(lab, "nacre_delegation_recalls_total"), counted(lab, "nacre_delegations_revoked_total")


def timed(client, script, timeout=120):
    start = time.monotonic()
    client.run(script, timeout)
    return time.monotonic() - start


def delegate(lab, client, name):
    """A delegation of the file n/NAME, which is there, for CLIENT."""
    before = given(lab)
    client.run(READ_AGAIN.format(f"n/{name}"))
    equal(given(lab), before + 1, f"{client.name} has a delegation of {name}")


def test_given_where_it_pays():
    with cluster() as (lab, one, two):
        one.run("mkdir n/new; for i in $(seq 300); do echo $i >n/new/$i; done; cat n/new/* >/dev/null; rm -r n/new", 120)
        equal(given(lab), 0, "files that are made, read once and deleted get none")
        one.run("echo first >n/f")
        delegate(lab, one, "f")
        before = lab.server.operations("open"), lab.server.operations("getattr")
        one.run("for i in $(seq 50); do cat n/f; done >/dev/null; stat n/f >/dev/null")
        equal(lab.server.operations("open"), before[0], "with it, 50 opens ask nobody")
        note(f"GETATTR meanwhile: {lab.server.operations('getattr') - before[1]}")
        one.run("mdops create n/many 1000 1")
        rates = [one.run("mdops open n/many 1000 1").split() for _ in range(4)]
        ok(held(lab) > 950, "a thousand files that are opened again and again are delegated, but for a few", held(lab))
        note("opened and closed a second: " + ", ".join(f"{int(r[1]) / float(r[3]):.0f}" for r in rates))
        note(f"deleted in {timed(one, 'rm -r n/many'):.1f} s")
        ok(held(lab) <= 1, "deleted, they are not delegated any more (the first file still, but clients return what they do not use)", held(lab))
        before = given(lab)
        write_pattern(one, 1, 4 * MIB, "n/large", "--fsync")
        two.run(READ_AGAIN.format("n/large"))
        equal(given(lab), before, "what another client has just written is not delegated")
        one.run("touch -d '1 hour ago' n/large")
        two.run(READ_AGAIN.format("n/large") + "; sleep 1; cat n/large >/dev/null")
        equal(given(lab), before + 1, "what it wrote long ago, and still holds a layout of, is")
        check_pattern(two, 1, 4 * MIB, "n/large", "and every byte is right")
        one.umount()
        equal(held(lab), 1, "umount returns what the client had")
        two.umount()
        equal(held(lab), 0, "and the other's")
        equal(called_back(lab), (0, 0), "nothing was called back")


def delegate_for_writing(lab, client, name):
    before = given(lab)
    client.run(f"for i in 1 2 3; do echo $i >>n/{name}; done")
    equal(given(lab), before + 1, f"{client.name} has a delegation for writing of {name}")


def test_held_for_writing():
    with cluster() as (lab, one, two):
        one.run(": >n/log; chmod 666 n/log")
        delegate_for_writing(lab, one, "log")
        before = lab.server.operations("open")
        one.run("for i in $(seq 50); do echo $i >>n/log; done")
        equal(lab.server.operations("open"), before, "with it, 50 opens for writing ask nobody")
        size = int(one.run("stat -c %s n/log"))
        equal(int(two.run("stat -c %s n/log")), size, "another client sees the size")
        writing = one.spawn("exec 5>>n/log; head -c 5000 /dev/zero >&5; echo E dirty >$EVENTS; until [ -e out/go ]; do sleep 0.1; done; echo end >&5; exec 5>&-")
        one.wait_event(lambda e: e == "dirty")
        two.run(f"until [ $(stat -c %s n/log) = {size + 5000} ]; do sleep 0.2; done", 10)
        ok(True, "also what is only in the holder's cache")
        equal(called_back(lab), (0, 0), "for which it need not give it back")
        note(f"asked {counted(lab, 'nacre_delegation_questions_total')} times")
        seconds = timed(two, "[ $(tail -c 5000 n/log | tr -d '\\000' | wc -c) = 0 ]")
        ok(seconds < 5, "who reads it waits for a moment, and reads all of it", f"{seconds:.2f} s")
        one.write("go", "")
        writing.wait(30)
        equal(two.run("tail -n 1 n/log | tr -d '\\000'").split(), ["end"], "the holder writes on")
        equal(called_back(lab), (1, 0), "one recall")


def test_one_or_the_other():
    """6.12 asks for a delegation instead of an open, and for the file's times with one for writing (RFC 9754); 6.1 does not know that. What
    others see is the same."""
    with cluster() as (lab, one, two):
        new = lab.kernel != "6.1"
        one.run("echo text >n/f; : >n/log; chmod 666 n/f n/log")
        closes = lab.server.operations("close")
        delegate(lab, one, "f")
        equal(lab.server.operations("close") - closes, 1 if new else 2, "CLOSE of two opens, the second with a delegation")
        equal(counted(lab, "nacre_opens"), 0, "nothing is open")
        delegate_for_writing(lab, one, "log")
        sets = lab.server.operations("setattr")
        one.run("touch -d '2001-02-03 04:05:06 UTC' n/log")
        equal(lab.server.operations("setattr") - sets, 0 if new else 1, "SETATTR when a program sets the times")
        equal(two.run("cat n/log; stat -c %Y n/log").split(), ["1", "2", "3", "981173106"], "another client reads it, and sees what was set")
        equal(one.run("stat -c %Y n/log").split(), ["981173106"], "so does the one that set it")
        equal(lab.server.operations("setattr") - sets, 1, "told once")
        holding = one.spawn("exec 5<n/f; echo E open >$EVENTS; rm n/f; until [ -e out/go ]; do sleep 0.1; done; cat <&5")
        one.wait_event(lambda e: e == "open")
        two.run("until [ -z \"$(ls n | grep -x f)\" ]; do sleep 0.2; done", 20)
        one.write("go", "")
        holding.wait(30)
        equal(holding.output().split(), ["text"], "who has it open by a delegation alone reads what it has deleted")


CONFLICTS = (
    ("opened for writing", "echo {0} >>n/{0}", "tail -n 1 n/{0}", "{0}"),
    ("cut", "truncate -s 3 n/{0}", "exec 6<n/{0}; stat -L -c %s /proc/self/fd/6", "3"),
    ("chmod", "chmod 604 n/{0}", "exec 6<n/{0}; stat -L -c %a /proc/self/fd/6", "604"),
    ("chown", "chown 1000 n/{0}", "exec 6<n/{0}; stat -L -c %u /proc/self/fd/6", "1000"),
    ("link", "ln n/{0} n/{0}.link", "exec 6<n/{0}; stat -L -c %h /proc/self/fd/6", "2"),
    ("rename over", "echo new >n/{0}.new; mv n/{0}.new n/{0}", "cat <&5; ls n >/dev/null; cat n/{0}", "held new"),
    ("rename", "mv n/{0} n/{0}.moved", "cat <&5; cat n/{0}.moved", "held held"),
    ("delete", "rm n/{0}", "cat <&5; ls n >/dev/null; cat n/{0} 2>&1 | grep -c 'No such\\|Stale'", "held 1"),
)


def test_what_others_do():
    """Each is done within a moment; the holder, which has the file open, sees it when it opens it again (stat alone may show what it
    knew three seconds ago, with delegations or without)."""
    with cluster() as (lab, one, two):
        one.run("for i in $(seq 0 7); do echo held >n/f$i; chmod 666 n/f$i; done")
        for i, (what, action, look, expected) in enumerate(CONFLICTS):
            name = f"f{i}"
            delegate(lab, one, name)
            go = f"go{i}"
            holding = one.spawn(f"exec 5<n/{name}; echo E {name} >$EVENTS; until [ -e out/{go} ]; do sleep 0.05; done; {look.format(name)}")
            one.wait_event(lambda e, n=name: e == n)
            seconds = timed(two, action.format(name))
            one.write(go, "")
            holding.wait(30, check=False)
            ok(seconds < 5, f"{what}: another client is not held up", f"{seconds:.2f} s")
            equal(holding.output().split(), expected.format(name).split(), f"{what}: the holder sees it with its next open")
            note(holding.errors())
        equal(called_back(lab), (len(CONFLICTS), 0), "one recall each, nothing revoked")


def test_written_while_read():
    """One reads twenty files over and over while the other writes a higher number into each: no number is followed by a lower one."""
    with cluster() as (lab, one, two):
        two.run("mkdir n/d; for i in $(seq 20); do echo 0 >n/d/$i; done; touch -d '1 hour ago' n/d/*")
        one.run("for i in 1 2 3; do cat n/d/* >/dev/null; sleep 0.5; done")
        equal(held(lab), 20, "twenty delegations")
        reading = one.spawn("echo E reading >$EVENTS; until [ -e out/go ]; do grep . n/d/*; done")
        one.wait_event(lambda e: e == "reading")
        seconds = timed(two, "for v in 1 2 3 4 5; do for i in $(seq 20); do echo $v >n/d/$i; done; done")
        one.write("go", "")
        reading.wait(60)
        last, wrong = {}, []
        for line in reading.output().splitlines():
            name, value = line.split(":")
            if int(value) < last.get(name, 0):
                wrong.append(f"{line} after {last[name]}")
            last[name] = int(value)
        equal(wrong, [], "nothing goes back")
        equal(one.run("cat n/d/*").split(), ["5"] * 20, "and in the end all of it is there")
        equal(called_back(lab), (20, 0), "one recall each")
        note(f"100 writes in {seconds:.1f} s")


def test_locks_under_a_delegation():
    with cluster() as (lab, one, two):
        one.run("echo text >n/f; chmod 666 n/f")
        delegate(lab, one, "f")
        locking = one.spawn("exec 5<n/f; flock -s 5; echo E locked >$EVENTS; until [ -e out/go ]; do sleep 0.1; done; cat <&5; flock -u 5; exec 5<&-; echo E free >$EVENTS; sleep 1")
        one.wait_event(lambda e: e == "locked")
        status = two.status("exec 6<>n/f; flock -n -x 6", 30)
        ok(status != 0, "a lock that the holder had taken by itself holds when the file is taken back")
        waiting = two.spawn("exec 6<>n/f; flock -x 6; echo E got >$EVENTS")
        one.write("go", "")
        locking.wait(30)
        waiting.wait(60)
        equal(locking.output().split(), ["text"], "and who holds it reads on")
        equal(called_back(lab), (1, 0), "one recall")


def test_holder_that_is_gone():
    with cluster(lease_seconds=LEASE) as (lab, one, two):
        one.run("echo old >n/f; chmod 666 n/f; echo old >n/g; chmod 666 n/g")
        delegate(lab, one, "f")
        delegate(lab, one, "g")
        lab.network.cut_off(one.address)
        seconds = timed(two, "echo new >n/f", LEASE * 3)
        ok(LEASE / 2 < seconds < LEASE + 20, "a holder that does not answer is waited for as long as its lease", f"{seconds:.1f} s")
        seconds = timed(two, "echo new >n/g", 30)
        ok(seconds < 5, "and then for nothing more", f"{seconds:.1f} s")
        lab.network.join(one.address)
        note(f"its TCP was back after {timed(one, ': >n/there', 200):.1f} s")
        one.run("until [ \"$(cat n/f n/g)\" = $'new\\nnew' ]; do sleep 0.2; done", 100)
        ok(True, "when it comes back it learns what it has lost, and sees what it has missed")
        one.run("echo again >n/f; cat n/f", 60)
        equal(two.run("cat n/f").split(), ["again"], "and goes on as before")


def test_restart_of_the_server():
    with cluster() as (lab, one, two):
        one.run("echo old >n/f; chmod 666 n/f")
        delegate(lab, one, "f")
        one.run(": >n/log; chmod 666 n/log")
        delegate_for_writing(lab, one, "log")
        holding = one.spawn("exec 5<n/f 6>>n/log; head -c 3000 /dev/zero | tr '\\0' a >&6; echo E open >$EVENTS; until [ -e out/go ]; do sleep 0.1; done; cat n/f; cat <&5; exec 5<&-; head -c 3000 /dev/zero | tr '\\0' b >&6; exec 6>&-")
        one.wait_event(lambda e: e == "open")
        lab.server.kill("mds")
        lab.server.restart("mds")
        one.run("ls n >/dev/null", 100)
        two.run("echo new >n/f", 100)
        one.write("go", "")
        holding.wait(60, check=False)
        equal(holding.output().split(), ["new", "new"], "a delegation that was held over a restart does not hide what another writes after it")
        equal(two.run("tr -d ab <n/log | wc -l; tr -dc a <n/log | wc -c; tr -dc b <n/log | wc -c").split(), ["3", "3000", "3000"], "and one for writing loses nothing")
        note(f"held {held(lab)}; called back, revoked: {called_back(lab)}")
        for client in lab.clients:
            client.umount()
        lab.server.down()
        lab.server.fsck()
        ok(True, "the store is clean")


main(test_given_where_it_pays, test_held_for_writing, test_one_or_the_other, test_what_others_do, test_written_while_read, test_locks_under_a_delegation, test_holder_that_is_gone, test_restart_of_the_server)
