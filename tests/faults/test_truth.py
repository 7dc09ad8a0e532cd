# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""The truth checker says so when something is wrong."""

import pytest

from support import truth
from support.faults import Write
from support.prober import BAD_TXT, LOST, NO_EDE, Probe

NAMES = truth.Names(10)
TEN = 10 << 24
SECOND = 10**9


def index_of(name):
    return next(i for i, row in enumerate(NAMES.rows) if row[2] == name)


def probe(name, value, at=5.0, took=0.001, link=0, ede=NO_EDE, rcode=0, flags=0, type=1,
          answers=1):
    return Probe(int(at * SECOND), int(took * 1e6), index_of(name), value, link, ede, rcode, flags,
                 type, answers, 0)


def write(number, tried, acked):
    made = Write(3, number)
    made.tried_ns, made.acked_ns = int(tried * SECOND), int(acked * SECOND)
    return made


WRITES = [write(7, 1, 2), write(8, 3, 4), write(9, 5.5, 6)]


def verdict_of(*probes, excused=()):
    return truth.Judge(NAMES, WRITES, list(excused), 0).run(sorted(probes))


HOT, ALIAS = truth.hot(3), truth.alias(3)

GOOD = {
    "the last value": [probe(HOT, TEN | 8)],
    "a value that is being written": [probe(HOT, TEN | 9, at=5.6)],
    "both, in flight together": [probe(HOT, TEN | 9, at=5.6, took=0.2), probe(HOT, TEN | 8, at=5.7)],
    "a chain": [probe(ALIAS, TEN | 8, link=8)],
    "a text": [probe(HOT, 8, type=16)],
    "an old value, declared": [probe(HOT, TEN | 7, ede=3)],
    "what is loaded": [probe(truth.cold(4), TEN | truth.STATIC + 4)],
    "a missing name": [probe("m-#.live.test", 0, rcode=3, answers=0)],
    "a missing name, declared stale": [probe("m-#.live.test", 0, rcode=3, answers=0, ede=19)],
    "a foreign name": [probe("www-2.foreign.example", 192 << 24 | 2 << 8 | 3)],
    "a fallback record": [probe(truth.hot(0), 192 << 24 | 2 << 8 | 80, ede=0)],
}

WRONG = {
    "never written": [probe(HOT, TEN | 10)],
    "of another cell": [probe(truth.hot(4), TEN | 8)],
    "not yet written": [probe(HOT, TEN | 9, at=5.1)],
    "older than acknowledged": [probe(HOT, TEN | 7)],
    "going back": [probe(HOT, TEN | 9, at=5.6), probe(HOT, TEN | 8, at=5.7)],
    "declared, never written": [probe(HOT, TEN | 10, ede=3)],
    "half a batch": [probe(ALIAS, 0, link=8, answers=0)],
    "two batches": [probe(ALIAS, TEN | 8, link=7)],
    "a damaged text": [probe(HOT, 8, type=16, flags=BAD_TXT)],
    "false NXDOMAIN": [probe(truth.cold(4), 0, rcode=3, answers=0)],
    "false NODATA": [probe(HOT, 0, answers=0)],
    "another cold name's": [probe(truth.cold(4), TEN | truth.STATIC + 5)],
    "a missing name exists": [probe("m-#.live.test", TEN | 1)],
    "a foreign name's NXDOMAIN": [probe("www-2.foreign.example", 0, rcode=3, answers=0)],
    "a fallback of nothing": [probe(truth.cold(4), 192 << 24, ede=0)],
}


@pytest.mark.parametrize("probes", GOOD.values(), ids=GOOD)
def test_what_is_right(probes):
    verdict = verdict_of(*probes)
    assert (verdict.wrong, verdict.lost, verdict.servfail) == ([], [], [])
    assert verdict.questions == len(probes)


@pytest.mark.parametrize("probes", WRONG.values(), ids=WRONG)
def test_what_is_wrong(probes):
    assert len(verdict_of(*probes).wrong) == 1


def test_lost_and_servfail_are_counted_unless_excused():
    probes = [probe(HOT, 0, at=5, took=1, rcode=LOST), probe(HOT, 0, at=7, rcode=2, answers=0)]
    verdict = verdict_of(*probes)
    assert (len(verdict.lost), len(verdict.servfail), verdict.excused) == (1, 1, 0)
    verdict = verdict_of(*probes, excused=[(int(5.5 * SECOND), int(6.5 * SECOND))])
    assert (len(verdict.lost), len(verdict.servfail), verdict.excused) == (0, 1, 1)


def test_stale_and_fallback_answers_are_counted():
    verdict = verdict_of(*GOOD["an old value, declared"], *GOOD["a fallback record"])
    assert (verdict.stale, verdict.fallback) == (1, 1)
