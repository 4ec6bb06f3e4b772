"""``handmade serve`` with ASGI applications: real processes, real signals."""

from __future__ import annotations

import gc
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack

import httpx
import pytest
from test_serve import (
    APPS,
    PATIENCE,
    Clients,
    address_of,
    children,
    get,
    line_of,
    needs_fork,
    needs_proc,
    refuses,
    run,
    served,
    until,
)
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from handmade.collector import CPYTHONS, SELDOM
from workbench.contracts.asgi_websocket_client import handshake
from workbench.running import running

LOOPS = ["asyncio", "uvloop", "handmade"]
WORKERS = {"1": [], "2": ["--workers", "2"]}
NO_UVLOOP = "import sys; sys.modules['uvloop'] = None; "


def asgi(*options, app="asgi_apps:app", **how):
    return served(*options, app=app, **how)


def ask(url, path):
    """Open a connection and ask; return the socket."""
    client = socket.create_connection(address_of(url))
    client.settimeout(PATIENCE)
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    return client


def everything(client):
    """Return what comes until the end."""
    return b"".join(iter(lambda: client.recv(65536), b""))


# ---------------------------------------------------------------- what is served, and on what


@pytest.mark.parametrize("engine", ["handmade", "h11"])
@pytest.mark.parametrize("loop", LOOPS)
def test_each_loop_with_each_engine(loop, engine):
    with asgi("--loop", loop, "--engine", engine) as (process, url), httpx.Client() as client:
        assert client.get(url).text == "Hello, world!"
        assert client.post(f"{url}/length", content=b"x" * 200_000).text == "200000"
        if loop != "handmade":
            wanted = {"asyncio": "asyncio.unix_events", "uvloop": "uvloop"}[loop]
            assert client.get(f"{url}/loop").text == wanted
            assert client.get(f"{url}/stream").text == "0\n1\n2\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize(
    ("app", "size"),
    [
        ("asgi_apps", "asyncio loop"),
        ("asgi_apps:instance", "asyncio loop"),
        ("asgi_apps:instance.__call__", "asyncio loop"),
        ("asgi_apps:partial", "asyncio loop"),
        ("asgi_apps:wrapped", "asyncio loop"),
        ("asgi_apps:factory()", "asyncio loop"),
        ("starlette_app:app", "asyncio loop"),
        ("quart_app:app", "asyncio loop"),
        ("django_app.asgi:application", "asyncio loop"),
        ("django_app.wsgi:application", "8 threads"),
        ("flask_app:app", "8 threads"),
        ("asgi_apps:wsgi", "8 threads"),
    ],
)
def test_the_interface_is_told_by_itself(app, size, tmp_path, monkeypatch):
    monkeypatch.setenv("DJANGO_APP_HOME", str(tmp_path))
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "django_app.settings")
    with asgi(app=app, before=SAYS_SIZE) as (process, url):
        path = "/hello/you" if "django" in app else "/"
        assert get(url + path).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert f"size: {size}" in process.communicate(timeout=PATIENCE)[1].decode()


# The line that announces the server is read by ``served``: let it be said twice.
SAYS_SIZE = """
import handmade.cli as c, sys
size = c._size
c._size = lambda options: (print("size:", size(options), file=sys.stderr), size(options))[1]
announce = c._announce
c._announce = lambda *a: (announce(*a), announce(*a))
"""


def test_the_interface_can_be_told():
    """What is told is believed: WSGI's two arguments do not fit, and the log says so."""
    with asgi("--interface", "wsgi") as (process, url):
        assert get(url).status_code == 500
        line_of(process.stderr, r"missing 1 required positional argument: 'send'")
    with asgi("--interface", "asgi", app="asgi_apps:wsgi") as (process, url):
        assert get(url).status_code == 500
        line_of(process.stderr, r"takes 2 positional arguments but 3 were given")


def test_a_mounted_application():
    with asgi("--script-name", "/board") as (_, url):
        assert get(f"{url}/board").status_code == 404  # it is not the application's /
        assert get(f"{url}/scope").status_code == 404


