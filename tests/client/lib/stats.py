# SPDX-License-Identifier: Apache-2.0
"""Reading what the kernel and the daemons say about themselves."""
import os
import re
import socket
import time


class Mountstats:
    """One mount's part of /proc/self/mountstats (fs/nfs/super.c:nfs_show_stats)."""

    def __init__(self, text, where):
        parts = re.split(r"^device ", text, flags=re.M)
        found = [p for p in parts if f" mounted on {where} with fstype nfs4" in p]
        if not found:
            raise ValueError(f"{where} is not mounted")
        self.text = found[-1]
        self.ops = {}
        for name, numbers in re.findall(r"^\t\s*([A-Z_0-9]+): ([\d ]+)$", self.text, re.M):
            self.ops[name] = [int(n) for n in numbers.split()]
        self.events = [int(n) for n in self._line("events").split()]
        self.bytes = [int(n) for n in self._line("bytes").split()]

    def _line(self, name):
        m = re.search(rf"^\t{name}:\s*(.*)$", self.text, re.M)
        return m[1] if m else ""

    def count(self, op):
        """Calls of OP that were sent for this mount (READ and WRITE: to data servers too)."""
        return self.ops.get(op, [0])[0]

    def errors(self, op):
        return self.ops[op][8] if len(self.ops.get(op, [])) > 8 else 0

    @property
    def pnfs_reads(self):
        return self.events[-2]

    @property
    def pnfs_writes(self):
        return self.events[-1]

    @property
    def layout(self):
        """LAYOUT_NFSV4_1_FILES, or "not configured"."""
        m = re.search(r"pnfs=(.*?)(,|$)", self._line("nfsv4"))
        return m[1].strip() if m else ""

    def option(self, name):
        m = re.search(rf"[,\s]{name}=([^,\s]+)", self._line("opts"))
        return m[1] if m else None


def nfs_servers(text):
    """/proc/fs/nfsfs/servers: `v4 c000020b 801 1 name` → [(address, port)]."""
    found = []
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) >= 4 and len(fields[1]) == 8:
            found.append((socket.inet_ntoa(bytes.fromhex(fields[1])), int(fields[2], 16)))
    return found


def parse_metrics(text):
    """Prometheus text → {name: {labels text: value}}."""
    found = {}
    for name, labels, value in re.findall(r"^([a-zA-Z_:][\w:]*)(?:\{(.*?)\})?\s+(\S+)", text, re.M):
        found.setdefault(name, {})[labels] = float(value)
    return found


def get_unix(path, what, timeout=5):
    """GET WHAT over a unix socket: status line and body."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(timeout)
        s.connect(path)
        s.sendall(f"GET {what} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        answer = b"".join(iter(lambda: s.recv(65536), b""))
    head, _, body = answer.decode().partition("\r\n\r\n")
    return head.split("\r\n")[0], body


def scrape_unix(path):
    """GET /metrics over a unix socket."""
    status, body = get_unix(path, "/metrics")
    if " 200 " not in status:
        raise ValueError(f"{path}: {status}")
    return parse_metrics(body)


CPU_CLOCK = 2  # of clock_getcpuclockid(3)


def cpu_seconds(pids):
    """User and system time of the processes so far, to the nanosecond (/proc/PID/stat counts in 10 ms)."""
    return sum(time.clock_gettime(~pid << 3 | CPU_CLOCK) for pid in pids)


def _memory_bytes(pids, line):
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            total += int(re.search(rf"{line}:\s+(\d+) kB", f.read())[1]) * 1024
    return total


def memory_bytes(pids):
    return _memory_bytes(pids, "VmRSS")


def own_memory_bytes(pids):
    """Without what processes share with their programs' files."""
    return _memory_bytes(pids, "RssAnon")


def peak_memory_bytes(pids):
    return _memory_bytes(pids, "VmHWM")


def descriptors(pid):
    """How many a process has open; those of folders do not count."""
    links = (f"/proc/{pid}/fd/{name}" for name in os.listdir(f"/proc/{pid}/fd"))
    return sum(not os.path.isdir(link) for link in links)


def tree_bytes(folder, ending=""):
    """(apparent size, blocks used) of all regular files under FOLDER, or of those whose names end in ENDING."""
    size = used = 0
    for root, _, names in os.walk(folder):
        for name in filter(lambda name: name.endswith(ending), names):
            try:
                st = os.lstat(os.path.join(root, name))
            except FileNotFoundError:
                continue
            size += st.st_size
            used += st.st_blocks * 512
    return size, used
