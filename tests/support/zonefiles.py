# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Zones for a real upstream: an Unbound that serves master files, some of them signed."""

import shutil
import subprocess

import pytest

_HEAD = """\
$ORIGIN {zone}.
$TTL 300
@ SOA ns hostmaster 1 3600 600 86400 60
@ NS ns
ns A 192.0.2.53
"""

_AUTH_ZONE = """\
auth-zone:
    name: "{zone}."
    zonefile: "{path}"
    for-downstream: yes
    for-upstream: no
    fallback-enabled: no
"""


def require_signer():
    for tool in ("ldns-keygen", "ldns-signzone"):
        if not shutil.which(tool):
            pytest.skip(f"{tool} (Debian ldnsutils) is not installed")


class ZoneFiles:
    """Collects zones, then gives `extra` for the upstream Unbound and `anchors` for the
    server section of a validating one."""

    def __init__(self, directory):
        directory.mkdir()
        self._directory = directory
        self.extra = ""
        self.anchors = ""

    def _run(self, *argv):
        return subprocess.run(
            argv, cwd=self._directory, check=True, capture_output=True, text=True
        ).stdout.strip()

    def _serve(self, zone, path):
        self.extra += _AUTH_ZONE.format(zone=zone, path=path)

    def plain(self, zone, records):
        path = self._directory / f"{zone}.zone"
        path.write_text(_HEAD.format(zone=zone) + records)
        self._serve(zone, path)

    def signed(self, zone, records, nsec3=False, break_signatures_of=None):
        """`break_signatures_of` is (old, new): text that is exchanged after signing."""
        path = self._directory / f"{zone}.zone"
        path.write_text(_HEAD.format(zone=zone) + records)
        key = self._run("ldns-keygen", "-k", "-a", "ECDSAP256SHA256", zone)
        out = self._directory / f"{zone}.signed"
        options = ["-n"] if nsec3 else []
        self._run("ldns-signzone", *options, "-f", str(out), str(path), key)
        if break_signatures_of:
            old, new = break_signatures_of
            text = out.read_text()
            assert old in text
            out.write_text(text.replace(old, new))
        anchor = (self._directory / f"{key}.ds").read_text().split(";")[0].strip()
        self.anchors += f"    trust-anchor: \"{anchor}\"\n"
        self._serve(zone, out)
