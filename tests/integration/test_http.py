# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""The HTTP server under requests that no decent client sends."""

import os
import resource
import socket
import time

import pytest

from support import build
from support.wait import wait_until

MIB = 1024 * 1024


def connect(daemon):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.connect(daemon.config["api"]["unix"])  # without a timeout it waits for its turn
    sock.settimeout(20)
    return sock


def read_all(sock):
    """Everything until the other side closes."""
    data = b""
    try:
        while chunk := sock.recv(65536):
            data += chunk
    except ConnectionResetError:
        pass
    return data


def raw(daemon, request):
    """Sends bytes; the status of the reply and all of it. The request asks for the close."""
    with connect(daemon) as sock:
        sock.sendall(request)
        data = read_all(sock)
    assert data.startswith(b"HTTP/1.1 "), data
    return int(data.split()[1]), data.decode()


def header(method, path, *fields):
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close", *fields, "", ""]
    return "\r\n".join(lines).encode("latin-1")


@pytest.fixture
def daemon(livezoned):
    return livezoned()


PUT = ("PUT", "/v1/rrsets/a.live.test/A")
JSON = "Content-Type: application/json"
BODY = b'{"records":["10.0.0.1"]}'


def test_a_path_has_one_meaning(daemon):
    for path in (
        "/v1/rrsets/a%2elive.test/A",
        "/v1/rrsets/a.live.test%00/A",
        "/v1/rrsets/a.live.test%2fA",
        "/v1/../v1/status",
        "/v1//status",
        "/v1/rrsets/a\\046b.live.test/A",
        "/v1/rrsets/\xe4.live.test/A",
        "/v1/rrsets/a\x01.live.test/A",
    ):
        status, reply = raw(daemon, header("GET", path))
        assert status == 400, (path, reply)
        assert "urn:livezone:bad-request" in reply or "\x01" in path, (path, reply)
    assert raw(daemon, header("GET", "/v1/rrsets?name=a%5c046b.live.test"))[0] == 200
    for query in ("name=%00", "name=%zz", "name=a&name=b", "nam=a"):
        status, reply = raw(daemon, header("GET", f"/v1/rrsets?{query}"))
        assert status == 400, (query, reply)


@pytest.mark.parametrize(
    "fields",
    [
        ["Content-Length: 24", "Transfer-Encoding: chunked"],
        ["Content-Length: 24", "Content-Length: 23"],
        ["Content-Length: 24", "Content-Length: 24"],
        ["Transfer-Encoding: gzip"],
        ["Transfer-Encoding: gzip, chunked"],
        ["Content-Length: 24", "Content-Type: text/plain"],
        ["Content-Length: 24", "If-Match: *", "If-Match: \"1\""],
        ["Content-Length: 24", "Host: elsewhere"],
    ],
)
def test_a_body_has_one_length_and_a_field_one_value(daemon, fields):
    status, reply = raw(daemon, header(*PUT, JSON, *fields) + BODY)
    assert status == 400, reply
    assert daemon.api.request("GET", PUT[1]).status == 404


