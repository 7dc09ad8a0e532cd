# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""The stages: what is answered when serve is truncated, damaged, or gone."""

import os
import random
import shutil
import time
from pathlib import Path

import dns.edns
import pytest

from support.load import FixedProber
from support.resolver import rcode_of
from support.wait import wait_until

NAMES = 400
TRUTH = {f"name-{n}.live.test": f"10.0.{n >> 8}.{n & 255}" for n in range(NAMES)}
MISSING = {f"missing-{n}.live.test": None for n in range(50)}


def report_of(whole):
    path = Path(whole.daemon.serve) / f"unbound-{whole.unbound.process.pid}.report"
    if not path.exists():
        return {}
    return dict(line.split(" ", 1) for line in path.read_text().splitlines() if " " in line)


def fill(whole):
    """Writes TRUTH and waits until the module's snapshot has it."""
    changes = [
        {"put": {"name": name, "type": "A", "ttl": 300, "records": [address]}}
        for name, address in TRUTH.items()
    ]
    revision = whole.api.batch(changes).json["revision"]
    wait_until(
        lambda: report_of(whole).get("snapshot_revision") == str(revision), 10, "the snapshot"
    )
    return whole


def errors_of(message):
    return [(option.code, option.text) for option in message.options if option.otype == dns.edns.EDE]


def data_of(whole):
    return Path(whole.daemon.serve) / "data.mdb"


def truncate(size):
    def damage(whole):
        os.truncate(data_of(whole), size(data_of(whole).stat().st_size))

    return damage


def rename(whole):
    os.rename(whole.daemon.serve, f"{whole.daemon.serve}.away")


def unlink(name):
    return lambda whole: os.unlink(Path(whole.daemon.serve) / name)


