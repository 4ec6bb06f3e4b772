"""The servers that the first chapters leave behind, as functions of one socket.

From chapter 4 on a chapter's stage is a shell of the reference; before that it is one of these.
They answer "ok" to everything that they can read, so the gauntlet asks them what the wire shows.
"""

from __future__ import annotations

import socket

from handmade.events import NEED_DATA, PAUSED, Data, End, PeerError, Request, Response
from handmade.http1 import Connection

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
FIELDS = ((b"content-type", b"text/plain"), (b"content-length", b"2"))


def chapter_1(sock: socket.socket) -> None:
    """Read a head, whatever it says, and answer it."""
    buf = b""
    while b"\r\n\r\n" not in buf:
        if not (data := sock.recv(4096)):
            return
        buf += data
    sock.sendall(OK)


def chapter_2(sock: socket.socket) -> None:
    """Read a head by the grammar, refuse a bent one, and answer one request."""
    talk(sock, requests=1)


def chapter_3(sock: socket.socket) -> None:
    """Read heads and bodies, and answer every request of the connection."""
    talk(sock, requests=1000)


def talk(sock: socket.socket, requests: int) -> None:
    """Let the engine read and write for one connection."""
    engine = Connection()
    while requests:
        try:
            event = engine.next_event()
        except PeerError as error:
            reason = error.reason.encode()
            fields = ((b"content-length", b"%d" % len(reason)),)
            sock.sendall(engine.send(Response(error.status, fields)))
            sock.sendall(engine.send(Data(reason)) + engine.send(End()))
            break
        if event is NEED_DATA:
            engine.receive(sock.recv(65536))
        elif isinstance(event, Request | Data):
            continue  # the answer waits for the end of the request
        elif isinstance(event, End):
            requests -= 1
            if not requests:
                engine.close_after_response()
            head = engine.send(Response(200, FIELDS))
            sock.sendall(head + engine.send(Data(b"ok")) + engine.send(End()))
        elif event is not PAUSED or engine.must_close:
            break
    linger(sock)


def linger(sock: socket.socket) -> None:
    """Part as RFC 9112 §9.6 advises: end our side, and read on for a moment."""
    sock.shutdown(socket.SHUT_WR)
    sock.settimeout(0.2)
    try:
        while sock.recv(65536):
            pass
    except OSError:
        pass
