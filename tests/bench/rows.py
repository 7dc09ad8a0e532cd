# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""What is measured: the rows of the table, and the groups of measurements they come from.

A group starts the servers that its rows need and hands out measurements by name; the
measurements of a group are taken in turn, round after round, so that both sides of a ratio
saw the same machine. A measurement returns a dict with `value`.
"""

import contextlib
import shutil
import signal
import time
from dataclasses import dataclass

import data
import harness
import subjects

WRITE_RATE = 1000


@dataclass(frozen=True)
class Row:
    """ratio = livezone / against; with `less`, less is better. goal None: for information."""

    name: str
    text: str
    group: str
    ours: str
    against: str
    goal: float | None = None
    less: bool = False
    unit: str = "/s"


@dataclass(frozen=True)
class Scale:
    """How long and how large: the full run, or --quick."""

    small: int
    large: int
    seconds: float
    rounds: int


FULL = Scale(10_000, 1_000_000, 6, 3)
QUICK = Scale(10_000, 100_000, 2, 1)

PEER_ROWS = [Row(f"hit-10k-{peer}", "a hit, 10 thousand names", "small", "livezone", peer)
             for peer in subjects.DNS_PEERS] + \
            [Row(f"hit-1m-{peer}", "a hit, 1 million names", "large", "livezone", peer)
             for peer in ("auth-zone", "knot", "nsd")]

ROWS = [
    Row("hit-10k", "a hit, 10 thousand names", "small", "livezone", "local-data", 0.97),
    Row("hit-1m", "a hit, 1 million names", "large", "livezone", "local-data", 1.10),
    Row("memory-1m", "resident memory of Unbound, 1 million names", "large", "livezone memory",
        "local-data memory", 0.10, True, " MB"),
    Row("private-1m", "of it private (not the shared map)", "large", "livezone private",
        "local-data private", None, True, " MB"),
    Row("nxdomain", "NXDOMAIN flood of random names", "small", "nxdomain", "livezone", 0.90),
    Row("nxdomain-memory", "resident memory after the flood", "small", "memory after",
        "memory before", 1.02, True, " MB"),
    Row("foreign-hit", "foreign name from Unbound's cache", "foreign", "hit, loaded",
        "hit, not loaded", 0.98),
    Row("foreign-miss", "foreign cache misses", "foreign", "miss, loaded", "miss, not loaded",
        0.97),
    Row("write-1", "durable writes, one client", "writes", "livezone 1", "bare LMDB commits", 0.5),
    Row("write-32", "durable writes, 32 clients", "writes", "livezone 32", "livezone 1", 4),
    Row("write-pdns-1", "writes, one client", "writes", "livezone 1", "PowerDNS LMDB 1", 3),
    Row("write-pdns-32", "writes, 32 clients", "writes", "livezone 32", "PowerDNS LMDB 32", 3),
    Row("write-etcd-1", "writes, one client", "writes", "livezone 1", "etcd 1", 2),
    Row("write-etcd-32", "writes, 32 clients", "writes", "livezone 32", "etcd 32", 2),
    Row("bare-etcd-1", "for comparison: bare LMDB commits (two flushes each)", "writes",
        "bare LMDB commits", "etcd 1"),
    Row("load-1m", "1 million RRsets loaded through the API", "load", "livezone",
        "bare LMDB load", 0.4, unit=" RRsets/s"),
    Row("query-while-write", f"hits while {WRITE_RATE} writes/s run", "mixed", "writing", "idle",
        0.90),
    Row("start-1m", "first right answer, 1 million names, store in place", "start", "livezone",
        "local-data", 0.25, True, " s"),
    Row("start-cold-1m", "the same with serve lost (boot): rebuilt from state", "start",
        "livezone, serve lost", "local-data", None, True, " s"),
    *PEER_ROWS,
]


class Group:
    """Servers for some rows. measurements: name -> function that takes one measurement."""

    def __init__(self, context, scale, wanted):
        self.context, self.scale, self.wanted = context, scale, set(wanted)
        self.stack = contextlib.ExitStack()
        self.measurements = {}
        self.skipped = {}

    def want(self, *names):
        return any(name in self.wanted for name in names)

    def add(self, make, *arguments, **options):
        """Starts a server; None when it cannot be had, with the reason kept."""
        try:
            server = make(self.context, *arguments, **options)
        except (harness.Failed, OSError) as reason:
            self.skipped[make.title] = str(reason)
            return None
        self.stack.callback(server.close)
        return server

    def close(self):
        self.stack.close()


def hits(server, queries, seconds, code="NOERROR"):
    """Queries/s, provided that all answers have this code and nearly none was lost."""
    result = harness.dnsperf(server.process, server.port, queries, seconds)
    right = float(result["codes"].get(code, 0))
    if right < 0.999 * result["sent"] or not right:
        raise harness.Failed(f"{server.title}: {result['codes']} of {result['sent']:.0f}")
    result["value"] = result["per_second"]
    return result


def megabytes(server, *keys):
    memory = server.process.memory()
    return {"value": sum(memory[key] for key in keys) / 1024, "memory": memory}


class Names(Group):
    """Hits and misses in the zone: livezone, local-data, and peers where they are wanted."""

    def __init__(self, context, scale, wanted, count, seconds):
        super().__init__(context, scale, wanted)
        # Memory is what the hits left behind.
        self.wanted |= {name.removesuffix(part) for name in wanted
                        for part in (" memory", " private")}
        self.seconds = seconds
        self.queries = context.data.hits(count)
        classes = {"local-data": subjects.LocalData, **subjects.DNS_PEERS}
        self.livezone = self.add(subjects.Livezone, count)
        servers = {name: self.add(make, count) for name, make in classes.items()
                   if self.want(name)}
        servers = {"livezone": self.livezone, **servers}
        for name, server in servers.items():
            if not server:
                continue
            self.measurements[name] = self.measure_hits(server)
            for part, keys in (("memory", ["VmRSS"]), ("private", ["RssAnon"])):
                self.measurements[f"{name} {part}"] = self.measure_memory(server, keys)
        if self.livezone and self.want("nxdomain", "memory after"):
            self.measurements["memory before"] = self.measure_memory(self.livezone, ["VmRSS"])
            self.measurements["nxdomain"] = self.nxdomain
            self.measurements["memory after"] = self.measure_memory(self.livezone, ["VmRSS"])

    def measure_hits(self, server):
        return lambda: hits(server, self.queries, self.seconds)

    @staticmethod
    def measure_memory(server, keys):
        return lambda: megabytes(server, *keys)

    def nxdomain(self):
        return hits(self.livezone, self.context.data.random_names(1_000_000),
                    self.seconds, "NXDOMAIN")


def small(context, scale, wanted):
    return Names(context, scale, wanted, scale.small, scale.seconds)


def large(context, scale, wanted):
    # Long enough to ask for every name at least once.
    return Names(context, scale, wanted, scale.large, max(scale.seconds, scale.large / 80_000))


class Foreign(Group):
    """Names of the rest of the world, with the module loaded and not loaded."""

    MISSES = 400_000

    def __init__(self, context, scale, wanted):
        super().__init__(context, scale, wanted)
        upstream = self.add(subjects.Upstream, harness.CLIENT_CORE)
        servers = {"loaded": self.add(subjects.Livezone, scale.small, upstream=upstream),
                   "not loaded": self.add(subjects.Forwarding, upstream)}
        self.hits = context.data.foreign(1000)
        self.round = {}
        for name, server in servers.items():
            if server:
                self.measurements[f"hit, {name}"] = self.measure_hits(server)
        for name, server in servers.items():
            if server:
                self.measurements[f"miss, {name}"] = self.measure_misses(server)

    def measure_hits(self, server):
        def measure():
            harness.dnsperf(server.process, server.port, self.hits, passes=1)
            return hits(server, self.hits, self.scale.seconds)
        return measure

    def measure_misses(self, server):
        def measure():
            # Both servers get the same names in a round, no server a name twice.
            number = self.round[server] = self.round.get(server, 0) + 1
            names = self.context.data.foreign_new(number, self.MISSES)
            return hits(server, names, self.scale.seconds)
        return measure


class Writes(Group):
    """Single-record writes. Servers on one core, the client on the other."""

    def __init__(self, context, scale, wanted):
        super().__init__(context, scale, wanted)
        self.livezone = self.add(subjects.Livezone, scale.small)
        kinds = [("livezone", "livezone", self.livezone, "")]
        for kind, make, header in (("etcd", subjects.Etcd, ""),
                                   ("pdns", subjects.Pdns, f"X-API-Key: {subjects.Pdns.key}")):
            if self.want(f"{make.title} 1", f"{make.title} 32"):
                kinds.append((kind, make.title, self.add(make, scale.small), header))
        if self.livezone:
            self.measurements["bare LMDB commits"] = self.bare
        for clients in (1, 32):
            for kind, title, server, header in kinds:
                if server:
                    self.measurements[f"{title} {clients}"] = \
                        self.measure_writes(kind, server, clients, header)

    def bare(self):
        folder = self.context.folder("bare")
        result = harness.last_json(harness.run(
            [self.context.build / "bare_lmdb", "commits", self.livezone.state, folder,
             self.scale.seconds], core=harness.SERVER_CORE))
        shutil.rmtree(folder)
        return {**result, "value": result["per_second"]}

    def measure_writes(self, kind, server, clients, header):
        return lambda: write(self.context, kind, server, clients, self.scale, 0, header)


def write(context, kind, server, clients, scale, rate, header=""):
    writer = getattr(server, "daemon", server.process)
    before = writer.cpu_seconds()
    result = harness.last_json(harness.run(
        [context.build / "write_load", kind, server.target, data.ZONE, scale.small, clients,
         scale.seconds, rate, header]))
    if result["errors"]:
        raise harness.Failed(f"{kind}: {result['errors']} errors, first {result['first_error']}")
    spent = (writer.cpu_seconds() - before) * 1e6
    return {**result, "value": result["per_second"], "cpu_us": spent / result["writes"]}


class Load(Group):
    """Everything through the API in one request (PUT of the zone as a master file, one change,
    one transaction), then the same bytes into bare LMDB in one transaction."""

    def __init__(self, context, scale, wanted):
        super().__init__(context, scale, wanted)
        self.last = None
        self.stack.callback(lambda: self.last and self.last.close())
        self.measurements["livezone"] = self.livezone
        self.measurements["bare LMDB load"] = self.bare

    def livezone(self):
        if self.last:
            self.last.close()
        self.last = subjects.Livezone(self.context, self.scale.large, unbound=False)
        return {"seconds": self.last.load_seconds,
                "value": self.scale.large / self.last.load_seconds,
                "cpu_us": self.last.load_cpu * 1e6 / self.scale.large}

    def bare(self):
        if not self.last:
            raise harness.Failed("nothing was loaded to compare with")
        state = self.context.folder("bare")
        serve = self.context.folder("bare", on_memory=True)
        result = harness.last_json(harness.run(
            [self.context.build / "bare_lmdb", "load", self.last.state, self.last.serve, state,
             serve, 1], core=harness.SERVER_CORE))
        shutil.rmtree(state)
        shutil.rmtree(serve)
        return {**result, "value": self.scale.large / result["seconds"],
                "cpu_us": result["cpu_seconds"] * 1e6 / self.scale.large}


class Mixed(Group):
    """Hits with and without writes. livezoned and the write client have a core of their own
    where there is one, else they share the client's: Unbound's core is only Unbound's."""

    def __init__(self, context, scale, wanted):
        super().__init__(context, scale, wanted)
        self.livezone = self.add(subjects.Livezone, scale.small, daemon_core=harness.THIRD_CORE)
        if self.livezone:
            self.queries = context.data.hits(scale.small)
            self.measurements["idle"] = self.idle
            self.measurements["writing"] = self.writing

    def idle(self):
        return hits(self.livezone, self.queries, self.scale.seconds)

    def writing(self):
        log = self.livezone.folder / "writes"
        with open(log, "wb") as out:
            writer = harness.Process(
                [self.context.build / "write_load", "livezone", self.livezone.target, data.ZONE,
                 self.scale.small, 32, self.scale.seconds + 1, WRITE_RATE],
                self.livezone.folder / "writes.err", core=harness.THIRD_CORE, stdout=out)
        time.sleep(0.3)
        result = self.idle()
        writer.child.wait(60)
        writer.stop()
        result["writes"] = harness.last_json(log.read_text())
        if result["writes"]["per_second"] < 0.95 * WRITE_RATE or result["writes"]["errors"]:
            raise harness.Failed(f"the writes did not keep their rate: {result['writes']}")
        return result


