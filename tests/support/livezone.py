# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Unbound with the module and livezoned, wired up as an operator would."""

from . import build
from .unbound import Unbound
from .wait import wait_until


def module_environment(daemon):
    return {"LIVEZONE_CONF": str(daemon.config_file)}


def fragment(daemon, port):
    """What an operator includes: the output of `livezonectl unbound-conf`."""
    return daemon.ctl("unbound-conf", "--port", port, "--module", build.MODULE).stdout


class Livezone:
    """`query` and `answers` ask Unbound, `api` writes to livezoned."""

    def __init__(self, daemon, unbound):
        self.daemon = daemon
        self.unbound = unbound
        self.api = daemon.api
        self.query = unbound.query
        self.answers = unbound.answers

    def wait_live(self, deadline=15.0):
        """Until the module has opened the store: every zone answers with its own SOA."""
        for zone in self.daemon.config["zones"]:
            wait_until(
                lambda: self.answers(zone["name"], "SOA"),
                deadline,
                f"{zone['name']} is live",
            )
        return self


def unbound_with_module(directory, daemon, extra="", **options):
    """Not started yet. `extra` is added behind the fragment."""
    return Unbound(
        directory,
        modules=None,
        extra=lambda port: fragment(daemon, port) + extra,
        env=module_environment(daemon),
        loads=build.MODULE,
        **options,
    )
