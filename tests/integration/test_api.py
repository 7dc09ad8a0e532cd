# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""What the API's words mean: bad input and the place it names, preconditions, sources,
zones, the long poll, backup and restore. That replies have the described form is
test_openapi.py's."""

import json
import re
import threading
import time

import pytest
from support.backups import seal
from support.build import is_instrumented

PATH = "/v1/rrsets/a.live.test/A"
GOOD = {"records": ["10.0.0.1"]}
JSON = {"Content-Type": "application/json"}
TEXT = {"Content-Type": "text/plain"}
DNS = {"Content-Type": "text/dns"}
LINES = {"Content-Type": "application/x-ndjson"}


@pytest.fixture
def api(livezoned):
    return livezoned(zones=["live.test", {"name": "other.test", "ttl": 77}]).api


def revision(api):
    return api.status()["state"]["revision"]


def refused(reply, status, path=None, says=""):
    assert reply.status == status, reply
    assert reply.headers["Content-Type"] == "application/problem+json"
    problem = reply.json
    assert problem.get("path") == path, problem
    assert says.lower() in problem["detail"].lower(), problem
    return problem


@pytest.mark.parametrize(
    "body, status, path, says",
    [
        ({**GOOD, "tttl": 5}, 400, "tttl", "unknown key"),
        ({**GOOD, "ttl": "5"}, 400, "ttl", "whole number"),
        ({**GOOD, "ttl": -1}, 422, "ttl", "86400"),
        ({**GOOD, "ttl": 86401}, 422, "ttl", "86400"),
        ({"ttl": 5}, 400, None, '"records" is missing'),
        ({"records": "10.0.0.1"}, 400, "records", "list"),
        ({"records": []}, 422, "records", "at least one"),
        ({"records": [1]}, 400, "records[0]", "string"),
        ({"records": ["10.0.0.1", "10.0.0"]}, 422, "records[1]", "10.0.0"),
        ({"records": ["10.0.0.1 ; x"]}, 422, "records[0]", ""),
        ({"records": [f"10.0.{n // 250}.{n % 250}" for n in range(513)]}, 422, "records[512]", "512"),
        ({**GOOD, "name": "b.live.test"}, 422, "name", "path"),
        ({**GOOD, "type": "AAAA"}, 422, "type", "path"),
        ({**GOOD, "source": "-x"}, 422, "source", "source name"),
        ({**GOOD, "source": "x" * 65}, 422, "source", "64"),
        ({**GOOD, "lease": "30"}, 400, "lease", "duration"),
        ({**GOOD, "lease": "10ms"}, 422, "lease", "1s"),
        ({**GOOD, "lease": "8d"}, 422, "lease", "7d"),
        ({**GOOD, "if-absent": True}, 400, "if-absent", "unknown key"),
        (b"", 400, None, "object"),
        (b"[]", 400, None, "object"),
        (b'{"records":["10.0.0.1"]', 400, None, "line 1, column"),
        (b'{"records":["10.0.0.1"],"ttl":5,"ttl":6}', 400, None, '"ttl" is given twice'),
        (b'{"records":["10.0.0.1"],"ttl":NaN}', 400, None, "value"),
        (b'{"records":["10.0.0.1"],"ttl":5.0}', 400, None, "whole"),
        (b'{"records":["10.0.0.1\\u0000"]}', 400, None, "NUL"),
        (b'{"records":["\xff"]}', 400, None, "utf-8"),
        (b'{"records":' + b"[" * 16 + b"]" * 16 + b"}", 400, None, "deeper than 16"),
    ],
)
def test_a_bad_body_names_the_place(api, body, status, path, says):
    before = revision(api)
    refused(api.request("PUT", PATH, body, JSON), status, path, says)
    assert revision(api) == before


