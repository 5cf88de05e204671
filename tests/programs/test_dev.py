#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""nacre dev with the real daemons: twice, killed, beside others, on a full disk, over IPv6; and what nacre tells of a cluster."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from programs import Cluster, Folder, address, call, has_ipv6, program, read, write  # noqa: E402
from tap import equal, main, note, ok  # noqa: E402

SERVER_KEYS = {"name", "id", "state", "addrs", "total", "free", "used", "objects", "last_heard_ms"}
STATUS_KEYS = {"version", "fsid", "lease_seconds", "data_servers", "clients", "opens", "layouts", "uptime_seconds", "fenced_epoch"}


def test_status():
    with Cluster(2) as cluster:
        status = json.loads(cluster.ok("status", "--dir", cluster.dir, "--json"))
        servers = json.loads(cluster.ok("ds", "list", "--dir", cluster.dir, "--json"))
        ok(STATUS_KEYS <= set(status), "status --json", STATUS_KEYS - set(status))
        equal([(s["name"], s["state"], s["addrs"]) for s in servers],
              [("ds0", "up", [f"{address(2)}:2049"]), ("ds1", "up", [f"{address(3)}:2049"])], "ds list --json: in the order of their names")
        ok(all(SERVER_KEYS <= set(s) and 0 < s["free"] <= s["total"] and 0 <= s["last_heard_ms"] < 5000 for s in servers), "and what is of each", servers)
        equal(cluster.load("--op", "write", "--clients", "1", "--files", "2", "--size", "1M", "--seconds", "1")[0], 0, "something is written")
        text = cluster.ok("status", "--dir", cluster.dir)
        words = ("nacre ", "\nclients 0, ", " open files 0, ", " layouts 0, ", " lease 45s, ", "\nds1   up ")
        ok(all(word in text for word in words), "status for people", text)
        if os.getuid() == 0:
            unprivileged = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program("nacre"), "status", "--dir", cluster.dir]
            done = subprocess.run(unprivileged, capture_output=True, text=True, check=False)
            ok(done.returncode == 1 and "Permission denied; only its own user and root may" in done.stderr, "the admin socket is not for others", done.stderr)
        cluster.kill("ds1")
        state = json.loads(cluster.ok("ds", "list", "--dir", cluster.dir, "--json"))[1]["state"]
        ok(state == "down", "a data server that is gone is down", state)
        cluster.kill("mds")
        for command in (("status",), ("ds", "list"), ("status", "--json")):
            done = cluster.run(*command, "--dir", cluster.dir)
            ok(done[0] == 1 and done[1] == "" and "; is the server running? " in done[2], f"{' '.join(command)} without the server", done)


def test_killed_servers_and_old_pid_files():
    with Cluster(2) as cluster:
        status, _, error = cluster.run("dev", "up", "--dir", cluster.dir)
        ok(status == 1 and f"runs already (mds, pid {cluster.pid('mds')})" in error, "up twice", error)
        cluster.kill("mds")
        status, _, error = cluster.run("dev", "up", "--dir", cluster.dir)
        ok(status == 1 and f"runs already (ds0, pid {cluster.pid('ds0')})" in error, "up beside what is left", error)
        equal(cluster.ok("dev", "restart", "--dir", cluster.dir, "mds"), "mds restarted\n", "a dead one is restarted")
        cluster.kill("ds1")
        old = {name: cluster.pid(name) for name in ("mds", "ds0", "ds1")}
        ok(cluster.ok("dev", "down", "--dir", cluster.dir).startswith("2 of 3 servers stopped, data kept in "), "down without one of them")
        ok(cluster.ok("dev", "down", "--dir", cluster.dir).startswith("0 of 3 servers stopped"), "down twice")
        stranger = subprocess.Popen(["tail", "-f", os.path.join(cluster.dir, "mds.yaml")], stdout=subprocess.DEVNULL)
        pid_files = {"mds": stranger.pid, "ds0": 1, "ds1": "garbage"}
        for name, pid in pid_files.items():
            write(os.path.join(cluster.dir, "run", name + ".pid"), f"{pid}\n")
        ok("mount -t nfs4" in cluster.up(), "up over old pid files")
        ok(not {cluster.pid(name) for name in old} & {*old.values(), stranger.pid}, "new processes")
        cluster.ok("dev", "down", "--dir", cluster.dir)
        equal(stranger.poll(), None, "the stranger whose number it was lives")
        stranger.kill()
        stranger.wait()
        ok("level=error" not in cluster.log("mds"), "and nothing is wrong with the store", cluster.log("mds"))


def test_ports_of_others():
    with Cluster(1) as cluster, Folder() as other:
        before = cluster.ok("status", "--dir", cluster.dir, "--json")
        for server, ds, what in ((cluster.mds, address(9), f"mds: {cluster.mds}:2049 is in use by another program"),
                                 (address(8), address(2), f"ds0: {address(2)}:2049 is in use by another program"),
                                 (f"{cluster.mds}:2051", f"{cluster.mds}:2050", f"ds0: {cluster.mds}:2050 is in use by another program")):
            status, _, error = call("nacre", "dev", "up", "--dir", other.file("c"), "--mds", server, "--ds", ds)
            equal((status, error), (1, f"nacre: {what}\n"), what)
        ok(not os.path.exists(other.file("c/mds.yaml")), "nothing was written")
        equal(json.loads(before)["fsid"], json.loads(cluster.ok("status", "--dir", cluster.dir, "--json"))["fsid"], "and the first one runs on")


