# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""The file of state: write errors, damage, and the loss of both stores."""

import pytest

from support import state_damage, truth
from support.faults import cases
from support.strace import Strace
from support.wait import wait_until


def state_of(whole):
    return whole.daemon.config["store"]["state"]


def alarm_of(whole):
    return {alarm["name"]: alarm["text"] for alarm in whole.api.status()["alarms"]}.get(
        "state-restored", "")


@pytest.mark.parametrize("error", cases(["EIO", "ENOSPC"], 1))
def test_f35_error_at_every_write_of_a_commit(faults, error):
    """The n-th page write, each sync and the meta write, which is the last write of a commit."""
    faults.need("strace")
    whole = faults.whole(cold=200)
    data = state_damage.data_of(state_of(whole))
    refused = 0
    with faults.probing(whole, writes=50) as watch:
        for call in ("pwrite64", "writev", "fdatasync"):
            for number in range(1, faults.pick(3, 12)):
                before = watch.writer.refused
                broken = Strace(whole.daemon.process.pid, call,
                                f"error={error}:when={number}", paths=[data])
                try:
                    watch.ask(faults.pick(300, 2000))
                finally:
                    broken.close()
                refused += watch.writer.refused - before
        watch.wait_live()
    assert refused > 0  # the errors were felt
    watch.must(note=f"{refused} writes refused")
    assert alarm_of(whole) == ""


DAMAGES = {
    "bytes": lambda state: state_damage.change_bytes(state, 61, 400),
    "record": lambda state: state_damage.change_text(state, b"\x05hot-1"),
    "metas": state_damage.change_meta,
    "half": state_damage.truncate,
    "empty": lambda state: state_damage.truncate(state, 0),
}


@pytest.mark.parametrize("what", cases(DAMAGES, 2))
def test_f61_damaged_state_and_an_intact_serve(faults, what):
    whole = faults.whole()
    with faults.probing(whole) as watch:
        whole.daemon.stop()  # a killed one's last moment is not in the journal: below
        DAMAGES[what](state_of(whole))
        with watch.fault():
            whole.daemon.start()
        watch.wait_live()
    assert "restored from the journal" in alarm_of(whole)
    watch.must(live_within=5.0, note="live again: the first new write")
    whole.daemon.ctl("acknowledge", "state-restored")
    assert alarm_of(whole) == ""


def test_f61_damage_while_livezoned_runs(faults):
    """A key of one table: LMDB goes beside its neighbours, so that they seem not to be there."""
    whole = faults.whole()
    with faults.probing(whole) as watch:
        with watch.fault():
            state_damage.change_text(state_of(whole), b"R\x04test\x04live\x05hot-1")
        whole.daemon.restart()  # by an operator who has read the log
        wait_until(whole.api.is_ready, 20, "livezoned runs again")
        watch.wait_live()
    assert "restored from the journal" in alarm_of(whole)
    watch.must(live_within=8.0)


@pytest.mark.parametrize("what", cases(["half", "empty"], 1))
def test_f62_damaged_state_and_serve(faults, what):
    daemon = faults.daemon(backup={"interval": "1s"})
    whole = faults.whole(daemon=daemon)
    revision = whole.api.status()["state"]["revision"]
    wait_until(lambda: whole.api.status()["backup"].get("newest", {}).get("revision") == revision,
               20, "a backup of all")
    with faults.probing(whole, writes=0) as watch:
        whole.api.put("late.live.test", "A", "10.0.0.1")
        wait_until(lambda: whole.api.status()["journal"]["revision"] == revision + 1, 2,
                   "the journal has it within a second")
        whole.daemon.kill()
        DAMAGES[what](state_of(whole))
        with watch.fault():
            state_damage.truncate(whole.daemon.serve, 0)
        watch.ask(1000)
        whole.daemon.start()
        wait_until(lambda: not whole.query(truth.cold(7), timeout=1.0).options, 20,
                   "live again")
    said = alarm_of(whole)
    # a second backup may have been made in the moment between
    assert f"-r{revision}.jsonl" in said or f"-r{revision + 1}.jsonl" in said
    assert whole.api.get("/v1/rrsets/late.live.test/A").json["records"] == ["10.0.0.1"]
    assert whole.answers("late.live.test") == ["10.0.0.1"]
    watch.must(stale_ok=True, note=f"restored from the backup of revision {revision}, and the journal")
