# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Processes, cores, ports, dnsperf: what every row of the benchmark is measured with.

A process is started pinned to a core, dies with this program (PR_SET_PDEATHSIG), and is
ended by its own process id.
"""

import atexit
import contextlib
import glob
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import time

CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE = CORES[0]
CLIENT_CORE = CORES[1 % len(CORES)]
# livezoned and the write client, while queries are measured: a third core where there is one.
THIRD_CORE = CORES[2 % len(CORES)] if len(CORES) > 2 else CLIENT_CORE
TICKS = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """A subject or a row cannot be measured; the text says why."""


def free_port():
    """A port that is free on loopback for UDP and TCP."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, \
             socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp:
            udp.bind(("127.0.0.1", 0))
            try:
                tcp.bind(("127.0.0.1", udp.getsockname()[1]))
            except OSError:
                continue
            return udp.getsockname()[1]


def pinned(argv, core):
    return ["taskset", "-c", str(core), "setpriv", "--pdeathsig", "KILL", *map(str, argv)]


def run(argv, core=CLIENT_CORE, **options):
    """Runs a client to its end; its standard output."""
    done = subprocess.run(pinned(argv, core), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, check=False, **options)
    if done.returncode:
        raise Failed(f"{os.path.basename(str(argv[0]))}: {done.stderr.strip()[-400:]}")
    return done.stdout


class Process:
    """A server (or a client in the background) of ours."""

    running = []

    def __init__(self, argv, log, core=SERVER_CORE, env=None, stdout=None):
        self.log = pathlib.Path(log)
        with open(self.log, "ab") as out:
            self.child = subprocess.Popen(pinned(argv, core), stdin=subprocess.DEVNULL,
                                          stdout=stdout or out, stderr=out,
                                          env={**os.environ, **(env or {})})
        Process.running.append(self)

    @property
    def pid(self):
        return self.child.pid

    def tree(self):
        """This process and its living descendants."""
        found, queue = [], [self.pid]
        while queue:
            pid = queue.pop()
            if os.path.isdir(f"/proc/{pid}"):
                found.append(pid)
            for children in glob.glob(f"/proc/{pid}/task/*/children"):
                with contextlib.suppress(OSError):  # a thread may end while we look
                    queue.extend(map(int, pathlib.Path(children).read_text().split()))
        return found

    def cpu_seconds(self):
        ticks = 0
        for pid in self.tree():
            with contextlib.suppress(OSError):
                fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
                ticks += int(fields[11]) + int(fields[12])
        return ticks / TICKS

    def memory(self):
        """Resident kilobytes: whole, and the parts that only this process has."""
        total = {"VmRSS": 0, "RssAnon": 0, "RssFile": 0, "RssShmem": 0}
        for pid in self.tree():
            with open(f"/proc/{pid}/status", encoding="ascii") as f:
                for line in f:
                    key, _, value = line.partition(":")
                    if key in total:
                        total[key] += int(value.split()[0])
        return total

    def check(self):
        if self.child.poll() is not None:
            tail = self.log.read_text(errors="replace")[-600:]
            raise Failed(f"{self.child.args[6]} ended ({self.child.returncode}): {tail}")

    def stop(self, how=signal.SIGTERM):
        if self in Process.running:
            Process.running.remove(self)
        if self.child.poll() is None:
            self.child.send_signal(how)
            try:
                self.child.wait(20)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()


@atexit.register
def stop_all():
    for process in list(reversed(Process.running)):
        process.stop()


def question(name, kind=1, number=0):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!6H", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + \
        struct.pack("!2H", kind, 1)


