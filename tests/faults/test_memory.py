# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Allocations that fail, one after the other, in livezoned and in the module (F8)."""

import shutil
import time

import pytest

from support import truth
from support.malloc_shim import MODULE_LIBRARIES, MallocShim, spread
from support.resolver import rcode_of, records_of
from support.wait import wait_until

_REFUSED = (500, 503, 507)

# glibc's first look into its name service ends the process when it gets no memory for its
# database (nss_database.c, lines 291 and 402 of 2.36): two allocations of a start, before
# anything is served, and the supervisor tries again.
_NAME_SERVICE = 2
_NAME = f"kept.{truth.ZONE}"


class Client:
    """Asks livezoned for everything once, and knows what was acknowledged. An answer that
    refuses, or none because livezoned ended, leaves a write open: either value is right."""

    def __init__(self, api):
        self._api = api
        self._number = 0
        self.acked = {}  # name: address, or None when deleted
        self.open = {}  # name: what else it may be
        self.outcomes = []
        self.odd = []  # answers that nobody should give

    def _send(self, method, path, body=None, headers=None):
        try:
            reply = self._api.request(method, path, body, headers)
        except OSError:
            reply = None
        status = reply and reply.status
        if status not in (None, 200, 201, 202, 404, 410, *_REFUSED):
            self.odd.append(f"{method} {path}: {reply!r}")
        self.outcomes.append((method, path, status))
        return status

    def _write(self, names, method, path, body):
        """`names`: what a success makes of them."""
        status = self._send(method, path, body)
        for name, value in names.items():
            if status in (200, 201, 202) or (status == 404 and value is None):
                self.acked[name] = value
                self.open[name] = set()
            else:
                self.open.setdefault(name, set()).add(value)

    def write(self):
        self._number += 1
        address = f"10.77.{self._number >> 8}.{self._number & 255}"
        data = {"ttl": 5, "records": [address, "10.78.0.1"]}
        self._write({_NAME: address}, "PUT", f"/v1/rrsets/{_NAME}/A",
                    {**data, "lease": "1h", "source": "memory"})
        batch = {f"b{n}.{truth.ZONE}": address for n in range(3)}
        self._write(batch, "POST", "/v1/batch", {"changes": [
            {"put": {"name": name, "type": "A", **data}} for name in batch]})
        source = {f"s{n}.{truth.ZONE}": address for n in range(3)}
        self._write(source, "PUT", "/v1/sources/memory-source", {"rrsets": [
            {"name": name, "type": "A", **data} for name in source]})
        self._write({f"b0.{truth.ZONE}": None}, "DELETE", f"/v1/rrsets/b0.{truth.ZONE}/A", None)

    def read(self):
        for path in (f"/v1/rrsets/{_NAME}/A", f"/v1/zones/{truth.ZONE}", "/v1/zones",
                     "/v1/sources", "/v1/backup", "/v1/status", "/metrics",
                     "/v1/changes?since=1", f"/v1/explain?name={_NAME}&type=A"):
            self._send("GET", path)

    def check(self):
        """Is stored what was acknowledged?"""
        for name, value in self.acked.items():
            reply = self._api.request("GET", f"/v1/rrsets/{name}/A")
            found = reply.json["records"][0] if reply.status == 200 else None
            if found not in {value, *self.open.get(name, ())} or (
                    found and reply.json["records"] != [found, "10.78.0.1"]):
                self.odd.append(f"{name} was {value}: {reply!r}")
            self.acked[name] = found
            self.open[name] = set()


class Daemon:
    """livezoned under the shim."""

    def __init__(self, daemon, shim):
        self._daemon, self._shim = daemon, shim
        daemon.process.env.update(shim.environment)
        self.ends = 0
        self.odd = []
        self.killed_at_start = []

    def ensure_running(self, number, is_start=False):
        """One that ended has said so by its status, and starts again."""
        self._shim.disarm()
        process = self._daemon.process
        if process.is_running():
            return
        status = process.wait()
        if status <= 0:
            (self.killed_at_start if is_start else self.odd).append(
                f"allocation {number}: ended with {status}, {process.output().splitlines()[-1:]}")
        self.ends += 1
        self._daemon.api.close()
        self._daemon.start()

    def start_with(self, number):
        """Starts with that allocation failing."""
        self._daemon.stop()
        self._shim.arm(number)
        self._daemon.spawn()
        process = self._daemon.process
        wait_until(lambda: not process.is_running() or self._daemon.api.is_ready(), 20,
                   "livezoned is ready")
        self.ensure_running(number, is_start=True)


@pytest.mark.timeout(3600)
def test_f8_malloc_fails_in_livezoned(faults, tmp_path):
    shim = MallocShim(tmp_path)
    whole = faults.whole(cold=20)
    server = Daemon(whole.daemon, shim)
    with faults.probing(whole, writes=0) as watch:
        client = Client(whole.api)
        shim.count()
        whole.daemon.restart()
        at_start = shim.calls
        for number in spread(at_start, 6, faults.full):
            server.start_with(number)
        shim.count()
        client.write()
        client.read()
        at_work, refused = shim.calls, 0
        for number in spread(at_work, 30, faults.full):
            client.outcomes.clear()
            shim.arm(number)
            client.write()
            client.read()
            server.ensure_running(number)
            refused += any(status in (None, *_REFUSED) for _, _, status in client.outcomes)
            client.check()
        whole.daemon.restart()
        client.check()
    assert not client.odd + server.odd, "\n".join((client.odd + server.odd)[:40])
    assert len(server.killed_at_start) <= _NAME_SERVICE, server.killed_at_start
    watch.must(note=f"{at_start} allocations at start, {at_work} at work; {refused} times a "
                    f"request was refused, {server.ends} times livezoned ended and came back")


