# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Every query type and thousands of broken packets: a server with live zones does with
them what plain Unbound does with the same zone as local-data, and stays alive.

LIVEZONE_PACKETS_SEED repeats a run."""

import os
import random
import re
import select
import socket
import struct
import time
from pathlib import Path

import dns.exception
import dns.message
import dns.rdataclass
import dns.rdatatype
import pytest

from support import build
from support.ports import HOST
from support.wait import wait_until
from support.wire import encode_name

_SEED = int(os.environ.get("LIVEZONE_PACKETS_SEED", time.time_ns() % 1_000_000_000))
_MUTATED_UDP = 100_000 if build.LONG else 10_000
_MUTATED_TCP = 10_000 if build.LONG else 1_500
_EXACT = 10_000 if build.LONG else 180
_WINDOW = 64  # packets under way at once; a socket's buffer holds them
_TCP_WINDOW = 2048
_ERRORS_PER_SECOND = 90  # of one thread Unbound sends 100 FORMERR and NOTIMP a second
_FORMERR, _NOTIMP = 1, 4
_SENTINEL = 0xFFFF
_SHOWN = 10

pytestmark = pytest.mark.timeout(900)

# Names elsewhere are answered at once too, so that no answer has to be waited for.
_NOWHERE = '    local-zone: "." static\n    access-control: 127.0.0.0/8 allow_setrd'
_AS_LOCAL_DATA = (
    _NOWHERE
    + """
    local-zone: "live.test" static
    local-data: "live.test. 5 IN SOA live.test. hostmaster.live.test. 1 3600 600 604800 5"
    local-data: "name.live.test. 5 IN A 10.0.0.1"
"""
)


@pytest.fixture
def servers(livezone, unbound):
    """(with the module, plain): the same zone, one thread, so that answers keep order."""
    whole = livezone(threads=1, server=_NOWHERE)
    whole.api.put("name.live.test", "A", "10.0.0.1", ttl=5)
    plain = unbound(name="plain", threads=1, server=_AS_LOCAL_DATA)
    return whole.unbound, plain


def query(name="name.live.test", rdtype=1, rdclass=1, ident=0, flags=0x0100, options=None):
    """A query; `options` is what OPT carries, None for no OPT (RFC 6891)."""
    wire = struct.pack("!HHHHHH", ident, flags, 1, 0, 0, int(options is not None))
    wire += encode_name(name) + struct.pack("!HH", rdtype, rdclass)
    if options is not None:
        wire += b"\0" + struct.pack("!HHIH", 41, 1232, 0, len(options)) + options
    return wire


def said(wire):
    """What matters of an answer: (rcode, records of the answer section)."""
    return wire[3] & 15, struct.unpack_from("!H", wire, 6)[0] if len(wire) >= 12 else 0


class Udp:
    """Packets, each with an id of its own, to one server, in windows that a good query
    ends: on one thread its answer comes behind all that were answered at once."""

    def __init__(self, port):
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._sock.connect((HOST, port))

    def ask(self, packets):
        """id -> answer of all packets; those without an answer are not in it."""
        answers = {}
        for at in range(0, len(packets), _WINDOW):
            for packet in packets[at : at + _WINDOW]:
                self._sock.send(packet)
            self._finish(answers)
        return answers

    def _finish(self, answers):
        self._sock.send(query(ident=_SENTINEL))
        while True:
            if not select.select([self._sock], [], [], 5)[0]:
                raise AssertionError("no answer to a good query")
            wire = self._sock.recv(65535)
            (ident,) = struct.unpack_from("!H", wire)
            if ident == _SENTINEL:
                return
            answers[ident] = wire


def _read(sock, size):
    data = b""
    while len(data) < size:
        part = sock.recv(size - len(data))
        if not part:
            raise EOFError
        data += part
    return data


def _read_message(sock):
    return _read(sock, struct.unpack("!H", _read(sock, 2))[0])


def _frame(packet):
    return struct.pack("!H", len(packet)) + packet


def ask_pipelined(port, packets):
    """Answers to good queries over one connection (RFC 7766 section 6.2.1.1)."""
    answers = {}
    with socket.create_connection((HOST, port), 10) as sock:
        for at in range(0, len(packets), _TCP_WINDOW):
            window = packets[at : at + _TCP_WINDOW]
            sock.sendall(b"".join(map(_frame, window)))
            for _ in window:
                wire = _read_message(sock)
                answers[struct.unpack_from("!H", wire)[0]] = wire
    return answers


def ask_over_tcp(port, packet):
    """The answer to one packet on its own connection, with a good query behind it: bytes,
    None for silence, "closed" when the server hung up."""
    answer = None
    with socket.create_connection((HOST, port), 10) as sock:
        try:
            sock.sendall(_frame(packet) + _frame(query(ident=_SENTINEL)))
            while True:
                wire = _read_message(sock)
                if struct.unpack_from("!H", wire)[0] == _SENTINEL:
                    return answer
                answer = wire
        except (EOFError, ConnectionError):
            return answer or "closed"


def _is_error(answer):
    """FORMERR, NOTIMP, or the silence that Unbound keeps after too many of these."""
    return not isinstance(answer, bytes) or said(answer)[0] in (_FORMERR, _NOTIMP)


def check_alive(server, pid):
    assert server.process.is_running() and server.process.pid == pid
    for tcp in (False, True):
        assert server.answers("name.live.test", tcp=tcp) == ["10.0.0.1"]


def test_every_query_type_is_answered_as_plain_unbound_does(servers, measured):
    """RFC 3597 section 3: unknown types are types. Meta types are Unbound's to refuse."""
    server, plain = servers
    pid = server.process.pid
    begin = time.monotonic()
    packets = [query(rdtype=kind, ident=kind) for kind in range(_SENTINEL)]
    wanted = Udp(plain.port).ask(packets)
    over_udp = Udp(server.port).ask(packets)
    refused = {kind for kind in range(_SENTINEL) if _is_error(wanted.get(kind))}
    assert refused <= {0, 41, *range(128, 255)}
    over_tcp = ask_pipelined(
        server.port, [packet for kind, packet in enumerate(packets) if kind not in refused]
    )
    over_tcp.update(ask_pipelined(server.port, [query(rdtype=_SENTINEL, ident=_SENTINEL)]))
    assert said(over_tcp[_SENTINEL]) == (0, 0)
    faults = []
    for kind in range(_SENTINEL):
        if kind in refused:
            assert _is_error(over_udp.get(kind)), kind
            assert _is_error(ask_over_tcp(server.port, packets[kind])), kind
            continue
        udp, tcp = said(over_udp[kind]), said(over_tcp[kind])
        if udp != tcp or (udp != said(wanted[kind]) and kind != dns.rdatatype.ANY):
            faults.append(f"type {kind}: udp {udp}, tcp {tcp}, plain {said(wanted[kind])}")
    assert not faults, f"{len(faults)}:\n" + "\n".join(faults[:_SHOWN])
    assert said(over_udp[dns.rdatatype.ANY])[0] == 0
    assert said(over_udp[1]) == (0, 1)
    check_alive(server, pid)
    took = time.monotonic() - begin
    measured(f"65,536 types over UDP and TCP, and to plain Unbound, in {took:.1f} s")


