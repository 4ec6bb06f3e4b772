"""★ keep-alive-loop: serve every request of a connection.

Given: two helpers around the engine, one that waits for its next event, one that writes an answer.

Write ``serve_client(sock, respond)``. For each request that comes on the connection, call
``respond(request, body)`` with the Request event and all of its body, and send what it returns as
an answer with status 200. When the client breaks the protocol, send one answer with the status and
reason of the PeerError, then return. The caller closes the socket.

Return, too, when the client is done or the connection ends with this answer. A client that is done
makes ``sock.recv`` return ``b""``; ``receive(b"")`` tells the engine so, and where a Request could
come it gives the event ``Closed``. Behind the last answer ``engine.must_close`` is true.

The check sends one request and the next, two at once, a body, a close, a bent request, and nothing.
"""

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
    # YOUR CODE HERE
    raise NotImplementedError("your turn")
