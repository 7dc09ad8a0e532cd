# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""The harness itself: what it starts, and that it finds what it looks for."""

import json
import subprocess
import sys

import pytest

from support import roundtrip, snapshots
from support.process import Process
from support.resolver import flags_of, rcode_of, soa_of
from support.wait import Timeout, wait_until


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_unbound_resolves_through_the_fake_upstream(unbound, upstream, tcp):
    upstream.add("www.example. 300 IN A 192.0.2.1", "www.example. 300 IN A 192.0.2.2")
    server = unbound(upstream=upstream.port)
    assert server.answers("www.example", tcp=tcp) == ["192.0.2.1", "192.0.2.2"]
    assert server.answers("www.example", tcp=tcp) == ["192.0.2.1", "192.0.2.2"]
    assert upstream.asked_for("www.example", "A") == 1
    missing = server.query("absent.example", tcp=tcp)
    assert rcode_of(missing) == "NXDOMAIN"
    assert soa_of(missing)
    assert flags_of(missing) == {"QR", "RD", "RA"}


def test_unbound_without_an_upstream_fails_at_once(unbound):
    assert rcode_of(unbound().query("www.example")) == "SERVFAIL"


def test_unbound_reads_its_own_counters_and_restarts_on_its_port(unbound, upstream):
    upstream.add("www.example. 300 IN A 192.0.2.1")
    server = unbound(upstream=upstream.port, threads=3)
    server.answers("www.example")
    assert server.stats()["total.num.queries"] >= 1
    assert "www.example." in server.cached()
    port = server.port
    assert server.stop() == 0
    server.start()
    assert server.port == port
    assert "www.example." not in server.cached()


def test_upstream_truncates_what_is_too_big_for_udp(unbound, upstream):
    upstream.add(*(f'big.example. 60 IN TXT "{i:03}{"x" * 200}"' for i in range(20)))
    server = unbound(upstream=upstream.port)
    assert "TC" in flags_of(server.query("big.example", "TXT"))
    assert len(server.answers("big.example", "TXT", tcp=True)) == 20


def test_wait_until_gives_up_and_says_on_what():
    with pytest.raises(Timeout, match="the moon is blue"):
        wait_until(lambda: False, deadline=0.05, what="the moon is blue")


@pytest.mark.parametrize(
    "script, says",
    [
        ("echo WARNING: ThreadSanitizer: data race; exec sleep 60", "sanitizer report"),
        ("echo 'a.c:1:2: runtime error: shift'; exec sleep 60", "sanitizer report"),
        ("exit 0", "ended by itself with 0"),
        ("kill -SEGV $$", "ended by itself with -11"),
        ("trap 'exit 3' TERM; echo ready; while :; do :; done", "ended with 3"),
    ],
)
def test_the_end_of_a_server_is_looked_at(tmp_path, script, says):
    process = Process("server", ["/bin/sh", "-c", script], tmp_path / "log")
    wait_until(lambda: process.output() or not process.is_running())
    with pytest.raises(AssertionError, match=says):
        process.close()
    assert not process.is_running()


def test_the_round_trip_client_finds_old_answers(livezoned, upstream, tmp_path):
    """livezoned takes the writes; the DNS server that is asked never hears of them."""
    upstream.add("own.c0.live.test. 60 IN A 10.0.0.1")
    daemon = livezoned()
    acked = tmp_path / "acked"
    acked.write_bytes(bytes(8))
    arguments = ["--number=0", "--clients=1", "--rounds=12", "--zone=live.test"]
    arguments += [f"--api={daemon.api.unix}", f"--port={upstream.port}", f"--acked={acked}"]
    done = subprocess.run(
        [sys.executable, roundtrip.__file__, *arguments], capture_output=True, check=True
    )
    result = json.loads(done.stdout)
    assert ["own.c0.live.test", "A", "tcp", 6, 1] in result["stale"]
    assert len(result["stale"]) >= 12


def test_the_snapshot_reader_finds_half_a_batch(upstream):
    upstream.add(
        'rev.a.test. 60 IN TXT "5"',
        'rev.b.test. 60 IN TXT "4"',
        "alias.a.test. 60 IN CNAME 5.b.test.",
    )
    reader = snapshots.Reader(upstream.port, tcp=False)
    reader.step()
    assert ("order", 5, 4, 5) in reader.faults
    assert any(fault[0] == "chain" for fault in reader.faults)
