# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Instructions that Unbound spends on one query, counted by callgrind: for ratios that the
noise of a machine hides.

Each case runs twice, with FEW and with MANY queries; start and end cost the same in both, so
the difference belongs to the queries alone. Unbound's hashes are seeded anew at each start, which
alone is worth a few per cent: hence the rounds, and the spread.
"""

import re
import statistics

import data
import harness
import subjects

FEW, MANY = 5_000, 25_000
NAMES = 10_000


def callgrind(context, make, queries, outstanding):
    """What callgrind wrote of a whole life of the server that answers this file of queries."""
    out = context.folder("callgrind") / "out"
    server = make(("valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "-q"))
    try:
        # Slow under callgrind: few at a time, so that none is lost.
        result = harness.dnsperf(server.process, server.port, queries, passes=1,
                                 outstanding=outstanding)
        if result["lost"]:
            raise harness.Failed(f"{server.title}: {result['lost']:.0f} queries lost")
    finally:
        server.close()
    return out


def count(context, make, queries):
    """Instructions of a whole life."""
    out = callgrind(context, make, queries, outstanding=20)
    match = re.search(r"^(?:totals|summary): (\d+)", out.read_text(), re.M)
    return int(match[1])


def per_query(context, make, lines):
    """lines(n) gives n queries."""
    totals = []
    for length in (FEW, MANY):
        path = context.folder("queries") / "queries"
        path.write_text("".join(lines(length)))
        totals.append(count(context, make, path))
    return (totals[1] - totals[0]) / (MANY - FEW)


def cells(counts):
    return f"{statistics.median(counts):,.0f} ({min(counts):,.0f}..{max(counts):,.0f})"


def run(context, rounds):
    upstream = subjects.Upstream(context, harness.CLIENT_CORE)
    makes = {
        "livezone": lambda w: subjects.Livezone(context, NAMES, upstream=upstream, wrapper=w),
        "local-data": lambda w: subjects.LocalData(context, NAMES, wrapper=w),
        "not loaded": lambda w: subjects.Forwarding(context, upstream, wrapper=w),
    }
    cases = [
        ("hit", "livezone", "local-data",
         lambda n: (f"{data.name(i * 7919 % NAMES)} A\n" for i in range(n))),
        ("nxdomain", "livezone", "local-data",
         lambda n: (f"x{i * 7919}.{data.ZONE} A\n" for i in range(n))),
        ("foreign hit", "livezone", "not loaded",
         lambda n: (f"f{i % 1000}.{data.FOREIGN_ZONE} A\n" for i in range(n))),
        ("foreign miss", "livezone", "not loaded",
         lambda n: (f"n{i}.{data.FOREIGN_ZONE} A\n" for i in range(n))),
    ]
    print("| case | livezone | against | | ratio of instructions |\n|---|---|---|---|---|")
    failed = 0
    for case, ours, against, lines in cases:
        try:
            counts = [[per_query(context, makes[side], lines) for side in (ours, against)]
                      for _ in range(rounds)]
        except harness.Failed as reason:
            print(f"| {case} | not measured: {reason} | {against} | | |", flush=True)
            failed = 1
            continue
        a, b = zip(*counts)
        ratio = statistics.median(a) / statistics.median(b)
        print(f"| {case} | {cells(a)} | {against} | {cells(b)} | {ratio:.3f} |", flush=True)
    print(f"\nInstructions of the whole process for one query: {MANY - FEW:,} queries, one thread, "
          f"median of {rounds} rounds and the spread.")
    return failed
