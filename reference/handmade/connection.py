"""One client's connection: the requests in its bytes, and the way of each through the gateway.

This is where engine, gateway and wire meet.  Who waits for whom, and with how many others at once,
is not decided here but by the shell: ``blocking`` has one thread for all clients, ``threads`` a
pool of them.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

from .events import (
    NEED_DATA,
    Closed,
    Data,
    End,
    Informational,
    Outgoing,
    PeerError,
    Request,
    Response,
)
from .gateway import Disconnected, error_response
from .service import Access, Service
from .tls_socket import TlsSocket
from .waiting import Patience
from .wire import Phase, Wire
from .wsgi import Gateway

BUFFERED_BODY = 65536  # bytes of body that we gather before a thread is spent on the request


class Connection(Wire):
    """Serve one client (a ``gateway.Channel`` for the request that is running).

    ``stopping`` tells whether the shell is about to stop: then every answer says goodbye.
    """

    def __init__(
        self,
        sock: socket.socket,
        client: tuple[str, int],
        gateway: Gateway,
        service: Service,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(TlsSocket(sock, service.tls) if service.tls else sock, service.timeouts)
        self.stopping = stopping
        self.client = client
        self.gateway = gateway
        self.engine = service.engine(service.limits)
        self.access = service.access
        self.whole_body: bytes | None = None
        self._request: Request | None = None
        self._gathered: list[bytes] = []
        self._body_patience = Patience(self.timeouts.body, self.timeouts.slowest)
        self._read_at = 0.0

    # ------------------------------------------------------------ finding a request

    def read(self) -> None:
        """Give the engine what the socket has (phase READING)."""
        try:
            data = self.take()
        except Disconnected:
            self.close()
            return
        if data is not None:
            if self._request is not None:
                self._earn(len(data))
            elif self.engine.between_requests:
                self.deadline = time.monotonic() + self.timeouts.head
            self.engine.receive(data)

    def _earn(self, received: int) -> None:
        """Give a client the patience that the bytes of its body have earned, while we gather it."""
        now = time.monotonic()
        self._body_patience.spend(now - self._read_at, received)
        self._read_at = now
        self.deadline = now + self._body_patience.left

    def next_request(self) -> Request | None:
        """Return a request that is ready to run, or None: then ``phase`` tells what to wait for."""
        if self.phase is not Phase.READING:
            return None
        try:
            return self._find_request()
        except PeerError as error:
            self.refuse(error)
            return None

    def _find_request(self) -> Request | None:
        """Read events until a request is ready or bytes are missing.

        A body of known, moderate length is gathered first: a thread that waits for a slow upload
        serves nobody.  A client that waits for 100, or streams, is handed over at once.
        """
        while True:
            event = self.engine.next_event()
            if isinstance(event, Request):
                self._begin(event)
            elif isinstance(event, End):
                return self._hand_over(b"".join(self._gathered))
            elif isinstance(event, Data):
                self._gathered.append(event.data)
            elif isinstance(event, Closed):
                self.close()
                return None
            elif self._request is None or self._is_worth_gathering(self._request):
                return None
            else:
                return self._hand_over(None)

    def _begin(self, request: Request) -> None:
        """Set back what belongs to one request."""
        self._request = request
        self._gathered.clear()
        self._body_patience.left = self.timeouts.body
        self._read_at = time.monotonic()
        self.deadline = self._read_at + self.timeouts.body

    def _is_worth_gathering(self, request: Request) -> bool:
        """True when the rest of the body will come unasked, and has a length that we can hold."""
        lengths = [value for name, value in request.fields if name == b"content-length"]
        return bool(lengths) and int(lengths[0]) <= BUFFERED_BODY and not self.engine.owes_continue

    def _hand_over(self, whole_body: bytes | None) -> Request | None:
        """Pass the request on to who runs it."""
        request, self._request = self._request, None
        self.whole_body = whole_body
        if whole_body is not None:
            self._gathered.clear()
        self.phase = Phase.RUNNING
        return request

    def refuse(self, error: PeerError) -> None:
        """Answer a broken or overdue request by its status, and part."""
        try:
            self.send(*error_response(error.status, error.reason, self.gateway.date()))
        except OSError:
            self.close()
        self._gathered.clear()
        self._after_response()

    # ------------------------------------------------------------ running a request

    def respond(self, request: Request) -> None:
        """Let the gateway answer; afterwards ``phase`` tells how the connection goes on."""
        if self.access is None:
            self.gateway.respond(request, self)
        else:
            began = time.monotonic()
            status, sent = self.gateway.respond(request, self)
            self.access(Access(self.client, request, status, sent, time.monotonic() - began))
        self._after_response()

    def receive(self) -> Data | End:
        """Wait for the next piece of the body (``gateway.Channel``)."""
        if self._gathered:
            return Data(self._gathered.pop(0))
        if self.engine.owes_continue:
            self.transmit(self.engine.send(Informational(100)))
        while True:
            event = self.engine.next_event()
            if event is NEED_DATA:
                self.engine.receive(self._wait_for_body())
            elif isinstance(event, Data):
                return event
            else:
                return event if isinstance(event, End) else End()

    def _wait_for_body(self) -> bytes:
        """Wait for bytes of the body as long as our patience with it lasts."""
        began = time.monotonic()
        data = self.wait_for_bytes(self._body_patience.left)
        if data is None:
            raise PeerError(408, "the body came too slowly (RFC 9110 §15.5.9)")
        self._body_patience.spend(time.monotonic() - began, len(data))
        return data

    def send(self, *events: Outgoing) -> None:
        """Write events in one piece (``gateway.Channel``).

        When the response is complete, what the network does not take at once is left for the shell
        to send: it holds the bytes anyhow, and needs no thread to wait with them.
        """
        if self.phase is Phase.CLOSED:
            raise Disconnected("the connection was cut")
        if isinstance(events[0], Response) and self.stopping():
            self.engine.close_after_response()
        data = b"".join([self.engine.send(event) for event in events])
        self.transmit(data, complete=isinstance(events[-1], End))

    # ------------------------------------------------------------ going on, or parting

    def _after_response(self) -> None:
        """Choose the phase that follows a response."""
        if self.phase is Phase.CLOSED:
            return
        if self.pending:
            self.phase = Phase.WRITING
        elif not self.engine.must_close:
            self.phase = Phase.READING
            # The first bytes of the next request may be here already: then its time has begun.
            idle = self.engine.between_requests
            self.deadline = time.monotonic() + (self.timeouts.idle if idle else self.timeouts.head)
        else:
            self.linger()

    def flush(self) -> None:
        """Go on writing the end of a response, without waiting (phase WRITING)."""
        self.send_pending()
        self._after_response()

    def overdue(self) -> None:
        """End what has taken too long: with 408 in the middle of a request, else without a word."""
        if self.phase is Phase.WRITING:
            if not self.still_reads():
                self.abort()
        elif self.phase is Phase.READING and not self.engine.between_requests:
            self.engine.give_up()
            self.refuse(PeerError(408, "the request came too slowly (RFC 9110 §15.5.9)"))
        else:
            self.close()
