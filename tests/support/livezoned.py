# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""A real livezoned with its own configuration, store and API socket."""

import json
import os
import pwd
import re
import subprocess

from . import build
from .http import Api
from .ports import HOST, Port
from .process import Process
from .wait import wait_until

_STARTS = 5
_PORT_TAKEN = re.compile(r"[Aa]ddress already in use|EADDRINUSE")


def default_config(directory, serve, zones):
    """The configuration that most tests start from, as the dict that becomes the YAML."""
    return {
        "store": {
            "state": str(directory / "state"),
            "serve": str(serve),
            "size-limit": "256MiB",
        },
        "api": {
            "unix": str(directory / "api.sock"),
            "allow-users": [pwd.getpwuid(os.getuid()).pw_name],
        },
        "zones": [{"name": zone} if isinstance(zone, str) else zone for zone in zones],
    }


class Livezoned:
    """`config` is a dict as in livezone.yaml(5); JSON is YAML, so it is written as such."""

    def __init__(self, directory, config, tcp=False):
        self.directory = directory
        self.config_file = directory / "livezone.yaml"
        self.config = config
        self.process = None
        self.wrapper = ()
        self.environment = {}  # for the first start
        self.arguments = []
        self._reserved = None
        self._wants_tcp = tcp
        for key in ("state", "serve"):
            os.makedirs(config["store"][key], exist_ok=True)
        self.api = Api(unix=config["api"]["unix"]) if "unix" in config["api"] else None
        self.tcp = None
        self.write_config()

    @property
    def serve(self):
        return self.config["store"]["serve"]

    def write_config(self, text=None):
        """Writes `text`, or self.config as it is now."""
        if self._wants_tcp:
            if self._reserved is None:
                self._reserved = Port()
            self.tcp = (HOST, self._reserved.number)
            self.config["api"]["tcp"] = f"{HOST}:{self._reserved.number}"
            if self.api is None or self.api.tcp:
                self.api = Api(tcp=self.tcp)
        if text is None:
            text = json.dumps(self.config, indent=2) + "\n"
        self.config_file.write_text(text)

    def api_over_tcp(self, token=None):
        return Api(tcp=self.tcp, token=token)

    def spawn(self):
        """Starts and returns at once. `wrapper` is a command that executes it."""
        argv = [*self.wrapper, build.LIVEZONED, "--config", self.config_file, *self.arguments]
        if self.process is None:
            self.process = Process(
                "livezoned",
                argv,
                self.directory / "livezoned.log",
                env={**build.sanitizer_environment(leaks=True), **self.environment},
            )
        else:
            self.process.argv = list(map(str, argv))
            self.process.start()

    def start(self, deadline=20.0):
        """Starts and waits until it is ready for writes."""
        for left in reversed(range(_STARTS)):
            self.spawn()
            wait_until(
                lambda: not self.process.is_running() or self.api.is_ready(),
                deadline,
                "livezoned is ready",
            )
            if self.process.is_running():
                return self
            self.process.wait()
            if not left or not self._reserved or not _PORT_TAKEN.search(self.process.output()):
                raise AssertionError(f"livezoned ended at start:\n{self.process.output()}")
            self._reserved.close()
            self._reserved = None
            self.write_config()
        raise AssertionError("unreachable")

    def stop(self):
        self.api.close()
        return self.process.stop()

    def kill(self):
        self.process.kill()
        self.api.close()

    def restart(self):
        self.stop()
        return self.start()

    def ctl(self, *args, input=None, check=True, env=None):
        """Runs livezonectl, which finds the API through the configuration file."""
        done = subprocess.run(
            [str(build.LIVEZONECTL), *map(str, args)],
            input=input,
            capture_output=True,
            text=True,
            timeout=60,
            env={
                **os.environ,
                **build.sanitizer_environment(leaks=True),
                "LIVEZONE_CONF": str(self.config_file),
                **(env or {}),
            },
        )
        report = build.SANITIZER_REPORT.search(done.stderr)
        assert not report, done.stderr
        assert not check or done.returncode == 0, f"livezonectl {args}: {done.stdout}{done.stderr}"
        return done

    def close(self):
        """Ends it; see Process.close."""
        if self.api:
            self.api.close()
        try:
            if self.process:
                self.process.close()
        finally:
            if self._reserved:
                self._reserved.close()
