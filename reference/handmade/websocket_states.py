"""The states of a WebSocket, and the moves between them: one table for each direction.

What a peer may send next, and what we may, is in these tables and nowhere else; the pictures in
the notebook are drawn from them.
"""

from __future__ import annotations

from .http1_states import State
from .websocket_events import Binary, Close, Ping, Pong, Text


class Part(State):
    """What a frame is to its message, as its FIN bit and opcode say (RFC 6455 §5.4)."""

    WHOLE = "whole message"
    FIRST = "first fragment"
    MIDDLE = "fragment"
    LAST = "last fragment"
    CONTROL = "ping, pong"
    CLOSE = "close"
    END = "end of the stream"

    def __str__(self) -> str:
        return str(self.value)


class Receiving(State):
    """Where we are in what the peer sends."""

    OPEN = "a message may begin"
    MESSAGE = "a message has begun"
    CLOSED = "the peer has sent its Close"
    GONE = "the peer went without a Close"
    FAILED = "the peer broke the protocol"


class Sending(State):
    """Where we are in what we send."""

    OPEN = "we may send"
    CLOSED = "we have sent our Close"


# The peer's side (RFC 6455 §5.4, §5.5.1):
#
#      whole message, control             fragment, control
#          ┌──┐                               ┌──┐
#          ▼  │                               ▼  │
#         OPEN ─────── first fragment ─────▶ MESSAGE
#         │  ▲                                │  │
#         │  └───────── last fragment ────────┘  │          any WebSocketError ──▶ FAILED
#         │                                      │
#         ├─────── close ──────▶ CLOSED ◀────────┤
#         └── end of the stream ──▶ GONE ◀───────┘
#
# A message never begins within another one: that is the missing (MESSAGE, FIRST).  Control frames
# may come between its fragments, and belong to none of them.
RECEIVING: dict[tuple[Receiving, Part], Receiving] = {
    (Receiving.OPEN, Part.WHOLE): Receiving.OPEN,
    (Receiving.OPEN, Part.FIRST): Receiving.MESSAGE,
    (Receiving.MESSAGE, Part.MIDDLE): Receiving.MESSAGE,
    (Receiving.MESSAGE, Part.LAST): Receiving.OPEN,
    (Receiving.OPEN, Part.CONTROL): Receiving.OPEN,
    (Receiving.MESSAGE, Part.CONTROL): Receiving.MESSAGE,
    (Receiving.OPEN, Part.CLOSE): Receiving.CLOSED,
    (Receiving.MESSAGE, Part.CLOSE): Receiving.CLOSED,
    (Receiving.OPEN, Part.END): Receiving.GONE,
    (Receiving.MESSAGE, Part.END): Receiving.GONE,
}

# Our side (RFC 6455 §5.5.1):
#
#      OPEN ──close──▶ CLOSED
#      │  ▲            │  ▲
#      └──┘            └──┘ Pong
#      all others
#
# Behind our Close goes no message.  A Pong goes: a peer that has not sent its own Close yet is owed
# an answer to its Ping (§5.5.2).
SENDING: dict[tuple[Sending, type], Sending] = {
    (Sending.OPEN, Text): Sending.OPEN,
    (Sending.OPEN, Binary): Sending.OPEN,
    (Sending.OPEN, Ping): Sending.OPEN,
    (Sending.OPEN, Pong): Sending.OPEN,
    (Sending.OPEN, Close): Sending.CLOSED,
    (Sending.CLOSED, Pong): Sending.CLOSED,
}