def test_directories_that_cannot_be():
    with Folder() as folder:
        where = ("--mds", address(1), "--ds", address(2))
        equal(call("nacre", "dev", "up", "--dir", write(folder.file("f"), ""), *where)[::2], (1, f"nacre: {folder.file('f')}: Not a directory\n"), "a file")
        equal(call("nacre", "dev", "up", "--dir", folder.file("a/b"), *where)[::2], (1, f"nacre: {folder.file('a/b')}: No such file or directory\n"),
              "a folder in none")
        long = folder.file("x" * 100)
        status, _, error = call("nacre", "dev", "up", "--dir", long, *where)
        ok(status == 1 and error.endswith("too long a path for the sockets in it; allowed: 93 bytes\n"), "too long a path", error)
        ok(not os.path.exists(long), "nothing is left of it")
        for addr in ("0.0.0.0", "[::]:2049"):
            status, _, error = call("nacre", "dev", "up", "--dir", folder.file("c"), "--mds", address(1), "--ds", addr)
            ok(status == 2 and "allowed: the address that clients are to connect to" in error, f"--ds {addr}", error)


# The daemons live in the mount namespace in which they were started, and the file system with them.
FULL = """mount -t tmpfs -o size={size} tmpfs {folder} && cd {folder} || exit 99
{nacre} dev up --dir c --mds {mds} --ds {ds}; echo status $?
{nacre} dev down --dir c
{extra}
"""
REFILLED = """dd if=/dev/zero of=fill bs=64k 2>/dev/null; find c -name '*.yaml' | xargs cat | cksum
{nacre} dev up --dir c; echo status $?
find c -name '*.yaml' | xargs cat | cksum; find c -name '*.new'
rm fill; {nacre} dev up --dir c >/dev/null; echo status $?; {nacre} dev down --dir c
"""


def on_small_disk(folder, size, extra=""):
    names = {"size": size, "folder": folder.path, "nacre": program("nacre"), "mds": address(1), "ds": address(2)}
    script = FULL.format(extra=extra.format(**names), **names)
    done = subprocess.run(["unshare", "-m", "sh", "-c", script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=250, check=False)
    return done.stdout


def test_full_disk():
    if os.getuid() != 0:
        note("skipped: only root can mount a small disk")
        return
    with Folder() as folder:
        text = on_small_disk(folder, "64k")
        # Either the MDS ends first, or its half-made store has already taken what ds0's pid file needs.
        who = "nacre: mds has ended\n" in text or "nacre: cannot keep track of ds0 (pid " in text
        ok(who and "No space left on device" in text and "status 1\n" in text, "no room for a new store", text)
        text = on_small_disk(folder, "96m", REFILLED)
        ok(text.count("status 0\n") == 2 and "No space left on device\nstatus 1\n" in text, "full, up is refused; with room again it goes on", text)
        sums = [line for line in text.splitlines() if line[:1].isdigit() and len(line.split()) == 2]
        ok(len(sums) == 2 and sums[0] == sums[1] and ".new" not in text, "and no file was harmed meanwhile", text)


def test_ipv6():
    if not has_ipv6():
        note("skipped: this machine has no ::1")
        return
    with Folder() as folder:
        exports = write(folder.file("exports.yaml"), "exports:\n  - path: /\n    rules:\n      - {clients: '::1/128', access: rw, squash: none}\n")
        port = 20000 + os.getpid() % 10000 * 4
        where = ("--mds", f"[::1]:{port}", "--ds", f"[::1]:{port + 2}", "--exports", exports)
        status, out, error = call("nacre", "dev", "up", "--dir", folder.file("c"), *where)
        try:
            ok(status == 0 and f"mount -t nfs4 -o vers=4.2,port={port} [::1]:/ /mnt\n" in out, "a cluster at ::1", out + error)
            status, out, error = call("nfsload", "--server", f"[::1]:{port}", "--pnfs", "--op", "write", "--clients", "1", "--files", "2", "--size", "2M",
                                      "--seconds", "1")
            ok(status == 0, "whose data server is reached by its IPv6 address", out + error)
            servers = json.loads(call("nacre", "ds", "list", "--dir", folder.file("c"), "--json")[1])
            equal(servers[0]["addrs"], [f"[::1]:{port + 2}"], "and told so")
            write(exports, read(exports).replace("::1/128", "2001:db8::/32"))
            equal(call("nacre", "export", "reload", "--dir", folder.file("c"))[0], 0, "reloaded")
            status, out, _ = call("nfsload", "--server", f"[::1]:{port}", "--op", "stat", "--clients", "1", "--files", "2", "--seconds", "1")
            ok(status != 0 and "ACCESS" in out + _, "a network that the client is not of", out + _)
        finally:
            call("nacre", "dev", "down", "--dir", folder.file("c"))


main(test_status, test_killed_servers_and_old_pid_files, test_ports_of_others, test_directories_that_cannot_be, test_full_disk, test_ipv6)
