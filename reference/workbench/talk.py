"""A raw client: send these very bytes, and return the very bytes that come back.

A real client library repairs, hides and retries; here nothing is between the learner and the wire.
It knows just enough of HTTP, by h11, to tell when the answer is complete.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Sequence

import h11

from handmade.events import PAUSED, Data, End, PeerError, Request, Response
from handmade.http1 import Connection

QUIET = 0.25  # seconds that a piece of a request gets to reach the server before the next one
STEP = 0.002  # seconds between two looks at whether it has

Until = bytes | int | Callable[[bytes], object] | None


class StillWaiting(TimeoutError):
    """The server has not said all that was waited for; the message says what came."""


class NoAnswer(ConnectionError):
    """The server failed and closed the connection without a byte."""


def talk(
    address: tuple[str, int],
    raw: bytes | Sequence[bytes],
    *,
    timeout: float = 2.0,
    half_close: bool = False,
    until: Until = None,
    was_read: Callable[[tuple[str, int]], bool | None] = lambda client: None,
) -> bytes:
    """Send bytes to a server and return all that it answers.

    A list of pieces is sent piece by piece, each when the server has read the one before.
    ``was_read`` tells that of a client's address, or None where nobody knows.

    Reading ends when the server closes or when there is an answer to each request in ``raw``.
    ``until`` says otherwise: bytes that must have come, a number of answers, a function of what has
    come, or ``b""`` for nothing but the close. With ``half_close`` the server hears at once that
    nothing more will come.

    Raise StillWaiting after ``timeout`` seconds, ConnectionResetError with what came before it.
    """
    pieces = [raw] if isinstance(raw, bytes) else list(raw)
    lacks = _missing_by(until, b"".join(pieces))
    came = bytearray()
    deadline = time.monotonic() + timeout
    try:
        with socket.create_connection(address, timeout) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            was_reset = _send(sock, pieces, half_close, was_read)
            while lacks(bytes(came)):
                sock.settimeout(max(deadline - time.monotonic(), 0.001))
                data = sock.recv(65536)
                if not data:
                    if was_reset is not None:  # the system tells of a reset but once
                        raise was_reset
                    break
                came += data
    except TimeoutError:
        what = f"still waiting for {lacks(bytes(came))} after {timeout:g} s"
        raise StillWaiting(f"{what}; so far came {_short(bytes(came))}") from None
    except (ConnectionResetError, BrokenPipeError) as error:
        message = f"the server reset the connection; before that came {_short(bytes(came))}"
        raise ConnectionResetError(message) from error
    return bytes(came)


def _send(
    sock: socket.socket,
    pieces: Sequence[bytes],
    half_close: bool,
    was_read: Callable[[tuple[str, int]], bool | None],
) -> ConnectionResetError | None:
    """Send the pieces; return the reset that stopped it, where there may be something to read."""
    try:
        for number, piece in enumerate(pieces):
            if number:
                _let_it_read(sock, was_read)
            sock.sendall(piece)
        if half_close:
            sock.shutdown(socket.SHUT_WR)
    except (BrokenPipeError, ConnectionResetError) as error:
        # The server has closed before it had read all of it. What it said first may still be here.
        if not select.select([sock], [], [], 0)[0]:
            raise
        return error if isinstance(error, ConnectionResetError) else None
    return None


def _short(data: bytes) -> str:
    if not data:
        return "nothing"
    return repr(data) if len(data) <= 120 else f"{data[:60]!r} ... {data[-40:]!r}"


def _let_it_read(sock: socket.socket, was_read: Callable[[tuple[str, int]], bool | None]) -> None:
    """Wait until the server has read what was sent, or for as long as a local network needs."""
    client = sock.getsockname()[:2]
    end = time.monotonic() + QUIET
    while time.monotonic() < end:
        known = was_read(client)
        if known:
            return
        # Where nobody knows, a fifth of the time must do.
        if known is None and time.monotonic() > end - QUIET * 0.8:
            return
        select.select([], [], [sock], STEP)


# --- When is an answer complete? --------------------------------------------------------------


def _missing_by(until: Until, raw: bytes) -> Callable[[bytes], str]:
    """Return a function that says what is missing in the bytes so far, "" for nothing."""
    if isinstance(until, bytes):
        if not until:
            return lambda came: "the connection to close"
        return lambda came: "" if until in came else repr(until)
    if callable(until):
        return lambda came: "" if until(came) else "what `until` asks for"
    methods = methods_of(raw) if until is None else ([*methods_of(raw), *[b"GET"] * until])[:until]
    return lambda came: missing(came, methods)


def methods_of(raw: bytes) -> list[bytes]:
    """Return the methods of the requests in ``raw`` that want an answer, one at least.

    >>> methods_of(b"HEAD / HTTP/1.0\\r\\n\\r\\n"), methods_of(b"no HTTP")
    ([b'HEAD'], [b'GET'])
    """
    found = []
    server = Connection()
    server.receive(raw)
    try:
        while True:
            event = server.next_event()
            if isinstance(event, Request):
                found.append(event.method)
            elif event is PAUSED and not server.must_close:
                server.send(Response(204))
                server.send(End())
            elif not isinstance(event, Data | End):
                break
    except PeerError:
        found.append(b"GET")
    return found or [b"GET"]


def missing(came: bytes, methods: Sequence[bytes]) -> str:
    """Say what is missing until there is an answer to each of ``methods``; "" for nothing."""
    for method in methods:
        if not came:
            return "an answer"
        if not came.startswith(b"HTTP/1."[: len(came)]):
            return "the connection to close"
        client = h11.Connection(h11.CLIENT)
        client.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
        client.send(h11.EndOfMessage())
        client.receive_data(came)
        try:
            what = _missing_of_one(client)
        except h11.RemoteProtocolError:
            return "the connection to close"
        if what:
            return what
        came = client.trailing_data[0]
    return ""


def _missing_of_one(client: h11.Connection) -> str:
    what, left = "the end of the head", 0
    while True:
        event = client.next_event()
        if isinstance(event, h11.EndOfMessage) or event is h11.PAUSED:
            return ""
        if event is h11.NEED_DATA:
            return f"{left} more bytes of the body" if left else what
        if isinstance(event, h11.Response):
            fields = dict(event.headers)
            left = int(fields.get(b"content-length", b"0"))
            chunked = b"transfer-encoding" in fields
            what = "the last chunk" if chunked else "the connection to close"
        elif isinstance(event, h11.Data):
            left -= len(event.data) if left else 0
