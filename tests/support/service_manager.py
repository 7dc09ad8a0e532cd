# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""The part of systemd that livezoned talks to: a socket for sd_notify, and a watchdog."""

import os
import socket
import threading
import time

from .wait import wait_until


class ServiceManager:
    """`environment` is for the service; `messages` are (time, text), oldest first."""

    def __init__(self, directory, watchdog_s):
        self._path = str(directory / "notify.sock")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self._path)
        self._socket.settimeout(0.1)
        self._halt = threading.Event()
        self.watchdog_s = watchdog_s
        self.environment = {
            "NOTIFY_SOCKET": self._path,
            "WATCHDOG_USEC": str(int(watchdog_s * 1e6)),
        }
        self.messages = []
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self):
        while not self._halt.is_set():
            try:
                text = self._socket.recv(4096).decode()
            except TimeoutError:
                continue
            self.messages.append((time.monotonic(), text))

    def heard(self, text, since=0.0):
        return [at for at, message in list(self.messages) if at >= since and text in message]

    def is_dead(self):
        """As systemd judges it: no pat for WatchdogSec since the last or since READY."""
        pats = self.heard("WATCHDOG=1") + self.heard("READY=1")
        return bool(pats) and time.monotonic() - max(pats) > self.watchdog_s

    def wait_dead(self):
        """Until the watchdog bites. Returns how long ago the last pat was then."""
        wait_until(self.is_dead, 10 * self.watchdog_s, "the patting ends")

    def longest_gap(self, since, until):
        pats = [at for at in self.heard("WATCHDOG=1") if since <= at <= until]
        times = [since, *pats, until]
        return max(after - before for before, after in zip(times, times[1:]))

    def close(self):
        self._halt.set()
        self._thread.join()
        self._socket.close()
        os.unlink(self._path)
