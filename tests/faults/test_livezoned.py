# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""livezoned killed, stopped, slow (F1 to F10, F65)."""

import os
import random
import signal
import threading
import time

import pytest

from support import truth
from support.enumeration import (
    Batch,
    Single,
    Source,
    break_at_every_call,
    break_at_some_calls,
    points_of,
    value_of,
)
from support.faults import FULL
from support.filesystem import mount_image, mount_small
from support.http import Api
from support.load import address
from support.service_manager import ServiceManager
from support.strace import Strace, thread
from support.wait import wait_until

_WATCHDOG_S = 2
_PLACES = ["disk", "tmpfs", "ext4"] if FULL else ["disk"]


@pytest.fixture
def place(request, tmp_path, cleanup):
    """The directory of state, on a file system of that kind."""
    path = tmp_path / "state-of-its-own"
    if request.param == "tmpfs":
        return mount_small(cleanup, path, 256 << 20)
    if request.param == "ext4":
        return mount_image(cleanup, path)
    return path


@pytest.mark.parametrize("place", _PLACES, indirect=True)
def test_f3_killed_at_every_call_of_a_write(faults, place, tmp_path):
    faults.need("strace")
    whole = faults.whole(cold=200, store={"state": str(place)})
    kills = {}
    with faults.probing(whole, writes=0) as watch:
        operations = {
            "put": Single(whole),
            "batch": Batch(whole, watch.writer),
            "source": Source(whole, faults.pick(150, 3000)),
        }
        for name, operation in operations.items():
            assert operation.run()  # the first one is of another kind
            calls = points_of(whole, operation, tmp_path / "calls")
            if faults.full:
                kills[name] = break_at_every_call(whole, operation, calls)
            else:
                kills[name] = break_at_some_calls(whole, operation, calls, random.Random(3), 14)
            assert kills[name] >= 5, calls
    watch.must(note=f"kills: {kills}")


class Rebuild(Batch):
    """The batch, but serve is gone: it is built anew beside the old place and renamed."""

    def run(self):
        data = os.path.join(self.whole.daemon.serve, "data.mdb")
        if os.path.exists(data):
            os.unlink(data)
        return super().run()

    def check(self):
        """The module goes on with what it has mapped until it has found the new one."""

        def is_good():
            super(Rebuild, self).check()
            return True

        wait_until(is_good, 10, "the last write is served")


def test_f3_killed_at_every_call_of_a_rebuild(faults, tmp_path):
    faults.need("strace")
    whole = faults.whole(cold=200)
    with faults.probing(whole, writes=0) as watch:
        operation = Rebuild(whole, watch.writer)
        calls = points_of(whole, operation, tmp_path / "calls")
        assert {"rename", "renameat2"} & set(calls)
        if faults.full:
            kills = break_at_every_call(whole, operation, calls)
        else:
            kills = break_at_some_calls(whole, operation, calls, random.Random(3), 16)
        assert kills >= 5
    watch.must(note=f"{kills} kills in a rebuild of {len(calls)} calls", stale_ok=True)


def test_f65_killed_between_the_two_commits(faults):
    faults.need("strace")
    whole = faults.whole(cold=200)
    with faults.probing(whole, writes=0) as watch:
        for _ in range(faults.pick(5, 100)):
            pid = whole.daemon.process.pid
            broken = Strace(pid, "writev,pwrite64,lseek", "signal=KILL:when=1",
                            paths=[faults.data_of(whole)], tid=thread(pid, "writer"))
            try:
                watch.writer.write()
            finally:
                broken.close()
            last = watch.writer.writes[-1]
            assert not last.stored
            whole.daemon.kill()
            before = value_of(whole, truth.hot(last.cell))
            assert before < last.number, "serve was not to be written yet"
            whole.daemon.start()
            assert value_of(whole, truth.hot(last.cell)) == last.number, "it is durable"
            assert whole.api.status()["serve"]["rebuilds"] == 0, "caught up, not rebuilt"
    watch.must(note="unacknowledged, durable, served after the start")


def test_f2_killed_when_idle(faults):
    whole = faults.whole()
    longest = 0.0
    with faults.probing(whole, writes=0) as watch:
        for _ in range(faults.pick(5, 50)):
            watch.writer.write()
            wait_until(lambda: whole.api.status()["writer"]["queued"] == 0, 5, "idle")
            before = whole.api.status()
            begin = time.monotonic()
            whole.daemon.kill()
            whole.daemon.start()
            longest = max(longest, time.monotonic() - begin)
            after = whole.api.status()
            assert after["serve"]["rebuilds"] == 0
            assert after["state"]["revision"] == before["state"]["revision"]
    assert longest < 1.0, f"{longest:.2f} s"
    watch.must(note=f"back after {longest:.2f} s at most, no rebuild")


def watched(faults, tmp_path, cleanup, **options):
    """The whole, with a service manager that has a short watchdog."""
    manager = ServiceManager(tmp_path, _WATCHDOG_S)
    cleanup.callback(manager.close)
    daemon = faults.daemon(start=False, **options)
    daemon.environment = manager.environment
    daemon.start()
    return faults.whole(cold=200, daemon=daemon), manager


def restart(whole, manager, stopped):
    """What systemd does when its watchdog bites; strace lets go of what it holds."""
    manager.wait_dead()
    whole.daemon.process.signal(signal.SIGKILL)
    stopped.close()
    whole.daemon.kill()
    whole.daemon.start()