def test_the_access_log():
    with asgi("--access-log", "-") as (process, url):
        get(f"{url}/?0")
        get(f"{url}/nowhere")
        process.send_signal(signal.SIGTERM)
        first, second = process.communicate(timeout=PATIENCE)[0].decode().splitlines()
        assert '"GET /?0 HTTP/1.1" 200 13 ' in first
        assert '"GET /nowhere HTTP/1.1" 404 ' in second


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--threads", "4"], "is an ASGI application: it runs in one thread; leave out --threads"),
        (["--threads", "4", "--workers", "2"], "it runs in one thread; leave out --threads"),
        (["--loop", "trio"], "invalid choice: 'trio'"),
        (["--lifespan", "maybe"], "invalid choice: 'maybe'"),
        (["--interface", "cgi"], "invalid choice: 'cgi'"),
        (["--debug-blocking", "often"], "a time in seconds"),
        (["--startup-timeout", "0"], "a time in seconds"),
    ],
    ids=" ".join,
)
def test_a_wrong_command_is_told_in_one_line(arguments, says):
    assert says in run("serve", "asgi_apps:app", "--port", "0", *arguments)


def test_a_missing_uvloop_is_told_in_one_line():
    command = f"{NO_UVLOOP}from handmade.cli import main; main(sys.argv[1:])"
    arguments = ["serve", "asgi_apps:app", "--port", "0", "--loop", "uvloop"]
    done = subprocess.run(
        [sys.executable, "-c", command, *arguments],
        cwd=APPS,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "--loop uvloop: it is not installed; run pip install uvloop" in done.stderr


def test_a_port_in_use_is_told_in_one_line():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        assert "another program has it" in run("serve", "asgi_apps:app", "--port", port)


# ---------------------------------------------------------------- lifespan


def serve_and_stop(*options, app):
    """Serve, ask, stop; return the exit status and what was said after the announcement."""
    with asgi(*options, app=app) as (process, url):
        assert get(url).text == "Hello, world!"
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=PATIENCE)[1].decode()
        return process.returncode, said


def test_an_application_lives_from_start_to_stop():
    with asgi(app="asgi_apps:lives", before=NO_UVLOOP) as (process, url):
        assert get(url).text == "Hello, world!"
        process.send_signal(signal.SIGTERM)
        assert "lifespan: stopped" in process.communicate(timeout=PATIENCE)[1].decode()
        assert process.returncode == 0
    with asgi("--lifespan", "on", app="asgi_apps:lives") as (_, url):
        assert get(url).text == "Hello, world!"


def test_lifespan_off_tells_nothing():
    status, said = serve_and_stop("--lifespan", "off", app="asgi_apps:lives")
    assert (status, "lifespan:" in said) == (0, False)


def test_lifespan_auto_serves_who_knows_none():
    status, said = serve_and_stop("--lifespan", "auto", app="asgi_apps:app")
    assert (status, "ERROR" in said) == (0, False)


def fails_to_start(*options, app, says):
    """Demand one clear line and status 1."""
    command = [sys.executable, "-m", "handmade", "serve", app, "--port", "0", *options]
    began = time.monotonic()
    done = subprocess.run(command, cwd=APPS, capture_output=True, text=True, timeout=PATIENCE)
    lines = [line for line in done.stderr.splitlines() if not line.startswith("lifespan: ")]
    assert done.returncode == 1
    assert len(lines) == 1, done.stderr
    assert says in lines[0]
    assert "Traceback" not in done.stderr
    return time.monotonic() - began


@needs_fork
@pytest.mark.parametrize("workers", WORKERS)
@pytest.mark.parametrize("loop", ["asyncio", "handmade"])
def test_a_lifespan_that_fails_ends_with_one_line(workers, loop):
    options = [*WORKERS[workers], "--loop", loop]
    says = "the application could not start up: no database"
    fails_to_start(*options, app="asgi_apps:cannot_start", says=says)


def test_a_framework_that_says_it_with_a_traceback_ends_with_one_line_too(tmp_path):
    """Starlette sends the whole traceback as its message: that is logged, and the line is short."""
    (tmp_path / "broken.py").write_text(
        "import contextlib\n"
        "from starlette.applications import Starlette\n"
        "@contextlib.asynccontextmanager\n"
        "async def lifespan(app):\n"
        "    raise OSError('no database')\n"
        "    yield\n"
        "app = Starlette(lifespan=lifespan)\n"
    )
    command = [sys.executable, "-m", "handmade", "serve", "broken:app", "--port", "0"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 1
    last = "handmade: the application could not start up: OSError: no database"
    assert done.stderr.splitlines()[-1] == last
    assert done.stderr.count("Traceback") == 1


@needs_fork
@pytest.mark.parametrize("workers", WORKERS)
def test_lifespan_on_demands_one(workers):
    says = "the application knows no lifespan: AssertionError"
    fails_to_start("--lifespan", "on", *WORKERS[workers], app="asgi_apps:app", says=says)


@needs_fork
@pytest.mark.parametrize("workers", WORKERS)
def test_a_lifespan_that_never_answers_ends_within_its_timeout(workers):
    options = ["--startup-timeout", "0.3", *WORKERS[workers]]
    says = "the application has not started up within 0.3 s"
    fails_to_start(*options, app="asgi_apps:never_starts", says=says)


@needs_fork
@pytest.mark.parametrize("workers", WORKERS)
def test_a_signal_during_the_start_up_is_heard(workers):
    """Nobody has to wait for a start-up that hangs: Ctrl-C ends it, and it may clean up."""
    command = [sys.executable, "-m", "handmade", "serve", "asgi_apps:never_starts", "--port", "0"]
    process = subprocess.Popen(
        [*command, *WORKERS[workers]], cwd=APPS, stderr=subprocess.PIPE, bufsize=0
    )
    try:
        line_of(process.stderr, "lifespan: waiting")
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=PATIENCE)[1].decode()
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 1
    assert "lifespan: cancelled" in said
    assert "the application has not started up before it was stopped" in said


