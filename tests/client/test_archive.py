#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""What clients make in a repo's directory is in the bucket seconds after its close, whole, and what they change, rename and remove follows."""
import hashlib
import json
import os
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

from bucket import FILES_ONLY, Bucket  # noqa: E402
from checks import equal, note, ok  # noqa: E402
from lab import Lab  # noqa: E402
from tap import main  # noqa: E402

MIB = 1 << 20
WHERE = "n/data/out"


def objects(bucket):
    """Key -> MD5 of its bytes, as rclone reads them."""
    with tempfile.TemporaryDirectory() as folder:
        bucket.rclone("copy", *FILES_ONLY, f"s:{bucket.name}/p", folder)
        found = {}
        for path, _, names in os.walk(folder):
            for name in names:
                with open(os.path.join(path, name), "rb") as f:
                    found[os.path.relpath(os.path.join(path, name), folder)] = hashlib.md5(f.read()).hexdigest()
        return found


def keys(bucket):
    return sorted(bucket.rclone("lsf", "-R", "--files-only", *FILES_ONLY, f"s:{bucket.name}/p").splitlines())


def files(client):
    """The same of the files that the client sees."""
    lines = client.run(f"cd {WHERE} && find . -type f -printf '%P\\0' | xargs -0 -r md5sum", 120).splitlines()
    return {line[34:]: line[:32] for line in lines}


def wait_until(what, seconds=30):
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True


def make(client):
    client.run(f"""cd {WHERE} && mkdir -p a/b && head -c 1000 /dev/urandom > a/small && head -c {3 * MIB} /dev/urandom > a/b/three
                   head -c {20 * MIB + 5} /dev/urandom > big && : > empty && ln -s a/small link && chmod 600 a/small""", 60)


def change(client):
    client.run(f"""cd {WHERE} && echo more >> a/small && printf middle | dd of=big bs=1 seek={5 * MIB} conv=notrunc 2>/dev/null
                   mv a c && rm empty && mv c/b/three three""", 60)


def administered(lab, bucket, client):
    """What `nacre archive`, `release` and `restore` do to files of a client."""
    def verb(name, *argv):
        return lab.server.command(name, "/data/out", "--recursive", *argv, "--dir", lab.server.folder)

    lab.server.command("repo", "set", "data", "--export-delay", "600", "--dir", lab.server.folder)
    client.run(f"cd {WHERE} && head -c {5 * MIB} /dev/urandom > late")
    before = files(client)
    time.sleep(1.5)
    ok("late" not in keys(bucket), "it waits for its delay")
    ok(" 1 files (5.0 MiB), " in verb("archive"), "unless the administrator says so")
    equal(objects(bucket).get("late"), before["late"], "then it is in the bucket")
    verb("release")
    ok(sum(used for _, used in lab.server.stored_bytes()) < MIB, "all of it leaves the data servers")
    ok(f": {len(before)} files (" in verb("restore"), "and comes back")
    client.drop_caches()
    equal(files(client), before, "with the same bytes")


def second_names(lab, bucket, client):
    """Each name of a file is an object with its bytes; none is in two places where one is a repo's."""
    said = client.run(f"cd {WHERE}; printf two >../two; ln ../two ../names; ln ../two here 2>&1 || true; ln big ../outside 2>&1 || true; mv ../names moved; stat -c %h moved ../two")
    ok(said.count("Invalid cross-device link") == 2, "no file has names inside and outside", said)
    equal(said.split()[-2:], ["1", "1"], "what has two and is moved there is copied")
    client.run(f"cd {WHERE} && mkdir names && printf one >names/f && ln names/f names/g && ln names/f h && stat -c %h h")
    wanted = ["h", "names/f", "names/g"]
    ours = lambda: [key for key in keys(bucket) if key.startswith("names/") or key == "h"]
    bytes_of = lambda: {objects(bucket).get(key) for key in ours()}
    ok(wait_until(lambda: ours() == wanted and len(bytes_of()) == 1), "each name is an object with the same bytes")
    lab.server.command("release", "/data/out/names/f", "--dir", lab.server.folder)
    client.drop_caches()
    equal(client.run(f"cat {WHERE}/names/f {WHERE}/h"), "oneone", "released, it is read by any of them")
    client.run(f"cd {WHERE} && rm names/f && echo more >>h && mv names/g names/e")
    crash(lab, client)
    ok(wait_until(lambda: ours() == ["h", "names/e"] and bytes_of() == {hashlib.md5(b"onemore\n").hexdigest()}, 60),
       "what is written to one is in all objects, one that was removed goes, one that was renamed moves, beyond a kill -9")
    equal(client.run(f"cd {WHERE} && stat -c %h h && cat names/e").split(), ["2", "onemore"], "the file is the same under both")
    lab.server.command("repo", "sweep", "data", "--dir", lab.server.folder)
    equal(client.run(f"cd {WHERE} && ls names && stat -c %h h").split(), ["e", "2"], "a sweep changes nothing")


