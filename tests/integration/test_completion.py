# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""The completions and the manual name the commands and options of the command table."""

import json
import re
import subprocess

import pytest

from support import build

COMPLETION = build.SOURCE / "client" / "completion"


@pytest.fixture(scope="module")
def table():
    """{"put": {"--ttl", ...}, ...}, from the program itself."""
    done = subprocess.run([build.LIVEZONECTL, "help", "--json"], capture_output=True, check=True)
    return {name: set(options) for name, options in json.loads(done.stdout).items()}


def bash(script):
    done = subprocess.run(
        ["bash", "-c", f"source {COMPLETION}/livezonectl; {script}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def complete(*words):
    quoted = " ".join(f"'{word}'" for word in words)
    return bash(
        f"COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _livezonectl; "
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )


def test_bash_completes_every_command(table):
    assert set(complete("livezonectl", "")) == set(table) | {"--help", "--version"}
    assert complete("livezonectl", "unb") == ["unbound-conf"]


def test_bash_completes_every_option(table):
    for command, options in table.items():
        assert set(complete("livezonectl", command, "--")) == options, command


def test_bash_completes_types_and_commands_of_help(table):
    assert complete("livezonectl", "put", "a.live.test", "aa") == ["AAAA"]
    assert complete("livezonectl", "help", "backu") == ["backup"]


def test_zsh_names_every_command_and_option(table):
    text = (COMPLETION / "_livezonectl").read_text()
    commands = dict(re.findall(r"^\t\t'([a-z-]+):(.*)'$", text, re.M))
    help_text = subprocess.run([build.LIVEZONECTL, "help"], capture_output=True, text=True).stdout
    assert commands == dict(re.findall(r"^  ([a-z-]+) +(.*)$", help_text.split("\nOptions")[0], re.M))
    globals_ = set(re.findall(r"^\t\t'(--[a-z-]+)\[", text, re.M))
    branches = re.search(r"\tcase \$command in\n(.*)\tesac", text, re.S)[1]
    options = {command: set(globals_) for command in table}
    for names, body in re.findall(r"^\t([a-z| -]+)\)\n(.*?)\t\t;;", branches, re.M | re.S):
        for name in names.split(" | "):
            options[name] |= set(re.findall(r"'(--[a-z-]+)\[", body))
    assert options == table


def test_the_manual_names_every_command_and_option(table):
    text = (build.SOURCE / "doc" / "livezonectl.1").read_text()
    described = set(re.findall(r"^\.It (?:Xo )?Ic ([a-z-]+)", text, re.M))
    assert described == set(table)
    flags = set(re.findall(r"Fl (-[a-z-]+)", text))
    assert {f"-{flag}" for flag in flags} == set().union(*table.values())
