# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""gdb as a tool that breaks things at a place in the code of a running process."""

import platform
import shutil
import subprocess

import pytest

# LMDB is used under these of ours; the first argument of each is a pointer.
INSIDE_THE_GUARD = "serve_find"
OUTSIDE_THE_GUARD = "reply_answer"


def run(pid, *commands, deadline=60.0):
    """Attaches, executes the commands, detaches; returns what gdb printed."""
    if not shutil.which("gdb"):
        pytest.skip("gdb is not installed")
    argv = ["gdb", "-nx", "-q", "-batch", "-p", str(pid)]
    for command in ("set pagination off", "set debuginfod enabled off", *commands):
        argv += ["-ex", command]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=deadline)
    output = done.stdout + done.stderr
    if "Operation not permitted" in output:
        pytest.skip("gdb may not attach here")
    return output


def stop_at(pid, function, *commands, **options):
    """Runs on until the process calls `function`, and then executes the commands."""
    output = run(pid, f"break *{function}", "continue", *commands, **options)
    assert "Breakpoint 1, " in output, output
    return output


def fault_at(pid, function, **options):
    """Makes the next call of `function` read at address 8: a fault as by a bug, which a signal
    that is sent is not."""
    if platform.machine() != "x86_64":
        pytest.skip("knows the registers of x86-64 only")
    return stop_at(pid, function, "delete", "set $rdi = 8", "detach", **options)
