# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Fixtures around real servers: a factory per server, which registers the end of each
server when it makes it, so that nothing outlives its test. Logs are printed when a test
fails.

LIVEZONE_PREFIX names the installation under test (build/install), LIVEZONE_TEST_LONG=1
turns on the full counts. A sanitizer build is recognised by itself (support/build.py).
"""

import contextlib
import shutil
import tempfile
from pathlib import Path

import pytest

from support import build
from support.livezone import Livezone, unbound_with_module
from support.livezoned import Livezoned, default_config
from support.unbound import Unbound
from support.upstream import FakeUpstream

_LOG_TAIL = 12000  # characters of each log that a failure shows


def pytest_collection_modifyitems(items):
    if build.LONG:
        return
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.skip(reason="takes minutes: set LIVEZONE_TEST_LONG=1"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Adds the logs of this test's servers to a failure."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for log in getattr(item, "server_logs", []):
            if log.exists():
                report.sections.append((str(log), log.read_text(errors="replace")[-_LOG_TAIL:]))


def pytest_terminal_summary(terminalreporter):
    """Prints what tests measured; also from the worker processes of pytest-xdist."""
    for report in terminalreporter.getreports("passed"):
        for key, text in report.user_properties:
            if key == "measured" and report.when == "call":
                terminalreporter.write_line(f"{report.nodeid.split('::')[-1]}: {text}")


@pytest.fixture
def measured(record_property):
    """Keeps a line of numbers, to be printed at the end of the run."""
    return lambda text: record_property("measured", text)


def _need(*programs):
    for program in programs:
        if not program.exists():
            pytest.fail(f"{program} is not installed: run scripts/setup, or set LIVEZONE_PREFIX")


@pytest.fixture
def cleanup():
    """An ExitStack: what it was given is undone in reverse order at the test's end, all of
    it, whatever fails."""
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def watch_log(request):
    """Names a log file that a failure shows."""
    request.node.server_logs = []
    return request.node.server_logs.append


@pytest.fixture
def memory_path(cleanup):
    """A directory of this test in memory, as `serve` is in production."""
    shared = Path("/dev/shm")
    made = tempfile.mkdtemp(prefix="livezone-", dir=shared if shared.is_dir() else None)
    cleanup.callback(shutil.rmtree, made, ignore_errors=True)
    return Path(made)


@pytest.fixture
def unbound(tmp_path, cleanup, watch_log):
    """Factory of a plain Unbound: unbound(name="unbound", **options of Unbound)."""

    def make(name="unbound", **options):
        _need(build.UNBOUND, build.UNBOUND_CONTROL)
        server = Unbound(tmp_path / name, **options)
        cleanup.callback(server.close)
        watch_log(server.directory / "unbound.log")
        return server.start()

    return make


@pytest.fixture
def livezoned(tmp_path, memory_path, cleanup, watch_log):
    """Factory of a livezoned: livezoned(zones=[...], start=True, tcp=False, store={...},
    api={...}, backup={...}). `store` and `api` are laid over the default configuration."""

    def make(
        zones=("live.test",), name="livezoned", start=True, tcp=False, store=(), api=(), backup=None
    ):
        _need(build.LIVEZONED, build.LIVEZONECTL)
        directory = tmp_path / name
        directory.mkdir()
        config = default_config(directory, memory_path / f"{name}-serve", zones)
        config["store"].update(store)
        config["api"].update(api)
        if backup is not None:
            config["backup"] = backup
        config["api"] = {key: value for key, value in config["api"].items() if value is not None}
        server = Livezoned(directory, config, tcp=tcp)
        cleanup.callback(server.close)
        watch_log(directory / "livezoned.log")
        return server.start() if start else server

    return make


@pytest.fixture
def livezone(tmp_path, livezoned, cleanup, watch_log):
    """Factory of the whole: livezone(zones=[...], daemon=None, **options of Unbound)."""

    def make(zones=("live.test",), daemon=None, name="unbound", wait=True, **options):
        _need(build.UNBOUND, build.UNBOUND_CONTROL, build.MODULE)
        daemon = daemon or livezoned(zones=zones)
        server = unbound_with_module(tmp_path / name, daemon, **options)
        cleanup.callback(server.close)
        watch_log(server.directory / "unbound.log")
        server.start()
        whole = Livezone(daemon, server)
        return whole.wait_live() if wait else whole

    return make


@pytest.fixture
def upstream(cleanup):
    """A fake authoritative server for everything; programmable, counts its questions."""
    server = FakeUpstream()
    cleanup.callback(server.close)
    return server
