# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""No room under `state` or `serve`: nothing half-written, and well again when there is room."""

import threading
import time
from pathlib import Path

from support import build
from support.filesystem import fill, mount_small
from support.strace import Strace, thread
from support.wait import wait_until

_AT_ONCE_S = 9 if build.is_instrumented() else 3  # 5 s is what opening anew waits for readers


def put(api, name, text):
    body = {"records": [f'"{text}"'], "ttl": 5}
    return api.request("PUT", f"/v1/rrsets/{name}.live.test/TXT", body)


def write_until_full(api, names):
    """Writes 16 KiB RRsets until one is refused; returns its number and the reply."""
    text = '" "'.join(["x" * 250] * 64)
    for number in range(names):
        reply = put(api, f"n{number}", text)
        if reply.status != 200:
            return number, reply
    raise AssertionError(f"{names} writes and the disk is not full")


def _is_held(pid, name):
    """Does strace hold the thread in one call? Every other call is a stop of a moment."""
    status = Path(f"/proc/{pid}/task/{thread(pid, name)}/status")
    return all("\nState:\tt" in status.read_text() for _ in range(100))


def test_a_full_disk_under_state_is_507_and_nothing_is_half_written(
    livezone, livezoned, tmp_path, cleanup
):
    disk = mount_small(cleanup, tmp_path / "disk", 8 * 1024 * 1024)
    daemon = livezoned(store={"state": str(disk / "state")})
    whole = livezone(daemon=daemon)
    kept = whole.api.put("kept.live.test", "A", "10.0.0.1").revision
    filler = fill(disk)
    number, refused = write_until_full(whole.api, 2000)
    assert refused.status == 507
    assert refused.json["type"] == "urn:livezone:store-full"
    assert refused.json["detail"]

    # the refused write is nowhere, the revision is that of the last accepted one
    status = whole.api.status()
    assert status["state"]["revision"] == kept + number
    assert status["serve"]["revision"] == kept + number
    name = f"n{number}.live.test"
    assert whole.api.request("GET", f"/v1/rrsets/{name}/TXT").status == 404
    assert whole.answers(name, "TXT", tcp=True) == []
    # neither is any part of a batch
    batch = [
        {"put": {"name": f"b{index}.live.test", "type": "TXT", "records": ['"' + "y" * 250 + '"'] }}
        for index in range(400)
    ]
    reply = whole.api.request("POST", "/v1/batch", {"changes": batch})
    assert reply.status == 507
    zone = whole.api.get("/v1/zones/live.test").json
    assert not [rrset for rrset in zone["rrsets"] if rrset["name"].startswith("b")]
    assert zone["revision"] == kept + number
    # DNS and reads go on
    assert whole.answers("kept.live.test") == ["10.0.0.1"]

    # a restart on the full disk finds the same
    daemon.restart()
    assert whole.api.status()["state"]["revision"] == kept + number
    assert whole.answers("kept.live.test") == ["10.0.0.1"]

    filler.unlink()
    wait_until(lambda: put(whole.api, f"n{number}", "room").status == 200, 10, "room again")
    assert whole.answers(name, "TXT") == ['"room"']
    assert whole.api.status()["state"]["revision"] == kept + number + 1
    whole.api.batch(batch)
    assert whole.answers("b399.live.test", "TXT") == ['"' + "y" * 250 + '"']


def test_after_a_failed_commit_nobody_waits_for_a_reader_that_waits_for_the_writer(
    livezone, cleanup
):
    whole = livezone()
    body = {"rrsets": [{"name": "a.live.test", "type": "A", "records": ["10.0.0.1"], "ttl": 5}]}
    assert whole.api.request("PUT", "/v1/sources/one", body).status == 200
    pid = whole.daemon.process.pid
    data = Path(whole.daemon.config["store"]["state"]) / "data.mdb"
    slow = Strace(pid, "fdatasync", "error=ENOSPC:delay_enter=1000000:when=1", paths=[data],
                  tid=thread(pid, "writer"))
    cleanup.callback(slow.close)
    replies = {}

    def ask(key, method, path, body=None):
        begin = time.monotonic()
        reply = whole.api.request(method, path, body)
        replies[key] = reply.status, time.monotonic() - begin

    put = ("put", "PUT", "/v1/rrsets/b.live.test/A", {"records": ["10.0.0.2"], "ttl": 5})
    asking = [threading.Thread(target=ask, args=put)]
    asking[0].start()
    wait_until(lambda: _is_held(pid, "writer"), 5, "the commit is under way")
    for number in range(4):
        for question in (
            (f"heartbeat {number}", "POST", "/v1/sources/one/heartbeat"),
            (f"status {number}", "GET", "/v1/status"),
        ):
            asking.append(threading.Thread(target=ask, args=question))
            asking[-1].start()
    for one in asking:
        one.join(60)
    assert replies.pop("put")[0] == 507
    assert [status for status, _ in replies.values()] == [200] * 8, replies
    assert max(seconds for _, seconds in replies.values()) < _AT_ONCE_S, replies
    whole.api.put("b.live.test", "A", "10.0.0.2")
    assert whole.answers("b.live.test") == ["10.0.0.2"]


