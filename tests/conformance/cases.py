# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Zones with questions, and the answers that RFC 1034, 2308, 4592 and 6672 ask for: what
test_authority.py needs wherever it runs."""

_SOA = "ns.{0} host.{0} 1 3600 600 604800 60"


def _soa(apex):
    return f"{apex} 60 IN SOA {_SOA.format(apex)}"


def _zone(apex, *lines):
    return [_soa(apex), f"{apex} 300 IN NS ns.{apex}", *lines]


_MARKET = _zone(
    "market.test.",
    "ns.market.test. 300 IN A 192.0.2.53",
    "www.market.test. 120 IN A 192.0.2.1",
    "www.market.test. 120 IN A 192.0.2.2",
    "www.market.test. 90 IN AAAA 2001:db8::1",
    "market.test. 30 IN MX 10 mail.market.test.",
    "deep.er.market.test. 60 IN TXT \"below\"",
    "*.stall.market.test. 45 IN A 192.0.2.9",
    "one.stall.market.test. 45 IN TXT \"own\"",
    "x.two.stall.market.test. 45 IN TXT \"below\"",
    "*.sign.market.test. 45 IN CNAME www.market.test.",
    "shop.market.test. 50 IN CNAME www.market.test.",
    "twice.market.test. 51 IN CNAME shop.market.test.",
    "lost.market.test. 52 IN CNAME nowhere.market.test.",
    "bare.market.test. 53 IN CNAME er.market.test.",
    "away.market.test. 54 IN CNAME www.elsewhere.invalid.",
)
_WWW = ["www.market.test. 120 IN A 192.0.2.1", "www.market.test. 120 IN A 192.0.2.2"]
_NONE = [_soa("market.test.")]

_CUTS = _zone(
    "cuts.test.",
    "ns.cuts.test. 300 IN A 192.0.2.53",
    "child.cuts.test. 200 IN NS ns.child.cuts.test.",
    "child.cuts.test. 200 IN NS ns.other.invalid.",
    "ns.child.cuts.test. 200 IN A 192.0.2.54",
    "*.cuts.test. 70 IN A 192.0.2.7",
    "into.cuts.test. 71 IN CNAME www.child.cuts.test.",
    "old.cuts.test. 80 IN DNAME new.cuts.test.",
    "old.cuts.test. 80 IN TXT \"beside\"",
    "a.new.cuts.test. 81 IN A 192.0.2.8",
)
_CHILD = [
    "child.cuts.test. 200 IN NS ns.child.cuts.test.",
    "child.cuts.test. 200 IN NS ns.other.invalid.",
]
_DNAME = "old.cuts.test. 80 IN DNAME new.cuts.test."

# zone; then name, type, rcode, AA, answer, authority (None: not looked at)
_QUESTIONS = [
    # data as it is, its TTL, and names in any case
    (_MARKET, "www.market.test.", "A", "NOERROR", True, _WWW, None),
    (_MARKET, "WwW.MARKET.test.", "A", "NOERROR", True, _WWW, None),
    (_MARKET, "www.market.test.", "AAAA", "NOERROR", True, ["www.market.test. 90 IN AAAA 2001:db8::1"], None),
    (_MARKET, "market.test.", "MX", "NOERROR", True, ["market.test. 30 IN MX 10 mail.market.test."], None),
    (_MARKET, "market.test.", "NS", "NOERROR", True, ["market.test. 300 IN NS ns.market.test."], None),
    (_MARKET, "market.test.", "SOA", "NOERROR", True, _NONE, None),
    # RFC 2308: no such type, no such name, and names that only have names below them
    (_MARKET, "www.market.test.", "TXT", "NOERROR", True, [], _NONE),
    (_MARKET, "market.test.", "A", "NOERROR", True, [], _NONE),
    (_MARKET, "absent.market.test.", "A", "NXDOMAIN", True, [], _NONE),
    (_MARKET, "a.www.market.test.", "A", "NXDOMAIN", True, [], _NONE),
    (_MARKET, "er.market.test.", "A", "NOERROR", True, [], _NONE),
    (_MARKET, "stall.market.test.", "A", "NOERROR", True, [], _NONE),
    (_MARKET, "x.er.market.test.", "A", "NXDOMAIN", True, [], _NONE),
    # RFC 4592: a wildcard stands for what does not exist, below its closest encloser only
    (_MARKET, "any.stall.market.test.", "A", "NOERROR", True, ["any.stall.market.test. 45 IN A 192.0.2.9"], None),
    (_MARKET, "a.b.stall.market.test.", "A", "NOERROR", True, ["a.b.stall.market.test. 45 IN A 192.0.2.9"], None),
    (_MARKET, "any.stall.market.test.", "AAAA", "NOERROR", True, [], _NONE),
    (_MARKET, "*.stall.market.test.", "A", "NOERROR", True, ["*.stall.market.test. 45 IN A 192.0.2.9"], None),
    (_MARKET, "one.stall.market.test.", "A", "NOERROR", True, [], _NONE),
    (_MARKET, "a.one.stall.market.test.", "A", "NXDOMAIN", True, [], _NONE),
    (_MARKET, "two.stall.market.test.", "A", "NOERROR", True, [], _NONE),
    (_MARKET, "y.two.stall.market.test.", "A", "NXDOMAIN", True, [], _NONE),
    (_MARKET, "x.*.stall.market.test.", "A", "NXDOMAIN", True, [], _NONE),
    (_MARKET, "any.sign.market.test.", "A", "NOERROR", True, ["any.sign.market.test. 45 IN CNAME www.market.test.", *_WWW], None),
    # RFC 1034 section 3.6.2: aliases
    (_MARKET, "shop.market.test.", "A", "NOERROR", True, ["shop.market.test. 50 IN CNAME www.market.test.", *_WWW], None),
    (_MARKET, "shop.market.test.", "CNAME", "NOERROR", True, ["shop.market.test. 50 IN CNAME www.market.test."], None),
    (
        _MARKET, "twice.market.test.", "A", "NOERROR", True,
        ["twice.market.test. 51 IN CNAME shop.market.test.", "shop.market.test. 50 IN CNAME www.market.test.", *_WWW], None,
    ),
    (_MARKET, "shop.market.test.", "TXT", "NOERROR", True, ["shop.market.test. 50 IN CNAME www.market.test."], _NONE),
    (_MARKET, "lost.market.test.", "A", "NXDOMAIN", True, ["lost.market.test. 52 IN CNAME nowhere.market.test."], _NONE),
    (_MARKET, "bare.market.test.", "A", "NOERROR", True, ["bare.market.test. 53 IN CNAME er.market.test."], _NONE),
    (_MARKET, "away.market.test.", "CNAME", "NOERROR", True, ["away.market.test. 54 IN CNAME www.elsewhere.invalid."], None),
    # RFC 1034 section 4.3.2 step 3b: at and below a cut the child answers, but for DS
    (_CUTS, "child.cuts.test.", "NS", "NOERROR", False, [], _CHILD),
    (_CUTS, "child.cuts.test.", "A", "NOERROR", False, [], _CHILD),
    (_CUTS, "a.b.child.cuts.test.", "A", "NOERROR", False, [], _CHILD),
    (_CUTS, "ns.child.cuts.test.", "A", "NOERROR", False, [], _CHILD),
    (_CUTS, "child.cuts.test.", "DS", "NOERROR", True, [], [_soa("cuts.test.")]),
    (_CUTS, "into.cuts.test.", "A", "NOERROR", True, ["into.cuts.test. 71 IN CNAME www.child.cuts.test."], None),
    (_CUTS, "any.cuts.test.", "A", "NOERROR", True, ["any.cuts.test. 70 IN A 192.0.2.7"], None),
    # RFC 6672: what is below has another name, the owner itself has not
    (
        _CUTS, "a.old.cuts.test.", "A", "NOERROR", True,
        [_DNAME, "a.old.cuts.test. 80 IN CNAME a.new.cuts.test.", "a.new.cuts.test. 81 IN A 192.0.2.8"], None,
    ),
    (_CUTS, "b.old.cuts.test.", "A", "NXDOMAIN", True, [_DNAME, "b.old.cuts.test. 80 IN CNAME b.new.cuts.test."], None),
    (_CUTS, "old.cuts.test.", "TXT", "NOERROR", True, ["old.cuts.test. 80 IN TXT \"beside\""], None),
    (_CUTS, "old.cuts.test.", "A", "NOERROR", True, [], [_soa("cuts.test.")]),
    (_CUTS, "old.cuts.test.", "DNAME", "NOERROR", True, [_DNAME], None),
]


def cases():
    """As the lines of the shared file: see test_authority.py."""
    for number, (zone, name, rdtype, rcode, aa, answer, authority) in enumerate(_QUESTIONS):
        case = {
            "id": number, "zone": zone, "query": [name, rdtype], "rcode": rcode, "aa": aa,
            "answer": answer,
        }
        if authority is not None:
            case["authority"] = authority
        yield case
