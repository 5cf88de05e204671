# SPDX-License-Identifier: Apache-2.0
"""A network namespace of our own: a bridge with the servers' addresses on it, and a tap for each guest.

Namespaces are called nacre-PID-N after the harness's process, so that what a killed harness left can be told from what
a living one uses. One with another name is kept until somebody removes it."""
import itertools
import json
import os
import re
import subprocess

from proc import LabError, end, run

BRIDGE = "br0"
_numbers = itertools.count()


class Network:
    def __init__(self, name=None):
        self.name = name or f"nacre-{os.getpid()}-{next(_numbers)}"
        self.client_names = []

    def up(self, addresses):
        run("ip", "netns", "add", self.name)
        self.ip("link", "set", "lo", "up")
        self.ip("link", "add", BRIDGE, "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
        for address in addresses:
            self.ip("address", "add", f"{address}/24", "dev", BRIDGE)
        self.ip("link", "set", BRIDGE, "up")

    def ip(self, *argv):
        return run("ip", "-n", self.name, *argv)

    def add_tap(self, tap):
        self.ip("tuntap", "add", "dev", tap, "mode", "tap")
        self.ip("link", "set", tap, "master", BRIDGE, "up")

    def add_client_namespace(self, short, address):
        """A second namespace, joined to the bridge, for a client made of the machine's own kernel. Its name."""
        name = f"{self.name}-{short}"
        run("ip", "netns", "add", name)
        self.client_names.append(name)
        self.ip("link", "add", f"v{short}", "type", "veth", "peer", "name", "eth0", "netns", name)
        self.ip("link", "set", f"v{short}", "master", BRIDGE, "up")
        run("ip", "-n", name, "link", "set", "lo", "up")
        run("ip", "-n", name, "address", "add", f"{address}/24", "dev", "eth0")
        run("ip", "-n", name, "link", "set", "eth0", "up")
        return name

    def inside(self, *argv):
        """ARGV as it has to be called to run inside."""
        return ("ip", "netns", "exec", self.name, *argv)

    def run(self, *argv, **options):
        return run(*self.inside(*argv), **options)

    def pids(self):
        done = subprocess.run(["ip", "netns", "pids", self.name], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        return [int(pid) for pid in done.stdout.split()]

    def count_traffic(self, addresses):
        """From now on count the bytes between clients and each server address, below anything a server could claim."""
        rules = ["table ip count {"]
        rules += [f" counter {self._counter(a, way)} {{ }}" for a in addresses for way in ("in", "out")]
        for hook, field, way, interface in (("input", "daddr", "in", "iifname"), ("output", "saddr", "out", "oifname")):
            rules.append(f" chain {hook} {{ type filter hook {hook} priority 0;")
            rules += [f'  {interface} "{BRIDGE}" ip {field} {a} counter name "{self._counter(a, way)}"' for a in addresses]
            rules.append(" }")
        rules.append("}")
        path = f"/tmp/{self.name}.nft"
        with open(path, "w", encoding="ascii") as f:
            f.write("\n".join(rules) + "\n")
        try:
            self.run("nft", "-f", path)
        finally:
            os.unlink(path)

    def cut(self, name, *matches):
        """From now on every packet that one of MATCHES (nft expressions) describes is lost, until heal(NAME). Packets of clients to
        servers come in, their answers go out; what servers say to each other does both, on interface lo."""
        self.run("nft", " ".join(f"add table ip {name}; add chain ip {name} {hook} {{ type filter hook {hook} priority -1; }};" for hook in ("input", "output"))
                 + " ".join(f"add rule ip {name} {hook} {match} drop;" for hook in ("input", "output") for match in matches))

    def heal(self, name):
        """What cut(NAME) did has an end."""
        self.run("nft", f"delete table ip {name}")

    def cut_off(self, address):
        """From now on no packet passes between the client at ADDRESS and any server."""
        self.cut(f"cut_{address.replace('.', '_')}", f"ip saddr {address}", f"ip daddr {address}")

    def join(self, address):
        """What cut_off() did has an end."""
        self.heal(f"cut_{address.replace('.', '_')}")

    @staticmethod
    def _counter(address, way):
        return f"{way}_{address.replace('.', '_')}"

    def traffic(self):
        """{address: (bytes from clients, bytes to clients)}, IP headers included."""
        listing = json.loads(self.run("nft", "-j", "list", "counters"))["nftables"]
        counts = {entry["counter"]["name"]: entry["counter"]["bytes"] for entry in listing if "counter" in entry}
        addresses = {name.split("_", 1)[1] for name in counts}
        return {a.replace("_", "."): (counts[f"in_{a}"], counts[f"out_{a}"]) for a in addresses}

    def connections(self, address, port=2049):
        """The peers of established connections to a server: one address for each connection."""
        listing = self.run("ss", "-Htn", "state", "established", f"( src {address} and sport = :{port} )")
        return [re.search(r"([\d.]+)\]?:\d+\s*$", line)[1] for line in listing.splitlines()]

    def port_of(self, pid, address, port):
        """The port at PID's end of its connection to ADDRESS:PORT; LabError when it has none."""
        listing = self.run("ss", "-Htnp", "state", "established", f"( dst {address} and dport = :{port} )")
        found = re.search(rf"\S+:(\d+)\s+\S+:{port}\s.*pid={pid},", listing)
        if not found:
            raise LabError(f"process {pid} has no connection to {address}:{port}\n{listing}")
        return int(found[1])

    def listening(self, address, port):
        return bool(self.run("ss", "-Hltn", f"src {address}:{port} or src 0.0.0.0:{port} or src [::]:{port}").strip())

    def down(self):
        for pid in self.pids():
            end(pid, 15)
        for name in self.client_names:
            run("ip", "netns", "del", name, check=False)
        run("ip", "netns", "del", self.name, check=False)


def sweep():
    """Remove what harnesses left that were killed before they could: namespaces whose process is no more."""
    for name in run("ip", "netns", "list").split("\n"):
        m = re.match(r"(nacre-(\d+)-\d+)(?![-\w])", name)
        if m and not os.path.exists(f"/proc/{m[2]}"):
            left = Network(m[1])
            left.client_names = re.findall(rf"^({re.escape(m[1])}-\w+)", run("ip", "netns", "list"), re.M)
            left.down()
