# SPDX-License-Identifier: Apache-2.0
"""A strict reader of Prometheus' text format 0.0.4: what any scraper may rely on, and nothing else."""
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? (\S+)$")
TYPES = {"counter", "gauge", "histogram"}


class Bad(Exception):
    """A line that is not as the format wants it."""


class Family:
    """One metric: its help and type, and its samples as {(name, labels): value}, where labels is a tuple of pairs."""

    def __init__(self, name, text):
        self.name, self.help, self.type, self.samples = name, text, None, {}

    def value(self, **labels):
        return self.samples[(self.name, tuple(sorted(labels.items())))]

    def labels(self, key):
        return {dict(labels)[key] for _, labels in self.samples}


def owner(family, name):
    """Does a sample NAME belong to FAMILY?"""
    ends = ("_bucket", "_sum", "_count") if family.type == "histogram" else ("",)
    return any(name == family.name + end for end in ends)


def number(text):
    if not re.fullmatch(r"\+Inf|-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?", text):
        raise Bad(f"not a number: {text}")
    return float(text.replace("+Inf", "inf"))


def take_head(line, families, current):
    word, name, text = re.fullmatch(rf"# (HELP|TYPE) ({NAME}) (.+)", line).groups()
    if word == "HELP":
        if name in families:
            raise Bad(f"a second HELP of {name}: its lines are not together")
        families[name] = Family(name, text)
    elif not current or current.name != name or current.type or current.samples:
        raise Bad(f"TYPE of {name} does not follow its HELP")
    elif text not in TYPES:
        raise Bad(f"unknown type: {line}")
    else:
        current.type = text
    return families[name]


def take_sample(line, current):
    found = SAMPLE.fullmatch(line)
    if not found or not current or not current.type or not owner(current, found[1]):
        raise Bad(f"a sample out of place: {line}")
    labels = tuple(sorted(re.findall(LABEL, found[2] or "")))
    if len(dict(labels)) != len(labels) or (found[1], labels) in current.samples:
        raise Bad(f"stands twice: {line}")
    current.samples[(found[1], labels)] = number(line.rsplit(" ", 1)[1])


def check_counter(family):
    if not family.name.endswith("_total") or min(family.samples.values()) < 0:
        raise Bad(f"{family.name} is a counter: its name ends in _total, and it is never negative")


def check_histogram(family):
    series = {}
    for (name, labels), value in family.samples.items():
        bound = dict(labels).get("le")
        key = tuple(pair for pair in labels if pair[0] != "le")
        one = series.setdefault(key, {"buckets": []})
        if name.endswith("_bucket"):
            one["buckets"].append((number(bound), value))
        else:
            one[name.removeprefix(family.name + "_")] = value
    for labels, one in series.items():
        bounds, counts = zip(*one["buckets"])
        if list(bounds) != sorted(set(bounds)) or bounds[-1] != float("inf"):
            raise Bad(f"{family.name}{labels}: bounds do not rise to +Inf")
        if list(counts) != sorted(counts) or counts[0] < 0 or counts[-1] != one["count"]:
            raise Bad(f"{family.name}{labels}: buckets do not rise to the count")
        if one["sum"] < 0 or (one["count"] == 0 and one["sum"] != 0):
            raise Bad(f"{family.name}{labels}: a sum of nothing")


def parse(text):
    """{name: Family} of a whole answer."""
    if not text.endswith("\n"):
        raise Bad("the last line does not end")
    families, current = {}, None
    for line in text[:-1].split("\n"):
        if line.startswith("#"):
            current = take_head(line, families, current)
        else:
            take_sample(line, current)
    for family in families.values():
        if not family.samples:
            raise Bad(f"{family.name} has no sample")
        if family.type == "counter":
            check_counter(family)
        if family.type == "histogram":
            check_histogram(family)
    return families
