"""Keep-alive and pipelining: several requests on one connection (RFC 9112 §9)."""

from __future__ import annotations

from functools import partial
from typing import Any

from .asking import Asking, Broken, Miss, Wire, expect, request, same
from .model import check

keep_alive = partial(check, group="keep-alive")
BARE: tuple[str, ...] = ()


def next_answer(wire: Wire, body: bytes, what: str, sent: bytes) -> None:
    """Demand that the next answer has this content, or that the server has closed instead."""
    if wire.until_any():
        same(wire.response().body, body, what, sent)


@keep_alive("keep-alive", "RFC 9112 §9.3", 3, choice=True, needs=BARE)
def kept(it: Asking) -> None:
    """A server should keep an HTTP/1.1 connection for more requests."""
    wire = it.connect()
    for number in range(5):
        wire.send(request("/ok"))
        expect(wire.until_any(), f"the connection ended after {number} answers")
        same(wire.response().status, 200, f"answer {number + 1} on one connection")


@keep_alive("a hundred requests", "RFC 9112 §9.3", 3, choice=True)
def a_hundred_requests(it: Asking) -> None:
    """One connection serves a hundred requests, each with its own answer."""
    wire = it.connect()
    for number in range(100):
        wire.send(request(f"/ok?say={number}"))
        expect(wire.until_any(), f"the connection ended after {number} answers")
        same(wire.response().body, b"%d" % number, "the answer")


@keep_alive("the next request begins behind the body", "RFC 9112 §6.3", 3)
def behind_the_body(it: Asking) -> None:
    """A body ends where its framing says, and the next request begins there."""
    wire = it.connect()
    first = request("/echo", method="POST", body=b"hello")
    second = request("/echo", method="POST", chunks=(b"hel", b"lo"))
    wire.send(first + second + request("/ok?say=third", "Connection: close"))
    for sent, body in ((first, b"hello"), (second, b"hello"), (b"", b"third")):
        next_answer(wire, body, "the answer", sent)


@keep_alive("Connection: close", "RFC 9112 §9.6", 3, needs=BARE)
def connection_close(it: Asking) -> None:
    """A server must close the connection after its answer to a request that says close."""
    sent = request("/ok", "Connection: close")
    wire = it.connect().send(sent)
    wire.response()
    it.must_close(wire, sent, "as the client has asked")


@keep_alive("close is said", "RFC 9112 §9.6", 3, choice=True, needs=BARE)
def close_is_said(it: Asking) -> None:
    """The last answer should say close too, so that the client asks nothing more."""
    answer = it.ask(request("/ok", "Connection: close"))
    same((answer.value("connection") or "").lower(), "close", "the field Connection")


@keep_alive("nothing runs behind close", "RFC 9112 §9.6", 3)
def nothing_runs_behind_close(it: Asking) -> None:
    """A server must not run a request that stands behind one that says close."""
    token = it.token()
    sent = request("/ok", "Connection: close") + request(f"/ok?token={token}")
    wire = it.connect().send(sent)
    wire.response()
    came = wire.closed("it was asked to")
    if came or it.notes(token):
        raise Miss(
            "a request behind the last one ran", sent=sent, got=came, suspect=b"GET /ok?", at=0
        )


@keep_alive("close in a list", "RFC 9110 §7.6.1", 3, needs=BARE)
def close_in_a_list(it: Asking) -> None:
    """Connection is a list, and its words are the same in large and small letters."""
    sent = request("/ok", "Connection: x-other, CLOSE")
    wire = it.connect().send(sent)
    wire.response()
    it.must_close(wire, sent, "as the client has asked, in a list")


@keep_alive("HTTP/1.0 closes", "RFC 9112 §9.3", 3, needs=BARE)
def http_1_0_closes(it: Asking) -> None:
    """A connection of HTTP/1.0 ends after the answer, unless keep-alive was asked for."""
    sent = request("/ok", version="1.0")
    wire = it.connect().send(sent)
    wire.response()
    it.must_close(wire, sent, "as HTTP/1.0 knows nothing else")


@keep_alive("HTTP/1.0 keep-alive", "RFC 9112 §9.3", 3, choice=True)
def http_1_0_keep_alive(it: Asking) -> None:
    """A connection of HTTP/1.0 may be kept when the client asks for it, and is told so."""
    wire = it.connect()
    sent = request("/ok", "Connection: keep-alive", version="1.0")
    for _ in range(2):
        wire.send(sent)
        expect(wire.until_any(), "the connection ended", sent)
        answer = wire.response()
        same((answer.value("connection") or "").lower(), "keep-alive", "the field Connection", sent)


@keep_alive("pipelining", "RFC 9112 §9.3.2", 3)
def pipelining(it: Asking) -> None:
    """Requests that are sent without waiting must be answered in their order."""
    sent = b"".join(request(f"/ok?say={number}") for number in range(10))
    wire = it.connect().send(sent)
    for number in range(10):
        if not wire.until_any():
            expect(number, "no answer at all", sent)
            return
        same(wire.response().body, b"%d" % number, f"answer {number + 1} of 10", sent)


