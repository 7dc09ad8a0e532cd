# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Files of serve that are truncated, replaced or gone."""

import os
import random
import shutil
from pathlib import Path

import pytest

from support.faults import cases
from support.filesystem import mount_small, unmount
from support.wait import wait_until

_PAGE = 4096


def serve_of(whole):
    return Path(whole.daemon.serve)


def truncate(path, size):
    now = path.stat().st_size
    sizes = {"0": 0, "4096": _PAGE, "half": now // 2 // _PAGE * _PAGE, "less-a-page": now - _PAGE}
    os.truncate(path, sizes[size])


def live_through(faults, whole, harm):
    """Live again within 2 s of the harm; until then the answers may be stale."""
    with faults.probing(whole) as watch:
        with watch.fault():
            harm()
        watch.wait_live()
    watch.must(stale_ok=True, live_within=2.0)


@pytest.mark.parametrize("size", cases(["4096", "half", "0", "less-a-page"], 2))
def test_f22_truncated_serve(faults, size):
    whole = faults.whole()
    live_through(faults, whole, lambda: truncate(faults.data_of(whole), size))


def test_f22_truncated_in_the_middle_of_writes(faults):
    """So often that some of it happens inside a transaction of livezoned, which lives on. The
    module is slow to trust a store that breaks all the time."""
    whole = faults.whole()
    daemon = whole.daemon
    pid = daemon.process.pid
    times = faults.pick(20, 500)
    with faults.probing(whole, writes=2000) as watch:
        with watch.fault():
            for _ in range(times):
                before = whole.api.status()["serve"]["rebuilds"]
                os.truncate(faults.data_of(whole), _PAGE)
                wait_until(
                    lambda: whole.api.status()["serve"]["rebuilds"] > before, 30, "a new serve")
        watch.wait_live(90)
    watch.must(stale_ok=True, note=f"truncated {times} times")
    assert daemon.process.is_running() and daemon.process.pid == pid


@pytest.mark.parametrize("what", cases(["truncated", "missing"], 1))
def test_f23_serve_lost_while_unbound_is_down(faults, what):
    whole = faults.whole()
    with faults.probing(whole) as watch:
        with watch.away():
            whole.unbound.stop()
            with watch.fault():
                if what == "missing":
                    shutil.rmtree(serve_of(whole))
                else:
                    truncate(faults.data_of(whole), "half")
            whole.unbound.start()
        watch.wait_live()
    # it may have opened the old serve just before that was replaced, and not have told
    watch.must(stale_ok=True, fallback_ok=True, servfail=None, same_process=False,
               live_within=5.0)


@pytest.mark.parametrize("what", cases(["missing", "truncated"], 1))
def test_f23_nothing_to_read_until_livezoned_starts(faults, what):
    whole = faults.whole()
    with faults.probing(whole) as watch:
        with watch.away():
            whole.daemon.kill()
            whole.unbound.stop()
            if what == "missing":
                shutil.rmtree(serve_of(whole))
            else:
                truncate(faults.data_of(whole), "4096")
            whole.unbound.start()
        watch.ask(2000)
        with watch.fault():
            whole.daemon.start()
        watch.wait_live()
    # a replaced store waits 2 s for the Unbound that reported last, which is dead here
    verdict = watch.must(fallback_ok=True, servfail=None, same_process=False, live_within=3.0,
                         note="live again: after livezoned's start")
    assert verdict.fallback and verdict.servfail


def test_f23_serve_is_read_as_it_was_without_livezoned(faults):
    whole = faults.whole()
    whole.daemon.kill()
    with faults.probing(whole, writes=0) as watch:
        with watch.away():
            whole.unbound.stop()
            whole.unbound.start()
        watch.ask(2000)
    watch.must(same_process=False, stored=False)


def test_f25_deleted_data(faults):
    whole = faults.whole()
    with faults.probing(whole) as watch:
        with watch.fault():
            faults.data_of(whole).unlink()
        watch.wait_live()
    watch.must(live_within=2.0)


def lmdb_1(data, changed):
    """Another data version in both meta pages; LMDB 1.0 is refused by that."""
    content = bytearray(data.read_bytes())
    for page in (0, _PAGE):
        content[page + 20 : page + 24] = (2).to_bytes(4, "little")
    changed.write_bytes(content)


def loop(_, changed):
    changed.symlink_to("data.mdb")


REPLACED = {
    "older-copy": lambda data, changed: shutil.copy(data.with_name("data.older"), changed),
    "lmdb-1": lmdb_1,
    "fifo": lambda data, changed: os.mkfifo(changed),
    "directory": lambda data, changed: changed.mkdir(),
    "symlink-loop": loop,
    "empty": lambda data, changed: changed.touch(),
    "garbage": lambda data, changed: changed.write_bytes(random.Random(1).randbytes(1 << 20)),
}


@pytest.mark.parametrize("what", cases(REPLACED, 2))
def test_f26_replaced_data(faults, what):
    whole = faults.whole()
    data = faults.data_of(whole)
    shutil.copy(data, data.with_name("data.older"))
    with faults.probing(whole) as watch:
        changed = data.with_name("data.changed")
        REPLACED[what](data, changed)
        with watch.fault():
            if changed.is_dir() and not changed.is_symlink():
                data.unlink()
            changed.rename(data)
        watch.wait_live()
    watch.must(stale_ok=True, live_within=2.0)


def test_f27_deleted_lock(faults):
    whole = faults.whole()
    live_through(faults, whole, lambda: serve_of(whole).joinpath("lock.mdb").unlink())


def overwrite(lock, make_bytes):
    with open(lock, "r+b", buffering=0) as file:
        file.write(make_bytes(lock.stat().st_size))


LOCKS = {
    "truncated": lambda lock: os.truncate(lock, 0),
    "garbage": lambda lock: overwrite(lock, random.Random(1).randbytes),
    "zeros": lambda lock: overwrite(lock, bytes),
    "mode-000": lambda lock: lock.chmod(0),
    "other-owner": lambda lock: os.chown(lock, 65534, 65534),
}


@pytest.mark.parametrize("what", cases(LOCKS, 3))
def test_f28_lock_that_is_not_ours(faults, what):
    """In mutexes that were overwritten the C library may end livezoned, and its supervisor starts
    it again: it rebuilds serve."""
    whole = faults.whole()
    inode = faults.data_of(whole).stat().st_ino
    with faults.probing(whole) as watch:
        with watch.fault():
            LOCKS[what](serve_of(whole) / "lock.mdb")
        if what in ("garbage", "zeros"):
            wait_until(lambda: not whole.daemon.process.is_running()
                       or faults.data_of(whole).stat().st_ino != inode, 10, "it is noticed")
            if not whole.daemon.process.is_running():
                with watch.away():
                    whole.daemon.start()
        watch.wait_live()
    watch.must(stale_ok=True, live_within=2.0)


def rename(serve):
    serve.rename(serve.with_name("away"))


GONE = {"renamed": rename, "removed": shutil.rmtree}


@pytest.mark.parametrize("what", cases(GONE, 1))
def test_f29_serve_is_gone(faults, what):
    whole = faults.whole()
    live_through(faults, whole, lambda: GONE[what](serve_of(whole)))


def test_f29_serve_is_unmounted(faults, memory_path, cleanup):
    mount = mount_small(cleanup, memory_path / "mount", 64 << 20)
    whole = faults.whole(store={"serve": str(mount / "serve")})
    live_through(faults, whole, lambda: unmount(mount))


def test_f60_everything_at_once(faults):
    """Nothing but the configuration is left to answer from."""
    whole = faults.whole()
    with faults.probing(whole) as watch:
        with watch.away():
            whole.daemon.kill()
            faults.upstream.close()
            truncate(faults.data_of(whole), "half")
        watch.ask(2000)
        with watch.away():
            whole.unbound.stop()
            whole.unbound.start()
        watch.ask(2000)
    verdict = watch.must(stale_ok=True, fallback_ok=True, servfail=None, lost=None,
                         same_process=False, stored=False,
                         note="lost: foreign names that plain Unbound too goes on asking for")
    assert verdict.stale and verdict.fallback
    assert all(".foreign.example" in line for line in verdict.lost)


def test_f63_old_serve_put_back(faults):
    whole = faults.whole()
    serve = serve_of(whole)
    older = serve.with_name("older")
    with faults.probing(whole) as watch:
        shutil.copytree(serve, older)
        watch.ask(2000)
        with watch.fault():
            serve.rename(serve.with_name("away"))
            older.rename(serve)
        watch.wait_live()
    watch.must(stale_ok=True, live_within=2.0)


def memory_of(process):
    """(resident kB, mappings)"""
    status = Path(f"/proc/{process.pid}/status").read_text()
    resident = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
    return int(resident), len(Path(f"/proc/{process.pid}/maps").read_text().splitlines())


def exchange(whole):
    """Makes livezoned build a new pair, and waits until the module reads it."""
    before = whole.api.status()["serve"]["rebuilds"]
    shutil.rmtree(serve_of(whole))
    wait_until(lambda: whole.api.status()["serve"]["rebuilds"] > before, 20, "a new pair")


def test_f64_serve_exchanged_again_and_again(faults):
    whole = faults.whole()
    with faults.probing(whole) as watch:
        for _ in range(6):
            exchange(whole)
        processes = (whole.unbound.process, whole.daemon.process)
        before = [memory_of(process) for process in processes]
        times = faults.pick(10, 1000)
        with watch.fault():
            for _ in range(times):
                exchange(whole)
        after = [memory_of(process) for process in processes]
        watch.wait_live()
    for (kilobytes, maps), (kilobytes_after, maps_after) in zip(before, after):
        assert kilobytes_after < kilobytes * 1.25 + 8192
        assert maps_after < maps + 12
    watch.must(stale_ok=True, note=f"{times} exchanges")
