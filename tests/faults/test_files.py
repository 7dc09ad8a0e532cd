# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Permissions, a dying disk, a cold page cache, an exchanged module, other pages."""

import ctypes
import os
import pwd
import shutil
import threading
from pathlib import Path

import pytest

from support import build
from support.compiled import compiled
from support.faults import SERVER, cases
from support.filesystem import mount_image
from support.livezone import Livezone, module_environment, unbound_with_module
from support.memory_group import MemoryGroup
from support.unbound import Unbound
from support.wait import wait_until

_MADV_PAGEOUT = 21
_PROCESS_MADVISE = 440  # the number of the system call is the same everywhere
_MIB = 1024 * 1024


def serve_of(whole):
    return Path(whole.daemon.serve)


# --- F31: permissions ------------------------------------------------------------------------


@pytest.fixture
def separate(faults, livezoned, memory_path, cleanup, watch_log):
    """livezoned as root, Unbound as nobody, which reads serve through its group. What it reads
    again at a restart lies outside of pytest's directory."""
    user = faults.other_user()
    memory_path.chmod(0o755)
    run = memory_path / "run"
    run.mkdir()
    os.chown(run, -1, user.pw_gid)
    daemon = faults.daemon(start=False, store={"serve": str(run / "serve")})
    os.rmdir(daemon.serve)
    daemon.config_file = memory_path / "livezone.yaml"
    daemon.write_config()
    daemon.start()
    server = unbound_with_module(memory_path / "unbound", daemon, upstream=faults.serve_foreign(),
                                 server=SERVER + '    username: "nobody"')
    cleanup.callback(server.close)
    watch_log(memory_path / "unbound" / "unbound.log")
    server.start()
    return faults.fill(Livezone(daemon, server).wait_live())


TAKEN = {
    "mode-000": lambda path: path.chmod(0),
    "other-group": lambda path: os.chown(path, 0, 0),
}


@pytest.mark.parametrize("how", cases(TAKEN, 1))
@pytest.mark.parametrize("name", cases(["lock.mdb", ".", "data.mdb"], 1))
def test_f31_permissions_taken_away(faults, separate, how, name):
    whole = separate
    path = serve_of(whole) / name
    before = path.stat()
    with faults.probing(whole) as watch:
        TAKEN[how](path)
        watch.ask(1500)  # what is open stays open
        with watch.away():
            whole.unbound.stop()
            whole.unbound.start()
        watch.ask(1000)
        with watch.fault():
            path.chmod(before.st_mode & 0o7777)
            os.chown(path, before.st_uid, before.st_gid)
        watch.wait_live()
    verdict = watch.must(fallback_ok=True, servfail=None, same_process=False, live_within=2.0,
                         note="taken, Unbound restarted, given back: live again after that")
    assert verdict.fallback and verdict.servfail
    assert "Permission denied" in whole.unbound.process.output()


# --- F34: pages that cannot be read ----------------------------------------------------------


def forget_pages(pid, path):
    """Lets the process read the pages of that file from the disk again."""
    libc = ctypes.CDLL(None, use_errno=True)
    pages = path.stat().st_size

    class Part(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]

    pidfd = os.pidfd_open(pid)
    try:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            if not line.endswith(str(path)):
                continue
            start = int(line.split("-")[0], 16)
            part = Part(start, pages)
            done = libc.syscall(_PROCESS_MADVISE, pidfd, ctypes.byref(part), 1, _MADV_PAGEOUT, 0)
            if done < 0:
                pytest.skip(f"process_madvise: {os.strerror(ctypes.get_errno())}")
    finally:
        os.close(pidfd)


def test_f34_pages_that_cannot_be_read(faults, tmp_path, cleanup):
    disk = mount_image(cleanup, tmp_path / "disk", "ext4", "64M")
    whole = faults.whole(store={"serve": str(disk / "serve")})
    data = faults.data_of(whole)
    with faults.probing(whole) as watch:
        whole.daemon.kill()  # what two processes have mapped stays in memory
        with watch.fault():
            os.sync()
            os.truncate(tmp_path / "disk.img", 65536)
            forget_pages(whole.unbound.process.pid, data)
            Path("/proc/sys/vm/drop_caches").write_text("3")
        wait_until(lambda: trips(faults, whole), 10, "a read faults")
        watch.ask(2000)
        whole.daemon.spawn()  # it cannot write there either
        watch.ask(2000)
        whole.daemon.kill()
    verdict = watch.must(stale_ok=True, stored=False)
    assert verdict.stale


