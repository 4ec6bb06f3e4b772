"""One client's socket: bytes leave and arrive here, and here the two sides part.

Nothing in this module knows what the bytes mean.  A socket is never waited for without a deadline.
"""

from __future__ import annotations

import socket
import struct
import time
from contextlib import suppress
from enum import Enum

from .gateway import Disconnected
from .service import Timeouts
from .tls_socket import TlsSocket
from .waiting import READ, WRITE, Patience, unsent, wait

RECEIVE_SIZE = 65536
LOOK = 1.0  # seconds between two looks at what a slow reader has taken


class Phase(Enum):
    """What a connection is waiting for."""

    READING = "a request, or the rest of one"
    RUNNING = "the application"
    WRITING = "the client to take the end of a response"
    LINGERING = "the client to read our last words and close"
    CLOSED = "nothing"


class Wire:
    """Write to, read from and part with one client, whose socket does not block.

    ``phase`` says what the wire waits for and ``deadline`` until when, in seconds of
    ``time.monotonic``.  ``busy`` and ``watched`` are the shell's: whether a thread is at work here,
    and for what the selector watches the socket.
    """

    def __init__(self, sock: socket.socket | TlsSocket, timeouts: Timeouts) -> None:
        self.socket = sock
        self.tls = sock if isinstance(sock, TlsSocket) else None
        self.timeouts = timeouts
        self.phase = Phase.READING
        self.deadline = time.monotonic() + timeouts.head
        self.busy = False
        self.watched = 0
        self.pending = memoryview(b"")
        self.patience = Patience(timeouts.write, timeouts.slowest)
        self._left_at = 0.0
        self._unsent = 0
        sock.setblocking(False)
        with suppress(OSError):  # some systems refuse it on a socket that is already reset
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    # ------------------------------------------------------------ arriving

    def take(self) -> bytes | None:
        """Return what the socket has, ``b""`` at the end, None when it has nothing now."""
        try:
            return self.socket.recv(RECEIVE_SIZE)
        except BlockingIOError:
            return None
        except OSError as error:
            raise Disconnected(str(error)) from error

    def wait_for_bytes(self, seconds: float) -> bytes | None:
        """Wait for bytes and return them; None when none came in time."""
        until = time.monotonic() + seconds
        while wait(self.socket, READ, until - time.monotonic()):
            if (data := self.take()) is not None:
                return data
        return None

    # ------------------------------------------------------------ leaving

    def transmit(self, data: bytes, *, complete: bool = False) -> None:
        """Hand bytes to the network; wait until it has taken them unless this is the end."""
        sent = self.push(data)
        if sent == len(data):
            return
        self._leave(memoryview(data)[sent:])
        while self.pending and not complete:
            ready = wait(self.socket, WRITE, min(self.patience.left, LOOK))
            self._go_on(self.push(self.pending) if ready else 0)
            if self.patience.left <= 0:
                raise Disconnected("the client does not read")

    def _leave(self, rest: memoryview) -> None:
        """Leave bytes to be sent when the client takes them."""
        self.pending = rest
        self._left_at = time.monotonic()
        self._unsent = unsent(self.socket) + (self.tls.held if self.tls else 0)
        self.deadline = self._left_at + self.patience.left

    def _go_on(self, sent: int) -> None:
        """Note that ``sent`` bytes of what was left are on their way, and what the client took."""
        before, waited = self._unsent, time.monotonic() - self._left_at
        self._leave(self.pending[sent:])
        self.patience.spend(waited, before + sent - self._unsent)
        self.deadline = self._left_at + self.patience.left

    def send_pending(self) -> None:
        """Go on with what was left to be sent, without waiting (phase WRITING)."""
        try:
            self._go_on(self.push(self.pending))
        except Disconnected:
            self.close()

    def still_reads(self) -> bool:
        """Tell, when the deadline is over, whether the client has taken enough to get another."""
        self._go_on(0)
        return self.patience.left > 0

    def push(self, data: bytes | memoryview) -> int:
        """Return how many bytes the network took without waiting."""
        try:
            return self.socket.send(data) if data else 0
        except BlockingIOError:
            return 0
        except OSError as error:
            raise Disconnected(str(error)) from error

    @property
    def wants_write(self) -> bool:
        """True when the next thing to wait for is that the network takes something."""
        return self.phase is Phase.WRITING or (self.tls is not None and self.tls.wants_write)

    # ------------------------------------------------------------ parting

    def linger(self) -> None:
        """Close our side, and read what the client still sends (RFC 9112 §9.6).

        Closing both sides at once makes the kernel answer those bytes with a reset, which can
        destroy the very response that says what was wrong.
        """
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.close()
            return
        self.phase = Phase.LINGERING
        self.deadline = time.monotonic() + self.timeouts.linger

    def discard(self) -> None:
        """Drop what a parting client still sends (phase LINGERING), until it closes."""
        try:
            if self.take() == b"":
                self.close()
        except Disconnected:
            self.close()

    def abort(self) -> None:
        """Cut the connection with a reset, so that nobody takes half a response for a whole one."""
        if self.phase is not Phase.CLOSED:
            reset = struct.pack("ii", 1, 0)  # SO_LINGER on, for no time at all
            with suppress(OSError):  # the shell may have closed the socket under our feet
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        self.phase = Phase.CLOSED  # without a goodbye

    def close(self) -> None:
        """Be done with the client.  The shell, which watches the socket, closes it."""
        if self.tls is not None and self.phase is not Phase.CLOSED:
            self.tls.say_goodbye()
        self.phase = Phase.CLOSED
