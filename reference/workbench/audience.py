"""Readers of a live feed, one of them slow: how late the others are, and what is held for that one.

    seen = audience(app, feed.held)
    seen.late, seen.held, seen.slow

In comes an ASGI application that speaks WebSocket.  Who connects to ``/live`` reads; ``/post`` is
told to begin, and then each message begins with the time at which it was due, as 8 bytes, a
``time.monotonic``.  The readers read raw frames, all in this thread, by one selector.  Buffers of
the kernels are made small, so that little has to be sent until they are full.
"""

from __future__ import annotations

import selectors
import socket
import struct
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from handmade.aio import Asyncio
from handmade.service import Timeouts
from workbench.running import running

ROOM = 32768  # bytes of a socket's buffer; Linux takes twice that
PIECE = 8000  # bytes of TCP's pieces, the segments
GRACE = 1.0  # seconds that a busy machine gets to hand over what has been sent
PROMPT = Timeouts(linger=0.2, drain=0.0, graceful=0.1)
HANDSHAKE = (
    b"GET %s HTTP/1.1\r\nHost: board.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
BEGIN = bytes.fromhex("82 80 00 00 00 00")  # an empty binary message, masked by nothing


class NoWebSocket(ConnectionError):
    """The server did not accept; the message has its answer."""


@dataclass
class Seen:
    """What was seen. Times are in seconds since the first message was due.

    ``late``: when one of the fast ``readers`` had a message, and how many milliseconds late.
    ``held``: MiB that the application and its server held.  ``slow``: how many messages the slow
    one has had in the end; ``code``: the code of the close that it has got, None without one.
    """

    readers: int
    nap: float
    late: list[tuple[float, float]] = field(default_factory=list)
    held: list[tuple[float, float]] = field(default_factory=list)
    slow: int = 0
    code: int | None = None

    @property
    def meanwhile(self) -> float:
        """How many messages each of the others has had while the slow one slept, on average.

        That says the same as how late they were, and a busy machine changes less of it.
        """
        return sum(at < self.nap for at, _ in self.late) / self.readers

    @property
    def kept(self) -> float:
        """What was held while the slow one slept, in MiB: the median of the second half of it."""
        during = [mib for at, mib in self.held if self.nap / 2 < at < self.nap]
        return median(during or [mib for _, mib in self.held])


class _Narrow(Asyncio):
    """asyncio's shell with little room in the kernel for what is sent to a client."""

    wires: list[Any]

    def opened(self, connection: Any) -> None:
        super().opened(connection)
        sock = connection.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, ROOM)
        self.wires.append(connection)


def narrow(wires: list[Any]) -> Callable[..., Asyncio]:
    """Return a maker of such a shell; it puts each connection into ``wires``."""

    def shell(service: Any, threads: int, **how: Any) -> Asyncio:
        made = _Narrow(service, **how)
        made.wires = wires
        return made

    return shell


class _Reader:
    """One reader, which counts whole messages and looks at when they were due."""

    def __init__(
        self, sock: socket.socket, address: tuple[str, int], path: bytes, room: int
    ) -> None:
        self.sock = sock
        if room:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        if hasattr(socket, "TCP_MAXSEG"):
            # Of pieces as large as this network's, two do not fit into so small a buffer, and a
            # kernel that waits for a second one acknowledges the first 40 ms late.
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, PIECE)
        self.sock.settimeout(2.0)
        self.sock.connect(address)
        self.sock.sendall(HANDSHAKE % path)
        self.buf = bytearray()
        while b"\r\n\r\n" not in self.buf:
            data = self.sock.recv(1000)
            self.buf += data
            if not data or not b"HTTP/1.1 101".startswith(self.buf[:12]):
                raise NoWebSocket(f"the server answered {bytes(self.buf[:60])!r}")
        del self.buf[: self.buf.index(b"\r\n\r\n") + 4]
        self.sock.setblocking(False)
        self.closed: int | None = None
        self.ended = False

    def read(self) -> list[float]:
        """Read what is here; return when the messages in it were due."""
        try:
            data = self.sock.recv(1 << 20)
        except BlockingIOError:
            return []
        except ConnectionError:
            data = b""
        self.ended = self.ended or not data
        self.buf += data
        due = []
        while (message := self._message()) is not None:
            if message[0] & 0x0F == 8:
                self.closed = struct.unpack("!H", message[1][:2])[0]
            else:
                due.append(struct.unpack("d", message[1][:8])[0])
        return due

    def _message(self) -> tuple[int, bytes] | None:
        """Take one frame of the server's, bare and whole (RFC 6455 §5.2)."""
        if len(self.buf) < 2:
            return None
        size, at = self.buf[1], 2
        if size > 125:
            at += 2 if size == 126 else 8
            size = int.from_bytes(self.buf[2:at], "big")
        if len(self.buf) < at + size:
            return None
        found = self.buf[0], bytes(self.buf[at : at + min(size, 8)])
        del self.buf[: at + size]
        return found


def audience(
    app: Any,
    held: Callable[[], int] = int,
    *,
    readers: int = 6,
    nap: float = 0.3,
    seconds: float = 0.5,
) -> Seen:
    """Let ``readers`` read as fast as they can, and one more that sleeps for the first ``nap``.

    ``held`` tells how many bytes the application holds; what asyncio's transports hold is added.
    """
    wires: list[Any] = []
    seen = Seen(readers, nap)
    with (
        running(app, shell=narrow(wires), timeouts=PROMPT, lifespan="off") as server,
        ExitStack() as stack,
    ):

        def reader(path: bytes, room: int = 0) -> _Reader:
            return _Reader(stack.enter_context(socket.socket()), server.address, path, room)

        fast = [reader(b"/live") for _ in range(readers)]
        slow = reader(b"/live", ROOM)
        reader(b"/post").sock.send(BEGIN)
        _look(seen, fast, slow, seconds, lambda: _mib(held, wires))
    seen.code = slow.closed
    return seen


def _mib(held: Callable[[], int], wires: list[Any]) -> float:
    buffered: int = sum(wire.transport.get_write_buffer_size() for wire in wires)
    return (buffered + held()) / (1 << 20)


def _look(
    seen: Seen,
    fast: list[_Reader],
    slow: _Reader,
    seconds: float,
    mib: Callable[[], float],
) -> None:
    """Read, and note what is seen, until the time is over and nothing more is here."""
    began = time.monotonic()
    with selectors.DefaultSelector() as selector:
        for reader in fast:
            selector.register(reader.sock, selectors.EVENT_READ, reader)
        awake = False
        while True:
            now = time.monotonic() - began
            if not awake and now > seen.nap:
                awake = True
                selector.register(slow.sock, selectors.EVENT_READ, slow)
            if not seen.held or now - seen.held[-1][0] > 0.01:
                seen.held.append((now, mib()))
            ready = selector.select(0.01)
            if now > seconds and not (ready and now < seconds + GRACE):
                return
            for key, _ in ready:
                due = key.data.read()
                now = time.monotonic()
                if key.data is slow:
                    seen.slow += len(due)
                else:
                    seen.late += [(now - began, (now - at) * 1000) for at in due]
                if key.data.ended:
                    selector.unregister(key.fileobj)
