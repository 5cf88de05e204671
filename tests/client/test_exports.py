#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""Several exports form one pseudo file system; rules, squashing and POSIX permissions hold for the stock client."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

from checks import MIB, check_pattern, equal, ok, write_pattern  # noqa: E402
from lab import Lab  # noqa: E402
from tap import main  # noqa: E402

LIMIT_SECONDS = 200

# Client 1 is 192.0.2.101, client 2 is 192.0.2.102.
EXPORTS = """
exports:
  - path: /pub/data
    rules:
      - {clients: 192.0.2.101, access: rw, squash: none}
      - {clients: "*", access: ro, squash: all}
  - path: /pub/private
    rules:
      - {clients: 192.0.2.101, access: rw, squash: none}
  - path: /home
    rules:
      - {clients: 192.0.2.0/24, access: rw, squash: root, anonuid: 1234, anongid: 1235, pnfs: off}
"""


def exports_file(text):
    path = f"/var/tmp/nacre-exports-{os.getpid()}.yaml"
    with open(path, "w", encoding="ascii") as f:
        f.write(text)
    return path


def test_pseudo_file_system():
    path = exports_file(EXPORTS)
    try:
        with Lab(data_servers=2, exports=path) as lab:
            one, two = lab.clients
            one.mount()
            two.mount()
            equal(one.run("ls n; ls n/pub").split(), ["home", "pub", "data", "private"], "the whole tree from the root")
            equal(two.run("ls n; ls n/pub").split(), ["home", "pub", "data"], "what a client may not enter it does not see")
            write_pattern(one, 1, 3 * MIB, "n/pub/data/f", "--fsync")
            equal(one.run("grep -c ' nfs4 ' /proc/self/mounts").strip(), "2", "an export is a mount of its own below the root")
            fsids = one.run("stat -f -c %i n n/pub n/pub/data n/home; stat -c %d n n/pub n/pub/data n/home").split()[4:]
            ok(fsids[0] == fsids[1] and len(set(fsids)) == 3, "three file systems", fsids)
            check_pattern(two, 1, 3 * MIB, "n/pub/data/f", "read under a read-only rule")
            ok(two.status("touch n/pub/data/f") and two.status("echo x >>n/pub/data/f") and two.status("rm n/pub/data/f"),
               "but not touched, written or removed")
            ok(two.status("ls n/pub/private"), "no way into the other export")
            ok(two.status("mkdir n/x") and two.status("rm -r n/home") and two.status("mv n/home n/x"), "the pseudo file system cannot be changed")
            ok(one.status("mv n/pub/data/f n/pub/private/f") == 0 and one.status("test -e n/pub/data/f") != 0, "mv across exports copies")
            ok(one.status("cd n/pub/data; cd ..; test $(pwd -P) = /mnt/n/pub; ls data") == 0, "up and down again")
            one.run("mkdir -p m; mount -t nfs4 -o vers=4.2 192.0.2.1:/pub/private m; iotool check 1 0 3M m/f; umount m")
            ok(True, "an export is mounted by its path")
            ok(one.status("touch n/home/f") != 0, "root is somebody else where it is squashed")
            ok("pnfs=not configured" in one.run("grep -A12 'mounted on /mnt/n/home' /proc/self/mountstats"), "pnfs: off gives no layouts")
    finally:
        os.unlink(path)


RULE = "exports:\n  - path: /\n    rules:\n      - {clients: 192.0.2.0/24, "


def test_reload():
    path = exports_file(RULE + "access: rw, squash: none}\n")

    def reload(text):
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
        return lab.server.command("export", "reload", "--dir", lab.server.folder, check=False)

    try:
        with Lab(data_servers=2, clients=1, exports=path) as lab:
            client = lab.clients[0]
            client.mount()
            write_pattern(client, 1, 3 * MIB, "n/f", "--fsync")
            client.run("mkdir -m 777 n/d")
            equal(reload(RULE + "access: ro, squash: none}\n"), "export policies read again\n", "the policy becomes read-only")
            ok("Read-only file system" in client.run("touch n/g 2>&1 || true") and client.status("echo x >>n/f"), "nothing is made or written any more")
            check_pattern(client, 1, 3 * MIB, "n/f", "what is there is read")
            ok(f"{path}:4: access: 'rx' is not valid; allowed: ro, rw" in reload(RULE + "access: rx}\n"), "a broken policy is refused with its line")
            ok(client.status("touch n/g"), "and the one before still holds")
            reload(RULE + "access: rw}\n")
            ok(client.status("touch n/g"), "root is squashed where nothing is said")
            equal(client.run("touch n/d/h; stat -c '%u %g' n/d/h").strip(), "65534 65534", "to nobody")
            reload(RULE.replace("192.0.2.0/24", "192.0.2.0/30") + "access: rw, squash: none}\n")
            ok(client.status("ls n/d; cat n/f"), "who is not named any more is not let in")
    finally:
        os.unlink(path)


