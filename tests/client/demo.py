# SPDX-License-Identifier: Apache-2.0
"""What ./demo shows once everything is built: two stock Linux clients, one metadata server, four data servers."""
import argparse
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from checks import pattern_sha256  # noqa: E402
from cluster import MDS, PORT  # noqa: E402
from guest import HostClient  # noqa: E402
from lab import Lab, LabError  # noqa: E402
from show import MB, Line, amount, bar, bold, dim, good, heading, paint  # noqa: E402

TREE_COPIED = "/usr/include"
KEPT = "nacre-demo"  # the namespace of `--keep`, also known to tests/client/mount


def parse_size(text):
    return int(text[:-1]) << {"M": 20, "G": 30}[text[-1].upper()] if text[-1:].upper() in ("M", "G") else int(text)


def follow(line, client, step, name, size, timeout):
    """Move the line's bar with the events of an iotool step until it ends."""
    while step.status is None:
        seen = len(client.events)
        client.pump(lambda n=seen: step.status is not None or len(client.events) > n, timeout, line.title)
        moved = [int(e.split()[2]) for e in client.events if e.startswith(f"{name} bytes ")]
        if moved:
            line.progress(moved[-1] / size, f"{moved[-1] / MB / max(line.seconds, 0.001):.0f} MB/s")
    return step.wait(timeout)


class Demo:
    def __init__(self, lab, size):
        self.lab, self.size = lab, size
        self.writer, self.reader = lab.clients
        self.failed = []

    def check(self, condition, text):
        if not condition:
            self.failed.append(text)
        return good("✔") if condition else paint("31", "✘")

    def run(self):
        for client in self.lab.clients:
            client.mount()
            client.read_ahead()
        heading("Client 1 writes")
        self.copy_tree()
        self.settle()
        stored, traffic, operations = self.lab.server.stored_bytes(), self.lab.network.traffic(), self.operations()
        self.write_file()
        self.settle()
        grown = [now[0] - then[0] for now, then in zip(self.lab.server.stored_bytes(), stored)]
        heading("Client 2 reads the same bytes back")
        self.compare_tree()
        self.compare_file()
        self.where_the_bytes_are(grown, traffic, operations)
        self.counters()

    def settle(self):
        self.writer.run("sync")

    def operations(self):
        return [self.lab.server.operations(op) for op in ("read", "write")]

    def copy_tree(self):
        names = sum(len(d) + len(f) for _, d, f in os.walk(TREE_COPIED))
        line = Line(f"copies {TREE_COPIED}")
        step = self.writer.spawn(f"cp -rv --preserve=mode,timestamps {TREE_COPIED} n/ | awk '{{ if (++n % 200 == 0) {{ print \"E copied\", n >ENVIRON[\"EVENTS\"]; "
                                 "fflush() } } END { print n }'")
        while step.status is None:
            seen = len(self.writer.events)
            self.writer.pump(lambda n=seen: step.status is not None or len(self.writer.events) > n, 300, line.title)
            copied = [int(e.split()[1]) for e in self.writer.events if e.startswith("copied ")]
            line.progress(min(1, copied[-1] / names) if copied else 0, "files")
        step.wait()
        line.done(f"{names:,} names in {line.seconds:.1f} s")

    def write_file(self):
        line = Line(f"writes one file of {self.size / (1 << 30):g} GiB, and syncs it")
        step = self.writer.spawn(f"iotool fill 7 0 {self.size} n/large --fsync --events $EVENTS")
        follow(line, self.writer, step, "n/large", self.size, 300)
        self.write_rate = self.size / line.seconds / MB
        line.done(f"{line.seconds:.1f} s, {bold(f'{self.write_rate:.0f} MB/s')}")

    def compare_tree(self):
        line = Line(f"{TREE_COPIED}: SHA-256 of every file")
        listing = "find . -type f -print0 | sort -z | xargs -0 openssl dgst -sha256 -r | openssl dgst -sha256 -r"
        here = subprocess.run(["bash", "-c", listing], cwd=TREE_COPIED, stdout=subprocess.PIPE, text=True, check=True).stdout.split()[0]
        there, files = self.reader.run(f"cd n/include; {listing} | cut -d' ' -f1; find . -type f | wc -l", 300).split()
        line.done(f"{self.check(here == there, 'the copied tree differs')} {int(files):,} files, {here[:16]}… = {there[:16]}…  {line.seconds:.1f} s")

    def compare_file(self):
        line = Line("the large file: every byte, then SHA-256")
        step = self.reader.spawn(f"iotool check 7 0 {self.size} n/large --events $EVENTS")
        follow(line, self.reader, step, "n/large", self.size, 300)
        self.read_rate = self.size / line.seconds / MB
        wanted, seen = pattern_sha256(7, self.size), self.reader.run("openssl dgst -sha256 -r n/large", 300).split()[0]
        line.done(f"{self.check(wanted == seen, 'the large file differs')} {wanted[:16]}… = {seen[:16]}…  {bold(f'{self.read_rate:.0f} MB/s')}")

    def where_the_bytes_are(self, grown, traffic, operations):
        heading("Where the large file is")
        now = self.lab.network.traffic()
        widest = max([*grown, 1])
        for number, address in enumerate(self.lab.server.addresses):
            received, sent = (b - a for a, b in zip(traffic[address], now[address]))
            print(f"  ds{number}  {address:<12} {paint('36', bar(grown[number] / widest))} {amount(grown[number]):>9} stored "
                  f"{grown[number] / self.size * 100:5.1f} %   {dim(f'took {amount(received)}, gave {amount(sent)}')}")
        moved = [b - a for a, b in zip(operations, self.operations())]
        both = sum(b - a for a, b in zip(traffic[MDS], now[MDS]))
        mark = self.check(sum(moved) == 0, f"{sum(moved)} READs and WRITEs went through the metadata server")
        print(f"  mds  {MDS:<12} {mark} {bold('0 bytes') if not sum(moved) else f'{sum(moved)} READs and WRITEs'} of file data   "
              f"{dim(f'{amount(both)} of metadata on the wire')}")
        quarter = self.size / len(grown)
        self.check(all(abs(g - quarter) <= (1 << 20) for g in grown), f"not a quarter on each data server: {grown}")

    def counters(self):
        heading("What the clients' kernels counted")
        for label, client in (("client 1", self.writer), ("client 2", self.reader)):
            m = client.mountstats()
            print(f"  {label}  {m.layout}  pNFS writes {m.pnfs_writes:,}  pNFS reads {m.pnfs_reads:,}  GETDEVICEINFO {m.count('GETDEVICEINFO')}  "
                  f"LAYOUTGET {m.count('LAYOUTGET')}  LAYOUTCOMMIT {m.count('LAYOUTCOMMIT')}")
            self.check(m.layout == "LAYOUT_NFSV4_1_FILES" and m.pnfs_reads + m.pnfs_writes > 0, f"{label} did no pNFS I/O")
        print(dim(f"  layouts granted by the metadata server: {self.lab.server.operations('layoutget')} (most ride in the client's OPEN)"))


