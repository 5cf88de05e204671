# SPDX-License-Identifier: Apache-2.0
"""What ./demo --s3 shows once everything is built: a bucket of a real S3 server is a directory of a stock Linux client."""
import argparse
import os
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from bucket import Bucket, sums_seen  # noqa: E402
from guest import HostClient  # noqa: E402
from lab import Lab, LabError  # noqa: E402
from proc import wait_until  # noqa: E402
from show import Line, amount, bold, dim, good, heading, paint  # noqa: E402

TREE = "/usr/include/linux"
LARGE = 64 << 20
WHERE = "n/train"


class Demo:
    def __init__(self, lab, bucket, folder):
        self.lab, self.bucket, self.folder, self.client, self.failed = lab, bucket, folder, lab.clients[0], []

    def check(self, condition, text):
        if not condition:
            self.failed.append(text)
        return good("✔") if condition else paint("31", "✘")

    def nacre(self, *argv):
        """A command as an administrator types it; its output."""
        print(dim(f"  $ nacre {' '.join(argv)}"), flush=True)
        said = self.lab.server.command(*argv, "--dir", self.lab.server.folder)
        for line in said.splitlines():
            print(f"    {line}", flush=True)

    def kept(self):
        return sum(used for _, used in self.lab.server.stored_bytes())

    def run(self):
        heading("A bucket, filled by rclone")
        self.fill()
        heading("It becomes a directory")
        bucket = self.bucket
        self.nacre("repo", "add", "/train", f"s3://{bucket.name}/train", "--endpoint", bucket.endpoint, "--region", bucket.region,
                   "--credentials-file", bucket.keys(self.folder), "--export", "new,changed,deleted", "--export-delay", "1", "--delete-grace", "1")
        self.client.mount()
        self.look()
        self.read()
        heading("Results go back")
        self.write()
        heading("Bytes that S3 has need not stay")
        self.release()

    def fill(self):
        line = Line(f"{TREE}, and a file of {amount(LARGE)}")
        with open(os.path.join(self.folder, "large"), "wb") as f:
            f.write(os.urandom(LARGE))
        self.bucket.rclone("copy", "--transfers", "16", "--copy-links", TREE, f"s:{self.bucket.name}/train/linux")
        self.bucket.rclone("copy", os.path.join(self.folder, "large"), f"s:{self.bucket.name}/train")
        line.done(f"{line.seconds:.1f} s")

    def look(self):
        line = Line("the client lists it")
        names = int(self.client.run(f"find {WHERE} -type f | wc -l", 120))
        line.done(f"{names:,} files in {line.seconds:.1f} s, {bold(amount(self.kept()))} of them on the data servers")
        line = Line("and reads the first byte of the large one")
        self.client.run(f"head -c 1 {WHERE}/large >out/first")
        line.done(f"{line.seconds * 1000:.0f} ms")

    def read(self):
        line = Line("all of it: MD5 of every file")
        there, here = self.bucket.sums("train"), sums_seen(self.client, WHERE)
        line.done(f"{self.check(there == here, 'what is read is not what rclone put')} {len(here):,} files as rclone reads them  {line.seconds:.1f} s")

    def write(self):
        line = Line("the client makes 200 results")
        self.client.run(f"mkdir {WHERE}/results && cd {WHERE}/results && for i in $(seq 200); do echo $i >r$i; done && rm ../linux/a*.h && mv ../linux/in.h in.h")
        line.done(f"{line.seconds:.1f} s")
        line = Line("until the bucket has them")
        wait_until("all is sent", lambda: self.bucket.pending() == 0, 120, 0.1)
        took = line.seconds
        same = self.bucket.sums("train") == sums_seen(self.client, WHERE)
        line.done(f"{self.check(same, 'the bucket is not the directory')} {took:.1f} s after the last close, and rclone reads what the client sees")
        self.nacre("repo", "status")

    def release(self):
        before = self.kept()
        self.nacre("release", "/train", "--recursive")
        print(f"    {amount(before)} → {bold(amount(self.kept()))} on the data servers")
        line = Line("the client reads it again")
        same = self.bucket.sums("train") == sums_seen(self.client, WHERE)
        line.done(f"{self.check(same, 'what was released came back as something else')} every byte is the same  {line.seconds:.1f} s")


def main():
    argparse.ArgumentParser(prog="./demo --s3", description=__doc__).parse_args()
    start = time.monotonic()
    heading("Nacre: a bucket is a directory")
    try:
        line = Line("servers, a client and an S3 server (radosgw) start")
        kernel = "host" if HostClient.possible() else "6.1"
        with Lab(data_servers=2, clients=1, kernel=kernel) as lab, Bucket(lab) as bucket, tempfile.TemporaryDirectory() as folder:
            line.done(f"{line.seconds:.1f} s")
            demo = Demo(lab, bucket, folder)
            demo.run()
    except LabError as error:
        print(f"\n{paint('31', 'It did not work:')} {error}", file=sys.stderr)
        return 1
    for text in demo.failed:
        print(paint("31", f"✘ {text}"))
    if not demo.failed:
        print(good(f"\n✔ the directory and the bucket are the same, {time.monotonic() - start:.0f} s in all"))
    return 1 if demo.failed else 0


sys.exit(main())
