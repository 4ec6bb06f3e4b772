"""Requests: from fields to a scope (RFC 9113 §8.3, ASGI HTTP 2.5)."""

from __future__ import annotations

from typing import Any

from . import case
from .asgi_probes import (
    App,
    Receive,
    Scope,
    Send,
    answer,
    body_of,
    echo_path,
    hello,
    instant,
    taking,
)
from .http2_client import CONTINUATION, END_HEADERS, END_STREAM, HEADERS, PADDED, frame, head, up
from .probes import same

CROWD = 20  # streams at a time


def scope_of(server: Any, fields: Any) -> Scope:
    """Return the scope of a request."""
    app = hello()
    with up(server, app) as connect:
        same(connect().get(fields).status, 200, "the status")
    return app.scopes[0]


@case("http2", "the scope", "ASGI HTTP 2.5, HTTP Connection Scope", 13)
def the_scope(server: Any) -> None:
    """The scope has http_version 2 and what the pseudo-header fields say."""
    scope = scope_of(server, head("/caf%C3%A9?x=1", (b"accept", b"*/*")))
    got = {key: scope[key] for key in ("type", "http_version", "method", "scheme", "path")}
    wanted = {
        "type": "http",
        "http_version": "2",
        "method": "GET",
        "scheme": "http",
        "path": "/café",
    }
    same(got, wanted, "the scope")
    same((scope["raw_path"], scope["query_string"]), (b"/caf%C3%A9", b"x=1"), "path and query")
    same(scope["headers"], [(b"host", b"test"), (b"accept", b"*/*")], "the headers")


@case("http2", ":authority becomes host", "RFC 9113 §8.3.1", 13)
def authority_becomes_host(server: Any) -> None:
    """:authority is the first header, as host, once, also where the same Host came too."""
    fields = head("/", (b"x", b"1"), (b"host", b"test"))
    same(scope_of(server, fields)["headers"], [(b"host", b"test"), (b"x", b"1")], "the headers")


@case("http2", "a Host without :authority", "RFC 9113 §8.3.1", 13)
def host_alone(server: Any) -> None:
    """A request that was made of HTTP/1.1 may have a Host field alone."""
    fields = [*head("/")[:3], (b"host", b"other.example")]
    same(scope_of(server, fields)["headers"], [(b"host", b"other.example")], "the headers")


@case("http2", "the scheme", "RFC 9113 §8.3.1", 13)
def the_scheme(server: Any) -> None:
    """The scheme is what the server knows of its own transport, whatever a client says."""
    fields = [(name, b"https" if name == b":scheme" else value) for name, value in head("/")]
    same(scope_of(server, fields)["scheme"], "http", "the scheme")


@case("http2", "cookies", "RFC 9113 §8.2.3", 13)
def cookies(server: Any) -> None:
    """Cookies that came one by one are one field again."""
    fields = head("/", (b"cookie", b"a=1"), (b"x", b"y"), (b"cookie", b"b=2"), (b"cookie", b"c=3"))
    got = [value for name, value in scope_of(server, fields)["headers"] if name == b"cookie"]
    same(got, [b"a=1; b=2; c=3"], "the cookies")


@case("http2", "a body", "RFC 9113 §8.1", 13)
def a_body(server: Any) -> None:
    """A body arrives whole, with and without a Content-Length, in frames of any size."""
    took: list[bytes] = []
    app = taking(took)

    content = bytes(range(256)) * 300
    with up(server, app) as connect:
        wire = connect()
        length = (b"content-length", b"%d" % len(content))
        for fields in (head("/", method=b"POST"), head("/", length, method=b"POST")):
            same(wire.get(fields, content).status, 200, "the status")
        stream = wire.ask(head("/", method=b"POST"), end=False)
        for position in range(20):
            wire.data(stream, content[position : position + 1])
        wire.data(stream, b"", end=True)
        wire.answer(stream)
    same(took, [content, content, content[:20]], "the bodies")


@case("http2", "padding", "RFC 9113 §6.1", 13)
def padding(server: Any) -> None:
    """What pads a frame is no content."""
    took: list[bytes] = []
    app = taking(took)

    with up(server, app) as connect:
        wire = connect()
        stream = wire.ask(head("/", method=b"POST"), end=False)
        wire.h2.send_data(stream, b"hello", pad_length=200)
        wire.h2.send_data(stream, b" world", end_stream=True, pad_length=0)
        wire.flush()
        wire.answer(stream)
    same(took, [b"hello world"], "the body")


@case("http2", "request trailers", "RFC 9113 §8.1", 13)
def request_trailers(server: Any) -> None:
    """Trailers end a body; ASGI has no place for them, so they are passed over."""
    took: list[bytes] = []
    app = taking(took)

    with up(server, app) as connect:
        wire = connect()
        stream = wire.ask(head("/", method=b"POST"), b"hello", end=False)
        wire.h2.send_headers(stream, [(b"x-checksum", b"1")], end_stream=True)
        wire.flush()
        same(wire.answer(stream).status, 200, "the status")
    same(took, [b"hello"], "the body")


