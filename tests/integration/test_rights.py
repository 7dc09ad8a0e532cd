# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""What a token may do: each request of the API, in its zones and outside, with and without the verb.

The tokens differ in one thing each, so that a rule that is missing shows as a row that fails."""

import json
import threading

import pytest

from integration.test_access import write_tokens

_ALL = ["read", "write", "redirect", "admin"]
_BOTH = ["one.test", "two.test"]

_TOKENS = [
    {"id": "all", "zones": _BOTH, "verbs": _ALL, "sources": ["*"]},
    # everything, but in one zone
    {"id": "one", "zones": ["one.test"], "verbs": _ALL, "sources": ["*"]},
    {"id": "reader", "zones": _BOTH, "verbs": ["read"]},
    {"id": "writer", "zones": _BOTH, "verbs": ["write"], "sources": ["*"]},
    # may redirect nothing
    {"id": "plain", "zones": _BOTH, "verbs": ["read", "write", "admin"], "sources": ["*"]},
    # its own source only, by default
    {"id": "own", "zones": _BOTH, "verbs": _ALL},
]
_IDS = [token["id"] for token in _TOKENS]
_TOKENS += [
    {"id": "k8s", "zones": _BOTH, "verbs": ["write"], "sources": ["single", "x"]},
    {"id": "narrow", "zones": ["one.test"], "verbs": ["write"], "sources": ["shared"]},
]

_A = {"records": ["10.0.0.9"]}


def _rrset(name, rdtype="A", records=("10.0.0.1",), **more):
    return {"name": name, "type": rdtype, "records": list(records), **more}


# What is there: "both" has RRsets in two zones, "single" in one, "lame" cannot be touched without
# the verb redirect.
_STORED = [
    _rrset("a.one.test", source="both", lease="1h"),
    _rrset("a.two.test", source="both", lease="1h"),
    _rrset("b.one.test", source="single", lease="1h"),
    _rrset("b.two.test", source="far", lease="1h"),
    _rrset("c.one.test", "CNAME", ["a.one.test."], source="lame", lease="1h"),
]

# (what, method, path, body, who may); everybody else gets 403. The body None: there is none.
_ROWS = [
    ("read", "GET", "/v1/rrsets/a.one.test/A", None, "all one reader plain own"),
    ("read elsewhere", "GET", "/v1/rrsets/a.two.test/A", None, "all reader plain own"),
    ("find", "GET", "/v1/rrsets?name=a.one.test", None, "all one reader plain own"),
    ("find elsewhere", "GET", "/v1/rrsets?name=a.two.test", None, "all reader plain own"),
    ("zone", "GET", "/v1/zones/one.test", None, "all one reader plain own"),
    ("zone elsewhere", "GET", "/v1/zones/two.test", None, "all reader plain own"),
    ("sources", "GET", "/v1/sources", None, "all reader plain own"),
    ("source", "GET", "/v1/sources/single", None, "all one reader plain own"),
    ("source elsewhere", "GET", "/v1/sources/far", None, "all reader plain own"),
    ("source in two zones", "GET", "/v1/sources/both", None, "all reader plain own"),
    ("explain", "GET", "/v1/explain?name=a.one.test&type=A", None, "all one reader plain own"),
    ("explain elsewhere", "GET", "/v1/explain?name=a.two.test&type=A", None, "all reader plain own"),
    ("changes", "GET", "/v1/changes?since=0", None, "all one reader plain own"),
    ("status", "GET", "/v1/status", None, "all one reader plain own"),
    ("zones", "GET", "/v1/zones", None, "all one reader plain own"),
    ("backup", "GET", "/v1/backup", None, "all plain own"),
    ("put", "PUT", "/v1/rrsets/n.one.test/A", _A, "all one writer plain own"),
    ("put elsewhere", "PUT", "/v1/rrsets/n.two.test/A", _A, "all writer plain own"),
    ("put as another", "PUT", "/v1/rrsets/n.one.test/A", {**_A, "source": "both"}, "all one writer plain"),
    ("put a CNAME", "PUT", "/v1/rrsets/n.one.test/CNAME", {"records": ["a.one.test."]}, "all one own"),
    ("put a wildcard", "PUT", "/v1/rrsets/*.one.test/A", _A, "all one own"),
    ("delete", "DELETE", "/v1/rrsets/b.one.test/A", None, "all one writer plain own"),
    ("delete elsewhere", "DELETE", "/v1/rrsets/b.two.test/A", None, "all writer plain own"),
    ("delete a CNAME", "DELETE", "/v1/rrsets/c.one.test/CNAME", None, "all one own"),
    (
        "batch in two zones",
        "POST",
        "/v1/batch",
        {"changes": [{"put": _rrset("n.one.test")}, {"put": _rrset("n.two.test")}]},
        "all writer plain own",
    ),
    (
        "batch that deletes elsewhere",
        "POST",
        "/v1/batch",
        {"changes": [{"put": _rrset("n.one.test")}, {"delete": {"name": "b.two.test", "type": "A"}}]},
        "all writer plain own",
    ),
    ("replace a zone", "PUT", "/v1/zones/two.test", {"rrsets": [_rrset("n.two.test")]}, "all writer plain own"),
    # what it does not name goes, and one of these is a CNAME
    ("replace redirects", "PUT", "/v1/zones/one.test", {"rrsets": [_rrset("n.one.test")]}, "all one own"),
    (
        "replace a zone by redirects",
        "PUT",
        "/v1/zones/two.test",
        {"rrsets": [_rrset("*.two.test")]},
        "all own",
    ),
    ("own source", "PUT", "/v1/sources/single", {"rrsets": [_rrset("n.one.test")]}, "all one writer plain"),
    # RRsets that go lie in a zone, too
    ("source that leaves a zone", "PUT", "/v1/sources/both", {"rrsets": [_rrset("a.one.test")]}, "all writer plain"),
    ("source that enters a zone", "PUT", "/v1/sources/single", {"rrsets": [_rrset("n.two.test")]}, "all writer plain"),
    ("source that loses redirects", "PUT", "/v1/sources/lame", {"rrsets": []}, "all one"),
    ("dry run", "PUT", "/v1/sources/both?dry-run=true", {"rrsets": []}, "all writer plain"),
    ("heartbeat", "POST", "/v1/sources/single/heartbeat", None, "all one writer plain"),
    ("heartbeat in two zones", "POST", "/v1/sources/both/heartbeat", None, "all writer plain"),
    ("heartbeat elsewhere", "POST", "/v1/sources/far/heartbeat", None, "all writer plain"),
    ("restore", "PUT", "/v1/restore", "backup", "all plain own"),
    ("alarm", "DELETE", "/v1/alarms/none", None, "all plain own"),
]


def _refill(api):
    for zone in _BOTH:
        assert api.request("PUT", f"/v1/zones/{zone}", {"rrsets": []}).status == 200
    api.batch([{"put": rrset} for rrset in _STORED])


def _export(api):
    """Name, type, records and source of all that is stored."""
    lines = [json.loads(line) for line in api.get("/v1/backup").text.splitlines()]
    return [
        (line["name"], line["type"], tuple(line["records"]), line["source"])
        for line in lines
        if "records" in line
    ]


@pytest.fixture
def guarded(livezoned, tmp_path):
    """The secret of each token is its id."""
    tokens = tmp_path / "tokens.yaml"
    write_tokens(tokens, _TOKENS)
    return livezoned(zones=_BOTH, tcp=True, api={"tokens": str(tokens)})


@pytest.mark.parametrize("token", _IDS)
def test_a_token_may_what_its_row_says_and_no_more(guarded, token):
    caller, root = guarded.api_over_tcp(token), guarded.api
    wrong = []
    for what, method, path, body, who in _ROWS:
        _refill(root)
        before = _export(root)
        assert len(before) == len(_STORED)
        if body == "backup":
            reply = caller.request(
                method, path, root.get("/v1/backup").body, {"Content-Type": "application/x-ndjson"}
            )
        else:
            reply = caller.request(method, path, body)
        may = token in who.split()
        if may and reply.status not in (200, 202, 404) or not may and reply.status != 403:
            wrong.append(f"{what}: {reply!r}")
        if not may and _export(root) != before:
            wrong.append(f"{what}: refused, but something was written")
    assert not wrong, "\n".join(wrong)


def test_lists_and_feeds_show_a_token_its_own_zones_only(guarded):
    _refill(guarded.api)
    one = guarded.api_over_tcp("one")
    assert [zone["name"] for zone in one.get("/v1/zones").json["zones"]] == ["one.test."]
    changes = one.get("/v1/changes?since=0").json["changes"]
    names = {item["name"] for change in changes for item in change["changes"]}
    assert names == {"a.one.test.", "b.one.test.", "c.one.test."}
    every = guarded.api_over_tcp("reader")
    assert [zone["name"] for zone in every.get("/v1/zones").json["zones"]] == ["one.test.", "two.test."]
    changes = every.get("/v1/changes?since=0").json["changes"]
    names = {item["name"] for change in changes for item in change["changes"]}
    assert names == {rrset["name"] + "." for rrset in _STORED}


def test_a_write_without_a_source_is_that_of_the_token(guarded):
    for token, source in (("own", "own"), ("all", "api")):
        caller = guarded.api_over_tcp(token)
        caller.put("n.one.test", "A", "10.0.0.1")
        assert caller.get("/v1/rrsets/n.one.test/A").json["source"] == source
        text = {"Content-Type": "text/plain"}
        assert caller.request("PUT", "/v1/rrsets/t.one.test/A", "10.0.0.2\n", text).status == 200
        assert caller.get("/v1/rrsets/t.one.test/A").json["source"] == source


def test_tokens_name_the_sources_that_they_may_write_as(guarded):
    _refill(guarded.api)
    caller = guarded.api_over_tcp("k8s")
    assert caller.request("POST", "/v1/sources/single/heartbeat").status == 200
    assert caller.request("PUT", "/v1/sources/x", {"rrsets": [_rrset("n.two.test")]}).status == 200
    reply = caller.request("PUT", "/v1/sources/k8s", {"rrsets": []})
    assert reply.status == 403
    assert 'may not write as source "k8s"' in reply.json["detail"]
    assert caller.request("PUT", "/v1/rrsets/n.one.test/A", {**_A, "source": "far"}).status == 403


def test_a_source_that_gets_rrsets_elsewhere_meanwhile_is_not_replaced(guarded):
    """The right is looked at in the transaction that writes, not before."""
    ends, seen = threading.Event(), set()

    def replace(number):
        caller = guarded.api_over_tcp("narrow")
        desired = {"rrsets": [_rrset(f"x{number}.one.test", records=[f"10.0.0.{number}"])]}
        while not ends.is_set():
            seen.add(caller.request("PUT", "/v1/sources/shared", desired, force="true").status)
        caller.close()

    threads = [threading.Thread(target=replace, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    try:
        for i in range(300):
            name = f"h{i}.two.test"
            guarded.api.put(name, "A", "10.0.0.1", source="shared")
            for _ in range(2):
                assert guarded.api.request("GET", f"/v1/rrsets/{name}/A").status == 200
            guarded.api.delete(name, "A")
    finally:
        ends.set()
        for thread in threads:
            thread.join()
    assert seen == {200, 403}


def test_a_write_may_insist_on_the_source_of_what_stands(guarded):
    _refill(guarded.api)
    api, before = guarded.api, _export(guarded.api)
    path, only = "/v1/rrsets/a.one.test/A", {"only_if_source": "mine"}
    changes = {"changes": [{"put": _rrset("n.one.test")}, {"delete": {"name": "a.one.test", "type": "A"}}]}
    for reply in (
        api.request("PUT", path, _A, **only),
        api.request("DELETE", path, **only),
        api.request("POST", "/v1/batch", changes, **only),
    ):
        assert reply.status == 409
        assert (reply.json["type"], reply.json["owner"]) == ("urn:livezone:owned", "both")
    assert _export(api) == before
    assert api.request("PUT", path, _A, only_if_source="no source").status == 422
    only = {"only_if_source": "both"}
    assert api.request("PUT", path, {**_A, "source": "both"}, **only).status == 200
    assert api.request("PUT", "/v1/rrsets/new.one.test/A", _A, **only).status == 200  # nothing stood
    assert api.request("POST", "/v1/batch", changes, **only).status == 200
