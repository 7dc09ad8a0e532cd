# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""What changed, by whom, from what to what; and the way back to a revision."""

import hashlib
import json
import os
import re
import subprocess
import threading
from datetime import datetime
from pathlib import Path

import pytest
from support import build
from support.filesystem import fill, mount_small
from support.http import Api
from support.wait import wait_until

_ZONES = ("one.test", "two.test", "three.test")
_CALLER = f"uid {os.getuid()}"


@pytest.fixture
def daemon(livezoned):
    return livezoned(zones=_ZONES)


@pytest.fixture
def api(daemon):
    return daemon.api


def wait_written(api):
    """Until all that was committed is in the journal; the revision."""

    def is_written():
        status = api.status()
        return status["journal"]["revision"] == status["state"]["revision"]

    wait_until(is_written, 20, "the journal has every revision")
    return api.status()["state"]["revision"]


def history(api, **query):
    """All pieces of the history, one list."""
    wait_written(api)
    changes = []
    while True:
        reply = api.get("/v1/history", **query).json
        changes += reply["changes"]
        if "next" not in reply:
            return changes
        assert reply["next"] != str(query.get("since"))
        query["since"] = reply["next"]


def rollback(api, revision, zone=None, **query):
    body = {"revision": revision, **({"zone": zone} if zone else {})}
    return api.request("POST", "/v1/rollback", body, **query)


def rolled_back(api, *args, **query):
    reply = rollback(api, *args, **query)
    assert reply.status == 200, reply
    return reply.json


def export(api):
    """Every RRset with its source, without what a rollback cannot bring back: revisions."""
    found = {}
    for zone in _ZONES:
        for rrset in api.get(f"/v1/zones/{zone}").json["rrsets"]:
            del rrset["revision"]
            rrset.pop("lease-left", None)
            found[rrset["name"], rrset["type"]] = rrset
    return found


def batch(api, *changes):
    reply = api.request("POST", "/v1/batch", {"changes": list(changes)})
    assert reply.status == 200, reply
    return reply.json["revision"]


def put(name, *records, **fields):
    return {"put": {"name": name, "type": "A", "records": list(records), **fields}}


def test_history_says_who_when_from_what_to_what(api):
    first = api.put("a.one.test", "A", "10.0.0.1").revision
    second = api.put("a.one.test", "A", ["10.0.0.2", "10.0.0.3"], ttl=9, source="deploy").revision
    third = api.delete("a.one.test", "A").revision
    changes = history(api, name="a.one.test")
    assert [change["revision"] for change in changes] == [first, second, third]
    assert [change["op"] for change in changes] == ["add", "change", "delete"]
    assert {change["caller"] for change in changes} == {_CALLER}
    assert changes[0]["after"] == {"ttl": 5, "records": ["10.0.0.1"], "source": "api"}
    assert changes[1]["before"] == changes[0]["after"]
    assert changes[1]["after"] == {
        "ttl": 9,
        "records": ["10.0.0.2", "10.0.0.3"],
        "source": "deploy",
    }
    assert changes[2]["before"] == changes[1]["after"]
    assert "before" not in changes[0] and "after" not in changes[2]
    times = [datetime.fromisoformat(change["time"]) for change in changes]
    assert times == sorted(times)


def test_history_is_of_a_name_a_type_a_zone_and_a_span(api):
    api.put("a.one.test", "A", "10.0.0.1")
    second = api.put("a.one.test", "TXT", '"x"').revision
    third = api.put("a.two.test", "A", "10.0.0.1").revision
    api.put("b.two.test", "A", "10.0.0.1")

    def names(**query):
        return [(change["name"], change["type"]) for change in history(api, **query)]

    assert names(name="a.one.test", type="TXT") == [("a.one.test.", "TXT")]
    assert names(zone="two.test") == [("a.two.test.", "A"), ("b.two.test.", "A")]
    assert len(names(since=0)) == 4
    assert names(since=second, until=third) == [("a.two.test.", "A")]
    assert len(names(since="1h")) == 4
    assert names(since="2100-01-01T00:00:00Z") == []
    assert names(until="2000-01-01T00:00:00Z") == []
    for bad in ({"since": "yesterday"}, {"limit": 0}, {"limit": 1001}, {"since": "1.x"}):
        assert api.request("GET", "/v1/history", **bad).status == 400


