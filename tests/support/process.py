# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""A child process with its log; ended by its own pid, whatever happens to the test."""

import ctypes
import os
import signal
import subprocess

from .build import SANITIZER_REPORT

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def _die_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """Started at once. The log gathers standard output and error of all runs."""

    def __init__(self, name, argv, log, env=None, cwd=None):
        self.name = name
        self.argv = [str(arg) for arg in argv]
        self.log = log
        self.env = {**os.environ, **(env or {})}
        self._cwd = cwd
        self._child = None
        self._is_end_known = False
        self.start()

    @property
    def pid(self):
        return self._child.pid

    def start(self):
        """Main thread only: the kernel ends the child when the starting thread ends."""
        assert not self.is_running(), f"{self.name} runs already"
        self._is_end_known = False
        with open(self.log, "ab") as out:
            self._child = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=self.env,
                cwd=self._cwd,
                preexec_fn=_die_with_parent,
            )

    def is_running(self):
        return self._child is not None and self._child.poll() is None

    @property
    def status(self):
        """As of Popen: None while it runs, negative for a signal."""
        return self._child.poll()

    def signal(self, number):
        self._child.send_signal(number)

    def wait(self, deadline=20.0):
        """Until it ends by itself; returns the exit status."""
        self._is_end_known = True
        return self._child.wait(deadline)

    def stop(self, deadline=20.0):
        """SIGTERM, and SIGKILL when that does not help. Returns the exit status."""
        self._is_end_known = True
        if self.is_running():
            self._child.terminate()
            try:
                self._child.wait(deadline)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
                raise AssertionError(f"{self.name} did not end after SIGTERM") from None
        return self._child.returncode

    def kill(self):
        """SIGKILL, and wait for the end."""
        self._is_end_known = True
        if self.is_running():
            self._child.kill()
        self._child.wait()

    def output(self):
        try:
            return self.log.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def close(self):
        """Ends it. The test fails when a sanitizer found something, when it ends badly, or
        when it had ended before and no test asked for that."""
        was_known, was_running = self._is_end_known, self.is_running()
        status = self.stop()
        report = SANITIZER_REPORT.search(self.output())
        assert not report, f"{self.name}: sanitizer report in {self.log}: {report.group()}"
        assert was_known or was_running, f"{self.name} ended by itself with {status}"
        assert was_known or status == 0, f"{self.name} ended with {status}"
