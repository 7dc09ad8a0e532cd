# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Limits of LMDB that others run into, and read-only mounts."""

import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support import build, lockfile, namespace, truth
from support.livezone import unbound_with_module
from support.wait import wait_until


def restart(whole, watch, **changes):
    """Another Unbound in its place; `changes` are attributes of whole.unbound."""
    with watch.away():
        whole.unbound.process.kill() if whole.unbound.wrapper else whole.unbound.stop()
        for name, value in changes.items():
            setattr(whole.unbound, name, value)
        whole.unbound.start()


def stage_of(message):
    """The extended errors of an answer; none: it is live."""
    return [int(option.code) for option in message.options]


def test_f30_serve_is_read_only_for_unbound(faults):
    """LMDB would run without its locks there, and the answers would be wrong."""
    faults.need("unshare")
    namespace.need()
    whole = faults.whole(cold=500)
    with faults.probing(whole) as watch:
        restart(whole, watch, wrapper=namespace.read_only(whole.daemon.serve))
        said = whole.unbound.process.output()
        assert "is mounted read-only" in said and "ReadWritePaths=" in said
        watch.ask(faults.pick(1000, 20000))
        assert stage_of(whole.query(next(iter(truth.fallback_records())))) == [0]
        goal = watch.writer.acks + 10
        wait_until(lambda: watch.writer.acks > goal, 10, "writes are acknowledged")
        restart(whole, watch, wrapper=())
        watch.wait_live()
    watch.must(fallback_ok=True, servfail=None, same_process=False,
               note="refused, the log names the cure, fallback answers; then live")


def test_f43_reader_table_filled_by_another_process(faults, tmp_path):
    whole = faults.whole()
    with faults.probing(whole) as watch:
        claims = lockfile.Claims(tmp_path, whole.daemon.serve)
        assert len(lockfile.slots(whole.daemon.serve)) == 512
        watch.ask(faults.pick(500, 10000))
        claims.close()
        killed = time.monotonic()
        wait_until(lambda: len(lockfile.slots(whole.daemon.serve)) < 20, 10, "livezoned sweeps")
        swept = time.monotonic() - killed
        watch.wait_live()
    watch.must(note=f"512 slots taken; swept {swept:.1f} s after that process was killed")


def test_f43_unbound_started_while_it_is_full(faults, tmp_path):
    whole = faults.whole(cold=500)
    with faults.probing(whole) as watch:
        with watch.away():
            whole.unbound.stop()
            claims = lockfile.Claims(tmp_path, whole.daemon.serve)
            whole.unbound.start()
        assert stage_of(whole.query(next(iter(truth.fallback_records())))) == [0]
        watch.ask(faults.pick(500, 10000))
        assert "reader slot: MDB_READERS_FULL" in faults.report_of(whole)["store_reason"]
        claims.close()
        watch.wait_live()
    watch.must(fallback_ok=True, servfail=None, same_process=False)


def test_f44_livezoned_and_unbound_have_one_pid(faults):
    faults.need("unshare")
    namespace.need()
    whole = faults.whole(cold=500)
    with faults.probing(whole) as watch:
        with watch.away():
            whole.daemon.stop()
            whole.daemon.wrapper = namespace.own_pids()
            whole.daemon.start()
        restart(whole, watch, wrapper=namespace.own_pids())
        watch.wait_live()
        says = "has the process id 2 too"
        assert says in whole.unbound.process.output()
        status = next(one for one in whole.api.status()["unbounds"] if one["pid"] == 2)
        assert status["store"] == "live"
        assert says in status["warning"]
        assert "WARNING: the other side" in whole.daemon.ctl("status").stdout
        watch.ask(faults.pick(500, 10000))
        with watch.away():
            whole.unbound.process.kill()
            whole.daemon.kill()
            whole.daemon.wrapper = whole.unbound.wrapper = ()
            whole.daemon.start()
            whole.unbound.start()
        watch.wait_live()
    watch.must(same_process=False, note="both process 2: live, with a warning in the log and in status")


