# SPDX-License-Identifier: Apache-2.0
"""A bucket of a real S3 server, and the clients of S3 that fill it and look into it."""
import json
import os
import subprocess
import sys

from proc import TREE, LabError, end

sys.path.append(os.path.join(TREE, "tests", "s3"))

from others import environment  # noqa: E402


def sums_of(text):
    """{name: sum} of what md5sum and rclone print."""
    return {line[34:]: line[:32] for line in text.splitlines()}


def sums_seen(client, folder, timeout=300):
    """MD5 of each file below FOLDER as CLIENT reads it now."""
    client.drop_caches()
    return sums_of(client.run(f"cd {folder}; find . -type f -printf '%P\\0' | xargs -0 -r -P 8 -n 50 md5sum", timeout))


# Not what Nacre keeps for itself.
FILES_ONLY = ["--exclude", "/.nacre/**"]


class Bucket:
    """STORE: one of tests/s3/servers.py, else $NACRE_TEST_STORE, else rgw; inside the network of LAB, or on this machine's loopback. DISK_GIB: rgw keeps its objects on a disk of that
    size, not in memory. rclone() and aws() run beside it; link() makes it a repo of the lab's cluster. What goes to spoilt_endpoint
    suffers what spoil() has said last."""

    def __init__(self, lab=None, store=None, disk_gib=0):
        self.lab, self.disk_gib = lab, disk_gib
        self.store = store or os.environ.get("NACRE_TEST_STORE", "rgw")
        self.inside = lab.network.inside if lab else lambda *argv: argv

    def __enter__(self):
        program = os.path.join(TREE, "tests", "s3", "serve")
        self.process = subprocess.Popen(self.inside(sys.executable, "-B", program, self.store, str(self.disk_gib)), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise LabError(f"{self.store}: no S3 server: exit status {self.process.wait()}")
        said = json.loads(line)
        self.endpoint, self.region, self.name = said["endpoint"], said["region"], said["bucket"]
        self.tls_endpoint, self.certificate = said["tls_endpoint"], os.path.join(said["folder"], "tls.pem")
        self.spoilt_endpoint = said["spoilt_endpoint"]
        self.access_key, self.secret = said["access_key"], said["secret"]
        self.env = environment(self.endpoint, self.region, self.access_key, self.secret)
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            end(self.process.pid)

    def run(self, *argv, timeout=300):
        done = subprocess.run(self.inside(*argv), env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              errors="surrogateescape", timeout=timeout, check=False)
        if done.returncode:
            raise LabError(f"{' '.join(argv)}: exit status {done.returncode}: {done.stderr[-2000:]}")
        return done.stdout

    def rclone(self, *argv, **options):
        return self.run("rclone", "--retries", "1", *argv, **options)

    def aws(self, *argv):
        return self.run("aws", "--endpoint-url", self.endpoint, *argv)

    def keys(self, folder, secret=None):
        """A file of credentials in FOLDER; its path."""
        path = os.path.join(folder, "s3.ini")
        with open(path, "w", encoding="ascii") as f:
            f.write(f"[default]\naws_access_key_id = {self.access_key}\naws_secret_access_key = {secret or self.secret}\n")
        os.chmod(path, 0o600)
        return path

    def link(self, path, prefix="", name="data", **options):
        """PATH becomes the directory of PREFIX, at once."""
        settings = {"endpoint": self.endpoint, "region": self.region, "credentials_file": self.keys(self.lab.server.folder), **options}
        words = [word for key, value in settings.items() for word in (f"--{key.replace('_', '-')}", str(value))]
        self.lab.server.command("repo", "add", path, f"s3://{self.name}/{prefix}", "--name", name, *words, "--dir", self.lab.server.folder)

    def tls(self):
        """link()'s settings for a bucket that is reached over TLS; none where the store has none."""
        return {"endpoint": self.tls_endpoint, "ca_file": self.certificate} if self.tls_endpoint else {}

    def sums(self, prefix, timeout=300):
        """MD5 of each object below PREFIX as rclone reads it; one may go between its listing and its GET, then all are asked again."""
        for left in reversed(range(10)):
            try:
                return sums_of(self.rclone("hashsum", "MD5", "--download", "--checkers", "8", *FILES_ONLY, f"s:{self.name}/{prefix}", timeout=timeout))
            except LabError as error:
                if not left or "NoSuchKey" not in str(error):
                    raise

    def spoil(self, rule="none any 0"):
        """RULE: as tests/s3/proxy.py has them."""
        self.run("curl", "-sS", "-X", "PUT", "-d", rule, f"{self.spoilt_endpoint}/.fault")

    def spoilt(self):
        """How many requests the last rule has hit."""
        return int(self.run("curl", "-sS", f"{self.spoilt_endpoint}/.fault"))

    def pending(self):
        """How many files and deletions S3 does not have yet."""
        repos = json.loads(self.lab.server.command("repo", "status", "--json", "--dir", self.lab.server.folder))
        return sum(repo["pending"] + repo["deletions"] for repo in repos)
