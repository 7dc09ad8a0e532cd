# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""A small HTTP client for the API, over a unix socket or TCP."""

import contextlib
import http.client
import json
import socket
import threading
from urllib.parse import urlencode


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self._path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Reply:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def revision(self):
        return self.json["revision"]

    def __repr__(self):
        return f"<{self.status} {self.body[:300]!r}>"


class ApiError(AssertionError):
    def __init__(self, what, reply):
        super().__init__(f"{what}: {reply!r}")
        self.reply = reply


class Api:
    """One connection per thread, kept alive. Requests are never repeated by themselves."""

    def __init__(self, unix=None, tcp=None, token=None, timeout=30.0):
        self.unix, self.tcp, self.token, self.timeout = unix, tcp, token, timeout
        self._local = threading.local()

    def _connect(self):
        if self.unix:
            return UnixConnection(self.unix, self.timeout)
        host, port = self.tcp
        return http.client.HTTPConnection(host, port, timeout=self.timeout)

    def close(self):
        connection = getattr(self._local, "connection", None)
        if connection:
            connection.close()
            self._local.connection = None

    def request(self, method, path, body=None, headers=None, **query):
        """`body`: bytes and str go as they are, anything else as JSON."""
        headers = dict(headers or {})
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        if isinstance(body, str):
            body = body.encode()
        if self.token:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        if query:
            path += "?" + urlencode({key.replace("_", "-"): value for key, value in query.items()})
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect()
        try:
            with contextlib.suppress(BrokenPipeError):
                # A request that is refused by its header alone is answered before its body
                # was sent; that answer is still to be read.
                connection.request(method, path, body=body, headers=headers)
            response = connection.getresponse()
            reply = Reply(response.status, response.headers, response.read())
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if isinstance(error, http.client.HTTPException):
                raise ConnectionError(repr(error)) from error
            raise
        if response.will_close:
            self.close()
        return reply

    def _expect(self, what, reply, statuses=(200, 201)):
        if reply.status not in statuses:
            raise ApiError(what, reply)
        return reply

    def get(self, path, **query):
        return self._expect(f"GET {path}", self.request("GET", path, **query))

    def put(self, name, rdtype, records, **fields):
        """Replaces one RRset; returns the reply of an accepted write."""
        if isinstance(records, str):
            records = [records]
        path = f"/v1/rrsets/{name}/{rdtype}"
        body = {"records": records, **fields}
        return self._expect(f"PUT {path}", self.request("PUT", path, body))

    def delete(self, name, rdtype):
        path = f"/v1/rrsets/{name}/{rdtype}"
        return self._expect(f"DELETE {path}", self.request("DELETE", path))

    def batch(self, changes):
        return self._expect("POST /v1/batch", self.request("POST", "/v1/batch", {"changes": changes}))

    def status(self):
        return self.get("/v1/status").json

    def is_ready(self):
        return self.request("GET", "/readyz").status == 200
