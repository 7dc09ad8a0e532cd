# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""Small C programs of the tests, compiled when the first test asks for one."""

import atexit
import shutil
import subprocess
import tempfile
from pathlib import Path

_made = {}


def compiled(source, *flags, name=None):
    """The program (or, with "-shared", "-fPIC", the library) of one C file. `flags` go to the
    compiler behind the file: ("-llmdb",)."""
    key = (str(source), flags)
    if key not in _made:
        directory = Path(tempfile.mkdtemp(prefix="livezone-compiled-"))
        atexit.register(shutil.rmtree, directory, ignore_errors=True)
        program = directory / (name or Path(source).stem)
        done = subprocess.run(
            ["cc", "-std=gnu11", "-O2", "-g", "-Wall", "-Wextra", "-pthread", "-o", program,
             source, *flags],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0 and not done.stderr, done.stderr
        _made[key] = program
    return _made[key]
