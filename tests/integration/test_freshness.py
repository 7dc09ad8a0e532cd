# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""The promise: whoever got the acknowledgement of a write sees it in the next answer."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import dns.message
import pytest

from support import build, roundtrip, snapshots
from support.resolver import flags_of, rcode_of, soa_of
from support.wait import wait_until

_CLIENTS = 8
_ROUNDS = 100_000 if build.LONG else 4_000 if build.is_instrumented() else 20_000
_BATCHES = 10_000 if build.LONG else 2_000


def run_clients(cleanup, program, arguments, deadline):
    """Starts one process per list of arguments; returns the JSON line that each printed."""
    children = []
    for row in arguments:
        child = subprocess.Popen(
            [sys.executable, str(Path(program.__file__)), *map(str, row)], stdout=subprocess.PIPE
        )
        cleanup.callback(child.wait)
        cleanup.callback(child.kill)
        children.append(child)
    end = time.monotonic() + deadline
    lines = [child.communicate(timeout=max(1, end - time.monotonic()))[0] for child in children]
    assert [child.returncode for child in children] == [0] * len(children)
    return [json.loads(line) for line in lines]


def thread_counts(unbound):
    stats = unbound.stats()
    return [stats[f"thread{number}.num.queries"] for number in range(unbound.threads)]


@pytest.mark.timeout(1200 if build.LONG else 300)
def test_no_answer_is_older_than_the_last_acknowledged_write(
    livezone, livezoned, memory_path, cleanup, measured
):
    # The time goes into DNS and HTTP here, not into the disk: `state` is in memory.
    daemon = livezoned(store={"state": str(memory_path / "state")})
    whole = livezone(daemon=daemon, threads=2)
    acked = memory_path / "acked"
    acked.write_bytes(bytes(8 * _CLIENTS))
    before = thread_counts(whole.unbound)
    start = time.monotonic()
    results = run_clients(
        cleanup,
        roundtrip,
        [
            [
                f"--number={number}",
                f"--clients={_CLIENTS}",
                f"--rounds={_ROUNDS // _CLIENTS}",
                f"--api={whole.api.unix}",
                f"--port={whole.unbound.port}",
                "--zone=live.test",
                f"--acked={acked}",
            ]
            for number in range(_CLIENTS)
        ],
        deadline=1100 if build.LONG else 280,
    )
    spent = time.monotonic() - start
    asked = [after - old for after, old in zip(thread_counts(whole.unbound), before)]
    measured(
        f"{_ROUNDS} rounds in {spent:.1f} s ({_ROUNDS / spent:.0f}/s), "
        f"{sum(result['cross'] for result in results)} reads of others' names, "
        f"queries per thread {[int(count) for count in asked]}"
    )
    assert [result["stale"] for result in results] == [[]] * _CLIENTS
    assert sum(result["lost"] for result in results) == 0
    # every thread answered a fair part, or the claim is about one of them only
    assert min(asked) > sum(asked) / len(asked) / 4


