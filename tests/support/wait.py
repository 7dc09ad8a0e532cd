# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Waiting for a condition with a deadline: the only kind of waiting that tests do."""

import time


class Timeout(AssertionError):
    pass


def wait_until(condition, deadline=10.0, what="", interval=0.01):
    """Calls `condition` until it returns something true, and returns that.

    An AssertionError, OSError or DNS error counts as "not yet". When the deadline (seconds)
    passes, the report has how often that happened, the last of them, and the last value.
    """
    from dns.exception import DNSException

    end = time.monotonic() + deadline
    calls, errors, value, last = 0, 0, None, None
    while True:
        calls += 1
        try:
            value = condition()
            if value:
                return value
        except (AssertionError, OSError, DNSException) as error:
            errors += 1
            last = error
        if time.monotonic() > end:
            name = what or getattr(condition, "__name__", "condition")
            raise Timeout(
                f"{name}: not true after {deadline} s and {calls} calls; last value {value!r}"
                + (f"; {errors} of them failed, last with {last!r}" if last else "")
            ) from last
        time.sleep(interval)
