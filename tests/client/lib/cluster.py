# SPDX-License-Identifier: Apache-2.0
"""The servers: a Nacre cluster, or Debian's nfs-ganesha as a peer. Both run inside a Network."""
import glob
import os
import shutil
import signal

import stats
from proc import LabError, TREE, end, need, run, wait_exit, wait_until

MDS = "192.0.2.1"
PORT = 2049


def data_server_addresses(count):
    return [f"192.0.2.{11 + i}" for i in range(count)]


def nacre_binary():
    """The admin command: $NACRE_BIN (its folder), else the newest build/PRESET/nacre."""
    folder = os.environ.get("NACRE_BIN")
    found = [os.path.join(folder, "nacre")] if folder else glob.glob(os.path.join(TREE, "build", "*", "nacre"))
    found = [path for path in found if os.access(path, os.X_OK)]
    if not found:
        raise LabError("no nacre: build first (cmake --preset release && cmake --build --preset release), or set NACRE_BIN to the folder")
    return max(found, key=os.path.getmtime)


class Nacre:
    """`nacre dev` under FOLDER. DELEGATIONS: whether clients are given any; None: as the metadata server does by itself, or as
    $NACRE_TEST_DELEGATIONS (yes, no) says. LEASE_SECONDS, MARKS (high and low, in per cent): None: as it does by itself. DISK_MIB: each
    data server has a disk of its own of that size, in memory."""

    kind = "nacre"

    def __init__(self, network, folder, data_servers=4, stripe_unit=None, stripe_count=None, exports=None, delegations=None, lease_seconds=None,
                 marks=None, disk_mib=None):
        self.network, self.folder = network, folder
        delegations = os.environ.get("NACRE_TEST_DELEGATIONS") if delegations is None else "yes" if delegations else "no"
        marks = marks and f"{{high: {marks[0]}, low: {marks[1]}}}"
        self.settings = {key: value for key, value in (("delegations", delegations), ("lease_seconds", lease_seconds), ("release", marks)) if value}
        self.disk_mib = disk_mib
        self.nacre = nacre_binary()
        self.addresses = data_server_addresses(data_servers)
        self.arguments = ["--dir", folder, "--mds", MDS]
        for address in self.addresses:
            self.arguments += ["--ds", address]
        if stripe_unit:
            self.arguments += ["--stripe-unit", str(stripe_unit)]
        if stripe_count:
            self.arguments += ["--stripe-count", str(stripe_count)]
        if exports:
            self.arguments += ["--exports", exports]

    @property
    def names(self):
        return ["mds"] + [f"ds{i}" for i in range(len(self.addresses))]

    def command(self, *argv, timeout=60, check=True):
        return self.network.run(self.nacre, *argv, timeout=timeout, check=check)

    def up(self):
        self.command("dev", "up", *self.arguments, timeout=120)  # returns when all data servers have joined
        if self.disk_mib:
            self.command("dev", "down", "--dir", self.folder)
            for name in self.names[1:]:
                self.give_disk(os.path.join(self.folder, name))
            self.command("dev", "up", *self.arguments, timeout=120)
        if self.settings:
            with open(os.path.join(self.folder, "mds.yaml"), "a", encoding="ascii") as f:
                f.writelines(f"{key}: {value}\n" for key, value in self.settings.items())
            self.restart("mds")

    def give_disk(self, path):
        os.rename(path, f"{path}.before")
        os.mkdir(path)
        run("mount", "-t", "tmpfs", "-o", f"size={self.disk_mib}m,mode=700", "tmpfs", path)
        shutil.copytree(f"{path}.before", path, dirs_exist_ok=True)

    def down(self):
        if os.path.isdir(self.folder):
            self.command("dev", "down", "--dir", self.folder, check=False)
        for path in filter(os.path.ismount, (os.path.join(self.folder, name) for name in self.names)):
            run("umount", path)

    def restart(self, name):
        self.command("dev", "restart", "--dir", self.folder, name, timeout=120)

    def kill(self, name):
        """kill -9, and wait until the process is gone."""
        pid = self.pid(name)
        os.kill(pid, signal.SIGKILL)
        if not wait_exit(pid, 10):
            raise LabError(f"{name} (pid {pid}) survives SIGKILL")

    def pid(self, name):
        with open(os.path.join(self.folder, "run", f"{name}.pid"), encoding="ascii") as f:
            return int(f.read())

    def pids(self):
        return [self.pid(name) for name in self.names]

    def stored_bytes(self):
        """[(apparent, used)] per data server, from the files of its store: nobody's claim."""
        return [stats.tree_bytes(os.path.join(self.folder, f"ds{i}")) for i in range(len(self.addresses))]

    def metrics(self, name):
        return stats.scrape_unix(os.path.join(self.folder, "run", f"{name}.sock"))

    def health(self, name):
        """What /healthz says."""
        return stats.get_unix(os.path.join(self.folder, "run", f"{name}.sock"), "/healthz")[1].strip()

    def operations(self, op, name="mds"):
        """How often the daemon executed an NFSv4 operation (`read`, `layoutget`, …), by its own count."""
        return int(self.metrics(name)["nacre_nfs_operations_total"].get(f'op="{op}"', 0))

    def fsck(self):
        """What `nacre-mds --fsck` says about the stopped store; LabError when it is not clean."""
        return self.network.run(os.path.join(os.path.dirname(self.nacre), "nacre-mds"), "--fsck", "--config", os.path.join(self.folder, "mds.yaml"), timeout=300)

    def logs(self):
        text = ""
        for name in self.names:
            with open(os.path.join(self.folder, "log", f"{name}.log"), encoding="utf-8", errors="replace") as f:
                text += f"--- {name}\n{f.read()[-1500:]}"
        return text


