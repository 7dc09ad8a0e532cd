# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""livezoned killed at every system call that its writer makes for one write.

strace counts each system call for itself: a point is (call, n-th of that call). One run that is
not broken shows the calls; then, for each call, n counts up until the write completes.
"""

import itertools
import re

from . import truth
from .load import address, value_of_address
from .strace import Strace, thread
from .wire import HttpClient

_CALL = re.compile(r"^([a-z0-9_]+)\(", re.MULTILINE)
_MORE = 5  # the n of a call may be higher than in the run that was watched
# on attaching: the wait that is gone on with, before there is a write
_NOT_OURS = {"restart_syscall"}


class Single:
    """One RRset put."""

    name = f"single.{truth.ZONE}"

    def __init__(self, whole):
        self.whole = whole
        self.value = 0
        self.stored = 0
        self._http = HttpClient(str(whole.api.unix), timeout=20.0)

    def run(self):
        """Writes the next value; whether that was acknowledged."""
        self.value += 1
        status = self._send("PUT", f"/v1/rrsets/{self.name}/A", f'"{address(self.value)}"')
        if status:
            self.stored = self.value
        return bool(status)

    def _send(self, method, path, *records, body=None):
        body = body or '{"records":[%s]}' % ",".join(records)
        try:
            status, text = self._http.send(method, path, body)
        except OSError:
            return 0
        assert status in (200, 202), text
        return status

    def check(self):
        """What DNS answers is the old or the new value, and the new one when that was
        acknowledged. It is what the next one may find."""
        found = self.found()
        assert self.stored <= found <= self.value, (self.stored, found, self.value)
        self.stored = found

    def found(self):
        return value_of(self.whole, self.name) or 0

    def check_stored(self):
        """livezoned runs again: state and DNS say the same."""
        self.check()
        reply = self.whole.api.request("GET", f"/v1/rrsets/{self.name}/A")
        assert reply.status == (200 if self.stored else 404), reply
        if self.stored:
            assert value_of_address(reply.json["records"][0]) == self.stored


def value_of(whole, name):
    """The value at a name, None when that does not exist."""
    message = whole.query(name, "A")
    assert message.rcode() in (0, truth.NXDOMAIN) and not message.options, message
    return value_of_address(message.answer[0][0].address) if message.answer else None


class Batch:
    """The batch of the truth checker: over two zones, with a delete."""

    def __init__(self, whole, writer):
        self.whole, self._writer = whole, writer

    def run(self):
        self._writer.write()
        return self._writer.writes[-1].stored

    def check(self):
        last = self._writer.writes[-1]
        found = value_of(self.whole, truth.hot(last.cell)) or 0
        acked = max((write.number for write in self._writer.writes
                     if write.cell == last.cell and write.stored), default=0)
        assert acked <= found <= last.number, (acked, found, last.number)
        target = f"w{found}.{truth.OTHER}"
        assert not found or value_of(self.whole, target) == found, "half a batch"

    def check_stored(self):
        self.check()
        truth.check_stored(self.whole.api, self._writer.writes)


class Source(Single):
    """A desired state that replaces, adds and deletes many, some of them larger than a page."""

    source = "crash"

    def __init__(self, whole, names):
        super().__init__(whole)
        self._names = names

    @staticmethod
    def _name(number):
        return f"s{number}.{truth.ZONE}"

    def _has(self, number, value):
        return value > 0 and number % 3 != value % 3

    def run(self):
        self.value += 1
        rrsets = []
        for number in filter(lambda n: self._has(n, self.value), range(self._names)):
            rrsets.append('{"name":"%s","type":"A","records":["%s"]}'
                          % (self._name(number), address(self.value)))
            if number % 50 < 3:
                text = " ".join([f'\\"{self.value:0250d}\\"'] * 30)
                rrsets.append('{"name":"%s","type":"TXT","records":["%s"]}'
                              % (self._name(number), text))
        body = '{"rrsets":[%s]}' % ",".join(rrsets)
        path = f"/v1/sources/{self.source}?force=true"
        if not self._send("PUT", path, body=body):
            return False
        self.stored = self.value
        return True

    def found(self):
        """The value of all of them, by a sample: half a replacement has no such value."""
        sample = {*range(6), self._names // 2, *range(self._names - 6, self._names)}
        seen = {number: value_of(self.whole, self._name(number)) for number in sample}
        values = {value for value in seen.values() if value is not None} or {0}
        assert len(values) == 1, f"half a replacement: {seen}"
        value = values.pop()
        assert {n for n in seen if seen[n] is not None} == {
            n for n in seen if self._has(n, value)}, f"half a replacement: {seen}"
        return value

    def check_stored(self):
        self.check()
        found = self.whole.api.get(f"/v1/zones/{truth.ZONE}").json["rrsets"]
        mine = {rrset["name"] for rrset in found if rrset["source"] == self.source}
        assert mine == {f"{self._name(n)}." for n in range(self._names)
                        if self._has(n, self.stored)}


def points_of(whole, operation, log):
    """[call, ...] of one write, in order."""
    return points_of_thread(whole, "writer", operation.run, log)


def points_of_thread(whole, name, run, log):
    """[call, ...] of that thread of livezoned while `run` runs."""
    pid = whole.daemon.process.pid
    watched = Strace(pid, "all", log=log, tid=thread(pid, name))
    try:
        assert run()
    finally:
        watched.close()
    return [call for call in _CALL.findall(log.read_text()) if call not in _NOT_OURS]


def break_at(whole, operation, call, nth, then=lambda: None):
    """Kills livezoned at that point of one write, and starts it again. False: the write ended
    before there was such a point. `then` is called while nobody writes."""
    pid = whole.daemon.process.pid
    broken = Strace(pid, call, f"signal=KILL:when={nth}", tid=thread(pid, "writer"))
    try:
        was_acked = operation.run()
    finally:
        broken.close()
    was_killed = not was_acked or is_ending(whole.daemon)
    if was_killed:
        whole.daemon.kill()
        operation.check()
        then()
        whole.daemon.start()
    operation.check_stored()
    return was_killed


def is_ending(daemon):
    """After the answer the writer has a few calls left, and may be killed there."""
    try:
        daemon.api.request("GET", "/healthz")
    except OSError:
        return True
    finally:
        daemon.api.close()
    return not daemon.process.is_running()


def break_at_every_call(whole, operation, calls):
    """All points of the calls of points_of; the number of kills."""
    kills = 0
    for call in dict.fromkeys(calls):
        for nth in itertools.count(1):
            if not break_at(whole, operation, call, nth):
                break
            kills += 1
            if nth >= calls.count(call) + _MORE:
                break  # the rest is of the wait for more
    return kills


def break_at_some_calls(whole, operation, calls, chance, count):
    """`count` of the points, chosen by `chance`, a random.Random; the number of kills."""
    points = [(call, calls[: at + 1].count(call)) for at, call in enumerate(calls)]
    chosen = chance.sample(points, min(count, len(points)))
    return sum(break_at(whole, operation, call, nth) for call, nth in chosen)
