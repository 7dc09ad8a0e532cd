# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""livezonectl against a real livezoned: what it writes, prints and refuses."""

import contextlib
import hashlib
import http.server
import json
import os
import subprocess
import threading

import pytest

from support import build
from support.wait import wait_until


@pytest.fixture
def daemon(livezoned):
    return livezoned(zones=[{"name": "live.test", "ttl": 7}, "other.test"])


def rows(text):
    """A table as a list of dicts."""
    lines = [line.split() for line in text.splitlines()]
    return [dict(zip(lines[0], line)) for line in lines[1:]]


def refused(daemon, *args, code=1, **options):
    done = daemon.ctl(*args, check=False, **options)
    assert done.returncode == code if code else done.returncode, done
    assert done.stderr.startswith("livezonectl: ")
    return done.stderr


# ---- one RRset ---------------------------------------------------------------


def test_what_was_put_is_got(daemon):
    said = daemon.ctl("put", "A.Live.Test", "a", "10.0.0.1", "10.0.0.2").stdout
    assert said.startswith("put a.live.test. A, revision ")
    table = rows(daemon.ctl("get", "a.live.test").stdout)
    assert [row["RECORD"] for row in table] == ["10.0.0.1", "10.0.0.2"]
    assert {(row["NAME"], row["TTL"], row["TYPE"], row["SOURCE"]) for row in table} == {
        ("a.live.test.", "7", "A", "api")
    }
    assert said.split()[-1] == table[0]["REVISION"]


def test_options_of_put_are_kept(daemon):
    daemon.ctl("put", "a.live.test", "TXT", '"x y"', "--ttl", 9, "--source", "ci", "--lease=30s")
    shown = json.loads(daemon.ctl("get", "a.live.test", "txt", "--json").stdout)
    assert (shown["ttl"], shown["source"], shown["lease"]) == (9, "ci", "30s")
    assert shown["records"] == ['"x y"']
    assert " of 30s" in daemon.ctl("get", "a.live.test").stdout


def test_json_of_put_is_the_reply(daemon):
    reply = json.loads(daemon.ctl("put", "a.live.test", "A", "10.0.0.1", "--json").stdout)
    assert reply["served"] is True and reply["revision"] > 0


def test_preconditions_hold(daemon):
    first = json.loads(daemon.ctl("put", "a.live.test", "A", "10.0.0.1", "--create", "--json").stdout)
    refused(daemon, "put", "a.live.test", "A", "10.0.0.2", "--create")
    revision = first["revision"]
    daemon.ctl("put", "a.live.test", "A", "10.0.0.2", "--if-revision", revision)
    refused(daemon, "put", "a.live.test", "A", "10.0.0.3", "--if-revision", revision)
    refused(daemon, "delete", "a.live.test", "A", "--if-revision", revision)
    assert "10.0.0.2" in daemon.ctl("get", "a.live.test").stdout


def test_what_was_deleted_is_gone(daemon):
    daemon.ctl("put", "a.live.test", "A", "10.0.0.1")
    assert daemon.ctl("delete", "a.live.test", "A").stdout.startswith("deleted a.live.test. A")
    assert "no such RRset" in refused(daemon, "get", "a.live.test", "A")
    refused(daemon, "delete", "a.live.test", "A")


@pytest.mark.parametrize("name", [r"a\.b.live.test", r"a\032b.live.test", r"per%cent.live.test", r"sl/ash.live.test"])
def test_names_that_no_url_can_hold(daemon, name):
    revision = json.loads(daemon.ctl("put", name, "A", "10.0.0.1", "--create", "--json").stdout)["revision"]
    refused(daemon, "put", name, "A", "10.0.0.1", "--create")
    shown = json.loads(daemon.ctl("get", name, "A", "--json").stdout)
    assert shown["records"] == ["10.0.0.1"]
    refused(daemon, "delete", name, "A", "--if-revision", revision + 1)
    daemon.ctl("delete", name, "A", "--if-revision", revision)
    refused(daemon, "get", name)


# ---- lists -------------------------------------------------------------------


