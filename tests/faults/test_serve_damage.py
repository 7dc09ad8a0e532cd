# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Bytes of serve that are not what livezoned wrote (F18, F24)."""

import random
import subprocess
import time
from pathlib import Path

import pytest

from support import truth
from support.compiled import compiled
from support.damage import KINDS, NotWhole, strike
from support.faults import cases
from support.wait import wait_until

HERE = Path(__file__).parent
BIG = 12  # names whose values are on overflow pages


def big(number):
    return f"big-{number}.{truth.ZONE}"


def big_text(number):
    return [f"{number}-{part}-" + "x" * 240 for part in range(20)]


def load_big(whole):
    whole.api.batch([
        {"put": {"name": big(number), "type": "TXT", "ttl": 5,
                 "records": [f'"{text}"' for text in big_text(number)]}}
        for number in range(BIG)
    ])


def ask_big(whole, number):
    """Whole, from the store or from the snapshot, or it is wrong."""
    message = whole.query(big(number), "TXT", tcp=True)
    assert message.rcode() == 0, f"{big(number)}: {message.rcode()}"
    found = sorted(b"".join(rdata.strings).decode() for rdata in message.answer[0])
    assert found == sorted(big_text(number)), big(number)


def is_sound(faults, whole):
    """Does the module read a store that it has not found damaged?"""
    report = faults.report_of(whole)
    return (report.get("store") == "live" and report.get("serve_inode", "0") != "0"
            and report.get("damaged_inode", "0") != report["serve_inode"]
            and int(report["serve_inode"]) == faults.data_of(whole).stat().st_ino)


def strike_when_sound(faults, whole, kind, rng, done):
    """One damage, as soon as there is an undamaged store of which the pages can be told."""
    until = time.monotonic() + 5
    while time.monotonic() < until:
        try:
            if is_sound(faults, whole):
                what = strike(faults.data_of(whole), kind, rng)
                if what:
                    done.append(what)
                    return
        except (NotWhole, OSError, ValueError):
            pass
        time.sleep(0.01)
    done.append(None)  # still damaged: the next seed may find it rebuilt


def rebuilds_of(whole):
    found = []

    def can_read():
        found.append(whole.api.status()["serve"]["rebuilds"])
        return True

    wait_until(can_read, 10, "livezoned tells its status")
    return found[-1]


@pytest.mark.timeout(2400)
@pytest.mark.parametrize("writes", cases([100, 0], 1))
def test_f24_bytes_changed(faults, writes):
    """Of values: LMDB has no checksums of its own. The full form has 1,000 seeds without writes
    and 200 with them."""
    seeds = faults.pick(6, 1000 if not writes else 200)
    whole = faults.whole(cold=2000)
    load_big(whole)
    faults.wait_snapshot(whole)
    before = rebuilds_of(whole)
    done = []
    with faults.probing(whole, writes=writes) as watch:
        with watch.fault():
            for seed in range(seeds):
                rng = random.Random(seed)
                strike_when_sound(faults, whole, KINDS[seed % len(KINDS)], rng, done)
                ask_big(whole, seed % BIG)
                watch.ask(200)
        wait_until(lambda: is_sound(faults, whole), 90, "the store is sound again")
        for number in range(BIG):
            ask_big(whole, number)
        rebuilds = rebuilds_of(whole) - before
    watch.must(stale_ok=True, note=f"{len([d for d in done if d])} damages, {rebuilds} rebuilds"
               + (", with writes" if writes else ""))
    assert rebuilds > 0


KINDS_OF_POISON = ["garbage", "empty", "other", "version", "malformed"]


@pytest.mark.timeout(900)
def test_f18_poison_record(faults):
    """A name that holds a value which livezoned did not write: its last good value is
    answered, and serve is rebuilt, without any damage to other names."""
    whole = faults.whole()
    tool = compiled(HERE / "poison.c", "-llmdb")
    kinds = faults.pick(["malformed", "garbage"], KINDS_OF_POISON * 10)
    with faults.probing(whole) as watch:
        for number, kind in enumerate(kinds):
            inode = faults.data_of(whole).stat().st_ino
            name = truth.cold(number)
            with watch.fault():
                subprocess.run([tool, whole.daemon.serve, name, kind], check=True, timeout=20)
            wait_until(lambda inode=inode, name=name: whole.query(name).answer
                       and faults.data_of(whole).stat().st_ino != inode,
                       20, f"serve is rebuilt after {kind}")
            watch.wait_live()
    watch.must(stale_ok=True, note=f"{len(kinds)} poisoned values")
