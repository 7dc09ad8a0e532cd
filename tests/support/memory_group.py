# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""A control group with a memory limit, of version 1 or 2."""

import contextlib
import os
from pathlib import Path

import pytest

from .wait import wait_until

_ROOT = Path("/sys/fs/cgroup")


class MemoryGroup:
    """Processes join by themselves, before they are what they are to be: see wrapper."""

    def __init__(self, name):
        if os.geteuid() != 0:
            pytest.skip("a control group needs root")
        is_first = (_ROOT / "memory").is_dir()
        self._path = (_ROOT / "memory" if is_first else _ROOT) / f"{name}-{os.getpid()}"
        self._limit = self._path / ("memory.limit_in_bytes" if is_first else "memory.max")
        try:
            self._path.mkdir()
            # swap would let a process live on
            if not is_first:
                with contextlib.suppress(OSError):
                    (self._path / "memory.swap.max").write_text("0")
            self.limit(1 << 40)
        except OSError as error:
            with contextlib.suppress(OSError):
                self._path.rmdir()
            pytest.skip(f"no control group for memory here: {error}")

    def limit(self, size):
        self._limit.write_text(str(size))

    def used(self):
        name = self._limit.name.replace("limit", "usage").replace("max", "current")
        return int(self._limit.with_name(name).read_text())

    def wrapper(self):
        """A command that joins the group and becomes what follows it: of Livezoned.wrapper and
        Unbound.wrapper."""
        return ["/bin/sh", "-c", f'echo $$ > {self._path}/cgroup.procs && exec "$@"', "join"]

    def close(self):
        """After its processes: the kernel may take a moment to see that they are gone."""

        def is_removed():
            self._path.rmdir()
            return True

        wait_until(is_removed, 10, f"{self._path} is empty")
