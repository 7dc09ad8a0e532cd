# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Corners of the host, of which a resolver's clients see more than its authors hope."""

import os
import random
import signal
import struct

import dns.edns
import dns.message
import dns.opcode
import dns.query
import dns.rdataclass
import dns.rdatatype
import dns.update
import pytest

from support.ports import HOST
from support.resolver import flags_of, rcode_of, records_of, soa_of
from support.wait import wait_until

RD, CD, AD = 0x0100, 0x0010, 0x0020

_BOGUS = '    trust-anchor: "bogus.example. DS 1 8 2 ' + "00" * 32 + '"'


def send(whole, message, tcp=False):
    ask = dns.query.tcp if tcp else dns.query.udp
    return ask(message, HOST, port=whole.unbound.port, timeout=5)


def fill(whole):
    """One name for each sort of answer."""
    rows = [
        ("name", "A", "10.0.0.1"),
        ("alias", "CNAME", "name.live.test."),
        ("*.wild", "A", "10.0.0.2"),
        ("*.wildalias", "CNAME", "name.live.test."),
        ("from", "DNAME", "to.live.test."),
        ("host.to", "A", "10.0.0.3"),
        ("cut", "NS", "ns.cut.live.test."),
        ("ns.cut", "A", "10.0.0.4"),
        ("a.empty", "A", "10.0.0.5"),
    ]
    whole.api.batch(
        [
            {"put": {"name": f"{name}.live.test", "type": kind, "ttl": 60, "records": [rdata]}}
            for name, kind, rdata in rows
        ]
    )


# (name, type, rcode, whether it is an answer of the authority)
ANSWERS = [
    ("name.live.test", "A", "NOERROR", True),
    ("name.live.test", "TXT", "NOERROR", True),
    ("absent.live.test", "A", "NXDOMAIN", True),
    ("alias.live.test", "A", "NOERROR", True),
    ("x.wild.live.test", "A", "NOERROR", True),
    ("x.wildalias.live.test", "A", "NOERROR", True),
    ("host.from.live.test", "A", "NOERROR", True),
    ("x.cut.live.test", "A", "NOERROR", False),
    ("empty.live.test", "A", "NOERROR", True),
    ("live.test", "SOA", "NOERROR", True),
    ("name.live.test", "ANY", "NOERROR", True),
]


@pytest.mark.parametrize("modules", ["dynlib iterator", "dynlib validator iterator"])
def test_header_bits_change_nothing_but_themselves(livezone, modules):
    """RD=0, CD=1, AD=1, DO: RFC 1035 section 4.1.1, RFC 4035 sections 3.2.2 and 3.2.3,
    RFC 6840 section 5.7. Nothing is signed, so no RRSIG and no AD."""
    extra = f'\nserver:\n    module-config: "{modules}"\n'
    whole = livezone(server=_BOGUS, extra=extra)
    fill(whole)
    for name, rdtype, rcode, is_authority in ANSWERS:
        plain = whole.query(name, rdtype)
        assert rcode_of(plain) == rcode, name
        for flags in (0, RD, RD | CD, RD | AD, RD | AD | CD, CD):
            for dnssec in (False, True):
                reply = whole.query(name, rdtype, flags=flags, dnssec=dnssec)
                assert rcode_of(reply) == rcode, (name, flags)
                assert ("AA" in flags_of(reply)) == is_authority, (name, flags)
                assert "AD" not in flags_of(reply)
                assert ("CD" in flags_of(reply)) == bool(flags & CD)
                assert reply.answer == plain.answer and reply.authority == plain.authority
                assert "RRSIG" not in reply.to_text()


def scramble(rng, name):
    return "".join(rng.choice([char.lower(), char.upper()]) for char in name)


