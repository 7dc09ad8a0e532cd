# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Who may write: users on the unix socket, tokens on TCP. Fail closed."""

import contextlib
import datetime
import hashlib
import json
import os
import socket
import subprocess
import sys

import pytest

from support import build
from support.http import Api

_ZONES = ["one.test", "two.test"]
_BODY = {"records": ["10.0.0.1"]}

# What another user runs: one PUT over the unix socket; prints status and body.
# Imports first: the other user may not be able to read this directory.
_OTHER_USER = """
import os, sys
sys.path.insert(0, sys.argv[1])
from support import build
from support.http import Api
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
try:
    reply = Api(unix=sys.argv[2]).request(
        "PUT", "/v1/rrsets/name.live.test/A", {"records": ["10.0.0.66"]})
    print(reply.status, reply.text)
except PermissionError:
    print("EACCES")
"""


def _ago(days):
    then = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=days)
    return then.strftime("%Y-%m-%dT%H:%M:%SZ")


def write_tokens(path, tokens):
    rows = [
        {**row, "sha256": hashlib.sha256(row["id"].encode()).hexdigest()} for row in tokens
    ]
    path.write_text(json.dumps({"tokens": rows}, indent=2))
    path.chmod(0o640)


@pytest.fixture
def guarded(livezoned, tmp_path):
    """A livezoned on TCP; the secret of each token is its id."""
    tokens = tmp_path / "tokens.yaml"
    write_tokens(
        tokens,
        [
            {"id": "all", "zones": _ZONES, "verbs": ["read", "write", "admin"]},
            {"id": "one", "zones": ["one.test"], "verbs": ["read", "write"]},
            {"id": "reader", "zones": _ZONES, "verbs": ["read"]},
            {"id": "old", "zones": _ZONES, "verbs": ["write"], "expires": _ago(1)},
            {"id": "young", "zones": _ZONES, "verbs": ["write"], "expires": _ago(-1)},
        ],
    )
    daemon = livezoned(zones=_ZONES, tcp=True, api={"tokens": str(tokens)})
    daemon.tokens = tokens
    return daemon


def put(daemon, token, name="name.one.test"):
    return daemon.api_over_tcp(token).request("PUT", f"/v1/rrsets/{name}/A", _BODY)


def test_tokens_that_may(guarded):
    for token in ("all", "one", "young"):
        assert put(guarded, token).status == 200
    assert guarded.api_over_tcp("reader").get("/v1/rrsets/name.one.test/A").json["records"]


@pytest.mark.parametrize(
    "token, status, says",
    [
        (None, 401, "a token is needed"),
        ("wrong", 401, "the token is wrong"),
        ("old", 401, "the token has expired"),
        ("", 401, "a token is needed"),
    ],
    ids=["missing", "wrong", "expired", "empty"],
)
def test_tokens_that_are_not_good(guarded, token, status, says):
    reply = put(guarded, token)
    assert reply.status == status
    assert reply.headers["WWW-Authenticate"].startswith("Bearer")
    assert reply.json["type"] == "urn:livezone:unauthorized"
    assert says in reply.json["detail"].lower()
    assert guarded.api.request("GET", "/v1/rrsets/name.one.test/A").status == 404


def test_a_token_of_another_zone_is_refused_and_the_zone_is_named(guarded):
    reply = put(guarded, "one", "name.two.test")
    assert reply.status == 403
    assert "two.test" in reply.json["detail"]
    batch = [
        {"put": {"name": f"name.{zone}", "type": "A", **_BODY}} for zone in _ZONES
    ]
    reply = guarded.api_over_tcp("one").request("POST", "/v1/batch", {"changes": batch})
    assert reply.status == 403
    for zone in _ZONES:  # all or nothing
        assert guarded.api.request("GET", f"/v1/rrsets/name.{zone}/A").status == 404


def test_a_token_without_the_verb_is_refused_and_the_verb_is_named(guarded):
    reply = put(guarded, "reader")
    assert reply.status == 403
    assert "write" in reply.json["detail"]
    assert guarded.api_over_tcp("one").request("GET", "/v1/backup").status == 403
    assert guarded.api_over_tcp("all").request("GET", "/v1/backup").status == 200


def test_health_needs_no_token(guarded):
    api = guarded.api_over_tcp()
    assert api.request("GET", "/healthz").status == 200
    assert api.request("GET", "/readyz").status == 200


def test_tcp_without_tokens_is_no_listener(livezoned):
    daemon = livezoned(start=False, tcp=True)
    daemon.spawn()
    assert daemon.process.wait() != 0
    assert "tokens" in daemon.process.output()
    assert str(daemon.config_file) in daemon.process.output()


