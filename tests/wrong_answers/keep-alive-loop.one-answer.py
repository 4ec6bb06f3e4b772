# trips: one request after the other
"""Returns after the first answer."""

from handmade import http1
from handmade.events import NEED_DATA, Closed, Data, End, PeerError, Response


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
    try:
        request = next_event(engine, sock)
        if isinstance(request, Closed):
            return
        body = b""
        while isinstance(event := next_event(engine, sock), Data):
            body += event.data
        sock.sendall(answer(engine, 200, respond(request, body)))
    except PeerError as error:
        sock.sendall(answer(engine, error.status, error.reason.encode()))
