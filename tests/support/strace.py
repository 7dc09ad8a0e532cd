# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""strace as a tool that breaks things: it attaches to a running process and interferes with its
system calls, those on given files or all."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from .wait import wait_until


def threads(pid):
    """{thread id: name} of a process."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            found[int(task.name)] = (task / "comm").read_text().strip()
        except OSError:
            continue  # it has ended
    return found


def thread(pid, name):
    """A thread gives itself its name soon after it was started."""
    return wait_until(
        lambda: next((tid for tid, comm in threads(pid).items() if comm == name), None),
        5, f"thread {name}", 0.001)


def _is_traced(pid, tid):
    """A thread that has ended, killed by the first call that was to be broken, was traced."""
    try:
        status = Path(f"/proc/{pid}/task/{tid}/status").read_text()
    except OSError:
        return True
    return "TracerPid:\t0\n" not in status or "State:\tZ" in status


class Strace:
    """Attached when the constructor returns.

    `calls` and `inject` are strace's, as in "pwrite64,fdatasync" and "signal=KILL:when=3"; without
    `inject` the calls are only logged. `paths` restricts both to calls on these files. `tid`:
    one thread, not all.
    """

    def __init__(self, pid, calls, inject=None, paths=(), log=os.devnull, tid=None):
        if not shutil.which("strace"):
            pytest.skip("strace is not installed")
        argv = ["strace", "-qq", "-o", str(log), "-p", str(tid or pid)]
        argv += [] if tid else ["-f"]
        for path in paths:
            argv += ["-P", str(path)]
        argv += ["-e", f"trace={calls}", "-e", "signal=none"]
        argv += ["-e", f"inject={calls}:{inject}"] if inject else []
        self._child = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
        try:
            wait_until(lambda: self._is_attached(pid, tid), 10, "strace is attached", 0.002)
        except BaseException:
            self.close()
            raise

    def _is_attached(self, pid, tid):
        if self._child.poll() and (text := self._child.stderr.read()):
            raise RuntimeError(f"strace: {text}")
        return all(_is_traced(pid, one) for one in ([tid] if tid else threads(pid)))

    def close(self):
        """Lets the process go on as it is; one that has ended is no error."""
        if self._child.poll() is None:
            self._child.send_signal(signal.SIGTERM)
            try:
                self._child.wait(5)
            except subprocess.TimeoutExpired:
                self._child.kill()
        self._child.wait()
        self._child.stderr.close()
