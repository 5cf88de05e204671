# SPDX-License-Identifier: Apache-2.0
"""Processes, deadlines and the C programs that run inside clients."""
import os
import select
import shutil
import subprocess
import time

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
TOOLS = os.path.join(TREE, "build", "client-tools")
TOOL_FOLDERS = ("tests/client/guest", "bench/guest")


class LabError(Exception):
    """The harness could not do its work: the message is for a person."""


def run(*argv, timeout=60, check=True, cwd=None, env=None):
    """Run ARGV to its end; its output as text. A failure becomes a LabError with what it printed."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", timeout=timeout, cwd=cwd, env=env)
    if check and done.returncode:
        raise LabError(f"{' '.join(argv)}: exit status {done.returncode}\n{done.stdout.strip()}")
    return done.stdout


def wait_until(what, condition, seconds=30, interval=0.02):
    """Call CONDITION until it is true; its value. For things outside that nobody announces: a port, a file."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise LabError(f"{what}: not within {seconds} s")
        time.sleep(interval)
    return value


def wait_exit(pid, seconds):
    """Wait for the end of any process, also one that is not our child. False when it still lives after SECONDS."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([fd], [], [], seconds)[0])
    finally:
        os.close(fd)


def end(pid, signal_number, seconds=5):
    """Signal a process; SIGKILL when it is still there after SECONDS."""
    for number in (signal_number, 9):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        if wait_exit(pid, seconds):
            return


def build_tools():
    """Compile every guest program that is older than its source. Static, so that they run under any libc; but NAME.so.c is
    something to preload. The folder."""
    os.makedirs(TOOLS, exist_ok=True)
    for folder in TOOL_FOLDERS:
        folder = os.path.join(TREE, folder)
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
            if name.endswith(".c"):
                build_tool(os.path.join(folder, name), os.path.join(TOOLS, name[:-2]))
    return TOOLS


def build_tool(source, program):
    if os.path.exists(program) and os.path.getmtime(program) >= os.path.getmtime(source):
        return
    temporary = f"{program}.{os.getpid()}"
    kind = ("-shared", "-fPIC") if program.endswith(".so") else ("-static", "-pthread")
    run("cc", "-std=gnu17", "-O2", "-Wall", "-Wextra", "-Werror", *kind, "-o", temporary, source)
    os.replace(temporary, program)


def need(program, package):
    """The path of PROGRAM; a LabError that names the package when it is missing."""
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        raise LabError(f"{program} is missing: apt-get install {package}")
    return path
