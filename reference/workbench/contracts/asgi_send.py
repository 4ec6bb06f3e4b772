"""Chapter 9, the response: what ``send`` takes, and how it reaches the client."""

from __future__ import annotations

import http
from typing import Any

from . import case
from .asgi_probes import (
    TEXT,
    App,
    Receive,
    Scope,
    Send,
    View,
    answer,
    ask,
    body,
    hello,
    instant,
    start,
    turns,
    up,
)
from .probes import expect, same
from .wire import Answer, request

START = "ASGI HTTP 2.5, Response Start"
BODY = "ASGI HTTP 2.5, Response Body"
TRAILERS = "ASGI Extensions, HTTP Trailers"
HINTS = "ASGI Extensions, Early Hints"
LENGTH = (b"content-length", b"10")


def sends(*messages: Any) -> App:
    """Return an application that sends these messages."""

    async def view(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    return App(view)


def headers_of(got: Answer, *names: str) -> list[tuple[str, str]]:
    """Return the fields of these names, in order."""
    return [field for field in got.fields if field[0] in names]


# ---------------------------------------------------------------- the start


@case("asgi", "the status", START, 9)
def the_status(server: Any) -> None:
    """Any final status reaches the client, with a reason phrase where there is one."""
    for status, reason in ((201, b"Created"), (404, b"Not Found"), (299, None), (599, None)):
        got = ask(server, sends(start(status), body(b"x", more=False)), request())
        same(got.status, status, "the status")
        expect(reason in (None, got.reason), f"the reason of {status}", got=got.head)


@case("asgi", "a named status", START, 9)
def a_named_status(server: Any) -> None:
    """A member of http.HTTPStatus is an int, and a status."""
    got = ask(server, sends(start(http.HTTPStatus.ACCEPTED), body(b"x", more=False)), request())
    same(got.status, 202, "the status")


@case("asgi", "the headers of a response", START, 9)
def the_headers_of_a_response(server: Any) -> None:
    """All headers arrive in their order; repeated ones, as set-cookie, are not joined."""
    headers = [(b"x-%d" % number, b"%d" % number) for number in range(200)]
    headers += [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"x-latin", b"caf\xe9")]
    got = ask(server, sends(start(200, *headers), body(b"x", more=False)), request())
    came = [field for field in got.fields if field[0].startswith(("x-", "set-"))]
    wanted = [(name.decode(), value.decode("latin-1")) for name, value in headers]
    same(came, wanted, "the headers of the response")


@case("asgi", "any pairs", START, 9)
def any_pairs(server: Any) -> None:
    """Headers may be any iterable of pairs, tuples or lists, and may be left out."""
    pairs = [(b"x-a", b"1"), (b"x-b", b"2")]
    lists = [list(pair) for pair in pairs]
    for headers in (pairs, tuple(pairs), lists, iter(pairs), iter(lists)):
        message = {"type": "http.response.start", "status": 200, "headers": headers}
        got = ask(server, sends(message, body(b"x", more=False)), request())
        same(headers_of(got, "x-a", "x-b"), [("x-a", "1"), ("x-b", "2")], f"{headers!r}")
    got = ask(server, sends({"type": "http.response.start", "status": 200}, body(b"x", False)),
              request())  # fmt: skip
    same((got.status, got.body), (200, b"x"), "a response without headers")


@case("asgi", "defaults", BODY, 9)
def defaults(server: Any) -> None:
    """A body message without keys is empty and the last; keys that nobody knows do no harm."""
    message = {**start(204), "x-unknown": 1}
    same(ask(server, sends(message, {"type": "http.response.body"}), request()).status, 204, "204")
    last = {"type": "http.response.body", "body": b"x", "unknown": True}
    got = ask(server, sends(start(), last), request())
    same((got.framing, got.body), ("length", b"x"), "a message without more_body is the last one")


@case("asgi", "the start waits", START, 9)
def the_start_waits(server: Any) -> None:
    """The head waits for the first body, as it may: until then the response may become a 500."""
    looked = instant(server, "the client to have looked")

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(200, (b"x-first", b"yes")))
        await looked.comes()
        await send(body(b"x", more=False))

    with up(server, app) as connect:
        wire = connect().send(request())
        expect(not wire.readable(0.05), "the head was sent before there was a body")
        looked.happens()
        same(wire.response().body, b"x", "the body")


