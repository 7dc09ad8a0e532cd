# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""The meta pages, where LMDB finds everything: damaged ones, and such that say more than is there."""

import os
import struct
from pathlib import Path
from random import Random

import pytest

from support.wait import wait_until

PAGE = 4096


@pytest.mark.parametrize(
    "at, value",
    [
        pytest.param(16, b"XXXX", id="magic"),
        pytest.param(128, b"\xff\xff\0\0", id="root"),
        pytest.param(136, b"\xff\xff\xff\x0f", id="last-page"),
        pytest.param(144, b"\xff\xff\xff\x7f", id="transaction"),
    ],
)
def test_damaged_meta_pages_are_found_and_no_answer_is_wrong(livezone, livezoned, at, value):
    whole = livezone(daemon=livezoned(zones=["live.test"]))
    whole.api.batch([
        {"put": {"name": f"n{i}.live.test", "type": "A", "records": [f"10.0.0.{i}"]}}
        for i in range(100)
    ])
    report = Path(whole.daemon.serve) / f"unbound-{whole.unbound.process.pid}.report"
    wait_until(lambda: "snapshot_revision 1\n" in report.read_text(), 10, "the snapshot is made")
    before = whole.api.status()["serve"]["rebuilds"]
    file = os.open(Path(whole.daemon.serve) / "data.mdb", os.O_RDWR)
    for meta in (0, 1):
        os.pwrite(file, value, meta * PAGE + at)
    os.close(file)

    whole.api.put("new.live.test", "A", "10.0.1.1")

    def is_rebuilt():
        assert whole.answers("n7.live.test") == ["10.0.0.7"]
        assert not whole.answers("n700.live.test")
        return whole.api.status()["serve"]["rebuilds"] > before

    wait_until(is_rebuilt, 10, "serve is rebuilt")


def test_a_store_that_cannot_be_opened_any_more_is_rebuilt(livezone, livezoned):
    """livezoned has it open and sees no difference; the Unbound that is started says so."""
    whole = livezone(daemon=livezoned(zones=["live.test"]))
    whole.api.put("a.live.test", "A", "10.0.0.1")
    whole.unbound.stop()
    file = os.open(Path(whole.daemon.serve) / "data.mdb", os.O_RDWR)
    os.pwrite(file, b"XXXX", 16)
    os.close(file)
    whole.unbound.start()
    wait_until(lambda: whole.answers("a.live.test") == ["10.0.0.1"], 10, "serve is rebuilt")
    assert not whole.query("a.live.test").options


def is_shorter_than_said(store):
    """Does the file end before the last page that its newest commit took?"""
    data = (Path(store) / "data.mdb").read_bytes()
    metas = [struct.unpack_from("=QQ", data, page * PAGE + 136) for page in (0, 1)]
    last_page = max(metas, key=lambda meta: meta[1])[0]
    return len(data) < (last_page + 1) * PAGE


def replace_zone(whole, random):
    """Other names for all: of many such changes one in thirty frees pages at the end."""
    letter, length = random.choice("abc"), random.choice([4, 40, 200])
    zone = "".join(f'{letter}{number:05d} 5 IN TXT "{number:0{length}d}"\n'
                   for number in range(random.randrange(1, 3000)))
    reply = whole.api.request("PUT", "/v1/zones/live.test", zone, {"Content-Type": "text/dns"})
    assert reply.status == 200, reply
    return f"{letter}00000.live.test"


@pytest.mark.parametrize("store", ["state", "serve"])
def test_free_pages_that_lmdb_did_not_write_are_no_damage(livezone, livezoned, store):
    whole = livezone(daemon=livezoned(zones=["live.test"]))
    directory, random = whole.daemon.config["store"][store], Random(1)
    name = wait_until(
        lambda: (name := replace_zone(whole, random)) and is_shorter_than_said(directory) and name,
        60, f"{store} is shorter than it says")
    status = whole.api.status()
    report = Path(whole.daemon.serve) / f"unbound-{whole.unbound.process.pid}.report"
    wait_until(lambda: f"snapshot_revision {status['state']['revision']}\n" in report.read_text(),
               10, "the snapshot is made")
    whole.unbound.stop()
    whole.unbound.start()
    answer = whole.query(name, "TXT")
    assert answer.answer and not answer.options
    assert is_shorter_than_said(directory)
    whole.daemon.stop()
    whole.daemon.start()
    after = whole.api.status()
    assert after["alarms"] == []
    assert after["serve"]["rebuilds"] == 0
    assert after["state"]["rrsets"] == status["state"]["rrsets"]