@pytest.mark.parametrize(
    "path, status, place, says",
    [
        ("/v1/rrsets/a.foreign.example/A", 422, "name", "zone"),
        ("/v1/rrsets/a..live.test/A", 400, None, '".."'),
        (f"/v1/rrsets/{'x' * 64}.live.test/A", 422, "name", "label"),
        ("/v1/rrsets/a.live.test/NONSENSE", 422, "type", "NONSENSE"),
        ("/v1/rrsets/a.live.test/ANY", 422, "type", "ANY"),
        ("/v1/rrsets/a.live.test/A?ttl=5", 400, "?ttl", "body"),
        ("/v1/rrsets/a.live.test/A?tttl=5", 400, "?tttl", "unknown"),
    ],
)
def test_a_bad_url_names_the_place(api, path, status, place, says):
    refused(api.request("PUT", path, GOOD), status, place, says)


def test_rules_of_dns_are_kept(api):
    api.put("host.live.test", "A", "10.0.0.1")
    api.put("alias.live.test", "CNAME", "host.live.test.")
    cname = {"records": ["x.live.test."]}
    refused(api.request("PUT", "/v1/rrsets/host.live.test/CNAME", cname), 422, "type", "CNAME")
    refused(api.request("PUT", "/v1/rrsets/alias.live.test/A", GOOD), 422, "type", "CNAME")
    two = {"records": ["x.live.test.", "y.live.test."]}
    assert api.request("PUT", "/v1/rrsets/b.live.test/CNAME", two).status == 422
    soa = {"records": ["ns.live.test. h.live.test. 1 2 3 4 5"]}
    assert api.request("PUT", "/v1/rrsets/b.live.test/SOA", soa).status == 422
    swap = [
        {"delete": {"name": "host.live.test", "type": "A"}},
        {"put": {"name": "host.live.test", "type": "CNAME", **cname}},
    ]
    assert api.request("POST", "/v1/batch", {"changes": swap}).status == 200


def test_media_types(api):
    for headers in ({}, {"Content-Type": "application/x-www-form-urlencoded"}, DNS, LINES):
        reply = api.request("PUT", PATH, json.dumps(GOOD), headers)
        refused(reply, 415, "Content-Type", "application/json or text/plain")
    assert api.request("PUT", PATH, json.dumps(GOOD), {"Content-Type": "Application/JSON; charset=utf-8"}).status == 200
    assert api.request("POST", "/v1/batch", "{}", TEXT).status == 415
    assert api.request("PUT", "/v1/zones/live.test", "", TEXT).status == 415


def test_text_is_one_rdata_a_line(api):
    path = "/v1/rrsets/t.other.test/A"
    reply = api.request("PUT", path, "10.0.0.2\r\n\n10.0.0.1", TEXT, lease="1m", source="ci")
    assert reply.status == 200
    got = api.get(path).json
    assert (got["ttl"], got["lease"], got["source"]) == (77, "60s", "ci")
    assert sorted(got["records"]) == ["10.0.0.1", "10.0.0.2"]
    refused(api.request("PUT", path, "10.0.0.1\nx\n", TEXT), 422, "records[1]", "x")
    refused(api.request("PUT", path, "\n", TEXT), 422, "records", "at least one")
    refused(api.request("PUT", path, "10.0.0.1", TEXT, ttl="x"), 400, "?ttl", "whole")
    refused(api.request("PUT", path, "10.0.0.1", TEXT, ttl="86401"), 422, "?ttl", "86400")
    refused(api.request("PUT", path, "10.0.0.1", TEXT, lease="1"), 400, "?lease", "duration")
    refused(api.request("PUT", path, "10.0.0.1", TEXT, source="*"), 422, "?source", "source name")


def test_every_type_comes_back_as_it_went_in(api):
    for rdtype, record in (
        ("AAAA", "2001:db8::1"),
        ("TXT", '"a \\"b\\" \\007" "c"'),
        ("SRV", "1 2 53 host.live.test."),
        ("MX", "10 host.live.test."),
        ("CAA", '0 issue "ca.example"'),
        ("SVCB", "1 host.live.test. alpn=\"h2\" port=\"443\""),
        ("TYPE65280", "\\# 3 010203"),
    ):
        api.put("x.live.test", rdtype, record)
        first = api.get(f"/v1/rrsets/x.live.test/{rdtype}").json
        api.put("y.live.test", rdtype, first["records"])
        assert api.get(f"/v1/rrsets/y.live.test/{rdtype}").json["records"] == first["records"]
    # names that no path can hold
    odd = {"name": "a\\046b\\000.live.test", "type": "A", **GOOD}
    assert api.request("POST", "/v1/batch", {"changes": [{"put": odd}]}).status == 200
    found = api.get("/v1/rrsets", name=odd["name"]).json["rrsets"]
    assert [one["name"] for one in found] == ["a\\.b\\000.live.test."]


