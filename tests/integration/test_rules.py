# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Records made from the form of a name, through a real Unbound: both ways of ip-in-name,
what the store has goes first, and rules change at a reload."""

import os
import signal

import pytest

from support import explained
from support.resolver import flags_of, rcode_of, soa_of
from support.wait import wait_until

FORWARD = {
    "name": "node.test",
    "rules": [
        {
            "match": r"ip-(?<a>\d+)-(?<b>\d+)-(?<c>\d+)-(?<d>\d+)\.node\.test\.",
            "type": "A",
            "rdata": "${a}.${b}.${c}.${d}",
            "ttl": 60,
        },
        {
            "match": r"ip6-(?<a>[0-9a-f-]+)\.node\.test\.",
            "type": "AAAA",
            "rdata": "${a|colons}",
        },
        {
            "match": r"(?<host>[^.]+)\.alias\.node\.test\.",
            "type": "CNAME",
            "rdata": "${host}.node.test.",
        },
    ],
}
REVERSE = {
    "name": "10.in-addr.arpa",
    "rules": [
        {
            "match": r"(?<d>\d+)\.(?<c>\d+)\.(?<b>\d+)\.10\.in-addr\.arpa\.",
            "type": "PTR",
            "rdata": "ip-10-${b}-${c}-${d}.node.test.",
        }
    ],
}
REVERSE6 = {
    "name": "8.b.d.0.1.0.0.2.ip6.arpa",
    "rules": [
        {
            "match": r"(?<all>([0-9a-f]\.){32})ip6\.arpa\.",
            "type": "PTR",
            "rdata": "ip6-${all|nibbles}.node.test.",
        }
    ],
}
NIBBLES = "1.0.0.0." + "0.0.0.0." * 5 + "8.b.d.0.1.0.0.2.ip6.arpa"


def test_addresses_in_names_both_ways(livezone):
    whole = livezone(zones=[FORWARD, REVERSE, REVERSE6])
    for tcp in (False, True):
        reply = whole.query("IP-10-1-2-3.node.test", tcp=tcp)
        assert reply.answer[0].to_text() == "IP-10-1-2-3.node.test. 60 IN A 10.1.2.3"
        assert "AA" in flags_of(reply)
    assert whole.answers("3.2.1.10.in-addr.arpa", "PTR") == ["ip-10-1-2-3.node.test."]
    assert whole.answers("ip6-2001-db8--1.node.test", "AAAA") == ["2001:db8::1"]
    name = whole.answers(NIBBLES, "PTR")
    assert name == ["ip6-2001-0db8-0000-0000-0000-0000-0000-0001.node.test."]
    assert whole.answers(name[0], "AAAA") == ["2001:db8::1"]
    reply = whole.query("ip-10-1-2-3.alias.node.test")
    assert [rrset.to_text() for rrset in reply.answer] == [
        "ip-10-1-2-3.alias.node.test. 5 IN CNAME ip-10-1-2-3.node.test.",
        "ip-10-1-2-3.node.test. 60 IN A 10.1.2.3",
    ]


def test_what_does_not_match_is_left_to_the_ordinary_rules(livezone, upstream):
    upstream.add("ip-1-2-3-999.open.test. 300 IN A 192.0.2.1")
    open_zone = {
        "name": "open.test",
        "on-miss": "recurse",
        "rules": [{**FORWARD["rules"][0], "match": r"ip-(?<a>\d+)-(?<b>\d+)-(?<c>\d+)-(?<d>\d+)\..*"}],
    }
    whole = livezone(zones=[FORWARD, open_zone], upstream=upstream.port)
    for name in ("ip-999-0-0-1.node.test", "ip-1-2-3.node.test", "x.ip-1-2-3-4.node.test"):
        reply = whole.query(name)
        assert rcode_of(reply) == "NXDOMAIN" and soa_of(reply).name.to_text() == "node.test."
    reply = whole.query("ip-1-2-3-4.node.test", "TXT")
    assert rcode_of(reply) == "NOERROR" and not reply.answer and soa_of(reply)
    assert whole.answers("ip-1-2-3-4.open.test") == ["1.2.3.4"]
    assert whole.answers("ip-1-2-3-999.open.test") == ["192.0.2.1"]


def test_stored_names_go_first_and_wildcards_last(livezone):
    whole = livezone(zones=[FORWARD])
    whole.api.put("*.node.test", "A", "10.0.0.99")
    assert whole.answers("ip-10-1-2-3.node.test") == ["10.1.2.3"]
    assert whole.answers("other.node.test") == ["10.0.0.99"]
    whole.api.put("ip-10-1-2-3.node.test", "TXT", '"mine"')
    reply = whole.query("ip-10-1-2-3.node.test")
    assert rcode_of(reply) == "NOERROR" and not reply.answer
    whole.api.delete("ip-10-1-2-3.node.test", "TXT")
    assert whole.answers("ip-10-1-2-3.node.test") == ["10.1.2.3"]


def test_explain_tells_what_dns_answers(livezone):
    whole = livezone(zones=[FORWARD, REVERSE, REVERSE6])
    whole.api.put("*.node.test", "A", "10.0.0.99")
    for name, rdtype, rule in (
        ("ip-10-1-2-3.node.test", "A", True),
        ("ip-10-1-2-3.node.test", "TXT", True),
        ("ip-10-1-2-3.alias.node.test", "A", True),
        ("ip-10-1-2-999.node.test", "A", False),
        ("3.2.1.10.in-addr.arpa", "PTR", True),
        (NIBBLES, "PTR", True),
        ("999.2.1.10.in-addr.arpa", "PTR", True),
        ("2.1.10.in-addr.arpa", "PTR", False),
    ):
        told = explained.message(whole.api, name, rdtype)
        assert explained.facts(told) == explained.facts(whole.query(name, rdtype)), name
        steps = whole.api.get("/v1/explain", name=name, type=rdtype).json["steps"]
        assert ("rule" in [step["event"] for step in steps]) == rule, name


def test_rules_change_at_a_reload_and_bad_ones_do_not(livezone):
    whole = livezone(zones=[FORWARD])
    rules = whole.daemon.config["zones"][0]["rules"]
    assert whole.api.get("/v1/zones/node.test").json["policy"]["rules"] == 3
    whole.daemon.config["zones"][0]["rules"] = [{**rules[0], "rdata": "192.0.2.${d}"}]
    whole.daemon.write_config()
    os.kill(whole.daemon.process.pid, signal.SIGHUP)
    wait_until(
        lambda: whole.api.get("/v1/zones/node.test").json["policy"]["rules"] == 1, 10, "SIGHUP is done"
    )
    whole.unbound.control("reload")
    whole.wait_live()
    assert whole.answers("ip-10-1-2-3.node.test") == ["192.0.2.3"]
    whole.daemon.config["zones"][0]["rules"] = [{**rules[0], "rdata": "192.0.2.${e}"}]
    whole.daemon.write_config()
    check = whole.daemon.ctl("check-config", check=False)
    assert check.returncode != 0 and "zones[0].rules[0].rdata" in check.stderr
    whole.unbound.control("reload")
    wait_until(lambda: "rules[0].rdata" in whole.unbound.process.output(), 10, "the module says why")
    assert whole.answers("ip-10-1-2-3.node.test") == ["192.0.2.3"]


@pytest.mark.parametrize("threads", [1, 4])
def test_a_pattern_cannot_be_driven_to_work_without_end(livezone, threads):
    evil = {"match": r"((a+)+)+b\..*", "type": "A", "rdata": "10.0.0.1"}
    whole = livezone(zones=[{"name": "live.test", "rules": [evil] * 64}], threads=threads)
    for _ in range(20):
        assert rcode_of(whole.query("a" * 63 + ".live.test")) == "NXDOMAIN"
    assert whole.answers("aab.live.test") == ["10.0.0.1"]
