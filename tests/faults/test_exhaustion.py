# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Nothing left of something: memory, descriptors, processor, disk, inodes, the map; and file
systems that LMDB may or may not lie on."""

import contextlib
import os
import re
import resource
import shutil
import socket
import subprocess
from pathlib import Path

import dns.rcode
import pytest

from support import build, truth
from support.compiled import compiled
from support.faults import cases
from support.filesystem import fill, fill_inodes, mount_image, mount_overlay, mount_small
from support.memory_group import MemoryGroup
from support.process import Process
from support.wait import wait_until

MIB = 1024 * 1024
HERE = Path(__file__).parent
BIG = '" "'.join(["x" * 250] * 64)  # 16 KiB of text


def put_big(api, number, mark=""):
    return api.request("PUT", f"/v1/rrsets/big-{number}.{truth.ZONE}/TXT",
                       {"records": [f'"{mark}" "{BIG}"'], "ttl": 5})


def put_many_big(api, first, count):
    """`count` of them in one change."""
    puts = [{"name": f"big-{number}.{truth.ZONE}", "type": "TXT", "records": [f'"{BIG}"']}
            for number in range(first, first + count)]
    return api.request("POST", "/v1/batch", {"changes": [{"put": put} for put in puts]})


def put_until(api, status, most=4000):
    """Big RRsets until one is answered with that status; how many were stored before."""
    for number in range(most):
        reply = put_big(api, number)
        if reply.status == status:
            return number
        assert reply.status in (200, 202), reply
    raise AssertionError(f"{most} writes and no {status}")


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# --- F1: livezoned is not there -------------------------------------------------------------


def test_f1_stopped(faults):
    whole = faults.whole()
    with faults.probing(whole) as watch:
        whole.daemon.stop()
        assert faults.data_of(whole).exists()
        watch.seconds(faults.pick(1, 30))
        with watch.away():
            whole.unbound.stop()
            whole.unbound.start()
            whole.wait_live()
        watch.seconds(faults.pick(1, 30))
        whole.daemon.start()
        watch.wait_live()
    watch.must(same_process=False, note="Unbound restarted meanwhile: answers from serve")


def test_f1_never_started(faults, livezone):
    daemon = faults.daemon(start=False)
    whole = livezone(daemon=daemon, upstream=faults.serve_foreign(), wait=False)
    for cell, value in enumerate(truth.fallback_records().values()):
        assert whole.answers(truth.hot(cell)) == [value]
    assert whole.query(truth.hot(5)).rcode() == truth.SERVFAIL
    assert whole.answers("www-3.foreign.example") == ["192.0.2.4"]
    daemon.start()
    whole.wait_live()
    daemon.api.put(truth.hot(0), "A", "10.0.0.7")
    assert whole.answers(truth.hot(0)) == ["10.0.0.7"]
    faults.record(note="empty serve: fallback records, foreign names; live when livezoned starts")


def test_f1_the_unit_leaves_serve_alone():
    unit = (build.SOURCE / "system" / "livezoned.service.in").read_text()
    assert not re.search(r"^RuntimeDirectory=", unit, re.M)
    assert "/run/livezone/serve" in (build.SOURCE / "system" / "livezone.tmpfiles").read_text()


# --- F7: memory -----------------------------------------------------------------------------


def test_f7_out_of_memory(faults, cleanup):
    group = MemoryGroup("livezone-f7")
    cleanup.callback(group.close)
    whole = faults.whole()
    daemon = whole.daemon
    cleanup.callback(daemon.kill)
    with faults.probing(whole) as watch:
        daemon.kill()
        daemon.wrapper = group.wrapper()
        group.limit(32 * MIB)
        daemon.start()
        stored = 0
        with watch.fault(), contextlib.suppress(OSError):
            while put_many_big(whole.api, stored, 40).status in (200, 202) and stored < 4000:
                stored += 40
        assert daemon.process.wait() == -9, daemon.process.output()
        watch.seconds(0.5)
        # serve is more than half of the limit: said, and no reason not to start
        daemon.spawn()
        wait_until(
            lambda: "memory limit of this control group is 32 MiB" in daemon.process.output(),
            20, "the limit is warned of")
        daemon.kill()
        group.limit(512 * MIB)
        daemon.start()
        watch.wait_live()
        for number in range(0, stored, 50):
            assert whole.api.request(
                "GET", f"/v1/rrsets/big-{number}.{truth.ZONE}/TXT").status == 200
    watch.must(note=f"killed after {stored} RRsets of 16 KiB; then warned; then all there")
    assert 100 < stored < 4000


# --- F9: file descriptors -------------------------------------------------------------------


def connect_many(path, count):
    """As many connections as come about at once; the server may be slow to take them."""
    sockets = []
    for _ in range(count):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            sock.connect(path)
            sockets.append(sock)
        except BlockingIOError:  # the queue of the listener is full
            sock.close()
    return sockets


# With 4, not even the number of the reserve is to be had.
@pytest.mark.parametrize("limit", cases([4, 20], 1))
def test_f9_no_descriptors(faults, cleanup, limit):
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    cleanup.callback(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, limits[1]))
    whole = faults.whole()
    daemon = whole.daemon
    pid, path = daemon.process.pid, daemon.config["api"]["unix"]
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    with faults.probing(whole) as watch:
        with watch.fault():
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, before[1]))
        sockets = connect_many(path, 1000)
        assert len(sockets) > 100
        used = cpu_seconds(pid)
        watch.seconds(1)
        used = cpu_seconds(pid) - used
        for sock in sockets:
            sock.close()
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        watch.wait_live()
        whole.api.close()
        wait_until(whole.api.is_ready, 20, "new connections are taken again")
    watch.must(note=f"{used:.2f} s of CPU in a second with {len(sockets)} connections waiting")
    assert used < 0.25, "livezoned spins"


def test_f9_a_thousand_connections(faults):
    whole = faults.whole()
    path = whole.daemon.config["api"]["unix"]
    whole.api.close()
    with faults.probing(whole) as watch:
        sockets = connect_many(path, 1500)
        watch.seconds(0.5)
        # on a connection of its own: what is silent gives way
        assert type(whole.api)(unix=path).put(f"late.{truth.ZONE}", "A", "10.0.0.1").status == 200
        for sock in sockets:
            sock.close()
        watch.wait_live()
    watch.must(note=f"a write beside {len(sockets)} silent connections")


# --- F10: the processor ---------------------------------------------------------------------


def test_f10_starved(faults, tmp_path, cleanup):
    faults.need("stress-ng", "renice")
    whole = faults.whole()
    with faults.probing(whole) as watch:
        stress = Process("stress-ng", ["stress-ng", "--cpu", os.cpu_count(), "--timeout",
                                       faults.pick(3, 60)], tmp_path / "stress.log")
        cleanup.callback(stress.close)
        subprocess.run(["renice", "19", str(whole.daemon.process.pid)], check=True,
                       capture_output=True)
        watch.seconds(faults.pick(2, 55))
        acks = watch.writer.acks
        assert acks > 0
        stress.stop()
        watch.wait_live()
    watch.must(p99_ms=20.0, note=f"{acks} writes acknowledged meanwhile")


# --- F33, F39: the disk ---------------------------------------------------------------------


def live_through_full_disk(faults, whole, disk, status):
    """Writes are answered with `status` while the disk is full."""
    with faults.probing(whole) as watch:
        with watch.fault():
            filler = fill(disk)
        put_until(whole.api, status)
        wait_until(lambda: watch.writer.statuses[status], 10, f"the writer is told {status}")
        watch.seconds(faults.pick(0.5, 30))
        filler.unlink()
        watch.wait_live()
    watch.must(note=f"statuses {dict(watch.writer.statuses)}")


def test_f33_disk_of_state_full(faults, tmp_path, cleanup):
    disk = mount_image(cleanup, tmp_path / "disk", "ext4", "16M")
    whole = faults.whole(store={"state": str(disk / "state")})
    live_through_full_disk(faults, whole, disk, 507)  # refused


def test_f33_disk_of_serve_full(faults, memory_path, cleanup):
    disk = mount_small(cleanup, memory_path / "disk", 8 * MIB)
    whole = faults.whole(store={"serve": str(disk / "serve")})
    live_through_full_disk(faults, whole, disk, 202)  # stored and not served


def test_f33_disk_of_backups_full(faults, tmp_path, cleanup):
    disk = mount_small(cleanup, tmp_path / "disk", 4 * MIB)
    daemon = faults.daemon(backup={"interval": "1s", "directory": str(disk / "backups")})
    whole = faults.whole(daemon=daemon)

    def backup():
        return daemon.api.status()["backup"]

    with faults.probing(whole) as watch:
        wait_until(lambda: backup().get("newest"), 15, "the first backup is made")
        with watch.fault():
            filler = fill(disk)
        wait_until(lambda: backup().get("error"), 15, "the failure is said")
        filler.unlink()
        wait_until(lambda: not backup().get("error"), 15, "a backup is made again")
        watch.wait_live()
    watch.must(note=f"statuses {dict(watch.writer.statuses)}")
    assert set(watch.writer.statuses) == {200}


def test_f33_disk_of_the_log_full(faults):
    whole = faults.whole()
    daemon = whole.daemon
    with faults.probing(whole) as watch:
        daemon.stop()
        daemon.wrapper = ["/bin/sh", "-c", 'exec "$@" >/dev/full 2>&1', "sh"]
        with watch.fault():
            daemon.start()
        assert os.readlink(f"/proc/{daemon.process.pid}/fd/2") == "/dev/full"
        whole.api.request("PUT", "/v1/rrsets/bad..name/A", {"records": []})  # is logged
        watch.wait_live()
        watch.seconds(faults.pick(0.5, 10))
    watch.must()


def test_f39_no_inodes(faults, tmp_path, cleanup):
    disk = mount_image(cleanup, tmp_path / "disk", "ext4", "32M", ["-N", "32"])
    whole = faults.whole(store={"state": str(disk / "state"), "serve": str(disk / "serve")})
    assert put_many_big(whole.api, 0, 40).status == 200
    assert put_many_big(whole.api, 40, 40).status == 200
    with faults.probing(whole) as watch:
        files = fill_inodes(disk)
        # a new serve cannot be made while there is none
        with watch.fault():
            os.truncate(faults.data_of(whole), 4096)
        wait_until(lambda: watch.writer.statuses[202], 10, "a write is stored and not served")
        # a long reply needs none
        assert whole.api.request("GET", f"/v1/zones/{truth.ZONE}").status == 200
        watch.seconds(faults.pick(0.5, 10))
        shutil.rmtree(files)
        watch.wait_live()
    watch.must(stale_ok=True, note=f"statuses {dict(watch.writer.statuses)}")


# --- F40: kinds of file systems -------------------------------------------------------------

SIZES = {"ext4": "64M", "xfs": "300M", "btrfs": "128M"}


@pytest.mark.parametrize("kind", cases(["ext4", "overlay", "tmpfs", "xfs", "btrfs"], 2))
def test_f40_file_system(faults, tmp_path, cleanup, kind):
    place = tmp_path / "disk"
    if kind == "tmpfs":
        mount_small(cleanup, place, 64 * MIB)
    elif kind == "overlay":
        mount_overlay(cleanup, place)
    else:
        mount_image(cleanup, place, kind, SIZES[kind])
    whole = faults.whole(store={"state": str(place / "state"), "serve": str(place / "serve")})
    log = whole.daemon.process.output()
    assert ("lies on overlayfs" in log) == (kind == "overlay")
    assert ("lies in memory" in log) == (kind == "tmpfs")
    with faults.probing(whole) as watch:
        whole.daemon.kill()
        whole.daemon.start()
        watch.wait_live()
        with watch.fault():
            os.truncate(faults.data_of(whole), 4096)
        watch.wait_live()
        faults.data_of(whole).unlink()
        watch.wait_live()
    watch.must(stale_ok=True, live_within=None)


def test_f40_network_file_system(faults, livezoned, livezone, monkeypatch):
    shim = compiled(HERE / "network_statfs.c", "-shared", "-fPIC", name="network_statfs.so")
    daemon = livezoned(start=False)
    monkeypatch.setenv("NETWORK_DIRECTORY", str(daemon.serve))
    with monkeypatch.context() as context:
        context.setenv("LD_PRELOAD", str(shim))
        daemon.spawn()
        assert daemon.process.wait() > 0
    assert f"{daemon.serve} lies on a network file system (NFS)" in daemon.process.output()
    assert "allow-network-filesystem" in daemon.process.output()
    daemon.process = None
    daemon.start()
    with monkeypatch.context() as context:
        context.setenv("LD_PRELOAD", str(shim))
        whole = livezone(daemon=daemon, wait=False)
    daemon.api.put("a.live.test", "A", "10.0.0.1")
    assert whole.query("a.live.test").rcode() == dns.rcode.SERVFAIL
    assert "network file system" in whole.unbound.process.output()
    daemon.config["store"]["allow-network-filesystem"] = True
    daemon.write_config()
    whole.unbound.reload()
    wait_until(lambda: whole.answers("a.live.test") == ["10.0.0.1"], 10, "allowed")
    faults.record(note="refused by livezoned and by the module; allowed by the override")


# --- F41, F42: the map ----------------------------------------------------------------------


def test_f41_map_full_by_data(faults):
    whole = faults.whole(store={"size-limit": faults.pick("8MiB", "32MiB")})
    with faults.probing(whole) as watch:
        with watch.fault():
            stored = put_until(whole.api, 507)
        wait_until(lambda: watch.writer.statuses[507], 10, "the writer is refused")
        watch.seconds(faults.pick(0.5, 10))
        for number in range(stored):
            whole.api.delete(f"big-{number}.{truth.ZONE}", "TXT")
        watch.wait_live()
    watch.must(note=f"507 after {stored} RRsets of 16 KiB; every DELETE worked")
    assert stored > 50


@pytest.mark.parametrize("store", cases(["serve", "state"], 1))
def test_f41_map_full_by_a_pinned_reader(faults, store):
    names = 20
    whole = faults.whole(cold=500, store={"size-limit": "16MiB"})
    holder = subprocess.Popen(
        [compiled(HERE / "hold_reader.c", "-llmdb"), whole.daemon.config["store"][store]],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert holder.stdout.readline() == b"held\n"
        with faults.probing(whole) as watch:
            with watch.fault():
                refused = None
                for number in range(2000):
                    # the same names: it is the reader that keeps their old pages
                    reply = put_big(whole.api, number % names, str(number))
                    if reply.status == 507:
                        refused = reply.json["detail"]
                        break
            # a serve that is full is made anew, and the reader keeps the old one
            assert bool(refused) == (store == "state")
            watch.seconds(faults.pick(0.5, 10))
            for number in range(names):
                whole.api.delete(f"big-{number}.{truth.ZONE}", "TXT")
            if refused:
                assert "full" in refused
                assert put_big(whole.api, 0, "kept").status == 507
            holder.stdin.close()
            assert holder.wait(10) == 0
            assert put_big(whole.api, 0, "free").status == 200
            watch.wait_live()
        watch.must(note=f"{whole.api.status()['serve']['rebuilds']} rebuilds of serve; "
                        "writes work again when the reader has ended")
    finally:
        holder.kill()
        holder.wait()


def test_f42_map_grows_tenfold(faults):
    names = faults.pick(40_000, 1_000_000)
    whole = faults.whole(zones=["bulk.test"], store={"size-limit": "2GiB"})
    before = faults.data_of(whole).stat().st_size
    zone = "".join(f"h{number} 5 IN A 10.1.2.3\n" for number in range(names))
    with faults.probing(whole) as watch:
        with watch.fault():
            reply = whole.api.request("PUT", "/v1/zones/bulk.test", zone,
                                      {"Content-Type": "text/dns"})
        assert reply.status == 200, reply
        assert whole.answers(f"h{names - 1}.bulk.test") == ["10.1.2.3"]
        watch.wait_live()
    watch.must(note=f"{names} names")
    assert faults.data_of(whole).stat().st_size > 10 * before