def test_preconditions(api):
    first = api.request("PUT", PATH, GOOD, {"If-None-Match": "*"})
    assert first.status == 200
    tag = first.headers["ETag"]
    assert api.get(PATH).headers["ETag"] == tag
    problem = refused(api.request("PUT", PATH, GOOD, {"If-None-Match": "*"}), 412)
    assert problem["revision"] == first.revision
    second = api.request("PUT", PATH, {"records": ["10.0.0.2"]}, {"If-Match": tag})
    assert second.status == 200 and second.headers["ETag"] != tag
    problem = refused(api.request("PUT", PATH, GOOD, {"If-Match": tag}), 412)
    assert problem["revision"] == second.revision
    refused(api.request("DELETE", PATH, None, {"If-Match": tag}), 412)
    assert api.request("PUT", PATH, GOOD, {"If-Match": "*"}).status == 200
    assert api.request("DELETE", PATH, None, {"If-Match": "*"}).status == 200
    problem = refused(api.request("PUT", PATH, GOOD, {"If-Match": "*"}), 412)
    assert problem["revision"] == 0
    for bad in ("5", '"x"', 'W/"5"', '"1", "2"'):
        refused(api.request("PUT", PATH, GOOD, {"If-Match": bad}), 400, "If-Match")
    refused(api.request("PUT", PATH, GOOD, {"If-None-Match": '"5"'}), 400, "If-None-Match")


def test_a_write_of_the_same_changes_nothing(api):
    first = api.request("PUT", PATH, GOOD)
    again = api.request("PUT", PATH, GOOD)
    assert again.status == 200 and again.revision == first.revision
    assert again.headers["ETag"] == first.headers["ETag"]


@pytest.mark.parametrize(
    "changes, status, path, says",
    [
        ([], 400, "changes", "at least one"),
        ([{}], 400, "changes[0]", '"put" or "delete"'),
        ([{"put": {}, "delete": {}}], 400, "changes[0]", '"put" or "delete"'),
        ([{"put": {"name": "x.live.test"}}], 400, "changes[0]", "missing"),
        ([{"put": {"name": "x.live.test", "type": "A", "records": ["y"]}}], 422, "changes[0].records[0]", "y"),
        ([{"put": {"name": "x.foreign.example", "type": "A", **GOOD}}], 422, "changes[0].name", "zone"),
        ([{"delete": {"name": "x.live.test", "type": "A", "ttl": 5}}], 400, "changes[0].ttl", "unknown"),
        (
            [{"delete": {"name": "X.live.test", "type": "A"}}] * 2,
            422,
            "changes[1]",
            "",
        ),
        ([{"delete": {"name": "x.live.test", "type": "A", "if-revision": 7}}], 412, "changes[0]", ""),
    ],
)
def test_a_bad_batch_names_the_change_and_writes_nothing(api, changes, status, path, says):
    before = revision(api)
    good = {"put": {"name": "good.live.test", "type": "A", **GOOD}}
    shifted = re.sub(r"\[(\d+)\]", lambda m: f"[{int(m[1]) + 1}]", path, count=1)
    if changes:
        refused(api.request("POST", "/v1/batch", {"changes": [good, *changes]}), status, shifted, says)
    else:
        refused(api.request("POST", "/v1/batch", {"changes": []}), status, path, says)
    assert revision(api) == before
    assert api.request("GET", "/v1/rrsets/good.live.test/A").status == 404