def crash(lab, client):
    """kill -9 of the metadata server; the client notices at once, so that the grace period ends."""
    lab.server.kill("mds")
    lab.server.restart("mds")
    client.run("touch n/noticed && rm n/noticed")


def test_results():
    with Lab(data_servers=2, clients=1) as lab, Bucket(lab) as bucket:
        client = lab.clients[0]
        bucket.link("/data/out", "p", export="new,changed,deleted", export_delay=1, delete_grace=2)
        client.mount()
        make(client)
        began = time.monotonic()
        ok(wait_until(lambda: keys(bucket) == ["a/b/three", "a/small", "big", "empty", "link"]), "all of it is in the bucket")
        note(f"{time.monotonic() - began:.1f} s after the last close")
        there = objects(bucket)
        equal(there.pop("link"), hashlib.md5(b"a/small").hexdigest(), "a symlink's object holds its target")
        equal(there, files(client), "the bytes are those that the client sees")
        says = bucket.aws("s3api", "head-object", "--bucket", bucket.name, "--key", "p/a/small", "--query", "Metadata.\"file-permissions\"")
        equal(says.strip(), '"0100600"', "the mode is told in FSx's way")
        change(client)
        crash(lab, client)
        ok(wait_until(lambda: keys(bucket) == ["big", "c/small", "link", "three"], 60), "what was changed, renamed and removed follows, beyond a kill -9 of the metadata server")
        ok(wait_until(lambda: {k: v for k, v in objects(bucket).items() if k != "link"} == files(client)), "its bytes too")
        administered(lab, bucket, client)
        lab.server.command("repo", "set", "data", "--export-delay", "1", "--dir", lab.server.folder)
        second_names(lab, bucket, client)


def counted(lab):
    """Bytes that data servers have sent, and that S3 has copied."""
    sent = sum(sum(lab.server.metrics(f"ds{i}")["nacre_ds_tier_uploaded_bytes_total"].values()) for i in range(2))
    return int(sent), int(lab.server.metrics("mds")["nacre_archive_copied_bytes_total"][""])


def log_grows(lab, bucket, client, size, command, wanted, what):
    """COMMAND makes a file of SIZE bytes of "log"; WANTED bytes of it are sent."""
    before = counted(lab)
    client.run(f"cd {WHERE} && {command}", 120)
    ok(wait_until(lambda: f"{size} log" in bucket.rclone("ls", f"s:{bucket.name}/p") and settled(lab), 60), f"{what}: it is in the bucket")
    equal(tuple(now - then for now, then in zip(counted(lab), before)), (wanted, size - wanted), f"{what}: bytes that are sent, and copied inside S3")
    equal(bucket.sums("p")["log"], files(client)["log"], f"{what}: rclone reads what the client does")


def test_append():
    """Of a large file that is changed, only the parts that are others now are sent."""
    with Lab(data_servers=2, clients=1) as lab, Bucket(lab) as bucket:
        client = lab.clients[0]
        bucket.link("/data/out", "p", export="new,changed,deleted", export_delay=1, delete_grace=2)
        client.mount()
        grows = lambda *argv: log_grows(lab, bucket, client, *argv)
        size = 64 * MIB + 1
        grows(size, f"head -c {size} /dev/urandom > log", size, "it is made")
        grows(size + MIB, f"head -c {MIB} /dev/urandom >> log", MIB + 1, "1 MiB is appended")
        lab.server.kill("mds")
        lab.server.restart("mds")
        grows(size + MIB, f"printf middle | dd of=log bs=1 seek={20 * MIB} conv=notrunc 2>/dev/null", 16 * MIB, "a few bytes in the middle, after a kill -9 of the metadata server")
        grows(size + MIB, "dd if=log of=/tmp/log bs=1M 2>/dev/null; dd if=/tmp/log of=log bs=1M conv=notrunc 2>/dev/null; rm /tmp/log", 0, "the same bytes")


def adorn(client):
    """A tree with all that metadata can say, and names of one file. Directories last: what is made in them moves their times."""
    client.run(f"""cd {WHERE} && mkdir -p tree/private/deep tree/shared 'tree/with blank' && cd tree
                   printf one > private/one && printf two > private/deep/two && : > shared/empty && printf x > 'with blank/größe'
                   head -c {3 * MIB} /dev/urandom > shared/large && printf run > shared/run
                   ln -s ../private/one shared/link && ln -s 'no where' private/dangling
                   chown 1001:1002 private/one private && chown -h 1003:1004 shared/link && chown 4294967293:7 shared/run
                   chmod 600 private/one; chmod 6755 shared/run; chmod 0 shared/empty; chmod 444 shared/large
                   setfattr -n user.colour -v blue private/one; setfattr -n user.bytes -v 0x00ff22 shared/large; setfattr -n user.none private/one
                   touch -d '2001-02-03 04:05:06.123456789 UTC' private/one shared/run; touch -d '1960-01-01 UTC' shared/large
                   touch -h -d '2010-10-10 10:10:10 UTC' shared/link
                   ln private/one shared/also; ln shared/large private/deep/large
                   setfattr -n user.of -v directory shared; chmod 1777 shared; chmod 2750 private; chmod 711 private/deep
                   touch -d '1999-12-31 23:59:59.5 UTC' private/deep private shared 'with blank' .""", 60)


