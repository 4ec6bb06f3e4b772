"""The real servers: each starts every way that it has, answers, and is gone; and the bad ones."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest

from workbench.certificates import certificate
from workbench.contracts import Broken
from workbench.contracts.wire import request
from workbench.ecosystem import apache, remains
from workbench.ecosystem.servers import SERVERS, RealServer, servers_of
from workbench.ecosystem.starting import CannotServe, below, leftovers, now, serving
from workbench.fetching import answers3
from workbench.gauntlet import targets

EVERY = [(name, way) for name, server in SERVERS.items() for way in server.ways]
RELOADS = [(name, "workers") for name, server in SERVERS.items() if server.reload]
HTTP2 = [(name, way) for name, way in EVERY if way == "h2c"]
ALPN = {name for name, way in HTTP2} | {"daphne"}  # who agrees on h2 over TLS
PATIENCE = 10.0


def there(name: str) -> RealServer:
    """Return a server; skip the test where it is not installed, but never in CI on Linux."""
    server = SERVERS[name]
    if server.missing:
        if os.environ.get("CI") and sys.platform == "linux":
            pytest.fail(f"the checks need every server: {server.missing}")
        pytest.skip(server.missing)
    return server


def ask(run, way, **how):
    """Ask by httpx, which agrees on HTTP/2 when the server offers it."""
    secure = way in ("tls", "h3")
    how.setdefault("http2", True)
    with httpx.Client(
        verify=certificate().context(), trust_env=False, timeout=PATIENCE, **how
    ) as client:
        host, port = run.live.address
        return client.get(f"{'https' if secure else 'http'}://{host}:{port}/facts")


def facts(answer):
    found = answer.json()
    return found.get("environ") or found["scope"]


def wait_until(true, what):
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, f"still waiting for {what}"
        time.sleep(0.02)


def accepts(port):
    try:
        with a_client(port):
            return True
    except OSError:
        return False


def a_client(port):
    return socket.create_connection(("127.0.0.1", port), 0.5)


# --- the good ones ----------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "way"), EVERY)
def test_every_way_answers_and_is_gone(name, way):
    server = there(name)
    with serving(server, way) as run:
        answer = ask(run, way, **({"http1": False} if way == "h2c" else {}))
        family = below(run.pid)
        port = run.live.address[1]
        folder = run._folder
        assert answer.status_code == 200
        told = facts(answer)
        assert told["wsgi.url_scheme" if server.interface == "wsgi" else "scheme"] == (
            "https" if way in ("tls", "h3") else "http"
        )
        http2 = way == "h2c" or (way in ("tls", "h3") and name in ALPN)
        assert answer.http_version == (
            "HTTP/2" if http2 else "HTTP/1.0" if name == "wsgiref" else "HTTP/1.1"
        )
        if way == "h3":
            three = asyncio.run(answers3(run.live.address, ["/ok"], certificate().ca))[0]
            assert (three.status, three.body) == (200, b"ok")
        if way == "workers":
            wait_until(lambda: len(below(run.pid)) >= 3, "a master and two workers")
            family = below(run.pid)
    assert run.survivors == []
    assert remains.running(family) == []
    assert remains.carrying(remains.MARK, str(folder)) == []
    assert not folder.exists()
    # Another test may be given the port for its own server meanwhile, and lets it go again.
    wait_until(lambda: not accepts(port), "nobody to accept there")


@pytest.mark.parametrize(("name", "way"), RELOADS)
def test_the_signal_renews_the_workers(name, way):
    server = there(name)
    with serving(server, way) as run:
        before = {run.told(request("/facts"))["interface"]}
        assert before == {server.interface}

        def pids():
            """Return who answers four requests; a request that is lost to the change is none."""
            found = set()
            for _ in range(4):
                with suppress(Broken, OSError):
                    answer = run.ask(request("/pid", "Connection: close"))
                    found.add(int(answer.body) if answer.status == 200 else 0)
            return found

        # Some masters listen before their workers are there.
        wait_until(lambda: len(below(run.pid)) >= 3 and 0 not in pids(), "the first workers")
        old = {each.pid for each in below(run.pid)}
        assert pids() <= old
        os.kill(run.pid, getattr(signal, server.reload))

        def renewed():
            found = pids()
            return found and not found & {0, *old}

        wait_until(renewed, "answers of new workers alone")
        assert run.live.alive
        assert run.pid in {each.pid for each in below(run.pid)}
    assert run.survivors == []


def test_the_others_have_no_such_signal():
    assert {name for name, server in SERVERS.items() if not server.reload} == {
        "waitress", "wsgiref", "daphne",
        *(name for name, server in SERVERS.items() if server.ours),
    }  # fmt: skip


def test_the_talks_systems_are_all_there():
    assert {"gunicorn", "uwsgi", "mod_wsgi"} <= {each.name for each in servers_of("wsgi")}
    asgi = {each.name for each in servers_of("asgi")}
    assert {"hypercorn", "daphne", "uvicorn", "gunicorn-asgi", "granian"} <= asgi


@pytest.mark.parametrize("name", SERVERS)
def test_a_version_is_told(name):
    server = there(name)
    if server.ours:
        return
    assert re.match(r"\d+\.\d+", server.version)
    for package in server.packages[:1]:
        assert server.version == importlib.metadata.version(package)


# --- Apache -----------------------------------------------------------------------------------


def test_mod_wsgi_tells_the_same_versions_as_the_file():
    server = there("mod_wsgi")
    with serving(server) as run:
        environ = run.facts()["environ"]
        version = ".".join(map(str, environ["mod_wsgi.version"]))
        program = re.search(r"Apache/([0-9.]+)", environ["SERVER_SOFTWARE"])[1]
    assert server.version == f"{version} in Apache {program}"


def test_mod_wsgi_is_in_daemon_mode():
    with serving(there("mod_wsgi")) as run:
        pid = int(run.ask(request("/pid")).body)
        assert run.facts()["environ"]["mod_wsgi.process_group"] == "course"
        assert pid in {each.pid for each in below(run.pid)} - {run.pid}
        assert " ".join(psutil.Process(pid).cmdline()).startswith("(wsgi:course)")


def test_processes_are_told_as_they_are_configured():
    with serving(there("mod_wsgi")) as run, run.other("workers") as other:
        told = [each.facts()["environ"]["wsgi.multiprocess"] for each in (run, other)]
    assert told == [False, True]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root has a choice")
def test_as_root_the_daemons_enter_private_folders(tmp_path):
    tmp_path.chmod(0o700)
    (tmp_path / "secret").write_text("found", "ascii")
    with serving(there("mod_wsgi"), app="app:app", PYTHONPATH=str(tmp_path)) as run:
        (tmp_path / "app.py").write_text(
            "import pathlib\n"
            "def app(environ, start):\n"
            "    start('200 OK', [])\n"
            "    return [(pathlib.Path(__file__).parent / 'secret').read_bytes()]\n",
            "utf-8",
        )
        # The tests and their environment are root's; who answers is not root.
        assert run.ask(request("/")).body == b"found"
        assert {each.uids().real for each in below(run.pid)[1:]} == {65534}


def without_apache(monkeypatch, **instead):
    for name, value in instead.items():
        monkeypatch.setattr(apache, name, value)


def test_no_apache_is_one_line_with_the_way_to_get_it(monkeypatch):
    without_apache(monkeypatch, program=lambda: None)
    line = SERVERS["mod_wsgi"].missing
    assert line == (
        "mod_wsgi: Apache is not installed "
        "(Debian, Ubuntu: sudo apt install apache2 libapache2-mod-wsgi-py3)"
    )
    with pytest.raises(CannotServe, match="is not installed"), serving(SERVERS["mod_wsgi"]):
        pass


def test_no_module_is_one_line(monkeypatch):
    without_apache(monkeypatch, program=lambda: "/usr/sbin/apache2", module=lambda: None)
    assert "its module mod_wsgi is not" in SERVERS["mod_wsgi"].missing


def test_a_module_for_another_python_is_one_line(monkeypatch, tmp_path):
    other = tmp_path / "mod_wsgi.so"
    other.write_bytes(b"\0libpython3.10.so.1.0\0")
    without_apache(monkeypatch, program=lambda: "/usr/sbin/apache2", module=lambda: other)
    assert SERVERS["mod_wsgi"].missing.startswith(
        f"mod_wsgi of this system is built for Python 3.10 and the course runs on {apache.OURS}: "
    )
    assert SERVERS["mod_wsgi"].version == ""


def test_the_command_says_what_is_wrong(tmp_path):
    command = [sys.executable, "-m", "workbench.ecosystem.apache", "no app", "--port", "1"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith(
        "an application is module:name, and 'no app' is not"
    )
    assert list(tmp_path.iterdir()) == []


# --- the bad ones -----------------------------------------------------------------------------

LISTENING = """
import os, socket, subprocess, sys, time
sock = socket.create_server(("127.0.0.1", {port}))
"""
SLEEPS = "import time; time.sleep(60)"


def bad(tmp_path: Path, script: str, **how) -> RealServer:
    """Return a server that is this script; ``{port}`` in it is its argument."""
    path = tmp_path / "bad.py"
    path.write_text(script.replace("{port}", "int(sys.argv[1])"), "utf-8")
    return RealServer("bad", "Bad", "wsgi", {"plain": f'{{python}} "{path}" {{port}}'}, **how)


def test_one_that_says_why_it_does_not_start(tmp_path):
    script = "import sys\nprint('reading')\nprint('no such setting: speed', file=sys.stderr)\n"
    server = bad(tmp_path, script + "sys.exit(3)")
    with pytest.raises(CannotServe) as caught, serving(server):
        pass
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("Bad: the server ended with 3")
    assert "no such setting: speed" in str(caught.value)


def test_one_that_never_accepts(tmp_path, monkeypatch):
    monkeypatch.setattr(targets, "START", 0.5)
    since = now()
    with pytest.raises(CannotServe, match="does not accept"), serving(bad(tmp_path, SLEEPS)):
        pass
    assert leftovers(since) == []


def test_one_that_is_missing():
    server = RealServer("bad", "Bad", "wsgi", {"plain": "nobody"}, ("no-such-server",))
    assert server.missing == ("Bad: no-such-server is not installed: pip install no-such-server")
    with pytest.raises(CannotServe, match="pip install no-such-server"), serving(server):
        pass


def test_one_whose_program_is_missing():
    server = RealServer("bad", "Bad", "wsgi", {"plain": "no-such-server {port}"})
    with pytest.raises(CannotServe, match="no-such-server"), serving(server):
        pass
    server = RealServer("bad", "Bad", "wsgi", {}, programs=("no-such-server",), get="build it")
    assert server.missing == "Bad: no-such-server is not installed: build it"


def test_a_way_that_it_has_not_is_a_mistake_of_ours():
    with pytest.raises(LookupError, match="no way 'h3'"), serving(SERVERS["waitress"], "h3"):
        pass


DAEMON = (
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], "
    "start_new_session=True)\n"
)


@pytest.mark.parametrize(
    ("script", "count"),
    [
        (LISTENING + DAEMON + "time.sleep(60)", 1),
        # The child of a child that is gone: nobody's, and in a session of its own.
        (
            LISTENING
            + "subprocess.run([sys.executable, '-c', '''import subprocess, sys\n"
            + DAEMON
            + "'''])\ntime.sleep(60)",
            1,
        ),
        (LISTENING + DAEMON.replace("True", "False") + "time.sleep(60)", 1),
        (LISTENING + "time.sleep(60)", 0),
    ],
    ids=["child with setsid", "orphan with setsid", "child", "nobody"],
)
def test_one_that_forgets_its_children(tmp_path, script, count):
    since = now()
    with serving(bad(tmp_path, script)) as run:

        def family():
            return remains.carrying(remains.MARK, str(run._folder))

        def asleep():
            return [each for each in family() if each.cmdline()[-1] == SLEEPS]

        wait_until(lambda: (len(family()), len(asleep())) == (1 + count, count), "the child")
        came = family()
    assert len(run.survivors) == count
    assert all(line.endswith(SLEEPS) for line in run.survivors)
    assert remains.running(came) == []
    assert leftovers(since) == []


def test_one_that_ends_at_its_start_and_leaves_a_child(tmp_path):
    since = now()
    server = bad(tmp_path, "import subprocess, sys\n" + DAEMON + "sys.exit('gave up')")
    with pytest.raises(CannotServe, match="gave up"), serving(server):
        pass
    assert leftovers(since) == []


def test_one_that_ignores_every_wish(tmp_path):
    script = LISTENING + "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    begin = time.monotonic()
    with serving(bad(tmp_path, script + "time.sleep(60)")) as run:
        family = below(run.pid)
    assert time.monotonic() - begin < 6
    assert remains.running(family) == []


def test_one_that_dies_in_the_block(tmp_path):
    script = LISTENING + "sock.accept(); sock.accept(); sys.exit('my last words')"
    with serving(bad(tmp_path, script)) as run:
        assert accepts(run.live.address[1])  # the first was who looked whether it accepts
        wait_until(lambda: not run.live.alive, "its death")
        assert run.log[-1] == "my last words"
    assert run.survivors == []


def test_a_master_that_was_killed():
    with serving(there("gunicorn"), "workers") as run:
        wait_until(lambda: len(below(run.pid)) == 3, "the workers")
        family = below(run.pid)
        os.kill(run.pid, signal.SIGKILL)
        wait_until(lambda: not run.live.alive, "its death")
    assert remains.running(family) == []


def test_an_error_in_the_block_ends_it_too():
    with pytest.raises(ZeroDivisionError), serving(SERVERS["ours"], "workers") as run:  # noqa: PT012
        wait_until(lambda: len(below(run.pid)) == 3, "the workers")
        family = below(run.pid)
        raise ZeroDivisionError
    assert remains.running(family) == []


# --- what is told at the end ------------------------------------------------------------------


def test_leftovers_are_told_with_their_ports(tmp_path):
    since = now()
    script = (
        "import socket, time\n"
        "sock = socket.create_server(('127.0.0.1', 0)); print(sock.getsockname()[1], flush=True)\n"
        "time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        port = process.stdout.readline().strip()
        told = leftovers(since)
        process.kill()
    assert [line for line in told if f"({process.pid}), listens on {port}" in line]
    assert not [line for line in leftovers(since) if f"({process.pid})" in line]


def test_our_own_ports_are_told_unless_they_were_there_before():
    with a_port() as before:
        since = now()
        with a_port() as sock:
            told = [line for line in leftovers(since) if "this process" in line]
            assert told == [f"this process still listens on {sock.getsockname()[1]}"]
        assert before.getsockname()[1] in since.listening
    assert [line for line in leftovers(since) if "this process" in line] == []


def a_port():
    return socket.create_server(("127.0.0.1", 0))
