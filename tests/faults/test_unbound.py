# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Unbound killed, stopped, reloaded, crashed by the module."""

import json
import os
import pwd
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support import build, gdb, lockfile, truth
from support.compiled import compiled
from support.faults import FULL, cases
from support.livezone import Livezone, fragment, unbound_with_module
from support.resolver import rcode_of
from support.unbound import Unbound
from support.wait import wait_until


def size_of(faults, whole):
    return faults.data_of(whole).stat().st_size


def is_old(message):
    return any(option.code in (3, 19) for option in message.options)


def test_f11_killed_with_an_open_transaction(faults):
    faults.need("gdb")
    whole = faults.whole()
    with faults.probing(whole) as watch:
        pid = whole.unbound.process.pid
        with watch.away():
            gdb.stop_at(pid, gdb.INSIDE_THE_GUARD, f"shell kill -9 {pid}")
            whole.unbound.process.wait()
            killed = time.monotonic()
            left = [txn for txn in lockfile.slots_of(whole.daemon.serve, pid) if txn]
            assert left, "it had a transaction open"
            whole.unbound.start()
        watch.wait_live()
        wait_until(lambda: not lockfile.slots_of(whole.daemon.serve, pid), 7, "its slots are free")
        cleared = time.monotonic() - killed
        before = size_of(faults, whole)
        watch.ask(faults.pick(500, 20000))
        assert size_of(faults, whole) <= before + 64 * 4096
    watch.must(stale_ok=True, fallback_ok=True, same_process=False,
               note=f"slots free after {cleared:.1f} s")


def test_f12_stopped_inside_a_transaction(faults):
    faults.need("gdb")
    limit = 64 << 20
    whole = faults.whole(store={"size-limit": "64MiB"})
    seconds = faults.pick(1.5, 60)
    with faults.probing(whole, writes=faults.pick(300, 1000)) as watch:
        with watch.away():
            gdb.stop_at(whole.unbound.process.pid, gdb.INSIDE_THE_GUARD,
                        f"shell sleep {seconds}", "delete", "detach", deadline=seconds + 60)
        grown = size_of(faults, whole)
        watch.wait_live()
        assert max(grown, size_of(faults, whole)) <= limit
        after = size_of(faults, whole)
        watch.ask(faults.pick(1000, 20000))
        assert size_of(faults, whole) <= after + 64 * 4096
        statuses = dict(watch.writer.statuses)
    watch.must(note=f"stopped {seconds} s, serve grew to {grown >> 10} KiB; writes: {statuses}")


@pytest.mark.parametrize("verb", cases(["reload", "reload_keep_cache"], 1))
def test_f13_reloads(faults, verb):
    whole = faults.whole()
    reloads = faults.pick(10, 500)
    with faults.probing(whole) as watch:
        before = len(lockfile.slots(whole.daemon.serve))
        for _ in range(reloads):
            whole.unbound.reload(verb)
        watch.wait_live()
        assert len(lockfile.slots(whole.daemon.serve)) == before
    verdict = watch.must(lost=None, p99_ms=None, note=f"{reloads} times {verb}, {before} slots before "
                         "and after; lost: foreign names that Unbound was asking upstream for")
    # plain Unbound drops what it is just resolving as well
    assert [text for text in verdict.lost if ".foreign.example" not in text] == []


def test_f14_fast_reload(faults, livezone):
    whole = faults.whole()
    if "unknown command" in whole.unbound.control("fast_reload", check=False).stdout:
        faults.skip("fast_reload: Unbound 1.23 and later")
    with faults.probing(whole) as watch:
        for _ in range(faults.pick(10, 500)):
            whole.unbound.control("fast_reload")
    watch.must()


def make_fifo(path):
    path.unlink()
    os.mkfifo(path)


def make_loop(path):
    path.unlink()
    path.symlink_to(path)


def make_directory(path):
    path.unlink()
    path.mkdir()


