# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Where the values of an LMDB file lie, and random damage to one. Layout: mdb.c of LMDB 0.9,
MDB_page and MDB_node."""

import os
import struct

PAGE = 4096
HEAD = 16  # of a page
KINDS = ("leaf", "overflow")  # the pages that a value lies in
_BRANCH, _LEAF, _BIG = 1, 2, 1


class NotWhole(Exception):
    """The file is damaged, or changes while it is read."""


def _u16(page, at):
    return struct.unpack_from("<H", page, at)[0]


def _nodes(page):
    for i in range((_u16(page, 12) - HEAD) // 2):
        at = _u16(page, HEAD + 2 * i)
        low, high, flags, key = struct.unpack_from("<4H", page, at)
        yield at + 8 + key, low, high, flags


def _walk(data, number, level, found):
    page = data[number * PAGE : (number + 1) * PAGE]
    if len(page) < PAGE or level > 8 or struct.unpack_from("<Q", page)[0] != number:
        raise NotWhole
    if not _u16(page, 10) & (_BRANCH | _LEAF):
        raise NotWhole
    for at, low, high, flags in _nodes(page):
        size = low | high << 16
        if _u16(page, 10) & _BRANCH:
            _walk(data, size | flags << 32, level + 1, found)
        elif flags & _BIG:
            start = struct.unpack_from("<Q", page, at)[0] * PAGE + HEAD
            if start + size > len(data):
                raise NotWhole
            found["overflow"].append((start, size))
        else:
            found["leaf"].append((number * PAGE + at, size))


def values_of(path):
    """(place, size) of each value, by kind of page. NotWhole when pages do not fit together."""
    data = path.read_bytes()
    found = {kind: [] for kind in KINDS}
    try:
        metas = [(struct.unpack_from("<Q", data, at + 144)[0],
                  struct.unpack_from("<Q", data, at + 128)[0]) for at in (0, PAGE)]
        _walk(data, max(metas)[1], 0, found)
    except (struct.error, IndexError, RecursionError):
        raise NotWhole from None
    return found


def strike(path, kind, random):
    """Changes 1 to 8 random bytes of a random value in a page of that kind. Returns what was
    done, for messages; None when there is no such value now."""
    values = values_of(path)[kind]
    if not values:
        return None
    start, size = random.choice(values)
    done = []
    descriptor = os.open(path, os.O_RDWR)
    try:
        for _ in range(random.randint(1, 8)):
            at, byte = start + random.randrange(size), random.randrange(256)
            os.pwrite(descriptor, bytes([byte]), at)
            done.append(f"{at // PAGE}:{at % PAGE}={byte:02x}")
    finally:
        os.close(descriptor)
    return f"{kind} " + " ".join(done)