DAMAGES = {
    "truncated to nothing": truncate(lambda size: 0),
    "truncated to a page": truncate(lambda size: 4096),
    "truncated to half": truncate(lambda size: size // 2 // 4096 * 4096),
    "truncated by a page": truncate(lambda size: size - 4096),
    "data deleted": unlink("data.mdb"),
    "lock deleted": unlink("lock.mdb"),
    "directory renamed": rename,
}


def start_probers(whole, cleanup, truth):
    probers = [FixedProber(whole.unbound.port, truth, seed) for seed in (1, 2)]
    for prober in probers:
        cleanup.callback(prober.finish)
        prober.start()
    wait_until(lambda: all(prober.answers > 100 for prober in probers), 20, "answers")
    return probers


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_no_query_is_lost_while_serve_is(livezone, cleanup, upstream, measured, damage):
    upstream.add("www.foreign.example. 3600 IN A 192.0.2.1")
    whole = fill(livezone(upstream=upstream.port, threads=2))
    truth = {**TRUTH, **MISSING, "www.foreign.example": "192.0.2.1"}
    pid = whole.unbound.process.pid
    probers = start_probers(whole, cleanup, truth)
    damage(whole)
    damaged = time.monotonic()
    wait_until(
        lambda: whole.unbound.process.output().count("is live, revision") >= 2,
        20,
        "the module reads what livezoned has rebuilt",
    )
    took = time.monotonic() - damaged
    goals = [prober.answers + 500 for prober in probers]
    wait_until(lambda: all(p.answers > g for p, g in zip(probers, goals)), 20, "more answers")
    for prober in probers:
        prober.finish()
        assert prober.faults == []
    assert whole.unbound.process.pid == pid and whole.unbound.process.is_running()
    assert errors_of(whole.query("name-1.live.test")) == []
    measured(f"live again after {took:.2f} s, {sum(p.answers for p in probers)} answers")


def test_a_store_that_was_withdrawn_in_time_is_given_back(livezone):
    whole = fill(livezone(threads=2))
    maps = Path(f"/proc/{whole.unbound.process.pid}/maps")
    for broken in (1, 2):  # nobody asks meanwhile: no fault is met
        os.truncate(data_of(whole), 0)
        wait_until(
            lambda: whole.unbound.process.output().count("is live, revision") > broken,
            20,
            "another one is live",
        )
    wait_until(lambda: "/data.mdb (deleted)" not in maps.read_text(), 10, "none is mapped")


@pytest.mark.parametrize("size", [0, 4096])
def test_the_snapshot_answers_every_name_and_says_so(livezone, upstream, size):
    upstream.add("www.foreign.example. 3600 IN A 192.0.2.1")
    whole = fill(livezone(upstream=upstream.port, threads=2))
    whole.daemon.kill()
    os.truncate(data_of(whole), size)
    for name, address in TRUTH.items():
        message = whole.query(name)
        assert [rdata.address for rdata in message.answer[0]] == [address]
        assert message.answer[0].ttl <= 30
        assert errors_of(message) == [(3, None)]
    message = whole.query("missing.live.test")
    assert rcode_of(message) == "NXDOMAIN"
    assert message.authority[0].ttl <= 30
    assert errors_of(message) == [(19, None)]
    message = whole.query("name-1.live.test", "AAAA")
    assert (rcode_of(message), errors_of(message)) == ("NOERROR", [(3, None)])
    message = whole.query("www.foreign.example")
    assert errors_of(message) == []
    wait_until(lambda: report_of(whole).get("store") == "refused", 10, "the report says so")
    stale = wait_until(
        lambda: [
            line
            for line in (data_of(whole).parent / f"unbound-{whole.unbound.process.pid}.report")
            .read_text()
            .splitlines()
            if line.startswith("zone ") and int(line.split()[2]) == NAMES + 2
        ],
        10,
        "stale answers are counted",
    )
    assert stale
    whole.unbound.reload()
    assert errors_of(whole.query("name-7.live.test")) == [(3, None)]
    whole.daemon.start()
    wait_until(lambda: not errors_of(whole.query("name-7.live.test")), 10, "live again")
    assert whole.query("name-7.live.test").answer[0].ttl == 300


def test_a_zone_that_wants_no_stale_data_gets_none(livezone, livezoned):
    daemon = livezoned(zones=[{"name": "live.test", "stale": "0s"}])
    whole = fill(livezone(daemon=daemon))
    daemon.kill()
    os.truncate(data_of(whole), 0)
    assert rcode_of(whole.query("name-1.live.test")) == "SERVFAIL"


def is_hidden(fault):
    """Does the answer deny the name (NXDOMAIN) or its addresses (as if it only had names below)?"""
    return fault[0] == "answer" and (fault[2] == 3 or (fault[2] == 0 and fault[3] == []))


@pytest.mark.parametrize("seed", range(3))
def test_flipped_bytes_never_make_a_wrong_address(livezone, cleanup, seed):
    """All over the file, some hundred of them. A damaged page may hide a name from the store
    that has it, but what is answered is what was written."""
    whole = fill(livezone(threads=2))
    whole.daemon.kill()
    chance = random.Random(seed)
    size = data_of(whole).stat().st_size
    probers = start_probers(whole, cleanup, TRUTH)
    with open(data_of(whole), "r+b", buffering=0) as file:
        for _ in range(300):
            file.seek(chance.randrange(size))
            file.write(bytes([chance.randrange(256)]))
            time.sleep(0.002)
    for prober in probers:
        prober.finish()
        assert [fault for fault in prober.faults if not is_hidden(fault)] == []
    assert whole.unbound.process.is_running()
    shutil.rmtree(whole.daemon.serve)
    whole.daemon.start()
    wait_until(lambda: not errors_of(whole.query("name-7.live.test")), 10, "live again")


def damage_address(whole, last):
    """Changes the address 10.0.0.`last` wherever it is in the file."""
    data = data_of(whole).read_bytes()
    at = data.find(bytes([10, 0, 0, last]))
    assert at > 0
    with open(data_of(whole), "r+b") as file:
        while at > 0:
            file.seek(at)
            file.write(bytes([10, 9, 9, 9]))
            at = data.find(bytes([10, 0, 0, last]), at + 1)


def test_a_damaged_value_costs_that_name_alone(livezone):
    whole = fill(livezone())
    whole.daemon.kill()
    damage_address(whole, 77)
    message = whole.query("name-77.live.test")
    assert [rdata.address for rdata in message.answer[0]] == ["10.0.0.77"]
    assert errors_of(message) == [(3, None)]
    assert errors_of(whole.query("name-78.live.test")) == []
    wait_until(lambda: report_of(whole).get("corrupt") == "1", 10, "it is counted")


def test_what_the_module_finds_damaged_is_rebuilt(livezone, cleanup, measured):
    """One question for the name is enough, and the file has the size that it should have."""
    whole = fill(livezone())
    truth = {name: address for name, address in TRUTH.items() if name != "name-77.live.test"}
    probers = start_probers(whole, cleanup, truth)
    damage_address(whole, 77)
    damaged = time.monotonic()
    assert whole.query("name-77.live.test").answer[0][0].address == "10.0.0.77"
    wait_until(
        lambda: whole.unbound.process.output().count("is live, revision") == 2, 10, "it is rebuilt"
    )
    measured(f"live again after {time.monotonic() - damaged:.2f} s")
    for prober in probers:
        prober.finish()
        assert prober.faults == []
    message = whole.query("name-77.live.test")
    assert (message.answer[0][0].address, errors_of(message)) == ("10.0.0.77", [])
    assert report_of(whole)["corrupt"] == "1"


FALLBACK = [
    "valkey.live.test. 5 IN A 192.0.2.66",
    "name-1.live.test. 5 IN A 192.0.2.67",
    "alias.live.test. 5 IN CNAME valkey.live.test.",
]


def fallback_zone(**policies):
    return {"name": "live.test", "fallback": FALLBACK, **policies}


def test_fallback_records_answer_what_the_data_has_not(livezone, livezoned):
    whole = fill(livezone(daemon=livezoned(zones=[fallback_zone()])))
    message = whole.query("valkey.live.test")
    assert (message.answer[0].to_text(), errors_of(message)) == (
        "valkey.live.test. 5 IN A 192.0.2.66",
        [(0, "fallback")],
    )
    assert whole.answers("alias.live.test") == ["192.0.2.66"]
    assert rcode_of(whole.query("valkey.live.test", "AAAA")) == "NOERROR"
    assert whole.answers("name-1.live.test") == [TRUTH["name-1.live.test"]]
    whole.api.put("valkey.live.test", "A", "10.9.9.9")
    message = whole.query("valkey.live.test")
    assert (message.answer[0][0].address, errors_of(message)) == ("10.9.9.9", [])
    whole.api.delete("valkey.live.test", "A")
    assert whole.answers("valkey.live.test") == ["192.0.2.66"]


def test_unbound_alone_answers_from_the_fallback(livezone, livezoned, upstream):
    """livezoned is dead, serve is gone, and Unbound was started anew."""
    upstream.add("www.foreign.example. 3600 IN A 192.0.2.1")
    whole = fill(
        livezone(daemon=livezoned(zones=[fallback_zone()]), upstream=upstream.port, threads=2)
    )
    whole.daemon.kill()
    shutil.rmtree(whole.daemon.serve)
    whole.unbound.stop()
    whole.unbound.start()
    for name in ("valkey.live.test", "name-1.live.test", "alias.live.test"):
        message = whole.query(name)
        assert rcode_of(message) == "NOERROR"
        assert errors_of(message) == [(0, "fallback")]
    assert rcode_of(whole.query("name-2.live.test")) == "SERVFAIL"
    assert whole.answers("www.foreign.example") == ["192.0.2.1"]
    assert whole.unbound.process.is_running()
