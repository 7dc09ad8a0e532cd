# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Backups as livezoned writes them: JSON lines, each sealed with a checksum of all before it."""

import re

_SEAL = re.compile(r',"crc":"[0-9a-f]{8}"\}')


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


def seal(text):
    """The same lines with the seals that they should have: for what is wrong on purpose."""
    crc, out = 0xFFFFFFFF, []
    for line in text.splitlines():
        line = _SEAL.sub("}", line)[:-1]
        crc = _more(crc, line.encode())
        end = f',"crc":"{crc ^ 0xFFFFFFFF:08x}"}}\n'
        crc = _more(crc, end.encode())
        out.append(line + end)
    return "".join(out)