class Module:
    """Unbound with the module under the shim, which fails calls of the module's only."""

    def __init__(self, faults, whole, shim, watch):
        self._faults, self._whole, self._shim, self._watch = faults, whole, shim, watch
        whole.unbound.environment.update(shim.environment)
        self.odd = []
        self.counts = {}

    def _wait_healthy(self, what):
        """The module reads the live store, and its snapshot is of it: a write shows."""
        try:
            self._watch.wait_live(10)
            if self._faults.full:
                self.refresh()
        except AssertionError as error:
            self.odd.append(f"{what}: {error}")

    def start(self, number):
        with self._watch.away():
            self._whole.unbound.stop()
            self._shim.arm(number)
            try:
                self._whole.unbound.start()
            except AssertionError as error:
                self.odd.append(f"start, allocation {number}: {str(error)[-600:]}")
                self._shim.disarm()
                self._whole.unbound.start()
        self._watch.ask(200)
        self._shim.disarm()
        self._wait_healthy(f"start, allocation {number}")

    def reload(self):
        with self._watch.away():
            self._whole.unbound.reload()
        self._watch.ask(200)

    def replace(self):
        """serve is gone: livezoned makes another, the module takes it up."""
        shutil.rmtree(self._whole.daemon.serve)
        self._watch.wait_live(10)

    def refresh(self):
        """A snapshot of what is stored now, or of what the writer has added meanwhile. One that
        took a second on a busy machine is followed by a pause of a hundred."""
        revision = self._whole.api.status()["serve"]["revision"]
        wait_until(
            lambda: int(self._faults.report_of(self._whole).get("snapshot_revision", 0))
            >= revision, 150, "there is a new snapshot")

    def ask_rule(self):
        """The one place where a query needs memory: a name is never denied for want of it."""
        message = self._whole.query("rule-7.rules.test")
        if rcode_of(message) != "SERVFAIL":
            assert records_of(message, "A") == ["10.9.9.7"], message

    def enumerate(self, name, operation, short):
        """Counts the allocations of an operation, then fails one after the other."""
        self._shim.count()
        operation()
        self.counts[name] = self._shim.calls
        for number in spread(self.counts[name], short, self._faults.full):
            self._shim.arm(number)
            try:
                operation()
            except AssertionError as error:
                self.odd.append(f"{name}, allocation {number}: {error}")
            self._shim.disarm()
            self._wait_healthy(f"{name}, allocation {number}")


@pytest.mark.timeout(3600)
def test_f8_malloc_fails_in_the_module(faults, tmp_path):
    shim = MallocShim(tmp_path, MODULE_LIBRARIES)
    rule = {"match": r"rule-(?<n>\d+)\.rules\.test\.", "type": "A", "rdata": "10.9.9.${n}"}
    whole = faults.whole(cold=20, zones=[{"name": "rules.test", "rules": [rule]}])
    with faults.probing(whole, writes=20) as watch:
        module = Module(faults, whole, shim, watch)
        shim.count()
        with watch.away():
            whole.unbound.stop()
            whole.unbound.start()
        watch.wait_live()
        module.counts["start"] = shim.calls
        for number in spread(module.counts["start"], 1, faults.full):
            module.start(number)
        module.enumerate("reload", module.reload, 1)
        module.enumerate("replaced serve", module.replace, 1)
        module.enumerate("snapshot", module.refresh, 1)
        module.enumerate("rule", module.ask_rule, 1)
    assert not module.odd, "\n".join(module.odd[:30])
    watch.must(servfail=None, stale_ok=True, fallback_ok=True, same_process=False,
               note=f"allocations of the module: {module.counts}")


def test_f8_malloc_fails_at_random_in_livezoned(faults, tmp_path):
    shim = MallocShim(tmp_path)
    whole = faults.whole(cold=20)
    process = whole.daemon.process
    ends, failed, odd = 0, 0, []
    with faults.probing(whole, writes=0) as watch:
        client = Client(whole.api)
        process.env.update(shim.environment)
        whole.daemon.restart()
        for _ in range(faults.pick(2, 60)):
            shim.arm_random(100)
            deadline = time.monotonic() + 1
            while time.monotonic() < deadline and process.is_running():
                client.write()
                client.read()
            failed += shim.disarm()
            if not process.is_running() and process.wait() <= 0:
                odd.append(f"ended with {process.status}")
            ends += not process.is_running()
            whole.daemon.restart() if process.is_running() else whole.daemon.start()
            client.check()
    refused = sum(status in (None, *_REFUSED) for _, _, status in client.outcomes)
    assert not client.odd + odd, "\n".join((client.odd + odd)[:40])
    assert failed > 10
    watch.must(note=f"1 % of all allocations, {failed}: {len(client.outcomes)} requests, {refused} "
                    f"refused, livezoned ended {ends} times")