def is_stopped(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0] in "Tt"


@pytest.mark.parametrize("call", ["pwrite64", "fdatasync", "futex"] if FULL else ["fdatasync"])
def test_f4_stopped_inside_a_commit(faults, tmp_path, cleanup, call):
    faults.need("strace")
    whole, manager = watched(faults, tmp_path, cleanup)
    with faults.probing(whole) as watch:
        pid = whole.daemon.process.pid
        stopped = Strace(pid, call, "signal=STOP:when=1", tid=thread(pid, "writer"))
        cleanup.callback(stopped.close)
        wait_until(lambda: is_stopped(pid), 10, "livezoned is stopped")
        acks = watch.writer.acks
        watch.ask(1000)
        assert watch.writer.acks == acks, "nobody writes"
        with watch.fault():
            restart(whole, manager, stopped)
        watch.wait_live()
    watch.must(note=f"stopped at {call}; the watchdog bit after {_WATCHDOG_S} s")


def test_f5_stopped_inside_the_reader_check(faults, tmp_path, cleanup):
    """livezoned holds the mutex of the reader table, and Unbound, which needs it once for each
    thread, starts now."""
    faults.need("strace")
    whole, manager = watched(faults, tmp_path, cleanup)
    with faults.probing(whole, writes=20) as watch:
        pid = whole.daemon.process.pid
        with watch.away():
            whole.unbound.process.kill()
            # the first look finds that the reader is dead, the second is made with the mutex
            stopped = Strace(pid, "fcntl", "signal=STOP:when=2", tid=thread(pid, "writer"),
                             paths=[os.path.join(whole.daemon.serve, "lock.mdb")])
            cleanup.callback(stopped.close)
            wait_until(lambda: is_stopped(pid), 15, "livezoned is in its reader check")
            begin = time.monotonic()
            whole.unbound.start()
            started_s = time.monotonic() - begin
            for name, expected in truth.fallback_records().items():
                assert whole.answers(name) == [expected], "the ladder"
            with watch.fault():
                restart(whole, manager, stopped)
            watch.wait_live()
    watch.must(same_process=False, fallback_ok=True, stale_ok=True, p99_ms=None,
               note=f"Unbound started in {started_s:.2f} s")


def sizes(whole):
    """Bytes of every file of both stores, by name."""
    found = {}
    for store in ("state", "serve"):
        for folder, _, names in os.walk(whole.daemon.config["store"][store]):
            for name in names:
                # The journal begins a segment at each start, and a gap in it brings a backup; both
                # have bounds of their own.
                if not name.endswith((".report", ".jsonl", ".partial")) \
                        and not name.startswith("journal-"):
                    path = os.path.join(folder, name)
                    found[f"{store}/{name}"] = os.stat(path).st_size
    return found


def test_f6_crash_loop(faults):
    whole = faults.whole()
    kills = faults.pick(15, 300)
    chance = random.Random(6)
    with faults.probing(whole) as watch:
        before = sizes(whole)
        for _ in range(kills):
            acks = watch.writer.acks + chance.randrange(1, 15)
            wait_until(lambda: watch.writer.acks >= acks, 20, "it is back")
            whole.daemon.kill()
            whole.daemon.start()
        after = sizes(whole)
    grown = {name: size for name, size in after.items() if size > before.get(name, 0)}
    assert set(after) == set(before), "files are left behind"
    assert sum(grown.values()) <= 2 * sum(before.get(name, 0) for name in grown) + (1 << 20), grown
    watch.must(note=f"{kills} kills; files {sum(before.values()) >> 10} KiB before, "
                    f"{sum(after.values()) >> 10} KiB after")


def test_f36_slow_disk(faults, cleanup):
    """Half a second for each operation on state: answers come late, the queue is bounded, and
    nobody takes the writer for a stuck one."""
    faults.need("strace")
    whole = faults.whole(cold=200)
    statuses = []

    def send(number):
        puts = [{"put": {"name": f"q{number}-{at}.{truth.ZONE}", "type": "A",
                         "records": [address(number)]}} for at in range(999)]
        api = Api(unix=whole.api.unix, timeout=120)
        statuses.append(api.request("POST", "/v1/batch", {"changes": puts}).status)
        api.close()

    with faults.probing(whole, writes=0) as watch:
        pid = whole.daemon.process.pid
        slow = Strace(pid, "pwrite64,writev,fdatasync", "delay_enter=500000",
                      paths=[os.path.join(whole.daemon.config["store"]["state"], "data.mdb")],
                      tid=thread(pid, "writer"))
        cleanup.callback(slow.close)
        begin = time.monotonic()
        watch.writer.write()
        one_s = time.monotonic() - begin
        assert watch.writer.writes[-1].acked_ns and one_s > 0.5
        # more than the queue takes of small changes beside the group at work
        senders = [threading.Thread(target=send, args=(number,)) for number in range(64)]
        for sender in senders:
            sender.start()
        wait_until(lambda: 503 in statuses, 30, "the queue is full")
        watch.ask(faults.pick(2000, 40000))
        slow.close()
        for sender in senders:
            sender.join(120)
        assert set(statuses) == {200, 503}
        watch.writer.write()  # perhaps on a connection that was idle for too long
        watch.writer.write()
        assert watch.writer.writes[-1].acked_ns
    assert "has made no progress" not in whole.daemon.process.output()
    watch.must(note=f"an answer after {one_s:.1f} s; {statuses.count(503)} of 64 batches "
                    "refused with 503")
