# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""What may be answered, and whether it was: joins the prober's log with the writer's.

Every write is one batch over two zones, and carries a number that only grows. Write n of
cell k:

    hot-k.live.test    A 10.n, TXT "n,crc"      alias-k.live.test  CNAME wn.other.test
    wn.other.test      A 10.n                   (the one of the write before is deleted)

so that of each answer the write is known, and an alias that leads to nothing, or to
another number, is half a batch.

    I1  a number was sent for that cell before it was answered, or what is loaded for ever
    I2  a write that was acknowledged before the question was sent is visible, unless the
        answer is declared stale
    I3  a number is not smaller than one answered before the question was sent, unless stale
    I4  check_stored: what is acknowledged is stored
    I5  the chain of an alias is whole
"""

import bisect
import zlib
from collections import Counter

from .load import address, value_of_address
from .prober import BAD_TXT, LOST, MALFORMED, NO_EDE
from .wire import TYPES

ZONE, OTHER = "live.test", "other.test"
CELLS = 24  # that the writer goes round
WILD, FOREIGN = 4, 20
STATIC = 1 << 20  # numbers of what is loaded and never written again: 10.16.0.0 and up
MISSING = 40

SERVFAIL, NXDOMAIN = 2, 3
_STALE = (3, 19)  # extended errors of RFC 8914
_FALLBACK = 0
_KINDS = {  # share of the questions
    "hot": 35,
    "alias": 10,
    "cold": 25,
    "wildcard": 8,
    "missing": 12,
    "foreign": 10,
}


def text_of(name, number):
    return f"{number},{zlib.crc32(f'{name} {number}'.encode()):08x}"


def hot(cell):
    return f"hot-{cell}.{ZONE}"


def alias(cell):
    return f"alias-{cell}.{ZONE}"


def cold(number):
    return f"cold-{number}.{ZONE}"


def fallback_records():
    """For the configuration: two of the names that the writer changes have a fallback."""
    return {hot(0): "192.0.2.80", hot(1): "192.0.2.81"}


def static_changes(names):
    """What is loaded before: the cold names and the wildcards."""
    changes = []
    for number in range(names):
        name = cold(number)
        text = f'"{text_of(name, STATIC + number)}"'
        changes.append({"put": {"name": name, "type": "A", "ttl": 300,
                                "records": [address(STATIC + number)]}})
        changes.append({"put": {"name": name, "type": "TXT", "ttl": 300, "records": [text]}})
    for number in range(WILD):
        changes.append({"put": {"name": f"*.wild-{number}.{ZONE}", "type": "A",
                                "records": [address(STATIC + names + number)]}})
    return changes


def foreign_records():
    return [f"www-{n}.foreign.example. 2 IN A 192.0.2.{n + 1}" for n in range(FOREIGN)]


class Names:
    """Every name that is asked for. `rows[index]` is (kind, cell or address, name)."""

    def __init__(self, names):
        self.rows = [("hot", cell, hot(cell)) for cell in range(CELLS)]
        self.rows += [("alias", cell, alias(cell)) for cell in range(CELLS)]
        self.rows += [("cold", address(STATIC + n), cold(n)) for n in range(names)]
        self.rows += [
            ("wildcard", address(STATIC + names + n), f"#.wild-{n}.{ZONE}") for n in range(WILD)
        ]
        self.rows += [("missing", None, f"{part}-#.{ZONE}")
                      for part in ("a", "cold", "hot", "m", "z") for _ in range(MISSING // 5)]
        self.rows += [
            ("foreign", f"192.0.2.{n + 1}", f"www-{n}.foreign.example") for n in range(FOREIGN)
        ]

    def for_prober(self):
        count = Counter(kind for kind, _, _ in self.rows)
        return [
            (_KINDS[kind] / count[kind], "A,TXT" if kind in ("hot", "cold") else "A", name)
            for kind, _, name in self.rows
        ]


def dotted(value):
    return ".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0))


class Verdict:
    """Counts and examples. `wrong` holds texts, `lost` and `servfail` (time, name)."""

    def __init__(self):
        self.questions = 0
        self.wrong, self.lost, self.servfail = [], [], []
        self.stale = self.fallback = self.excused = 0
        self.latencies_us = []
        self.live = []  # (received_ns, number) of cells, undeclared
        self.unlive_ns = []  # when other answers than live ones were received

    def latency_ms(self, share):
        if not self.latencies_us:
            return None
        ordered = sorted(self.latencies_us)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] / 1000


class Judge:
    """`writes` is a list of Write (support/faults.py), `excused` of (from_ns, to_ns)."""

    def __init__(self, names, writes, excused, start_ns):
        self._names = names
        self._excused = excused
        self._start_ns = start_ns
        self._tried = {(write.cell, write.number): write.tried_ns for write in writes}
        self._fallback = fallback_records()
        self._acked = {cell: ([], []) for cell in range(CELLS)}  # times, numbers
        for write in sorted((w for w in writes if w.acked_ns), key=lambda w: w.acked_ns):
            times, numbers = self._acked[write.cell]
            times.append(write.acked_ns)
            numbers.append(max(write.number, numbers[-1] if numbers else 0))
        self._seen = dict.fromkeys(range(CELLS), 0)
        self.verdict = Verdict()

    def run(self, probes):
        """`probes` as Prober.stop returns them. An answer counts as seen for the questions
        that were sent after it came."""
        received = sorted(
            (probe.sent_ns + probe.latency_us * 1000 + 1000, probe.name, probe.value)
            for probe in probes
            if self._names.rows[probe.name][0] in ("hot", "alias")
            and probe.rcode == 0 and probe.answers and probe.ede == NO_EDE
        )
        at = 0
        for probe in probes:
            while at < len(received) and received[at][0] <= probe.sent_ns:
                _, name, value = received[at]
                self._note(self._names.rows[name][1], value)
                at += 1
            self._judge(probe)
        return self.verdict

    def _note(self, cell, value):
        self._seen[cell] = max(self._seen[cell], value & 0xFFFFFF)

    def _is_excused(self, probe, end_ns):
        return any(probe.sent_ns < to and end_ns > begin for begin, to in self._excused)

    def _judge(self, probe):
        verdict = self.verdict
        kind, expected, name = self._names.rows[probe.name]
        end_ns = probe.sent_ns + probe.latency_us * 1000
        at = (probe.sent_ns - self._start_ns) / 1e9
        verdict.questions += 1
        if probe.rcode in (LOST, SERVFAIL):
            if self._is_excused(probe, end_ns):
                verdict.excused += 1
            else:
                (verdict.lost if probe.rcode == LOST else verdict.servfail).append(
                    f"{at:.3f} s: {name}")
            if kind != "foreign":
                verdict.unlive_ns.append(probe.sent_ns if probe.rcode == LOST else end_ns)
            return
        if not self._is_excused(probe, end_ns):
            verdict.latencies_us.append(probe.latency_us)
        fault = self._fault_of(probe, kind, expected, name, end_ns)
        if fault and len(verdict.wrong) < 1000:
            verdict.wrong.append(
                f"{at:.3f} s: {name} type {probe.type}: {fault} (rcode {probe.rcode}, "
                f"value {dotted(probe.value)}, link {probe.link}, ede {probe.ede})")

    def _fault_of(self, probe, kind, expected, name, end_ns):
        if probe.flags & MALFORMED:
            return "malformed"
        if kind == "foreign":
            return None if dotted(probe.value) == expected else "not the upstream's answer"
        if probe.ede in _STALE:
            self.verdict.stale += 1
        elif probe.ede == _FALLBACK:
            self.verdict.fallback += 1
        if probe.ede != NO_EDE:
            self.verdict.unlive_ns.append(end_ns)
        if probe.ede == _FALLBACK:
            return self._fault_of_fallback(probe, name)
        if kind == "missing":
            return None if probe.rcode == NXDOMAIN and not probe.answers else "exists"
        if probe.rcode or probe.answers != 1:
            return "half a batch" if kind == "alias" and probe.link else "not found"
        if probe.flags & BAD_TXT:
            return "text damaged"
        number = probe.value
        if probe.type != TYPES["TXT"]:
            if number >> 24 != 10:
                return "never written"
            number &= 0xFFFFFF
        if kind in ("cold", "wildcard"):
            return None if number == value_of_address(expected) else "never written"
        if kind == "alias" and probe.link != number:
            return "half a batch"
        return self._fault_of_number(probe, expected, number, end_ns)

    def _fault_of_fallback(self, probe, name):
        expected = self._fallback.get(name)
        if expected is None:
            return "no fallback of that name"
        if probe.type == TYPES["A"] and dotted(probe.value) != expected:
            return "not the fallback record"
        return None

    def _fault_of_number(self, probe, cell, number, end_ns):
        tried_ns = self._tried.get((cell, number))
        if tried_ns is None or tried_ns > end_ns:
            return "never written"
        if probe.ede != NO_EDE:
            return None
        times, numbers = self._acked[cell]
        before = bisect.bisect_right(times, probe.sent_ns)
        if before and number < numbers[before - 1]:
            return f"older than the acknowledged {numbers[before - 1]}"
        if number < self._seen[cell]:
            return f"went back from {self._seen[cell]}"
        self.verdict.live.append((end_ns, number))
        return None


def check_stored(api, writes):
    """I4 and I5 in the store: everything acknowledged is there, nothing that was not sent."""
    rrsets = {
        (rrset["name"], rrset["type"]): rrset["records"]
        for zone in (ZONE, OTHER)
        for rrset in api.get(f"/v1/zones/{zone}").json["rrsets"]
    }
    for cell in range(CELLS):
        of_cell = [write for write in writes if write.cell == cell]
        acked = max((write.number for write in of_cell if write.stored), default=0)
        tried = max((write.number for write in of_cell), default=0)
        found = rrsets.get((f"{hot(cell)}.", "A"), ["10.0.0.0"])
        number = value_of_address(found[0])
        assert acked <= number <= tried, (
            f"{hot(cell)}: {number} is stored, acknowledged up to {acked}, sent up to {tried}")
        target = rrsets.get((f"{alias(cell)}.", "CNAME"))
        assert number == 0 or (
            target == [f"w{number}.{OTHER}."]
            and rrsets.get((f"w{number}.{OTHER}.", "A")) == found
        ), f"half a batch is stored: {alias(cell)} {target}, {hot(cell)} {found}"
