# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""livezoned killed at every system call of a backup, and of the restore of a damaged state
(F3; writes and rebuilds are in test_livezoned.py)."""

import itertools
import os
import random
from pathlib import Path

from support import truth
from support.backups import seal
from support.enumeration import is_ending, points_of_thread
from support.strace import Strace, thread
from support.wait import wait_until

# What changes files; each counts for itself.
_CALLS = ("mkdir", "pwrite64", "writev", "fdatasync", "link", "fsync", "rename", "unlink", "rmdir",
          "write", "ftruncate", "fallocate")


def content_of(api):
    return {
        (rrset["name"], rrset["type"]): sorted(rrset["records"])
        for zone in (truth.ZONE, truth.OTHER)
        for rrset in api.get(f"/v1/zones/{zone}").json["rrsets"]
    }


# --- backups ---


class Backup:
    """One automatic backup, soon after a write."""

    def __init__(self, whole, directory):
        self.whole, self._directory, self._value = whole, directory, 0

    def _made(self):
        return self.whole.api.status()["backup"]["made"]

    def run(self):
        """Whether it was made before livezoned ended."""
        try:
            before = self._made()
            self._value += 1
            self.whole.api.put(f"backed.{truth.ZONE}", "A", f"10.9.0.{self._value % 250}")
        except OSError:
            return False
        # an OSError is "not yet" there
        wait_until(lambda: is_ending(self.whole.daemon) or self._made() > before, 20, "a backup")
        return not is_ending(self.whole.daemon)

    def check(self):
        """What has the name of a backup is one, whole."""
        files = sorted(self._directory.glob("livezone-*.jsonl"))
        for file in files:
            text = file.read_text()
            assert seal(text) == text and '"end"' in text.splitlines()[-1], file
        return files


def test_f3_killed_at_every_call_of_a_backup(faults, tmp_path):
    faults.need("strace")
    backups = tmp_path / "backups"
    daemon = faults.daemon(start=False)
    daemon.config["backup"] = {"directory": str(backups), "interval": "1s", "count": 3}
    daemon.write_config()
    daemon.start()
    whole = faults.whole(cold=20, daemon=daemon)
    with faults.probing(whole, writes=0) as watch:
        backup = Backup(whole, backups)
        assert backup.run()
        calls = points_of_thread(whole, "backup", backup.run, tmp_path / "calls")
        assert {"fsync", "renameat"} <= set(calls), calls
        points = [(call, calls[: at + 1].count(call)) for at, call in enumerate(calls)]
        if not faults.full:
            points = random.Random(33).sample(points, min(8, len(points)))
        kills = sum(break_backup(whole, backup, *point) for point in points)
        assert kills >= 2
        assert backup.run()
        assert len(backup.check()) <= 3
        assert not [file for file in os.listdir(backups) if "partial" in file]
    watch.must(note=f"{kills} kills in a backup of {len(calls)} calls")


def break_backup(whole, backup, call, nth):
    pid = whole.daemon.process.pid
    broken = Strace(pid, call, f"signal=KILL:when={nth}", tid=thread(pid, "backup"))
    try:
        backup.run()
    finally:
        broken.close()
    was_killed = is_ending(whole.daemon)
    if was_killed:
        whole.daemon.kill()
        whole.daemon.start()
    backup.check()
    return was_killed


# --- the restore ---


def damage(state):
    """All that is stored is overwritten, the meta pages are as they were. What stood there."""
    data = state / "data.mdb"
    size = data.stat().st_size
    with open(data, "r+b") as file:
        file.seek(8192)
        file.write(b"\xa5" * (size - 8192))
    return data.read_bytes()


def start_and_break(daemon, call, nth):
    """Starts livezoned under strace; whether it was killed before it was ready."""
    daemon.wrapper = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}",
                      "-e", f"inject={call}:signal=KILL:when={nth}"]
    try:
        daemon.spawn()
        wait_until(lambda: not daemon.process.is_running() or daemon.api.is_ready(), 30, "an end")
    finally:
        daemon.wrapper = []
        daemon.api.close()
    was_killed = not daemon.process.is_running()
    daemon.kill()
    return was_killed


def restore_and_break(whole, state, call, nth):
    """Damages state, kills livezoned on its way, and lets the next one do the rest."""
    before = content_of(whole.api)
    whole.daemon.stop()
    damaged = damage(state)
    was_killed = start_and_break(whole.daemon, call, nth)
    whole.daemon.start()
    assert content_of(whole.api) == before
    kept = [file for file in state.glob("quarantine/*/data.mdb") if file.read_bytes() == damaged]
    assert kept, "the damaged file is not there any more"
    assert whole.api.status()["alarms"]
    for file in kept:  # each round has one of its own
        file.unlink()
        file.parent.rmdir()
    return was_killed


def test_f3_killed_at_every_call_of_a_restore(faults):
    faults.need("strace")
    whole = faults.whole(cold=20)
    state = Path(whole.daemon.config["store"]["state"])
    kills = dict.fromkeys(_CALLS, 0)
    with faults.probing(whole, writes=0) as watch:
        if faults.full:
            for call in _CALLS:
                for nth in itertools.count(1):
                    if not restore_and_break(whole, state, call, nth):
                        break
                    kills[call] += 1
        else:
            chosen = [("link", 1), ("rename", 1), ("fsync", 1), ("fsync", 3), ("fdatasync", 2),
                      ("pwrite64", 2), ("unlink", 1), ("mkdir", 1)]
            for call, nth in chosen:
                kills[call] += restore_and_break(whole, state, call, nth)
        assert kills["link"] and kills["rename"] and sum(kills.values()) >= 5, kills
        watch.writer.write()
    watch.must(stale_ok=True, note=f"kills: { {call: n for call, n in kills.items() if n} }")
