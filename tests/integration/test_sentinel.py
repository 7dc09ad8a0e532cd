# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""The main job: a name follows a service. Redis Sentinel fails over, its script writes the
new master's address, and a client that knows nothing but the name goes on."""

import shutil
import socket
import threading
import time

import pytest

from support import build
from support.ports import HOST, Port
from support.process import Process
from support.wait import wait_until

NAME = "valkey.service.internal"
MASTER, REPLICA = "127.0.0.2", "127.0.0.3"

_REDIS = """\
bind {address}
port {port}
dir {directory}
protected-mode no
save ""
appendonly no
repl-diskless-sync-delay 0
replica-announce-ip {address}
replica-announce-port {port}
"""

_SENTINEL = """\
bind {host}
port {port}
dir {directory}
protected-mode no
sentinel monitor service {master} {redis} 1
sentinel down-after-milliseconds service 500
sentinel failover-timeout service 5000
sentinel client-reconfig-script service {script}
"""

# Sentinel calls it with: master-name role state from-ip from-port to-ip to-port
_SCRIPT = """\
#!/bin/sh
LIVEZONE_CONF={config} exec {ctl} put {name} A "$6" --ttl 1 --source sentinel
"""


class Redis:
    """A connection to a Redis or a Sentinel: one command, one reply."""

    def __init__(self, address, port, timeout=2.0):
        self._sock = socket.create_connection((address, port), timeout)
        self._stream = self._sock.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stream.close()
        self._sock.close()

    def set_timeout(self, seconds):
        self._sock.settimeout(seconds)

    def call(self, *words):
        parts = [f"*{len(words)}\r\n"] + [f"${len(word)}\r\n{word}\r\n" for word in words]
        self._sock.sendall("".join(parts).encode())
        return self.read()

    def read(self):
        line = self._stream.readline()
        if not line:
            raise ConnectionResetError("closed")
        kind, text = line[:1], line[1:].strip().decode()
        if kind == b"*":
            return [self.read() for _ in range(int(text))]
        if kind == b"$":
            return self._stream.read(int(text) + 2)[:-2].decode() if int(text) >= 0 else None
        if kind == b"-":
            raise OSError(text)
        return int(text) if kind == b":" else text


class SwitchWatch(threading.Thread):
    """Notes when Sentinel announces +switch-master."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self._redis = Redis(HOST, port)
        self._redis.set_timeout(60)
        self._redis.call("SUBSCRIBE", "+switch-master")
        self.seen_at = None
        self.message = None

    def run(self):
        try:
            _, _, self.message = self._redis.read()
            self.seen_at = time.monotonic()
        except OSError:
            pass


class RightAnswerWatch(threading.Thread):
    """Asks for the name all the time; notes when the answer first is `address`."""

    def __init__(self, whole, address):
        super().__init__(daemon=True)
        self._whole, self._address = whole, address
        self.seen_at = None
        self.wrong = set()

    def run(self):
        while self.seen_at is None:
            got = self._whole.answers(NAME)
            if got == [self._address]:
                self.seen_at = time.monotonic()
            elif got != [MASTER]:
                self.wrong.add(tuple(got))


@pytest.fixture
def redis_pair(tmp_path, cleanup, watch_log):
    """A master and its replica, in sync; returns (port, master process, replica process)."""
    if not shutil.which("redis-server") or not shutil.which("redis-sentinel"):
        pytest.skip("redis-server and redis-sentinel (Debian packages) are not installed")
    port = Port()
    cleanup.callback(port.close)
    processes = []
    for name, address, more in (
        ("master", MASTER, ""),
        ("replica", REPLICA, f"replicaof {MASTER} {port.number}\n"),
    ):
        directory = tmp_path / name
        directory.mkdir()
        config = directory / "redis.conf"
        config.write_text(
            _REDIS.format(address=address, port=port.number, directory=directory) + more
        )
        process = Process(name, ["redis-server", config], directory / f"{name}.log")
        cleanup.callback(process.stop)
        watch_log(process.log)
        processes.append(process)

    def is_in_sync():
        with Redis(REPLICA, port.number) as replica:
            return "master_link_status:up" in replica.call("INFO", "replication")

    wait_until(is_in_sync, 20, "the replica is in sync")
    return port.number, *processes


@pytest.fixture
def sentinel(tmp_path, cleanup, watch_log):
    """Factory: sentinel(redis port, script text) -> port of a Sentinel that knows the replica."""

    def make(redis_port, script_text):
        directory = tmp_path / "sentinel"
        directory.mkdir()
        script = directory / "reconfig"
        script.write_text(script_text)
        script.chmod(0o755)
        port = Port()
        cleanup.callback(port.close)
        config = directory / "sentinel.conf"
        config.write_text(
            _SENTINEL.format(
                host=HOST,
                port=port.number,
                directory=directory,
                master=MASTER,
                redis=redis_port,
                script=script,
            )
        )
        process = Process("sentinel", ["redis-sentinel", config], directory / "sentinel.log")
        cleanup.callback(process.stop)
        watch_log(process.log)

        def knows_replica():
            with Redis(HOST, port.number) as redis:
                replicas = redis.call("SENTINEL", "REPLICAS", "service")
                return any(REPLICA in replica and "slave" in replica for replica in replicas)

        wait_until(knows_replica, 30, "Sentinel knows the replica")
        return port.number

    return make


def test_a_client_that_knows_only_the_name_follows_a_failover(
    livezone, redis_pair, sentinel, measured
):
    redis_port, master, _ = redis_pair
    whole = livezone(zones=["service.internal"])
    script = _SCRIPT.format(config=whole.daemon.config_file, ctl=build.LIVEZONECTL, name=NAME)
    sentinel_port = sentinel(redis_port, script)
    whole.daemon.ctl("put", NAME, "A", MASTER, "--ttl", "1", "--source", "sentinel")

    def connect():
        (address,) = whole.answers(NAME)
        return Redis(address, redis_port)

    with connect() as client:
        assert client.call("SET", "before", "1") == "OK"
        assert client.call("WAIT", "1", "5000") == 1

    switch = SwitchWatch(sentinel_port)
    right = RightAnswerWatch(whole, REPLICA)
    switch.start()
    right.start()
    killed_at = time.monotonic()
    master.kill()

    def reads_and_writes():
        with connect() as client:
            return client.call("SET", "after", "2") == "OK" and client.call("GET", "before") == "1"

    wait_until(reads_and_writes, 60, "the client reads and writes again")
    back_at = time.monotonic()
    switch.join(30)
    right.join(30)
    assert switch.seen_at and right.seen_at and not right.wrong
    assert switch.message == f"service {MASTER} {redis_port} {REPLICA} {redis_port}"
    rrset = whole.api.get(f"/v1/rrsets/{NAME}/A").json
    assert rrset["records"] == [REPLICA] and rrset["source"] == "sentinel"
    measured(
        f"+switch-master to the first right answer: "
        f"{(right.seen_at - switch.seen_at) * 1000:.1f} ms; from kill -9 of the master: "
        f"right answer after {right.seen_at - killed_at:.2f} s, "
        f"client reads and writes after {back_at - killed_at:.2f} s"
    )
    assert right.seen_at - switch.seen_at < 1.0
