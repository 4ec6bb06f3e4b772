"""The WebSocket contract, part seven: permessage-deflate (RFC 7692)."""

from __future__ import annotations

import random
import tracemalloc
import zlib
from typing import Any

from handmade.websocket import Binary, Ping, Text, WebSocketLimits
from handmade.websocket_deflate import Agreed, Offer

from . import Broken, case
from .websocket_frames import Surface, cut_up, fails, gets, masked, payload_of, same
from .websocket_handshake import request_of, taken

HELLO_DEFLATED = bytes.fromhex("f248cdc9c90700")  # RFC 7692 §7.2.3.1


def _server(ws: Surface, agreed: Agreed | None = None, **more: Any) -> Any:
    return ws.Connection(agreed=agreed or Agreed(), **more)


def _deflated(data: bytes, stream: Any = None) -> bytes:
    """Return a message compressed as RFC 7692 §7.2.1 says."""
    stream = stream or zlib.compressobj(wbits=-15)
    whole: bytes = stream.compress(data) + stream.flush(zlib.Z_SYNC_FLUSH)
    return whole[:-4]


@case("websocket", "a compressed message", "RFC 7692 §7.2.3.1", 12)
def a_compressed_message(ws: Surface) -> None:
    """The example of the RFC, in one frame and in two, is the text "Hello"."""
    gets(_server(ws), masked(0xC1, HELLO_DEFLATED), Text("Hello"))
    parts = masked(0x41, HELLO_DEFLATED[:3]) + masked(0x89) + masked(0x80, HELLO_DEFLATED[3:])
    gets(_server(ws), parts, Ping(b""), Text("Hello"))


@case("websocket", "the window goes on", "RFC 7692 §7.2.3.2", 12)
def the_window_goes_on(ws: Surface) -> None:
    """A message may point back into the one before it: the second "Hello" is five bytes."""
    raw = masked(0xC1, HELLO_DEFLATED) + masked(0xC1, bytes.fromhex("f200110000"))
    gets(_server(ws), raw, Text("Hello"), Text("Hello"))


@case("websocket", "no window goes on", "RFC 7692 §7.1.1.2", 12)
def no_window_goes_on(ws: Surface) -> None:
    """With client_no_context_takeover each message stands alone, and none may point back."""
    alone = Agreed(client_no_context_takeover=True)
    gets(_server(ws, alone), masked(0xC1, HELLO_DEFLATED) * 2, Text("Hello"), Text("Hello"))
    raw = masked(0xC1, HELLO_DEFLATED) + masked(0xC1, bytes.fromhex("f200110000"))
    fails(_server(ws, alone), raw, 1007, Text("Hello"))


@case("websocket", "other blocks", "RFC 7692 §7.2.3.3", 12)
def other_blocks(ws: Surface) -> None:
    """A stored block, a final one, two in one message, and none of any length are read too."""
    for block in ("000500faff48656c6c6f00", "f348cdc9c9070000", "f24805000000ffffcac9c90700"):
        raw = masked(0xC1, bytes.fromhex(block))
        gets(
            _server(ws), raw * 2 + masked(0xC2, b"\x00"), Text("Hello"), Text("Hello"), Binary(b"")
        )


@case("websocket", "not every message is compressed", "RFC 7692 §6", 12)
def not_every_message_is_compressed(ws: Surface) -> None:
    """RSV1 says of each message whether it is compressed."""
    raw = masked(0x81, b"plain") + masked(0xC1, HELLO_DEFLATED) + masked(0x82, b"plain")
    gets(_server(ws), raw, Text("plain"), Text("Hello"), Binary(b"plain"))


@case("websocket", "RSV1 comes first or never", "RFC 7692 §6.1", 12)
def rsv1_comes_first_or_never(ws: Surface) -> None:
    """RSV1 in a continuation or in a control frame is refused."""
    fails(_server(ws), masked(0x41, b"\xf2") + masked(0xC0, HELLO_DEFLATED[1:]), 1002)
    fails(_server(ws), masked(0x01, b"a") + masked(0xC0, b"b"), 1002)
    for first in (0xC9, 0xCA, 0xC8):
        fails(_server(ws), masked(first), 1002)
    fails(_server(ws), masked(0xA1, b"a"), 1002, why="nobody agreed on RSV2")


