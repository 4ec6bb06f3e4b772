"""How a stream of HTTP/2 becomes a WebSocket (RFC 8441), and carries it.

One connection then has ordinary requests and any number of WebSockets beside each other.
"""

from __future__ import annotations

import time
from typing import Any

from .asgi_websocket import WebSocketExchange
from .events import Data, End, Fields, PeerError, Request, Response
from .gateway import Disconnected
from .protocol_http2_stream import StreamChannel
from .protocol_messages import Messages, begin
from .websocket import Connection
from .websocket_handshake import Handshake, read_handshake


class WebSocketStream(StreamChannel):
    """Carry the bytes of a WebSocket, as ``protocol_websocket.WebSocketWire`` does."""

    __slots__ = ("_owed", "held", "messages", "task")

    def __init__(self, wire: Any, request: Request, frames: Connection) -> None:
        super().__init__(wire, request)
        self.messages = Messages(self, frames, wire.timeouts)
        self.task: Any = None  # the application's
        self.held = False
        self._owed = 0  # bytes that the client may not send again yet

    # ------------------------------------------------------------ what comes

    def feed(self, event: Data | End) -> None:
        """Take bytes of the WebSocket, or its end."""
        if type(event) is Data:
            self._owed += len(event.data)
            if not self.gone:
                self.messages.receive(event.data)
            if not self.held:
                self.read_on()
        else:  # RFC 8441 §5: the end of a stream is that of a connection
            self.messages.lost()
            if not self.gone:
                self.part()

    def hold(self) -> None:
        """Let the client wait: its window stays as it is."""
        self.held = True

    def read_on(self) -> None:
        """Let the client send as much again as has come (RFC 9113 §5.2.2)."""
        self.held = False
        self.engine.acknowledge(self.id, self._owed)
        self._owed = 0
        self.wire.flush_soon()

    # ------------------------------------------------------------ what goes

    def write(self, data: bytes) -> None:
        """Send bytes, without waiting."""
        if not self.gone:
            self.engine.put(Data(data), self.id)
            self.wire.flush_now()

    def taken(self) -> None:
        """Let the application go on, and the client, if enough of what was sent is gone."""
        super().taken()
        if self.held and not self.messages.more and self.writable:
            self.read_on()

    async def drain(self) -> None:
        """Wait until the client has taken enough."""
        while not (self.writable or self.gone):
            await self.hear()
        if self.gone:
            raise Disconnected("the client has left")

    async def hear(self) -> None:
        """Wait until something comes of the client."""
        await self._bell.wait()

    # ------------------------------------------------------------ the end

    def part(self) -> None:
        """End our side of the stream, and give the client some time to end its own."""
        self.engine.put(End(), self.id)
        self.wire.flush_soon()
        self._over = self.gone = self.left = True
        self.deadline = time.monotonic() + self.wire.timeouts.linger
        self._bell.ring()

    def lose(self) -> None:
        """Note that the client is gone; its application counts until it has noticed."""
        self.messages.lost()
        super().lose()
        if self.task is not None:
            self.wire.past.append(self.task)
            self.task = None

    def leave(self) -> None:
        """Note that the client is gone, as far as we can tell."""
        self.messages.lost()
        super().leave()

    def ask_to_leave(self) -> None:
        """Close; the application hears of it as of a client that closes."""
        self.messages.ask_to_leave()

    def look(self, now: float) -> None:
        """Ask a silent client whether it is there; end what has taken too long."""
        if now > self.deadline and not self.gone:
            self.messages.overdue()
        super().look(now)


def begin_websocket(wire: Any, channel: Any, request: Request) -> None:
    """Run the application for an extended CONNECT (RFC 8441 §4)."""
    try:
        if b"websocket" not in request.upgrade:
            raise PeerError(501, "this protocol is not spoken here (RFC 8441 §4)")
        handshake = read_handshake(request)
    except PeerError as error:
        channel.refuse(error)
        return
    gateway = wire.shell.gateway
    channel.exchange = WebSocketExchange(gateway, request, handshake, channel)
    wire.shell.run(channel.exchange)


def accept(
    channel: StreamChannel, handshake: Handshake, subprotocol: str | None, fields: Fields
) -> Messages:
    """Answer an extended CONNECT with 200, and let its stream carry a WebSocket (RFC 8441 §5).

    Raise OurError when the application's subprotocol or fields cannot be sent.
    """
    wire, exchange = channel.wire, channel.exchange
    answer, frames = begin(wire.shell.service, handshake, subprotocol, fields)
    if all(name.lower() != b"date" for name, _ in fields):
        answer = [*answer, (b"date", wire.shell.gateway.date())]  # RFC 9110 §6.6.1: it is a 200
    channel.engine.put(Response(200, answer), channel.id)
    stream = wire.channels[channel.id] = WebSocketStream(wire, exchange.request, frames)
    stream.deadline = time.monotonic() + wire.timeouts.ping
    stream.task, exchange.status = exchange.task, 200
    wire.note(exchange, channel.began)
    wire.shell.loop.call_soon(channel.ring)  # who waits for the request waits for messages now
    for event in channel.unread():
        stream.feed(event)
    wire.flush_now()
    return stream.messages
