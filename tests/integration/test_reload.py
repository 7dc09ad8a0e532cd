# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""unbound-control reload and its kin: the module comes back with what it knew, and no
query is lost by it."""

import os
import signal

import pytest

from support.load import Prober, Writer
from support.wait import wait_until

_RELOADS = 10


@pytest.mark.parametrize("verb", ["reload", "reload_keep_cache"])
def test_reloads_under_load_lose_no_answer(livezone, cleanup, verb):
    whole = livezone(threads=2)
    writer = Writer(whole.api, "live.test", 0)
    prober = Prober(whole.unbound.port, "live.test", [writer])
    for load in (writer, prober):
        cleanup.callback(load.finish)
        load.start()
    for _ in range(_RELOADS):
        goal = prober.answers + 50, writer.acks + 10
        wait_until(
            lambda: prober.answers >= goal[0] and writer.acks >= goal[1], 20, "load goes on"
        )
        whole.unbound.reload(verb)
    goal = prober.answers + 200
    wait_until(lambda: prober.answers >= goal, 20, "queries are answered after the reloads")
    for load in (writer, prober):
        load.finish()
        assert load.faults == []


def test_sighup_of_livezoned_under_load_refuses_no_write(livezone, cleanup):
    whole = livezone(threads=2)
    writers = [Writer(whole.api, "live.test", number) for number in range(3)]
    prober = Prober(whole.unbound.port, "live.test", writers)
    for load in (*writers, prober):
        cleanup.callback(load.finish)
        load.start()
    for number in range(_RELOADS):
        goal = sum(writer.acks for writer in writers) + 20
        wait_until(lambda: sum(writer.acks for writer in writers) >= goal, 20, "writes go on")
        # the SOA is made from the configuration: it shows when the new one is in use
        whole.daemon.config["zones"][0]["negative-ttl"] = 100 + number
        whole.daemon.write_config()
        whole.daemon.process.signal(signal.SIGHUP)
        wait_until(
            lambda: whole.answers("live.test", "SOA")[0].split()[6] == str(100 + number),
            20,
            "the new configuration is served",
        )
    for load in (*writers, prober):
        load.finish()
        assert load.faults == []
    assert [writer.refused for writer in writers] == [0, 0, 0]


def test_a_reload_reads_the_zones_anew(livezone):
    whole = livezone(zones=["one.test"])
    whole.api.put("name.one.test", "A", "10.0.0.1")
    whole.daemon.config["zones"].append({"name": "two.test"})
    whole.daemon.write_config()
    os.kill(whole.daemon.process.pid, signal.SIGHUP)
    wait_until(lambda: len(whole.api.get("/v1/zones").json["zones"]) == 2, 10, "SIGHUP is done")
    whole.unbound.write_config()
    whole.unbound.reload()
    whole.wait_live()
    whole.api.put("name.two.test", "A", "10.0.0.2")
    assert whole.answers("name.two.test") == ["10.0.0.2"]
    assert whole.answers("name.one.test") == ["10.0.0.1"]


def test_a_bad_file_at_reload_keeps_both_sides_as_they_were(livezone):
    whole = livezone(zones=["one.test"])
    whole.api.put("name.one.test", "A", "10.0.0.1")
    whole.daemon.write_config("zones:\n  - name: one.test\n    colour: blue\n")
    os.kill(whole.daemon.process.pid, signal.SIGHUP)
    wait_until(lambda: "colour" in whole.daemon.process.output(), 10, "livezoned says why")
    assert f"{whole.daemon.config_file}:3" in whole.daemon.process.output()
    whole.api.put("name.one.test", "A", "10.0.0.2")
    assert whole.answers("name.one.test") == ["10.0.0.2"]
    whole.unbound.reload()
    wait_until(lambda: "colour" in whole.unbound.process.output(), 10, "the module says why")
    assert whole.answers("name.one.test") == ["10.0.0.2"]


def test_a_change_of_the_number_of_threads_is_taken_at_reload(livezone):
    whole = livezone(threads=1)
    whole.api.put("name.live.test", "A", "10.0.0.1")
    for threads in (4, 2, 1, 3):
        whole.unbound.threads = threads
        whole.unbound.write_config()
        whole.unbound.reload()
        for _ in range(4 * threads):
            assert whole.answers("name.live.test") == ["10.0.0.1"]
