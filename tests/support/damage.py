# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Which page of an LMDB file is what, and random damage to one of a kind. Layout: lib/serve/mdb_image.h."""

import os
import struct

PAGE = 4096
KINDS = ("meta 0", "meta 1", "both metas", "branch", "leaf", "overflow")
_BRANCH, _LEAF, _BIG = 1, 2, 1
_META_USED = 152  # bytes of a meta page that say anything


class NotWhole(Exception):
    """The file is damaged, or changes while it is read."""


def _u16(page, at):
    return struct.unpack_from("<H", page, at)[0]


def _nodes(page):
    count = (_u16(page, 12) - 16) // 2
    for i in range(count):
        at = _u16(page, 16 + 2 * i)
        low, high, flags, key = struct.unpack_from("<4H", page, at)
        yield at, low, high, flags, key


def _walk(data, number, level, found):
    page = data[number * PAGE : (number + 1) * PAGE]
    if len(page) < PAGE or level > 8 or struct.unpack_from("<Q", page)[0] != number:
        raise NotWhole
    if _u16(page, 10) & _BRANCH:
        found["branch"].append(number)
        for _, low, high, flags, _ in _nodes(page):
            _walk(data, low | high << 16 | flags << 32, level + 1, found)
    elif _u16(page, 10) & _LEAF:
        found["leaf"].append(number)
        for at, low, high, flags, key in _nodes(page):
            if flags & _BIG:
                first = struct.unpack_from("<Q", page, at + 8 + key)[0]
                pages = ((low | high << 16) + 16 + PAGE - 1) // PAGE
                if first + pages > len(data) // PAGE:
                    raise NotWhole
                found["overflow"].extend(range(first, first + pages))
    else:
        raise NotWhole


def pages_of(path):
    """Page numbers of each kind. NotWhole when the pages do not fit together."""
    data = path.read_bytes()
    found = {kind: [] for kind in KINDS[3:]}
    try:
        metas = [(struct.unpack_from("<Q", data, at + 144)[0],
                  struct.unpack_from("<Q", data, at + 128)[0]) for at in (0, PAGE)]
        _walk(data, max(metas)[1], 0, found)
    except (struct.error, IndexError, RecursionError):
        raise NotWhole from None
    return found


def strike(path, kind, random):
    """Changes 1 to 8 random bytes in a random page of the kind (in each meta page for both).
    Returns what was done, for messages; None when there is no such page now."""
    if kind.startswith(("meta", "both")):
        pages = [0, 1] if kind == "both metas" else [int(kind[-1])]
    else:
        pages = pages_of(path)[kind]
        if not pages:
            return None
        pages = [random.choice(pages)]
    done = []
    descriptor = os.open(path, os.O_RDWR)
    try:
        for page in pages:
            for _ in range(random.randint(1, 8)):
                room = _META_USED if page < 2 and random.random() < 0.7 else PAGE
                at = page * PAGE + random.randrange(room)
                byte = random.randrange(256)
                os.pwrite(descriptor, bytes([byte]), at)
                done.append(f"{at // PAGE}:{at % PAGE}={byte:02x}")
    finally:
        os.close(descriptor)
    return f"{kind} " + " ".join(done)
