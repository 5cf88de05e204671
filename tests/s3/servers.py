# SPDX-License-Identifier: Apache-2.0
"""Real S3 servers on loopback, each in a folder of its own that goes away: radosgw (one monitor, one OSD in memory, one gateway)
and Swift with its s3api. `with Radosgw() as s3:` then s3.endpoint, s3.access_key, s3.secret."""
import base64
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import uuid

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import chroot  # noqa: E402

ACCESS_KEY, SECRET = "NACRETESTKEY", "a-secret-of-no-worth-whatsoever"
START_SECONDS = 60


def is_free(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) != 0


def own_ports(count):
    """Ports of 127.0.0.1 that nobody listens at and nobody is given: below those that the kernel hands out to whoever
    connects, and other ones for each process."""
    first = 10000 + os.getpid() % 400 * 20
    free = [port for port in range(first, first + 20) if is_free(port)]
    if len(free) < count:
        raise Failed(f"of the ports {first} to {first + 19} only {len(free)} are free, and {count} are needed")
    return free[:count]


class Failed(Exception):
    """A server that does not come up; says why, with the end of its log."""


class Server:
    """The processes of one store. start() of a subclass starts them, leave() ends them in the opposite order."""
    name = region = ""
    access_key, secret = ACCESS_KEY, SECRET
    version = ""  # what its program says, where that may be another one the next time
    has_versions = False  # or a bucket can be told to keep them

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix=f"nacre-s3-{self.name}-")
        self.processes = []
        self.endpoint = self.virtual_endpoint = self.virtual_tls_endpoint = ""  # virtual: BUCKET. is put before the host

    def __enter__(self):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that leaving ends the daemons
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            try:
                os.killpg(process.pid, signal.SIGKILL)  # with what it forked; nothing of it is kept
            except ProcessLookupError:
                pass
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)
        return self.path(name)

    def run(self, *argv):
        """A tool, to its end."""
        done = subprocess.run(self.command(argv), stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=START_SECONDS)
        if done.returncode != 0:
            raise Failed(f"{' '.join(argv)}: exit status {done.returncode}: {done.stderr[-2000:]}")
        return done.stdout

    def command(self, argv):
        """How ARGV, a program of the store, is run."""
        return argv

    def daemon(self, *argv):
        with open(self.path(os.path.basename(argv[0]) + f"-{len(self.processes)}.log"), "wb") as log:
            self.processes.append(subprocess.Popen(self.command(argv), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                                                   start_new_session=True))

    def until_listening(self, port):
        """Wait for PORT; a daemon that ends meanwhile is an error."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", port)) == 0:
                    return
            for process in self.processes:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise Failed(f"{self.name}: {process.args} ended or does not listen: {self.logs()}")
            time.sleep(0.02)

    def logs(self):
        ends = []
        for name in sorted(os.listdir(self.folder)):
            if name.endswith(".log"):
                with open(self.path(name), encoding="utf-8", errors="replace") as f:
                    ends.append(f"--- {name}\n{f.read()[-1500:]}")
        return "\n".join(ends)


class Radosgw(Server):
    """Ceph's gateway, version 16 in Debian 12. cephx stays on: without it the gateway loops for ever."""
    name, region = "rgw", "default"
    has_versions = True
    key_type, key_bytes = 1, 16  # of cephx: AES
    disk_gib = 0  # of the file that objects are kept in; 0: in memory

    def start(self):
        self.mon_port, port, self.tls_port = own_ports(3)
        self.fsid, osd = str(uuid.uuid4()), str(uuid.uuid4())
        self.certificate()
        self.conf = self.write("ceph.conf", self.configuration(port))
        keyring = self.keyring()
        os.makedirs(self.path("mon"))
        os.makedirs(self.path("osd"))
        self.run("ceph-mon", "-c", self.conf, "--mkfs", "-i", "a", "--fsid", self.fsid, "--keyring", keyring)
        self.daemon("ceph-mon", "-c", self.conf, "-i", "a", "-f")
        self.run("ceph", "-c", self.conf, "--keyring", keyring, "auth", "import", "-i", keyring)
        self.run("ceph", "-c", self.conf, "--keyring", keyring, "osd", "new", osd)
        self.run("ceph-osd", "-c", self.conf, "--mkfs", "-i", "0", "--osd-uuid", osd, "--keyring", keyring)
        self.daemon("ceph-osd", "-c", self.conf, "-i", "0", "-f", "--keyring", keyring)
        self.run("radosgw-admin", "-c", self.conf, "-n", "client.rgw.a", "--keyring", keyring, "user", "create", "--uid", "nacre",
                 "--display-name", "nacre", "--access-key", self.access_key, "--secret", self.secret)
        self.daemon("radosgw", "-c", self.conf, "-n", "client.rgw.a", "-f", "--keyring", keyring)
        self.until_listening(port)
        self.endpoint, self.tls_endpoint = f"http://127.0.0.1:{port}", f"https://127.0.0.1:{self.tls_port}"
        self.virtual_endpoint, self.virtual_tls_endpoint = f"http://localhost:{port}", f"https://localhost:{self.tls_port}"

    def certificate(self):
        """tls.pem: of nobody's authority but its own; and with its key, as radosgw wants it."""
        self.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
                 "-addext", "subjectAltName=IP:127.0.0.1,DNS:bucket.localhost", "-keyout", self.path("tls.key"), "-out", self.path("tls.pem"))
        both = []
        for name in ("tls.key", "tls.pem"):
            with open(self.path(name), encoding="ascii") as f:
                both.append(f.read())
        self.write("tls.both", "".join(both))

    def keyring(self):
        """One file with everybody's key, each allowed everything."""
        parts = []
        for entity in ("mon.", "client.admin", "osd.0", "client.rgw.a"):
            key = base64.b64encode(struct.pack("<H8xH", self.key_type, self.key_bytes) + os.urandom(self.key_bytes)).decode()
            caps = "".join(f'\tcaps {who} = "allow *"\n' for who in ("mon", "osd", "mgr", "mds"))
            parts.append(f"[{entity}]\n\tkey = {key}\n{caps}")
        return self.write("keyring", "".join(parts))

    def configuration(self, port):
        f = self.folder
        # What is overwritten stays for hours by default.
        objects = f"""osd_objectstore = bluestore
bluestore_block_size = {self.disk_gib << 30}
osd_memory_target = 1073741824
rgw_gc_obj_min_wait = 5
rgw_gc_processor_period = 5""" if self.disk_gib else "osd_objectstore = memstore\nmemstore_device_bytes = 4294967296"
        return f"""[global]
fsid = {self.fsid}
mon_host = [v2:127.0.0.1:{self.mon_port}]
mon_initial_members = a
ms_bind_msgr1 = false
run_dir = {f}
admin_socket = {f}/$name.asok
keyring = {f}/keyring
log_file =
log_to_stderr = true
err_to_stderr = true
mon_cluster_log_to_file = false
mon_cluster_log_file =
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pgp_num = 4
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
mon_data_avail_crit = 1
paxos_propose_interval = 0.02
paxos_min_wait = 0.01
{objects}
[mon.a]
public_addrv = [v2:127.0.0.1:{self.mon_port}/0]
mon_data = {f}/mon
[osd.0]
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
osd_data = {f}/osd
[client.rgw.a]
rgw_frontends = beast endpoint=127.0.0.1:{port} ssl_endpoint=127.0.0.1:{self.tls_port} ssl_certificate={f}/tls.both tcp_nodelay=1
rgw_dns_name = localhost
rgw_crypt_require_ssl = false
rgw_data = {f}
"""


