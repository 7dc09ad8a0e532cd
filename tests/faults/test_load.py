# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""More data, writes, questions and connections than anybody should send, and record sources
and clients that misbehave."""

import contextlib
import datetime
import hashlib
import json
import os
import random
import re
import resource
import socket
import subprocess
from pathlib import Path

import pytest

from support import build, truth
from support.compiled import compiled
from support.faults import FULL, cases
from support.http import Api
from support.load import Load
from support.wait import wait_until
from support.wire import TYPES, DnsClient, HttpClient

MIB = 1024 * 1024
BENCH = build.SOURCE / "tests" / "bench"
TEXT = {"Content-Type": "text/dns"}


def memory(pid, key="VmRSS"):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"{key}:\s+(\d+)", status).group(1)) * 1024


def blocks(path):
    return os.stat(path).st_blocks * 512


def sizes(whole):
    return [blocks(Path(whole.daemon.config["store"][store]) / "data.mdb")
            for store in ("state", "serve")]


# --- F47, F48, F49: writes ------------------------------------------------------------------


def test_f47_loaded_and_deleted(faults):
    names = faults.pick(20_000, 1_000_000)
    whole = faults.whole(zones=["bulk.test"], store={"size-limit": "2GiB"})
    zone = "".join(f"h{number} 5 IN A 10.1.2.3\n" for number in range(names))
    after = []
    with faults.probing(whole) as watch:
        for _ in range(3):
            reply = whole.api.request("PUT", "/v1/zones/bulk.test", zone, TEXT)
            assert reply.status == 200, reply
            assert whole.answers(f"h{names - 1}.bulk.test") == ["10.1.2.3"]
            reply = whole.api.request("PUT", "/v1/zones/bulk.test", "@ 5 IN TXT empty\n", TEXT)
            assert reply.status == 200, reply
            assert whole.query(f"h{names - 1}.bulk.test").rcode() == truth.NXDOMAIN
            after.append(sizes(whole))
        watch.wait_live()
    watch.must(note="; ".join(f"{state // MIB} and {serve // MIB} MiB" for state, serve in after))
    for second, third in zip(after[1], after[2]):
        assert third <= second * 1.05 + MIB


class BatchLoad(Load):
    """The same batches again and again, with other addresses each time round."""

    def __init__(self, api, first, items):
        super().__init__()
        self._http = HttpClient(str(api.unix), timeout=60.0)
        self._bodies = [self._body(first, items, value) for value in range(4)]
        self._items, self._round = items, 0
        self.written = self.refused = 0

    @staticmethod
    def _body(first, items, value):
        return json.dumps({"changes": [
            {"put": {"name": f"h{first + n}.bulk.test", "type": "A", "records": [f"10.9.{value}.1"]}}
            for n in range(items)]})

    def step(self):
        self._round += 1
        status, body = self._http.send("POST", "/v1/batch", self._bodies[self._round % 4])
        if status == 200:
            self.written += self._items
        elif status == 503:
            self.refused += 1
        else:
            self.fault("batch", status, body[:200])


def test_f48_writes_without_end(faults):
    seconds = faults.pick(3, 60)
    whole = faults.whole(zones=["bulk.test"], store={"size-limit": "2GiB"})
    pid = whole.daemon.process.pid
    loads = [BatchLoad(whole.api, number * 1000, 1000) for number in range(4)]
    with faults.probing(whole) as watch:
        for load in loads:
            load.start()
        watch.seconds(seconds)
        peak = memory(pid, "VmHWM")
        for load in loads:
            load.finish()
        watch.wait_live()
    written = sum(load.written for load in loads)
    watch.must(note=f"{written / seconds:.0f} writes/s; livezoned at most {peak // MIB} MiB; "
                    f"{sum(load.refused for load in loads)} of 503")
    assert not any(load.faults for load in loads), [load.faults for load in loads]
    assert written > 10_000
    assert peak < 512 * MIB


class HotReader(Load):
    """Of one name: its address is one of those written, the serial of its zone never goes back."""

    def __init__(self, port, names):
        super().__init__()
        self._dns = DnsClient("127.0.0.1", port)
        self._name, self._zone = names
        self._serial = 0
        self.answers = 0
        self.values = set()

    def step(self):
        flags, records = self._dns.ask_again(self._zone, TYPES["SOA"])
        serial = int.from_bytes(records[0][1][-20:-16], "big") if records else -1
        if flags & 15 or serial < self._serial:
            self.fault("serial", serial, self._serial)
        self._serial = serial
        flags, records = self._dns.ask_again(self._name, TYPES["A"])
        if flags & 15 or len(records) != 1 or records[0][1][0] != 10:
            self.fault("answer", flags & 15, repr(records))
        else:
            self.values.add(records[0][1])
        self.answers += 2


def test_f49_one_hot_name(faults):
    seconds = faults.pick(2, 60)
    program = compiled(BENCH / "write_load.c")
    whole = faults.whole(zones=["bulk.test"])
    name = "h0000000.bulk.test"
    whole.api.put(name, "A", "10.0.0.1")
    reader = HotReader(whole.unbound.port, (name, "bulk.test"))
    with faults.probing(whole) as watch:
        reader.start()
        done = subprocess.run(
            [program, "livezone", f"unix:{whole.api.unix}", "bulk.test", "1", "48", str(seconds),
             "10000"], capture_output=True, text=True, timeout=seconds + 60)
        reader.finish()
        watch.wait_live()
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    watch.must(note=f"{result['per_second']:.0f} writes/s of it, {reader.answers} answers of it, "
                    f"{len(reader.values)} values seen")
    assert not reader.faults, reader.faults
    assert not result["errors"], result["first_error"]
    assert len(reader.values) > 10


TOP = "z"  # a zone below which names may have 127 labels


# --- F50: sizes -----------------------------------------------------------------------------


def test_f50_sizes(faults):
    whole = faults.whole(zones=[TOP])
    api = whole.api
    deep = ".".join(["d"] * 126) + f".{TOP}"
    left = 253 - len(truth.ZONE) - 1
    long = ".".join(["x" * 63] * (left // 64) + (["y" * (left % 64)] if left % 64 else []))
    long = f"{long}.{truth.ZONE}"
    assert len(long) + 2 == 255
    with faults.probing(whole) as watch:
        for count, status in ((10_000, 422), (513, 422), (512, 200)):
            records = [f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(count)]
            reply = api.request("PUT", f"/v1/rrsets/many.{truth.ZONE}/A", {"records": records})
            assert reply.status == status, (count, reply)
        assert whole.query(f"many.{truth.ZONE}").flags & 0x0200, "no TC"
        assert len(whole.answers(f"many.{truth.ZONE}", tcp=True)) == 512
        text = '"' + '" "'.join(["z" * 255] * 255) + '"'
        reply = api.request("PUT", f"/v1/rrsets/wide.{truth.ZONE}/TXT", {"records": [text]})
        assert reply.status in (200, 422), reply
        if reply.status == 200:
            assert whole.query(f"wide.{truth.ZONE}", "TXT").flags & 0x0200
            assert whole.query(f"wide.{truth.ZONE}", "TXT", tcp=True).rcode() == 0
        reply = api.request("PUT", f"/v1/rrsets/wider.{truth.ZONE}/TXT",
                            {"records": [text, text.replace("z", "y")]})
        assert reply.status == 422, reply
        for name in (deep, long):
            api.put(name, "A", "10.0.0.9")
            assert whole.answers(name) == ["10.0.0.9"]
        for name in (f"d.{deep}", f"x{long}"):
            reply = api.request("PUT", f"/v1/rrsets/{name}/A", {"records": ["10.0.0.9"]})
            assert reply.status == 422, (name, reply)
        watch.wait_live()
    watch.must()


# --- F51: questions -------------------------------------------------------------------------


def flood_names(kind, count):
    source = random.Random(5)
    for _ in range(count):
        if kind == "random":
            yield f"{source.getrandbits(60):x}.{truth.ZONE} A\n"
        else:
            yield ".".join(source.choice("abcdef") for _ in range(126)) + f".{TOP} A\n"


@pytest.mark.parametrize("kind", cases(["127-labels", "random"], 1))
def test_f51_flood(faults, tmp_path, kind):
    faults.need("dnsperf")
    seconds = faults.pick(2, 60)
    names = tmp_path / "names"
    names.write_text("".join(flood_names(kind, 20_000)))
    # what comes in one burst must find room in the socket, or the kernel drops it
    whole = faults.whole(zones=[TOP], server="    so-rcvbuf: 4m\n")
    pid = whole.unbound.process.pid

    def flood(length):
        done = subprocess.run(
            ["dnsperf", "-s", "127.0.0.1", "-p", str(whole.unbound.port), "-d", names, "-l",
             str(length), "-Q", "50000", "-c", "8", "-q", "200", "-S", "0"],
            capture_output=True, text=True, timeout=length + 60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    flood(0.5)  # what Unbound allocates once
    before = memory(pid, "RssAnon")
    with faults.probing(whole) as watch:
        with watch.fault():
            text = flood(seconds)
        grown = memory(pid, "RssAnon") - before
        watch.wait_live()
    rate = float(re.search(r"Queries per second:\s+([\d.]+)", text).group(1))
    # prober, flood and Unbound share the processors
    watch.must(p99_ms=20.0, note=f"{rate:.0f} NXDOMAIN/s, memory grew by {grown // 1024} KiB")
    assert re.search(r"Response codes:\s+NXDOMAIN \d+ \(100\.00%\)", text), text
    assert re.search(r"Queries lost:\s+0 ", text), text
    assert grown < 4 * MIB
    # none of it went upstream
    asked = [name for name, _ in faults.upstream.asked]
    assert not any(name.rstrip(".").endswith((truth.ZONE, f".{TOP}")) for name in asked)


# --- F52, F53: record sources ---------------------------------------------------------------


def desired(*names, value="10.7.0.1", **more):
    return {"rrsets": [{"name": f"{name}.{truth.ZONE}", "type": "A", "records": [value]}
                       for name in names], **more}


def test_f52_a_source_misbehaves(faults):
    whole = faults.whole()
    api, path = whole.api, "/v1/sources/kubernetes"
    names = [f"s{number}" for number in range(40)]

    def put(body, headers=None, **query):
        return api.request("PUT", path, body, headers, **query)

    def is_all_there():
        return all(whole.answers(f"{name}.{truth.ZONE}") == ["10.7.0.1"] for name in names)

    with faults.probing(whole) as watch:
        good = put(desired(*names))
        assert good.status == 200
        # an empty list and less than half of one, after a source lost its own memory
        assert put(desired()).status == 409
        assert put(desired(*names[:15])).status == 409
        # the same name twice; text that ends in the middle
        assert put(desired(*names, names[0])).status == 422
        whole_text = json.dumps(desired(*names))
        assert put(whole_text[: len(whole_text) // 2],
                   {"Content-Type": "application/json"}).status == 400
        # a list from before the last one
        newer = put(desired(*names, "s40"), {"If-Match": good.headers["ETag"]})
        assert newer.status == 200
        assert put(desired(*names[:39]), {"If-Match": good.headers["ETag"]}).status == 412
        # the connection ends in the middle of the body
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(api.unix))
            sock.sendall(f"PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                         f"Content-Length: {len(whole_text)}\r\n\r\n{whole_text[:99]}".encode())
        assert is_all_there()
        # it vanishes: what it leased ends by itself, the rest stays
        leased = {**desired("leased"), "lease": "1s"}
        assert api.request("PUT", "/v1/sources/consul", leased).status == 200
        assert whole.answers(f"leased.{truth.ZONE}") == ["10.7.0.1"]
        wait_until(lambda: whole.query(f"leased.{truth.ZONE}").rcode() == truth.NXDOMAIN, 10,
                   "the lease has ended")
        assert is_all_there()
        # and small steps are taken
        assert put(desired(*names[:30])).status == 200
        watch.wait_live()
    watch.must(note="empty and half lists 409, doubles 422, cut off 400, old 412; lease ended")


def test_f53_two_sources_claim_one_name(faults):
    whole = faults.whole()
    api = whole.api
    name = f"shared.{truth.ZONE}"

    def put(source, value, **query):
        return api.request("PUT", f"/v1/sources/{source}", desired("shared", value=value), **query)

    with faults.probing(whole) as watch:
        assert put("one", "10.7.0.1").status == 200
        for _ in range(faults.pick(20, 1000)):
            refused = put("two", "10.7.0.2")
            assert refused.status == 409 and "one" in refused.text
            assert whole.answers(name) == ["10.7.0.1"]
        assert put("two", "10.7.0.2", force="true").status == 200
        assert whole.answers(name) == ["10.7.0.2"]
        assert put("one", "10.7.0.1").status == 409
        watch.wait_live()
    watch.must(note="409 names the owner; force takes it over")


# --- F54, F55: clients of the API -----------------------------------------------------------


def send_raw(path, data, half_close=False):
    """What comes back until the other side closes."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(15)
        sock.connect(str(path))
        with contextlib.suppress(BrokenPipeError):
            sock.sendall(data)
        if half_close:
            sock.shutdown(socket.SHUT_WR)
        found = b""
        with contextlib.suppress(ConnectionResetError):
            while chunk := sock.recv(65536):
                found += chunk
        return found


