# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Damage of serve that no look-up meets as such: in the meta pages, where LMDB finds everything."""

import os
from pathlib import Path

import pytest

from support.wait import wait_until

PAGE = 4096


@pytest.mark.parametrize(
    "at, value",
    [
        pytest.param(16, b"XXXX", id="magic"),
        pytest.param(128, b"\xff\xff\0\0", id="root"),
        pytest.param(136, b"\xff\xff\xff\x0f", id="last-page"),
        pytest.param(144, b"\xff\xff\xff\x7f", id="transaction"),
    ],
)
def test_damaged_meta_pages_are_found_and_no_answer_is_wrong(livezone, livezoned, at, value):
    whole = livezone(daemon=livezoned(zones=["live.test"]))
    whole.api.batch([
        {"put": {"name": f"n{i}.live.test", "type": "A", "records": [f"10.0.0.{i}"]}}
        for i in range(100)
    ])
    report = Path(whole.daemon.serve) / f"unbound-{whole.unbound.process.pid}.report"
    wait_until(lambda: "snapshot_revision 1\n" in report.read_text(), 10, "the snapshot is made")
    before = whole.api.status()["serve"]["rebuilds"]
    file = os.open(Path(whole.daemon.serve) / "data.mdb", os.O_RDWR)
    for meta in (0, 1):
        os.pwrite(file, value, meta * PAGE + at)
    os.close(file)

    def is_rebuilt():
        assert whole.answers("n7.live.test") == ["10.0.0.7"]
        assert not whole.answers("n700.live.test")
        return whole.api.status()["serve"]["rebuilds"] > before

    wait_until(is_rebuilt, 10, "serve is built anew")
