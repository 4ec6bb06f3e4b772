# trips: a bent request gets its status
"""Lets PeerError through, so the client hears nothing."""

from handmade import http1
from handmade.events import NEED_DATA, Data, End, Request, Response


def next_event(engine, sock):
    """Return the engine's next event, and feed it from the socket while it needs bytes."""
    while (event := engine.next_event()) is NEED_DATA:
        engine.receive(sock.recv(65536))
    return event


def answer(engine, status: int, text: bytes) -> bytes:
    """Return a whole answer."""
    head = Response(status, ((b"content-length", b"%d" % len(text)),))
    return engine.send(head) + engine.send(Data(text)) + engine.send(End())


def serve_client(sock, respond):
    engine = http1.Connection()
    while isinstance(request := next_event(engine, sock), Request):
        body = b""
        while isinstance(event := next_event(engine, sock), Data):
            body += event.data
        sock.sendall(answer(engine, 200, respond(request, body)))
