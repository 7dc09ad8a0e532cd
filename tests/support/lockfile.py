# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""The reader slots in lock.mdb, as 64-bit LMDB 0.9 lays them out (mdb.c: MDB_txninfo, then one
MDB_reader for each slot). Only for a process that has the environment not open."""

import struct
from pathlib import Path

from . import build
from .compiled import compiled
from .process import Process
from .wait import wait_until

_HEAD, _SLOT = 128, 64
_IDLE = (1 << 64) - 1


def slots(serve):
    """[(pid, transaction or None)] of the slots in use."""
    found = []
    data = (Path(serve) / "lock.mdb").read_bytes()
    for at in range(_HEAD, len(data) - _SLOT + 1, _SLOT):
        txn, pid = struct.unpack_from("=QI", data, at)
        if pid:
            found.append((pid, None if txn == _IDLE else txn))
    return found


def slots_of(serve, pid):
    return [txn for owner, txn in slots(serve) if owner == pid]


class Claims:
    """Another process with `count` reader slots, or with all that are left."""

    def __init__(self, directory, serve, count=1000):
        program = compiled(build.SOURCE / "tests" / "faults" / "claimer.c", "-llmdb")
        self._process = Process("claimer", [program, serve, count], directory / "claimer.log")
        wait_until(lambda: "claimed" in self._process.output() or not self._process.is_running(),
                   10, "slots are claimed")
        assert self._process.is_running(), self._process.output()

    def close(self):
        """By SIGKILL, so that its slots stay until somebody clears them."""
        self._process.kill()
