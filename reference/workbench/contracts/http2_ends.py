"""How streams and connections end: clients that leave, servers that stop (RFC 9113 §5.4, §6.8)."""

from __future__ import annotations

import threading
from typing import Any

from . import case
from .asgi_probes import App, Receive, Scope, Send, answer, body, body_of, hello, instant, start
from .http2_client import GOAWAY, PING, Code, Response, frame, head, up, windows
from .probes import expect, same
from .wire import Wire

BOUND = 4.0  # seconds: far more than an impatient server waits for anybody, with room for a sweep


class Waits(App):
    """Wait for the disconnect, then try to send; answer at once on /other."""

    def __init__(self, server: Any) -> None:
        super().__init__(self.waits)
        self.runs = instant(server, "the application to run")
        self.told: list[str] = []

    async def waits(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Be the application."""
        if scope["path"] == "/other":
            return await answer(send, b"other")
        self.runs.happens()
        message: dict[str, Any] = {"type": ""}
        while message["type"] != "http.disconnect":
            message = await receive()
        self.told.append(message["type"])
        await send(start())
        await send(body(b"too late"))


@case("http2", "a stream that is reset", "RFC 9113 §5.4.2", 13)
def a_stream_that_is_reset(server: Any) -> None:
    """The application of a stream that is reset is told, its send raises, and no other's does."""
    app = Waits(server)
    with up(server, app) as connect:
        wire = connect()
        stream = wire.ask("/")
        app.runs.wait()
        wire.cancel(stream)
        app.ended.wait()
        same(bytes(wire.get("/other").body), b"other", "the next stream")
    same(app.told, ["http.disconnect"], "what the application was told")
    expect(isinstance(app.errors[0], OSError), f"send() raised {app.errors!r}")


@case("http2", "a reset in the middle of a download", "ASGI HTTP 2.5, Disconnected Client", 13)
def reset_in_a_download(server: Any) -> None:
    """An application that streams to a stream that is reset gets an OSError where it waits."""

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/other":
            return await answer(send)
        await send(start())
        while True:
            await send(body(bytes(65536)))

    with up(server, app) as connect:
        wire = connect(settings=windows(1000), greedy=False)
        stream = wire.ask("/")
        wire.wait_until(lambda: wire.responses[stream].body, "the beginning")
        wire.cancel(stream)
        app.ended.wait()
        same(wire.get("/other").status, 200, "the next stream")
    expect(isinstance(app.errors[0], OSError), f"send() raised {app.errors!r}")


@case("http2", "a reset in the middle of an upload", "ASGI HTTP 2.5, Disconnect", 13)
def reset_in_an_upload(server: Any) -> None:
    """An application that waits for more of a body is told that its client has left."""
    app = Waits(server)
    with up(server, app) as connect:
        wire = connect()
        stream = wire.ask(head("/", method=b"POST"), b"some", end=False)
        app.runs.wait()
        wire.cancel(stream)
        app.ended.wait()
    same(app.told, ["http.disconnect"], "what the application was told")


@case("http2", "a connection that is cut", "ASGI HTTP 2.5, Disconnect", 13)
def a_connection_that_is_cut(server: Any) -> None:
    """When the connection is lost every application that runs on it is told."""
    told = []
    all_told = instant(server, "three applications to be told")
    here = instant(server, "three applications to run")
    number = 0

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal number
        await body_of(receive)
        number += 1
        if number == 3:
            here.happens()
        told.append((await receive())["type"])
        if len(told) == 3:
            all_told.happens()

    with up(server, app) as connect:
        wire = connect()
        for _ in range(3):
            wire.ask("/")
        here.wait()
        wire.reset()
        all_told.wait()
    same(told, ["http.disconnect"] * 3, "what the applications were told")


@case("http2", "a client that says GOAWAY", "RFC 9113 §6.8", 13)
def a_client_that_says_goaway(server: Any) -> None:
    """A client that goes still gets what it has asked for, and then the connection ends."""
    goes_on = instant(server, "the client to have said GOAWAY")

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(b"first "))
        await goes_on.comes()
        await send(body(b"second", more=False))

    with up(server, app) as connect:
        wire = connect()
        stream = wire.ask("/")
        wire.wait_until(lambda: wire.responses[stream].body, "the beginning")
        wire.raw(frame(GOAWAY, payload=bytes(8)))
        wire.settled()
        goes_on.happens()
        same(bytes(wire.answer(stream).body), b"first second", "the answer")
        while wire.hear("the end of the connection"):
            pass


@case("http2", "a server that stops", "RFC 9113 §6.8", 13, needs={"graceful"})
def a_server_that_stops(server: Any) -> None:
    """A server that stops says GOAWAY without an error, and answers what it has begun."""
    goes_on = instant(server, "GOAWAY to have come")
    runs = instant(server, "the application to run")

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        runs.happens()
        await goes_on.comes()
        await answer(send, b"finished")

    with up(server, app) as connect:
        idle, busy = connect(), connect()
        idle.settled()
        stream = busy.ask("/")
        runs.wait()
        thread = threading.Thread(target=server.stop, daemon=True)
        thread.start()
        same(idle.goaway("the server stops"), Code.NO_ERROR, "the code for who is idle")
        goes_on.happens()
        same(bytes(busy.answer(stream).body), b"finished", "the answer to who is not")
        same(busy.goaway("the server stops"), Code.NO_ERROR, "the code")
        thread.join(busy.patience)
    same(busy.goaways[-1][1], stream, "the last stream that was served")


