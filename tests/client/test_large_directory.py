#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""One directory with a hundred thousand files (--long: a million): made and removed by bench/nfsload, listed and looked at by
the Linux client. Nothing takes longer per file than in a directory of a tenth, and the metadata server's memory is bounded."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from cluster import MDS  # noqa: E402
from lab import Lab  # noqa: E402
from proc import LabError  # noqa: E402
from tap import LONG, equal, main, note, ok  # noqa: E402

LIMIT_SECONDS = 240
LONG_LIMIT_SECONDS = 1800
FILES = 1000000 if LONG else 100000
BYTES_PER_INODE = 1500  # of the metadata server's memory, cache and memtables; and what it has without any
BASE_MIB = 300
SLOWER = 3  # per file, than in a directory of a tenth: a quadratic step would be ten times


def nfsload(lab, op, files, path):
    program = os.path.join(os.path.dirname(lab.server.nacre), "nfsload")
    if not os.access(program, os.X_OK):
        raise LabError(f"no {program}: build everything first (cmake --build --preset release)")
    report = lab.network.run(program, "--server", MDS, "--op", op, "--files", str(files), "--path", path, "--directories", "1", "--seconds", "900", "--csv", timeout=1000)
    row = dict(zip(*[line.split(",") for line in report.strip().splitlines()[-2:]]))
    equal(row["errors"], "0", f"{op} {files} files: no errors")
    note(f"{op} {files}: {row['ops_per_second']} a second")
    return float(row["ops_per_second"])


def resident_mib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1]) // 1024


def listed(client, path, name, wanted):
    """Seconds that a list with attributes takes; the number of names is checked. (`find` would ask for the attributes of each
    file by itself: the client stops to ask for them with the names when it lists far ahead of what is looked at.)"""
    client.drop_caches()
    out = client.run(f"cd n{path}/d00; {{ time -p ls -lU | awk '{{ print $9 }}' | sort -u | wc -l; }} 2>&1", timeout=900)
    equal(int(re.search(r"^\s*(\d+)$", out, re.M)[1]), wanted + 1, f"{name}: every file once")  # and the line `total`
    return float(re.search(r"real\s+([\d.]+)", out)[1])


def test_large_directory():
    with Lab(data_servers=1, clients=1) as lab:
        client = lab.clients[0]
        client.mount()
        small, large = FILES // 10, FILES
        rates = {size: nfsload(lab, "create", size, f"/d{size}") for size in (small, large)}
        ok(rates[large] * SLOWER > rates[small], "creates are not slower in the large directory", rates)
        seconds = {size: listed(client, f"/d{size}", f"list {size}", size) for size in (small, large)}
        note(f"list: {seconds}")
        ok(seconds[large] < 10 * SLOWER * seconds[small], "a list takes no longer per file", seconds)
        bound = BASE_MIB + FILES * BYTES_PER_INODE // 1048576
        used = resident_mib(lab.server.pid("mds"))
        ok(used < bound, f"the metadata server keeps below {bound} MiB", f"{used} MiB")
        rates = {size: nfsload(lab, "unlink", size, f"/d{size}") for size in (small, large)}
        ok(rates[large] * SLOWER > rates[small], "removes are not slower in the large directory", rates)
        equal(client.run(f"ls -A n/d{large}/d00 | wc -l").strip(), "0", "nothing is left")


main(test_large_directory)
