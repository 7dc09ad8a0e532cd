# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""livezoned as a process: arguments, start, signals, reload, log."""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path

import pytest

from support import build
from support.http import UnixConnection
from support.wait import wait_until


def run(*args, **options):
    return subprocess.run(
        [str(build.LIVEZONED), *map(str, args)],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, **build.sanitizer_environment(leaks=True)},
        **options,
    )


def log_of(daemon):
    return daemon.process.output()


def reload(daemon, says):
    """SIGHUP, then waits until the log says so."""
    os.kill(daemon.process.pid, signal.SIGHUP)
    wait_until(lambda: says in log_of(daemon), 10, f"the log says {says!r}")


def test_arguments(livezoned):
    daemon = livezoned(start=False)
    assert run("--version").stdout.startswith("livezoned ")
    assert "--config" in run("--help").stdout
    assert run("--nonsense").returncode == 2
    assert run("more").returncode == 2
    good = run("--config", daemon.config_file, "--check")
    assert good.returncode == 0 and str(daemon.config_file) in good.stdout, good
    daemon.config["zones"][0]["tttl"] = 5
    daemon.write_config()
    bad = run("--config", daemon.config_file, "--check")
    assert bad.returncode == 1 and "tttl" in bad.stderr
    bad = run("--config", daemon.directory / "none.yaml", "--check")
    assert bad.returncode == 1 and "none.yaml" in bad.stderr


def test_it_needs_a_listener(livezoned):
    daemon = livezoned(start=False, api={"unix": None})
    done = run("--config", daemon.config_file)
    assert done.returncode == 1 and "neither unix nor tcp" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs a pid namespace")
def test_it_refuses_to_be_process_1(livezoned):
    daemon = livezoned(start=False)
    done = subprocess.run(
        ["unshare", "--pid", "--fork", str(build.LIVEZONED), "--config", str(daemon.config_file)],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, **build.sanitizer_environment(leaks=False)},
    )
    if "unshare" in done.stderr and "not permitted" in done.stderr:
        pytest.skip("no pid namespaces here")
    assert done.returncode == 1 and "process 1" in done.stderr, done.stderr


def test_the_socket_is_closed_to_others_and_removed_at_the_end(livezoned):
    daemon = livezoned()
    path = daemon.config["api"]["unix"]
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o660
    assert stat.S_IMODE(os.stat(daemon.config["store"]["state"]).st_mode) & 0o007 in (0, 0o005)
    assert daemon.stop() == 0
    assert not os.path.exists(path)


def test_a_state_directory_is_made_private(livezoned):
    daemon = livezoned(start=False)
    os.rmdir(daemon.config["store"]["state"])
    daemon.start()
    assert stat.S_IMODE(os.stat(daemon.config["store"]["state"]).st_mode) == 0o700


def test_the_socket_of_a_dead_process_is_replaced(livezoned):
    daemon = livezoned()
    daemon.kill()
    assert os.path.exists(daemon.config["api"]["unix"])
    daemon.start()
    assert daemon.api.is_ready()


def test_a_socket_that_answers_or_another_file_is_left_alone(livezoned):
    daemon = livezoned(start=False)
    path = daemon.config["api"]["unix"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.bind(path)
        other.listen()
        done = run("--config", daemon.config_file)
        assert done.returncode == 1 and "another process listens" in done.stderr
    os.unlink(path)
    with open(path, "w") as file:
        file.write("mine")
    done = run("--config", daemon.config_file)
    assert done.returncode == 1 and "is not a socket" in done.stderr
    with open(path) as file:
        assert file.read() == "mine"


def test_a_reload_takes_new_zones(livezoned):
    daemon = livezoned(zones=["live.test"])
    assert daemon.api.request("GET", "/v1/zones/more.test").status == 404
    daemon.config["zones"].append({"name": "more.test", "ttl": 33})
    daemon.write_config()
    reload(daemon, "reload: 2 zones")
    daemon.api.put("a.more.test", "A", "10.0.0.1")
    assert daemon.api.get("/v1/rrsets/a.more.test/A").json["ttl"] == 33


@pytest.mark.parametrize(
    "change, says",
    [
        (lambda config: config["zones"].append({"name": "x.test", "tttl": 5}), "tttl"),
        (lambda config: config["api"].update({"unix": config["api"]["unix"] + "2"}), "api.unix needs a restart"),
        (lambda config: config["store"].update({"state": config["store"]["state"] + "2"}), "store.state needs a restart"),
        (lambda config: config["api"].update({"allow-users": ["no-such-user"]}), "no-such-user"),
    ],
    ids=["unknown key", "listener", "store", "user"],
)
def test_a_bad_reload_keeps_the_old_settings_and_says_why(livezoned, change, says):
    daemon = livezoned()
    change(daemon.config)
    unix = daemon.api.unix
    daemon.write_config()
    reload(daemon, "the old settings stay")
    assert says in log_of(daemon)
    assert type(daemon.api)(unix=unix).put("a.live.test", "A", "10.0.0.1").status == 200
    assert len(daemon.api.get("/v1/zones").json["zones"]) == 1


def test_reloads_under_load_lose_no_request(livezoned):
    daemon = livezoned()
    stop = threading.Event()
    failed = []

    def write():
        api = type(daemon.api)(unix=daemon.api.unix)
        number = 0
        while not stop.is_set():
            number += 1
            reply = api.request("PUT", "/v1/rrsets/a.live.test/A", {"records": [f"10.0.0.{number % 250}"]})
            if reply.status != 200:
                failed.append(reply)
        api.close()

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for count in range(1, 21):
        os.kill(daemon.process.pid, signal.SIGHUP)
        wait_until(lambda: log_of(daemon).count("reload: 1 zones") >= count, 10, f"reload {count}")
    stop.set()
    for thread in threads:
        thread.join()
    assert not failed, failed[0]


def unread(sock):
    """Bytes that the other end of a unix socket has not read yet."""
    return int.from_bytes(fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)), sys.byteorder)


