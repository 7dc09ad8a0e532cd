# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Answers of every size, whole or marked as cut (RFC 2181 section 9, RFC 7766), and names
at the limits of RFC 1035 section 2.3.4 with octets of any value (RFC 2181 section 11)."""

import dns.flags
import dns.message
import dns.name
import pytest

from support.resolver import flags_of, rcode_of

_HEAD = 12
_OPT = 11
_TTL = 60
_MESSAGE_MAX = 65535


def texts(total):
    """TXT rdata in `total` octets of rdata with its lengths, each at most 256."""
    parts = []
    while total:
        size = min(total, 256)
        if total - size == 1:
            size -= 1
        parts.append("x" * (size - 1))
        total -= size
    return " ".join(f'"{part}"' for part in parts)


def message_size(name, rdata, edns=True):
    """Octets of the answer that has one TXT record of `rdata` octets."""
    question = len(dns.name.from_text(name).to_wire()) + 4
    return _HEAD + question + 2 + 10 + rdata + (_OPT if edns else 0)


def ask(whole, name, rdtype="TXT", payload=None, tcp=False):
    """One question; with no payload, without EDNS."""
    if payload is None:
        query = dns.message.make_query(name, rdtype, use_edns=False)
    else:
        query = dns.message.make_query(name, rdtype, use_edns=0, payload=payload)
    if tcp:
        return dns.query.tcp(query, "127.0.0.1", port=whole.unbound.port, timeout=5)
    return dns.query.udp(query, "127.0.0.1", port=whole.unbound.port, timeout=5)


@pytest.mark.parametrize("limit, payload", [(512, None), (512, 512), (1232, 1232), (4096, 4096)])
def test_an_answer_over_udp_is_whole_up_to_the_limit_and_cut_beyond(livezone, limit, payload):
    """RFC 2181 section 9: a cut answer has TC, and over TCP it is whole."""
    whole = livezone(server="    max-udp-size: 4096\n    edns-buffer-size: 4096")
    for size in (limit - 1, limit, limit + 1):
        name = f"t{size}.live.test"
        rdata = size - message_size(name, 0, edns=payload is not None)
        whole.api.put(name, "TXT", texts(rdata), ttl=_TTL)
        reply = ask(whole, name, payload=payload)
        assert rcode_of(reply) == "NOERROR"
        assert ("TC" in flags_of(reply)) == (size > limit), (size, reply.to_text()[:300])
        if size > limit:
            assert not reply.answer
        else:
            assert len(reply.answer[0][0].to_wire()) == rdata
        over_tcp = ask(whole, name, payload=payload, tcp=True)
        assert "TC" not in flags_of(over_tcp)
        assert len(over_tcp.answer[0][0].to_wire()) == rdata


@pytest.mark.parametrize("edns", [False, True])
def test_an_answer_over_tcp_may_have_65535_octets(livezone, edns):
    """RFC 1035 section 4.2.2: the length has 16 bits."""
    whole = livezone()
    payload = 1232 if edns else None
    largest = _MESSAGE_MAX - (0 if edns else _OPT)  # with EDNS it has to fit too
    for size in (16384, largest - 1, largest):
        name = f"t{size}.live.test"
        rdata = size - message_size(name, 0, edns)
        whole.api.put(name, "TXT", texts(rdata), ttl=_TTL)
        reply = ask(whole, name, payload=payload, tcp=True)
        assert rcode_of(reply) == "NOERROR" and "TC" not in flags_of(reply)
        assert len(reply.answer[0][0].to_wire()) == rdata
        cut = ask(whole, name, payload=payload)
        assert "TC" in flags_of(cut) and not cut.answer


def test_many_records_come_whole_over_tcp(livezone):
    """512 records, and names in them that compress (RFC 1035 section 4.1.4)."""
    whole = livezone()
    rows = {
        "A": [f"10.0.{number >> 8}.{number & 255}" for number in range(512)],
        "SRV": [f"0 0 {number} host{number}.a.long.suffix.live.test." for number in range(512)],
        "PTR": [f"host{number}.a.long.suffix.live.test." for number in range(512)],
    }
    for rdtype, records in rows.items():
        whole.api.put("many.live.test", rdtype, records)
        assert whole.answers("many.live.test", rdtype, tcp=True) == sorted(records)
        assert "TC" in flags_of(whole.query("many.live.test", rdtype))


def refusal(whole, name, records):
    """The detail of the refusal of a TXT RRset, or None when it was written."""
    body = {"records": records, "ttl": _TTL}
    reply = whole.api.request("PUT", f"/v1/rrsets/{name}/TXT", body)
    if reply.status == 200:
        return None
    assert reply.status == 422, reply
    return reply.json["detail"]


def test_what_no_message_can_carry_is_refused(livezone):
    """RFC 2181 section 5: an RRset is a whole. The limit holds for the largest answer that
    may be asked for: with EDNS, and with the longest name where the owner is a wildcard."""
    whole = livezone()
    for name in ("t.live.test", "*.live.test"):
        room = _MESSAGE_MAX - message_size(name, 0)
        if name.startswith("*"):
            room -= 255 - len(dns.name.from_text(name).to_wire())
        assert refusal(whole, name, [texts(room)]) is None
        assert "a DNS message has at most 65535" in refusal(whole, name, [texts(room + 1)])
    longest = ".".join(["y" * 63] * 3 + ["z" * (255 - 3 * 64 - len("0live0test0") - 1), "live.test"])
    reply = ask(whole, longest, payload=1232, tcp=True)
    assert rcode_of(reply) == "NOERROR" and "TC" not in flags_of(reply)
    assert len(reply.to_wire(max_size=_MESSAGE_MAX)) == _MESSAGE_MAX
    # a record has 12 octets in the message besides its data
    for count in (300, 512):
        fit = (_MESSAGE_MAX - message_size("m.live.test", 0)) // count - 12
        records = [f'"{number:04}" ' + texts(fit - 5) for number in range(count)]
        assert refusal(whole, "m.live.test", records) is None
        assert len(whole.answers("m.live.test", "TXT", tcp=True)) == count
        records = [f'"{number:04}" ' + texts(fit - 4) for number in range(count)]
        assert "a DNS message has at most 65535" in refusal(whole, "m.live.test", records)


# Labels, as octets, that text must escape or that look like something else.
_ODD = [
    b"\0",
    b"a\0b",
    b"a.b",
    b".",
    b"\\",
    b"*",
    b"a*",
    b"@",
    b"$",
    b'"',
    b"(;)",
    b" ",
    b"\t\n\r",
    b"\xff\xfe\x80",
    "ä".encode(),
    bytes(range(63)),
    bytes(range(193, 256)),
    b"\\000",
    b"123",
    b"x" * 63,
]


def odd_names():
    apex = dns.name.from_text("live.test.")
    names = [dns.name.Name((label, *apex.labels)) for label in _ODD]
    room = 255 - len(apex.to_wire())
    names.append(dns.name.Name((*[b"%d" % (n % 10) for n in range(room // 2)], *apex.labels)))
    assert len(names[-1].labels) >= 122
    full = [b"y" * 63] * (room // 64)
    if rest := room - 64 * len(full):
        full.append(b"z" * (rest - 1))
    names.append(dns.name.Name((*full, *apex.labels)))
    assert len(names[-1].to_wire()) == 255
    return names


def check_names(whole, names):
    for number, name in enumerate(names):
        reply = whole.query(name, "A", flags=dns.flags.RD)
        assert rcode_of(reply) == "NOERROR" and len(reply.answer) == 1, (name, reply.to_text())
        assert reply.answer[0].name.labels == name.labels
        assert reply.answer[0][0].to_text() == f"10.0.0.{number}", name


def test_names_of_any_octets_and_lengths_go_in_and_out(livezone):
    whole = livezone()
    names = odd_names()
    whole.api.batch(
        [
            {"put": {"name": name.to_text(), "type": "A", "ttl": 5, "records": [f"10.0.0.{n}"]}}
            for n, name in enumerate(names)
        ]
    )
    check_names(whole, names)
    for form in ("text/dns", "application/json"):
        headers = {"Accept": form}
        exported = whole.api.request("GET", "/v1/zones/live.test", headers=headers)
        empty = whole.api.request("PUT", "/v1/zones/live.test", {"rrsets": []})
        assert empty.status == 200, empty
        assert rcode_of(whole.query(names[0])) == "NXDOMAIN"
        body = exported.text if form == "text/dns" else {"rrsets": exported.json["rrsets"]}
        reply = whole.api.request("PUT", "/v1/zones/live.test", body, {"Content-Type": form})
        assert reply.status == 200, reply
        check_names(whole, names)


def test_names_with_127_labels_are_answered(livezone):
    """The most that 255 octets have room for, in a zone of one letter."""
    whole = livezone(zones=["t"])
    deep = dns.name.Name([b"%d" % (n % 10) for n in range(126)] + [b"t", b""])
    assert len(deep.to_wire()) == 255 and len(deep.labels) == 128
    whole.api.put(deep.to_text(), "A", "10.0.0.1")
    assert whole.answers(deep) == ["10.0.0.1"]
    assert rcode_of(whole.query(deep.parent())) == "NOERROR"  # RFC 4592 section 2.2.2
    for text in (deep.to_text(), deep.to_text()[:-1]):
        got = whole.api.get(f"/v1/rrsets/{text}/A").json
        assert got["records"] == ["10.0.0.1"]


def test_names_beyond_the_limits_are_refused(livezone):
    whole = livezone()
    for text in ("x" * 64 + ".live.test.", "x." * 130 + "live.test.", "a..live.test."):
        change = {"put": {"name": text, "type": "A", "ttl": 5, "records": ["10.0.0.1"]}}
        reply = whole.api.request("POST", "/v1/batch", {"changes": [change]})
        assert 400 <= reply.status < 500, (text, reply)
        assert reply.json["path"] == "changes[0].name"
