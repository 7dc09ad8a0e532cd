# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""The watchdog: patted while the writer moves, and only then."""

import os
import shutil
import signal
import threading
import time
from pathlib import Path

import pytest

from support import build
from support.service_manager import ServiceManager
from support.strace import Strace, thread
from support.wait import wait_until

_WATCHDOG_S = 4 if build.is_instrumented() else 2
_NAMES = 1_000_000 if build.LONG else 300_000


@pytest.fixture
def manager(tmp_path, cleanup):
    made = ServiceManager(tmp_path, _WATCHDOG_S)
    cleanup.callback(made.close)
    return made


@pytest.fixture
def watched(livezoned, manager):
    """A livezoned with a service manager, ready."""
    daemon = livezoned(start=False)
    daemon.environment = manager.environment
    daemon.start()
    wait_until(lambda: manager.heard("READY=1"), 10, "READY=1")
    return daemon


@pytest.fixture
def alone(livezoned):
    """A livezoned that watches itself, without a service manager."""
    daemon = livezoned(start=False)
    daemon.arguments = ["--watchdog", "2"]
    daemon.start()
    return daemon


def restart(daemon, by=signal.SIGABRT, stuck=None):
    """What systemd does when its watchdog bites. A thread that strace holds ends with strace."""
    daemon.process.signal(by)
    if stuck:
        stuck.close()
    assert daemon.process.wait() == -by
    daemon.start()


def put_in_background(cleanup, daemon, name):
    """A write whose answer nobody waits for."""

    def put():
        try:
            daemon.api.put(name, "A", "10.0.0.9")
        except (OSError, AssertionError):
            pass  # livezoned is killed meanwhile

    sender = threading.Thread(target=put, daemon=True)
    sender.start()
    cleanup.callback(sender.join, 60)
    return sender


def test_an_idle_writer_is_patted_for(watched, manager):
    since = time.monotonic()
    wait_until(lambda: time.monotonic() > since + 3 * _WATCHDOG_S, 20, "time passes")
    assert not manager.is_dead()
    assert manager.longest_gap(since, time.monotonic()) < _WATCHDOG_S


def put_zone(daemon, count, octet):
    """A whole zone of names; `octet` makes every address another."""
    text = "$ORIGIN live.test.\n" + "".join(
        f"h{number} 5 IN A 10.{octet}.{number >> 8 & 255}.{number & 255}\n"
        for number in range(count)
    )
    reply = daemon.api.request("PUT", "/v1/zones/live.test", text, {"Content-Type": "text/dns"})
    assert reply.status == 200, reply


def own_memory(pid):
    """Bytes that are no file's."""
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("RssAnon"))


@pytest.mark.timeout(900)
def test_long_work_does_not_trip_it(watched, manager, measured):
    since = time.monotonic()
    for octet in (1, 2):  # all new, then all changed
        put_zone(watched, _NAMES, octet)
    watched.process.signal(signal.SIGHUP)
    wait_until(lambda: len(manager.heard("READY=1")) == 2, 60, "reloaded")
    gap = manager.longest_gap(since, time.monotonic())
    # what the changes took is given back, but for what LMDB keeps for serve
    if not build.is_instrumented():
        wait_until(lambda: own_memory(watched.process.pid) < _NAMES * 160, 20, "memory is given back")
    measured(f"{_NAMES} names twice and a reload: {time.monotonic() - since:.1f} s, "
             f"longest gap between pats {gap:.2f} s")
    assert gap < _WATCHDOG_S
    watched.stop()
    before = time.monotonic()
    watched.start()
    wait_until(lambda: manager.heard("READY=1", before), 10, "READY=1")


def test_a_long_start_asks_for_more_time(watched, manager):
    put_zone(watched, 5000, 1)
    watched.stop()
    shutil.rmtree(watched.serve)  # it is built anew
    before = time.monotonic()
    watched.start()
    wait_until(lambda: manager.heard("READY=1", before), 10, "READY=1")
    asked = manager.heard("EXTEND_TIMEOUT_USEC=", before)
    assert asked and min(asked) < min(manager.heard("READY=1", before))


def test_a_writer_that_is_stuck_in_a_system_call_ends_the_patting(
    watched, manager, cleanup
):
    watched.api.put("kept.live.test", "A", "10.0.0.1")
    stuck = Strace(
        watched.process.pid,
        "fdatasync",
        "delay_enter=600000000",
        tid=thread(watched.process.pid, "writer"),
    )
    cleanup.callback(stuck.close)
    put_in_background(cleanup, watched, "stuck.live.test")
    manager.wait_dead()
    assert watched.api.request("GET", "/v1/status").status == 200  # the rest of it is alive
    assert "the writer has made no progress for" in watched.process.output()
    restart(watched, stuck=stuck)
    assert watched.api.get("/v1/rrsets/kept.live.test/A").json["records"] == ["10.0.0.1"]
    watched.api.put("after.live.test", "A", "10.0.0.2")


def test_a_process_that_is_stopped_ends_the_patting(watched, manager):
    watched.api.put("kept.live.test", "A", "10.0.0.1")
    watched.process.signal(signal.SIGSTOP)
    manager.wait_dead()
    restart(watched, signal.SIGKILL)
    assert watched.api.get("/v1/rrsets/kept.live.test/A").json["records"] == ["10.0.0.1"]


def test_one_that_was_stopped_for_long_goes_on_when_it_is_continued(alone):
    alone.process.signal(signal.SIGSTOP)
    since = time.monotonic()
    wait_until(lambda: time.monotonic() > since + 5, 10, "it was stopped for long")
    alone.process.signal(signal.SIGCONT)
    for number in range(30):
        alone.api.put("name.live.test", "A", f"10.0.0.{number}")
    assert alone.process.is_running()


def test_without_systemd_a_stuck_writer_ends_livezoned(alone, cleanup):
    alone.api.put("kept.live.test", "A", "10.0.0.1")
    pid = alone.process.pid
    stuck = Strace(pid, "fdatasync", "delay_enter=600000000", tid=thread(pid, "writer"))
    cleanup.callback(stuck.close)
    put_in_background(cleanup, alone, "stuck.live.test")
    wait_until(lambda: "exiting, to be restarted" in alone.process.output(), 30, "it ends")
    stuck.close()  # it holds the thread even now
    assert alone.process.wait(30) == 1
    alone.start()
    assert alone.api.get("/v1/rrsets/kept.live.test/A").json["records"] == ["10.0.0.1"]


@pytest.mark.parametrize("value", ["", "x", "-1", "5s", "86401"])
def test_a_bad_number_of_seconds_is_refused(livezoned, value):
    daemon = livezoned(start=False)
    daemon.arguments = ["--watchdog", value]
    daemon.spawn()
    assert daemon.process.wait() == 2
    assert "--watchdog" in daemon.process.output()