def test_a_waiting_long_poll_does_not_hold_the_end_up(livezoned):
    daemon = livezoned()
    since = daemon.api.put("a.live.test", "A", "10.0.0.1").revision
    waiting = UnixConnection(daemon.api.unix, timeout=30)
    waiting.request("GET", f"/v1/changes?since={since}&wait=60s")
    wait_until(lambda: unread(waiting.sock) == 0, 10, "the request is read")
    started = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - started < 5
    assert json.load(waiting.getresponse())["changes"] == []
    waiting.close()


def test_each_write_has_its_audit_line(livezoned):
    daemon = livezoned()
    api = daemon.api
    first = api.put("a.live.test", "A", "10.0.0.1").revision
    second = api.put("a.live.test", "A", "10.0.0.2").revision
    api.request("PUT", "/v1/rrsets/a.live.test/A", {"records": ["10.0.0.3"]}, {"If-Match": '"1000"'})
    api.delete("a.live.test", "A")
    odd = {"name": "x\\010y.live.test", "type": "A", "records": ["10.0.0.1"]}
    api.request("POST", "/v1/batch", {"changes": [{"put": odd}]})
    lines = [line for line in log_of(daemon).splitlines() if "audit:" in line]
    uid = os.getuid()
    assert f"uid {uid} put a.live.test. A revision 0 -> {first} done" in lines[0]
    assert lines[1].endswith(f"put a.live.test. A revision {first} -> {second} done")
    assert lines[2].endswith(f"revision {second} -> {second} precondition failed")
    assert f"delete a.live.test. A revision {second} -> " in lines[3]
    assert "x\\010y.live.test." in lines[4], "a name cannot break a line"
    assert len(lines) == 5


def test_a_dead_stderr_does_not_end_it(livezoned):
    daemon = livezoned(start=False)
    reader, writer = os.pipe()
    child = subprocess.Popen(
        [str(build.LIVEZONED), "--config", str(daemon.config_file)],
        stderr=writer,
        env={**os.environ, **build.sanitizer_environment(leaks=True)},
    )
    os.close(writer)
    try:
        wait_until(daemon.api.is_ready, 20, "livezoned is ready")
        os.close(reader)
        for number in range(20):
            daemon.api.put("a.live.test", "A", f"10.0.0.{number}")
        child.terminate()
        assert child.wait(20) == 0
    finally:
        child.kill()
        child.wait()


def test_a_stuck_stderr_does_not_hold_a_request_up(livezoned):
    daemon = livezoned(start=False)
    reader, writer = os.pipe()
    child = subprocess.Popen(
        [str(build.LIVEZONED), "--config", str(daemon.config_file)],
        stderr=writer,
        env={**os.environ, **build.sanitizer_environment(leaks=True)},
    )
    os.close(writer)
    try:
        wait_until(daemon.api.is_ready, 20, "livezoned is ready")
        for number in range(1500):  # more lines than a pipe holds, and nobody reads
            daemon.api.put("a.live.test", "A", f"10.0.{number >> 8}.{number & 255}")
        child.terminate()
        assert child.wait(20) == 0
    finally:
        child.kill()
        child.wait()
        os.close(reader)


def stop_next_child(pid):
    """Stops the next child as soon as it runs its own program; returns its pid. Before that its
    parent waits for it (vfork), and would stand still with it."""

    def cmdline(of):
        return Path(f"/proc/{of}/cmdline").read_bytes()

    def stopped():
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                with contextlib.suppress(ProcessLookupError, FileNotFoundError):
                    os.kill(child, signal.SIGSTOP)
                    if cmdline(child) not in (b"", cmdline(pid)):
                        return child
                    os.kill(child, signal.SIGCONT)
        return None

    return wait_until(stopped, 30, "a child", 0)


def test_a_start_that_takes_long_is_ended_by_a_signal(livezoned):
    daemon = livezoned()
    daemon.api.put("kept.live.test", "A", "10.0.0.1")
    daemon.kill()
    daemon.spawn()
    check = stop_next_child(daemon.process.pid)  # the start waits for it
    started = time.monotonic()
    daemon.process.signal(signal.SIGTERM)
    assert daemon.process.wait(10) == 0
    assert time.monotonic() - started < 5
    assert "during the start" in log_of(daemon)
    os.kill(check, signal.SIGKILL)
    daemon.start()
    assert daemon.api.get("/v1/rrsets/kept.live.test/A").json["records"] == ["10.0.0.1"]


def test_what_is_periodic_goes_on_over_reloads(livezoned):
    daemon = livezoned(start=False, backup={"interval": "1s", "count": 2})
    daemon.arguments = ["--watchdog", "2"]
    daemon.start()
    for count in range(1, 7):
        revision = daemon.api.put("a.live.test", "A", f"10.0.0.{count}", lease="1s").revision
        os.kill(daemon.process.pid, signal.SIGHUP)
        wait_until(lambda: log_of(daemon).count("reload: 1 zones") >= count, 10, f"reload {count}")
        # the end of the lease is a revision, too, and backed up in its turn
        wait_until(
            lambda: daemon.api.status()["backup"].get("newest", {}).get("revision", 0) > revision,
            20, "the lease has ended and a backup was made of that")
    assert daemon.stop() == 0
