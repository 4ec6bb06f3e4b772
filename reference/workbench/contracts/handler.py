r"""The contract of a first server: a function ``handler(sock)`` that talks with one client.

It is a mirror.  It reads the head of a request, up to and with the empty line, and answers 200 with
these very bytes as the content, so that everybody sees what it has read and where it stopped.  The
caller accepts clients, one after the other, and closes each socket when the function returns.

>>> GET
b'GET /posts HTTP/1.1\r\nHost: board.example\r\n\r\n'
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..running import Server, running
from . import Broken, case
from .probes import expect, same
from .wire import Answer, Wire

Handler = Callable[[socket.socket], Any]

GET = b"GET /posts HTTP/1.1\r\nHost: board.example\r\n\r\n"
PATIENCE = 1.0  # seconds for one answer
SHORT = 0.05  # seconds in which nothing may come


@contextmanager
def served(handler: Handler) -> Iterator[Server]:
    """Run a handler; a client that it fails on is nobody's business but the log's."""
    with running(handler=handler, patience=0.6) as server:
        yield server


def connect(server: Server) -> Wire:
    """Return a new connection, whose packets are not gathered before they go."""
    return Wire(server.address, PATIENCE)


def mirrored(server: Server, wire: Wire, head: bytes = GET) -> Answer:
    """Read the answer, and demand that its content is the head that was sent."""
    answer = _answer(server, wire)
    same(answer.status, 200, "the status of the answer", head)
    same(answer.body, head, "the content should be the head that was sent", bytes(wire.sent[:99]))
    return answer


def _answer(server: Server, wire: Wire) -> Answer:
    """Read the answer; where none comes, tell what became of the handler."""
    try:
        return wire.response()
    except Broken as broken:
        if server.log:
            broken.problem += f"; the handler failed: {server.log[-1]}"
        raise


# ---------------------------------------------------------------- the answer


@case("handler", "whole answer", "RFC 9112 §2.1", 1)
def whole_answer(handler: Handler) -> None:
    """The answer is whole HTTP: it tells how long its content is, and that we close after it."""
    with served(handler) as server, connect(server) as wire:
        answer = mirrored(server, wire.send(GET))
    if answer.framing not in ("length", "chunked"):
        raise Broken(
            "the content ends only with the connection: a client cannot tell it from one that was "
            "cut short (RFC 9112 §8); say its Content-Length",
            sent=GET,
            got=answer.head,
        )
    if (answer.value("connection") or "").lower() != "close":
        raise Broken(
            "the server closes after each answer and does not say so: a client that would keep the "
            "connection needs Connection: close (RFC 9112 §9.3)",
            sent=GET,
            got=answer.head,
        )


@case("handler", "a client after another", "RFC 9112 §2.1", 1)
def a_client_after_another(handler: Handler) -> None:
    """A second client, who comes when the first has left, is answered as well."""
    other = GET.replace(b"/posts", b"/about")
    with served(handler) as server:
        for head in (GET, other):
            with connect(server) as wire:
                mirrored(server, wire.send(head), head)


# ---------------------------------------------------------------- TCP is a stream


def in_pieces(handler: Handler, pieces: list[bytes]) -> None:
    """Send the head in pieces, and demand silence before the last of them."""
    with served(handler) as server, connect(server) as wire:
        for piece in pieces[:-1]:
            wire.send(piece)
            # Once it has answered, the next pieces would be met by a reset that hides the answer.
            if wire.readable(SHORT if len(pieces) < 4 else 0.003):
                early = _answer(server, wire)
                raise Broken(
                    f"the answer came after {len(wire.sent)} of {len(GET)} bytes: one recv is not "
                    "one request",
                    sent=bytes(wire.sent),
                    got=early.body,
                    wanted=GET,
                )
        mirrored(server, wire.send(pieces[-1]))


@case("handler", "split reads", "RFC 9293 §2.2", 1)
def split_reads(handler: Handler) -> None:
    """A head that comes in two pieces is answered once, when it is whole, wherever the cut is."""
    for cut in (8, len(GET) - 3, len(GET) - 1):
        in_pieces(handler, [GET[:cut], GET[cut:]])


@case("handler", "byte by byte", "RFC 9293 §2.2", 1)
def byte_by_byte(handler: Handler) -> None:
    """A head that comes in single bytes is answered once, when the last one is there."""
    in_pieces(handler, [GET[i : i + 1] for i in range(len(GET))])


@case("handler", "bytes behind the head", "RFC 9293 §2.2", 1)
def bytes_behind_the_head(handler: Handler) -> None:
    """The head ends at the empty line: bytes behind it neither hang the answer nor get into it."""
    with served(handler) as server, connect(server) as wire:
        mirrored(server, wire.send(GET + b"more"))


# ---------------------------------------------------------------- how it ends


@case("handler", "client leaves early", "RFC 9112 §8", 1)
def client_leaves_early(handler: Handler) -> None:
    """Half a head and then the end: nobody is answered, and the next client is served."""
    for early in (b"", GET[:8]):
        with served(handler) as server:
            with connect(server) as wire:
                wire.send(early).half_close()
                try:
                    came = wire.closed("after the end of a client that asked for nothing")
                except Broken as broken:
                    broken.problem += "; recv returns b'' for ever once the client has ended"
                    raise
                same(came, b"", "half a request was answered", early)
            with connect(server) as wire:
                mirrored(server, wire.send(GET))
            expect(not server.log, f"the handler failed on it: {server.log_text()}", sent=early)


@case("handler", "half-close", "RFC 9112 §9.6", 1)
def half_close(handler: Handler) -> None:
    """A client that has ended its own side, and still reads, gets its answer."""
    with served(handler) as server, connect(server) as wire:
        mirrored(server, wire.send(GET).half_close())


@case("handler", "unread bytes", "RFC 9112 §9.6", 1)
def unread_bytes(handler: Handler) -> None:
    """The answer survives, although the client has sent more than the handler wanted to read."""
    head = b"POST /posts HTTP/1.1\r\nHost: board.example\r\n\r\n"
    with served(handler) as server, connect(server) as wire:
        mirrored(server, wire.send(head + b"x" * 300_000), head)
        try:
            wire.half_close()
            wire.closed("after the answer, when the client has ended")
        except OSError:  # the connection is no more
            wire.was_reset = True
    if wire.was_reset:
        raise Broken(
            "the connection was reset: the handler closed while bytes of the client waited unread, "
            "and a reset can destroy an answer that is on its way",
            sent=head + b"xxx",
        )
