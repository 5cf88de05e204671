#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""Between the servers and S3 things go wrong: what is read is right or an error, what was written arrives, no name is lost, and
somebody is told why."""
import hashlib
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

from bucket import Bucket, sums_seen  # noqa: E402
from checks import equal, note, ok  # noqa: E402
from lab import Lab  # noqa: E402
from proc import wait_until  # noqa: E402
from tap import main  # noqa: E402

MIB = 1 << 20
SECONDS = 90  # until what was spoilt has been mended
WHERE = "n/data/train"

# What passes, by the method that it hits. A flipped bit in a range of an object can be seen over TLS only; of a whole one, always.
READS = ("status GET 4 503", "status GET 3 500", "lost GET 3", "refuse GET 3", "cut GET 3", "short GET 3", "slow GET 6 400", "expired GET 1", "skew GET 2 5000")
WHOLE = ("flip GET 3",)
WRITES = ("status PUT 4 503", "status PUT 3 500", "lost PUT 2", "refuse PUT 3", "flip-sent PUT 2", "slow PUT 4 700", "expired PUT 3",
          "status POST 2 503", "lost POST 2", "refuse POST 2", "status HEAD 2 503", "lost HEAD 2")
REFUSALS = (("status GET 100000 403", "S3AccessDenied"), ("expired GET 100000", "S3AccessDenied"), ("etag GET 100000", "S3ObjectChanged"))
PAGES = ("repeat GET 1", "skip GET 1", "cut GET 2", "short GET 1", "lost GET 2", "status GET 3 503")


def names_of(rules):
    return {rule: rule.replace(" ", "-") for rule in rules}


def fill(bucket, folder):
    """A file for each rule: of several stripe units, or of one."""
    for rule, name in names_of(READS + WHOLE).items():
        with open(os.path.join(folder, name), "wb") as f:
            f.write(os.urandom(MIB // 2 if rule in WHOLE else 5 * MIB // 2))
    for i in range(40):
        with open(os.path.join(folder, f"some-{i:02}"), "wb") as f:
            f.write(os.urandom(i * 100))
    bucket.rclone("copy", "--transfers", "8", folder, f"s:{bucket.name}/p")


def reads(bucket, client, folder):
    """Each fault passes, or the engine asks again: nobody who reads sees it."""
    for rule, name in names_of(READS + WHOLE).items():
        with open(os.path.join(folder, name), "rb") as f:
            wanted = hashlib.md5(f.read()).hexdigest()
        bucket.spoil(rule)
        equal(client.run(f"md5sum <{WHERE}/{name}", SECONDS).split()[0], wanted, f"{rule}: what is read is right")
        ok(bucket.spoilt() > 0, f"{rule}: it came")
    bucket.spoil()


def refused(lab, bucket, client):
    """S3 says no, or has something else, again and again: an error, and its reason in the log. Then it is well again."""
    for i, (rule, reason) in enumerate(REFUSALS):
        name = f"some-{20 + i}"
        bucket.spoil(rule)
        said = client.run(f"md5sum <{WHERE}/{name} 2>&1 || true", SECONDS)
        ok("Input/output error" in said, f"{rule}: an error", said)
        told = [line for line in lab.server.logs().splitlines() if f"key={name} " in line]
        ok(any(reason in line for line in told), f"{rule}: and its reason", told)
        bucket.spoil()


def pages(lab, bucket, client):
    """Listings that are not what they should be take no name away."""
    before = client.run(f"ls {WHERE}").split()
    for rule in PAGES:
        bucket.spoil(rule)
        said = lab.server.command("repo", "sweep", "data", "--dir", lab.server.folder, check=False)
        ok(bucket.spoilt() > 0, f"{rule}: it came", said)
        equal(client.run(f"ls {WHERE}").split(), before, f"{rule}: all names are here")
    bucket.spoil()


def writes(lab, bucket, client):
    """What is written meanwhile arrives, whole."""
    for rule, name in names_of(WRITES).items():
        bucket.spoil(rule)
        client.run(f"""cd {WHERE} && mkdir {name} && head -c {MIB // 2} /dev/urandom >{name}/small && head -c {20 * MIB + 1} /dev/urandom >{name}/large
                       echo more >>some-{WRITES.index(rule):02}""", SECONDS)
        wait_until(f"{rule}: all is sent", lambda: bucket.pending() == 0, SECONDS, 0.1)
        ok(bucket.spoilt() > 0, f"{rule}: it came, and all was sent")
    bucket.spoil()
    there, here = bucket.sums("p"), sums_seen(client, WHERE)
    equal({name for name in there.keys() | here.keys() if there.get(name) != here.get(name)}, set(), f"{len(here)} objects are the files")


def refused_writes(lab, bucket, client):
    """S3 takes nothing: that is told, with its reason and for how long, and all is sent when it takes it again."""
    bucket.spoil("status PUT 100000 403")
    client.run(f"cd {WHERE} && echo refused >refused")
    failures = lambda: float(lab.server.metrics("mds").get("nacre_archive_failures_total", {}).get('error="S3AccessDenied"', 0))
    before = failures()
    wait_until("S3's no is counted", lambda: failures() > before, SECONDS, 0.1)
    oldest = float(lab.server.metrics("mds")["nacre_archive_oldest_seconds"][""])
    ok(1 <= oldest < SECONDS, "for how long S3 has lacked something", oldest)
    said = lab.server.command("repo", "status", "--dir", lab.server.folder, check=False)
    ok("not in S3" in said or "1 file" in said, "repo status", said)
    bucket.spoil()
    lab.server.command("archive", "/data/train/refused", "--dir", lab.server.folder)
    equal(bucket.rclone("cat", f"s:{bucket.name}/p/refused"), "refused\n", "when it takes it again it is there")
    equal(float(lab.server.metrics("mds")["nacre_archive_oldest_seconds"][""]), 0.0, "and nothing is lacking")


def test_faults():
    with Lab(data_servers=2, clients=1) as lab, Bucket(lab) as bucket, tempfile.TemporaryDirectory() as folder:
        client = lab.clients[0]
        fill(bucket, folder)
        bucket.spoil()
        bucket.link("/data/train", "p", endpoint=bucket.spoilt_endpoint, export="new,changed,deleted", export_delay=1, sweep_interval=0)
        client.mount()
        client.run(f"ls -l {WHERE}", SECONDS)
        reads(bucket, client, folder)
        refused(lab, bucket, client)
        pages(lab, bucket, client)
        writes(lab, bucket, client)
        refused_writes(lab, bucket, client)


main(test_faults)
