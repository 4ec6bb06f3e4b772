"""The WebSocket contract, part four: what a peer may make us hold."""

from __future__ import annotations

from handmade.websocket import Binary, Ping, Text, WebSocketLimits

from . import case
from .websocket_frames import MASK, Surface, fails, gets, masked


@case("websocket", "a large frame", "RFC 6455 §10.4", 12)
def a_large_frame(ws: Surface) -> None:
    """A frame over the limit fails with 1009 as soon as its length is known."""
    limits = WebSocketLimits(frame=10)
    gets(ws.Connection(limits=limits), masked(0x82, b"x" * 10), Binary(b"x" * 10))
    fails(ws.Connection(limits=limits), masked(0x82, b"x" * 11), 1009)
    fails(ws.Connection(limits=limits), bytes([0x82, 0x80 | 11]) + MASK, 1009)
    huge = b"\x82\xff" + (1 << 40).to_bytes(8, "big") + MASK
    fails(ws.Connection(), huge, 1009, why="nobody sends a tebibyte")


@case("websocket", "a large message", "RFC 6455 §10.4", 12)
def a_large_message(ws: Surface) -> None:
    """A message over the limit fails with 1009, in one frame and in fragments."""
    limits = WebSocketLimits(message=10)
    gets(ws.Connection(limits=limits), masked(0x81, b"x" * 10), Text("x" * 10))
    fails(ws.Connection(limits=limits), masked(0x81, b"x" * 11), 1009)
    parts = masked(0x01, b"x" * 6) + masked(0x89, b"p" * 20) + masked(0x80, b"x" * 4)
    gets(ws.Connection(limits=limits), parts, Ping(b"p" * 20), Text("x" * 10))
    fails(ws.Connection(limits=limits), masked(0x01, b"x" * 6) + masked(0x80, b"x" * 5), 1009)
    early = masked(0x01, b"x" * 6) + bytes([0x80, 0x80 | 5]) + MASK
    fails(ws.Connection(limits=limits), early, 1009, why="the length says so")


@case("websocket", "the limit is for one message", "RFC 6455 §10.4", 12)
def the_limit_is_for_one_message(ws: Surface) -> None:
    """Each message begins to count anew."""
    limits = WebSocketLimits(message=10)
    one = masked(0x01, b"x" * 6) + masked(0x80, b"x" * 4)
    gets(ws.Connection(limits=limits), one * 3, *[Text("x" * 10)] * 3)


@case("websocket", "fragments without end", "RFC 6455 §10.4", 12)
def fragments_without_end(ws: Surface) -> None:
    """Fragments are counted: empty ones would go on for ever and never be too many bytes."""
    limits = WebSocketLimits(fragments=5)
    five = masked(0x01) + masked(0x00) * 3 + masked(0x80, b"x")
    gets(ws.Connection(limits=limits), five * 2, Text("x"), Text("x"))
    fails(ws.Connection(limits=limits), masked(0x01) + masked(0x00) * 5, 1009)