def ask(port, name, timeout=0.002):
    """Addresses in the answer to an A question, or None when none came. Answers whose name is
    not compressed to the question are not expected here."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(timeout)
        try:
            s.connect(("127.0.0.1", port))
            s.send(question(name))
            reply = s.recv(4096)
        except OSError:
            return None
    if len(reply) < 12 or reply[3] & 15:
        return None
    count = struct.unpack("!H", reply[6:8])[0]
    at = 12 + len(question(name)) - 12
    found = []
    for _ in range(count):
        if reply[at] & 0xC0 != 0xC0:
            at += len(question(name)) - 16
        else:
            at += 2
        kind, _, _, size = struct.unpack("!HHIH", reply[at:at + 10])
        if kind == 1 and size == 4:
            found.append(socket.inet_ntoa(reply[at + 10:at + 14]))
        at += 10 + size
    return found


def wait_answer(port, name, address, processes, seconds=300):
    """Asks until the address comes back; the time of the answer (monotonic)."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if address in (ask(port, name) or []):
            return time.monotonic()
        for process in processes:
            process.check()
        time.sleep(0.001)
    raise Failed(f"no right answer for {name} in {seconds} s")


def wait_http(connect, path, process, seconds=120, headers=None):
    """Waits until a GET answers 2xx; connect() makes a new http.client connection."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        process.check()
        try:
            connection = connect()
            connection.request("GET", path, headers=headers or {})
            if connection.getresponse().status // 100 == 2:
                return
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(0.02)
    raise Failed(f"{path}: not ready in {seconds} s")


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=600):
        super().__init__("localhost", timeout=timeout)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def busy_seconds():
    """CPU seconds that all processes of the machine spent on the two cores."""
    total = 0
    with open("/proc/stat", encoding="ascii") as f:
        for line in f:
            match = re.match(r"cpu(\d+) (.*)", line)
            if match and int(match[1]) in (SERVER_CORE, CLIENT_CORE):
                user, nice, system, _, _, irq, softirq, *_ = map(int, match[2].split())
                total += user + nice + system + irq + softirq
    return total / TICKS


class Disturbance:
    """How much of the two cores went to processes that are not ours: the worst run."""

    worst = 0.0

    def __init__(self, *processes):
        self.processes = processes

    def __enter__(self):
        self.busy, self.wall = busy_seconds(), time.monotonic()
        self.ours = self._ours()
        return self

    def __exit__(self, *_):
        wall = time.monotonic() - self.wall
        foreign = busy_seconds() - self.busy - (self._ours() - self.ours)
        self.share = max(0.0, foreign / wall)
        # Interrupts of the loopback traffic itself are not always ours by the books.
        Disturbance.worst = max(Disturbance.worst, self.share)

    def _ours(self):
        usage = sum(os.times()[:4])
        return usage + sum(p.cpu_seconds() for p in Process.running)


def dnsperf(server, port, queries, seconds=None, passes=None, outstanding=100):
    """One run of dnsperf; rate, losses, return codes and how busy the server was."""
    argv = ["dnsperf", "-s", "127.0.0.1", "-p", port, "-d", queries, "-T", 1, "-c", 8,
            "-q", outstanding, "-t", 5, "-S", 0]
    if seconds:
        argv += ["-l", seconds]
    if passes:
        argv += ["-n", passes]
    before, began = server.cpu_seconds(), time.monotonic()
    with Disturbance() as disturbance:
        text = run(argv)
    wall = time.monotonic() - began
    spent = server.cpu_seconds() - before
    server.check()

    def number(pattern):
        match = re.search(pattern, text)
        return float(match[1]) if match else 0.0

    codes = re.search(r"Response codes:\s+(.*)", text)
    sent = number(r"Queries sent:\s+(\d+)")
    return {
        "per_second": number(r"Queries per second:\s+([\d.]+)"),
        "sent": sent,
        "lost": number(r"Queries lost:\s+(\d+)"),
        "codes": dict(re.findall(r"([A-Z]+) (\d+)", codes[1])) if codes else {},
        "server_busy": spent / wall,
        "cpu_us": spent * 1e6 / sent if sent else 0.0,
        "disturbance": disturbance.share,
    }


def last_json(text):
    return json.loads(text.strip().splitlines()[-1])
