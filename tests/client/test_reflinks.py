#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""cp --reflink on striped files, with data servers on file systems that share blocks."""
import contextlib
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from checks import KIB, MIB, check_pattern, equal, file_sha256, ok, pattern_sha256, write_pattern  # noqa: E402
from lab import Lab, scratch_folder  # noqa: E402
from proc import need, run  # noqa: E402
from tap import main  # noqa: E402

LIMIT_SECONDS = 120
SIZE = 5 * MIB + 77
COPIES = 6


@contextlib.contextmanager
def mounted(make, what):
    """A folder with a new file system on it, made in a file by the command MAKE."""
    folder = scratch_folder(what)
    image, place = os.path.join(folder, "image"), os.path.join(folder, "fs")
    os.mkdir(place)
    with open(image, "wb") as f:
        f.truncate(400 * MIB)
    try:
        run(*make, image)
        run("mount", "-o", "loop", image, place)
        yield place
    finally:
        run("umount", place, check=False)
        os.unlink(image)
        os.rmdir(place)
        os.rmdir(folder)


def used(place):
    os.sync()
    s = os.statvfs(place)
    return (s.f_blocks - s.f_bfree) * s.f_frsize


def test_xfs_shares_blocks():
    """Without a kernel that has xfs the mount fails, and so does this: `grep xfs /proc/filesystems`."""
    with mounted([need("mkfs.xfs", "xfsprogs"), "-q"], "xfs") as place, Lab(data_servers=3, clients=2, stripe_unit=64 * KIB, folder=place) as lab:
        one, two = lab.clients
        one.mount()
        two.mount()
        write_pattern(one, 1, SIZE, "n/f")
        before, clones = used(place), one.mountstats().count("CLONE")
        one.run(f"for i in $(seq {COPIES}); do cp --reflink=always n/f n/clone$i || exit; done")
        equal(one.mountstats().count("CLONE") - clones, COPIES, "cp --reflink=always works whatever data servers a file begins on")
        wanted = pattern_sha256(1, SIZE)
        equal({file_sha256(two, f"n/clone{i + 1}") for i in range(COPIES)}, {wanted}, "another client reads the same")
        ok(used(place) - before < SIZE, "and the blocks are shared", f"{COPIES} copies of {SIZE} bytes took {used(place) - before}")
        one.run("printf other | dd of=n/clone1 bs=1 seek=1M conv=notrunc status=none")
        check_pattern(two, 1, SIZE, "n/f", "writing to a clone leaves its source alone")
        ok(file_sha256(two, "n/clone1") != wanted, "and changes the clone")
        one.run("cp --reflink=always n/f n/clone2")  # cut to nothing first: it keeps its stripes, which are the source's
        check_pattern(two, 1, SIZE, "n/clone2", "a clone is cloned over")


main(test_xfs_shares_blocks)
