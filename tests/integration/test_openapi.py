# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""doc/openapi.yaml is well formed, and livezoned answers as it says."""

import re

import jsonschema
import pytest

from support import openapi

TEXT_DNS = {"Content-Type": "text/dns"}
NDJSON = {"Content-Type": "application/x-ndjson"}


@pytest.fixture(scope="module")
def description():
    return openapi.Description()


def test_every_reference_leads_somewhere():
    document = openapi.load()
    for path, node in openapi.walk(document):
        reference = node.get("$ref")
        if isinstance(reference, str):
            assert reference.startswith("#/"), path
            target = document
            for key in reference[2:].split("/"):
                assert key in target, (path, reference)
                target = target[key]


def test_every_component_is_used():
    document = openapi.load()
    used = {node["$ref"] for _, node in openapi.walk(document) if "$ref" in node}
    for kind in ("headers", "parameters", "responses", "schemas"):
        for name in document["components"][kind]:
            assert f"#/components/{kind}/{name}" in used, name


def test_every_schema_is_a_schema():
    for path, node in openapi.walk(openapi.load()):
        schema = node.get("schema")
        if isinstance(schema, dict):
            jsonschema.Draft202012Validator.check_schema(schema)
    for schema in openapi.load()["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
        for name in schema.get("required", []):
            assert name in schema["properties"], (name, schema)


def test_every_operation_is_whole(description):
    names = [name for name, _, _, _ in description.operations()]
    assert len(names) == len(set(names))
    for name, _, path, operation in description.operations():
        item = description.document["paths"][path]
        parameters = [
            description.resolve(node)
            for node in item.get("parameters", []) + operation.get("parameters", [])
        ]
        declared = {node["name"] for node in parameters if node["in"] == "path"}
        assert declared == set(re.findall(r"{(\w+)}", path)), name
        assert operation["summary"]
        assert "200" in operation["responses"], name
        open_to_all = operation.get("security") == [{}]
        assert open_to_all or operation["x-livezone-verb"] in ("read", "write", "admin"), name


def test_every_example_fits_its_schema(description):
    found = 0
    for path, node in openapi.walk(description.document):
        if "schema" in node and "example" in node:
            found += 1
            try:
                description.validate(node["schema"], node["example"])
            except jsonschema.ValidationError as error:
                pytest.fail(f"{path}: {error.message}")
    assert found > 10


class Conversation:
    """Sends requests of named operations; each reply is held against the document."""

    def __init__(self, description, api):
        self.description, self.api = description, api
        self.seen = set()

    def __call__(self, operation, /, status=200, body=None, headers=None, query=None, **in_path):
        _, method, path, _ = self.description.operation(operation)
        path = path.format(**in_path)
        reply = self.api.request(method, path, body, headers, **(query or {}))
        assert reply.status == status, (operation, reply)
        self.description.check(operation, reply)
        self.seen.add(operation)
        return reply


def test_every_operation_answers_as_described(description, livezoned):
    daemon = livezoned(zones=["live.test", {"name": "other.test", "on-miss": "recurse"}])
    ask = Conversation(description, daemon.api)

    ask("healthz")
    ask("readyz")
    ask("status")
    ask("acknowledgeAlarm", status=404, alarm="state-restored")
    ask("listZones")
    ask("listSources")

    rrset = {"name": "a.live.test", "type": "A"}
    first = ask("putRRset", body={"records": ["10.0.0.1"], "ttl": 5}, **rrset).revision
    ask("getRRset", **rrset)
    leased = {"records": ["10.0.0.2"], "source": "ci", "lease": "30s"}
    reply = ask("putRRset", body=leased, headers={"If-Match": f'"{first}"'}, **rrset)
    assert reply.headers["ETag"] == f'"{reply.revision}"'
    shown = ask("getRRset", **rrset).json
    assert shown["lease"] == "30s" and shown["source"] == "ci" and "lease-left" in shown
    assert ask("putRRset", body=shown, **rrset).status == 200, "what GET gives, PUT takes"
    text = {"Content-Type": "text/plain"}
    plain = {"name": "t.live.test", "type": "TXT"}
    ask("putRRset", body='"one"\n"two"\n', headers=text, query={"ttl": "7"}, **plain)
    assert sorted(ask("getRRset", **plain).json["records"]) == ['"one"', '"two"']
    told = ask("explain", query={"name": "a.live.test", "type": "A"}).json
    assert told["steps"][-1]["source"] == "ci" and "lease-left" in told["steps"][-1]
    ask("explain", query={"name": "none.live.test", "type": "ANY"})
    ask("explain", query={"name": "none.other.test", "type": "A"})
    ask("explain", query={"name": "www.example.com", "type": "A"})
    found = ask("findRRsets", query={"name": "a.live.test", "type": "a"}).json["rrsets"]
    assert [one["name"] for one in found] == ["a.live.test."]
    assert ask("findRRsets", query={"name": "none.live.test"}).json["rrsets"] == []

    changes = [
        {"put": {"name": "b.live.test", "type": "A", "records": ["10.0.0.3"], "if-absent": True}},
        {"put": {"name": "b.other.test", "type": "A", "records": ["10.0.0.3"]}},
        {"delete": {"name": "absent.live.test", "type": "A"}},
    ]
    batch = ask("batch", body={"changes": changes}).revision
    assert ask("changes", query={"since": str(batch - 1)}).json["changes"]
    assert ask("changes", query={"since": str(batch)}).json["changes"] == []
    assert ask("changes", query={"since": str(batch + 1000)}).json["reset"]

    state = {"rrsets": [{"name": "c.live.test", "type": "A", "records": ["10.0.0.4"]}], "lease": "1m"}
    dry = ask("applySource", body=state, query={"dry-run": "true"}, source="site").json
    assert dry["dry-run"] and dry["added"] == 1 and dry["difference"][0]["op"] == "add"
    ask("getSource", status=404, source="site")
    assert ask("applySource", body=state, source="site").json["added"] == 1
    assert ask("applySource", body=state, source="site").json["unchanged"] == 1
    ask("getSource", source="site")
    ask("listSources")
    assert ask("heartbeat", source="site").json["renewed"] == 1

    ask("listZones")
    content = ask("getZone", zone="live.test").json
    assert content["count"] == len(content["rrsets"])
    master = ask("getZone", headers={"Accept": "text/dns"}, zone="live.test").text
    assert "SOA" in master
    rrsets = {"rrsets": content["rrsets"]}
    assert ask("putZone", body=rrsets, zone="live.test").json["unchanged"] == content["count"]
    ask("putZone", body="$TTL 5\nwww A 10.0.0.9\n", headers=TEXT_DNS, zone="live.test")

    ask("changes", query={"since": str(batch - 1), "values": "true", "zone": "live.test"})
    seen = ask("history", query={"zone": "live.test", "limit": "3"}).json
    ask("history", query={"since": seen["next"], "until": "2100-01-01T00:00:00Z"})
    ask("rollback", body={"revision": batch, "zone": "live.test"}, query={"dry-run": "true"}, status=409)
    undo = {"dry-run": "true", "force": "true"}
    assert ask("rollback", body={"revision": batch}, query=undo).json["difference"]
    ask("rollback", body={"revision": batch}, query={"force": "true"})

    backup = ask("backup").text
    restored = ask("restore", body=backup, headers=NDJSON).json
    assert restored["unchanged"] == backup.count("\n") - 2
    ask("deleteRRset", name="b.live.test", type="A")
    ask("status")
    ask("acknowledgeAlarm", status=404, alarm="state-restored")

    assert ask.seen == {name for name, _, _, _ in description.operations()}


def test_every_refusal_is_a_problem_as_described(description, livezoned):
    daemon = livezoned(zones=["live.test"])
    ask = Conversation(description, daemon.api)

    def refused(urn, operation, status, path=None, /, **request):
        problem = ask(operation, status=status, **request).json
        assert problem["type"] == f"urn:livezone:{urn}", problem
        if path is not None:
            assert problem.get("path") == path, problem
        return problem

    rrset = {"name": "a.live.test", "type": "A"}
    good = {"records": ["10.0.0.1"]}
    first = ask("putRRset", body=good, **rrset).revision
    stale = refused(
        "precondition-failed", "putRRset", 412, body=good, headers={"If-Match": '"1000"'}, **rrset
    )
    assert stale["revision"] == first
    refused("precondition-failed", "putRRset", 412, body=good, headers={"If-None-Match": "*"}, **rrset)
    refused("invalid", "putRRset", 422, "records[1]", body={"records": ["10.0.0.1", "10.0.0"]}, **rrset)
    refused("invalid", "putRRset", 422, "ttl", body={**good, "ttl": 86401}, **rrset)
    refused("bad-request", "putRRset", 400, body={**good, "tttl": 5}, **rrset)
    refused("bad-request", "putRRset", 400, body="{", headers={"Content-Type": "application/json"}, **rrset)
    refused("unsupported-media-type", "putRRset", 415, body="x", headers={"Content-Type": "text/html"}, **rrset)
    refused("invalid", "putRRset", 422, body=good, name="a.foreign.example", type="A")
    refused("not-found", "getRRset", 404, name="none.live.test", type="A")
    refused("not-found", "deleteRRset", 404, name="none.live.test", type="A")
    refused("not-found", "heartbeat", 404, source="nobody")
    refused("not-found", "getZone", 404, zone="foreign.example")
    refused("not-found", "putZone", 404, body={"rrsets": []}, zone="foreign.example")
    refused("bad-request", "explain", 400, "?type", query={"name": "a.live.test"})
    refused("bad-request", "changes", 400, "?since", query={"since": "soon"})
    bad = {"put": {"name": "b.live.test", "type": "A", "records": ["x"]}}
    ok = {"put": {"name": "c.live.test", "type": "A", "records": ["10.0.0.1"]}}
    refused("invalid", "batch", 422, "changes[1].records[0]", body={"changes": [ok, bad]})
    ask("getRRset", status=404, name="c.live.test", type="A")
    owned = refused("owned", "applySource", 409, body={"rrsets": [{**rrset, **good}]}, source="site")
    assert owned["owner"] == "api"
    refused("invalid", "restore", 422, body="{}\n", headers=NDJSON)
    refused("invalid", "putZone", 422, "line 2", body="a A 10.0.0.1\nb A x\n", headers=TEXT_DNS, zone="live.test")


def test_a_path_that_is_not_there_is_a_problem_too(description, livezoned):
    daemon = livezoned(zones=["live.test"])
    schema = {"$ref": "#/components/schemas/Problem"}
    for method, path, status in (
        ("GET", "/v1/nothing", 404),
        ("GET", "/", 404),
        ("DELETE", "/v1/status", 405),
        ("GET", "/v1/rrsets/a%2eb.live.test/A", 400),
    ):
        reply = daemon.api.request(method, path)
        assert reply.status == status, (path, reply)
        assert reply.headers["Content-Type"] == "application/problem+json"
        description.validate(schema, reply.json)
        assert status != 405 or "GET" in reply.headers["Allow"]