def test_lists_of_records_zones_and_sources(daemon):
    daemon.ctl("put", "a.live.test", "A", "10.0.0.1", "--source", "ci")
    daemon.ctl("put", "b.other.test", "A", "10.0.0.2")
    everything = daemon.ctl("list").stdout
    assert "a.live.test." in everything and "b.other.test." in everything
    assert "b.other.test." not in daemon.ctl("list", "live.test").stdout
    content = json.loads(daemon.ctl("list", "live.test", "--json").stdout)
    assert [rrset["name"] for rrset in content["rrsets"]] == ["a.live.test."]
    contents = json.loads(daemon.ctl("list", "--json").stdout)["zones"]
    assert {zone["name"] for zone in contents if zone["rrsets"]} == {"live.test.", "other.test."}
    zones = {row["ZONE"]: row for row in rows(daemon.ctl("list", "--zones").stdout)}
    assert zones["live.test."]["RRSETS"] == "1" and zones["live.test."]["TTL"] == "7"
    sources = {row["SOURCE"]: row for row in rows(daemon.ctl("list", "--sources").stdout)}
    assert sources["ci"]["RRSETS"] == sources["api"]["RRSETS"] == "1"
    refused(daemon, "list", "live.test", "--zones", code=2)


# ---- desired states -----------------------------------------------------------


def state(tmp_path, *rrsets):
    path = tmp_path / "state.json"
    path.write_text(json.dumps({"rrsets": list(rrsets)}))
    return path


def address(name, *records):
    return {"name": name, "type": "A", "ttl": 5, "records": list(records)}


def test_apply_prints_and_makes_the_difference(daemon, tmp_path):
    path = state(tmp_path, address("a.live.test", "10.0.0.1"), address("b.live.test", "10.0.0.2"))
    said = daemon.ctl("apply", path, "--source", "site").stdout
    assert "+ a.live.test. 5 A 10.0.0.1\n" in said and "\n2 added, 0 changed, 0 deleted" in said
    path = state(tmp_path, address("a.live.test", "10.0.0.9"), address("c.live.test", "10.0.0.3"))
    dry = daemon.ctl("apply", path, "--source", "site", "--dry-run").stdout
    expected = {
        "~ a.live.test. 5 A 10.0.0.1 -> 10.0.0.9",
        "- b.live.test. 5 A 10.0.0.2",
        "+ c.live.test. 5 A 10.0.0.3",
        "1 added, 1 changed, 1 deleted, 0 unchanged",
    }
    assert expected <= set(dry.splitlines())
    assert "10.0.0.1" in daemon.ctl("get", "a.live.test").stdout, "a dry run writes nothing"
    assert expected <= set(daemon.ctl("apply", path, "--source", "site").stdout.splitlines())
    assert "10.0.0.9" in daemon.ctl("get", "a.live.test").stdout
    refused(daemon, "get", "b.live.test")


def test_apply_leaves_others_alone_unless_forced(daemon, tmp_path):
    daemon.ctl("put", "a.live.test", "A", "10.0.0.1", "--source", "ci")
    path = state(tmp_path, address("a.live.test", "10.0.0.2"))
    said = refused(daemon, "apply", path, "--source", "site")
    assert "ci" in said and "--force" in said
    assert "10.0.0.1" in daemon.ctl("get", "a.live.test").stdout
    daemon.ctl("apply", path, "--source", "site", "--force")
    assert rows(daemon.ctl("get", "a.live.test").stdout)[0]["SOURCE"] == "site"


def test_apply_refuses_to_delete_too_much(daemon, tmp_path):
    names = [f"n{number}.live.test" for number in range(20)]
    daemon.ctl("apply", state(tmp_path, *(address(name, "10.0.0.1") for name in names)), "--source", "site")
    few = state(tmp_path, *(address(name, "10.0.0.1") for name in names[:5]))
    assert "--force" in refused(daemon, "apply", few, "--source", "site")
    assert "15 deleted" in daemon.ctl("apply", few, "--source", "site", "--max-delete", 80).stdout


def test_apply_reads_master_files(daemon, tmp_path):
    path = tmp_path / "site.zone"
    path.write_text("$ORIGIN live.test.\na 60 A 10.0.0.1\n  60 A 10.0.0.2\n$ORIGIN other.test.\nb A 10.0.0.3\n")
    assert "2 added" in daemon.ctl("apply", path, "--source", "site").stdout
    assert [row["TTL"] for row in rows(daemon.ctl("get", "a.live.test").stdout)] == ["60", "60"]
    same = daemon.ctl("apply", "-", "--source", "site", "--origin", "live.test", input="a 60 A 10.0.0.1\n")
    assert "0 added, 1 changed, 1 deleted" in same.stdout


