# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Leases as DNS sees them: TTLs, the end with and without livezoned, what answers then."""

import json
import sys
import threading
import time
from pathlib import Path

import pytest

from support.resolver import rcode_of
from support.strace import Strace, thread
from support.wait import wait_until
from support.wire import HttpClient

FALLBACK = ["held.live.test. 77 IN A 10.9.9.9", "held.live.test. 77 IN TXT fallback"]


def live(**policy):
    return [{"name": "live.test", "negative-ttl": 33, "fallback": FALLBACK, **policy}]


def is_over(whole, name, rtype="A"):
    return wait_until(
        lambda: rcode_of(whole.query(name, rtype)) == "NXDOMAIN", 10, f"{name} is over"
    )


def test_a_lease_ends_in_state_though_the_commit_of_its_end_failed(livezone):
    whole = livezone()
    api, pid = whole.api, whole.daemon.process.pid
    data = Path(whole.daemon.config["store"]["state"]) / "data.mdb"
    api.put("long.live.test", "A", "10.0.0.2", lease="1h", source="probe")
    last = api.put("short.live.test", "A", "10.0.0.1", lease="2s", source="probe").revision
    broken = Strace(pid, "fdatasync", "error=ENOSPC:when=1", paths=[data],
                    tid=thread(pid, "writer"))
    try:
        is_over(whole, "short.live.test")
        wait_until(lambda: api.status()["state"]["revision"] > last, 15, "state knows it")
    finally:
        broken.close()
    assert api.request("GET", "/v1/rrsets/long.live.test/A").status == 200


def test_no_ttl_is_longer_than_what_is_left_of_the_lease(livezone):
    whole = livezone(threads=1)
    api = whole.api
    begun = time.monotonic()
    api.put("a.live.test", "A", "10.0.0.1", ttl=300, lease="4s", source="probe")
    whole_begun = time.monotonic()
    api.put("srv.live.test", "SRV", "0 0 53 a.live.test.", ttl=300)
    api.put("free.live.test", "A", "10.0.0.2", ttl=300)
    seen = []
    while True:
        before = time.monotonic()
        answer = whole.query("a.live.test").answer
        after = time.monotonic()
        if not answer:
            break
        seen.append(answer[0].ttl)
        # it does not reach over the end, and is not cut more than a second short
        assert answer[0].ttl <= begun + 4 - before + (whole_begun - begun)
        assert answer[0].ttl > begun + 4 - after - 1.001
        message = whole.query("srv.live.test", "SRV")
        assert message.answer[0].ttl == 300
        assert whole.query("free.live.test").answer[0].ttl == 300
    assert begun + 4 <= after <= whole_begun + 4.5
    assert set(seen) == {3, 2, 1, 0}
    negative = whole.query("a.live.test")
    assert negative.authority[0].ttl == 5


def test_a_lease_ends_on_time_without_livezoned(livezone):
    whole = livezone(threads=1)
    whole.api.put("b.live.test", "A", "10.0.0.2", lease="1h")
    asked = time.monotonic()
    whole.api.put("a.live.test", "A", "10.0.0.1", lease="2s")
    acknowledged = time.monotonic()
    whole.daemon.kill()
    assert whole.answers("a.live.test") == ["10.0.0.1"]
    is_over(whole, "a.live.test")
    assert time.monotonic() - asked >= 2
    assert time.monotonic() - acknowledged <= 2.6
    # a node with two types keeps the one that lives
    assert whole.answers("b.live.test") == ["10.0.0.2"]
    # livezoned comes back, and it stays away
    whole.daemon.start()
    assert rcode_of(whole.query("a.live.test")) == "NXDOMAIN"
    wait_until(
        lambda: whole.api.request("GET", "/v1/rrsets/a.live.test/A").status == 404, 10, "removed"
    )


def test_a_name_that_is_over_blocks_no_wildcard_without_livezoned(livezone):
    whole = livezone(threads=1)
    whole.api.put("*.live.test", "A", "10.0.0.9")
    whole.api.put("b.live.test", "A", "10.0.0.1", lease="2s")
    assert rcode_of(whole.query("x.b.live.test")) == "NXDOMAIN"
    whole.daemon.kill()
    wait_until(lambda: whole.answers("b.live.test") == ["10.0.0.9"], 10, "b.live.test is over")
    assert whole.answers("x.b.live.test") == ["10.0.0.9"]


def test_explain_knows_what_is_over_above_a_name(livezone):
    whole = livezone(zones=live(**{"on-expiry": "remove"}), threads=1)
    whole.api.put("*.live.test", "A", "10.0.0.9")
    whole.api.put("held.live.test", "A", "10.0.0.1", lease="1s")
    wait_until(lambda: whole.answers("x.held.live.test") == ["10.0.0.9"], 10, "it is over")
    told = whole.api.get("/v1/explain", name="x.held.live.test", type="A").json
    assert told["outcome"] == "found"
    assert [(step["event"], step["name"]) for step in told["steps"][1:4]] == [
        ("absent", "x.held.live.test."),
        ("expired", "held.live.test."),
        ("encloser", "live.test."),
    ]


