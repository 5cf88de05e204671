#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""Configuration files that are wrong: FILE:LINE: what is wrong; allowed: what is. What SIGHUP takes, and how the daemons end."""
import os
import re
import signal
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from programs import LINE, SANITIZERS, Folder, address, call, program, read, wait_until, write  # noqa: E402
from tap import equal, main, ok  # noqa: E402

KEY = "0123456789abcdef" * 4 + "\n"
EXPORTS = "exports:\n  - path: /\n    rules:\n      - {clients: '*', access: rw}\n"
MESSAGE = re.compile(r"([^:]+):([0-9]+): [^;]+(; [^;]+)*; allowed: .+\n")

# What is put behind (or instead of, after "=") a configuration that is right, the line that is blamed, and a part of the message.
# A right one has 6 lines at both daemons.
BOTH = (
    ("frob: 1\n", 7, "unknown key 'frob'; allowed: listen, "),
    ("log_level: loud\n", 7, "log_level: 'loud' is not valid; allowed: error, warn, info, debug"),
    ("log_level: [info]\n", 7, "log_level: '(a list)' is not valid"),
    ("limits: 5\n", 7, "limits: '5' is not valid; allowed: a mapping with"),
    ("limits:\n  memory: 1M\n", 8, "memory: '1M' is not valid; allowed: a size (K, M, G, T) from 64M to 16T"),
    ("limits:\n  memory: 1Q\n", 8, "memory: '1Q' is not valid; allowed: a size (K, M, G, T)"),
    ("store: /x\n", 7, "'store' stands twice; allowed: once (line 4)"),
    ("---\nstore: /x\n", 8, "a second document; allowed: one in a file"),
    ("\tlog_level: info\n", 7, "not YAML: found a tab character"),
    ("log_level: \"\\x1b[31m\"\n", 7, "log_level: '?[31m' is not valid"),
    (b"# \x01\n", 7, "not YAML: control characters are not allowed"),
    ("=", 1, "is missing; allowed: "),
    ("=# a comment\n", 1, "is missing; allowed: "),
    ("=- a\n- b\n", 1, "not a mapping; allowed: lines of the form key: value"),
    (b"=\x7fELF\x02\x01\x01\x00", 1, "not YAML: "),
    (b"=\xff\xfe\xfd\xfc\xfb", 1, "not YAML: "),
)
NAMED = (
    (r"(cluster_key: ).*", r"\1/nowhere/key", 5, "cluster_key: /nowhere/key: No such file or directory; allowed: a file of 64 hexadecimal"),
    (r"(cluster_key: ).*", r"\1/", 5, "cluster_key: /: Is a directory; allowed: "),
    (r"(cluster_key: ).*", r"\1/etc/passwd", 5, "cluster_key: /etc/passwd: others may read it; allowed: "),
    (r"(listen: ).*", r"\1 localhost", 1, "listen: 'localhost' is not valid; allowed: "),
    (r"(listen: ).*", r"\1 127.0.0.1:70000", 1, "listen: '127.0.0.1:70000' is not valid; allowed: "),
    (r"(listen: ).*", r"\1 []", 1, "listen: too short a list; allowed: at least 1"),
)
MDS = (
    ("lease_seconds: 5\n", 7, "lease_seconds: '5' is not valid; allowed: a number from 10 to 3600"),
    ("stripe_unit: 5000\n", 7, "stripe_unit: '5000' is not valid; allowed: a size (K, M) from 4K to 255M, a multiple of 4K"),
)
MDS_NAMED = (
    (r"(exports: ).*", r"\1/nowhere/e.yaml", 6, "exports: /nowhere/e.yaml: No such file or directory; allowed: a YAML file"),
    (r"(exports: ).*", r"\1/", 6, "exports: /: Is a directory; allowed: a YAML file of export policies"),
)
DS = (("io: aio\n", 7, "io: 'aio' is not valid; allowed: uring, threads"),)
DS_NAMED = ((r"(listen: ).*", r"\1 '0.0.0.0'", 1, "listen: '0.0.0.0' is not valid; allowed: the addresses at which clients reach this server"),)


def right_mds(folder):
    return (f"listen: {address(1)}:2049\ncontrol: {address(1)}:2050\nadmin_socket: {folder.file('mds.sock')}\nstore: {folder.file('mds')}\n"
            f"cluster_key: {folder.file('key')}\nexports: {folder.file('exports.yaml')}\n")


def right_ds(folder):
    return (f"listen: {address(2)}:2049\nmds: {address(1)}:2050\nadmin_socket: {folder.file('ds.sock')}\nstore: {folder.file('ds')}\n"
            f"cluster_key: {folder.file('key')}\nname: ds0\n")


def changed(right, wrong):
    wrong = wrong if isinstance(wrong, bytes) else wrong.encode()
    return wrong[1:] if wrong.startswith(b"=") else right.encode() + wrong


def refused(daemon, path, line, part, what):
    status, out, error = call(daemon, "--config", path, "--check-config")
    found = MESSAGE.fullmatch(error)
    ok(status == 2 and out == "" and found and found[1] == path and int(found[2]) == line and part in error, what, f"{status} {out}{error}")


def check(daemon, folder, right, wrong, named):
    path = folder.file("conf.yaml")
    write(path, right)
    equal(call(daemon, "--config", path, "--check-config"), (0, f"{path}: fine\n", ""), f"{daemon}: a right one")
    for text, line, part in wrong:
        write(path, changed(right, text))
        refused(daemon, path, line, part, f"{daemon}: {part}")
    for pattern, instead, line, part in named:
        write(path, re.sub(pattern, instead, right))
        refused(daemon, path, line, part, f"{daemon}: {part}")
    refused(daemon, folder.path, 1, "Is a directory", f"{daemon}: a directory")
    refused(daemon, "/nowhere/conf.yaml", 1, "No such file or directory", f"{daemon}: no file")