def keep(lab):
    """Leave servers and network as they are; clients end."""
    heading("The cluster stays up")
    inside, nacre, folder = f"ip netns exec {lab.network.name}", lab.server.nacre, lab.server.folder
    if HostClient.possible():
        print(f"  mount    {bold(f'{inside} mount -t nfs4 -o vers=4.2 {MDS}:/ /mnt')}")
    else:
        print(f"  mount    {bold('tests/client/mount')}   {dim('a stock Linux client in User Mode Linux; there:')} mount -t nfs4 -o vers=4.2 {MDS}:/ /mnt/n")
    print(f"  status   {inside} {nacre} status --socket {folder}/run/mds.sock")
    print(f"  end it   {inside} {nacre} dev down --dir {folder}; ip netns del {lab.network.name}; rm -rf {lab.folder}")
    lab.leave_running()


def main():
    parser = argparse.ArgumentParser(prog="./demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the cluster up and print the mount command")
    parser.add_argument("--size", type=parse_size, default=1 << 30, help="of the large file, like 4G")
    options = parser.parse_args()
    if options.keep and os.path.exists(f"/run/netns/{KEPT}"):
        print(f"demo: a cluster is up already in the network namespace {KEPT}: end it first (./demo --keep said how)", file=sys.stderr)
        return 1
    start = time.monotonic()
    kernel = "host" if HostClient.possible() else "6.1"
    heading("Nacre: stock Linux NFS clients stripe one file over four data servers")
    try:
        line = Line("servers and clients start")
        with Lab(data_servers=4, clients=2, kernel=kernel, stripe_unit=1 << 20, stripe_count=4,
                 name=KEPT if options.keep else None) as lab:
            release = lab.clients[0].run("uname -r").strip()
            where = "this machine's kernel" if kernel == "host" else "User Mode Linux, Debian's kernel as it is"
            line.done(f"{line.seconds:.1f} s")
            print(f"  servers  {MDS}:{PORT} metadata, {lab.server.addresses[0]} … {lab.server.addresses[-1]} data, stripe unit 1 MiB")
            print(f"  clients  2 × Linux {release} ({where}), nothing of ours installed")
            demo = Demo(lab, options.size)
            demo.run()
            heading(f"Write {demo.write_rate:.0f} MB/s, read {demo.read_rate:.0f} MB/s, {time.monotonic() - start:.0f} s in all, on {os.cpu_count()} processors shared by servers and clients")
            if options.keep:
                keep(lab)
    except LabError as error:
        print(f"\n{paint('31', 'It did not work:')} {error}", file=sys.stderr)
        return 1
    for text in demo.failed:
        print(paint("31", f"✘ {text}"))
    if not demo.failed:
        print(good("✔ every byte compared equal, none of it went through the metadata server"))
    return 1 if demo.failed else 0


sys.exit(main())
