# trips: a bent request gets its status
"""A text of its own for every fault."""

from __future__ import annotations

import socket
from collections.abc import Callable

from handmade import http1
from handmade.events import NEED_DATA, Closed, Data, End, PeerError, Request, Response


def next_event(engine, sock):
    """Return the engine's next event, and feed it from the socket while it needs bytes."""
    while (event := engine.next_event()) is NEED_DATA:
        engine.receive(sock.recv(65536))
    return event


def answer(engine, status: int, text: bytes) -> bytes:
    """Return a whole answer. ``text`` is bytes; a PeerError's reason is a str: ``encode()`` it."""
    head = Response(status, ((b"content-length", b"%d" % len(text)),))
    return engine.send(head) + engine.send(Data(text)) + engine.send(End())


def serve_client(sock: socket.socket, respond: Callable[[Request, bytes], bytes]) -> None:
    """Answer every request of one client, in order."""
    engine = http1.Connection()
    try:
        while not isinstance(request := next_event(engine, sock), Closed):
            body = b""
            while isinstance(event := next_event(engine, sock), Data):
                body += event.data
            sock.sendall(answer(engine, 200, respond(request, body)))
            if engine.must_close:
                return
    except PeerError as error:
        sock.sendall(answer(engine, error.status, b"oops"))
