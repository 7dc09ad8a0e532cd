# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Is a batch over two zones ever seen half? The batch, and the program that reads.

Batch n writes, all at once:

    rev.a.test    TXT n
    rev.b.test    TXT n
    alias.a.test  CNAME n.b.test      (and n.b.test A; n-1.b.test is deleted)

Two queries are two reads, each of one committed revision, and a later query never reads
an older one. So of three answers rev.a = x, rev.b = y, rev.a = z, asked one after the other:

  * x <= y <= z. Had a's half of a batch been visible before b's, some reader would see
    y < x; had b's been first, z < y.
  * when x = z, nothing was written to rev.a between the first and the last read, so the
    second read saw that same batch: y = x, an equal pair.

One query is one read: alias.a.test A crosses both zones in one answer. The alias of batch n
leads to a name that exists in batch n only, so a half batch is a chain with no end.
"""

import argparse
import json
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.wire import CNAME, TYPES, DnsClient, NoAnswer


def _batch(number):
    return [
        {"put": {"name": "rev.a.test", "type": "TXT", "records": [f'"{number}"']}},
        {"put": {"name": "rev.b.test", "type": "TXT", "records": [f'"{number}"']}},
        {"put": {"name": "alias.a.test", "type": "CNAME", "records": [f"{number}.b.test."]}},
        {"put": {"name": f"{number}.b.test", "type": "A", "records": [_address(number)]}},
    ]


def _address(number):
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def write_first(api):
    api.batch(_batch(1))


def write(api, number):
    api.batch(_batch(number) + [{"delete": {"name": f"{number - 1}.b.test", "type": "A"}}])


class Reader:
    def __init__(self, port, tcp):
        self._dns = DnsClient("127.0.0.1", port)
        self._tcp = tcp
        self.revisions = set()
        self.pairs = 0
        self.faults = []

    def _fault(self, *what):
        if len(self.faults) < 20:
            self.faults.append(what)

    def _revision(self, zone):
        flags, records = self._dns.ask_again(f"rev.{zone}", TYPES["TXT"], self._tcp)
        if flags & 15 or len(records) != 1:
            raise NoAnswer(f"rev.{zone}: {flags:#x} {records}")
        return int(records[0][1][1:])

    def _chain(self):
        flags, records = self._dns.ask_again("alias.a.test", TYPES["A"], self._tcp)
        kinds = [kind for kind, _ in records]
        if flags & 15 or kinds != [CNAME, TYPES["A"]]:
            self._fault("chain", hex(flags), kinds)
            return
        label = records[0][1][1 : 1 + records[0][1][0]]
        if int.from_bytes(records[1][1][1:], "big") != int(label):
            self._fault("chain", label.decode(), records[1][1].hex())

    def step(self):
        try:
            first, second, third = (self._revision(zone) for zone in ("a.test", "b.test", "a.test"))
            self._chain()
        except NoAnswer as error:
            self._fault("lost", str(error))
            return
        self.revisions.add(third)
        if not first <= second <= third:
            self._fault("order", first, second, third)
        if first == third:
            self.pairs += 1

    def result(self):
        return {
            "revisions": len(self.revisions),
            "pairs": self.pairs,
            "last": max(self.revisions, default=0),
            "faults": self.faults,
        }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--tcp", type=int, required=True)
    parser.add_argument("--stop", type=Path, required=True)
    options = parser.parse_args()
    reader = Reader(options.port, bool(options.tcp))
    while not options.stop.exists():
        reader.step()
    reader.step()
    print(json.dumps(reader.result()))


if __name__ == "__main__":
    main()
