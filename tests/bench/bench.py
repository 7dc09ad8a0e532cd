#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Measures livezone against its peers and prints the table; scripts/bench calls it."""

import argparse
import json
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import time

import cost
import data
import harness
import instructions
import rows
import subjects

BUSY = 0.10  # of two cores' time: more than this by others, and the numbers are doubtful
AT_LIMIT = 0.9  # a server less busy than this waited for its client


def say(text):
    print(text, file=sys.stderr, flush=True)


def parse():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--quick", action="store_true",
                        help="short runs and a tenth of the names: shows that it works")
    parser.add_argument("--row", nargs="+", metavar="NAME", default=[],
                        help="only these rows, or all that begin so: hit, foreign, write ...")
    parser.add_argument("--repeats", type=int, metavar="N", help="rounds, default 3")
    parser.add_argument("--seconds", type=float, metavar="S", help="length of one measurement")
    parser.add_argument("--json", metavar="FILE", help="every single measurement")
    parser.add_argument("--instructions", action="store_true",
                        help="instructions per query by callgrind, instead of rates")
    parser.add_argument("--cost", action="store_true",
                        help="instructions of guard, checksums and keeper")
    parser.add_argument("--list", action="store_true", help="the rows and their goals")
    for hidden in ("--prefix", "--peers", "--build"):
        parser.add_argument(hidden, required=True, help=argparse.SUPPRESS)
    return parser.parse_args()


def select(names):
    """The rows of these names, or of a name's beginning where no row has it; all without names."""
    if not names:
        return rows.ROWS
    chosen = set()
    for name in names:
        found = {r.name for r in rows.ROWS if r.name == name} or \
                {r.name for r in rows.ROWS if r.name.startswith(name + "-")}
        if not found:
            sys.exit(f"bench: no such row: {name}; scripts/bench --list shows them")
        chosen |= found
    return [row for row in rows.ROWS if row.name in chosen]


def measure_group(name, wanted, context, scale, skipped):
    """Rounds of all wanted measurements of a group, in turn: name -> list of results."""
    say(f"{name}: starting the servers")
    results = {}
    group = rows.GROUPS[name](context, scale, wanted)
    try:
        skipped.update(group.skipped)
        order = [m for m in group.measurements if m in group.wanted]
        for number in range(scale.rounds):
            for measurement in list(order):
                try:
                    result = group.measurements[measurement]()
                except (harness.Failed, OSError) as reason:
                    skipped[f"{name}: {measurement}"] = str(reason)
                    order.remove(measurement)
                    results.pop(measurement, None)
                    continue
                results.setdefault(measurement, []).append(result)
                say(f"{name}: round {number + 1} of {scale.rounds}: {measurement}: "
                    f"{result['value']:,.2f}")
    finally:
        group.close()
    return results


def number(value, unit):
    return f"{value:,.0f}{unit}" if value >= 100 else f"{value:,.2f}{unit}"


def spread(values, unit):
    if not values:
        return "-"
    if len(values) == 1:
        return number(values[0], unit)
    return f"{number(statistics.median(values), unit)} " \
           f"({number(min(values), '')}..{number(max(values), '')})"


def taken_of(row, results):
    """The measurements of both sides of a row."""
    return [results.get(row.group, {}).get(side, []) for side in (row.ours, row.against)]


def cpu_ratio(sides):
    """against / ours in CPU time of the server for each query or write: as the ratio of rates, but
    deaf to what the client or another process did. None where it was not measured."""
    costs = [[r["cpu_us"] for r in side if r.get("cpu_us")] for side in sides]
    return statistics.median(costs[1]) / statistics.median(costs[0]) if all(costs) else None


def was_at_limit(sides):
    """Was the server the bottleneck? If not, rates of queries say little about it."""
    return all(r.get("server_busy", 1) >= AT_LIMIT for side in sides for r in side)


def compare(row, results):
    """The row as cells of the table, with its ratio and verdict."""
    sides = taken_of(row, results)
    ours, against = ([r["value"] for r in side] for side in sides)
    if not ours or not against:
        return {"row": row.name, "ours": ours, "against": against, "verdict": "not measured"}
    ratio = statistics.median(ours) / statistics.median(against)
    pairs = [a / b for a, b in zip(ours, against)]
    by_cpu = cpu_ratio(sides)
    judged_by_cpu = by_cpu is not None and not was_at_limit(sides)
    judged = by_cpu if judged_by_cpu else ratio
    met = None
    if row.goal is not None:
        met = judged <= row.goal if row.less else judged >= row.goal
    verdict = {None: "", True: "met", False: "**missed**"}[met]
    return {"row": row.name, "ratio": ratio, "ratio_min": min(pairs), "ratio_max": max(pairs),
            "ours": ours, "against": against, "goal": row.goal, "met": met, "by_cpu": by_cpu,
            "judged_by_cpu": judged_by_cpu,
            "verdict": verdict + (" by CPU" if verdict and judged_by_cpu else "")}