STORES = {
    "missing": lambda serve: shutil.rmtree(serve),
    "a file": lambda serve: (shutil.rmtree(serve), serve.write_text("x")),
    "empty": lambda serve: [path.unlink() for path in serve.iterdir()],
    "not to be read": lambda serve: serve.chmod(0),
    "data not to be read": lambda serve: (serve / "data.mdb").chmod(0),
    "lock not to be written": lambda serve: (serve / "lock.mdb").chmod(0o440),
    "data missing": lambda serve: (serve / "data.mdb").unlink(),
    "data empty": lambda serve: os.truncate(serve / "data.mdb", 0),
    "data garbage": lambda serve: (serve / "data.mdb").write_bytes(b"\x5a" * 65536),
    "data a directory": lambda serve: make_directory(serve / "data.mdb"),
    "data a FIFO": lambda serve: make_fifo(serve / "data.mdb"),
    "data a loop": lambda serve: make_loop(serve / "data.mdb"),
    "lock missing": lambda serve: (serve / "lock.mdb").unlink(),
    "lock empty": lambda serve: os.truncate(serve / "lock.mdb", 0),
    "lock garbage": lambda serve: (serve / "lock.mdb").write_bytes(b"\x5a" * 65536),
    "lock a directory": lambda serve: make_directory(serve / "lock.mdb"),
}
# LMDB makes a lock file that is empty or in nobody's use anew.
LIVE = {"lock empty", "lock garbage"}
# Copied without the locks.
STALE = {"lock not to be written", "lock a directory"}


@pytest.mark.parametrize("store", cases(STORES, 3))
def test_f15_started_with_an_unreadable_store(
    faults, store, memory_path, upstream, cleanup, watch_log
):
    """As a user of its own, because root may read everything."""
    user = faults.other_user()
    memory_path.chmod(0o755)
    run = memory_path / "run"
    run.mkdir()
    os.chown(run, -1, user.pw_gid)
    upstream.add(*truth.foreign_records())
    daemon = faults.daemon(store={"serve": str(run / "serve")}, start=False)
    os.rmdir(daemon.serve)  # livezoned makes it, with the group of its parent
    daemon.config_file = memory_path / "livezone.yaml"
    daemon.write_config()
    daemon.start()
    daemon.api.put("name.live.test", "A", "10.0.0.1")
    daemon.stop()
    STORES[store](Path(daemon.serve))
    unbound = unbound_with_module(memory_path / "unbound", daemon, upstream=upstream.port,
                                  server='username: "nobody"')
    cleanup.callback(unbound.close)
    watch_log(memory_path / "unbound" / "unbound.log")
    unbound.start()
    whole = Livezone(daemon, unbound)
    assert whole.answers(truth.hot(0)) == ["192.0.2.80"]
    assert whole.answers("www-1.foreign.example") == ["192.0.2.2"]
    if store in STALE:
        wait_until(lambda: rcode_of(whole.query("name.live.test")) == "NOERROR", 5, "a copy is made")
    message = whole.query("name.live.test")
    if store in LIVE | STALE:
        assert message.answer[0][0].address == "10.0.0.1"
        assert is_old(message) == (store in STALE)
    else:
        assert rcode_of(message) == "SERVFAIL"
    assert unbound.process.is_running()
    faults.record(note=f"serve: {store}: fallback, then {rcode_of(message)}")


