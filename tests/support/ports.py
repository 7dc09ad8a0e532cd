# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Free ports on loopback."""

import errno
import socket

HOST = "127.0.0.1"


class Port:
    """A port that no other test gets as long as this object is open.

    The TCP side stays bound, without listening, with SO_REUSEADDR: the server under
    test, which sets that too, can still listen; nobody else is given the number.
    """

    def __init__(self):
        while True:
            self._tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            self._tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._tcp.bind((HOST, 0))
            self.number = self._tcp.getsockname()[1]
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
                try:
                    udp.bind((HOST, self.number))
                    return
                except OSError as error:
                    self._tcp.close()
                    if error.errno != errno.EADDRINUSE:
                        raise

    def close(self):
        self._tcp.close()


def bound_pair():
    """A UDP and a listening TCP socket on the same free port."""
    while True:
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind((HOST, 0))
        tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tcp.bind((HOST, udp.getsockname()[1]))
            tcp.listen(64)
            return udp, tcp
        except OSError as error:
            udp.close()
            tcp.close()
            if error.errno != errno.EADDRINUSE:
                raise
