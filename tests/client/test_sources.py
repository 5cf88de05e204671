#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""A compressed kernel source package: unpacked onto the mount, compared, built partly, deleted."""
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from checks import check_pnfs, equal, note, ok  # noqa: E402
from lab import Lab, LabError  # noqa: E402
from proc import run, wait_until  # noqa: E402
from tap import LONG, main  # noqa: E402

LIMIT_SECONDS = 600
LONG_LIMIT_SECONDS = 3600
PACKAGE = "/usr/src/linux-source-6.1.tar.xz"
TOP = "linux-source-6.1"
PARTS = [] if LONG else [f"{TOP}/{part}" for part in ("fs/nfs", "fs/nfsd", "net/sunrpc", "include/linux", "tools/lib", "tools/include", "tools/build",
                                                      "tools/scripts", "tools/arch/x86/include", "scripts", "lib")]


def test_sources():
    if not os.path.exists(PACKAGE):
        raise LabError(f"{PACKAGE} is missing: apt-get install linux-source-6.1")
    with Lab(data_servers=4, memory_mib=1536) as lab:
        one, two = lab.clients
        one.mount()
        two.mount()
        local = os.path.join(lab.folder, "local")
        os.makedirs(local)
        run("tar", "-xJf", PACKAGE, "-C", local, *PARTS, timeout=300)
        # The reference lies where both guests can read it: in the folder that the first has as /mnt/out.
        os.rename(local, one.path("local"))
        shutil.copy(PACKAGE, one.path("package"))
        unpack = one.spawn(f"time tar -xJf out/package -C n {' '.join(PARTS)}")
        unpack.wait(1800)
        note(unpack.errors())
        step = one.spawn(f"diff -r --no-dereference out/local/{TOP} n/{TOP}")
        step.wait(1800, check=False)
        equal((step.status, step.output()[:2000]), (0, ""), "diff -r finds no difference")
        check_pnfs(one, "small files go to the data servers too", writes=True)
        equal(two.run(f"find n/{TOP} | wc -l", 900), one.run(f"find out/local/{TOP} | wc -l", 900), "the other client lists as many names")
        build(one)
        used = lab.server.stored_bytes() if lab.server.kind == "nacre" else None
        one.run(f"rm -rf n/{TOP}", 1200)
        equal(two.run("ls -A n", 60), "", "deleted: the other client sees an empty folder")
        if used:
            note(f"bytes per data server before the delete: {used}")
            space_comes_back(lab)


def build(client):
    """libsubcmd and fixdep: real compilers and linkers over the mount; then, in --long, the kernel's configuration programs."""
    step = client.spawn(f"cd n/{TOP}/tools/lib/subcmd && make -j2 >/tmp/make 2>&1 || {{ tail -30 /tmp/make; exit 1; }}; ls -l libsubcmd.a")
    step.wait(900, check=False)
    ok(step.status == 0, "make -j2 builds tools/lib/subcmd", step.output() + step.errors())
    if LONG:
        step = client.spawn(f"cd n/{TOP} && make -j2 tinyconfig >/tmp/make 2>&1 && make -j2 lib/ >>/tmp/make 2>&1 || {{ tail -30 /tmp/make; exit 1; }}; ls -l lib/lib.a")
        step.wait(2400, check=False)
        ok(step.status == 0, "make -j2 builds the kernel's lib/", step.output() + step.errors())


def space_comes_back(lab):
    empty = lambda: all(size < 1 << 20 for size, _ in lab.server.stored_bytes())  # noqa: E731
    try:
        wait_until("space comes back", empty, 60, 0.2)
        ok(True, "the delete frees the space on every data server")
    except LabError:
        ok(False, "the delete frees the space on every data server", lab.server.stored_bytes())


main(test_sources)
