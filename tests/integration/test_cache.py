# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Nothing of a live zone is ever in Unbound's caches, whatever happens."""

from support.resolver import rcode_of
from support.wait import wait_until


def entries(unbound, suffix):
    return [line for line in unbound.cached().splitlines() if suffix in line]


def test_no_answer_of_ours_enters_the_caches(livezone, upstream):
    upstream.add(
        "www.example. 300 IN A 192.0.2.1",
        "into.example. 300 IN CNAME name.live.test.",
    )
    whole = livezone(
        upstream=upstream.port, server="serve-expired: yes\n    prefetch: yes", threads=1
    )
    whole.api.put("name.live.test", "A", "10.0.0.1", ttl=3600)
    whole.api.put("alias.live.test", "CNAME", "name.live.test.", ttl=3600)
    whole.api.put("out.live.test", "CNAME", "www.example.", ttl=3600)
    for _ in range(2):
        for name, rdtype in (
            ("name", "A"),
            ("name", "TXT"),
            ("alias", "A"),
            ("out", "A"),
            ("absent", "A"),
        ):
            whole.query(f"{name}.live.test", rdtype)
        whole.query("live.test", "SOA")
        whole.query("into.example")
    assert entries(whole.unbound, "www.example.")  # what is foreign is cached
    ours = [line for line in entries(whole.unbound, "live.test.") if "CNAME" not in line]
    assert ours == []
    for owner in ("name.live.test.", "alias.live.test.", "out.live.test.", "live.test."):
        assert not [
            line
            for line in whole.unbound.cached().splitlines()
            if line.startswith((owner, f"msg {owner}"))
        ]


def test_an_upstream_that_denied_a_name_does_not_outlive_the_trouble(livezone, livezoned, upstream):
    """on-miss and on-failure: recurse pass queries on while there is no store; what the
    upstream says then must not be in the message cache when the store is there."""
    zone = {"name": "live.test", "on-miss": "recurse", "on-failure": "recurse"}
    daemon = livezoned(zones=[zone], start=False)
    whole = livezone(daemon=daemon, wait=False, upstream=upstream.port)
    assert rcode_of(whole.query("name.live.test")) == "NXDOMAIN"
    assert upstream.asked_for("name.live.test") >= 1
    daemon.start()
    whole.wait_live()
    whole.api.put("name.live.test", "A", "10.0.0.1")
    assert whole.answers("name.live.test") == ["10.0.0.1"]


def test_on_miss_recurse_asks_the_upstream_and_is_fresh_afterwards(livezone, upstream):
    upstream.add("public.live.test. 300 IN A 192.0.2.1")
    zone = {"name": "live.test", "on-miss": "recurse"}
    whole = livezone(zones=[zone], upstream=upstream.port)
    assert whole.answers("public.live.test") == ["192.0.2.1"]
    assert rcode_of(whole.query("absent.live.test")) == "NXDOMAIN"
    for name in ("public", "absent"):
        whole.api.put(f"{name}.live.test", "A", "10.0.0.1")
        assert whole.answers(f"{name}.live.test") == ["10.0.0.1"]
        whole.api.delete(f"{name}.live.test", "A")
    assert whole.answers("public.live.test") == ["192.0.2.1"]


def test_serve_expired_does_not_answer_for_a_live_zone(livezone, upstream):
    """Names cached from the upstream before; then the zone has them."""
    upstream.add("name.live.test. 1 IN A 192.0.2.1")
    zone = {"name": "live.test", "on-miss": "recurse"}
    whole = livezone(
        zones=[zone],
        upstream=upstream.port,
        server="serve-expired: yes\n    serve-expired-ttl: 3600",
    )
    assert whole.answers("name.live.test") == ["192.0.2.1"]
    upstream.silence("name.live.test")
    whole.api.put("name.live.test", "A", "10.0.0.1")
    for _ in range(20):
        assert whole.answers("name.live.test") == ["10.0.0.1"]
    stats = wait_until(whole.unbound.stats, 5)
    assert stats["total.num.expired"] == 0
