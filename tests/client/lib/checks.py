# SPDX-License-Identifier: Apache-2.0
"""What several tests look at: checksums, byte shares of data servers, traffic of the metadata server."""
import os
import subprocess

from cluster import MDS
from proc import TOOLS
from tap import equal, note, ok

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


def pattern_sha256(seed, length):
    """SHA-256 of iotool's pattern, computed outside of any client."""
    tool = subprocess.Popen([os.path.join(TOOLS, "iotool"), "cat", str(seed), "0", str(length)], stdout=subprocess.PIPE)
    digest = subprocess.run(["openssl", "dgst", "-sha256", "-r"], stdin=tool.stdout, stdout=subprocess.PIPE, check=True, text=True).stdout
    tool.stdout.close()
    if tool.wait():
        raise RuntimeError("iotool cat failed")
    return digest.split()[0]


def file_sha256(client, path, timeout=300):
    return client.run(f"openssl dgst -sha256 -r {path}", timeout).split()[0]


def component_sizes(size, unit, count):
    """How many bytes of a file of SIZE each of COUNT servers holds, first stripe first."""
    whole, rest = divmod(size, unit * count)
    return [whole * unit + min(max(rest - i * unit, 0), unit) for i in range(count)]


class Stored:
    """What the data servers' stores grew by since this was made, from the sizes of their files."""

    def __init__(self, lab):
        self.lab, self.before = lab, lab.server.stored_bytes()

    def growth(self):
        return [now[0] - then[0] for now, then in zip(self.lab.server.stored_bytes(), self.before)]

    def check_shares(self, size, unit, count, name):
        """Each data server took its part of one file of SIZE, ± one unit (not less than 64 KiB: a log may grow too)."""
        seen, wanted = sorted(self.growth()), sorted(component_sizes(size, unit, count) + [0] * (len(self.before) - count))
        slack = max(unit, 64 * KIB)
        ok(all(abs(s - w) <= slack for s, w in zip(seen, wanted)), name, f"bytes per data server {seen}, wanted {wanted} ± {slack}")
        note(f"bytes per data server: {self.growth()}")


class Traffic:
    """Bytes on the wire between clients and servers since this was made."""

    def __init__(self, lab):
        self.lab, self.before = lab, lab.network.traffic()
        self.operations = self._mds_data_operations()

    def _mds_data_operations(self):
        server = self.lab.server
        return [server.operations(op) for op in ("read", "write", "commit")] if server.kind == "nacre" else None

    def of(self, address):
        now, then = self.lab.network.traffic()[address], self.before[address]
        return now[0] - then[0], now[1] - then[1]

    def check_mds_moved_no_data(self, data_bytes, name):
        """Metadata is small: less than 1/200 of the data, or 512 KiB for small files, both ways together."""
        received, sent = self.of(MDS)
        limit = max(data_bytes // 200, 512 * KIB)
        ok(received + sent < limit, name, f"the metadata server received {received} and sent {sent} bytes, limit {limit}")
        if self.operations is not None:
            equal(self._mds_data_operations(), self.operations, f"{name}, by its own count (READ, WRITE, COMMIT)")
        note(f"metadata server: {received} bytes in, {sent} out, for {data_bytes} bytes of data")


def write_pattern(client, seed, length, path, options="", timeout=300):
    return client.run(f"iotool fill {seed} 0 {length} {path} {options}", timeout)


def check_pattern(client, seed, length, path, name, options="", timeout=300):
    """The file holds iotool's pattern of SEED and has exactly LENGTH bytes."""
    # `wc` opens the file, so that the client asks for the size now; `stat` may say what it knew 3 s ago.
    step = client.spawn(f"[ $(wc -c <{path}) = {length} ] || {{ stat -c 'size %s' {path}; exit 1; }}; iotool check {seed} 0 {length} {path} {options}")
    step.wait(timeout, check=False)
    return ok(step.status == 0, name, step.output() + step.errors())


def check_pnfs(client, name, reads=False, writes=False):
    m = client.mountstats()
    ok(m.layout == "LAYOUT_NFSV4_1_FILES" and (m.pnfs_reads > 0 or not reads) and (m.pnfs_writes > 0 or not writes), name,
       f"pnfs={m.layout}, pNFS reads {m.pnfs_reads}, pNFS writes {m.pnfs_writes}")
    return m


__all__ = ["GIB", "KIB", "MIB", "Stored", "Traffic", "check_pattern", "check_pnfs", "component_sizes", "equal", "file_sha256", "note", "ok",
           "pattern_sha256", "write_pattern"]