GANESHA = """
NFS_CORE_PARAM {{ Protocols = 4; NFS_Port = {port}; Bind_addr = {address}; Enable_NLM = false; Enable_RQUOTA = false; }}
NFSv4 {{ Graceless = true; Minor_Versions = 1, 2; RecoveryBackend = fs; RecoveryRoot = "{folder}/recovery"; Allow_Numeric_Owners = true; Only_Numeric_Owners = true; }}
EXPORT {{ Export_Id = 1; Path = "{data}"; Pseudo = "/"; Access_Type = RW; Squash = None; SecType = sys; Protocols = 4; Transports = TCP; FSAL {{ Name = VFS; }} }}
LOG {{ Default_Log_Level = WARN; }}
"""


class Ganesha:
    """Debian's nfs-ganesha with its VFS back end on FOLDER/data, at the MDS's address."""

    kind = "ganesha"

    def __init__(self, network, folder, data_servers=4, **_):
        self.network, self.folder = network, folder
        self.addresses = data_server_addresses(data_servers)  # where nobody answers: tests that want data servers fail

    def up(self):
        program = need("ganesha.nfsd", "nfs-ganesha nfs-ganesha-vfs")
        data = os.path.join(self.folder, "data")
        os.makedirs(data, exist_ok=True)
        os.makedirs(os.path.join(self.folder, "recovery"), exist_ok=True)
        with open(self._file("conf"), "w", encoding="ascii") as f:
            f.write(GANESHA.format(port=PORT, address=MDS, folder=self.folder, data=data))
        self.network.run(program, "-f", self._file("conf"), "-L", self._file("log"), "-p", self._file("pid"))
        wait_until("nfs-ganesha listens", lambda: self.network.listening(MDS, PORT))

    def _file(self, suffix):
        return os.path.join(self.folder, f"ganesha.{suffix}")

    def pid(self, _name="mds"):
        with open(self._file("pid"), encoding="ascii") as f:
            return int(f.read())

    def pids(self):
        return [self.pid()]

    def kill(self, name):
        end(self.pid(name), signal.SIGKILL)

    def restart(self, name):
        self.kill(name)
        self.up()

    def down(self):
        if os.path.exists(self._file("pid")):
            end(self.pid(), signal.SIGTERM, 10)

    def fsck(self):
        raise LabError("nfs-ganesha has no fsck")

    def logs(self):
        with open(self._file("log"), encoding="utf-8", errors="replace") as f:
            return f.read()[-500:]

    def stored_bytes(self):
        return [(0, 0) for _ in self.addresses]
