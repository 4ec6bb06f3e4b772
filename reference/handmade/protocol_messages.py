"""One client's WebSocket in the shells that never wait: frames come in, messages go out.

``Messages`` is the channel of ``asgi_websocket.WebSocketExchange``.  What carries its bytes is a
whole connection (``protocol_websocket``) or one stream of HTTP/2: it does not know which.
"""

from __future__ import annotations

import time
from collections import deque
from typing import Any

from .async_wire import BUFFERED
from .events import NEED_DATA, Fields
from .gateway import Disconnected
from .service import Service, Timeouts
from .websocket import Connection
from .websocket_deflate import negotiate
from .websocket_events import Binary, Close, Ping, Pong, Text, WebSocketError
from .websocket_handshake import Handshake, accept_fields

MESSAGE = 64  # bytes that a message costs us beside its content, which may be empty
LOST = Close(1006, "")  # RFC 6455 §7.1.5: what is said where nobody has said anything


def begin(
    service: Service, handshake: Handshake, subprotocol: str | None, fields: Fields
) -> tuple[Fields, Connection]:
    """Return the fields of the answer that accepts, and the engine for what follows it.

    Raise OurError when the application's subprotocol or fields cannot be sent.
    """
    agreed = negotiate(handshake.offers, service.deflate) if service.deflate else None
    answer = accept_fields(handshake, subprotocol, fields, agreed)
    return answer, Connection(service.websocket, agreed)


class Messages:
    """An open WebSocket (an ``asgi_websocket_states.MessageChannel``) over something with bytes.

    ``under`` has the methods of an ``AsyncWire``, and ``write``.  ``closed`` is how it was closed,
    once it was; ``closing`` tells that we have said so.  ``heard`` is when something came last, and
    ``asked`` when we last asked whether anybody is there.
    """

    __slots__ = (
        *("under", "frames", "closed", "closing", "heard", "asked"),
        *("_incoming", "_held", "more", "_timeouts"),
    )

    def __init__(self, under: Any, frames: Connection, timeouts: Timeouts) -> None:
        self.under = under
        self.frames = frames
        self.closed: Close | None = None
        self.closing = False
        self.heard = time.monotonic()
        self.asked = 0.0
        self._incoming: deque[Text | Binary] = deque()
        self._held = 0
        self.more = False
        self._timeouts = timeouts

    # ------------------------------------------------------------ what comes

    def receive(self, data: bytes) -> None:
        """Take bytes of the client, answer what is ours to answer, keep what is a message."""
        self.heard = time.monotonic()
        if self.closed is not None:
            return
        self.frames.receive(data)
        self.more = self._read()
        if self.more or not self.under.writable:  # who sends pings must also read the pongs
            self.under.hold()
        self.under.ring()

    def _read(self) -> bool:
        """Read messages; return True when there are enough for now, and may be more."""
        next_event = self.frames.next_event
        try:
            while self._held <= BUFFERED:
                event: Any = next_event()
                kind = type(event)
                if kind is Text or kind is Binary:
                    if not self.closing:  # RFC 6455 §5.5.1: who closes need not listen
                        self._held += len(event.data) + MESSAGE
                        self._incoming.append(event)
                elif kind is Ping:
                    self.under.write(self.frames.pong(event.data))
                elif kind is not Pong:
                    if event is not NEED_DATA:
                        self._end(event if kind is Close else LOST)
                    return False
        except WebSocketError as error:
            self._end(Close(error.code, error.reason), failed=True)
            return False
        return True

    def _end(self, closed: Close, failed: bool = False) -> None:
        """Note how it was closed, answer the client's close by ours, and part (RFC 6455 §7.1.2)."""
        self.closed = closed
        if not self.closing and closed is not LOST:
            self.closing = True
            code = None if closed.code == 1005 else closed.code  # it gave none: nor do we
            self.under.write(self.frames.close(code, closed.reason if failed else ""))
        self.under.part()

    def lost(self) -> None:
        """Note that the client is gone."""
        self.closed = self.closed or LOST

    # ------------------------------------------------------------ asgi_websocket.MessageChannel

    @property
    def gone(self) -> bool:
        """True when nothing can be sent any more."""
        return self.closing or self.under.gone

    @property
    def left(self) -> bool:
        """True when the client has left, or has closed."""
        return self.closed is not None or self.under.left

    @property
    def writable(self) -> bool:
        """False while the network takes no more."""
        return bool(self.under.writable)

    def take(self) -> Text | Binary | Close | None:
        """Return the next message, or how the WebSocket was closed, or None."""
        if not self._incoming:
            return self.closed
        event = self._incoming.popleft()
        self._held -= len(event.data) + MESSAGE
        if self.more and self._held <= BUFFERED:
            self.more = self._read()
            if not (self.more or self.closed) and self.under.writable:
                self.under.read_on()
        return event

    async def wait(self) -> None:
        """Wait until there is something to take."""
        if not self._incoming and self.closed is None:
            await self.under.hear()

    def text(self, data: str) -> None:
        """Write a text message, without waiting."""
        if self.gone:
            raise Disconnected("the client has left")
        self.under.write(self.frames.text(data))

    def binary(self, data: bytes) -> None:
        """Write a binary message, without waiting."""
        if self.gone:
            raise Disconnected("the client has left")
        self.under.write(self.frames.binary(data))

    def close(self, code: int, reason: str = "") -> None:
        """Begin the closing handshake; a client that does not answer is cut off after a while."""
        if self.gone:
            raise Disconnected("the client has left")
        self.under.write(self.frames.close(code, reason))
        self.closing = True
        self._incoming.clear()
        self._held = 0
        self.under.deadline = time.monotonic() + self._timeouts.linger
        self.under.read_on()
        if self.more:  # its close may be here already, behind what nobody has taken
            self.more = self._read()

    async def drain(self) -> None:
        """Wait until the network takes more."""
        await self.under.drain()

    async def pause(self) -> None:
        """Let everybody else have a turn."""
        await self.under.pause()

    # ------------------------------------------------------------ time

    def ask_to_leave(self) -> None:
        """Say that the server goes away (RFC 6455 §7.4.1)."""
        if not self.gone:
            self.close(1001, "the server stops")

    def overdue(self) -> None:
        """Ask a client that was silent for long whether it is there; cut off one that is not.

        Who is not read from cannot be heard: it is not judged.
        """
        now = time.monotonic()
        if self.under.held:
            self.heard = now
        if self.gone:  # it does not answer our close
            self.closed = LOST
            self.under.part()
        elif self.heard < self.asked:
            self.under.abort()
        elif now < self.heard + self._timeouts.ping:
            self.under.deadline = self.heard + self._timeouts.ping
        else:
            self.under.write(self.frames.ping())
            self.asked = now
            self.under.deadline = now + self._timeouts.pong
