"""Responses: from messages to frames (RFC 9113 §8.1, §8.2)."""

from __future__ import annotations

from typing import Any

from . import case
from .asgi_probes import (
    App,
    Receive,
    Scope,
    Send,
    answer,
    body,
    body_of,
    hello,
    instant,
    start,
)
from .http2_client import DATA, Code, frame, head, up
from .probes import expect, same


def serves(*messages: dict[str, Any]) -> App:
    """Return an application that sends some messages."""

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    return app


@case("http2", "a response", "RFC 9113 §8.3.2", 13)
def a_response(server: Any) -> None:
    """Status, fields in lower case with a Date, and the content arrive, and the stream ends."""
    fields = (b"X-Upper", b"Case"), (b"x-many", b"1"), (b"X-Many", b"2")
    app = serves(start(201, *fields), body(b"made", more=False))
    with up(server, app) as connect:
        got = connect().get()
    same((got.status, bytes(got.body), got.reset), (201, b"made", None), "the response")
    same(got.value(b"x-upper"), b"Case", "a field")
    same([value for name, value in got.fields if name == b"x-many"], [b"1", b"2"], "two fields")
    expect(got.value(b"date"), "there is no Date")
    same(got.value(b"content-length"), b"4", "the length is known")


@case("http2", "fields about the connection", "RFC 9113 §8.2.2", 13)
def fields_about_the_connection(server: Any) -> None:
    """What an application says about a connection of HTTP/1.1 never reaches the client."""
    about = [
        (b"Connection", b"close"), (b"keep-alive", b"timeout=5"), (b"Transfer-Encoding", b"gzip"),
        (b"upgrade", b"websocket"), (b"proxy-connection", b"close"), (b"x", b"y"),
    ]  # fmt: skip
    with up(server, serves(start(200, *about), body(b"ok", more=False))) as connect:
        wire = connect()
        got = wire.get()
        same(wire.get().status, 200, "the next request on the connection")
    names = {name for name, _ in got.fields}
    same(names & {name.lower() for name, _ in about}, {b"x"}, "of these fields arrive")


@case("http2", "blanks around a value", "RFC 9113 §8.2.1", 13)
def blanks_around_a_value(server: Any) -> None:
    """Blanks around a value, which HTTP/1.1 would not count, are taken off."""
    with up(
        server, serves(start(200, (b"x", b" \ty "), (b"z", b"")), body(b"", more=False))
    ) as connect:
        got = connect().get()
    same((got.value(b"x"), got.value(b"z")), (b"y", b""), "the values")


@case("http2", "HEAD", "RFC 9110 §9.3.2", 13)
def answers_to_head(server: Any) -> None:
    """The answer to HEAD has the fields of GET's and no content."""
    with up(server, hello()) as connect:
        wire = connect()
        got = wire.get(head("/", method=b"HEAD"))
        same((got.value(b"content-length"), bytes(got.body)), (b"2", b""), "length and content")
        same(bytes(wire.get().body), b"ok", "the next request")


@case("http2", "responses without content", "RFC 9110 §15.3.5", 13)
def without_content(server: Any) -> None:
    """204 and 304 have no content, whatever the application sends."""
    for status in (204, 304):
        with up(server, serves(start(status), body(b"never", more=False))) as connect:
            got = connect().get()
        same((got.status, bytes(got.body), got.pieces), (status, b"", []), "the response")


@case("http2", "an empty body", "RFC 9113 §8.1", 13)
def an_empty_body(server: Any) -> None:
    """An empty body ends the stream with the head: no frame of content is needed."""
    with up(server, serves(start(), body(b"", more=False))) as connect:
        got = connect().get()
    same((got.value(b"content-length"), got.pieces), (b"0", []), "length and frames of content")


@case("http2", "each body at once", "ASGI HTTP 2.5, Response Body", 13)
def each_body_at_once(server: Any) -> None:
    """A piece of a body leaves when it is sent, not when the next one comes."""
    goes_on = instant(server, "the first piece to have come")

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(b"first"))
        await goes_on.comes()
        await send(body(b"second", more=False))

    with up(server, app) as connect:
        wire = connect()
        stream = wire.ask()
        got = wire.responses[stream]
        wire.wait_until(lambda: got.body, "the first piece")
        goes_on.happens()
        same(bytes(wire.answer(stream).body), b"firstsecond", "the body")


@case("http2", "small pieces", "ASGI HTTP 2.5, Response Body", 13)
def small_pieces(server: Any) -> None:
    """A thousand small pieces arrive whole and in order."""

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        for number in range(1000):
            await send(body(b"%d " % number))
        await send(body(b"", more=False))

    with up(server, app) as connect:
        got = connect().get()
    same(bytes(got.body).split(), [b"%d" % number for number in range(1000)], "the pieces")


