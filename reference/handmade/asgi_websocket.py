"""The ASGI gateway for WebSockets: from a handshake to ``await app(scope, receive, send)``.

What ``asgi`` is for a request, this is for a WebSocket: it knows ASGI 3, and nothing of frames,
sockets or event loops.
"""

from __future__ import annotations

from typing import Any

from .asgi import Exchange, Gateway
from .asgi_messages import DONE, NOTED, NOTHING, Message, checked_headers
from .asgi_websocket_states import (
    ACCEPT,
    CLOSE,
    CLOSED,
    CONNECTING,
    DENYING,
    OPEN,
    SEND,
    TALKING,
    HandshakeChannel,
    refuse,
    websocket_scope,
)
from .events import OurError, Request
from .gateway import ApplicationError, Disconnected, answer_failure, error_response, logger
from .websocket_events import Binary, Close, Text
from .websocket_handshake import Handshake


class WebSocketExchange:
    """Take one WebSocket through the application: an ``asgi.Exchange`` that goes on.

    ``channel`` is that of the request until the application accepts.
    """

    __slots__ = (
        *("gateway", "request", "handshake", "channel", "scope", "talking", "status", "sent"),
        *("task", "_accepted", "_denial", "_connected", "_told"),
    )

    def __init__(
        self, gateway: Gateway, request: Request, handshake: Handshake, channel: HandshakeChannel
    ) -> None:
        self.gateway = gateway
        self.request = request
        self.handshake = handshake
        self.channel: Any = channel
        self.scope = websocket_scope(request, handshake, channel.client, gateway.server)
        self.talking = CONNECTING
        self.status = 0
        self.sent = 0
        self.task: Any = None
        self._accepted = False
        self._denial: Exchange | None = None
        self._connected = False
        self._told = False

    async def run(self) -> None:
        """Run the application to its end; never raise for what it or a client does.

        When it returns and has not closed, we do, with 1000.
        """
        self.gateway.running.add(self)
        try:
            await self.gateway.app(self.scope, self.receive, self.send)
            if self._owes_answer and not self.channel.left:
                raise ApplicationError("the application returned without an answer to the client")
        except (KeyboardInterrupt, GeneratorExit):  # these are for the loop
            raise
        except BaseException as error:  # SystemExit, a stray cancel: they end this socket alone
            self._failed(error)
        finally:
            self.gateway.running.discard(self)
            if self.talking is OPEN and not self.channel.gone:
                self.channel.close(1000)
            elif self._owes_answer and not self.channel.gone:
                self.channel.abort()

    @property
    def _owes_answer(self) -> bool:
        """True until the handshake has a whole answer."""
        denial = self._denial
        return self.talking is CONNECTING or (denial is not None and denial.sending is not DONE)

    def _failed(self, error: BaseException) -> None:
        """Tell the client: by 500 before the answer, by 1011 after it (RFC 6455 §7.4.1)."""
        name = self.request.target.decode()
        ours = isinstance(error, Disconnected) or not isinstance(error, Exception)
        if (self.channel.left or self.channel.gone) and (ours or self.talking is OPEN):
            logger.info("websocket %s: the client left, the application ended: %r", name, error)
        elif self.talking in (OPEN, CLOSED):
            seen = None if isinstance(error, OurError) else error
            logger.error("websocket %s failed: %s", name, error, exc_info=seen)
            if self.talking is OPEN:
                self.channel.close(1011, "the application failed")
                self.talking = CLOSED
        else:
            date, denial = self.gateway.date(), self._denial
            started = denial is not None and denial.sending not in (NOTHING, NOTED)
            self.status = answer_failure(error, self.request, self.channel, date, started=started)
            self.talking, self._denial = CLOSED, None

    # ------------------------------------------------------------ receive

    async def receive(self) -> Message:
        """Wait for what comes from the client, and return it as a message.

        First the connect, then messages, and from the end on the disconnect, as often as asked.
        """
        if not self._connected:
            self._connected = True
            return {"type": "websocket.connect"}
        while (event := self._next()) is None:
            await self.channel.wait()
        if type(event) is Text:
            return {"type": "websocket.receive", "text": event.data}
        if type(event) is Binary:
            return {"type": "websocket.receive", "bytes": event.data}
        assert type(event) is Close
        if self._told:
            await self.channel.pause()  # who asks in a loop must not have the loop to itself
        self._told = True
        return {"type": "websocket.disconnect", "code": event.code, "reason": event.reason}

    def _next(self) -> Text | Binary | Close | None:
        """Return what has come; a handshake that led to no WebSocket ends as 1006 (§7.1.5)."""
        if self._accepted:
            taken: Text | Binary | Close | None = self.channel.take()
            return taken
        over = self.channel.gone or self.channel.left or not self._owes_answer
        return Close(1006, "") if over else None

    # ------------------------------------------------------------ send

    async def send(self, message: Message) -> None:
        """Take a message of the application; wait until the network takes more.

        Raise ApplicationError where the message is wrong, and Disconnected, an OSError, when the
        client has left (ASGI WebSocket 2.5, Disconnected Client).
        """
        if self.channel.gone and self.talking is not CLOSED:
            raise Disconnected("the client has left")
        try:
            talking = TALKING[self.talking, message["type"]]
        except (KeyError, TypeError):
            raise refuse(self.talking, message) from None
        if talking is DENYING:
            await self._deny(message)
            return
        try:
            self._TAKES[self.talking, message["type"]](self, message)
        except OurError as error:
            raise ApplicationError(str(error)) from None
        self.talking = talking
        if not self.channel.writable and talking is OPEN:
            await self.channel.drain()

    def _accept(self, message: Message) -> None:
        """Change the protocol (ASGI WebSocket 2.5, Accept)."""
        subprotocol = message.get("subprotocol")
        if subprotocol is not None and not isinstance(subprotocol, str):
            raise ApplicationError(f"the subprotocol must be a str, not {subprotocol!r:.80}")
        fields = checked_headers(message).fields
        self.channel = self.channel.accept(self.handshake, subprotocol, fields)
        self._accepted = True

    def _send(self, message: Message) -> None:
        """Write one message (ASGI WebSocket 2.5, Send)."""
        text, binary = message.get("text"), message.get("bytes")
        if type(text) is str and binary is None:
            self.channel.text(text)
        elif text is None and isinstance(binary, bytes | bytearray | memoryview):
            self.channel.binary(bytes(binary))
        else:
            raise ApplicationError("websocket.send takes 'text', a str, or 'bytes', not both")

    def _close(self, message: Message) -> None:
        """Begin the closing handshake (ASGI WebSocket 2.5, Close)."""
        code, reason = message.get("code", 1000), message.get("reason") or ""
        if type(code) is not int or not isinstance(reason, str):
            raise ApplicationError("websocket.close takes 'code', an int, and 'reason', a str")
        self.channel.close(code, reason)

    def _reject(self, message: Message) -> None:
        """Answer the handshake with 403 (ASGI WebSocket 2.5, Close)."""
        self.status = 403
        self.talking = CLOSED
        reason = "the application does not accept this WebSocket"
        self.channel.send(*error_response(403, reason, self.gateway.date()))

    async def _deny(self, message: Message) -> None:
        """Answer the handshake as any request (ASGI, WebSocket Denial Response)."""
        if self._denial is None:
            status = message.get("status")
            if isinstance(status, int) and status < 300:  # over HTTP/2 that would accept (RFC 8441)
                raise ApplicationError(f"a WebSocket is denied with 300 to 599, not {status}")
            self._denial = Exchange(self.gateway, self.request, self.channel)
        kind = message["type"].removeprefix("websocket.")
        await self._denial.send({**message, "type": kind})
        self.talking = DENYING
        self.status, self.sent = self._denial.status, self._denial.sent
        if self._denial.sending is DONE:
            self.talking = CLOSED

    _TAKES = {
        (CONNECTING, ACCEPT): _accept,
        (CONNECTING, CLOSE): _reject,
        (OPEN, SEND): _send,
        (OPEN, CLOSE): _close,
    }
