"""Hostile clients, and applications that fail: what must not get out, or in, or stop the rest."""

from __future__ import annotations

from functools import partial

from .asking import Asking, Broken, Miss, expect, request, same
from .model import check

http = partial(check, group="hostile")
wsgi = partial(check, group="hostile", interface="wsgi")
asgi = partial(check, group="hostile", interface="asgi")
BARE: tuple[str, ...] = ()
CROWD = 20  # clients that hold a connection and do nothing
SPLIT = "RFC 9110 §5.5"


@http("no secrets in a 500", "RFC 9110 §15.6.1", 4, choice=True)
def no_secrets(it: Asking) -> None:
    """The client of an application that fails gets 500, and not the traceback."""
    sent = request("/fail?when=before")
    answer = it.ask(sent, whole=False)
    same(answer.status, 500, "the status", sent)
    everything = answer.head + answer.body
    for word in (b"swordfish", b"Traceback"):
        expect(word not in everything, "the client reads what it should not", sent, everything,
               everything.find(word))  # fmt: skip


@wsgi("an error replaces the start", "PEP 3333, Error Handling", 4)
def an_error_replaces_the_start(it: Asking) -> None:
    """While nothing was sent a failure is an error, not the 200 that was to come."""
    sent = request("/fail?when=started")
    answer = it.ask(sent, whole=False)
    expect(answer.status != 200, "a response that failed was begun", sent, answer.head, 9)


@asgi("an error replaces the start", "ASGI HTTP 2.5, Response Start", 9, choice=True)
def an_error_replaces_the_start_too(it: Asking) -> None:
    """Where the head waits for a body, a failure before the body is an error, and not a 200."""
    sent = request("/fail?when=started")
    wire = it.connect().send(sent)
    if wire.until_any():
        answer = wire.response(whole=False)
        expect(answer.status != 200, "a response that failed was begun", sent, answer.head, 9)


@http("the server survives", "PEP 3333, Error Handling", 4, choice=True)
def the_server_survives(it: Asking) -> None:
    """Whatever an application raises, the next client is served."""
    for when in ("before", "started", "after"):
        wire = it.connect().send(request(f"/fail?when={when}", "Connection: close"))
        wire.hears_more(0.5)
        wire.close()
        same(it.ask(request("/ok")).status, 200, f"the client after a failure ({when})")


@http("no response splitting", SPLIT, 4)
def no_response_splitting(it: Asking) -> None:
    """A line end in a field's value is never sent: it would be a field of an attacker's making."""
    sent = request("/split", "Connection: close")
    came = it.connect().send(sent).closed("it was asked to")
    expect(b"\r\nX-Evil:" not in came, "the response was split", sent, came,
           came.find(b"X-Evil"))  # fmt: skip


@http("not HTTP at all", "RFC 9112 §3", 2, choice=True, needs=BARE)
def not_http(it: Asking) -> None:
    """What is no request, such as a client that speaks TLS, should be answered with 400."""
    it.refused(
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n", 400, 0, suspect=b"\x16"
    )


@http("silent clients", "RFC 9112 §9.5", 5, choice=True, needs=BARE)
def silent_clients(it: Asking) -> None:
    """Twenty clients that connect and say nothing hold up nobody."""
    crowd(it, b"")


@http("idle clients", "RFC 9112 §9.5", 5, choice=True, needs=BARE)
def idle_clients(it: Asking) -> None:
    """Twenty clients that have had an answer, and keep the line, hold up nobody."""
    crowd(it, request("/ok"), answered=True)


@http("slow heads", "RFC 9112 §9.5", 5, choice=True, needs=BARE)
def slow_heads(it: Asking) -> None:
    """Twenty clients in the middle of a head hold up nobody."""
    crowd(it, request("/ok")[:-2])


@http("slow bodies", "RFC 9112 §9.5", 5, choice=True)
def slow_bodies(it: Asking) -> None:
    """Twenty clients in the middle of a body hold up nobody."""
    crowd(it, request("/echo", "Content-Length: 10", method="POST") + b"hello")


def crowd(it: Asking, begin: bytes, *, answered: bool = False) -> None:
    """Demand that one more client is served while a crowd has stopped after ``begin``."""
    for _ in range(CROWD):
        wire = it.connect().send(begin)
        if answered:
            wire.response()
    try:
        same(it.ask(request("/ok", "Connection: close")).status, 200, "the client behind them")
    except Broken as broken:
        raise Miss(f"behind {CROWD} slow clients: {broken.problem}", sent=begin) from None


@http("a smuggled request", "RFC 9112 §11.2", 3)
def a_smuggled_request(it: Asking) -> None:
    """However the framing is bent, the bytes behind it never run as another client's request."""
    for bent in ("Transfer-Encoding : chunked", "Transfer-Encoding: chunked, x",
                 "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity"):  # fmt: skip
        token = it.token()
        inner = request(f"/ok?token={token}")
        body = b"0\r\n\r\n" + inner
        sent = request("/ok", bent, method="POST") + body
        wire = it.connect().send(sent)
        came = wire.response(whole=False).head if wire.until_any() else b""
        wire.hears_more(0.2)
        if it.notes(token):
            raise Miss("the bytes behind the body ran as a request", sent=sent, got=came,
                       suspect=bent.encode(), at=9)  # fmt: skip


@http("an empty packet storm", "RFC 9112 §2.2", 3, choice=True, needs=BARE)
def empty_lines(it: Asking) -> None:
    """Empty lines before a request are ignored for a while, not for ever."""
    it.refused(b"\r\n" * 50_000, 400, 431, 0)