def test_heartbeats_keep_a_thousand_records_alive(livezone, measured):
    whole = livezone(threads=1)
    changes = [
        {"put": {"name": f"n{n}.live.test", "type": "A", "records": ["10.0.0.1"],
                 "source": "probe", "lease": "2s"}}
        for n in range(1000)
    ]
    whole.api.batch(changes)
    commits = whole.api.status()["writer"]["commits"]
    beats, took = 0, 0.0
    end = time.monotonic() + 4
    while time.monotonic() < end:
        before = time.monotonic()
        reply = whole.api.request("POST", "/v1/sources/probe/heartbeat")
        took += time.monotonic() - before
        beats += 1
        assert reply.json["renewed"] == 1000
        assert whole.answers(f"n{beats % 1000}.live.test") == ["10.0.0.1"]
    status = whole.api.status()
    assert status["state"]["revision"] == 1
    assert status["writer"]["commits"] - commits <= beats
    measured(f"{beats} heartbeats of 1,000 leases, {1000 * took / beats:.1f} ms each")
    # all of them end in one commit
    wait_until(lambda: whole.api.status()["state"]["rrsets"] == 0, 10, "the leases end")
    assert whole.api.status()["state"]["revision"] == 2
    assert rcode_of(whole.query("n7.live.test")) == "NXDOMAIN"


def commits(daemon):
    """Of state: LMDB counts its transactions in the two meta pages, 144 octets in."""
    with open(Path(daemon.config["store"]["state"]) / "data.mdb", "rb") as file:
        pages = [file.read(4096), file.read(4096)]
    return max(int.from_bytes(page[144:152], sys.byteorder) for page in pages)


def test_heartbeats_that_come_together_are_one(livezoned, measured):
    daemon = livezoned()
    changes = [
        {"put": {"name": f"n{n}.live.test", "type": "A", "records": ["10.0.0.1"],
                 "source": "probe", "lease": "1h"}}
        for n in range(3000)
    ]
    daemon.api.batch(changes)
    replies = []

    def beat(count):
        client = HttpClient(str(daemon.api.unix), timeout=60.0)
        for _ in range(count):
            status, body = client.send("POST", "/v1/sources/probe/heartbeat", "")
            replies.append((status, json.loads(body)["renewed"]))

    before = commits(daemon)
    beat(20)
    alone = commits(daemon) - before
    clients = [threading.Thread(target=beat, args=(10,)) for _ in range(30)]
    before = commits(daemon)
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    together = commits(daemon) - before
    assert replies == [(200, 3000)] * 320
    measured(f"20 one by one: {alone} commits of state, 300 of 30 clients: {together}")
    assert alone >= 20
    assert together <= 150


def test_by_default_fallback_records_answer_for_what_is_over(livezone):
    whole = livezone(zones=live(), threads=1)
    whole.api.put("held.live.test", "A", "10.0.0.1", lease="1s")
    assert whole.answers("held.live.test") == ["10.0.0.1"]
    wait_until(lambda: whole.answers("held.live.test") == ["10.9.9.9"], 10, "the fallback")
    assert whole.api.get("/v1/zones/live.test").json["policy"]["on-expiry"] == "fallback"


@pytest.mark.parametrize("is_dead", [False, True], ids=["alive", "dead"])
def test_on_expiry_remove_keeps_fallback_records_back(livezone, is_dead):
    whole = livezone(zones=live(**{"on-expiry": "remove"}), threads=1)
    assert whole.answers("held.live.test") == ["10.9.9.9"]
    whole.api.put("gone.live.test", "A", "10.0.0.1", lease="2s", source="probe")
    whole.api.put("held.live.test", "A", "10.0.0.1", lease="2s", source="probe")
    assert whole.answers("held.live.test") == ["10.0.0.1"]
    if is_dead:
        whole.daemon.kill()
    wait_until(lambda: whole.answers("held.live.test") != ["10.0.0.1"], 10, "the lease is over")
    # another type of the name has a fallback record still: the name exists
    message = whole.query("held.live.test")
    assert rcode_of(message) == "NOERROR" and not message.answer
    assert message.authority[0].ttl == 33
    assert whole.answers("held.live.test", "TXT") == ['"fallback"']
    assert rcode_of(whole.query("gone.live.test")) == "NXDOMAIN"
    if is_dead:
        whole.daemon.start()
    wait_until(
        lambda: whole.api.request("GET", "/v1/rrsets/gone.live.test/A").status == 404, 10, "removed"
    )
    api = whole.api
    assert api.get("/v1/rrsets/held.live.test/A").json["lease-left"] == "0s"
    told = api.get("/v1/explain", name="held.live.test", type="A").json
    step = next(step for step in told["steps"] if step["event"] == "held-back")
    assert step["policy"] == {"on-expiry": "remove"}
    # neither a heartbeat, nor a restart, nor a new serve, nor an export brings it back
    api.request("POST", "/v1/sources/probe/heartbeat")
    assert whole.answers("held.live.test") == []
    whole.daemon.restart()
    assert whole.answers("held.live.test") == []
    text = api.request("GET", "/v1/zones/live.test", headers={"Accept": "text/dns"}).text
    assert "held.live.test" not in text
    backup = api.get("/v1/backup").text
    kept = [line for line in backup.splitlines() if "held.live.test" in line]
    assert len(kept) == 1 and '"lease-left":"0s"' in kept[0]
    # nor a restore, over nothing or over one that is live again
    for again in (api.delete, lambda *at: api.put(*at, "10.0.0.1", lease="1h", source="probe")):
        again("held.live.test", "A")
        assert whole.answers("held.live.test") != []
        restored = api.request("PUT", "/v1/restore", backup,
                               {"Content-Type": "application/x-ndjson"})
        assert restored.status == 200
        assert whole.answers("held.live.test") == []
        assert api.get("/v1/rrsets/held.live.test/A").json["lease-left"] == "0s"
    # a write does, and a deletion lets the fallback records through again
    api.put("held.live.test", "A", "10.0.0.2")
    assert whole.answers("held.live.test") == ["10.0.0.2"]
    api.delete("held.live.test", "A")
    assert whole.answers("held.live.test") == ["10.9.9.9"]