# Mutations: each takes a packet as a bytearray and changes what lies behind the id.


def _flip_bits(rng, packet):
    for _ in range(rng.randint(1, 8)):
        packet[rng.randrange(2, len(packet))] ^= 1 << rng.randrange(8)


def _truncate(rng, packet):
    del packet[rng.randrange(2, len(packet)) :]


def _extend(rng, packet):
    packet += rng.randbytes(rng.choice([1, 2, 11, 40, 300]))


def _count(rng, packet):
    if len(packet) >= 12:
        value = rng.choice([0, 1, 2, 3, 255, 256, 65535, rng.randrange(65536)])
        struct.pack_into("!H", packet, rng.choice([4, 6, 8, 10]), value)


def _flags(rng, packet):
    if len(packet) >= 4:
        struct.pack_into("!H", packet, 2, rng.randrange(65536))


def _pointer(rng, packet):
    """RFC 1035 section 4.1.4: to itself, forward, into the header, anywhere."""
    if len(packet) > 16:
        at = rng.randrange(12, len(packet) - 1)
        target = rng.choice([at, at + 2, 0, 12, rng.randrange(0x4000)])
        struct.pack_into("!H", packet, at, 0xC000 | target)


def _label(rng, packet):
    """Lengths that no label has, and labels beyond the end."""
    if len(packet) > 12:
        packet[rng.choice([12, rng.randrange(12, len(packet))])] = rng.choice(
            [0, 63, 64, 65, 127, 128, 191, 255]
        )


def _long_name(rng, packet):
    """RFC 1035 section 2.3.4: more than 255 octets, or just as many."""
    label = b"\x3f" + b"x" * 63
    packet[12:12] = label * rng.choice([3, 4, 5, 20])


def _repeat(rng, packet):
    """The question, or OPT, twice."""
    packet += packet[12:]
    if rng.random() < 0.5 and len(packet) >= 12:
        struct.pack_into("!H", packet, rng.choice([4, 10]), 2)


def _noise(rng, packet):
    packet[2:] = rng.randbytes(rng.choice([0, 1, 8, 9, 10, 11, 12, 50, 500, 1400]))