def test_every_sort_of_answer_has_the_case_of_the_question(livezone):
    """The 0x20 bits of the question, and owner names that repeat them (RFC 4343)."""
    whole = livezone()
    fill(whole)
    rng = random.Random(0x20)
    for name, rdtype, rcode, _ in ANSWERS:
        for _ in range(5):
            asked = scramble(rng, name)
            for tcp in (False, True):
                reply = whole.query(asked, rdtype, tcp=tcp)
                assert rcode_of(reply) == rcode
                assert reply.question[0].name.to_text() == asked + "."
                owners = [rrset.name.to_text() for rrset in reply.answer]
                for owner in owners:
                    if owner.lower() == name + ".":
                        assert owner == asked + ".", reply.to_text()
                assert not owners or asked + "." in owners, reply.to_text()
                # a zone's or a cut's own name is the end of the question's
                for rrset in reply.authority:
                    assert (asked + ".").endswith(rrset.name.to_text()) or soa_of(reply)


def test_an_unknown_version_of_edns_is_badvers_and_options_are_ignored(livezone):
    """RFC 6891 sections 6.1.2 and 6.1.3."""
    whole = livezone()
    fill(whole)
    for version in (1, 2, 255):
        query = dns.message.make_query("name.live.test", "A", use_edns=0)
        query.ednsflags = version << 16
        reply = send(whole, query)
        assert reply.rcode() == dns.rcode.BADVERS and reply.edns == 0 and not reply.answer
    options = [
        dns.edns.GenericOption(code, data)
        for code, data in [(100, b""), (65001, b"x" * 64), (65535, b"\0"), (3, b""), (9, b"")]
    ]
    for name, rdtype, rcode, _ in ANSWERS:
        query = dns.message.make_query(name, rdtype, use_edns=0, options=options)
        reply = send(whole, query)
        assert rcode_of(reply) == rcode and reply.edns == 0
        assert not {option.otype for option in reply.options} & {100, 65001, 65535}
        assert reply.answer == whole.query(name, rdtype).answer
    # RFC 6891 section 6.1.4: flags that nobody knows are not copied
    query = dns.message.make_query("name.live.test", "A", use_edns=0, ednsflags=0x4040)
    assert send(whole, query).ednsflags & 0x7FFF == 0


def test_class_any_has_the_data_of_in_and_is_never_an_authoritys(livezone):
    """RFC 1034 section 3.7.1; and as any other answer of ours it is in no cache."""
    whole = livezone()
    for number in range(1, 4):
        whole.api.put("name.live.test", "A", f"10.0.0.{number}", ttl=3600)
        whole.api.put("alias.live.test", "CNAME", "name.live.test.", ttl=3600)
        for name in ("name.live.test", "alias.live.test"):
            query = dns.message.make_query(name, "A", rdclass="ANY")
            for tcp in (False, True):
                reply = send(whole, query, tcp)
                found = [rrset for rrset in reply.answer if rrset.rdtype == dns.rdatatype.A]
                assert [rdata.to_text() for rdata in found[0]] == [f"10.0.0.{number}"]
                assert found[0].rdclass == dns.rdataclass.IN
                assert "AA" not in flags_of(reply)
    assert "name.live.test" not in whole.unbound.cached()


def test_class_any_of_a_missing_name_is_passed_on_where_the_zone_says_so(livezone, upstream):
    upstream.add("public.open.test. 300 IN A 192.0.2.1")
    whole = livezone(zones=[{"name": "open.test", "on-miss": "recurse"}], upstream=upstream.port)
    query = dns.message.make_query("public.open.test", "A", rdclass="ANY")
    assert records_of(send(whole, query), "A") == ["192.0.2.1"]
    whole.api.put("public.open.test", "A", "10.0.0.1")
    assert records_of(send(whole, query), "A") == ["10.0.0.1"]
    assert whole.answers("public.open.test") == ["10.0.0.1"]
    whole.api.delete("public.open.test", "A")
    assert records_of(send(whole, query), "A") == ["192.0.2.1"]


