# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Names, addresses, zone files and query files; all are made from a number, so that every
server of a run holds the same data and is asked the same questions."""

import pathlib
import random

ZONE = "bench.internal"
FOREIGN_ZONE = "foreign.example"
TTL = 5


def name(number):
    return f"h{number:07d}.{ZONE}"


def address(number):
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


class Data:
    """Files of one size, made once per run in `folder`."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def _make(self, file, lines):
        path = self.folder / file
        if not path.exists():
            part = path.with_suffix(".part")
            with open(part, "w", encoding="ascii") as out:
                out.writelines(lines)
            part.rename(path)
        return path

    def zone_file(self, count):
        """A master file with SOA and NS, for the peers that want a whole zone."""
        head = [f"$ORIGIN {ZONE}.\n$TTL {TTL}\n",
                f"@ IN SOA ns.{ZONE}. hostmaster.{ZONE}. 1 3600 600 86400 {TTL}\n",
                f"@ IN NS ns.{ZONE}.\nns IN A 127.0.0.1\n"]
        return self._make(f"zone-{count}", head + [f"h{i:07d} IN A {address(i)}\n"
                                                   for i in range(count)])

    def records_file(self, count):
        """The same records without SOA and NS, which livezone makes itself."""
        return self._make(f"records-{count}", [f"$ORIGIN {ZONE}.\n$TTL {TTL}\n"] +
                          [f"h{i:07d} IN A {address(i)}\n" for i in range(count)])

    def local_data(self, count):
        return self._make(f"local-data-{count}",
                          [f'local-zone: "{ZONE}." static\n'] +
                          [f'local-data: "{name(i)}. {TTL} IN A {address(i)}"\n'
                           for i in range(count)])

    def hosts(self, count):
        return self._make(f"hosts-{count}",
                          (f"{address(i)} {name(i)}\n" for i in range(count)))

    def hits(self, count):
        order = list(range(count))
        random.Random(1).shuffle(order)
        return self._make(f"hits-{count}", (f"{name(i)} A\n" for i in order))

    def random_names(self, count):
        source = random.Random(2)
        return self._make(f"random-{count}", (f"x{source.getrandbits(48):012x}.{ZONE} A\n"
                                              for _ in range(count)))

    def foreign(self, count):
        return self._make(f"foreign-{count}", (f"f{i:05d}.{FOREIGN_ZONE} A\n"
                                               for i in range(count)))

    def foreign_new(self, number, count):
        """Names that are in no file of another number."""
        return self._make(f"foreign-new-{number}-{count}",
                          (f"n{number}-{i}.{FOREIGN_ZONE} A\n" for i in range(count)))

    def mixed(self, count):
        """Every name once in no order, and one missing name to nine of them."""
        source = random.Random(3)
        lines = [f"{name(i)} A\n" for i in range(count)]
        lines += [f"x{source.getrandbits(48):012x}.{ZONE} A\n" for _ in range(count // 9)]
        source.shuffle(lines)
        return self._make(f"mixed-{count}", lines)
