"""★★ answer-get: a page for GET, a refusal for the rest.

Given: a page, and ``read_head(sock)`` from the notebook, which returns b"" when the client left.

Write ``answer_get(sock)``. A request with the method GET is answered by status 200 and the page in
UTF-8; any other method by ``405 Method Not Allowed`` with the field ``Allow: GET`` and a body of
your choice. Each answer says its Content-Length and ``Connection: close``, and behind it you end
your writing side. A client that left early gets nothing, and no client gets a reset. The caller
closes the socket.

The check asks with GET, whole and in pieces, then with other methods, then with a POST whose body
comes while you answer. At last a client leaves early.
"""

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
    # YOUR CODE HERE
    raise NotImplementedError("your turn")
