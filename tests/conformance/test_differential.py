# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Random zones, asked of livezone and of NSD, Knot DNS and BIND: where the majority of
these agrees, livezone agrees with it. A difference is shrunk to a small zone and printed.

LIVEZONE_DIFFERENTIAL_SEED repeats a run, LIVEZONE_DIFFERENTIAL_QUESTIONS sets its size."""

import os
import random
import time
from collections import Counter

import dns.flags
import pytest

import peers
from authority import Answer
from zonegen import make_query, make_zone

_SEED = int(os.environ.get("LIVEZONE_DIFFERENTIAL_SEED", time.time_ns() % 1_000_000_000))
_QUESTIONS = int(os.environ.get("LIVEZONE_DIFFERENTIAL_QUESTIONS", 10_000))
_ZONES = 100  # loaded at once
_PER_ZONE = 100
_AT_ONCE = _ZONES * _PER_ZONE
_SHOWN = 5
_APEXES = [f"z{number}.test." for number in range(_ZONES)]


class Bench:
    """All servers with the same zones."""

    def __init__(self, whole, others):
        self.whole = whole
        self.others = others

    def load(self, zones):
        masters = {apex: zone.master(apex) for apex, zone in zip(_APEXES, zones)}
        for other in self.others:
            other.load(masters)
        for apex, master in masters.items():
            reply = self.whole.api.request(
                "PUT", f"/v1/zones/{apex}", master, {"Content-Type": "text/dns"}
            )
            assert reply.status == 200, (master, reply)
        self.whole.api.close()  # livezoned ends idle connections, and questions take long

    def difference(self, name, rdtype):
        """None where livezone agrees with the majority, or there is none."""
        flags = dns.flags.from_text("")
        answers = [Answer(other.query(name, rdtype, flags=flags)) for other in self.others]
        key, votes = Counter(answer.key() for answer in answers).most_common(1)[0]
        if votes * 2 <= len(answers):
            return None
        mine = Answer(self.whole.query(name, rdtype, flags=flags))
        if mine.key() == key:
            return None
        agreed = next(answer for answer in answers if answer.key() == key)
        return f"livezone: {mine}\n{votes} of {len(answers)}: {agreed}"


def _shrink(bench, zone, name, rdtype, apex):
    """Leaves out records as long as the difference stays: all candidates of a round are
    loaded at once, each under an apex of its own."""
    relative = name[: -len(apex)]
    while True:
        candidates = [zone.without(index) for index in range(len(zone.records))][:_ZONES]
        if not candidates:
            return zone
        bench.load(candidates)
        for other, candidate in zip(_APEXES, candidates):
            if bench.difference(relative + other, rdtype):
                zone = candidate
                break
        else:
            return zone


@pytest.fixture
def bench(livezone, upstream, tmp_path, cleanup):
    found = peers.installed()
    if len(found) < 2:
        pytest.skip("needs at least two of nsd, knot, bind9")
    others = []
    for kind in found:
        others.append(kind(tmp_path / kind.name))
        cleanup.callback(others[-1].close)
    zones = [{"name": apex, "soa-serial": "stored"} for apex in _APEXES]
    upstream.empty()  # authorities stop where their zones end, a resolver goes on
    server = "    local-zone: test. nodefault\n    minimal-responses: no\n"
    whole = livezone(zones=zones, threads=1, server=server, upstream=upstream.port)
    return Bench(whole, others)


@pytest.mark.timeout(3600)
def test_livezone_agrees_with_the_majority(bench, record_property):
    rng = random.Random(_SEED)
    record_property("seed", _SEED)
    differences = []
    asked = 0
    while asked < _QUESTIONS and len(differences) < _SHOWN:
        zones = [make_zone(rng) for _ in range(_ZONES)]
        bench.load(zones)
        found = []
        for apex, zone in zip(_APEXES, zones):
            for _ in range(min(_PER_ZONE, max(1, _QUESTIONS // _ZONES))):
                name, rdtype = make_query(rng, zone, apex)
                asked += 1
                if bench.difference(name, rdtype):
                    found.append((zone, name, rdtype, apex))
        for zone, name, rdtype, apex in found[: _SHOWN - len(differences)]:
            small = _shrink(bench, zone, name, rdtype, apex)
            bench.load([small])
            said = bench.difference(_APEXES[0].join([name[: -len(apex)], ""]), rdtype)
            differences.append(f"{small.master(_APEXES[0])}{name} {rdtype}\n{said}")
    print(f"seed {_SEED}: {asked} questions, {len(differences)} differences shown")
    assert not differences, f"seed {_SEED}\n" + "\n\n".join(differences)
