# SPDX-License-Identifier: Apache-2.0
"""pjdfstest: what each system call of POSIX has to answer. A test is FOLDER/NN.t:NUMBER."""
import os
import re

import guests
from outcome import Result

CLIENTS = 4  # each runs a part of the files: in a guest a process takes 25 ms
FILE_SECONDS = 600
RUNS = guests.RUNS

# Functions of misc.sh with a process or two each instead of ten: they come after it in guests' copies of it.
FEWER_PROCESSES = r"""
expect()
{
    wanted="$1"
    shift
    answer=$(exec "$fstest" $* 2>/dev/null)
    answer=${answer##*"
"}
    pattern="^($wanted)\$"
    verdict="ok $ntest"
    [[ "$answer" =~ $pattern ]] || verdict="not ok $ntest - tried '$*', expected $wanted, got $answer"
    [ -z "$todomsg" ] || verdict="${verdict%% -*} # known: $todomsg"
    echo "$verdict"
    todomsg=""
    : $((ntest += 1))
}

namegen()
{
    read -r uuid </proc/sys/kernel/random/uuid
    echo "pjdfstest_$uuid"
}

namegen_len()
{
    name=""
    while [ ${#name} -lt $1 ]; do
        read -r uuid </proc/sys/kernel/random/uuid
        name="$name$uuid"
    done
    printf %s "${name:0:$1}"
}
"""


def files(suite, chosen):
    """The test files, as paths below tests/; CHOSEN: beginnings of their names."""
    found = sorted(os.path.relpath(os.path.join(folder, name), os.path.join(suite, "tests"))
                   for folder, _, names in os.walk(os.path.join(suite, "tests")) for name in names if name.endswith(".t"))
    return [path for path in found if not chosen or any(path.startswith(c.partition(":")[0]) for c in chosen)]


def shares(suite, paths, count):
    """PATHS for COUNT clients, each with about as many tests: a file says how many it has."""
    def size(path):
        with open(os.path.join(suite, "tests", path), encoding="utf-8") as f:
            return max(map(int, re.findall(r"1\.\.(\d+)", f.read())), default=1)

    found = [[0, []] for _ in range(count)]
    for tests, path in sorted(((size(p), p) for p in paths), reverse=True):
        least = min(found, key=lambda share: share[0])
        least[0] += tests
        least[1].append(path)
    return [mine[::-1] for _, mine in found]  # the short ones first


def parse(path, text):
    """Results from one file's TAP; what was promised and never came has failed too."""
    seen = 0
    for word, number, more in re.findall(r"^(ok|not ok) (\d+)(.*)$", text, re.M):
        seen += 1
        if " # " in more:  # a directive: skipped, or known to fail
            yield Result(f"{path}:{number}", "omitted", more.strip())
        else:
            yield Result(f"{path}:{number}", "passed" if word == "ok" else "failed", more.strip(" -"))
    plan = re.search(r"^1\.\.(\d+)", text, re.M)
    if not plan or int(plan[1]) != seen:
        yield Result(f"{path}:plan", "failed", f"{seen} results, announced {plan and plan[1]}: {text[-200:]!r}")


def results(suite, run, chosen):
    """CHOSEN: beginnings of files' names; and for how many seconds files are begun, none for all."""
    paths = files(suite, [word for word in chosen if not word.isdigit()])
    begin = next((int(word) for word in chosen if word.isdigit()), FILE_SECONDS * len(paths))
    with guests.place(run, suite, ["pjdfstest", "tests"], CLIENTS) as place:
        for client in place.lab.clients if place.lab else ():
            with open(client.path("suite/tests/misc.sh"), "a", encoding="ascii") as f:
                f.write(FEWER_PROCESSES)
        scripts = ["".join(f"[ $SECONDS -ge {begin} ] || {{ echo '@ {path}'; mkdir -p {i}; cd {i}; timeout {FILE_SECONDS} busybox sh "
                           f"$SUITE/tests/{path} 2>&1; cd $HERE; }}\n" for path in mine) + "exit 0\n"
                   for i, mine in enumerate(shares(suite, paths, place.count))]
        for status, output in place.parallel(scripts, FILE_SECONDS * len(paths)):
            for part in re.split(r"^@ ", output, flags=re.M)[1:]:
                path, _, text = part.partition("\n")
                paths.remove(path)
                yield from parse(path, text)
            if status:
                yield Result("all", "failed", f"exit status {status}: {output[-300:]!r}")
    for path in paths:
        print(f"#  not begun: {path}")
        yield Result(path, "omitted", "no time")
