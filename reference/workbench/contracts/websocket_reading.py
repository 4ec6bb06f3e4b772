"""The WebSocket contract, part one: frames, masks, lengths, fragments, pings."""

from __future__ import annotations

from handmade.websocket import NEED_DATA, Binary, Ping, Pong, Text

from . import Broken, case
from .websocket_frames import (
    HELLO,
    MASK,
    Surface,
    bytewise,
    cut_up,
    fails,
    gets,
    masked,
    next_event,
    plain,
    same,
    turned,
)


@case("websocket", "a text message", "RFC 6455 §5.7", 12)
def a_text_message(ws: Surface) -> None:
    """The example of the RFC, a masked text frame, is the text "Hello"."""
    gets(ws.Connection(), HELLO, Text("Hello"))


@case("websocket", "a binary message", "RFC 6455 §5.6", 12)
def a_binary_message(ws: Surface) -> None:
    """Opcode 2 is bytes, whatever they are."""
    gets(ws.Connection(), masked(0x82, b"\x00\xff\xfe"), Binary(b"\x00\xff\xfe"))


@case("websocket", "an empty message", "RFC 6455 §5.6", 12)
def an_empty_message(ws: Surface) -> None:
    """A message of no bytes is a message."""
    gets(ws.Connection(), masked(0x81) + masked(0x82), Text(""), Binary(b""))


@case("websocket", "the mask", "RFC 6455 §5.3", 12)
def the_mask(ws: Surface) -> None:
    """Byte i of the payload is turned by byte i modulo 4 of the mask, for every length and mask."""
    for mask in (MASK, b"\x00\x00\x00\x01", b"\xff\x00\x80\x01"):
        for size in (1, 2, 3, 4, 5, 7, 8, 9, 63, 64, 65):
            data = bytes(range(100, 100 + size))
            gets(ws.Connection(), masked(0x82, data, mask), Binary(data))


@case("websocket", "each frame has its own mask", "RFC 6455 §5.3", 12)
def each_frame_has_its_own_mask(ws: Surface) -> None:
    """A frame's mask begins anew with it, in fragments and in messages."""
    raw = masked(0x02, b"abc", b"1234") + masked(0x80, b"def", b"5678") + HELLO
    gets(ws.Connection(), raw, Binary(b"abcdef"), Text("Hello"))


@case("websocket", "the length of 7 bits", "RFC 6455 §5.2", 12)
def the_length_of_7_bits(ws: Surface) -> None:
    """Up to 125 bytes, the length stands in the second byte."""
    for size in (1, 124, 125):
        gets(ws.Connection(), masked(0x82, b"x" * size), Binary(b"x" * size))


@case("websocket", "the length of 16 bits", "RFC 6455 §5.2", 12)
def the_length_of_16_bits(ws: Surface) -> None:
    """From 126 bytes on, two bytes hold the length, the most significant first."""
    for size in (256, 126, 127, 255, 257, 4096, 65535):
        raw = bytes([0x82, 0xFE, size >> 8, size & 255]) + MASK + turned(b"y" * size, MASK)
        _long(ws, raw, size)


@case("websocket", "the length of 64 bits", "RFC 6455 §5.2", 12)
def the_length_of_64_bits(ws: Surface) -> None:
    """From 65,536 bytes on, eight bytes hold the length."""
    for size in (65536, 65537, 200_000):
        raw = b"\x82\xff" + size.to_bytes(8, "big") + MASK + turned(b"y" * size, MASK)
        _long(ws, raw, size)


def _long(ws: Surface, raw: bytes, size: int) -> None:
    """Demand one message of so many y, with another one behind it."""
    connection = ws.Connection()
    connection.receive(raw + HELLO)
    event = next_event(connection, raw[:20])
    data = getattr(event, "data", None)
    if not isinstance(data, bytes):
        what = f"{size} bytes do not arrive as a message"
        raise Broken(what, sent=raw[:20], got=event, wanted=f"Binary of {size} bytes")
    same(f"{size} bytes arrive as {len(data)}", len(data), size, raw[:20])
    same(f"{size} bytes arrive as other bytes", data == b"y" * size, True, raw[:20])
    same("the frame behind it is lost", next_event(connection, HELLO), Text("Hello"), HELLO)


