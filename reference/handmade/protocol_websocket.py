"""How an HTTP/1.1 connection becomes a WebSocket (RFC 6455 §4.2.2), and carries it."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

from .asgi import Exchange
from .asgi_websocket import WebSocketExchange
from .async_wire import AsyncWire
from .events import Fields, Informational, Request
from .protocol_messages import Messages, begin
from .websocket import Connection
from .websocket_handshake import Handshake, read_handshake

LARGE, USUAL = 262144, 65536  # bytes to read at a time


class WebSocketWire(AsyncWire):
    """The whole connection of a client that has changed from HTTP/1.1 to WebSocket."""

    __slots__ = ("_large", "messages")

    def __init__(self, shell: Any, frames: Connection) -> None:
        super().__init__(shell)
        self.messages = Messages(self, frames, self.timeouts)
        self._large = False

    def data_received(self, data: bytes) -> None:
        """Take bytes."""
        if not self.gone:
            self.messages.receive(data)
            if (self.messages.frames.missing > USUAL) is not self._large:
                self._read_large(not self._large)

    def _read_large(self, large: bool) -> None:
        """Read more at a time while much of a frame is missing: each read costs 20 µs.

        Otherwise we do not, for asyncio makes a new buffer each time, and a large one costs more
        than a short message.  Transports without a ``max_size`` have one buffer for all.
        """
        self._large = large
        keep_memory()
        transport: Any = self.transport
        if hasattr(transport, "max_size"):
            transport.max_size = LARGE if large else USUAL

    def eof_received(self) -> bool:
        """End: who sends no more cannot close as RFC 6455 §7.1.1 asks."""
        self._ended = True
        self.messages.lost()
        self.gone = self.left = True
        self.ring()
        self.transport.close()
        return True

    def connection_lost(self, error: Exception | None) -> None:
        """End."""
        self.messages.lost()
        super().connection_lost(error)

    def resume_writing(self) -> None:
        """Let the application go on, and the client."""
        super().resume_writing()
        if not self.messages.more:
            self.read_on()

    def write(self, data: bytes) -> None:
        """Send bytes, without waiting."""
        self.transport.write(data)
        if self.transport.is_closing():
            self.gone = self.left = True

    def ask_to_leave(self, last_word: float) -> None:
        """Close; the application hears of it as of a client that closes."""
        self.messages.ask_to_leave()

    def overdue(self) -> None:
        """End what has taken too long."""
        if self.gone:
            self.transport.abort()
        else:
            self.messages.overdue()


@cache  # once is enough
def keep_memory() -> None:
    """Let the process keep up to 16 MiB that large messages have left, for the next ones.

    Else glibc gives them back, and the kernel clears each page anew when it is touched: with a
    message of 1 MiB some hundred times, at 2 µs.  It keeps twice the largest block that was ever
    freed to the system, so we free one, of which no page was touched (mallopt(3), M_MMAP_THRESHOLD,
    "dynamic").  Nothing changes where another library allocates.
    """
    bytes(8 << 20)


def exchange_for(request: Request, http: Any) -> Exchange | WebSocketExchange:
    """Return the exchange of a request that would change the protocol.

    Raise PeerError for a wrong handshake.  Other protocols are not spoken here, and who asks for
    one gets an answer in this one (RFC 9110 §7.8).
    """
    if b"websocket" not in request.upgrade:
        return http.shell.gateway.exchange(request, http)  # type: ignore[no-any-return]
    return WebSocketExchange(http.shell.gateway, request, read_handshake(request), http)


def change_to_websocket(
    http: Any, handshake: Handshake, subprotocol: str | None, fields: Fields
) -> Messages:
    """Answer an HTTP/1.1 request with 101 and change the protocol of its connection.

    Raise OurError when the application's subprotocol or fields cannot be sent.
    """
    answer, frames = begin(http.shell.service, handshake, subprotocol, fields)
    http.transport.write(http.engine.send(Informational(101, answer)))
    wire = WebSocketWire(http.shell, frames)
    http.deadline = time.monotonic() + http.timeouts.ping
    http.shell.loop.call_soon(http.ring)  # who waits for the request waits for messages now
    exchange, http.exchange = http.exchange, None
    exchange.status = 101
    http.note(exchange, http.began)
    wire.adopt(http, http.engine.hand_over())
    return wire.messages