def test_f44_two_unbounds_have_one_pid(faults, tmp_path, cleanup, watch_log):
    """LMDB gives the second one no reader slot: EAGAIN."""
    faults.need("unshare")
    namespace.need()
    whole = faults.whole(cold=500)
    second = unbound_with_module(
        tmp_path / "second", whole.daemon, upstream=faults.upstream.port,
        wrapper=namespace.own_pids())
    cleanup.callback(second.close)
    watch_log(second.directory / "unbound.log")
    with faults.probing(whole) as watch:
        restart(whole, watch, wrapper=namespace.own_pids())
        watch.wait_live()
        second.start()
        for _ in range(200):
            assert stage_of(second.query(next(iter(truth.fallback_records())))) == [0]
        said = second.process.output().count("another reader has our process id 2")
        assert said == 1
        second.process.kill()
        watch.ask(faults.pick(500, 10000))
        restart(whole, watch, wrapper=())
        watch.wait_live()
    watch.must(same_process=False, note="the second one answers from fallback records, and says why once")


def other_lmdb(faults):
    """The directory of another release's liblmdb.so.0, fetched and built in the full form."""
    made = Path(os.environ.get("LIVEZONE_OTHER_LMDB", build.SOURCE / "build" / "lmdb-trixie"))
    if faults.full and not made.exists():
        subprocess.run([build.SOURCE / "scripts" / "build-lmdb"], timeout=600)
    if not (made / "liblmdb.so.0").exists():
        faults.skip("no other liblmdb: scripts/build-lmdb makes one, from Debian's sources")
    return str(made)


def test_f45_two_versions_of_liblmdb(faults):
    other = other_lmdb(faults)
    whole = faults.whole(cold=500)
    with faults.probing(whole) as watch:
        whole.unbound.environment["LD_LIBRARY_PATH"] = other
        restart(whole, watch)
        livezoned = Path(f"/proc/{whole.daemon.process.pid}/maps").read_text()
        assert other not in livezoned
        maps = Path(f"/proc/{whole.unbound.process.pid}/maps").read_text()
        assert other in maps, "Unbound runs with the other one"
        watch.wait_live()
        version = faults.report_of(whole)["lmdb"]
        with watch.fault():
            os.truncate(faults.data_of(whole), 0)
        watch.wait_live()
    watch.must(stale_ok=True, same_process=False, note=f"Unbound with {version}: works")


@pytest.mark.parametrize("version", ["own", "other"])
def test_f46_livezoned_opens_and_closes_while_unbound_reloads(faults, version):
    """0.9.26 to 0.9.31 destroy shared mutexes when they close an environment (ITS#10095)."""
    other = other_lmdb(faults) if version == "other" else ""
    whole = faults.whole(cold=500)
    starts = faults.pick(10, 5000)
    with faults.probing(whole) as watch, ThreadPoolExecutor() as pool:
        if other:
            whole.unbound.environment["LD_LIBRARY_PATH"] = other
            whole.daemon.process.env["LD_LIBRARY_PATH"] = other
            restart(whole, watch)
        is_over = []

        def reload_all_the_time():
            reloads = 0
            while not is_over:
                watch.ask(200)  # not so often that it has no time to answer
                with watch.away():  # F13 looks at what a reload costs
                    whole.unbound.reload()
                reloads += 1
            return reloads

        reloading = pool.submit(reload_all_the_time)
        try:
            for number in range(starts):
                whole.daemon.kill() if number % 3 == 0 else whole.daemon.stop()
                whole.daemon.start()
        finally:
            is_over.append(True)
        reloads = reloading.result()
        watch.wait_live()
        for process in (whole.daemon.process, whole.unbound.process):
            assert "Invalid argument" not in process.output()
        assert other in Path(f"/proc/{whole.daemon.process.pid}/maps").read_text()
        lmdb = faults.report_of(whole)["lmdb"]
    watch.must(p99_ms=None, same_process=not other,
               note=f"liblmdb {lmdb}, {starts} starts, {reloads} reloads")
