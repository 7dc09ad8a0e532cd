# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""livezoned killed, stopped, slow (section 2 of the matrix, and F65)."""

import random

import pytest

from support.enumeration import (
    Batch,
    Single,
    Source,
    break_at,
    break_at_every_call,
    break_at_some_calls,
    points_of,
)
from support.faults import FULL
from support.filesystem import mount_image, mount_small

_PLACES = ["disk", "tmpfs", "ext4"] if FULL else ["disk"]


@pytest.fixture
def place(request, tmp_path, cleanup):
    """The directory of state, on a file system of that kind."""
    path = tmp_path / "state-of-its-own"
    if request.param == "tmpfs":
        return mount_small(cleanup, path, 256 << 20)
    if request.param == "ext4":
        return mount_image(cleanup, path)
    return path


@pytest.mark.parametrize("place", _PLACES, indirect=True)
def test_f3_killed_at_every_call_of_a_write(faults, place, tmp_path):
    faults.need("strace")
    whole = faults.whole(cold=200, store={"state": str(place)})
    kills = {}
    with faults.probing(whole, writes=0) as watch:
        operations = {
            "put": Single(whole),
            "batch": Batch(whole, watch.writer),
            "source": Source(whole, faults.pick(150, 3000)),
        }
        for name, operation in operations.items():
            assert operation.run()  # the first one is of another kind
            calls = points_of(whole, operation, tmp_path / "calls")
            kills[name] = break_at_every_call(whole, operation, calls)
            assert kills[name] >= 10, calls
    watch.must(note=f"kills: {kills}; state on {place}")
