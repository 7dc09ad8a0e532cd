# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""The shipped fragments and those that livezonectl prints are good Unbound settings."""

import os
import re
import subprocess

import pytest

from support import build

FRAGMENTS = sorted((build.SOURCE / "unbound-conf").glob("*.conf"))
ROOT_KEY = ". 3600 IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n"


def check(tmp_path, fragment):
    """Behind the operator's own server section, as the fragments ask for. unbound-checkconf
    does not load modules, so the path of livezone.so is not looked at."""
    (tmp_path / "root.key").write_text(ROOT_KEY)
    text = fragment.replace("/var/lib/unbound/root.key", str(tmp_path / "root.key"))
    (tmp_path / "fragment.conf").write_text(text)
    main = tmp_path / "unbound.conf"
    main.write_text(
        f'server:\n\tdirectory: "{tmp_path}"\n\tchroot: ""\n\tusername: ""\n'
        f'include: "{tmp_path}/fragment.conf"\n'
    )
    done = subprocess.run([build.UNBOUND_CHECKCONF, main], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr + text
    assert "warning" not in done.stderr, done.stderr
    return main


def option(main, name):
    done = subprocess.run(
        [build.UNBOUND_CHECKCONF, "-o", name, main], capture_output=True, text=True, check=True
    )
    return done.stdout.split("\n")[:-1]


def ctl(*args, env=None):
    return subprocess.run(
        [build.LIVEZONECTL, *map(str, args)],
        capture_output=True,
        text=True,
        env={**os.environ, **(env or {})},
    )


@pytest.fixture
def config(tmp_path):
    """Writes a livezone.yaml with these zones and returns its path."""

    def write(zones):
        path = tmp_path / "livezone.yaml"
        path.write_text(
            f"store:\n  state: {tmp_path}/state\n  serve: {tmp_path}/serve\n"
            f"api:\n  unix: {tmp_path}/api.sock\nzones:\n{zones}"
        )
        return path

    return write


@pytest.mark.parametrize("path", FRAGMENTS, ids=lambda path: path.name)
def test_a_shipped_fragment_is_accepted(tmp_path, path):
    main = check(tmp_path, path.read_text())
    assert option(main, "module-config")[0].startswith("dynlib ")


def test_all_fragments_are_there():
    assert [path.name for path in FRAGMENTS] == [
        "minimal.conf",
        "node-local.conf",
        "with-validator.conf",
    ]


def test_a_printed_fragment_is_accepted(tmp_path, config):
    path = config("  - name: service.internal\n  - name: other.example\n")
    printed = ctl("unbound-conf", "--config", path, "--port", 5353).stdout
    main = check(tmp_path, printed)
    assert option(main, "module-config") == ["dynlib validator iterator"]
    assert option(main, "do-not-query-localhost") == ["no"]
    assert sorted(option(main, "domain-insecure")) == ["other.example.", "service.internal."]
    assert "forward-addr: 127.0.0.1@5353\n" in printed
    assert printed.count("forward-no-cache: yes") == 2


def test_the_address_is_asked_and_may_ask(tmp_path, config):
    path = config("  - name: service.internal\n")
    printed = ctl("unbound-conf", "--config", path, "--address", "169.254.20.10").stdout
    check(tmp_path, printed)
    assert "forward-addr: 169.254.20.10@53\n" in printed
    assert "access-control: 169.254.20.10 allow_setrd\n" in printed


def test_a_zone_that_passes_queries_on_is_not_forwarded_to_itself(tmp_path, config):
    path = config(
        "  - name: plain.example\n"
        "  - {name: miss.example, on-miss: recurse}\n"
        "  - {name: failure.example, on-failure: recurse}\n"
        "  - {name: deleg.plain.example, delegation: recurse}\n"
    )
    printed = ctl("unbound-conf", "--config", path).stdout
    check(tmp_path, printed)
    assert re.findall(r'^\tname: "(.*)"$', printed, re.M) == ["plain.example."]
    assert "None for miss.example." in printed
    after = printed.split("None for deleg.plain.example.")[1]
    assert after.split("\n")[1].startswith("# It lies in a zone that is forwarded here")


def test_built_in_zones_step_aside(tmp_path, config):
    path = config(
        "  - name: 10.in-addr.arpa\n  - name: 5.16.172.in-addr.arpa\n"
        "  - name: 100.in-addr.arpa\n  - name: lab.test\n"
    )
    printed = ctl("unbound-conf", "--config", path).stdout
    check(tmp_path, printed)
    zones = dict(re.findall(r'local-zone: "(.*)" (\w+)', printed))
    assert zones["10.in-addr.arpa."] == "nodefault"
    assert zones["5.16.172.in-addr.arpa."] == "transparent"
    assert zones["lab.test."] == "transparent"
    assert zones["64.100.in-addr.arpa."] == zones["127.100.in-addr.arpa."] == "nodefault"
    assert "16.172.in-addr.arpa." not in zones and "test." not in zones


def test_every_built_in_zone_steps_aside_for_a_bigger_one(tmp_path, config):
    names = ["arpa", "localhost", "onion", "test", "invalid"]
    path = config("".join(f"  - name: {name}\n" for name in names))
    printed = ctl("unbound-conf", "--config", path).stdout
    check(tmp_path, printed)
    zones = re.findall(r'local-zone: "(.*)" nodefault', printed)
    zones.remove("arpa.")
    assert len(zones) == len(set(zones)) == 24 + 16 + 64  # 172.16/12, 100.64/10 (RFC 6598)
    assert sum(zone.endswith(".100.in-addr.arpa.") for zone in zones) == 64


def test_zones_inside_built_in_zones_are_answered(livezone):
    whole = livezone(zones=["5.10.in-addr.arpa", "lab.test", "100.in-addr.arpa"])
    whole.api.put("1.0.5.10.in-addr.arpa", "PTR", "one.lab.test.")
    whole.api.put("1.64.100.in-addr.arpa", "PTR", "two.lab.test.")
    whole.api.put("one.lab.test", "A", "10.5.0.1")
    assert whole.answers("1.0.5.10.in-addr.arpa", "PTR") == ["one.lab.test."]
    assert whole.answers("1.64.100.in-addr.arpa", "PTR") == ["two.lab.test."]
    assert whole.answers("one.lab.test") == ["10.5.0.1"]


def test_a_configuration_elsewhere_is_told(config):
    path = config("  - name: service.internal\n")
    assert f"LIVEZONE_CONF={path}" in ctl("unbound-conf", env={"LIVEZONE_CONF": str(path)}).stdout


def test_a_bad_configuration_is_named(config):
    path = config("  - name: service.internal\n    tttl: 5\n")
    for command in (["unbound-conf", "--config", path], ["check-config", path]):
        done = ctl(*command)
        assert done.returncode == 1 and not done.stdout
        assert str(path) in done.stderr and "tttl" in done.stderr


def test_a_good_configuration_is_ok(config):
    path = config("  - name: service.internal\n")
    done = ctl("check-config", path)
    assert (done.returncode, done.stdout) == (0, f"{path}: ok, 1 zone\n")


def test_bad_settings_are_misuse(config):
    path = config("  - name: service.internal\n")
    for wrong in (["--port", "0"], ["--port", "70000"], ["--address", 'x"\nserver:']):
        done = ctl("unbound-conf", "--config", path, *wrong)
        assert done.returncode == 2 and not done.stdout, wrong
