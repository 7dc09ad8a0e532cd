# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Files of serve that are damaged, replaced or gone (section 4 of the matrix)."""

import os

import pytest


@pytest.mark.parametrize("size", ["0", "4096", "half", "less-a-page"])
def test_f22_truncated_serve(faults, size):
    whole = faults.whole()
    with faults.probing(whole) as watch:
        data = faults.data_of(whole)
        now = data.stat().st_size
        with watch.fault():
            os.truncate(data, {"0": 0, "4096": 4096, "half": now // 8192 * 4096,
                               "less-a-page": now - 4096}[size])
        watch.wait_live()
    watch.must(stale_ok=True, live_within=2.0)
