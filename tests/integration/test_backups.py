# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Automatic backups: when one is made, what is kept, what happens when none can be."""

import json
import os
import shutil
import signal

from support.filesystem import fill, mount_small
from support.wait import wait_until

FAST = {"interval": "1s"}


def backups(directory):
    """Names, the newest first."""
    return sorted((name for name in os.listdir(directory) if name.endswith(".jsonl")), reverse=True)


def shown(daemon):
    return daemon.api.status()["backup"]


def newest(daemon):
    return shown(daemon).get("newest", {})


def wait_for_revision(daemon, revision):
    wait_until(lambda: newest(daemon).get("revision") == revision, 15, "a backup of the revision")


def test_a_backup_is_made_when_something_changed(livezoned, tmp_path):
    daemon = livezoned(backup={"interval": "1s", "count": 3})
    directory = tmp_path / "livezoned" / "state" / "backups"
    assert shown(daemon)["enabled"] and shown(daemon)["directory"] == str(directory)
    assert "newest" not in shown(daemon)
    daemon.api.put("a.live.test", "A", "10.0.0.1", source="ci", lease="1h")
    wait_for_revision(daemon, 1)
    assert backups(directory) == ["livezone-00000001-r1.jsonl"]
    lines = (directory / "livezone-00000001-r1.jsonl").read_text().splitlines()
    rrset = json.loads(lines[1])
    assert (rrset["source"], rrset["lease"], rrset["revision"]) == ("ci", "3600s", 1)
    assert "revision 1, " in daemon.ctl("status").stdout

    # heartbeats and time alone make none; each change that a round finds makes one
    daemon.api.request("POST", "/v1/sources/ci/heartbeat")
    made = shown(daemon)["made"]
    for number in range(2, 6):
        daemon.api.put("b.live.test", "A", f"10.0.0.{number}")
        wait_for_revision(daemon, number)
    assert shown(daemon)["made"] == made + 4
    assert [name.split("-")[2] for name in backups(directory)] == ["r5.jsonl", "r4.jsonl", "r3.jsonl"]

    # it is what restore takes, and a restart finds it
    path = directory / backups(directory)[0]
    daemon.api.delete("b.live.test", "A")
    assert daemon.ctl("restore", path).stdout.startswith("restored: 1 added, 0 changed, 0 deleted")
    wait_until(lambda: newest(daemon).get("revision", 0) > 6, 15, "a backup of what was restored")
    name = newest(daemon)["name"]
    daemon.restart()
    wait_until(lambda: newest(daemon).get("name") == name, 15, "the newest backup is found")
    assert shown(daemon)["made"] == 0


def test_a_damaged_newest_backup_is_followed_by_a_good_one(livezoned, tmp_path):
    daemon = livezoned(backup=FAST)
    directory = tmp_path / "livezoned" / "state" / "backups"
    daemon.api.put("a.live.test", "A", "10.0.0.1")
    wait_for_revision(daemon, 1)
    daemon.stop()
    path = directory / backups(directory)[0]
    os.truncate(path, path.stat().st_size // 2)
    (directory / "livezone.partial").write_text("of one that was killed")
    daemon.start()
    wait_until(lambda: newest(daemon).get("name") == "livezone-00000002-r1.jsonl", 15, "another one")
    assert not (directory / "livezone.partial").exists()


def test_other_settings_count_from_the_reload_on(livezoned, tmp_path):
    daemon = livezoned(backup={"interval": "off"})
    daemon.api.put("a.live.test", "A", "10.0.0.1")
    assert not shown(daemon)["enabled"]
    assert "backup      off" in daemon.ctl("status").stdout
    other = tmp_path / "elsewhere"
    daemon.config["backup"] = {"interval": "1s", "directory": str(other)}
    daemon.write_config()
    daemon.process.signal(signal.SIGHUP)
    wait_for_revision(daemon, 1)
    assert shown(daemon)["directory"] == str(other)
    assert backups(other) == ["livezone-00000001-r1.jsonl"]


def test_no_room_for_a_backup_harms_no_write(livezoned, tmp_path, cleanup):
    disk = mount_small(cleanup, tmp_path / "disk", 1024 * 1024)
    daemon = livezoned(backup={**FAST, "directory": str(disk / "backups")})
    daemon.api.put("a.live.test", "A", "10.0.0.1")
    wait_for_revision(daemon, 1)
    filler = fill(disk)
    daemon.api.put("a.live.test", "A", "10.0.0.2")
    wait_until(lambda: "nearly full" in shown(daemon).get("error", ""), 15, "it is said")
    assert newest(daemon)["revision"] == 1
    assert backups(disk / "backups") == ["livezone-00000001-r1.jsonl"]
    assert not (disk / "backups" / "livezone.partial").exists()
    text = daemon.ctl("status").stdout
    assert "FAILED: " in text and "nearly full" in text
    failed = shown(daemon)["failed"]
    wait_until(lambda: shown(daemon)["failed"] > failed + 1, 15, "it is tried again")
    assert daemon.api.put("a.live.test", "A", "10.0.0.3").revision == 3
    filler.unlink()
    wait_for_revision(daemon, 3)
    assert "error" not in shown(daemon)
    log = daemon.process.output()
    assert log.count("nearly full") == 1
    assert log.count("backup: works again") == 1


def test_a_directory_that_cannot_be_used_is_said_and_tried_again(livezoned, tmp_path):
    place = tmp_path / "backups"
    place.write_text("a file")
    daemon = livezoned(backup={**FAST, "directory": str(place)})
    daemon.api.put("a.live.test", "A", "10.0.0.1")
    wait_until(lambda: "Not a directory" in shown(daemon).get("error", ""), 15, "it is said")
    place.unlink()
    wait_for_revision(daemon, 1)
    shutil.rmtree(place)
    wait_until(lambda: place.is_dir() and backups(place), 15, "another one in place of the lost")


def test_a_big_state_is_backed_up_beside_the_writes(livezoned):
    count = 100_000
    daemon = livezoned(backup=FAST)
    body = "".join(f"n{number} A 10.0.{number >> 8 & 255}.{number & 255}\n" for number in range(count))
    daemon.api.request("PUT", "/v1/zones/live.test", body, {"Content-Type": "text/dns"})
    for number in range(200):
        daemon.api.put("hot.live.test", "A", f"10.1.0.{number}")
    last = daemon.api.status()["state"]["revision"]
    wait_for_revision(daemon, last)
    assert newest(daemon)["rrsets"] == count + 1
    assert shown(daemon)["failed"] == 0