def test_class_any_without_a_store_fails_and_is_not_passed_on(livezone, livezoned, upstream):
    """The iterator would make one question for each class and store what it hears."""
    upstream.add("name.live.test. 300 IN A 192.0.2.1")
    zone = {"name": "live.test", "on-failure": "recurse", "stale": "0s"}
    daemon = livezoned(zones=[zone], start=False)
    whole = livezone(daemon=daemon, wait=False, upstream=upstream.port)
    assert whole.answers("name.live.test") == ["192.0.2.1"]
    query = dns.message.make_query("name.live.test", "A", rdclass="ANY")
    assert rcode_of(send(whole, query)) == "SERVFAIL"


def test_other_classes_are_not_ours(livezone, upstream):
    whole = livezone(upstream=upstream.port)
    whole.api.put("name.live.test", "A", "10.0.0.1")
    reply = send(whole, dns.message.make_query("version.bind", "TXT", rdclass="CH"))
    assert rcode_of(reply) == "NOERROR" and reply.answer
    for rdclass in ("CH", "HS", "CLASS5"):
        reply = send(whole, dns.message.make_query("name.live.test", "A", rdclass=rdclass))
        assert "AA" not in flags_of(reply) and not reply.answer


def test_updates_notifications_and_other_opcodes_are_refused_as_without_us(livezone, unbound):
    """RFC 2136, RFC 1996, and RFC 8906 section 3.1.4; nothing is written by them."""
    whole = livezone()
    plain = unbound(name="plain")
    whole.api.put("name.live.test", "A", "10.0.0.1")
    update = dns.update.UpdateMessage("live.test.")
    update.replace("name", 5, "A", "10.6.6.6")
    update.delete("name")
    notify = dns.message.make_query("live.test", "SOA")
    notify.set_opcode(dns.opcode.NOTIFY)
    others = []
    for opcode in (1, 2):
        others.append(dns.message.make_query("name.live.test", "A"))
        others[-1].flags = opcode << 11
    for message in (update, notify, *others):
        for tcp in (False, True):
            got = send(whole, message, tcp)
            ask = dns.query.tcp if tcp else dns.query.udp
            wanted = ask(message, HOST, port=plain.port, timeout=5)
            assert got.rcode() == wanted.rcode() != 0
            assert got.opcode() == message.opcode() and not got.answer
    assert whole.answers("name.live.test") == ["10.0.0.1"]


@pytest.mark.parametrize("rdtype", ["AXFR", "IXFR", "MAILA", "MAILB", "TKEY", "OPT"])
def test_meta_types_are_not_answered_with_data(livezone, rdtype):
    """RFC 6895 section 3.1; zone transfers (RFC 5936) are not offered."""
    whole = livezone()
    whole.api.put("name.live.test", "A", "10.0.0.1")
    for name in ("live.test", "name.live.test"):
        wire = bytearray(dns.message.make_query(name, "A").to_wire())
        struct.pack_into("!H", wire, len(wire) - 4, dns.rdatatype.from_text(rdtype))
        message = dns.message.from_wire(bytes(wire))
        reply = dns.query.tcp(message, HOST, port=whole.unbound.port, timeout=5, one_rr_per_rrset=True)
        assert rcode_of(reply) in ("FORMERR", "REFUSED", "NOTIMP") and not reply.answer