def test_apply_leases_what_gives_none(daemon, tmp_path):
    path = state(tmp_path, address("a.live.test", "10.0.0.1"))
    daemon.ctl("apply", path, "--source", "site", "--lease", "1h")
    assert " of 3600s" in daemon.ctl("get", "a.live.test").stdout
    assert daemon.ctl("heartbeat", "site").stdout.startswith("1 lease renewed")


def test_files_that_make_no_sense_are_named(daemon, tmp_path):
    for name, text in (
        ("cut.json", '{"rrsets":['),
        ("other.json", '{"records":[]}'),
        ("bad.zone", "$ORIGIN live.test.\na A 10.0.0.1\nb A 10.0.0\n"),
        ("ttl.zone", "$ORIGIN live.test.\na 5 A 10.0.0.1\na 6 A 10.0.0.2\n"),
    ):
        path = tmp_path / name
        path.write_text(text)
        assert str(path) in refused(daemon, "apply", path, "--source", "site")
    assert "line 3" in refused(daemon, "apply", tmp_path / "bad.zone", "--source", "site")
    assert "No such file" in refused(daemon, "apply", tmp_path / "absent", "--source", "site")


# ---- zones ---------------------------------------------------------------------


def test_a_zone_comes_and_goes_as_a_master_file(daemon, tmp_path):
    path = tmp_path / "live.zone"
    path.write_text("$TTL 60\nwww A 10.0.0.1\nmail MX 10 www\nwww AAAA 2001:db8::1\n")
    assert daemon.ctl("import", "live.test", path).stdout.startswith("3 added")
    exported = daemon.ctl("export", "live.test").stdout
    assert "SOA" in exported and "2001:db8::1" in exported
    daemon.ctl("put", "more.live.test", "A", "10.0.0.2")
    back = daemon.ctl("import", "live.test", "-", "--source", "api", input=exported).stdout
    assert "1 deleted" in back
    refused(daemon, "get", "more.live.test")


def test_a_zone_comes_and_goes_as_json(daemon):
    daemon.ctl("put", "a.live.test", "A", "10.0.0.1", "--source", "ci", "--lease", "1h")
    exported = daemon.ctl("export", "live.test", "--json").stdout
    body = json.dumps({"rrsets": json.loads(exported)["rrsets"]})
    daemon.ctl("put", "b.live.test", "A", "10.0.0.2")
    said = daemon.ctl("import", "live.test", "-", input=body).stdout
    assert said.startswith("0 added, 0 changed, 1 deleted, 1 unchanged")
    assert rows(daemon.ctl("get", "a.live.test").stdout)[0]["SOURCE"] == "ci"


def test_an_import_that_is_wrong_changes_nothing(daemon, tmp_path):
    daemon.ctl("put", "a.live.test", "A", "10.0.0.1")
    path = tmp_path / "bad.zone"
    path.write_text("b A 10.0.0.2\nc A nonsense\n")
    assert "line 2" in refused(daemon, "import", "live.test", path)
    refused(daemon, "import", "nowhere.test", path)
    refused(daemon, "import", "live.test", path, "--if-revision", 1000)
    assert "10.0.0.1" in daemon.ctl("get", "a.live.test").stdout


# ---- changes, status -----------------------------------------------------------