_MUTATIONS = [
    _flip_bits,
    _flip_bits,
    _truncate,
    _extend,
    _count,
    _flags,
    _pointer,
    _label,
    _long_name,
    _repeat,
    _noise,
]
_BASES = [
    query(),
    query("live.test", 6),
    query("absent.live.test", 16),
    query("NaMe.LiVe.TeSt", 28),
    query(options=b""),
    query(options=struct.pack("!HH8s", 10, 8, b"\1" * 8)),  # cookie, RFC 7873
    query(options=struct.pack("!HHHBB", 8, 4, 1, 0, 0)),  # subnet, RFC 7871
    query(rdclass=255),
    query("version.bind", 16, 3),
    query("live.test", 6, flags=0x2400),  # NOTIFY, RFC 1996
    query("live.test", 6, flags=0x2800),  # UPDATE, RFC 2136
]


def mutated(rng, count):
    packets = []
    for number in range(count):
        packet = bytearray(rng.choice(_BASES))
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            rng.choice(_MUTATIONS)(rng, packet)
            if len(packet) < 3:
                break
        struct.pack_into("!H", packet, 0, number % _SENTINEL)
        packets.append(bytes(packet))
    return packets


def _summary(answer):
    return said(answer) if isinstance(answer, bytes) else answer or "silence"


def _is_beyond_local_data(packet):
    """Type ANY, and class ANY, of which live zones know an answer; and other classes, which
    are recursed, and answered when that is done."""
    try:
        question = dns.message.from_wire(packet, question_only=True, ignore_trailing=True).question
    except dns.exception.DNSException:
        return False
    return bool(question) and (
        question[0].rdclass != dns.rdataclass.IN or question[0].rdtype == dns.rdatatype.ANY
    )


def _differences(packets, got, wanted, is_exact=False):
    return [
        f"{packet.hex()}: {_summary(mine)}, plain {_summary(theirs)}"
        for packet, mine, theirs in zip(packets, got, wanted)
        if _summary(mine) != _summary(theirs)
        and (is_exact or not (_is_error(mine) and _is_error(theirs)))
        and not _is_beyond_local_data(packet)
    ]


def _check(packets, got, wanted, **options):
    faults = _differences(packets, got, wanted, **options)
    assert not faults, f"seed {_SEED}: {len(faults)}\n" + "\n".join(faults[:_SHOWN])


def _over_udp(server, packets):
    answers = Udp(server.port).ask(packets)
    return [answers.get(number % _SENTINEL) for number in range(len(packets))]


def test_broken_packets_over_udp_get_what_plain_unbound_says(servers):
    server, _ = servers
    pid = server.process.pid
    rng = random.Random(_SEED)
    for at in range(0, _MUTATED_UDP, 10_000):
        packets = mutated(rng, min(10_000, _MUTATED_UDP - at))
        _check(packets, *[_over_udp(each, packets) for each in servers])
    check_alive(server, pid)


def test_broken_packets_over_tcp_get_what_plain_unbound_says(servers):
    server, _ = servers
    pid = server.process.pid
    packets = mutated(random.Random(_SEED), _MUTATED_TCP)
    _check(
        packets, *[[ask_over_tcp(each.port, packet) for packet in packets] for each in servers]
    )
    check_alive(server, pid)


def test_broken_packets_get_formerr_or_silence_as_from_plain_unbound(servers):
    """RFC 1035 section 4.1.1: slowly, so that the limit of errors a second is not met."""
    rng = random.Random(_SEED)
    for _ in range(0, _EXACT, _ERRORS_PER_SECOND):
        packets = mutated(rng, _ERRORS_PER_SECOND)
        second = int(time.time())
        wait_until(lambda: int(time.time()) > second, 3, "the next second")
        _check(packets, *[_over_udp(each, packets) for each in servers], is_exact=True)


def _resident(server):
    """KiB that the kernel counts, without the store's own map."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"^RssAnon:\s+(\d+) kB", status, re.M).group(1))


@pytest.mark.skipif(build.is_instrumented(), reason="a sanitizer keeps what was freed")
def test_a_flood_of_missing_names_takes_no_memory(servers):
    """Random names below a zone: nothing of them is kept anywhere."""
    server, _ = servers
    rng = random.Random(_SEED)
    client = Udp(server.port)

    def flood(count):
        for _ in range(0, count, 10_000):
            answers = client.ask(
                [query(f"{rng.getrandbits(64):x}.live.test", ident=n) for n in range(10_000)]
            )
            assert all(said(wire) == (3, 0) for wire in answers.values())

    flood(10_000)  # what is allocated once
    before = _resident(server)
    flood(500_000 if build.LONG else 50_000)
    wait_until(lambda: _resident(server) <= before + 512, 5, "resident memory is what it was")
