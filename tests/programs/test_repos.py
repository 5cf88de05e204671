#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""nacre repo add, show, set, pause, resume, reload and remove, beside a real radosgw."""
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from programs import Cluster, read, write  # noqa: E402
from bucket import Bucket  # noqa: E402
from tap import equal, main, note, ok  # noqa: E402


class Repos:
    """What is typed, less what is always the same."""

    def __init__(self, cluster, bucket):
        self.cluster, self.bucket = cluster, bucket
        self.keys = bucket.keys(cluster.path)
        self.folder = os.path.join(cluster.dir, "repos.d")

    def run(self, *argv):
        return self.cluster.run("repo", *argv, "--dir", self.cluster.dir)

    def ok(self, *argv):
        return self.cluster.ok("repo", *argv, "--dir", self.cluster.dir)

    def add(self, path, *argv, endpoint=None, prefix="p"):
        return self.run("add", path, f"s3://{self.bucket.name}/{prefix}", "--endpoint", endpoint or self.bucket.endpoint,
                        "--region", self.bucket.region, *argv)

    def show(self, name):
        return json.loads(self.ok("show", name, "--json"))

    def refused(self, said, argv, what, status=1):
        done = self.add(*argv) if isinstance(argv, tuple) else self.run(*argv)
        ok(done[0] == status and said in done[2], what, done)
        equal(sorted(os.listdir(self.folder)), self.files, "and no file is left behind")

    @property
    def files(self):
        return [name + ".yaml" for name in sorted(r["name"] for r in json.loads(self.ok("list", "--json")))]


def add(repos):
    bad = repos.bucket.keys(repos.cluster.path, secret="wrong")
    repos.refused("the server cannot read this bucket: S3AccessDenied: ", ("/data/train", "--credentials-file", bad), "wrong keys")
    repos.keys = repos.bucket.keys(repos.cluster.path)
    done = repos.add("/data/train", "--credentials-file", repos.keys, endpoint="http://127.0.0.1:1")
    ok(done[0] == 1 and "the server cannot read this bucket: S3Unreachable" in done[2], "nobody is there", done)
    repos.refused("conflict: 'mine' is not valid; allowed: keep-both, ", ("/data/train", "--conflict", "mine"), "no such word", 2)
    repos.refused("allowed: --name with up to 64", ("/data/größe",), "no name of a file", 2)
    status, out, error = repos.add("/data/train", "--credentials-file", repos.keys, "--export", "new,changed", "--delete-grace=60")
    ok(status == 0 and "multipart uploads                   yes\n" in out and "/data/train is linked to s3://bucket/p as the repo train" in out,
       "linked, and what the endpoint can do", (status, out, error))
    equal(repos.files, ["train.yaml"], "its file")
    repos.refused("there is a repo of this name already", ("/data/train", "--credentials-file", repos.keys), "twice")
    repos.refused("or in one, or has one inside", ("/data/train/in", "--credentials-file", repos.keys), "in another")
    repos.refused("or in one, or has one inside", ("/data", "--credentials-file", repos.keys), "around another")
    settings = repos.show("train")["settings"]
    equal([settings[key] for key in ("import", "export", "delete_grace", "conflict", "paused")], ["new,changed,deleted", "new,changed", "60", "keep-both", "no"],
          "what was given and what was not")
    ok("delete_grace            60\n" in repos.ok("show", "train"), "for people")