def test_a_shutdown_that_fails_is_logged():
    status, said = serve_and_stop(app="asgi_apps:cannot_stop")
    assert (status, "the application failed to shut down: cannot close" in said) == (0, True)


def test_a_shutdown_that_never_ends_is_waited_for_some_time():
    status, said = serve_and_stop("--shutdown-timeout", "0.2", app="asgi_apps:never_stops")
    assert (status, "the application has not shut down within 0.2 s" in said) == (0, True)


def test_a_shutdown_that_never_ends_hears_a_second_signal():
    with asgi(app="asgi_apps:never_stops") as (process, url):
        assert get(url).text == "Hello, world!"
        process.send_signal(signal.SIGTERM)
        line_of(process.stderr, "lifespan: waiting")
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=PATIENCE)[1].decode()
        assert "the application has not shut down before it was stopped again" in said
        assert process.returncode == 0


# ---------------------------------------------------------------- signals


@needs_fork
@pytest.mark.parametrize("how", [["--loop", "asyncio"], ["--loop", "uvloop"], ["--workers", "2"]])
@pytest.mark.parametrize("path", ["/", "/slow?0.1"])
def test_sigterm_loses_no_request(how, path):
    """Busy clients on kept connections: each request is answered, or its connection refused."""
    with asgi(*how) as (process, url):
        clients = Clients(url, 8, path)
        until(lambda: len(clients.answers) >= 24, "the clients to be busy")
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        clients.join()
        assert clients.failures == []
        assert set(clients.answers) <= {"Hello, world!", "at last"}


def test_sigterm_on_the_loop_by_hand_loses_no_request():
    with asgi("--loop", "handmade") as (process, url):
        clients = Clients(url, 8, "/")
        until(lambda: len(clients.answers) >= 24, "the clients to be busy")
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        clients.join()
        assert clients.failures == []


def test_sigterm_lets_a_stream_come_to_its_end():
    with ExitStack() as stack, asgi() as (process, url):
        client = stack.enter_context(ask(url, "/stream?0.1"))
        assert b"0\n" in client.recv(65536) + client.recv(65536)
        process.send_signal(signal.SIGTERM)
        assert everything(client).endswith(b"2\n\r\n0\r\n\r\n")
        assert process.wait(PATIENCE) == 0


def test_a_second_signal_does_not_wait():
    with ExitStack() as stack, asgi("--graceful-timeout", "60") as (process, url):
        client = stack.enter_context(ask(url, "/slow?60"))
        assert get(url).text == "Hello, world!"  # by now the slow one runs as well
        process.send_signal(signal.SIGTERM)
        until(lambda: refuses(url), "the door to be shut")
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        with pytest.raises(ConnectionResetError):
            everything(client)


def test_the_graceful_time_has_an_end():
    with ExitStack() as stack, asgi("--graceful-timeout", "0.3") as (process, url):
        stack.enter_context(ask(url, "/slow?60"))
        assert get(url).text == "Hello, world!"
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        assert "Traceback" not in process.stderr.read().decode()


@needs_fork
@needs_proc
def test_a_killed_worker_is_noticed_and_replaced():
    """The new worker has a lifespan of its own."""
    with asgi("--workers", "2", app="asgi_apps:lives") as (process, url):
        until(lambda: len(children(process.pid)) == 2, "two workers")
        before = set(children(process.pid))
        victim = int(get(f"{url}/pid").text)
        os.kill(victim, signal.SIGKILL)
        line_of(process.stderr, rf"worker {victim} was killed by SIGKILL; starting another")
        assert get(url).text == "Hello, world!"  # the other one goes on meanwhile
        line_of(process.stderr, "lifespan: started")
        until(lambda: len(set(children(process.pid)) - {victim}) == 2, "a second worker")
        new = set(children(process.pid)) - before
        until(lambda: int(get(f"{url}/pid").text) in new, "an answer from the new worker")
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=PATIENCE)[1].decode()
        assert said.count("lifespan: stopped") == 2


