# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""The module's side of the store: it comes, is replaced, goes; and the module's report."""

import os
import re
import shutil
import signal
from pathlib import Path

from support import build
from support.load import Prober, Writer
from support.resolver import rcode_of
from support.unbound import Unbound
from support.wait import wait_until


def report_of(whole):
    path = Path(whole.daemon.serve) / f"unbound-{whole.unbound.process.pid}.report"
    if not path.exists():
        return {}
    return dict(line.split(" ", 1) for line in path.read_text().splitlines() if " " in line)


def test_a_store_that_appears_after_the_start_is_opened(livezone, livezoned):
    daemon = livezoned(start=False)
    whole = livezone(daemon=daemon, wait=False)
    assert rcode_of(whole.query("name.live.test")) == "SERVFAIL"
    daemon.start()
    whole.wait_live()
    whole.api.put("name.live.test", "A", "10.0.0.1")
    assert whole.answers("name.live.test") == ["10.0.0.1"]


def test_the_first_query_after_a_start_is_answered_live(livezone, livezoned):
    daemon = livezoned()
    daemon.api.put("name.live.test", "A", "10.0.0.1")
    whole = livezone(daemon=daemon, wait=False)
    assert whole.answers("name.live.test") == ["10.0.0.1"]


def test_a_rebuilt_store_is_switched_to_without_a_lost_answer(livezone, cleanup):
    whole = livezone(threads=2)
    writer = Writer(whole.api, "live.test", 0)
    prober = Prober(whole.unbound.port, "live.test", [writer])
    for load in (writer, prober):
        cleanup.callback(load.finish)
        load.start()
    for switches in (1, 2, 3):
        goal = prober.answers + 100
        wait_until(lambda: prober.answers >= goal, 20, "queries are answered")
        before = os.stat(Path(whole.daemon.serve) / "data.mdb").st_ino
        os.unlink(Path(whole.daemon.serve) / "data.mdb")
        wait_until(
            lambda: (Path(whole.daemon.serve) / "data.mdb").exists()
            and os.stat(Path(whole.daemon.serve) / "data.mdb").st_ino != before,
            20,
            "livezoned builds another",
        )
        wait_until(
            lambda: whole.unbound.process.output().count("is live, revision") == switches + 1,
            20,
            "the module reads it",
        )
    goal = prober.answers + 200
    wait_until(lambda: prober.answers >= goal, 20, "queries are answered")
    for load in (writer, prober):
        load.finish()
        assert load.faults == []


def test_a_deleted_store_goes_on_answering(livezone):
    whole = livezone()
    whole.api.put("name.live.test", "A", "10.0.0.1")
    whole.daemon.stop()
    shutil.rmtree(whole.daemon.serve)
    wait_until(
        lambda: "store is deleted" in whole.unbound.process.output(), 10, "the module notices"
    )
    assert whole.answers("name.live.test") == ["10.0.0.1"]
    whole.daemon.start()
    wait_until(
        lambda: whole.unbound.process.output().count("is live, revision") == 2, 10, "and switches"
    )
    whole.api.put("name.live.test", "A", "10.0.0.2")
    assert whole.answers("name.live.test") == ["10.0.0.2"]


def test_the_report_counts_what_was_answered_and_survives_a_reload(livezone):
    whole = livezone(threads=1)
    revision = whole.api.put("name.live.test", "A", "10.0.0.1").json["revision"]
    wait_until(lambda: report_of(whole).get("revision") == str(revision), 10, "it is reported")
    assert report_of(whole)["store"] == "live"
    whole.query("www.foreign.example")
    foreign = wait_until(lambda: int(report_of(whole).get("foreign", "0")), 10, "it is counted")
    whole.unbound.reload()
    whole.query("www.foreign.example")
    wait_until(lambda: int(report_of(whole)["foreign"]) > foreign, 10, "and goes on")


def test_a_zone_that_is_new_at_a_reload_owns_names_that_were_cached(livezone, upstream):
    upstream.add("name.two.test. 300 IN A 192.0.2.1")
    whole = livezone(
        zones=["one.test"], upstream=upstream.port, server='    local-zone: "test." nodefault'
    )
    assert whole.answers("name.two.test") == ["192.0.2.1"]
    whole.daemon.config["zones"].append({"name": "two.test"})
    whole.daemon.write_config()
    os.kill(whole.daemon.process.pid, signal.SIGHUP)
    wait_until(lambda: len(whole.api.get("/v1/zones").json["zones"]) == 2, 10, "SIGHUP is done")
    whole.unbound.reload("reload_keep_cache")
    assert rcode_of(whole.query("name.two.test")) == "NXDOMAIN"


def test_a_bad_configuration_at_the_first_start_is_fatal_and_named(tmp_path, cleanup):
    config = tmp_path / "livezone.yaml"
    config.write_text("zones:\n  - name: live.test\n    colour: blue\n")
    server = Unbound(
        tmp_path / "unbound",
        modules="dynlib iterator",
        extra=f'dynlib:\n    dynlib-file: "{build.MODULE}"\n',
        env={"LIVEZONE_CONF": str(config)},
        loads=build.MODULE,
    )
    cleanup.callback(server.close)
    try:
        server.start()
    except AssertionError as ended:
        assert re.search(rf"livezone: {re.escape(str(config))}:3.*colour", str(ended))
    else:
        raise AssertionError("Unbound started")