def run_prestart(daemon, settings, *options):
    """Returns what it says."""
    done = subprocess.run(
        [build.PREFIX / "sbin" / "livezone-prestart", "--unbound", build.UNBOUND, settings, *options],
        env={**os.environ, "LIVEZONE_CONF": str(daemon.config_file)},
        capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stderr


def refusing_module(tmp_path):
    return compiled(build.SOURCE / "tests" / "faults" / "refusing_module.c", "-shared", "-fPIC",
                    name="refusing.so")


def no_library(tmp_path):
    (tmp_path / "no-library.so").write_bytes(b"\x7fELF" + bytes(100))
    return tmp_path / "no-library.so"


MODULES = {
    "missing": lambda tmp_path: tmp_path / "missing.so",
    "no library": no_library,
    "refuses this Unbound": refusing_module,
}


@pytest.mark.parametrize("module", cases(MODULES, 2))
def test_f16_the_module_cannot_be_loaded(faults, module, tmp_path, upstream, cleanup, watch_log):
    """livezone-prestart takes it out of the settings, and puts it in again."""
    upstream.add(*truth.foreign_records())
    daemon = faults.daemon()
    daemon.api.put("name.live.test", "A", "10.0.0.1")
    settings = tmp_path / "livezone.conf"

    def prestart(module, *options):
        return run_prestart(daemon, settings, "--module", module, *options)

    said = prestart(MODULES[module](tmp_path))
    assert "cannot load the module" in said
    unbound = Unbound(
        tmp_path / "unbound", upstream=upstream.port, modules=None,
        extra=f'include: "{settings}"\n', env={"LIVEZONE_CONF": str(daemon.config_file)})
    cleanup.callback(unbound.close)
    watch_log(tmp_path / "unbound" / "unbound.log")
    unbound.start()
    assert unbound.answers("www-1.foreign.example") == ["192.0.2.2"]
    assert unbound.answers(truth.hot(0)) == ["192.0.2.80"]
    assert rcode_of(unbound.query("name.live.test")) == "REFUSED"
    unbound.stop()
    assert prestart(build.MODULE, "--port", str(unbound.port)) == ""
    unbound.start()
    assert unbound.answers("name.live.test") == ["10.0.0.1"]
    assert unbound.answers("www-1.foreign.example") == ["192.0.2.2"]
    faults.record(note=f"module {module}: fallback without it, then live again")


def test_f17_a_fault_inside_the_guard(faults):
    faults.need("gdb")
    whole = faults.whole()
    pid = whole.unbound.process.pid
    # nobody else asks, so that one of these questions meets the fault
    with ThreadPoolExecutor() as pool:
        fault = pool.submit(gdb.fault_at, pid, gdb.INSIDE_THE_GUARD)
        answers = []
        while not (fault.done() and answers and not answers[-1].options):
            answers.append(whole.query(truth.cold(1), timeout=30))
        fault.result()
    assert {message.answer[0][0].address for message in answers} == {"10.16.0.1"}
    assert any(is_old(message) for message in answers)
    wait_until(lambda: faults.report_of(whole).get("trips_sigsegv") == "1", 10, "it is counted")
    assert whole.unbound.process.pid == pid
    with faults.probing(whole) as watch:
        watch.wait_live()
    watch.must(note=f"{len(answers)} questions meanwhile, each answered, one at least from the snapshot")


def crash(whole):
    """A fault where no guard is; the core would be big."""
    subprocess.run(["prlimit", "--pid", str(whole.unbound.process.pid), "--core=0"], check=True)
    gdb.fault_at(whole.unbound.process.pid, gdb.OUTSIDE_THE_GUARD)
    assert whole.unbound.process.wait() == -11


def restarted_after_crash(whole, watch):
    """The supervisor starts Unbound again."""
    with watch.away():
        crash(whole)
        whole.unbound.start()


def assert_disabled(faults, whole):
    assert faults.report_of(whole)["store"] == "disabled"
    assert "again and again" in whole.unbound.process.output()
    status, = whole.api.status()["unbounds"]
    assert (status["store"], status["crashes"]) == ("disabled", 3)
    assert 0 < float(status["retry-in"].rstrip("s")) <= 60
    assert "store disabled" in whole.daemon.ctl("status").stdout
    assert rcode_of(whole.query(truth.cold(1))) == "SERVFAIL"
    assert whole.answers(truth.hot(0)) == ["192.0.2.80"]
    assert whole.answers("www-1.foreign.example") == ["192.0.2.2"]


def test_f17_a_fault_outside_the_guard(faults):
    """Ends Unbound; three times, and its next start leaves the store alone."""
    faults.need("gdb", "prlimit")
    whole = faults.whole()
    with faults.probing(whole) as watch:
        for _ in range(2):
            restarted_after_crash(whole, watch)
            watch.wait_live()
        with watch.away():
            crash(whole)
            whole.unbound.start()
            assert_disabled(faults, whole)
            pid = whole.unbound.process.pid
            if not faults.full:  # the time is over, as far as the module can see
                gdb.run(pid, "set var 'entry.c'::keeper->breaker.off_until_ms = 1")
            wait_until(lambda: faults.report_of(whole)["store"] == "live", 90, "it is tried again")
            assert whole.unbound.process.pid == pid
        watch.wait_live()
    watch.must(fallback_ok=True, stale_ok=True, same_process=False)


def test_f17_a_clean_restart_reads_the_store_at_once(faults):
    faults.need("gdb", "prlimit")
    whole = faults.whole(cold=100)
    for _ in range(3):
        wait_until(lambda: faults.report_of(whole).get("store") == "live", 10, "it is live")
        whole.unbound.process.kill()
        whole.unbound.start()
    assert faults.report_of(whole)["store"] == "disabled"
    whole.unbound.reload()
    assert faults.report_of(whole)["store"] == "disabled"
    assert rcode_of(whole.query(truth.cold(1))) == "SERVFAIL"
    assert whole.unbound.stop() == 0
    whole.unbound.start()
    assert faults.report_of(whole)["store"] == "live"
    assert whole.answers(truth.cold(1)) == ["10.16.0.1"]
    faults.record(note="after SIGKILL three times; a reload goes on counting, a restart does not")


def test_f17_prestart_does_not_forget_crashes(faults, tmp_path):
    whole = faults.whole(cold=100)
    for _ in range(3):
        wait_until(lambda: faults.report_of(whole).get("store") == "live", 10, "it is live")
        whole.unbound.process.kill()
        assert run_prestart(whole.daemon, tmp_path / "livezone.conf", "--module", build.MODULE) == ""
        whole.unbound.start()
    assert_disabled(faults, whole)
    faults.record(note="SIGKILL three times, livezone-prestart before each start")


def test_f17_starts_that_fail_are_no_crashes(faults, tmp_path):
    """For a reason that is not the module's: a trust anchor that cannot be read."""
    whole = faults.whole(cold=100)
    config = whole.unbound.config.read_text()
    assert whole.unbound.stop() == 0
    whole.unbound.config.write_text(
        config.replace('"dynlib iterator"', '"dynlib validator iterator"')
        + f'server:\n    trust-anchor-file: "{tmp_path}/missing"\n')
    assert "validator" in whole.unbound.config.read_text()
    for _ in range(4):
        before = whole.unbound.process.output().count("is live, revision")
        with pytest.raises(AssertionError, match="ended at start"):
            whole.unbound.start()
        assert whole.unbound.process.output().count("is live, revision") > before
    whole.unbound.config.write_text(config)
    whole.unbound.start()
    assert faults.report_of(whole)["store"] == "live"
    assert whole.answers(truth.cold(1)) == ["10.16.0.1"]
    faults.record(note="four starts that failed after the store was open")


@pytest.mark.parametrize("threads", [1, 2, 8, 64] if FULL else [1, 64])
def test_f19_threads(faults, threads):
    whole = faults.whole(threads=threads, cold=faults.pick(200, 2000))
    with faults.probing(whole) as watch:
        with watch.fault():
            os.truncate(faults.data_of(whole), 0)
        watch.wait_live()
    watch.must(stale_ok=True, live_within=2.0, p99_ms=20 if threads > 8 else 5,
               note=f"{threads} threads, serve truncated")


# What livezone.so and Unbound need inside of a chroot, besides themselves.
_FIND_LIBRARIES = ["ldd", build.MODULE, build.UNBOUND]


def fill_chroot(root):
    listed = subprocess.run(_FIND_LIBRARIES, capture_output=True, text=True, check=True).stdout
    libraries = {word for word in listed.split() if word.startswith("/") and ":" not in word}
    for path in {*libraries, str(build.MODULE)}:
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)


