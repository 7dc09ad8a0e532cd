# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Waiting for a condition with a deadline: the only kind of waiting that tests do."""

import time


class Timeout(AssertionError):
    pass


def wait_until(condition, deadline=10.0, what="", interval=0.01):
    """Calls `condition` until it returns something true, and returns that.

    An AssertionError, OSError or DNS error counts as "not yet"; the last one is
    named when the deadline (seconds) passes.
    """
    from dns.exception import DNSException

    end = time.monotonic() + deadline
    last = None
    while True:
        try:
            value = condition()
            if value:
                return value
            last = None
        except (AssertionError, OSError, DNSException) as error:
            last = error
        if time.monotonic() > end:
            name = what or getattr(condition, "__name__", "condition")
            raise Timeout(f"{name}: not true after {deadline} s" + (f" ({last!r})" if last else ""))
        time.sleep(interval)
