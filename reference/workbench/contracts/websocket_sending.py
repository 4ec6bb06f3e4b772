"""The WebSocket contract, part five: what we send, and what the client's side does otherwise."""

from __future__ import annotations

from itertools import count
from typing import Any

from handmade.websocket import Binary, Text

from . import case
from .websocket_close import MAY_BE_SENT, MAY_NOT
from .websocket_frames import MASK, Surface, cannot, fails, gets, masked, plain, same, written


@case("websocket", "text is framed", "RFC 6455 §5.2", 12)
def text_is_framed(ws: Surface) -> None:
    """A text message leaves as one frame, unmasked, its length as short as can be."""
    connection = ws.Connection()
    same("the frame is wrong", connection.text("Hello"), bytes.fromhex("8105 48656c6c6f"))
    same("the frame is wrong", connection.text(""), b"\x81\x00")
    same("the length is in bytes", connection.text("é"), b"\x81\x02\xc3\xa9")
    for size, head in (
        (125, "81 7d"),
        (126, "81 7e 007e"),
        (256, "81 7e 0100"),
        (65535, "81 7e ffff"),
        (65536, "81 7f 0000000000010000"),
    ):
        raw = connection.text("x" * size)
        same(f"the header of {size} bytes is wrong", raw[: -size or None], bytes.fromhex(head))


@case("websocket", "binary is framed", "RFC 6455 §5.2", 12)
def binary_is_framed(ws: Surface) -> None:
    """A binary message leaves with opcode 2, its bytes as they are."""
    same("the frame is wrong", ws.Connection().binary(b"\x00\xff"), b"\x82\x02\x00\xff")


@case("websocket", "half a surrogate pair", "RFC 6455 §5.6", 12)
def half_a_surrogate_pair(ws: Surface) -> None:
    """A str that has no UTF-8 is our own error, and the connection goes on."""
    connection = ws.Connection()
    cannot(lambda: connection.text("\ud800"), "half a surrogate pair")
    same("the next message is wrong", connection.text("a"), b"\x81\x01a")


@case("websocket", "pings and pongs are framed", "RFC 6455 §5.5", 12)
def pings_and_pongs_are_framed(ws: Surface) -> None:
    """Control frames have FIN and at most 125 bytes."""
    connection = ws.Connection()
    same("the Ping is wrong", connection.ping(), b"\x89\x00")
    same("the Ping is wrong", connection.ping(b"?"), b"\x89\x01?")
    same("the Pong is wrong", connection.pong(b"p" * 125), b"\x8a\x7d" + b"p" * 125)
    cannot(lambda: connection.ping(b"p" * 126), "a Ping of 126 bytes")
    cannot(lambda: connection.pong(b"p" * 126), "a Pong of 126 bytes")


@case("websocket", "a close is framed", "RFC 6455 §5.5.1", 12)
def a_close_is_framed(ws: Surface) -> None:
    """A Close leaves with its code and reason, or with neither."""
    same("the Close is wrong", ws.Connection().close(), b"\x88\x02\x03\xe8")
    same("the Close is wrong", ws.Connection().close(None), b"\x88\x00")
    wanted = b"\x88\x08\x03\xe9adi\xc3\xb3s"[:10]
    same("the Close is wrong", ws.Connection().close(1001, "adiós")[:10], wanted)
    same("the reason is wrong", ws.Connection().close(4000, "r" * 123)[4:], b"r" * 123)


