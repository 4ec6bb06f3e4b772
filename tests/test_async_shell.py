"""What both asynchronous shells do beside the contract: cutting, limits, the access log."""

from __future__ import annotations

import socket
import threading

import pytest
from contracts.async_shells import IMPATIENT, PATIENT, SHELLS, Serving, serving

from handmade.events import Limits
from handmade.lifespan import LifespanFailed
from handmade.service import Service, Timeouts
from handmade.waiting import listen
from workbench.contracts.asgi_probes import App, answer, body, body_of, hello, instant, start
from workbench.contracts.wire import Wire, request

PATIENCE = 10.0
shells = pytest.mark.parametrize("shell", SHELLS)


class Patient:
    patience = PATIENCE


def connect(server):
    return Wire(server.address, PATIENCE)


def hanging():
    """Return an application that waits for ever, with the instants when it runs and ends."""
    running = instant(Patient, "the application to run")

    @App
    async def app(scope, receive, send):
        running.happens()
        await instant(Patient, "the end of time").came_within(1000)

    app.ended.patience = PATIENCE
    app.running = running
    return app


@shells
def test_the_graceful_time_has_an_end_and_the_application_is_cancelled(shell):
    app = hanging()
    timeouts = Timeouts(drain=0.0, graceful=0.1)
    with serving(app, shell, timeouts=timeouts) as server, connect(server) as wire:
        wire.send(request())
        app.running.wait()
        server.stop()
        app.ended.wait()
        assert wire.closed("it was cut") == b""
    assert [type(error).__name__ for error in app.errors] in (["CancelledError"], ["Cancelled"])


@shells
def test_a_second_stop_cuts(shell):
    app = hanging()
    with serving(app, shell) as server, connect(server) as wire:
        wire.send(request())
        app.running.wait()
        server.shell.stop()
        server.shell.stop()
        app.ended.wait()
        wire.closed("it was cut")
        assert wire.was_reset


@shells
def test_a_cut_application_may_clean_up_with_awaits(shell):
    cleaned = instant(Patient, "the application to have cleaned up")
    running = instant(Patient, "the application to run")

    @App
    async def app(scope, receive, send):
        try:
            running.happens()
            await instant(Patient, "the end of time").came_within(1000)
        finally:
            await instant(Patient, "nobody").came_within(0.05)
            cleaned.happens()

    timeouts = Timeouts(drain=0.0, graceful=0.1)
    with serving(app, shell, timeouts=timeouts) as server, connect(server) as wire:
        wire.send(request())
        running.wait()
        server.stop()
    assert cleaned


@shells
def test_a_stop_before_the_start_is_heard(shell):
    server = Serving(SHELLS[shell](Service(hello(), timeouts=PATIENT)))
    server.shell.stop()
    server.thread.start()
    server.thread.join(PATIENCE)
    assert not server.thread.is_alive()
    server.shell.stop()  # and one after the end does no harm


@shells
def test_who_is_in_line_when_it_stops_is_answered(shell):
    server = Serving(SHELLS[shell](Service(hello(), timeouts=PATIENT)))
    with connect(server) as asks, connect(server) as silent:
        asks.send(request())
        server.shell.stop()
        server.start()
        answer = asks.response()
        assert (answer.status, answer.value("connection")) == (200, "close")
        silent.closed("it has said nothing until the server stopped")
        server.thread.join(PATIENCE)
        assert not server.thread.is_alive()