PUT = b"PUT /v1/rrsets/raw.live.test/A HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" \
      b"Content-Type: application/json\r\n"
BODY = b'{"records":["10.0.0.1"]}'
MALFORMED = [  # and the statuses that are right; b"": closed without a word
    (PUT + b"Content-Length: 24\r\nTransfer-Encoding: chunked\r\n\r\n" + BODY, [400]),
    (PUT + b"Content-Length: 24\r\nContent-Length: 3\r\n\r\n" + BODY, [400]),
    (PUT + b"Content-Length: -1\r\n\r\n" + BODY, [400]),
    (PUT + b"Content-Length: 99999999999999999999\r\n\r\n" + BODY, [400, 413]),
    (PUT + b"Content-Length: 9000000\r\n\r\n", [413]),
    (PUT + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n" + BODY, [400]),
    (PUT + b"".join(b"X-%d: y\r\n" % n for n in range(100)) + b"\r\n", [400, 431]),
    (PUT + b"X: " + b"y" * 200_000 + b"\r\n\r\n", [400, 413, 431]),
    (b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", [400, 414]),
    (b"GET /v1/../status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", [400]),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500 + b"\r\n\r\n", [400, 405]),
    (b"\0" * 5000, [400, 414, 431]),
    (PUT + b"Content-Length: 9\r\n\r\n" + b"[" * 9, [400]),
    (PUT + b"Content-Length: 20000\r\n\r\n" + b"[" * 20000, [400]),
]


def test_f54_malformed_requests(faults):
    whole = faults.whole()
    path, pid = whole.api.unix, whole.daemon.process.pid
    source = random.Random(54)
    with faults.probing(whole) as watch:
        for data, statuses in MALFORMED:
            found = send_raw(path, data, half_close=True)
            assert not found or int(found.split()[1]) in statuses, (data[:90], found[:300])
        # a client that shuts its side down still gets its answer, and one that waits for 100
        assert b" 200 " in send_raw(path, b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
                                    b"Connection: close\r\n\r\n", half_close=True)
        found = send_raw(path, PUT + b"Expect: 100-continue\r\nContent-Length: 24\r\n\r\n" + BODY)
        assert b" 200 " in found, found
        before = memory(pid)
        valid = PUT + b"Content-Length: 24\r\n\r\n" + BODY
        for _ in range(faults.pick(300, 30_000)):
            data = bytearray(valid)
            for _ in range(source.randint(1, 8)):
                data[source.randrange(len(data))] = source.randrange(256)
            send_raw(path, bytes(data), half_close=True)
        grown = memory(pid) - before
        watch.wait_live()
    watch.must(note=f"memory grew by {grown // 1024} KiB")
    assert grown < 8 * MIB
    assert whole.daemon.process.is_running()


SLOW = {"headers": "-H", "body": "-B", "read": "-X"}


@pytest.mark.parametrize("mode", SLOW if FULL else ["headers"])
def test_f54_slow_clients(faults, mode):
    faults.need("slowhttptest")
    seconds, count = faults.pick((3, 400), (30, 10_000))
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(limits[1], 16384), limits[1]))
    daemon = faults.daemon(tcp=True, api={"insecure-no-auth": True})
    whole = faults.whole(daemon=daemon)
    pid = daemon.process.pid
    with faults.probing(whole) as watch:
        before = memory(pid)
        with watch.fault():
            done = subprocess.run(
                ["slowhttptest", SLOW[mode], "-c", str(count), "-r", str(count), "-i", "1", "-l",
                 str(seconds), "-p", "3", "-u", f"http://127.0.0.1:{daemon.tcp[1]}/v1/zones"],
                capture_output=True, text=True, timeout=seconds + 120)
        grown = memory(pid) - before
        whole.api.close()
        wait_until(whole.api.is_ready, 20, "new connections are taken")
        watch.wait_live()
    assert done.returncode in (0, 1), done.stdout + done.stderr
    watch.must(note=f"{count} connections; memory grew by {grown // 1024} KiB")
    assert grown < 64 * MIB


