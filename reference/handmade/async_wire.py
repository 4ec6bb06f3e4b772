"""One client's transport: bytes leave here, and here the two sides part.

What ``wire`` is for the blocking shells, this is for those that never wait: the callbacks bear
asyncio's names, and a transport is what asyncio calls one.  Nothing here imports asyncio, so a loop
made by hand drives this too.  Nothing here knows what the bytes mean.
"""

from __future__ import annotations

import socket
import struct
import time
from contextlib import suppress
from typing import Any, Protocol

from .gateway import Bell, Disconnected
from .service import Access, Timeouts
from .waiting import Patience, unsent

RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, for no time at all
NEVER = float("inf")
BUFFERED = 65536  # bytes of a client that we hold while its application does not read them


class Transport(Protocol):
    """What we ask of a transport: a part of asyncio.Transport."""

    def get_extra_info(self, name: str) -> Any:
        """Return the client's address for "peername", and what has setsockopt for "socket".

        Over TLS "ssl_object" and "tls" (an ``asgi_tls.TlsScope``) are known too, else None.
        """

    def write(self, data: bytes) -> None:
        """Send bytes now or later, without waiting."""

    def get_write_buffer_size(self) -> int:
        """Return how many bytes the network has not taken yet."""

    def pause_reading(self) -> None:
        """Call ``data_received`` no more."""

    def resume_reading(self) -> None:
        """Call it again."""

    def write_eof(self) -> None:
        """Close our side behind what is written."""

    def close(self) -> None:
        """Close behind what is written."""

    def abort(self) -> None:
        """Close at once."""

    def is_closing(self) -> bool:
        """Return True when it is closed, or will be: also when a write has failed."""

    def set_protocol(self, protocol: Any) -> None:
        """Call the methods of another protocol from now on."""


