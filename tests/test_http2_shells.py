"""HTTP/2 in the asynchronous shells beside the contract: real clients, large bodies, the log."""

from __future__ import annotations

import hashlib
import shutil
import ssl
import subprocess
import threading
import time
from unittest import mock

import httpx
import pytest
from contracts.async_shells import PATIENT, SHELLS, serving
from contracts.http2_shells import Http2Ours
from tls_clients import CERTIFICATE, tls

from handmade import async_shell
from handmade.http2_events import Code, Http2Limits
from handmade.protocol_http2 import Http2Protocol
from handmade.service import Timeouts
from handmade.wsgi_in_asgi import WsgiInAsgi
from workbench.contracts.asgi_probes import App, answer, body, body_of, hello, instant, start
from workbench.contracts.http2_client import Http2Wire, Response, head, windows

PATIENCE = 10.0
BLOCK = bytes(range(256)) * 256
LARGE = 100_000_000 // len(BLOCK)  # blocks: 100 MB
shells = pytest.mark.parametrize("shell", SHELLS)
two_shells = pytest.mark.parametrize("shell", ["asyncio", "loop"])


class Patient:
    patience = PATIENCE


def needs(program):
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


@App
async def _transfers(scope, receive, send):
    """Send so many blocks, or tell what has come."""
    if scope["path"].startswith("/down/"):
        await send(start())
        for _ in range(int(scope["path"][6:])):
            await send(body(BLOCK))
        return await send(body(b"", more=False))
    digest, size, more = hashlib.sha256(), 0, True
    while more:
        message = await receive()
        digest.update(message["body"])
        size += len(message["body"])
        more = message["more_body"]
    await answer(send, f"{size} {digest.hexdigest()} {scope['http_version']}".encode())


def transfers():
    app = App(_transfers.view)
    app.ended.patience = PATIENCE
    return app


def connect(server, **how):
    return Http2Wire(server.address, PATIENCE, **how)


def url(server, path="/", scheme="http"):
    host = "localhost" if scheme == "https" else server.address[0]
    return f"{scheme}://{host}:{server.address[1]}{path}"


def told(blocks):
    return f"{len(BLOCK) * blocks} {hashlib.sha256(BLOCK * blocks).hexdigest()} 2"


