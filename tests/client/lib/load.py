# SPDX-License-Identifier: Apache-2.0
"""Load that checks itself, for tests that do something to servers or networks meanwhile: random I/O against a model, and clones of a
small C project that are built and compared."""
import hashlib
import os
import random
import re
import shutil

from proc import LabError, need, run
from tap import equal, note, ok

FOREVER = 1 << 40


def seed():
    """$NACRE_TEST_SEED, else another one each time; the test prints it."""
    return int(os.environ.get("NACRE_TEST_SEED") or random.SystemRandom().randrange(1 << 32))


class ModelFile:
    """tools/modelio on n/NAME of a client until it is told to stop."""

    def __init__(self, client, name, number, most=1 << 20):
        self.client, self.name = client, name
        self.step = client.spawn(f"modelio {number} {FOREVER} n/{name} --most {most} --until out/stop --copy out/{name}.model --events $EVENTS")

    def operations(self):
        wanted = f"n/{self.name} operations "
        return max((int(e[len(wanted):]) for e in self.client.events if e.startswith(wanted)), default=0)

    def wait_more(self, timeout, more=40):
        """Wait until MORE operations than now are done. LabError when it ended, or takes longer."""
        target = self.operations() + more
        self.client.pump(lambda: self.operations() >= target or self.step.status is not None, timeout, f"{self.name}: {target} operations")
        if self.step.status is not None:
            raise LabError(f"{self.client.name} {self.name} ended with {self.step.status}\n{self.step.output()}{self.step.errors()}")

    def check(self, other, limit_seconds):
        """After stop(): it was content with what it read, OTHER reads the same, and no operation took longer than LIMIT_SECONDS."""
        self.step.wait(300, check=False)
        text = self.step.output() + self.step.errors()
        if not ok(self.step.status == 0, f"{self.name}: random I/O reads what it wrote", text):
            return
        note(f"{self.name}: {text.strip()}")
        with open(self.client.path(f"{self.name}.model"), "rb") as f:
            wanted = hashlib.sha256(f.read()).hexdigest()
        equal(other.run(f"openssl dgst -sha256 -r n/{self.name}", 120).split()[0], wanted, f"{self.name}: the other client reads it too")
        longest = int(re.search(r"longest-ms (\d+)", text)[1]) / 1000
        ok(longest < limit_seconds, f"{self.name}: nothing took longer than {limit_seconds} s", f"{longest} s")


def stop(clients):
    """All load of CLIENTS ends when what it is at is done."""
    for client in clients:
        client.write("stop", "")


# --- a project to clone and build

MAIN = """#include <stdio.h>
{declarations}
int main(void)
{{
        unsigned long sum = 0;
{calls}
        printf("%lu\\n", sum);
        return 0;
}}
"""
PART = """/* part {i} */
unsigned long part{i}(unsigned long x);
{table}
unsigned long part{i}(unsigned long x)
{{
        for (unsigned k = 0; k < sizeof(table) / sizeof(table[0]); k++)
                x = x * 31 + table[k];
        return x % 1000003;
}}
"""
MAKEFILE = """objects = main.o {objects}
program: $(objects)
\tcc -o $@ $(objects)
%.o: %.c
\tcc -O1 -c -o $@ $<
"""
GIT = ("git", "-c", "user.name=n", "-c", "user.email=n@example.org", "-c", "init.defaultBranch=main")

# Clone (or copy, where a guest has no git), build, run, compare with the original, build once more (nothing to do), delete.
BUILD = """export HOME=/tmp
trap 'echo "failed: $BASH_COMMAND"; make -n -C n/{name}; ls -la --time-style=+%s.%N n/{name}' ERR
while ! [ -e out/stop ]; do
        rm -rf n/{name}
        if command -v git >/dev/null; then git clone -q file:///mnt/out/project n/{name}; git -C n/{name} fsck 2>&1; else cp -r out/project n/{name}; fi
        make -s -j2 -C n/{name}
        [ "$(n/{name}/program)" = {answer} ]
        make -q -C n/{name}
        diff -r --exclude=.git --exclude='*.o' --exclude=program out/project n/{name}
        echo E {name} built >$EVENTS
done"""


class Project:
    """Clones of a project of PARTS C files, made and built on a client one after the other until it is told to stop."""

    def __init__(self, client, name, number, parts=12):
        self.client, self.name = client, name
        self.answer = self._generate(client.path("project"), random.Random(number), parts)
        self.step = client.spawn(BUILD.format(name=name, answer=self.answer))

    @staticmethod
    def _generate(folder, dice, parts):
        """Write it, commit it. What its program prints."""
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        total = 0
        for i in range(parts):
            table = [dice.randrange(1 << 16) for _ in range(dice.randrange(50, 2000))]
            value = i
            for entry in table:
                value = (value * 31 + entry) % (1 << 64)
            total += value % 1000003
            text = "static const unsigned table[] = { " + ", ".join(map(str, table)) + " };"
            with open(os.path.join(folder, f"part{i}.c"), "w", encoding="ascii") as f:
                f.write(PART.format(i=i, table=text))
        with open(os.path.join(folder, "main.c"), "w", encoding="ascii") as f:
            f.write(MAIN.format(declarations="\n".join(f"unsigned long part{i}(unsigned long x);" for i in range(parts)),
                                calls="\n".join(f"        sum += part{i}({i});" for i in range(parts))))
        with open(os.path.join(folder, "Makefile"), "w", encoding="ascii") as f:
            f.write(MAKEFILE.format(objects=" ".join(f"part{i}.o" for i in range(parts))))
        need("git", "git")
        for words in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "all of it")):
            run(*GIT, *words, cwd=folder)
        return total

    def built(self):
        return self.client.events.count(f"{self.name} built")

    def check(self):
        """After stop(): every clone was whole, and there was at least one."""
        self.step.wait(300, check=False)
        ok(self.step.status == 0 and self.built() > 0, f"{self.name}: cloned, built and compared", self.step.output()[-2000:] + self.step.errors()[-2000:])
        note(f"{self.name}: {self.built()} times")
