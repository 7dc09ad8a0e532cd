# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""PTR records that follow the addresses of a zone, seen through a real Unbound."""

import os
import shutil
import signal

import pytest

from support import explained
from support.resolver import flags_of, rcode_of, soa_of
from support.wait import wait_until

HOSTS = {"name": "hosts.test", "auto-ptr": True}
REVERSE = ["10.in-addr.arpa", "8.b.d.0.1.0.0.2.ip6.arpa"]
ZONES = [HOSTS, "plain.test", *REVERSE]
V4 = "1.0.0.10.in-addr.arpa"
V6 = "1.0.0.0." + "0.0.0.0." * 5 + "8.b.d.0.1.0.0.2.ip6.arpa"


def pointers(whole, name):
    return sorted(whole.answers(name, "PTR"))


def facts(whole, zone="hosts.test"):
    found = whole.api.get(f"/v1/zones/{zone}").json
    return found["auto-ptr"], found["auto-ptr-skipped"]


def is_absent(whole, name):
    reply = whole.query(name, "PTR")
    return rcode_of(reply) == "NXDOMAIN" and soa_of(reply).name.to_text() == "10.in-addr.arpa."


def hang_up(whole, zones):
    """livezoned reads these zones; they are served when this returns."""
    process = whole.daemon.process
    whole.daemon.config["zones"] = [
        {"name": zone} if isinstance(zone, str) else zone for zone in zones
    ]
    whole.daemon.write_config()
    before = process.output().count("reload: ")
    os.kill(process.pid, signal.SIGHUP)
    wait_until(lambda: process.output().count("reload: ") > before, 20, "SIGHUP is done")


def test_addresses_point_back_and_stop_with_them(livezone):
    whole = livezone(zones=ZONES)
    whole.api.put("a.hosts.test", "A", ["10.0.0.1", "10.0.0.2", "192.0.2.1"], ttl=30)
    whole.api.put("a.hosts.test", "AAAA", "2001:db8::1", ttl=40)
    reply = whole.query(V4, "PTR")
    assert reply.answer[0].to_text() == f"{V4}. 30 IN PTR a.hosts.test."
    assert "AA" in flags_of(reply)
    assert whole.query(V6, "PTR").answer[0].ttl == 40
    assert facts(whole) == (3, 1)
    # names above exist, names beside do not
    reply = whole.query("0.0.10.in-addr.arpa", "PTR")
    assert rcode_of(reply) == "NOERROR" and not reply.answer
    assert is_absent(whole, "3.0.0.10.in-addr.arpa")
    # another address, another TTL
    whole.api.put("a.hosts.test", "A", ["10.0.0.2", "10.0.0.3"], ttl=50)
    assert is_absent(whole, V4)
    assert whole.query("2.0.0.10.in-addr.arpa", "PTR").answer[0].ttl == 50
    assert pointers(whole, "3.0.0.10.in-addr.arpa") == ["a.hosts.test."]
    assert facts(whole) == (3, 0)
    whole.api.delete("a.hosts.test", "A")
    whole.api.delete("a.hosts.test", "AAAA")
    assert is_absent(whole, "2.0.0.10.in-addr.arpa") and is_absent(whole, "0.0.10.in-addr.arpa")
    assert rcode_of(whole.query(V6, "PTR")) == "NXDOMAIN"
    assert facts(whole) == (0, 0)


def test_names_that_share_an_address_are_all_there(livezone):
    whole = livezone(zones=ZONES)
    whole.api.put("a.hosts.test", "A", "10.0.0.1", ttl=30)
    whole.api.put("b.hosts.test", "A", "10.0.0.1", ttl=20)
    assert pointers(whole, V4) == ["a.hosts.test.", "b.hosts.test."]
    assert whole.query(V4, "PTR").answer[0].ttl == 20
    whole.api.delete("b.hosts.test", "A")
    assert pointers(whole, V4) == ["a.hosts.test."]
    assert whole.query(V4, "PTR").answer[0].ttl == 30
    # zones without auto-ptr and wildcards have none
    whole.api.put("c.plain.test", "A", "10.0.0.1")
    whole.api.put("*.hosts.test", "A", "10.0.0.1")
    assert pointers(whole, V4) == ["a.hosts.test."]
    # all in one change
    whole.api.batch(
        [
            {"put": {"name": "b.hosts.test", "type": "A", "records": ["10.0.0.9"]}},
            {"put": {"name": "c.hosts.test", "type": "A", "records": ["10.0.0.9", "10.0.0.1"]}},
            {"delete": {"name": "a.hosts.test", "type": "A"}},
        ]
    )
    assert pointers(whole, "9.0.0.10.in-addr.arpa") == ["b.hosts.test.", "c.hosts.test."]
    assert pointers(whole, V4) == ["c.hosts.test."]


