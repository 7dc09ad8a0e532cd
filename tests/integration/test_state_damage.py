# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""A damaged state: found at the start, put aside, restored; what is said of it."""

import json
import os
import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from support import build
from support import state_damage as damage
from support.strace import Strace
from support.wait import wait_until

ALARM = "state-restored"


def state_of(daemon):
    return daemon.config["store"]["state"]


def check(daemon):
    """`livezoned --check-state`: exit status and what it says."""
    done = subprocess.run(
        [build.LIVEZONED, "--check-state", state_of(daemon)],
        capture_output=True, text=True, timeout=60, env=build.sanitizer_environment(leaks=False))
    return done.returncode, done.stdout.strip()


def fill(api, names=50):
    """Records of two sources and of none, leases, a wildcard, an SOA written by hand."""
    for number in range(names):
        source = {0: None, 1: "nomad", 2: "consul"}[number % 3]
        more = {"source": source} if source else {}
        if number % 5 == 0:
            more["lease"] = "1h"
        api.put(f"n{number}.live.test", "A", f"10.0.{number >> 8}.{number & 255}", **more)
    api.put("*.wild.live.test", "TXT", '"any"')
    api.put("live.test", "SOA", "a.live.test. b.live.test. 7 3600 600 86400 9")
    api.put("n1.live.test", "TXT", '"one"', source="nomad")


def content(api):
    """{name type: (records, ttl, source, revision)} of everything."""
    lines = [json.loads(line) for line in api.get("/v1/backup").text.splitlines()]
    return {
        f"{line['name']} {line['type']}":
            (line["records"], line["ttl"], line["source"], line["revision"], "lease" in line)
        for line in lines if "name" in line
    }


def without_serial(found):
    """The SOA gets the serial that was served."""
    return {
        name: ([re.sub(r" \d+ 3600", " N 3600", text) for text in value[0]], *value[1:])
        for name, value in found.items()
    }


def alarms(api):
    return {alarm["name"]: alarm["text"] for alarm in api.status()["alarms"]}


def quarantined(daemon):
    """A name of each file that was put aside. A directory is made before it and may stay empty,
    and a start that is killed may leave the file another name."""
    return sorted({path.stat().st_ino: path.parent.name for path in
                   Path(state_of(daemon), "quarantine").glob("*/data.mdb")}.values())


DAMAGES = {
    "a-record": lambda state: damage.change_text(state, b"\x02n7"),
    "a-source": lambda state: damage.change_text(state, b"nomad"),
    "root": damage.change_root,
    "one-meta-page": lambda state: damage.change_meta(state, (1,)),
    "meta-pages": damage.change_meta,
    "half": damage.truncate,
    "empty": lambda state: damage.truncate(state, 0),
}


@pytest.mark.parametrize("what", DAMAGES)
def test_a_damaged_state_is_put_aside_and_restored(livezone, what):
    whole = livezone(zones=("live.test", "other.test"))
    daemon, api = whole.daemon, whole.api
    fill(api)
    before, revision = content(api), api.status()["state"]["revision"]
    instance, serial = api.status()["state"]["instance"], serial_of(whole)
    daemon.stop()
    assert check(daemon)[0] == 0
    DAMAGES[what](state_of(daemon))
    damaged = damage.data_of(state_of(daemon)).read_bytes()
    assert check(daemon)[0] == 1

    daemon.start()
    assert content(api) == before
    status = api.status()
    assert status["state"]["revision"] > revision
    assert status["state"]["instance"] == instance
    assert check(daemon)[0] == 0  # while livezoned runs
    kept = quarantined(daemon)
    assert len(kept) == 1
    assert (damage.data_of(os.path.join(state_of(daemon), "quarantine", kept[0]))
            .read_bytes() == damaged)
    # it goes on, and DNS sees it
    assert whole.answers("n7.live.test") == ["10.0.0.7"]
    assert serial_of(whole) > serial
    reply = api.put("n7.live.test", "A", "10.1.1.1")
    assert reply.status == 200 and reply.revision > status["state"]["revision"]
    assert whole.answers("n7.live.test") == ["10.1.1.1"]

    # the alarm stands over a restart, until somebody has seen it
    assert f"restored from the journal: 53 RRsets of revision {revision}, " in alarms(api)[ALARM]
    daemon.restart()
    assert ALARM in alarms(api)
    assert f"ALARM       {ALARM}, since " in daemon.ctl("status").stdout
    assert "acknowledged" in daemon.ctl("acknowledge", ALARM).stdout
    assert alarms(api) == {}
    assert api.request("DELETE", f"/v1/alarms/{ALARM}").status == 404
    assert daemon.ctl("acknowledge", ALARM, check=False).returncode != 0
    daemon.restart()
    assert alarms(api) == {} and quarantined(daemon) == kept


