# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""What scripts/setup left in the prefix, and the scripts themselves."""

import configparser
import fnmatch
import os
import re
import subprocess

import pytest

from support import build

EXAMPLES = build.PREFIX / "share" / "doc" / "livezone" / "system"

# What Unbound's dynlib module looks up.
SIX_NAMES = {"init", "deinit", "operate", "inform_super", "clear", "get_mem"}


def _run(*command):
    return subprocess.run(
        [str(word) for word in command], check=True, capture_output=True, text=True
    ).stdout


def test_the_programs_and_the_module_are_installed():
    for path in (
        build.UNBOUND,
        build.UNBOUND_CONTROL,
        build.UNBOUND_CHECKCONF,
        build.LIVEZONED,
        build.LIVEZONECTL,
        build.MODULE,
    ):
        assert path.is_file(), path


def test_no_static_library_and_no_libtool_file_is_installed():
    assert not [path for path in build.PREFIX.rglob("*") if path.suffix in (".a", ".la")]


def test_the_module_exports_the_six_names_and_nothing_else():
    lines = _run("nm", "--dynamic", "--defined-only", build.MODULE).splitlines()
    assert {line.split()[-1] for line in lines} == SIX_NAMES


def test_the_module_binds_at_load_to_itself_and_stays_mapped():
    flags = _run("readelf", "--dynamic", "--wide", build.MODULE)
    for flag in ("SYMBOLIC", "BIND_NOW", "NODELETE"):
        assert flag in flags, flags


def test_the_module_needs_no_library_of_the_daemon():
    needed = _run("readelf", "--dynamic", "--wide", build.MODULE)
    for library in ("libmicrohttpd", "libcurl", "libjson-c", "libsystemd"):
        assert library not in needed


def test_shellcheck_finds_nothing_in_the_scripts():
    scripts = [
        path
        for path in [*(build.SOURCE / "scripts").iterdir(), build.SOURCE / ".ci" / "run"]
        if path.read_text().startswith(("#!/usr/bin/env bash", "# shellcheck shell=bash"))
    ]
    assert len(scripts) >= 6
    found = subprocess.run(
        ["shellcheck", "-x", *scripts], cwd=build.SOURCE, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize("unit", ["livezoned.service", "unbound-livezone.conf"])
def test_systemd_never_gives_up_to_start_it(unit):
    settings = configparser.ConfigParser(strict=False)
    settings.optionxform = str
    settings.read_string((EXAMPLES / unit).read_text())
    assert settings["Service"]["Restart"] == "always"
    assert settings["Unit"]["StartLimitIntervalSec"] == "0"


def granted(path, permission):
    """Whether the additions to Unbound's AppArmor profile let it."""
    rules = re.findall(r"^ +(/\S+) ([a-z]+),$", (EXAMPLES / "apparmor-unbound").read_text(), re.M)
    return any(
        permission in permissions and fnmatch.fnmatchcase(path, pattern)
        for pattern, permissions in rules
    )


def test_apparmor_lets_the_module_write_what_it_writes():
    for name in ("lock.mdb", "unbound-12.report", "unbound-12.report.new", "unbound-12.snapshot"):
        assert granted(f"/run/livezone/serve/{name}", "w"), name
    assert not granted("/run/livezone/serve/data.mdb", "w")


def test_apparmor_lets_the_trial_of_prestart_read_its_settings(tmp_path, livezoned):
    if not os.access("/run", os.W_OK):
        pytest.skip("/run is not ours to write to")
    if build.is_instrumented():
        pytest.skip("the trial has no environment that a sanitizer could come by")
    unbound = tmp_path / "unbound"
    unbound.write_text(f"""#!/bin/sh
        echo "r $3" >{tmp_path}/used
        echo "w $(readlink /proc/self/fd/2)" >>{tmp_path}/used
        exec {build.UNBOUND} "$@"
        """)
    unbound.chmod(0o755)
    done = subprocess.run(
        [build.PREFIX / "sbin" / "livezone-prestart", "--unbound", unbound,
         tmp_path / "livezone.conf", "--module", build.MODULE],
        env={**os.environ, "LIVEZONE_CONF": str(livezoned().config_file)},
        capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    used = [line.split() for line in (tmp_path / "used").read_text().splitlines()]
    assert len(used) == 2
    for permission, path in used:
        assert granted(path, permission), path
        assert not os.path.exists(path)
