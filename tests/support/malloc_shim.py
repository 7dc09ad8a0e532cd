# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Allocations that fail by number, in a program that is started with `shim.environment`
(tests/faults/shim_malloc.c).

    shim = MallocShim(tmp_path)                    # objects=(...): only calls from these libraries
    shim.arm(17)                                   # the 17th from now on fails; length=3: three
    shim.arm_random(100)                           # one in a hundred fails
    shim.count()                                   # none fails, but they are counted
    shim.disarm()                                  # how many failed
"""

import mmap
import struct

from . import build
from .compiled import compiled

_FORM = "=5Q"  # struct control: calls, from, until, failed, one_in
_NEVER = (1 << 63) - 1

# What only the module brings into Unbound.
MODULE_LIBRARIES = ("livezone.so", "liblmdb", "libyaml", "libldns", "libpcre2", "libisal")


class MallocShim:
    def __init__(self, directory, objects=()):
        path = directory / "malloc-shim"
        path.write_bytes(bytes(struct.calcsize(_FORM)))
        with open(path, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)
        library = compiled(
            build.SOURCE / "tests" / "faults" / "shim_malloc.c",
            "-D_GNU_SOURCE", "-shared", "-fPIC", "-fexceptions", name="shim_malloc.so")
        self.environment = {
            "LD_PRELOAD": str(library),
            "LIVEZONE_SHIM_CONTROL": str(path),
            "LIVEZONE_SHIM_OBJECTS": ":".join(objects),
        }

    def _set(self, first, until, one_in=1):
        # not to be seen half: nothing fails while it is written
        self._map[16:24] = struct.pack("=Q", 0)
        self._map[:16] = struct.pack("=2Q", 0, first)
        self._map[24:] = struct.pack("=2Q", 0, one_in)
        self._map[16:24] = struct.pack("=Q", until)

    def arm(self, number, length=1):
        self._set(number, number + length)

    def arm_random(self, one_in):
        self._set(1, _NEVER, one_in)

    def count(self):
        self._set(_NEVER, _NEVER)

    @property
    def calls(self):
        return struct.unpack_from("=Q", self._map, 0)[0]

    def disarm(self):
        self._map[16:24] = struct.pack("=Q", 0)
        return struct.unpack_from("=Q", self._map, 24)[0]


def spread(total, short, is_full):
    """Every number of 1 to total in the full form; so many of them, far and wide, otherwise."""
    if is_full or total <= short:
        return list(range(1, total + 1))
    return sorted({1 + round((i + 0.5) * (total - 1) / short) for i in range(short)})
