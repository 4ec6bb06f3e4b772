"""One request of an HTTP/2 connection, as its application sees it.

What ``protocol.HttpProtocol`` is for a connection of HTTP/1.1, ``StreamChannel`` is for one stream:
it can be waited for, given up and cut without a word to the others.
"""

from __future__ import annotations

import time
from collections import deque
from typing import Any

from .async_wire import BUFFERED, NEVER
from .events import Data, End, Fields, Informational, Outgoing, PeerError, Request
from .gateway import Bell, Disconnected, error_response
from .http1_states import OWED
from .http2_events import Code
from .waiting import Patience

HELD = 65536  # bytes of a response that we hold while the client does not take them


class StreamChannel:
    """Serve one stream (a ``gateway.AsyncChannel``).

    ``wire`` is the ``protocol_http2.Http2Protocol``.  ``gone``: nothing can be sent here any more.
    """

    __slots__ = (
        *("wire", "engine", "id", "client", "tls", "gone", "left", "exchange", "deadline", "began"),
        *("_bell", "_incoming", "_body_open", "_invite", "_patience", "_received"),
        *("_write_patience", "_over", "_sent", "_looked_at"),
    )

    def __init__(self, wire: Any, request: Request) -> None:
        self.wire = wire
        self.engine = wire.engine
        self.id = request.stream_id
        self.client: tuple[str, int] | None = wire.client
        self.tls = wire.tls
        self.gone = self.left = False
        self.exchange: Any = None
        self.deadline = NEVER
        self.began = time.monotonic()
        self._bell = Bell(wire.shell.loop.create_future)
        self._incoming: deque[Data | End] = deque()
        self._body_open = True
        self._invite = request.expects_continue
        self._patience: Patience | None = None
        self._received = 0
        self._write_patience: Patience | None = None
        self._over = False
        self._sent = 0
        self._looked_at = 0.0

    # ------------------------------------------------------------ what comes

    def feed(self, event: Data | End) -> None:
        """Take a piece of the body, or its end."""
        if self._over or self.gone:  # nobody will read it; the window is given back at the end
            return
        if type(event) is Data:
            self._received += len(event.data)
        self._incoming.append(event)
        self._bell.ring()

    def read(self) -> Data | End | None:
        """Return what has come of the body, or None; and invite the rest (RFC 9110 §10.1.1).

        What is read here the client may send again, on this stream and on the connection: the
        windows follow the application (RFC 9113 §5.2.2).
        """
        incoming = self._incoming
        if not incoming:
            if self._invite and self._body_open and not self.gone:
                self._invite = False
                self.engine.put(Informational(100), self.id)
                self.wire.flush_soon()
            return None
        self._invite = False
        event = incoming.popleft()
        if type(event) is not Data:
            self._body_open = False
            return event
        if incoming and type(incoming[0]) is Data:
            event = self._join(event)
        self.engine.acknowledge(self.id, len(event.data))
        self.wire.flush_soon()
        return event

    def _join(self, first: Data) -> Data:
        """Return several pieces as one: a message for each frame would cost more than its bytes."""
        incoming, parts, size = self._incoming, [first.data], len(first.data)
        while incoming and size < BUFFERED and type(incoming[0]) is Data:
            parts.append(incoming.popleft().data)  # type: ignore[union-attr]  # it was looked at
            size += len(parts[-1])
        return Data(b"".join(parts), self.id)

    async def wait(self) -> None:
        """Wait for more of the body, as long as our patience lasts, or for the client to leave."""
        if self.left:
            return
        if not self._body_open:
            await self._bell.wait()
            return
        if self._patience is None:
            timeouts = self.wire.timeouts
            self._patience = Patience(timeouts.body, timeouts.slowest)
        patience = self._patience
        began, self._received = time.monotonic(), 0
        self.deadline = began + patience.left
        await self._bell.wait()
        self.deadline = NEVER
        patience.spend(time.monotonic() - began, self._received)

    # ------------------------------------------------------------ what goes

    @property
    def writable(self) -> bool:
        """False while the client takes no more: its windows are shut, or the network is full."""
        return self.gone or int(self.engine.waiting(self.id)) <= HELD

    def send(self, *events: Outgoing) -> None:
        """Send events, as far as the windows allow, before the application goes on.

        It may hold the loop: "Protocol servers must flush any data passed to them into the send
        buffer before returning from a send call" (ASGI HTTP 2.5, Response Body).
        """
        if self.gone:
            raise Disconnected("the client has left")
        for event in events:
            self.engine.put(event, self.id)
        self.wire.flush_now()
        if type(events[-1]) is End:
            self._complete()

    def _complete(self) -> None:
        """End the request: what is still to be sent needs no application."""
        self._over = True
        self.deadline = NEVER
        self._incoming.clear()
        self._bell.ring()  # for who waits to be told that it is over
        self._note()

    def _note(self) -> None:
        """Give the access log its line, once."""
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            self.wire.note(exchange, self.began)

    def accept(self, handshake: Any, subprotocol: str | None, fields: Fields) -> Any:
        """Let the application speak WebSocket on this stream from here on."""
        return self.wire.accept(self, handshake, subprotocol, fields)

    def unread(self) -> list[Data | End]:
        """Give away what has come of the body."""
        events, self._incoming = list(self._incoming), deque()
        return events

    def ask_to_leave(self) -> None:
        """Go on: a request that has begun is finished, also by a server that stops."""

    def ring(self) -> None:
        """Wake who waits for the client."""
        self._bell.ring()

    async def drain(self) -> None:
        """Wait until the client has taken enough."""
        while not self.writable:
            await self._bell.wait()
        if self.gone:
            raise Disconnected("the client has left")

    def taken(self) -> None:
        """Let the application go on, if enough of what it has sent is gone."""
        if self.writable:
            self._bell.ring()

    async def pause(self) -> None:
        """Let everybody else have a turn."""
        self.wire.shell.loop.call_soon(self._bell.ring)
        await self._bell.wait()

    # ------------------------------------------------------------ the end

    def abort(self) -> None:
        """Reset this stream, so that nobody takes half a response for a whole one; no other."""
        self.cut(Code.INTERNAL_ERROR)

    def cut(self, code: int) -> None:
        """Reset this stream."""
        if self.id in self.engine.streams:  # also one that is gone, whose last words nobody takes
            self.engine.reset(self.id, code)
            self.wire.flush_soon()
        self.lose()
        self.wire.forget(self)

    def lose(self) -> None:
        """Note that nobody listens any more, and tell the application."""
        self.gone = self.left = True
        self.deadline = NEVER
        self._incoming.clear()
        self._bell.ring()
        if self.exchange is not None:
            self.wire.past.append(self.exchange.task)
            self._note()

    def refuse(self, error: PeerError) -> None:
        """Answer a request that cannot be served, or came too slowly, by its status.

        One that has begun to be answered is cut.  The application is told that its client has left:
        nobody listens to it.
        """
        stream = self.engine.streams.get(self.id)
        if stream is None or stream.writing is not OWED:
            self.cut(Code.CANCEL)
            return
        date = self.wire.shell.gateway.date()
        for event in error_response(error.status, error.reason, date, error.fields):
            self.engine.put(event, self.id)
        if self.exchange is not None:
            self.exchange.status = error.status
        self.lose()
        self.wire.flush_soon()

    def leave(self) -> None:
        """Tell the application that its client has left, as far as we can tell."""
        self.left = True
        self._bell.ring()

    def look(self, now: float) -> None:
        """End what has taken too long: an upload that stalls, an answer that is not taken."""
        if now > self.deadline:
            self.refuse(PeerError(408, "the body came too slowly (RFC 9110 §15.5.9)"))
        stream = self.engine.streams.get(self.id)
        if stream is None or not self.engine.waiting(self.id):
            self._write_patience = None
            return
        if self._write_patience is None:
            timeouts = self.wire.timeouts
            self._write_patience = Patience(timeouts.write, timeouts.slowest)
        else:
            self._write_patience.spend(now - self._looked_at, stream.sent - self._sent)
            if self._write_patience.left <= 0:
                self.cut(Code.ENHANCE_YOUR_CALM)
        self._sent, self._looked_at = stream.sent, now
