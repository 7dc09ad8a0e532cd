# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Every RR type goes in by each way, over DNS, and out again, byte for byte: presentation
format (RFC 1035 section 5.1 and the RFC of each type), and RFC 3597 for the rest."""

import dns.name
import pytest

from support.rdata import SAMPLES, UNKNOWN, generic_of, type_number, types_of_ldns, wire_of

_ALL = SAMPLES + UNKNOWN
_NEVER_STORED = {"OPT", "TSIG", "TKEY"}  # RFC 6895 section 3.1: in messages only
_AT_APEX_ONLY = {"SOA"}


def owner(number, zone="live.test"):
    return f"s{number}.{zone}."


def put(number, text, zone="live.test"):
    return {"put": {"name": owner(number, zone), "type": _ALL[number][0], "ttl": 60, "records": [text]}}


def read_over_dns(whole, number, zone="live.test"):
    """The bytes of the one record that DNS has for a sample."""
    wanted = type_number(_ALL[number][0])
    reply = whole.query(owner(number, zone), wanted, tcp=True)
    # NS below the apex is a referral
    section = reply.answer or reply.authority
    found = [rdata for rrset in section if rrset.rdtype == wanted for rdata in rrset]
    assert len(found) == 1, (_ALL[number], reply.to_text())
    return found[0].to_wire(origin=dns.name.root)


def differences(whole, zone="live.test"):
    faults = []
    for number, sample in enumerate(_ALL):
        got = read_over_dns(whole, number, zone)
        if got != wire_of(sample):
            faults.append(f"{sample[0]} {sample[1]}: {got.hex()}, not {wire_of(sample).hex()}")
    return faults


def test_every_type_of_libldns_has_a_sample():
    missing = set(types_of_ldns()) - {sample[0] for sample in SAMPLES}
    assert missing == _NEVER_STORED | _AT_APEX_ONLY


def test_every_type_comes_out_of_dns_as_it_was_written(livezone):
    whole = livezone()
    whole.api.batch([put(number, sample[1]) for number, sample in enumerate(_ALL)])
    assert differences(whole) == []


def test_every_type_may_be_written_in_the_form_of_rfc_3597(livezone):
    whole = livezone()
    whole.api.batch([put(number, generic_of(wire_of(sample))) for number, sample in enumerate(_ALL)])
    assert differences(whole) == []


def test_what_a_get_returns_can_be_written_again(livezone):
    whole = livezone(zones=["live.test", "copy.test"])
    whole.api.batch([put(number, sample[1]) for number, sample in enumerate(_ALL)])
    changes = []
    for number, sample in enumerate(_ALL):
        got = whole.api.get(f"/v1/rrsets/{owner(number)}/{sample[0]}").json
        assert got["type"] == sample[0] and got["name"] == owner(number)
        changes.append(put(number, got["records"][0], "copy.test"))
    whole.api.batch(changes)
    assert differences(whole, "copy.test") == []


@pytest.mark.parametrize("form", ["text/dns", "application/json"])
def test_an_exported_zone_is_imported_as_it_was(livezone, form):
    whole = livezone()
    whole.api.batch([put(number, sample[1]) for number, sample in enumerate(_ALL)])
    accept, content = {"Accept": form}, {"Content-Type": form}
    exported = whole.api.request("GET", "/v1/zones/live.test", headers=accept)
    assert exported.status == 200
    for number, sample in enumerate(_ALL):
        whole.api.delete(owner(number), sample[0])
    assert not whole.query(owner(0), _ALL[0][0]).answer
    body = exported.text
    if form == "application/json":
        body = {"rrsets": exported.json["rrsets"]}
    reply = whole.api.request("PUT", "/v1/zones/live.test", body, content)
    assert reply.status == 200, reply
    assert differences(whole) == []
    again = whole.api.request("GET", "/v1/zones/live.test", headers=accept)
    if form == "text/dns":
        assert [line for line in again.text.splitlines() if "SOA" not in line] == [
            line for line in exported.text.splitlines() if "SOA" not in line
        ]  # the serial has moved on


def test_types_of_messages_cannot_be_stored(livezone):
    """RFC 6895 section 3.1: OPT, and 128 to 255."""
    whole = livezone()
    for rdtype in ("OPT", "TKEY", "TSIG", "ANY", "AXFR", "IXFR", "TYPE0", "TYPE41", "TYPE128", "TYPE255"):
        path = f"/v1/rrsets/name.live.test/{rdtype}"
        reply = whole.api.request("PUT", path, {"records": ["\\# 0"], "ttl": 5})
        assert 400 <= reply.status < 500, (rdtype, reply)
