# SPDX-License-Identifier: Apache-2.0
"""S3 clients that are not ours: rclone and awscli; and what they and ours make of each other's objects."""
import filecmp
import json
import os
import shutil
import subprocess


def environment(endpoint, region, access_key, secret):
    """What rclone (its remote is s:) and awscli find there, and nothing of the caller's own."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "RCLONE_"))}
    return {**ours, "RCLONE_CONFIG": "/dev/null", "RCLONE_CONFIG_S_TYPE": "s3", "RCLONE_CONFIG_S_PROVIDER": "Other",
            "RCLONE_CONFIG_S_ENDPOINT": endpoint, "RCLONE_CONFIG_S_REGION": region, "RCLONE_CONFIG_S_ACCESS_KEY_ID": access_key,
            "RCLONE_CONFIG_S_SECRET_ACCESS_KEY": secret, "RCLONE_CONFIG_S_FORCE_PATH_STYLE": "true", "AWS_ACCESS_KEY_ID": access_key,
            "AWS_SECRET_ACCESS_KEY": secret, "AWS_DEFAULT_REGION": region, "NO_PROXY": "127.0.0.1", "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": ""}


class Clients:
    def __init__(self, store, bucket):
        self.bucket, self.endpoint = bucket, store.endpoint
        self.env = environment(store.endpoint, store.region, store.access_key, store.secret)

    def run(self, *argv, given=None):
        done = subprocess.run(argv, env=self.env, input=given, capture_output=True, timeout=60, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(argv)}: exit status {done.returncode}: {done.stderr.decode(errors='replace')}")
        return done.stdout

    def rclone(self, *argv, given=None):
        return self.run("rclone", "--retries", "1", *argv, given=given)

    def aws(self, *argv):
        return self.run("aws", "--endpoint-url", self.endpoint, *argv)

    def make_bucket(self):
        self.rclone("mkdir", f"s:{self.bucket}")

    def make_versioned_bucket(self, bucket):
        self.rclone("mkdir", f"s:{bucket}")
        self.aws("s3api", "put-bucket-versioning", "--bucket", bucket, "--versioning-configuration", "Status=Enabled")


SIZES = {"empty": 0, "one": 1, "a b+c": 100000, "umlaut-\u00e4": 5000, "parts": 11 * 1024 * 1024 + 7}


def make_files(folder):
    os.makedirs(folder)
    for name, size in SIZES.items():
        with open(os.path.join(folder, name), "wb") as f:
            f.write(os.urandom(size))


def same(left, right):
    """Are two folders of files equal, byte by byte?"""
    names = sorted(os.listdir(left))
    return names == sorted(os.listdir(right)) and filecmp.cmpfiles(left, right, names, shallow=False)[0] == names


def ours_read_by_others(client, exchange, folder):
    """What we wrote, rclone reads; awscli sees its metadata."""
    make_files(os.path.join(folder, "ours"))
    exchange("write", os.path.join(folder, "ours"))
    client.rclone("copy", f"s:{client.bucket}/x", os.path.join(folder, "ours-read"))
    head = json.loads(client.aws("s3api", "head-object", "--bucket", client.bucket, "--key", "x/parts"))
    return same(os.path.join(folder, "ours"), os.path.join(folder, "ours-read")) and \
        head["Metadata"] == {"file-permissions": "0100640"} and head["ContentLength"] == SIZES["parts"]


def others_read_by_us(client, exchange, folder):
    """What rclone and awscli wrote (in parts, too), we read."""
    make_files(os.path.join(folder, "theirs"))
    os.makedirs(os.path.join(folder, "theirs-read"))
    client.rclone("copy", "--s3-chunk-size", "5M", "--s3-upload-cutoff", "5M", os.path.join(folder, "theirs"), f"s:{client.bucket}/y")
    client.aws("s3", "cp", "--quiet", os.path.join(folder, "theirs", "parts"), f"s3://{client.bucket}/y/by awscli")
    shutil.copy(os.path.join(folder, "theirs", "parts"), os.path.join(folder, "theirs", "by awscli"))
    exchange("read", os.path.join(folder, "theirs-read"))
    return same(os.path.join(folder, "theirs"), os.path.join(folder, "theirs-read"))


TESTS = (ours_read_by_others, others_read_by_us)