@case("websocket", "two frames in one read", "RFC 6455 §5.2", 12)
def two_frames_in_one_read(ws: Surface) -> None:
    """Frames that arrive together are read one after the other."""
    raw = HELLO + masked(0x82, b"two") + masked(0x81, b"three")
    gets(ws.Connection(), raw, Text("Hello"), Binary(b"two"), Text("three"))


@case("websocket", "split reads", "RFC 6455 §5.4", 12)
def split_reads(ws: Surface) -> None:
    """Frames mean the same wherever the network cuts them in two."""
    raw = HELLO + masked(0x89, b"?") + masked(0x82, b"z" * 130)
    for cut in range(1, len(raw)):
        try:
            pieces = [raw[:cut], raw[cut:]]
            gets(ws.Connection(), pieces, Text("Hello"), Ping(b"?"), Binary(b"z" * 130))
        except Broken as error:
            where = f"cut behind byte {cut}: {error.problem}"
            raise Broken(where, sent=raw[:cut], got=error.got, wanted=error.wanted) from error


@case("websocket", "a byte at a time", "RFC 6455 §5.4", 12)
def a_byte_at_a_time(ws: Surface) -> None:
    """A large frame means the same when its bytes come one by one, or in pieces of any length."""
    data = bytes(range(256)) * 260  # 66,560 bytes, and no two neighbours alike
    raw = masked(0x82, data)
    gets(ws.Connection(), bytewise(raw), Binary(data))
    for size in (2, 3, 5, 7, 1000, 4097, 65535):
        gets(ws.Connection(), cut_up(raw, size), Binary(data))


@case("websocket", "half a frame", "RFC 6455 §5.2", 12)
def half_a_frame(ws: Surface) -> None:
    """While a byte of it is missing, there is no message."""
    for cut in range(1, len(HELLO)):
        connection = ws.Connection()
        connection.receive(HELLO[:cut])
        got = next_event(connection, HELLO[:cut])
        same("the frame is not complete", got, NEED_DATA, HELLO[:cut])


@case("websocket", "unmasked frames", "RFC 6455 §5.1", 12)
def unmasked_frames(ws: Surface) -> None:
    """A server refuses a client's frame without a mask, with 1002, whatever its kind."""
    for raw in (plain(0x81, b"Hello"), plain(0x81), plain(0x89, b"?"), plain(0x88)):
        fails(ws.Connection(), raw, 1002, why="a client must mask its frames")
    fails(ws.Connection(), HELLO + plain(0x81, b"x"), 1002, Text("Hello"))


@case("websocket", "reserved bits", "RFC 6455 §5.2", 12)
def reserved_bits(ws: Surface) -> None:
    """A reserved bit that no extension has given a meaning is refused."""
    for bits in (0x40, 0x20, 0x10, 0x70):
        for first in (0x81, 0x82, 0x01, 0x89, 0x8A, 0x88):
            fails(ws.Connection(), masked(first | bits, b"\x03\xe8"), 1002)
        between = masked(0x01, b"a") + masked(0x80 | bits, b"b")
        fails(ws.Connection(), between, 1002)


@case("websocket", "reserved opcodes", "RFC 6455 §5.2", 12)
def reserved_opcodes(ws: Surface) -> None:
    """Opcodes 3 to 7 and B to F mean nothing yet, and are refused."""
    for opcode in (*range(0x3, 0x8), *range(0xB, 0x10)):
        for fin in (0x80, 0x00):
            fails(ws.Connection(), masked(fin | opcode), 1002)


@case("websocket", "a length that is too long", "RFC 6455 §5.2", 12)
def a_length_that_is_too_long(ws: Surface) -> None:
    """A length has one right form, the shortest: parsers that differ here can be played off."""
    for head in ("82 fe 0000", "82 fe 007d", "82 ff 0000000000000005", "82 ff 000000000000ffff"):
        fails(ws.Connection(), bytes.fromhex(head) + MASK, 1002)


@case("websocket", "a length of 2**63", "RFC 6455 §5.2", 12)
def a_length_of_2_63(ws: Surface) -> None:
    """The top bit of a length is zero: whoever reads it as signed would see a negative one."""
    for head in ("82 ff 8000000000000000", "82 ff ffffffffffffffff", "82 ff 8000000000000005"):
        fails(ws.Connection(), bytes.fromhex(head) + MASK, 1002)


