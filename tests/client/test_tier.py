#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""A bucket of a real S3 server is a directory: what an independent tool put there is seen under its names."""
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

from bucket import Bucket  # noqa: E402
from checks import equal, note, ok  # noqa: E402
from lab import Lab  # noqa: E402
from tap import main  # noqa: E402

MANY = 2500  # more than two pages of a listing


def fill(bucket, folder):
    """A tree as a person has it, put there by rclone."""
    for name in ("a", "a/deep/er", "many", "empty-not-kept"):
        os.makedirs(os.path.join(folder, name))
    for path, size in (("README", 3), ("a/one.txt", 1000), ("a/deep/er/x", 200_000), ("a/zero", 0), ("with blank.txt", 5), ("größe", 7)):
        with open(os.path.join(folder, path), "wb") as f:
            f.write(os.urandom(size))
    for i in range(MANY):
        with open(os.path.join(folder, "many", f"n{i:04}"), "wb") as f:
            f.write(b"x" * (i % 10))
    bucket.rclone("copy", "--transfers", "16", folder, f"s:{bucket.name}/p")


def test_names():
    with Lab(data_servers=2, clients=2) as lab, Bucket(lab) as bucket, tempfile.TemporaryDirectory() as folder:
        one, two = lab.clients
        fill(bucket, folder)
        for key in ("p/odd//x", "p/odd/..", "p/odd/both", "p/odd/both/inside"):
            bucket.aws("s3api", "put-object", "--bucket", bucket.name, "--key", key)
        bucket.link("/data/train", "p", uid=1000, file_mode="0640")
        one.mount()
        two.mount()
        wanted = sorted(line for line in bucket.rclone("lsf", "-R", "--files-only", "--format", "ps", "--separator", " ", f"s:{bucket.name}/p").splitlines()
                        if not line.startswith("odd"))
        seen = one.run("cd n/data/train && find . -path ./odd -prune -o -type f -printf '%P %s\\n'", 120).splitlines()
        equal(sorted(seen), wanted, f"{len(wanted)} names with their sizes, as rclone sees them")
        equal(two.run("ls n/data/train/many | wc -l").strip(), str(MANY), "the other client sees them, too")
        equal(two.run("stat -c '%a %u %h' n/data/train/a/one.txt").split(), ["640", "1000", "1"], "mode and owner are the repo's defaults")
        listed = bucket.rclone("lsf", "--format", "t", f"s:{bucket.name}/p/README").strip()
        note(f"README in the bucket is of {listed}")
        ok(abs(int(two.run("stat -c %Y n/data/train/README")) - int(two.run("date +%s"))) < 600, "times are the objects'")
        odd = set(one.run("find n/data/train/odd -printf '%P\\n'").split())
        equal(sorted(odd - {"both", "both/inside", "%s3%=both", "%s3%=both/inside"}), ["%s3%", "%s3%%2e%2e", "%s3%/x"], "keys that are no names appear escaped")
        ok(odd > {"both", "%s3%=both"}, "a file and a directory of one name are both there")
        equal(two.status("ls n/data/train/none"), 2, "what is not there is not there")
        ok(int(two.run("stat -c %b n/data/train/a/deep/er/x")) > 0, "what is in S3 only is no hole")
        lab.server.restart("mds")
        equal(one.run("ls n/data/train/many | wc -l").strip(), str(MANY), "after a restart the names are still there")
        leave(lab, bucket, two)
        one.umount()
        one.mount(options="actimeo=0")
        sweeps(lab, bucket, one)