TOKENS = {"all": [], "one": [truth.ZONE], "old": []}


def write_tokens(path):
    past = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)).strftime(
        "%Y-%m-%dT%H:%M:%SZ")
    rows = [{"id": token, "sha256": hashlib.sha256(token.encode()).hexdigest(),
             "zones": zones or ["."], "verbs": ["read", "write"],
             **({"expires": past} if token == "old" else {})} for token, zones in TOKENS.items()]
    path.write_text(json.dumps({"tokens": rows}))
    path.chmod(0o600)


FORBIDDEN = [  # token, name and type as in the path, status
    (None, f"x.{truth.ZONE}/A", 401),
    ("wrong", f"x.{truth.ZONE}/A", 401),
    ("old", f"x.{truth.ZONE}/A", 401),
    ("ONE", f"x.{truth.ZONE}/A", 401),
    ("one", f"x.{truth.OTHER}/A", 403),
    ("one", f"X.{truth.OTHER.upper()}/A", 403),
    ("one", f"x.{truth.OTHER}./A", 403),
    ("one", f"x{truth.ZONE}/A", (403, 422)),
    ("one", f"{truth.ZONE}.{truth.OTHER}/A", 403),
    ("one", f"x.{truth.ZONE}%2f..%2fx.{truth.OTHER}/A", 400),
    ("one", f"x.{truth.ZONE}/../x.{truth.OTHER}/A", 400),
    ("one", f"x%00.{truth.OTHER}/A", 400),
    ("one", "x.xn--lve-5na.test/A", (403, 422)),
    ("one", f"*.{truth.ZONE}/A", 403),
    ("one", f"x.{truth.ZONE}/CNAME", 403),
    ("one", f"x.{truth.ZONE}/NS", 403),
]


