# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Where the programs under test are, and what they were built with."""

import os
import re
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
PREFIX = Path(os.environ.get("LIVEZONE_PREFIX", SOURCE / "build" / "install")).resolve()

UNBOUND = PREFIX / "sbin" / "unbound"
UNBOUND_CONTROL = PREFIX / "sbin" / "unbound-control"
UNBOUND_CHECKCONF = PREFIX / "sbin" / "unbound-checkconf"
LIVEZONED = PREFIX / "sbin" / "livezoned"
LIVEZONECTL = PREFIX / "bin" / "livezonectl"
MODULE = PREFIX / "lib" / "unbound" / "livezone.so"

LONG = os.environ.get("LIVEZONE_TEST_LONG", "0") not in ("", "0")

# A sanitizer's runtime has to be the first library of a process; a plain Unbound that
# loads an instrumented module needs it preloaded.
_RUNTIME = re.compile(rb"lib(?:asan|tsan)\.so\.\d+")

# What a sanitizer says when it found something.
SANITIZER_REPORT = re.compile(
    r"ERROR: (?:Address|Leak|Thread|Memory)Sanitizer|WARNING: ThreadSanitizer|runtime error:"
)


def sanitizer_runtime(path):
    """The runtime library that the file at `path` is linked with, or None."""
    if not path.exists():
        return None
    found = _RUNTIME.search(path.read_bytes())
    return found.group().decode() if found else None


def sanitizer_environment(leaks, loads=None):
    """Environment of a process; `loads` is a library that it will load by itself."""
    env = {
        "ASAN_OPTIONS": f"detect_leaks={int(leaks)}",
        "LSAN_OPTIONS": f"suppressions={SOURCE}/tests/lsan.supp:print_suppressions=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "TSAN_OPTIONS": "second_deadlock_stack=1",
    }
    runtime = sanitizer_runtime(loads) if loads else None
    if runtime:
        env["LD_PRELOAD"] = runtime
    return env


def is_instrumented():
    """Whether any program under test is a sanitizer build: such a one is slower."""
    return any(sanitizer_runtime(path) for path in (MODULE, LIVEZONED))
