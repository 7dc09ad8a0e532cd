# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""What the module's answers look like to a client, in every place of the module chain."""

import threading

import pytest

from support.resolver import flags_of, rcode_of, soa_of
from support.wait import wait_until

CHAINS = ["dynlib iterator", "dynlib validator iterator", "validator dynlib iterator"]
CD = 0x0110  # with RD

# A key that nothing is signed with: every answer at and below the name is bogus.
BOGUS = '    trust-anchor: "bogus.example. DS 1 8 2 ' + "00" * 32 + '"'


def chain(modules):
    """Behind the operator's fragment, where the last module-config wins."""
    return f'\nserver:\n    module-config: "{modules}"\n'


def zone(name, **policies):
    return {"name": name, **{key.replace("_", "-"): value for key, value in policies.items()}}


@pytest.mark.parametrize("modules", CHAINS)
def test_positive_and_negative_answers_are_an_authoritys(livezone, modules):
    whole = livezone(extra=chain(modules))
    whole.api.put("name.live.test", "A", "10.0.0.1", ttl=7)
    for tcp in (False, True):
        reply = whole.query("NaMe.live.TEST", tcp=tcp)
        assert rcode_of(reply) == "NOERROR"
        assert {"AA", "RA"} <= flags_of(reply) and "AD" not in flags_of(reply)
        assert reply.answer[0].to_text() == "NaMe.live.TEST. 7 IN A 10.0.0.1"
        for name, rdtype, rcode in (
            ("name.live.test", "AAAA", "NOERROR"),
            ("absent.live.test", "A", "NXDOMAIN"),
            ("absent.live.test", "DS", "NXDOMAIN"),
        ):
            reply = whole.query(name, rdtype, tcp=tcp, dnssec=True)
            assert rcode_of(reply) == rcode and not reply.answer
            assert "AA" in flags_of(reply) and soa_of(reply).name.to_text() == "live.test."


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_any_number_of_threads_answers(livezone, threads):
    whole = livezone(threads=threads)
    for number in range(1, 6):
        whole.api.put("name.live.test", "A", f"10.0.0.{number}")
        for _ in range(threads * 4):
            assert whole.answers("name.live.test") == [f"10.0.0.{number}"]


def test_a_query_without_rd_is_answered(livezone):
    whole = livezone()
    whole.api.put("name.live.test", "A", "10.0.0.1")
    reply = whole.query("name.live.test", flags=0)
    assert rcode_of(reply) == "NOERROR" and "AA" in flags_of(reply)


def test_what_a_missing_name_gets_is_the_zones_policy(livezone, upstream):
    upstream.add("public.open.test. 300 IN A 192.0.2.1")
    whole = livezone(
        zones=[zone("open.test", on_miss="recurse"), zone("shut.test", on_miss="refuse"), "live.test"],
        upstream=upstream.port,
    )
    assert whole.answers("public.open.test") == ["192.0.2.1"]
    assert "AA" not in flags_of(whole.query("public.open.test"))
    assert rcode_of(whole.query("absent.shut.test")) == "REFUSED"
    assert rcode_of(whole.query("absent.live.test")) == "NXDOMAIN"
    # a chain that ends in a zone whose missing names are the upstream's
    whole.api.put("alias.live.test", "CNAME", "public.open.test.")
    assert whole.answers("alias.live.test") == ["192.0.2.1"]


def test_without_a_store_the_zones_policy_decides(livezone, livezoned, upstream):
    upstream.add("name.open.test. 300 IN A 192.0.2.1")
    daemon = livezoned(
        zones=["live.test", zone("open.test", on_miss="recurse", on_failure="recurse")], start=False
    )
    whole = livezone(daemon=daemon, wait=False, upstream=upstream.port, server="    ede: yes")
    reply = whole.query("name.live.test")
    assert rcode_of(reply) == "SERVFAIL" and "AA" not in flags_of(reply)
    assert whole.answers("name.open.test") == ["192.0.2.1"]
    daemon.start()
    whole.wait_live()
    assert rcode_of(whole.query("name.live.test")) == "NXDOMAIN"


@pytest.mark.parametrize("modules", CHAINS[1:])
def test_a_chain_to_bogus_data_is_withheld_unless_the_client_checks(livezone, upstream, modules):
    upstream.add("bogus.example. 300 IN A 192.0.2.66")
    whole = livezone(upstream=upstream.port, server=BOGUS, extra=chain(modules))
    whole.api.put("alias.live.test", "CNAME", "bogus.example.")
    assert rcode_of(whole.query("alias.live.test", timeout=20)) == "SERVFAIL"
    assert whole.answers("alias.live.test", flags=CD, timeout=20) == ["192.0.2.66"]


