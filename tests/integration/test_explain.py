# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""GET /v1/explain and livezonectl explain: the look-up step by step, and an answer that is
DNS's own."""

import hashlib
import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import dns.flags
import pytest

from support import explained
from support.wait import wait_until

ZONES = [
    {"name": "live.test", "negative-ttl": 11},
    {"name": "open.test", "on-miss": "recurse"},
    {"name": "away.test", "delegation": "recurse"},
    {"name": "closed.test", "on-miss": "refuse"},
    {
        "name": "node.test",
        "rules": [{"match": r"ip-(?<d>\d+)\.node\.test\.", "type": "A", "rdata": "10.0.0.${d}"}],
    },
]
RRSETS = [
    ("www.live.test", "A", ["10.0.0.1", "10.0.0.2"]),
    ("alias.live.test", "CNAME", ["x.open.test."]),
    ("x.open.test", "A", ["10.0.0.3"]),
    ("out.live.test", "CNAME", ["www.example.com."]),
    ("*.wild.live.test", "A", ["10.0.0.4"]),
    ("deep.ent.live.test", "TXT", ['"a b"']),
    ("sub.live.test", "NS", ["ns.sub.live.test."]),
    ("ns.sub.live.test", "A", ["10.0.0.5"]),
    ("old.live.test", "DNAME", ["open.test."]),
    ("sub.away.test", "NS", ["ns.sub.away.test."]),
    ("ping.live.test", "CNAME", ["pong.live.test."]),
    ("pong.live.test", "CNAME", ["ping.live.test."]),
]

# name, type, stage, outcome, the events in order
ROWS = [
    ("WWW.live.test", "A", "live", "found", "zone node rrset"),
    ("www.live.test", "AAAA", "live", "nodata", "zone node no-rrset soa"),
    ("no.live.test", "A", "live", "nxdomain", "zone absent encloser no-wildcard missing soa"),
    ("ent.live.test", "A", "live", "nodata", "zone empty soa"),
    ("q.wild.live.test", "A", "live", "found", "zone absent encloser wildcard rrset"),
    ("www.live.test", "ANY", "live", "found", "zone node rrset"),
    ("alias.live.test", "A", "live", "found", "zone node cname zone node rrset"),
    ("out.live.test", "A", "live", "elsewhere", "zone node cname outside"),
    ("a.sub.live.test", "A", "live", "referral", "zone node cut"),
    ("x.old.live.test", "A", "live", "found", "zone node dname made cname zone node rrset"),
    ("ping.live.test", "A", "live", "found", "zone node cname zone node cname loop"),
    ("ip-7.node.test", "A", "live", "found", "zone absent rule rrset"),
    ("ip-7.node.test", "MX", "live", "nodata", "zone absent rule no-rrset soa"),
    ("no.open.test", "A", "next", "elsewhere", "zone absent encloser missing"),
    ("x.sub.away.test", "A", "next", "elsewhere", "zone node cut"),
    ("no.closed.test", "A", "live", "refused", "zone absent encloser missing"),
    ("www.example.com", "A", "next", "elsewhere", "no-zone"),
]


def explain(api, name, rdtype):
    return api.get("/v1/explain", name=name, type=rdtype).json


def write(api):
    api.batch([{"put": {"name": n, "type": t, "records": r}} for n, t, r in RRSETS])


@pytest.fixture
def daemon(livezoned):
    daemon = livezoned(zones=ZONES)
    write(daemon.api)
    return daemon


def step(reply, event):
    return next(step for step in reply["steps"] if step["event"] == event)


def test_every_step_is_told(daemon):
    for name, rdtype, stage, outcome, events in ROWS:
        reply = explain(daemon.api, name, rdtype)
        told = " ".join(step["event"] for step in reply["steps"])
        assert (reply["stage"], reply["outcome"], told) == (stage, outcome, events), (name, reply)
        assert reply["name"] == name + "." and reply["type"] == rdtype
        assert ("message" in reply) == (stage == "live")


def test_policies_and_sources_are_told_where_they_mattered(daemon):
    api = daemon.api
    revision = api.put("lease.wild.live.test", "A", "10.0.0.9", source="ci", lease="60s").revision
    reply = explain(api, "lease.wild.live.test", "A")
    found = step(reply, "rrset")
    assert (found["source"], found["revision"]) == ("ci", revision) and reply["revision"] == revision
    assert 0 < float(found["lease-left"].rstrip("s")) <= 60
    synthesised = step(explain(api, "q.wild.live.test", "A"), "rrset")
    assert (synthesised["name"], synthesised["source"]) == ("*.wild.live.test.", "api")
    missing = explain(api, "no.live.test", "A")
    assert step(missing, "missing")["policy"] == {"on-miss": "nxdomain"}
    assert step(missing, "soa")["policy"] == {"negative-ttl": "11"}
    assert step(explain(api, "x.sub.away.test", "A"), "cut")["policy"] == {"delegation": "recurse"}
    assert "no live zone" in explain(api, "www.example.com", "A")["steps"][0]["text"]
    assert explain(api, "out.live.test", "A")["target"] == "www.example.com."


def test_explain_sees_each_write_at_once(daemon):
    for number in range(50):
        revision = daemon.api.put("www.live.test", "A", f"10.0.1.{number}").revision
        reply = explain(daemon.api, "www.live.test", "A")
        assert reply["revision"] == revision
        assert reply["message"]["answer"][0]["records"] == [f"10.0.1.{number}"]


