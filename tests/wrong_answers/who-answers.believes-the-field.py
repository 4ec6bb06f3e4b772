# trips: each says that it is another one
from __future__ import annotations

import socket


def talk(address: tuple[str, int], *requests: bytes) -> bytes:
    """Send requests on one connection; return all that comes, to the end of the connection."""
    came = b""
    with socket.create_connection(address) as sock:
        sock.sendall(b"".join(requests))
        while data := sock.recv(65536):
            came += data
    return came


def ask(method: str = "GET", *fields: str) -> bytes:
    """Return a request for /ok."""
    return "\r\n".join([f"{method} /ok HTTP/1.1", "Host: test", *fields, "", ""]).encode()


def name_of(address: tuple[str, int]) -> str:
    """Return who answers at an address."""
    came = talk(address, ask("GET", "Connection: close")).lower()
    for name in ("gunicorn", "uwsgi", "wsgiref", "waitress"):
        if b"server: " + name.encode() in came:
            return name
    return "ours"
