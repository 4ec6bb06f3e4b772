"""One client's connection in the shells that never wait: bytes come in, tasks go out.

Engine, gateway and transport meet here, as in ``connection`` for the blocking shells.  A request
runs in a task of its own, and whoever waits here waits for a ``Bell``.
"""

from __future__ import annotations

import time
from typing import Any

from .async_wire import BUFFERED, NEVER, AsyncWire
from .events import (
    NEED_DATA,
    Closed,
    Data,
    End,
    Event,
    Informational,
    Outgoing,
    PeerError,
    Request,
    Response,
)
from .gateway import Disconnected, error_response
from .protocol_websocket import change_to_websocket, exchange_for
from .waiting import Patience


class HttpProtocol(AsyncWire):
    """Serve one client (a ``gateway.AsyncChannel`` for the request that is running)."""

    __slots__ = (
        *("engine", "_incoming", "_body_open", "_unread", "_received", "_in_head"),
        *("_patience", "began", "_access"),
    )

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self.engine = shell.service.engine(shell.service.limits)
        self._incoming: list[Data | End] = []
        self._body_open = self._in_head = False
        self._unread = self._received = 0
        self._patience: Patience | None = None
        self.began = 0.0
        self._access = shell.service.access

    # ------------------------------------------------------------ callbacks of the transport

    def data_received(self, data: bytes) -> None:
        """Take bytes, and start a request when one is there and none is running."""
        if self.gone:
            return  # we have parted; what still comes is dropped
        self.engine.receive(data)
        self._unread += len(data)
        if self.exchange is None:
            self._advance()
            return
        self._received += len(data)
        if self._unread > BUFFERED and not self._paused:
            self.hold()
            if not self._body_open:
                self.doubt()  # who is not read from can leave without our noticing
        self._bell.ring()

    def connection_lost(self, error: Exception | None) -> None:
        """End, also in the middle of a response."""
        exchange, self.exchange = self.exchange, None
        super().connection_lost(error)
        if exchange is not None:
            self.note(exchange, self.began)

    def eof_received(self) -> bool:
        """Note that the client will send no more, and keep our side open for its answer.

        It may have left, or wait for it with one side closed: TCP says the same for both.  So it is
        sent in any case, and an application that waits to hear of the client is told no in a while.
        """
        self._ended = True
        if self.gone:
            self.transport.close()
            return True
        self.engine.receive(b"")
        if self.exchange is None:
            self._advance()
            if self.engine.must_close:
                self.transport.close()
        else:
            self._bell.ring()
            self.doubt()
        return True

    # ------------------------------------------------------------ finding a request

    def _advance(self) -> None:
        """Start the next request, if all of its head is here."""
        try:
            event = self.engine.next_event()
            if type(event) is Request:
                self._begin(event, self.engine.next_event())
                return
        except PeerError as error:
            self._refuse(error)
            return
        if type(event) is Closed:
            self.transport.close()
            return
        self._unread = 0
        self.read_on()
        if not self._in_head and not self.engine.between_requests:
            self._in_head = True
            self.deadline = time.monotonic() + self.timeouts.head

    def _begin(self, request: Request, first: Event) -> None:
        """Run the application for a request, of whose body ``first`` may be here."""
        self._in_head = False
        self._body_open = not isinstance(first, End)
        if isinstance(first, Data | End):
            self._incoming.append(first)
        self.left = False
        self.deadline = NEVER
        if self._access is not None:
            self.began = time.monotonic()
        find = exchange_for if request.upgrade else self.shell.gateway.exchange
        exchange = self.exchange = find(request, self)
        if self._ended:
            self.doubt()
        self.shell.run(exchange)

    def _refuse(self, error: PeerError) -> None:
        """Answer a broken or overdue request by its status, unless an answer has begun; and part.

        The application that runs for it is told that its client has left: nobody listens to it.
        """
        if not self.engine.owes_response:
            self.abort()
            return
        date = self.shell.gateway.date()
        answer = error_response(error.status, error.reason, date, error.fields)
        self.transport.write(b"".join([self.engine.send(event) for event in answer]))
        if self.exchange is not None:
            self.exchange.status = error.status
            self.note(self.exchange, self.began)
            self.exchange = None
        self.part()

    # ------------------------------------------------------------ gateway.AsyncChannel

    def read(self) -> Data | End | None:
        """Return what has come of the body, or None; and invite the rest (RFC 9110 §10.1.1)."""
        if self._incoming:
            return self._incoming.pop(0)
        try:
            event = self.engine.next_event()
        except PeerError as error:
            self._refuse(error)
            return None
        if event is NEED_DATA:
            self._unread = 0
            self.read_on()
            if self.engine.owes_continue:
                self.transport.write(self.engine.send(Informational(100)))
            return None
        if isinstance(event, End):
            self._body_open = False
        return event if isinstance(event, Data | End) else End()

    async def wait(self) -> None:
        """Wait for more of the body, as long as our patience lasts, or for the client to leave."""
        if self.left:  # it has sent what is no body: ``read`` has just refused it
            return
        if not self._body_open:
            await self._bell.wait()
            return
        if self._patience is None:
            self._patience = Patience(self.timeouts.body, self.timeouts.slowest)
        patience = self._patience
        began, self._received = time.monotonic(), 0
        self.deadline = began + patience.left
        await self._bell.wait()
        if not self.gone:
            self.deadline = NEVER
            patience.spend(time.monotonic() - began, self._received)

    def send(self, *events: Outgoing) -> None:
        """Write events in one piece, without waiting."""
        if self.gone:
            raise Disconnected("the client has left")
        if type(events[0]) is Response:
            if self._body_open:
                self._read_ahead()
            if self.shell.stopping:
                self.engine.close_after_response()
        data = b"".join(map(self.engine.send, events))
        if data:
            self.transport.write(data)
        if type(events[-1]) is End:
            self._complete()
        elif self.transport.is_closing():  # a write has failed: who streams must not go on
            self.gone = self.left = True

    def _read_ahead(self) -> None:
        """Read what is here of a body: when all of it is, the connection can go on afterwards."""
        try:
            while isinstance(event := self.engine.next_event(), Data | End):
                self._incoming.append(event)
                if isinstance(event, End):
                    self._body_open = False
                    return
        except PeerError:
            pass  # the engine remembers, and makes this answer the last

    accept = change_to_websocket  # what asgi_websocket asks of the channel of a handshake

    # ------------------------------------------------------------ going on, or parting

    def _complete(self) -> None:
        """Go on after a response, or close."""
        exchange, self.exchange = self.exchange, None
        self._bell.ring()  # for who waits to be told that it is over
        if self._access is not None and exchange is not None:
            self.note(exchange, self.began)
        self._incoming.clear()
        self._patience = None
        self.deadline = time.monotonic() + self.shell.idle
        if self.engine.between_requests and not (self._ended or self._paused):
            self._unread = 0
        elif self.engine.must_close:
            self.part()
        else:
            self._advance()

    @property
    def is_idle(self) -> bool:
        """True when nothing of a request is here, and none is running."""
        return self.exchange is None and self.engine.between_requests

    def overdue(self) -> None:
        """End what has taken too long: with 408 in the middle of a request, else without a word."""
        if self.gone or (self.exchange is None and not self._in_head):
            self.transport.abort()
        else:
            self.engine.give_up()
            self._refuse(PeerError(408, "the request came too slowly (RFC 9110 §15.5.9)"))