def test_a_batch_is_one_revision(api):
    changes = [{"put": {"name": f"n{n}.{zone}.test", "type": "A", **GOOD}} for n in range(50) for zone in ("live", "other")]
    reply = api.request("POST", "/v1/batch", {"changes": changes})
    assert reply.status == 200
    assert {api.get(f"/v1/rrsets/n{n}.live.test/A").json["revision"] for n in range(50)} == {reply.revision}
    refused(api.request("POST", "/v1/batch", {"changes": changes, "x": 1}), 400, "x", "unknown")
    refused(api.request("POST", "/v1/batch", {"x": []}), 400, None, "changes")


HOSTILE = {
    "arrays": ('[[', "[],", '[]]', 1.5),
    "objects": ('[[', "{},", '{}]]', 1.5),
    "numbers": ('[[', "0,", '0]]', 1.5),
    "records": ('[{"put":{"name":"x.live.test","type":"A","records":[', '"",', '""]}}]', 1.5),
    "no end": ('[', "[],", "", 1.5),
    "beside": ('[],"x":[', "[],", "[]]", 1.5),
    "deletes": ('[', '{"delete":{"name":".","type":"A"}},', '{}]', 4),
    "puts": ('[', '{"put":{"name":"live.test","type":"A","records":["1.2.3.4"]}},', '{}]', 4),
}