def trips(faults, whole):
    return "SIGBUS" in whole.unbound.process.output()


# --- F37: memory pressure --------------------------------------------------------------------


class DropCaches(threading.Thread):
    def __init__(self):
        super().__init__(daemon=True)
        self._halt = threading.Event()

    def run(self):
        while not self._halt.wait(0.05):
            Path("/proc/sys/vm/drop_caches").write_text("3")

    def finish(self):
        self._halt.set()
        self.join()


def test_f37_page_cache_dropped(faults, tmp_path, cleanup):
    """serve on a disk, its pages dropped all the time, and no memory to spare for Unbound."""
    serve = tmp_path / "serve-on-disk"
    group = MemoryGroup("livezone-unbound")
    cleanup.callback(group.close)
    whole = faults.whole(cold=faults.pick(2000, 50000), store={"serve": str(serve)})
    server = whole.unbound
    server.stop()
    server.wrapper = group.wrapper()
    server.start()
    faults.wait_snapshot(whole)
    group.limit(group.used() + faults.pick(4, 40) * _MIB)
    dropping = DropCaches()
    cleanup.callback(dropping.finish)
    with faults.probing(whole) as watch:
        with watch.fault():
            dropping.start()
        watch.seconds(faults.pick(2, 60))
        dropping.finish()
        watch.wait_live()
    watch.must(stale_ok=True, p99_ms=20.0, note=f"{group.used() // _MIB} MiB in use")


# --- F66: another module under the running one -----------------------------------------------


def modules_of(process):
    """Inodes of livezone.so in the process."""
    return {
        int(line.split()[4])
        for line in Path(f"/proc/{process.pid}/maps").read_text().splitlines()
        if "livezone.so" in line
    }


def test_f66_new_module_renamed_in(faults, tmp_path, cleanup, watch_log):
    daemon = faults.daemon()
    module = tmp_path / "livezone.so"
    shutil.copy(build.MODULE, module)
    server = Unbound(
        tmp_path / "unbound",
        modules=None,
        upstream=faults.serve_foreign(),
        server=SERVER,
        extra=lambda port: daemon.ctl("unbound-conf", "--port", port, "--module", module).stdout,
        env=module_environment(daemon),
    )
    cleanup.callback(server.close)
    watch_log(tmp_path / "unbound" / "unbound.log")
    server.start()
    whole = faults.fill(Livezone(daemon, server).wait_live())
    old = modules_of(server.process)
    with faults.probing(whole) as watch:
        fresh = module.with_name("fresh")
        shutil.copy(build.MODULE, fresh)
        with watch.fault():
            fresh.rename(module)
        with watch.away():  # a reload loses what is in flight, with and without the module
            server.reload()
        assert modules_of(server.process) == old
        watch.ask(1000)
        with watch.away():
            server.stop()
            server.start()
        assert modules_of(server.process) == {module.stat().st_ino}
        watch.wait_live()
    watch.must(same_process=False, servfail=None)


# --- F59: pages of another size --------------------------------------------------------------


def page_size_of(data):
    return int.from_bytes(data.read_bytes()[40:44], "little")


def test_f59_stores_of_a_machine_with_larger_pages(faults):
    shim = compiled(Path(__file__).parent / "large_pages.c", "-shared", "-fPIC", "-ldl")
    daemon = faults.daemon(start=False)
    daemon.environment["LD_PRELOAD"] = str(shim)
    daemon.start()
    whole = faults.whole(daemon=daemon)
    state = Path(daemon.config["store"]["state"]) / "data.mdb"
    assert (page_size_of(state), page_size_of(faults.data_of(whole))) == (16384, 16384)
    with faults.probing(whole) as watch:
        with watch.fault():
            daemon.stop()
            daemon.process, daemon.environment = None, {}
            daemon.start()
        watch.wait_live()
        with watch.away():
            whole.unbound.stop()
            whole.unbound.start()
            whole.wait_live()
        watch.ask(1000)
    watch.must(same_process=False, note="read and written by both sides")