@case("http2", "trailers", "RFC 9113 §8.1", 13, needs={"trailers"})
def trailers(server: Any) -> None:
    """Trailers follow the content and end the stream, for who has said that it takes them."""
    begins = start() | {"trailers": True}
    ends = {"type": "http.response.trailers", "headers": [(b"X-Sum", b"42")]}
    with up(server, serves(begins, body(b"content", more=False), ends)) as connect:
        got = connect().get(head("/", (b"te", b"trailers")))
        same((bytes(got.body), got.trailers), (b"content", [(b"x-sum", b"42")]), "body, trailers")
        got = connect().get()
        same((bytes(got.body), got.trailers), (b"content", []), "for who has not asked for them")


@case("http2", "early hints", "RFC 8297 §2", 13, needs={"early hints"})
def early_hints(server: Any) -> None:
    """A 103 with links comes before the response."""
    hint = {"type": "http.response.early_hint", "links": [b"</a.css>; rel=preload"]}
    with up(server, serves(hint, start(), body(b"ok", more=False))) as connect:
        got = connect().get()
    same(got.interim, [(103, [(b"link", b"</a.css>; rel=preload")])], "the interim responses")
    same(got.status, 200, "the status")


@case("http2", "an answer before the request's end", "RFC 9113 §8.1", 13)
def an_early_answer(server: Any) -> None:
    """An answer that needs no more of the request ends it with NO_ERROR, behind all of it."""
    with up(server, hello()) as connect:
        wire = connect()
        stream = wire.ask(head("/", method=b"POST"), b"some of it", end=False)
        same(wire.reset_of(stream), Code.NO_ERROR, "the code")
        got = wire.responses[stream]
        same((got.status, bytes(got.body), got.complete), (200, b"ok", True), "the whole answer")
        same(wire.get().status, 200, "the next request")


@case("http2", "what was on its way", "RFC 9113 §5.1", 13)
def what_was_on_its_way(server: Any) -> None:
    """Content that meets a stream already reset is dropped, and its window given back."""
    size = 256 * 16_384  # more than the window of a connection that is never given back
    with up(server, hello()) as connect:
        wire = connect()
        stream = wire.ask(head("/", method=b"POST"), end=False)
        wire.reset_of(stream)
        before = wire.h2.outbound_flow_control_window
        for _ in range(256):  # h2 would not send them, nor count them
            wire.raw(frame(DATA, 0, stream, bytes(16_384)))
        wire.settled()
        back = wire.h2.outbound_flow_control_window - before
        expect(back > size // 2, f"of {size} bytes of window {back} came back")
        same(wire.get().status, 200, "the next request")


@case("http2", "a failure before the start", "ASGI HTTP 2.5, Response Start", 13)
def fails_before_the_start(server: Any) -> None:
    """An application that fails before it answers is a 500, and no other request's business."""

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/fails":
            raise ValueError("as it was told to")
        await answer(send)

    with up(server, app) as connect:
        wire = connect()
        same(wire.get("/fails").status, 500, "the status")
        same(wire.get().status, 200, "the next request")


@case("http2", "a failure after the start", "RFC 9113 §8.1", 13)
def fails_after_the_start(server: Any) -> None:
    """An application that fails in its answer has its stream reset, and the others go on."""
    goes_on = instant(server, "the other stream to be reset")

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(b"some"))
        if scope["path"] == "/fails":
            raise ValueError("as it was told to")
        await goes_on.comes()
        await send(body(b" more", more=False))

    with up(server, app) as connect:
        wire = connect()
        other, fails = wire.ask("/other"), wire.ask("/fails")
        same(wire.reset_of(fails), Code.INTERNAL_ERROR, "the code")
        goes_on.happens()
        same(bytes(wire.answer(other).body), b"some more", "the other stream")


@case("http2", "more than the Content-Length", "RFC 9110 §8.6", 13)
def more_than_was_announced(server: Any) -> None:
    """Content that is longer than announced, or shorter, is never taken for a whole one."""
    length = (b"content-length", b"10")
    for content in (b"x" * 11, b"x" * 9):
        app = serves(start(200, length), body(b"x" * 5), body(content[5:], more=False))
        with up(server, app) as connect:
            wire = connect()
            same(wire.reset_of(wire.ask()), Code.INTERNAL_ERROR, "the code")
            same(len(app.errors), 1, "the number of errors")


@case("http2", "response splitting", "RFC 9110 §5.5", 13)
def response_splitting(server: Any) -> None:
    """A field with a line feed in its value is the application's error, and 500."""
    with up(server, serves(start(200, (b"x", b"a\r\nb: c")), body(b"", more=False))) as connect:
        same(connect().get().status, 500, "the status")


@case("http2", "a task behind the response", "ASGI HTTP 2.5, Response Body", 13)
def a_task_behind_the_response(server: Any) -> None:
    """What an application does behind its response does not keep the client waiting."""
    goes_on = instant(server, "the answer to have come")

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await body_of(receive)
        await answer(send)
        await goes_on.comes()

    with up(server, app) as connect:
        wire = connect()
        same(wire.get().status, 200, "the answer")
        goes_on.happens()
        app.ended.wait()
    same(app.errors, [], "the application's errors")