def prepared(folder):
    write(folder.file("key"), KEY, 0o600)
    write(folder.file("exports.yaml"), EXPORTS)


def test_wrong_files():
    with Folder() as folder:
        prepared(folder)
        check("nacre-mds", folder, right_mds(folder), BOTH + MDS, NAMED + MDS_NAMED)
        check("nacre-ds", folder, right_ds(folder), BOTH + DS, NAMED + DS_NAMED)
        path = write(folder.file("mds.yaml"), right_mds(folder))
        write(folder.file("exports.yaml"), EXPORTS.replace("rw", "rx"))
        for extra in ((), ("--check-config",)):
            status, _, error = call("nacre-mds", "--config", path, *extra)
            equal((status, error), (2, folder.file("exports.yaml") + ":4: access: 'rx' is not valid; allowed: ro, rw\n"),
                  f"broken export policies {' '.join(extra)}")


def test_arguments():
    for daemon in ("nacre-mds", "nacre-ds"):
        status, out, _ = call(daemon, "--help")
        ok(status == 0 and all(word in out for word in ("--config FILE", "--check-config", "SIGHUP", "Exit status")), f"{daemon} --help", out)
        equal(call(daemon, "--version")[:2], (0, call("nacre", "--version")[1].replace("nacre", daemon)), f"{daemon} --version")
        for wrong in ((), ("--frob",), ("--config", "/x", "extra"), ("--config",)):
            status, out, error = call(daemon, *wrong)
            ok(status == 2 and out == "" and "usage: " in error, f"{daemon} {' '.join(wrong)}: the usage, and status 2", error)
    equal(call("nacre-mds", "--config", "/x", "--check-config", "--fsck")[0], 2, "one thing at a time")


class Daemon:
    """NAME with the configuration at PATH, logging to a file beside it."""

    def __init__(self, name, path):
        self.path, self.log_path = path, path + ".log"
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([program(name), "--config", path], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def log(self):
        return read(self.log_path)

    def wait(self, text):
        wait_until(f"'{text}' in the log", lambda: text in self.log() or self.process.poll() is not None)
        return text in self.log()

    def hang_up(self, text, expected):
        """Write the configuration TEXT, SIGHUP; is EXPECTED then logged once more?"""
        write(self.path, text)
        before = self.log().count(expected)
        self.process.send_signal(signal.SIGHUP)
        wait_until(f"'{expected}' in the log", lambda: self.log().count(expected) > before)
        return self.process.poll() is None

    def end(self, number, name):
        self.process.send_signal(number)
        equal(self.process.wait(60), 0, f"{name} ends cleanly on a signal")
        lines = self.log().splitlines()
        ok("event=stopped status=0" in lines[-1], "and says so last", lines[-1])
        odd = [line for line in lines if not LINE.fullmatch(line)]
        ok(not odd and not any(word in self.log() for word in SANITIZERS), "each line of the log is one event", "\n".join(odd))


def test_signals_at_the_metadata_server():
    with Folder() as folder:
        prepared(folder)
        right = right_mds(folder)
        with Daemon("nacre-mds", write(folder.file("mds.yaml"), right)) as mds:
            ok(mds.wait("event=mds-started"), "started", mds.log())
            ok(mds.hang_up(right + "log_level: debug\n", "event=reloaded log_level=debug"), "SIGHUP takes the log level")
            ok(mds.hang_up(right + "log_level: loud\n", "event=reload-failed why="), "a broken file changes nothing")
            ok(mds.hang_up(right + "lease_seconds: 90\n", "event=restart-needed changed=lease_seconds"), "what takes a restart is told")
            ok(mds.hang_up(right, "event=exports-loaded "), "SIGHUP takes the export policies")
            write(folder.file("exports.yaml"), "exports: 3\n")
            ok(mds.hang_up(right, "event=exports-kept "), "broken ones are told")
            status, _, error = call("nacre", "export", "reload", "--socket", folder.file("mds.sock"))
            equal((status, error), (1, f"nacre: {folder.file('exports.yaml')}:1: exports: '3' is not valid; allowed: a list of exports with path, id, "
                                       "rules\n"), "nacre export reload says so, too")
            write(folder.file("exports.yaml"), EXPORTS)
            equal(call("nacre", "export", "reload", "--socket", folder.file("mds.sock"))[:2], (0, "export policies read again\n"), "mended, taken")
            equal(os.stat(folder.file("mds.sock")).st_mode & 0o777, 0o600, "the admin socket is its own user's")
            mds.end(signal.SIGTERM, "nacre-mds")
        ok(not os.path.exists(folder.file("mds.sock")), "its socket is gone")


def test_signals_at_a_data_server():
    with Folder() as folder:
        prepared(folder)
        right = right_ds(folder)
        with Daemon("nacre-ds", write(folder.file("ds.yaml"), right)) as ds:
            ok(ds.wait("event=started"), "started, and waits for its metadata server", ds.log())
            ok(ds.hang_up(right + "log_level: debug\n", "event=reloaded log_level=debug"), "SIGHUP takes the log level")
            ok(ds.hang_up("", "event=reload-failed why="), "a broken file changes nothing")
            ok(ds.hang_up(right.replace("ds0", "ds7"), "event=restart-needed changed=name"), "what takes a restart is told")
            ds.end(signal.SIGINT, "nacre-ds")
        ok(not os.path.exists(folder.file("ds.sock")), "its socket is gone")


main(test_wrong_files, test_arguments, test_signals_at_the_metadata_server, test_signals_at_a_data_server)