def test_a_long_reading_ends_for_a_state_that_is_opened_anew(livezone, cleanup):
    whole = livezone()
    lines = "".join(f"h{number} 5 IN A 10.0.{number >> 8 & 255}.{number & 255}\n"
                    for number in range(100_000))
    reply = whole.api.request("PUT", "/v1/zones/live.test", "$ORIGIN live.test.\n" + lines,
                              {"Content-Type": "text/dns"})
    assert reply.status == 200
    pid = whole.daemon.process.pid
    data = Path(whole.daemon.config["store"]["state"]) / "data.mdb"

    def is_refused(path):
        """Was a reader of `path` at work when the state was opened anew?"""
        broken = Strace(pid, "fdatasync", "error=ENOSPC:when=1", paths=[data],
                        tid=thread(pid, "writer"))
        cleanup.callback(broken.close)
        stop, refused = threading.Event(), threading.Event()

        def read():
            while not stop.is_set():
                if whole.api.request("GET", path).status == 503:
                    refused.set()
                    return

        readers = [threading.Thread(target=read) for _ in range(3)]
        for reader in readers:
            reader.start()
        try:
            assert put(whole.api, "b", "no room").status == 507
            assert put(whole.api, "b", "room").status == 200
        finally:
            stop.set()
            broken.close()
            for reader in readers:
                reader.join(60)
        return refused.is_set()

    for path in ("/v1/backup", "/v1/zones/live.test"):
        wait_until(lambda: is_refused(path), 30, f"a reader of {path} is refused")


def test_a_first_start_on_a_full_disk_says_so_and_leaves_nothing_in_the_way(
    livezoned, tmp_path, cleanup
):
    disk = mount_small(cleanup, tmp_path / "disk", 8 * 1024 * 1024)
    daemon = livezoned(start=False, store={"state": str(disk / "state")})
    filler = fill(disk)
    daemon.spawn()
    assert daemon.process.wait() > 0
    assert "No space left on device" in daemon.process.output()
    assert str(disk / "state") in daemon.process.output()
    filler.unlink()
    daemon.start()
    daemon.api.put("name.live.test", "A", "10.0.0.1")


def test_a_full_map_under_state_is_507_and_deleting_helps(livezone, livezoned):
    daemon = livezoned(store={"size-limit": "4MiB"})
    whole = livezone(daemon=daemon)
    whole.api.put("kept.live.test", "A", "10.0.0.1")
    number, refused = write_until_full(whole.api, 2000)
    assert refused.status == 507
    assert number > 10
    assert whole.answers("kept.live.test") == ["10.0.0.1"]
    for index in range(number):
        whole.api.delete(f"n{index}.live.test", "TXT")
    wait_until(lambda: put(whole.api, "again", "room").status == 200, 10, "room again")
    assert whole.answers("again.live.test", "TXT") == ['"room"']


def test_a_full_disk_under_serve_keeps_the_write_and_serves_it_later(
    livezone, livezoned, memory_path, cleanup
):
    disk = mount_small(cleanup, memory_path / "disk", 8 * 1024 * 1024)
    daemon = livezoned(store={"serve": str(disk / "serve")})
    whole = livezone(daemon=daemon)
    whole.api.put("kept.live.test", "A", "10.0.0.1")
    filler = fill(disk)
    number, unserved = write_until_full(whole.api, 2000)
    assert unserved.status == 202
    assert unserved.json["served"] is False and unserved.json["reason"]
    assert whole.answers("kept.live.test") == ["10.0.0.1"]
    assert whole.api.get(f"/v1/rrsets/n{number}.live.test/TXT").json["revision"] == unserved.revision
    assert whole.api.request("GET", "/readyz").status == 503
    filler.unlink()
    wait_until(whole.api.is_ready, 20, "livezoned is ready again")
    wait_until(
        lambda: whole.answers(f"n{number}.live.test", "TXT", tcp=True), 10, "the write is served"
    )
    whole.api.put("kept.live.test", "A", "10.0.0.2")
    assert whole.answers("kept.live.test") == ["10.0.0.2"]
