# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Authorities from Debian that livezone is compared with: each takes a list of zones and
starts anew."""

import shutil

from support.ports import HOST, Port
from support.process import Process
from support.resolver import Resolver
from support.wait import wait_until


class Peer(Resolver):
    """One server in a directory of its own; `program` tells whether it is installed."""

    name = program = ""

    def __init__(self, directory):
        self.directory = directory
        directory.mkdir()
        self._port = Port()
        super().__init__(self._port.number)
        self._process = None

    @classmethod
    def is_installed(cls):
        return shutil.which(cls.program, path="/usr/sbin:/usr/bin") is not None

    def load(self, zones):
        """Serves exactly these: apex -> master file text."""
        self.stop()
        for number, (apex, text) in enumerate(zones.items()):
            self._file(number).write_text(text)
        self.write_config(list(zones))
        self._process = Process(self.name, self.command(), self.directory / f"{self.name}.log")
        last = list(zones)[-1]
        wait_until(
            lambda: self.query(last, "SOA", timeout=0.2).answer,
            20,
            f"{self.name} serves:\n{self._process.output()[-2000:]}",
        )

    def _file(self, number):
        return self.directory / f"{number}.zone"

    def stop(self):
        if self._process:
            self._process.stop()
            self._process = None

    def close(self):
        self.stop()
        self._port.close()


class Nsd(Peer):
    name, program = "nsd", "nsd"

    def write_config(self, apexes):
        zones = "".join(
            f'zone:\n  name: "{apex}"\n  zonefile: "{self._file(number)}"\n'
            for number, apex in enumerate(apexes)
        )
        (self.directory / "nsd.conf").write_text(
            f'server:\n  ip-address: {HOST}@{self.port}\n  username: ""\n  chroot: ""\n'
            f'  zonesdir: "{self.directory}"\n  database: ""\n  pidfile: "{self.directory}/pid"\n'
            f'  xfrdfile: "{self.directory}/xfrd.state"\n  xfrdir: "{self.directory}"\n'
            f'  zonelistfile: "{self.directory}/zone.list"\n  server-count: 1\n'
            "remote-control:\n  control-enable: no\n" + zones
        )

    def command(self):
        return ["/usr/sbin/nsd", "-d", "-c", self.directory / "nsd.conf"]


class Knot(Peer):
    name, program = "knot", "knotd"

    def write_config(self, apexes):
        zones = "".join(
            f'  - domain: "{apex}"\n    file: "{self._file(number)}"\n'
            "    semantic-checks: off\n    journal-content: none\n    zonefile-sync: -1\n"
            for number, apex in enumerate(apexes)
        )
        (self.directory / "knot.conf").write_text(
            f'server:\n  listen: {HOST}@{self.port}\n  rundir: "{self.directory}"\n'
            "  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1\n"
            f'database:\n  storage: "{self.directory}/db"\n'
            f"control:\n  listen: {self.directory}/knot.sock\n"
            f"log:\n  - target: stderr\n    any: warning\nzone:\n{zones}"
        )

    def command(self):
        return ["/usr/sbin/knotd", "-c", self.directory / "knot.conf"]


class Bind(Peer):
    name, program = "bind", "named"

    def write_config(self, apexes):
        zones = "".join(
            f'zone "{apex}" {{ type primary; file "{self._file(number)}"; check-names ignore; }};\n'
            for number, apex in enumerate(apexes)
        )
        (self.directory / "named.conf").write_text(
            f'options {{ directory "{self.directory}"; listen-on port {self.port} {{ {HOST}; }};\n'
            f'listen-on-v6 {{ none; }}; recursion no; pid-file "{self.directory}/pid";\n'
            f'session-keyfile "{self.directory}/key"; empty-zones-enable no; dnssec-validation no;\n'
            "minimal-responses no; check-integrity no; check-wildcard no; allow-query { any; };\n"
            f"}};\ncontrols {{ }};\n{zones}"
        )

    def command(self):
        return ["/usr/sbin/named", "-g", "-n", "1", "-c", self.directory / "named.conf"]


def installed():
    return [peer for peer in (Nsd, Knot, Bind) if peer.is_installed()]