def change(repos):
    path = os.path.join(repos.folder, "train.yaml")
    write(path, read(path) + "# mine\n")
    repos.ok("set", "train", "--conflict", "fs-wins", "--delete-grace", "7")
    settings = repos.show("train")["settings"]
    equal((settings["conflict"], settings["delete_grace"], settings["export"]), ("fs-wins", "7", "new,changed"), "changed at once")
    text = read(path)
    ok(text.endswith('# mine\nconflict: "fs-wins"\n') and text.count("delete_grace") == 1 and 'delete_grace: "7"\n' in text, "and in the file", text)
    for argv, said, status in ((("set", "train", "--url", "s3://other"), "its path and url cannot change; allowed: ", 1),
                               (("set", "train", "--import", "all"), "allowed: none, or some of new, changed, deleted", 2),
                               (("set", "none", "--import", "new"), "allowed: a repo that `nacre repo list` shows", 1),
                               (("show", "none"), "no repo has this name", 1), (("remove", "none"), "no repo has this name", 1)):
        done = repos.run(*argv)
        ok(done[0] == status and said in done[2], " ".join(argv), done)
    equal(read(path), text, "what was refused is not in the file")
    equal(repos.run("verify", "train"), (0, "0 directories, 0 names, 0 new, 0 changed, 0 deleted, 0 conflicts, 0 odd, 0 left\n", ""),
          "nobody has looked into it: nothing is to be compared")
    repos.ok("pause", "train")
    equal(repos.show("train")["settings"]["paused"], "yes", "paused")
    repos.cluster.ok("dev", "restart", "--dir", repos.cluster.dir, "mds")
    equal(repos.show("train")["settings"]["paused"], "yes", "also after a restart")
    repos.ok("resume", "train")
    equal(repos.show("train")["settings"]["paused"], "no", "resumed")
    write(path, text.replace("fs-wins", "s3-wins"))
    repos.ok("reload", "train")
    equal(repos.show("train")["settings"]["conflict"], "s3-wins", "a file changed by hand")
    write(path, text + "nonsense: 1\n")
    done = repos.run("reload", "train")
    ok(done[0] == 1 and "unknown key 'nonsense'" in done[2], "a broken one", done)
    equal(repos.show("train")["settings"]["conflict"], "s3-wins", "changes nothing")
    write(path, text)


def remove(repos):
    number = repos.show("train")["number"]
    repos.ok("remove", "train")
    equal((repos.ok("list"), os.listdir(repos.folder)), ("no repos\n", []), "gone, with its file")
    equal(repos.add("/data/train", "--credentials-file", repos.keys, "--name", "again")[0], 0, "linked again under another name")
    ok(repos.show("again")["number"] >= number, "and it has a number")
    repos.ok("remove", "again")
    equal(repos.add("/data/train", "--credentials-file", repos.keys, prefix="other")[0], 0, "an empty directory takes another bucket")
    ok(repos.show("train")["number"] > number, "as another repo")


def with_tls(repos):
    bucket, argv = repos.bucket, ("/data/safe", "--credentials-file", repos.keys)
    done = repos.add(*argv, endpoint=bucket.tls_endpoint)
    ok(done[0] == 1 and "S3Unreachable: " in done[2] and "certificate" in done[2], "a certificate of an unknown authority", done)
    done = repos.add(*argv, "--ca-file", "/nowhere", endpoint=bucket.tls_endpoint)
    ok(done[0] == 1 and "ca_file cannot be read; allowed: a PEM file" in done[2], "no such file", done)
    equal(repos.add(*argv, "--ca-file", bucket.certificate, endpoint=bucket.tls_endpoint)[0], 0, "of the one that is given")
    equal(repos.show("safe")["settings"]["ca_file"], bucket.certificate, "is kept")
    probe = ("probe", f"s3://{bucket.name}/p", "--endpoint", bucket.tls_endpoint, "--region", bucket.region, "--credentials-file", repos.keys)
    ok(repos.cluster.run("repo", *probe)[0] == 1, "the probe believes it as little")
    ok("user metadata                       yes\n" in repos.cluster.ok("repo", *probe, "--ca-file", bucket.certificate), "and as much")


def test_repos():
    with Cluster(1) as cluster, Bucket() as bucket:
        repos = Repos(cluster, bucket)
        add(repos)
        change(repos)
        remove(repos)
        if bucket.tls_endpoint:
            with_tls(repos)
        else:
            note(f"{bucket.store} is not reached over TLS here")
        before = repos.files
        ok("train.yaml" in before, "the last is there")
        repos.cluster.ok("dev", "restart", "--dir", cluster.dir, "mds")
        equal(repos.files, before, "after a restart, too")


main(test_repos)