def serial_of(whole):
    """Of a zone whose SOA nobody wrote."""
    return int(whole.answers("other.test", "SOA")[0].split()[2])


def journalled(daemon):
    """The revision, once the journal has it."""
    revision = daemon.api.status()["state"]["revision"]
    wait_until(lambda: daemon.api.status()["journal"]["revision"] == revision, 5, "it is journalled")
    return revision


def backed_up(daemon):
    """The revision of a backup of all that is there."""
    revision = daemon.api.status()["state"]["revision"]
    wait_until(lambda: daemon.api.status()["backup"].get("newest", {}).get("revision") == revision,
               15, "a backup")
    return revision


def test_the_journal_goes_on_where_the_newest_complete_backup_ends(livezoned):
    daemon = livezoned(backup={"interval": "1s"})
    fill(daemon.api)
    backed_up(daemon)
    daemon.api.put("later.live.test", "A", "10.0.0.1", source="nomad")
    daemon.api.delete("n3.live.test", "A")
    before = content(daemon.api)
    revision = journalled(daemon)
    daemon.kill()
    newest = sorted(Path(state_of(daemon), "backups").glob("*.jsonl"))[-1]
    if newest.name.endswith(f"-r{revision}.jsonl"):  # made in the moment between
        newest.unlink()
    damage.truncate(state_of(daemon), 0)
    daemon.start()
    assert content(daemon.api) == before
    said = alarms(daemon.api)[ALARM]
    assert re.search(rf"restored from backup livezone-\d+-r\d+.jsonl and the journal: \d+ RRsets "
                     rf"of revision {revision}, now at revision \d+", said)
    assert f"writes after revision {revision} may be missing" in said


def test_a_backup_that_is_cut_short_is_passed_over(livezoned):
    daemon = livezoned(backup={"interval": "1s"})
    fill(daemon.api)
    first = backed_up(daemon)
    daemon.api.put("later.live.test", "A", "10.0.0.1")
    backed_up(daemon)
    journalled(daemon)
    before = content(daemon.api)
    daemon.kill()
    newest = sorted(Path(state_of(daemon), "backups").glob("*.jsonl"))[-1]
    os.truncate(newest, newest.stat().st_size - 40)
    damage.truncate(state_of(daemon), 0)
    daemon.start()
    assert content(daemon.api) == before
    assert f"-r{first}.jsonl and the journal" in alarms(daemon.api)[ALARM]


def test_a_state_that_has_vanished_is_made_again(livezone):
    whole = livezone()
    fill(whole.api)
    before = content(whole.api)
    whole.daemon.stop()
    damage.data_of(state_of(whole.daemon)).unlink()
    whole.daemon.start()
    assert content(whole.api) == before
    assert whole.answers("n3.live.test") == ["10.0.0.3"]
    assert alarms(whole.api)[ALARM].startswith("state was missing; restored from the journal")