@case("websocket", "a message that is not deflated", "RFC 7692 §7.2.2", 12)
def a_message_that_is_not_deflated(ws: Surface) -> None:
    """What cannot be decompressed fails with 1007."""
    fails(_server(ws), masked(0xC2, b"\xff\xff\xff\xff"), 1007)
    fails(_server(ws), masked(0xC2, b"\x01\x05\x00\x00\x00Hello"), 1007)


@case("websocket", "compressed text is text", "RFC 6455 §8.1", 12)
def compressed_text_is_text(ws: Surface) -> None:
    """Compressed text is UTF-8 too, and wrong text fails before the message is complete."""
    fails(_server(ws), masked(0xC1, _deflated(b"caf\xe9")), 1007)
    fails(_server(ws), masked(0xC1, _deflated(b"\xe2\x82")), 1007)
    begun = masked(0x41, b"\x00\x04\x00\xfb\xffabc\xff")  # a stored block
    fails(_server(ws), begun, 1007, why="in a fragment")
    gets(_server(ws), masked(0xC2, _deflated(b"caf\xe9")), Binary(b"caf\xe9"))


@case("websocket", "a bomb", "RFC 6455 §10.4", 12)
def a_bomb(ws: Surface) -> None:
    """The limit is for what a message decompresses to, and it is kept while it does."""
    limits = WebSocketLimits(message=10_000)
    gets(_server(ws, limits=limits), masked(0xC2, _deflated(bytes(10_000))), Binary(bytes(10_000)))
    fails(_server(ws, limits=limits), masked(0xC2, _deflated(bytes(10_001))), 1009)
    bomb = _deflated(bytes(20_000_000))
    tracemalloc.start()
    try:
        fails(_server(ws, limits=limits), masked(0xC2, bomb), 1009)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    if peak > 2_000_000:
        raise Broken("20 MB of zeros were unpacked before they were refused", got=peak)
    parts = [masked(0x42, bomb[:10]), *[masked(0x00, part) for part in cut_up(bomb[10:], 10)]]
    fails(_server(ws, limits=limits), parts, 1009)


@case("websocket", "our messages are compressed", "RFC 7692 §7.2.1", 12)
def our_messages_are_compressed(ws: Surface) -> None:
    """With an agreement messages leave compressed, with RSV1, and control frames as they are."""
    connection = _server(ws)
    stream = zlib.decompressobj(-15)
    for text in ("Hello", "Hello", "", "Hello " * 1000):
        raw = connection.text(text)
        if raw[:1] not in (b"\xc1", b"\x81"):
            raise Broken("this is no text message", got=raw[:10])
        payload = payload_of(raw)
        if raw[0] == 0xC1:
            payload = stream.decompress(payload + b"\x00\x00\xff\xff")
        same("it decompresses to something else", payload, text.encode(), raw[:40])
    if len(raw) > 100:
        raise Broken("6,000 bytes of the same word are not compressed", got=len(raw))
    same("the Ping is wrong", connection.ping(b"aaaaaaaa"), b"\x89\x08aaaaaaaa")


@case("websocket", "our window goes on, or not", "RFC 7692 §7.1.1.1", 12)
def our_window_goes_on_or_not(ws: Surface) -> None:
    """The second "Hello" points back, unless we agreed to server_no_context_takeover."""
    connection = _server(ws)
    first, second = connection.text("Hello"), connection.text("Hello")
    same("the first message is wrong", first, b"\xc1\x07" + HELLO_DEFLATED)
    same("the second message is wrong", second, bytes.fromhex("c105 f200110000"))
    connection = _server(ws, Agreed(server_no_context_takeover=True))
    for _ in range(2):
        same("a message points back", connection.text("Hello"), b"\xc1\x07" + HELLO_DEFLATED)


