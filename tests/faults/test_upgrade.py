# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""livezoned and the module of different versions (F58): another digit in the schema's name, in a store
or in the program itself."""

import shutil
from pathlib import Path

import pytest

from support import build, state_damage, truth
from support.wait import wait_until


def other_version(program, copy, schema):
    """The same program, for which the schema is the next one."""
    content = program.read_bytes()
    assert content.count(schema) >= 2, "the schema is not in the program as text"
    copy.write_bytes(content.replace(schema, schema[:3] + b"9"))
    copy.chmod(0o755)
    return copy


@pytest.fixture
def newer(tmp_path):
    if build.is_instrumented():
        pytest.skip("needs the plain build")
    return lambda program, schema: other_version(
        program, tmp_path / f"newer-{program.name}", schema)


def test_f58_serve_of_a_newer_livezoned_and_back(faults):
    """What a newer livezoned would publish, by a rename as it would; then the old one again."""
    whole = faults.whole()
    serve, data = Path(whole.daemon.serve), faults.data_of(whole)
    with faults.probing(whole) as watch:
        with watch.fault():
            whole.daemon.kill()
            newer_serve = shutil.copytree(serve, serve.with_name("newer"))
            newer_data = newer_serve / "data.mdb"
            newer_data.write_bytes(newer_data.read_bytes().replace(b"LZS3", b"LZS9"))
            serve.rename(serve.with_name("older"))
            newer_serve.rename(serve)
        wait_until(lambda: "LZS9" in whole.unbound.process.output(), 10, "the module refuses it")
        # what it read before is no longer served as live
        wait_until(lambda: whole.query(truth.hot(0)).options, 10, "its answers say that they are stale")
        watch.ask(1000)
        whole.daemon.start()
        assert b"LZS9" not in data.read_bytes()
        watch.wait_live()
    verdict = watch.must(
        stale_ok=True, note="a module of an older schema answers from its snapshot; rolled back")
    assert verdict.stale


def test_f58_old_livezoned_with_a_new_module(faults, livezone, newer, monkeypatch):
    monkeypatch.setattr(build, "MODULE", newer(build.MODULE, b"LZS3"))
    daemon = faults.daemon()
    daemon.api.put("a.live.test", "A", "10.0.0.1")
    whole = livezone(daemon=daemon, wait=False)
    wait_until(lambda: "LZS3" in whole.unbound.process.output(), 10, "the module refuses it")
    assert whole.answers(truth.hot(0)) == [truth.fallback_records()[truth.hot(0)]]
    assert whole.unbound.process.is_running()
    faults.record(note="a module of a newer schema refuses serve; fallback answers, no exit")


def test_f58_state_of_a_newer_livezoned(faults):
    """No downgrade: the older one ends and has changed nothing; serve answers on."""
    whole = faults.whole()
    data = state_damage.data_of(whole.daemon.config["store"]["state"])
    with faults.probing(whole, writes=0) as watch:
        whole.daemon.stop()
        content = data.read_bytes()
        state_damage.raise_schema(whole.daemon.config["store"]["state"])
        newer_state = data.read_bytes()
        whole.daemon.spawn()
        assert whole.daemon.process.wait() > 0
        assert 'schema "LZT3" found' in whole.daemon.process.output()
        assert data.read_bytes() == newer_state
        watch.ask(1000)
        data.write_bytes(content)
        whole.daemon.start()
    watch.must(note="refused, unchanged")