@pytest.mark.skipif(is_instrumented(), reason="a sanitizer needs memory of its own")
@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_body_costs_what_its_size_allows(livezoned, what):
    """The body itself, and nothing for what is in it; RRsets that are read before the fault
    cost three times their text at most."""
    daemon = livezoned(zones=["live.test"])
    before, unit, after, factor = HOSTILE[what]
    size = 24 << 20
    body = '{"changes":' + before + unit * (size // len(unit)) + after + "}"
    idle = peak_of(daemon)
    reply = daemon.api.request("POST", "/v1/batch", body, JSON)
    assert reply.status in (400, 422), reply
    assert peak_of(daemon) - idle < factor * size
    assert daemon.api.put("x.live.test", "A", "10.0.0.1").status == 200


def peak_of(daemon):
    with open(f"/proc/{daemon.process.pid}/status") as status:
        return int(re.search(r"VmHWM:\s+(\d+)", status.read())[1]) << 10


def state_of(*names, **extra):
    return {"rrsets": [{"name": f"{name}.live.test", "type": "A", **GOOD} for name in names], **extra}


def test_a_desired_state_owns_its_rrsets_and_no_others(api):
    api.put("mine.live.test", "A", "10.9.9.9")
    first = api.request("PUT", "/v1/sources/site", state_of("a", "b"))
    assert first.json["added"] == 2 and first.json["deleted"] == 0
    second = api.request("PUT", "/v1/sources/site", state_of("b", "c"), {"If-Match": first.headers["ETag"]})
    difference = {line["name"]: line["op"] for line in second.json["difference"]}
    assert difference == {"a.live.test.": "delete", "c.live.test.": "add"}
    refused(api.request("PUT", "/v1/sources/site", state_of("b"), {"If-Match": first.headers["ETag"]}), 412)
    problem = refused(api.request("PUT", "/v1/sources/site", state_of("b", "mine")), 409, "rrsets[1]")
    assert problem["type"] == "urn:livezone:owned" and problem["owner"] == "api"
    forced = api.request("PUT", "/v1/sources/site", state_of("b", "c", "mine"), force="true")
    assert forced.status == 200
    assert forced.json["difference"][0]["before"]["source"] == "api"
    # a direct write takes it back
    api.put("mine.live.test", "A", "10.9.9.9")
    assert api.get("/v1/sources/site").json["rrsets"] == 2
    other = {"rrsets": [{"name": "d.live.test", "type": "A", "source": "other", **GOOD}]}
    refused(api.request("PUT", "/v1/sources/site", other), 422, "rrsets[0].source", "path")
    refused(api.request("PUT", "/v1/sources/*", state_of()), 422, "source", "source name")


def test_a_desired_state_does_not_delete_by_accident(api):
    names = [f"n{number}" for number in range(20)]
    api.request("PUT", "/v1/sources/site", state_of(*names))
    problem = refused(api.request("PUT", "/v1/sources/site", state_of()), 409)
    assert problem["type"] == "urn:livezone:max-delete"
    assert api.get("/v1/sources/site").json["rrsets"] == 20
    refused(api.request("PUT", "/v1/sources/site", state_of(), max_delete="x"), 400, "?max-delete")
    refused(api.request("PUT", "/v1/sources/site", state_of(), max_delete="101"), 400, "?max-delete")
    dry = api.request("PUT", "/v1/sources/site", state_of(), force="true", dry_run="true").json
    assert dry["deleted"] == 20 and dry["dry-run"]
    assert api.get("/v1/sources/site").json["rrsets"] == 20
    assert api.request("PUT", "/v1/sources/site", state_of(*names[:10])).status == 200
    assert api.request("PUT", "/v1/sources/site", state_of(), force="true").status == 200
    refused(api.request("GET", "/v1/sources/site"), 404)


def test_a_lease_of_the_state_is_for_rrsets_that_give_none(api):
    state = state_of("a", "b", lease="1m")
    state["rrsets"][0]["lease"] = "2m"
    assert api.request("PUT", "/v1/sources/site", state).status == 200
    assert api.get("/v1/rrsets/a.live.test/A").json["lease"] == "120s"
    assert api.get("/v1/rrsets/b.live.test/A").json["lease"] == "60s"
    refused(api.request("PUT", "/v1/sources/site", state_of("a", lease=5)), 400, "lease")
    refused(api.request("PUT", "/v1/sources/site", state_of("a", lease="8d")), 422, "lease")
    reply = api.request("POST", "/v1/sources/site/heartbeat")
    assert reply.status == 200 and reply.json["renewed"] == 2
    assert "heartbeat" in api.get("/v1/sources/site").json


def test_a_zone_goes_out_and_in_again(api):
    for number in range(5):
        api.put(f"n{number}.live.test", "A", [f"10.0.0.{number + 1}", "10.0.1.1"])
    api.put("t.live.test", "TXT", '"a;b" "c"')
    text = api.request("GET", "/v1/zones/live.test", headers={"Accept": "text/dns"})
    assert text.headers["Content-Type"] == "text/dns"
    lines = text.text.splitlines()
    assert lines[0].split()[3] == "SOA" and len(lines) == 1 + 5 * 2 + 1
    before = api.get("/v1/zones/live.test").json
    without_soa = "\n".join(lines[1:]) + "\n"
    reply = api.request("PUT", "/v1/zones/live.test", without_soa, DNS)
    assert reply.status == 200 and reply.json["unchanged"] == 6, reply
    assert reply.headers["ETag"] == f'"{before["revision"]}"'
    reply = api.request("PUT", "/v1/zones/live.test", "$TTL 9\n@ NS ns\nns A 10.0.0.1\n A 10.0.0.2\n", DNS, source="file")
    assert (reply.json["added"], reply.json["deleted"]) == (2, 6)
    got = api.get("/v1/rrsets/ns.live.test/A").json
    assert (got["ttl"], got["source"], len(got["records"])) == (9, "file", 2)
    assert api.request("PUT", "/v1/zones/live.test", "", DNS).json["deleted"] == 2


@pytest.mark.parametrize(
    "text, path",
    [
        ("a A 10.0.0.1\nb A x\n", "line 2"),
        ("$INCLUDE /etc/passwd\n", "line 1"),
        ("\n\nwww.foreign.example. A 10.0.0.1\n", "line 3"),
        ("a A 10.0.0.1\na CNAME b\n", "line 2"),
        ("a 86401 A 10.0.0.1\n", "line 1"),
    ],
)
def test_a_bad_master_file_names_the_line(api, text, path):
    before = revision(api)
    refused(api.request("PUT", "/v1/zones/live.test", text, DNS), 422, path)
    assert revision(api) == before


def test_the_long_poll_waits_and_wakes(api):
    first = api.put("a.live.test", "A", "10.0.0.1").revision
    started = time.monotonic()
    empty = api.get("/v1/changes", since=first, wait="1s").json
    assert time.monotonic() - started >= 0.9 and empty["changes"] == [] and empty["revision"] == first
    answers = []
    other = type(api)(unix=api.unix)
    waiter = threading.Thread(target=lambda: answers.append(other.get("/v1/changes", since=first, wait="30s").json))
    waiter.start()
    second = api.put("b.live.test", "A", "10.0.0.1").revision
    waiter.join(10)
    assert answers and answers[0]["revision"] == second
    assert answers[0]["changes"] == [
        {"revision": second, "changes": [{"name": "b.live.test.", "type": "A", "op": "put"}]}
    ]
    api.delete("b.live.test", "A")
    assert api.get("/v1/changes", since=second).json["changes"][0]["changes"][0]["op"] == "delete"
    for query, place in (({}, "?since"), ({"since": "-1"}, "?since"), ({"since": "x"}, "?since")):
        refused(api.request("GET", "/v1/changes", **query), 400, place)
    refused(api.request("GET", "/v1/changes", since="0", wait="61s"), 422, "?wait")
    refused(api.request("GET", "/v1/changes", since="0", wait="1"), 400, "?wait")


def test_a_backup_is_restored_whole_or_not_at_all(api):
    for number in range(20):
        api.put(f"n{number}.live.test", "A", "10.0.0.1", source=f"s{number % 3}", lease="1h")
    backup = api.get("/v1/backup").text
    lines = backup.splitlines(keepends=True)
    api.request("PUT", "/v1/zones/live.test", "", DNS)
    before = revision(api)

    def restore(text):
        return api.request("PUT", "/v1/restore", text, LINES)

    assert seal(backup) == backup
    refused(restore(""), 422, "line 1", "cut short")
    refused(restore("".join(lines[:-1])), 422, f"line {len(lines) - 1}", "cut short")
    lost = "".join(lines[:3] + lines[4:])
    refused(restore(lost), 422, f"line {len(lines) - 1}", "damaged")
    refused(restore(seal(lost)), 422, f"line {len(lines) - 1}", "trailer")
    refused(restore("".join(lines[:3] + lines[4:5] + lines[3:4] + lines[5:])), 422, f"line {len(lines)}", "damaged")
    refused(restore("".join(lines[:3] + lines[2:])), 422, f"line {len(lines) + 1}", "damaged")
    refused(restore(backup + lines[1]), 422, f"line {len(lines) + 1}", "trailer")
    refused(restore(backup.replace('"version":3', '"version":2')), 422, "line 1", "version")
    refused(restore("".join(lines[1:])), 422, "line 1", "no backup")
    refused(restore(backup.replace('"10.0.0.1"', '"10.0.0.2"', 1)), 422, f"line {len(lines)}", "damaged")
    refused(restore(seal(backup.replace('"10.0.0.1"', '"x"', 1))), 422, "line 2", "records[0]")
    foreign = seal(backup.replace("n7.live.test", "n7.foreign.example"))
    refused(restore(foreign), 422, restore_place(lines))
    refused(restore(backup[: len(backup) // 2]), 422, cut_place(backup))
    assert revision(api) == before
    reply = restore(backup)
    assert reply.status == 200 and reply.json["added"] == 20
    assert reply.revision > before
    assert api.get("/v1/sources/s1").json["rrsets"] == 7


def restore_place(lines):
    return next(f"line {at}" for at, line in enumerate(lines, 1) if "n7.live.test" in line)


def cut_place(backup):
    return f"line {backup[: len(backup) // 2].count(chr(10)) + 1}"


def test_a_bulk_load_streams(api):
    """200,000 RRsets in, out as JSON, master file and backup: a long reply is no big reply."""
    count = 200_000
    body = "".join(f"n{number} A 10.{number >> 16}.{number >> 8 & 255}.{number & 255}\n" for number in range(count))
    reply = api.request("PUT", "/v1/zones/live.test", body, DNS)
    assert reply.status == 200 and reply.json["added"] == count, reply
    assert len(api.get("/v1/zones/live.test").json["rrsets"]) == count
    text = api.request("GET", "/v1/zones/live.test", headers={"Accept": "text/dns"}).text
    assert text.count("\n") == count + 1
    backup = api.get("/v1/backup").text
    assert backup.count("\n") == count + 2
    assert api.request("PUT", "/v1/restore", backup, LINES).json["unchanged"] == count
