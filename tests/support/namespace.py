# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Commands that execute a server in namespaces of its own. Needs root."""

import subprocess

import pytest


def need():
    done = subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True)
    if done.returncode:
        pytest.skip(f"no namespaces here: {done.stderr.decode().strip()}")


def read_only(path):
    """`path` is mounted read-only for that process alone, which keeps its pid."""
    script = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
    return ["unshare", "--mount", "sh", "-c", script, str(path)]


def own_pids():
    """A pid namespace with an init, so that the server is process 2 there. It is ended by
    SIGKILL, whatever its init is sent."""
    return ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc",
            "sh", "-c", '"$@" & wait', "sh"]
