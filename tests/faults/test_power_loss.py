# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Power loss (F38): what livezoned did to state is recorded, every file that may be left of it
is built and checked; see record.c and replay.c."""

import json
import os
import shutil
import struct
import subprocess
from pathlib import Path

from support import build, truth
from support.compiled import compiled
from support.load import address
from support.wait import wait_until

_RECORD = struct.Struct("=IIQQQ")  # struct record of record.h
_ACK = 6
_FAULTS = build.SOURCE / "tests" / "faults"

def recorder():
    return compiled(_FAULTS / "record.c", "-shared", "-fPIC", "-ldl", name="record.so")


def replayer():
    sources = [source for room in ("lib/base", "lib/dns", "lib/serve", "sidecar/state")
               for source in build.SOURCE.glob(f"{room}/*.c")]
    # what is not called is dropped, with what it would need
    return compiled(_FAULTS / "replay.c", *map(str, sources), "-D_GNU_SOURCE", f"-I{build.SOURCE}",
                    "-ffunction-sections", "-Wl,--gc-sections",
                    "-llmdb", "-lisal", "-lldns", "-lpcre2-8")


class Recording:
    """Writes through the API, and marks what was acknowledged in the log of the recorder.
    `contents` is {revision: what is stored then}."""

    def __init__(self, daemon, log):
        self._daemon, self.log = daemon, log
        self.contents = {}

    def done(self, reply):
        assert reply.status == 200, reply
        with open(self.log, "ab", buffering=0) as log:
            log.write(_RECORD.pack(_ACK, 0, 0, reply.revision, 0))
        self.contents[reply.revision] = content_of(self._daemon.api)

    def put(self, name, value, **more):
        self.done(self._daemon.api.request("PUT", f"/v1/rrsets/{name}.{truth.ZONE}/A",
                                           {"records": [address(value)], **more}))

    def delete(self, name):
        self.done(self._daemon.api.request("DELETE", f"/v1/rrsets/{name}.{truth.ZONE}/A"))

    def batch(self, puts, deletes=()):
        changes = [{"put": {"name": name, "type": "A", "records": [address(value)]}}
                   for name, value in puts]
        changes += [{"delete": {"name": name, "type": "A"}} for name in deletes]
        self.done(self._daemon.api.request("POST", "/v1/batch", {"changes": changes}))

    def source(self, numbers, value):
        """A desired state, some of it larger than a page."""
        rrsets = [{"name": f"s{number}.{truth.ZONE}", "type": "A", "records": [address(value)]}
                  for number in numbers]
        rrsets += [{"name": f"s{number}.{truth.ZONE}", "type": "TXT",
                    "records": [" ".join([f'"{value:0250d}"'] * 40)]}
                   for number in numbers if number % 20 == 0]
        self.done(self._daemon.api.request(
            "PUT", "/v1/sources/power?force=true", {"rrsets": rrsets}))

    def heartbeat(self):
        self.done(self._daemon.api.request("POST", "/v1/sources/beating/heartbeat"))


def content_of(api):
    return {
        (rrset["name"], rrset["type"]): sorted(rrset["records"])
        for zone in (truth.ZONE, truth.OTHER)
        for rrset in api.get(f"/v1/zones/{zone}").json["rrsets"]
    }


def write_some(recording, rounds, names):
    """Every kind of write; the file grows, shrinks inside, and uses its free pages again."""
    for turn in range(1, rounds + 1):
        for number in range(4):
            recording.put(f"single{number}", turn)
        recording.batch(
            [(f"w{turn}-{at}.{zone}", turn) for at in range(names // 10)
             for zone in (truth.ZONE, truth.OTHER)],
            [f"w{turn - 1}-{at}.{truth.OTHER}" for at in range(names // 10) if turn > 1])
        recording.source([n for n in range(names) if n % 3 != turn % 3], turn)
        recording.put("leased", turn, source="beating", lease="1h")
        recording.heartbeat()
        recording.delete("single3")


def test_f38_power_loss(faults, tmp_path):
    log, left = tmp_path / "log", tmp_path / "left"
    left.mkdir()
    daemon = faults.daemon(name="recorded", start=False)
    state = Path(daemon.config["store"]["state"])
    daemon.environment = {"LD_PRELOAD": str(recorder()), "LIVEZONE_RECORD_LOG": str(log),
                          "LIVEZONE_RECORD_DIR": str(state)}
    daemon.start()
    recording = Recording(daemon, log)
    write_some(recording, faults.pick(2, 5), faults.pick(60, 250))
    daemon.stop()
    daemon.start()  # a start writes as well
    write_some(recording, 1, 60)
    daemon.stop()
    images = faults.pick(3, 25)
    done = subprocess.run(
        [replayer(), log, "38", str(faults.pick(20, 60)), left, str(images)],
        capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["points"] > 100 and figures["images"] > 5000 and figures["opened"] > 50
    assert figures["torn"] > 100
    start_from_images(faults, left, recording)
    note = ("{images:,} images at {points} points of {writes} writes, {opened} opened by LMDB, "
            "{started} by livezoned; meta page torn after each word: {torn} good; in any order: "
            "{any_found} found damaged, {any_old} of an older commit, {any_wrong} of wrong "
            "content, {any_good} good")
    faults.record(note=note.format(writes=len(recording.contents), started=images, **figures))


def start_from_images(faults, left, recording):
    """The real livezoned after the power is back: serve was in memory and is gone."""
    whole = faults.whole(cold=10)
    state = Path(whole.daemon.config["store"]["state"])
    chosen = sorted(left.glob("*.mdb"))
    assert len(chosen) >= 3
    for image in chosen:
        whole.daemon.stop()
        shutil.rmtree(whole.daemon.serve)
        os.replace(image, state / "data.mdb")
        whole.daemon.start()
        revision = int(image.stem.split("-")[1])
        assert whole.api.status()["state"]["revision"] == revision
        content = content_of(whole.api)
        assert content == recording.contents.get(revision, {})
        addresses = [(name, records) for (name, kind), records in content.items() if kind == "A"]
        for name, records in addresses[:: max(1, len(addresses) // 20)]:
            wait_until(lambda: whole.answers(name) == records, 10, f"{name} is served")