def test_dns64_makes_aaaa_of_our_a(livezone, upstream):
    """RFC 6147 section 5.1.6: with dns64 in front, a name that has A alone gets an AAAA made
    from it; real AAAA stay. dns64 stores by itself, but nothing of ours."""
    upstream.add(
        "into.example. 3600 IN CNAME four.live.test.",
        "outside.example. 3600 IN A 192.0.2.1",
    )
    extra = '\nserver:\n    module-config: "dns64 dynlib validator iterator"\n'
    whole = livezone(
        zones=["live.test", {"name": "open.test", "on-miss": "recurse"}],
        extra=extra,
        server="    dns64-prefix: 64:ff9b::/96",
        upstream=upstream.port,
    )
    whole.api.put("both.live.test", "A", "10.0.0.1")
    whole.api.put("both.live.test", "AAAA", "2001:db8::1")
    for number in (1, 2, 3):
        whole.api.put("four.live.test", "A", f"10.0.0.{number}", ttl=3600)
        whole.api.put("alias.live.test", "CNAME", "four.live.test.", ttl=3600)
        for name in ("four.live.test", "alias.live.test", "into.example"):
            for _ in range(2):
                assert whole.answers(name) == [f"10.0.0.{number}"]
                assert whole.answers(name, "AAAA") == [f"64:ff9b::a00:{number}"]
        assert whole.query("four.live.test").answer[0].ttl == 3600
    assert whole.answers("both.live.test", "AAAA") == ["2001:db8::1"]
    whole.api.put("out.live.test", "CNAME", "outside.example.", ttl=3600)
    assert whole.answers("out.live.test", "AAAA") == ["64:ff9b::c000:201"]
    whole.api.put("out.live.test", "CNAME", "both.live.test.", ttl=3600)
    assert whole.answers("out.live.test", "AAAA") == ["2001:db8::1"]
    for rdtype in ("A", "AAAA"):
        assert rcode_of(whole.query("absent.live.test", rdtype)) == "NXDOMAIN"
        assert rcode_of(whole.query("absent.open.test", rdtype)) == "NXDOMAIN"
    whole.api.put("absent.open.test", "A", "10.0.0.9")
    assert whole.answers("absent.open.test") == ["10.0.0.9"]
    assert whole.answers("absent.open.test", "AAAA") == ["64:ff9b::a00:9"]
    assert "msg " not in "".join(
        line for line in whole.unbound.cached().splitlines(True) if ".test" in line
    )


@pytest.mark.parametrize(
    "options",
    [
        "serve-expired: yes\n    serve-expired-ttl: 0\n    serve-expired-client-timeout: 1800",
        "serve-expired: yes\n    serve-expired-client-timeout: 0\n    prefetch: yes",
        "prefetch: yes\n    prefetch-key: yes\n    cache-min-ttl: 3600",
        "aggressive-nsec: yes\n    harden-below-nxdomain: yes\n    qname-minimisation: yes",
        "cache-max-negative-ttl: 3600\n    neg-cache-size: 1m",
    ],
)
def test_settings_of_the_cache_do_not_touch_live_answers(livezone, upstream, options):
    """RFC 8767, RFC 8198, RFC 8020 are for what is cached."""
    whole = livezone(upstream=upstream.port, server="    " + options)
    for number in range(1, 6):
        assert rcode_of(whole.query("sub.name.live.test")) == "NXDOMAIN"
        whole.api.put("name.live.test", "A", f"10.0.0.{number}", ttl=1)
        assert whole.answers("name.live.test") == [f"10.0.0.{number}"]
        assert whole.query("name.live.test").answer[0].ttl == 1
        whole.api.delete("name.live.test", "A")
        assert rcode_of(whole.query("name.live.test")) == "NXDOMAIN"
    assert whole.unbound.stats()["total.num.expired"] == 0


def reconfigure(whole, zones, verb):
    """The operator's way: both files, SIGHUP, and the verb of unbound-control."""
    before = whole.api.get("/v1/zones").json["zones"]
    whole.daemon.config["zones"] = [
        zone if isinstance(zone, dict) else {"name": zone} for zone in zones
    ]
    whole.daemon.write_config()
    os.kill(whole.daemon.process.pid, signal.SIGHUP)
    wait_until(
        lambda: whole.api.get("/v1/zones").json["zones"] != before, 10, "livezoned has reloaded"
    )
    whole.unbound.write_config()
    whole.unbound.control(verb)
    whole.unbound.wait_up()


