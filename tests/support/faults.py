# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Rows of doc/faults.md: a prober at 2,000 questions/s and a writer run, the row breaks
something, and the truth checker (support/truth.py) judges every answer.

    def test_f22_truncated_serve(faults):                 # one function a row
        whole = faults.whole()           # livezoned, Unbound, fake upstream; filled; snapshot made
        with faults.probing(whole) as watch:
            with watch.fault():                           # the clock of "live again" starts
                os.truncate(faults.data_of(whole), 0)
            watch.wait_live()                             # a later write is seen, undeclared
        watch.must(stale_ok=True, live_within=2.0)

faults.whole(cold=1000, store={}, api={}, zones=[], threads=2, daemon=None, **options of Unbound)
faults.probing(whole, writes=100, rate=2000)              # batches/s (0: no writer), questions/s
faults.full, faults.pick(short, full)                     # LIVEZONE_FAULTS=full: big numbers
@pytest.mark.parametrize("what", cases(TABLE, 2))         # the short form takes the first two
with watch.away(): ...            # Unbound is down by our own hand: lost and SERVFAIL are excused
watch.ask(2000)                   # until so many more questions have ended (about a second)
watch.writer.acks, .refused, .statuses                    # of the writer; statuses: HTTP codes
watch.must(...) stops prober and writer, checks, records the row's figures for doc/faults.md:
    lost=0, wrong=0, servfail=0   how many at most; None: any
    stale_ok=False                extended errors 3 and 19 may be seen (values may go back then)
    fallback_ok=False             extended error 0 may be seen
    live_within=None              seconds from watch.fault() until live for good; the short form
                                  allows five times that, and the table shows a miss
    same_process=True             Unbound has the pid that it had
    stored=True                   I4: what was acknowledged is in the store; livezoned runs
    p99_ms=5.0                    20 in rows marked +; 40 times that in the short form
    note=""                       goes into the table
