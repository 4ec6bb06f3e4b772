"""Streaming and backpressure: bytes go out when they are there, and stop when nobody reads."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial

from .asking import Asking, Broken, Miss, expect, request, same
from .model import check

http = partial(check, group="streaming")
wsgi = partial(check, group="streaming", interface="wsgi")
asgi = partial(check, group="streaming", interface="asgi")
BUFFERING = "PEP 3333, Buffering and Streaming"
BODY = "ASGI HTTP 2.5, Response Body"
MUCH = 48 << 20  # bytes: far more than the network takes for a client that does not read
SETTLED = 0.25  # seconds without another megabyte: the server waits, or has no time
OTHERS = 8  # answers to other clients: it had time


def each_at_once(it: Asking, path: str, *fields: str, version: str = "1.1") -> None:
    """Demand that the first part is on the wire before the application gives the next."""
    token = it.token()
    sent = request(f"{path}{'&' if '?' in path else '?'}token={token}", *fields, version=version)
    wire = it.connect().send(sent)
    first = b"one " if "write" in path else b"first"
    wire.wait_for(first, "the first part, which the application has given")
    late = b"two" if "write" in path else b"last"
    expect(late not in wire.buf, "the parts were gathered, and came together", sent,
           bytes(wire.buf[:300]), wire.buf.find(late))  # fmt: skip
    it.open(token)
    wire.wait_for(late, "the last part")
    wire.close()
    opened = it.noted(token, "opened", "the application to go on", sent)
    expect(opened, "the first part came when the application had long been tired of waiting", sent)


@wsgi("each block at once", BUFFERING, 4)
def each_block_at_once(it: Asking) -> None:
    """A server must not delay a block: it goes out before the next one is asked for."""
    each_at_once(it, "/steps")


@wsgi("write() at once", BUFFERING, 4)
def write_at_once(it: Asking) -> None:
    """What is written is on its way before write() returns."""
    each_at_once(it, "/w/write?then=wait")


@asgi("each part at once", BODY, 9)
def each_part_at_once(it: Asking) -> None:
    """A server must flush a part of the body before send returns."""
    each_at_once(it, "/steps")


@http("each at once for HTTP/1.0", "RFC 9112 §6.3", 4, choice=True)
def each_at_once_for_http_1_0(it: Asking) -> None:
    """A client of HTTP/1.0 gets a stream as it comes too, up to the end of the connection."""
    each_at_once(it, "/steps", version="1.0")


@http("a stream's end", "RFC 9112 §8", 4)
def a_streams_end(it: Asking) -> None:
    """A stream that is complete ends as its framing says, and the client can tell."""
    sent = request("/stream?blocks=" + ",".join(["block"] * 50))
    answer = it.ask(sent)
    same((answer.body, answer.complete), (b"block" * 50, True), "content, and whether it ended")


@http("a stream that fails", "RFC 9112 §8", 4)
def a_stream_that_fails(it: Asking) -> None:
    """A response that fails in its middle is seen to be broken: no last chunk, no second head."""
    sent = request("/fail?when=after")
    wire = it.connect().send(sent)
    answer = wire.response(whole=False)
    if answer.status == 500:
        return
    if answer.complete and answer.framing != "close":
        raise Miss("a response that failed looks whole", sent=sent, got=answer.body)
    rest = wire.closed("its response has failed")
    both = answer.body + rest
    expect(b"HTTP/1.1 500" not in both, "an error response stands inside the content", sent, both,
           both.find(b"HTTP/1.1"))  # fmt: skip


@http("an upload as it comes", "RFC 9112 §7.1", 4, choice=True)
def an_upload_as_it_comes(it: Asking) -> None:
    """The application may read the beginning of a chunked upload before its end was sent."""
    token = it.token()
    sent = request(f"/upload?token={token}", "Transfer-Encoding: chunked", method="POST")
    wire = it.connect().send(sent + b"6\r\nfirst\n\r\n")
    it.noted(token, "part", "the application to read the first chunk", sent)
    answer = wire.send(b"4\r\nlast\r\n0\r\n\r\n").response()
    same(answer.body, b"first\nlast", "the body")


@http("a client that does not read", "ASGI HTTP 2.5, Response Body", 10, choice=True)
def backpressure(it: Asking) -> None:
    """A server that is not rid of its bytes stops taking more: its memory does not fill."""
    token = it.token()
    sent = request(f"/endless?most={MUCH}&token={token}")
    wire = it.connect().send(sent)
    wire.wait_for(b"x" * 1000, "the beginning of the stream")
    taken = -1
    while (now := taken_at_rest(it, token, sent)) != taken:
        taken = now
        let_others_be_served(it)


def taken_at_rest(it: Asking, token: str, sent: bytes) -> int:
    """Wait until the server has taken no megabyte for a while; return how many notes there are."""
    before, since = -1, time.monotonic()
    while time.monotonic() - since < SETTLED:
        notes = it.left_behind(token)
        if any("done" in each for each in notes):
            raise Miss(f"all {MUCH >> 20} MB were taken, and the client reads none", sent=sent)
        if len(notes) != before:
            before, since = len(notes), time.monotonic()
        time.sleep(0.02)
    return before


def let_others_be_served(it: Asking) -> None:
    """Give a server time, however busy the machine is: it has some when it answers others.

    One that serves nobody else while it waits has as long as an answer may take.
    """
    with suppress(Broken):
        for _ in range(OTHERS):
            it.ask(request("/ok"))


@http("others are served meanwhile", "RFC 9112 §9.5", 5, choice=True)
def others_meanwhile(it: Asking) -> None:
    """A client that does not read its stream holds up nobody else."""
    for _ in range(2):
        wire = it.connect().send(request("/endless?most=20000000"))
        wire.wait_for(b"x" * 1000, "the beginning of a stream")
    same(it.ask(request("/ok")).status, 200, "the client behind two that do not read")


@http("a slow reader gets it all", "RFC 9112 §6.3", 3)
def a_slow_reader(it: Asking) -> None:
    """A client that reads late gets every byte."""
    sent = request("/big?size=8000000", "Connection: close")
    wire = it.connect().send(sent)
    wire.hears_more(1.0)
    time.sleep(0.15)
    same(len(wire.response().body), 8_000_000, "the number of bytes", sent)