class Start(Group):
    """From the start of the processes to the first right answer, large zone."""

    def __init__(self, context, scale, wanted):
        super().__init__(context, scale, wanted)
        context.data.local_data(scale.large)
        self.livezone = None
        if self.want("livezone", "livezone, serve lost"):
            self.livezone = self.add(subjects.Livezone, scale.large, unbound=False)
        self.measurements["local-data"] = self.local_data
        if self.livezone:
            self.measurements["livezone"] = self.warm
            self.measurements["livezone, serve lost"] = self.cold

    def local_data(self):
        server = subjects.LocalData(self.context, self.scale.large, started=False)
        try:
            began = time.monotonic()
            server.start_unbound()
            return {"value": server.wait(self.scale.large) - began}
        finally:
            server.close()

    def warm(self):
        return self.timed(lambda: None)

    def cold(self):
        self.livezone.stop_daemon(signal.SIGKILL)
        shutil.rmtree(self.livezone.serve)
        return self.timed(self.livezone.start_daemon)

    def timed(self, first):
        self.livezone.prepare_unbound()
        try:
            began = time.monotonic()
            first()
            self.livezone.unbound.start_unbound()
            return {"value": self.livezone.unbound.wait(self.scale.large) - began}
        finally:
            self.livezone.stop_unbound()
            self.livezone.wait_ready()


GROUPS = {"small": small, "large": large, "foreign": Foreign, "writes": Writes, "load": Load,
          "mixed": Mixed, "start": Start}
