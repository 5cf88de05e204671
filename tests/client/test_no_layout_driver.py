#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""A client without the files layout driver: all its I/O goes through the metadata server, and is the same data."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from checks import MIB, Stored, Traffic, check_pattern, equal, ok, write_pattern  # noqa: E402
from cluster import MDS  # noqa: E402
from lab import Lab  # noqa: E402
from tap import main  # noqa: E402

SIZE = 64 * MIB + 777


def test_without_the_driver():
    with Lab(data_servers=4, stripe_unit=MIB, stripe_count=4, layout=(True, False)) as lab:
        striping, plain = lab.clients
        for client in lab.clients:
            client.mount()
        stored, traffic = Stored(lab), Traffic(lab)
        write_pattern(plain, 1, SIZE, "n/plain", "--fsync")
        stored.check_shares(SIZE, MIB, 4, "what it writes is striped all the same")
        received, _ = traffic.of(MDS)
        ok(received > SIZE, "its bytes went through the metadata server", received)
        m = plain.mountstats()
        equal((m.pnfs_reads, m.pnfs_writes), (0, 0), "it did no pNFS I/O")
        check_pattern(striping, 1, SIZE, "n/plain", "a striping client reads it")
        write_pattern(striping, 2, SIZE, "n/striped", "--fsync")
        check_pattern(plain, 2, SIZE, "n/striped", "it reads what a striping client wrote")
        write_pattern(striping, 3, SIZE // 4096 * 4096, "n/aligned", "--direct")
        check_pattern(plain, 3, SIZE // 4096 * 4096, "n/aligned", "O_DIRECT through the metadata server", "--direct")
        interleaved(striping, plain)


def interleaved(striping, plain):
    """Each writes every other half MiB of one file, in turns; both read the whole."""
    for number in range(8):
        client = (striping, plain)[number % 2]
        client.run(f"iotool fill 5 {number * 524288} 524288 n/both --fsync")
    for client, who in ((striping, "the striping client"), (plain, "the other")):
        check_pattern(client, 5, 8 * 524288, "n/both", f"one file written in turns: {who} reads the whole")


main(test_without_the_driver)