def test_f20_chroot_and_a_user_of_its_own(faults, memory_path, upstream, cleanup, watch_log):
    """The library, what it needs, its settings and serve are inside; there is no /proc."""
    user = faults.other_user()
    memory_path.chmod(0o755)
    root = memory_path / "root"
    fill_chroot(root)
    run = root / "run"
    run.mkdir()
    os.chown(run, -1, user.pw_gid)
    upstream.add(*truth.foreign_records())
    daemon = faults.daemon(store={"serve": str(run / "serve")}, start=False)
    os.rmdir(daemon.serve)
    daemon.config_file = memory_path / "livezone.yaml"
    daemon.write_config()
    daemon.start()
    inside = dict(daemon.config, store={**daemon.config["store"], "serve": "/run/serve"})
    (root / "livezone.yaml").write_text(json.dumps(inside))
    directory = root / "unbound"
    unbound = Unbound(
        directory,
        upstream=upstream.port,
        modules=None,
        extra=lambda port: fragment(daemon, port),
        server=f'username: "nobody"\n    chroot: "{root}"\n    so-rcvbuf: 4m',
        env={"LIVEZONE_CONF": "/livezone.yaml"},
    )
    cleanup.callback(unbound.close)
    watch_log(directory / "unbound.log")
    unbound.start()
    whole = faults.fill(Livezone(daemon, unbound).wait_live(), cold=200)
    with faults.probing(whole) as watch:
        with watch.fault():
            os.truncate(faults.data_of(whole), 0)
        watch.wait_live()
    watch.must(stale_ok=True, live_within=2.0, note="chroot without /proc, user nobody")


def test_f21_more_workers_than_reader_slots(faults, tmp_path):
    """The lock file has 512 slots; another process takes all but a few."""
    whole = faults.whole(threads=2, cold=200)
    with faults.probing(whole) as watch:
        taken = len(lockfile.slots(whole.daemon.serve))
        claims = lockfile.Claims(tmp_path, whole.daemon.serve, 512 - taken - 3)
        with watch.away():
            whole.unbound.threads = 64
            whole.unbound.write_config()
            whole.unbound.reload()
        watch.ask(faults.pick(500, 10000))
        warning = wait_until(lambda: faults.report_of(whole)["warning"], 5, "it warns")
        assert "reader slots" in warning
        claims.close()
        wait_until(lambda: not faults.report_of(whole).get("warning"), 10, "livezoned sweeps")
        watch.wait_live()
    watch.must(stale_ok=True, note="64 threads, 9 slots: the others answer from the snapshot")
