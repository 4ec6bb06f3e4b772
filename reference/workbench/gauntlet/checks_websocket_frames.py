"""WebSocket: frames, masks, lengths, fragments, control frames and text (RFC 6455 §5, §8)."""

from __future__ import annotations

import struct
import time
from functools import partial

from .asking import Asking, Miss, expect, request, same
from .websocket import (
    BINARY,
    CONTINUES,
    HELLO,
    PING,
    PONG,
    TEXT,
    closing,
    fails,
    frame,
    opened,
    ws,
)

FRAMES = "RFC 6455 §5.2"
MASKS = "RFC 6455 §5.1"
FRAGMENTS = "RFC 6455 §5.4"
CONTROL = "RFC 6455 §5.5"
UTF8 = "RFC 6455 §8.1"
part = partial(frame, last=False)

# ---------------------------------------------------------------- messages


@ws("a text comes back", "RFC 6455 §5.6")
def a_text(it: Asking) -> None:
    """A text is sent as a text."""
    opened(it).put(HELLO).gives(TEXT, b"Hello")


@ws("bytes come back", "RFC 6455 §5.6")
def some_bytes(it: Asking) -> None:
    """Bytes are sent as bytes, whatever they are: no text is looked for in them."""
    data = bytes(range(256)) * 2 + b"\xff\xfe\xc0"
    opened(it).put(frame(BINARY, data)).gives(BINARY, data)


@ws("empty messages", FRAMES)
def empty_messages(it: Asking) -> None:
    """A message of no bytes is a message."""
    talk = opened(it)
    for kind in (TEXT, BINARY):
        talk.put(frame(kind)).gives(kind, b"", "the echo of an empty message")