def adornments(client, where):
    """Lines of find and getfattr."""
    seen = client.run(f"cd {where}/tree && find . -printf '%P %y %m %U:%G %T@ %l\\n' | sort; find . ! -type d -printf '%P %s\\n' | sort", 120)
    return seen + client.run(f"cd {where}/tree && find . ! -type l -print0 | sort -z | xargs -0 getfattr -d -e hex; find . -type f -print0 | sort -z | xargs -0 md5sum", 120)


# Files with several names: each with how many, and those of one file beside each other.
LINKS = "cd {}/tree && find . -type f -links +1 -printf '%i %n %P\\n' | sort | awk '{{ printf($1 == last ? \" %s\" : \"\\n%s %s\", $1 == last ? $3 : $2, $3); last = $1 }}' | sort"


def settled(lab, name="data"):
    """Has the bucket all of it?"""
    repos = json.loads(lab.server.command("repo", "status", "--json", "--dir", lab.server.folder))
    return [r["pending"] for r in repos if r["name"] == name] == [0]


def metadata_of(bucket, key):
    return json.loads(bucket.aws("s3api", "head-object", "--bucket", bucket.name, "--key", key))


def others(lab, bucket, client):
    """What s3fs and others have said of an object is what the file is, and is still said after a change here."""
    bucket.aws("s3api", "put-object", "--bucket", bucket.name, "--key", "p/theirs", "--content-type", "text/csv", "--cache-control", "no-cache",
               "--metadata", "mode=33184,uid=1005,gid=1006,mtime=1600000000,project=apollo,xattr=%7B%22user.a%22%3A%22Yg%3D%3D%22%7D")
    lab.server.command("repo", "sweep", "again", "--dir", lab.server.folder)
    equal(client.run("cd n/data/again && stat -c '%a %u %g %Y' theirs && getfattr --only-values -n user.a theirs").split(),
          ["640", "1005", "1006", "1600000000", "b"], "what s3fs writes")
    client.run("cd n/data/again && chown 1007 theirs && cat theirs")
    ok(wait_until(lambda: metadata_of(bucket, "p/theirs")["Metadata"].get("file-owner") == "1007"), "a new owner is told")
    said = metadata_of(bucket, "p/theirs")
    equal([said["Metadata"].get(name) for name in ("uid", "mode", "project")] + [said["ContentType"], said["CacheControl"]],
          ["1007", "33184", "apollo", "text/csv", "no-cache"], "in their words too, and nothing of theirs is lost")


def metric(lab, name, word=""):
    """Of all its labels with WORD."""
    return int(sum(value for labels, value in lab.server.metrics("mds").get(name, {}).items() if word in labels))


def heads(lab):
    return metric(lab, "nacre_s3_requests_total", 'kind="head"')


def manifests(bucket):
    return bucket.rclone("lsf", "-R", "--files-only", f"s:{bucket.name}/p/.nacre").splitlines()


def test_metadata():
    with Lab(data_servers=2, clients=2) as lab, Bucket(lab) as bucket:
        one, two = lab.clients
        options = {"export": "new,changed,deleted", "export_delay": 2, "delete_grace": 2}  # manifests 24 s later, of all
        bucket.link("/data/out", "p", **options)
        one.mount()
        two.mount()
        adorn(one)
        one.run("chmod 1775 n/data/out && chown 1001:1002 n/data/out")
        before = adornments(one, WHERE)
        ok(wait_until(lambda: settled(lab)), "all of it is in the bucket")
        ok(wait_until(lambda: len(manifests(bucket)) == 6, 120), "and a manifest of each directory")
        lab.server.command("repo", "remove", "data", "--force", "--dir", lab.server.folder)
        bucket.link("/data/again", "p", name="again", **options)
        asked = heads(lab)  # those of the probe are among them
        equal(adornments(two, "n/data/again").splitlines(), before.splitlines(), "owners, modes, times, symlinks, extended attributes and bytes come back")
        equal(heads(lab), asked + 1, "with a single HEAD, of the linked directory's own object")
        equal(metric(lab, "nacre_tier_described_by_manifest_total"), 15, "the manifests tell of all")
        two.drop_caches()
        equal(two.run("stat -c '%a %u %g' n/data/again").split(), ["1775", "1001", "1002"], "which is as it was, too")
        equal(two.run(LINKS.format("n/data/again")), one.run(LINKS.format(WHERE)), "names of one file are names of one file again")
        ok(settled(lab, "again"), "and nothing of it is sent anew")
        others(lab, bucket, two)


main(test_results, test_append, test_metadata)
