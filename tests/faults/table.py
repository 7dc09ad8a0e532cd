#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Makes the table of doc/faults.md from the figures that a run of the rows left behind:

    tests/faults/table.py [--document FILE] [RESULTS...]

RESULTS are folders; the rows of a later one replace those of an earlier one. Without any:
build/faults-short, which scripts/test leaves, and build/faults of scripts/test --faults. What is
between the two marks in the document is replaced.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BEGIN = "<!-- table: made by tests/faults/table.py -->"
END = "<!-- end of the table -->"

ROWS = {
    "F1": "livezoned never started, or stopped",
    "F2": "livezoned killed, idle",
    "F3": "livezoned killed at every system call of a write",
    "F4": "livezoned stopped inside a commit",
    "F5": "livezoned stopped inside the reader check",
    "F6": "livezoned in a crash loop",
    "F7": "livezoned out of memory",
    "F8": "the n-th malloc fails",
    "F9": "livezoned out of file descriptors",
    "F10": "livezoned starved of CPU",
    "F11": "Unbound killed with an open read transaction",
    "F12": "Unbound stopped inside a read transaction",
    "F13": "1,000 reloads under load",
    "F14": "fast_reload",
    "F15": "the module starts with bad settings or an unreadable store",
    "F16": "the module is missing, or of another ABI",
    "F17": "a bug in the module (SIGSEGV)",
    "F18": "a poison record",
    "F19": "1, 2, 8 and 64 threads",
    "F20": "chroot and another user",
    "F21": "more workers than reader slots",
    "F22": "serve truncated",
    "F23": "serve truncated or missing while Unbound is down",
    "F24": "random bytes of serve changed",
    "F25": "serve/data.mdb deleted",
    "F26": "serve/data.mdb replaced by something else",
    "F27": "serve/lock.mdb deleted",
    "F28": "serve/lock.mdb truncated, garbage, or not ours",
    "F29": "serve renamed, removed, unmounted",
    "F30": "serve read-only for Unbound only",
    "F31": "permissions taken away",
    "F32": "the newest backup is damaged when it is needed",
    "F33": "disk full",
    "F34": "I/O error when a page is read",
    "F35": "EIO or ENOSPC in a write of state",
    "F36": "slow disk",
    "F37": "page cache dropped, memory pressure",
    "F38": "power loss at any point of a commit",
    "F39": "inodes exhausted",
    "F40": "other file systems",
    "F41": "the map is full",
    "F42": "the writer grows the map tenfold under readers",
    "F43": "the reader table is filled by another process",
    "F44": "both processes are pid 1",
    "F45": "two versions of liblmdb",
    "F46": "storms of starts and stops",
    "F47": "a million records loaded and deleted",
    "F48": "100,000 writes/s",
    "F49": "one hot name rewritten all the time",
    "F50": "the largest records and names",
    "F51": "floods of NXDOMAIN and of long names",
    "F52": "a source of records misbehaves",
    "F53": "two sources claim one name",
    "F54": "malformed JSON and HTTP",
    "F55": "wrong tokens, users and paths",
    "F56": "the clock jumps",
    "F57": "the machine is paused",
    "F58": "versions of livezoned and module differ",
    "F59": "a store of a machine with other pages",
    "F60": "livezoned dead, serve damaged, upstream down",
    "F61": "state damaged",
    "F62": "state and serve damaged",
    "F63": "an old serve put back",
    "F64": "serve exchanged 1,000 times",
    "F65": "livezoned dies between the two commits",
    "F66": "a new module renamed in, then reload",
}

HEAD = ("| row | fault | runs | questions | lost | wrong | SERVFAIL | stale | p50 ms | p99 ms | "
        "max ms | live again s | remarks |\n|" + "---|" * 13)
COUNTS = ("questions", "lost", "wrong", "servfail", "stale")


def results_in(folders):
    """{row: [figures of each run]}"""
    found = {}
    for folder in folders:
        rows = {}
        for path in sorted(folder.glob("*.json")):
            figures = json.loads(path.read_text())
            rows.setdefault(figures["row"], []).append(figures)
        found.update(rows)
    return found


def highest(runs, key, form):
    values = [run[key] for run in runs if run.get(key) is not None]
    return form.format(max(values)) if values else ""


def remarks_of(runs):
    notes = [run["note"] for run in runs if run.get("note")]
    skips = [f"skipped: {run['skipped']}" for run in runs if run.get("skipped")]
    failures = [f"**failed**: {run['test']}" for run in runs if run.get("failed")]
    return "; ".join(dict.fromkeys(failures + notes + skips)).replace("|", "\\|")


def line_of(row, runs):
    done = [run for run in runs if not run.get("skipped")]
    asked = [run for run in done if "questions" in run]
    form = " full" if any(run["full"] for run in runs) else ""
    cells = [row, ROWS[row], f"{len(done)}{form}" if runs else "not run"]
    cells += [f"{sum(run[key] for run in asked):,}" if asked else "" for key in COUNTS]
    cells += [highest(asked, "p50_ms", "{:.2f}"), highest(asked, "p99_ms", "{:.2f}"),
              highest(asked, "max_ms", "{:.1f}"), highest(asked, "live_again_s", "{:.2f}"),
              remarks_of(runs)]
    return "| " + " | ".join(cells) + " |"


def unbound_version():
    prefix = Path(os.environ.get("LIVEZONE_PREFIX", TOP / "build" / "install"))
    program = prefix / "sbin" / "unbound"
    if not program.exists():
        return "Unbound"
    done = subprocess.run([program, "-V"], capture_output=True, text=True)
    return done.stdout.split("\n", 1)[0].replace("Version", "Unbound")


def table(results):
    runs = [run for row in results.values() for run in row]
    full = sum(run["full"] for run in runs)
    total = {key: sum(run.get(key, 0) for run in runs) for key in COUNTS}
    lines = [
        f"{len(runs)} runs, {full} of them in the full form; {unbound_version()}, Linux "
        f"{platform.release()}, {os.cpu_count()} cores. In all {total['questions']:,} questions: "
        f"{total['lost']} lost, {total['wrong']} wrong, {total['servfail']} SERVFAIL; what a row "
        "expects of an Unbound that has nothing to read is not counted, but remarked. Latencies "
        "are the highest of the runs of a row.",
        "",
        HEAD,
    ]
    return "\n".join(lines + [line_of(row, results.get(row, [])) for row in ROWS])


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--document", type=Path, default=TOP / "doc" / "faults.md")
    parser.add_argument("results", type=Path, nargs="*",
                        default=[TOP / "build" / "faults-short", TOP / "build" / "faults"])
    options = parser.parse_args()
    results = results_in(options.results)
    if not results:
        sys.exit(f"{', '.join(map(str, options.results))}: no results; run scripts/test")
    before, rest = options.document.read_text().split(BEGIN)
    options.document.write_text(
        before + BEGIN + "\n\n" + table(results) + "\n\n" + END + rest.split(END)[1])


if __name__ == "__main__":
    main()
