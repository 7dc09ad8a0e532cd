# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""The servers of a run: how each is configured, started and found ready.

Each class takes the run's Context and the number of names, starts in its constructor, and
has `process`, `port` and close(). One worker or thread for queries wherever there is such
a setting, everything else as the server's defaults have it; exceptions say why.
"""

import http.client
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

import data
from harness import Failed, Process, SERVER_CORE, UnixConnection, free_port, run, \
    wait_answer, wait_http

# Names are answered from memory in all of them. The caches are larger than the defaults so
# that the foreign names of the benchmark fit; wait-limit would refuse a single busy client.
UNBOUND = """\
server:
    directory: "{folder}"
    chroot: ""
    username: ""
    pidfile: ""
    use-syslog: no
    logfile: ""
    do-daemonize: no
    do-ip6: no
    num-threads: 1
    interface: 127.0.0.1
    port: {port}
    access-control: 127.0.0.0/8 allow
    do-not-query-localhost: no
    msg-cache-size: 64m
    rrset-cache-size: 128m
    wait-limit: 0
{server}
remote-control:
    control-enable: no
{extra}
"""
FORWARD = """\
forward-zone:
    name: "."
    forward-addr: 127.0.0.1@{upstream}
"""


class Context:
    """What all subjects share: programs, folders, data."""

    def __init__(self, prefix, peers, build, files):
        self.prefix = pathlib.Path(prefix)
        self.peers = pathlib.Path(peers)
        self.build = pathlib.Path(build)
        self.data = files
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="run-", dir=self.build))
        shm = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.memory = pathlib.Path(tempfile.mkdtemp(prefix="livezone-bench-", dir=shm))

    def close(self):
        shutil.rmtree(self.work, ignore_errors=True)
        shutil.rmtree(self.memory, ignore_errors=True)

    def folder(self, kind, on_memory=False):
        return pathlib.Path(tempfile.mkdtemp(prefix=kind + "-",
                                             dir=self.memory if on_memory else self.work))

    def peer(self, program):
        """Path of a peer's program and the environment that its libraries need."""
        for folder in ("usr/sbin", "usr/bin"):
            path = self.peers / folder / program
            if path.exists():
                libraries = sorted({str(p.parent) for p in self.peers.glob("usr/lib/**/*.so*")})
                return path, {"LD_LIBRARY_PATH": ":".join(libraries)}
        path = shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
        if path is None:
            raise Failed(f"{program} is not here")
        return pathlib.Path(path), {}


class Subject:
    """A running server of one kind."""

    title = ""

    def __init__(self, context):
        self.context = context
        self.folder = context.folder(type(self).__name__.lower())
        self.port = free_port()
        self.process = None
        self.env = {}

    def start(self, *argv, core=SERVER_CORE):
        self.process = Process(argv, self.folder / "log", core=core, env=self.env)
        return self.process

    def write(self, file, text):
        path = self.folder / file
        path.write_text(text)
        return path

    def wait(self, names):
        """Until the last name is answered."""
        return wait_answer(self.port, data.name(names - 1), data.address(names - 1),
                           [self.process])

    def close(self):
        if self.process:
            self.process.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Unbound(Subject):
    """Unbound itself; the other Unbounds differ in what they put in its file."""

    title = "unbound"

    def __init__(self, context, server="", extra="", env=None, wrapper=()):
        super().__init__(context)
        self.env = env or {}
        self.wrapper = wrapper
        self.configure(server, extra)

    def configure(self, server, extra):
        self.config = self.write("unbound.conf", UNBOUND.format(
            folder=self.folder, port=self.port, server=server, extra=extra))

    def start_unbound(self):
        return self.start(*self.wrapper, self.context.prefix / "sbin/unbound", "-d", "-c",
                          self.config)


class LocalData(Unbound):
    title = "Unbound local-data"

    def __init__(self, context, names, started=True, **options):
        super().__init__(context, extra=f'include: "{context.data.local_data(names)}"',
                         **options)
        if started:
            self.start_unbound()
            self.wait(names)

    def configure(self, server, extra):
        super().configure(server + "\nserver:\n" + extra, "")


class AuthZone(Unbound):
    title = "Unbound auth-zone"

    def __init__(self, context, names):
        super().__init__(context, extra=f"""\
auth-zone:
    name: "{data.ZONE}"
    zonefile: "{context.data.zone_file(names)}"
    for-downstream: yes
    for-upstream: no
    fallback-enabled: no
""")
        self.start_unbound()
        self.wait(names)


class Upstream(Unbound):
    """Answers every name there is; on the client's core, as the network would be."""

    title = "upstream"

    def __init__(self, context, core):
        super().__init__(context, server="""\
    local-zone: "." redirect
    local-data: ". 86400 IN A 192.0.2.1"
""")
        self.start(context.prefix / "sbin/unbound", "-d", "-c", self.config, core=core)
        wait_answer(self.port, "ready.example", "192.0.2.1", [self.process])