@case("http2", "a head in many frames", "RFC 9113 §6.10", 13)
def a_head_in_many_frames(server: Any) -> None:
    """A head may go on in CONTINUATION frames, and may be padded."""
    app = hello()
    with up(server, app) as connect:
        wire = connect()
        wire.settled()
        block = wire.h2.encoder.encode(head("/pieces", (b"x", b"y" * 50)))
        stream = wire.unheard()
        wire.raw(
            frame(HEADERS, END_STREAM | PADDED, stream, b"\3" + block[:5] + b"\0\0\0"),
            frame(CONTINUATION, 0, stream, block[5:9]),
            frame(CONTINUATION, 0, stream, b""),
            frame(CONTINUATION, END_HEADERS, stream, block[9:]),
        )
        same(wire.answer(stream).status, 200, "the status")
    same(app.paths, ["/pieces"], "what ran")


@case("http2", "many at once", "RFC 9113 §5.1.2", 13)
def many_at_once(server: Any) -> None:
    """The requests of a connection run together, and are answered as they end, not in order."""
    here = 0
    everybody = instant(server, f"{CROWD} requests to run at the same time")

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal here
        here += 1
        if here == CROWD:
            everybody.happens()
        await everybody.comes()
        await answer(send, scope["path"].encode())

    with up(server, app) as connect:
        wire = connect()
        streams = [wire.ask(f"/{number}") for number in range(CROWD)]
        for number, stream in enumerate(streams):
            same(bytes(wire.answer(stream).body), b"/%d" % number, "another stream's answer")


@case("http2", "who waits holds up nobody", "RFC 9113 §5", 13)
def who_waits_holds_up_nobody(server: Any) -> None:
    """A request that waits in its application does not hold up one that was asked later."""
    goes_on = instant(server, "the second answer to have come")

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/first":
            await goes_on.comes()
        await answer(send, scope["path"].encode())

    with up(server, app) as connect:
        wire = connect()
        first = wire.ask("/first")
        same(bytes(wire.get("/second").body), b"/second", "the second answer")
        goes_on.happens()
        same(bytes(wire.answer(first).body), b"/first", "the first answer")


@case("http2", "one after the other", "RFC 9113 §5.1.1", 13)
def one_after_the_other(server: Any) -> None:
    """Three hundred requests on one connection, with heads that repeat and heads that do not."""
    app = echo_path()
    with up(server, app) as connect:
        wire = connect()
        for number in range(300):
            path = f"/{number // 2}"  # twice: in the compression the second is but an index
            extra = [(b"x-number", b"%d" % number)] if number % 5 == 0 else []
            got = wire.get(head(path, *extra))
            same(bytes(got.body), path.encode(), "the answer")
    same(app.scopes[0]["headers"][1:], [(b"x-number", b"0")], "the headers of the first")
    same(app.scopes[1]["headers"][1:], [], "the headers of the second")


@case("http2", "100-continue", "RFC 9110 §10.1.1", 13)
def expects_continue(server: Any) -> None:
    """100 is sent when the application first reads, and not when it answers without reading."""
    reads = instant(server, "the client to have looked")

    @App
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/reads":
            await reads.comes()
            await body_of(receive)
        await answer(send)

    expects = (b"expect", b"100-continue")
    with up(server, app) as connect:
        wire = connect()
        stream = wire.ask(head("/reads", expects, method=b"POST"), end=False)
        wire.settled()
        got = wire.responses[stream]
        same(got.interim, [], "100 before anybody reads")
        reads.happens()
        wire.wait_until(lambda: got.interim, "100 (Continue)")
        same(got.interim, [(100, [])], "the invitation")
        wire.data(stream, b"hello", end=True)
        same(wire.answer(stream).status, 200, "the status")
        stream = wire.ask(head("/answers", expects, method=b"POST"), end=False)
        same(wire.answer(stream).interim, [], "an invitation that nobody meant")


@case("http2", "another expectation", "RFC 9110 §15.5.18", 13)
def another_expectation(server: Any) -> None:
    """An expectation that is not 100-continue is answered with 417."""
    app = hello()
    with up(server, app) as connect:
        same(connect().get(head("/", (b"expect", b"a-miracle"))).status, 417, "the status")
    same(app.paths, [], "what ran")


@case("http2", "CONNECT", "RFC 9113 §8.5", 13)
def connect_is_for_proxies(server: Any) -> None:
    """CONNECT is for proxies, and answered with 501; the connection goes on."""
    fields = [(b":method", b"CONNECT"), (b":authority", b"example.org:443")]
    with up(server, hello()) as connect:
        wire = connect()
        same(wire.answer(wire.ask(fields, end=False)).status, 501, "the status")
        same(wire.get().status, 200, "the next request")