def test_dns_says_the_same(livezone, upstream):
    upstream.empty()
    whole = livezone(zones=ZONES, upstream=upstream.port, threads=1)
    write(whole.api)
    for name, rdtype, stage, _, _ in ROWS:
        if stage == "live":
            said = whole.query(name, rdtype, flags=dns.flags.from_text(""))
            told = explained.message(whole.api, name, rdtype)
            assert explained.facts(told) == explained.facts(said), (str(told), str(said))


def test_questions_that_make_no_sense_are_refused(daemon):
    for query, status, path in (
        ({"name": "www.live.test"}, 400, "?type"),
        ({"type": "A"}, 400, "?name"),
        ({"name": "www..live.test", "type": "A"}, 422, "?name"),
        ({"name": "www.live.test", "type": "NOTYPE"}, 422, "?type"),
        ({"name": "www.live.test", "type": "AXFR"}, 422, "?type"),
        ({"name": "www.live.test", "type": "A", "class": "IN"}, 400, "?class"),
    ):
        reply = daemon.api.request("GET", "/v1/explain", **query)
        assert reply.status == status and reply.json["path"] == path, (query, reply)


def test_a_store_that_cannot_be_read_is_said(daemon):
    parent = os.path.dirname(daemon.serve)
    os.rename(parent, parent + ".away")
    try:
        wait_until(lambda: not daemon.api.is_ready(), 10, "livezoned notices")
        reply = daemon.api.request("GET", "/v1/explain", name="www.live.test", type="A")
        assert reply.status == 503 and reply.json["detail"].startswith("serve: "), reply
        assert reply.headers["Retry-After"]
        assert explain(daemon.api, "www.example.com", "A")["stage"] == "next"
    finally:
        os.rename(parent + ".away", parent)
    wait_until(daemon.api.is_ready, 70, "serve is rebuilt")
    assert explain(daemon.api, "www.live.test", "A")["outcome"] == "found"


def test_a_token_sees_the_books_of_its_zones_only(livezoned, tmp_path):
    tokens = tmp_path / "tokens.yaml"
    row = {"id": "reader", "sha256": hashlib.sha256(b"reader").hexdigest()}
    row |= {"zones": ["live.test"], "verbs": ["read"]}
    tokens.write_text(json.dumps({"tokens": [row]}))
    tokens.chmod(0o600)
    daemon = livezoned(zones=ZONES, tcp=True, api={"tokens": str(tokens)})
    write(daemon.api)
    api = daemon.api_over_tcp("reader")
    first, second = explain(api, "alias.live.test", "A"), explain(daemon.api, "alias.live.test", "A")
    assert first["message"] == second["message"]
    assert "source" in step(first, "cname") and "source" not in step(first, "rrset")
    assert "source" in step(second, "rrset")
    refused = api.request("GET", "/v1/explain", name="x.open.test", type="A")
    assert refused.status == 403
    assert explain(api, "www.example.com", "A")["stage"] == "next"


def test_people_read_steps_and_a_message_like_digs(daemon):
    said = daemon.ctl("explain", "alias.live.test", "A").stdout
    assert said.splitlines()[0].startswith("alias.live.test. A, revision ")
    assert "\n  alias.live.test. is looked for in the live zone live.test.\n" in said
    assert "\n    CNAME of alias.live.test. is followed (source api, revision 1)\n" in said
    assert ";; ->>HEADER<<- opcode: QUERY, status: NOERROR\n" in said
    assert ";; flags: qr aa rd ra; QUERY: 1, ANSWER: 2, AUTHORITY: 0, ADDITIONAL: 0\n" in said
    assert "\nalias.live.test.\t5\tIN\tCNAME\tx.open.test.\n" in said
    assert "status: NXDOMAIN" in daemon.ctl("explain", "no.live.test", "any").stdout
    foreign = daemon.ctl("explain", "www.example.com", "A").stdout
    assert "no live zone: passed on to the next module" in foreign and "HEADER" not in foreign
    shown = json.loads(daemon.ctl("explain", "www.live.test", "A", "--json").stdout)
    assert shown["outcome"] == "found"
    assert daemon.ctl("explain", "www.live.test", "AXFR", check=False).returncode == 2


def test_explain_under_writes_is_never_torn(daemon):
    """Records that carry their number, and revisions, agree in each of many explanations."""
    written = {}  # revision -> number
    ended = threading.Event()

    def write_on():
        for number in range(300):
            text = f'"{number}"'
            written[daemon.api.put("count.live.test", "TXT", text).revision] = text
        ended.set()

    def ask_on():
        seen = []
        while not ended.is_set():
            reply = explain(daemon.api, "count.live.test", "TXT")
            if reply["outcome"] == "found":
                records = reply["message"]["answer"][0]["records"]
                seen.append((step(reply, "rrset")["revision"], records[0], reply["revision"]))
        return seen

    daemon.api.put("count.live.test", "TXT", '"first"')
    with ThreadPoolExecutor(5) as pool:
        asking = [pool.submit(ask_on) for _ in range(4)]
        pool.submit(write_on).result()
        seen = [one for asked in asking for one in asked.result()]
    assert seen
    for revision, text, served in seen:
        assert revision == served, "one writer writes one name"
        assert written.get(revision, '"first"') == text
