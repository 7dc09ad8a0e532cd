# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""An authoritative server on loopback that a test writes while it runs. As a program, with
records as arguments, it is one that does not wait for the test; its log says the port."""

import atexit
import select
import socket
import struct
import sys
import tempfile
import threading
from pathlib import Path

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.ports import bound_pair
from support.process import Process
from support.wait import wait_until

_SOA = "fake. 60 IN SOA ns.fake. hostmaster.fake. 1 3600 600 86400 60"


class FakeUpstream:
    """Answers for the whole name space: what it was given, else NXDOMAIN.

    `asked` lists every question as (name, type) text; `asked_for` counts one.
    """

    def __init__(self, note=None):
        self.asked = []
        self._note = note or self.asked.append
        self._lock = threading.Lock()
        self._rrsets = {}
        self._rcodes = {}
        self._silent = set()
        self._is_empty = False
        self._udp, self._tcp = bound_pair()
        self.port = self._udp.getsockname()[1]
        self._wake, self._woken = socket.socketpair()
        self._threads = [
            threading.Thread(target=self._serve_udp, daemon=True),
            threading.Thread(target=self._serve_tcp, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def close(self):
        self._wake.close()
        for thread in self._threads:
            thread.join(5)
        for sock in (self._udp, self._tcp, self._woken):
            sock.close()

    def add(self, *records):
        """Master file lines: "www.example. 300 IN A 192.0.2.1". Replaces the RRset."""
        fresh = {}
        for line in records:
            name, ttl, rdclass, rdtype, rdata = line.split(None, 4)
            key = (dns.name.from_text(name), dns.rdatatype.from_text(rdtype))
            fresh.setdefault(key, []).append((int(ttl), rdclass, rdata))
        with self._lock:
            for (name, rdtype), rows in fresh.items():
                self._rrsets[name, rdtype] = dns.rrset.from_text_list(
                    name, rows[0][0], rows[0][1], rdtype, [row[2] for row in rows]
                )

    def fail(self, name, rcode="SERVFAIL"):
        with self._lock:
            self._rcodes[dns.name.from_text(name)] = dns.rcode.from_text(rcode)

    def silence(self, name):
        with self._lock:
            self._silent.add(dns.name.from_text(name))

    def empty(self):
        """Every name exists and has nothing: NODATA type 3, without SOA (RFC 2308)."""
        self._is_empty = True

    def forget(self, name):
        """Whatever was said about the name is no longer so."""
        owner = dns.name.from_text(name)
        with self._lock:
            self._rcodes.pop(owner, None)
            self._silent.discard(owner)
            for key in [key for key in self._rrsets if key[0] == owner]:
                del self._rrsets[key]

    def asked_for(self, name, rdtype=None):
        owner = dns.name.from_text(name).to_text().lower()
        with self._lock:
            return sum(
                1 for asked, kind in self.asked if asked == owner and rdtype in (None, kind)
            )

    def _answer(self, wire):
        query = dns.message.from_wire(wire)
        question = query.question[0]
        reply = dns.message.make_response(query, recursion_available=True)
        reply.flags |= dns.flags.AA
        with self._lock:
            self._note((question.name.to_text().lower(), dns.rdatatype.to_text(question.rdtype)))
            if question.name in self._silent:
                return None
            if question.name in self._rcodes:
                reply.set_rcode(self._rcodes[question.name])
                return reply
            found = self._rrsets.get((question.name, question.rdtype)) or self._rrsets.get(
                (question.name, dns.rdatatype.CNAME)
            )
            known = any(name == question.name for name, _ in self._rrsets)
        if found:
            reply.answer.append(found)
        elif not self._is_empty:
            reply.authority.append(dns.rrset.from_text(*_SOA.split(None, 4)))
            if not known:
                reply.set_rcode(dns.rcode.NXDOMAIN)
        return reply

    def _serve_udp(self):
        while True:
            ready, _, _ = select.select([self._udp, self._woken], [], [])
            if self._woken in ready:
                return
            wire, peer = self._udp.recvfrom(65535)
            reply = self._answer(wire)
            if reply:
                try:
                    out = reply.to_wire(max_size=1232)
                except dns.exception.TooBig:
                    reply.answer.clear()
                    reply.flags |= dns.flags.TC
                    out = reply.to_wire()
                self._udp.sendto(out, peer)

    def _serve_tcp(self):
        while True:
            ready, _, _ = select.select([self._tcp, self._woken], [], [])
            if self._woken in ready:
                return
            client, _ = self._tcp.accept()
            threading.Thread(target=self._serve_client, args=(client,), daemon=True).start()

    def _serve_client(self, client):
        with client, client.makefile("rb") as stream:
            client.settimeout(10)
            try:
                while header := stream.read(2):
                    reply = self._answer(stream.read(struct.unpack("!H", header)[0]))
                    if reply:
                        out = reply.to_wire(max_size=65535)
                        client.sendall(struct.pack("!H", len(out)) + out)
            except OSError:
                return


class UpstreamProcess:
    """The same, with fixed records, in a process of its own that tests share: it takes as long
    to start as a resolver."""

    _running = None

    @classmethod
    def shared(cls, records):
        """The one that runs, or a new one."""
        if not cls._running or not cls._running.process.is_running():
            cls._running = cls(records)
        cls._running._lines_before = len(cls._running._lines())
        return cls._running

    def __init__(self, records):
        self._directory = tempfile.TemporaryDirectory(prefix="livezone-upstream-")
        self.process = Process(
            "upstream",
            ["/usr/bin/python3", __file__, *records],
            Path(self._directory.name) / "log",
            env={"PYTHONDONTWRITEBYTECODE": "1"},
        )
        atexit.register(self.close)
        self.port = int(wait_until(self._lines, 20, "the upstream's port")[0])

    def _lines(self):
        return self.process.output().splitlines()

    @property
    def asked(self):
        """Since the last call of shared()."""
        return [tuple(line.split()) for line in self._lines()[self._lines_before :]]

    def close(self):
        self.process.kill()


def main():
    server = FakeUpstream(note=lambda question: print(*question, flush=True))
    server.add(*sys.argv[1:])
    print(server.port, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
