"""★ split-reads: read until the head is whole.

Given: a connected socket. A client has begun to send a request on it.

Write ``read_head(sock)``. It reads until the empty line that ends the head and returns two bytes
objects, ``(head, rest)``: the head with its empty line, and what was read behind it. When the
client closes before the empty line, it raises EOFError. It closes nothing.

The check sends one request whole, in two pieces, and byte by byte, then a long one, then one with
a body behind it. At last it leaves early. It keeps the connection open and waits for an answer
while you read, as a browser does.
"""

from __future__ import annotations

import socket


def read_head(sock: socket.socket) -> tuple[bytes, bytes]:
    """Return the head of a request, and the bytes that were read behind it."""
    ### BEGIN SOLUTION
    buf = b""
    while b"\r\n\r\n" not in buf:
        data = sock.recv(4096)
        if not data:
            raise EOFError("the client closed before the end of the head")
        buf += data
    head, empty_line, rest = buf.partition(b"\r\n\r\n")
    return head + empty_line, rest
    ### END SOLUTION
