#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""Widths, units, ways of doing I/O, mount options."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from checks import KIB, MIB, Stored, Traffic, check_pattern, check_pnfs, ok, write_pattern  # noqa: E402
from lab import Lab  # noqa: E402
from tap import LONG, main  # noqa: E402

LIMIT_SECONDS = 400
LONG_LIMIT_SECONDS = 1500
# Not a multiple of anything: the last unit is a part of one.
SIZE = (1024 if LONG else 96) * MIB + 12345
MODES = (("buffered", ""), ("O_DIRECT", "--direct"), ("mmap", "--mmap"))


def one_file(lab, name, seed, width, unit, options="", size=SIZE):
    """Client 1 writes a file, client 2 reads it, both with the same OPTIONS of iotool."""
    writer, reader = lab.clients
    stored, traffic = Stored(lab), Traffic(lab)
    path = f"n/{seed}"
    write_pattern(writer, seed, size, path, f"{options} --fsync")
    check_pattern(reader, seed, size, path, f"{name}: read back on the other client", options)
    stored.check_shares(size, unit, width, f"{name}: every data server has its share")
    traffic.check_mds_moved_no_data(2 * size, f"{name}: no data through the metadata server")


def width(count):
    with Lab(data_servers=count, stripe_unit=MIB, stripe_count=count) as lab:
        for client in lab.clients:
            client.mount()
        one_file(lab, f"{count} data servers", count, count, MIB)
        check_pnfs(lab.clients[0], f"{count} data servers: pNFS writes", writes=True)


def unit(bytes_, label):
    with Lab(data_servers=4, stripe_unit=bytes_, stripe_count=4) as lab:
        for client in lab.clients:
            client.mount()
        for seed, (mode, options) in enumerate(MODES, 1):
            aligned = SIZE // 4096 * 4096 if mode == "O_DIRECT" else SIZE
            one_file(lab, f"unit {label}, {mode}", seed, 4, bytes_, options, aligned)


def test_1_data_server():
    width(1)


def test_2_data_servers():
    width(2)


def test_3_data_servers():
    width(3)


def test_8_data_servers():
    width(8)


def test_16_data_servers():
    width(16)


def test_unit_64k():
    unit(64 * KIB, "64 KiB")


def test_unit_4m():
    unit(4 * MIB, "4 MiB")


def test_modes_and_mounts():
    with Lab(data_servers=4, stripe_unit=MIB, stripe_count=4) as lab:
        seed = 100
        for options, minor in (("", 1), ("", 2), ("nconnect=4", 2)):
            for client in lab.clients:
                client.mount(options=options, minor=minor)
            for mode, how in MODES:
                seed += 1
                one_file(lab, f"minorversion {minor} {options} {mode}".replace("  ", " "), seed, 4, MIB, how,
                         SIZE // 4096 * 4096 if mode == "O_DIRECT" else SIZE)
            if options:
                connections(lab)
            for client in lab.clients:
                client.umount()


def connections(lab):
    for address in lab.server.addresses:
        found = lab.network.connections(address)
        per_client = [sum(peer == f"192.0.2.{101 + i}" for peer in found) for i in range(2)]
        ok(per_client == [4, 4], f"nconnect=4: four connections from each client to {address}", found)


main(test_1_data_server, test_2_data_servers, test_3_data_servers, test_8_data_servers, test_16_data_servers, test_unit_64k, test_unit_4m,
     test_modes_and_mounts)
