# SPDX-License-Identifier: Apache-2.0
"""fsx of xfstests: random operations on one file, each checked against a copy in memory. 100,000 of them on one client, as many with
O_DIRECT, and as many by two clients in turn under a lock, each of which first compares the file with what was left."""
import guests
from outcome import Result

OPERATIONS, A_TURN = 100000, 500
SIZE = "-l 4m -o 256k"  # stripes of 64 KiB on four data servers
SECONDS = 3600
RUNS = guests.RUNS


def alone(place, name, length, seed, options=""):
    """LENGTH: -N OPERATIONS or --duration=SECONDS; how many there were is printed."""
    (status, output), = place.parallel([f"$SUITE/ltp/fsx -q {length} -S {seed} {SIZE} {options} -P /tmp {name} 2>&1"], SECONDS)
    good = status == 0 and "A-OK" in output
    print(f"#  {name}: {output.strip().splitlines()[-1:]}")
    return Result(name, "passed" if good else "failed", f"exit status {status}: {output[-600:]}")


def direct(place, name, length, seed):
    return alone(place, name, length, seed, "-Z -R -W -r 4096 -w 4096 -t 4096")


# -k: go on with what is there.
TURN = """
[ "$(sha256sum <turns)" = "$(cat turns.sum)" ] || { echo "not what client $(cat turns.who) left"; exit 1; }
[ $(cat turns.who) = $ME ] || echo handed over
truncate -s 4M turns
$SUITE/ltp/fsx -k -q -N $OPERATIONS -S $SEED -o 256k -P /tmp turns >/tmp/fsx.out 2>&1 || { cat /tmp/fsx.out; exit 1; }
sha256sum <turns >turns.sum; echo $ME >turns.who"""


def turns(place, name, length, seed):
    """Each client in its turn: lock, compare, make the file long again, fsx, tell what is left, unlock. LENGTH: -N OPERATIONS."""
    each = int(length.removeprefix("-N ")) // A_TURN // place.count
    place.parallel([": >turns; sha256sum <turns >turns.sum; echo 0 >turns.who; : >turns.lock"], 60)
    ends = place.parallel([f"export OPERATIONS={A_TURN} ME={me}\nfor turn in $(seq {each}); do\nexport SEED=$(({1000 * seed + 500 * me} + turn))\n"
                           f"flock turns.lock bash -c '{TURN}' || exit 1\ndone\necho all turns done" for me in range(place.count)], SECONDS)
    good = all(status == 0 and "all turns done" in output for status, output in ends)
    print(f"#  the file changed hands {sum(output.count('handed over') for _, output in ends)} times")
    return Result(name, "passed" if good else "failed", " | ".join(f"{status}: {output[-400:]}" for status, output in ends))


TESTS = {"buffered": (1, alone), "direct": (1, direct), "turns": (2, turns)}  # how many clients


def results(suite, run, chosen):
    """CHOSEN: tests, how many operations (or, as 600s, for how long; not with turns), which seed."""
    numbers = [word for word in chosen if word[0].isdigit()]
    many, seed = [*numbers, *(str(OPERATIONS), "1")[len(numbers):]]
    length = f"--duration={many[:-1]}" if many.endswith("s") else f"-N {many}"
    for name in [word for word in chosen if not word[0].isdigit()] or TESTS:
        clients, test = TESTS[name]
        with guests.place(run, suite, ["ltp/fsx"], clients) as place:
            yield test(place, name, length, int(seed))
