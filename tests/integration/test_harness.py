# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""The harness itself: a plain Unbound in front of the fake upstream."""

import pytest

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
