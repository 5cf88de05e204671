# SPDX-License-Identifier: Apache-2.0
"""The programs of one build, as processes of this machine, under a folder that goes away with the test."""
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TREE, "tests", "client", "lib"))

from cluster import nacre_binary  # noqa: E402
from proc import LabError, end, wait_until  # noqa: E402

BIN = os.path.dirname(nacre_binary())
LINE = re.compile(r'(?:<[0-7]>)?time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z level=(error|warn|info|debug) program=(nacre-\w+) event=([a-z0-9-]+)'
                  r'((?: [a-z_0-9]+=(?:[^ "=]+|"(?:[^"\\]|\\.)*"))*)$')
SANITIZERS = ("AddressSanitizer", "LeakSanitizer", "ThreadSanitizer", "runtime error:")


def program(name):
    return os.path.join(BIN, name)


def call(*argv, timeout=120, env=None):
    """Run to the end: (exit status, stdout, stderr)."""
    done = subprocess.run([program(argv[0]), *argv[1:]], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                          timeout=timeout, env={**os.environ, **(env or {})})
    return done.returncode, done.stdout, done.stderr


def read(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()


def write(path, text, mode=0o644):
    """TEXT, or bytes, as the whole of a file."""
    with open(path, "wb") as f:
        f.write(text if isinstance(text, bytes) else text.encode())
    os.chmod(path, mode)
    return path


def get(url, method="GET"):
    """Ask HTTP: (status, content type, text)."""
    where, path = re.fullmatch(r"http://([^/]+)(/.*)", url).groups()
    connection = http.client.HTTPConnection(where, timeout=20)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type"), answer.read().decode()
    finally:
        connection.close()


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
        return True
    except OSError:
        return False


class Folder:
    """A temporary folder; `with Folder() as folder:`."""

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="nacre-programs-")
        os.chmod(self.path, 0o755)
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)

    def file(self, name):
        return os.path.join(self.path, name)


def address(i):
    """An address of this machine's own for each process number: tests run side by side."""
    pid = os.getpid()
    return f"127.{1 + pid // 250 % 250}.{1 + pid % 250}.{i}"


class Cluster(Folder):
    """`nacre dev` with DATA_SERVERS; log files are checked at the end. WRAPPER goes before each command."""

    def __init__(self, data_servers=2, options=(), wrapper=()):
        self.data_servers, self.options, self.wrapper = data_servers, list(options), list(wrapper)
        self.mds = address(1)

    def __enter__(self):
        super().__enter__()
        self.dir = self.file("c")
        try:
            self.up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.run("dev", "down", "--dir", self.dir)
        try:
            self.check_logs()
        finally:
            super().__exit__()

    def run(self, *argv):
        """Run `nacre` ARGV: (exit status, stdout, stderr)."""
        done = subprocess.run([*self.wrapper, program("nacre"), *argv], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout, done.stderr

    def ok(self, *argv):
        status, out, error = self.run(*argv)
        if status:
            raise LabError(f"nacre {' '.join(argv)}: exit status {status}\n{out}{error}")
        return out

    def up(self):
        servers = [word for i in range(self.data_servers) for word in ("--ds", address(2 + i))]
        return self.ok("dev", "up", "--dir", self.dir, "--mds", self.mds, *servers, *self.options)

    def load(self, *argv, server=None):
        """nfsload, a client without a kernel: (exit status, output)."""
        done = subprocess.run([program("nfsload"), "--server", server or self.mds, *argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=120)
        return done.returncode, done.stdout

    def url(self, name, path):
        addr = re.search(r'^metrics: "(.*)"$', read(os.path.join(self.dir, name + ".yaml")), re.M)[1]
        return f"http://{addr}{path}"

    def pid(self, name):
        return int(read(os.path.join(self.dir, "run", name + ".pid")))

    def signal(self, name, number):
        os.kill(self.pid(name), number)

    def kill(self, name):
        end(self.pid(name), signal.SIGKILL, seconds=30)

    def log(self, name):
        path = os.path.join(self.dir, "log", name + ".log")
        return read(path) if os.path.exists(path) else ""

    def wait_log(self, name, text):
        wait_until(f"'{text}' in the log of {name}", lambda: text in self.log(name))

    def check_logs(self):
        """What a sanitizer found is in the log of whom it found it in."""
        for name in ["mds"] + [f"ds{i}" for i in range(self.data_servers)]:
            if any(word in self.log(name) for word in SANITIZERS):
                raise LabError(f"{name}: a sanitizer speaks\n{self.log(name)}")
