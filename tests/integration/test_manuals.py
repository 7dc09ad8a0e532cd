# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""The manual pages are clean mdoc."""

import subprocess

import pytest

from support import build

PAGES = sorted((build.SOURCE / "doc").glob("*.[1-8]"))


def test_every_program_and_the_configuration_have_a_page():
    assert [page.name for page in PAGES] == [
        "livezone-prestart.8",
        "livezone.8",
        "livezone.yaml.5",
        "livezonectl.1",
        "livezoned.8",
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_manual_page_is_clean(page):
    done = subprocess.run(
        ["mandoc", "-Tlint", "-Wwarning", page], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
