#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""A client that is cut off for longer than its lease has lost nothing that nobody wanted, and blocks nobody meanwhile."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from checks import equal, ok  # noqa: E402
from lab import Lab  # noqa: E402
from tap import main  # noqa: E402

LIMIT_SECONDS = 400
LEASE = 10

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


def test_cut_off_longer_than_the_lease():
    with Lab(data_servers=1, lease_seconds=LEASE) as lab:
        one, two = lab.clients
        one.mount()
        two.mount()
        holding = one.spawn(HELD)
        one.wait_event(lambda e: e == "held", 60)
        lab.network.cut_off(one.address)
        cut = time.monotonic()
        two.run("echo theirs >n/theirs; ls -l n n/free >/dev/null; mv n/free/held n/free/moved", 20)
        ok(time.monotonic() - cut < 10, "names go on while it is away")
        two.run("sleep 8", 60)
        while time.monotonic() - cut < LEASE * 4 / 3:
            two.run("sleep 2; echo more >>n/free/moved; cat n/free/moved >/dev/null", 20)
        equal(int(lab.server.metrics("mds")["nacre_clients_courtesy"].get("", 0)), 1, "its lease has run out, its state is kept")
        lab.network.join(one.address)
        one.write("go", "")
        holding.wait(200, check=False)  # until its TCP tries again
        ok(holding.status == 0, "it goes on with a file that it could not open again", holding.errors())
        ok(one.run("cat n/free/moved").split()[-1] in ("after", "more"), "and its bytes are there")
        equal(int(lab.server.metrics("mds")["nacre_clients_courtesy"].get("", 0)), 0, "it has its lease again")
        for client in lab.clients:
            client.umount()
        lab.server.down()
        lab.server.fsck()
        ok(True, "the store is clean")


main(test_cut_off_longer_than_the_lease)
