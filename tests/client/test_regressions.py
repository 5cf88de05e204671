#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""What stock Linux clients stumbled over once (a server that does it wrong corrupts data or makes a storm), one test each."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import contextlib  # noqa: E402

from checks import KIB, MIB, Stored, check_pattern, equal, note, ok, write_pattern  # noqa: E402
from cluster import MDS  # noqa: E402
from frames import Capture  # noqa: E402
from lab import Lab  # noqa: E402
from tap import main  # noqa: E402

LIMIT_SECONDS = 400


@contextlib.contextmanager
def cluster(unit=64 * KIB, count=4, **options):
    with Lab(data_servers=count, stripe_unit=unit, stripe_count=count, **options) as lab:
        for client in lab.clients:
            client.mount()
        yield lab, *lab.clients


def pread(client, offset, length, path, *options):
    """(returned, leading zeros) of one O_DIRECT read."""
    words = client.run(f"iotool pread {offset} {length} {path} --direct {' '.join(options)}").split()
    return int(words[1]), int(words[3]) if len(words) > 3 else 0


def test_striped_io_larger_than_the_unit():
    """6.1 sends RPCs larger than the unit to one server when a layout has fewer handles than servers."""
    with cluster() as (lab, one, two):
        stored = Stored(lab)
        write_pattern(one, 1, 16 * MIB, "n/f", "--block 4M --fsync")
        check_pattern(two, 1, 16 * MIB, "n/f", "4 MiB I/O over 64 KiB units: buffered", "--block 4M")
        stored.check_shares(16 * MIB, 64 * KIB, 4, "4 MiB I/O over 64 KiB units: each server has its own units")
        write_pattern(one, 2, 16 * MIB, "n/g", "--block 4M --direct")
        two.drop_caches()
        check_pattern(two, 2, 16 * MIB, "n/g", "4 MiB I/O over 64 KiB units: O_DIRECT", "--block 4M --direct")


def test_second_unit_after_end_of_component():
    """Dense layouts read back zeros here on every kernel: two units, the second on another server."""
    with cluster() as (_lab, one, two):
        write_pattern(one, 3, 128 * KIB, "n/f", "--fsync")
        check_pattern(two, 3, 128 * KIB, "n/f", "the second unit of a two-unit file", "--block 128K")
        two.drop_caches()
        check_pattern(two, 3, 128 * KIB, "n/f", "the second unit of a two-unit file, O_DIRECT", "--block 128K --direct")


def test_holes():
    """A component that ends before the file does, or does not exist, is zeros up to the file's end: never short, never EIO."""
    with cluster() as (_lab, one, two):
        one.run("iotool fill 4 0 1000 n/h --fsync; iotool fill 4 1048576 1000 n/h --fsync")
        for label, offset, length, wanted in (("a unit whose component is short", 0, 64 * KIB, 64 * KIB), ("over all servers", 4096, 256 * KIB, 256 * KIB),
                                              ("a unit no server has", 512 * KIB, 64 * KIB, 64 * KIB), ("up to the end", 1 * MIB - 4096, 64 * KIB, 4096 + 1000)):
            returned, zeros = pread(two, offset, length, "n/h")
            equal(returned, wanted, f"hole, O_DIRECT: {label}: full count")
            if "no server" in label or "over all" in label:
                equal(zeros, wanted, f"hole, O_DIRECT: {label}: zeros")
        equal(two.run("tail -c +1001 n/h | head -c 1047576 | tr -d '\\0' | wc -c; wc -c <n/h").split(), ["0", "1049576"], "hole, buffered: zeros, right size")
        one.run("truncate -s 1M n/e")
        equal(pread(two, 0, 1 * MIB, "n/e"), (MIB, MIB), "a file that is all hole reads as zeros")
        one.run(": >n/z")
        equal(pread(two, 0, 4096, "n/z")[0], 0, "an empty file reads as empty")