def test_an_old_copy_of_state_is_not_believed(livezone):
    """A volume that was rolled back, a copy that somebody put there."""
    whole = livezone()
    fill(whole.api)
    whole.daemon.stop()
    old = damage.data_of(state_of(whole.daemon)).read_bytes()
    whole.daemon.start()
    whole.api.put("n3.live.test", "A", "10.9.9.9")
    before, revision = content(whole.api), whole.api.status()["state"]["revision"]
    whole.daemon.stop()
    damage.data_of(state_of(whole.daemon)).write_bytes(old)
    whole.daemon.start()
    assert content(whole.api) == before
    assert whole.answers("n3.live.test") == ["10.9.9.9"]
    assert whole.api.status()["state"]["revision"] > revision
    assert alarms(whole.api)[ALARM].startswith("state was an old copy")


def test_records_that_livezoned_makes_stay_its_own(livezoned):
    """SOA, NS and PTR that nobody wrote are in serve, and must not become anybody's records."""
    daemon = livezoned(zones=[
        {"name": "live.test", "auto-ptr": True, "ns": ["ns1.live.test"]}, "10.in-addr.arpa"])
    daemon.api.put("a.live.test", "A", "10.0.0.1", source="nomad")
    daemon.api.put("2.0.0.10.in-addr.arpa", "PTR", "by-hand.live.test.")
    before = content(daemon.api)
    daemon.stop()
    damage.truncate(state_of(daemon), 0)
    daemon.start()
    after = content(daemon.api)
    assert after.keys() == before.keys() == {"a.live.test. A", "2.0.0.10.in-addr.arpa. PTR"}
    # and are made on
    daemon.api.delete("a.live.test", "A")
    assert "NXDOMAIN" in daemon.ctl("explain", "1.0.0.10.in-addr.arpa", "PTR").stdout


def test_records_of_a_zone_that_is_not_live_are_kept(livezoned):
    daemon = livezoned(zones=["live.test", "other.test"])
    daemon.api.put("a.live.test", "A", "10.0.0.1")
    daemon.api.put("a.other.test", "A", "10.0.0.2", source="nomad")
    daemon.config["zones"] = [{"name": "live.test"}]
    daemon.write_config()
    daemon.restart()
    before = content(daemon.api)
    assert "a.other.test. A" in before
    daemon.stop()
    damage.change_text(state_of(daemon), b"\x04live\x01a")
    daemon.start()
    assert content(daemon.api)["a.other.test. A"] == before["a.other.test. A"]


@pytest.mark.parametrize("what", ["damaged", "missing"])
def test_neither_backup_nor_journal_is_no_start_and_no_change(livezoned, what):
    daemon = livezoned()
    fill(daemon.api)
    daemon.stop()
    shutil.rmtree(os.path.join(state_of(daemon), "journal"))
    path = damage.data_of(state_of(daemon))
    if what == "damaged":
        damage.truncate(state_of(daemon))
        before = path.read_bytes()
    else:
        path.unlink()
    daemon.spawn()
    assert daemon.process.wait() > 0
    assert "it cannot be restored: there is neither a complete backup in" in daemon.process.output()
    assert quarantined(daemon) == []
    assert path.read_bytes() == before if what == "damaged" else not path.exists()


def test_another_schema_is_left_alone(livezoned):
    daemon = livezoned()
    fill(daemon.api)
    daemon.stop()
    path = damage.data_of(state_of(daemon))
    damage.raise_schema(state_of(daemon))
    before = path.read_bytes()
    assert check(daemon)[0] == 3
    daemon.spawn()
    assert daemon.process.wait() > 0
    assert 'schema "LZT3" found, this program knows "LZT2"' in daemon.process.output()
    assert path.read_bytes() == before and quarantined(daemon) == []


@pytest.mark.parametrize("kill_after", range(0, 40, 3))
def test_a_restore_that_is_killed_is_done_by_the_next_start(livezoned, kill_after):
    daemon = livezoned()
    fill(daemon.api)
    before = content(daemon.api)
    daemon.stop()
    damage.truncate(state_of(daemon))
    looks = iter(range(kill_after))
    daemon.spawn()
    wait_until(lambda: next(looks, None) is None, 5, "start", interval=0.002)
    daemon.kill()
    daemon.start()
    assert content(daemon.api).keys() == before.keys()
    assert ALARM in alarms(daemon.api)
    assert len(quarantined(daemon)) == 1
    assert not os.path.exists(os.path.join(state_of(daemon), "new"))