def test_the_written_down_opt_out_on_loopback(livezoned):
    daemon = livezoned(tcp=True, api={"insecure-no-auth": True})
    assert put(daemon, None, "name.live.test").status == 200


def test_the_opt_out_is_for_loopback_only(livezoned):
    daemon = livezoned(start=False, api={"insecure-no-auth": True, "tcp": "0.0.0.0:5380"})
    daemon.spawn()
    assert daemon.process.wait() != 0
    assert "insecure-no-auth" in daemon.process.output()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else")
def test_a_peer_that_is_not_allowed(livezoned, memory_path):
    memory_path.chmod(0o755)
    socket = memory_path / "api.sock"
    daemon = livezoned(api={"unix": str(socket)})
    # as anybody on the machine could, when the socket's directory and mode let them
    socket.chmod(0o666)
    done = subprocess.run(
        [sys.executable, "-c", _OTHER_USER, str(build.SOURCE / "tests"), str(socket)],
        capture_output=True,
        text=True,
        timeout=30,
    )
    status, _, body = done.stdout.partition(" ")
    assert status == "403", done.stdout + done.stderr
    problem = json.loads(body)
    assert problem["type"] == "urn:livezone:forbidden"
    assert "65534" in problem["detail"] or "nobody" in problem["detail"]
    assert daemon.api.request("GET", "/v1/rrsets/name.live.test/A").status == 404


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else")
def test_the_socket_is_not_open_to_everybody(livezoned, memory_path):
    memory_path.chmod(0o755)
    socket = memory_path / "api.sock"
    livezoned(api={"unix": str(socket)})
    assert socket.stat().st_mode & 0o007 == 0


def test_every_write_leaves_an_audit_line(guarded):
    root, one = guarded.api, guarded.api_over_tcp("one")
    rrsets = {"rrsets": [{"name": "s.one.test", "type": "A", "lease": "1h", **_BODY}]}
    assert put(guarded, "one").revision == 1
    assert put(guarded, "one").revision == 1
    assert put(guarded, "one", "name.two.test").status == 403
    root.delete("name.one.test", "A")
    assert root.request("DELETE", "/v1/rrsets/name.one.test/A").status == 404
    root.batch([{"put": {"name": f"b{i}.one.test", "type": "A", **_BODY}} for i in range(2)])
    assert one.request("PUT", "/v1/sources/one", rrsets).status == 200
    assert one.request("PUT", "/v1/sources/one", {"rrsets": []}, dry_run="true").status == 200
    assert one.request("POST", "/v1/sources/one/heartbeat").status == 200
    assert root.request("PUT", "/v1/zones/one.test", rrsets).status == 200
    assert root.request("PUT", "/v1/zones/one.test", {"rrsets": [{"name": "x.test"}]}).status >= 400
    backup = root.get("/v1/backup").body
    lines = {"Content-Type": "application/x-ndjson"}
    assert root.request("PUT", "/v1/restore", backup, lines).status == 200
    assert root.request("DELETE", "/v1/alarms/none").status == 404
    uid = f"uid {os.geteuid()}"
    counts = "{} items, {} added, {} changed, {} deleted, {} renewed, revision {} {}"
    log = guarded.process.output().splitlines()
    assert [line.partition("audit: ")[2] for line in log if "audit: " in line] == [
        "token one put name.one.test. A revision 0 -> 1 done",
        "token one put name.one.test. A revision 1 -> 1 unchanged",
        "token one put name.two.test. A revision 0 -> 0 forbidden",
        f"{uid} delete name.one.test. A revision 1 -> 0 done",
        f"{uid} delete name.one.test. A revision 0 -> 0 not found",
        f"{uid} batch: " + counts.format(2, 2, 0, 0, 0, 3, "done"),
        "token one replace source one: " + counts.format(1, 1, 0, 0, 0, 4, "done"),
        "token one replace source one (dry run): " + counts.format(0, 0, 0, 1, 0, 4, "unchanged"),
        "token one heartbeat of source one: " + counts.format(0, 0, 0, 0, 1, 4, "done"),
        f"{uid} replace zone one.test.: " + counts.format(1, 0, 1, 2, 0, 5, "done"),
        f"{uid} restore: " + counts.format(1, 0, 0, 0, 1, 5, "done"),
        f"{uid} acknowledge alarm none: " + counts.format(0, 0, 0, 0, 0, 5, "not found"),
    ]
    assert not any("Bearer" in line for line in log)


def test_strangers_cannot_keep_tokens_out(guarded):
    """More connections without a token than TCP has room for: the longest silent ones give way."""
    with contextlib.ExitStack() as held:
        for number in range(300):
            sock = socket.create_connection(guarded.tcp)
            held.enter_context(sock)
            sock.sendall(b"GET / HTTP/1.1\r\n")
            if number % 20 == 0:
                assert put(guarded, "all").status == 200
