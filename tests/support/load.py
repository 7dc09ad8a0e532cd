# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Write and query load in threads of the test, for tests that break something meanwhile.

Values of a name only grow, so "not older than the last acknowledged write" and "never
goes back" are comparisons of numbers.
"""

import json
import random
import threading
import time

from .wire import TYPES, DnsClient, HttpClient

_FAULTS_MAX = 20


def address(value):
    return f"10.{value >> 16 & 255}.{value >> 8 & 255}.{value & 255}"


def value_of_address(text):
    _, high, middle, low = (int(part) for part in text.split("."))
    return high << 16 | middle << 8 | low


class Load(threading.Thread):
    def __init__(self):
        super().__init__(daemon=True)
        self._halt = threading.Event()
        self.faults = []

    def fault(self, *what):
        if len(self.faults) < _FAULTS_MAX:
            self.faults.append(what)

    def run(self):
        try:
            while not self._halt.is_set():
                self.step()
        except Exception as error:  # a load that died silently proves nothing
            self.fault("died", repr(error))

    def finish(self):
        self._halt.set()
        if self.is_alive():
            self.join(60)
        assert not self.is_alive()


class Writer(Load):
    """Writes pairs of names in one batch each: left.N and right.N get the same value.

    `acked[N]` is the last acknowledged value, `tried[N]` the last one that was sent.
    """

    def __init__(self, api, zone, number, names=32):
        super().__init__()
        self._http = HttpClient(str(api.unix))
        self._zone = zone
        self._value = 0
        self.names = [f"{number}-{index}" for index in range(names)]
        self.acked = dict.fromkeys(self.names, 0)
        self.tried = dict.fromkeys(self.names, 0)
        self.acks = 0
        self.refused = 0  # connections and requests that failed: livezoned was away

    def step(self):
        self._value += 1
        name = self.names[self._value % len(self.names)]
        changes = [
            {
                "put": {
                    "name": f"{side}.{name}.{self._zone}",
                    "type": "A",
                    "records": [address(self._value)],
                }
            }
            for side in ("left", "right")
        ]
        self.tried[name] = self._value
        try:
            status, body = self._http.send("POST", "/v1/batch", json.dumps({"changes": changes}))
        except OSError:
            self.refused += 1
            time.sleep(0.002)  # not a busy loop while nobody listens
            return
        if status == 200:
            self.acked[name] = self._value
            self.acks += 1
        elif status == 503:
            self.refused += 1
        else:
            self.fault("write", status, body.decode(errors="replace"))


class Prober(Load):
    """Asks for the names of the writers all the time: nothing lost, no error, never a value
    older than the last acknowledged one or than one seen before."""

    def __init__(self, port, zone, writers):
        super().__init__()
        self._dns = DnsClient("127.0.0.1", port)
        self._zone = zone
        self._writers = writers
        self._seen = {}
        self._random = random.Random(1)
        self.answers = 0

    def step(self):
        writer = self._random.choice(self._writers)
        index = self._random.choice(writer.names)
        name = f"{self._random.choice(('left', 'right'))}.{index}.{self._zone}"
        oldest = max(writer.acked[index], self._seen.get(name, 0))
        if self.answers % 512 == 0:
            self._dns.hang_up()
        try:
            # a reload ends TCP connections, with and without the module
            flags, records = self._dns.ask_again(name, TYPES["A"], tcp=self.answers % 8 == 0)
        except OSError as error:
            self.fault("lost", name, repr(error))
            return
        self.answers += 1
        if not oldest and flags & 15 == 3:
            return  # not written yet
        if flags & 15 or len(records) != 1:
            self.fault("answer", name, hex(flags), repr(records))
            return
        value = int.from_bytes(records[0][1][1:], "big")
        if value < oldest:
            self.fault("old", name, value, oldest)
        self._seen[name] = value


class FixedProber(Load):
    """Asks for names whose answers do not change: `truth` maps a name to its address, or to
    None for NXDOMAIN. Every question is answered, and with that."""

    def __init__(self, port, truth, seed=1):
        super().__init__()
        self._dns = DnsClient("127.0.0.1", port)
        self._truth = list(truth.items())
        self._random = random.Random(seed)
        self.answers = 0

    def step(self):
        name, expected = self._random.choice(self._truth)
        try:
            flags, records = self._dns.ask_again(name, TYPES["A"], tcp=self.answers % 16 == 0)
        except OSError as error:
            self.fault("lost", name, repr(error))
            return
        self.answers += 1
        rcode = flags & 15
        found = [".".join(map(str, rdata)) for rdtype, rdata in records if rdtype == TYPES["A"]]
        if (rcode, found) != ((0, [expected]) if expected else (3, [])):
            self.fault("answer", name, rcode, found, expected)