AS = "setpriv --reuid {0} --regid {0} --clear-groups"


def as_user(uid, script):
    return f"{AS.format(uid)} bash -c '{script}'"


def test_permissions():
    with Lab(data_servers=2, clients=1) as lab:
        client = lab.clients[0]
        client.mount()
        client.run("mkdir -m 1777 n/tmp; mkdir -m 2775 n/team; chgrp 2000 n/team; chmod 2777 n/team")
        client.run(as_user(2000, "umask 022; echo secret >n/tmp/a; chmod 600 n/tmp/a; echo open >n/tmp/b"))
        ok(client.status(as_user(3000, "cat n/tmp/a")) != 0, "mode 600 keeps others out")
        equal(client.run(as_user(3000, "cat n/tmp/b")).strip(), "open", "mode 644 lets them read")
        ok(client.status(as_user(3000, "echo x >>n/tmp/b")) != 0, "and not write")
        ok(client.status(as_user(3000, "rm -f n/tmp/b")) != 0 and client.status(as_user(3000, "mv n/tmp/b n/tmp/c")) != 0,
           "a sticky directory keeps what is others'")
        ok(client.status(as_user(3000, "chmod 777 n/tmp/b")) != 0 and client.status(as_user(2000, "chown 3000 n/tmp/b")) != 0,
           "chmod is the owner's, chown root's")
        client.run(as_user(3000, "touch n/team/f; mkdir n/team/d; cp /bin/true n/team/x; chmod 4755 n/team/x"))
        equal(client.run("stat -c '%u %g %a' n/team/f n/team/d n/team/x").split("\n")[:3], ["3000 2000 644", "3000 2000 2755", "3000 2000 4755"],
              "a set-gid directory gives its group, and directories the bit")
        client.run("chmod 666 n/tmp/b; chmod 4777 n/team/x")
        client.run(as_user(2000, "echo more >>n/team/x"))
        client.run("sync; echo 3 >/proc/sys/vm/drop_caches")
        equal(client.run("stat -c %a n/team/x").strip(), "777", "a write takes set-uid away")
        client.run("chmod 4755 n/team/x; chown 2000 n/team/x")
        equal(client.run("stat -c '%u %a' n/team/x").strip(), "2000 755", "so does chown")
        client.run(as_user(2000, "touch -d 2001-02-03T04:05:06.123456789Z n/tmp/b"))
        equal(client.run("TZ=UTC stat -c %y n/tmp/b").strip(), "2001-02-03 04:05:06.123456789 +0000", "times to the nanosecond")
        ok(client.status(as_user(3000, "touch -d 2001-01-01 n/tmp/b")) != 0 and client.status(as_user(3000, "touch n/tmp/b")) == 0,
           "who may write may set them to now, and only to now")
        client.run("mknod n/tmp/null c 1 3; mkfifo n/tmp/p")
        equal(client.run("stat -c '%F %t %T' n/tmp/null n/tmp/p").split("\n")[:2], ["character special file 1 3", "fifo 0 0"], "devices and fifos")
        ok(client.status(as_user(3000, "mknod n/tmp/zero c 1 5")) != 0, "devices are root's")
        client.run("setpriv --reuid 3000 --regid 3000 --groups 2000 bash -c 'chgrp 2000 n/team/f; echo x >n/team/g; chmod 2755 n/team/g'")
        equal(client.run("stat -c '%g %a' n/team/g").strip(), "2000 2755", "supplementary groups count")


main(test_pseudo_file_system, test_reload, test_permissions)
