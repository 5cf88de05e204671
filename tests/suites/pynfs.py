# SPDX-License-Identifier: Apache-2.0
"""pynfs, the server tests for NFSv4.1 and 4.2, against a fresh `nacre dev` cluster on addresses of this machine's own."""
import itertools
import os
import re
import subprocess
import sys

from outcome import Result
from programs import Cluster, LabError, program, write

LEASE_SECONDS = 10
RUNS = [{"minor": minor, "delegations": delegations} for minor, delegations in itertools.product(("1", "2"), ("no", "yes"))]
CHOSEN = ("everything", "noflex", "noblock")  # we have neither flexible file layouts nor block layouts
OUTCOMES = {"PASS": "passed", "FAILURE": "failed", "WARNING": "warned", "UNSUPPORTED": "warned", "OMIT": "omitted"}
PYTHON = "/usr/bin/python3"  # the one that Debian's python3-ply and python3-gssapi are for


def build(folder):
    """Make what pynfs generates from the XDR of the RFCs."""
    if not os.path.exists(os.path.join(folder, "nfs4.1/xdrdef/nfs4_pack.py")):
        for part in ("xdr", "rpc", "nfs4.1"):
            subprocess.run([PYTHON, "setup.py", "build"], cwd=os.path.join(folder, part), check=True, stdout=subprocess.DEVNULL)


def configure(cluster, run):
    with open(os.path.join(cluster.dir, "mds.yaml"), "a", encoding="ascii") as f:
        f.write(f"lease_seconds: {LEASE_SECONDS}\ndelegations: {run['delegations']}\n")
    cluster.ok("dev", "restart", "--dir", cluster.dir, "mds")


def parse(text):
    """Results from what testserver.py prints: `CODE name : OUTCOME`, then lines that say more, between two lines of stars."""
    for code, outcome, more in re.findall(r"^(\w+) +\S+ +: ([A-Z]+)\n((?: {10,}.*\n)*)", text, re.M):
        yield Result(code, OUTCOMES[outcome], " ".join(more.split()))


def results(folder, run, chosen):
    """A Result for each test of CHOSEN (codes and flags; none: all that could be for us)."""
    build(folder)
    with Cluster(data_servers=2) as cluster:
        configure(cluster, run)
        helper = write(cluster.file("helper"), f"#!/bin/sh\nexec {program('nacre')} dev restart --dir {cluster.dir} mds\n", 0o755)
        done = subprocess.run([PYTHON, "testserver.py", f"{cluster.mds}:/t", "--maketree", "--nocleanup", f"--minorversion={run['minor']}",
                               f"--serverhelper={helper}", "--rundeps", "--showomit", *(chosen or CHOSEN)],
                              cwd=os.path.join(folder, "nfs4.1"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, errors="replace", check=False)
        found = list(parse(done.stdout))
        if not found:
            raise LabError(f"pynfs ended with {done.returncode}\n{done.stdout[-3000:]}")
        return found
