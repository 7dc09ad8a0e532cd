# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""The newest backup is no good when it is needed (F32): state and serve are lost, and one backup
after the other is damaged. The one before it and the journal have all of it."""

import os
import random
import re
import shutil
from pathlib import Path

import pytest

from support import truth
from support.wait import wait_until

ALARM = "state-restored"
EARLY, LATE = f"early.{truth.ZONE}", f"late.{truth.ZONE}"


def directory(whole):
    return Path(whole.daemon.config["store"]["state"]) / "backups"


def newest(whole):
    return whole.api.status()["backup"].get("newest", {})


def put_and_wait(whole, name, value):
    """Writes, and waits until a backup has it; the file."""
    revision = whole.api.put(name, "A", value).revision
    wait_until(lambda: newest(whole).get("revision") == revision, 20, "a backup of the write")
    return directory(whole) / newest(whole)["name"]


def cut(path):
    os.truncate(path, path.stat().st_size // 2)


def cut_behind_a_line(path):
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-3]))


def flip(path):
    data = bytearray(path.read_bytes())
    data[random.Random(32).randrange(len(data))] ^= 0x40
    path.write_bytes(data)


def lose_a_line(path):
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:5] + lines[6:]))


def empty(path):
    os.truncate(path, 0)


def make_directory(path):
    path.unlink()
    path.mkdir()


DAMAGES = {
    "cut": cut, "cut behind a line": cut_behind_a_line, "a bit": flip, "a line lost": lose_a_line,
    "empty": empty, "a directory": make_directory,
}


def lose_state_and_serve(whole):
    """livezoned is not running."""
    os.truncate(Path(whole.daemon.config["store"]["state"]) / "data.mdb", 4096)
    os.truncate(Path(whole.daemon.serve) / "data.mdb", 4096)


def alarm(whole):
    return next(a["text"] for a in whole.api.status()["alarms"] if a["name"] == ALARM)


def names_of(whole):
    text = whole.api.request("GET", f"/v1/zones/{truth.ZONE}", headers={"Accept": "text/dns"}).text
    return {line.split("\t")[0] for line in text.splitlines()}


@pytest.fixture
def whole(faults):
    daemon = faults.daemon(backup={"interval": "1s", "count": 5})
    return faults.whole(cold=100, daemon=daemon)


def test_f32_an_older_backup_is_taken_and_the_journal_behind_it(faults, whole):
    damages = DAMAGES if faults.full else {"a bit": flip}
    taken = []
    with faults.probing(whole, writes=0) as watch:
        for number, (what, damage) in enumerate(damages.items()):
            good = put_and_wait(whole, EARLY, f"10.8.{number}.1")
            bad = put_and_wait(whole, LATE, f"10.8.{number}.2")
            whole.daemon.stop()
            lose_state_and_serve(whole)
            damage(bad)
            whole.daemon.start()
            assert f"restored from backup {good.name} and the journal" in alarm(whole), (
                what, alarm(whole))
            revision = int(re.search(r"-r(\d+)\.", bad.name)[1])
            assert f"after revision {revision} may be missing" in alarm(whole)
            log = whole.daemon.process.output()
            assert f"restore: backup {bad.name} is damaged in line" in log
            # all of it, and DNS says the same
            for name, value in ((EARLY, f"10.8.{number}.1"), (LATE, f"10.8.{number}.2")):
                assert whole.api.get(f"/v1/rrsets/{name}/A").json["records"] == [value]
                wait_until(lambda: whole.answers(name) == [value], 10, "served again")
            assert whole.api.status()["state"]["revision"] > revision
            whole.daemon.ctl("acknowledge", ALARM)
            taken.append(what)
    watch.must(stale_ok=True, fallback_ok=True, p99_ms=20, note=f"the newest: {', '.join(taken)}")


def test_f32_no_part_is_taken_when_none_is_whole(faults, whole):
    """A part would deny the names of the others; serve and its copies go on."""
    put_and_wait(whole, EARLY, "10.8.0.1")
    whole.daemon.stop()
    os.truncate(Path(whole.daemon.config["store"]["state"]) / "data.mdb", 4096)
    shutil.rmtree(Path(whole.daemon.config["store"]["state"]) / "journal")
    files = sorted(directory(whole).glob("*.jsonl"))
    assert files
    for path in files:
        cut(path)
    whole.daemon.spawn()
    assert whole.daemon.process.wait() > 0
    assert "it cannot be restored: there is neither a complete backup in" in (
        whole.daemon.process.output())
    assert whole.answers(EARLY) == ["10.8.0.1"]
    faults.record(note="livezoned does not start, and has changed nothing; DNS goes on from serve")
