"""Chapter 10, a client that leaves: ``http.disconnect``, and ``send`` that raises OSError."""

from __future__ import annotations

from typing import Any

from . import Broken, case
from .asgi_probes import (
    App,
    Instant,
    Message,
    Receive,
    Scope,
    Send,
    answer,
    body,
    body_of,
    instant,
    start,
    task_of,
    turns,
    up,
)
from .probes import expect, same
from .wire import Wire, request

DISCONNECT = "ASGI HTTP 2.5, Disconnect"
SEND = "ASGI HTTP 2.5, Disconnected Client"
BLOCK = b"x" * 65536


class Waits(App):
    """Receive the body, then once more, and note what comes and when."""

    def __init__(self, server: Any, held: bool = False) -> None:
        super().__init__(self.wait)
        self.running = instant(server, "the application to wait for what comes next")
        self.told = instant(server, "the application to be told that the client has left")
        self.goes_on = instant(server, "the client to let the application go on")
        self.came: list[Message] = []

    async def wait(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Be the view."""
        if scope["path"] != "/":
            return await answer(send)
        await body_of(receive)
        task = task_of(self.listen(receive))
        await turns()
        self.running.happens()
        await self.goes_on.comes()
        await answer(send)
        await task

    async def listen(self, receive: Receive) -> None:
        """Receive what comes behind the body."""
        self.came.append(await receive())
        self.told.happens()


@case("asgi", "receive waits", DISCONNECT, 10)
def receive_waits(server: Any) -> None:
    """Behind the body nothing comes while the client is there, and http.disconnect at the end."""
    app = Waits(server)
    with up(server, app) as connect:
        wire = connect().send(request(method="POST", body=b"hello"))
        app.running.wait()
        for _ in range(3):  # round trips, in which a wrong message would have had its time
            connect().send(request("/other")).response()
        same(app.came, [], "the client is there, and has nothing more to say")
        app.goes_on.happens()
        same(wire.response().status, 200, "the answer")
        app.told.wait()
    same(app.came[0]["type"], "http.disconnect", "what comes when the response is complete")


@case("asgi", "disconnect after the response", DISCONNECT, 10)
def disconnect_after_the_response(server: Any) -> None:
    """When the response is complete each receive gives http.disconnect, also beside a body."""
    came: list[str] = []

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send)
        came.extend([(await receive())["type"] for _ in range(3)])

    with up(server, app) as connect:
        for sent in (request(), request(method="POST", body=b"unread")):
            app.ended = instant(server, "the application to be told that its response is complete")
            connect().send(sent).response()
            app.ended.wait()
    same(came, ["http.disconnect"] * 6, "what receive gives behind a response")


@case("asgi", "disconnect on a reset", DISCONNECT, 10)
def disconnect_on_a_reset(server: Any) -> None:
    """An application that waits is told when its client is gone."""
    app = Waits(server)
    with up(server, app) as connect:
        wire = connect().send(request())
        app.running.wait()
        wire.reset()
        app.told.wait()
        same(app.came[0]["type"], "http.disconnect", "what comes when the client is gone")
        app.goes_on.happens()
        app.ended.wait()
        same(connect().send(request("/other")).response().status, 200, "the next client")
    expect(app.errors and isinstance(app.errors[0], OSError), "send() to nobody must raise OSError")


@case("asgi", "disconnect on a goodbye", DISCONNECT, 10, needs={"timeouts"})
def disconnect_on_a_goodbye(server: Any) -> None:
    """A client that has closed its connection has left: the application is told, soon."""
    app = Waits(server)
    with up(server, app, impatient=True) as connect:
        wire = connect().send(request())
        app.running.wait()
        wire.close()
        app.told.wait()
        app.goes_on.happens()
        app.ended.wait()
    same(app.came[0]["type"], "http.disconnect", "what comes when the client has closed")


@case("asgi", "a half-closed client", "RFC 9112 §9.6", 10, needs={"half-close"})
def a_half_closed_client(server: Any) -> None:
    """Who has closed its sending side waits for its answer: it has not left yet."""
    app = Waits(server)
    with up(server, app) as connect:
        wire = connect().send(request(method="POST", body=b"hello")).half_close()
        app.running.wait()
        for _ in range(3):
            connect().send(request("/other")).response()
        same(app.came, [], "the client still waits for its answer")
        app.goes_on.happens()
        same(wire.response().body, b"ok", "the answer")
        wire.closed("its client will ask nothing more")
        app.ended.wait()
    same(app.errors, [], "the application's errors")


@case("asgi", "half-closed for long", "RFC 9112 §9.6", 10, needs={"half-close", "timeouts"})
def half_closed_for_long(server: Any) -> None:
    """After a while a half-closed client counts as gone; an answer that comes yet still arrives."""
    app = Waits(server)
    with up(server, app, impatient=True) as connect:
        wire = connect().send(request()).half_close()
        app.told.wait()
        same(app.came[0]["type"], "http.disconnect", "what comes when a client is silent")
        app.goes_on.happens()
        same(wire.response().body, b"ok", "the late answer")
        app.ended.wait()
    same(app.errors, [], "the application's errors")


@case("asgi", "half-closed at once", "RFC 9112 §9.6", 10, needs={"half-close"})
def half_closed_at_once(server: Any) -> None:
    """Pipelined requests with the goodbye right behind them are all answered."""

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        content = await body_of(receive)
        await turns()
        await answer(send, scope["path"].encode() + content)

    sent = request("/a") + request("/b", method="POST", body=b"!") + request("/c")
    with up(server, app) as connect:
        wire = connect().send(sent).half_close()
        bodies = [wire.response().body for _ in range(3)]
        wire.closed("its client will ask nothing more")
    same(bodies, [b"/a", b"/b!", b"/c"], "the answers")


@case("asgi", "a body that breaks off", "RFC 9112 §8", 10)
def a_body_that_breaks_off(server: Any) -> None:
    """When the client leaves inside its body the application is told, and not that it is whole."""
    length = request("/", "Content-Length: 10", method="POST") + b"hello"
    chunks = request(method="POST", chunks=(b"hello", b"world"))[:-12]
    for sent in (length, chunks):
        came: list[Message] = []

        @App
        async def app(
            scope: Scope, receive: Receive, send: Send, came: list[Message] = came
        ) -> None:
            came.append(await receive())
            while came[-1].get("more_body", False):
                came.append(await receive())
            await answer(send)

        with up(server, app) as connect:
            wire = connect().send(sent).half_close()
            got = wire.closed("the rest of the body will never come")
            app.ended.wait()
        same(came[-1]["type"], "http.disconnect", "half a body was given as the whole", sent)
        expect(not got.startswith(b"HTTP/1.1 2"), "half a request was served", sent=sent, got=got)


@case("asgi", "a broken chunk", "RFC 9112 §7.1", 10)
def a_broken_chunk(server: Any) -> None:
    """What is no chunk never reaches the application, which is told that its client is lost."""
    began = instant(server, "the application to receive the first chunk")
    came: list[Message] = []

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        came.append(await receive())
        began.happens()
        while came[-1].get("more_body", False):
            came.append(await receive())
        await answer(send)

    sent = request("/", "Transfer-Encoding: chunked", method="POST") + b"5\r\nhello\r\n"
    with up(server, app) as connect:
        wire = connect().send(sent)
        began.wait()
        got = wire.send(b"no size\r\n").response()
        wire.closed("after a body that it could not read")
        app.ended.wait()
    same(got.status, 400, "a broken chunk is the client's error", sent)
    same(came[-1]["type"], "http.disconnect", "what comes instead of the rest", sent)


# ---------------------------------------------------------------- send to nobody


class Streams(App):
    """Send blocks until somebody stops it, and note how many went and what was raised."""

    def __init__(self, server: Any, blocks: int = 2000) -> None:
        super().__init__(self.stream)
        self.began = instant(server, "the stream to begin")
        self.stopped = Instant("the stream to be stopped")
        self.ended = instant(server, "the stream to end")
        self.blocks = blocks
        self.sent = 0

    async def stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Be the view."""
        if scope["path"] != "/":
            return await answer(send, b"other")
        await send(start())
        for _ in range(self.blocks):
            await send(body(BLOCK))
            self.sent += 1
            self.began.happens()
            if self.stopped:
                break
        await send(body(b"", more=False))


@case("asgi", "send after the client left", SEND, 10)
def send_after_the_client_left(server: Any) -> None:
    """A stream whose client is gone ends, by an OSError at the application's own send."""
    app = Streams(server)
    with up(server, app) as connect:
        wire = connect().send(request())
        wire.until(b"x" * 1000, "the beginning of the stream")
        wire.reset()
        app.ended.wait()
        same(connect().send(request("/other")).response().body, b"other", "the next client")
    if not app.errors or not isinstance(app.errors[0], OSError):
        raise Broken(f"send() must raise OSError, and not {app.errors!r}")


@case("asgi", "a stream to nobody", SEND, 10)
def a_stream_to_nobody(server: Any) -> None:
    """Also an application that never waits learns soon that its client has left meanwhile."""
    gone = instant(server, "the client to leave")

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(b"first"))
        gone.wait()  # it computes, and holds the loop: the server cannot look meanwhile
        for _ in range(1000):
            await send(body(BLOCK))

    with up(server, app) as connect:
        wire = connect().send(request())
        wire.until(b"first", "the first part")
        wire.reset()
        gone.happens()
        app.ended.wait()
    expect(app.errors and isinstance(app.errors[0], OSError), f"send() raised {app.errors!r}")


