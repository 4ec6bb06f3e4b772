"""The ASGI gateway: from a request's events to ``await app(scope, receive, send)`` and back.

It knows ASGI 3 and nothing of sockets, of the bytes of HTTP, or of any event loop: what it awaits
is a channel's.  So the same gateway runs on asyncio and on a loop made by hand.  ASGI HTTP 2.5 is
the "HTTP & WebSocket ASGI Message Format", version 2.5, cited by section title.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from .asgi_messages import (
    BODY,
    DONE,
    EARLY_HINT,
    NOTED,
    NOTHING,
    SENDING,
    START,
    TRAILERS,
    Message,
    Sending,
    checked_body,
    checked_headers,
    checked_links,
    checked_status,
    checked_trailers,
    refuse,
)
from .asgi_scope import HttpScope, Server, http_scope, takes_trailers
from .events import Data, End, Informational, Outgoing, Request, Response
from .gateway import (
    ApplicationError,
    AsyncChannel,
    Disconnected,
    Headers,
    HttpDate,
    answer_failure,
    complete,
    logger,
)
from .http1_writing import WITHOUT_CONTENT

END = End()

Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Any, Receive, Send], Awaitable[None]]


class Gateway:
    """Serve requests with one ASGI application; ``running`` are those that it is busy with."""

    def __init__(self, app: Application, server: Server, date: HttpDate) -> None:
        self.app = app
        self.server = server
        self.date = date
        self.running: set[Any] = set()

    def exchange(self, request: Request, channel: AsyncChannel) -> Exchange:
        """Return the exchange of a request; ``run`` it in a task of its own."""
        return Exchange(self, request, channel)


class Exchange:
    """Take one request through the application.

    ``sending`` tells how far the response is, and ``SENDING`` what may come next.  ``task`` is the
    shell's: the task that runs it.
    """

    __slots__ = (
        *("gateway", "request", "channel", "scope", "sending", "status", "sent", "task"),
        *("_headers", "_trailers", "_left", "_bare", "_ahead", "_read_to_end", "_told"),
    )

    def __init__(self, gateway: Gateway, request: Request, channel: AsyncChannel) -> None:
        self.gateway = gateway
        self.request = request
        self.channel = channel
        self.scope: HttpScope = http_scope(request, channel.client, gateway.server)
        self.sending = NOTHING
        self.status = 0
        self.sent = 0
        self.task: Any = None
        self._headers: Headers | None = None
        self._trailers: list[tuple[bytes, bytes]] | None = None
        self._left: int | None = None
        self._bare = request.method == b"HEAD"
        self._ahead: Data | End | None = None
        self._read_to_end = False
        self._told = False

    async def run(self) -> None:
        """Run the application to its end.

        Never raises for what an application or a client does: the failure is logged, and answered.
        An application that is cancelled leaves a broken response, not a short one.
        """
        self.gateway.running.add(self)
        try:
            await self.gateway.app(self.scope, self.receive, self.send)
            if self.sending is not DONE and not self.channel.left:
                raise ApplicationError("the application returned before its response was complete")
        except (KeyboardInterrupt, GeneratorExit):  # these are for the loop
            raise
        except BaseException as error:  # SystemExit, a stray cancel: they end this request alone
            self._failed(error)
        finally:
            self.gateway.running.discard(self)
            if self.sending is not DONE and not self.channel.gone:
                self.channel.abort()

    def _failed(self, error: BaseException) -> None:
        """Answer, or cut, as ``answer_failure`` decides for every gateway."""
        name = self.request.method.decode(), self.request.target.decode()
        ours = isinstance(error, Disconnected) or not isinstance(error, Exception)
        if self.channel.left and (ours or self.sending is not DONE):
            # which makes applications fail in many ways, all of them in order
            logger.info("%s %s: the client left, and the application ended: %r", *name, error)
        elif self.sending is DONE:
            what = "%s %s was answered, then the application failed: %s"
            logger.error(what, *name, error, exc_info=error)
        else:
            started = self.sending not in (NOTHING, NOTED)
            self.status = self.status if started else 500
            date = self.gateway.date()
            answer_failure(error, self.request, self.channel, date, started=started)
            self.sending = DONE

    # ------------------------------------------------------------ receive

    async def receive(self) -> Message:
        """Wait for what comes from the client, and return it as a message.

        First the body, piece by piece; then nothing until the response is complete or the client
        has left, and from then on the disconnect, as often as asked (ASGI HTTP 2.5, Disconnect).
        """
        while self.sending is not DONE and not self.channel.gone:
            if not self._read_to_end and (event := self._next()) is not None:
                return self._request_message(event)
            if self.channel.left:
                break
            await self.channel.wait()
        if self._told:
            await self.channel.pause()  # who asks in a loop must not have the loop to itself
        self._told = True
        return {"type": "http.disconnect"}

    def _next(self) -> Data | End | None:
        """Return what has come of the body."""
        event, self._ahead = self._ahead, None
        return event or self.channel.read()

    def _request_message(self, event: Data | End) -> Message:
        """Return the message for a piece of the body (ASGI HTTP 2.5, Request)."""
        body = b""
        if isinstance(event, Data):
            body = event.data
            self._ahead = self.channel.read()  # the end may be here: then this piece is the last
        self._read_to_end = isinstance(event, End) or isinstance(self._ahead, End)
        return {"type": "http.request", "body": body, "more_body": not self._read_to_end}

    # ------------------------------------------------------------ send

    async def send(self, message: Message) -> None:
        """Take a message of the response; if it is not the last, wait until the network takes more.

        Raise ApplicationError where the message is wrong, and Disconnected, an OSError, when the
        client has left (ASGI HTTP 2.5, Disconnected Client).
        """
        channel = self.channel
        if channel.gone:
            raise Disconnected("the client has left")
        try:
            moves = SENDING[self.sending, message["type"]]
        except (KeyError, TypeError):
            raise refuse(self.sending, message) from None
        self._TAKES[message["type"]](self, message, moves)
        if not channel.writable and self.sending is not DONE:  # so the next response's start waits
            await channel.drain()

    def _start(self, message: Message, moves: tuple[Sending, ...]) -> None:
        """Note status and headers; nothing is sent yet."""
        status, headers = checked_status(message), checked_headers(message)
        self._trailers = [] if message.get("trailers", False) else None
        self.status, self._headers = status, headers
        self._bare = self.request.method == b"HEAD" or status in WITHOUT_CONTENT
        self._left = None if self._bare else headers.length
        self.sending = moves[0]

    def _body(self, message: Message, moves: tuple[Sending, ...]) -> None:
        """Send content, and before the first of it the head, all in one write."""
        body = checked_body(message)
        more = message.get("more_body", False)
        self._count(len(body), last=not more)
        last = not more and self._trailers is None
        events: list[Outgoing] = []
        if self.sending is NOTED:
            events.append(self._head(len(body) if last else None))
        if body:
            events.append(Data(body))
        if last:
            events.append(END)
        self.sending = moves[0 if more else 2 if last else 1]
        if events:
            self.channel.send(*events)

    def _head(self, length: int | None) -> Response:
        """Return the response's head; ``length`` is that of the content where all of it is here."""
        headers = self._headers
        assert headers is not None  # the table: a body comes after a start
        if self._bare and (not length or self.request.method != b"HEAD"):
            # An empty body tells nothing about the length that GET would have, and what is not sent
            # with a 304 nothing about the length of a 200 (RFC 9110 §8.6).
            length = None
        return Response(self.status, complete(headers, self.gateway.date(), length))

    def _count(self, size: int, last: bool) -> None:
        """Hold the application to its Content-Length, before anything is sent (RFC 9110 §8.6)."""
        if self._left is not None:
            if size > self._left:
                raise ApplicationError("the body is longer than its Content-Length")
            if last and size < self._left:
                raise ApplicationError(
                    f"the body is {self._left - size} bytes short of its Content-Length"
                )
            self._left -= size
        if not self._bare:
            self.sent += size

    def _send_trailers(self, message: Message, moves: tuple[Sending, ...]) -> None:
        """Send the fields behind the content, when all of them are known."""
        assert self._trailers is not None  # the table: only a start with trailers leads here
        self._trailers += checked_trailers(message)
        if not message.get("more_trailers", False):
            self.channel.send(End(tuple(self._trailers)) if takes_trailers(self.request) else END)
            self.sending = moves[1]

    def _early_hint(self, message: Message, moves: tuple[Sending, ...]) -> None:
        """Send 103 with links that the client may fetch meanwhile (RFC 8297)."""
        self.channel.send(Informational(103, checked_links(message)))

    _TAKES = {
        START: _start,
        BODY: _body,
        TRAILERS: _send_trailers,
        EARLY_HINT: _early_hint,
    }
