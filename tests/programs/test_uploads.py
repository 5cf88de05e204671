#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""kill -9 in the middle of an upload in parts, beside a real radosgw: it is gone on with; and of one that nobody wants nothing stays."""
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from programs import Cluster, get, read, write  # noqa: E402
from bucket import Bucket  # noqa: E402
from proc import wait_until  # noqa: E402
from tap import equal, main, note, ok  # noqa: E402

MIB = 1 << 20
SIZE = 96 * MIB
PARTS = SIZE // (16 * MIB)
BEGUN = 2  # parts in S3, and it is killed
A_SECOND = 8 * MIB  # that each data server sends, so that it takes a while
ON_THE_WAY = 4  # parts at once, of two data servers


class Uploads:
    """What S3 says, of one bucket."""

    def __init__(self, cluster, bucket):
        self.cluster, self.bucket = cluster, bucket

    def unfinished(self):
        """Keys of uploads that are neither completed nor aborted."""
        found = json.loads(self.bucket.rclone("backend", "list-multipart-uploads", f"s:{self.bucket.name}"))
        return [upload["Key"] for upload in found[self.bucket.name]]

    def objects(self):
        """Sizes of those that are not a directory's."""
        found = json.loads(self.bucket.rclone("lsjson", "-R", "--files-only", "--no-modtime", f"s:{self.bucket.name}/p"))
        return [o["Size"] for o in found]

    def sent(self):
        """Parts that data servers have sent since they were started."""
        texts = [get(self.cluster.url(name, "/metrics"))[2] for name in ("ds0", "ds1")]
        return sum(int(re.search(r"^nacre_ds_tier_uploaded_total (\d+)$", text, re.M)[1]) for text in texts)

    def settled(self):
        """Has the bucket all of it?"""
        status, out, _ = self.cluster.run("repo", "status", "--json", "--dir", self.cluster.dir)
        return status == 0 and json.loads(out)[0]["pending"] == 0

    def make(self, folder):
        """A file of SIZE in the repo's directory FOLDER; its upload has begun, with some parts; those that were sent before it."""
        before = self.sent()
        status, out = self.cluster.load("--path", f"/data/{folder}", "--op", "write", "--once", "--pnfs", "--clients", "1", "--files", "1", "--size", str(SIZE))
        ok(status == 0, "a file is written", out)
        wait_until("parts in the bucket", lambda: self.sent() >= before + BEGUN, 60, 0.1)
        return before


def add(cluster, bucket):
    cluster.ok("repo", "add", "/data", f"s3://{bucket.name}/p", "--endpoint", bucket.endpoint, "--region", bucket.region, "--credentials-file",
               bucket.keys(cluster.path), "--export", "new,changed", "--export-delay", "1", "--bytes-per-second", str(A_SECOND), "--dir", cluster.dir)


def killed(uploads, name, folder):
    before = uploads.make(folder)
    gone_on = uploads.cluster.log("mds").count("event=archive-goes-on")
    uploads.cluster.kill(name)
    equal((len(uploads.unfinished()), uploads.objects()), (1, []), "nobody sees it yet")
    uploads.cluster.ok("dev", "restart", "--dir", uploads.cluster.dir, name)
    wait_until("the object", uploads.settled, 120, 0.2)
    equal(uploads.objects(), [SIZE], f"after a kill -9 of {name} it is whole")
    equal(uploads.unfinished(), [], "and nothing is left")
    ok(uploads.cluster.log("mds").count("event=archive-goes-on") > gone_on, "it was gone on with")
    if name == "mds":
        sent = uploads.sent() - before
        note(f"{sent} parts were sent, of {PARTS}")
        ok(sent <= PARTS + ON_THE_WAY, "and what was there was not sent again")


def unwanted(uploads):
    uploads.make("third")
    uploads.cluster.ok("repo", "set", "data", "--export", "none", "--dir", uploads.cluster.dir)
    wait_until("the end of the upload", lambda: "event=upload-aborted" in uploads.cluster.log("mds"), 60)
    equal(uploads.unfinished(), [], "one that nobody wants any more is aborted")


def test_uploads():
    with Cluster(2) as cluster, Bucket() as bucket:
        path = os.path.join(cluster.dir, "mds.yaml")
        write(path, read(path) + "lease_seconds: 10\n")
        cluster.ok("dev", "restart", "--dir", cluster.dir, "mds")
        add(cluster, bucket)
        uploads = Uploads(cluster, bucket)
        killed(uploads, "mds", "first")
        bucket.rclone("purge", f"s:{bucket.name}/p")
        killed(uploads, "ds1", "second")
        unwanted(uploads)


main(test_uploads)