def test_a_state_that_is_cut_off_while_livezoned_runs_is_found_by_the_next_start(livezone):
    """SIGBUS ends livezoned at the first read behind the end; a supervisor starts it again."""
    if build.is_instrumented():
        pytest.skip("a sanitizer reports the fault that is meant")
    whole = livezone()
    fill(whole.api, 600)
    before = content(whole.api)
    damage.truncate(state_of(whole.daemon), 0)

    def is_dead():
        try:
            whole.api.request("GET", "/v1/backup")
        except OSError:
            pass
        return not whole.daemon.process.is_running()

    wait_until(is_dead, 10, "livezoned has met the end of the file")
    assert whole.answers("n5.live.test") == ["10.0.0.5"]
    whole.daemon.kill()
    whole.daemon.start()
    assert content(whole.api).keys() == before.keys()
    assert whole.answers("n5.live.test") == ["10.0.0.5"]


def read_everything(api):
    try:
        return api.request("GET", "/v1/backup").status
    except OSError:
        return None


@pytest.mark.parametrize("what", ["a-record", "a-source"])
def test_damage_under_a_running_livezoned_is_restored_by_the_next_start(livezone, what):
    whole = livezone()
    fill(whole.api)
    before = content(whole.api)
    DAMAGES[what](state_of(whole.daemon))
    wait_until(lambda: read_everything(whole.api) != 200, 10, "somebody reads what was never written")
    assert whole.answers("n7.live.test") == ["10.0.0.7"]
    assert "restart livezoned to restore state" in whole.daemon.process.output()
    whole.daemon.restart()
    assert content(whole.api).keys() == before.keys()
    assert ALARM in alarms(whole.api) and len(quarantined(whole.daemon)) == 1
    assert whole.answers("n7.live.test") == ["10.0.0.7"]
    assert whole.api.put("n7.live.test", "A", "10.1.1.1").status == 200
    assert whole.answers("n7.live.test") == ["10.1.1.1"]


def put(api, number):
    return api.request(
        "PUT", "/v1/rrsets/w.live.test/A", {"records": [f"10.9.{number >> 8}.{number & 255}"], "ttl": 5})


def test_a_read_only_file_system_is_503_and_reads_go_on(livezone):
    whole = livezone()
    fill(whole.api, 20)
    pid, data = whole.daemon.process.pid, damage.data_of(state_of(whole.daemon))
    broken = Strace(pid, "pwrite64,writev,fdatasync", "error=EROFS", paths=[data])
    try:
        for number in range(3):
            refused = put(whole.api, number)
            assert refused.status == 503
            assert "Read-only file system" in refused.json["detail"]
        assert whole.api.get("/v1/rrsets/n1.live.test/A").json["records"] == ["10.0.0.1"]
        assert whole.answers("n1.live.test") == ["10.0.0.1"]
        assert whole.answers("w.live.test") == []
    finally:
        broken.close()
    wait_until(lambda: put(whole.api, 7).status == 200, 10, "writable again")
    assert whole.answers("w.live.test") == ["10.9.0.7"]
    assert alarms(whole.api) == {}


def test_after_an_io_error_state_is_opened_again(livezone):
    whole = livezone()
    fill(whole.api, 20)
    data = damage.data_of(state_of(whole.daemon))
    broken = Strace(whole.daemon.process.pid, "fdatasync", "error=EIO:when=1", paths=[data])
    try:
        refused = put(whole.api, 1)
        assert refused.status == 503 and "Input/output error" in refused.json["detail"]
        assert put(whole.api, 2).status == 200
    finally:
        broken.close()
    assert whole.answers("w.live.test") == ["10.9.0.2"]
    assert alarms(whole.api) == {} and quarantined(whole.daemon) == []
