#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""NFSv4 access control lists: nfs4_setfacl and nfs4_getfacl set and show them, the server keeps to them, directories hand them on."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

from checks import equal, ok  # noqa: E402
from lab import Lab  # noqa: E402
from tap import main  # noqa: E402

USER = "setpriv --reuid 1000 --regid 1000 --clear-groups"
LATER = "sleep 1.2; "  # with actimeo=1: what the client knows of rights is asked for anew


def may(client, what):
    return client.status(f"{LATER}{USER} sh -c '{what}' 2>/dev/null") == 0


def test_acls():
    with Lab(data_servers=2) as lab:
        one, two = lab.clients
        for client in lab.clients:
            client.mount(options="actimeo=1")
        one.run("mkdir n/a; echo text >n/a/f; chmod 640 n/a/f")
        plain = one.run("nfs4_getfacl n/a/f | grep -v '^#'").split()
        ok(plain[0].startswith("A::OWNER@:rw") and plain[-1].startswith("A::EVERYONE@:t"), "a mode is shown as a list", plain)
        ok(not may(two, "cat n/a/f"), "somebody else may not read")
        one.run("nfs4_setfacl -a A::1000:r n/a/f")
        ok(may(two, "cat n/a/f"), "until the list says that he may")
        ok(not may(two, "echo more >>n/a/f"), "but not write")
        equal(two.run("stat -c %a n/a/f; nfs4_getfacl n/a/f | grep -c :1000:").split(), ["640", "1"], "the mode is as it was, the list is shown")
        one.run("nfs4_setfacl -a D::1000:r n/a/f")
        ok(not may(two, "cat n/a/f"), "denied first, denied")
        one.run("nfs4_setfacl -s A::OWNER@:rwatTcCy,A::1000:rwatcy,A::EVERYONE@:tcy n/a/f")
        equal(two.run(f"{LATER}stat -c %a n/a/f").strip(), "600", "a list sets the mode")
        ok(may(two, "echo more >>n/a/f"), "and gives what the mode does not")
        one.run("chmod 600 n/a/f")
        ok(not may(two, "cat n/a/f"), "a chmod takes it back")
        one.run("nfs4_setfacl -a A:fd:1000:RWX n/a; umask 077; echo text >n/a/new; mkdir n/a/sub; echo text >n/a/sub/deep")
        ok(may(two, "cat n/a/new n/a/sub/deep && echo more >>n/a/sub/deep && touch n/a/sub/his"), "what is made inside inherits, whatever the umask is")
        equal(two.run("stat -c %a n/a/new n/a/sub").split(), ["600", "700"], "which counts for all others")
        one.run("echo text >n/outside; chmod 600 n/outside")
        ok(not may(two, "cat n/outside"), "nothing is inherited outside")


main(test_acls)
