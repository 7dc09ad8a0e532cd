# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Small zones with one query each, of cases.py; /v1/explain says what DNS says in each of them.
With LIVEZONE_CONFORMANCE, also those of authority.jsonl in that directory, on whose answers
BIND, NSD, Knot DNS and PowerDNS agreed: 2,524 more of the same kind, which are not part of this
repository."""

import json
import os
from collections import defaultdict
from pathlib import Path

import dns.flags
import pytest

from authority import Answer
from cases import cases
from support import build, explained

_DIRECTORY = os.environ.get("LIVEZONE_CONFORMANCE", build.SOURCE.parent / "shared" / "conformance")
_CASES = Path(_DIRECTORY) / "authority.jsonl"
_SHOWN = 5  # differences that a failure prints

# The four servers had the zone of one case and nothing else, and a chain ended at its edge.
# livezone follows it into other live zones, and a resolver beyond them: so no run has a
# zone that a case of it leads into, and beyond there is nothing.


def _apex(case):
    return next(line.split()[0] for line in case["zone"] if line.split()[3] == "SOA").lower()


def _is_within(name, apex):
    return ("." + name).endswith("." + apex)


def _leads_to(case, apex):
    targets = (r.split()[4].lower() for r in case["zone"] if r.split()[3] in ("CNAME", "DNAME"))
    return any(
        (_is_within(target, apex) or _is_within(apex, target))
        and not _is_within(target, _apex(case))
        for target in targets
    )


class _Run:
    def __init__(self):
        self.cases = []
        self.apexes = set()

    def takes(self, case):
        apex = _apex(case)
        if any(_leads_to(case, other) for other in self.apexes - {apex}):
            return False
        return apex in self.apexes or not any(_leads_to(other, apex) for other in self.cases)

    def add(self, case):
        self.cases.append(case)
        self.apexes.add(_apex(case))


def _runs(depth, all_cases):
    """Cases whose apex has that many labels, so that no zone of a run lies in another."""
    runs = []
    for case in all_cases:
        if _apex(case).count(".") != depth:
            continue
        run = next((run for run in runs if run.takes(case)), None)
        if run is None:
            runs.append(run := _Run())
        run.add(case)
    return runs


def _normal(records):
    return frozenset(" ".join(record.split()).lower() for record in records)


def _compare(whole, cases):
    """(differences in rcode, AA and answer; in authority where it is given)"""
    faults, authority = [], []
    for case in cases:
        master = "\n".join(case["zone"]) + "\n"
        reply = whole.api.request(
            "PUT", f"/v1/zones/{_apex(case)}", master, {"Content-Type": "text/dns"}
        )
        assert reply.status == 200, (case, reply)
        name, rdtype = case["query"]
        got = Answer(whole.query(name, rdtype, flags=dns.flags.from_text("")))
        wanted = (case["rcode"], case["aa"], _normal(case["answer"]))
        told = Answer(explained.message(whole.api, name, rdtype))
        assert (told.key(), told.authority) == (got.key(), got.authority), (case, told, got)
        if (got.rcode, got.aa, got.answer) != wanted:
            faults.append(f"{json.dumps(case)}\ngot {got}")
        elif "authority" in case and got.authority != _normal(case["authority"]):
            authority.append((got, case))
    return faults, authority


@pytest.mark.skipif(not _CASES.exists(), reason=f"no {_CASES}: set LIVEZONE_CONFORMANCE")
@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_answers_are_those_on_which_four_servers_agree(livezone, livezoned, upstream, depth):
    more = [json.loads(line) for line in _CASES.read_text().splitlines()]
    _check(livezone, livezoned, upstream, _runs(depth, more))


def test_answers_are_those_that_the_standards_ask_for(livezone, livezoned, upstream):
    runs = _runs(2, list(cases()))
    assert [len(run.cases) for run in runs] == [len(list(cases()))]
    _check(livezone, livezoned, upstream, runs)


def _check(livezone, livezoned, upstream, runs):
    upstream.empty()
    for number, run in enumerate(runs):
        zones = [{"name": apex, "soa-serial": "stored"} for apex in sorted(run.apexes)]
        whole = livezone(
            daemon=livezoned(zones=zones, name=f"livezoned-{number}"),
            name=f"unbound-{number}",
            upstream=upstream.port,
            threads=1,
        )
        faults, authority = _compare(whole, run.cases)
        assert not faults, f"{len(faults)} of {len(run.cases)}:\n" + "\n".join(faults[:_SHOWN])
        # the one difference in authority: positive answers leave the apex NS RRset out, as
        # Unbound's minimal-responses does
        for got, case in authority:
            assert got.answer and not got.authority, f"{json.dumps(case)}\ngot {got}"
            assert all(record.split()[3] == "NS" for record in case["authority"]), case
