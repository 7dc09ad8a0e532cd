# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""serve is replaced all the time, by a directory of the same content, while four workers
answer. The build with ThreadSanitizer is what this is for (scripts/test --tsan)."""

import ctypes
import shutil
import time
from pathlib import Path

import pytest

from support import build
from support.load import FixedProber, Load
from support.wait import wait_until

_SECONDS = 300 if build.LONG else 6
_PAUSE = 0.03  # the keeper looks every 50 ms while serve changes
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
_libc = ctypes.CDLL(None, use_errno=True)

NAMES = 300
TRUTH = {f"name-{n}.live.test": f"10.0.{n >> 8}.{n & 255}" for n in range(NAMES)}
TRUTH |= {f"missing-{n}.live.test": None for n in range(50)}


def exchange(one, other):
    if _libc.renameat2(_AT_FDCWD, bytes(one), _AT_FDCWD, bytes(other), _RENAME_EXCHANGE):
        raise OSError(ctypes.get_errno(), "renameat2")


class Switcher(Load):
    """Puts copies of serve in its place. Every copy has its own, new lock file."""

    def __init__(self, serve):
        super().__init__()
        self._serve = serve
        self._model = serve.with_name("serve.model")
        shutil.copytree(serve, self._model)
        for name in [*self._model.glob("*.report"), self._model / "lock.mdb"]:
            name.unlink()
        (self._model / "lock.mdb").touch()
        self.switches = 0

    def step(self):
        self.switches += 1
        other = self._serve.with_name(f"serve.{self.switches}")
        shutil.copytree(self._model, other)
        exchange(other, self._serve)
        shutil.rmtree(other, ignore_errors=True)  # a report may be written into it meanwhile
        self._halt.wait(_PAUSE)


@pytest.mark.timeout(_SECONDS + 300)
def test_four_workers_answer_while_serve_is_replaced_ten_times_a_second(
    livezone, cleanup, measured
):
    whole = livezone(threads=4)
    whole.api.batch([
        {"put": {"name": name, "type": "A", "ttl": 300, "records": [address]}}
        for name, address in TRUTH.items() if address
    ])
    serve = Path(whole.daemon.serve)
    whole.daemon.stop()  # it would put its own in place again
    probers = [FixedProber(whole.unbound.port, TRUTH, seed) for seed in range(4)]
    switcher = Switcher(serve)
    for load in (*probers, switcher):
        cleanup.callback(load.finish)
        load.start()

    def opened():
        for report in serve.glob(f"unbound-{whole.unbound.process.pid}.report"):
            lines = dict(line.split(" ", 1) for line in report.read_text().splitlines())
            return int(lines["opens"])
        return 0

    began, first = time.monotonic(), wait_until(opened, 10, "a report")
    wait_until(lambda: time.monotonic() - began >= _SECONDS, _SECONDS + 10, "the time is over", 0.2)
    opens = wait_until(opened, 10, "a report") - first
    took = time.monotonic() - began
    for load in (*probers, switcher):
        load.finish()
        assert load.faults == []
    answers = sum(prober.answers for prober in probers)
    measured(f"{answers} answers, {opens} stores in {took:.0f} s, {opens / took:.1f} a second")
    assert opens > 2 * took, "it was switched all the time"
    assert whole.unbound.process.is_running()
