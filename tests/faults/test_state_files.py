# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""The file of state: write errors, damage, and the loss of both stores."""

import os
import random
import re
import shutil

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


# --- damage at random places ---


class Past:
    """Older copies of data.mdb, of which pages come back."""

    def __init__(self):
        self.copies = []

    def keep(self, path, chance):
        self.copies.append(path.read_bytes())
        if len(self.copies) > 5:
            self.copies.pop(chance.randrange(5))


def overwrite(path, chance, past):
    size = path.stat().st_size
    with open(path, "r+b") as file:
        for _ in range(chance.randint(1, 4)):
            length = chance.choice((1, 8, 512, 4096))
            file.seek(chance.randrange(0, size, length))
            file.write(chance.choice((chance.randbytes(length), bytes(length))))


def exchange_pages(path, chance, past):
    """Pages of an older commit, or of another place, each whole in itself."""
    new, old = path.read_bytes(), chance.choice(past.copies)
    with open(path, "r+b") as file:
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(new) // 4096)
            source = old if at < len(old) // 4096 and chance.random() < 0.8 else new
            place = at if source is old else chance.randrange(len(new) // 4096)
            file.seek(at * 4096)
            file.write(source[place * 4096 : (place + 1) * 4096])


def cut(path, chance, past):
    os.truncate(path, chance.randrange(path.stat().st_size))


def remove(path, chance, past):
    path.unlink()


def put_old_copy(path, chance, past):
    path.write_bytes(chance.choice(past.copies))


RANDOM_DAMAGES = [overwrite, overwrite, overwrite, exchange_pages, exchange_pages, cut, remove,
                  put_old_copy]


class Expected:
    """What was acknowledged: {name: records}."""

    def __init__(self, whole, chance):
        self._whole, self._chance, self.records = whole, chance, {}

    def write(self):
        """A few changes of each kind; the last revision, once the journal has it."""
        api, chance = self._whole.api, self._chance
        for _ in range(chance.randint(1, 6)):
            name = f"n{chance.randrange(300)}.{truth.OTHER}"
            if name in self.records and chance.random() < 0.4:
                api.delete(name, "A")
                del self.records[name]
                continue
            changes = []
            for _ in range(chance.choice((1, 1, 1, 40))):
                value = f"10.{chance.randrange(256)}.{chance.randrange(256)}.7"
                changes.append({"put": {"name": name, "type": "A", "records": [value], "ttl": 5,
                                        "source": f"s{int(name[1:].split('.')[0]) % 3}"}})
                self.records[name] = [value]
                name = f"n{chance.randrange(300)}.{truth.OTHER}"
                if name in {change["put"]["name"] for change in changes}:
                    break
            assert api.request("POST", "/v1/batch", {"changes": changes}).status == 200
        revision = api.status()["state"]["revision"]
        wait_until(lambda: api.status()["journal"]["revision"] == revision, 1.0,
                   "journalled within a second")
        return revision

    def found(self):
        rrsets = self._whole.api.get(f"/v1/zones/{truth.OTHER}").json["rrsets"]
        return {rrset["name"].rstrip("."): rrset["records"] for rrset in rrsets
                if rrset["name"].startswith("n") and rrset["type"] == "A"}


def serial_of(whole):
    return int(whole.answers(truth.OTHER, "SOA")[0].split()[2])


@pytest.mark.timeout(3600)
def test_f61_damage_at_random_places(faults):
    """Each write that was acknowledged a second before is served, the alarm names the revisions
    in doubt, revision and serial never go back."""
    daemon = faults.daemon(backup={"interval": "5s", "count": 3})
    whole = faults.whole(cold=20, daemon=daemon)
    chance, past = random.Random(61), Past()
    expected, path = Expected(whole, chance), state_damage.data_of(state_of(whole))
    restored = whole_still = 0
    for number in range(faults.pick(20, 1000)):
        revision, serial = expected.write(), serial_of(whole)
        whole.daemon.kill() if chance.random() < 0.5 else whole.daemon.stop()
        damage = chance.choice(RANDOM_DAMAGES if past.copies else [overwrite])
        past.keep(path, chance)
        damage(path, chance, past)
        whole.daemon.start()
        place = f"place {number}: {damage.__name__}"
        assert expected.found() == expected.records, place
        now, said = whole.api.status()["state"]["revision"], alarm_of(whole)
        if said:
            restored += 1
            assert now > revision, place
            assert re.search(r"no write is missing|writes (after revision \d+|of revisions \d+ to "
                             r"\d+) may be missing", said), place
            whole.daemon.ctl("acknowledge", "state-restored")
        else:
            whole_still += 1  # the damage is where nothing is
            assert now == revision, place
        wait_until(lambda: serial_of(whole) >= (serial + 1 if said else serial), 10, place)
        name, records = chance.choice(sorted(expected.records.items()))
        wait_until(lambda: whole.answers(name) == records, 10, f"{place}: {name}")
        shutil.rmtree(os.path.join(state_of(whole), "quarantine"), ignore_errors=True)
    assert restored > whole_still
    faults.record(note=f"{restored + whole_still} places of state: {restored} restored from backup "
                       f"and journal, {whole_still} without effect; 0 writes lost")
