# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""CNAMEs across the border of the live zones, both ways."""

import dns.flags
import pytest

from support.resolver import flags_of, rcode_of, records_of
from support.zonefiles import ZoneFiles


def cnames(message):
    return [rrset[0].target.to_text() for rrset in message.answer if rrset.rdtype == 5]


def test_a_public_cname_follows_a_change_of_the_live_record_at_once(unbound, livezone, tmp_path):
    zones = ZoneFiles(tmp_path / "zones")
    zones.plain("public.example", "www CNAME service.live.test.\n")
    upstream = unbound("upstream", extra=zones.extra)
    whole = livezone(upstream=upstream.port)
    for number in range(1, 21):
        whole.api.put("service.live.test", "A", f"10.0.0.{number}", ttl=300)
        for tcp in (False, True):
            reply = whole.query("www.public.example", tcp=tcp)
            assert cnames(reply) == ["service.live.test."]
            assert whole.answers("www.public.example", tcp=tcp) == [f"10.0.0.{number}"]
    # the public half is cached: the upstream was asked once for each type of question
    assert upstream.stats()["total.num.queries"] < 20
    whole.api.delete("service.live.test", "A")
    assert rcode_of(whole.query("www.public.example")) == "NXDOMAIN"
    whole.api.put("service.live.test", "A", "10.0.1.1")
    assert whole.answers("www.public.example") == ["10.0.1.1"]


def test_a_public_cname_into_a_private_reverse_zone_and_under_test(unbound, livezone, tmp_path):
    """Unbound's own default zones would answer for these names: the fragment stops that."""
    zones = ZoneFiles(tmp_path / "zones")
    zones.plain("public.example", "ptr CNAME 1.0.0.10.in-addr.arpa.\n")
    upstream = unbound("upstream", extra=zones.extra)
    whole = livezone(zones=["10.in-addr.arpa", "test"], upstream=upstream.port)
    whole.api.put("1.0.0.10.in-addr.arpa", "PTR", "host.test.")
    whole.api.put("host.test", "A", "10.0.0.1")
    assert whole.answers("1.0.0.10.in-addr.arpa", "PTR") == ["host.test."]
    assert whole.answers("ptr.public.example", "PTR") == ["host.test."]
    assert whole.answers("host.test") == ["10.0.0.1"]


def test_a_chain_inside_live_zones_is_answered_whole(livezone):
    whole = livezone(zones=["a.test", "b.test"])
    whole.api.batch(
        [
            {"put": {"name": "one.a.test", "type": "CNAME", "records": ["two.b.test."]}},
            {"put": {"name": "two.b.test", "type": "CNAME", "records": ["three.a.test."]}},
            {"put": {"name": "three.a.test", "type": "A", "records": ["10.0.0.3"]}},
        ]
    )
    reply = whole.query("one.a.test")
    assert cnames(reply) == ["two.b.test.", "three.a.test."]
    assert whole.answers("one.a.test") == ["10.0.0.3"]
    assert "AA" in flags_of(reply)
    assert cnames(whole.query("one.a.test", "CNAME")) == ["two.b.test."]
    # the chain ends at a name without the type: NODATA, with the chain
    empty = whole.query("one.a.test", "TXT")
    assert rcode_of(empty) == "NOERROR" and len(cnames(empty)) == 2
    whole.api.delete("three.a.test", "A")
    gone = whole.query("one.a.test")
    assert rcode_of(gone) == "NXDOMAIN" and len(cnames(gone)) == 2


def test_a_cname_out_of_a_live_zone_is_resolved_and_returned_whole(livezone, upstream):
    upstream.add(
        "www.example. 300 IN A 192.0.2.1",
        "hop.example. 300 IN CNAME www.example.",
    )
    whole = livezone(upstream=upstream.port)
    whole.api.put("out.live.test", "CNAME", "hop.example.", ttl=5)
    for tcp in (False, True):
        reply = whole.query("out.live.test", tcp=tcp)
        assert cnames(reply) == ["hop.example.", "www.example."]
        assert whole.answers("out.live.test", tcp=tcp) == ["192.0.2.1"]
    assert upstream.asked_for("www.example", "A") == 1
    # the alias moves: seen at once, although both targets are cached
    upstream.add("mirror.example. 300 IN A 192.0.2.2")
    whole.api.put("out.live.test", "CNAME", "mirror.example.")
    assert whole.answers("out.live.test") == ["192.0.2.2"]
    whole.api.put("out.live.test", "CNAME", "hop.example.")
    assert whole.answers("out.live.test") == ["192.0.2.1"]


