"""Chapter 9, when the application fails: the client learns it, and nobody else does."""

from __future__ import annotations

import sys
from typing import Any

from . import case
from .asgi_probes import (
    App,
    Receive,
    Scope,
    Send,
    answer,
    body,
    failed,
    hello,
    instant,
    running_loop,
    start,
    task_of,
    turns,
    up,
)
from .probes import expect, same
from .wire import request

ERRORS = "ASGI 3.0, Error Handling"


@case("asgi", "error before the start", ERRORS, 9)
def error_before_the_start(server: Any) -> None:
    """An application that raises is answered for with 500, and not with its traceback."""

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise ValueError("the password is swordfish")

    got = failed(server, app, "it raised")
    everything = got.head + got.body
    expect(b"swordfish" not in everything, "the client reads our secrets", got=everything)
    expect(b"Traceback" not in everything, "the client reads our source", got=everything)


@case("asgi", "error before the body", ERRORS, 9)
def error_before_the_body(server: Any) -> None:
    """While nothing was sent a failure is a 500, and not the 200 that was announced."""

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(200, (b"x-first", b"yes"), (b"content-length", b"5")))
        raise ValueError("no body")

    same(failed(server, app, "it raised").values("x-first"), [], "a header that it had announced")


@case("asgi", "error in the body", ERRORS, 9)
def error_in_the_body(server: Any) -> None:
    """After the first body the response is cut: no second status line, and no proper end."""
    arrived = instant(server, "the client to see the first part")

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        length = [(b"content-length", b"100")] if scope["path"] == "/length" else []
        await send(start(200, *length))
        await send(body(b"first"))
        await arrived.comes()
        raise ValueError("no more")

    for sent in (request("/chunked"), request("/length"), request("/close", version="1.0")):
        arrived = instant(server, "the client to see the first part")
        with up(server, app) as connect:
            wire = connect().send(sent)
            head = wire.until(b"first", "the first part")
            arrived.happens()
            came = wire.closed("its response has failed")
        expect(b"HTTP/1." not in came, "a second response stands in the first", got=head + came)
        expect(b"500" not in came, "an error stands in the body", got=head + came)
        expect(b"0\r\n\r\n" not in came, "the failed response ends as if whole", got=head + came)
        if b"content-length" not in head.lower() and b"chunked" not in head.lower():
            expect(wire.was_reset, "only a reset tells this client that something is missing")


@case("asgi", "error behind the end", ERRORS, 9)
def error_behind_the_end(server: Any) -> None:
    """A failure after the last body harms neither the response nor the next one."""

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, scope["path"].encode())
        raise ValueError("too late")

    with up(server, app) as connect:
        wire = connect()
        for path in ("/first", "/second"):
            same(wire.send(request(path)).response().body, path.encode(), "the response")


@case("asgi", "error in an upload", ERRORS, 9)
def error_in_an_upload(server: Any) -> None:
    """A failure while a body still comes is answered, and the rest of the body is no request."""
    app = App(hello().view)

    @App
    async def fails(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        raise ValueError("no")

    smuggled = request("/smuggled")
    sent = request("/", "Content-Length: 1000000", method="POST") + b"x" * 1000
    for each in (fails, app):
        with up(server, each) as connect:
            wire = connect().send(sent)
            got = wire.response()
            wire.send(smuggled * 10)
            wire.closed("the rest of the body is not wanted")
        same((got.status, each.paths), (500 if each is fails else 200, ["/"]), "what ran")


@case("asgi", "the server survives", ERRORS, 9)
def the_server_survives(server: Any) -> None:
    """Whatever an application raises, the next client is served."""

    class Odd(BaseException):
        """What no ``except Exception`` stops."""

    async def deeper(send: Send) -> None:
        await deeper(send)

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/exit":
            sys.exit("an application must not end the server")
        if scope["path"] == "/recursion":
            await deeper(send)
        if scope["path"] == "/memory":
            raise MemoryError("no room")
        if scope["path"] == "/odd":
            raise Odd
        await answer(send)

    with up(server, app) as connect:
        for path in ("/exit", "/recursion", "/memory", "/odd"):
            got = connect().send(request(path)).response()
            same(got.status, 500, f"the answer to {path}")
            same(connect().send(request()).response().status, 200, f"the client after {path}")


@case("asgi", "a stray cancel", "ASGI 3.0, Extra Coroutines", 10)
def a_stray_cancel(server: Any) -> None:
    """A cancel that the application let out of a task of its own is its error, and 500."""

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        task = task_of(forever())
        await turns()
        task.cancel()
        await task

    async def forever() -> None:
        await running_loop().create_future()

    failed(server, app, "it awaited a task that was cancelled")


@case("asgi", "no coroutine", ERRORS, 9)
def no_coroutine(server: Any) -> None:
    """What an application returns that cannot be awaited is its error, 500, and no hang."""

    class Plain:
        def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
            if scope["type"] != "http":
                raise NotImplementedError
            return None

    failed(server, Plain(), "it returned None instead of a coroutine")


@case("asgi", "logged once", ERRORS, 9, needs={"log"})
def logged_once(server: Any) -> None:
    """A failure stands in the log once, with its traceback; a broken contract says what broke."""

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/order":
            await send(body(b"no start"))
        raise ValueError("swordfish")

    for path, says, traceback in (("/", "swordfish", 1), ("/order", "may not come now", 0)):
        log: list[str] = []
        with up(server, app, log=log) as connect:
            connect().send(request(path)).response()
        text = "\n".join(log)
        same(sum(says in line and "ERROR" in line for line in log), 1, f"the log of {path}: {text}")
        same(text.count("Traceback (most recent call last)"), traceback, f"the log: {text}")
