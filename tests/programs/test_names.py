#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""Host names in export rules, with the system's own resolver: the name behind an address counts when it leads back to the address."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from programs import Cluster, Folder, wait_until, write  # noqa: E402
from tap import main, note, ok  # noqa: E402

# Clients on this machine come from 127.0.0.1.
RULES = "exports:\n  - path: /\n    rules:\n      - {{clients: '{0}', access: rw, squash: none}}\n      - {{clients: 192.0.2.0/24, access: rw}}\n"
WORK = ("--op", "create", "--clients", "1", "--files", "3", "--directories", "1", "--seconds", "1")


class Named:
    """A cluster that looks names up in HOSTS and nowhere else, in a mount namespace of its own."""

    def __init__(self, hosts):
        self.hosts = hosts

    def __enter__(self):
        self.folder = Folder().__enter__()
        files = {"hosts": self.hosts, "nsswitch.conf": "hosts: files\n", "host.conf": "multi off\n"}
        mounts = [f"mount --bind {write(self.folder.file(name), text)} /etc/{name}" for name, text in files.items()]
        self.exports = write(self.folder.file("exports.yaml"), RULES.format("*.lab.example"))
        script = " && ".join([*mounts, 'exec "$@"'])
        self.cluster = Cluster(1, ("--exports", self.exports), ("unshare", "-m", "sh", "-c", script, "sh"))
        self.cluster.__enter__()
        return self

    def __exit__(self, *_):
        try:
            self.cluster.__exit__()
        finally:
            self.folder.__exit__()

    def rule_for(self, clients):
        write(self.exports, RULES.format(clients))
        self.cluster.ok("export", "reload", "--dir", self.cluster.dir)

    def enters(self, path):
        """Is a client let in? While its name is looked up it is delayed."""
        status, text = wait_until("a decision", lambda: self.attempt(path))
        if status and "NFS4ERR_ACCESS" not in text:
            ok(False, "access is refused with NFS4ERR_ACCESS", text)
        return status == 0

    def attempt(self, path):
        status, text = self.cluster.load("--path", path, *WORK)
        return (status, text) if "NFS4ERR_DELAY" not in text else None


def test_names_of_clients():
    with Named("127.0.0.1 one.lab.example one\n127.0.0.2 two.lab.example\n") as named:
        ok(named.enters("/a"), "*.lab.example is one.lab.example")
        for pattern in ("one.lab.example", "ONE.l*.Example", "o?e.lab.example", "*n*.lab.ex*"):
            named.rule_for(pattern)
            ok(named.enters("/b"), f"{pattern} is, too")
        for pattern in ("*.example", "two.lab.example", "*.other.example", "one.lab", "on?.lab.example.org"):
            named.rule_for(pattern)
            ok(not named.enters("/c"), f"{pattern} is not")


def test_names_that_do_not_lead_back():
    with Named("127.0.0.9 one.lab.example\n127.0.0.1 one.lab.example\n") as named:
        ok(not named.enters("/a"), "a name that leads to another address first is not believed")
    with Named("192.0.2.77 one.lab.example\n") as named:
        ok(not named.enters("/a"), "an address without a name is nobody")


if os.getuid() == 0:
    main(test_names_of_clients, test_names_that_do_not_lead_back)
note("skipped: only root can give a process an /etc/hosts of its own")
