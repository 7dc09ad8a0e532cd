# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""What holds for every RRset and every zone (hypothesis). Runs are repeatable; with
LIVEZONE_TEST_LONG=1 they are longer and differ, and a failure prints how to repeat it."""

import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import pytest

pytest.importorskip("hypothesis", reason="python3-hypothesis is not installed")
from hypothesis import HealthCheck, given, settings, strategies as st

from model import Model
from support import build
from support.rdata import generic_of
from support.resolver import rcode_of
from zonegen import make_query, make_zone

_FACTOR = 20 if build.LONG else 1

pytestmark = pytest.mark.timeout(900)


def _settings(examples):
    return settings(
        max_examples=examples * _FACTOR,
        deadline=None,
        derandomize=not build.LONG,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )


def _join(labels):
    """As many of the labels as a name below rrset.live.test has room for."""
    room = 220
    kept = []
    for label in labels:
        room -= 1 + len(label)
        if room < 0:
            break
        kept.append(label)
    return kept


LABELS = st.binary(min_size=1, max_size=63)
NAMES = st.lists(LABELS, max_size=8).map(lambda labels: dns.name.Name([*_join(labels), b""]))


def _wire(*parts):
    """Bytes of fields; names as on the wire, (bytes,) as a character string."""
    out = b""
    for part in parts:
        if isinstance(part, dns.name.Name):
            out += part.to_wire()
        elif isinstance(part, tuple):
            out += bytes([len(part[0])]) + part[0]
        else:
            out += part
    return out


def _fields(*strategies):
    return st.tuples(*strategies).map(lambda parts: _wire(*parts))


def _number(size):
    return st.integers(0, 256**size - 1).map(lambda value: value.to_bytes(size, "big"))


_STRING = st.binary(max_size=255).map(lambda text: (text,))
_TAG = st.from_regex(rb"\A[a-z0-9]{1,15}\Z").map(lambda text: (text,))

# type -> strategy of one rdata
RDATA = {
    "A": _number(4),
    "AAAA": _number(16),
    "PTR": _fields(NAMES),
    "MX": _fields(_number(2), NAMES),
    "SRV": _fields(_number(2), _number(2), _number(2), NAMES),
    "TXT": st.lists(_STRING, min_size=1, max_size=5).map(lambda parts: _wire(*parts)),
    "HINFO": _fields(_STRING, _STRING),
    "RP": _fields(NAMES, NAMES),
    "NAPTR": _fields(_number(2), _number(2), _STRING, _STRING, _STRING, NAMES),
    "CAA": _fields(_number(1), _TAG, st.binary(max_size=300)),
    "URI": _fields(_number(2), _number(2), st.binary(min_size=1, max_size=300)),
    "CERT": _fields(_number(2), _number(2), _number(1), st.binary(min_size=1, max_size=64)),
    "TLSA": _fields(_number(1), _number(1), _number(1), st.binary(min_size=1, max_size=64)),
    "SSHFP": _fields(_number(1), _number(1), st.binary(min_size=1, max_size=64)),
    "DNSKEY": _fields(_number(2), _number(1), _number(1), st.binary(min_size=1, max_size=300)),
    "OPENPGPKEY": st.binary(min_size=1, max_size=500),
    "EUI64": _number(8),
    "TYPE65300": st.binary(max_size=500),
}
RRSETS = st.sampled_from(sorted(RDATA)).flatmap(
    lambda rdtype: st.tuples(
        st.just(rdtype), st.sets(RDATA[rdtype], min_size=1, max_size=6), st.integers(0, 86400)
    )
)


def _over_dns(whole, owner, rdtype):
    reply = whole.query(owner, rdtype, tcp=True)
    (rrset,) = reply.answer
    return {rdata.to_wire(origin=dns.name.root) for rdata in rrset}, rrset.ttl


def test_what_was_written_is_read_by_each_way(livezone):
    """RFC 2181 section 5: the set, its TTL, and each octet; and what the API gives back is
    good to be written again."""
    whole = livezone()

    @_settings(200)
    @given(NAMES, RRSETS)
    def check(prefix, rrset):
        rdtype, rdatas, ttl = rrset
        owner = prefix.relativize(dns.name.root) + dns.name.from_text("r.live.test.")
        change = {"name": owner.to_text(), "type": rdtype, "ttl": ttl}
        whole.api.batch([{"put": {**change, "records": [generic_of(wire) for wire in rdatas]}}])
        assert _over_dns(whole, owner, rdtype) == (rdatas, ttl)
        zone = whole.api.get("/v1/zones/live.test").json
        (read,) = [
            each
            for each in zone["rrsets"]
            if each["type"] == rdtype and dns.name.from_text(each["name"]) == owner
        ]
        assert read["ttl"] == ttl and len(read["records"]) == len(rdatas)
        again = {"name": "again.live.test.", "type": rdtype, "ttl": 1, "records": read["records"]}
        whole.api.batch([{"put": again}])
        assert _over_dns(whole, "again.live.test.", rdtype) == (rdatas, 1)
        names = change["name"], again["name"]
        whole.api.batch([{"delete": {"name": name, "type": rdtype}} for name in names])
        assert not whole.query(owner, rdtype).answer

    check()


# Not below test.: of a zone that lies in a default local zone of Unbound, Unbound itself
# answers DS at the apex, which is a question for the zone above.
_APEX = dns.name.from_text("model.example.")


def _absolute(zone):
    """The records that a zone's master file has, names absolute, rdata as dnspython has it."""
    for owner, rdtype, text in zone.records:
        rdata = dns.rdata.from_text(dns.rdataclass.IN, rdtype, text, origin=_APEX, relativize=False)
        yield dns.name.from_text(owner, _APEX), rdtype, rdata.to_text()


def _said(reply):
    answer = sorted(
        (rrset.name.to_text().lower(), dns.rdatatype.to_text(rrset.rdtype), rdata.to_text().lower())
        for rrset in reply.answer
        for rdata in rrset
    )
    authority = {dns.rdatatype.to_text(rrset.rdtype) for rrset in reply.authority}
    return rcode_of(reply), answer, authority


def test_every_answer_is_that_of_a_slow_and_obvious_model(livezone, livezoned, upstream):
    upstream.empty()
    zones = [{"name": _APEX.to_text(), "soa-serial": "stored"}]
    # minimal-responses takes an answer for positive that has a record of the type asked for
    # anywhere in its chain, such as a DNAME, and leaves the SOA out
    whole = livezone(
        daemon=livezoned(zones=zones), upstream=upstream.port, server="    minimal-responses: no"
    )

    @_settings(100)
    @given(st.randoms(use_true_random=False))
    def check(random):
        zone = make_zone(random)
        master = zone.master(_APEX.to_text())
        body = {"Content-Type": "text/dns"}
        reply = whole.api.request("PUT", f"/v1/zones/{_APEX}", master, body)
        assert reply.status == 200, (master, reply)
        model = Model(_APEX, _absolute(zone))
        for _ in range(20):
            name, rdtype = make_query(random, zone, _APEX.to_text())
            if rdtype in ("SOA", "NS") and dns.name.from_text(name) == _APEX:
                continue  # the model has no data of the apex
            rcode, answer, authority = model.ask(dns.name.from_text(name), rdtype)
            wanted = sorted(
                (owner.to_text().lower(), kind, rdata.lower()) for owner, kind, rdata in set(answer)
            )
            got = _said(whole.query(name, rdtype))
            assert got == (rcode, wanted, {authority} - {None}), f"{master}{name} {rdtype}"

    check()
