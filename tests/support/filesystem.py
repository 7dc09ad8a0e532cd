# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""File systems of a test's own, to be filled up or to be of another kind."""

import errno
import os
import shutil
import subprocess

import pytest


def mount_small(cleanup, path, size):
    """Mounts a tmpfs of `size` bytes at `path`; skips the test when that is not allowed."""
    if os.geteuid() != 0:
        pytest.skip("mounting a file system needs root")
    path.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        pytest.skip(f"no mount here: {done.stderr.strip()}")
    cleanup.callback(unmount, path)
    return path


def unmount(path):
    """Takes it away, used or not; nothing when it is not mounted."""
    if os.path.ismount(path):
        subprocess.run(["umount", "--lazy", path], check=True)


def fill(path):
    """Takes all that is left of the file system; returns the file that holds it."""
    filler = path / "filler"
    with open(filler, "wb", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                continue
    return filler


def mount_image(cleanup, path, kind="ext4", size="256M", options=()):
    """Mounts a new file system of that kind, in a file beside it, at `path`."""
    if os.geteuid() != 0:
        pytest.skip("mounting a file system needs root")
    if not shutil.which(f"mkfs.{kind}"):
        pytest.skip(f"mkfs.{kind} is not installed")
    image = path.with_name(f"{path.name}.img")
    path.mkdir()
    for argv in (
        ["truncate", "-s", size, image],
        [f"mkfs.{kind}", "-q", *options, image],
        ["mount", "-o", "loop", image, path],
    ):
        done = subprocess.run(argv, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"no {kind} here: {done.stderr.strip()}")
    cleanup.callback(unmount, path)
    return path


def mount_overlay(cleanup, path):
    """An overlay whose layers lie beside `path`."""
    if os.geteuid() != 0:
        pytest.skip("mounting a file system needs root")
    layers = {name: path.with_name(f"{path.name}-{name}") for name in ("lower", "upper", "work")}
    for layer in (path, *layers.values()):
        layer.mkdir()
    options = ",".join(f"{name}dir={layer}" for name, layer in layers.items())
    done = subprocess.run(["mount", "-t", "overlay", "-o", options, "overlay", path],
                          capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no overlay here: {done.stderr.strip()}")
    cleanup.callback(subprocess.run, ["umount", "--lazy", path], check=True)
    return path


def fill_inodes(path):
    """Makes empty files until none can be made; returns their directory."""
    directory = path / "inodes"
    directory.mkdir()
    try:
        for number in range(1_000_000):
            (directory / str(number)).touch()
    except OSError as error:
        assert error.errno == errno.ENOSPC, error
        return directory
    raise AssertionError("inodes without end")
