"""What an application may do with a WebSocket, and when; what it is told of one.

The states and the scope stand here, ``asgi_websocket`` makes the moves.  ASGI WebSocket 2.5 is the
second half of the "HTTP & WebSocket ASGI Message Format", version 2.5, cited by section title.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Protocol

from .asgi_scope import Address, Server, http_scope
from .events import Fields, Request
from .gateway import ApplicationError, AsyncChannel
from .websocket_events import Binary, Close, Text
from .websocket_handshake import Handshake

ACCEPT, CLOSE, SEND = "websocket.accept", "websocket.close", "websocket.send"
DENIAL = "websocket.http.response"
DENY, DENY_BODY = f"{DENIAL}.start", f"{DENIAL}.body"


class Talking(Enum):
    """Where an application is with its WebSocket; ``send`` moves it on."""

    __hash__ = object.__hash__  # see http1_states.State

    CONNECTING = "not answered yet"
    DENYING = "denied by a response"
    OPEN = "messages go both ways"
    CLOSED = "it is closed"


CONNECTING, DENYING = Talking.CONNECTING, Talking.DENYING
OPEN, CLOSED = Talking.OPEN, Talking.CLOSED

# The moves (ASGI WebSocket 2.5, Accept, Close, Send, and the Denial Response extension):
#
#   CONNECTING ──accept──▶ OPEN ──close──▶ CLOSED      OPEN ──send──▶ OPEN
#    │   └──close (403)──────────────────────▲
#    └──response.start──▶ DENYING ──last response.body──┘
TALKING: dict[tuple[Talking, str], Talking] = {
    (CONNECTING, ACCEPT): OPEN,
    (CONNECTING, CLOSE): CLOSED,
    (CONNECTING, DENY): DENYING,
    (DENYING, DENY_BODY): DENYING,  # the last one ends it: see Exchange.sending
    (OPEN, SEND): OPEN,
    (OPEN, CLOSE): CLOSED,
}


class MessageChannel(Protocol):
    """An open WebSocket's way to and from its client, as this gateway sees it."""

    gone: bool
    """True when nothing can be sent any more."""
    left: bool
    """True when the client has left, or has closed."""
    writable: bool
    """False while the network takes no more: then await ``drain``."""

    def take(self) -> Text | Binary | Close | None:
        """Return the next message, or how it was closed; None when ``wait`` must be awaited."""

    async def wait(self) -> None:
        """Wait until there is something to take."""

    def text(self, data: str) -> None:
        """Write a text message, without waiting.  Raise Disconnected."""

    def binary(self, data: bytes) -> None:
        """Write a binary message, without waiting.  Raise Disconnected."""

    def close(self, code: int, reason: str = "") -> None:
        """Begin the closing handshake.  Raise OurError for a code that may not be sent."""

    async def drain(self) -> None:
        """Wait until the network takes more.  Raise Disconnected when it never will."""

    async def pause(self) -> None:
        """Let everybody else have a turn."""


class HandshakeChannel(AsyncChannel, Protocol):
    """The way of a request that would become a WebSocket."""

    def accept(self, handshake: Handshake, subprotocol: str | None, fields: Fields) -> Any:
        """Change the protocol; return the MessageChannel.  Raise OurError for wrong fields."""


def websocket_scope(
    request: Request, handshake: Handshake, client: Address | None, server: Server
) -> dict[str, Any]:
    """Return the scope of a WebSocket (ASGI WebSocket 2.5, WebSocket Connection Scope)."""
    scope: dict[str, Any] = dict(http_scope(request, client, server))
    del scope["method"]
    scope["type"] = "websocket"
    scope["scheme"] = "wss" if scope["scheme"] == "https" else "ws"
    scope["subprotocols"] = list(handshake.subprotocols)
    tls = {name: value for name, value in scope["extensions"].items() if name == "tls"}
    scope["extensions"] = {DENIAL: {}, **tls}
    return scope


def refuse(state: Talking, message: object) -> ApplicationError:
    """Return the error for a message that may not come now, or is none."""
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        return ApplicationError(f"send() takes a dict with a 'type', not {message!r:.80}")
    kind = message["type"]
    if kind not in {kind for _, kind in TALKING}:
        return ApplicationError(f"{kind!r} is no message that a WebSocket is made of")
    return ApplicationError(f"{kind} may not come now: {state.value}")
