# SPDX-License-Identifier: Apache-2.0
"""fsx of xfstests: random operations on one file, each checked against a copy in memory. 100,000 of them on one client, as many with
O_DIRECT, and as many by two clients in turn under a lock, on each of a few files, after a look whether the file is what was left."""
import guests
from outcome import Result

OPERATIONS, A_TURN, FILES = 100000, 500, 4
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
[ "$(sha256sum <$F)" = "$(cat $F.sum)" ] || { echo "$F: not what client $(cat $F.who) left"; exit 1; }
[ $(cat $F.who) = $ME ] || echo handed over
truncate -s 4M $F
$SUITE/ltp/fsx -k -q -N $OPERATIONS -S $SEED -o 256k -P /tmp $F >/tmp/$F.out 2>&1 || { cat /tmp/$F.out; exit 1; }
sha256sum <$F >$F.sum; echo $ME >$F.who"""

TURNS = """export OPERATIONS={a_turn} ME={me} F={name}
for turn in $(seq {each}); do
export SEED=$(({seed} + turn))
flock $F.lock bash -c '{turn}' || exit 1
done
echo all turns done
"""


def turns(place, name, length, seed):
    """Each client in its turn with each file: lock, compare, make the file long again, fsx, tell what is left, unlock. LENGTH: -N OPERATIONS."""
    each = int(length.removeprefix("-N ")) // A_TURN // FILES // place.count
    files = [f"{name}{i}" for i in range(FILES)]
    place.parallel(["".join(f": >{f}; sha256sum <{f} >{f}.sum; echo 0 >{f}.who; : >{f}.lock\n" for f in files)], 60)
    loops = [["(" + TURNS.format(a_turn=A_TURN, me=me, name=f, each=each, seed=10000 * seed + 2000 * i + 1000 * me, turn=TURN) + ") &\n"
              for i, f in enumerate(files)] for me in range(place.count)]
    ends = place.parallel(["".join(loop) + "wait" for loop in loops], SECONDS)
    good = all(output.count("all turns done") == FILES for _, output in ends)
    print(f"#  {FILES * each * place.count} turns; files changed hands {sum(output.count('handed over') for _, output in ends)} times", flush=True)
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
