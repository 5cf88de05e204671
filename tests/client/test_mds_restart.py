#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""The metadata server is killed and started again while files are open and being written: clients reclaim, and nothing stops for longer than it must."""
import json
import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from checks import MIB, check_pattern, equal, ok  # noqa: E402
from lab import Lab  # noqa: E402
from tap import main  # noqa: E402

LIMIT_SECONDS = 500
SIZE = 256 * MIB
LEASE = 45

# A file of user 1000, which he then shuts for himself: who had it open goes on, who opens it again is refused.
HELD = """mkdir -p n/free; chmod 1777 n/free
cat >out/hold.sh <<'END'
exec 5>n/free/held
echo before >&5
sync
chmod 0 n/free/held
until [ -e out/go ]; do sleep 0.2; done
echo after >&5
exec 5>&-
END
setpriv --reuid=1000 --regid=1000 --clear-groups bash -e out/hold.sh &
until [ "$(stat -c %a n/free/held 2>&1)" = 0 ]; do sleep 0.2; done
echo E held >$EVENTS
wait $!"""


def status(lab):
    return json.loads(lab.server.command("status", "--dir", lab.server.folder, "--json"))


def wait_bytes(client, path, wanted, timeout=200):
    client.wait_event(lambda e: e.startswith(f"{path} bytes ") and int(e.split()[2]) >= wanted, timeout)


def timed(client, script, timeout=120):
    start = time.monotonic()
    client.run(script, timeout)
    return time.monotonic() - start


def test_open_and_being_written():
    with Lab(data_servers=2, stripe_unit=MIB, stripe_count=2) as lab:
        one, two = lab.clients
        one.mount()
        two.mount()
        holding = two.spawn(HELD)
        two.wait_event(lambda e: e == "held", 60)
        writing = one.spawn(f"iotool fill 1 0 {SIZE} n/f --fsync --events $EVENTS")
        wait_bytes(one, "n/f", SIZE // 4)
        lab.server.kill("mds")
        time.sleep(1)
        lab.server.restart("mds")
        ok(status(lab)["grace"], "two clients had files open: there is a grace period")
        two.run("ls n >/dev/null", 60)  # it notices now, not at its next renewal
        writing.wait(200, check=False)
        equal(writing.status, 0, "the large file is written to its end")
        two.write("go", "")
        holding.wait(60, check=False)
        ok(holding.status == 0, "a file is written on that could not have been opened again", holding.errors())
        equal(one.run("cat n/free/held").split(), ["before", "after"], "and what was written is there")
        check_pattern(two, 1, SIZE, "n/f", "the other client reads every byte of the large one")
        after = status(lab)
        ok(not after["grace"] and after["grace_took_ms"] < 15000, "the grace period ended when both had reclaimed", after["grace_took_ms"])
        for client in lab.clients:
            client.umount()
        lab.server.down()
        lab.server.fsck()
        ok(True, "the store is clean")


def test_one_client_dies_with_the_server():
    with Lab(data_servers=1) as lab:
        one, two = lab.clients
        one.mount()
        two.mount()
        holding = one.spawn(HELD)
        one.wait_event(lambda e: e == "held", 60)
        two.spawn("exec 5>n/theirs; echo E open >$EVENTS; sleep 1000")
        two.wait_event(lambda e: e == "open", 60)
        two.spawn(f"iotool fill 2 0 {SIZE} n/half --direct --events $EVENTS")
        wait_bytes(two, "n/half", SIZE // 4)
        os.killpg(two.process.pid, signal.SIGKILL)
        lab.server.kill("mds")
        lab.server.restart("mds")
        listed = int(one.run("ls -l n | awk '/half/ { print $5 }'"))
        stored = max(size for size, _ in lab.server.stored_bytes())
        equal(listed, int(one.run("stat -c %s n/half")), "a listing and stat agree on the size of what was being written")
        ok(0 < listed <= stored, "which is what the data server has", f"{listed}, on the data server {stored} with all files")
        one.write("go", "")
        holding.wait(60, check=False)
        equal(holding.status, 0, "what was reclaimed is written on in the grace period")
        ok(timed(one, "mkdir n/d; mv n/d n/e; stat n/theirs >/dev/null") < 10, "names go on too")
        equal(status(lab)["grace_waits_for"], 1, "the grace period waits for the one who died")
        seconds = timed(one, "echo new >n/new")
        ok(LEASE / 2 < seconds < LEASE + 20, "a new open waits for the end of the grace period", seconds)
        took = status(lab)["grace_took_ms"]
        ok(LEASE * 1000 <= took < LEASE * 1000 + 1500, "which ends at its deadline", took)
        ok(timed(one, "echo new >n/theirs; rm n/theirs") < 5, "nothing is left of who died")
        one.run(f"iotool check 2 0 {listed} n/half")
        ok(True, "and every byte of what it wrote is right")


def test_nobody_had_anything():
    with Lab(data_servers=1, clients=1) as lab:
        one = lab.clients[0]
        one.mount()
        one.run("ls n")
        lab.server.kill("mds")
        lab.server.restart("mds")
        ok(not status(lab)["grace"], "no grace period")
        ok(timed(one, "echo new >n/new") < 10, "a file is made at once")


main(test_open_and_being_written, test_one_client_dies_with_the_server, test_nobody_had_anything)
