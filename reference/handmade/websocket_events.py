"""The words of a WebSocket: what comes, what goes, what is wrong, and how much is too much.

The other modules of the engine use them with each other, and with the gateway and the shells.
"""

from __future__ import annotations

from dataclasses import dataclass

from .events import NEED_DATA, Closed, ProtocolError, Signal


@dataclass(slots=True)
class Text:
    """Carry one whole text message (RFC 6455 §5.6)."""

    data: str


@dataclass(slots=True)
class Binary:
    """Carry one whole binary message (RFC 6455 §5.6)."""

    data: bytes


@dataclass(slots=True)
class Ping:
    """Ask whether the peer is there; it answers by a Pong with the same data (RFC 6455 §5.5.2)."""

    data: bytes = b""


@dataclass(slots=True)
class Pong:
    """Answer a Ping, or say without being asked that we are there (RFC 6455 §5.5.3)."""

    data: bytes = b""


@dataclass(slots=True)
class Close:
    """Begin or answer the closing handshake (RFC 6455 §5.5.1).

    ``code`` is 1005 where the peer gave none, and that number is never on the wire (§7.1.5).
    """

    code: int = 1005
    reason: str = ""


Event = Text | Binary | Ping | Pong | Close | Closed | Signal


class WebSocketError(ProtocolError):
    """The peer broke the protocol: close with ``code``, which names the kind of mistake.

    ``reason`` is one sentence for the person who debugs the peer.  It ends with the clause, and it
    is short enough for a Close frame, 123 bytes (RFC 6455 §5.5).
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class WebSocketLimits:
    """How much a peer may send.  RFC 6455 §10.4 asks for limits, and leaves them to us.

    ``message`` and ``frame`` in bytes: a message as the application gets it, decompressed; a frame
    as it is on the wire, without its header.  ``fragments`` in one message: without it, empty ones
    would go on for ever and break no other limit.
    """

    message: int = 1 << 24
    frame: int = 1 << 24
    fragments: int = 1 << 17


__all__ = [
    "NEED_DATA",
    "Binary",
    "Close",
    "Closed",
    "Event",
    "Ping",
    "Pong",
    "Text",
    "WebSocketError",
    "WebSocketLimits",
]