def test_what_was_written_at_the_name_wins(livezone):
    whole = livezone(zones=ZONES)
    whole.api.put("a.hosts.test", "A", "10.0.0.1")
    whole.api.put(V4, "PTR", "mine.plain.test.")
    assert pointers(whole, V4) == ["mine.plain.test."]
    whole.api.put("b.hosts.test", "A", "10.0.0.1")
    assert pointers(whole, V4) == ["mine.plain.test."]
    whole.api.delete(V4, "PTR")
    assert pointers(whole, V4) == ["a.hosts.test.", "b.hosts.test."]
    whole.api.put(V4, "TXT", '"beside"')
    assert pointers(whole, V4) == ["a.hosts.test.", "b.hosts.test."]
    assert whole.answers(V4, "TXT") == ['"beside"']
    # a delegation of single addresses (RFC 2317)
    whole.api.delete(V4, "TXT")
    whole.api.put(V4, "CNAME", "1.sub.10.in-addr.arpa.")
    whole.api.put("1.sub.10.in-addr.arpa", "PTR", "other.plain.test.")
    assert "other.plain.test." in whole.answers(V4, "PTR")
    assert len(whole.query(V4, "PTR").answer) == 2


def test_explain_and_lists_say_that_nobody_stored_it(livezone):
    whole = livezone(zones=ZONES)
    whole.api.put("a.hosts.test", "A", "10.0.0.1", source="ci")
    told = explained.message(whole.api, V4, "PTR")
    assert explained.facts(told) == explained.facts(whole.query(V4, "PTR"))
    steps = whole.api.get("/v1/explain", name=V4, type="PTR").json["steps"]
    assert all("source" not in step for step in steps)
    assert whole.api.request("GET", f"/v1/rrsets/{V4}/PTR").status == 404
    assert whole.api.get("/v1/zones/10.in-addr.arpa").json["rrsets"] == []
    assert whole.api.get("/v1/zones/10.in-addr.arpa").json["count"] == 0


def test_the_serial_of_the_reverse_zone_moves_with_its_pointers(livezone):
    whole = livezone(zones=ZONES)
    revision = whole.api.put("a.hosts.test", "A", "10.0.0.1").revision
    assert soa_of(whole.query("x.10.in-addr.arpa"))[0].serial == revision
    whole.api.put("a.hosts.test", "TXT", '"text"')
    assert soa_of(whole.query("x.10.in-addr.arpa"))[0].serial == revision
    revision = whole.api.delete("a.hosts.test", "A").revision
    assert soa_of(whole.query("x.10.in-addr.arpa"))[0].serial == revision


def test_a_pointer_ends_with_the_lease(livezone):
    whole = livezone(zones=ZONES)
    whole.api.put("a.hosts.test", "A", "10.0.0.1", lease="2s", source="probe")
    whole.api.put("b.hosts.test", "A", "10.0.0.2", lease="1h", source="other")
    assert pointers(whole, V4) == ["a.hosts.test."]
    # livezoned does not have to be alive
    whole.daemon.kill()
    wait_until(lambda: is_absent(whole, V4), 10, "the lease has run out")
    assert pointers(whole, "2.0.0.10.in-addr.arpa") == ["b.hosts.test."]
    whole.daemon.start()
    wait_until(lambda: facts(whole) == (1, 0), 10, "livezoned has ended the lease")


