# SPDX-License-Identifier: Apache-2.0
"""Clients: the stock kernel's NFS client in User Mode Linux, or in namespaces of the machine's own kernel.

Both run guest/agent.c, which takes orders through one pipe and answers through another. A step is a bash script; several
can run at once, so that a test can say "client 1 writes, a server dies, client 1 goes on, client 2 reads"."""
import contextlib
import itertools
import os
import select
import shutil
import signal
import subprocess
import sys
import time

import stats
from proc import LabError, TOOLS, TREE, need, run

sys.path.append(os.path.join(TREE, "tests"))
import chroot  # noqa: E402

MOUNT = "/mnt/n"
TRIXIE = os.environ.get("NACRE_TEST_TRIXIE", "/var/cache/nacre-test/trixie")
TRIXIE_PACKAGES = ("user-mode-linux", "nfs-common", "kmod", "iproute2", "busybox-static", "ktls-utils", "bash", "openssl",  # the client
                   "attr", "nfs4-acl-tools", "xz-utils", "make", "gcc", "libc6-dev", "flex", "bison", "bc", "groff-base", "time")  # its tests
PRELOAD = "wide_xstate.so"  # into the guests' kernels: guest/wide_xstate.so.c says why


class StepFailed(LabError):
    def __init__(self, step):
        super().__init__(f"{step.client.name}: step `{step.script.strip()[:200]}` ended with {step.status}\n"
                         f"{step.output()[-2000:]}{step.errors()[-2000:]}")
        self.step = step


class Step:
    """One script under way, or ended, on a client."""

    def __init__(self, client, name, script):
        self.client, self.name, self.script = client, name, script
        self.status = None

    def output(self):
        return self.client.read(f"{self.name}.out")

    def errors(self):
        return self.client.read(f"{self.name}.err")

    def wait(self, timeout=120, check=True):
        """Wait for the end. The output; StepFailed when CHECK and it failed; LabError when it takes longer."""
        self.client.pump(lambda: self.status is not None, timeout, f"step `{self.script.strip()[:200]}`")
        if check and self.status:
            raise StepFailed(self)
        return self.output()

    def kill(self):
        self.client.order(f"-{self.name}")


class Client:
    """What both kinds share: orders, answers, steps, files."""

    def __init__(self, name, folder):
        self.name, self.folder = name, folder
        self.steps, self.events = {}, []
        self._numbers = itertools.count(1)
        self._ready = False
        self._text = b""
        self.process = None
        os.makedirs(folder, exist_ok=True)

    def start(self, argv_of_pipes):
        orders_in, self._orders = os.pipe()
        self._answers, answers_out = os.pipe()
        with open(os.path.join(self.folder, "console"), "wb") as console:
            self.process = subprocess.Popen(argv_of_pipes(orders_in, answers_out), stdin=subprocess.DEVNULL, stdout=console,
                                            stderr=subprocess.STDOUT, pass_fds=(orders_in, answers_out), start_new_session=True)
        os.close(orders_in)
        os.close(answers_out)

    def wait_ready(self, timeout=60):
        self.pump(lambda: self._ready, timeout, "boot")
        return self

    def pump(self, done, timeout, what):
        """Take answers until DONE() is true."""
        deadline = time.monotonic() + timeout
        while not done():
            left = deadline - time.monotonic()
            if left <= 0:
                raise LabError(f"{self.name}: {what}: not within {timeout} s\n{self.console()[-1500:]}")
            self._read(left, what)

    def catch_up(self):
        """Take the answers that are there; who is not listened to for long is held up."""
        while self._read(0, "listening"):
            pass

    def _read(self, seconds, what):
        """Take what comes within SECONDS; False: nothing."""
        if not select.select([self._answers], [], [], seconds)[0]:
            return False
        data = os.read(self._answers, 65536)
        if not data:
            raise LabError(f"{self.name}: {what}: the client died\n{self.console()[-3000:]}")
        self._take(data)
        return True

    def _take(self, data):
        *lines, self._text = (self._text + data).split(b"\n")
        for line in (raw.decode(errors="replace").strip("\r") for raw in lines):
            if line == "R":
                self._ready = True
            elif line.startswith("X "):
                _, name, status = line.split()
                self.steps[name].status = int(status)
            elif line.startswith("E "):
                self.events.append(line[2:])

    def order(self, line):
        os.write(self._orders, line.encode() + b"\n")

    def spawn(self, script):
        """Start SCRIPT (bash; `set -e`, tools on the PATH) and return the Step at once."""
        name = f"step{next(self._numbers)}"
        self.write(f"{name}.sh", f"set -e; PATH=/mnt/out/tools:$PATH; cd /mnt\n{script}\n")
        self.steps[name] = step = Step(self, name, script)
        self.order(name)
        return step

    def run(self, script, timeout=120, check=True):
        return self.spawn(script).wait(timeout, check)

    def status(self, script, timeout=120):
        step = self.spawn(script)
        step.wait(timeout, check=False)
        return step.status

    def wait_event(self, wanted, timeout=120):
        """Wait until a step has written a line `E TEXT` to $EVENTS for which WANTED(TEXT) is true. The TEXT."""
        self.pump(lambda: any(map(wanted, self.events)), timeout, "event")
        return next(e for e in self.events if wanted(e))

    def path(self, name):
        return os.path.join(self.folder, name)

    def read(self, name):
        try:
            with open(self.path(name), encoding="utf-8", errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)

    def console(self):
        return self.read("console")

    def mount(self, server="192.0.2.1", options="", minor=2, path="/", where=MOUNT, timeout=60):
        options = f"vers=4.{minor}" + (f",{options}" if options else "")
        self.run(f"mkdir -p {where}; mount -t nfs4 -o {options} {server}:{path} {where}", timeout)

    def read_ahead(self, kib=15360):
        """128 KiB, what the kernel starts with for NFS, keeps one request in flight; distributions raise it with nfsrahead."""
        self.run(f"for f in /sys/class/bdi/0:*/read_ahead_kb; do echo {kib} >$f; done")

    def umount(self, where=MOUNT, timeout=120):
        self.run(f"umount {where}", timeout)

    def drop_caches(self):
        self.run("sync; echo 3 >/proc/sys/vm/drop_caches")

    def mountstats(self, where=MOUNT):
        return stats.Mountstats(self.run("cat /proc/self/mountstats"), where)

    def data_servers(self):
        """What /proc/fs/nfsfs/servers says: a list of (address, port)."""
        return stats.nfs_servers(self.run("cat /proc/fs/nfsfs/servers"))

    def ask_to_stop(self):
        if self.process and self.process.poll() is None:
            try:
                self.order("!")
            except BrokenPipeError:
                pass

    def stop(self):
        self.ask_to_stop()
        if not self.process:
            return
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.process.wait(5)
        os.close(self._orders)
        os.close(self._answers)
        self.process = None