def test_f55_who_may_not(faults, tmp_path):
    tokens = tmp_path / "tokens.yaml"
    write_tokens(tokens)
    daemon = faults.daemon(tcp=True, api={"tokens": str(tokens)})
    whole = faults.whole(daemon=daemon)
    revision = whole.api.status()["state"]["revision"]
    bodies = {"A": ["10.66.6.6"], "CNAME": ["x.example."], "NS": ["ns.example."]}
    with faults.probing(whole, writes=0) as watch:
        for token, target, status in FORBIDDEN * faults.pick(1, 20):
            reply = Api(tcp=daemon.tcp, token=token).request(
                "PUT", f"/v1/rrsets/{target}", {"records": bodies[target.rpartition("/")[2]]})
            if reply.status == 429:  # wrong tokens are answered slowly
                assert status == 401
                continue
            assert reply.status in (status if isinstance(status, tuple) else (status,)), (
                token, target, reply)
        assert whole.api.status()["state"]["revision"] == revision, "something was written"
        good = Api(tcp=daemon.tcp, token="one").request(
            "PUT", f"/v1/rrsets/x.{truth.ZONE}/A", {"records": ["10.0.0.5"]})
        assert good.status == 200, good
    watch.must(note=f"{len(FORBIDDEN)} ways, nothing written")
