# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Damage to an environment's data.mdb that is not open, or is all the same."""

import os
import random
import re
import struct
from pathlib import Path

from .backups import crc32c

PAGE = 4096


def data_of(directory):
    return Path(directory) / "data.mdb"


def raise_schema(directory):
    """As a newer livezoned would have written it: the next digit, and a checksum that is right."""
    path = data_of(directory)
    content = bytearray(path.read_bytes())
    for found in re.finditer(b"LZT2", bytes(content)):
        at = found.start() - 4
        content[at + 4 : at + 8] = b"LZT3"
        content[at : at + 4] = struct.pack("<I", crc32c(b"M" + content[at + 4 : at + 56]))
    path.write_bytes(content)


def change_bytes(directory, seed, count=64):
    """Other bytes at random places behind the meta pages."""
    chance, path = random.Random(seed), data_of(directory)
    with open(path, "r+b", buffering=0) as file:
        size = path.stat().st_size
        for _ in range(count):
            place = chance.randrange(2 * PAGE, size)
            file.seek(place)
            old = file.read(1)[0]
            file.seek(place)
            file.write(bytes([old ^ chance.randrange(1, 256)]))


def change_text(directory, text):
    """The last byte of a text, wherever it stands: in keys, values and freed pages. Nothing else
    is written, as livezoned may be writing too."""
    path = data_of(directory)
    content = path.read_bytes()
    place, found = content.find(text), 0
    with open(path, "r+b", buffering=0) as file:
        while place >= 0:
            last = place + len(text) - 1
            file.seek(last)
            file.write(bytes([content[last] ^ 0x20]))
            found += 1
            place = content.find(text, place + 1)
    assert found, text


def change_meta(directory, pages=(0, 1)):
    """LMDB's own first pages become garbage."""
    path = data_of(directory)
    content = bytearray(path.read_bytes())
    for page in pages:
        content[page * PAGE + 16 : page * PAGE + 200] = random.Random(page).randbytes(184)
    _write(path, content)


def change_root(directory):
    """The root of the tree gets the number of another page."""
    path = data_of(directory)
    content = bytearray(path.read_bytes())
    newest = max((0, 1), key=lambda page: struct.unpack_from("<Q", content, page * PAGE + 144)[0])
    root = struct.unpack_from("<Q", content, newest * PAGE + 128)[0]
    content[root * PAGE] ^= 1
    _write(path, content)


def truncate(directory, part=0.5):
    path = data_of(directory)
    os.truncate(path, int(path.stat().st_size * part) // PAGE * PAGE)


def _write(path, content):
    with open(path, "r+b", buffering=0) as file:
        file.write(content)