@case("asgi", "an empty body begins", BODY, 9)
def an_empty_body_begins(server: Any) -> None:
    """A first body that is empty sends the head: so a stream tells early that it is there."""
    arrived = instant(server, "the client to see the head")

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(b""))
        await arrived.comes()
        await send(body(b"later", more=False))

    with up(server, app) as connect:
        wire = connect().send(request())
        wire.wait_for(b"\r\n\r\n", "the head of a stream that has begun")
        arrived.happens()
        same(wire.response().body, b"later", "the stream")


@case("asgi", "Date", "RFC 9110 §6.6.1", 9)
def date(server: Any) -> None:
    """Every response has one Date; an application's own is not doubled."""
    own = (b"date", b"Sun, 06 Nov 1994 08:49:37 GMT")
    expect(ask(server, hello(), request()).value("date"), "a response without a Date")
    got = ask(server, sends(start(200, own), body(b"x", more=False)), request())
    same(got.value("date"), own[1].decode(), "the application's own Date")


@case("asgi", "Transfer-Encoding is ours", START, 9)
def transfer_encoding_is_ours(server: Any) -> None:
    """A Transfer-Encoding that the application sends is ignored: the framing is the server's."""
    for coding in (b"chunked", b"identity", b"gzip"):
        app = sends(start(200, (b"transfer-encoding", coding)), body(b"one"), body(b"two", False))
        got = ask(server, app, request())
        same((got.framing, got.body), ("chunked", b"onetwo"), f"transfer-encoding: {coding!r}")


@case("asgi", "the application closes", "RFC 9112 §9.6", 9)
def the_application_closes(server: Any) -> None:
    """``connection: close`` from the application ends the connection, and is said once."""
    with up(server, sends(start(200, (b"connection", b"close")), body(b"x", False))) as connect:
        wire = connect().send(request())
        got = wire.response()
        wire.closed("the application asked for it")
    same(got.values("connection"), ["close"], "the field")


# ---------------------------------------------------------------- the body


@case("asgi", "each body at once", BODY, 9)
def each_body_at_once(server: Any) -> None:
    """A body is on its way when send returns, and waits for no other one."""
    blocks = [b"first", b"second", b"third"]
    arrived = {block: instant(server, f"the client to see {block!r}") for block in blocks}

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        for block in blocks:
            await send(body(block))
            await arrived[block].comes()
        await send(body(b"", more=False))

    for sent in (request(), request(version="1.0")):
        arrived = {block: instant(server, f"the client to see {block!r}") for block in blocks}
        with up(server, app) as connect:
            wire = connect().send(sent)
            for block in blocks:
                wire.until(block, f"the body {block!r}, which the application has sent")
                arrived[block].happens()
            app.ended.wait()
    same(app.errors, [], "the application's errors")


@case("asgi", "empty bodies", "RFC 9112 §7.1", 9)
def empty_bodies(server: Any) -> None:
    """An empty body in a stream is nothing; above all it is not the last chunk."""
    blocks = (b"", b"one", b"", b"", b"two", b"")
    app = sends(start(), *map(body, blocks), body(b"three", more=False))
    for version in ("1.1", "1.0"):
        got = ask(server, app, request(version=version))
        same(got.body, b"onetwothree", f"bodies, some empty, to HTTP/{version}")


@case("asgi", "a body of one message", "RFC 9110 §8.6", 9)
def a_body_of_one_message(server: Any) -> None:
    """Where the first body is the last the server knows the length, and says it."""
    for content in (b"hello", b""):
        got = ask(server, sends(start(), body(content, more=False)), request())
        same(got.values("content-length"), [str(len(content))], "the length")
        same((got.framing, got.body), ("length", content), "the body")


@case("asgi", "the application's length", "RFC 9110 §8.6", 9)
def the_applications_length(server: Any) -> None:
    """A Content-Length of the application is sent once, and the framing goes by it."""
    app = sends(start(200, LENGTH), body(b"hello"), body(b"world", more=False))
    got = ask(server, app, request())
    same((got.framing, got.body), ("length", b"helloworld"), "the response")
    same(got.values("transfer-encoding"), [], "and no chunks")


@case("asgi", "stream to HTTP/1.1", "RFC 9112 §6.3", 9)
def stream_to_http_1_1(server: Any) -> None:
    """A stream without a length is chunked: its end can be told from a broken line."""
    app = sends(start(), body(b"one"), body(b"two"), body(b"", more=False))
    with up(server, app) as connect:
        wire = connect()
        for _ in range(2):
            got = wire.send(request()).response()
            same((got.framing, got.body), ("chunked", b"onetwo"), "the stream")