# ---------------------------------------------------------------- who holds the loop


@pytest.mark.parametrize("loop", LOOPS)
def test_debug_blocking_logs_the_stack(loop):
    with asgi("--loop", loop, "--debug-blocking", "0.1") as (process, url):
        assert get(f"{url}/block?0.6").text == "blocked"
        line_of(process.stderr, r"WARNING the event loop has been held for 0\.\d+ s, here:")
        line_of(process.stderr, r"asgi_apps\.py.*, in app")
        line_of(process.stderr, r"time\.sleep\(seconds\)")
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=PATIENCE)[1].decode()
        assert not re.search("has been held", said)  # once


def test_without_debug_blocking_nothing_is_said():
    with asgi() as (process, url):
        assert get(f"{url}/block?0.3").text == "blocked"
        process.send_signal(signal.SIGTERM)
        assert "held" not in process.communicate(timeout=PATIENCE)[1].decode()


# ---------------------------------------------------------------- the garbage collector


async def hello(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


TELLS = """
import gc

{first}

async def app(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError
    body = repr((gc.isenabled(), gc.get_threshold())).encode()
    await send({{"type": "http.response.start", "status": 200, "headers": []}})
    await send({{"type": "http.response.body", "body": body}})
"""


OWN = gc.get_threshold()


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    ("first", "tells"),
    [
        ("", (True, (*OWN[:2], SELDOM) if OWN in CPYTHONS else OWN)),
        ("gc.set_threshold(555, 5, 5)", (True, (555, 5, 5))),
        ("gc.disable()", (False, OWN)),
    ],
)
def test_the_collector_is_settled_unless_somebody_else_has(
    workers, first, tells, tmp_path, monkeypatch
):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "tells.py").write_text(TELLS.format(first=first))
    with asgi("--workers", str(workers), app="tells:app") as (_, url):
        assert get(url).text == repr(tells)


def test_a_server_inside_another_program_leaves_the_collector_alone():
    before = gc.get_threshold(), gc.get_freeze_count()
    with running(hello) as server:
        assert server.get("/").status_code == 200
        assert (gc.get_threshold(), gc.get_freeze_count()) == before


IN_A_CYCLE = """
class Audit:
    def __init__(self):
        self.file = open("audit.txt", "w")
        self.me = self

async def app(scope, receive, send):
    raise NotImplementedError

audit = Audit()
audit.file.write("kept")
"""


def test_a_file_in_a_cycle_is_written_at_the_end(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "keeps.py").write_text(IN_A_CYCLE)
    with asgi("--chdir", str(tmp_path), app="keeps:app") as (process, _):
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    assert (tmp_path / "audit.txt").read_text() == "kept"


# ---------------------------------------------------------------- WebSockets


def room(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "room.py").write_text(
        "async def app(scope, receive, send):\n"
        "    await receive()\n"
        "    await send({'type': 'websocket.accept'})\n"
        "    while (message := await receive())['type'] == 'websocket.receive':\n"
        "        await send({**message, 'type': 'websocket.send'})\n"
    )


@pytest.mark.parametrize("loop", LOOPS)
def test_websockets_and_their_options(loop, tmp_path, monkeypatch):
    room(tmp_path, monkeypatch)
    how = ["--ws-max-size", "1000", "--no-ws-deflate", "--ws-ping-interval", "0.3"]
    with asgi("--loop", loop, "--lifespan", "off", *how, app="room:app") as (process, url):
        with connect(url.replace("http", "ws"), proxy=None) as client:
            assert client.protocol.extensions == []
            client.send("x" * 1000)
            assert client.recv(PATIENCE) == "x" * 1000
            client.send("x" * 1001)
            with pytest.raises(ConnectionClosed) as closed:
                client.recv(PATIENCE)
            assert closed.value.rcvd.code == 1009
        with socket.create_connection(address_of(url)) as silent:
            silent.sendall(handshake())
            silent.settimeout(PATIENCE)
            came = b""
            while not came.endswith(b"\x89\x00"):
                came += silent.recv(4096)
        with connect(url.replace("http", "ws"), proxy=None) as client:
            process.send_signal(signal.SIGTERM)
            with pytest.raises(ConnectionClosed) as closed:
                client.recv(PATIENCE)
            assert closed.value.rcvd.code == 1001
        assert process.wait(PATIENCE) == 0
