# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""The fixture of the fault rows; support/faults.py says how a row is written."""

import pytest

from support import build
from support.faults import Faults, keep_result


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A row that was skipped or failed is in the table too, with the reason."""
    outcome = yield
    report = outcome.get_result()
    if report.skipped:
        keep_result(item.name, skipped=str(report.longrepr[2]).removeprefix("Skipped: "))
    elif report.failed:
        keep_result(item.name, failed=True)


@pytest.fixture
def faults(request, livezoned, livezone, tmp_path, cleanup):
    if build.is_instrumented():
        pytest.skip("the fault rows are run with the plain build")
    return Faults(request, livezoned, livezone, tmp_path, cleanup)
