"""★★ two-clients: a client who thinks keeps nobody waiting.

Given: the mirror from the notebook.

Write ``serve(listener)``. It accepts clients from a listening socket for ever, lets ``mirror`` talk
with each, and closes each one's socket when mirror is done or has failed. A client that is slow,
silent or cut off keeps no other client waiting. Chapter 05 is about how; ``threading`` is enough.

The check lets clients come one after the other, stop halfway, end in the reverse order in which
they began, be cut off, and say nothing at all; and it looks whether their sockets were closed. It
ends your loop by closing the listening socket.
"""

from __future__ import annotations

import socket
import threading


def read_head(sock: socket.socket) -> bytes:
    """Return the head of a request; b"" when the client left before its end."""
    buf = b""
    while b"\r\n\r\n" not in buf:
        data = sock.recv(1024)
        if not data:
            return b""
        buf += data
    return buf[: buf.index(b"\r\n\r\n") + 4]


def mirror(sock: socket.socket) -> None:
    """Answer one request with its own head, and part from the client."""
    if head := read_head(sock):
        fields = b"Connection: close\r\nContent-Length: %d\r\n" % len(head)
        sock.sendall(b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n" + head)
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(65536):
            pass


def serve(listener: socket.socket) -> None:
    """Accept clients for ever, and let nobody wait for another."""

    # YOUR CODE HERE
    raise NotImplementedError("your turn")
