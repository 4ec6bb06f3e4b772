"""Chapter 4, when the application fails: the client learns it, and nobody else does."""

from __future__ import annotations

import sys
from typing import Any

from . import case
from .probes import TEXT, expect, moment, ok, raw, same
from .wire import request, up

ERRORS = "PEP 3333, Error Handling"


@case("server", "error before the start", ERRORS, 4)
def error_before_the_start(server: Any) -> None:
    """An application that raises is answered for with 500, and not with its traceback."""

    def app(environ: Any, start_response: Any) -> Any:
        raise ValueError("the password is swordfish")

    with up(server, app) as connect:
        answer = connect().send(request()).response()
    same(answer.status, 500, "an application that raises")
    everything = answer.head + answer.body
    expect(b"swordfish" not in everything, "the client reads our secrets", got=everything)
    expect(b"Traceback" not in everything, "the client reads our source", got=everything)


@case("server", "error after start_response", ERRORS, 4)
def error_after_start_response(server: Any) -> None:
    """While no content was sent, a failure is still a 500, and not the 200 that was announced."""

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [TEXT, ("X-First", "yes"), ("Content-Length", "5")])
        raise ValueError("no content")

    def stream(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [TEXT, ("X-First", "yes")])
        yield b""
        raise ValueError("no content")

    for each in (app, stream):
        with up(server, each) as connect:
            answer = connect().send(request()).response()
        same(answer.status, 500, "an application that raises before its first block")
        same(answer.values("x-first"), [], "a field of the response that failed")


@case("server", "error after the first byte", ERRORS, 4)
def error_after_the_first_byte(server: Any) -> None:
    """After the first byte the response is cut: no second status line, and no proper end."""
    arrived = moment(server, "the client to see the first block")

    def app(environ: Any, start_response: Any) -> Any:
        fields = [("Content-Length", "100")] if environ["PATH_INFO"] == "/length" else []
        start_response("200 OK", [TEXT, *fields])
        yield b"first"
        arrived.wait()
        raise ValueError("no more")

    for sent in (request("/chunked"), request("/length"), request("/close", version="1.0")):
        arrived = moment(server, "the client to see the first block")
        with up(server, app) as connect:
            wire = connect().send(sent)
            head = wire.until(b"first", "the first block")
            arrived.happens()
            came = wire.closed("its response has failed")
        expect(b"HTTP/1." not in came, "a second response stands in the first", got=head + came)
        expect(b"500" not in came, "an error stands in the content", got=head + came)
        expect(b"0\r\n\r\n" not in came, "the failed response ends as if complete", got=head + came)
        if b"content-length" not in head.lower() and b"chunked" not in head.lower():
            expect(wire.was_reset, "only a reset tells this client that something is missing")


@case("server", "error in write()'s wake", ERRORS, 4)
def error_after_write(server: Any) -> None:
    """What was written cannot be taken back: a later failure cuts the response."""

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [TEXT])(b"first")
        raise ValueError("no more")

    with up(server, app) as connect:
        answer = connect().send(request()).response(whole=False)
    expect(not answer.complete, "a response that failed looks complete", got=answer.body)
    expect(b"HTTP/1." not in answer.body, "a second response stands in the first")


@case("server", "the server survives", ERRORS, 4)
def the_server_survives(server: Any) -> None:
    """Whatever an application raises, the next client is served."""

    @raw
    def app(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/exit":
            sys.exit("a view must not end the server")
        if environ["PATH_INFO"] == "/recursion":
            return app(environ, start_response)
        if environ["PATH_INFO"] == "/memory":
            raise MemoryError("no room")
        return ok(start_response)

    with up(server, app) as connect:
        for path in ("/exit", "/recursion", "/memory"):
            answer = connect().send(request(path)).response(whole=False)
            same(answer.status, 500, f"the answer to {path}")
            same(connect().send(request()).response().status, 200, f"the client after {path}")


@case("server", "failure and keep-alive", ERRORS, 4)
def failure_and_keep_alive(server: Any) -> None:
    """After a 500 the connection is closed, or good for another request; nothing between."""

    def app(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/fail":
            raise ValueError("no")
        return ok(start_response)

    with up(server, app) as connect:
        wire = connect().send(request("/fail"))
        first = wire.response()
        wire.send(request())
        if wire.until_any():
            same(wire.response().status, 200, "the request after one that failed")
            same(first.value("connection"), None, "close was said, and not done")
