"""Chapter 9, the request's body: what ``receive`` gives (ASGI HTTP 2.5, Request)."""

from __future__ import annotations

import hashlib
from typing import Any

from . import Broken, case
from .asgi_probes import (
    App,
    Message,
    Receive,
    Scope,
    Send,
    answer,
    body_of,
    hello,
    instant,
    seen_by,
    task_of,
    turns,
    up,
)
from .probes import expect, same
from .wire import request

REQUEST = "ASGI HTTP 2.5, Request"
EXPECT = "RFC 9110 §10.1.1"
LONG = b"".join(b"%07d\n" % number for number in range(3 * 2**17))


async def first_message(scope: Scope, receive: Receive) -> Message:
    """Receive once."""
    return await receive()


async def whole_body(scope: Scope, receive: Receive) -> bytes:
    """Receive until the body is complete."""
    return await body_of(receive)


@case("asgi", "no body", REQUEST, 9)
def no_body(server: Any) -> None:
    """Without content the first message says at once that the body is empty and complete."""
    message = seen_by(server, request(), first_message)
    same(message.get("type"), "http.request", "the type of the first message")
    same(message.get("body", b""), b"", "the body")
    same(message.get("more_body", False), False, "more_body")


@case("asgi", "a short body", REQUEST, 9)
def a_short_body(server: Any) -> None:
    """A body arrives in messages of type http.request; the last one has more_body False."""

    async def messages(scope: Scope, receive: Receive) -> list[Message]:
        got = [await receive()]
        while got[-1].get("more_body", False):
            got.append(await receive())
        return got

    for sent in (request(method="POST", body=b"hello"),
                 request(method="POST", chunks=(b"he", b"l", b"lo"))):  # fmt: skip
        got = seen_by(server, sent, messages)
        same({message["type"] for message in got}, {"http.request"}, "the types", sent)
        for message in got:
            expect(type(message.get("body", b"")) is bytes, f"body is {message['body']!r}")
            expect(type(message.get("more_body", False)) is bool, f"more_body: {message!r}")
        same(b"".join(message.get("body", b"") for message in got), b"hello", "the body", sent)


@case("asgi", "chunks are decoded", "RFC 9112 §7.1", 9)
def chunks_are_decoded(server: Any) -> None:
    """The application sees the content of a chunked body: no sizes, no extensions, no trailers."""
    sent = request(method="POST", chunks=(b"hel", b"lo"))
    sent = sent.replace(b"3\r\nhel", b"3;a=b\r\nhel")
    sent = sent.replace(b"\r\n0\r\n\r\n", b"\r\n0\r\nX-Trailer: yes\r\n\r\n")
    same(seen_by(server, sent, whole_body), b"hello", "the framing is in the body", sent)


@case("asgi", "all bytes", REQUEST, 9)
def all_bytes(server: Any) -> None:
    """Every byte arrives as it was sent."""
    content = bytes(range(256)) * 16 + b"\r\n\r\n"
    for sent in (request(method="POST", body=content), request(method="POST", chunks=(content,))):
        expect(seen_by(server, sent, whole_body) == content, "the body is another one", sent=sent)


@case("asgi", "byte by byte", "RFC 9112 §2.2", 9)
def byte_by_byte(server: Any) -> None:
    """A request that arrives a byte at a time is the same request."""
    found: list[bytes] = []

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        found.append(scope["path"].encode() + await body_of(receive))
        await answer(send)

    for sent in (request("/a", method="POST", body=b"hello"),
                 request("/a", method="POST", chunks=(b"hel", b"lo"))):  # fmt: skip
        with up(server, app) as connect:
            wire = connect()
            for position in range(len(sent)):
                wire.send(sent[position : position + 1])
            same(wire.response().status, 200, "a request in pieces", sent)
    same(found, [b"/ahello"] * 2, "the requests")


@case("asgi", "a long upload", REQUEST, 9)
def a_long_upload(server: Any) -> None:
    """Three megabytes arrive whole, with a length and in chunks."""
    blocks = tuple(LONG[at : at + 50_000] for at in range(0, len(LONG), 50_000))
    for sent in (request(method="POST", body=LONG), request(method="POST", chunks=blocks)):
        got: bytes = seen_by(server, sent, whole_body)
        same(hashlib.sha256(got).hexdigest(), hashlib.sha256(LONG).hexdigest(),
             f"of {len(LONG)} bytes came {len(got)}, or others")  # fmt: skip


@case("asgi", "the body as it comes", REQUEST, 9)
def the_body_as_it_comes(server: Any) -> None:
    """The first part is received before the last is sent: more_body says that more will come."""
    began = instant(server, "the application to receive the first part")
    found: list[bytes] = []

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        if not message.get("more_body", False):
            raise Broken(f"half the body was given as the whole: {message!r}")
        began.happens()
        found.append(message["body"] + await body_of(receive))
        await answer(send)

    length = request("/", "Content-Length: 10", method="POST")
    chunked = request("/", "Transfer-Encoding: chunked", method="POST")
    for sent, rest in ((length + b"first", b" last"),
                       (chunked + b"5\r\nfirst\r\n", b"5\r\n last\r\n0\r\n\r\n")):  # fmt: skip
        began = instant(server, "the application to receive the first part")
        with up(server, app) as connect:
            wire = connect().send(sent)
            began.wait()
            same(wire.send(rest).response().status, 200, "an upload in two parts", sent)
    same(found, [b"first last"] * 2, "the bodies")