@case("websocket", "our window is as small as agreed", "RFC 7692 §7.1.2.1", 12)
def our_window_is_as_small_as_agreed(ws: Surface) -> None:
    """No distance in what we send is larger than the agreed window, the smallest one too."""
    for bits in range(8, 16):
        data = random.Random(bits).randbytes((1 << bits) + 100) * 2  # repeated too far back
        raw = _server(ws, Agreed(server_max_window_bits=bits)).binary(data)
        payload = payload_of(raw)
        try:
            got = _inflated(payload + b"\x00\x00\xff\xff", bits)
        except zlib.error as error:
            raise Broken(f"a window of 2**{bits} bytes is too small for this: {error}") from error
        same(f"with 2**{bits} bytes it is something else", got == data, True)


def _inflated(data: bytes, bits: int) -> bytes:
    """Decompress with a window that is no larger than asked for.

    What zlib has just put out it takes for a part of the window: so it may put out single bytes.
    """
    stream, found = zlib.decompressobj(-bits), []
    for piece in cut_up(data, 64):
        got = b"more"
        while got or piece:
            got = stream.decompress(piece, 1)
            found.append(got)
            piece = stream.unconsumed_tail
    return b"".join(found)


# ---------------------------------------------------------------- agreement

NEGOTIATED: dict[bytes, dict[str, int]] = {
    b"permessage-deflate": {},
    b"permessage-deflate; server_no_context_takeover": {"server_no_context_takeover": True},
    b"permessage-deflate; client_no_context_takeover": {"client_no_context_takeover": True},
    b"permessage-deflate; server_max_window_bits=9": {"server_max_window_bits": 9},
    b"permessage-deflate; server_max_window_bits=8": {"server_max_window_bits": 8},
    b'permessage-deflate; client_max_window_bits="10"': {"client_max_window_bits": 10},
    b"PerMessage-Deflate ;client_max_window_bits": {"client_max_window_bits": 15},
}


@case("websocket", "an offer is answered", "RFC 7692 §7.1", 12)
def an_offer_is_answered(ws: Surface) -> None:
    """What a client asks for it gets, and nothing is said that it cannot hear."""
    for value, asked in NEGOTIATED.items():
        agreed = ws.negotiate(_offers(ws, value))
        if agreed is None:
            raise Broken("the offer was declined", sent=value)
        answer = _parsed(agreed.answer)
        for name, wanted in asked.items():
            got = answer.get(name)
            fits = got is None if wanted is True else got is not None and 8 <= int(got) <= wanted
            if name not in answer or not fits:
                raise Broken(f"{name} is not granted", sent=value, got=agreed.answer)
        if "client_max_window_bits" in answer and "client_max_window_bits" not in asked:
            raise Broken("client_max_window_bits was not offered", sent=value, got=agreed.answer)


@case("websocket", "an offer that is declined", "RFC 7692 §7.1", 12)
def an_offer_that_is_declined(ws: Surface) -> None:
    """An offer with a wrong parameter is passed over, and a right one behind it is taken."""
    for wrong in (
        b"x-webkit-deflate-frame",
        b"permessage-deflate; unknown",
        b"permessage-deflate; server_max_window_bits",
        b"permessage-deflate; server_max_window_bits=7",
        b"permessage-deflate; server_max_window_bits=16",
        b"permessage-deflate; server_max_window_bits=08",
        b"permessage-deflate; client_max_window_bits=+9",
        b"permessage-deflate; server_no_context_takeover=1",
        b"permessage-deflate; client_max_window_bits; client_max_window_bits=9",
    ):
        same("this offer must be declined", ws.negotiate(_offers(ws, wrong)), None, wrong)
        agreed = ws.negotiate(
            _offers(ws, wrong + b", permessage-deflate; server_max_window_bits=9")
        )
        if agreed is None or b"server_max_window_bits=9" not in agreed.answer:
            raise Broken("the right offer behind it was not taken", sent=wrong, got=agreed)
    same("without an offer there is nothing to agree on", ws.negotiate(()), None)


def _offers(ws: Surface, value: bytes) -> tuple[Offer, ...]:
    offers: tuple[Offer, ...] = taken(ws, request_of(extensions=value)).offers
    return offers


def _parsed(answer: bytes) -> dict[str, str | None]:
    """Return the parameters of an answer."""
    name, *parameters = [part.strip() for part in answer.decode().split(";")]
    same("the answer is another extension's", name, "permessage-deflate")
    pairs = [part.partition("=") for part in parameters]
    return {name: value if equals else None for name, equals, value in pairs}
