# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Backups as livezoned writes them: JSON lines, the last with a checksum of all before it."""

import re

_SEAL = re.compile(r'"crc":"[0-9a-f]{8}"')


def _make_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


_TABLE = _make_table()


def _more(crc, data):
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 255]
    return crc


def crc32c(data):
    return _more(0xFFFFFFFF, data) ^ 0xFFFFFFFF


def seal(text):
    """The same lines with the checksum that they should have: for what is wrong on purpose."""
    *lines, trailer = text.splitlines(keepends=True)
    return "".join(lines) + _SEAL.sub(f'"crc":"{crc32c("".join(lines).encode()):08x}"', trailer)