@case("asgi", "an early start", REQUEST, 9)
def an_early_start(server: Any) -> None:
    """The application runs as soon as the head is there: it may answer before the body is."""
    running = instant(server, "the application to run before the body has come")

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        running.happens()
        await answer(send, await body_of(receive))

    with up(server, app) as connect:
        wire = connect().send(request("/", "Content-Length: 5", method="POST"))
        running.wait()
        same(wire.send(b"hello").response().body, b"hello", "the body")


@case("asgi", "the next request's bytes", REQUEST, 9)
def the_next_requests_bytes(server: Any) -> None:
    """The bytes of a pipelined request are never in the body of the one before it."""
    found: list[bytes] = []

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        found.append(await body_of(receive))
        await answer(send)

    with up(server, app) as connect:
        wire = connect()
        wire.send(request("/a", method="POST", body=b"hello") + request("/b"))
        wire.response()
        wire.response()
    same(found, [b"hello", b""], "the bodies of two requests")


# ---------------------------------------------------------------- 100-continue


@case("asgi", "100 when it is received", EXPECT, 9)
def continue_when_received(server: Any) -> None:
    """A client that waits for 100 hears it when the application first receives, not before."""
    looked = instant(server, "the client to have looked")

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await looked.comes()
        await answer(send, await body_of(receive))

    sent = request("/", "Expect: 100-continue", "Content-Length: 5", method="POST")
    with up(server, app) as connect:
        wire = connect().send(sent)
        expect(not wire.readable(0.05), "100 came before the application wanted the body")
        looked.happens()
        same(wire.response().status, 100, "the application receives, and nobody is told", sent)
        got = wire.send(b"he").send(b"llo").response()
    same((got.status, got.body), (200, b"hello"), "the answer after one 100", sent)


@case("asgi", "no 100 when it is not received", EXPECT, 9)
def no_continue_when_not_received(server: Any) -> None:
    """Where nobody receives the final answer comes first, and no byte is taken for the body."""
    sent = request("/", "Expect: 100-continue", "Content-Length: 5", method="POST")
    app = hello()
    with up(server, app) as connect:
        wire = connect().send(sent)
        same(wire.response().status, 200, "the application did not receive", sent)
        wire.closed("the client may send the body, or not: nobody can tell what comes next")
    same(app.paths, ["/"], "the application ran")


@case("asgi", "no 100 that nobody waits for", EXPECT, 9)
def no_continue_for_who_goes_on(server: Any) -> None:
    """Who sends the body unasked, or speaks HTTP/1.0, gets no 100: it has no use for one."""

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, await body_of(receive))

    for version in ("1.0", "1.1"):
        sent = request("/", "Expect: 100-continue", method="POST", body=b"hello", version=version)
        with up(server, app) as connect:
            got = connect().send(sent).response()
        same((got.status, got.body), (200, b"hello"), f"the only answer to HTTP/{version}", sent)


# ---------------------------------------------------------------- several who receive


@case("asgi", "two receive", "ASGI 3.0, Extra Coroutines", 9)
def two_receive(server: Any) -> None:
    """Two tasks may receive at one time: each part of the body goes to one of them."""
    waiting = instant(server, "two tasks to wait for the body")
    found: list[Message] = []

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def reads() -> None:
            while (message := await receive())["type"] == "http.request":
                found.append(message)

        tasks = [task_of(reads()), task_of(reads())]
        await turns()
        waiting.happens()
        while not found or found[-1].get("more_body", False):
            await turns(1)
        await answer(send)
        for task in tasks:
            await task  # the response is complete: both are told

    with up(server, app) as connect:
        wire = connect().send(request("/", "Content-Length: 10", method="POST"))
        waiting.wait()
        wire.send(b"first").send(b" last")
        same(wire.response().status, 200, "two who receive")
        app.ended.wait()
    same(app.errors, [], "the application's errors")
    same(b"".join(m["body"] for m in found), b"first last", "the parts, each once")


@case("asgi", "a receive given up", "ASGI 3.0, Extra Coroutines", 9)
def a_receive_given_up(server: Any) -> None:
    """A task that is cancelled in receive loses nothing, and hurts no other that receives."""
    waiting = instant(server, "the first task to be cancelled")
    found: list[bytes] = []

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        first, second = task_of(receive()), task_of(body_of(receive))
        await turns()
        first.cancel()
        await turns()
        waiting.happens()
        found.append(await second)
        await answer(send)

    with up(server, app) as connect:
        wire = connect().send(request("/", "Content-Length: 5", method="POST"))
        waiting.wait()
        same(wire.send(b"hello").response().status, 200, "after a receive that was given up")
    same(found, [b"hello"], "the body")
