#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""The network fails between two of client, metadata server and data servers, both ways or one, while two clients do random I/O: who is cut
off comes back by itself, every byte is right, nothing hangs for longer than the lease, the store is clean."""
import contextlib
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from checks import KIB, note, ok  # noqa: E402
from cluster import MDS  # noqa: E402
from lab import Lab  # noqa: E402
from load import ModelFile, seed, stop  # noqa: E402
from proc import wait_until  # noqa: E402
from tap import LONG, main  # noqa: E402

LIMIT_SECONDS = 900
LONG_LIMIT_SECONDS = 1800
LONG_ONLY = True
LEASE = 45
CUT = 20 if LONG else 8   # seconds; longer than a data server trusts (5)
TRUST, PARK = 5, 10
CONTROL = 2050


@contextlib.contextmanager
def under_load(client_files=2):
    """A lab whose two clients do random I/O; at the end all of it is compared."""
    number = seed()
    note(f"seed {number}")
    dice = random.Random(number)
    with Lab(data_servers=2, stripe_unit=64 * KIB, stripe_count=2) as lab:
        for client in lab.clients:
            client.mount()
        files = [ModelFile(client, f"{client.name[:2]}-{i}", dice.randrange(1 << 32)) for client in lab.clients for i in range(client_files)]
        all_go_on(files, 60)
        yield lab, files
        stop(lab.clients)
        for file in files:
            file.check(lab.clients[1 if file.client is lab.clients[0] else 0], CUT + LEASE)
        for client in lab.clients:
            client.umount()
        lab.server.down()
        note(lab.server.fsck())
        ok(True, "the store is clean")


def all_go_on(files, timeout):
    start = time.monotonic()
    for file in files:
        file.wait_more(timeout)
    return time.monotonic() - start


def partition(lab, files, what, *matches, others=()):
    """Packets that one of MATCHES describes are lost for CUT seconds; meanwhile OTHERS go on, afterwards everybody."""
    lab.network.cut("storm", *matches)
    end = time.monotonic() + CUT
    try:
        for file in others:
            file.wait_more(CUT)
        time.sleep(max(0, end - time.monotonic()))
    finally:
        lab.network.heal("storm")
    took = all_go_on(files, LEASE)
    ok(True, f"{what}: all go on after {took:.1f} s")


def both_ways(name, to, back):
    """Three partitions: both ways, and each alone."""
    return ((name, to + back), (f"{name}, only to it", to), (f"{name}, only from it", back))


def test_client_and_metadata_server():
    with under_load() as (lab, files):
        one = lab.clients[0].address
        others = [file for file in files if file.client is lab.clients[1]]
        for what, matches in both_ways("a client and the metadata server", [f"ip saddr {one} ip daddr {MDS}"], [f"ip saddr {MDS} ip daddr {one}"]):
            partition(lab, files, what, *matches, others=others)


def test_client_and_data_server():
    with under_load() as (lab, files):
        one, server = lab.clients[0].address, lab.server.addresses[0]
        others = [file for file in files if file.client is lab.clients[1]]
        for what, matches in both_ways("a client and a data server", [f"ip saddr {one} ip daddr {server}"], [f"ip saddr {server} ip daddr {one}"]):
            partition(lab, files, what, *matches, others=others)


def test_client_and_everybody():
    """As with a cable that was pulled. Its tap stays up: User Mode Linux, whose write to one that is down fails, has no network ever after."""
    with under_load() as (lab, files):
        one = lab.clients[0].address
        lab.network.cut_off(one)
        end = time.monotonic() + CUT
        for file in files[2:]:
            file.wait_more(CUT)
        time.sleep(max(0, end - time.monotonic()))
        lab.network.join(one)
        ok(True, f"a client and everybody: all go on after {all_go_on(files, LEASE):.1f} s")


def test_metadata_server_and_data_servers():
    """What servers say to each other goes over the loopback interface: what clients send does not."""
    with under_load() as (lab, files):
        to = [f"tcp dport {CONTROL}", "iifname lo tcp sport 2049"]
        back = [f"tcp sport {CONTROL}", "iifname lo tcp dport 2049"]
        for what, matches in both_ways("data servers and the metadata server", to, back):
            partition(lab, files, what, *matches)


def trusted(lab, name):
    return int(sum(lab.server.metrics(name)["nacre_ds_trusted"].values()))


def test_one_data_server_and_the_metadata_server():
    """It stops serving when its trust has run out, closes its clients' connections, and serves again when it can be heard: all by itself."""
    with under_load(1) as (lab, files):
        port = lab.network.port_of(lab.server.pid("ds0"), MDS, CONTROL)
        # The other one keeps its connection; new ones are made by nobody.
        lab.network.cut("storm", f"tcp dport {port}", f"tcp sport {port}", f"tcp dport {CONTROL} tcp flags & (syn | ack) == syn")
        start = time.monotonic()
        wait_until("ds0 trusts no more", lambda: not trusted(lab, "ds0"), TRUST + 2, 0.1)
        ok(True, f"cut off from the metadata server it serves {time.monotonic() - start:.1f} s longer")
        ok(trusted(lab, "ds1"), "the other goes on")
        wait_until("ds0 closes its clients", lambda: not lab.network.connections(lab.server.addresses[0]), PARK + 3, 0.1)
        took = time.monotonic() - start
        ok(took < TRUST + PARK + 3, f"after {took:.1f} s it has closed its clients' connections")
        lab.network.heal("storm")
        healed = time.monotonic()
        wait_until("ds0 trusts again", lambda: trusted(lab, "ds0"), 30, 0.1)
        ok(True, f"healed, it serves after {time.monotonic() - healed:.1f} s, by itself")
        ok(True, f"all go on after {all_go_on(files, LEASE):.1f} s")


main(test_one_data_server_and_the_metadata_server, test_metadata_server_and_data_servers, test_client_and_metadata_server,
     test_client_and_data_server, test_client_and_everybody)