def test_size_of_small_synced_files():
    """A FILE_SYNC4 answer makes the client skip LAYOUTCOMMIT: the size must be at the metadata server all the same."""
    with cluster() as (_lab, one, two):
        one.run("for i in 1 100 4096 65536 65537; do iotool fill 5 0 $i n/s$i --fsync; done; exec 7>n/open; head -c 3000 /dev/zero >&7; sync n/open; exec 7>&-")
        equal(two.run("stat -c '%n %s' n/s* n/open | sort -n -k2").split()[1::2], ["1", "100", "3000", "4096", "65536", "65537"], "sizes seen by the other client")
        for size in (1, 100, 4096, 65536, 65537):
            check_pattern(two, 5, size, f"n/s{size}", f"{size} bytes arrive whole")
        first = two.run("cat n/s1 >/dev/null; stat -c '%Y %z' n/s1").split()
        one.run("sleep 1.1; printf X | dd of=n/s1 conv=notrunc,fsync 2>/dev/null")
        second = two.run("cat n/s1 >/dev/null; stat -c '%Y %z' n/s1").split()
        ok(int(second[0]) > int(first[0]), "a write through data servers moves mtime", f"{first} {second}")


def test_no_session_storm():
    """Servers that look alike (same owner, same client id) make the client build sessions for ever: 86,000 a minute."""
    with Lab(data_servers=4, stripe_unit=64 * KIB, stripe_count=4, clients=1) as lab:
        client = lab.clients[0]
        path = os.path.join(lab.folder, "storm.pcapng")
        with lab.capture(path, snapshot_bytes=600):
            client.mount()
            write_pattern(client, 6, 4 * MIB, "n/f", "--fsync")
            client.run("sleep 5")
        capture = Capture(path)
        for address in (MDS, *lab.server.addresses):
            made = [capture.calls(op, address) for op in ("EXCHANGE_ID", "CREATE_SESSION")]
            ok(1 <= made[0] <= 3 and 1 <= made[1] <= 2, f"{address}: one session, no storm", f"EXCHANGE_ID, CREATE_SESSION: {made}")
        layoutgets = capture.calls("LAYOUTGET")
        ok(1 <= layoutgets <= 4, "no LAYOUTGET storm", layoutgets)


def test_aligned_transfer_sizes():
    """A session that grants less than was asked makes rsize and wsize odd."""
    with cluster(clients=1) as (_lab, client):
        m = client.mountstats()
        equal((m.option("rsize"), m.option("wsize")), ("1048576", "1048576"), "rsize and wsize are 1 MiB")


def test_device_is_kept():
    """GETDEVICEINFO must grant the notifications asked for, else the device, and its sessions, are built anew for each file."""
    with Lab(data_servers=4, stripe_unit=64 * KIB, stripe_count=4, clients=1) as lab:
        client = lab.clients[0]
        path = os.path.join(lab.folder, "device.pcapng")
        with lab.capture(path, snapshot_bytes=600):
            client.mount()
            client.run("for i in $(seq 30); do iotool fill 7 0 512K n/$i --fsync; echo 3 >/proc/sys/vm/drop_caches; iotool check 7 0 512K n/$i; done")
        devices = client.mountstats().count("GETDEVICEINFO")
        ok(1 <= devices <= 4, "30 files, the device is asked for once (four at most)", devices)
        capture = Capture(path)
        for address in lab.server.addresses:
            ok(1 <= capture.calls("CREATE_SESSION", address) <= 2, f"30 files, one session with {address}", capture.calls("CREATE_SESSION", address))


def test_no_read_past_the_end():
    """Zeros past the end of the file would be handed to an O_DIRECT reader as data."""
    with cluster() as (_lab, one, two):
        for size in (200000, 65536, 65537, 262144, 1):
            write_pattern(one, 8, size, f"n/{size}", "--fsync")
            equal(pread(two, 0, 512 * KIB, f"n/{size}")[0], size, f"O_DIRECT read of 512 KiB of a {size}-byte file returns {size}")
            tail = size // 4096 * 4096
            equal(pread(two, tail, 512 * KIB, f"n/{size}")[0], size - tail, f"and from its last page, {size - tail}")
        one.run("iotool fill 8 200000 300000 n/200000 --fsync")
        equal(pread(two, 0, 1 * MIB, "n/200000")[0], 500000, "after it grew elsewhere, all of it")
        one.run("truncate -s 70000 n/200000")
        equal(pread(two, 0, 1 * MIB, "n/200000")[0], 70000, "after it was cut elsewhere, no more than is left")
        note(two.run("stat -c '%n %s' n/*"))


main(test_striped_io_larger_than_the_unit, test_second_unit_after_end_of_component, test_holes, test_size_of_small_synced_files, test_no_session_storm,
     test_aligned_transfer_sizes, test_device_is_kept, test_no_read_past_the_end)