@ws("every length", FRAMES)
def every_length(it: Asking) -> None:
    """A length is read in all three sizes, the most significant byte first."""
    talk = opened(it)
    for size in (1, 125, 126, 127, 255, 256, 1000, 65535, 65536, 70000):
        data = b"abcdefg" * (size // 7) + b"x" * (size % 7)
        talk.put(frame(BINARY, data)).gives(BINARY, data, f"the echo of {size} bytes")


@ws("a length as short as can be", FRAMES)
def the_servers_lengths(it: Asking) -> None:
    """A server must write a length in the smallest number of bytes that holds it."""
    talk = opened(it)
    for size, wanted in ((125, b"\x7d"), (126, b"\x7e\x00\x7e"), (65535, b"\x7e\xff\xff")):
        talk.put(frame(BINARY, b"x" * size))
        talk.wire.wait_for(b"x", f"the echo of {size} bytes")
        head = bytes(talk.wire.buf[: 1 + len(wanted)])
        if head[0] & 0x80:  # or the server has cut its answer into fragments, as it may
            same(head[1:], wanted, f"the length of {size} bytes", talk.sent)
        talk.gives(BINARY, b"x" * size)


@ws("the server does not mask", MASKS)
def the_server_does_not_mask(it: Asking) -> None:
    """A server must not mask its frames."""
    talk = opened(it).put(HELLO)
    got = talk.hear("the echo")  # which raises for a mask
    same(got.payload, b"Hello", "the echo", talk.sent)


@ws("no reserved bits of the server", FRAMES)
def no_reserved_bits(it: Asking) -> None:
    """Without an extension the reserved bits of a server's frames must be 0."""
    talk = opened(it).put(HELLO)
    same(talk.hear("the echo").reserved, 0, "the reserved bits", talk.sent)


@ws("any mask", "RFC 6455 §5.3")
def any_mask(it: Asking) -> None:
    """Each frame has a mask of its own, and any four bytes are one."""
    talk = opened(it)
    for mask in (bytes(4), b"\xff\xff\xff\xff", b"\x00\xff\x01\x80", b"\r\n\r\n"):
        for data in (b"Hello", b"odd", b"x" * 1001):
            talk.put(frame(TEXT, data, mask=mask)).gives(TEXT, data, f"the echo by mask {mask!r}")


@ws("a bare frame", MASKS)
def a_bare_frame(it: Asking) -> None:
    """A server must close the connection for a frame that is not masked: see §10.3 for why."""
    for bare in (frame(TEXT, b"Hello", mask=b""), frame(PING, b"", mask=b"")):
        fails(it, bare, why="a client's frame is not masked", at=1)


@ws("a bare frame after others", MASKS)
def a_bare_frame_after_others(it: Asking) -> None:
    """Each frame must be masked, not the first alone."""
    talk = opened(it).put(HELLO)
    talk.gives(TEXT, b"Hello")
    talk.put(frame(TEXT, b"bare", mask=b""))
    talk.is_over("a client's frame is not masked")


@ws("reserved bits", FRAMES)
def reserved_bits(it: Asking) -> None:
    """A reserved bit that no extension has given a meaning must fail the connection."""
    for bit in (0x40, 0x20, 0x10):
        fails(it, frame(bit | TEXT, b"Hello"), why=f"the bit {bit:#x} is reserved", at=0)


@ws("unknown opcodes", FRAMES)
def unknown_opcodes(it: Asking) -> None:
    """An unknown opcode must fail the connection."""
    for opcode in (3, 7, 0xB, 0xF):
        fails(it, frame(opcode, b"Hello"), why=f"opcode {opcode:#x} is reserved", at=0)


@ws("1002 for a broken frame", "RFC 6455 §7.4.1", choice=True)
def the_code_for_broken_frames(it: Asking) -> None:
    """1002 says that a connection was ended for an error of the protocol."""
    for broken in (frame(TEXT, b"x", mask=b""), frame(0x20 | TEXT, b"x"), frame(3, b"x")):
        talk = opened(it).put(broken)
        last = talk.is_over("a frame that breaks the protocol")
        same(None if last is None else last.code, 1002, "the close code", talk.sent)


@ws("a length too long", FRAMES, choice=True)
def a_length_too_long(it: Asking) -> None:
    """A length that is not written as short as can be fails the connection."""
    mask = b"\0\0\0\0"
    for head in (b"\x82\xfe\x00\x05", b"\x82\xff\x00\x00\x00\x00\x00\x00\x00\x05"):
        fails(it, head + mask + b"Hello", why="a length of 5 has room in seven bits", at=1)


@ws("a length of 2 to the 63", FRAMES, choice=True)
def a_length_beyond_all(it: Asking) -> None:
    """The top bit of a length of eight bytes is 0; a length with it is refused, not waited for."""
    head = b"\x82\xff" + struct.pack(">Q", 1 << 63 | 1) + bytes(4)
    fails(it, head + b"x", why="no length is so long", at=2)


@ws("frames byte by byte", FRAMES)
def byte_by_byte(it: Asking) -> None:
    """A frame is read however the network has cut it."""
    talk = opened(it)
    for byte in frame(TEXT, b"y" * 130) + HELLO:
        talk.put(bytes([byte]))
    talk.gives(TEXT, b"y" * 130)
    talk.gives(TEXT, b"Hello")


@ws("many in one packet", FRAMES)
def many_in_one_packet(it: Asking) -> None:
    """Many frames in one packet are many messages, in order."""
    talk = opened(it).put(*[frame(TEXT, b"%d" % number) for number in range(200)])
    for number in range(200):
        talk.gives(TEXT, b"%d" % number, f"message {number} of 200")


# ---------------------------------------------------------------- fragments


@ws("fragments", FRAGMENTS)
def fragments(it: Asking) -> None:
    """A message in fragments is one message; an empty fragment adds nothing."""
    for kind in (TEXT, BINARY):
        talk = opened(it).put(part(kind, b"Hel"), part(CONTINUES, b""), part(CONTINUES, b"l"),
                              frame(CONTINUES, b"o"))  # fmt: skip
        talk.gives(kind, b"Hello", "the echo of a message in four fragments")
        talk.put(part(kind), frame(CONTINUES)).gives(kind, b"", "the echo of two empty fragments")


@ws("a ping inside a message", FRAGMENTS)
def a_ping_inside(it: Asking) -> None:
    """Control frames may come between fragments: they are answered, and the message is whole."""
    talk = opened(it).put(part(TEXT, b"Hel"), frame(PING, b"in the middle"))
    talk.pong(b"in the middle")
    talk.put(frame(CONTINUES, b"lo")).gives(TEXT, b"Hello", "the message around a ping")


@ws("a continuation of nothing", FRAGMENTS, choice=True)
def a_continuation_of_nothing(it: Asking) -> None:
    """A continuation where no message has begun fails the connection."""
    for lonely in (frame(CONTINUES, b"x"), part(CONTINUES, b"x")):
        fails(it, lonely, frame(CONTINUES, b"x"), why="it continues nothing", at=0)


@ws("a message inside a message", FRAGMENTS, choice=True)
def a_message_inside(it: Asking) -> None:
    """The fragments of two messages must not be mixed; a message inside another one fails."""
    first = part(TEXT, b"one")
    fails(it, first, frame(TEXT, b"two"), why="a message begins inside another one", at=len(first))


@ws("a ping in fragments", CONTROL, choice=True)
def a_ping_in_fragments(it: Asking) -> None:
    """A control frame must not be fragmented; one that is fails the connection."""
    fails(it, part(PING, b"half"), frame(CONTINUES, b"half"), HELLO, why="half a ping", at=0)


@ws("a long ping", CONTROL, choice=True)
def a_long_ping(it: Asking) -> None:
    """A control frame must have 125 bytes or fewer; a longer one fails the connection."""
    fails(it, frame(PING, b"x" * 126), HELLO, why="a ping of 126 bytes", at=1)


# ---------------------------------------------------------------- ping and pong


@ws("ping is answered", "RFC 6455 §5.5.2")
def ping_is_answered(it: Asking) -> None:
    """A ping must be answered by a pong with the same data, up to 125 bytes of them."""
    talk = opened(it)
    for data in (b"", b"Hello", bytes(range(125))):
        talk.put(frame(PING, data)).pong(data)
    talk.put(HELLO).gives(TEXT, b"Hello", "the echo behind the pings")


@ws("many pings", "RFC 6455 §5.5.3")
def many_pings(it: Asking) -> None:
    """The last ping is answered at least, and pongs come in the order of their pings."""
    talk = opened(it).put(*[frame(PING, b"%d" % number) for number in range(50)])
    last = -1
    while last < 49:
        got = talk.hear("the pong to the last of 50 pings")
        expect(got.opcode == PONG and int(got.payload) > last, "no pong in order", talk.sent,
               got.payload)  # fmt: skip
        last = int(got.payload)


@ws("a pong nobody asked for", "RFC 6455 §5.5.3")
def a_pong_nobody_asked_for(it: Asking) -> None:
    """A pong may come unasked: nothing answers it, and nothing ends."""
    talk = opened(it).put(frame(PONG, b"here I am"), frame(PONG), HELLO)
    talk.gives(TEXT, b"Hello", "the echo behind two pongs")


@ws("a ping beside a busy application", "RFC 6455 §5.5.2", interface="asgi", choice=True)
def a_ping_beside(it: Asking) -> None:
    """A ping should be answered as soon as is practical, also while the application is busy."""
    token = it.token()
    talk = opened(it, f"/s/busy?token={token}")
    it.noted(token, "here", "the application to be busy")
    talk.put(frame(PING, b"there?")).pong(b"there?")
    it.open(token)
    talk.gives(TEXT, b"done", "the message of an application that was busy")


@ws("a flood of pings", "RFC 6455 §10.4", choice=True)
def a_flood_of_pings(it: Asking) -> None:
    """Who sends pings and reads no pongs is held back, or cut off, and holds up nobody."""
    talk = opened(it)
    talk.wire.socket.settimeout(0.5)
    flood = frame(PING, b"x" * 125) * 1000
    for _ in range(300):  # 39 MB: more than the buffers of both kernels
        try:
            talk.wire.socket.sendall(flood)
        except OSError:
            break
    else:
        raise Miss("39 MB of pings were read, and no pong was taken", sent=flood[:131])
    beside = opened(it, beside=True)
    beside.put(HELLO).gives(TEXT, b"Hello", "the client beside the flood")


# ---------------------------------------------------------------- text

CHARACTERS = "\u00e9 \u20ac \U0001f600 \ud7ff \ue000 \uffff \U0010ffff \x00 \x7f"
BAD_TEXTS = {
    "a byte that begins nothing": b"ok \x80",
    "an overlong slash": b"ok \xc0\xaf",
    "half a surrogate pair": b"ok \xed\xa0\x80",
    "beyond the last character": b"ok \xf4\x90\x80\x80",
    "five bytes": b"ok \xf8\x88\x80\x80\x80",
    "half a character": b"ok \xe2\x82",
}


@ws("text of all planes", "RFC 6455 §5.6")
def text_of_all_planes(it: Asking) -> None:
    """A text is UTF-8, of one to four bytes a character."""
    data = CHARACTERS.encode()
    opened(it).put(frame(TEXT, data)).gives(TEXT, data, "the echo of one to four bytes a character")


@ws("a character in two fragments", "RFC 6455 §5.6")
def a_character_in_two_fragments(it: Asking) -> None:
    """Fragments need not be UTF-8, each by itself: only the message is."""
    data = "\U0001f600\u20ac".encode()
    for at in range(1, len(data)):
        talk = opened(it).put(part(TEXT, data[:at]), frame(CONTINUES, data[at:]))
        talk.gives(TEXT, data, f"the echo of a text cut at byte {at}")


@ws("a text that is no UTF-8", UTF8)
def no_utf_8(it: Asking) -> None:
    """A text that is not UTF-8 must fail the connection."""
    for what, data in BAD_TEXTS.items():
        fails(it, frame(TEXT, data), why=f"{what} in a text", at=6 + 3)


@ws("bad UTF-8 in the last fragment", UTF8)
def no_utf_8_at_the_end(it: Asking) -> None:
    """A text that ends inside a character must fail the connection, in fragments too."""
    first = part(TEXT, b"ok \xe2\x82")
    fails(it, first, frame(CONTINUES), why="the text ends inside a character", at=6 + 3)


@ws("1007 for bad UTF-8", "RFC 6455 §7.4.1", choice=True)
def the_code_for_bad_utf_8(it: Asking) -> None:
    """1007 says that a text was not UTF-8."""
    talk = opened(it).put(frame(TEXT, b"\xff"))
    last = talk.is_over("a text that is not UTF-8")
    same(None if last is None else last.code, 1007, "the close code", talk.sent)


@ws("bad UTF-8 is seen at once", UTF8, choice=True)
def bad_utf_8_is_seen_at_once(it: Asking) -> None:
    """A text that can be no UTF-8 any more is refused in its first fragment, not at its end."""
    talk = opened(it).put(HELLO)
    talk.gives(TEXT, b"Hello")
    talk.put(part(TEXT, b"ok \xff and more"))
    talk.is_over("the first fragment shows that it is no UTF-8")


# ---------------------------------------------------------------- limits


@ws("a frame without end", "RFC 6455 §10.4", choice=True)
def a_frame_without_end(it: Asking) -> None:
    """A frame that announces 2 to the 62 bytes is refused by what it announces: 1009."""
    head = b"\x82\xff" + struct.pack(">Q", 1 << 62) + b"\0\0\0\0"
    fails(it, head + b"x" * 1000, why="nobody has room for that", codes=(1009,), at=2)


@ws("a message without end", "RFC 6455 §10.4", choice=True)
def a_message_without_end(it: Asking) -> None:
    """Fragments without end are given up, before memory is full of them: 1009."""
    talk = opened(it).put(HELLO)
    talk.gives(TEXT, b"Hello")
    talk.put(part(BINARY, b"x"))
    piece = part(CONTINUES, b"x" * (1 << 20), mask=bytes(4))
    for _ in range(40):
        if talk.wire.readable(0) or talk.wire.was_reset:
            break
        talk.wire.send(piece)
    last = talk.is_over("40 MB in one message")
    expect(last is None or last.code == 1009, "the code should be 1009", None, last)


@ws("a megabyte both ways", "RFC 6455 §5.2", choice=True)
def a_megabyte(it: Asking) -> None:
    """A message of 900 KB arrives whole, in one frame and in many."""
    data = b"0123456789abcde\n" * 57_600
    talk = opened(it).put(frame(BINARY, data))
    talk.gives(BINARY, data, "the echo of one large frame")
    pieces = [data[at : at + 50_000] for at in range(0, len(data), 50_000)]
    talk.put(part(BINARY, pieces[0]), *[part(CONTINUES, each) for each in pieces[1:-1]],
             frame(CONTINUES, pieces[-1]))  # fmt: skip
    talk.gives(BINARY, data, "the echo of many fragments")


@ws("a client that reads nothing", "ASGI WebSocket 2.5, Send", interface="asgi", choice=True)
def a_client_that_reads_nothing(it: Asking) -> None:
    """A server that is not rid of its messages lets the application wait: memory does not fill."""
    token = it.token()
    talk = opened(it, f"/s/endless?most=60000000&token={token}")
    talk.wire.wait_for(b"x" * 1000, "the first message")
    before, still = -1, 0
    while still < 20:
        notes = it.left_behind(token)
        expect(not any("done" in each for each in notes), "60 MB were taken, and nobody reads them")
        still = still + 1 if len(notes) == before else 0
        before = len(notes)
        time.sleep(0.02)
    same(it.ask(request("/ok")).status, 200, "the client beside it")


@ws("clients that leave a WebSocket", "RFC 6455 §7.1.7")
def clients_that_leave(it: Asking) -> None:
    """A client that leaves at any point, in order or by a crash, costs the others nothing."""
    for piece in (b"", HELLO[:3], part(TEXT, b"half"), HELLO, closing()):
        opened(it).put(piece).wire.reset()
        opened(it).put(piece).wire.close()
    opened(it).put(HELLO).gives(TEXT, b"Hello", "the client behind ten that have left")
