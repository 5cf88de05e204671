#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""tshark, which knows nothing of us, dissects a whole run: no malformed frame, the layout and the device are as expected."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from checks import KIB, MIB, check_pattern, equal, note, ok, write_pattern  # noqa: E402
from cluster import MDS, PORT  # noqa: E402
from frames import Capture  # noqa: E402
from lab import Lab  # noqa: E402
from tap import main  # noqa: E402

UNIT = 256 * KIB
LAYOUT = "rpc.msgtyp == 1 and nfs.nfl_util"


def test_a_whole_run():
    with Lab(data_servers=4, stripe_unit=UNIT, stripe_count=4) as lab:
        path = os.path.join(lab.folder, "run.pcapng")
        with lab.capture(path) as capture:
            work(*lab.clients)
        _, dropped = capture.counts
        equal(dropped, 0, "the capture is complete")
        look(Capture(path), lab)


def work(one, two):
    one.mount()
    two.mount(minor=1)
    write_pattern(one, 1, 16 * MIB + 99, "n/f", "--fsync")
    check_pattern(two, 1, 16 * MIB + 99, "n/f", "the file arrives")
    write_pattern(one, 2, 4 * MIB, "n/g", "--direct")
    one.run("mkdir -p n/a/b; cp -a /etc/ssl n/a/b/; ln -s x n/a/l; mkfifo n/a/p; ls -lR n >/dev/null; chmod -R u+w n/a; mv n/a n/c; truncate -s 100 n/f; df n >/dev/null")
    two.run("cat n/c/b/ssl/openssl.cnf >/dev/null; rm -rf n/c n/f n/g")
    one.umount()
    two.umount()


def look(capture, lab):
    note(f"{capture.nfs_frames()} NFS frames")
    ok(capture.nfs_frames() > 200, "tshark recognises NFS")
    malformed = capture.malformed()
    ok(not malformed, "no malformed frame", "\n".join(malformed[:10]))
    equal(set(capture.values(LAYOUT, "nfs.nfl_util.stripe_size")), {str(UNIT)}, "layouts: the stripe unit")
    equal(set(capture.values(LAYOUT, "nfs.nfl_util.dense")), {"0"}, "layouts: sparse")
    equal(set(capture.values(LAYOUT, "nfs.nfl_util.commit_thru_mds")), {"0"}, "layouts: COMMIT goes to the data servers")
    equal({int(n, 0) for n in capture.values(LAYOUT, "nfs.nfl_fhs")}, {4}, "layouts: one file handle per data server")
    wanted = {f"{address}.{PORT >> 8}.{PORT & 255}" for address in lab.server.addresses}
    equal(set(capture.values("nfs.r_addr and rpc.msgtyp == 1", "nfs.r_addr")), wanted, "device address: the four data servers")
    equal(set(capture.values("nfs.r_addr and rpc.msgtyp == 1", "nfs.r_netid")), {"tcp"}, "device address: tcp")
    for op in ("READ", "WRITE", "COMMIT"):
        equal(capture.calls(op, MDS), 0, f"no {op} to the metadata server")
    for address in lab.server.addresses:
        ok(capture.calls("WRITE", address) > 0 and capture.calls("READ", address) > 0, f"READ and WRITE to {address}")


main(test_a_whole_run)