class Forwarding(Unbound):
    """A resolver without the module that forwards all to the upstream."""

    title = "module not loaded"

    def __init__(self, context, upstream, **options):
        super().__init__(context, extra=FORWARD.format(upstream=upstream.port), **options)
        self.start_unbound()
        wait_answer(self.port, "ready.example", "192.0.2.1", [self.process])


class Livezone(Subject):
    """livezoned with `names` names written over its API, and an Unbound with the module,
    configured by livezonectl unbound-conf. State is on the disk of build/, serve on tmpfs."""

    title = "livezone"

    def __init__(self, context, names, upstream=None, unbound=True, daemon_core=SERVER_CORE,
                 wrapper=(), server=""):
        super().__init__(context)
        self.server = server
        for program in ("sbin/livezoned", "bin/livezonectl", "lib/unbound/livezone.so"):
            if not (context.prefix / program).exists():
                raise Failed(f"{program} is not built")
        self.names, self.upstream, self.wrapper = names, upstream, wrapper
        self.daemon_core = daemon_core
        self.memory = context.folder("serve", on_memory=True)
        self.serve, self.state = self.memory / "serve", self.folder / "state"
        self.socket = self.memory / "api.sock"
        self.state.mkdir()
        self.daemon = self.unbound = None
        self.yaml = self.write("livezone.yaml", f"""\
store:
  state: {self.state}
  serve: {self.serve}
  size-limit: 4GiB
api:
  unix: {self.socket}
  allow-users: [{os.geteuid()}]
zones:
  - name: {data.ZONE}
    ttl: {data.TTL}
    negative-ttl: {data.TTL}
""")
        self.start_daemon()
        self.wait_ready()
        if names:
            self.load(names)
        if unbound:
            self.start_unbound()

    @property
    def target(self):
        return f"unix:{self.socket}"

    def connect(self):
        return UnixConnection(self.socket)

    def start_daemon(self):
        self.daemon = Process([self.context.prefix / "sbin/livezoned", "--config", self.yaml],
                              self.folder / "livezoned.log", core=self.daemon_core)
        return self.daemon

    def wait_ready(self):
        wait_http(self.connect, "/healthz", self.daemon)

    def load(self, names):
        """Replaces the zone in one request; keeps the time that it took."""
        body = self.context.data.records_file(names).read_bytes()
        connection = self.connect()
        before, began = self.daemon.cpu_seconds(), time.monotonic()
        connection.request("PUT", f"/v1/zones/{data.ZONE}", body=body,
                           headers={"Content-Type": "text/dns"})
        reply = connection.getresponse()
        text = reply.read().decode()
        if reply.status != 200:
            raise Failed(f"PUT /v1/zones: {reply.status} {text[:300]}")
        self.load_seconds = time.monotonic() - began
        self.load_cpu = self.daemon.cpu_seconds() - before

    def prepare_unbound(self):
        """A new Unbound with the module on the same store, not started."""
        extra = FORWARD.format(upstream=self.upstream.port) if self.upstream else ""
        unbound = Unbound(self.context, env={"LIVEZONE_CONF": str(self.yaml)},
                          wrapper=self.wrapper)
        fragment = run([self.context.prefix / "bin/livezonectl", "unbound-conf", "--config",
                        self.yaml, "--port", unbound.port])
        unbound.configure(self.server, f'include: "{unbound.write("livezone.conf", fragment)}"\n' + extra)
        self.unbound, self.port = unbound, unbound.port

    def start_unbound(self):
        self.prepare_unbound()
        self.process = self.unbound.start_unbound()
        self.unbound.wait(self.names)

    def stop_unbound(self):
        if self.unbound:
            self.unbound.close()
        self.unbound = self.process = None

    def stop_daemon(self, how=signal.SIGTERM):
        self.daemon.stop(how)

    def close(self):
        self.stop_unbound()
        if self.daemon:
            self.stop_daemon()
        shutil.rmtree(self.memory, ignore_errors=True)
        super().close()


class Knot(Subject):
    title = "Knot DNS"

    def __init__(self, context, names):
        super().__init__(context)
        program, self.env = context.peer("knotd")
        zone = context.data.zone_file(names)
        # Its work files are in /dev/shm only because its socket's path must be short.
        config = self.write("knot.conf", f"""\
server:
    rundir: {self.folder}
    listen: 127.0.0.1@{self.port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: {self.folder}
control:
    listen: {context.memory}/knot.sock
log:
  - target: stderr
    any: warning
zone:
  - domain: {data.ZONE}
    storage: {zone.parent}
    file: {zone.name}
    zonefile-sync: -1
    journal-content: none
""")
        self.start(program, "-c", config)
        self.wait(names)


