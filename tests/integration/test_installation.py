# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""What scripts/setup left in the prefix, and the scripts themselves."""

import configparser
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
