# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""One client of the write-query-compare test; a program, so that clients do not share a
core's worth of Python.

Each client owns its names: it writes a value that only grows, waits for the
acknowledgement, asks for it, and compares. `acked` is shared memory with one counter per
client: the last acknowledged value of its A record. A client that reads another's name
first notes that counter; an answer below it is stale.

Writes one JSON line: {"rounds", "cross", "stale": [...], "lost"}.
"""

import argparse
import json
import mmap
import struct
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.wire import TYPES, DnsClient, HttpClient, NoAnswer

_COUNTER = struct.Struct("=Q")
_TARGETS = 4  # addresses that each client's alias moves between
_REPORT_MAX = 20


def value_text(rdtype, value):
    """The rdata that carries a value, as the API takes it."""
    if rdtype == "A":
        return f"10.{value >> 16 & 255}.{value >> 8 & 255}.{value & 255}"
    if rdtype == "AAAA":
        return f"fd00::{value >> 16:x}:{value & 0xFFFF:x}"
    if rdtype == "SRV":
        return f"0 {value >> 16} {value & 0xFFFF} host.live.test."
    assert rdtype == "TXT"
    return f'"{value}"'


def value_of(rdtype, rdata):
    """The value that rdata on the wire carries."""
    if rdtype == "A":
        return int.from_bytes(rdata[1:], "big")
    if rdtype == "AAAA":
        return int.from_bytes(rdata[12:], "big")
    if rdtype == "SRV":
        return int.from_bytes(rdata[2:6], "big")
    assert rdtype == "TXT"
    return int(rdata[1:])


class Client:
    def __init__(self, options):
        self.number = options.number
        self.zone = options.zone
        self.api = HttpClient(options.api)
        self.dns = DnsClient("127.0.0.1", options.port)
        self.clients = options.clients
        with open(options.acked, "r+b") as file:
            self.acked = mmap.mmap(file.fileno(), 0)
        self.targets = list(range(_TARGETS))  # value of each
        self.alias = 0                        # the one that the alias points to
        self.stale = []
        self.lost = 0
        self.cross = 0

    def owned(self, label):
        return f"{label}.c{self.number}.{self.zone}"

    def write(self, label, rdtype, rdata):
        path = f"/v1/rrsets/{self.owned(label)}/{rdtype}"
        status, body = self.api.send("PUT", path, json.dumps({"records": [rdata], "ttl": 60}))
        if status != 200:
            raise SystemExit(f"PUT {path}: {status} {body!r}")

    def read(self, name, rdtype, tcp):
        """The one value at the name, or None when there is no such record."""
        try:
            flags, records = self.dns.ask_again(name, TYPES[rdtype], tcp)
        except NoAnswer:
            self.lost += 1
            return None
        rdatas = [rdata for kind, rdata in records if kind == TYPES[rdtype]]
        if flags & 15 or len(rdatas) != 1:
            return None
        return value_of(rdtype, rdatas[0])

    def compare(self, name, rdtype, expected, tcp, is_own=True):
        got = self.read(name, rdtype, tcp)
        if got is None or got < expected or (is_own and got != expected):
            if len(self.stale) < _REPORT_MAX:
                self.stale.append([name, rdtype, "tcp" if tcp else "udp", expected, got])

    def round(self, value, tcp):
        kind = value % 6
        if kind < 4:
            rdtype = ("A", "AAAA", "SRV", "TXT")[kind]
            self.write("own", rdtype, value_text(rdtype, value))
            if rdtype == "A":
                _COUNTER.pack_into(self.acked, 8 * self.number, value)
            self.compare(self.owned("own"), rdtype, value, tcp)
            return
        if kind == 4:
            # the address behind the alias moves
            self.targets[self.alias] = value
            self.write(f"target{self.alias}", "A", value_text("A", value))
        else:
            self.point_alias((self.alias + 1) % _TARGETS)
        self.compare(self.owned("alias"), "A", self.targets[self.alias], tcp)

    def point_alias(self, target):
        self.write("alias", "CNAME", self.owned(f"target{target}") + ".")
        self.alias = target

    def read_other(self, value, tcp):
        other = (self.number + 1 + value % max(1, self.clients - 1)) % self.clients
        (known,) = _COUNTER.unpack_from(self.acked, 8 * other)
        if known:
            self.cross += 1
            name = f"own.c{other}.{self.zone}"
            self.compare(name, "A", known, tcp, is_own=other == self.number)

    def run(self, rounds):
        for target, value in enumerate(self.targets):
            self.write(f"target{target}", "A", value_text("A", value))
        self.point_alias(0)
        for value in range(1, rounds + 1):
            tcp = value % 3 == 0
            if value % 60 == 0:
                self.dns.hang_up()
            self.round(value, tcp)
            if value % 4 == 0:
                self.read_other(value, not tcp)
        return {"rounds": rounds, "cross": self.cross, "stale": self.stale, "lost": self.lost}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--number", type=int, required=True)
    parser.add_argument("--clients", type=int, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--api", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--zone", required=True)
    parser.add_argument("--acked", required=True)
    options = parser.parse_args()
    print(json.dumps(Client(options).run(options.rounds)))


if __name__ == "__main__":
    main()