@case("asgi", "a client that leaves is no error", SEND, 10, needs={"log"})
def a_client_that_leaves_is_no_error(server: Any) -> None:
    """What send raises because the client has left is not logged as an error of anybody."""
    app, log = Streams(server), list[str]()
    with up(server, app, log=log) as connect:
        wire = connect().send(request())
        wire.until(b"x" * 1000, "the beginning of the stream")
        wire.reset()
        app.ended.wait()
    wrong = [line for line in log if "ERROR" in line or "Traceback" in line]
    same(wrong, [], "the log")


@case("asgi", "gone in the middle of an upload", DISCONNECT, 10)
def gone_in_the_middle_of_an_upload(server: Any) -> None:
    """A client that crashes while it sends is reported, and the next client is served."""
    came: list[str] = []
    began = instant(server, "the upload to begin")

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            began.happens()
            if not message.get("more_body", False):
                break
        came.append(message["type"])
        await answer(send)

    with up(server, app) as connect:
        wire = connect().send(request("/", "Content-Length: 1000000", method="POST") + BLOCK)
        began.wait()
        wire.reset()
        app.ended.wait()
        same(connect().send(request()).response().status, 200, "the next client")
    same(came[0], "http.disconnect", "what comes when the client crashes")


@case("asgi", "a crowd that comes and goes", "RFC 9112 §9.5", 10)
def a_crowd_that_comes_and_goes(server: Any) -> None:
    """Clients that connect and leave, at every point of a request, hold up nobody."""
    sent = request("/", method="POST", body=b"hello")
    with up(server, Streams(server, blocks=2)) as connect:
        for end in (0, 1, 20, len(sent) - 5, len(sent) - 1, len(sent)):
            for leave in (Wire.close, Wire.reset, Wire.half_close):
                wire = connect().send(sent[:end])
                leave(wire)
        same(connect().send(request("/other")).response().body, b"other", "the client behind them")
