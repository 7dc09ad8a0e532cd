# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Names in no live zone: exactly what the same Unbound says without the module."""

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

from support.ports import HOST
from support.zonefiles import ZoneFiles, require_signer

_TTL_SLACK = 5  # seconds between the two resolvers' looks at the same record

_BIG = "".join(f'big TXT "{number:03}{"x" * 120}"\n' for number in range(24))

_RECORDS = (
    "".join(f"h{number} A 192.0.2.{number}\n" for number in range(1, 41))
    + "".join(f"h{number} AAAA 2001:db8::{number}\n" for number in range(1, 21))
    + """\
h1 TXT "one" "two"
mail MX 10 h1
mail MX 20 h2
_http._tcp SRV 0 5 80 h1
*.wild A 192.0.2.99
a.empty A 192.0.2.98
alias CNAME h1
alias2 CNAME alias
away CNAME h2.plain.example.
nowhere CNAME absent.plain.example.
strange TYPE65280 \\# 3 010203
"""
    + _BIG
)

_ZONES = ("signed.example", "nsec3.example", "plain.example")
_BOGUS = "bogus.example"


def _plans(zone):
    """(name, type, options) of the questions about one zone."""
    for number in range(1, 41):
        yield f"h{number}", "A", {}
    for number in range(1, 21):
        yield f"h{number}", "AAAA", {"dnssec": True}
    for number in range(21, 31):
        yield f"h{number}", "AAAA", {}  # NODATA
    for number in range(10):
        yield f"absent{number}", "A", {"dnssec": number % 2 == 0}
    for number in range(5):
        yield f"under{number}.wild", "A", {"dnssec": True, "tcp": number % 2 == 0}
    for rdtype in ("SOA", "NS", "DNSKEY", "DS", "MX", "ANY", "NSEC"):
        yield "", rdtype, {"dnssec": True, "tcp": True}
    for name, rdtype in (
        ("mail", "MX"),
        ("_http._tcp", "SRV"),
        ("h1", "TXT"),
        ("empty", "A"),
        ("strange", "TYPE65280"),
        ("alias", "A"),
        ("alias", "CNAME"),
        ("alias2", "A"),
        ("alias2", "AAAA"),
        ("alias", "MX"),
        ("away", "A"),
        ("nowhere", "A"),
        ("absent.h1", "A"),
        ("h1.absent", "TXT"),
    ):
        yield name, rdtype, {}
        yield name, rdtype, {"dnssec": True, "tcp": True}
        yield name.upper(), rdtype, {"flags": dns.flags.RD | dns.flags.AD}
    for options in (
        {"payload": 512},
        {"payload": 1232, "dnssec": True},
        {"payload": 4096},
        {"payload": 4096, "dnssec": True, "tcp": True},
        {"edns": False},
        {"edns": False, "tcp": True},
    ):
        yield "big", "TXT", options
    for flags in (dns.flags.RD | dns.flags.CD, dns.flags.RD | dns.flags.AD, dns.flags.RD):
        for name in ("h1", "alias", "absent", "empty"):
            yield name, "A", {"flags": flags, "edns": False}
            yield name, "TXT", {"flags": flags, "dnssec": True}


def _questions():
    for zone in _ZONES:
        for name, rdtype, options in _plans(zone):
            yield f"{name}.{zone}".lstrip("."), rdtype, options
    for number in range(1, 6):
        for flags in (dns.flags.RD, dns.flags.RD | dns.flags.CD):
            yield f"h{number}.{_BOGUS}", "A", {"flags": flags, "dnssec": True}
    for name in ("absent.nowhere", "nowhere.", "host.localhost", "1.0.0.127.in-addr.arpa"):
        yield name, "A", {}
        yield name, "PTR", {}


def _ask(port, name, rdtype, dnssec=False, tcp=False, edns=True, payload=1232, flags=dns.flags.RD):
    query = dns.message.make_query(
        name,
        rdtype,
        use_edns=0 if edns else False,
        want_dnssec=dnssec,
        payload=payload if edns else None,
        flags=flags,
    )
    query.id = 1
    ask = dns.query.tcp if tcp else dns.query.udp
    return ask(query, HOST, port=port, timeout=10)


