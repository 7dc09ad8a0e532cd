# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""tests/faults/prober.c as a process, and its log."""

import struct
from collections import namedtuple

from . import build
from .compiled import compiled
from .process import Process
from .wait import wait_until

_RECORD = struct.Struct("<QIIIIHBBBBH")  # struct record
LOST = 255  # rcode
NO_EDE = 0xFFFF
BAD_TXT, MALFORMED = 2, 4  # flags

Probe = namedtuple("Probe", "sent_ns latency_us name value link ede rcode flags type answers unused")


class Prober:
    """Asks `port` for `names`, a list of (weight, types, name), until stop()."""

    def __init__(self, directory, port, names, rate=2000, deadline_ms=1000, seed=1):
        directory.mkdir(exist_ok=True)
        self._log = directory / "probes"
        list_of_names = directory / "names"
        list_of_names.write_text("".join("%g %s %s\n" % name for name in names))
        program = compiled(build.SOURCE / "tests" / "faults" / "prober.c")
        self._process = Process(
            "prober",
            [program, port, rate, deadline_ms, seed, list_of_names, self._log],
            directory / "prober.log",
        )

    def count(self):
        """Questions that are answered or lost by now."""
        return self._log.stat().st_size // _RECORD.size if self._log.exists() else 0

    def wait_for(self, questions):
        """Until so many more have been answered or lost."""
        goal = self.count() + questions
        wait_until(
            lambda: self.count() >= goal, 30 + questions / 200, f"{questions} more questions")

    def stop(self):
        """Every Probe, in the order in which they were sent."""
        status = self._process.stop()
        assert status == 0, self._process.output()
        return sorted(map(Probe._make, _RECORD.iter_unpack(self._log.read_bytes())))

    def close(self):
        self._process.close()
