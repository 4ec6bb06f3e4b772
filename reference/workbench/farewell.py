"""How a server parts with its clients when it is told to stop: who heard what, and when.

    told = farewell(server, {"busy": sock, "idle": other}, signals=1)
    told.picture(); told.ends["busy"].said

The server is a command in a process of its own, started by ``running(command=...)``: signals go to
processes. Times are in seconds since the first signal.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from workbench.curves import Span, spans
from workbench.picture import Picture
from workbench.running import Server

PATIENCE = 6.0  # seconds for all of it


@dataclass
class End:
    """What one client heard. ``heard`` is the time of the first byte, None where none came."""

    said: bytes = b""
    heard: float | None = None
    closed: float | None = None
    was_reset: bool = False


@dataclass
class Farewell:
    """The end of a server. ``signals`` and ``shut`` are when it was told, and when its door was.

    ``cut`` names who had no answer when the second signal came.
    """

    ends: dict[str, End]
    signals: list[float] = field(default_factory=list)
    cut: set[str] = field(default_factory=set)
    shut: float | None = None
    ended: float | None = None

    def picture(self, title: str = "A server is told to stop", before: float = 0.1) -> Picture:
        """Draw who waited for what, from ``before`` seconds ahead of the signal on."""
        rows = [row for name, end in self.ends.items() for row in self._rows(name, end, before)]
        shut = (self.shut or 0.0) + before
        last = (self.ended or PATIENCE) + before
        rows.append(Span("newcomer", 0.0, shut, "", "-"))
        rows.append(Span("newcomer", shut, last, "refused", "."))
        rows.append(Span("process", 0.0, last, "runs"))
        marks = [(at + before, f"SIGTERM {n}") for n, at in enumerate(self.signals, 1)]
        return spans(rows, marks, title)

    def _rows(self, name: str, end: End, before: float) -> list[Span]:
        last = (end.closed if end.closed is not None else PATIENCE) + before
        if end.said:
            return [Span(name, 0.0, last, "waits, has its answer", "-")]
        if name in self.cut:
            return [Span(name, 0.0, last, "waits, is cut off", "-")]
        return [Span(name, 0.0, last, "idle, then closed", ".")]


def farewell(
    server: Server, clients: Mapping[str, socket.socket], second: str | None = None
) -> Farewell:
    """Send SIGTERM, and watch until every client has been closed and the process has ended.

    ``second`` names a client: when that one has been closed, a second SIGTERM is sent.
    """
    told = Farewell({name: End() for name in clients})
    names = {sock: name for name, sock in clients.items()}
    began = time.monotonic()
    _tell(server, told, began)
    while time.monotonic() - began < PATIENCE:
        open_ = [sock for sock, name in names.items() if told.ends[name].closed is None]
        for sock in select.select(open_, [], [], 0.01)[0]:
            _hear(sock, told.ends[names[sock]], began)
        if told.shut is None and not _is_open(server.address):
            told.shut = time.monotonic() - began
        if second and told.ends[second].closed is not None and len(told.signals) == 1:
            told.cut = {name for name, end in told.ends.items() if end.closed is None}
            _tell(server, told, began)
        if _has_ended(server.pid):
            told.ended = time.monotonic() - began
            if not open_:
                break
    return told


def _tell(server: Server, told: Farewell, began: float) -> None:
    told.signals.append(time.monotonic() - began)
    os.kill(server.pid, signal.SIGTERM)


def _hear(sock: socket.socket, end: End, began: float) -> None:
    try:
        data = sock.recv(65536)
    except ConnectionResetError:
        data, end.was_reset = b"", True
    now = time.monotonic() - began
    if not data:
        end.closed = now
        sock.close()  # our side too: the server waits a while for that, to part in peace
        return
    end.heard = now if end.heard is None else end.heard
    end.said += data


def _is_open(address: Any) -> bool:
    try:
        socket.create_connection(address, 0.2).close()
    except OSError:
        return False
    return True


def _has_ended(pid: int) -> bool:
    """Tell whether a child of ours has ended; who started it will ask for its status."""
    import psutil  # type: ignore[import-untyped]  # published without types

    try:
        ended: bool = psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
    return ended
