#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""Four data servers, 1 MiB units, 2 GiB: written by one client, read by another, the metadata server out of the way."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from checks import GIB, MIB, Stored, Traffic, check_pnfs, equal, file_sha256, ok, pattern_sha256, write_pattern  # noqa: E402
from lab import Lab  # noqa: E402
from tap import main  # noqa: E402

LIMIT_SECONDS = 300
SIZE = 2 * GIB


def test_two_gigabytes():
    with Lab(data_servers=4, stripe_unit=MIB, stripe_count=4) as lab:
        writer, reader = lab.clients
        writer.mount()
        reader.mount()
        stored, traffic = Stored(lab), Traffic(lab)
        write_pattern(writer, 7, SIZE, "n/big", "--fsync")
        equal(reader.run("stat -c %s n/big").strip(), str(SIZE), "the other client sees the size at once")
        equal(file_sha256(reader, "n/big"), pattern_sha256(7, SIZE), "the other client reads the same SHA-256")
        stored.check_shares(SIZE, MIB, 4, "each data server holds a quarter, ± one unit")
        traffic.check_mds_moved_no_data(2 * SIZE, "the metadata server moved no data")
        check_pnfs(writer, "mountstats shows pNFS writes", writes=True)
        check_pnfs(reader, "mountstats shows pNFS reads", reads=True)
        for client in (writer, reader):
            servers = {address for address, _ in client.data_servers()}
            ok(set(lab.server.addresses) <= servers, f"{client.name[:2]} is connected to all four data servers", servers)


main(test_two_gigabytes)
