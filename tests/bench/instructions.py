# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Instructions that Unbound spends on one query, counted by callgrind: for ratios that the
noise of a machine hides.

Each case runs twice, with FEW and with MANY queries; start and end cost the same in both, so
the difference belongs to the queries alone.
"""

import re
import sys

import data
import harness
import subjects

FEW, MANY = 5_000, 25_000
NAMES = 10_000


def count(context, make, queries):
    """Instructions of a whole life of Unbound that answers this file of queries."""
    out = context.folder("callgrind") / "out"
    server = make(("valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "-q"))
    try:
        # Slow under callgrind: few at a time, so that none is lost.
        result = harness.dnsperf(server.process, server.port, queries, passes=1, outstanding=20)
        if result["lost"]:
            raise harness.Failed(f"{server.title}: {result['lost']:.0f} queries lost")
    finally:
        server.close()
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


def run(context):
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
            a = per_query(context, makes[ours], lines)
            b = per_query(context, makes[against], lines)
        except harness.Failed as reason:
            print(f"| {case} | not measured: {reason} | {against} | | |", flush=True)
            failed = 1
            continue
        print(f"| {case} | {a:,.0f} | {against} | {b:,.0f} | {a / b:.3f} |", flush=True)
    print(f"\nInstructions per query in the whole process, {MANY - FEW:,} queries, one thread.",
          file=sys.stdout)
    return failed
