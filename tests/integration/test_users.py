# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Unbound as a user of its own, as distributions run it: it reads what livezoned serves
through the group of the serve directory, and can write none of it."""

import os
import pwd
import stat
import subprocess
from pathlib import Path

import pytest

from support import build
from support.livezone import Livezone, unbound_with_module
from support.wait import wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else")

USER = "nobody"


def may(operation, path):
    """Whether USER may do it: -r, -w or -x of test(1)."""
    user = pwd.getpwnam(USER)
    done = subprocess.run(
        ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        + ["test", operation, path]
    )
    return done.returncode == 0


@pytest.fixture
def separate(livezoned, memory_path, cleanup, watch_log):
    """livezoned as root, Unbound as USER; the group comes from serve's parent. All that
    USER reads again at a reload lies outside of pytest's directory, which is ours alone."""
    if not may("-r", build.MODULE):
        pytest.skip(f"{USER} may not read {build.MODULE}")
    memory_path.chmod(0o755)
    run = memory_path / "run"
    run.mkdir()
    os.chown(run, -1, pwd.getpwnam(USER).pw_gid)
    daemon = livezoned(start=False, store={"serve": str(run / "serve")})
    os.rmdir(daemon.serve)
    daemon.config_file = memory_path / "livezone.yaml"
    daemon.write_config()
    daemon.start()
    unbound = unbound_with_module(memory_path / "unbound", daemon, server=f'username: "{USER}"')
    cleanup.callback(unbound.close)
    watch_log(memory_path / "unbound" / "unbound.log")
    unbound.start()
    return Livezone(daemon, unbound).wait_live()


def test_unbound_reads_and_reports_but_cannot_write_the_data(separate):
    separate.api.put("name.live.test", "A", "10.0.0.1")
    assert separate.answers("name.live.test") == ["10.0.0.1"]
    serve = Path(separate.daemon.serve)
    assert not may("-w", serve / "data.mdb")
    assert may("-w", serve / "lock.mdb")  # readers claim their slots there
    for name in (serve, serve / "data.mdb", serve / "lock.mdb"):
        assert not name.stat().st_mode & stat.S_IRWXO
    wait_until(
        lambda: [one["pid"] for one in separate.api.status()["unbounds"]]
        == [separate.unbound.process.pid],
        10,
        "Unbound reports",
    )
    state = Path(separate.daemon.config["store"]["state"])
    assert (state / "data.mdb").stat().st_mode & 0o077 == 0


def test_a_rebuilt_store_is_still_readable(separate):
    separate.api.put("name.live.test", "A", "10.0.0.1")
    (Path(separate.daemon.serve) / "data.mdb").unlink()
    for number in range(2, 6):
        separate.api.put("name.live.test", "A", f"10.0.0.{number}")
        assert separate.answers("name.live.test") == [f"10.0.0.{number}"]
    assert not may("-w", Path(separate.daemon.serve) / "data.mdb")


def test_a_reload_as_that_user_finds_everything_again(separate):
    separate.api.put("name.live.test", "A", "10.0.0.1")
    separate.unbound.reload()
    assert separate.answers("name.live.test") == ["10.0.0.1"]
    separate.api.put("name.live.test", "A", "10.0.0.2")
    assert separate.answers("name.live.test") == ["10.0.0.2"]