@pytest.mark.parametrize("verb", ["reload", "reload_keep_cache"])
def test_names_that_were_cached_before_their_zone_became_live_are_forgotten(
    livezone, upstream, verb
):
    upstream.add(
        "name.later.example. 3600 IN A 192.0.2.1",
        "name.later.example. 3600 IN TXT old",
        "other.example. 3600 IN A 192.0.2.2",
    )
    whole = livezone(upstream=upstream.port)
    assert whole.answers("name.later.example") == ["192.0.2.1"]
    assert rcode_of(whole.query("absent.later.example", "AAAA")) == "NXDOMAIN"
    assert rcode_of(whole.query("absent.later.example", "AAAA", flags=RD | CD)) == "NXDOMAIN"
    assert whole.answers("other.example") == ["192.0.2.2"]
    reconfigure(whole, ["live.test", "later.example"], verb)
    whole.wait_live()
    whole.api.put("name.later.example", "A", "10.0.0.1")
    whole.api.put("absent.later.example", "AAAA", "2001:db8::1")
    assert whole.answers("name.later.example") == ["10.0.0.1"]
    for flags in (RD, RD | CD):
        assert whole.answers("absent.later.example", "AAAA", flags=flags) == ["2001:db8::1"]
    assert whole.answers("other.example") == ["192.0.2.2"]
    if verb == "reload_keep_cache":
        assert upstream.asked_for("other.example", "A") == 1


@pytest.mark.parametrize("verb", ["reload", "reload_keep_cache"])
def test_zones_come_change_and_go_by_a_reload(livezone, upstream, verb):
    upstream.add("name.two.example. 3600 IN A 192.0.2.2")
    whole = livezone(zones=["one.example", "two.example"], upstream=upstream.port)
    whole.api.put("name.one.example", "A", "10.0.0.1")
    whole.api.put("name.two.example", "A", "10.0.0.2")
    assert whole.answers("name.two.example") == ["10.0.0.2"]
    # two goes, three comes, one changes its policy
    reconfigure(whole, [{"name": "one.example", "on-miss": "refuse"}, "three.example"], verb)
    whole.wait_live()
    assert whole.answers("name.one.example") == ["10.0.0.1"]
    assert rcode_of(whole.query("absent.one.example")) == "REFUSED"
    assert rcode_of(whole.query("absent.three.example")) == "NXDOMAIN"
    assert whole.answers("name.two.example") == ["192.0.2.2"]
    assert "AA" not in flags_of(whole.query("name.two.example"))
    # and back: what was cached of two meanwhile is forgotten, what was written is there
    reconfigure(whole, ["one.example", "two.example"], verb)
    whole.wait_live()
    assert whole.answers("name.two.example") == ["10.0.0.2"]
    assert rcode_of(whole.query("absent.one.example")) == "NXDOMAIN"


def test_fast_reload_leaves_live_zones_alone(livezone):
    """Unbound 1.23 and later; modules are not told of it."""
    whole = livezone()
    whole.api.put("name.live.test", "A", "10.0.0.1")
    done = whole.unbound.control("fast_reload", check=False)
    if "unknown command" in done.stdout + done.stderr:
        pytest.skip("this Unbound has no fast_reload")
    assert done.returncode == 0, done.stdout + done.stderr
    whole.api.put("name.live.test", "A", "10.0.0.2")
    assert whole.answers("name.live.test") == ["10.0.0.2"]


@pytest.mark.parametrize(
    "zone, name",
    [
        ("test", "name.test"),
        ("10.in-addr.arpa", "1.0.0.10.in-addr.arpa"),
        ("0.0.10.in-addr.arpa", "1.0.0.10.in-addr.arpa"),
        ("168.192.in-addr.arpa", "1.1.168.192.in-addr.arpa"),
        ("d.f.ip6.arpa", "1." + "0." * 29 + "d.f.ip6.arpa"),
        ("home.arpa", "name.home.arpa"),
        ("in-addr.arpa", "1.1.16.172.in-addr.arpa"),
    ],
)
def test_zones_that_unbound_has_by_itself_are_ours(livezone, zone, name):
    """RFC 6303 and RFC 6761: the default local zones would answer before any module."""
    whole = livezone(zones=[zone])
    whole.api.put(name, "PTR", "host.example.")
    assert whole.answers(name, "PTR") == ["host.example."]
    assert records_of(whole.query(zone, "SOA"), "SOA")
    assert rcode_of(whole.query("absent." + zone)) == "NXDOMAIN"
