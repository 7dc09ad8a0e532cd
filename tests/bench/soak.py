#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""A million names, all the queries that Unbound can answer, and 1,000 writes a second, for a
long time: does anything grow, and does the latency stay? scripts/test --soak runs it. Prints a
line for each minute and a verdict; the exit status is the verdict's.

Unbound (one thread) has a core for itself. livezoned and the clients share the others: dnsperf
asks as fast as it is answered, write_load writes single RRsets over 32 connections in no order,
and paced_queries, whose questions wait behind dnsperf's, measures the latency.
"""

import argparse
import collections
import glob
import http.client
import json
import os
import pathlib
import signal
import struct
import sys
import time

import data
import harness
import subjects

WRITE_RATE = 1000
WRITERS = 32
PACED_RATE = 500
P99_TIMES = 1.5       # of the first minute's
GROWTH = 1.05         # and
GROWTH_MB = 1.0       # from one half of the run to the other count as flat
SETTLE = 5            # minutes: until then the change log fills (100,000 revisions)
LOCK_HEAD, LOCK_SLOT = 128, 64  # lock.mdb of LMDB 0.9, see lib/serve/mdb.c

# What must be flat, in the order of the table.
LEVELS = {
    "unbound MB": "memory of Unbound that no file has",
    "snapshot MB": "the copy of serve in memory; two for a moment now and then",
    "livezoned MB": "memory of livezoned that no file has",
    "serve MB": "serve/data.mdb",
    "state MB": "state/data.mdb",
    "slots": "reader slots in use in serve",
    "fds": "open files of both processes",
}
# A second snapshot, for a moment, has files of its own.
SLACK = {"slots": 0, "fds": 4}
STAGES = ("live", "stale", "fallback", "next", "failed")


def say(text):
    print(text, flush=True)


def parse():
    parser = argparse.ArgumentParser(prog="scripts/test --soak", description=__doc__)
    parser.add_argument("--seconds", type=int, default=1800)
    parser.add_argument("--minute", type=int, default=60, help="length of a line of the table")
    parser.add_argument("--names", type=int, default=1_000_000)
    parser.add_argument("--json", metavar="FILE", help="every line as JSON")
    for hidden in ("--prefix", "--build"):
        parser.add_argument(hidden, required=True, help=argparse.SUPPRESS)
    return parser.parse_args()


def megabytes(path):
    """What a file takes on its disk."""
    return os.stat(path).st_blocks * 512 / 1e6


def snapshot_megabytes(pid):
    """Of the larger copy: there are two while one is renewed."""
    sizes = {}
    for link in glob.glob(f"/proc/{pid}/fd/*"):
        try:
            if "livezone-snapshot" in os.readlink(link):
                status = os.stat(link)
                sizes[status.st_ino] = status.st_blocks * 512
        except OSError:
            continue
    return max(sizes.values(), default=0) / 1e6


def reader_slots(directory):
    lock = (pathlib.Path(directory) / "lock.mdb").read_bytes()
    return sum(struct.unpack_from("<I", lock, at + 8)[0] != 0
               for at in range(LOCK_HEAD, len(lock) - LOCK_SLOT + 1, LOCK_SLOT))


def get(livezone, path):
    connection = livezone.connect()
    connection.request("GET", path)
    text = connection.getresponse().read()
    connection.close()
    return json.loads(text)


class Soak:
    def __init__(self, options, context):
        self.options, self.context = options, context
        self.queries = context.data.mixed(options.names)
        say(f"loading {options.names} names ...")
        # the default's 212 kB overflow when Unbound waits 0.3 s for its core
        self.livezone = subjects.Livezone(context, options.names, server="    so-rcvbuf: 4m",
                                          daemon_core=harness.THIRD_CORE)
        say(f"loaded in {self.livezone.load_seconds:.1f} s; every name once ...")
        harness.dnsperf(self.livezone.process, self.livezone.port, self.queries, passes=1)
        self.rows = []

    def client(self, name, *argv):
        """A client in the background with its standard output in a file."""
        out = self.livezone.folder / name
        with open(out, "wb") as stream:
            process = harness.Process(argv, self.livezone.folder / f"{name}.err",
                                      core=harness.THIRD_CORE, stdout=stream)
        return process, out

    def finish(self, process, out):
        status = process.child.wait(120)
        process.stop()
        if status:
            tail = process.log.read_text(errors="replace")[-300:]
            raise harness.Failed(f"{process.child.args[6]}: {tail}")
        return harness.last_json(out.read_text())

    def minute(self, seconds):
        build, livezone = self.context.build, self.livezone
        writes = self.client("writes", build / "write_load", "scattered", livezone.target,
                             data.ZONE, self.options.names, WRITERS, seconds, WRITE_RATE)
        paced = self.client("paced", build / "paced_queries", livezone.port, data.ZONE,
                            self.options.names, PACED_RATE, seconds)
        load = harness.dnsperf(livezone.process, livezone.port, self.queries, seconds=seconds)
        done = {"load": load, "writes": self.finish(*writes), "paced": self.finish(*paced)}
        return {**done, "levels": self.levels(), "status": get(livezone, "/v1/status")}

    def levels(self):
        livezone = self.livezone
        unbound, daemon = livezone.process, livezone.daemon
        return {
            "unbound MB": unbound.memory()["RssAnon"] / 1000,
            "snapshot MB": snapshot_megabytes(unbound.pid),
            "livezoned MB": daemon.memory()["RssAnon"] / 1000,
            "serve MB": megabytes(livezone.serve / "data.mdb"),
            "state MB": megabytes(livezone.state / "data.mdb"),
            "slots": reader_slots(livezone.serve),
            "fds": self.descriptors(),
        }

    def descriptors(self):
        """The clients have ended, but livezoned may see the end of their connections a moment
        later: the least of a second."""
        counts, end = [], time.monotonic() + 1
        while not counts or time.monotonic() < end:
            counts.append(sum(len(os.listdir(f"/proc/{process.pid}/fd"))
                              for process in (self.livezone.process, self.livezone.daemon)))
            time.sleep(0.1)
        return min(counts)

    def run(self):
        pids = self.livezone.process.pid, self.livezone.daemon.pid
        left = self.options.seconds
        say(header())
        while left > 0:
            row = self.minute(min(left, self.options.minute))
            left -= self.options.minute
            self.rows.append(row)
            say(line(len(self.rows), row))
        self.livezone.process.check()
        self.livezone.daemon.check()
        assert pids == (self.livezone.process.pid, self.livezone.daemon.pid)
        return self.verdict()

    def verdict(self):
        """Everything that is not as it must be, in words."""
        faults = [text for number, row in enumerate(self.rows, 1)
                  for text in wrong_with(row, f"minute {number}")]
        first, *others = [row["paced"]["p99_us"] for row in self.rows]
        worst = max(others, default=first)
        say(f"p99: {first} us in the first minute, {worst} us in the worst "
            f"({worst / first:.2f} x)")
        if worst > P99_TIMES * first:
            faults.append(f"p99 went from {first} to {worst} us")
        return faults + self.growth()

    def growth(self):
        """The greatest level of the second half against that of the first, once settled."""
        settled = self.rows[min(SETTLE, len(self.rows) // 3):]
        half = len(settled) // 2
        faults = []
        if half == 0:
            return ["too short to see growth"]
        for name, meaning in LEVELS.items():
            before, after = (max(row["levels"][name] for row in part)
                             for part in (settled[:half], settled[half:]))
            allowed = before + SLACK[name] if name in SLACK else before * GROWTH + GROWTH_MB
            say(f"{name}: {before:.1f}, then {after:.1f} ({meaning})")
            if after > allowed:
                faults.append(f"{name} grew from {before:.1f} to {after:.1f}")
        return faults


def stages(row):
    total = collections.Counter()
    for reader in row["status"]["unbounds"]:
        for zone in reader["zones"]:
            total.update({stage: zone[stage] for stage in STAGES})
    return total


def wrong_with(row, when):
    load, writes, paced = row["load"], row["writes"], row["paced"]
    if load["lost"] or set(load["codes"]) - {"NOERROR", "NXDOMAIN"}:
        yield f"{when}: dnsperf lost {load['lost']:.0f}, codes {load['codes']}"
    if paced["lost"] or paced["wrong"]:
        yield f"{when}: of {paced['sent']} paced queries {paced['lost']} were lost, " \
              f"{paced['wrong']} answered wrongly"
    if writes["errors"] or writes["per_second"] < 0.95 * WRITE_RATE:
        yield f"{when}: {writes['per_second']:.0f} writes/s, {writes['errors']} errors " \
              f"{writes['first_error']}"
    others = {stage: count for stage, count in stages(row).items() if stage != "live" and count}
    if others:
        yield f"{when}: answers that are not live: {others}"


def header():
    return "minute  queries/s  lost  p50 us  p99 us  max us  writes/s  p99 us  errors  " + \
        "  ".join(LEVELS)


def line(number, row):
    load, writes, paced = row["load"], row["writes"], row["paced"]
    levels = "  ".join(f"{row['levels'][name]:>{len(name)}.{0 if name in ('slots', 'fds') else 1}f}"
                       for name in LEVELS)
    return f"{number:>6}  {load['per_second']:>9.0f}  {load['lost'] + paced['lost']:>4.0f}  " \
        f"{paced['p50_us']:>6}  {paced['p99_us']:>6}  {paced['max_us']:>6}  " \
        f"{writes['per_second']:>8.0f}  {writes['p99_us']:>6}  {writes['errors']:>6}  {levels}"


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("soak: ended by a signal"))
    options = parse()
    context = subjects.Context(options.prefix, options.build, options.build,
                               data.Data(pathlib.Path(options.build) / "data"))
    soak = None
    try:
        soak = Soak(options, context)
        faults = soak.run()
    except (harness.Failed, OSError, http.client.HTTPException) as error:
        faults = [str(error)]
    finally:
        if soak:
            if options.json:
                pathlib.Path(options.json).write_text(json.dumps(soak.rows, indent=1))
            soak.livezone.close()
        context.close()
    for fault in faults:
        say(f"not good: {fault}")
    say(f"soak: {'failed' if faults else 'ok'}")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