@case("asgi", "stream to HTTP/1.0", "RFC 9112 §6.1", 9)
def stream_to_http_1_0(server: Any) -> None:
    """HTTP/1.0 knows no chunks: the stream ends with the connection."""
    app = sends(start(), body(b"one"), body(b"two", more=False))
    got = ask(server, app, request("/", "Connection: keep-alive", version="1.0"))
    same((got.framing, got.body), ("close", b"onetwo"), "the stream")


@case("asgi", "HEAD", "RFC 9110 §9.3.2", 9)
def head(server: Any) -> None:
    """HEAD has the headers that GET would have and no content, in one body or in many."""
    whole = sends(start(200, LENGTH), body(b"helloworld", more=False))
    empty = sends(start(200, LENGTH), body(b"", more=False))
    stream = sends(start(200, LENGTH), body(b"hello"), body(b"world", more=False))
    unsized = sends(start(), body(b"hello"), body(b"world", more=False))
    for app, length in ((whole, "10"), (empty, "10"), (stream, "10"), (unsized, None)):
        with up(server, app) as connect:
            wire = connect().send(request(method="HEAD"))
            got = wire.response(head_only=True)
            same(got.value("content-length"), length, "the length that GET would have")
            wire.send(request(method="HEAD")).response(head_only=True)
        same(app.errors, [], "for HEAD nothing of this is an error")


@case("asgi", "204 and 304", "RFC 9110 §15.3.5, §15.4.5", 9)
def without_content(server: Any) -> None:
    """204 and 304 have no content, whatever the application sends, and no chunks."""
    for status in (204, 304):

        @App
        async def app(scope: Scope, receive: Receive, send: Send, status: int = status) -> None:
            await send({**start(status if scope["path"] == "/none" else 200), "headers": []})
            await send(body(b"content"))
            await send(body(b"", more=False))

        with up(server, app) as connect:
            wire = connect()
            got = wire.send(request("/none")).response()
            same(got.values("transfer-encoding"), [], f"{status} is chunked")
            expect(status != 204 or not got.values("content-length"), "204 has no Content-Length")
            same(
                wire.send(request("/")).response().body, b"content", f"the response after {status}"
            )


@case("asgi", "nothing in common", START, 9)
def nothing_in_common(server: Any) -> None:
    """The headers and the framing of one response never show in the next one."""

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/first":
            await send(start(201, (b"x-first", b"yes"), (b"content-length", b"5")))
            return await send(body(b"first", more=False))
        await send({"type": "http.response.start", "status": 200})
        await send(body(b"the "))
        await send(body(b"second", more=False))

    with up(server, app) as connect:
        wire = connect()
        wire.send(request("/first")).response()
        got = wire.send(request("/second")).response()
    same((got.status, got.body), (200, b"the second"), "the second response")
    same(got.values("x-first") + got.values("content-type"), [], "headers of the response before")


@case("asgi", "what was sent stays sent", BODY, 9)
def what_was_sent_stays_sent(server: Any) -> None:
    """An application may use its message again, and change it, as soon as send has returned."""

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [TEXT]
        message: dict[str, Any] = {"type": "http.response.start", "status": 200, "headers": headers}
        await send(message)
        headers.append((b"x-later", b"1"))
        message.clear()
        message.update(body(b"one"))
        await send(message)
        message.update(body=b"two", more_body=False)
        await send(message)

    got = ask(server, app, request())
    same((got.status, got.body), (200, b"onetwo"), "the response")


@case("asgi", "a long response", BODY, 9)
def a_long_response(server: Any) -> None:
    """Eight megabytes arrive whole, in one message and in many."""
    block = b"".join(b"%07d\n" % number for number in range(2**17))
    whole = sends(start(), body(block * 8, more=False))
    stream = sends(start(), *[body(block)] * 8, body(b"", more=False))
    for app in (whole, stream):
        got = ask(server, app, request())
        expect(got.body == block * 8, f"of {len(block) * 8} bytes came {len(got.body)}, or others")