class UmlClient(Client):
    """The stock Debian kernel as a process. KERNEL: "6.1" (bookworm, this machine's package) or "6.12" (trixie chroot)."""

    def __init__(self, network, name, address, folder, kernel="6.1", memory_mib=1024, layout=True):
        super().__init__(name, folder)
        self.address = address
        shutil.copytree(TOOLS, self.path("tools"), dirs_exist_ok=True)
        tap = f"tap-{name}"[:15]
        network.add_tap(tap)
        outside = folder if kernel == "6.1" else "/nacre"
        kernel_arguments = ["rootfstype=hostfs", "rootflags=/", "ro", f"mem={memory_mib}M", f"init={outside}/tools/agent", "con=null",
                            "con0=null,fd:1", "quiet", f"umid={network.name}-{name}", f"vec0:transport=tap,ifname={tap},depth=128,gro=1",
                            f"nacre.host={name}", f"nacre.addr={address}", f"nacre.out={outside}", f"nacre.layout={int(layout)}"]
        self.start(lambda i, o: network.inside(*self._uml(kernel, folder), *kernel_arguments, f"con1=fd:{i},fd:{o}"))

    @staticmethod
    def _uml(kernel, folder):
        if kernel == "6.1":
            return ["env", f"LD_PRELOAD={folder}/tools/{PRELOAD}", need("linux.uml", "user-mode-linux")]
        try:
            chroot.make(TRIXIE, "trixie", TRIXIE_PACKAGES)  # about 500 MB
        except chroot.Failed as error:
            raise LabError(f"no chroot of trixie: {error}") from error
        # `ip netns exec` gives a mount namespace of its own: these mounts end with the guest.
        mounts = (f"mkdir -p {TRIXIE}/nacre && mount --bind {folder} {TRIXIE}/nacre && mount --rbind /dev {TRIXIE}/dev && "
                  f"mount -t proc proc {TRIXIE}/proc && exec chroot {TRIXIE} env LD_PRELOAD=/nacre/tools/{PRELOAD} /usr/bin/linux.uml \"$@\"")
        return ["sh", "-c", mounts, "linux.uml"]


class HostClient(Client):
    """The machine's own kernel, when it has an NFS client, in namespaces of its own (network, mounts, host name)."""

    def __init__(self, network, name, address, folder):
        super().__init__(name, folder)
        self.address = address
        shutil.copytree(TOOLS, self.path("tools"), dirs_exist_ok=True)
        namespace = network.add_client_namespace(name, address)
        script = (f"hostname {name}; if [ -d /sys/fs/nfs/net/nfs_client ]; then echo {namespace} >/sys/fs/nfs/net/nfs_client/identifier; fi; "
                  f"exec {folder}/tools/agent --host \"$@\"")
        self.start(lambda i, o: ("ip", "netns", "exec", namespace, "unshare", "-m", "-u", "--propagation", "private",
                                 "sh", "-c", script, "agent", str(i), str(o), folder))

    @staticmethod
    def possible():
        """Has this machine's kernel the NFSv4.1 client and its files layout driver?"""
        run("modprobe", "nfsv4", check=False)
        run("modprobe", "nfs_layout_nfsv41_files", check=False)
        with open("/proc/filesystems", encoding="ascii") as f:
            has_client = any(line.split()[-1] == "nfs4" for line in f)
        return has_client and os.path.isdir("/sys/module/nfs_layout_nfsv41_files") and bool(shutil.which("mount.nfs4", path="/sbin:/usr/sbin"))