def put(bucket, **texts):
    """An object for each: its key, with _ for /, and what is in it."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in texts.items():
            path = os.path.join(folder, name.replace("_", "/"))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="ascii") as f:
                f.write(text)
        bucket.rclone("copy", "--transfers", "16", folder, f"s:{bucket.name}/q")


def sweep(lab, verb="sweep", status=0):
    """(the lines about keys, the counts)."""
    lines = lab.server.command("repo", verb, "swept", "--dir", lab.server.folder, check=status == 0).splitlines()
    counts = {words.split()[1]: int(words.split()[0]) for words in lines[-1].split(", ")}
    return sorted(lines[:-1]), counts


def sweeps(lab, bucket, client):
    """What changes in the bucket is here after a sweep, and what changed here as well is not lost."""
    put(bucket, same="1", changes="one\n", goes="1", both="one\n", d_goes="1", d_stays="1", unseen_x="1")
    bucket.link("/data/swept", "q", name="swept", sweep_interval=0)
    client.run("cd n/data/swept && cat same changes both && ls d && echo mine >> both && sync")
    equal(sweep(lab, "verify")[0], [], "nothing differs")
    put(bucket, changes="two\n", both="two\n", new="new\n", d_new="new\n")
    bucket.aws("s3api", "put-object", "--bucket", bucket.name, "--key", "q/a//b")
    bucket.rclone("delete", f"s:{bucket.name}/q", "--include", "goes")
    wanted = ["changed changes", "conflict both", "deleted d/goes", "deleted goes", "new a/", "new d/new", "new new"]
    equal(sweep(lab, "verify", 1)[0], wanted, "verify tells")
    equal(client.run("ls n/data/swept").split(), ["both", "changes", "d", "goes", "same", "unseen"], "and changes nothing")
    lines, counts = sweep(lab)
    equal(lines, wanted, "sweep tells the same")
    equal((counts["deleted"], counts["conflicts"], counts["directories"]), (2, 1, 2), "and counts")
    names = client.run("ls n/data/swept").split()
    equal([name.split("-conflict-")[0] for name in names], ["a", "both", "both.s3", "changes", "d", "new", "same", "unseen"], "names")
    equal(client.run("cd n/data/swept && cat changes new d/new both both.s3*"), "two\nnew\nnew\none\nmine\ntwo\n", "and bytes")
    equal(client.run("ls n/data/swept/d").split(), ["new", "stays"], "in directories, too")
    equal(sweep(lab, "verify", 1)[0], ["conflict both"], "then nothing differs but what is to be settled")
    client.run("ls -R n/data/swept/a")
    ok("odd a//" in sweep(lab, "verify", 1)[0], "keys that are no names are told of")
    brake(lab, bucket, client)


def brake(lab, bucket, client):
    """A bucket that is emptied by mistake does not empty the directory."""
    put(bucket, **{f"many_{i:02}": "x" for i in range(30)})
    sweep(lab)
    client.run("ls n/data/swept/many")
    bucket.rclone("delete", f"s:{bucket.name}/q/many", "--include", "[12]*")
    done = lab.server.command("repo", "sweep", "swept", "--dir", lab.server.folder, check=False)
    ok("names are gone from the bucket, more than delete_brake=10 percent: none was removed here" in done, "the brake", done)
    equal(client.run("ls n/data/swept/many | wc -l").strip(), "30", "all are here")
    lab.server.command("repo", "set", "swept", "--delete-brake", "100", "--dir", lab.server.folder)
    sweep(lab)
    equal(client.run("ls n/data/swept/many | wc -l").strip(), "10", "but when it is meant")


def leave(lab, bucket, client):
    """Who removes the repo is told what would be out of reach, and has it back when the bucket is linked again."""
    done = lab.server.command("repo", "remove", "data", "--dir", lab.server.folder, check=False)
    ok("are in the bucket only; read them" in done, "nothing is put out of reach by mistake", done)
    lab.server.command("repo", "remove", "data", "--force", "--dir", lab.server.folder)
    bucket.link("/data/train", "p", name="again")
    client.run("until cat n/data/train/a/one.txt >out/one; do sleep 0.2; done", 60)  # data servers ask for a repo that was not there after a while
    equal(client.run("cat n/data/train/a/one.txt | md5sum").split()[0],
          bucket.rclone("md5sum", f"s:{bucket.name}/p/a/one.txt").split()[0], "linked again, it is all there")


main(test_names)
