"""The WebSocket contract, part three: the end, and how it is read."""

from __future__ import annotations

from handmade.websocket import NEED_DATA, Close, Closed, Text, WebSocketError

from . import Broken, case
from .websocket_frames import HELLO, Surface, fails, gets, masked, next_event, read, same

MAY_BE_SENT = (1000, 1001, 1002, 1003, *range(1007, 1015), 3000, 3999, 4000, 4999)
MAY_NOT = (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)


def _close(code: int, reason: bytes = b"") -> bytes:
    return masked(0x88, code.to_bytes(2, "big") + reason)


@case("websocket", "a close with its reason", "RFC 6455 §5.5.1", 12)
def a_close_with_its_reason(ws: Surface) -> None:
    """A Close holds a code in two bytes, the most significant first, and a reason in UTF-8."""
    gets(ws.Connection(), _close(1001, "adiós".encode()), Close(1001, "adiós"), Closed())
    gets(ws.Connection(), _close(1000, b"r" * 123), Close(1000, "r" * 123), Closed())


@case("websocket", "a close without a code", "RFC 6455 §7.1.5", 12)
def a_close_without_a_code(ws: Surface) -> None:
    """A Close may be empty; that is told as 1005."""
    gets(ws.Connection(), masked(0x88), Close(1005, ""), Closed())


@case("websocket", "a close of one byte", "RFC 6455 §5.5.1", 12)
def a_close_of_one_byte(ws: Surface) -> None:
    """Half a code is none: 1002."""
    fails(ws.Connection(), masked(0x88, b"\x03"), 1002)


@case("websocket", "close codes", "RFC 6455 §7.4", 12)
def close_codes(ws: Surface) -> None:
    """Registered codes and those of 3000 to 4999 are taken, all others fail with 1002."""
    for code in MAY_BE_SENT:
        gets(ws.Connection(), _close(code), Close(code, ""), Closed())
    for code in MAY_NOT:
        fails(ws.Connection(), _close(code), 1002, why=f"{code} may not be sent")


@case("websocket", "a close reason that is no UTF-8", "RFC 6455 §5.5.1", 12)
def a_close_reason_that_is_no_utf8(ws: Surface) -> None:
    """The reason is UTF-8, or the code is 1007."""
    fails(ws.Connection(), _close(1000, b"\xff"), 1007)
    fails(ws.Connection(), _close(1000, b"\xe2\x82"), 1007)


@case("websocket", "a close within a message", "RFC 6455 §5.5.1", 12)
def a_close_within_a_message(ws: Surface) -> None:
    """A Close ends everything, a message that has begun too."""
    raw = masked(0x01, b"never ended") + _close(1000)
    gets(ws.Connection(), raw, Close(1000, ""), Closed())


@case("websocket", "nothing behind a close", "RFC 6455 §5.5.1", 12)
def nothing_behind_a_close(ws: Surface) -> None:
    """What comes behind a Close is not looked at, in the same read or later."""
    connection = ws.Connection()
    gets(connection, _close(1000) + HELLO, Close(1000, ""), Closed())
    gets(connection, HELLO, Closed())
    gets(connection, b"\xff\xff\xff", Closed())


@case("websocket", "the end without a close", "RFC 6455 §7.1.5", 12)
def the_end_without_a_close(ws: Surface) -> None:
    """When the bytes end without a Close, that is told by Closed, and half a message by nothing."""
    for raw in (b"", HELLO, HELLO[:-1], HELLO[:1], masked(0x01, b"begun")):
        events, error = read(ws.Connection(), raw, eof=True)
        wanted = [Text("Hello"), Closed()] if raw == HELLO else [Closed()]
        same("the end is told otherwise", (events, error), (wanted, None), raw)


@case("websocket", "an error is the end", "RFC 6455 §7.1.7", 12)
def an_error_is_the_end(ws: Surface) -> None:
    """Behind an error nothing is read, whatever comes."""
    connection = ws.Connection()
    read(connection, masked(0x83) + HELLO)
    connection.receive(HELLO)
    for _ in range(3):
        try:
            got = next_event(connection, HELLO)
        except WebSocketError as error:
            same("the code has changed", error.code, 1002)
        else:
            raise Broken("this was read behind an error", sent=HELLO, got=got, wanted=1002)


@case("websocket", "the closing handshake", "RFC 6455 §7.1.2", 12)
def the_closing_handshake(ws: Surface) -> None:
    """Whoever has sent a Close reads on until the peer's comes."""
    connection = ws.Connection()
    connection.close(1000)
    gets(connection, HELLO, Text("Hello"))
    same("the peer's Close is still to come", next_event(connection, HELLO), NEED_DATA)
    gets(connection, _close(1000), Close(1000, ""), Closed())