# ---------------------------------------------------------------- fragments


@case("websocket", "a message in fragments", "RFC 6455 §5.4", 12)
def a_message_in_fragments(ws: Surface) -> None:
    """A first frame without FIN, continuations, and one with FIN are one message, given whole."""
    raw = masked(0x01, b"one, ") + masked(0x00, b"two, ") + masked(0x80, b"three")
    gets(ws.Connection(), raw, Text("one, two, three"))
    gets(ws.Connection(), raw.replace(b"\x01", b"\x02", 1), Binary(b"one, two, three"))


@case("websocket", "empty fragments", "RFC 6455 §5.4", 12)
def empty_fragments(ws: Surface) -> None:
    """Any fragment may be empty, the first and the last too."""
    raw = masked(0x01) + masked(0x00, b"x") + masked(0x00) + masked(0x80)
    gets(ws.Connection(), raw, Text("x"))
    gets(ws.Connection(), masked(0x01) + masked(0x80) + HELLO, Text(""), Text("Hello"))


@case("websocket", "control frames inside fragments", "RFC 6455 §5.4", 12)
def control_frames_inside_fragments(ws: Surface) -> None:
    """Pings and Pongs between fragments are given, and the message loses nothing by them."""
    raw = masked(0x01, b"Hel") + masked(0x89, b"1") + masked(0x8A, b"2") + masked(0x80, b"lo")
    gets(ws.Connection(), raw, Ping(b"1"), Pong(b"2"), Text("Hello"))


@case("websocket", "a ping is given at once", "RFC 6455 §5.5.2", 12)
def a_ping_is_given_at_once(ws: Surface) -> None:
    """A Ping inside a message does not wait for the end of the message."""
    connection = ws.Connection()
    raw = masked(0x01, b"Hel") + masked(0x89, b"now")
    gets(connection, raw, Ping(b"now"))
    gets(connection, masked(0x80, b"lo"), Text("Hello"))


@case("websocket", "a fragment of nothing", "RFC 6455 §5.4", 12)
def a_fragment_of_nothing(ws: Surface) -> None:
    """A continuation that continues no message is refused."""
    for first in (0x00, 0x80):
        fails(ws.Connection(), masked(first, b"x"), 1002)
        over = masked(0x01, b"a") + masked(0x80, b"b")
        fails(ws.Connection(), over + masked(first, b"x"), 1002, Text("ab"))


@case("websocket", "a message within a message", "RFC 6455 §5.4", 12)
def a_message_within_a_message(ws: Surface) -> None:
    """The fragments of two messages are never mixed: a new one within another is refused."""
    for first in (0x81, 0x82, 0x01, 0x02):
        fails(ws.Connection(), masked(0x01, b"a") + masked(first, b"x"), 1002)


@case("websocket", "a control frame in fragments", "RFC 6455 §5.5", 12)
def a_control_frame_in_fragments(ws: Surface) -> None:
    """A control frame has FIN: it is never a fragment."""
    for first in (0x09, 0x0A, 0x08):
        fails(ws.Connection(), masked(first, b""), 1002)


@case("websocket", "a long control frame", "RFC 6455 §5.5", 12)
def a_long_control_frame(ws: Surface) -> None:
    """A control frame holds 125 bytes and no more."""
    gets(ws.Connection(), masked(0x89, b"p" * 125), Ping(b"p" * 125))
    for first in (0x89, 0x8A, 0x88):
        fails(ws.Connection(), masked(first, b"p" * 126), 1002)
        fails(ws.Connection(), bytes([first, 0xFF]), 1002, why="two bytes are enough to know")


@case("websocket", "ping and pong", "RFC 6455 §5.5.2", 12)
def ping_and_pong(ws: Surface) -> None:
    """Both carry data of their own, unmasked, and may be empty."""
    raw = masked(0x89, b"who?") + masked(0x8A, b"\xff\x00") + masked(0x89) + masked(0x8A)
    gets(ws.Connection(), raw, Ping(b"who?"), Pong(b"\xff\x00"), Ping(b""), Pong(b""))