class Nsd(Subject):
    title = "NSD"

    def __init__(self, context, names):
        super().__init__(context)
        program, self.env = context.peer("nsd")
        config = self.write("nsd.conf", f"""\
server:
    server-count: 1
    ip-address: 127.0.0.1@{self.port}
    username: ""
    zonesdir: "{self.folder}"
    database: ""
    pidfile: "{self.folder}/pid"
    xfrdfile: "{self.folder}/xfrd"
    xfrdir: "{self.folder}"
    zonelistfile: "{self.folder}/zones"
    # Built with a rate limit per client, which is no part of this comparison.
    rrl-ratelimit: 0
    rrl-whitelist-ratelimit: 0
remote-control:
    control-enable: no
zone:
    name: {data.ZONE}
    zonefile: {context.data.zone_file(names)}
""")
        self.start(program, "-d", "-c", config)
        self.wait(names)


class Dnsmasq(Subject):
    title = "dnsmasq"

    def __init__(self, context, names):
        super().__init__(context)
        program, self.env = context.peer("dnsmasq")
        self.start(program, "--keep-in-foreground", f"--port={self.port}", "--no-resolv",
                   "--listen-address=127.0.0.1", "--bind-interfaces", "--no-hosts",
                   f"--addn-hosts={context.data.hosts(names)}", "--conf-file=/dev/null",
                   f"--local=/{data.ZONE}/", "--user=root", "--pid-file=", "--log-facility=-")
        self.wait(names)


class Pdns(Subject):
    """PowerDNS on its LMDB backend. The sync mode is written out: `sync` is what the default
    amounts to (`mapasync`, which syncs as well before 4.9)."""

    title = "PowerDNS LMDB"
    key = "bench"

    def __init__(self, context, names):
        super().__init__(context)
        program, self.env = context.peer("pdns_server")
        utility, _ = context.peer("pdnsutil")
        self.api_port = free_port()
        modules = [str(p.parent) for p in (context.peers / "usr/lib").glob("**/liblmdbbackend.so")]
        if not modules and not list(pathlib.Path("/usr/lib").glob("*/pdns/liblmdbbackend.so")):
            raise Failed("PowerDNS's LMDB backend is not here")
        self.write("pdns.conf", f"""\
launch=lmdb
lmdb-filename={self.folder}/pdns.lmdb
lmdb-sync-mode=sync
{"module-dir=" + modules[0] if modules else ""}
local-address=127.0.0.1
local-port={self.port}
socket-dir={self.folder}
receiver-threads=1
api=yes
api-key={self.key}
webserver=yes
webserver-address=127.0.0.1
webserver-port={self.api_port}
webserver-allow-from=127.0.0.1
loglevel=3
""")
        done = subprocess.run([utility, f"--config-dir={self.folder}", "load-zone", data.ZONE,
                               context.data.zone_file(names)], capture_output=True, text=True,
                              env={**os.environ, **self.env}, check=False)
        if done.returncode:
            raise Failed(f"pdnsutil: {done.stderr[-300:]}")
        self.start(program, f"--config-dir={self.folder}", "--daemon=no", "--guardian=no",
                   "--disable-syslog=yes", "--write-pid=no")
        self.wait(names)

    @property
    def target(self):
        return f"tcp:{self.api_port}"


class CoreDns(Subject):
    title = "CoreDNS"

    def __init__(self, context, names):
        super().__init__(context)
        program, self.env = context.peer("coredns")
        self.env = {**self.env, "GOMAXPROCS": "1"}
        config = self.write("Corefile", f"""\
.:{self.port} {{
    bind 127.0.0.1
    file {context.data.zone_file(names)} {data.ZONE}
}}
""")
        self.start(program, "-conf", config)
        self.wait(names)


class Etcd(Subject):
    title = "etcd"

    def __init__(self, context, names):
        del names
        super().__init__(context)
        program, self.env = context.peer("etcd")
        self.api_port, peer = free_port(), free_port()
        client, peers = (f"http://127.0.0.1:{p}" for p in (self.api_port, peer))
        self.start(program, "--data-dir", self.folder / "data", "--listen-client-urls", client,
                   "--advertise-client-urls", client, "--listen-peer-urls", peers,
                   "--initial-advertise-peer-urls", peers, "--initial-cluster",
                   f"default={peers}", "--logger", "zap", "--log-level", "error")
        wait_http(lambda: http.client.HTTPConnection("127.0.0.1", self.api_port, timeout=5),
                  "/health", self.process)

    @property
    def target(self):
        return f"tcp:{self.api_port}"


DNS_PEERS = {"auth-zone": AuthZone, "knot": Knot, "nsd": Nsd, "dnsmasq": Dnsmasq, "pdns": Pdns,
             "coredns": CoreDns}