@case("asgi", "two ways at once", BODY, 9)
def two_ways_at_once(server: Any) -> None:
    """A response may begin while the request still comes: an echo, part by part."""

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        more = True
        while more:
            message = await receive()
            more = message["more_body"]
            await send(body(message["body"], more))

    with up(server, app) as connect:
        wire = connect().send(request("/", "Transfer-Encoding: chunked", method="POST"))
        for part in (b"one\n", b"two\n"):
            wire.send(b"4\r\n%b\r\n" % part)
            wire.until(part, f"the echo of {part!r}")
        wire.send(b"0\r\n\r\n")
        wire.until(b"0\r\n\r\n", "the end of the echo")


# ---------------------------------------------------------------- extensions


def with_trailers(*fields: tuple[bytes, bytes]) -> View:
    """Return a view that announces trailers and sends these, one message each."""

    async def view(scope: Scope, receive: Receive, send: Send) -> None:
        await send({**start(), "trailers": True})
        await send(body(b"content"))
        await send(body(b"", more=False))
        await turns()
        for number, field in enumerate(fields, 1):
            more = number < len(fields)
            message = {"type": "http.response.trailers", "headers": [field], "more_trailers": more}
            await send(message)

    return view


@case("asgi", "trailers", TRAILERS, 9, needs={"trailers"})
def trailers(server: Any) -> None:
    """What is announced as trailers follows the content, and the connection goes on."""
    app = App(with_trailers((b"x-sum", b"42"), (b"x-time", b"7")))
    with up(server, app) as connect:
        wire = connect()
        for _ in range(2):
            got = wire.send(request("/", "TE: trailers")).response()
            same(got.body, b"content", "the content")
            behind = [value for name, value in got.fields if name == "trailer of the body"]
            same(behind, ["x-sum: 42", "x-time: 7"], "the trailers")
    expect("http.response.trailers" in app.scopes[0]["extensions"], "the extension is not told")


@case("asgi", "no trailers unasked", "RFC 9110 §10.1.4", 9, needs={"trailers"})
def no_trailers_unasked(server: Any) -> None:
    """Who has not said ``TE: trailers`` gets the content, and none behind it.

    ASGI Extensions, HTTP Trailers: nobody else is sent any.
    """
    app = App(with_trailers((b"x-sum", b"42")))
    with up(server, app) as connect:
        wire = connect()
        for te, behind in (("", []), ("TE: gzip", []), ("TE: a,, Trailers", ["x-sum: 42"])):
            got = wire.send(request("/", *filter(None, [te]))).response()
            same(got.body, b"content", "the content")
            found = [value for name, value in got.fields if name == "trailer of the body"]
            same(found, behind, f"the trailers, asked for by {te!r}")


@case("asgi", "no trailers in HTTP/1.0", TRAILERS, 9, needs={"trailers"})
def no_trailers_in_http_1_0(server: Any) -> None:
    """HTTP/1.0 has no place for trailers: the scope does not offer them, nor are they sent."""
    app = App(with_trailers((b"x-sum", b"42")))
    got = ask(server, app, request(version="1.0"))
    same(got.body, b"content", "the content, and nothing behind it")
    offered = app.scopes[0].get("extensions") or {}
    expect("http.response.trailers" not in offered, "trailers are offered to HTTP/1.0")


@case("asgi", "early hints", HINTS, 9, needs={"early hints"})
def early_hints(server: Any) -> None:
    """Links are sent as 103 before the response, while the application still thinks."""
    arrived = instant(server, "the client to see the early hint")
    links = [b"</style.css>; rel=preload; as=style", b"</app.js>; rel=preload; as=script"]

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.early_hint", "links": links})
        await arrived.comes()
        await answer(send)

    with up(server, app) as connect:
        wire = connect().send(request())
        hint = wire.response()
        arrived.happens()
        same(wire.response().body, b"ok", "the response behind the hint")
    same((hint.status, hint.values("link")), (103, [link.decode() for link in links]), "the hint")
    expect("http.response.early_hint" in app.scopes[0]["extensions"], "the extension is not told")


@case("asgi", "no hints in HTTP/1.0", HINTS, 9, needs={"early hints"})
def no_hints_in_http_1_0(server: Any) -> None:
    """A client of HTTP/1.0 would take 103 for the answer: it is not offered, nor sent."""
    app = sends({"type": "http.response.early_hint", "links": [b"</a>; rel=preload"]}, start(),
                body(b"ok", more=False))  # fmt: skip
    got = ask(server, app, request(version="1.0"))
    same((got.status, got.body), (200, b"ok"), "the only answer")
    offered = app.scopes[0].get("extensions") or {}
    expect("http.response.early_hint" not in offered, "hints are offered to HTTP/1.0")
