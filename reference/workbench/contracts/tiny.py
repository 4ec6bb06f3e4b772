"""What the tiny servers of chapter 08 are asked: ``serve(listener)`` answers each head alike.

The subject is a function of a listening socket.  It knows no application: whatever ends in a blank
line is a request, and each is answered 200.  What is asked is who waits for whom, and at what cost.
"""

from __future__ import annotations

import math
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..duel import served
from . import Broken, case

REQUEST = b"GET /posts HTTP/1.1\r\nHost: board.example\r\n\r\n"
PATIENCE = 1.0  # seconds for one answer
IDLE = 0.25  # seconds in which nobody asks
SHORT = b"GET / HTTP/1.1\r\n\r\n"
MANY = 300_000  # short requests: their answers fit into no buffer
ASKS, PAUSE = 25, 0.01
READS_NOTHING = 0.4  # seconds in which a server has taken nothing more: it does not read on


@contextmanager
def serving(serve: Any) -> Iterator[tuple[Any, Any]]:
    """Serve by a learner's function; what fails then is told with the server's last words."""
    with served(serve) as (server, clock):
        try:
            yield server, clock
        except (Broken, OSError) as error:
            problem = getattr(error, "problem", str(error))
            if not server.log:
                raise
            problem += f"; your server has ended, and its last words are: {server.log[-1]}"
            raise Broken(problem, sent=getattr(error, "sent", None)) from None


def answered(sock: socket.socket, problem: str) -> None:
    """Ask, and demand the beginning of an answer."""
    sock.settimeout(PATIENCE)
    try:
        sock.sendall(REQUEST)
        came = sock.recv(1000)
    except TimeoutError:
        raise Broken(f"{problem}: still waiting after {PATIENCE:g} s", sent=REQUEST) from None
    except OSError as error:
        raise Broken(f"{problem}: {error.strerror}", sent=REQUEST) from None
    if not came.startswith(b"HTTP/1.1 200 "):
        raise Broken(problem, sent=REQUEST, got=came)


@case("tiny", "a silent client", "RFC 9112 §9.5", 8)
def silent(serve: Any) -> None:
    """A client that sends half a head and then nothing holds up nobody."""
    with serving(serve) as (server, _), socket.create_connection(server.address) as other:
        other.sendall(REQUEST[:20])
        with socket.create_connection(server.address) as sock:
            answered(sock, "a client beside a silent one got no answer")


@case("tiny", "nobody asks", "", 8)
def nobody_asks(serve: Any) -> None:
    """A server that nobody asks takes no processor time."""
    with serving(serve) as (server, clock), socket.create_connection(server.address) as sock:
        answered(sock, "the first request got no answer")
        used = clock.read()
        time.sleep(IDLE)  # nothing happens, so there is nothing to wait for
        share = (clock.read() - used) / IDLE
    if not math.isnan(share) and share > 0.1:
        raise Broken(f"with nobody asking, its thread took {share:.0%} of a core")


@case("tiny", "a slow reader", "RFC 9112 §9.5", 8)
def slow_reader(serve: Any) -> None:
    """A client that asks and asks, and reads nothing, holds up nobody and ends nothing."""
    with serving(serve) as (server, _), socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        other.connect(server.address)
        pour(other, SHORT * MANY)
        with socket.create_connection(server.address) as sock:
            for _ in range(ASKS):  # while the server works through all that was poured
                answered(sock, "a client beside one that does not read got no answer")
                time.sleep(PAUSE)


def pour(sock: socket.socket, data: bytes) -> None:
    """Send until all is sent, or until nobody takes anything any more."""
    sock.settimeout(READS_NOTHING)
    rest = memoryview(data)
    try:
        while rest:
            rest = rest[sock.send(rest[:65536]) :]
    except OSError:  # it reads no more, or it has closed: what that means, the next client tells
        return
