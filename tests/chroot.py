# SPDX-License-Identifier: Apache-2.0
"""Another Debian in a folder of this machine, made once, for programs that this one has not: make(ROOT, SUITE, PACKAGES)."""
import contextlib
import fcntl
import os
import shutil
import subprocess

SCRIPTS = "/usr/share/debootstrap/scripts"
MAKE_SECONDS = 1800


class Failed(Exception):
    """It cannot be had; says why."""


def run(*argv):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                          timeout=MAKE_SECONDS, check=False)
    if done.returncode:
        raise Failed(f"{' '.join(argv)}: exit status {done.returncode}\n{done.stdout.strip()[-2000:]}")


def debootstrap(root, suite):
    program = shutil.which("debootstrap", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not program:
        raise Failed("debootstrap is missing: apt-get install debootstrap")
    known = os.path.join(SCRIPTS, suite)
    script = known if os.path.exists(known) else os.path.join(SCRIPTS, "sid")  # of a suite that is younger than this machine's
    run(program, "--variant=minbase", suite, root, os.environ.get("NACRE_TEST_MIRROR", "http://deb.debian.org/debian"), script)


def install(root, packages):
    """PACKAGES alone; none of their daemons starts."""
    policy = f"{root}/usr/sbin/policy-rc.d"
    with open(policy, "w", encoding="ascii") as f:
        f.write("#!/bin/sh\nexit 101\n")
    os.chmod(policy, 0o755)
    run("chroot", root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "-q", "--no-install-recommends", *packages)


def make(root, suite, packages):
    """Unless ROOT is that already; Failed else."""
    stamp, wanted = f"{root}/.complete", ",".join(packages)
    os.makedirs(os.path.dirname(root), exist_ok=True)
    with open(f"{root}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with contextlib.suppress(FileNotFoundError), open(stamp, encoding="ascii") as f:
            if f.read() == wanted:
                return
        shutil.rmtree(root, ignore_errors=True)
        debootstrap(root, suite)
        install(root, packages)
        with open(stamp, "w", encoding="ascii") as f:
            f.write(wanted)