@pytest.mark.timeout(600 if build.LONG else 240)
def test_a_batch_over_two_zones_is_never_seen_half(
    livezone, livezoned, memory_path, cleanup, measured
):
    """See support/snapshots.py for what two queries can prove, and one query."""
    daemon = livezoned(
        zones=["a.test", "b.test"], store={"state": str(memory_path / "state")}
    )
    whole = livezone(daemon=daemon, threads=2)
    snapshots.write_first(whole.api)
    stop = memory_path / "stop"
    readers = []
    for tcp in (False, True):
        child = subprocess.Popen(
            [
                sys.executable,
                snapshots.__file__,
                f"--port={whole.unbound.port}",
                f"--stop={stop}",
                f"--tcp={int(tcp)}",
            ],
            stdout=subprocess.PIPE,
        )
        cleanup.callback(child.wait)
        cleanup.callback(child.kill)
        readers.append(child)
    for number in range(2, _BATCHES + 2):
        snapshots.write(whole.api, number)
    stop.touch()
    for child in readers:
        result = json.loads(child.communicate(timeout=60)[0])
        assert result["faults"] == []
        # the reader saw the store move under it, often
        assert result["revisions"] > _BATCHES / 40
        assert result["pairs"] > _BATCHES / 40
        assert result["last"] == _BATCHES + 1
        measured(f"{_BATCHES} batches, {result['revisions']} revisions seen, {result['pairs']} pairs")


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_every_kind_of_write_shows_in_the_next_answer(livezone, tcp):
    whole = livezone(zones=[{"name": "live.test", "negative-ttl": 7}])

    def ask(name, rdtype):
        return whole.query(name, rdtype, tcp=tcp)

    missing = ask("new.live.test", "A")
    assert rcode_of(missing) == "NXDOMAIN"
    assert soa_of(missing).ttl == 7
    assert "AA" in flags_of(missing)
    revision = whole.api.put("new.live.test", "A", ["10.0.0.1", "10.0.0.2"], ttl=30).revision
    assert whole.answers("new.live.test", tcp=tcp) == ["10.0.0.1", "10.0.0.2"]
    (soa,) = whole.answers("live.test", "SOA", tcp=tcp)
    assert int(soa.split()[2]) == revision
    nodata = ask("new.live.test", "TXT")
    assert rcode_of(nodata) == "NOERROR" and not nodata.answer and soa_of(nodata)
    whole.api.put("new.live.test", "TXT", ['"one"'])
    assert whole.answers("new.live.test", "TXT", tcp=tcp) == ['"one"']
    whole.api.delete("new.live.test", "A")
    assert not ask("new.live.test", "A").answer
    whole.api.delete("new.live.test", "TXT")
    assert rcode_of(ask("new.live.test", "TXT")) == "NXDOMAIN"


def test_a_new_serial_proves_what_was_seen_on_every_thread(livezone):
    whole = livezone(threads=4)
    for number in range(50):
        revision = whole.api.put("name.live.test", "A", f"10.0.0.{number}").revision
        for _ in range(8):  # a fresh source port each: any thread
            (soa,) = whole.answers("live.test", "SOA")
            assert int(soa.split()[2]) == revision


def test_every_unbound_of_a_livezoned_sees_a_write_at_once(livezone, livezoned):
    daemon = livezoned()
    both = [livezone(daemon=daemon, name=name) for name in ("first", "second")]
    pids = {whole.unbound.process.pid for whole in both}
    wait_until(lambda: {one["pid"] for one in daemon.api.status()["unbounds"]} == pids, 10)
    for number in range(1, 31):
        if number % 10 == 0:
            # another serve is built and both take it before the write is acknowledged
            (Path(daemon.serve) / "data.mdb").unlink()
        daemon.api.put("name.live.test", "A", f"10.0.0.{number}")
        for whole in both:
            assert whole.answers("name.live.test") == [f"10.0.0.{number}"]


def test_an_unbound_that_was_stopped_while_serve_was_replaced_is_named_in_a_202(livezone):
    whole = livezone(threads=2)
    whole.api.put("a.live.test", "A", "10.0.0.1")
    serve = Path(whole.daemon.serve)
    pid = whole.unbound.process.pid
    body = {"records": ["10.0.0.2"]}
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_until(lambda: float(whole.api.status()["unbounds"][0]["age"].rstrip("s")) > 5.5,
                   20, "it is silent")
        serve.rename(f"{serve}.away")
        wait_until(lambda: (serve / "data.mdb").exists(), 10, "another serve")
        reply = whole.api.request("PUT", "/v1/rrsets/a.live.test/A", body)
        assert reply.status == 202 and f"pid {pid}".encode() in reply.body, reply
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_until(lambda: whole.answers("a.live.test") == ["10.0.0.2"], 10, "the new one is read")
    wait_until(lambda: whole.api.request("PUT", "/v1/rrsets/a.live.test/A", body).status == 200,
               10, "it has reported")

