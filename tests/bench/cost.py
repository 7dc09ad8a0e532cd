# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""What it costs that DNS does not stop: the instructions of guard, checksums and of
the switching between stores, in each query, by callgrind; and what the keeper's thread
takes of a core beside a busy worker, by the system's clock.

As in instructions.py each case runs with FEW and with MANY queries, and the difference counts.
"""

import pathlib
import re
from collections import Counter

import data
import harness
import instructions
import subjects

WATCH_SECONDS = 20

# What a part is made of: what these functions take by themselves ("self"), or with all that they
# call: "calls" to a function from anywhere, "in" a function to any other ("f" or "g of f").
PARTS = {
    "guard": {"self": ["guard_run"], "calls": ["__sigsetjmp", "_setjmp"]},
    "checksum": {"in": ["node_open"]},
    "stores": {"self": ["worker_read", "read_from", "enter", "leave"],
               "calls": ["mdb_env_info of serve_reader_begin"]},
}


class Profile:
    """A callgrind.out: instructions of each function, and of the calls from one to another.
    Functions of stripped libraries have addresses for names."""

    def __init__(self, path):
        self.total, self.own, self.calls = 0, Counter(), Counter()
        names, function, called = {}, None, None

        def name_of(text):
            found = re.match(r"\((\d+)\)(?: (.*))?", text)
            if found[2]:
                names[found[1]] = re.sub(r"'\d+$|@.*$", "", found[2])
            return names[found[1]]

        for line in pathlib.Path(path).read_text().splitlines():
            if line.startswith("fn="):
                function = name_of(line[3:])
            elif line.startswith("cfn="):
                called = name_of(line[4:])
            elif line.startswith(("totals:", "summary:")):
                self.total = int(line.split()[1])
            elif function and re.match(r"[+*-]?\d|\*", line):
                cost = int(line.split()[1]) if len(line.split()) > 1 else 0
                if called:
                    self.calls[called] += cost
                    self.calls[f"{called} of {function}"] += cost
                    called = None
                else:
                    self.own[function] += cost

    def minus(self, other):
        self.total -= other.total
        self.own.subtract(other.own)
        self.calls.subtract(other.calls)
        return self

    def part(self, rule):
        return (sum(self.own[name] for name in rule.get("self", []))
                + sum(self.calls[name] for name in rule.get("calls", []))
                + sum(cost for call, cost in self.calls.items()
                      if call.rpartition(" of ")[2] in rule.get("in", []) and " of " in call))


def profile(context, queries):
    def make(wrapper):
        return subjects.Livezone(context, instructions.NAMES, wrapper=wrapper)

    return Profile(instructions.callgrind(context, make, queries, outstanding=5))


def per_query(context, line):
    profiles = []
    for length in (instructions.FEW, instructions.MANY):
        path = context.folder("queries") / "queries"
        path.write_text("".join(line(i) for i in range(length)))
        profiles.append(profile(context, path))
    return profiles[1].minus(profiles[0])


def nanoseconds(process):
    """Of each thread, by its id: time on a core."""
    tasks = pathlib.Path(f"/proc/{process.pid}/task")
    return {task.name: int((task / "schedstat").read_text().split()[0])
            for task in tasks.iterdir()}


def keeper_share(context):
    """The keeper's time for each second of the worker's, under a load of hits."""
    server = subjects.Livezone(context, instructions.NAMES)
    try:
        path = context.folder("queries") / "queries"
        path.write_text("".join(f"{data.name(i)} A\n" for i in range(instructions.NAMES)))
        before = nanoseconds(server.process)
        harness.dnsperf(server.process, server.port, path, seconds=WATCH_SECONDS)
        spent = sorted(now - before.get(thread, 0)
                       for thread, now in nanoseconds(server.process).items())
    finally:
        server.close()
    return sum(spent[:-1]) / spent[-1]


def run(context):
    cases = [
        ("hit", lambda i: f"{data.name(i * 7919 % instructions.NAMES)} A\n"),
        ("nxdomain", lambda i: f"x{i * 7919}.{data.ZONE} A\n"),
    ]
    count = instructions.MANY - instructions.FEW
    print("| case | all | " + " | ".join(PARTS) + " | together |")
    print("|---" * (len(PARTS) + 3) + "|")
    for case, line in cases:
        found = per_query(context, line)
        parts = [found.part(rule) for rule in PARTS.values()]
        cells = [f"{part / count:,.0f} ({100 * part / found.total:.2f} %)"
                 for part in [*parts, sum(parts)]]
        print(f"| {case} | {found.total / count:,.0f} | " + " | ".join(cells) + " |", flush=True)
    share = keeper_share(context)
    print(f"\nInstructions for one query: {count:,} queries, one thread. The keeper's thread took "
          f"{100 * share:.2f} % of the worker's time, in {WATCH_SECONDS} s of hits.")
    return 0