@case("websocket", "close codes that may not be sent", "RFC 6455 §7.4", 12)
def close_codes_that_may_not_be_sent(ws: Surface) -> None:
    """A code that must not be on the wire, and a reason that is too long, are our own errors."""
    for code in MAY_BE_SENT:
        wanted = b"\x88\x02" + code.to_bytes(2, "big")
        written(lambda: ws.Connection().close(code), f"the Close with {code}", wanted)  # noqa: B023
    for code in (*MAY_NOT, -1, 65536):
        cannot(lambda: ws.Connection().close(code), f"the close code {code}")  # noqa: B023
    connection = ws.Connection()
    cannot(lambda: connection.close(1000, "r" * 124), "a reason of 124 bytes")
    cannot(lambda: connection.close(1000, "é" * 62), "a reason of 62 characters in 124 bytes")
    cannot(lambda: connection.close(None, "why"), "a reason without a code")
    written(lambda: connection.close(1000), "a right Close behind wrong ones", b"\x88\x02\x03\xe8")


@case("websocket", "nothing behind our close", "RFC 6455 §5.5.1", 12)
def nothing_behind_our_close(ws: Surface) -> None:
    """After our Close no message, no Ping and no second Close is sent."""
    connection = ws.Connection()
    connection.close(1000)
    cannot(lambda: connection.text("late"), "text behind a Close")
    cannot(lambda: connection.binary(b"late"), "bytes behind a Close")
    cannot(lambda: connection.ping(), "a Ping behind a Close")
    cannot(lambda: connection.close(1000), "a second Close")


@case("websocket", "a pong behind our close", "RFC 6455 §5.5.2", 12)
def a_pong_behind_our_close(ws: Surface) -> None:
    """A Ping is answered until the peer's own Close has come, behind our Close too."""
    connection = ws.Connection()
    connection.close(1000)
    written(lambda: connection.pong(b"?"), "the Pong", b"\x8a\x01?")


@case("websocket", "our answer to a close", "RFC 6455 §5.5.1", 12)
def our_answer_to_a_close(ws: Surface) -> None:
    """The peer's Close does not keep us from sending ours, nor does an error."""
    connection = ws.Connection()
    connection.receive(masked(0x88, b"\x03\xe8"))
    connection.next_event()
    written(lambda: connection.close(1000), "the answer to a Close", b"\x88\x02\x03\xe8")
    connection = ws.Connection()
    fails(connection, masked(0x83), 1002)
    written(lambda: connection.close(1002), "the answer to an error", b"\x88\x02\x03\xea")


# ---------------------------------------------------------------- the client's side


def _client(ws: Surface, **more: Any) -> Any:
    return ws.Connection(client=True, mask=lambda: MASK, **more)


@case("websocket", "a client masks", "RFC 6455 §5.1", 12)
def a_client_masks(ws: Surface) -> None:
    """A client masks every frame that it sends."""
    same("the frame is wrong", _client(ws).text("Hello"), masked(0x81, b"Hello"))
    same("the frame is wrong", _client(ws).binary(b"x" * 70000), masked(0x82, b"x" * 70000))
    same("the frame is wrong", _client(ws).ping(b"?"), masked(0x89, b"?"))
    same("the frame is wrong", _client(ws).pong(b"!"), masked(0x8A, b"!"))
    same("the frame is wrong", _client(ws).close(1000), masked(0x88, b"\x03\xe8"))


@case("websocket", "a mask for each frame", "RFC 6455 §5.3", 12)
def a_mask_for_each_frame(ws: Surface) -> None:
    """Each frame has a mask of its own."""
    numbers = count(1)
    client = ws.Connection(client=True, mask=lambda: next(numbers).to_bytes(4, "big"))
    for number in (1, 2, 3):
        wanted = masked(0x81, b"Hello", number.to_bytes(4, "big"))
        same("the frame is wrong", client.text("Hello"), wanted)


@case("websocket", "a client refuses masks", "RFC 6455 §5.1", 12)
def a_client_refuses_masks(ws: Surface) -> None:
    """A server does not mask: a client refuses a frame that is masked."""
    raw = plain(0x81, b"Hello") + plain(0x02, b"a") + plain(0x80, b"b" * 300)
    gets(_client(ws), raw, Text("Hello"), Binary(b"a" + b"b" * 300))
    for first in (0x81, 0x82, 0x89, 0x88):
        fails(_client(ws), masked(first), 1002)