def test_a_heartbeat_renews_pointers_too(livezone):
    whole = livezone(zones=ZONES)
    whole.api.put("a.hosts.test", "A", "10.0.0.1", lease="2s", source="probe")
    beats = 0

    def beat():
        nonlocal beats
        assert whole.api.request("POST", "/v1/sources/probe/heartbeat").status == 200
        assert pointers(whole, V4) == ["a.hosts.test."]
        beats += 1
        return beats > 8

    wait_until(beat, 20, "several leases have passed", interval=0.5)


@pytest.mark.parametrize("loss", ["rebuilt", "caught up"])
def test_a_start_serves_the_same_pointers(livezone, loss):
    whole = livezone(zones=ZONES)
    for number in range(1, 6):
        whole.api.put(f"n{number}.hosts.test", "A", [f"10.0.0.{number}", "10.0.0.100"])
    whole.api.put(V4, "TXT", '"beside"')
    whole.daemon.kill()
    if loss == "rebuilt":
        shutil.rmtree(whole.daemon.serve)
        os.mkdir(whole.daemon.serve)
    whole.daemon.start()
    whole.api.delete("n3.hosts.test", "A")
    # Unbound reads the new serve when it does not have this any more
    wait_until(lambda: is_absent(whole, "3.0.0.10.in-addr.arpa"), 10, "the pointers are served")
    assert pointers(whole, V4) == ["n1.hosts.test."]
    assert whole.answers(V4, "TXT") == ['"beside"']
    assert pointers(whole, "100.0.0.10.in-addr.arpa") == [
        f"n{number}.hosts.test." for number in (1, 2, 4, 5)
    ]


def test_the_policy_comes_and_goes_with_a_reload(livezone):
    whole = livezone(zones=["hosts.test", *REVERSE])
    whole.api.put("a.hosts.test", "A", "10.0.0.1")
    assert is_absent(whole, V4)
    hang_up(whole, [HOSTS, *REVERSE])
    assert pointers(whole, V4) == ["a.hosts.test."]
    assert facts(whole) == (1, 0)
    # a reverse zone that goes takes its pointers with it, and brings them back
    hang_up(whole, [HOSTS, REVERSE[1]])
    assert facts(whole) == (0, 1)
    hang_up(whole, [HOSTS, *REVERSE])
    assert facts(whole) == (1, 0)
    assert pointers(whole, V4) == ["a.hosts.test."]
    hang_up(whole, ["hosts.test", *REVERSE])
    assert is_absent(whole, V4)
    assert "auto-ptr" not in whole.api.get("/v1/zones/hosts.test").json


def test_a_policy_that_came_while_livezoned_was_down_is_followed(livezone):
    whole = livezone(zones=["hosts.test", *REVERSE])
    whole.api.put("a.hosts.test", "A", "10.0.0.1")
    whole.daemon.stop()
    whole.daemon.config["zones"][0]["auto-ptr"] = True
    whole.daemon.write_config()
    whole.daemon.start()
    wait_until(lambda: pointers(whole, V4) == ["a.hosts.test."], 10, "the pointer is served")
    whole.daemon.stop()
    whole.daemon.config["zones"][0]["auto-ptr"] = False
    whole.daemon.write_config()
    whole.daemon.start()
    wait_until(lambda: is_absent(whole, V4), 10, "the pointer is gone")


def test_whole_zones_and_sources_are_followed(livezone):
    whole = livezone(zones=ZONES)
    rrsets = [
        {"name": f"n{number}.hosts.test", "type": "A", "records": [f"10.0.{number // 250}.{number % 250}"]}
        for number in range(1, 1001)
    ]
    whole.api.request("PUT", "/v1/zones/hosts.test", {"rrsets": rrsets})
    assert facts(whole) == (1000, 0)
    assert pointers(whole, "0.4.0.10.in-addr.arpa") == ["n1000.hosts.test."]
    whole.api.request("PUT", "/v1/zones/hosts.test", {"rrsets": rrsets[:10]})
    assert facts(whole) == (10, 0)
    assert is_absent(whole, "0.4.0.10.in-addr.arpa")
    assert pointers(whole, "9.0.0.10.in-addr.arpa") == ["n9.hosts.test."]
