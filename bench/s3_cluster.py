# SPDX-License-Identifier: Apache-2.0
"""What bench/s3 measures through a cluster of its own: a metadata server and a data server on loopback, stores in memory, repos in the same
store. The client is nfsload: no kernel is between."""
import csv
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests", "client", "lib"))
import stats  # noqa: E402

MIB = 1 << 20
BULK, BULK_MIB = 4, 64
FIRST = 100  # files of which the first 4 KiB are read
CACHE_INODES, CACHE_MIB = 20000, 64
DELAY = 1  # seconds between close and export


def port():
    return 20000 + os.getpid() % 2000 * 4


class Cluster:
    def __init__(self, binaries, store, bucket, disk="/dev/shm"):
        self.binaries, self.store, self.bucket, self.disk = binaries, store, bucket, disk
        self.mds = f"127.0.0.1:{port()}"

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="nacre-bench-", dir=self.disk)
        try:
            self.nacre("dev", "up", "--mds", self.mds, "--ds", f"127.0.0.1:{port() + 2}")
            self.keys = os.path.join(self.folder, "s3.ini")
            with open(os.open(self.keys, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as f:
                f.write(f"[default]\naws_access_key_id = {self.store.access_key}\naws_secret_access_key = {self.store.secret}\n")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        subprocess.run([os.path.join(self.binaries, "nacre"), "dev", "down", "--dir", self.folder], stdout=subprocess.DEVNULL, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def nacre(self, *argv, timeout=120):
        done = subprocess.run([os.path.join(self.binaries, "nacre"), *argv, "--dir", self.folder], capture_output=True, text=True, timeout=timeout, check=False)
        if done.returncode:
            raise SystemExit(f"nacre {' '.join(argv)}: {done.stdout}{done.stderr}")
        return done.stdout

    def link(self, name, *settings, prefix=None):
        self.nacre("repo", "add", f"/{name}", f"s3://{self.bucket}/{prefix or name}", "--endpoint", self.store.endpoint, "--region", self.store.region,
                   "--credentials-file", self.keys, *settings)

    def load(self, op, path, *options):
        """nfsload's line of results: a dict of numbers."""
        argv = [os.path.join(self.binaries, "nfsload"), "--server", self.mds, "--op", op, "--path", path, "--csv", "--pnfs", *map(str, options)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(argv)}: {done.stdout}{done.stderr}")
        return {key: float(value) for key, value in next(csv.DictReader(done.stdout.splitlines())).items() if key != "op"}

    def metrics(self, name="mds"):
        return stats.scrape_unix(os.path.join(self.folder, "run", f"{name}.sock"))

    def pid(self, name):
        with open(os.path.join(self.folder, "run", f"{name}.pid"), encoding="ascii") as f:
            return int(f.read())

    def cpu(self):
        """Processor seconds so far: of Nacre's daemons, and of the store's."""
        return stats.cpu_seconds([self.pid("mds"), self.pid("ds0")]), stats.cpu_seconds([process.pid for process in self.store.processes])

    def sent(self):
        return int(self.metrics()["nacre_archive_sent_total"][""])

    def unsent(self, name):
        return sum(status["pending"] for status in json.loads(self.nacre("repo", "status", "--json")) if status["name"] == name)


def show(what, value, unit, note=""):
    print(f"{what:46} {value:10.1f} {unit:10} {note}", flush=True)


def rclone(client, *argv):
    subprocess.run(["rclone", "--retries", "1", "--transfers", "16", *argv], env=client.env, check=True, timeout=300)


def fill(client, bucket, folder, small, names):
    """Objects under the names that nfsload gives its files."""
    content = os.urandom(BULK_MIB * MIB)
    for prefix, count, size in (("bulk", BULK, BULK_MIB * MIB), ("first", FIRST, 4 * MIB), ("small", small, 4096)):
        data = os.path.join(folder, prefix, "data")
        os.makedirs(data)
        for i in range(count):
            with open(os.path.join(data, f"b{i:04}"), "wb") as f:
                f.write(content[i:] + content[:i] if size > 4 * MIB else content[i:i + size])
    os.makedirs(os.path.join(folder, "names", "d00"))
    for i in range(names):
        with open(os.path.join(folder, "names", "d00", f"f{i:07}"), "wb"):
            pass
    rclone(client, "copy", folder, f"s:{bucket}")


def first_byte(cluster, plain_ms):
    cluster.link("first")
    found = cluster.load("read", "/first", "--first", "--files", FIRST, "--size", 4 * MIB, "--block", 4096, "--clients", 1, "--slots", 1)
    cold = 1000 / found["ops_per_second"]
    warm = cluster.load("read", "/first", "--first", "--files", FIRST, "--size", 4 * MIB, "--block", 4096, "--clients", 1, "--slots", 1)
    show("first 4 KiB of a cold file of 4 MiB", cold, "ms", f"p99 {found['p99_us'] / 1000:.1f} ms; here already: {1000 / warm['ops_per_second']:.2f} ms")
    show("  a plain ranged GET of 4 KiB", plain_ms, "ms", f"{cold - plain_ms:+.1f} ms; wanted: at most +10 ms")


def small_files(cluster, count):
    cluster.link("small")
    found = cluster.load("read", "/small", "--once", "--files", count, "--size", 4096, "--block", 4096, "--clients", 4, "--slots", 16)
    show("small files hydrated (4 KiB, 64 at once)", found["ops_per_second"], "/s", f"p50 {found['p50_us'] / 1000:.1f} ms, p99 {found['p99_us'] / 1000:.1f} ms; wanted: 1,000 /s")


def names_imported(cluster, names):
    """How much longer the first look into a directory takes than the second."""
    cluster.link("names")
    took = []
    for _ in range(2):
        began = time.monotonic()
        cluster.load("stat", "/names", "--files", names, "--directories", 1, "--clients", 1, "--slots", 1, "--seconds", 1)
        took.append(time.monotonic() - began)
    cluster.nacre("repo", "pause", "names")  # else HEADs ask who owns them, beside what is measured next
    show("names imported", names / (took[0] - took[1]), "keys/s", f"{names} keys; wanted: 20,000 keys/s")


def percentile(histogram, percent):
    """The end of the bucket that has it; buckets are powers of two of microseconds."""
    ends = sorted((float(re.search(r'le="([^"]+)"', labels)[1]), count) for labels, count in histogram.items())
    return next(end for end, count in ends if count >= ends[-1][1] * percent / 100)


def exported(cluster, count, puts):
    cluster.link("out", "--export", "new,changed,deleted", "--export-delay", str(DELAY))
    cluster.load("write", "/out", "--once", "--files", 20, "--size", 4096, "--block", 4096, "--clients", 1, "--slots", 4)
    while cluster.unsent("out"):
        time.sleep(0.02)
    seen = cluster.metrics()
    lag = seen["nacre_archive_lag_seconds_bucket"]
    mean = float(seen["nacre_archive_lag_seconds_sum"][""]) / float(seen["nacre_archive_lag_seconds_count"][""])
    show("export lag, 20 files of 4 KiB, mean", mean, "s", f"p50 at most {percentile(lag, 50):.2f} s, p99 at most {percentile(lag, 99):.2f} s; delay {DELAY} s; wanted: p50 < delay + 1 s")
    cluster.link("many", "--export", "new,changed,deleted", "--export-delay", "5")
    cluster.load("write", "/many", "--once", "--files", count, "--size", 4096, "--block", 4096, "--clients", 4, "--slots", 16)
    before, at, cpu = cluster.sent(), {}, cluster.cpu()
    while (sent := cluster.sent() - before) < count:
        at.setdefault(sent, time.monotonic())
        time.sleep(0.01)
    some = [(sent, when) for sent, when in at.items() if count / 10 < sent < count * 9 / 10]
    show("files exported (4 KiB)", (some[-1][0] - some[0][0]) / (some[-1][1] - some[0][1]), "/s", f"all written before; the engine alone puts {puts:.0f} empty objects a second, 16 at once; wanted: 1,000 /s")
    ours, theirs = ((after - before) / count * 1e6 for before, after in zip(cpu, cluster.cpu()))
    show("  CPU of Nacre for each", ours, "us", f"of the store: {theirs:.0f} us")


def bulk(cluster, client, bucket, folder):
    """The same objects by each."""
    mib = BULK * BULK_MIB
    cluster.link("bulk")
    found = cluster.load("read", "/bulk", "--once", "--files", BULK, "--size", BULK_MIB * MIB, "--block", MIB, "--clients", 4, "--slots", 8)
    show(f"hydrate {BULK} files of {BULK_MIB} MiB", found["mb_per_second"], "MB/s")
    began = time.monotonic()
    rclone(client, "--multi-thread-streams", "4", "--multi-thread-cutoff", "16M", "copy", f"s:{bucket}/bulk", os.path.join(folder, "rclone"))
    show("  rclone copy to a tmpfs", mib * MIB / 1e6 / (time.monotonic() - began), "MB/s", "with its start")
    by_s3fs(client, bucket, folder, mib)


def by_s3fs(client, bucket, folder, mib):
    mount = os.path.join(folder, "s3fs")
    os.makedirs(mount)
    keys = os.path.join(folder, "s3fs.keys")
    with open(os.open(keys, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as f:
        f.write(f"{client.env['AWS_ACCESS_KEY_ID']}:{client.env['AWS_SECRET_ACCESS_KEY']}\n")
    program = shutil.which("s3fs")
    done = program and subprocess.run([program, bucket, mount, "-o", f"url={client.endpoint},passwd_file={keys},use_path_request_style,use_cache="], capture_output=True, text=True, env=client.env, check=False)
    if not program or done.returncode or not os.path.ismount(mount):
        print(f"  s3fs: not measured: {'it is not installed' if not program else done.stderr.strip() or 'this machine mounts no FUSE'}", flush=True)
        return
    try:
        began = time.monotonic()
        readers = [subprocess.Popen(["dd", f"if={mount}/bulk/data/b{i:04}", "of=/dev/null", "bs=1M"], stderr=subprocess.DEVNULL) for i in range(BULK)]
        if any(reader.wait(300) for reader in readers):
            print("  s3fs: dd failed", flush=True)
            return
        show("  s3fs, dd of all at once", mib * MIB / 1e6 / (time.monotonic() - began), "MB/s")
    finally:
        subprocess.run(["umount", mount], check=False)


def measure(binaries, store, client, bucket, plain_ms, puts, small, names):
    with tempfile.TemporaryDirectory(prefix="nacre-bench-", dir="/dev/shm") as folder:
        fill(client, bucket, os.path.join(folder, "source"), small, names)
        with Cluster(binaries, store, bucket) as cluster:
            bulk(cluster, client, bucket, folder)
            first_byte(cluster, plain_ms)
            small_files(cluster, small)
            names_imported(cluster, names)
            exported(cluster, small, puts)


def many_names(binaries, store, bucket, keys, links):
    """KEYS keys of one prefix (s3bench has put them) become the names of LINKS directories. What of the metadata server's memory is its own?
    Its caches are small, so that they are full soon: nothing else is to grow."""
    with Cluster(binaries, store, bucket, disk=tempfile.gettempdir()) as cluster:
        with open(os.path.join(cluster.folder, "mds.yaml"), "a", encoding="utf-8") as f:
            f.write(f"cache_inodes: {CACHE_INODES}\nlimits:\n  memory: {CACHE_MIB}M\n")
        cluster.nacre("dev", "restart", "mds")
        pid, began = cluster.pid("mds"), time.monotonic()
        for i in range(links):
            cluster.link(f"names{i}", "--sweep-interval", "0", prefix="bench/keys")
            cluster.nacre("restore", f"/names{i}", "--recursive", "--match", "none", timeout=3600)
            cluster.nacre("repo", "pause", f"names{i}")  # no HEADs ask whose they are
            there = int(cluster.metrics()["nacre_tier_names_imported_total"][""])
            if there < keys * (i + 1):
                raise SystemExit(f"{there} names are there of {keys * (i + 1)}")
            show(f"{there} names", there / (time.monotonic() - began), "keys/s", f"MDS {stats.own_memory_bytes([pid]) / MIB:.0f} MiB; {stats.tree_bytes(cluster.folder)[1] / MIB:.0f} MiB on disk")