def table(chosen, compared):
    lines = ["| row | what | livezone | against | | ratio | by CPU | goal | |",
             "|---|---|---|---|---|---|---|---|---|"]
    for row, cells in zip(chosen, compared):
        ratio = by_cpu = "-"
        if cells.get("by_cpu"):
            by_cpu = f"{cells['by_cpu']:.3f}"
        if "ratio" in cells:
            ratio = f"{cells['ratio']:.3f} ({cells['ratio_min']:.3f}..{cells['ratio_max']:.3f})"
        goal = f"{'≤' if row.less else '≥'} {row.goal:g}" if row.goal is not None else ""
        lines.append(f"| {row.name} | {row.text} | {spread(cells['ours'], row.unit)} | {row.against} "
                     f"| {spread(cells['against'], row.unit)} | {ratio} | {by_cpu} | {goal} "
                     f"| {cells['verdict']} |")
    return "\n".join(lines)


def first_line(argv, pattern, env=None):
    try:
        done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, check=False,
                              timeout=20, env={**os.environ, **(env or {})})
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(pattern, done.stdout + done.stderr)
    return match[0] if match else None


def versions(context):
    """What was measured, one line each; absent programs are left out."""
    version = r"\d+(\.\d+)+\S*"
    programs = {
        "unbound": ([context.prefix / "sbin/unbound", "-V"], {}),
        "livezoned": ([context.prefix / "sbin/livezoned", "--version"], {}),
        "dnsperf": ([context.peer("dnsperf")[0], "-h"], {}),
    }
    for program, option in (("knotd", "-V"), ("nsd", "-v"), ("dnsmasq", "-v"),
                            ("pdns_server", "--version"), ("etcd", "--version"),
                            ("coredns", "-version")):
        try:
            path, env = context.peer(program)
        except harness.Failed:
            continue
        programs[program] = ([path, option], env)
    found = {name: first_line(argv, version, env) for name, (argv, env) in programs.items()}
    return {name: text for name, text in found.items() if text}


def sync_time(folder):
    """Microseconds of one fdatasync after writing a page: the disk under all durable writes."""
    path = folder / "sync"
    with open(path, "wb") as f:
        f.write(bytes(4096 * 256))
        f.flush()
        os.fsync(f.fileno())
        began = time.monotonic()
        for i in range(256):
            os.pwrite(f.fileno(), bytes(4096), i * 4096)
            os.fdatasync(f.fileno())
        took = time.monotonic() - began
    path.unlink()
    return took / 256 * 1e6


def machine(context):
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        model = re.search(r"model name\s*: (.*)", f.read())
    with open("/proc/meminfo", encoding="ascii") as f:
        memory = int(f.readline().split()[1]) / (1 << 20)
    return [f"machine: {model[1] if model else platform.machine()}, {len(harness.CORES)} cores, "
            f"{memory:.0f} GiB, Linux {platform.release()}",
            f"cores: servers {harness.SERVER_CORE}, clients {harness.CLIENT_CORE}, livezoned and "
            f"writer during queries {harness.THIRD_CORE}",
            f"disk: one fdatasync takes {sync_time(context.work):.0f} us",
            "versions: " + ", ".join(f"{k} {v}" for k, v in versions(context).items())]


def load_warning():
    before = harness.busy_seconds()
    time.sleep(1)
    share = (harness.busy_seconds() - before) / 2
    if share > BUSY or os.getloadavg()[0] > 1:
        say(f"WARNING: the machine is busy (cores {share:.0%}, load {os.getloadavg()[0]:.2f}): "
            "the numbers will be doubtful")


def client_limited(results):
    """Measurements in which the server waited for dnsperf."""
    return sorted(f"{group} {name} ({min(r['server_busy'] for r in taken):.0%})"
                  for group, measured in results.items() for name, taken in measured.items()
                  if all("server_busy" in r for r in taken) and
                  min(r["server_busy"] for r in taken) < AT_LIMIT)