def test_headers_have_limits(daemon):
    many = [f"X-{number}: y" for number in range(70)]
    assert raw(daemon, header("GET", "/healthz", *many))[0] in (400, 431)
    assert raw(daemon, header("GET", "/healthz", "X-Long: " + "y" * 11000))[0] in (400, 413, 431)
    assert raw(daemon, header("GET", "/" + "y" * 11000))[0] in (400, 414)
    assert raw(daemon, b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n")[0] == 400
    assert daemon.api.get("/healthz").json["ok"]


def test_pipelined_requests_are_each_answered(daemon):
    one = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    status, reply = raw(daemon, one * 3 + header("GET", "/nothing"))
    assert status == 200
    assert reply.count("HTTP/1.1 200") == 3 and reply.count("HTTP/1.1 404") == 1


def test_a_chunked_body_is_a_body(daemon):
    chunks = b"".join(b"1\r\n" + bytes([byte]) + b"\r\n" for byte in BODY) + b"0\r\n\r\n"
    status, reply = raw(daemon, header(*PUT, JSON, "Transfer-Encoding: chunked") + chunks)
    assert status == 200, reply


def test_a_body_over_the_limit_is_413(daemon):
    # announced, and found out as it comes
    status, reply = raw(daemon, header(*PUT, JSON, f"Content-Length: {MIB + 1}") + b" " * (MIB + 1))
    assert status == 413 and "urn:livezone:too-large" in reply
    chunk = f"{MIB:x}\r\n".encode() + b" " * MIB + b"\r\n"
    status, reply = raw(
        daemon, header(*PUT, JSON, "Transfer-Encoding: chunked") + chunk * 2 + b"0\r\n\r\n"
    )
    assert status == 413 and str(MIB) in reply
    assert raw(daemon, header(*PUT, JSON, "Content-Length: 99999999999", "Expect: 100-continue"))[0] == 413
    # a bulk route takes what a single write may not
    name = b'{"changes":[{"put":{"name":"a.live.test","type":"A","records":["10.0.0.1"]}}]}'
    body = name + b" " * (2 * MIB)
    reply = daemon.api.request("POST", "/v1/batch", body, {"Content-Type": "application/json"})
    assert reply.status == 200
    body = b" " * (64 * MIB + 1)
    reply = daemon.api.request("POST", "/v1/batch", body, {"Content-Type": "application/json"})
    assert reply.status == 413


def test_expect_is_answered_before_the_body(daemon):
    with connect(daemon) as sock:
        sock.sendall(header(*PUT, JSON, f"Content-Length: {len(BODY)}", "Expect: 100-continue"))
        assert sock.recv(4096).startswith(b"HTTP/1.1 100 ")
        sock.sendall(BODY)
        assert read_all(sock).startswith(b"HTTP/1.1 200 ")


def ends_within(sock, seconds):
    """Does the server close, without a reply of success, in this time?"""
    sock.settimeout(seconds)
    try:
        return b"HTTP/1.1 200" not in read_all(sock)
    except TimeoutError:
        return False


def test_a_slow_header_is_cut_off(daemon):
    with connect(daemon) as silent, connect(daemon) as slow:
        slow.sendall(b"GET /healthz HTTP/1.1\r\n")
        started = time.monotonic()
        while time.monotonic() - started < 12:
            try:
                slow.sendall(b"X")
            except OSError:
                break
            time.sleep(0.2)  # the pace of a slow client, not a wait
        assert time.monotonic() - started < 9
        assert ends_within(silent, 3)
    assert daemon.api.get("/healthz").json["ok"]


def test_a_slow_body_is_cut_off(daemon):
    with connect(daemon) as slow:
        slow.sendall(header(*PUT, JSON, "Content-Length: 1000"))
        started = time.monotonic()
        while time.monotonic() - started < 25:
            try:
                slow.sendall(b" ")
            except OSError:
                break
            time.sleep(0.2)  # the pace of a slow client, not a wait
        assert time.monotonic() - started < 18
    assert daemon.api.get("/healthz").json["ok"]


# --- shares of connections -------------------------------------------------------------------

_SHARE = 1280  # of one user; and 64 more, for health only


@pytest.fixture
def many_descriptors():
    """As many as a test needs that opens a thousand connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def request(path):
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def status_of(daemon, path):
    """On a connection of its own: the status, and the seconds that it took."""
    started = time.monotonic()
    with connect(daemon) as sock:
        sock.sendall(request(path))
        reply = sock.recv(4096)
    return int(reply.split()[1]), time.monotonic() - started


def is_open(sock):
    """Has the server not closed it? Nothing else is unread."""
    sock.setblocking(False)
    try:
        return sock.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True
    except ConnectionResetError:
        return False
    finally:
        sock.settimeout(20)


def hold_polls(daemon, cleanup, revision, count):
    """Long polls that wait for a change after the revision."""
    held = []
    for _ in range(count):
        sock = cleanup.enter_context(connect(daemon))
        sock.sendall(request(f"/v1/changes?since={revision}&wait=60s"))
        held.append(sock)
    return held


def test_kept_connections_give_way_to_new_ones(daemon, many_descriptors, cleanup):
    daemon.api.close()
    held = []
    for _ in range(_SHARE + 40):
        sock = cleanup.enter_context(connect(daemon))
        sock.sendall(request("/healthz"))
        assert sock.recv(4096).startswith(b"HTTP/1.1 200 ")
        held.append(sock)
    wait_until(lambda: not is_open(held[0]), 10, "the oldest one is closed")
    assert is_open(held[-1]) and is_open(held[_SHARE])
    assert daemon.api.get("/healthz").json["ok"]


def test_a_share_that_is_used_up_leaves_health(daemon, many_descriptors, cleanup):
    revision = daemon.api.status()["state"]["revision"]
    hold_polls(daemon, cleanup, revision, _SHARE)

    def is_used_up():
        if status_of(daemon, "/v1/status")[0] == 503:
            return True
        hold_polls(daemon, cleanup, revision, 1)  # one has given way before it waited
        return False

    wait_until(is_used_up, 20, "all of the share is used")
    assert status_of(daemon, "/healthz")[0] == status_of(daemon, "/readyz")[0] == 200
    with connect(daemon) as sock:
        sock.sendall(request("/v1/zones"))
        reply = read_all(sock)
    assert b"Retry-After" in reply and b"urn:livezone:unavailable" in reply


def test_clients_that_wait_or_are_slow_cost_nothing(daemon, many_descriptors, cleanup, measured):
    revision = daemon.api.status()["state"]["revision"]
    polls = hold_polls(daemon, cleanup, revision, 1000)
    for number in range(64):
        slow = cleanup.enter_context(connect(daemon))
        if number % 2:
            slow.sendall(header(*PUT, JSON, "Content-Length: 1000"))
        else:
            slow.sendall(b"GET /healthz HTTP/1.1\r\nX-Slow:")
    threads = len(os.listdir(f"/proc/{daemon.process.pid}/task"))
    health, writes = [], []
    for number in range(25):
        status, seconds = status_of(daemon, "/healthz")
        assert status == 200
        health.append(seconds)
    assert all(map(is_open, polls))
    for number in range(1, 10):
        started = time.monotonic()
        revision = daemon.api.put("a.live.test", "A", f"10.0.0.{number}").revision
        writes.append(time.monotonic() - started)
        for poll in polls:
            assert b'"op":"put"' in poll.recv(4096)
            poll.sendall(request(f"/v1/changes?since={revision}&wait=60s"))
    health.sort()
    writes.sort()
    measured(f"1000 long polls, 64 slow clients: /healthz {health[12] * 1000:.1f} ms, "
             f"a write {writes[4] * 1000:.1f} ms, {threads} threads")
    assert threads < 20
    factor = 20 if build.is_instrumented() else 1
    assert health[12] < 0.010 * factor and writes[4] < 0.050 * factor


def test_a_poll_whose_client_has_gone_is_forgotten(daemon):
    revision = daemon.api.status()["state"]["revision"]
    descriptors = f"/proc/{daemon.process.pid}/fd"
    before = len(os.listdir(descriptors))
    with connect(daemon) as sock:
        sock.sendall(request(f"/v1/changes?since={revision}&wait=60s"))
        wait_until(lambda: len(os.listdir(descriptors)) > before, 10, "it waits")
    wait_until(lambda: len(os.listdir(descriptors)) == before, 10, "its connection is closed")


def test_a_socket_that_was_replaced_is_not_removed(daemon):
    path = daemon.config["api"]["unix"]
    os.unlink(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.bind(path)
        assert daemon.stop() == 0
        assert os.path.exists(path)


def count_turned_away(daemon):
    """Of 40 connections at once; the others are answered."""
    held = [connect(daemon) for _ in range(40)]
    turned_away = 0
    for sock in held:
        try:
            sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            turned_away += b" 503 " in read_all(sock)
        except OSError:
            turned_away += 1
        sock.close()
    return turned_away


def test_descriptors_that_run_out_do_not_end_it(livezoned):
    daemon = livezoned(start=False)
    daemon.spawn()
    wait_until(daemon.api.is_ready, 20, "livezoned is ready")
    used = len(os.listdir(f"/proc/{daemon.process.pid}/fd"))
    resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (used + 5, 4096))
    # another thread may have the last descriptor: then all wait, and are answered after it
    wait_until(lambda: count_turned_away(daemon), 20, "some are turned away")
    resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (1024, 4096))
    wait_until(daemon.api.is_ready, 10, "livezoned is well again")


def test_without_a_descriptor_clients_are_told(livezoned, cleanup):
    daemon = livezoned(start=False)
    daemon.spawn()
    wait_until(daemon.api.is_ready, 20, "livezoned is ready")
    daemon.api.close()
    pid = daemon.process.pid
    used = max(map(int, os.listdir(f"/proc/{pid}/fd"))) + 1
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used, 4096))

    def told():
        sock = cleanup.enter_context(connect(daemon))  # kept: there may be a number left
        sock.settimeout(1)
        return b" 503 " in sock.recv(4096)

    wait_until(told, 20, "a client is told 503 though it has said nothing")
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (4096, 4096))
    wait_until(daemon.api.is_ready, 10, "livezoned is well again")
