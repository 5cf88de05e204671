#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""nacre client list, client revoke and file show, while a client without a kernel writes to data servers."""
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from programs import Cluster, call, get, program  # noqa: E402
from proc import wait_until  # noqa: E402
from tap import equal, main, ok  # noqa: E402

CLIENT_KEYS = {"client", "address", "owner", "minor", "confirmed", "courteous", "renewed_seconds", "sessions", "opens", "locks", "layouts", "delegations"}
FILE_KEYS = {"path", "fileid", "type", "mode", "uid", "gid", "size", "dirty", "stripe_unit", "stripe_count", "first", "pool", "data_servers",
             "opens", "locks", "layouts", "delegations", "returned_layouts"}


def writer(cluster):
    """One client with one file that it has open for as long as nobody ends it."""
    return subprocess.Popen([program("nfsload"), "--server", cluster.mds, "--op", "write", "--clients", "1", "--files", "1", "--size", "4M",
                             "--pnfs", "--seconds", "60"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def clients(cluster):
    return json.loads(cluster.ok("client", "list", "--dir", cluster.dir, "--json"))


def holder(cluster):
    """The id of the client that holds a layout; None."""
    return next((c["client"] for c in clients(cluster) if c["layouts"] > 0), None)


DATA_FILE = "/nfsload/data/b0000"  # as nfsload names it


def fenced(cluster):
    return sum(float(n) for i in range(2) for n in re.findall(r"^nacre_ds_fenced_total\S* (\S+)$", get(cluster.url(f"ds{i}", "/metrics"))[2], re.M))


def test_who_holds_what_and_loses_it():
    with Cluster(2) as cluster:
        equal(cluster.ok("client", "list", "--dir", cluster.dir), "no clients\n", "nobody is there")
        load = writer(cluster)
        try:
            wait_until("a client with a layout", lambda: holder(cluster))
            listed = clients(cluster)
            ok(all(set(c) == CLIENT_KEYS for c in listed), "client list --json", listed)
            client = next(c for c in listed if c["layouts"] > 0)
            ok(client["confirmed"] and not client["courteous"] and client["opens"] > 0 and client["renewed_seconds"] < 45, "a client that is well", client)
            text = cluster.ok("client", "list", "--dir", cluster.dir)
            ok(client["client"] in text and text.startswith("ID ") and client["owner"] in text, "and for people", text)
            file = json.loads(cluster.ok("file", "show", DATA_FILE, "--dir", cluster.dir, "--json"))
            ok(set(file) == FILE_KEYS and file["type"] == "file", "file show --json", file)
            equal(sorted(s["name"] for s in file["data_servers"]), ["ds0", "ds1"], "its data servers")
            ok([o["client"] for o in file["opens"]] == [client["client"]] and file["layouts"][0]["iomode"] == "rw", "its holder", file)
            text = cluster.ok("file", "show", DATA_FILE, "--dir", cluster.dir)
            ok("striped in units of 1048576 over 2 data servers" in text and f"  {client['client']} access " in text, "and for people", text)
            before = fenced(cluster)
            done = json.loads(cluster.ok("client", "revoke", client["client"], "--dir", cluster.dir, "--json"))
            ok(done["opens"] >= 1 and done["layouts"] >= 1, "it has lost them", done)
            ok("event=client-revoked" in cluster.log("mds"), "which the log tells")
            wait_until("the writer is refused", lambda: fenced(cluster) > before)
        finally:
            load.kill()
            load.wait()


def test_what_is_not_there():
    with Cluster(1) as cluster:
        for argv, error in ((("client", "revoke", "12"), "no client has this id; allowed: one that `nacre client list` shows"),
                            (("client", "revoke", "x"), "no client has this id; allowed: one that `nacre client list` shows"),
                            (("file", "show", "/no/such"), "no such file; allowed: a path from the root of the name space"),
                            (("file", "show", "relative"), "no such file; allowed: a path from the root of the name space")):
            status, out, err = cluster.run(*argv, "--dir", cluster.dir)
            ok((status, out) == (1, "") and error in err, " ".join(argv), err)
        ok(cluster.ok("file", "show", "/", "--dir", cluster.dir).startswith("/: directory, fileid 1, mode "), "the root")
        equal(call("nacre", "client", "revoke")[0], 2, "an id is needed")
        cluster.kill("mds")
        status, _, err = cluster.run("client", "list", "--dir", cluster.dir)
        ok(status == 1 and "; is the server running? " in err, "without the server", err)


main(test_who_holds_what_and_loses_it, test_what_is_not_there)