def test_watch_prints_changes_as_they_come(daemon, cleanup, tmp_path):
    before = daemon.api.put("a.live.test", "A", "10.0.0.1").revision
    log = tmp_path / "watch.log"
    with open(log, "wb") as out:
        watch = subprocess.Popen(
            [build.LIVEZONECTL, "watch", "--since", str(before), "--config", str(daemon.config_file)],
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    cleanup.callback(watch.wait)
    cleanup.callback(watch.kill)
    put = daemon.api.put("b.live.test", "AAAA", "2001:db8::1").revision
    wait_until(lambda: f"{put} put b.live.test. AAAA\n" in log.read_text(), 10, "the put is seen")
    deleted = daemon.api.delete("a.live.test", "A").revision
    wait_until(lambda: f"{deleted} delete a.live.test. A\n" in log.read_text(), 10, "and the delete")
    assert watch.poll() is None


def test_status_is_for_people_and_programs(daemon):
    daemon.ctl("put", "a.live.test", "A", "10.0.0.1")
    text = daemon.ctl("status").stdout
    for word in ("livezoned ", "ready", "state ", "1 RRset,", "serve ", "current", "none reports"):
        assert word in text, word
    status = json.loads(daemon.ctl("status", "--json").stdout)
    assert status["ready"] and status["unbounds"] == []


def test_status_shows_an_unbound(livezone):
    whole = livezone(zones=["live.test"])
    whole.api.put("a.live.test", "A", "10.0.0.1")
    assert whole.answers("a.live.test") == ["10.0.0.1"]
    pid = f"pid {whole.unbound.process.pid},"
    wait_until(lambda: pid in whole.daemon.ctl("status").stdout, 10, "the report is there")
    shown = wait_until(
        lambda: [one for one in whole.api.status()["unbounds"] if one["zones"][0]["live"] > 0],
        10,
        "the answer is counted",
    )
    assert shown[0]["store"] == "live"
    text = whole.daemon.ctl("status").stdout
    assert "store live" in text


# ---- backup --------------------------------------------------------------------


def test_a_backup_brings_everything_back(daemon, tmp_path):
    daemon.ctl("put", "a.live.test", "A", "10.0.0.1", "--source", "ci", "--lease", "1h")
    daemon.ctl("put", r"o\.dd.other.test", "TXT", '"\\195\\188"')
    path = tmp_path / "backup"
    daemon.ctl("backup", path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path).count("backup.partial") == 0
    before = json.loads(daemon.ctl("list", "--json").stdout)["zones"]
    daemon.ctl("put", "b.live.test", "A", "10.0.0.2")
    daemon.ctl("delete", "a.live.test", "A")
    said = daemon.ctl("restore", path).stdout
    assert said.startswith("restored: 1 added, 0 changed, 1 deleted, 1 unchanged")

    def data(zones):
        keys = ("name", "type", "ttl", "records", "source", "lease")
        return [{key: rrset.get(key) for key in keys} for zone in zones for rrset in zone["rrsets"]]

    assert data(json.loads(daemon.ctl("list", "--json").stdout)["zones"]) == data(before)
    assert daemon.ctl("backup").stdout.count("\n") == path.read_text().count("\n")


def test_a_backup_cut_short_is_refused(daemon, tmp_path):
    daemon.ctl("put", "a.live.test", "A", "10.0.0.1")
    lines = daemon.ctl("backup").stdout.splitlines(keepends=True)
    for name, text in (
        ("no trailer", "".join(lines[:-1])),
        ("a line lost", "".join(lines[:-2] + lines[-1:])),
        ("in a line", "".join(lines)[:-5]),
        ("nothing", ""),
    ):
        refused(daemon, "restore", "-", input=text)
        assert "10.0.0.1" in daemon.ctl("get", "a.live.test").stdout, name


# ---- errors --------------------------------------------------------------------


def test_refusals_name_the_place(daemon):
    assert "records[1]: " in refused(daemon, "put", "a.live.test", "A", "10.0.0.1", "10.0.0")
    assert "live zone" in refused(daemon, "put", "a.foreign.example", "A", "10.0.0.1")
    daemon.ctl("put", "a.live.test", "A", "10.0.0.1")
    assert "CNAME" in refused(daemon, "put", "a.live.test", "CNAME", "b.live.test.")


def test_misuse_is_told_before_anything_is_sent(daemon):
    daemon.stop()
    for wrong in (
        ["put", "a.live.test"],
        ["put", "a..live.test", "A", "10.0.0.1"],
        ["put", "a.live.test", "NONSENSE", "10.0.0.1"],
        ["put", "a.live.test", "A", "10.0.0.1", "--ttl", "86401"],
        ["put", "a.live.test", "A", "10.0.0.1", "--lease", "30"],
        ["put", "a.live.test", "A", "10.0.0.1", "--source", "a/b"],
        ["put", "a.live.test", "A", "10.0.0.1", "--create", "--if-revision", "5"],
        ["apply", "/dev/null"],
        ["heartbeat", "a b"],
        ["explode"],
    ):
        refused(daemon, *wrong, code=2)


def test_an_api_that_is_not_there(daemon, tmp_path):
    daemon.stop()
    said = refused(daemon, "get", "a.live.test", code=3)
    assert str(daemon.config["api"]["unix"]) in said and "is livezoned running?" in said
    refused(daemon, "get", "a.live.test", "--api", "http://127.0.0.1:1", code=3)
    refused(daemon, "get", "a.live.test", env={"LIVEZONE_API": f"unix:{tmp_path}/absent"}, code=3)
    said = refused(daemon, "get", "a.live.test", "--config", tmp_path / "absent.yaml", code=3)
    assert "absent.yaml" in said and "LIVEZONE_API" in said
    assert "is not the address" in refused(daemon, "get", "a.live.test", "--api", "ftp://x", code=2)


def test_the_api_is_found_by_option_environment_and_configuration(daemon, tmp_path):
    socket = f"unix:{daemon.config['api']['unix']}"
    nowhere = {"LIVEZONE_CONF": str(tmp_path / "absent"), "LIVEZONE_API": f"unix:{tmp_path}/absent"}
    daemon.ctl("list", "--zones", "--api", socket, env=nowhere)
    daemon.ctl("list", "--zones", env={**nowhere, "LIVEZONE_API": socket})
    daemon.ctl("list", "--zones", "--config", daemon.config_file, env={**nowhere, "LIVEZONE_API": ""})


def test_a_token_opens_tcp(livezoned, tmp_path):
    token = "b" * 43
    tokens = tmp_path / "tokens.yaml"
    tokens.write_text(
        f"tokens:\n  - id: ci\n    sha256: {hashlib.sha256(token.encode()).hexdigest()}\n"
        "    zones: [live.test]\n    verbs: [read, write]\n"
    )
    tokens.chmod(0o600)
    daemon = livezoned(zones=["live.test", "other.test"], tcp=True, api={"tokens": str(tokens)})
    api = ["--api", "http://{}:{}".format(*daemon.tcp)]
    put = ["put", "a.live.test", "A", "10.0.0.1", *api]
    assert "LIVEZONE_TOKEN" in refused(daemon, *put)
    refused(daemon, *put, env={"LIVEZONE_TOKEN": "wrong"})
    daemon.ctl(*put, env={"LIVEZONE_TOKEN": token})
    file = tmp_path / "token"
    file.write_text(token + "\n")
    assert "10.0.0.1" in daemon.ctl("get", "a.live.test", *api, "--token-file", file).stdout
    refused(daemon, "put", "a.other.test", "A", "10.0.0.1", *api, "--token-file", file)
    file.write_text("\n")
    assert str(file) in refused(daemon, *put, "--token-file", file)


def serve_http(cleanup, handler):
    server = http.server.HTTPServer(("127.0.0.1", 0), handler)
    cleanup.callback(server.server_close)
    cleanup.callback(server.shutdown)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def test_what_is_stored_and_not_served_is_said(daemon, cleanup):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_PUT(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            body = b'{"revision":7,"served":false,"reason":"serve is being rebuilt"}'
            self.send_response(202)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    api = serve_http(cleanup, Handler)
    done = daemon.ctl("put", "a.live.test", "A", "10.0.0.1", "--api", api)
    assert done.stdout == "put a.live.test. A, revision 7\n"
    assert "DNS does not serve it yet: serve is being rebuilt" in done.stderr
    assert not daemon.ctl("put", "a.live.test", "A", "10.0.0.1").stderr


def test_a_token_with_a_line_break_is_not_sent(daemon):
    for token in ("secret\r\nX-Other: 1", "secret\n", "\rsecret"):
        said = refused(daemon, "status", "--api", "http://127.0.0.1:1",
                       env={"LIVEZONE_TOKEN": token}, code=None)
        assert "line break" in said


def test_replies_and_files_have_limits(daemon, cleanup, tmp_path):
    limit = 64 << 20

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(limit + 1))
            self.end_headers()
            with contextlib.suppress(OSError):
                for _ in range(64):
                    self.wfile.write(b" " * (1 << 20))
                self.wfile.write(b" ")

        def log_message(self, *args):
            pass

    said = refused(daemon, "status", "--api", serve_http(cleanup, Handler), code=None)
    assert "longer than" in said or "too large" in said or "too big" in said, said
    file = tmp_path / "big.json"
    for size, good in ((limit, True), (limit + 1, False)):
        file.write_text('{"rrsets":[]' + " " * (size - 13) + "}")
        done = daemon.ctl("apply", file, "--source", "none", check=False)
        assert (done.returncode == 0) == good, done
        assert good or "File too large" in done.stderr


def test_something_else_that_answers_is_found_out(daemon, cleanup):
    """A web server that is not livezoned."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = b"<html>hello\x1b[2J</html>"
            self.send_response(302 if "since" in self.path else 200)
            self.send_header("Location", "http://127.0.0.1:1/")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    api = serve_http(cleanup, Handler)
    assert "is this livezoned?" in refused(daemon, "status", "--api", api)
    assert "302" in refused(daemon, "watch", "--since", 1, "--api", api), "no redirect is followed"
    assert "cut short" in refused(daemon, "backup", "--api", api)
