# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Clocks that jump, machines that sleep."""

import signal
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

from support import truth
from support.compiled import compiled
from support.resolver import rcode_of
from support.wait import wait_until

_PRELOAD = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
LASTING, TTL = f"lasting.{truth.ZONE}", 300


def preload():
    """The library, wherever this architecture has it."""
    found = [_PRELOAD, *Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")]
    library = next((path for path in found if path.exists()), None)
    # faketime subtracts its offset from timers of clocks that it does not fake
    timers = compiled(Path(__file__).parent / "real_timers.c", "-shared", "-fPIC",
                      name="real_timers.so")
    return library and f"{timers}:{library}"


def under_fake_time(process, library, file):
    """From its next start on. Only the wall clock is faked: no kernel lets the others jump."""
    process.env |= {
        "LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


def days_from_now(days):
    """As faketime takes it: a time without a sign stands still."""
    return (datetime.now(timezone.utc) + timedelta(days=days)).strftime("%Y-%m-%d %H:%M:%S")


def put_leased(whole, name, lease, number):
    return whole.api.put(name, "A", f"10.7.0.{number}", ttl=TTL, lease=lease, source="probe")


def check_short_lease(whole, name, number):
    """It lives its second and no more, whatever the wall clock says."""
    before = time.monotonic()
    reply = put_leased(whole, name, "1s", number)
    after = time.monotonic()
    answer = whole.query(name).answer
    if time.monotonic() < before + 1:
        assert answer and answer[0].ttl <= 1, answer
    wait_until(lambda: rcode_of(whole.query(name)) == "NXDOMAIN", 10, f"{name} is over")
    assert before + 1 <= time.monotonic() <= after + 4
    return reply


def test_f56_the_clock_jumps(faults, tmp_path):
    library = preload()
    if not library:
        faults.skip("faketime is not installed")
    clock = tmp_path / "clock"
    clock.write_text("+0\n")
    whole = faults.whole(cold=200)
    for server in (whole.daemon, whole.unbound):
        server.stop()
        under_fake_time(server.process, library, clock)
        server.start()
    whole.wait_live()
    faults.wait_snapshot(whole)
    put_leased(whole, LASTING, "1h", 1)
    begun = time.monotonic()
    etags = [whole.api.get(f"/v1/rrsets/{LASTING}/A").headers["ETag"]]

    def check(round_):
        answer = whole.query(LASTING).answer
        assert answer and answer[0].ttl == TTL, "a lease of an hour is over"
        reply = check_short_lease(whole, f"short.{truth.ZONE}", round_)
        etags.append(reply.headers["ETag"])
        left = whole.api.get(f"/v1/rrsets/{LASTING}/A").json["lease-left"]
        assert abs(float(left.rstrip("s")) - (3600 - (time.monotonic() - begun))) < 3

    with faults.probing(whole) as watch:
        for round_, (text, days) in enumerate(
            (("+1y", 365), ("-1y", -365), (days_from_now(40), 40))
        ):
            clock.write_text(f"{text}\n")
            check(round_)
            # the audit line of the write has the time that was faked
            logged = whole.daemon.process.output().splitlines()[-1]
            assert logged.startswith(days_from_now(days)[:7]), (text, logged)
            shown = whole.api.status()
            assert float(shown["uptime"].rstrip("s")) < 3600, shown["uptime"]
            assert all(float(unbound["age"].rstrip("s")) < 60 for unbound in shown["unbounds"])
    revisions = [int(etag.strip('"')) for etag in etags]
    assert revisions == sorted(set(revisions)), "an ETag is older than one before it"
    # faketime reads its file whenever somebody asks for the time
    watch.must(p99_ms=None, note="+1 year, -1 year, standing still")
    # nor does a start with another wall clock than that of the one before
    clock.write_text("+1y\n")
    whole.daemon.restart()
    check(9)


def paused(whole):
    for server in (whole.unbound, whole.daemon):
        server.process.signal(signal.SIGSTOP)


def resumed(whole):
    for server in (whole.unbound, whole.daemon):
        server.process.signal(signal.SIGCONT)


def test_f57_the_machine_is_paused(faults, cleanup):
    whole = faults.whole(cold=200)
    pause = faults.pick(3, 600)
    shorts = [f"short-{number}.{truth.ZONE}" for number in range(200)]
    longs = [f"long-{number}.{truth.ZONE}" for number in range(200)]
    puts = [{"name": name, "type": "A", "records": ["10.7.0.1"], "source": "probe",
             "lease": lease, "ttl": TTL}
            for names, lease in ((shorts, f"{pause}s"), (longs, "2h")) for name in names]
    with faults.probing(whole, writes=20) as watch:
        revision = whole.api.batch([{"put": put} for put in puts]).json["revision"]
        assert whole.query(shorts[0]).answer
        cleanup.callback(resumed, whole)
        with watch.away():
            paused(whole)
            end = time.monotonic() + pause
            wait_until(lambda: time.monotonic() > end, pause + 5, "the pause")
            resumed(whole)
            # what was asked meanwhile is answered or given up
            wait_until(lambda: whole.query(longs[0]).answer, 10, "it resumes")
        for name in shorts[:20]:
            assert rcode_of(whole.query(name)) == "NXDOMAIN", f"{name} is over"
        for name in longs:
            answer = whole.query(name).answer
            assert answer and answer[0].ttl == TTL
        # one change takes all of them out
        wait_until(
            lambda: whole.api.request("GET", f"/v1/rrsets/{shorts[-1]}/A").status == 404,
            10, "the leases are removed")
        ends = [change for change in whole.api.get(
            "/v1/changes", since=revision).json["changes"]
            if any(item["op"] == "delete" and item["name"].startswith("short-")
                   for item in change["changes"])]
        assert len(ends) == 1 and len(ends[0]["changes"]) == len(shorts)
        beat = whole.api.request("POST", "/v1/sources/probe/heartbeat").json
        assert beat["renewed"] == len(longs)
        watch.wait_live()
    # what was asked in the pause is answered behind it
    watch.must(p99_ms=None, note=f"{pause} s")
