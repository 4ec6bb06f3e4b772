# trips: an upload is refused without a reset
"""Reads to the end, and does not end its own side: the two wait for each other."""

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


def answer_get(sock):
    if not (head := read_head(sock)):
        return
    status, extra, body = b"405 Method Not Allowed", b"Allow: GET\r\n", b"no\n"
    if head.startswith(b"GET "):
        status, extra, body = b"200 OK", b"", PAGE.encode()
    fields = b"Connection: close\r\nContent-Length: %d\r\n" % len(body)
    sock.sendall(b"HTTP/1.1 " + status + b"\r\n" + extra + fields + b"\r\n" + body)
    while sock.recv(65536):
        pass
