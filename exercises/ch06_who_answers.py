"""★ who-answers: tell a server by its behaviour alone.

Five servers run the same application: Gunicorn (its sync worker), uWSGI, wsgiref, waitress, and
ours, with threads. What they say about themselves (`Server`, `Via`, `Date`) is taken away, or is a
lie.

`GET /ok` is answered with a short body, `POST /echo` gives the body back.

Write `name_of(address)`. It asks whatever it likes, over as many connections as it likes, and
returns "gunicorn", "uwsgi", "wsgiref", "waitress" or "ours". The feature table of this chapter
shows where they differ; few rows are enough.

Given: `talk(address, *requests)` sends requests on one connection, in one piece, and returns all
bytes that come until the server closes. It waits for that as long as it takes: let your last
request say `Connection: close`.
"""

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
    # YOUR CODE HERE
    raise NotImplementedError("your turn")
