# trips: at the end of a long line
from __future__ import annotations

import socket
from contextlib import suppress


def talk(address: tuple[str, int], *requests: bytes) -> bytes:
    """Send requests on one connection; return all that comes, to the end of the connection."""
    came = b""
    with socket.create_connection(address) as sock:
        sock.sendall(b"".join(requests))
        sock.settimeout(0.15)
        with suppress(TimeoutError):
            while data := sock.recv(65536):
                came += data
    return came


def ask(method: str = "GET", *fields: str) -> bytes:
    """Return a request for /ok."""
    return "\r\n".join([f"{method} /ok HTTP/1.1", "Host: test", *fields, "", ""]).encode()


def name_of(address: tuple[str, int]) -> str:
    """Return who answers at an address."""
    came = talk(address, ask(), ask("GET", "Connection: close"))
    if came.startswith(b"HTTP/1.0"):
        return "wsgiref"
    if came.count(b"HTTP/1.1 200 OK") == 1:  # the second request was not answered
        return "gunicorn" if b"connection: close" in came.lower() else "uwsgi"
    came = talk(address, ask("HEAD", "Connection: close"))
    return "ours" if came.endswith(b"\r\n\r\n") else "waitress"
