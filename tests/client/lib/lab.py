# SPDX-License-Identifier: Apache-2.0
"""A lab: network, servers and clients together, all of it gone at the end, whatever the end is.

    with Lab(data_servers=4) as lab:
        one, two = lab.clients
        one.mount(); one.run("cp /etc/passwd n/"); ...
"""
import contextlib
import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import net
from cluster import MDS, Ganesha, Nacre, data_server_addresses
from guest import HostClient, UmlClient
from proc import LabError, build_tools, end, need, run, wait_until

SCRATCH = os.environ.get("NACRE_TEST_TMP", "/var/tmp")
SERVERS = {"nacre": Nacre, "ganesha": Ganesha}


def _stop_on_signal(number, _frame):
    sys.exit(128 + number)


def leave_cleanly_on_signals():
    """SIGTERM and friends become SystemExit, so that every `with` is left."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _stop_on_signal)


def scratch_folder(what):
    """A new folder whose name tells the process it belongs to."""
    return tempfile.mkdtemp(prefix=f"nacre-{what}-{os.getpid()}-", dir=SCRATCH)


def mounts_in(folder):
    """Stores may be file systems in memory."""
    with open("/proc/mounts", encoding="utf-8") as f:
        return [path for path in (line.split()[1] for line in f) if f"{path}/".startswith(f"{folder}/")]


def sweep():
    """Remove what harnesses left that were killed before they could."""
    net.sweep()
    for folder in glob.glob(os.path.join(SCRATCH, "nacre-*")):
        m = re.match(r"nacre-[a-z0-9]+-(\d+)-", os.path.basename(folder))
        if m and not os.path.exists(f"/proc/{m[1]}"):
            for path in mounts_in(folder):
                run("umount", path, check=False)
            shutil.rmtree(folder, ignore_errors=True)


class Lab:
    """SERVER: nacre or ganesha. KERNEL: 6.1, 6.12 or host. FOLDER: where stores go (default: a temporary folder).
    LAYOUT: for each client, whether its files layout driver is there. NAME: of the network namespace."""

    def __init__(self, data_servers=4, clients=2, server=None, kernel=None, folder=None, layout=True, memory_mib=1024, count_traffic=True,
                 name=None, **server_options):
        self.server_name = server or os.environ.get("NACRE_TEST_SERVER", "nacre")
        self.kernel = kernel or os.environ.get("NACRE_TEST_KERNEL", "6.1")
        self.data_servers, self.clients_wanted, self.memory_mib = data_servers, clients, memory_mib
        self.count_traffic, self.name = count_traffic, name
        self.layout = layout if isinstance(layout, (list, tuple)) else [layout] * clients
        self.store_folder, self.server_options = folder, server_options
        self.clients, self.network, self.server = [], None, None
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        leave_cleanly_on_signals()
        sweep()
        try:
            self._set_up()
        except BaseException:
            self._stack.close()
            raise
        return self

    def _set_up(self):
        build_tools()
        self.folder = scratch_folder("lab") if not self.name else tempfile.mkdtemp(prefix=f"{self.name}.", dir=SCRATCH)
        self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self.network = net.Network(self.name)
        self._stack.callback(self.network.down)
        addresses = [MDS] + data_server_addresses(self.data_servers)
        self.network.up(addresses)
        if self.count_traffic:
            need("nft", "nftables")
            self.network.count_traffic(addresses)
        for number in range(self.clients_wanted):
            self.add_client(layout=self.layout[number], wait=False)
        self._start_server()
        for client in self.clients:
            client.wait_ready()

    def _start_server(self):
        folder = tempfile.mkdtemp(prefix="store-", dir=self.store_folder or self.folder)
        os.chmod(folder, 0o755)
        self._stack.callback(shutil.rmtree, folder, ignore_errors=True)
        self.server = SERVERS[self.server_name](self.network, folder, data_servers=self.data_servers, **self.server_options)
        self._stack.callback(self.server.down)
        self.server.up()

    def add_client(self, layout=True, wait=True, kernel=None):
        number = len(self.clients) + 1
        name, address = f"c{number}", f"192.0.2.{100 + number}"
        folder = os.path.join(self.folder, name)
        kernel = kernel or self.kernel
        if kernel == "host":
            client = HostClient(self.network, name, address, folder)
        else:
            client = UmlClient(self.network, f"{name}-{self.network.name.replace('nacre-', '')}", address, folder, kernel, self.memory_mib, layout)
        self._stack.callback(client.stop)
        self.clients.append(client)
        return client.wait_ready() if wait else client

    def __exit__(self, kind, error, _trace):
        if kind is not None and kind is not SystemExit and self.server:
            with contextlib.suppress(Exception):
                print("".join(f"# {line}\n" for line in self.server.logs().splitlines()[-60:]), end="", flush=True)
        for client in self.clients:
            with contextlib.suppress(Exception):
                client.ask_to_stop()
        self._stack.close()
        return False

    def leave_running(self):
        """Stop the clients; servers, stores and network stay."""
        for client in self.clients:
            client.stop()
        self._stack.pop_all()

    @contextlib.contextmanager
    def capture(self, path, snapshot_bytes=262144, what="tcp port 2049"):
        """Capture the bridge's frames that match WHAT into PATH while the block runs. Afterwards `counts` of what it yields
        says (captured, dropped)."""
        program = need("dumpcap", "wireshark-common")
        process = subprocess.Popen(self.network.inside(program, "-q", "-i", net.BRIDGE, "-s", str(snapshot_bytes), "-B", "256", "-f", what, "-w", path),
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            wait_until("capture starts", lambda: os.path.exists(path) and os.path.getsize(path) > 0)
            yield process
        finally:
            end(process.pid, signal.SIGINT, 10)
            said = process.communicate()[0]
            counts = re.search(r"(\d+)/(\d+) \(", said)
            process.counts = (int(counts[1]), int(counts[2])) if counts else (0, said)


__all__ = ["Lab", "LabError", "leave_cleanly_on_signals", "scratch_folder", "sweep"]
