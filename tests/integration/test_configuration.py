# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""A configuration that breaks a rule is refused by all three programs, in the same words,
with file, line and key."""

import pytest

from support.unbound import Unbound

_HEAD = """\
store:
  state: {state}
  serve: {serve}
api:
  unix: {socket}
"""  # five lines

# (what follows the head, line of the fault, words of the message)
_FAULTS = {
    "unknown key at the top": ("colour: blue\n", 6, ["colour"]),
    "unknown key in a zone": (
        "zones:\n  - name: live.test\n    colour: blue\n",
        8,
        ["colour"],
    ),
    "a zone twice": (
        "zones:\n  - name: live.test\n  - name: LIVE.test.\n",
        8,
        ["zones[1].name", "LIVE.test."],
    ),
    "bad fallback record": (
        'zones:\n  - name: live.test\n    fallback:\n      - "a.live.test. 5 IN A 10.0.0"\n',
        9,
        ["zones[0].fallback[0]"],
    ),
    "fallback out of zone": (
        'zones:\n  - name: live.test\n    fallback:\n      - "a.other.test. 5 IN A 10.0.0.1"\n',
        9,
        ["zones[0].fallback[0]", "a.other.test."],
    ),
    "TTL out of range": (
        "zones:\n  - name: live.test\n    ttl: 86401\n",
        8,
        ["zones[0].ttl"],
    ),
    "word that is none": (
        "zones:\n  - name: live.test\n    on-miss: perhaps\n",
        8,
        ["on-miss"],
    ),
    "bad name": ("zones:\n  - name: live..test\n", 7, ["zones[0].name"]),
    "bad duration": (
        "zones:\n  - name: live.test\n    stale: soon\n",
        8,
        ["zones[0].stale", "soon"],
    ),
}


@pytest.fixture
def broken(livezoned, request):
    """A daemon that is not started, with a broken file; and what its message must hold."""
    text, line, words = _FAULTS[request.param]
    daemon = livezoned(start=False)
    head = _HEAD.format(
        state=daemon.config["store"]["state"],
        serve=daemon.serve,
        socket=daemon.config["api"]["unix"],
    )
    daemon.write_config(head + text)
    return daemon, [f"{daemon.config_file}:{line}", *words]


every_fault = pytest.mark.parametrize("broken", _FAULTS, indirect=True)


@every_fault
def test_livezoned_refuses_to_start(broken):
    daemon, words = broken
    daemon.spawn()
    assert daemon.process.wait() not in (0, None)
    for word in words:
        assert word in daemon.process.output()


@every_fault
def test_livezonectl_check_config_says_the_same(broken):
    daemon, words = broken
    done = daemon.ctl("check-config", "--config", daemon.config_file, check=False)
    assert done.returncode != 0
    for word in words:
        assert word in done.stdout + done.stderr


@pytest.mark.parametrize("broken", ["unknown key in a zone"], indirect=True)
def test_unbound_does_not_start_and_says_the_same(broken, tmp_path, cleanup):
    from support import build

    daemon, words = broken
    server = Unbound(
        tmp_path / "unbound",
        modules=None,
        server=f'module-config: "dynlib iterator"\ndynlib:\n    dynlib-file: "{build.MODULE}"',
        env={"LIVEZONE_CONF": str(daemon.config_file)},
        loads=build.MODULE,
    )
    cleanup.callback(server.close)
    with pytest.raises(AssertionError, match="Unbound ended at start"):
        server.start()
    for word in words:
        assert word in server.process.output()


def test_a_good_file_passes(livezoned):
    daemon = livezoned(zones=[{"name": "live.test", "fallback": ["a.live.test. 5 IN A 10.0.0.1"]}])
    assert daemon.ctl("check-config", "--config", daemon.config_file).returncode == 0