class AsyncWire:
    """Write to, wait for and part with one client.

    ``shell`` is an ``async_shell.AsyncShell``.  ``deadline`` is in seconds of ``time.monotonic``;
    the shell looks at it once a second.  ``gone``, ``left`` and ``writable`` are those of
    ``gateway.AsyncChannel``.
    """

    __slots__ = (
        *("shell", "timeouts", "transport", "client", "gone", "left", "writable", "deadline"),
        *("exchange", "tls"),
        *("_bell", "_paused", "_ended", "_pending", "_looked_at", "_write_patience"),
    )

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.timeouts: Timeouts = shell.service.timeouts
        self.client: tuple[str, int] | None = None
        self.exchange: Any = None  # the request that runs
        self.gone = self.left = False
        self.writable = True
        self._bell = Bell(shell.loop.create_future)
        self._paused = self._ended = False
        self._pending = 0
        self._looked_at = 0.0
        self._write_patience: Patience | None = None

    # ------------------------------------------------------------ callbacks of the transport

    def connection_made(self, transport: Any) -> None:
        """Begin."""
        self.transport: Transport = transport
        peer = transport.get_extra_info("peername")
        self.client = tuple(peer[:2]) if peer else None
        self.tls = transport.get_extra_info("tls")
        self.deadline = time.monotonic() + self.timeouts.head
        self.shell.opened(self)

    def adopt(self, other: AsyncWire, data: bytes) -> None:
        """Take another's client over, which speaks our protocol from here on: first ``data``."""
        self.transport, self.client, self.tls = other.transport, other.client, other.tls
        self.writable, self.deadline, self._paused = other.writable, other.deadline, other._paused
        self.shell.replaced(other, self)
        self.transport.set_protocol(self)
        self.read_on()
        if data:
            self.data_received(data)
        if other._ended:
            self.eof_received()

    def data_received(self, data: bytes) -> None:
        """Take bytes."""
        raise NotImplementedError

    def eof_received(self) -> bool:
        """Note that the client will send no more; return True to keep our side open."""
        raise NotImplementedError

    def connection_lost(self, error: Exception | None) -> None:
        """End: whoever waits here learns that the client has left."""
        self.gone = self.left = True
        self._bell.ring()
        self.shell.closed(self)

    def pause_writing(self) -> None:
        """Let applications wait: the client reads more slowly than they send."""
        self.writable = False

    def resume_writing(self) -> None:
        """Let them go on."""
        self.writable = True
        self._bell.ring()

    # ------------------------------------------------------------ waiting

    async def drain(self) -> None:
        """Wait until the client has read enough."""
        while not self.writable:
            if self.gone:
                raise Disconnected("the client has left")
            await self._bell.wait()

    def ring(self) -> None:
        """Wake who waits for the client."""
        self._bell.ring()

    async def hear(self) -> None:
        """Wait until something comes of the client."""
        await self._bell.wait()

    async def pause(self) -> None:
        """Let everybody else have a turn."""
        self.shell.loop.call_soon(self._bell.ring)
        await self._bell.wait()

    def doubt(self) -> None:
        """Believe, after a while, that the client of this request has left."""
        self.shell.loop.call_later(self.timeouts.half_closed, self._give_up, self.exchange)

    def _give_up(self, exchange: Any) -> None:
        """Believe that the client has left, if its request still runs."""
        if self.exchange is exchange:
            self.left = True
            self._bell.ring()

    def hold(self) -> None:
        """Let the client wait: we have more of it than we can use."""
        if not self._paused:
            self._paused = True
            self.transport.pause_reading()

    @property
    def held(self) -> bool:
        """True while we let the client wait."""
        return self._paused

    def read_on(self) -> None:
        """Take bytes again, if we had stopped."""
        if self._paused:
            self._paused = False
            self.transport.resume_reading()

    # ------------------------------------------------------------ parting

    def part(self) -> None:
        """Close our side, and read what the client still sends (RFC 9112 §9.6).

        Closing both sides at once makes the kernel answer those bytes with a reset, which can
        destroy the very response that says what was wrong.
        """
        self.gone = self.left = True
        self._bell.ring()
        if self._ended:
            self.transport.close()
            return
        self.deadline = time.monotonic() + self.timeouts.linger
        self.read_on()
        with suppress(OSError):  # it has left meanwhile: asyncio is told so in the next turn
            self.transport.write_eof()

    def abort(self) -> None:
        """Cut the connection with a reset, so that nobody takes half a response for a whole one."""
        self.gone = self.left = True
        self._bell.ring()
        with suppress(OSError, ValueError):  # it may be closed already
            sock = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.transport.abort()

    def look(self, now: float) -> None:
        """Part with a client that has kept us waiting for too long; the shell calls this."""
        pending = self.transport.get_write_buffer_size()
        if pending:
            if sock := self.transport.get_extra_info("socket"):
                pending += unsent(sock)
            self._look_at_reader(pending, now)
        elif now > self.deadline:
            self.overdue()
        self._pending, self._looked_at = pending, now

    def _look_at_reader(self, pending: int, now: float) -> None:
        """Cut off a client that does not take its response."""
        if not self._pending or self._write_patience is None:
            self._write_patience = Patience(self.timeouts.write, self.timeouts.slowest)
            return
        self._write_patience.spend(now - self._looked_at, max(0, self._pending - pending))
        if self._write_patience.left <= 0:
            self.abort()

    def note(self, exchange: Any, began: float) -> None:
        """Give the access log its line: the response is complete, or was broken off."""
        if (access := self.shell.service.access) is not None:
            facts = exchange.request, exchange.status, exchange.sent
            access(Access(self.client or ("", 0), *facts, time.monotonic() - began))

    @property
    def is_idle(self) -> bool:
        """True when nothing of a request is here, and nothing of an answer left."""
        return False

    def ask_to_leave(self, last_word: float) -> None:
        """Let an idle client say one more thing until ``last_word``, for the server stops."""
        if self.is_idle:
            self.deadline = min(self.deadline, last_word)

    def overdue(self) -> None:
        """End what has taken too long."""
        self.transport.abort()