def test_history_of_ten_thousand_changes_in_pieces(api):
    for revision in range(100):
        batch(
            api,
            *(put(f"n{number}.one.test", f"10.0.{revision}.{number}") for number in range(100)),
        )
    changes = history(api)
    assert len(changes) == 10000
    last = {}
    for change in changes:
        assert change["caller"] == _CALLER and change["verb"] == "write"
        assert change.get("before") == last.get(change["name"])
        last[change["name"]] = change["after"]
    assert [change["revision"] for change in changes] == [n // 100 + 1 for n in range(10000)]
    # pieces that end in the middle of a revision
    assert history(api, limit=333) == changes


def test_history_goes_past_a_revision_that_is_larger_than_one_piece_reads(api):
    text = " ".join([f'"{"x" * 250}"'] * 100)
    large = batch(
        api,
        *(
            {"put": {"name": f"n{number}.one.test", "type": "TXT", "records": [text]}}
            for number in range(1500)
        ),
    )
    after = api.put("a.two.test", "A", "10.0.0.1").revision
    found = history(api)
    assert [change["revision"] for change in found] == [large] * 1500 + [after]
    assert [change["revision"] for change in history(api, zone="two.test")] == [after]


def test_history_goes_on_after_a_restart(daemon):
    daemon.api.put("a.one.test", "A", "10.0.0.1")
    daemon.restart()
    daemon.api.put("a.one.test", "A", "10.0.0.2")
    changes = history(daemon.api, name="a.one.test")
    assert [change["after"]["records"] for change in changes] == [["10.0.0.1"], ["10.0.0.2"]]
    assert daemon.api.status()["journal"]["gaps"] == 0


def test_the_feed_with_values_is_that_of_a_zone_and_goes_on_after_a_restart(daemon):
    since = daemon.api.put("a.one.test", "A", "10.0.0.1").revision
    daemon.api.put("a.two.test", "A", "10.0.0.1")
    daemon.api.put("a.one.test", "A", "10.0.0.2")

    def feed(**query):
        return daemon.api.get("/v1/changes", since=since, values="true", **query).json

    wait_written(daemon.api)
    for _ in range(2):
        reply = feed()
        assert not reply["reset"] and reply["revision"] == since + 2
        assert [change["revision"] for change in reply["changes"]] == [since + 1, since + 2]
        assert reply["changes"][1]["caller"] == _CALLER
        assert reply["changes"][1]["changes"] == [
            {
                "name": "a.one.test.",
                "type": "A",
                "op": "change",
                "before": {"ttl": 5, "records": ["10.0.0.1"], "source": "api"},
                "after": {"ttl": 5, "records": ["10.0.0.2"], "source": "api"},
            }
        ]
        of_two = feed(zone="two.test")["changes"]
        assert [len(change["changes"]) for change in of_two] == [1, 0]
        daemon.restart()


def test_the_feed_with_values_waits_for_a_change(api):
    since = api.put("a.one.test", "A", "10.0.0.1").revision
    replies = []

    def wait():
        replies.append(api.get("/v1/changes", since=since, values="true", wait="30s").json)

    waiter = threading.Thread(target=wait)
    waiter.start()
    for number in range(200):
        api.put("a.one.test", "A", f"10.0.1.{number}")
        if replies:
            break
    waiter.join(30)
    seen, upto = [], since
    while upto < api.status()["state"]["revision"]:
        reply = api.get("/v1/changes", since=upto, values="true", wait="30s").json
        seen += [change["revision"] for change in reply["changes"]]
        upto = reply["revision"]
    assert seen == list(range(since + 1, upto + 1))
    assert replies[0]["revision"] > since or replies[0]["changes"] == []


def test_what_others_wrote_is_read_in_pieces(api):
    since = api.put("a.one.test", "A", "10.0.0.1").revision
    for part in range(2):
        batch(api, *(put(f"n{part}x{number}.two.test", "10.0.0.1") for number in range(21000)))
    upto = wait_written(api)
    reply = api.get("/v1/changes", since=since, values="true", zone="one.test").json
    assert not reply["reset"] and since < reply["revision"] < upto
    reply = api.get("/v1/changes", since=reply["revision"], values="true", zone="one.test").json
    assert reply["revision"] == upto


def test_a_journal_that_hangs_leaves_the_other_requests(daemon):
    since = daemon.api.put("a.one.test", "A", "10.0.0.1").revision
    daemon.api.put("a.one.test", "A", "10.0.0.2")
    wait_written(daemon.api)
    api = Api(daemon.config["api"]["unix"], timeout=5)
    segment = Path(daemon.config["store"]["state"]) / "journal" / f"journal-{since:020}.log"
    os.mkfifo(segment)  # its reader waits in open()
    readers = [
        threading.Thread(
            target=Api(daemon.config["api"]["unix"]).get,
            args=("/v1/changes",),
            kwargs={"since": since, "values": "true"},
        )
        for _ in range(8)
    ]
    for reader in readers:
        reader.start()
    try:
        for number in range(16):  # on every thread
            assert api.get("/healthz").status == 200
            assert api.put("a.one.test", "A", f"10.0.1.{number}").status == 200
            api.close()
    finally:
        writer = os.open(segment, os.O_RDWR)
        segment.unlink()
        for reader in readers:
            reader.join(30)
        os.close(writer)


def test_a_rollback_brings_back_exactly_that_revision_and_can_be_rolled_back(api):
    for zone in _ZONES:
        batch(
            api,
            *(put(f"n{number}.{zone}", f"10.0.0.{number % 250}") for number in range(150)),
            put(f"leased.{zone}", "10.9.9.9", lease="1h"),
            put(f"of.others.{zone}", "10.9.9.9", source="others"),
        )
    there = wait_written(api)
    before = export(api)
    for number in range(1000):
        zone = _ZONES[number % 3]
        name = f"n{number % 200}.{zone}"
        if number % 7 == 0:
            api.request("DELETE", f"/v1/rrsets/{name}/A")
        elif number % 11 == 0:
            api.put(name, "TXT", f'"{number}"')
        else:
            api.put(name, "A", [f"10.{number % 4}.1.1", f"10.{number % 5}.2.2"], ttl=number % 60)
    after = export(api)
    assert after != before
    top = api.status()["state"]["revision"]

    tried = rolled_back(api, there, dry_run="true")
    assert tried["dry-run"] and tried["revision"] == top
    assert len(tried["difference"]) == tried["added"] + tried["changed"] + tried["deleted"]
    assert export(api) == after

    done = rolled_back(api, there)
    assert done["revision"] == top + 1
    assert len(done["difference"]) == len(tried["difference"])
    assert export(api) == before
    assert {change["verb"] for change in history(api, since=top)} == {"rollback"}

    again = rolled_back(api, top)
    assert again["revision"] == top + 2
    assert export(api) == after
    assert rolled_back(api, top + 2)["difference"] == []


def test_a_rollback_of_one_zone_leaves_the_others(api):
    there = api.put("a.one.test", "A", "10.0.0.1").revision
    api.put("a.one.test", "A", "10.0.0.2")
    api.put("a.two.test", "A", "10.0.0.2")
    rolled_back(api, there, "one.test")
    assert {name: rrset["records"] for (name, _), rrset in export(api).items()} == {
        "a.one.test.": ["10.0.0.1"],
        "a.two.test.": ["10.0.0.2"],
    }
    assert rollback(api, there, "four.test").status == 422


def test_a_rollback_while_others_write_is_of_one_moment(api):
    there = api.put("a.one.test", "A", "10.0.0.1").revision
    before = export(api)
    stop = threading.Event()

    def write():
        number = 0
        while not stop.is_set():
            number += 1
            batch(
                api,
                put(f"w{number % 50}.one.test", f"10.1.{number % 250}.1"),
                put(f"w{number % 50}.two.test", f"10.1.{number % 250}.1"),
            )

    writer = threading.Thread(target=write)
    writer.start()
    try:
        wait_until(lambda: api.status()["state"]["revision"] > there + 50, 30, "writes")
        done = [rolled_back(api, there)["revision"] for _ in range(5)]
    finally:
        stop.set()
        writer.join()
    # after each rollback, and before the next write, nothing is there but what was
    changes = history(api, since=there)
    for revision in done:
        state = {}
        for change in changes:
            if change["revision"] <= revision:
                state[change["name"]] = change.get("after")
        assert not any(state.values())
    assert [change["name"] for change in changes if change["name"].startswith("a.")] == []
    rolled_back(api, there)
    assert export(api) == before


def test_a_newer_write_of_another_source_is_undone_by_force_only(api):
    there = api.put("a.one.test", "A", "10.0.0.1").revision
    api.put("b.one.test", "A", "10.0.0.2")
    api.put("a.one.test", "A", "10.0.0.3", source="k8s")
    refused = rollback(api, there)
    assert refused.status == 409, refused
    assert refused.json["owner"] == "k8s"
    assert "a.one.test. A" in refused.json["detail"] and "force=true" in refused.json["detail"]
    assert rollback(api, there, dry_run="true").status == 409
    top = api.status()["state"]["revision"]
    rolled_back(api, there, force="true")
    assert [rrset["records"] for rrset in export(api).values()] == [["10.0.0.1"]]
    # that was the caller's own change, whosever RRset it brought back
    rolled_back(api, top)
    assert len(export(api)) == 2


def test_a_rollback_needs_a_revision_that_the_journal_reaches(daemon):
    api = daemon.api
    api.put("a.one.test", "A", "10.0.0.1")
    wait_written(api)
    daemon.stop()
    for segment in (daemon.directory / "state" / "journal").iterdir():
        segment.unlink()
    daemon.start()
    api.put("a.one.test", "A", "10.0.0.2")
    refused = rollback(api, 0)
    assert refused.status == 422, refused
    assert refused.json["path"] == "revision"
    assert "revisions 1 to 1 are missing" in refused.json["detail"]
    assert rollback(api, 99).status == 404
    for body in ({}, {"revision": "1"}, {"revision": -1}, {"revision": 1, "zones": 1}, []):
        assert api.request("POST", "/v1/rollback", body).status == 400
    rolled_back(api, 1)
    assert [rrset["records"] for rrset in export(api).values()] == [["10.0.0.1"]]


@pytest.fixture
def tokens(livezoned, tmp_path):
    """A livezoned, and its API by tokens: `one` may write one.test, `reader` reads two.test."""
    rows = [
        {"id": "one", "verbs": ["read", "write"], "zones": ["one.test"]},
        {"id": "reader", "verbs": ["read"], "zones": ["two.test"]},
    ]
    for row in rows:
        row["sha256"] = hashlib.sha256(row["id"].encode()).hexdigest()
    path = tmp_path / "tokens.yaml"
    path.write_text(json.dumps({"tokens": rows}))
    path.chmod(0o600)
    daemon = livezoned(zones=_ZONES, tcp=True, api={"tokens": str(path)})
    return daemon, {row["id"]: daemon.api_over_tcp(row["id"]) for row in rows}


def test_a_token_sees_and_undoes_its_own_zones_only(tokens):
    daemon, by = tokens
    local = Api(unix=daemon.config["api"]["unix"])
    there = by["one"].put("a.one.test", "A", "10.0.0.1").revision
    local.put("a.two.test", "A", "10.0.0.1")
    by["one"].put("a.one.test", "A", "10.0.0.2")
    wait_written(local)
    for identity, zone in (("one", "one.test."), ("reader", "two.test.")):
        changes = by[identity].get("/v1/history").json["changes"]
        assert changes and {change["name"] for change in changes} == {f"a.{zone}"}
        feed = by[identity].get("/v1/changes", since=0, values="true").json["changes"]
        names = {item["name"] for change in feed for item in change["changes"]}
        assert names == {f"a.{zone}"}
    assert by["one"].request("GET", "/v1/history", name="a.two.test").status == 403
    assert by["one"].request("GET", "/v1/history", zone="two.test").status == 403
    assert by["one"].request("GET", "/v1/changes", since=0, zone="two.test").status == 403
    assert rollback(by["reader"], there, "two.test").status == 403
    assert rollback(by["one"], there).status == 403
    assert rollback(by["one"], there, "two.test", force="true").status == 403
    rolled_back(by["one"], there, "one.test")
    assert local.get("/v1/rrsets/a.one.test/A").json["records"] == ["10.0.0.1"]
    assert local.get("/v1/rrsets/a.two.test/A").json["records"] == ["10.0.0.1"]

    # to undo what others wrote needs force, and the right to write as they
    there = local.put("b.one.test", "A", "10.0.0.1").revision
    local.put("b.one.test", "A", "10.0.0.2")
    assert rollback(by["one"], there, "one.test").status == 409
    assert rollback(by["one"], there, "one.test", force="true").status == 403


def test_an_ended_lease_is_in_history_and_comes_back(api):
    there = api.put("a.one.test", "A", "10.0.0.1", lease="1s").revision
    wait_until(lambda: not export(api), 20, "the lease has ended")
    ended = history(api, since=there)
    assert [(change["verb"], change["caller"]) for change in ended] == [("expire", "livezoned")]
    assert ended[0]["before"]["lease"] == "1s"
    rolled_back(api, there)
    assert [rrset["lease"] for rrset in export(api).values()] == ["1s"]


def big(name, number):
    text = " ".join([f'"{number:0250}"'] * 60)
    return {"put": {"name": name, "type": "TXT", "records": [text]}}


def test_a_journal_without_room_holds_no_write_up(livezoned, tmp_path, cleanup):
    daemon = livezoned(zones=_ZONES, start=False)
    state = daemon.directory / "state"
    disk = mount_small(cleanup, state / "journal", 8 * 1024 * 1024)
    daemon.start()
    first = daemon.api.put("a.one.test", "A", "10.0.0.1").revision
    wait_written(daemon.api)
    filler = fill(disk)
    for number in range(100):
        batch(daemon.api, big("b.one.test", number))
    wait_until(lambda: daemon.api.status()["alarms"], 20, "an alarm")
    alarm = daemon.api.status()["alarms"][0]
    assert alarm["name"] == "journal" and "No space left on device" in alarm["text"]
    assert "No space left on device" in daemon.api.status()["journal"]["error"]
    filler.unlink()
    # what waited in memory is not lost
    last = wait_written(daemon.api)
    assert [change["revision"] for change in history(daemon.api)] == list(range(first, last + 1))
    assert daemon.api.status()["journal"]["gaps"] == 0


def test_a_journal_that_is_read_only_holds_no_write_up(livezoned, cleanup):
    daemon = livezoned(zones=_ZONES, start=False)
    disk = mount_small(cleanup, daemon.directory / "state" / "journal", 1024 * 1024)
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    daemon.start()
    first = daemon.api.put("a.one.test", "A", "10.0.0.1").revision
    wait_until(lambda: daemon.api.status()["alarms"], 20, "an alarm")
    assert "Read-only file system" in daemon.api.status()["alarms"][0]["text"]
    last = daemon.api.put("a.one.test", "A", "10.0.0.2").revision
    assert daemon.api.status()["journal"]["queued"] > 0
    subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    assert [change["revision"] for change in history(daemon.api)] == [first, last]


def test_what_a_full_journal_lost_at_a_restart_is_shown_as_a_gap(livezoned, cleanup):
    daemon = livezoned(zones=_ZONES, start=False)
    disk = mount_small(cleanup, daemon.directory / "state" / "journal", 1024 * 1024)
    daemon.start()
    first = daemon.api.put("a.one.test", "A", "10.0.0.1").revision
    wait_written(daemon.api)
    filler = fill(disk)
    lost = [batch(daemon.api, big("b.one.test", number)) for number in range(3)]
    daemon.restart()
    filler.unlink()
    last = daemon.api.put("a.one.test", "A", "10.0.0.2").revision
    wait_written(daemon.api)
    reply = daemon.api.get("/v1/history").json
    assert [change["revision"] for change in reply["changes"]] == [first, last]
    assert reply["gaps"] == [{"from": lost[0], "to": lost[-1]}]
    assert daemon.api.status()["journal"]["gaps"] == 1
    assert daemon.api.get("/v1/changes", since=first, values="true").json["reset"]
    assert rollback(daemon.api, first).status == 422
    rolled_back(daemon.api, lost[-1])


def test_the_client_shows_history_and_rolls_back(daemon):
    there = daemon.api.put("a.one.test", "A", "10.0.0.1").revision
    daemon.ctl("put", "a.one.test", "A", "10.0.0.2", "10.0.0.3", "--ttl", "9")
    daemon.api.put("a.two.test", "TXT", '"x"', source="k8s")
    wait_written(daemon.api)
    lines = daemon.ctl("history", "a.one.test").stdout.splitlines()
    assert len(lines) == 2
    time = r"[0-9T:.-]+Z"
    assert re.fullmatch(
        rf"{there} {time} {_CALLER} \+ a\.one\.test\. 5 A 10\.0\.0\.1 \(source api\)", lines[0]
    )
    assert re.fullmatch(
        rf"{there + 1} {time} {_CALLER} ~ a\.one\.test\. 5 A 10\.0\.0\.1 -> 9 A 10\.0\.0\.2, 10\.0\.0\.3"
        r" \(source api\)",
        lines[1],
    ), lines[1]
    assert len(daemon.ctl("history", "--zone", "two.test", "--type", "TXT").stdout.splitlines()) == 1
    assert daemon.ctl("history", "--since", there + 1, "--until", "9h", check=False).returncode == 0
    asked = daemon.ctl("rollback", there, "--zone", "one.test", "--dry-run")
    assert "~ a.one.test. 9 A" in asked.stdout and "dry run" in asked.stdout
    refused = daemon.ctl("rollback", there, check=False)
    assert refused.returncode == 1 and "k8s" in refused.stderr
    done = daemon.ctl("rollback", there, "--force")
    assert "- a.two.test. 5 TXT" in done.stdout and "rolled back, revision" in done.stdout
    assert len(export(daemon.api)) == 1
    assert daemon.ctl("rollback", "soon", check=False).returncode == 2


def test_the_client_watches_with_values(daemon, cleanup):
    since = daemon.api.put("a.one.test", "A", "10.0.0.1").revision
    daemon.api.put("a.two.test", "A", "10.0.0.1")
    daemon.api.put("a.one.test", "A", "10.0.0.2")
    watch = subprocess.Popen(
        [build.LIVEZONECTL, "watch", "--values", "--zone", "one.test", "--since", str(since)],
        env={**os.environ, "LIVEZONE_CONF": str(daemon.config_file)},
        stdout=subprocess.PIPE,
        text=True,
    )
    cleanup.callback(watch.wait)
    cleanup.callback(watch.kill)
    line = watch.stdout.readline()
    assert line.startswith(f"{since + 2} ") and "10.0.0.1 -> 10.0.0.2" in line
