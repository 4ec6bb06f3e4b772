"""Disconnects: a client that leaves, and what the application hears of it."""

from __future__ import annotations

from functools import partial

from .asking import Asking, Wire, expect, request, same
from .model import check

asgi = partial(check, group="disconnects", interface="asgi")
wsgi = partial(check, group="disconnects", interface="wsgi")
http = partial(check, group="disconnects")
DISCONNECT = "ASGI HTTP 2.5, Disconnect"
SEND = "ASGI HTTP 2.5, Disconnected Client"


def listening(it: Asking, token: str) -> Wire:
    """Return a connection whose application has read the body and listens for what comes."""
    sent = request(f"/a/listen?token={token}", method="POST", body=b"hello")
    wire = it.connect().send(sent)
    it.noted(token, "here", "the application to have read the body", sent)
    return wire


@asgi("told of a reset", DISCONNECT, 10)
def told_of_a_reset(it: Asking) -> None:
    """An application that receives is told http.disconnect when its client has crashed."""
    token = it.token()
    listening(it, token).reset()
    same(it.noted(token, "told", "http.disconnect"), "http.disconnect", "what receive gave")


@asgi("told of a goodbye", DISCONNECT, 10, choice=True)
def told_of_a_goodbye(it: Asking) -> None:
    """The same for a client that has closed in order; a half-close looks alike for a while."""
    token = it.token()
    listening(it, token).close()
    same(it.noted(token, "told", "http.disconnect"), "http.disconnect", "what receive gave")


@asgi("told after the response", DISCONNECT, 10)
def told_after_the_response(it: Asking) -> None:
    """Who receives when the response is complete is told http.disconnect."""
    token = it.token()
    sent = request(f"/a/after?then=receive&token={token}")
    same(it.ask(sent).body, b"whole", "the content", sent)
    told = it.noted(token, "told", "http.disconnect behind the response", sent)
    same(told, "http.disconnect", "what receive gave", sent)


@asgi("told inside a body", DISCONNECT, 10)
def told_inside_a_body(it: Asking) -> None:
    """A client that crashes in the middle of its body is told as gone, not as finished."""
    token = it.token()
    sent = request(f"/echo?token={token}", "Content-Length: 10", method="POST") + b"hello"
    wire = it.connect().send(sent)
    wire.hears_more(0.1)
    wire.reset()
    told = it.notes(token)
    for _ in range(50):
        if any("told" in each or "body" in each for each in told):
            break
        wire = it.connect()
        wire.hears_more(0.02)
        told = it.notes(token)
    expect(not any("body" in each for each in told), "half a body was given as the whole", sent)


@asgi("told of a crash in an upload", DISCONNECT, 10, choice=True)
def told_of_a_crash(it: Asking) -> None:
    """An application that waits for the rest of a body hears http.disconnect instead."""
    token = it.token()
    sent = request(f"/upload?token={token}", "Content-Length: 10", method="POST") + b"hello"
    wire = it.connect().send(sent)
    it.noted(token, "part", "the first part to be received", sent)
    wire.reset()
    same(it.noted(token, "told", "http.disconnect", sent), "http.disconnect", "what receive gave")


@asgi("send to nobody raises", SEND, 10, choice=True)
def send_to_nobody(it: Asking) -> None:
    """send() should raise an OSError when the client is gone, so that a stream can end."""
    token = it.token()
    wire = it.connect().send(request(f"/endless?most=100000000&token={token}"))
    wire.until(b"x" * 1000, "the beginning of the stream")
    wire.reset()
    it.noted(token, "left", "the stream to end")
    raised = [each["error"] for each in it.notes(token) if "error" in each]
    same(raised, ["OSError"], "what send() raised")


@http("a stream to nobody ends", "RFC 9112 §9.5", 10, choice=True)
def a_stream_to_nobody(it: Asking) -> None:
    """A response whose client has left is given up, not worked on without end."""
    token = it.token()
    wire = it.connect().send(request(f"/endless?most=100000000&token={token}"))
    wire.until(b"x" * 1000, "the beginning of the stream")
    wire.reset()
    it.noted(token, "left", "the stream to end, whose client has left")


@wsgi("close() when the client left", "PEP 3333, Specification Details", 4)
def close_when_the_client_left(it: Asking) -> None:
    """close() must be called also when the request ends early because the client has left."""
    token = it.token()
    sent = request(f"/w/close?how=left&token={token}")
    wire = it.connect().send(sent)
    wire.until(b"x" * 1000, "the beginning of the stream")
    wire.reset()
    it.noted(token, "close", "close() of the iterable to be called", sent)
    same(len(it.notes(token)), 1, "the number of calls of close()", sent)


@asgi("a half-closed client", "RFC 9112 §9.6", 10, choice=True)
def a_half_closed_client(it: Asking) -> None:
    """A client that has ended its sending side still waits for its answer: it has not left."""
    token = it.token()
    wire = it.connect().send(request(f"/wait?token={token}")).half_close()
    it.noted(token, "here", "the application to run")
    it.open(token)
    same(wire.response().body, b"opened", "the answer")


@http("clients that leave", "RFC 9112 §9.5", 1)
def clients_that_leave(it: Asking) -> None:
    """A client that leaves at any point costs the others nothing."""
    sent = request("/echo", method="POST", body=b"hello")
    for length in (0, 1, 20, len(sent) - 2, len(sent)):
        it.connect().send(sent[:length]).close()
        it.connect().send(sent[:length]).reset()
    same(it.ask(request("/ok")).status, 200, "the next client")
