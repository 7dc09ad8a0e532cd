# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""The fixture of the fault rows; support/faults.py says how a row is written."""

import pytest

from support import build
from support.faults import Faults


@pytest.fixture
def faults(request, livezoned, livezone, upstream, tmp_path, cleanup):
    if build.is_instrumented():
        pytest.skip("the fault rows are run with the plain build")
    return Faults(request, livezoned, livezone, upstream, tmp_path, cleanup)
