# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""A real Unbound on a free port of loopback."""

import os
import re
import subprocess

import dns.query

from . import build
from .ports import HOST, Port
from .process import Process
from .resolver import Resolver
from .wait import wait_until

_STARTS = 5  # another program may take the port between our look and Unbound's bind
_PORT_TAKEN = re.compile(r"can't bind socket|could not open ports|Address already in use")

_CONFIG = """\
server:
    directory: "{directory}"
    chroot: ""
    username: ""
    pidfile: "{directory}/unbound.pid"
    use-syslog: no
    logfile: ""
    log-time-ascii: yes
    verbosity: 1
    do-daemonize: no
    num-threads: {threads}
    so-reuseport: yes
    interface: {host}
    port: {port}
    do-not-query-localhost: no
    do-ip6: no
    outgoing-range: 512
    incoming-num-tcp: 100
    wait-limit: 0
    root-key-sentinel: no
    trust-anchor-signaling: no
{server}
remote-control:
    control-enable: yes
    control-interface: "{directory}/control.sock"
    control-use-cert: no
{upstream}
{extra}
"""

_FORWARD = """\
forward-zone:
    name: "."
    forward-addr: {host}@{port}
"""

# With no upstream given: a port where nobody listens, over TCP, which says so at once.
_NOBODY = """\
forward-zone:
    name: "."
    forward-addr: {host}@1
    forward-tcp-upstream: yes
"""


class Unbound(Resolver):
    """`server` is text for the server section, `extra` for what follows it. `upstream`
    is a port on loopback that "." is forwarded to; `modules` the module-config, None when
    `extra` sets it, `wrapper` a command that executes Unbound."""

    def __init__(
        self,
        directory,
        threads=2,
        server="",
        extra="",
        upstream=None,
        modules="iterator",
        env=None,
        loads=None,
        wrapper=(),
    ):
        directory.mkdir(exist_ok=True)
        self.directory = directory
        self.config = directory / "unbound.conf"
        self.threads = threads
        self.wrapper = wrapper
        self.process = None
        self._reserved = None
        self._parts = {
            "server": server + (f'\n    module-config: "{modules}"' if modules else ""),
            "extra": extra,
            "upstream": (_FORWARD if upstream else _NOBODY).format(host=HOST, port=upstream),
        }
        self.environment = {**build.sanitizer_environment(leaks=False, loads=loads), **(env or {})}

    def start(self):
        """Starts and waits until it answers. `extra` may be a function of the port."""
        for left in reversed(range(_STARTS)):
            if self._reserved is None:
                self._reserved = Port()
                super().__init__(self._reserved.number)
                self.write_config()
            if self.process is None:
                self.process = Process(
                    "unbound", self._argv(), self.directory / "unbound.log", env=self.environment
                )
            else:
                self.process.argv, self.process.env = self._argv(), {**os.environ, **self.environment}
                self.process.start()
            self.wait_up()
            if self.process.is_running():
                return self
            self.process.wait()
            if not left or not _PORT_TAKEN.search(self.process.output()):
                raise AssertionError(f"Unbound ended at start:\n{self.process.output()}")
            self.process.log.unlink()
            self._release()
        raise AssertionError("unreachable")

    def _argv(self):
        return [str(word) for word in (*self.wrapper, build.UNBOUND, "-d", "-c", self.config)]

    def wait_up(self):
        """Until it answers, or has ended."""
        wait_until(lambda: not self.process.is_running() or self._is_up(), 20, "Unbound is up")

    def write_config(self, **parts):
        """Writes the file anew; `parts` replaces server, extra or upstream."""
        self._parts.update(parts)
        extra = self._parts["extra"]
        self.config.write_text(
            _CONFIG.format(
                directory=self.directory,
                threads=self.threads,
                host=HOST,
                port=self.port,
                **{**self._parts, "extra": extra(self.port) if callable(extra) else extra},
            )
        )

    def _is_up(self):
        query = dns.message.make_query("version.bind", "TXT", rdclass="CH")
        dns.query.tcp(query, HOST, port=self.port, timeout=1)
        dns.query.udp(query, HOST, port=self.port, timeout=1)
        return self.control("status", check=False).returncode == 0

    def control(self, *args, check=True):
        """unbound-control; returns the finished process with its output."""
        done = subprocess.run(
            [build.UNBOUND_CONTROL, "-c", self.config, *args],
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def reload(self, verb="reload"):
        """Reloads and waits for the end of it: unbound-control does not."""

        def starts():
            return self.process.output().count("start of service")

        before = starts()
        self.control(verb)
        wait_until(lambda: starts() > before, 20, f"{verb} is done")

    def stats(self):
        """All counters, without resetting them."""
        lines = self.control("stats_noreset").stdout.splitlines()
        return {key: float(value) for key, value in (line.split("=", 1) for line in lines)}

    def cached(self):
        """The text of dump_cache: what Unbound keeps."""
        return self.control("dump_cache").stdout

    def checkconf(self):
        done = subprocess.run(
            [build.UNBOUND_CHECKCONF, self.config], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def stop(self):
        if self.process:
            return self.process.stop()

    def _release(self):
        if self._reserved:
            self._reserved.close()
            self._reserved = None
        self.process = None

    def close(self):
        """Ends it; see Process.close."""
        process = self.process
        try:
            if process:
                process.close()
        finally:
            self._release()