@keep_alive("all of a pipeline", "RFC 9112 §9.3.2", 3, choice=True)
def all_of_a_pipeline(it: Asking) -> None:
    """A server that keeps connections answers every request that was pipelined."""
    wire = it.connect().send(b"".join(request(f"/ok?say={number}") for number in range(10)))
    for number in range(10):
        expect(wire.until_any(), f"the connection ended after {number} of 10 answers")
        wire.response()


@keep_alive("a request within a body", "RFC 9112 §6.3", 3)
def a_request_within_a_body(it: Asking) -> None:
    """What stands in a body is never a request, and what stands behind it is no body."""
    token = it.token()
    inner = request(f"/ok?token={token}")
    sent = request("/echo", method="POST", body=inner) + request(
        "/ok?say=next", "Connection: close"
    )
    wire = it.connect().send(sent)
    same(wire.response().body, inner, "the body", sent)
    next_answer(wire, b"next", "the answer to the second request", sent)
    same(it.notes(token), [], "what the request in the body has done", sent)


def unread(it: Asking, body: bytes, *, chunked: bool) -> None:
    """Demand that a body that nobody reads is never taken for a request."""
    token = it.token()
    inner = request(f"/ok?token={token}") * (1 + len(body))
    how: dict[str, Any] = {"chunks": (inner,)} if chunked else {"body": inner}
    sent = request("/ok?say=first", method="POST", **how)
    wire = it.connect().send(sent).send(request("/ok?say=second", "Connection: close"))
    same(wire.response().body, b"first", "the first answer", sent[:300])
    next_answer(wire, b"second", "the second answer", sent[:300])
    same(it.notes(token), [], "requests that stood in the body", sent[:300])


@keep_alive("an unread body", "RFC 9112 §9.3", 3)
def an_unread_body(it: Asking) -> None:
    """A server must read the whole body, or close: what the application leaves is no request."""
    unread(it, b"", chunked=False)


@keep_alive("unread chunks", "RFC 9112 §9.3", 3)
def unread_chunks(it: Asking) -> None:
    """The same for a body in chunks."""
    unread(it, b"", chunked=True)


@keep_alive("a long unread body", "RFC 9112 §9.3", 3)
def a_long_unread_body(it: Asking) -> None:
    """The same for a body of 200 KB, which no server has read by chance."""
    unread(it, b"x" * 3000, chunked=False)


@keep_alive("a GET with a body", "RFC 9110 §9.3.1", 3)
def a_get_with_a_body(it: Asking) -> None:
    """Content in a GET has no meaning, and is framed all the same: it is not the next request."""
    token = it.token()
    inner = request(f"/ok?token={token}")
    wire = it.connect().send(request("/ok?say=first", body=inner))
    first = wire.response(whole=False)
    if first.status < 400:
        wire.send(request("/ok?say=second", "Connection: close"))
        next_answer(wire, b"second", "the second answer", inner)
    same(it.notes(token), [], "the request that stood in the body")


@keep_alive("an early answer", "RFC 9112 §9.6", 3, choice=True)
def an_early_answer(it: Asking) -> None:
    """An answer that comes in the middle of an upload reaches the client that still sends."""
    sent = request("/ok", method="POST", body=b"x" * 2_000_000)
    wire = it.connect().send(sent)
    answer = wire.response()
    same(answer.status, 200, "the answer", sent[:100])


@keep_alive("half-close", "RFC 9112 §9.6", 1, choice=True, needs=BARE)
def half_close(it: Asking) -> None:
    """A client that has asked, and will send no more, still gets its answer."""
    wire = it.connect().send(request("/ok")).half_close()
    expect(wire.until_any(), "the server closed without an answer", request("/ok"))
    same(wire.response().status, 200, "the answer")


@keep_alive("after HEAD, 204 and 304", "RFC 9112 §6.3", 3)
def after_no_content(it: Asking) -> None:
    """Behind an answer without content the next one begins at once."""
    for sent in (request("/ok", method="HEAD"), request("/status?code=204"),
                 request("/status?code=304")):  # fmt: skip
        wire = it.connect().send(sent + request("/ok?say=next", "Connection: close"))
        wire.response(head_only=sent.startswith(b"HEAD"))
        next_answer(wire, b"next", "the next answer", sent)


@keep_alive("after an error", "RFC 9112 §9.3", 3)
def after_an_error(it: Asking) -> None:
    """After a 500 the connection is closed, or good for another request; nothing between."""
    sent = request("/fail?when=before")
    wire = it.connect().send(sent)
    if not wire.until_any():
        return
    first = wire.response()
    wire.send(request("/ok?say=next", "Connection: close"))
    try:
        next_answer(wire, b"next", "the next answer", sent)
    except Broken as broken:
        raise Miss(broken.problem, sent=sent, got=first.head) from None