class NewRadosgw(Radosgw):
    """Ceph's gateway of a Debian that is not out yet (version 20 when this was written), in a chroot that is made once."""
    name = "rgw-new"
    key_type, key_bytes = 2, 32  # AES256KRB5: others are refused
    root, suite = os.environ.get("NACRE_TEST_FORKY", "/var/cache/nacre-test/forky"), "forky"
    packages = ("ceph-mon", "ceph-osd", "radosgw", "ceph-common")
    # The mounts are the process's own and go with it.
    enter = ("root=$1 folder=$2; shift 2; mount -t tmpfs none $root/tmp && mkdir -p $root$folder && mount --bind $folder $root$folder && "
             "mount -t proc proc $root/proc && mount --rbind /dev $root/dev && exec chroot $root \"$@\"")

    def start(self):
        try:
            chroot.make(self.root, self.suite, self.packages)
        except chroot.Failed as error:
            raise Failed(f"no chroot of {self.suite}: {error}") from error
        super().start()
        self.version = self.run("radosgw", "--version").strip()

    def command(self, argv):
        if argv[0] == "openssl":
            return argv
        return ("unshare", "--mount", "--propagation", "private", "sh", "-c", self.enter, "sh", self.root, self.folder, *argv)


class Swift(Server):
    """OpenStack's object store with its S3 middleware: proxy, account, container and object server, one disk, one replica."""
    name, region = "swift", "us-east-1"
    access_key = "test:nacre"

    def start(self):
        self.proxy, self.memcached, *others = own_ports(5)
        self.ports = dict(zip(("account", "container", "object"), others))
        os.makedirs(self.path("disks", "d0"))
        self.write("swift.conf", "[swift-hash]\nswift_hash_path_suffix = nacre\n[storage-policy:0]\nname = one\ndefault = yes\n")
        self.rings()
        for kind, port in self.ports.items():
            self.write(f"{kind}.conf", self.storage(kind, port))
        self.write("proxy.conf", self.front())
        self.daemon("memcached", "-u", "root", "-l", "127.0.0.1", "-p", str(self.memcached), "-U", "0", "-m", "32")
        for kind in self.ports:
            self.daemon(f"/usr/bin/swift-{kind}-server", self.path(f"{kind}.conf"))
        self.daemon("/usr/bin/swift-proxy-server", self.path("proxy.conf"))
        for port in (*self.ports.values(), self.memcached, self.proxy):
            self.until_listening(port)
        self.endpoint, self.virtual_endpoint = f"http://127.0.0.1:{self.proxy}", f"http://localhost:{self.proxy}"

    def rings(self):
        """What swift-ring-builder does, without a Python for each step."""
        from swift.common.ring import RingBuilder  # pylint: disable=import-outside-toplevel
        for kind, port in self.ports.items():
            builder = RingBuilder(2, 1, 1)
            builder.add_dev({"id": 0, "region": 1, "zone": 1, "ip": "127.0.0.1", "port": port, "device": "d0", "weight": 1,
                             "replication_ip": "127.0.0.1", "replication_port": port, "meta": ""})
            builder.rebalance(seed=1)
            builder.get_ring().save(self.path(f"{kind}.ring.gz"))

    def storage(self, kind, port):
        return f"""[DEFAULT]
swift_dir = {self.folder}
devices = {self.path("disks")}
mount_check = false
bind_ip = 127.0.0.1
bind_port = {port}
workers = 1
user = root
log_facility = LOG_LOCAL7
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
"""

    def front(self):
        return f"""[DEFAULT]
swift_dir = {self.folder}
bind_ip = 127.0.0.1
bind_port = {self.proxy}
workers = 1
user = root
log_facility = LOG_LOCAL7
[pipeline:main]
pipeline = catch_errors cache s3api tempauth slo dlo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:{self.memcached}
[filter:s3api]
use = egg:swift#s3api
location = {self.region}
storage_domain = localhost
allow_multipart_uploads = true
min_segment_size = 5242880
[filter:tempauth]
use = egg:swift#tempauth
user_test_nacre = {self.secret} .admin
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
"""


STORES = (Radosgw, NewRadosgw, Swift)