def test_a_cname_to_a_foreign_name_without_an_answer(livezone, upstream):
    upstream.add("txt.example. 300 IN TXT only")
    upstream.fail("broken.example")
    whole = livezone(upstream=upstream.port)
    whole.api.put("none.live.test", "CNAME", "absent.example.")
    whole.api.put("empty.live.test", "CNAME", "txt.example.")
    whole.api.put("bad.live.test", "CNAME", "broken.example.")
    none = whole.query("none.live.test")
    assert rcode_of(none) == "NXDOMAIN" and cnames(none) == ["absent.example."]
    empty = whole.query("empty.live.test")
    assert rcode_of(empty) == "NOERROR" and cnames(empty) == ["txt.example."]
    for _ in range(2):  # the second one finds the failure in Unbound's cache
        bad = whole.query("bad.live.test", timeout=20)
        assert rcode_of(bad) == "SERVFAIL" and not bad.answer


def test_an_alias_asked_for_without_recursion_is_answered_as_by_an_authority(livezone, upstream):
    """RFC 1034 section 4.3.1: the rest of the chain is somebody else's."""
    upstream.add("www.example. 300 IN A 192.0.2.1")
    snoop = "    access-control: 127.0.0.1/32 allow_snoop"  # else Unbound sets the bit
    whole = livezone(server=snoop, upstream=upstream.port)
    whole.api.put("out.live.test", "CNAME", "www.example.")
    reply = whole.query("out.live.test", flags=0, tries=1)
    assert rcode_of(reply) == "NOERROR" and cnames(reply) == ["www.example."]
    assert not records_of(reply, "A")
    assert "AA" in flags_of(reply)
    assert upstream.asked_for("www.example") == 0


def test_an_alias_whose_end_the_validator_rejects(livezone, upstream):
    """Withheld as without our part, but for a client that checks by itself (CD)."""
    upstream.add("www.bogus.example. 300 IN A 192.0.2.1")
    anchor = '    trust-anchor: "bogus.example. DS 1 8 2 ' + "00" * 32 + '"'
    whole = livezone(server=anchor, upstream=upstream.port)
    whole.api.put("out.live.test", "CNAME", "www.bogus.example.")
    for _ in range(2):
        reply = whole.query("out.live.test", timeout=20, tries=1)
        assert rcode_of(reply) == "SERVFAIL" and not reply.answer
        flags = dns.flags.RD | dns.flags.CD
        reply = whole.query("out.live.test", flags=flags, timeout=20, tries=1)
        assert rcode_of(reply) == "NOERROR" and cnames(reply) == ["www.bogus.example."]
        assert records_of(reply, "A") == ["192.0.2.1"]


def test_a_loop_inside_live_zones_ends(livezone):
    whole = livezone(zones=["a.test", "b.test"])
    whole.api.put("self.a.test", "CNAME", "self.a.test.")
    whole.api.put("ping.a.test", "CNAME", "pong.b.test.")
    whole.api.put("pong.b.test", "CNAME", "ping.a.test.")
    for number in range(12):
        whole.api.put(f"long{number}.a.test", "CNAME", f"long{number + 1}.b.test.")
        whole.api.put(f"long{number}.b.test", "CNAME", f"long{number + 1}.a.test.")
    for name in ("self.a.test", "ping.a.test", "pong.b.test", "long0.a.test"):
        for tcp in (False, True):
            reply = whole.query(name, tcp=tcp)
            assert len(cnames(reply)) <= 9 and not whole.answers(name, tcp=tcp)


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_a_loop_through_the_public_dns_ends_and_harms_nobody_else(livezone, upstream, threads):
    """The forwarded half would wait for the first half, and the forwarder, this very server,
    would count as dead afterwards."""
    upstream.add(
        "round.example. 300 IN CNAME loop.live.test.", "into.example. 300 IN CNAME well.live.test."
    )
    whole = livezone(upstream=upstream.port, threads=threads)
    whole.api.put("loop.live.test", "CNAME", "round.example.")
    for name in ("loop.live.test", "round.example"):
        for rdtype in ("A", "AAAA", "TXT"):
            assert rcode_of(whole.query(name, rdtype, timeout=1.8)) == "SERVFAIL"
    for number in range(20):
        whole.api.put("well.live.test", "A", f"10.0.0.{number}")
        assert whole.answers("well.live.test") == [f"10.0.0.{number}"]
        assert whole.answers("into.example") == [f"10.0.0.{number}"]
