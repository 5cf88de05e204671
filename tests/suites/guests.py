# SPDX-License-Identifier: Apache-2.0
"""Where the suites for file systems run: in stock Linux clients of a fresh cluster, or, to compare, in a folder of this machine."""
import contextlib
import os
import shutil
import subprocess
import tempfile

from lab import Lab

UNIT = 64 << 10  # small, so that small files are striped too
RUNS = [{"on": "nacre", "kernel": "6.1"}, {"on": "nacre", "kernel": "6.12"}]
SUITE = "/mnt/out/suite"  # where a guest sees what copy() brought


class Local:
    """FOLDER of this machine, beside the SUITE."""

    lab, count = None, 1

    def __init__(self, folder, suite):
        self.folder, self.suite = folder, suite

    def parallel(self, scripts, seconds):
        """[(exit status, output)] of scripts of bash at once, in $HERE, the folder under test; $SUITE is the suite."""
        environment = dict(os.environ, SUITE=self.suite, HERE=self.folder)
        started = [subprocess.Popen(["bash", "-c", f"cd {self.folder}\n{s}"], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT, text=True, errors="replace") for s in scripts]
        return [(p.communicate(timeout=seconds)[0], p.returncode)[::-1] for p in started]


class Guests:
    """The clients of LAB, which all have mounted the same; each has the suite's programs in a folder of its own."""

    def __init__(self, lab, suite, wanted):
        self.lab, self.count = lab, len(lab.clients)
        for client in lab.clients:
            for path in wanted:
                copy(os.path.join(suite, path), os.path.join(client.path("suite"), path))
            client.mount()
            client.run("mkdir -p n/here; chmod 777 n/here")

    def parallel(self, scripts, seconds):
        """As Local's, one script on each client; of fewer scripts than clients, on the first ones."""
        head = f"export SUITE={SUITE} HERE=/mnt/n/here; set +e; cd $HERE; exec 2>&1\n"
        steps = [client.spawn(head + script) for client, script in zip(self.lab.clients, scripts)]
        for step in steps:
            step.wait(seconds, check=False)
        return [(step.status, step.output()) for step in steps]


def copy(source, target):
    os.makedirs(os.path.dirname(target), exist_ok=True)
    (shutil.copytree if os.path.isdir(source) else shutil.copy)(source, target)


@contextlib.contextmanager
def place(run, suite, wanted, clients=1):
    """The Place that RUN describes (on=nacre, ganesha or a folder; kernel=6.1 or 6.12), with the files WANTED of the folder SUITE."""
    if run["on"] not in ("nacre", "ganesha"):
        with tempfile.TemporaryDirectory(prefix="suite-", dir=run["on"]) as folder:
            os.chmod(folder, 0o777)
            yield Local(folder, suite)
        return
    with Lab(data_servers=4, clients=clients, server=run["on"], kernel=run["kernel"], stripe_unit=UNIT) as lab:
        yield Guests(lab, suite, wanted)
