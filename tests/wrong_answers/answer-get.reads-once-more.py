# trips: an upload is refused without a reset
"""Ends its side, and takes one recv for the rest of the client."""

from __future__ import annotations

import socket

PAGE = "Grüße vom Brett\n"


def read_head(sock: socket.socket) -> bytes:
    """Return the head of a request; b"" when the client left before its end."""
    buf = b""
    while b"\r\n\r\n" not in buf:
        data = sock.recv(1024)
        if not data:
            return b""
        buf += data
    return buf[: buf.index(b"\r\n\r\n") + 4]


def answer_get(sock: socket.socket) -> None:
    """Answer one request, and part from the client without a reset."""
    head = read_head(sock)
    if not head:
        return
    if head.split(b" ")[0] == b"GET":
        first, body = b"HTTP/1.1 200 OK\r\n", PAGE.encode()
    else:
        first, body = b"HTTP/1.1 405 Method Not Allowed\r\nAllow: GET\r\n", b"only GET, please\n"
    fields = b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
    sock.sendall(first + fields + body)
    sock.shutdown(socket.SHUT_WR)
    sock.recv(65536)
