# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""kill -9 of livezoned under load: acknowledged writes stay, DNS goes on."""

import random
from pathlib import Path

import pytest

from support import build
from support.load import Prober, Writer, value_of_address
from support.resolver import records_of
from support.wait import wait_until

_KILLS = 200 if build.LONG else 20
_UNBOUND_KILLS = 200 if build.LONG else 60
_WRITERS = 3
_STALE_ANSWER = 3  # RFC 8914


def stored(api):
    """{owner: value} of the whole zone, at one revision."""
    rrsets = api.get("/v1/zones/live.test").json["rrsets"]
    return {rrset["name"]: value_of_address(rrset["records"][0]) for rrset in rrsets}


def check(api, writers):
    """Nothing acknowledged is missing, nothing that was never sent is there, no half batch."""
    acked = [dict(writer.acked) for writer in writers]
    values = stored(api)
    for writer, before in zip(writers, acked):
        for name in writer.names:
            left, right = (values.get(f"{side}.{name}.live.test.", 0) for side in ("left", "right"))
            assert left == right, f"half a batch: {name}"
            assert before[name] <= left <= writer.tried[name], name


@pytest.mark.timeout(900 if build.LONG else 240)
def test_every_acknowledged_write_survives_kill_9_and_dns_answers_all_along(
    livezone, cleanup, measured
):
    whole = livezone(threads=2)
    daemon = whole.daemon
    writers = [Writer(whole.api, "live.test", number) for number in range(_WRITERS)]
    prober = Prober(whole.unbound.port, "live.test", writers)
    for load in (*writers, prober):
        cleanup.callback(load.finish)
        load.start()
    chance = random.Random(2)

    def acks():
        return sum(writer.acks for writer in writers)

    for number in range(_KILLS):
        goal = acks() + chance.randrange(1, 80)
        wait_until(lambda: acks() >= goal, 20, "writes are acknowledged")
        if number % 10 == 9:
            assert daemon.stop() == 0  # a clean end loses as little
        else:
            daemon.kill()
        if number % 4 == 3:
            # at a moment of its start: the n-th look at the process is some way into it
            daemon.spawn()
            looks = iter(range(chance.randrange(1, 40)))
            wait_until(lambda: next(looks, None) is None, 5, "start", interval=0.001)
            daemon.kill()
        daemon.start()
        check(whole.api, writers)
    for load in (*writers, prober):
        load.finish()
    check(whole.api, writers)
    for load in (*writers, prober):
        assert load.faults == []
    measured(f"{_KILLS} kills, {acks()} acknowledged batches, {prober.answers} answers")
    assert prober.answers > 10 * _KILLS
    assert all(writer.refused for writer in writers)  # the kills were felt
    # what is stored is what is served
    for name, value in list(stored(whole.api).items())[:: 7]:
        assert [value_of_address(text) for text in whole.answers(name)] == [value]


def is_live(whole, address):
    """An older address must be called stale: a quick machine uses the slots up before a sweep."""
    message = whole.query("name.live.test")
    if any(getattr(option, "code", None) == _STALE_ANSWER for option in message.options):
        return False
    if records_of(message, "A") != [address]:
        pytest.fail(f"not stale, and not {address}: {message}")
    return True


def test_kill_9_of_unbound_leaves_no_slots_behind(livezone, cleanup, measured):
    """Each Unbound claims a reader slot for each thread. A killed one cannot give them back:
    they are used up in here, and free again when livezoned sweeps, every five seconds."""
    whole = livezone(threads=8)
    writer = Writer(whole.api, "live.test", 0)
    cleanup.callback(writer.finish)
    writer.start()
    for number in range(_UNBOUND_KILLS):
        goal = writer.acks + 3
        wait_until(lambda: writer.acks >= goal, 20, "writes go on")
        whole.unbound.process.kill()
        # three in a row are a crash loop to the module (test_breaker.py), but not here
        (Path(whole.daemon.serve) / f"unbound-{whole.unbound.process.pid}.report").unlink()
        whole.unbound.start()
        whole.wait_live(10)
        whole.api.put("name.live.test", "A", f"10.0.0.{number}")
        wait_until(lambda: is_live(whole, f"10.0.0.{number}"), 10, "the slots are swept")
    writer.finish()
    assert writer.faults == []
    wait_until(
        lambda: [one["pid"] for one in whole.api.status()["unbounds"]]
        == [whole.unbound.process.pid],
        30,
        "the reports of the dead are gone",
    )
    measured(f"{_UNBOUND_KILLS} kills of Unbound with 8 threads, {writer.acks} writes meanwhile")


def test_dns_goes_on_without_livezoned_and_over_a_clean_stop(livezone):
    whole = livezone()
    whole.api.put("name.live.test", "A", "10.0.0.1")
    assert whole.daemon.stop() == 0
    for tcp in (False, True):
        assert whole.answers("name.live.test", tcp=tcp) == ["10.0.0.1"]
    whole.daemon.start()
    assert whole.answers("name.live.test") == ["10.0.0.1"]
    whole.api.put("name.live.test", "A", "10.0.0.2")
    assert whole.answers("name.live.test") == ["10.0.0.2"]


def test_a_second_livezoned_on_the_same_state_is_refused(livezoned):
    first = livezoned(name="first")
    second = livezoned(name="second", start=False, store={"state": first.config["store"]["state"]})
    second.spawn()
    assert second.process.wait() != 0
    assert str(first.config["store"]["state"]) in second.process.output()
    first.api.put("name.live.test", "A", "10.0.0.1")