def _ask_in_background(whole, name, got):
    thread = threading.Thread(
        target=lambda: got.append(whole.answers(name, timeout=30)), daemon=True
    )
    thread.start()
    return thread


@pytest.mark.parametrize(
    "policy, before, after, fresh",
    [
        ("nxdomain", ("CNAME", "slow.example."), ("CNAME", "fast.example."), ["192.0.2.2"]),
        ("nxdomain", ("CNAME", "slow.example."), ("A", "10.0.0.9"), ["10.0.0.9"]),
        ("recurse", None, ("A", "10.0.0.9"), ["10.0.0.9"]),
    ],
)
def test_a_query_that_joins_a_waiting_one_is_not_told_the_past(
    livezone, upstream, policy, before, after, fresh
):
    """Unbound lets the second client wait for the first one's answer."""
    name = "name.live.test"
    slow = "slow.example" if before else name
    upstream.add("fast.example. 300 IN A 192.0.2.2")
    upstream.silence(slow)
    whole = livezone(zones=[zone("live.test", on_miss=policy)], upstream=upstream.port, threads=1)
    if before:
        whole.api.put(name, *before)
    first, second = [], []
    threads = [_ask_in_background(whole, name, first)]
    wait_until(lambda: upstream.asked_for(slow) > 0, 20, "the first query waits")
    if before and before[0] != after[0]:
        whole.api.delete(name, before[0])
    whole.api.put(name, *after)
    asked = whole.unbound.stats()["total.num.queries"]
    threads.append(_ask_in_background(whole, name, second))
    wait_until(
        lambda: whole.unbound.stats()["total.num.queries"] > asked, 20, "the second query is there"
    )
    assert not second  # so it has joined the first one
    upstream.forget(slow)
    upstream.add(f"{slow}. 300 IN A 192.0.2.1")
    for thread in threads:
        thread.join(30)
    assert second == [fresh]


def test_what_a_public_cname_leads_to_does_not_hide_a_live_name(livezone, upstream):
    """With on-miss: recurse there is no forwarding to this server: the iterator follows the
    CNAME by itself and stores what the public says of the target."""
    upstream.add("into.example. 300 IN CNAME name.live.test.", "name.live.test. 300 IN A 192.0.2.1")
    whole = livezone(zones=[zone("live.test", on_miss="recurse")], upstream=upstream.port)
    for rdtype in ("A", "AAAA"):
        whole.query("into.example", rdtype)
        whole.query("into.example", rdtype, flags=CD)
    whole.api.put("name.live.test", "A", "10.0.0.1")
    whole.api.put("name.live.test", "AAAA", "2001:db8::1")
    assert whole.answers("name.live.test") == ["10.0.0.1"]
    for flags in (0x0100, CD):
        assert whole.answers("name.live.test", "AAAA", flags=flags) == ["2001:db8::1"]


def test_any_gets_one_rrset_or_all_as_the_zone_says(livezone):
    whole = livezone(zones=["live.test", zone("full.test", any="full")])
    for name in ("name.live.test", "name.full.test"):
        whole.api.put(name, "A", "10.0.0.1")
        whole.api.put(name, "TXT", '"text"')
        whole.api.put("alias." + name, "CNAME", name + ".")
    assert len(whole.query("name.live.test", "ANY", tcp=True).answer) == 1
    for tcp in (False, True):
        reply = whole.query("name.full.test", "ANY", tcp=tcp)
        assert {rrset.to_text() for rrset in reply.answer} == {
            "name.full.test. 5 IN A 10.0.0.1",
            'name.full.test. 5 IN TXT "text"',
        }
        reply = whole.query("alias.name.full.test", "ANY", tcp=tcp)
        assert [rrset.to_text() for rrset in reply.answer] == [
            "alias.name.full.test. 5 IN CNAME name.full.test."
        ]


@pytest.mark.parametrize("minimal", ["yes", "no"])
def test_addresses_of_targets_come_along_where_responses_are_not_minimal(livezone, minimal):
    whole = livezone(server=f"    minimal-responses: {minimal}\n")
    whole.api.put("_http._tcp.live.test", "SRV", "0 0 80 web.live.test.")
    whole.api.put("live.test", "MX", "10 web.live.test.")
    whole.api.put("live.test", "NS", "web.live.test.")
    whole.api.put("web.live.test", "A", "10.0.0.1")
    whole.api.put("web.live.test", "AAAA", "fd00::1")
    for name, rdtype in (("_http._tcp.live.test", "SRV"), ("live.test", "MX"), ("live.test", "NS")):
        additional = whole.query(name, rdtype).additional
        wanted = minimal == "no" or rdtype == "NS"
        assert sorted(str(rrset[0]) for rrset in additional) == (
            ["10.0.0.1", "fd00::1"] if wanted else []
        ), (name, rdtype)
