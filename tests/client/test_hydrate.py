#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""Files whose bytes are in S3: what is read is what an independent tool put there, what is written stays, and what is cut is gone.
The bucket is reached over TLS, if it can be."""
import hashlib
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

from bucket import Bucket  # noqa: E402
from checks import check_pattern, equal  # noqa: E402
from lab import Lab  # noqa: E402
from proc import TOOLS  # noqa: E402
from tap import main  # noqa: E402

MIB = 1 << 20
SIZES = {"zero": 0, "small": 1000, "unit": MIB, "big": 9 * MIB + 777, "written": 5 * MIB + 5, "cut": 6 * MIB, "overwritten": 4 * MIB + 1}
WHERE = "n/data/train"


def md5_of(contents):
    return sorted(f"{hashlib.md5(data).hexdigest()}  {name}" for name, data in contents.items())


def seen_by(client):
    return sorted(client.run(f"cd {WHERE} && md5sum *", 120).splitlines())


def change(client, contents):
    """The same to the cold files and to what they should hold."""
    client.run(f"printf 'a new middle' | dd of={WHERE}/written bs=1 seek=3333333 conv=notrunc && sync {WHERE}/written")
    contents["written"][3333333:3333345] = b"a new middle"
    client.run(f"truncate -s 3000000 {WHERE}/cut && truncate -s 5000000 {WHERE}/cut")
    contents["cut"][3000000:] = bytes(2000000)
    client.run(f"printf short > {WHERE}/overwritten")
    contents["overwritten"][:] = b"short"


def test_bytes():
    contents = {name: bytearray(os.urandom(size)) for name, size in SIZES.items()}
    with Lab(data_servers=2, clients=1) as lab, Bucket(lab) as bucket, tempfile.TemporaryDirectory() as folder:
        client = lab.clients[0]
        for name, data in contents.items():
            with open(os.path.join(folder, name), "wb") as f:
                f.write(data)
        bucket.rclone("copy", folder, f"s:{bucket.name}/p")
        bucket.link("/data/train", "p", **bucket.tls())
        client.mount()
        change(client, contents)
        equal(seen_by(client), md5_of(contents), "cold files: what is read, written, cut and overwritten")
        for server in ("ds0", "ds1"):
            lab.server.restart(server)
        client.drop_caches()
        equal(seen_by(client), md5_of(contents), "the same after a restart of the data servers")


def fetched(lab):
    return sum(int(lab.server.metrics(server)["nacre_ds_tier_fetched_units_total"][""]) for server in ("ds0", "ds1"))


def test_ways():
    """Whichever way bytes are read and written, and by how many at once."""
    units, names = 6, ("direct", "mapped", "shared")
    with Lab(data_servers=2, clients=2) as lab, Bucket(lab) as bucket, tempfile.TemporaryDirectory() as folder:
        one, two = lab.clients
        for seed, name in enumerate(names):
            with open(os.path.join(folder, name), "wb") as f:
                subprocess.run([os.path.join(TOOLS, "iotool"), "cat", str(seed), "0", str(units * MIB)], stdout=f, check=True, timeout=60)
        bucket.rclone("copy", folder, f"s:{bucket.name}/p")
        bucket.link("/data/train", "p")
        one.mount()
        two.mount()
        one.run(f"iotool fill 0 1M 64K {WHERE}/direct --direct && iotool fill 1 3M 64K {WHERE}/mapped --mmap --fsync")
        check_pattern(one, 0, units * MIB, f"{WHERE}/direct", "cold, written and read with O_DIRECT", "--direct --block 1M")
        check_pattern(one, 1, units * MIB, f"{WHERE}/mapped", "cold, written and read by mmap", "--mmap")
        before = fetched(lab)
        readers = [client.spawn(f"iotool check 2 0 {units}M {WHERE}/shared") for client in (one, two)]
        for reader in readers:
            reader.wait(60, check=False)
        equal([reader.status for reader in readers], [0, 0], "two clients read one at once")
        equal(fetched(lab) - before, units, "and each unit is fetched once")


main(test_bytes, test_ways)
