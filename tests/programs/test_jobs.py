#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""nacre prefetch, restore, release, pin, archive and nacre job, on a bucket that nobody has looked into, beside a real radosgw."""
import csv
import io
import json
import os
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from programs import Cluster, write  # noqa: E402
from bucket import Bucket  # noqa: E402
from tap import equal, main, ok  # noqa: E402

SIZES = {"a/one.nc": 3_000_000, "a/b/two.nc": 1000, "three, or 3": 70_000}


class Jobs:
    """What is typed, less what is always the same."""

    def __init__(self, cluster):
        self.cluster = cluster

    def run(self, *argv):
        return self.cluster.run(*argv, "--dir", self.cluster.dir)

    def ok(self, *argv):
        return self.cluster.ok(*argv, "--dir", self.cluster.dir)

    def show(self, number):
        return json.loads(self.ok("job", "show", str(number), "--json"))

    def ended(self, number):
        for _ in range(200):
            job = self.show(number)
            if job["state"] == "ended":
                return job
            time.sleep(0.1)
        return job

    def report(self, number):
        return list(csv.reader(io.StringIO(self.ok("job", "report", str(number)))))


def fill(bucket):
    with tempfile.TemporaryDirectory() as folder:
        for name, size in SIZES.items():
            os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
            write(os.path.join(folder, name), os.urandom(size))
        bucket.rclone("copy", folder, f"s:{bucket.name}/p")


def wrong(jobs):
    for argv, said, status in ((("restore", "/data/train"), "this is a directory; allowed: a file, or with --recursive", 1),
                               (("restore", "/data/train/nothing"), "no such file; allowed: a path from the root", 1),
                               (("restore", "/data", "--recursive"), "this is in no repo; allowed: a path in a directory that", 1),
                               (("restore", "data/train"), "'data/train' is not absolute", 2),
                               (("job", "show", "9"), "no job has this number", 1), (("job", "retry", "9", "--failed"), "no job has this number", 1),
                               (("job", "report", "9"), "no job has this number", 1)):
        done = jobs.run(*argv)
        ok(done[0] == status and said in done[2], " ".join(argv), done)
    equal(jobs.ok("job", "list"), "no jobs\n", "none of them has begun")


def here_and_away(jobs):
    equal(jobs.run("restore", "/data/train/a/b/two.nc"), (0, "restore /data/train/a/b/two.nc: 1 files (1000 B), 0 unchanged, 0 failed\n", ""),
          "one file, whose directories are listed on the way")
    equal(jobs.ok("prefetch", "/data/train", "--recursive"), "job 2; nacre job show 2 tells how far it is\n", "nobody waits for a prefetch")
    job = jobs.ended(2)
    equal([job[key] for key in ("done", "done_bytes", "same", "failed")], [2, 3_070_000, 1, 0], "all of it is here")
    equal(jobs.run("release", "/data/train", "--recursive", "--dry-run", "--min-size", "64K")[1],
          "release /data/train: would be 2 files (2.9 MiB), 0 unchanged, 0 failed\n", "a dry run")
    jobs.ok("pin", "/data/train", "--recursive", "--match", "three*")
    status, out, error = jobs.run("release", "/data/train", "--recursive")
    equal((status, out), (1, "release /data/train: 2 files (2.9 MiB), 0 unchanged, 1 failed; nacre job report 5 names them\n"), f"but what is pinned {error}")
    equal(jobs.report(5), [["FilePath", "FileStatus", "ErrorCode"], ["/data/train/three, or 3", "failed", "Pinned"]], "the report, as FSx writes it")
    equal(json.loads(jobs.ok("job", "report", "5", "--json")), {"FilePath": "/data/train/three, or 3", "FileStatus": "failed", "ErrorCode": "Pinned"},
          "and as JSON lines")
    jobs.ok("unpin", "/data/train", "--recursive")
    jobs.cluster.ok("dev", "restart", "--dir", jobs.cluster.dir, "mds")
    equal(jobs.ok("job", "retry", "5", "--failed"), "job 5 tries again what has failed\n", "after a restart of the server")
    job = jobs.ended(5)
    equal([job[key] for key in ("done", "same", "failed")], [3, 0, 0], "the rest is released")
    done = jobs.run("job", "cancel", "5")
    ok(done[0] == 1 and "it has ended already" in done[2], "nothing to cancel", done)
    status, out, error = jobs.run("archive", "/data/train", "--recursive", "--json")
    equal((status, json.loads(out)["same"]), (0, 3), f"S3 has all of it {error}")
    lines = jobs.ok("job", "list").splitlines()
    equal((lines[0].split()[:3], lines[5].split()[:3]), (["NUMBER", "VERB", "STATE"], ["5", "release", "ended"]), "the list")
    equal(jobs.ok("job", "show", "5"), "release /data/train: 3 files (2.9 MiB), 0 unchanged, 0 failed\nstate: ended\n", "one for people")


def test_jobs():
    with Cluster(1) as cluster, Bucket() as bucket:
        jobs = Jobs(cluster)
        fill(bucket)
        jobs.ok("repo", "add", "/data/train", f"s3://{bucket.name}/p", "--endpoint", bucket.endpoint, "--region", bucket.region,
                "--credentials-file", bucket.keys(cluster.path), "--export", "new,changed")
        wrong(jobs)
        here_and_away(jobs)


main(test_jobs)