faults.skip("reason") when a tool or the kernel does not allow the row.
A row that has no probing calls faults.record(note=...) with what it has shown.
"""

import contextlib
import json
import os
import pwd
import re
import shutil
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from . import build, truth
from .load import Load, address, value_of_address
from .prober import Prober
from .resolver import records_of
from .upstream import UpstreamProcess
from .wait import wait_until
from .wire import HttpClient

FULL = os.environ.get("LIVEZONE_FAULTS", "") == "full"
_RESULTS = os.environ.get("LIVEZONE_FAULTS_RESULTS")
_FIRST_QUESTIONS = 300
_REPORT_MAX = 15
_IS_QUIET = os.environ.get("LIVEZONE_FAULTS_LATENCY", "1") != "0"
# A machine that builds something else meanwhile may not run a thread for a second.
_DEADLINE_MS = 1000 if FULL and _IS_QUIET else 2000
_LIVE_FACTOR = 1 if FULL else 5
_P99_FACTOR = 1 if FULL else 40  # the short form runs beside other tests: what hangs is seen
_COLD = 10000 if FULL else 1000
# A thread that a busy machine does not run for 100 ms has 200 questions waiting: with the system's
# default the kernel drops the rest, and they would count as lost.
SERVER = "    so-rcvbuf: 4m\n"


def row_of(test):
    """F22 of test_f22_truncated_serve[half]; None when it is no row."""
    found = re.match(r"test_(f\d+)_", test)
    return found and found.group(1).upper()


def cases(rows, short):
    """All rows in the full form, the first `short` in the short form."""
    return list(rows) if FULL else list(rows)[:short]


def keep_result(test, **figures):
    """Adds to the figures of this test, in the folder that LIVEZONE_FAULTS_RESULTS names."""
    if not _RESULTS or not row_of(test):
        return
    path = Path(_RESULTS) / (re.sub(r"[^A-Za-z0-9_.-]+", "-", test) + ".json")
    path.parent.mkdir(parents=True, exist_ok=True)
    known = json.loads(path.read_text()) if path.exists() else {}
    known |= {"row": row_of(test), "test": test, "full": FULL, **figures}
    path.write_text(json.dumps(known, indent=1) + "\n")


class Write:
    """One batch. Times are those of the prober, CLOCK_MONOTONIC. `acked_ns` is set by 200
    (durable and served), `stored` by 202 (durable) as well."""

    def __init__(self, cell, number):
        self.cell, self.number = cell, number
        self.tried_ns = time.monotonic_ns()
        self.acked_ns = 0
        self.stored = False


class Writer(Load):
    """Writes the cells in turn, `pace` batches a second; see support/truth.py. Goes on when
    livezoned is away, and looks at each status once."""

    def __init__(self, api, pace, first=1):
        super().__init__()
        self._http = HttpClient(str(api.unix), timeout=10.0)
        self._pace = pace
        self._next = time.monotonic()
        self._number = first - 1
        self._targets = {cell: set() for cell in range(truth.CELLS)}
        self.writes = []
        self.acks = self.refused = 0
        self.statuses = Counter()

    def _batch(self, cell, number):
        name, target = truth.hot(cell), f"w{number}.{truth.OTHER}"
        text = f'"{truth.text_of(name, number)}"'
        puts = [
            {"name": name, "type": "A", "records": [address(number)]},
            {"name": name, "type": "TXT", "records": [text]},
            {"name": truth.alias(cell), "type": "CNAME", "records": [f"{target}."]},
            {"name": target, "type": "A", "records": [address(number)]},
        ]
        old = [{"delete": {"name": name, "type": "A"}} for name in self._targets[cell]]
        self._targets[cell].add(target)
        return [{"put": put} for put in puts] + old, target

    def step(self):
        if self._pace and (ahead := self._next - time.monotonic()) > 0:
            self._halt.wait(ahead)
        self._next = max(self._next + 1 / self._pace, time.monotonic() - 0.1)
        self.write()

    def write(self):
        """One batch, and its outcome noted."""
        self._number += 1
        cell = self._number % truth.CELLS
        changes, target = self._batch(cell, self._number)
        write = Write(cell, self._number)
        self.writes.append(write)
        try:
            status, body = self._http.send("POST", "/v1/batch", json.dumps({"changes": changes}))
        except OSError:
            self.refused += 1
            self._halt.wait(0.01)  # not a busy loop while nobody listens
            return
        self.statuses[status] += 1
        if status in (200, 202):
            write.stored = True
            self._targets[cell] = {target}
            if status == 200:
                write.acked_ns = time.monotonic_ns()
            self.acks += status == 200
        elif status in (503, 507):
            self.refused += 1
            self._targets[cell].discard(target)
        else:
            self.fault("write", status, body.decode(errors="replace"))


class Watch:
    """See the top of this file."""

    def __init__(self, faults, whole, writer, rate):
        self._faults, self._whole, self.writer = faults, whole, writer
        self._pid = whole.unbound.process.pid
        self._excused = []
        self._probes = self._fault_ns = None
        self._prober = Prober(
            faults.directory(), whole.unbound.port, faults.names.for_prober(), rate,
            _DEADLINE_MS)
        self._start_ns = time.monotonic_ns()

    @contextlib.contextmanager
    def fault(self):
        self._fault_ns = self._fault_ns or time.monotonic_ns()
        yield

    @contextlib.contextmanager
    def away(self):
        begin = time.monotonic_ns()
        yield
        self._excused.append((begin, time.monotonic_ns()))

    def ask(self, questions):
        self._prober.wait_for(questions)

    def seconds(self, count):
        """Questions of so many seconds."""
        self.ask(int(count * 2000))

    def wait_live(self, deadline=20.0):
        """Until a write that is made from now on is acknowledged and seen, and not declared
        stale."""
        from_ns = time.monotonic_ns()

        def is_seen():
            write = next((w for w in reversed(self.writer.writes)
                          if w.acked_ns and w.tried_ns > from_ns), None)
            if not write:
                return False
            name = truth.hot(write.cell)
            message = self._whole.query(name, timeout=1.0)
            found = records_of(message, "A")
            return found and not message.options and value_of_address(found[0]) >= write.number

        wait_until(is_seen, deadline, "a new write is served live")

    def stop(self):
        if self._probes is None:
            self.writer.finish()
            self._probes = self._prober.stop()
        return self._probes

    def close(self):
        self.writer.finish()
        self._prober.close()

    def must(self, lost=0, wrong=0, servfail=0, stale_ok=False, fallback_ok=False,
             live_within=None, same_process=True, stored=True, p99_ms=5.0, note=""):
        probes = self.stop()
        judge = truth.Judge(self._faults.names, self.writer.writes, self._excused, self._start_ns)
        verdict = judge.run(probes)
        again = self._live_again(verdict)
        allowed = [f"{len(found)} {text}, as expected" for found, text, limit in (
            (verdict.lost, "lost", lost), (verdict.servfail, "SERVFAIL", servfail))
            if limit is None and found]
        if None not in (live_within, again) and again > live_within:
            allowed.append(f"target of {live_within:g} s missed")
        self._faults.record(verdict, again, "; ".join(filter(None, [note, *allowed])),
                            lost=lost is not None, servfail=servfail is not None)
        for name, allowed in (("wrong", wrong), ("lost", lost), ("servfail", servfail)):
            found = getattr(verdict, name)
            assert allowed is None or len(found) <= allowed, (
                f"{len(found)} {name} of {verdict.questions}:\n" + "\n".join(found[:_REPORT_MAX]))
        assert self.writer.faults == []
        assert verdict.questions > _FIRST_QUESTIONS
        assert stale_ok or not verdict.stale, f"{verdict.stale} stale answers"
        assert fallback_ok or not verdict.fallback, f"{verdict.fallback} fallback answers"
        if same_process:
            assert self._whole.unbound.process.is_running(), "Unbound has ended"
            assert self._whole.unbound.process.pid == self._pid, "another Unbound"
        if live_within is not None:
            assert again is not None, "never live again"
            limit = _LIVE_FACTOR * live_within
            assert again <= limit, f"live again after {again:.2f} s, {limit} s are allowed"
        if stored and self.writer.writes:
            wait_until(self._whole.api.is_ready, 20, "livezoned is ready")
            truth.check_stored(self._whole.api, self.writer.writes)
        if p99_ms and _IS_QUIET:
            found, limit = verdict.latency_ms(0.99), p99_ms * _P99_FACTOR
            assert found <= limit, f"p99 is {found:.2f} ms, {limit} ms are allowed"
        return verdict

    def _live_again(self, verdict):
        """Seconds from the fault until a write that was sent after it was seen, with no other
        than live answers afterwards."""
        if self._fault_ns is None:
            return None
        first = next((w.number for w in self.writer.writes if w.tried_ns > self._fault_ns), None)
        last_ns = max(verdict.unlive_ns, default=0)
        seen = [at for at, number in verdict.live
                if first is not None and number >= first and at > last_ns]
        return (min(seen) - self._fault_ns) / 1e9 if seen else None


class Faults:
    """The fixture `faults`."""

    full = FULL

    def __init__(self, request, livezoned, livezone, tmp_path, cleanup):
        self._request, self._livezoned, self._livezone = request, livezoned, livezone
        self.upstream, self._tmp_path, self._cleanup = None, tmp_path, cleanup
        self._watches = 0
        self._has_recorded = False
        self.names = None

    def pick(self, short, full):
        return full if FULL else short

    def skip(self, reason):
        pytest.skip(reason)

    def need(self, *tools):
        """Skips when one of these programs is not here, or we are not root."""
        for tool in tools:
            if not shutil.which(tool):
                pytest.skip(f"{tool} is not installed")
        if os.geteuid():
            pytest.skip("needs root")

    def other_user(self):
        """nobody, when it may load the module."""
        self.need("setpriv")
        user = pwd.getpwnam("nobody")
        may = subprocess.run(["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}",
                              "--clear-groups", "test", "-r", build.MODULE])
        if may.returncode:
            self.skip(f"nobody may not read {build.MODULE}")
        return user

    def directory(self):
        self._watches += 1
        return self._tmp_path / f"probing-{self._watches}"

    def daemon(self, zones=(), **options):
        """livezoned with the two zones and what they need; options as of the fixture
        `livezoned`."""
        fallback = [f"{name}. 5 IN A {value}" for name, value in truth.fallback_records().items()]
        return self._livezoned(
            zones=[{"name": truth.ZONE, "fallback": fallback}, truth.OTHER, *zones], **options)

    def serve_foreign(self):
        """The upstream's port; it knows the foreign names of the prober."""
        if not self.upstream:
            self.upstream = UpstreamProcess.shared(truth.foreign_records())
        return self.upstream.port

    def whole(self, cold=_COLD, zones=(), store=(), api=(), daemon=None, threads=2, **options):
        daemon = daemon or self.daemon(zones=zones, store=store, api=api)
        writes = self._load(daemon, cold)  # first, so that the first snapshot has it all
        server = SERVER + options.pop("server", "")
        whole = self._livezone(
            daemon=daemon, upstream=self.serve_foreign(), threads=threads, server=server,
            **options)
        whole.first_writes = writes
        # the report says so a second later
        maps = Path(f"/proc/{whole.unbound.process.pid}/maps")
        wait_until(lambda: "snapshot" in maps.read_text(), 15, "the first snapshot is made")
        return whole

    def fill(self, whole, cold=_COLD):
        """Loads the names, and waits until the module's snapshot has them."""
        whole.first_writes = self._load(whole.daemon, cold)
        self.wait_snapshot(whole)
        return whole

    def _load(self, daemon, cold):
        self.names = truth.Names(cold)
        changes = truth.static_changes(cold)
        for at in range(0, len(changes), 2000):
            daemon.api.batch(changes[at : at + 2000])
        first = Writer(daemon.api, 0)
        for _ in range(truth.CELLS):
            first.write()
        assert first.acks == truth.CELLS, first.faults
        return first.writes

    def wait_snapshot(self, whole, deadline=15.0):
        """Until the module's snapshot is of the store's revision."""
        def is_there():
            revision = str(whole.api.status()["serve"]["revision"])
            return self.report_of(whole).get("snapshot_revision") == revision

        wait_until(is_there, deadline, "the snapshot is made")

    def report_of(self, whole):
        """What the module says of itself, as a dict of text."""
        path = Path(whole.daemon.serve) / f"unbound-{whole.unbound.process.pid}.report"
        if not path.exists():
            return {}
        return dict(line.split(" ", 1) for line in path.read_text().splitlines() if " " in line)

    @staticmethod
    def data_of(whole):
        return Path(whole.daemon.serve) / "data.mdb"

    @contextlib.contextmanager
    def probing(self, whole, writes=100, rate=2000):
        first = getattr(whole, "first_writes", [])
        writer = Writer(whole.api, writes, first=first[-1].number + 1 if first else 1)
        writer.writes.extend(first)
        for write in first:
            writer._targets[write.cell] = {f"w{write.number}.{truth.OTHER}"}
        watch = Watch(self, whole, writer, rate)
        self._cleanup.callback(watch.close)
        if writes:
            writer.start()
        watch.ask(_FIRST_QUESTIONS)
        yield watch
        watch.ask(self.pick(600, 10000))
        watch.stop()
        whole.first_writes = writer.writes

    def record(self, verdict=None, again=None, note="", **counts):
        """Keeps the figures of this row for the table (tests/faults/table.py). `counts`
        says whether lost and SERVFAIL count; what a row expects does not."""
        node = self._request.node.name
        figures = {"row": row_of(node), "note": note, "failed": False}
        if verdict:
            figures |= {
                "questions": verdict.questions,
                "lost": len(verdict.lost) * counts.get("lost", True),
                "wrong": len(verdict.wrong),
                "servfail": len(verdict.servfail) * counts.get("servfail", True),
                "excused": verdict.excused, "stale": verdict.stale,
                "fallback": verdict.fallback, "p50_ms": verdict.latency_ms(0.5),
                "p99_ms": verdict.latency_ms(0.99), "max_ms": verdict.latency_ms(1.0),
                "live_again_s": again,
            }
        self._request.node.user_properties.append(("measured", self._as_text(figures)))
        keep_result(node, **figures)

    @staticmethod
    def _as_text(figures):
        if "questions" not in figures:
            return f"{figures['row']}: {figures['note']}"
        again = figures["live_again_s"]
        return ("{row}: {questions} questions, {lost} lost, {wrong} wrong, {servfail} SERVFAIL, "
                "{stale} stale, {fallback} fallback, p50 {p50_ms:.2f} p99 {p99_ms:.2f} "
                "max {max_ms:.1f} ms".format(**figures)
                + (f", live again after {again:.2f} s" if again is not None else "")
                + (f"; {figures['note']}" if figures["note"] else ""))