def run(*command, sent=b""):
    done = subprocess.run(command, input=sent, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


# ---------------------------------------------------------------- real clients


@shells
def test_httpx_by_prior_knowledge(shell):
    with serving(transfers(), shell) as server, httpx.Client(http1=False, http2=True) as client:
        got = client.post(url(server), content=BLOCK * 10)
        assert (got.http_version, got.text) == ("HTTP/2", told(10))
        assert client.get(url(server, "/down/10")).content == BLOCK * 10


@shells
def test_httpx_inside_tls_agrees_on_http2_and_on_http1_1(shell):
    context = ssl.create_default_context(cafile=CERTIFICATE.ca)
    with serving(transfers(), shell, tls=tls()) as server:
        for http2 in (True, False):
            with httpx.Client(http2=http2, verify=context) as client:
                got = client.post(url(server, scheme="https"), content=BLOCK)
                assert got.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
                assert got.text.split()[:2] == told(1).split()[:2]
                down = client.get(url(server, "/down/40", "https"))
                assert down.content == BLOCK * 40


def test_a_wsgi_application_is_told_the_version_as_cgi_writes_it():
    """RFC 3875 §4.1.16: HTTP-Version = "HTTP" "/" 1*digit "." 1*digit"""

    def app(environ, start_response):
        start_response("200 OK", [])
        return [environ["SERVER_PROTOCOL"].encode(), environ["wsgi.input"].read()]

    with serving(WsgiInAsgi(app)) as server:
        with httpx.Client(http1=False, http2=True) as client:
            assert client.post(url(server), content=b"!").text == "HTTP/2.0!"
        assert httpx.post(url(server), content=b"!").text == "HTTP/1.1!"


@shells
def test_the_scope_of_a_stream_inside_tls(shell):
    app = hello()
    context = ssl.create_default_context(cafile=CERTIFICATE.ca)
    with (
        serving(app, shell, tls=tls()) as server,
        httpx.Client(http2=True, verify=context) as client,
    ):
        client.get(url(server, scheme="https"))
    scope = app.scopes[0]
    assert (scope["scheme"], scope["http_version"]) == ("https", "2")
    assert "tls" in scope["extensions"]


@needs("curl")
@shells
def test_curl(shell, tmp_path):
    with serving(transfers(), shell) as server:
        known = "curl", "-sS", "--http2-prior-knowledge", "--fail"
        assert run(*known, url(server, "/down/20")) == BLOCK * 20
        (tmp_path / "body").write_bytes(BLOCK * 20)
        sent = run(*known, "--data-binary", f"@{tmp_path / 'body'}", url(server)).decode()
        assert sent == told(20)
    with serving(transfers(), shell, tls=tls()) as server:
        trusts = "curl", "-sS", "--http2", "--cacert", CERTIFICATE.ca, "--fail"
        assert run(*trusts, url(server, "/down/20", "https")) == BLOCK * 20
        version = run(
            *trusts, "-o", "/dev/null", "-w", "%{http_version}", url(server, "/", "https")
        )
        assert version == b"2"


@needs("nghttp")
@shells
def test_nghttp(shell, tmp_path):
    """nghttp upgrades nothing, pads, prioritises, and has small windows."""
    (tmp_path / "body").write_bytes(BLOCK * 20)
    with serving(transfers(), shell) as server:
        small = "nghttp", "-w", "10", "-W", "10", "--no-dep", "-b", "100"
        assert run(*small, url(server, "/down/20")) == BLOCK * 20
        assert run("nghttp", "-d", str(tmp_path / "body"), url(server)).decode() == told(20)
        trailers = "nghttp", "--trailer", "x-sum: 1", "--expect-continue"
        sent = run(*trailers, "-d", str(tmp_path / "body"), url(server)).decode()
        assert sent.endswith(told(20))


@needs("h2load")
@shells
def test_h2load(shell):
    """Eighty streams at once on each of four connections, with small heads and a browser's."""
    with serving(hello(), shell) as server:
        out = run("h2load", "-n", "2000", "-c", "4", "-m", "80", url(server)).decode()
    assert "2000 succeeded, 0 failed, 0 errored" in out


# ---------------------------------------------------------------- large bodies

WINDOWS = [("asyncio", 20_000), ("loop", 65_535)]


@pytest.mark.parametrize(("shell", "window"), WINDOWS)
def test_a_hundred_megabytes_down_through_small_windows(shell, window):
    with serving(transfers(), shell) as server, connect(server, settings=windows(window)) as wire:
        wire.patience = 60
        got = wire.get(f"/down/{LARGE}")
        assert len(got.body) == LARGE * len(BLOCK)
        digest = hashlib.sha256()
        for _ in range(LARGE):
            digest.update(BLOCK)
        assert hashlib.sha256(got.body).digest() == digest.digest()


@pytest.mark.parametrize(("shell", "window"), WINDOWS)
def test_a_hundred_megabytes_up_through_small_windows(shell, window):
    limits = Http2Limits(stream_window=window, connection_window=65_535)
    content = BLOCK * LARGE
    with serving(transfers(), shell, http2=limits) as server, connect(server) as wire:
        wire.patience = 60
        wire.settled()
        got = wire.get(head("/", method=b"POST"), content)
        assert got.body.decode() == told(LARGE)


@two_shells
def test_uploads_and_downloads_beside_each_other(shell):
    """httpx cannot do this: with several uploads it misses window updates, on every server."""
    with serving(transfers(), shell) as server, connect(server) as wire:
        downs = [wire.ask("/down/60") for _ in range(3)]
        ups = [wire.ask(head("/", method=b"POST"), end=False) for _ in range(3)]
        for number in range(60):
            for stream in ups:
                wire.data(stream, BLOCK, end=number == 59)
        for stream in downs:
            assert wire.answer(stream).body == BLOCK * 60
        for stream in ups:
            assert wire.answer(stream).body.decode() == told(60)


@needs("h2load")
@shells
def test_many_large_bodies_inside_tls(shell, tmp_path):
    (tmp_path / "body").write_bytes(BLOCK * 60)
    with serving(transfers(), shell, tls=tls()) as server:
        many = "h2load", "-n", "12", "-c", "2", "-m", "6"
        up = run(*many, "-d", str(tmp_path / "body"), url(server, "/", "https")).decode()
        down = run(*many, url(server, "/down/60", "https")).decode()
    for out in (up, down):
        assert "12 succeeded, 0 failed" in out
    assert f"{12 * 60 * len(BLOCK)}) data" in down


# ---------------------------------------------------------------- the shell


@two_shells
def test_the_access_log_has_each_stream_once(shell):
    lines = []
    running = instant(Patient, "the application to run")
    gone = instant(Patient, "the application to be told")

    @App
    async def app(scope, receive, send):
        if scope["path"] == "/fails":
            raise ValueError("as it was told to")
        if scope["path"] == "/breaks":
            await send(start())
            await send(body(b"one"))
            raise ValueError("as it was told to")
        if scope["path"] == "/left":
            running.happens()
            await body_of(receive)
            await receive()
            return gone.happens()
        await answer(send, b"hello", 404 if scope["path"] == "/nowhere" else 200)

    def note(line):
        assert line.request.version == b"2"
        assert line.client[0] == "127.0.0.1"
        lines.append((line.request.target, line.status, line.sent, line.seconds >= 0))

    with serving(app, shell, access=note) as server, connect(server) as wire:
        wire.get("/a")
        wire.get(head("/b", method=b"HEAD"))
        wire.get("/nowhere")
        wire.get("/fails")
        wire.reset_of(wire.ask("/breaks"))
        stream = wire.ask("/left")
        running.wait()
        wire.cancel(stream)
        gone.wait()
    assert lines == [
        (b"/a", 200, 5, True),
        (b"/b", 200, 0, True),
        (b"/nowhere", 404, 5, True),
        (b"/fails", 500, 0, True),
        (b"/breaks", 200, 3, True),
        (b"/left", 0, 0, True),
    ]


@shells
def test_what_all_streams_do_in_one_turn_is_settled_once(shell, monkeypatch):
    flushes = []
    flush = Http2Protocol._flush

    def counted(self):
        flushes.append(self)
        flush(self)

    monkeypatch.setattr(Http2Protocol, "_flush", counted)
    with serving(hello(), shell) as server, connect(server) as wire:
        wire.settled()
        flushes.clear()
        streams = []
        for _ in range(20):
            streams.append(wire.h2.get_next_available_stream_id())
            wire.responses[streams[-1]] = Response()
            wire.h2.send_headers(streams[-1], head(), end_stream=True)
        wire.flush()
        for stream in streams:
            assert wire.answer(stream).status == 200
        assert len(flushes) <= 3


@two_shells
def test_applications_of_streams_that_were_reset_still_count(shell):
    """Else each reset would make room for another one that runs: that is rapid reset."""
    running = most = 0
    over = instant(Patient, "the end of the test")

    @App
    async def app(scope, receive, send):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await over.comes()
        running -= 1
        await answer(send)

    limits = Http2Limits(streams=5)
    with serving(app, shell, http2=limits) as server, connect(server) as wire:
        wire.settled()
        for _ in range(5):
            wire.cancel(wire.ask())
        refused = wire.ask()
        wire.reset_of(refused)
        assert (most, int(wire.responses[refused].reset)) == (5, 7)
        over.happens()
        deadline = time.monotonic() + PATIENCE
        while running and time.monotonic() < deadline:
            wire.settled()
        assert wire.get().status == 200


@two_shells
def test_memory_of_an_upload_that_nobody_reads_has_a_bound(shell):
    """Ten streams that nobody reads hold what the connection's window says, and no more."""
    goes_on = instant(Patient, "the end of the test")

    @App
    async def app(scope, receive, send):
        await goes_on.comes()
        await answer(send)

    limits = Http2Limits(stream_window=100_000, connection_window=300_000)
    with serving(app, shell, http2=limits) as server, connect(server) as wire:
        wire.settled()
        held = 0
        for _ in range(10):
            stream = wire.ask(head("/", method=b"POST"), end=False)
            room = wire.h2.local_flow_control_window(stream)
            wire.data(stream, bytes(room))
            held += room
            wire.settled()
        assert 250_000 <= held <= 300_000
        goes_on.happens()


@two_shells
def test_the_graceful_time_has_an_end(shell):
    """What does not end is cut, and its client hears of it."""

    @App
    async def app(scope, receive, send):
        running.happens()
        await instant(Patient, "the end of time").came_within(1000)

    running = instant(Patient, "the application to run")
    timeouts = Timeouts(drain=0.0, graceful=0.1)
    with serving(app, shell, timeouts=timeouts) as server, connect(server) as wire:
        wire.ask()
        running.wait()
        server.stop()
        while wire.hear("the end"):
            pass


@two_shells
def test_httpx_gets_its_answer_from_a_server_that_stops(shell):
    """httpx drops what it waits for when it hears GOAWAY: so GOAWAY comes behind the answer."""
    running = instant(Patient, "the application to run")
    goes_on = instant(Patient, "the server to be about to stop")
    got = []

    @App
    async def app(scope, receive, send):
        running.happens()
        await goes_on.comes()
        await answer(send, b"at last")

    with (
        serving(app, shell, timeouts=PATIENT) as server,
        httpx.Client(http1=False, http2=True, timeout=PATIENCE) as client,
    ):
        asking = threading.Thread(target=lambda: got.append(client.get(url(server)).content))
        asking.start()
        running.wait()
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        while not server.shell.stopping:
            time.sleep(0.01)
        time.sleep(PATIENT.drain * 3)  # past the last word: nothing tells us of that
        goes_on.happens()
        asking.join()
        stopping.join()
    assert got == [b"at last"]


@two_shells
def test_who_is_refused_and_takes_nothing_is_cut(shell):
    """The words of a refusal may wait for a window, too; not without end (RFC 9113 §10.5)."""
    server = Http2Ours(shell, timeouts=Timeouts(write=0.3, slowest=100_000_000))
    with (
        mock.patch.object(async_shell, "SWEEP", 0.1),
        server.serve(hello()) as address,
        Http2Wire(address, PATIENCE, settings=windows(0), greedy=False) as wire,
    ):
        wire.settled()
        stream = wire.ask(head("/", *[(b"x", b"y")] * 200))
        assert wire.status_of(stream) == 431
        assert wire.reset_of(stream) == Code.ENHANCE_YOUR_CALM