def _shape(message):
    """All of a message but order and TTLs; and the TTLs."""
    sections, ttls = [], []
    for section in (message.answer, message.authority, message.additional):
        rows = sorted(
            (rrset.name.to_text(), rrset.rdtype, rrset.covers, sorted(r.to_text() for r in rrset))
            for rrset in section
        )
        sections.append(rows)
        ttls += [
            ttl
            for _, ttl in sorted(
                ((rrset.name, rrset.rdtype, rrset.covers), rrset.ttl) for rrset in section
            )
        ]
    shape = {
        "rcode": dns.rcode.to_text(message.rcode()),
        "flags": dns.flags.to_text(message.flags),
        "edns": (message.edns, message.ednsflags, message.payload, len(message.options)),
        "question": [rrset.to_text() for rrset in message.question],
        "sections": sections,
    }
    return shape, ttls


def _counters(server):
    stats = server.stats()
    names = ("cachehits", "cachemiss", "prefetch", "recursivereplies")
    return {name: stats[f"total.num.{name}"] for name in names}


def _growth(server, before):
    return {name: value - before[name] for name, value in _counters(server).items()}


def test_five_hundred_queries_get_the_same_answers_with_and_without_the_module(
    unbound, livezone, tmp_path
):
    require_signer()
    zones = ZoneFiles(tmp_path / "zones")
    zones.signed("signed.example", _RECORDS)
    zones.signed("nsec3.example", _RECORDS, nsec3=True)
    zones.plain("plain.example", _RECORDS)
    zones.signed(_BOGUS, _RECORDS, break_signatures_of=("\t192.0.2.", "\t198.51.100."))
    zones.plain("", "")  # the root: every other name is NXDOMAIN
    upstream = unbound("upstream", threads=1, extra=zones.extra)
    options = {"upstream": upstream.port, "threads": 1, "server": zones.anchors}
    plain = unbound("plain", modules="validator iterator", **options)
    whole = livezone(zones=["live.test", "other.live.test"], **options)

    questions = list(_questions())
    assert len(questions) >= 500
    seen_flags, seen_rcodes = set(), set()
    costs = []
    for server in (plain, whole.unbound):
        before = _counters(server), _counters(upstream)
        server.shapes = []
        for _ in range(2):  # the second time from the cache
            server.shapes.append([_shape(_ask(server.port, *row[:2], **row[2])) for row in questions])
        costs.append((_growth(server, before[0]), _growth(upstream, before[1])))
    for again in range(2):
        for question, (want, want_ttls), (got, got_ttls) in zip(
            questions, plain.shapes[again], whole.unbound.shapes[again]
        ):
            assert got == want, question
            assert len(got_ttls) == len(want_ttls)
            for got_ttl, want_ttl in zip(got_ttls, want_ttls):
                assert abs(got_ttl - want_ttl) <= _TTL_SLACK, question
            seen_flags.update(want["flags"].split())
            seen_rcodes.add(want["rcode"])
    # the same hits, misses and questions to the upstream: cached just the same. On a busy
    # machine a few are asked twice, or have run out of the cache meanwhile.
    for without, with_module in zip(*costs):
        for name, count in without.items():
            assert abs(with_module[name] - count) <= max(2, count // 50), (name, costs)
    # and the questions were worth asking
    assert {"AD", "TC", "CD", "RA"} <= seen_flags
    assert {"NOERROR", "NXDOMAIN", "SERVFAIL"} <= seen_rcodes


def test_foreign_names_do_not_wait_for_a_store(livezone, livezoned, upstream):
    """The module loads without a store and passes on what is not ours."""
    upstream.add("www.example. 300 IN A 192.0.2.1")
    daemon = livezoned(start=False)
    whole = livezone(daemon=daemon, wait=False, upstream=upstream.port)
    assert whole.answers("www.example") == ["192.0.2.1"]
    assert dns.rcode.to_text(whole.query("name.live.test").rcode()) == "SERVFAIL"
    daemon.start()
    whole.wait_live()
    whole.api.put("name.live.test", "A", "10.0.0.1")
    assert whole.answers("name.live.test") == ["10.0.0.1"]
    assert upstream.asked_for("name.live.test") == 0