def definitions(results):
    """What a row does not say of itself."""
    for taken in results.get("load", {}).get("bare LMDB load", [])[:1]:
        yield (f"load: bare LMDB puts the {taken['state_pairs']:,} pairs ({taken['state_bytes']:,} "
               f"bytes) that livezoned's state holds and the {taken['serve_pairs']:,} "
               f"({taken['serve_bytes']:,} bytes) of its serve, in key order, in "
               f"{taken['batches']} transaction each as livezoned does; state synced on the disk, "
               "serve MDB_NOSYNC on tmpfs; no HTTP, no parsing")
    for taken in results.get("writes", {}).get("bare LMDB commits", [])[:1]:
        yield (f"bare LMDB commits: one put of a state record ({taken['key_bytes']} + "
               f"{taken['value_bytes']} bytes) among {taken['records']:,} per durable commit")
    for name, key in (("livezone memory", "memory"), ("local-data memory", "memory")):
        for taken in results.get("large", {}).get(name, [])[-1:]:
            parts = ", ".join(f"{k[3:].lower()} {v / 1024:.0f} MB"
                              for k, v in taken[key].items() if k != "VmRSS")
            yield f"{name}, last round: {parts}"
    for taken in results.get("mixed", {}).get("writing", [])[-1:]:
        yield "writes during the queries: {per_second:.0f}/s, p50 {p50_us} us, p99 {p99_us} us" \
            .format(**taken["writes"])
    for group in ("small", "large", "foreign", "mixed"):
        costs = ", ".join(f"{name} {statistics.median(r['cpu_us'] for r in taken):.2f}"
                          for name, taken in results.get(group, {}).items()
                          if "cpu_us" in taken[-1])
        if costs:
            yield f"server's CPU a query, us, {group}: {costs}"
    for name, measured in results.get("writes", {}).items():
        if "p50_us" in measured[-1]:
            yield "{}: p50 {} us, p99 {} us, {:.0f} us of CPU a write, {} reconnects".format(
                name, *(measured[-1][k] for k in ("p50_us", "p99_us", "cpu_us", "reconnects")))


def run_rows(options, context, scale):
    chosen = select(options.row)
    results, skipped = {}, {}
    for group in rows.GROUPS:
        wanted = {m for row in chosen if row.group == group for m in (row.ours, row.against)}
        if wanted:
            results[group] = measure_group(group, wanted, context, scale, skipped)
    compared = [compare(row, results) for row in chosen]
    head = machine(context)
    print("\n".join(head) + "\n")
    print(table(chosen, compared))
    print(f"\nMedians of {scale.rounds} rounds, in turn, {scale.seconds:g} s each; in brackets "
          "the spread. The ratio is that of the medians; in brackets, of the rounds. By CPU: the "
          "ratio that the servers' CPU time for each query or write gives; it judges a row of queries "
          "where dnsperf, not the server, was the limit."
          + (" QUICK: too short to judge." if options.quick else ""))
    for text in definitions(results):
        print(f"* {text}")
    for what, reason in skipped.items():
        print(f"* skipped: {what}: {' '.join(reason.split())}")
    for what in client_limited(results):
        print(f"* the server was not always at its limit: {what}")
    if harness.Disturbance.worst > BUSY:
        print(f"* WARNING: other processes took up to {harness.Disturbance.worst:.0%} of a core "
              "during a measurement")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as out:
            json.dump({"machine": head, "rows": compared, "results": results,
                       "skipped": skipped}, out, indent=1)
    return any(cells.get("met") is False or "ratio" not in cells and row.goal is not None
               for row, cells in zip(chosen, compared))


def main():
    options = parse()
    if options.list:
        for row in rows.ROWS:
            goal = f"{'<=' if row.less else '>='} {row.goal:g}" if row.goal is not None else "-"
            print(f"{row.name:20} {goal:8} {row.text}: {row.ours} against {row.against}")
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench: ended by a signal"))
    if len(harness.CORES) < 2:
        sys.exit("bench: needs two cores, one for the server and one for the client")
    scale = rows.QUICK if options.quick else rows.FULL
    scale = rows.Scale(scale.small, scale.large, options.seconds or scale.seconds,
                       options.repeats or scale.rounds)
    context = subjects.Context(options.prefix, options.peers, options.build,
                               data.Data(os.path.join(options.build, "data")))
    try:
        if options.instructions:
            return instructions.run(context, scale.rounds)
        if options.cost:
            return cost.run(context)
        load_warning()
        return int(run_rows(options, context, scale))
    finally:
        harness.stop_all()
        context.close()


if __name__ == "__main__":
    sys.exit(main())