@shells
def test_stops_from_many_threads_are_one_stop_or_two(shell):
    with serving(hello(), shell) as server, connect(server) as wire:
        wire.send(request()).response()
        threads = [threading.Thread(target=server.shell.stop) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wire.closed("it stops")


@shells
def test_beyond_the_most_connections_clients_wait_in_the_backlog(shell):
    with serving(hello(), shell, connections=2) as server:
        first, second, third = (connect(server) for _ in range(3))
        with first, second, third:
            for wire in (first, second):
                assert wire.send(request()).response().status == 200
            third.send(request())
            assert not third.readable(0.1)
            first.close()
            assert third.response().status == 200


@shells
def test_a_failed_start_up_closes_the_listener(shell):
    async def app(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no"})

    for each, lifespan, says in (
        (app, "auto", "the application could not start up: no"),
        (hello(), "on", "the application knows no lifespan: NotImplementedError: "),
    ):
        server = Serving(SHELLS[shell](Service(each, timeouts=PATIENT), lifespan=lifespan))
        with pytest.raises(LifespanFailed) as info:
            server.start()
        assert str(info.value).startswith(says)
        assert server.listener.fileno() == -1


@shells
def test_lifespan_off_calls_nobody(shell):
    kinds = []

    async def app(scope, receive, send):
        kinds.append(scope["type"])
        await answer(send)

    with serving(app, shell, lifespan="off") as server, connect(server) as wire:
        wire.send(request()).response()
    assert kinds == ["http"]


# ---------------------------------------------------------------- limits and refusals


@pytest.mark.parametrize("shell", ["asyncio", "loop"])
@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_a_body_over_the_limit_is_refused_in_the_middle(shell, framing):
    """With a length it is refused at once; chunks are counted, and the application is told."""
    came = []

    @App
    async def app(scope, receive, send):
        message = await receive()
        while message.get("more_body", False):
            message = await receive()
        came.append(message["type"])
        await answer(send)

    content = b"x" * 40_000
    how = {"body": content} if framing == "length" else {"chunks": (content[:9000],) * 4}
    with serving(app, shell, limits=Limits(body=10_000)) as server, connect(server) as wire:
        got = wire.send(request(method="POST", **how)).response()
        wire.closed("it does not want the rest")
    assert (got.status, got.value("connection")) == (413, "close")
    assert came in ([], ["http.disconnect"])


@pytest.mark.parametrize("shell", ["asyncio", "loop"])
def test_a_client_that_breaks_the_protocol_during_its_response_is_cut(shell):
    """There is a response under way, so none can be given: the connection is reset."""
    began = instant(Patient, "the client to see the beginning")

    @App
    async def app(scope, receive, send):
        await receive()
        await send(start())
        await send(body(b"first"))
        await began.comes()
        await body_of(receive)

    app.ended.patience = PATIENCE
    sent = request("/", "Transfer-Encoding: chunked", method="POST") + b"5\r\nhello\r\n"
    with serving(app, shell) as server, connect(server) as wire:
        wire.send(sent).until(b"first", "the beginning")
        wire.send(b"no size\r\n")
        began.happens()
        came = wire.closed("its client is broken")
        app.ended.wait()
    assert b"HTTP/1.1" not in came
    assert wire.was_reset


@pytest.mark.parametrize("shell", ["asyncio", "loop"])
def test_a_stalled_body_is_answered_with_408_and_told(shell):
    came = []

    @App
    async def app(scope, receive, send):
        message = await receive()
        while message.get("more_body", False):
            message = await receive()
        came.append(message["type"])
        await answer(send)

    app.ended.patience = PATIENCE
    sent = request("/", "Content-Length: 10", method="POST") + b"hello"
    with serving(app, shell, timeouts=IMPATIENT) as server, connect(server) as wire:
        assert wire.send(sent).response().status == 408
        app.ended.wait()
    assert came == ["http.disconnect"]
    assert isinstance(app.errors[0], OSError)


# ---------------------------------------------------------------- the access log


@pytest.mark.parametrize("shell", ["asyncio", "loop"])
def test_the_access_log_has_each_request_once(shell):
    lines = []

    @App
    async def app(scope, receive, send):
        if scope["path"] == "/fail":
            raise ValueError("no")
        if scope["path"] == "/stream":
            await send(start())
            await send(body(b"one"))
            return await send(body(b"two", more=False))
        await answer(send, b"hello", 404 if scope["path"] == "/nowhere" else 200)

    def note(line):
        lines.append((line.request.target, line.status, line.sent, line.seconds >= 0))

    with serving(app, shell, access=note) as server, connect(server) as wire:
        wire.send(request("/a") + request("/b", method="HEAD") + request("/stream"))
        wire.response()
        wire.response(head_only=True)
        wire.response()
        wire.send(request("/nowhere")).response()
        wire.send(request("/fail")).response()
    assert lines == [
        (b"/a", 200, 5, True),
        (b"/b", 200, 0, True),
        (b"/stream", 200, 6, True),
        (b"/nowhere", 404, 5, True),
        (b"/fail", 500, 0, True),
    ]


@pytest.mark.parametrize("shell", ["asyncio", "loop"])
def test_the_access_log_has_what_broke_off_too(shell):
    """A client that left before its answer is status 0; one that was cut keeps its status."""
    lines = []
    running = instant(Patient, "the application to run")

    @App
    async def app(scope, receive, send):
        if scope["path"] == "/broken":
            await send(start())
            await send(body(b"one"))
            raise ValueError("no")
        running.happens()
        await body_of(receive)
        await receive()

    app.ended.patience = PATIENCE

    def note(line):
        lines.append((line.request.target, line.status, line.sent))

    timeouts = Timeouts(body=0.2, half_closed=0.1, drain=0.0)
    with serving(app, shell, access=note, timeouts=timeouts) as server:
        with connect(server) as wire:
            wire.send(request("/broken")).closed("its application failed")
        with connect(server) as wire:
            wire.send(request("/left"))
            running.wait()
            wire.reset()
            app.ended.wait()
        with connect(server) as wire:
            sent = request("/stalled", "Content-Length: 10", method="POST")
            assert wire.send(sent).response().status == 408
    assert lines == [(b"/broken", 200, 3), (b"/left", 0, 0), (b"/stalled", 408, 0)]


# ---------------------------------------------------------------- other addresses


@shells
def test_ipv6_addresses_are_pairs_too(shell):
    try:
        listener = listen("::1", 0)
    except OSError:
        pytest.skip("this machine has no IPv6")
    app = hello()
    server = Serving(SHELLS[shell](Service(app, timeouts=PATIENT)), listener)
    server.start()
    with connect(server) as wire:
        wire.send(request()).response()
        here, there = wire.socket.getsockname()[:2], wire.socket.getpeername()[:2]
    server.stop()
    assert (app.scopes[0]["client"], app.scopes[0]["server"]) == (here, there)


@shells
def test_a_client_that_is_gone_before_it_is_accepted_harms_nobody(shell):
    with serving(hello(), shell) as server:
        for _ in range(20):
            wire = socket.create_connection(server.address)
            wire.close()
        with connect(server) as wire:
            assert wire.send(request()).response().status == 200