@case("http2", "too late for a server that stops", "RFC 9113 §8.7", 13, needs={"graceful"})
def too_late(server: Any) -> None:
    """A stream that comes too late is refused, so that it can be tried again elsewhere."""
    goes_on = instant(server, "a stream to be refused")
    runs = instant(server, "the application to run")

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/":
            runs.happens()
            await goes_on.comes()
        await answer(send)

    with up(server, app) as connect:
        wire = connect()
        wire.ask("/")
        runs.wait()
        thread = threading.Thread(target=server.stop, daemon=True)
        thread.start()
        got, late = Response(), 0
        while got.reset is None:
            late = wire.ask("/late")
            got = wire.responses[late]
            wire.answer(late, whole=False)
        same(got.reset, Code.REFUSED_STREAM, "the code of the stream")
        wire.deaf = True
        goes_on.happens()
        same(wire.goaway("the server stops"), Code.NO_ERROR, "the code of the connection")
        thread.join(wire.patience)
    same(wire.goaways[0][1] < late, True, "the last stream that was served is an earlier one")


@case("http2", "idle and silent clients", "RFC 9113 §9.1", 13, needs={"timeouts"})
def idle_and_silent_clients(server: Any) -> None:
    """Who asks nothing is not waited for without end: GOAWAY without an error, and the end."""
    with up(server, hello(), impatient=True) as connect:
        idle, greeted, silent = connect(), connect(), connect(greet=False)
        same(idle.get().status, 200, "the status")
        for wire in (idle, greeted):
            wire.patience = max(wire.patience, BOUND)
            same(wire.goaway("it is idle"), Code.NO_ERROR, "the code")
        silent.patience = max(silent.patience, BOUND)
        Wire.closed(silent, "it says nothing")
        same(connect().get().status, 200, "the next client")


@case("http2", "pings do not keep a connection open", "RFC 9113 §9.1", 13, needs={"timeouts"})
def pings_keep_nothing_open(server: Any) -> None:
    """A client that only pings is idle."""
    with up(server, hello(), impatient=True) as connect:
        wire = connect()
        wire.patience = max(wire.patience, BOUND)
        for _ in range(int(BOUND / 0.1)):
            wire.raw(frame(PING, payload=b"still me"))
            while wire.hears_more(0.1) and wire.hear("anything"):
                pass
            if wire.ended:
                break
        same(wire.goaways[:1], [(0, 0)], "GOAWAY")


@case("http2", "a head that does not go on", "RFC 9113 §9.1", 13, needs={"timeouts"})
def a_head_that_does_not_go_on(server: Any) -> None:
    """Half a head is not waited for without end."""
    with up(server, hello(), impatient=True) as connect:
        wire = connect()
        wire.settled()
        wire.raw(frame(1, 0, 1, b"\x82\x86"))
        wire.patience = max(wire.patience, BOUND)
        wire.goaway("its client stops in a head")


@case("http2", "a body that does not go on", "RFC 9110 §15.5.9", 13, needs={"timeouts"})
def a_body_that_does_not_go_on(server: Any) -> None:
    """A body that stalls is answered with 408, on its stream alone."""
    took: list[bytes] = []
    other = instant(server, "the other stream to go on")

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/other":
            await other.comes()
            return await answer(send, b"other")
        took.append(await body_of(receive))
        await answer(send)

    with up(server, app, impatient=True) as connect:
        wire = connect()
        wire.patience = max(wire.patience, BOUND)
        goes_on = wire.ask("/other")
        stalls = wire.ask(head("/", method=b"POST"), b"some", end=False)
        same(wire.status_of(stalls), 408, "the status")
        other.happens()
        same(bytes(wire.answer(goes_on).body), b"other", "the other stream")
    same(took, [], "half a request was served")


@case("http2", "a client that takes nothing", "RFC 9113 §10.5", 13, needs={"timeouts"})
def a_client_that_takes_nothing(server: Any) -> None:
    """Streams whose windows stay shut are ended, and their applications' sends raise."""
    ended = 0
    all_ended = instant(server, "five applications to have ended")
    all_ended.patience = max(all_ended.patience, BOUND)

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal ended
        await send(start())
        try:
            while True:
                await send(body(bytes(65536)))
        finally:
            ended += 1
            if ended == 5:
                all_ended.happens()

    with up(server, app, impatient=True) as connect:
        wire = connect(settings=windows(0), greedy=False)
        wire.patience = max(wire.patience, BOUND)
        streams = [wire.ask("/") for _ in range(5)]
        for stream in streams:
            same(wire.reset_of(stream), Code.ENHANCE_YOUR_CALM, "the code")
        all_ended.wait()
    expect(all(isinstance(error, OSError) for error in app.errors), f"{app.errors!r}")
