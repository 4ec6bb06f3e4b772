"""A client for points that hand a connected socket to the learner's function.

    with client(b"GET / HT", b"TP/1.1\\r\\n\\r\\n") as (sock, caller):
        serve(sock)
        same(caller.heard(), b"hello", "the answer is wrong", caller)

Both ends are real TCP sockets on this machine. A piece is sent when the one before has been read,
or, for a client that asks ``in_turn``, when something has come for it.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from workbench.contracts import Broken
from workbench.exercises.model import Slip, handing
from workbench.hosts import Listener

PATIENCE = 1.5  # seconds that a server has to finish its answer, once it is asked for
QUIET = 0.25  # seconds that a piece gets to be read before the next one is sent
MOST_SHOWN = 400  # bytes: what is longer is not shown


class Caller:
    """A client that has been told what to say. ``sent`` is all of it, ``came`` what it has heard.

    It waits as long as the server does: nobody is helped on by a client that gives up.
    """

    def __init__(self, listener: Listener, pieces: tuple[bytes, ...]) -> None:
        self.sent = b"".join(pieces)
        self.came = b""
        self._pieces = pieces
        self._listener = listener
        self._done = threading.Event()
        self._was_reset = False

    def heard(self, patience: float = PATIENCE) -> bytes:
        """Wait until the server closes and return all that it said.

        Raise Broken when it does not close, and when it breaks the connection off.
        """
        if not self._done.wait(patience):
            raise self._broken(
                f"the client is still waiting for the end of the connection after {patience:g} s"
            )
        if self._was_reset:
            raise self._broken(
                "the connection was reset: the server closed while bytes of the client waited "
                "unread, and a reset can destroy an answer that is on its way"
            )
        return self.came

    def _broken(self, problem: str) -> Broken:
        return Broken(problem, sent=shown(self.sent), got=self.came)

    def _run(self, half_close: bool, leaves: bool, in_turn: bool) -> None:
        try:
            with socket.create_connection(self._listener.getsockname()) as sock:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for number, piece in enumerate(self._pieces):
                    if number and in_turn:
                        self.came += sock.recv(65536)
                    elif number:
                        self._let_it_be_read(sock)
                    sock.sendall(piece)
                if half_close:
                    sock.shutdown(socket.SHUT_WR)
                while not leaves and (data := sock.recv(65536)):
                    self.came += data
        except OSError:
            self._was_reset = True
        finally:
            self._done.set()

    def _let_it_be_read(self, sock: socket.socket) -> None:
        end = time.monotonic() + QUIET
        while time.monotonic() < end and not self._listener.was_read(sock.getsockname()[:2]):
            select.select([], [], [sock], 0.001)


@contextmanager
def client(
    *pieces: bytes, half_close: bool = False, leaves: bool = False, in_turn: bool = False
) -> Iterator[tuple[socket.socket, Caller]]:
    """Let a client connect and say ``pieces``; give the server's socket and the client.

    After the last piece the client waits for the server to close. With ``half_close`` it says first
    that nothing more will come; with ``leaves`` it closes at once and hears nothing. With
    ``in_turn`` it waits for an answer before it says its next piece.
    """
    listener = Listener(0)
    caller = Caller(listener, pieces)
    thread = threading.Thread(target=caller._run, args=(half_close, leaves, in_turn), daemon=True)
    sock = None
    try:
        thread.start()
        sock, _ = listener.accept()
        with handing(shown(caller.sent)):
            yield sock, caller
    finally:
        listener.cut()
        listener.let_go()
        thread.join(1.0)
        del sock


def same(got: object, wanted: object, problem: str, caller: Caller | None = None) -> None:
    """Raise Broken with both values where they differ, and with what the client had sent."""
    sent = shown(caller.sent) if caller is not None else None
    if isinstance(wanted, bytes) and isinstance(got, str):
        raise Slip(f"{problem}: bytes are wanted, this is a str", sent=sent, got=got, wanted=wanted)
    if got != wanted or type(got) is not type(wanted):
        raise Broken(problem, sent=sent, got=_or_none(got), wanted=_or_none(wanted))


class _None:
    """None as a value that came or was wanted: a Broken takes None for "says nothing"."""

    def __repr__(self) -> str:
        return "None"


def _or_none(value: object) -> object:
    return _None() if value is None else value


def shown(data: bytes) -> bytes | None:
    """Return bytes that are few enough to be shown, None for many."""
    return data if len(data) <= MOST_SHOWN else None


def gave(value: Any, kinds: tuple[type, ...], what: str) -> Any:
    """Return ``value`` when it is a tuple of these types; raise Slip with ``what`` otherwise.

    >>> gave((b"head", b""), (bytes, bytes), "read_head returns (head, rest)")
    (b'head', b'')
    """
    if not isinstance(value, tuple) or [*map(type, value)] != list(kinds):
        raise Slip(f"{what}; yours returned {_described(value)}")
    return value


def _described(value: object) -> str:
    if isinstance(value, tuple):
        return f"a tuple of ({', '.join(type(item).__name__ for item in value)})"
    text = repr(value)
    text = text if len(text) <= 80 else f"{text[:77]}..."
    return "None" if value is None else f"{type(value).__name__}: {text}"
